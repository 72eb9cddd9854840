// SPDX-License-Identifier: GPL-2.0
/* Tests without threads: each function, limit and failure */
#include "test.h"

static struct bpf_stream *new_stream(void)
{
	struct bpf_stream *stream = bpf_stream_alloc(true);

	die_if(!stream);
	return stream;
}

static struct bpf_stream_group new_group(struct bpf_stream *stream)
{
	return (struct bpf_stream_group){ .stream = stream };
}

/* Write messages of @len bytes until one is refused. Return: their number. */
static unsigned int fill(struct bpf_stream *stream, unsigned int len, int err)
{
	char text[MAX_BPRINTF_BUF];
	unsigned int n = 0;
	int ret;

	make_text(text, len, len);
	while (!(ret = write_text(stream, text, len)))
		n++;
	expect_eq(ret, err);
	return n;
}

static void test_order(void)
{
	struct bpf_stream *stream = new_stream();

	expect_eq(write_str(stream, "one "), 0);
	expect_eq(write_str(stream, "two "), 0);
	expect_eq(write_str(stream, "three"), 0);
	expect_text(stream, "one two three");

	expect_eq(write_str(stream, "four"), 0);
	expect_text(stream, "four");
	expect_counters(stream, 4, 17, 0, 0);
	put_last(stream);
}

static void test_empty(void)
{
	struct bpf_stream *stream = new_stream();
	char c = 'x';

	expect_eq(bpf_stream_read(stream, &c, 1), 0);
	expect_eq(write_text(stream, "", 0), 0);
	expect_eq(bpf_stream_read(stream, &c, 1), 0);
	expect_eq(shim.pages, 0);

	expect_eq(write_str(stream, "y"), 0);
	expect_eq(bpf_stream_read(stream, &c, 0), 0);
	expect(bpf_stream_has_text(stream));
	expect_eq(bpf_stream_read(stream, &c, 1), 1);
	expect_eq(c, 'y');
	expect(!bpf_stream_has_text(stream));
	expect_counters(stream, 1, 1, 0, 0);
	put_last(stream);
}

/* The text is read correctly with each buffer size. */
static void test_partial(void)
{
	static const char text[] = "a bc def ghij klmno";
	unsigned int chunk, pos, todo, len = sizeof(text) - 1;
	struct bpf_stream *stream = new_stream();
	char buf[sizeof(text)];

	for (chunk = 1; chunk <= len; chunk++) {
		write_text(stream, text, 2);
		write_text(stream, text + 2, 3);
		write_text(stream, text + 5, 4);
		write_text(stream, text + 9, len - 9);
		for (pos = 0; pos < len; pos += todo) {
			todo = min(chunk, len - pos);
			memset(buf, 0, sizeof(buf));
			expect_eq(bpf_stream_read(stream, buf, chunk), todo);
			expect(!memcmp(buf, text + pos, todo));
			expect_eq(buf[todo], 0);
			expect_eq(atomic_read(&stream->unread), len - pos - todo);
		}
		expect_eq(bpf_stream_read(stream, buf, chunk), 0);
	}

	put_last(stream);
}

/* The buffer is filled from both the backlog and the log. */
static void test_refill(void)
{
	struct bpf_stream *stream = new_stream();
	char buf[16] = {};

	write_str(stream, "12345");
	write_str(stream, "678");
	expect_eq(bpf_stream_read(stream, buf, 3), 3);
	write_str(stream, "9A");
	write_str(stream, "BC");
	expect_eq(bpf_stream_read(stream, buf + 3, 8), 8);
	expect_eq(bpf_stream_read(stream, buf + 11, 5), 1);
	expect(!memcmp(buf, "123456789ABC", 12));
	put_last(stream);
}

/* Each length, and each offset of a record in a page */
static void test_lengths(void)
{
	char text[MAX_BPRINTF_BUF], buf[MAX_BPRINTF_BUF];
	struct bpf_stream *stream = new_stream();
	unsigned int len;

	for (len = 1; len < MAX_BPRINTF_BUF; len++) {
		make_text(text, len, len);
		expect_eq(write_text(stream, text, len), 0);
		expect_eq(bpf_stream_read(stream, buf, sizeof(buf)), len);
		expect(!memcmp(text, buf, len));
		expect_eq(shim.pages, 1);
	}

	put_last(stream);
}

static void test_capacity(void)
{
	struct bpf_stream *stream = new_stream();
	unsigned int n, rest;
	char buf[1000];

	n = fill(stream, 1000, -ENOSPC);
	expect_eq(n, CAPACITY / 1000);
	expect_eq(atomic_read(&stream->unread), n * 1000);

	rest = CAPACITY - n * 1000;
	expect_eq(write_text(stream, buf, rest + 1), -ENOSPC);
	expect_eq(write_text(stream, buf, rest), 0);
	expect_eq(write_text(stream, buf, 1), -ENOSPC);
	expect_eq(atomic_read(&stream->unread), CAPACITY);

	/* Reading makes room, also for part of a message. */
	expect_eq(bpf_stream_read(stream, buf, 7), 7);
	expect_eq(write_text(stream, buf, 8), -ENOSPC);
	expect_eq(write_text(stream, buf, 7), 0);
	expect_eq(drain(stream, 999), CAPACITY);
	expect_counters(stream, n + 2, CAPACITY + 7, 4, 1000 + rest + 1 + 1 + 8);
	put_last(stream);
}

static void test_no_memory(void)
{
	struct bpf_stream *stream = new_stream();

	shim.fail_pages = 1;
	expect_eq(write_str(stream, "lost"), -ENOMEM);
	expect_eq(atomic_read(&stream->unread), 0);
	expect_eq(atomic_read(&stream->pages), 0);
	shim.fail_pages = 0;

	expect_eq(write_str(stream, "one "), 0);
	shim.fail_pages = 1;
	expect_eq(write_str(stream, "two"), 0);
	shim.fail_pages = 0;
	expect_text(stream, "one two");
	expect_counters(stream, 2, 7, 1, 4);
	put_last(stream);
}

/* Failures are repeated, so that anything that they leak adds up. */
static void test_failures_leave_nothing(void)
{
	struct bpf_stream *stream = new_stream();
	struct bpf_stream_group ss;
	unsigned int i;

	shim.fail_pages = 1;
	for (i = 0; i < 2 * CAPACITY / 100; i++) {
		ss = new_group(stream);
		expect_eq(stage_str(&ss, "0123456789"), -ENOMEM);
		expect_eq(bpf_stream_stage_commit(&ss), -ENOMEM);
		expect_eq(fill(stream, 100, -ENOMEM), 0);
	}
	shim.fail_pages = 0;

	expect_eq(fill(stream, 512, -ENOSPC), CAPACITY / 512);
	for (i = 0; i < 2 * CAPACITY / 100; i++)
		expect_eq(fill(stream, 100, -ENOSPC), 0);
	expect_eq(atomic_read(&stream->unread), CAPACITY);
	expect_eq(shim.pages, atomic_read(&stream->pages));
	put_last(stream);
}

static void test_page_limit(void)
{
	unsigned int per_page = PAGE_ROOM / bpf_stream_rec_size(1);
	struct bpf_stream *stream = new_stream();
	unsigned int n;
	char buf[256];

	n = fill(stream, 1, -ENOSPC);
	expect_eq(n, PAGE_LIMIT * per_page);
	expect_eq(shim.pages, PAGE_LIMIT);
	expect_eq(atomic_read(&stream->unread), n);

	/* Reading a page of text makes a page of room. */
	expect_eq(bpf_stream_read(stream, buf, per_page), per_page);
	expect_eq(shim.pages, PAGE_LIMIT - 1);
	expect_eq(fill(stream, 1, -ENOSPC), per_page);

	expect_eq(drain(stream, 4096), n);
	expect_eq(shim.pages, 1);
	expect_counters(stream, n + per_page, n + per_page, 2, 2);
	put_last(stream);
}

/* A page is freed with its last record, unless it is the cursor's current page. */
static void test_pages_held(void)
{
	unsigned int size = bpf_stream_rec_size(500), i, left;
	unsigned int per_page = PAGE_ROOM / size;
	struct bpf_stream *stream = new_stream();
	char buf[500] = {};

	for (i = 0; i < 3 * per_page + 1; i++) {
		expect_eq(write_text(stream, buf, sizeof(buf)), 0);
		expect_eq(shim.pages, i / per_page + 1);
	}
	for (i = 1; i <= 3 * per_page + 1; i++) {
		expect_eq(bpf_stream_read(stream, buf, 499), 499);
		left = min(3U, 3 - (i - 1) / per_page);
		expect_eq(shim.pages, left + 1);
		expect_eq(bpf_stream_read(stream, buf, 1), 1);
		expect_eq(shim.pages, 3 - min(3U, i / per_page) + 1);
		expect_eq(atomic_read(&stream->pages), shim.pages);
	}

	put_last(stream);
}

/* A drained stream holds a page for each CPU that printed, for all message sizes. */
static void test_cpus(void)
{
	struct bpf_stream *stream = new_stream();
	unsigned int len;
	char text[900];

	for (len = 1; len < sizeof(text); len++) {
		make_text(text, len, len);
		current->cpu = len % num_possible_cpus();
		expect_eq(write_text(stream, text, len), 0);
		expect_eq(shim.pages, min_t(int, len, num_possible_cpus()));
		expect_eq(drain(stream, 64), len);
	}

	current->cpu = 0;
	put_last(stream);
}

static void test_group(void)
{
	struct bpf_stream *stream = new_stream();
	struct bpf_stream_group ss = new_group(stream);

	expect_eq(stage_str(&ss, "[one "), 0);
	expect_eq(stage_str(&ss, ""), 0);
	expect_eq(stage_str(&ss, "two "), 0);
	expect_eq(write_str(stream, "before\n"), 0);
	current->cpu = 1;
	expect_eq(stage_str(&ss, "three]"), 0);
	expect_eq(atomic_read(&stream->unread), 7);
	expect_eq(bpf_stream_stage_commit(&ss), 0);
	current->cpu = 0;
	expect_eq(write_str(stream, " after"), 0);
	expect_text(stream, "before\n[one two three] after");
	expect_counters(stream, 5, 28, 0, 0);
	put_last(stream);
}

/* An incomplete line before a group is ended, with buffers of any size. */
static void test_group_begins_line(void)
{
	static const char want[] = "one\n[two\nthree]\n[four]five";
	unsigned int chunk, pos, n, len = sizeof(want) - 1;
	char buf[sizeof(want)] = {};
	struct bpf_stream_group ss;
	struct bpf_stream *stream;

	for (chunk = 1; chunk <= len; chunk++) {
		stream = new_stream();
		ss = new_group(stream);
		write_str(stream, "one");
		stage_str(&ss, "[two\n");
		stage_str(&ss, "three]");
		bpf_stream_stage_commit(&ss);
		ss = new_group(stream);
		stage_str(&ss, "[four]");
		bpf_stream_stage_commit(&ss);
		write_str(stream, "five");
		expect_counters(stream, 5, len - 2, 0, 0);
		for (pos = 0; pos < len; pos += n) {
			n = bpf_stream_read(stream, buf + pos, min(chunk, len - pos));
			if (!expect_eq(n, min(chunk, len - pos)))
				break;
		}
		expect(!memcmp(buf, want, len));
		expect_eq(bpf_stream_read(stream, buf, 1), 0);
		expect_eq(atomic_read(&stream->unread), 0);
		expect_counters(stream, 5, len, 0, 0);
		put_last(stream);
	}
}

/* The newline is not lost if the buffer cannot be written. */
static void test_group_begins_line_fault(void)
{
	struct bpf_stream *stream = new_stream();
	struct bpf_stream_group ss = new_group(stream);
	char buf[8] = {};

	write_str(stream, "one");
	stage_str(&ss, "two");
	bpf_stream_stage_commit(&ss);
	expect_eq(bpf_stream_read(stream, buf, 3), 3);
	current->faults = true;
	current->user_room = buf + 3;
	expect_eq(bpf_stream_read(stream, buf + 3, 4), -EFAULT);
	current->user_room = buf + 4;
	expect_eq(bpf_stream_read(stream, buf + 3, 4), 1);
	current->faults = false;
	expect_eq(bpf_stream_read(stream, buf + 4, 4), 3);
	expect(!memcmp(buf, "one\ntwo", 7));
	put_last(stream);
}

static void test_group_of_nothing(void)
{
	struct bpf_stream *stream = new_stream();
	struct bpf_stream_group ss = new_group(stream);

	expect_eq(bpf_stream_stage_commit(&ss), 0);
	ss = new_group(stream);
	expect_eq(stage_str(&ss, ""), 0);
	expect_eq(bpf_stream_stage_commit(&ss), 0);
	expect_text(stream, "");
	expect_counters(stream, 0, 0, 0, 0);

	ss = (struct bpf_stream_group){ .err = -ENOENT };
	expect_eq(bpf_stream_stage_commit(&ss), -ENOENT);
	put_last(stream);
}

/* The group is lost as a whole if any of its messages is. */
static void test_group_no_memory(void)
{
	char text[MAX_BPRINTF_BUF - 1] = {};
	struct bpf_stream *stream;
	struct bpf_stream_group ss;
	unsigned int i, at;

	for (at = 1; at <= 4; at++) {
		stream = new_stream();
		ss = new_group(stream);
		shim.page_calls = 0;
		shim.fail_pages = at;
		/* Three fit a page, so messages 1, 4, 7 and 10 ask for one. */
		for (i = 0; i < 12; i++)
			expect_eq(stage_text(&ss, text, sizeof(text)),
				  i < (at - 1) * 3 ? 0 : -ENOMEM);
		shim.fail_pages = 0;
		expect_eq(stage_str(&ss, "too late"), -ENOMEM);
		expect_eq(stage_str(&ss, ""), -ENOMEM);
		expect_eq(bpf_stream_stage_commit(&ss), -ENOMEM);
		expect_eq(shim.pages, at > 1);
		expect_text(stream, "");
		expect_counters(stream, 0, 0, 13, 12 * sizeof(text) + 8);
		put_last(stream);
	}
}

static void test_group_no_room(void)
{
	struct bpf_stream *stream = new_stream();
	struct bpf_stream_group ss = new_group(stream);
	char buf[CAPACITY % 1000 + 1] = {};
	unsigned int n;

	/* There was room when it was staged, but not when it was committed. */
	expect_eq(stage_str(&ss, "one"), 0);
	expect_eq(stage_str(&ss, "two"), 0);
	n = fill(stream, 1000, -ENOSPC);
	expect_eq(write_text(stream, buf, CAPACITY % 1000), 0);
	expect_eq(bpf_stream_stage_commit(&ss), -ENOSPC);
	expect_eq(atomic_read(&stream->unread), CAPACITY);
	expect_counters(stream, n + 1, CAPACITY, 3, 1006);

	/* Exactly enough, and one byte less */
	expect_eq(bpf_stream_read(stream, buf, 6), 6);
	ss = new_group(stream);
	expect_eq(stage_str(&ss, "one"), 0);
	expect_eq(stage_str(&ss, "two"), 0);
	expect_eq(bpf_stream_stage_commit(&ss), 0);
	expect_eq(bpf_stream_read(stream, buf, 5), 5);
	ss = new_group(stream);
	expect_eq(stage_str(&ss, "one"), 0);
	expect_eq(stage_str(&ss, "two"), -ENOSPC);
	expect_eq(bpf_stream_stage_commit(&ss), -ENOSPC);
	/* One byte more, as a newline is inserted before the group */
	expect_eq(drain(stream, 1024), CAPACITY - 5 + 1);
	expect_eq(shim.pages, 1);
	put_last(stream);
}

/* More than a stream can hold is refused before it takes the memory. */
static void test_group_too_big(void)
{
	struct bpf_stream *stream = new_stream();
	struct bpf_stream_group ss = new_group(stream);
	char text[1000] = {};
	unsigned int i;

	for (i = 1; i <= 1000; i++)
		expect_eq(stage_text(&ss, text, sizeof(text)),
			  i * sizeof(text) > CAPACITY ? -ENOSPC : 0);
	expect(shim.pages <= CAPACITY / 4000 + 1);
	expect_eq(bpf_stream_stage_commit(&ss), -ENOSPC);
	expect_counters(stream, 0, 0, 1000, 1000 * sizeof(text));
	expect_eq(shim.pages, 1);
	put_last(stream);
}

/* Text that was not copied stays, wherever the buffer ends. */
static void test_fault(void)
{
	static const char text[] = "one two three";
	struct bpf_stream *stream = new_stream();
	char buf[sizeof(text)] = {};
	int room, len = sizeof(text) - 1;

	for (room = 0; room < len; room++) {
		write_text(stream, text, 4);
		write_text(stream, text + 4, 4);
		write_text(stream, text + 8, 5);
		current->faults = true;
		current->user_room = buf + room;
		expect_eq(bpf_stream_read(stream, buf, len), room ?: -EFAULT);
		expect_eq(bpf_stream_read(stream, buf + room, len), -EFAULT);
		expect_eq(atomic_read(&stream->unread), len - room);
		current->faults = false;
		expect_eq(bpf_stream_read(stream, buf + room, len), len - room);
		expect(!memcmp(buf, text, len));
	}

	/* Without text nothing can fault. */
	current->faults = true;
	expect_eq(bpf_stream_read(stream, buf, len), 0);
	current->faults = false;
	put_last(stream);
}

static struct bpf_stream *faulting_stream;
static char read_meanwhile[64];

static void provide(char *buf, unsigned long size)
{
	current->user_room = buf + size;
}

/* The page is populated late: another reader gets a byte meanwhile. */
static void read_and_provide(char *buf, unsigned long size)
{
	char *to = read_meanwhile + strlen(read_meanwhile);

	current->faults = false;
	current->fault_in = NULL;
	bpf_stream_read(faulting_stream, to, 1);
	current->faults = true;
	current->fault_in = read_and_provide;
	provide(buf, size);
}

/* Pages are faulted in without the lock, and the text of one read is in order. */
static void test_fault_in(void)
{
	static const char want[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	struct bpf_stream *stream = new_stream();
	char buf[32] = {};
	int wakes;

	faulting_stream = stream;
	memset(read_meanwhile, 0, sizeof(read_meanwhile));
	current->faults = true;
	current->user_room = buf + 3;
	current->fault_in = provide;
	write_text(stream, want, 10);
	write_text(stream, want + 10, 16);
	expect_eq(bpf_stream_read(stream, buf, 30), 26);
	expect(!memcmp(buf, want, 26));

	current->user_room = buf + 3;
	current->fault_in = read_and_provide;
	write_text(stream, want, 10);
	write_text(stream, want + 10, 16);
	wakes = stream->wait.wakes;
	expect_eq(bpf_stream_read(stream, buf, 30), 9);
	expect(!memcmp(buf, want + 1, 9));
	/* The text is not drained, so EPOLLET needs another event. */
	expect_eq(stream->wait.wakes, wakes + 1);
	expect(!memcmp(read_meanwhile, "AK", 3));
	current->fault_in = NULL;
	current->faults = false;
	expect_eq(bpf_stream_read(stream, buf, 30), 15);
	put_last(stream);
}

/* The length may reach beyond the end of user space. */
static void test_end_of_user_space(void)
{
	struct bpf_stream *stream = new_stream();
	char buf[16] = {};

	write_str(stream, "one ");
	write_str(stream, "two ");
	write_str(stream, "three");

	current->user_end = buf + 8;
	expect_eq(bpf_stream_read(stream, buf + 8, INT_MAX), -EFAULT);
	expect_eq(bpf_stream_read(stream, buf + 12, INT_MAX), -EFAULT);
	expect_eq(stream->wait.wakes, 0);
	expect_eq(bpf_stream_read(stream, buf, INT_MAX), 8);
	expect_eq(stream->wait.wakes, 1);
	expect(!memcmp(buf, "one two ", 9));
	expect_eq(bpf_stream_read(stream, buf + 8, INT_MAX), -EFAULT);
	expect_eq(atomic_read(&stream->unread), 5);
	current->user_end = NULL;

	expect_eq(bpf_stream_read(stream, buf + 8, INT_MAX), 5);
	expect(!memcmp(buf, "one two three", 13));
	expect_eq(stream->wait.wakes, 1);
	put_last(stream);
}

static void test_signals(void)
{
	struct bpf_stream *stream = new_stream();
	static char page[2 * PAGE_SIZE];
	char buf[8] = {};
	unsigned int i;

	write_str(stream, "one ");
	write_str(stream, "two");

	current->killed = true;
	expect_eq(bpf_stream_read(stream, buf, 8), -ERESTARTSYS);
	expect_eq(atomic_read(&stream->unread), 7);
	current->killed = false;

	/* A reader that is killed meanwhile consumes no more than a page. */
	for (i = 0; i < 2 * PAGE_SIZE; i += 8)
		expect_eq(write_text(stream, "eight by", 8), 0);
	current->killed_in_copy = true;
	expect_eq(bpf_stream_read(stream, page, 2 * PAGE_SIZE), 7 + PAGE_SIZE);
	current->killed_in_copy = false;
	current->killed = false;
	expect_eq(drain(stream, 4096), PAGE_SIZE);
	write_str(stream, "one ");
	write_str(stream, "two");
	expect_eq(bpf_stream_read(stream, buf, 4), 4);

	/* A signal makes a read fail only if it has to wait for another reader. */
	current->signal = true;
	expect_eq(mutex_lock_interruptible(&stream->lock), 0);
	expect_eq(bpf_stream_read(stream, buf + 4, 8), -ERESTARTSYS);
	mutex_unlock(&stream->lock);
	expect_eq(bpf_stream_read(stream, buf + 4, 8), 3);
	current->signal = false;
	expect(!memcmp(buf, "one two", 7));
	put_last(stream);
}

static void test_wakeups(void)
{
	struct bpf_stream *stream = new_stream();
	struct bpf_stream_group ss;
	char buf[8];

	write_str(stream, "nobody sleeps");
	drain(stream, 64);
	expect_eq(stream->wake.queued, 0);

	stream->wait.sleepers = 1;
	preempt_disable();
	write_str(stream, "one");
	expect_eq(stream->wake.queued, 1);
	expect_eq(stream->wait.wakes, 0);
	preempt_enable();
	expect_eq(stream->wait.wakes, 1);

	/* Only the first record on the log wakes readers */
	write_str(stream, "two");
	expect_eq(stream->wake.queued, 1);
	bpf_stream_read(stream, buf, 1);
	write_str(stream, "three");
	expect_eq(stream->wake.queued, 2);
	drain(stream, 64);

	shim.fail_pages = 1;
	expect_eq(fill(stream, 1000, -ENOMEM), 3);
	drain(stream, 64);
	expect_eq(stream->wake.queued, 3);
	expect_eq(fill(stream, 1000, -ENOMEM), 0);
	shim.fail_pages = 0;

	ss = new_group(stream);
	stage_str(&ss, "four");
	stage_str(&ss, "five");
	expect_eq(stream->wake.queued, 3);
	bpf_stream_stage_commit(&ss);
	expect_eq(stream->wake.queued, 4);
	expect_eq(stream->wait.wakes, 4);

	expect(!bpf_stream_has_ended(stream));
	bpf_stream_end(stream);
	expect(bpf_stream_has_ended(stream));
	expect_eq(stream->wait.wakes, 5);
	stream->wait.sleepers = 0;
	put_last(stream);
}

/* A stream is freed with text in the backlog and in the log, from several CPUs. */
static void test_put(void)
{
	struct bpf_stream *stream = new_stream();
	char buf[1000];

	bpf_stream_put(NULL);
	fill(stream, 900, -ENOSPC);
	expect_eq(bpf_stream_read(stream, buf, 950), 950);
	write_str(stream, "in the log");
	current->cpu = 3;
	write_str(stream, "of another CPU");
	current->cpu = 0;

	refcount_inc(&stream->refs);
	bpf_stream_end(stream);
	bpf_stream_put(stream);
	expect_eq(shim.objects, 2);
	expect_eq(bpf_stream_read(stream, buf, 1000), 1000);
	put_last(stream);
}

static void test_no_stream(void)
{
	unsigned int i;

	for (i = 1; i <= 2; i++) {
		shim.fail_object = i;
		expect(!bpf_stream_alloc(true));
		expect_eq(shim.objects, 0);
	}
	shim.fail_object = 0;
}

/* For a program that cannot print: it has no per-CPU memory, and is always empty. */
static void test_silent_stream(void)
{
	struct bpf_stream *stream = bpf_stream_alloc(false);
	char c;

	expect_eq(shim.objects, 1);
	expect_eq(bpf_stream_read(stream, &c, 1), 0);
	expect_counters(stream, 0, 0, 0, 0);
	bpf_stream_end(stream);
	put_last(stream);
}

/* Idle pages are freed, others when their text was read; later messages take new ones. */
static void test_cursors_drop(void)
{
	struct bpf_stream *stream = new_stream();
	int cpu;

	expect_eq(bpf_stream_cursors_drop(stream), 0);
	for (cpu = 0; cpu < num_possible_cpus(); cpu++) {
		current->cpu = cpu;
		expect_eq(write_str(stream, "read "), 0);
	}
	drain(stream, 64);
	expect_eq(bpf_stream_cursors_drop(stream), num_possible_cpus());
	expect_eq(shim.pages, 0);

	expect_eq(write_str(stream, "unread "), 0);
	current->cpu = 0;
	expect_eq(bpf_stream_cursors_drop(stream), 0);
	expect_eq(shim.pages, 1);
	expect_eq(write_str(stream, "new"), 0);
	expect_eq(shim.pages, 2);
	expect_text(stream, "unread new");
	expect_eq(shim.pages, 1);
	put_last(stream);
}

/* A reader that finds a charge retries until there is text. */
static struct bpf_stream *charged_stream;

static void expect_no_charge(void)
{
	expect(!bpf_stream_has_text(charged_stream));
}

static void test_charge_comes_last(void)
{
	struct bpf_stream_group ss;

	charged_stream = new_stream();
	shim.page_calls = 0;
	ss = new_group(charged_stream);
	shim.page_hook = expect_no_charge;
	expect_eq(write_str(charged_stream, "one"), 0);
	drain(charged_stream, 64);
	bpf_stream_cursors_drop(charged_stream);
	expect_eq(stage_str(&ss, "two"), 0);
	shim.page_hook = NULL;
	expect_eq(shim.page_calls, 2);
	bpf_stream_stage_commit(&ss);
	put_last(charged_stream);
}

static void test_ids(void)
{
	struct bpf_prog_aux aux = {};
	struct bpf_streams streams = {};

	expect(!bpf_prog_stream(&aux, BPF_STDOUT));
	aux.streams = &streams;
	streams.stream[0] = new_stream();
	streams.stream[1] = new_stream();
	expect(bpf_prog_stream(&aux, BPF_STDOUT) == streams.stream[0]);
	expect(bpf_prog_stream(&aux, BPF_STDERR) == streams.stream[1]);
	expect(!bpf_prog_stream(&aux, 0));
	expect(!bpf_prog_stream(&aux, 3));
	expect(!bpf_prog_stream(&aux, UINT_MAX));
	bpf_stream_put(streams.stream[0]);
	put_last(streams.stream[1]);
}

/* NMIs that interrupt the allocation of a page, and need a page themselves */

static struct bpf_stream *nmi_stream;
static unsigned int nmi_depth, nmi_levels;

static void nmi_writes(void)
{
	char text[8] = "nmi 0 ";

	if (nmi_depth == nmi_levels)
		return;

	text[4] += ++nmi_depth;
	expect_eq(write_str(nmi_stream, text), 0);
}

static void test_nmi(void)
{
	nmi_stream = new_stream();
	shim.page_hook = nmi_writes;
	nmi_levels = 3;
	expect_eq(write_str(nmi_stream, "thread"), 0);
	shim.page_hook = NULL;

	/* Each has installed a page, the innermost first. */
	expect_eq(shim.pages, 4);
	expect_text(nmi_stream, "nmi 3 nmi 2 nmi 1 thread");
	expect_eq(shim.pages, 1);

	/* There is room in the page that was installed last. */
	write_str(nmi_stream, "more");
	expect_eq(shim.pages, 1);
	expect_counters(nmi_stream, 5, 28, 0, 0);
	put_last(nmi_stream);
	nmi_depth = 0;
}

static void nmi_takes_the_rest(void)
{
	shim.page_hook = NULL;
	expect_eq(fill(nmi_stream, 512, -ENOSPC), CAPACITY / 512);
	expect_eq(atomic_read(&nmi_stream->unread), CAPACITY);
}

/* There was room, but the message is charged only after its record was allocated. */
static void test_nmi_takes_the_rest(void)
{
	char text[512] = {};

	nmi_stream = new_stream();
	shim.page_hook = nmi_takes_the_rest;
	expect_eq(write_text(nmi_stream, text, sizeof(text)), -ENOSPC);
	expect_counters(nmi_stream, CAPACITY / 512, CAPACITY, 2, 1024);
	expect_eq(drain(nmi_stream, 4096), CAPACITY);
	expect_eq(shim.pages, 1);
	put_last(nmi_stream);
}

static const struct test tests[] = {
	{ "messages are read in order", test_order },
	{ "empty messages, and reads without text", test_empty },
	{ "a small buffer gets a part of a message", test_partial },
	{ "the buffer is filled from backlog and log", test_refill },
	{ "messages of each length", test_lengths },
	{ "the capacity is the exact limit of unread text", test_capacity },
	{ "a message is refused without memory", test_no_memory },
	{ "failures do not leak", test_failures_leave_nothing },
	{ "pages are limited", test_page_limit },
	{ "pages are held while they have records", test_pages_held },
	{ "a drained stream holds a page for each CPU", test_cpus },
	{ "a group stays together", test_group },
	{ "a group begins a line", test_group_begins_line },
	{ "a fault where a group begins a line", test_group_begins_line_fault },
	{ "an empty group", test_group_of_nothing },
	{ "a group without memory is lost as a whole", test_group_no_memory },
	{ "a group without room is lost as a whole", test_group_no_room },
	{ "a group that never fits takes little memory", test_group_too_big },
	{ "a fault consumes nothing", test_fault },
	{ "pages are faulted in without the lock", test_fault_in },
	{ "a length may reach beyond user space", test_end_of_user_space },
	{ "signals and readers", test_signals },
	{ "readers are woken when necessary", test_wakeups },
	{ "unread text is freed with the stream", test_put },
	{ "no memory for a stream", test_no_stream },
	{ "a stream that cannot be written to", test_silent_stream },
	{ "idle pages are freed", test_cursors_drop },
	{ "text is charged after its record was allocated", test_charge_comes_last },
	{ "stream IDs", test_ids },
	{ "NMIs that need a page while one is allocated", test_nmi },
	{ "an NMI fills the stream during a write", test_nmi_takes_the_rest },
};

int main(void)
{
	return run_tests(tests, sizeof(tests) / sizeof(*tests));
}
