// SPDX-License-Identifier: GPL-2.0
/* A program type that CAP_BPF alone may load, with and without a kfunc */
#include "runtime.bpf.h"

int runs;

SEC("?socket")
int prints(struct __sk_buff *skb)
{
	runs++;
	bpf_stream_printk(STDOUT, "hello\n");
	return 0;
}

SEC("?socket")
int prints_stack(struct __sk_buff *skb)
{
	runs++;
	bpf_stream_print_stack(STDOUT);
	return 0;
}

SEC("?socket")
int is_silent(struct __sk_buff *skb)
{
	runs++;
	return 0;
}
