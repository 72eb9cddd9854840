/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Programs that print with the macros of bpf_helpers.h and return their result. They do not
 * include streams.bpf.h, as the included header is under test.
 */
#ifndef PRINTK_BPF_H
#define PRINTK_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

static __noinline int from_static(int n)
{
	return bpf_stream_printk(BPF_STDOUT, "from a static function: %d\n", n);
}

__noinline int from_global(int n)
{
	return bpf_stream_printk(BPF_STDOUT, "from a global function: %d\n", n);
}

SEC("syscall")
int functions(void *ctx)
{
	int err = bpf_stream_printk(BPF_STDOUT, "from the program\n");

	if (!err)
		err = from_static(1);
	if (!err)
		err = from_global(2);
	return err;
}

static long from_callback(__u32 i, int *err)
{
	*err = bpf_stream_printk(BPF_STDOUT, "from a callback: %u\n", i);
	return *err ? 1 : 0;
}

SEC("syscall")
int callback(void *ctx)
{
	int err = 1;

	bpf_loop(2, from_callback, &err, 0);
	return err;
}

SEC("syscall")
int arguments(void *ctx)
{
	int err = bpf_stream_printk(BPF_STDOUT, "none\n");

	err = err ?: bpf_stream_printk(BPF_STDOUT, "%d\n", -1);
	err = err ?: bpf_stream_printk(BPF_STDOUT, "%d %s\n", 1, "two");
	err = err ?: bpf_stream_printk(BPF_STDOUT, "%d %c %llx\n", 1, '2', -3LL);
	err = err ?: bpf_stream_printk(BPF_STDOUT, "%d %d %s %d\n", 1, 2, "three", 4);
	err = err ?: bpf_stream_printk(BPF_STDOUT, "%d %d %d %d %d %d %d %d %d %d %d %d\n",
				       1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
	return err;
}

SEC("syscall")
int stack(void *ctx)
{
	return bpf_stream_print_stack(BPF_STDOUT);
}

SEC("syscall")
int unknown_stream(void *ctx)
{
	return bpf_stream_printk(3, "unknown stream\n");
}

SEC("syscall")
int once(void *ctx)
{
	return bpf_stream_printk(BPF_STDOUT, "a message\n");
}

char _license[] SEC("license") = "GPL";

#endif /* PRINTK_BPF_H */
