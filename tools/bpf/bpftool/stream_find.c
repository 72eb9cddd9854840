// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * New programs, as they are loaded. One may print something and be gone at once:
 * its streams have to be open by then, and keep its text.
 *
 * perf announces programs: a record is written by the CPU that loads one, before
 * the loader gets its descriptor. On each CPU a thread waits for that, with a
 * real-time priority if we may have one. It preempts the loader then, takes hold of
 * the program by a descriptor, and waits for nothing but the next record: while it
 * waited for a lock the loader would go on. Another thread opens the streams of what
 * is held, and lets go of the programs; without that priority, as the kernel lets
 * others run before threads that use a CPU for long with it. Nor may that one wait for
 * whoever reads our output.
 *
 * What a record tells is not looked at: it makes us look for IDs that are new. So
 * it doesn't matter whether any are lost. IDs ascend, and a program that was
 * announced is there until it is held, by its loader: whoever sees a later one sees
 * it, too. Whatever is not announced, because perf can't be used or a CPU came online
 * later, is found when we look without being told to.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/perf_event.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "stream.h"

#define STACK_SIZE	(256 * 1024)
#define NR_FDS		16384

/* A program that cannot go */
struct held {
	struct held *next;
	__u32 id;
	int fd;
};

/* One for each CPU */
struct watcher {
	pthread_t thread;
	int cpu;
	int fd;
	void *ring;
	__u32 last_id;		/* of those it looked at */
};

static struct {
	struct stream_reader *r;
	pthread_mutex_t lock;	/* of all that stream_scan() changes */
	__u32 seen_id;		/* no program up to that has to be held */
	bool failed;
	int news_fd;		/* there is something for stream_find() */
	int held_fd;		/* and for the opener */
	int stop_fd;
	struct held *held;	/* newest first */
	pthread_t opener;
	bool has_opener;
	struct watcher *watchers;
	int nr;
} find = { .news_fd = -1, .held_fd = -1, .stop_fd = -1 };

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

static void hold(__u32 id, int fd)
{
	struct held *h = malloc(sizeof(*h));

	if (!h) {
		close(fd);
		return;
	}
	h->id = id;
	h->fd = fd;
	h->next = __atomic_load_n(&find.held, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&find.held, &h->next, h, true, __ATOMIC_RELEASE,
					    __ATOMIC_RELAXED))
		;
}

/*
 * What can't be held, for want of descriptors say, is found later if it is still there.
 * What was opened for another watcher would only take descriptors.
 */
static void hold_new(struct watcher *w)
{
	__u32 seen_id = __atomic_load_n(&find.seen_id, __ATOMIC_RELAXED);
	int fd;

	if (w->last_id < seen_id)
		w->last_id = seen_id;

	while (!bpf_prog_get_next_id(w->last_id, &w->last_id)) {
		fd = bpf_prog_get_fd_by_id(w->last_id);
		if (fd >= 0)
			hold(w->last_id, fd);
	}
	eventfd_write(find.held_fd, 1);
}

static struct held *take_held(void)
{
	struct held *newest = __atomic_exchange_n(&find.held, NULL, __ATOMIC_ACQUIRE);
	struct held *oldest = NULL, *h;

	while (newest) {
		h = newest;
		newest = h->next;
		h->next = oldest;
		oldest = h;
	}

	return oldest;
}

/* With the lock held */
static int scan(void)
{
	int err = stream_scan(find.r);

	__atomic_store_n(&find.seen_id, find.r->last_id, __ATOMIC_RELAXED);
	return err;
}

/* Several watchers may hold the same one. */
static bool open_held(struct held *h)
{
	if (h->id <= find.r->last_id)
		return true;

	/* Those before it are older, and are held as well: in ascending order. */
	return !scan();
}

static void open_all_held(void)
{
	struct held *h, *next;
	bool news;

	pthread_mutex_lock(&find.lock);
	for (h = take_held(); h; h = next) {
		next = h->next;
		if (!find.failed && !open_held(h))
			find.failed = true;
		close(h->fd);
		free(h);
	}
	news = find.failed || find.r->missed.nr || !list_empty(&find.r->found);
	pthread_mutex_unlock(&find.lock);

	if (news)
		eventfd_write(find.news_fd, 1);
}

static void *open_streams(void *arg)
{
	struct pollfd pfds[] = {
		{ .fd = find.held_fd, .events = POLLIN },
		{ .fd = find.stop_fd, .events = POLLIN },
	};
	eventfd_t n;

	while (!pfds[1].revents) {
		if (poll(pfds, ARRAY_SIZE(pfds), -1) < 0)
			continue;
		eventfd_read(find.held_fd, &n);
		open_all_held();
	}

	return NULL;
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
			hold_new(w);
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

/* On any CPU if that is negative */
static int create_thread(pthread_t *thread, void *(*run)(void *), void *arg, bool realtime,
			 int cpu)
{
	pthread_attr_t attr;
	int err;

	err = -pthread_attr_init(&attr);
	if (err)
		return err;

	pthread_attr_setstacksize(&attr, STACK_SIZE);
	if (realtime)
		set_realtime(&attr);
	if (cpu >= 0)
		err = set_cpu(&attr, cpu);
	if (!err)
		err = -pthread_create(thread, &attr, run, arg);
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

	w->last_id = find.r->last_id;
	if (!create_thread(&w->thread, watch, w, true, w->cpu) ||
	    !create_thread(&w->thread, watch, w, true, -1) ||
	    !create_thread(&w->thread, watch, w, false, w->cpu))
		return 0;

	err = create_thread(&w->thread, watch, w, false, -1);
	if (err)
		watcher_close(w);

	return err;
}

/* The opener, and watchers of all CPUs that are online; or an error. */
static int start_threads(void)
{
	int cpu, err, nr = libbpf_num_possible_cpus();

	if (nr < 0)
		return nr;

	err = create_thread(&find.opener, open_streams, NULL, false, -1);
	if (err)
		return err;
	find.has_opener = true;

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

static void stop_threads(void)
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
	if (find.has_opener)
		pthread_join(find.opener, NULL);
	find.has_opener = false;
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

/*
 * The kernel waits for all CPUs when it makes the table of descriptors of several
 * threads larger: let it be large before there are threads.
 */
static void enlarge_fd_table(void)
{
	struct rlimit lim;
	int fd = -1;

	if (!getrlimit(RLIMIT_NOFILE, &lim))
		fd = fcntl(find.news_fd, F_DUPFD_CLOEXEC,
			   (lim.rlim_cur < NR_FDS ? lim.rlim_cur : NR_FDS) - 1);
	if (fd >= 0)
		close(fd);
}

/* Returns a descriptor that is readable if there is something for stream_find(). */
int stream_find_begin(struct stream_reader *r)
{
	int err;

	init_lock();
	find.r = r;
	find.failed = false;
	find.seen_id = r->last_id;
	find.news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	find.held_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	find.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (find.news_fd < 0 || find.held_fd < 0 || find.stop_fd < 0) {
		stream_err("can't wait for programs: %s", strerror(errno));
		return -1;
	}

	enlarge_fd_table();
	err = start_threads();
	if (err)
		stream_out_note(NULL, "new programs are not announced (%s): some may be missed",
				strerror(-err));

	return find.news_fd;
}

static void take_found(struct stream_reader *r)
{
	list_splice_tail_init(&r->found, &r->streams);
}

/* Whoever reads that may keep us waiting: not with the lock held. */
static void tell_missed(const struct stream_missed *missed)
{
	if (missed->nr)
		stream_out_note(NULL, "can't open %u stream%s of new programs: %s",
				missed->nr, missed->nr == 1 ? "" : "s",
				strerror(-missed->err));
}

/* Programs that nobody looked at before, whether they were announced or not. */
int stream_find(struct stream_reader *r)
{
	struct stream_missed missed;
	eventfd_t n;
	int err;

	eventfd_read(find.news_fd, &n);
	pthread_mutex_lock(&find.lock);
	err = find.failed ? -1 : scan();
	take_found(r);
	missed = r->missed;
	r->missed.nr = 0;
	pthread_mutex_unlock(&find.lock);

	tell_missed(&missed);
	if (err)
		stream_err("%s", r->msg);

	return err;
}

static void close_event(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void stream_find_end(struct stream_reader *r)
{
	stop_threads();
	/* What was held after the opener's last look */
	if (find.held)
		open_all_held();
	take_found(r);
	close_event(&find.news_fd);
	close_event(&find.held_fd);
	close_event(&find.stop_fd);
}
