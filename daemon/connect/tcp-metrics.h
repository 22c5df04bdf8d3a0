/* SPDX-License-Identifier: MIT */
/*
 * Round trips that the kernel remembers of TCP connections that have ended, whoever had them (tcp_metrics(8)): over generic
 * netlink, which answers while it is asked, so nothing here waits. One object for the daemon. No privilege is needed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "protocol/address.h"

/* What is older than that is not told, microseconds; as in connect/history. */
#define TCP_METRICS_AGE_MAX_US UINT64_C(600000000)

struct tcp_metrics;

/* -ENOMEM. That the kernel cannot be asked is no error: then nothing is known. */
MUST_CHECK int tcp_metrics_new(struct tcp_metrics **ret);
struct tcp_metrics *tcp_metrics_free(struct tcp_metrics *metrics);
DEFINE_CLEANUP(struct tcp_metrics, tcp_metrics_free)

/* false: nothing is known, and nothing written. The variation may be 0: unknown. Two system calls. */
bool tcp_metrics_find(struct tcp_metrics *metrics, const struct address *destination,
		      uint32_t *ret_rtt_us, uint32_t *ret_rttvar_us);
