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

struct policy {
	struct rules rules;
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

static bool is_never(const struct rules *rules, const struct address *address)
{
	struct address forms[CLASS_FORMS_MAX];
	size_t n = class_forms(address, forms);

	if (class_is_metadata(address))
		return true;
	for (size_t i = 0; i < rules->n_never; i++)
		for (size_t j = 0; j < n; j++)
			if (address_in_network(&forms[j], &rules->never[i].address,
					       rules->never[i].prefix_len))
				return true;
	return false;
}

bool policy_allows_endpoint(const struct policy *policy, const struct identity *identity,
			    const struct endpoint *endpoint, bool is_own)
{
	if (is_never(&policy->rules, &endpoint->address))
		return false;
	switch (get_standing(policy, identity)) {
	case STANDING_NOTHING:
		return false;
	case STANDING_OPEN:
		if (is_own && !identity->same_netns)
			return false;
		return class_of(&endpoint->address) == CLASS_PUBLIC;
	case STANDING_BUILT_IN:
		return true;
	}
	return false;
}

bool policy_allows_option(const struct policy *policy, const struct identity *identity,
			  const char *option)
{
	(void)policy;
	(void)identity;
	(void)option;
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
