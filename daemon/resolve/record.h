/* SPDX-License-Identifier: MIT */
/*
 * Operation: the records of one type of a name, as the cache or the servers have them: no hosts file, no search list. Names
 * that are not for the DNS (RFC 6761, RFC 6762) are not asked for there.
 */
#pragma once

#include "daemon/resolve/resolve.h"

struct record_lookup;

struct record_params {
	const char *name; /* as the client wrote it; copied */
	uint16_t type;
	uint64_t deadline_us;
	resolve_allow_fn *allow;
	resolve_question_fn *question; /* may be NULL */
	void *arg;		       /* of these two */
	struct dns_lookup_account account;
};

/* 0; -ASOCK_E_NAME_NOT_FOUND, _NO_DATA (the answer is there all the same), _SERVER_FAILED, _TIMED_OUT, … */
typedef void record_done_fn(struct record_lookup *record, int status, void *arg);

/* -ASOCK_E_INVALID_NAME with *ret_reason (static text), -ENOMEM. */
MUST_CHECK int record_new(struct record_lookup **ret, const struct record_params *params,
			  struct resolver *resolver, struct event_base *base,
			  const char **ret_reason);
MUST_CHECK int record_start(struct record_lookup *record, record_done_fn *done, void *arg);
void record_cancel(struct record_lookup *record);
struct record_lookup *record_free(struct record_lookup *record);
DEFINE_CLEANUP(struct record_lookup, record_free)

const char *record_get_name(const struct record_lookup *record);
const struct dns_answer *record_get_answer(const struct record_lookup *record); /* NULL: none */
const struct origin *
record_get_origin(const struct record_lookup *record); /* NULL: nothing was found out */
