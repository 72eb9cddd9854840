// SPDX-License-Identifier: GPL-2.0
/*
 * Loops that take too long are terminated, which is reported once for each run of the
 * program. The tests do not depend on the speed of the machine: if a loop was terminated,
 * it must have been reported.
 */
#include "../kselftest_harness.h"
#include "report.h"
#include "raw.h"
#include "may_goto.skel.h"

#define FILE_NAME	"may_goto.bpf.c"
#define TIMEOUT		"ERROR: Timeout detected for may_goto instruction"

/* Maximum number of may_gotos between two checks of the clock */
#define UNCHECKED	65536

FIXTURE(may_goto)
{
	struct may_goto_bpf *skel;
	struct may_goto_bpf__bss *bss;
	struct report r;
};

FIXTURE_SETUP(may_goto)
{
	self->skel = may_goto_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel);
	self->bss = self->skel->bss;
}

FIXTURE_TEARDOWN(may_goto)
{
	may_goto_bpf__destroy(self->skel);
}

/* The one report of the program is a timeout */
static bool timed_out(const struct bpf_program *prog, struct report *r)
{
	if (!report_read(bpf_program__fd(prog), r))
		return false;
	if (!strcmp(r->error, TIMEOUT))
		return true;
	fprintf(stderr, "# the report is '%s'\n", r->error);
	return false;
}

TEST_F(may_goto, endless_loop_is_ended_and_reported)
{
	struct bpf_program *prog = self->skel->progs.endless;

	ASSERT_EQ(0, run(prog));
	EXPECT_LT(0, self->bss->count);
	ASSERT_TRUE(timed_out(prog, &self->r));
	EXPECT_EQ(getpid(), self->r.pid);
	EXPECT_TRUE(bpf_frame_is(&self->r, 0, "endless", "while (can_loop)",
				 FILE_NAME, self->bss->endless_line));
	EXPECT_EQ(NULL, bpf_frame(&self->r, 1));
	EXPECT_LT(frame_of(&self->r, "endless"), frame_of(&self->r, "do_syscall_64"));
	EXPECT_TRUE(stream_is(prog, STDOUT, "goes on\n"));
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

TEST_F(may_goto, each_run_is_reported)
{
	struct bpf_program *prog = self->skel->progs.endless;
	int i;

	for (i = 0; i < 3; i++) {
		self->bss->count = 0;
		ASSERT_EQ(0, run(prog));
		EXPECT_LT(0, self->bss->count);
	}
	EXPECT_EQ(3, reports_read(bpf_program__fd(prog), &self->r));
	EXPECT_STREQ(TIMEOUT, self->r.error);
}

TEST_F(may_goto, program_that_does_not_sleep)
{
	struct bpf_program *prog = self->skel->progs.endless_tc;

	ASSERT_EQ(7, run(prog));
	ASSERT_TRUE(timed_out(prog, &self->r));
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

TEST_F(may_goto, next_loop_of_the_run_is_ended_too)
{
	struct bpf_program *prog = self->skel->progs.one_after_another;

	SKIP_UNLESS_OURS("a time-out ends all loops of the run");
	ASSERT_EQ(0, run(prog));
	EXPECT_GE(UNCHECKED, self->bss->second);
	ASSERT_TRUE(timed_out(prog, &self->r));
}

TEST_F(may_goto, in_subprogram)
{
	struct bpf_program *prog = self->skel->progs.endless_sub;

	ASSERT_EQ(0, run(prog));
	EXPECT_LT(0, self->bss->count);
	EXPECT_EQ(1, self->bss->second);
	ASSERT_TRUE(timed_out(prog, &self->r));
	EXPECT_TRUE(bpf_frame_is(&self->r, 0, "sub", "while (can_loop)",
				 FILE_NAME, self->bss->sub_line));
	EXPECT_TRUE(bpf_frame_is(&self->r, 1, "endless_sub", "sub();",
				 FILE_NAME, self->bss->sub_call_line));
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

/* None of the loops is long: the limit is that of the whole run */
TEST_F(may_goto, short_loops_within_an_endless_one)
{
	struct bpf_program *prog = self->skel->progs.nested;

	SKIP_UNLESS_OURS("a time-out ends all loops of the run");
	ASSERT_EQ(0, run(prog));
	EXPECT_LT(1, self->bss->inner_calls);
	ASSERT_TRUE(timed_out(prog, &self->r));
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

TEST_F(may_goto, short_loops_nested_deeply)
{
	struct bpf_program *prog = self->skel->progs.nested_deeply;

	SKIP_UNLESS_OURS("a time-out ends all loops of the run");
	ASSERT_EQ(0, run(prog));
	ASSERT_TRUE(timed_out(prog, &self->r));
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

TEST_F(may_goto, in_bpf_loop_callbacks)
{
	struct bpf_program *prog = self->skel->progs.loop;

	SKIP_UNLESS_OURS("a time-out ends all loops of the run");
	ASSERT_EQ(0, run(prog));
	EXPECT_EQ(100, self->bss->callbacks);
	ASSERT_TRUE(timed_out(prog, &self->r));
	EXPECT_TRUE(bpf_frame_is(&self->r, 0, "loop_cb", "while (can_loop)",
				 FILE_NAME, self->bss->loop_cb_line));
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

TEST_F(may_goto, in_for_each_map_elem_callbacks)
{
	struct bpf_program *prog = self->skel->progs.each_elem;

	SKIP_UNLESS_OURS("a time-out ends all loops of the run");
	ASSERT_EQ(0, run(prog));
	EXPECT_EQ(3, self->bss->callbacks);
	ASSERT_TRUE(timed_out(prog, &self->r));
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

TEST_F(may_goto, in_timer_callback)
{
	struct bpf_program *prog = self->skel->progs.timer;

	SKIP_UNLESS_OURS("time-outs in timer callbacks");
	ASSERT_EQ(0, run(prog));
	wait_until(__atomic_load_n(&self->bss->timer_done, __ATOMIC_ACQUIRE));
	EXPECT_LT(0, self->bss->count);
	ASSERT_TRUE(timed_out(prog, &self->r));
	EXPECT_STREQ("timer_cb", bpf_frame(&self->r, 0)->symbol);
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

TEST_F(may_goto, in_tail_called_program)
{
	int key = 0, callee = bpf_program__fd(self->skel->progs.tail_callee);

	ASSERT_EQ(0, bpf_map_update_elem(bpf_map__fd(self->skel->maps.tails),
					 &key, &callee, BPF_ANY));
	ASSERT_EQ(0, run(self->skel->progs.tail_caller));
	ASSERT_TRUE(timed_out(self->skel->progs.tail_callee, &self->r));
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

/*
 * Either completed and not reported, or terminated and reported because the machine was
 * that slow. The former must happen at least once.
 */
static void expect_whole(struct __test_metadata *const _metadata,
			 struct may_goto_bpf *skel, __u64 limit, int tries)
{
	int i, reports, whole = 0;

	skel->bss->limit = limit;
	for (i = 0; i < tries && !whole; i++) {
		ASSERT_EQ(0, run(skel->progs.limited));
		reports = reports_read(bpf_program__fd(skel->progs.limited), NULL);
		if (skel->bss->count == limit)
			whole++;
		ASSERT_EQ(skel->bss->count == limit ? 0 : 1, reports)
			TH_LOG("%llu iterations of %llu",
			       (unsigned long long)skel->bss->count,
			       (unsigned long long)limit);
	}
	EXPECT_EQ(1, whole);
}

TEST_F(may_goto, loop_that_ends_by_itself_is_not_reported)
{
	static const __u64 limits[] = {
		0, 1, 1000, UNCHECKED - 1, UNCHECKED, UNCHECKED + 1,
		2 * UNCHECKED, 200000,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(limits); i++)
		expect_whole(_metadata, self->skel, limits[i], 20);
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

/* The limit used to be 8388608, and was not reported */
TEST_F(may_goto, iterations_are_not_counted)
{
	struct bpf_program *prog = self->skel->progs.limited;
	int reports;

	SKIP_UNLESS_OURS("loops end by time alone");
	self->bss->limit = 8388608 + UNCHECKED;
	ASSERT_EQ(0, run(prog));
	reports = reports_read(bpf_program__fd(prog), NULL);
	TH_LOG("%llu iterations", (unsigned long long)self->bss->count);
	EXPECT_EQ(self->bss->count == self->bss->limit ? 0 : 1, reports);
}

struct runner {
	pthread_t thread;
	const struct bpf_program *prog;
	int cpu;
	int error;
	struct flag done;
};

static void *run_thread(void *arg)
{
	struct runner *r = arg;

	pin_to_cpu(r->cpu);
	r->error = run(r->prog);
	flag_set(&r->done);
	return NULL;
}

/* One on each CPU, then two that take turns on one */
TEST_F(may_goto, several_at_once_are_reported_each)
{
	struct bpf_program *prog = self->skel->progs.endless;
	struct runner runners[4] = {};
	int i;

	for (i = 0; i < 4; i++) {
		runners[i].prog = prog;
		runners[i].cpu = i % nr_cpus();
		ASSERT_EQ(0, pthread_create(&runners[i].thread, NULL, run_thread,
					    &runners[i]));
	}
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, pthread_join(runners[i].thread, NULL));
		EXPECT_EQ(0, runners[i].error);
	}
	EXPECT_EQ(4, reports_read(bpf_program__fd(prog), &self->r));
}

/* Preempts the endless loop repeatedly; each time is a run of its own */
TEST_F(may_goto, other_program_on_the_cpu_is_not_cut_short)
{
	struct runner r = { .prog = self->skel->progs.endless };
	int runs = 0;

	pin_to_cpu(r.cpu);
	ASSERT_EQ(0, pthread_create(&r.thread, NULL, run_thread, &r));
	self->bss->limit = 1000;
	while (!flag_is_set(&r.done)) {
		ASSERT_EQ(0, run(self->skel->progs.limited));
		runs++;
	}
	pthread_join(r.thread, NULL);
	TH_LOG("%d short runs", runs);
	EXPECT_EQ(0, r.error);
	EXPECT_EQ(0, reports_read(bpf_program__fd(self->skel->progs.limited), NULL));
	EXPECT_EQ(1, reports_read(bpf_program__fd(self->skel->progs.endless), NULL));
}

static struct may_goto_bpf *load_interrupting(void)
{
	struct may_goto_bpf *skel = may_goto_bpf__open();

	if (!skel)
		return NULL;
	bpf_program__set_autoload(skel->progs.interrupting, true);
	if (may_goto_bpf__load(skel))
		goto err;
	skel->links.interrupting = bpf_program__attach(skel->progs.interrupting);
	if (!skel->links.interrupting)
		goto err;
	skel->bss->pid = getpid();
	return skel;

err:
	may_goto_bpf__destroy(skel);
	return NULL;
}

TEST(may_goto_of_a_program_within_another_is_its_own)
{
	struct may_goto_bpf *skel;
	struct report r;

	if (!kernel_has_func("copy_from_kernel_nofault_allowed"))
		SKIP(return, "no function to attach to");
	skel = load_interrupting();
	ASSERT_NE(NULL, skel);

	ASSERT_EQ(0, run(skel->progs.interrupted));
	skel->bss->pid = 0;
	EXPECT_TRUE(timed_out(skel->progs.interrupted, &r));
	EXPECT_STREQ("interrupted", bpf_frame(&r, 0)->symbol);
	EXPECT_LT(1, skel->bss->interruptions);
	EXPECT_EQ(skel->bss->interruptions, skel->bss->whole);
	EXPECT_LT(0, stream_discard(bpf_program__fd(skel->progs.interrupted), STDOUT));
	EXPECT_TRUE(others_are_empty(skel->obj));
	may_goto_bpf__destroy(skel);
}

/* Always uses up the batch that the CPU was granted */
TEST(may_goto_is_not_starved_by_a_program_within)
{
	struct may_goto_bpf *skel;
	struct report r;

	if (!kernel_has_func("copy_from_kernel_nofault_allowed"))
		SKIP(return, "no function to attach to");
	SKIP_UNLESS_OURS("loops of a program within put off no time-out");
	skel = load_interrupting();
	ASSERT_NE(NULL, skel);

	skel->data->between = 0;
	skel->data->short_loops = 100000;
	ASSERT_EQ(0, run(skel->progs.interrupted));
	skel->bss->pid = 0;
	EXPECT_TRUE(timed_out(skel->progs.interrupted, &r));
	EXPECT_STREQ("interrupted", bpf_frame(&r, 0)->symbol);
	EXPECT_LT(0, skel->bss->interruptions);
	may_goto_bpf__destroy(skel);
}

/* Input and output of the program below */
struct regs {
	__u64 regs[10];
};

#define REG_CTX(i)	((short)offsetof(struct regs, regs[i]))
#define REG_SLOT(i)	((short)(-16 - 8 * (i)))

struct code {
	struct bpf_insn insns[100];
	int len;
};

static void emit(struct code *c, struct bpf_insn insn)
{
	c->insns[c->len++] = insn;
}

/*
 * All ten registers are live in the loop: each of R0 to R8 is incremented by a different
 * value, R9 is decremented to zero.
 */
static int load_registers(void)
{
	struct code c = {};
	int i, start;

	emit(&c, BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_1, -8));
	emit(&c, BPF_MOV64_REG(BPF_REG_9, BPF_REG_1));
	for (i = 0; i < 10; i++)
		emit(&c, BPF_LDX_MEM(BPF_DW, i, BPF_REG_9, REG_CTX(i)));

	start = c.len;
	emit(&c, RAW_MAY_GOTO(11));
	for (i = 0; i < 9; i++)
		emit(&c, BPF_ALU64_IMM(BPF_ADD, i, i + 1));
	emit(&c, BPF_ALU64_IMM(BPF_ADD, BPF_REG_9, -1));
	emit(&c, BPF_JMP_IMM(BPF_JNE, BPF_REG_9, 0, start - c.len - 1));

	for (i = 0; i < 10; i++)
		emit(&c, BPF_STX_MEM(BPF_DW, BPF_REG_10, i, REG_SLOT(i)));
	emit(&c, BPF_LDX_MEM(BPF_DW, BPF_REG_1, BPF_REG_10, -8));
	for (i = 0; i < 10; i++) {
		emit(&c, BPF_LDX_MEM(BPF_DW, BPF_REG_2, BPF_REG_10, REG_SLOT(i)));
		emit(&c, BPF_STX_MEM(BPF_DW, BPF_REG_1, BPF_REG_2, REG_CTX(i)));
	}
	emit(&c, BPF_MOV64_IMM(BPF_REG_0, 0));
	emit(&c, BPF_EXIT_INSN());
	return raw_load("registers", c.insns, c.len, NULL);
}

FIXTURE(registers)
{
	int fd;
};

FIXTURE_VARIANT(registers)
{
	__u64 loops;
};

/* More than one check of the clock */
FIXTURE_VARIANT_ADD(registers, of_limited_loop) { .loops = 3 * UNCHECKED + 1234 };
FIXTURE_VARIANT_ADD(registers, of_endless_loop) { .loops = 1ULL << 63 };

FIXTURE_SETUP(registers)
{
	self->fd = load_registers();
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(registers)
{
	close(self->fd);
}

TEST_F(registers, are_kept)
{
	struct regs in, out;
	struct report r;
	__u64 n;
	int i;

	for (i = 0; i < 9; i++)
		in.regs[i] = 0x123456789abcdefULL * (2 * i + 1);
	in.regs[9] = variant->loops;
	out = in;
	ASSERT_EQ(0, run_prog(self->fd, &out, sizeof(out)));

	n = in.regs[9] - out.regs[9];
	TH_LOG("%llu iterations", (unsigned long long)n);
	EXPECT_LT(1000, n);
	for (i = 0; i < 9; i++)
		EXPECT_EQ(in.regs[i] + n * (i + 1), out.regs[i])
			TH_LOG("R%d", i);
	EXPECT_EQ(n == variant->loops ? 0 : 1, reports_read(self->fd, &r));
}

/* A jump back to the first instruction doesn't begin a run */
TEST(may_goto_as_the_first_instruction)
{
	const struct bpf_insn insns[] = {
		RAW_MAY_GOTO(4),
		BPF_LDX_MEM(BPF_DW, BPF_REG_2, BPF_REG_1, 0),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -1),
		BPF_STX_MEM(BPF_DW, BPF_REG_1, BPF_REG_2, 0),
		BPF_JMP_IMM(BPF_JNE, BPF_REG_2, 0, -5),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	__u64 left = 2 * UNCHECKED + 1;
	struct report r;
	int fd;

	fd = raw_load("first", insns, ARRAY_SIZE(insns), NULL);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, run_prog(fd, &left, sizeof(left)));
	EXPECT_EQ(left ? 1 : 0, reports_read(fd, &r));

	left = 1ULL << 63;
	ASSERT_EQ(0, run_prog(fd, &left, sizeof(left)));
	EXPECT_GT(1ULL << 63, left);
	EXPECT_EQ(1, reports_read(fd, &r));
	EXPECT_STREQ(TIMEOUT, r.error);
	EXPECT_TRUE(bpf_frame_is(&r, 0, "first", "", "", 0));
	close(fd);
}

REPORTS_TEST_MAIN("bpf_prog_report_may_goto_violation")
