// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* bpftool prog tracelog: the standard streams of programs */

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/resource.h>

#include <bpf/bpf.h>

#include "stream.h"

#define NR_OWN_FDS	16

static const char no_streams[] =
	"kernel does not support BPF program streams (needs Linux 6.17 or CONFIG_BPF_STREAMS)";

static const char * const stream_names[] = {
	[BPF_STREAM_STDOUT]	= "stdout",
	[BPF_STREAM_STDERR]	= "stderr",
};

/*
 * Like p_err(), but more output may follow. It waits for the reader of stderr no longer
 * than text does.
 */
void stream_err(const char *fmt, ...)
{
	char msg[ERR_MAX_LEN];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);

	if (stream_out_error(msg))
		return;

	p_err("%s", msg);
	if (json_output)
		jsonw_end_line(json_wtr);
}

/* Not printed immediately, as threads search for programs, too. */
static int __printf(2, 3) scan_err(struct stream_reader *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->msg, sizeof(r->msg), fmt, ap);
	va_end(ap);

	return -1;
}

static const char *stream_strerror(int err)
{
	switch (err) {
	case -EINVAL:
		/* The attributes are valid, so the kernel lacks the command. */
		return no_streams;
	case -ENOENT:
		return "program has no such stream";
	default:
		return strerror(-err);
	}
}

/* With --wait the descriptor is that of the stream. */
static bool get_stat(const struct stream_reader *r, const struct stream *s,
		     struct stream_stat *st)
{
	return stream_stat(s->fd, r->wait ? NULL : s->name, st);
}

/*
 * A program may print because its text is being dumped, for example if it traces
 * system calls. So the dump ends with the text that is unread when it begins. If the
 * kernel doesn't have this counter, read until the stream is empty.
 */
static __u64 unread(const struct stream_reader *r, const struct stream *s)
{
	struct stream_stat st;

	if (!get_stat(r, s, &st))
		return ULLONG_MAX;

	/* Read even if nothing is unread, as reading may fail. */
	return st.unread_bytes ?: STREAM_BUF_SZ;
}

static int stream_read(const struct stream_reader *r, struct stream *s)
{
	size_t len = STREAM_BUF_SZ;
	int n;

	if (len > s->left)
		len = s->left;
	if (!len)
		return 0;

	do {
		n = bpf_prog_stream_read(s->fd, s->id, r->buf, len, NULL);
	} while (n == -EINTR);

	if (n > 0)
		s->left -= n;

	return n;
}

static struct stream_prog *prog_new(const struct bpf_prog_info *info, int fd)
{
	struct stream_prog *p;

	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;

	p->id = info->id;
	memcpy(p->tag, info->tag, sizeof(p->tag));
	get_prog_full_name(info, fd, p->name, sizeof(p->name));

	return p;
}

static void prog_put(struct stream_prog *p)
{
	if (!--p->nr_open)
		free(p);
}

static bool is_selection(const struct stream_reader *r)
{
	return r->everything || r->pattern || r->tag;
}

/*
 * With --wait the descriptor does not keep the program loaded. Without it, a selection
 * of programs is opened one at a time, so that a slow reader of the output does not keep
 * all of them loaded.
 */
static int open_fd(const struct stream_reader *r, int prog_fd, __u32 id)
{
	LIBBPF_OPTS(bpf_prog_stream_open_opts, opts,
		    .flags = BPF_F_STREAM_NONBLOCK);
	int fd;

	if (r->wait)
		return bpf_prog_stream_open(prog_fd, id, &opts);
	if (is_selection(r))
		return -1;

	fd = fcntl(prog_fd, F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

/* Following all programs continues without one that cannot be opened. */
static bool is_missed(struct stream_reader *r, int err)
{
	if (!r->wait || !r->everything || (err != -EMFILE && err != -ENFILE && err != -ENOMEM))
		return false;

	r->missed.nr++;
	r->missed.err = err;
	return true;
}

static int add_stream(struct stream_reader *r, struct stream_prog *p,
		      int prog_fd, __u32 id)
{
	struct stream *s;
	int err;

	s = calloc(1, sizeof(*s));
	if (!s)
		return scan_err(r, "mem alloc failed");

	s->name = stream_names[id];
	s->id = id;
	s->fd = open_fd(r, prog_fd, id);
	if (s->fd < 0 && (r->wait || !is_selection(r))) {
		err = s->fd;
		free(s);
		if ((err == -ENOENT && is_selection(r)) || is_missed(r, err))
			return 0;
		return scan_err(r, "can't open %s of program %u: %s",
				stream_names[id], p->id, stream_strerror(err));
	}

	if (r->wait && !r->found_first)
		get_stat(r, s, &s->before);
	s->prog = p;
	p->nr_open++;
	list_add_tail(&s->list, &r->found);

	return 0;
}

static int add_prog(struct stream_reader *r, const struct bpf_prog_info *info,
		    int fd)
{
	struct stream_prog *p;
	int err = 0;
	__u32 id;

	p = prog_new(info, fd);
	if (!p)
		return scan_err(r, "mem alloc failed");

	p->nr_open = 1;
	for (id = BPF_STREAM_STDOUT; !err && id <= BPF_STREAM_STDERR; id++) {
		if (!r->stream_id || r->stream_id == id)
			err = add_stream(r, p, fd, id);
	}
	prog_put(p);

	return err;
}

static bool prog_matches(const struct stream_reader *r,
			 const struct bpf_prog_info *info, int fd)
{
	char name[MAX_PROG_FULL_NAME];

	if (r->tag)
		return !memcmp(info->tag, r->tag, sizeof(info->tag));
	if (!r->pattern)
		return true;

	get_prog_full_name(info, fd, name, sizeof(name));
	return !fnmatch(r->pattern, name, 0);
}

int stream_add_prog(struct stream_reader *r, int fd)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	if (bpf_prog_get_info_by_fd(fd, &info, &len)) {
		/* Its device was removed, so it can no longer run. */
		if (errno == ENODEV && is_selection(r))
			return 0;
		return scan_err(r, "can't get prog info: %s", strerror(errno));
	}

	return prog_matches(r, &info, fd) ? add_prog(r, &info, fd) : 0;
}

/*
 * Find programs that were loaded since the last scan. IDs ascend (and wrap around after
 * 2^31 programs).
 */
int stream_scan(struct stream_reader *r)
{
	int fd, err;

	while (!bpf_prog_get_next_id(r->last_id, &r->last_id)) {
		fd = bpf_prog_get_fd_by_id(r->last_id);
		if (fd < 0) {
			if (errno == ENOENT || is_missed(r, -errno))
				continue;
			return scan_err(r, "can't get prog by id (%u): %s",
					r->last_id, strerror(errno));
		}
		err = stream_add_prog(r, fd);
		close(fd);
		if (err)
			return err;
	}

	if (errno != ENOENT)
		return scan_err(r, "can't get next program: %s", strerror(errno));

	return 0;
}

static void report_losses(const struct stream_reader *r, const struct stream *s)
{
	struct stream_stat st;
	__u64 msgs;

	if (!get_stat(r, s, &st))
		return;

	msgs = st.dropped_msgs - s->before.dropped_msgs;
	if (!msgs)
		return;

	stream_out_note(s->prog, "lost %llu message%s (%lluB) to %s%s",
			msgs, msgs == 1 ? "" : "s",
			st.dropped_bytes - s->before.dropped_bytes, s->name,
			r->wait ? "" : " since it was loaded");
}

static void stream_drop(struct stream *s)
{
	list_del(&s->list);
	prog_put(s->prog);
	if (s->fd >= 0)
		close(s->fd);
	free(s->part);
	free(s);
}

void stream_end(const struct stream_reader *r, struct stream *s, bool gone)
{
	stream_end_part(s);
	report_losses(r, s);
	/* Not for programs that loaders use to probe for features */
	if (gone && r->several && s->prog->nr_open == 1 && s->prog->has_printed &&
	    !json_output)
		stream_out_note(s->prog, "is gone");
	stream_drop(s);
}

static void stream_dump(struct stream_reader *r, struct stream *s)
{
	int n;

	s->left = unread(r, s);
	while ((n = stream_read(r, s)) > 0) {
		stream_text(s, r->buf, n);
		if (!stream_out_flush() || stream_signals_came())
			return;
	}

	if (n < 0 && !(n == -ENOENT && is_selection(r))) {
		stream_err("can't read %s of program %u: %s", s->name,
			   s->prog->id, stream_strerror(n));
		r->err = -1;
	}
}

/* Return: false if the program was unloaded, or on error. */
static bool open_again(struct stream_reader *r, struct stream *s)
{
	if (s->fd < 0)
		s->fd = bpf_prog_get_fd_by_id(s->prog->id);
	if (s->fd >= 0)
		return true;

	if (errno != ENOENT) {
		stream_err("can't get prog by id (%u): %s", s->prog->id, strerror(errno));
		r->err = -1;
	}
	return false;
}

static void dump_all(struct stream_reader *r)
{
	struct stream *s, *tmp;

	list_for_each_entry_safe(s, tmp, &r->streams, list) {
		if (open_again(r, s))
			stream_dump(r, s);
		stream_end(r, s, false);
		if (!stream_out_flush() || r->err || stream_signals_came())
			return;
	}
}

/* Raise the limit, as each stream takes a descriptor, but keep @less in reserve. */
static void limit_nofile(rlim_t less)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim))
		return;
	lim.rlim_cur = lim.rlim_max - (less < lim.rlim_max / 2 ? less : lim.rlim_max / 2);
	setrlimit(RLIMIT_NOFILE, &lim);
}

/* Other descriptors for following: one for each CPU, and some more */
static rlim_t nr_own_fds(const struct stream_reader *r)
{
	int nr_cpus = libbpf_num_possible_cpus();

	return r->wait ? NR_OWN_FDS + (nr_cpus > 0 ? nr_cpus : 0) : 0;
}

static int parse_stream(struct stream_reader *r, const char *arg)
{
	if (detect_common_prefix(arg, "stdout", "stderr", NULL))
		return -1;

	if (is_prefix(arg, "stdout")) {
		r->stream_id = BPF_STREAM_STDOUT;
	} else if (is_prefix(arg, "stderr")) {
		r->stream_id = BPF_STREAM_STDERR;
	} else if (is_prefix(arg, "all")) {
		r->stream_id = 0;
	} else {
		p_err("expected 'stdout', 'stderr' or 'all', got: '%s'", arg);
		return -1;
	}

	return 0;
}

static int parse_tag(struct stream_reader *r, const char *arg)
{
	static unsigned char tag[BPF_TAG_SIZE];

	if (sscanf(arg, BPF_TAG_FMT, tag, tag + 1, tag + 2, tag + 3, tag + 4,
		   tag + 5, tag + 6, tag + 7) != BPF_TAG_SIZE) {
		p_err("can't parse tag");
		return -1;
	}
	r->tag = tag;

	return 0;
}

static bool is_tracelog_option(const char *arg)
{
	return is_prefix(arg, "timestamps") || is_prefix(arg, "journal");
}

/* PROG, or nothing for all programs */
static int parse_prog(struct stream_reader *r, int *argcp, char ***argvp)
{
	int argc = *argcp;
	char **argv = *argvp;
	int err = 0;

	if (argc && detect_common_prefix(*argv, "tag", "timestamps", NULL))
		return -1;

	if (!argc || is_tracelog_option(*argv)) {
		r->everything = true;
		return 0;
	}

	if (!REQ_ARGS(2))
		return -1;

	/* More than one program may match, and programs may be unloaded meanwhile. */
	if (is_prefix(*argv, "tag")) {
		err = parse_tag(r, argv[1]);
	} else if (is_prefix(*argv, "name")) {
		r->pattern = argv[1];
	} else {
		r->prog_fd = prog_parse_fd(argcp, argvp);
		return r->prog_fd < 0 ? -1 : 0;
	}

	*argcp = argc - 2;
	*argvp = argv + 2;
	return err;
}

static int parse_style(struct stream_style *style, int argc, char **argv)
{
	while (argc) {
		if (is_prefix(*argv, "timestamps"))
			style->timestamps = true;
		else if (is_prefix(*argv, "journal"))
			style->format = STREAM_JOURNAL;
		else
			return BAD_ARG();
		NEXT_ARG();
	}

	if (json_output && style->format == STREAM_JOURNAL) {
		p_err("lines go to the journal or are printed as JSON, not both");
		return -1;
	}
	if (json_output)
		style->format = STREAM_JSON;

	return 0;
}

static int find_streams(struct stream_reader *r)
{
	int err;

	limit_nofile(nr_own_fds(r));
	err = r->prog_fd >= 0 ? stream_add_prog(r, r->prog_fd) : stream_scan(r);
	limit_nofile(0);
	r->found_first = true;
	list_splice_tail_init(&r->found, &r->streams);
	if (err)
		stream_err("%s", r->msg);

	return err;
}

static int open_streams(struct stream_reader *r)
{
	/* There may be no program yet with which to try the command. */
	if (r->wait && !libbpf_probe_bpf_cmd(BPF_PROG_STREAM_OPEN, NULL)) {
		p_err("kernel can't wait for streams (needs Linux 7.4 or CONFIG_BPF_STREAMS); unread text can be printed without --wait");
		return -1;
	}

	if (find_streams(r))
		return -1;
	if (list_empty(&r->streams) && is_selection(r) && !r->everything) {
		p_err("no program matches this handle");
		return -1;
	}

	return 0;
}

static bool several_progs(const struct stream_reader *r)
{
	if (r->everything)
		return true;

	return list_first_entry(&r->streams, struct stream, list)->prog !=
	       list_last_entry(&r->streams, struct stream, list)->prog;
}

static void drop_prog_fd(struct stream_reader *r)
{
	if (r->prog_fd >= 0)
		close(r->prog_fd);
	r->prog_fd = -1;
}

static void drop_streams(struct stream_reader *r)
{
	struct stream *s, *tmp;

	list_for_each_entry_safe(s, tmp, &r->streams, list)
		stream_drop(s);
}

static int print_streams(struct stream_reader *r, struct stream_style *style)
{
	r->several = several_progs(r);
	style->prefix = r->several;
	style->split = !r->stream_id;

	r->buf = malloc(STREAM_BUF_SZ);
	if (!r->buf) {
		p_err("mem alloc failed");
		return -1;
	}
	if (stream_signals_begin())
		return -1;
	if (stream_out_open(style)) {
		r->err = -1;
		goto exit_signals;
	}

	if (r->wait)
		stream_follow(r);
	else
		dump_all(r);

	if (stream_out_close())
		r->err = -1;

exit_signals:
	stream_signals_end();
	return r->err;
}

/* Keep files that are opened later from becoming stdin, stdout or stderr. */
static void reserve_standard_fds(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);

	if (fd > STDERR_FILENO)
		close(fd);
}

/* Check this first, as text is lost once it was read. */
static int check_output(const char *name, int flags)
{
	if (flags < 0) {
		p_err("standard %s is closed", name);
		return -1;
	}
	if ((flags & O_ACCMODE) == O_RDONLY) {
		p_err("standard %s is not open for writing", name);
		return -1;
	}

	return 0;
}

/* stderr of programs is printed to bpftool's stderr by default. */
static bool needs_stderr(const struct stream_reader *r, const struct stream_style *style)
{
	return !r->stream_id && style->format == STREAM_PLAIN;
}

int do_tracelog_stream(int argc, char **argv)
{
	struct stream_style style = { .format = STREAM_PLAIN };
	struct stream_reader r = {
		.streams = LIST_HEAD_INIT(r.streams),
		.found = LIST_HEAD_INIT(r.found),
		.wait = wait_output,
		.prog_fd = -1,
	};
	int out_flags = fcntl(STDOUT_FILENO, F_GETFL);
	int err_flags = fcntl(STDERR_FILENO, F_GETFL);
	int err = -1;

	reserve_standard_fds();
	if (check_output("output", out_flags) || parse_stream(&r, *argv))
		return -1;
	NEXT_ARG();

	if (parse_prog(&r, &argc, &argv) || parse_style(&style, argc, argv))
		goto exit_drop;
	if (needs_stderr(&r, &style) && check_output("error", err_flags))
		goto exit_drop;
	if (open_streams(&r))
		goto exit_drop;

	/* With --wait do not keep the program loaded. */
	drop_prog_fd(&r);
	err = print_streams(&r, &style);

	/* Clear errno: batch mode treats non-zero as failure. */
	errno = 0;

exit_drop:
	drop_streams(&r);
	drop_prog_fd(&r);
	free(r.buf);
	return err;
}
