// SPDX-License-Identifier: GPL-2.0
/* Shared by the test programs */
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include "test.h"

static bool failed;
static const char *skipped;

bool expect_at(bool ok, const char *what, const char *file, int line)
{
	if (ok)
		return true;

	if (!failed)
		printf("# %s:%d: expected %s\n", file, line, what);
	failed = true;
	return false;
}

bool expect_eq_at(long a, long b, const char *what, const char *file, int line)
{
	if (a == b)
		return true;

	if (!failed)
		printf("# %s:%d: expected %s: %ld, %ld\n", file, line, what, a, b);
	failed = true;
	return false;
}

void test_skip(const char *why)
{
	skipped = why;
}

static bool run_test(const struct test *test, unsigned int number)
{
	failed = false;
	skipped = NULL;
	test->run();
	expect_eq(shim.pages, 0);
	expect_eq(shim.objects, 0);
	expect_eq(current->preempt_count, 0);
	printf("%sok %u - %s%s%s\n", failed ? "not " : "", number, test->name,
	       skipped ? " # SKIP " : "", skipped ?: "");
	return !failed;
}

int run_tests(const struct test *tests, unsigned int nr)
{
	int status = EXIT_SUCCESS;
	unsigned int i;

	/* Detects hangs: no test takes a tenth of this on any machine. */
	alarm(env_number("HANG_TIME", 600));
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n1..%u\n", nr);
	for (i = 0; i < nr; i++)
		if (!run_test(&tests[i], i + 1))
			status = EXIT_FAILURE;

	return status;
}

unsigned long env_number(const char *name, unsigned long otherwise)
{
	const char *value = getenv(name);

	return value && *value ? strtoul(value, NULL, 0) : otherwise;
}

u64 test_seed(void)
{
	struct timespec now;
	u64 seed;

	clock_gettime(CLOCK_REALTIME, &now);
	seed = env_number("SEED", (now.tv_sec ^ now.tv_nsec) & INT_MAX);
	printf("# SEED=%lu\n", (unsigned long)seed);
	return seed;
}

int write_str(struct bpf_stream *stream, const char *str)
{
	return write_text(stream, str, strlen(str));
}

int stage_str(struct bpf_stream_group *ss, const char *str)
{
	return stage_text(ss, str, strlen(str));
}

unsigned int drain(struct bpf_stream *stream, unsigned int chunk)
{
	unsigned int sum = 0;
	char buf[CAPACITY];
	int n;

	do {
		n = bpf_stream_read(stream, buf, chunk);
		if (!expect(n >= 0))
			break;
		sum += n;
	} while (n == chunk);

	return sum;
}

void expect_counters(struct bpf_stream *stream, long msgs, long bytes,
		     long dropped_msgs, long dropped_bytes)
{
	expect_eq(bpf_stream_stat(stream, BPF_STREAM_WRITTEN_MSGS), msgs);
	expect_eq(bpf_stream_stat(stream, BPF_STREAM_WRITTEN_BYTES), bytes);
	expect_eq(bpf_stream_stat(stream, BPF_STREAM_DROPPED_MSGS), dropped_msgs);
	expect_eq(bpf_stream_stat(stream, BPF_STREAM_DROPPED_BYTES), dropped_bytes);
}

void expect_text(struct bpf_stream *stream, const char *str)
{
	unsigned int len = strlen(str);
	char buf[CAPACITY];

	expect_eq(atomic_read(&stream->unread), len);
	if (expect_eq(bpf_stream_read(stream, buf, sizeof(buf)), len))
		expect(!memcmp(buf, str, len));
	expect_eq(atomic_read(&stream->unread), 0);
	expect_eq(bpf_stream_read(stream, buf, sizeof(buf)), 0);
}

void put_last(struct bpf_stream *stream)
{
	bpf_stream_put(stream);
	expect_eq(shim.pages, 0);
	expect_eq(shim.objects, 0);
}
