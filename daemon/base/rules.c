/* SPDX-License-Identifier: MIT */
#include "daemon/base/rules.h"

#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "protocol/text.h"

/* Keys of DESIGN that a later version brings: refused with these words, never ignored. */
static const char *const later_role_keys[] = {
	"Deny", "Set", "Limits", "RequireSeal", "Explain", "Revoke",
};

/* Likewise the first words of Allow=. */
static const char *const later_grants[] = { "tcp", "udp", "sctp", "srv", "dns" };

static const char *const later_conditions[] = { "unit:", "cgroup:", "gid:", "listener:" };

static void clear_matches(struct rules_role *role)
{
	for (size_t i = 0; i < role->n_matches; i++)
		free(role->matches[i].conditions);
	free(role->matches);
	role->matches = NULL;
	role->n_matches = 0;
}

void rules_done(struct rules *rules)
{
	for (size_t i = 0; i < rules->n_roles; i++) {
		clear_matches(&rules->roles[i]);
		free(rules->roles[i].listens);
		free(rules->roles[i].file);
	}
	free(rules->roles);
	free(rules->never);
	*rules = (struct rules){ 0 };
}

bool rules_is_section(const char *section)
{
	return strcmp(section, "Policy") == 0 || strcmp(section, "Never") == 0 ||
	       strcmp(section, "Role") == 0;
}

/* An array with room for one more item, zeroed, behind its n; NULL: out of memory, and the old one stays. */
static void *grow(void *items, size_t n, size_t item_size)
{
	char *larger = reallocarray(items, n + 1, item_size);

	if (larger)
		memset(larger + n * item_size, 0, item_size);
	return larger;
}

static int read_policy(struct rules *rules, const char *key, const char *value,
		       const struct ini_place *place, struct ini_error *ret_error)
{
	if (strcmp(key, "Default") != 0)
		return ini_fail(ret_error, place,
				"%s= is no key of [Policy]: expected Default=", key);
	if (strcmp(value, "deny") != 0 && strcmp(value, "allow") != 0)
		return ini_fail(ret_error, place, "Default= must be deny or allow, not \"%s\"",
				value);
	rules->default_allow = strcmp(value, "allow") == 0;
	return 0;
}

/* As in any IPv4 text, but with all four parts: who writes 10/8 means 10.0.0.0/8 and would get 0.0.0.10/8. */
static int parse_whole_address(const char *text, struct address *ret)
{
	char whole[ADDRESS_TEXT_SIZE];
	struct address address;

	if (address_parse_ipv4(text, &address) == 0) {
		if (strcmp(address_format(&address, whole, sizeof(whole)), text) != 0)
			return -EINVAL;
	} else if (address_parse_ipv6(text, &address) < 0) {
		return -EINVAL;
	}
	*ret = address;
	return 0;
}

static int parse_network(const char *text, struct rules_network *ret)
{
	char address[ADDRESS_TEXT_SIZE];
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	struct rules_network network = { 0 };
	uint64_t prefix_len;

	if (len >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, len);
	address[len] = '\0';
	if (parse_whole_address(address, &network.address) < 0)
		return -EINVAL;
	prefix_len = 8 * address_len(&network.address);
	if (slash && text_parse_uint(slash + 1, prefix_len, &prefix_len) < 0)
		return -EINVAL;
	/* An IPv4-mapped network is the IPv4 network: that is what its addresses are judged as. */
	if (prefix_len >= 96 && address_unmap(network.address).family != network.address.family) {
		network.address = address_unmap(network.address);
		prefix_len -= 96;
	}
	network.prefix_len = (unsigned int)prefix_len;
	*ret = network;
	return 0;
}

static int read_never(struct rules *rules, const char *key, const char *value,
		      const struct ini_place *place, struct ini_error *ret_error)
{
	CLEANUP(freep) char *copy = NULL;
	char *rest, *word;

	if (strcmp(key, "To") != 0)
		return ini_fail(ret_error, place, "%s= is no key of [Never]: expected To=", key);
	if (!*value) {
		rules->n_never = 0;
		return 0;
	}
	copy = strdup(value);
	if (!copy)
		return -ENOMEM;
	rest = copy;
	while ((word = text_next_word(&rest)) != NULL) {
		struct rules_network network, *never;

		if (rules->n_never == RULES_MATCHES_MAX)
			return ini_fail(ret_error, place, "[Never] takes at most %d networks",
					RULES_MATCHES_MAX);
		if (parse_network(word, &network) < 0)
			return ini_fail(ret_error, place,
					"\"%s\" is no address and no network such as 192.0.2.0/24",
					word);
		never = grow(rules->never, rules->n_never, sizeof(*rules->never));
		if (!never)
			return -ENOMEM;
		rules->never = never;
		rules->never[rules->n_never++] = network;
	}
	return 0;
}

/*
 * Users by name are looked for in /etc/passwd alone: a reload runs in the event loop, and a name service of the network
 * may keep it waiting.
 */
static int find_user(const char *name, uid_t *ret)
{
	FILE *file = fopen("/etc/passwd", "re");
	const struct passwd *user;
	int r = -ENOENT;

	if (!file)
		return -errno;
	while ((user = fgetpwent(file)) != NULL) {
		if (strcmp(user->pw_name, name) == 0) {
			*ret = user->pw_uid;
			r = 0;
			break;
		}
	}
	(void)fclose(file);
	return r;
}

static int read_uid(const char *text, uid_t *ret)
{
	uint64_t number;

	if (text_parse_uint(text, UINT32_MAX - 1, &number) < 0)
		return find_user(text, ret);
	*ret = (uid_t)number;
	return 0;
}

static int read_condition(const char *word, struct rules_condition *ret,
			  const struct ini_place *place, struct ini_error *ret_error)
{
	if (strncmp(word, "uid:", 4) == 0) {
		ret->kind = RULES_MATCH_UID;
		if (read_uid(word + 4, &ret->uid) < 0)
			return ini_fail(ret_error, place,
					"\"%s\": there is no such user in /etc/passwd", word);
		return 0;
	}
	if (strcmp(word, "netns:same") == 0 || strcmp(word, "netns:other") == 0) {
		ret->kind = RULES_MATCH_NETNS;
		ret->same_netns = strcmp(word, "netns:same") == 0;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(later_conditions); i++)
		if (strncmp(word, later_conditions[i], strlen(later_conditions[i])) == 0)
			return ini_fail(ret_error, place, "Match=%s is not supported yet", word);
	return ini_fail(
		ret_error, place,
		"\"%s\" is no condition: expected uid:N, uid:NAME, netns:same or netns:other",
		word);
}

static int read_match(struct rules_role *role, const char *value, const struct ini_place *place,
		      struct ini_error *ret_error)
{
	CLEANUP(freep) char *copy = strdup(value);
	struct rules_match *match, *matches;
	char *rest = copy, *word;

	if (!copy)
		return -ENOMEM;
	if (!*value) {
		clear_matches(role);
		return 0;
	}
	if (role->n_matches == RULES_MATCHES_MAX)
		return ini_fail(ret_error, place, "a role takes at most %d Match= lines",
				RULES_MATCHES_MAX);
	matches = grow(role->matches, role->n_matches, sizeof(*role->matches));
	if (!matches)
		return -ENOMEM;
	role->matches = matches;
	match = &role->matches[role->n_matches++];
	while ((word = text_next_word(&rest)) != NULL) {
		struct rules_condition condition = { 0 }, *conditions;
		int r = read_condition(word, &condition, place, ret_error);

		if (r < 0)
			return r;
		if (match->n_conditions == RULES_MATCHES_MAX)
			return ini_fail(ret_error, place,
					"a Match= line takes at most %d conditions",
					RULES_MATCHES_MAX);
		conditions =
			grow(match->conditions, match->n_conditions, sizeof(*match->conditions));
		if (!conditions)
			return -ENOMEM;
		match->conditions = conditions;
		match->conditions[match->n_conditions++] = condition;
	}
	return 0;
}

/* Words of Options=. */
static int read_options(struct rules_role *role, const char *value, const struct ini_place *place,
			struct ini_error *ret_error)
{
	CLEANUP(freep) char *copy = strdup(value);
	char *rest = copy, *word;

	if (!copy)
		return -ENOMEM;
	if (!*value)
		role->privileges = 0;
	while ((word = text_next_word(&rest)) != NULL) {
		unsigned int i = 0;

		while (i < PRIVILEGES_N && strcmp(word, privilege_name((enum privilege)i)) != 0)
			i++;
		if (i == PRIVILEGES_N)
			return ini_fail(ret_error, place,
					"\"%s\" is no privileged option: expected bindAddress, "
					"bindPort, bindDevice, mark, typeOfService, priority, "
					"multipath or fastOpen",
					word);
		role->privileges |= PRIVILEGE_BIT(i);
	}
	return 0;
}

/* "*", "80" or "8000-8080". */
static int parse_ports(const char *text, uint16_t *ret_first, uint16_t *ret_last)
{
	char number[sizeof("65535")];
	const char *dash = strchr(text, '-');
	size_t len = dash ? (size_t)(dash - text) : strlen(text);
	uint64_t first, last;

	if (strcmp(text, "*") == 0) {
		*ret_first = 0;
		*ret_last = UINT16_MAX;
		return 0;
	}
	if (len >= sizeof(number))
		return -EINVAL;
	memcpy(number, text, len);
	number[len] = '\0';
	if (text_parse_uint(number, UINT16_MAX, &first) < 0)
		return -EINVAL;
	last = first;
	if (dash && text_parse_uint(dash + 1, UINT16_MAX, &last) < 0)
		return -EINVAL;
	if (first == 0 || last < first)
		return -EINVAL;
	*ret_first = (uint16_t)first;
	*ret_last = (uint16_t)last;
	return 0;
}

/* "*", "192.0.2.1" or "[2001:db8::1]"; the text is taken apart. */
static int parse_listen_address(char *text, struct address *ret)
{
	size_t len = strlen(text);

	*ret = (struct address){ 0 };
	if (strcmp(text, "*") == 0)
		return 0;
	if (*text != '[')
		return strchr(text, ':') ? -EINVAL : parse_whole_address(text, ret);
	if (text[len - 1] != ']' || !strchr(text, ':'))
		return -EINVAL;
	text[len - 1] = '\0';
	if (parse_whole_address(text + 1, ret) < 0)
		return -EINVAL;
	*ret = address_unmap(*ret);
	return 0;
}

static int add_listen(struct rules_role *role, const struct rules_listen *listen,
		      const struct ini_place *place, struct ini_error *ret_error)
{
	struct rules_listen *listens;

	if (role->n_listens == RULES_MATCHES_MAX)
		return ini_fail(ret_error, place,
				"a role takes at most %d ranges of ports in Allow=listen",
				RULES_MATCHES_MAX);
	listens = grow(role->listens, role->n_listens, sizeof(*role->listens));
	if (!listens)
		return -ENOMEM;
	role->listens = listens;
	role->listens[role->n_listens++] = *listen;
	return 0;
}

/* "ADDRESS:PORTS"; the text is taken apart. */
static int read_listen(struct rules_role *role, enum transport transport, char *text,
		       const struct ini_place *place, struct ini_error *ret_error)
{
	CLEANUP(freep) char *whole = strdup(text);
	struct rules_listen listen = { .transport = transport };
	char *ports = strrchr(text, ':'), *part;
	int r;

	if (!whole)
		return -ENOMEM;
	if (ports)
		*ports++ = '\0';
	if (!ports || parse_listen_address(text, &listen.address) < 0)
		return ini_fail(ret_error, place,
				"\"%s\" is nothing to listen on: expected ADDRESS:PORTS, as "
				"192.0.2.1:80, [::1]:8000-8080,9000 or *:*",
				whole);
	while ((part = strsep(&ports, ",")) != NULL) {
		if (parse_ports(part, &listen.first_port, &listen.last_port) < 0)
			return ini_fail(ret_error, place,
					"\"%s\": expected ports from 1 to 65535, as 80, "
					"8000-8080,9000 or *",
					whole);
		r = add_listen(role, &listen, place, ret_error);
		if (r < 0)
			return r;
	}
	return 0;
}

/* "listen tcp ADDRESS:PORTS ..."; other rules come later. */
static int read_allow(struct rules_role *role, const char *value, const struct ini_place *place,
		      struct ini_error *ret_error)
{
	CLEANUP(freep) char *copy = strdup(value);
	char *rest = copy, *word, *protocol;
	enum transport transport;
	int r = 0;

	if (!copy)
		return -ENOMEM;
	word = text_next_word(&rest);
	if (!word) {
		role->n_listens = 0;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(later_grants); i++)
		if (strcmp(word, later_grants[i]) == 0)
			return ini_fail(ret_error, place,
					"Allow=%s is not supported yet: only Allow=listen is",
					word);
	if (strcmp(word, "listen") != 0)
		return ini_fail(ret_error, place, "\"%s\" is no rule: expected Allow=listen", word);
	protocol = text_next_word(&rest);
	if (!protocol || (strcmp(protocol, "tcp") != 0 && strcmp(protocol, "udp") != 0))
		return ini_fail(ret_error, place,
				"Allow=listen needs tcp or udp, and then ADDRESS:PORTS");
	transport = strcmp(protocol, "tcp") == 0 ? TRANSPORT_TCP : TRANSPORT_UDP;
	word = text_next_word(&rest);
	if (!word)
		return ini_fail(ret_error, place,
				"Allow=listen %s needs ADDRESS:PORTS, as 192.0.2.1:80", protocol);
	for (; word && r == 0; word = text_next_word(&rest))
		r = read_listen(role, transport, word, place, ret_error);
	return r;
}

static int begin_role(struct rules *rules, const char *name, const struct ini_place *place,
		      struct ini_error *ret_error)
{
	struct rules_role *role, *roles;

	if (!*name)
		return ini_fail(ret_error, place, "a role needs a name, as in [Role web]");
	if (!text_is_utf8(name, strlen(name)))
		return ini_fail(ret_error, place, "a role's name must be UTF-8 text");
	if (rules->n_roles == RULES_ROLES_MAX)
		return ini_fail(ret_error, place, "there are at most %d roles", RULES_ROLES_MAX);
	for (size_t i = 0; i < rules->n_roles; i++)
		if (strcmp(rules->roles[i].name, name) == 0)
			return ini_fail(
				ret_error, place,
				"[Role %s] stands in %s already: a role stands once, in one file",
				name, rules->roles[i].file);
	roles = grow(rules->roles, rules->n_roles, sizeof(*rules->roles));
	if (!roles)
		return -ENOMEM;
	rules->roles = roles;
	role = &rules->roles[rules->n_roles];
	role->line = place->line;
	role->column = place->column;
	role->file = strdup(place->file);
	if (!role->file)
		return -ENOMEM;
	memcpy(role->name, name, strlen(name) + 1);
	rules->n_roles++;
	return 0;
}

static int read_role(struct rules *rules, const char *name, const char *key, const char *value,
		     const struct ini_place *place, struct ini_error *ret_error)
{
	struct rules_role *role;

	if (!key)
		return begin_role(rules, name, place, ret_error);
	role = &rules->roles[rules->n_roles - 1]; /* the section's own line made it */
	if (strcmp(key, "Match") == 0)
		return read_match(role, value, place, ret_error);
	if (strcmp(key, "Options") == 0)
		return read_options(role, value, place, ret_error);
	if (strcmp(key, "Allow") == 0)
		return read_allow(role, value, place, ret_error);
	if (strcmp(key, "Mode") == 0) {
		if (strcmp(value, "enforce") == 0 || strcmp(value, "report") == 0)
			return ini_fail(ret_error, place,
					"Mode=%s is not supported yet: only open is", value);
		if (strcmp(value, "open") != 0)
			return ini_fail(ret_error, place, "Mode= must be open, not \"%s\"", value);
		role->is_open = true;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(later_role_keys); i++)
		if (strcmp(key, later_role_keys[i]) == 0)
			return ini_fail(ret_error, place, "%s= in [Role] is not supported yet",
					key);
	return ini_fail(ret_error, place,
			"%s= is no key of [Role]: expected Match=, Mode=, Options= or Allow=", key);
}

int rules_read(struct rules *rules, const char *section, const char *argument, const char *key,
	       const char *value, const struct ini_place *place, struct ini_error *ret_error)
{
	bool is_role = strcmp(section, "Role") == 0;

	if (!is_role && *argument)
		return ini_fail(ret_error, place, "[%s] takes no argument", section);
	if (strcmp(section, "Never") == 0)
		return key ? read_never(rules, key, value, place, ret_error) : 0;
	rules->is_configured = true;
	if (is_role)
		return read_role(rules, argument, key, value, place, ret_error);
	return key ? read_policy(rules, key, value, place, ret_error) : 0;
}

int rules_check(const struct rules *rules, struct ini_error *ret_error)
{
	for (size_t i = 0; i < rules->n_roles; i++) {
		const struct rules_role *role = &rules->roles[i];
		struct ini_place place = { .file = role->file,
					   .line = role->line,
					   .column = role->column };

		if (!role->is_open)
			return ini_fail(ret_error, &place,
					"[Role %s] needs Mode=: this version supports Mode=open",
					role->name);
		if (role->n_matches == 0)
			return ini_fail(ret_error, &place,
					"[Role %s] needs Match=: without it the role fits nobody",
					role->name);
	}
	return 0;
}
