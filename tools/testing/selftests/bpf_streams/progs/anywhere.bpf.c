// SPDX-License-Identifier: GPL-2.0
/*
 * A program that is run as a busy writer (by a test run, in a loop) and from a tracepoint
 * that is hit in any context, so that it interrupts itself in the middle of a message:
 * same program, same stream, same CPU.
 */
#include "runtime.bpf.h"
#include "context.bpf.h"

char pad[512];
__u32 writer_loops;

__u64 attempts[NR_CONTEXTS];
__u64 accepted[NR_CONTEXTS];
__u64 refused[NR_CONTEXTS];
__u64 stacks_accepted;
__u64 stacks_refused;
__u64 unexpected;		/* unexpected errors */
int unexpected_error;
__u64 number;
__u64 longest[NR_CONTEXTS];	/* time spent printing, in ns */

/* Expected errors are -ENOMEM, -EBUSY and -ENOSPC. */
static void check(int err)
{
	if (err != -12 && err != -16 && err != -28) {
		__sync_fetch_and_add(&unexpected, 1);
		unexpected_error = err;
	}
}

static void print_stack(void)
{
	int err = bpf_stream_print_stack(STDERR);

	if (err == -95) /* EOPNOTSUPP */
		return;
	if (!err) {
		__sync_fetch_and_add(&stacks_accepted, 1);
		return;
	}
	__sync_fetch_and_add(&stacks_refused, 1);
	check(err);
}

static long print_one(__u32 i, __u32 *ctx)
{
	__u64 n, len;
	__u32 c = *ctx;
	int err;

	if (c >= NR_CONTEXTS)
		return 1;
	n = __sync_fetch_and_add(&number, 1);
	__sync_fetch_and_add(&attempts[c], 1);

	if (ANYWHERE_STACK(n))
		print_stack();

	/* Never true: the compiler knows that, but the verifier doesn't */
	len = ANYWHERE_PAD(n);
	barrier_var(len);
	if (len >= sizeof(pad))
		return 1;
	err = bpf_stream_printk(STDOUT, "%u %u %llu %s\n", c,
				bpf_get_smp_processor_id(), n,
				pad + sizeof(pad) - 1 - len);
	if (!err) {
		__sync_fetch_and_add(&accepted[c], 1);
		return 0;
	}

	__sync_fetch_and_add(&refused[c], 1);
	check(err);
	return 0;
}

static int print(__u32 c, __u32 loops)
{
	__u64 ns, begin = bpf_ktime_get_ns();

	bpf_loop(loops, print_one, &c, 0);
	ns = bpf_ktime_get_ns() - begin;
	if (c < NR_CONTEXTS && ns > longest[c])
		longest[c] = ns;
	return 0;
}

SEC("raw_tp")
int anywhere(struct bpf_raw_tracepoint_args *ctx)
{
	/* Also for the writer, to find out if contexts are known before one is hit */
	__u32 c = context();

	if (ctx->args[0] == ANYWHERE_WRITER)
		return print(IN_WRITER, writer_loops);
	return print(c, 1);
}

/* The test finds a traceable function that sysrq-l calls in an NMI */
SEC("?fentry/show_regs")
int BPF_PROG(backtrace)
{
	return print(context(), 1);
}
