/* SPDX-License-Identifier: MIT */
#include "daemon/resolve/dns-servers.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/base/clock.h"

/* Waits before a second server is asked. Nothing is known of the first: long enough for most, short enough not to hurt. */
#define WAIT_UNKNOWN_US UINT64_C(70000)
#define WAIT_MIN_US	UINT64_C(10000) /* below, the jitter of busy hosts would be taken for trouble */
#define WAIT_MAX_US	UINT64_C(400000)

/* A server is slow that takes so many times as long as the best, and then some. */
#define SLOW_FACTOR 3
#define SLOW_MIN_US UINT64_C(20000)

/* The budget of duplicates: what a question earns and what one costs. */
#define CREDIT_QUESTION 1
#define CREDIT_HEDGE	25
#define CREDIT_AT_FIRST (5 * CREDIT_HEDGE)
#define CREDIT_MAX	(8 * CREDIT_HEDGE)

#define PROBE_MIN_US USEC_PER_SEC
#define PROBE_MAX_US (60 * USEC_PER_SEC)
#define SILENT_MAX \
	3 /* questions without an answer that make a server dead which has answered before */
#define FAILED_MAX    3 /* questions in a row that came to nothing and put a server behind others */
#define FORGET_US     (300 * USEC_PER_SEC) /* that something does not work */
#define FORGET_TCP_US (60 * USEC_PER_SEC)

struct dns_servers {
	struct dns_server *first;
	unsigned int credit;
	uint64_t questions, hedges;
};

int dns_servers_new(struct dns_servers **ret)
{
	struct dns_servers *servers = calloc(1, sizeof(*servers));

	if (!servers)
		return -ENOMEM;
	servers->credit = CREDIT_AT_FIRST;
	*ret = servers;
	return 0;
}

struct dns_servers *dns_servers_free(struct dns_servers *servers)
{
	while (servers && servers->first) {
		struct dns_server *server = servers->first;

		assert(server->n_users == 0);
		servers->first = server->next;
		free(server);
	}
	free(servers);
	return NULL;
}

struct dns_server *dns_servers_hold(struct dns_servers *servers, const struct name_server *config)
{
	struct dns_server **at = &servers->first;

	while (*at && !nameservers_is_same(&(*at)->config, config))
		at = &(*at)->next;
	if (!*at) {
		*at = calloc(1, sizeof(**at));
		if (!*at)
			return NULL;
		(*at)->config = *config;
		(*at)->is_configured = true;
	}
	(*at)->n_users++;
	return *at;
}

/* Takes out whom nobody holds and nobody has configured. */
static void sweep(struct dns_servers *servers)
{
	struct dns_server **at = &servers->first;

	while (*at) {
		struct dns_server *server = *at;

		if (server->n_users > 0 || server->is_configured) {
			at = &server->next;
			continue;
		}
		*at = server->next;
		free(server);
	}
}

void dns_servers_release(struct dns_servers *servers, struct dns_server *server)
{
	assert(server->n_users > 0);
	server->n_users--;
	if (!server->is_configured)
		sweep(servers);
}

static bool is_in(const struct name_servers *group, const struct name_server *config)
{
	for (size_t i = 0; i < group->n_servers; i++)
		if (nameservers_is_same(&group->servers[i], config))
			return true;
	return false;
}

void dns_servers_keep(struct dns_servers *servers, const struct name_servers *groups, size_t n)
{
	for (struct dns_server *server = servers->first; server; server = server->next) {
		server->is_configured = false;
		for (size_t i = 0; i < n && !server->is_configured; i++)
			server->is_configured = is_in(&groups[i], &server->config);
	}
	sweep(servers);
}

const struct dns_server *dns_servers_next(const struct dns_servers *servers,
					  const struct dns_server *server)
{
	return server ? server->next : servers->first;
}

const struct dns_server *dns_servers_find(const struct dns_servers *servers,
					  const struct name_server *config)
{
	for (const struct dns_server *server = servers->first; server; server = server->next)
		if (nameservers_is_same(&server->config, config))
			return server;
	return NULL;
}

static bool is_slow(const struct dns_server *server, uint64_t best_us)
{
	return server->srtt_us > SLOW_FACTOR * best_us + SLOW_MIN_US ||
	       server->n_failed >= FAILED_MAX;
}

enum dns_server_state dns_servers_get_state(const struct dns_server *server)
{
	if (server->is_dead)
		return DNS_SERVER_DEAD;
	if (server->n_overdue > 0 || (server->best_us > 0 && is_slow(server, server->best_us)))
		return DNS_SERVER_SLOW;
	return server->srtt_us > 0 ? DNS_SERVER_GOOD : DNS_SERVER_UNKNOWN;
}

/* 0: in its place, 1: behind those, 2: last. */
static unsigned int get_band(const struct dns_server *server, uint64_t best_us)
{
	if (server->is_dead)
		return 2;
	return server->n_overdue > 0 || is_slow(server, best_us) ? 1 : 0;
}

static uint64_t get_best(struct dns_server *const *servers, size_t n)
{
	uint64_t best_us = UINT32_MAX;

	for (size_t i = 0; i < n; i++)
		if (!servers[i]->is_dead && servers[i]->srtt_us > 0 &&
		    servers[i]->srtt_us < best_us)
			best_us = servers[i]->srtt_us;
	return best_us;
}

void dns_servers_order(struct dns_server *const *servers, size_t n, size_t first, size_t *order)
{
	uint64_t best_us = get_best(servers, n);
	size_t at = 0;

	for (size_t i = 0; i < n; i++)
		servers[i]->best_us = best_us;
	for (unsigned int band = 0; band <= 2; band++) {
		for (size_t i = 0; i < n; i++) {
			size_t index = (first + i) % n;

			if (get_band(servers[index], best_us) == band)
				order[at++] = index;
		}
	}
}

uint64_t dns_servers_get_wait(const struct dns_server *server)
{
	uint64_t wait_us = server->srtt_us + 4 * server->rttvar_us;

	if (server->srtt_us == 0)
		return WAIT_UNKNOWN_US;
	if (wait_us < WAIT_MIN_US)
		return WAIT_MIN_US;
	return wait_us < WAIT_MAX_US ? wait_us : WAIT_MAX_US;
}

void dns_servers_count_question(struct dns_servers *servers)
{
	servers->questions++;
	if (servers->credit < CREDIT_MAX)
		servers->credit += CREDIT_QUESTION;
}

bool dns_servers_take_hedge(struct dns_servers *servers)
{
	if (servers->credit < CREDIT_HEDGE)
		return false;
	servers->credit -= CREDIT_HEDGE;
	servers->hedges++;
	return true;
}

void dns_servers_get_counts(const struct dns_servers *servers, uint64_t *ret_questions,
			    uint64_t *ret_hedges)
{
	*ret_questions = servers->questions;
	*ret_hedges = servers->hedges;
}

bool dns_servers_take_probe(struct dns_server *const *servers, size_t n, size_t index,
			    uint64_t now_us)
{
	struct dns_server *server = servers[index];

	/* One whose answer is overdue is being probed by that question. */
	if (server->n_overdue > 0 || now_us < server->probe_at_us ||
	    get_band(server, get_best(servers, n)) == 0)
		return false;
	server->probe_wait_us =
		server->probe_wait_us == 0 ? PROBE_MIN_US : 2 * server->probe_wait_us;
	if (server->probe_wait_us > PROBE_MAX_US)
		server->probe_wait_us = PROBE_MAX_US;
	server->probe_at_us = now_us + server->probe_wait_us;
	return true;
}

void dns_servers_on_sent(struct dns_server *server)
{
	server->questions++;
}

void dns_servers_on_answer(struct dns_server *server, uint64_t rtt_us)
{
	uint64_t deviation_us;

	if (rtt_us == 0)
		rtt_us = 1; /* 0 is "not measured" */
	server->answers++;
	server->n_silent = 0;
	/* Whoever comes back from the dead is another one: what it took before says nothing. */
	if (server->srtt_us == 0 || server->is_dead) {
		server->srtt_us = rtt_us;
		server->rttvar_us = rtt_us / 2;
	} else {
		deviation_us = rtt_us > server->srtt_us ? rtt_us - server->srtt_us
							: server->srtt_us - rtt_us;
		server->rttvar_us = (3 * server->rttvar_us + deviation_us) / 4;
		server->srtt_us = (7 * server->srtt_us + rtt_us) / 8;
	}
	if (server->is_dead)
		server->probe_wait_us = 0;
	server->is_dead = false;
}

void dns_servers_on_overdue(struct dns_server *server, int change)
{
	assert(change > 0 || server->n_overdue > 0);
	server->n_overdue += (unsigned int)change;
}

void dns_servers_on_late(struct dns_server *server, int change)
{
	assert(change > 0 || server->n_late > 0);
	server->n_late += (unsigned int)change;
}

bool dns_servers_is_late(const struct dns_server *server)
{
	return server->n_late > 0 || server->is_dead;
}

void dns_servers_on_success(struct dns_server *server)
{
	server->n_failed = 0;
}

static void bury(struct dns_server *server, uint64_t now_us)
{
	if (server->is_dead)
		return;
	server->is_dead = true;
	server->probe_wait_us = 0;
	server->probe_at_us = now_us + PROBE_MIN_US;
}

void dns_servers_on_silence(struct dns_server *server, uint64_t now_us)
{
	server->unanswered++;
	server->last_error = -ETIMEDOUT;
	if (++server->n_silent >= SILENT_MAX || server->srtt_us == 0)
		bury(server, now_us);
}

void dns_servers_on_trouble(struct dns_server *server, int error)
{
	server->failures++;
	server->n_failed++;
	server->last_error = error;
}

void dns_servers_on_failure(struct dns_server *server, int error, uint64_t now_us)
{
	dns_servers_on_trouble(server, error);
	/* What it answers may be the question's fault; that nothing is there cannot. */
	if (error == -ECONNREFUSED || error == -EHOSTUNREACH || error == -ENETUNREACH)
		bury(server, now_us);
}

static void learn(enum dns_known *what, uint64_t *until_us, bool works, uint64_t forget_at_us)
{
	*what = works ? DNS_YES : DNS_NO;
	*until_us = forget_at_us;
}

static bool may(enum dns_known *what, uint64_t until_us, uint64_t now_us)
{
	if (*what == DNS_NO && now_us >= until_us)
		*what = DNS_UNKNOWN;
	return *what != DNS_NO;
}

void dns_servers_learn_edns(struct dns_server *server, bool works, uint64_t now_us)
{
	learn(&server->edns, &server->edns_until_us, works, now_us + FORGET_US);
}

void dns_servers_learn_tcp(struct dns_server *server, bool works, uint64_t now_us)
{
	learn(&server->tcp, &server->tcp_until_us, works, now_us + FORGET_TCP_US);
}

void dns_servers_learn_tls(struct dns_server *server, bool works, uint64_t now_us)
{
	learn(&server->tls, &server->tls_until_us, works, now_us + FORGET_TCP_US);
}

void dns_servers_learn_case(struct dns_server *server, bool works, uint64_t now_us)
{
	learn(&server->keeps_case, &server->case_until_us, works, now_us + FORGET_US);
}

bool dns_servers_may_edns(struct dns_server *server, uint64_t now_us)
{
	return may(&server->edns, server->edns_until_us, now_us);
}

bool dns_servers_may_tcp(struct dns_server *server, uint64_t now_us)
{
	return may(&server->tcp, server->tcp_until_us, now_us);
}

bool dns_servers_may_tls(struct dns_server *server, uint64_t now_us)
{
	return may(&server->tls, server->tls_until_us, now_us);
}

bool dns_servers_may_case(struct dns_server *server, uint64_t now_us)
{
	return may(&server->keeps_case, server->case_until_us, now_us);
}

int dns_servers_make_cookie(struct dns_server *server)
{
	ssize_t n;

	if (server->cookie_len > 0)
		return 0;
	n = getrandom(server->cookie, DNS_COOKIE_CLIENT_BYTES, 0);
	if (n != DNS_COOKIE_CLIENT_BYTES)
		return n < 0 ? -errno : -EIO;
	server->cookie_len = DNS_COOKIE_CLIENT_BYTES;
	return 0;
}

void dns_servers_forget_cookie(struct dns_server *server)
{
	if (server->cookie_len > DNS_COOKIE_CLIENT_BYTES)
		server->cookie_len = DNS_COOKIE_CLIENT_BYTES;
}
