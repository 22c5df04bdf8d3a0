/* SPDX-License-Identifier: MIT */
/*
 * Order (RFC 8305 sections 4 and 6). Each answer, and each change of what is known, sorts everything anew, as if all had been
 * there from the beginning (draft-ietf-happy-happyeyeballs-v3 section 7), and what was tried keeps its place in the alternation
 * of the families. Nothing here depends on which answer came first: where all rules leave two addresses equal, the question
 * decides, and inside one question the order in which its own answers had them.
 *
 * Limits. Of all that is known the first max, sorted as if nothing had been learnt, are considered. What was tried before a late
 * answer came is not taken back, and a late family gets its share all the same: so half as many again may be tried in all, and
 * as many again where AAAA records hold IPv4-mapped addresses or where targets of lower ranks are answered late. There it ends.
 * The past of an address changes its place among the considered, never whether it is one of them.
 *
 * Targets (RFC 2782). The rank of its target comes before all else in the order. An address of several targets belongs to the
 * one of the lowest rank.
 *
 * Entries are allocated an answer at a time, and never move; a place in memory is used again for another address only while
 * nobody has seen the first one.
 */
#include "daemon/connect/race-list.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define QUESTION_SHIFT 31

struct race_chunk {
	struct race_chunk *next; /* owned */
	size_t n_used;
	struct race_entry entries[];
};

void race_list_init(struct race_list *list, const struct addrsort_how *how, size_t max)
{
	list->how = *how;
	list->max = max;
	list->known = list->first_known;
	list->sorted = &list->first_known[RACE_LIST_INLINE];
	list->n_allocated = RACE_LIST_INLINE;
}

void race_list_done(struct race_list *list)
{
	while (list->chunks) {
		struct race_chunk *chunk = list->chunks;

		list->chunks = chunk->next;
		free(chunk);
	}
	if (list->known != list->first_known)
		free(list->known);
}

/* It was held once, and there is no news of it yet. */
static bool is_held(const struct race_entry *entry)
{
	return entry->was_held && entry->facts.past.is_pending && !race_entry_is_marked(entry);
}

/* A mapped address leads where its IPv4 form leads. */
static bool is_same(const struct endpoint *a, const struct endpoint *b)
{
	struct endpoint x = { .address = address_unmap(a->address), .port = a->port };
	struct endpoint y = { .address = address_unmap(b->address), .port = b->port };

	return endpoint_equal(&x, &y);
}

/* The last bytes of the address, which tell most apart. */
static uint32_t get_tail(const struct endpoint *endpoint)
{
	uint32_t tail;

	memcpy(&tail, &endpoint->address.bytes[endpoint->address.family == AF_INET ? 0 : 12],
	       sizeof(tail));
	return tail;
}

static struct race_entry *find(const struct race_list *list, const struct endpoint *endpoint)
{
	uint32_t tail = get_tail(endpoint);

	for (size_t i = 0; i < list->n_known; i++)
		if (list->known[i]->tail == tail &&
		    is_same(&list->known[i]->candidate.endpoint, endpoint))
			return list->known[i];
	return NULL;
}

static unsigned int get_question(const struct race_entry *entry)
{
	return entry->sequence >> QUESTION_SHIFT;
}

/* Memory for n more pointers to entries. */
static int reserve_list(struct race_list *list, size_t n)
{
	size_t n_wanted = list->n_known + n;
	struct race_entry **known;

	if (n_wanted <= list->n_allocated)
		return 0;
	if (n_wanted < 2 * list->n_allocated)
		n_wanted = 2 * list->n_allocated;
	known = reallocarray(NULL, 2 * n_wanted, sizeof(struct race_entry *));
	if (!known)
		return -ENOMEM;
	memcpy(known, list->known, list->n_known * sizeof(*known));
	memcpy(&known[n_wanted], list->sorted, list->n_sorted * sizeof(*known));
	if (list->known != list->first_known)
		free(list->known);
	list->known = known;
	list->sorted = &known[n_wanted];
	list->n_allocated = n_wanted;
	return 0;
}

/* Memory for n more entries, at the head of the chunks. */
static int reserve_entries(struct race_list *list, size_t n)
{
	struct race_chunk *chunk;

	if (n == 0)
		return 0;
	chunk = malloc(sizeof(*chunk) + n * sizeof(struct race_entry));
	if (!chunk)
		return -ENOMEM;
	chunk->next = list->chunks;
	chunk->n_used = 0;
	list->chunks = chunk;
	return 0;
}

static void insert_known(struct race_list *list, struct race_entry *entry)
{
	size_t at = list->n_known++;

	for (; at > 0 && list->known[at - 1]->sequence > entry->sequence; at--)
		list->known[at] = list->known[at - 1];
	list->known[at] = entry;
	list->n_of[get_question(entry)]++;
}

static void remove_known(struct race_list *list, const struct race_entry *entry)
{
	size_t at = 0;

	while (list->known[at] != entry)
		at++;
	list->n_known--;
	memmove(&list->known[at], &list->known[at + 1],
		(list->n_known - at) * sizeof(list->known[0]));
	list->n_of[get_question(entry)]--;
}

/* A mark that comes while an address is tried, or by that, does not take its place in the alternation of the families. */
static void set_place(struct race_list *list, struct race_entry *entry)
{
	struct addrsort_facts facts = entry->facts;

	if (entry->is_spent) {
		facts.past.is_dead = entry->was_marked;
		facts.past.is_doubted = facts.past.is_disliked = false;
	}
	addrsort_place(list->how.gai_conf, &entry->candidate.endpoint, entry->candidate.rank,
		       &facts, &entry->place);
}

/* Without what stands behind the name, which is most of it. */
static void copy_candidate(struct candidate *to, const struct candidate *from)
{
	memcpy(to, from, offsetof(struct candidate, target) + strlen(from->target) + 1);
}

static void fill(struct race_list *list, struct race_entry *entry, uint32_t sequence,
		 const struct candidate *candidate, const struct addrsort_facts *facts)
{
	copy_candidate(&entry->candidate, candidate);
	entry->facts = *facts;
	entry->tail = get_tail(&candidate->endpoint);
	entry->sequence = sequence;
	entry->is_considered = entry->was_tried = entry->is_spent = entry->was_held = false;
	entry->n_gone = 0;
	set_place(list, entry);
}

/*
 * The same address once more: it belongs to the lower target, of equal ones to the preferred family's question, and there to
 * the earlier answer. The record of an attempt keeps what the attempt began with.
 */
static void merge(struct race_list *list, struct race_entry *entry, uint32_t sequence,
		  const struct candidate *candidate, const struct addrsort_facts *facts)
{
	bool has_room = get_question(entry) == sequence >> QUESTION_SHIFT ||
			list->n_of[sequence >> QUESTION_SHIFT] < RACE_LIST_PER_FAMILY;

	entry->facts = *facts;
	if (entry->candidate.source == SOURCE_STALE && !entry->was_tried) {
		entry->candidate.source = candidate->source;
		entry->candidate.ttl_s = candidate->ttl_s;
	}
	if (has_room &&
	    (candidate->rank < entry->candidate.rank ||
	     (candidate->rank == entry->candidate.rank && sequence < entry->sequence))) {
		remove_known(list, entry);
		entry->sequence = sequence;
		insert_known(list, entry);
		entry->candidate.rank = candidate->rank;
		if (!entry->was_tried)
			copy_candidate(&entry->candidate, candidate);
	}
	set_place(list, entry);
}

/* Of the last ones of this question, one that may make room for one of this rank; NULL: none. */
static struct race_entry *find_surplus(const struct race_list *list, unsigned int question,
				       uint16_t rank)
{
	struct race_entry *surplus = NULL;

	for (size_t i = 0; i < list->n_known; i++) {
		struct race_entry *entry = list->known[i];

		if (get_question(entry) != question || entry->was_tried || entry->was_held ||
		    entry->candidate.rank <= rank)
			continue;
		if (!surplus || entry->candidate.rank >= surplus->candidate.rank)
			surplus = entry;
	}
	return surplus;
}

static void add(struct race_list *list, unsigned int question, const struct candidate *candidate,
		const struct addrsort_facts *facts)
{
	uint32_t sequence = question << QUESTION_SHIFT | list->n_given++;
	struct race_entry *entry = find(list, &candidate->endpoint);

	if (entry) {
		merge(list, entry, sequence, candidate, facts);
		return;
	}
	if (list->n_of[question] < RACE_LIST_PER_FAMILY) {
		entry = &list->chunks->entries[list->chunks->n_used++];
	} else {
		entry = find_surplus(list, question, candidate->rank);
		if (!entry)
			return;
		remove_known(list, entry);
	}
	fill(list, entry, sequence, candidate, facts);
	insert_known(list, entry);
}

/* What a stale answer had and the fresh one has not is no address of the target any more (section 6): it is not tried. */
static void drop_outdated(struct race_list *list, unsigned int question,
			  const struct candidate *fresh)
{
	for (size_t i = list->n_known; fresh->source != SOURCE_STALE && i-- > 0;) {
		const struct race_entry *entry = list->known[i];

		if (get_question(entry) == question && entry->candidate.rank == fresh->rank &&
		    entry->candidate.source == SOURCE_STALE && !entry->was_tried &&
		    !entry->was_held)
			remove_known(list, entry);
	}
}

int race_list_add(struct race_list *list, unsigned int question, const struct candidate *items,
		  const struct addrsort_facts *facts, size_t n)
{
	size_t n_new = 0, n_room = RACE_LIST_PER_FAMILY - list->n_of[question];

	if (n > RACE_LIST_PER_FAMILY)
		n = RACE_LIST_PER_FAMILY;
	if (list->n_known == 0)
		n_new = n;
	for (size_t i = 0; i < n && list->n_known > 0; i++)
		n_new += !find(list, &items[i].endpoint);
	if (n_new > n_room)
		n_new = n_room;
	if (reserve_list(list, n_new) < 0 || reserve_entries(list, n_new) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		add(list, question, &items[i], &facts[i]);
	if (n > 0)
		drop_outdated(list, question, &items[0]);
	race_list_sort(list);
	return 0;
}

void race_list_spend(struct race_entry *entry)
{
	entry->was_marked = race_entry_is_marked(entry);
	entry->was_tried = entry->is_spent = true;
}

void race_list_give_back(struct race_list *list, struct race_entry *entry)
{
	entry->is_spent = false;
	set_place(list, entry);
}

void race_list_set_facts(struct race_list *list, struct race_entry *entry,
			 const struct addrsort_facts *facts)
{
	entry->facts = *facts;
	set_place(list, entry);
}

/* More is known than is considered: the first ones by the rules that learn nothing. */
static void consider_first(struct race_list *list)
{
	struct addrsort_place places[ADDRSORT_MAX];
	const struct addrsort_place *pointers[ADDRSORT_MAX];
	size_t order[ADDRSORT_MAX];
	size_t n_tried = 0;

	for (size_t i = 0; i < list->n_known; i++) {
		places[i] = addrsort_place_without_past(&list->known[i]->place);
		pointers[i] = &places[i];
		n_tried += list->known[i]->was_tried;
	}
	addrsort_places(pointers, list->n_known, &list->how, order, NULL);
	for (size_t i = 0; i < list->n_known; i++) {
		struct race_entry *entry = list->known[order[i]];

		entry->is_considered =
			i < list->max && (entry->was_tried || n_tried / 2 < list->max);
		n_tried += entry->is_considered && !entry->was_tried;
	}
}

/* The n peers of these entries, in the same order. */
static void fill_peers(struct race_entry *const *entries, size_t n, struct addrsort_peer *ret)
{
	for (size_t i = 0; i < n; i++)
		ret[i] = (struct addrsort_peer){ .family = entries[i]->place.family,
						 .rank = entries[i]->candidate.rank,
						 .past = &entries[i]->facts.past };
}

/* Few lists have anything silent in them, and then nobody is a suspect. */
static bool has_silent(struct race_entry *const *entries, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (entries[i]->facts.past.is_silent || entries[i]->facts.past.is_doubted)
			return true;
	return false;
}

static void doubt(struct race_list *list, struct race_entry *const *entries, size_t n)
{
	struct addrsort_peer peers[ADDRSORT_MAX];

	if (!has_silent(entries, n))
		return;
	fill_peers(entries, n, peers);
	for (size_t i = 0; i < n; i++) {
		struct addrsort_past *past = &entries[i]->facts.past;
		bool is_doubted = addrsort_is_doubted(peers, n, i);

		if (past->is_doubted == is_doubted)
			continue;
		past->is_doubted = is_doubted;
		set_place(list, entries[i]);
	}
}

void race_list_sort(struct race_list *list)
{
	const struct addrsort_place *pointers[ADDRSORT_MAX];
	struct race_entry *entries[ADDRSORT_MAX];
	size_t order[ADDRSORT_MAX];
	size_t n = 0;

	assert(list->n_known <= ADDRSORT_MAX);
	if (list->n_known > list->max)
		consider_first(list);
	for (size_t i = 0; i < list->n_known; i++) {
		struct race_entry *entry = list->known[i];

		if (list->n_known <= list->max)
			entry->is_considered = true;
		if (!entry->is_considered && !entry->was_tried)
			continue;
		entries[n] = entry;
		pointers[n++] = &entry->place;
	}
	doubt(list, entries, n);
	addrsort_places(pointers, n, &list->how, order, NULL);
	for (size_t i = 0; i < n; i++)
		list->sorted[i] = entries[order[i]];
	list->n_sorted = n;
	list->n_sortings++;
}

void race_list_explain(const struct race_list *list, enum addrsort_rule *rules)
{
	const struct addrsort_place *places[ADDRSORT_MAX] = { NULL };
	size_t order[ADDRSORT_MAX];

	/* What is sorted stays as it is. */
	for (size_t i = 0; i < list->n_sorted; i++)
		places[i] = &list->sorted[i]->place;
	addrsort_places(places, list->n_sorted, &list->how, order, rules);
}

struct race_entry *race_list_choose(const struct race_list *list, bool *ret_may_hold)
{
	struct race_entry *first = NULL;    /* of those that are not held */
	struct race_entry *fallback = NULL; /* of those that are held or marked */
	size_t n_unmarked = 0;		    /* of those that are not held */

	for (size_t i = 0; i < list->n_sorted; i++) {
		struct race_entry *entry = list->sorted[i];

		if (!race_entry_is_open(entry))
			continue;
		if (!is_held(entry)) {
			n_unmarked += !race_entry_is_marked(entry);
			if (!first)
				first = entry;
		}
		if (!fallback && (is_held(entry) || race_entry_is_marked(entry)))
			fallback = entry;
	}
	if (n_unmarked == 0)
		first = fallback;
	*ret_may_hold =
		n_unmarked > 1 && first->facts.past.is_pending && !race_entry_is_marked(first);
	return first;
}

bool race_list_has_open(const struct race_list *list)
{
	for (size_t i = 0; i < list->n_sorted; i++)
		if (race_entry_is_open(list->sorted[i]))
			return true;
	return false;
}

bool race_list_has_unmarked(const struct race_list *list)
{
	for (size_t i = 0; i < list->n_sorted; i++)
		if (race_entry_is_open(list->sorted[i]) && !race_entry_is_marked(list->sorted[i]))
			return true;
	return false;
}

bool race_list_has_fit(const struct race_list *list)
{
	struct addrsort_peer peers[ADDRSORT_MAX];
	bool may_be_suspect = has_silent(list->sorted, list->n_sorted);

	if (may_be_suspect)
		fill_peers(list->sorted, list->n_sorted, peers);
	for (size_t i = 0; i < list->n_sorted; i++) {
		const struct race_entry *entry = list->sorted[i];

		if (race_entry_is_open(entry) && !race_entry_is_marked(entry) &&
		    !entry->facts.past.is_pending && addrsort_place_is_sound(&entry->place) &&
		    !(may_be_suspect && addrsort_is_suspect(peers, list->n_sorted, i)))
			return true;
	}
	return false;
}

size_t race_list_count_held(const struct race_list *list)
{
	size_t n = 0;

	for (size_t i = 0; i < list->n_sorted; i++)
		n += race_entry_is_open(list->sorted[i]) && is_held(list->sorted[i]);
	return n;
}

bool race_list_has_source(const struct race_list *list, int family)
{
	for (size_t i = 0; i < list->n_known; i++)
		if (list->known[i]->facts.source.address.family == family)
			return true;
	return false;
}
