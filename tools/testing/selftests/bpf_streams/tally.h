/* SPDX-License-Identifier: GPL-2.0 */
/* What progs/anywhere.bpf.c has printed: every line whole, and once */
#ifndef TALLY_H
#define TALLY_H

#include "streams_test.h"
#include "anywhere.h"

#define TALLY_MAX	(1024UL * MIB)	/* messages */

struct tally {
	unsigned long long lines[NR_CONTEXTS];
	unsigned char *seen;		/* a bit for each number */
	char line[600];			/* the one that has not all come yet */
	size_t len;
	bool bad;
};

bool tally_init(struct tally *t);
void tally_free(struct tally *t);
/* What the stream had next. Sets 'bad' if that is not as it was printed. */
void tally_text(struct tally *t, const char *buf, long len);

#endif /* TALLY_H */
