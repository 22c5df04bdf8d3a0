/* SPDX-License-Identifier: MIT */
/*
 * A reply as it comes from the network. What the scanner accepts is read for a fixed name and for the name in its own
 * question, so chains from the question on are walked; and each answer that comes of it is walked, shown as text, and
 * copied. Nothing outside the answer may be left over, and nothing inside may be half.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/resolve/dns-name.h"
#include "daemon/resolve/dns-packet.h"
#include "daemon/resolve/dns-text.h"
#include "protocol/text.h"
#include "tests/fuzz/fuzz.h"

#define TYPE_TXT 16

/* Octets, names, octets. */
static const struct {
	uint16_t type;
	size_t octets_before, n_names, octets_after;
} forms[] = {
	{ DNS_TYPE_A, 4, 0, 0 },     { DNS_TYPE_AAAA, 16, 0, 0 }, { DNS_TYPE_CNAME, 0, 1, 0 },
	{ DNS_TYPE_NS, 0, 1, 0 },    { DNS_TYPE_PTR, 0, 1, 0 },	  { DNS_TYPE_MX, 2, 1, 0 },
	{ DNS_TYPE_SRV, 6, 1, 0 },   { DNS_TYPE_SOA, 0, 2, 20 },  { DNS_TYPE_DNAME, 0, 1, 0 },
	{ 14 /* MINFO */, 0, 2, 0 }, { 26 /* PX */, 2, 2, 0 },
};

static bool is_address_type(uint16_t type)
{
	return type == DNS_TYPE_A || type == DNS_TYPE_AAAA;
}

static void check_text(const char *text)
{
	for (; *text; text++)
		assert(*text >= ' ' && *text <= '~');
}

static void check_form(const struct dns_record *record)
{
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		size_t at = forms[i].octets_before;

		if (forms[i].type != record->type)
			continue;
		assert(at <= record->len);
		for (size_t j = 0; j < forms[i].n_names; j++) {
			size_t name_len = dns_name_len(record->data + at, record->len - at);

			assert(name_len > 0);
			at += name_len;
		}
		assert(at + forms[i].octets_after == record->len);
	}
}

static void check_record(const struct dns_record *record)
{
	CLEANUP(freep) char *text = NULL;

	check_form(record);
	if (dns_text_format_record(record->type, record->data, record->len, &text) < 0) {
		assert(2 * record->len > DNS_TEXT_MAX_BYTES / 4); /* a byte takes up to "\255" */
		return;
	}
	assert(strlen(text) < DNS_TEXT_MAX_BYTES);
	check_text(text);
}

/* The chain leads from name to name, and to none twice. */
static void check_chain(const struct dns_answer *answer)
{
	struct dns_record links[LIMIT_CNAME_CHAIN];
	struct dns_cursor cursor = { 0 };

	assert(answer->n_chain <= LIMIT_CNAME_CHAIN);
	for (size_t i = 0; i < answer->n_chain; i++) {
		struct dns_name name;

		assert(dns_answer_next(answer, &cursor, &links[i]));
		assert(links[i].type == DNS_TYPE_CNAME && links[i].len <= sizeof(name.bytes));
		memcpy(name.bytes, links[i].data, links[i].len);
		name.len = links[i].len;
		for (size_t j = 0; j < i; j++)
			assert(!dns_name_equal(&name, links[j].data, links[j].len));
	}
}

static void check_records(const struct dns_answer *answer)
{
	struct dns_cursor cursor = { 0 };
	struct dns_record record;
	size_t n = 0, end = 0;

	while (dns_answer_next(answer, &cursor, &record)) {
		assert(record.data == answer->bytes + end + sizeof(uint16_t));
		end += sizeof(uint16_t) + record.len;
		assert(end <= answer->len);
		assert(record.type == (n < answer->n_chain ? DNS_TYPE_CNAME : answer->type));
		check_record(&record);
		n++;
	}
	assert(n == (size_t)answer->n_chain + answer->n_records);
	assert(answer->n_records <=
	       (is_address_type(answer->type) ? LIMIT_DNS_ADDRESSES : LIMIT_DNS_RECORDS));
	if (answer->ede != DNS_EDE_NONE) {
		assert(answer->ede_text == end);
		end += strlen(dns_answer_get_ede_text(answer)) + 1;
	}
	assert(answer->len == end);
}

/* Joined with itself, an answer has its chain twice, and nothing else. */
static void check_join(const struct dns_answer *answer)
{
	CLEANUP(dns_answer_freep) struct dns_answer *joined = NULL;

	if (dns_answer_join(answer, answer, &joined) < 0) {
		assert(2 * answer->n_chain > LIMIT_CNAME_CHAIN);
		return;
	}
	assert(joined->n_chain == 2 * answer->n_chain && joined->n_records == answer->n_records);
	assert(strcmp(dns_answer_get_ede_text(joined), dns_answer_get_ede_text(answer)) == 0);
	check_records(joined);
}

static void check_canonical(const struct dns_answer *answer, const char *name)
{
	char canonical[LIMIT_NAME_BYTES + 1];
	struct dns_name wire;

	if (dns_answer_get_canonical(answer, name, canonical) < 0) {
		assert(answer->n_chain > 0);
		return;
	}
	assert(dns_name_from_text(canonical, &wire) == 0);
	for (const char *p = canonical; *p; p++) {
		assert(text_lower(*p) == *p);
		assert(text_is_alpha(*p) || text_is_digit(*p) || *p == '-' || *p == '_' ||
		       *p == '.' || answer->n_chain == 0);
	}
}

static void check_addresses(const struct dns_answer *answer)
{
	struct address addresses[LIMIT_DNS_ADDRESSES];
	size_t n = dns_answer_get_addresses(answer, addresses, ARRAY_LEN(addresses));

	assert(n == (is_address_type(answer->type) ? answer->n_records : 0));
	for (size_t i = 0; i < n; i++)
		assert(addresses[i].family == (answer->type == DNS_TYPE_A ? AF_INET : AF_INET6));
}

static void check_head(const struct dns_head *head)
{
	size_t server_len = head->cookie_len - DNS_COOKIE_CLIENT_BYTES;

	assert(head->rcode < (head->edns ? 4096 : 16));
	assert(strnlen(head->ede_text, sizeof(head->ede_text)) < sizeof(head->ede_text));
	check_text(head->ede_text);
	assert(head->edns || (head->ede == DNS_EDE_NONE && head->cookie_len == 0));
	assert(head->ede != DNS_EDE_NONE || head->ede_text[0] == '\0');
	assert(head->cookie_len == 0 || server_len == 0 || (server_len >= 8 && server_len <= 32));
}

static void read_as(const uint8_t *data, size_t size, const char *name, uint16_t type)
{
	CLEANUP(dns_answer_freep) struct dns_answer *answer = NULL;
	CLEANUP(dns_answer_freep) struct dns_answer *copy = NULL;
	struct dns_head head;
	int err = dns_packet_read_answer(data, size, name, type, &answer);

	dns_packet_read_head(data, size, &head);
	check_head(&head);
	if (err < 0) {
		assert(err == -EBADMSG && !answer);
		return;
	}
	assert(answer->type == type && answer->rcode == head.rcode && answer->ede == head.ede);
	assert(strcmp(dns_answer_get_ede_text(answer), head.ede_text) == 0);
	assert(answer->ttl_s <= INT32_MAX);
	if (answer->is_partial)
		assert(answer->n_chain > 0 && answer->n_records == 0 && answer->rcode == 0);
	else if (answer->n_records == 0 && data[8] == 0 && data[9] == 0)
		assert(answer->ttl_s == 0); /* without a SOA */
	check_chain(answer);
	check_records(answer);
	check_canonical(answer, name);
	check_addresses(answer);
	check_join(answer);
	if (dns_answer_copy(answer, &copy) == 0)
		assert(memcmp(answer, copy, dns_answer_get_size(answer)) == 0);
}

/* Asks as the daemon would: with all options or with none. */
static void ask(const char *name, uint16_t type)
{
	static const uint8_t cookie[DNS_COOKIE_MAX_BYTES] = "what the server gave the last time";
	static const struct dns_packet_options options[] = {
		{ .edns = false },
		{ .edns = true,
		  .wants_ad = true,
		  .is_padded = true,
		  .cookie = cookie,
		  .cookie_len = sizeof(cookie) },
	};

	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		uint8_t buffer[DNS_QUERY_MAX_BYTES];
		size_t len;

		if (dns_packet_build_query(name, type, 1, &options[i], buffer, sizeof(buffer),
					   &len) < 0)
			return;
		assert(len <= sizeof(buffer) && dns_packet_scan(buffer, len) == 0);
		assert(!options[i].is_padded || len % DNS_PADDING_BLOCK == 0);
		assert(!dns_packet_matches(buffer, len, name, type, 1));
		buffer[2] |= 0x80;
		assert(dns_packet_matches(buffer, len, name, type, 1));
		assert(dns_packet_has_case(buffer, name));
	}
}

/* The first name of a message has no pointers. Dots inside labels make another name of it, which is as good here. */
static size_t name_of_question(const uint8_t *data, char *ret)
{
	size_t at = 12, len = 0;

	while (data[at] != 0) {
		if (len > 0)
			ret[len++] = '.';
		memcpy(ret + len, data + at + 1, data[at]);
		len += data[at];
		at += 1U + data[at];
	}
	ret[len] = '\0';
	return at + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t types[] = { DNS_TYPE_A,	DNS_TYPE_AAAA, DNS_TYPE_CNAME, DNS_TYPE_MX,
					  DNS_TYPE_SRV, DNS_TYPE_SOA,  DNS_TYPE_HTTPS, TYPE_TXT };
	static const char fixed[] = "www.example";
	uint16_t id, type;
	char name[256];
	size_t at;

	if (dns_packet_scan(data, size) < 0) {
		/* These two look at what the scanner refused. */
		(void)dns_packet_matches(data, size, fixed, DNS_TYPE_A, 0);
		(void)dns_packet_get_remnant(data, size, fixed, DNS_TYPE_A, 0);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		read_as(data, size, fixed, types[i]);
	if (data[5] == 0)
		return 0;
	at = name_of_question(data, name);
	type = (uint16_t)(data[at] << 8 | data[at + 1]);
	id = (uint16_t)(data[0] << 8 | data[1]);
	for (size_t i = 0; i <= ARRAY_LEN(types); i++) {
		uint16_t this_type = i < ARRAY_LEN(types) ? types[i] : type;
		bool matches = dns_packet_matches(data, size, name, this_type, id);

		assert(!matches || ((data[2] & 0xf8) == 0x80 && this_type == type));
		assert(!dns_packet_matches(data, size, name, this_type, (uint16_t)(id + 1)));
		read_as(data, size, name, this_type);
	}
	ask(name, type);
	return 0;
}
