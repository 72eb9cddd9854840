/* SPDX-License-Identifier: GPL-2.0 */
/* The slow path of may_goto, see kernel/bpf/may_goto.c */
#include <linux/linkage.h>
#include <asm/frame.h>

/*
 * Called by JITed code between any two instructions of a program: preserves R0 to
 * R5, which are caller-saved registers, and returns the result of
 * bpf_may_goto_check() in r10, which programs do not use.
 */
SYM_FUNC_START(arch_bpf_may_goto)
	FRAME_BEGIN
	pushq	%rax
	pushq	%rdi
	pushq	%rsi
	pushq	%rdx
	pushq	%rcx
	pushq	%r8
	call	bpf_may_goto_check
	movl	%eax, %r10d
	popq	%r8
	popq	%rcx
	popq	%rdx
	popq	%rsi
	popq	%rdi
	popq	%rax
	FRAME_END
	RET
SYM_FUNC_END(arch_bpf_may_goto)
