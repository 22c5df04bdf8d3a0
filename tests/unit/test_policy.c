/* SPDX-License-Identifier: MIT */
/*
 * Classes of addresses, roles and verdicts. Rules are read from text, as a configuration would bring them.
 */
#include "daemon/policy/policy.h"

#include <stdio.h>
#include <string.h>

#include "daemon/base/config.h"
#include "daemon/policy/class.h"
#include "tests/support/suite.h"

static const struct identity neighbour = { .peer_uid = 1000,
					   .message_uid = 1000,
					   .same_netns = true };
static const struct identity stranger = { .peer_uid = 1000,
					  .message_uid = 1000,
					  .same_netns = false };

/* A policy with these rules; "" is the built-in one. */
static struct policy *make(const char *text)
{
	CLEANUP(config_freep) struct config *config = NULL;
	struct policy *policy;
	struct ini_error error = { "" };

	ck_assert_int_eq(policy_new(&policy), 0);
	ck_assert_int_eq(config_new(&config), 0);
	ck_assert_msg(config_read_text(config, text, strlen(text), "a.conf", &error) == 0, "%s",
		      error.text);
	ck_assert_int_eq(rules_check(&config->rules, &error), 0);
	policy_adopt_rules(policy, &config->rules);
	ck_assert_ptr_null(config->rules.roles);
	return policy;
}

static struct endpoint parse(const char *text)
{
	struct endpoint endpoint = { .port = 443 };

	if (address_parse_ipv4(text, &endpoint.address) < 0)
		ck_assert_msg(address_parse_ipv6(text, &endpoint.address) == 0, "%s", text);
	return endpoint;
}

static bool allows(const struct policy *policy, const struct identity *identity, const char *text)
{
	struct endpoint endpoint = parse(text);

	return policy_allows_endpoint(policy, identity, &endpoint, false);
}

/* Every form of an IPv6 address that embeds an IPv4 address: the rest of it, and where the four bytes stand. */
static const struct embedding {
	const char *around;
	size_t places[4];
	uint8_t mask;
	bool is_closed; /* the outer address is no public one */
} embeddings[] = {
	{ "::ffff:0:0", { 12, 13, 14, 15 }, 0, false },		   /* IPv4-mapped */
	{ "::", { 12, 13, 14, 15 }, 0, false },			   /* IPv4-compatible */
	{ "::ffff:0:0:0", { 12, 13, 14, 15 }, 0, false },	   /* IPv4-translated */
	{ "64:ff9b::", { 12, 13, 14, 15 }, 0, false },		   /* NAT64 */
	{ "64:ff9b:1::", { 12, 13, 14, 15 }, 0, false },	   /* NAT64, local use */
	{ "64:ff9b:1:203:0:506::", { 12, 13, 14, 15 }, 0, false }, /* the same, within the /48 */
	{ "64:ff9b:1::", { 6, 7, 9, 10 }, 0, false },		   /* the same, 48 bits */
	{ "64:ff9b:1::8", { 6, 7, 9, 10 }, 0, false },		   /* with a suffix */
	{ "64:ff9b:1:500::", { 7, 9, 10, 11 }, 0, false },	   /* the same, 56 bits */
	{ "64:ff9b:1:506::", { 9, 10, 11, 12 }, 0, false },	   /* the same, 64 bits */
	{ "2002::", { 2, 3, 4, 5 }, 0, false },			   /* 6to4 */
	{ "2002::1:2:3:4:5", { 2, 3, 4, 5 }, 0, false },	   /* 6to4 */
	{ "2001:0:4136:e378:8000:63bf::", { 12, 13, 14, 15 }, 0xff, false }, /* Teredo */
	{ "2001:db8::5efe:0:0", { 12, 13, 14, 15 }, 0, false },		     /* ISATAP */
	{ "2001:db8::200:5efe:0:0", { 12, 13, 14, 15 }, 0, false }, /* ISATAP, universal bit */
	{ "fe80::5efe:0:0", { 12, 13, 14, 15 }, 0, true },	    /* ISATAP, link-local */
};

static struct endpoint embed(const struct embedding *embedding, const char *text)
{
	struct endpoint outer = parse(embedding->around), inner = parse(text);

	for (size_t i = 0; i < 4; i++)
		outer.address.bytes[embedding->places[i]] =
			inner.address.bytes[i] ^ embedding->mask;
	return outer;
}

static const char *format(const struct endpoint *endpoint)
{
	static char text[ENDPOINT_TEXT_SIZE];

	return endpoint_format(endpoint, text, sizeof(text));
}

static const struct {
	const char *text;
	enum address_class class;
} classes[] = {
	{ "1.1.1.1", CLASS_PUBLIC },
	{ "0.0.0.0", CLASS_LOOPBACK },
	{ "0.255.255.255", CLASS_LOOPBACK },
	{ "1.0.0.0", CLASS_PUBLIC },
	{ "9.255.255.255", CLASS_PUBLIC },
	{ "10.0.0.0", CLASS_PRIVATE },
	{ "10.255.255.255", CLASS_PRIVATE },
	{ "11.0.0.0", CLASS_PUBLIC },
	{ "100.63.255.255", CLASS_PUBLIC },
	{ "100.64.0.0", CLASS_PRIVATE },
	{ "100.127.255.255", CLASS_PRIVATE },
	{ "100.128.0.0", CLASS_PUBLIC },
	{ "126.255.255.255", CLASS_PUBLIC },
	{ "127.0.0.1", CLASS_LOOPBACK },
	{ "127.255.255.255", CLASS_LOOPBACK },
	{ "128.0.0.0", CLASS_PUBLIC },
	{ "169.253.255.255", CLASS_PUBLIC },
	{ "169.254.0.0", CLASS_LINK_LOCAL },
	{ "169.254.255.255", CLASS_LINK_LOCAL },
	{ "169.255.0.0", CLASS_PUBLIC },
	{ "172.15.255.255", CLASS_PUBLIC },
	{ "172.16.0.0", CLASS_PRIVATE },
	{ "172.31.255.255", CLASS_PRIVATE },
	{ "172.32.0.0", CLASS_PUBLIC },
	{ "192.167.255.255", CLASS_PUBLIC },
	{ "192.168.0.0", CLASS_PRIVATE },
	{ "192.168.255.255", CLASS_PRIVATE },
	{ "192.169.0.0", CLASS_PUBLIC },
	{ "223.255.255.255", CLASS_PUBLIC },
	{ "224.0.0.0", CLASS_MULTICAST },
	{ "239.255.255.255", CLASS_MULTICAST },
	{ "240.0.0.0", CLASS_MULTICAST },
	{ "255.255.255.255", CLASS_MULTICAST },
	{ "::", CLASS_LOOPBACK },
	{ "::1", CLASS_LOOPBACK },
	{ "::2", CLASS_PUBLIC },
	{ "2001:db8::1", CLASS_PUBLIC },
	{ "fbff:ffff::1", CLASS_PUBLIC },
	{ "fc00::", CLASS_PRIVATE },
	{ "fdff:ffff::1", CLASS_PRIVATE },
	{ "fe00::1", CLASS_PUBLIC },
	{ "fe80::1", CLASS_LINK_LOCAL },
	{ "febf:ffff::1", CLASS_LINK_LOCAL },
	{ "fec0::1", CLASS_PRIVATE },
	{ "feff::1", CLASS_PRIVATE },
	{ "ff00::", CLASS_MULTICAST },
	{ "ff02::1", CLASS_MULTICAST },
};

START_TEST(addresses_have_their_class)
{
	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		struct endpoint endpoint = parse(classes[i].text);
		enum address_class class = class_of(&endpoint.address);

		ck_assert_msg(class == classes[i].class, "%s: %d", classes[i].text, (int)class);
	}
}
END_TEST

START_TEST(embedded_addresses_are_judged_too_and_the_stricter_wins)
{
	static const struct {
		const char *text;
		enum address_class class;
	} inner[] = {
		{ "198.51.100.7", CLASS_PUBLIC },   { "10.1.2.3", CLASS_PRIVATE },
		{ "127.0.0.1", CLASS_LOOPBACK },    { "169.254.1.1", CLASS_LINK_LOCAL },
		{ "224.0.0.251", CLASS_MULTICAST },
	};

	for (size_t i = 0; i < ARRAY_LEN(embeddings); i++) {
		for (size_t j = 0; j < ARRAY_LEN(inner); j++) {
			struct endpoint outer = embed(&embeddings[i], inner[j].text);
			enum address_class class = class_of(&outer.address);

			if (embeddings[i].is_closed)
				ck_assert_msg(class != CLASS_PUBLIC, "%s", format(&outer));
			else if (inner[j].class == CLASS_PUBLIC)
				ck_assert_msg(class == CLASS_PUBLIC, "%s: %d", format(&outer),
					      (int)class);
			else
				ck_assert_msg(class != CLASS_PUBLIC, "%s", format(&outer));
		}
	}
}
END_TEST

static const char *const metadata[] = {
	"169.254.169.254", "169.254.170.2", "169.254.170.23",
	"100.100.100.200", "192.0.0.192",   "168.63.129.16",
};

START_TEST(metadata_services_are_closed_in_every_form)
{
	static const char *const own_forms[] = { "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254",
						 "fe80::a9fe:a9fe" };
	CLEANUP(policy_freep) struct policy *built_in = make("");
	CLEANUP(policy_freep)
	struct policy *open =
		make("[Policy]\nDefault=allow\n[Role a]\nMatch=uid:1000\nMode=open\n");

	for (size_t i = 0; i < ARRAY_LEN(metadata); i++) {
		ck_assert(!allows(built_in, &neighbour, metadata[i]));
		ck_assert(!allows(open, &neighbour, metadata[i]));
		ck_assert(!allows(open, &stranger, metadata[i]));
		for (size_t j = 0; j < ARRAY_LEN(embeddings); j++) {
			struct endpoint outer = embed(&embeddings[j], metadata[i]);

			ck_assert_msg(class_is_metadata(&outer.address), "%s", format(&outer));
			ck_assert_msg(!policy_allows_endpoint(built_in, &neighbour, &outer, false),
				      "%s", format(&outer));
			ck_assert_msg(!policy_allows_endpoint(open, &neighbour, &outer, true), "%s",
				      format(&outer));
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(own_forms); i++)
		ck_assert_msg(!allows(built_in, &neighbour, own_forms[i]), "%s", own_forms[i]);
}
END_TEST

START_TEST(scope_does_not_open_metadata)
{
	struct endpoint endpoint = parse("fe80::a9fe:a9fe");

	endpoint.address.scope = 7;
	ck_assert(class_is_metadata(&endpoint.address));
}
END_TEST

START_TEST(neighbours_of_metadata_are_not_metadata)
{
	static const char *const others[] = { "169.254.169.253", "169.254.169.255",
					      "192.0.0.193",	 "168.63.129.17",
					      "fd00:ec2::253",	 "2001:db8::a9fe:a9fe" };

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		struct endpoint endpoint = parse(others[i]);

		ck_assert_msg(!class_is_metadata(&endpoint.address), "%s", others[i]);
	}
}
END_TEST

START_TEST(without_a_policy_the_same_namespace_may_connect_and_another_may_nothing)
{
	static const char *const targets[] = { "198.51.100.7", "2001:db8::1",	  "127.0.0.1",
					       "::1",	       "10.0.0.1",	  "fe80::1",
					       "224.0.0.1",    "::ffff:127.0.0.1" };
	CLEANUP(policy_freep) struct policy *policy = make("");

	ck_assert(policy_allows_name(policy, &neighbour, "a.test"));
	ck_assert(!policy_allows_name(policy, &stranger, "a.test"));
	ck_assert_ptr_null(policy_get_role(policy, &neighbour));
	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		struct endpoint endpoint = parse(targets[i]);

		ck_assert_msg(policy_allows_endpoint(policy, &neighbour, &endpoint, true), "%s",
			      targets[i]);
		ck_assert_msg(!allows(policy, &stranger, targets[i]), "%s", targets[i]);
	}
	ck_assert_str_eq(
		policy_find_denied_option(policy, &neighbour, PRIVILEGE_BIT(PRIVILEGE_MARK)),
		"mark");
}
END_TEST

START_TEST(never_closes_a_network_to_everybody_in_every_form)
{
	CLEANUP(policy_freep)
	struct policy *policy =
		make("[Never]\nTo=198.51.100.0/24 2001:db8:1::/48\nTo=::ffff:203.0.113.9\n");

	ck_assert(
		policy_allows_name(policy, &neighbour, "a.test")); /* [Never] alone is no policy */
	ck_assert(!policy_allows_name(policy, &stranger, "a.test"));
	ck_assert(allows(policy, &neighbour, "198.51.99.255"));
	ck_assert(!allows(policy, &neighbour, "198.51.100.0"));
	ck_assert(!allows(policy, &neighbour, "198.51.100.255"));
	ck_assert(allows(policy, &neighbour, "198.51.101.0"));
	ck_assert(!allows(policy, &neighbour, "2001:db8:1:ffff::1"));
	ck_assert(allows(policy, &neighbour, "2001:db8:2::1"));
	ck_assert(!allows(policy, &neighbour, "203.0.113.9")); /* given as IPv4-mapped */
	ck_assert(!allows(policy, &neighbour, "::ffff:203.0.113.9"));
	ck_assert(allows(policy, &neighbour, "203.0.113.8"));
	for (size_t i = 0; i < ARRAY_LEN(embeddings); i++) {
		struct endpoint outer = embed(&embeddings[i], "198.51.100.7");

		ck_assert_msg(!policy_allows_endpoint(policy, &neighbour, &outer, false), "%s",
			      format(&outer));
	}
}
END_TEST

START_TEST(never_can_close_everything)
{
	CLEANUP(policy_freep) struct policy *policy = make("[Never]\nTo=0.0.0.0/0\n");

	ck_assert(!allows(policy, &neighbour, "198.51.100.7"));
	ck_assert(!allows(policy, &neighbour, "::ffff:198.51.100.7"));
	ck_assert(allows(policy, &neighbour, "2001:db8::1"));
}
END_TEST

static struct nat64_prefix parse_prefix(const char *text)
{
	struct nat64_prefix prefix = { 0 };

	ck_assert_msg(nat64_parse_prefix(text, &prefix) == 0, "%s", text);
	return prefix;
}

/* A prefix of each length, and an address inside: with private, loopback, link-local, metadata, [Never] and public ones. */
static const struct {
	const char *prefix;
	const char *closed[5], *open;
} translators[] = {
	{ "2001:db8:64::/96",
	  { "2001:db8:64::10.0.0.1", "2001:db8:64::127.0.0.1", "2001:db8:64::169.254.1.1",
	    "2001:db8:64::169.254.169.254", "2001:db8:64::198.51.100.7" },
	  "2001:db8:64::203.0.113.1" },
	{ "2001:db8:64:1::/64",
	  { "2001:db8:64:1:a:0:100::", "2001:db8:64:1:7f:0:100::", "2001:db8:64:1:a9:fe01:100::",
	    "2001:db8:64:1:a9:fea9:fe00::", "2001:db8:64:1:c6:3364:700::" },
	  "2001:db8:64:1:cb:71:100::" },
	{ "2001:db8:64:100::/56",
	  { "2001:db8:64:10a:0:1::", "2001:db8:64:17f:0:1::", "2001:db8:64:1a9:fe:101::",
	    "2001:db8:64:1a9:fe:a9fe::", "2001:db8:64:1c6:33:6407::" },
	  "2001:db8:64:1cb:0:7101::" },
	{ "2001:db8:64::/48",
	  { "2001:db8:64:a00:0:100::", "2001:db8:64:7f00:0:100::", "2001:db8:64:a9fe:1:100::",
	    "2001:db8:64:a9fe:a9:fe00::", "2001:db8:64:c633:64:700::" },
	  "2001:db8:64:cb00:71:100::" },
	{ "2001:db8:6400::/40",
	  { "2001:db8:640a:0:1::", "2001:db8:647f:0:1::", "2001:db8:64a9:fe01:1::",
	    "2001:db8:64a9:fea9:fe::", "2001:db8:64c6:3364:7::" },
	  "2001:db8:64cb:71:1::" },
	{ "2001:db9::/32",
	  { "2001:db9:a00:1::", "2001:db9:7f00:1::", "2001:db9:a9fe:101::", "2001:db9:a9fe:a9fe::",
	    "2001:db9:c633:6407::" },
	  "2001:db9:cb00:7101::" },
};

START_TEST(what_is_behind_a_translator_is_judged_too)
{
	for (size_t i = 0; i < ARRAY_LEN(translators); i++) {
		CLEANUP(policy_freep)
		struct policy *policy = make("[Role a]\nMatch=uid:1000\nMode=open\n"
					     "[Never]\nTo=198.51.100.7\n");
		struct nat64_prefix prefix = parse_prefix(translators[i].prefix);
		uint64_t generation = policy_get_generation(policy);

		/* Nobody has told of it: these are addresses like any. */
		for (size_t j = 0; j < 5; j++)
			ck_assert(allows(policy, &stranger, translators[i].closed[j]));
		policy_set_prefixes(policy, NULL, 0, &prefix, 1);
		ck_assert_uint_ne(policy_get_generation(policy), generation);
		for (size_t j = 0; j < 5; j++)
			ck_assert_msg(!allows(policy, &stranger, translators[i].closed[j]), "%s",
				      translators[i].closed[j]);
		ck_assert_msg(allows(policy, &stranger, translators[i].open), "%s",
			      translators[i].open);
		policy_set_prefixes(policy, &prefix, 1, NULL, 0);
		for (size_t j = 0; j < 5; j++)
			ck_assert_msg(!allows(policy, &stranger, translators[i].closed[j]), "%s",
				      translators[i].closed[j]);
		ck_assert_msg(allows(policy, &stranger, translators[i].open), "%s",
			      translators[i].open);
	}
}
END_TEST

START_TEST(reserved_bits_hide_nothing_behind_a_translator)
{
	CLEANUP(policy_freep)
	struct policy *policy = make("[Role a]\nMatch=uid:1000\nMode=open\n");
	struct nat64_prefix prefix = parse_prefix("2001:db8:64:1::/64");

	policy_set_prefixes(policy, NULL, 0, &prefix, 1);
	ck_assert(!allows(policy, &stranger, "2001:db8:64:1:10a:0:100::"));
	ck_assert(!allows(policy, &stranger, "2001:db8:64:1:ff0a:0:1ff:ffff"));
	ck_assert(allows(policy, &stranger, "2001:db8:64:2:10a:0:100::"));
}
END_TEST

START_TEST(a_configured_translator_is_what_is_behind_it)
{
	static const struct {
		const char *prefix, *address;
		bool if_told, if_configured;
	} cases[] = {
		{ "fd00:64::/96", "fd00:64::203.0.113.1", false, true },
		{ "fd00:64::/96", "fd00:64::10.0.0.1", false, false },
		{ "fd00:64::/96", "fd00:64::169.254.169.254", false, false },
		{ "fd00:64::/96", "fd00:65::203.0.113.1", false, false },
		/* Without it this may be 10.0.0.1 behind 48 bits. */
		{ "64:ff9b:1:a00:0:100::/96", "64:ff9b:1:a00:0:100:cb00:7101", false, true },
	};
	CLEANUP(policy_freep)
	struct policy *policy = make("[Role a]\nMatch=uid:1000\nMode=open\n");

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct nat64_prefix prefix = parse_prefix(cases[i].prefix);

		policy_set_prefixes(policy, NULL, 0, &prefix, 1);
		ck_assert_msg(allows(policy, &stranger, cases[i].address) == cases[i].if_told,
			      "%zu", i);
		policy_set_prefixes(policy, &prefix, 1, &prefix, 1);
		ck_assert_msg(allows(policy, &stranger, cases[i].address) == cases[i].if_configured,
			      "%zu", i);
	}
}
END_TEST

START_TEST(never_closes_what_is_outside_of_a_configured_translator_too)
{
	CLEANUP(policy_freep) struct policy *policy = make("[Never]\nTo=fd00:64::/32\n");
	struct nat64_prefix prefix = parse_prefix("fd00:64::/96");

	policy_set_prefixes(policy, &prefix, 1, NULL, 0);
	ck_assert(!allows(policy, &neighbour, "fd00:64::203.0.113.1"));
}
END_TEST

START_TEST(prefixes_count_as_a_change_only_when_they_do)
{
	CLEANUP(policy_freep) struct policy *policy = make("");
	struct nat64_prefix many[POLICY_PREFIXES_MAX + 1];
	struct address forms[POLICY_FORMS_MAX];
	struct endpoint endpoint = parse("2001:db8::1");
	uint64_t generation;

	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = parse_prefix("2001:db8::/32");
	policy_set_prefixes(policy, many, ARRAY_LEN(many), many, ARRAY_LEN(many));
	generation = policy_get_generation(policy);
	policy_set_prefixes(policy, many, ARRAY_LEN(many), many, ARRAY_LEN(many));
	ck_assert_uint_eq(policy_get_generation(policy), generation);
	ck_assert_uint_eq(policy_get_forms(policy, &endpoint.address, forms),
			  1 + 2 * POLICY_PREFIXES_MAX);
	ck_assert(address_equal(&forms[0], &endpoint.address));
	policy_set_prefixes(policy, many, 1, many, 0);
	ck_assert_uint_ne(policy_get_generation(policy), generation);
	ck_assert_uint_eq(policy_get_forms(policy, &endpoint.address, forms), 2);
}
END_TEST

START_TEST(who_is_confined_is_held_to_classes)
{
	CLEANUP(policy_freep) struct policy *built_in = make("");
	CLEANUP(policy_freep)
	struct policy *open = make("[Role a]\nMatch=uid:1000\nMode=open\n");

	ck_assert(!policy_is_confined(built_in, &neighbour));
	ck_assert(policy_is_confined(built_in, &stranger));
	ck_assert(policy_is_confined(open, &neighbour));
}
END_TEST

START_TEST(open_role_reaches_what_is_public_and_no_class)
{
	CLEANUP(policy_freep)
	struct policy *policy = make("[Role box]\nMatch=netns:other\nMode=open\n"
				     "[Role own]\nMatch=netns:same uid:1000\nMode=open\n");
	struct endpoint public = parse("198.51.100.7");

	ck_assert_str_eq(policy_get_role(policy, &stranger), "box");
	ck_assert_str_eq(policy_get_role(policy, &neighbour), "own");
	ck_assert(policy_allows_name(policy, &stranger, "a.test"));
	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		bool is_public = classes[i].class == CLASS_PUBLIC;

		ck_assert_msg(allows(policy, &stranger, classes[i].text) == is_public, "%s",
			      classes[i].text);
		ck_assert_msg(allows(policy, &neighbour, classes[i].text) == is_public, "%s",
			      classes[i].text);
	}
	/* The daemon's own addresses are closed to other namespaces only. */
	ck_assert(!policy_allows_endpoint(policy, &stranger, &public, true));
	ck_assert(policy_allows_endpoint(policy, &neighbour, &public, true));
	ck_assert_str_eq(
		policy_find_denied_option(policy, &stranger, PRIVILEGE_BIT(PRIVILEGE_BIND_PORT)),
		"bindPort");
}
END_TEST

static const char *find_denied(const struct policy *policy, const struct identity *identity,
			       uint32_t privileges)
{
	return policy_find_denied_option(policy, identity, privileges);
}

START_TEST(a_privileged_option_needs_its_word_in_the_role)
{
	CLEANUP(policy_freep)
	struct policy *policy = make("[Policy]\nDefault=allow\n"
				     "[Role box]\nMatch=netns:other\nMode=open\n"
				     "Options=mark typeOfService\nOptions=bindPort\n"
				     "[Role cleared]\nMatch=uid:7\nMode=open\n"
				     "Options=mark\nOptions=\nOptions=fastOpen\n");
	const struct identity cleared = { .peer_uid = 7, .message_uid = 7, .same_netns = true };
	uint32_t mark = PRIVILEGE_BIT(PRIVILEGE_MARK);
	uint32_t port = PRIVILEGE_BIT(PRIVILEGE_BIND_PORT);
	uint32_t fast_open = PRIVILEGE_BIT(PRIVILEGE_FAST_OPEN);

	ck_assert_ptr_null(find_denied(policy, &stranger, 0));
	ck_assert_ptr_null(find_denied(policy, &stranger, mark));
	ck_assert_ptr_null(find_denied(policy, &stranger, mark | port));
	ck_assert_str_eq(find_denied(policy, &stranger, mark | fast_open), "fastOpen");
	ck_assert_ptr_null(find_denied(policy, &cleared, fast_open));
	ck_assert_str_eq(find_denied(policy, &cleared, mark), "mark");
	/* Default=allow gives no option, and nobody's role is another's. */
	ck_assert_ptr_null(policy_get_role(policy, &neighbour));
	ck_assert_ptr_null(find_denied(policy, &neighbour, 0));
	ck_assert_str_eq(find_denied(policy, &neighbour, mark), "mark");
}
END_TEST

START_TEST(each_option_is_a_bit_of_its_own)
{
	for (unsigned int i = 0; i < PRIVILEGES_N; i++) {
		char text[128];
		const char *name = privilege_name((enum privilege)i);
		CLEANUP(policy_freep) struct policy *policy = NULL;

		(void)snprintf(text, sizeof(text),
			       "[Role box]\nMatch=netns:other\nMode=open\nOptions=%s\n", name);
		policy = make(text);
		for (unsigned int j = 0; j < PRIVILEGES_N; j++)
			ck_assert_pstr_eq(find_denied(policy, &stranger, PRIVILEGE_BIT(j)),
					  i == j ? NULL : privilege_name((enum privilege)j));
	}
}
END_TEST

static bool may_listen(const struct policy *policy, const struct identity *identity,
		       const char *address, uint16_t port, enum transport transport)
{
	struct endpoint endpoint = parse(address);

	endpoint.port = port;
	return policy_allows_listen(policy, identity, &endpoint, transport);
}

START_TEST(to_listen_needs_a_rule_for_address_port_and_transport)
{
	static const struct {
		const char *address;
		uint16_t port;
		enum transport transport;
		bool want;
	} rows[] = {
		{ "192.0.2.1", 80, TRANSPORT_TCP, true },
		{ "192.0.2.1", 80, TRANSPORT_UDP, false },
		{ "192.0.2.1", 80, TRANSPORT_SCTP, false },
		{ "192.0.2.1", 81, TRANSPORT_TCP, false },
		{ "192.0.2.1", 0, TRANSPORT_TCP, false },
		{ "192.0.2.2", 80, TRANSPORT_TCP, false },
		{ "0.0.0.0", 80, TRANSPORT_TCP, false },
		{ "::ffff:192.0.2.1", 80, TRANSPORT_TCP, true },
		{ "192.0.2.1", 7999, TRANSPORT_TCP, false },
		{ "192.0.2.1", 8000, TRANSPORT_TCP, true },
		{ "192.0.2.1", 8080, TRANSPORT_TCP, true },
		{ "192.0.2.1", 8081, TRANSPORT_TCP, false },
		{ "2001:db8::1", 9000, TRANSPORT_UDP, true },
		{ "2001:db8::1", 9000, TRANSPORT_TCP, false },
		{ "::", 9000, TRANSPORT_UDP, false },
		{ "127.0.0.1", 0, TRANSPORT_TCP, true },
		{ "127.0.0.1", 1, TRANSPORT_TCP, true },
		{ "127.0.0.1", 65535, TRANSPORT_TCP, true },
		{ "::", 53, TRANSPORT_TCP, true },
		{ "0.0.0.0", 53, TRANSPORT_TCP, true },
		{ "10.0.0.1", 53, TRANSPORT_TCP, true },
		{ "203.0.113.1", 5000, TRANSPORT_TCP, true },
		/* [Never], and the metadata services, whatever a rule says. */
		{ "203.0.113.9", 53, TRANSPORT_TCP, false },
		{ "::ffff:203.0.113.9", 53, TRANSPORT_TCP, false },
		{ "169.254.169.254", 53, TRANSPORT_TCP, false },
	};
	CLEANUP(policy_freep)
	struct policy *policy = make("[Never]\nTo=203.0.113.9\n"
				     "[Policy]\nDefault=allow\n"
				     "[Role box]\nMatch=netns:other\nMode=open\n"
				     "Allow=listen tcp 192.0.2.1:80,8000-8080 127.0.0.1:*\n"
				     "Allow=listen udp [2001:db8::1]:9000\n"
				     "Allow=listen tcp *:53 [::ffff:203.0.113.1]:5000\n");

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		ck_assert_msg(may_listen(policy, &stranger, rows[i].address, rows[i].port,
					 rows[i].transport) == rows[i].want,
			      "%s %u %s", rows[i].address, rows[i].port,
			      transport_name(rows[i].transport));
		ck_assert(!may_listen(policy, &neighbour, rows[i].address, rows[i].port,
				      rows[i].transport));
	}
}
END_TEST

START_TEST(nobody_listens_without_a_rule)
{
	static const char *const texts[] = {
		"",
		"[Policy]\nDefault=allow\n",
		"[Role box]\nMatch=netns:same\nMode=open\n",
		"[Role box]\nMatch=netns:same\nMode=open\nAllow=listen tcp *:*\nAllow=\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		CLEANUP(policy_freep) struct policy *policy = make(texts[i]);

		ck_assert(!may_listen(policy, &neighbour, "127.0.0.1", 8080, TRANSPORT_TCP));
	}
}
END_TEST

START_TEST(a_rule_holds_on_each_interface)
{
	CLEANUP(policy_freep)
	struct policy *policy = make("[Role box]\nMatch=netns:same\nMode=open\n"
				     "Allow=listen tcp [fe80::1]:80\n");
	struct endpoint endpoint = parse("fe80::1");

	endpoint.port = 80;
	endpoint.address.scope = 3;
	ck_assert(policy_allows_listen(policy, &neighbour, &endpoint, TRANSPORT_TCP));
	endpoint.address.bytes[15] = 2;
	ck_assert(!policy_allows_listen(policy, &neighbour, &endpoint, TRANSPORT_TCP));
}
END_TEST

START_TEST(any_policy_denies_whoever_matches_no_role)
{
	static const char *const texts[] = { "[Policy]\n", "[Policy]\nDefault=deny\n",
					     "[Role other]\nMatch=uid:1001\nMode=open\n" };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		CLEANUP(policy_freep) struct policy *policy = make(texts[i]);

		ck_assert_msg(!policy_allows_name(policy, &neighbour, "a.test"), "%s", texts[i]);
		ck_assert_msg(!allows(policy, &neighbour, "198.51.100.7"), "%s", texts[i]);
		ck_assert_msg(!allows(policy, &stranger, "198.51.100.7"), "%s", texts[i]);
		ck_assert_ptr_null(policy_get_role(policy, &neighbour));
	}
}
END_TEST

START_TEST(default_allow_opens_what_is_public)
{
	CLEANUP(policy_freep) struct policy *policy = make("[Policy]\nDefault=allow\n");

	ck_assert(policy_allows_name(policy, &stranger, "a.test"));
	ck_assert(allows(policy, &stranger, "198.51.100.7"));
	ck_assert(allows(policy, &neighbour, "198.51.100.7"));
	ck_assert(!allows(policy, &stranger, "127.0.0.1"));
	ck_assert(!allows(policy, &neighbour, "10.0.0.1"));
	ck_assert_ptr_null(policy_get_role(policy, &stranger));
}
END_TEST

START_TEST(both_user_ids_must_fit)
{
	static const struct {
		uid_t peer, message;
		bool fits;
	} cases[] = {
		{ 7, 7, true },	 { 7, 8, false },	  { 8, 7, false }, { 0, 7, false },
		{ 7, 0, false }, { 7, (uid_t)-1, false }, { 8, 8, false },
	};
	CLEANUP(policy_freep) struct policy *policy = make("[Role a]\nMatch=uid:7\nMode=open\n");

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct identity identity = { .peer_uid = cases[i].peer,
						   .message_uid = cases[i].message };

		ck_assert_msg((policy_get_role(policy, &identity) != NULL) == cases[i].fits,
			      "%u %u", cases[i].peer, cases[i].message);
	}
}
END_TEST

START_TEST(conditions_of_a_line_all_hold_and_any_line_does)
{
	CLEANUP(policy_freep)
	struct policy *policy = make("[Role a]\nMatch=uid:7 netns:other\nMatch=uid:8\nMode=open\n"
				     "[Role b]\nMatch=uid:9 uid:10\nMode=open\n");
	static const struct {
		uid_t uid;
		bool same_netns, fits;
	} cases[] = {
		{ 7, false, true }, { 7, true, false },	 { 8, false, true },
		{ 8, true, true },  { 9, false, false }, { 10, true, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct identity identity = { .peer_uid = cases[i].uid,
						   .message_uid = cases[i].uid,
						   .same_netns = cases[i].same_netns };
		const char *role = policy_get_role(policy, &identity);

		ck_assert_pstr_eq(role, cases[i].fits ? "a" : NULL);
	}
}
END_TEST

START_TEST(unmapped_user_matches_only_who_says_so)
{
	static const struct identity unmapped = { .peer_uid = 65534, .message_uid = 65534 };
	static const struct identity half = { .peer_uid = 1000, .message_uid = 65534 };
	static const struct identity other_half = { .peer_uid = 65534, .message_uid = 1000 };
	CLEANUP(policy_freep)
	struct policy *unsaid = make("[Role a]\nMatch=netns:other\nMode=open\n");
	CLEANUP(policy_freep)
	struct policy *said = make("[Role a]\nMatch=netns:other\nMode=open\n"
				   "[Role b]\nMatch=netns:other uid:65534\nMode=open\n");

	ck_assert_str_eq(policy_get_role(unsaid, &stranger), "a");
	ck_assert_ptr_null(policy_get_role(unsaid, &unmapped));
	ck_assert_ptr_null(policy_get_role(unsaid, &half));
	ck_assert_ptr_null(policy_get_role(unsaid, &other_half));
	ck_assert(!policy_allows_name(unsaid, &unmapped, "a.test"));
	ck_assert_str_eq(policy_get_role(said, &stranger), "a");
	ck_assert_str_eq(policy_get_role(said, &unmapped), "b");
	ck_assert_ptr_null(policy_get_role(said, &half));
}
END_TEST

START_TEST(the_first_role_that_fits_is_it)
{
	CLEANUP(policy_freep)
	struct policy *policy = make("[Role z]\nMatch=uid:1000\nMode=open\n"
				     "[Role a]\nMatch=netns:same\nMode=open\n"
				     "[Role m]\nMatch=uid:1000 netns:same\nMode=open\n");
	static const struct identity other = { .peer_uid = 7,
					       .message_uid = 7,
					       .same_netns = true };

	ck_assert_str_eq(policy_get_role(policy, &neighbour), "z");
	ck_assert_str_eq(policy_get_role(policy, &other), "a");
}
END_TEST

START_TEST(generation_counts_and_old_rules_are_gone)
{
	CLEANUP(policy_freep) struct policy *policy = make("[Role a]\nMatch=uid:1000\nMode=open\n");
	uint64_t generation = policy_get_generation(policy);
	struct rules none = { 0 };

	ck_assert(policy_allows_name(policy, &stranger, "a.test"));
	policy_adopt_rules(policy, &none);
	ck_assert_uint_eq(policy_get_generation(policy), generation + 1);
	ck_assert(!policy_allows_name(policy, &stranger, "a.test"));
	ck_assert_ptr_null(policy_get_role(policy, &stranger));
}
END_TEST

START_TEST(stages_have_their_words)
{
	ck_assert_str_eq(policy_stage_name(POLICY_STAGE_NAME), "name");
	ck_assert_str_eq(policy_stage_name(POLICY_STAGE_ADDRESS), "address");
	ck_assert_str_eq(policy_stage_name(POLICY_STAGE_OPTION), "option");
}
END_TEST

SUITE_MAIN("policy", addresses_have_their_class,
	   embedded_addresses_are_judged_too_and_the_stricter_wins,
	   metadata_services_are_closed_in_every_form, scope_does_not_open_metadata,
	   neighbours_of_metadata_are_not_metadata,
	   without_a_policy_the_same_namespace_may_connect_and_another_may_nothing,
	   never_closes_a_network_to_everybody_in_every_form, never_can_close_everything,
	   what_is_behind_a_translator_is_judged_too,
	   reserved_bits_hide_nothing_behind_a_translator,
	   a_configured_translator_is_what_is_behind_it,
	   never_closes_what_is_outside_of_a_configured_translator_too,
	   prefixes_count_as_a_change_only_when_they_do, who_is_confined_is_held_to_classes,
	   open_role_reaches_what_is_public_and_no_class,
	   a_privileged_option_needs_its_word_in_the_role, each_option_is_a_bit_of_its_own,
	   to_listen_needs_a_rule_for_address_port_and_transport, nobody_listens_without_a_rule,
	   a_rule_holds_on_each_interface, any_policy_denies_whoever_matches_no_role,
	   default_allow_opens_what_is_public, both_user_ids_must_fit,
	   conditions_of_a_line_all_hold_and_any_line_does, unmapped_user_matches_only_who_says_so,
	   the_first_role_that_fits_is_it, generation_counts_and_old_rules_are_gone,
	   stages_have_their_words)
