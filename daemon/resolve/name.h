/* SPDX-License-Identifier: MIT */
/*
 * A host as asked for becomes a name that can be looked up: literals told apart, IDNA (RFC 5891) to
 * A-labels, lengths and characters checked, special-use names (RFC 6761) recognised. Pure, but for
 * the host's own name; the only user of libidn2.
 */
#pragma once

#include <stdbool.h>

#include "daemon/base/limits.h"
#include "protocol/address.h"

enum name_kind {
	NAME_HOST,	/* hosts, then DNS */
	NAME_LITERAL,	/* an address; see literal */
	NAME_LOCALHOST, /* and below: both loopback addresses, never asked (RFC 6761, 6.3) */
	NAME_OWN,	/* this host's own, whole or without its domain: hosts, then synthetic */
	NAME_GATEWAY,	/* _gateway: hosts, then synthetic */
	NAME_LOCAL,	/* .local: hosts, never unicast DNS (RFC 6762 section 3) */
	NAME_NEVER, /* .invalid, .onion, .alt: hosts, then NameNotFound (RFC 6761, 7686, 9476) */
};

struct name {
	enum name_kind kind;
	bool absolute;		/* written with a final dot: no search list */
	struct address literal; /* NAME_LITERAL only */
	char text[LIMIT_NAME_BYTES +
		  1]; /* lower case, A-labels, no final dot; for a literal its RFC 5952 text */
};

/*
 * host is UTF-8. 0; -ASOCK_E_INVALID_NAME or -ENODEV (a zone that is no interface here) with
 * *ret_reason a static text that says why; -ENOMEM, -EMFILE, -ENFILE.
 */
MUST_CHECK int name_prepare(const char *host, struct name *ret, const char **ret_reason);

/* As domain_check. */
bool name_is_valid(const char *text);

/* The kind of an absolute name such as a search candidate ("host" + suffix). */
enum name_kind name_classify(const char *text);
