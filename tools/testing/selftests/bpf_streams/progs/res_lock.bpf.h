/* SPDX-License-Identifier: GPL-2.0 */
/* Resilient spin locks, and how to wait with one held */
#ifndef RES_LOCK_BPF_H
#define RES_LOCK_BPF_H

#include "runtime.bpf.h"

extern int bpf_res_spin_lock(struct bpf_res_spin_lock *lock) __weak __ksym;
extern void bpf_res_spin_unlock(struct bpf_res_spin_lock *lock) __weak __ksym;
extern int bpf_res_spin_lock_irqsave(struct bpf_res_spin_lock *lock,
				     unsigned long *flags__irq_flag) __weak __ksym;
extern void bpf_res_spin_unlock_irqrestore(struct bpf_res_spin_lock *lock,
					   unsigned long *flags__irq_flag) __weak __ksym;

#define HERE(place)	(place##_line = __LINE__ + 1)

/*
 * Spins until 'cond' is true, and is true then. Helpers cannot be called with a lock held,
 * and can_loop has a time limit. If something is wrong, this ends before the watchdog
 * reports the CPU as stuck.
 */
#define wait_for(cond)							\
({									\
	bool __ok = false;						\
	int __i, __j;							\
									\
	bpf_for(__i, 0, 256) {						\
		bpf_for(__j, 0, 1 << 20) {				\
			if (cond) {					\
				__ok = true;				\
				break;					\
			}						\
		}							\
		if (__ok)						\
			break;						\
	}								\
	__ok;								\
})

#define READ_ONCE(x)		(*(const volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, v)	(*(volatile typeof(x) *)&(x) = (v))

/* The lock's word, which programs can't load: 0 if free. Not with a lock held. */
static __always_inline __u32 lock_word(const struct bpf_res_spin_lock *lock)
{
	__u32 word = -1;

	bpf_probe_read_kernel(&word, sizeof(word), lock);
	return word;
}

#endif /* RES_LOCK_BPF_H */
