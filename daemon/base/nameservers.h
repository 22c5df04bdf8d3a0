/* SPDX-License-Identifier: MIT */
/*
 * Name servers as the configuration names them: an address, how to speak to it, and for which domains it is asked.
 */
#pragma once

#include <stddef.h>

#include "daemon/base/limits.h"
#include "protocol/address.h"

/* DNS over TLS (RFC 7858). Opportunistic: encrypted where the server can, and nothing is promised (RFC 8310 section 5). */
enum tls_mode {
	TLS_NO,
	TLS_OPPORTUNISTIC,
	TLS_STRICT /* the certificate has to be for tls_name, else the server is not asked at all */
};

struct name_server {
	struct endpoint endpoint;
	enum tls_mode tls;
	char tls_name[LIMIT_NAME_BYTES + 1]; /* ServerName=; "": none, then the address itself has to be in the certificate */
};

/* Servers that belong together: they are asked for the same domains. */
struct name_servers {
	struct name_server servers[LIMIT_NAME_SERVERS]; /* in order of preference */
	size_t n_servers;
	char (*domains)[LIMIT_NAME_BYTES + 1]; /* owned; lower case, no final dot; "" is the root: every name */
	size_t n_domains;
};
