/* SPDX-License-Identifier: MIT */
/*
 * SRV records (RFC 2782): read out of an answer, and put into the order in which one request tries them. The order is drawn
 * anew for each request; an answer that is kept holds the records and never the order.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "daemon/base/limits.h"
#include "protocol/cleanup.h"

struct dns_answer;

#define SRV_TARGETS_MAX 32

struct srv_target {
	uint16_t priority, weight, port;
	char name[LIMIT_NAME_BYTES + 1]; /* lower case, no final dot */
};

/*
 * The targets of an answer to SRV, in the order of its records: how many (0: there is no record, or none of use), or
 * -ASOCK_E_SERVICE_UNAVAILABLE for a target of "." without any other that is of use. A record whose target is no host (see
 * dns_name_to_text) is left out; of more than SRV_TARGETS_MAX those of the most preferred priorities are kept.
 */
MUST_CHECK int srv_parse(const struct dns_answer *answer, struct srv_target ret[SRV_TARGETS_MAX]);

/* 32 random bits. */
typedef uint32_t srv_random_fn(void *arg);

/*
 * Orders by priority, the smallest first, and within one priority by a draw without replacement, each with a chance in
 * proportion to its weight. Beside others those of weight 0 come next with a chance of 1 / (sum of the weights + 1) for
 * all of them together, else behind the others; among themselves they are shuffled. bits NULL: the kernel's.
 */
void srv_order(struct srv_target *targets, size_t n, srv_random_fn *bits, void *arg);
