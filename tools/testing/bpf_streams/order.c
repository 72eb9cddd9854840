// SPDX-License-Identifier: GPL-2.0
/*
 * Memory barriers that the stress test rarely exercises
 *
 * A thread makes its last access to a page, then another thread frees it. Only the tested
 * barriers order these accesses: the threads take turns with relaxed atomics, which
 * ThreadSanitizer does not consider as ordering.
 */
#include <sched.h>
#include "test.h"

static struct bpf_stream *stream;
static struct bpf_stream_group group;
static bool turn_of_reader;

static void wait_for_turn(bool reader)
{
	while (READ_ONCE(turn_of_reader) != reader)
		sched_yield();
}

static void give_turn(bool reader)
{
	__atomic_store_n(&turn_of_reader, reader, __ATOMIC_RELAXED);
}

/* Make a page with a record of a group and one in the log, and without a cursor. */
static void share_page(void)
{
	static const char text[1000];

	group = (struct bpf_stream_group){ .stream = stream };
	stage_str(&group, "of the group");
	write_str(stream, "of the log");
	while (READ_ONCE(shim.pages) == 1)
		write_text(stream, text, sizeof(text));
}

/* The writer of a group frees it if it is lost. */
static void lose_group(void)
{
	group.err = -ENOMEM;
	bpf_stream_stage_commit(&group);
}

static void *read_all(void *unused)
{
	wait_for_turn(true);
	drain(stream, CAPACITY);
	give_turn(false);
	return NULL;
}

static void run(bool reader_first)
{
	pthread_t thread;

	turn_of_reader = false;
	stream = bpf_stream_alloc(true);
	pthread_create(&thread, NULL, read_all, NULL);
	share_page();
	if (!reader_first)
		lose_group();
	give_turn(true);
	wait_for_turn(false);
	if (reader_first)
		lose_group();
	pthread_join(thread, NULL);
	expect_eq(shim.pages, 1);
	put_last(stream);
}

static void writer_frees(void)
{
	run(true);
}

static void reader_frees(void)
{
	run(false);
}

static const struct test tests[] = {
	{ "a writer frees the page after a reader", writer_frees },
	{ "a reader frees the page after a writer", reader_frees },
};

int main(void)
{
	return run_tests(tests, sizeof(tests) / sizeof(*tests));
}
