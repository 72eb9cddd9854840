// SPDX-License-Identifier: GPL-2.0
/* Errors of the kfuncs, called with either of their prototypes */
#include "streams.bpf.h"
#include "formats.h"

/* The suffix after ___ is ignored when the name is resolved */
extern int bpf_stream_vprintk___test(int stream_id, const char *fmt__str,
				     const void *args, __u32 len__sz) __weak __ksym;
/* As Linux 6.17 has it */
extern int bpf_stream_vprintk___test_6_17(int stream_id, const char *fmt__str,
					  const void *args, __u32 len__sz,
					  void *aux__prog) __weak __ksym;
extern int bpf_stream_vprintk_impl___test(int stream_id, const char *fmt__str,
					  const void *args, __u32 len__sz,
					  void *aux__prog) __weak __ksym;

char string[] = "a string";
static const char fmt_numbers[] = "%d and %d\n";

enum { FIRST = __COUNTER__ };

#define PRINT_BAD(fmt, args...)						\
	case __COUNTER__ - FIRST - 1:					\
		ctx->err = bpf_stream_printk(STDOUT, fmt, ##args);	\
		return 0;

SEC("syscall")
int bad_format(struct bad_format_args *ctx)
{
	switch (ctx->index) {
	BAD_FORMATS(PRINT_BAD)
	}
	return 1;
}

char first[2048];
char second[2048];

SEC("syscall")
int long_args(struct bad_format_args *ctx)
{
	ctx->err = bpf_stream_printk(STDOUT, "%s%s\n", first, second);
	return 0;
}

/* Conversions whose text does not fit behind a string */
SEC("syscall")
int args_after_long(struct bad_format_args *ctx)
{
	switch (ctx->index) {
	case 0:
		ctx->err = bpf_stream_printk(STDOUT, "%s|%pB|%pB|%c\n", first,
					     first, first, 'c');
		return 0;
	case 1:
		ctx->err = bpf_stream_printk(STDOUT, "%s|%pI6|%pi4|%c\n", first,
					     first, first, 'c');
		return 0;
	}
	return 1;
}

SEC("syscall")
int raw(struct raw_args *ctx)
{
	__u64 args[16] = { 1, 2, 3 };
	__u32 len = ctx->len;

	ctx->err = 1;
	ctx->err_impl = 1;
	if (len > sizeof(args))
		return 1;

	if (bpf_ksym_exists(bpf_stream_vprintk___test))
		ctx->err = bpf_stream_vprintk___test(ctx->stream, fmt_numbers,
						     args, len);
	if (bpf_ksym_exists(bpf_stream_vprintk___test_6_17))
		ctx->err = bpf_stream_vprintk___test_6_17(ctx->stream, fmt_numbers,
							  args, len, NULL);
	if (bpf_ksym_exists(bpf_stream_vprintk_impl___test))
		ctx->err_impl = bpf_stream_vprintk_impl___test(ctx->stream,
							       fmt_numbers,
							       args, len, NULL);
	return 0;
}

/* Loaded on request only, as the verifier may refuse it */
SEC("?syscall")
int null_args(struct raw_args *ctx)
{
	ctx->err = 1;
	ctx->err_impl = 1;
	if (bpf_ksym_exists(bpf_stream_vprintk___test))
		ctx->err = bpf_stream_vprintk___test(STDOUT, fmt_numbers, NULL, 16);
	if (bpf_ksym_exists(bpf_stream_vprintk_impl___test))
		ctx->err_impl = bpf_stream_vprintk_impl___test(STDOUT, fmt_numbers,
							       NULL, 16, NULL);
	return 0;
}

static const char fmt_plain[] = "no arguments\n";

SEC("?syscall")
int null_is_no_array(struct raw_args *ctx)
{
	return bpf_stream_vprintk___test(STDOUT, fmt_plain, NULL, 0);
}

SEC("?syscall")
int null_is_no_array_impl(struct raw_args *ctx)
{
	return bpf_stream_vprintk_impl___test(STDOUT, fmt_plain, NULL, 0, NULL);
}

static const char text_short[] = "short\n";
static const char text_other[] = "other\n";
static const char text_long[] = "a good deal longer than that\n";
static const char text_percent[] = "100%%\n";
static const char text_bad[] = "100%q\n";
static const char fmt_number[] = "%d\n";

/* One call for all: the text is only constant if all have the same length */
static __always_inline int print_chosen(const char *fmt, const void *args, __u32 len)
{
	barrier_var(fmt);
	barrier_var(len);
	if (!bpf_ksym_exists(bpf_stream_vprintk___test))
		return 1;
	return bpf_stream_vprintk___test(STDOUT, fmt, args, len);
}

SEC("?syscall")
int one_length(struct bad_format_args *ctx)
{
	const char *fmt = ctx->index ? text_other : text_short;
	__u64 args[1] = {};

	ctx->err = print_chosen(fmt, args, 0);
	return 0;
}

SEC("?syscall")
int two_lengths(struct bad_format_args *ctx)
{
	const char *fmt = ctx->index ? text_long : text_short;
	__u64 args[1] = {};

	ctx->err = print_chosen(fmt, args, 0);
	return 0;
}

SEC("?syscall")
int several_lengths(struct bad_format_args *ctx)
{
	const char *fmt = text_short;
	__u64 args[] = { 7 };
	__u32 len = 0;

	switch (ctx->index) {
	case 1:
		fmt = text_long;
		break;
	case 2:
		fmt = text_percent;
		break;
	case 3:
		fmt = text_bad;
		break;
	case 4:
		fmt = fmt_number;
		len = sizeof(args);
		break;
	case 5:
		len = sizeof(args);
		break;
	}
	ctx->err = print_chosen(fmt, args, len);
	return 0;
}
