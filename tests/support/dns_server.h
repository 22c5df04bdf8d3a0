/* SPDX-License-Identifier: MIT */
/*
 * A name server on loopback that does what a table says: real UDP and TCP sockets on one port of 127.0.0.1, run by the
 * test's own loop. It stands for a recursive resolver, good, broken or forged. It builds its messages itself, with no
 * code of dns-packet.c, so that the two check each other. What it cannot show is how real servers compress, truncate
 * and behave under load; the scenarios with NSD or Knot show that.
 *
 *	static const struct dns_rule rules[] = {
 *		{ .name = "www.example", .type = DNS_RULE_A, .chain = "web.example", .addresses = "192.0.2.1 192.0.2.2" },
 *		{ .name = "www.example", .type = DNS_RULE_AAAA, .times = 1, .silent = true },
 *		{ .name = "gone.example", .rcode = 2 },
 *	};
 *	struct dns_server *server = dns_server_new(base, rules, ARRAY_LEN(rules));
 *
 * The first rule that fits name, type and transport and is not used up answers. A rule that says nothing else answers
 * NODATA; a name without a rule gets NXDOMAIN, and a name that has rules, but none for this type, NODATA. Every failure
 * of the server itself fails the test.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/base/nameservers.h"
#include "protocol/address.h"

struct dns_server;
struct event_base;

#define DNS_RULE_A    1
#define DNS_RULE_PTR  12
#define DNS_RULE_TXT  16
#define DNS_RULE_AAAA 28
#define DNS_RULE_SRV  33

/* Datagrams sent before the true answer. Each carries 203.0.113.66, so that one that gets through is seen. */
#define DNS_FORGE_ID	      (1U << 0)
#define DNS_FORGE_NAME	      (1U << 1)
#define DNS_FORGE_TYPE	      (1U << 2)
#define DNS_FORGE_CLASS	      (1U << 3)
#define DNS_FORGE_QR	      (1U << 4)
#define DNS_FORGE_OPCODE      (1U << 5)
#define DNS_FORGE_NO_QUESTION (1U << 6)
#define DNS_FORGE_SOURCE      (1U << 7)	 /* all right but for the port it comes from */
#define DNS_FORGE_GARBAGE     (1U << 8)	 /* id and then noise */
#define DNS_FORGE_TRAILING    (1U << 9)	 /* one byte too many */
#define DNS_FORGE_EMPTY	      (1U << 10) /* a datagram of no bytes */
#define DNS_FORGE_OVERSIZE    (1U << 11) /* well-formed, 4096 bytes */
#define DNS_FORGE_SHORT	      (1U << 12) /* one byte */

/* What the server does about cookies (RFC 7873), when the query has EDNS. */
enum dns_rule_cookie {
	DNS_RULE_COOKIE_NONE,
	DNS_RULE_COOKIE_GOOD,  /* the client's part and DNS_RULE_COOKIE_PART */
	DNS_RULE_COOKIE_WRONG, /* as good, but for one bit of the client's part */
};
#define DNS_RULE_COOKIE_PART "asockd's"

struct dns_rule {
	const char *name; /* any case; NULL: every name */
	uint16_t type;	  /* 0: every type */
	bool udp_only;
	bool tcp_only;
	unsigned int times; /* so often, then the rule is used up; 0: always */

	/* The answer. */
	int rcode;     /* above 15 with EDNS only */
	uint32_t ttl;  /* of all records; 0: 300 */
	bool zero_ttl; /* 0 it is */
	bool no_soa;   /* an answer without records has none; else it may be kept for a minute */
	const char *chain; /* CNAME targets from the name on, separated by blanks */
	const char *
		addresses; /* of the end of the chain, separated by blanks; those of the type asked are sent */
	/* SRV ("10 1 80 web.example", "." the root), PTR or TXT (a string) for a type that is one of them; ';' between */
	const char *records;
	const char *foreign; /* a name that gets an A of 203.0.113.66 in front of all others */
	const char *
		raw; /* these bytes in place of it all, but for the id in front, which is the query's */
	size_t raw_len;	    /* without the id */
	bool authenticated; /* AD */
	bool lower_case;    /* the question comes back in lower case */
	bool no_opt;	    /* in the answer, whatever the query has */
	enum dns_rule_cookie cookie;
	uint16_t ede; /* an extended error (RFC 8914); 0: none */
	const char *ede_text;

	/* The manner. */
	unsigned int forge;	  /* DNS_FORGE_… */
	unsigned int forge_times; /* each of them so often; 0: once */
	unsigned int delay_ms;	  /* before the true answer */
	bool silent;		  /* no true answer; over TCP the connection stays open */
	bool truncate;		  /* TC and no records over UDP; over TCP the whole answer */
	bool truncate_always;	  /* over TCP as well */
	int rcode_if_edns; /* this and no more for queries with EDNS; below 16 without OPT; 0: the answer */
	bool silent_if_edns;
	bool tcp_wrong_id;
	bool tcp_by_bytes; /* one byte a turn */
	bool tcp_close;	   /* in place of an answer */
	bool tcp_empty;	   /* a message of length 0 */
};

/* What arrived. */
struct dns_seen {
	char name[256];	   /* lower case, no final dot */
	char as_sent[256]; /* the same in the case that it came in */
	uint16_t type;
	uint16_t id;
	uint16_t source_port;
	bool tcp;
	bool wants_ad;
	size_t len;
	bool edns;
	uint16_t edns_size;
	uint8_t cookie[40];
	size_t cookie_len; /* 0: none */
	bool is_padded;
};

/* rules are borrowed. */
struct dns_server *dns_server_new(struct event_base *base, const struct dns_rule *rules,
				  size_t n_rules);
/* Closes all sockets; answers not yet sent are not sent. Takes NULL. */
void dns_server_free(struct dns_server *server);
/* TCP connections are refused from now on. */
void dns_server_stop_tcp(struct dns_server *server);

struct endpoint dns_server_endpoint(const struct dns_server *server);
/* As a configuration would name them, without domains and TLS. */
struct name_servers dns_server_group(const struct endpoint *servers, size_t n);

/* Queries in the order of their arrival; borrowed until the next loop turn. */
const struct dns_seen *dns_server_get_seen(const struct dns_server *server, size_t *ret_n);
/* How many were for this name (NULL: any) and type (0: any). */
size_t dns_server_count(const struct dns_server *server, const char *name, uint16_t type);

/* An endpoint on 127.0.0.1 where nothing listens; fit for one test, as the port is free for others to take. */
struct endpoint dns_server_closed_endpoint(void);
