/* SPDX-License-Identifier: GPL-2.0 */
/* BPF standard streams: shared by the files of the implementation */
#ifndef _KERNEL_BPF_STREAM_H
#define _KERNEL_BPF_STREAM_H

#include <linux/align.h>
#include <linux/atomic.h>
#include <linux/bpf.h>
#include <linux/bpf_stream.h>
#include <linux/cache.h>
#include <linux/irq_work.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/refcount.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <asm/local.h>

/**
 * struct bpf_stream_rec - one message
 * @node: link in the log, the backlog or a staged group
 * @len: length of @text, never 0
 * @begins_line: first record of a group, which has to begin a line
 * @text: the message, without a terminating NUL
 */
struct bpf_stream_rec {
	struct llist_node node;
	u16 len : 15;
	u16 begins_line : 1;
	char text[];
};

/**
 * struct bpf_stream_freed - consecutively freed records of one page
 * @page: their page
 * @bytes: their size
 */
struct bpf_stream_freed {
	void *page;
	unsigned int bytes;
};

enum bpf_stream_stat {
	BPF_STREAM_WRITTEN_BYTES,
	BPF_STREAM_WRITTEN_MSGS,
	BPF_STREAM_DROPPED_BYTES,
	BPF_STREAM_DROPPED_MSGS,
	BPF_STREAM_NR_STATS,
};

/**
 * struct bpf_stream_cpu - per-CPU part of a stream
 * @cursor: address of the next record, see stream_alloc.c
 * @stats: counters of this CPU's writers; local_t, as NMIs increment them, too
 */
struct bpf_stream_cpu {
	unsigned long cursor;
	local_t stats[BPF_STREAM_NR_STATS];
};

/**
 * struct bpf_stream - a stream of text from any context to readers
 * @log: records that no reader has taken, newest first
 * @unread: bytes of text that are charged to the stream
 * @pages: number of pages, including those being allocated
 * @groups: number of unread groups; a newline may be inserted before each
 * @cpu: per-CPU part; NULL if the program can neither print nor cause reports
 * @objcg: memory cgroup that is charged for the pages, or NULL
 * @wait: readers that wait for text or for the end of the stream
 * @wake: wakes them, as writers cannot
 * @writable: link in the list of streams that can have pages
 * @refused: the memory cgroup's limit has refused a page, and reclaim is pending
 * @ended: the program was freed
 * @lock: serializes readers, protects the fields below
 * @backlog: records taken from @log, oldest first
 * @consumed: bytes of the first backlog record that were already read
 * @mid_line: the last character that was read is not a newline
 * @reads: number of times that @lock was taken to read
 * @refs: reference count; the program has one
 */
struct bpf_stream {
	struct llist_head log;
	atomic_t unread;
	atomic_t pages;
	atomic_t groups;
	struct bpf_stream_cpu __percpu *cpu;
	struct obj_cgroup *objcg;
	wait_queue_head_t wait;
	struct irq_work wake;
	struct list_head writable;
	bool refused;
	bool ended;

	struct mutex lock ____cacheline_aligned_in_smp;
	struct llist_node *backlog;
	unsigned int consumed;
	unsigned int reads;
	bool mid_line;
	refcount_t refs;
};

#define BPF_NR_STREAMS 2

/**
 * struct bpf_streams - streams of a program
 * @stream: the streams, BPF_STDOUT first
 * @may_show_addresses: the program was loaded with CAP_PERFMON
 */
struct bpf_streams {
	struct bpf_stream *stream[BPF_NR_STREAMS];
	bool may_show_addresses;
};

/* Return: the program's stream, or NULL if @stream_id is invalid. */
static inline struct bpf_stream *
bpf_prog_stream(const struct bpf_prog_aux *aux, unsigned int stream_id)
{
	unsigned int i = stream_id - BPF_STDOUT;

	if (!aux->streams || i >= BPF_NR_STREAMS)
		return NULL;

	return aux->streams->stream[i];
}

/*
 * Test if there is text to read. This may be true a few instructions before a message can
 * be read, but it is never false while one can be read.
 */
static inline bool bpf_stream_has_text(const struct bpf_stream *stream)
{
	return atomic_read(&stream->unread);
}

/* The maximum number of bytes that readers can get, with newlines before groups */
static inline unsigned int bpf_stream_unread(const struct bpf_stream *stream)
{
	return atomic_read(&stream->unread) + atomic_read(&stream->groups);
}

static inline bool bpf_stream_is_writable(const struct bpf_stream *stream)
{
	return stream->cpu;
}

static inline struct bpf_stream_rec *bpf_stream_rec(struct llist_node *node)
{
	return llist_entry(node, struct bpf_stream_rec, node);
}

/* Memory of the stream's records, in bytes */
static inline unsigned long bpf_stream_memory(const struct bpf_stream *stream)
{
	return atomic_read(&stream->pages) * PAGE_SIZE;
}

/* Size of a record with @len bytes of text */
static inline unsigned int bpf_stream_rec_size(unsigned int len)
{
	return ALIGN(offsetof(struct bpf_stream_rec, text) + len,
		     __alignof__(struct bpf_stream_rec));
}

/* Add @n to @counter unless that makes it exceed @limit. */
static __always_inline bool bpf_stream_charge(atomic_t *counter, int n, int limit)
{
	int old = atomic_read(counter);

	do {
		if (n > limit - old)
			return false;
	} while (!atomic_try_cmpxchg_relaxed(counter, &old, old + n));

	return true;
}

struct bpf_stream_rec *bpf_stream_rec_alloc(struct bpf_stream *stream,
					    unsigned int len);
void bpf_stream_free_end(struct bpf_stream *stream, struct bpf_stream_freed *freed);
unsigned int bpf_stream_cursors_drop(struct bpf_stream *stream);

void *bpf_stream_page_get(struct bpf_stream *stream);
void bpf_stream_page_free(struct bpf_stream *stream, void *page);
void bpf_stream_memory_init(struct bpf_stream *stream);
void bpf_stream_memory_exit(struct bpf_stream *stream);

/**
 * bpf_stream_rec_free - free a record
 * @stream: stream for which the record was allocated
 * @freed: records that were freed before
 * @rec: the record, not on any list
 *
 * Its memory is released by bpf_stream_free_end(), or when a record of another page is
 * freed.
 *
 * Context: Any, NMI included.
 */
static __always_inline void bpf_stream_rec_free(struct bpf_stream *stream,
						struct bpf_stream_freed *freed,
						struct bpf_stream_rec *rec)
{
	void *page = (void *)((unsigned long)rec & PAGE_MASK);

	if (page != freed->page) {
		if (freed->bytes)
			bpf_stream_free_end(stream, freed);
		freed->page = page;
	}
	freed->bytes += bpf_stream_rec_size(rec->len);
}

unsigned int bpf_stream_plain_len(const char *fmt);
int bpf_stream_format(char *buf, const char *fmt, const u64 *args, u32 nr_args);

struct bpf_stream *bpf_stream_alloc(bool writable);
void bpf_stream_put(struct bpf_stream *stream);
void bpf_stream_end(struct bpf_stream *stream);
bool bpf_stream_has_ended(const struct bpf_stream *stream);
struct bpf_stream *bpf_stream_get_by_fd(u32 prog_fd, u32 stream_id, u32 *prog_id);
void bpf_stream_drop(struct bpf_stream *stream, unsigned int msgs,
		     unsigned int bytes);
int bpf_stream_write(struct bpf_stream *stream, const char *text,
		     unsigned int len);
int bpf_stream_stage_write(struct bpf_stream_group *ss, const char *text,
			   unsigned int len);
int bpf_stream_read(struct bpf_stream *stream, char __user *buf,
		    unsigned int len);
unsigned long bpf_stream_stat(const struct bpf_stream *stream,
			      enum bpf_stream_stat stat);

#endif /* _KERNEL_BPF_STREAM_H */
