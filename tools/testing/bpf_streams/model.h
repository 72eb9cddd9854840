/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A simple model of a stream: a queue of messages, and pages that are counted. There is
 * one thread, and NMIs occur only when a page is allocated.
 */
#ifndef _MODEL_H
#define _MODEL_H

#include "write.h"

#define MAX_STAGED	64
#define NR_RECORDS	(PAGE_LIMIT * PAGE_SIZE / 16 + 1)

/**
 * struct model_rec - a message
 * @text: its text
 * @at: number of bytes of it that were read
 * @len: its length
 * @page: index of the page of its record
 * @begins_line: a newline is inserted before it unless it begins a line
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
 * @records: number of records in it
 * @in_use: it is the current page of a CPU
 * @charged: it is counted in model.pages
 */
struct model_page {
	unsigned int records;
	bool in_use;
	bool charged;
};

/**
 * struct model - a stream
 * @first: index of the oldest message in @queue
 * @nr: number of messages in @queue
 * @unread: length of their unread text
 * @mid_line: the last character that was read is not a newline
 * @page: the pages
 * @pages: number of pages that are charged
 * @cpu_page: index of each CPU's current page
 * @cpu_room: number of free bytes in that page
 * @cpu_has_page: the CPU has a current page
 * @nr_staged: number of messages in @staged
 * @staged_bytes: text of all messages of the group, staged or lost
 * @staged_msgs: number of all messages of the group, staged or lost
 * @err: first error of the group, or 0
 * @stats: counters
 * @refuse: no page is available
 * @nmi_text: text that an NMI writes when the next page is allocated
 * @nmi_len: its length; 0: there is no NMI
 * @nmi_ret: result of that write
 * @staged: messages of the group
 * @queue: messages that were written
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

/* Drop the current pages of all CPUs. */
void model_drop_cursors(struct model *m);

/* Read up to @len bytes; about a page if @killed during that. Return: their number. */
unsigned int model_read(struct model *m, char *buf, unsigned int len, bool killed);

#endif /* _MODEL_H */
