// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Counters of streams, from the fdinfo of a descriptor */

#include <stdio.h>
#include <string.h>

#include "stream.h"

static const struct counter {
	const char *name;
	size_t offset;
} counters[] = {
	{ "written_bytes", offsetof(struct stream_stat, written_bytes) },
	{ "written_msgs", offsetof(struct stream_stat, written_msgs) },
	{ "unread_bytes", offsetof(struct stream_stat, unread_bytes) },
	{ "dropped_bytes", offsetof(struct stream_stat, dropped_bytes) },
	{ "dropped_msgs", offsetof(struct stream_stat, dropped_msgs) },
};

static __u64 *counter_in(struct stream_stat *st, const struct counter *c)
{
	return (__u64 *)((char *)st + c->offset);
}

static bool parse_line(struct stream_stat *st, const char *line)
{
	unsigned long long n;
	char key[32];
	size_t i;

	if (sscanf(line, "%31[a-z_]:\t%llu", key, &n) != 2)
		return false;

	for (i = 0; i < ARRAY_SIZE(counters); i++) {
		if (!strcmp(key, counters[i].name)) {
			*counter_in(st, &counters[i]) = n;
			return true;
		}
	}

	return false;
}

/*
 * Get the counters of a stream. fd is that of its program if name is given, else its
 * own. Return: false, with all counters 0, if the kernel does not have them.
 */
bool stream_stat(int fd, const char *name, struct stream_stat *st)
{
	char path[64], line[256], prefix[32] = "";
	bool found = false;
	FILE *f;

	memset(st, 0, sizeof(*st));
	if (name)
		snprintf(prefix, sizeof(prefix), "stream_%s_", name);

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	if (!f)
		return false;
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, prefix, strlen(prefix)) &&
		    parse_line(st, line + strlen(prefix)))
			found = true;
	}
	fclose(f);

	return found;
}
