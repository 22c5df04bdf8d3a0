/* SPDX-License-Identifier: MIT */
/*
 * Operation: the names of an address: those of the hosts file, else of its PTR records (RFC 1035 section 3.5, RFC 3596
 * section 2.5), and whether they lead back to it.
 */
#pragma once

#include "daemon/resolve/resolve.h"

#define REVERSE_NAMES_MAX 16

struct reverse;

struct reverse_name {
	char text[LIMIT_NAME_BYTES + 1];
	bool is_confirmed;
};

struct reverse_params {
	struct address address;
	uint64_t deadline_us;
	resolve_allow_fn
		*allow; /* asked for the reverse name and for each name that is looked up */
	resolve_question_fn *question; /* may be NULL */
	void *arg;		       /* of these two */
	struct dns_lookup_account account;
};

/* 0, or -ASOCK_E_NAME_NOT_FOUND, _NO_DATA, _SERVER_FAILED, _TIMED_OUT, _NO_SERVERS, _DENIED, -errno. */
typedef void reverse_done_fn(struct reverse *reverse, int status, void *arg);

MUST_CHECK int reverse_new(struct reverse **ret, const struct reverse_params *params,
			   struct resolver *resolver, struct event_base *base);
MUST_CHECK int reverse_start(struct reverse *reverse, reverse_done_fn *done, void *arg);
void reverse_cancel(struct reverse *reverse);
struct reverse *reverse_free(struct reverse *reverse);
DEFINE_CLEANUP(struct reverse, reverse_free)

const struct reverse_name *reverse_get_names(const struct reverse *reverse, size_t *ret_n);
const struct origin *
reverse_get_origin(const struct reverse *reverse); /* NULL: nothing was found out */
/* The name that was asked for, "1.2.0.192.in-addr.arpa". */
const char *reverse_get_question(const struct reverse *reverse);
