// SPDX-License-Identifier: GPL-2.0
/* What progs/anywhere.bpf.c has printed, see tally.h */
#include <sys/mman.h>

#include "tally.h"

bool tally_init(struct tally *t)
{
	memset(t, 0, sizeof(*t));
	/* Memory is taken as the numbers grow */
	t->seen = mmap(NULL, TALLY_MAX / 8, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (t->seen == MAP_FAILED)
		t->seen = NULL;
	return t->seen;
}

void tally_free(struct tally *t)
{
	if (t->seen)
		munmap(t->seen, TALLY_MAX / 8);
}

/* The line is as it was printed, for the first time? */
static bool check_line(struct tally *t)
{
	unsigned long long n;
	char want[600];
	unsigned int c;
	int len;

	if (sscanf(t->line, "%u %llu ", &c, &n) != 2 || c >= NR_CONTEXTS ||
	    n >= TALLY_MAX)
		return false;
	len = snprintf(want, sizeof(want), "%u %llu ", c, n);
	memset(want + len, 'x', ANYWHERE_PAD(n));
	len += ANYWHERE_PAD(n);
	if (t->len != len || memcmp(want, t->line, len))
		return false;
	if (t->seen[n / 8] & (1 << n % 8))
		return false;
	t->seen[n / 8] |= 1 << n % 8;
	t->lines[c]++;
	return true;
}

void tally_text(struct tally *t, const char *buf, long len)
{
	long i;

	for (i = 0; i < len && !t->bad; i++) {
		if (buf[i] != '\n' && t->len < sizeof(t->line) - 1) {
			t->line[t->len++] = buf[i];
			continue;
		}
		t->line[t->len] = '\0';
		t->bad = !check_line(t);
		if (!t->bad)
			t->len = 0;
	}
}
