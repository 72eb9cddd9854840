/* SPDX-License-Identifier: GPL-2.0 */
/* Check that each line of progs/anywhere.bpf.c is whole, in order, and read once */
#ifndef TALLY_H
#define TALLY_H

#include "streams_test.h"
#include "anywhere.h"

#define TALLY_CPUS	1024

struct tally {
	unsigned long long lines[NR_CONTEXTS];
	unsigned long long bytes;
	/* The minimum of the next number: each writer has one CPU and counts up */
	unsigned long long next[NR_CONTEXTS][TALLY_CPUS];
	char line[600];			/* the incomplete line */
	size_t len;
	bool bad;
};

/* Process the next text of the stream. Set 'bad' if it is not as printed. */
void tally_text(struct tally *t, const char *buf, long len);

/*
 * Test if pages can be allocated in this context. On PREEMPT_RT they cannot, and a program
 * that only prints there has none.
 */
bool has_pages(enum context context);

#endif /* TALLY_H */
