// SPDX-License-Identifier: GPL-2.0
/*
 * Counts visits in an arena that it shares with user space, and accesses it beyond the
 * populated pages.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 256);	/* pages, most of which are not populated */
} table SEC(".maps");

/* As compilers with support for address spaces do */
static __always_inline __u64 *arena_ptr(__u64 *p)
{
	asm volatile("r0 = %[ptr];"
		     ".byte 0xbf, 0; .short 1; .long 1;"
		     "%[ptr] = r0"
		     : [ptr] "+r"(p) : [map] "r"(&table) : "r0");
	return p;
}

__u64 visits;		/* the user's address of visits[0] */
__u32 visitor;

SEC("syscall")
int visit(void *ctx)
{
	__u64 *counter = arena_ptr((__u64 *)visits + visitor);
	__u64 n;

	n = *counter + 1;
	*counter = n;
	return bpf_stream_printk(BPF_STDOUT, "visitor %u was here %llu times\n", visitor, n);
}

char _license[] SEC("license") = "GPL";
