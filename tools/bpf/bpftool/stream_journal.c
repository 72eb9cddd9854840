// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Write lines to systemd's journal, with its native protocol. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "stream.h"

#define JOURNAL_SOCKET	"/run/systemd/journal/socket"

static int journal_fd = -1;

static int journal_connect(void)
{
	static const struct sockaddr_un addr = {
		.sun_family = AF_UNIX,
		.sun_path = JOURNAL_SOCKET,
	};

	if (connect(journal_fd, (const struct sockaddr *)&addr, sizeof(addr)))
		return -errno;

	return 0;
}

int stream_journal_open(void)
{
	int err;

	journal_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (journal_fd < 0) {
		p_err("can't create a socket: %s", strerror(errno));
		return -1;
	}

	err = journal_connect();
	if (err) {
		p_err("can't connect to systemd-journald at " JOURNAL_SOCKET ": %s",
		      strerror(-err));
		stream_journal_close();
		return -1;
	}

	return 0;
}

void stream_journal_close(void)
{
	if (journal_fd >= 0)
		close(journal_fd);
	journal_fd = -1;
}

static int journal_send(const struct msghdr *msg)
{
	unsigned int tries = 0;
	bool again = false;
	int err;

	for (;;) {
		if (sendmsg(journal_fd, msg, MSG_NOSIGNAL) >= 0)
			return 0;

		switch (errno) {
		case EINTR:
			break;
		case EAGAIN:
			if (stream_out_wait(journal_fd, &tries))
				return -EINTR;
			break;
		case ECONNREFUSED:
		case ENOTCONN:
			/* journald was started anew, with another socket */
			if (again)
				return -errno;
			again = true;
			err = journal_connect();
			if (err)
				return err;
			break;
		default:
			return -errno;
		}
	}
}

/* Send entries that are too large for a datagram as a sealed file. */
static int journal_send_file(const struct iovec *iov, int nr, size_t len)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {};
	struct msghdr msg = {
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	ssize_t n;
	int fd, err = 0;

	fd = memfd_create("bpftool-journal", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;

	n = writev(fd, iov, nr);
	if (n < 0)
		err = -errno;
	else if ((size_t)n != len)
		err = -ENOSPC;
	else if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW |
					F_SEAL_WRITE | F_SEAL_SEAL))
		err = -errno;
	if (err)
		goto exit_close;

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	err = journal_send(&msg);

exit_close:
	close(fd);
	return err;
}

int stream_priority(const struct stream *s, const char *text, size_t len)
{
	static const char error[] = "ERROR: ";

	if (len >= strlen(error) && !memcmp(text, error, strlen(error)))
		return STREAM_PRIO_ERROR;
	return s->id == BPF_STREAM_STDERR ? STREAM_PRIO_STDERR : STREAM_PRIO_STDOUT;
}

/*
 * A field is a line KEY=value with arbitrary bytes. There is another form for values with
 * a newline, which lines do not contain.
 */
int stream_journal_line(const struct stream *s, const char *text, size_t len)
{
	const struct stream_prog *p = s->prog;
	struct iovec iov[3];
	struct msghdr msg = {
		.msg_iov = iov,
		.msg_iovlen = ARRAY_SIZE(iov),
	};
	char fields[512];
	int n, err;

	/* Leave out empty lines, as at the end of a report. */
	if (!len)
		return 0;

	n = snprintf(fields, sizeof(fields),
		     "PRIORITY=%d\nSYSLOG_IDENTIFIER=%s\nSYSLOG_PID=%u\n"
		     "BPF_PROG_ID=%u\nBPF_PROG_NAME=%s\n"
		     "BPF_PROG_TAG=" BPF_TAG_FMT "\nBPF_STREAM=%s\nMESSAGE=",
		     stream_priority(s, text, len), *p->name ? p->name : "bpf",
		     p->id, p->id, p->name,
		     p->tag[0], p->tag[1], p->tag[2], p->tag[3],
		     p->tag[4], p->tag[5], p->tag[6], p->tag[7], s->name);

	iov[0].iov_base = fields;
	iov[0].iov_len = n;
	iov[1].iov_base = (char *)text;
	iov[1].iov_len = len;
	iov[2].iov_base = (char *)"\n";
	iov[2].iov_len = 1;

	err = journal_send(&msg);
	if (err == -EMSGSIZE || err == -ENOBUFS)
		err = journal_send_file(iov, ARRAY_SIZE(iov), n + len + 1);

	return err;
}
