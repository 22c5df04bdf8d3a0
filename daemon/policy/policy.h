/* SPDX-License-Identifier: MIT */
/*
 * Who may reach what. Two verdicts, both must pass: on the name as asked, before anything is looked up, and on each
 * address, immediately before it is dialled. Pure functions of the rules, the identity and the endpoint.
 *
 * This version knows the built-in default, [Never], Default= and roles that are open, with their words for privileged
 * socket options and for listening; name rules come later, and every key that is not known here is a configuration error.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/base/nat64.h"
#include "daemon/base/rules.h"
#include "daemon/policy/class.h"
#include "protocol/address.h"

/* Who asks. Both user ids must be allowed: the one that connected and the one that wrote the message. */
struct identity {
	uid_t peer_uid; /* SO_PEERCRED */
	gid_t peer_gid;
	pid_t peer_pid;	   /* 0: not visible from here */
	uid_t message_uid; /* SCM_CREDENTIALS of the call's bytes */
	bool same_netns;   /* SO_NETNS_COOKIE equals the daemon's */
};

enum policy_stage {
	POLICY_STAGE_NAME,
	POLICY_STAGE_ADDRESS,
	POLICY_STAGE_OPTION
};

#define POLICY_PREFIXES_MAX 16
#define POLICY_FORMS_MAX    (CLASS_FORMS_MAX + 2 * POLICY_PREFIXES_MAX)

struct policy;

/* With the built-in rules only. -ENOMEM. */
MUST_CHECK int policy_new(struct policy **ret);
struct policy *policy_free(struct policy *policy);
DEFINE_CLEANUP(struct policy, policy_free)

/* Takes the rules over (they are left empty) and drops the old ones. */
void policy_adopt_rules(struct policy *policy, struct rules *rules);

/*
 * The prefixes of translators (NAT64): configured ones, whose addresses count as the IPv4 ones in them, and those that somebody has
 * told, whose addresses are judged as both. Copied; as many as POLICY_PREFIXES_MAX of each count.
 */
void policy_set_prefixes(struct policy *policy, const struct nat64_prefix *configured,
			 size_t n_configured, const struct nat64_prefix *told, size_t n_told);

/* Counts the changes: who judged under another generation judges again before handing over. */
uint64_t policy_get_generation(const struct policy *policy);

/* The name of the role that fits, NULL when none does. Borrowed until the rules change. */
const char *policy_get_role(const struct policy *policy, const struct identity *identity);

/* Whether the identity may ask for anything at all. */
bool policy_allows_anything(const struct policy *policy, const struct identity *identity);

/* Whether the identity may ask for this absolute name (or literal's text) at all. */
bool policy_allows_name(const struct policy *policy, const struct identity *identity,
			const char *name);

/*
 * What an address is judged as: itself first, and the IPv4 addresses in it. Each of them may be the daemon's own, which only the
 * kernel knows.
 */
size_t policy_get_forms(const struct policy *policy, const struct address *address,
			struct address ret[POLICY_FORMS_MAX]);

/* Whether it may reach this address. is_own: one of its forms is an address of the daemon's own namespace. */
bool policy_allows_endpoint(const struct policy *policy, const struct identity *identity,
			    const struct endpoint *endpoint, bool is_own);

/* Whether classes are closed to it; false: it could reach by itself what the daemon reaches. */
bool policy_is_confined(const struct policy *policy, const struct identity *identity);

/*
 * The first of these privileged socket options (a set of PRIVILEGE_BIT()) that it may not use, static; NULL: it may use all.
 * Only a role's Options= lets anybody. Which address bindAddress is does not matter: [Never] and the classes are about where
 * a packet goes to.
 */
const char *policy_find_denied_option(const struct policy *policy, const struct identity *identity,
				      uint32_t privileges);

/*
 * Whether it may listen there, or be bound to it over UDP: only a role's Allow=listen lets anybody, and [Never] nobody. Port
 * 0 stands for whichever is free, and takes a rule for all.
 */
bool policy_allows_listen(const struct policy *policy, const struct identity *identity,
			  const struct endpoint *endpoint, enum transport transport);

/* "name", "address", "option". */
const char *policy_stage_name(enum policy_stage stage);
