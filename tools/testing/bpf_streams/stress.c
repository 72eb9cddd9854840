// SPDX-License-Identifier: GPL-2.0
/*
 * Concurrent writers, NMIs and readers
 *
 * Writers, more than there are CPUs, write messages and groups. They are interrupted by
 * signals, which simulate NMIs and write, too, if the thread holds a CPU. Each message
 * contains its source and a number; the number of a refused message is used again for the
 * next. Readers record their text on a tape, with the stream's lock held. In the end the
 * tape must contain each accepted message once, and those of each source in order.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <syscall.h>
#include <time.h>
#include <unistd.h>
#include "test.h"

#define NR_WRITERS	6
#define NR_READERS	2
#define NR_SOURCES	(2 * NR_WRITERS)
#define MAX_GROUP	5
#define MAX_SIGNALS	4
#define MAGIC		0xb5

/**
 * struct header - the start of each message
 * @magic: identifies a header
 * @source: ID of the source that wrote it
 * @index: position of the message in its group
 * @of: number of messages in the group; 1 for a single message
 * @len: length of the message, including this header
 * @number: sequence number of the message within its source
 */
struct header {
	u8 magic;
	u8 source;
	u8 index;
	u8 of;
	u32 len;
	u32 number;
};

/**
 * struct source - a writer, or the NMIs that interrupt it, and its counters
 * @id: its ID
 * @msgs: number of accepted messages
 * @bytes: length of their text
 * @dropped_msgs: number of refused messages
 * @dropped_bytes: length of their text
 */
struct source {
	unsigned int id;
	u32 msgs;
	unsigned long bytes;
	u32 dropped_msgs;
	unsigned long dropped_bytes;
};

/**
 * struct writer - a thread that writes
 * @thread: the thread
 * @task: messages of the thread itself
 * @nmi: messages of the NMIs that interrupt it
 * @nmis: number of NMIs that arrived while it held a CPU
 * @signals_left: number of signals to come until allow_nmis() arms the timer again
 * @timer: sends the next signal
 */
struct writer {
	pthread_t thread;
	struct source task;
	struct source nmi;
	unsigned int nmis;
	unsigned int signals_left;
	timer_t timer;
};

/**
 * struct reader - a thread that reads
 * @thread: the thread
 * @hash: hash of the text that was recorded while it was copied to the buffers
 * @hash_of_buf: hash of the text that is in the buffers
 */
struct reader {
	pthread_t thread;
	u32 hash;
	u32 hash_of_buf;
};

/**
 * struct mode - parameters of a round
 * @page_odds: n: one in n pages is refused; 0: none
 * @max_read: size of the largest buffer of a reader
 * @max_len: all messages are shorter
 * @polite: writers wait while the stream is more than half full
 * @drops: whether messages must not, must or may be refused
 */
struct mode {
	unsigned int page_odds;
	unsigned int max_read;
	unsigned int max_len;
	bool polite;
	enum { DROPS_NONE, DROPS_SOME, MAY_DROP } drops;
};

static const struct mode *mode;
static struct bpf_stream *stream;
static struct writer writers[NR_WRITERS];
static struct reader readers[NR_READERS];
static unsigned int messages, rounds, nmi_usec;
static u64 seed;

static __thread struct writer *this_writer;
static __thread struct reader *this_reader;

/* Protected by the stream's lock, so that ThreadSanitizer tests the lock, too */
static struct {
	char *text;
	size_t len;
	size_t size;
} tape;

static u32 hash_text(u32 hash, const char *text, unsigned int len)
{
	while (len--)
		hash = (hash ^ (u8)*text++) * 16777619;

	return hash;
}

static void record(const void *text, unsigned int len)
{
	if (tape.len + len > tape.size) {
		tape.size = 2 * (tape.len + len);
		tape.text = realloc(tape.text, tape.size);
		die_if(!tape.text);
	}
	memcpy(tape.text + tape.len, text, len);
	tape.len += len;
	this_reader->hash = hash_text(this_reader->hash, text, len);
}

/* Writers */

static unsigned int make_message(char *text, const struct source *src,
				 unsigned int index, unsigned int of)
{
	struct header h = {
		.magic = MAGIC,
		.source = src->id,
		.index = index,
		.of = of,
		.number = src->msgs + index,
		.len = sizeof(h) + shim_random(mode->max_len - sizeof(h)),
	};

	memcpy(text, &h, sizeof(h));
	make_text(text + sizeof(h), h.len - sizeof(h), h.number ^ h.source << 24);
	return h.len;
}

static void count(struct source *src, bool written, unsigned int msgs,
		  unsigned int bytes)
{
	if (written) {
		src->msgs += msgs;
		src->bytes += bytes;
	} else {
		src->dropped_msgs += msgs;
		src->dropped_bytes += bytes;
	}
}

static void print_message(struct source *src)
{
	char text[MAX_BPRINTF_BUF];
	unsigned int len = make_message(text, src, 0, 1);

	count(src, !write_text(stream, text, len), 1, len);
}

static void migrate(void)
{
	if (!current->preempt_count)
		current->cpu = shim_random(num_possible_cpus());
}

static void print_group(struct source *src)
{
	struct bpf_stream_group ss = { .stream = stream };
	unsigned int i, len, sum = 0, of = 2 + shim_random(MAX_GROUP - 1);
	char text[MAX_BPRINTF_BUF];

	for (i = 0; i < of; i++) {
		len = make_message(text, src, i, of);
		migrate();
		stage_text(&ss, text, len);
		sum += len;
	}
	migrate();
	count(src, !bpf_stream_stage_commit(&ss), of, sum);
}

static void print_something(struct source *src)
{
	if (shim_random(4))
		print_message(src);
	else
		print_group(src);
}

static void arm_nmi(struct writer *w)
{
	const struct itimerspec when = {
		.it_value.tv_nsec = nmi_usec * (1000 + shim_random(1000)),
	};

	timer_settime(w->timer, 0, &when, NULL);
}

static void on_nmi(int sig)
{
	int saved = errno;

	if (current->preempt_count) {
		print_something(&this_writer->nmi);
		this_writer->nmis++;
	}
	if (--this_writer->signals_left)
		arm_nmi(this_writer);
	errno = saved;
}

/*
 * Allow a few signals, each some time after the previous one was handled, and no more
 * until the thread has made progress: with slow timers it would only handle signals. The
 * caller holds the CPU, so that signals that arrive immediately are not wasted.
 */
static void allow_nmis(struct writer *w)
{
	if (READ_ONCE(w->signals_left))
		return;

	w->signals_left = 1 + shim_random(MAX_SIGNALS);
	arm_nmi(w);
}

static void print_batch(struct source *src)
{
	unsigned int i, n = shim_random(4);

	migrate();
	if (!n) {
		print_something(src);
		return;
	}

	guard(preempt)();
	allow_nmis(this_writer);
	for (i = 0; i < n; i++)
		print_something(src);
}

/* Signals arrive at any point of the thread. */
static void make_timer(struct writer *w)
{
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = SIGUSR1,
	};

	event._sigev_un._tid = syscall(SYS_gettid);
	die_if(timer_create(CLOCK_MONOTONIC, &event, &w->timer));
}

static void wait_for_room(void)
{
	while (mode->polite && atomic_read(&stream->unread) > CAPACITY / 2)
		sched_yield();
}

static void *write_all(void *arg)
{
	struct writer *w = arg;
	unsigned int i;

	current->random = seed ^ (u64)w->task.id << 32;
	this_writer = w;
	make_timer(w);
	/* Continue until enough NMIs have arrived while the thread held a CPU. */
	for (i = 0; i < messages || READ_ONCE(w->nmis) < 20; i++) {
		wait_for_room();
		print_batch(&w->task);
	}

	timer_delete(w->timer);
	return NULL;
}

/* Readers */

static void wait_for_text(void)
{
	if (shim_random(2)) {
		sched_yield();
		return;
	}

	wait_event(&stream->wait, bpf_stream_has_text(stream) ||
		   bpf_stream_has_ended(stream));
}

static void read_some(struct reader *r)
{
	unsigned int size = 1 + shim_random(mode->max_read);
	char buf[8192];
	int n;

	current->faults = !shim_random(16);
	current->user_room = buf + shim_random(64);
	current->killed_in_copy = !shim_random(64);
	current->may_split = false;

	n = bpf_stream_read(stream, buf, size);
	expect(n <= (int)size);
	expect(n >= 0 || (n == -EFAULT && current->faults) ||
	       (n == -ERESTARTSYS && current->killed));
	if (n > 0)
		r->hash_of_buf = hash_text(r->hash_of_buf, buf, n);

	current->killed = false;
	if (!n)
		wait_for_text();
}

static void *read_all(void *arg)
{
	struct reader *r = arg;
	bool ended;
	int unread;

	current->random = seed ^ (u64)(r - readers + NR_SOURCES) << 32;
	current->tape = record;
	this_reader = r;
	do {
		ended = bpf_stream_has_ended(stream);
		read_some(r);
		unread = atomic_read(&stream->unread);
		expect(unread >= 0 && unread <= CAPACITY);
	} while (!ended || unread);

	return NULL;
}

/* Check the tape */

struct check {
	u32 next[NR_SOURCES];
	struct header last;
	unsigned int newlines;
};

/* Test for the newline before a group, unless the message before it ends in one. */
static bool skip_newline(struct check *c, size_t at)
{
	struct header h;

	if (!at || tape.text[at - 1] == '\n' || tape.text[at] != '\n' ||
	    tape.len - at <= sizeof(h))
		return false;

	memcpy(&h, tape.text + at + 1, sizeof(h));
	if (h.of == 1 || h.index)
		return false;

	c->newlines++;
	return true;
}

static bool check_message(struct check *c, const char *text, const struct header *h)
{
	char want[MAX_BPRINTF_BUF];
	bool goes_on = c->last.index + 1 < c->last.of;

	if (!expect(h->source < NR_SOURCES && h->index < h->of))
		return false;
	if (!expect_eq(h->number, c->next[h->source]++))
		return false;
	if (!expect_eq(h->index, goes_on ? c->last.index + 1 : 0))
		return false;
	if (!expect(!goes_on || (h->source == c->last.source && h->of == c->last.of)))
		return false;

	make_text(want, h->len - sizeof(*h), h->number ^ h->source << 24);
	return expect(!memcmp(want, text, h->len - sizeof(*h)));
}

static void check_tape(struct check *c)
{
	struct header h;
	size_t at;

	for (at = 0; at < tape.len; at += h.len) {
		if (skip_newline(c, at))
			at++;
		if (!expect(tape.len - at >= sizeof(h)))
			return;
		memcpy(&h, tape.text + at, sizeof(h));
		if (!expect(h.magic == MAGIC && h.len >= sizeof(h)))
			return;
		if (!expect(h.len <= MAX_BPRINTF_BUF && h.len <= tape.len - at))
			return;
		if (!check_message(c, tape.text + at + sizeof(h), &h))
			return;
		/* A group must begin a line. */
		if (!expect(h.of == 1 || h.index || !at || tape.text[at - 1] == '\n'))
			return;
		c->last = h;
	}

	expect(c->last.index + 1 >= c->last.of);
}

static void check_counters(const struct check *c)
{
	struct source sum = {}, *src;
	unsigned int i, nmis = 0;

	for (i = 0; i < NR_SOURCES; i++) {
		src = i % 2 ? &writers[i / 2].nmi : &writers[i / 2].task;
		expect_eq(src->msgs, c->next[i]);
		count(&sum, true, src->msgs, src->bytes);
		count(&sum, false, src->dropped_msgs, src->dropped_bytes);
	}
	for (i = 0; i < NR_WRITERS; i++)
		nmis += writers[i].nmis;

	sum.bytes += c->newlines;
	expect_counters(stream, sum.msgs, sum.bytes, sum.dropped_msgs,
			sum.dropped_bytes);
	expect_eq(sum.bytes, tape.len);
	expect(sum.msgs);
	if (mode->drops != MAY_DROP)
		expect_eq(!sum.dropped_msgs, mode->drops == DROPS_NONE);
	printf("# %u messages, %u dropped, %u NMIs, %d wake-ups\n", sum.msgs,
	       sum.dropped_msgs, nmis, stream->wait.wakes);
}

static void check_round(void)
{
	struct check c = {};
	unsigned int i;

	for (i = 0; i < NR_READERS; i++)
		expect_eq(readers[i].hash, readers[i].hash_of_buf);
	check_tape(&c);
	check_counters(&c);
	expect_eq(atomic_read(&stream->unread), 0);
	expect_eq(atomic_read(&stream->pages), shim.pages);
	expect(shim.pages <= num_possible_cpus());
}

static void start_all(void)
{
	unsigned int i;

	memset(writers, 0, sizeof(writers));
	memset(readers, 0, sizeof(readers));
	tape.len = 0;
	stream = bpf_stream_alloc(true);
	for (i = 0; i < NR_READERS; i++)
		pthread_create(&readers[i].thread, NULL, read_all, &readers[i]);
	for (i = 0; i < NR_WRITERS; i++) {
		writers[i].task.id = 2 * i;
		writers[i].nmi.id = 2 * i + 1;
		pthread_create(&writers[i].thread, NULL, write_all, &writers[i]);
	}
}

static void join_all(void)
{
	unsigned int i;

	for (i = 0; i < NR_WRITERS; i++)
		pthread_join(writers[i].thread, NULL);
	bpf_stream_end(stream);
	for (i = 0; i < NR_READERS; i++)
		pthread_join(readers[i].thread, NULL);
}

static void run_mode(const struct mode *m)
{
	unsigned int i;

	mode = m;
	shim.fail_pages_odds = m->page_odds;
	for (i = 0; i < rounds; i++) {
		start_all();
		join_all();
		check_round();
		put_last(stream);
		seed++;
	}
	shim.fail_pages_odds = 0;
}

static void plenty(void)
{
	run_mode(&(struct mode){ .max_read = 8192, .max_len = 100, .polite = true });
}

static void little_memory(void)
{
	static const struct mode m = {
		.max_read = 8192,
		.max_len = 1000,
		.page_odds = 4,
		.polite = true,
		.drops = DROPS_SOME,
	};

	run_mode(&m);
}

static void slow_readers(void)
{
	run_mode(&(struct mode){ .max_read = 64, .max_len = 1000, .drops = DROPS_SOME });
}

static void many_pages(void)
{
	static const struct mode m = {
		.max_read = 256,
		.max_len = 13,
		.page_odds = 64,
		.drops = MAY_DROP,
	};

	run_mode(&m);
}

static const struct test tests[] = {
	{ "no message is refused", plenty },
	{ "pages are refused", little_memory },
	{ "the stream is full", slow_readers },
	{ "messages are short", many_pages },
};

int main(void)
{
	struct sigaction action = {
		.sa_handler = on_nmi,
		.sa_flags = SA_RESTART,
	};
	int status;

	sigaction(SIGUSR1, &action, NULL);
	seed = test_seed();
	messages = env_number("MESSAGES", 3000);
	rounds = env_number("ROUNDS", 2);
	nmi_usec = env_number("NMI_USEC", 5);
	status = run_tests(tests, sizeof(tests) / sizeof(*tests));
	free(tape.text);
	return status;
}
