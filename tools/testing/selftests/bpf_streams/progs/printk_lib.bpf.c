// SPDX-License-Identifier: GPL-2.0
/* A library that does not include vmlinux.h, linked with printk.bpf.c */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int from_library(int n);

__noinline int from_library(int n)
{
	return bpf_stream_printk(BPF_STDOUT, "from a library: %d\n", n);
}
