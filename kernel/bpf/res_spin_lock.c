// SPDX-License-Identifier: GPL-2.0
/*
 * Resilient spin locks for BPF programs
 *
 * The lock is that of rqspinlock.c. The verifier ensures that a program releases
 * its locks in reverse order, and does not sleep while it holds them. The order in
 * which different programs take locks is only known at run time: a deadlock makes
 * taking the lock fail, and is reported on the program's stderr.
 */
#include <linux/bpf.h>
#include <linux/bpf_res_spin_lock.h>
#include <linux/bpf_stream.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/irqflags.h>
#include <linux/minmax.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/rqspinlock.h>

/* Each lock increments preempt_count, which has room for 255. */
#define RES_SPIN_LOCK_MAX_NESTING 128

static const unsigned long *held_locks(void)
{
	return this_cpu_ptr(&rqspinlock_held)->locks;
}

/* Locks for which an interrupted context waits are listed, but not held. */
static unsigned int nr_waiting(unsigned int nr_listed)
{
	unsigned int i, nr = 0;

	for (i = 0; i < nr_listed; i++)
		nr += held_locks()[i] & RQSPINLOCK_WAITING;

	return nr;
}

static void report_held_locks(struct bpf_stream_group *ss, bool show_addresses)
{
	unsigned int nr = __this_cpu_read(rqspinlock_held.nr);
	unsigned int nr_listed = min(nr, RQSPINLOCK_NR_HELD);
	unsigned int i, n = 0;

	bpf_stream_stage_printk(ss, "Total held locks = %u\n",
				nr - nr_waiting(nr_listed));
	for (i = 0; i < nr_listed; i++) {
		if (held_locks()[i] & RQSPINLOCK_WAITING)
			continue;
		bpf_stream_stage_printk(ss, show_addresses ? "Held lock[%2u] = 0x%px\n" :
							     "Held lock[%2u] = 0x%p\n",
					n++, (void *)held_locks()[i]);
	}
}

/* Hash addresses, as printk() does, unless the loader has CAP_PERFMON. */
static void report_failure(const struct bpf_res_spin_lock *lock, int err,
			   const char *variant)
{
	const char *what = err == -ETIMEDOUT ? "Timeout detected" :
					       "AA or ABBA deadlock detected";
	const struct bpf_prog *prog;
	bool show_addresses;

	guard(rcu)();
	prog = bpf_prog_find_from_stack();
	if (!prog)
		return;

	show_addresses = bpf_prog_may_show_addresses(prog);
	bpf_stream_stage(ss, prog, BPF_STDERR, ({
		bpf_stream_printk(ss, "ERROR: %s for bpf_res_spin_lock%s\n", what, variant);
		bpf_stream_printk(ss, show_addresses ? "Attempted lock   = 0x%px\n" :
						       "Attempted lock   = 0x%p\n", lock);
		report_held_locks(&ss, show_addresses);
		bpf_stream_dump_stack(ss);
	}));
}

/* Preemption is disabled. */
static __always_inline int take_lock(struct bpf_res_spin_lock *lock)
{
	BUILD_BUG_ON(sizeof(*lock) != sizeof(struct rqspinlock));
	BUILD_BUG_ON(__alignof__(*lock) != __alignof__(struct rqspinlock));

	if (unlikely(__this_cpu_read(rqspinlock_held.nr) >= RES_SPIN_LOCK_MAX_NESTING))
		return -EBUSY;

	return res_spin_lock((struct rqspinlock *)lock);
}

static __cold int lock_failed(const struct bpf_res_spin_lock *lock, int err,
			      const char *variant)
{
	if (err != -EBUSY)
		report_failure(lock, err, variant);
	preempt_enable();

	return err;
}

__bpf_kfunc_start_defs();

/**
 * bpf_res_spin_lock - take a lock, or fail
 * @lock: the lock, in a map value or an allocated object
 *
 * The interface is that of Linux 6.15. Failures other than -EBUSY are reported on
 * the program's stderr.
 *
 * Context: Any, NMI included. Does not disable interrupts: a program in an interrupt
 *	    fails if it takes a lock that the interrupted context holds.
 * Return: 0 with the lock held and preemption disabled; -EDEADLK if this CPU already
 *	   holds the lock, if its holder waits for a lock that this CPU holds, or if
 *	   this is an NMI that interrupted this CPU while it was changing a queue;
 *	   -ETIMEDOUT if the lock was not available within 250 ms; -EBUSY if this CPU
 *	   holds 128 locks.
 */
__bpf_kfunc int bpf_res_spin_lock(struct bpf_res_spin_lock *lock)
{
	int err;

	preempt_disable();
	err = take_lock(lock);
	if (unlikely(err))
		return lock_failed(lock, err, "");

	return 0;
}

/**
 * bpf_res_spin_unlock - release the lock taken last, by bpf_res_spin_lock()
 * @lock: the lock
 *
 * Context: That in which the lock was taken.
 */
__bpf_kfunc void bpf_res_spin_unlock(struct bpf_res_spin_lock *lock)
{
	res_spin_unlock((struct rqspinlock *)lock);
	preempt_enable();
}

/**
 * bpf_res_spin_lock_irqsave - disable interrupts and take a lock, or do neither
 * @lock: the lock, in a map value or an allocated object
 * @flags__irq_flag: variable on the program's stack for the state of interrupts,
 *		     set if the lock is taken
 *
 * Context: As bpf_res_spin_lock().
 * Return: As bpf_res_spin_lock().
 */
__bpf_kfunc int bpf_res_spin_lock_irqsave(struct bpf_res_spin_lock *lock,
					  unsigned long *flags__irq_flag)
{
	unsigned long flags;
	int err;

	local_irq_save(flags);
	preempt_disable();
	err = take_lock(lock);
	if (unlikely(err)) {
		local_irq_restore(flags);
		return lock_failed(lock, err, "_irqsave");
	}

	*flags__irq_flag = flags;

	return 0;
}

/**
 * bpf_res_spin_unlock_irqrestore - undo bpf_res_spin_lock_irqsave()
 * @lock: the lock, which must be the one taken last
 * @flags__irq_flag: set by bpf_res_spin_lock_irqsave()
 *
 * Context: That in which the lock was taken.
 */
__bpf_kfunc void bpf_res_spin_unlock_irqrestore(struct bpf_res_spin_lock *lock,
						unsigned long *flags__irq_flag)
{
	res_spin_unlock((struct rqspinlock *)lock);
	local_irq_restore(*flags__irq_flag);
	preempt_enable();
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(res_spin_lock_kfunc_set)
BTF_ID_FLAGS(func, bpf_res_spin_lock)
BTF_ID_FLAGS(func, bpf_res_spin_unlock)
BTF_ID_FLAGS(func, bpf_res_spin_lock_irqsave)
BTF_ID_FLAGS(func, bpf_res_spin_unlock_irqrestore)
BTF_KFUNCS_END(res_spin_lock_kfunc_set)

static const struct btf_kfunc_id_set res_spin_lock_kfuncs = {
	.owner	= THIS_MODULE,
	.set	= &res_spin_lock_kfunc_set,
};

static int __init res_spin_lock_init_kfuncs(void)
{
	return register_btf_kfunc_id_set(BPF_PROG_TYPE_UNSPEC, &res_spin_lock_kfuncs);
}
late_initcall(res_spin_lock_init_kfuncs);
