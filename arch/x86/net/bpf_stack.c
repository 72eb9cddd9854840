// SPDX-License-Identifier: GPL-2.0
/* Walking the stack for the reports in the streams of BPF programs */
#include <linux/bpf_stream.h>
#include <linux/sched.h>
#include <asm/ptrace.h>
#include <asm/unwind.h>
#include "bpf_stack.h"

/* Like arch_stack_walk(), which does not tell which functions were interrupted */
void arch_bpf_walk_frames(bpf_frame_fn consume, void *cookie, struct pt_regs *regs)
{
	struct unwind_state state;
	unsigned long addr;
	bool at_ip;

	if (regs && !consume(cookie, regs->ip, true))
		return;

	for (unwind_start(&state, current, regs, NULL); !unwind_done(&state);
	     unwind_next_frame(&state)) {
		at_ip = unwind_get_entry_regs(&state, NULL);
		addr = unwind_get_return_address(&state);
		if (!addr || !consume(cookie, addr, at_ip))
			break;

		addr = at_ip ? 0 : bpf_skipped_caller(&state, addr);
		if (addr && !consume(cookie, addr, false))
			break;
	}
}
