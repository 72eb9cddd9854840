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
 * A neighbour that is in the middle of its own steps may be in the way of step 1
 * or 2. Then the waiter undoes what it has done and tries again. So the steps run
 * with interrupts disabled, and none of them waits.
 *
 * Every millisecond each waiter, head or not, looks whether the lock is free and
 * takes it out of turn. So nobody depends on a head that cannot run since it was
 * interrupted or its virtual CPU was descheduled. The interrupt may even be the
 * one that waits for a lock which somebody further back in the queue holds.
 *
 * Contexts that cannot queue spin on trylock: NMIs, as there can be several in a
 * queue's steps; others that interrupt a waiter and find the CPU's node in use; and
 * all on architectures (or kernels for one CPU) without queued spin locks. They make
 * the same checks.
 *
 * A context that interrupts the steps themselves (an NMI or a breakpoint) does not
 * wait at all, and fails with -EDEADLK unless the lock is free: others cannot leave
 * the queue before the steps are done, and one of them may have the lock.
 *
 * Damaged queues
 * --------------
 *
 * The word may be set to 0 at any time, together with its queue's tail: a hash table
 * uses the element again, for another key, while programs still wait for its lock
 * or hold it. The lock then guards the new element, as a bpf_spin_lock does. The
 * queue falls in two, and nothing tells the last one in the old half that it is the
 * last. So no context may depend on the queue for more than its place in it:
 *
 * - No wait for a neighbour is unbounded. A waiter that cannot leave after
 *   RQSPINLOCK_LEAVE_TRIES tries abandons its node as it is, after granting the turn
 *   to @next. Its CPU uses the node again when an RCU grace period has passed, and
 *   does not queue until then. All who are in a queue are RCU readers, as they have
 *   preemption disabled, so nobody who was there has a reference to the node then.
 *   Newcomers do not take one: @lock tells that the node has left their queue, and
 *   @next is RQSPINLOCK_NODE_LEFT. They become head.
 * - A waiter whose @prev has left the queue in that way becomes head itself, at its
 *   next look.
 * - A tail that refers to no CPU, or to one that is not in the queue, counts as
 *   none.
 * - A second head, or none, costs time only: both take the lock by the same atomic
 *   operation, and those who are not head look every millisecond.
 *
 * An ordinary queue is abandoned as well when a neighbour's CPU is stopped for so
 * long in the middle of its steps. That is as harmless.
 *
 * All other waits end by the clock, ktime_get_mono_fast_ns(). It stands still only while
 * the system is suspended: then one CPU runs, and has each lock that is taken in its
 * own table.
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
 * Tracing
 * -------
 *
 * This file is built without tracing, and what is not a mere look at tables cannot
 * be probed. A program that is attached here and takes such a lock would enter the
 * slow path again, at a moment at which the lock is neither held nor waited for, and
 * be told of a deadlock. In the steps of the queue it would hold up other CPUs. The
 * tracepoints contention_begin and contention_end are where a program may take a
 * lock: the entry is marked there, and the node not in use.
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
 *	queue:A	A node is initialised before it is found by way of the tail
 *		(enqueue.litmus).
 *	queue:B	@prev is set before @prev->next: after its step 2 the one in front may
 *		write to the @prev of the next one (link.litmus).
 *	queue:C	The same, in step 3 (unlink.litmus).
 *	queue:D	What others have written to the head's node comes before the grant of
 *		the turn, and so before the head uses its node again (grant.litmus).
 *	queue:E	@lock changes after the former neighbours were linked to each other.
 *		Pairs with queue:F: a waiter that sees another @lock in the node in
 *		front also sees its own new @prev (gone.litmus).
 *	queue:F	Reads @lock of @prev before @prev, once more.
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

/* Time between two looks at what other CPUs do */
#define RQSPINLOCK_TICK_NS NSEC_PER_MSEC

/* Turns of a loop between two looks at the clock */
#define RQSPINLOCK_SPINS 128

/* Tries to leave the queue before the node is abandoned: well below a millisecond */
#define RQSPINLOCK_LEAVE_TRIES 4096

#define RQSPINLOCK_LOCKED_MASK 0xff
#define RQSPINLOCK_TAIL_SHIFT 8

DEFINE_PER_CPU_ALIGNED(struct rqspinlock_held, rqspinlock_held);
EXPORT_PER_CPU_SYMBOL_GPL(rqspinlock_held);

/**
 * struct rqspinlock_node - a CPU in the queue for a lock
 * @next: the one behind, if it is known yet; %RQSPINLOCK_NODE_LEFT if abandoned
 * @prev: the one in front, unless we are head
 * @lock: the lock of the queue that the node is in
 * @tail: what the tail of the lock is when we are last
 * @gp: grace period after which an abandoned node can be used again
 * @head: it is our turn
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

	/* Whoever interrupts us may count as well. */
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
	/* The clock of an NMI may be a little behind. */
	if ((s64)(now - w->tick) < (s64)RQSPINLOCK_TICK_NS)
		return false;

	w->tick = now;

	return true;
}

/*
 * The node in front of @node, or NULL if that is head. It also becomes head if the one
 * in front has abandoned the queue, but not if that one has just told it whom to follow
 * instead, and may be elsewhere by now.
 */
static nokprobe_inline struct rqspinlock_node *
rqspinlock_front(const struct rqspinlock *lock, struct rqspinlock_node *node)
{
	struct rqspinlock_node *prev;

	if (smp_load_acquire(&node->head)) /* the one in front is done with our node */
		return NULL;

	prev = READ_ONCE(node->prev);
	if (smp_load_acquire(&prev->lock) == lock || /* queue:F */
	    READ_ONCE(node->prev) != prev)
		return prev;

	WRITE_ONCE(node->head, true);

	return NULL;
}

/* Spin until the lock is ours or there is no hope. @node is NULL without a queue. */
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

/* The last one in the queue when the lock's word was @old; not @node itself. */
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

/* Fails if there is no @prev, or if it has just abandoned the queue. */
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

	/* CPU numbers and one must fit. */
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

/* Change the tail from @node to @prev, or to none. */
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

	/* Do not disturb @prev for nothing. */
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
			smp_store_release(&prev->next, node); /* as it was */
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
 * Get the CPU's node, unless an interrupted context uses it. What interrupts us before
 * the last check may have used and abandoned the node, with another grace period.
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

	/* The queue that was interrupted may hold up the one who has the lock. */
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
