// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Signals that are to end us do so when what was read is written, or can't be. The
 * text is not in the streams any more: it must not die with us.
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

/* One that was ignored when we were started (by nohup, say) is to stay that. */
static void add_signal(int nr)
{
	struct sigaction sa;

	if (!sigaction(nr, NULL, &sa) && sa.sa_handler == SIG_IGN)
		return;
	sigaddset(&sig.set, nr);
}

/*
 * The signals come by a descriptor: none can slip in before we sleep. As they
 * don't interrupt anything then, writing has to look at that descriptor, too. What
 * is wrong with a file or its reader is told by writing to it.
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

/* To be waited for. */
int stream_signals_fd(void)
{
	return sig.fd;
}

/* Are we to end? */
bool stream_signals_came(void)
{
	struct pollfd pfd = { .fd = sig.fd, .events = POLLIN };

	return poll(&pfd, 1, 0) > 0;
}

/* The signals have done what they were for. */
void stream_signals_done(void)
{
	struct signalfd_siginfo info;

	while (read(sig.fd, &info, sizeof(info)) > 0)
		;
}

/* One that was not done with ends us now. */
void stream_signals_end(void)
{
	stream_out_stop_by(-1);
	close(sig.fd);
	sig.fd = -1;
	sigaction(SIGXFSZ, &sig.old_xfsz, NULL);
	sigaction(SIGPIPE, &sig.old_pipe, NULL);
	sigprocmask(SIG_SETMASK, &sig.old_set, NULL);
}
