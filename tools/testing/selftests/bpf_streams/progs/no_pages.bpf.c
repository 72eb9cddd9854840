// SPDX-License-Identifier: GPL-2.0
/* Page allocations fail sometimes or always, in any context */
#include "streams.bpf.h"

__u32 percent;
__u64 failed;

SEC("fmod_ret/nolock_should_fail")
int BPF_PROG(fail_page)
{
	if (bpf_get_prandom_u32() % 100 >= percent)
		return 0;
	__sync_fetch_and_add(&failed, 1);
	return 1;
}

/* How often the kernel tries to refill its reserve */
__u64 fills;

SEC("?fentry/reserve_fill")
int BPF_PROG(count_fill)
{
	__sync_fetch_and_add(&fills, 1);
	return 0;
}
