// SPDX-License-Identifier: GPL-2.0
/*
 * bpftool --wait prog tracelog: prints all text of programs, in order, until they are
 * unloaded or bpftool is interrupted.
 */
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "tool.h"

FIXTURE(wait)
{
	struct say_bpf *skel;
	struct tool tool;
	__u32 id;
	int fd;
};

FIXTURE_SETUP(wait)
{
	self->skel = say_load(&self->fd);
	ASSERT_NE(NULL, self->skel);
	self->id = prog_id(self->fd);
	SKIP_UNLESS_CAN_WAIT(self->fd);
}

FIXTURE_TEARDOWN(wait)
{
	tool_free(&self->tool);
	say_bpf__destroy(self->skel);
}

static void unload(struct say_bpf **skel)
{
	say_bpf__destroy(*skel);
	*skel = NULL;
}

TEST_F(wait, prints_until_the_program_is_unloaded)
{
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "before\n"));
	ASSERT_EQ(0, tool_start(&self->tool, "-w prog tracelog stdout id %u", self->id));
	ASSERT_TRUE(tool_says(&self->tool, OUT, "before\n"));
	/* Text is printed even if it is not a whole line */
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "no end"));
	ASSERT_TRUE(tool_says(&self->tool, OUT, "no end"));
	ASSERT_EQ(0, say_string(self->skel, STDERR, "not this\n"));
	ASSERT_EQ(0, say_string(self->skel, STDOUT, ", last \xff"));
	/* bpftool doesn't keep it loaded: otherwise this would wait forever */
	unload(&self->skel);
	EXPECT_EQ(0, tool_end(&self->tool));
	EXPECT_TRUE(text_is(&self->tool.text[OUT], "before\nno end, last \xff"));
	EXPECT_TRUE(text_is(&self->tool.text[ERR], ""));
	EXPECT_FALSE(prog_id_exists(self->id));
}

/* Including text that is printed while the program is unloaded */
TEST_F(wait, prints_all_that_was_unread)
{
	struct text want = {};
	__u64 i;

	ASSERT_EQ(0, tool_start(&self->tool, "--wait prog tracelog all id %u", self->id));
	ASSERT_EQ(0, say_string(self->skel, STDERR, "ready\n"));
	ASSERT_TRUE(tool_says(&self->tool, ERR, "ready\n"));
	ASSERT_EQ(0, say_all(self->fd, STDOUT, SAY_LINE, 10000, NULL));
	unload(&self->skel);
	EXPECT_EQ(0, tool_end(&self->tool));
	for (i = 0; i < 10000; i++)
		text_line(&want, 0, i);
	ASSERT_EQ(want.len, self->tool.text[OUT].len);
	EXPECT_EQ(0, memcmp(want.data, self->tool.text[OUT].data, want.len));
	text_free(&want);
}

TEST_F(wait, json_comes_as_it_is_printed)
{
	struct text rest, line;

	ASSERT_EQ(0, tool_start(&self->tool, "-jw prog tracelog stdout id %u", self->id));
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "one\n"));
	ASSERT_TRUE(tool_says(&self->tool, OUT, "\"one\"}\n"));
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "two, no end"));
	unload(&self->skel);
	EXPECT_EQ(0, tool_end(&self->tool));
	rest = self->tool.text[OUT];
	ASSERT_TRUE(text_next_line(&rest, &line));
	EXPECT_TRUE(json_member_is(&line, "message", "one"));
	ASSERT_TRUE(text_next_line(&rest, &line));
	EXPECT_TRUE(json_member_is(&line, "message", "two, no end"));
	EXPECT_EQ(0, rest.len);
}

TEST_F(wait, signals_end_it_well)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(signals); i++) {
		ASSERT_EQ(0, tool_start(&self->tool,
					"-w prog tracelog stdout id %u timestamps", self->id));
		ASSERT_EQ(0, say_string(self->skel, STDOUT, "line\n"));
		ASSERT_TRUE(tool_says(&self->tool, OUT, " line\n"));
		ASSERT_EQ(0, kill(self->tool.pid, signals[i]));
		EXPECT_EQ(0, tool_end(&self->tool));
		EXPECT_EQ(0, self->tool.text[ERR].len);
		tool_free(&self->tool);
	}
}

TEST_F(wait, needs_a_standard_output)
{
	self->tool.before = "exec >&-;";
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "line\n"));
	EXPECT_LT(0, tool_run(&self->tool, "-w prog tracelog stdout id %u", self->id));
	EXPECT_TRUE(text_has(&self->tool.text[ERR], "standard output is closed"));
	/* Uses a file that the test leaves open */
	EXPECT_TRUE(stream_is(self->skel->progs.say, STDOUT, "line\n"));
}

/* As nohup does, and the shell for background jobs */
TEST_F(wait, ignored_signal_does_not_end_it)
{
	self->tool.before = "trap '' HUP INT;";
	ASSERT_EQ(0, tool_start(&self->tool, "-w prog tracelog stdout id %u", self->id));
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "before\n"));
	ASSERT_TRUE(tool_says(&self->tool, OUT, "before\n"));
	ASSERT_EQ(0, kill(self->tool.pid, SIGHUP));
	ASSERT_EQ(0, kill(self->tool.pid, SIGINT));
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "after\n"));
	ASSERT_TRUE(tool_says(&self->tool, OUT, "after\n"));
	ASSERT_EQ(0, kill(self->tool.pid, SIGTERM));
	EXPECT_EQ(0, tool_end(&self->tool));
}

/* A terminal with room for a byte does not take a page */
TEST_F(wait, signal_ends_it_even_if_its_terminal_is_stuck)
{
	self->tool.terminal = true;
	ASSERT_EQ(0, say_all(self->fd, STDOUT, SAY_1023, 100, NULL));
	ASSERT_EQ(0, tool_start(&self->tool, "-w prog tracelog stdout id %u", self->id));
	tool_wait_until_stuck(&self->tool);
	ASSERT_EQ(0, kill(self->tool.pid, SIGTERM));
	tool_wait(&self->tool);
	EXPECT_EQ(0, tool_end(&self->tool));
}

/* Nobody reads its output */
TEST_F(wait, signal_ends_it_even_if_its_output_is_stuck)
{
	ASSERT_EQ(0, say_all(self->fd, STDOUT, SAY_1023, 1000, NULL));
	ASSERT_EQ(0, tool_start(&self->tool, "-w prog tracelog stdout id %u", self->id));
	tool_wait_until_stuck(&self->tool);
	ASSERT_EQ(0, kill(self->tool.pid, SIGTERM));
	/* Do not read before it has exited */
	tool_wait(&self->tool);
	EXPECT_EQ(0, tool_end(&self->tool));
	EXPECT_TRUE(text_has(&self->tool.text[ERR],
			     " to standard output: interrupted while it took no more\n"));
}

/* A slow reader gets all text that was read from the stream */
TEST_F(wait, signal_does_not_cut_what_is_being_printed)
{
	char last[1025];
	struct text *out = &self->tool.text[OUT];
	int i, lines = 0;

	ASSERT_EQ(0, say_all(self->fd, STDOUT, SAY_1023, 1000, NULL));
	ASSERT_EQ(0, tool_start(&self->tool, "-w prog tracelog stdout id %u timestamps",
				self->id));
	tool_wait_until_stuck(&self->tool);
	ASSERT_EQ(0, kill(self->tool.pid, SIGTERM));
	EXPECT_EQ(0, tool_end(&self->tool));
	for (i = 0; i < (int)out->len; i++)
		lines += out->data[i] == '\n';
	ASSERT_LT(0, lines);
	EXPECT_EQ('\n', out->data[out->len - 1]);
	/* The rest is still in the stream */
	EXPECT_LT(0, stream_read(self->fd, STDOUT, last, sizeof(last)));
}

TEST_F(wait, broken_pipe_ends_it_quietly)
{
	ASSERT_EQ(0, tool_start(&self->tool, "-w prog tracelog stdout id %u | head -n 1",
				self->id));
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "one\n"));
	ASSERT_TRUE(tool_says(&self->tool, OUT, "one\n"));
	/* It exits although it has nothing to print */
	EXPECT_EQ(0, tool_end(&self->tool));
	EXPECT_TRUE(text_is(&self->tool.text[OUT], "one\n"));
	EXPECT_TRUE(text_is(&self->tool.text[ERR], ""));
}

TEST_F(wait, broken_pipe_while_printing_ends_it)
{
	ASSERT_EQ(0, say_all(self->fd, STDOUT, SAY_1023, 1000, NULL));
	ASSERT_EQ(0, tool_start(&self->tool, "-w prog tracelog stdout id %u", self->id));
	tool_wait_until_stuck(&self->tool);
	tool_stop_reading(&self->tool, OUT);
	EXPECT_EQ(0, tool_end(&self->tool));
	EXPECT_TRUE(text_has(&self->tool.text[ERR],
			     " to standard output: nobody reads it any more\n"));
}

/* The text would be lost */
TEST_F(wait, signal_does_not_cut_what_a_program_has_left)
{
	struct stream_stats st;

	ASSERT_EQ(0, say_all(self->fd, STDOUT, SAY_1023, 1000, NULL));
	ASSERT_EQ(0, tool_start(&self->tool, "-w prog tracelog stdout id %u", self->id));
	tool_wait_until_stuck(&self->tool);
	ASSERT_EQ(0, stream_stats(self->fd, STDOUT, &st));
	ASSERT_LT(0, st.unread_bytes);
	unload(&self->skel);
	ASSERT_EQ(0, kill(self->tool.pid, SIGTERM));
	EXPECT_EQ(0, tool_end(&self->tool));
	EXPECT_EQ(1000 * 1023, self->tool.text[OUT].len);
}

TEST_F(wait, quiet_program_gets_its_part_printed)
{
	ASSERT_EQ(0, tool_start(&self->tool, "-jw prog tracelog stdout id %u", self->id));
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "part"));
	ASSERT_TRUE(tool_says(&self->tool, OUT, "\"part\"}\n"));
	/* The end of the program does not add a line */
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "\nnext\n"));
	ASSERT_TRUE(tool_says(&self->tool, OUT, "\"next\"}\n"));
	EXPECT_FALSE(text_has(&self->tool.text[OUT], "\"\"}"));
	ASSERT_EQ(0, kill(self->tool.pid, SIGINT));
	EXPECT_EQ(0, tool_end(&self->tool));
}

TEST_F(wait, what_was_dropped_meanwhile_is_reported)
{
	struct say_args args = { .stream = STDOUT, .kind = SAY_512, .count = 10000 };
	struct stream_stats before, after;
	char want[128];

	/* These were lost before it was started */
	ASSERT_EQ(-E2BIG, say_all(self->fd, STDOUT, SAY_1024, 1, NULL));
	ASSERT_EQ(0, stream_stats(self->fd, STDOUT, &before));

	ASSERT_EQ(0, tool_start(&self->tool, "-w prog tracelog stdout id %u", self->id));
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "ready\n"));
	ASSERT_TRUE(tool_says(&self->tool, OUT, "ready\n"));
	ASSERT_EQ(0, kill(self->tool.pid, SIGSTOP));
	ASSERT_EQ(0, say(self->fd, &args));
	ASSERT_LT(0, args.refused);
	ASSERT_EQ(0, stream_stats(self->fd, STDOUT, &after));
	unload(&self->skel);
	ASSERT_EQ(0, kill(self->tool.pid, SIGCONT));
	EXPECT_EQ(0, tool_end(&self->tool));
	EXPECT_EQ(after.written_bytes, self->tool.text[OUT].len);
	snprintf(want, sizeof(want), "program %u say lost %llu messages (%lluB) to stdout\n",
		 self->id, after.dropped_msgs - before.dropped_msgs,
		 after.dropped_bytes - before.dropped_bytes);
	EXPECT_TRUE(text_is(&self->tool.text[ERR], want));
}

/* Both programs exist at once and print */
TEST_F(wait, programs_join_and_leave)
{
	struct say_bpf *other;
	char want[128];
	__u32 id;
	int fd;

	ASSERT_EQ(0, say_string(self->skel, STDOUT, "old\n"));
	ASSERT_EQ(0, tool_start(&self->tool, "-w prog tracelog all"));
	snprintf(want, sizeof(want), "%u say stdout: old\n", self->id);
	ASSERT_TRUE(tool_says(&self->tool, OUT, want));

	other = say_load(&fd);
	ASSERT_NE(NULL, other);
	id = prog_id(fd);
	ASSERT_EQ(0, say_string(other, STDERR, "new"));
	snprintf(want, sizeof(want), "%u say stderr: new\n", id);
	ASSERT_TRUE(tool_says(&self->tool, ERR, want));

	unload(&other);
	snprintf(want, sizeof(want), "program %u say is gone\n", id);
	ASSERT_TRUE(tool_says(&self->tool, ERR, want));
	wait_until(!prog_id_exists(id));

	ASSERT_EQ(0, say_string(self->skel, STDOUT, "still here\n"));
	snprintf(want, sizeof(want), "%u say stdout: still here\n", self->id);
	ASSERT_TRUE(tool_says(&self->tool, OUT, want));
	ASSERT_EQ(0, kill(self->tool.pid, SIGTERM));
	EXPECT_EQ(0, tool_end(&self->tool));
}

/* Test if the kernel announces programs, and if real-time priority is permitted */
static bool announces_programs(void)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_DUMMY,
		.bpf_event = 1,
	};
	struct sched_param fifo = { .sched_priority = 1 }, other = {};
	int fd;

	fd = syscall(__NR_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return false;
	close(fd);
	return !sched_setscheduler(0, SCHED_FIFO, &fifo) &&
	       !sched_setscheduler(0, SCHED_OTHER, &other);
}

#define SHORT_LIVED	60

/* Load, run and unload programs one after another, quickly, on all CPUs in turn */
static bool run_short_lived(__u32 *id, int cpu, int step)
{
	struct say_bpf *skel;
	char line[64];
	int i, fd, err;

	for (i = 0; i < SHORT_LIVED; i++, cpu += step) {
		pin_to_cpu(cpu % nr_cpus());
		skel = say_load(&fd);
		if (!skel)
			return false;
		id[i] = prog_id(fd);
		snprintf(line, sizeof(line), "short-lived %d\n", i);
		err = say_string(skel, STDOUT, line);
		say_bpf__destroy(skel);
		if (err)
			return false;
	}
	return true;
}

static int count_short_lived(const struct text *out, const __u32 *id)
{
	int i, count = 0;
	char want[64];

	for (i = 0; i < SHORT_LIVED; i++) {
		snprintf(want, sizeof(want), "%u say stdout: short-lived %d\n", id[i], i);
		count += text_has(out, want);
	}
	return count;
}

/* Each program is seen, on whatever CPU it is loaded */
TEST_F(wait, short_lived_programs_are_seen)
{
	__u32 id[SHORT_LIVED];

	if (!announces_programs())
		SKIP(return, "programs are not announced, or not in time");
	ASSERT_EQ(0, tool_start(&self->tool, "-w prog tracelog all"));
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "ready\n"));
	ASSERT_TRUE(tool_says(&self->tool, OUT, "ready\n"));
	ASSERT_TRUE(run_short_lived(id, 0, 1));
	ASSERT_EQ(0, kill(self->tool.pid, SIGTERM));
	EXPECT_EQ(0, tool_end(&self->tool));
	EXPECT_EQ(SHORT_LIVED, count_short_lived(&self->tool.text[OUT], id));
}

/* CPUs do not wait for each other */
TEST_F(wait, short_lived_programs_of_all_cpus_are_seen)
{
	__u32 (*id)[SHORT_LIVED];
	pid_t pid[8];
	int cpu, nr = nr_cpus() < 8 ? nr_cpus() : 8, status, count = 0;

	if (!announces_programs())
		SKIP(return, "programs are not announced, or not in time");
	id = mmap(NULL, nr * sizeof(*id), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		  -1, 0);
	ASSERT_NE(MAP_FAILED, id);
	ASSERT_EQ(0, tool_start(&self->tool, "-w prog tracelog all"));
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "ready\n"));
	ASSERT_TRUE(tool_says(&self->tool, OUT, "ready\n"));
	for (cpu = 0; cpu < nr; cpu++) {
		pid[cpu] = fork();
		ASSERT_LE(0, pid[cpu]);
		if (!pid[cpu])
			_exit(!run_short_lived(id[cpu], cpu, 0));
	}
	for (cpu = 0; cpu < nr; cpu++) {
		ASSERT_EQ(pid[cpu], waitpid(pid[cpu], &status, 0));
		ASSERT_EQ(0, status);
	}
	ASSERT_EQ(0, kill(self->tool.pid, SIGTERM));
	EXPECT_EQ(0, tool_end(&self->tool));
	for (cpu = 0; cpu < nr; cpu++)
		count += count_short_lived(&self->tool.text[OUT], id[cpu]);
	EXPECT_EQ(nr * SHORT_LIVED, count);
	munmap(id, nr * sizeof(*id));
}

/* A slow reader does not prevent programs from being seen */
TEST_F(wait, short_lived_programs_are_seen_though_output_is_stuck)
{
	__u32 id[SHORT_LIVED];

	if (!announces_programs())
		SKIP(return, "programs are not announced, or not in time");
	ASSERT_EQ(0, say_all(self->fd, STDOUT, SAY_1023, 1000, NULL));
	ASSERT_EQ(0, tool_start(&self->tool, "-w prog tracelog all"));
	tool_wait_until_stuck(&self->tool);
	ASSERT_TRUE(run_short_lived(id, 0, 1));
	ASSERT_EQ(0, kill(self->tool.pid, SIGTERM));
	EXPECT_EQ(0, tool_end(&self->tool));
	EXPECT_EQ(SHORT_LIVED, count_short_lived(&self->tool.text[OUT], id));
}

/* It reports that, and continues with the streams it has */
TEST_F(wait, programs_beyond_its_descriptors_are_told)
{
	struct say_bpf *many[40];
	int i, fd;

	self->tool.before = "ulimit -n 64;";
	ASSERT_EQ(0, tool_start(&self->tool, "-w prog tracelog all"));
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "ready\n"));
	ASSERT_TRUE(tool_says(&self->tool, OUT, "ready\n"));
	for (i = 0; i < ARRAY_SIZE(many); i++) {
		many[i] = say_load(&fd);
		ASSERT_NE(NULL, many[i]);
	}
	ASSERT_TRUE(tool_says(&self->tool, ERR, ": Too many open files\n"));
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "still here\n"));
	ASSERT_TRUE(tool_says(&self->tool, OUT, "still here\n"));
	for (i = 0; i < ARRAY_SIZE(many); i++)
		say_bpf__destroy(many[i]);
	ASSERT_EQ(0, kill(self->tool.pid, SIGTERM));
	EXPECT_EQ(0, tool_end(&self->tool));
}

#define MANY_FOR_64	40

/* For programs that were loaded before, and with JSON */
TEST_F(wait, descriptors_are_left_to_follow_what_fits)
{
	static const char * const options[] = { "-w", "-jw" };
	struct say_bpf *many[MANY_FOR_64];
	int i, fd;

	for (i = 0; i < MANY_FOR_64; i++) {
		many[i] = say_load(&fd);
		ASSERT_NE(NULL, many[i]);
	}
	for (i = 0; i < ARRAY_SIZE(options); i++) {
		self->tool.before = "ulimit -n 64;";
		ASSERT_EQ(0, tool_start(&self->tool, "%s prog tracelog all", options[i]));
		ASSERT_TRUE(tool_says(&self->tool, ERR, ": Too many open files\n"));
		ASSERT_EQ(0, say_string(self->skel, STDOUT, "followed\n"));
		ASSERT_TRUE(tool_says(&self->tool, OUT, "followed"));
		ASSERT_EQ(0, kill(self->tool.pid, SIGTERM));
		EXPECT_EQ(0, tool_end(&self->tool));
		tool_free(&self->tool);
	}
	for (i = 0; i < MANY_FOR_64; i++)
		say_bpf__destroy(many[i]);
}

/* With stderr full and not read, no program is held, and it exits */
TEST_F(wait, message_that_nobody_reads_keeps_nobody)
{
	struct say_bpf *many[MANY_FOR_64];
	struct stream_stats st;
	__u32 id[MANY_FOR_64];
	int i, fd;

	self->tool.before = "ulimit -n 64; head -c 65536 /dev/zero >&2;";
	ASSERT_EQ(0, tool_start(&self->tool, "-w prog tracelog all"));
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "ready\n"));
	wait_until(stream_stats(self->fd, STDOUT, &st) || !st.unread_bytes);
	for (i = 0; i < MANY_FOR_64; i++) {
		many[i] = say_load(&fd);
		ASSERT_NE(NULL, many[i]);
		id[i] = prog_id(fd);
	}
	sleep(1);
	for (i = 0; i < MANY_FOR_64; i++) {
		say_bpf__destroy(many[i]);
		wait_until(!prog_id_exists(id[i]));
	}
	ASSERT_EQ(0, kill(self->tool.pid, SIGTERM));
	tool_wait(&self->tool);
	EXPECT_EQ(0, tool_end(&self->tool));
}

/* Loading the next program, on any CPU, does not search all of them again */
TEST_F(wait, programs_that_are_followed_take_no_more_descriptors)
{
	struct say_bpf *many[SHORT_LIVED], *last;
	char limit[32];
	int i, fd;

	if (!announces_programs() || nr_cpus() < 2)
		SKIP(return, "programs are not announced, or on one CPU");
	snprintf(limit, sizeof(limit), "ulimit -n %d;", 2 * SHORT_LIVED + 40 + nr_cpus());
	self->tool.before = limit;
	ASSERT_EQ(0, tool_start(&self->tool, "-w prog tracelog all"));
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "ready\n"));
	ASSERT_TRUE(tool_says(&self->tool, OUT, "ready\n"));
	pin_to_cpu(0);
	for (i = 0; i < SHORT_LIVED; i++) {
		many[i] = say_load(&fd);
		ASSERT_NE(NULL, many[i]);
	}
	ASSERT_EQ(0, say_string(many[SHORT_LIVED - 1], STDOUT, "many\n"));
	ASSERT_TRUE(tool_says(&self->tool, OUT, "many\n"));
	pin_to_cpu(1);
	last = say_load(&fd);
	ASSERT_NE(NULL, last);
	ASSERT_EQ(0, say_string(last, STDOUT, "last\n"));
	ASSERT_TRUE(tool_says(&self->tool, OUT, "last\n"));
	ASSERT_EQ(0, kill(self->tool.pid, SIGTERM));
	EXPECT_EQ(0, tool_end(&self->tool));
	EXPECT_FALSE(text_has(&self->tool.text[ERR], "Too many open files"));
	say_bpf__destroy(last);
	for (i = 0; i < SHORT_LIVED; i++)
		say_bpf__destroy(many[i]);
}

/* Also before its streams were opened */
TEST_F(wait, all_that_a_new_program_lost_is_reported)
{
	struct say_args args = { .stream = STDOUT, .kind = SAY_512, .count = 10000 };
	struct stream_stats st;
	struct say_bpf *other;
	char want[128];
	__u32 id;
	int fd;

	ASSERT_EQ(0, tool_start(&self->tool, "-w prog tracelog all"));
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "ready\n"));
	ASSERT_TRUE(tool_says(&self->tool, OUT, "ready\n"));
	ASSERT_EQ(0, kill(self->tool.pid, SIGSTOP));
	other = say_load(&fd);
	ASSERT_NE(NULL, other);
	id = prog_id(fd);
	ASSERT_EQ(0, say(fd, &args));
	ASSERT_LT(0, args.refused);
	ASSERT_EQ(0, stream_stats(fd, STDOUT, &st));
	ASSERT_EQ(0, kill(self->tool.pid, SIGCONT));
	snprintf(want, sizeof(want), "%u say stdout: ", id);
	ASSERT_TRUE(tool_says(&self->tool, OUT, want));
	unload(&other);
	snprintf(want, sizeof(want), "program %u say lost %llu messages (%lluB) to stdout\n", id,
		 st.dropped_msgs, st.dropped_bytes);
	ASSERT_TRUE(tool_says(&self->tool, ERR, want));
	ASSERT_EQ(0, kill(self->tool.pid, SIGTERM));
	EXPECT_EQ(0, tool_end(&self->tool));
}

#define PIN	"/sys/fs/bpf/test_bpftool_wait"

/* A user who may open a pinned program may not be allowed to look up others */
TEST_F(wait, signal_does_not_cut_what_is_left_without_privileges)
{
	struct pollfd ended = { .events = POLLIN };

	if (access("/sys/fs/bpf", F_OK))
		SKIP(return, "no /sys/fs/bpf");
	ASSERT_EQ(0, prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN));
	ASSERT_EQ(0, bpf_obj_pin(self->fd, PIN));
	ended.fd = stream_open(self->fd, STDOUT, STREAM_NONBLOCK);
	ASSERT_LE(0, ended.fd);
	ASSERT_EQ(0, say_all(self->fd, STDOUT, SAY_1023, 1000, NULL));
	ASSERT_EQ(0, tool_start(&self->tool, "-w prog tracelog stdout pinned " PIN));
	tool_wait_until_stuck(&self->tool);
	unlink(PIN);
	unload(&self->skel);
	wait_until(poll(&ended, 1, 0) && ended.revents & POLLHUP);
	ASSERT_EQ(0, kill(self->tool.pid, SIGTERM));
	EXPECT_EQ(0, tool_end(&self->tool));
	EXPECT_EQ(1000 * 1023, self->tool.text[OUT].len);
	close(ended.fd);
}

/* Unread text stays in the streams for the next reader */
TEST_F(wait, signal_ends_it_before_it_has_read_all_streams)
{
	struct say_bpf *many[8];
	struct stream_stats st;
	long unread = 0;
	int i, fd[8];

	SKIP_UNLESS_OURS("room for that much unread text");
	for (i = 0; i < ARRAY_SIZE(many); i++) {
		many[i] = say_load(&fd[i]);
		ASSERT_NE(NULL, many[i]);
		ASSERT_EQ(0, say_all(fd[i], STDOUT, SAY_1023, 64, NULL));
	}
	ASSERT_EQ(0, tool_start(&self->tool, "-w prog tracelog all"));
	tool_wait_until_stuck(&self->tool);
	ASSERT_EQ(0, kill(self->tool.pid, SIGTERM));
	EXPECT_EQ(0, tool_end(&self->tool));
	for (i = 0; i < ARRAY_SIZE(many); i++) {
		ASSERT_EQ(0, stream_stats(fd[i], STDOUT, &st));
		unread += st.unread_bytes;
		say_bpf__destroy(many[i]);
	}
	EXPECT_LE(5 * 64 * 1023, unread);
}

/* Programs that loaders use to probe features are not reported */
TEST_F(wait, programs_that_print_nothing_are_not_mentioned)
{
	struct say_bpf *other;
	char not_want[64];
	int fd;

	ASSERT_EQ(0, tool_start(&self->tool, "-w prog tracelog all"));
	ASSERT_EQ(0, say_string(self->skel, STDOUT, "ready\n"));
	ASSERT_TRUE(tool_says(&self->tool, OUT, "ready\n"));
	other = say_load(&fd);
	ASSERT_NE(NULL, other);
	snprintf(not_want, sizeof(not_want), "program %u ", prog_id(fd));
	unload(&other);
	unload(&self->skel);
	ASSERT_TRUE(tool_says(&self->tool, ERR, " say is gone\n"));
	ASSERT_EQ(0, kill(self->tool.pid, SIGTERM));
	EXPECT_EQ(0, tool_end(&self->tool));
	EXPECT_FALSE(text_has(&self->tool.text[ERR], not_want));
}

#define FAIL_FUNCTION	"/sys/kernel/debug/fail_function/"

/* From now on, perf_event_open() fails for tasks with make-it-fail set */
static bool refuse_perf_events(void)
{
	static const char * const names[] = {
		"__x64_sys_perf_event_open", "__arm64_sys_perf_event_open",
	};
	char retval[128];
	size_t i;

	mount_debugfs();
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(retval, sizeof(retval), FAIL_FUNCTION "%s/retval", names[i]);
		if (write_file(FAIL_FUNCTION "inject", names[i]) &&
		    write_file(retval, "0xfffffffffffffff3"))
			return write_file(FAIL_FUNCTION "verbose", "0") &&
			       write_file(FAIL_FUNCTION "task-filter", "Y") &&
			       write_file(FAIL_FUNCTION "probability", "100") &&
			       write_file(FAIL_FUNCTION "times", "-1");
	}
	return false;
}

/* It searches for programs periodically then */
TEST_F(wait, programs_are_found_without_being_announced)
{
	struct say_bpf *other;
	char want[128];
	int fd;

	if (!refuse_perf_events())
		SKIP(return, "calls can't be made to fail");
	self->tool.before = "echo 1 >/proc/self/make-it-fail;";
	ASSERT_EQ(0, tool_start(&self->tool, "-w prog tracelog all"));
	EXPECT_TRUE(tool_says(&self->tool, ERR,
			      "new programs are not announced (Permission denied)"));
	other = say_load(&fd);
	ASSERT_NE(NULL, other);
	ASSERT_EQ(0, say_string(other, STDOUT, "new\n"));
	snprintf(want, sizeof(want), "%u say stdout: new\n", prog_id(fd));
	ASSERT_TRUE(tool_says(&self->tool, OUT, want));
	ASSERT_EQ(0, kill(self->tool.pid, SIGTERM));
	EXPECT_EQ(0, tool_end(&self->tool));
	unload(&other);
	write_file(FAIL_FUNCTION "inject", "");
}

#define WRITERS	8
#define LINES	5000
#define CHUNK	100

FIXTURE(crowd)
{
	struct crowd_writer {
		struct say_bpf *skel;
		__u32 id;
		int fd;
		int nr;
		pthread_t thread;
		struct stream_stats st;
		struct text got;
		int error;
	} w[WRITERS];
	struct tool tool;
};

FIXTURE_SETUP(crowd)
{
	int i;

	for (i = 0; i < WRITERS; i++) {
		self->w[i].skel = say_load(&self->w[i].fd);
		ASSERT_NE(NULL, self->w[i].skel);
		self->w[i].id = prog_id(self->w[i].fd);
		self->w[i].nr = i;
	}
	SKIP_UNLESS_CAN_WAIT(self->w[0].fd);
}

FIXTURE_TEARDOWN(crowd)
{
	int i;

	for (i = 0; i < WRITERS; i++) {
		say_bpf__destroy(self->w[i].skel);
		text_free(&self->w[i].got);
	}
	tool_free(&self->tool);
}

/* Text that doesn't fit is printed again as another message, and counted as dropped */
static void *print_lines(void *arg)
{
	struct crowd_writer *w = arg;
	struct say_args args = { .stream = STDOUT, .kind = SAY_LINE, .writer = w->nr };

	while (args.seq < LINES && !w->error) {
		args.count = LINES - args.seq < CHUNK ? LINES - args.seq : CHUNK;
		w->error = say(w->fd, &args);
	}
	return NULL;
}

/* "ID say stdout: LINE" */
static struct crowd_writer *writer_of(struct crowd_writer *w, struct text *line)
{
	char prefix[64];
	int i, len;

	for (i = 0; i < WRITERS; i++) {
		len = snprintf(prefix, sizeof(prefix), "%u say stdout: ", w[i].id);
		if (line->len < len || memcmp(line->data, prefix, len))
			continue;
		line->data += len;
		line->len -= len;
		return &w[i];
	}
	return NULL;
}

/* Each line is whole, labelled with its program, and in order */
TEST_F(crowd, lines_are_never_torn)
{
	struct text line, rest, want;
	struct crowd_writer *w;
	char report[128];
	__u64 seq;
	int i;

	ASSERT_EQ(0, tool_start(&self->tool, "-w prog tracelog all name 'sa*'"));
	ASSERT_EQ(0, say_string(self->w[0].skel, STDERR, "ready\n"));
	ASSERT_TRUE(tool_says(&self->tool, ERR, "ready\n"));
	for (i = 0; i < WRITERS; i++)
		ASSERT_EQ(0, pthread_create(&self->w[i].thread, NULL, print_lines,
					    &self->w[i]));
	/* They may print faster than this test reads, so keep reading */
	for (i = 0; i < WRITERS; i++) {
		snprintf(report, sizeof(report), "%u say stdout: %u %08u ",
			 self->w[i].id, i, LINES - 1);
		ASSERT_TRUE(tool_says(&self->tool, OUT, report));
	}
	for (i = 0; i < WRITERS; i++) {
		pthread_join(self->w[i].thread, NULL);
		ASSERT_EQ(0, self->w[i].error);
		ASSERT_EQ(0, stream_stats(self->w[i].fd, STDOUT, &self->w[i].st));
		unload(&self->w[i].skel);
	}
	EXPECT_EQ(0, tool_end(&self->tool));

	rest = self->tool.text[OUT];
	while (text_next_line(&rest, &line)) {
		w = writer_of(self->w, &line);
		ASSERT_NE(NULL, w);
		text_add(&w->got, line.data, line.len);
		text_add(&w->got, "\n", 1);
	}
	EXPECT_EQ(0, rest.len);

	for (i = 0; i < WRITERS; i++) {
		memset(&want, 0, sizeof(want));
		for (seq = 0; seq < LINES; seq++)
			text_line(&want, i, seq);
		w = &self->w[i];
		EXPECT_EQ(want.len, w->st.written_bytes);
		ASSERT_EQ(want.len, w->got.len);
		EXPECT_EQ(0, memcmp(want.data, w->got.data, want.len));
		text_free(&want);

		snprintf(report, sizeof(report),
			 "program %u say lost %llu message%s (%lluB) to stdout\n",
			 w->id, w->st.dropped_msgs, w->st.dropped_msgs == 1 ? "" : "s",
			 w->st.dropped_bytes);
		EXPECT_EQ(w->st.dropped_msgs > 0, text_has(&self->tool.text[ERR], report));
	}
}

/*
 * Each stream has more than a chunk of text, so they are read in turns. The reader is
 * slow: the rest of a line may be available although it was not read for some time.
 */
TEST_F(crowd, lines_that_two_reads_get_are_whole)
{
	struct text line, rest;
	int i, lines = 0;

	for (i = 0; i < WRITERS; i++) {
		__u64 seq = 0;

		ASSERT_EQ(0, say_all(self->w[i].fd, STDOUT, SAY_1023, 300, &seq));
	}
	ASSERT_EQ(0, tool_start(&self->tool, "-w prog tracelog stdout name say"));
	tool_wait_until_stuck(&self->tool);
	sleep(1);
	for (i = 0; i < WRITERS; i++) {
		char last[64];

		/* so that it is known to have started when the program is unloaded */
		ASSERT_EQ(0, say_string(self->w[i].skel, STDOUT, "end\n"));
		snprintf(last, sizeof(last), "%u say stdout: end\n", self->w[i].id);
		ASSERT_TRUE(tool_says(&self->tool, OUT, last));
	}
	for (i = 0; i < WRITERS; i++)
		unload(&self->w[i].skel);
	EXPECT_EQ(0, tool_end(&self->tool));
	rest = self->tool.text[OUT];
	while (text_next_line(&rest, &line)) {
		ASSERT_NE(NULL, writer_of(self->w, &line));
		if (line.len == 3)
			continue;
		ASSERT_EQ(1022, line.len);
		lines++;
	}
	EXPECT_EQ(300 * WRITERS, lines);
	EXPECT_EQ(0, rest.len);
}

#define MANY	110

/* 220 stream descriptors, regardless of the soft limit */
TEST(many_programs_at_once)
{
	struct say_bpf *skel[MANY];
	struct tool tool = { .before = "ulimit -S -n 64;" };
	__u32 id[MANY];
	char want[64];
	int i, fd;

	for (i = 0; i < MANY; i++) {
		skel[i] = say_load(&fd);
		ASSERT_NE(NULL, skel[i]);
		id[i] = prog_id(fd);
	}
	SKIP_UNLESS_CAN_WAIT(fd);
	ASSERT_EQ(0, tool_start(&tool, "-w prog tracelog all"));
	for (i = MANY - 1; i >= 0; i--) {
		ASSERT_EQ(0, say_string(skel[i], STDOUT, "hello\n"));
		snprintf(want, sizeof(want), "%u say stdout: hello\n", id[i]);
		ASSERT_TRUE(tool_says(&tool, OUT, want));
	}
	for (i = 0; i < MANY; i++) {
		say_bpf__destroy(skel[i]);
		snprintf(want, sizeof(want), "program %u say is gone\n", id[i]);
		ASSERT_TRUE(tool_says(&tool, ERR, want));
	}
	ASSERT_EQ(0, kill(tool.pid, SIGTERM));
	EXPECT_EQ(0, tool_end(&tool));
	tool_free(&tool);
}

/* It reports that instead of polling */
TEST(kernel_that_cannot_wait_is_an_error)
{
	struct tool tool = {};
	struct say_bpf *skel;
	int fd;

	skel = say_load(&fd);
	ASSERT_NE(NULL, skel);
	if (can_wait(fd))
		SKIP(goto out, "this kernel can");
	EXPECT_LT(0, tool_run(&tool, "-w prog tracelog stdout id %u", prog_id(fd)));
	EXPECT_TRUE(text_has(&tool.text[ERR], "kernel can't wait for streams"));
out:
	tool_free(&tool);
	say_bpf__destroy(skel);
}

TOOL_TEST_MAIN
