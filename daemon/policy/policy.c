/* SPDX-License-Identifier: MIT */
/*
 * The verdict on an address, in this order, the first "no" decides: [Never] and the metadata services, closed to
 * everybody; then, for whoever is not a client of the built-in default, the class of the address and the daemon's own
 * addresses. A client in the daemon's own namespace under the built-in default could dial all that by itself, so
 * classes would only pretend.
 */
#include "daemon/policy/policy.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/policy/class.h"

#define UID_UNMAPPED 65534 /* user_namespaces(7), /proc/sys/kernel/overflowuid */

struct prefixes {
	struct nat64_prefix items[POLICY_PREFIXES_MAX];
	size_t n;
};

struct policy {
	struct rules rules;
	struct prefixes configured, told; /* of translators */
	uint64_t generation;
};

/* What the rules make of an identity. */
enum standing {
	STANDING_NOTHING,
	STANDING_OPEN,
	STANDING_BUILT_IN
};

int policy_new(struct policy **ret)
{
	struct policy *policy = calloc(1, sizeof(*policy));

	if (!policy)
		return -ENOMEM;
	*ret = policy;
	return 0;
}

struct policy *policy_free(struct policy *policy)
{
	if (policy) {
		rules_done(&policy->rules);
		free(policy);
	}
	return NULL;
}

void policy_adopt_rules(struct policy *policy, struct rules *rules)
{
	rules_done(&policy->rules);
	policy->rules = *rules;
	*rules = (struct rules){ 0 };
	policy->generation++;
}

static bool set_prefixes(struct prefixes *prefixes, const struct nat64_prefix *items, size_t n)
{
	struct prefixes before = *prefixes;
	bool is_same;

	prefixes->n = n < POLICY_PREFIXES_MAX ? n : POLICY_PREFIXES_MAX;
	is_same = before.n == prefixes->n;
	for (size_t i = 0; i < prefixes->n; i++) {
		prefixes->items[i] = items[i];
		is_same = is_same && nat64_prefix_equal(&before.items[i], &items[i]);
	}
	return !is_same;
}

void policy_set_prefixes(struct policy *policy, const struct nat64_prefix *configured,
			 size_t n_configured, const struct nat64_prefix *told, size_t n_told)
{
	bool is_changed = set_prefixes(&policy->configured, configured, n_configured);

	if (set_prefixes(&policy->told, told, n_told) || is_changed)
		policy->generation++;
}

uint64_t policy_get_generation(const struct policy *policy)
{
	return policy->generation;
}

static bool condition_holds(const struct rules_condition *condition,
			    const struct identity *identity)
{
	switch (condition->kind) {
	case RULES_MATCH_UID:
		return identity->peer_uid == condition->uid &&
		       identity->message_uid == condition->uid;
	case RULES_MATCH_NETNS:
		return identity->same_netns == condition->same_netns;
	}
	return false;
}

/* Behind the kernel's overflow uid is anybody who has no uid here: only a line that names it may mean them. */
static bool match_fits(const struct rules_match *match, const struct identity *identity)
{
	bool is_unmapped =
		identity->peer_uid == UID_UNMAPPED || identity->message_uid == UID_UNMAPPED;
	bool names_uid = false;

	for (size_t i = 0; i < match->n_conditions; i++) {
		if (!condition_holds(&match->conditions[i], identity))
			return false;
		names_uid = names_uid || match->conditions[i].kind == RULES_MATCH_UID;
	}
	return names_uid || !is_unmapped;
}

static const struct rules_role *find_role(const struct policy *policy,
					  const struct identity *identity)
{
	for (size_t i = 0; i < policy->rules.n_roles; i++) {
		const struct rules_role *role = &policy->rules.roles[i];

		for (size_t j = 0; j < role->n_matches; j++)
			if (match_fits(&role->matches[j], identity))
				return role;
	}
	return NULL;
}

const char *policy_get_role(const struct policy *policy, const struct identity *identity)
{
	const struct rules_role *role = find_role(policy, identity);

	return role ? role->name : NULL;
}

static enum standing get_standing(const struct policy *policy, const struct identity *identity)
{
	const struct rules_role *role = find_role(policy, identity);

	if (role)
		return role->is_open ? STANDING_OPEN : STANDING_NOTHING;
	if (policy->rules.is_configured)
		return policy->rules.default_allow ? STANDING_OPEN : STANDING_NOTHING;
	return identity->same_netns ? STANDING_BUILT_IN : STANDING_NOTHING;
}

bool policy_allows_anything(const struct policy *policy, const struct identity *identity)
{
	return get_standing(policy, identity) != STANDING_NOTHING;
}

bool policy_allows_name(const struct policy *policy, const struct identity *identity,
			const char *name)
{
	(void)name; /* no name rules yet: who has any standing may ask for any name */
	return policy_allows_anything(policy, identity);
}

static size_t add_inner(const struct prefixes *prefixes, const struct address *address,
			struct address *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < prefixes->n; i++)
		if (nat64_extract(&prefixes->items[i], address, &ret[n]))
			n++;
	return n;
}

size_t policy_get_forms(const struct policy *policy, const struct address *address,
			struct address ret[POLICY_FORMS_MAX])
{
	size_t n = class_forms(address, ret);

	n += add_inner(&policy->configured, address, ret + n);
	return n + add_inner(&policy->told, address, ret + n);
}

static bool is_never(const struct rules *rules, const struct address *forms, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (class_is_metadata(&forms[i]))
			return true;
		for (size_t j = 0; j < rules->n_never; j++)
			if (address_in_network(&forms[i], &rules->never[j].address,
					       rules->never[j].prefix_len))
				return true;
	}
	return false;
}

/* Within a prefix that the administrator has named, the address inside counts alone. */
static bool is_public(const struct policy *policy, const struct address *forms, size_t n)
{
	struct address inner[POLICY_PREFIXES_MAX];
	size_t n_inner = add_inner(&policy->configured, &forms[0], inner);

	if (n_inner > 0) {
		forms = inner;
		n = n_inner;
	}
	for (size_t i = 0; i < n; i++)
		if (class_of(&forms[i]) != CLASS_PUBLIC)
			return false;
	return true;
}

bool policy_allows_endpoint(const struct policy *policy, const struct identity *identity,
			    const struct endpoint *endpoint, bool is_own)
{
	struct address forms[POLICY_FORMS_MAX];
	size_t n = policy_get_forms(policy, &endpoint->address, forms);

	if (is_never(&policy->rules, forms, n))
		return false;
	switch (get_standing(policy, identity)) {
	case STANDING_NOTHING:
		return false;
	case STANDING_OPEN:
		if (is_own && !identity->same_netns)
			return false;
		return is_public(policy, forms, n);
	case STANDING_BUILT_IN:
		return true;
	}
	return false;
}

bool policy_is_confined(const struct policy *policy, const struct identity *identity)
{
	return get_standing(policy, identity) != STANDING_BUILT_IN;
}

const char *policy_find_denied_option(const struct policy *policy, const struct identity *identity,
				      uint32_t privileges)
{
	const struct rules_role *role = privileges != 0 ? find_role(policy, identity) : NULL;
	uint32_t denied = role ? privileges & ~role->privileges : privileges;

	for (unsigned int i = 0; i < PRIVILEGES_N; i++)
		if (denied & PRIVILEGE_BIT(i))
			return privilege_name((enum privilege)i);
	return NULL;
}

static bool listen_fits(const struct rules_listen *listen, const struct endpoint *endpoint,
			enum transport transport)
{
	if (listen->transport != transport || endpoint->port < listen->first_port ||
	    endpoint->port > listen->last_port)
		return false;
	/* The whole address, whatever interface a link-local one is on. */
	return listen->address.family == 0 ||
	       address_in_network(&endpoint->address, &listen->address,
				  8 * (unsigned int)address_len(&listen->address));
}

bool policy_allows_listen(const struct policy *policy, const struct identity *identity,
			  const struct endpoint *endpoint, enum transport transport)
{
	const struct rules_role *role = find_role(policy, identity);
	struct address forms[POLICY_FORMS_MAX];
	size_t n = policy_get_forms(policy, &endpoint->address, forms);
	struct endpoint unmapped = *endpoint;

	unmapped.address = address_unmap(endpoint->address);
	if (!role || is_never(&policy->rules, forms, n))
		return false;
	for (size_t i = 0; i < role->n_listens; i++)
		if (listen_fits(&role->listens[i], &unmapped, transport))
			return true;
	return false;
}

const char *policy_stage_name(enum policy_stage stage)
{
	switch (stage) {
	case POLICY_STAGE_NAME:
		return "name";
	case POLICY_STAGE_ADDRESS:
		return "address";
	case POLICY_STAGE_OPTION:
		return "option";
	}
	return "unknown";
}
