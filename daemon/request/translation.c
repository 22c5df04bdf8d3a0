/* SPDX-License-Identifier: MIT */
#include "daemon/request/translation.h"

#include <stdlib.h>

#include "protocol/cleanup.h"

struct translation_answer {
	int family, status;
	struct addrlist list;
	bool is_last;
};

void translation_start(struct translation *translation)
{
	if (translation->discovery)
		translation->is_asked = nat64_discovery_ask(translation->discovery);
}

static void free_answers(struct translation_answer *answers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		addrlist_done(&answers[i].list);
	free(answers);
}

void translation_done(struct translation *translation)
{
	nat64_discovery_unwait(&translation->waiter);
	free_answers(TAKE_PTR(translation->answers), translation->n_answers);
	translation->n_answers = 0;
}

static void on_settled(void *arg)
{
	struct translation *translation = arg;
	struct translation_answer *answers = TAKE_PTR(translation->answers);
	size_t n = translation->n_answers;

	translation->n_answers = 0;
	for (size_t i = 0; i < n; i++) {
		const struct translation_answer *answer = &answers[i];
		int r = translation->pass(answer->family, answer->status, answer->list.items,
					  answer->list.len, answer->is_last, translation->arg);

		if (r < 0)
			translation->failed(answer->family, r, translation->arg);
	}
	free_answers(answers, n);
}

static int keep(struct translation *translation, int family, int status,
		const struct candidate *items, size_t n, bool is_last)
{
	struct translation_answer *answers = reallocarray(
		translation->answers, translation->n_answers + 1, sizeof(*translation->answers));
	struct translation_answer *answer;

	if (!answers)
		return -ENOMEM;
	translation->answers = answers;
	answer = &answers[translation->n_answers];
	*answer = (struct translation_answer){ .family = family,
					       .status = status,
					       .is_last = is_last };
	for (size_t i = 0; i < n; i++) {
		if (addrlist_add(&answer->list, &items[i]) == 0)
			continue;
		addrlist_done(&answer->list);
		return -ENOMEM;
	}
	translation->n_answers++;
	if (!translation->waiter.settled)
		nat64_discovery_wait(translation->discovery, &translation->waiter, on_settled,
				     translation);
	return 0;
}

static bool has_route(const struct translation *translation, const struct endpoint *endpoint)
{
	struct addrsort_source source;

	addrsort_find_source(translation->sorting, endpoint, &source);
	return source.address.family != 0;
}

static bool has_wanting(const struct translation *translation, const struct candidate *items,
			size_t n)
{
	addrsort_refresh(translation->sorting);
	for (size_t i = 0; i < n; i++) {
		struct address address = address_unmap(items[i].endpoint.address);

		if (translation->is_judged && address.family == AF_INET6)
			return true;
		if (address.family == AF_INET && !nat64_is_untranslatable(&address) &&
		    !has_route(translation, &items[i].endpoint))
			return true;
	}
	return false;
}

/* What comes behind an answer of this family that waits has to wait too. */
static bool is_waiting(const struct translation *translation, int family)
{
	for (size_t i = 0; i < translation->n_answers; i++)
		if (translation->answers[i].family == family)
			return true;
	return false;
}

int translation_put(struct translation *translation, int family, int status,
		    const struct candidate *items, size_t n, bool is_last)
{
	if (is_waiting(translation, family))
		return keep(translation, family, status, items, n, is_last);
	if (translation->is_asked && n > 0 && nat64_discovery_ask(translation->discovery) &&
	    has_wanting(translation, items, n))
		return keep(translation, family, status, items, n, is_last);
	return translation->pass(family, status, items, n, is_last, translation->arg);
}

bool translation_apply(struct translation *translation, struct address *address)
{
	return translation->discovery && nat64_discovery_translate(translation->discovery, address);
}
