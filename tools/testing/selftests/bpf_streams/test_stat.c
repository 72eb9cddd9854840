// SPDX-License-Identifier: GPL-2.0
/* The counters in a program's fdinfo */
#include "../kselftest_harness.h"
#include "streams_test.h"

FIXTURE(stat)
{
	struct say_bpf *skel;
	struct stream_stats st;
	int fd;
};

FIXTURE_SETUP(stat)
{
	self->skel = say_load(&self->fd);
	ASSERT_NE(NULL, self->skel);
	SKIP_UNLESS_OURS("counters");
}

FIXTURE_TEARDOWN(stat)
{
	say_bpf__destroy(self->skel);
}

#define EXPECT_STATS(stream, bytes, msgs, unread, lost_bytes, lost_msgs)	\
	do {									\
		ASSERT_EQ(0, stream_stats(self->fd, stream, &self->st));	\
		EXPECT_EQ(bytes, self->st.written_bytes);			\
		EXPECT_EQ(msgs, self->st.written_msgs);				\
		EXPECT_EQ(unread, self->st.unread_bytes);			\
		EXPECT_EQ(lost_bytes, self->st.dropped_bytes);			\
		EXPECT_EQ(lost_msgs, self->st.dropped_msgs);			\
	} while (0)

TEST_F(stat, starts_at_zero)
{
	EXPECT_STATS(STDOUT, 0, 0, 0, 0, 0);
	EXPECT_STATS(STDERR, 0, 0, 0, 0, 0);
}

TEST_F(stat, counts_written_and_unread_by_stream)
{
	char buf[256];

	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 100));
	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 20));
	ASSERT_EQ(0, say_bytes(self->skel, STDERR, 3));
	EXPECT_STATS(STDOUT, 120, 2, 120, 0, 0);
	EXPECT_STATS(STDERR, 3, 1, 3, 0, 0);

	/* A part of a message counts as read */
	ASSERT_EQ(30, stream_read(self->fd, STDOUT, buf, 30));
	EXPECT_STATS(STDOUT, 120, 2, 90, 0, 0);
	ASSERT_EQ(90, stream_read(self->fd, STDOUT, buf, sizeof(buf)));
	EXPECT_STATS(STDOUT, 120, 2, 0, 0, 0);
	EXPECT_STATS(STDERR, 3, 1, 3, 0, 0);
}

TEST_F(stat, failed_read_changes_nothing)
{
	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 100));
	ASSERT_EQ(-EFAULT, stream_read(self->fd, STDOUT, NULL, 100));
	EXPECT_STATS(STDOUT, 100, 1, 100, 0, 0);
}

TEST_F(stat, empty_message_is_neither_written_nor_dropped)
{
	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 0));
	EXPECT_STATS(STDOUT, 0, 0, 0, 0, 0);
}

TEST_F(stat, over_long_message_is_dropped)
{
	ASSERT_EQ(-E2BIG, say_all(self->fd, STDERR, SAY_1024, 1, NULL));
	ASSERT_EQ(0, stream_stats(self->fd, STDERR, &self->st));
	EXPECT_EQ(1, self->st.dropped_msgs);
	EXPECT_EQ(1024, self->st.dropped_bytes);
	EXPECT_EQ(0, self->st.written_msgs);
	EXPECT_EQ(0, self->st.unread_bytes);
	EXPECT_STATS(STDOUT, 0, 0, 0, 0, 0);
}

/* There is no stream that could count it */
TEST_F(stat, message_for_an_unknown_stream_is_not_counted)
{
	ASSERT_EQ(-ENOENT, say_all(self->fd, 3, SAY_64, 1, NULL));
	EXPECT_STATS(STDOUT, 0, 0, 0, 0, 0);
	EXPECT_STATS(STDERR, 0, 0, 0, 0, 0);
}

TEST_F(stat, refused_messages_are_dropped_with_their_length)
{
	struct say_args args = { .stream = STDOUT, .kind = SAY_512, .count = 10000 };
	const long fits = CAPACITY / 512, lost = 10000 - CAPACITY / 512;

	ASSERT_EQ(0, say(self->fd, &args));
	ASSERT_EQ(fits, args.accepted);
	EXPECT_STATS(STDOUT, CAPACITY, fits, CAPACITY, lost * 512, lost);

	ASSERT_EQ(-ENOSPC, say_bytes(self->skel, STDOUT, 1));
	EXPECT_STATS(STDOUT, CAPACITY, fits, CAPACITY, lost * 512 + 1, lost + 1);

	/* Reading makes room, but does not change the counters of lost messages */
	ASSERT_EQ(CAPACITY, stream_discard(self->fd, STDOUT));
	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 1));
	EXPECT_STATS(STDOUT, CAPACITY + 1, fits + 1, 1, lost * 512 + 1, lost + 1);
}

/* Messages of one byte: the limit is that of memory, and the counters are exact */
TEST_F(stat, messages_refused_for_memory_are_dropped_too)
{
	struct say_args args = { .stream = STDOUT, .kind = SAY_CHAR, .count = 600000 };

	ASSERT_EQ(0, say(self->fd, &args));
	ASSERT_LT(0, args.refused);
	EXPECT_EQ(-ENOSPC, args.error);
	EXPECT_STATS(STDOUT, args.accepted, args.accepted, args.accepted,
		     args.refused, args.refused);
}

TEST_F(stat, any_fd_of_the_program_shows_the_same)
{
	struct stream_stats st;
	int fd;

	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 5));
	fd = bpf_prog_get_fd_by_id(prog_id(self->fd));
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, stream_stats(fd, STDOUT, &st));
	EXPECT_EQ(5, st.unread_bytes);
	close(fd);
}

TEST_F(stat, other_programs_have_counters_of_their_own)
{
	struct say_bpf *other;
	struct stream_stats st;
	int fd;

	other = say_load(&fd);
	ASSERT_NE(NULL, other);
	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 5));
	ASSERT_EQ(0, stream_stats(fd, STDOUT, &st));
	EXPECT_EQ(0, st.written_bytes);
	say_bpf__destroy(other);
}

STREAMS_TEST_MAIN
