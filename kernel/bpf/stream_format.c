// SPDX-License-Identifier: GPL-2.0
/*
 * BPF standard streams: rendering of messages in one pass
 *
 * bpf_bprintf_prepare() and bstr_printf() scan each byte of a format several times and
 * convert the arguments to a binary form first. The functions here generate the text
 * from format and arguments in one pass. They support what most programs use: plain
 * text, integers, characters and strings.
 *
 * They do not reject anything. If a format is unsupported, invalid, or its text too
 * long, the caller falls back to these two functions, which render or refuse it.
 * For what they support, the text must be that of bstr_printf();
 * tools/testing/bpf_streams/format.c compares the two.
 *
 * Plain text is scanned by words. A word is loaded only if it begins in the text and
 * does not cross the end of a page; the bytes behind the end of the text are ignored.
 * With memory tagging, it must not cross the end of a granule either, as all of a
 * granule has one tag. With KMSAN, which tracks single bits, text is scanned by bytes.
 * To copy plain text, whole words are stored, and the position is advanced by the number
 * of plain bytes; the rest is overwritten by what follows.
 */
#include <linux/bitops.h>
#include <linux/bpf.h>
#include <linux/compiler.h>
#include <linux/ctype.h>
#include <linux/kasan-enabled.h>
#include <linux/kcsan-checks.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/types.h>
#include <linux/uaccess.h>
#include <linux/unaligned.h>
#include "stream.h"

#define WORD sizeof(unsigned long)
#define BYTES(b) (~0UL / 0xff * (b))

/*
 * Set the highest bit of each byte that is not plain, or not ASCII: of 0x7f and above by
 * adding 1, of those below ' ' by subtracting ' ', and of '%' by subtracting 1 from the 0
 * that the exclusive or yields. Only these bytes cause carries and borrows, which may set
 * the bit of the next byte, too. That byte is then rechecked by itself.
 */
static __always_inline unsigned long special_bytes(unsigned long word)
{
	return (word + BYTES(0x01)) | (word - BYTES(' ')) |
	       ((word ^ BYTES('%')) - BYTES(0x01));
}

#define SPECIAL BYTES(0x80)

/* Number of bytes before the first one, in memory order, whose bit is set */
static __always_inline unsigned int bytes_before(unsigned long bits)
{
#ifdef __LITTLE_ENDIAN
	return __ffs(bits) / BITS_PER_BYTE;
#else
	return (BITS_PER_LONG - 1 - __fls(bits)) / BITS_PER_BYTE;
#endif
}

/* Test if the byte is plain text for bpf_bprintf_prepare(). */
static __always_inline bool is_plain(unsigned char c)
{
	if (likely(c >= ' ' && c < 0x7f))
		return c != '%';

	return !isascii(c) || isspace(c);
}

static __always_inline bool must_align(void)
{
	return !IS_ENABLED(CONFIG_HAVE_EFFICIENT_UNALIGNED_ACCESS) ||
	       kasan_hw_tags_enabled();
}

/*
 * Test if one or two words may be loaded from an address in the text. If aligned to their
 * size, they are in one page and in one tag granule.
 */
static __always_inline bool can_load(const char *s, unsigned int words)
{
	if (IS_ENABLED(CONFIG_KMSAN))
		return false;
	if (must_align())
		return IS_ALIGNED((unsigned long)s, words * WORD);

	return offset_in_page(s) <= PAGE_SIZE - words * WORD;
}

/**
 * bpf_stream_plain_len - get the length of the plain text at the beginning of a format
 * @fmt: the format, terminated
 *
 * Context: Any, NMI included.
 * Return: number of plain bytes; they are followed by the end, a '%', or a byte that
 *         is invalid in formats.
 */
unsigned int bpf_stream_plain_len(const char *fmt)
{
	unsigned long first, second;
	const char *s = fmt;

	for (;;) {
		if (likely(can_load(s, 2))) {
			first = special_bytes(read_word_at_a_time(s));
			/* KASAN would complain if the text ends in the first word. */
			second = special_bytes(READ_ONCE_NOCHECK(*(const unsigned long *)
								 (s + WORD)));
			if (!((first | second) & SPECIAL)) {
				s += 2 * WORD;
				continue;
			}

			first &= SPECIAL;
			if (first)
				s += bytes_before(first);
			else
				s += WORD + bytes_before(second & SPECIAL);
		}
		if (!is_plain(*s))
			return s - fmt;
		s++;
	}
}

/**
 * struct stream_text - text that is being rendered
 * @pos: its end so far
 * @end: end of the buffer, apart from one byte that may be written to
 */
struct stream_text {
	char *pos;
	char *end;
};

static __always_inline unsigned int text_room(const struct stream_text *text)
{
	return text->end - text->pos;
}

/* Copy plain text. Return: the rest of the format, or NULL if there is no room. */
static __always_inline const char *put_plain(struct stream_text *text, const char *s)
{
	unsigned long word, found;
	unsigned int len;

	for (;;) {
		if (likely(can_load(s, 1) && text_room(text) >= WORD)) {
			word = read_word_at_a_time(s);
			put_unaligned(word, (unsigned long *)text->pos);
			found = special_bytes(word) & SPECIAL;
			len = found ? bytes_before(found) : WORD;
			text->pos += len;
			s += len;
			if (!found)
				continue;
		}
		if (!is_plain(*s))
			return s;
		if (!text_room(text))
			return NULL;
		*text->pos++ = *s++;
	}
}

/**
 * struct stream_conv - flags and width of a conversion
 * @width: minimum length of its text
 * @left: pad on the right
 * @zero: pad numbers with zeros
 * @plus: print '+' before signed numbers that are not negative
 * @space: or else ' '
 */
struct stream_conv {
	u32 width;
	bool left;
	bool zero;
	bool plus;
	bool space;
};

static __always_inline bool is_padded(const struct stream_conv *conv)
{
	return conv->width || conv->plus || conv->space;
}

/* Pad for @len bytes. Return: where to store these, or NULL if there is no room. */
static char *put_padded(struct stream_text *text, const struct stream_conv *conv,
			unsigned int len)
{
	unsigned int width = max(conv->width, len);
	char *pos = text->pos;

	if (width > text_room(text))
		return NULL;

	text->pos += width;
	if (conv->left) {
		memset(pos + len, ' ', width - len);
		return pos;
	}
	memset(pos, ' ', width - len);
	return pos + width - len;
}

static const char digit_pairs[] =
	"00010203040506070809" "10111213141516171819" "20212223242526272829"
	"30313233343536373839" "40414243444546474849" "50515253545556575859"
	"60616263646566676869" "70717273747576777879" "80818283848586878889"
	"90919293949596979899";

static __always_inline unsigned int dec_len(u64 n)
{
	unsigned int len = 1;

	for (; unlikely(n >= 10000); len += 4)
		n = div_u64(n, 10000);
	if (n < 10)
		return len;
	if (n < 100)
		return len + 1;
	return len + 2 + (n >= 1000);
}

/* Write the digits of a number in front of @end. */
static __always_inline void put_dec(char *end, u64 n)
{
	u64 q;

	for (; n >= 100; n = q) {
		q = div_u64(n, 100);
		end -= 2;
		memcpy(end, &digit_pairs[2 * (n - 100 * q)], 2);
	}
	if (n >= 10)
		memcpy(end - 2, &digit_pairs[2 * n], 2);
	else
		end[-1] = '0' + n;
}

static void put_hex(char *end, u64 n, const char *digits)
{
	do {
		*--end = digits[n & 0xf];
		n >>= 4;
	} while (n);
}

/* Print a number in hexadecimal, or with flags or a width. */
static noinline bool put_number(struct stream_text *text, const struct stream_conv *conv,
				u64 n, char letter)
{
	bool is_signed = letter == 'd' || letter == 'i';
	bool is_hex = letter == 'x' || letter == 'X';
	unsigned int len, digits, zeros = 0;
	char sign = 0;
	char *pos;

	if (is_signed && (s64)n < 0) {
		sign = '-';
		n = -n;
	} else if (is_signed && conv->plus) {
		sign = '+';
	} else if (is_signed && conv->space) {
		sign = ' ';
	}

	digits = is_hex ? DIV_ROUND_UP(fls64(n | 1), 4) : dec_len(n);
	len = digits + !!sign;
	if (conv->zero && !conv->left && conv->width > len)
		zeros = conv->width - len;

	pos = put_padded(text, conv, len + zeros);
	if (!pos)
		return false;

	if (sign)
		*pos++ = sign;
	memset(pos, '0', zeros);
	pos += zeros + digits;
	if (is_hex)
		put_hex(pos, n, letter == 'x' ? hex_asc : hex_asc_upper);
	else
		put_dec(pos, n);
	return true;
}

/* Print a decimal number without flags and width. */
static __always_inline bool put_plain_dec(struct stream_text *text, u64 n, bool is_signed)
{
	unsigned int len;

	/* The length of "-9223372036854775808" */
	if (text_room(text) < 20)
		return false;

	if (is_signed && (s64)n < 0) {
		*text->pos++ = '-';
		n = -n;
	}
	len = dec_len(n);
	text->pos += len;
	put_dec(text->pos, n);
	return true;
}

static bool put_char(struct stream_text *text, const struct stream_conv *conv, char c)
{
	char *pos = put_padded(text, conv, 1);

	if (!pos)
		return false;

	*pos = c;
	return true;
}

/*
 * Set the highest bit of each byte that is 0, and maybe of bytes behind the first of
 * these, in memory order.
 */
static __always_inline unsigned long zeros(unsigned long word)
{
#ifdef __LITTLE_ENDIAN
	return (word - BYTES(0x01)) & ~word & BYTES(0x80);
#else
	return ~(((word & BYTES(0x7f)) + BYTES(0x7f)) | word | BYTES(0x7f));
#endif
}

/*
 * strncpy_from_kernel_nofault() by words. Return: the length of the string without the
 * NUL; @size if the string is not shorter than that; 0 if it cannot be read.
 */
static unsigned int copy_kernel_string(char *to, unsigned long address, unsigned int size)
{
	unsigned long word, found;
	unsigned int len = 0;
	const void *from;

	if (!copy_from_kernel_nofault_allowed((void *)address, size))
		return 0;

	/*
	 * The string may be modified concurrently. pagefault_disabled is not atomic, but an
	 * interrupt that changes it restores its value.
	 */
	kcsan_disable_current();
	pagefault_disable();
	while (len < size) {
		from = (const void *)(address + len);
		if (likely(can_load(from, 1) && size - len >= WORD)) {
			__get_kernel_nofault(&word, from, unsigned long, fault);
			put_unaligned(word, (unsigned long *)(to + len));
			found = zeros(word);
			if (found) {
				len += bytes_before(found);
				break;
			}
			len += WORD;
		} else {
			__get_kernel_nofault(to + len, from, u8, fault);
			if (!to[len])
				break;
			len++;
		}
	}
	goto out;

fault:
	len = 0;
out:
	pagefault_enable();
	kcsan_enable_current();
	return len;
}

/* The same for an argument of %s, which may be an address in user space. */
static __always_inline unsigned int copy_string(char *to, unsigned long address,
						unsigned int size)
{
#ifdef CONFIG_ARCH_HAS_NON_OVERLAPPING_ADDRESS_SPACE
	if (address < TASK_SIZE) {
		int len = bpf_trace_copy_string(to, (void *)address, 's', size);

		return len < 0 ? 0 : len < size ? len - 1 : size;
	}
#endif
	return copy_kernel_string(to, address, size);
}

static bool put_string(struct stream_text *text, const struct stream_conv *conv, u64 address)
{
	unsigned int room = text_room(text);
	char *pos = text->pos;
	unsigned int len;

	/* With the extra byte a string that fills the room is not taken for truncated. */
	len = copy_string(pos, address, room + 1);
	if (len > room)
		return false;

	if (likely(conv->width <= len)) {
		text->pos += len;
		return true;
	}

	if (conv->width > room)
		return false;
	if (!conv->left)
		memmove(pos + conv->width - len, pos, len);
	return put_padded(text, conv, len);
}

/* Parse flags and width. Return: the rest of the format, or NULL if @width is too large. */
static noinline const char *parse_conv(struct stream_conv *conv, const char *fmt)
{
	for (;; fmt++) {
		if (*fmt == '-')
			conv->left = true;
		else if (*fmt == '0')
			conv->zero = true;
		else if (*fmt == '+')
			conv->plus = true;
		else if (*fmt == ' ')
			conv->space = true;
		else
			break;
	}
	for (; isdigit(*fmt); fmt++) {
		conv->width = 10 * conv->width + *fmt - '0';
		if (conv->width >= MAX_BPRINTF_BUF)
			return NULL;
	}

	return fmt;
}

/* Render a conversion. Return: the rest of the format, or NULL if it is not supported. */
static __always_inline const char *put_conv(struct stream_text *text, const char *fmt, u64 arg)
{
	struct stream_conv conv = {};
	bool is_signed, is_wide;
	char letter;

	if (*fmt < 'A') {
		fmt = parse_conv(&conv, fmt);
		if (!fmt)
			return NULL;
	}

	letter = *fmt++;
	if (letter == 's') {
		if (*fmt && !isspace(*fmt) && !ispunct(*fmt))
			return NULL;
		return put_string(text, &conv, arg) ? fmt : NULL;
	}
	if (letter == 'c')
		return put_char(text, &conv, arg) ? fmt : NULL;

	is_wide = letter == 'l';
	if (is_wide) {
		letter = *fmt++;
		is_wide = sizeof(long) == sizeof(u64);
		if (letter == 'l') {
			letter = *fmt++;
			is_wide = true;
		}
	}

	is_signed = letter == 'd' || letter == 'i';
	if (!is_signed && letter != 'u' && letter != 'x' && letter != 'X')
		return NULL;
	if (!is_wide)
		arg = is_signed ? (s64)(s32)arg : (u32)arg;

	if (likely(letter != 'x' && letter != 'X' && !is_padded(&conv)))
		return put_plain_dec(text, arg, is_signed) ? fmt : NULL;

	return put_number(text, &conv, arg, letter) ? fmt : NULL;
}

/**
 * bpf_stream_format - render a message
 * @buf: buffer of MAX_BPRINTF_BUF bytes; the text is not terminated
 * @fmt: format of bpf_bprintf_prepare()
 * @args: the arguments
 * @nr_args: number of arguments
 *
 * Context: Any, NMI included.
 * Return: length of the text, less than MAX_BPRINTF_BUF; -EOPNOTSUPP if the caller has
 *         to use bpf_bprintf_prepare() and bstr_printf().
 */
int bpf_stream_format(char *buf, const char *fmt, const u64 *args, u32 nr_args)
{
	struct stream_text text = {
		.pos = buf,
		.end = buf + MAX_BPRINTF_BUF - 1,
	};
	const u64 *end = args + nr_args;

	for (;;) {
		fmt = put_plain(&text, fmt);
		if (!fmt)
			return -EOPNOTSUPP;
		if (!*fmt)
			return text.pos - buf;
		if (*fmt++ != '%')
			return -EOPNOTSUPP;

		if (*fmt == '%') {
			if (!text_room(&text))
				return -EOPNOTSUPP;
			*text.pos++ = *fmt++;
			continue;
		}

		if (args == end)
			return -EOPNOTSUPP;
		fmt = put_conv(&text, fmt, *args++);
		if (!fmt)
			return -EOPNOTSUPP;
	}
}
