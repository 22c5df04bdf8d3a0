/* SPDX-License-Identifier: MIT */
/*
 * The order in which the addresses of a call are tried. Three steps, each a pure function of its
 * input:
 *
 *   1. place every destination: one number for each rule, the smaller the earlier (struct place);
 *   2. sort each family of each target by these numbers, one rule after the other, stable (rule 10);
 *   3. in each target let the families alternate (RFC 8305 section 4, First Address Family Count 1).
 *
 * Each rule looks at one number of either side, and no number depends on what else is there, so the
 * order is a total one and does not depend on who was compared with whom: within a family it stays
 * the same whatever the other family has. The race relies on that when an answer is late. Between
 * families rule 9 says nothing; a rule that holds for some pairs only would give an order that goes
 * round in a circle, and so the families are sorted each by itself, and only their first ones are
 * compared, by rules 1 to 8. If these find no difference, IPv6 begins: which answer came first must
 * not matter.
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
 * Rule 7 looks at the interface of the source address, as the C library does. Rules from experience
 * (RFC 8305 section 4: lower round-trip time, used before) would stand between 8 and 9.
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
#define N_RULES	    ADDRSORT_RULE_10 /* those that have a number come before it */

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

/* What the rules ask about one destination. */
struct place {
	size_t index;
	int family;
	unsigned int numbers[N_RULES]; /* by enum addrsort_rule; the smaller one goes first */
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

static struct place make_place(const struct gai_conf *gai_conf, const struct addrsort_item *item,
			       size_t index)
{
	const struct hostaddrs_facts *facts = &item->source.facts;
	struct address to = address_unmap(item->destination.address);
	struct address from = address_unmap(item->source.address);
	struct place place = { .index = index, .family = to.family };
	unsigned int scope = gai_conf_get_scope(gai_conf, &to);
	unsigned int *numbers = place.numbers;

	numbers[ADDRSORT_TARGET] = item->rank;
	numbers[ADDRSORT_RULE_6] = UINT_MAX - gai_conf_get_precedence(gai_conf, &to);
	numbers[ADDRSORT_RULE_8] = scope;
	numbers[ADDRSORT_RULE_1] = from.family == 0;
	if (from.family == 0)
		return place; /* the other rules are about the source */
	numbers[ADDRSORT_RULE_2] = gai_conf_get_scope(gai_conf, &from) != scope;
	numbers[ADDRSORT_RULE_3] = facts->is_deprecated;
	numbers[ADDRSORT_RULE_4] = !facts->is_home;
	numbers[ADDRSORT_RULE_5] =
		gai_conf_get_label(gai_conf, &from) != gai_conf_get_label(gai_conf, &to);
	numbers[ADDRSORT_RULE_7] = facts->is_tunnel;
	if (from.family == to.family)
		numbers[ADDRSORT_RULE_9] =
			IPV6_BITS - get_matching_len(&to, &from, facts->prefix_len);
	return place;
}

/*
 * The first of these rules, up to the last one asked for, that tells a and b apart; rule 10: none
 * does.
 */
static enum addrsort_rule compare(const struct place *a, const struct place *b,
				  enum addrsort_rule last, bool *ret_a_first)
{
	*ret_a_first = false;
	for (unsigned int rule = ADDRSORT_TARGET; rule <= last; rule++) {
		if (a->numbers[rule] == b->numbers[rule])
			continue;
		*ret_a_first = a->numbers[rule] < b->numbers[rule];
		return (enum addrsort_rule)rule;
	}
	return ADDRSORT_RULE_10;
}

/* Whether a stands before b while the families are apart: the targets, in each IPv6 and then IPv4. */
static bool goes_before(const struct place *a, const struct place *b)
{
	bool a_first;

	if (a->numbers[ADDRSORT_TARGET] != b->numbers[ADDRSORT_TARGET])
		return a->numbers[ADDRSORT_TARGET] < b->numbers[ADDRSORT_TARGET];
	if (a->family != b->family)
		return a->family == AF_INET6;
	(void)compare(a, b, ADDRSORT_RULE_9, &a_first);
	return a_first;
}

/* By insertion: a handful of addresses, and stable. */
static void sort(struct place *places, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct place place = places[i];
		size_t at = i;

		for (; at > 0 && goes_before(&place, &places[at - 1]); at--)
			places[at] = places[at - 1];
		places[at] = place;
	}
}

/* Whether the second family, whose first place is b, begins. */
static bool second_begins(const struct place *a, const struct place *b, enum family_choice choice)
{
	bool a_first;

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
	return compare(a, b, ADDRSORT_RULE_8, &a_first) != ADDRSORT_RULE_10 && !a_first;
}

/* The n places of one target, the first n_first of them of one family and the rest of the other. */
static void interleave(const struct place *places, size_t n, size_t n_first,
		       enum family_choice choice, const struct place **ret)
{
	size_t first = 0;
	size_t second = n_first;
	bool firsts_turn = n_first == n || !second_begins(&places[0], &places[n_first], choice);

	for (size_t i = 0; i < n; i++) {
		if (second == n || (firsts_turn && first < n_first))
			ret[i] = &places[first++];
		else
			ret[i] = &places[second++];
		firsts_turn = ret[i] >= &places[n_first];
	}
}

/* How many places from here on are of the same target, and of the same family if that is asked for. */
static size_t count_same(const struct place *places, size_t n, bool of_family)
{
	size_t i = 1;

	while (i < n && places[i].numbers[ADDRSORT_TARGET] == places[0].numbers[ADDRSORT_TARGET] &&
	       (!of_family || places[i].family == places[0].family))
		i++;
	return i;
}

static bool is_preferred(int family, enum family_choice choice)
{
	return (choice == FAMILY_PREFER_INET && family == AF_INET) ||
	       (choice == FAMILY_PREFER_INET6 && family == AF_INET6);
}

/* Why a stands immediately before b. begins: a is the first of its target. */
static enum addrsort_rule explain(const struct place *a, const struct place *b, bool begins,
				  enum family_choice choice)
{
	bool a_first;
	enum addrsort_rule rule;

	if (a->family == b->family)
		return compare(a, b, ADDRSORT_RULE_9, &a_first);
	rule = compare(a, b, ADDRSORT_RULE_8, &a_first);
	if (rule == ADDRSORT_TARGET || (rule != ADDRSORT_RULE_10 && a_first))
		return rule;
	return begins && is_preferred(a->family, choice) ? ADDRSORT_PREFERENCE
							 : ADDRSORT_INTERLEAVED;
}

/* Whether the place at i begins its target. */
static bool is_first(const struct place *const *sorted, size_t i)
{
	return i == 0 ||
	       sorted[i - 1]->numbers[ADDRSORT_TARGET] != sorted[i]->numbers[ADDRSORT_TARGET];
}

void addrsort(const struct gai_conf *gai_conf, const struct addrsort_item *items, size_t n,
	      enum family_choice choice, size_t *order, enum addrsort_rule *rules)
{
	struct place places[ADDRSORT_MAX];
	const struct place *sorted[ADDRSORT_MAX];

	assert(n <= ADDRSORT_MAX);
	for (size_t i = 0; i < n; i++)
		places[i] = make_place(gai_conf, &items[i], i);
	sort(places, n);
	for (size_t i = 0; i < n;) {
		size_t n_target = count_same(&places[i], n - i, false);

		interleave(&places[i], n_target, count_same(&places[i], n_target, true), choice,
			   &sorted[i]);
		i += n_target;
	}
	for (size_t i = 0; i < n; i++) {
		order[i] = sorted[i]->index;
		if (rules)
			rules[i] = i + 1 == n ? ADDRSORT_NONE
					      : explain(sorted[i], sorted[i + 1],
							is_first(sorted, i), choice);
	}
}

const char *addrsort_rule_text(enum addrsort_rule rule)
{
	switch (rule) {
	case ADDRSORT_NONE:
		break;
	case ADDRSORT_TARGET:
		return "target order (RFC 2782)";
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
