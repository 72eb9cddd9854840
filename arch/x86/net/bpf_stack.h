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

/* Find the BPF function of a frame; @addr is a return address unless @at_ip. */
static inline const struct bpf_prog *bpf_frame_prog(unsigned long addr, bool at_ip)
{
	guard(rcu)();
	return bpf_prog_ksym_find(at_ip ? addr : addr - 1);
}

/*
 * Test if @addr is the return address of a trampoline (fentry, fexit) in @prog. A traced
 * BPF function calls the trampoline before it has set up its frame: only its own return
 * address is on the stack.
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
 * Unwind to the next frame. At the entry of a BPF function the unwinder would take the
 * frame pointer of the caller for that of the function, and miss the caller; if that is
 * C, the frame pointer can have any value.
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
