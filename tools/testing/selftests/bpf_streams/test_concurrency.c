// SPDX-License-Identifier: GPL-2.0
/* Writers and readers on all CPUs at once. The output is compared byte by byte. */
#include "../kselftest_harness.h"
#include "streams_test.h"

#define WRITERS		4
#define READERS		4
#define LINES		20000
#define ROUNDS		200
#define PER_ROUND	100

struct writer {
	pthread_t thread;
	int fd;
	int number;
	int rounds;
	int error;		/* other than those for messages */
	unsigned long long accepted;
	unsigned long long refused;
	struct flag done;
};

static void *write_thread(void *arg)
{
	struct writer *w = arg;
	struct say_args args = {
		.stream = STDOUT,
		.kind = SAY_LINE,
		.writer = w->number,
		.count = PER_ROUND,
	};
	int i;

	pin_to_cpu(w->number % nr_cpus());
	for (i = 0; i < w->rounds && !w->error; i++) {
		if (say(w->fd, &args))
			w->error = -errno;
		/* Refused because the stream is full, or a lock of the page allocator is held */
		if (args.refused && args.error != -ENOSPC && args.error != -ENOMEM)
			w->error = args.error;
		w->accepted += args.accepted;
		w->refused += args.refused;
	}
	flag_set(&w->done);
	return NULL;
}

static bool start_writers(struct writer *writers, int count, int fd)
{
	int i;

	memset(writers, 0, count * sizeof(*writers));
	for (i = 0; i < count; i++) {
		writers[i].fd = fd;
		writers[i].number = i;
		writers[i].rounds = ROUNDS;
		if (pthread_create(&writers[i].thread, NULL, write_thread, &writers[i]))
			return false;
	}
	return true;
}

/*
 * Check that each line is the next one of its writer; next[] counts them. Return: the
 * position of the first line that is not, or the length of the text.
 */
static size_t check_lines(const struct text *t, unsigned long long *next, int writers)
{
	struct text want = {};
	size_t pos = 0;
	int w;

	while (pos < t->len) {
		w = t->data[pos] - '0';
		if (w < 0 || w >= writers)
			break;
		want.len = 0;
		text_line(&want, w, next[w]);
		if (want.len > t->len - pos || memcmp(want.data, t->data + pos, want.len))
			break;
		next[w]++;
		pos += want.len;
	}
	text_free(&want);
	return pos;
}

FIXTURE(writers)
{
	struct say_bpf *skel;
	int fd;
};

FIXTURE_VARIANT(writers)
{
	int count;
};

/* One for each of two CPUs; more than CPUs, so that they preempt each other */
FIXTURE_VARIANT_ADD(writers, two) { .count = 2 };
FIXTURE_VARIANT_ADD(writers, four) { .count = 4 };

FIXTURE_SETUP(writers)
{
	self->skel = say_load(&self->fd);
	ASSERT_NE(NULL, self->skel);
}

FIXTURE_TEARDOWN(writers)
{
	say_bpf__destroy(self->skel);
}

TEST_F(writers, one_reader_gets_every_message_once_whole_in_order)
{
	unsigned long long next[WRITERS] = {}, refused = 0;
	struct writer writers[WRITERS];
	struct stream_stats st;
	struct text t = {};
	__u64 state = 0x5eed;
	char buf[5000];
	bool running;
	long ret;
	int i;

	ASSERT_TRUE(start_writers(writers, variant->count, self->fd));
	do {
		/* Text that is written before their end is observed is read */
		running = false;
		for (i = 0; i < variant->count; i++)
			running |= !flag_is_set(&writers[i].done);
		while ((ret = stream_read(self->fd, STDOUT, buf,
					  1 + prng(&state) % sizeof(buf))) > 0)
			text_add(&t, buf, ret);
		ASSERT_EQ(0, ret);
	} while (running);

	ASSERT_EQ(t.len, check_lines(&t, next, variant->count));
	for (i = 0; i < variant->count; i++) {
		ASSERT_EQ(0, pthread_join(writers[i].thread, NULL));
		EXPECT_EQ(0, writers[i].error);
		EXPECT_LT(0, writers[i].accepted);
		EXPECT_EQ(writers[i].accepted, next[i]);
		refused += writers[i].refused;
	}
	text_free(&t);

	SKIP_UNLESS_OURS("counters");
	ASSERT_EQ(0, stream_stats(self->fd, STDOUT, &st));
	EXPECT_EQ(refused, st.dropped_msgs);
	EXPECT_EQ(0, st.unread_bytes);
}

#define NOWHERE		SIZE_MAX

/* One read and its result */
struct chunk {
	size_t size;		/* of the buffer */
	size_t len;
	size_t pos;		/* in the stream, determined afterwards */
	size_t data;		/* offset in the reader's text */
	int reader;
};

struct reader {
	pthread_t thread;
	int fd;
	int number;
	long error;
	struct flag *written;
	struct text text;
	struct chunk *chunks;
	size_t nr_chunks;
};

static void add_chunk(struct reader *r, size_t size, const char *data, size_t len)
{
	struct chunk c = {
		.size = size, .len = len, .data = r->text.len, .reader = r->number,
	};

	text_add(&r->text, data, len);
	r->chunks = realloc(r->chunks, (r->nr_chunks + 1) * sizeof(c));
	r->chunks[r->nr_chunks++] = c;
}

static void *read_thread(void *arg)
{
	struct reader *r = arg;
	__u64 state = 0x5eed + r->number;
	char buf[8192];
	bool written;
	size_t size;
	long ret;

	pin_to_cpu(r->number % nr_cpus());
	do {
		written = flag_is_set(r->written);
		for (;;) {
			/* Large enough to contain a whole line, which determines the position */
			size = 600 + prng(&state) % (sizeof(buf) - 600);
			ret = stream_read(r->fd, STDOUT, buf, size);
			if (ret <= 0)
				break;
			add_chunk(r, size, buf, ret);
		}
	} while (!ret && !written);
	r->error = ret;
	return NULL;
}

/* Return: number of the line of writer 0 that starts here, or -1 */
static long line_number(const char *line, size_t len)
{
	long seq = 0;
	int i;

	if (len < 12 || line[0] != '0' || line[1] != ' ' || line[10] != ' ')
		return -1;
	for (i = 2; i < 10; i++) {
		if (line[i] < '0' || line[i] > '9')
			return -1;
		seq = seq * 10 + line[i] - '0';
	}
	return seq < LINES ? seq : -1;
}

/*
 * Find the position of a chunk in the stream by the first line that starts in it;
 * offsets[] has the position of each line. This fails for a chunk that only contains the
 * rest of a message.
 */
static size_t locate(const char *data, size_t len, const size_t *offsets)
{
	const char *nl, *line = data;
	long seq;

	for (;;) {
		seq = line_number(line, data + len - line);
		if (seq >= 0 && offsets[seq] >= (size_t)(line - data))
			return offsets[seq] - (line - data);
		nl = memchr(line, '\n', data + len - line);
		if (!nl)
			return NOWHERE;
		line = nl + 1;
	}
}

static int by_pos(const void *a, const void *b)
{
	const struct chunk *x = a, *y = b;

	return x->pos < y->pos ? -1 : x->pos > y->pos;
}

struct read_test {
	struct reader readers[READERS];
	int nr_readers;
	struct chunk *chunks;
	size_t nr_chunks;
	struct text want;
	size_t *offsets;
	struct flag written;
	int fd;
};

FIXTURE(readers)
{
	struct say_bpf *skel;
	struct read_test t;
};

FIXTURE_VARIANT(readers)
{
	int count;
};

FIXTURE_VARIANT_ADD(readers, two) { .count = 2 };
FIXTURE_VARIANT_ADD(readers, four) { .count = 4 };

FIXTURE_SETUP(readers)
{
	unsigned long long i;

	self->skel = say_load(&self->t.fd);
	ASSERT_NE(NULL, self->skel);
	self->t.nr_readers = variant->count;
	self->t.offsets = calloc(LINES, sizeof(*self->t.offsets));
	ASSERT_NE(NULL, self->t.offsets);
	for (i = 0; i < LINES; i++) {
		self->t.offsets[i] = self->t.want.len;
		text_line(&self->t.want, 0, i);
	}
	ASSERT_GT(CAPACITY, self->t.want.len);
}

FIXTURE_TEARDOWN(readers)
{
	int i;

	for (i = 0; i < READERS; i++) {
		text_free(&self->t.readers[i].text);
		free(self->t.readers[i].chunks);
	}
	free(self->t.chunks);
	free(self->t.offsets);
	text_free(&self->t.want);
	say_bpf__destroy(self->skel);
}

static bool start_readers(struct read_test *t)
{
	int i;

	for (i = 0; i < t->nr_readers; i++) {
		struct reader *r = &t->readers[i];

		r->fd = t->fd;
		r->number = i;
		r->written = &t->written;
		if (pthread_create(&r->thread, NULL, read_thread, r))
			return false;
	}
	return true;
}

/* All chunks of all readers, in the order of the stream */
static bool collect(struct read_test *t)
{
	size_t n = 0, j;
	int i;

	for (i = 0; i < t->nr_readers; i++) {
		pthread_join(t->readers[i].thread, NULL);
		if (t->readers[i].error)
			return false;
		t->nr_chunks += t->readers[i].nr_chunks;
	}
	t->chunks = calloc(t->nr_chunks, sizeof(*t->chunks));
	if (!t->chunks)
		return false;
	for (i = 0; i < t->nr_readers; i++) {
		struct reader *r = &t->readers[i];

		for (j = 0; j < r->nr_chunks; j++, n++) {
			t->chunks[n] = r->chunks[j];
			t->chunks[n].pos = locate(r->text.data + r->chunks[j].data,
						  r->chunks[j].len, t->offsets);
		}
	}
	qsort(t->chunks, t->nr_chunks, sizeof(*t->chunks), by_pos);
	return true;
}

/* Assign the gap [from, to) to a chunk without a position */
static void fill_gap(struct read_test *t, size_t from, size_t to)
{
	size_t i;

	for (i = 0; i < t->nr_chunks; i++) {
		struct chunk *c = &t->chunks[i];
		const char *data = t->readers[c->reader].text.data + c->data;

		if (c->pos != NOWHERE || c->len != to - from ||
		    memcmp(data, t->want.data + from, c->len))
			continue;
		c->pos = from;
		return;
	}
}

static void fill_gaps(struct read_test *t)
{
	size_t i, located, pos = 0;

	for (i = 0; i < t->nr_chunks && t->chunks[i].pos != NOWHERE; i++)
		;
	located = i;

	for (i = 0; i < located; i++) {
		if (t->chunks[i].pos > pos)
			fill_gap(t, pos, t->chunks[i].pos);
		pos = t->chunks[i].pos + t->chunks[i].len;
	}
	if (pos < t->want.len)
		fill_gap(t, pos, t->want.len);
	qsort(t->chunks, t->nr_chunks, sizeof(*t->chunks), by_pos);
}

TEST_F(readers, get_every_byte_once_and_split_only_at_a_full_buffer)
{
	size_t i, pos = 0;
	__u64 seq = 0;

	SKIP_UNLESS_ROOM(MIB);
	/* Half of it is written before they start, the rest while they read */
	ASSERT_EQ(0, say_all(self->t.fd, STDOUT, SAY_LINE, LINES / 2, &seq));
	ASSERT_TRUE(start_readers(&self->t));
	while (seq < LINES)
		ASSERT_EQ(0, say_all(self->t.fd, STDOUT, SAY_LINE, 10, &seq));
	flag_set(&self->t.written);

	ASSERT_TRUE(collect(&self->t));
	fill_gaps(&self->t);
	for (i = 0; i < self->t.nr_chunks; i++) {
		struct chunk *c = &self->t.chunks[i];
		const char *data = self->t.readers[c->reader].text.data + c->data;

		/* No byte is missing, duplicated or changed */
		ASSERT_EQ(pos, c->pos);
		ASSERT_LE(pos + c->len, self->t.want.len);
		ASSERT_EQ(0, memcmp(data, self->t.want.data + pos, c->len));
		if (c->len < c->size)
			ASSERT_EQ('\n', data[c->len - 1]);
		pos += c->len;
	}
	EXPECT_EQ(self->t.want.len, pos);
}

/* The two streams of a program are independent */
static void *stderr_thread(void *arg)
{
	struct writer *w = arg;
	__u64 seq = 0;
	int i;

	pin_to_cpu(1 % nr_cpus());
	for (i = 0; i < w->rounds && !w->error; i++)
		w->error = say_all(w->fd, STDERR, SAY_LINE, PER_ROUND, &seq);
	return NULL;
}

TEST(stdout_and_stderr_written_at_once_stay_apart)
{
	struct writer err = { .rounds = 50 };
	unsigned long long next[2] = {};
	struct text out_text = {}, err_text = {};
	struct say_bpf *skel;
	__u64 seq = 0;
	int i, fd;

	skel = say_load(&fd);
	ASSERT_NE(NULL, skel);
	SKIP_UNLESS_ROOM(MIB);
	err.fd = fd;
	ASSERT_EQ(0, pthread_create(&err.thread, NULL, stderr_thread, &err));
	pin_to_cpu(0);
	for (i = 0; i < 50; i++)
		ASSERT_EQ(0, say_all(fd, STDOUT, SAY_LINE, PER_ROUND, &seq));
	ASSERT_EQ(0, pthread_join(err.thread, NULL));
	ASSERT_EQ(0, err.error);

	ASSERT_EQ(0, stream_drain(fd, STDOUT, 4096, &out_text));
	ASSERT_EQ(0, stream_drain(fd, STDERR, 4096, &err_text));
	EXPECT_EQ(out_text.len, check_lines(&out_text, next, 1));
	EXPECT_EQ(50 * PER_ROUND, next[0]);
	EXPECT_EQ(err_text.len, check_lines(&err_text, &next[1], 1));
	EXPECT_EQ(50 * PER_ROUND, next[1]);

	text_free(&out_text);
	text_free(&err_text);
	say_bpf__destroy(skel);
}

STREAMS_TEST_MAIN
