// SPDX-License-Identifier: GPL-2.0
/*
 * Accesses to an arena from all kinds of functions, at an address that the test sets. Each
 * place that a report must show stores its line number.
 */
#include "runtime.bpf.h"
#include "timer.bpf.h"

#define HERE(place)	(place##_line = __LINE__ + 1)

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 64);
} arena SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, int);
} elems SEC(".maps");

__u64 address;
__u64 value;
__u64 after;

int load_line;

SEC("syscall")
int load(void *ctx)
{
	__u64 *p = arena_ptr(arena, address);

	HERE(load);
	value = *p;
	return 0;
}

int store_line;

SEC("syscall")
int store(void *ctx)
{
	__u64 *p = arena_ptr(arena, address);

	HERE(store);
	*p = 1;
	return 0;
}

/* The load is the only instruction of its line, so it is both first and last */
int alone_line;

SEC("syscall")
int alone(void *ctx)
{
	__u64 *p = arena_ptr(arena, address);
	__u64 v;

	HERE(alone);
	asm volatile("%0 = *(u64 *)(%1 + 0)" : "=r"(v) : "r"(p));
	after++;
	value = v;
	return 0;
}

int sub_line, sub_call_line;

static __noinline __u64 load_sub(void)
{
	__u64 *p = arena_ptr(arena, address);
	__u64 v;

	HERE(sub);
	v = *p;
	return v;
}

SEC("syscall")
int subprog(void *ctx)
{
	HERE(sub_call);
	value = load_sub();
	return 0;
}

int global_sub_line;

__noinline int global_store_sub(int n)
{
	__u64 *p = arena_ptr(arena, address);

	HERE(global_sub);
	*p = n;
	return n;
}

SEC("syscall")
int global_subprog(void *ctx)
{
	value = global_store_sub(1);
	return 0;
}

int loop_cb_line;

static long loop_cb(__u32 i, void *ctx)
{
	__u64 *p = arena_ptr(arena, address);

	HERE(loop_cb);
	value = *p;
	return 0;
}

__u32 loops = 1;

SEC("syscall")
int loop(void *ctx)
{
	bpf_loop(loops, loop_cb, NULL, 0);
	return 0;
}

int elem_cb_line;

static long elem_cb(struct bpf_map *map, int *key, int *elem, void *ctx)
{
	__u64 *p = arena_ptr(arena, address);

	HERE(elem_cb);
	*p = *key;
	return 0;
}

SEC("syscall")
int each_elem(void *ctx)
{
	bpf_for_each_map_elem(&elems, elem_cb, NULL, 0);
	return 0;
}

int timer_cb_line;

static int timer_cb(void *map, int *key, struct timed *t)
{
	__u64 *p = arena_ptr(arena, address);

	HERE(timer_cb);
	value = *p;
	timer_done = 1;
	return 0;
}

SEC("tc")
int timer(struct __sk_buff *skb)
{
	return start_timer(timer_cb);
}

/* Runs for a long time, so that the program is unloaded meanwhile */
int timer_runs;

static long faulting_cb(__u32 i, void *ctx)
{
	__u64 *p = arena_ptr(arena, address);

	value = *p;
	return 0;
}

static int long_timer_cb(void *map, int *key, struct timed *t)
{
	timer_runs = 1;
	bpf_loop(5000, faulting_cb, NULL, 0);
	return 0;
}

SEC("tc")
int long_timer(struct __sk_buff *skb)
{
	return start_timer(long_timer_cb);
}

int interrupt_line;
__u64 interrupt_faults, nmi_faults;

/* Run by the test and from a tracepoint that is hit in NMIs, so it is nested in itself */
SEC("?raw_tp")
int interrupt(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 *p = arena_ptr(arena, address);

	if (ctx->args[0] != address)
		__sync_fetch_and_add(&nmi_faults, 1);
	__sync_fetch_and_add(&interrupt_faults, 1);
	HERE(interrupt);
	value = *p;
	return 0;
}

/* Print that many lines into stderr in the first run, then fault in all runs */
__u64 filler;
#define FILLER "filler 0123456789012345678901234567890123456789012345678901234\n"

static long fill_cb(__u32 i, void *ctx)
{
	return bpf_stream_printk(STDERR, FILLER) ? 1 : 0;
}

SEC("syscall")
int fill(void *ctx)
{
	bpf_loop(filler, fill_cb, NULL, 0);
	filler = 0;
	bpf_loop(loops, loop_cb, NULL, 0);
	return 0;
}

extern void bpf_arena_free_pages(void *p__map, void *ptr__ign,
				 __u32 page_cnt) __weak __ksym;

SEC("syscall")
int free_page(void *ctx)
{
	bpf_arena_free_pages(&arena, (void *)address, 1);
	return 0;
}

/* Faults unrelated to the program's arena: loads through an untrusted kernel pointer */
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __weak __ksym;

SEC("syscall")
int other_fault(void *ctx)
{
	struct task_struct *t;

	asm volatile("" :: "r"(&arena));
	t = bpf_rdonly_cast((void *)address,
			    bpf_core_type_id_kernel(struct task_struct));
	value = t->pid;
	after++;
	return 0;
}
