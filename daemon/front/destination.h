/* SPDX-License-Identifier: MIT */
/*
 * Where to, as several methods take it: a host and a service or both as a target, and how.
 */
#pragma once

#include "daemon/front/parameters.h"
#include "daemon/request/request.h"
#include "protocol/hostport.h"

struct destination {
	const char *host, *service, *target;
	struct optional_int protocol, family, timeout_us;
	struct hostport parts; /* of target */
};

extern const char *const destination_protocol_words[]; /* in the order of enum transport */
extern const char *const destination_family_words[];   /* of enum family_choice */

/*
 * Either target, or host and service: then these two are set, and borrowed from parts. The name of the field that is wrong,
 * NULL when all is well.
 */
const char *destination_read(struct destination *destination);

/* What of it a request is told; borrowed. */
void destination_put(const struct destination *destination, struct request_params *params);
