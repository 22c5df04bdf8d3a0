/* SPDX-License-Identifier: MIT */
/*
 * Whether a descriptor that came with a reply is what the reply says it is.
 */
#pragma once

#include <jansson.h>

#include "protocol/cleanup.h"

/*
 * 0 when fd is a socket, of the family that parameters name in "peer" and "local" where they do,
 * and then of the protocol ("tcp", "udp", "sctp", NULL: tcp) that was asked for. -EPROTO otherwise.
 */
MUST_CHECK int descriptor_check(int fd, const json_t *parameters, const char *protocol);
