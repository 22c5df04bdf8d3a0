/* SPDX-License-Identifier: MIT */
/*
 * A reply as it comes from the network: what the scanner accepts is read for a fixed name and for the name in its own
 * question, so chains from the question on are walked.
 */
#include <assert.h>
#include <string.h>

#include "daemon/resolve/dns-packet.h"
#include "tests/fuzz/fuzz.h"

static const uint16_t types[] = { DNS_TYPE_A, DNS_TYPE_AAAA };

static void check_answer(const struct dns_answer *answer, const char *name, uint16_t type)
{
	size_t len = strnlen(answer->canonical, sizeof(answer->canonical));

	assert(len > 0 && len < sizeof(answer->canonical));
	for (size_t i = 0; i < len; i++) {
		char c = answer->canonical[i];

		assert(c > ' ' && c <= '~' && c != '\\' && !(c >= 'A' && c <= 'Z'));
		assert(c != '/' || strchr(name, '/'));
	}
	assert(answer->rcode >= 0 && answer->rcode < 4096);
	assert(answer->ttl_s <= INT32_MAX);
	assert(answer->n_addresses <= LIMIT_DNS_ADDRESSES);
	for (size_t i = 0; i < answer->n_addresses; i++)
		assert(answer->addresses[i].family == (type == DNS_TYPE_A ? AF_INET : AF_INET6));
	assert(dns_packet_rcode_name(answer->rcode));
}

static void read_as(const uint8_t *data, size_t size, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct dns_answer answer;
		int err = dns_packet_read(data, size, name, types[i], &answer);

		assert(err == 0 || err == -EBADMSG);
		if (err == 0)
			check_answer(&answer, name, types[i]);
	}
}

/* The first name of a message has no pointers. Dots inside labels make another name of it, which is as good here. */
static void name_of_question(const uint8_t *data, char *ret)
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
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char fixed[] = "www.example";
	char name[256];
	uint16_t id;

	if (dns_packet_scan(data, size) < 0) {
		/* These two look at what the scanner refused. */
		(void)dns_packet_matches(data, size, fixed, DNS_TYPE_A, 0);
		(void)dns_packet_get_remnant(data, size, fixed, DNS_TYPE_A, 0);
		return 0;
	}
	read_as(data, size, fixed);
	if (data[5] == 0)
		return 0;
	name_of_question(data, name);
	read_as(data, size, name);
	id = (uint16_t)(data[0] << 8 | data[1]);
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		bool matches = dns_packet_matches(data, size, name, types[i], id);

		assert(!matches || (data[2] & 0xf8) == 0x80);
		assert(!dns_packet_matches(data, size, name, types[i], (uint16_t)(id + 1)));
	}
	return 0;
}
