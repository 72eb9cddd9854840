// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Where lines of streams go to. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/stat.h>

#include "stream.h"

/* How long a reader of our output may be stuck when we are to end, in ms. */
#define STOP_GRACE	1000

struct out {
	const char *name;
	int std_fd;
	int fd;
	FILE *file;
	int err;
	bool colour;
};

static struct out outs[] = {
	{ .name = "standard output", .std_fd = STDOUT_FILENO, .fd = STDOUT_FILENO },
	{ .name = "standard error", .std_fd = STDERR_FILENO, .fd = STDERR_FILENO },
};

static struct out *const out = &outs[0], *const err_out = &outs[1];
static struct stream_style style;
static FILE *json_file;		/* where JSON went before */
static bool json_array;
static bool raw;
static int journal_err;
static int stop_fd = -1;
static char stamp[64];

/* Where text is printed to, or -1 if it goes to the journal. */
int stream_out_fd(void)
{
	return style.format == STREAM_JOURNAL ? -1 : out->fd;
}

/* The descriptor turns readable when we are to end. */
void stream_out_stop_by(int fd)
{
	stop_fd = fd;
}

/* Wait until it can be written to. An error if we are to end rather. */
int stream_out_wait(int fd)
{
	struct pollfd pfds[] = {
		{ .fd = fd, .events = POLLOUT },
		{ .fd = stop_fd, .events = POLLIN },
	};

	while (!pfds[0].revents) {
		if (poll(pfds, ARRAY_SIZE(pfds), -1) < 0 && errno != EINTR)
			return -1;
		if (!pfds[0].revents && pfds[1].revents)
			return poll(pfds, 1, STOP_GRACE) > 0 ? 0 : -1;
	}

	return 0;
}

/*
 * stdio would lose text, as the file is non-blocking or may be. If it does block,
 * it is a pipe at best: once that is writable, it takes PIPE_BUF bytes at once.
 */
static ssize_t out_write(void *cookie, const char *buf, size_t size)
{
	struct out *o = cookie;
	size_t done = 0, chunk;
	ssize_t n;

	while (done < size && !o->err) {
		if (stream_out_wait(o->fd)) {
			o->err = EINTR;
			break;
		}
		chunk = size - done;
		if (chunk > PIPE_BUF)
			chunk = PIPE_BUF;
		n = write(o->fd, buf + done, chunk);
		if (n >= 0)
			done += n;
		else if (errno != EAGAIN && errno != EINTR)
			o->err = errno;
	}

	return done;
}

/*
 * While a write blocks, no signal can end us. So a pipe or a terminal is opened
 * once more, non-blocking: others who have the same one are not affected. The
 * rest, sockets say, can't be opened that way.
 */
static int out_fd(int std_fd)
{
	char path[32];
	struct stat st;
	int fd = -1;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", std_fd);
	if (!fstat(std_fd, &st) && (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)))
		fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	return fd < 0 ? std_fd : fd;
}

static int out_open(struct out *o)
{
	static const cookie_io_functions_t funcs = { .write = out_write };
	const char *no_color = getenv("NO_COLOR");

	o->err = 0;
	o->fd = out_fd(o->std_fd);
	o->colour = isatty(o->fd) && !(no_color && *no_color);
	o->file = fopencookie(o, "w", funcs);
	if (!o->file || setvbuf(o->file, NULL, _IOFBF, STREAM_BUF_SZ)) {
		p_err("mem alloc failed");
		return -1;
	}

	return 0;
}

static void out_close(struct out *o)
{
	if (o->file)
		fclose(o->file);
	o->file = NULL;
	if (o->fd != o->std_fd)
		close(o->fd);
	o->fd = o->std_fd;
}

/* Nobody reading is no error; neither is that we are told to end. */
static int out_result(const struct out *o)
{
	if (!o->err || o->err == EPIPE || o->err == EINTR)
		return 0;

	/* not p_err(): that might need what doesn't work */
	fprintf(stderr, "Error: can't write to %s: %s\n", o->name, strerror(o->err));
	return -1;
}

static bool same_file(int a, int b)
{
	struct stat sa, sb;

	return !fstat(a, &sa) && !fstat(b, &sb) && sa.st_dev == sb.st_dev &&
	       sa.st_ino == sb.st_ino;
}

static void json_begin(void)
{
	json_file = jsonw_redirect(json_wtr, out->file);
	jsonw_end_line(json_wtr);

	/* In a batch it is the value of a member. */
	json_array = jsonw_nested(json_wtr);
	if (json_array)
		jsonw_start_array(json_wtr);
}

static void json_end(void)
{
	if (json_array)
		jsonw_end_array(json_wtr);
	fflush(out->file);
	jsonw_redirect(json_wtr, json_file);
}

int stream_out_open(const struct stream_style *s)
{
	bool shared = s->split && same_file(STDOUT_FILENO, STDERR_FILENO);

	style = *s;
	/* Of two streams in one file, the order is to be kept as well. */
	if (shared)
		style.split = false;
	raw = style.format == STREAM_PLAIN && !style.timestamps &&
	      !style.prefix && !shared;
	journal_err = 0;

	if (style.format == STREAM_JOURNAL && stream_journal_open())
		return -1;

	/* From here on the text goes around the buffers of stdio. */
	fflush(stdout);
	if (out_open(out) || out_open(err_out)) {
		out_close(out);
		out_close(err_out);
		stream_journal_close();
		return -1;
	}

	if (style.format == STREAM_JSON)
		json_begin();

	return 0;
}

/* False if there is no point in going on. */
bool stream_out_flush(void)
{
	fflush(out->file);
	fflush(err_out->file);

	return !out->err && !err_out->err && !journal_err;
}

int stream_out_close(void)
{
	int err = 0;

	if (style.format == STREAM_JSON)
		json_end();
	stream_out_flush();
	out_close(out);
	out_close(err_out);
	stream_journal_close();

	if (journal_err && journal_err != -EINTR) {
		p_err("can't write to the journal: %s", strerror(-journal_err));
		err = -1;
	}
	if (out_result(out))
		err = -1;
	if (out_result(err_out))
		err = -1;

	return err;
}

/* Lines are printed with the time at which their text was read. */
void stream_out_stamp(void)
{
	struct timespec now;
	struct tm tm;
	size_t n;

	if (!style.timestamps && style.format != STREAM_JSON)
		return;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	n = strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(stamp + n, sizeof(stamp) - n, ".%09ldZ", now.tv_nsec);
}

static struct out *out_of(const struct stream *s)
{
	return style.split && s->id == BPF_STREAM_STDERR ? err_out : out;
}

/* False if it has to be made lines of. */
bool stream_out_raw(const struct stream *s, const char *text, size_t len)
{
	if (raw)
		fwrite(text, len, 1, out_of(s)->file);

	return raw;
}

static void print_prefix(const struct out *o, const struct stream *s)
{
	const char *on = "", *off = "";

	if (o->colour) {
		on = s->id == BPF_STREAM_STDERR ? "\033[31m" : "\033[36m";
		off = "\033[0m";
	}

	fprintf(o->file, "%s%u %s%s%s:%s ", on, s->prog->id, s->prog->name,
		*s->prog->name ? " " : "", s->name, off);
}

static void plain_line(const struct stream *s, const char *text, size_t len)
{
	const struct out *o = out_of(s);

	if (style.timestamps)
		fprintf(o->file, "%s ", stamp);
	if (style.prefix)
		print_prefix(o, s);
	fwrite(text, len, 1, o->file);
	putc('\n', o->file);
}

void stream_out_line(const struct stream *s, const char *text, size_t len)
{
	if (style.format == STREAM_JSON)
		stream_json_line(out->file, s, stamp, text, len);
	else if (style.format == STREAM_PLAIN)
		plain_line(s, text, len);
	else if (!journal_err)
		journal_err = stream_journal_line(s, text, len);
}

/* Something about a program that it has not printed itself. */
void stream_out_note(const struct stream_prog *p, const char *fmt, ...)
{
	FILE *f = err_out->file;
	va_list ap;

	fprintf(f, "program %u%s%s ", p->id, *p->name ? " " : "", p->name);
	va_start(ap, fmt);
	vfprintf(f, fmt, ap);
	va_end(ap);
	putc('\n', f);
}
