// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "main.h"

#define STREAM_BUF_SZ	(64 * 1024)

struct stream {
	const char *name;
	__u32 id;
	int prog_fd;
	__u64 left;		/* bytes still to be dumped */
	struct bpf_prog_info info;
};

static const char no_streams[] =
	"kernel does not support BPF program streams (needs Linux 6.17 or CONFIG_BPF_STREAMS)";

static char stream_buf[STREAM_BUF_SZ];

static int stream_parse_name(struct stream *s, const char *arg)
{
	if (detect_common_prefix(arg, "stdout", "stderr", NULL))
		return -1;

	if (is_prefix(arg, "stdout")) {
		s->name = "stdout";
		s->id = BPF_STREAM_STDOUT;
	} else if (is_prefix(arg, "stderr")) {
		s->name = "stderr";
		s->id = BPF_STREAM_STDERR;
	} else {
		p_err("expected 'stdout' or 'stderr', got: '%s'", arg);
		return -1;
	}

	return 0;
}

/*
 * A program may print more because we dump what it has printed, for example if
 * it traces system calls. Hence the dump ends with what is unread when it
 * begins. A kernel that doesn't tell how much that is has to be read until
 * there is nothing left.
 */
static __u64 stream_unread(const struct stream *s)
{
	__u64 unread = ULLONG_MAX;
	char key[32], *val, *end;

	snprintf(key, sizeof(key), "stream_%s_unread_bytes", s->name);
	val = get_fdinfo(s->prog_fd, key);
	if (!val)
		return unread;

	errno = 0;
	unread = strtoull(val, &end, 10);
	if (errno || end == val)
		unread = ULLONG_MAX;
	free(val);

	/* Read even if there seems to be nothing: that may be an error. */
	return unread ?: STREAM_BUF_SZ;
}

static int stream_read(struct stream *s, char *buf, size_t len)
{
	int n;

	if (len > s->left)
		len = s->left;
	if (!len)
		return 0;

	do {
		n = bpf_prog_stream_read(s->prog_fd, s->id, buf, len, NULL);
	} while (n == -EINTR);

	if (n > 0)
		s->left -= n;

	return n;
}

static const char *stream_strerror(int err)
{
	switch (err) {
	case -EINVAL:
		/* All that we pass is valid, so it must be the command. */
		return no_streams;
	case -ENOENT:
		return "program has no such stream";
	default:
		return strerror(-err);
	}
}

static int write_stdout(const char *buf, size_t len)
{
	struct pollfd pfd = { .fd = STDOUT_FILENO, .events = POLLOUT };
	ssize_t n;

	while (len) {
		n = write(STDOUT_FILENO, buf, len);
		if (n >= 0) {
			buf += n;
			len -= n;
		} else if (errno == EAGAIN) {
			/* whoever shares it with us has made it non-blocking */
			poll(&pfd, 1, -1);
		} else if (errno != EINTR) {
			p_err("can't write to standard output: %s",
			      strerror(errno));
			return -1;
		}
	}

	return 0;
}

static int stream_dump_plain(struct stream *s)
{
	int n;

	/* The text goes around the buffer of stdio. */
	fflush(stdout);

	while ((n = stream_read(s, stream_buf, sizeof(stream_buf))) > 0) {
		if (write_stdout(stream_buf, n))
			return -1;
	}

	if (n < 0) {
		p_err("can't read %s of program %u: %s", s->name, s->info.id,
		      stream_strerror(n));
		return -1;
	}

	return 0;
}

/*
 * Length of the UTF-8 sequence that text begins with: 0 if that is not valid,
 * more than len if it is not complete.
 */
static size_t utf8_len(const unsigned char *text, size_t len)
{
	__u32 code, min;
	size_t i, n;

	if (text[0] < 0x80)
		return 1;

	if ((text[0] & 0xe0) == 0xc0) {
		n = 2;
		min = 0x80;
		code = text[0] & 0x1f;
	} else if ((text[0] & 0xf0) == 0xe0) {
		n = 3;
		min = 0x800;
		code = text[0] & 0x0f;
	} else if ((text[0] & 0xf8) == 0xf0) {
		n = 4;
		min = 0x10000;
		code = text[0] & 0x07;
	} else {
		return 0;
	}

	for (i = 1; i < n; i++) {
		if (i == len)
			return n;
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (text[i] & 0x3f);
	}

	/* overlong, a surrogate, or beyond Unicode */
	if (code < min || (code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff)
		return 0;

	return n;
}

static void print_json_char(unsigned char c)
{
	switch (c) {
	case '"':
	case '\\':
		printf("\\%c", c);
		break;
	case '\n':
		printf("\\n");
		break;
	case '\t':
		printf("\\t");
		break;
	default:
		if (c < 0x20 || c == 0x7f)
			printf("\\u%04x", c);
		else
			putchar(c);
	}
}

/*
 * Print text as part of a JSON string. Unlike what jsonw_string() takes, it may
 * hold anything: bytes that are not UTF-8 become U+FFFD. Returns how many bytes
 * are done; an incomplete sequence at the end is left for when more is there,
 * unless the text ends here.
 */
static size_t print_json_text(const char *buf, size_t len, bool end)
{
	const unsigned char *text = (const unsigned char *)buf;
	size_t i = 0, n;

	while (i < len) {
		n = utf8_len(text + i, len - i);
		if (n > len - i) {
			if (!end)
				break;
			n = 0;
		}

		if (n == 1)
			print_json_char(text[i]);
		else if (n)
			fwrite(text + i, n, 1, stdout);
		else
			printf("\\ufffd");

		i += n ?: 1;
	}

	return i;
}

static void stream_json_header(const struct stream *s)
{
	const struct bpf_prog_info *info = &s->info;
	char name[MAX_PROG_FULL_NAME];

	jsonw_uint_field(json_wtr, "prog_id", info->id);

	get_prog_full_name(info, s->prog_fd, name, sizeof(name));
	jsonw_string_field(json_wtr, "prog_name", name);

	jsonw_name(json_wtr, "tag");
	jsonw_printf(json_wtr, "\"" BPF_TAG_FMT "\"",
		     info->tag[0], info->tag[1], info->tag[2], info->tag[3],
		     info->tag[4], info->tag[5], info->tag[6], info->tag[7]);

	jsonw_string_field(json_wtr, "stream", s->name);
}

static int stream_dump_json(struct stream *s)
{
	size_t have = 0, done;
	int n;

	n = stream_read(s, stream_buf, sizeof(stream_buf));
	if (n < 0) {
		p_err("can't read %s of program %u: %s", s->name, s->info.id,
		      stream_strerror(n));
		return -1;
	}

	jsonw_start_object(json_wtr);
	stream_json_header(s);

	/*
	 * The JSON writer writes to stdout, too, but can't add to a string. So
	 * it gets the opening quote only, and the rest goes around it.
	 */
	jsonw_name(json_wtr, "message");
	jsonw_printf(json_wtr, "\"");
	while (n > 0) {
		have += n;
		done = print_json_text(stream_buf, have, false);
		have -= done;
		memmove(stream_buf, stream_buf + done, have);

		n = stream_read(s, stream_buf + have, sizeof(stream_buf) - have);
	}
	print_json_text(stream_buf, have, true);
	putchar('"');

	if (n < 0)
		jsonw_string_field(json_wtr, "error", stream_strerror(n));
	jsonw_end_object(json_wtr);

	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "Error: can't write to standard output\n");
		return -1;
	}

	return n < 0 ? -1 : 0;
}

int do_tracelog_stream(int argc, char **argv)
{
	struct stream s = {};
	__u32 info_len = sizeof(s.info);
	int err = -1;

	if (stream_parse_name(&s, *argv))
		return -1;
	NEXT_ARG();

	if (!REQ_ARGS(2))
		return -1;

	s.prog_fd = prog_parse_fd(&argc, &argv);
	if (s.prog_fd < 0)
		return -1;

	if (argc) {
		err = BAD_ARG();
		goto exit_close;
	}

	if (bpf_prog_get_info_by_fd(s.prog_fd, &s.info, &info_len)) {
		p_err("can't get prog info: %s", strerror(errno));
		goto exit_close;
	}

	s.left = stream_unread(&s);
	err = json_output ? stream_dump_json(&s) : stream_dump_plain(&s);

exit_close:
	close(s.prog_fd);
	return err;
}
