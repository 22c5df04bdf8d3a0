/* SPDX-License-Identifier: MIT */
/*
 * What a race knows: every address once, however many answers it came in, in the order to try them. Which of them may be
 * tried is said here as well; when, by connect/race.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/base/addrlist.h"
#include "daemon/connect/addrsort.h"

#define RACE_LIST_PER_FAMILY \
	(ADDRSORT_MAX / 2) /* addresses of one question that are known at a time */
#define RACE_LIST_INLINE 4 /* so many need no memory for the list itself */

/* One address. It stays where it is in memory until the list is done. */
struct race_entry {
	struct candidate candidate;
	struct addrsort_facts facts;
	struct addrsort_place place;
	uint32_t
		sequence; /* decides where all rules leave two equal: the preferred family's first */
	uint32_t tail;	  /* of the address */
	bool is_considered; /* within the limits, whatever earlier attempts have shown */
	bool was_tried;
	bool is_spent;	 /* was tried, and is not to be tried again */
	bool was_marked; /* when it was tried */
	bool was_held;
	uint8_t n_gone; /* its attempts whose source vanished */
};

struct race_chunk;

struct race_list {
	struct addrsort_how how;
	size_t max;		   /* so many are considered */
	struct race_chunk *chunks; /* owned; where the entries are */
	struct race_entry **known; /* owned unless it is first_known; by sequence */
	struct race_entry *
		*sorted; /* in the same memory; those that are considered or tried, in order */
	size_t n_known, n_sorted, n_allocated;
	size_t n_of[2];	  /* known ones by question */
	uint32_t n_given; /* sequence numbers */
	uint64_t n_sortings;
	struct race_entry *first_known[2 * RACE_LIST_INLINE];
};

void race_list_init(struct race_list *list, const struct addrsort_how *how, size_t max);
void race_list_done(struct race_list *list);

/*
 * Adds what is new of the answer to question 0, the preferred family's, or 1, and sorts. An address that is known already
 * belongs to its lowest target. More than RACE_LIST_PER_FAMILY: the highest target's last falls out, unless it was tried or
 * held. What is not from a stale answer takes the place of what is. -ENOMEM: nothing has changed.
 */
MUST_CHECK int race_list_add(struct race_list *list, unsigned int question,
			     const struct candidate *items, const struct addrsort_facts *facts,
			     size_t n);

/* It is tried now; and it may be tried again. */
void race_list_spend(struct race_entry *entry);
void race_list_give_back(struct race_list *list, struct race_entry *entry);
/* Its facts are changed; race_list_sort comes behind the last one of this or of give_back. */
void race_list_set_facts(struct race_list *list, struct race_entry *entry,
			 const struct addrsort_facts *facts);
void race_list_sort(struct race_list *list);
/* What puts each of sorted before the next. */
void race_list_explain(const struct race_list *list, enum addrsort_rule *rules);

/* Whether it may be tried now or later. */
static inline bool race_entry_is_open(const struct race_entry *entry)
{
	return !entry->is_spent && (entry->is_considered || entry->was_tried);
}

/* Dead, doubted or disliked. */
static inline bool race_entry_is_marked(const struct race_entry *entry)
{
	const struct addrsort_past *past = &entry->facts.past;

	return past->is_dead || past->is_doubted || past->is_disliked;
}

/*
 * The one whose turn it is; NULL: none is left. may_hold: it is being asked by another race, this one has not held it yet, and
 * has another one to try meanwhile.
 */
struct race_entry *race_list_choose(const struct race_list *list, bool *ret_may_hold);
bool race_list_has_open(const struct race_list *list);
bool race_list_has_unmarked(const struct race_list *list);
/* Neither marked, suspect nor asked by another race, and with a source that fits. */
bool race_list_has_fit(const struct race_list *list);
/* Those that are open, were held, and are asked by another race still. */
size_t race_list_count_held(const struct race_list *list);
/* Whether the kernel has a source for an address of this family. */
bool race_list_has_source(const struct race_list *list, int family);
