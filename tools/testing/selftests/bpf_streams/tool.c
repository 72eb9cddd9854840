// SPDX-License-Identifier: GPL-2.0
/* Running bpftool, see tool.h */
#include <poll.h>
#include <stdarg.h>
#include <termios.h>
#include <arpa/inet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "../kselftest.h"
#include "tool.h"

static int open_terminal(int fds[2])
{
	fds[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fds[0] < 0 || unlockpt(fds[0]))
		return -1;
	fds[1] = ioctl(fds[0], TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	return fds[1] < 0 ? -1 : 0;
}

static int open_master(int fds[2])
{
	struct termios raw;
	int swapped[2];

	if (open_terminal(swapped) || tcgetattr(swapped[1], &raw))
		return -1;
	cfmakeraw(&raw);
	fds[0] = swapped[1];
	fds[1] = swapped[0];
	return tcsetattr(fds[0], TCSANOW, &raw);
}

static struct sockaddr_in address_of(const struct tool *t)
{
	return (struct sockaddr_in) {
		.sin_family = AF_INET,
		.sin_port = htons(t->udp),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

static int enable_loopback(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err;

	err = ioctl(fd, SIOCSIFFLAGS, &ifr);
	close(fd);
	return err;
}

static int open_bound(const struct tool *t)
{
	struct sockaddr_in addr = address_of(t);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ? -1 : fd;
}

static int open_udp(const struct tool *t, int fds[2])
{
	struct sockaddr_in addr = address_of(t);

	if (enable_loopback())
		return -1;
	fds[0] = open_bound(t);
	fds[1] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return connect(fds[1], (struct sockaddr *)&addr, sizeof(addr));
}

static int open_output(const struct tool *t, int fds[2])
{
	if (t->terminal)
		return open_terminal(fds);
	if (t->master)
		return open_master(fds);
	if (t->udp)
		return open_udp(t, fds);
	if (t->socket)
		return socketpair(AF_UNIX, t->socket | SOCK_CLOEXEC, 0, fds);
	if (pipe2(fds, O_CLOEXEC))
		return -1;
	return t->non_blocking ? fcntl(fds[1], F_SETFL, O_NONBLOCK) : 0;
}

static int start(struct tool *t, const char *fmt, va_list ap)
{
	int out[2], err[2];
	char command[1024];
	int len;

	len = snprintf(command, sizeof(command), "%s exec bpftool ", t->before ?: "");
	vsnprintf(command + len, sizeof(command) - len, fmt, ap);

	if (open_output(t, out) || pipe2(err, O_CLOEXEC))
		return -errno;
	t->pid = fork();
	if (t->pid < 0)
		return -errno;
	if (!t->pid) {
		dup2(out[1], STDOUT_FILENO);
		dup2(err[1], STDERR_FILENO);
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	close(out[1]);
	close(err[1]);
	t->fd[OUT] = out[0];
	t->fd[ERR] = err[0];
	return 0;
}

int tool_start(struct tool *t, const char *fmt, ...)
{
	va_list ap;
	int err;

	va_start(ap, fmt);
	err = start(t, fmt, ap);
	va_end(ap);
	return err;
}

void tool_wait_until_stuck(struct tool *t)
{
	int size = fcntl(t->fd[OUT], F_GETPIPE_SZ), queued = 0, before;

	/* A page that is not full does not accept other text */
	wait_until(ioctl(t->fd[OUT], FIONREAD, &queued) || queued > size / 2);
	do {
		before = queued;
		usleep(100 * 1000);
	} while (!ioctl(t->fd[OUT], FIONREAD, &queued) && queued != before);
}

int tool_bind(struct tool *t)
{
	t->fd[OUT] = open_bound(t);
	return t->fd[OUT] < 0 ? -errno : 0;
}

void tool_stop_reading(struct tool *t, int which)
{
	if (t->fd[which] >= 0)
		close(t->fd[which]);
	t->fd[which] = -1;
}

static void read_some(struct tool *t, int which)
{
	char buf[64 * 1024];
	ssize_t n;

	n = read(t->fd[which], buf, sizeof(buf));
	if (n > 0)
		text_add(&t->text[which], buf, n);
	else if (!n || errno != EINTR)
		tool_stop_reading(t, which);
}

/* Wait for output. Return: false if there will be no more. */
static bool get_more(struct tool *t)
{
	struct pollfd fds[] = {
		{ .fd = t->fd[OUT], .events = POLLIN },
		{ .fd = t->fd[ERR], .events = POLLIN },
	};
	int i;

	if (t->fd[OUT] < 0 && t->fd[ERR] < 0)
		return false;
	poll(fds, 2, -1);
	for (i = OUT; i <= ERR; i++) {
		if (fds[i].revents)
			read_some(t, i);
	}
	return true;
}

bool tool_says(struct tool *t, int which, const char *text)
{
	const struct text *all = &t->text[which];
	size_t seen = 0, len = strlen(text);

	/* Do not search the same text again, except for a possible beginning */
	while (all->len - seen < len ||
	       !memmem(all->data + seen, all->len - seen, text, len)) {
		seen = all->len < len ? 0 : all->len - len + 1;
		if (!get_more(t))
			return false;
	}
	return true;
}

void tool_wait(struct tool *t)
{
	siginfo_t info;

	waitid(P_PID, t->pid, &info, WEXITED | WNOWAIT);
}

int tool_end(struct tool *t)
{
	int status;

	while (get_more(t))
		;
	if (waitpid(t->pid, &status, 0) != t->pid)
		return -errno;
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

int tool_run(struct tool *t, const char *fmt, ...)
{
	va_list ap;
	int err;

	va_start(ap, fmt);
	err = start(t, fmt, ap);
	va_end(ap);
	return err ?: tool_end(t);
}

/* It can be reused then; if never used, it has no descriptors */
void tool_free(struct tool *t)
{
	if (t->pid) {
		tool_stop_reading(t, OUT);
		tool_stop_reading(t, ERR);
	}
	text_free(&t->text[OUT]);
	text_free(&t->text[ERR]);
	memset(t, 0, sizeof(*t));
}

bool text_is(const struct text *t, const char *want)
{
	if (t->len == strlen(want) && !memcmp(t->data, want, t->len))
		return true;
	fprintf(stderr, "# got '%.*s'\n# rather than '%s'\n", (int)t->len,
		t->data ?: "", want);
	return false;
}

bool text_has(const struct text *t, const char *what)
{
	return t->len && memmem(t->data, t->len, what, strlen(what));
}

bool text_next_line(struct text *rest, struct text *line)
{
	char *nl = rest->len ? memchr(rest->data, '\n', rest->len) : NULL;

	if (!nl)
		return false;
	line->data = rest->data;
	line->len = nl - rest->data;
	rest->data = nl + 1;
	rest->len -= line->len + 1;
	return true;
}

int say_text(struct say_bpf *skel, __u32 stream, const char *text, size_t len)
{
	memcpy(skel->bss->text, text, len);
	skel->bss->text[len] = '\0';
	return say_all(bpf_program__fd(skel->progs.say), stream, SAY_TEXT, 1, NULL);
}

int say_string(struct say_bpf *skel, __u32 stream, const char *text)
{
	return say_text(skel, stream, text, strlen(text));
}

bool can_wait(int prog_fd)
{
	int fd = stream_open(prog_fd, STDOUT, 0);

	if (fd < 0)
		return fd != -EINVAL;
	close(fd);
	return true;
}

void tool_require(void)
{
	struct tool t = {};
	int status = tool_run(&t, "version");

	tool_free(&t);
	if (!status)
		return;
	ksft_print_header();
	ksft_exit_skip("no bpftool in PATH\n");
}
