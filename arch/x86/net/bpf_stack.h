/* SPDX-License-Identifier: GPL-2.0 */
/* Walking a stack with BPF functions on it */
#ifndef _ARCH_X86_NET_BPF_STACK_H
#define _ARCH_X86_NET_BPF_STACK_H

#include <linux/bpf.h>
#include <linux/compiler.h>
#include <linux/filter.h>
#include <linux/rcupdate.h>
#include <asm/ibt.h>
#include <asm/text-patching.h>
#include <asm/unwind.h>

#ifdef CONFIG_UNWINDER_ORC
/*
 * A trampoline (fentry, fexit) is called by a BPF function before that has its
 * frame. The unwinder then takes the caller's frame for the function's own, and
 * goes on with the caller's caller. Returns the address in the caller, which is
 * all that the function has on the stack; 0 if @addr is another place.
 */
static inline unsigned long bpf_skipped_caller(const struct unwind_state *state,
					       unsigned long addr)
{
	struct bpf_prog *prog;
	u8 *ip;

	guard(rcu)();
	prog = bpf_prog_ksym_find(addr);
	if (!prog)
		return 0;

	ip = (u8 *)prog->bpf_func;
	if (is_endbr(*(u32 *)ip))
		ip += ENDBR_INSN_SIZE;
	if (addr != (unsigned long)ip + CALL_INSN_SIZE)
		return 0;

	return READ_ONCE_NOCHECK(*(unsigned long *)state->sp);
}
#else
static inline unsigned long bpf_skipped_caller(const struct unwind_state *state,
					       unsigned long addr)
{
	return 0;
}
#endif

#endif /* _ARCH_X86_NET_BPF_STACK_H */
