// SPDX-License-Identifier: GPL-2.0
/*
 * Tasks, timers and NMIs on all CPUs take several locks at random, also in the wrong
 * order: counters that the locks protect are exact, and each failure is accounted for.
 */
#include <linux/membarrier.h>
#include <sys/syscall.h>

#include "../kselftest_harness.h"
#include "report.h"
#include "anywhere.h"
#include "res_lock_stress.h"
#include "res_lock_stress.skel.h"

#define TASK_RUNS	200	/* of each CPU */
#define NMIS		50

struct guarded {
	unsigned int lock;
	unsigned int inside;
	unsigned long long count;
};

struct worker {
	pthread_t thread;
	struct res_lock_stress_bpf *skel;
	struct flag done;
	int cpu;
	int error;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	int i;

	pin_to_cpu(w->cpu);
	w->error = run(w->skel->progs.in_softirq);
	for (i = 0; i < TASK_RUNS && !w->error; i++)
		w->error = run(w->skel->progs.in_task);
	flag_set(&w->done);
	return NULL;
}

struct reader {
	pthread_t thread;
	struct bpf_program *prog;
	struct text text;
	struct flag stop;
	long error;
};

/* Keep the streams from filling up */
static void *read_thread(void *arg)
{
	struct reader *r = arg;
	bool last;

	do {
		last = flag_is_set(&r->stop);
		r->error = stream_drain(bpf_program__fd(r->prog), STDERR, 65536, &r->text);
		usleep(1000);
	} while (!last && !r->error);
	return NULL;
}

/* Count the reports, and check that all were accepted */
static int finish_reader(struct __test_metadata *const _metadata, struct reader *r,
			 bool *complete)
{
	static struct report last;
	struct stream_stats st;
	int reports;

	flag_set(&r->stop);
	ASSERT_EQ(0, pthread_join(r->thread, NULL));
	EXPECT_EQ(0, r->error);
	reports = reports_count(&r->text, &last);
	text_free(&r->text);
	ASSERT_EQ(0, stream_stats(bpf_program__fd(r->prog), STDERR, &st));
	*complete = !st.dropped_msgs;
	return reports;
}

static bool all_done(const struct worker *w, int n)
{
	while (n--)
		if (!flag_is_set(&w[n].done))
			return false;
	return true;
}

FIXTURE(stress)
{
	struct res_lock_stress_bpf *skel;
	struct worker workers[STRESS_CPUS];
	int cpus;
	int kmsg;
	bool nmis;
};

FIXTURE_SETUP(stress)
{
	struct res_lock_stress_bpf *skel;

	if (!is_smp())
		SKIP(return, "a program on UP cannot tell in what context it runs");
	skel = res_lock_stress_bpf__open();
	ASSERT_NE(NULL, skel);
	SKIP_UNLESS_OURS("room for 4 MiB, counters");
	self->skel = skel;
	self->nmis = nr_cpus() > 1;
	bpf_program__set_autoload(skel->progs.in_nmi, self->nmis);
	ASSERT_EQ(0, res_lock_stress_bpf__load(skel));
	if (self->nmis) {
		quiet_libbpf(true);
		skel->links.in_nmi = bpf_program__attach(skel->progs.in_nmi);
		quiet_libbpf(false);
		self->nmis = skel->links.in_nmi;
	}
	self->cpus = nr_cpus() < STRESS_CPUS ? nr_cpus() : STRESS_CPUS;
	self->kmsg = kmsg_open();
	ASSERT_LE(0, self->kmsg);
}

FIXTURE_TEARDOWN(stress)
{
	close(self->kmsg);
	res_lock_stress_bpf__destroy(self->skel);
}

static void run_workers(struct __test_metadata *const _metadata,
			struct res_lock_stress_bpf *skel, struct worker *workers,
			int n, bool nmis)
{
	int i, level, sent = 0;

	for (i = 0; i < n; i++) {
		workers[i].skel = skel;
		workers[i].cpu = i;
		ASSERT_EQ(0, pthread_create(&workers[i].thread, NULL, work, &workers[i]));
	}
	level = set_console_level(CONSOLE_ERRORS);
	while (nmis && (sent < NMIS || !all_done(workers, n)) && send_nmis()) {
		sent++;
		usleep(10 * 1000);
	}
	set_console_level(level);
	for (i = 0; i < n; i++) {
		ASSERT_EQ(0, pthread_join(workers[i].thread, NULL));
		EXPECT_EQ(0, workers[i].error);
	}
}

static void expect_counts(struct __test_metadata *const _metadata,
			  struct res_lock_stress_bpf *skel)
{
	struct guarded g;
	__u32 i;

	for (i = 0; i < STRESS_LOCKS; i++) {
		ASSERT_EQ(0, bpf_map_lookup_elem(bpf_map__fd(skel->maps.locks), &i, &g));
		EXPECT_LT(0, g.count);
		EXPECT_EQ(skel->bss->taken[i], g.count);
		EXPECT_EQ(0, g.inside);
	}
	EXPECT_EQ(0, skel->bss->intrusions);
}

TEST_F(stress, counters_are_exact_and_errors_are_accounted_for)
{
	struct res_lock_stress_bpf *skel = self->skel;
	struct bpf_program *progs[] = {
		skel->progs.in_task, skel->progs.in_softirq, skel->progs.in_nmi,
	};
	static const enum context contexts[] = { IN_TASK, IN_SOFTIRQ, IN_NMI };
	struct reader readers[ARRAY_SIZE(progs)] = {};
	const int n = ARRAY_SIZE(progs) - !self->nmis;
	const struct stress_errors *e;
	char line[1024] = "";
	bool complete;
	int i, reports;

	for (i = 0; i < n; i++) {
		readers[i].prog = progs[i];
		ASSERT_EQ(0, pthread_create(&readers[i].thread, NULL, read_thread,
					    &readers[i]));
	}
	run_workers(_metadata, skel, self->workers, self->cpus, self->nmis);
	__atomic_store_n(&skel->bss->stop, 1, __ATOMIC_RELEASE);
	/* Timers run in this iteration only */
	ASSERT_EQ(0, run(skel->progs.cancel));
	bpf_link__destroy(skel->links.in_nmi);
	skel->links.in_nmi = NULL;
	syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);

	expect_counts(_metadata, skel);
	for (i = 0; i < n; i++) {
		reports = finish_reader(_metadata, &readers[i], &complete);
		e = &skel->bss->errors[contexts[i]];
		TH_LOG("context %d: %llu runs, %llu deadlocks, %llu timeouts, %d reports",
		       contexts[i], (unsigned long long)skel->bss->runs[contexts[i]],
		       e->deadlocks, e->timeouts, reports);
		EXPECT_LT(0, skel->bss->runs[contexts[i]]);
		EXPECT_EQ(0, e->others);
		EXPECT_GE(e->deadlocks + e->timeouts, reports);
		EXPECT_EQ(e->deadlocks + e->timeouts == reports, complete);
	}
	EXPECT_LT(0, skel->bss->errors[IN_TASK].deadlocks);
	ASSERT_EQ(0, run(skel->progs.check));
	EXPECT_EQ(0, skel->bss->not_free);
	EXPECT_TRUE(others_are_empty(skel->obj));
	EXPECT_EQ(0, kmsg_bugs(self->kmsg, line, sizeof(line))) TH_LOG("%s", line);
}

REPORTS_TEST_MAIN("bpf_prog_report_rqspinlock_violation")
