// SPDX-License-Identifier: GPL-2.0
/*
 * Programs that take locks on several CPUs and in several contexts, in an order in which
 * they wait for each other
 */
#include "res_lock.bpf.h"
#include "context.bpf.h"
#include "res_lock.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NR_LOCKS);
	__type(key, int);
	__type(value, struct locked);
} locks SEC(".maps");

struct actor actors[NR_ACTORS];

static __always_inline struct actor *actor(__u32 nr)
{
	struct actor *a;

	if (nr >= NR_ACTORS)
		return NULL;
	a = &actors[nr];
	/* Makes the compiler check the number before it is used */
	barrier_var(a);
	return a;
}

/* There is nothing to wait for */
static __always_inline bool wait_until_holds(int nr)
{
	struct actor *a = actor(nr);

	return !a || wait_for(READ_ONCE(a->holds));
}

static __always_inline bool wait_until_done(int nr)
{
	struct actor *a = actor(nr);

	return !a || wait_for(READ_ONCE(a->done));
}

static __always_inline struct locked *find(int nr)
{
	return bpf_map_lookup_elem(&locks, &nr);
}

static __always_inline int take(struct locked *l, bool irqsave, unsigned long *flags)
{
	if (irqsave)
		return bpf_res_spin_lock_irqsave(&l->lock, flags);
	return bpf_res_spin_lock(&l->lock);
}

static __always_inline void release(struct locked *l, bool irqsave, unsigned long *flags)
{
	if (irqsave)
		bpf_res_spin_unlock_irqrestore(&l->lock, flags);
	else
		bpf_res_spin_unlock(&l->lock);
}

static __always_inline void take_second(struct actor *me, struct locked *l, bool irqsave)
{
	unsigned long flags;
	int err;

	WRITE_ONCE(me->holds, 1);
	me->lost |= !wait_until_holds(me->meets);
	if (l) {
		err = take(l, irqsave, &flags);
		if (!err) {
			l->value++;
			release(l, irqsave, &flags);
		}
		me->second_err = err;
	}
	WRITE_ONCE(me->done, 1);
	me->lost |= !wait_until_done(me->sees_off);
}

static __always_inline void act(struct actor *me, bool irqsave)
{
	struct locked *first = find(me->first), *second = find(me->second);
	unsigned long flags;
	int err;

	me->cpu = bpf_get_smp_processor_id();
	me->context = context();
	if (second)
		me->second_addr = (__u64)&second->lock;
	if (!first) {
		take_second(me, second, irqsave);
		return;
	}

	me->first_addr = (__u64)&first->lock;
	err = take(first, irqsave, &flags);
	if (!err) {
		take_second(me, second, irqsave);
		first->value++;
		release(first, irqsave, &flags);
	}
	me->first_err = err;
}

static __noinline int act_plain(struct actor *me)
{
	if (!me)
		return 1;
	act(me, false);
	return 0;
}

static __noinline int act_irqsave(struct actor *me)
{
	if (!me)
		return 1;
	act(me, true);
	return 0;
}

static int run_actor(struct actor *me)
{
	if (me->irqsave)
		act_irqsave(me);
	else
		act_plain(me);
	WRITE_ONCE(me->ended, 1);
	return 0;
}

/* Wait for the actor that gives the cue */
static bool has_cue(struct actor *me)
{
	struct actor *other = actor(me->cue);

	return !other || READ_ONCE(other->holds);
}

SEC("syscall")
int in_task(int *nr)
{
	struct actor *me = actor(*nr);

	if (!me)
		return 1;
	me->started = 1;
	return run_actor(me);
}

struct timed {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NR_ACTORS);
	__type(key, int);
	__type(value, struct timed);
} timers SEC(".maps");

#define RETRY_NS	(1000 * 1000)
#define CPU_PINNED	2	/* BPF_F_TIMER_CPU_PIN */

static int timer_cb(void *map, int *nr, struct timed *t)
{
	struct actor *me = actor(*nr);

	if (!me)
		return 0;
	if (!has_cue(me)) {
		bpf_timer_start(&t->timer, RETRY_NS, CPU_PINNED);
		return 0;
	}
	me->started = 1;
	run_actor(me);
	return 0;
}

int timer_actor;
int timers_started[NR_ACTORS];

SEC("tc")
int in_softirq(struct __sk_buff *skb)
{
	int nr = timer_actor;
	struct timed *t = bpf_map_lookup_elem(&timers, &nr);

	if (!t)
		return 1;
	bpf_timer_init(&t->timer, &timers, 1 /* CLOCK_MONOTONIC */);
	if (bpf_timer_set_callback(&t->timer, timer_cb))
		return 2;
	if (bpf_timer_start(&t->timer, 0, CPU_PINNED))
		return 3;
	if (nr >= 0 && nr < NR_ACTORS)
		WRITE_ONCE(timers_started[nr], 1);
	return 0;
}

int nmi_actor = NOBODY;
__u32 nmi_cpu;

/*
 * After each handler of an NMI. If it has handled something, it was that of the backtrace,
 * and the task that has requested it no longer waits for this CPU.
 */
SEC("?raw_tp/nmi_handler")
int in_nmi(struct bpf_raw_tracepoint_args *ctx)
{
	struct actor *me = actor(nmi_actor);

	if (!me || !ctx->args[2] || bpf_get_smp_processor_id() != nmi_cpu ||
	    !has_cue(me) || __sync_lock_test_and_set(&me->started, 1))
		return 0;
	run_actor(me);
	return 0;
}

/* Return: number of locks that are not free, with both variants. */
int not_free;

static long check_lock(__u32 nr, void *ctx)
{
	struct locked *l = find(nr);
	unsigned long flags;

	if (!l)
		return 1;
	not_free += !!lock_word(&l->lock);
	if (bpf_res_spin_lock(&l->lock))
		not_free++;
	else
		bpf_res_spin_unlock(&l->lock);
	if (bpf_res_spin_lock_irqsave(&l->lock, &flags))
		not_free++;
	else
		bpf_res_spin_unlock_irqrestore(&l->lock, &flags);
	return 0;
}

SEC("syscall")
int check(void *ctx)
{
	not_free = 0;
	return bpf_loop(2, check_lock, NULL, 0) == 2 ? 0 : 1;
}
