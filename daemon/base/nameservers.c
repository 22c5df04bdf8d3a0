/* SPDX-License-Identifier: MIT */
#include "daemon/base/nameservers.h"

#include <string.h>

#include "protocol/hostport.h"
#include "protocol/text.h"

/* Longer than any address with a zone, brackets and a port. */
#define SERVER_TEXT_BYTES 128

/*
 * Takes the interface's name out of text and puts a number in its place, so that what is left can be parsed whether the
 * interface is there or not. Answers false when text cannot be a server.
 */
static bool cut_zone(const char *text, char plain[SERVER_TEXT_BYTES], char zone[IF_NAMESIZE])
{
	const char *percent = strchr(text, '%');
	size_t before = percent ? (size_t)(percent - text) + 1 : 0;
	size_t zone_len = percent ? strcspn(percent + 1, "]#: \t") : 0;
	size_t len = strlen(text);

	if (len >= SERVER_TEXT_BYTES)
		return false;
	memcpy(plain, text, len + 1);
	zone[0] = '\0';
	/* A number is taken as it is (RFC 4007 section 11.2), and no zone is an error of the address. */
	if (zone_len == 0 || strspn(percent + 1, "0123456789") == zone_len)
		return true;
	if (zone_len >= IF_NAMESIZE)
		return false;
	memcpy(zone, percent + 1, zone_len);
	zone[zone_len] = '\0';
	plain[before] = '1';
	memcpy(plain + before + 1, text + before + zone_len, len - before - zone_len + 1);
	return true;
}

int nameservers_parse(const char *text, uint16_t default_port, struct name_server *ret)
{
	struct name_server server = { .tls = TLS_NO };
	char plain[SERVER_TEXT_BYTES];

	if (!cut_zone(text, plain, server.zone) ||
	    hostport_parse_endpoint(plain, default_port, &server.endpoint) < 0)
		return -EINVAL;
	if (server.zone[0])
		server.endpoint.address.scope = 0;
	*ret = server;
	return 0;
}

int nameservers_parse_address(const char *text, uint16_t port, struct name_server *ret)
{
	struct name_server server = { .endpoint.port = port, .tls = TLS_NO };
	char plain[SERVER_TEXT_BYTES];

	if (!cut_zone(text, plain, server.zone) ||
	    address_parse_scoped(plain, &server.endpoint.address) < 0)
		return -EINVAL;
	if (server.zone[0])
		server.endpoint.address.scope = 0;
	*ret = server;
	return 0;
}

void nameservers_find_zone(struct name_server *server)
{
	unsigned int index;

	if (!server->zone[0])
		return;
	index = if_nametoindex(server->zone);
	/* It opens a socket to ask: without one, what was known stays. */
	if (index > 0 || errno == ENODEV || errno == ENXIO)
		server->endpoint.address.scope = index;
}

bool nameservers_is_usable(const struct name_server *server)
{
	return !server->zone[0] || server->endpoint.address.scope > 0;
}

bool nameservers_is_same(const struct name_server *a, const struct name_server *b)
{
	return endpoint_equal(&a->endpoint, &b->endpoint) && a->tls == b->tls &&
	       text_equal_fold(a->tls_name, b->tls_name);
}

bool nameservers_equal(const struct name_servers *a, const struct name_servers *b)
{
	if (a->n_servers != b->n_servers || a->n_domains != b->n_domains)
		return false;
	for (size_t i = 0; i < a->n_servers; i++)
		if (!nameservers_is_same(&a->servers[i], &b->servers[i]) ||
		    strcmp(a->servers[i].zone, b->servers[i].zone) != 0)
			return false;
	for (size_t i = 0; i < a->n_domains; i++)
		if (strcmp(a->domains[i], b->domains[i]) != 0)
			return false;
	return true;
}

int nameservers_copy(const struct name_servers *servers, struct name_servers *ret)
{
	struct name_servers copy = *servers;

	copy.domains = NULL;
	if (servers->n_domains > 0) {
		copy.domains = calloc(servers->n_domains, sizeof(*copy.domains));
		if (!copy.domains)
			return -ENOMEM;
		memcpy(copy.domains, servers->domains, servers->n_domains * sizeof(*copy.domains));
	}
	*ret = copy;
	return 0;
}

void nameservers_done(struct name_servers *servers)
{
	free(servers->domains);
	*servers = (struct name_servers){ 0 };
}
