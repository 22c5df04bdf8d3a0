/* SPDX-License-Identifier: MIT */
/*
 * Where the kernel would send a packet for an address, as far as the policy needs it: away, or to this host itself.
 */
#pragma once

#include <stdbool.h>

#include "protocol/address.h"

/*
 * Whether the address is one of this network namespace's own: an address of an interface, primary or not, an anycast or
 * broadcast address, or one of a range that is routed to the host itself (ip route add local). When the kernel cannot be
 * asked the answer is yes, the narrower one. An address without a route is not own.
 */
bool route_is_own(const struct address *address);
