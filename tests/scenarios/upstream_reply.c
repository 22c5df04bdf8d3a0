/* SPDX-License-Identifier: MIT */
#include "tests/scenarios/upstream_reply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/text.h"

#define HEADER_BYTES	 12
#define NAME_BYTES	 255
#define OPT_BYTES	 11
#define PLAIN_UDP_BYTES	 512
#define OVERSIZE_BYTES	 4096
#define CLIENT_COOKIE	 8
#define SERVER_COOKIE	 8
#define COOKIE_SECRET	 0x5c
#define TYPE_A		 1
#define TYPE_AAAA	 28
#define TYPE_OPT	 41
#define TYPE_PRIVATE	 65280 /* fills messages up */
#define OPTION_COOKIE	 10
#define FLAG_QR		 0x8000
#define FLAG_TC		 0x0200
#define FLAG_RD		 0x0100
#define FLAG_RA		 0x0080
#define RCODE_FORMERR	 1
#define RCODE_NXDOMAIN	 3
#define RCODE_BADCOOKIE	 23
#define FORGERY_TTL	 300
#define AT_QUESTION_NAME 0xc00c

static const char *const manner_names[UPSTREAM_N_MANNERS] = {
	[UPSTREAM_DELAY] = "delay",
	[UPSTREAM_MUTE_UDP] = "mute-udp",
	[UPSTREAM_MUTE_TCP] = "mute-tcp",
	[UPSTREAM_FAIL] = "fail",
	[UPSTREAM_DROP_TYPE] = "drop-type",
	[UPSTREAM_DROP_EDNS] = "drop-edns",
	[UPSTREAM_FORMERR_EDNS] = "formerr-edns",
	[UPSTREAM_LOSS] = "loss",
	[UPSTREAM_COOKIE] = "cookie",
	[UPSTREAM_LOWER] = "lower",
	[UPSTREAM_TRUNCATE] = "truncate",
	[UPSTREAM_PAD] = "pad",
	[UPSTREAM_FORGE] = "forge",
	[UPSTREAM_FORGE_TCP] = "forge-tcp",
	[UPSTREAM_FORGE_TIMES] = "forge-times",
	[UPSTREAM_TRICKLE] = "trickle",
	[UPSTREAM_TCP_CLOSE] = "tcp-close",
	[UPSTREAM_TCP_LENGTH] = "tcp-length",
	[UPSTREAM_HOLD] = "hold",
};

static uint16_t get_u16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static void put_u16(uint8_t *bytes, unsigned int value)
{
	bytes[0] = (uint8_t)(value >> 8);
	bytes[1] = (uint8_t)value;
}

/* What does not fit is left out: no message of a test comes near the end. */
static void append(struct upstream_message *message, const void *bytes, size_t len)
{
	if (len > sizeof(message->bytes) - message->len)
		len = sizeof(message->bytes) - message->len;
	if (len > 0)
		memcpy(message->bytes + message->len, bytes, len);
	message->len += len;
}

static void append_u16(struct upstream_message *message, unsigned int value)
{
	uint8_t bytes[2];

	put_u16(bytes, value);
	append(message, bytes, sizeof(bytes));
}

/* Rules */

static int hex_digit(char c)
{
	if (text_is_digit(c))
		return c - '0';
	c = text_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int parse_hex(const char *text, struct upstream_section *section)
{
	size_t len = strlen(text);
	uint8_t *bytes;

	if (len % 2 != 0)
		return -EINVAL;
	bytes = calloc(1, len / 2 + 1);
	if (!bytes)
		return -ENOMEM;
	for (size_t i = 0; i < len / 2; i++) {
		int high = hex_digit(text[2 * i]);
		int low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0) {
			free(bytes);
			return -EINVAL;
		}
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	free(section->bytes);
	section->bytes = bytes;
	section->len = len / 2;
	return 0;
}

/* COUNT:HEX */
static int parse_section(char *text, struct upstream_section *section)
{
	char *hex = strchr(text, ':');
	uint64_t count;
	int r;

	if (!hex)
		return -EINVAL;
	*hex++ = '\0';
	r = text_parse_uint(text, UINT16_MAX, &count);
	if (r < 0)
		return r;
	section->count = (uint16_t)count;
	return parse_hex(hex, section);
}

int upstream_reply_parse_manner(char *word, struct upstream_manner *manner)
{
	char *value = strchr(word, '=');

	if (!value)
		return -EINVAL;
	*value++ = '\0';
	for (size_t i = 0; i < UPSTREAM_N_MANNERS; i++) {
		if (strcmp(word, manner_names[i]) != 0)
			continue;
		manner->set |= 1U << i;
		return text_parse_uint(value, UINT32_MAX, &manner->values[i]);
	}
	return -EINVAL;
}

static int parse_u16(const char *text, uint16_t *ret)
{
	uint64_t value;
	int r = text_parse_uint(text, UINT16_MAX, &value);

	if (r == 0)
		*ret = (uint16_t)value;
	return r;
}

static int parse_rule_word(char *word, struct upstream_rule *rule)
{
	static const char *const section_names[] = { "an=", "ns=", "ar=" };
	uint16_t server;
	int r;

	for (size_t i = 0; i < ARRAY_LEN(section_names); i++)
		if (strncmp(word, section_names[i], 3) == 0)
			return parse_section(word + 3, &rule->sections[i]);
	if (strncmp(word, "options=", 8) == 0)
		return parse_hex(word + 8, &rule->options);
	if (strncmp(word, "rcode=", 6) == 0)
		return parse_u16(word + 6, &rule->rcode);
	if (strncmp(word, "flags=", 6) == 0)
		return parse_u16(word + 6, &rule->flags);
	if (strncmp(word, "udp-only=", 9) == 0)
		return text_parse_uint(word + 9, 1, &rule->udp_only);
	if (strncmp(word, "server=", 7) == 0) {
		r = parse_u16(word + 7, &server);
		if (r == 0)
			rule->server = (size_t)server + 1;
		return r;
	}
	return upstream_reply_parse_manner(word, &rule->manner);
}

int upstream_reply_parse_rule(char *text, struct upstream_rule **ret)
{
	struct upstream_rule *rule = calloc(1, sizeof(*rule));
	char *name = text_next_word(&text);
	char *type = text_next_word(&text);
	int r = rule && name && type ? 0 : -EINVAL;

	if (r == 0 && strcmp(type, "*") != 0)
		r = parse_u16(type, &rule->type);
	if (r == 0) {
		rule->name = strdup(name);
		if (!rule->name)
			r = -ENOMEM;
	}
	while (r == 0) {
		char *word = text_next_word(&text);

		if (!word)
			break;
		r = parse_rule_word(word, rule);
	}
	if (r < 0) {
		upstream_reply_free_rules(rule);
		return r;
	}
	*ret = rule;
	return 0;
}

void upstream_reply_free_rules(struct upstream_rule *rules)
{
	while (rules) {
		struct upstream_rule *next = rules->next;

		for (size_t i = 0; i < ARRAY_LEN(rules->sections); i++)
			free(rules->sections[i].bytes);
		free(rules->options.bytes);
		free(rules->name);
		free(rules);
		rules = next;
	}
}

static bool name_fits(const char *pattern, const char *name)
{
	if (strcmp(pattern, "*") == 0)
		return true;
	if (pattern[0] == '*')
		return text_ends_fold(name, pattern + 1);
	return text_equal_fold(pattern, name);
}

const struct upstream_rule *upstream_reply_find_rule(const struct upstream_rule *rules,
						     const struct upstream_query *query,
						     size_t server, bool tcp)
{
	for (const struct upstream_rule *rule = rules; rule; rule = rule->next)
		if ((rule->type == 0 || rule->type == query->type) &&
		    (rule->server == 0 || rule->server == server + 1) && !(rule->udp_only && tcp) &&
		    name_fits(rule->name, query->name))
			return rule;
	return NULL;
}

/* Queries */

/* The octets of an uncompressed name at bytes, its text in query->name; 0: it is none. */
static size_t read_name(const uint8_t *bytes, size_t len, struct upstream_query *query)
{
	size_t at = 0;
	size_t written = 0;

	while (at < len && bytes[at] != 0) {
		size_t end = at + 1 + bytes[at];

		if (bytes[at] > 63 || end >= len || end > NAME_BYTES)
			return 0;
		if (written > 0)
			query->name[written++] = '.';
		for (at++; at < end; at++) {
			bool plain = bytes[at] > ' ' && bytes[at] < 0x7f && bytes[at] != '.' &&
				     bytes[at] != '\\';
			int n = snprintf(query->name + written, sizeof(query->name) - written,
					 plain ? "%c" : "\\%03u", bytes[at]);

			if (n < 0 || (size_t)n >= sizeof(query->name) - written)
				return 0;
			written += (size_t)n;
		}
	}
	query->name[written] = '\0';
	return at < len ? at + 1 : 0;
}

/* The OPT record, which is the last thing in a query of ours. */
static int read_opt(const uint8_t *bytes, size_t len, struct upstream_query *query)
{
	size_t end;

	if (len < OPT_BYTES || bytes[0] != 0 || get_u16(bytes + 1) != TYPE_OPT)
		return -EBADMSG;
	query->edns = true;
	query->edns_size = get_u16(bytes + 3);
	end = OPT_BYTES + (size_t)get_u16(bytes + 9);
	if (end != len)
		return -EBADMSG;
	for (size_t at = OPT_BYTES; at + 4 <= end;) {
		size_t option_len = get_u16(bytes + at + 2);

		if (option_len > end - at - 4)
			return -EBADMSG;
		if (get_u16(bytes + at) == OPTION_COOKIE && option_len <= sizeof(query->cookie)) {
			memcpy(query->cookie, bytes + at + 4, option_len);
			query->cookie_len = option_len;
		}
		at += 4 + option_len;
	}
	return 0;
}

int upstream_reply_parse_query(const uint8_t *bytes, size_t len, struct upstream_query *ret)
{
	size_t at;

	memset(ret, 0, sizeof(*ret));
	if (len < HEADER_BYTES || (bytes[2] & 0xf8) != 0 || get_u16(bytes + 4) != 1 ||
	    get_u16(bytes + 6) != 0 || get_u16(bytes + 8) != 0 || get_u16(bytes + 10) > 1)
		return -EBADMSG;
	ret->bytes = bytes;
	ret->id = get_u16(bytes);
	ret->name_len = read_name(bytes + HEADER_BYTES, len - HEADER_BYTES, ret);
	at = HEADER_BYTES + ret->name_len + 4;
	if (ret->name_len == 0 || at > len)
		return -EBADMSG;
	ret->type = get_u16(bytes + at - 4);
	if (get_u16(bytes + 10) == 0)
		return at == len ? 0 : -EBADMSG;
	return read_opt(bytes + at, len - at, ret);
}

/* Answers */

static void begin(struct upstream_message *message, const struct upstream_query *query,
		  unsigned int flags)
{
	message->len = 0;
	append_u16(message, query->id);
	append_u16(message, FLAG_QR | FLAG_RA | (query->bytes[2] & 1U) * FLAG_RD | flags);
	append(message, "\0\1\0\0\0\0\0", 8);
	append(message, query->bytes + HEADER_BYTES, query->name_len + 4);
}

static bool has_right_cookie(const struct upstream_query *query)
{
	if (query->cookie_len != CLIENT_COOKIE + SERVER_COOKIE)
		return false;
	for (size_t i = 0; i < SERVER_COOKIE; i++)
		if (query->cookie[CLIENT_COOKIE + i] != (query->cookie[i] ^ COOKIE_SECRET))
			return false;
	return true;
}

static void append_cookie(struct upstream_message *message, const struct upstream_query *query,
			  bool wrong)
{
	uint8_t cookie[CLIENT_COOKIE + SERVER_COOKIE];

	for (size_t i = 0; i < CLIENT_COOKIE; i++) {
		cookie[i] = query->cookie[i];
		cookie[CLIENT_COOKIE + i] = query->cookie[i] ^ COOKIE_SECRET;
	}
	cookie[0] ^= wrong;
	append_u16(message, OPTION_COOKIE);
	append_u16(message, sizeof(cookie));
	append(message, cookie, sizeof(cookie));
}

static void append_opt(struct upstream_message *message, const struct upstream_query *query,
		       const struct upstream_rule *rule, const struct upstream_manner *manner,
		       unsigned int rcode)
{
	uint8_t opt[OPT_BYTES] = { 0, 0, TYPE_OPT, 0x04, 0xd0 };
	size_t at = message->len;

	opt[5] = (uint8_t)(rcode >> 4);
	append(message, opt, sizeof(opt));
	if (manner->values[UPSTREAM_COOKIE] != UPSTREAM_COOKIE_NONE &&
	    query->cookie_len >= CLIENT_COOKIE)
		append_cookie(message, query,
			      manner->values[UPSTREAM_COOKIE] == UPSTREAM_COOKIE_WRONG);
	if (rule)
		append(message, rule->options.bytes, rule->options.len);
	put_u16(message->bytes + at + OPT_BYTES - 2, (unsigned int)(message->len - at - OPT_BYTES));
	put_u16(message->bytes + 10, get_u16(message->bytes + 10) + 1U);
}

/* One more record, of a type that nobody asks for. */
static void pad(struct upstream_message *message, size_t size)
{
	uint8_t zeros[256] = { 0 };
	size_t data;

	if (message->len + OPT_BYTES > size || size > sizeof(message->bytes))
		return;
	data = size - message->len - OPT_BYTES;
	append(message, zeros, 1);
	append_u16(message, TYPE_PRIVATE);
	append_u16(message, 1);
	append(message, zeros, 4);
	append_u16(message, (unsigned int)data);
	while (message->len < size)
		append(message, zeros,
		       size - message->len < sizeof(zeros) ? size - message->len : sizeof(zeros));
	put_u16(message->bytes + 10, get_u16(message->bytes + 10) + 1U);
}

static void append_records(struct upstream_message *message, const struct upstream_rule *rule)
{
	for (size_t i = 0; i < ARRAY_LEN(rule->sections); i++) {
		append(message, rule->sections[i].bytes, rule->sections[i].len);
		put_u16(message->bytes + 6 + 2 * i, rule->sections[i].count);
	}
}

static void lower_name(struct upstream_message *message, const struct upstream_query *query)
{
	for (size_t i = 0; i < query->name_len; i++) {
		uint8_t *octet = message->bytes + HEADER_BYTES + i;

		*octet = (uint8_t)text_lower((char)*octet);
	}
}

void upstream_reply_build(struct upstream_message *message, const struct upstream_query *query,
			  const struct upstream_rule *rule, const struct upstream_manner *manner,
			  bool tcp)
{
	unsigned int rcode = rule ? rule->rcode : RCODE_NXDOMAIN;
	size_t limit = query->edns ? query->edns_size : PLAIN_UDP_BYTES;
	size_t opt_room = query->edns ? OPT_BYTES + 4 + CLIENT_COOKIE + SERVER_COOKIE : 0;
	bool edns = query->edns;
	bool records = rule != NULL;

	if (manner->values[UPSTREAM_FAIL] != 0) {
		rcode = (unsigned int)manner->values[UPSTREAM_FAIL];
		records = false;
	}
	if (edns && manner->values[UPSTREAM_COOKIE] == UPSTREAM_COOKIE_REQUIRED && !tcp &&
	    !has_right_cookie(query)) {
		rcode = RCODE_BADCOOKIE;
		records = false;
	}
	if (edns && manner->values[UPSTREAM_FORMERR_EDNS] != 0) {
		rcode = RCODE_FORMERR;
		records = edns = false;
	}
	begin(message, query, (rule ? rule->flags : 0U) | (rcode & 0xf));
	if (records) {
		append_records(message, rule);
		opt_room += rule->options.len;
	}
	if (!tcp && (manner->values[UPSTREAM_TRUNCATE] != 0 ||
		     (manner->values[UPSTREAM_PAD] == 0 && message->len + opt_room > limit)))
		begin(message, query, FLAG_TC | (rcode & 0xf));
	if (edns)
		append_opt(message, query, rule, manner, rcode);
	if (manner->values[UPSTREAM_LOWER] != 0)
		lower_name(message, query);
	if (!tcp)
		pad(message, manner->values[UPSTREAM_PAD]);
}

/* Forgeries */

static void append_forged_address(struct upstream_message *message, unsigned int type)
{
	static const uint8_t a[] = { 203, 0, 113, 66 };
	static const uint8_t aaaa[16] = { 0x20, 0x01, 0x0d, 0xb8, 0x0b, 0xad, [15] = 0x66 };

	append_u16(message, AT_QUESTION_NAME);
	append_u16(message, type == TYPE_AAAA ? TYPE_AAAA : TYPE_A);
	append_u16(message, 1);
	append_u16(message, 0);
	append_u16(message, FORGERY_TTL);
	if (type == TYPE_AAAA) {
		append_u16(message, sizeof(aaaa));
		append(message, aaaa, sizeof(aaaa));
	} else {
		append_u16(message, sizeof(a));
		append(message, a, sizeof(a));
	}
	put_u16(message->bytes + 6, 1);
}

static void swap_case(struct upstream_message *message, const struct upstream_query *query)
{
	for (size_t i = 0; i < query->name_len; i++)
		if (text_is_alpha((char)message->bytes[HEADER_BYTES + i]))
			message->bytes[HEADER_BYTES + i] ^= 0x20;
}

void upstream_reply_build_forgery(struct upstream_message *message,
				  const struct upstream_query *query, unsigned int forgery,
				  unsigned int nth)
{
	size_t question = HEADER_BYTES;

	begin(message, query, 0);
	if (forgery == UPSTREAM_FORGE_NO_QUESTION) {
		message->len = HEADER_BYTES;
		put_u16(message->bytes + 4, 0);
		append(message, query->bytes + HEADER_BYTES, query->name_len);
		append(message, "\0\1\0\1\0\0\1\54\0\4\313\0\161\102", 14);
		put_u16(message->bytes + 6, 1);
		return;
	}
	if (forgery == UPSTREAM_FORGE_QUESTIONS) {
		append(message, query->bytes + HEADER_BYTES, query->name_len + 4);
		put_u16(message->bytes + 4, 2);
	}
	append_forged_address(message, query->type);
	switch (forgery) {
	case UPSTREAM_FORGE_ID:
		put_u16(message->bytes, query->id + 1U + nth % UINT16_MAX);
		break;
	case UPSTREAM_FORGE_NAME:
		/* A letter or a digit of the first label becomes another one. */
		message->bytes[question + 1] ^= 0x01;
		break;
	case UPSTREAM_FORGE_TYPE:
		put_u16(message->bytes + question + query->name_len,
			query->type == TYPE_A ? TYPE_AAAA : TYPE_A);
		break;
	case UPSTREAM_FORGE_CLASS:
		put_u16(message->bytes + question + query->name_len + 2, 3);
		break;
	case UPSTREAM_FORGE_QR:
		message->bytes[2] &= 0x7f;
		break;
	case UPSTREAM_FORGE_OPCODE:
		message->bytes[2] |= 5 << 3;
		break;
	case UPSTREAM_FORGE_GARBAGE:
		for (size_t i = 2; i < message->len; i++)
			message->bytes[i] = (uint8_t)(i * 197 + nth);
		break;
	case UPSTREAM_FORGE_TRAILING:
		append(message, "x", 1);
		break;
	case UPSTREAM_FORGE_EMPTY:
		message->len = 0;
		break;
	case UPSTREAM_FORGE_BYTE:
		message->len = 1;
		break;
	case UPSTREAM_FORGE_HEADER:
		message->len = HEADER_BYTES;
		break;
	case UPSTREAM_FORGE_OVERSIZE:
		pad(message, OVERSIZE_BYTES);
		break;
	case UPSTREAM_FORGE_CASE:
		swap_case(message, query);
		break;
	default: /* _PORT: nothing is wrong but where it comes from */
		break;
	}
}
