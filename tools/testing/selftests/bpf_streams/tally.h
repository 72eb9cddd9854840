/* SPDX-License-Identifier: GPL-2.0 */
/* What progs/anywhere.bpf.c has printed: every line whole, once and in its order */
#ifndef TALLY_H
#define TALLY_H

#include "streams_test.h"
#include "anywhere.h"

#define TALLY_CPUS	1024

struct tally {
	unsigned long long lines[NR_CONTEXTS];
	unsigned long long bytes;
	/* The least number that may be next: who prints has one CPU, and counts up */
	unsigned long long next[NR_CONTEXTS][TALLY_CPUS];
	char line[600];			/* the one that has not all come yet */
	size_t len;
	bool bad;
};

/* What the stream had next. Sets 'bad' if that is not as it was printed. */
void tally_text(struct tally *t, const char *buf, long len);

/*
 * On PREEMPT_RT no page is to be had there, and who prints nowhere else has none: is it
 * not so?
 */
bool has_pages(enum context context);

#endif /* TALLY_H */
