/* SPDX-License-Identifier: MIT */
/*
 * Destination order of RFC 6724 section 6, then the families interleaved (RFC 8305 section 4).
 * Sorting is a pure function of the destinations and the source address the kernel would use for
 * each; addrsort_find_source asks the kernel for that (a connected UDP socket: no packet leaves).
 * Rules 3, 4 and 7 need flags the kernel gives only over netlink and are left out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "daemon/base/kinds.h"
#include "protocol/address.h"

#define ADDRSORT_MAX 256 /* items sorted at a time: twice what AddressesPerCall= can be */

struct addrsort_item {
	struct endpoint destination;
	struct address source; /* family 0: the kernel has no route (rule 1) */
};

/* The source the kernel would choose now; family 0 in *ret when there is none. */
void addrsort_find_source(const struct endpoint *destination, struct address *ret);

/*
 * Fills order[] with the indexes of items in the order to try them: RFC 6724, then the families
 * alternate starting with the first one's, or with the family the choice prefers. Stable. n ≤
 * ADDRSORT_MAX.
 */
void addrsort(const struct addrsort_item *items, size_t n, enum family_choice choice,
	      size_t *order);
