// SPDX-License-Identifier: GPL-2.0
/*
 * Printing in NMI, hard and soft interrupts, with locks of the scheduler and the page
 * allocator held, and without memory: nothing locks up, accepted messages are read, and
 * refused messages are counted.
 */
#include <linux/membarrier.h>
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "../kselftest_harness.h"
#include "report.h"
#include "tally.h"
#include "anywhere.skel.h"
#include "no_pages.skel.h"

struct context_test {
	struct anywhere_bpf *skel;
	struct no_pages_bpf *no_pages;
	struct bpf_program *prog;	/* the attached one */
	struct bpf_link *link;
	int fd;				/* of the writer, mostly the same one */
	struct tally tally;
	pthread_t writer, reader, pressure;
	struct flag stop_writer, stop_reader, stop_pressure;
	int kmsg;
	long memory;			/* free memory before */
	long streams;			/* memory of the streams before, in bytes */
};

FIXTURE(context)
{
	struct context_test t;
};

FIXTURE_VARIANT(context)
{
	const char *tracepoint;		/* or NULL: a function of the NMI backtrace */
	enum context context;		/* the one that this test is about */
	unsigned long long attempts;	/* number of NMIs wanted in it */
	bool memory_pressure;
	int failing;			/* percentage of page allocations */
	bool nmi;
	bool clock;
	bool only_ours;
};

FIXTURE_VARIANT_ADD(context, nmi) {
	.tracepoint = "nmi_handler", .context = IN_NMI, .attempts = 200,
	.nmi = true,
};

FIXTURE_VARIANT_ADD(context, nmi_backtrace_function) {
	.context = IN_NMI, .attempts = 100, .nmi = true,
};

FIXTURE_VARIANT_ADD(context, nmi_under_memory_pressure) {
	.tracepoint = "nmi_handler", .context = IN_NMI, .attempts = 200,
	.nmi = true, .memory_pressure = true,
};

/* Many NMIs anywhere in the writer, from a timer of its CPU */
FIXTURE_VARIANT_ADD(context, hard_interrupt) {
	.tracepoint = "hrtimer_expire_entry", .context = IN_HARDIRQ,
	.attempts = 20000, .clock = true,
};

FIXTURE_VARIANT_ADD(context, soft_interrupt) {
	.tracepoint = "softirq_entry", .context = IN_SOFTIRQ, .attempts = 500,
};

FIXTURE_VARIANT_ADD(context, zone_lock_held) {
	.tracepoint = "mm_page_alloc_zone_locked", .context = IN_TASK,
	.attempts = 20000, .memory_pressure = true,
};

/* In the functions with which the stream allocates and frees its pages */
FIXTURE_VARIANT_ADD(context, page_allocation) {
	.tracepoint = "mm_page_alloc", .context = IN_TASK, .attempts = 20000,
	.only_ours = true,
};

FIXTURE_VARIANT_ADD(context, page_free) {
	.tracepoint = "mm_page_free", .context = IN_TASK, .attempts = 20000,
	.memory_pressure = true,
};

/* Waking up a task here would wait for a lock that this CPU holds */
FIXTURE_VARIANT_ADD(context, runqueue_lock_held) {
	.tracepoint = "sched_switch", .context = IN_TASK, .attempts = 5000,
};

/* Page allocations fail sometimes or always */
FIXTURE_VARIANT_ADD(context, nmi_half_the_pages_fail) {
	.tracepoint = "nmi_handler", .context = IN_NMI, .attempts = 200,
	.nmi = true, .failing = 50, .only_ours = true,
};

FIXTURE_VARIANT_ADD(context, nmi_all_pages_fail) {
	.tracepoint = "nmi_handler", .context = IN_NMI, .attempts = 200,
	.nmi = true, .failing = 100, .only_ours = true,
};

FIXTURE_VARIANT_ADD(context, hard_interrupt_half_the_pages_fail) {
	.tracepoint = "hrtimer_expire_entry", .context = IN_HARDIRQ,
	.attempts = 20000, .clock = true, .failing = 50, .only_ours = true,
};

FIXTURE_VARIANT_ADD(context, hard_interrupt_all_pages_fail) {
	.tracepoint = "hrtimer_expire_entry", .context = IN_HARDIRQ,
	.attempts = 20000, .clock = true, .failing = 100, .only_ours = true,
};

FIXTURE_VARIANT_ADD(context, soft_interrupt_half_the_pages_fail) {
	.tracepoint = "softirq_entry", .context = IN_SOFTIRQ, .attempts = 500,
	.failing = 50, .only_ours = true,
};

FIXTURE_VARIANT_ADD(context, soft_interrupt_all_pages_fail) {
	.tracepoint = "softirq_entry", .context = IN_SOFTIRQ, .attempts = 500,
	.failing = 100, .only_ours = true,
};

FIXTURE_VARIANT_ADD(context, page_allocation_half_the_pages_fail) {
	.tracepoint = "mm_page_alloc", .context = IN_TASK, .attempts = 20000,
	.failing = 50, .only_ours = true,
};

FIXTURE_VARIANT_ADD(context, runqueue_lock_held_all_pages_fail) {
	.tracepoint = "sched_switch", .context = IN_TASK, .attempts = 5000,
	.failing = 100, .only_ours = true,
};

/* Not all of these can be traced in every kernel */
static const char * const backtrace_funcs[] = {
	"nmi_cpu_backtrace", "nmi_cpu_backtrace_handler", "show_regs",
};

static struct anywhere_bpf *load(const char *func)
{
	struct anywhere_bpf *skel = anywhere_bpf__open();

	if (!skel)
		return NULL;
	if (func) {
		bpf_program__set_autoload(skel->progs.backtrace, true);
		if (bpf_program__set_attach_target(skel->progs.backtrace, 0, func))
			goto fail;
	}
	if (anywhere_bpf__load(skel))
		goto fail;
	memset(skel->bss->pad, 'x', sizeof(skel->bss->pad) - 1);
	return skel;
fail:
	anywhere_bpf__destroy(skel);
	return NULL;
}

static bool attach_tracepoint(struct context_test *t, const char *tracepoint)
{
	t->skel = load(NULL);
	if (!t->skel)
		return false;
	t->prog = t->skel->progs.anywhere;
	t->link = bpf_program__attach_raw_tracepoint(t->prog, tracepoint);
	return t->link;
}

static bool attach_backtrace(struct context_test *t)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(backtrace_funcs); i++) {
		t->skel = load(backtrace_funcs[i]);
		if (!t->skel)
			continue;
		t->prog = t->skel->progs.backtrace;
		t->link = bpf_program__attach(t->prog);
		if (t->link)
			return true;
		anywhere_bpf__destroy(t->skel);
		t->skel = NULL;
	}
	return false;
}

/* On our kernel this is known to work */
#define SKIP_UNLESS_PAGES_CAN_FAIL(no_pages)					\
	do {									\
		if (!(no_pages)) {						\
			ASSERT_EQ(NULL, getenv("BPF_STREAMS_REQUIRED"));	\
			SKIP(return, "kernel without CONFIG_FUNCTION_ERROR_INJECTION"); \
		}								\
	} while (0)

static struct no_pages_bpf *load_no_pages(void)
{
	struct no_pages_bpf *skel;

	quiet_libbpf(true);
	skel = no_pages_bpf__open_and_load();
	quiet_libbpf(false);
	if (!skel || !no_pages_bpf__attach(skel))
		return skel;
	no_pages_bpf__destroy(skel);
	return NULL;
}

FIXTURE_SETUP(context)
{
	struct context_test *t = &self->t;
	bool attached;

	if (variant->nmi && nr_cpus() < 2)
		SKIP(return, "needs two CPUs: NMIs are sent to the others");
	if (variant->nmi && !kernel_has_tracepoint("nmi_handler"))
		SKIP(return, "no NMIs here");
	if (variant->only_ours)
		SKIP_UNLESS_OURS("printing takes pages without end");

	if (variant->failing) {
		t->no_pages = load_no_pages();
		SKIP_UNLESS_PAGES_CAN_FAIL(t->no_pages);
	}

	t->memory = settled_memory();
	t->streams = streams_allocated();
	t->kmsg = kmsg_open();
	ASSERT_LE(0, t->kmsg);

	quiet_libbpf(!variant->tracepoint);
	attached = variant->tracepoint ? attach_tracepoint(t, variant->tracepoint) :
					 attach_backtrace(t);
	if (!attached && !variant->tracepoint && !ours())
		SKIP(return, "no function of NMI backtraces can be traced");
	ASSERT_TRUE(attached);
	t->fd = bpf_program__fd(t->skel->progs.anywhere);
}

FIXTURE_TEARDOWN(context)
{
	anywhere_bpf__destroy(self->t.skel);
	no_pages_bpf__destroy(self->t.no_pages);
	close(self->t.kmsg);
	if (!ours())
		return;
	EXPECT_TRUE(memory_is_back(self->t.memory, 5 * MIB));
	EXPECT_TRUE(streams_are_freed(self->t.streams));
}

static void *read_thread(void *arg)
{
	struct context_test *t = arg;
	char buf[3001];
	bool last;
	long ret;

	pin_to_cpu(0);
	do {
		last = flag_is_set(&t->stop_reader);
		while ((ret = stream_read(t->fd, STDOUT, buf, sizeof(buf))) > 0)
			tally_text(&t->tally, buf, ret);
		if (ret)
			t->tally.bad = true;
	} while (!last);
	return NULL;
}

/* On the CPU that gets the NMIs */
static void *write_thread(void *arg)
{
	struct context_test *t = arg;
	__u64 ctx = ANYWHERE_WRITER;

	pin_to_cpu(1 % nr_cpus());
	t->skel->bss->writer_loops = 50;
	while (!flag_is_set(&t->stop_writer) && !run_prog(t->fd, &ctx, sizeof(ctx)))
		;
	return NULL;
}

/* Allocate and free more pages than the CPU's lists have, and no huge ones. */
static void *pressure_thread(void *arg)
{
	struct context_test *t = arg;
	void *p;

	while (!flag_is_set(&t->stop_pressure)) {
		p = mmap(NULL, 16 * MIB, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			continue;
		madvise(p, 16 * MIB, MADV_NOHUGEPAGE);
		madvise(p, 16 * MIB, MADV_POPULATE_WRITE);
		munmap(p, 16 * MIB);
	}
	return NULL;
}

/* A perf event that needs no hardware: a timer of the writer's CPU, 20 kHz */
static int start_clock(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = 50 * 1000,
	};

	return syscall(__NR_perf_event_open, &attr, -1, 1 % nr_cpus(), -1, 0);
}

/* Count the stack traces of both programs. Return: -1 if one is incomplete. */
static int count_stacks(struct context_test *t)
{
	int other, n = reports_read(t->fd, NULL);

	if (n < 0 || t->prog == t->skel->progs.anywhere)
		return n;
	other = reports_read(bpf_program__fd(t->prog), NULL);
	return other < 0 ? other : n + other;
}

/* The sums of the counters of both programs */
static int sum_stats(struct context_test *t, struct stream_stats *sum)
{
	struct stream_stats st;
	int err;

	err = stream_stats(t->fd, STDOUT, sum);
	if (err || t->prog == t->skel->progs.anywhere)
		return err;
	err = stream_stats(bpf_program__fd(t->prog), STDOUT, &st);
	sum->written_msgs += st.written_msgs;
	sum->written_bytes += st.written_bytes;
	sum->unread_bytes += st.unread_bytes;
	sum->dropped_msgs += st.dropped_msgs;
	return err;
}

TEST_F(context, prints_or_counts_and_never_locks_up)
{
	unsigned long long attempts = 0, accepted = 0, refused = 0, before;
	struct anywhere_bpf__bss *bss = self->t.skel->bss;
	struct tally *tally = &self->t.tally;
	struct context_test *t = &self->t;
	struct text rest = {};
	char line[1024] = "";
	struct stream_stats st;
	int i, level, stacks, bugs = 0, clock = -1;

	ASSERT_EQ(0, pthread_create(&t->reader, NULL, read_thread, t));
	ASSERT_EQ(0, pthread_create(&t->writer, NULL, write_thread, t));
	if (variant->memory_pressure)
		ASSERT_EQ(0, pthread_create(&t->pressure, NULL, pressure_thread, t));

	if (variant->clock) {
		clock = start_clock();
		ASSERT_LE(0, clock);
	}

	if (variant->failing) {
		/* Some unread text is available */
		wait_until(bss->accepted[IN_WRITER]);
		t->no_pages->bss->percent = variant->failing;
	}

	level = set_console_level(CONSOLE_ERRORS);
	while (bss->attempts[variant->context] < variant->attempts) {
		if (variant->nmi && !send_nmis())
			break;
		usleep(1000);
		/* Before the backtraces of NMIs overwrite it */
		bugs += kmsg_bugs(t->kmsg, line, sizeof(line));
		/* If programs can't tell their context there is nothing to wait for */
		if (bss->number > 100000 && !bss->context_known)
			break;
	}
	set_console_level(level);
	if (variant->clock)
		close(clock);

	if (variant->failing) {
		t->no_pages->bss->percent = 0;
		EXPECT_LT(0, t->no_pages->bss->failed);
		/* Afterwards the writer can print as before */
		before = bss->accepted[IN_WRITER];
		wait_until(bss->accepted[IN_WRITER] > before);
	}

	flag_set(&t->stop_pressure);
	if (variant->memory_pressure)
		pthread_join(t->pressure, NULL);
	flag_set(&t->stop_writer);
	pthread_join(t->writer, NULL);
	bpf_link__destroy(t->link);
	/* Until the other CPUs have left the program */
	syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	flag_set(&t->stop_reader);
	pthread_join(t->reader, NULL);

	/* Two programs have printed if one of them is not the writer */
	ASSERT_EQ(0, stream_drain(bpf_program__fd(t->prog), STDOUT, 4096, &rest));
	tally_text(tally, rest.data, rest.len);
	text_free(&rest);

	if (bss->context_known) {
		ASSERT_LE(variant->attempts, bss->attempts[variant->context]);
		if (variant->failing)
			EXPECT_LT(0, bss->refused[variant->context]);
		if (variant->failing < 100 && has_pages(variant->context))
			EXPECT_LT(0, bss->accepted[variant->context]);
	}
	EXPECT_EQ(0, bss->unexpected)
		TH_LOG("error %d", bss->unexpected_error);
	bugs += kmsg_bugs(t->kmsg, line, sizeof(line));
	EXPECT_EQ(0, bugs) TH_LOG("%s", line);

	EXPECT_FALSE(tally->bad) TH_LOG("bad line '%s'", tally->line);
	for (i = 0; i < NR_CONTEXTS; i++) {
		TH_LOG("context %d: %llu accepted, %llu refused", i,
		       (unsigned long long)bss->accepted[i],
		       (unsigned long long)bss->refused[i]);
		EXPECT_EQ(bss->accepted[i], tally->lines[i]);
		EXPECT_EQ(bss->attempts[i], bss->accepted[i] + bss->refused[i]);
		attempts += bss->attempts[i];
		accepted += bss->accepted[i];
		refused += bss->refused[i];
	}

	TH_LOG("stacks: %llu accepted, %llu refused",
	       (unsigned long long)bss->stacks_accepted,
	       (unsigned long long)bss->stacks_refused);
	if (kernel_has_func("bpf_stream_print_stack"))
		EXPECT_LT(0, bss->stacks_accepted);
	/* Other kernels lose stack traces without counting them */
	stacks = count_stacks(t);
	EXPECT_LE(0, stacks);
	EXPECT_GE(bss->stacks_accepted, stacks);
	if (ours()) {
		EXPECT_EQ(bss->stacks_accepted, stacks);
		ASSERT_EQ(0, sum_stats(t, &st));
		EXPECT_EQ(accepted, st.written_msgs);
		EXPECT_EQ(tally->bytes, st.written_bytes);
		EXPECT_EQ(refused, st.dropped_msgs);
		EXPECT_EQ(0, st.unread_bytes);
		EXPECT_EQ(attempts, bss->number);
	}
	if (!bss->context_known && __test_passed(_metadata))
		SKIP(return, "all that was printed is there, but nobody can tell from where");
}

TEST(without_memory_is_enomem_and_counted_and_recovers)
{
	struct say_args args = { .stream = STDOUT, .kind = SAY_512, .count = 1000 };
	char line[1024] = "";
	struct no_pages_bpf *no_pages;
	struct stream_stats st;
	struct say_bpf *skel;
	int fd, kmsg;

	skel = say_load(&fd);
	ASSERT_NE(NULL, skel);
	SKIP_UNLESS_OURS("counters");
	no_pages = load_no_pages();
	SKIP_UNLESS_PAGES_CAN_FAIL(no_pages);
	kmsg = kmsg_open();

	no_pages->bss->percent = 100;
	ASSERT_EQ(0, say(fd, &args));
	no_pages_bpf__destroy(no_pages);

	/* Only messages that fit the CPU's current page are accepted */
	EXPECT_LT(0, args.refused);
	EXPECT_EQ(-ENOMEM, args.error);
	EXPECT_EQ(0, args.other_errors);
	EXPECT_EQ(1000, args.accepted + args.refused);
	ASSERT_EQ(0, stream_stats(fd, STDOUT, &st));
	EXPECT_EQ(args.accepted, st.written_msgs);
	EXPECT_EQ(args.accepted * 512, st.unread_bytes);
	EXPECT_EQ(args.refused, st.dropped_msgs);
	EXPECT_EQ(args.refused * 512, st.dropped_bytes);

	/* Failed messages leave no charge */
	EXPECT_EQ(0, say_all(fd, STDOUT, SAY_512, CAPACITY / 512 - args.accepted, NULL));
	EXPECT_EQ(-ENOSPC, say_all(fd, STDOUT, SAY_CHAR, 1, NULL));
	EXPECT_EQ(CAPACITY, stream_discard(fd, STDOUT));
	EXPECT_EQ(0, kmsg_bugs(kmsg, line, sizeof(line))) TH_LOG("%s", line);
	close(kmsg);
	say_bpf__destroy(skel);
}

STREAMS_TEST_MAIN
