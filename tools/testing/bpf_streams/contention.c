// SPDX-License-Identifier: GPL-2.0
/*
 * The cost of writing while other threads write to the same stream, or to their own
 *
 * The wall time is measured. In each round all threads write the same number of messages,
 * so that those of all threads fit one stream; then the messages are read. The result is
 * the median of the rounds.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include "write.h"

#define MAX_THREADS	4
#define ROUNDS		301
#define LEN		24
#define MESSAGES	(CAPACITY / MAX_THREADS / LEN)

/**
 * struct writer - a thread on a simulated CPU of its own
 * @thread: the thread
 * @cpu: its CPU
 * @stream: the stream it writes to
 * @start: start of the round, in nanoseconds
 * @end: end of the round
 */
struct writer {
	pthread_t thread;
	int cpu;
	struct bpf_stream *stream;
	u64 start;
	u64 end;
};

static struct writer writers[MAX_THREADS];
static pthread_barrier_t barrier;

static u64 now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* Pin to the nth permitted CPU, modulo their number. */
static void pin_to_cpu(int n)
{
	cpu_set_t allowed, set;
	int cpu;

	die_if(sched_getaffinity(getpid(), sizeof(allowed), &allowed));
	n %= CPU_COUNT(&allowed);
	for (cpu = 0; !CPU_ISSET(cpu, &allowed) || n--; cpu++)
		;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	die_if(pthread_setaffinity_np(pthread_self(), sizeof(set), &set));
}

static void *write_rounds(void *arg)
{
	const char text[LEN + 1] = "1234567 7654321 1000000\n";
	struct writer *w = arg;
	int round, i;

	current->cpu = w->cpu;
	pin_to_cpu(w->cpu);
	for (round = 0; round < ROUNDS; round++) {
		pthread_barrier_wait(&barrier);
		w->start = now();
		for (i = 0; i < MESSAGES; i++)
			die_if(write_text(w->stream, text, LEN));
		w->end = now();
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

static int drain(struct bpf_stream *stream)
{
	static char buf[65536];
	int n, sum = 0;

	while ((n = bpf_stream_read(stream, buf, sizeof(buf))) > 0)
		sum += n;
	return sum;
}

static int later(const void *a, const void *b)
{
	const u64 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Nanoseconds per message of each thread */
static double measure(int threads, bool shared)
{
	struct bpf_stream *streams[MAX_THREADS];
	int i, round, nr = shared ? 1 : threads;
	u64 took[ROUNDS], start, end;

	for (i = 0; i < nr; i++) {
		streams[i] = bpf_stream_alloc(true);
		die_if(!streams[i]);
	}
	pthread_barrier_init(&barrier, NULL, threads + 1);
	for (i = 0; i < threads; i++) {
		writers[i].cpu = i;
		writers[i].stream = streams[i % nr];
		die_if(pthread_create(&writers[i].thread, NULL, write_rounds, &writers[i]));
	}

	for (round = 0; round < ROUNDS; round++) {
		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
		start = writers[0].start;
		end = writers[0].end;
		for (i = 1; i < threads; i++) {
			start = min(start, writers[i].start);
			end = max(end, writers[i].end);
		}
		took[round] = end - start;
		for (i = 0; i < nr; i++)
			die_if(drain(streams[i]) != MESSAGES * LEN * threads / nr);
	}

	for (i = 0; i < threads; i++)
		pthread_join(writers[i].thread, NULL);
	pthread_barrier_destroy(&barrier);
	for (i = 0; i < nr; i++)
		bpf_stream_put(streams[i]);

	qsort(took, ROUNDS, sizeof(took[0]), later);
	return (double)took[ROUNDS / 2] / MESSAGES;
}

int main(void)
{
	double shared, own, one_shared = 0, one_own = 0;
	int threads;

	shim.no_poison = true;
	printf("nanoseconds per message; each thread is pinned to a CPU, its own if possible\n");
	printf("%8s %18s %18s\n", "threads", "one stream", "a stream each");
	for (threads = 1; threads <= MAX_THREADS; threads *= 2) {
		shared = measure(threads, true);
		own = measure(threads, false);
		if (threads == 1) {
			one_shared = shared;
			one_own = own;
		}
		printf("%8d %10.0f   x%-4.1f %10.0f   x%-4.1f\n", threads,
		       shared, shared / one_shared, own, own / one_own);
	}
	return 0;
}
