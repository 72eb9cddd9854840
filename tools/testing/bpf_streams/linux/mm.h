/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Small allocations, pages and the user's buffer. Allocations are counted, and all of
 * these can be made to fail. Pages, which come from stream_memory.c in the kernel, are
 * taken from a pool that signal handlers can use, too.
 */
#ifndef _SHIM_LINUX_MM_H
#define _SHIM_LINUX_MM_H

#include <linux/sched.h>

/* The minimum of the kernel's option, so that few messages fill a stream */
#ifndef CONFIG_BPF_STREAMS_CAPACITY
#define CONFIG_BPF_STREAMS_CAPACITY 65536
#endif

#define PAGE_SIZE	4096UL
#define PAGE_MASK	(~(PAGE_SIZE - 1))

#define GFP_KERNEL	0
#define __GFP_ZERO	1
#define bpf_memcg_flags(gfp) (gfp)

void *kmalloc(size_t size, gfp_t gfp);
void kfree(void *ptr);

bool access_ok(const void __user *buf, unsigned long len);
unsigned long __copy_to_user_inatomic(void __user *to, const void *from, unsigned long len);
unsigned long fault_in_subpage_writeable(char __user *buf, unsigned long size);
#define pagefault_disable() (current->pagefault_disabled++)
#define pagefault_enable() (current->pagefault_disabled--)

#endif /* _SHIM_LINUX_MM_H */
