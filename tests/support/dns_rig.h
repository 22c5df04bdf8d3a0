/* SPDX-License-Identifier: MIT */
/*
 * What a question needs beside a server: the loop, what is known of servers, connections, the ears for late answers; and the
 * scripted servers of a test, in the order in which they are configured. All is real.
 */
#pragma once

#include <event2/event.h>

#include "daemon/resolve/dns-answer.h"
#include "daemon/resolve/dns-config.h"
#include "daemon/resolve/dns-query.h"
#include "daemon/resolve/dns-servers.h"
#include "tests/support/dns_server.h"

struct dns_rig {
	struct event_base *base;
	struct event *limit;
	bool expired;
	struct dns_upstream upstream; /* owned, all of it */
	struct dns_config config;     /* resolv.conf without options, no servers */
	struct name_servers group;
	struct dns_server *peers[LIMIT_NAME_SERVERS]; /* of dns_server.h; NULL: an endpoint only */
	struct dns_server *known[LIMIT_NAME_SERVERS]; /* of dns-servers.h; held */
	uint64_t now_us;			      /* while the clock stands */
};

void dns_rig_open(struct dns_rig *rig);
/* Nobody may ask any more; fails when somebody still holds a server. */
void dns_rig_close(struct dns_rig *rig);

/* One more server. */
struct dns_server *dns_rig_add(struct dns_rig *rig, const struct dns_rule *rules, size_t n_rules);
void dns_rig_add_endpoint(struct dns_rig *rig, struct endpoint endpoint);
void dns_rig_add_config(struct dns_rig *rig, const struct name_server *config);

/* From now on clock_now_us() answers the same, until it is moved; timers that are armed already do not notice. */
void dns_rig_stop_clock(struct dns_rig *rig);
void dns_rig_move_clock(struct dns_rig *rig, uint64_t by_us);

/* Runs the loop until the condition is true. */
#define DNS_RIG_WAIT_FOR(rig, condition)                                                \
	do {                                                                            \
		while (!(condition) && !(rig)->expired)                                 \
			ck_assert_int_ge(event_base_loop((rig)->base, EVLOOP_ONCE), 0); \
		ck_assert_msg((condition), "%s never came true", #condition);           \
	} while (0)

/* What the loop has to do at once. */
void dns_rig_settle(struct dns_rig *rig);

/* How many questions the i-th server has seen; and how many of them over TCP. */
size_t dns_rig_count(const struct dns_rig *rig, size_t i);
size_t dns_rig_count_tcp(const struct dns_rig *rig, size_t i);
/* The n-th question that the i-th server has seen, which has to be there. */
const struct dns_seen *dns_rig_get_seen(const struct dns_rig *rig, size_t i, size_t n);

/* That the answer has one address, this one. */
void dns_rig_assert_address(const struct dns_answer *answer, const char *expected);
