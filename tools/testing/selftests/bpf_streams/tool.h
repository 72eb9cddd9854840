/* SPDX-License-Identifier: GPL-2.0 */
/* Run bpftool as a user would, and look at what it prints. */
#ifndef TOOL_H
#define TOOL_H

#include "streams_test.h"

#define __printf(a, b)	__attribute__((format(printf, a, b)))

enum {
	OUT,
	ERR,
};

struct tool {
	const char *before;	/* what the shell is to do first, with a ; */
	bool non_blocking;	/* its stdout is to be */
	bool terminal;		/* and that */
	bool master;		/* or the other side of one */
	int socket;		/* or that, of this type */
	unsigned short udp;	/* or one that sends to this port */
	pid_t pid;
	int fd[2];		/* where its output and errors come from */
	struct text text[2];	/* what came */
};

/* Starts "bpftool ARGS", by a shell: 0, or an error */
int __printf(2, 3) tool_start(struct tool *t, const char *fmt, ...);
/* Reads until that text has come: false if it never will */
bool tool_says(struct tool *t, int which, const char *text);
/* Waits until its stdout is full, and some more */
void tool_wait_until_stuck(struct tool *t);
/* Receives again, from here on */
int tool_bind(struct tool *t);
/* Nobody reads that any more */
void tool_stop_reading(struct tool *t, int which);
/* Waits until it has ended, without reading */
void tool_wait(struct tool *t);
/* Reads what is left and waits: the exit status, or -signal that killed it */
int tool_end(struct tool *t);
/* All of that at once */
int __printf(2, 3) tool_run(struct tool *t, const char *fmt, ...);
void tool_free(struct tool *t);

bool text_is(const struct text *t, const char *want);
bool text_has(const struct text *t, const char *what);
/*
 * The first line of 'rest', without its newline, and what is then the rest of it:
 * both are within the text that 'rest' is a copy of. False if there is none
 */
bool text_next_line(struct text *rest, struct text *line);

/* Is it one JSON value, as RFC 8259 has it? */
bool json_is_valid(const struct text *t);
/*
 * The string of that key in an object, decoded: false if the text is no valid
 * JSON or has no such member. A number is copied as it is.
 */
bool json_member(const struct text *t, const char *key, struct text *value);
bool json_member_is(const struct text *t, const char *key, const char *want);

/* Prints 'len' bytes, of which none is 0: 0, or an error */
int say_text(struct say_bpf *skel, __u32 stream, const char *text, size_t len);
int say_string(struct say_bpf *skel, __u32 stream, const char *text);
/* Can the kernel tell when there is something to read? */
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
