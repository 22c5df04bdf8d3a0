/* SPDX-License-Identifier: MIT */
/*
 * Embedded forms looked at: IPv4-mapped and IPv4-compatible (RFC 4291 section 2.5.5), NAT64 well-known and local-use
 * (RFC 6052, RFC 8215), 6to4 (RFC 3056), Teredo (RFC 4380, the client's address is stored inverted) and ISATAP
 * (RFC 5214).
 */
#include "daemon/policy/class.h"

#include <string.h>

#include "protocol/cleanup.h"

struct network {
	const char *address;
	unsigned int prefix_len;
	enum address_class class;
};

static const struct network classes[] = {
	{ "0.0.0.0", 8, CLASS_LOOPBACK },	 { "127.0.0.0", 8, CLASS_LOOPBACK },
	{ "10.0.0.0", 8, CLASS_PRIVATE },	 { "172.16.0.0", 12, CLASS_PRIVATE },
	{ "192.168.0.0", 16, CLASS_PRIVATE },	 { "100.64.0.0", 10, CLASS_PRIVATE },
	{ "169.254.0.0", 16, CLASS_LINK_LOCAL }, { "224.0.0.0", 4, CLASS_MULTICAST },
	{ "240.0.0.0", 4, CLASS_MULTICAST },	 { "::", 128, CLASS_LOOPBACK },
	{ "::1", 128, CLASS_LOOPBACK },		 { "fc00::", 7, CLASS_PRIVATE },
	{ "fec0::", 10, CLASS_PRIVATE },	 { "fe80::", 10, CLASS_LINK_LOCAL },
	{ "ff00::", 8, CLASS_MULTICAST },
};

/* Amazon EC2, Google, Azure, OpenStack; Amazon ECS and EKS; Alibaba; Oracle; Azure's host agent. */
static const char *const metadata[] = {
	"169.254.169.254", "169.254.170.2", "169.254.170.23", "100.100.100.200", "192.0.0.192",
	"168.63.129.16",   "fd00:ec2::254", "fd00:ec2::23",   "fd20:ce::254",	 "fe80::a9fe:a9fe",
};

static bool starts_with(const struct address *address, const uint8_t *prefix, size_t len)
{
	return memcmp(address->bytes, prefix, len) == 0;
}

static void add_inner(struct address ret[CLASS_FORMS_MAX], size_t *n, const uint8_t *bytes,
		      uint8_t mask)
{
	struct address inner = { .family = AF_INET };

	for (size_t i = 0; i < 4; i++)
		inner.bytes[i] = bytes[i] ^ mask;
	if (*n < CLASS_FORMS_MAX)
		ret[(*n)++] = inner;
}

/*
 * RFC 8215 leaves the length of the prefix open, and RFC 6052 section 2.2 puts the address elsewhere for each. Where one of
 * them yields 0.0.0.0/8 it is not the one: nothing is behind these addresses, and the unused bytes are zeros.
 */
static void add_translated(struct address ret[CLASS_FORMS_MAX], size_t *n, const uint8_t *bytes)
{
	static const uint8_t places[][4] = {
		{ 6, 7, 9, 10 }, { 7, 9, 10, 11 }, { 9, 10, 11, 12 }, { 12, 13, 14, 15 }
	};

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		uint8_t inner[4];

		for (size_t j = 0; j < sizeof(inner); j++)
			inner[j] = bytes[places[i][j]];
		if (inner[0] != 0)
			add_inner(ret, n, inner, 0);
	}
}

size_t class_forms(const struct address *address, struct address ret[CLASS_FORMS_MAX])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	static const uint8_t translated[12] = { [8] = 0xff, [9] = 0xff };
	static const uint8_t compatible[12] = { 0 };
	static const uint8_t nat64[12] = { 0x00, 0x64, 0xff, 0x9b };
	static const uint8_t nat64_local[6] = { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 };
	static const uint8_t six_to_four[2] = { 0x20, 0x02 };
	static const uint8_t teredo[4] = { 0x20, 0x01 };
	const uint8_t *b = address->bytes;
	size_t n = 0;

	ret[n++] = *address;
	if (address->family != AF_INET6)
		return n;
	if (starts_with(address, mapped, 12) || starts_with(address, translated, 12) ||
	    starts_with(address, nat64, 12))
		add_inner(ret, &n, b + 12, 0);
	else if (starts_with(address, compatible, 12) && memcmp(b + 12, "\0\0\0", 3) != 0)
		add_inner(ret, &n, b + 12, 0);
	else if (starts_with(address, six_to_four, 2))
		add_inner(ret, &n, b + 2, 0);
	else if (starts_with(address, teredo, 4))
		add_inner(ret, &n, b + 12, 0xff);
	else if (starts_with(address, nat64_local, 6))
		add_translated(ret, &n, b);
	if ((b[8] & 0xfd) == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe)
		add_inner(ret, &n, b + 12, 0);
	return n;
}

static enum address_class class_of_form(const struct address *address)
{
	struct address network;

	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		if (address_parse_ipv4(classes[i].address, &network) < 0 &&
		    address_parse_ipv6(classes[i].address, &network) < 0)
			continue;
		if (address_in_network(address, &network, classes[i].prefix_len))
			return classes[i].class;
	}
	return CLASS_PUBLIC;
}

enum address_class class_of(const struct address *address)
{
	struct address forms[CLASS_FORMS_MAX];
	size_t n = class_forms(address, forms);

	for (size_t i = 0; i < n; i++) {
		enum address_class class = class_of_form(&forms[i]);

		if (class != CLASS_PUBLIC)
			return class;
	}
	return CLASS_PUBLIC;
}

bool class_is_metadata(const struct address *address)
{
	struct address forms[CLASS_FORMS_MAX], service;
	size_t n = class_forms(address, forms);

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < ARRAY_LEN(metadata); j++)
			if ((address_parse_ipv4(metadata[j], &service) == 0 ||
			     address_parse_ipv6(metadata[j], &service) == 0) &&
			    address_in_network(&forms[i], &service,
					       forms[i].family == AF_INET ? 32 : 128))
				return true;
	return false;
}
