// SPDX-License-Identifier: GPL-2.0
/* Programs that could be loaded with CAP_BPF alone, except for a kfunc */
#include "res_lock.bpf.h"

int runs;

SEC("?socket")
int prints(struct __sk_buff *skb)
{
	runs++;
	bpf_stream_printk(STDOUT, "hello\n");
	return 0;
}

SEC("?socket")
int prints_stack(struct __sk_buff *skb)
{
	runs++;
	bpf_stream_print_stack(STDOUT);
	return 0;
}

SEC("?socket")
int is_silent(struct __sk_buff *skb)
{
	runs++;
	return 0;
}

struct locked {
	struct bpf_res_spin_lock lock;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct locked);
} locks SEC(".maps");

SEC("?syscall")
int deadlocks(void *ctx)
{
	struct locked *a, *b;
	int key = 0, err;

	a = bpf_map_lookup_elem(&locks, &key);
	b = bpf_map_lookup_elem(&locks, &key);
	if (!a || !b || bpf_res_spin_lock(&a->lock))
		return 1;
	err = bpf_res_spin_lock(&b->lock);
	if (!err)
		bpf_res_spin_unlock(&b->lock);
	bpf_res_spin_unlock(&a->lock);
	return err;
}
