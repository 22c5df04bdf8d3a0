/* SPDX-License-Identifier: MIT */
/*
 * What stands between the answers of the resolver and the race where a translator may be the only way to IPv4 (NAT64): IPv4
 * addresses that there is no route to wait until its prefix is known, or is known not to be there (resolve/nat64-discovery).
 * Everything else passes at once. Where the policy judges what is behind an address, all of them wait, since only the prefix
 * tells.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "daemon/base/addrlist.h"
#include "daemon/connect/addrsort.h"
#include "daemon/resolve/nat64-discovery.h"

struct translation_answer;

/* Takes an answer, as service_answer_fn. -errno: it is lost. */
typedef int translation_pass_fn(int family, int status, const struct candidate *items, size_t n,
				bool is_last, void *arg);

/* Part of a request. All zero: everything passes, once pass is there. */
struct translation {
	struct nat64_discovery *discovery;  /* borrowed; NULL: nothing is translated */
	const struct addrsort_env *sorting; /* borrowed */
	bool is_judged;			    /* the policy judges what is behind an address */
	translation_pass_fn *pass;
	void (*failed)(int family, int status, void *arg); /* an answer that waited was lost */
	void *arg;					   /* of these two */
	bool is_asked; /* it was being asked for when the request began */
	struct nat64_waiter waiter;
	struct translation_answer *answers; /* owned: those that wait, in their order */
	size_t n_answers;
};

/* When the first six fields are set: a prefix that may be wanted is asked for, and then there is something to wait for. */
void translation_start(struct translation *translation);
void translation_done(struct translation *translation);

/* Passes the answer, or keeps a copy. What pass says; -ENOMEM. */
MUST_CHECK int translation_put(struct translation *translation, int family, int status,
			       const struct candidate *items, size_t n, bool is_last);

/* As racer_translate_fn. */
bool translation_apply(struct translation *translation, struct address *address);
