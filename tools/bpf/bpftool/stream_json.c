// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Print lines of streams as JSON objects; they may contain any bytes. */

#include <stdio.h>

#include "stream.h"

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

/* Length of the text without an incomplete character at its end */
size_t stream_utf8_whole(const char *text, size_t len)
{
	size_t tail;

	for (tail = 1; tail <= 3 && tail < len; tail++) {
		const char *last = text + len - tail;

		if (utf8_len((const unsigned char *)last, tail) > tail)
			return len - tail;
	}

	return len;
}

static void print_char(FILE *out, unsigned char c)
{
	switch (c) {
	case '"':
	case '\\':
		fprintf(out, "\\%c", c);
		break;
	case '\t':
		fputs("\\t", out);
		break;
	default:
		if (c < 0x20 || c == 0x7f)
			fprintf(out, "\\u%04x", c);
		else
			putc(c, out);
	}
}

/*
 * Unlike for jsonw_string(), the text may contain any bytes: those that are not valid
 * UTF-8 are replaced with U+FFFD.
 */
static void print_text(FILE *out, const char *buf, size_t len)
{
	const unsigned char *text = (const unsigned char *)buf;
	size_t i = 0, n;

	while (i < len) {
		n = utf8_len(text + i, len - i);
		if (n > len - i)
			n = 0;

		if (n == 1)
			print_char(out, text[i]);
		else if (n)
			fwrite(text + i, n, 1, out);
		else
			fputs("\\ufffd", out);

		i += n ?: 1;
	}
}

void stream_json_line(FILE *out, const struct stream *s, const char *time,
		      const char *text, size_t len)
{
	const struct stream_prog *p = s->prog;

	jsonw_start_object(json_wtr);
	jsonw_string_field(json_wtr, "time", time);
	jsonw_uint_field(json_wtr, "prog_id", p->id);
	jsonw_string_field(json_wtr, "prog_name", p->name);
	jsonw_name(json_wtr, "tag");
	jsonw_printf(json_wtr, "\"" BPF_TAG_FMT "\"",
		     p->tag[0], p->tag[1], p->tag[2], p->tag[3],
		     p->tag[4], p->tag[5], p->tag[6], p->tag[7]);
	jsonw_string_field(json_wtr, "stream", s->name);

	/*
	 * The JSON writer can't append to a string. Let it write the opening quote,
	 * and write the rest directly.
	 */
	jsonw_name(json_wtr, "message");
	jsonw_printf(json_wtr, "\"");
	print_text(out, text, len);
	putc('"', out);

	jsonw_end_object(json_wtr);
	jsonw_end_line(json_wtr);
}
