// SPDX-License-Identifier: GPL-2.0
/*
 * Takes locks at random, on all CPUs and in all contexts at once. The data that a lock
 * protects is changed in steps, so that a violation of mutual exclusion shows.
 */
#include "res_lock.bpf.h"
#include "context.bpf.h"
#include "res_lock_stress.h"

struct guarded {
	struct bpf_res_spin_lock lock;
	__u32 inside;
	__u64 count;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, STRESS_LOCKS);
	__type(key, int);
	__type(value, struct guarded);
} locks SEC(".maps");

/* Atomic, to compare with */
__u64 taken[STRESS_LOCKS];
struct stress_errors errors[NR_CONTEXTS];
__u64 intrusions;
__u64 runs[NR_CONTEXTS];

static __always_inline void use(struct guarded *g, __u32 nr)
{
	__u64 count;
	int i;

	if (g->inside)
		__sync_fetch_and_add(&intrusions, 1);
	g->inside = 1;
	count = READ_ONCE(g->count);
	for (i = 0; i < 16; i++)
		barrier();
	WRITE_ONCE(g->count, count + 1);
	g->inside = 0;
	if (nr < STRESS_LOCKS)
		__sync_fetch_and_add(&taken[nr], 1);
}

static __always_inline void failed(__u32 c, int err)
{
	struct stress_errors *e;

	if (c >= NR_CONTEXTS)
		return;
	e = &errors[c];
	if (err == -35 /* EDEADLK */)
		__sync_fetch_and_add(&e->deadlocks, 1);
	else if (err == -110 /* ETIMEDOUT */)
		__sync_fetch_and_add(&e->timeouts, 1);
	else
		__sync_fetch_and_add(&e->others, 1);
}

/* The inner lock, in a separate function, with fewer paths for the verifier */
static __noinline int use_inner(struct guarded *g, __u32 nr, __u32 c, __u32 random)
{
	unsigned long flags;
	int err;

	if (random & 1) {
		err = bpf_res_spin_lock(&g->lock);
		if (!err) {
			use(g, nr);
			bpf_res_spin_unlock(&g->lock);
		}
	} else {
		err = bpf_res_spin_lock_irqsave(&g->lock, &flags);
		if (!err) {
			use(g, nr);
			bpf_res_spin_unlock_irqrestore(&g->lock, &flags);
		}
	}
	if (err)
		failed(c, err);
	return err;
}

/* One lock or two, mostly in order; otherwise most attempts would deadlock. */
static __noinline int take(__u32 c)
{
	__u32 random = bpf_get_prandom_u32();
	__u32 outer = random >> 4 & (STRESS_LOCKS - 1);
	__u32 inner = random >> 8 & (STRESS_LOCKS - 1);
	bool nested = random & 4;
	struct guarded *o, *i;
	unsigned long flags;
	__u32 swap;
	int err;

	if (random >> 16 & 15) {
		nested = nested && inner != outer;
		if (inner < outer) {
			swap = inner;
			inner = outer;
			outer = swap;
		}
	}
	o = bpf_map_lookup_elem(&locks, &outer);
	i = bpf_map_lookup_elem(&locks, &inner);
	if (!o || !i)
		return 1;

	if (random & 2) {
		err = bpf_res_spin_lock(&o->lock);
		if (!err) {
			use(o, outer);
			if (nested)
				use_inner(i, inner, c, random);
			bpf_res_spin_unlock(&o->lock);
		}
	} else {
		err = bpf_res_spin_lock_irqsave(&o->lock, &flags);
		if (!err) {
			use(o, outer);
			if (nested)
				use_inner(i, inner, c, random);
			bpf_res_spin_unlock_irqrestore(&o->lock, &flags);
		}
	}
	if (err)
		failed(c, err);
	return 0;
}

static long take_one(__u32 n, __u32 *c)
{
	return take(*c);
}

static __always_inline int take_many(__u32 n)
{
	__u32 c = context();

	if (c < NR_CONTEXTS)
		__sync_fetch_and_add(&runs[c], 1);
	return bpf_loop(n, take_one, &c, 0) == n ? 0 : 1;
}

SEC("syscall")
int in_task(void *ctx)
{
	return take_many(200);
}

struct timed {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, STRESS_CPUS);
	__type(key, int);
	__type(value, struct timed);
} timers SEC(".maps");

#define PERIOD_NS	(500 * 1000)
#define CPU_PINNED	2	/* BPF_F_TIMER_CPU_PIN */

int stop;

static int timer_cb(void *map, int *key, struct timed *t)
{
	take_many(10);
	if (!READ_ONCE(stop))
		bpf_timer_start(&t->timer, PERIOD_NS, CPU_PINNED);
	return 0;
}

/* On the CPU where it is started */
SEC("tc")
int in_softirq(struct __sk_buff *skb)
{
	int cpu = bpf_get_smp_processor_id();
	struct timed *t = bpf_map_lookup_elem(&timers, &cpu);

	if (!t)
		return 1;
	if (bpf_timer_init(&t->timer, &timers, 1 /* CLOCK_MONOTONIC */))
		return 2;
	if (bpf_timer_set_callback(&t->timer, timer_cb))
		return 3;
	return bpf_timer_start(&t->timer, PERIOD_NS, CPU_PINNED) ? 4 : 0;
}

static long cancel_one(__u32 cpu, void *ctx)
{
	struct timed *t = bpf_map_lookup_elem(&timers, &cpu);

	if (t)
		bpf_timer_cancel(&t->timer);
	return 0;
}

/* Wait for running timers. They no longer restart themselves. */
SEC("tc")
int cancel(struct __sk_buff *skb)
{
	return bpf_loop(STRESS_CPUS, cancel_one, NULL, 0) == STRESS_CPUS ? 0 : 1;
}

SEC("?raw_tp/nmi_handler")
int in_nmi(void *ctx)
{
	return take_many(10);
}

/* The lock words, when nothing is running */
int not_free;

static long check_lock(__u32 nr, void *ctx)
{
	struct guarded *g = bpf_map_lookup_elem(&locks, &nr);

	if (!g)
		return 1;
	not_free += !!lock_word(&g->lock);
	return 0;
}

SEC("syscall")
int check(void *ctx)
{
	return bpf_loop(STRESS_LOCKS, check_lock, NULL, 0) == STRESS_LOCKS ? 0 : 1;
}
