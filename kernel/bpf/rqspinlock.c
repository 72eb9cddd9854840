// SPDX-License-Identifier: GPL-2.0
/*
 * Resilient queued spin locks
 *
 * BPF programs take locks in an order that nobody has proven to be right, in any
 * context. So these spin locks fail where others hang: when this CPU holds the
 * lock already (AA), when its holder waits for a lock of ours (ABBA), and else
 * after 250 ms.
 *
 * The lock
 * --------
 *
 * A lock is held as long as the lowest byte of its word is set. Whoever changes
 * it from 0 to RQSPINLOCK_LOCKED has the lock, by one atomic operation, whatever
 * else goes on: no mistake in all that follows can give the lock to two.
 *
 * The other bytes are the tail of a queue of waiters. It only serves to have them
 * take turns and spin on memory of their own. A lock that has a queue is not free
 * for the fast path, which expects the whole word to be 0.
 *
 * There is no bit for a first waiter beside the queue, as qspinlock has one: that
 * would be one more who can give up, in another way than the rest.
 *
 * The queue
 * ---------
 *
 * A doubly linked list, like that of osq_lock(): anyone can leave it at any time,
 * and the others stay as they were. Each CPU has one node, which is
 *
 *	last	the tail of the lock's word refers to it, @next is NULL or about
 *		to be set by a newcomer
 *	linked	its @prev's @next refers to it, or is about to
 *	head	it was granted the turn, or found the queue empty
 *
 * A waiter takes the lock when it is head and finds it free. Then, or when it has
 * given up, it leaves the queue. That is one procedure in either case: the head
 * grants the turn to the next in the queue, any other unlinks itself.
 *
 *	1. Take back @prev->next. Then @prev cannot leave, for it waits for a next
 *	   one or to be the last. If it is not ours, @prev is about to leave and
 *	   will make us head or give us another @prev.
 *	2. Take @next. Then the next one cannot leave, as its step 1 fails. Or,
 *	   being the last, make @prev the last and be done.
 *	3. Link @next and @prev, or make @next head.
 *
 * Each step may have to wait for the steps of a neighbour. So they run with
 * interrupts disabled.
 *
 * Every millisecond each waiter, head or not, looks whether the lock is free and
 * takes it out of turn. So nobody depends on a head that cannot run since it was
 * interrupted or its virtual CPU was descheduled. The interrupt may even be the
 * one that waits for a lock which somebody further back in the queue holds.
 *
 * Who cannot queue tries on and on to take the lock: NMIs, as they may have come
 * between two of the steps above; others that interrupt a waiter and find the
 * CPU's node in use; and all on architectures (or kernels for one CPU) without
 * queued spin locks. They make the same checks.
 *
 * Deadlocks
 * ---------
 *
 * The per-CPU table rqspinlock_held lists the locks of a CPU, whatever context
 * took them. As contexts nest, and locks are released in reverse order, it is a
 * stack. A lock is entered before it is tried, so that there is no moment at which
 * it is held and not listed. In the slow path its entry is marked as
 * RQSPINLOCK_WAITING. The mark is removed when the lock looks free, just before
 * trying to take it, and set again if that fails.
 *
 *	AA	the lock is among those below our own entry and not marked
 *	ABBA	another CPU's last entry is marked and one that we hold, and our lock
 *		is among those below that and not marked
 *
 * The second is read from a table that changes meanwhile. It is a deadlock only if
 * all that was seen belongs to one wait of the other CPU. Throughout a wait the
 * entries below do not change, and the wait cannot succeed, as we have what it is
 * for. So the number of the wait is read before and after.
 *
 * An entry is not marked for a moment before and after the lock is held. Whoever
 * interrupts the CPU just then and wants the lock while yet another CPU has it is
 * told of a deadlock where a wait would do.
 *
 * Locks beyond RQSPINLOCK_NR_HELD are counted only. A deadlock with one of them,
 * or of more than two CPUs, ends after 250 ms.
 *
 * Barriers
 * --------
 *
 * Those of the table. tools/testing/bpf_streams/litmus/deadlock.litmus has them all:
 *
 *	held:A	All that was before the wait is written before its number. Pairs with
 *		held:D: a reader that sees the number sees nothing of earlier waits.
 *	held:B	The wait's number is written before the mark. Pairs with held:F: a
 *		reader that sees the mark of a later wait also sees its number.
 *	held:C	An entry is written after all earlier changes of the table. Pairs with
 *		held:E: a reader that sees an entry newer than the wait also sees that
 *		the wait is over.
 *	held:D	Reads the number before the rest.
 *	held:E	Reads the last entry again after all the rest.
 *	held:F	Reads the number again after the last entry.
 *
 * Those of the queue:
 *
 *	E	A node is initialised before it is found by way of the tail. Pairs with
 *		itself, in the next one's enqueueing.
 *	F	@prev is set before @prev->next: who takes @next in step 2 may write
 *		to the next one's @prev. Pairs with the xchg() of step 2. And @next->prev
 *		is set before @prev->next, in step 3, for the same reason.
 *	G	Who grants the turn is done with the head's node. Pairs with itself, in
 *		the new head's step 1.
 *
 * Taking the lock is an acquire, releasing it a release operation. The queue does
 * not order anything but itself.
 */
#include <linux/atomic.h>
#include <linux/bpf.h>
#include <linux/build_bug.h>
#include <linux/cpumask.h>
#include <linux/hardirq.h>
#include <linux/irqflags.h>
#include <linux/minmax.h>
#include <linux/percpu.h>
#include <linux/rqspinlock.h>
#include <linux/smp.h>
#include <linux/time64.h>
#include <linux/timekeeping.h>
#include <trace/events/lock.h>

#define RQSPINLOCK_TIMEOUT_NS (NSEC_PER_SEC / 4)

/* Time between two looks at what other CPUs do */
#define RQSPINLOCK_TICK_NS NSEC_PER_MSEC

/* Turns of a loop between two looks at the clock */
#define RQSPINLOCK_SPINS 128

#define RQSPINLOCK_LOCKED_MASK 0xff
#define RQSPINLOCK_TAIL_SHIFT 8

DEFINE_PER_CPU_ALIGNED(struct rqspinlock_held, rqspinlock_held);
EXPORT_PER_CPU_SYMBOL_GPL(rqspinlock_held);

/**
 * struct rqspinlock_node - a CPU in the queue for a lock
 * @next: the one behind, if it is known yet
 * @prev: the one in front, unless we are head
 * @tail: what the tail of the lock is when we are last
 * @head: it is our turn
 * @busy: the node is in use
 */
struct rqspinlock_node {
	struct rqspinlock_node *next;
	struct rqspinlock_node *prev;
	int tail;
	bool head;
	bool busy;
};

static DEFINE_PER_CPU_SHARED_ALIGNED(struct rqspinlock_node, rqspinlock_node);

/**
 * struct rqspinlock_waiter - an attempt to take a lock that is not free
 * @lock: the lock
 * @entry: its entry in the CPU's table, or NULL if there was no room
 * @start: when the wait began
 * @tick: time of the last look at what other CPUs do
 * @spins: turns since the last look at the clock
 */
struct rqspinlock_waiter {
	struct rqspinlock *lock;
	unsigned long *entry;
	u64 start;
	u64 tick;
	unsigned int spins;
};

/* Number of entries that a table has. */
static unsigned int held_entries(const struct rqspinlock_held *held)
{
	return min(READ_ONCE(held->nr), RQSPINLOCK_NR_HELD);
}

/* Does the table's CPU hold @lock, other than as its entry number @end or later? */
static bool held_has(const struct rqspinlock_held *held, unsigned long lock,
		     unsigned int end)
{
	unsigned int i;

	for (i = 0; i < end; i++)
		if (READ_ONCE(held->locks[i]) == lock)
			return true;

	return false;
}

/*
 * Does the CPU of @other hold @lock, and wait for one that @ours holds?
 *
 * What is above the entry of the wait belongs to who interrupted it, and changes.
 */
static bool held_deadlocks(const struct rqspinlock_held *ours, unsigned long lock,
			   const struct rqspinlock_held *other)
{
	unsigned int wait = smp_load_acquire(&other->waits); /* held:D */
	unsigned int nr = READ_ONCE(other->nr);
	unsigned long waiting;

	if (!nr || nr > RQSPINLOCK_NR_HELD)
		return false;

	waiting = READ_ONCE(other->locks[nr - 1]);
	if (!(waiting & RQSPINLOCK_WAITING))
		return false;

	if (!held_has(ours, waiting & ~RQSPINLOCK_WAITING, held_entries(ours)) ||
	    !held_has(other, lock, nr - 1))
		return false;

	smp_rmb(); /* held:E */
	if (smp_load_acquire(&other->locks[nr - 1]) != waiting) /* held:F */
		return false;

	return READ_ONCE(other->waits) == wait;
}

static bool rqspinlock_is_abba(const struct rqspinlock *lock)
{
	const struct rqspinlock_held *ours = this_cpu_ptr(&rqspinlock_held);
	int cpu;

	/* This lock's own entry is one. */
	if (READ_ONCE(ours->nr) == 1)
		return false;

	for_each_possible_cpu(cpu) {
		if (cpu == smp_processor_id())
			continue;
		if (held_deadlocks(ours, (unsigned long)lock,
				   per_cpu_ptr(&rqspinlock_held, cpu)))
			return true;
	}

	return false;
}

static bool rqspinlock_is_aa(const struct rqspinlock *lock)
{
	const struct rqspinlock_held *ours = this_cpu_ptr(&rqspinlock_held);

	return held_has(ours, (unsigned long)lock,
			min(READ_ONCE(ours->nr) - 1, RQSPINLOCK_NR_HELD));
}

/* Tells other CPUs and whoever interrupts us that the lock is not ours. */
static void rqspinlock_set_waiting(const struct rqspinlock_waiter *w)
{
	if (w->entry)
		WRITE_ONCE(*w->entry, (unsigned long)w->lock | RQSPINLOCK_WAITING);
}

static void rqspinlock_set_held(const struct rqspinlock_waiter *w)
{
	if (w->entry)
		WRITE_ONCE(*w->entry, (unsigned long)w->lock);
}

static void rqspinlock_begin_wait(struct rqspinlock_waiter *w)
{
	struct rqspinlock_held *held = this_cpu_ptr(&rqspinlock_held);
	unsigned int nr = READ_ONCE(held->nr);

	/* The mark is not part of an address. */
	BUILD_BUG_ON(__alignof__(struct rqspinlock) <= RQSPINLOCK_WAITING);

	if (nr <= RQSPINLOCK_NR_HELD)
		w->entry = &held->locks[nr - 1];
	w->start = ktime_get_mono_fast_ns();
	w->tick = w->start;

	/* Whoever interrupts us may count as well. */
	smp_wmb(); /* held:A */
	this_cpu_inc(rqspinlock_held.waits);
	smp_wmb(); /* held:B */
	rqspinlock_set_waiting(w);
}

static bool rqspinlock_is_locked(struct rqspinlock *lock)
{
	return atomic_read(&lock->val) & RQSPINLOCK_LOCKED_MASK;
}

static bool rqspinlock_try(const struct rqspinlock_waiter *w)
{
	if (rqspinlock_is_locked(w->lock))
		return false;

	rqspinlock_set_held(w);
	barrier();
	if (!(atomic_fetch_or_acquire(RQSPINLOCK_LOCKED, &w->lock->val) &
	      RQSPINLOCK_LOCKED_MASK))
		return true;

	rqspinlock_set_waiting(w);

	return false;
}

static bool rqspinlock_ticks(struct rqspinlock_waiter *w)
{
	u64 now;

	if (++w->spins < RQSPINLOCK_SPINS)
		return false;

	w->spins = 0;
	now = ktime_get_mono_fast_ns();
	/* The clock of an NMI may be a little behind. */
	if ((s64)(now - w->tick) < (s64)RQSPINLOCK_TICK_NS)
		return false;

	w->tick = now;

	return true;
}

/* Spin until the lock is ours or there is no hope. @node is NULL without a queue. */
static int rqspinlock_spin(struct rqspinlock_waiter *w, const struct rqspinlock_node *node)
{
	for (;;) {
		bool ticks = rqspinlock_ticks(w);

		if ((!node || READ_ONCE(node->head) || ticks) && rqspinlock_try(w))
			return 0;

		if (ticks) {
			if (rqspinlock_is_abba(w->lock))
				return -EDEADLK;
			if (w->tick - w->start >= RQSPINLOCK_TIMEOUT_NS)
				return -ETIMEDOUT;
		}
		cpu_relax();
	}
}

static void rqspinlock_enqueue(struct rqspinlock *lock, struct rqspinlock_node *node)
{
	struct rqspinlock_node *prev;
	unsigned long flags;
	int old, new;

	/* CPU numbers and one must fit. */
	BUILD_BUG_ON(CONFIG_NR_CPUS >= 1 << (32 - RQSPINLOCK_TAIL_SHIFT));

	node->next = NULL;
	node->prev = NULL;
	node->head = false;
	WRITE_ONCE(node->tail, (smp_processor_id() + 1) << RQSPINLOCK_TAIL_SHIFT);

	raw_local_irq_save(flags);
	old = atomic_read(&lock->val);
	do {
		new = node->tail | (old & RQSPINLOCK_LOCKED_MASK);
	} while (!atomic_try_cmpxchg(&lock->val, &old, new)); /* E */

	if (old & ~RQSPINLOCK_LOCKED_MASK) {
		prev = per_cpu_ptr(&rqspinlock_node,
				   ((u32)old >> RQSPINLOCK_TAIL_SHIFT) - 1);
		WRITE_ONCE(node->prev, prev);
		smp_store_release(&prev->next, node); /* F */
	} else {
		WRITE_ONCE(node->head, true);
	}
	raw_local_irq_restore(flags);
}

/* Change the tail from @node to @prev, or to none. */
static bool rqspinlock_unset_tail(struct rqspinlock *lock,
				  const struct rqspinlock_node *node,
				  const struct rqspinlock_node *prev)
{
	int tail = prev ? READ_ONCE(prev->tail) : 0;
	int old = atomic_read(&lock->val);

	while ((old & ~RQSPINLOCK_LOCKED_MASK) == node->tail) {
		if (atomic_try_cmpxchg(&lock->val, &old,
				       tail | (old & RQSPINLOCK_LOCKED_MASK)))
			return true;
	}

	return false;
}

/* Step 1. Returns NULL if we are head, or have become it. */
static struct rqspinlock_node *rqspinlock_take_prev(struct rqspinlock_node *node)
{
	while (!smp_load_acquire(&node->head)) { /* G */
		struct rqspinlock_node *prev = READ_ONCE(node->prev);

		if (READ_ONCE(prev->next) == node &&
		    cmpxchg(&prev->next, node, NULL) == node)
			return prev;

		cpu_relax();
	}

	return NULL;
}

/* Step 2. Returns NULL if we were the last. */
static struct rqspinlock_node *rqspinlock_take_next(struct rqspinlock *lock,
						    struct rqspinlock_node *node,
						    struct rqspinlock_node *prev)
{
	struct rqspinlock_node *next;

	for (;;) {
		if (rqspinlock_unset_tail(lock, node, prev))
			return NULL;

		if (READ_ONCE(node->next)) {
			next = xchg(&node->next, NULL);
			if (next)
				return next;
		}

		cpu_relax();
	}
}

static void rqspinlock_leave(struct rqspinlock *lock, struct rqspinlock_node *node)
{
	struct rqspinlock_node *prev, *next;
	unsigned long flags;

	raw_local_irq_save(flags);
	prev = rqspinlock_take_prev(node);
	next = rqspinlock_take_next(lock, node, prev);
	/* Step 3. */
	if (next && prev) {
		WRITE_ONCE(next->prev, prev);
		smp_store_release(&prev->next, next); /* F */
	} else if (next) {
		smp_store_release(&next->head, true); /* G */
	}
	raw_local_irq_restore(flags);
}

static int rqspinlock_wait(struct rqspinlock_waiter *w)
{
	struct rqspinlock_node *node = this_cpu_ptr(&rqspinlock_node);
	int err;

	if (!IS_ENABLED(CONFIG_QUEUED_SPINLOCKS) || in_nmi() ||
	    READ_ONCE(node->busy))
		return rqspinlock_spin(w, NULL);

	/* Whoever interrupts us in between clears it again. */
	WRITE_ONCE(node->busy, true);
	barrier();
	rqspinlock_enqueue(w->lock, node);
	err = rqspinlock_spin(w, node);
	rqspinlock_leave(w->lock, node);
	barrier();
	WRITE_ONCE(node->busy, false);

	return err;
}

/**
 * res_spin_lock_slowpath - wait for a lock that was not free
 * @lock: the lock, which the CPU's table lists already
 *
 * Context: Any, NMI included, with preemption disabled.
 * Return: As res_spin_lock(). After an error @lock is no longer listed.
 */
int res_spin_lock_slowpath(struct rqspinlock *lock)
{
	struct rqspinlock_waiter w = { .lock = lock };
	int err = -EDEADLK;

	BUILD_BUG_ON(sizeof(struct rqspinlock) != sizeof(u32));

	rqspinlock_begin_wait(&w);
	trace_contention_begin(lock, LCB_F_SPIN);
	if (!rqspinlock_is_aa(lock) && !rqspinlock_is_abba(lock))
		err = rqspinlock_wait(&w);
	trace_contention_end(lock, err);

	if (err)
		rqspinlock_pop();

	return err;
}
EXPORT_SYMBOL_GPL(res_spin_lock_slowpath);
