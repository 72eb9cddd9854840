// SPDX-License-Identifier: GPL-2.0
/*
 * Render messages with kernel/bpf/stream_format.c and with the base's own code, which the
 * Makefile extracts from its files, and compare the texts
 */
#include <stdio.h>
#include <sys/mman.h>
#include <linux/ctype.h>
#include "format.h"
#include "shim.h"
#include "stream.h"

/* --- environment of the base's code --- */

struct bpf_bprintf_data {
	u32 *bin_args;
	char *buf;
	bool get_bin_args;
	bool get_buf;
};

static struct bpf_bprintf_buffers base_bufs __aligned(8);

#define noinline_for_stack
#define __packed		__attribute__((__packed__))
#define fallthrough		__attribute__((__fallthrough__))
#define WARN_ONCE(cond, ...)	((cond) ? (shim_bug(#cond, __FILE__, __LINE__), true) : false)
#undef WARN_ON_ONCE
#define WARN_ON_ONCE(cond)	WARN_ONCE(cond)
#define do_div(n, base)						\
({								\
	unsigned long long *__n = &(n);				\
	u32 __base = (base), __rem = *__n % __base;		\
								\
	*__n /= __base;						\
	__rem;							\
})
#define _tolower(c)		((c) | 0x20)
/* bpf_bprintf_prepare() has copied the string, so the pointer is valid. */
#define string(pos, end, s, spec) string_nocheck(pos, end, s, spec)

int bpf_try_get_buffers(struct bpf_bprintf_buffers **bufs)
{
	*bufs = &base_bufs;
	return 0;
}

void bpf_bprintf_cleanup(struct bpf_bprintf_data *data)
{
}

static char *strnchr(const char *s, size_t count, int c)
{
	for (; count--; s++) {
		if (*s == (char)c)
			return (char *)s;
		if (!*s)
			break;
	}
	return NULL;
}

/* Not reached: the renderer leaves pointers to the base. */
static char *pointer(const char *fmt, char *buf, char *end, void *ptr, ...)
{
	shim_bug("unexpected rendering of an address", __FILE__, __LINE__);
	return buf;
}

static long copy_from_kernel_nofault(void *to, const void *from, size_t len)
{
	shim_bug("unexpected lookup of an address", __FILE__, __LINE__);
	return -EFAULT;
}

#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-value"
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include "base_format.c"

/* --- memory that arguments point to: each address has a byte, or is unmapped --- */

static u64 hash(u64 n)
{
	n = (n ^ n >> 31) * 0x9e3779b97f4a7c15;
	return n ^ n >> 29;
}

static bool page_is_there(u64 address)
{
	return hash(address / PAGE_SIZE) % 8;
}

/* Strings are short in half of the pages, and very long in the others. */
static char byte_at(u64 address)
{
	static const char some[] = "ab %s\n\t\x7f\x80\xff\x01%%z09-";
	unsigned int often = hash(address / PAGE_SIZE) % 16 < 8 ? 20 : 700;

	if (hash(address) % often == 0)
		return 0;
	return some[hash(address + 1) % (sizeof(some) - 1)];
}

bool copy_from_kernel_nofault_allowed(const void *from, size_t size)
{
	return (unsigned long)from % 7;
}

bool shim_load(void *to, unsigned long from, unsigned int size)
{
	unsigned int i;

	die_if(from / PAGE_SIZE != (from + size - 1) / PAGE_SIZE);
	for (i = 0; i < size; i++)
		((char *)to)[i] = byte_at(from + i);
	return page_is_there(from);
}

/* As in the base, byte by byte */
int bpf_trace_copy_string(char *buf, void *unsafe_ptr, char fmt_ptype, size_t bufsz)
{
	unsigned long address = (unsigned long)unsafe_ptr, i;

	die_if(!bufsz);
	buf[0] = 0;
	if (!copy_from_kernel_nofault_allowed(unsafe_ptr, bufsz))
		return -ERANGE;

	for (i = 0; i < bufsz; i++) {
		if (!page_is_there(address + i)) {
			buf[0] = 0;
			return -EFAULT;
		}
		buf[i] = byte_at(address + i);
		if (!buf[i])
			return i + 1;
	}
	buf[bufsz - 1] = 0;
	return bufsz;
}

/* --- comparison --- */

static int render_base(char **text, const char *fmt, const u64 *args, u32 nr_args)
{
	struct bpf_bprintf_data data = {
		.get_bin_args	= true,
		.get_buf	= true,
	};
	int err;

	/* Fill the buffers differently, so that unwritten bytes differ. */
	memset(&base_bufs, 0xa5, sizeof(base_bufs));
	err = bpf_bprintf_prepare((char *)fmt, UINT_MAX, args, nr_args, &data);
	if (err)
		return err;

	*text = data.buf;
	return bstr_printf(data.buf, MAX_BPRINTF_BUF, fmt, data.bin_args);
}

/* Copy the format to the end of a page that is followed by an unmapped one. */
static const char *at_the_brink(const char *fmt)
{
	static char *pages;
	size_t len = strlen(fmt) + 1;

	if (!pages) {
		pages = mmap(NULL, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		die_if(pages == MAP_FAILED);
		die_if(mprotect(pages + PAGE_SIZE, PAGE_SIZE, PROT_NONE));
	}
	die_if(len > PAGE_SIZE);
	return memcpy(pages + PAGE_SIZE - len, fmt, len);
}

int compare_formats(const char *fmt, const u64 *args, u32 nr_args)
{
	char *ours, *text = NULL;
	int len, base_len;

	fmt = at_the_brink(fmt);
	/* On the heap, for AddressSanitizer */
	ours = malloc(MAX_BPRINTF_BUF);
	die_if(!ours);
	memset(ours, 0x5a, MAX_BPRINTF_BUF);
	len = bpf_stream_format(ours, fmt, args, nr_args);
	if (len >= 0) {
		base_len = render_base(&text, fmt, args, nr_args);
		if (base_len != len || memcmp(ours, text, len)) {
			fprintf(stderr, "format '%s'\nbase %d '%.*s'\nours %d '%.*s'\n",
				fmt, base_len, base_len < 0 ? 0 : base_len, text ?: "",
				len, len, ours);
			shim_bug("the texts differ", __FILE__, __LINE__);
		}
	} else {
		die_if(len != -EOPNOTSUPP);
	}
	free(ours);
	return len;
}
