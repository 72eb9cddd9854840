/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Reading the standard streams of programs: stream.c finds the programs and
 * dumps their text, stream_follow.c waits for more text and stream_find.c for more
 * programs, stream_line.c splits the text into lines, stream_out.c and the others
 * print them. stream_signal.c ensures that text that was read is printed before a
 * signal terminates bpftool.
 */
#ifndef __BPFTOOL_STREAM_H
#define __BPFTOOL_STREAM_H

#include <linux/list.h>

#include "main.h"

/* Maximum size of a read, and of a line that is printed in one piece */
#define STREAM_BUF_SZ	(64 * 1024)

struct stream_stat {
	__u64 written_bytes;
	__u64 written_msgs;
	__u64 unread_bytes;
	__u64 dropped_bytes;
	__u64 dropped_msgs;
};

/* Properties of a program, kept after it was unloaded */
struct stream_prog {
	__u32 id;
	unsigned int nr_open;	/* streams that are open */
	bool has_printed;	/* since waiting began */
	unsigned char tag[BPF_TAG_SIZE];
	char name[MAX_PROG_FULL_NAME];
};

struct stream {
	struct list_head list;
	struct stream_prog *prog;
	const char *name;
	__u32 id;
	int fd;			/* with --wait of the stream, else of the program or -1 */
	__u64 left;		/* without --wait: bytes still to be read */
	struct stream_stat before; /* counters before waiting began */
	/* The beginning of a line whose end has not been read yet. */
	char *part;
	size_t part_len;
	__u64 part_due;		/* time at which it is printed without its end */
	bool watched;		/* by --wait */
	bool cut;		/* the last line was printed without its end */
};

/* Streams that could not be opened, with the last error */
struct stream_missed {
	unsigned int nr;
	int err;
};

struct stream_reader {
	struct list_head streams;
	struct list_head found;	/* new streams, not among them yet */
	bool found_first;	/* the first search is done */
	__u32 stream_id;	/* 0: both streams of a program */
	bool wait;
	/* The selected programs; one of these is set. */
	bool everything;
	int prog_fd;
	const char *pattern;	/* of names */
	const unsigned char *tag;
	bool several;		/* there may be more than one program */
	__u32 last_id;		/* last program ID that was searched */
	struct stream_missed missed;
	char *buf;
	int err;
	char msg[ERR_MAX_LEN];	/* error message of the search */
};

enum stream_format {
	STREAM_PLAIN,
	STREAM_JSON,
	STREAM_JOURNAL,
};

struct stream_style {
	enum stream_format format;
	bool timestamps;
	bool prefix;		/* begin lines with the program's ID and name */
	bool split;		/* print stderr of programs to bpftool's stderr */
};

/* syslog priorities */
enum stream_priority {
	STREAM_PRIO_ERROR	= 3,	/* reports of the kernel */
	STREAM_PRIO_STDERR	= 4,
	STREAM_PRIO_NOTE	= 5,	/* messages of bpftool */
	STREAM_PRIO_STDOUT	= 6,
};

struct stat;

/* stream.c */
int stream_scan(struct stream_reader *r);
int stream_add_prog(struct stream_reader *r, int fd);
void stream_end(const struct stream_reader *r, struct stream *s, bool gone);
void __printf(1, 2) stream_err(const char *fmt, ...);

/* stream_follow.c */
void stream_follow(struct stream_reader *r);

/* stream_find.c */
int stream_find_begin(struct stream_reader *r);
int stream_find(struct stream_reader *r);
void stream_find_end(struct stream_reader *r);

/* stream_stat.c */
bool stream_stat(int fd, const char *name, struct stream_stat *st);

/* stream_line.c */
void stream_text(struct stream *s, const char *text, size_t len);
void stream_end_part(struct stream *s);

/* stream_out.c */
int stream_out_open(const struct stream_style *style);
int stream_out_close(void);
int stream_out_reader(void);
void stream_out_stop_by(int fd);
int stream_out_wait(int fd, unsigned int *tries);
bool stream_out_flush(void);
void stream_out_stamp(void);
bool stream_out_raw(const struct stream *s, const char *text, size_t len);
void stream_out_line(const struct stream *s, const char *text, size_t len);
void __printf(2, 3) stream_out_note(const struct stream_prog *p, const char *fmt, ...);
bool stream_out_error(const char *msg);

/* stream_json.c */
size_t stream_utf8_whole(const char *text, size_t len);
void stream_json_line(FILE *out, const struct stream *s, const char *time,
		      const char *text, size_t len);

/* stream_signal.c */
int stream_signals_begin(void);
int stream_signals_fd(void);
bool stream_signals_came(void);
void stream_signals_done(void);
void stream_signals_end(void);

/* stream_kmsg.c */
bool stream_kmsg_is(const struct stat *st);
int stream_kmsg_open(const char *name, bool *limited);
size_t stream_kmsg_fit(const char *text, size_t len, size_t before, bool json);
ssize_t stream_kmsg_write(int fd, int priority, const char *text, size_t size);

/* stream_journal.c */
int stream_journal_open(void);
int stream_journal_line(const struct stream *s, const char *text, size_t len);
void stream_journal_close(void);
int stream_priority(const struct stream *s, const char *text, size_t len);

#endif
