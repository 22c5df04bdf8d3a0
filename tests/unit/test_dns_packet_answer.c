/* SPDX-License-Identifier: MIT */
/*
 * What is read from an answer: messages in, written by hand, and chain, records, TTL and extended error out.
 */
#include "daemon/resolve/dns-packet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/resolve/dns-name.h"
#include "tests/support/dns_bytes.h"
#include "tests/support/suite.h"

#define TYPE_TXT 16

static bool calloc_fails, realloc_fails;

void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *memory, size_t size);

void *__wrap_calloc(size_t n, size_t size)
{
	return calloc_fails ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
	return realloc_fails ? NULL : __real_realloc(memory, size);
}

/* Scans and reads as the daemon does. */
static int read_bytes(const char *bytes, size_t len, uint16_t type, struct dns_answer **ret)
{
	CLEANUP(freep) uint8_t *copy = dns_bytes_copy(bytes, len);

	*ret = dns_answer_free(*ret);
	ck_assert_int_eq(dns_packet_scan(copy, len), 0);
	return dns_packet_read_answer(copy, len, NAME, type, ret);
}

static void read_good(const char *bytes, size_t len, uint16_t type, struct dns_answer **ret)
{
	ck_assert_int_eq(read_bytes(bytes, len, type, ret), 0);
}

static void assert_addresses(const struct dns_answer *answer, const char *expected)
{
	struct address addresses[LIMIT_DNS_ADDRESSES];
	char text[LIMIT_DNS_ADDRESSES * ADDRESS_TEXT_SIZE] = "";
	size_t len = 0, n = dns_answer_get_addresses(answer, addresses, ARRAY_LEN(addresses));

	for (size_t i = 0; i < n; i++) {
		char one[ADDRESS_TEXT_SIZE];

		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i > 0 ? " " : "",
					address_format(&addresses[i], one, sizeof(one)));
	}
	ck_assert_str_eq(text, expected);
	ck_assert_uint_eq(n, answer->n_records);
}

static void assert_canonical(const struct dns_answer *answer, const char *expected)
{
	char canonical[LIMIT_NAME_BYTES + 1];

	ck_assert_int_eq(dns_answer_get_canonical(answer, NAME, canonical), 0);
	ck_assert_str_eq(canonical, expected);
}

#define A_OF(owner, ttl, last) owner TYPE("\x01") IN ttl "\x00\x04\xc0\x00\x02" last
#define TTL_OF(last)	       "\x00\x00\x00" last

START_TEST(addresses_are_read_with_the_smallest_ttl)
{
	CLEANUP(dns_answer_freep) struct dns_answer *answer = NULL;

	read_good(BYTES(HEADER("\x03", "\x00", "\x00") QUESTION A_OF(AT_WWW, TTL_OF("\x3c"), "\x01")
				A_OF(AT_WWW, TTL_OF("\x1e"), "\x02") A_OF("\x03"
									  "WWW\x07"
									  "ExAmPlE\x00",
									  TTL_OF("\x78"), "\x03")),
		  DNS_TYPE_A, &answer);
	assert_addresses(answer, "192.0.2.1 192.0.2.2 192.0.2.3");
	ck_assert_uint_eq(answer->type, DNS_TYPE_A);
	ck_assert_uint_eq(answer->ttl_s, 30);
	ck_assert_uint_eq(answer->rcode, 0);
	ck_assert_uint_eq(answer->n_chain, 0);
	ck_assert_uint_eq(answer->ede, DNS_EDE_NONE);
	ck_assert(!answer->authenticated && !answer->confidential);
	assert_canonical(answer, NAME);

	read_good(
		BYTES(HEADER("\x01", "\x00", "\x00") WWW "\x00\x1c\x00\x01" RR(
			AT_WWW, "\x1c",
			"\x10") "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"),
		DNS_TYPE_AAAA, &answer);
	assert_addresses(answer, "2001:db8::1");
	ck_assert_uint_eq(answer->ttl_s, 300);
}
END_TEST

/* Both names of a message, whole. */
#define FULL_WWW WWW
#define FULL_EXAMPLE \
	"\x07"       \
	"example\x00"

START_TEST(names_in_data_are_expanded)
{
	static const struct {
		const char *what;
		uint16_t type;
		const char *data;
		uint8_t len;
		const char *expanded;
		size_t expanded_len;
	} records[] = {
		{ "A", DNS_TYPE_A, BYTES("\x01\x02\x03\x04"), BYTES("\x01\x02\x03\x04") },
		{ "AAAA", DNS_TYPE_AAAA, BYTES("0123456789abcdef"), BYTES("0123456789abcdef") },
		{ "CNAME", DNS_TYPE_CNAME, BYTES(AT_EXAMPLE), BYTES(FULL_EXAMPLE) },
		{ "CNAME in full", DNS_TYPE_CNAME,
		  BYTES("\x01"
			"a\x00"),
		  BYTES("\x01"
			"a\x00") },
		{ "PTR", DNS_TYPE_PTR,
		  BYTES("\x01"
			"A" AT_WWW),
		  BYTES("\x01"
			"A" FULL_WWW) },
		{ "PTR of any octets", DNS_TYPE_PTR,
		  BYTES("\x04"
			"a\x00.\xff" AT_EXAMPLE),
		  BYTES("\x04"
			"a\x00.\xff" FULL_EXAMPLE) },
		{ "PTR to the root", DNS_TYPE_PTR, BYTES("\x00"), BYTES("\x00") },
		{ "NS", DNS_TYPE_NS, BYTES(AT_WWW), BYTES(FULL_WWW) },
		{ "DNAME", DNS_TYPE_DNAME, BYTES(AT_WWW), BYTES(FULL_WWW) },
		{ "MX", DNS_TYPE_MX, BYTES("\x00\x0a" AT_WWW), BYTES("\x00\x0a" FULL_WWW) },
		{ "SRV", DNS_TYPE_SRV, BYTES("\x00\x01\x00\x02\x00\x50" AT_WWW),
		  BYTES("\x00\x01\x00\x02\x00\x50" FULL_WWW) },
		{ "SOA", DNS_TYPE_SOA, BYTES(AT_WWW "\x04root" AT_EXAMPLE TWENTY),
		  BYTES(FULL_WWW "\x04root" FULL_EXAMPLE TWENTY) },
		{ "MINFO", 14, BYTES(AT_WWW AT_EXAMPLE), BYTES(FULL_WWW FULL_EXAMPLE) },
		{ "PX", 26, BYTES("\x00\x05" AT_WWW AT_EXAMPLE),
		  BYTES("\x00\x05" FULL_WWW FULL_EXAMPLE) },
		{ "TXT, no pointer in it", TYPE_TXT, BYTES("\x04" AT_WWW AT_EXAMPLE),
		  BYTES("\x04" AT_WWW AT_EXAMPLE) },
		{ "TXT of nothing", TYPE_TXT, BYTES(""), BYTES("") },
		{ "HTTPS", DNS_TYPE_HTTPS, BYTES("\x00\x01\x00"), BYTES("\x00\x01\x00") },
		{ "unknown", 65280, BYTES(AT_WWW "\x00\xff"), BYTES(AT_WWW "\x00\xff") },
		{ "unknown, of nothing", 65280, BYTES(""), BYTES("") },
	};
	CLEANUP(dns_answer_freep) struct dns_answer *answer = NULL;

	for (size_t i = 0; i < ARRAY_LEN(records); i++) {
		char bytes[256] =
			HEADER("\x01", "\x00", "\x00") QUESTION RR(AT_WWW, "\x00", "\x00");
		size_t fixed =
			sizeof(HEADER("\x01", "\x00", "\x00") QUESTION RR(AT_WWW, "\x00", "\x00")) -
			1;
		struct dns_cursor cursor = { 0 };
		struct dns_record record;

		bytes[fixed - 10] = (char)(records[i].type >> 8);
		bytes[fixed - 9] = (char)records[i].type;
		bytes[fixed - 1] = (char)records[i].len;
		memcpy(bytes + fixed, records[i].data, records[i].len);
		read_good(bytes, fixed + records[i].len, records[i].type, &answer);
		ck_assert_msg(dns_answer_next(answer, &cursor, &record), "none: %s",
			      records[i].what);
		ck_assert_uint_eq(record.type, records[i].type);
		ck_assert_msg(record.len == records[i].expanded_len &&
				      memcmp(record.data, records[i].expanded, record.len) == 0,
			      "not so: %s", records[i].what);
		ck_assert(!dns_answer_next(answer, &cursor, &record));
		ck_assert_uint_eq(answer->n_chain, 0);
		ck_assert_uint_eq(answer->len, 2 + records[i].expanded_len);
	}
}
END_TEST

START_TEST(a_ttl_with_the_upper_bit_counts_as_zero)
{
	CLEANUP(dns_answer_freep) struct dns_answer *answer = NULL;

	read_good(BYTES(HEADER("\x01", "\x00", "\x00")
				QUESTION A_OF(AT_WWW, "\x7f\xff\xff\xff", "\x01")),
		  DNS_TYPE_A, &answer);
	ck_assert_uint_eq(answer->ttl_s, INT32_MAX);
	read_good(BYTES(HEADER("\x02", "\x00", "\x00") QUESTION A_OF(
			  AT_WWW, "\x80\x00\x00\x00", "\x01") A_OF(AT_WWW, TTL_OF("\x05"), "\x02")),
		  DNS_TYPE_A, &answer);
	ck_assert_uint_eq(answer->ttl_s, 0);
	read_good(BYTES(HEADER("\x01", "\x00", "\x00")
				QUESTION A_OF(AT_WWW, "\xff\xff\xff\xff", "\x01")),
		  DNS_TYPE_A, &answer);
	ck_assert_uint_eq(answer->ttl_s, 0);
	read_good(
		BYTES(HEADER("\x01", "\x00", "\x00") QUESTION A_OF(AT_WWW, TTL_OF("\x00"), "\x01")),
		DNS_TYPE_A, &answer);
	ck_assert_uint_eq(answer->ttl_s, 0);
}
END_TEST

/* a.example and b.example, with "example" at 16. */
#define A_EXAMPLE \
	"\x01"    \
	"a" AT_EXAMPLE
#define B_EXAMPLE \
	"\x01"    \
	"b" AT_EXAMPLE
#define ALIAS(from, to) from TYPE("\x05") IN TTL_OF("\x0a") "\x00\x04" to

START_TEST(the_chain_is_followed_in_any_order)
{
	static const struct dns_sample orders[] = {
		{ "as usual",
		  BYTES(HEADER("\x03", "\x00", "\x00") QUESTION ALIAS(AT_WWW, A_EXAMPLE)
				ALIAS(A_EXAMPLE, B_EXAMPLE) A_OF(B_EXAMPLE, TTL, "\x01")) },
		{ "backwards",
		  BYTES(HEADER("\x03", "\x00", "\x00") QUESTION A_OF(B_EXAMPLE, TTL, "\x01")
				ALIAS(A_EXAMPLE, B_EXAMPLE) ALIAS(AT_WWW, A_EXAMPLE)) },
	};
	CLEANUP(dns_answer_freep) struct dns_answer *answer = NULL;

	for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
		struct dns_cursor cursor = { 0 };
		struct dns_record record;

		read_good(orders[i].bytes, orders[i].len, DNS_TYPE_A, &answer);
		assert_addresses(answer, "192.0.2.1");
		assert_canonical(answer, "b.example");
		ck_assert_uint_eq(answer->ttl_s, 10);
		ck_assert_uint_eq(answer->n_chain, 2);
		ck_assert(dns_answer_next(answer, &cursor, &record));
		ck_assert_uint_eq(record.len, 11);
		ck_assert_mem_eq(record.data,
				 "\x01"
				 "a\x07"
				 "example",
				 11);
		ck_assert(dns_answer_next(answer, &cursor, &record));
		ck_assert_mem_eq(record.data,
				 "\x01"
				 "b\x07"
				 "example",
				 11);
	}
}
END_TEST

START_TEST(a_cname_that_is_asked_for_is_not_followed)
{
	CLEANUP(dns_answer_freep) struct dns_answer *answer = NULL;

	read_good(BYTES(HEADER("\x03", "\x00", "\x00") QUESTION ALIAS(AT_WWW, A_EXAMPLE)
				ALIAS(A_EXAMPLE, B_EXAMPLE) A_OF(B_EXAMPLE, TTL, "\x01")),
		  DNS_TYPE_CNAME, &answer);
	ck_assert_uint_eq(answer->n_chain, 0);
	ck_assert_uint_eq(answer->n_records, 1);
	ck_assert_mem_eq(answer->bytes + 2,
			 "\x01"
			 "a\x07"
			 "example",
			 11);
	assert_canonical(answer, NAME);
	/* One that leads to itself is as good, where it is not followed. */
	read_good(BYTES(HEADER("\x01", "\x00", "\x00") QUESTION RR(AT_WWW, "\x05", "\x02") AT_WWW),
		  DNS_TYPE_CNAME, &answer);
	ck_assert_uint_eq(answer->n_records, 1);
}
END_TEST

/* A SOA with MINIMUM 5. */
#define SOA_OF(owner, ttl) owner TYPE("\x06") IN ttl "\x00\x18" AT_WWW AT_EXAMPLE TWENTY
#define NUMBERS(minimum)   "\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00\x04" minimum
#define SOA_MIN(minimum) \
	AT_EXAMPLE TYPE("\x06") IN TTL "\x00\x18" AT_WWW AT_EXAMPLE NUMBERS(minimum)

START_TEST(that_there_is_nothing_lasts_as_long_as_the_soa_says)
{
	static const struct {
		struct dns_sample sample;
		uint32_t ttl_s;
	} answers[] = {
		{ { "no SOA", BYTES(HEADER("\x00", "\x00", "\x00") QUESTION) }, 0 },
		{ { "MINIMUM is the smaller",
		    BYTES(HEADER("\x00", "\x01", "\x00") QUESTION SOA_OF(AT_EXAMPLE, TTL)) },
		  5 },
		{ { "TTL is the smaller", BYTES(HEADER("\x00", "\x01", "\x00") QUESTION SOA_OF(
						  AT_EXAMPLE, TTL_OF("\x04"))) },
		  4 },
		{ { "TTL 0", BYTES(HEADER("\x00", "\x01", "\x00")
					   QUESTION SOA_OF(AT_EXAMPLE, TTL_OF("\x00"))) },
		  0 },
		{ { "TTL with the upper bit", BYTES(HEADER("\x00", "\x01", "\x00") QUESTION SOA_OF(
						      AT_EXAMPLE, "\x80\x00\x00\x00")) },
		  0 },
		{ { "MINIMUM 0",
		    BYTES(HEADER("\x00", "\x01", "\x00") QUESTION SOA_MIN("\x00\x00\x00\x00")) },
		  0 },
		{ { "a MINIMUM of weeks",
		    BYTES(HEADER("\x00", "\x01", "\x00") QUESTION SOA_MIN("\x7f\xff\xff\xff")) },
		  300 },
		{ { "MINIMUM with the upper bit",
		    BYTES(HEADER("\x00", "\x01", "\x00") QUESTION SOA_MIN("\x80\x00\x00\x00")) },
		  0 },
		{ { "SOA of the name",
		    BYTES(HEADER("\x00", "\x01", "\x00") QUESTION SOA_OF(AT_WWW, TTL)) },
		  5 },
		{ { "SOA of the name in other case",
		    BYTES(HEADER("\x00", "\x01", "\x00") QUESTION SOA_OF("\x03wWw\x07"
									 "EXAMPLE\x00",
									 TTL)) },
		  5 },
		{ { "SOA of the root",
		    BYTES(HEADER("\x00", "\x01", "\x00") QUESTION SOA_OF("\x00", TTL)) },
		  5 },
		{ { "SOA below", BYTES(HEADER("\x00", "\x01", "\x00") QUESTION SOA_OF("\x01"
										      "a" AT_WWW,
										      TTL)) },
		  0 },
		{ { "SOA beside",
		    BYTES(HEADER("\x00", "\x01", "\x00") QUESTION SOA_OF(A_EXAMPLE, TTL)) },
		  0 },
		{ { "SOA of a zone as long",
		    BYTES(HEADER("\x00", "\x01", "\x00") QUESTION SOA_OF("\x07"
									 "exbmple\x00",
									 TTL)) },
		  0 },
		{ { "SOA of a part of a label",
		    BYTES(HEADER("\x00", "\x01", "\x00") QUESTION SOA_OF("\x04mple\x00", TTL)) },
		  0 },
		{ { "SOA in the answer",
		    BYTES(HEADER("\x01", "\x00", "\x00") QUESTION SOA_OF(AT_EXAMPLE, TTL)) },
		  0 },
		{ { "SOA in the additional",
		    BYTES(HEADER("\x00", "\x00", "\x01") QUESTION SOA_OF(AT_EXAMPLE, TTL)) },
		  0 },
		{ { "SOA of class CH",
		    BYTES(HEADER("\x00", "\x01", "\x00") QUESTION AT_EXAMPLE TYPE(
			    "\x06") "\x00\x03" TTL "\x00\x18" AT_WWW AT_EXAMPLE TWENTY) },
		  0 },
		{ { "records that are not for the name, no SOA",
		    BYTES(HEADER("\x01", "\x00", "\x00") QUESTION A_OF(A_EXAMPLE, TTL, "\x01")) },
		  0 },
		{ { "a chain, and the SOA of its end",
		    BYTES(HEADER("\x01", "\x01", "\x00") QUESTION ALIAS(AT_WWW, A_EXAMPLE)
				  SOA_OF(A_EXAMPLE, TTL)) },
		  5 },
		{ { "a chain that lasts shorter than the SOA",
		    BYTES(HEADER("\x01", "\x01", "\x00") QUESTION ALIAS(AT_WWW, A_EXAMPLE)
				  SOA_MIN("\x00\x00\x00\x1e")) },
		  10 },
		{ { "a chain, and the SOA of its beginning",
		    BYTES(HEADER("\x01", "\x01", "\x00") QUESTION ALIAS(AT_WWW, A_EXAMPLE)
				  SOA_OF(AT_WWW, TTL)) },
		  0 },
	};
	CLEANUP(dns_answer_freep) struct dns_answer *answer = NULL;

	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		read_good(answers[i].sample.bytes, answers[i].sample.len, DNS_TYPE_A, &answer);
		ck_assert_uint_eq(answer->n_records, 0);
		ck_assert_msg(answer->ttl_s == answers[i].ttl_s, "%u: %s", answer->ttl_s,
			      answers[i].sample.what);
	}
}
END_TEST

START_TEST(a_chain_whose_end_is_left_open_is_partial)
{
	static const struct {
		struct dns_sample sample;
		bool is_partial;
		uint32_t ttl_s;
	} answers[] = {
		{ { "a chain",
		    BYTES(HEADER("\x01", "\x00", "\x00") QUESTION ALIAS(AT_WWW, A_EXAMPLE)) },
		  true,
		  10 },
		{ { "a chain, and nothing else that counts",
		    BYTES(HEADER("\x02", "\x00", "\x00") QUESTION ALIAS(AT_WWW, A_EXAMPLE)
				  A_OF(AT_WWW, TTL, "\x42")) },
		  true,
		  10 },
		{ { "a chain, and its end",
		    BYTES(HEADER("\x02", "\x00", "\x00") QUESTION ALIAS(AT_WWW, A_EXAMPLE)
				  A_OF(A_EXAMPLE, TTL, "\x01")) },
		  false,
		  10 },
		{ { "a chain, and that there is nothing",
		    BYTES(HEADER("\x01", "\x01", "\x00") QUESTION ALIAS(AT_WWW, A_EXAMPLE)
				  SOA_OF(AT_EXAMPLE, TTL)) },
		  false,
		  5 },
		{ { "a chain to a name that is not there",
		    BYTES(HEADER_OF("\x81\x83", "\x01", "\x01", "\x00", "\x00")
				  QUESTION ALIAS(AT_WWW, A_EXAMPLE)) },
		  false,
		  0 },
		{ { "nothing", BYTES(HEADER("\x00", "\x00", "\x00") QUESTION) }, false, 0 },
	};
	CLEANUP(dns_answer_freep) struct dns_answer *answer = NULL;

	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		read_good(answers[i].sample.bytes, answers[i].sample.len, DNS_TYPE_A, &answer);
		ck_assert_msg(answer->is_partial == answers[i].is_partial &&
				      answer->ttl_s == answers[i].ttl_s,
			      "not so: %s", answers[i].sample.what);
	}
}
END_TEST

START_TEST(a_chain_without_addresses_keeps_its_end)
{
	CLEANUP(dns_answer_freep) struct dns_answer *answer = NULL;

	read_good(BYTES(HEADER_OF("\x81\x83", "\x01", "\x01", "\x01", "\x00")
				QUESTION ALIAS(AT_WWW, "\x01"
						       "A" AT_EXAMPLE) SOA_OF(AT_EXAMPLE, TTL)),
		  DNS_TYPE_A, &answer);
	ck_assert_uint_eq(answer->rcode, DNS_RCODE_NXDOMAIN);
	ck_assert_uint_eq(answer->n_chain, 1);
	assert_addresses(answer, "");
	assert_canonical(answer, "a.example");
	ck_assert_uint_eq(answer->ttl_s, 5);
}
END_TEST

START_TEST(a_dname_counts_through_its_cname)
{
	CLEANUP(dns_answer_freep) struct dns_answer *answer = NULL;

	/* www.example DNAME-rewritten to www.org: the CNAME is there, and the DNAME alone would not do. */
	read_good(BYTES(HEADER("\x03", "\x00", "\x00")
				QUESTION RR(AT_EXAMPLE, "\x27", "\x05") "\x03org\x00" RR(
					AT_WWW, "\x05",
					"\x09") "\x03www\x03org\x00" A_OF("\x03www\x03org\x00", TTL,
									  "\x01")),
		  DNS_TYPE_A, &answer);
	assert_addresses(answer, "192.0.2.1");
	assert_canonical(answer, "www.org");
	read_good(BYTES(HEADER("\x02", "\x00", "\x00")
				QUESTION RR(AT_EXAMPLE, "\x27", "\x05") "\x03org\x00" A_OF(
					"\x03www\x03org\x00", TTL, "\x01")),
		  DNS_TYPE_A, &answer);
	assert_addresses(answer, "");
}
END_TEST

START_TEST(what_does_not_belong_to_the_question_is_ignored)
{
	static const struct dns_sample samples[] = {
		{ "other owner",
		  BYTES(HEADER("\x01", "\x00", "\x00") QUESTION A_OF(B_EXAMPLE, TTL, "\x42")) },
		{ "the name below",
		  BYTES(HEADER("\x01", "\x00", "\x00") QUESTION A_OF("\x01"
								     "a" AT_WWW,
								     TTL, "\x42")) },
		{ "the name above",
		  BYTES(HEADER("\x01", "\x00", "\x00") QUESTION A_OF(AT_EXAMPLE, TTL, "\x42")) },
		{ "authority",
		  BYTES(HEADER("\x00", "\x01", "\x00") QUESTION A_OF(AT_WWW, TTL, "\x42")) },
		{ "additional",
		  BYTES(HEADER("\x00", "\x00", "\x01") QUESTION A_OF(AT_WWW, TTL, "\x42")) },
		{ "class CH", BYTES(HEADER("\x01", "\x00", "\x00") QUESTION AT_WWW
				    "\x00\x01\x00\x03" TTL "\x00\x04\xc0\x00\x02\x42") },
		{ "AAAA", BYTES(HEADER("\x01", "\x00", "\x00")
					QUESTION RR(AT_WWW, "\x1c", "\x10") "0123456789abcdef") },
		{ "CNAME of class CH",
		  BYTES(HEADER("\x02", "\x00", "\x00") QUESTION AT_WWW
			"\x00\x05\x00\x03" TTL "\x00\x04" A_EXAMPLE A_OF(A_EXAMPLE, TTL, "\x42")) },
		{ "CNAME in the authority",
		  BYTES(HEADER("\x01", "\x01", "\x00") QUESTION A_OF(A_EXAMPLE, TTL, "\x42")
				ALIAS(AT_WWW, A_EXAMPLE)) },
	};
	CLEANUP(dns_answer_freep) struct dns_answer *answer = NULL;

	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		read_good(samples[i].bytes, samples[i].len, DNS_TYPE_A, &answer);
		ck_assert_msg(answer->n_records == 0 && answer->n_chain == 0 && answer->len == 0,
			      "counted: %s", samples[i].what);
		ck_assert_uint_eq(answer->ttl_s, 0);
		assert_canonical(answer, NAME);
	}
	/* Only the end of the chain has a say, and only what counts has a TTL that counts. */
	read_good(BYTES(HEADER("\x04", "\x00", "\x00") QUESTION A_OF(AT_WWW, TTL_OF("\x01"), "\x42")
				ALIAS(AT_WWW, A_EXAMPLE) A_OF(A_EXAMPLE, TTL, "\x01")
					A_OF(B_EXAMPLE, TTL_OF("\x02"), "\x43")),
		  DNS_TYPE_A, &answer);
	assert_addresses(answer, "192.0.2.1");
	ck_assert_uint_eq(answer->ttl_s, 10);
}
END_TEST

/* NAME → c0 → … → c(n-1), then the address. */
static int read_chain(unsigned int n_links, struct dns_answer **ret)
{
	static struct dns_bytes message;

	dns_bytes_begin(&message);
	for (unsigned int i = 0; i < n_links; i++) {
		char owner[] = { 2, 'c', (char)('a' + i - 1), '\xc0', 16 },
		     target[] = { 2, 'c', (char)('a' + i), '\xc0', 16 };

		if (i == 0)
			dns_bytes_put(&message, AT_WWW, 2);
		else
			dns_bytes_put(&message, owner, sizeof(owner));
		dns_bytes_put(&message, BYTES(TYPE("\x05") IN TTL "\x00\x05"));
		dns_bytes_put(&message, target, sizeof(target));
		dns_bytes_count_answer(&message);
	}
	dns_bytes_put_pointer(&message, n_links > 0 ? message.len - 5 : 12);
	dns_bytes_put(&message, BYTES(TYPE("\x01") IN TTL "\x00\x04\xc0\x00\x02\x01"));
	dns_bytes_count_answer(&message);
	ck_assert_int_eq(dns_packet_scan(message.bytes, message.len), 0);
	return dns_packet_read_answer(message.bytes, message.len, NAME, DNS_TYPE_A, ret);
}

START_TEST(a_chain_has_at_most_16_links)
{
	for (unsigned int n_links = 0; n_links <= LIMIT_CNAME_CHAIN; n_links++) {
		CLEANUP(dns_answer_freep) struct dns_answer *answer = NULL;
		char last[] = "c*.example";

		ck_assert_int_eq(read_chain(n_links, &answer), 0);
		ck_assert_uint_eq(answer->n_chain, n_links);
		assert_addresses(answer, "192.0.2.1");
		last[1] = (char)('a' + n_links - 1);
		assert_canonical(answer, n_links > 0 ? last : NAME);
	}
	for (unsigned int n_links = LIMIT_CNAME_CHAIN + 1; n_links <= LIMIT_CNAME_CHAIN + 2;
	     n_links++) {
		struct dns_answer *untouched = NULL;

		ck_assert_int_eq(read_chain(n_links, &untouched), -EBADMSG);
		ck_assert_ptr_null(untouched);
	}
}
END_TEST

START_TEST(loops_are_refused)
{
	static const struct dns_sample loops[] = {
		{ "itself", BYTES(HEADER("\x01", "\x00", "\x00") QUESTION RR(AT_WWW, "\x05", "\x02")
					  AT_WWW) },
		{ "itself in other case", BYTES(HEADER("\x01", "\x00", "\x00") QUESTION RR(
						  AT_WWW, "\x05", "\x06") "\x03"
									  "WwW" AT_EXAMPLE) },
		{ "there and back",
		  BYTES(HEADER("\x02", "\x00", "\x00") QUESTION ALIAS(AT_WWW, A_EXAMPLE)
				RR(A_EXAMPLE, "\x05", "\x02") AT_WWW) },
		{ "with a tail",
		  BYTES(HEADER("\x03", "\x00", "\x00") QUESTION ALIAS(AT_WWW, A_EXAMPLE)
				ALIAS(A_EXAMPLE, B_EXAMPLE) ALIAS(B_EXAMPLE, A_EXAMPLE)) },
	};
	struct dns_answer *answer = NULL;

	for (size_t i = 0; i < ARRAY_LEN(loops); i++) {
		ck_assert_msg(read_bytes(loops[i].bytes, loops[i].len, DNS_TYPE_A, &answer) ==
				      -EBADMSG,
			      "accepted: %s", loops[i].what);
		ck_assert_ptr_null(answer);
	}
}
END_TEST

/* n addresses or texts, "nn" each, of NAME or, through a link, of a.example. */
static void read_many(uint16_t type, unsigned int n, bool with_link, struct dns_answer **ret)
{
	static struct dns_bytes message;

	dns_bytes_begin(&message);
	if (with_link) {
		dns_bytes_put(&message, BYTES(ALIAS(AT_WWW, A_EXAMPLE)));
		dns_bytes_count_answer(&message);
	}
	for (unsigned int i = 0; i < n; i++) {
		char data[] = { 3, 'n', (char)(i >> 8), (char)i };
		char fixed[] = { 0, (char)type };

		if (with_link)
			dns_bytes_put(&message, BYTES(A_EXAMPLE));
		else
			dns_bytes_put(&message, BYTES(AT_WWW));
		dns_bytes_put(&message, fixed, sizeof(fixed));
		dns_bytes_put(&message, BYTES(IN TTL "\x00\x04"));
		dns_bytes_put(&message, data, sizeof(data));
		dns_bytes_count_answer(&message);
	}
	ck_assert_int_eq(dns_packet_scan(message.bytes, message.len), 0);
	*ret = dns_answer_free(*ret);
	ck_assert_int_eq(dns_packet_read_answer(message.bytes, message.len, NAME, type, ret), 0);
	ck_assert_uint_eq((*ret)->n_chain, with_link ? 1 : 0);
}

START_TEST(an_answer_has_at_most_64_addresses_or_256_records)
{
	static const struct {
		uint16_t type;
		unsigned int max;
	} limits[] = { { DNS_TYPE_A, LIMIT_DNS_ADDRESSES }, { TYPE_TXT, LIMIT_DNS_RECORDS } };
	CLEANUP(dns_answer_freep) struct dns_answer *answer = NULL;

	for (size_t i = 0; i < 2 * ARRAY_LEN(limits); i++) {
		unsigned int max = limits[i / 2].max;
		unsigned int sent[] = { 1, max - 1, max, max + 1, 3 * max, 3500 };

		for (size_t j = 0; j < ARRAY_LEN(sent); j++) {
			struct dns_cursor cursor = { 0 };
			struct dns_record record;
			unsigned int n = 0;

			read_many(limits[i / 2].type, sent[j], i % 2 == 1, &answer);
			ck_assert_uint_eq(answer->n_records, sent[j] < max ? sent[j] : max);
			while (dns_answer_next(answer, &cursor, &record)) {
				if (record.type == DNS_TYPE_CNAME)
					continue;
				ck_assert_uint_eq(record.len, 4);
				ck_assert_uint_eq(
					(unsigned int)record.data[2] << 8 | record.data[3], n);
				n++;
			}
			ck_assert_uint_eq(n, answer->n_records);
		}
	}
}
END_TEST

#define EDE_BLOCKED                \
	"\x00\x0f\x00\x09\x00\x0f" \
	"blocked"

START_TEST(an_extended_error_is_kept_with_and_without_records)
{
	CLEANUP(dns_answer_freep) struct dns_answer *answer = NULL;

	read_good(BYTES(HEADER_OF("\x81\x82", "\x01", "\x00", "\x00", "\x01") QUESTION OPT("\x0d")
				EDE_BLOCKED),
		  DNS_TYPE_A, &answer);
	ck_assert_uint_eq(answer->rcode, DNS_RCODE_SERVFAIL);
	ck_assert_uint_eq(answer->ede, 15);
	ck_assert_str_eq(dns_answer_get_ede_text(answer), "blocked");
	ck_assert_uint_eq(answer->len, sizeof("blocked"));
	ck_assert_uint_eq(answer->n_records, 0);

	read_good(BYTES(HEADER("\x02", "\x00", "\x01") QUESTION ALIAS(AT_WWW, A_EXAMPLE)
				A_OF(A_EXAMPLE, TTL, "\x01") OPT("\x0d") EDE_BLOCKED),
		  DNS_TYPE_A, &answer);
	ck_assert_uint_eq(answer->ede, 15);
	ck_assert_str_eq(dns_answer_get_ede_text(answer), "blocked");
	assert_addresses(answer, "192.0.2.1");
	assert_canonical(answer, "a.example");
	ck_assert_uint_eq(answer->len, 2 + 11 + 2 + 4 + sizeof("blocked"));

	read_good(BYTES(HEADER("\x00", "\x00", "\x01")
				QUESTION OPT("\x06") "\x00\x0f\x00\x02\x00\x0f"),
		  DNS_TYPE_A, &answer);
	ck_assert_uint_eq(answer->ede, 15);
	ck_assert_str_eq(dns_answer_get_ede_text(answer), "");
	ck_assert_uint_eq(answer->len, 1); /* the NUL */

	read_good(BYTES(HEADER("\x00", "\x00", "\x01") QUESTION OPT("\x00")), DNS_TYPE_A, &answer);
	ck_assert_uint_eq(answer->ede, DNS_EDE_NONE);
	ck_assert_str_eq(dns_answer_get_ede_text(answer), "");
	ck_assert_uint_eq(answer->len, 0);
}
END_TEST

START_TEST(the_rcode_has_its_upper_bits)
{
	CLEANUP(dns_answer_freep) struct dns_answer *answer = NULL;

	read_good(BYTES(HEADER_OF("\x81\x87", "\x01", "\x00", "\x00", "\x01") QUESTION
			"\x00\x00\x29\x04\xd0\x01\x00\x00\x00\x00\x00"),
		  DNS_TYPE_A, &answer);
	ck_assert_uint_eq(answer->rcode, DNS_RCODE_BADCOOKIE);
}
END_TEST

START_TEST(a_name_that_cannot_be_asked_for_has_no_answer)
{
	static const char bytes[] = HEADER("\x00", "\x00", "\x00") QUESTION;
	struct dns_answer *answer = NULL;

	ck_assert_int_eq(dns_packet_read_answer((const uint8_t *)bytes, sizeof(bytes) - 1, "a..b",
						DNS_TYPE_A, &answer),
			 -EBADMSG);
	ck_assert_ptr_null(answer);
}
END_TEST

START_TEST(memory_that_runs_out_costs_the_answer_or_nothing)
{
	static const char bytes[] = HEADER("\x02", "\x00", "\x00") QUESTION ALIAS(AT_WWW, A_EXAMPLE)
		A_OF(A_EXAMPLE, TTL, "\x01");
	CLEANUP(dns_answer_freep) struct dns_answer *answer = NULL;
	int r;

	calloc_fails = true;
	r = dns_packet_read_answer((const uint8_t *)bytes, sizeof(bytes) - 1, NAME, DNS_TYPE_A,
				   &answer);
	calloc_fails = false;
	ck_assert_int_eq(r, -ENOMEM);
	ck_assert_ptr_null(answer);
	realloc_fails = true;
	r = dns_packet_read_answer((const uint8_t *)bytes, sizeof(bytes) - 1, NAME, DNS_TYPE_A,
				   &answer);
	realloc_fails = false;
	ck_assert_int_eq(r, 0);
	assert_addresses(answer, "192.0.2.1");
}
END_TEST

SUITE_MAIN("dns_packet_answer", addresses_are_read_with_the_smallest_ttl,
	   names_in_data_are_expanded, a_ttl_with_the_upper_bit_counts_as_zero,
	   the_chain_is_followed_in_any_order, a_cname_that_is_asked_for_is_not_followed,
	   that_there_is_nothing_lasts_as_long_as_the_soa_says,
	   a_chain_whose_end_is_left_open_is_partial, a_chain_without_addresses_keeps_its_end,
	   a_dname_counts_through_its_cname, what_does_not_belong_to_the_question_is_ignored,
	   a_chain_has_at_most_16_links, loops_are_refused,
	   an_answer_has_at_most_64_addresses_or_256_records,
	   an_extended_error_is_kept_with_and_without_records, the_rcode_has_its_upper_bits,
	   a_name_that_cannot_be_asked_for_has_no_answer,
	   memory_that_runs_out_costs_the_answer_or_nothing)
