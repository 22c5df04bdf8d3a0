/* SPDX-License-Identifier: MIT */
/*
 * Tries that nobody waits for: those whose question another server has answered meanwhile, and probes. They are listened to
 * for a while, for what they tell about their server (and so that a late answer meets a socket and no ICMP error).
 */
#pragma once

#include <stddef.h>

#include "daemon/resolve/dns-try.h"

struct dns_late;

MUST_CHECK int dns_late_new(struct dns_late **ret, struct dns_servers *servers,
			    struct event_base *base);
struct dns_late *dns_late_free(struct dns_late *late);
DEFINE_CLEANUP(struct dns_late, dns_late_free)

/* Takes over a running try, and the hold on its server; the server counts as overdue until the try ends, and as late if another
 * one has answered the question. */
void dns_late_adopt(struct dns_late *late, struct dns_try *try, bool is_late);

/* Asks a server for its own sake; the server is held meanwhile. What goes wrong is no matter. */
void dns_late_probe(struct dns_late *late, const struct dns_try_params *params);

size_t dns_late_get_n(const struct dns_late *late);
