/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as an option of a router, as the AAAA of ipv4only.arpa and as text of the configuration. What a prefix comes out of
 * must hold an address that comes out of it again, be written and read as the same, and be told by the DNS as it is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/nat64.h"
#include "tests/fuzz/fuzz.h"

#define ADDRESSES_MAX 8

static void check_prefix(const struct nat64_prefix *prefix)
{
	const struct address global = { .family = AF_INET, .bytes = { 9, 8, 7, 6 } };
	char text[ADDRESS_TEXT_SIZE], network[ADDRESS_TEXT_SIZE];
	struct address outer, inner;
	struct nat64_prefix again;

	if (!nat64_synthesise(prefix, &global, &outer) || !nat64_extract(prefix, &outer, &inner) ||
	    !address_equal(&inner, &global))
		abort();
	(void)snprintf(text, sizeof(text), "%s/%u",
		       address_format(&prefix->network, network, sizeof(network)), prefix->len);
	if (nat64_parse_prefix(text, &again) < 0 || !nat64_prefix_equal(prefix, &again))
		abort();
}

static void check_option(const uint8_t *data, size_t size)
{
	struct nat64_prefix prefix;
	uint32_t lifetime_s;

	if (nat64_parse_option(data, size, &prefix, &lifetime_s) < 0)
		return;
	if (size < 16 || lifetime_s % 8 != 0 || lifetime_s > 65528)
		abort();
	check_prefix(&prefix);
}

static void check_answer(const uint8_t *data, size_t size)
{
	struct address addresses[ADDRESSES_MAX];
	struct nat64_prefix prefixes[NAT64_PREFIXES_MAX];
	size_t n = 0;

	for (; n < ADDRESSES_MAX && size >= 16; n++, data += 16, size -= 16) {
		addresses[n] = (struct address){ .family = AF_INET6 };
		memcpy(addresses[n].bytes, data, 16);
	}
	n = nat64_read_well_known(addresses, n, prefixes, NAT64_PREFIXES_MAX);
	if (n > NAT64_PREFIXES_MAX)
		abort();
	for (size_t i = 0; i < n; i++)
		check_prefix(&prefixes[i]);
}

static void check_text(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct nat64_setting setting;

	if (!text)
		abort();
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	if (!nat64_parse_setting(text, &setting)) {
		if (setting.n > NAT64_PREFIXES_MAX || (setting.is_off && setting.n > 0))
			abort();
		for (size_t i = 0; i < setting.n; i++)
			check_prefix(&setting.prefixes[i]);
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_option(data, size);
	check_answer(data, size);
	check_text(data, size);
	return 0;
}
