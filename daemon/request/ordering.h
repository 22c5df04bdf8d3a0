/* SPDX-License-Identifier: MIT */
/*
 * What was found, in the order in which Connect would try it, and why.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "daemon/base/addrlist.h"
#include "daemon/connect/addrsort.h"

struct racer_memory;

struct ordering_reason {
	struct address source;	   /* that the kernel would use; family 0: there is no route */
	enum addrsort_rule rule;   /* why this one stands before the next */
	struct addrsort_past past; /* what earlier attempts have shown */
};

/* By what is sorted. */
struct ordering_params {
	const struct addrsort_env *sorting;
	struct racer_memory *memory; /* of what a race would look at */
	enum family_choice families;
	size_t first_family_count;
	size_t max; /* further ones are cut off */
};

/* ret_reasons, unless NULL, becomes an array of as many reasons, to be freed. -ENOMEM: nothing has changed. */
MUST_CHECK int ordering_sort(struct addrlist *list, const struct ordering_params *params,
			     struct ordering_reason **ret_reasons);
