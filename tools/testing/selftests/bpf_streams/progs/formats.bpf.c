// SPDX-License-Identifier: GPL-2.0
/* The same format and arguments for bpf_snprintf() and a stream */
#include "streams.bpf.h"
#include "formats.h"

char want[FORMATS_WANT_SIZE];
char string[] = "a string";
char empty[1];
char long_string[400];
unsigned char ip4[4] = { 10, 1, 2, 3 };
unsigned char ip6[16] = { 0xfe, 0x80, [15] = 1 };

extern const void schedule __ksym;

enum { FIRST = __COUNTER__ };

#define PRINT_BOTH(fmt, expected, args...)				\
	case __COUNTER__ - FIRST - 1:					\
		ctx->snprintf_len = BPF_SNPRINTF(want, sizeof(want),	\
						 fmt, ##args);		\
		ctx->stream_err = bpf_stream_printk(STDOUT, fmt, ##args); \
		return 0;

/* Loaded on request only, as not all kernels support it */
SEC("?syscall")
int utf8(void *ctx)
{
	return bpf_stream_printk(STDOUT, "caf\xc3\xa9 %d\n", 1);
}

SEC("syscall")
int format(struct format_args *ctx)
{
	__u64 user_string = ctx->user_string;

	switch (ctx->index) {
	FORMATS(PRINT_BOTH)
	}
	return 1;
}
