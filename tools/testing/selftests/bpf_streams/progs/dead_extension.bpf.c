// SPDX-License-Identifier: GPL-2.0
/* Replace functions of progs/dead.bpf.c */
#include "streams.bpf.h"

SEC("?freplace/unreliable")
int of_unreliable(int *value)
{
	return 0;
}

SEC("?freplace/reliable")
int of_reliable(__u64 value)
{
	return 0;
}
