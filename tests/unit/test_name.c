/* SPDX-License-Identifier: MIT */
#include "daemon/resolve/name.h"

#include <stdio.h>
#include <string.h>

#include "protocol/error.h"
#include "tests/support/suite.h"

/* ü, fullwidth 1 2 7, fullwidth l, ideographic full stop. */
#define UE     "\xc3\xbc"
#define WIDE_1 "\xef\xbc\x91"
#define WIDE_2 "\xef\xbc\x92"
#define WIDE_7 "\xef\xbc\x97"
#define WIDE_L "\xef\xbd\x8c"
#define STOP   "\xe3\x80\x82"

static const struct {
	const char *host;
	enum name_kind kind;
	bool absolute;
	const char *text;
} good[] = {
	{ "host", NAME_HOST, false, "host" },
	{ "WWW.Example.COM.", NAME_HOST, true, "www.example.com" },
	{ "_sip._tcp.example", NAME_HOST, false, "_sip._tcp.example" },
	{ "r3---sn-x", NAME_HOST, false, "r3---sn-x" },
	{ "-x-", NAME_HOST, false, "-x-" },
	{ "ab--cd.test", NAME_HOST, false, "ab--cd.test" },
	{ "xn--a", NAME_HOST, false, "xn--a" },
	{ "1a", NAME_HOST, false, "1a" },
	{ "0xg", NAME_HOST, false, "0xg" },
	{ "10.in-addr.arpa", NAME_HOST, false, "10.in-addr.arpa" },
	{ "*", NAME_HOST, false, "*" },
	{ "1.2.3.4", NAME_LITERAL, true, "1.2.3.4" },
	{ "127.1", NAME_LITERAL, true, "127.0.0.1" },
	{ "0x7f000001", NAME_LITERAL, true, "127.0.0.1" },
	{ "::1", NAME_LITERAL, true, "::1" },
	{ "[::1]", NAME_LITERAL, true, "::1" },
	{ "[1.2.3.4]", NAME_LITERAL, true, "1.2.3.4" },
	{ "2001:DB8:0::1", NAME_LITERAL, true, "2001:db8::1" },
	{ "::ffff:1.2.3.4", NAME_LITERAL, true, "1.2.3.4" },
	{ "fe80::1%lo", NAME_LITERAL, true, "fe80::1%1" },
	{ "[fe80::1%7]", NAME_LITERAL, true, "fe80::1%7" },
	{ "localhost", NAME_LOCALHOST, false, "localhost" },
	{ "LOCALHOST.", NAME_LOCALHOST, true, "localhost" },
	{ "a.b.LocalHost", NAME_LOCALHOST, false, "a.b.localhost" },
	{ "printer.local", NAME_LOCAL, false, "printer.local" },
	{ "x.invalid", NAME_NEVER, false, "x.invalid" },
	{ "x.onion.", NAME_NEVER, true, "x.onion" },
	{ "x.ALT", NAME_NEVER, false, "x.alt" },
	{ "b" UE "cher.test", NAME_HOST, false, "xn--bcher-kva.test" },
	{ "B\xc3\x9c"
	  "CHER.TEST",
	  NAME_HOST, false, "xn--bcher-kva.test" },
	{ "fa\xc3\x9f.de", NAME_HOST, false, "xn--fa-hia.de" }, /* non-transitional */
	{ "_x." UE ".test", NAME_HOST, false,
	  "_x.xn--tda.test" }, /* no STD3: the underscore stays */
	{ "bu\xcc\x88"
	  "cher.test",
	  NAME_HOST, false, "xn--bcher-kva.test" }, /* normalised first */
	{ UE STOP "test", NAME_HOST, false, "xn--tda.test" },
	{ UE ".test" STOP, NAME_HOST, true, "xn--tda.test" },
	{ UE ".test.", NAME_HOST, true, "xn--tda.test" },
	{ WIDE_1 WIDE_2 WIDE_7 ".0.0.1", NAME_LITERAL, true, "127.0.0.1" },
	{ WIDE_L "ocalhost", NAME_LOCALHOST, false, "localhost" },
	{ "x." WIDE_L "ocal", NAME_LOCAL, false, "x.local" },
	{ "\xef\xbc\x9a\xef\xbc\x9a" WIDE_1, NAME_LITERAL, true, "::1" }, /* fullwidth colons too */
};

START_TEST(a_host_becomes_a_name_or_an_address)
{
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		char literal[ADDRESS_TEXT_SIZE];
		const char *reason = NULL;
		struct name name;
		int r = name_prepare(good[i].host, &name, &reason);

		ck_assert_msg(r == 0, "\"%s\": %d %s", good[i].host, r, reason ? reason : "");
		ck_assert_str_eq(name.text, good[i].text);
		ck_assert_msg(name.kind == good[i].kind, "\"%s\": kind %d", good[i].host,
			      (int)name.kind);
		ck_assert_msg(name.absolute == good[i].absolute, "\"%s\"", good[i].host);
		if (name.kind == NAME_LITERAL)
			ck_assert_str_eq(address_format(&name.literal, literal, sizeof(literal)),
					 name.text);
		else
			ck_assert(name_is_valid(name.text));
	}
}
END_TEST

static const struct {
	const char *host;
	const char *reason;
} bad[] = {
	{ "", "the name is empty" },
	{ ".", "the name is empty" },
	{ "\xc2\xad", "the name is empty" }, /* a soft hyphen vanishes */
	{ "..", "a label of the name is empty" },
	{ ".a", "a label of the name is empty" },
	{ "a..b", "a label of the name is empty" },
	{ "a..", "a label of the name is empty" },
	{ UE "..b", "a label of the name is empty" },
	{ UE STOP STOP, "a label of the name is empty" },
	{ "a b", "the name holds a character that no host name has" },
	{ "a\n", "the name holds a character that no host name has" },
	{ "a\x01", "the name holds a character that no host name has" },
	{ "a\x7f", "the name holds a character that no host name has" },
	{ "a/b", "the name holds a character that no host name has" },
	{ "a:b", "the name holds a character that no host name has" },
	{ "user@host", "the name holds a character that no host name has" },
	{ "a%b", "the name holds a character that no host name has" },
	{ "a\\b", "the name holds a character that no host name has" },
	{ "unix/", "the name holds a character that no host name has" },
	{ "::1%lo", "the name holds a character that no host name has" },
	{ "\xe2\x84\x80.test",
	  "the name holds a character that no host name has" }, /* U+2100 becomes a/c */
	{ "999.1.1.1", "the name ends in a number but is no address" },
	{ "1.2.3.4.5", "the name ends in a number but is no address" },
	{ "1.2.3.4.", "the name ends in a number but is no address" },
	{ "host.0", "the name ends in a number but is no address" },
	{ "host.0xfF", "the name ends in a number but is no address" },
	{ "host.0x", "the name ends in a number but is no address" },
	{ "99999999999", "the name ends in a number but is no address" },
	{ "08", "the name ends in a number but is no address" },
	{ UE "." WIDE_1, "the name ends in a number but is no address" },
	{ "[", "the brackets hold no address" },
	{ "[]", "the brackets hold no address" },
	{ "[::1", "the brackets hold no address" },
	{ "[host]", "the brackets hold no address" },
	{ "[::1].", "the brackets hold no address" },
	{ "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]",
	  "the brackets hold no address" },
	{ "\xff", "the name is not UTF-8" },
	{ UE "\xc3", "the name is not UTF-8" },
	{ "\xed\xa0\x80", "the name is not UTF-8" },
	{ "\xe2\x98\x83.net",
	  "the name holds a character that IDNA does not allow" }, /* a snowman */
	{ "\xef\xbf\xbd", "the name holds a character that IDNA does not allow" },
	{ "a\xe2\x80\x8d"
	  "b",
	  "the name holds a character that IDNA does not allow in this place" },
	{ UE ".xn--a", "the name is not valid under IDNA" },
};

START_TEST(what_is_no_name_is_refused_with_the_reason)
{
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const char *reason = NULL;
		struct name name = { .text = "untouched" };
		int r = name_prepare(bad[i].host, &name, &reason);

		ck_assert_msg(r == -ASOCK_E_INVALID_NAME, "\"%s\": %d", bad[i].host, r);
		ck_assert_msg(strcmp(reason, bad[i].reason) == 0, "\"%s\": %s", bad[i].host,
			      reason);
		ck_assert_str_eq(name.text, "untouched");
	}
}
END_TEST

START_TEST(a_zone_that_is_no_interface_is_told_apart)
{
	const char *reason = NULL;
	struct name name;

	ck_assert_int_eq(name_prepare("fe80::1%no-such-device", &name, &reason), -ENODEV);
	ck_assert_str_eq(reason, "the zone of the address is no interface here");
	reason = NULL;
	ck_assert_int_eq(name_prepare("[fe80::1%no-such-device]", &name, &reason), -ENODEV);
	ck_assert_str_eq(reason, "the zone of the address is no interface here");
}
END_TEST

/* Labels of 63 until len characters are there. */
static void make_name(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		text[i] = i % 64 == 63 ? '.' : 'a';
	text[len] = '\0';
}

START_TEST(lengths_are_those_of_dns)
{
	const char *reason;
	struct name name;
	char text[4096];

	make_name(text, 253);
	ck_assert_int_eq(name_prepare(text, &name, &reason), 0);
	ck_assert_str_eq(name.text, text);
	ck_assert(name_is_valid(text));
	text[253] = '.';
	text[254] = '\0';
	ck_assert_int_eq(name_prepare(text, &name, &reason), 0);
	ck_assert_uint_eq(strlen(name.text), 253);
	ck_assert(!name_is_valid(text));

	make_name(text, 254);
	ck_assert_int_eq(name_prepare(text, &name, &reason), -ASOCK_E_INVALID_NAME);
	ck_assert_str_eq(reason, "the name is longer than 253 characters");
	ck_assert(!name_is_valid(text));
	make_name(text, sizeof(text) - 1);
	ck_assert_int_eq(name_prepare(text, &name, &reason), -ASOCK_E_INVALID_NAME);
	ck_assert_str_eq(reason, "the name is longer than 253 characters");

	memset(text, 'a', 64);
	text[63] = '\0';
	ck_assert_int_eq(name_prepare(text, &name, &reason), 0);
	text[63] = 'a';
	text[64] = '\0';
	ck_assert_int_eq(name_prepare(text, &name, &reason), -ASOCK_E_INVALID_NAME);
	ck_assert_str_eq(reason, "a label of the name is longer than 63 characters");
	ck_assert(!name_is_valid(text));

	/*
	 * The label counts as it is on the wire: 58 characters with "xn--" and the tail are too
	 * many.
	 */
	(void)snprintf(text, sizeof(text), "%s%058d.test", UE, 0);
	ck_assert_int_eq(name_prepare(text, &name, &reason), -ASOCK_E_INVALID_NAME);
	ck_assert_str_eq(reason, "a label of the name is longer than 63 characters");
}
END_TEST

START_TEST(valid_names_have_no_final_dot_and_only_ascii)
{
	ck_assert(name_is_valid("a"));
	ck_assert(name_is_valid("A_b-c.d"));
	ck_assert(name_is_valid("a$b"));
	ck_assert(!name_is_valid(""));
	ck_assert(!name_is_valid("."));
	ck_assert(!name_is_valid("a."));
	ck_assert(!name_is_valid(".a"));
	ck_assert(!name_is_valid("a b"));
	ck_assert(!name_is_valid(UE));
	for (char c = 1; c < 0x21; c++) {
		char text[] = { 'a', c, 'b', '\0' };

		ck_assert(!name_is_valid(text));
	}
}
END_TEST

START_TEST(kinds_go_by_whole_labels)
{
	static const struct {
		const char *text;
		enum name_kind kind;
	} names[] = {
		{ "localhost", NAME_LOCALHOST },
		{ "a.localhost", NAME_LOCALHOST },
		{ "alocalhost", NAME_HOST },
		{ "localhost.example", NAME_HOST },
		{ "_gateway", NAME_GATEWAY },
		{ "_GATEWAY", NAME_GATEWAY },
		{ "_gateway.example", NAME_HOST },
		{ "a._gateway", NAME_HOST },
		{ "gateway", NAME_HOST },
		{ "local", NAME_LOCAL },
		{ "a.local", NAME_LOCAL },
		{ "alt", NAME_NEVER },
		{ "onion", NAME_NEVER },
		{ "a.ALT", NAME_NEVER },
		{ "alt.example", NAME_HOST },
		/* For DNS, whatever RFC 6761 and others say of them: it is for servers to know. */
		{ "test", NAME_HOST },
		{ "example", NAME_HOST },
		{ "www.example.com", NAME_HOST },
		{ "1.168.192.in-addr.arpa", NAME_HOST },
		{ "d.f.ip6.arpa", NAME_HOST },
		{ "home.arpa", NAME_HOST },
		{ "a.internal", NAME_HOST },
		{ "a.notlocal", NAME_HOST },
		{ "invalid", NAME_NEVER },
		{ "a.b.onion", NAME_NEVER },
		{ "onion.example", NAME_HOST },
		{ "salt", NAME_HOST },
		{ "a.test", NAME_HOST },
		{ "", NAME_HOST },
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		ck_assert_msg(name_classify(names[i].text) == names[i].kind, "\"%s\"",
			      names[i].text);
}
END_TEST

SUITE_MAIN("name", a_host_becomes_a_name_or_an_address, what_is_no_name_is_refused_with_the_reason,
	   a_zone_that_is_no_interface_is_told_apart, lengths_are_those_of_dns,
	   valid_names_have_no_final_dot_and_only_ascii, kinds_go_by_whole_labels)
