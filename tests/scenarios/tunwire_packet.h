/* SPDX-License-Identifier: MIT */
/*
 * Packets of the wire, tests/scenarios/tunwire.c: what one says, what its address asks for, and the answers that the
 * wire makes itself. Pure functions of bytes; IPv4 and IPv6 without extension headers.
 *
 * What an address does is written in the address, so that the wire need not be told, and runs do not meet:
 *
 *	2001:dbX:ACTION:DELAY:RUN::INDEX, fd00:ACTION:DELAY:RUN::INDEX     DELAY: milliseconds
 *	10.A.R.I     A: 32 · ACTION + the place of the delay in a table; R.I: 16 · RUN + INDEX
 *
 * Anything else is passed on at once. All that comes from such an address comes DELAY later: it is the round trip.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/address.h"

#define PACKET_BYTES 2048 /* the largest packet that is carried */

#define PACKET_FIN 0x01
#define PACKET_SYN 0x02
#define PACKET_RST 0x04
#define PACKET_ACK 0x10

enum packet_action {
	PACKET_PASS,
	PACKET_DROP,
	PACKET_RESET,	    /* a SYN is answered with RST */
	PACKET_NO_ROUTE,    /* with ICMP: no route; net unreachable */
	PACKET_PROHIBITED,  /* with ICMP: administratively prohibited */
	PACKET_UNREACHABLE, /* with ICMP: address unreachable; host unreachable */
	PACKET_LOSE_FIRST,  /* the first SYN of each flow is lost */
	PACKET_HALF,	    /* the handshake, and nothing that the server says */
};

struct packet_fate {
	enum packet_action action;
	uint64_t delay_us;
};

struct packet {
	struct address source, destination;
	uint8_t protocol;
	size_t header_len;	/* of IP */
	const uint8_t *payload; /* borrowed: behind the IP header */
	size_t payload_len;
	uint16_t source_port, destination_port; /* TCP and UDP */
	uint32_t sequence, acknowledgement;	/* TCP, as the next */
	uint8_t flags;
	const uint8_t *data; /* behind the header of TCP or UDP; borrowed */
	size_t data_len;
};

/* A DNS message, its header and its only question. */
struct packet_dns {
	bool is_answer, is_truncated;
	uint16_t id, type, n_answers;
	uint8_t rcode;
	char name[1024]; /* without the last dot; blanks and the like as ? */
};

/* -EBADMSG. */
MUST_CHECK int packet_parse(const uint8_t *bytes, size_t len, struct packet *ret);
MUST_CHECK int packet_parse_dns(const struct packet *packet, struct packet_dns *ret);

struct packet_fate packet_find_fate(const struct address *address);

/* What the wire says to a SYN for PACKET_RESET and the ICMP actions: the length of out, PACKET_BYTES of room; 0: nothing. */
size_t packet_answer(const uint8_t *bytes, size_t len, const struct packet *packet,
		     enum packet_action action, uint8_t *out);
