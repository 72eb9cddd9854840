/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a stream is to do, said in the simplest way: a queue of bytes, and pages that
 * are counted. One thread, an NMI only where a page is allocated.
 */
#ifndef _MODEL_H
#define _MODEL_H

#include "write.h"

#define MAX_STAGED	64
#define NR_RECORDS	(PAGE_LIMIT * PAGE_SIZE / 16 + 1)

/**
 * struct model_rec - a message
 * @text: its text, of which @len bytes from @at are unread
 * @page: where its record would be
 * @begins_line: a newline comes before it unless one does
 */
struct model_rec {
	char text[MAX_BPRINTF_BUF];
	unsigned int at;
	unsigned int len;
	unsigned int page;
	bool begins_line;
};

/**
 * struct model_page - a page
 * @records: how many are in there
 * @in_use: a CPU allocates from it
 * @charged: it counts
 */
struct model_page {
	unsigned int records;
	bool in_use;
	bool charged;
};

/**
 * struct model - a stream
 * @queue: messages; @first of them is the oldest, and @nr there are
 * @unread: text in there
 * @mid_line: what was read last is not a newline
 * @page: pages, of which @pages are charged
 * @cpu_page: page that a CPU allocates from, if it has @cpu_room there
 * @staged: a group of @nr_staged, with @staged_bytes in all its @staged_msgs
 * @err: why that group failed
 * @refuse: there is no page to be had
 * @nmi_text: what an NMI writes where the next page is allocated, if it has @nmi_len
 * @nmi_ret: what that returned
 */
struct model {
	unsigned int first;
	unsigned int nr;
	unsigned int unread;
	bool mid_line;

	struct model_page page[PAGE_LIMIT];
	int pages;
	unsigned int cpu_page[NR_CPUS];
	unsigned int cpu_room[NR_CPUS];
	bool cpu_has_page[NR_CPUS];

	unsigned int nr_staged;
	unsigned int staged_bytes;
	unsigned int staged_msgs;
	int err;

	unsigned long stats[BPF_STREAM_NR_STATS];

	bool refuse;
	const char *nmi_text;
	unsigned int nmi_len;
	int nmi_ret;

	/* Last, as these are large and need not be cleared */
	struct model_rec staged[MAX_STAGED];
	struct model_rec queue[NR_RECORDS];
};

void model_init(struct model *m);
int model_write(struct model *m, const char *text, unsigned int len);
int model_stage(struct model *m, const char *text, unsigned int len);
int model_commit(struct model *m);

/* Drop the CPUs' pages, if they are empty. */
void model_drop_cursors(struct model *m);

/* Read up to @len bytes, about a page if @killed meanwhile. Return: their number. */
unsigned int model_read(struct model *m, char *buf, unsigned int len, bool killed);

#endif /* _MODEL_H */
