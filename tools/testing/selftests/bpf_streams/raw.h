/* SPDX-License-Identifier: GPL-2.0 */
/* Programs that are written instruction by instruction */
#ifndef RAW_H
#define RAW_H

#include "../../../include/linux/filter.h"

/* As a compiler would say where all of the program comes from */
struct raw_line {
	const char *source;
	const char *file;
	int line;
};

/* A program of type "syscall", without line info if that is NULL: its fd */
int raw_load(const char *name, const struct bpf_insn *insns, size_t count,
	     const struct raw_line *line);

/* The instruction that calls a function of the kernel (none has number 0) */
struct bpf_insn raw_kfunc_call(const char *name);

#define RAW_MAY_GOTO(off) \
	BPF_RAW_INSN(BPF_JMP | BPF_JCOND, 0, BPF_MAY_GOTO, off, 0)

/* The user's address of arena memory in a register: to what programs access */
static inline struct bpf_insn raw_cast_kern(int reg)
{
	return BPF_RAW_INSN(BPF_ALU64 | BPF_MOV | BPF_X, reg, reg, 1 /* a cast */, 1);
}

#endif /* RAW_H */
