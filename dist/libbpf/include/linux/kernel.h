/* SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause) */
#ifndef __LINUX_KERNEL_H
#define __LINUX_KERNEL_H

#include <stddef.h>

#include <linux/compiler.h>

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#endif

#ifndef offsetofend
#define offsetofend(type, member) \
	(offsetof(type, member) + sizeof(((type *)0)->member))
#endif

#ifndef container_of
#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))
#endif

#ifndef max
#define max(a, b) ({			\
	__typeof__(a) __max_a = (a);	\
	__typeof__(b) __max_b = (b);	\
	__max_a > __max_b ? __max_a : __max_b; })
#endif

#ifndef min
#define min(a, b) ({			\
	__typeof__(a) __min_a = (a);	\
	__typeof__(b) __min_b = (b);	\
	__min_a < __min_b ? __min_a : __min_b; })
#endif

#ifndef roundup
#define roundup(x, to) ({			\
	__typeof__(to) __to = (to);		\
	((x) + (__to - 1)) / __to * __to; })
#endif

#endif
