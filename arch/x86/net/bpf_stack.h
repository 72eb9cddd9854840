/* SPDX-License-Identifier: GPL-2.0 */
/* Unwinding a stack with BPF functions on it */
#ifndef _ARCH_X86_NET_BPF_STACK_H
#define _ARCH_X86_NET_BPF_STACK_H

#include <linux/bpf.h>
#include <linux/compiler.h>
#include <linux/filter.h>
#include <linux/rcupdate.h>
#include <asm/ibt.h>
#include <asm/text-patching.h>
#include <asm/unwind.h>

/* The BPF function that a frame's @addr belongs to, which it returns to unless @at_ip */
static inline const struct bpf_prog *bpf_frame_prog(unsigned long addr, bool at_ip)
{
	guard(rcu)();
	return bpf_prog_ksym_find(at_ip ? addr : addr - 1);
}

/*
 * A trampoline (fentry, fexit) is called by a BPF function before that has set up
 * its frame: all that the function has on the stack is the address to return to.
 * Is @addr, to which the trampoline returns, in @prog?
 */
static inline bool bpf_is_entry_of(const struct bpf_prog *prog, unsigned long addr)
{
	u8 *ip = (u8 *)prog->bpf_func;

	if (!IS_ENABLED(CONFIG_UNWINDER_ORC))
		return false;
	if (is_endbr(*(u32 *)ip))
		ip += ENDBR_INSN_SIZE;

	return addr == (unsigned long)ip + CALL_INSN_SIZE;
}

static inline bool bpf_is_entry(unsigned long addr)
{
	const struct bpf_prog *prog = bpf_frame_prog(addr, false);

	return prog && bpf_is_entry_of(prog, addr);
}

/*
 * Go on to the next frame. The unwinder, which knows nothing of BPF functions,
 * would take the frame pointer of the caller for that of the function, and miss
 * the caller; where that is C, its frame pointer can have any value.
 */
static inline void bpf_unwind_next_frame(struct unwind_state *state, bool at_entry)
{
#ifdef CONFIG_UNWINDER_ORC
	if (at_entry) {
		state->ip = READ_ONCE_NOCHECK(*(unsigned long *)state->sp);
		state->sp += sizeof(long);
		return;
	}
#endif
	unwind_next_frame(state);
}

#endif /* _ARCH_X86_NET_BPF_STACK_H */
