// SPDX-License-Identifier: GPL-2.0
/* A program type that CAP_BPF alone may load, with and without the kfunc */
#include "streams.bpf.h"

int runs;

SEC("?socket")
int prints(struct __sk_buff *skb)
{
	runs++;
	bpf_stream_printk(STDOUT, "hello\n");
	return 0;
}

SEC("?socket")
int is_silent(struct __sk_buff *skb)
{
	runs++;
	return 0;
}
