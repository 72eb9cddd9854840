// SPDX-License-Identifier: GPL-2.0
/*
 * Programs that break a rule for resilient spin locks, each with the expected message of
 * the verifier
 */
#include "res_lock_rules.bpf.h"

#define REFUSED(message) __attribute__((btf_decl_tag("refused: " message)))
#define __naked		__attribute__((naked))

#define NO_POINTER	"it doesn't point to map value or allocated object"
#define AGAIN		" of the same lock again, AA deadlock detected"
#define NOT_HELD	"without taking a lock"
#define DIFFERENT	"unlock of different lock, this one is not held"
#define NOT_RESTORED	"expected an initialized irq flag as arg#1"
#define LIVE_FLAG	"while its lock is held"
#define NO_CALLS	"function calls are not allowed while holding a lock"

struct spinning {
	struct bpf_spin_lock lock;
	struct bpf_list_head list __attribute__((btf_decl_tag("contains:listed:node")));
	struct bpf_rb_root tree __attribute__((btf_decl_tag("contains:in_tree:node")));
};

struct listed {
	struct bpf_list_node node;
};

struct in_tree {
	struct bpf_rb_node node;
	struct bpf_res_spin_lock lock;
};

private(S) static struct spinning spinning;

struct plain {
	struct bpf_spin_lock lock;
	int value;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct plain);
} plain SEC(".maps");

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

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, int);
} tails SEC(".maps");

extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_throw(u64 cookie) __ksym;
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym;
extern int bpf_list_push_front_impl(struct bpf_list_head *head,
				    struct bpf_list_node *node, void *meta,
				    __u64 off) __ksym;
extern int bpf_rbtree_add_impl(struct bpf_rb_root *root, struct bpf_rb_node *node,
			       bool (less)(struct bpf_rb_node *a,
					   const struct bpf_rb_node *b),
			       void *meta, __u64 off) __ksym;

/* --- the lock --- */

SEC("?tc")
REFUSED("arg#0 is ptr_or_null_, " NO_POINTER)
int lock_may_be_null(struct __sk_buff *skb)
{
	return bpf_res_spin_lock(&obj_new(struct node)->lock);
}

SEC("?tc")
REFUSED("arg#0 is fp, " NO_POINTER)
int lock_on_stack(struct __sk_buff *skb)
{
	struct bpf_res_spin_lock lock = {};

	return bpf_res_spin_lock(&lock);
}

SEC("?tc")
REFUSED("arg#0 is scalar, " NO_POINTER)
int lock_is_a_number(struct __sk_buff *skb)
{
	return bpf_res_spin_lock((void *)(long)skb->len);
}

SEC("?tc")
REFUSED("arg#0 is untrusted_ptr_, " NO_POINTER)
int lock_of_the_kernel(struct __sk_buff *skb)
{
	void *lock = bpf_rdonly_cast(skb, bpf_core_type_id_kernel(struct sk_buff));

	return bpf_res_spin_lock(lock);
}

SEC("?tc")
REFUSED("off 12 doesn't point to 'struct bpf_res_spin_lock' that is at 8")
int lock_elsewhere(struct __sk_buff *skb)
{
	struct elem *e = elem(0);

	return e ? bpf_res_spin_lock((void *)&e->after) : 0;
}

SEC("?tc")
REFUSED("R1 doesn't have constant offset. bpf_res_spin_lock has to be at the constant offset")
int lock_somewhere(struct __sk_buff *skb)
{
	struct elem *e = elem(0);

	return e ? bpf_res_spin_lock((void *)e + (skb->len & 8)) : 0;
}

SEC("?tc")
REFUSED("map 'plain' has no valid bpf_res_spin_lock")
int lock_of_another_kind(struct __sk_buff *skb)
{
	struct plain *p;
	int key = 0;

	p = bpf_map_lookup_elem(&plain, &key);
	return p ? bpf_res_spin_lock((void *)&p->lock) : 0;
}

SEC("?tc")
REFUSED("local 'kptr' has no valid bpf_res_spin_lock")
int lock_of_another_object(struct __sk_buff *skb)
{
	struct listed *l = obj_new(struct listed);
	int err;

	if (!l)
		return 0;
	err = bpf_res_spin_lock((void *)l);
	obj_drop(l);
	return err;
}

SEC("?tc")
REFUSED("has no valid bpf_spin_lock")
int spin_lock_of_res_lock(struct __sk_buff *skb)
{
	bpf_spin_lock((void *)&lock_a);
	bpf_spin_unlock((void *)&lock_a);
	return 0;
}

SEC("?tc")
REFUSED("bpf_res_spin_lock cannot be accessed directly by load/store")
int reads_lock(struct __sk_buff *skb)
{
	struct elem *e = elem(0);

	return e ? *(volatile int *)&e->lock : 0;
}

SEC("?tc")
REFUSED("bpf_res_spin_lock cannot be accessed directly by load/store")
int writes_lock(struct __sk_buff *skb)
{
	struct elem *e = elem(0);

	if (e)
		*(volatile int *)&e->lock = 0;
	return 0;
}

SEC("?tc")
REFUSED("direct access to bpf_res_spin_lock is disallowed")
int reads_lock_of_object(struct __sk_buff *skb)
{
	struct node *n = obj_new(struct node);
	int val;

	if (!n)
		return 0;
	val = *(volatile int *)&n->lock;
	obj_drop(n);
	return val;
}

SEC("?tc")
REFUSED("bpf_res_spin_lock cannot be accessed directly by load/store")
int helper_writes_lock(struct __sk_buff *skb)
{
	struct elem *e = elem(0);

	return e ? bpf_skb_load_bytes(skb, 0, e, sizeof(*e)) : 0;
}

/* --- taking --- */

SEC("?tc")
REFUSED("bpf_res_spin_lock" AGAIN ": it was taken at insn")
int takes_twice(struct __sk_buff *skb)
{
	if (bpf_res_spin_lock(&lock_a))
		return 0;
	if (!bpf_res_spin_lock(&lock_a))
		bpf_res_spin_unlock(&lock_a);
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

SEC("?tc")
REFUSED("bpf_res_spin_lock_irqsave" AGAIN)
int takes_twice_between_others(struct __sk_buff *skb)
{
	struct elem *e = elem(0);
	unsigned long flags;

	if (!e)
		return 0;
	if (bpf_res_spin_lock(&e->lock))
		return 0;
	if (!bpf_res_spin_lock(&lock_a)) {
		if (!bpf_res_spin_lock_irqsave(&e->lock, &flags))
			bpf_res_spin_unlock_irqrestore(&e->lock, &flags);
		bpf_res_spin_unlock(&lock_a);
	}
	bpf_res_spin_unlock(&e->lock);
	return 0;
}

SEC("?tc")
REFUSED("bpf_res_spin_lock" AGAIN)
int takes_twice_in_object(struct __sk_buff *skb)
{
	struct node *n = obj_new(struct node);

	if (!n)
		return 0;
	if (!bpf_res_spin_lock(&n->lock)) {
		if (!bpf_res_spin_lock(&n->lock))
			bpf_res_spin_unlock(&n->lock);
		bpf_res_spin_unlock(&n->lock);
	}
	obj_drop(n);
	return 0;
}

SEC("?tc")
REFUSED("bpf_res_spin_lock is not allowed while holding a bpf_spin_lock")
int under_spin_lock(struct __sk_buff *skb)
{
	struct plain *p;
	int key = 0;

	p = bpf_map_lookup_elem(&plain, &key);
	if (!p)
		return 0;
	bpf_spin_lock(&p->lock);
	if (!bpf_res_spin_lock(&lock_a))
		bpf_res_spin_unlock(&lock_a);
	bpf_spin_unlock(&p->lock);
	return 0;
}

SEC("?tc")
REFUSED(NO_CALLS)
int over_spin_lock(struct __sk_buff *skb)
{
	struct plain *p;
	int key = 0;

	p = bpf_map_lookup_elem(&plain, &key);
	if (!p || bpf_res_spin_lock(&lock_a))
		return 0;
	bpf_spin_lock(&p->lock);
	bpf_spin_unlock(&p->lock);
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

/* --- release --- */

SEC("?tc")
REFUSED("bpf_res_spin_unlock " NOT_HELD)
int result_not_tested(struct __sk_buff *skb)
{
	bpf_res_spin_lock(&lock_a);
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

SEC("?tc")
REFUSED("bpf_res_spin_unlock_irqrestore " NOT_HELD)
int irq_result_not_tested(struct __sk_buff *skb)
{
	unsigned long flags;

	bpf_res_spin_lock_irqsave(&lock_a, &flags);
	bpf_res_spin_unlock_irqrestore(&lock_a, &flags);
	return 0;
}

SEC("?tc")
REFUSED("bpf_res_spin_unlock " NOT_HELD)
int releases_twice(struct __sk_buff *skb)
{
	if (bpf_res_spin_lock(&lock_a))
		return 0;
	bpf_res_spin_unlock(&lock_a);
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

SEC("?tc")
REFUSED("bpf_res_spin_unlock is missing for the lock that was taken at insn")
int never_releases(struct __sk_buff *skb)
{
	return bpf_res_spin_lock(&lock_a);
}

SEC("?tc")
REFUSED("bpf_res_spin_unlock_irqrestore is missing for the lock that was taken at insn")
int never_restores(struct __sk_buff *skb)
{
	unsigned long flags;

	return bpf_res_spin_lock_irqsave(&lock_a, &flags);
}

SEC("?tc")
REFUSED("bpf_res_spin_unlock is missing for the lock that was taken at insn")
int forgets_one(struct __sk_buff *skb)
{
	if (bpf_res_spin_lock(&lock_a))
		return 0;
	if (bpf_res_spin_lock(&lock_b))
		return 0;
	bpf_res_spin_unlock(&lock_b);
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

SEC("?tc")
REFUSED("bpf_res_spin_unlock cannot be out of order, the lock taken last is that of insn")
int out_of_order(struct __sk_buff *skb)
{
	if (bpf_res_spin_lock(&lock_a))
		return 0;
	if (!bpf_res_spin_lock(&lock_b)) {
		bpf_res_spin_unlock(&lock_a);
		bpf_res_spin_unlock(&lock_b);
		return 0;
	}
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

SEC("?tc")
REFUSED("bpf_res_spin_unlock_irqrestore cannot be out of order, the lock taken last is that")
int irq_out_of_order(struct __sk_buff *skb)
{
	unsigned long f1, f2;

	if (bpf_res_spin_lock_irqsave(&lock_a, &f1))
		return 0;
	if (!bpf_res_spin_lock_irqsave(&lock_b, &f2)) {
		bpf_res_spin_unlock_irqrestore(&lock_a, &f1);
		bpf_res_spin_unlock_irqrestore(&lock_b, &f2);
		return 0;
	}
	bpf_res_spin_unlock_irqrestore(&lock_a, &f1);
	return 0;
}

/* A lock of one kind is taken before one of the other */
SEC("?tc")
REFUSED("bpf_res_spin_unlock cannot be out of order")
int out_of_order_below_irq(struct __sk_buff *skb)
{
	unsigned long flags;

	if (bpf_res_spin_lock(&lock_a))
		return 0;
	if (!bpf_res_spin_lock_irqsave(&lock_b, &flags)) {
		bpf_res_spin_unlock(&lock_a);
		bpf_res_spin_unlock_irqrestore(&lock_b, &flags);
		return 0;
	}
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

SEC("?tc")
REFUSED("bpf_res_spin_unlock_irqrestore cannot be out of order")
int irq_out_of_order_below_other(struct __sk_buff *skb)
{
	unsigned long flags;

	if (bpf_res_spin_lock_irqsave(&lock_a, &flags))
		return 0;
	if (!bpf_res_spin_lock(&lock_b)) {
		bpf_res_spin_unlock_irqrestore(&lock_a, &flags);
		bpf_res_spin_unlock(&lock_b);
		return 0;
	}
	bpf_res_spin_unlock_irqrestore(&lock_a, &flags);
	return 0;
}

SEC("?tc")
REFUSED("bpf_res_spin_unlock: " DIFFERENT)
int releases_another(struct __sk_buff *skb)
{
	if (bpf_res_spin_lock(&lock_a))
		return 0;
	bpf_res_spin_unlock(&lock_b);
	return 0;
}

SEC("?tc")
REFUSED("bpf_res_spin_unlock_irqrestore: " DIFFERENT)
int restores_another(struct __sk_buff *skb)
{
	unsigned long flags;

	if (bpf_res_spin_lock_irqsave(&lock_a, &flags))
		return 0;
	bpf_res_spin_unlock_irqrestore(&lock_b, &flags);
	return 0;
}

/* The same key, but the verifier does not know that */
SEC("?tc")
REFUSED("bpf_res_spin_unlock: " DIFFERENT)
int releases_another_element(struct __sk_buff *skb)
{
	struct elem *e1 = elem(0), *e2 = elem(0);

	if (!e1 || !e2)
		return 0;
	if (bpf_res_spin_lock(&e1->lock))
		return 0;
	bpf_res_spin_unlock(&e2->lock);
	return 0;
}

SEC("?tc")
REFUSED("bpf_res_spin_unlock: " DIFFERENT)
int releases_another_object(struct __sk_buff *skb)
{
	struct node *n1, *n2;

	n1 = obj_new(struct node);
	if (!n1)
		return 0;
	n2 = obj_new(struct node);
	if (!n2) {
		obj_drop(n1);
		return 0;
	}
	if (!bpf_res_spin_lock(&n1->lock))
		bpf_res_spin_unlock(&n2->lock);
	obj_drop(n1);
	obj_drop(n2);
	return 0;
}

SEC("?tc")
REFUSED("unlock of different lock, this one was taken by bpf_res_spin_lock_irqsave at insn")
int unlock_of_irq_lock(struct __sk_buff *skb)
{
	unsigned long flags;

	if (bpf_res_spin_lock_irqsave(&lock_a, &flags))
		return 0;
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

SEC("?tc")
REFUSED("unlock of different lock, this one was taken by bpf_res_spin_lock at insn")
int irq_unlock_of_lock(struct __sk_buff *skb)
{
	unsigned long flags = 0;

	if (bpf_res_spin_lock(&lock_a))
		return 0;
	bpf_res_spin_unlock_irqrestore(&lock_a, &flags);
	return 0;
}

/* One kind of lock is held, and the other is released */
SEC("?tc")
REFUSED("bpf_res_spin_unlock: " DIFFERENT)
int unlock_under_spin_lock(struct __sk_buff *skb)
{
	struct plain *p;
	int key = 0;

	p = bpf_map_lookup_elem(&plain, &key);
	if (!p)
		return 0;
	bpf_spin_lock(&p->lock);
	bpf_res_spin_unlock(&lock_a);
	bpf_spin_unlock(&p->lock);
	return 0;
}

SEC("?tc")
REFUSED("bpf_spin_unlock of different lock")
int spin_unlock_under_lock(struct __sk_buff *skb)
{
	struct plain *p;
	int key = 0;

	p = bpf_map_lookup_elem(&plain, &key);
	if (!p || bpf_res_spin_lock(&lock_a))
		return 0;
	bpf_spin_unlock(&p->lock);
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

/* --- the irq flag --- */

SEC("?tc")
REFUSED("arg#1 doesn't point to an irq flag on stack")
int flag_not_on_stack(struct __sk_buff *skb)
{
	struct elem *e = elem(0);

	return e ? bpf_res_spin_lock_irqsave(&lock_a, (unsigned long *)&e->value) : 0;
}

SEC("?tc")
REFUSED("cannot pass in irq flag at an offset=-")
int flag_misaligned(struct __sk_buff *skb)
{
	unsigned long flags[2];

	return bpf_res_spin_lock_irqsave(&lock_a, (void *)flags + 4);
}

SEC("?tc")
REFUSED("irq flag has to be at a constant offset")
int flag_at_variable_offset(struct __sk_buff *skb)
{
	unsigned long flags[2] = {};

	return bpf_res_spin_lock_irqsave(&lock_a, &flags[skb->len & 1]);
}

SEC("?tc")
REFUSED("expected uninitialized irq flag as arg#1, there is the irq flag of another lock")
int flag_of_two(struct __sk_buff *skb)
{
	unsigned long flags;

	if (bpf_res_spin_lock_irqsave(&lock_a, &flags))
		return 0;
	if (!bpf_res_spin_lock_irqsave(&lock_b, &flags))
		bpf_res_spin_unlock_irqrestore(&lock_b, &flags);
	bpf_res_spin_unlock_irqrestore(&lock_a, &flags);
	return 0;
}

SEC("?tc")
REFUSED("expected uninitialized irq flag as arg#1, there is an iterator")
int flag_in_iterator(struct __sk_buff *skb)
{
	struct bpf_iter_num it;
	int err;

	bpf_iter_num_new(&it, 0, 1);
	err = bpf_res_spin_lock_irqsave(&lock_a, (unsigned long *)&it);
	bpf_iter_num_destroy(&it);
	return err;
}

SEC("?tc")
REFUSED("expected uninitialized irq flag as arg#1, there is a dynptr")
int flag_in_dynptr(struct __sk_buff *skb)
{
	struct bpf_dynptr ptr;
	struct elem *e = elem(0);

	if (!e)
		return 0;
	bpf_dynptr_from_mem(e, 8, 0, &ptr);
	return bpf_res_spin_lock_irqsave(&lock_a, (unsigned long *)&ptr);
}

SEC("?tc")
REFUSED(NOT_RESTORED)
int flag_uninitialised(struct __sk_buff *skb)
{
	unsigned long flags, other;

	if (bpf_res_spin_lock_irqsave(&lock_a, &flags))
		return 0;
	bpf_res_spin_unlock_irqrestore(&lock_a, &other);
	return 0;
}

SEC("?tc")
REFUSED(NOT_RESTORED)
int flag_is_a_number(struct __sk_buff *skb)
{
	unsigned long flags, other = 0x200;

	if (bpf_res_spin_lock_irqsave(&lock_a, &flags))
		return 0;
	bpf_res_spin_unlock_irqrestore(&lock_a, &other);
	return 0;
}

/* A lock that was not taken does not have a flag */
SEC("?tc")
REFUSED(NOT_RESTORED)
int flag_not_set_by_failure(struct __sk_buff *skb)
{
	unsigned long f1, f2;

	if (bpf_res_spin_lock_irqsave(&lock_a, &f1))
		return 0;
	if (bpf_res_spin_lock_irqsave(&lock_b, &f2)) {
		bpf_res_spin_unlock_irqrestore(&lock_a, &f2);
		return 0;
	}
	bpf_res_spin_unlock_irqrestore(&lock_b, &f2);
	bpf_res_spin_unlock_irqrestore(&lock_a, &f1);
	return 0;
}

SEC("?tc")
REFUSED(NOT_RESTORED)
int flag_restored_twice(struct __sk_buff *skb)
{
	unsigned long f1, f2;

	if (bpf_res_spin_lock_irqsave(&lock_a, &f1))
		return 0;
	if (!bpf_res_spin_lock_irqsave(&lock_b, &f2)) {
		bpf_res_spin_unlock_irqrestore(&lock_b, &f2);
		bpf_res_spin_unlock_irqrestore(&lock_a, &f2);
		return 0;
	}
	bpf_res_spin_unlock_irqrestore(&lock_a, &f1);
	return 0;
}

SEC("?tc")
REFUSED("arg#1 is not the irq flag of the lock taken at insn")
int flags_swapped(struct __sk_buff *skb)
{
	unsigned long f1, f2;

	if (bpf_res_spin_lock_irqsave(&lock_a, &f1))
		return 0;
	if (!bpf_res_spin_lock_irqsave(&lock_b, &f2)) {
		bpf_res_spin_unlock_irqrestore(&lock_b, &f1);
		bpf_res_spin_unlock_irqrestore(&lock_a, &f2);
		return 0;
	}
	bpf_res_spin_unlock_irqrestore(&lock_a, &f1);
	return 0;
}

#define WITH_FLAG(name, what)					\
	SEC("?tc")							\
	int name(struct __sk_buff *skb)					\
	{								\
		unsigned long flags[2] = {};				\
									\
		if (bpf_res_spin_lock_irqsave(&lock_a, &flags[0]))	\
			return 0;					\
		what;							\
		bpf_res_spin_unlock_irqrestore(&lock_a, &flags[0]);	\
		return 0;						\
	}

REFUSED("cannot overwrite the irq flag at fp-16 " LIVE_FLAG)
WITH_FLAG(flag_overwritten, *(volatile __u64 *)flags = 0)

REFUSED("cannot overwrite the irq flag at fp-16 " LIVE_FLAG)
WITH_FLAG(flag_overwritten_by_register, *(volatile __u64 *)flags = skb->len)

REFUSED("cannot overwrite the irq flag at fp-16 " LIVE_FLAG)
WITH_FLAG(flag_overwritten_by_pointer, *(void *volatile *)flags = skb)

REFUSED("cannot overwrite the irq flag at fp-16 " LIVE_FLAG)
WITH_FLAG(flag_overwritten_in_part, ((volatile char *)flags)[7] = 1)

REFUSED("cannot overwrite the irq flag at fp-16 " LIVE_FLAG)
WITH_FLAG(flag_overwritten_somewhere,
	  ((volatile char *)flags)[skb->len & 15] = 1)

REFUSED("cannot overwrite the irq flag at fp-16 " LIVE_FLAG)
WITH_FLAG(flag_overwritten_by_iterator,
	  bpf_iter_num_new((struct bpf_iter_num *)flags, 0, 1))

REFUSED("invalid read from stack off -16+0 size 8")
WITH_FLAG(flag_added_to, __sync_fetch_and_add(&flags[0], 1))

REFUSED("invalid read from stack off -16+0 size 8")
WITH_FLAG(flag_read, (void)*(volatile __u64 *)flags)

REFUSED("invalid read from stack off -14+0 size 1")
WITH_FLAG(flag_read_in_part, (void)((volatile char *)flags)[2])

REFUSED("invalid indirect read from stack")
WITH_FLAG(flag_printed,
	  ___bpf_stream_vprintk(STDOUT, "%llx\n", sizeof("%llx\n"), (__u64 *)flags, 1))

static __noinline int overwrite(unsigned long *flags)
{
	*(volatile unsigned long *)flags = 0;
	return 0;
}

REFUSED("cannot overwrite the irq flag at fp-16 " LIVE_FLAG)
WITH_FLAG(flag_overwritten_by_function, overwrite(flags))

static __noinline int take_and_lose_flag(struct elem *e)
{
	unsigned long flags;

	return bpf_res_spin_lock_irqsave(&e->lock, &flags);
}

SEC("?tc")
REFUSED("return loses the irq flag of the lock taken at insn")
int flag_lost(struct __sk_buff *skb)
{
	struct elem *e = elem(0);
	unsigned long flags;

	if (!e)
		return 0;
	if (!take_and_lose_flag(e))
		bpf_res_spin_unlock_irqrestore(&e->lock, &flags);
	return 0;
}

/* --- not permitted with a lock held --- */

#define WITH_LOCK(type, name, what)					\
	SEC(type)							\
	int name(struct __sk_buff *skb)					\
	{								\
		if (bpf_res_spin_lock(&lock_a))				\
			return 0;					\
		what;							\
		bpf_res_spin_unlock(&lock_a);				\
		return 0;						\
	}

REFUSED(NO_CALLS)
WITH_LOCK("?tc", calls_helper, bpf_ktime_get_ns())

REFUSED(NO_CALLS)
WITH_LOCK("?tc", looks_up, elem(0))

REFUSED(NO_CALLS)
WITH_LOCK("?tc", tail_calls, bpf_tail_call(skb, &tails, 0))

REFUSED(NO_CALLS)
WITH_LOCK("?tc", throws, bpf_throw(0))

REFUSED(NO_CALLS)
WITH_LOCK("?tc", calls_kfunc, bpf_rcu_read_lock())

REFUSED(NO_CALLS)
WITH_LOCK("?tc", allocates, (void)obj_new(struct node))

static int empty_cb(__u32 i, void *ctx)
{
	return 0;
}

REFUSED(NO_CALLS)
WITH_LOCK("?tc", calls_back, bpf_loop(1, empty_cb, NULL, 0))

REFUSED(NO_CALLS)
WITH_LOCK("?syscall", sleeps, bpf_copy_from_user(&skb, sizeof(skb), NULL))

__noinline int global(int i)
{
	barrier_var(i);
	return i;
}

REFUSED("global function calls are not allowed while holding a lock")
WITH_LOCK("?tc", calls_global_function, global(1))

static __noinline int calls_helper_for_it(void)
{
	return bpf_ktime_get_ns();
}

REFUSED(NO_CALLS)
WITH_LOCK("?tc", function_calls_helper, calls_helper_for_it())

SEC("?tc")
REFUSED(NO_CALLS)
int drops_locked_object(struct __sk_buff *skb)
{
	struct node *n = obj_new(struct node);

	if (!n)
		return 0;
	if (!bpf_res_spin_lock(&n->lock)) {
		obj_drop(n);
		return 0;
	}
	obj_drop(n);
	return 0;
}

SEC("?tc")
REFUSED("must be held for bpf_list_head")
int guards_list(struct __sk_buff *skb)
{
	struct listed *l = obj_new(struct listed);

	if (!l)
		return 0;
	if (bpf_res_spin_lock(&lock_a)) {
		obj_drop(l);
		return 0;
	}
	bpf_list_push_front_impl(&spinning.list, &l->node, NULL, 0);
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

static bool locking_less(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	if (!bpf_res_spin_lock(&lock_a))
		bpf_res_spin_unlock(&lock_a);
	return false;
}

SEC("?tc")
REFUSED("bpf_res_spin_lock is not allowed while holding a bpf_spin_lock")
int compares_under_lock(struct __sk_buff *skb)
{
	struct in_tree *t = obj_new(struct in_tree);

	if (!t)
		return 0;
	bpf_spin_lock(&spinning.lock);
	bpf_rbtree_add_impl(&spinning.tree, &t->node, locking_less, NULL, 0);
	bpf_spin_unlock(&spinning.lock);
	return 0;
}

/* --- callbacks --- */

static int taking_cb(__u32 i, void *ctx)
{
	return bpf_res_spin_lock(&lock_a) ? 1 : 0;
}

SEC("?tc")
REFUSED("bpf_res_spin_unlock is missing for the lock that was taken at insn")
int callback_keeps_lock(struct __sk_buff *skb)
{
	bpf_loop(1, taking_cb, NULL, 0);
	return 0;
}

static int releasing_cb(__u32 i, void *ctx)
{
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

SEC("?tc")
REFUSED("bpf_res_spin_unlock " NOT_HELD)
int callback_releases(struct __sk_buff *skb)
{
	bpf_loop(1, releasing_cb, NULL, 0);
	return 0;
}

static int timer_cb(void *map, int *key, struct timed *t)
{
	return bpf_res_spin_lock(&t->lock) ? 1 : 0;
}

SEC("?tc")
REFUSED("bpf_res_spin_unlock is missing for the lock that was taken at insn")
int timer_keeps_lock(struct __sk_buff *skb)
{
	struct timed *t;
	int key = 0;

	t = bpf_map_lookup_elem(&timers, &key);
	if (t)
		bpf_timer_set_callback(&t->timer, timer_cb);
	return 0;
}

/* The values of two callbacks are different */
static long inner_cb(struct bpf_map *map, const int *key, struct elem *e,
		     struct elem **outer)
{
	if (!*outer || bpf_res_spin_lock(&(*outer)->lock))
		return 1;
	bpf_res_spin_unlock(&e->lock);
	return 0;
}

static long outer_cb(struct bpf_map *map, const int *key, struct elem *e, void *ctx)
{
	bpf_for_each_map_elem(&elems, inner_cb, &e, 0);
	return 0;
}

SEC("?tc")
REFUSED("bpf_res_spin_unlock: " DIFFERENT)
int values_of_callbacks(struct __sk_buff *skb)
{
	bpf_for_each_map_elem(&elems, outer_cb, NULL, 0);
	return 0;
}

/* --- loops --- */

SEC("?tc")
REFUSED("bpf_res_spin_lock" AGAIN)
int takes_again_in_loop(struct __sk_buff *skb)
{
	int i;

	for (i = 0; i < 10; i++)
		if (bpf_res_spin_lock(&lock_a))
			return 0;
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

SEC("?tc")
REFUSED("bpf_res_spin_unlock is missing for the lock that was taken at insn")
int keeps_by_may_goto(struct __sk_buff *skb)
{
	while (can_loop)
		if (bpf_res_spin_lock(&lock_a))
			return 0;
	return 0;
}

SEC("?tc")
REFUSED("bpf_res_spin_unlock " NOT_HELD)
int releases_again_by_may_goto(struct __sk_buff *skb)
{
	if (bpf_res_spin_lock(&lock_a))
		return 0;
	do
		bpf_res_spin_unlock(&lock_a);
	while (can_loop);
	return 0;
}

SEC("?tc")
REFUSED("bpf_res_spin_unlock is missing for the lock that was taken at insn")
int keeps_while_iterating(struct __sk_buff *skb)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 10);
	while (bpf_iter_num_next(&it))
		if (bpf_res_spin_lock(&lock_a))
			break;
	bpf_iter_num_destroy(&it);
	return 0;
}

/* --- paths that join, in states that differ --- */

/*
 * The verifier explores the first path to the end. The instructions after the paths join
 * are valid on this path and invalid on the second one, which the verifier would miss if
 * it took the states, which have a single difference, for equal. In C the compiler would
 * decide which path is explored first.
 */
#define PATHS(setup, first, second, then, undo)				\
	asm volatile(setup						\
		     "call %[bpf_get_prandom_u32];"			\
		     "if r0 != 0 goto second_%=;"			\
		     first						\
		     "goto meet_%=;"					\
		     "second_%=:"					\
		     second						\
		     "meet_%=:"						\
		     then						\
		     "end_%=: r0 = 0; exit;"				\
		     undo						\
		     :: [lock_a] "i"(&lock_a), [lock_b] "i"(&lock_b),	\
			[lock_c] "i"(&lock_c), [elems] "i"(&elems),	\
			[lock_off] "i"(__builtin_offsetof(struct elem, lock)), \
			[bpf_get_prandom_u32] "i"(bpf_get_prandom_u32),	\
			[bpf_map_lookup_elem] "i"(bpf_map_lookup_elem))

#define LOCK_A			"%[lock_a] ll"
#define LOCK_B			"%[lock_b] ll"
#define LOCK_C			"%[lock_c] ll"

#define CALL(kfunc, lock)	"r1 = " lock "; call " kfunc ";"
#define CALL_IRQ(kfunc, lock, flag)					\
	"r2 = " flag ";"						\
	CALL(kfunc, lock)
#define ELSE(label)		"if w0 != 0 goto " label "_%=;"

#define TAKE(lock)		CALL("bpf_res_spin_lock", lock)
#define GIVE(lock)		CALL("bpf_res_spin_unlock", lock)
#define TAKE_IRQ(lock, flag)	CALL_IRQ("bpf_res_spin_lock_irqsave", lock, flag)
#define GIVE_IRQ(lock, flag)	CALL_IRQ("bpf_res_spin_unlock_irqrestore", lock, flag)

/* A path on which taking the second lock failed */
#define UNDO(label, give)	label "_%=:" give "goto end_%=;"

/* r0 = the lock of an element */
#define FIND_LOCK							\
	"r1 = 0; *(u32 *)(r10 - 4) = r1;"				\
	"r2 = r10; r2 += -4; r1 = %[elems] ll;"				\
	"call %[bpf_map_lookup_elem];"					\
	"if r0 == 0 goto end_%=; r0 += %[lock_off];"

SEC("?tc")
REFUSED("bpf_res_spin_unlock is missing for the lock that was taken at insn")
__naked int none_or_one(void)
{
	PATHS("", "", TAKE(LOCK_A) ELSE("end"), "", "");
}

SEC("?tc")
REFUSED("bpf_res_spin_unlock " NOT_HELD)
__naked int one_or_none(void)
{
	PATHS("", TAKE(LOCK_A) ELSE("end"), "", GIVE(LOCK_A), "");
}

SEC("?tc")
REFUSED("bpf_res_spin_unlock: " DIFFERENT)
__naked int this_map_or_that(void)
{
	PATHS("",
	      TAKE(LOCK_A) ELSE("end"),
	      TAKE(LOCK_B) ELSE("end"),
	      GIVE(LOCK_A), "");
}

SEC("?tc")
REFUSED("bpf_res_spin_unlock: " DIFFERENT)
__naked int this_element_or_that(void)
{
	PATHS(FIND_LOCK "r6 = r0;" FIND_LOCK "r7 = r0;",
	      TAKE("r6") ELSE("end"),
	      TAKE("r7") ELSE("end"),
	      GIVE("r6"), "");
}

SEC("?tc")
REFUSED("unlock of different lock, this one was taken by bpf_res_spin_lock_irqsave at insn")
__naked int this_kind_or_that(void)
{
	PATHS("r6 = r10; r6 += -8;",
	      TAKE(LOCK_A) ELSE("end"),
	      TAKE_IRQ(LOCK_A, "r6") ELSE("end"),
	      GIVE(LOCK_A), "");
}

SEC("?tc")
REFUSED("bpf_res_spin_unlock: " DIFFERENT)
__naked int this_below_or_that(void)
{
	PATHS("",
	      TAKE(LOCK_A) ELSE("end") TAKE(LOCK_C) ELSE("undo_a"),
	      TAKE(LOCK_B) ELSE("end") TAKE(LOCK_C) ELSE("undo_b"),
	      GIVE(LOCK_C) GIVE(LOCK_A),
	      UNDO("undo_a", GIVE(LOCK_A)) UNDO("undo_b", GIVE(LOCK_B)));
}

SEC("?tc")
REFUSED("bpf_res_spin_unlock: " DIFFERENT)
__naked int this_on_top_or_that(void)
{
	PATHS("",
	      TAKE(LOCK_C) ELSE("end") TAKE(LOCK_A) ELSE("undo"),
	      TAKE(LOCK_C) ELSE("end") TAKE(LOCK_B) ELSE("undo"),
	      GIVE(LOCK_A) GIVE(LOCK_C),
	      UNDO("undo", GIVE(LOCK_C)));
}

/* Both slots have a flag in either case, but of the other lock */
#define SWAPPED_FLAGS(pointers)						\
	PATHS(pointers,							\
	      TAKE_IRQ(LOCK_A, "r6") ELSE("end")			\
	      TAKE_IRQ(LOCK_B, "r7") ELSE("undo_6"),			\
	      TAKE_IRQ(LOCK_A, "r7") ELSE("end")			\
	      TAKE_IRQ(LOCK_B, "r6") ELSE("undo_7"),			\
	      GIVE_IRQ(LOCK_B, "r7") GIVE_IRQ(LOCK_A, "r6"),		\
	      UNDO("undo_6", GIVE_IRQ(LOCK_A, "r6"))			\
	      UNDO("undo_7", GIVE_IRQ(LOCK_A, "r7")))

SEC("?tc")
REFUSED("arg#1 is not the irq flag of the lock taken at insn")
__naked int this_slot_or_that(void)
{
	SWAPPED_FLAGS("r6 = r10; r6 += -8; r7 = r10; r7 += -16;");
}

/* Not declared, as its argument has no name, which BTF requires */
__hidden __naked int flag_of_caller(void)
{
	SWAPPED_FLAGS("r6 = r10; r6 += -8; r7 = r1;");
}

SEC("?tc")
REFUSED("arg#1 is not the irq flag of the lock taken at insn")
__naked int this_frame_or_that(void)
{
	asm volatile("r1 = r10; r1 += -8;"
		     "call flag_of_caller;"
		     "r0 = 0; exit;");
}
