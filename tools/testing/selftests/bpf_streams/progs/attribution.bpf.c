// SPDX-License-Identifier: GPL-2.0
/* Programs that print from functions other than main */
#include "streams.bpf.h"
#include "timer.bpf.h"

#define say(stream, text) bpf_stream_printk(stream, text "\n")

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 3);
	__type(key, int);
	__type(value, int);
} elems SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, int);
} tails SEC(".maps");

int pid;
int timer_err;

static __noinline int static_sub(int n)
{
	return bpf_stream_printk(STDOUT, "static %d\n", n);
}

__noinline int global_sub(int n)
{
	return bpf_stream_printk(STDERR, "global %d\n", n);
}

SEC("tc")
int subprogs(struct __sk_buff *skb)
{
	return static_sub(skb->len) | global_sub(skb->len);
}

/* The same functions, called by another program */
SEC("tc")
int same_subprogs(struct __sk_buff *skb)
{
	return static_sub(1) | global_sub(2);
}

static long loop_cb(__u32 i, int *err)
{
	*err |= bpf_stream_printk(STDOUT, "loop %u\n", i);
	return 0;
}

SEC("tc")
int loop(struct __sk_buff *skb)
{
	int err = 0;

	bpf_loop(3, loop_cb, &err, 0);
	return err;
}

static long elem_cb(struct bpf_map *map, int *key, int *value, int *err)
{
	*err |= bpf_stream_printk(STDOUT, "element %d\n", *key);
	return 0;
}

SEC("tc")
int each_elem(struct __sk_buff *skb)
{
	int err = 0;

	bpf_for_each_map_elem(&elems, elem_cb, &err, 0);
	return err;
}

static int timer_cb(void *map, int *key, struct timed *t)
{
	timer_err = say(STDERR, "timer");
	timer_done = 1;
	return 0;
}

SEC("tc")
int timer(struct __sk_buff *skb)
{
	return start_timer(timer_cb);
}

SEC("tc")
int tail_caller(struct __sk_buff *skb)
{
	say(STDOUT, "before the tail call");
	bpf_tail_call(skb, &tails, 0);
	return 1;
}

SEC("tc")
int tail_callee(struct __sk_buff *skb)
{
	return say(STDOUT, "tail call");
}

__noinline int replaceable(struct __sk_buff *skb)
{
	/* Prevents optimizations across the call */
	asm volatile("");
	if (!skb)
		return 1;
	return say(STDOUT, "original");
}

SEC("tc")
int replaced(struct __sk_buff *skb)
{
	return say(STDOUT, "target") | replaceable(skb);
}

/* The function's name without the architecture's prefix */
SEC("?fentry.s/getpgid")
int BPF_PROG(sleepable)
{
	if (bpf_get_current_pid_tgid() >> 32 == pid)
		say(STDOUT, "sleepable");
	return 0;
}
