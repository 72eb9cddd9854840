// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * New programs, as they are loaded. One may print something and be gone at once:
 * its streams have to be open by then, and keep its text.
 *
 * perf announces programs: a record is written by the CPU that loads one, before
 * the loader gets its descriptor. On each CPU a thread waits for that, with a
 * real-time priority if we may have one. It preempts the loader then, and the
 * streams are open before that goes on. The thread does nothing else: it must not
 * wait for whoever reads our output.
 *
 * What a record tells is not looked at: it makes us look for IDs that are new. So
 * it doesn't matter whether any are lost. Whatever is not announced, because perf
 * can't be used or a CPU came online later, is found when we look without being
 * told to.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/perf_event.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <bpf/libbpf.h>

#include "stream.h"

#define STACK_SIZE	(256 * 1024)

/* One for each CPU */
struct watcher {
	pthread_t thread;
	int cpu;
	int fd;
	void *ring;
};

static struct {
	struct stream_reader *r;
	pthread_mutex_t lock;	/* of all that stream_scan() changes */
	bool failed;
	int news_fd;		/* there is something for stream_find() */
	int stop_fd;
	struct watcher *watchers;
	int nr;
} find = { .news_fd = -1, .stop_fd = -1 };

static size_t ring_size(void)
{
	/* the page of the positions, and one of records */
	return 2 * sysconf(_SC_PAGE_SIZE);
}

static int open_event(int cpu)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_DUMMY,
		.bpf_event = 1,
		.watermark = 1,
		.wakeup_watermark = 1,
	};

	return syscall(__NR_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

/* As it is mapped for reading only, old records are overwritten unread. */
static int watcher_open(struct watcher *w)
{
	int err;

	w->fd = open_event(w->cpu);
	if (w->fd < 0)
		return -errno;

	w->ring = mmap(NULL, ring_size(), PROT_READ, MAP_SHARED, w->fd, 0);
	if (w->ring == MAP_FAILED) {
		err = -errno;
		close(w->fd);
		return err;
	}

	return 0;
}

static void watcher_close(struct watcher *w)
{
	munmap(w->ring, ring_size());
	close(w->fd);
}

static void look(void)
{
	bool news;

	pthread_mutex_lock(&find.lock);
	if (!find.failed && stream_scan(find.r))
		find.failed = true;
	news = find.failed || !list_empty(&find.r->found);
	pthread_mutex_unlock(&find.lock);

	if (news)
		eventfd_write(find.news_fd, 1);
}

static void *watch(void *arg)
{
	struct watcher *w = arg;
	struct pollfd pfds[] = {
		{ .fd = w->fd, .events = POLLIN },
		{ .fd = find.stop_fd, .events = POLLIN },
	};

	while (!pfds[1].revents) {
		if (poll(pfds, ARRAY_SIZE(pfds), -1) < 0)
			continue;
		/* Nothing more will come: the CPU may have gone offline. */
		if (pfds[0].revents & ~POLLIN)
			break;
		if (pfds[0].revents)
			look();
	}

	return NULL;
}

static int set_cpu(pthread_attr_t *attr, int cpu)
{
	cpu_set_t *set = CPU_ALLOC(cpu + 1);
	size_t size = CPU_ALLOC_SIZE(cpu + 1);
	int err;

	if (!set)
		return -ENOMEM;
	CPU_ZERO_S(size, set);
	CPU_SET_S(cpu, size, set);
	err = pthread_attr_setaffinity_np(attr, size, set);
	CPU_FREE(set);

	return -err;
}

static void set_realtime(pthread_attr_t *attr)
{
	struct sched_param param = {
		.sched_priority = sched_get_priority_min(SCHED_FIFO),
	};

	pthread_attr_setinheritsched(attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(attr, SCHED_FIFO);
	pthread_attr_setschedparam(attr, &param);
}

static int create_thread(struct watcher *w, bool realtime, bool on_cpu)
{
	pthread_attr_t attr;
	int err;

	err = -pthread_attr_init(&attr);
	if (err)
		return err;

	pthread_attr_setstacksize(&attr, STACK_SIZE);
	if (realtime)
		set_realtime(&attr);
	if (on_cpu)
		err = set_cpu(&attr, w->cpu);
	if (!err)
		err = -pthread_create(&w->thread, &attr, watch, w);
	pthread_attr_destroy(&attr);

	return err;
}

/* If we may not have all that we would like, then with what we may have. */
static int watcher_start(struct watcher *w)
{
	int err;

	err = watcher_open(w);
	if (err)
		return err;

	if (!create_thread(w, true, true) || !create_thread(w, false, true))
		return 0;

	err = create_thread(w, false, false);
	if (err)
		watcher_close(w);

	return err;
}

/* All CPUs that are online, or an error. */
static int start_watchers(void)
{
	int cpu, err, nr = libbpf_num_possible_cpus();

	if (nr < 0)
		return nr;

	find.watchers = calloc(nr, sizeof(*find.watchers));
	if (!find.watchers)
		return -ENOMEM;

	for (cpu = 0; cpu < nr; cpu++) {
		find.watchers[find.nr].cpu = cpu;
		err = watcher_start(&find.watchers[find.nr]);
		if (!err)
			find.nr++;
		else if (err != -ENODEV)
			return err;
	}

	return 0;
}

static void stop_watchers(void)
{
	int i;

	if (find.stop_fd >= 0)
		eventfd_write(find.stop_fd, 1);
	for (i = 0; i < find.nr; i++) {
		pthread_join(find.watchers[i].thread, NULL);
		watcher_close(&find.watchers[i]);
	}
	find.nr = 0;
	free(find.watchers);
	find.watchers = NULL;
}

/* Whoever holds it is not to be kept from running by others than the watchers. */
static void init_lock(void)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	if (pthread_mutex_init(&find.lock, &attr))
		pthread_mutex_init(&find.lock, NULL);
	pthread_mutexattr_destroy(&attr);
}

/* Returns a descriptor that is readable if there is something for stream_find(). */
int stream_find_begin(struct stream_reader *r)
{
	int err;

	init_lock();
	find.r = r;
	find.failed = false;
	find.news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	find.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (find.news_fd < 0 || find.stop_fd < 0) {
		stream_err("can't wait for programs: %s", strerror(errno));
		return -1;
	}

	err = start_watchers();
	if (err)
		p_info("new programs are not announced (%s): those that are soon gone may be missed",
		       strerror(-err));

	return find.news_fd;
}

static void take_found(struct stream_reader *r)
{
	list_splice_tail_init(&r->found, &r->streams);
}

/* Programs that nobody looked at before, whether they were announced or not. */
int stream_find(struct stream_reader *r)
{
	eventfd_t n;
	int err;

	eventfd_read(find.news_fd, &n);
	pthread_mutex_lock(&find.lock);
	err = find.failed ? -1 : stream_scan(r);
	take_found(r);
	pthread_mutex_unlock(&find.lock);

	if (err)
		stream_err("%s", r->msg);

	return err;
}

void stream_find_end(struct stream_reader *r)
{
	stop_watchers();
	take_found(r);
	if (find.news_fd >= 0)
		close(find.news_fd);
	if (find.stop_fd >= 0)
		close(find.stop_fd);
	find.news_fd = -1;
	find.stop_fd = -1;
}
