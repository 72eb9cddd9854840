// SPDX-License-Identifier: GPL-2.0
/* Capacity of streams, and the memory that they need for it */
#include "../kselftest_harness.h"
#include "streams_test.h"

#define WRITERS		4

/* Memory noise of the rest of the system, far below the effect of a failure */
#define SLACK		MIB

FIXTURE(capacity)
{
	struct say_bpf *skel;
	int fd;
};

FIXTURE_SETUP(capacity)
{
	self->skel = say_load(&self->fd);
	ASSERT_NE(NULL, self->skel);
	SKIP_UNLESS_OURS("room for 4 MiB, charged by the byte");
}

FIXTURE_TEARDOWN(capacity)
{
	say_bpf__destroy(self->skel);
}

/* Print messages of one kind until one is refused. Return: their number, or -1. */
static long fill(int fd, __u32 stream, enum say_kind kind, int *error)
{
	struct say_args args = {
		.stream = stream,
		.kind = kind,
		.count = 5 * 1000 * 1000,
	};

	if (say_until_full(fd, &args))
		return -1;
	*error = args.refused ? args.error : 0;
	return args.accepted;
}

/* Leave room for 'room' bytes (1 to 511). */
static int fill_but(struct say_bpf *skel, int fd, int room)
{
	int err;

	err = say_all(fd, STDOUT, SAY_512, CAPACITY / 512 - 1, NULL);
	return err ?: say_bytes(skel, STDOUT, 512 - room);
}

FIXTURE(rounds)
{
	struct say_bpf *skel;
	int fd;
};

FIXTURE_VARIANT(rounds)
{
	enum say_kind kind;
	int size;
};

FIXTURE_VARIANT_ADD(rounds, of_64) { .kind = SAY_64, .size = 64 };
FIXTURE_VARIANT_ADD(rounds, of_512) { .kind = SAY_512, .size = 512 };
FIXTURE_VARIANT_ADD(rounds, of_1023) { .kind = SAY_1023, .size = 1023 };

FIXTURE_SETUP(rounds)
{
	self->skel = say_load(&self->fd);
	ASSERT_NE(NULL, self->skel);
	SKIP_UNLESS_OURS("memory bounded by what is unread");
}

FIXTURE_TEARDOWN(rounds)
{
	say_bpf__destroy(self->skel);
}

TEST_F(rounds, are_full_at_exactly_4_mib_each_time)
{
	long rest = CAPACITY % variant->size;
	int round, error;

	for (round = 0; round < 5; round++) {
		ASSERT_EQ(CAPACITY / variant->size,
			  fill(self->fd, STDOUT, variant->kind, &error));
		ASSERT_EQ(-ENOSPC, error);
		ASSERT_EQ(rest, fill(self->fd, STDOUT, SAY_CHAR, &error));
		ASSERT_EQ(-ENOSPC, error);
		ASSERT_EQ(CAPACITY, stream_discard(self->fd, STDOUT));
	}
}

TEST_F(capacity, message_is_accepted_only_if_it_fits_whole)
{
	ASSERT_EQ(0, fill_but(self->skel, self->fd, 10));
	EXPECT_EQ(-ENOSPC, say_bytes(self->skel, STDOUT, 11));
	EXPECT_EQ(-ENOSPC, say_all(self->fd, STDOUT, SAY_1023, 1, NULL));
	EXPECT_EQ(0, say_bytes(self->skel, STDOUT, 10));
	EXPECT_EQ(-ENOSPC, say_bytes(self->skel, STDOUT, 1));
	EXPECT_EQ(CAPACITY, stream_discard(self->fd, STDOUT));
}

TEST_F(capacity, empty_message_fits_a_full_stream)
{
	ASSERT_EQ(0, fill_but(self->skel, self->fd, 1));
	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 1));
	EXPECT_EQ(0, say_bytes(self->skel, STDOUT, 0));
}

TEST_F(capacity, what_was_read_makes_room_to_the_byte)
{
	char buf[1024];

	ASSERT_EQ(0, fill_but(self->skel, self->fd, 1));
	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 1));

	/* A part of a message */
	ASSERT_EQ(7, stream_read(self->fd, STDOUT, buf, 7));
	EXPECT_EQ(-ENOSPC, say_bytes(self->skel, STDOUT, 8));
	EXPECT_EQ(0, say_bytes(self->skel, STDOUT, 7));
	EXPECT_EQ(-ENOSPC, say_bytes(self->skel, STDOUT, 1));

	/* The rest of it, and a part of the next */
	ASSERT_EQ(600, stream_read(self->fd, STDOUT, buf, 600));
	EXPECT_EQ(0, say_bytes(self->skel, STDOUT, 500));
	EXPECT_EQ(0, say_bytes(self->skel, STDOUT, 100));
	EXPECT_EQ(-ENOSPC, say_bytes(self->skel, STDOUT, 1));
	EXPECT_EQ(CAPACITY, stream_discard(self->fd, STDOUT));
}

TEST_F(capacity, refused_writes_leave_it_unchanged)
{
	static const struct {
		__u32 stream;
		enum say_kind kind;
		int error;
	} refused[] = {
		{ STDOUT, SAY_64, -ENOSPC },
		{ STDOUT, SAY_1023, -ENOSPC },
		{ STDOUT, SAY_1024, -E2BIG },
		{ 3, SAY_64, -ENOENT },
	};
	size_t i;

	ASSERT_EQ(0, fill_but(self->skel, self->fd, 10));
	for (i = 0; i < ARRAY_SIZE(refused); i++) {
		struct say_args args = {
			.stream = refused[i].stream,
			.kind = refused[i].kind,
			.count = 5000,
		};

		ASSERT_EQ(0, say(self->fd, &args));
		ASSERT_EQ(5000, args.refused);
		ASSERT_EQ(refused[i].error, args.error);
		ASSERT_EQ(0, args.other_errors);
	}
	EXPECT_EQ(-ENOSPC, say_bytes(self->skel, STDOUT, 11));
	EXPECT_EQ(0, say_bytes(self->skel, STDOUT, 10));
	EXPECT_EQ(CAPACITY, stream_discard(self->fd, STDOUT));
}

TEST_F(capacity, full_stream_leaves_others_writable)
{
	struct say_bpf *other;
	int fd, error;

	ASSERT_EQ(CAPACITY / 512, fill(self->fd, STDOUT, SAY_512, &error));
	EXPECT_EQ(CAPACITY / 512, fill(self->fd, STDERR, SAY_512, &error));
	EXPECT_EQ(-ENOSPC, error);

	other = say_load(&fd);
	ASSERT_NE(NULL, other);
	EXPECT_EQ(0, say_bytes(other, STDOUT, 100));
	say_bpf__destroy(other);
}

struct filler {
	pthread_t thread;
	int fd;
	int cpu;
	int error;
	long accepted;
};

static void *fill_thread(void *arg)
{
	struct filler *f = arg;

	pin_to_cpu(f->cpu);
	f->accepted = fill(f->fd, STDOUT, SAY_64, &f->error);
	return NULL;
}

/* Writers race for the last bytes: the limit holds, and no charge is leaked */
TEST_F(capacity, is_exact_after_writers_raced_for_it)
{
	struct filler fillers[WRITERS];
	long accepted, count;
	int i, round, error;

	for (round = 0; round < 5; round++) {
		accepted = 0;
		for (i = 0; i < WRITERS; i++) {
			fillers[i].fd = self->fd;
			fillers[i].cpu = i % nr_cpus();
			ASSERT_EQ(0, pthread_create(&fillers[i].thread, NULL,
						    fill_thread, &fillers[i]));
		}
		for (i = 0; i < WRITERS; i++) {
			ASSERT_EQ(0, pthread_join(fillers[i].thread, NULL));
			ASSERT_LE(0, fillers[i].accepted);
			ASSERT_EQ(-ENOSPC, fillers[i].error);
			accepted += fillers[i].accepted;
		}
		ASSERT_GE(CAPACITY / 64, accepted);

		/* A writer that lost the race may have left some room */
		count = fill(self->fd, STDOUT, SAY_64, &error);
		ASSERT_EQ(CAPACITY / 64, accepted + count);
		ASSERT_EQ(CAPACITY, stream_discard(self->fd, STDOUT));
	}
}

TEST_F(capacity, drained_stream_gives_its_memory_back)
{
	long before, used;
	int i, error;

	/* The first message allocates memory that stays */
	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 1));
	ASSERT_EQ(1, stream_discard(self->fd, STDOUT));

	before = settled_memory();
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(CAPACITY / 512, fill(self->fd, STDOUT, SAY_512, &error));
		used = before - free_memory();
		/* Otherwise the measurement is useless */
		EXPECT_LE(CAPACITY - SLACK, used);
		EXPECT_GE(2 * CAPACITY + SLACK, used);
		ASSERT_EQ(CAPACITY, stream_discard(self->fd, STDOUT));
		ASSERT_TRUE(memory_is_back(before, SLACK));
	}
}

TEST_F(capacity, memory_is_bounded_for_messages_of_one_byte)
{
	long before, used, count, first = 0;
	int round, error;

	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 1));
	ASSERT_EQ(1, stream_discard(self->fd, STDOUT));

	before = settled_memory();
	for (round = 0; round < 3; round++) {
		count = fill(self->fd, STDOUT, SAY_CHAR, &error);
		used = before - free_memory();
		TH_LOG("%ld messages of one byte hold %ld KiB", count, used / KIB);
		ASSERT_EQ(-ENOSPC, error);
		EXPECT_GT(CAPACITY, count);
		EXPECT_GE(2 * CAPACITY + SLACK, used);
		/* A header of 16 bytes, a byte, alignment: refused, but not too early */
		EXPECT_LE(2 * CAPACITY / 32, count);

		/* Nothing leaks: the same number fits the next time */
		if (!round)
			first = count;
		EXPECT_LE(first - first / 100, count);
		ASSERT_EQ(count, stream_discard(self->fd, STDOUT));
		ASSERT_TRUE(memory_is_back(before, SLACK));
	}

	/* The limit was that of memory, so the capacity for text is unused */
	EXPECT_EQ(CAPACITY / 512, fill(self->fd, STDOUT, SAY_512, &error));
}

/*
 * One byte stays unread for each page of text that is read. If both were allocated from
 * the same pages, each byte would pin its page: 16 MiB.
 */
#define INTERLEAVED	4000

TEST_F(capacity, unread_bytes_dont_pin_what_another_program_had_read)
{
	struct say_bpf *other;
	long before;
	int i, fd;

	other = say_load(&fd);
	ASSERT_NE(NULL, other);
	pin_to_cpu(0);

	before = settled_memory();
	for (i = 0; i < INTERLEAVED; i++) {
		ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 1));
		ASSERT_EQ(0, say_all(fd, STDOUT, SAY_512, 8, NULL));
		ASSERT_EQ(8 * 512, stream_discard(fd, STDOUT));
	}
	EXPECT_TRUE(memory_is_back(before, SLACK));
	EXPECT_EQ(INTERLEAVED, stream_discard(self->fd, STDOUT));
	say_bpf__destroy(other);
}

TEST_F(capacity, unread_stderr_doesnt_pin_stdout_that_was_read)
{
	long before;
	int i;

	pin_to_cpu(0);
	before = settled_memory();
	for (i = 0; i < INTERLEAVED; i++) {
		ASSERT_EQ(0, say_bytes(self->skel, STDERR, 1));
		ASSERT_EQ(0, say_all(self->fd, STDOUT, SAY_512, 8, NULL));
		ASSERT_EQ(8 * 512, stream_discard(self->fd, STDOUT));
	}
	EXPECT_TRUE(memory_is_back(before, SLACK));
	EXPECT_EQ(INTERLEAVED, stream_discard(self->fd, STDERR));
}

STREAMS_TEST_MAIN
