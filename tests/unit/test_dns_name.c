/* SPDX-License-Identifier: MIT */
/*
 * Names between text and octets.
 */
#include "daemon/resolve/dns-name.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"

#define LABEL_61    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LABEL_63    LABEL_61 "aa"
#define TEXT_253    LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_61
#define WIRE_255    "\x3f" LABEL_63 "\x3f" LABEL_63 "\x3f" LABEL_63 "\x3d" LABEL_61 "\x00"
#define BYTES(text) (text), sizeof(text) - 1

static const struct {
	const char *text;
	const char *bytes;
	size_t len;
	bool is_host;
} pairs[] = {
	{ "a",
	  BYTES("\x01"
		"a\x00"),
	  true },
	{ "www.example",
	  BYTES("\x03www\x07"
		"example\x00"),
	  true },
	{ "_sip._tcp.example",
	  BYTES("\x04_sip\x04_tcp\x07"
		"example\x00"),
	  true },
	{ "*.x", BYTES("\x01*\x01x\x00"), false },
	{ "!#$%&'()+,-.0:;<=>?@[]^`{|}~",
	  BYTES("\x0b!#$%&'()+,-\x10"
		"0:;<=>?@[]^`{|}~\x00"),
	  false },
	{ LABEL_63, BYTES("\x3f" LABEL_63 "\x00"), true },
	{ TEXT_253, BYTES(WIRE_255), true },
};

/* On the heap and of its exact size, so that a sanitizer sees one byte too far. */
static uint8_t *copy_bytes(const char *bytes, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, bytes, len);
	return copy;
}

START_TEST(text_becomes_octets_and_a_host_text_again)
{
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		CLEANUP(freep) uint8_t *bytes = copy_bytes(pairs[i].bytes, pairs[i].len);
		char text[LIMIT_NAME_BYTES + 1];
		struct dns_name name;

		ck_assert_int_eq(dns_name_from_text(pairs[i].text, &name), 0);
		ck_assert_uint_eq(name.len, pairs[i].len);
		ck_assert_mem_eq(name.bytes, pairs[i].bytes, name.len);
		if (!pairs[i].is_host) {
			ck_assert_int_eq(dns_name_to_text(bytes, pairs[i].len, text), -EBADMSG);
			continue;
		}
		ck_assert_int_eq(dns_name_to_text(bytes, pairs[i].len, text), 0);
		ck_assert_str_eq(text, pairs[i].text);
	}
}
END_TEST

START_TEST(letters_become_lower_case)
{
	char text[LIMIT_NAME_BYTES + 1];
	struct dns_name name;

	ck_assert_int_eq(dns_name_from_text("@[AZaz`{.XN--0", &name), 0);
	ck_assert_mem_eq(name.bytes, "\x08@[azaz`{\x05xn--0", 16);
	ck_assert_int_eq(dns_name_to_text((const uint8_t *)"\x05"
							   "AZaz_\x05XN--0",
					  13, text),
			 0);
	ck_assert_str_eq(text, "azaz_.xn--0");
	ck_assert_uint_eq(dns_name_fold('Z'), 'z');
	for (unsigned int byte = 0; byte < 256; byte++)
		if (byte < 'A' || byte > 'Z')
			ck_assert_uint_eq(dns_name_fold((uint8_t)byte), byte);
}
END_TEST

START_TEST(a_host_has_letters_digits_hyphens_and_underscores)
{
	for (unsigned int byte = 0; byte < 256; byte++) {
		uint8_t bytes[] = { 3, 'a', (uint8_t)byte, 'b', 0 };
		char text[LIMIT_NAME_BYTES + 1];
		bool is_good =
			byte > 0 && byte < 128 &&
			strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_",
			       (int)byte);

		ck_assert_msg(dns_name_to_text(bytes, sizeof(bytes), text) ==
				      (is_good ? 0 : -EBADMSG),
			      "byte %u", byte);
	}
}
END_TEST

START_TEST(text_that_is_no_name_is_refused)
{
	static const char *const texts[] = {
		"",
		".",
		"..",
		"a.",
		".a",
		"a..b",
		"a b",
		" a",
		"a\tb",
		"a\nb",
		"a\x01",
		"a\x7f",
		"a\\b",
		"a\\046b",
		"b\xc3\xbc"
		"cher",
		"\xff",
		LABEL_63 "a",
		"x." LABEL_63 "a.x",
		TEXT_253 "a",
		LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_63,
	};
	struct dns_name name, before;

	memset(&before, 0x5a, sizeof(before));
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		memcpy(&name, &before, sizeof(name));
		ck_assert_msg(dns_name_from_text(texts[i], &name) == -EINVAL, "accepted: %s",
			      texts[i]);
		ck_assert_msg(memcmp(&name, &before, sizeof(name)) == 0, "written: %s", texts[i]);
	}
}
END_TEST

START_TEST(octets_that_are_no_host_have_no_text)
{
	static const struct {
		const char *what, *bytes;
		size_t len;
	} samples[] = {
		{ "nothing", BYTES("") },
		{ "the root", BYTES("\x00") },
		{ "no root", BYTES("\x01"
				   "a") },
		{ "cut in a label", BYTES("\x03"
					  "ab") },
		{ "cut before a label", BYTES("\x01"
					      "a\x01") },
		{ "a label of 64", BYTES("\x40" LABEL_63 "a\x00") },
		{ "a pointer", BYTES("\x01"
				     "a\xc0\x00") },
		{ "256 octets",
		  BYTES("\x3f" LABEL_63 "\x3f" LABEL_63 "\x3f" LABEL_63 "\x3e" LABEL_61 "a\x00") },
		{ "NUL", BYTES("\x03"
			       "a\x00"
			       "b\x00") },
		{ "control character", BYTES("\x03"
					     "a\x1b"
					     "b\x00") },
		{ "line feed", BYTES("\x03"
				     "a\nb\x00") },
		{ "DEL", BYTES("\x01\x7f\x00") },
		{ "blank", BYTES("\x03"
				 "a b\x00") },
		{ "dot", BYTES("\x03"
			       "a.b\x00") },
		{ "slash", BYTES("\x03"
				 "a/b\x00") },
		{ "backslash", BYTES("\x03"
				     "a\\b\x00") },
		{ "UTF-8", BYTES("\x03"
				 "b\xc3\xbc\x00") },
		{ "0xff, in the last label", BYTES("\x01"
						   "a\x01\xff\x00") },
	};

	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		CLEANUP(freep) uint8_t *bytes = copy_bytes(samples[i].bytes, samples[i].len);
		char text[LIMIT_NAME_BYTES + 1] = "untouched";

		ck_assert_msg(dns_name_to_text(bytes, samples[i].len, text) == -EBADMSG,
			      "accepted: %s", samples[i].what);
		ck_assert_str_eq(text, "untouched");
	}
}
END_TEST

START_TEST(a_name_ends_with_its_root)
{
	static const char bytes[] = "\x03www\x07"
				    "example\x00"
				    "behind";

	ck_assert_uint_eq(dns_name_len((const uint8_t *)bytes, sizeof(bytes) - 1), 13);
	for (size_t len = 0; len < 13; len++) {
		CLEANUP(freep) uint8_t *cut = copy_bytes(bytes, len);

		ck_assert_uint_eq(dns_name_len(cut, len), 0);
	}
	ck_assert_uint_eq(dns_name_len((const uint8_t *)"", 1), 1); /* the root */
	ck_assert_uint_eq(dns_name_len((const uint8_t *)"\x03"
							"a\x00"
							"b\x00",
				       5),
			  5);
	ck_assert_uint_eq(dns_name_len((const uint8_t *)WIRE_255, 255), 255);
	ck_assert_uint_eq(dns_name_len((const uint8_t *)"\x40", 1), 0);
	ck_assert_uint_eq(dns_name_len((const uint8_t *)"\xc0\x0c", 2), 0);
}
END_TEST

START_TEST(names_are_equal_but_for_case)
{
	struct dns_name name;

	ck_assert_int_eq(dns_name_from_text("www.example", &name), 0);
	ck_assert(dns_name_equal(&name,
				 (const uint8_t *)"\x03www\x07"
						  "example",
				 13));
	ck_assert(dns_name_equal(&name,
				 (const uint8_t *)"\x03WwW\x07"
						  "EXAMPLE",
				 13));
	ck_assert(!dns_name_equal(&name,
				  (const uint8_t *)"\x03wwv\x07"
						   "example",
				  13));
	ck_assert(!dns_name_equal(&name,
				  (const uint8_t *)"\x07"
						   "example",
				  9));
	ck_assert(!dns_name_equal(&name,
				  (const uint8_t *)"\x03www\x07"
						   "example\x01"
						   "a",
				  15));
	/* Lengths are compared as all octets are. */
	ck_assert(!dns_name_equal(&name,
				  (const uint8_t *)"\x07www\x03"
						   "example",
				  13));
	ck_assert(!dns_name_equal(&name, (const uint8_t *)"", 0));
	/* 0x20 tells letters from letters only. */
	ck_assert_int_eq(dns_name_from_text("@", &name), 0);
	ck_assert(!dns_name_equal(&name, (const uint8_t *)"\x01`", 3));
}
END_TEST

SUITE_MAIN("dns_name", text_becomes_octets_and_a_host_text_again, letters_become_lower_case,
	   a_host_has_letters_digits_hyphens_and_underscores, text_that_is_no_name_is_refused,
	   octets_that_are_no_host_have_no_text, a_name_ends_with_its_root,
	   names_are_equal_but_for_case)
