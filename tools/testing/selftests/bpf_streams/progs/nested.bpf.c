// SPDX-License-Identifier: GPL-2.0
/*
 * Print while another message is being formatted on the same CPU: these programs are
 * attached to a function that formatting calls. A program is not nested in itself, so each
 * adds one level, until there are no more buffers.
 */
#include "streams.bpf.h"

int pid;
int accepted, busy, other;
char string[] = "string";

static void count(int err)
{
	if (!err)
		accepted++;
	else if (err == -16)	/* EBUSY */
		busy++;
	else
		other++;
}

static int nested(int level)
{
	if (bpf_get_current_pid_tgid() >> 32 != pid)
		return 0;
	count(bpf_stream_printk(STDOUT, "level %d %s\n", level, string));
	return 0;
}

SEC("syscall")
int outermost(void *ctx)
{
	count(bpf_stream_printk(STDOUT, "level 0 %s\n", string));
	return 0;
}

SEC("fentry/copy_from_kernel_nofault_allowed")
int BPF_PROG(level1)
{
	return nested(1);
}

SEC("fentry/copy_from_kernel_nofault_allowed")
int BPF_PROG(level2)
{
	return nested(2);
}

SEC("fentry/copy_from_kernel_nofault_allowed")
int BPF_PROG(level3)
{
	return nested(3);
}

SEC("fentry/copy_from_kernel_nofault_allowed")
int BPF_PROG(level4)
{
	return nested(4);
}
