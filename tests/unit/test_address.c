/* SPDX-License-Identifier: MIT */
/*
 * The vectors (test_vectors.c) say which text is which address. Here the C library is asked about
 * generated text, and the rest of the module is tested. Known differences from it: getaddrinfo
 * takes a number as zone of any IPv6 address; inet_ntop of glibc writes ::/96 with a dotted tail.
 */
#include "protocol/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "tests/support/suite.h"

#define N_GENERATED 20000

static uint64_t random_state = 20240229;

static unsigned int draw(unsigned int n)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned int)(random_state >> 33) % n;
}

/* Text that is an address often enough, and nearly one otherwise. */
static void generate(char *text, size_t size)
{
	static const char *const parts[] = { ":",    "::",	".",	      ":",	 ".",
					     ":",    "0",	"1",	      "ffff",	 "Ff",
					     "0db8", "255",	"256",	      "0x7f",	 "0X1",
					     "010",  "00001",	"10.",	      "1.2.3.4", ":a:b:c",
					     "127",  "%",	"lo",	      " ",	 "g",
					     "08",   "::ffff:", "2130706433", "-" };
	unsigned int n = 1 + draw(9);
	size_t len = 0;

	text[0] = '\0';
	for (unsigned int i = 0; i < n && len < size - 16; i++)
		len += (size_t)snprintf(text + len, size - len, "%s",
					parts[draw(ARRAY_LEN(parts) - (draw(4) ? 10 : 0))]);
}

/*
 * Well-formed text: groups with and without "::", dotted tails, one to four parts in three bases.
 */
static void generate_good(char *text, size_t size)
{
	static const char *const part_formats[] = { "%u", "0x%x", "0%o", "0X%X" };
	unsigned int n = 1 + draw(8);
	unsigned int gap = draw(n + 1);
	size_t len = 0;

	if (draw(3) == 0) {
		n = 1 + draw(4);
		for (unsigned int i = 0; i < n; i++) {
			if (i > 0)
				len += (size_t)snprintf(text + len, size - len, ".");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			len += (size_t)snprintf(text + len, size - len, part_formats[draw(4)],
						draw(i + 1 == n ? 70000 : 258));
#pragma GCC diagnostic pop
		}
		return;
	}
	for (unsigned int i = 0; i < n; i++) {
		const char *separator = i == gap ? "::" : i > 0 ? ":" : "";

		if (i + 1 == n && draw(3) == 0)
			len += (size_t)snprintf(text + len, size - len, "%s%u.%u.%u.%0*u",
						separator, draw(256), draw(256), draw(300),
						draw(8) ? 1 : 2, draw(256) >> draw(8));
		else
			len += (size_t)snprintf(text + len, size - len, "%s%x", separator,
						draw(2) ? draw(65536) : 0);
	}
	if (gap == n)
		(void)snprintf(text + len, size - len, "::");
}

static bool ask_getaddrinfo(const char *text, struct address *ret)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM };
	struct endpoint endpoint;
	struct addrinfo *info;

	if (getaddrinfo(text, NULL, &hints, &info) != 0)
		return false;
	ck_assert_int_eq(endpoint_from_sockaddr(info->ai_addr, info->ai_addrlen, &endpoint), 0);
	freeaddrinfo(info);
	*ret = address_unmap(endpoint.address);
	return true;
}

static bool compare_with_libc(const char *text)
{
	uint8_t expected6[16];
	struct address address = { 0 };
	struct address expected = { 0 };
	bool accepted;

	if (strchr(text, ':')) {
		accepted = address_parse_ipv6(text, &address) == 0;
		ck_assert_msg(accepted == (inet_pton(AF_INET6, text, expected6) == 1),
			      "inet_pton: \"%s\"", text);
		ck_assert_msg(!accepted || memcmp(address.bytes, expected6, 16) == 0,
			      "inet_pton: \"%s\"", text);
	}
	if (strchr(text, '%'))
		return false; /* zones have a test of their own */
	accepted = address_parse(text, &address) == 0;
	ck_assert_msg(accepted == ask_getaddrinfo(text, &expected), "getaddrinfo: \"%s\"", text);
	ck_assert_msg(!accepted || address_equal(&address, &expected), "getaddrinfo: \"%s\"", text);
	if (address_parse_ipv4(text, &address) == 0)
		ck_assert_msg(address_equal(&address, &expected), "ipv4: \"%s\"", text);
	return accepted;
}

START_TEST(generated_text_is_what_the_c_library_says)
{
	size_t n_accepted = 0;
	char text[160];

	for (size_t i = 0; i < N_GENERATED; i++) {
		if (i % 2 == 0)
			generate(text, sizeof(text));
		else
			generate_good(text, sizeof(text));
		n_accepted += compare_with_libc(text);
	}
	/* Else the generator asks only one side of the question. */
	ck_assert_uint_gt(n_accepted, N_GENERATED / 10);
	ck_assert_uint_lt(n_accepted, N_GENERATED - N_GENERATED / 10);
}
END_TEST

static void random_address(struct address *ret)
{
	struct address address = { .family = draw(4) == 0 ? AF_INET : AF_INET6 };

	for (size_t i = 0; i < address_len(&address); i++)
		address.bytes[i] = (uint8_t)(draw(2) ? draw(256) : draw(2) ? 0 : 0xff);
	if (draw(8) == 0 && address.family == AF_INET6)
		memset(address.bytes, 0, 2 * draw(8));
	*ret = address;
}

START_TEST(parse_undoes_format_and_format_is_rfc_5952)
{
	static const uint8_t zeros[12];
	char text[ADDRESS_TEXT_SIZE];
	char expected[INET6_ADDRSTRLEN];

	for (size_t i = 0; i < N_GENERATED; i++) {
		struct address address;
		struct address again;

		random_address(&address);
		(void)address_format(&address, text, sizeof(text));
		if (address.family == AF_INET)
			ck_assert_int_eq(address_parse_ipv4(text, &again), 0);
		else
			ck_assert_int_eq(address_parse_ipv6(text, &again), 0);
		ck_assert_msg(address_equal(&address, &again), "\"%s\"", text);
		if (address.family == AF_INET6 && memcmp(address.bytes, zeros, 12) == 0)
			continue;
		ck_assert_ptr_nonnull(
			inet_ntop(address.family, address.bytes, expected, sizeof(expected)));
		ck_assert_str_eq(text, expected);
	}
}
END_TEST

static const struct {
	const char *text;
	int result;
	const char *formatted;
} scoped[] = {
	{ "fe80::1%lo", 0, "fe80::1%1" },
	{ "fe80::1%1", 0, "fe80::1%1" },
	{ "FE80::0001%0002", 0, "fe80::1%2" },
	{ "ff02::1%7", 0, "ff02::1%7" },
	{ "ff11::1%7", 0, "ff11::1%7" },
	{ "fe80::1%4294967295", 0, "fe80::1%4294967295" },
	{ "fe80::1%0", 0, "fe80::1" },
	{ "fe80::1", 0, "fe80::1" },
	{ "127.1", 0, "127.0.0.1" },
	{ "::ffff:1.2.3.4", 0, "1.2.3.4" },
	{ "fe80::1%no-such-device", -ENODEV, NULL },
	{ "fe80::1%a-name-longer-than-any-device-has", -ENODEV, NULL },
	{ "fe80::1%25lo", -ENODEV, NULL }, /* RFC 6874's "%25" is withdrawn (RFC 9844) */
	{ "fe80::1%lo%lo", -ENODEV, NULL },
	{ "fe80::1%", -EINVAL, NULL },
	{ "fe80::1%4294967296", -EINVAL, NULL },
	{ "%lo", -EINVAL, NULL },
	{ "fe80::g%lo", -EINVAL, NULL },
	{ "2001:db8::1%lo", -EINVAL, NULL }, /* a global address has no zone */
	{ "ff0e::1%1", -EINVAL, NULL },
	{ "::1%lo", -EINVAL, NULL },
	{ "1.2.3.4%lo", -EINVAL, NULL },
	{ "::ffff:1.2.3.4%lo", -EINVAL, NULL },
	{ "fe80:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000%lo", -EINVAL, NULL },
	{ "unix/", -EINVAL, NULL },
	{ "", -EINVAL, NULL },
};

START_TEST(zones_belong_to_link_local_addresses)
{
	char text[ADDRESS_TEXT_SIZE];

	ck_assert_uint_eq(if_nametoindex("lo"), 1);
	for (size_t i = 0; i < ARRAY_LEN(scoped); i++) {
		struct address address = { .family = 4711 };
		int r = address_parse_scoped(scoped[i].text, &address);

		ck_assert_msg(r == scoped[i].result, "\"%s\": %d", scoped[i].text, r);
		if (r < 0)
			ck_assert_int_eq(address.family, 4711);
		else
			ck_assert_str_eq(address_format(&address, text, sizeof(text)),
					 scoped[i].formatted);
	}
}
END_TEST

START_TEST(refused_text_leaves_the_output_alone)
{
	static const char *const texts[] = { "",    "1.2.3.256", "1.2.3.4.5", "::1::",
					     "1:2", "host",	 " 1.2.3.4",  "0x" };
	struct address address = { .family = 4711 };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		ck_assert_int_eq(address_parse_ipv4(texts[i], &address), -EINVAL);
		ck_assert_int_eq(address_parse_ipv6(texts[i], &address), -EINVAL);
		ck_assert_int_eq(address_parse(texts[i], &address), -EINVAL);
		ck_assert_int_eq(address.family, 4711);
	}
}
END_TEST

START_TEST(what_does_not_fit_is_not_cut_to_another_address)
{
	struct endpoint endpoint = { .port = 65535 };
	char text[ENDPOINT_TEXT_SIZE];

	ck_assert_int_eq(address_parse("10.20.30.40", &endpoint.address), 0);
	ck_assert_str_eq(address_format(&endpoint.address, text, sizeof("10.20.30.40")),
			 "10.20.30.40");
	ck_assert_str_eq(address_format(&endpoint.address, text, sizeof("10.20.30.40") - 1), "");
	ck_assert_str_eq(endpoint_format(&endpoint, text, sizeof("10.20.30.40:65535")),
			 "10.20.30.40:65535");
	ck_assert_str_eq(endpoint_format(&endpoint, text, sizeof("10.20.30.40:65535") - 1), "");
	text[0] = 'x';
	ck_assert_ptr_eq(address_format(&endpoint.address, text, 0), text);
	ck_assert_int_eq(text[0], 'x');
}
END_TEST

START_TEST(the_longest_text_fits)
{
	struct endpoint endpoint = { .port = 65535,
				     .address = { .family = AF_INET6, .scope = UINT32_MAX } };
	char text[ENDPOINT_TEXT_SIZE];

	memset(endpoint.address.bytes, 0xee, 16);
	ck_assert_str_eq(address_format(&endpoint.address, text, ADDRESS_TEXT_SIZE),
			 "eeee:eeee:eeee:eeee:eeee:eeee:eeee:eeee%4294967295");
	ck_assert_str_eq(endpoint_format(&endpoint, text, ENDPOINT_TEXT_SIZE),
			 "[eeee:eeee:eeee:eeee:eeee:eeee:eeee:eeee%4294967295]:65535");
	ck_assert_str_eq(address_format_plain(&endpoint.address, text, ADDRESS_TEXT_SIZE),
			 "eeee:eeee:eeee:eeee:eeee:eeee:eeee:eeee");
}
END_TEST

static const struct {
	const char *address;
	const char *network;
	unsigned int prefix_len;
	bool inside;
} networks[] = {
	{ "10.1.2.3", "10.0.0.0", 8, true },
	{ "11.1.2.3", "10.0.0.0", 8, false },
	{ "172.31.255.255", "172.16.0.0", 12, true },
	{ "172.32.0.0", "172.16.0.0", 12, false },
	{ "192.168.1.1", "192.168.1.1", 32, true },
	{ "192.168.1.0", "192.168.1.1", 32, false },
	{ "192.168.1.0", "192.168.1.1", 31, true },
	{ "255.255.255.255", "0.0.0.0", 0, true },
	{ "10.1.2.3", "10.1.2.3", 33, false },
	{ "febf::1", "fe80::", 10, true },
	{ "fec0::1", "fe80::", 10, false },
	{ "2001:db8::1", "2001:db8::1", 128, true },
	{ "2001:db8::2", "2001:db8::1", 128, false },
	{ "2001:db8::1", "2001:db8::1", 129, false },
	{ "::", "::", 0, true },
	{ "0.0.0.0", "::", 0, false },
	{ "fe80::1%3", "fe80::", 10, true },
	{ "fe80::1%3", "fe80::%3", 10, true },
	{ "fe80::1%3", "fe80::%4", 10, false },
	{ "fe80::1", "fe80::%4", 10, false },
};

START_TEST(networks_hold_the_addresses_with_their_prefix)
{
	struct address unix_token = { .family = AF_UNIX };

	for (size_t i = 0; i < ARRAY_LEN(networks); i++) {
		struct address address;
		struct address network;

		ck_assert_int_eq(address_parse_scoped(networks[i].address, &address), 0);
		ck_assert_int_eq(address_parse_scoped(networks[i].network, &network), 0);
		ck_assert_msg(address_in_network(&address, &network, networks[i].prefix_len) ==
				      networks[i].inside,
			      "%s in %s/%u", networks[i].address, networks[i].network,
			      networks[i].prefix_len);
	}
	ck_assert(!address_in_network(&unix_token, &unix_token, 0));
}
END_TEST

START_TEST(equal_means_family_bytes_scope_and_port)
{
	struct endpoint a = {
		.port = 80, .address = { .family = AF_INET6, .scope = 1, .bytes = { 0xfe, 0x80 } }
	};
	struct endpoint b = a;

	ck_assert(endpoint_equal(&a, &b));
	b.port = 81;
	ck_assert(!endpoint_equal(&a, &b));
	b = a;
	b.address.scope = 2;
	ck_assert(!endpoint_equal(&a, &b));
	b = a;
	b.address.bytes[15] = 1;
	ck_assert(!endpoint_equal(&a, &b));
	b = a;
	b.address.family = AF_INET;
	ck_assert(!endpoint_equal(&a, &b));
}
END_TEST

START_TEST(the_kernels_form_goes_both_ways)
{
	static const char *const texts[] = { "1.2.3.4", "::1", "fe80::1%3", "2001:db8::1" };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct endpoint endpoint = { .port = 443 };
		struct endpoint again;
		struct sockaddr_storage storage;
		socklen_t len;

		ck_assert_int_eq(address_parse_scoped(texts[i], &endpoint.address), 0);
		ck_assert_int_eq(endpoint_to_sockaddr(&endpoint, &storage, &len), 0);
		ck_assert_int_eq(storage.ss_family, endpoint.address.family);
		ck_assert_int_eq(endpoint_from_sockaddr((struct sockaddr *)&storage, len, &again),
				 0);
		ck_assert(endpoint_equal(&endpoint, &again));
		ck_assert_int_eq(
			endpoint_from_sockaddr((struct sockaddr *)&storage, len - 1, &again),
			-EINVAL);
		ck_assert_int_eq(endpoint_from_sockaddr((struct sockaddr *)&storage, 0, &again),
				 -EINVAL);
	}
}
END_TEST

START_TEST(a_scope_where_none_belongs_is_dropped)
{
	struct sockaddr_in6 sockaddr = { .sin6_family = AF_INET6, .sin6_scope_id = 5 };
	struct endpoint endpoint;

	ck_assert_int_eq(inet_pton(AF_INET6, "2001:db8::1", &sockaddr.sin6_addr), 1);
	ck_assert_int_eq(
		endpoint_from_sockaddr((struct sockaddr *)&sockaddr, sizeof(sockaddr), &endpoint),
		0);
	ck_assert_uint_eq(endpoint.address.scope, 0);
}
END_TEST

START_TEST(other_families_are_refused)
{
	struct endpoint endpoint = { .address = { .family = AF_UNIX } };
	struct sockaddr_un sockaddr = { .sun_family = AF_UNIX };
	struct sockaddr_storage storage;
	char text[ADDRESS_TEXT_SIZE];
	socklen_t len;

	ck_assert_int_eq(endpoint_to_sockaddr(&endpoint, &storage, &len), -EAFNOSUPPORT);
	ck_assert_int_eq(
		endpoint_from_sockaddr((struct sockaddr *)&sockaddr, sizeof(sockaddr), &endpoint),
		-EAFNOSUPPORT);
	ck_assert_uint_eq(address_len(&endpoint.address), 0);
	endpoint.address.family = AF_UNSPEC;
	ck_assert_str_eq(address_format(&endpoint.address, text, sizeof(text)), "");
}
END_TEST

SUITE_MAIN("address", generated_text_is_what_the_c_library_says,
	   parse_undoes_format_and_format_is_rfc_5952, zones_belong_to_link_local_addresses,
	   refused_text_leaves_the_output_alone, what_does_not_fit_is_not_cut_to_another_address,
	   the_longest_text_fits, networks_hold_the_addresses_with_their_prefix,
	   equal_means_family_bytes_scope_and_port, the_kernels_form_goes_both_ways,
	   a_scope_where_none_belongs_is_dropped, other_families_are_refused)
