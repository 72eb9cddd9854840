// SPDX-License-Identifier: GPL-2.0
/*
 * Memory for the records of BPF streams
 *
 * A record is allocated by advancing a cursor through a page, and freed by
 * subtracting its size from the page's count of live bytes. Writers allocate in
 * any context, including an NMI that interrupts an allocation on the same CPU.
 * Nothing here takes a lock or waits.
 *
 * Structure
 * ---------
 *
 * Each stream has a cursor on each CPU:
 *
 *        page                            cursor
 *         |                                 |
 *         v                                 v
 *         +------+--------+--------+--------+------------------+
 *         | live | record | record | record |       room       |
 *         +------+--------+--------+--------+------------------+
 *
 * The cursor is the address of the first free byte. It is 0 if the CPU has no
 * page, and the address behind the page if the page is full. So it is in
 * (page, page + PAGE_SIZE], and one word determines page, records and room.
 *
 * The live count at the beginning of a page is the number of bytes that are in
 * use or may be allocated, plus one for the cursor that points into the page. It
 * starts at the size of the records' area plus one. Allocating a record does not
 * change it. Freeing records subtracts their size, with one subtraction for
 * consecutive records of the same page. Moving the cursor to another page
 * subtracts the unused tail and the cursor's one. The CPU whose subtraction
 * reaches 0 frees the page.
 *
 * The pages of a stream hold records of this stream only, so that unread text of
 * one program does not pin memory of another. A page whose records have all been
 * freed is either the current page of a cursor, at most one per CPU, or has been
 * freed itself. Memory reclaim drops the cursors of drained streams.
 *
 * Who runs where
 * --------------
 *
 * Only its own CPU advances a cursor, with preemption disabled, but interrupts
 * and NMIs may advance it between any two instructions. This is harmless, as a
 * single word has the whole state:
 *
 *  - within the page: cmpxchg from the value that was loaded. An interrupt may
 *    have filled and freed the page, and installed a page at the same address
 *    that is filled to the same byte. The cmpxchg succeeds then, which is
 *    correct: the word describes the current state, and no other state was
 *    loaded before.
 *
 *  - to a new page: xchg. The old value is the current page, either the full one
 *    that was loaded before or one that an interrupt has installed since, and is
 *    retired. In the second case its room is lost until its records are read;
 *    the stream's limit on pages bounds that.
 *
 *  - to no page: xchg by any CPU, for memory reclaim or when the stream is
 *    destroyed. It makes the cmpxchg of a concurrent writer fail, like any other
 *    change.
 *
 * Records are freed by readers on other CPUs, by writers whose group did not
 * fit, and when the stream is destroyed.
 *
 * Memory barriers
 * ---------------
 *
 *  - The xchg that installs a page (install:A), fully ordered, makes the live count
 *    visible before the cursor. It pairs with the xchg by which another CPU takes the
 *    cursor (drop:A) and then subtracts from that count. A reader finds the page only
 *    through a record, and pushing that (push:A in stream.c) orders the count, too.
 *
 *  - The subtraction that reaches 0 (put:B) is ordered after all accesses to the
 *    page that precede the other subtractions (put:B), as each of them is fully
 *    ordered. So there are no more accesses when the page is freed.
 *
 * tools/testing/bpf_streams/litmus has litmus tests for these.
 */
#include <linux/bpf.h>
#include <linux/cleanup.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/mm.h>
#include "stream.h"

/**
 * struct stream_page - a page with records
 * @live: live count, see above
 * @records: the rest of the page
 */
struct stream_page {
	atomic_t live;
	char records[] __aligned(__alignof__(struct bpf_stream_rec));
};

#define STREAM_PAGE_ROOM (PAGE_SIZE - offsetof(struct stream_page, records))

/*
 * Twice the capacity for records and their headers, in pages with some unused bytes at
 * both ends, and a page per CPU.
 */
static int stream_page_limit(void)
{
	return DIV_ROUND_UP(2 * CONFIG_BPF_STREAMS_CAPACITY, PAGE_SIZE - 64) + nr_cpu_ids;
}

static unsigned int cursor_room(unsigned long cursor)
{
	return -cursor & ~PAGE_MASK;
}

/* The page that contains the byte before the address */
static struct stream_page *page_before(unsigned long address)
{
	return (struct stream_page *)((address - 1) & PAGE_MASK);
}

static struct stream_page *stream_page_alloc(struct bpf_stream *stream)
{
	struct stream_page *page;

	if (!bpf_stream_charge(&stream->pages, 1, stream_page_limit()))
		return ERR_PTR(-ENOSPC);

	page = bpf_stream_page_get(stream);
	if (!page) {
		atomic_dec(&stream->pages);
		return ERR_PTR(-ENOMEM);
	}

	atomic_set(&page->live, STREAM_PAGE_ROOM + 1);
	return page;
}

static void stream_page_put(struct bpf_stream *stream, struct stream_page *page,
			    unsigned int bytes)
{
	if (!atomic_sub_and_test(bytes, &page->live)) /* put:B */
		return;

	bpf_stream_page_free(stream, page);
	atomic_dec(&stream->pages);
}

/* The cursor no longer points into the page. */
static void stream_page_retire(struct bpf_stream *stream, unsigned long cursor)
{
	if (cursor)
		stream_page_put(stream, page_before(cursor), cursor_room(cursor) + 1);
}

/* Allocate the first record of a new page. */
static noinline struct bpf_stream_rec *
stream_rec_alloc_page(struct bpf_stream *stream, unsigned long *cursor, unsigned int len)
{
	struct bpf_stream_rec *rec;
	struct stream_page *page;
	unsigned long old;

	page = stream_page_alloc(stream);
	if (IS_ERR(page))
		return ERR_CAST(page);

	rec = (struct bpf_stream_rec *)page->records;
	old = xchg(cursor, (unsigned long)rec + bpf_stream_rec_size(len)); /* install:A */
	stream_page_retire(stream, old);
	rec->len = len;
	return rec;
}

/**
 * bpf_stream_rec_alloc - allocate a record
 * @stream: stream that the record will be pushed to
 * @len: length of its text, in bytes
 *
 * Context: Any, NMI included, with preemption disabled.
 * Return: the record with @len set; -ENOSPC if the stream has reached its limit
 *         on pages; -ENOMEM if no page is available.
 */
struct bpf_stream_rec *bpf_stream_rec_alloc(struct bpf_stream *stream,
					    unsigned int len)
{
	unsigned long *cursor = &this_cpu_ptr(stream->cpu)->cursor;
	unsigned int size = bpf_stream_rec_size(len);
	struct bpf_stream_rec *rec;
	unsigned long old;

	BUILD_BUG_ON(offsetof(struct bpf_stream_rec, text) > 16);
	BUILD_BUG_ON(MAX_BPRINTF_BUF > S16_MAX);
	BUILD_BUG_ON(sizeof(*rec) + MAX_BPRINTF_BUF > STREAM_PAGE_ROOM);

	old = READ_ONCE(*cursor);
	do {
		if (cursor_room(old) < size)
			return stream_rec_alloc_page(stream, cursor, len);
	} while (!try_cmpxchg(cursor, &old, old + size));

	rec = (struct bpf_stream_rec *)old;
	rec->len = len;
	return rec;
}

/**
 * bpf_stream_free_end - release the memory of freed records
 * @stream: their stream
 * @freed: the records
 *
 * Context: Any, NMI included.
 */
void bpf_stream_free_end(struct bpf_stream *stream, struct bpf_stream_freed *freed)
{
	if (freed->bytes)
		stream_page_put(stream, freed->page, freed->bytes);
	freed->bytes = 0;
}

/**
 * bpf_stream_cursors_drop - drop the current pages of all CPUs
 * @stream: the stream
 *
 * Records in these pages stay; the next message of a CPU takes a new page.
 *
 * Context: Any, NMI included.
 * Return: number of pages that were freed.
 */
unsigned int bpf_stream_cursors_drop(struct bpf_stream *stream)
{
	int cpu, before = atomic_read(&stream->pages);
	unsigned long old;

	for_each_possible_cpu(cpu) {
		old = xchg(&per_cpu_ptr(stream->cpu, cpu)->cursor, 0); /* drop:A */
		stream_page_retire(stream, old);
	}

	return max(before - atomic_read(&stream->pages), 0);
}
