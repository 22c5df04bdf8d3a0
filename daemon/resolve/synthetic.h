/* SPDX-License-Identifier: MIT */
/*
 * Names that no server is asked for, because this host knows: localhost, its own name, and _gateway. They are what
 * nss-myhostname(8) answers. The kernel is asked over rtnetlink, which answers while it is asked, so nothing here waits.
 */
#pragma once

#include <stddef.h>

#include "daemon/resolve/name.h"
#include "protocol/address.h"

/*
 * Addresses of a name of this kind, IPv6 and IPv4, at most max; answers how many.
 *
 * NAME_LOCALHOST: ::1 and 127.0.0.1 (RFC 6761 section 6.3).
 * NAME_OWN: the addresses of this host's interfaces, those of global scope first, none of the link's or the host's own; ::1
 * and 127.0.0.2 where there is none.
 * NAME_GATEWAY: the next hops of the default routes of the main table by their metric; may be none.
 * Any other kind: none.
 */
size_t synthetic_lookup(enum name_kind kind, struct address *ret, size_t max);
