/* SPDX-License-Identifier: MIT */
/*
 * The name servers of [Resolve] and of each [Resolve NAME], and the domains that they are asked for: Servers=, Domain=, Tls=
 * and ServerName=. What depends on all of a section (which port, whose certificate) is settled when every file is read.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "daemon/base/ini.h"
#include "daemon/base/nameservers.h"

struct server_group_note;

struct server_groups {
	struct name_servers *items;	 /* owned; [0] is the plain [Resolve]'s, perhaps empty */
	struct server_group_note *notes; /* owned; of each, what only the reader needs */
	size_t n;
};

/* Makes the plain one. -ENOMEM; server_groups_done is right after that too. */
MUST_CHECK int server_groups_init(struct server_groups *groups);
void server_groups_done(struct server_groups *groups);

/* Whether this key of [Resolve] is one of the four. */
bool server_groups_is_key(const char *key);

/* A section begins (key NULL), or one of its keys; name "": the plain one. */
MUST_CHECK int server_groups_read(struct server_groups *groups, const char *name, const char *key,
				  const char *value, const struct ini_place *place,
				  struct ini_error *ret_error);

/* When all is read: settles ports and certificates, and refuses what makes no sense as a whole. */
MUST_CHECK int server_groups_check(struct server_groups *groups, struct ini_error *ret_error);
