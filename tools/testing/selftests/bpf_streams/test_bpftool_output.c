// SPDX-License-Identifier: GPL-2.0
/*
 * bpftool prog tracelog with all kinds of standard output: text arrives whole and in
 * order, and lost text is reported.
 */
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>

#include "../kselftest_harness.h"
#include "tool.h"

#define OUT_FILE	"/tmp/test_bpftool_output"
#define KMSG_POLICY	"/proc/sys/kernel/printk_devkmsg"
#define WMEM_DEFAULT	"/proc/sys/net/core/wmem_default"
#define RECORD_MAX	1024	/* of the kernel's log, with "<6>" and newline */

FIXTURE(output)
{
	struct say_bpf *skel;
	struct tool tool;
	struct text file;
	__u32 id;
	int fd;
};

FIXTURE_SETUP(output)
{
	self->skel = say_load(&self->fd);
	ASSERT_NE(NULL, self->skel);
	self->id = prog_id(self->fd);
}

FIXTURE_TEARDOWN(output)
{
	tool_free(&self->tool);
	text_free(&self->file);
	unlink(OUT_FILE);
	say_bpf__destroy(self->skel);
}

static bool read_file(const char *path, struct text *t)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char buf[4096];
	ssize_t n = -1;

	t->len = 0;
	while (fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0)
		text_add(t, buf, n);
	close(fd);
	return !n;
}

TEST_F(output, null_device)
{
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "line\n"));
	EXPECT_EQ(0, tool_run(&self->tool, "prog tracelog stdout id %u >/dev/null", self->id));
	EXPECT_TRUE(text_is(&self->tool.text[ERR], ""));
	EXPECT_TRUE(stream_is(self->skel->progs.say, STDOUT, ""));
}

TEST_F(output, full_disk_is_an_error)
{
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "line\n"));
	EXPECT_LT(0, tool_run(&self->tool, "prog tracelog stdout id %u >/dev/full", self->id));
	EXPECT_TRUE(text_has(&self->tool.text[ERR],
			     "standard output: No space left on device (lost 5 bytes)\n"));
	tool_free(&self->tool);

	ASSERT_EQ(0, say_string(self->skel, STDERR, "x"));
	EXPECT_LT(0, tool_run(&self->tool, "prog tracelog all id %u 2>/dev/full", self->id));
}

TEST_F(output, full_disk_ends_waiting)
{
	SKIP_UNLESS_CAN_WAIT(self->fd);
	ASSERT_EQ(0, tool_start(&self->tool, "-jw prog tracelog all id %u >/dev/full",
				self->id));
	ASSERT_EQ(0, say_string(self->skel, STDERR, "x\n"));
	EXPECT_LT(0, tool_end(&self->tool));
	EXPECT_TRUE(text_has(&self->tool.text[ERR],
			     "can't write to standard output: No space left on device (lost "));
}

/* Like ulimit -f, in blocks of 512 bytes: the signal does not kill bpftool */
TEST_F(output, limit_of_file_size_is_an_error)
{
	struct stat st;
	char want[64];

	ASSERT_EQ(0, say_all(self->fd, STDOUT, SAY_1023, 40, NULL));
	self->tool.before = "ulimit -f 8;";
	EXPECT_LT(0, tool_run(&self->tool, "prog tracelog stdout id %u >" OUT_FILE, self->id));
	ASSERT_EQ(0, stat(OUT_FILE, &st));
	EXPECT_EQ(8 * 512, st.st_size);
	snprintf(want, sizeof(want), "File too large (lost %d bytes)\n", 40 * 1023 - 8 * 512);
	EXPECT_TRUE(text_has(&self->tool.text[ERR], want));
}

/* Text that others append meanwhile is kept */
TEST_F(output, file_is_appended_to)
{
	int fd = open(OUT_FILE, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	ASSERT_LE(0, fd);
	ASSERT_EQ(4, write(fd, "old\n", 4));
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "one\n"));
	EXPECT_EQ(0, tool_run(&self->tool, "prog tracelog stdout id %u >>" OUT_FILE, self->id));
	tool_free(&self->tool);
	ASSERT_EQ(4, write(fd, "new\n", 4));
	close(fd);
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "two\n"));
	EXPECT_EQ(0, tool_run(&self->tool, "-j prog tracelog stdout id %u >>" OUT_FILE, self->id));
	ASSERT_TRUE(read_file(OUT_FILE, &self->file));
	EXPECT_TRUE(text_has(&self->file, "old\none\nnew\n{\"time\""));
	EXPECT_TRUE(text_has(&self->file, "\"two\"}\n"));
}

TEST_F(output, it_must_be_open_for_writing)
{
	static const char * const wrong[] = {
		"stdout id %u </dev/null >&0", "stdout id %u >&-", "all id %u 2>&-",
	};
	size_t i;

	ASSERT_EQ(0, say_string(self->skel, STDOUT, "line\n"));
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		char args[128];

		snprintf(args, sizeof(args), wrong[i], self->id);
		TH_LOG("%s", args);
		EXPECT_LT(0, tool_run(&self->tool, "prog tracelog %s", args));
		EXPECT_TRUE(text_is(&self->tool.text[OUT], ""));
		tool_free(&self->tool);
	}
	/* Uses a file that the test leaves open */
	EXPECT_TRUE(stream_is(self->skel->progs.say, STDOUT, "line\n"));
}

/* Files that bpftool opens do not replace it */
TEST_F(output, standard_error_is_not_needed_for_one_stream)
{
	ASSERT_EQ(0, say_string(self->skel, STDERR, "line\n"));
	EXPECT_EQ(0, tool_run(&self->tool, "prog tracelog stderr id %u 2>&-", self->id));
	EXPECT_TRUE(text_is(&self->tool.text[OUT], "line\n"));
}

static bool is_number_line(const struct text *line, int n)
{
	char want[1023];

	snprintf(want, sizeof(want), "%01022d", n);
	return line->len == 1022 && !memcmp(line->data, want, 1022);
}

TEST_F(output, socket_loses_nothing)
{
	struct text rest, line;
	int i;

	SKIP_UNLESS_ROOM(1000 * KIB);
	ASSERT_EQ(0, say_all(self->fd, STDOUT, SAY_1023, 1000, NULL));
	self->tool.socket = SOCK_STREAM;
	ASSERT_EQ(0, tool_start(&self->tool, "prog tracelog stdout id %u", self->id));
	tool_wait_until_stuck(&self->tool);
	ASSERT_EQ(0, tool_end(&self->tool));
	rest = self->tool.text[OUT];
	for (i = 0; i < 1000; i++) {
		ASSERT_TRUE(text_next_line(&rest, &line));
		ASSERT_TRUE(is_number_line(&line, i));
	}
	EXPECT_EQ(0, rest.len);
}

/* If a socket limits the size of messages, each has whole lines */
TEST_F(output, socket_of_messages_gets_lines)
{
	struct text rest, line;
	long wmem;
	int i;

	ASSERT_EQ(0, say_all(self->fd, STDOUT, SAY_1023, 90, NULL));
	self->tool.socket = SOCK_SEQPACKET;
	wmem = read_number(WMEM_DEFAULT);
	ASSERT_TRUE(write_number(WMEM_DEFAULT, 16384));
	ASSERT_EQ(0, tool_start(&self->tool, "prog tracelog stdout id %u", self->id));
	ASSERT_TRUE(write_number(WMEM_DEFAULT, wmem));
	ASSERT_EQ(0, tool_end(&self->tool));
	EXPECT_TRUE(text_is(&self->tool.text[ERR], ""));
	rest = self->tool.text[OUT];
	for (i = 0; i < 90; i++) {
		ASSERT_TRUE(text_next_line(&rest, &line));
		ASSERT_TRUE(is_number_line(&line, i));
	}
	EXPECT_EQ(0, rest.len);
}

TEST_F(output, socket_that_nobody_reads_is_no_error)
{
	SKIP_UNLESS_CAN_WAIT(self->fd);
	self->tool.socket = SOCK_DGRAM;
	ASSERT_EQ(0, tool_start(&self->tool, "-w prog tracelog stdout id %u", self->id));
	tool_stop_reading(&self->tool, OUT);
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "line\n"));
	EXPECT_EQ(0, tool_end(&self->tool));
	EXPECT_TRUE(text_has(&self->tool.text[ERR], "standard output: nobody reads it any more\n"));
}

/* The receiver may be restarted, and gets the text from then on */
TEST_F(output, datagrams_go_on_though_nobody_received_some)
{
	struct stream_stats st;

	SKIP_UNLESS_CAN_WAIT(self->fd);
	self->tool.udp = 5514;
	ASSERT_EQ(0, tool_start(&self->tool, "-w prog tracelog stdout id %u", self->id));
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "one\n"));
	ASSERT_TRUE(tool_says(&self->tool, OUT, "one\n"));
	tool_stop_reading(&self->tool, OUT);
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "two\n"));
	wait_until(stream_stats(self->fd, STDOUT, &st) || !st.unread_bytes);
	usleep(100 * 1000);
	ASSERT_EQ(0, tool_bind(&self->tool));
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "three\n"));
	EXPECT_TRUE(tool_says(&self->tool, OUT, "three\n"));
	tool_stop_reading(&self->tool, OUT);
	ASSERT_EQ(0, kill(self->tool.pid, SIGTERM));
	EXPECT_EQ(0, tool_end(&self->tool));
	EXPECT_TRUE(text_is(&self->tool.text[ERR], ""));
}

/* Like a terminal emulator */
TEST_F(output, master_of_a_terminal)
{
	self->tool.master = true;
	ASSERT_EQ(0, say_all(self->fd, STDOUT, SAY_1023, 100, NULL));
	ASSERT_EQ(0, tool_start(&self->tool, "prog tracelog stdout id %u", self->id));
	EXPECT_EQ(0, tool_end(&self->tool));
	EXPECT_EQ(100 * 1023, self->tool.text[OUT].len);
	EXPECT_TRUE(text_is(&self->tool.text[ERR], ""));
}

/* Like a pager */
TEST_F(output, that_is_stuck_keeps_no_other_program)
{
	struct say_bpf *other;
	__u32 id;
	int fd;

	other = say_load(&fd);
	ASSERT_NE(NULL, other);
	id = prog_id(fd);
	ASSERT_EQ(0, say_all(self->fd, STDOUT, SAY_1023, 90, NULL));
	ASSERT_EQ(0, say_string(other, STDOUT, "unread\n"));
	ASSERT_EQ(0, tool_start(&self->tool, "prog tracelog all"));
	tool_wait_until_stuck(&self->tool);
	say_bpf__destroy(other);
	wait_until(!prog_id_exists(id));
	EXPECT_EQ(0, tool_end(&self->tool));
	EXPECT_TRUE(text_is(&self->tool.text[ERR], ""));
	EXPECT_FALSE(text_has(&self->tool.text[OUT], "unread"));
}

/* Part of the first 'count' bytes that was read from the stream but not printed */
static long in_between(int prog_fd, const struct tool *t, long count)
{
	struct stream_stats st;
	int queued = 0;

	if (stream_stats(prog_fd, STDOUT, &st) || ioctl(t->fd[OUT], FIONREAD, &queued))
		return -1;
	return count - (long)st.unread_bytes - queued;
}

TEST_F(output, what_nobody_reads_is_told)
{
	char want[128];
	long lost;

	SKIP_UNLESS_OURS("counters");
	ASSERT_EQ(0, say_all(self->fd, STDOUT, SAY_1023, 1000, NULL));
	ASSERT_EQ(0, tool_start(&self->tool, "prog tracelog stdout id %u", self->id));
	tool_wait_until_stuck(&self->tool);
	lost = in_between(self->fd, &self->tool, 1000 * 1023);
	ASSERT_LT(0, lost);
	tool_stop_reading(&self->tool, OUT);
	EXPECT_EQ(0, tool_end(&self->tool));
	snprintf(want, sizeof(want),
		 "lost %ld bytes to standard output: nobody reads it any more\n", lost);
	EXPECT_TRUE(text_is(&self->tool.text[ERR], want));
}

/* It reports the loss before it is terminated by the signal */
TEST_F(output, what_is_stuck_at_a_signal_is_told)
{
	char want[128];
	long lost;

	SKIP_UNLESS_OURS("counters");
	ASSERT_EQ(0, say_all(self->fd, STDOUT, SAY_1023, 1000, NULL));
	self->tool.socket = SOCK_STREAM;
	ASSERT_EQ(0, tool_start(&self->tool, "prog tracelog stdout id %u", self->id));
	tool_wait_until_stuck(&self->tool);
	lost = in_between(self->fd, &self->tool, 1000 * 1023);
	ASSERT_LT(0, lost);
	ASSERT_EQ(0, kill(self->tool.pid, SIGINT));
	tool_wait(&self->tool);
	EXPECT_EQ(-SIGINT, tool_end(&self->tool));
	snprintf(want, sizeof(want),
		 "lost %ld bytes to standard output: interrupted while it took no more\n", lost);
	EXPECT_TRUE(text_is(&self->tool.text[ERR], want));
}

FIXTURE(terminal)
{
	struct say_bpf *skel;
	struct tool tool;
	__u32 id;
	int fd;
	int tty;
};

FIXTURE_SETUP(terminal)
{
	self->skel = say_load(&self->fd);
	ASSERT_NE(NULL, self->skel);
	self->id = prog_id(self->fd);
	SKIP_UNLESS_CAN_WAIT(self->fd);
	SKIP_UNLESS_OURS("counters");
	self->tool.terminal = true;
	ASSERT_EQ(0, tool_start(&self->tool, "-w prog tracelog stdout id %u", self->id));
	self->tty = ioctl(self->tool.fd[OUT], TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	ASSERT_LE(0, self->tty);
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "ready\n"));
	ASSERT_TRUE(tool_says(&self->tool, OUT, "ready\r\n"));
}

FIXTURE_TEARDOWN(terminal)
{
	tool_free(&self->tool);
	say_bpf__destroy(self->skel);
}

/* As by typing ^S */
static bool stop_terminal(int tty, struct say_bpf *skel, int prog_fd)
{
	struct stream_stats st;

	if (tcflow(tty, TCOOFF) || say_string(skel, STDOUT, "line\n"))
		return false;
	do {
		if (stream_stats(prog_fd, STDOUT, &st))
			return false;
		usleep(1000);
	} while (st.unread_bytes);
	return true;
}

TEST_F(terminal, that_was_stopped_goes_on)
{
	ASSERT_TRUE(stop_terminal(self->tty, self->skel, self->fd));
	ASSERT_EQ(0, tcflow(self->tty, TCOON));
	close(self->tty);
	ASSERT_TRUE(tool_says(&self->tool, OUT, "ready\r\nline\r\n"));
	ASSERT_EQ(0, kill(self->tool.pid, SIGTERM));
	EXPECT_EQ(0, tool_end(&self->tool));
	EXPECT_TRUE(text_is(&self->tool.text[ERR], ""));
}

TEST_F(terminal, that_is_stopped_does_not_keep_it)
{
	ASSERT_TRUE(stop_terminal(self->tty, self->skel, self->fd));
	close(self->tty);
	ASSERT_EQ(0, kill(self->tool.pid, SIGTERM));
	EXPECT_EQ(0, tool_end(&self->tool));
	EXPECT_TRUE(text_has(&self->tool.text[ERR],
			     "lost 5 bytes to standard output: interrupted while "));
}

/* Records of the kernel's log, read from /dev/kmsg */
struct record {
	int priority;
	struct text text;
};

FIXTURE(kmsg)
{
	struct say_bpf *skel;
	struct tool tool;
	struct record record;
	struct text text;	/* common to several tests */
	struct text want, value;
	int kmsg;
	__u32 id;
	int fd;
};

static bool kmsg_takes_all(void)
{
	struct text t = {};
	bool all = read_file(KMSG_POLICY, &t) && text_has(&t, "on\n");

	text_free(&t);
	return all;
}

FIXTURE_SETUP(kmsg)
{
	self->skel = say_load(&self->fd);
	ASSERT_NE(NULL, self->skel);
	self->id = prog_id(self->fd);
	self->kmsg = kmsg_open();
	if (self->kmsg < 0 || !kmsg_takes_all())
		SKIP(return, "/dev/kmsg drops lines (printk.devkmsg=on)");
}

FIXTURE_TEARDOWN(kmsg)
{
	tool_free(&self->tool);
	text_free(&self->record.text);
	text_free(&self->text);
	text_free(&self->want);
	text_free(&self->value);
	close(self->kmsg);
	say_bpf__destroy(self->skel);
}

/* Bytes that are not printable are \xNN */
static void unescape(struct text *t, const char *s, const char *end)
{
	unsigned int c;

	for (; s < end; s++) {
		if (end - s >= 4 && sscanf(s, "\\x%2x", &c) == 1) {
			text_add(t, &(char){ c }, 1);
			s += 3;
		} else {
			text_add(t, s, 1);
		}
	}
}

/* The next record of bpftool, skipping those of the kernel */
static bool next_record(int fd, struct record *r)
{
	char buf[8192], *text, *end;
	ssize_t n;

	do {
		n = read(fd, buf, sizeof(buf) - 1);
		if (n <= 0)
			return false;
		buf[n] = '\0';
	} while (sscanf(buf, "%d,", &r->priority) != 1 || r->priority < 8);

	text = strchr(buf, ';');
	end = text ? strchr(text, '\n') : NULL;
	if (!end)
		return false;
	r->text.len = 0;
	unescape(&r->text, text + 1, end);
	return true;
}

#define NEXT_RECORD(prio, line)						\
	do {								\
		ASSERT_TRUE(next_record(self->kmsg, &self->record));	\
		EXPECT_EQ(8 | (prio), self->record.priority);		\
		EXPECT_TRUE(text_is(&self->record.text, line));		\
	} while (0)

TEST_F(kmsg, lines_are_records)
{
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "one\n\n<3>two\nno "));
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "\\ \t\xff end"));
	ASSERT_EQ(0, tool_run(&self->tool, "prog tracelog stdout id %u >/dev/kmsg", self->id));
	EXPECT_TRUE(text_is(&self->tool.text[ERR], ""));
	NEXT_RECORD(6, "one");
	NEXT_RECORD(6, "<3>two");
	NEXT_RECORD(6, "no \\ \t\xff end");
	EXPECT_FALSE(next_record(self->kmsg, &self->record));
}

TEST_F(kmsg, priorities_tell_errors)
{
	ASSERT_EQ(0, say_string(self->skel, STDERR, "warning\nERROR: bad\n"));
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "fine\n"));
	ASSERT_EQ(0, tool_run(&self->tool, "prog tracelog all id %u >/dev/kmsg 2>&1", self->id));
	NEXT_RECORD(6, "fine");
	NEXT_RECORD(4, "warning");
	NEXT_RECORD(3, "ERROR: bad");
}

TEST_F(kmsg, waiting_ends_as_with_others)
{
	SKIP_UNLESS_CAN_WAIT(self->fd);
	ASSERT_EQ(0, tool_start(&self->tool, "-w prog tracelog stdout id %u >/dev/kmsg",
				self->id));
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "line\n"));
	wait_until(next_record(self->kmsg, &self->record));
	EXPECT_TRUE(text_is(&self->record.text, "line"));
	ASSERT_EQ(0, kill(self->tool.pid, SIGTERM));
	EXPECT_EQ(0, tool_end(&self->tool));
	EXPECT_TRUE(text_is(&self->tool.text[ERR], ""));
}

/* Append the text of a record "ID say stdout: TEXT" to 'to' */
static bool add_labelled(struct text *to, const struct text *record, __u32 id)
{
	char label[64];
	int len;

	len = snprintf(label, sizeof(label), "%u say stdout: ", id);
	if (record->len < len || memcmp(record->data, label, len))
		return false;
	text_add(to, record->data + len, record->len - len);
	return true;
}

/* A longer line of ASCII fills a record */
TEST_F(kmsg, long_line_is_split)
{
	char chunk[511];
	int i, records = 0;

	memset(chunk, 'x', sizeof(chunk));
	for (i = 0; i < 10; i++) {
		chunk[0] = '0' + i;
		ASSERT_EQ(0, say_text(self->skel, STDOUT, chunk, sizeof(chunk)));
		text_add(&self->want, chunk, sizeof(chunk));
	}
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "\nnext\n"));
	ASSERT_EQ(0, tool_run(&self->tool, "prog tracelog stdout >/dev/kmsg"));
	while (self->text.len < self->want.len) {
		ASSERT_TRUE(next_record(self->kmsg, &self->record));
		EXPECT_GE(RECORD_MAX - 4, self->record.text.len);
		ASSERT_TRUE(add_labelled(&self->text, &self->record.text, self->id));
		if (self->text.len < self->want.len)
			EXPECT_EQ(RECORD_MAX - 4, self->record.text.len);
		records++;
	}
	EXPECT_EQ(6, records);
	EXPECT_EQ(self->want.len, self->text.len);
	EXPECT_EQ(0, memcmp(self->want.data, self->text.data, self->want.len));
}

/* Readers get 4 bytes for each that is not ASCII, and at most 2 KiB */
TEST_F(kmsg, long_line_is_split_between_characters)
{
	int i, parts = 0;

	for (i = 0; i < 500; i++)
		text_add(&self->want, "\xe2\x82\xac", 3);
	for (i = 0; i < 500; i += 100)
		ASSERT_EQ(0, say_text(self->skel, STDOUT, self->want.data + 3 * i, 300));
	ASSERT_EQ(0, tool_run(&self->tool, "prog tracelog stdout id %u >/dev/kmsg", self->id));
	while (next_record(self->kmsg, &self->record)) {
		EXPECT_EQ(0, self->record.text.len % 3);
		text_add(&self->text, self->record.text.data, self->record.text.len);
		parts++;
	}
	EXPECT_LT(1, parts);
	EXPECT_EQ(self->want.len, self->text.len);
	EXPECT_EQ(0, memcmp(self->want.data, self->text.data, self->want.len));
}

/* Each part is a separate object */
TEST_F(kmsg, long_line_of_json_is_split)
{
	int i;

	for (i = 0; i < 1000; i++)
		text_add(&self->want, i % 3 ? "x" : "\"\x01", i % 3 ? 1 : 2);
	for (i = 0; i < (int)self->want.len; i += 200)
		ASSERT_EQ(0, say_text(self->skel, STDOUT, self->want.data + i,
				      self->want.len - i < 200 ? self->want.len - i : 200));
	ASSERT_EQ(0, tool_run(&self->tool, "-j prog tracelog stdout id %u >/dev/kmsg", self->id));
	while (next_record(self->kmsg, &self->record)) {
		ASSERT_TRUE(json_member(&self->record.text, "message", &self->value));
		text_add(&self->text, self->value.data, self->value.len);
	}
	EXPECT_EQ(self->want.len, self->text.len);
	EXPECT_EQ(0, memcmp(self->want.data, self->text.data, self->want.len));
}

/* The worst case: invalid UTF-8, and bytes that are escaped */
TEST_F(kmsg, object_is_a_record_whatever_it_is_made_of)
{
	static const char bytes[] = "\xff\\\"\t\x01z";
	char chunk[511];
	size_t i, from;

	for (from = 0; from < sizeof(bytes) - 1; from++) {
		for (i = 0; i < sizeof(chunk); i++)
			chunk[i] = bytes[i % 2 ? sizeof(bytes) - 2 : from];
		for (i = 0; i < 6; i++)
			ASSERT_EQ(0, say_text(self->skel, STDOUT, chunk, sizeof(chunk)));
		ASSERT_EQ(0, say_string(self->skel, STDOUT, "\n"));
		memset(chunk, bytes[from], sizeof(chunk));
		for (i = 0; i < 6; i++)
			ASSERT_EQ(0, say_text(self->skel, STDOUT, chunk, sizeof(chunk)));
		ASSERT_EQ(0, say_string(self->skel, STDOUT, "\n"));
	}
	ASSERT_EQ(0, tool_run(&self->tool, "-j prog tracelog stdout id %u >/dev/kmsg", self->id));
	for (i = 0; next_record(self->kmsg, &self->record); i++)
		ASSERT_TRUE(json_member(&self->record.text, "message", &self->value));
	EXPECT_LT(2 * from, i);
}

TOOL_TEST_MAIN
