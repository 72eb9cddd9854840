// SPDX-License-Identifier: GPL-2.0
/*
 * Prints into both streams until they are full. Without callbacks, so that copies of the
 * instructions can be loaded without BTF.
 */
#include "streams.bpf.h"

#define MANY	10000	/* of 512 bytes */

static __always_inline void print_until_full(int stream)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, MANY);
	while (bpf_iter_num_next(&it))
		if (bpf_stream_printk(stream, "%0511u\n", stream))
			break;
	bpf_iter_num_destroy(&it);
}

SEC("syscall")
int fill(void *ctx)
{
	print_until_full(STDOUT);
	print_until_full(STDERR);
	return 0;
}
