/* SPDX-License-Identifier: MIT */
/*
 * ASCII text without the locale. Everything here is total: any byte and any text is an answer,
 * never a fault. It leaves names, addresses and ports to the modules that know their rules.
 */
#include "protocol/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool text_is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

bool text_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool text_is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

char text_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool text_equal_fold(const char *a, const char *b)
{
	while (*a && text_lower(*a) == text_lower(*b)) {
		a++;
		b++;
	}
	return text_lower(*a) == text_lower(*b);
}

bool text_ends_fold(const char *text, const char *suffix)
{
	size_t len = strlen(text);
	size_t suffix_len = strlen(suffix);

	return len >= suffix_len && text_equal_fold(text + len - suffix_len, suffix);
}

int text_parse_uint(const char *text, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;
	bool above = false;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		uint64_t digit;

		if (!text_is_digit(*text))
			return -EINVAL;
		digit = (uint64_t)(*text - '0');
		/*
		 * Goes on after an overflow: a letter further on makes the text no number at all.
		 */
		if (value > (UINT64_MAX - digit) / 10)
			above = true;
		else
			value = value * 10 + digit;
	}
	if (above || value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}

/*
 * How many bytes the well-formed sequence at text has, 0 when there is none. The ranges are those
 * of RFC 3629 section 4.
 */
static size_t utf8_sequence_len(const unsigned char *text, size_t len)
{
	unsigned char low = 0x80;
	unsigned char high = 0xbf;
	size_t sequence_len;

	if (text[0] < 0x80)
		return 1;
	if (text[0] >= 0xc2 && text[0] <= 0xdf)
		sequence_len = 2;
	else if (text[0] >= 0xe0 && text[0] <= 0xef)
		sequence_len = 3;
	else if (text[0] >= 0xf0 && text[0] <= 0xf4)
		sequence_len = 4;
	else
		return 0;
	if (sequence_len > len)
		return 0;
	/* The second byte keeps out overlong forms, surrogates and what is above U+10FFFF. */
	switch (text[0]) {
	case 0xe0:
		low = 0xa0;
		break;
	case 0xed:
		high = 0x9f;
		break;
	case 0xf0:
		low = 0x90;
		break;
	case 0xf4:
		high = 0x8f;
		break;
	default:
		break;
	}
	if (text[1] < low || text[1] > high)
		return 0;
	for (size_t i = 2; i < sequence_len; i++)
		if (text[i] < 0x80 || text[i] > 0xbf)
			return 0;
	return sequence_len;
}

bool text_is_utf8(const char *text, size_t len)
{
	const unsigned char *bytes = (const unsigned char *)text;

	while (len > 0) {
		size_t sequence_len = utf8_sequence_len(bytes, len);

		if (sequence_len == 0)
			return false;
		bytes += sequence_len;
		len -= sequence_len;
	}
	return true;
}

char *text_next_word(char **cursor)
{
	char *word = *cursor + strspn(*cursor, " \t");
	char *end = word + strcspn(word, " \t");

	*cursor = end;
	if (end == word)
		return NULL;
	if (*end) {
		*end = '\0';
		*cursor = end + 1;
	}
	return word;
}

int text_format(char **ret, const char *format, ...)
{
	char *text = NULL;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0)
		return -ENOMEM; /* text means nothing now */
	*ret = text;
	return 0;
}

int text_format_base64(char **ret, const void *bytes, size_t len)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *octets = bytes;
	char *text = calloc(len / 3 + 1, 4 + 1), *at = text;

	if (!text)
		return -ENOMEM;
	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		unsigned int group = (unsigned int)octets[i] << 16;

		group |= n > 1 ? (unsigned int)octets[i + 1] << 8 : 0;
		group |= n > 2 ? octets[i + 2] : 0;
		*at++ = letters[group >> 18];
		*at++ = letters[group >> 12 & 63];
		*at++ = n > 1 ? letters[group >> 6 & 63] : '=';
		*at++ = n > 2 ? letters[group & 63] : '=';
	}
	*ret = text;
	return 0;
}
