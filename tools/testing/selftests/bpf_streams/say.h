/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Request to the program 'say' (progs/say.bpf.c) and its results. Shared by the BPF program
 * and the tests.
 */
#ifndef SAY_H
#define SAY_H

#define STDOUT		1
#define STDERR		2

#define SAY_TEXT_SIZE	512	/* with the terminating zero */

enum say_kind {
	SAY_CHAR,	/* one byte, a letter by sequence number */
	SAY_TEXT,	/* the global 'text' as it is, may be empty */
	SAY_LINE,	/* "<writer> <seq> <0 to 199 bytes of text>\n" */
	SAY_64,		/* the sequence number in 64, 512, ... bytes */
	SAY_512,
	SAY_1023,	/* the longest text that fits the kernel's buffer */
	SAY_1024,	/* the shortest text that doesn't */
	SAY_EMPTY,
	SAY_STACK,	/* a stack dump; -EOPNOTSUPP if not supported */
};

/* The number of text bytes in line 'seq' of 'writer' */
#define SAY_LINE_PAD(writer, seq) \
	((unsigned int)(((seq) * 37 + (writer) * 11) % 200))

struct say_args {
	/* in */
	unsigned int stream;
	unsigned int kind;
	unsigned int writer;
	unsigned int count;		/* number of messages to print */
	unsigned int until_error;	/* stop at the first refused message */
	unsigned int reserved;
	/* in: number of the first one, out: number after the last accepted */
	unsigned long long seq;
	/* out */
	unsigned int accepted;
	unsigned int refused;
	int error;			/* of the last refused message */
	int other_errors;		/* refusals that differ from 'error' */
};

#endif /* SAY_H */
