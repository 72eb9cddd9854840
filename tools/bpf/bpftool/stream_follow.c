// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* bpftool --wait prog tracelog: until the programs are gone, or we are told to end. */

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

#include "stream.h"

/* When to look for new programs, and to give up waiting for a line's end, in ms */
#define SCAN_PERIOD	250
#define QUIET_PERIOD	500

#define NR_EVENTS	64

struct follower {
	struct stream_reader *r;
	int epoll_fd;
	int signal_fd;
	sigset_t signals;
	sigset_t old_signals;
	struct sigaction old_sigpipe;
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

/* One that was ignored when we were started (by nohup, say) is to stay that. */
static void add_signal(struct follower *f, int sig)
{
	struct sigaction sa;

	if (!sigaction(sig, NULL, &sa) && sa.sa_handler == SIG_IGN)
		return;
	sigaddset(&f->signals, sig);
}

/*
 * The signals come by a descriptor: none can slip in before we sleep. As they
 * don't interrupt anything then, writing has to look at that descriptor, too.
 */
static int begin(struct follower *f)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigaction(SIGPIPE, &ignore, &f->old_sigpipe);
	sigemptyset(&f->signals);
	add_signal(f, SIGINT);
	add_signal(f, SIGTERM);
	add_signal(f, SIGHUP);
	sigprocmask(SIG_BLOCK, &f->signals, &f->old_signals);

	f->signal_fd = signalfd(-1, &f->signals, SFD_CLOEXEC | SFD_NONBLOCK);
	f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (f->signal_fd < 0 || f->epoll_fd < 0 ||
	    watch(f, f->signal_fd, EPOLLIN, NULL)) {
		stream_err("can't wait for signals: %s", strerror(errno));
		return -1;
	}
	stream_out_stop_by(f->signal_fd);

	/* Whose reader may go while there is nothing to print. Not a file's. */
	if (stream_out_fd() >= 0 && watch(f, stream_out_fd(), 0, NULL) &&
	    errno != EPERM && errno != EBADF) {
		stream_err("can't wait for standard output: %s", strerror(errno));
		return -1;
	}

	return watch_new(f);
}

static void end(struct follower *f)
{
	struct signalfd_siginfo info;

	stream_out_stop_by(-1);

	/* They have done what they were for. */
	while (f->signal_fd >= 0 && read(f->signal_fd, &info, sizeof(info)) > 0)
		;
	if (f->epoll_fd >= 0)
		close(f->epoll_fd);
	if (f->signal_fd >= 0)
		close(f->signal_fd);
	sigprocmask(SIG_SETMASK, &f->old_signals, NULL);
	sigaction(SIGPIPE, &f->old_sigpipe, NULL);
}

static void receive(struct follower *f, struct stream *s)
{
	struct stream_reader *r = f->r;
	ssize_t n;

	n = read(s->fd, r->buf, STREAM_BUF_SZ);
	if (n > 0) {
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

/* One chunk of each that has some, so that none waits for another. */
static void handle(struct follower *f, const struct epoll_event *ev)
{
	if (!ev->data.ptr) {
		f->stop = true;
		return;
	}

	receive(f, ev->data.ptr);
	if (!stream_out_flush())
		f->stop = true;
}

/*
 * We may have been kept from reading for so long: a program is quiet only if
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
	if (f->r->everything && f->scan_due <= now) {
		if (stream_scan(f->r) || watch_new(f))
			f->r->err = -1;
		f->scan_due = now + SCAN_PERIOD;
	}
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

void stream_follow(struct stream_reader *r)
{
	struct follower f = { .r = r, .epoll_fd = -1, .signal_fd = -1 };
	struct stream *s, *tmp;

	if (begin(&f)) {
		r->err = -1;
		goto exit_end;
	}

	while (!f.stop && (r->everything || !list_empty(&r->streams))) {
		if (wait_for_events(&f)) {
			r->err = -1;
			break;
		}
		if (!f.stop)
			handle_time(&f);
	}

	list_for_each_entry_safe(s, tmp, &r->streams, list)
		stream_end(r, s, false);
	stream_out_flush();

exit_end:
	end(&f);
}
