// SPDX-License-Identifier: GPL-2.0
/*
 * Descriptors of streams: errors, sleeping, polling, their end, and that no wake-up is
 * lost, in whatever context programs print.
 */
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "streams_test.h"
#include "anywhere.h"
#include "anywhere.skel.h"

static int raw_open(int cmd, const void *attr, size_t size)
{
	long ret = syscall(__NR_bpf, cmd, attr, size);

	return ret < 0 ? -errno : ret;
}

static long fd_read(int fd, void *buf, size_t len)
{
	ssize_t ret = read(fd, buf, len);

	return ret < 0 ? -errno : ret;
}

/* Result of poll() without waiting */
static int poll_now(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) < 0 ? -errno : p.revents;
}

/* Result of poll() with waiting */
static int poll_wait(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, -1) < 0 ? -errno : p.revents;
}

static int epoll_add(int epfd, int fd, __u32 events, __u64 data)
{
	struct epoll_event ev = { .events = events, .data.u64 = data };

	return epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev);
}

/* Events of the only descriptor in the set, 0 if there are none for 'timeout' ms */
static int epoll_one(int epfd, int timeout)
{
	struct epoll_event ev = {};
	int n = epoll_wait(epfd, &ev, 1, timeout);

	return n < 0 ? -errno : n ? (int)ev.events : 0;
}

FIXTURE(open)
{
	struct say_bpf *skel;
	int prog;
	int fd;			/* of its stdout, non-blocking */
	__u32 id;
};

FIXTURE_SETUP(open)
{
	self->skel = say_load(&self->prog);
	ASSERT_NE(NULL, self->skel);
	SKIP_UNLESS_OURS("BPF_PROG_STREAM_OPEN");
	self->id = prog_id(self->prog);
	self->fd = stream_open(self->prog, STDOUT, STREAM_NONBLOCK);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(open)
{
	close(self->fd);
	say_bpf__destroy(self->skel);
}

/* Unload the program, with everything that refers to it except open streams */
static void unload(struct say_bpf **skel)
{
	say_bpf__destroy(*skel);
	*skel = NULL;
}

TEST_F(open, refuses_what_is_no_stream)
{
	struct stream_open_attr attr = { .prog_fd = self->prog, .stream_id = STDOUT };
	struct {
		struct stream_open_attr attr;
		char zeros[256];
	} large = { .attr = attr };
	int tmp, fd;

	EXPECT_EQ(-ENOENT, stream_open(self->prog, 0, 0));
	EXPECT_EQ(-ENOENT, stream_open(self->prog, 3, 0));
	EXPECT_EQ(-ENOENT, stream_open(self->prog, -1, 0));
	EXPECT_EQ(-EBADF, stream_open(-1, STDOUT, 0));
	EXPECT_EQ(-EBADF, stream_open(12345, STDOUT, 0));
	tmp = open("/proc/self/maps", O_RDONLY);
	EXPECT_EQ(-EINVAL, stream_open(tmp, STDOUT, 0));
	close(tmp);
	EXPECT_EQ(-EINVAL, stream_open(bpf_map__fd(self->skel->maps.bss), STDOUT, 0));
	EXPECT_EQ(-EINVAL, stream_open(self->fd, STDOUT, 0));
	EXPECT_EQ(-EINVAL, stream_open(self->prog, STDOUT, 2));
	EXPECT_EQ(-EINVAL, stream_open(self->prog, STDOUT, 0x80000001));

	/* Missing attributes are zero, and excess bytes must be zero */
	EXPECT_EQ(-EBADF, raw_open(STREAM_OPEN_CMD, &(__u32){ -1 }, 4));
	fd = raw_open(STREAM_OPEN_CMD, &attr, 8);
	EXPECT_LE(0, fd);
	close(fd);
	fd = raw_open(STREAM_OPEN_CMD, &large, sizeof(large));
	EXPECT_LE(0, fd);
	close(fd);
	attr.after = 1;
	EXPECT_EQ(-EINVAL, raw_open(STREAM_OPEN_CMD, &attr, sizeof(attr)));
	large.zeros[200] = 1;
	EXPECT_EQ(-E2BIG, raw_open(STREAM_OPEN_CMD, &large, sizeof(large)));
	EXPECT_EQ(-EFAULT, raw_open(STREAM_OPEN_CMD, (void *)8, sizeof(attr)));

	/* A command of newer kernels, whose number is reserved */
	attr.after = 0;
	EXPECT_EQ(-EINVAL, raw_open(38, &attr, 12));
}

TEST_F(open, needs_a_free_descriptor)
{
	struct rlimit before, none;
	int fd;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &before));
	none = before;
	none.rlim_cur = self->fd;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	fd = stream_open(self->prog, STDOUT, 0);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &before));
	EXPECT_EQ(-EMFILE, fd);
}

TEST_F(open, gives_a_read_only_close_on_exec_descriptor)
{
	char path[64], link[64] = "", buf[8];
	int fd = stream_open(self->prog, STDOUT, 0);

	ASSERT_LE(0, fd);
	EXPECT_EQ(O_RDONLY, fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK));
	EXPECT_EQ(O_NONBLOCK, fcntl(self->fd, F_GETFL) & O_NONBLOCK);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_EQ(-1, write(fd, "x", 1));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(-1, lseek(fd, 0, SEEK_SET));
	EXPECT_EQ(ESPIPE, errno);
	EXPECT_EQ(-1, pread(fd, buf, sizeof(buf), 0));
	EXPECT_EQ(ESPIPE, errno);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	EXPECT_LT(0, readlink(path, link, sizeof(link) - 1));
	EXPECT_STREQ("anon_inode:bpf-stream", link);
	close(fd);
}

static void set_text(struct say_bpf *skel, const char *text)
{
	snprintf(skel->bss->text, sizeof(skel->bss->text), "%s", text);
}

TEST_F(open, reads_what_the_command_reads)
{
	char a[64], b[64], c[3];
	struct iovec iov[2] = { { a, 3 }, { b, sizeof(b) } };
	int err;

	set_text(self->skel, "one");
	ASSERT_EQ(0, say_all(self->prog, STDOUT, SAY_TEXT, 1, NULL));
	set_text(self->skel, "and two");
	ASSERT_EQ(0, say_all(self->prog, STDOUT, SAY_TEXT, 1, NULL));
	ASSERT_EQ(0, say_all(self->prog, STDERR, SAY_TEXT, 1, NULL));

	/* Each byte is read once, with any number of readers */
	ASSERT_EQ(2, fd_read(self->fd, a, 2));
	ASSERT_EQ(3, stream_read(self->prog, STDOUT, c, 3));
	ASSERT_EQ(5, readv(self->fd, iov, 2));
	EXPECT_EQ(0, memcmp("ean", c, 3));
	EXPECT_EQ(0, memcmp("d t", a, 3));
	EXPECT_EQ(0, memcmp("wo", b, 2));
	EXPECT_EQ(-EAGAIN, fd_read(self->fd, a, sizeof(a)));

	/* The other stream is independent */
	err = stream_open(self->prog, STDERR, STREAM_NONBLOCK);
	ASSERT_LE(0, err);
	EXPECT_EQ(7, fd_read(err, a, sizeof(a)));
	EXPECT_EQ(0, memcmp("and two", a, 7));
	EXPECT_EQ(-EAGAIN, fd_read(err, a, sizeof(a)));
	close(err);
}

/* Also if the first buffer takes all text */
TEST_F_TIMEOUT(open, several_buffers_do_not_hold_text_back, 60)
{
	char a[4], b[4];
	struct iovec iov[] = { { NULL, 0 }, { a, 4 }, { b, 4 } };
	int fd;

	fd = stream_open(self->prog, STDOUT, 0);
	ASSERT_LE(0, fd);
	set_text(self->skel, "four");
	ASSERT_EQ(0, say_all(self->prog, STDOUT, SAY_TEXT, 1, NULL));
	EXPECT_EQ(4, readv(fd, iov, 3));
	EXPECT_EQ(0, memcmp("four", a, 4));
	ASSERT_EQ(0, say_all(self->prog, STDOUT, SAY_TEXT, 2, NULL));
	iov[2].iov_base = (void *)8;
	EXPECT_EQ(4, readv(fd, iov, 3));
	EXPECT_EQ(4, readv(fd, iov, 2));
	EXPECT_EQ(0, readv(fd, iov, 1));
	close(fd);
}

TEST_F(open, nothing_is_consumed_that_was_not_got)
{
	char buf[64];

	EXPECT_EQ(0, fd_read(self->fd, NULL, 0));
	EXPECT_EQ(-EAGAIN, fd_read(self->fd, (void *)8, 64));
	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 10));
	EXPECT_EQ(0, fd_read(self->fd, NULL, 0));
	EXPECT_EQ(-EFAULT, fd_read(self->fd, (void *)8, 64));
	EXPECT_EQ(POLLIN, poll_now(self->fd));
	EXPECT_EQ(10, fd_read(self->fd, buf, sizeof(buf)));
}

TEST_F(open, blocking_can_be_changed)
{
	char c;

	EXPECT_EQ(-EAGAIN, fd_read(self->fd, &c, 1));
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, 0));
	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 1));
	EXPECT_EQ(1, fd_read(self->fd, &c, 1));
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-EAGAIN, fd_read(self->fd, &c, 1));
}

/* All six lines of the fdinfo, in order; memory is in use if there is text */
static bool fdinfo_is(int fd, unsigned int prog, unsigned int stream,
		      unsigned int unread, unsigned int bytes, unsigned int msgs)
{
	char want[256], got[1024] = "", path[64];
	FILE *f;

	snprintf(want, sizeof(want),
		 "prog_id:\t%u\nstream_id:\t%u\nunread_bytes:\t%u\n"
		 "dropped_bytes:\t%u\ndropped_msgs:\t%u\nmemory_bytes:\t%u",
		 prog, stream, unread, bytes, msgs, unread ? getpagesize() : 0);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	if (!f)
		return false;
	got[fread(got, 1, sizeof(got) - 1, f)] = '\0';
	fclose(f);
	if (strstr(got, want))
		return true;
	fprintf(stderr, "# fdinfo is:\n%s# wanted:\n%s", got, want);
	return false;
}

TEST_F(open, fdinfo_tells_whose_and_how_much)
{
	struct say_args args = { .stream = STDERR, .kind = SAY_1024, .count = 3 };
	int fd = stream_open(self->prog, STDERR, 0);

	ASSERT_LE(0, fd);
	EXPECT_TRUE(fdinfo_is(fd, self->id, STDERR, 0, 0, 0));
	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 5));
	ASSERT_EQ(0, say_bytes(self->skel, STDERR, 7));
	ASSERT_EQ(0, say(self->prog, &args));
	ASSERT_EQ(3, args.refused);
	EXPECT_TRUE(fdinfo_is(self->fd, self->id, STDOUT, 5, 0, 0));
	EXPECT_TRUE(fdinfo_is(fd, self->id, STDERR, 7, 3 * 1024, 3));

	/* The program may be unloaded */
	unload(&self->skel);
	ASSERT_EQ(POLLIN | POLLHUP, poll_wait(fd) | POLLHUP);
	EXPECT_TRUE(fdinfo_is(fd, self->id, STDERR, 7, 3 * 1024, 3));
	close(fd);
}

TEST_F(open, libbpf_does_the_same)
{
	LIBBPF_OPTS(bpf_prog_stream_open_opts, opts, .flags = BPF_F_STREAM_NONBLOCK);
	int fd;
	char c;

	EXPECT_EQ(1, libbpf_probe_bpf_cmd(BPF_PROG_STREAM_READ_BY_FD, NULL));
	EXPECT_EQ(1, libbpf_probe_bpf_cmd(BPF_PROG_STREAM_OPEN, NULL));
	EXPECT_EQ(-EOPNOTSUPP, libbpf_probe_bpf_cmd(BPF_MAP_CREATE, NULL));
	EXPECT_EQ(-EINVAL, libbpf_probe_bpf_cmd(BPF_PROG_STREAM_OPEN, &opts));

	fd = bpf_prog_stream_open(self->prog, BPF_STREAM_STDOUT, &opts);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EAGAIN, fd_read(fd, &c, 1));
	close(fd);
	fd = bpf_prog_stream_open(self->prog, BPF_STREAM_STDOUT, NULL);
	ASSERT_LE(0, fd);
	EXPECT_EQ(O_RDONLY, fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK));
	close(fd);
	EXPECT_EQ(-ENOENT, bpf_prog_stream_open(self->prog, 3, NULL));
	EXPECT_EQ(-EBADF, bpf_prog_stream_open(-1, BPF_STREAM_STDOUT, NULL));
	opts.flags = 2;
	EXPECT_EQ(-EINVAL, bpf_prog_stream_open(self->prog, BPF_STREAM_STDOUT, &opts));
	opts.sz = 1;
	quiet_libbpf(true);
	EXPECT_EQ(-EINVAL, bpf_prog_stream_open(self->prog, BPF_STREAM_STDOUT, &opts));
	quiet_libbpf(false);
}

/* A process with the descriptor may read without privilege */
TEST_F(open, needs_no_capabilities)
{
	int status;
	pid_t pid;

	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 2));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		char c;

		if (setresuid(65534, 65534, 65534) || keep_only_caps(0))
			_exit(1);
		if (fd_read(self->fd, &c, 1) != 1)
			_exit(2);
		if (fd_read(stream_open(self->prog, STDOUT, 0), &c, 1) != 1)
			_exit(3);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
}

/* --- poll --- */

TEST_F(open, polls_readable_while_there_is_text)
{
	char buf[16];

	EXPECT_EQ(0, poll_now(self->fd));
	ASSERT_EQ(0, say_all(self->prog, STDERR, SAY_CHAR, 1, NULL));
	EXPECT_EQ(0, poll_now(self->fd));
	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 10));
	EXPECT_EQ(POLLIN, poll_now(self->fd));
	EXPECT_EQ(9, fd_read(self->fd, buf, 9));
	EXPECT_EQ(POLLIN, poll_now(self->fd));
	EXPECT_EQ(1, fd_read(self->fd, buf, sizeof(buf)));
	EXPECT_EQ(0, poll_now(self->fd));
}

TEST_F(open, hangs_up_before_it_ends)
{
	char buf[64];

	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 20));
	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 20));
	unload(&self->skel);
	/* The descriptor does not keep the program loaded */
	wait_until(!prog_id_exists(self->id));
	wait_until(poll_now(self->fd) & POLLHUP);
	EXPECT_EQ(POLLIN | POLLHUP, poll_now(self->fd));
	EXPECT_EQ(30, fd_read(self->fd, buf, 30));
	EXPECT_EQ(POLLIN | POLLHUP, poll_now(self->fd));
	EXPECT_EQ(10, fd_read(self->fd, buf, sizeof(buf)));
	EXPECT_EQ(POLLHUP, poll_now(self->fd));
	EXPECT_EQ(0, fd_read(self->fd, buf, sizeof(buf)));
	EXPECT_EQ(0, fd_read(self->fd, buf, sizeof(buf)));
}

FIXTURE(edge)
{
	struct say_bpf *skel;
	int prog, fd, epfd;
};

FIXTURE_SETUP(edge)
{
	self->skel = say_load(&self->prog);
	ASSERT_NE(NULL, self->skel);
	SKIP_UNLESS_OURS("BPF_PROG_STREAM_OPEN");
	self->fd = stream_open(self->prog, STDOUT, STREAM_NONBLOCK);
	self->epfd = epoll_create1(EPOLL_CLOEXEC);
	ASSERT_LE(0, self->fd);
	ASSERT_LE(0, self->epfd);
}

FIXTURE_TEARDOWN(edge)
{
	close(self->epfd);
	close(self->fd);
	say_bpf__destroy(self->skel);
}

TEST_F(edge, level_triggered_tells_as_long_as_there_is_text)
{
	char buf[16];

	ASSERT_EQ(0, epoll_add(self->epfd, self->fd, EPOLLIN, 0));
	EXPECT_EQ(0, epoll_one(self->epfd, 0));
	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 10));
	EXPECT_EQ(EPOLLIN, epoll_one(self->epfd, -1));
	EXPECT_EQ(EPOLLIN, epoll_one(self->epfd, -1));
	EXPECT_EQ(5, fd_read(self->fd, buf, 5));
	EXPECT_EQ(EPOLLIN, epoll_one(self->epfd, -1));
	EXPECT_EQ(5, fd_read(self->fd, buf, sizeof(buf)));
	EXPECT_EQ(0, epoll_one(self->epfd, 0));
	unload(&self->skel);
	EXPECT_EQ(EPOLLHUP, epoll_one(self->epfd, -1));
	EXPECT_EQ(0, fd_read(self->fd, buf, sizeof(buf)));
}

TEST_F(edge, edge_triggered_tells_again_after_a_drain)
{
	char buf[16];
	int i;

	ASSERT_EQ(0, epoll_add(self->epfd, self->fd, EPOLLIN | EPOLLET, 0));
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 10));
		ASSERT_EQ(EPOLLIN, epoll_one(self->epfd, -1));
		/* No more events until something changes */
		ASSERT_EQ(0, epoll_one(self->epfd, 0));
		/* A short count means that it is drained, like EAGAIN */
		ASSERT_EQ(10, fd_read(self->fd, buf, sizeof(buf)));
		ASSERT_EQ(0, epoll_one(self->epfd, 0));
	}
	unload(&self->skel);
	EXPECT_EQ(EPOLLHUP, epoll_one(self->epfd, -1));
}

/* Many messages at once, some of them read into a buffer without room for all */
TEST_F(edge, edge_triggered_tells_of_text_behind_what_was_left)
{
	char buf[16];

	ASSERT_EQ(0, epoll_add(self->epfd, self->fd, EPOLLIN | EPOLLET, 0));
	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 10));
	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 10));
	ASSERT_EQ(EPOLLIN, epoll_one(self->epfd, -1));
	ASSERT_EQ(5, fd_read(self->fd, buf, 5));
	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 10));
	ASSERT_EQ(EPOLLIN, epoll_one(self->epfd, -1));
}

/* Unloading the program wakes all waiters, including those that share a wake-up */
TEST_F(edge, every_exclusive_waiter_is_told_of_the_end)
{
	int other = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_LE(0, other);
	ASSERT_EQ(0, epoll_add(self->epfd, self->fd, EPOLLIN | EPOLLET | EPOLLEXCLUSIVE, 0));
	ASSERT_EQ(0, epoll_add(other, self->fd, EPOLLIN | EPOLLET | EPOLLEXCLUSIVE, 0));
	unload(&self->skel);
	EXPECT_EQ(EPOLLHUP, epoll_one(self->epfd, -1));
	EXPECT_EQ(EPOLLHUP, epoll_one(other, -1));
	close(other);
}

/* --- sleeping --- */

struct sleeper {
	pthread_t thread;
	int fd;
	struct flag started;
	pid_t tid;
	long ret;
	char buf[64];
};

static void *sleep_in_read(void *arg)
{
	struct sleeper *s = arg;

	s->tid = syscall(__NR_gettid);
	flag_set(&s->started);
	s->ret = fd_read(s->fd, s->buf, sizeof(s->buf));
	return NULL;
}

static bool sleeper_start(struct sleeper *s, int fd)
{
	memset(s, 0, sizeof(*s));
	s->fd = fd;
	if (fd < 0 || pthread_create(&s->thread, NULL, sleep_in_read, s))
		return false;
	wait_until(flag_is_set(&s->started));
	wait_until(sleeps_in(s->tid, __NR_read));
	return true;
}

static long sleeper_join(struct sleeper *s)
{
	pthread_join(s->thread, NULL);
	return s->ret;
}

TEST_F(open, sleeper_is_woken_by_a_message)
{
	int fd = stream_open(self->prog, STDOUT, 0), i;
	struct sleeper s;

	for (i = 0; i < 20; i++) {
		ASSERT_TRUE(sleeper_start(&s, fd));
		/* Not woken by the other stream, nor by empty or refused messages */
		ASSERT_EQ(0, say_bytes(self->skel, STDERR, 10));
		ASSERT_EQ(0, say_all(self->prog, STDOUT, SAY_EMPTY, 1, NULL));
		wait_until(sleeps_in(s.tid, __NR_read));
		ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 10));
		ASSERT_EQ(10, sleeper_join(&s));
	}
	close(fd);
}

/* The text is complete: one group of many messages, with one wake-up */
TEST_F(open, sleeper_is_woken_by_a_report)
{
	int fd = stream_open(self->prog, STDERR, 0);
	struct sleeper s;

	if (!kernel_has_func("bpf_stream_print_stack"))
		SKIP(return, "no stack dumps");
	ASSERT_TRUE(sleeper_start(&s, fd));
	ASSERT_EQ(0, say_all(self->prog, STDERR, SAY_STACK, 1, NULL));
	EXPECT_EQ(sizeof(s.buf), sleeper_join(&s));
	EXPECT_EQ(0, memcmp("CPU: ", s.buf, 5));
	close(fd);
}

TEST_F(open, sleeper_sees_the_end)
{
	int fd = stream_open(self->prog, STDOUT, 0);
	struct sleeper s;

	ASSERT_TRUE(sleeper_start(&s, fd));
	unload(&self->skel);
	EXPECT_EQ(0, sleeper_join(&s));
	close(fd);
}

/* The system call that sleeps has a reference, as with a pipe */
TEST_F(open, sleeper_survives_the_close)
{
	int fd = stream_open(self->prog, STDOUT, 0);
	struct sleeper s;

	ASSERT_TRUE(sleeper_start(&s, fd));
	close(fd);
	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 10));
	EXPECT_EQ(10, sleeper_join(&s));

	fd = stream_open(self->prog, STDOUT, 0);
	ASSERT_TRUE(sleeper_start(&s, fd));
	close(fd);
	unload(&self->skel);
	EXPECT_EQ(0, sleeper_join(&s));
}

static void on_signal(int sig)
{
}

static void catch_signal(int flags)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = flags };

	sigaction(SIGUSR1, &sa, NULL);
}

TEST_F(open, sleeper_is_interrupted_as_in_a_pipe)
{
	int fd = stream_open(self->prog, STDOUT, 0);
	struct sleeper s;

	catch_signal(0);
	ASSERT_TRUE(sleeper_start(&s, fd));
	ASSERT_EQ(0, pthread_kill(s.thread, SIGUSR1));
	EXPECT_EQ(-EINTR, sleeper_join(&s));

	catch_signal(SA_RESTART);
	ASSERT_TRUE(sleeper_start(&s, fd));
	ASSERT_EQ(0, pthread_kill(s.thread, SIGUSR1));
	wait_until(sleeps_in(s.tid, __NR_read));
	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 10));
	EXPECT_EQ(10, sleeper_join(&s));
	close(fd);
}

static void run_first(bool first)
{
	struct sched_param param = { .sched_priority = first };

	pin_to_cpu(0);
	sched_setscheduler(0, first ? SCHED_FIFO : SCHED_OTHER, &param);
}

/* It is woken by text, and killed before it can read it */
TEST_F_TIMEOUT(open, sleeper_can_be_killed_with_text_before_it, 60)
{
	int fd = stream_open(self->prog, STDOUT, 0), status;
	pid_t pid;
	char c;

	ASSERT_LE(0, fd);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		pin_to_cpu(0);
		fd_read(fd, &c, 1);
		_exit(0);
	}
	wait_until(sleeps_in(pid, __NR_read));
	/* It can only run on this CPU, and not before this task waits for it */
	run_first(true);
	EXPECT_EQ(0, say_bytes(self->skel, STDOUT, 10));
	EXPECT_EQ(0, kill(pid, SIGKILL));
	run_first(false);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(POLLIN, poll_now(fd));
	close(fd);
}

/* One text for many sleeping readers: one gets it, the others sleep again */
TEST_F(open, many_sleepers_share)
{
	int fd = stream_open(self->prog, STDOUT, 0), i, got = 0;
	struct sleeper s[8];

	for (i = 0; i < 8; i++)
		ASSERT_TRUE(sleeper_start(&s[i], i % 2 ? fd : stream_open(self->prog, STDOUT, 0)));
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 10));
	unload(&self->skel);
	for (i = 0; i < 8; i++) {
		got += sleeper_join(&s[i]);
		EXPECT_EQ(0, s[i].ret % 10);
		if (s[i].fd != fd)
			close(s[i].fd);
	}
	EXPECT_EQ(40, got);
	close(fd);
}

/* --- woken from other contexts --- */

FIXTURE(woken)
{
	struct anywhere_bpf *skel;
};

FIXTURE_VARIANT(woken)
{
	const char *tracepoint;
	enum context context;
};

FIXTURE_VARIANT_ADD(woken, in_nmi) {
	.tracepoint = "nmi_handler", .context = IN_NMI,
};

FIXTURE_VARIANT_ADD(woken, in_hard_interrupt) {
	.tracepoint = "hrtimer_expire_entry", .context = IN_HARDIRQ,
};

FIXTURE_VARIANT_ADD(woken, in_soft_interrupt) {
	.tracepoint = "softirq_entry", .context = IN_SOFTIRQ,
};

/* Waking up takes this lock, which is held while the program runs */
FIXTURE_VARIANT_ADD(woken, under_the_runqueue_lock) {
	.tracepoint = "sched_switch", .context = IN_TASK,
};

FIXTURE_SETUP(woken)
{
	if (variant->context == IN_NMI && nr_cpus() < 2)
		SKIP(return, "needs two CPUs: NMIs are sent to the others");
	if (!kernel_has_tracepoint(variant->tracepoint))
		SKIP(return, "no %s here", variant->tracepoint);
	if (variant->context != IN_SOFTIRQ && !has_pages_with_irqs_off())
		SKIP(return, "no page is to be had there on UP and PREEMPT_RT");
	self->skel = anywhere_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel);
	SKIP_UNLESS_OURS("BPF_PROG_STREAM_OPEN");
	memset(self->skel->bss->pad, 'x', sizeof(self->skel->bss->pad) - 1);
}

FIXTURE_TEARDOWN(woken)
{
	anywhere_bpf__destroy(self->skel);
}

/* Only the program in that context prints */
TEST_F(woken, sleeper_is)
{
	int fd = stream_open(bpf_program__fd(self->skel->progs.anywhere), STDOUT, 0);
	int level = set_console_level(CONSOLE_ERRORS), i;
	struct bpf_link *link;
	struct sleeper s;

	for (i = 0; i < 5; i++) {
		ASSERT_TRUE(sleeper_start(&s, fd));
		link = bpf_program__attach_raw_tracepoint(self->skel->progs.anywhere,
							  variant->tracepoint);
		ASSERT_NE(NULL, link);
		if (variant->context == IN_NMI)
			ASSERT_TRUE(send_nmis());
		EXPECT_LT(0, sleeper_join(&s));
		bpf_link__destroy(link);
		while (poll_now(fd) & POLLIN)
			ASSERT_LT(0, fd_read(fd, s.buf, sizeof(s.buf)));
	}
	if (self->skel->bss->context_known)
		EXPECT_LT(0, self->skel->bss->accepted[variant->context]);
	set_console_level(level);
	close(fd);
}

/* --- no wake-up is lost --- */

#define PINGS	20000

enum pinged { BY_READ, BY_POLL, BY_LEVEL, BY_EDGE };

FIXTURE(ping)
{
	struct say_bpf *skel;
	int prog;
};

FIXTURE_VARIANT(ping)
{
	enum pinged how;
};

FIXTURE_VARIANT_ADD(ping, read) { .how = BY_READ };
FIXTURE_VARIANT_ADD(ping, poll) { .how = BY_POLL };
FIXTURE_VARIANT_ADD(ping, epoll_level) { .how = BY_LEVEL };
FIXTURE_VARIANT_ADD(ping, epoll_edge) { .how = BY_EDGE };

FIXTURE_SETUP(ping)
{
	self->skel = say_load(&self->prog);
	ASSERT_NE(NULL, self->skel);
	SKIP_UNLESS_OURS("BPF_PROG_STREAM_OPEN");
}

FIXTURE_TEARDOWN(ping)
{
	say_bpf__destroy(self->skel);
}

struct pinger {
	pthread_t thread;
	int prog;
	int received;		/* by the reader */
	int error;
};

/* Print a message only after the reader got the previous one: each must wake it */
static void *ping_thread(void *arg)
{
	struct pinger *p = arg;
	int i;

	pin_to_cpu(1 % nr_cpus());
	for (i = 0; i < PINGS && !p->error; i++) {
		p->error = say_all(p->prog, STDOUT, SAY_CHAR, 1, NULL);
		while (__atomic_load_n(&p->received, __ATOMIC_ACQUIRE) == i && !p->error)
			sched_yield();
	}
	return NULL;
}

/* Return when there is text, as far as can be determined. */
static int sleep_until_text(enum pinged how, int fd, int epfd)
{
	switch (how) {
	case BY_READ:
		return POLLIN;
	case BY_POLL:
		return poll_wait(fd);
	default:
		return epoll_one(epfd, -1);
	}
}

TEST_F(ping, each_message_wakes_its_reader)
{
	bool blocking = variant->how == BY_READ;
	int fd = stream_open(self->prog, STDOUT, blocking ? 0 : STREAM_NONBLOCK);
	int epfd = epoll_create1(EPOLL_CLOEXEC), i;
	struct pinger p = { .prog = self->prog };
	char buf[4];
	long ret;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, epoll_add(epfd, fd, EPOLLIN | (variant->how == BY_EDGE ? EPOLLET : 0), 0));
	pin_to_cpu(0);
	ASSERT_EQ(0, pthread_create(&p.thread, NULL, ping_thread, &p));
	for (i = 0; i < PINGS;) {
		ASSERT_EQ(POLLIN, sleep_until_text(variant->how, fd, epfd));
		ret = fd_read(fd, buf, sizeof(buf));
		if (ret == -EAGAIN && variant->how != BY_EDGE)
			continue;
		ASSERT_EQ(1, ret);
		__atomic_store_n(&p.received, ++i, __ATOMIC_RELEASE);
	}
	ASSERT_EQ(0, pthread_join(p.thread, NULL));
	EXPECT_EQ(0, p.error);
	close(epfd);
	close(fd);
}

/*
 * Readers of different kinds read the same stream, one byte at a time, and leave the rest
 * to each other. None may sleep while there is text.
 */
struct nibbler {
	pthread_t thread;
	enum pinged how;
	int fd;
	unsigned long long bytes;
	int error;
};

static void *nibble_thread(void *arg)
{
	struct nibbler *n = arg;
	int epfd = epoll_create1(EPOLL_CLOEXEC);
	long ret;
	char c;

	epoll_add(epfd, n->fd, EPOLLIN, 0);
	for (;;) {
		sleep_until_text(n->how, n->fd, epfd);
		ret = fd_read(n->fd, &c, 1);
		if (ret == 1) {
			n->bytes++;
		} else if (ret != -EAGAIN) {
			n->error = ret;
			break;
		}
	}
	close(epfd);
	return NULL;
}

TEST_F(open, readers_leave_text_for_one_another)
{
	static const enum pinged hows[] = { BY_READ, BY_POLL, BY_LEVEL };
	unsigned long long sum = 0;
	struct nibbler n[6] = {};
	int i;

	for (i = 0; i < 6; i++) {
		n[i].how = hows[i % 3];
		n[i].fd = stream_open(self->prog, STDOUT,
				      n[i].how == BY_READ ? 0 : STREAM_NONBLOCK);
		ASSERT_LE(0, n[i].fd);
		ASSERT_EQ(0, pthread_create(&n[i].thread, NULL, nibble_thread, &n[i]));
	}
	for (i = 0; i < 2000; i++)
		ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 1 + i % 40));
	/* The last text is read before the program is unloaded, which would wake all */
	wait_until(!(poll_now(self->fd) & POLLIN));
	unload(&self->skel);
	for (i = 0; i < 6; i++) {
		ASSERT_EQ(0, pthread_join(n[i].thread, NULL));
		EXPECT_EQ(0, n[i].error);
		sum += n[i].bytes;
		close(n[i].fd);
	}
	EXPECT_EQ(2000 / 40 * (1 + 40) * 20, sum);
}

/* --- many programs --- */

#define NR_PROGS	100
#define PROG_LINES	50

struct followed {
	struct say_bpf *skel;
	int prog, fd;
	struct text got;
	bool ended;
};

static void *print_for_all(void *arg)
{
	struct followed *all = arg;
	struct say_args args = { .stream = STDOUT, .kind = SAY_LINE, .count = 1 };
	int i, line;

	for (line = 0; line < PROG_LINES; line++) {
		for (i = 0; i < NR_PROGS; i++) {
			args.writer = i;
			args.seq = line;
			say_until_full(all[i].prog, &args);
		}
	}
	for (i = 0; i < NR_PROGS; i++)
		say_bpf__destroy(all[i].skel);
	return NULL;
}

/* Edge-triggered: read until it is drained. Return: true at the end of the stream. */
static bool follow(struct followed *f)
{
	char buf[512];
	long ret;

	while ((ret = fd_read(f->fd, buf, sizeof(buf))) > 0)
		text_add(&f->got, buf, ret);
	return !ret;
}

TEST(one_loop_follows_100_programs)
{
	struct followed *all = calloc(NR_PROGS, sizeof(*all));
	int epfd = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ev[16];
	int i, n, line, left = NR_PROGS;
	struct text want = {};
	pthread_t printer;

	ASSERT_NE(NULL, all);
	for (i = 0; i < NR_PROGS; i++) {
		all[i].skel = say_load(&all[i].prog);
		ASSERT_NE(NULL, all[i].skel);
		SKIP_UNLESS_OURS("BPF_PROG_STREAM_OPEN");
		all[i].fd = stream_open(all[i].prog, STDOUT, STREAM_NONBLOCK);
		ASSERT_LE(0, all[i].fd);
		ASSERT_EQ(0, epoll_add(epfd, all[i].fd, EPOLLIN | EPOLLET, i));
	}
	ASSERT_EQ(0, pthread_create(&printer, NULL, print_for_all, all));
	while (left) {
		n = epoll_wait(epfd, ev, ARRAY_SIZE(ev), -1);
		ASSERT_LT(0, n);
		for (i = 0; i < n; i++) {
			struct followed *f = &all[ev[i].data.u64];

			if (!f->ended && follow(f)) {
				f->ended = true;
				left--;
			}
		}
	}
	ASSERT_EQ(0, pthread_join(printer, NULL));
	for (i = 0; i < NR_PROGS; i++) {
		want.len = 0;
		for (line = 0; line < PROG_LINES; line++)
			text_line(&want, i, line);
		EXPECT_EQ(want.len, all[i].got.len);
		EXPECT_EQ(0, memcmp(want.data, all[i].got.data, want.len));
		text_free(&all[i].got);
		close(all[i].fd);
	}
	text_free(&want);
	free(all);
	close(epfd);
}

/* --- coming and going --- */

#define OPENERS		4
#define OPENS		10000
#define UNLOADS		20

struct opener {
	pthread_t thread;
	const int *prog;	/* of the program that is currently loaded, or a closed fd */
	int *opened;		/* by all of them */
	const struct flag *stop;
	int error;
};

/* Open, maybe read or poll, and close */
static void *open_and_close(void *arg)
{
	struct opener *o = arg;
	char buf[100];
	int fd, n = 0;

	while (!flag_is_set(o->stop)) {
		fd = stream_open(__atomic_load_n(o->prog, __ATOMIC_RELAXED), STDOUT + n % 2,
				 STREAM_NONBLOCK);
		if (fd < 0) {
			if (fd != -EBADF && fd != -EINVAL && !o->error)
				o->error = fd;
			continue;
		}
		if (n % 3 == 0)
			fd_read(fd, buf, sizeof(buf));
		else if (n % 3 == 1)
			poll_now(fd);
		close(fd);
		n = __atomic_fetch_add(o->opened, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

TEST(opening_races_with_unloading)
{
	int prog = -1, opened = 0, i, rounds = 0;
	struct opener o[OPENERS] = {};
	struct flag stop = {};
	struct say_bpf *skel;
	long before;

	skel = say_load(&prog);
	ASSERT_NE(NULL, skel);
	SKIP_UNLESS_OURS("BPF_PROG_STREAM_OPEN");
	say_bpf__destroy(skel);
	before = settled_memory();

	for (i = 0; i < OPENERS; i++) {
		o[i].prog = &prog;
		o[i].opened = &opened;
		o[i].stop = &stop;
		ASSERT_EQ(0, pthread_create(&o[i].thread, NULL, open_and_close, &o[i]));
	}
	while (rounds < UNLOADS || __atomic_load_n(&opened, __ATOMIC_RELAXED) < OPENS) {
		int fd, enough;

		skel = say_load(&fd);
		ASSERT_NE(NULL, skel);
		__atomic_store_n(&prog, fd, __ATOMIC_RELAXED);
		enough = __atomic_load_n(&opened, __ATOMIC_RELAXED) + OPENS / UNLOADS;
		/* Left unread, to be freed with the last reference */
		EXPECT_EQ(0, say_all(fd, STDOUT, SAY_512, 20, NULL));
		EXPECT_EQ(0, say_all(fd, STDERR, SAY_512, 20, NULL));
		wait_until(__atomic_load_n(&opened, __ATOMIC_RELAXED) >= enough);
		say_bpf__destroy(skel);
		rounds++;
	}
	flag_set(&stop);
	for (i = 0; i < OPENERS; i++) {
		ASSERT_EQ(0, pthread_join(o[i].thread, NULL));
		EXPECT_EQ(0, o[i].error);
	}
	EXPECT_TRUE(memory_is_back(before, 5 * MIB));
}

/* Unread text is freed when the last descriptor is closed */
TEST(descriptor_keeps_the_text_and_nothing_else)
{
	struct say_bpf *skel;
	long before, held;
	int prog, fd, i;

	skel = say_load(&prog);
	ASSERT_NE(NULL, skel);
	SKIP_UNLESS_OURS("BPF_PROG_STREAM_OPEN");
	say_bpf__destroy(skel);
	before = settled_memory();
	for (i = 0; i < 10; i++) {
		skel = say_load(&prog);
		ASSERT_NE(NULL, skel);
		fd = stream_open(prog, STDOUT, STREAM_NONBLOCK);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, say_all(prog, STDOUT, SAY_512, 2 * MIB / 512, NULL));
		say_bpf__destroy(skel);
		wait_until(poll_now(fd) & POLLHUP);
		held = before - free_memory();
		if (memory_is_exact())
			EXPECT_LE(MIB * 3 / 2, held);
		close(fd);
	}
	EXPECT_TRUE(memory_is_back(before, 5 * MIB));
}

STREAMS_TEST_MAIN
