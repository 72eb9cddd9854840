/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The BPF instruction may_goto, with which a program bounds its loops. The
 * design is explained in kernel/bpf/may_goto.c.
 */
#ifndef _LINUX_BPF_MAY_GOTO_H
#define _LINUX_BPF_MAY_GOTO_H

#include <linux/percpu-defs.h>

struct bpf_insn;
struct bpf_prog;

DECLARE_PER_CPU(int, bpf_may_goto_left);

int bpf_may_goto_stack(const struct bpf_prog *prog, unsigned int stack_depth);
int bpf_may_goto_expand(const struct bpf_prog *prog, const struct bpf_insn *insn,
			unsigned int stack_depth, struct bpf_insn *buf);

/* What the JIT calls, see there. */
int arch_bpf_may_goto(void);
int bpf_may_goto_check(void);

#endif /* _LINUX_BPF_MAY_GOTO_H */
