// SPDX-License-Identifier: GPL-2.0
/*
 * Programs that cannot print because the kernel has no BTF: they have streams, too. And
 * the errors of a kernel without streams.
 */
#include <poll.h>

#include "../kselftest_harness.h"
#include "streams_test.h"
#include "raw.h"

FIXTURE(silent)
{
	int fd;
};

FIXTURE_SETUP(silent)
{
	static const struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};

	self->fd = raw_load("silent", insns, ARRAY_SIZE(insns), NULL);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(silent)
{
	close(self->fd);
}

static bool kernel_has_streams(int prog_fd)
{
	char c;

	return stream_read(prog_fd, STDOUT, &c, 1) != -EINVAL;
}

TEST_F(silent, has_empty_streams)
{
	static const struct stream_stats none;
	__u32 streams[] = { STDOUT, STDERR };
	struct stream_stats st;
	struct pollfd pollfd;
	char buf[16];
	size_t i;
	int fd;

	SKIP_UNLESS_OURS("descriptors, counters");
	if (!kernel_has_streams(self->fd) && !getenv("BPF_STREAMS_REQUIRED"))
		SKIP(return, "the kernel has no BPF streams");
	for (i = 0; i < ARRAY_SIZE(streams); i++) {
		ASSERT_EQ(0, stream_read(self->fd, streams[i], buf, sizeof(buf)));
		ASSERT_EQ(0, stream_stats(self->fd, streams[i], &st));
		EXPECT_EQ(0, memcmp(&none, &st, sizeof(st)));
		fd = stream_open(self->fd, streams[i], STREAM_NONBLOCK);
		ASSERT_LE(0, fd);
		EXPECT_EQ(-1, read(fd, buf, sizeof(buf)));
		EXPECT_EQ(EAGAIN, errno);
		pollfd = (struct pollfd){ .fd = fd, .events = POLLIN };
		EXPECT_EQ(0, poll(&pollfd, 1, 0));
		close(fd);
	}
}

TEST_F(silent, end_as_others_do)
{
	char buf[16];
	int stream;

	SKIP_UNLESS_OURS("descriptors");
	if (!kernel_has_streams(self->fd) && !getenv("BPF_STREAMS_REQUIRED"))
		SKIP(return, "the kernel has no BPF streams");
	stream = stream_open(self->fd, STDERR, 0);
	ASSERT_LE(0, stream);
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(0, read(stream, buf, sizeof(buf)));
	close(stream);
}

TEST_F(silent, without_streams_is_einval)
{
	struct stream_stats st;

	if (kernel_has_streams(self->fd))
		SKIP(return, "the kernel has BPF streams");
	EXPECT_EQ(-EINVAL, stream_open(self->fd, STDOUT, 0));
	EXPECT_EQ(-ENOENT, stream_stats(self->fd, STDOUT, &st));
}

int main(int argc, char **argv)
{
	quiet_libbpf(false);
	if (geteuid()) {
		ksft_print_header();
		ksft_exit_skip("needs root\n");
	}
	return test_harness_run(argc, argv);
}
