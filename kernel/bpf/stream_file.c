// SPDX-License-Identifier: GPL-2.0
/*
 * BPF standard streams: streams as files
 *
 * A file refers to one stream of a program and does not keep the program loaded.
 * Readers can sleep until there is text, or poll. Files and the command
 * BPF_PROG_STREAM_READ_BY_FD share the text: each byte goes to one reader.
 */
#include <linux/anon_inodes.h>
#include <linux/bpf.h>
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <linux/wait.h>
#include "stream.h"

/**
 * struct bpf_stream_file - an open stream
 * @stream: the stream, with a reference
 * @prog_id: ID of the program, which may be unloaded
 * @stream_id: BPF_STDOUT or BPF_STDERR
 */
struct bpf_stream_file {
	struct bpf_stream *stream;
	u32 prog_id;
	u32 stream_id;
};

static struct bpf_stream *file_stream(const struct file *file)
{
	const struct bpf_stream_file *sf = file->private_data;

	return sf->stream;
}

/* wait:A is in here. */
static int stream_wait(struct bpf_stream *stream)
{
	return wait_event_interruptible(stream->wait,
					bpf_stream_has_text(stream) ||
					bpf_stream_has_ended(stream));
}

/*
 * Retry if another reader got the text for which this one was woken, or if a message is
 * charged but not yet pushed.
 */
static ssize_t stream_read_or_wait(struct bpf_stream *stream, char __user *buf, size_t len,
				   bool may_wait)
{
	bool ended;
	int n;

	for (;;) {
		/* Test this before the read: if set, the read finds all that was ever written. */
		ended = bpf_stream_has_ended(stream);
		n = bpf_stream_read(stream, buf, len);
		if (n || ended)
			return n;
		if (!may_wait)
			return -EAGAIN;
		/* stream_wait() does not test for signals if text is charged but not pushed. */
		if (signal_pending(current))
			return -ERESTARTSYS;

		cond_resched();
		if (stream_wait(stream))
			return -ERESTARTSYS;
	}
}

/* Do not wait after the first buffer, as that would delay the text in it. */
static ssize_t stream_file_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct file *file = iocb->ki_filp;
	bool may_wait = !(file->f_flags & O_NONBLOCK) && !(iocb->ki_flags & IOCB_NOWAIT);
	ssize_t n, sum = 0;
	size_t len;

	if (!user_backed_iter(to))
		return -EINVAL;

	/* Like a pipe, do not wait if no byte was requested. */
	while (iov_iter_count(to)) {
		len = iter_iov_len(to);
		n = len ? stream_read_or_wait(file_stream(file), iter_iov_addr(to), len,
					      may_wait && !sum) : 0;
		if (n < 0)
			return sum ?: n;
		iov_iter_advance(to, n);
		sum += n;
		if (n < len)
			break;
	}

	return sum;
}

static __poll_t stream_file_poll(struct file *file, struct poll_table_struct *wait)
{
	struct bpf_stream *stream = file_stream(file);
	__poll_t events = 0;

	poll_wait(file, &stream->wait, wait); /* wait:A */

	if (bpf_stream_has_ended(stream))
		events |= EPOLLHUP;
	if (bpf_stream_has_text(stream))
		events |= EPOLLIN | EPOLLRDNORM;

	return events;
}

#ifdef CONFIG_PROC_FS
static void stream_file_show_fdinfo(struct seq_file *m, struct file *file)
{
	const struct bpf_stream_file *sf = file->private_data;
	const struct bpf_stream *stream = sf->stream;

	seq_printf(m,
		   "prog_id:\t%u\n"
		   "stream_id:\t%u\n"
		   "unread_bytes:\t%u\n"
		   "dropped_bytes:\t%lu\n"
		   "dropped_msgs:\t%lu\n"
		   "memory_bytes:\t%lu\n",
		   sf->prog_id, sf->stream_id, bpf_stream_unread(stream),
		   bpf_stream_stat(stream, BPF_STREAM_DROPPED_BYTES),
		   bpf_stream_stat(stream, BPF_STREAM_DROPPED_MSGS),
		   bpf_stream_memory(stream));
}
#endif

static int stream_file_release(struct inode *inode, struct file *file)
{
	struct bpf_stream_file *sf = file->private_data;

	bpf_stream_put(sf->stream);
	kfree(sf);
	return 0;
}

static const struct file_operations bpf_stream_fops = {
	.owner		= THIS_MODULE,
	.read_iter	= stream_file_read_iter,
	.poll		= stream_file_poll,
#ifdef CONFIG_PROC_FS
	.show_fdinfo	= stream_file_show_fdinfo,
#endif
	.release	= stream_file_release,
};

static int open_stream(u32 prog_fd, u32 stream_id, int file_flags)
{
	struct bpf_stream_file *sf;
	int fd;

	sf = kmalloc(sizeof(*sf), GFP_KERNEL_ACCOUNT);
	if (!sf)
		return -ENOMEM;

	sf->stream_id = stream_id;
	sf->stream = bpf_stream_get_by_fd(prog_fd, stream_id, &sf->prog_id);
	if (IS_ERR(sf->stream)) {
		fd = PTR_ERR(sf->stream);
		goto err_free;
	}

	fd = anon_inode_getfd("bpf-stream", &bpf_stream_fops, sf, file_flags);
	if (fd < 0)
		goto err_put;

	return fd;

err_put:
	bpf_stream_put(sf->stream);
err_free:
	kfree(sf);
	return fd;
}

/**
 * bpf_prog_stream_open - the command BPF_PROG_STREAM_OPEN of bpf(2)
 * @attr: with the member prog_stream_open
 *
 * The interface is that announced for Linux 7.4.
 *
 * Context: Process context, may sleep.
 * Return: a descriptor, read-only and close-on-exec; -EINVAL for unknown flags; -ENOMEM;
 *         an error of bpf_stream_get_by_fd() or anon_inode_getfd().
 */
int bpf_prog_stream_open(const union bpf_attr *attr)
{
	u32 flags = attr->prog_stream_open.flags;
	int file_flags = O_RDONLY | O_CLOEXEC;

	if (flags & ~BPF_F_STREAM_NONBLOCK)
		return -EINVAL;
	if (flags & BPF_F_STREAM_NONBLOCK)
		file_flags |= O_NONBLOCK;

	return open_stream(attr->prog_stream_open.prog_fd,
			   attr->prog_stream_open.stream_id, file_flags);
}
