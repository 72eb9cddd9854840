// SPDX-License-Identifier: GPL-2.0
/*
 * BPF standard streams: rendering of messages in one pass
 *
 * bpf_bprintf_prepare() and bstr_printf() look at every byte of a format several
 * times and take the arguments by way of a binary form. What is here goes from
 * format and arguments straight to the text, for the formats that most programs
 * print with: plain text, integers, characters and strings.
 *
 * It decides nothing. Whatever it does not know, and whatever is wrong or too long,
 * it leaves alone, and the caller has the base's functions render the message or
 * refuse it. So it has only to be right about what it accepts: the text must be what
 * the base makes of it. tools/testing/bpf_streams/format.c compares the two.
 *
 * Plain text is looked at by words. Those that are loaded are always in a page that
 * the text is in; what is behind its end is not looked at. Where the processor checks
 * tags of memory, they are also in a granule that the text is in, as all of that has
 * one tag. Where the compiler checks what is looked at, by bits even, text is looked at
 * by bytes. When it is copied, a whole
 * word is stored and as much of it kept as is plain text: what follows is stored over
 * the rest.
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
 * Which bytes of a word may not stand for themselves? Each that does not, or is not
 * ASCII, gets the highest bit of its place set: 0x7f and what is above by adding 1, what
 * is below ' ' by taking ' ' away, '%' by taking 1 away from the 0 that the exclusive or
 * makes of it. Carries and borrows come from such bytes alone. They may set the bit of
 * the next one, which is then looked at by itself and acquitted.
 */
static __always_inline unsigned long suspects(unsigned long word)
{
	return (word + BYTES(0x01)) | (word - BYTES(' ')) |
	       ((word ^ BYTES('%')) - BYTES(0x01));
}

#define SUSPECT BYTES(0x80)

/* How many bytes come before the first one in memory whose bit is set. */
static __always_inline unsigned int innocents(unsigned long suspects)
{
#ifdef __LITTLE_ENDIAN
	return __ffs(suspects) / BITS_PER_BYTE;
#else
	return (BITS_PER_LONG - 1 - __fls(suspects)) / BITS_PER_BYTE;
#endif
}

/* Does it stand for itself, as bpf_bprintf_prepare() sees it? */
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
 * May so many words, one or two, be loaded, of which the first byte is the text's? If
 * they are aligned to their size, they are in one page, and in one granule of tags.
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
 * bpf_stream_plain_len - length of the text that a format begins with
 * @fmt: the format, terminated
 *
 * Context: Any, NMI included.
 * Return: how many bytes stand for themselves; after them comes the end, a '%', or
 *         what no format may have.
 */
unsigned int bpf_stream_plain_len(const char *fmt)
{
	unsigned long first, second;
	const char *s = fmt;

	for (;;) {
		if (likely(can_load(s, 2))) {
			first = suspects(read_word_at_a_time(s));
			/* KASAN would have it begin before the end of the text. */
			second = suspects(READ_ONCE_NOCHECK(*(const unsigned long *)(s + WORD)));
			if (!((first | second) & SUSPECT)) {
				s += 2 * WORD;
				continue;
			}

			first &= SUSPECT;
			if (first)
				s += innocents(first);
			else
				s += WORD + innocents(second & SUSPECT);
		}
		if (!is_plain(*s))
			return s - fmt;
		s++;
	}
}

/**
 * struct stream_text - what is being rendered
 * @pos: where the text goes on
 * @end: where it must end; one more byte may be written to
 */
struct stream_text {
	char *pos;
	char *end;
};

static __always_inline unsigned int text_room(const struct stream_text *text)
{
	return text->end - text->pos;
}

/* Copies plain text; returns what follows, or NULL if there is no room. */
static __always_inline const char *put_plain(struct stream_text *text, const char *s)
{
	unsigned long word, found;
	unsigned int len;

	for (;;) {
		if (likely(can_load(s, 1) && text_room(text) >= WORD)) {
			word = read_word_at_a_time(s);
			put_unaligned(word, (unsigned long *)text->pos);
			found = suspects(word) & SUSPECT;
			len = found ? innocents(found) : WORD;
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
 * struct stream_conv - a conversion, between the '%' and its letter
 * @width: least length of what it prints
 * @left: pad it on the right
 * @zero: pad a number with zeros
 * @plus: give a signed number that is not negative a '+'
 * @space: or else a ' '
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

/*
 * Makes room for @len bytes, padded as the conversion wants it, and returns where they
 * go; NULL if they do not fit.
 */
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

/* Writes the digits of a number, which end at @end. */
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

/* A number as it is asked for: with a sign, padded, hexadecimal. */
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

/* The same without anything but, perhaps, a minus. */
static __always_inline bool put_plain_dec(struct stream_text *text, u64 n, bool is_signed)
{
	unsigned int len;

	/* Of "-9223372036854775808" */
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
 * The bytes of a word that are 0 have the highest bit of their place set; others, only
 * if they come after one of those.
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
 * strncpy_from_kernel_nofault() by words: returns the length of the string without the
 * NUL; @size if it does not end before; 0 if it cannot be read.
 */
static unsigned int copy_kernel_string(char *to, unsigned long address, unsigned int size)
{
	unsigned long word, found;
	unsigned int len = 0;
	const void *from;

	if (!copy_from_kernel_nofault_allowed((void *)address, size))
		return 0;

	/*
	 * The string may change meanwhile. And page faults are counted in the task, by
	 * interrupts too, which leave the count as it was.
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
				len += innocents(found);
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

/* The same of a string that %s names, which may be the user's. */
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

	/* One more byte than that may be written to: a string may fill the room. */
	len = copy_string(pos, address, room + 1);
	if (len > room) /* perhaps cut off */
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

/* Reads flags and width; returns what follows, NULL if the width is out of the way. */
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

/* Renders a conversion; returns what follows, or NULL if it is not for us. */
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
 * @buf: where to, MAX_BPRINTF_BUF bytes; the text is not terminated
 * @fmt: the format, as of bpf_bprintf_prepare()
 * @args: the arguments
 * @nr_args: how many
 *
 * Context: Any, NMI included.
 * Return: length of the text, less than MAX_BPRINTF_BUF; -EOPNOTSUPP if the base is to
 *         render the message, or to refuse it.
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
