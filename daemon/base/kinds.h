/* SPDX-License-Identifier: MIT */
/*
 * The small enumerations that several stages share, and their words on the wire.
 */
#pragma once

#include <stdbool.h>

enum transport {
	TRANSPORT_TCP,
	TRANSPORT_UDP,
	TRANSPORT_SCTP
};

/* Which address families a call wants, and which of two it wants first. */
enum family_choice {
	FAMILY_ANY,
	FAMILY_INET,
	FAMILY_INET6,
	FAMILY_PREFER_INET,
	FAMILY_PREFER_INET6
};

/* Where an address came from. */
enum source {
	SOURCE_LITERAL,
	SOURCE_HOSTS,
	SOURCE_CACHE,
	SOURCE_STALE,
	SOURCE_DNS,
	SOURCE_SYNTHETIC
};

/* What became of a connection attempt. */
enum outcome {
	OUTCOME_RUNNING,
	OUTCOME_CONNECTED,
	OUTCOME_FAILED,
	OUTCOME_TIMEOUT,
	OUTCOME_CANCELLED,
	OUTCOME_DENIED
};

/* The socket options that nobody has without a role's word. */
enum privilege {
	PRIVILEGE_BIND_ADDRESS,
	PRIVILEGE_BIND_PORT,
	PRIVILEGE_BIND_DEVICE,
	PRIVILEGE_MARK,
	PRIVILEGE_TYPE_OF_SERVICE,
	PRIVILEGE_PRIORITY,
	PRIVILEGE_MULTIPATH,
	PRIVILEGE_FAST_OPEN
};

#define PRIVILEGES_N		 8
#define PRIVILEGE_BIT(privilege) (1U << (privilege)) /* for sets of them */

const char *transport_name(enum transport transport);
const char *source_name(enum source source);
const char *outcome_name(enum outcome outcome);
/* As in SocketOptions of the interface, and in Options= of a role. */
const char *privilege_name(enum privilege privilege);

/* Whether the choice lets family (AF_INET, AF_INET6) take part. */
bool family_choice_allows(enum family_choice choice, int family);

/*
 * How much the status of a lookup tells who asks why there is no address: a failure more than a refusal, that more than
 * "not of this kind", that more than "no such name", and 0 nothing.
 */
int resolution_rank(int status);
