/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as resolv.conf, and as one server of Servers=. Whatever stands there, the result is
 * within its limits.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/resolve/name.h"
#include "daemon/resolve/resolv-conf.h"
#include "tests/fuzz/fuzz.h"

static void check(const struct resolv_conf *config)
{
	if (config->n_servers > LIMIT_NAME_SERVERS || config->n_search > LIMIT_SEARCH_DOMAINS)
		abort();
	if (config->ndots > 15 || config->attempts < 1 || config->attempts > 5)
		abort();
	if (config->timeout_us < USEC_PER_SEC || config->timeout_us > 30 * USEC_PER_SEC)
		abort();
	for (size_t i = 0; i < config->n_servers; i++) {
		const struct name_server *server = &config->servers[i];

		if (address_len(&server->endpoint.address) == 0 || server->endpoint.port != 53)
			abort();
		if (strlen(server->zone) >= sizeof(server->zone) ||
		    (server->zone[0] && server->endpoint.address.scope > 0))
			abort();
		for (size_t j = 0; j < i; j++)
			if (endpoint_equal(&server->endpoint, &config->servers[j].endpoint) &&
			    strcmp(server->zone, config->servers[j].zone) == 0)
				abort();
	}
	for (size_t i = 0; i < config->n_search; i++)
		if (!name_is_valid(config->search[i]))
			abort();
}

static void check_server(const uint8_t *data, size_t size)
{
	char formatted[ENDPOINT_TEXT_SIZE];
	struct name_server server, again;
	char text[256];

	if (size >= sizeof(text))
		return;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	if (nameservers_parse(text, 53, &server) < 0)
		return;
	if (server.endpoint.port == 0 || memchr(server.zone, '\0', sizeof(server.zone)) == NULL ||
	    (server.zone[0] && server.endpoint.address.scope > 0))
		abort();
	(void)endpoint_format(&server.endpoint, formatted, sizeof(formatted));
	if (nameservers_parse(formatted, 53, &again) < 0 ||
	    !endpoint_equal(&server.endpoint, &again.endpoint))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct resolv_conf config;
	struct file_bad_lines bad;

	resolv_conf_parse((const char *)data, size, &config, &bad);
	if (bad.n > size || bad.first > size || (bad.n == 0) != (bad.first == 0))
		abort();
	check(&config);
	check_server(data, size);
	return 0;
}
