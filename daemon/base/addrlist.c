/* SPDX-License-Identifier: MIT */
#include "daemon/base/addrlist.h"

#include <errno.h>
#include <stdlib.h>

void addrlist_done(struct addrlist *list)
{
	free(list->items);
	*list = (struct addrlist){ 0 };
}

int addrlist_add(struct addrlist *list, const struct candidate *candidate)
{
	for (size_t i = 0; i < list->len; i++) {
		if (!endpoint_equal(&list->items[i].endpoint, &candidate->endpoint))
			continue;
		if (candidate->rank < list->items[i].rank)
			list->items[i] = *candidate;
		return 0;
	}
	if (list->len == list->allocated) {
		size_t allocated = list->allocated > 0 ? 2 * list->allocated : 4;
		struct candidate *items = reallocarray(list->items, allocated, sizeof(*items));

		if (!items)
			return -ENOMEM;
		list->items = items;
		list->allocated = allocated;
	}
	list->items[list->len++] = *candidate;
	return 0;
}
