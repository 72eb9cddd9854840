// SPDX-License-Identifier: GPL-2.0
/*
 * Cost of messages in instructions and memory. In a machine whose clock counts
 * instructions (qemu -icount shift=0) each takes a nanosecond. The result is the minimum
 * of several runs, as some are interrupted.
 *
 * Prints lines "figure SUBJECT.WHAT VALUE".
 */
#include <poll.h>
#include <sched.h>
#include <time.h>
#include <sys/syscall.h>

#include "../kselftest.h"

#include "streams_test.h"
#include "bench.h"
#include "bench.skel.h"

#define RUNS 25

static const char usage[] =
"usage: bench_streams [PROGRAM]\n"
"\n"
"Measures what messages of BPF programs cost, in nanoseconds, which are instructions in\n"
"a machine whose clock counts them ('make bench'). With PROGRAM only runs that one, as\n"
"stream_ints24, without end, for a profiler to look at. Needs root.\n";

static void die(const char *what)
{
	fprintf(stderr, "bench_streams: %s: %s\n", what, strerror(errno));
	exit(1);
}

static unsigned long long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void tell(const char *subject, const char *what, double value)
{
	printf("figure %s.%s %.1f\n", subject, what, value);
	fflush(stdout);
}

static void run_or_die(struct bpf_program *prog)
{
	if (run(prog))
		die(bpf_program__name(prog));
}

static struct bpf_program *find(struct bench_bpf *skel, const char *way, const char *shape)
{
	struct bpf_program *prog;
	char name[64];

	snprintf(name, sizeof(name), "%s_%s", way, shape);
	prog = bpf_object__find_program_by_name(skel->obj, name);
	if (!prog)
		die(name);
	return prog;
}

static int ignore(void *ctx, void *data, size_t size)
{
	return 0;
}

static void discard_all(struct bench_bpf *skel, struct bpf_program *prog,
			struct ring_buffer *rb)
{
	stream_discard(bpf_program__fd(prog), STDOUT);
	ring_buffer__consume(rb);
}

/* Per message; negative if it cannot print */
static double cost(struct bench_bpf *skel, struct bpf_program *prog, struct ring_buffer *rb)
{
	unsigned long long least = -1ULL;
	int i;

	for (i = 0; i < RUNS; i++) {
		run_or_die(prog);
		if (skel->bss->ns < least)
			least = skel->bss->ns;
		if (rb) {
			if (skel->bss->failed)
				return -1;
			discard_all(skel, prog, rb);
		}
	}
	return (double)least / MESSAGES;
}

/* Until nothing more fits */
static void fill_up(struct bench_bpf *skel, struct bpf_program *prog)
{
	do
		run_or_die(prog);
	while (!skel->bss->failed);
	/* a shorter one may still fit */
	run_or_die(prog);
}

static void bench_writing(struct bench_bpf *skel, struct ring_buffer *rb)
{
	static const char * const shapes[] = {
		"const1", "const16", "ints24", "str32", "const200", "mixed8"
	};
	static const char * const ways[] = { "stream", "snprintf", "ringbuf", "trace" };
	double none = cost(skel, skel->progs.none, rb), ns;
	struct bpf_program *prog;
	size_t s, w;

	for (s = 0; s < ARRAY_SIZE(shapes); s++) {
		for (w = 0; w < ARRAY_SIZE(ways); w++) {
			prog = find(skel, ways[w], shapes[s]);
			ns = cost(skel, prog, rb);
			if (ns >= 0)
				tell(shapes[s], ways[w], ns - none);
		}
		prog = find(skel, "stream", shapes[s]);
		fill_up(skel, prog);
		tell(shapes[s], "refused", cost(skel, prog, NULL) - none);
		discard_all(skel, prog, rb);
	}
}

static long read_once(int fd, char *buf, size_t size)
{
	return stream_read(fd, STDOUT, buf, size);
}

/* Cost of a call that does nothing */
static double call_cost(int fd)
{
	unsigned long long start, least = -1ULL, ns;
	char byte;
	int i;

	for (i = 0; i < RUNS; i++) {
		start = now();
		if (fd < 0)
			syscall(SYS_getppid);
		else
			read_once(fd, &byte, sizeof(byte));
		ns = now() - start;
		if (ns < least)
			least = ns;
	}
	return least;
}

/* For messages of 24 bytes, read into a buffer of 'size' */
static double read_cost(struct bench_bpf *skel, size_t size)
{
	struct bpf_program *prog = skel->progs.stream_ints24;
	unsigned long long least = -1ULL, start, ns;
	int fd = bpf_program__fd(prog), i, n;
	static char buf[65536];

	for (i = 0; i < RUNS; i++) {
		for (n = 0; n < (size > 4096 ? 27 : 7); n++)
			run_or_die(prog);
		start = now();
		while (read_once(fd, buf, size) == size)
			;
		ns = (now() - start) / (n * MESSAGES);
		if (ns < least)
			least = ns;
		stream_discard(fd, STDOUT);
	}
	return least;
}

static void bench_reading(struct bench_bpf *skel)
{
	static const size_t sizes[] = { 64, 512, 4096, 65536 };
	int fd = bpf_program__fd(skel->progs.none);
	double clock, ns;
	char name[32];
	size_t i;

	clock = now();
	clock = now() - clock;
	tell("syscall", "getppid", call_cost(-1) - clock);
	tell("read", "empty", call_cost(fd) - clock);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		snprintf(name, sizeof(name), "%zu", sizes[i]);
		ns = read_cost(skel, sizes[i]);
		tell("read", name, ns);
		snprintf(name, sizeof(name), "%zu_byte", sizes[i]);
		tell("read", name, ns / 24);
	}
}

struct follower {
	pthread_t thread;
	struct bench_bpf *skel;
	struct pollfd pfd;
	struct flag stop;
	unsigned long long least;
};

static void *follow(void *arg)
{
	struct follower *f = arg;
	unsigned long long ns;
	char buf[256];

	while (!flag_is_set(&f->stop)) {
		if (poll(&f->pfd, 1, 1000) <= 0)
			continue;
		ns = now() - f->skel->bss->printed_at;
		if (ns < f->least)
			f->least = ns;
		if (read(f->pfd.fd, buf, sizeof(buf)) < 0)
			break;
	}
	return NULL;
}

static void bench_following(struct bench_bpf *skel)
{
	struct bpf_program *prog = skel->progs.say_when;
	struct follower f = { .skel = skel, .least = -1ULL };
	int i;

	f.pfd.fd = stream_open(bpf_program__fd(prog), STDOUT, STREAM_NONBLOCK);
	if (f.pfd.fd < 0)
		return;
	f.pfd.events = POLLIN;
	if (pthread_create(&f.thread, NULL, follow, &f))
		die("pthread_create");
	for (i = 0; i < 200; i++) {
		/* let it sleep; the tick comes at another time in each run */
		usleep(5000 + 37 * i);
		run_or_die(prog);
	}
	usleep(5000);
	flag_set(&f.stop);
	pthread_join(f.thread, NULL);
	close(f.pfd.fd);
	if (f.least != -1ULL)
		tell("follow", "wakeup", f.least);
}

static void set_body(struct bench_bpf *skel, int len)
{
	memset(skel->bss->body, 'x', sizeof(skel->bss->body));
	skel->bss->body[len] = '\0';
}

/* Memory of an unread message, in bytes */
static double memory_cost(struct bench_bpf *skel, int len)
{
	struct bpf_program *prog = skel->progs.fill;
	int fd = bpf_program__fd(prog);
	long before, after, text;

	set_body(skel, len);
	/* the first messages allocate memory that stays */
	skel->bss->nr_bodies = 1000;
	run_or_die(prog);
	stream_discard(fd, STDOUT);

	before = settled_memory();
	skel->bss->nr_bodies = 60000 / (len > 64 ? 10 : 1);
	run_or_die(prog);
	after = settled_memory();
	text = stream_discard(fd, STDOUT);
	return text ? (double)(before - after) / (text / len) : 0;
}

/* 4000 messages of a byte stay unread, each followed by 8 of 500 bytes that are read */
static double fragmentation(struct bench_bpf *skel)
{
	struct bpf_program *prog = skel->progs.fill, *other = skel->progs.fill_other;
	int i, fd = bpf_program__fd(prog), other_fd = bpf_program__fd(other);
	long before = settled_memory(), after;

	for (i = 0; i < 4000; i++) {
		set_body(skel, 1);
		skel->bss->nr_bodies = 1;
		run_or_die(prog);
		set_body(skel, 500);
		skel->bss->nr_bodies = 8;
		run_or_die(other);
		stream_discard(other_fd, STDOUT);
	}
	after = settled_memory();
	stream_discard(fd, STDOUT);
	return (before - after) / 1024.0;
}

static void bench_memory(struct bench_bpf *skel)
{
	static const int lens[] = { 1, 16, 64, 500 };
	char name[32];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		snprintf(name, sizeof(name), "%d", lens[i]);
		tell("memory", name, memory_cost(skel, lens[i]));
	}
	tell("memory", "left_KiB", fragmentation(skel));
}

static void run_without_end(struct bench_bpf *skel, const char *name, struct ring_buffer *rb)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(skel->obj, name);

	if (!prog)
		die(name);
	for (;;) {
		run_or_die(prog);
		discard_all(skel, prog, rb);
	}
}

int main(int argc, char **argv)
{
	struct ring_buffer *rb;
	struct bench_bpf *skel;

	if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
		fputs(usage, stdout);
		return strcmp(argv[1], "-h") && strcmp(argv[1], "--help") ? 2 : 0;
	}
	skel = bench_bpf__open_and_load();
	if (!skel)
		die("cannot load the programs");
	rb = ring_buffer__new(bpf_map__fd(skel->maps.ringbuf), ignore, NULL, NULL);
	if (!rb)
		die("ring buffer");
	if (argc == 2)
		run_without_end(skel, argv[1], rb);
	bench_writing(skel, rb);
	bench_reading(skel);
	bench_following(skel);
	bench_memory(skel);
	ring_buffer__free(rb);
	bench_bpf__destroy(skel);
	return 0;
}
