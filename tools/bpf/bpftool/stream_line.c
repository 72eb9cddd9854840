// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * A read may begin and end in the middle of a line. The text is split into lines here,
 * so that lines of different streams are neither interleaved nor joined.
 */

#include <stdlib.h>
#include <string.h>

#include "stream.h"

/*
 * Print a line without its end: it is too long, or there is no memory, or its end has not
 * been printed for some time. If only the newline follows, it is not a line of its own.
 */
static void print_cut(struct stream *s, const char *text, size_t len)
{
	stream_out_line(s, text, len);
	s->cut = true;
}

void stream_end_part(struct stream *s)
{
	if (!s->part_len)
		return;

	print_cut(s, s->part, s->part_len);
	s->part_len = 0;
}

/* Print the contents of a full buffer, except for an incomplete character. */
static void make_room(struct stream *s)
{
	size_t n = stream_utf8_whole(s->part, s->part_len);

	print_cut(s, s->part, n);
	s->part_len -= n;
	memmove(s->part, s->part + n, s->part_len);
}

static void keep(struct stream *s, const char *text, size_t len)
{
	size_t n;

	if (!s->part)
		s->part = malloc(STREAM_BUF_SZ);
	if (!s->part) {
		print_cut(s, text, len);
		return;
	}

	while (len) {
		if (s->part_len == STREAM_BUF_SZ)
			make_room(s);
		n = STREAM_BUF_SZ - s->part_len;
		if (n > len)
			n = len;
		memcpy(s->part + s->part_len, text, n);
		s->part_len += n;
		text += n;
		len -= n;
	}
}

static void end_line(struct stream *s, const char *text, size_t len)
{
	if (s->part_len) {
		keep(s, text, len);
		stream_out_line(s, s->part, s->part_len);
		s->part_len = 0;
	} else if (len || !s->cut) {
		stream_out_line(s, text, len);
	}

	s->cut = false;
}

void stream_text(struct stream *s, const char *text, size_t len)
{
	const char *end = text + len, *nl;

	stream_out_stamp();
	if (stream_out_raw(s, text, len))
		return;

	while ((nl = memchr(text, '\n', end - text))) {
		end_line(s, text, nl - text);
		text = nl + 1;
	}

	keep(s, text, end - text);
}
