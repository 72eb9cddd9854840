// SPDX-License-Identifier: GPL-2.0
/* Print with a bpf_spin_lock held */
#include "runtime.bpf.h"

struct locked {
	struct bpf_spin_lock lock;
	int value;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct locked);
} locked SEC(".maps");

SEC("tc")
int under_lock(struct __sk_buff *skb)
{
	struct locked *l;
	int key = 0, err;

	l = bpf_map_lookup_elem(&locked, &key);
	/* With interrupts disabled PREEMPT_RT cannot allocate a page, so get one before */
	if (!l || bpf_stream_printk(STDOUT, "before\n"))
		return 1;

	bpf_spin_lock(&l->lock);
	l->value++;
	err = bpf_stream_printk(STDOUT, "value %d\n", l->value);
	bpf_spin_unlock(&l->lock);

	return err ? 2 : 0;
}

SEC("tc")
int stack_under_lock(struct __sk_buff *skb)
{
	struct locked *l;
	int key = 0, err;

	l = bpf_map_lookup_elem(&locked, &key);
	if (!l)
		return 1;

	bpf_spin_lock(&l->lock);
	err = bpf_stream_print_stack(STDERR);
	bpf_spin_unlock(&l->lock);

	return err ? 2 : 0;
}
