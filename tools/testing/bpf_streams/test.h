/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by the test programs: TAP, seeds, and streams */
#ifndef _TEST_H
#define _TEST_H

#include "write.h"

struct test {
	const char *name;
	void (*run)(void);
};

/* Run the tests. Return: the exit status. */
int run_tests(const struct test *tests, unsigned int nr);

/* Skip the test. */
void test_skip(const char *why);

bool expect_at(bool ok, const char *what, const char *file, int line);
bool expect_eq_at(long a, long b, const char *what, const char *file, int line);

/* A failure fails the test without ending it. */
#define expect(cond) expect_at(cond, #cond, __FILE__, __LINE__)
#define expect_eq(a, b) expect_eq_at(a, b, #a " == " #b, __FILE__, __LINE__)

unsigned long env_number(const char *name, unsigned long otherwise);
u64 test_seed(void);

int write_str(struct bpf_stream *stream, const char *str);
int stage_str(struct bpf_stream_group *ss, const char *str);

/* Read and discard all text, in pieces of @chunk bytes. */
unsigned int drain(struct bpf_stream *stream, unsigned int chunk);

void expect_counters(struct bpf_stream *stream, long msgs, long bytes,
		     long dropped_msgs, long dropped_bytes);
void expect_text(struct bpf_stream *stream, const char *str);

/* Drop the last reference, and check that nothing is left. */
void put_last(struct bpf_stream *stream);

#endif /* _TEST_H */
