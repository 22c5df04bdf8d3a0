/* SPDX-License-Identifier: MIT */
/*
 * base/nat64: the tables of RFC 6052, options of RFC 8781 and answers of RFC 7050, good ones and such as a hostile router or
 * server would send.
 */
#include "daemon/base/nat64.h"

#include <string.h>

#include "tests/support/suite.h"

static struct address parse(const char *text)
{
	struct address address = { 0 };

	if (address_parse_ipv4(text, &address) < 0)
		ck_assert_msg(address_parse_ipv6(text, &address) == 0, "%s", text);
	return address;
}

static struct nat64_prefix parse_prefix(const char *text)
{
	struct nat64_prefix prefix = { 0 };

	ck_assert_msg(nat64_parse_prefix(text, &prefix) == 0, "%s", text);
	return prefix;
}

static bool is_address(const struct address *address, const char *text)
{
	struct address expected = parse(text);

	return address_equal(address, &expected);
}

static bool is_prefix(const struct nat64_prefix *prefix, const char *text)
{
	struct nat64_prefix expected = parse_prefix(text);

	return nat64_prefix_equal(prefix, &expected);
}

/* RFC 6052 section 2.4, tables 1 and 2 (the latter with an address that is global). */
static const struct {
	const char *prefix, *inner, *outer;
} examples[] = {
	{ "2001:db8::/32", "192.0.2.33", "2001:db8:c000:221::" },
	{ "2001:db8:100::/40", "192.0.2.33", "2001:db8:1c0:2:21::" },
	{ "2001:db8:122::/48", "192.0.2.33", "2001:db8:122:c000:2:2100::" },
	{ "2001:db8:122:300::/56", "192.0.2.33", "2001:db8:122:3c0:0:221::" },
	{ "2001:db8:122:344::/64", "192.0.2.33", "2001:db8:122:344:c0:2:2100::" },
	{ "2001:db8:122:344::/96", "192.0.2.33", "2001:db8:122:344::192.0.2.33" },
	{ "64:ff9b::/96", "1.2.3.4", "64:ff9b::1.2.3.4" },
	{ "64:ff9b:1::/48", "10.1.2.3", "64:ff9b:1:a01:2:300::" },
	{ "fd00:64::/96", "255.255.255.254", NULL },
};

START_TEST(addresses_go_in_and_come_out_as_in_rfc_6052)
{
	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		struct nat64_prefix prefix = parse_prefix(examples[i].prefix);
		struct address inner = parse(examples[i].inner), outer = { .family = 99 }, back;
		bool made = nat64_synthesise(&prefix, &inner, &outer);

		ck_assert_int_eq(made, examples[i].outer != NULL);
		ck_assert(made || outer.family == 99);
		if (!made)
			continue;
		ck_assert_msg(is_address(&outer, examples[i].outer), "%zu", i);
		ck_assert(nat64_extract(&prefix, &outer, &back));
		ck_assert(address_equal(&back, &inner));
		/* What is reserved does not hide it. */
		outer.bytes[15] ^= prefix.len < 96 ? 0xff : 0;
		outer.bytes[8] ^= prefix.len < 96 ? 0xff : 0;
		ck_assert(nat64_extract(&prefix, &outer, &back));
		ck_assert(address_equal(&back, &inner));
		outer.bytes[3] ^= 1;
		ck_assert(!nat64_extract(&prefix, &outer, &back));
		ck_assert(!nat64_extract(&prefix, &inner, &back));
	}
}
END_TEST

static const struct {
	const char *address;
	bool is_for_well_known, is_for_others;
} destinations[] = {
	{ "0.0.0.0", false, false },	   { "0.1.2.3", false, false },
	{ "1.0.0.0", true, true },	   { "9.255.255.255", true, true },
	{ "10.0.0.1", false, true },	   { "100.63.255.255", true, true },
	{ "100.64.0.0", false, true },	   { "100.127.255.255", false, true },
	{ "100.128.0.0", true, true },	   { "126.255.255.255", true, true },
	{ "127.0.0.1", false, false },	   { "127.255.255.255", false, false },
	{ "169.253.255.255", true, true }, { "169.254.169.254", false, false },
	{ "169.255.0.0", true, true },	   { "172.15.255.255", true, true },
	{ "172.16.0.0", false, true },	   { "172.31.255.255", false, true },
	{ "172.32.0.0", true, true },	   { "192.0.0.170", false, true },
	{ "192.0.1.0", true, true },	   { "192.0.2.1", false, true },
	{ "192.88.99.1", false, true },	   { "192.168.1.1", false, true },
	{ "198.17.255.255", true, true },  { "198.18.0.0", false, true },
	{ "198.19.255.255", false, true }, { "198.51.100.1", false, true },
	{ "203.0.113.1", false, true },	   { "223.255.255.255", true, true },
	{ "224.0.0.1", false, false },	   { "239.255.255.255", false, false },
	{ "240.0.0.1", false, false },	   { "255.255.255.255", false, false },
	{ "2001:db8::1", false, false },   { "::ffff:1.2.3.4", false, false },
};

START_TEST(not_every_address_is_translated)
{
	struct nat64_prefix well_known = parse_prefix("64:ff9b::/96");
	struct nat64_prefix other = parse_prefix("2001:db8:64::/96");
	struct address made;

	for (size_t i = 0; i < ARRAY_LEN(destinations); i++) {
		struct address address = parse(destinations[i].address);

		ck_assert_msg(nat64_synthesise(&well_known, &address, &made) ==
				      destinations[i].is_for_well_known,
			      "%s", destinations[i].address);
		ck_assert_msg(nat64_synthesise(&other, &address, &made) ==
				      destinations[i].is_for_others,
			      "%s", destinations[i].address);
		if (address.family == AF_INET)
			ck_assert(nat64_is_untranslatable(&address) !=
				  destinations[i].is_for_others);
	}
}
END_TEST

static const char *const bad_prefixes[] = {
	"",
	"64:ff9b::",
	"64:ff9b::/",
	"64:ff9b::/97",
	"64:ff9b::/95",
	"64:ff9b::/0",
	"64:ff9b::/128",
	"64:ff9b::/96 ",
	"64:ff9b::1/96",
	"2001:db8::1/64",
	"2001:db8:0:1::/48",
	"192.0.2.0/32",
	"0.0.0.0/96",
	"::/96",
	"::/32",
	"::/64",
	"::ffff:0:0/96",
	"ff02::/96",
	"fe80::/64",
	"fec0::/64",
	"2001:db8:0:0:100::/96",
	"2001:db8:0:0:ff00::/96",
	"1111:2222:3333:4444:5555:6666:7777:8888:1111:2222:3333:4444:5555:6666:7777:8888/96",
};

START_TEST(what_is_no_prefix_is_refused)
{
	struct nat64_prefix prefix = { .len = 77 };

	for (size_t i = 0; i < ARRAY_LEN(bad_prefixes); i++)
		ck_assert_msg(nat64_parse_prefix(bad_prefixes[i], &prefix) == -EINVAL, "%s",
			      bad_prefixes[i]);
	ck_assert_uint_eq(prefix.len, 77);
	ck_assert_int_eq(nat64_parse_prefix("2001:db8:0:0:00ff::/96", &prefix), 0);
	ck_assert_int_eq(nat64_parse_prefix("fd00::/32", &prefix), 0);
	ck_assert_uint_eq(prefix.len, 32);
}
END_TEST

START_TEST(a_setting_is_a_word_or_prefixes)
{
	struct nat64_setting setting = { .n = 77 };

	ck_assert_ptr_nonnull(nat64_parse_setting("", &setting));
	ck_assert_ptr_nonnull(nat64_parse_setting("yes", &setting));
	ck_assert_ptr_nonnull(nat64_parse_setting("auto no", &setting));
	ck_assert_ptr_nonnull(nat64_parse_setting("64:ff9b::/96 auto", &setting));
	ck_assert_ptr_nonnull(nat64_parse_setting("64:ff9b::/96 64:ff9b::/95", &setting));
	ck_assert_ptr_nonnull(
		nat64_parse_setting("1::/32 2::/32 3::/32 4::/32 5::/32 6::/32 7::/32 "
				    "8::/32 9::/32",
				    &setting));
	ck_assert_uint_eq(setting.n, 77);
	ck_assert_ptr_null(nat64_parse_setting("no", &setting));
	ck_assert(setting.is_off && setting.n == 0);
	ck_assert_ptr_null(nat64_parse_setting("64:ff9b::/96 \t 2001:db8::/32", &setting));
	ck_assert(!setting.is_off && setting.n == 2);
	ck_assert(is_prefix(&setting.prefixes[1], "2001:db8::/32"));
	ck_assert_ptr_null(nat64_parse_setting("auto", &setting));
	ck_assert(!setting.is_off && setting.n == 0);
	ck_assert_ptr_null(nat64_parse_setting("1::/32 2::/32 3::/32 4::/32 5::/32 6::/32 7::/32 "
					       "8::/32",
					       &setting));
	ck_assert_uint_eq(setting.n, NAT64_PREFIXES_MAX);
}
END_TEST

/* An option of RFC 8781: lifetime in seconds, code of the length, the prefix. */
static void make_option(uint8_t option[16], unsigned int lifetime_s, unsigned int code,
			const char *network)
{
	struct address address = parse(network);

	option[0] = 38;
	option[1] = 2;
	option[2] = (uint8_t)(lifetime_s >> 8);
	option[3] = (uint8_t)((lifetime_s & 0xf8) | code);
	memcpy(option + 4, address.bytes, 12);
}

static const struct {
	unsigned int lifetime_s, code;
	const char *network, *prefix; /* prefix NULL: ignored */
} options[] = {
	{ 1800, 0, "64:ff9b::", "64:ff9b::/96" },
	{ 65528, 1, "2001:db8:1:2::", "2001:db8:1:2::/64" },
	{ 8, 2, "2001:db8:1:200::", "2001:db8:1:200::/56" },
	{ 0, 3, "2001:db8:1::", "2001:db8:1::/48" },
	{ 600, 4, "2001:db8:100::", "2001:db8:100::/40" },
	{ 600, 5, "2001:db8::", "2001:db8::/32" },
	{ 600, 5, "2001:db8:1:2:3:4:5:6", "2001:db8::/32" }, /* bits behind it do not count */
	{ 600, 6, "2001:db8::", NULL },
	{ 600, 7, "2001:db8::", NULL },
	{ 600, 0, "::ffff:0:0", NULL },
	{ 600, 0, "::", NULL },
	{ 600, 1, "fe80::", NULL },
	{ 600, 5, "ff0e::", NULL },
	{ 600, 0, "2001:db8:0:0:100::", NULL },
};

START_TEST(options_of_routers_are_read)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		struct nat64_prefix prefix = { .len = 77 };
		uint32_t lifetime_s = 77;
		uint8_t option[16];
		int r;

		make_option(option, options[i].lifetime_s, options[i].code, options[i].network);
		r = nat64_parse_option(option, sizeof(option), &prefix, &lifetime_s);
		ck_assert_msg(r == (options[i].prefix ? 0 : -EINVAL), "%zu", i);
		if (r < 0) {
			ck_assert(prefix.len == 77 && lifetime_s == 77);
			continue;
		}
		ck_assert_msg(is_prefix(&prefix, options[i].prefix), "%zu", i);
		ck_assert_uint_eq(lifetime_s, options[i].lifetime_s);
	}
}
END_TEST

START_TEST(options_of_other_shapes_are_ignored)
{
	struct nat64_prefix prefix;
	uint32_t lifetime_s;
	uint8_t option[32] = { 0 };

	make_option(option, 600, 0, "64:ff9b::");
	for (size_t len = 0; len < 16; len++) {
		CLEANUP(freep) uint8_t *heap = malloc(len > 0 ? len : 1);

		ck_assert_ptr_nonnull(heap);
		memcpy(heap, option, len);
		ck_assert_int_eq(nat64_parse_option(heap, len, &prefix, &lifetime_s), -EINVAL);
	}
	for (unsigned int length = 0; length < 256; length++) {
		option[1] = (uint8_t)length;
		ck_assert_int_eq(nat64_parse_option(option, sizeof(option), &prefix, &lifetime_s),
				 length == 2 ? 0 : -EINVAL);
	}
	option[1] = 2;
	option[0] = 25; /* RDNSS */
	ck_assert_int_eq(nat64_parse_option(option, sizeof(option), &prefix, &lifetime_s), -EINVAL);
}
END_TEST

/* Answers for ipv4only.arpa, and the prefixes in them. */
static const struct {
	const char *addresses[4], *prefixes[4];
} answers[] = {
	{ { NULL }, { NULL } },
	{ { "64:ff9b::192.0.0.170", "64:ff9b::192.0.0.171" }, { "64:ff9b::/96" } },
	{ { "2001:db8:c000:aa::" }, { "2001:db8::/32" } },
	{ { "2001:db8:1c0:0:aa::" }, { "2001:db8:100::/40" } },
	{ { "2001:db8:122:c000:0:aa00::" }, { "2001:db8:122::/48" } },
	{ { "2001:db8:122:3c0::aa:0:0" }, { "2001:db8:122:300::/56" } },
	{ { "2001:db8:122:344:c0:0:ab00::" }, { "2001:db8:122:344::/64" } },
	{ { "2001:db8:1::192.0.0.171", "64:ff9b::192.0.0.170", "2001:db8:1::192.0.0.170" },
	  { "2001:db8:1::/96", "64:ff9b::/96" } },
	/* Not in it at all; as another host of that network; within forms that no translator has. */
	{ { "2001:db8::1", "64:ff9b::192.0.0.172", "64:ff9b::10.0.0.1" }, { NULL } },
	{ { "::ffff:192.0.0.170", "::192.0.0.170", "ff02::192.0.0.170", "fe80::192.0.0.170" },
	  { NULL } },
	/* At two places; with bits 64 to 71. */
	{ { "2001:db8:c000:aa::192.0.0.170", "2001:db8:0:0:100::192.0.0.170" }, { NULL } },
	{ { "2001:db8:c000:aa:100::" }, { NULL } },
	{ { "192.0.0.170" }, { NULL } },
};

START_TEST(the_prefix_is_found_around_the_well_known_address)
{
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct address addresses[4];
		struct nat64_prefix found[4];
		size_t n = 0, n_expected = 0;

		while (n < 4 && answers[i].addresses[n]) {
			addresses[n] = parse(answers[i].addresses[n]);
			n++;
		}
		while (n_expected < 4 && answers[i].prefixes[n_expected])
			n_expected++;
		ck_assert_msg(nat64_read_well_known(addresses, n, found, 4) == n_expected, "%zu",
			      i);
		for (size_t j = 0; j < n_expected; j++)
			ck_assert_msg(is_prefix(&found[j], answers[i].prefixes[j]), "%zu", i);
		if (n_expected > 1)
			ck_assert_uint_eq(nat64_read_well_known(addresses, n, found, 1), 1);
	}
}
END_TEST

SUITE_MAIN("nat64", addresses_go_in_and_come_out_as_in_rfc_6052, not_every_address_is_translated,
	   what_is_no_prefix_is_refused, a_setting_is_a_word_or_prefixes,
	   options_of_routers_are_read, options_of_other_shapes_are_ignored,
	   the_prefix_is_found_around_the_well_known_address)
