// SPDX-License-Identifier: GPL-2.0
/*
 * Deadlocks and timeouts of resilient spin locks on two CPUs, and of programs that
 * interrupt others, in all contexts. The programs wait for each other, so that each
 * scenario is reproducible. Only if the host stops a CPU for long, a deadlock of two
 * becomes a timeout; then the scenario is repeated.
 */
#include <sys/utsname.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>

#include "../kselftest_harness.h"
#include "report.h"
#include "anywhere.h"
#include "res_lock.h"
#include "res_lock_actors.skel.h"

#define DEADLOCK	"ERROR: AA or ABBA deadlock detected for bpf_res_spin_lock"
#define TIMEOUT		"ERROR: Timeout detected for bpf_res_spin_lock"

#define TRIES		10

/* Expected result of the second lock */
enum result {
	NOTHING,		/* there is none */
	SUCCESS,
	AA,
	ABBA,			/* at least one of the two actors with this fails */
	TIMED_OUT,
	SUCCESS_OR_TIMED_OUT,
};

struct role {
	enum context context;
	int cpu;
	enum result result;
	/* As in struct actor; except for the first: 0 is none, 1 is actor 0 */
	int cue, meets, sees_off;
	/* 0 is none, 1 is lock 0 */
	int first, second;
	bool interruptible;	/* never disables interrupts */
};

FIXTURE(locks)
{
	struct res_lock_actors_bpf *skel;
	struct res_lock_actors_bpf__bss *bss;
	int kmsg;
};

FIXTURE_VARIANT(locks)
{
	/* In the order of their start, terminated by a role without context */
	struct role roles[NR_ACTORS];
	bool only_ours;
};

#define A	1
#define B	2
#define FIRST	1
#define SECOND	2
#define THIRD	3

FIXTURE_VARIANT_ADD(locks, aa_in_task) {
	.roles = {
		{ IN_TASK, 0, AA, .first = A, .second = A },
	},
};

FIXTURE_VARIANT_ADD(locks, aa_in_softirq) {
	.roles = {
		{ IN_SOFTIRQ, 0, AA, .first = A, .second = A },
	},
};

FIXTURE_VARIANT_ADD(locks, aa_in_nmi) {
	.roles = {
		{ IN_NMI, 1, AA, .first = A, .second = A },
	},
};

FIXTURE_VARIANT_ADD(locks, abba_in_tasks) {
	.roles = {
		{ IN_TASK, 1, ABBA, .first = A, .meets = SECOND, .second = B },
		{ IN_TASK, 0, ABBA, .first = B, .meets = FIRST, .second = A },
	},
};

FIXTURE_VARIANT_ADD(locks, abba_in_softirq) {
	.roles = {
		{ IN_SOFTIRQ, 1, ABBA, .first = A, .meets = SECOND, .second = B },
		{ IN_TASK, 0, ABBA, .first = B, .meets = FIRST, .second = A },
	},
};

FIXTURE_VARIANT_ADD(locks, abba_in_softirqs) {
	.roles = {
		{ IN_SOFTIRQ, 1, ABBA, .first = A, .meets = SECOND, .second = B },
		{ IN_SOFTIRQ, 0, ABBA, .first = B, .meets = FIRST, .second = A },
	},
};

FIXTURE_VARIANT_ADD(locks, abba_in_nmi) {
	.roles = {
		{ IN_NMI, 1, ABBA, .first = A, .meets = SECOND, .second = B },
		{ IN_TASK, 0, ABBA, .first = B, .meets = FIRST, .second = A },
	},
};

FIXTURE_VARIANT_ADD(locks, timeout_in_task) {
	.roles = {
		{ IN_TASK, 1, TIMED_OUT, .first = A, .meets = SECOND, .second = B },
		{ IN_TASK, 0, NOTHING, .first = B, .sees_off = FIRST },
	},
};

FIXTURE_VARIANT_ADD(locks, timeout_in_softirq) {
	.roles = {
		{ IN_SOFTIRQ, 1, TIMED_OUT, .first = A, .meets = SECOND, .second = B },
		{ IN_TASK, 0, NOTHING, .first = B, .sees_off = FIRST },
	},
};

FIXTURE_VARIANT_ADD(locks, timeout_in_nmi) {
	.roles = {
		{ IN_NMI, 1, TIMED_OUT, .first = A, .meets = SECOND, .second = B },
		{ IN_TASK, 0, NOTHING, .first = B, .sees_off = FIRST },
	},
};

FIXTURE_VARIANT_ADD(locks, softirq_interrupts_holder) {
	.roles = {
		{ IN_SOFTIRQ, 0, AA, .cue = SECOND, .second = A },
		{ IN_TASK, 0, NOTHING, .first = A, .sees_off = FIRST,
		  .interruptible = true },
	},
};

FIXTURE_VARIANT_ADD(locks, nmi_interrupts_holder) {
	.roles = {
		{ IN_TASK, 1, NOTHING, .first = A, .sees_off = SECOND },
		{ IN_NMI, 1, AA, .cue = FIRST, .second = A },
	},
};

FIXTURE_VARIANT_ADD(locks, nmi_interrupts_softirq) {
	.roles = {
		{ IN_SOFTIRQ, 1, NOTHING, .first = A, .sees_off = SECOND },
		{ IN_NMI, 1, AA, .cue = FIRST, .second = A },
	},
};

FIXTURE_VARIANT_ADD(locks, softirq_takes_another_lock) {
	.roles = {
		{ IN_SOFTIRQ, 0, SUCCESS, .cue = SECOND, .second = B },
		{ IN_TASK, 0, NOTHING, .first = A, .sees_off = FIRST,
		  .interruptible = true },
	},
};

FIXTURE_VARIANT_ADD(locks, nmi_takes_another_lock) {
	.roles = {
		{ IN_TASK, 1, NOTHING, .first = A, .sees_off = SECOND },
		{ IN_NMI, 1, SUCCESS, .cue = FIRST, .second = B },
	},
};

/* One of the CPU's locks is held by the interrupted context */
FIXTURE_VARIANT_ADD(locks, abba_across_softirq) {
	.roles = {
		{ IN_SOFTIRQ, 1, ABBA, .cue = SECOND, .meets = THIRD, .second = B },
		{ IN_TASK, 1, NOTHING, .first = A, .sees_off = FIRST,
		  .interruptible = true },
		{ IN_TASK, 0, ABBA, .first = B, .meets = FIRST, .second = A },
	},
};

FIXTURE_VARIANT_ADD(locks, abba_across_nmi) {
	.roles = {
		{ IN_TASK, 1, NOTHING, .first = A, .sees_off = SECOND },
		{ IN_NMI, 1, ABBA, .cue = FIRST, .meets = THIRD, .second = B },
		{ IN_TASK, 0, ABBA, .first = B, .meets = SECOND, .second = A },
	},
};

/* The waiter and the context that interrupts it wait for a third. CPU 0 sends NMIs. */
FIXTURE_VARIANT_ADD(locks, nmi_interrupts_waiter) {
	.roles = {
		{ IN_TASK, 2, NOTHING, .first = B, .sees_off = THIRD },
		{ IN_TASK, 1, SUCCESS_OR_TIMED_OUT, .meets = FIRST, .second = B },
		{ IN_NMI, 1, TIMED_OUT, .cue = FIRST, .second = B },
	},
};

FIXTURE_VARIANT_ADD(locks, softirq_interrupts_waiter) {
	.only_ours = true,
	.roles = {
		{ IN_SOFTIRQ, 1, TIMED_OUT, .cue = THIRD, .second = B },
		{ IN_TASK, 1, SUCCESS_OR_TIMED_OUT, .meets = THIRD, .second = B,
		  .interruptible = true },
		{ IN_TASK, 0, NOTHING, .first = B, .sees_off = FIRST },
	},
};

static int nr_roles(const struct role *roles)
{
	int n;

	for (n = 0; n < NR_ACTORS && roles[n].context; n++)
		;
	return n;
}

static bool has(const struct role *roles, enum context context)
{
	int i;

	for (i = 0; i < nr_roles(roles); i++)
		if (roles[i].context == context)
			return true;
	return false;
}

static int last_cpu(const struct role *roles)
{
	int i, cpu = 0;

	for (i = 0; i < nr_roles(roles); i++)
		if (roles[i].cpu > cpu)
			cpu = roles[i].cpu;
	return cpu;
}

FIXTURE_SETUP(locks)
{
	struct res_lock_actors_bpf *skel;
	int err;

	if (nr_cpus() <= last_cpu(variant->roles))
		SKIP(return, "needs %d CPUs", last_cpu(variant->roles) + 1);
	if (variant->only_ours)
		SKIP_UNLESS_OURS("a CPU that waits for a lock does not hold it");
	skel = res_lock_actors_bpf__open();
	ASSERT_NE(NULL, skel);
	self->skel = skel;
	self->bss = skel->bss;
	if (has(variant->roles, IN_NMI))
		bpf_program__set_autoload(skel->progs.in_nmi, true);
	err = res_lock_actors_bpf__load(skel);
	if (err && has(variant->roles, IN_NMI))
		SKIP_UNLESS_OURS("locks in tracing programs");
	ASSERT_EQ(0, err);
	self->bss = skel->bss;
	self->kmsg = kmsg_open();
	ASSERT_LE(0, self->kmsg);
	if (!has(variant->roles, IN_NMI))
		return;
	quiet_libbpf(true);
	skel->links.in_nmi = bpf_program__attach(skel->progs.in_nmi);
	quiet_libbpf(false);
	if (!skel->links.in_nmi)
		SKIP(return, "no tracepoint nmi_handler");
}

FIXTURE_TEARDOWN(locks)
{
	close(self->kmsg);
	res_lock_actors_bpf__destroy(self->skel);
}

struct task {
	const struct bpf_program *prog;
	int cpu;
	int nr;
	int error;
};

static void *task_thread(void *arg)
{
	struct task *t = arg;

	pin_to_cpu(t->cpu);
	if (bpf_program__type(t->prog) == BPF_PROG_TYPE_SYSCALL)
		t->error = run_prog(bpf_program__fd(t->prog), &t->nr, sizeof(t->nr));
	else
		t->error = run(t->prog);
	return NULL;
}

static bool is_set(const int *flag)
{
	return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

struct play {
	struct res_lock_actors_bpf *skel;
	struct task tasks[NR_ACTORS];
	pthread_t threads[NR_ACTORS];
};

static void start_task(struct __test_metadata *const _metadata, struct play *p, int nr,
		       const struct bpf_program *prog, int cpu)
{
	p->tasks[nr] = (struct task) { .prog = prog, .cpu = cpu, .nr = nr };
	ASSERT_EQ(0, pthread_create(&p->threads[nr], NULL, task_thread, &p->tasks[nr]));
}

/* When this returns, it holds its first lock or waits for its cue */
static void start_role(struct __test_metadata *const _metadata, struct play *p, int nr,
		       const struct role *role)
{
	struct res_lock_actors_bpf__bss *bss = p->skel->bss;
	int level;

	switch (role->context) {
	case IN_SOFTIRQ:
		bss->timer_actor = nr;
		start_task(_metadata, p, nr, p->skel->progs.in_softirq, role->cpu);
		if (role->cue)
			wait_until(is_set(&bss->timers_started[nr]));
		else
			wait_until(is_set(&bss->actors[nr].holds));
		return;
	case IN_NMI:
		bss->nmi_cpu = role->cpu;
		p->skel->data->nmi_actor = nr;
		level = set_console_level(CONSOLE_ERRORS);
		while (!is_set(&bss->actors[nr].started) && send_nmis())
			usleep(1000);
		set_console_level(level);
		return;
	default:
		start_task(_metadata, p, nr, p->skel->progs.in_task, role->cpu);
		wait_until(is_set(&bss->actors[nr].holds));
	}
}

static void play(struct __test_metadata *const _metadata,
		 struct res_lock_actors_bpf *skel, const struct role *roles, bool irqsave)
{
	struct play p = { .skel = skel };
	struct actor *a;
	int i;

	skel->data->nmi_actor = NOBODY;
	memset(skel->bss->actors, 0, sizeof(skel->bss->actors));
	memset(skel->bss->timers_started, 0, sizeof(skel->bss->timers_started));
	for (i = 0; i < nr_roles(roles); i++) {
		a = &skel->bss->actors[i];
		a->first = roles[i].first - 1;
		a->second = roles[i].second - 1;
		a->cue = roles[i].cue - 1;
		a->meets = roles[i].meets - 1;
		a->sees_off = roles[i].sees_off - 1;
		a->irqsave = irqsave && !roles[i].interruptible;
	}
	/* Other actors on this CPU delay this thread only briefly */
	pin_to_cpu(0);
	for (i = 0; i < nr_roles(roles); i++)
		start_role(_metadata, &p, i, &roles[i]);
	for (i = 0; i < nr_roles(roles); i++) {
		wait_until(is_set(&skel->bss->actors[i].ended));
		if (roles[i].context != IN_NMI)
			ASSERT_EQ(0, pthread_join(p.threads[i], NULL));
		ASSERT_EQ(0, p.tasks[i].error);
	}
}

/* The program in whose stderr an actor's error is reported */
static const struct bpf_program *prog_of(struct res_lock_actors_bpf *skel, enum context c)
{
	if (c == IN_SOFTIRQ)
		return skel->progs.in_softirq;
	return c == IN_NMI ? skel->progs.in_nmi : skel->progs.in_task;
}

/* The locks that the actor's CPU held, as in the report */
static int held_by(const struct actor *actors, int nr, __u64 *held)
{
	const struct actor *a = &actors[nr];
	int n = 0;

	/* The interrupted context */
	if (a->cue != NOBODY && actors[a->cue].cpu == a->cpu && actors[a->cue].first != NO_LOCK)
		held[n++] = actors[a->cue].first_addr;
	if (a->first != NO_LOCK)
		held[n++] = a->first_addr;
	return n;
}

/* Test if this is the report of the actor's error. */
static bool report_is_of(const struct report *r, const struct actor *actors, int nr)
{
	const char *error = actors[nr].second_err == -EDEADLK ? DEADLOCK : TIMEOUT;
	char want[128];
	__u64 held[2];
	int n;

	snprintf(want, sizeof(want), "%s%s", error, actors[nr].irqsave ? "_irqsave" : "");
	n = held_by(actors, nr, held);
	return !strcmp(r->error, want) && r->cpu == actors[nr].cpu &&
	       r->attempted == actors[nr].second_addr && r->total_held == n &&
	       r->nr_held == n && !memcmp(r->held, held, n * sizeof(*held)) &&
	       !strcmp(bpf_frame(r, 0)->symbol, actors[nr].irqsave ? "act_irqsave" : "act_plain");
}

static bool is_reported(const struct text *t, const struct actor *actors, int nr)
{
	static struct report r;
	size_t len, pos;

	for (pos = 0; pos < t->len; pos += len) {
		len = report_parse(t->data + pos, t->len - pos, &r);
		if (!len)
			return false;
		if (report_is_of(&r, actors, nr))
			return true;
	}
	return false;
}

/* The stream of 'prog' has exactly the errors of its actors */
static void expect_reports(struct __test_metadata *const _metadata,
			   struct res_lock_actors_bpf *skel, const struct role *roles,
			   const struct bpf_program *prog)
{
	const struct actor *actors = skel->bss->actors;
	static struct report r;
	struct text t = {};
	int i, errors = 0;

	ASSERT_EQ(0, stream_drain(bpf_program__fd(prog), STDERR, 65536, &t));
	for (i = 0; i < nr_roles(roles); i++) {
		if (prog_of(skel, roles[i].context) != prog || !actors[i].second_err)
			continue;
		errors++;
		EXPECT_TRUE(is_reported(&t, actors, i))
			TH_LOG("actor %d on CPU %d, lock 0x%llx: %s\n%.*s", i, actors[i].cpu,
			       actors[i].second_addr, strerror(-actors[i].second_err),
			       (int)t.len, t.data ?: "");
	}
	EXPECT_EQ(errors, reports_count(&t, &r));
	text_free(&t);
}

static bool result_is(enum result result, int err)
{
	switch (result) {
	case NOTHING:
	case SUCCESS:
		return !err;
	case AA:
		return err == -EDEADLK;
	case TIMED_OUT:
		return err == -ETIMEDOUT;
	case SUCCESS_OR_TIMED_OUT:
		return !err || err == -ETIMEDOUT;
	case ABBA:
		return !err || err == -EDEADLK || err == -ETIMEDOUT;
	}
	return false;
}

/* Number of actors that detected the ABBA deadlock */
static int check_play(struct __test_metadata *const _metadata,
		      struct res_lock_actors_bpf *skel, const struct role *roles)
{
	const struct actor *a = skel->bss->actors;
	int i, abba = 0, failed = 0;

	for (i = 0; i < nr_roles(roles); i++, a++) {
		EXPECT_EQ(0, a->lost);
		EXPECT_EQ(0, a->first_err);
		EXPECT_EQ(roles[i].cpu, a->cpu);
		if (skel->bss->context_known)
			EXPECT_EQ(roles[i].context, a->context);
		EXPECT_TRUE(result_is(roles[i].result, a->second_err))
			TH_LOG("actor %d: %s", i, strerror(-a->second_err));
		if (roles[i].result != ABBA)
			continue;
		abba += a->second_err == -EDEADLK;
		failed += !!a->second_err;
	}
	for (i = 0; i < nr_roles(roles); i++)
		if (roles[i].result == ABBA)
			EXPECT_LT(0, failed);

	/* Programs of the same kind share a stream */
	expect_reports(_metadata, skel, roles, skel->progs.in_task);
	expect_reports(_metadata, skel, roles, skel->progs.in_softirq);
	if (has(roles, IN_NMI))
		expect_reports(_metadata, skel, roles, skel->progs.in_nmi);
	EXPECT_TRUE(others_are_empty(skel->obj));
	return abba;
}

static bool has_abba(const struct role *roles)
{
	return roles[0].result == ABBA || roles[1].result == ABBA;
}

/* On a busy host CPUs may stop for so long that the actors never meet */
static bool is_lost(const struct res_lock_actors_bpf *skel, const struct role *roles)
{
	int i;

	for (i = 0; i < nr_roles(roles); i++)
		if (skel->bss->actors[i].lost)
			return true;
	return false;
}

/*
 * An interrupt right before its CPU begins to wait may get -EDEADLK, see "Deadlocks" in
 * kernel/bpf/rqspinlock.c
 */
static bool is_early(const struct res_lock_actors_bpf *skel, const struct role *roles)
{
	int i;

	for (i = 0; i < nr_roles(roles); i++)
		if (roles[i].cue && roles[i].result == TIMED_OUT &&
		    skel->bss->actors[i].second_err == -EDEADLK)
			return true;
	return false;
}

/* Messages of all programs that were lost for lack of memory */
static unsigned long long dropped(const struct res_lock_actors_bpf *skel)
{
	unsigned long long sum = 0;
	struct bpf_program *prog;
	struct stream_stats st;

	bpf_object__for_each_program(prog, skel->obj)
		if (!stream_stats(bpf_program__fd(prog), STDERR, &st))
			sum += st.dropped_msgs;
	return sum;
}

static void drop_reports(const struct res_lock_actors_bpf *skel)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, skel->obj)
		stream_discard(bpf_program__fd(prog), STDERR);
}

static void play_through(struct __test_metadata *const _metadata,
			 struct res_lock_actors_bpf *skel, const struct role *roles,
			 bool irqsave)
{
	unsigned long long before;
	int i, abba = 0;

	for (i = 0; i < TRIES && !abba; i++) {
		before = dropped(skel);
		play(_metadata, skel, roles, irqsave);
		if ((is_lost(skel, roles) || is_early(skel, roles) ||
		     dropped(skel) != before) && i < TRIES - 1) {
			TH_LOG("play %d: one waited in vain or came early, or a report is lost", i);
			drop_reports(skel);
			continue;
		}
		abba = check_play(_metadata, skel, roles);
		if (!has_abba(roles))
			break;
	}
	if (has_abba(roles))
		EXPECT_LT(0, abba);

	/* In any case the locks can be taken afterwards */
	ASSERT_EQ(0, run(skel->progs.check));
	EXPECT_EQ(0, skel->bss->not_free);
	EXPECT_TRUE(others_are_empty(skel->obj));
}

TEST_F(locks, plain)
{
	char line[1024] = "";

	play_through(_metadata, self->skel, variant->roles, false);
	EXPECT_EQ(0, kmsg_bugs(self->kmsg, line, sizeof(line))) TH_LOG("%s", line);
}

TEST_F(locks, irqsave)
{
	char line[1024] = "";

	if (!has_pages_with_irqs_off())
		SKIP(return, "no page for a report is to be had there on UP and PREEMPT_RT");
	play_through(_metadata, self->skel, variant->roles, true);
	EXPECT_EQ(0, kmsg_bugs(self->kmsg, line, sizeof(line))) TH_LOG("%s", line);
}

int main(int argc, char **argv)
{
	struct utsname uts;

	streams_require();
	reports_require("bpf_prog_report_rqspinlock_violation");
	/* Their reports do not cover softirqs and list other locks */
	if (!uname(&uts) && !strncmp(uts.release, "6.17", 4)) {
		ksft_print_header();
		ksft_exit_skip("not promised by this kernel: true lists of locks held\n");
	}
	return test_harness_run(argc, argv);
}
