/* SPDX-License-Identifier: MIT */
/*
 * Name servers as the configuration names them: an address, how to speak to it, and for which domains it is asked.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#include "daemon/base/limits.h"
#include "protocol/address.h"
#include "protocol/cleanup.h"

/* DNS over TLS (RFC 7858). Opportunistic: encrypted where the server can, and nothing is promised (RFC 8310 section 5). */
enum tls_mode {
	TLS_NO,
	TLS_OPPORTUNISTIC,
	TLS_STRICT /* the certificate has to be for tls_name, else the server is not asked at all */
};

struct name_server {
	struct endpoint endpoint;
	enum tls_mode tls;
	/* ServerName=; "": none, then the address itself has to be in the certificate */
	char tls_name[LIMIT_NAME_BYTES + 1];
	/*
	 * The interface behind "%" as it was written; "": none, or a number. It need not be there yet, and may come back with
	 * another number: the endpoint's scope is its number when it was last looked for, 0: there was none.
	 */
	char zone[IF_NAMESIZE];
};

/* Servers that belong together: they are asked for the same domains. */
struct name_servers {
	struct name_server servers[LIMIT_NAME_SERVERS]; /* in order of preference */
	size_t n_servers;
	/* Owned; lower case, no final dot; "" is the root: every name. */
	char (*domains)[LIMIT_NAME_BYTES + 1];
	size_t n_domains;
};

/*
 * "192.0.2.1", "192.0.2.1:5300", "192.0.2.1#5300", "[2001:db8::1]:53", "fe80::1%eth0", "fe80::1%eth0#53", without looking for
 * the interface. Without a port it is default_port. -EINVAL. TLS_NO.
 */
MUST_CHECK int nameservers_parse(const char *text, uint16_t default_port, struct name_server *ret);
/* An address alone: no port, no brackets. */
MUST_CHECK int nameservers_parse_address(const char *text, uint16_t port, struct name_server *ret);

/* Looks for the interface of a server that names one. */
void nameservers_find_zone(struct name_server *server);
/* Whether there is a place to send to: false for a server whose interface was not found. */
bool nameservers_is_usable(const struct name_server *server);

/* Whether both are the same server, spoken to in the same way. */
bool nameservers_is_same(const struct name_server *a, const struct name_server *b);
bool nameservers_equal(const struct name_servers *a, const struct name_servers *b);

/* *ret owns its domains then. -ENOMEM. */
MUST_CHECK int nameservers_copy(const struct name_servers *servers, struct name_servers *ret);
void nameservers_done(struct name_servers *servers);
