/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What makes the kernel report: stack dumps, loops without a bound, memory of
 * arenas. Instructions that older compilers don't know are written as bytes.
 */
#ifndef RUNTIME_BPF_H
#define RUNTIME_BPF_H

#include "streams.bpf.h"

/* As a loop's condition, a may_goto: false when the kernel has had enough */
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
 * What the program accesses to get at the user's address in the program's arena;
 * the reference to the map is what makes it the program's.
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
