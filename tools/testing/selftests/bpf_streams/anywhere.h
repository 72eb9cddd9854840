/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by progs/anywhere.bpf.c and test_context.c */
#ifndef ANYWHERE_H
#define ANYWHERE_H

/* The writer's argument, which differs from that of any tracepoint */
#define ANYWHERE_WRITER		0x5eed5eed5eed5eedULL

enum context {
	IN_WRITER,	/* from the test run; the others are from the tracepoint */
	IN_TASK,
	IN_SOFTIRQ,
	IN_HARDIRQ,
	IN_NMI,
	NR_CONTEXTS,
};

/* Message n, of context c on a CPU, is "<c> <cpu> <n> <this many letters 'x'>\n" */
#define ANYWHERE_PAD(n)		((unsigned int)((n) * 37 % 450))

/* Number of messages between stack dumps, which go to stderr */
#define ANYWHERE_STACK(n)	((n) % 64 == 0)

#endif /* ANYWHERE_H */
