/* SPDX-License-Identifier: MIT */
/*
 * The order in which the addresses of a call are tried. Three steps, each a pure function of its
 * input:
 *
 *   1. place every destination: one number for each rule, the smaller the earlier (addrsort_place);
 *   2. sort each family of each group by these numbers, one rule after the other, stable (rule 10);
 *   3. in each group let the families alternate (RFC 8305 section 4, First Address Family Count).
 *
 * A group is what has the same target and the same mark. Marked is what is dead or what its user did
 * not like: it stands behind all others of its target, and alternates by itself, so that a dead
 * address takes nobody's turn.
 *
 * Each rule looks at one number of either side, and no number depends on what else is there, so the
 * order is a total one and does not depend on who was compared with whom: within a family it stays
 * the same whatever the other family has. The race relies on that when an answer is late. Between
 * families rule 9 says nothing; a rule that holds for some pairs only would give an order that goes
 * round in a circle, and so the families are sorted each by itself, and only their first ones are
 * compared, by rules 1 to 8b. If these find no difference, IPv6 begins: which answer came first
 * must not matter.
 *
 * IPv4 takes part as ::ffff:a.b.c.d, as RFC 6724 section 3.2 wants it, and an IPv6 address of that
 * form is IPv4 in all respects, since connect/attempt uses an IPv4 socket for it.
 *
 * Rule 9 (longest matching prefix) compares no further than the prefix of the source's network
 * (section 2.2); without that cap, host bits would decide and undo the rotation of a name server.
 * An interface address without a network (/128, as DHCPv6 hands them out) and one about which
 * nothing is known are taken to be in one of 64 bits. For IPv4 the rule holds within the source's
 * own network only: elsewhere the source is mostly a private address behind a translator and has
 * nothing in common with where it leads, so the rule would pin every client of one network to the
 * same of several equal servers. That is the known fault of RFC 3484's rule 9. Among addresses in
 * the own network it tells nothing apart, for the same reason as the cap.
 *
 * Rule 7 looks at the interface of the source address, as the C library does.
 *
 * Rules 8a and 8b are those from experience (RFC 8305 section 4). A round trip counts in steps of
 * the square root of 2 from 30 ms on, so that near equals stay in the answer's rotation; one that
 * is not known counts as the shortest, so that an address nobody has tried comes before one that is
 * known to be slow.
 */
#include "daemon/connect/addrsort.h"

#include <assert.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "daemon/base/clock.h"
#include "daemon/connect/gai-conf.h"
#include "protocol/cleanup.h"

#define IPV4_BITS   32
#define IPV6_BITS   128
#define SUBNET_BITS 64 /* the prefix length that rule 9 assumes of an IPv6 source without one */

#define RTT_FLOOR_US	   30000 /* shorter round trips are all alike */
#define RTT_STEP_PER_MILLE 1414	 /* from each step to the next */

/* Each address has two places to be in; of two others the older one makes room. */
#define MEMORY_PLACES 4096
#define MEMORY_US     USEC_PER_SEC

struct memory_place {
	struct address destination;
	struct addrsort_source source;
	uint64_t until_us;
	uint64_t n_news; /* at that time */
};

struct addrsort_memory {
	uint64_t n_news;
	struct memory_place places[MEMORY_PLACES];
};

/*
 * Where each rule's number stands in the words of a place. The words of two places compare as the
 * numbers do, one rule after the other.
 */
struct field {
	unsigned int word, shift, n_bits;
};

static const struct field fields[ADDRSORT_RULE_10] = {
	[ADDRSORT_TARGET] = { 0, 48, 16 }, [ADDRSORT_MARK] = { 0, 47, 1 },
	[ADDRSORT_RULE_1] = { 0, 46, 1 },  [ADDRSORT_RULE_2] = { 0, 45, 1 },
	[ADDRSORT_RULE_3] = { 0, 44, 1 },  [ADDRSORT_RULE_4] = { 0, 43, 1 },
	[ADDRSORT_RULE_5] = { 0, 42, 1 },  [ADDRSORT_RULE_6] = { 0, 10, 32 },
	[ADDRSORT_RULE_7] = { 0, 9, 1 },   [ADDRSORT_RULE_8] = { 1, 32, 32 },
	[ADDRSORT_RULE_8A] = { 1, 16, 8 }, [ADDRSORT_RULE_8B] = { 1, 15, 1 },
	[ADDRSORT_RULE_9] = { 1, 0, 8 },
};

/* Family 0 when there is none. */
static void find_address(const struct endpoint *destination, struct address *ret)
{
	CLEANUP(fd_closep) int fd = -1;
	struct endpoint to = *destination;
	struct endpoint source = { 0 };
	struct sockaddr_storage sockaddr;
	socklen_t len;

	*ret = (struct address){ 0 };
	to.address = address_unmap(to.address);
	if (endpoint_to_sockaddr(&to, &sockaddr, &len) < 0)
		return;
	fd = socket(to.address.family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP);
	if (fd < 0)
		return;
	if (connect(fd, (struct sockaddr *)&sockaddr, len) < 0)
		return;
	len = sizeof(sockaddr);
	if (getsockname(fd, (struct sockaddr *)&sockaddr, &len) < 0)
		return;
	if (endpoint_from_sockaddr((struct sockaddr *)&sockaddr, len, &source) < 0)
		return;
	*ret = source.address;
}

int addrsort_memory_new(struct addrsort_memory **ret)
{
	struct addrsort_memory *memory = calloc(1, sizeof(*memory));

	if (!memory)
		return -ENOMEM;
	*ret = memory;
	return 0;
}

struct addrsort_memory *addrsort_memory_free(struct addrsort_memory *memory)
{
	free(memory);
	return NULL;
}

/* Where the address is, or is to be. */
static struct memory_place *find_place(struct addrsort_memory *memory,
				       const struct address *address)
{
	uint32_t hash = UINT32_C(2166136261);
	struct memory_place *one, *other;

	for (size_t i = 0; i < sizeof(address->bytes); i++)
		hash = (hash ^ address->bytes[i]) * UINT32_C(16777619);
	one = &memory->places[(hash ^ hash >> 16) % MEMORY_PLACES];
	other = &memory->places[((hash ^ hash >> 16) ^ 1) % MEMORY_PLACES];
	if (address_equal(&one->destination, address))
		return one;
	if (address_equal(&other->destination, address) || other->until_us < one->until_us)
		return other;
	return one;
}

void addrsort_refresh(const struct addrsort_env *env)
{
	gai_conf_refresh(env->gai_conf);
	if (env->memory && env->hostaddrs)
		env->memory->n_news = hostaddrs_refresh(env->hostaddrs);
}

static bool is_remembered(const struct addrsort_memory *memory, const struct memory_place *place,
			  const struct address *address, uint64_t now_us)
{
	return now_us < place->until_us && place->n_news == memory->n_news &&
	       address_equal(&place->destination, address);
}

void addrsort_find_source(const struct addrsort_env *env, const struct endpoint *destination,
			  struct addrsort_source *ret)
{
	const struct address *address = &destination->address;
	struct memory_place *place = env->memory ? find_place(env->memory, address) : NULL;
	uint64_t now_us = env->memory ? clock_now_us() : 0;

	if (place && is_remembered(env->memory, place, address, now_us)) {
		*ret = place->source;
		return;
	}
	*ret = (struct addrsort_source){ 0 };
	find_address(destination, &ret->address);
	if (env->hostaddrs)
		hostaddrs_find(env->hostaddrs, &ret->address, &ret->facts);
	if (place)
		*place = (struct memory_place){ *address, *ret, now_us + MEMORY_US,
						env->memory->n_news };
}

static unsigned int get_common_len(const struct address *a, const struct address *b)
{
	unsigned int len = 0;
	unsigned int max = 8 * (unsigned int)address_len(a);

	while (len < max && a->bytes[len / 8] == b->bytes[len / 8])
		len += 8;
	if (len < max) {
		unsigned int difference = a->bytes[len / 8] ^ b->bytes[len / 8];

		for (; !(difference & 0x80); difference <<= 1)
			len++;
	}
	return len;
}

/* Rule 9; see above. Both addresses are of one family. */
static unsigned int get_matching_len(const struct address *destination,
				     const struct address *source, unsigned int prefix_len)
{
	unsigned int len = get_common_len(destination, source);

	if (destination->family == AF_INET)
		return prefix_len <= IPV4_BITS && len >= prefix_len ? prefix_len : 0;
	if (prefix_len == 0 || prefix_len >= IPV6_BITS)
		prefix_len = SUBNET_BITS;
	return len < prefix_len ? len : prefix_len;
}

static uint64_t get_rtt_step(uint32_t rtt_us)
{
	uint64_t bound_us = RTT_FLOOR_US;
	uint64_t step = 0;

	for (; rtt_us > bound_us; bound_us = bound_us * RTT_STEP_PER_MILLE / 1000)
		step++;
	return step;
}

static uint64_t get_mask(enum addrsort_rule rule)
{
	const struct field *field = &fields[rule];

	return ((UINT64_C(1) << field->n_bits) - 1) << field->shift;
}

static void set(struct addrsort_place *place, enum addrsort_rule rule, uint64_t number)
{
	const struct field *field = &fields[rule];

	place->words[field->word] |= number << field->shift;
}

static void place_by_source(const struct gai_conf *gai_conf, const struct addrsort_source *source,
			    const struct address *to, unsigned int scope,
			    struct addrsort_place *place)
{
	struct address from = address_unmap(source->address);

	set(place, ADDRSORT_RULE_1, from.family == 0);
	if (from.family == 0)
		return; /* the other rules are about the source */
	set(place, ADDRSORT_RULE_2, gai_conf_get_scope(gai_conf, &from) != scope);
	set(place, ADDRSORT_RULE_3, source->facts.is_deprecated);
	set(place, ADDRSORT_RULE_4, !source->facts.is_home);
	set(place, ADDRSORT_RULE_5,
	    gai_conf_get_label(gai_conf, &from) != gai_conf_get_label(gai_conf, to));
	set(place, ADDRSORT_RULE_7, source->facts.is_tunnel);
	if (from.family == to->family)
		set(place, ADDRSORT_RULE_9,
		    IPV6_BITS - get_matching_len(to, &from, source->facts.prefix_len));
}

void addrsort_place(const struct gai_conf *gai_conf, const struct endpoint *destination,
		    uint16_t rank, const struct addrsort_facts *facts, struct addrsort_place *ret)
{
	const struct addrsort_past *past = &facts->past;
	struct address to = address_unmap(destination->address);
	unsigned int scope = gai_conf_get_scope(gai_conf, &to);

	*ret = (struct addrsort_place){ .family = to.family };
	set(ret, ADDRSORT_TARGET, rank);
	set(ret, ADDRSORT_MARK, past->is_dead || past->is_doubted || past->is_disliked);
	set(ret, ADDRSORT_RULE_6, UINT32_MAX - gai_conf_get_precedence(gai_conf, &to));
	set(ret, ADDRSORT_RULE_8, scope);
	set(ret, ADDRSORT_RULE_8A, get_rtt_step(past->rtt_us));
	set(ret, ADDRSORT_RULE_8B, !past->was_used);
	place_by_source(gai_conf, &facts->source, &to, scope, ret);
}

static bool is_good(const struct addrsort_past *past)
{
	return (past->rtt_us > 0 || past->was_used) && !past->is_dead && !past->is_disliked;
}

bool addrsort_is_suspect(const struct addrsort_peer *peers, size_t n, size_t which)
{
	const struct addrsort_peer *one = &peers[which];

	if (one->past->rtt_us > 0 || one->past->was_used || one->past->is_dead)
		return false;
	for (size_t i = 0; i < n; i++)
		if (peers[i].past->is_silent && peers[i].family == one->family &&
		    peers[i].rank == one->rank)
			return true;
	return false;
}

bool addrsort_is_doubted(const struct addrsort_peer *peers, size_t n, size_t which)
{
	const struct addrsort_peer *one = &peers[which];

	if (!addrsort_is_suspect(peers, n, which))
		return false;
	for (size_t i = 0; i < n; i++)
		if (is_good(peers[i].past) && peers[i].family != one->family &&
		    peers[i].rank == one->rank)
			return true;
	return false;
}

bool addrsort_place_is_sound(const struct addrsort_place *place)
{
	static const enum addrsort_rule rules[] = { ADDRSORT_RULE_1, ADDRSORT_RULE_2,
						    ADDRSORT_RULE_5 };

	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (place->words[fields[rules[i]].word] & get_mask(rules[i]))
			return false;
	return true;
}

struct addrsort_place addrsort_place_without_past(const struct addrsort_place *place)
{
	return (struct addrsort_place){
		.words = { place->words[0] & ~get_mask(ADDRSORT_MARK),
			   place->words[1] &
				   ~(get_mask(ADDRSORT_RULE_8A) | get_mask(ADDRSORT_RULE_8B)) },
		.family = place->family,
	};
}

/* Less than 0: a stands before b. upto_8b: the last rule that is asked. */
static int compare(const struct addrsort_place *a, const struct addrsort_place *b, bool upto_8b)
{
	unsigned int shift = upto_8b ? fields[ADDRSORT_RULE_8B].shift : 0;

	if (a->words[0] != b->words[0])
		return a->words[0] < b->words[0] ? -1 : 1;
	if (a->words[1] >> shift != b->words[1] >> shift)
		return a->words[1] < b->words[1] ? -1 : 1;
	return 0;
}

/* The first rule that tells two apart; rule 10: none does. */
static enum addrsort_rule get_rule(const struct addrsort_place *a, const struct addrsort_place *b)
{
	for (unsigned int rule = ADDRSORT_TARGET; rule < ARRAY_LEN(fields); rule++) {
		unsigned int word = fields[rule].word;

		if ((a->words[word] ^ b->words[word]) & get_mask((enum addrsort_rule)rule))
			return (enum addrsort_rule)rule;
	}
	return ADDRSORT_RULE_10;
}

static uint64_t get_group(const struct addrsort_place *place)
{
	return place->words[0] & (get_mask(ADDRSORT_TARGET) | get_mask(ADDRSORT_MARK));
}

/* Whether a stands before b while the families are apart: the groups, in each IPv6 and then IPv4. */
static bool goes_before(const struct addrsort_place *a, const struct addrsort_place *b)
{
	if (get_group(a) != get_group(b))
		return get_group(a) < get_group(b);
	if (a->family != b->family)
		return a->family == AF_INET6;
	return compare(a, b, false) < 0;
}

/* By insertion: a handful of addresses, and stable. */
static void sort(const struct addrsort_place *const *places, size_t n, size_t *order)
{
	for (size_t i = 0; i < n; i++) {
		size_t at = i;

		for (; at > 0 && goes_before(places[i], places[order[at - 1]]); at--)
			order[at] = order[at - 1];
		order[at] = i;
	}
}

/* Whether the second family, whose first place is b, begins. */
static bool second_begins(const struct addrsort_place *a, const struct addrsort_place *b,
			  enum family_choice choice)
{
	switch (choice) {
	case FAMILY_PREFER_INET:
		return b->family == AF_INET;
	case FAMILY_PREFER_INET6:
		return b->family == AF_INET6;
	case FAMILY_ANY:
	case FAMILY_INET:
	case FAMILY_INET6:
		break;
	}
	return compare(a, b, true) > 0;
}

/* The n of one group, the first n_first of them of one family and the rest of the other. */
static void interleave(const struct addrsort_place *const *places, const size_t *sorted, size_t n,
		       size_t n_first, const struct addrsort_how *how, size_t *order)
{
	size_t head = how->first_family_count > 0 ? how->first_family_count : 1;
	size_t first = 0, second = n_first;
	bool firsts_turn = n_first == n || !second_begins(places[sorted[0]],
							  places[sorted[n_first]], how->families);

	for (size_t i = 0; i < n; i++) {
		bool takes_first = second == n || (firsts_turn && first < n_first);

		order[i] = takes_first ? sorted[first++] : sorted[second++];
		if (i + 1 >= head)
			firsts_turn = !takes_first;
	}
}

/* How many from here on are of the same group, and of the same family if that is asked for. */
static size_t count_same(const struct addrsort_place *const *places, const size_t *sorted, size_t n,
			 bool of_family)
{
	const struct addrsort_place *first = places[sorted[0]];
	size_t i = 1;

	while (i < n && get_group(places[sorted[i]]) == get_group(first) &&
	       (!of_family || places[sorted[i]]->family == first->family))
		i++;
	return i;
}

static bool is_preferred(int family, enum family_choice choice)
{
	return (choice == FAMILY_PREFER_INET && family == AF_INET) ||
	       (choice == FAMILY_PREFER_INET6 && family == AF_INET6);
}

/* Why a stands immediately before b. begins: a is the first of its group. */
static enum addrsort_rule explain(const struct addrsort_place *a, const struct addrsort_place *b,
				  bool begins, enum family_choice choice)
{
	if (a->family == b->family || get_group(a) != get_group(b) || compare(a, b, true) < 0)
		return get_rule(a, b);
	return begins && is_preferred(a->family, choice) ? ADDRSORT_PREFERENCE
							 : ADDRSORT_INTERLEAVED;
}

void addrsort_places(const struct addrsort_place *const *places, size_t n,
		     const struct addrsort_how *how, size_t *order, enum addrsort_rule *rules)
{
	size_t sorted[ADDRSORT_MAX];

	assert(n <= ADDRSORT_MAX);
	sort(places, n, sorted);
	for (size_t i = 0; i < n;) {
		size_t n_group = count_same(places, &sorted[i], n - i, false);

		interleave(places, &sorted[i], n_group,
			   count_same(places, &sorted[i], n_group, true), how, &order[i]);
		i += n_group;
	}
	for (size_t i = 0; rules && i < n; i++) {
		const struct addrsort_place *place = places[order[i]];
		bool begins = i == 0 || get_group(places[order[i - 1]]) != get_group(place);

		rules[i] = i + 1 == n ? ADDRSORT_NONE
				      : explain(place, places[order[i + 1]], begins, how->families);
	}
}

void addrsort(const struct addrsort_item *items, size_t n, const struct addrsort_how *how,
	      size_t *order, enum addrsort_rule *rules)
{
	struct addrsort_place places[ADDRSORT_MAX];
	const struct addrsort_place *pointers[ADDRSORT_MAX];

	assert(n <= ADDRSORT_MAX);
	for (size_t i = 0; i < n; i++) {
		struct addrsort_facts facts = { items[i].source, items[i].past };

		addrsort_place(how->gai_conf, &items[i].destination, items[i].rank, &facts,
			       &places[i]);
		pointers[i] = &places[i];
	}
	addrsort_places(pointers, n, how, order, rules);
}

const char *addrsort_rule_text(enum addrsort_rule rule)
{
	switch (rule) {
	case ADDRSORT_NONE:
		break;
	case ADDRSORT_TARGET:
		return "target order (RFC 2782)";
	case ADDRSORT_MARK:
		return "not known as dead, doubted or disliked";
	case ADDRSORT_RULE_1:
		return "rule 1: there is a route (RFC 6724)";
	case ADDRSORT_RULE_2:
		return "rule 2: matching scope (RFC 6724)";
	case ADDRSORT_RULE_3:
		return "rule 3: source not deprecated (RFC 6724)";
	case ADDRSORT_RULE_4:
		return "rule 4: source is a home address (RFC 6724)";
	case ADDRSORT_RULE_5:
		return "rule 5: matching label (RFC 6724)";
	case ADDRSORT_RULE_6:
		return "rule 6: higher precedence (RFC 6724)";
	case ADDRSORT_RULE_7:
		return "rule 7: native transport (RFC 6724)";
	case ADDRSORT_RULE_8:
		return "rule 8: smaller scope (RFC 6724)";
	case ADDRSORT_RULE_8A:
		return "rule 8a: lower round trip (RFC 8305)";
	case ADDRSORT_RULE_8B:
		return "rule 8b: used before (RFC 8305)";
	case ADDRSORT_RULE_9:
		return "rule 9: longer matching prefix (RFC 6724)";
	case ADDRSORT_RULE_10:
		return "rule 10: order of the answer (RFC 6724)";
	case ADDRSORT_INTERLEAVED:
		return "the families take turns (RFC 8305)";
	case ADDRSORT_PREFERENCE:
		return "the family that was asked for begins";
	}
	return "";
}
