// SPDX-License-Identifier: GPL-2.0
/* Minimal example: prints a line to stdout, or one to stderr on errors */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char name[32];
unsigned int runs;

SEC("syscall")
int hello(void *ctx)
{
	runs++;
	if (!name[0])
		return bpf_stream_printk(BPF_STDERR, "run %u: nobody to greet\n", runs);
	return bpf_stream_printk(BPF_STDOUT, "run %u: Hello, %s!\n", runs, name);
}

char _license[] SEC("license") = "GPL";
