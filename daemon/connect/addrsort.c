/* SPDX-License-Identifier: MIT */
/*
 * The order in which the addresses of a call are tried. Three steps, each a pure function of its
 * input:
 *
 *   1. place every destination: scope, policy row, whether they match the source's (struct place);
 *   2. sort by the rules of RFC 6724 section 6, one comparison per rule, stable (rule 10);
 *   3. let the families alternate (RFC 8305 section 4, First Address Family Count 1).
 *
 * All rules compare one value of either side, so the order is a total one and does not depend on
 * who was compared with whom: within a family it stays the same whatever the other family has. The
 * race relies on that when an answer is late.
 *
 * IPv4 takes part as ::ffff:a.b.c.d, as RFC 6724 section 3.2 wants it, and an IPv6 address of that
 * form is IPv4 in all respects, since connect/attempt uses an IPv4 socket for it.
 *
 * Rule 9 (longest matching prefix) is for IPv6 only. It compares no further than the source's
 * prefix, which is 64 bits on nearly every link; without that cap, host bits would decide and undo
 * the rotation of a name server. For IPv4 it is left out: the source is mostly a private address
 * behind a translator and has nothing in common with where it leads, so the rule would pin every
 * client of one network to the same of several equal servers. That is the known fault of RFC 3484's
 * rule 9, and the reason why getaddrinfo implementations apply it within the own subnet only; the
 * subnet's length is unknown here, and an address in it needs no help to be near.
 *
 * Rules 3, 4 and 7 need address and interface flags which only netlink tells. Rules from experience
 * (RFC 8305 section 4: lower round-trip time, used before) would stand between 8 and 9.
 */
#include "daemon/connect/addrsort.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "protocol/cleanup.h"

#define IPV6_BYTES     16
#define IPV6_BITS      128
#define SUBNET_BITS    64 /* the prefix length that rule 9 assumes of an IPv6 source */
#define IPV4_IN_MAPPED 12 /* where the IPv4 address begins in ::ffff:a.b.c.d */

/* RFC 4291 section 2.7; unicast addresses use the same values (RFC 6724 section 3.1). */
enum scope {
	SCOPE_LINK = 0x2,
	SCOPE_SITE = 0x5,
	SCOPE_GLOBAL = 0xe
};

struct policy {
	uint8_t prefix[IPV6_BYTES];
	unsigned int prefix_len;
	unsigned int precedence;
	unsigned int label;
};

/*
 * The default policy table, RFC 6724 section 2.1. The longest prefix comes first, so the first
 * match is the best one.
 */
static const struct policy policies[] = {
	{ { [15] = 1 }, 128, 50, 0 },		     /* ::1/128 */
	{ { [10] = 0xff, [11] = 0xff }, 96, 35, 4 }, /* ::ffff:0:0/96, that is IPv4 */
	{ { 0 }, 96, 1, 3 },			     /* ::/96 */
	{ { 0x20, 0x01 }, 32, 5, 5 },		     /* 2001::/32, Teredo */
	{ { 0x20, 0x02 }, 16, 30, 2 },		     /* 2002::/16, 6to4 */
	{ { 0x3f, 0xfe }, 16, 1, 12 },		     /* 3ffe::/16 */
	{ { 0xfe, 0xc0 }, 10, 1, 11 },		     /* fec0::/10, site-local */
	{ { 0xfc }, 7, 3, 13 },			     /* fc00::/7, unique local */
	{ { 0 }, 0, 40, 1 },			     /* ::/0 */
};

/* What the rules ask about one destination. */
struct place {
	size_t index;
	int family;
	bool usable;		 /* rule 1 */
	bool scope_matches;	 /* rule 2 */
	bool label_matches;	 /* rule 5 */
	unsigned int precedence; /* rule 6 */
	unsigned int scope;	 /* rule 8 */
	unsigned int common_len; /* rule 9 */
};

void addrsort_find_source(const struct endpoint *destination, struct address *ret)
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

/* The 16 bytes that the policy table is looked up with (section 3.2). */
static void get_ipv6_form(const struct address *address, uint8_t ret[IPV6_BYTES])
{
	if (address->family == AF_INET6) {
		memcpy(ret, address->bytes, IPV6_BYTES);
		return;
	}
	memset(ret, 0, IPV6_BYTES);
	ret[10] = 0xff;
	ret[11] = 0xff;
	memcpy(ret + IPV4_IN_MAPPED, address->bytes, IPV6_BYTES - IPV4_IN_MAPPED);
}

static unsigned int get_common_len(const uint8_t a[IPV6_BYTES], const uint8_t b[IPV6_BYTES])
{
	unsigned int len = 0;

	while (len < IPV6_BITS && a[len / 8] == b[len / 8])
		len += 8;
	if (len < IPV6_BITS) {
		unsigned int difference = a[len / 8] ^ b[len / 8];

		for (; !(difference & 0x80); difference <<= 1)
			len++;
	}
	return len;
}

static const struct policy *find_policy(const uint8_t bytes[IPV6_BYTES])
{
	size_t i = 0;

	while (get_common_len(policies[i].prefix, bytes) < policies[i].prefix_len)
		i++; /* ends at ::/0 */
	return &policies[i];
}

/* IPv4: section 3.2; private addresses are global. IPv6: section 3.1, loopback: section 3.4. */
static unsigned int get_scope(const struct address *address)
{
	const uint8_t *bytes = address->bytes;

	if (address->family == AF_INET)
		return bytes[0] == 127 || (bytes[0] == 169 && bytes[1] == 254) ? SCOPE_LINK
									       : SCOPE_GLOBAL;
	if (bytes[0] == 0xff)
		return bytes[1] & 0x0f;
	if (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80)
		return SCOPE_LINK;
	if (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0xc0)
		return SCOPE_SITE;
	if (get_common_len(bytes, policies[0].prefix) == IPV6_BITS)
		return SCOPE_LINK;
	return SCOPE_GLOBAL;
}

static struct place make_place(const struct addrsort_item *item, size_t index)
{
	struct address destination = address_unmap(item->destination.address);
	struct address source = address_unmap(item->source);
	struct place place = { .index = index, .family = destination.family };
	const struct policy *policy;
	uint8_t to[IPV6_BYTES];
	uint8_t from[IPV6_BYTES];

	get_ipv6_form(&destination, to);
	policy = find_policy(to);
	place.precedence = policy->precedence;
	place.scope = get_scope(&destination);
	place.usable = source.family != 0;
	if (!place.usable)
		return place;
	get_ipv6_form(&source, from);
	place.scope_matches = get_scope(&source) == place.scope;
	place.label_matches = find_policy(from)->label == policy->label;
	if (destination.family == AF_INET6) {
		place.common_len = get_common_len(to, from);
		if (place.common_len > SUBNET_BITS)
			place.common_len = SUBNET_BITS;
	}
	return place;
}

/* Whether a has to be tried before b; false as well when no rule tells them apart. */
static bool goes_before(const struct place *a, const struct place *b)
{
	if (a->usable != b->usable)
		return a->usable;
	if (a->scope_matches != b->scope_matches)
		return a->scope_matches;
	if (a->label_matches != b->label_matches)
		return a->label_matches;
	if (a->precedence != b->precedence)
		return a->precedence > b->precedence;
	if (a->scope != b->scope)
		return a->scope < b->scope;
	if (a->family == b->family && a->common_len != b->common_len)
		return a->common_len > b->common_len;
	return false;
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

/* The next place from *cursor on that is (or is not) of this family; n when there is none. */
static size_t find_next(const struct place *places, size_t n, size_t from, int family,
			bool of_family)
{
	while (from < n && (places[from].family == family) != of_family)
		from++;
	return from;
}

static void interleave(const struct place *places, size_t n, int first, size_t *order)
{
	size_t ours = find_next(places, n, 0, first, true);
	size_t others = find_next(places, n, 0, first, false);
	bool our_turn = true;

	for (size_t i = 0; i < n; i++) {
		if (others == n || (our_turn && ours < n)) {
			order[i] = places[ours].index;
			ours = find_next(places, n, ours + 1, first, true);
			our_turn = false;
		} else {
			order[i] = places[others].index;
			others = find_next(places, n, others + 1, first, false);
			our_turn = true;
		}
	}
}

static int get_first_family(const struct place *places, enum family_choice choice)
{
	switch (choice) {
	case FAMILY_PREFER_INET:
		return AF_INET;
	case FAMILY_PREFER_INET6:
		return AF_INET6;
	case FAMILY_ANY:
	case FAMILY_INET:
	case FAMILY_INET6:
		break;
	}
	return places[0].family;
}

void addrsort(const struct addrsort_item *items, size_t n, enum family_choice choice, size_t *order)
{
	struct place places[ADDRSORT_MAX];

	assert(n <= ADDRSORT_MAX);
	if (n == 0)
		return;
	for (size_t i = 0; i < n; i++)
		places[i] = make_place(&items[i], i);
	sort(places, n);
	interleave(places, n, get_first_family(places, choice), order);
}
