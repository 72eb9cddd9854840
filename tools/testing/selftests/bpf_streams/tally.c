// SPDX-License-Identifier: GPL-2.0
/* Check the output of progs/anywhere.bpf.c, see tally.h */
#include "tally.h"

/* Test if the line is whole and in order. */
static bool check_line(struct tally *t)
{
	unsigned long long n;
	unsigned int c, cpu;
	char want[600];
	int len;

	if (sscanf(t->line, "%u %u %llu ", &c, &cpu, &n) != 3 || c >= NR_CONTEXTS ||
	    cpu >= TALLY_CPUS)
		return false;
	len = snprintf(want, sizeof(want), "%u %u %llu ", c, cpu, n);
	memset(want + len, 'x', ANYWHERE_PAD(n));
	len += ANYWHERE_PAD(n);
	if (t->len != len || memcmp(want, t->line, len))
		return false;
	if (n < t->next[c][cpu])
		return false;
	t->next[c][cpu] = n + 1;
	t->lines[c]++;
	return true;
}

void tally_text(struct tally *t, const char *buf, long len)
{
	long i;

	t->bytes += len;
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

bool has_pages(enum context context)
{
	return !is_rt() || (context != IN_NMI && context != IN_HARDIRQ);
}
