// SPDX-License-Identifier: GPL-2.0
/*
 * Programs for bench_streams.c: messages of several shapes, printed in several ways. Each
 * program prints MESSAGES of one shape in one way and measures the time; "none" does the
 * same without printing.
 */
#include "streams.bpf.h"
#include "bench.h"

unsigned long long ns;
long failed;
char string[33] = "a string of thirty-two character";
int a = 1234567, b = 7654321, c = 1000000;
unsigned long long d = 0x123456789abcULL;

#define TEXT_50 "this text has a length of fifty bytes in the end, "

/* No rendering: the cost of the stream itself */
#define CONST1(print, ...)	print(__VA_ARGS__ "\n")
#define CONST16(print, ...)	print(__VA_ARGS__ "fifteen letters\n")
#define INTS24(print, ...)	print(__VA_ARGS__ "%d %d %d\n", a, b, c)
#define STR32(print, ...)	print(__VA_ARGS__ "%s %d %d\n", string, a, b)
#define CONST200(print, ...)	print(__VA_ARGS__ TEXT_50 TEXT_50 TEXT_50 TEXT_50)
#define MIXED8(print, ...)							\
	print(__VA_ARGS__ "cpu %d: %s[%d] %c %x of %llx at %lu, %-8d next\n", a, string, \
	      b, 'x', c, d, (unsigned long)d, b)

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} ringbuf SEC(".maps");

static char text[256];

#define TO_STREAM(fmt, ...)	bpf_stream_printk(BPF_STDOUT, fmt, ##__VA_ARGS__)
#define TO_BUFFER(fmt, ...)	(BPF_SNPRINTF(text, sizeof(text), fmt, ##__VA_ARGS__) < 0)
#define TO_TRACE(fmt, ...)	(__bpf_vprintk(fmt, ##__VA_ARGS__) < 0)

#define TO_RINGBUF(fmt, ...)							\
({										\
	char *sample = bpf_ringbuf_reserve(&ringbuf, sizeof(text), 0);		\
										\
	if (sample) {								\
		BPF_SNPRINTF(sample, sizeof(text), fmt, ##__VA_ARGS__);		\
		bpf_ringbuf_submit(sample, 0);					\
	}									\
	!sample;								\
})

#define BENCH(name, print)							\
SEC("syscall")									\
int name(void *ctx)								\
{										\
	unsigned long long start = bpf_ktime_get_ns();				\
	long bad = 0;								\
	int i;									\
										\
	for (i = 0; i < MESSAGES; i++) {					\
		bad |= print;							\
		barrier_var(i);							\
	}									\
	ns = bpf_ktime_get_ns() - start;					\
	failed = bad;								\
	return 0;								\
}

#define BENCH_SHAPE(shape, SHAPE)						\
	BENCH(stream_##shape, SHAPE(TO_STREAM))					\
	BENCH(snprintf_##shape, SHAPE(TO_BUFFER))				\
	BENCH(ringbuf_##shape, SHAPE(TO_RINGBUF))				\
	BENCH(trace_##shape, SHAPE(TO_TRACE))

BENCH(none, 0)
BENCH_SHAPE(const1, CONST1)
BENCH_SHAPE(const16, CONST16)
BENCH_SHAPE(ints24, INTS24)
BENCH_SHAPE(str32, STR32)
BENCH_SHAPE(const200, CONST200)
BENCH_SHAPE(mixed8, MIXED8)

/* One message of a length that user space chooses, 1 to 500 bytes */
char body[501];
int nr_bodies;

SEC("syscall")
int fill(void *ctx)
{
	int i;

	bpf_for(i, 0, nr_bodies) {
		if (bpf_stream_printk(BPF_STDOUT, "%s", body))
			break;
	}
	return 0;
}

/* Another program, whose text is read */
SEC("syscall")
int fill_other(void *ctx)
{
	int i;

	bpf_for(i, 0, nr_bodies)
		bpf_stream_printk(BPF_STDOUT, "%s", body);
	return 0;
}

/* Time of printing, for the reader that is woken */
unsigned long long printed_at;

SEC("syscall")
int say_when(void *ctx)
{
	printed_at = bpf_ktime_get_ns();
	return bpf_stream_printk(BPF_STDOUT, "fifteen letters\n");
}
