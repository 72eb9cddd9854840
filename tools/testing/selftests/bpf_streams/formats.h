/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All conversions of bpf_trace_vprintk(): format, expected text (NULL if that depends on
 * the running kernel; then it is compared with bpf_snprintf()), arguments. Shared by
 * progs/formats.bpf.c and test_write.c.
 */
#ifndef FORMATS_H
#define FORMATS_H

#define FORMATS(F)							\
	F("plain text", "plain text")					\
	F("100%% of it", "100% of it")					\
	F("%d", "-42", -42)						\
	F("%i", "-42", -42)						\
	F("%u", "4000000000", 4000000000U)				\
	F("%x", "beef", 0xbeef)						\
	F("%X", "BEEF", 0xbeef)						\
	F("%ld", "-4200000000", -4200000000L)				\
	F("%li", "-4200000000", -4200000000L)				\
	F("%lu", "18446744073709551615", -1UL)				\
	F("%lx", "123456789abcdef", 0x123456789abcdefUL)		\
	F("%lX", "123456789ABCDEF", 0x123456789abcdefUL)		\
	F("%lld", "-4200000000", -4200000000LL)				\
	F("%lli", "-4200000000", -4200000000LL)				\
	F("%llu", "18446744073709551615", -1ULL)			\
	F("%llx", "123456789abcdef", 0x123456789abcdefULL)		\
	F("%llX", "123456789ABCDEF", 0x123456789abcdefULL)		\
	F("%c%c%c", "xyz", 'x', 'y', 'z')				\
	F("<%5d>", "<  -42>", -42)					\
	F("<%-5d>", "<-42  >", -42)					\
	F("<%05d>", "<-0042>", -42)					\
	F("<%+d>", "<+42>", 42)						\
	F("<% d>", "< 42>", 42)						\
	F("<%016llx>", "<0123456789abcdef>", 0x123456789abcdefULL)	\
	F("%s", "a string", string)					\
	F("<%12s>", "<    a string>", string)				\
	F("<%-12s>", "<a string    >", string)				\
	F("%s", "", empty)						\
	F("%s", "", 0)							\
	F("%pks", "a string", string)					\
	F("%pus", "user's string", user_string)				\
	F("%s, %d, %s", "a string, 7, a string", string, 7, string)	\
	F("%s %s", NULL, long_string, long_string)			\
	F("%pi4", "010.001.002.003", ip4)				\
	F("%pI4", "10.1.2.3", ip4)					\
	F("%pi6", "fe800000000000000000000000000001", ip6)		\
	F("%pI6", "fe80:0000:0000:0000:0000:0000:0000:0001", ip6)	\
	F("%ps", "schedule", &schedule)					\
	F("%pS", NULL, &schedule)					\
	F("%pB", NULL, &schedule)					\
	F("%px", NULL, &schedule)					\
	F("%pK", NULL, &schedule)					\
	F("%p", NULL, &schedule)					\
	F("%d %d %d %d %d %d %d %d %d %d %d %d",			\
	  "1 2 3 4 5 6 7 8 9 10 11 12",					\
	  1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)

#define FORMATS_WANT_SIZE 1024

struct format_args {
	unsigned int index;
	int snprintf_len;	/* of bpf_snprintf(), with the terminating zero */
	int stream_err;
	unsigned int reserved;
	unsigned long long user_string;
};

/* Formats and arguments that are refused with -EINVAL */
#define BAD_FORMATS(F)			\
	F("%")				\
	F("%d")				\
	F("%d %d", 1)			\
	F("%s %s", string)		\
	F("%y", 1)			\
	F("%n", string)			\
	F("%f", 1)			\
	F("%o", 1)			\
	F("%hd", 1)			\
	F("%#x", 1)			\
	F("%*d", 5, 1)			\
	F("%.3d", 1)			\
	F("%lls", string)		\
	F("%sx", string)		\
	F("%pI5", string)		\
	F("%pM", string)		\
	F("%l", 1)			\
	F("bell \a")

struct bad_format_args {
	unsigned int index;
	int err;
};

/* The kfunc itself: stream, length of the arguments */
struct raw_args {
	unsigned int stream;
	unsigned int len;
	int err;
	int err_impl;
};

#endif /* FORMATS_H */
