/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as resolv.conf, and as one server of Servers=. Whatever stands there, the result is
 * within its limits.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/resolve/dns-config.h"
#include "daemon/resolve/name.h"
#include "tests/fuzz/fuzz.h"

static void check(const struct dns_config *config)
{
	if (config->n_servers > LIMIT_NAME_SERVERS || config->n_search > LIMIT_SEARCH_DOMAINS)
		abort();
	if (config->ndots > 15 || config->attempts < 1 || config->attempts > 5)
		abort();
	if (config->timeout_us < USEC_PER_SEC || config->timeout_us > 30 * USEC_PER_SEC)
		abort();
	for (size_t i = 0; i < config->n_servers; i++) {
		if (address_len(&config->servers[i].address) == 0 || config->servers[i].port != 53)
			abort();
		for (size_t j = 0; j < i; j++)
			if (endpoint_equal(&config->servers[i], &config->servers[j]))
				abort();
	}
	for (size_t i = 0; i < config->n_search; i++)
		if (!name_is_valid(config->search[i]))
			abort();
}

static void check_server(const uint8_t *data, size_t size)
{
	char formatted[ENDPOINT_TEXT_SIZE];
	struct endpoint server;
	struct endpoint again;
	char text[256];

	if (size >= sizeof(text))
		return;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	if (dns_config_parse_server(text, &server) < 0)
		return;
	(void)endpoint_format(&server, formatted, sizeof(formatted));
	if (dns_config_parse_server(formatted, &again) < 0 || !endpoint_equal(&server, &again))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns_config config;
	struct file_bad_lines bad;

	dns_config_parse((const char *)data, size, &config, &bad);
	if (bad.n > size || bad.first > size || (bad.n == 0) != (bad.first == 0))
		abort();
	check(&config);
	check_server(data, size);
	return 0;
}
