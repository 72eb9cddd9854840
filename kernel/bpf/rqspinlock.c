// SPDX-License-Identifier: GPL-2.0
/*
 * Resilient queued spin locks
 *
 * BPF programs take locks in any context, in an order that is not verified to be
 * free of deadlocks. So these spin locks fail where others hang: if this CPU
 * already holds the lock (AA), if its holder waits for a lock of this CPU (ABBA),
 * and otherwise after 250 ms.
 *
 * The lock
 * --------
 *
 * A lock is held while the lowest byte of its word is set. The context that changes
 * it from 0 to RQSPINLOCK_LOCKED, by one atomic operation, has the lock: a bug in
 * the queue cannot break mutual exclusion.
 *
 * The other bytes are the tail of a queue of waiters, which makes waiters take turns
 * and spin on memory of their own. The fast path expects the whole word to be 0, so
 * it fails if there is a queue.
 *
 * Unlike qspinlock there is no pending bit for a first waiter beside the queue, which
 * would need another procedure for giving up.
 *
 * The queue
 * ---------
 *
 * A doubly linked list, like that of osq_lock(): a waiter can leave at any time
 * without affecting the others. Each CPU has one node, which is
 *
 *	last	the tail in the lock's word refers to it, @next is NULL or about
 *		to be set by a new waiter
 *	linked	its @prev's @next refers to it, or is about to
 *	head	it was made head by the node before it, or found the queue empty
 *
 * A waiter takes the lock when it is head and the lock is free. Then, or when it
 * gives up, it leaves the queue by the same procedure in both cases: the head makes
 * the next node head, any other node unlinks itself.
 *
 *	1. Reset @prev->next to NULL. Then @prev cannot leave until it has a next
 *	   node or is the last. If @prev->next was not this node, @prev is about to
 *	   leave and will make this node head or give it another @prev.
 *	2. Take @next. Then the next node cannot leave, as its step 1 fails. The
 *	   last node makes @prev the last instead, and is done.
 *	3. Link @next and @prev, or make @next head.
 *
 * Step 1 or 2 may fail because a neighbour is in the middle of its own steps. Then
 * the waiter undoes its steps and retries. So the steps run with interrupts disabled,
 * and none of them waits.
 *
 * Every millisecond each waiter, head or not, tests if the lock is free, and takes it
 * out of turn. So waiters do not depend on a head that cannot run because it was
 * interrupted or its virtual CPU was descheduled. The interrupt may even wait for a
 * lock that is held by another waiter in the queue.
 *
 * Contexts that cannot queue spin on trylock: NMIs, as disabling interrupts does not
 * protect the CPU's node from them; contexts that interrupt a waiter and find the node
 * in use; and all contexts on architectures, or kernels for one CPU, without queued
 * spin locks. They make the same checks.
 *
 * A context that interrupts the steps themselves (an NMI or a breakpoint) does not
 * wait, and fails with -EDEADLK unless the lock is free: other waiters cannot leave
 * the queue before the steps are completed, and one of them may hold the lock.
 *
 * Damaged queues
 * --------------
 *
 * The storage of a lock may be reused while programs still hold it or wait for it: a hash
 * table reuses elements immediately. It does not change the lock, but other users may set
 * the word, including the tail of the queue, to 0 at any time. The queue is then split in
 * two, and the last node of the old half does not know that it is the last. So the
 * queue is only relied on for the order of waiters:
 *
 * - Waiting for a neighbour is bounded. A waiter that fails to leave after
 *   RQSPINLOCK_LEAVE_TRIES tries abandons its node, after making @next head. Its CPU
 *   reuses the node after an RCU grace period, and does not queue until then. Waiters
 *   are RCU readers, as they have preemption disabled, so by then no waiter has a
 *   reference to the node. New waiters do not get one: @lock shows that the node is not
 *   in their queue, and @next is RQSPINLOCK_NODE_LEFT. They become head.
 * - A waiter whose @prev has abandoned its node becomes head at its next check.
 * - A tail that refers to an invalid CPU, or to one that is not in the queue, is
 *   ignored.
 * - A second head, or a missing one, is not a problem: the lock is taken by the same
 *   atomic operation, and waiters that are not head test it every millisecond.
 *
 * A node of an intact queue is abandoned, too, if the CPU of a neighbour is stopped for
 * that long in the middle of its steps. This is equally harmless.
 *
 * All other waits are bounded by the clock, ktime_get_mono_fast_ns(). It stops only
 * while the system is suspended. Then a single CPU runs, and all locks that are taken
 * are in its own table.
 *
 * Deadlocks
 * ---------
 *
 * The per-CPU table rqspinlock_held lists the locks of a CPU, from all contexts. As
 * contexts nest and locks are released in reverse order, it is a stack. A lock is
 * added before trying to take it, so that a held lock is always listed. In the slow
 * path its entry is marked with RQSPINLOCK_WAITING. The mark is removed when the lock
 * is observed to be free, just before trying to take it, and set again if that fails.
 *
 *	AA	the lock is among the unmarked entries below that of this attempt
 *	ABBA	the last entry of another CPU is marked and is a lock that this CPU
 *		holds, and the lock is among the unmarked entries below that
 *
 * For ABBA the table of the other CPU is read while it may change. There is a deadlock
 * only if all loads belong to one wait of the other CPU. During a wait the entries
 * below do not change, and the wait cannot succeed, as this CPU holds the lock. So the
 * number of the wait is loaded before and after.
 *
 * An entry is unmarked for a short time before and after the lock is held. A context
 * that interrupts the CPU there and takes the same lock, which a third CPU holds, gets
 * -EDEADLK although waiting would have succeeded.
 *
 * Locks beyond RQSPINLOCK_NR_HELD are only counted. A deadlock that involves one of
 * them, or more than two CPUs, ends after 250 ms.
 *
 * Tracing
 * -------
 *
 * This file is compiled without tracing, and functions that do more than read tables
 * cannot be probed. A program that is attached here and takes such a lock would enter
 * the slow path again, while the lock is neither held nor marked, and detect a deadlock
 * by mistake. In the steps of the queue it would delay other CPUs. Programs can take a
 * lock at the tracepoints contention_begin and contention_end: the entry is marked
 * there, and the node is not in use.
 *
 * Barriers
 * --------
 *
 * For the table; all of them are in tools/testing/bpf_streams/litmus/deadlock.litmus:
 *
 *	held:A	Everything before the wait is stored before its number. Pairs with
 *		held:D: a reader that observes the number does not observe anything
 *		of earlier waits.
 *	held:B	The wait's number is stored before the mark. Pairs with held:F: a
 *		reader that observes the mark of a later wait also observes its number.
 *	held:C	An entry is stored after all earlier changes of the table. Pairs with
 *		held:E: a reader that observes an entry newer than the wait also
 *		observes that the wait is over.
 *	held:D	Loads the number before everything else.
 *	held:E	Loads the last entry again after everything else.
 *	held:F	Loads the number again after the last entry.
 *
 * For the queue:
 *
 *	queue:A	A node is initialized before it can be reached through the tail
 *		(enqueue.litmus).
 *	queue:B	@prev is stored before @prev->next: after its step 2 the previous node
 *		may store to the @prev of the next one (link.litmus).
 *	queue:C	The same, in step 3 (unlink.litmus).
 *	queue:D	Stores of others to the head's node are ordered before the next node
 *		is made head, and so before the node is reused (grant.litmus).
 *	queue:E	@lock changes after the former neighbours were linked to each other.
 *		Pairs with queue:F: a waiter that observes another @lock in the
 *		previous node also observes its own new @prev (gone.litmus).
 *	queue:F	Loads @lock of @prev before it loads @prev again.
 *
 * Taking the lock is an acquire operation, releasing it is a release operation. The
 * queue orders only itself.
 */
#include <linux/atomic.h>
#include <linux/bpf.h>
#include <linux/build_bug.h>
#include <linux/cpumask.h>
#include <linux/hardirq.h>
#include <linux/irqflags.h>
#include <linux/kprobes.h>
#include <linux/minmax.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/rqspinlock.h>
#include <linux/smp.h>
#include <linux/time64.h>
#include <linux/timekeeping.h>
#include <trace/events/lock.h>

#define RQSPINLOCK_TIMEOUT_NS (NSEC_PER_SEC / 4)

/* Time between two checks for deadlocks */
#define RQSPINLOCK_TICK_NS NSEC_PER_MSEC

/* Iterations between two checks of the clock */
#define RQSPINLOCK_SPINS 128

/* Tries to leave the queue before the node is abandoned; well below a millisecond */
#define RQSPINLOCK_LEAVE_TRIES 4096

#define RQSPINLOCK_LOCKED_MASK 0xff
#define RQSPINLOCK_TAIL_SHIFT 8

DEFINE_PER_CPU_ALIGNED(struct rqspinlock_held, rqspinlock_held);
EXPORT_PER_CPU_SYMBOL_GPL(rqspinlock_held);

/**
 * struct rqspinlock_node - a CPU in the queue for a lock
 * @next: the next node, if known yet; %RQSPINLOCK_NODE_LEFT if abandoned
 * @prev: the previous node, unless this is head
 * @lock: the lock in whose queue the node is
 * @tail: tail of the lock's word if this node is last
 * @gp: grace period after which an abandoned node can be reused
 * @head: the waiter may take the lock
 * @busy: the node is in use, or abandoned
 * @abandoned: others may still refer to the node
 * @stepping: the queue is being changed, with interrupts disabled
 */
struct rqspinlock_node {
	struct rqspinlock_node *next;
	struct rqspinlock_node *prev;
	struct rqspinlock *lock;
	int tail;
	unsigned long gp;
	bool head;
	bool busy;
	bool abandoned;
	bool stepping;
};

#define RQSPINLOCK_NODE_LEFT ((struct rqspinlock_node *)1UL)

static DEFINE_PER_CPU_SHARED_ALIGNED(struct rqspinlock_node, rqspinlock_node);

/**
 * struct rqspinlock_waiter - an attempt to take a lock that is not free
 * @lock: the lock
 * @entry: its entry in the CPU's table, or NULL if there was no room
 * @start: time at which the wait began
 * @tick: time of the last check for deadlocks
 * @spins: iterations since the last check of the clock
 */
struct rqspinlock_waiter {
	struct rqspinlock *lock;
	unsigned long *entry;
	u64 start;
	u64 tick;
	unsigned int spins;
};

/* Return: number of entries of the table. */
static unsigned int held_entries(const struct rqspinlock_held *held)
{
	return min(READ_ONCE(held->nr), RQSPINLOCK_NR_HELD);
}

/* Test if @lock is among the first @end entries of the table, unmarked. */
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
 * Test if the CPU of @other holds @lock and waits for a lock that is held in @ours.
 *
 * If the wait is interrupted, entries above its own are added and removed.
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

	/* The only entry is that of this attempt. */
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

/* Let other CPUs, and contexts that interrupt this one, know that the lock is not held. */
static nokprobe_inline void rqspinlock_set_waiting(const struct rqspinlock_waiter *w)
{
	if (w->entry)
		WRITE_ONCE(*w->entry, (unsigned long)w->lock | RQSPINLOCK_WAITING);
}

static nokprobe_inline void rqspinlock_set_held(const struct rqspinlock_waiter *w)
{
	if (w->entry)
		WRITE_ONCE(*w->entry, (unsigned long)w->lock);
}

static nokprobe_inline void rqspinlock_begin_wait(struct rqspinlock_waiter *w)
{
	struct rqspinlock_held *held = this_cpu_ptr(&rqspinlock_held);
	unsigned int nr = READ_ONCE(held->nr);

	/* The mark is not part of an address. */
	BUILD_BUG_ON(__alignof__(struct rqspinlock) <= RQSPINLOCK_WAITING);

	if (nr <= RQSPINLOCK_NR_HELD)
		w->entry = &held->locks[nr - 1];
	w->start = ktime_get_mono_fast_ns();
	w->tick = w->start;

	/* An atomic increment, as contexts that interrupt this one increment it, too */
	smp_wmb(); /* held:A */
	this_cpu_inc(rqspinlock_held.waits);
	smp_wmb(); /* held:B */
	rqspinlock_set_waiting(w);
}

static nokprobe_inline bool rqspinlock_is_locked(struct rqspinlock *lock)
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
NOKPROBE_SYMBOL(rqspinlock_try);

static bool rqspinlock_ticks(struct rqspinlock_waiter *w)
{
	u64 now;

	if (++w->spins < RQSPINLOCK_SPINS)
		return false;

	w->spins = 0;
	now = ktime_get_mono_fast_ns();
	/* Signed, as the clock may be slightly behind in NMI. */
	if ((s64)(now - w->tick) < (s64)RQSPINLOCK_TICK_NS)
		return false;

	w->tick = now;

	return true;
}

/*
 * Return: the node before @node, or NULL if @node is head. If the previous node was
 * abandoned, @node becomes head; but not if the previous node has left after giving it
 * another @prev, and may be in another queue now.
 */
static nokprobe_inline struct rqspinlock_node *
rqspinlock_front(const struct rqspinlock *lock, struct rqspinlock_node *node)
{
	struct rqspinlock_node *prev;

	if (smp_load_acquire(&node->head)) /* the previous node no longer uses this one */
		return NULL;

	prev = READ_ONCE(node->prev);
	if (smp_load_acquire(&prev->lock) == lock || /* queue:F */
	    READ_ONCE(node->prev) != prev)
		return prev;

	WRITE_ONCE(node->head, true);

	return NULL;
}

/* Spin until the lock is taken or waiting fails. @node is NULL if not queued. */
static int rqspinlock_spin(struct rqspinlock_waiter *w, struct rqspinlock_node *node)
{
	for (;;) {
		bool ticks = rqspinlock_ticks(w);

		if (node && ticks)
			rqspinlock_front(w->lock, node);

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

static nokprobe_inline unsigned long rqspinlock_begin_steps(struct rqspinlock_node *node)
{
	unsigned long flags;

	raw_local_irq_save(flags);
	WRITE_ONCE(node->stepping, true);
	barrier();

	return flags;
}

static nokprobe_inline void rqspinlock_end_steps(struct rqspinlock_node *node,
						 unsigned long flags)
{
	barrier();
	WRITE_ONCE(node->stepping, false);
	raw_local_irq_restore(flags);
}

/* Return: the last node of the queue, by the lock's word @old; NULL if none or @node. */
static nokprobe_inline struct rqspinlock_node *
rqspinlock_last(const struct rqspinlock *lock, const struct rqspinlock_node *node, int old)
{
	unsigned int cpu = ((u32)old >> RQSPINLOCK_TAIL_SHIFT) - 1;
	struct rqspinlock_node *last;

	if (cpu >= nr_cpu_ids || !cpu_possible(cpu))
		return NULL;

	last = per_cpu_ptr(&rqspinlock_node, cpu);
	if (last == node || READ_ONCE(last->lock) != lock)
		return NULL;

	return last;
}

/* Fails if @prev is NULL or has been abandoned. */
static nokprobe_inline bool rqspinlock_link(struct rqspinlock_node *node,
					    struct rqspinlock_node *prev)
{
	if (!prev)
		return false;

	WRITE_ONCE(node->prev, prev);

	return !cmpxchg(&prev->next, NULL, node); /* queue:B */
}

static void rqspinlock_enqueue(struct rqspinlock *lock, struct rqspinlock_node *node)
{
	unsigned long flags;
	int old, new;

	/* The tail is a CPU number plus one. */
	BUILD_BUG_ON(CONFIG_NR_CPUS >= 1 << (32 - RQSPINLOCK_TAIL_SHIFT));

	WRITE_ONCE(node->next, NULL);
	WRITE_ONCE(node->prev, NULL);
	WRITE_ONCE(node->head, false);
	WRITE_ONCE(node->tail, (smp_processor_id() + 1) << RQSPINLOCK_TAIL_SHIFT);
	smp_store_release(&node->lock, lock); /* queue:E */

	flags = rqspinlock_begin_steps(node);
	old = atomic_read(&lock->val);
	do {
		new = node->tail | (old & RQSPINLOCK_LOCKED_MASK);
	} while (!atomic_try_cmpxchg(&lock->val, &old, new)); /* queue:A */

	if (!rqspinlock_link(node, rqspinlock_last(lock, node, old)))
		WRITE_ONCE(node->head, true);
	rqspinlock_end_steps(node, flags);
}
NOKPROBE_SYMBOL(rqspinlock_enqueue);

static nokprobe_inline bool rqspinlock_is_tail(const struct rqspinlock_node *node, int val)
{
	return (val & ~RQSPINLOCK_LOCKED_MASK) == node->tail;
}

/* Change the tail from @node to @prev, or to 0 without @prev. */
static nokprobe_inline bool rqspinlock_unset_tail(struct rqspinlock *lock,
						  const struct rqspinlock_node *node,
						  const struct rqspinlock_node *prev)
{
	int tail = prev ? READ_ONCE(prev->tail) : 0;
	int old = atomic_read(&lock->val);

	while (rqspinlock_is_tail(node, old)) {
		if (atomic_try_cmpxchg(&lock->val, &old,
				       tail | (old & RQSPINLOCK_LOCKED_MASK)))
			return true;
	}

	return false;
}

/* Steps 1 to 3, or none of them if a neighbour is in the middle of its own. */
static nokprobe_inline bool rqspinlock_unlink(struct rqspinlock *lock,
					      struct rqspinlock_node *node)
{
	struct rqspinlock_node *prev, *next;

	/* It would fail, so do not access @prev's cache line. */
	if (!READ_ONCE(node->next) && !rqspinlock_is_tail(node, atomic_read(&lock->val)))
		return false;

	prev = rqspinlock_front(lock, node);
	if (prev && cmpxchg(&prev->next, node, NULL) != node)
		return false;

	if (rqspinlock_unset_tail(lock, node, prev))
		return true;

	next = xchg(&node->next, NULL); /* queue:D */
	if (!next) {
		if (prev)
			smp_store_release(&prev->next, node); /* undo step 1 */
		return false;
	}

	if (prev) {
		WRITE_ONCE(next->prev, prev);
		smp_store_release(&prev->next, next); /* queue:C */
	} else {
		WRITE_ONCE(next->head, true);
	}

	return true;
}

static bool rqspinlock_try_leave(struct rqspinlock *lock, struct rqspinlock_node *node)
{
	unsigned long flags = rqspinlock_begin_steps(node);
	bool left = rqspinlock_unlink(lock, node);

	rqspinlock_end_steps(node, flags);

	return left;
}
NOKPROBE_SYMBOL(rqspinlock_try_leave);

/* See "Damaged queues" above. The node stays busy. */
static void rqspinlock_abandon(struct rqspinlock *lock, struct rqspinlock_node *node)
{
	unsigned long flags = rqspinlock_begin_steps(node);
	struct rqspinlock_node *next;

	smp_store_release(&node->lock, NULL); /* queue:E */
	next = xchg(&node->next, RQSPINLOCK_NODE_LEFT);
	if (next)
		WRITE_ONCE(next->head, true);
	else
		rqspinlock_unset_tail(lock, node, NULL);
	rqspinlock_end_steps(node, flags);

	WRITE_ONCE(node->gp, get_state_synchronize_rcu());
	barrier();
	WRITE_ONCE(node->abandoned, true);
}
NOKPROBE_SYMBOL(rqspinlock_abandon);

static void rqspinlock_leave(struct rqspinlock *lock, struct rqspinlock_node *node)
{
	unsigned int tries;

	for (tries = 0; tries < RQSPINLOCK_LEAVE_TRIES; tries++) {
		if (rqspinlock_try_leave(lock, node)) {
			smp_store_release(&node->lock, NULL); /* queue:E */
			WRITE_ONCE(node->busy, false);
			return;
		}
		cpu_relax();
	}

	rqspinlock_abandon(lock, node);
}

/*
 * Get the CPU's node, unless an interrupted context uses it. A context that interrupts
 * this one before the second check may have used and abandoned the node; @gp has changed
 * then.
 */
static bool rqspinlock_claim(struct rqspinlock_node *node)
{
	unsigned long flags, gp = READ_ONCE(node->gp);
	bool passed, claimed;

	passed = READ_ONCE(node->abandoned) && poll_state_synchronize_rcu(gp);

	raw_local_irq_save(flags);
	claimed = !node->busy || (passed && node->abandoned && node->gp == gp);
	if (claimed) {
		WRITE_ONCE(node->busy, true);
		WRITE_ONCE(node->abandoned, false);
	}
	raw_local_irq_restore(flags);

	return claimed;
}

static int rqspinlock_wait(struct rqspinlock_waiter *w)
{
	struct rqspinlock_node *node = this_cpu_ptr(&rqspinlock_node);
	int err;

	if (!IS_ENABLED(CONFIG_QUEUED_SPINLOCKS))
		return rqspinlock_spin(w, NULL);

	/* The holder of the lock may be waiting in the interrupted queue. */
	if (READ_ONCE(node->stepping))
		return rqspinlock_try(w) ? 0 : -EDEADLK;

	if (in_nmi() || !rqspinlock_claim(node))
		return rqspinlock_spin(w, NULL);

	rqspinlock_enqueue(w->lock, node);
	err = rqspinlock_spin(w, node);
	rqspinlock_leave(w->lock, node);

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
NOKPROBE_SYMBOL(res_spin_lock_slowpath);
