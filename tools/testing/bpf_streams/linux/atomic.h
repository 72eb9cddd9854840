/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's atomics, implemented by the compiler's with the ordering that the kernel
 * guarantees, so that ThreadSanitizer detects missing barriers: operations without a
 * return value and relaxed ones are unordered, the others are fully ordered, and a
 * failed compare and exchange is unordered.
 *
 * Also refcount_t and local_t. Addition to a local_t is atomic only with regard to
 * interrupts of its CPU, so local_add() checks that the caller holds a CPU.
 */
#ifndef _SHIM_LINUX_ATOMIC_H
#define _SHIM_LINUX_ATOMIC_H

#include <linux/compiler.h>
#include <linux/types.h>

#define xchg(ptr, val)	__atomic_exchange_n(ptr, val, __ATOMIC_SEQ_CST)
#define try_cmpxchg(ptr, old, val)					\
	__atomic_compare_exchange_n(ptr, old, val, false,		\
				    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)

/* After everything before it */
#define smp_store_release(ptr, val) __atomic_store_n(ptr, val, __ATOMIC_RELEASE)
/* Before everything after it */
#define smp_load_acquire(ptr)	__atomic_load_n(ptr, __ATOMIC_ACQUIRE)

static inline int atomic_read(const atomic_t *v)
{
	return __atomic_load_n(&v->counter, __ATOMIC_RELAXED);
}

static inline void atomic_set(atomic_t *v, int i)
{
	__atomic_store_n(&v->counter, i, __ATOMIC_RELAXED);
}

/* The stream core's counters must not become negative. */
static inline void atomic_sub(int i, atomic_t *v)
{
	die_if(__atomic_fetch_sub(&v->counter, i, __ATOMIC_RELAXED) < i);
}

static inline void atomic_add(int i, atomic_t *v)
{
	__atomic_fetch_add(&v->counter, i, __ATOMIC_RELAXED);
}

static inline void atomic_dec(atomic_t *v)
{
	atomic_sub(1, v);
}

static inline void atomic_inc(atomic_t *v)
{
	atomic_add(1, v);
}

static inline bool atomic_sub_and_test(int i, atomic_t *v)
{
	int old = __atomic_fetch_sub(&v->counter, i, __ATOMIC_SEQ_CST);

	die_if(old < i);
	return old == i;
}

static inline bool atomic_try_cmpxchg_relaxed(atomic_t *v, int *old, int new)
{
	return __atomic_compare_exchange_n(&v->counter, old, new, false,
					   __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

typedef struct {
	atomic_t refs;
} refcount_t;

static inline void refcount_set(refcount_t *r, int n)
{
	atomic_set(&r->refs, n);
}

static inline void refcount_inc(refcount_t *r)
{
	atomic_inc(&r->refs);
}

/* Fully ordered; the kernel guarantees a release, and an acquire if it returns true. */
static inline bool refcount_dec_and_test(refcount_t *r)
{
	return atomic_sub_and_test(1, &r->refs);
}

void shim_assert_on_cpu(void);

static inline void local_add(long i, local_t *l)
{
	shim_assert_on_cpu();
	__atomic_fetch_add(&l->counter, i, __ATOMIC_RELAXED);
}

static inline long local_read(const local_t *l)
{
	return __atomic_load_n(&l->counter, __ATOMIC_RELAXED);
}

#endif /* _SHIM_LINUX_ATOMIC_H */
