/* SPDX-License-Identifier: MIT */
#include "tests/support/try_rig.h"

#include <check.h>

void try_rig_open_endpoint(struct try_rig *rig, struct endpoint endpoint)
{
	*rig = (struct try_rig){ .params = { .name = TRY_NAME, .type = DNS_TYPE_A } };
	dns_rig_open(&rig->dns);
	dns_rig_add_endpoint(&rig->dns, endpoint);
	rig->params.server = rig->dns.known[0];
	rig->params.streams = rig->dns.upstream.streams;
}

void try_rig_open(struct try_rig *rig, const struct dns_rule *rules, size_t n_rules)
{
	*rig = (struct try_rig){ .params = { .name = TRY_NAME, .type = DNS_TYPE_A } };
	dns_rig_open(&rig->dns);
	(void)dns_rig_add(&rig->dns, rules, n_rules);
	rig->params.server = rig->dns.known[0];
	rig->params.streams = rig->dns.upstream.streams;
}

void try_rig_close(struct try_rig *rig)
{
	rig->try = dns_try_free(rig->try);
	rig->answer = dns_answer_free(rig->answer);
	dns_rig_close(&rig->dns);
}

void try_rig_on_done(struct dns_try *try, int status, void *arg)
{
	struct try_rig *rig = arg;

	ck_assert(!rig->in_start);
	ck_assert_ptr_eq(try, rig->try);
	rig->n_done++;
	rig->status = status;
	dns_answer_free(rig->answer);
	rig->answer = dns_try_take_answer(try);
	ck_assert_ptr_null(dns_try_take_answer(try));
	if (rig->cancel_in_done)
		dns_try_cancel(try);
	if (rig->free_in_done)
		rig->try = dns_try_free(try);
}

void try_rig_start(struct try_rig *rig)
{
	rig->try = dns_try_free(rig->try);
	rig->n_done = 0;
	ck_assert_int_eq(dns_try_new(&rig->try, &rig->params, rig->dns.base), 0);
	rig->in_start = true;
	ck_assert_int_eq(dns_try_start(rig->try, try_rig_on_done, rig), 0);
	rig->in_start = false;
}

void try_rig_ask(struct try_rig *rig, int status)
{
	try_rig_start(rig);
	DNS_RIG_WAIT_FOR(&rig->dns, rig->n_done > 0);
	ck_assert_uint_eq(rig->n_done, 1);
	ck_assert_int_eq(rig->status, status);
}

void try_rig_ask_well(struct try_rig *rig, const char *expected)
{
	try_rig_ask(rig, 0);
	dns_rig_assert_address(rig->answer, expected);
}

const struct dns_seen *try_rig_seen(const struct try_rig *rig, size_t n)
{
	return dns_rig_get_seen(&rig->dns, 0, n);
}

void try_rig_assert_counts(const struct try_rig *rig, size_t n, size_t n_tcp)
{
	ck_assert_uint_eq(dns_rig_count(&rig->dns, 0), n);
	ck_assert_uint_eq(dns_rig_count_tcp(&rig->dns, 0), n_tcp);
}
