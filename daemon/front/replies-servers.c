/* SPDX-License-Identifier: MIT */
#include "daemon/front/replies-servers.h"

#include <string.h>

#include "daemon/front/members.h"
#include "daemon/resolve/dns-lookup.h"
#include "protocol/error.h"

#define DOMAINS_BYTES (256 * 1024) /* of all domains of all servers; more are left out */

/* The server's domains from all groups that have it, as far as they fit into bytes_left. */
static json_t *format_domains(const struct dns_config *config, const struct name_server *server,
			      size_t *bytes_left)
{
	json_t *array = json_array();
	int failed = 0;

	for (size_t i = 0; i < config->n_groups; i++) {
		const struct name_servers *group = &config->groups[i];
		bool is_member = false;

		for (size_t j = 0; j < group->n_servers; j++)
			is_member = is_member || nameservers_is_same(&group->servers[j], server);
		if (is_member && i == 0)
			failed |= members_append(array, json_string("."));
		for (size_t j = 0; is_member && i > 0 && j < group->n_domains; j++) {
			const char *domain = group->domains[j][0] ? group->domains[j] : ".";

			if (strlen(domain) + 3 > *bytes_left)
				break;
			*bytes_left -= strlen(domain) + 3;
			failed |= members_append(array, json_string(domain));
		}
	}
	return members_finish(array, failed);
}

static const char *tls_name(enum tls_mode mode)
{
	switch (mode) {
	case TLS_NO:
		return "no";
	case TLS_OPPORTUNISTIC:
		return "opportunistic";
	case TLS_STRICT:
		return "strict";
	}
	return "no";
}

static const char *state_name(enum dns_server_state state)
{
	switch (state) {
	case DNS_SERVER_UNKNOWN:
		return "unknown";
	case DNS_SERVER_GOOD:
		return "good";
	case DNS_SERVER_SLOW:
		return "slow";
	case DNS_SERVER_DEAD:
		return "dead";
	}
	return "unknown";
}

/* That something does not work is believed until until_us. */
static const char *known_name(enum dns_known known, uint64_t until_us, uint64_t now_us)
{
	if (known == DNS_NO && now_us >= until_us)
		known = DNS_UNKNOWN;
	switch (known) {
	case DNS_UNKNOWN:
		return "unknown";
	case DNS_YES:
		return "yes";
	case DNS_NO:
		return "no";
	}
	return "unknown";
}

/* Who answers with EDNS but never with a part of its own does not know cookies; over TLS it is not asked. */
static enum dns_known know_cookie(const struct dns_server *server)
{
	if (server->cookie_len > DNS_COOKIE_CLIENT_BYTES)
		return DNS_YES;
	if (server->cookie_len > 0 && server->config.tls == TLS_NO && server->edns == DNS_YES)
		return DNS_NO;
	return DNS_UNKNOWN;
}

static int set_measured(json_t *object, const struct dns_server *server, uint64_t now_us)
{
	int failed = 0;

	if (server->srtt_us > 0) {
		failed |= members_set_count(object, "roundTripUsec", server->srtt_us);
		failed |= members_set_count(object, "variationUsec", server->rttvar_us);
	}
	failed |= members_set_count(object, "questions", server->questions);
	failed |= members_set_count(object, "answers", server->answers);
	failed |= members_set_count(object, "unanswered", server->unanswered);
	failed |= members_set_count(object, "failures", server->failures);
	if (server->last_error < 0)
		failed |= members_set_text(object, "lastError",
					   error_varlink_name(server->last_error)
						   ? error_varlink_name(server->last_error)
						   : error_errno_name(server->last_error));
	if (server->is_dead)
		failed |= members_set_count(
			object, "probeUsec",
			server->probe_at_us > now_us ? server->probe_at_us - now_us : 0);
	return failed;
}

static int set_learnt(json_t *object, const struct dns_server *server, uint64_t now_us)
{
	return members_set_text(object, "edns",
				known_name(server->edns, server->edns_until_us, now_us)) |
	       members_set_text(object, "cookie",
				known_name(know_cookie(server), UINT64_MAX, now_us)) |
	       members_set_text(object, "tcp",
				known_name(server->tcp, server->tcp_until_us, now_us));
}

static json_t *format_server(const struct dns_server *server, json_t *domains, uint64_t now_us)
{
	json_t *object = json_object();
	int failed = 0;

	failed |= members_set(object, "endpoint",
			      members_format_endpoint(&server->config.endpoint, true));
	failed |= members_set(object, "domains", domains);
	failed |= members_set_text(object, "tls", tls_name(server->config.tls));
	if (server->config.tls_name[0])
		failed |= members_set_text(object, "tlsName", server->config.tls_name);
	failed |= members_set_text(object, "state", state_name(dns_servers_get_state(server)));
	failed |= set_measured(object, server, now_us);
	failed |= set_learnt(object, server, now_us);
	return members_finish(object, failed);
}

/* Whether an earlier place in the groups has this server too. */
static bool is_repeated(const struct dns_config *config, size_t group, size_t index)
{
	const struct name_server *server = &config->groups[group].servers[index];

	for (size_t i = 0; i <= group; i++)
		for (size_t j = 0; j < (i < group ? config->groups[i].n_servers : index); j++)
			if (nameservers_is_same(&config->groups[i].servers[j], server))
				return true;
	return false;
}

json_t *replies_servers(struct dns_lookups *lookups, uint64_t now_us)
{
	/* First the configuration: when the servers are others now, what was known of them goes. */
	const struct dns_config *config = dns_lookups_refresh_config(lookups);
	const struct dns_servers *servers = dns_lookups_get_servers(lookups);
	json_t *object = json_object(), *array = json_array();
	size_t bytes_left = DOMAINS_BYTES;
	uint64_t questions, hedges;
	int failed = 0;

	for (size_t i = 0; i < config->n_groups; i++) {
		for (size_t j = 0; j < config->groups[i].n_servers; j++) {
			struct dns_server never_asked = { .config = config->groups[i].servers[j] };
			const struct dns_server *server =
				dns_servers_find(servers, &never_asked.config);
			json_t *domains;

			if (is_repeated(config, i, j))
				continue;
			domains = format_domains(config, &never_asked.config, &bytes_left);
			failed |=
				members_append(array, format_server(server ? server : &never_asked,
								    domains, now_us));
		}
	}
	dns_servers_get_counts(servers, &questions, &hedges);
	failed |= members_set(object, "servers", array);
	failed |= members_set_count(object, "questions", questions);
	failed |= members_set_count(object, "hedges", hedges);
	return members_finish(object, failed);
}
