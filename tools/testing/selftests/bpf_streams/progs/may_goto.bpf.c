// SPDX-License-Identifier: GPL-2.0
/*
 * Loops that are terminated when the time is over, and loops that end before. 'whole'
 * counts those that were completed.
 */
#include "runtime.bpf.h"
#include "timer.bpf.h"

#define HERE(place)	(place##_line = __LINE__ + 1)

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

__u64 count;
__u64 second;
__u64 inner_calls;
__u64 callbacks;
__u64 limit;

int endless_line;

SEC("syscall")
int endless(void *ctx)
{
	HERE(endless);
	while (can_loop)
		count++;
	/* Only the loop is terminated, not the program */
	bpf_stream_printk(STDOUT, "goes on\n");
	return 0;
}

SEC("tc")
int endless_tc(struct __sk_buff *skb)
{
	while (can_loop)
		count++;
	return 7;
}

/* Ends by itself after that many */
SEC("syscall")
int limited(void *ctx)
{
	__u64 left = limit;

	while (can_loop && left)
		left--;
	count = limit - left;
	return 0;
}

/* The second loop starts when the run's time is over */
SEC("syscall")
int one_after_another(void *ctx)
{
	while (can_loop)
		count++;
	while (can_loop)
		second++;
	return 0;
}

int sub_line, sub_call_line;

static __noinline void sub(void)
{
	HERE(sub);
	while (can_loop)
		count++;
}

SEC("syscall")
int endless_sub(void *ctx)
{
	HERE(sub_call);
	sub();
	second++;
	return 0;
}

/* With constants the verifier would follow all iterations */
__u64 short_loops = 3000;
__u64 middle_loops = 100;

/* Each loop is short, but together they do not end */
static __noinline void short_loop(void)
{
	__u64 left = short_loops;

	while (can_loop && left) {
		left--;
		count++;
	}
}

SEC("syscall")
int nested(void *ctx)
{
	while (can_loop) {
		short_loop();
		inner_calls++;
	}
	return 0;
}

static __noinline void middle_loop(void)
{
	__u64 left = middle_loops;

	while (can_loop && left) {
		left--;
		short_loop();
	}
}

SEC("syscall")
int nested_deeply(void *ctx)
{
	while (can_loop) {
		middle_loop();
		inner_calls++;
	}
	return 0;
}

int loop_cb_line;

static long loop_cb(__u32 i, void *ctx)
{
	callbacks++;
	HERE(loop_cb);
	while (can_loop)
		count++;
	return 0;
}

/* Each callback is endless; all of them are one run */
SEC("syscall")
int loop(void *ctx)
{
	bpf_loop(100, loop_cb, NULL, 0);
	return 0;
}

static long elem_cb(struct bpf_map *map, int *key, int *value, void *ctx)
{
	callbacks++;
	while (can_loop)
		count++;
	return 0;
}

SEC("syscall")
int each_elem(void *ctx)
{
	bpf_for_each_map_elem(&elems, elem_cb, NULL, 0);
	return 0;
}

static int timer_cb(void *map, int *key, struct timed *t)
{
	while (can_loop)
		count++;
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
	bpf_tail_call(skb, &tails, 0);
	return 1;
}

SEC("tc")
int tail_callee(struct __sk_buff *skb)
{
	while (can_loop)
		count++;
	return 0;
}

/*
 * The loop of a program is nested in that of another: the former is attached to a function
 * that printing calls. It has a run of its own.
 */
int pid;
__u64 interruptions, whole;
__u64 between = 0xffff;
char string[] = "string";

SEC("syscall")
int interrupted(void *ctx)
{
	while (can_loop) {
		count++;
		if (!(count & between))
			bpf_stream_printk(STDOUT, "%s\n", string);
	}
	/* The time of this run is over, but not that of others */
	bpf_stream_printk(STDOUT, "%s\n", string);
	return 0;
}

SEC("?fentry/copy_from_kernel_nofault_allowed")
int BPF_PROG(interrupting)
{
	__u64 left = short_loops;

	if (bpf_get_current_pid_tgid() >> 32 != pid)
		return 0;
	interruptions++;
	while (can_loop && left)
		left--;
	whole += !left;
	return 0;
}
