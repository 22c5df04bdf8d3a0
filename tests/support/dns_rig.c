/* SPDX-License-Identifier: MIT */
#include "tests/support/dns_rig.h"

#include <check.h>

#include "daemon/base/clock.h"
#include "daemon/resolve/dns-late.h"
#include "daemon/resolve/dns-stream.h"
#include "tests/support/suite.h"

#define LIMIT_SEC 15

static void on_limit(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	*(bool *)arg = true;
}

/* One whose timers are exact, for what is measured. */
static struct event_base *make_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base;

	ck_assert_ptr_nonnull(config);
	ck_assert_int_eq(event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER |
							       EVENT_BASE_FLAG_NO_CACHE_TIME),
			 0);
	base = event_base_new_with_config(config);
	event_config_free(config);
	ck_assert_ptr_nonnull(base);
	return base;
}

void dns_rig_open(struct dns_rig *rig)
{
	const struct timeval limit = { .tv_sec = LIMIT_SEC };
	struct dns_upstream *upstream = &rig->upstream;

	*rig = (struct dns_rig){ .config = { .timeout_us = 5 * USEC_PER_SEC, .attempts = 2 } };
	rig->base = upstream->base = make_base();
	rig->limit = evtimer_new(rig->base, on_limit, &rig->expired);
	ck_assert_ptr_nonnull(rig->limit);
	ck_assert_int_eq(evtimer_add(rig->limit, &limit), 0);
	ck_assert_int_eq(dns_servers_new(&upstream->servers), 0);
	ck_assert_int_eq(dns_streams_new(&upstream->streams, rig->base), 0);
	ck_assert_int_eq(dns_late_new(&upstream->late, upstream->servers, rig->base), 0);
}

void dns_rig_close(struct dns_rig *rig)
{
	const struct dns_server *server = NULL;

	dns_late_free(rig->upstream.late);
	dns_streams_free(rig->upstream.streams);
	for (size_t i = 0; i < rig->group.n_servers; i++) {
		ck_assert_uint_eq(rig->known[i]->n_overdue, 0);
		dns_servers_release(rig->upstream.servers, rig->known[i]);
		dns_server_free(rig->peers[i]);
	}
	while ((server = dns_servers_next(rig->upstream.servers, server)))
		ck_assert_uint_eq(server->n_users, 0);
	dns_servers_free(rig->upstream.servers);
	event_free(rig->limit);
	event_base_free(rig->base);
	clock_set_fake(NULL);
}

void dns_rig_add_config(struct dns_rig *rig, const struct name_server *config)
{
	size_t i = rig->group.n_servers++;

	ck_assert_uint_lt(i, LIMIT_NAME_SERVERS);
	rig->group.servers[i] = *config;
	rig->known[i] = dns_servers_hold(rig->upstream.servers, config);
	ck_assert_ptr_nonnull(rig->known[i]);
}

void dns_rig_add_endpoint(struct dns_rig *rig, struct endpoint endpoint)
{
	dns_rig_add_config(rig, &(struct name_server){ .endpoint = endpoint });
}

struct dns_server *dns_rig_add(struct dns_rig *rig, const struct dns_rule *rules, size_t n_rules)
{
	size_t i = rig->group.n_servers;

	rig->peers[i] = dns_server_new(rig->base, rules, n_rules);
	dns_rig_add_endpoint(rig, dns_server_endpoint(rig->peers[i]));
	return rig->peers[i];
}

void dns_rig_stop_clock(struct dns_rig *rig)
{
	rig->now_us = clock_now_us();
	clock_set_fake(&rig->now_us);
}

void dns_rig_move_clock(struct dns_rig *rig, uint64_t by_us)
{
	rig->now_us += by_us;
}

void dns_rig_settle(struct dns_rig *rig)
{
	for (int i = 0; i < 10; i++)
		ck_assert_int_ge(event_base_loop(rig->base, EVLOOP_NONBLOCK), 0);
}

size_t dns_rig_count(const struct dns_rig *rig, size_t i)
{
	return dns_server_count(rig->peers[i], NULL, 0);
}

size_t dns_rig_count_tcp(const struct dns_rig *rig, size_t i)
{
	size_t n, n_tcp = 0;
	const struct dns_seen *seen = dns_server_get_seen(rig->peers[i], &n);

	for (size_t j = 0; j < n; j++)
		n_tcp += seen[j].tcp;
	return n_tcp;
}

const struct dns_seen *dns_rig_get_seen(const struct dns_rig *rig, size_t i, size_t n)
{
	size_t n_seen;
	const struct dns_seen *seen = dns_server_get_seen(rig->peers[i], &n_seen);

	ck_assert_uint_lt(n, n_seen);
	return &seen[n];
}

void dns_rig_assert_address(const struct dns_answer *answer, const char *expected)
{
	struct address addresses[2];
	char text[ADDRESS_TEXT_SIZE];

	ck_assert_ptr_nonnull(answer);
	ck_assert_uint_eq(dns_answer_get_addresses(answer, addresses, ARRAY_LEN(addresses)), 1);
	ck_assert_str_eq(address_format(&addresses[0], text, sizeof(text)), expected);
}
