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
 * lockless LIFO list, and never look at it again. A reader holds the stream's
 * lock and consumes the backlog, a list in order of printing that only lock
 * holders touch. When the backlog is empty the reader takes the whole log at
 * once and reverses it. Since records of the log are always newer than those
 * of the backlog, messages of one writer are read in the order in which they
 * were printed. A record that does not fit the rest of the reader's buffer
 * stays at the head of the backlog, stream.consumed telling how much of it was
 * read; it is popped and freed when it was read to its end.
 *
 * A group of messages is staged first: its records are chained on the writer's
 * stack, newest first as in the log, and spliced into the log at once. What is
 * together in the log stays together when the log is reversed.
 *
 * A group begins a line. What is before it in the log only the reader knows, so its
 * first record says so, and a reader that comes there within a line (stream.mid_line)
 * puts a newline first. It is counted as written when it is read.
 *
 * Capacity
 * --------
 *
 * stream.unread is the text that is charged to the stream, never more than
 * CONFIG_BPF_STREAMS_CAPACITY. A writer charges a message, or a group, whole
 * when all its records are there, right before it pushes them; if the stream is
 * full by then, they are freed. So where there is a charge there will be text at
 * once, and who waits for text does not wait for an allocation. That there is room
 * is looked at before anything is allocated, too. A reader discharges what the
 * user's buffer has received, 4 KiB of text at a time. Memory is limited apart
 * from that, by pages (stream_alloc.c): short messages take more in headers than
 * in text.
 *
 * Waking readers
 * --------------
 *
 * A reader may sleep on stream.wait until stream.unread is not 0 (stream_file.c).
 * A writer may hold the very locks that waking takes, so it queues stream.wake,
 * an irq_work, and only if somebody sleeps and the log was empty before it pushed.
 * The latter is enough: text that is unread when the log is not empty was there
 * before, and whoever pushed the first record of that log saw to the waking.
 *
 * What says that there is text is the count and not the lists, since a list that
 * is on its way from the log to the backlog is in neither.
 *
 * Lifetime
 * --------
 *
 * A stream has references of its own (stream_prog.c). Readers hold one and
 * not the program, so that a reader that sleeps in a page fault of its buffer
 * does not hold up the program's unloading. When the program is freed, and with it
 * all writers, the stream has ended. What is unread stays as long as there are readers.
 *
 * Readers' buffers
 * ----------------
 *
 * A page of a reader's buffer may be somebody's to provide who never does (userfaultfd,
 * FUSE). No other reader is to wait for that. So page faults are disabled with
 * stream.lock held: a message that cannot be copied is left where it is, and its pages
 * are faulted in without the lock. If another reader gets the message meanwhile, reading
 * ends (stream.reads): what a reader gets at a time is in order.
 *
 * Memory barriers
 * ---------------
 *
 * The cmpxchg of llist_add_batch() (push:A), fully ordered, makes the record's
 * contents visible before the record. It pairs with the xchg of llist_del_all()
 * (take:A), after which the reader follows the links and reads the contents.
 *
 * That cmpxchg (push:A) also orders the charge before the look at stream.wait.
 * It pairs with the barrier between queueing there and looking at stream.unread,
 * in prepare_to_wait_event() and poll_wait() (wait:A): either the writer sees the
 * sleeper or the sleeper sees the charge.
 *
 * stream.ended is set (end:A) after the last writer has returned. Who sees it set
 * (end:B) sees all that was pushed.
 *
 * Else charging and discharging order nothing: the counts guard no data.
 *
 * tools/testing/bpf_streams/litmus has each of these as a litmus test.
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
 * bpf_stream_drop - count messages that were lost
 * @stream: the stream that does not get them
 * @msgs: how many
 * @bytes: how much text, as far as it is known
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
 * @stat: which counter
 *
 * Return: the sum over all CPUs, modulo the size of a long. Exact once the
 *         writers have returned.
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

/* Most texts are short, and not worth what memcpy() takes to begin with. */
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

/* Puts a chain of records on the log, @first being the newest. */
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
 * @stream: where to
 * @text: the message, not terminated
 * @len: its length in bytes, less than MAX_BPRINTF_BUF
 *
 * An empty message is written by doing nothing. A message that is refused is
 * counted.
 *
 * Context: Any, NMI included, with preemption disabled.
 * Return: 0; -ENOSPC if the stream is full, -ENOMEM if memory is.
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
 * Return: 0 or what has made the group fail, now or before.
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
 * @ss: the group, not to be used again
 *
 * Context: Any, NMI included.
 * Return: 0; what made adding a message fail; -ENOSPC if the group does not
 *         fit the stream.
 */
int bpf_stream_stage_commit(struct bpf_stream_group *ss)
{
	struct bpf_stream *stream = ss->stream;

	if (!stream)
		return ss->err;

	/* A reader that sees the charge tries until it gets the text. */
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

/* The oldest record, or NULL if there is nothing to read. */
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
 * @len: its size
 * @copied: how much of it was filled
 * @missing: how much could not be copied
 * @may_split: of that, nor could it be faulted in whole
 * @reads: stream.reads when the lock was released
 * @consumed: text that was copied and is still charged
 * @freed: records that were read to their end
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

/* Return: how much of @text the buffer has received. */
static __always_inline unsigned int stream_copy_out(struct stream_reading *r,
						    const char *text, unsigned int len)
{
	unsigned int n = len - __copy_to_user_inatomic(r->buf + r->copied, text, len);

	r->copied += n;
	return n;
}

/* The user's buffer has received @bytes more of the oldest record. */
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

/* Ends the line that was read last, for a group to begin one. */
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

/* Only @n of @todo bytes could be copied. */
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

/* How much is read until writers can tell. */
#define SETTLE_BYTES 4096

/* Once for many records, as writers look at the count. */
static void stream_settle(struct bpf_stream *stream, struct stream_reading *r)
{
	stream_discharge_text(stream, r->consumed);
	r->consumed = 0;
}

/* Copies until the buffer is full, or an error, or the caller is killed, ends it. */
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

/* Return: whether any of what is missing has been faulted in. */
static bool stream_fault_in(struct stream_reading *r)
{
	size_t left = fault_in_subpage_writeable(r->buf + r->copied, r->missing);

	cond_resched();
	r->may_split = left;
	return left < r->missing;
}

/*
 * How much of a buffer is in user space: from the stack, for one, a generous
 * length reaches beyond.
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
 * @stream: where from
 * @buf: where to
 * @len: size of @buf in bytes, at most INT_MAX
 *
 * Fills the buffer as long as there is text. What was copied is consumed,
 * nothing else.
 *
 * Context: Process context, may sleep; takes the stream's lock.
 * Return: number of bytes copied, 0 if nothing is unread; -EFAULT if there is
 *         text and no byte of it could be copied; -ERESTARTSYS if a signal
 *         came while another reader was at work, or the caller is killed.
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

	return r.copied ?: err;
}

/**
 * bpf_stream_alloc - make an empty stream
 * @writable: whether there will ever be something in it
 *
 * What a stream has on each CPU it has only if it is writable.
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
 * bpf_stream_end - tell readers that nothing will come any more
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
 * bpf_stream_has_ended - has the program gone?
 * @stream: the stream
 *
 * Return: true if what is in the stream now is all that there will ever be.
 */
bool bpf_stream_has_ended(const struct bpf_stream *stream)
{
	return smp_load_acquire(&stream->ended); /* end:B */
}

/**
 * bpf_stream_put - give a reference back
 * @stream: the stream, or NULL
 *
 * The last one frees the stream and what is unread in it. Nobody writes to it
 * any more by then, as a program keeps its reference until it is freed.
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
