/* SPDX-License-Identifier: MIT */
/* The examples of RFC 9460 appendix D, and then each way to be malformed. */
#include "daemon/resolve/svcb.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/suite.h"

#define BYTES(text) (text), sizeof(text) - 1
#define FOO_COM   \
	"\x03"    \
	"foo"     \
	"\x07"    \
	"example" \
	"\x03"    \
	"com\x00"
#define FOO_ORG   \
	"\x03"    \
	"foo"     \
	"\x07"    \
	"example" \
	"\x03"    \
	"org\x00"
#define DB8_1	 "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
#define DB8_53_1 "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\x53\0\x01"

static const struct {
	const char *bytes;
	size_t len;
	const char *text; /* as show() writes it */
} good[] = {
	/* appendix D.1 */
	{ BYTES("\0\0" FOO_COM), "0 foo.example.com" },
	/* appendix D.2 */
	{ BYTES("\0\1\0"), "1 ." },
	{ BYTES("\0\x10" FOO_COM "\0\3\0\2\0\x35"), "16 foo.example.com port=53" },
	{ BYTES("\0\1" FOO_COM "\x02\x9b\0\5hello"), "1 foo.example.com" },
	{ BYTES("\0\1" FOO_COM "\x02\x9b\0\x09hello\xd2qoo"), "1 foo.example.com" },
	{ BYTES("\0\1" FOO_COM "\0\6\0\x20" DB8_1 DB8_53_1),
	  "1 foo.example.com 2001:db8::1 2001:db8::53:1" },
	{ BYTES("\0\1\7example\3com\0\0\6\0\x10\x20\1\x0d\xb8\1\x22\3\x44\0\0\0\0\xc0\0\2\x21"),
	  "1 example.com 2001:db8:122:344::c000:221" },
	{ BYTES("\0\x10" FOO_ORG "\0\0\0\4\0\1\0\4\0\1\0\x09\2h2\5h3-19\0\4\0\4\xc0\0\2\1"),
	  "16 foo.example.org alpn=h2 alpn=h3-19 192.0.2.1" },
	{ BYTES("\0\x10" FOO_ORG "\0\1\0\x0c\x08"
		"f\\oo,bar\2h2"),
	  "16 foo.example.org alpn=f\\oo,bar alpn=h2" },
	/* and others */
	{ BYTES("\0\0\0"), "0 ." },
	{ BYTES("\0\0\0\0\3\0\2\0\x35"), "0 ." },
	{ BYTES("\0\0\0\xff\xff\xff"), "0 ." }, /* whatever they are */
	{ BYTES("\xff\xff\0\0\1\0\3\2h2\0\2\0\0"), "65535 . alpn=h2 no-default-alpn" },
	{ BYTES("\0\1\0\0\3\0\2\0\0"), "1 . port=0" },
	{ BYTES("\0\1\0\0\5\0\3ech"), "1 . ech=3" },
	{ BYTES("\0\1\0\xff\xff\0\0"), "1 ." },
	{ BYTES("\0\1\0\0\0\0\2\2\x9b\2\x9b\0\0"), "1 . ?" },
	{ BYTES("\0\1\0\0\0\0\4\0\3\0\7\0\3\0\2\0\1\0\7\0\0"), "1 . port=1 ?" },
	{ BYTES("\0\1\0\0\0\0\2\0\7\0\1\0\3\2h2\0\3\0\2\0\1\0\7\0\0"), "1 . alpn=h2 port=1 ?" },
	{ BYTES("\0\1\0\0\1\0\x14\1a\1b\1c\1d\1e\1f\1g\1h\1i\1j"),
	  "1 . alpn=a alpn=b alpn=c alpn=d alpn=e alpn=f alpn=g alpn=h" },
	{ BYTES("\0\1\0\0\4\0\x24\1\1\1\1\1\1\1\2\1\1\1\3\1\1\1\4\1\1\1\5\1\1\1\6\1\1\1\7\1\1\1\x08\1\1\1\x09"),
	  "1 . 1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4 1.1.1.5 1.1.1.6 1.1.1.7 1.1.1.8" },
};

static void add(char text[512], const char *prefix, const char *word, size_t len)
{
	size_t at = strlen(text);

	(void)snprintf(text + at, 512 - at, "%s%s%.*s", at > 0 ? " " : "", prefix, (int)len, word);
}

static void add_addresses(char text[512], const struct address *addresses, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char address[ADDRESS_TEXT_SIZE];

		(void)address_format(&addresses[i], address, sizeof(address));
		add(text, "", address, strlen(address));
	}
}

static void add_number(char text[512], const char *prefix, size_t number)
{
	char digits[24];

	(void)snprintf(digits, sizeof(digits), "%zu", number);
	add(text, prefix, digits, sizeof(digits));
}

static const char *show(const struct svcb *svcb)
{
	static char text[512];

	text[0] = '\0';
	add_number(text, "", svcb->priority);
	add(text, svcb->target[0] ? "" : ".", svcb->target, sizeof(svcb->target));
	for (size_t i = 0; i < svcb->n_alpn; i++)
		add(text, "alpn=", (const char *)svcb->alpn[i].bytes, svcb->alpn[i].len);
	if (svcb->no_default_alpn)
		add(text, "no-default-alpn", "", 0);
	if (svcb->has_port)
		add_number(text, "port=", svcb->port);
	add_addresses(text, svcb->ipv4_hints, svcb->n_ipv4_hints);
	if (svcb->ech.bytes)
		add_number(text, "ech=", svcb->ech.len);
	add_addresses(text, svcb->ipv6_hints, svcb->n_ipv6_hints);
	if (!svcb->understood)
		add(text, "?", "", 0);
	return text;
}

/* Exactly as large as the data, so that a sanitizer sees one byte too far. */
static uint8_t *copy_of(const char *bytes, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, bytes, len);
	return copy;
}

START_TEST(what_is_well_formed_is_read)
{
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		CLEANUP(freep) uint8_t *data = copy_of(good[i].bytes, good[i].len);
		struct svcb svcb;

		ck_assert_msg(svcb_check(data, good[i].len) == 0, "%zu: %s", i, good[i].text);
		ck_assert_int_eq(svcb_parse(data, good[i].len, &svcb), 0);
		ck_assert_str_eq(show(&svcb), good[i].text);
	}
}
END_TEST

static const struct {
	const char *what;
	const char *bytes;
	size_t len;
} bad[] = {
	{ "nothing", BYTES("") },
	{ "half a priority", BYTES("\0") },
	{ "no target", BYTES("\0\1") },
	{ "target without root", BYTES("\0\1\1x") },
	{ "target cut", BYTES("\0\1\2x") },
	{ "target that is a pointer", BYTES("\0\1\xc0\x0c") },
	{ "target that ends with a pointer", BYTES("\0\0\1x\xc0\0") },
	{ "label of 64",
	  BYTES("\0\1\x40"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\0") },
	{ "parameter of three bytes", BYTES("\0\1\0\0\7\0") },
	{ "value cut", BYTES("\0\1\0\0\7\0\2a") },
	{ "value without its last byte among others", BYTES("\0\1\0\0\7\0\3a\0\x08\0\0\0") },
	/* appendix D.3 */
	{ "a key twice", BYTES("\0\1" FOO_COM "\0\7\0\3abc\0\7\0\3def") },
	{ "keys in the wrong order", BYTES("\0\1" FOO_COM "\0\x08\0\0\0\7\0\0") },
	{ "mandatory twice", BYTES("\0\1\0\0\0\0\2\0\3\0\0\0\2\0\3\0\3\0\2\0\1") },
	{ "alpn without a value", BYTES("\0\1" FOO_COM "\0\1\0\0") },
	{ "port without a value", BYTES("\0\1" FOO_COM "\0\3\0\0") },
	{ "ipv4hint without a value", BYTES("\0\1" FOO_COM "\0\4\0\0") },
	{ "ipv6hint without a value", BYTES("\0\1" FOO_COM "\0\6\0\0") },
	{ "no-default-alpn with a value", BYTES("\0\1" FOO_COM "\0\1\0\3\2h2\0\2\0\3abc") },
	{ "mandatory that is not there", BYTES("\0\1" FOO_COM "\0\0\0\2\0\x7b") },
	{ "mandatory that is not there among others",
	  BYTES("\0\1" FOO_COM "\0\0\0\2\0\4\0\3\0\2\0\1\0\7\0\0") },
	{ "mandatory mandatory", BYTES("\0\1" FOO_COM "\0\0\0\4\0\0\0\3\0\3\0\2\0\1") },
	{ "one mandatory key twice", BYTES("\0\1" FOO_COM "\0\0\0\4\0\3\0\3\0\3\0\2\0\1") },
	/* and others */
	{ "mandatory keys in the wrong order",
	  BYTES("\0\1\0\0\0\0\4\0\3\0\1\0\1\0\3\2h2\0\3\0\2\0\1") },
	{ "mandatory without keys", BYTES("\0\1\0\0\0\0\0") },
	{ "half a mandatory key", BYTES("\0\1\0\0\0\0\3\0\3\0\0\3\0\2\0\1") },
	{ "mandatory key in a parameter that is cut", BYTES("\0\1\0\0\0\0\2\0\3\0\3\0\2\0") },
	{ "alpn of an empty name", BYTES("\0\1\0\0\1\0\1\0") },
	{ "alpn of a name and an empty one", BYTES("\0\1\0\0\1\0\4\2h2\0") },
	{ "alpn cut", BYTES("\0\1\0\0\1\0\3\3h2") },
	{ "no-default-alpn without alpn", BYTES("\0\1\0\0\2\0\0") },
	{ "port of one byte", BYTES("\0\1\0\0\3\0\1\1") },
	{ "port of three bytes", BYTES("\0\1\0\0\3\0\3\0\0\1") },
	{ "ipv4hint of five bytes", BYTES("\0\1\0\0\4\0\5\1\2\3\4\5") },
	{ "ipv6hint of fifteen bytes", BYTES("\0\1\0\0\6\0\x0f"
					     "123456789012345") },
	{ "ech without a value", BYTES("\0\1\0\0\5\0\0") },
};

START_TEST(what_is_malformed_is_refused)
{
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CLEANUP(freep) uint8_t *data = copy_of(bad[i].bytes, bad[i].len);
		struct svcb svcb = { .priority = 4711 };

		ck_assert_msg(svcb_check(data, bad[i].len) == -EBADMSG, "%s", bad[i].what);
		ck_assert_int_eq(svcb_parse(data, bad[i].len, &svcb), -EBADMSG);
		ck_assert_uint_eq(svcb.priority, 4711);
	}
}
END_TEST

START_TEST(a_target_that_is_no_host_is_well_formed_and_of_no_use)
{
	static const char *const targets[] = { "\0\1\1/", "\0\1\3a b", "\0\1\2\xc3\xa4",
					       "\0\0\1\\" };

	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		size_t len = 3 + (size_t)targets[i][2] + 1;
		CLEANUP(freep) uint8_t *data = copy_of(targets[i], len);
		struct svcb svcb;

		ck_assert_int_eq(svcb_check(data, len), 0);
		ck_assert_int_eq(svcb_parse(data, len, &svcb), -EBADMSG);
	}
}
END_TEST

SUITE_MAIN("svcb", what_is_well_formed_is_read, what_is_malformed_is_refused,
	   a_target_that_is_no_host_is_well_formed_and_of_no_use)
