/* SPDX-License-Identifier: MIT */
/*
 * Answers put together by hand, and what is taken from them.
 */
#include "daemon/resolve/dns-answer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"

struct part {
	const char *data;
	size_t len;
};
#define PART(text)                       \
	{                                \
		(text), sizeof(text) - 1 \
	}

/* n parts, of which the first n_chain are links. */
static struct dns_answer *make(uint16_t type, size_t n_chain, const struct part *parts, size_t n)
{
	struct dns_answer *answer = NULL;
	size_t len = 0, at = 0;

	for (size_t i = 0; i < n; i++)
		len += sizeof(uint16_t) + parts[i].len;
	ck_assert_int_eq(dns_answer_new(&answer, len), 0);
	answer->type = type;
	answer->n_chain = (uint16_t)n_chain;
	answer->n_records = (uint16_t)(n - n_chain);
	for (size_t i = 0; i < n; i++) {
		uint16_t part_len = (uint16_t)parts[i].len;

		memcpy(answer->bytes + at, &part_len, sizeof(part_len));
		memcpy(answer->bytes + at + sizeof(part_len), parts[i].data, part_len);
		at += sizeof(part_len) + part_len;
	}
	return answer;
}

START_TEST(a_new_answer_is_empty)
{
	CLEANUP(dns_answer_freep) struct dns_answer *answer = NULL;
	struct dns_cursor cursor = { 0 };
	struct dns_record record;

	ck_assert_int_eq(dns_answer_new(&answer, 7), 0);
	ck_assert_uint_eq(answer->len, 7);
	ck_assert_uint_eq(answer->ede, DNS_EDE_NONE);
	ck_assert_str_eq(dns_answer_get_ede_text(answer), "");
	ck_assert_uint_eq(answer->n_chain + answer->n_records, 0);
	ck_assert(!dns_answer_next(answer, &cursor, &record));
	for (size_t i = 0; i < 7; i++)
		ck_assert_uint_eq(answer->bytes[i], 0);
	ck_assert_uint_eq(dns_answer_get_size(answer), sizeof(*answer) + 7);
	ck_assert_ptr_null(dns_answer_free(NULL));
}
END_TEST

START_TEST(the_chain_comes_before_the_records)
{
	static const struct part parts[] = { PART("\x01"
						  "a\x00"),
					     PART("\x01"
						  "b\x00"),
					     PART("\x03txt"), PART(""), PART("\x01x\x01y") };
	CLEANUP(dns_answer_freep) struct dns_answer *answer = make(16, 2, parts, ARRAY_LEN(parts));
	struct dns_cursor cursor = { 0 }, other = { 0 };
	struct dns_record record, again;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		ck_assert(dns_answer_next(answer, &cursor, &record));
		ck_assert_uint_eq(record.type, i < 2 ? DNS_TYPE_CNAME : 16);
		ck_assert_uint_eq(record.len, parts[i].len);
		ck_assert(memcmp(record.data, parts[i].data, record.len) == 0);
		if (i != 1)
			continue;
		/* Cursors know nothing of each other. */
		ck_assert(dns_answer_next(answer, &other, &again));
		ck_assert_ptr_eq(again.data, answer->bytes + 2);
	}
	for (int i = 0; i < 3; i++)
		ck_assert(!dns_answer_next(answer, &cursor, &record));
	ck_assert_uint_eq(record.len, 4); /* untouched */
}
END_TEST

/* The link is as long as an address. */
START_TEST(addresses_are_those_of_the_type)
{
	static const struct part parts[] = { PART("\x02"
						  "aa\x00"),
					     PART("\x01\x02\x03\x04"), PART("\x05\x06\x07\x08"),
					     PART("\x09\x0a\x0b\x0c") };
	static const struct part parts6[] = { PART("0123456789abcdef") };
	CLEANUP(dns_answer_freep)
	struct dns_answer *answer = make(DNS_TYPE_A, 1, parts, ARRAY_LEN(parts));
	CLEANUP(dns_answer_freep) struct dns_answer *answer6 = make(DNS_TYPE_AAAA, 0, parts6, 1);
	struct address addresses[4];

	ck_assert_uint_eq(dns_answer_get_addresses(answer, addresses, 4), 3);
	for (size_t i = 0; i < 3; i++) {
		ck_assert_int_eq(addresses[i].family, AF_INET);
		ck_assert_mem_eq(addresses[i].bytes, parts[1 + i].data, 4);
	}
	memset(addresses, 0x5a, sizeof(addresses));
	ck_assert_uint_eq(dns_answer_get_addresses(answer, addresses, 2), 2);
	ck_assert_int_eq(addresses[2].family, 0x5a5a5a5a); /* untouched */
	ck_assert_uint_eq(dns_answer_get_addresses(answer, addresses, 0), 0);
	ck_assert_uint_eq(dns_answer_get_addresses(answer6, addresses, 4), 1);
	ck_assert_int_eq(addresses[0].family, AF_INET6);
	ck_assert_mem_eq(addresses[0].bytes, "0123456789abcdef", 16);
}
END_TEST

START_TEST(other_types_have_no_addresses)
{
	static const struct part parts[] = { PART("\x01\x02\x03\x04"), PART("0123456789abcdef") };
	static const uint16_t types[] = {
		0, DNS_TYPE_CNAME, DNS_TYPE_SRV, 16, DNS_TYPE_HTTPS, 65535
	};
	struct address address;

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		CLEANUP(dns_answer_freep) struct dns_answer *answer = make(types[i], 0, parts, 2);

		ck_assert_uint_eq(dns_answer_get_addresses(answer, &address, 1), 0);
	}
}
END_TEST

START_TEST(the_canonical_name_is_the_end_of_the_chain)
{
	static const struct part parts[] = { PART("\x03www\x01"
						  "B\x00"),
					     PART("\x01"
						  "C\x01"
						  "d\x00"),
					     PART("\x01\x02\x03\x04") };
	char canonical[LIMIT_NAME_BYTES + 1];

	for (size_t n_chain = 0; n_chain <= 2; n_chain++) {
		static const char *const expected[] = { "www.example", "www.b", "c.d" };
		CLEANUP(dns_answer_freep)
		struct dns_answer *answer = make(DNS_TYPE_A, n_chain, parts, 3);

		ck_assert_int_eq(dns_answer_get_canonical(answer, "WWW.Example", canonical), 0);
		ck_assert_str_eq(canonical, expected[n_chain]);
	}
}
END_TEST

START_TEST(a_name_asked_for_is_taken_as_it_is)
{
	CLEANUP(dns_answer_freep) struct dns_answer *answer = make(DNS_TYPE_PTR, 0, NULL, 0);
	char canonical[LIMIT_NAME_BYTES + 1];

	ck_assert_int_eq(dns_answer_get_canonical(answer, "0/25.2.0.192.IN-ADDR.ARPA", canonical),
			 0);
	ck_assert_str_eq(canonical, "0/25.2.0.192.in-addr.arpa");
}
END_TEST

START_TEST(a_canonical_name_is_a_host)
{
	static const struct {
		const char *label; /* three bytes and the NUL */
		const char *text;  /* NULL: no host */
	} samples[] = {
		{ "abc", "abc" },
		{ "A-Z", "a-z" },
		{ "_x9", "_x9" },
		{ "a\0b", NULL },
		{ "a.b", NULL },
		{ "a/b", NULL },
		{ "a b", NULL },
		{ "a\tb", NULL },
		{ "a\nb", NULL },
		{ "a\\b", NULL },
		{ "a\x7f"
		  "b",
		  NULL },
		{ "a\x80"
		  "b",
		  NULL },
		{ "a\xff"
		  "b",
		  NULL },
		{ "\xc3\xbc"
		  "b",
		  NULL },
		{ "\x1b[m", NULL },
	};
	char canonical[LIMIT_NAME_BYTES + 1];

	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		char data[] = "\x03***";
		const struct part part = { data, sizeof(data) };
		CLEANUP(dns_answer_freep) struct dns_answer *answer = NULL;
		int r;

		(void)snprintf(canonical, sizeof(canonical), "untouched");
		memcpy(data + 1, samples[i].label, 3);
		answer = make(DNS_TYPE_A, 1, &part, 1);
		r = dns_answer_get_canonical(answer, "a", canonical);
		ck_assert_int_eq(r, samples[i].text ? 0 : -EBADMSG);
		ck_assert_str_eq(canonical, samples[i].text ? samples[i].text : "untouched");
	}
}
END_TEST

START_TEST(the_root_is_no_host)
{
	static const struct part root = PART("\x00");
	CLEANUP(dns_answer_freep) struct dns_answer *answer = make(DNS_TYPE_A, 1, &root, 1);
	char canonical[LIMIT_NAME_BYTES + 1];

	ck_assert_int_eq(dns_answer_get_canonical(answer, "a", canonical), -EBADMSG);
}
END_TEST

START_TEST(a_copy_is_the_same_and_by_itself)
{
	static const struct part parts[] = { PART("\x01"
						  "a\x00"),
					     PART("\x01\x02\x03\x04"), PART("text\x00") };
	CLEANUP(dns_answer_freep) struct dns_answer *answer = make(DNS_TYPE_A, 1, parts, 3);
	CLEANUP(dns_answer_freep) struct dns_answer *copy = NULL;
	CLEANUP(freep) void *before = NULL;
	size_t size = dns_answer_get_size(answer);

	answer->n_records =
		1; /* what was the last is the text now, with two octets of a length before it */
	answer->ede = 15;
	answer->ede_text = answer->len - 5;
	answer->rcode = DNS_RCODE_SERVFAIL;
	answer->ttl_s = 77;
	answer->authenticated = answer->confidential = true;
	answer->transport = DNS_TRANSPORT_TLS;
	answer->rtt_us = 1234;
	answer->server.port = 853;
	before = malloc(size);
	ck_assert_ptr_nonnull(before);
	memcpy(before, answer, size);
	ck_assert_int_eq(dns_answer_copy(answer, &copy), 0);
	ck_assert_ptr_ne(copy, answer);
	ck_assert_uint_eq(dns_answer_get_size(copy), size);
	ck_assert(memcmp(copy, before, size) == 0);
	ck_assert_str_eq(dns_answer_get_ede_text(copy), "text");
	memset(answer, 0, size);
	ck_assert(memcmp(copy, before, size) == 0);
}
END_TEST

START_TEST(a_partial_answer_and_its_rest_are_one)
{
	static const struct part links[] = { PART("\x01"
						  "a\x00"),
					     PART("\x01"
						  "b\x00") };
	static const struct part rest_parts[] = { PART("\x01"
						       "c\x00"),
						  PART("\x01\x02\x03\x04"), PART("text\x00") };
	CLEANUP(dns_answer_freep) struct dns_answer *part = make(DNS_TYPE_A, 2, links, 2);
	CLEANUP(dns_answer_freep) struct dns_answer *rest = make(DNS_TYPE_A, 1, rest_parts, 3);
	CLEANUP(dns_answer_freep) struct dns_answer *joined = NULL;
	char canonical[LIMIT_NAME_BYTES + 1];
	struct dns_cursor cursor = { 0 };
	struct dns_record record;
	struct address address;

	part->is_partial = part->authenticated = part->confidential = true;
	part->ttl_s = 10;
	part->rtt_us = 100;
	rest->n_records = 1;
	rest->ede = 15;
	rest->ede_text = rest->len - 5;
	rest->rcode = DNS_RCODE_NXDOMAIN;
	rest->authenticated = true;
	rest->transport = DNS_TRANSPORT_TCP;
	rest->ttl_s = 20;
	rest->rtt_us = 1000;
	ck_assert_int_eq(dns_answer_join(part, rest, &joined), 0);
	ck_assert_uint_eq(joined->n_chain, 3);
	ck_assert_uint_eq(joined->n_records, 1);
	ck_assert_uint_eq(joined->rcode, DNS_RCODE_NXDOMAIN);
	ck_assert_uint_eq(joined->ttl_s, 10);
	ck_assert_uint_eq(joined->rtt_us, 1100);
	ck_assert(joined->authenticated && !joined->confidential && !joined->is_partial);
	ck_assert_int_eq(joined->transport, DNS_TRANSPORT_TCP);
	ck_assert_uint_eq(joined->ede, 15);
	ck_assert_str_eq(dns_answer_get_ede_text(joined), "text");
	ck_assert_int_eq(dns_answer_get_canonical(joined, "x", canonical), 0);
	ck_assert_str_eq(canonical, "c");
	ck_assert_uint_eq(dns_answer_get_addresses(joined, &address, 1), 1);
	ck_assert_mem_eq(address.bytes, "\x01\x02\x03\x04", 4);
	for (size_t i = 0; i < 3; i++) {
		ck_assert(dns_answer_next(joined, &cursor, &record));
		ck_assert_uint_eq(record.data[1], 'a' + i);
	}
}
END_TEST

START_TEST(what_an_answer_says_without_its_rest_is_not_taken_over)
{
	static const struct part part_parts[] = { PART("\x01"
						       "a\x00"),
						  PART("text\x00") };
	static const struct part rest_parts[] = { PART("\x01\x02\x03\x04") };
	CLEANUP(dns_answer_freep) struct dns_answer *part = make(DNS_TYPE_A, 1, part_parts, 2);
	CLEANUP(dns_answer_freep) struct dns_answer *rest = make(DNS_TYPE_A, 0, rest_parts, 1);
	CLEANUP(dns_answer_freep) struct dns_answer *joined = NULL;

	part->n_records = 0; /* only its extended error is behind the chain */
	part->ede = 15;
	part->ede_text = part->len - 5;
	ck_assert_int_eq(dns_answer_join(part, rest, &joined), 0);
	ck_assert_uint_eq(joined->ede, DNS_EDE_NONE);
	ck_assert_str_eq(dns_answer_get_ede_text(joined), "");
	ck_assert_uint_eq(joined->len, 2 + 3 + 2 + 4);
}
END_TEST

START_TEST(joined_chains_have_at_most_16_links)
{
	static const struct part links[LIMIT_CNAME_CHAIN] = { [0 ... LIMIT_CNAME_CHAIN - 1] =
								      PART("\x01"
									   "a\x00") };

	for (size_t n = 0; n <= LIMIT_CNAME_CHAIN; n++) {
		CLEANUP(dns_answer_freep) struct dns_answer *part = make(DNS_TYPE_A, n, links, n);
		CLEANUP(dns_answer_freep) struct dns_answer *rest = make(DNS_TYPE_A, 8, links, 8);
		CLEANUP(dns_answer_freep) struct dns_answer *joined = NULL;

		ck_assert_int_eq(dns_answer_join(part, rest, &joined),
				 n <= LIMIT_CNAME_CHAIN - 8 ? 0 : -EBADMSG);
		ck_assert(!joined || joined->n_chain == n + 8);
	}
}
END_TEST

START_TEST(transports_have_names)
{
	ck_assert_str_eq(dns_transport_name(DNS_TRANSPORT_UDP), "udp");
	ck_assert_str_eq(dns_transport_name(DNS_TRANSPORT_TCP), "tcp");
	ck_assert_str_eq(dns_transport_name(DNS_TRANSPORT_TLS), "tls");
}
END_TEST

SUITE_MAIN("dns_answer", a_new_answer_is_empty, the_chain_comes_before_the_records,
	   addresses_are_those_of_the_type, other_types_have_no_addresses,
	   the_canonical_name_is_the_end_of_the_chain, a_name_asked_for_is_taken_as_it_is,
	   a_canonical_name_is_a_host, the_root_is_no_host, a_copy_is_the_same_and_by_itself,
	   a_partial_answer_and_its_rest_are_one,
	   what_an_answer_says_without_its_rest_is_not_taken_over,
	   joined_chains_have_at_most_16_links, transports_have_names)
