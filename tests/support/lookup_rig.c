/* SPDX-License-Identifier: MIT */
#include "tests/support/lookup_rig.h"

#include <dirent.h>
#include <event2/event.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "tests/support/suite.h"

#define BEGIN_US (1000 * USEC_PER_SEC)

void lookup_rig_open(struct lookup_rig *rig, const struct dns_rule *rules, size_t n_rules)
{
	*rig = (struct lookup_rig){ .now_us = BEGIN_US, .max_taken = SIZE_MAX };
	clock_set_fake(&rig->now_us);
	resolve_scene_open(&rig->scene, "", "");
	rig->scene.files.cache.max_bytes = 1024 * 1024;
	rig->scene.files.cache.max_stale_s = 3600;
	resolve_scene_add_server(&rig->scene, rules, n_rules);
	rig->lookups = resolver_get_lookups(rig->scene.resolver);
}

void lookup_rig_close(struct lookup_rig *rig)
{
	ck_assert_uint_eq(rig->n_taken, rig->n_given);
	resolve_scene_close(&rig->scene);
	clock_set_fake(NULL);
}

void lookup_rig_pass(struct lookup_rig *rig, double seconds)
{
	rig->now_us += (uint64_t)(seconds * 1e6);
}

void lookup_rig_settle(struct lookup_rig *rig)
{
	while (dns_lookups_get_n(rig->lookups) > 0)
		ck_assert_int_eq(event_base_loop(rig->scene.base, EVLOOP_ONCE), 0);
}

size_t lookup_rig_count(const struct lookup_rig *rig)
{
	return dns_server_count(rig->scene.server, NULL, 0);
}

static bool on_entry(const struct dns_cache_entry *entry, void *arg)
{
	*(struct dns_cache_entry *)arg = *entry;
	return entry->type != DNS_TYPE_A;
}

struct dns_cache_entry lookup_rig_get_entry(const struct lookup_rig *rig)
{
	struct dns_cache_entry entry = { 0 };

	dns_cache_visit(dns_lookups_get_cache(rig->lookups), LOOKUP_RIG_NAME, on_entry, &entry);
	return entry;
}

size_t lookup_rig_count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		n++;
	(void)closedir(dir);
	return n;
}

static bool on_take(void *arg)
{
	struct lookup_rig *rig = arg;

	if (rig->n_taken - rig->n_given >= rig->max_taken)
		return false;
	rig->n_taken++;
	return true;
}

static void on_give(void *arg)
{
	struct lookup_rig *rig = arg;

	rig->n_given++;
	ck_assert_uint_le(rig->n_given, rig->n_taken);
}

struct dns_lookup_params lookup_rig_params(struct lookup_rig *rig)
{
	return (struct dns_lookup_params){
		.name = LOOKUP_RIG_NAME,
		.type = DNS_TYPE_A,
		.deadline_us = rig->now_us + 30 * USEC_PER_SEC,
		.account = { on_take, on_give, rig },
	};
}

static void on_done(struct dns_lookup *lookup, int status, void *arg)
{
	struct lookup_op *op = arg;
	const struct dns_answer *answer = dns_lookup_get_result(lookup)->answer;
	struct address address;

	ck_assert(lookup == op->lookup && !op->done && !op->in_start);
	op->done = true;
	op->status = status;
	op->result = *dns_lookup_get_result(lookup);
	op->result.answer = NULL;
	op->n_records = answer ? answer->n_records : 0;
	ck_assert(status < 0 || answer);
	if (answer && dns_answer_get_addresses(answer, &address, 1) == 1)
		(void)address_format(&address, op->address, sizeof(op->address));
	if (op->in_done)
		op->in_done(op, op->arg);
}

void lookup_op_start(struct lookup_op *op, struct lookup_rig *rig,
		     const struct dns_lookup_params *params)
{
	ck_assert_ptr_null(op->lookup);
	*op = (struct lookup_op){ .rig = rig, .in_done = op->in_done, .arg = op->arg };
	ck_assert_int_eq(dns_lookup_new(&op->lookup, params, rig->lookups), 0);
	op->in_start = true;
	ck_assert_int_eq(dns_lookup_start(op->lookup, on_done, op), 0);
	op->in_start = false;
}

void lookup_op_wait(struct lookup_op *op)
{
	suite_loop(op->rig->scene.base, &op->done);
}

void lookup_op_run(struct lookup_op *op, struct lookup_rig *rig)
{
	const struct dns_lookup_params params = lookup_rig_params(rig);

	lookup_op_free(op);
	lookup_op_start(op, rig, &params);
	lookup_op_wait(op);
	lookup_op_free(op);
}

void lookup_op_run_at_once(struct lookup_op *op, struct lookup_rig *rig)
{
	const struct dns_lookup_params params = lookup_rig_params(rig);

	lookup_op_free(op);
	lookup_op_start(op, rig, &params);
	ck_assert_int_eq(event_base_loop(rig->scene.base, EVLOOP_ONCE | EVLOOP_NONBLOCK), 0);
	ck_assert(op->done);
	lookup_op_free(op);
}

void lookup_op_free(struct lookup_op *op)
{
	op->lookup = dns_lookup_free(op->lookup);
}

void lookup_op_expect(const struct lookup_op *op, enum source source, const char *address)
{
	ck_assert(op->done);
	ck_assert_int_eq(op->status, 0);
	ck_assert_int_eq(op->result.source, source);
	ck_assert_str_eq(op->address, address);
	ck_assert_uint_eq(op->n_records > 0, *address != '\0');
}
