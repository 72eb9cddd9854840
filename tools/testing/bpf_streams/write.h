/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by all test programs and the fuzzer: limits, and writing */
#ifndef _WRITE_H
#define _WRITE_H

#include "stream.h"

#define CAPACITY	CONFIG_BPF_STREAMS_CAPACITY
/* Each page begins with a count. */
#define PAGE_ROOM	(PAGE_SIZE - 8)
#define PAGE_LIMIT	((2 * CAPACITY + (int)PAGE_SIZE - 65) / ((int)PAGE_SIZE - 64) + NR_CPUS)

/* With the simulated CPU held, as required for writers */
int write_text(struct bpf_stream *stream, const char *text, unsigned int len);
int stage_text(struct bpf_stream_group *ss, const char *text, unsigned int len);

/* Fill @text depending on @seed. */
void make_text(char *text, unsigned int len, u32 seed);

#endif /* _WRITE_H */
