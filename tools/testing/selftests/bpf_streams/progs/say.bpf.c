// SPDX-License-Identifier: GPL-2.0
/*
 * The program of most tests: prints the requested messages, see say.h.
 *
 * The sequence number is incremented only when a message was accepted, so the text has no
 * gaps, regardless of refused messages.
 */
#include "runtime.bpf.h"

char text[SAY_TEXT_SIZE];

static int say_line(struct say_args *args)
{
	__u64 pad = SAY_LINE_PAD(args->writer, args->seq);

	/* Never true: the compiler knows that, but the verifier doesn't */
	barrier_var(pad);
	if (pad > SAY_TEXT_SIZE - 1)
		return -22;
	return bpf_stream_printk(args->stream, "%u %08llu %s\n", args->writer,
				 args->seq, text + SAY_TEXT_SIZE - 1 - pad);
}

static int say_one(struct say_args *args)
{
	switch (args->kind) {
	case SAY_CHAR:
		return bpf_stream_printk(args->stream, "%c", 'a' + args->seq % 26);
	case SAY_TEXT:
		return bpf_stream_printk(args->stream, "%s", text);
	case SAY_LINE:
		return say_line(args);
	case SAY_64:
		return bpf_stream_printk(args->stream, "%063llu\n", args->seq);
	case SAY_512:
		return bpf_stream_printk(args->stream, "%0511llu\n", args->seq);
	case SAY_1023:
		return bpf_stream_printk(args->stream, "%01022llu\n", args->seq);
	case SAY_1024:
		return bpf_stream_printk(args->stream, "%01023llu\n", args->seq);
	case SAY_EMPTY:
		return bpf_stream_printk(args->stream, "");
	case SAY_STACK:
		return bpf_stream_print_stack(args->stream);
	}
	return -22;
}

static long say_next(__u32 i, struct say_args *args)
{
	int err = say_one(args);

	if (!err) {
		args->accepted++;
		args->seq++;
		return 0;
	}

	if (args->refused && args->error != err)
		args->other_errors++;
	args->refused++;
	args->error = err;
	return args->until_error ? 1 : 0;
}

SEC("syscall")
int say(struct say_args *ctx)
{
	struct say_args args = {
		.stream = ctx->stream,
		.kind = ctx->kind,
		.writer = ctx->writer,
		.until_error = ctx->until_error,
		.seq = ctx->seq,
	};

	bpf_loop(ctx->count, say_next, &args, 0);

	ctx->seq = args.seq;
	ctx->accepted = args.accepted;
	ctx->refused = args.refused;
	ctx->error = args.error;
	ctx->other_errors = args.other_errors;
	return 0;
}
