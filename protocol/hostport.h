/* SPDX-License-Identifier: MIT */
/*
 * "host:service" text as people write it, split and joined: host:80, [::1]:80, ::1 80,
 * [fe80::1%eth0]#80, unix/:/path, /path. The rules are those of the vectors.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "protocol/address.h"
#include "protocol/cleanup.h"

/*
 * Bytes without NUL. The longest DNS name in text has 253; a service is a name and "=65535", or
 * with unix/ the path (107).
 */
#define HOSTPORT_HOST_MAX    255
#define HOSTPORT_SERVICE_MAX 255

struct hostport {
	char host[HOSTPORT_HOST_MAX + 1];
	char service[HOSTPORT_SERVICE_MAX + 1];
};

/*
 * default_service may be NULL: then a text without one is refused. -EINVAL; writes only on success.
 */
MUST_CHECK int hostport_parse(const char *text, const char *default_service, struct hostport *ret);

/*
 * "host:service" with brackets where the host holds a colon; service may be NULL or "". A unix path
 * that ends in a blank is written alone, the only form that keeps it. -ENOBUFS when it does not
 * fit; then nothing is written.
 */
MUST_CHECK int hostport_format(const char *host, const char *service, char *buffer, size_t size);

/*
 * Whether text is a service: a decimal port up to 65535, a name, or name=port. No table is asked.
 */
MUST_CHECK int hostport_check_service(const char *text);

/*
 * An address with or without a port, nothing that would have to be looked up: "192.0.2.1",
 * "192.0.2.1:5300", "[2001:db8::1]:53", "fe80::1%eth0". -EINVAL, also for a port 0 that is written
 * where the default is another; -ENODEV: the zone is no interface here.
 */
MUST_CHECK int hostport_parse_endpoint(const char *text, uint16_t default_port,
				       struct endpoint *ret);
