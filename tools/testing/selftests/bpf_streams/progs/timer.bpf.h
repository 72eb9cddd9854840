/* SPDX-License-Identifier: GPL-2.0 */
/* A timer that expires immediately or later */
#ifndef TIMER_BPF_H
#define TIMER_BPF_H

#include "streams.bpf.h"

struct timed {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct timed);
} timers SEC(".maps");

/* Time until it expires, in ns */
__u64 timer_delay;

/* Set by the callback when everything else is done */
int timer_done;

static __always_inline int start_timer(int (*callback)(void *map, int *key,
						       struct timed *t))
{
	struct timed *t;
	int key = 0;

	t = bpf_map_lookup_elem(&timers, &key);
	if (!t)
		return 1;
	if (bpf_timer_init(&t->timer, &timers, 1 /* CLOCK_MONOTONIC */))
		return 2;
	if (bpf_timer_set_callback(&t->timer, callback))
		return 3;
	if (bpf_timer_start(&t->timer, timer_delay, 0))
		return 4;
	return 0;
}

#endif /* TIMER_BPF_H */
