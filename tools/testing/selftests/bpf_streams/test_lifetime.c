// SPDX-License-Identifier: GPL-2.0
/*
 * Programs that are unloaded while their text is unread or being read, and readers that
 * are blocked in a page fault.
 */
#include <linux/userfaultfd.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "streams_test.h"

static __u32 first_map_id(int prog_fd)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info), id = 0;

	info.nr_map_ids = 1;
	info.map_ids = (uintptr_t)&id;
	return bpf_prog_get_info_by_fd(prog_fd, &info, &len) ? 0 : id;
}

TEST(program_with_unread_text_can_be_unloaded)
{
	__u32 prog, map;
	struct say_bpf *skel;
	int fd;

	skel = say_load(&fd);
	ASSERT_NE(NULL, skel);
	ASSERT_EQ(0, say_all(fd, STDOUT, SAY_512, 100, NULL));
	prog = prog_id(fd);
	map = first_map_id(fd);
	ASSERT_TRUE(prog_id_exists(prog));
	ASSERT_TRUE(map_id_exists(map));

	say_bpf__destroy(skel);
	wait_until(!prog_id_exists(prog));
	wait_until(!map_id_exists(map));
}

FIXTURE(unload)
{
	long before;
	long streams;		/* memory of the streams before, in bytes */
};

FIXTURE_SETUP(unload)
{
	struct say_bpf *skel;
	int fd;

	self->streams = streams_allocated();
	/* The first program allocates memory that stays */
	skel = say_load(&fd);
	ASSERT_NE(NULL, skel);
	ASSERT_EQ(0, say_all(fd, STDOUT, SAY_512, 1, NULL));
	say_bpf__destroy(skel);
	self->before = settled_memory();
}

FIXTURE_TEARDOWN(unload)
{
}

TEST_F(unload, frees_the_text_that_nobody_read)
{
	char buf[700];
	struct say_bpf *skel;
	int i, fd;

	for (i = 0; i < 50; i++) {
		skel = say_load(&fd);
		ASSERT_NE(NULL, skel);
		SKIP_UNLESS_ROOM(MIB);
		ASSERT_EQ(0, say_all(fd, STDOUT, SAY_512, MIB / 512, NULL));
		ASSERT_EQ(0, say_all(fd, STDERR, SAY_64, 1000, NULL));
		if (!i && memory_is_exact())
			/* Otherwise the measurement is useless */
			EXPECT_LE(MIB * 3 / 4, self->before - free_memory());

		/* On the log, on the backlog, and partly read */
		if (i % 2) {
			ASSERT_EQ(sizeof(buf), stream_read(fd, STDOUT, buf, sizeof(buf)));
			ASSERT_EQ(0, say_all(fd, STDOUT, SAY_64, 100, NULL));
		}
		say_bpf__destroy(skel);
	}
	EXPECT_TRUE(memory_is_back(self->before, 5 * MIB));
	EXPECT_TRUE(streams_are_freed(self->streams));
}

struct racer {
	pthread_t thread;
	int fd;
	__u32 stream;
	unsigned int writer;
	struct flag started;
	struct text text;
};

/* Read in small pieces until the fd is closed */
static void *race_reads(void *arg)
{
	struct racer *r = arg;
	char buf[100];
	long ret;

	for (;;) {
		ret = stream_read(r->fd, r->stream, buf, sizeof(buf));
		if (ret < 0)
			return NULL;
		text_add(&r->text, buf, ret);
		flag_set(&r->started);
	}
}

static void *race_writes(void *arg)
{
	struct racer *r = arg;
	struct say_args args = {
		.stream = r->stream,
		.kind = SAY_LINE,
		.writer = r->writer,
		.count = 10,
	};

	while (!say(r->fd, &args))
		flag_set(&r->started);
	return NULL;
}

/* Test if it is the beginning of the writer's text. */
static bool is_prefix(const struct text *t, unsigned int writer)
{
	unsigned long long seq = 0;
	struct text want = {};
	bool ok;

	while (want.len < t->len)
		text_line(&want, writer, seq++);
	ok = !memcmp(want.data, t->data, t->len);
	text_free(&want);
	return ok;
}

TEST_F(unload, races_with_readers_and_writers)
{
	int i, j, fd, round;

	for (round = 0; round < 40; round++) {
		struct racer racers[4] = {};
		struct say_bpf *skel;
		__u32 id;

		skel = say_load(&fd);
		ASSERT_NE(NULL, skel);
		id = prog_id(fd);
		for (i = 0; i < 4; i++) {
			racers[i].fd = fd;
			racers[i].stream = STDOUT + i / 2;
			racers[i].writer = i / 2;
			ASSERT_EQ(0, pthread_create(&racers[i].thread, NULL,
						    i % 2 ? race_writes : race_reads,
						    &racers[i]));
		}
		for (i = 0; i < 4; i++)
			wait_until(flag_is_set(&racers[i].started));

		/* Close the shared fd while they use it */
		say_bpf__destroy(skel);
		for (i = 0; i < 4; i++)
			ASSERT_EQ(0, pthread_join(racers[i].thread, NULL));
		for (j = 0; j < 4; j += 2) {
			EXPECT_TRUE(is_prefix(&racers[j].text, j / 2));
			text_free(&racers[j].text);
		}
		wait_until(!prog_id_exists(id));
	}
	EXPECT_TRUE(memory_is_back(self->before, 5 * MIB));
	EXPECT_TRUE(streams_are_freed(self->streams));
}

/* A page that is missing until the test provides it */
struct missing_page {
	char *page;
	long size;
	int uffd;
};

static bool missing_page_create(struct missing_page *m)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	m->size = sysconf(_SC_PAGESIZE);
	m->page = mmap(NULL, m->size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	m->uffd = syscall(__NR_userfaultfd, O_CLOEXEC);
	if (m->page == MAP_FAILED || m->uffd < 0)
		return false;
	reg.range.start = (uintptr_t)m->page;
	reg.range.len = m->size;
	return !ioctl(m->uffd, UFFDIO_API, &api) &&
	       !ioctl(m->uffd, UFFDIO_REGISTER, &reg);
}

/* Return when a fault on it is pending */
static bool missing_page_hit(struct missing_page *m)
{
	struct uffd_msg msg;

	return read(m->uffd, &msg, sizeof(msg)) == sizeof(msg) &&
	       msg.event == UFFD_EVENT_PAGEFAULT;
}

static bool missing_page_provide(struct missing_page *m)
{
	struct uffdio_zeropage zero = {
		.range = { .start = (uintptr_t)m->page, .len = m->size },
	};

	return !ioctl(m->uffd, UFFDIO_ZEROPAGE, &zero);
}

/* A thread that reads into the missing page, with its expected text */
struct stuck_reader {
	struct missing_page missing;
	struct text want;
	pthread_t thread;
	bool joined;
	long got;
	int fd;
};

FIXTURE(stuck)
{
	struct say_bpf *skel;
	struct stuck_reader reader;
	__u32 id;
	int fd;
};

static void *read_into_missing_page(void *arg)
{
	struct stuck_reader *r = arg;

	r->got = stream_read(r->fd, STDOUT, r->missing.page, r->missing.size);
	return NULL;
}

FIXTURE_SETUP(stuck)
{
	struct stuck_reader *r = &self->reader;
	__u64 i, seq = 0;

	self->skel = say_load(&self->fd);
	ASSERT_NE(NULL, self->skel);
	SKIP_UNLESS_OURS("readers that are stuck harm nobody");
	self->id = prog_id(self->fd);
	r->fd = self->fd;
	ASSERT_EQ(0, say_all(self->fd, STDOUT, SAY_LINE, 10, &seq));
	for (i = 0; i < seq; i++)
		text_line(&r->want, 0, i);
	if (!missing_page_create(&r->missing))
		SKIP(return, "no userfaultfd");
	ASSERT_GE(r->missing.size, r->want.len);
	ASSERT_EQ(0, pthread_create(&r->thread, NULL, read_into_missing_page, r));
	ASSERT_TRUE(missing_page_hit(&r->missing));
}

/* Resolve the fault: the reader must get all its text */
static bool release_reader(struct stuck_reader *r)
{
	if (!missing_page_provide(&r->missing) || pthread_join(r->thread, NULL))
		return false;
	r->joined = true;
	return r->got == (long)r->want.len &&
	       !memcmp(r->missing.page, r->want.data, r->want.len);
}

FIXTURE_TEARDOWN(stuck)
{
	if (!self->reader.joined)
		release_reader(&self->reader);
	text_free(&self->reader.want);
	say_bpf__destroy(self->skel);
}

TEST_F_TIMEOUT(stuck, reader_keeps_no_other_from_reading, 60)
{
	struct stuck_reader *r = &self->reader;
	char buf[4096];
	int file;

	file = stream_open(self->fd, STDOUT, STREAM_NONBLOCK);
	ASSERT_LE(0, file);
	EXPECT_EQ(16, stream_read(self->fd, STDOUT, buf, 16));
	EXPECT_EQ(r->want.len - 16, read(file, buf + 16, sizeof(buf) - 16));
	EXPECT_EQ(0, memcmp(r->want.data, buf, r->want.len));
	EXPECT_EQ(-1, read(file, buf, sizeof(buf)));
	EXPECT_EQ(EAGAIN, errno);
	close(file);

	/* And nothing is left unread */
	release_reader(r);
	ASSERT_TRUE(r->joined);
	EXPECT_EQ(0, r->got);
}

TEST_F_TIMEOUT(stuck, reader_doesnt_hold_up_unloading, 60)
{
	__u32 map = first_map_id(self->fd);

	say_bpf__destroy(self->skel);
	self->skel = NULL;
	wait_until(!prog_id_exists(self->id));
	wait_until(!map_id_exists(map));

	/* The program was unloaded, but the reader still gets its text */
	EXPECT_TRUE(release_reader(&self->reader));
}

TEST_F_TIMEOUT(stuck, reader_doesnt_hold_up_writers_or_the_other_stream, 60)
{
	struct stuck_reader *r = &self->reader;
	char buf[100];

	EXPECT_EQ(0, say_all(self->fd, STDOUT, SAY_64, 1000, NULL));
	EXPECT_EQ(0, say_all(self->fd, STDERR, SAY_64, 1, NULL));
	EXPECT_EQ(64, stream_read(self->fd, STDERR, buf, sizeof(buf)));

	/* It may get some of the new text too */
	release_reader(r);
	ASSERT_TRUE(r->joined);
	EXPECT_LE(r->want.len, r->got);
	EXPECT_EQ(r->want.len + 64000, r->got + stream_discard(self->fd, STDOUT));
}

/* The blocked reader itself: the first thread of a process, watched by a second */
struct stuck_process {
	struct missing_page missing;
	int tell;
};

static void *tell_when_hit(void *arg)
{
	struct stuck_process *p = arg;

	if (missing_page_hit(&p->missing) && write(p->tell, "!", 1) != 1)
		_exit(2);
	return NULL;
}

static void be_stuck(int fd, int tell)
{
	struct stuck_process p = { .tell = tell };
	pthread_t thread;

	if (!missing_page_create(&p.missing) ||
	    pthread_create(&thread, NULL, tell_when_hit, &p))
		_exit(1);
	stream_read(fd, STDOUT, p.missing.page, p.missing.size);
	_exit(3);
}

TEST(stuck_reader_can_be_killed_and_leaves_the_stream_usable)
{
	int fd, status, tell[2];
	struct say_bpf *skel;
	char buf[4096];
	pid_t pid;

	skel = say_load(&fd);
	ASSERT_NE(NULL, skel);
	SKIP_UNLESS_OURS("readers that are stuck harm nobody");
	ASSERT_EQ(0, say_all(fd, STDOUT, SAY_64, 10, NULL));

	ASSERT_EQ(0, pipe(tell));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		be_stuck(fd, tell[1]);
	close(tell[1]);
	if (read(tell[0], buf, 1) != 1)
		SKIP(return, "no userfaultfd");

	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));

	/* It got nothing, so all text is still there */
	EXPECT_EQ(640, stream_read(fd, STDOUT, buf, sizeof(buf)));
	say_bpf__destroy(skel);
}

STREAMS_TEST_MAIN
