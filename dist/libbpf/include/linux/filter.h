/* SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause) */
#ifndef __LINUX_FILTER_H
#define __LINUX_FILTER_H

#include <linux/bpf.h>

/* Instructions of BPF, as initialisers of struct bpf_insn */
#define BPF_RAW_INSN(op, dst, src, offset, value)	\
	((struct bpf_insn) {				\
		.code	 = (op),			\
		.dst_reg = (dst),			\
		.src_reg = (src),			\
		.off	 = (offset),			\
		.imm	 = (value),			\
	})

#define BPF_ALU64_IMM(op, dst, value) \
	BPF_RAW_INSN(BPF_ALU64 | BPF_OP(op) | BPF_K, dst, 0, 0, value)
#define BPF_ALU32_IMM(op, dst, value) \
	BPF_RAW_INSN(BPF_ALU | BPF_OP(op) | BPF_K, dst, 0, 0, value)
#define BPF_MOV64_IMM(dst, value)	BPF_ALU64_IMM(BPF_MOV, dst, value)
#define BPF_MOV64_REG(dst, src) \
	BPF_RAW_INSN(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0)

#define BPF_LDX_MEM(size, dst, src, offset) \
	BPF_RAW_INSN(BPF_LDX | BPF_SIZE(size) | BPF_MEM, dst, src, offset, 0)
#define BPF_STX_MEM(size, dst, src, offset) \
	BPF_RAW_INSN(BPF_STX | BPF_SIZE(size) | BPF_MEM, dst, src, offset, 0)
#define BPF_ST_MEM(size, dst, offset, value) \
	BPF_RAW_INSN(BPF_ST | BPF_SIZE(size) | BPF_MEM, dst, 0, offset, value)

/* Two instructions: the halves of what is loaded */
#define BPF_LD_IMM64_RAW_FULL(dst, src, off1, off2, imm1, imm2)		\
	BPF_RAW_INSN(BPF_LD | BPF_DW | BPF_IMM, dst, src, off1, imm1),	\
	BPF_RAW_INSN(0, 0, 0, off2, imm2)
#define BPF_LD_MAP_FD(dst, fd) \
	BPF_LD_IMM64_RAW_FULL(dst, BPF_PSEUDO_MAP_FD, 0, 0, fd, 0)
#define BPF_LD_MAP_VALUE(dst, fd, offset) \
	BPF_LD_IMM64_RAW_FULL(dst, BPF_PSEUDO_MAP_VALUE, 0, 0, fd, offset)

#define BPF_JMP_IMM(op, dst, value, offset) \
	BPF_RAW_INSN(BPF_JMP | BPF_OP(op) | BPF_K, dst, 0, offset, value)
#define BPF_EMIT_CALL(func)	BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, 0, 0, (func) - BPF_FUNC_unspec)
#define BPF_CALL_REL(offset)	BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, offset)
#define BPF_EXIT_INSN()		BPF_RAW_INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

#endif
