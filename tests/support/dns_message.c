/* SPDX-License-Identifier: MIT */
/*
 * Messages are put together front to back in a buffer that is larger than any test needs; lengths and counts are filled
 * in as records end. Names that were written before are pointed at.
 */
#include "tests/support/dns_message.h"

#include <check.h>
#include <string.h>

#include "protocol/text.h"
#include "tests/support/suite.h"

#define HEADER_BYTES   12
#define OVERSIZE_BYTES 4096
#define DEFAULT_TTL    300
#define TYPE_CNAME     5
#define TYPE_SOA       6
#define TYPE_OPT       41
#define TYPE_PRIVATE   65280
#define FLAG_QR	       0x80
#define FLAG_TC	       0x02
#define FLAG_AD	       0x20
#define OPTION_COOKIE  10
#define OPTION_PADDING 12
#define OPTION_EDE     15
#define COOKIE_BYTES   8 /* of the client's part, and here of the server's */

static void put(struct dns_message *message, const void *bytes, size_t len)
{
	ck_assert_uint_le(message->len + len, sizeof(message->bytes));
	memcpy(message->bytes + message->len, bytes, len);
	message->len += len;
}

static void put_u16(struct dns_message *message, unsigned int value)
{
	uint8_t bytes[] = { (uint8_t)(value >> 8), (uint8_t)value };

	put(message, bytes, sizeof(bytes));
}

static void put_u32(struct dns_message *message, uint32_t value)
{
	put_u16(message, value >> 16);
	put_u16(message, value & 0xffff);
}

static void put_pointer(struct dns_message *message, size_t target)
{
	put_u16(message, 0xc000U | (unsigned int)target);
}

/* A name as far as the blank or end. Returns what follows. */
static const char *put_name(struct dns_message *message, const char *text)
{
	for (;;) {
		size_t label = strcspn(text, ". ");
		uint8_t len = (uint8_t)label;

		ck_assert_uint_le(label, 63);
		put(message, &len, 1);
		if (label == 0)
			return text;
		put(message, text, label);
		text += label + (text[label] == '.');
	}
}

static void set_u16(struct dns_message *message, size_t at, unsigned int value)
{
	message->bytes[at] = (uint8_t)(value >> 8);
	message->bytes[at + 1] = (uint8_t)value;
}

static void count_up(struct dns_message *message, size_t at)
{
	set_u16(message, at, (unsigned int)(message->bytes[at] << 8 | message->bytes[at + 1]) + 1);
}

#define AT_QUESTIONS  4
#define AT_ANSWERS    6
#define AT_AUTHORITY  8
#define AT_ADDITIONAL 10

/* Behind the owner: type, class IN, TTL; the length is filled in by end_record. Returns where the data begins. */
static size_t begin_record(struct dns_message *message, size_t section, unsigned int type,
			   uint32_t ttl)
{
	count_up(message, section);
	put_u16(message, type);
	put_u16(message, 1);
	put_u32(message, ttl);
	put_u16(message, 0);
	return message->len;
}

static void end_record(struct dns_message *message, size_t data)
{
	set_u16(message, data - 2, (unsigned int)(message->len - data));
}

static void put_header(struct dns_message *message, const struct dns_message_query *query,
		       int rcode)
{
	message->len = 0;
	put_u16(message, query->seen.id);
	put_u16(message, 0x8180U | ((unsigned int)rcode & 0xf)); /* QR RD RA */
	put_u16(message, 1);
	put_u16(message, 0);
	put_u16(message, 0);
	put_u16(message, 0);
	put(message, query->question, query->question_len);
}

/* The data that no test wants to see in an answer. */
static void put_evil_address(struct dns_message *message, uint16_t type)
{
	size_t data = begin_record(message, AT_ANSWERS, type, DEFAULT_TTL);

	if (type == DNS_RULE_AAAA)
		put(message, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x66", 16);
	else
		put(message, "\xcb\x00\x71\x42", 4);
	end_record(message, data);
}

static uint32_t rule_ttl(const struct dns_rule *rule)
{
	if (rule->zero_ttl)
		return 0;
	return rule->ttl ? rule->ttl : DEFAULT_TTL;
}

/* CNAMEs from the question on; returns where the name of the last stands. */
static size_t put_chain(struct dns_message *message, const struct dns_rule *rule)
{
	const char *target = rule->chain ? rule->chain : "";
	size_t owner = HEADER_BYTES;

	while (*target) {
		size_t data;

		put_pointer(message, owner);
		data = begin_record(message, AT_ANSWERS, TYPE_CNAME, rule_ttl(rule));
		target = put_name(message, target);
		end_record(message, data);
		owner = data;
		while (*target == ' ')
			target++;
	}
	return owner;
}

static void put_addresses(struct dns_message *message, const struct dns_rule *rule, uint16_t type,
			  size_t owner)
{
	CLEANUP(freep) char *words = strdup(rule->addresses ? rule->addresses : "");
	char *cursor = words, *word = text_next_word(&cursor);

	for (; word; word = text_next_word(&cursor)) {
		struct address address;
		size_t data;

		ck_assert_int_eq(address_parse(word, &address), 0);
		if (address.family != (type == DNS_RULE_AAAA ? AF_INET6 : AF_INET))
			continue;
		put_pointer(message, owner);
		data = begin_record(message, AT_ANSWERS, type, rule_ttl(rule));
		put(message, address.bytes, address_len(&address));
		end_record(message, data);
	}
}

/* "10 1 80 web.example" */
static void put_srv(struct dns_message *message, const char *text)
{
	CLEANUP(freep) char *words = strdup(text);
	char *cursor = words, *word;

	for (int i = 0; i < 3; i++) {
		uint64_t value;

		word = text_next_word(&cursor);
		ck_assert_ptr_nonnull(word);
		ck_assert_int_eq(text_parse_uint(word, 65535, &value), 0);
		put_u16(message, (unsigned int)value);
	}
	word = text_next_word(&cursor);
	ck_assert_ptr_nonnull(word);
	(void)put_name(message, word);
}

static void put_string(struct dns_message *message, const char *text)
{
	uint8_t len = (uint8_t)strlen(text);

	put(message, &len, 1);
	put(message, text, len);
}

static void put_records(struct dns_message *message, const struct dns_rule *rule, uint16_t type,
			size_t owner)
{
	CLEANUP(freep) char *copy = strdup(rule->records ? rule->records : "");
	char *rest = copy, *record;

	for (record = strtok_r(NULL, ";", &rest); record; record = strtok_r(NULL, ";", &rest)) {
		size_t data;

		put_pointer(message, owner);
		data = begin_record(message, AT_ANSWERS, type, rule_ttl(rule));
		if (type == DNS_RULE_SRV)
			put_srv(message, record);
		else if (type == DNS_RULE_PTR)
			(void)put_name(message, record);
		else
			put_string(message, record);
		end_record(message, data);
	}
}

static void put_soa(struct dns_message *message)
{
	size_t data;

	put(message, "", 1);
	data = begin_record(message, AT_AUTHORITY, TYPE_SOA, DEFAULT_TTL);
	(void)put_name(message, "ns.invalid");
	(void)put_name(message, "root.ns.invalid");
	for (int i = 0; i < 5; i++)
		put_u32(message, 60);
	end_record(message, data);
}

static void put_cookie(struct dns_message *message, const struct dns_rule *rule,
		       const struct dns_message_query *query)
{
	size_t at;

	put_u16(message, OPTION_COOKIE);
	put_u16(message, 2 * COOKIE_BYTES);
	at = message->len;
	put(message, query->seen.cookie, COOKIE_BYTES);
	put(message, DNS_RULE_COOKIE_PART, COOKIE_BYTES);
	if (rule->cookie == DNS_RULE_COOKIE_WRONG)
		message->bytes[at] ^= 1;
}

static void put_opt(struct dns_message *message, int rcode, const struct dns_rule *rule,
		    const struct dns_message_query *query)
{
	const char *text = rule->ede_text ? rule->ede_text : "";
	size_t data;

	put(message, "", 1);
	put_u16(message, TYPE_OPT);
	put_u16(message, 1232);
	put_u32(message, (uint32_t)rcode >> 4 << 24);
	put_u16(message, 0);
	data = message->len;
	if (rule->cookie != DNS_RULE_COOKIE_NONE && query->seen.cookie_len > 0)
		put_cookie(message, rule, query);
	if (rule->ede != 0) {
		put_u16(message, OPTION_EDE);
		put_u16(message, (unsigned int)(2 + strlen(text)));
		put_u16(message, rule->ede);
		put(message, text, strlen(text));
	}
	end_record(message, data);
	count_up(message, AT_ADDITIONAL);
}

static void put_answer(struct dns_message *message, const struct dns_rule *rule,
		       const struct dns_message_query *query)
{
	size_t n_before, owner;

	if (rule->foreign) {
		(void)put_name(message, rule->foreign);
		put_evil_address(message, query->seen.type);
	}
	owner = put_chain(message, rule);
	n_before = message->len;
	if (query->seen.type == DNS_RULE_A || query->seen.type == DNS_RULE_AAAA)
		put_addresses(message, rule, query->seen.type, owner);
	else if (query->seen.type == DNS_RULE_SRV || query->seen.type == DNS_RULE_PTR ||
		 query->seen.type == DNS_RULE_TXT)
		put_records(message, rule, query->seen.type, owner);
	if (message->len == n_before && !rule->no_soa && (rule->rcode == 0 || rule->rcode == 3))
		put_soa(message);
}

/* The true answer. */
void dns_message_build_answer(struct dns_message *message, const struct dns_rule *rule,
			      const struct dns_message_query *query)
{
	bool truncate = rule->truncate_always || (rule->truncate && !query->seen.tcp);

	if (rule->raw) {
		message->len = 0;
		put_u16(message, query->seen.id);
		put(message, rule->raw, rule->raw_len);
		return;
	}
	if (rule->rcode_if_edns != 0 && query->seen.edns) {
		put_header(message, query, rule->rcode_if_edns);
		if (rule->rcode_if_edns > 15)
			put_opt(message, rule->rcode_if_edns, rule, query);
		return; /* others do not know OPT */
	}
	put_header(message, query, rule->rcode);
	if (rule->authenticated)
		message->bytes[3] |= FLAG_AD;
	for (size_t i = 0; rule->lower_case && i < query->name_len; i++)
		message->bytes[HEADER_BYTES + i] =
			(uint8_t)text_lower((char)message->bytes[HEADER_BYTES + i]);
	if (truncate)
		message->bytes[2] |= FLAG_TC;
	else
		put_answer(message, rule, query);
	if (query->seen.edns && !rule->no_opt)
		put_opt(message, rule->rcode, rule, query);
}

void dns_message_build_forgery(struct dns_message *message, const struct dns_message_query *query,
			       unsigned int forge)
{
	put_header(message, query, 0);
	put_pointer(message, HEADER_BYTES);
	put_evil_address(message, query->seen.type);
	switch (forge) {
	case DNS_FORGE_ID:
		message->bytes[1] ^= 1;
		break;
	case DNS_FORGE_NAME:
		message->bytes[HEADER_BYTES + 1] = query->question[1] == 'x' ? 'y' : 'x';
		break;
	case DNS_FORGE_TYPE:
		set_u16(message, HEADER_BYTES + query->name_len, 16);
		break;
	case DNS_FORGE_CLASS:
		set_u16(message, HEADER_BYTES + query->name_len + 2, 3);
		break;
	case DNS_FORGE_QR:
		message->bytes[2] &= (uint8_t)~FLAG_QR;
		break;
	case DNS_FORGE_OPCODE:
		message->bytes[2] |= 0x10;
		break;
	case DNS_FORGE_NO_QUESTION:
		put_header(message, query, 0);
		set_u16(message, AT_QUESTIONS, 0);
		message->len = HEADER_BYTES;
		put(message, query->question, query->name_len);
		put_evil_address(message, query->seen.type);
		break;
	case DNS_FORGE_GARBAGE:
		memset(message->bytes + 2, 0xa5, message->len - 2);
		break;
	case DNS_FORGE_TRAILING:
		put(message, "", 1);
		break;
	case DNS_FORGE_EMPTY:
		message->len = 0;
		break;
	case DNS_FORGE_SHORT:
		message->len = 1;
		break;
	case DNS_FORGE_OVERSIZE: {
		static const uint8_t zeros[OVERSIZE_BYTES];
		size_t data;

		put(message, "", 1);
		data = begin_record(message, AT_ADDITIONAL, TYPE_PRIVATE, 0);
		put(message, zeros, OVERSIZE_BYTES - message->len);
		end_record(message, data);
		break;
	}
	default:
		ck_assert_uint_eq(forge, DNS_FORGE_SOURCE);
	}
}

static void parse_options(const uint8_t *bytes, size_t at, size_t end, struct dns_seen *seen)
{
	while (at < end) {
		size_t code, len;

		ck_assert_uint_le(at + 4, end);
		code = (size_t)(bytes[at] << 8 | bytes[at + 1]);
		len = (size_t)(bytes[at + 2] << 8 | bytes[at + 3]);
		at += 4;
		ck_assert_uint_le(at + len, end);
		if (code == OPTION_COOKIE) {
			ck_assert_uint_le(len, sizeof(seen->cookie));
			memcpy(seen->cookie, bytes + at, len);
			seen->cookie_len = len;
		} else {
			ck_assert_uint_eq(code, OPTION_PADDING);
			seen->is_padded = true;
		}
		at += len;
	}
}

static void parse_opt(const uint8_t *bytes, size_t at, size_t len, struct dns_seen *seen)
{
	size_t data_len;

	ck_assert_uint_ge(len, at + 11);
	ck_assert_uint_eq(bytes[at + 2], TYPE_OPT);
	seen->edns_size = (uint16_t)(bytes[at + 3] << 8 | bytes[at + 4]);
	data_len = (size_t)(bytes[at + 9] << 8 | bytes[at + 10]);
	ck_assert_uint_eq(len, at + 11 + data_len);
	parse_options(bytes, at + 11, len, seen);
}

/* The labels behind the header, in both spellings; returns where they end. */
static size_t parse_name(const uint8_t *bytes, size_t len, struct dns_seen *seen)
{
	size_t at = HEADER_BYTES, out = 0;

	while (bytes[at] != 0) {
		size_t label_end = at + 1 + bytes[at];

		ck_assert_uint_le(bytes[at], 63);
		ck_assert_uint_lt(label_end + 4, len);
		if (out > 0)
			seen->as_sent[out++] = '.';
		for (at++; at < label_end; at++)
			seen->as_sent[out++] = (char)bytes[at];
	}
	for (size_t i = 0; i < out; i++)
		seen->name[i] = text_lower(seen->as_sent[i]);
	return at + 1;
}

void dns_message_parse_query(const uint8_t *bytes, size_t len, struct dns_message_query *ret)
{
	size_t at;

	memset(ret, 0, sizeof(*ret));
	ck_assert_uint_ge(len, HEADER_BYTES + 5);
	ck_assert_uint_le(len, DNS_MESSAGE_QUERY_BYTES);
	ck_assert_msg(bytes[2] == 1 && (bytes[3] & ~FLAG_AD) == 0 &&
			      memcmp(bytes + 4, "\0\1\0\0\0\0\0", 7) == 0,
		      "not a plain recursive query");
	ret->seen.len = len;
	ret->seen.id = (uint16_t)(bytes[0] << 8 | bytes[1]);
	ret->seen.wants_ad = bytes[3] & FLAG_AD;
	at = parse_name(bytes, len, &ret->seen);
	ret->name_len = at - HEADER_BYTES;
	ret->seen.type = (uint16_t)(bytes[at] << 8 | bytes[at + 1]);
	at += 4;
	ret->question_len = at - HEADER_BYTES;
	memcpy(ret->question, bytes + HEADER_BYTES, ret->question_len);
	ret->seen.edns = bytes[11] == 1;
	if (ret->seen.edns)
		parse_opt(bytes, at, len, &ret->seen);
	else
		ck_assert_uint_eq(len, at);
}
