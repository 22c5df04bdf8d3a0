/* SPDX-License-Identifier: MIT */
#include "daemon/base/nat64.h"

#include <stdio.h>
#include <string.h>

#include "protocol/text.h"

#define OPTION_PREF64 38
#define OPTION_BYTES  16

static const uint8_t lengths[] = { 96, 64, 56, 48, 40, 32 }; /* by the code of RFC 8781 */

struct network {
	uint8_t bytes[4];
	uint8_t len;
};

/* RFC 1122 section 3.2.1.3, RFC 3927, RFC 5771, RFC 1112 section 4. */
static const struct network untranslatable[] = {
	{ { 0 }, 8 }, { { 127 }, 8 }, { { 169, 254 }, 16 }, { { 224 }, 4 }, { { 240 }, 4 },
};

/* RFC 1918, RFC 6598, and RFC 5735 section 3. */
static const struct network not_global[] = {
	{ { 10 }, 8 },		 { { 172, 16 }, 12 },	{ { 192, 168 }, 16 },
	{ { 100, 64 }, 10 },	 { { 192, 0, 0 }, 24 }, { { 192, 0, 2 }, 24 },
	{ { 192, 88, 99 }, 24 }, { { 198, 18 }, 15 },	{ { 198, 51, 100 }, 24 },
	{ { 203, 0, 113 }, 24 },
};

static const struct nat64_prefix well_known = {
	.network = { .family = AF_INET6, .bytes = { 0, 0x64, 0xff, 0x9b } }, .len = 96
};

static bool is_length(unsigned int len)
{
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++)
		if (lengths[i] == len)
			return true;
	return false;
}

/* Networks in which no translator can be: this host, IPv4 in its other forms, the link, groups. */
static bool is_usable(const struct nat64_prefix *prefix)
{
	static const uint8_t zeros[8];
	const uint8_t *b = prefix->network.bytes;

	/* ::/64 has ::1, mapped and compatible addresses. */
	if (memcmp(b, zeros, sizeof(zeros)) == 0 || b[0] == 0xff ||
	    (b[0] == 0xfe && (b[1] & 0x80) != 0))
		return false;
	return prefix->len < 96 || b[8] == 0; /* RFC 6052 section 2.2 */
}

/* The place of the i-th byte of the IPv4 address: they follow the prefix and leave out bits 64 to 71. */
static size_t place_of(const struct nat64_prefix *prefix, size_t i)
{
	size_t place = prefix->len / 8 + i;

	return prefix->len < 96 && place >= 8 ? place + 1 : place;
}

static bool set_prefix(struct nat64_prefix *ret, const uint8_t *bytes, size_t n_bytes, uint8_t len)
{
	struct nat64_prefix prefix = { .network = { .family = AF_INET6 }, .len = len };
	size_t n = len / 8;

	memcpy(prefix.network.bytes, bytes, n < n_bytes ? n : n_bytes);
	if (!is_usable(&prefix))
		return false;
	*ret = prefix;
	return true;
}

int nat64_parse_prefix(const char *text, struct nat64_prefix *ret)
{
	const char *slash = strchr(text, '/');
	char address_text[ADDRESS_TEXT_SIZE];
	struct address address;
	struct nat64_prefix prefix;
	uint64_t len;

	if (!slash || (size_t)(slash - text) >= sizeof(address_text))
		return -EINVAL;
	memcpy(address_text, text, (size_t)(slash - text));
	address_text[slash - text] = '\0';
	if (address_parse_ipv6(address_text, &address) < 0 || !strchr(address_text, ':') ||
	    text_parse_uint(slash + 1, 96, &len) < 0 || !is_length((unsigned int)len) ||
	    !set_prefix(&prefix, address.bytes, sizeof(address.bytes), (uint8_t)len))
		return -EINVAL;
	/* Bits behind the prefix are a mistake of somebody's. */
	if (memcmp(prefix.network.bytes, address.bytes, sizeof(address.bytes)) != 0)
		return -EINVAL;
	*ret = prefix;
	return 0;
}

const char *nat64_parse_setting(const char *text, struct nat64_setting *ret)
{
	static const char blanks[] = " \t";
	struct nat64_setting setting = { .is_off = strcmp(text, "no") == 0 };
	bool has_word = setting.is_off || strcmp(text, "auto") == 0;
	size_t len;

	for (const char *word = text; !has_word; word += len) {
		char copy[ADDRESS_TEXT_SIZE];

		word += strspn(word, blanks);
		len = strcspn(word, blanks);
		if (len == 0)
			break;
		if (setting.n == NAT64_PREFIXES_MAX)
			return "there are at most 8 prefixes";
		(void)snprintf(copy, sizeof(copy), "%.*s", (int)len, word);
		if (len >= sizeof(copy) ||
		    nat64_parse_prefix(copy, &setting.prefixes[setting.n]) < 0)
			return "expected auto, no, or prefixes such as 2001:db8:64::/96, each of 32, 40, 48, 56, 64 or 96 bits";
		setting.n++;
	}
	if (!has_word && setting.n == 0)
		return "expected auto, no, or prefixes";
	*ret = setting;
	return NULL;
}

bool nat64_prefix_equal(const struct nat64_prefix *a, const struct nat64_prefix *b)
{
	return a->len == b->len && address_equal(&a->network, &b->network);
}

static bool is_in(const struct address *address, const struct network *networks, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct address network = { .family = AF_INET };

		memcpy(network.bytes, networks[i].bytes, sizeof(networks[i].bytes));
		if (address_in_network(address, &network, networks[i].len))
			return true;
	}
	return false;
}

bool nat64_is_untranslatable(const struct address *address)
{
	return is_in(address, untranslatable, ARRAY_LEN(untranslatable));
}

bool nat64_synthesise(const struct nat64_prefix *prefix, const struct address *address,
		      struct address *ret)
{
	struct address made = prefix->network;

	if (address->family != AF_INET || nat64_is_untranslatable(address))
		return false;
	if (nat64_prefix_equal(prefix, &well_known) &&
	    is_in(address, not_global, ARRAY_LEN(not_global)))
		return false;
	for (size_t i = 0; i < 4; i++)
		made.bytes[place_of(prefix, i)] = address->bytes[i];
	*ret = made;
	return true;
}

bool nat64_extract(const struct nat64_prefix *prefix, const struct address *address,
		   struct address *ret)
{
	struct address inner = { .family = AF_INET };

	if (!address_in_network(address, &prefix->network, prefix->len))
		return false;
	for (size_t i = 0; i < 4; i++)
		inner.bytes[i] = address->bytes[place_of(prefix, i)];
	*ret = inner;
	return true;
}

int nat64_parse_option(const uint8_t *bytes, size_t len, struct nat64_prefix *ret,
		       uint32_t *ret_lifetime_s)
{
	unsigned int scaled, code;

	if (len < OPTION_BYTES || bytes[0] != OPTION_PREF64 || bytes[1] != OPTION_BYTES / 8)
		return -EINVAL;
	scaled = (unsigned int)bytes[2] << 8 | bytes[3];
	code = scaled & 7;
	if (code >= ARRAY_LEN(lengths) || !set_prefix(ret, bytes + 4, 12, lengths[code]))
		return -EINVAL;
	*ret_lifetime_s = scaled & 0xfff8; /* in units of 8 seconds */
	return 0;
}

static bool is_well_known(const struct address *address)
{
	static const uint8_t bytes[3] = { 192, 0, 0 };

	return memcmp(address->bytes, bytes, sizeof(bytes)) == 0 &&
	       (address->bytes[3] == 170 || address->bytes[3] == 171);
}

/* RFC 7050 section 3: at exactly one place; and bits 64 to 71 are 0 (RFC 6052 section 2.2). */
static bool find_prefix(const struct address *address, struct nat64_prefix *ret)
{
	struct nat64_prefix prefix;
	struct address inner;
	size_t n = 0;

	if (address->bytes[8] != 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		if (!set_prefix(&prefix, address->bytes, sizeof(address->bytes), lengths[i]) ||
		    !nat64_extract(&prefix, address, &inner) || !is_well_known(&inner))
			continue;
		*ret = prefix;
		n++;
	}
	return n == 1;
}

size_t nat64_read_well_known(const struct address *addresses, size_t n, struct nat64_prefix *ret,
			     size_t max)
{
	size_t n_found = 0;

	for (size_t i = 0; i < n && n_found < max; i++) {
		struct nat64_prefix prefix;
		size_t j = 0;

		if (addresses[i].family != AF_INET6 || !find_prefix(&addresses[i], &prefix))
			continue;
		while (j < n_found && !nat64_prefix_equal(&ret[j], &prefix))
			j++;
		if (j == n_found)
			ret[n_found++] = prefix;
	}
	return n_found;
}
