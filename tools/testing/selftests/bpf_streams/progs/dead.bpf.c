// SPDX-License-Identifier: GPL-2.0
/* Functions that are never called, as the loader sets the constant that decides on it */
#include "streams.bpf.h"

extern void bpf_throw(__u64 cookie) __ksym;

#define __exception_cb(name) __attribute__((btf_decl_tag("exception_callback:" #name)))

const volatile bool wanted = true;

__u64 sum;

static __noinline int first_dead(__u64 value)
{
	sum += value;
	return sum;
}

static __noinline int second_dead(__u64 value)
{
	sum -= value;
	return sum;
}

/* What its caller passes is no pointer: nobody may rely on what its type says. */
static __noinline int unreliable(int *value)
{
	sum += (__u64)value;
	return sum;
}

__noinline int reliable(__u64 value)
{
	sum += value;
	return sum;
}

SEC("?tc")
int target(struct __sk_buff *skb)
{
	if (wanted)
		first_dead(1);
	unreliable((int *)3);
	return reliable(2);
}

__noinline int caught(__u64 cookie)
{
	return cookie + 1;
}

SEC("?tc")
__exception_cb(caught)
int throws(struct __sk_buff *skb)
{
	if (wanted)
		first_dead(1);
	if (wanted)
		second_dead(1);
	bpf_throw(5);
	return 0;
}
