/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Definitions from compiler.h, kernel.h and similar headers that the kernel's files need.
 * READ_ONCE() is an atomic load and not a volatile one, as ThreadSanitizer supports only
 * atomics.
 */
#ifndef _SHIM_LINUX_COMPILER_H
#define _SHIM_LINUX_COMPILER_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/const.h>

#define __user
#define __percpu
#define __force
#define __must_check		__attribute__((__warn_unused_result__))
#define __maybe_unused		__attribute__((__unused__))
#define __aligned(x)		__attribute__((__aligned__(x)))
#define __printf(a, b)		__attribute__((__format__(printf, a, b)))
#define __cleanup(func)		__maybe_unused __attribute__((__cleanup__(func)))
#undef __always_inline
#define __always_inline		inline __attribute__((__always_inline__))
#define __same_type(a, b)	__builtin_types_compatible_p(typeof(a), typeof(b))
#define ____cacheline_aligned_in_smp __aligned(64)

#define __UNIQUE_PASTE(a, b)	a##b
#define __UNIQUE_NAME(a, b)	__UNIQUE_PASTE(a, b)
#define __UNIQUE_ID(prefix)	__UNIQUE_NAME(__unique_##prefix, __COUNTER__)

#define noinline		__attribute__((__noinline__))
#define IS_ENABLED(option)	(option)

#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)
#define compiletime_assert(cond, msg)					\
	((void)sizeof(char [(cond) ? 1 : -1]), (void)(msg))

#define READ_ONCE(x)		__atomic_load_n(&(x), __ATOMIC_RELAXED)

#define min(a, b)							\
({									\
	typeof(a) __a = (a);						\
	typeof(b) __b = (b);						\
									\
	__a < __b ? __a : __b;						\
})

#define min_t(type, a, b)	min((type)(a), (type)(b))

#define max(a, b)							\
({									\
	typeof(a) __a = (a);						\
	typeof(b) __b = (b);						\
									\
	__a < __b ? __b : __a;						\
})

#define clamp(n, low, high)	min(max(n, low), high)
#define DIV_ROUND_UP(n, d)	__KERNEL_DIV_ROUND_UP(n, d)

/* From math64.h, bits.h, bitops.h, unaligned.h, and lib/hexdump.c */
#define div_u64(n, by)		((u64)(n) / (by))
#define fls64(x)		((x) ? 64 - __builtin_clzll(x) : 0)
#define __ffs(x)		((unsigned int)__builtin_ctzl(x))
#define BITS_PER_BYTE		8
#define BIT(nr)			(1UL << (nr))
#define offset_in_page(p)	((unsigned long)(p) & (PAGE_SIZE - 1))
/* From uaccess.h: memory that a test provides */
bool shim_load(void *to, unsigned long from, unsigned int size);
bool copy_from_kernel_nofault_allowed(const void *from, size_t size);
#define kcsan_disable_current() do { } while (0)
#define kcsan_enable_current() do { } while (0)
#define __get_kernel_nofault(to, from, type, label)			\
do {									\
	if (!shim_load(to, (unsigned long)(from), sizeof(type)))	\
		goto label;						\
} while (0)
#define hex_asc			"0123456789abcdef"
#define hex_asc_upper		"0123456789ABCDEF"
#define cpu_to_le16(x)		(x)

static inline unsigned long get_unaligned(const void *p)
{
	unsigned long word;

	__builtin_memcpy(&word, p, sizeof(word));
	return word;
}

static inline void put_unaligned(unsigned long word, void *p)
{
	__builtin_memcpy(p, &word, sizeof(word));
}

/* Bytes of a word outside the object are loaded and ignored. */
static inline __attribute__((__no_sanitize__("address")))
unsigned long read_word_nocheck(const void *p)
{
	const struct {
		unsigned long word;
	} __attribute__((__packed__)) *words = p;

	return words->word;
}

void shim_bug(const char *what, const char *file, int line);

/* The kernel's warnings are fatal here, too. */
#define die_if(cond)							\
({									\
	if (unlikely(cond))						\
		shim_bug(#cond, __FILE__, __LINE__);			\
})

/*
 * Simulated memory tags, as with KASAN_HW_TAGS on arm64: each granule of 16 bytes has a
 * tag, so words must be in the granule in which the last read_word_at_a_time() began.
 */
#ifdef SHIM_HW_TAGS
#define kasan_hw_tags_enabled() true
static __thread unsigned long shim_granule;

static inline void enter_granule(const void *p)
{
	shim_granule = (unsigned long)p / 16;
}

static inline void check_granule(const void *p)
{
	die_if((unsigned long)p / 16 != shim_granule);
	die_if(((unsigned long)p + sizeof(unsigned long) - 1) / 16 != shim_granule);
}
#else
#define kasan_hw_tags_enabled() false

static inline void enter_granule(const void *p)
{
}

static inline void check_granule(const void *p)
{
}
#endif

static inline unsigned long read_once_nocheck(const void *p)
{
	check_granule(p);
	return read_word_nocheck(p);
}

#define READ_ONCE_NOCHECK(x)	read_once_nocheck(&(x))

/* As with KASAN, the first byte must belong to an object. */
static inline unsigned long read_word_at_a_time(const void *p)
{
	(void)*(const volatile char *)p;
	enter_granule(p);
	return read_once_nocheck(p);
}

#define WARN_ON_ONCE(cond)	die_if(cond)

#define EXPORT_SYMBOL(sym)	extern typeof(sym) sym
#define EXPORT_SYMBOL_GPL(sym)	EXPORT_SYMBOL(sym)

#endif /* _SHIM_LINUX_COMPILER_H */
