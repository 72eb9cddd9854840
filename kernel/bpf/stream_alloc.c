// SPDX-License-Identifier: GPL-2.0
/*
 * Memory for the records of BPF streams
 *
 * A record is allocated by advancing a cursor through a page, and freed by
 * counting its bytes off that page. Writers allocate in any context, an NMI
 * that interrupts an allocation on the same CPU included; nothing here takes a
 * lock or waits.
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
 * The cursor is the address of the first free byte. It is 0 while the CPU has
 * no page, and one past the page's end when the page is full, so that it lies
 * in (page, page + PAGE_SIZE] and tells page, records and room in one word.
 *
 * The live count of a page, at its beginning, is that of the bytes that
 * somebody may still use: those of records that were not freed, allocated or
 * not yet, and one for the cursor pointing into the page. It starts at all that
 * is for records, and that one. Allocating does not change it, as those
 * bytes were counted as room before. Freeing records takes their size away; who
 * frees many does so once for those in a row that share a page. Moving the cursor
 * to another page takes away the room that was left and the one. Whoever makes
 * it 0 frees the page.
 *
 * The pages of a stream hold records of this stream only. What a program
 * leaves unread pins no memory but its own: a page whose records were all read
 * is either a cursor's, at most one for each CPU, or has been freed. Where memory is
 * scarce, cursors of streams that are drained give their pages back.
 *
 * Who runs where
 * --------------
 *
 * A cursor is moved by its own CPU only, with preemption disabled, but
 * interrupts and NMIs may come between any two instructions of the move and
 * move it too. One word with the whole state makes that harmless:
 *
 *  - within the page: cmpxchg from the value that was looked at. If an
 *    interrupt took the page to its end and freed it, and by chance a page at
 *    the same address has become the cursor's and is filled to the same byte,
 *    the exchange succeeds, and rightly so: the word describes the state of
 *    now, and nothing else was remembered.
 *
 *  - to a new page: xchg. What comes out was current until now, be it the full
 *    page that was seen before or one that an interrupt has since installed,
 *    and is let go of. In the second case its room is lost until its records
 *    are read; the stream's limit on pages bounds that.
 *
 *  - to no page: xchg, and this by any CPU, when memory is scarce or the stream is
 *    destroyed. To a writer between its look at the word and its cmpxchg it is one
 *    more change that makes that fail.
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
 *  - The subtraction that reaches 0 (put:B) is ordered after all uses of the
 *    page before the other subtractions (put:B), as every one of them is fully
 *    ordered. So the page is freed when nobody looks at it any more.
 *
 * tools/testing/bpf_streams/litmus has it as a litmus test.
 */
#include <linux/bpf.h>
#include <linux/cleanup.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/mm.h>
#include "stream.h"

/**
 * struct stream_page - a page with records
 * @live: bytes in use, see above
 * @records: the rest of the page
 */
struct stream_page {
	atomic_t live;
	char records[] __aligned(__alignof__(struct bpf_stream_rec));
};

#define STREAM_PAGE_ROOM (PAGE_SIZE - offsetof(struct stream_page, records))

/*
 * Twice the capacity for records and their headers, in pages that lose some bytes at
 * the beginning and at the end, and a page for each CPU.
 */
static int stream_page_limit(void)
{
	return DIV_ROUND_UP(2 * CONFIG_BPF_STREAMS_CAPACITY, PAGE_SIZE - 64) + nr_cpu_ids;
}

static unsigned int cursor_room(unsigned long cursor)
{
	return -cursor & ~PAGE_MASK;
}

/* The page that the byte before the address is in */
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

/* The cursor has left the page. */
static void stream_page_retire(struct bpf_stream *stream, unsigned long cursor)
{
	if (cursor)
		stream_page_put(stream, page_before(cursor), cursor_room(cursor) + 1);
}

/* The first record of a new page, as there is no room in the one before. */
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
 * Return: the record with @len set; -ENOSPC if the stream holds as many pages
 *         as it may, -ENOMEM if there is no page to be had.
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
 * bpf_stream_free_end - let go of the memory of freed records
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
 * bpf_stream_cursors_drop - let go of the pages that cursors point into
 * @stream: the stream
 *
 * What writers have in these pages stays; the next message of a CPU takes a new page.
 *
 * Context: Any, NMI included.
 * Return: number of pages that were free by that.
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
