/* SPDX-License-Identifier: MIT */
/*
 * Destination order of RFC 6724 section 6 inside each target of an SRV answer, with what earlier attempts have shown (RFC 8305
 * section 4), then the families interleaved. Sorting is a pure function of the destinations, the policy table, what is known
 * about the source address of each, and that past; addrsort_find_source asks the kernel for the source.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/base/kinds.h"
#include "daemon/connect/hostaddrs.h"
#include "protocol/address.h"

struct gai_conf;
struct addrsort_memory;

#define ADDRSORT_MAX 256 /* items sorted at a time: twice what AddressesPerCall= can be */

/* The source of one destination. */
struct addrsort_source {
	struct address address; /* family 0: the kernel has no route (rule 1) */
	struct hostaddrs_facts facts;
};

/* What earlier attempts have shown of a destination (connect/history); all zero: nothing is known. */
struct addrsort_past {
	uint32_t rtt_us, rttvar_us; /* smoothed as in RFC 6298; 0: unknown */
	bool was_used;		    /* by this user, not long ago (RFC 8305 section 4) */
	bool is_dead; /* it failed, or was silent while another one answered: behind all that did not */
	bool is_silent;	  /* is_dead, and because it did not answer */
	bool is_doubted;  /* addrsort_is_doubted: likewise */
	bool is_disliked; /* this user has asked for another one instead: likewise */
	bool is_pending;  /* another race is asking it just now, and nothing else is known of it */
};

/* What sorting and the race are told of a candidate beside itself. */
struct addrsort_facts {
	struct addrsort_source source;
	struct addrsort_past past;
};

struct addrsort_item {
	struct endpoint destination;
	struct addrsort_source source;
	struct addrsort_past past;
	uint16_t rank; /* of the target; all of a lower rank come before all of a higher one */
};

/* Why one stands before the next. */
enum addrsort_rule {
	ADDRSORT_NONE, /* there is no next one */
	ADDRSORT_TARGET,
	ADDRSORT_MARK, /* this one is neither dead nor disliked */
	ADDRSORT_RULE_1,
	ADDRSORT_RULE_2,
	ADDRSORT_RULE_3,
	ADDRSORT_RULE_4,
	ADDRSORT_RULE_5,
	ADDRSORT_RULE_6,
	ADDRSORT_RULE_7,
	ADDRSORT_RULE_8,
	ADDRSORT_RULE_8A,
	ADDRSORT_RULE_8B,
	ADDRSORT_RULE_9,
	ADDRSORT_RULE_10,
	ADDRSORT_INTERLEAVED, /* the families take turns */
	ADDRSORT_PREFERENCE,  /* the family that was asked for begins */
};

/* What sorting looks at, the addresses apart. The daemon has one for all requests; each may be NULL: then nothing is known
 * about sources but their addresses, the policy table is the built-in one, and the kernel is asked each time. */
struct addrsort_env {
	struct hostaddrs *hostaddrs;
	struct gai_conf *gai_conf;
	struct addrsort_memory *memory;
};

/*
 * What addrsort_find_source has found, for a second, or until the kernel has news of addresses or routes: a name that many
 * ask for is not worth five system calls an address each time.
 */
MUST_CHECK int addrsort_memory_new(struct addrsort_memory **ret);
struct addrsort_memory *addrsort_memory_free(struct addrsort_memory *memory);
DEFINE_CLEANUP(struct addrsort_memory, addrsort_memory_free)

/* Looks whether something has changed, the policy table or the network; before the sources of one list are looked for. */
void addrsort_refresh(const struct addrsort_env *env);

/*
 * The source the kernel would choose now (a connected UDP socket: no packet leaves), and what is known about it; family 0
 * in *ret when there is none.
 */
void addrsort_find_source(const struct addrsort_env *env, const struct endpoint *destination,
			  struct addrsort_source *ret);

/* What a call wants and the policy table says. */
struct addrsort_how {
	const struct gai_conf *gai_conf; /* NULL: the built-in table */
	enum family_choice families;
	size_t first_family_count; /* so many of the family that begins come before the other's first (RFC 8305 section 8); 0: 1 */
};

/* All that the rules ask about one destination: each rule's number, the most significant first, in two words. */
struct addrsort_place {
	uint64_t words[2];
	int family; /* IPv4 where it is mapped */
};

void addrsort_place(const struct gai_conf *gai_conf, const struct endpoint *destination,
		    uint16_t rank, const struct addrsort_facts *facts, struct addrsort_place *ret);
/* The place that it would have without its past. */
struct addrsort_place addrsort_place_without_past(const struct addrsort_place *place);

/* What the doubt about an address looks at. */
struct addrsort_peer {
	int family; /* IPv4 where it is mapped */
	uint16_t rank;
	const struct addrsort_past *past;
};

/*
 * Whether the silence of an address of the same family and target is all that is known of this one: what is dead is mostly
 * the way to a network, and not one address.
 */
bool addrsort_is_suspect(const struct addrsort_peer *peers, size_t n, size_t which);
/* A suspect, and the other family has an address of the target that has proved good: that one is tried before. */
bool addrsort_is_doubted(const struct addrsort_peer *peers, size_t n, size_t which);

/* Whether rules 1, 2 and 5 of RFC 6724 have nothing against it: there is a route, and scope and label match. */
bool addrsort_place_is_sound(const struct addrsort_place *place);

/*
 * Fills order[] with the indexes of places in the order to try them. By target; in a target those that are marked behind all
 * that are not; each of these groups by RFC 6724 with rules 8a and 8b, then the families alternate starting with the first
 * one's, or with the family the choice prefers. Stable. rules[i], unless rules is NULL, tells why order[i] stands before
 * order[i + 1]. n ≤ ADDRSORT_MAX.
 */
void addrsort_places(const struct addrsort_place *const *places, size_t n,
		     const struct addrsort_how *how, size_t *order, enum addrsort_rule *rules);

/* Both steps at once. */
void addrsort(const struct addrsort_item *items, size_t n, const struct addrsort_how *how,
	      size_t *order, enum addrsort_rule *rules);

/* "rule 6: higher precedence (RFC 6724)"; "" for ADDRSORT_NONE. */
const char *addrsort_rule_text(enum addrsort_rule rule);
