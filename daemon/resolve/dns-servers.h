/* SPDX-License-Identifier: MIT */
/*
 * What is known about each name server, and the decisions that follow from it: in which order servers are asked, how long to
 * wait for one before the next is asked beside it, and whether that is within the budget. Pure: it asks nobody and knows no
 * clock; what happened and the time go in.
 *
 * Round trips are smoothed as TCP's (RFC 6298). A server is
 *   unknown  until it has answered,
 *   good     after that,
 *   slow     when it takes much longer than the best of its group, a question of it is overdue, or the last ones came to
 *            nothing: others go first,
 *   dead     when a question of it stayed without an answer: others go first.
 * Slow and dead servers get now and then a question that another one is asked as well, a probe, so that nobody waits for it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/base/nameservers.h"
#include "daemon/resolve/dns-packet.h"

struct dns_servers;

enum dns_known {
	DNS_UNKNOWN,
	DNS_YES,
	DNS_NO
};

enum dns_server_state {
	DNS_SERVER_UNKNOWN,
	DNS_SERVER_GOOD,
	DNS_SERVER_SLOW,
	DNS_SERVER_DEAD
};

/* Open for reading; changed by the functions below only. */
struct dns_server {
	struct name_server config;
	struct dns_server *next; /* in the table */
	unsigned int n_users;	 /* who holds it beside the table */
	bool is_configured;	 /* false: goes with its last user */

	uint64_t srtt_us, rttvar_us; /* 0: not measured */
	bool is_dead;
	uint64_t best_us;	/* of its group, when last put into order; 0: it never was */
	unsigned int n_overdue; /* questions that others are asked meanwhile */
	unsigned int n_late;	/* those of them that others have answered */
	unsigned int n_failed;	/* questions in a row that came to nothing */
	unsigned int n_silent;	/* questions in a row that stayed without an answer */
	uint64_t probe_at_us, probe_wait_us;

	enum dns_known edns, tcp, tls, keeps_case;
	/* When a DNS_NO is forgotten. */
	uint64_t edns_until_us, tcp_until_us, tls_until_us, case_until_us;
	uint8_t cookie[DNS_COOKIE_MAX_BYTES]; /* the client's part, then the server's (RFC 7873) */
	size_t cookie_len;		      /* 0: not made yet */

	uint64_t questions, answers, unanswered, failures;
	int last_error; /* < 0; 0: none yet */
};

MUST_CHECK int dns_servers_new(struct dns_servers **ret);
struct dns_servers *dns_servers_free(struct dns_servers *servers);
DEFINE_CLEANUP(struct dns_servers, dns_servers_free)

/* What is known about this server, held by the caller until dns_servers_release; NULL: out of memory. */
struct dns_server *dns_servers_hold(struct dns_servers *servers, const struct name_server *config);
void dns_servers_release(struct dns_servers *servers, struct dns_server *server);

/* Forgets those that are in none of the groups, as soon as nobody holds them. */
void dns_servers_keep(struct dns_servers *servers, const struct name_servers *groups, size_t n);

/* From one to the next, NULL at first and at the end. */
const struct dns_server *dns_servers_next(const struct dns_servers *servers,
					  const struct dns_server *server);

/* What is known about this server; NULL: it was never asked. */
const struct dns_server *dns_servers_find(const struct dns_servers *servers,
					  const struct name_server *config);

enum dns_server_state dns_servers_get_state(const struct dns_server *server);

/*
 * The order in which to ask: by the configured order, but the slow ones behind, and the dead ones last. first: where to begin
 * among equals (rotate), 0 unless so configured.
 */
void dns_servers_order(struct dns_server *const *servers, size_t n, size_t first, size_t *order);

/* How long this server usually takes at most, before another one is worth a question. */
uint64_t dns_servers_get_wait(const struct dns_server *server);

/* Whether others have shown that it is the server that is late, and no question: then asking another one is no guess. */
bool dns_servers_is_late(const struct dns_server *server);

/* A question begins: it adds to the budget. */
void dns_servers_count_question(struct dns_servers *servers);
/* Takes a duplicate out of the budget: one for every 25 questions, 5 in advance, and 8 at most are saved up. false: not now. */
bool dns_servers_take_hedge(struct dns_servers *servers);
void dns_servers_get_counts(const struct dns_servers *servers, uint64_t *ret_questions,
			    uint64_t *ret_hedges);

/* Whether servers[index] is slow or dead and due for a probe; then the next one is later. */
bool dns_servers_take_probe(struct dns_server *const *servers, size_t n, size_t index,
			    uint64_t now_us);

/* What happened to a question that was sent to it. */
void dns_servers_on_sent(struct dns_server *server);
/* An answer of whatever rcode. */
void dns_servers_on_answer(struct dns_server *server, uint64_t rtt_us);
/* Another server has answered before it did (+1), and that question is over now (-1). */
void dns_servers_on_overdue(struct dns_server *server, int change);
/* The same for one that another server has answered. */
void dns_servers_on_late(struct dns_server *server, int change);
/* The answer was of use. */
void dns_servers_on_success(struct dns_server *server);
/* No answer for as long as it makes sense to wait. */
void dns_servers_on_silence(struct dns_server *server, uint64_t now_us);
/* It cannot be reached (-errno), or its answers are no use (an outcome). */
void dns_servers_on_failure(struct dns_server *server, int error, uint64_t now_us);
/* The same, but it is known to be there. */
void dns_servers_on_trouble(struct dns_server *server, int error);

/* What is known to work is remembered; that something does not is forgotten after a while. */
void dns_servers_learn_edns(struct dns_server *server, bool works, uint64_t now_us);
void dns_servers_learn_tcp(struct dns_server *server, bool works, uint64_t now_us);
void dns_servers_learn_tls(struct dns_server *server, bool works, uint64_t now_us);
void dns_servers_learn_case(struct dns_server *server, bool works, uint64_t now_us);
bool dns_servers_may_edns(struct dns_server *server, uint64_t now_us);
bool dns_servers_may_tcp(struct dns_server *server, uint64_t now_us);
bool dns_servers_may_tls(struct dns_server *server, uint64_t now_us);
bool dns_servers_may_case(struct dns_server *server, uint64_t now_us);

/* The cookie to send: the client's part is made here, of the kernel's randomness. -errno: there is none. */
MUST_CHECK int dns_servers_make_cookie(struct dns_server *server);
/* The server's part: it gives none any more. */
void dns_servers_forget_cookie(struct dns_server *server);
