// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* bpftool prog show: what the streams of a program count */

#include <stdio.h>

#include "stream.h"

static const char * const names[] = { "stdout", "stderr" };

void stream_show_plain(int prog_fd)
{
	struct stream_stat st;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		stream_stat(prog_fd, names[i], &st);
		if (!st.written_msgs && !st.dropped_msgs)
			continue;
		printf("\n\t%s  written %lluB in %llu msgs  unread %lluB",
		       names[i], st.written_bytes, st.written_msgs,
		       st.unread_bytes);
		printf("  dropped %lluB in %llu msgs",
		       st.dropped_bytes, st.dropped_msgs);
	}
}

static void show_json(const char *name, const struct stream_stat *st)
{
	jsonw_name(json_wtr, name);
	jsonw_start_object(json_wtr);
	jsonw_uint_field(json_wtr, "written_bytes", st->written_bytes);
	jsonw_uint_field(json_wtr, "written_msgs", st->written_msgs);
	jsonw_uint_field(json_wtr, "unread_bytes", st->unread_bytes);
	jsonw_uint_field(json_wtr, "dropped_bytes", st->dropped_bytes);
	jsonw_uint_field(json_wtr, "dropped_msgs", st->dropped_msgs);
	jsonw_end_object(json_wtr);
}

void stream_show_json(int prog_fd)
{
	struct stream_stat st;
	size_t i;

	if (!stream_stat(prog_fd, names[0], &st))
		return;

	jsonw_name(json_wtr, "streams");
	jsonw_start_object(json_wtr);
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		stream_stat(prog_fd, names[i], &st);
		show_json(names[i], &st);
	}
	jsonw_end_object(json_wtr);
}
