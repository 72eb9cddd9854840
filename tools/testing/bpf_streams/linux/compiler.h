/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel's headers and files need of compiler.h and kernel.h. READ_ONCE()
 * is an atomic load and not a volatile one, as ThreadSanitizer knows only those.
 */
#ifndef _SHIM_LINUX_COMPILER_H
#define _SHIM_LINUX_COMPILER_H

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

#define DIV_ROUND_UP(n, d)	__KERNEL_DIV_ROUND_UP(n, d)

void shim_bug(const char *what, const char *file, int line);

/* Whatever the kernel warns of is a bug here. */
#define die_if(cond)							\
({									\
	if (unlikely(cond))						\
		shim_bug(#cond, __FILE__, __LINE__);			\
})
#define WARN_ON_ONCE(cond)	die_if(cond)

#define EXPORT_SYMBOL_GPL(sym)	extern typeof(sym) sym

#endif /* _SHIM_LINUX_COMPILER_H */
