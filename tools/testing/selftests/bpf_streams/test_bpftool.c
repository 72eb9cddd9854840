// SPDX-License-Identifier: GPL-2.0
/* bpftool prog tracelog without --wait, in each output format; bpftool prog show */
#include <ctype.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "hello.skel.h"
#include "tool.h"

FIXTURE(dump)
{
	struct say_bpf *skel;
	struct tool tool;
	struct text line, rest;	/* within the output */
	struct text value;
	__u32 id;
	int fd;
};

FIXTURE_SETUP(dump)
{
	self->skel = say_load(&self->fd);
	ASSERT_NE(NULL, self->skel);
	self->id = prog_id(self->fd);
}

FIXTURE_TEARDOWN(dump)
{
	tool_free(&self->tool);
	text_free(&self->value);
	say_bpf__destroy(self->skel);
}

#define OUTPUT_IS(want_out, want_err)						\
	do {									\
		EXPECT_TRUE(text_is(&self->tool.text[OUT], want_out));		\
		EXPECT_TRUE(text_is(&self->tool.text[ERR], want_err));		\
		tool_free(&self->tool);						\
	} while (0)

TEST_F(dump, text_of_one_stream_is_untouched)
{
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "a line\nno \xff UTF-8,"));
	ASSERT_EQ(0, say_string(self->skel, STDOUT, " \t\x01 no end"));
	ASSERT_EQ(0, say_string(self->skel, STDERR, "bad\n"));

	ASSERT_EQ(0, tool_run(&self->tool, "prog tracelog stdout id %u", self->id));
	OUTPUT_IS("a line\nno \xff UTF-8, \t\x01 no end", "");
	ASSERT_EQ(0, tool_run(&self->tool, "prog tracelog stderr id %u", self->id));
	OUTPUT_IS("bad\n", "");

	/* It has been read now */
	ASSERT_EQ(0, tool_run(&self->tool, "prog tracelog stdout id %u", self->id));
	OUTPUT_IS("", "");
}

/* A report is not incomplete because of the newline before another. */
TEST_F(dump, reports_are_whole_behind_unfinished_lines)
{
	const struct text *out = &self->tool.text[OUT];
	int i;

	SKIP_UNLESS_OURS("reports begin a line");
	for (i = 0; i < 30; i++) {
		ASSERT_EQ(0, say_string(self->skel, STDERR, "x"));
		ASSERT_EQ(0, say_all(self->fd, STDERR, SAY_STACK, 1, NULL));
	}
	ASSERT_EQ(0, tool_run(&self->tool, "prog tracelog stderr id %u", self->id));
	ASSERT_LT(30 * 32, out->len);
	EXPECT_EQ(0, memcmp(out->data + out->len - 2, "\n\n", 2));
	EXPECT_TRUE(stream_is(self->skel->progs.say, STDERR, ""));
}

TEST_F(dump, all_splits_the_streams)
{
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "good, no end"));
	ASSERT_EQ(0, say_string(self->skel, STDERR, "bad, no end"));

	ASSERT_EQ(0, tool_run(&self->tool, "prog tracelog all id %u", self->id));
	OUTPUT_IS("good, no end", "bad, no end");
}

TEST_F(dump, streams_that_share_a_file_are_not_glued)
{
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "good, no end"));
	ASSERT_EQ(0, say_string(self->skel, STDERR, "bad\n"));

	ASSERT_EQ(0, tool_run(&self->tool, "prog tracelog all id %u 2>&1", self->id));
	OUTPUT_IS("good, no end\nbad\n", "");
}

static bool is_time(const char *s, size_t len)
{
	static const char like[] = "dddd-dd-ddTdd:dd:dd.dddddddddZ";
	size_t i;

	if (len < sizeof(like) - 1)
		return false;
	for (i = 0; i < sizeof(like) - 1; i++) {
		if (like[i] == 'd' ? !isdigit(s[i]) : s[i] != like[i])
			return false;
	}
	return true;
}

#define TIME_LEN	30
#define FFFD		"\xef\xbf\xbd"	/* U+FFFD, which replaces invalid UTF-8 */

TEST_F(dump, timestamps_begin_each_line)
{
	static const char * const want[] = { " one", " ", " three" };
	struct text message;
	int i;

	ASSERT_EQ(0, say_string(self->skel, STDOUT, "one\n\nthree"));
	ASSERT_EQ(0, tool_run(&self->tool, "prog tracelog stdout id %u timestamps",
			      self->id));
	self->rest = self->tool.text[OUT];
	for (i = 0; i < 3; i++) {
		ASSERT_TRUE(text_next_line(&self->rest, &self->line));
		ASSERT_TRUE(is_time(self->line.data, self->line.len));
		message.data = self->line.data + TIME_LEN;
		message.len = self->line.len - TIME_LEN;
		EXPECT_TRUE(text_is(&message, want[i]));
	}
	EXPECT_EQ(0, self->rest.len);
}

TEST_F(dump, json_is_an_object_for_each_line)
{
	static const struct {
		const char *text;
		const char *want;
	} lines[] = {
		{ "plain",			"plain" },
		{ "",				"" },
		{ "\"quoted\" \\ back",		"\"quoted\" \\ back" },
		{ "tab\t, \x01 \x1b \x7f \r",	"tab\t, \x01 \x1b \x7f \r" },
		{ "\xe2\x82\xac \xf0\x9f\x90\x9d", "\xe2\x82\xac \xf0\x9f\x90\x9d" },
		{ "\xff-\xc3(-\xc0\x80-\xed\xa0\x80",
		  FFFD "-" FFFD "(-" FFFD FFFD "-" FFFD FFFD FFFD },
		/* the last part, which ends neither in a whole character nor in a newline */
		{ "cut \xe2\x82",		"cut " FFFD FFFD },
	};
	char id[16];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		if (i)
			ASSERT_EQ(0, say_string(self->skel, STDERR, "\n"));
		ASSERT_EQ(0, say_string(self->skel, STDERR, lines[i].text));
	}
	snprintf(id, sizeof(id), "%u", self->id);
	ASSERT_EQ(0, tool_run(&self->tool, "-j prog tracelog stderr id %u", self->id));
	self->rest = self->tool.text[OUT];

	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		ASSERT_TRUE(text_next_line(&self->rest, &self->line));
		EXPECT_TRUE(json_member_is(&self->line, "message", lines[i].want));
		EXPECT_TRUE(json_member_is(&self->line, "prog_id", id));
		EXPECT_TRUE(json_member_is(&self->line, "prog_name", "say"));
		EXPECT_TRUE(json_member_is(&self->line, "stream", "stderr"));
		ASSERT_TRUE(json_member(&self->line, "time", &self->value));
		EXPECT_EQ(TIME_LEN, self->value.len);
		EXPECT_TRUE(is_time(self->value.data, self->value.len));
		ASSERT_TRUE(json_member(&self->line, "tag", &self->value));
		EXPECT_EQ(16, self->value.len);
	}
	EXPECT_EQ(0, self->rest.len);
}

TEST_F(dump, json_of_nothing_is_nothing)
{
	ASSERT_EQ(0, tool_run(&self->tool, "-j prog tracelog all id %u", self->id));
	OUTPUT_IS("", "");
}

TEST_F(dump, pretty_json_is_valid)
{
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "only\n"));
	ASSERT_EQ(0, tool_run(&self->tool, "-p prog tracelog stdout id %u", self->id));
	EXPECT_TRUE(json_member_is(&self->tool.text[OUT], "message", "only"));
}

/* In a batch it is a value in one document */
TEST_F(dump, json_of_a_batch_is_valid)
{
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "one\ntwo\n"));
	ASSERT_EQ(0, tool_run(&self->tool, "-j batch file - <<E\n"
			      "prog tracelog stdout id %u\n"
			      "prog tracelog stderr id %u\nE", self->id, self->id));
	EXPECT_TRUE(json_is_valid(&self->tool.text[OUT]));
	EXPECT_TRUE(text_has(&self->tool.text[OUT], "\"message\":\"two\""));
}

TEST_F(dump, errors_are_json_too)
{
	ASSERT_NE(0, tool_run(&self->tool, "-j prog tracelog stdout name nobody_is_called_that"));
	EXPECT_TRUE(json_member_is(&self->tool.text[OUT], "error",
				   "no program matches this handle"));
}

TEST_F(dump, wrong_arguments_are_refused)
{
	static const char * const wrong[] = {
		"std id 1", "everything", "stdout id", "stdout t", "stdout name",
		"stdout id 1 id 1", "stdout tag xyz", "all journal and",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		TH_LOG("%s", wrong[i]);
		EXPECT_LT(0, tool_run(&self->tool, "prog tracelog %s", wrong[i]));
		EXPECT_TRUE(text_has(&self->tool.text[ERR], "Error: "));
		tool_free(&self->tool);
	}
	EXPECT_LT(0, tool_run(&self->tool, "-j prog tracelog stdout journal"));
	EXPECT_TRUE(text_has(&self->tool.text[OUT], "not both"));
}

TEST_F(dump, long_line_is_printed_in_parts)
{
	const size_t part = 64 * 1024, whole = 150 * 512;
	char chunk[512 - 3];
	int i;

	memset(chunk, 'x', sizeof(chunk));
	for (i = 0; i < 150; i++) {
		ASSERT_EQ(0, say_text(self->skel, STDOUT, chunk, sizeof(chunk)));
		ASSERT_EQ(0, say_string(self->skel, STDOUT, "\xe2\x82\xac"));
	}
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "\nnext\n"));

	ASSERT_EQ(0, tool_run(&self->tool, "-j prog tracelog stdout id %u", self->id));
	self->rest = self->tool.text[OUT];
	ASSERT_TRUE(text_next_line(&self->rest, &self->line));
	ASSERT_TRUE(json_member(&self->line, "message", &self->value));
	EXPECT_LE(part - 3, self->value.len);
	EXPECT_GE(part, self->value.len);
	/* Characters are not split */
	EXPECT_FALSE(text_has(&self->value, FFFD));
	i = self->value.len;
	ASSERT_TRUE(text_next_line(&self->rest, &self->line));
	ASSERT_TRUE(json_member(&self->line, "message", &self->value));
	EXPECT_EQ(whole, i + self->value.len);
	EXPECT_FALSE(text_has(&self->value, FFFD));
	ASSERT_TRUE(text_next_line(&self->rest, &self->line));
	EXPECT_TRUE(json_member_is(&self->line, "message", "next"));
}

/* The maximum size of a part: the newline alone is not another line */
TEST_F(dump, line_that_just_fits_is_one)
{
	char chunk[511];
	int i;

	memset(chunk, 'x', sizeof(chunk));
	for (i = 0; i < 128; i++) {
		ASSERT_EQ(0, say_text(self->skel, STDOUT, chunk, sizeof(chunk)));
		ASSERT_EQ(0, say_string(self->skel, STDOUT, "y"));
	}
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "\nnext\n"));
	ASSERT_EQ(0, tool_run(&self->tool, "-j prog tracelog stdout id %u", self->id));
	self->rest = self->tool.text[OUT];
	ASSERT_TRUE(text_next_line(&self->rest, &self->line));
	ASSERT_TRUE(json_member(&self->line, "message", &self->value));
	EXPECT_EQ(64 * 1024, self->value.len);
	ASSERT_TRUE(text_next_line(&self->rest, &self->line));
	EXPECT_TRUE(json_member_is(&self->line, "message", "next"));
}

TEST_F(dump, text_that_was_dropped_is_reported)
{
	struct say_args args = { .stream = STDOUT, .kind = SAY_512, .count = 10000 };
	struct stream_stats st;
	char want[128];

	SKIP_UNLESS_OURS("counters");
	ASSERT_EQ(0, say(self->fd, &args));
	ASSERT_LT(0, args.refused);
	ASSERT_EQ(0, stream_stats(self->fd, STDOUT, &st));

	ASSERT_EQ(0, tool_run(&self->tool, "prog tracelog stdout id %u", self->id));
	EXPECT_EQ(CAPACITY, self->tool.text[OUT].len);
	snprintf(want, sizeof(want),
		 "program %u say lost %llu messages (%lluB) to stdout since it was loaded\n",
		 self->id, st.dropped_msgs, st.dropped_bytes);
	EXPECT_TRUE(text_is(&self->tool.text[ERR], want));
}

static bool is_number_line(const struct text *line, int n)
{
	char want[1023];

	snprintf(want, sizeof(want), "%01022d", n);
	return line->len == 1022 && !memcmp(line->data, want, 1022);
}

/* Another process that shares it may set O_NONBLOCK */
TEST_F(dump, non_blocking_stdout_loses_nothing)
{
	struct stream_stats st = {};
	int i;

	SKIP_UNLESS_ROOM(1000 * KIB);
	ASSERT_EQ(0, say_all(self->fd, STDOUT, SAY_1023, 1000, NULL));
	if (ours())
		ASSERT_EQ(0, stream_stats(self->fd, STDOUT, &st));
	self->tool.non_blocking = true;
	ASSERT_EQ(0, tool_start(&self->tool, "prog tracelog stdout id %u", self->id));
	tool_wait_until_stuck(&self->tool);
	ASSERT_EQ(0, tool_end(&self->tool));
	self->rest = self->tool.text[OUT];
	for (i = 0; i < 1000; i++) {
		ASSERT_TRUE(text_next_line(&self->rest, &self->line));
		ASSERT_TRUE(is_number_line(&self->line, i));
	}
	EXPECT_EQ(0, self->rest.len);
	/* Retries for lack of memory are reported there */
	EXPECT_EQ(!st.dropped_msgs, !self->tool.text[ERR].len);
}

TEST_F(dump, non_blocking_stdout_loses_no_json)
{
	int i;

	SKIP_UNLESS_ROOM(1000 * KIB);
	ASSERT_EQ(0, say_all(self->fd, STDOUT, SAY_1023, 1000, NULL));
	self->tool.non_blocking = true;
	ASSERT_EQ(0, tool_start(&self->tool, "-j prog tracelog stdout id %u", self->id));
	tool_wait_until_stuck(&self->tool);
	ASSERT_EQ(0, tool_end(&self->tool));
	self->rest = self->tool.text[OUT];
	for (i = 0; i < 1000; i++) {
		ASSERT_TRUE(text_next_line(&self->rest, &self->line));
		ASSERT_TRUE(json_member(&self->line, "message", &self->value));
		ASSERT_TRUE(is_number_line(&self->value, i));
	}
	EXPECT_EQ(0, self->rest.len);
}

TEST_F(dump, show_tells_the_counters)
{
	struct text *out = &self->tool.text[OUT];

	SKIP_UNLESS_OURS("counters");
	ASSERT_EQ(0, tool_run(&self->tool, "prog show id %u", self->id));
	EXPECT_FALSE(text_has(out, "stdout"));
	tool_free(&self->tool);

	ASSERT_EQ(0, say_string(self->skel, STDOUT, "0123456789"));
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "0123"));
	ASSERT_EQ(-E2BIG, say_all(self->fd, STDOUT, SAY_1024, 1, NULL));
	ASSERT_EQ(0, tool_run(&self->tool, "prog show id %u", self->id));
	EXPECT_TRUE(text_has(out, "\n\tstdout  written 14B in 2 msgs  unread 14B"));
	EXPECT_TRUE(text_has(out, "  dropped 1024B in 1 msgs\n"));
	EXPECT_FALSE(text_has(out, "stderr"));
	tool_free(&self->tool);

	ASSERT_EQ(0, tool_run(&self->tool, "-j prog show id %u", self->id));
	EXPECT_TRUE(json_is_valid(out));
	EXPECT_TRUE(text_has(out, "\"streams\":{\"stdout\":{\"written_bytes\":14,"));
	EXPECT_TRUE(text_has(out, ",\"written_msgs\":2,\"unread_bytes\":14,"));
	EXPECT_TRUE(text_has(out, ",\"dropped_bytes\":1024,\"dropped_msgs\":1},"));
	EXPECT_TRUE(text_has(out, "\"stderr\":{\"written_bytes\":0,"));
}

TEST(feature_probe_knows_the_commands)
{
	struct tool tool = {};
	struct say_bpf *skel;
	char want[64];
	int fd;

	skel = say_load(&fd);
	ASSERT_NE(NULL, skel);
	ASSERT_EQ(0, tool_run(&tool, "-j feature probe kernel"));
	EXPECT_TRUE(json_is_valid(&tool.text[OUT]));
	EXPECT_TRUE(text_has(&tool.text[OUT], "\"have_prog_stream_read_by_fd_cmd\":true"));
	snprintf(want, sizeof(want), "\"have_prog_stream_open_cmd\":%s",
		 can_wait(fd) ? "true" : "false");
	EXPECT_TRUE(text_has(&tool.text[OUT], want));
	tool_free(&tool);
	say_bpf__destroy(skel);
}

FIXTURE(several)
{
	struct say_bpf *skel[3];
	struct hello_bpf *hello;
	struct tool tool;
	__u32 id[3];
	__u32 hello_id;
};

FIXTURE_SETUP(several)
{
	int i, fd;

	for (i = 0; i < 3; i++) {
		self->skel[i] = say_load(&fd);
		ASSERT_NE(NULL, self->skel[i]);
		self->id[i] = prog_id(fd);
	}
	ASSERT_EQ(0, say_string(self->skel[0], STDOUT, "first\nno end"));
	ASSERT_EQ(0, say_string(self->skel[0], STDERR, "warning\n"));
	ASSERT_EQ(0, say_string(self->skel[2], STDOUT, "third\n"));

	self->hello = hello_bpf__open_and_load();
	ASSERT_NE(NULL, self->hello);
	self->hello_id = prog_id(bpf_program__fd(self->hello->progs.hello));
	ASSERT_EQ(0, run(self->hello->progs.hello));
}

FIXTURE_TEARDOWN(several)
{
	int i;

	tool_free(&self->tool);
	for (i = 0; i < 3; i++)
		say_bpf__destroy(self->skel[i]);
	hello_bpf__destroy(self->hello);
}

/* Other programs may have printed, too; check the lines of ours */
#define OUTPUT_HAS(which, id, line)						\
	do {									\
		char _want[128];						\
										\
		snprintf(_want, sizeof(_want), "%u " line "\n", id);		\
		EXPECT_TRUE(text_has(&self->tool.text[which], _want));		\
	} while (0)

#define OUTPUT_OF_SAY()								\
	do {									\
		OUTPUT_HAS(OUT, self->id[0], "say stdout: first");		\
		OUTPUT_HAS(OUT, self->id[0], "say stdout: no end");		\
		OUTPUT_HAS(ERR, self->id[0], "say stderr: warning");		\
		OUTPUT_HAS(OUT, self->id[2], "say stdout: third");		\
	} while (0)

TEST_F(several, lines_tell_whose_they_are)
{
	ASSERT_EQ(0, tool_run(&self->tool, "prog tracelog all"));
	OUTPUT_OF_SAY();
	OUTPUT_HAS(ERR, self->hello_id, "hello stderr: run 1: nobody to greet");
	EXPECT_FALSE(text_has(&self->tool.text[OUT], "\033"));
}

TEST_F(several, terminal_gets_colours)
{
	char want[128];

	self->tool.terminal = true;
	ASSERT_EQ(0, tool_run(&self->tool, "prog tracelog stdout"));
	snprintf(want, sizeof(want), "\033[36m%u say stdout:\033[0m third\r\n",
		 self->id[2]);
	EXPECT_TRUE(text_has(&self->tool.text[OUT], want));
	tool_free(&self->tool);

	/* Also for the other stream, unless that is a device that behaves differently */
	self->tool.terminal = true;
	self->tool.before = "export NO_COLOR=1;";
	ASSERT_EQ(0, tool_run(&self->tool, "prog tracelog stderr"));
	snprintf(want, sizeof(want), "%u say stderr: warning\r\n", self->id[0]);
	EXPECT_TRUE(text_has(&self->tool.text[OUT], want));
	EXPECT_FALSE(text_has(&self->tool.text[OUT], "\033"));
}

TEST_F(several, name_may_be_a_pattern)
{
	ASSERT_EQ(0, tool_run(&self->tool, "prog tracelog all name 's[ab]?'"));
	OUTPUT_OF_SAY();
	EXPECT_FALSE(text_has(&self->tool.text[ERR], "hello"));
}

TEST_F(several, name_may_match_several)
{
	ASSERT_EQ(0, tool_run(&self->tool, "prog tracelog all name say"));
	OUTPUT_OF_SAY();
	EXPECT_FALSE(text_has(&self->tool.text[ERR], "hello"));
}

TEST_F(several, tag_may_match_several)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	__u8 *tag = info.tag;

	ASSERT_EQ(0, bpf_prog_get_info_by_fd(bpf_program__fd(self->skel[0]->progs.say),
					     &info, &len));
	ASSERT_EQ(0, tool_run(&self->tool,
			      "prog tracelog all tag %02x%02x%02x%02x%02x%02x%02x%02x",
			      tag[0], tag[1], tag[2], tag[3], tag[4], tag[5],
			      tag[6], tag[7]));
	OUTPUT_OF_SAY();
	EXPECT_FALSE(text_has(&self->tool.text[ERR], "hello"));
}

TEST_F(several, one_stream_of_all)
{
	ASSERT_EQ(0, tool_run(&self->tool, "prog tracelog stderr"));
	OUTPUT_HAS(OUT, self->id[0], "say stderr: warning");
	EXPECT_FALSE(text_has(&self->tool.text[OUT], "first"));
	EXPECT_EQ(0, self->tool.text[ERR].len);
}

TEST_F(several, json_tells_whose_lines_they_are)
{
	struct text rest, line;
	char id[16];
	int found = 0;

	snprintf(id, sizeof(id), "%u", self->id[2]);
	ASSERT_EQ(0, tool_run(&self->tool, "-j prog tracelog all"));
	rest = self->tool.text[OUT];
	while (text_next_line(&rest, &line)) {
		ASSERT_TRUE(json_is_valid(&line));
		if (!text_has(&line, "\"message\":\"third\""))
			continue;
		found++;
		EXPECT_TRUE(json_member_is(&line, "prog_id", id));
		EXPECT_TRUE(json_member_is(&line, "stream", "stdout"));
	}
	EXPECT_EQ(1, found);
	EXPECT_EQ(0, rest.len);
}

TOOL_TEST_MAIN
