// SPDX-License-Identifier: GPL-2.0
/*
 * The BPF instruction may_goto: bounded loops
 *
 * may_goto jumps out of a loop if the program has looped for too long. How this
 * is determined depends on the JIT.
 *
 * By time
 * -------
 *
 * A JIT for which bpf_jit_supports_may_goto() is true compiles the instruction to
 *
 *	if (--bpf_may_goto_left < 0 && bpf_may_goto_check() < 0)
 *		goto target;
 *
 * bpf_may_goto_left is per CPU and shared by all programs. So one of several nested
 * loops will check the clock, even if each of them is short, and whether they are in
 * one function or in many.
 *
 * The speed of loops varies: an iteration can be one instruction or a call of
 * bpf_loop() that takes a second. So the clock is checked by the next may_goto after
 * each timer tick, and after at most BPF_MAY_GOTO_FIRST may_gotos of a run, as there
 * are no ticks while interrupts are disabled and on nohz_full CPUs. A batch that took
 * long is followed by a single may_goto; otherwise batches grow up to
 * BPF_MAY_GOTO_BATCH. As a result, a run is terminated at the first may_goto that it
 * reaches after BPF_MAY_GOTO_NS and a tick; without ticks the time is measured from
 * the 256th may_goto on.
 *
 * A program may loop for BPF_MAY_GOTO_NS in one run. The clock of the run is the time
 * of its first check, or says that the time is over. It is a slot in the stack frame
 * of the function that the kernel has called: the main program, the callback of a
 * timer or a work item, or the exception callback. These functions have
 * bpf_prog_aux.may_goto_clock set. The verifier reserves the slot below the rest of
 * their stack, and the JIT clears it on entry. The check finds it by walking the
 * stack. Other callbacks and subprograms use the clock of their caller. Clocks of
 * outer runs are not accessed, as an interrupted function may not have set up its
 * frame yet.
 *
 * Walking the stack takes some thousand instructions, so a CPU does it at most once
 * in BPF_MAY_GOTO_WALK_NS, unless the time of a run is over.
 *
 * If a run is nested in another, as that of a tracing program, it could be the nested
 * one that is checked each time. So it gets small batches of varying size, such that
 * the outer run is checked eventually, and each of its checks walks the stack. An
 * asynchronous callback that is called in a loop of its own program is a nested run,
 * too: the loop is terminated, but later than after BPF_MAY_GOTO_NS.
 *
 * When the time is over the CPU gets no new batch. All may_gotos of the run then take
 * the slow path and jump, until another program takes a batch. Functions that are
 * called after that still get a few iterations, as programs may depend on their loops
 * being entered, but only if they are deeper in the stack than any before, which is
 * recorded in the clock. This bounds the total, however often they are called.
 *
 * If no clock is found on the stack, may_gotos are counted: a CPU passes at most
 * BPF_MAX_LOOPS in a row without finding one.
 *
 * By count
 * --------
 *
 * Without support of the JIT the verifier expands the instruction to a countdown from
 * BPF_MAX_LOOPS in the function's stack frame. When it reaches its end, a call reports
 * it once. Registers that this call may clobber are saved first.
 */
#include <linux/bpf.h>
#include <linux/bpf_may_goto.h>
#include <linux/bpf_stream.h>
#include <linux/bpf_verifier.h>
#include <linux/build_bug.h>
#include <linux/filter.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/time64.h>
#include <linux/timekeeping.h>

#define BPF_MAY_GOTO_NS (NSEC_PER_SEC / 4)

/* Maximum number of may_gotos between two checks of a CPU */
#define BPF_MAY_GOTO_BATCH 65536

/* Factor between a batch that took little time and the next */
#define BPF_MAY_GOTO_GROWTH 16

/* Minimum time between two stack walks; a batch that takes longer is too large */
#define BPF_MAY_GOTO_WALK_NS NSEC_PER_MSEC

/* Size of a batch for a function that is called when the time is over */
#define BPF_MAY_GOTO_GRACE 16

/* Maximum size of a batch for a nested run */
#define BPF_MAY_GOTO_NESTED 1024

DEFINE_PER_CPU(int, bpf_may_goto_left);
static DEFINE_PER_CPU(int, bpf_may_goto_lost);
static DEFINE_PER_CPU(int, may_goto_batch) = 1;
/* End of the last check, and start of the last that found a run with time left */
static DEFINE_PER_CPU(s64, may_goto_checked);
static DEFINE_PER_CPU(s64, may_goto_walked);

static void may_goto_report(const struct bpf_prog *prog)
{
	if (!prog)
		return;

	bpf_stream_stage(ss, prog, BPF_STDERR, ({
		bpf_stream_printk(ss, "ERROR: Timeout detected for may_goto instruction\n");
		bpf_stream_dump_stack(ss);
	}));
}

static void may_goto_report_caller(void)
{
	/* If the unwinder guesses, the program may be one that is being freed. */
	guard(rcu)();
	may_goto_report(bpf_prog_find_from_stack());
}

/**
 * struct may_goto_run - a run of a program, as found on the stack
 * @main: aux of the main program
 * @clock: 0 if never checked; the time of the first check; or, if negative, the lowest
 *	   frame that has looped after the time was over
 * @frame: of the innermost function
 * @now: the current time
 * @nested: this run is nested in another
 */
struct may_goto_run {
	const struct bpf_prog_aux *main;
	s64 *clock;
	s64 frame;
	s64 now;
	bool nested;
};

/* Start the clock unless it is running. */
static bool may_goto_has_time(s64 *clock, s64 now)
{
	if (!*clock)
		*clock = now;

	/* Signed, as the times of two CPUs may differ slightly. */
	return now - *clock < (s64)BPF_MAY_GOTO_NS;
}

/* The addresses of kernel stacks are negative, times since boot are not. */
static bool may_goto_is_over(const s64 *clock)
{
	return *clock < 0;
}

static bool may_goto_find_run(void *cookie, u64 ip, u64 sp, u64 bp)
{
	struct may_goto_run *run = cookie;
	struct bpf_prog_aux *aux;
	struct bpf_prog *prog;

	guard(rcu)();
	prog = bpf_prog_ksym_find(ip);
	/* The caller of arch_bpf_may_goto() may have no symbol; another run is not its own. */
	if (!prog)
		return run->frame || core_kernel_text(ip);

	aux = prog->aux;
	if (!run->frame) {
		run->frame = bp;
		run->main = aux->main_prog_aux;
	}
	if (!aux->may_goto_clock)
		return true;

	if (run->clock || aux->main_prog_aux != run->main) {
		run->nested = true;
		return false;
	}

	run->clock = (s64 *)(unsigned long)(bp - aux->stack_depth);
	return true;
}

/* Size of the next batch, from the time that the last one took */
static int may_goto_next_batch(s64 now)
{
	s64 took = now - this_cpu_xchg(may_goto_checked, now);
	int batch = this_cpu_read(may_goto_batch);

	if (took > BPF_MAY_GOTO_WALK_NS)
		batch = 1;
	else if (took < BPF_MAY_GOTO_WALK_NS / BPF_MAY_GOTO_GROWTH)
		batch = min(batch * BPF_MAY_GOTO_GROWTH, BPF_MAY_GOTO_BATCH);

	this_cpu_write(may_goto_batch, batch);
	return batch;
}

/* Count may_gotos, as there is no clock. */
static int may_goto_grant_lost(void)
{
	if (this_cpu_inc_return(bpf_may_goto_lost) < BPF_MAX_LOOPS / BPF_MAY_GOTO_BATCH)
		return BPF_MAY_GOTO_BATCH;

	this_cpu_write(bpf_may_goto_lost, 0);
	may_goto_report_caller();
	return 0;
}

/* Number of may_gotos that the run may pass until the next check: @batch if it has time */
static int may_goto_grant(const struct may_goto_run *run, int batch)
{
	if (!run->clock)
		return may_goto_grant_lost();

	this_cpu_write(bpf_may_goto_lost, 0);
	if (may_goto_is_over(run->clock)) {
		if (run->frame >= *run->clock)
			return 0;

		*run->clock = run->frame;
		return BPF_MAY_GOTO_GRACE;
	}

	if (may_goto_has_time(run->clock, run->now))
		return batch;

	*run->clock = run->frame;
	may_goto_report_caller();
	return 0;
}

/**
 * bpf_may_goto_check - check the clock of the current run
 *
 * Called when bpf_may_goto_left is exhausted, through arch_bpf_may_goto(), which
 * preserves the registers of the program.
 *
 * Context: Any, NMI included.
 * Return: 0 if the program may continue, negative if may_goto has to jump.
 */
int notrace bpf_may_goto_check(void)
{
	struct may_goto_run run = { .now = ktime_get_mono_fast_ns() };
	int batch = may_goto_next_batch(run.now), grant;

	if (run.now - this_cpu_read(may_goto_walked) < BPF_MAY_GOTO_WALK_NS) {
		this_cpu_write(bpf_may_goto_left, batch);
		return 0;
	}

	arch_bpf_stack_walk(may_goto_find_run, &run);
	/* The next batch is measured without the walk, which may take longer. */
	this_cpu_write(may_goto_checked, ktime_get_mono_fast_ns());
	grant = may_goto_grant(&run, batch);
	if (run.nested)
		grant = min_t(int, grant, 1 + (run.now & (BPF_MAY_GOTO_NESTED - 1)));
	else if (run.clock && !may_goto_is_over(run.clock))
		this_cpu_write(may_goto_walked, run.now);
	this_cpu_write(bpf_may_goto_left, grant);

	return grant ? 0 : -ETIME;
}

BPF_CALL_1(bpf_may_goto_run_out, const struct bpf_prog_aux *, aux)
{
	may_goto_report(aux->prog);
	return 0;
}

/* R0 to R5, which a call may clobber */
#define SAVED_REGS (BPF_REG_5 + 1)
#define SAVED_SIZE (SAVED_REGS * BPF_REG_SIZE)

/* Not reported in longer programs, as their jumps could become too far. */
#define REPORT_MAX_INSNS 4096

/* The interpreter's stack is limited to MAX_BPF_STACK. */
static bool may_goto_has_room(const struct bpf_prog *prog, unsigned int stack_depth)
{
	return IS_ENABLED(CONFIG_BPF_STREAMS) &&
	       (prog->jit_requested ||
		stack_depth + BPF_REG_SIZE + SAVED_SIZE <= MAX_BPF_STACK);
}

/**
 * bpf_may_goto_stack - get the extra stack of a function with counted may_gotos
 * @prog: the main program
 * @stack_depth: stack that the function itself uses
 *
 * Return: number of bytes; the lowest eight are the countdown.
 */
int bpf_may_goto_stack(const struct bpf_prog *prog, unsigned int stack_depth)
{
	return may_goto_has_room(prog, stack_depth) ? BPF_REG_SIZE + SAVED_SIZE : BPF_REG_SIZE;
}

/* Offset of a jump at @i of the @cnt instructions that replace @may_goto */
static int may_goto_off(const struct bpf_insn *may_goto, int i, int cnt)
{
	return may_goto->off < 0 ? may_goto->off - i : may_goto->off + cnt - 1 - i;
}

/**
 * bpf_may_goto_expand - generate the instructions of a counted may_goto
 * @prog: the main program
 * @may_goto: the instruction
 * @stack_depth: stack that the function itself uses
 * @buf: buffer for INSN_BUF_SIZE instructions
 *
 * The countdown is 0 when it ends, and set to -1 when this has been reported.
 *
 * Return: number of instructions, or -ERANGE if the jump has become too far.
 */
int bpf_may_goto_expand(const struct bpf_prog *prog, const struct bpf_insn *may_goto,
			unsigned int stack_depth, struct bpf_insn *buf)
{
	const struct bpf_insn ld_aux[] = { BPF_LD_IMM64(BPF_REG_1, (long)prog->aux) };
	int left = -(int)stack_depth - bpf_may_goto_stack(prog, stack_depth);
	bool report = may_goto_has_room(prog, stack_depth) && prog->len < REPORT_MAX_INSNS;
	int cnt = report ? 2 * SAVED_REGS + 10 : 4, n = 0, reg;

	BUILD_BUG_ON(2 * SAVED_REGS + 10 > INSN_BUF_SIZE);

	if (may_goto_off(may_goto, 1, cnt) > S16_MAX ||
	    may_goto_off(may_goto, cnt - 1, cnt) < S16_MIN)
		return -ERANGE;

	buf[n++] = BPF_LDX_MEM(BPF_DW, BPF_REG_AX, BPF_REG_FP, left);
	if (!report) {
		buf[n] = BPF_JMP_IMM(BPF_JSLE, BPF_REG_AX, 0, may_goto_off(may_goto, n, cnt));
		n++;
		goto count;
	}

	buf[n++] = BPF_JMP_IMM(BPF_JSGT, BPF_REG_AX, 0, cnt - 4);
	buf[n] = BPF_JMP_IMM(BPF_JSLT, BPF_REG_AX, 0, may_goto_off(may_goto, n, cnt));
	n++;
	buf[n++] = BPF_ST_MEM(BPF_DW, BPF_REG_FP, left, -1);
	for (reg = 0; reg < SAVED_REGS; reg++)
		buf[n++] = BPF_STX_MEM(BPF_DW, BPF_REG_FP, reg, left + (reg + 1) * BPF_REG_SIZE);
	buf[n++] = ld_aux[0];
	buf[n++] = ld_aux[1];
	buf[n++] = BPF_EMIT_CALL(bpf_may_goto_run_out);
	for (reg = 0; reg < SAVED_REGS; reg++)
		buf[n++] = BPF_LDX_MEM(BPF_DW, reg, BPF_REG_FP, left + (reg + 1) * BPF_REG_SIZE);
	buf[n] = BPF_JMP_A(may_goto_off(may_goto, n, cnt));
	n++;

count:
	buf[n++] = BPF_ALU64_IMM(BPF_SUB, BPF_REG_AX, 1);
	buf[n++] = BPF_STX_MEM(BPF_DW, BPF_REG_FP, BPF_REG_AX, left);
	return n;
}
