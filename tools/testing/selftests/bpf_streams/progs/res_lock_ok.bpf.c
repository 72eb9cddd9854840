// SPDX-License-Identifier: GPL-2.0
/*
 * Programs that keep the rules for resilient spin locks. They return 0 when run; those that
 * the test cannot run only have to load.
 */
#include "res_lock_rules.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NR_ELEMS);
	__type(key, int);
	__type(value, struct elem);
} hashed SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct elem);
} of_sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct elem);
} of_tasks SEC(".maps");

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct elem);
} inner SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, int);
	__array(values, struct inner);
} outer SEC(".maps") = {
	.values = { &inner },
};

struct timed {
	struct bpf_timer timer;
	struct bpf_res_spin_lock lock;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct timed);
} timers SEC(".maps");

/* Loop counters in memory, whose values the verifier does not follow */
int count;

/* --- places for locks --- */

SEC("tc")
int in_array(struct __sk_buff *skb)
{
	struct elem *e = elem(0);

	if (!e)
		return 1;
	if (bpf_res_spin_lock(&e->lock))
		return 2;
	e->value++;
	bpf_res_spin_unlock(&e->lock);
	return 0;
}

SEC("tc")
int in_hash(struct __sk_buff *skb)
{
	struct elem *e;
	int key = 0;

	e = bpf_map_lookup_elem(&hashed, &key);
	if (!e)
		return 1;
	if (bpf_res_spin_lock(&e->lock))
		return 2;
	e->value++;
	bpf_res_spin_unlock(&e->lock);
	return 0;
}

SEC("syscall")
int in_task_storage(void *ctx)
{
	struct elem *e;

	e = bpf_task_storage_get(&of_tasks, bpf_get_current_task_btf(), NULL,
				 BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!e)
		return 1;
	if (bpf_res_spin_lock(&e->lock))
		return 2;
	e->value++;
	bpf_res_spin_unlock(&e->lock);
	return 0;
}

SEC("tc")
int in_inner_map(struct __sk_buff *skb)
{
	struct elem *e;
	int key = 0;
	void *map;

	map = bpf_map_lookup_elem(&outer, &key);
	if (!map)
		return 1;
	e = bpf_map_lookup_elem(map, &key);
	if (!e)
		return 2;
	if (bpf_res_spin_lock(&e->lock))
		return 3;
	bpf_res_spin_unlock(&e->lock);
	return 0;
}

SEC("tc")
int in_variable(struct __sk_buff *skb)
{
	if (bpf_res_spin_lock(&lock_a))
		return 1;
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

SEC("tc")
int in_object(struct __sk_buff *skb)
{
	struct node *n = obj_new(struct node);
	int err;

	if (!n)
		return 1;
	err = bpf_res_spin_lock(&n->lock);
	if (!err) {
		n->value++;
		bpf_res_spin_unlock(&n->lock);
	}
	obj_drop(n);
	return err ? 2 : 0;
}

/* --- checking the result --- */

SEC("tc")
int if_not_zero(struct __sk_buff *skb)
{
	int err = bpf_res_spin_lock(&lock_a);

	if (err != 0)
		return err;
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

SEC("tc")
int if_negative(struct __sk_buff *skb)
{
	if (bpf_res_spin_lock(&lock_a) < 0)
		return 1;
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

SEC("tc")
int if_zero(struct __sk_buff *skb)
{
	int err = bpf_res_spin_lock(&lock_a);

	if (err == 0)
		bpf_res_spin_unlock(&lock_a);
	return err;
}

SEC("tc")
int if_long_is_negative(struct __sk_buff *skb)
{
	long err = bpf_res_spin_lock(&lock_a);

	/* Hides from the compiler that it is an int */
	barrier_var(err);
	if (err < 0)
		return 1;
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

SEC("tc")
int if_long_is_not_zero(struct __sk_buff *skb)
{
	long err = bpf_res_spin_lock(&lock_a);

	barrier_var(err);
	if (err)
		return 1;
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

SEC("tc")
int each_errno(struct __sk_buff *skb)
{
	int err = bpf_res_spin_lock(&lock_a);

	if (err == -35 /* EDEADLK */ || err == -110 /* ETIMEDOUT */)
		return 1;
	if (err < 0)
		return 2;
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

SEC("tc")
int errors_are_errnos(struct __sk_buff *skb)
{
	int err = bpf_res_spin_lock(&lock_a);

	if (!err) {
		bpf_res_spin_unlock(&lock_a);
		return 0;
	}
	/* Not reached if there was an error, so it may be wrong then */
	if (err > -1 || err < -4095)
		bpf_res_spin_unlock(&lock_a);
	return err;
}

/* A lock that was not taken is not held: this is no AA deadlock */
SEC("tc")
int again_after_failure(struct __sk_buff *skb)
{
	if (bpf_res_spin_lock(&lock_a) && bpf_res_spin_lock(&lock_a))
		return 1;
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

SEC("tc")
int tested_later(struct __sk_buff *skb)
{
	volatile long stored = bpf_res_spin_lock(&lock_a);

	if (!stored)
		bpf_res_spin_unlock(&lock_a);
	return stored;
}

/* --- interrupts --- */

SEC("tc")
int irqsave(struct __sk_buff *skb)
{
	unsigned long flags;

	if (bpf_res_spin_lock_irqsave(&lock_a, &flags))
		return 1;
	bpf_res_spin_unlock_irqrestore(&lock_a, &flags);
	return 0;
}

/* The slot is reused, with any contents */
SEC("tc")
int flag_serves_again(struct __sk_buff *skb)
{
	unsigned long flags = skb->len;
	int i;

	for (i = 0; i < 3; i++) {
		if (bpf_res_spin_lock_irqsave(&lock_a, &flags))
			return 1;
		bpf_res_spin_unlock_irqrestore(&lock_a, &flags);
	}
	flags = 0;
	barrier_var(flags);
	return flags;
}

SEC("tc")
int kinds_nest(struct __sk_buff *skb)
{
	struct elem *e = elem(1);
	unsigned long f1, f2;
	int ret = 1;

	if (!e)
		return 1;
	if (bpf_res_spin_lock(&lock_a))
		return 2;
	if (bpf_res_spin_lock_irqsave(&lock_b, &f1))
		goto unlock_a;
	if (bpf_res_spin_lock(&lock_c))
		goto unlock_b;
	if (bpf_res_spin_lock_irqsave(&e->lock, &f2))
		goto unlock_c;

	ret = 0;
	bpf_res_spin_unlock_irqrestore(&e->lock, &f2);
unlock_c:
	bpf_res_spin_unlock(&lock_c);
unlock_b:
	bpf_res_spin_unlock_irqrestore(&lock_b, &f1);
unlock_a:
	bpf_res_spin_unlock(&lock_a);
	return ret;
}

/* --- functions --- */

static __noinline int take(struct elem *e, unsigned long *flags)
{
	return bpf_res_spin_lock_irqsave(&e->lock, flags);
}

static __noinline int give(struct elem *e, unsigned long *flags)
{
	e->value++;
	bpf_res_spin_unlock_irqrestore(&e->lock, flags);
	return 0;
}

SEC("tc")
int by_functions(struct __sk_buff *skb)
{
	struct elem *e = elem(0);
	unsigned long flags;

	if (!e)
		return 1;
	if (take(e, &flags))
		return 2;
	return give(e, &flags);
}

static __noinline int all_of_it(struct elem *e)
{
	unsigned long flags;

	if (bpf_res_spin_lock_irqsave(&e->lock, &flags))
		return -1;
	e->value++;
	bpf_res_spin_unlock_irqrestore(&e->lock, &flags);
	return 0;
}

SEC("tc")
int function_under_another_lock(struct __sk_buff *skb)
{
	struct elem *e = elem(0);
	int err;

	if (!e)
		return 1;
	if (bpf_res_spin_lock(&lock_a))
		return 2;
	err = all_of_it(e);
	bpf_res_spin_unlock(&lock_a);
	return err;
}

/* --- callbacks --- */

static int loop_cb(__u32 i, struct elem **e)
{
	unsigned long flags;

	if (bpf_res_spin_lock_irqsave(&lock_a, &flags))
		return 1;
	bpf_res_spin_unlock_irqrestore(&lock_a, &flags);
	return 0;
}

SEC("tc")
int within_bpf_loop(struct __sk_buff *skb)
{
	return bpf_loop(3, loop_cb, NULL, 0) == 3 ? 0 : 1;
}

static long elem_cb(struct bpf_map *map, const int *key, struct elem *e, void *ctx)
{
	if (bpf_res_spin_lock(&e->lock))
		return 1;
	e->value++;
	bpf_res_spin_unlock(&e->lock);
	return 0;
}

SEC("tc")
int within_for_each(struct __sk_buff *skb)
{
	return bpf_for_each_map_elem(&elems, elem_cb, NULL, 0) == NR_ELEMS ? 0 : 1;
}

static int timer_cb(void *map, int *key, struct timed *t)
{
	if (!bpf_res_spin_lock(&t->lock))
		bpf_res_spin_unlock(&t->lock);
	return 0;
}

SEC("tc")
int within_timer(struct __sk_buff *skb)
{
	struct timed *t;
	int key = 0;

	t = bpf_map_lookup_elem(&timers, &key);
	if (!t)
		return 1;
	bpf_timer_init(&t->timer, &timers, 1);
	return bpf_timer_set_callback(&t->timer, timer_cb) ? 2 : 0;
}

/* --- permitted with a lock held --- */

SEC("tc")
int prints(struct __sk_buff *skb)
{
	unsigned long flags;
	int err;

	if (bpf_res_spin_lock(&lock_a))
		return 1;
	if (bpf_res_spin_lock_irqsave(&lock_b, &flags)) {
		bpf_res_spin_unlock(&lock_a);
		return 2;
	}
	err = bpf_stream_printk(STDOUT, "%s %d\n", "locked", 1);
	bpf_stream_print_stack(STDERR);
	bpf_res_spin_unlock_irqrestore(&lock_b, &flags);
	bpf_res_spin_unlock(&lock_a);
	return err;
}

SEC("tc")
int loops_by_may_goto(struct __sk_buff *skb)
{
	if (bpf_res_spin_lock(&lock_a))
		return 1;
	for (count = 0; count < 100 && can_loop;)
		count++;
	bpf_res_spin_unlock(&lock_a);
	return count == 100 ? 0 : 2;
}

/* Takes and releases one lock repeatedly with another held */
SEC("tc")
int takes_in_loop(struct __sk_buff *skb)
{
	unsigned long flags;
	int err = 0;

	if (bpf_res_spin_lock(&lock_a))
		return 1;
	for (count = 0; count < 10 && can_loop; count++) {
		err = bpf_res_spin_lock_irqsave(&lock_b, &flags);
		if (err)
			break;
		bpf_res_spin_unlock_irqrestore(&lock_b, &flags);
	}
	bpf_res_spin_unlock(&lock_a);
	return err;
}

SEC("tc")
int iterates(struct __sk_buff *skb)
{
	struct bpf_iter_num it;
	unsigned long flags;
	int sum = 0, *i;

	if (bpf_res_spin_lock_irqsave(&lock_a, &flags))
		return 1;
	bpf_iter_num_new(&it, 0, 10);
	while ((i = bpf_iter_num_next(&it)))
		sum += *i;
	bpf_iter_num_destroy(&it);
	bpf_res_spin_unlock_irqrestore(&lock_a, &flags);
	return sum == 45 ? 0 : 2;
}

SEC("tc")
int takes_while_iterating(struct __sk_buff *skb)
{
	struct bpf_iter_num it;

	count = 0;
	bpf_iter_num_new(&it, 0, 10);
	while (bpf_iter_num_next(&it)) {
		if (bpf_res_spin_lock(&lock_a))
			continue;
		count++;
		bpf_res_spin_unlock(&lock_a);
	}
	bpf_iter_num_destroy(&it);
	return count == 10 ? 0 : 1;
}

/* --- types of programs --- */

SEC("syscall")
int of_syscall(void *ctx)
{
	unsigned long flags;

	if (bpf_res_spin_lock_irqsave(&lock_a, &flags))
		return 1;
	bpf_res_spin_unlock_irqrestore(&lock_a, &flags);
	return 0;
}

static __always_inline int lock_and_unlock(void)
{
	struct elem *e = elem(0);

	if (e && !bpf_res_spin_lock(&e->lock)) {
		e->value++;
		bpf_res_spin_unlock(&e->lock);
	}
	return 0;
}

/* They can access the part before the lock, but not the rest */
SEC("iter/bpf_map_elem")
int load_iter_up_to_lock(struct bpf_iter__bpf_map_elem *ctx)
{
	struct elem *e = ctx->value;

	if (e)
		e->value++;
	return 0;
}

SEC("iter/bpf_map_elem")
int load_iter_of_lock(struct bpf_iter__bpf_map_elem *ctx)
{
	struct elem *e = ctx->value;

	if (e)
		*(__u32 *)&e->lock = 0xffffff01;
	return 0;
}

SEC("iter/bpf_sk_storage_map")
int load_iter_of_lock_of_socket(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct elem *e = ctx->value;

	if (e)
		*(__u32 *)&e->lock = 0xffffff01;
	return 0;
}

#define TYPE(name, sec)				\
	SEC(sec)				\
	int name(void *ctx)			\
	{					\
		return lock_and_unlock();	\
	}

TYPE(load_kprobe, "kprobe/do_nanosleep")
TYPE(load_tracepoint, "tracepoint/syscalls/sys_enter_getpid")
TYPE(load_raw_tp, "raw_tp/sys_enter")
TYPE(load_tp_btf, "tp_btf/sys_enter")
TYPE(load_perf_event, "perf_event")
TYPE(load_fentry, "fentry/bpf_fentry_test1")
TYPE(load_fexit, "fexit/bpf_fentry_test1")
TYPE(load_fmod_ret, "fmod_ret/bpf_modify_return_test")
TYPE(load_xdp, "xdp")
TYPE(load_cgroup_skb, "cgroup_skb/egress")
TYPE(load_socket, "socket")
