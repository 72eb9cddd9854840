// SPDX-License-Identifier: GPL-2.0
/* Printing with the macro, and with kfuncs that only some kernels have */
#include "printk.bpf.h"

int from_library(int n);

SEC("syscall")
int library(void *ctx)
{
	return from_library(3);
}

/* As the header does on this kernel, without testing for kfuncs */
extern int bpf_stream_vprintk___by_hand(int stream_id, const char *fmt__str,
					const void *args, __u32 len__sz) __weak __ksym;

SEC("?syscall")
int once_by_hand(void *ctx)
{
	static const char fmt[] = "a message\n";
	__u64 args[1];

	return bpf_stream_vprintk___by_hand(BPF_STDOUT, fmt, args, 0);
}
