// SPDX-License-Identifier: GPL-2.0
/* BPF_PROG_STREAM_READ_BY_FD: results, consumed text and remaining text */
#include <limits.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "streams_test.h"

static long raw_read(struct stream_read_attr *attr, size_t size)
{
	long ret = syscall(__NR_bpf, STREAM_READ_CMD, attr, size);

	return ret < 0 ? -errno : ret;
}

/* Print 'count' lines into stdout, and return their text. */
static int say_lines(int fd, __u64 *seq, __u32 count, struct text *want)
{
	__u64 s = *seq;
	int err;

	err = say_all(fd, STDOUT, SAY_LINE, count, seq);
	for (; !err && s < *seq; s++)
		text_line(want, 0, s);
	return err;
}

FIXTURE(read)
{
	struct say_bpf *skel;
	struct text want;
	struct text got;
	__u64 seq;
	long page;
	int fd;
};

FIXTURE_SETUP(read)
{
	self->skel = say_load(&self->fd);
	ASSERT_NE(NULL, self->skel);
	self->page = sysconf(_SC_PAGESIZE);
}

FIXTURE_TEARDOWN(read)
{
	text_free(&self->want);
	text_free(&self->got);
	say_bpf__destroy(self->skel);
}

#define ASSERT_ALL_GOT()						\
	do {								\
		ASSERT_EQ(self->want.len, self->got.len);		\
		ASSERT_EQ(0, memcmp(self->want.data, self->got.data,	\
				    self->want.len));			\
	} while (0)

TEST_F(read, nothing_unread_is_zero)
{
	char buf[16];

	EXPECT_EQ(0, stream_read(self->fd, STDOUT, buf, sizeof(buf)));
	EXPECT_EQ(0, stream_read(self->fd, STDERR, buf, sizeof(buf)));
}

TEST_F(read, unknown_stream_is_enoent)
{
	static const __u32 ids[] = { 0, 3, 4, 64, 1U << 31, -1 };
	char buf[16];
	size_t i;

	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 5));
	for (i = 0; i < ARRAY_SIZE(ids); i++)
		EXPECT_EQ(-ENOENT, stream_read(self->fd, ids[i], buf, sizeof(buf)));
	EXPECT_EQ(5, stream_read(self->fd, STDOUT, buf, sizeof(buf)));
}

TEST_F(read, fd_of_no_program_is_einval)
{
	int null = open("/dev/null", O_RDWR);
	char buf[16];

	ASSERT_LE(0, null);
	EXPECT_EQ(-EINVAL, stream_read(null, STDOUT, buf, sizeof(buf)));
	EXPECT_EQ(-EINVAL, stream_read(bpf_map__fd(self->skel->maps.bss), STDOUT,
				       buf, sizeof(buf)));
	close(null);
}

TEST_F(read, no_fd_is_ebadf)
{
	int closed = dup(self->fd);
	char buf[16];

	close(closed);
	EXPECT_EQ(-EBADF, stream_read(closed, STDOUT, buf, sizeof(buf)));
	EXPECT_EQ(-EBADF, stream_read(-1, STDOUT, buf, sizeof(buf)));
}

TEST_F(read, bytes_after_the_attributes_are_einval)
{
	char buf[16];
	struct stream_read_attr attr = {
		.buf = (uintptr_t)buf,
		.len = sizeof(buf),
		.stream_id = STDOUT,
		.prog_fd = self->fd,
		.after = 1,
	};
	union {
		struct stream_read_attr attr;
		char bytes[64];
	} longer = {};

	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 5));
	EXPECT_EQ(-EINVAL, raw_read(&attr, sizeof(attr)));

	attr.after = 0;
	longer.attr = attr;
	longer.bytes[63] = 1;
	EXPECT_EQ(-EINVAL, raw_read(&longer.attr, sizeof(longer)));

	/* Excess zeroes are accepted, and the text was not read by any call */
	EXPECT_EQ(5, raw_read(&attr, sizeof(attr)));
}

TEST_F(read, length_above_int_max_is_einval)
{
	char buf[16];

	SKIP_UNLESS_OURS("a length above INT_MAX is refused");
	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 5));
	EXPECT_EQ(-EINVAL, stream_read(self->fd, STDOUT, buf, 1U << 31));
	EXPECT_EQ(-EINVAL, stream_read(self->fd, STDOUT, buf, -1U));
	EXPECT_EQ(5, stream_read(self->fd, STDOUT, buf, INT_MAX));
}

/* A page with less than INT_MAX bytes to the end of user space, below the stack */
static char *high_page(long page)
{
	char *at, *got;
	int bits;

	for (bits = 8 * sizeof(long) - 1; bits > 30; bits--) {
		at = (char *)((1UL << bits) - (1UL << 30));
		got = mmap(at, page, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
		if (got != MAP_FAILED)
			return got;
	}
	return NULL;
}

/* As with a buffer on the stack */
TEST_F(read, length_may_reach_beyond_user_space)
{
	char *buf = high_page(self->page);

	ASSERT_NE(NULL, buf);
	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 5));
	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 6));
	EXPECT_EQ(11, stream_read(self->fd, STDOUT, buf, INT_MAX));
	EXPECT_EQ(0, memcmp(buf, "abcdeabcdef", 11));
	munmap(buf, self->page);
}

TEST_F(read, length_zero_takes_nothing)
{
	char buf[16];

	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 5));
	EXPECT_EQ(0, stream_read(self->fd, STDOUT, buf, 0));
	EXPECT_EQ(0, stream_read(self->fd, STDOUT, NULL, 0));
	EXPECT_EQ(5, stream_read(self->fd, STDOUT, buf, sizeof(buf)));
}

TEST_F(read, stdout_and_stderr_are_apart)
{
	char out[SAY_TEXT_SIZE], err[SAY_TEXT_SIZE];

	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 7));
	ASSERT_EQ(0, say_bytes(self->skel, STDERR, 9));
	EXPECT_EQ(9, stream_read(self->fd, STDERR, err, sizeof(err)));
	EXPECT_EQ(7, stream_read(self->fd, STDOUT, out, sizeof(out)));
	EXPECT_EQ(0, memcmp(out, "abcdefg", 7));
	EXPECT_EQ(0, memcmp(err, "abcdefghi", 9));
}

TEST_F(read, any_fd_of_the_program_reads_the_same_text)
{
	char buf[16];
	int fd;

	fd = bpf_prog_get_fd_by_id(prog_id(self->fd));
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 5));
	EXPECT_EQ(2, stream_read(fd, STDOUT, buf, 2));
	EXPECT_EQ(3, stream_read(self->fd, STDOUT, buf + 2, sizeof(buf) - 2));
	EXPECT_EQ(0, memcmp(buf, "abcde", 5));
	close(fd);
}

TEST_F(read, two_programs_have_streams_of_their_own)
{
	struct say_bpf *other;
	char buf[16];
	int fd;

	other = say_load(&fd);
	ASSERT_NE(NULL, other);
	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 5));
	EXPECT_EQ(0, stream_read(fd, STDOUT, buf, sizeof(buf)));
	EXPECT_EQ(5, stream_read(self->fd, STDOUT, buf, sizeof(buf)));
	say_bpf__destroy(other);
}

/* The fd is the permission: no capability is required */
TEST_F(read, holder_of_the_fd_needs_no_privilege)
{
	char buf[16];
	int status;
	pid_t pid;

	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 5));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (setgid(65534) || setuid(65534))
			_exit(2);
		_exit(stream_read(self->fd, STDOUT, buf, sizeof(buf)) != 5);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(read, exact_length_of_one_message)
{
	char buf[100];

	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, sizeof(buf)));
	EXPECT_EQ(sizeof(buf), stream_read(self->fd, STDOUT, buf, sizeof(buf)));
	EXPECT_EQ(0, stream_read(self->fd, STDOUT, buf, sizeof(buf)));
}

TEST_F(read, larger_buffer_than_text)
{
	char buf[200];

	memset(buf, '!', sizeof(buf));
	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 100));
	EXPECT_EQ(100, stream_read(self->fd, STDOUT, buf, sizeof(buf)));
	EXPECT_EQ('!', buf[100]);
	EXPECT_EQ(0, stream_read(self->fd, STDOUT, buf, sizeof(buf)));
}

TEST_F(read, ten_thousand_messages_in_one_read)
{
	char *buf;

	SKIP_UNLESS_ROOM(MIB);
	ASSERT_EQ(0, say_lines(self->fd, &self->seq, 10000, &self->want));
	buf = malloc(self->want.len + 1);
	ASSERT_NE(NULL, buf);
	ASSERT_EQ(self->want.len,
		  stream_read(self->fd, STDOUT, buf, self->want.len + 1));
	EXPECT_EQ(0, memcmp(buf, self->want.data, self->want.len));
	EXPECT_EQ(0, stream_read(self->fd, STDOUT, buf, self->want.len + 1));
	free(buf);
}

/* A buffer with untouched pages: the copy faults each of them in */
TEST_F(read, fresh_pages_are_faulted_in)
{
	char *buf;

	ASSERT_EQ(0, say_lines(self->fd, &self->seq, 800, &self->want));
	buf = mmap(NULL, self->want.len, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, buf);
	ASSERT_EQ(self->want.len,
		  stream_read(self->fd, STDOUT, buf, self->want.len));
	EXPECT_EQ(0, memcmp(buf, self->want.data, self->want.len));
}

/* Read and write in turn, so that a read finds both new and old text */
TEST_F(read, order_of_one_writer_is_kept)
{
	__u64 state = 0x5eed;
	char buf[2000];
	long ret;
	int i;

	for (i = 0; i < 500; i++) {
		ASSERT_EQ(0, say_lines(self->fd, &self->seq, prng(&state) % 20,
				       &self->want));
		ret = stream_read(self->fd, STDOUT, buf, prng(&state) % sizeof(buf));
		ASSERT_LE(0, ret);
		text_add(&self->got, buf, ret);
		ASSERT_LE(self->got.len, self->want.len);
		ASSERT_EQ(0, memcmp(self->got.data, self->want.data, self->got.len));
	}
	ASSERT_EQ(0, stream_drain(self->fd, STDOUT, sizeof(buf), &self->got));
	ASSERT_ALL_GOT();
}

TEST_F(read, libbpf_function_reads_and_returns_errors)
{
	struct {
		struct bpf_prog_stream_read_opts opts;
		char unknown[8];
	} newer = {
		.opts.sz = sizeof(newer),
		.unknown = { 1 },
	};
	LIBBPF_OPTS(bpf_prog_stream_read_opts, opts);
	char buf[16];

	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 5));
	EXPECT_EQ(-ENOENT, bpf_prog_stream_read(self->fd, 3, buf, sizeof(buf), NULL));
	EXPECT_EQ(ENOENT, errno);
	EXPECT_EQ(-EINVAL, bpf_prog_stream_read(self->fd, STDOUT, buf, sizeof(buf),
						&newer.opts));
	EXPECT_EQ(2, bpf_prog_stream_read(self->fd, STDOUT, buf, 2, NULL));
	EXPECT_EQ(3, bpf_prog_stream_read(self->fd, STDOUT, buf + 2, 14, &opts));
	EXPECT_EQ(0, memcmp(buf, "abcde", 5));
	EXPECT_EQ(0, bpf_prog_stream_read(self->fd, STDOUT, buf, sizeof(buf), &opts));
}

/* Reads of one size: each except the last fills its buffer */
FIXTURE(chunks)
{
	struct say_bpf *skel;
	struct text want;
	int fd;
};

FIXTURE_VARIANT(chunks)
{
	size_t size;
};

FIXTURE_VARIANT_ADD(chunks, of_1) { .size = 1 };
FIXTURE_VARIANT_ADD(chunks, of_2) { .size = 2 };
FIXTURE_VARIANT_ADD(chunks, of_3) { .size = 3 };
FIXTURE_VARIANT_ADD(chunks, of_64) { .size = 64 };
FIXTURE_VARIANT_ADD(chunks, of_1023) { .size = 1023 };
FIXTURE_VARIANT_ADD(chunks, of_4096) { .size = 4096 };
FIXTURE_VARIANT_ADD(chunks, of_5001) { .size = 5001 };

FIXTURE_SETUP(chunks)
{
	__u64 seq;
	char c;

	self->skel = say_load(&self->fd);
	ASSERT_NE(NULL, self->skel);

	/* Messages of one byte, and of lengths that are not a multiple of the size */
	seq = 0;
	ASSERT_EQ(0, say_all(self->fd, STDOUT, SAY_CHAR, 101, &seq));
	for (seq = 0; seq < 101; seq++) {
		c = 'a' + seq % 26;
		text_add(&self->want, &c, 1);
	}
	ASSERT_EQ(0, say_lines(self->fd, &seq, 101, &self->want));
}

FIXTURE_TEARDOWN(chunks)
{
	text_free(&self->want);
	say_bpf__destroy(self->skel);
}

TEST_F(chunks, fill_the_buffer_while_there_is_text)
{
	size_t left = self->want.len, pos = 0, expect;
	char buf[8192];

	while (left) {
		expect = left < variant->size ? left : variant->size;
		memset(buf, '!', sizeof(buf));
		ASSERT_EQ(expect, stream_read(self->fd, STDOUT, buf, variant->size));
		ASSERT_EQ(0, memcmp(buf, self->want.data + pos, expect));
		ASSERT_EQ('!', buf[expect]);
		pos += expect;
		left -= expect;
	}
	EXPECT_EQ(0, stream_read(self->fd, STDOUT, buf, variant->size));
}

/*
 * Buffers that can't be written, or only in part. Text that was not returned must still be
 * in the stream.
 */
FIXTURE(fault)
{
	struct say_bpf *skel;
	struct text want;
	struct text got;
	char *buf;
	long page;
	int fd;
};

FIXTURE_SETUP(fault)
{
	self->page = sysconf(_SC_PAGESIZE);
	self->skel = say_load(&self->fd);
	ASSERT_NE(NULL, self->skel);
	/* A valid page and a missing one */
	self->buf = mmap(NULL, 2 * self->page, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->buf);
	ASSERT_EQ(0, munmap(self->buf + self->page, self->page));
}

FIXTURE_TEARDOWN(fault)
{
	text_free(&self->want);
	text_free(&self->got);
	say_bpf__destroy(self->skel);
}

TEST_F(fault, short_count_where_the_second_page_is_missing)
{
	char *end = self->buf + self->page;
	__u64 seq = 0;
	long fits, ret;

	SKIP_UNLESS_OURS("nothing is lost that a buffer cannot take");
	ASSERT_EQ(0, say_lines(self->fd, &seq, 300, &self->want));

	for (fits = 1; self->got.len + fits + 100 < self->want.len; fits += 3) {
		ret = stream_read(self->fd, STDOUT, end - fits, fits + 100);
		ASSERT_LT(0, ret);
		ASSERT_GE(fits, ret);
		text_add(&self->got, end - fits, ret);
	}
	ASSERT_EQ(0, stream_drain(self->fd, STDOUT, 4096, &self->got));
	ASSERT_ALL_GOT();
}

TEST_F(fault, short_count_where_messages_fill_the_good_page_exactly)
{
	char *end = self->buf + self->page;
	__u64 seq = 0;

	SKIP_UNLESS_OURS("nothing is lost that a buffer cannot take");
	ASSERT_EQ(0, say_all(self->fd, STDOUT, SAY_64, 4, &seq));
	EXPECT_EQ(128, stream_read(self->fd, STDOUT, end - 128, 256));
	EXPECT_EQ('1', end[-2]);
	EXPECT_EQ(128, stream_read(self->fd, STDOUT, end - 128, 128));
	EXPECT_EQ('3', end[-2]);
	EXPECT_EQ(0, stream_read(self->fd, STDOUT, end - 128, 128));
}

TEST_F(fault, efault_where_no_byte_fits_takes_nothing)
{
	char *kernel = (char *)(~0UL - 0xffffff);
	char *end = self->buf + self->page;
	int i;

	SKIP_UNLESS_OURS("nothing is lost that a buffer cannot take");
	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 5));
	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 5));

	/* More than once, as a lost message only shows in the next read */
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(-EFAULT, stream_read(self->fd, STDOUT, NULL, 100));
		EXPECT_EQ(-EFAULT, stream_read(self->fd, STDOUT, end, 100));
		EXPECT_EQ(-EFAULT, stream_read(self->fd, STDOUT, kernel, 100));
	}

	ASSERT_EQ(0, mprotect(self->buf, self->page, PROT_READ));
	EXPECT_EQ(-EFAULT, stream_read(self->fd, STDOUT, self->buf, 100));
	ASSERT_EQ(0, mprotect(self->buf, self->page, PROT_READ | PROT_WRITE));

	EXPECT_EQ(10, stream_read(self->fd, STDOUT, self->buf, 100));
	EXPECT_EQ(0, memcmp(self->buf, "abcdeabcde", 10));
}

TEST_F(fault, efault_in_the_middle_of_a_message_keeps_its_rest)
{
	char *end = self->buf + self->page;

	SKIP_UNLESS_OURS("nothing is lost that a buffer cannot take");
	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 5));
	EXPECT_EQ(2, stream_read(self->fd, STDOUT, self->buf, 2));
	EXPECT_EQ(-EFAULT, stream_read(self->fd, STDOUT, end, 100));
	EXPECT_EQ(3, stream_read(self->fd, STDOUT, self->buf + 2, 100));
	EXPECT_EQ(0, memcmp(self->buf, "abcde", 5));
}

/* An empty stream has nothing to copy, so the buffer is ignored */
TEST_F(fault, empty_stream_never_faults)
{
	SKIP_UNLESS_OURS("an empty stream never faults");
	EXPECT_EQ(0, stream_read(self->fd, STDOUT, NULL, 100));
}

STREAMS_TEST_MAIN
