/* SPDX-License-Identifier: MIT */
/* Data written by hand and its text; the fuzzer of this name shows that the text says what the data says. */
#include "daemon/resolve/dns-text.h"

#include <stdio.h>
#include <string.h>

#include "daemon/resolve/dns-form.h"
#include "tests/support/suite.h"

#define BYTES(text) (text), sizeof(text) - 1
#define FOO    \
	"\x03" \
	"foo"  \
	"\x07" \
	"example\x00"
#define SIXTEEN "\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11"

static const struct {
	const char *text;
	uint16_t type;
} types[] = {
	{ "A", 1 },
	{ "a", 1 },
	{ "aaaa", 28 },
	{ "MX", 15 },
	{ "mX", 15 },
	{ "HTTPS", 65 },
	{ "SVCB", 64 },
	{ "nsec3param", 51 },
	{ "CAA", 257 },
	{ "URI", 256 },
	{ "DLV", 32769 },
	{ "TYPE1", 1 },
	{ "type15", 15 },
	{ "TYPE65534", 65534 },
	{ "TYPE65535", 65535 },
	{ "TYPE127", 127 },
	{ "NSAP-PTR", 23 },
};

static const char *const bad_types[] = {
	"",
	"X",
	"AA",
	" A",
	"A ",
	"1",
	"MX1",
	"TYPE",
	"TYPE-1",
	"TYPE 1",
	"TYPE1x",
	"TYPE1 ",
	"TYPE0",
	"TYPE65536",
	"TYPE65537",
	"OPT",
	"opt",
	"TYPE41",
	"TYPE128",
	"TKEY",
	"TSIG",
	"AXFR",
	"axfr",
	"IXFR",
	"ANY",
	"any",
	"*",
	"MAILA",
	"MAILB",
	"TYPE249",
	"TYPE250",
	"TYPE251",
	"TYPE252",
	"TYPE253",
	"TYPE254",
	"TYPE255",
	"RCODE1",
	"CNAMECNAMECNAMECNAME",
	"TYPE00000000000000001",
	"\xc3\xa4",
	"TYPE4294967297",
};

START_TEST(types_are_known_by_name_and_number)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		uint16_t type = 0;

		ck_assert_msg(dns_text_type_from_name(types[i].text, &type) == 0, "%s",
			      types[i].text);
		ck_assert_uint_eq(type, types[i].type);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad_types); i++) {
		uint16_t type = 4711;

		ck_assert_msg(dns_text_type_from_name(bad_types[i], &type) == -EINVAL, "%s",
			      bad_types[i]);
		ck_assert_uint_eq(type, 4711);
	}
}
END_TEST

START_TEST(each_type_has_a_name_that_leads_back)
{
	char buffer[DNS_TEXT_NAME_SIZE];

	for (unsigned int type = 0; type <= UINT16_MAX; type++) {
		bool allowed = type != 0 && type != 41 && (type < 128 || type > 255);
		uint16_t again = 0;

		(void)dns_text_type_name((uint16_t)type, buffer);
		if ((dns_text_type_from_name(buffer, &again) == 0) != allowed ||
		    (allowed && again != type))
			ck_abort_msg("%u: %s", type, buffer);
	}
	ck_assert_str_eq(dns_text_type_name(1, buffer), "A");
	ck_assert_str_eq(dns_text_type_name(41, buffer), "OPT");
	ck_assert_str_eq(dns_text_type_name(65, buffer), "HTTPS");
	ck_assert_str_eq(dns_text_type_name(54, buffer), "TYPE54");
	ck_assert_str_eq(dns_text_type_name(65535, buffer), "TYPE65535");
}
END_TEST

START_TEST(rcodes_and_extended_errors_have_names)
{
	char buffer[DNS_TEXT_NAME_SIZE];

	ck_assert_str_eq(dns_text_rcode_name(0, buffer), "NOERROR");
	ck_assert_str_eq(dns_text_rcode_name(2, buffer), "SERVFAIL");
	ck_assert_str_eq(dns_text_rcode_name(3, buffer), "NXDOMAIN");
	ck_assert_str_eq(dns_text_rcode_name(5, buffer), "REFUSED");
	ck_assert_str_eq(dns_text_rcode_name(11, buffer), "DSOTYPENI");
	ck_assert_str_eq(dns_text_rcode_name(12, buffer), "RCODE12");
	ck_assert_str_eq(dns_text_rcode_name(16, buffer), "BADVERS");
	ck_assert_str_eq(dns_text_rcode_name(23, buffer), "BADCOOKIE");
	ck_assert_str_eq(dns_text_rcode_name(24, buffer), "RCODE24");
	ck_assert_str_eq(dns_text_rcode_name(4095, buffer), "RCODE4095");
	ck_assert_str_eq(dns_text_rcode_name(UINT16_MAX, buffer), "RCODE65535");
	ck_assert_str_eq(dns_text_ede_name(0), "Other Error");
	ck_assert_str_eq(dns_text_ede_name(15), "Blocked");
	ck_assert_str_eq(dns_text_ede_name(22), "No Reachable Authority");
	ck_assert_str_eq(dns_text_ede_name(24), "Invalid Data");
	ck_assert_str_eq(dns_text_ede_name(30), "Invalid Query Type");
	ck_assert_ptr_null(dns_text_ede_name(31));
	ck_assert_ptr_null(dns_text_ede_name(UINT16_MAX));
}
END_TEST

static const struct {
	uint16_t type;
	const char *data;
	size_t len;
	const char *text;
} records[] = {
	{ 1, BYTES("\xc0\0\2\1"), "192.0.2.1" },
	{ 28, BYTES("\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"), "2001:db8::1" },
	{ 2, BYTES(FOO), "foo.example." },
	{ 5, BYTES("\0"), "." },
	{ 5,
	  BYTES("\x06"
		"a.b\\c(\x02\x00\xff\0"),
	  "a\\.b\\\\c\\(.\\000\\255." },
	{ 5, BYTES("\3a b\0"), "a\\032b." },
	{ 6, BYTES(FOO "\1a\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\xff\xff\xff\xff"),
	  "foo.example. a. 1 2 3 4 4294967295" },
	{ 12, BYTES(FOO), "foo.example." },
	{ 13, BYTES("\6PDP-11\3a b"), "\"PDP-11\" \"a b\"" },
	{ 15, BYTES("\0\x0a" FOO), "10 foo.example." },
	{ 16, BYTES("\5hello\0\3a b"), "\"hello\" \"\" \"a b\"" },
	{ 16, BYTES("\x0b\xc3\xa4\"\\;\t\x7f\0\n  "),
	  "\"\\195\\164\\\"\\\\;\\009\\127\\000\\010  \"" },
	{ 17, BYTES(FOO "\0"), "foo.example. ." },
	{ 29, BYTES("\0\x12\x16\x13\x89\x0c\x48\xc0\x7d\xda\xaf\0\0\x98\x8d\x20"),
	  "42 10 0.000 N 10 00 0.000 W -24m 1m 10000m 10m" },
	{ 33, BYTES("\0\1\0\2\0\x50" FOO), "1 2 80 foo.example." },
	{ 33, BYTES("\0\0\0\0\0\0\0"), "0 0 0 ." },
	{ 35, BYTES("\0\x64\0\x0a\1S\7SIP+D2U\0" FOO),
	  "100 10 \"S\" \"SIP+D2U\" \"\" foo.example." },
	{ 37, BYTES("\0\1\0\2\5cert"), "PKIX 2 5 Y2VydA==" },
	{ 39, BYTES(FOO), "foo.example." },
	{ 43, BYTES("\x30\x39\x0d\2\xab\xcd"), "12345 13 2 abcd" },
	{ 46, BYTES("\0\1\x0d\2\0\0\x0e\x10\x65\x53\xf1\0\x64\xbb\x5a\x80\x30\x39" FOO "abc"),
	  "A 13 2 3600 20231114221320 20230722042640 12345 foo.example. YWJj" },
	{ 47, BYTES(FOO "\0\6\x40\1\0\0\0\3"), "foo.example. A MX RRSIG NSEC" },
	{ 48,
	  BYTES("\1\1\3\x0d"
		"abc"),
	  "257 3 13 YWJj" },
	{ 50, BYTES("\1\0\0\x0c\2\xaa\xbb\x14" SIXTEEN "\x11\x11\x11\x11\0\1\x40"),
	  "1 0 12 aabb 248h248h248h248h248h248h248h248h A" },
	{ 51, BYTES("\1\0\0\0\0"), "1 0 0 -" },
	{ 52, BYTES("\3\1\1\xef\x01"), "3 1 1 ef01" },
	{ 62, BYTES("\0\0\0\x42\0\3\0\4\x60\0\0\x08"), "66 3 A NS AAAA" },
	{ 64, BYTES("\0\1" FOO "\0\1\0\6\2h3\2h2\0\3\0\2\1\xbb"),
	  "1 foo.example. alpn=h3,h2 port=443" },
	{ 65, BYTES("\0\1\0"), "1 ." },
	{ 65, BYTES("\0\0" FOO), "0 foo.example." },
	{ 65,
	  BYTES("\0\1\0\0\0\0\2\0\1\0\1\0\3\2h2\0\2\0\0\0\4\0\4\xc0\0\2\1\0\5\0\3abc\0\6\0\x10" SIXTEEN
		"\x02\x9b\0\5hello"),
	  "1 . mandatory=alpn alpn=h2 no-default-alpn ipv4hint=192.0.2.1 ech=YWJj ipv6hint=1111:1111:1111:1111:1111:1111:1111:1111 key667=hello" },
	{ 105, BYTES("\0\x0a\x0a\1\2\0"), "10 10.1.2.0" },
	{ 108, BYTES("\0\0\x5e\0\x53\x2a"), "00-00-5e-00-53-2a" },
	{ 256, BYTES("\0\x0a\0\1http://a/\"b\""), "10 1 \"http://a/\\\"b\\\"\"" },
	{ 257, BYTES("\0\5issueca.example; a=b"), "0 issue \"ca.example; a=b\"" },
};

/* Exactly as large as the data, so that a sanitizer sees one byte too far. */
static char *format(uint16_t type, const void *data, size_t len, int *ret_err)
{
	CLEANUP(freep) uint8_t *copy = malloc(len > 0 ? len : 1);
	char *text = NULL;

	ck_assert_ptr_nonnull(copy);
	if (len > 0)
		memcpy(copy, data, len);
	*ret_err = dns_text_format_record(type, copy, len, &text);
	return text;
}

START_TEST(a_record_of_a_known_form_is_shown_in_it)
{
	for (size_t i = 0; i < ARRAY_LEN(records); i++) {
		CLEANUP(freep) char *text = NULL;
		int err;

		ck_assert(dns_form_is_good(records[i].type, (const uint8_t *)records[i].data,
					   records[i].len));
		text = format(records[i].type, records[i].data, records[i].len, &err);
		ck_assert_int_eq(err, 0);
		ck_assert_str_eq(text, records[i].text);
	}
}
END_TEST

/* The data is good, and a byte less or more is not; of those that end with something of any length only less. */
START_TEST(a_byte_less_or_more_spoils_the_form)
{
	for (size_t i = 0; i < ARRAY_LEN(records); i++) {
		CLEANUP(freep) uint8_t *data = calloc(1, records[i].len + 1);
		const char *end = records[i].text + strlen(records[i].text) - 1;
		uint16_t type = records[i].type;

		memcpy(data, records[i].data, records[i].len);
		if (type == 37 || type == 43 || type == 46 || type == 48 || type == 52 ||
		    type >= 256)
			continue;
		ck_assert_msg(!dns_form_is_good(type, data, records[i].len - 1), "%u: %s", type,
			      records[i].text);
		/* A NUL behind strings is one more string. */
		if (type != 16)
			ck_assert_msg(!dns_form_is_good(type, data, records[i].len + 1), "%u: %s",
				      type, end);
	}
}
END_TEST

static const struct {
	uint16_t type;
	const char *data;
	size_t len;
	const char *text;
} generic[] = {
	{ 1, BYTES(""), "\\# 0" },
	{ 1, BYTES("\1\2\3"), "\\# 3 010203" },
	{ 1, BYTES("\1\2\3\4\5"), "\\# 5 0102030405" },
	{ 33, BYTES("\0\0\0\0"), "\\# 4 00000000" },
	{ 5, BYTES(""), "\\# 0" },
	{ 5, BYTES("\xc0\x0c"), "\\# 2 c00c" },
	{ 16, BYTES(""), "\\# 0" },
	{ 16, BYTES("\2a"), "\\# 2 0261" },
	{ 65534, BYTES("\xff\0"), "\\# 2 ff00" },
	{ 0, BYTES("\1"), "\\# 1 01" },
	{ 54, BYTES("\1"), "\\# 1 01" },
	{ 10, BYTES("\1"), "\\# 1 01" },
	{ 41, BYTES("\0\x0a\0\0"), "\\# 4 000a0000" },
	{ 43, BYTES("\x30\x39\x0d\2"), "\\# 4 30390d02" },
	/* what ldns would ask the services file about */
	{ 11, BYTES("\x0a\0\0\1\6\0\0\0\x40"), "\\# 9 0a0000010600000040" },
	{ 29, BYTES("\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
	  "\\# 16 01000000000000000000000000000000" },
	{ 29, BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
	  "\\# 16 00000000000000000000000000000000" },
	{ 29, BYTES("\0\x0a\0\0\x80\0\0\0\x80\0\0\0\0\0\0\0"),
	  "\\# 16 000a0000800000008000000000000000" },
	{ 29, BYTES("\0\x03\0\0\x80\0\0\0\x80\0\0\0\0\0\0\0"),
	  "\\# 16 00030000800000008000000000000000" },
	{ 47, BYTES("\0\0\0"), "\\# 3 000000" },
	{ 47, BYTES("\0\0\1\0"), "\\# 4 00000100" },
	{ 47, BYTES("\0\0\1\x40\0\1\x40"), "\\# 7 00000140000140" },
	{ 47, BYTES("\0\0\2\x40"), "\\# 4 00000240" },
	{ 257, BYTES("\0\3a bx"), "\\# 6 000361206278" },
	{ 257, BYTES("\0\0x"), "\\# 3 000078" },
	{ 64, BYTES("\0\0\0\0\1\0\1\0"), "\\# 8 0000000001000100" },
	{ 64, BYTES("\0\1\0\0\3\0\1\0"), "\\# 8 0001000003000100" },
	{ 64, BYTES("\0\1\0\0\1\0\4\3a b"),
	  "\\# 11 00010000010004036120"
	  "62" },
	{ 64, BYTES("\0\1\0\x02\x9b\0\1\""), "\\# 8 000100029b000122" },
};

START_TEST(what_has_no_known_form_is_shown_as_octets)
{
	for (size_t i = 0; i < ARRAY_LEN(generic); i++) {
		CLEANUP(freep) char *text = NULL;
		int err;

		text = format(generic[i].type, generic[i].data, generic[i].len, &err);
		ck_assert_int_eq(err, 0);
		ck_assert_str_eq(text, generic[i].text);
	}
}
END_TEST

/* By which ldns_rdf2buffer_str_svcparams of ldns 1.8.3 aborts. */
START_TEST(a_long_key_for_encrypted_hellos_is_shown)
{
	uint8_t data[7 + 3000] = { 0, 1, 0, 0, 5, 3000 >> 8, 3000 & 0xff };
	CLEANUP(freep) char *text = NULL;
	int err;

	text = format(65, data, sizeof(data), &err);
	ck_assert_int_eq(err, 0);
	ck_assert_uint_eq(strlen(text), 8 + 4000);
	ck_assert(strncmp(text, "1 . ech=AAAA", 12) == 0);
}
END_TEST

START_TEST(no_text_is_longer_than_the_limit)
{
	static uint8_t data[65535];
	size_t longest = 0;
	char *text;
	int err;

	/* Strings of what has to be escaped, four for one, and of what does not. */
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < sizeof(data); i++)
			data[i] = i % 256 == 0 ? 255 : round == 0 ? 0 : 'x';
		for (size_t len = 256; len < sizeof(data); len += 256) {
			text = format(16, data, len, &err);
			ck_assert(err == 0 || err == -EMSGSIZE);
			ck_assert_int_eq(err == 0, text != NULL);
			if (text)
				longest = strlen(text);
			free(text);
		}
		ck_assert_uint_lt(longest, DNS_TEXT_MAX_BYTES);
		ck_assert_uint_gt(longest, DNS_TEXT_MAX_BYTES - 1100);
	}
	text = format(65280, data, 4089, &err);
	ck_assert_uint_eq(strlen(text), DNS_TEXT_MAX_BYTES - 6);
	free(text);
	ck_assert_ptr_null(format(65280, data, 4092, &err));
	ck_assert_int_eq(err, -EMSGSIZE);
	ck_assert_ptr_null(format(1, data, sizeof(data), &err));
	ck_assert_int_eq(err, -EMSGSIZE);
}
END_TEST

SUITE_MAIN("dns-text", types_are_known_by_name_and_number, each_type_has_a_name_that_leads_back,
	   rcodes_and_extended_errors_have_names, a_record_of_a_known_form_is_shown_in_it,
	   a_byte_less_or_more_spoils_the_form, what_has_no_known_form_is_shown_as_octets,
	   a_long_key_for_encrypted_hellos_is_shown, no_text_is_longer_than_the_limit)
