/* SPDX-License-Identifier: MIT */
/*
 * The list that resolve makes, addrsort orders and the race consumes: candidate endpoints with where each came
 * from. Bounded; grows by doubling.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/base/kinds.h"
#include "daemon/base/limits.h"
#include "protocol/address.h"

struct candidate {
	struct endpoint endpoint;
	enum source source;
	uint32_t ttl_s; /* DNS only */
	uint16_t rank;	/* target index; lower ranks are tried before higher ones, whatever else */
	char target[LIMIT_NAME_BYTES + 1]; /* the name this address belongs to, as looked up */
};

struct addrlist {
	struct candidate *items; /* owned */
	size_t len;
	size_t allocated;
};

void addrlist_done(struct addrlist *list);
/*
 * Appends a copy unless an equal endpoint is there already. Of two with equal endpoints the one of the lower rank stays, in
 * the place of the first; of two with equal ranks the first. -ENOMEM.
 */
MUST_CHECK int addrlist_add(struct addrlist *list, const struct candidate *candidate);
