/* SPDX-License-Identifier: MIT */
/*
 * The messages of the scripted upstream: what a query says, which rule fits it, and the bytes of the answer and of
 * forgeries. It uses no code of the daemon's resolver, so that the two check each other. When and over what they are
 * sent is upstream.c's business.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UPSTREAM_MESSAGE_BYTES 65535
#define UPSTREAM_NAME_TEXT     1024 /* a name of 255 octets, each as \DDD */
#define UPSTREAM_COOKIE_BYTES  40

/* Ways to behave, of a server or, where the rule says so, of one rule. All are numbers; 0: not so. */
enum upstream_manner_key {
	UPSTREAM_DELAY,	       /* before the answer, microseconds */
	UPSTREAM_MUTE_UDP,     /* no true answer over UDP */
	UPSTREAM_MUTE_TCP,     /* nor over TCP */
	UPSTREAM_FAIL,	       /* this rcode and no records, whatever the rule says */
	UPSTREAM_DROP_TYPE,    /* no answer to questions of this type */
	UPSTREAM_DROP_EDNS,    /* no answer to questions with EDNS over UDP */
	UPSTREAM_FORMERR_EDNS, /* FORMERR to questions with EDNS, without EDNS */
	UPSTREAM_LOSS,	       /* percentage of datagrams that get no answer */
	UPSTREAM_COOKIE,       /* enum upstream_cookie */
	UPSTREAM_LOWER,	       /* the question comes back in lower case */
	UPSTREAM_TRUNCATE,     /* over UDP the TC bit and no records */
	UPSTREAM_PAD,	       /* over UDP filled up to this many bytes, announced size or not */
	UPSTREAM_FORGE,	       /* UPSTREAM_FORGE_… before the true answer over UDP */
	UPSTREAM_FORGE_TCP,    /* likewise over TCP */
	UPSTREAM_FORGE_TIMES,  /* each of them so often; 0: once */
	UPSTREAM_TRICKLE,      /* over TCP one byte each so many microseconds */
	UPSTREAM_TCP_CLOSE,    /* 1: the connection is closed in place of an answer; 2: after it */
	UPSTREAM_TCP_LENGTH,   /* this length is announced in place of the true one */
	UPSTREAM_HOLD, /* over TCP so many answers are collected, and sent in reverse order */
	UPSTREAM_N_MANNERS
};

/* RFC 7873. */
enum upstream_cookie {
	UPSTREAM_COOKIE_NONE,
	UPSTREAM_COOKIE_GIVEN,	  /* a server cookie in each answer to a query with a cookie */
	UPSTREAM_COOKIE_REQUIRED, /* BADCOOKIE over UDP to queries without the right one */
	UPSTREAM_COOKIE_WRONG	  /* the client's cookie comes back with a bit changed */
};

struct upstream_manner {
	uint64_t values[UPSTREAM_N_MANNERS];
	uint32_t set; /* in a rule: bits of the keys that take the place of the server's */
};

/* Each carries 203.0.113.66 or 2001:db8:bad::66, so that one that gets through is seen. */
#define UPSTREAM_FORGE_ID	   (1U << 0)
#define UPSTREAM_FORGE_NAME	   (1U << 1)
#define UPSTREAM_FORGE_TYPE	   (1U << 2)
#define UPSTREAM_FORGE_CLASS	   (1U << 3)
#define UPSTREAM_FORGE_QR	   (1U << 4)
#define UPSTREAM_FORGE_OPCODE	   (1U << 5)
#define UPSTREAM_FORGE_NO_QUESTION (1U << 6)
#define UPSTREAM_FORGE_PORT	   (1U << 7) /* all right but for the port it comes from */
#define UPSTREAM_FORGE_GARBAGE	   (1U << 8) /* the right id and then noise */
#define UPSTREAM_FORGE_TRAILING	   (1U << 9) /* one byte too many */
#define UPSTREAM_FORGE_EMPTY	   (1U << 10)
#define UPSTREAM_FORGE_BYTE	   (1U << 11)
#define UPSTREAM_FORGE_HEADER	   (1U << 12) /* 12 bytes that promise one question and one record */
#define UPSTREAM_FORGE_OVERSIZE	   (1U << 13) /* 4096 bytes */
#define UPSTREAM_FORGE_QUESTIONS   (1U << 14) /* the question twice */
#define UPSTREAM_FORGE_CASE	   (1U << 15) /* every letter of the name in the other case */
#define UPSTREAM_N_FORGERIES	   16

struct upstream_query {
	uint16_t id, type;
	size_t name_len;	       /* octets of the name on the wire */
	const uint8_t *bytes;	       /* borrowed: the whole query */
	char name[UPSTREAM_NAME_TEXT]; /* as it came, without final dot */
	bool edns;
	uint16_t edns_size;
	uint8_t cookie[UPSTREAM_COOKIE_BYTES]; /* the option's data */
	size_t cookie_len;		       /* 0: no cookie */
};

struct upstream_section {
	uint16_t count;
	uint8_t *bytes; /* owned; whole records */
	size_t len;
};

struct upstream_rule {
	struct upstream_rule *next; /* owned */
	char *name;		    /* owned; "*": all, "*.x": those below x */
	uint16_t type;		    /* 0: all */
	size_t server;		    /* 0: all, else its place + 1 */
	uint16_t rcode;
	uint16_t flags; /* or'ed into those of the answer: 0x20 AD, 0x400 AA */
	uint64_t udp_only;
	struct upstream_section sections[3]; /* answer, authority, additional */
	struct upstream_section options;     /* further EDNS options; count is unused */
	struct upstream_manner manner;
};

struct upstream_message {
	uint8_t bytes[UPSTREAM_MESSAGE_BYTES];
	size_t len;
};

/* One word "key=number" into a manner; -EINVAL: no such key or no such number. The word is changed. */
int upstream_reply_parse_manner(char *word, struct upstream_manner *manner);

/* One rule from its words; -EINVAL, -ENOMEM. The text is changed. */
int upstream_reply_parse_rule(char *text, struct upstream_rule **ret);
void upstream_reply_free_rules(struct upstream_rule *rules);

/* -EBADMSG for anything but one plain question. */
int upstream_reply_parse_query(const uint8_t *bytes, size_t len, struct upstream_query *ret);

/* The first rule that fits; NULL: none. */
const struct upstream_rule *upstream_reply_find_rule(const struct upstream_rule *rules,
						     const struct upstream_query *query,
						     size_t server, bool tcp);

/* The answer; NXDOMAIN without a rule. */
void upstream_reply_build(struct upstream_message *message, const struct upstream_query *query,
			  const struct upstream_rule *rule, const struct upstream_manner *manner,
			  bool tcp);

/* One forgery; nth makes wrong ids differ. */
void upstream_reply_build_forgery(struct upstream_message *message,
				  const struct upstream_query *query, unsigned int forgery,
				  unsigned int nth);
