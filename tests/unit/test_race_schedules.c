/* SPDX-License-Identifier: MIT */
/*
 * connect/race under random schedules. Answers of either family at any time, whole or in parts, of one target or of several,
 * good, empty, failed or never; attempts that connect, fail, are denied or hang; addresses that are dead, disliked, slow, or
 * being asked by somebody else, and news of them; a network that changes, sources that vanish; spare attempts that are allowed
 * late or never; a caller who wants another one; a driver that is late.
 *
 * What the engine does is judged by facts that the test knows for itself, not by the engine's state: the check_… functions
 * have one for each promise. Each address has a number here, so that looking one up costs nothing. A failure names its seed;
 * RACE_SEED=N RACE_SCHEDULES=1 plays it again.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/connect/addrsort.h"
#include "daemon/connect/race.h"
#include "protocol/error.h"
#include "protocol/text.h"
#include "tests/support/suite.h"

#define MS(n)		((uint64_t)(n)*1000)
#define NEVER		UINT64_MAX
#define N_SCHEDULES	1000000
#define N_PERMUTATIONS	50000
#define N_SETS		50000
#define MAX_PER_FAMILY	8
#define N_PER_KIND	6
#define N_IDS		(3 * N_PER_KIND) /* IPv6, unique local IPv6, IPv4 */
#define MAX_PARTS	4
#define MAX_RANKS	3
#define MAX_ATTEMPTS	160
#define MAX_STEPS	1000
#define MAX_LEGS	4
#define MAX_GONE	3 /* so often an address is given back after its source has vanished */
#define DEADLINE_MS_MAX 6000

/* Without check's mark for every condition that holds: there are millions. */
#define REQUIRE(s, condition)                                                           \
	do {                                                                            \
		if (!(condition))                                                       \
			ck_abort_msg("seed %" PRIu64 ", %" PRIu64 " us: %s", (s)->seed, \
				     (s)->now_us, #condition);                          \
	} while (0)

/* A part of what one family is answered. */
struct part {
	uint64_t at_us; /* NEVER: the lookup never ends */
	int status;
	size_t n; /* of the plan's items, behind those of the parts before */
};

struct plan {
	int family;
	struct part parts[MAX_PARTS];
	size_t n_parts, n_given;
	struct candidate items[MAX_PER_FAMILY];
	unsigned int ids[MAX_PER_FAMILY];
	size_t n, n_known;
	uint64_t known_us; /* since when there is an item */
};

/* What the test knows of one address. */
struct known {
	bool is_known;
	bool is_considered;
	struct addrsort_facts now;  /* as it is */
	struct addrsort_facts told; /* as the engine was told last */
	struct endpoint endpoint;   /* of the item that it belongs to */
	uint16_t rank;
	unsigned int plan, item; /* where that stands */
	size_t n_tries, n_gone, n_cancelled;
	bool is_running, has_won, was_held;
	bool is_spent;	 /* it was tried and is not to be tried again */
	bool was_marked; /* when it was tried */
	bool is_dropped; /* for a winner's sake */
};

struct fact {
	unsigned int id;
	bool open;
	bool connected;
	bool denied;
	uint64_t started_us;
	uint64_t ended_us;
	uint64_t result_us; /* NEVER: it hangs */
	int result;
};

struct schedule {
	uint64_t seed, random;
	uint64_t now_us;
	struct race_params params;
	struct race *race;
	struct plan plans[2]; /* the preferred family first */
	size_t n_plans;
	uint64_t n_ranks;
	bool is_shaky;
	bool has_opened; /* the start rule has held */
	struct known known[N_IDS];
	unsigned int order[N_IDS]; /* those known that are considered or were tried */
	size_t n_order, n_known;
	struct fact facts[MAX_ATTEMPTS];
	size_t n_facts, n_open;
	/* The pace: what was started or held last, and what has happened since. */
	bool has_last, is_due;
	unsigned int last;
	uint64_t last_us;
	size_t n_unanswered;
	unsigned int held; /* N_IDS: none */
	uint64_t news_us;  /* of whatever there is */
	uint64_t grant_us; /* NEVER: nobody has asked, or nobody answers */
	bool is_asking, has_permission;
	/* Since the beginning, or since it was resumed. */
	size_t leg, first_fact;
	uint64_t resumed_us;
	bool done;
	size_t winner;
};

/* splitmix64 */
static uint64_t next_random(struct schedule *s)
{
	uint64_t x = s->random += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static uint64_t below(struct schedule *s, uint64_t n)
{
	return next_random(s) % n;
}

static bool one_in(struct schedule *s, uint64_t n)
{
	return below(s, n) == 0;
}

static bool is_ipv4(unsigned int id)
{
	return id >= 2 * N_PER_KIND;
}

static struct address make_address(unsigned int id, bool is_mapped)
{
	uint8_t number = (uint8_t)(1 + id % N_PER_KIND);

	if (id < N_PER_KIND)
		return (struct address){ .family = AF_INET6,
					 .bytes = { 0x20, 0x01, 0x0d,
						    0xb8, [5] = number, [15] = 1 } };
	if (id < 2 * N_PER_KIND)
		return (struct address){ .family = AF_INET6, .bytes = { 0xfd, [15] = number } };
	if (is_mapped)
		return (struct address){
			.family = AF_INET6,
			.bytes = { [10] = 0xff, [11] = 0xff, [12] = 198, 51, 100, number }
		};
	return (struct address){ .family = AF_INET, .bytes = { 198, 51, 100, number } };
}

static unsigned int get_id(const struct endpoint *endpoint)
{
	const uint8_t *bytes = endpoint->address.bytes;

	if (endpoint->address.family == AF_INET)
		return 2 * N_PER_KIND + bytes[3] - 1u;
	if (bytes[0] == 0x20)
		return bytes[5] - 1u;
	return (bytes[0] == 0xfd ? 1u : 2u) * N_PER_KIND + bytes[15] - 1u;
}

/* As the network is now. */
static void draw_source(struct schedule *s, unsigned int id)
{
	struct address *source = &s->known[id].now.source.address;

	if (one_in(s, 8))
		*source = (struct address){ 0 };
	else if (is_ipv4(id))
		*source = (struct address){ .family = AF_INET, .bytes = { 192, 0, 2, 1 } };
	else if (one_in(s, 4))
		*source = (struct address){ .family = AF_INET6, .bytes = { 0xfd, [15] = 99 } };
	else
		*source = (struct address){ .family = AF_INET6,
					    .bytes = { 0x20, 0x01, 0x0d, 0xb8, [15] = 99 } };
}

static void draw_past(struct schedule *s, unsigned int id)
{
	struct addrsort_past *past = &s->known[id].now.past;

	*past = (struct addrsort_past){ .was_used = one_in(s, 6),
					.is_dead = one_in(s, 5),
					.is_disliked = one_in(s, 12),
					.is_pending = one_in(s, 4) };
	past->is_silent = past->is_dead && one_in(s, 2);
	if (one_in(s, 3)) {
		past->rtt_us = (uint32_t)(1 + below(s, one_in(s, 4) ? MS(3000) : MS(300)));
		past->rttvar_us = (uint32_t)below(s, past->rtt_us);
	}
}

static void plan_part(struct schedule *s, struct plan *plan, struct part *part)
{
	static const int statuses[] = { -ASOCK_E_NAME_NOT_FOUND, -ASOCK_E_NO_DATA,
					-ASOCK_E_SERVER_FAILED, -ASOCK_E_DENIED, -EIO };
	uint16_t rank = (uint16_t)below(s, s->n_ranks);

	if (one_in(s, 5)) {
		part->status = statuses[below(s, ARRAY_LEN(statuses))];
		return;
	}
	part->n = below(s, MAX_PER_FAMILY + 1 - plan->n);
	for (size_t end = plan->n + part->n; plan->n < end; plan->n++) {
		unsigned int id = (unsigned int)below(s, N_PER_KIND);

		/* One in eight is unique local, and one is IPv4 in an IPv6 answer. */
		if (plan->family == AF_INET)
			id += 2 * N_PER_KIND;
		else if (one_in(s, 4))
			id += N_PER_KIND * (1 + (unsigned int)below(s, 2));
		if (one_in(s, 6))
			rank = (uint16_t)below(s, s->n_ranks);
		plan->ids[plan->n] = id;
		plan->items[plan->n].endpoint =
			(struct endpoint){ make_address(id, plan->family == AF_INET6), 80 };
		plan->items[plan->n].rank = rank;
	}
}

static void plan_answer(struct schedule *s, struct plan *plan, int family)
{
	uint64_t at_us = one_in(s, 3) ? 0 : MS(below(s, 400));

	plan->family = family;
	plan->n = plan->n_known = plan->n_given = 0;
	plan->n_parts = one_in(s, 2) ? 1 : 1 + below(s, MAX_PARTS);
	for (size_t i = 0; i < plan->n_parts; i++) {
		if (at_us == NEVER || one_in(s, 20))
			at_us = NEVER;
		plan->parts[i] = (struct part){ .at_us = at_us };
		plan_part(s, plan, &plan->parts[i]);
		if (at_us != NEVER && !one_in(s, 3))
			at_us += MS(below(s, 400));
	}
}

static void plan_params(struct schedule *s)
{
	static const enum family_choice choices[] = { FAMILY_ANY,	  FAMILY_ANY,
						      FAMILY_INET,	  FAMILY_INET6,
						      FAMILY_PREFER_INET, FAMILY_PREFER_INET6 };

	s->params = (struct race_params){
		.families = choices[below(s, ARRAY_LEN(choices))],
		.deadline_us = MS(1 + below(s, DEADLINE_MS_MAX)),
		.resolution_delay_us = MS(below(s, 100)),
		.attempt_delay_us = MS(10 + below(s, 300)),
		.is_delay_fixed = one_in(s, 4),
		.attempt_timeout_us = one_in(s, 2) ? 0 : MS(1 + below(s, 600)),
		.answer_grace_us = one_in(s, 2) ? 0 : MS(1 + below(s, 800)),
		.max_addresses = one_in(s, 3) ? 1 + below(s, 6) : N_IDS,
		.max_attempts = one_in(s, 3) ? 1 + below(s, 3) : N_IDS,
		.first_family_count = below(s, 4),
		.asks_for_spares = one_in(s, 3),
	};
}

static void plan_schedule(struct schedule *s, uint64_t seed)
{
	bool is_learning;
	int preferred = AF_INET6;

	memset(s->known, 0, sizeof(s->known));
	s->seed = s->random = seed;
	plan_params(s);
	s->n_ranks = one_in(s, 2) ? 1 : MAX_RANKS;
	is_learning = !one_in(s, 3);
	for (unsigned int id = 0; id < N_IDS; id++) {
		draw_source(s, id);
		if (is_learning)
			draw_past(s, id);
	}
	if (s->params.families == FAMILY_INET || s->params.families == FAMILY_PREFER_INET)
		preferred = AF_INET;
	s->n_plans = 1;
	plan_answer(s, &s->plans[0], preferred);
	if (s->params.families != FAMILY_INET && s->params.families != FAMILY_INET6)
		plan_answer(s, &s->plans[s->n_plans++], preferred == AF_INET ? AF_INET6 : AF_INET);
	s->is_shaky = one_in(s, 10); /* sources vanish all the time */
	s->news_us = is_learning || one_in(s, 3) ? MS(below(s, 500)) : NEVER;
}

/* Everything that a race starts with. */
static void reset(struct schedule *s)
{
	s->now_us = 0;
	s->n_order = s->n_known = s->n_facts = s->n_open = 0;
	s->has_opened = s->has_last = s->is_due = s->is_asking = s->has_permission = s->done =
		false;
	s->held = N_IDS;
	s->grant_us = NEVER;
	s->leg = s->first_fact = 0;
	s->resumed_us = 0;
	s->winner = SIZE_MAX;
}

static bool is_marked(const struct known *known)
{
	return known->told.past.is_dead || known->told.past.is_doubted ||
	       known->told.past.is_disliked;
}

/* To be tried now or later. */
static bool is_open(const struct known *known)
{
	return !known->is_spent && (known->is_considered || known->n_tries > 0);
}

/* It was held before, and there is no news of it. */
static bool is_waiting(const struct known *known)
{
	return known->was_held && known->told.past.is_pending && !is_marked(known);
}

/* The order is that of sorted items, where all is told, as far as wanted: in the order of ids[]. */
static void sort_ids(const struct schedule *s, const unsigned int *ids, size_t n, bool with_past,
		     unsigned int *ret)
{
	struct addrsort_item items[N_IDS] = { 0 };
	size_t order[N_IDS];
	struct addrsort_how how = { .families = s->params.families,
				    .first_family_count = s->params.first_family_count };

	for (size_t i = 0; i < n; i++) {
		const struct known *known = &s->known[ids[i]];

		items[i] = (struct addrsort_item){ .destination = known->endpoint,
						   .source = known->told.source,
						   .rank = known->rank };
		if (with_past)
			items[i].past = known->told.past;
		if (with_past && known->is_spent) {
			items[i].past.is_dead = known->was_marked;
			items[i].past.is_doubted = items[i].past.is_disliked = false;
		}
	}
	addrsort(items, n, &how, order, NULL);
	for (size_t i = 0; i < n; i++)
		ret[i] = ids[order[i]];
}

/* All that is known, those that no rule tells apart as the answers had them, the preferred family's first. */
static size_t list_known(const struct schedule *s, unsigned int *ids)
{
	size_t n = 0;

	for (unsigned int p = 0; p < s->n_plans; p++) {
		for (unsigned int i = 0; i < s->plans[p].n_known; i++) {
			unsigned int id = s->plans[p].ids[i];

			if (s->known[id].plan == p && s->known[id].item == i)
				ids[n++] = id;
		}
	}
	return n;
}

/* Which addresses are considered: nothing that was learnt counts. */
static void consider(struct schedule *s, const unsigned int *ids, size_t n)
{
	unsigned int sorted[N_IDS];
	size_t n_in_all = 0;

	sort_ids(s, ids, n, false, sorted);
	for (size_t i = 0; i < n; i++)
		n_in_all += s->known[ids[i]].n_tries > 0;
	for (size_t i = 0; i < n; i++) {
		struct known *known = &s->known[sorted[i]];

		known->is_considered =
			i < s->params.max_addresses &&
			(known->n_tries > 0 || n_in_all < 2 * s->params.max_addresses);
		n_in_all += known->is_considered && known->n_tries == 0;
	}
}

/* As addrsort wants them, in the order of ids[]. */
static void list_peers(const struct schedule *s, const unsigned int *ids, size_t n,
		       struct addrsort_peer *ret)
{
	for (size_t i = 0; i < n; i++) {
		const struct known *known = &s->known[ids[i]];

		ret[i] = (struct addrsort_peer){
			.family = address_unmap(known->endpoint.address).family,
			.rank = known->rank,
			.past = &known->told.past,
		};
	}
}

/*
 * What the order has to be, from all that is known now and nothing else: so it cannot depend on which came first.
 */
static void sort_known(struct schedule *s)
{
	unsigned int ids[N_IDS], some[N_IDS];
	struct addrsort_peer peers[N_IDS];
	size_t n = list_known(s, ids);

	s->n_known = n;
	s->n_order = 0;
	if (n > s->params.max_addresses) {
		consider(s, ids, n);
	} else {
		for (size_t i = 0; i < n; i++)
			s->known[ids[i]].is_considered = true;
	}
	for (size_t i = 0; i < n; i++)
		if (s->known[ids[i]].is_considered || s->known[ids[i]].n_tries > 0)
			some[s->n_order++] = ids[i];
	list_peers(s, some, s->n_order, peers);
	for (size_t i = 0; i < s->n_order; i++)
		s->known[some[i]].told.past.is_doubted = addrsort_is_doubted(peers, s->n_order, i);
	sort_ids(s, some, s->n_order, true, s->order);
}

/* Its number; N_IDS: none. may_hold: it is to be held. */
static unsigned int find_next(const struct schedule *s, bool *ret_may_hold)
{
	size_t n_fresh = 0;
	unsigned int next = N_IDS;

	for (size_t i = 0; i < s->n_order; i++) {
		const struct known *known = &s->known[s->order[i]];

		n_fresh += is_open(known) && !is_marked(known) && !is_waiting(known);
	}
	for (size_t i = 0; i < s->n_order && next == N_IDS; i++) {
		const struct known *known = &s->known[s->order[i]];

		if (is_open(known) && (n_fresh == 0 || !is_waiting(known)))
			next = s->order[i];
	}
	*ret_may_hold = next < N_IDS && n_fresh > 1 && s->known[next].told.past.is_pending &&
			!s->known[next].was_held && !is_marked(&s->known[next]);
	return next;
}

static bool has_untried(const struct schedule *s)
{
	for (size_t i = 0; i < s->n_order; i++)
		if (is_open(&s->known[s->order[i]]))
			return true;
	return false;
}

static bool is_answered(const struct plan *plan)
{
	return plan->n_given == plan->n_parts;
}

static bool is_all_answered(const struct schedule *s)
{
	return is_answered(&s->plans[0]) && (s->n_plans == 1 || is_answered(&s->plans[1]));
}

/* Whether there is an address that nothing speaks against. */
static bool has_fit(const struct schedule *s)
{
	struct addrsort_peer peers[N_IDS];

	list_peers(s, s->order, s->n_order, peers);
	for (size_t i = 0; i < s->n_order; i++) {
		const struct known *known = &s->known[s->order[i]];

		struct addrsort_place place;

		addrsort_place(NULL, &known->endpoint, known->rank, &known->told, &place);
		if (is_open(known) && !is_marked(known) && !known->told.past.is_pending &&
		    addrsort_place_is_sound(&place) && !addrsort_is_suspect(peers, s->n_order, i))
			return true;
	}
	return false;
}

/* When the start rule holds: RFC 8305 section 3, and what was learnt. Once it has, it has for good. */
static uint64_t get_opening_us(struct schedule *s)
{
	uint64_t opening_us = NEVER;

	if (s->has_opened)
		return 0;
	for (size_t i = s->n_plans; i-- > 0;) {
		bool is_alone = s->n_plans == 1 || is_answered(&s->plans[1 - i]);

		if (s->plans[i].n_known > 0)
			opening_us =
				is_alone ? 0 : s->plans[i].known_us + s->params.resolution_delay_us;
	}
	if (s->plans[0].n_known > 0 && ((s->n_plans > 1 && s->plans[1].n_known > 0) || has_fit(s)))
		opening_us = 0;
	s->has_opened = opening_us <= s->now_us;
	return opening_us;
}

static uint64_t get_expiry_us(const struct schedule *s, const struct fact *fact)
{
	return s->params.attempt_timeout_us > 0 ? fact->started_us + s->params.attempt_timeout_us
						: NEVER;
}

/* The delay behind what was started or held last: RFC 8305 section 5, N4 and G6. */
static uint64_t get_delay_us(const struct schedule *s)
{
	const struct known *last = &s->known[s->last];
	uint64_t base_us = s->params.attempt_delay_us;
	uint64_t least_us = base_us < MS(100) ? base_us : MS(100);
	uint64_t known_us = last->told.past.rtt_us + 4 * (uint64_t)last->told.past.rttvar_us;
	uint64_t delay_us = base_us;

	if (s->params.is_delay_fixed)
		return base_us;
	for (size_t i = 0; i < s->n_order && is_marked(last); i++)
		if (is_open(&s->known[s->order[i]]) && !is_marked(&s->known[s->order[i]]))
			return MS(10);
	if (last->told.past.rtt_us > 0)
		return known_us < MS(100) ? MS(100) : known_us > MS(2000) ? MS(2000) : known_us;
	for (size_t i = 0; i < s->n_unanswered; i++)
		delay_us -= delay_us / 4;
	return delay_us < least_us ? least_us : delay_us;
}

/* Whether a start now needs a permission that is not there. */
static bool is_braked(const struct schedule *s)
{
	return s->params.asks_for_spares && s->n_open > 0 && !s->has_permission;
}

/* When another attempt, a hold or a question is due; NEVER: something else has to happen first. */
static uint64_t get_next_start_us(const struct schedule *s)
{
	bool may_hold;

	if (find_next(s, &may_hold) == N_IDS || s->n_open >= s->params.max_attempts)
		return NEVER;
	if (s->is_asking && is_braked(s) && !may_hold)
		return NEVER;
	return !s->has_last || s->is_due ? 0 : s->last_us + get_delay_us(s);
}

/* When an answer that is missing has had its time: all that is known was tried. */
static uint64_t get_grace_end_us(const struct schedule *s)
{
	uint64_t last_us = s->resumed_us;

	if (s->params.answer_grace_us == 0 || s->n_open > 0 || has_untried(s) ||
	    (s->leg == 0 && s->n_facts == 0))
		return NEVER;
	for (size_t i = s->first_fact; i < s->n_facts; i++)
		if (s->facts[i].ended_us > last_us)
			last_us = s->facts[i].ended_us;
	return last_us + s->params.answer_grace_us;
}

static void plan_result(struct schedule *s, struct fact *fact)
{
	static const int failures[] = { -ECONNREFUSED, -ENETUNREACH, -ETIMEDOUT, -EAGAIN };

	fact->result_us = one_in(s, 3) ? s->now_us : s->now_us + MS(below(s, 700));
	fact->result = failures[below(s, ARRAY_LEN(failures))];
	switch (below(s, 8)) {
	case 0:
		fact->result = 0;
		break;
	case 1:
	case 2:
		fact->result_us = NEVER;
		break;
	default:
		break;
	}
}

/* It is over, and the driver holds nothing of it any more. */
static void end_fact(struct schedule *s, struct fact *fact)
{
	fact->open = false;
	fact->ended_us = s->now_us;
	s->known[fact->id].is_running = false;
	s->n_open--;
}

static void give_result(struct schedule *s, size_t i, int result)
{
	struct fact *fact = &s->facts[i];
	uint32_t rtt_us = (uint32_t)below(s, 1000);
	size_t n;

	end_fact(s, fact);
	if (result == 0) {
		fact->connected = true;
		s->known[fact->id].has_won = true;
		s->winner = i;
	} else {
		fact->denied = result == -ASOCK_E_DENIED;
		s->is_due = true;
	}
	race_on_attempt(s->race, s->now_us, i, result, rtt_us);
	REQUIRE(s, race_get_attempts(s->race, &n)[i].rtt_us == (result == 0 ? rtt_us : 0));
}

/*
 * None that is known, unmarked, of a lower target and not waited for is left: without addrsort, which the other checks believe.
 */
static void check_rank(struct schedule *s, unsigned int id)
{
	for (size_t i = 0; i < s->n_order; i++) {
		const struct known *other = &s->known[s->order[i]];

		if (other->rank < s->known[id].rank && is_open(other))
			REQUIRE(s, is_waiting(other));
	}
}

/* Whether this one may begin at all, whatever the order says: once, unless it was given back. */
static void check_again(struct schedule *s, const struct known *known)
{
	REQUIRE(s, known->is_known && !known->is_running && !known->has_won);
	REQUIRE(s, known->n_tries <= known->n_cancelled + known->n_gone);
	REQUIRE(s, known->n_gone <= MAX_GONE);
}

/* What takes its turn: now, and not earlier. */
static void check_turn(struct schedule *s)
{
	REQUIRE(s, s->now_us < s->params.deadline_us && s->winner == SIZE_MAX);
	REQUIRE(s, s->now_us >= get_opening_us(s));
	REQUIRE(s, s->now_us >= get_next_start_us(s));
	REQUIRE(s, s->n_open < s->params.max_attempts);
	REQUIRE(s, !s->has_last || s->is_due || s->now_us >= s->last_us + MS(10));
}

static void note_turn(struct schedule *s, unsigned int id)
{
	s->n_unanswered = s->n_open;
	for (size_t i = 0; i < s->n_order; i++) {
		const struct known *known = &s->known[s->order[i]];

		s->n_unanswered += is_open(known) && is_waiting(known);
	}
	s->has_last = true;
	s->last = id;
	s->last_us = s->now_us;
	s->is_due = false;
	s->held = N_IDS;
}

static void check_hold(struct schedule *s, const struct race_action *action)
{
	bool may_hold;
	unsigned int id = find_next(s, &may_hold);

	check_turn(s);
	REQUIRE(s, id < N_IDS && may_hold && id == get_id(&action->held->endpoint));
	check_again(s, &s->known[id]);
	REQUIRE(s, s->known[id].told.past.is_pending && !s->known[id].was_held);
	note_turn(s, id);
	s->known[id].was_held = true;
	s->held = id;
}

static void check_ask(struct schedule *s)
{
	check_turn(s);
	REQUIRE(s, s->params.asks_for_spares && s->n_open > 0);
	REQUIRE(s, !s->is_asking && !s->has_permission);
	s->is_asking = true;
	s->grant_us = one_in(s, 4)   ? NEVER
		      : one_in(s, 3) ? s->now_us
				     : s->now_us + MS(below(s, 400));
}

static void check_start(struct schedule *s, size_t i)
{
	bool may_hold;
	unsigned int id = find_next(s, &may_hold);
	const struct race_attempt *attempts;
	struct fact *fact = &s->facts[i];
	size_t n;

	attempts = race_get_attempts(s->race, &n);
	REQUIRE(s, i == s->n_facts && n == i + 1 && i < MAX_ATTEMPTS);
	check_turn(s);
	REQUIRE(s, id < N_IDS && !may_hold && !is_braked(s));
	REQUIRE(s, get_id(&attempts[i].candidate->endpoint) == id);
	check_again(s, &s->known[id]);
	check_rank(s, id);
	if (s->params.asks_for_spares && s->n_open > 0)
		s->has_permission = false;
	s->known[id].is_spent = true;
	s->known[id].was_marked = is_marked(&s->known[id]);
	note_turn(s, id);
	*fact = (struct fact){ .id = id, .open = true, .started_us = s->now_us };
	s->known[id].n_tries++;
	s->known[id].is_running = true;
	s->n_open++;
	s->n_facts++;
	if (one_in(s, 10)) /* as a driver does from inside its loop over the actions */
		give_result(s, i, -ASOCK_E_DENIED);
	else
		plan_result(s, fact);
}

static void check_close(struct schedule *s, size_t i)
{
	const struct race_attempt *attempts;
	struct fact *fact = &s->facts[i];
	size_t n;

	attempts = race_get_attempts(s->race, &n);
	REQUIRE(s, i < s->n_facts && fact->open);
	if (attempts[i].outcome == OUTCOME_TIMEOUT) {
		REQUIRE(s,
			s->now_us >= get_expiry_us(s, fact) || s->now_us >= s->params.deadline_us);
		REQUIRE(s, attempts[i].error == -ETIMEDOUT);
		s->is_due = true;
	} else {
		REQUIRE(s, attempts[i].outcome == OUTCOME_CANCELLED && attempts[i].error == 0);
		REQUIRE(s, s->winner != SIZE_MAX);
		s->known[fact->id].n_cancelled++;
		s->known[fact->id].is_dropped = true;
	}
	end_fact(s, fact);
}

/* Whether a part was given that has no addresses for this reason, 0: for none. */
static bool was_told(const struct schedule *s, int status)
{
	for (size_t p = 0; p < s->n_plans; p++)
		for (size_t i = 0; i < s->plans[p].n_given; i++)
			if (s->plans[p].parts[i].n == 0 && s->plans[p].parts[i].status == status)
				return true;
	return false;
}

/* Of equally telling reasons the first of the preferred family, then of the other one. */
static int get_failed_lookup(const struct schedule *s)
{
	for (size_t p = 0; p < s->n_plans; p++) {
		for (size_t i = 0; i < s->plans[p].n_given; i++) {
			int status = s->plans[p].parts[i].status;

			if (status == -ASOCK_E_SERVER_FAILED || status == -EIO)
				return status;
		}
	}
	return 0;
}

/* The status that a race without winner has to have. */
static int get_failure(const struct schedule *s)
{
	int failed_lookup = get_failed_lookup(s);

	for (size_t i = s->first_fact; i < s->n_facts; i++)
		if (!s->facts[i].denied)
			return -ASOCK_E_CONNECT_FAILED;
	if (s->n_facts > s->first_fact)
		return -ASOCK_E_DENIED;
	if (s->leg > 0)
		return -ASOCK_E_NO_MORE_CANDIDATES;
	if (failed_lookup < 0)
		return failed_lookup;
	if (was_told(s, -ASOCK_E_DENIED))
		return -ASOCK_E_DENIED;
	return was_told(s, 0) || was_told(s, -ASOCK_E_NO_DATA) ? -ASOCK_E_NO_DATA
							       : -ASOCK_E_NAME_NOT_FOUND;
}

/* Whether the deadline found something running or untried, or nothing at all that was tried. */
static bool is_cut_off(const struct schedule *s)
{
	size_t n;
	const struct race_attempt *attempts = race_get_attempts(s->race, &n);

	for (size_t i = s->first_fact; i < n; i++)
		if (attempts[i].outcome == OUTCOME_TIMEOUT &&
		    attempts[i].ended_us >= s->params.deadline_us)
			return true;
	return (s->leg == 0 && n == 0) || has_untried(s);
}

/* Everything within the limits was really tried. */
static void check_all_tried(struct schedule *s)
{
	size_t n_tried = 0;

	for (unsigned int id = 0; id < N_IDS; id++) {
		n_tried += s->known[id].n_tries > 0;
		if (s->known[id].is_considered)
			REQUIRE(s, s->known[id].n_tries > 0);
	}
	REQUIRE(s, n_tried >= s->n_known || n_tried >= s->params.max_addresses);
}

static void check_done(struct schedule *s, const struct race_action *action)
{
	REQUIRE(s, !s->done);
	s->done = true;
	REQUIRE(s, s->n_open == 0);
	REQUIRE(s, action->attempt == s->winner);
	if (s->winner != SIZE_MAX) {
		REQUIRE(s, action->status == 0 && s->facts[s->winner].connected);
		return;
	}
	if (s->now_us >= s->params.deadline_us) {
		REQUIRE(s, action->status == (is_cut_off(s) ? -ASOCK_E_TIMED_OUT : get_failure(s)));
		return;
	}
	REQUIRE(s, !has_untried(s));
	REQUIRE(s, is_all_answered(s) || s->now_us >= get_grace_end_us(s));
	REQUIRE(s, action->status == get_failure(s));
	check_all_tried(s);
}

/* Nothing that is due was left undone, and the next wake-up is the right one to the microsecond. */
static void check_rest(struct schedule *s)
{
	uint64_t opening_us = get_opening_us(s);
	uint64_t start_us = get_next_start_us(s);
	uint64_t want_us = s->params.deadline_us;

	if (s->done) {
		REQUIRE(s, race_get_wakeup(s->race) == NEVER);
		return;
	}
	REQUIRE(s, s->winner == SIZE_MAX);
	REQUIRE(s, !(is_all_answered(s) && !has_untried(s) && s->n_open == 0));
	if (opening_us > s->now_us)
		start_us = opening_us;
	if (start_us < want_us)
		want_us = start_us;
	if (get_grace_end_us(s) < want_us)
		want_us = get_grace_end_us(s);
	for (size_t i = s->first_fact; i < s->n_facts; i++)
		if (s->facts[i].open && get_expiry_us(s, &s->facts[i]) < want_us)
			want_us = get_expiry_us(s, &s->facts[i]);
	REQUIRE(s, want_us > s->now_us);
	REQUIRE(s, race_get_wakeup(s->race) == want_us);
}

static void take_actions(struct schedule *s)
{
	struct race_action action;

	while (race_next_action(s->race, s->now_us, &action)) {
		REQUIRE(s, !s->done);
		switch (action.kind) {
		case RACE_START:
			check_start(s, action.attempt);
			break;
		case RACE_CLOSE:
			check_close(s, action.attempt);
			break;
		case RACE_HOLD:
			check_hold(s, &action);
			break;
		case RACE_ASK:
			check_ask(s);
			break;
		case RACE_DONE:
			check_done(s, &action);
			break;
		}
	}
	check_rest(s);
}

/* Puts the part with this number into the engine, whose items begin at first. */
static void give_part(struct schedule *s, struct race *race, const struct plan *plan, size_t number,
		      size_t first)
{
	const struct part *part = &plan->parts[number];
	struct addrsort_facts facts[MAX_PER_FAMILY];
	int r;

	for (size_t i = 0; i < part->n; i++)
		facts[i] = s->known[plan->ids[first + i]].now;
	r = race_on_answer(race, s->now_us, plan->family, part->status, &plan->items[first], facts,
			   part->n, number + 1 == plan->n_parts);
	REQUIRE(s, r == 0);
}

/* Whether something that was waited for is pending no more. */
static void note_news(struct schedule *s)
{
	if (s->held == N_IDS || s->known[s->held].told.past.is_pending)
		return;
	s->held = N_IDS;
	s->is_due = true;
}

/* An address belongs to its lowest target, and of equal ones to the preferred family's answer, there to the first. */
static void know(struct schedule *s, unsigned int p, unsigned int i)
{
	const struct candidate *item = &s->plans[p].items[i];
	struct known *known = &s->known[s->plans[p].ids[i]];

	known->told = known->now;
	if (known->is_known &&
	    (known->rank < item->rank || (known->rank == item->rank && known->plan <= p)))
		return;
	known->is_known = true;
	known->rank = item->rank;
	known->plan = p;
	known->item = i;
	known->endpoint = item->endpoint;
}

static void give_answer(struct schedule *s, unsigned int p)
{
	struct plan *plan = &s->plans[p];
	const struct part *part = &plan->parts[plan->n_given];

	give_part(s, s->race, plan, plan->n_given++, plan->n_known);
	if (part->n == 0)
		return;
	if (plan->n_known == 0)
		plan->known_us = s->now_us;
	for (size_t i = 0; i < part->n; i++)
		know(s, p, (unsigned int)plan->n_known++);
	sort_known(s);
	note_news(s);
}

static void look(const struct candidate *candidate, struct addrsort_facts *ret, void *arg)
{
	struct schedule *s = arg;
	struct known *known = &s->known[get_id(&candidate->endpoint)];

	REQUIRE(s, known->is_known);
	known->told = known->now;
	*ret = known->told;
}

static void refresh(struct schedule *s)
{
	size_t n = 0;

	for (unsigned int id = 0; id < N_IDS; id++)
		s->known[id].told.past.was_used = !s->known[id].now.past.was_used;
	race_refresh(s->race, s->now_us, look, s);
	for (unsigned int id = 0; id < N_IDS; id++)
		if (s->known[id].is_known)
			n += s->known[id].told.past.was_used == s->known[id].now.past.was_used;
	REQUIRE(s, n == s->n_known); /* looked at each of them */
	sort_known(s);
	note_news(s);
}

/* A source has vanished under a running attempt. */
static void take_source(struct schedule *s)
{
	size_t i = s->first_fact + below(s, s->n_facts - s->first_fact);
	struct fact *fact = &s->facts[i];
	struct race_action action;
	struct known *known = &s->known[fact->id];
	size_t n;

	race_on_source_gone(s->race, s->now_us, i);
	if (!fact->open) /* it had ended before: nothing has happened */
		return;
	REQUIRE(s, race_get_attempts(s->race, &n)[i].outcome == OUTCOME_FAILED);
	REQUIRE(s, race_get_attempts(s->race, &n)[i].error == -EADDRNOTAVAIL);
	if (known->n_gone < MAX_GONE) {
		known->is_spent = false;
		known->n_gone++;
		sort_known(s);
	}
	s->is_due = true;
	end_fact(s, fact);
	/* The closes come first, this one and those of attempts that have expired by now. */
	for (bool is_closed = false; !is_closed;) {
		REQUIRE(s, race_next_action(s->race, s->now_us, &action));
		REQUIRE(s, action.kind == RACE_CLOSE);
		is_closed = action.attempt == i;
		if (!is_closed)
			check_close(s, action.attempt);
	}
}

/* Something is learnt, or the network changes. */
static void have_news(struct schedule *s)
{
	unsigned int id = (unsigned int)below(s, N_IDS);

	if (s->held < N_IDS && one_in(s, 2))
		id = s->held;
	switch (s->is_shaky ? 3 : below(s, 8)) {
	case 0:
		draw_past(s, id);
		break;
	case 1:
		for (id = 0; id < N_IDS; id++)
			draw_source(s, id);
		break;
	case 2:
		s->params.max_attempts = 1 + below(s, N_IDS);
		race_set_max_attempts(s->race, s->params.max_attempts);
		return;
	case 3:
		if (s->n_facts > s->first_fact)
			take_source(s);
		return;
	case 4:
		s->known[id].now.past.is_dead = true;
		s->known[id].now.past.is_pending = false;
		break;
	default:
		s->known[id].now.past.is_pending = false;
		break;
	}
	if (!one_in(s, 4)) /* else the next answer that has it tells */
		refresh(s);
}

static bool is_before(uint64_t a_us, uint64_t *best_us)
{
	if (a_us > *best_us)
		return false;
	*best_us = a_us;
	return true;
}

/* The earliest thing that will happen; at one time answers go before permissions, news, results, the clock. */
static void step(struct schedule *s)
{
	enum {
		CLOCK,
		RESULT,
		NEWS,
		GRANT,
		ANSWER
	} what = CLOCK;
	uint64_t next_us = race_get_wakeup(s->race);
	size_t which = 0;

	for (size_t i = s->first_fact; i < s->n_facts; i++) {
		if (s->facts[i].open && is_before(s->facts[i].result_us, &next_us)) {
			what = RESULT;
			which = i;
		}
	}
	if (s->news_us != NEVER && is_before(s->news_us, &next_us))
		what = NEWS;
	if (s->grant_us != NEVER && is_before(s->grant_us, &next_us))
		what = GRANT;
	for (size_t p = 0; p < s->n_plans; p++) {
		const struct plan *plan = &s->plans[p];

		if (!is_answered(plan) && is_before(plan->parts[plan->n_given].at_us, &next_us)) {
			what = ANSWER;
			which = p;
		}
	}
	REQUIRE(s, next_us != NEVER);
	if (next_us > s->now_us)
		s->now_us = next_us;
	if (one_in(s, 6))
		s->now_us += below(s, MS(30)); /* the driver was busy */
	switch (what) {
	case CLOCK:
		race_on_time(s->race, s->now_us);
		break;
	case RESULT:
		give_result(s, which, s->facts[which].result);
		break;
	case NEWS:
		s->news_us = one_in(s, s->is_shaky ? 30 : 3)
				     ? NEVER
				     : s->now_us + MS(below(s, s->is_shaky ? 40 : 400));
		have_news(s);
		break;
	case GRANT:
		s->grant_us = NEVER;
		s->is_asking = false;
		s->has_permission = true;
		race_on_spare(s->race, s->now_us);
		break;
	case ANSWER:
		give_answer(s, (unsigned int)which);
		break;
	}
}

/* After the end the engine is deaf. */
static void check_silence(struct schedule *s)
{
	struct race_action action;

	race_refresh(s->race, s->now_us, look, s);
	for (size_t p = 0; p < s->n_plans; p++)
		for (size_t i = 0; i < s->plans[p].n_parts; i++)
			give_part(s, s->race, &s->plans[p], i, 0);
	for (size_t i = 0; i < s->n_facts; i++) {
		race_on_attempt(s->race, s->now_us, i, 0, 0);
		race_on_source_gone(s->race, s->now_us, i);
	}
	race_on_spare(s->race, s->now_us);
	race_on_time(s->race, s->now_us + MS(DEADLINE_MS_MAX));
	REQUIRE(s, !race_next_action(s->race, s->now_us + MS(DEADLINE_MS_MAX), &action));
	REQUIRE(s, race_get_wakeup(s->race) == NEVER);
}

static void check_record(struct schedule *s)
{
	const struct race_attempt *attempts;
	size_t n_connected = 0, n_tried = 0;
	size_t n;

	attempts = race_get_attempts(s->race, &n);
	REQUIRE(s, n == s->n_facts);
	for (unsigned int id = 0; id < N_IDS; id++)
		n_tried += s->known[id].n_tries > 0;
	REQUIRE(s, n_tried <= 2 * s->params.max_addresses);
	for (size_t i = 0; i < n; i++) {
		REQUIRE(s, attempts[i].outcome != OUTCOME_RUNNING);
		REQUIRE(s, attempts[i].started_us == s->facts[i].started_us);
		REQUIRE(s, attempts[i].ended_us >= attempts[i].started_us &&
				   attempts[i].ended_us <= s->now_us);
		REQUIRE(s, (attempts[i].outcome == OUTCOME_DENIED) == s->facts[i].denied);
		REQUIRE(s, (attempts[i].outcome == OUTCOME_CONNECTED) == s->facts[i].connected);
		n_connected += attempts[i].outcome == OUTCOME_CONNECTED;
	}
	REQUIRE(s, n_connected == s->leg + (s->winner != SIZE_MAX));
}

/* What is told to people is what the test knows. */
static void check_order(struct schedule *s)
{
	struct race_place places[N_IDS];
	size_t n = race_get_order(s->race, places, N_IDS);

	REQUIRE(s, n == s->n_order);
	for (size_t i = 0; i < n; i++) {
		REQUIRE(s, get_id(&places[i].candidate->endpoint) == s->order[i]);
		REQUIRE(s, (places[i].rule == ADDRSORT_NONE) == (i + 1 == n));
	}
}

/* What comes between two calls of one client. */
static void wait_for_client(struct schedule *s)
{
	struct race_action action;

	s->now_us += MS(below(s, 1000));
	for (unsigned int p = 0; p < s->n_plans; p++) {
		const struct plan *plan = &s->plans[p];

		while (!is_answered(plan) && plan->parts[plan->n_given].at_us <= s->now_us)
			give_answer(s, p);
	}
	if (one_in(s, 3))
		refresh(s);
	race_on_time(s->race, s->now_us);
	REQUIRE(s, !race_next_action(s->race, s->now_us, &action));
	REQUIRE(s, race_get_wakeup(s->race) == NEVER);
}

static void check_next(struct schedule *s)
{
	bool has_next = !is_all_answered(s) || has_untried(s);

	for (unsigned int id = 0; id < N_IDS; id++)
		has_next |= s->known[id].is_dropped;
	REQUIRE(s, race_has_next(s->race) == has_next);
}

/* The caller wants another one: what was dropped for the winner's sake is there again. */
static void resume(struct schedule *s)
{
	wait_for_client(s);
	check_next(s);
	for (unsigned int id = 0; id < N_IDS; id++) {
		if (s->known[id].is_dropped)
			s->known[id].is_spent = s->known[id].is_dropped = false;
	}
	sort_known(s);
	s->leg++;
	s->first_fact = s->n_facts;
	s->resumed_us = s->now_us;
	s->winner = SIZE_MAX;
	s->held = N_IDS;
	s->grant_us = NEVER;
	s->is_due = true;
	s->is_asking = s->done = false;
	s->params.deadline_us = s->now_us + MS(below(s, DEADLINE_MS_MAX));
	race_resume(s->race, s->now_us, s->params.deadline_us);
}

static void run_schedule(struct schedule *s, uint64_t seed)
{
	plan_schedule(s, seed);
	reset(s);
	REQUIRE(s, race_new(&s->race, &s->params) == 0);
	for (;;) {
		take_actions(s);
		for (int i = 0; !s->done; i++) {
			REQUIRE(s, i < MAX_STEPS);
			step(s);
			take_actions(s);
		}
		check_record(s);
		if (s->winner == SIZE_MAX || s->leg + 1 == MAX_LEGS || one_in(s, 2))
			break;
		resume(s);
	}
	check_order(s);
	check_silence(s);
	s->race = race_free(s->race);
}

static uint64_t get_number(const char *variable, uint64_t otherwise)
{
	const char *text = getenv(variable);
	uint64_t number = otherwise;

	if (text)
		ck_assert_int_eq(text_parse_uint(text, UINT64_MAX, &number), 0);
	return number;
}

/* In four parts, because of the time that one test may take. */
static void run_quarter(uint64_t quarter)
{
	static struct schedule schedule;
	uint64_t seed = get_number("RACE_SEED", 1);
	uint64_t n = get_number("RACE_SCHEDULES", N_SCHEDULES);

	for (uint64_t i = n / 4 * quarter; i < (quarter == 3 ? n : n / 4 * (quarter + 1)); i++)
		run_schedule(&schedule, seed + i);
}

START_TEST(no_schedule_breaks_a_rule_1)
{
	run_quarter(0);
}
END_TEST

START_TEST(no_schedule_breaks_a_rule_2)
{
	run_quarter(1);
}
END_TEST

START_TEST(no_schedule_breaks_a_rule_3)
{
	run_quarter(2);
}
END_TEST

START_TEST(no_schedule_breaks_a_rule_4)
{
	run_quarter(3);
}
END_TEST

/* How a schedule's answers are given when nothing but their content is of interest. */
struct way {
	bool other_first;
	bool in_parts;
	bool one_at_a_time; /* all that is known fails before the next part comes */
	bool without_past;
};

static struct addrsort_facts get_facts(const struct schedule *s, unsigned int id,
				       const struct way *way)
{
	struct addrsort_facts facts = s->known[id].now;

	if (way->without_past)
		facts.past = (struct addrsort_past){ 0 };
	return facts;
}

/* n items from first on, the last of them if that is so; status if there are none. */
static void give_items(struct schedule *s, struct race *race, const struct plan *plan, size_t first,
		       size_t n, int status, bool is_last, const struct way *way)
{
	struct addrsort_facts facts[MAX_PER_FAMILY];

	for (size_t i = 0; i < n; i++)
		facts[i] = get_facts(s, plan->ids[first + i], way);
	REQUIRE(s, race_on_answer(race, s->now_us, plan->family, status, &plan->items[first], facts,
				  n, is_last) == 0);
}

/* Lets every attempt fail at once until there is nothing more to do, and writes down what was tried. */
static void fail_all(struct schedule *s, struct race *race, unsigned int *ret_tried, size_t *n)
{
	struct race_action action;

	for (;;) {
		size_t n_attempts;

		while (race_next_action(race, s->now_us, &action)) {
			if (action.kind != RACE_START)
				continue;
			REQUIRE(s, *n < N_IDS);
			ret_tried[(*n)++] =
				get_id(&race_get_attempts(race, &n_attempts)[action.attempt]
						.candidate->endpoint);
			race_on_attempt(race, s->now_us, action.attempt, -ECONNREFUSED, 0);
		}
		if (race_get_wakeup(race) == NEVER)
			return;
		s->now_us = race_get_wakeup(race);
	}
}

static size_t play(struct schedule *s, const struct way *way, unsigned int *ret_tried)
{
	CLEANUP(race_freep) struct race *race = NULL;
	size_t n = 0;

	s->now_us = 0;
	s->params.deadline_us = NEVER;
	s->params.answer_grace_us = 0;
	REQUIRE(s, race_new(&race, &s->params) == 0);
	for (size_t i = 0; i < s->n_plans; i++) {
		const struct plan *plan = &s->plans[way->other_first ? s->n_plans - 1 - i : i];
		size_t first = 0;

		if (!way->in_parts)
			give_items(s, race, plan, 0, plan->n,
				   plan->n > 0 ? 0 : plan->parts[0].status, true, way);
		for (size_t j = 0; way->in_parts && j < plan->n_parts; j++) {
			give_items(s, race, plan, first, plan->parts[j].n, plan->parts[j].status,
				   j + 1 == plan->n_parts, way);
			first += plan->parts[j].n;
			if (way->one_at_a_time)
				fail_all(s, race, ret_tried, &n);
		}
	}
	fail_all(s, race, ret_tried, &n);
	return n;
}

START_TEST(the_order_of_answers_does_not_change_the_order_of_attempts)
{
	static struct schedule schedule;
	unsigned int one[N_IDS], other[N_IDS];

	for (uint64_t seed = 1; seed <= N_PERMUTATIONS; seed++) {
		plan_schedule(&schedule, seed);
		for (int i = 0; i < 4; i++) {
			struct way way = { .other_first = i & 1, .in_parts = i & 2 };
			size_t n = play(&schedule, &(struct way){ 0 }, one);

			REQUIRE(&schedule, play(&schedule, &way, other) == n);
			for (size_t j = 0; j < n; j++)
				REQUIRE(&schedule, one[j] == other[j]);
		}
	}
}
END_TEST

static uint64_t make_set(const unsigned int *ids, size_t n)
{
	uint64_t set = 0;

	for (size_t i = 0; i < n; i++)
		set |= UINT64_C(1) << ids[i];
	return set;
}

START_TEST(what_was_learnt_changes_no_set_of_addresses)
{
	static struct schedule schedule;
	unsigned int one[N_IDS], other[N_IDS];

	for (uint64_t seed = 1; seed <= N_SETS; seed++) {
		plan_schedule(&schedule, seed);
		for (int i = 0; i < 2; i++) {
			struct way way = { .in_parts = true, .one_at_a_time = i == 1 };
			size_t n = play(&schedule, &way, one);

			way.without_past = true;
			REQUIRE(&schedule, play(&schedule, &way, other) == n);
			REQUIRE(&schedule, make_set(one, n) == make_set(other, n));
		}
	}
}
END_TEST

SUITE_MAIN("race_schedules", no_schedule_breaks_a_rule_1, no_schedule_breaks_a_rule_2,
	   no_schedule_breaks_a_rule_3, no_schedule_breaks_a_rule_4,
	   the_order_of_answers_does_not_change_the_order_of_attempts,
	   what_was_learnt_changes_no_set_of_addresses)
