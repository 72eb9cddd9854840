// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Output of lines from streams */

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
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "stream.h"

/*
 * Time to wait for a stuck reader of the output after a signal; time between tries if
 * poll() does not report POLLOUT, and if it does but writing fails; in ms
 */
#define STOP_GRACE	1000
#define RETRY_PERIOD	1000
#define RETRY_DELAY	20

struct out {
	const char *name;
	int std_fd;
	int fd;
	/* Like write(), but fails with EAGAIN instead of waiting for a reader. */
	ssize_t (*write)(struct out *o, const char *buf, size_t size);
	size_t at_once;		/* bytes that can be written after POLLOUT */
	FILE *file;
	int err;
	__u64 lost;		/* bytes that could not be written */
	int priority;		/* syslog priority of the current line */
	bool has_reader;	/* the reader may exit */
	bool limited;		/* lines may be dropped by rate limiting */
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
static __u64 journal_lost;
static int stop_fd = -1;
static char stamp[64];

/* Return: the descriptor if the output has a reader that may exit, or -1. */
int stream_out_reader(void)
{
	return style.format != STREAM_JOURNAL && out->has_reader ? out->fd : -1;
}

/* The descriptor becomes readable when bpftool has to stop. */
void stream_out_stop_by(int fd)
{
	stop_fd = fd;
}

/*
 * Wait until writing should be tried again. Return: 0, or -1 if bpftool has to stop.
 *
 * poll() is not reliable: some devices never report POLLOUT, and a terminal with room
 * for one byte does not take a newline. *tries, initially 0, counts how often writing
 * failed after POLLOUT.
 */
int stream_out_wait(int fd, unsigned int *tries)
{
	struct pollfd pfds[] = {
		{ .fd = fd, .events = POLLOUT },
		{ .fd = stop_fd, .events = POLLIN },
	};
	int n;

	if (*tries)
		poll(NULL, 0, RETRY_DELAY);

	do {
		n = poll(pfds, ARRAY_SIZE(pfds), RETRY_PERIOD);
	} while (n < 0 && errno == EINTR);

	if (n < 0)
		return -1;

	*tries = pfds[0].revents ? *tries + 1 : 0;
	if (!pfds[1].revents)
		return 0;
	if (*tries > STOP_GRACE / RETRY_DELAY)
		return -1;

	return poll(pfds, 1, STOP_GRACE) > 0 ? 0 : -1;
}

/*
 * stdio would lose text, as the file may be non-blocking. Always return that everything
 * was written, so that stdio calls this again and lost bytes can be counted.
 */
static ssize_t out_write(void *cookie, const char *buf, size_t size)
{
	struct out *o = cookie;
	unsigned int tries = 0;
	size_t done = 0;
	ssize_t n;

	while (done < size && !o->err) {
		n = o->write(o, buf + done, size - done);
		if (n > 0) {
			done += n;
			tries = 0;
		} else if (!n) {
			o->err = EIO;
		} else if (errno == EAGAIN) {
			if (stream_out_wait(o->fd, &tries))
				o->err = EINTR;
		} else if (errno != EINTR) {
			o->err = errno;
		}
	}
	o->lost += size - done;

	return size;
}

static ssize_t plain_write(struct out *o, const char *buf, size_t size)
{
	return write(o->fd, buf, size);
}

/*
 * Do not change O_NONBLOCK, as the socket may be shared. Datagrams are limited in size,
 * so send whole lines if they are not too long.
 */
static ssize_t socket_write(struct out *o, const char *buf, size_t size)
{
	bool again = !o->has_reader;
	const char *nl;
	ssize_t n;

	for (;;) {
		n = send(o->fd, buf, size, MSG_DONTWAIT | MSG_NOSIGNAL);
		/* The error is that of an earlier datagram, so try once more. */
		if (n < 0 && errno == ECONNREFUSED && again) {
			again = false;
			continue;
		}
		if (n >= 0 || errno != EMSGSIZE || size == 1)
			return n;
		size /= 2;
		nl = memrchr(buf, '\n', size);
		if (nl)
			size = nl + 1 - buf;
	}
}

/*
 * For blocking files: after POLLOUT a pipe takes PIPE_BUF bytes without blocking, a
 * terminal one byte. Some devices wait until there is a reader.
 */
static ssize_t asking_write(struct out *o, const char *buf, size_t size)
{
	struct pollfd pfd = { .fd = o->fd, .events = POLLOUT };
	int n;

	n = poll(&pfd, 1, 0);
	if (n < 0)
		return -1;
	if (!(pfd.revents & ~POLLHUP) && !(pfd.revents && o->has_reader)) {
		errno = EAGAIN;
		return -1;
	}

	return write(o->fd, buf, size < o->at_once ? size : o->at_once);
}

static ssize_t kmsg_write(struct out *o, const char *buf, size_t size)
{
	return stream_kmsg_write(o->fd, o->priority, buf, size);
}

static bool is_kmsg(const struct out *o)
{
	return o->write == kmsg_write;
}

/*
 * A signal must be able to stop bpftool while the reader is slow. So a pipe or a terminal
 * is opened again, non-blocking, which does not affect other processes that share it. If
 * that is not permitted, poll() before each write.
 */
static void reopen(struct out *o)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", o->std_fd);
	fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0) {
		o->write = asking_write;
		return;
	}
	o->fd = fd;
}

/* The master side of a terminal: opening it again would create another terminal. */
static bool is_master(int fd)
{
	unsigned int nr;

	return !ioctl(fd, TIOCGPTN, &nr);
}

/* Datagrams to other machines may get lost without an error. */
static bool knows_reader(int fd)
{
	int domain = AF_UNIX, type = SOCK_STREAM;
	socklen_t len = sizeof(int);

	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
	getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len);
	return domain == AF_UNIX || type != SOCK_DGRAM;
}

/* Writing to a regular file does not wait for a reader, writing to a device may. */
static void find_kind(struct out *o)
{
	struct stat st;

	o->fd = o->std_fd;
	o->write = plain_write;
	o->at_once = isatty(o->fd) ? 1 : PIPE_BUF;
	o->has_reader = false;
	if (fstat(o->std_fd, &st))
		return;

	if (S_ISSOCK(st.st_mode)) {
		o->has_reader = knows_reader(o->std_fd);
		o->write = socket_write;
	} else if (is_master(o->std_fd)) {
		o->has_reader = true;
		o->write = asking_write;
	} else if (S_ISFIFO(st.st_mode) || isatty(o->std_fd)) {
		o->has_reader = true;
		reopen(o);
	} else if (stream_kmsg_is(&st)) {
		o->write = kmsg_write;
	} else if (S_ISCHR(st.st_mode)) {
		o->write = asking_write;
	}
}

/* Line-buffered for the kernel's log, where each write is a record. */
static int out_open(struct out *o)
{
	static const cookie_io_functions_t funcs = { .write = out_write };
	const char *no_color = getenv("NO_COLOR");

	o->err = 0;
	o->lost = 0;
	o->limited = false;
	find_kind(o);
	if (is_kmsg(o) && stream_kmsg_open(o->name, &o->limited))
		return -1;

	o->colour = isatty(o->fd) && !(no_color && *no_color);
	o->file = fopencookie(o, "w", funcs);
	if (!o->file || setvbuf(o->file, NULL, is_kmsg(o) ? _IOLBF : _IOFBF,
				STREAM_BUF_SZ)) {
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

/*
 * Not p_err(), as writing to stdout or stderr has failed. Try only once, as the reader of
 * stderr may be stuck, too.
 */
static void __printf(1, 2) tell(const char *fmt, ...)
{
	char msg[ERR_MAX_LEN];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);

	err_out->priority = STREAM_PRIO_NOTE;
	err_out->write(err_out, msg, n);
}

/*
 * A reader that exits is no error, nor is a signal. But text that was read from a stream
 * and not printed is always reported.
 */
static int result(const char *name, int err, __u64 lost)
{
	const char *plural = lost == 1 ? "" : "s";

	switch (err) {
	case 0:
		return 0;
	case EPIPE:
	case ECONNREFUSED:
	case ECONNRESET:
	case EINTR:
		if (lost)
			tell("lost %llu byte%s to %s: %s\n", lost, plural, name,
			     err == EINTR ? "interrupted while it took no more" :
					    "nobody reads it any more");
		return 0;
	default:
		tell("Error: can't write to %s: %s (lost %llu byte%s)\n", name,
		     strerror(err), lost, plural);
		return -1;
	}
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

	/* In a batch the lines are the value of a member. */
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

static void tell_limits(const struct out *o)
{
	if (o->limited)
		stream_out_note(NULL, "%s is /dev/kmsg, %s", o->name,
				"which drops lines unless kernel.printk_devkmsg is on");
}

int stream_out_open(const struct stream_style *s)
{
	bool shared = s->split && same_file(STDOUT_FILENO, STDERR_FILENO);

	style = *s;
	/* If stdout and stderr are the same file, keep the order of lines. */
	if (shared)
		style.split = false;
	journal_err = 0;
	journal_lost = 0;

	if (style.format == STREAM_JOURNAL && stream_journal_open())
		return -1;

	/* From here on text bypasses the buffer of stdout. */
	fflush(stdout);
	if (out_open(out) || out_open(err_out)) {
		out_close(out);
		out_close(err_out);
		stream_journal_close();
		return -1;
	}

	raw = style.format == STREAM_PLAIN && !style.timestamps &&
	      !style.prefix && !shared && !is_kmsg(out) && !is_kmsg(err_out);
	if (style.format == STREAM_JSON)
		json_begin();
	tell_limits(out);
	tell_limits(err_out);

	return 0;
}

/* Return: false if no more text can be printed. */
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
	if (result("the journal", -journal_err, journal_lost))
		err = -1;
	if (result(out->name, out->err, out->lost))
		err = -1;
	if (result(err_out->name, err_out->err, err_out->lost))
		err = -1;

	out_close(out);
	out_close(err_out);
	stream_journal_close();

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

/* Return: false if the text has to be split into lines. */
bool stream_out_raw(const struct stream *s, const char *text, size_t len)
{
	if (raw)
		fwrite(text, len, 1, out_of(s)->file);

	return raw;
}

static int print_prefix(char *buf, size_t size, const struct out *o,
			const struct stream *s)
{
	const char *on = "", *off = "";

	if (o->colour) {
		on = s->id == BPF_STREAM_STDERR ? "\033[31m" : "\033[36m";
		off = "\033[0m";
	}

	return snprintf(buf, size, "%s%u %s%s%s:%s ", on, s->prog->id, s->prog->name,
			*s->prog->name ? " " : "", s->name, off);
}

static void plain_line(struct out *o, const struct stream *s, const char *text,
		       size_t len)
{
	char before[MAX_PROG_FULL_NAME + 128];
	int n = 0;
	size_t fit;

	if (style.timestamps)
		n = snprintf(before, sizeof(before), "%s ", stamp);
	if (style.prefix)
		n += print_prefix(before + n, sizeof(before) - n, o, s);

	do {
		fit = is_kmsg(o) ? stream_kmsg_fit(text, len, n, false) : len;
		fwrite(before, n, 1, o->file);
		fwrite(text, fit, 1, o->file);
		putc('\n', o->file);
		text += fit;
		len -= fit;
	} while (len);
}

/* Maximum size of a JSON object without text and name */
#define JSON_OVERHEAD	160

static void json_line(const struct stream *s, const char *text, size_t len)
{
	size_t before = JSON_OVERHEAD + strlen(s->prog->name), fit;

	do {
		fit = is_kmsg(out) ? stream_kmsg_fit(text, len, before, true) : len;
		stream_json_line(out->file, s, stamp, text, fit);
		text += fit;
		len -= fit;
	} while (len);
}

static void journal_line(const struct stream *s, const char *text, size_t len)
{
	if (!journal_err)
		journal_err = stream_journal_line(s, text, len);
	if (journal_err)
		journal_lost += len;
}

void stream_out_line(const struct stream *s, const char *text, size_t len)
{
	struct out *o = style.format == STREAM_PLAIN ? out_of(s) : out;

	o->priority = stream_priority(s, text, len);
	if (style.format == STREAM_JSON)
		json_line(s, text, len);
	else if (style.format == STREAM_PLAIN)
		plain_line(o, s, text, len);
	else
		journal_line(s, text, len);
}

/* Print a message about a program, or about bpftool itself if @p is NULL. */
void stream_out_note(const struct stream_prog *p, const char *fmt, ...)
{
	FILE *f = err_out->file;
	va_list ap;

	err_out->priority = STREAM_PRIO_NOTE;
	if (p)
		fprintf(f, "program %u%s%s ", p->id, *p->name ? " " : "", p->name);
	va_start(ap, fmt);
	vfprintf(f, fmt, ap);
	va_end(ap);
	putc('\n', f);
}

/* Print an error. Return: false if p_err() has to do it, for JSON or before opening. */
bool stream_out_error(const char *msg)
{
	if (json_output || !err_out->file)
		return false;

	err_out->priority = STREAM_PRIO_ERROR;
	fprintf(err_out->file, "Error: %s\n", msg);

	return true;
}
