// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Delay terminating signals until the text that was read is written, or can't be. It is
 * no longer in the streams, so it would be lost.
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include <sys/signalfd.h>

#include "stream.h"

static struct {
	int fd;
	sigset_t set;
	sigset_t old_set;
	struct sigaction old_pipe;
	struct sigaction old_xfsz;
} sig = { .fd = -1 };

/* A signal that is ignored at the start, as with nohup, stays ignored. */
static void add_signal(int nr)
{
	struct sigaction sa;

	if (!sigaction(nr, NULL, &sa) && sa.sa_handler == SIG_IGN)
		return;
	sigaddset(&sig.set, nr);
}

/*
 * Receive the signals through a descriptor, so that none is missed before sleeping. As
 * they don't interrupt system calls then, writing has to poll this descriptor, too.
 * SIGPIPE and SIGXFSZ are ignored, as write() returns an error.
 */
int stream_signals_begin(void)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigemptyset(&sig.set);
	add_signal(SIGINT);
	add_signal(SIGTERM);
	add_signal(SIGHUP);
	sig.fd = signalfd(-1, &sig.set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (sig.fd < 0) {
		stream_err("can't wait for signals: %s", strerror(errno));
		return -1;
	}

	sigprocmask(SIG_BLOCK, &sig.set, &sig.old_set);
	sigaction(SIGPIPE, &ignore, &sig.old_pipe);
	sigaction(SIGXFSZ, &ignore, &sig.old_xfsz);
	stream_out_stop_by(sig.fd);

	return 0;
}

/* A descriptor that becomes readable when a signal arrives */
int stream_signals_fd(void)
{
	return sig.fd;
}

/* Return: true if bpftool has to stop. */
bool stream_signals_came(void)
{
	struct pollfd pfd = { .fd = sig.fd, .events = POLLIN };

	return poll(&pfd, 1, 0) > 0;
}

/* The signals have been handled. */
void stream_signals_done(void)
{
	struct signalfd_siginfo info;

	while (read(sig.fd, &info, sizeof(info)) > 0)
		;
}

/* A pending signal terminates bpftool now. */
void stream_signals_end(void)
{
	stream_out_stop_by(-1);
	close(sig.fd);
	sig.fd = -1;
	sigaction(SIGXFSZ, &sig.old_xfsz, NULL);
	sigaction(SIGPIPE, &sig.old_pipe, NULL);
	sigprocmask(SIG_SETMASK, &sig.old_set, NULL);
}
