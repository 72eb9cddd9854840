// SPDX-License-Identifier: GPL-2.0
/* Functions that are never called, depending on a constant that the loader sets */
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

/* Its caller does not pass a pointer, so its type must not be relied on. */
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

static __noinline long dead_callback(__u32 i, void *ctx)
{
	return 0;
}

static __noinline long callback(__u32 i, void *ctx)
{
	return 1;
}

/* The functions are in this order, so that the last one is removed. */
SEC("?syscall")
int addresses(void *ctx)
{
	int loops;

	asm volatile("r2 = %[callback] ll; r2 = %[dead_callback] ll; r2 = %[callback] ll;"
		     "r1 = 2; r3 = 0; r4 = 0; call %[bpf_loop]; %[loops] = r0;"
		     : [loops] "=r"(loops)
		     : [callback] "i"(callback), [dead_callback] "i"(dead_callback),
		       [bpf_loop] "i"(bpf_loop)
		     : "r0", "r1", "r2", "r3", "r4", "r5", "memory");
	return loops;
}

static __noinline long first_unused_callback(__u32 i, void *ctx)
{
	return 1;
}

static __noinline long last_unused_callback(__u32 i, void *ctx)
{
	return 1;
}

static __noinline int alive(__u64 value)
{
	sum += value;
	return 0;
}

#define NO_TURN(callback)						\
({									\
	int loops;							\
									\
	asm volatile("r1 = 0; r2 = %[cb] ll; r3 = 0; r4 = 0;"		\
		     "call %[bpf_loop]; %[loops] = r0;"			\
		     : [loops] "=r"(loops)				\
		     : [cb] "i"(callback), [bpf_loop] "i"(bpf_loop)	\
		     : "r0", "r1", "r2", "r3", "r4", "r5", "memory");	\
	loops;								\
})

/* The verifier knows that the callback is not called, and removes it. */
SEC("?syscall")
int loops_not_at_all_first(void *ctx)
{
	int loops = NO_TURN(first_unused_callback);

	return loops + alive(1);
}

SEC("?syscall")
int loops_not_at_all_last(void *ctx)
{
	int err = alive(1);

	return err + NO_TURN(last_unused_callback);
}

__u64 how;

static __noinline void throw(void)
{
	bpf_throw(5);
}

/* Code behind the last call is removed, so that the program ends with the call. */
static __noinline void note_and_throw(void)
{
	sum++;
	throw();
}

SEC("?tc")
int throws_in_the_end(struct __sk_buff *skb)
{
	if (how == 1)
		throw();
	if (how == 2)
		note_and_throw();
	return 0;
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
