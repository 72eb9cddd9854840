/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Resilient queued spin locks: spin locks that fail rather than deadlock
 *
 * The design is described in kernel/bpf/rqspinlock.c. The kfuncs for BPF programs
 * are in kernel/bpf/res_spin_lock.c.
 */
#ifndef _LINUX_RQSPINLOCK_H
#define _LINUX_RQSPINLOCK_H

#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/irqflags.h>
#include <linux/kconfig.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/types.h>
#include <asm/barrier.h>
#include <asm/byteorder.h>

/**
 * struct rqspinlock - a resilient queued spin lock; all zero when free
 * @val: %RQSPINLOCK_LOCKED in the lowest byte; CPU number + 1 of the last
 *	 waiter in the others, or 0 if none is queued
 * @locked: the lowest byte of @val
 */
struct rqspinlock {
	union {
		atomic_t val;
#ifdef __LITTLE_ENDIAN
		struct {
			u8 locked;
			u8 tail[3];
		};
#else
		struct {
			u8 tail[3];
			u8 locked;
		};
#endif
	};
};

#define RQSPINLOCK_LOCKED 1

/* Locks of a CPU that are considered for deadlock detection */
#define RQSPINLOCK_NR_HELD 31

/**
 * struct rqspinlock_held - the locks that a CPU holds or is about to take
 * @nr: their number, including those for which the table has no room
 * @waits: number of waits for a lock that have begun so far
 * @locks: their addresses, in the order in which they were taken; with
 *	   %RQSPINLOCK_WAITING added while the CPU waits for the lock
 */
struct rqspinlock_held {
	unsigned int nr;
	unsigned int waits;
	unsigned long locks[RQSPINLOCK_NR_HELD];
};

#define RQSPINLOCK_WAITING 1UL

DECLARE_PER_CPU_ALIGNED(struct rqspinlock_held, rqspinlock_held);

int __must_check res_spin_lock_slowpath(struct rqspinlock *lock);

static inline void res_spin_lock_init(struct rqspinlock *lock)
{
	atomic_set(&lock->val, 0);
}

/*
 * A context that interrupts this one restores @nr before it returns. It must not observe
 * a stale entry of an earlier lock.
 */
static __always_inline void rqspinlock_push(struct rqspinlock *lock)
{
	struct rqspinlock_held *held = this_cpu_ptr(&rqspinlock_held);
	unsigned int i = READ_ONCE(held->nr);

	WRITE_ONCE(held->nr, i + 1);
	barrier();
	if (likely(i < RQSPINLOCK_NR_HELD))
		smp_store_release(&held->locks[i], (unsigned long)lock); /* held:C */
}

static __always_inline void rqspinlock_pop(void)
{
	struct rqspinlock_held *held = this_cpu_ptr(&rqspinlock_held);
	unsigned int i = READ_ONCE(held->nr) - 1;

	if (likely(i < RQSPINLOCK_NR_HELD))
		WRITE_ONCE(held->locks[i], 0);
	barrier();
	WRITE_ONCE(held->nr, i);
}

/**
 * res_spin_lock - take a lock, or fail
 * @lock: the lock
 *
 * Locks are released in the reverse of the order in which they were taken.
 *
 * Context: Any, NMI included, with preemption disabled.
 * Return: 0 with the lock held; -EDEADLK if this CPU already holds the lock, if its
 *	   holder waits for a lock that this CPU holds, or if this is an NMI that
 *	   interrupted this CPU while it was changing a queue; -ETIMEDOUT if the lock
 *	   was not available within 250 ms.
 */
static __always_inline int __must_check res_spin_lock(struct rqspinlock *lock)
{
	int free = 0;

	/* Before taking it: an NMI that finds the lock held must find it listed. */
	rqspinlock_push(lock);
	if (likely(atomic_try_cmpxchg_acquire(&lock->val, &free, RQSPINLOCK_LOCKED)))
		return 0;

	return res_spin_lock_slowpath(lock);
}

/**
 * res_spin_unlock - release the lock that this CPU has taken last
 * @lock: the lock
 *
 * Context: That in which the lock was taken.
 */
static __always_inline void res_spin_unlock(struct rqspinlock *lock)
{
	/* Without queued spin locks, byte stores may not be atomic either. */
	if (IS_ENABLED(CONFIG_QUEUED_SPINLOCKS))
		smp_store_release(&lock->locked, 0); /* pairs with the acquire of the next */
	else
		atomic_set_release(&lock->val, 0);
	barrier();
	rqspinlock_pop();
}

/**
 * raw_res_spin_lock - disable preemption and take a lock, or do neither
 * @lock: the lock
 *
 * Context: Any, NMI included.
 * Return: As res_spin_lock().
 */
static __always_inline int __must_check raw_res_spin_lock(struct rqspinlock *lock)
{
	int err;

	preempt_disable();
	err = res_spin_lock(lock);
	if (unlikely(err))
		preempt_enable();

	return err;
}

/**
 * raw_res_spin_unlock - undo raw_res_spin_lock()
 * @lock: the lock, which must be the one taken last
 */
static __always_inline void raw_res_spin_unlock(struct rqspinlock *lock)
{
	res_spin_unlock(lock);
	preempt_enable();
}

/**
 * raw_res_spin_lock_irqsave - disable interrupts and take a lock, or do neither
 * @lock: the lock
 * @flags: variable for the state of interrupts, as of local_irq_save()
 *
 * Context: Any, NMI included.
 * Return: As res_spin_lock().
 */
#define raw_res_spin_lock_irqsave(lock, flags)			\
({								\
	int __err;						\
								\
	local_irq_save(flags);					\
	preempt_disable();					\
	__err = res_spin_lock(lock);				\
	if (unlikely(__err)) {					\
		local_irq_restore(flags);			\
		preempt_enable();				\
	}							\
	__err;							\
})

/**
 * raw_res_spin_unlock_irqrestore - undo raw_res_spin_lock_irqsave()
 * @lock: the lock, which must be the one taken last
 * @flags: set by raw_res_spin_lock_irqsave()
 */
#define raw_res_spin_unlock_irqrestore(lock, flags)		\
do {								\
	res_spin_unlock(lock);					\
	local_irq_restore(flags);				\
	preempt_enable();					\
} while (0)

#endif /* _LINUX_RQSPINLOCK_H */
