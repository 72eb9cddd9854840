// SPDX-License-Identifier: GPL-2.0
/*
 * Stack dumps from all kinds of functions. Each place that the dump must show stores its
 * line number.
 */
#include "runtime.bpf.h"
#include "timer.bpf.h"

#define HERE(place)	(place##_line = __LINE__ + 1)

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, int);
} elems SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, int);
} tails SEC(".maps");

int err;
int after;

int plain_line;

SEC("syscall")
int plain(void *ctx)
{
	HERE(plain);
	err = bpf_stream_print_stack(STDERR);
	return 0;
}

SEC("syscall")
int to_stdout(void *ctx)
{
	err = bpf_stream_print_stack(STDOUT);
	return 0;
}

int probed;

/* Called through code that the kernel has generated, without a symbol */
SEC("?ksyscall/getpgid")
int in_probe(void *ctx)
{
	if (!__sync_lock_test_and_set(&probed, 1))
		err = bpf_stream_print_stack(STDERR);
	return 0;
}

int static_sub_line, static_call_line;

/* The call is last on its line, here and in the caller */
static __noinline void static_sub(void)
{
	HERE(static_sub);
	bpf_stream_print_stack(STDERR);
	after = 1;
}

SEC("syscall")
int static_caller(void *ctx)
{
	HERE(static_call);
	static_sub();
	after = 2;
	return 0;
}

int global_sub_line, global_middle_line, global_call_line;

__noinline int global_sub(void)
{
	HERE(global_sub);
	return bpf_stream_print_stack(STDERR);
}

__noinline int global_middle(int n)
{
	HERE(global_middle);
	err = global_sub();
	return err + n;
}

SEC("syscall")
int global_caller(void *ctx)
{
	HERE(global_call);
	return global_middle(1);
}

int loop_cb_line, loop_line;

static long loop_cb(__u32 i, void *ctx)
{
	HERE(loop_cb);
	err = bpf_stream_print_stack(STDERR);
	return 0;
}

SEC("syscall")
int loop(void *ctx)
{
	HERE(loop);
	bpf_loop(1, loop_cb, NULL, 0);
	return 0;
}

int elem_cb_line, each_elem_line;

static long elem_cb(struct bpf_map *map, int *key, int *value, void *ctx)
{
	HERE(elem_cb);
	err = bpf_stream_print_stack(STDERR);
	return 0;
}

SEC("syscall")
int each_elem(void *ctx)
{
	HERE(each_elem);
	bpf_for_each_map_elem(&elems, elem_cb, NULL, 0);
	return 0;
}

int timer_cb_line;

static int timer_cb(void *map, int *key, struct timed *t)
{
	HERE(timer_cb);
	err = bpf_stream_print_stack(STDERR);
	timer_done = 1;
	return 0;
}

SEC("tc")
int timer(struct __sk_buff *skb)
{
	return start_timer(timer_cb);
}

int tail_callee_line;

SEC("tc")
int tail_caller(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &tails, 0);
	return 1;
}

SEC("tc")
int tail_callee(struct __sk_buff *skb)
{
	HERE(tail_callee);
	err = bpf_stream_print_stack(STDERR);
	return 0;
}

void bpf_throw(__u64 cookie) __ksym __weak;

int thrower_line = __LINE__ + 6;

/* The verifier adds a function, which must not be taken for the first line */
SEC("?tc")
int thrower(struct __sk_buff *skb)
{
	bpf_stream_print_stack(STDERR);
	if (skb->len == 1)
		bpf_throw(0);
	return 0;
}
