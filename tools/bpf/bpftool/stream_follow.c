// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* bpftool --wait prog tracelog: follow until the programs are unloaded, or until a signal. */

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/epoll.h>

#include <bpf/bpf.h>

#include "stream.h"

/*
 * Period of scans for programs that were not announced, and time after which a line is
 * printed without its end, in ms
 */
#define SCAN_PERIOD	250
#define QUIET_PERIOD	500

#define NR_EVENTS	64

struct follower {
	struct stream_reader *r;
	int epoll_fd;
	__u64 scan_due;
	bool stop;
};

static __u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

static int watch(const struct follower *f, int fd, __u32 events, void *ptr)
{
	struct epoll_event ev = { .events = events, .data.ptr = ptr };

	return epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, fd, &ev);
}

static int watch_new(struct follower *f)
{
	struct stream *s;

	list_for_each_entry(s, &f->r->streams, list) {
		if (s->watched)
			continue;
		if (watch(f, s->fd, EPOLLIN, s)) {
			stream_err("can't wait for %s of program %u: %s", s->name,
				   s->prog->id, strerror(errno));
			return -1;
		}
		s->watched = true;
	}

	return 0;
}

static int begin(struct follower *f)
{
	int news_fd;

	f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (f->epoll_fd < 0 || watch(f, stream_signals_fd(), EPOLLIN, NULL)) {
		stream_err("can't wait for signals: %s", strerror(errno));
		return -1;
	}

	/* The reader may exit while there is nothing to print. */
	if (stream_out_reader() >= 0 && watch(f, stream_out_reader(), 0, NULL)) {
		stream_err("can't wait for standard output: %s", strerror(errno));
		return -1;
	}

	if (f->r->everything) {
		news_fd = stream_find_begin(f->r);
		if (news_fd < 0)
			return -1;
		if (watch(f, news_fd, EPOLLIN, f->r)) {
			stream_err("can't wait for programs: %s", strerror(errno));
			return -1;
		}
	}

	return watch_new(f);
}

static void receive(struct follower *f, struct stream *s)
{
	struct stream_reader *r = f->r;
	ssize_t n;

	n = read(s->fd, r->buf, STREAM_BUF_SZ);
	if (n > 0) {
		s->prog->has_printed = true;
		stream_text(s, r->buf, n);
		s->part_due = now_ms() + QUIET_PERIOD;
		return;
	}
	if (n < 0 && errno == EINTR)
		return;
	if (n < 0 && errno == EAGAIN) {
		if (s->part_due <= now_ms())
			stream_end_part(s);
		return;
	}
	if (n < 0) {
		stream_err("can't read %s of program %u: %s", s->name,
			   s->prog->id, strerror(errno));
		r->err = -1;
	}
	stream_end(r, s, true);
}

static void find(struct follower *f)
{
	if (stream_find(f->r) || watch_new(f)) {
		f->r->err = -1;
		f->stop = true;
	}
	f->scan_due = now_ms() + SCAN_PERIOD;
}

/* Read one chunk of each stream that has text, so that none delays another. */
static void handle(struct follower *f, const struct epoll_event *ev)
{
	if (!ev->data.ptr) {
		f->stop = true;
		return;
	}
	if (ev->data.ptr == f->r) {
		find(f);
		return;
	}

	/* Flush before reading more: if the output is slow, text stays in the streams. */
	receive(f, ev->data.ptr);
	if (!stream_out_flush() || stream_signals_came())
		f->stop = true;
}

/*
 * Reading may have been delayed for that long, so print a line without its end only if
 * there is nothing to read.
 */
static void print_parts(struct follower *f, __u64 now)
{
	struct stream *s, *tmp;

	list_for_each_entry_safe(s, tmp, &f->r->streams, list) {
		if (s->part_len && s->part_due <= now)
			receive(f, s);
	}
}

static void handle_time(struct follower *f)
{
	__u64 now = now_ms();

	print_parts(f, now);
	if (f->r->everything && f->scan_due <= now)
		find(f);
	if (!stream_out_flush() || f->r->err)
		f->stop = true;
}

static int time_left(const struct follower *f)
{
	__u64 due = f->r->everything ? f->scan_due : ULLONG_MAX, now = now_ms();
	struct stream *s;

	list_for_each_entry(s, &f->r->streams, list) {
		if (s->part_len && s->part_due < due)
			due = s->part_due;
	}
	if (due == ULLONG_MAX)
		return -1;

	return due > now ? due - now : 0;
}

static int wait_for_events(struct follower *f)
{
	struct epoll_event events[NR_EVENTS];
	int i, n;

	n = epoll_wait(f->epoll_fd, events, NR_EVENTS, time_left(f));
	if (n < 0 && errno != EINTR) {
		stream_err("can't wait: %s", strerror(errno));
		return -1;
	}
	for (i = 0; i < n && !f->stop; i++)
		handle(f, &events[i]);

	return 0;
}

/* The ID of an unloaded program is removed before its streams end. */
static bool is_gone(const struct stream *s)
{
	struct pollfd pfd = { .fd = s->fd };
	int fd;

	fd = bpf_prog_get_fd_by_id(s->prog->id);
	if (fd >= 0) {
		close(fd);
		return false;
	}

	/* Looking up an ID needs privilege. */
	return errno == ENOENT || (poll(&pfd, 1, 0) > 0 && pfd.revents & POLLHUP);
}

/* The text of an unloaded program is lost unless it is read now. */
static void read_rest(struct follower *f, struct stream *s)
{
	ssize_t n;

	if (!is_gone(s))
		return;

	while (stream_out_flush()) {
		n = read(s->fd, f->r->buf, STREAM_BUF_SZ);
		if (n <= 0)
			return;
		stream_text(s, f->r->buf, n);
	}
}

static void end(struct follower *f)
{
	struct stream *s, *tmp;

	stream_find_end(f->r);
	list_for_each_entry_safe(s, tmp, &f->r->streams, list) {
		read_rest(f, s);
		stream_end(f->r, s, false);
	}
	stream_out_flush();
	stream_signals_done();
}

void stream_follow(struct stream_reader *r)
{
	struct follower f = { .r = r };

	if (begin(&f)) {
		f.stop = true;
		r->err = -1;
	}

	while (!f.stop && (r->everything || !list_empty(&r->streams))) {
		if (wait_for_events(&f)) {
			r->err = -1;
			break;
		}
		if (!f.stop)
			handle_time(&f);
	}

	end(&f);
	if (f.epoll_fd >= 0)
		close(f.epoll_fd);
}
