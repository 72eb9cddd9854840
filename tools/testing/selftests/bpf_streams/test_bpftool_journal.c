// SPDX-License-Identifier: GPL-2.0
/*
 * bpftool prog tracelog journal. This test takes the place of systemd-journald, so it is
 * skipped if that is running.
 */
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "../kselftest_harness.h"
#include "tool.h"

#define JOURNAL_DIR	"/run/systemd/journal"
#define JOURNAL_SOCKET	JOURNAL_DIR "/socket"

static const struct sockaddr_un addr = {
	.sun_family = AF_UNIX,
	.sun_path = JOURNAL_SOCKET,
};

static int journal_open(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	mkdir("/run/systemd", 0755);
	mkdir(JOURNAL_DIR, 0755);
	unlink(JOURNAL_SOCKET);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&addr, sizeof(addr)))
		return -errno;
	return fd;
}

static bool journald_is_there(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool is;

	is = !connect(fd, (const struct sockaddr *)&addr, sizeof(addr));
	close(fd);
	return is;
}

static bool add_file(int fd, struct text *entry)
{
	const int sealed = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	char buf[4096];
	ssize_t n;

	if ((fcntl(fd, F_GET_SEALS) & sealed) != sealed)
		return false;
	while ((n = pread(fd, buf, sizeof(buf), entry->len)) > 0)
		text_add(entry, buf, n);
	return !n;
}

/* Wait for an entry. Return: true if it came in a file. */
static bool journal_receive(int fd, struct text *entry, bool *by_file)
{
	static char buf[1 << 20];
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	struct cmsghdr *cmsg;
	ssize_t n;
	bool ok;
	int file;

	entry->len = 0;
	n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	cmsg = n < 0 ? NULL : CMSG_FIRSTHDR(&msg);
	*by_file = cmsg && cmsg->cmsg_type == SCM_RIGHTS;
	if (!*by_file) {
		if (n > 0)
			text_add(entry, buf, n);
		return n > 0;
	}
	memcpy(&file, CMSG_DATA(cmsg), sizeof(file));
	ok = !n && add_file(file, entry);
	close(file);
	return ok;
}

/* Test for a field, which is a line KEY=value. */
static bool has_field(const struct text *entry, const char *field)
{
	struct text rest = *entry, line;

	while (text_next_line(&rest, &line)) {
		if (line.len == strlen(field) && !memcmp(line.data, field, line.len))
			return true;
	}
	fprintf(stderr, "# no '%s' in '%.*s'\n", field, (int)entry->len, entry->data);
	return false;
}

FIXTURE(journal)
{
	struct say_bpf *skel;
	struct tool tool;
	struct text entry;
	bool by_file;
	int journal;
	__u32 id;
	int fd;
};

FIXTURE_SETUP(journal)
{
	self->skel = say_load(&self->fd);
	ASSERT_NE(NULL, self->skel);
	self->id = prog_id(self->fd);
	self->journal = journal_open();
	ASSERT_LE(0, self->journal);
}

FIXTURE_TEARDOWN(journal)
{
	tool_free(&self->tool);
	text_free(&self->entry);
	close(self->journal);
	unlink(JOURNAL_SOCKET);
	say_bpf__destroy(self->skel);
}

#define NEXT_ENTRY()								\
	ASSERT_TRUE(journal_receive(self->journal, &self->entry, &self->by_file))
#define EXPECT_FIELD(field)							\
	EXPECT_TRUE(has_field(&self->entry, field))

TEST_F(journal, lines_are_entries)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	char id[32], pid[32], tag[64];

	ASSERT_EQ(0, bpf_prog_get_info_by_fd(self->fd, &info, &len));
	snprintf(id, sizeof(id), "BPF_PROG_ID=%u", self->id);
	snprintf(pid, sizeof(pid), "SYSLOG_PID=%u", self->id);
	snprintf(tag, sizeof(tag), "BPF_PROG_TAG=%02x%02x%02x%02x%02x%02x%02x%02x",
		 info.tag[0], info.tag[1], info.tag[2], info.tag[3],
		 info.tag[4], info.tag[5], info.tag[6], info.tag[7]);
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "a = \xff\t1\n\nno end"));
	ASSERT_EQ(0, say_string(self->skel, STDERR, "warning\nERROR: very bad\nERROR\n"));

	ASSERT_EQ(0, tool_run(&self->tool, "prog tracelog all id %u journal", self->id));
	EXPECT_TRUE(text_is(&self->tool.text[OUT], ""));
	EXPECT_TRUE(text_is(&self->tool.text[ERR], ""));

	NEXT_ENTRY();
	EXPECT_FALSE(self->by_file);
	EXPECT_FIELD("MESSAGE=a = \xff\t1");
	EXPECT_FIELD("PRIORITY=6");
	EXPECT_FIELD("SYSLOG_IDENTIFIER=say");
	EXPECT_FIELD(pid);
	EXPECT_FIELD(id);
	EXPECT_FIELD("BPF_PROG_NAME=say");
	EXPECT_FIELD(tag);
	EXPECT_FIELD("BPF_STREAM=stdout");
	NEXT_ENTRY();
	EXPECT_FIELD("MESSAGE=no end");
	NEXT_ENTRY();
	EXPECT_FIELD("MESSAGE=warning");
	EXPECT_FIELD("PRIORITY=4");
	EXPECT_FIELD("BPF_STREAM=stderr");
	NEXT_ENTRY();
	EXPECT_FIELD("MESSAGE=ERROR: very bad");
	EXPECT_FIELD("PRIORITY=3");
	NEXT_ENTRY();
	EXPECT_FIELD("MESSAGE=ERROR");
	EXPECT_FIELD("PRIORITY=4");
}

/* The size of a message is limited by the buffer of the socket that sends it */
#define WMEM_DEFAULT	"/proc/sys/net/core/wmem_default"

TEST_F(journal, what_is_too_large_comes_in_a_sealed_file)
{
	long wmem = read_number(WMEM_DEFAULT);
	char want[60 * 511 + 16] = "MESSAGE=";
	size_t len = strlen(want);
	char chunk[511];
	int i, status;

	memset(chunk, 'x', sizeof(chunk));
	for (i = 0; i < 60; i++) {
		ASSERT_EQ(0, say_text(self->skel, STDERR, chunk, sizeof(chunk)));
		memcpy(want + len, chunk, sizeof(chunk));
		len += sizeof(chunk);
	}
	ASSERT_EQ(0, say_string(self->skel, STDERR, "\nshort\n"));

	ASSERT_LT(0, wmem);
	ASSERT_TRUE(write_number(WMEM_DEFAULT, 8192));
	status = tool_run(&self->tool, "prog tracelog stderr id %u journal", self->id);
	ASSERT_TRUE(write_number(WMEM_DEFAULT, wmem));
	ASSERT_EQ(0, status);

	NEXT_ENTRY();
	EXPECT_TRUE(self->by_file);
	EXPECT_FIELD(want);
	EXPECT_FIELD("PRIORITY=4");
	NEXT_ENTRY();
	EXPECT_FALSE(self->by_file);
	EXPECT_FIELD("MESSAGE=short");
}

/* It queues few messages, and nothing is lost if it is slow */
TEST_F(journal, slow_journal_gets_all)
{
	char want[128];
	int i;

	ASSERT_EQ(0, say_all(self->fd, STDOUT, SAY_64, 500, NULL));
	ASSERT_EQ(0, tool_start(&self->tool, "prog tracelog stdout id %u journal", self->id));
	usleep(500 * 1000);
	for (i = 0; i < 500; i++) {
		NEXT_ENTRY();
		snprintf(want, sizeof(want), "MESSAGE=%063d", i);
		ASSERT_TRUE(has_field(&self->entry, want));
	}
	EXPECT_EQ(0, tool_end(&self->tool));
}

TEST_F(journal, journal_may_be_started_anew)
{
	SKIP_UNLESS_CAN_WAIT(self->fd);
	ASSERT_EQ(0, tool_start(&self->tool, "-w prog tracelog stdout id %u journal",
				self->id));
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "one\n"));
	NEXT_ENTRY();
	close(self->journal);
	self->journal = journal_open();
	ASSERT_LE(0, self->journal);
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "two\n"));
	NEXT_ENTRY();
	EXPECT_FIELD("MESSAGE=two");
	ASSERT_EQ(0, kill(self->tool.pid, SIGTERM));
	EXPECT_EQ(0, tool_end(&self->tool));
}

/* Its queue is full, so it accepts no more messages */
TEST_F(journal, signal_ends_it_even_if_the_journal_is_stuck)
{
	struct stream_stats st;

	SKIP_UNLESS_CAN_WAIT(self->fd);
	ASSERT_EQ(0, say_all(self->fd, STDOUT, SAY_64, 5000, NULL));
	ASSERT_EQ(0, tool_start(&self->tool, "-w prog tracelog stdout id %u journal",
				self->id));
	do {
		ASSERT_EQ(0, stream_stats(self->fd, STDOUT, &st));
		usleep(1000);
	} while (st.unread_bytes == 5000 * 64);
	ASSERT_EQ(0, kill(self->tool.pid, SIGTERM));
	EXPECT_EQ(0, tool_end(&self->tool));
	EXPECT_TRUE(text_has(&self->tool.text[ERR],
			     " to the journal: interrupted while it took no more\n"));
}

TEST_F(journal, no_journal_is_an_error)
{
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "line\n"));
	close(self->journal);
	EXPECT_LT(0, tool_run(&self->tool, "prog tracelog stdout id %u journal", self->id));
	EXPECT_TRUE(text_has(&self->tool.text[ERR],
			     "can't connect to systemd-journald at " JOURNAL_SOCKET));
	/* and the text is still there */
	EXPECT_TRUE(stream_is(self->skel->progs.say, STDOUT, "line\n"));
}

int main(int argc, char **argv)
{
	streams_require();
	tool_require();
	if (journald_is_there()) {
		ksft_print_header();
		ksft_exit_skip("systemd-journald is running\n");
	}
	return test_harness_run(argc, argv);
}
