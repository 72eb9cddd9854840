// SPDX-License-Identifier: GPL-2.0
/* For the unmodified headers of libbpf 1.6 and later: their own bpf_stream_printk() */
#ifndef __VMLINUX_H__
#include <linux/bpf.h>
#endif
#include <bpf/bpf_helpers.h>

SEC("syscall")
int hello(void *ctx)
{
	return bpf_stream_printk(1, "hello %d\n", 42);
}

char _license[] SEC("license") = "GPL";
