/* SPDX-License-Identifier: MIT */
/*
 * The record data of SVCB and HTTPS (RFC 9460): whether it is well-formed, and what in it is of use here. Nothing is looked
 * up, and what a record says is not obeyed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/base/limits.h"
#include "protocol/address.h"

#define SVCB_ALPN_MAX  8
#define SVCB_HINTS_MAX 8 /* of each family */

/* RFC 9460 section 14.3.2. */
enum svcb_key {
	SVCB_KEY_MANDATORY,
	SVCB_KEY_ALPN,
	SVCB_KEY_NO_DEFAULT_ALPN,
	SVCB_KEY_PORT,
	SVCB_KEY_IPV4HINT,
	SVCB_KEY_ECH,
	SVCB_KEY_IPV6HINT
};

/* Borrowed from the record data. */
struct svcb_bytes {
	const uint8_t *bytes; /* NULL: not there */
	size_t len;
};

struct svcb {
	uint16_t priority; /* 0: an alias, and of the rest only target counts */
	char target[LIMIT_NAME_BYTES +
		    1];	 /* lower case, no final dot; "": the owner's name, or of an alias: none */
	bool understood; /* each parameter that is mandatory is one of those below (section 8) */
	bool no_default_alpn;
	bool has_port;
	uint16_t port;
	size_t n_alpn, n_ipv4_hints, n_ipv6_hints; /* the first ones, where there are more */
	struct svcb_bytes alpn[SVCB_ALPN_MAX];
	struct address ipv4_hints[SVCB_HINTS_MAX];
	struct address ipv6_hints[SVCB_HINTS_MAX];
	struct svcb_bytes ech;
};

/*
 * Whether the data is well-formed: the target whole and uncompressed, the keys in strictly ascending order, each value of
 * the form that its key asks for, each mandatory key there, no-default-alpn only beside alpn. The parameters of an alias
 * are ignored, whatever they are (section 2.4.2). 0 or -EBADMSG.
 */
MUST_CHECK int svcb_check(const uint8_t *data, size_t len);

/* As svcb_check; -EBADMSG also for a target that is neither the root nor a host (see dns_name_to_text). */
MUST_CHECK int svcb_parse(const uint8_t *data, size_t len, struct svcb *ret);

/* The parameters one after the other. */
struct svcb_cursor {
	const uint8_t *at;
	size_t left;
};

struct svcb_param {
	uint16_t key;
	const uint8_t *value;
	size_t len;
};

/* 1, or 0 at the end; -EBADMSG: cut short. The value is not looked at. */
MUST_CHECK int svcb_next_param(struct svcb_cursor *cursor, struct svcb_param *ret);
