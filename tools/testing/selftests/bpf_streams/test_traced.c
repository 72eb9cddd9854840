// SPDX-License-Identifier: GPL-2.0
/*
 * Functions with tracing programs attached: their loops are terminated in time, stack
 * traces are correct, and exceptions pass through them. And loops of few long iterations.
 */
#include "../kselftest_harness.h"
#include "report.h"
#include "traced.skel.h"

#define TIMEOUT		"ERROR: Timeout detected for may_goto instruction"

/* Maximum number of iterations before the first check of the clock */
#define UNCHECKED	256

/* Reached only by a test that fails */
#define GIVE_UP		60

FIXTURE(traced)
{
	struct traced_bpf *skel;
	struct report r;
};

FIXTURE_SETUP(traced)
{
	self->skel = traced_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel);
}

FIXTURE_TEARDOWN(traced)
{
	traced_bpf__destroy(self->skel);
}

/* Load another object, for the program that traces a function of 'target'. */
static struct traced_bpf *load_tracer(const char *name, int target)
{
	struct traced_bpf *tracer = traced_bpf__open();
	struct bpf_program *prog;
	const char *function;

	if (!tracer)
		return NULL;
	bpf_object__for_each_program(prog, tracer->obj)
		bpf_program__set_autoload(prog, !strcmp(bpf_program__name(prog), name));
	prog = bpf_object__find_program_by_name(tracer->obj, name);
	function = strchr(bpf_program__section_name(prog), '/') + 1;
	if (target >= 0 && bpf_program__set_attach_target(prog, target, function))
		goto err;
	if (traced_bpf__load(tracer))
		goto err;
	return tracer;

err:
	traced_bpf__destroy(tracer);
	return NULL;
}

static struct traced_bpf *trace(const char *name, const struct bpf_program *target)
{
	struct traced_bpf *tracer = load_tracer(name, target ? bpf_program__fd(target) : -1);

	if (!tracer)
		return NULL;
	if (traced_bpf__attach(tracer)) {
		traced_bpf__destroy(tracer);
		return NULL;
	}
	return tracer;
}

static int frames_of(const struct report *r, const char *symbol)
{
	int i, n = 0;

	for (i = 0; i < r->nr_frames; i++)
		n += !strcmp(r->frames[i].symbol, symbol);
	return n;
}

/* Ends loops on kernels that do not terminate them */
struct watch {
	pthread_t thread;
	struct traced_bpf *skel;
	struct flag done;
};

static void *watch_thread(void *arg)
{
	struct watch *w = arg;
	int i;

	pin_to_cpu(nr_cpus() - 1);
	for (i = 0; i < GIVE_UP * 10 && !flag_is_set(&w->done); i++)
		usleep(100000);
	w->skel->bss->stop = 1;
	return NULL;
}

static int run_watched(struct traced_bpf *skel, const struct bpf_program *prog)
{
	struct watch w = { .skel = skel };
	int err;

	if (pthread_create(&w.thread, NULL, watch_thread, &w))
		return -1;
	err = run(prog);
	flag_set(&w.done);
	pthread_join(w.thread, NULL);
	skel->bss->stop = 0;
	return err;
}

/* The only report has the callback once, and all of its callers */
static bool callback_timed_out(const struct bpf_program *prog, struct report *r)
{
	return report_read(bpf_program__fd(prog), r) && !strcmp(r->error, TIMEOUT) &&
	       frames_of(r, "endless_cb") == 1 && frames_of(r, "endless_each") == 1 &&
	       frame_of(r, "endless_cb") < frame_of(r, "endless_each") &&
	       frame_of(r, "endless_each") < frame_of(r, "do_syscall_64");
}

TEST_F(traced, loop_in_a_callback_is_ended)
{
	struct bpf_program *prog = self->skel->progs.endless_each;
	struct traced_bpf *tracer, *ticker;

	SKIP_UNLESS_OURS("loops end by time alone");
	ASSERT_EQ(0, run_watched(self->skel, prog));
	EXPECT_TRUE(callback_timed_out(prog, &self->r));

	tracer = trace("on_endless_cb", prog);
	ASSERT_NE(NULL, tracer);
	ASSERT_EQ(0, run_watched(self->skel, prog));
	EXPECT_EQ(1, tracer->bss->traced);
	EXPECT_TRUE(callback_timed_out(prog, &self->r));

	if (kernel_has_func("sched_tick")) {
		ticker = trace("on_tick", NULL);
		ASSERT_NE(NULL, ticker);
		pin_to_cpu(0);
		ticker->bss->filled = 0;
		ticker->data->busy_cpu = 0;
		ASSERT_EQ(0, run_watched(self->skel, prog));
		ticker->data->busy_cpu = -1;
		EXPECT_LT(0, ticker->bss->filled);
		EXPECT_EQ(2, tracer->bss->traced);
		EXPECT_TRUE(callback_timed_out(prog, &self->r));
		traced_bpf__destroy(ticker);
	}
	traced_bpf__destroy(tracer);
}

TEST_F(traced, dump_shows_a_traced_function_once)
{
	struct bpf_program *prog = self->skel->progs.dumping_each;
	struct traced_bpf *after, *before;
	struct report untraced;

	ASSERT_EQ(0, run(prog));
	ASSERT_TRUE(report_read(bpf_program__fd(prog), &untraced));
	ASSERT_EQ(1, frames_of(&untraced, "dumping_cb"));
	ASSERT_EQ(1, frames_of(&untraced, "dumping_each"));

	after = trace("on_dumping_cb", prog);
	ASSERT_NE(NULL, after);
	ASSERT_EQ(0, run(prog));
	EXPECT_EQ(1, after->bss->traced);
	ASSERT_TRUE(report_read(bpf_program__fd(prog), &self->r));
	EXPECT_EQ(1, frames_of(&self->r, "dumping_cb"));
	/* The trampoline and nothing else */
	EXPECT_EQ(untraced.nr_frames + 1, self->r.nr_frames);

	before = trace("before_dumping_cb", prog);
	ASSERT_NE(NULL, before);
	ASSERT_EQ(0, run(prog));
	EXPECT_EQ(1, before->bss->traced);
	ASSERT_TRUE(report_read(bpf_program__fd(before->progs.before_dumping_cb), &self->r));
	EXPECT_EQ(1, frames_of(&self->r, "before_dumping_cb"));
	EXPECT_EQ(1, frames_of(&self->r, "dumping_cb"));
	EXPECT_EQ(1, frames_of(&self->r, "dumping_each"));
	EXPECT_LT(frame_of(&self->r, "dumping_cb"), frame_of(&self->r, "bpf_for_each_array_elem"));
	EXPECT_LT(frame_of(&self->r, "dumping_each"), frame_of(&self->r, "do_syscall_64"));
	traced_bpf__destroy(before);
	traced_bpf__destroy(after);
}

/* Regardless of its duration: there are fewer iterations than checks of the clock */
TEST_F(traced, loop_of_long_turns_is_ended)
{
	struct bpf_program *prog = self->skel->progs.long_turns;

	SKIP_UNLESS_OURS("loops end by time alone");
	pin_to_cpu(0);
	ASSERT_EQ(0, run(self->skel->progs.refill));
	ASSERT_EQ(0, run_watched(self->skel, prog));
	TH_LOG("%llu turns", (unsigned long long)self->skel->bss->turns);
	EXPECT_GE(UNCHECKED, self->skel->bss->turns);
	/* This does not depend on ticks after an iteration has taken long */
	EXPECT_GE(UNCHECKED, self->skel->bss->left_after_turns);
	ASSERT_TRUE(report_read(bpf_program__fd(prog), &self->r));
	EXPECT_STREQ(TIMEOUT, self->r.error);
}

struct refiller {
	pthread_t thread;
	const struct bpf_program *prog;
	struct flag stop;
	int runs;
};

static void *refill_thread(void *arg)
{
	struct refiller *r = arg;

	pin_to_cpu(0);
	while (!flag_is_set(&r->stop) && !run(r->prog))
		r->runs++;
	return NULL;
}

TEST_F(traced, loop_of_long_turns_is_ended_beside_short_ones)
{
	struct refiller refiller = { .prog = self->skel->progs.refill };
	struct bpf_program *prog = self->skel->progs.long_turns;

	SKIP_UNLESS_OURS("loops end by time alone");
	pin_to_cpu(0);
	ASSERT_EQ(0, pthread_create(&refiller.thread, NULL, refill_thread, &refiller));
	ASSERT_EQ(0, run_watched(self->skel, prog));
	flag_set(&refiller.stop);
	pthread_join(refiller.thread, NULL);
	TH_LOG("%llu turns, %d refills", (unsigned long long)self->skel->bss->turns,
	       refiller.runs);
	EXPECT_GE(UNCHECKED, self->skel->bss->turns);
	ASSERT_TRUE(report_read(bpf_program__fd(prog), &self->r));
	EXPECT_STREQ(TIMEOUT, self->r.error);
}

/* Without ticks the clock is checked, too, see kernel/bpf/may_goto.c */
TEST_F(traced, run_begins_with_few_unchecked_turns)
{
	struct traced_bpf__bss *bss = self->skel->bss;
	int i, exits = 0;

	SKIP_UNLESS_OURS("loops end by time alone");
	pin_to_cpu(0);
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, run(self->skel->progs.refill));
		EXPECT_GE(UNCHECKED, bss->left_at_entry);
		exits += bss->left_at_exit > UNCHECKED;
	}
	/* Otherwise nothing was attached at entry */
	EXPECT_LT(0, exits);
}

static int nr_trampolines(void)
{
	FILE *f = fopen("/proc/kallsyms", "r");
	char line[512];
	int n = 0;

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		n += !!strstr(line, "bpf_trampoline_");
	fclose(f);
	return n;
}

TEST_F(traced, exception_passes_through)
{
	struct bpf_program *prog = self->skel->progs.thrower;
	int i, trampolines = nr_trampolines();
	struct traced_bpf *tracer, *outer;

	ASSERT_LE(0, trampolines);
	ASSERT_EQ(5, run(prog));

	tracer = trace("on_throwing", prog);
	ASSERT_NE(NULL, tracer);
	EXPECT_EQ(trampolines + 1, nr_trampolines());
	for (i = 0; i < 100; i++)
		ASSERT_EQ(5, run(prog));
	EXPECT_EQ(101, self->skel->bss->turns);
	/* It does not return, so programs at its exit do not run */
	EXPECT_EQ(0, tracer->bss->traced);

	outer = trace("on_thrower", prog);
	ASSERT_NE(NULL, outer);
	EXPECT_EQ(5, run(prog));
	EXPECT_EQ(1, outer->bss->traced);
	traced_bpf__destroy(outer);

	self->skel->data->x = 0;
	EXPECT_EQ(3, run(prog));
	EXPECT_EQ(2, tracer->bss->traced);

	/* Exceptions that leak a reference keep the trampoline */
	traced_bpf__destroy(tracer);
	wait_until(nr_trampolines() == trampolines);
}

TEST_F(traced, bpf_throw_leaves_nothing_of_its_trampoline)
{
	struct bpf_program *prog = self->skel->progs.thrower;
	int i, trampolines = nr_trampolines();
	struct traced_bpf *tracer, *walk;

	SKIP_UNLESS_OURS("exceptions give trampolines back");
	tracer = trace("on_bpf_throw", NULL);
	walk = trace("on_walk", NULL);
	ASSERT_NE(NULL, tracer);
	ASSERT_NE(NULL, walk);
	EXPECT_EQ(trampolines + 2, nr_trampolines());
	for (i = 0; i < 100; i++)
		ASSERT_EQ(5, run(prog));
	EXPECT_EQ(0, tracer->bss->traced);
	EXPECT_EQ(100, walk->bss->traced);

	traced_bpf__destroy(tracer);
	traced_bpf__destroy(walk);
	wait_until(nr_trampolines() == trampolines);
}

STREAMS_TEST_MAIN
