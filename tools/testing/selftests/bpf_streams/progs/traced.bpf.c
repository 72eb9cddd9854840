// SPDX-License-Identifier: GPL-2.0
/*
 * Programs with traced functions (fentry, fexit): endless loops in them, stack dumps,
 * exceptions. And loops of few long iterations.
 */
#include "runtime.bpf.h"
#include <bpf/bpf_tracing.h>

extern void bpf_throw(__u64 cookie) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, __u64);
} elems SEC(".maps");

__u64 turns, traced, filled;
/* For a test that has already failed: ends the loop */
int stop;

/* Called by C, which may use the frame pointer for other purposes */
static long endless_cb(struct bpf_map *map, int *key, __u64 *value, void *ctx)
{
	while (can_loop && !stop) {
		turns++;
		barrier();
	}
	return 1;
}

SEC("syscall")
int endless_each(void *ctx)
{
	bpf_for_each_map_elem(&elems, endless_cb, NULL, 0);
	return 0;
}

SEC("?fexit/endless_cb")
int BPF_PROG(on_endless_cb)
{
	traced++;
	return 0;
}

/*
 * Uses more may_gotos than a CPU passes between two checks of the clock. Not at each tick,
 * as nothing else would run on a slow machine.
 */
int busy_cpu = -1;
__u64 busy_loops = 70000;

SEC("?fentry/sched_tick")
int BPF_PROG(on_tick)
{
	__u64 left = busy_loops;

	if ((int)bpf_get_smp_processor_id() != busy_cpu || traced++ % 16)
		return 0;
	while (can_loop && left)
		left--;
	filled++;
	return 0;
}

static long dumping_cb(struct bpf_map *map, int *key, __u64 *value, void *ctx)
{
	bpf_stream_print_stack(STDERR);
	turns++;
	return 1;
}

SEC("syscall")
int dumping_each(void *ctx)
{
	bpf_for_each_map_elem(&elems, dumping_cb, NULL, 0);
	return 0;
}

SEC("?fexit/dumping_cb")
int BPF_PROG(on_dumping_cb)
{
	traced++;
	return 0;
}

/* Dumps in a function that has not set up its frame yet */
SEC("?fentry/dumping_cb")
int BPF_PROG(before_dumping_cb)
{
	traced++;
	bpf_stream_print_stack(STDERR);
	return 0;
}

/* may_gotos that this CPU passes before the next check of the clock */
extern const int bpf_may_goto_left __ksym __weak;
int left_at_entry, left_at_exit, left_after_turns;

static __always_inline int may_gotos_left(void)
{
	return &bpf_may_goto_left ? *(int *)bpf_this_cpu_ptr(&bpf_may_goto_left) : 0;
}

static int long_turn_cb(__u32 i, void *ctx)
{
	__sync_fetch_and_add(&filled, 1);
	return 0;
}

SEC("syscall")
int long_turns(void *ctx)
{
	while (can_loop && !stop) {
		if (turns > 1 && left_after_turns < may_gotos_left())
			left_after_turns = may_gotos_left();
		bpf_loop(1 << 20, long_turn_cb, NULL, 0);
		turns++;
		barrier();
	}
	return 0;
}

/* With a constant the verifier would follow all iterations */
__u64 refill_loops = 200000;

/* Leaves the CPU's batch for the next program */
SEC("syscall")
int refill(void *ctx)
{
	__u64 left = refill_loops;

	left_at_entry = may_gotos_left();
	while (can_loop && left)
		left--;
	left_at_exit = may_gotos_left();
	filled++;
	return 0;
}

int x = 1;

static __noinline int throwing(int n)
{
	turns += n;
	if (x)
		bpf_throw(5);
	return n;
}

SEC("syscall")
int thrower(void *ctx)
{
	return throwing(1) + throwing(2);
}

SEC("?fexit/throwing")
int BPF_PROG(on_throwing)
{
	traced++;
	return 0;
}

SEC("?fexit/bpf_throw")
int BPF_PROG(on_bpf_throw)
{
	traced++;
	return 0;
}

/* The function that walks the stack for it does return. */
SEC("?fexit/arch_bpf_stack_walk")
int BPF_PROG(on_walk)
{
	traced++;
	return 0;
}

/* The main program does return, through the exception callback */
SEC("?fexit/thrower")
int BPF_PROG(on_thrower)
{
	traced++;
	return 0;
}
