/* SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause) */
#ifndef __LINUX_RING_BUFFER_H
#define __LINUX_RING_BUFFER_H

#include <linux/perf_event.h>
#include <asm/barrier.h>

/* The kernel moves data_head once the data is there, */
static inline __u64 ring_buffer_read_head(struct perf_event_mmap_page *page)
{
	return smp_load_acquire(&page->data_head);
}

/* and writes over it once it has been read, as data_tail tells. */
static inline void ring_buffer_write_tail(struct perf_event_mmap_page *page, __u64 tail)
{
	smp_store_release(&page->data_tail, tail);
}

#endif
