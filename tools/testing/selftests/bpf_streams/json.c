// SPDX-License-Identifier: GPL-2.0
/*
 * A strict JSON parser, as other parsers of bpftool's output may be strict, too. Strings
 * must be UTF-8 without control characters.
 */
#include "tool.h"

struct json {
	const char *at;
	const char *end;
	/* The requested member and its value */
	const char *key;
	struct text *value;
	bool found;
	int depth;
};

static bool value(struct json *j, struct text *copy);

static void space(struct json *j)
{
	while (j->at < j->end && strchr(" \t\r\n", *j->at) && *j->at)
		j->at++;
}

static bool next_is(struct json *j, char c)
{
	if (j->at == j->end || *j->at != c)
		return false;
	j->at++;
	return true;
}

static bool word(struct json *j, const char *w)
{
	size_t len = strlen(w);

	if (j->end - j->at < (long)len || memcmp(j->at, w, len))
		return false;
	j->at += len;
	return true;
}

static void add_code(struct text *t, unsigned int c)
{
	char utf8[3];

	if (!t)
		return;
	if (c < 0x80) {
		utf8[0] = c;
		text_add(t, utf8, 1);
	} else if (c < 0x800) {
		utf8[0] = 0xc0 | c >> 6;
		utf8[1] = 0x80 | (c & 0x3f);
		text_add(t, utf8, 2);
	} else {
		utf8[0] = 0xe0 | c >> 12;
		utf8[1] = 0x80 | (c >> 6 & 0x3f);
		utf8[2] = 0x80 | (c & 0x3f);
		text_add(t, utf8, 3);
	}
}

/* Code points above U+FFFF, in two escapes, are not supported */
static bool escape(struct json *j, struct text *copy)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	unsigned int code;
	const char *c;
	char hex[5] = "";

	if (j->at == j->end)
		return false;
	c = memchr(from, *j->at, sizeof(from) - 1);
	if (c) {
		j->at++;
		add_code(copy, to[c - from]);
		return true;
	}
	if (!next_is(j, 'u') || j->end - j->at < 4)
		return false;
	memcpy(hex, j->at, 4);
	if (strspn(hex, "0123456789abcdefABCDEF") != 4)
		return false;
	code = strtoul(hex, NULL, 16);
	if (code >= 0xd800 && code <= 0xdfff)
		return false;
	j->at += 4;
	add_code(copy, code);
	return true;
}

/* The length of a valid sequence, or 0. Table 3-7 of the Unicode Standard */
static int utf8(const unsigned char *s, long left)
{
	unsigned char lo = 0x80, hi = 0xbf;
	int i, len;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (left < len)
		return 0;
	if (s[0] == 0xe0)
		lo = 0xa0;
	else if (s[0] == 0xed)
		hi = 0x9f;
	else if (s[0] == 0xf0)
		lo = 0x90;
	else if (s[0] == 0xf4)
		hi = 0x8f;
	if (s[1] < lo || s[1] > hi)
		return 0;
	for (i = 2; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	return len;
}

static bool string(struct json *j, struct text *copy)
{
	int len;

	if (!next_is(j, '"'))
		return false;
	while (j->at < j->end) {
		if (next_is(j, '"'))
			return true;
		if (next_is(j, '\\')) {
			if (!escape(j, copy))
				return false;
			continue;
		}
		len = utf8((const unsigned char *)j->at, j->end - j->at);
		if (!len || (unsigned char)*j->at < 0x20)
			return false;
		if (copy)
			text_add(copy, j->at, len);
		j->at += len;
	}
	return false;
}

static bool digits(struct json *j)
{
	const char *from = j->at;

	while (j->at < j->end && *j->at >= '0' && *j->at <= '9')
		j->at++;
	return j->at > from;
}

static bool number(struct json *j, struct text *copy)
{
	const char *from = j->at;

	next_is(j, '-');
	if (!next_is(j, '0') && !digits(j))
		return false;
	if (next_is(j, '.') && !digits(j))
		return false;
	if (next_is(j, 'e') || next_is(j, 'E')) {
		if (!next_is(j, '+'))
			next_is(j, '-');
		if (!digits(j))
			return false;
	}
	if (copy)
		text_add(copy, from, j->at - from);
	return true;
}

static bool member(struct json *j)
{
	struct text key = {}, *copy = NULL;
	bool ok;

	ok = string(j, &key);
	text_add(&key, "", 1);
	if (ok && j->key && j->depth == 1 && !strcmp(key.data, j->key)) {
		j->found = true;
		copy = j->value;
	}
	text_free(&key);
	space(j);
	if (!ok || !next_is(j, ':'))
		return false;
	space(j);
	return value(j, copy);
}

static bool element(struct json *j)
{
	return value(j, NULL);
}

static bool collection(struct json *j, char close, bool (*one)(struct json *j))
{
	j->at++;
	j->depth++;
	space(j);
	if (!next_is(j, close)) {
		do {
			space(j);
			if (!one(j))
				return false;
			space(j);
		} while (next_is(j, ','));
		if (!next_is(j, close))
			return false;
	}
	j->depth--;
	return true;
}

static bool value(struct json *j, struct text *copy)
{
	if (j->at == j->end || j->depth > 50)
		return false;
	switch (*j->at) {
	case '{':
		return collection(j, '}', member);
	case '[':
		return collection(j, ']', element);
	case '"':
		return string(j, copy);
	case 't':
		return word(j, "true");
	case 'f':
		return word(j, "false");
	case 'n':
		return word(j, "null");
	}
	return number(j, copy);
}

static bool parse(struct json *j, const struct text *t)
{
	if (!t->len)
		return false;
	j->at = t->data;
	j->end = t->data + t->len;
	space(j);
	if (!value(j, NULL))
		return false;
	space(j);
	return j->at == j->end;
}

bool json_is_valid(const struct text *t)
{
	struct json j = {};

	if (parse(&j, t))
		return true;
	fprintf(stderr, "# no valid JSON: '%.*s'\n", (int)t->len, t->data ?: "");
	return false;
}

bool json_member(const struct text *t, const char *key, struct text *value)
{
	struct json j = { .key = key, .value = value };

	value->len = 0;
	return json_is_valid(t) && parse(&j, t) && j.found;
}

bool json_member_is(const struct text *t, const char *key, const char *want)
{
	struct text v = {};
	bool ok;

	ok = json_member(t, key, &v) && text_is(&v, want);
	text_free(&v);
	return ok;
}
