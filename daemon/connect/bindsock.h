/* SPDX-License-Identifier: MIT */
/*
 * A socket that is bound, and over TCP listens: what others connect to. Nothing here waits or asks the policy.
 */
#pragma once

#include "daemon/connect/sockopts.h"
#include "protocol/address.h"

struct bindsock_params {
	struct endpoint endpoint; /* port 0: whichever is free; a mapped address counts as IPv4 */
	/* endpoint is ::, and IPv4 is meant too; where this host has no IPv6, 0.0.0.0 alone. */
	bool is_dual;
	enum transport transport;
	int backlog; /* TCP: connections that wait for accept(); 0: as many as the kernel lets */
	bool reuse_port; /* SO_REUSEPORT: share the port with others who ask for that */
	const struct sockopts *options; /* NULL: none; bind_address and bind_port must not be set */
};

/*
 * The socket, non-blocking and close-on-exec, and where it is bound; or -errno, with the name of the option (as in
 * SocketOptions) that failed, static, or NULL. -EPROTONOSUPPORT: another transport than TCP and UDP.
 */
MUST_CHECK int bindsock_open(const struct bindsock_params *params, struct endpoint *ret_local,
			     const char **ret_option);
