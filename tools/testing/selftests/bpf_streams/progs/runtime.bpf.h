/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Causes of reports: stack dumps, endless loops, arena accesses. Instructions that older
 * compilers don't support are written as bytes.
 */
#ifndef RUNTIME_BPF_H
#define RUNTIME_BPF_H

#include "streams.bpf.h"

/* A may_goto as a loop's condition: false when the time is over */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define MAY_GOTO_STOP	"1: .byte 0xe5, 0; .long ((%l[stop] - 1b - 8) / 8) & 0xffff; .short 0"
#else
#define MAY_GOTO_STOP	"1: .byte 0xe5, 0; .long ((%l[stop] - 1b - 8) / 8) << 16; .short 0"
#endif

#define can_loop						\
({								\
	__label__ stop, go_on;					\
	bool go = true;						\
								\
	asm volatile goto(MAY_GOTO_STOP :::: stop);		\
	goto go_on;						\
stop:								\
	go = false;						\
go_on:								\
	go;							\
})

/*
 * Cast a user address in the program's arena; the reference to the map associates the
 * arena with the program.
 */
#define arena_ptr(arena, address)					\
({									\
	__u64 *ptr = (__u64 *)(address);				\
									\
	asm volatile("r0 = %[ptr];"					\
		     ".byte 0xbf, 0; .short 1; .long 1;" /* cast r0 */	\
		     "%[ptr] = r0"					\
		     : [ptr] "+r"(ptr) : [map] "r"(&(arena)) : "r0");	\
	ptr;								\
})

#endif /* RUNTIME_BPF_H */
