/* SPDX-License-Identifier: GPL-2.0 */
/* Run bpftool as a user would, and check its output. */
#ifndef TOOL_H
#define TOOL_H

#include "streams_test.h"

#define __printf(a, b)	__attribute__((format(printf, a, b)))

enum {
	OUT,
	ERR,
};

struct tool {
	const char *before;	/* commands for the shell to run first, with a ; */
	bool non_blocking;	/* its stdout is */
	bool terminal;		/* and that */
	bool master;		/* or the other side of one */
	int socket;		/* or that, of this type */
	unsigned short udp;	/* or one that sends to this port */
	pid_t pid;
	int fd[2];		/* its stdout and stderr */
	struct text text[2];	/* received output */
};

/* Start "bpftool ARGS" by a shell. Return: 0 or an error. */
int __printf(2, 3) tool_start(struct tool *t, const char *fmt, ...);
/* Read until the text was received. Return: false if it will not be. */
bool tool_says(struct tool *t, int which, const char *text);
/* Wait until its stdout is full, and some more */
void tool_wait_until_stuck(struct tool *t);
/* Receives again, from here on */
int tool_bind(struct tool *t);
/* Close the reading side */
void tool_stop_reading(struct tool *t, int which);
/* Wait until it has exited, without reading */
void tool_wait(struct tool *t);
/* Read the rest and wait. Return: the exit status, or -signal. */
int tool_end(struct tool *t);
/* All of that at once */
int __printf(2, 3) tool_run(struct tool *t, const char *fmt, ...);
void tool_free(struct tool *t);

bool text_is(const struct text *t, const char *want);
bool text_has(const struct text *t, const char *what);
/*
 * Split off the first line of 'rest', without its newline. Both are in the text of which
 * 'rest' is a copy. Return: false if there is no line.
 */
bool text_next_line(struct text *rest, struct text *line);

/* Test if it is one JSON value of RFC 8259. */
bool json_is_valid(const struct text *t);
/*
 * Get the decoded string of a key in an object; a number is copied unchanged. Return:
 * false if the text is not valid JSON or does not have this member.
 */
bool json_member(const struct text *t, const char *key, struct text *value);
bool json_member_is(const struct text *t, const char *key, const char *want);

/* Print 'len' bytes, none of which is 0. Return: 0 or an error. */
int say_text(struct say_bpf *skel, __u32 stream, const char *text, size_t len);
int say_string(struct say_bpf *skel, __u32 stream, const char *text);
/* Test if the kernel has descriptors of streams. */
bool can_wait(int prog_fd);

void tool_require(void);

#define SKIP_UNLESS_CAN_WAIT(prog_fd)					\
	do {								\
		if (!can_wait(prog_fd))					\
			SKIP(return, "kernel without BPF_PROG_STREAM_OPEN"); \
	} while (0)

#define TOOL_TEST_MAIN					\
	int main(int argc, char **argv)			\
	{						\
		streams_require();			\
		tool_require();				\
		return test_harness_run(argc, argv);	\
	}

#endif /* TOOL_H */
