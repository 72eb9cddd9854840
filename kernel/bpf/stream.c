// SPDX-License-Identifier: GPL-2.0
/*
 * BPF standard streams: from writers in any context to a reader
 *
 * Structure
 * ---------
 *
 *   writers, any context, NMI too               readers, one at a time
 *
 *   allocate ─► charge text ─► push             ┌── backlog ◄── stream.lock
 *                                │              │    oldest first
 *                                ▼              ▼
 *                   log: newest ─► ... ─► oldest   copy to user, free
 *                          └─── take all, reverse ──► backlog
 *
 * A message is a record (stream_alloc.c). Writers push records on the log, a
 * lockless LIFO list, and do not access them afterwards. A reader holds the
 * stream's lock and consumes the backlog, a list in order of printing that is
 * protected by this lock. When the backlog is empty the reader takes the whole
 * log and reverses it. Records on the log are always newer than those on the
 * backlog, so messages of one writer are read in the order in which they were
 * printed. A record that does not fit the rest of the reader's buffer stays at
 * the head of the backlog, and stream.consumed is the number of bytes read so
 * far; the record is popped and freed when all of it has been read.
 *
 * A group of messages is staged first: its records are chained on the writer's
 * stack, newest first as in the log, and spliced into the log in one step.
 * Records that are adjacent in the log stay adjacent when it is reversed.
 *
 * A group begins on a new line. Only the reader knows the text before it, so the
 * first record of a group is marked (begins_line). A reader that reaches a marked
 * record in the middle of a line (stream.mid_line) inserts a newline, which is
 * counted as written at that time.
 *
 * Capacity
 * --------
 *
 * stream.unread is the number of bytes charged to the stream, at most
 * CONFIG_BPF_STREAMS_CAPACITY. A writer checks for room before it allocates
 * records, and charges a message or a group as a whole after that, right before
 * it pushes them. If the stream is full by then, the records are freed. The push
 * follows the charge without an allocation in between, so a reader that observes
 * the charge finds the text soon. A reader discharges the text that was copied
 * to the user's buffer, 4 KiB at a time. Memory is limited separately, in pages
 * (stream_alloc.c), as short messages take more space for headers than for text.
 *
 * Waking readers
 * --------------
 *
 * A reader may sleep on stream.wait until stream.unread is not 0 (stream_file.c).
 * A writer may hold the locks that waking takes, so it queues stream.wake, an
 * irq_work, and only if there are sleepers and the log was empty before the push.
 * If the log was not empty, the writer of its first record has woken the readers
 * that slept then, and later ones do not sleep, as they observe stream.unread.
 *
 * Test stream.unread, not the lists: records that move from the log to the
 * backlog are on neither.
 *
 * Lifetime
 * --------
 *
 * A stream has its own reference count (stream_prog.c). Readers hold a reference
 * to the stream and not to the program, so that a reader that sleeps in a page
 * fault does not delay unloading the program. The stream ends when the program,
 * and with it the last writer, is freed. Unread text stays until the last reader
 * drops its reference.
 *
 * Readers' buffers
 * ----------------
 *
 * A page fault on a reader's buffer may depend on another process (userfaultfd, FUSE)
 * and never be resolved. It must not block other readers. So page faults are disabled
 * while stream.lock is held: a message that cannot be copied stays in the backlog, and
 * the lock is dropped to fault the pages in. If another reader has read in the meantime
 * (stream.reads), the read ends, so that the text of one read is in order.
 *
 * Memory barriers
 * ---------------
 *
 * The cmpxchg of llist_add_batch() (push:A), fully ordered, makes the record's
 * contents visible before the record. It pairs with the xchg of llist_del_all()
 * (take:A), after which the reader follows the links and reads the contents.
 *
 * That cmpxchg (push:A) also orders the charge before the load of stream.wait.
 * It pairs with the barrier between enqueueing there and loading stream.unread,
 * in prepare_to_wait_event() and poll_wait() (wait:A): either the writer observes
 * the sleeper or the sleeper observes the charge.
 *
 * stream.ended is set (end:A) after the last writer has returned. A reader that
 * observes it set (end:B) observes every pushed record.
 *
 * Otherwise charging and discharging provide no ordering: the counts do not
 * protect data.
 *
 * tools/testing/bpf_streams/litmus has a litmus test for each of these.
 */
#include <linux/bpf.h>
#include <linux/cleanup.h>
#include <linux/err.h>
#include <linux/irq_work.h>
#include <linux/pagemap.h>
#include <linux/poll.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/unaligned.h>
#include <linux/wait.h>
#include "stream.h"

static __always_inline bool stream_charge_text(struct bpf_stream *stream, unsigned int bytes)
{
	return bpf_stream_charge(&stream->unread, bytes,
				 CONFIG_BPF_STREAMS_CAPACITY);
}

static void stream_discharge_text(struct bpf_stream *stream, unsigned int bytes)
{
	atomic_sub(bytes, &stream->unread);
}

static __always_inline bool stream_has_room(const struct bpf_stream *stream,
					    unsigned int bytes)
{
	return bytes <= CONFIG_BPF_STREAMS_CAPACITY - atomic_read(&stream->unread);
}

/* With preemption disabled */
static __always_inline void stream_count_written(struct bpf_stream *stream,
						 unsigned int msgs, unsigned int bytes)
{
	struct bpf_stream_cpu *cpu = this_cpu_ptr(stream->cpu);

	local_add(msgs, &cpu->stats[BPF_STREAM_WRITTEN_MSGS]);
	local_add(bytes, &cpu->stats[BPF_STREAM_WRITTEN_BYTES]);
}

static __always_inline void stream_count_dropped(struct bpf_stream *stream,
						 unsigned int msgs, unsigned int bytes)
{
	struct bpf_stream_cpu *cpu = this_cpu_ptr(stream->cpu);

	local_add(msgs, &cpu->stats[BPF_STREAM_DROPPED_MSGS]);
	local_add(bytes, &cpu->stats[BPF_STREAM_DROPPED_BYTES]);
}

/**
 * bpf_stream_drop - count lost messages
 * @stream: the stream they were printed to
 * @msgs: number of messages
 * @bytes: length of their text, as far as it is known
 *
 * Context: Any, NMI included.
 */
void bpf_stream_drop(struct bpf_stream *stream, unsigned int msgs,
		     unsigned int bytes)
{
	guard(preempt)();
	stream_count_dropped(stream, msgs, bytes);
}

/**
 * bpf_stream_stat - read one of the stream's counters
 * @stream: the stream
 * @stat: the counter
 *
 * Return: the sum over all CPUs, modulo the range of a long. Exact if no writer
 *         is running.
 */
unsigned long bpf_stream_stat(const struct bpf_stream *stream,
			      enum bpf_stream_stat stat)
{
	unsigned long sum = 0;
	int cpu;

	if (!bpf_stream_is_writable(stream))
		return 0;

	for_each_possible_cpu(cpu)
		sum += local_read(&per_cpu_ptr(stream->cpu, cpu)->stats[stat]);

	return sum;
}

static __always_inline void stream_copy_word(char *to, const char *from)
{
	put_unaligned(get_unaligned((const unsigned long *)from), (unsigned long *)to);
}

/* Most messages are too short for the setup cost of memcpy(). */
static __always_inline void stream_copy(char *to, const char *from, unsigned int len)
{
	const unsigned int word = sizeof(unsigned long);
	unsigned int i;

	if (len < word) {
		for (i = 0; i < len; i++)
			to[i] = from[i];
		return;
	}

	for (i = 0; i + 4 * word <= len; i += 4 * word) {
		stream_copy_word(to + i, from + i);
		stream_copy_word(to + i + word, from + i + word);
		stream_copy_word(to + i + 2 * word, from + i + 2 * word);
		stream_copy_word(to + i + 3 * word, from + i + 3 * word);
	}
	for (; i + word <= len; i += word)
		stream_copy_word(to + i, from + i);
	/* The last word may overlap the one before. */
	stream_copy_word(to + len - word, from + len - word);
}

static __always_inline struct bpf_stream_rec *
stream_rec_new(struct bpf_stream *stream, const char *text, unsigned int len)
{
	struct bpf_stream_rec *rec;

	rec = bpf_stream_rec_alloc(stream, len);
	if (!IS_ERR(rec))
		stream_copy(rec->text, text, len);

	return rec;
}

static void stream_wake(struct irq_work *work)
{
	struct bpf_stream *stream = container_of(work, struct bpf_stream, wake);

	wake_up_poll(&stream->wait, EPOLLIN | EPOLLRDNORM);
}

/* Push a chain of records on the log; @first is the newest. */
static __always_inline void stream_add(struct bpf_stream *stream,
				       struct llist_node *first,
				       struct llist_node *last)
{
	if (llist_add_batch(first, last, &stream->log) && /* push:A */
	    waitqueue_active(&stream->wait))
		irq_work_queue(&stream->wake);
}

static noinline void stream_free_chain(struct bpf_stream *stream,
				       struct llist_node *first)
{
	struct bpf_stream_freed freed = {};
	struct llist_node *node, *next;

	llist_for_each_safe(node, next, first)
		bpf_stream_rec_free(stream, &freed, bpf_stream_rec(node));
	bpf_stream_free_end(stream, &freed);
}

static int stream_push(struct bpf_stream *stream, const char *text,
		       unsigned int len)
{
	struct bpf_stream_rec *rec;

	if (!stream_has_room(stream, len))
		return -ENOSPC;

	rec = stream_rec_new(stream, text, len);
	if (IS_ERR(rec))
		return PTR_ERR(rec);

	if (unlikely(!stream_charge_text(stream, len))) {
		stream_free_chain(stream, &rec->node);
		return -ENOSPC;
	}

	stream_add(stream, &rec->node, &rec->node);
	return 0;
}

/**
 * bpf_stream_write - write one message
 * @stream: the stream
 * @text: the message, not terminated
 * @len: its length in bytes, less than MAX_BPRINTF_BUF
 *
 * An empty message has no effect. A refused message is counted as dropped.
 *
 * Context: Any, NMI included, with preemption disabled.
 * Return: 0; -ENOSPC if the stream is full; -ENOMEM if no page is available.
 */
int bpf_stream_write(struct bpf_stream *stream, const char *text,
		     unsigned int len)
{
	int err;

	if (!len)
		return 0;

	err = stream_push(stream, text, len);
	if (err)
		stream_count_dropped(stream, 1, len);
	else
		stream_count_written(stream, 1, len);

	return err;
}

/**
 * bpf_stream_stage_write - add a message to a group
 * @ss: the group
 * @text: the message, not terminated
 * @len: its length in bytes, less than MAX_BPRINTF_BUF
 *
 * Context: Any, NMI included, with preemption disabled.
 * Return: 0 or the first error of the group.
 */
int bpf_stream_stage_write(struct bpf_stream_group *ss, const char *text,
			   unsigned int len)
{
	struct bpf_stream_rec *rec;

	if (!len)
		return ss->err;

	ss->msgs++;
	ss->bytes += len;
	if (!ss->err && !stream_has_room(ss->stream, ss->bytes))
		ss->err = -ENOSPC;
	if (ss->err)
		return ss->err;

	rec = stream_rec_new(ss->stream, text, len);
	if (IS_ERR(rec)) {
		ss->err = PTR_ERR(rec);
		return ss->err;
	}

	rec->node.next = ss->first;
	ss->first = &rec->node;
	if (!ss->last) {
		ss->last = &rec->node;
		rec->begins_line = true;
	}

	return 0;
}

/**
 * bpf_stream_stage_commit - write a group of messages, or drop it
 * @ss: the group, not to be used afterwards
 *
 * Context: Any, NMI included.
 * Return: 0; the error of adding a message; -ENOSPC if the group does not fit
 *         the stream.
 */
int bpf_stream_stage_commit(struct bpf_stream_group *ss)
{
	struct bpf_stream *stream = ss->stream;

	if (!stream)
		return ss->err;

	/* A reader that observes the charge retries until it gets the text. */
	guard(preempt)();
	if (!ss->err && !stream_charge_text(stream, ss->bytes))
		ss->err = -ENOSPC;

	if (ss->err) {
		stream_free_chain(stream, ss->first);
		stream_count_dropped(stream, ss->msgs, ss->bytes);
		return ss->err;
	}

	if (!ss->first)
		return 0;

	atomic_inc(&stream->groups);
	stream_add(stream, ss->first, ss->last);
	stream_count_written(stream, ss->msgs, ss->bytes);
	return 0;
}

/* Return: the oldest record, or NULL if there is nothing to read. */
static struct bpf_stream_rec *stream_peek(struct bpf_stream *stream)
{
	lockdep_assert_held(&stream->lock);

	if (!stream->backlog)
		stream->backlog = llist_reverse_order(llist_del_all(&stream->log)); /* take:A */

	return stream->backlog ? bpf_stream_rec(stream->backlog) : NULL;
}

/**
 * struct stream_reading - one call of bpf_stream_read()
 * @buf: the user's buffer
 * @len: its size in bytes
 * @copied: number of bytes copied
 * @missing: number of bytes that could not be copied
 * @may_split: not all of these could be faulted in, so a record may be split
 * @reads: stream.reads when the lock was released
 * @consumed: number of copied bytes that are still charged
 * @freed: records that were read completely
 */
struct stream_reading {
	char __user *buf;
	unsigned int len;
	unsigned int copied;
	unsigned int missing;
	bool may_split;
	unsigned int reads;
	unsigned int consumed;
	struct bpf_stream_freed freed;
};

/* Return: number of bytes copied. */
static __always_inline unsigned int stream_copy_out(struct stream_reading *r,
						    const char *text, unsigned int len)
{
	unsigned int n = len - __copy_to_user_inatomic(r->buf + r->copied, text, len);

	r->copied += n;
	return n;
}

/* Account for @bytes more of the oldest record that have been copied. */
static __always_inline void stream_consume(struct bpf_stream *stream, struct stream_reading *r,
					   struct bpf_stream_rec *rec, unsigned int bytes)
{
	r->consumed += bytes;
	stream->consumed += bytes;
	stream->mid_line = rec->text[stream->consumed - 1] != '\n';
	if (stream->consumed == rec->len) {
		if (unlikely(rec->begins_line))
			atomic_dec(&stream->groups);
		stream->backlog = rec->node.next;
		stream->consumed = 0;
		bpf_stream_rec_free(stream, &r->freed, rec);
	}
}

/* Insert the newline before a group. */
static noinline bool stream_end_line(struct bpf_stream *stream, struct stream_reading *r)
{
	if (!stream_copy_out(r, "\n", 1)) {
		r->missing = 1;
		return false;
	}

	stream->mid_line = false;
	guard(preempt)();
	stream_count_written(stream, 0, 1);
	return true;
}

/* Handle a fault: only @n of @todo bytes could be copied. */
static noinline bool stream_read_part(struct bpf_stream *stream, struct stream_reading *r,
				      struct bpf_stream_rec *rec, unsigned int n,
				      unsigned int todo)
{
	if (!r->may_split) {
		r->copied -= n;
		n = 0;
	}
	if (n)
		stream_consume(stream, r, rec, n);
	r->missing = todo - n;

	return false;
}

/* Return: false if there is nothing to read, or the buffer cannot be written to. */
static bool stream_read_next(struct bpf_stream *stream, struct stream_reading *r)
{
	struct bpf_stream_rec *rec = stream_peek(stream);
	unsigned int todo, n;

	if (!rec)
		return false;
	if (unlikely(rec->begins_line) && !stream->consumed && stream->mid_line)
		return stream_end_line(stream, r);

	todo = min(rec->len - stream->consumed, r->len - r->copied);
	n = stream_copy_out(r, rec->text + stream->consumed, todo);
	if (unlikely(n < todo))
		return stream_read_part(stream, r, rec, n, todo);

	stream_consume(stream, r, rec, todo);
	return true;
}

/* Number of bytes that are discharged at a time */
#define SETTLE_BYTES 4096

/* Not for each record, as writers contend for the count. */
static void stream_settle(struct bpf_stream *stream, struct stream_reading *r)
{
	stream_discharge_text(stream, r->consumed);
	r->consumed = 0;
}

/* Copy until the buffer is full or the log is empty; stop on faults and fatal signals. */
static int stream_copy_all(struct bpf_stream *stream, struct stream_reading *r)
{
	lockdep_assert_held(&stream->lock);

	while (!fatal_signal_pending(current)) {
		do {
			if (r->copied == r->len)
				return 0;
			if (!stream_read_next(stream, r))
				return stream->backlog ? -EFAULT : 0;
		} while (r->consumed < SETTLE_BYTES);

		stream_settle(stream, r);
		cond_resched();
	}

	return -ERESTARTSYS;
}

static int stream_read_all(struct bpf_stream *stream, struct stream_reading *r)
{
	int err = 0;

	if (mutex_lock_interruptible(&stream->lock))
		return -ERESTARTSYS;
	if (unlikely(r->copied && r->reads != stream->reads))
		goto unlock;

	pagefault_disable();
	err = stream_copy_all(stream, r);
	pagefault_enable();
	stream_settle(stream, r);
	bpf_stream_free_end(stream, &r->freed);
	r->reads = ++stream->reads;
unlock:
	mutex_unlock(&stream->lock);
	return err;
}

/* Return: true if any of the missing bytes can be written now. */
static bool stream_fault_in(struct stream_reading *r)
{
	size_t left = fault_in_subpage_writeable(r->buf + r->copied, r->missing);

	cond_resched();
	r->may_split = left;
	return left < r->missing;
}

/*
 * Part of the buffer that is in user space: a large length may reach beyond the end,
 * in particular from a buffer on the stack.
 */
static unsigned int stream_len_in_user_space(const char __user *buf, unsigned int len)
{
	unsigned int fits = 0, bit;

	for (bit = 1U << 30; bit; bit >>= 1)
		if (fits + bit <= len && access_ok(buf, fits + bit))
			fits += bit;

	return fits;
}

/**
 * bpf_stream_read - copy unread text to user space
 * @stream: the stream
 * @buf: buffer of the user
 * @len: size of @buf in bytes, at most INT_MAX
 *
 * Fills the buffer as long as there is text. Exactly the text that was copied
 * is consumed.
 *
 * Context: Process context, may sleep; takes the stream's lock.
 * Return: number of bytes copied, 0 if there is no unread text; -EFAULT if there
 *         is text and no byte of it could be copied; -ERESTARTSYS if a signal
 *         arrived while waiting for another reader, or the caller is killed.
 */
int bpf_stream_read(struct bpf_stream *stream, char __user *buf,
		    unsigned int len)
{
	struct stream_reading r = { .buf = buf, .len = len };
	int err;

	if (!bpf_stream_has_text(stream))
		return 0;
	if (!access_ok(buf, len)) {
		r.len = stream_len_in_user_space(buf, len);
		if (!r.len)
			return -EFAULT;
	}

	do {
		err = stream_read_all(stream, &r);
	} while (err == -EFAULT && stream_fault_in(&r));

	/* With EPOLLET a short read is taken for the end of the text: report what is left. */
	if (r.copied && r.copied < len && bpf_stream_has_text(stream))
		wake_up_poll(&stream->wait, EPOLLIN | EPOLLRDNORM);

	return r.copied ?: err;
}

/**
 * bpf_stream_alloc - allocate an empty stream
 * @writable: the program can print or have errors to report
 *
 * Only writable streams have per-CPU memory.
 *
 * Context: Process context, may sleep.
 * Return: the stream, with one reference for the caller, or NULL.
 */
struct bpf_stream *bpf_stream_alloc(bool writable)
{
	gfp_t gfp = bpf_memcg_flags(GFP_KERNEL | __GFP_ZERO);
	struct bpf_stream *stream;

	stream = kmalloc(sizeof(*stream), gfp);
	if (!stream)
		return NULL;

	if (writable) {
		stream->cpu = alloc_percpu_gfp(struct bpf_stream_cpu, gfp);
		if (!stream->cpu) {
			kfree(stream);
			return NULL;
		}
		bpf_stream_memory_init(stream);
	}

	init_llist_head(&stream->log);
	init_waitqueue_head(&stream->wait);
	init_irq_work(&stream->wake, stream_wake);
	mutex_init(&stream->lock);
	refcount_set(&stream->refs, 1);
	return stream;
}

/**
 * bpf_stream_end - notify readers that no more text will be written
 * @stream: the stream, whose writers have returned
 *
 * Context: Process context.
 */
void bpf_stream_end(struct bpf_stream *stream)
{
	smp_store_release(&stream->ended, true); /* end:A */
	wake_up_all(&stream->wait);
}

/**
 * bpf_stream_has_ended - test if the program was freed
 * @stream: the stream
 *
 * Return: true if no more text will be written.
 */
bool bpf_stream_has_ended(const struct bpf_stream *stream)
{
	return smp_load_acquire(&stream->ended); /* end:B */
}

/**
 * bpf_stream_put - drop a reference
 * @stream: the stream, or NULL
 *
 * Dropping the last reference frees the stream and its unread text. There are no
 * writers by then, as a program keeps its reference until it is freed.
 *
 * Context: Process context, may sleep.
 */
void bpf_stream_put(struct bpf_stream *stream)
{
	if (!stream || !refcount_dec_and_test(&stream->refs))
		return;

	if (bpf_stream_is_writable(stream)) {
		irq_work_sync(&stream->wake);
		stream_free_chain(stream, llist_del_all(&stream->log));
		stream_free_chain(stream, stream->backlog);
		bpf_stream_memory_exit(stream);
		WARN_ON_ONCE(atomic_read(&stream->pages));
	}

	mutex_destroy(&stream->lock);
	free_percpu(stream->cpu);
	kfree(stream);
}
