// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Find new programs when they are loaded. A program may print and be unloaded
 * immediately: its streams have to be opened before that to keep the text.
 *
 * perf announces programs: the CPU that loads one writes a record before the loader
 * gets its descriptor. On each CPU a watcher thread waits for records, with real-time
 * priority if permitted. It preempts the loader and holds the program with a
 * descriptor. It only ever waits for the next record, as the loader would continue
 * while it waits for a lock. Another thread, the opener, opens the streams of held
 * programs and then closes their descriptors. It has no real-time priority, as the
 * kernel throttles real-time threads that use much CPU time. It must not wait for the
 * reader of the output, either.
 *
 * The contents of records are ignored: a record only triggers a search for new IDs,
 * so lost records do not matter. IDs ascend, and the loader keeps an announced program
 * until it is held, so a thread that finds a later program finds this one, too. A
 * periodic scan finds programs that are not announced, because perf cannot be used or
 * a CPU came online later.
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

/* A program that is kept loaded */
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
	__u32 last_id;		/* last program ID that it has searched */
};

static struct {
	struct stream_reader *r;
	pthread_mutex_t lock;	/* protects everything that stream_scan() changes */
	__u32 seen_id;		/* programs up to this ID need not be held */
	bool failed;
	int news_fd;		/* notifies stream_find() */
	int held_fd;		/* notifies the opener */
	int stop_fd;
	struct held *held;	/* newest first */
	pthread_t opener;
	bool has_opener;
	struct watcher *watchers;
	int nr;
} find = { .news_fd = -1, .held_fd = -1, .stop_fd = -1 };

static size_t ring_size(void)
{
	/* one page for the control data, and one for records */
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

/* As the ring is mapped read-only, new records overwrite old ones. */
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
 * A program that can't be held, for lack of descriptors, is found later if still loaded.
 * Programs that were held by other watchers and opened already are skipped.
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

/* Called with the lock held */
static int scan(void)
{
	int err = stream_scan(find.r);

	__atomic_store_n(&find.seen_id, find.r->last_id, __ATOMIC_RELAXED);
	return err;
}

/* Several watchers may hold the same program. */
static bool open_held(struct held *h)
{
	if (h->id <= find.r->last_id)
		return true;

	/* Older programs are held as well, so the scan finds them in ascending order. */
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
		/* There will be no more records: the CPU may have gone offline. */
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

/* A negative @cpu is any CPU. */
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

/* Real-time priority and CPU affinity may not be permitted. */
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

/* Start the opener, and a watcher for each online CPU. */
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

/* With priority inheritance, as threads of medium priority could delay the holder. */
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
 * Enlarging the descriptor table of a multi-threaded process waits for a grace period,
 * so do it before there are threads.
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

/* Return: a descriptor that becomes readable if stream_find() is to be called. */
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

/* Not called with the lock held, as the reader of stderr may be slow. */
static void tell_missed(const struct stream_missed *missed)
{
	if (missed->nr)
		stream_out_note(NULL, "can't open %u stream%s of new programs: %s",
				missed->nr, missed->nr == 1 ? "" : "s",
				strerror(-missed->err));
}

/* Find new programs, whether they were announced or not. */
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
	/* Programs that were held after the opener has stopped */
	if (find.held)
		open_all_held();
	take_found(r);
	close_event(&find.news_fd);
	close_event(&find.held_fd);
	close_event(&find.stop_fd);
}
