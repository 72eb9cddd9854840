// SPDX-License-Identifier: GPL-2.0
/* Text that a CPU prints on its way offline wakes readers like any other */
#include <sys/syscall.h>

#include "../kselftest_harness.h"
#include "offline.skel.h"
#include "streams_test.h"

#define ONLINE	"/sys/devices/system/cpu/cpu1/online"

struct sleeper {
	pthread_t thread;
	int fd;
	pid_t tid;
	char buf[64];
	ssize_t got;
};

FIXTURE(offline)
{
	struct offline_bpf *skel;
	struct sleeper sleeper;
	long streams;
};

FIXTURE_SETUP(offline)
{
	SKIP_UNLESS_OURS("readers are woken");
	if (access(ONLINE, W_OK))
		SKIP(return, "no second CPU that can go offline");
	self->streams = streams_allocated();
	self->skel = offline_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel);
	ASSERT_EQ(0, offline_bpf__attach(self->skel));
	self->sleeper.fd = stream_open(bpf_program__fd(self->skel->progs.dying), STDOUT, 0);
	ASSERT_LE(0, self->sleeper.fd);
	pin_to_cpu(0);
}

FIXTURE_TEARDOWN(offline)
{
	write_file(ONLINE, "1");
	if (self->skel)
		close(self->sleeper.fd);
	offline_bpf__destroy(self->skel);
}

static void *sleep_in_read(void *arg)
{
	struct sleeper *s = arg;

	__atomic_store_n(&s->tid, gettid(), __ATOMIC_RELEASE);
	s->got = read(s->fd, s->buf, sizeof(s->buf));
	return NULL;
}

TEST_F(offline, cpu_wakes_readers)
{
	struct sleeper *s = &self->sleeper;
	__u32 id;
	int i;

	for (i = 0; i < 2; i++) {
		s->tid = 0;
		ASSERT_EQ(0, pthread_create(&s->thread, NULL, sleep_in_read, s));
		wait_until(__atomic_load_n(&s->tid, __ATOMIC_ACQUIRE) &&
			   sleeps_in(s->tid, __NR_read));
		ASSERT_TRUE(write_file(ONLINE, "0"));
		ASSERT_EQ(0, pthread_join(s->thread, NULL));
		EXPECT_EQ(7, s->got);
		EXPECT_EQ(0, memcmp(s->buf, "1 dies\n", 7));
		ASSERT_TRUE(write_file(ONLINE, "1"));
	}

	/* Closing does not wait forever then */
	id = prog_id(bpf_program__fd(self->skel->progs.dying));
	close(s->fd);
	offline_bpf__destroy(self->skel);
	self->skel = NULL;
	wait_until(!prog_id_exists(id));
	EXPECT_TRUE(streams_are_freed(self->streams));
}

STREAMS_TEST_MAIN
