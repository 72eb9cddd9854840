/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by the programs that keep or break the rules for locks */
#ifndef RES_LOCK_RULES_BPF_H
#define RES_LOCK_RULES_BPF_H

#include "runtime.bpf.h"

extern int bpf_res_spin_lock(struct bpf_res_spin_lock *lock) __ksym;
extern void bpf_res_spin_unlock(struct bpf_res_spin_lock *lock) __ksym;
extern int bpf_res_spin_lock_irqsave(struct bpf_res_spin_lock *lock,
				     unsigned long *flags__irq_flag) __ksym;
extern void bpf_res_spin_unlock_irqrestore(struct bpf_res_spin_lock *lock,
					   unsigned long *flags__irq_flag) __ksym;

extern void *bpf_obj_new_impl(__u64 local_type_id, void *meta) __ksym;
extern void bpf_obj_drop_impl(void *kptr, void *meta) __ksym;

#define obj_new(type) \
	((type *)bpf_obj_new_impl(bpf_core_type_id_local(type), NULL))
#define obj_drop(obj)	bpf_obj_drop_impl(obj, NULL)

/* A variable in a map of its own */
#define private(name)	SEC(".data." #name) __hidden

#define NR_ELEMS	4

struct elem {
	__u64 value;
	struct bpf_res_spin_lock lock;
	int after;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NR_ELEMS);
	__type(key, int);
	__type(value, struct elem);
} elems SEC(".maps");

struct node {
	struct bpf_res_spin_lock lock;
	int value;
};

private(A) static struct bpf_res_spin_lock lock_a;
private(B) static struct bpf_res_spin_lock lock_b;
private(C) static struct bpf_res_spin_lock lock_c;

static __always_inline struct elem *elem(int key)
{
	return bpf_map_lookup_elem(&elems, &key);
}

#endif /* RES_LOCK_RULES_BPF_H */
