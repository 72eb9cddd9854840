// SPDX-License-Identifier: GPL-2.0
/*
 * The renderer of messages: formats that it must support, formats that it must not
 * support, and text that must be the same as the base's
 */
#include <stdio.h>
#include <linux/ctype.h>
#include "format.h"
#include "stream.h"
#include "test.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const u64 numbers[] = {
	0, 1, 9, 10, 42, 99, 100, 999, 1000, 9999, 10000, 12345, 99999, 100000,
	INT_MAX, 1ULL + INT_MAX, UINT_MAX, 1ULL + UINT_MAX, -1ULL, -10LL, -12345LL,
	LLONG_MAX, 1ULL + LLONG_MAX, 0xdeadbeef, 0xfedcba9876543210,
};

static const char *const flags[] = { "", "0", "-", "+", " ", "-0", "+0", " +", "0 -" };
static const char *const widths[] = { "", "1", "2", "7", "12", "30", "300", "1000" };
static const char *const letters[] = {
	"d", "i", "u", "x", "X", "ld", "li", "lu", "lx", "lX", "lld", "lli", "llu",
	"llx", "llX", "c", "s",
};

static void all_conversions(void)
{
	unsigned int f, w, l, n;
	char fmt[64];

	for (f = 0; f < ARRAY_SIZE(flags); f++)
		for (w = 0; w < ARRAY_SIZE(widths); w++)
			for (l = 0; l < ARRAY_SIZE(letters); l++)
				for (n = 0; n < ARRAY_SIZE(numbers); n++) {
					snprintf(fmt, sizeof(fmt), "<%%%s%s%s>", flags[f],
						 widths[w], letters[l]);
					compare_formats(fmt, &numbers[n], 1);
				}
}

/* The comparisons alone would pass if the renderer supported nothing. */
static void knows_the_common(void)
{
	static const char *const fmts[] = {
		"", "text", "text\n", "a longer text, of several words\n", "100%%\n",
		"%d %u %x\n", "%5d|%-5d|%05d", "%ld %lu %lx", "%lld %llu %llX",
		"%c%c%c", "[%s] %d %d", "%-16s|%16s|", "\xc3\xbc %d \xe2\x82\xac", "%d%%",
	};
	const u64 args[] = { 0x19, 0x2a, 0x3b };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fmts); i++)
		if (!expect(compare_formats(fmts[i], args, 3) >= 0))
			printf("# format %u\n", i);
}

static void leaves_the_rest_alone(void)
{
	static const char *const fmts[] = {
		"%p", "%pK", "%px", "%ps", "%pS", "%pB", "%pI4", "%pks", "%pus",
		"%n", "%h", "%hd", "%zu", "%f", "%.3d", "%#x", "%*d", "%", "%l", "%lll",
		"%5", "%5%", "%sx", "%\xc3", "\x01", "text\x7f", "%d %d %d %d",
	};
	const u64 args[] = { 0x19, 0x2a, 0x3b };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fmts); i++)
		if (!expect_eq(-EOPNOTSUPP, compare_formats(fmts[i], args, 3)))
			printf("# format %u\n", i);
}

/* Each byte, at each position in a word */
static void every_byte(void)
{
	char fmt[20], c;
	int byte, at;

	for (byte = 1; byte < 256; byte++)
		for (at = 0; at < 17; at++) {
			memset(fmt, 'x', 17);
			fmt[17] = 0;
			c = byte;
			fmt[at] = c;
			compare_formats(fmt, NULL, 0);
			expect_eq(c != '%' && (byte >= 0x80 || isprint(byte) ||
					       (byte >= 9 && byte <= 13)),
				  bpf_stream_plain_len(fmt) == 17);
		}
}

/* Texts of all lengths around the limit */
static void every_length(void)
{
	char fmt[MAX_BPRINTF_BUF + 40];
	const u64 arg = 0x19;
	unsigned int len;
	int got;

	for (len = MAX_BPRINTF_BUF - 40; len < MAX_BPRINTF_BUF + 20; len++) {
		memset(fmt, 'x', len);
		fmt[len] = 0;
		got = compare_formats(fmt, NULL, 0);
		expect_eq(len < MAX_BPRINTF_BUF ? (int)len : -EOPNOTSUPP, got);
		memcpy(fmt + len, "%d", 3);
		got = compare_formats(fmt, &arg, 1);
		/* Numbers are left to the base unless there is room for the longest one. */
		expect(got == (int)len + 2 || (got == -EOPNOTSUPP && len + 20 >= MAX_BPRINTF_BUF));
		memcpy(fmt + len, "%s", 3);
		compare_formats(fmt, &arg, 1);
		memcpy(fmt + len, "%%", 3);
		got = compare_formats(fmt, NULL, 0);
		expect_eq(len + 1 < MAX_BPRINTF_BUF ? (int)len + 1 : -EOPNOTSUPP, got);
	}
}

/* Strings of all lengths, at all offsets in words and pages, readable or not */
static void many_strings(void)
{
	unsigned int known = 0, rounds = env_number("ROUNDS", 200000);
	static const char *const fmts[] = { "%s", "%s|", "%-20s|", "%20s|", "%s%s" };
	u64 args[2];

	while (rounds--) {
		args[0] = shim_random(UINT_MAX);
		args[1] = shim_random(2) ? shim_random(UINT_MAX) :
			  PAGE_SIZE * (u64)shim_random(5000) - shim_random(40);
		known += compare_formats(fmts[shim_random(ARRAY_SIZE(fmts))], args, 2) >= 0;
	}
	expect(known);
	printf("# %u strings were supported\n", known);
}

static void random_formats(void)
{
	static const char *const parts[] = {
		"%", "%%", "d", "u", "x", "s", "c", "l", "%d", "%s", "%5", "%-", "%0", "9",
		" ", "\n", "text ", "\xc3\xa4", "%llu", "%lx", "\x7f", "%p",
		"a much longer piece of text",
	};
	unsigned int rounds = env_number("ROUNDS", 200000), i, n;
	u64 args[MAX_BPRINTF_VARARGS];
	unsigned int known = 0;
	char fmt[512];

	while (rounds--) {
		fmt[0] = 0;
		for (n = shim_random(12); n--;)
			strcat(fmt, parts[shim_random(ARRAY_SIZE(parts))]);
		for (i = 0; i < MAX_BPRINTF_VARARGS; i++)
			args[i] = shim_random(4) ? shim_random(UINT_MAX) :
				  numbers[shim_random(ARRAY_SIZE(numbers))];
		known += compare_formats(fmt, args, shim_random(MAX_BPRINTF_VARARGS + 1)) >= 0;
	}
	expect(known);
	printf("# %u formats were supported\n", known);
}

static const struct test tests[] = {
	{ "supports common formats", knows_the_common },
	{ "leaves other formats to the base", leaves_the_rest_alone },
	{ "renders each conversion as the base does", all_conversions },
	{ "recognizes plain text", every_byte },
	{ "limits the length of a message", every_length },
	{ "copies strings as the base does", many_strings },
	{ "renders random formats as the base does", random_formats },
};

int main(void)
{
	return run_tests(tests, ARRAY_SIZE(tests));
}
