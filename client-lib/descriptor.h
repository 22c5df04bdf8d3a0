/* SPDX-License-Identifier: MIT */
/*
 * Whether a descriptor that came with a reply is what the reply says it is.
 */
#pragma once

#include <jansson.h>

#include "protocol/cleanup.h"

/*
 * 0 when fd is a socket, of the family that parameters name in "peer" and "local" where they do,
 * and then of the protocol ("tcp", which may be multipath TCP, "udp", "sctp", NULL: tcp) that was
 * asked for; not listening where there is a "peer", and listening where there is a "local" alone,
 * but for udp. -EPROTO otherwise. That it is still connected is not asked: a peer that
 * has reset the connection meanwhile is for the caller to find, as it always is.
 */
MUST_CHECK int descriptor_check(int fd, const json_t *parameters, const char *protocol);
