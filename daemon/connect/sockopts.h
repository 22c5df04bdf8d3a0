/* SPDX-License-Identifier: MIT */
/*
 * Socket options of a call, set before connect(). A field's has_ flag says whether the client asked
 * for it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/base/kinds.h"
#include "protocol/cleanup.h"

#define SOCKOPTS_CONGESTION_BYTES 16 /* TCP_CA_NAME_MAX of the kernel */

struct sockopts {
	bool has_no_delay, no_delay;
	bool has_keep_alive;
	uint32_t keep_idle_s, keep_interval_s, keep_probes; /* 0: the kernel's default */
	bool has_congestion;
	char congestion[SOCKOPTS_CONGESTION_BYTES];
	uint32_t user_timeout_ms; /* 0: not asked for (RFC 5482) */
	uint32_t send_buffer;	  /* bytes, 0: not asked for */
	uint32_t receive_buffer;  /* bytes, 0: not asked for */
};

/* 0 or -errno of the option that failed; TCP options on another transport: -EOPNOTSUPP. */
MUST_CHECK int sockopts_apply(int fd, enum transport transport, const struct sockopts *options);
