// SPDX-License-Identifier: GPL-2.0
/* Shared by all test programs and the fuzzer */
#include "write.h"

int write_text(struct bpf_stream *stream, const char *text, unsigned int len)
{
	guard(preempt)();
	return bpf_stream_write(stream, text, len);
}

int stage_text(struct bpf_stream_group *ss, const char *text, unsigned int len)
{
	guard(preempt)();
	return bpf_stream_stage_write(ss, text, len);
}

void make_text(char *text, unsigned int len, u32 seed)
{
	unsigned int i;

	for (i = 0; i < len; i++) {
		seed = seed * 1664525 + 1013904223;
		text[i] = seed >> 24;
	}
}
