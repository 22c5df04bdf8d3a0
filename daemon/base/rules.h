/* SPDX-License-Identifier: MIT */
/*
 * What a configuration says about who may reach what: plain data and its reader. policy/policy judges by it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/base/ini.h"
#include "daemon/base/kinds.h"
#include "protocol/address.h"

#define RULES_ROLES_MAX 1024 /* [Role] sections in all */
#define RULES_MATCHES_MAX \
	1024 /* Match= lines of one role, conditions of one line, networks of [Never], ports of one role's Allow=listen */

enum rules_match_kind {
	RULES_MATCH_UID,
	RULES_MATCH_NETNS
};

struct rules_condition {
	enum rules_match_kind kind;
	uid_t uid;
	bool same_netns;
};

/* One Match= line: all its conditions must hold. */
struct rules_match {
	struct rules_condition *conditions; /* owned */
	size_t n_conditions;
};

/* A range of ports that may be listened on. All of them include port 0, "whichever is free". */
struct rules_listen {
	enum transport transport;
	struct address address; /* family 0: any */
	uint16_t first_port, last_port;
};

struct rules_role {
	char name[INI_NAME_BYTES + 1];
	char *file;		     /* owned: the file the role stands in */
	unsigned int line, column;   /* where its section begins there */
	struct rules_match *matches; /* owned; any of them must fit; none: fits nobody */
	size_t n_matches;
	bool is_open;		      /* Mode=open */
	uint32_t privileges;	      /* Options=: a set of PRIVILEGE_BIT() */
	struct rules_listen *listens; /* owned; Allow=listen */
	size_t n_listens;
};

struct rules_network {
	struct address address;
	unsigned int prefix_len;
};

struct rules {
	bool is_configured; /* there is a [Policy] or a [Role]: who matches no role gets Default= */
	bool default_allow;
	struct rules_role *roles; /* owned, in file order */
	size_t n_roles;
	struct rules_network *never; /* owned */
	size_t n_never;
};

void rules_done(struct rules *rules);

/* Whether [section] is one of ours: Policy, Never, Role. */
bool rules_is_section(const char *section);

/* An ini_handler_fn for these sections, but for where the error goes. */
MUST_CHECK int rules_read(struct rules *rules, const char *section, const char *argument,
			  const char *key, const char *value, const struct ini_place *place,
			  struct ini_error *ret_error);

/* What can only be said when every file is read: a role without Mode=, without Match=. */
MUST_CHECK int rules_check(const struct rules *rules, struct ini_error *ret_error);
