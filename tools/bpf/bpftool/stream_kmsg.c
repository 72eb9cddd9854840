// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Writing to /dev/kmsg: each write is a record of the kernel's log, and has to be a line. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "stream.h"

#define KMSG_DEV	makedev(1, 11)
#define KMSG_POLICY	"/proc/sys/kernel/printk_devkmsg"

/*
 * Maximum size of a record, with priority and newline; it is smaller in older kernels.
 * Readers get bytes that are not printable ASCII as \xNN, and the record truncated to
 * twice this size, including a header.
 */
#define RECORD_MAX	1024
#define RECORD_OLD_MAX	976
#define SHOWN_MAX	(2 * RECORD_MAX - 128)

#define PRIORITY_LEN	strlen("<6>")
#define ESCAPE_LEN	strlen("\\xff")

/* Maximum size of a byte in JSON: \u0001 or \ufffd, \" */
#define JSON_UNICODE	6
#define JSON_ESCAPED	2

static size_t record_max = RECORD_MAX;

bool stream_kmsg_is(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == KMSG_DEV;
}

static bool is_printable(unsigned char c)
{
	return c >= ' ' && c < 0x7f && c != '\\';
}

static size_t json_width(unsigned char c)
{
	if (c == '"' || c == '\\' || c == '\t')
		return JSON_ESCAPED;

	return c < ' ' || c >= 0x7f ? JSON_UNICODE : 1;
}

/* The same for readers, who get the backslashes of JSON escaped as well */
static size_t shown_width(unsigned char c, bool json)
{
	size_t width = json ? json_width(c) : 1, escaped;

	if (!json)
		escaped = !is_printable(c);
	else if (c == '\\')
		escaped = 2;
	else
		escaped = width > 1;

	return width + escaped * (ESCAPE_LEN - 1);
}

/* Length of the part of a line that fits a record behind @before bytes, in whole characters */
size_t stream_kmsg_fit(const char *text, size_t len, size_t before, bool json)
{
	size_t size = PRIORITY_LEN + before + 1, shown = before, n;

	for (n = 0; n < len; n++) {
		size += json ? json_width(text[n]) : 1;
		shown += shown_width(text[n], json);
		if (size > record_max || shown > SHOWN_MAX)
			return stream_utf8_whole(text, n);
	}

	return len;
}

/* The kernel may be configured to ignore all records, or to limit their rate (limited). */
int stream_kmsg_open(const char *name, bool *limited)
{
	char policy[16] = "";
	FILE *f;

	record_max = RECORD_MAX;
	*limited = false;
	f = fopen(KMSG_POLICY, "r");
	if (!f)
		return 0;
	if (fscanf(f, "%15s", policy) != 1)
		*policy = '\0';
	fclose(f);

	if (!strcmp(policy, "off")) {
		p_err("%s is /dev/kmsg, and kernel.printk_devkmsg is off", name);
		return -1;
	}
	*limited = !strcmp(policy, "ratelimit");

	return 0;
}

/*
 * Always write a priority, as the line may begin with something that looks like one. A
 * record ends at the first NUL, so replace it with a space.
 */
static size_t make_record(char *record, int priority, const char *text, size_t len)
{
	size_t i, n;

	n = sprintf(record, "<%d>", priority);
	for (i = 0; i < len; i++)
		record[n++] = text[i] ?: ' ';
	record[n++] = '\n';

	return n;
}

/* Write one line, or as much of it as fits. Like write(), which does not block here. */
ssize_t stream_kmsg_write(int fd, int priority, const char *text, size_t size)
{
	const char *nl = memchr(text, '\n', size);
	size_t len = size, whole, n;
	char record[RECORD_MAX];

	if (nl)
		len = nl - text;

	/* Leave out empty lines, as at the end of a report. */
	if (!len)
		return 1;

	whole = len;

	if (len > record_max - PRIORITY_LEN - 1)
		len = stream_utf8_whole(text, record_max - PRIORITY_LEN - 1);

	n = make_record(record, priority, text, len);
	if (write(fd, record, n) < 0) {
		if (errno != EINVAL || record_max == RECORD_OLD_MAX)
			return -1;
		record_max = RECORD_OLD_MAX;
		return stream_kmsg_write(fd, priority, text, size);
	}

	return len == whole && nl ? len + 1 : len;
}
