/* SPDX-License-Identifier: MIT */
#include "protocol/text.h"

#include <string.h>

#include "tests/support/suite.h"

START_TEST(classes_are_those_of_ascii_for_every_byte)
{
	for (int i = -128; i < 128; i++) {
		char c = (char)i;

		ck_assert_int_eq(text_is_space(c), c != '\0' && strchr(" \t\n\v\f\r", c) != NULL);
		ck_assert_int_eq(text_is_digit(c), c != '\0' && strchr("0123456789", c) != NULL);
		ck_assert_int_eq(text_is_alpha(c), c != '\0' && strchr("abcdefghijklmnopqrstuvwxyz"
								       "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
								       c) != NULL);
		ck_assert_int_eq(text_lower(c), text_is_alpha(c) ? (char)(c | 0x20) : c);
	}
}
END_TEST

static const struct {
	const char *a;
	const char *b;
	bool equal;
	bool ends;
} folds[] = {
	{ "", "", true, true },
	{ "a", "", false, true },
	{ "", "a", false, false },
	{ "localhost", "LocalHost", true, true },
	{ "localhost", "localhos", false, false },
	{ "localhos", "localhost", false, false },
	{ "www.Example.COM", ".example.com", false, true },
	{ "wwwexample.com", ".example.com", false, false },
	{ "a[", "a{", false, false },		  /* 0x5b and 0x7b are no letters */
	{ "\xc3\x84", "\xc3\xa4", false, false }, /* nor are bytes above ASCII */
};

START_TEST(comparison_folds_ascii_letters_only)
{
	for (size_t i = 0; i < ARRAY_LEN(folds); i++) {
		ck_assert_msg(text_equal_fold(folds[i].a, folds[i].b) == folds[i].equal,
			      "\"%s\" \"%s\"", folds[i].a, folds[i].b);
		ck_assert_msg(text_ends_fold(folds[i].a, folds[i].b) == folds[i].ends,
			      "\"%s\" ends \"%s\"", folds[i].a, folds[i].b);
	}
}
END_TEST

static const struct {
	const char *text;
	uint64_t max;
	int result;
	uint64_t value;
} numbers[] = {
	{ "0", 0, 0, 0 },
	{ "1", 0, -ERANGE, 0 },
	{ "65535", 65535, 0, 65535 },
	{ "65536", 65535, -ERANGE, 0 },
	{ "00000000000000000000000000080", 65535, 0, 80 },
	{ "18446744073709551615", UINT64_MAX, 0, UINT64_MAX },
	{ "18446744073709551616", UINT64_MAX, -ERANGE, 0 },
	{ "99999999999999999999999999", UINT64_MAX, -ERANGE, 0 },
	{ "18446744073709551616x", UINT64_MAX, -EINVAL, 0 },
	{ "", 10, -EINVAL, 0 },
	{ " 1", 10, -EINVAL, 0 },
	{ "1 ", 10, -EINVAL, 0 },
	{ "+1", 10, -EINVAL, 0 },
	{ "-1", 10, -EINVAL, 0 },
	{ "0x1", 10, -EINVAL, 0 },
	{ "1e1", 10, -EINVAL, 0 },
	{ "\xd9\xa1", 10, -EINVAL, 0 }, /* an Arabic digit */
};

START_TEST(numbers_are_decimal_digits_within_the_range)
{
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		uint64_t value = 4711;

		ck_assert_msg(text_parse_uint(numbers[i].text, numbers[i].max, &value) ==
				      numbers[i].result,
			      "\"%s\"", numbers[i].text);
		ck_assert_msg(value == (numbers[i].result < 0 ? 4711 : numbers[i].value), "\"%s\"",
			      numbers[i].text);
	}
}
END_TEST

static const struct {
	const char *text;
	bool good;
} sequences[] = {
	{ "", true },
	{ "plain", true },
	{ "\xc2\x80", true },
	{ "\xdf\xbf", true },
	{ "\xe0\xa0\x80", true },
	{ "\xed\x9f\xbf", true },
	{ "\xee\x80\x80", true },
	{ "\xf0\x90\x80\x80", true },
	{ "\xf4\x8f\xbf\xbf", true },
	{ "b\xc3\xbc"
	  "cher.test",
	  true },
	{ "\x80", false },     /* continuation alone */
	{ "\xc0\x80", false }, /* overlong */
	{ "\xc1\xbf", false },
	{ "\xe0\x9f\xbf", false },
	{ "\xf0\x8f\xbf\xbf", false },
	{ "\xed\xa0\x80", false },     /* surrogate */
	{ "\xf4\x90\x80\x80", false }, /* above U+10FFFF */
	{ "\xf5\x80\x80\x80", false },
	{ "\xff", false },
	{ "\xc3", false }, /* cut short */
	{ "\xe2\x82", false },
	{ "\xf0\x9f\x98", false },
	{ "\xc3(", false },
	{ "\xe2\x82(", false },
	{ "\xf0\x9f\x98(", false },
};

START_TEST(utf8_is_well_formed_or_refused)
{
	for (size_t i = 0; i < ARRAY_LEN(sequences); i++)
		ck_assert_msg(text_is_utf8(sequences[i].text, strlen(sequences[i].text)) ==
				      sequences[i].good,
			      "%zu", i);
	ck_assert(text_is_utf8("a\0b", 3));
	ck_assert(!text_is_utf8("\xe2\x82\xac", 2)); /* the length counts, not what stands behind */
}
END_TEST

START_TEST(words_are_cut_at_blanks_and_tabs)
{
	char text[] = "  one\ttwo \t three\n ";
	char blank[] = " \t ";
	char empty[] = "";
	char *cursor = text;

	ck_assert_str_eq(text_next_word(&cursor), "one");
	ck_assert_str_eq(text_next_word(&cursor), "two");
	ck_assert_str_eq(text_next_word(&cursor), "three\n");
	ck_assert_ptr_null(text_next_word(&cursor));
	ck_assert_ptr_null(text_next_word(&cursor));
	cursor = blank;
	ck_assert_ptr_null(text_next_word(&cursor));
	cursor = empty;
	ck_assert_ptr_null(text_next_word(&cursor));
}
END_TEST

START_TEST(formatted_text_is_the_callers)
{
	CLEANUP(freep) char *text = NULL;

	ck_assert_int_eq(text_format(&text, "%s/%d", "a", 7), 0);
	ck_assert_str_eq(text, "a/7");
}
END_TEST

/* RFC 4648 section 10, and all 64 letters. */
START_TEST(base64_is_that_of_the_rfc)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *text;
	} cases[] = {
		{ "", 0, "" },
		{ "f", 1, "Zg==" },
		{ "fo", 2, "Zm8=" },
		{ "foo", 3, "Zm9v" },
		{ "foob", 4, "Zm9vYg==" },
		{ "fooba", 5, "Zm9vYmE=" },
		{ "foobar", 6, "Zm9vYmFy" },
		{ "\0\0\0\xff", 4, "AAAA/w==" },
		{ "\x00\x10\x83\x10\x51\x87\x20\x92\x8b\x30\xd3\x8f\x41\x14\x93\x51\x55\x97\x61\x96\x9b\x71\xd7\x9f"
		  "\x82\x18\xa3\x92\x59\xa7\xa2\x9a\xab\xb2\xdb\xaf\xc3\x1c\xb3\xd3\x5d\xb7\xe3\x9e\xbb\xf3\xdf\xbf",
		  48, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(freep) char *text = NULL;

		ck_assert_int_eq(text_format_base64(&text, cases[i].bytes, cases[i].len), 0);
		ck_assert_str_eq(text, cases[i].text);
	}
}
END_TEST

SUITE_MAIN("text", classes_are_those_of_ascii_for_every_byte, comparison_folds_ascii_letters_only,
	   numbers_are_decimal_digits_within_the_range, utf8_is_well_formed_or_refused,
	   words_are_cut_at_blanks_and_tabs, formatted_text_is_the_callers,
	   base64_is_that_of_the_rfc)
