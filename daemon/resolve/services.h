/* SPDX-License-Identifier: MIT */
/*
 * Service names to ports: "443", "https", "name=8443" (the port stands for a name the table lacks
 * or for the SRV name of later). The services file (services(5)) is read like the hosts file: again
 * when it changed.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "daemon/base/kinds.h"
#include "protocol/cleanup.h"

struct services;

/* path is copied; NULL or "": there is no file. -ENOMEM; a bad file is no error. */
MUST_CHECK int services_new(struct services **ret, const char *path);
struct services *services_free(struct services *services);
DEFINE_CLEANUP(struct services, services_free)

const char *services_get_path(const struct services *services);

/*
 * What services_resolve does with the file's text when it changed: len bytes take the place of all
 * that was known. -ENOMEM: it stays.
 */
MUST_CHECK int services_parse(struct services *services, const char *text, size_t len);

/*
 * 0; -ASOCK_E_UNKNOWN_SERVICE: no service text, not in the table, or port 0. Names are compared as
 * they stand and, failing that, but for case; of several lines the first counts. A name without an
 * sctp line answers with the tcp port. A port behind "name=" is taken whatever the table says, and
 * no file is looked at for it.
 */
MUST_CHECK int services_resolve(struct services *services, const char *service,
				enum transport transport, uint16_t *ret_port);

/* As hosts_get_bad_lines. */
size_t services_get_bad_lines(const struct services *services, size_t *ret_first);
