/* SPDX-License-Identifier: MIT */
#include "daemon/base/config.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/file.h"
#include "protocol/text.h"

#define SOCKET_PATH_MAX 107  /* sun_path without its NUL */
#define DROP_INS_MAX	1024 /* files in one folder */

enum key_kind {
	KEY_SOCKET,  /* a path that a unix socket can have */
	KEY_PATH,    /* char *, must begin with "/" */
	KEY_LEVEL,   /* enum log_level */
	KEY_MSEC,    /* uint64_t in microseconds, written in milliseconds */
	KEY_COUNT,   /* size_t */
	KEY_SEC,     /* uint32_t, in seconds */
	KEY_KIB,     /* size_t in bytes, written in KiB */
	KEY_YES,     /* bool: no or yes */
	KEY_ORDER,   /* bool: hosts-first or dns-first */
	KEY_NAT64,   /* struct nat64_setting */
	KEY_SHARING, /* enum history_sharing */
	KEY_LATER,   /* described, not there yet */
};

struct key {
	const char *section, *name;
	enum key_kind kind;
	size_t offset;
	uint64_t min, max, initial; /* in the unit of the file */
};

#define AT(field) offsetof(struct config, field)

static const struct key keys[] = {
	{ "Daemon", "Socket", KEY_SOCKET, AT(socket), 0, 0, 0 },
	{ "Daemon", "ControlSocket", KEY_SOCKET, AT(control_socket), 0, 0, 0 },
	{ "Daemon", "LogLevel", KEY_LEVEL, AT(log_level), 0, 0, LOG_LEVEL_INFO },
	{ "Daemon", "ResolveSocket", KEY_LATER, 0, 0, 0, 0 },
	{ "Resolve", "ResolvConf", KEY_PATH, AT(resolv_conf), 0, 0, 0 },
	{ "Resolve", "HostsFile", KEY_PATH, AT(hosts_file), 0, 0, 0 },
	{ "Resolve", "ServicesFile", KEY_PATH, AT(services_file), 0, 0, 0 },
	{ "Resolve", "HostsOrder", KEY_ORDER, AT(dns_first), 0, 0, 0 },
	{ "Resolve", "CacheSizeKiB", KEY_KIB, AT(cache_bytes), 0, 1048576, 8192 },
	{ "Resolve", "CacheMaxSec", KEY_SEC, AT(cache_max_s), 0, 604800, 86400 },
	{ "Resolve", "CacheMaxNegativeSec", KEY_SEC, AT(cache_max_negative_s), 0, 604800, 3600 },
	{ "Resolve", "StaleMaxSec", KEY_SEC, AT(stale_max_s), 0, 604800, 86400 },
	{ "Resolve", "RandomCase", KEY_YES, AT(random_case), 0, 0, 0 },
	{ "Resolve", "Nat64", KEY_NAT64, AT(nat64), 0, 0, 0 },
	{ "Connect", "TimeoutMs", KEY_MSEC, AT(timeout_us), 1, 3600000, 30000 },
	{ "Connect", "AttemptDelayMs", KEY_MSEC, AT(attempt_delay_us), 10, 2000, 250 },
	{ "Connect", "AttemptTimeoutMs", KEY_MSEC, AT(attempt_timeout_us), 0, 3600000, 0 },
	{ "Connect", "ResolutionDelayMs", KEY_MSEC, AT(resolution_delay_us), 0, 2000, 50 },
	{ "Connect", "GaiConf", KEY_PATH, AT(gai_conf), 0, 0, 0 },
	{ "Connect", "FirstAddressFamilyCount", KEY_COUNT, AT(first_family_count), 1, 16, 1 },
	{ "Connect", "SpareAttemptsPerSec", KEY_COUNT, AT(spare_attempts_per_s), 1, 1000000,
	  LIMIT_SPARE_ATTEMPTS_PER_SEC },
	{ "Connect", "History", KEY_SHARING, AT(history), 0, 0, 0 },
	{ "Limits", "Connections", KEY_COUNT, AT(connections), 1, 1000000, LIMIT_CONNECTIONS },
	{ "Limits", "ConnectionsPerUid", KEY_COUNT, AT(connections_per_uid), 1, 1000000,
	  LIMIT_CONNECTIONS_PER_UID },
	{ "Limits", "CallsInFlightPerUid", KEY_COUNT, AT(calls_in_flight_per_uid), 1, 1000000,
	  LIMIT_CALLS_IN_FLIGHT_PER_UID },
	{ "Limits", "AddressesPerCall", KEY_COUNT, AT(addresses_per_call), 1, 128,
	  LIMIT_ADDRESSES_PER_CALL },
	{ "Limits", "AttemptsPerCall", KEY_COUNT, AT(attempts_per_call), 1, 128,
	  LIMIT_ATTEMPTS_PER_CALL },
	{ "Limits", "AttemptsInFlight", KEY_COUNT, AT(attempts_in_flight), 1, 1000000,
	  LIMIT_ATTEMPTS_IN_FLIGHT },
	{ "Limits", "DescriptorsInFlight", KEY_COUNT, AT(descriptors_in_flight), 1, 1000000,
	  LIMIT_DESCRIPTORS_IN_FLIGHT },
	{ "Limits", "QuestionsInFlight", KEY_COUNT, AT(questions_in_flight), 1, 1000000,
	  LIMIT_QUESTIONS_IN_FLIGHT },
	{ "Limits", "QueueKiBPerConnection", KEY_LATER, 0, 0, 0, 0 },
	{ "Limits", "LiveConnectionsPerUid", KEY_LATER, 0, 0, 0, 0 },
};

struct reader {
	struct config *config;
	struct ini_error *error;
};

static void *field_of(struct config *config, const struct key *key)
{
	return (char *)config + key->offset;
}

static int set_path(char **field, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	free(*field);
	*field = copy;
	return 0;
}

static const char *unit_of(const struct key *key)
{
	switch (key->kind) {
	case KEY_MSEC:
		return " (milliseconds)";
	case KEY_SEC:
		return " (seconds)";
	case KEY_KIB:
		return " (KiB)";
	case KEY_SOCKET:
	case KEY_PATH:
	case KEY_LEVEL:
	case KEY_COUNT:
	case KEY_YES:
	case KEY_ORDER:
	case KEY_SHARING:
	case KEY_NAT64:
	case KEY_LATER:
		break;
	}
	return "";
}

static bool is_number(const struct key *key)
{
	return key->kind == KEY_MSEC || key->kind == KEY_SEC || key->kind == KEY_KIB ||
	       key->kind == KEY_COUNT;
}

/* number is within the key's bounds, which its field can hold. */
static void set_number(struct config *config, const struct key *key, uint64_t number)
{
	void *field = field_of(config, key);

	if (key->kind == KEY_MSEC)
		*(uint64_t *)field = number * 1000;
	else if (key->kind == KEY_SEC)
		*(uint32_t *)field = (uint32_t)number;
	else
		*(size_t *)field = (size_t)number * (key->kind == KEY_KIB ? 1024 : 1);
}

static int read_number(const struct key *key, const char *value, const struct ini_place *place,
		       struct ini_error *error, uint64_t *ret)
{
	uint64_t number;

	if (text_parse_uint(value, key->max, &number) < 0 || number < key->min)
		return ini_fail(error, place,
				"%s= must be a number from %llu to %llu%s, not \"%s\"", key->name,
				(unsigned long long)key->min, (unsigned long long)key->max,
				unit_of(key), value);
	*ret = number;
	return 0;
}

static int read_choice(bool *field, const struct key *key, const char *value,
		       const struct ini_place *place, struct ini_error *error)
{
	const char *const no = key->kind == KEY_ORDER ? "hosts-first" : "no";
	const char *const yes = key->kind == KEY_ORDER ? "dns-first" : "yes";

	if (strcmp(value, no) != 0 && strcmp(value, yes) != 0)
		return ini_fail(error, place, "%s= must be %s or %s, not \"%s\"", key->name, no,
				yes, value);
	*field = strcmp(value, yes) == 0;
	return 0;
}

static int read_sharing(enum history_sharing *field, const struct key *key, const char *value,
			const struct ini_place *place, struct ini_error *error)
{
	static const char *const words[] = { "shared", "per-role", "off" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(value, words[i]) != 0)
			continue;
		*field = (enum history_sharing)i;
		return 0;
	}
	return ini_fail(error, place, "%s= must be shared, per-role or off, not \"%s\"", key->name,
			value);
}

static int read_path(char **field, const struct key *key, const char *value,
		     const struct ini_place *place, struct ini_error *error)
{
	if (value[0] != '/')
		return ini_fail(error, place,
				"%s= must be a path that begins with \"/\", not \"%s\"", key->name,
				value);
	if (key->kind == KEY_SOCKET && strlen(value) > SOCKET_PATH_MAX)
		return ini_fail(error, place, "%s= is a path of at most %d bytes (unix(7))",
				key->name, SOCKET_PATH_MAX);
	return set_path(field, value);
}

static int read_value(struct config *config, const struct key *key, const char *value,
		      const struct ini_place *place, struct ini_error *error)
{
	const char *fault;
	uint64_t number = 0;
	int r;

	switch (key->kind) {
	case KEY_LATER:
		return ini_fail(error, place, "%s= in [%s] is not supported yet", key->name,
				key->section);
	case KEY_SOCKET:
	case KEY_PATH:
		return read_path(field_of(config, key), key, value, place, error);
	case KEY_LEVEL:
		if (log_level_parse(value, field_of(config, key)) < 0)
			return ini_fail(
				error, place,
				"%s= must be err, warning, notice, info or debug, not \"%s\"",
				key->name, value);
		return 0;
	case KEY_YES:
	case KEY_ORDER:
		return read_choice(field_of(config, key), key, value, place, error);
	case KEY_SHARING:
		return read_sharing(field_of(config, key), key, value, place, error);
	case KEY_NAT64:
		fault = nat64_parse_setting(value, field_of(config, key));
		return fault ? ini_fail(error, place, "%s= cannot be \"%s\": %s", key->name, value,
					fault)
			     : 0;
	case KEY_MSEC:
	case KEY_SEC:
	case KEY_KIB:
	case KEY_COUNT:
		r = read_number(key, value, place, error, &number);
		if (r == 0)
			set_number(config, key, number);
		return r;
	}
	return 0;
}

static int on_line(const char *section, const char *argument, const char *key_name,
		   const char *value, const struct ini_place *place, void *arg)
{
	struct reader *reader = arg;
	bool section_known = false;

	if (rules_is_section(section))
		return rules_read(&reader->config->rules, section, argument, key_name, value, place,
				  reader->error);
	if (strcmp(section, "Listener") == 0)
		return ini_fail(reader->error, place, "[Listener] is not supported yet");
	if (strcmp(section, "Resolve") == 0 &&
	    (*argument || !key_name || server_groups_is_key(key_name)))
		return server_groups_read(&reader->config->server_groups, argument, key_name, value,
					  place, reader->error);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (strcmp(keys[i].section, section) != 0)
			continue;
		section_known = true;
		if (key_name && strcmp(keys[i].name, key_name) == 0)
			return read_value(reader->config, &keys[i], value, place, reader->error);
	}
	if (!section_known)
		return ini_fail(
			reader->error, place,
			"[%s] is no section: expected Daemon, Resolve, Connect, Limits, Policy, Never or Role NAME",
			section);
	if (*argument)
		return ini_fail(reader->error, place, "[%s] takes no argument", section);
	if (key_name)
		return ini_fail(reader->error, place, "%s= is no key of [%s], see asockd.conf(5)",
				key_name, section);
	return 0;
}

int config_new(struct config **ret)
{
	CLEANUP(config_freep) struct config *config = calloc(1, sizeof(*config));

	if (!config)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (is_number(&keys[i]))
			set_number(config, &keys[i], keys[i].initial);
	config->log_level = LOG_LEVEL_INFO;
	if (set_path(&config->resolv_conf, "/etc/resolv.conf") < 0 ||
	    set_path(&config->hosts_file, "/etc/hosts") < 0 ||
	    set_path(&config->services_file, "/etc/services") < 0 ||
	    set_path(&config->gai_conf, "/etc/gai.conf") < 0 ||
	    server_groups_init(&config->server_groups) < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(config);
	return 0;
}

struct config *config_free(struct config *config)
{
	if (config) {
		free(config->socket);
		free(config->control_socket);
		free(config->resolv_conf);
		free(config->hosts_file);
		free(config->services_file);
		free(config->gai_conf);
		server_groups_done(&config->server_groups);
		rules_done(&config->rules);
		free(config);
	}
	return NULL;
}

int config_read_text(struct config *config, const char *text, size_t len, const char *file,
		     struct ini_error *ret_error)
{
	struct reader reader = { .config = config, .error = ret_error };

	return ini_parse(text, len, file, on_line, &reader, ret_error);
}

static int read_file(struct config *config, const char *file, struct ini_error *ret_error)
{
	CLEANUP(freep) char *text = NULL;
	struct stat status;
	size_t len;
	int r = file_read(file, &text, &len, &status);

	if (r < 0) {
		(void)ini_fail(ret_error, &(struct ini_place){ .file = file }, "cannot be read: %s",
			       strerror(-r));
		return r;
	}
	return config_read_text(config, text, len, file, ret_error);
}

static int is_drop_in(const struct dirent *entry)
{
	static const char suffix[] = ".conf";
	size_t len = strlen(entry->d_name), suffix_len = sizeof(suffix) - 1;

	return entry->d_name[0] != '.' && len >= suffix_len &&
	       strcmp(entry->d_name + len - suffix_len, suffix) == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_folder(struct config *config, const char *folder, struct ini_error *ret_error)
{
	struct dirent **entries;
	int n = scandir(folder, &entries, is_drop_in, by_name);
	int r = 0;

	if (n < 0 && errno != ENOENT) {
		r = -errno;
		(void)ini_fail(ret_error, &(struct ini_place){ .file = folder },
			       "cannot be read: %s", strerror(-r));
		return r;
	}
	for (int i = 0; i < n; i++) {
		CLEANUP(freep) char *file = NULL;

		if (r == 0 && i >= DROP_INS_MAX)
			r = ini_fail(ret_error, &(struct ini_place){ .file = folder },
				     "more than %d files", DROP_INS_MAX);
		if (r == 0)
			r = text_format(&file, "%s/%s", folder, entries[i]->d_name);
		if (r == 0)
			r = read_file(config, file, ret_error);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return r;
}

/* "Connect.TimeoutMs=500" as if it stood in a file. */
static int read_override(struct config *config, const char *override, struct ini_error *ret_error)
{
	struct ini_place place = { .file = override };
	struct reader reader = { .config = config, .error = ret_error };
	CLEANUP(freep) char *copy = strdup(override);
	char *dot = copy ? strchr(copy, '.') : NULL;
	char *equals = dot ? strchr(dot, '=') : NULL;

	if (!copy)
		return -ENOMEM;
	if (!equals)
		return ini_fail(ret_error, &place,
				"expected SECTION.KEY=VALUE, as in Connect.TimeoutMs=5000");
	*dot = '\0';
	*equals = '\0';
	if (strcmp(copy, "Role") == 0)
		return ini_fail(
			ret_error, &place,
			"a role cannot be given on the command line: it stands in one file");
	return on_line(copy, "", dot + 1, equals + 1, &place, &reader);
}

/* The file and the two folders that belong to it. */
static int read_files(struct config *config, const struct config_source *source,
		      struct ini_error *ret_error)
{
	const char *slash = strrchr(source->file, '/');
	int folder_len = slash ? (int)(slash - source->file) + 1 : 0;
	CLEANUP(freep) char *drop_ins = NULL;
	CLEANUP(freep) char *policies = NULL;
	int r = 0;

	if (text_format(&drop_ins, "%s.d", source->file) < 0 ||
	    text_format(&policies, "%.*spolicy.d", folder_len, source->file) < 0)
		return -ENOMEM;
	if (!source->may_be_missing || access(source->file, F_OK) == 0 || errno != ENOENT)
		r = read_file(config, source->file, ret_error);
	if (r == 0)
		r = read_folder(config, drop_ins, ret_error);
	return r < 0 ? r : read_folder(config, policies, ret_error);
}

int config_check(struct config *config, struct ini_error *ret_error)
{
	int r = server_groups_check(&config->server_groups, ret_error);

	config->groups = config->server_groups.items;
	config->n_groups = config->server_groups.n;
	return r < 0 ? r : rules_check(&config->rules, ret_error);
}

int config_load(struct config **ret, const struct config_source *source,
		struct ini_error *ret_error)
{
	CLEANUP(config_freep) struct config *config = NULL;
	int r = config_new(&config);

	ret_error->text[0] = '\0';
	if (r == 0 && source->file)
		r = read_files(config, source, ret_error);
	for (size_t i = 0; r == 0 && i < source->n_overrides; i++)
		r = read_override(config, source->overrides[i], ret_error);
	if (r == 0)
		r = config_check(config, ret_error);
	if (r == 0)
		*ret = TAKE_PTR(config);
	return r;
}
