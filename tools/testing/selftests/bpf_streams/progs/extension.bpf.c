// SPDX-License-Identifier: GPL-2.0
/* Replaces a function of progs/attribution.bpf.c */
#include "streams.bpf.h"

SEC("freplace/replaceable")
int extension(struct __sk_buff *skb)
{
	return bpf_stream_printk(STDOUT, "replacement\n");
}
