/* SPDX-License-Identifier: MIT */
#include "tests/support/query_rig.h"

#include <check.h>

#include "daemon/base/clock.h"
#include "daemon/resolve/dns-late.h"

#define MANY 1000 /* attempts: patience for more than any test lasts */

void query_rig_open(struct query_rig *rig)
{
	*rig = (struct query_rig){ 0 };
	dns_rig_open(&rig->dns);
}

void query_rig_close(struct query_rig *rig)
{
	rig->query = dns_query_free(rig->query);
	rig->answer = dns_answer_free(rig->answer);
	dns_rig_close(&rig->dns);
}

void query_rig_hurry(struct query_rig *rig, uint64_t timeout_us)
{
	rig->dns.config.timeout_us = timeout_us;
	rig->dns.config.attempts = MANY;
}

void query_rig_use_up_budget(struct query_rig *rig)
{
	while (dns_servers_take_hedge(rig->dns.upstream.servers))
		;
}

uint64_t query_rig_count_hedges(const struct query_rig *rig)
{
	uint64_t questions, hedges;

	dns_servers_get_counts(rig->dns.upstream.servers, &questions, &hedges);
	return hedges;
}

void query_rig_on_done(struct dns_query *query, int status, void *arg)
{
	struct query_rig *rig = arg;

	ck_assert(!rig->in_start);
	ck_assert_ptr_eq(query, rig->query);
	rig->took_us = clock_now_us() - rig->started_us;
	rig->n_done++;
	rig->status = status;
	rig->frame = __builtin_frame_address(0);
	dns_answer_free(rig->answer);
	rig->answer = dns_query_take_answer(query);
	if (rig->in_done)
		rig->in_done(rig);
}

struct dns_query_params query_rig_make_params(const struct query_rig *rig, uint64_t wait_us)
{
	return (struct dns_query_params){
		.name = QUERY_NAME,
		.type = DNS_TYPE_A,
		.group = &rig->dns.group,
		.config = &rig->dns.config,
		.deadline_us = clock_now_us() + wait_us,
	};
}

void query_rig_start(struct query_rig *rig, uint64_t wait_us)
{
	struct dns_query_params params = query_rig_make_params(rig, wait_us);

	rig->query = dns_query_free(rig->query);
	rig->n_done = 0;
	rig->started_us = clock_now_us();
	ck_assert_int_eq(dns_query_new(&rig->query, &params, &rig->dns.upstream), 0);
	rig->in_start = true;
	ck_assert_int_eq(dns_query_start(rig->query, query_rig_on_done, rig), 0);
	rig->in_start = false;
}

void query_rig_wait(struct query_rig *rig, int status)
{
	DNS_RIG_WAIT_FOR(&rig->dns, rig->n_done > 0);
	ck_assert_uint_eq(rig->n_done, 1);
	ck_assert_int_eq(rig->status, status);
}

void query_rig_ask(struct query_rig *rig, int status)
{
	query_rig_start(rig, QUERY_LONG_US);
	query_rig_wait(rig, status);
}

void query_rig_ask_well(struct query_rig *rig, size_t i)
{
	query_rig_ask(rig, 0);
	dns_rig_assert_address(rig->answer, QUERY_ADDRESS);
	ck_assert(endpoint_equal(&rig->answer->server, &rig->dns.group.servers[i].endpoint));
}

size_t query_rig_count_late(const struct query_rig *rig)
{
	return dns_late_get_n(rig->dns.upstream.late);
}

void query_rig_assert_failed(const struct query_rig *rig, size_t i)
{
	ck_assert(endpoint_equal(dns_query_get_failed(rig->query),
				 &rig->dns.group.servers[i].endpoint));
}
