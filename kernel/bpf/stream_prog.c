// SPDX-License-Identifier: GPL-2.0
/*
 * BPF standard streams: the streams of a program
 *
 * Every program loaded by bpf(2) has a struct bpf_streams, which its
 * subprograms and callbacks share. The program holds a reference to each
 * stream until it can no longer run.
 */
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include "stream.h"

static_assert((int)BPF_STDOUT == BPF_STREAM_STDOUT);
static_assert((int)BPF_STDERR == BPF_STREAM_STDERR);

/* Arena faults are reported for programs that cannot print, too. */
static bool prog_may_print(const struct bpf_prog_aux *aux)
{
	return aux->may_print || aux->arena;
}

/**
 * bpf_prog_streams_alloc - allocate the streams of a program
 * @aux: of the main program, with its token, after verification
 *
 * Context: Process context, may sleep.
 * Return: 0 or -ENOMEM.
 */
int bpf_prog_streams_alloc(struct bpf_prog_aux *aux)
{
	int i;

	aux->streams = kzalloc(sizeof(*aux->streams),
			       bpf_memcg_flags(GFP_KERNEL));
	if (!aux->streams)
		return -ENOMEM;

	aux->streams->may_show_addresses = bpf_token_capable(aux->token, CAP_PERFMON);
	for (i = 0; i < BPF_NR_STREAMS; i++) {
		aux->streams->stream[i] = bpf_stream_alloc(prog_may_print(aux));
		if (!aux->streams->stream[i])
			goto err_free;
	}

	return 0;

err_free:
	bpf_prog_streams_free(aux);
	return -ENOMEM;
}

/**
 * bpf_prog_streams_free - end and release the streams of a program
 * @aux: of a program that can no longer run, or that has no streams
 *
 * Context: Process context.
 */
void bpf_prog_streams_free(struct bpf_prog_aux *aux)
{
	int i;

	if (!aux->streams)
		return;

	for (i = 0; i < BPF_NR_STREAMS; i++) {
		if (!aux->streams->stream[i])
			continue;
		bpf_stream_end(aux->streams->stream[i]);
		bpf_stream_put(aux->streams->stream[i]);
	}

	kfree(aux->streams);
	aux->streams = NULL;
}

/**
 * bpf_prog_may_show_addresses - test if reports may show kernel addresses
 * @prog: the main program
 *
 * Context: Any, NMI included.
 * Return: true if the program was loaded with CAP_PERFMON.
 */
bool bpf_prog_may_show_addresses(const struct bpf_prog *prog)
{
	return prog->aux->streams && prog->aux->streams->may_show_addresses;
}

static void stream_show_fdinfo(struct seq_file *m, const char *name,
			       const struct bpf_stream *stream)
{
	seq_printf(m,
		   "stream_%s_written_bytes:\t%lu\n"
		   "stream_%s_written_msgs:\t%lu\n"
		   "stream_%s_unread_bytes:\t%u\n"
		   "stream_%s_memory_bytes:\t%lu\n"
		   "stream_%s_dropped_bytes:\t%lu\n"
		   "stream_%s_dropped_msgs:\t%lu\n",
		   name, bpf_stream_stat(stream, BPF_STREAM_WRITTEN_BYTES),
		   name, bpf_stream_stat(stream, BPF_STREAM_WRITTEN_MSGS),
		   name, bpf_stream_unread(stream),
		   name, bpf_stream_memory(stream),
		   name, bpf_stream_stat(stream, BPF_STREAM_DROPPED_BYTES),
		   name, bpf_stream_stat(stream, BPF_STREAM_DROPPED_MSGS));
}

/**
 * bpf_prog_streams_show_fdinfo - print the counters of a program's streams
 * @m: the program's fdinfo
 * @aux: of the program
 */
void bpf_prog_streams_show_fdinfo(struct seq_file *m,
				  const struct bpf_prog_aux *aux)
{
	if (!aux->streams)
		return;

	stream_show_fdinfo(m, "stdout", bpf_prog_stream(aux, BPF_STDOUT));
	stream_show_fdinfo(m, "stderr", bpf_prog_stream(aux, BPF_STDERR));
}

/**
 * bpf_stream_get_by_fd - take a reference to a stream of a program
 * @prog_fd: the program's descriptor
 * @stream_id: BPF_STDOUT or BPF_STDERR
 * @prog_id: set to the program's ID, unless NULL
 *
 * The reference keeps the stream, but not the program.
 *
 * Context: Process context.
 * Return: the stream; -EBADF if @prog_fd is not a descriptor; -EINVAL if it is not
 *         that of a program; -ENOENT if the stream does not exist.
 */
struct bpf_stream *bpf_stream_get_by_fd(u32 prog_fd, u32 stream_id, u32 *prog_id)
{
	struct bpf_stream *stream;
	struct bpf_prog *prog;

	prog = bpf_prog_get(prog_fd);
	if (IS_ERR(prog))
		return ERR_CAST(prog);

	stream = bpf_prog_stream(prog->aux, stream_id);
	if (stream)
		refcount_inc(&stream->refs);
	if (prog_id)
		*prog_id = prog->aux->id;
	bpf_prog_put(prog);

	return stream ?: ERR_PTR(-ENOENT);
}

/**
 * bpf_prog_stream_read - the command BPF_PROG_STREAM_READ_BY_FD of bpf(2)
 * @attr: with the member prog_stream_read
 *
 * Context: Process context, may sleep.
 * Return: number of bytes copied, 0 if there is no unread text; -EINVAL if the length
 *         is above INT_MAX; an error of bpf_stream_get_by_fd() or bpf_stream_read().
 */
int bpf_prog_stream_read(const union bpf_attr *attr)
{
	char __user *buf = u64_to_user_ptr(attr->prog_stream_read.stream_buf);
	u32 len = attr->prog_stream_read.stream_buf_len;
	struct bpf_stream *stream;
	int ret;

	if (len > INT_MAX)
		return -EINVAL;

	stream = bpf_stream_get_by_fd(attr->prog_stream_read.prog_fd,
				      attr->prog_stream_read.stream_id, NULL);
	if (IS_ERR(stream))
		return PTR_ERR(stream);

	ret = bpf_stream_read(stream, buf, len);
	bpf_stream_put(stream);
	return ret;
}

/**
 * bpf_stream_stage_init - begin a group of messages
 * @ss: the group
 * @prog: main program
 * @stream_id: the program's stream, BPF_STDOUT or BPF_STDERR
 *
 * Use bpf_stream_stage().
 */
void bpf_stream_stage_init(struct bpf_stream_group *ss,
			   const struct bpf_prog *prog,
			   enum bpf_stream_id stream_id)
{
	struct bpf_stream *stream = bpf_prog_stream(prog->aux, stream_id);

	*ss = (struct bpf_stream_group) {};
	if (stream && bpf_stream_is_writable(stream))
		ss->stream = stream;
	else
		ss->err = -ENOENT;
}

/**
 * bpf_stream_stage_printk - add a message to a group
 * @ss: the group
 * @fmt: format as of printk()
 * @...: its arguments
 *
 * Use bpf_stream_printk().
 *
 * Return: 0 or the first error of the group.
 */
int bpf_stream_stage_printk(struct bpf_stream_group *ss, const char *fmt, ...)
{
	struct bpf_bprintf_buffers *bufs;
	va_list args;
	int len;

	if (!ss->stream)
		return ss->err;

	if (bpf_try_get_buffers(&bufs)) {
		ss->msgs++;
		ss->err = ss->err ?: -EBUSY;
		return ss->err;
	}

	va_start(args, fmt);
	len = vscnprintf(bufs->buf, sizeof(bufs->buf), fmt, args);
	va_end(args);

	bpf_stream_stage_write(ss, bufs->buf, len);
	bpf_put_buffers();

	return ss->err;
}
