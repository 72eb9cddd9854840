// SPDX-License-Identifier: GPL-2.0
/*
 * Resilient spin locks in all places, and programs that take one twice. Each place that a
 * report must show stores its line number.
 */
#include "res_lock.bpf.h"
#include "context.bpf.h"
#include "timer.bpf.h"
#include "res_lock.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NR_LOCKS);
	__type(key, int);
	__type(value, struct locked);
} array SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, int);
	__type(value, struct locked);
} hash SEC(".maps");

static struct bpf_res_spin_lock global_lock SEC(".data.A");
static __u64 global_value SEC(".data.A");

int key;
int err, irqsave_err, again_err;
__u32 word;
__u64 address, again_address;
__u64 value;

/* Both variants, one after the other */
static __always_inline int take(struct bpf_res_spin_lock *lock, __u64 *counter)
{
	unsigned long flags;

	err = bpf_res_spin_lock(lock);
	if (err)
		return 1;
	++*counter;
	bpf_res_spin_unlock(lock);

	irqsave_err = bpf_res_spin_lock_irqsave(lock, &flags);
	if (irqsave_err)
		return 2;
	++*counter;
	bpf_res_spin_unlock_irqrestore(lock, &flags);
	return 0;
}

static __always_inline struct locked *find(int k)
{
	return bpf_map_lookup_elem(&array, &k);
}

static __always_inline int take_locked(struct locked *l)
{
	int ret;

	if (!l)
		return 3;
	ret = take(&l->lock, &l->value);
	value = l->value;
	word = lock_word(&l->lock);
	return ret;
}

SEC("syscall")
int in_array(void *ctx)
{
	return take_locked(find(key));
}

SEC("syscall")
int in_hash(void *ctx)
{
	return take_locked(bpf_map_lookup_elem(&hash, &key));
}

SEC("syscall")
int in_global(void *ctx)
{
	int ret = take(&global_lock, &global_value);

	value = global_value;
	word = lock_word(&global_lock);
	return ret;
}

extern void *bpf_obj_new_impl(__u64 local_type_id__k, void *meta__ign) __weak __ksym;
extern void bpf_obj_drop_impl(void *p__alloc, void *meta__ign) __weak __ksym;

struct object {
	__u64 value;
	struct bpf_res_spin_lock lock;
};

/* Loaded on request only, as not all kernels support it */
SEC("?syscall")
int in_object(void *ctx)
{
	struct object *o;
	int ret;

	o = bpf_obj_new_impl(bpf_core_type_id_local(struct object), NULL);
	if (!o)
		return 3;
	o->value = 0;
	ret = take(&o->lock, &o->value);
	value = o->value;
	word = lock_word(&o->lock);
	bpf_obj_drop_impl(o, NULL);
	return ret;
}

/*
 * Take many locks, and maybe one of them again. Then print: programs attached to functions
 * that this calls do the same in a nested run.
 */
int again = NO_LOCK;
int level;
int deep_taken[NR_DEEP], deep_err[NR_DEEP];
char string[] = "held";

/* Each lock is taken at a different place, so that the verifier can distinguish them */
#define UP(do, i)	(do(i), do((i) + 1), do((i) + 2), do((i) + 3), do((i) + 4))
#define DOWN(do, i)	(do((i) + 4), do((i) + 3), do((i) + 2), do((i) + 1), do(i))
#define ALL_UP(do)	(UP(do, 0), UP(do, 5), UP(do, 10), UP(do, 15),		\
			 UP(do, 20), UP(do, 25), UP(do, 30), UP(do, 35))
#define ALL_DOWN(do)	(DOWN(do, 35), DOWN(do, 30), DOWN(do, 25), DOWN(do, 20), \
			 DOWN(do, 15), DOWN(do, 10), DOWN(do, 5), DOWN(do, 0))

static __always_inline int lock_deep(struct locked *l)
{
	return l ? bpf_res_spin_lock(&l->lock) : -2 /* ENOENT */;
}

static __always_inline void unlock_deep(struct locked *l)
{
	if (l)
		bpf_res_spin_unlock(&l->lock);
}

static __always_inline int take_deep(int nr)
{
	struct locked *l[DEEP], *a = NULL;
	int n = 0, e = 0;

#define FIND(i)		(l[i] = find(nr * DEEP + (i)))
	ALL_UP(FIND);
	if (again != NO_LOCK) {
		a = find(again);
		if (!a)
			return 4;
		again_address = (__u64)&a->lock;
	}
	if (l[0])
		address = (__u64)&l[0]->lock;

#define LOCK(i)		(n += n == (i) && !(e = lock_deep(l[i])))
	ALL_UP(LOCK);
	deep_err[nr] = e;
	deep_taken[nr] = n;
	if (n == DEEP) {
		if (a) {
			e = bpf_res_spin_lock(&a->lock);
			if (!e)
				bpf_res_spin_unlock(&a->lock);
			again_err = e;
		}
		level++;
		bpf_stream_printk(STDOUT, "%d locks %s\n", DEEP * level, string);
		level--;
	}

#define UNLOCK(i)	(n > (i) ? unlock_deep(l[i]) : (void)0)
	ALL_DOWN(UNLOCK);
	return 0;
}

SEC("syscall")
int deep(void *ctx)
{
	return take_deep(0);
}

#define DEEPER(nr)						\
SEC("?fentry/copy_from_kernel_nofault_allowed")			\
int BPF_PROG(deeper##nr)					\
{								\
	if (level == (nr))					\
		take_deep(nr);					\
	return 0;						\
}

DEEPER(1)
DEEPER(2)
DEEPER(3)

__u64 traced;

/* Take the lock for which the traced function may wait */
#define TRACER(name, type, function)				\
SEC("?" type "/" #function)					\
int name(void *ctx)						\
{								\
	if (bpf_res_spin_lock(&global_lock))			\
		return 0;					\
	traced++;						\
	bpf_res_spin_unlock(&global_lock);			\
	return 0;						\
}

TRACER(slow_fentry, "fentry", res_spin_lock_slowpath)
TRACER(slow_fexit, "fexit", res_spin_lock_slowpath)
TRACER(slow_kprobe, "kprobe", res_spin_lock_slowpath)
TRACER(slow_kretprobe, "kretprobe", res_spin_lock_slowpath)
TRACER(fast_fentry, "fentry", bpf_res_spin_lock)
TRACER(fast_kprobe, "kprobe", bpf_res_spin_lock)

int aa_line;

SEC("syscall")
int aa(void *ctx)
{
	struct locked *a = find(key), *b = find(key);
	int e;

	if (!a || !b)
		return 3;
	address = (__u64)&a->lock;
	if (bpf_res_spin_lock(&a->lock))
		return 1;
	HERE(aa);
	e = bpf_res_spin_lock(&b->lock);
	if (!e)
		bpf_res_spin_unlock(&b->lock);
	again_err = e;
	/* Held as before */
	a->value++;
	bpf_res_spin_unlock(&a->lock);
	return take_locked(a);
}

int aa_irqsave_line;

SEC("syscall")
int aa_irqsave(void *ctx)
{
	struct locked *a = find(key), *b = find(key);
	unsigned long flags, flags2;
	int e;

	if (!a || !b)
		return 3;
	address = (__u64)&a->lock;
	if (bpf_res_spin_lock_irqsave(&a->lock, &flags))
		return 1;
	HERE(aa_irqsave);
	e = bpf_res_spin_lock_irqsave(&b->lock, &flags2);
	if (!e)
		bpf_res_spin_unlock_irqrestore(&b->lock, &flags2);
	again_err = e;
	a->value++;
	bpf_res_spin_unlock_irqrestore(&a->lock, &flags);
	return take_locked(a);
}

/* One is held by the other variant than that which fails */
int aa_mixed_line;

SEC("syscall")
int aa_mixed(void *ctx)
{
	struct locked *a = find(key), *b = find(key);
	unsigned long flags;
	int e;

	if (!a || !b)
		return 3;
	if (bpf_res_spin_lock_irqsave(&a->lock, &flags))
		return 1;
	HERE(aa_mixed);
	e = bpf_res_spin_lock(&b->lock);
	if (!e)
		bpf_res_spin_unlock(&b->lock);
	again_err = e;
	bpf_res_spin_unlock_irqrestore(&a->lock, &flags);
	return take_locked(a);
}

int sub_line, sub_call_line;

static __noinline int take_sub(struct locked *l)
{
	int e;

	HERE(sub);
	e = bpf_res_spin_lock(&l->lock);
	if (!e)
		bpf_res_spin_unlock(&l->lock);
	return e;
}

SEC("syscall")
int aa_sub(void *ctx)
{
	struct locked *a = find(key), *b = find(key);
	int e;

	if (!a || !b)
		return 3;
	if (bpf_res_spin_lock(&a->lock))
		return 1;
	HERE(sub_call);
	e = take_sub(b);
	bpf_res_spin_unlock(&a->lock);
	again_err = e;
	return 0;
}

int loop_cb_line;

static __always_inline long take_twice(int k, int *line)
{
	struct locked *a = find(k), *b = find(k);
	int e;

	if (!a || !b)
		return 1;
	if (bpf_res_spin_lock(&a->lock))
		return 1;
	*line = __LINE__ + 1;
	e = bpf_res_spin_lock(&b->lock);
	if (!e)
		bpf_res_spin_unlock(&b->lock);
	a->value++;
	bpf_res_spin_unlock(&a->lock);
	again_err = e;
	return 0;
}

static long loop_cb(__u32 i, int *k)
{
	return take_twice(*k, &loop_cb_line);
}

__u32 loops = 1;

SEC("syscall")
int aa_loop(void *ctx)
{
	/* A lock for each CPU */
	int k = bpf_get_smp_processor_id();

	return bpf_loop(loops, loop_cb, &k, 0) == loops ? 0 : 1;
}

int elem_cb_line;

static long elem_cb(struct bpf_map *map, int *k, struct locked *a, void *ctx)
{
	struct locked *b = bpf_map_lookup_elem(&hash, k);
	int e;

	if (!b || bpf_res_spin_lock(&a->lock))
		return 1;
	HERE(elem_cb);
	e = bpf_res_spin_lock(&b->lock);
	if (!e)
		bpf_res_spin_unlock(&b->lock);
	bpf_res_spin_unlock(&a->lock);
	again_err = e;
	return 0;
}

SEC("syscall")
int aa_each_elem(void *ctx)
{
	bpf_for_each_map_elem(&hash, elem_cb, NULL, 0);
	return 0;
}

int timer_cb_line;

static int timer_cb(void *map, int *k, struct timed *t)
{
	take_twice(0, &timer_cb_line);
	WRITE_ONCE(timer_done, 1);
	return 0;
}

SEC("tc")
int aa_timer(struct __sk_buff *skb)
{
	return start_timer(timer_cb);
}

/* Leaves little room in stderr, or fails in a loop */
__u32 filler;
#define FILLER "filler 89 123456789 123456789 123456789 123456789 123456789 123\n"

static long fill_cb(__u32 i, void *ctx)
{
	bpf_stream_printk(STDERR, FILLER);
	return 0;
}

SEC("syscall")
int fill(void *ctx)
{
	int k = key;

	if (filler)
		return bpf_loop(filler, fill_cb, NULL, 0) == filler ? 0 : 1;
	return bpf_loop(loops, loop_cb, &k, 0) == loops ? 0 : 1;
}

/* The preemption count while locks are held */
int count_before, count_held, count_held_twice, count_failed, count_after;

SEC("syscall")
int counts(void *ctx)
{
	struct locked *a = find(0), *b = find(1), *c = find(0);
	const struct pcpu_hot___local *hot;
	unsigned long flags;
	int e;

	if (!a || !b || !c || !bpf_ksym_exists(&pcpu_hot))
		return 3;
	count_before = preempt_count();
	hot = bpf_this_cpu_ptr(&pcpu_hot);

	if (bpf_res_spin_lock(&a->lock))
		return 1;
	count_held = READ_ONCE(hot->preempt_count) & ~NEED_RESCHED;
	e = bpf_res_spin_lock_irqsave(&b->lock, &flags);
	if (!e) {
		count_held_twice = READ_ONCE(hot->preempt_count) & ~NEED_RESCHED;
		bpf_res_spin_unlock_irqrestore(&b->lock, &flags);
	}
	e = bpf_res_spin_lock_irqsave(&c->lock, &flags);
	if (!e)
		bpf_res_spin_unlock_irqrestore(&c->lock, &flags);
	again_err = e;
	count_failed = READ_ONCE(hot->preempt_count) & ~NEED_RESCHED;
	bpf_res_spin_unlock(&a->lock);
	count_after = preempt_count();
	return 0;
}

/* Interrupts of one CPU, caused by a timer */
__u32 watched_cpu = -1;
__u64 ticks;

SEC("?raw_tp/hrtimer_expire_entry")
int on_tick(void *ctx)
{
	if (bpf_get_smp_processor_id() == watched_cpu)
		ticks++;
	return 0;
}

/* Time for interrupts, if enabled */
static __noinline __u64 ticks_in_a_while(void)
{
	__u64 before = READ_ONCE(ticks);
	int i;

	bpf_for(i, 0, 1 << 19)
		barrier();
	return READ_ONCE(ticks) - before;
}

static __noinline bool ticks_at_last(void)
{
	__u64 before = READ_ONCE(ticks);

	return wait_for(READ_ONCE(ticks) != before);
}

__u64 ticks_off, ticks_inner, ticks_between, ticks_failed, ticks_mixed;
bool on_before, on_after;

SEC("syscall")
int interrupts_off(void *ctx)
{
	struct locked *a = find(0), *b = find(1), *c = find(0);
	unsigned long flags, inner;
	int e;

	if (!a || !b || !c)
		return 3;
	on_before = ticks_at_last();
	if (bpf_res_spin_lock_irqsave(&a->lock, &flags))
		return 1;
	ticks_off = ticks_in_a_while();
	e = bpf_res_spin_lock_irqsave(&b->lock, &inner);
	if (!e) {
		ticks_inner = ticks_in_a_while();
		bpf_res_spin_unlock_irqrestore(&b->lock, &inner);
	}
	ticks_between = ticks_in_a_while();
	e = bpf_res_spin_lock_irqsave(&c->lock, &inner);
	if (!e)
		bpf_res_spin_unlock_irqrestore(&c->lock, &inner);
	again_err = e;
	ticks_failed = ticks_in_a_while();
	e = bpf_res_spin_lock(&b->lock);
	if (!e)
		bpf_res_spin_unlock(&b->lock);
	ticks_mixed = ticks_in_a_while();
	bpf_res_spin_unlock_irqrestore(&a->lock, &flags);
	on_after = ticks_at_last();
	return 0;
}

bool on_held, on_failed, on_again;

SEC("syscall")
int interrupts_on(void *ctx)
{
	struct locked *a = find(0), *b = find(1), *c = find(0);
	unsigned long flags;
	int e;

	if (!a || !b || !c)
		return 3;
	if (bpf_res_spin_lock(&a->lock))
		return 1;
	on_held = ticks_at_last();
	e = bpf_res_spin_lock_irqsave(&c->lock, &flags);
	if (!e)
		bpf_res_spin_unlock_irqrestore(&c->lock, &flags);
	again_err = e;
	on_failed = ticks_at_last();
	e = bpf_res_spin_lock_irqsave(&b->lock, &flags);
	if (!e) {
		ticks_off = ticks_in_a_while();
		bpf_res_spin_unlock_irqrestore(&b->lock, &flags);
	}
	on_again = ticks_at_last();
	bpf_res_spin_unlock(&a->lock);
	return 0;
}

/* Holds a lock until user space releases it */
int held, release;
bool use_hash;

SEC("syscall")
int hold(void *ctx)
{
	struct locked *l = find(key);
	bool ok;

	if (use_hash)
		l = bpf_map_lookup_elem(&hash, &key);
	if (!l)
		return 3;
	if (bpf_res_spin_lock(&l->lock))
		return 1;
	WRITE_ONCE(held, 1);
	ok = wait_for(READ_ONCE(release));
	l->value++;
	bpf_res_spin_unlock(&l->lock);
	word = lock_word(&l->lock);
	return ok ? 0 : 2;
}

int print_err, stack_err;
int print_stack_line;

SEC("syscall")
int print(void *ctx)
{
	struct locked *l = find(key);
	int p, s;

	if (!l)
		return 3;
	if (bpf_res_spin_lock(&l->lock))
		return 1;
	p = bpf_stream_printk(STDOUT, "lock %d of %d\n", key, NR_LOCKS);
	HERE(print_stack);
	s = bpf_stream_print_stack(STDERR);
	bpf_res_spin_unlock(&l->lock);
	print_err = p;
	stack_err = s;
	return 0;
}

/*
 * A program on a tracepoint of the page allocator, and one that prints until pages are
 * allocated: both take the same lock.
 */
char pad[512];
int pid;
int printing;
__u64 printed, refused;
__u64 attempts, deadlocks, other_errors;

static long print_page(__u32 i, void *ctx)
{
	struct locked *a = find(key);
	int e;

	if (!a || bpf_res_spin_lock(&a->lock))
		return 1;
	printing = 1;
	e = bpf_stream_printk(STDOUT, "%s\n", pad);
	printing = 0;
	bpf_res_spin_unlock(&a->lock);
	if (e)
		refused++;
	else
		printed++;
	return 0;
}

SEC("syscall")
int print_pages(void *ctx)
{
	return bpf_loop(loops, print_page, NULL, 0) == loops ? 0 : 1;
}

int on_alloc_line;

SEC("?raw_tp/mm_page_alloc")
int on_alloc(void *ctx)
{
	struct locked *l;
	int e;

	if (bpf_get_current_pid_tgid() >> 32 != pid || !printing)
		return 0;
	l = find(key);
	if (!l)
		return 0;
	attempts++;
	HERE(on_alloc);
	e = bpf_res_spin_lock(&l->lock);
	if (!e)
		bpf_res_spin_unlock(&l->lock);
	if (e == -35 /* EDEADLK */)
		deadlocks++;
	else
		other_errors++;
	return 0;
}

/* Groups of lines as in groups.bpf.c, with those of the other CPU in between */
int came, half_way, lines_printed, groups_lost;

static __always_inline void print_line(int cpu, int line)
{
	if (!bpf_stream_printk(STDOUT, "CPU %d group %u line %d\n", cpu, 1, line))
		__sync_fetch_and_add(&lines_printed, 1);
}

SEC("syscall")
int print_without_lock(void *ctx)
{
	int cpu = bpf_get_smp_processor_id();

	print_line(cpu, 1);
	print_line(cpu, 2);
	__sync_fetch_and_add(&half_way, 1);
	if (!wait_for(READ_ONCE(half_way) == 2))
		return 1;
	print_line(cpu, 3);
	print_line(cpu, 4);
	print_line(cpu, 5);
	return 0;
}

SEC("syscall")
int print_with_lock(void *ctx)
{
	int cpu = bpf_get_smp_processor_id();
	struct locked *l = find(0);
	bool ok;

	if (!l)
		return 3;
	__sync_fetch_and_add(&came, 1);
	if (bpf_res_spin_lock(&l->lock)) {
		__sync_fetch_and_add(&groups_lost, 1);
		return 0;
	}
	print_line(cpu, 1);
	print_line(cpu, 2);
	/* The other one is about to take the lock, or has released it */
	ok = wait_for(READ_ONCE(came) == 2);
	ticks_in_a_while();
	print_line(cpu, 3);
	print_line(cpu, 4);
	print_line(cpu, 5);
	bpf_res_spin_unlock(&l->lock);
	return ok ? 0 : 1;
}
