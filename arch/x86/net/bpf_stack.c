// SPDX-License-Identifier: GPL-2.0
/* Walking the stack for the reports in the streams of BPF programs */
#include <linux/bpf_stream.h>
#include <linux/sched.h>
#include <asm/ptrace.h>
#include <asm/unwind.h>
#include "bpf_stack.h"

/*
 * Unlike arch_stack_walk(), distinguish interrupted functions from those that will be
 * returned to, and visit a traced function once: it appears twice on the stack, as caller
 * of the trampoline and as its callee.
 */
void arch_bpf_walk_frames(bpf_frame_fn consume, void *cookie, struct pt_regs *regs)
{
	const struct bpf_prog *prog, *inner = NULL;
	bool at_ip, at_entry = false;
	struct unwind_state state;
	unsigned long addr;

	if (regs) {
		if (!consume(cookie, regs->ip, true))
			return;
		inner = bpf_frame_prog(regs->ip, true);
	}

	for (unwind_start(&state, current, regs, NULL); !unwind_done(&state);
	     bpf_unwind_next_frame(&state, at_entry)) {
		at_ip = unwind_get_entry_regs(&state, NULL);
		addr = unwind_get_return_address(&state);
		if (!addr)
			break;

		prog = bpf_frame_prog(addr, at_ip);
		at_entry = prog && !at_ip && bpf_is_entry_of(prog, addr);
		if (!(at_entry && prog == inner) && !consume(cookie, addr, at_ip))
			break;
		if (prog)
			inner = prog;
	}
}
