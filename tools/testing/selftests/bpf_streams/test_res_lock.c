// SPDX-License-Identifier: GPL-2.0
/*
 * Resilient spin locks of one program: all places for locks, many locks at once, access
 * by user space, printing with a lock held, and reports on programs that take a lock
 * twice.
 */
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <linux/perf_event.h>

#include "../kselftest_harness.h"
#include "report.h"
#include "res_lock.h"
#include "res_lock.skel.h"
#include "caps.skel.h"
#include "groups.skel.h"

#define FILE_NAME	"res_lock.bpf.c"
#define DEADLOCK	"ERROR: AA or ABBA deadlock detected for bpf_res_spin_lock"
#define TIMEOUT		"ERROR: Timeout detected for bpf_res_spin_lock"

#define TAKE_AGAIN	"e = bpf_res_spin_lock(&b->lock);"
#define TAKE_AGAIN_IRQ	"e = bpf_res_spin_lock_irqsave(&b->lock, &flags2);"

FIXTURE(res_lock)
{
	struct res_lock_bpf *skel;
	struct res_lock_bpf__bss *bss;
	struct report r;
	int array, hash;
};

FIXTURE_SETUP(res_lock)
{
	self->skel = res_lock_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel);
	self->bss = self->skel->bss;
	self->array = bpf_map__fd(self->skel->maps.array);
	self->hash = bpf_map__fd(self->skel->maps.hash);
}

FIXTURE_TEARDOWN(res_lock)
{
	res_lock_bpf__destroy(self->skel);
}

/* The stream has this report, with one held lock, which is attempted again */
static bool is_deadlock_with(const struct report *r, const char *error, __u64 lock)
{
	if (!strcmp(r->error, error) && r->attempted == lock && r->total_held == 1 &&
	    r->nr_held == 1 && r->held[0] == lock)
		return true;
	fprintf(stderr, "# the report is '%s', %d of %d locks listed, first 0x%llx\n",
		r->error, r->nr_held, r->total_held, (unsigned long long)r->held[0]);
	fprintf(stderr, "# rather than   '%s', with lock 0x%llx\n", error,
		(unsigned long long)lock);
	return false;
}

TEST_F(res_lock, in_array)
{
	self->bss->key = 3;
	self->bss->word = -1;
	ASSERT_EQ(0, run(self->skel->progs.in_array));
	EXPECT_EQ(2, self->bss->value);
	EXPECT_EQ(0, self->bss->word);
	ASSERT_EQ(0, run(self->skel->progs.in_array));
	EXPECT_EQ(4, self->bss->value);
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

TEST_F(res_lock, in_hash)
{
	struct locked l = {};

	self->bss->key = 3;
	self->bss->word = -1;
	ASSERT_EQ(0, bpf_map_update_elem(self->hash, &self->bss->key, &l, BPF_ANY));
	ASSERT_EQ(0, run(self->skel->progs.in_hash));
	EXPECT_EQ(2, self->bss->value);
	EXPECT_EQ(0, self->bss->word);
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

TEST_F(res_lock, in_global_variable)
{
	self->bss->word = -1;
	ASSERT_EQ(0, run(self->skel->progs.in_global));
	ASSERT_EQ(0, run(self->skel->progs.in_global));
	EXPECT_EQ(4, self->bss->value);
	EXPECT_EQ(0, self->bss->word);
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

TEST(in_allocated_object)
{
	struct res_lock_bpf *skel = res_lock_bpf__open();

	ASSERT_NE(NULL, skel);
	SKIP_UNLESS_OURS("locks in objects of bpf_obj_new()");
	bpf_program__set_autoload(skel->progs.in_object, true);
	ASSERT_EQ(0, res_lock_bpf__load(skel));
	skel->bss->word = -1;
	ASSERT_EQ(0, run(skel->progs.in_object));
	EXPECT_EQ(2, skel->bss->value);
	EXPECT_EQ(0, skel->bss->word);
	EXPECT_TRUE(others_are_empty(skel->obj));
	res_lock_bpf__destroy(skel);
}

TEST_F(res_lock, many_at_once)
{
	struct bpf_program *prog = self->skel->progs.deep;
	int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, run(prog));
		EXPECT_EQ(0, self->bss->deep_err[0]);
		EXPECT_EQ(DEEP, self->bss->deep_taken[0]);
		EXPECT_TRUE(stream_is(prog, STDOUT, "40 locks held\n"));
	}
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

/* Locks in the table are found */
TEST_F(res_lock, one_of_many_again)
{
	struct bpf_program *prog = self->skel->progs.deep;
	int again;

	SKIP_UNLESS_OURS("each lock that is held is found");
	for (again = 0; again < NR_LISTED; again += 10) {
		self->skel->data->again = again;
		ASSERT_EQ(0, run(prog));
		EXPECT_EQ(-EDEADLK, self->bss->again_err);
		ASSERT_TRUE(report_read(bpf_program__fd(prog), &self->r));
		EXPECT_STREQ(DEADLOCK, self->r.error);
		EXPECT_EQ(self->bss->again_address, self->r.attempted);
		EXPECT_EQ(DEEP, self->r.total_held);
		ASSERT_EQ(NR_LISTED, self->r.nr_held);
		EXPECT_EQ(self->bss->address, self->r.held[0]);
		EXPECT_EQ(self->bss->again_address, self->r.held[again]);
	}
}

/* Values of an array are adjacent */
TEST_F(res_lock, report_lists_them_in_order)
{
	struct bpf_program *prog = self->skel->progs.deep;
	int i;

	self->skel->data->again = 1;
	ASSERT_EQ(0, run(prog));
	ASSERT_TRUE(report_read(bpf_program__fd(prog), &self->r));
	ASSERT_EQ(NR_LISTED, self->r.nr_held);
	for (i = 0; i < NR_LISTED; i++)
		EXPECT_EQ(self->bss->address + i * sizeof(struct locked), self->r.held[i]);
}

/* Locks beyond the table are not found, and waiting for them times out */
TEST_F(res_lock, one_of_too_many_again)
{
	struct bpf_program *prog = self->skel->progs.deep;
	static const int not_listed[] = { NR_LISTED, DEEP - 1 };
	int i;

	SKIP_UNLESS_OURS("a lock too many is refused");
	for (i = 0; i < ARRAY_SIZE(not_listed); i++) {
		self->skel->data->again = not_listed[i];
		ASSERT_EQ(0, run(prog));
		EXPECT_EQ(-ETIMEDOUT, self->bss->again_err);
		ASSERT_TRUE(report_read(bpf_program__fd(prog), &self->r));
		EXPECT_STREQ(TIMEOUT, self->r.error);
		EXPECT_EQ(self->bss->again_address, self->r.attempted);
		EXPECT_EQ(DEEP, self->r.total_held);
		EXPECT_EQ(NR_LISTED, self->r.nr_held);
	}
}

/* More locks than one program may take: nested programs */
TEST(more_than_a_cpu_may_hold)
{
	struct res_lock_bpf *skel = res_lock_bpf__open();
	struct bpf_program *prog;
	struct report r;

	ASSERT_NE(NULL, skel);
	if (!kernel_has_func("copy_from_kernel_nofault_allowed"))
		SKIP(return, "no function to attach to");
	bpf_program__set_autoload(skel->progs.deeper1, true);
	bpf_program__set_autoload(skel->progs.deeper2, true);
	bpf_program__set_autoload(skel->progs.deeper3, true);
	ASSERT_EQ(0, res_lock_bpf__load(skel));
	prog = skel->progs.deep;
	SKIP_UNLESS_OURS("a lock too many is refused");
	ASSERT_EQ(0, res_lock_bpf__attach(skel));

	ASSERT_EQ(0, run(prog));
	EXPECT_EQ(DEEP, skel->bss->deep_taken[0]);
	EXPECT_EQ(DEEP, skel->bss->deep_taken[1]);
	EXPECT_EQ(DEEP, skel->bss->deep_taken[2]);
	EXPECT_EQ(MAX_HELD_AT_ALL - 3 * DEEP, skel->bss->deep_taken[3]);
	EXPECT_EQ(-EBUSY, skel->bss->deep_err[3]);
	/* Nothing has waited, so nothing is reported */
	EXPECT_EQ(0, reports_read(bpf_program__fd(skel->progs.deeper3), &r));
	EXPECT_TRUE(stream_is(skel->progs.deep, STDOUT, "40 locks held\n"));
	EXPECT_TRUE(stream_is(skel->progs.deeper1, STDOUT, "80 locks held\n"));
	EXPECT_TRUE(stream_is(skel->progs.deeper2, STDOUT, "120 locks held\n"));
	EXPECT_TRUE(others_are_empty(skel->obj));

	/* All of them have been released */
	ASSERT_EQ(0, run(prog));
	EXPECT_EQ(DEEP, skel->bss->deep_taken[2]);
	EXPECT_EQ(MAX_HELD_AT_ALL - 3 * DEEP, skel->bss->deep_taken[3]);
	res_lock_bpf__destroy(skel);
}

/* Load the tracer and the traced program, attach the former and run the latter */
static int trace(const char *tracer, __u64 *traced)
{
	struct res_lock_bpf *skel = res_lock_bpf__open();
	struct bpf_program *prog;
	struct bpf_link *link;
	int err;

	if (!skel)
		return -errno;
	bpf_object__for_each_program(prog, skel->obj)
		bpf_program__set_autoload(prog, !strcmp(bpf_program__name(prog), tracer));
	bpf_program__set_autoload(skel->progs.in_global, true);
	quiet_libbpf(true);
	err = res_lock_bpf__load(skel);
	if (!err) {
		prog = bpf_object__find_program_by_name(skel->obj, tracer);
		link = bpf_program__attach(prog);
		err = link ? run(skel->progs.in_global) : -errno;
		bpf_link__destroy(link);
		*traced = skel->bss->traced;
	}
	quiet_libbpf(false);
	res_lock_bpf__destroy(skel);
	return err;
}

TEST(slow_path_is_not_traced)
{
	static const char * const tracers[] = {
		"slow_fentry", "slow_fexit", "slow_kprobe", "slow_kretprobe"
	};
	__u64 traced = 0;
	size_t i;

	SKIP_UNLESS_OURS("which of its functions are traced");
	for (i = 0; i < ARRAY_SIZE(tracers); i++)
		EXPECT_GT(0, trace(tracers[i], &traced)) TH_LOG("%s", tracers[i]);
	EXPECT_EQ(0, traced);
}

/* The kfuncs can be traced, by a program that takes the lock before they do */
TEST(function_of_programs_is_traced)
{
	static const char * const tracers[] = { "fast_fentry", "fast_kprobe" };
	__u64 traced;
	size_t i;

	SKIP_UNLESS_OURS("which of its functions are traced");
	for (i = 0; i < ARRAY_SIZE(tracers); i++) {
		traced = 0;
		EXPECT_EQ(0, trace(tracers[i], &traced)) TH_LOG("%s", tracers[i]);
		EXPECT_EQ(1, traced) TH_LOG("%s", tracers[i]);
	}
}

TEST_F(res_lock, twice_is_a_deadlock)
{
	struct bpf_program *prog = self->skel->progs.aa;

	self->bss->key = 5;
	/* The program continues and takes the lock after that: three times in total */
	ASSERT_EQ(0, run(prog));
	EXPECT_EQ(-EDEADLK, self->bss->again_err);
	EXPECT_EQ(3, self->bss->value);
	EXPECT_EQ(0, self->bss->word);

	ASSERT_TRUE(report_read(bpf_program__fd(prog), &self->r));
	EXPECT_TRUE(is_deadlock_with(&self->r, DEADLOCK, self->bss->address));
	EXPECT_EQ(getpid(), self->r.pid);
	EXPECT_TRUE(bpf_frame_is(&self->r, 0, "aa", TAKE_AGAIN, FILE_NAME,
				 self->bss->aa_line));
	EXPECT_EQ(NULL, bpf_frame(&self->r, 1));
	EXPECT_LT(frame_of(&self->r, "aa"), frame_of(&self->r, "do_syscall_64"));
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

TEST_F(res_lock, twice_is_a_deadlock_with_interrupts_disabled)
{
	struct bpf_program *prog = self->skel->progs.aa_irqsave;

	self->bss->key = 6;
	ASSERT_EQ(0, run(prog));
	EXPECT_EQ(-EDEADLK, self->bss->again_err);
	EXPECT_EQ(3, self->bss->value);
	EXPECT_EQ(0, self->bss->word);

	if (!has_pages_with_irqs_off())
		SKIP(return, "no page for a report is to be had there on UP and PREEMPT_RT");
	ASSERT_TRUE(report_read(bpf_program__fd(prog), &self->r));
	EXPECT_TRUE(is_deadlock_with(&self->r, DEADLOCK "_irqsave", self->bss->address));
	EXPECT_TRUE(bpf_frame_is(&self->r, 0, "aa_irqsave", TAKE_AGAIN_IRQ, FILE_NAME,
				 self->bss->aa_irqsave_line));
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

/* The report names the variant that failed, not the one that succeeded */
TEST_F(res_lock, twice_is_a_deadlock_by_both_functions)
{
	struct bpf_program *prog = self->skel->progs.aa_mixed;

	ASSERT_EQ(0, run(prog));
	EXPECT_EQ(-EDEADLK, self->bss->again_err);
	if (!has_pages_with_irqs_off())
		SKIP(return, "no page for a report is to be had there on UP and PREEMPT_RT");
	ASSERT_TRUE(report_read(bpf_program__fd(prog), &self->r));
	EXPECT_STREQ(DEADLOCK, self->r.error);
	EXPECT_TRUE(bpf_frame_is(&self->r, 0, "aa_mixed", TAKE_AGAIN, FILE_NAME,
				 self->bss->aa_mixed_line));
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

/* The exact text, of which the tests above only check the contents */
TEST_F(res_lock, report_is_exactly_that)
{
	struct bpf_program *prog = self->skel->progs.aa;
	unsigned long long lock;
	struct text t = {};
	char want[300];

	self->bss->key = 7;
	ASSERT_EQ(0, run(prog));
	ASSERT_EQ(0, stream_drain(bpf_program__fd(prog), STDERR, 4096, &t));
	lock = self->bss->address;
	snprintf(want, sizeof(want),
		 "ERROR: AA or ABBA deadlock detected for bpf_res_spin_lock\n"
		 "Attempted lock   = 0x%016llx\n"
		 "Total held locks = 1\n"
		 "Held lock[ 0] = 0x%016llx\n"
		 "CPU: ", lock, lock);
	ASSERT_LT(strlen(want), t.len);
	t.data[strlen(want)] = '\0';
	EXPECT_STREQ(want, t.data);
	text_free(&t);
}

/* In a child. Return: 1 if the addresses of locks are shown, -1 without a report. */
static int shows_addresses(__u64 caps)
{
	struct caps_bpf *skel;
	struct report r;

	skel = caps_bpf__open();
	if (!skel || keep_only_caps(caps))
		return -1;
	bpf_program__set_autoload(skel->progs.deadlocks, true);
	if (caps_bpf__load(skel) || run(skel->progs.deadlocks) != -EDEADLK ||
	    !report_read(bpf_program__fd(skel->progs.deadlocks), &r) ||
	    strcmp(r.error, DEADLOCK) || r.nr_held != 1 || r.held[0] != r.attempted)
		return -1;
	/* Otherwise the kernel prints a hash of 32 bits */
	return !!(r.attempted >> 32);
}

static int child_shows_addresses(__u64 caps)
{
	int status;
	pid_t pid;

	pid = fork();
	if (!pid)
		_exit(shows_addresses(caps));
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

TEST_F(res_lock, report_shows_addresses_with_cap_perfmon_alone)
{
	SKIP_UNLESS_OURS("addresses are hidden from those without CAP_PERFMON");
	EXPECT_EQ(1, child_shows_addresses(1ULL << CAP_BPF | 1ULL << CAP_PERFMON));
	EXPECT_EQ(0, child_shows_addresses(1ULL << CAP_BPF));
}

TEST_F(res_lock, twice_in_subprogram)
{
	struct bpf_program *prog = self->skel->progs.aa_sub;

	ASSERT_EQ(0, run(prog));
	EXPECT_EQ(-EDEADLK, self->bss->again_err);
	ASSERT_TRUE(report_read(bpf_program__fd(prog), &self->r));
	EXPECT_STREQ(DEADLOCK, self->r.error);
	EXPECT_TRUE(bpf_frame_is(&self->r, 0, "take_sub", "e = bpf_res_spin_lock(&l->lock);",
				 FILE_NAME, self->bss->sub_line));
	EXPECT_TRUE(bpf_frame_is(&self->r, 1, "aa_sub", "e = take_sub(b);", FILE_NAME,
				 self->bss->sub_call_line));
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

TEST_F(res_lock, twice_in_bpf_loop_callback)
{
	struct bpf_program *prog = self->skel->progs.aa_loop;

	ASSERT_EQ(0, run(prog));
	EXPECT_EQ(-EDEADLK, self->bss->again_err);
	ASSERT_TRUE(report_read(bpf_program__fd(prog), &self->r));
	EXPECT_STREQ(DEADLOCK, self->r.error);
	EXPECT_TRUE(bpf_frame_is(&self->r, 0, "loop_cb", TAKE_AGAIN, FILE_NAME,
				 self->bss->loop_cb_line));
	EXPECT_STREQ("aa_loop", bpf_frame(&self->r, 1)->symbol);
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

TEST_F(res_lock, twice_in_for_each_map_elem_callback)
{
	struct bpf_program *prog = self->skel->progs.aa_each_elem;
	struct locked l = {};
	int key = 1;

	ASSERT_EQ(0, bpf_map_update_elem(self->hash, &key, &l, BPF_ANY));
	ASSERT_EQ(0, run(prog));
	EXPECT_EQ(-EDEADLK, self->bss->again_err);
	ASSERT_TRUE(report_read(bpf_program__fd(prog), &self->r));
	EXPECT_STREQ(DEADLOCK, self->r.error);
	EXPECT_TRUE(bpf_frame_is(&self->r, 0, "elem_cb", TAKE_AGAIN, FILE_NAME,
				 self->bss->elem_cb_line));
	EXPECT_STREQ("aa_each_elem", bpf_frame(&self->r, 1)->symbol);
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

TEST_F(res_lock, twice_in_timer_callback)
{
	struct bpf_program *prog = self->skel->progs.aa_timer;

	ASSERT_EQ(0, run(prog));
	wait_until(__atomic_load_n(&self->bss->timer_done, __ATOMIC_ACQUIRE));
	EXPECT_EQ(-EDEADLK, self->bss->again_err);
	ASSERT_TRUE(report_read(bpf_program__fd(prog), &self->r));
	EXPECT_STREQ(DEADLOCK, self->r.error);
	EXPECT_TRUE(bpf_frame_is(&self->r, 0, "timer_cb", TAKE_AGAIN, FILE_NAME,
				 self->bss->timer_cb_line));
	EXPECT_EQ(NULL, bpf_frame(&self->r, 1));
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

/* Its first line alone would fit */
TEST_F(res_lock, report_that_does_not_fit_is_dropped_and_counted)
{
	struct bpf_program *prog = self->skel->progs.fill;
	int fd = bpf_program__fd(prog);
	const long line = 64, left = 128;
	struct stream_stats st, full;

	SKIP_UNLESS_OURS("counters");
	ASSERT_EQ(0, stream_stats(fd, STDERR, &full));
	while (full.unread_bytes < CAPACITY - left) {
		self->bss->filler = (CAPACITY - left - full.unread_bytes) / line;
		ASSERT_EQ(0, run(prog));
		ASSERT_EQ(0, stream_stats(fd, STDERR, &full));
	}
	ASSERT_EQ(CAPACITY - left, full.unread_bytes);

	self->bss->filler = 0;
	ASSERT_EQ(0, run(prog));
	EXPECT_EQ(-EDEADLK, self->bss->again_err);
	ASSERT_EQ(0, stream_stats(fd, STDERR, &st));
	EXPECT_EQ(full.unread_bytes, st.unread_bytes);
	EXPECT_EQ(full.written_msgs, st.written_msgs);
	EXPECT_LT(full.dropped_msgs, st.dropped_msgs);
	EXPECT_EQ(CAPACITY - left, stream_discard(fd, STDERR));

	ASSERT_EQ(0, run(prog));
	EXPECT_TRUE(report_read(fd, &self->r));
}

struct runner {
	pthread_t thread;
	const struct bpf_program *prog;
	int cpu;
	int error;
};

static void *run_thread(void *arg)
{
	struct runner *r = arg;

	pin_to_cpu(r->cpu);
	r->error = run(r->prog);
	return NULL;
}

static int start(struct runner *r, const struct bpf_program *prog, int cpu)
{
	r->prog = prog;
	r->cpu = cpu;
	return pthread_create(&r->thread, NULL, run_thread, r);
}

static int finish(struct runner *r)
{
	return pthread_join(r->thread, NULL) ?: r->error;
}

TEST_F(res_lock, reports_of_several_cpus_do_not_interleave)
{
	struct bpf_program *prog = self->skel->progs.aa_loop;
	struct runner runners[2] = {};
	int i, reports;

	SKIP_UNLESS_ROOM(MIB);
	self->skel->data->loops = 200;
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, start(&runners[i], prog, i));
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, finish(&runners[i]));
	reports = reports_read(bpf_program__fd(prog), &self->r);
	EXPECT_TRUE(reports_are_accounted(bpf_program__fd(prog), reports, 400));
	EXPECT_LT(200, reports);
}

static bool has_preempt_count(void)
{
	struct utsname uts;

	return !uname(&uts) && strstr(uts.version, "PREEMPT");
}

TEST_F(res_lock, preemption_is_disabled_with_a_lock_held)
{
	struct res_lock_bpf__bss *bss = self->bss;

	/* Print the reason if it can't */
	if (run(self->skel->progs.counts) == 3)
		SKIP(return, "can't tell on this kernel");
	EXPECT_EQ(-EDEADLK, bss->again_err);
	EXPECT_EQ(bss->count_held, bss->count_failed);
	EXPECT_EQ(bss->count_before, bss->count_after);
	if (!has_preempt_count())
		SKIP(return, "a kernel without preemption");
	EXPECT_EQ(bss->count_before + 1, bss->count_held);
	EXPECT_EQ(bss->count_before + 2, bss->count_held_twice);
}

/* A perf event that needs no hardware: a timer of this CPU, 20 kHz */
static int start_clock(int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = 50 * 1000,
	};

	return syscall(__NR_perf_event_open, &attr, -1, cpu, -1, 0);
}

FIXTURE(interrupts)
{
	struct res_lock_bpf *skel;
	int clock;
};

FIXTURE_SETUP(interrupts)
{
	self->skel = res_lock_bpf__open();
	ASSERT_NE(NULL, self->skel);
	bpf_program__set_autoload(self->skel->progs.on_tick, true);
	ASSERT_EQ(0, res_lock_bpf__load(self->skel));
	ASSERT_EQ(0, res_lock_bpf__attach(self->skel));
	pin_to_cpu(0);
	self->skel->data->watched_cpu = 0;
	self->clock = start_clock(0);
	ASSERT_LE(0, self->clock);
}

FIXTURE_TEARDOWN(interrupts)
{
	close(self->clock);
	res_lock_bpf__destroy(self->skel);
}

TEST_F(interrupts, are_off_with_a_lock_held_by_irqsave)
{
	struct res_lock_bpf__bss *bss = self->skel->bss;
	int i;

	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, run(self->skel->progs.interrupts_off));
		EXPECT_TRUE(bss->on_before);
		EXPECT_EQ(0, bss->ticks_off);
		EXPECT_EQ(0, bss->ticks_inner);
		EXPECT_EQ(0, bss->ticks_between);
		EXPECT_EQ(-EDEADLK, bss->again_err);
		EXPECT_EQ(0, bss->ticks_failed);
		EXPECT_EQ(0, bss->ticks_mixed);
		EXPECT_TRUE(bss->on_after);
	}
}

TEST_F(interrupts, are_on_with_a_lock_held_otherwise)
{
	struct res_lock_bpf__bss *bss = self->skel->bss;
	int i;

	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, run(self->skel->progs.interrupts_on));
		EXPECT_TRUE(bss->on_held);
		EXPECT_EQ(-EDEADLK, bss->again_err);
		EXPECT_TRUE(bss->on_failed);
		EXPECT_EQ(0, bss->ticks_off);
		EXPECT_TRUE(bss->on_again);
	}
}

/* User space sets the part that it cannot access to this */
#define GARBAGE		0xa5a5a5a5

TEST_F(res_lock, word_is_not_for_user_space)
{
	const struct locked garbage = {
		.before = GARBAGE, .lock = GARBAGE, .after = GARBAGE, .value = 10,
	};
	struct locked l;
	int key = 2;

	self->bss->key = key;
	ASSERT_EQ(0, bpf_map_update_elem(self->array, &key, &garbage, BPF_ANY));
	ASSERT_EQ(0, bpf_map_update_elem(self->hash, &key, &garbage, BPF_ANY));
	ASSERT_EQ(0, run(self->skel->progs.in_array));
	EXPECT_EQ(12, self->bss->value);
	EXPECT_EQ(0, self->bss->word);
	ASSERT_EQ(0, run(self->skel->progs.in_hash));
	EXPECT_EQ(12, self->bss->value);
	EXPECT_EQ(0, self->bss->word);

	memset(&l, 0xff, sizeof(l));
	ASSERT_EQ(0, bpf_map_lookup_elem(self->array, &key, &l));
	EXPECT_EQ(0, l.lock);
	EXPECT_EQ(GARBAGE, l.before);
	EXPECT_EQ(GARBAGE, l.after);
	EXPECT_EQ(12, l.value);
	memset(&l, 0xff, sizeof(l));
	ASSERT_EQ(0, bpf_map_lookup_and_delete_elem(self->hash, &key, &l));
	EXPECT_EQ(0, l.lock);
	EXPECT_EQ(12, l.value);

	/* Reused memory */
	ASSERT_EQ(0, bpf_map_update_elem(self->hash, &key, &garbage, BPF_NOEXIST));
	ASSERT_EQ(0, run(self->skel->progs.in_hash));
	EXPECT_EQ(0, self->bss->word);
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

/* BPF_F_LOCK is for bpf_spin_lock only */
TEST_F(res_lock, is_not_taken_by_map_commands)
{
	struct locked l = {};
	int key = 2;

	EXPECT_EQ(-EINVAL, bpf_map_update_elem(self->array, &key, &l, BPF_F_LOCK));
	EXPECT_EQ(-EINVAL, bpf_map_lookup_elem_flags(self->array, &key, &l, BPF_F_LOCK));
	EXPECT_EQ(-EINVAL, bpf_map_update_elem(self->hash, &key, &l, BPF_F_LOCK));
}

FIXTURE(holder)
{
	struct res_lock_bpf *skel;
	struct res_lock_bpf__bss *bss;
	struct runner runner;
};

FIXTURE_VARIANT(holder)
{
	bool hash;
};

FIXTURE_VARIANT_ADD(holder, in_array) { .hash = false };
FIXTURE_VARIANT_ADD(holder, in_hash) { .hash = true };

FIXTURE_SETUP(holder)
{
	struct locked l = {};

	if (nr_cpus() < 2)
		SKIP(return, "needs two CPUs: one has the lock all the time");
	self->skel = res_lock_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel);
	self->bss = self->skel->bss;
	self->bss->use_hash = variant->hash;
	self->bss->key = 3;
	if (variant->hash)
		ASSERT_EQ(0, bpf_map_update_elem(bpf_map__fd(self->skel->maps.hash),
						 &self->bss->key, &l, BPF_ANY));
	pin_to_cpu(0);
	ASSERT_EQ(0, start(&self->runner, self->skel->progs.hold, 1));
	wait_until(__atomic_load_n(&self->bss->held, __ATOMIC_ACQUIRE));
}

FIXTURE_TEARDOWN(holder)
{
	res_lock_bpf__destroy(self->skel);
}

TEST_F(holder, is_neither_seen_nor_disturbed_by_user_space)
{
	const struct locked garbage = {
		.before = GARBAGE, .lock = GARBAGE, .after = GARBAGE, .value = 10,
	};
	struct bpf_map *map = variant->hash ? self->skel->maps.hash : self->skel->maps.array;
	struct bpf_program *prog = variant->hash ? self->skel->progs.in_hash :
						   self->skel->progs.in_array;
	int fd = bpf_map__fd(map);
	struct locked l;

	memset(&l, 0xff, sizeof(l));
	EXPECT_EQ(0, bpf_map_lookup_elem(fd, &self->bss->key, &l));
	EXPECT_EQ(0, l.lock);
	EXPECT_EQ(0, bpf_map_update_elem(fd, &self->bss->key, &garbage, BPF_ANY));

	/* An array has the same element; a hash map has a new one */
	EXPECT_EQ(variant->hash ? 0 : 1, run(prog));
	EXPECT_EQ(variant->hash ? 0 : -ETIMEDOUT, self->bss->err);
	__atomic_store_n(&self->bss->release, 1, __ATOMIC_RELEASE);
	EXPECT_EQ(0, finish(&self->runner));
	EXPECT_EQ(0, self->bss->word);

	EXPECT_EQ(0, bpf_map_lookup_elem(fd, &self->bss->key, &l));
	EXPECT_EQ(0, l.lock);
	EXPECT_EQ(GARBAGE, l.after);
	EXPECT_EQ(variant->hash ? 12 : 11, l.value);
	EXPECT_EQ(0, run(prog));
	EXPECT_EQ(variant->hash ? 0 : 1, reports_read(bpf_program__fd(prog), NULL));
}

TEST_F(res_lock, printing_with_a_lock_held)
{
	struct bpf_program *prog = self->skel->progs.print;

	self->bss->key = 4;
	ASSERT_EQ(0, run(prog));
	EXPECT_EQ(0, self->bss->print_err);
	EXPECT_EQ(0, self->bss->stack_err);
	EXPECT_TRUE(stream_is(prog, STDOUT, "lock 4 of 160\n"));
	ASSERT_TRUE(report_read(bpf_program__fd(prog), &self->r));
	EXPECT_STREQ("", self->r.error);
	EXPECT_TRUE(bpf_frame_is(&self->r, 0, "print", "s = bpf_stream_print_stack(STDERR);",
				 FILE_NAME, self->bss->print_stack_line));
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

/* With bpf_spin_lock this would hang the machine */
TEST(program_that_printing_runs_into_takes_the_same_lock)
{
	struct bpf_program *printer, *tracer;
	struct res_lock_bpf__bss *bss;
	struct res_lock_bpf *skel;
	struct report r;
	int reports;

	SKIP_UNLESS_OURS("locks in tracing programs");
	skel = res_lock_bpf__open();
	ASSERT_NE(NULL, skel);
	bpf_program__set_autoload(skel->progs.on_alloc, true);
	ASSERT_EQ(0, res_lock_bpf__load(skel));
	ASSERT_EQ(0, res_lock_bpf__attach(skel));
	printer = skel->progs.print_pages;
	tracer = skel->progs.on_alloc;
	bss = skel->bss;
	memset(bss->pad, 'x', sizeof(bss->pad) - 1);
	bss->pid = getpid();
	bss->key = 1;
	skel->data->loops = 200;

	ASSERT_EQ(0, run(printer));
	TH_LOG("%llu of 200 printed, %llu deadlocks", (unsigned long long)bss->printed,
	       (unsigned long long)bss->deadlocks);
	EXPECT_EQ(200, bss->printed + bss->refused);
	EXPECT_EQ(512 * bss->printed, stream_discard(bpf_program__fd(printer), STDOUT));
	EXPECT_LT(0, bss->printed);
	EXPECT_LT(1, bss->deadlocks);
	EXPECT_EQ(bss->attempts, bss->deadlocks);
	EXPECT_EQ(0, bss->other_errors);

	/* The reports are in separate streams */
	EXPECT_EQ(0, reports_read(bpf_program__fd(printer), &r));
	reports = reports_read(bpf_program__fd(tracer), &r);
	EXPECT_STREQ(DEADLOCK, r.error);
	EXPECT_TRUE(bpf_frame_is(&r, 0, "on_alloc", "e = bpf_res_spin_lock(&l->lock);",
				 FILE_NAME, bss->on_alloc_line));
	EXPECT_STREQ("print_page", bpf_frame(&r, 1)->symbol);
	EXPECT_TRUE(reports_are_accounted(bpf_program__fd(tracer), reports, bss->deadlocks));
	res_lock_bpf__destroy(skel);
}

/* Return: number of contiguous groups of five lines; -1 if one is interleaved. */
static int count_groups(const struct text *t, int *of_cpu)
{
	unsigned int cpu, group, n, last_cpu = 0, last_group = 0;
	const char *pos = t->data, *end = t->data + t->len;
	int line = 0, len;

	for (; pos < end; pos += len, line++) {
		len = 0;
		if (sscanf(pos, "CPU %u group %u line %u\n%n", &cpu, &group, &n, &len) != 3 ||
		    !len || cpu > 1)
			return -1;
		if (n != line % 5 + 1)
			return -1;
		if (n > 1 && (cpu != last_cpu || group != last_group))
			return -1;
		of_cpu[cpu]++;
		last_cpu = cpu;
		last_group = group;
	}
	return line % 5 ? -1 : line / 5;
}

FIXTURE(groups)
{
	struct res_lock_bpf *skel;
	struct groups_bpf *groups;
	int of_cpu[2];
	struct text t;
};

FIXTURE_SETUP(groups)
{
	self->skel = res_lock_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel);
	self->groups = groups_bpf__open_and_load();
	ASSERT_NE(NULL, self->groups);
}

FIXTURE_TEARDOWN(groups)
{
	text_free(&self->t);
	groups_bpf__destroy(self->groups);
	res_lock_bpf__destroy(self->skel);
}

/* Return: number of lines that were lost for lack of memory. */
static int run_on_both_cpus(struct __test_metadata *const _metadata,
			    const struct bpf_program *prog, struct text *t)
{
	struct stream_stats before, after;
	struct runner runners[2] = {};
	int i;

	text_free(t);
	ASSERT_EQ(0, stream_stats(bpf_program__fd(prog), STDOUT, &before));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, start(&runners[i], prog, i));
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, finish(&runners[i]));
	ASSERT_EQ(0, stream_drain(bpf_program__fd(prog), STDOUT, 65536, t));
	text_add(t, "", 1);
	t->len--;
	ASSERT_EQ(0, stream_stats(bpf_program__fd(prog), STDOUT, &after));

	return after.dropped_msgs - before.dropped_msgs;
}

TEST_F(groups, of_lines_are_not_broken_under_a_lock)
{
	const struct bpf_program *prog = self->groups->progs.print_groups;
	const unsigned int count = 1000;
	int reports, dropped;

	if (nr_cpus() < 2)
		SKIP(return, "needs two CPUs");
	SKIP_UNLESS_OURS("counters");
	self->groups->bss->groups = count;
	do {
		self->groups->bss->lost = 0;
		dropped = run_on_both_cpus(_metadata, prog, &self->t);
		/* A time-out costs a CPU its group */
		reports = reports_read(bpf_program__fd(prog), NULL);
		EXPECT_LE(0, reports);
		EXPECT_GE(self->groups->bss->lost, reports);
	} while (dropped);
	EXPECT_EQ(2 * count - self->groups->bss->lost, count_groups(&self->t, self->of_cpu));
	TH_LOG("%d and %d lines, %u groups lost", self->of_cpu[0], self->of_cpu[1],
	       self->groups->bss->lost);
	EXPECT_LT(0, self->of_cpu[0]);
	EXPECT_LT(0, self->of_cpu[1]);
	EXPECT_TRUE(others_are_empty(self->groups->obj));
}

/* Without the lock their groups are interleaved */
TEST_F(groups, of_lines_are_broken_without_a_lock)
{
	struct res_lock_bpf__bss *bss = self->skel->bss;

	if (nr_cpus() < 2)
		SKIP(return, "needs two CPUs");
	SKIP_UNLESS_OURS("counters");
	do {
		bss->half_way = 0;
		bss->lines_printed = 0;
	} while (run_on_both_cpus(_metadata, self->skel->progs.print_without_lock, &self->t));
	EXPECT_EQ(-1, count_groups(&self->t, self->of_cpu));
	EXPECT_EQ(2 * 5, bss->lines_printed);
}

/* With the lock a delay within a group does no harm */
TEST_F(groups, of_lines_are_not_broken_by_one_that_waits)
{
	struct res_lock_bpf__bss *bss = self->skel->bss;

	if (nr_cpus() < 2)
		SKIP(return, "needs two CPUs");
	SKIP_UNLESS_OURS("counters");
	do {
		bss->came = 0;
		bss->groups_lost = 0;
	} while (run_on_both_cpus(_metadata, self->skel->progs.print_with_lock, &self->t));
	EXPECT_EQ(2 - bss->groups_lost, count_groups(&self->t, self->of_cpu));
	EXPECT_EQ(2, bss->came);
}

/* As in demo_groups */
TEST_F(groups, sample_transfers_or_reports)
{
	struct bpf_program *prog = self->groups->progs.transfer;
	struct report r;

	self->groups->bss->from = 1;
	self->groups->bss->to = 2;
	ASSERT_EQ(0, run(prog));
	EXPECT_TRUE(stream_is(prog, STDOUT, "1 has -1, 2 has 1\n"));
	EXPECT_TRUE(others_are_empty(self->groups->obj));
	self->groups->bss->to = 1;
	ASSERT_EQ(-EDEADLK, run(prog));
	ASSERT_TRUE(report_read(bpf_program__fd(prog), &r));
	EXPECT_STREQ(DEADLOCK, r.error);
	EXPECT_EQ(r.attempted, r.held[0]);
	self->groups->bss->to = 2;
	ASSERT_EQ(0, run(prog));
	EXPECT_TRUE(stream_is(prog, STDOUT, "1 has -2, 2 has 2\n"));
}

int main(int argc, char **argv)
{
	struct groups_bpf *skel;

	streams_require();
	reports_require("bpf_prog_report_rqspinlock_violation");

	quiet_libbpf(true);
	skel = groups_bpf__open_and_load();
	quiet_libbpf(false);
	if (!skel && !ours()) {
		ksft_print_header();
		ksft_exit_skip("not promised by this kernel: printing with a lock held\n");
	}
	groups_bpf__destroy(skel);
	return test_harness_run(argc, argv);
}
