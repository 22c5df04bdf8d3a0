/* SPDX-License-Identifier: MIT */
#include "tests/scenarios/tunwire_packet.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#define IPV4_HEADER	20
#define IPV6_HEADER	40
#define TCP_HEADER	20
#define UDP_HEADER	8
#define ICMP_HEADER	8
#define DNS_HEADER	12
#define ICMP4_QUOTE	548  /* an error has at most 576 bytes (RFC 1812 section 4.3.2.3) */
#define ICMP6_QUOTE	1232 /* 1280 (RFC 4443 section 2.4) */
#define HOPS		64
#define DELAY_BITS	5
#define INDEX_BITS	4
#define MAX_LABEL	63
#define PRINTABLE_FIRST 0x21
#define PRINTABLE_LAST	0x7e

/* Delays that an IPv4 address can name, milliseconds; racerig.py has the same. */
static const uint16_t delays4_ms[1 << DELAY_BITS] = {
	0,   1,	  2,   5,   10,	 20,  30,  40,	50,  60,  75,  80,   100,  120,	 150,  180,
	200, 250, 300, 350, 400, 450, 500, 600, 700, 800, 900, 1000, 1500, 2000, 3000, 5000,
};

/* The router that errors come from: the client's. */
static const uint8_t router4[4] = { 198, 18, 0, 1 };
static const uint8_t router6[16] = { 0x3f, 0xff, 0, 0x0c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 };

static uint16_t get16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static uint32_t get32(const uint8_t *bytes)
{
	return (uint32_t)get16(bytes) << 16 | get16(bytes + 2);
}

static void put16(uint8_t *bytes, size_t value)
{
	bytes[0] = (uint8_t)(value >> 8);
	bytes[1] = (uint8_t)value;
}

static void put32(uint8_t *bytes, uint32_t value)
{
	put16(bytes, value >> 16);
	put16(bytes + 2, value & UINT16_MAX);
}

static struct address make_address(int family, const uint8_t *bytes)
{
	struct address address = { .family = family };

	memcpy(address.bytes, bytes, address_len(&address));
	return address;
}

static int parse_ports(struct packet *packet)
{
	const uint8_t *header = packet->payload;
	size_t len = UDP_HEADER;

	if (packet->protocol != IPPROTO_TCP && packet->protocol != IPPROTO_UDP)
		return 0;
	if (packet->protocol == IPPROTO_TCP) {
		if (packet->payload_len < TCP_HEADER)
			return -EBADMSG;
		len = (size_t)(header[12] >> 4) * 4;
		packet->sequence = get32(header + 4);
		packet->acknowledgement = get32(header + 8);
		packet->flags = header[13];
	}
	if (packet->payload_len < len)
		return -EBADMSG;
	packet->source_port = get16(header);
	packet->destination_port = get16(header + 2);
	packet->data = header + len;
	packet->data_len = packet->payload_len - len;
	return 0;
}

int packet_parse(const uint8_t *bytes, size_t len, struct packet *ret)
{
	struct packet packet = { .header_len = IPV6_HEADER };
	size_t total = 0;

	if (len >= IPV4_HEADER && bytes[0] >> 4 == 4) {
		packet.header_len = (size_t)(bytes[0] & 0xf) * 4;
		packet.protocol = bytes[9];
		packet.source = make_address(AF_INET, bytes + 12);
		packet.destination = make_address(AF_INET, bytes + 16);
		total = get16(bytes + 2);
	} else if (len >= IPV6_HEADER && bytes[0] >> 4 == 6) {
		packet.protocol = bytes[6];
		packet.source = make_address(AF_INET6, bytes + 8);
		packet.destination = make_address(AF_INET6, bytes + 24);
		total = IPV6_HEADER + (size_t)get16(bytes + 4);
	}
	if (packet.header_len < IPV4_HEADER || total < packet.header_len || total > len)
		return -EBADMSG;
	packet.payload = bytes + packet.header_len;
	packet.payload_len = total - packet.header_len;
	if (parse_ports(&packet) < 0)
		return -EBADMSG;
	*ret = packet;
	return 0;
}

int packet_parse_dns(const struct packet *packet, struct packet_dns *ret)
{
	const uint8_t *bytes = packet->data;
	struct packet_dns dns = { .name = "" };
	size_t at = DNS_HEADER, n = 0;

	if (packet->data_len < DNS_HEADER || get16(bytes + 4) != 1)
		return -EBADMSG;
	while (at < packet->data_len && bytes[at] != 0) {
		size_t label = bytes[at++];

		if (label > MAX_LABEL || at + label >= packet->data_len ||
		    n + label + 2 > sizeof(dns.name))
			return -EBADMSG;
		if (n > 0)
			dns.name[n++] = '.';
		for (; label > 0; label--, at++)
			dns.name[n++] = bytes[at] >= PRINTABLE_FIRST && bytes[at] <= PRINTABLE_LAST
						? (char)bytes[at]
						: '?';
	}
	if (at + 5 > packet->data_len)
		return -EBADMSG;
	dns.id = get16(bytes);
	dns.is_answer = bytes[2] & 0x80;
	dns.is_truncated = bytes[2] & 0x02;
	dns.rcode = bytes[3] & 0xf;
	dns.n_answers = get16(bytes + 6);
	dns.type = get16(bytes + at + 1);
	*ret = dns;
	return 0;
}

struct packet_fate packet_find_fate(const struct address *address)
{
	const uint8_t *bytes = address->bytes;
	struct packet_fate fate = { PACKET_PASS, 0 };
	size_t action = 0, delay_ms = 0;

	if (address->family == AF_INET && bytes[0] == 10) {
		action = bytes[1] >> DELAY_BITS;
		delay_ms = delays4_ms[bytes[1] & ((1 << DELAY_BITS) - 1)];
	} else if (address->family == AF_INET6 && bytes[0] == 0x20 && bytes[1] == 1 &&
		   bytes[2] == 0x0d && bytes[3] >> 4 == 0x0b) {
		action = get16(bytes + 4);
		delay_ms = get16(bytes + 6);
	} else if (address->family == AF_INET6 && bytes[0] == 0xfd && bytes[1] == 0) {
		action = get16(bytes + 2);
		delay_ms = get16(bytes + 4);
	}
	if (action <= PACKET_HALF)
		fate.action = (enum packet_action)action;
	fate.delay_us = delay_ms * 1000;
	return fate;
}

static uint32_t add_words(uint32_t sum, const uint8_t *bytes, size_t len)
{
	for (; len > 1; bytes += 2, len -= 2)
		sum += get16(bytes);
	return len > 0 ? sum + (uint32_t)(bytes[0] << 8) : sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & UINT16_MAX) + (sum >> 16);
	return (uint16_t)~sum;
}

/* The IP header of out, whose payload is there, and the checksum at that place of the payload. */
static size_t finish(uint8_t *out, const struct address *source, const struct address *destination,
		     uint8_t protocol, size_t len, size_t checksum_at)
{
	bool v4 = destination->family == AF_INET;
	size_t header = v4 ? IPV4_HEADER : IPV6_HEADER;
	size_t address = address_len(destination);
	uint32_t sum = 0;

	memset(out, 0, header);
	out[0] = v4 ? 0x45 : 0x60;
	out[v4 ? 8 : 7] = HOPS;
	out[v4 ? 9 : 6] = protocol;
	put16(out + (v4 ? 2 : 4), v4 ? header + len : len);
	memcpy(out + header - 2 * address, source->bytes, address);
	memcpy(out + header - address, destination->bytes, address);
	if (v4)
		put16(out + 10, fold(add_words(0, out, header)));
	/* ICMP of IPv4 has no pseudo header. */
	if (protocol != IPPROTO_ICMP)
		sum = add_words((uint32_t)(protocol + len), out + header - 2 * address,
				2 * address);
	put16(out + header + checksum_at, 0);
	put16(out + header + checksum_at, fold(add_words(sum, out + header, len)));
	return header + len;
}

static size_t build_reset(const struct packet *packet, uint8_t *out)
{
	size_t header = packet->source.family == AF_INET ? IPV4_HEADER : IPV6_HEADER;
	uint8_t *tcp = out + header;

	memset(tcp, 0, TCP_HEADER);
	put16(tcp, packet->destination_port);
	put16(tcp + 2, packet->source_port);
	put32(tcp + 8, packet->sequence + 1);
	tcp[12] = TCP_HEADER / 4 << 4;
	tcp[13] = PACKET_RST | PACKET_ACK;
	return finish(out, &packet->destination, &packet->source, IPPROTO_TCP, TCP_HEADER, 16);
}

static size_t build_icmp(const uint8_t *bytes, size_t len, const struct packet *packet,
			 uint8_t type, uint8_t code, uint8_t *out)
{
	bool v4 = packet->source.family == AF_INET;
	struct address router = make_address(packet->source.family, v4 ? router4 : router6);
	uint8_t *icmp = out + (v4 ? IPV4_HEADER : IPV6_HEADER);
	size_t room = v4 ? ICMP4_QUOTE : ICMP6_QUOTE;
	size_t quote = len < room ? len : room;

	memset(icmp, 0, ICMP_HEADER);
	icmp[0] = type;
	icmp[1] = code;
	memcpy(icmp + ICMP_HEADER, bytes, quote);
	return finish(out, &router, &packet->source, v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6,
		      ICMP_HEADER + quote, 2);
}

size_t packet_answer(const uint8_t *bytes, size_t len, const struct packet *packet,
		     enum packet_action action, uint8_t *out)
{
	bool v4 = packet->source.family == AF_INET;
	uint8_t code = 0;

	switch (action) {
	case PACKET_PASS:
	case PACKET_DROP:
	case PACKET_LOSE_FIRST:
	case PACKET_HALF:
		return 0;
	case PACKET_RESET:
		return build_reset(packet, out);
	case PACKET_NO_ROUTE:
		code = v4 ? ICMP_NET_UNREACH : ICMP6_DST_UNREACH_NOROUTE;
		break;
	case PACKET_PROHIBITED:
		code = v4 ? ICMP_PKT_FILTERED : ICMP6_DST_UNREACH_ADMIN;
		break;
	case PACKET_UNREACHABLE:
		code = v4 ? ICMP_HOST_UNREACH : ICMP6_DST_UNREACH_ADDR;
		break;
	}
	return build_icmp(bytes, len, packet, v4 ? ICMP_DEST_UNREACH : ICMP6_DST_UNREACH, code,
			  out);
}
