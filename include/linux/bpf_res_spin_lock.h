/* SPDX-License-Identifier: GPL-2.0 */
/* Resilient spin locks for BPF programs, see kernel/bpf/res_spin_lock.c */
#ifndef _LINUX_BPF_RES_SPIN_LOCK_H
#define _LINUX_BPF_RES_SPIN_LOCK_H

#include <linux/types.h>

/**
 * struct bpf_res_spin_lock - a lock in a map value or an allocated object
 * @val: opaque; 0 when free
 */
struct bpf_res_spin_lock {
	__u32 val;
};

#endif /* _LINUX_BPF_RES_SPIN_LOCK_H */
