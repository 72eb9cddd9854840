/* SPDX-License-Identifier: GPL-2.0 */
/* Programs of instructions */
#ifndef RAW_H
#define RAW_H

#include "../../../include/linux/filter.h"

/* Line info for the whole program */
struct raw_line {
	const char *source;
	const char *file;
	int line;
};

/* Load a program of type "syscall", without line info if that is NULL. Return: its fd. */
int raw_load(const char *name, const struct bpf_insn *insns, size_t count,
	     const struct raw_line *line);

/* The instruction that calls a function of the kernel (none has number 0) */
struct bpf_insn raw_kfunc_call(const char *name);

#define RAW_MAY_GOTO(off) \
	BPF_RAW_INSN(BPF_JMP | BPF_JCOND, 0, BPF_MAY_GOTO, off, 0)

/* Cast the user address of arena memory in a register for access by the program */
static inline struct bpf_insn raw_cast_kern(int reg)
{
	return BPF_RAW_INSN(BPF_ALU64 | BPF_MOV | BPF_X, reg, reg, 1 /* a cast */, 1);
}

#endif /* RAW_H */
