/* SPDX-License-Identifier: MIT */
#include "daemon/request/ordering.h"

#include <stdlib.h>

#include "daemon/base/clock.h"
#include "daemon/connect/racer-memory.h"

static void find_facts(const struct addrlist *list, const struct ordering_params *params, size_t n,
		       struct addrsort_item *items)
{
	uint64_t now_us = clock_now_us();

	addrsort_refresh(params->sorting);
	for (size_t i = 0; i < n; i++) {
		items[i].destination = list->items[i].endpoint;
		items[i].rank = list->items[i].rank;
		if (items[i].destination.port == 0)
			items[i].destination.port =
				1; /* a route is looked up, nothing is sent; port 0 is no destination */
		addrsort_find_source(params->sorting, &items[i].destination, &items[i].source);
		racer_memory_look(params->memory, now_us, &list->items[i], &items[i].past);
	}
}

static void doubt(struct addrsort_item *items, size_t n)
{
	struct addrsort_peer peers[ADDRSORT_MAX];

	for (size_t i = 0; i < n; i++)
		peers[i] = (struct addrsort_peer){
			.family = address_unmap(items[i].destination.address).family,
			.rank = items[i].rank,
			.past = &items[i].past,
		};
	for (size_t i = 0; i < n; i++)
		items[i].past.is_doubted = addrsort_is_doubted(peers, n, i);
}

int ordering_sort(struct addrlist *list, const struct ordering_params *params,
		  struct ordering_reason **ret_reasons)
{
	size_t n = list->len < ADDRSORT_MAX ? list->len : ADDRSORT_MAX;
	CLEANUP(freep) struct addrsort_item *items = calloc(n, sizeof(*items));
	CLEANUP(freep) struct candidate *sorted = calloc(n, sizeof(*sorted));
	CLEANUP(freep) struct ordering_reason *reasons = calloc(n, sizeof(*reasons));
	struct addrsort_how how = { .gai_conf = params->sorting->gai_conf,
				    .families = params->families,
				    .first_family_count = params->first_family_count };
	enum addrsort_rule rules[ADDRSORT_MAX];
	size_t order[ADDRSORT_MAX];

	if (!items || !sorted || !reasons)
		return -ENOMEM;
	find_facts(list, params, n, items);
	doubt(items, n);
	addrsort(items, n, &how, order, rules);
	for (size_t i = 0; i < n; i++) {
		sorted[i] = list->items[order[i]];
		reasons[i].source = items[order[i]].source.address;
		reasons[i].rule = rules[i];
		reasons[i].past = items[order[i]].past;
	}
	free(list->items);
	list->items = TAKE_PTR(sorted);
	list->len = list->allocated = n;
	if (list->len > params->max)
		list->len = params->max;
	if (list->len > 0)
		reasons[list->len - 1].rule = ADDRSORT_NONE;
	if (ret_reasons)
		*ret_reasons = TAKE_PTR(reasons);
	return 0;
}
