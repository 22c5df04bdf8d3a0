/* SPDX-License-Identifier: MIT */
/*
 *     IDLE ── start ──► ASKING ── the lookup's end ──► DONE
 *               └────── known at once (event) ───────────▲
 */
#include "daemon/resolve/record.h"

#include <assert.h>
#include <event2/event.h>
#include <string.h>

#include "daemon/resolve/name.h"
#include "protocol/error.h"

enum record_state {
	RECORD_IDLE,
	RECORD_ASKING,
	RECORD_DONE
};

struct record_lookup {
	enum record_state state;
	struct resolver *resolver;
	struct record_params params; /* without the name */
	struct name name;
	struct dns_lookup *lookup; /* owned */
	struct event *refusal;	   /* owned; tells what is known at once */
	int refused;
	struct dns_answer *answer; /* owned */
	struct origin origin;
	bool has_origin;
	record_done_fn *done;
	void *arg;
};

static void on_refusal(evutil_socket_t fd, short what, void *arg);

int record_new(struct record_lookup **ret, const struct record_params *params,
	       struct resolver *resolver, struct event_base *base, const char **ret_reason)
{
	CLEANUP(record_freep) struct record_lookup *record = calloc(1, sizeof(*record));
	int r;

	if (!record)
		return -ENOMEM;
	r = name_prepare(params->name, &record->name, ret_reason);
	if (r == 0 && record->name.kind == NAME_LITERAL) {
		*ret_reason = "an address has no records";
		r = -ASOCK_E_INVALID_NAME;
	}
	if (r < 0)
		return r;
	record->resolver = resolver;
	record->params = *params;
	record->params.name = NULL;
	record->refusal = event_new(base, -1, 0, on_refusal, record);
	if (!record->refusal)
		return -ENOMEM;
	*ret = TAKE_PTR(record);
	return 0;
}

void record_cancel(struct record_lookup *record)
{
	record->lookup = dns_lookup_free(record->lookup);
	if (record->refusal)
		(void)event_del(record->refusal);
	record->state = RECORD_DONE;
}

struct record_lookup *record_free(struct record_lookup *record)
{
	if (!record)
		return NULL;
	record_cancel(record);
	if (record->refusal)
		event_free(record->refusal);
	dns_answer_free(record->answer);
	free(record);
	return NULL;
}

/* Calls done as its last statement: the caller returns at once. */
static void record_finish(struct record_lookup *record, int status)
{
	record_cancel(record);
	record->done(record, status, record->arg);
}

static void on_refusal(evutil_socket_t fd, short what, void *arg)
{
	struct record_lookup *record = arg;

	(void)fd;
	(void)what;
	record_finish(record, record->refused);
}

static void on_answer(struct dns_lookup *lookup, int status, void *arg)
{
	struct record_lookup *record = arg;
	const struct dns_answer *answer = dns_lookup_get_result(lookup)->answer;

	assert(record->state == RECORD_ASKING);
	origin_init_lookup(&record->origin, lookup, status);
	record->has_origin = true;
	if (status == 0) {
		status = dns_answer_copy(answer, &record->answer);
		if (status == 0 && answer->rcode == DNS_RCODE_NXDOMAIN)
			status = -ASOCK_E_NAME_NOT_FOUND;
		else if (status == 0 && answer->n_records == 0)
			status = -ASOCK_E_NO_DATA;
	}
	if (record->params.question)
		record->params.question(record->name.text, record->params.type, status,
					&record->origin, record->params.arg);
	record_finish(record, status);
}

int record_start(struct record_lookup *record, record_done_fn *done, void *arg)
{
	struct dns_lookup_params params = {
		.name = record->name.text,
		.type = record->params.type,
		.deadline_us = record->params.deadline_us,
		.account = record->params.account,
	};
	int r;

	assert(record->state == RECORD_IDLE);
	record->state = RECORD_ASKING;
	record->done = done;
	record->arg = arg;
	if (!record->params.allow(record->name.text, record->params.arg))
		record->refused = -ASOCK_E_DENIED;
	else if (record->name.kind != NAME_HOST)
		record->refused = -ASOCK_E_NAME_NOT_FOUND;
	if (record->refused < 0) {
		event_active(record->refusal, EV_TIMEOUT, 0);
		return 0;
	}
	(void)dns_lookups_refresh_config(resolver_get_lookups(record->resolver));
	r = dns_lookup_new(&record->lookup, &params, resolver_get_lookups(record->resolver));
	return r < 0 ? r : dns_lookup_start(record->lookup, on_answer, record);
}

const char *record_get_name(const struct record_lookup *record)
{
	return record->name.text;
}

const struct dns_answer *record_get_answer(const struct record_lookup *record)
{
	return record->answer;
}

const struct origin *record_get_origin(const struct record_lookup *record)
{
	return record->has_origin ? &record->origin : NULL;
}
