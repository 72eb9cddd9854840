/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The BPF instruction may_goto, with which a program bounds its loops
 *
 * The design is described in kernel/bpf/may_goto.c.
 */
#ifndef _LINUX_BPF_MAY_GOTO_H
#define _LINUX_BPF_MAY_GOTO_H

#include <linux/percpu.h>

struct bpf_insn;
struct bpf_prog;

/* Maximum number of may_gotos before the first check of a run */
#define BPF_MAY_GOTO_FIRST 256

DECLARE_PER_CPU(int, bpf_may_goto_left);

/* Make the next may_goto check the clock. */
static inline void bpf_may_goto_tick(void)
{
	if (IS_ENABLED(CONFIG_BPF_STREAMS) && IS_ENABLED(CONFIG_BPF_JIT))
		this_cpu_write(bpf_may_goto_left, 0);
}

int bpf_may_goto_stack(const struct bpf_prog *prog, unsigned int stack_depth);
int bpf_may_goto_expand(const struct bpf_prog *prog, const struct bpf_insn *insn,
			unsigned int stack_depth, struct bpf_insn *buf);

/* Called by code that the JIT generates */
int arch_bpf_may_goto(void);
int bpf_may_goto_check(void);

#endif /* _LINUX_BPF_MAY_GOTO_H */
