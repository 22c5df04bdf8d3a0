/* SPDX-License-Identifier: MIT */
#include "daemon/base/server-groups.h"

#include <string.h>

#include "daemon/base/domain.h"
#include "protocol/text.h"

#define PORT_PLAIN 53
#define PORT_TLS   853 /* RFC 7858 section 3.1 */

struct server_group_note {
	char name[INI_NAME_BYTES + 1]; /* "": the plain [Resolve] */
	char *file;		       /* owned; where it is first spoken of; NULL: nowhere */
	unsigned int line, column;
	bool has_tls; /* Tls= was given */
	enum tls_mode tls;
	char tls_name[LIMIT_NAME_BYTES + 1];
};

static const char *const keys[] = { "Servers", "Domain", "Tls", "ServerName" };

bool server_groups_is_key(const char *key)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return false;
}

static int add_group(struct server_groups *groups, const char *name)
{
	struct name_servers *items =
		reallocarray(groups->items, groups->n + 1, sizeof(*groups->items));
	struct server_group_note *notes;

	if (!items)
		return -ENOMEM;
	groups->items = items;
	notes = reallocarray(groups->notes, groups->n + 1, sizeof(*groups->notes));
	if (!notes)
		return -ENOMEM;
	groups->notes = notes;
	items[groups->n] = (struct name_servers){ 0 };
	notes[groups->n] = (struct server_group_note){ .tls = TLS_NO };
	memcpy(notes[groups->n].name, name, strlen(name) + 1);
	groups->n++;
	return 0;
}

int server_groups_init(struct server_groups *groups)
{
	*groups = (struct server_groups){ 0 };
	return add_group(groups, "");
}

void server_groups_done(struct server_groups *groups)
{
	for (size_t i = 0; i < groups->n; i++) {
		nameservers_done(&groups->items[i]);
		free(groups->notes[i].file);
	}
	free(groups->items);
	free(groups->notes);
	*groups = (struct server_groups){ 0 };
}

/* The group of this name, made where there is none. */
static int find_group(struct server_groups *groups, const char *name, const struct ini_place *place,
		      struct ini_error *ret_error, size_t *ret)
{
	struct server_group_note *note;
	size_t i = 0;
	int r;

	while (i < groups->n && strcmp(groups->notes[i].name, name) != 0)
		i++;
	if (i == groups->n) {
		if (!text_is_utf8(name, strlen(name)))
			return ini_fail(ret_error, place, "a section's name must be UTF-8 text");
		if (i > LIMIT_SERVER_GROUPS)
			return ini_fail(ret_error, place,
					"there are at most %d sections [Resolve NAME]",
					LIMIT_SERVER_GROUPS);
		r = add_group(groups, name);
		if (r < 0)
			return r;
	}
	note = &groups->notes[i];
	if (!note->file) {
		note->file = strdup(place->file);
		if (!note->file)
			return -ENOMEM;
		note->line = place->line;
		note->column = place->column;
	}
	*ret = i;
	return 0;
}

/* The port is 0 where none is written: which one that means is known when Tls= is. */
static int parse_server(const char *word, struct name_server *ret)
{
	struct name_server other;

	if (nameservers_parse(word, PORT_PLAIN, ret) < 0 ||
	    nameservers_parse(word, PORT_TLS, &other) < 0)
		return -EINVAL;
	if (ret->endpoint.port != other.endpoint.port)
		ret->endpoint.port = 0;
	return 0;
}

static int add_server(struct name_servers *group, const char *word, const struct ini_place *place,
		      struct ini_error *ret_error)
{
	struct name_server server;

	if (parse_server(word, &server) < 0)
		return ini_fail(
			ret_error, place,
			"\"%s\" is no name server: expected 192.0.2.1, 192.0.2.1:5300, [2001:db8::1]:53, fe80::1%%eth0 or fe80::1%%eth0#5300",
			word);
	for (size_t i = 0; i < group->n_servers; i++)
		if (endpoint_equal(&group->servers[i].endpoint, &server.endpoint) &&
		    strcmp(group->servers[i].zone, server.zone) == 0)
			return 0;
	if (group->n_servers == LIMIT_NAME_SERVERS)
		return ini_fail(ret_error, place, "there are at most %d name servers",
				LIMIT_NAME_SERVERS);
	group->servers[group->n_servers++] = server;
	return 0;
}

static int add_domain(struct name_servers *group, const char *word, const struct ini_place *place,
		      struct ini_error *ret_error)
{
	/* resolved.conf(5) has a "~" before domains that are no search domains. Here none is. */
	const char *text = word[0] == '~' ? word + 1 : word;
	char domain[LIMIT_NAME_BYTES + 1];
	const char *reason = domain_parse(text, domain);
	char(*domains)[LIMIT_NAME_BYTES + 1];

	if (reason)
		return ini_fail(
			ret_error, place,
			"\"%s\" is no domain: %s; expected corp.example, xn--bcher-kva.example, or \".\" for every name",
			word, reason);
	for (size_t i = 0; i < group->n_domains; i++)
		if (strcmp(group->domains[i], domain) == 0)
			return 0;
	if (group->n_domains == LIMIT_GROUP_DOMAINS)
		return ini_fail(ret_error, place, "a section takes at most %d domains",
				LIMIT_GROUP_DOMAINS);
	domains = reallocarray(group->domains, group->n_domains + 1, sizeof(*domains));
	if (!domains)
		return -ENOMEM;
	group->domains = domains;
	memcpy(domains[group->n_domains++], domain, sizeof(domain));
	return 0;
}

typedef int add_fn(struct name_servers *group, const char *word, const struct ini_place *place,
		   struct ini_error *ret_error);

static int read_list(struct name_servers *group, size_t *n, const char *value, add_fn *add,
		     const struct ini_place *place, struct ini_error *ret_error)
{
	CLEANUP(freep) char *copy = strdup(value);
	char *rest = copy, *word;
	int r = 0;

	if (!copy)
		return -ENOMEM;
	if (!*value)
		*n = 0;
	while (r == 0 && (word = text_next_word(&rest)) != NULL)
		r = add(group, word, place, ret_error);
	return r;
}

static int read_tls(struct server_group_note *note, const char *value,
		    const struct ini_place *place, struct ini_error *ret_error)
{
	static const char *const modes[] = {
		[TLS_NO] = "no",
		[TLS_OPPORTUNISTIC] = "opportunistic",
		[TLS_STRICT] = "strict",
	};

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		if (strcmp(value, modes[i]) == 0) {
			note->tls = (enum tls_mode)i;
			note->has_tls = true;
			return 0;
		}
	}
	return ini_fail(ret_error, place, "Tls= must be no, opportunistic or strict, not \"%s\"",
			value);
}

/* An address is no name for SNI (RFC 6066 section 3), and without a name it is what the certificate must have anyway. */
static int read_tls_name(struct server_group_note *note, const char *value,
			 const struct ini_place *place, struct ini_error *ret_error)
{
	struct address address;
	const char *reason = NULL;

	if (!*value)
		note->tls_name[0] = '\0';
	else if (strcmp(value, ".") == 0 || address_parse_scoped(value, &address) == 0)
		reason = "it must be the name in the certificate";
	else
		reason = domain_parse(value, note->tls_name);
	if (reason)
		return ini_fail(ret_error, place,
				"ServerName= cannot be \"%s\": %s; expected dns.example", value,
				reason);
	return 0;
}

int server_groups_read(struct server_groups *groups, const char *name, const char *key,
		       const char *value, const struct ini_place *place,
		       struct ini_error *ret_error)
{
	struct name_servers *group;
	size_t i = 0;
	int r = find_group(groups, name, place, ret_error, &i);

	if (r < 0 || !key)
		return r;
	group = &groups->items[i];
	if (strcmp(key, "Servers") == 0)
		return read_list(group, &group->n_servers, value, add_server, place, ret_error);
	if (strcmp(key, "Domain") == 0)
		return read_list(group, &group->n_domains, value, add_domain, place, ret_error);
	if (strcmp(key, "Tls") == 0)
		return read_tls(&groups->notes[i], value, place, ret_error);
	if (strcmp(key, "ServerName") == 0)
		return read_tls_name(&groups->notes[i], value, place, ret_error);
	return ini_fail(
		ret_error, place,
		"%s= is no key of [Resolve %s]: expected Servers=, Domain=, Tls= or ServerName=",
		key, name);
}

static void settle(struct name_servers *group, const struct server_group_note *note)
{
	for (size_t i = 0; i < group->n_servers; i++) {
		struct name_server *server = &group->servers[i];

		server->tls = note->tls;
		memcpy(server->tls_name, note->tls_name, sizeof(server->tls_name));
		if (server->endpoint.port == 0)
			server->endpoint.port = note->tls == TLS_NO ? PORT_PLAIN : PORT_TLS;
	}
}

/* What a section lacks, NULL: nothing. */
static const char *find_fault(const struct name_servers *group,
			      const struct server_group_note *note)
{
	if (note->name[0] && group->n_servers == 0)
		return "needs Servers=: there is nobody to ask for its domains";
	if (note->name[0] && group->n_domains == 0)
		return "needs Domain=: without it no name is asked there (\".\" is every name)";
	if (group->n_servers == 0 && group->n_domains > 0)
		return "needs Servers= beside Domain=: there is nobody to ask for its domains";
	if (group->n_servers == 0 && note->tls != TLS_NO)
		return "needs Servers= beside Tls=: it does not hold for the servers of ResolvConf=";
	if (note->tls_name[0] && !note->has_tls)
		return "needs Tls= beside ServerName=: opportunistic or strict";
	return NULL;
}

/* The section before i that has the domain too; i: none. */
static size_t find_domain(const struct server_groups *groups, size_t i, const char *domain)
{
	for (size_t j = 0; j < i; j++)
		for (size_t k = 0; k < groups->items[j].n_domains; k++)
			if (strcmp(groups->items[j].domains[k], domain) == 0)
				return j;
	return i;
}

static int check_domains(const struct server_groups *groups, size_t i,
			 const struct ini_place *place, struct ini_error *ret_error)
{
	for (size_t k = 0; k < groups->items[i].n_domains; k++) {
		const char *domain = groups->items[i].domains[k];
		size_t j = find_domain(groups, i, domain);
		const char *name = groups->notes[j].name;

		if (j < i)
			return ini_fail(
				ret_error, place,
				"[Resolve %s] has Domain=%s as [Resolve%s%s] has: a domain has one section",
				groups->notes[i].name, domain[0] ? domain : ".", name[0] ? " " : "",
				name);
	}
	return 0;
}

int server_groups_check(struct server_groups *groups, struct ini_error *ret_error)
{
	for (size_t i = 0; i < groups->n; i++) {
		const struct server_group_note *note = &groups->notes[i];
		const struct ini_place place = { note->file ? note->file : "", note->line,
						 note->column };
		const char *fault = find_fault(&groups->items[i], note);
		int r;

		if (fault)
			return ini_fail(ret_error, &place, "[Resolve%s%s] %s",
					note->name[0] ? " " : "", note->name, fault);
		r = check_domains(groups, i, &place, ret_error);
		if (r < 0)
			return r;
		settle(&groups->items[i], note);
	}
	return 0;
}
