// SPDX-License-Identifier: GPL-2.0
/* Prints groups of lines with a lock held, so that they are not interleaved */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

extern int bpf_res_spin_lock(struct bpf_res_spin_lock *lock) __weak __ksym;
extern void bpf_res_spin_unlock(struct bpf_res_spin_lock *lock) __weak __ksym;

struct account {
	struct bpf_res_spin_lock lock;
	int balance;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 10);
	__type(key, __u32);
	__type(value, struct account);
} accounts SEC(".maps");

/* Held while a group is printed */
static struct bpf_res_spin_lock print_lock SEC(".data.print_lock");

unsigned int groups;
unsigned int lost;

static long print_group(__u32 nr, void *ctx)
{
	int cpu = bpf_get_smp_processor_id();
	int line;

	if (bpf_res_spin_lock(&print_lock)) {
		__sync_fetch_and_add(&lost, 1);
		return 0;
	}
	bpf_for(line, 1, 6)
		bpf_stream_printk(BPF_STDOUT, "CPU %d group %u line %d\n",
				  cpu, nr + 1, line);
	bpf_res_spin_unlock(&print_lock);
	return 0;
}

SEC("syscall")
int print_groups(void *ctx)
{
	bpf_loop(groups, print_group, NULL, 0);
	return 0;
}

__u32 from, to;

SEC("syscall")
int transfer(void *ctx)
{
	struct account *a = bpf_map_lookup_elem(&accounts, &from);
	struct account *b = bpf_map_lookup_elem(&accounts, &to);
	int err;

	if (!a || !b)
		return -2 /* ENOENT */;

	err = bpf_res_spin_lock(&a->lock);
	if (err)
		return err;
	err = bpf_res_spin_lock(&b->lock);
	if (err)
		goto unlock;

	a->balance--;
	b->balance++;
	bpf_stream_printk(BPF_STDOUT, "%u has %d, %u has %d\n",
			  from, a->balance, to, b->balance);
	bpf_res_spin_unlock(&b->lock);
unlock:
	bpf_res_spin_unlock(&a->lock);
	return err;
}

char _license[] SEC("license") = "GPL";
