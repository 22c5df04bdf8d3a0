/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a configuration file. Either they are refused with a place in the file, or what came of them is within the
 * bounds of the manual.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/base/config.h"
#include "daemon/base/domain.h"
#include "protocol/text.h"
#include "tests/fuzz/fuzz.h"

static const char file[] = "fuzz.conf";

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_error(const struct ini_error *error)
{
	const char *at = error->text + strlen(file);

	require(memchr(error->text, '\0', sizeof(error->text)));
	require(strncmp(error->text, file, strlen(file)) == 0);
	for (int i = 0; i < 2; i++) { /* ":line:column" */
		require(*at++ == ':' && *at != '0' && text_is_digit(*at));
		while (text_is_digit(*at))
			at++;
	}
	require(at[0] == ':' && at[1] == ' ' && at[2]);
}

static void check_rules(const struct rules *rules)
{
	require(rules->n_roles <= RULES_ROLES_MAX && rules->n_never <= RULES_MATCHES_MAX);
	require(rules->is_configured || (!rules->default_allow && rules->n_roles == 0));
	for (size_t i = 0; i < rules->n_never; i++)
		require(rules->never[i].prefix_len <= 8 * address_len(&rules->never[i].address) &&
			address_len(&rules->never[i].address) > 0);
	for (size_t i = 0; i < rules->n_roles; i++) {
		const struct rules_role *role = &rules->roles[i];

		require(role->name[0] && strlen(role->name) <= INI_NAME_BYTES && role->line > 0);
		require(role->n_matches <= RULES_MATCHES_MAX);
		for (size_t j = 0; j < i; j++)
			require(strcmp(rules->roles[j].name, role->name) != 0);
		for (size_t j = 0; j < role->n_matches; j++)
			require(role->matches[j].n_conditions > 0 &&
				role->matches[j].n_conditions <= RULES_MATCHES_MAX);
	}
}

/* What config_check has found good. */
static void check_groups(const struct config *config)
{
	require(config->n_groups > 0 && config->n_groups <= LIMIT_SERVER_GROUPS + 1);
	for (size_t i = 0; i < config->n_groups; i++) {
		const struct name_servers *group = &config->groups[i];

		require(group->n_servers <= LIMIT_NAME_SERVERS);
		require(group->n_domains <= LIMIT_GROUP_DOMAINS);
		require(i == 0 || (group->n_servers > 0 && group->n_domains > 0));
		require(group->n_servers > 0 || group->n_domains == 0);
		for (size_t j = 0; j < group->n_servers; j++) {
			const struct name_server *server = &group->servers[j];

			require(address_len(&server->endpoint.address) > 0 &&
				server->endpoint.port > 0);
			require(server->tls == group->servers[0].tls);
		}
		for (size_t j = 0; j < group->n_domains; j++)
			require(!group->domains[j][0] || !domain_check(group->domains[j]));
	}
}

static void check_config(const struct config *config)
{
	require(!config->socket || config->socket[0] == '/');
	require(!config->control_socket || config->control_socket[0] == '/');
	require(config->resolv_conf[0] == '/' && config->hosts_file[0] == '/' &&
		config->services_file[0] == '/');
	require(config->log_level >= LOG_LEVEL_ERR && config->log_level <= LOG_LEVEL_DEBUG);
	require(config->gai_conf[0] == '/');
	require(config->cache_bytes <= 1024 * 1048576 && config->cache_max_s <= 604800 &&
		config->cache_max_negative_s <= 604800 && config->stale_max_s <= 604800);
	require(config->timeout_us >= 1000 && config->timeout_us <= 3600000000);
	require(config->attempt_delay_us >= 10000 && config->attempt_delay_us <= 2000000);
	require(config->attempt_timeout_us <= 3600000000 && config->resolution_delay_us <= 2000000);
	require(config->connections > 0 && config->connections_per_uid > 0 &&
		config->calls_in_flight_per_uid > 0);
	require(config->addresses_per_call > 0 && config->addresses_per_call <= 128);
	require(config->attempts_per_call > 0 && config->attempts_per_call <= 128);
	require(config->attempts_in_flight > 0 && config->descriptors_in_flight > 0);
	require(config->questions_in_flight > 0);
	check_rules(&config->rules);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(config_freep) struct config *config = NULL;
	struct ini_error error = { "" };
	int r;

	if (config_new(&config) < 0)
		abort();
	r = config_read_text(config, (const char *)data, size, file, &error);
	require(r == 0 || r == -EINVAL);
	if (r < 0) {
		check_error(&error);
		return 0;
	}
	check_config(config);
	r = config_check(config, &error);
	require(r == 0 || r == -EINVAL);
	if (r < 0)
		check_error(&error);
	else
		check_groups(config);
	return 0;
}
