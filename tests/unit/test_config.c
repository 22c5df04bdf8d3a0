/* SPDX-License-Identifier: MIT */
/*
 * Every key with its bounds and its default, the order of files and overrides, and refusals that say where and why.
 */
#include "daemon/base/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/suite.h"

static const char *read_text(struct config *config, const char *text)
{
	static struct ini_error error;

	error.text[0] = '\0';
	if (config_read_text(config, text, strlen(text), "a.conf", &error) == 0)
		return NULL;
	ck_assert_msg(error.text[0] != '\0', "%s", text);
	return error.text;
}

static struct config *fresh(void)
{
	struct config *config;

	ck_assert_int_eq(config_new(&config), 0);
	return config;
}

static int load(struct config **ret, const char *file, const char *const *overrides,
		size_t n_overrides, struct ini_error *ret_error)
{
	const struct config_source source = { file, false, overrides, n_overrides };

	return config_load(ret, &source, ret_error);
}

START_TEST(defaults_are_those_of_the_manual_and_of_limits)
{
	CLEANUP(config_freep) struct config *config = NULL;
	struct ini_error error;

	ck_assert_int_eq(load(&config, NULL, NULL, 0, &error), 0);
	ck_assert_ptr_null(config->socket);
	ck_assert_ptr_null(config->control_socket);
	ck_assert_int_eq(config->log_level, LOG_LEVEL_INFO);
	ck_assert_str_eq(config->resolv_conf, "/etc/resolv.conf");
	ck_assert_str_eq(config->hosts_file, "/etc/hosts");
	ck_assert_str_eq(config->services_file, "/etc/services");
	ck_assert_str_eq(config->gai_conf, "/etc/gai.conf");
	ck_assert_uint_eq(config->n_groups, 1);
	ck_assert_uint_eq(config->groups[0].n_servers, 0);
	ck_assert_uint_eq(config->groups[0].n_domains, 0);
	ck_assert(!config->dns_first);
	ck_assert(!config->random_case);
	ck_assert_int_eq(config->history, HISTORY_SHARED);
	ck_assert_uint_eq(config->cache_bytes, 8192 * 1024);
	ck_assert_uint_eq(config->cache_max_s, 86400);
	ck_assert_uint_eq(config->cache_max_negative_s, 3600);
	ck_assert_uint_eq(config->stale_max_s, 86400);
	ck_assert_uint_eq(config->timeout_us, 30000000);
	ck_assert_uint_eq(config->attempt_delay_us, 250000);
	ck_assert_uint_eq(config->attempt_timeout_us, 0);
	ck_assert_uint_eq(config->resolution_delay_us, 50000);
	ck_assert_uint_eq(config->connections, LIMIT_CONNECTIONS);
	ck_assert_uint_eq(config->connections_per_uid, LIMIT_CONNECTIONS_PER_UID);
	ck_assert_uint_eq(config->calls_in_flight_per_uid, LIMIT_CALLS_IN_FLIGHT_PER_UID);
	ck_assert_uint_eq(config->addresses_per_call, LIMIT_ADDRESSES_PER_CALL);
	ck_assert_uint_eq(config->attempts_per_call, LIMIT_ATTEMPTS_PER_CALL);
	ck_assert_uint_eq(config->attempts_in_flight, LIMIT_ATTEMPTS_IN_FLIGHT);
	ck_assert_uint_eq(config->descriptors_in_flight, LIMIT_DESCRIPTORS_IN_FLIGHT);
	ck_assert_uint_eq(config->questions_in_flight, 4096);
	ck_assert_uint_eq(LIMIT_ADDRESSES_PER_CALL, 16);
	ck_assert_uint_eq(LIMIT_ATTEMPTS_PER_CALL, 8);
	ck_assert(!config->rules.is_configured);
	ck_assert(!config->rules.default_allow);
	ck_assert_uint_eq(config->rules.n_roles, 0);
	ck_assert_uint_eq(config->rules.n_never, 0);
}
END_TEST

static const struct {
	const char *section, *key;
	size_t offset,
		unit; /* 1: a size_t; 1000: a uint64_t in microseconds; 1024: a size_t in bytes; 0: a uint32_t */
	unsigned long min, max;
} numbers[] = {
	{ "Connect", "TimeoutMs", offsetof(struct config, timeout_us), 1000, 1, 3600000 },
	{ "Connect", "AttemptDelayMs", offsetof(struct config, attempt_delay_us), 1000, 10, 2000 },
	{ "Connect", "AttemptTimeoutMs", offsetof(struct config, attempt_timeout_us), 1000, 0,
	  3600000 },
	{ "Connect", "ResolutionDelayMs", offsetof(struct config, resolution_delay_us), 1000, 0,
	  2000 },
	{ "Resolve", "CacheSizeKiB", offsetof(struct config, cache_bytes), 1024, 0, 1048576 },
	{ "Resolve", "CacheMaxSec", offsetof(struct config, cache_max_s), 0, 0, 604800 },
	{ "Resolve", "CacheMaxNegativeSec", offsetof(struct config, cache_max_negative_s), 0, 0,
	  604800 },
	{ "Resolve", "StaleMaxSec", offsetof(struct config, stale_max_s), 0, 0, 604800 },
	{ "Connect", "FirstAddressFamilyCount", offsetof(struct config, first_family_count), 1, 1,
	  16 },
	{ "Connect", "SpareAttemptsPerSec", offsetof(struct config, spare_attempts_per_s), 1, 1,
	  1000000 },
	{ "Limits", "QuestionsInFlight", offsetof(struct config, questions_in_flight), 1, 1,
	  1000000 },
	{ "Limits", "Connections", offsetof(struct config, connections), 1, 1, 1000000 },
	{ "Limits", "ConnectionsPerUid", offsetof(struct config, connections_per_uid), 1, 1,
	  1000000 },
	{ "Limits", "CallsInFlightPerUid", offsetof(struct config, calls_in_flight_per_uid), 1, 1,
	  1000000 },
	{ "Limits", "AddressesPerCall", offsetof(struct config, addresses_per_call), 1, 1, 128 },
	{ "Limits", "AttemptsPerCall", offsetof(struct config, attempts_per_call), 1, 1, 128 },
	{ "Limits", "AttemptsInFlight", offsetof(struct config, attempts_in_flight), 1, 1,
	  1000000 },
	{ "Limits", "DescriptorsInFlight", offsetof(struct config, descriptors_in_flight), 1, 1,
	  1000000 },
};

static uint64_t get_number(const struct config *config, size_t i)
{
	const char *field = (const char *)config + numbers[i].offset;
	uint64_t us;
	size_t count;
	uint32_t seconds;

	memcpy(&count, field, sizeof(count));
	memcpy(&us, field, sizeof(us));
	memcpy(&seconds, field, sizeof(seconds));
	switch (numbers[i].unit) {
	case 0:
		return seconds;
	case 1000:
		return us / 1000;
	default:
		return count / numbers[i].unit;
	}
}

static void check_number(size_t i, const char *value, bool is_good, uint64_t expected)
{
	CLEANUP(config_freep) struct config *config = fresh();
	uint64_t before = get_number(config, i);
	char text[256];
	const char *error;

	(void)snprintf(text, sizeof(text), "[%s]\n%s=%s\n", numbers[i].section, numbers[i].key,
		       value);
	error = read_text(config, text);
	if (is_good) {
		ck_assert_msg(!error, "%s: %s", text, error);
		ck_assert_uint_eq(get_number(config, i), expected);
		return;
	}
	ck_assert_msg(error != NULL, "%s", text);
	(void)snprintf(text, sizeof(text), "a.conf:2:%zu: %s= must be a number from %lu to %lu",
		       strlen(numbers[i].key) + 2, numbers[i].key, numbers[i].min, numbers[i].max);
	ck_assert_msg(strncmp(error, text, strlen(text)) == 0, "%s", error);
	ck_assert_uint_eq(get_number(config, i), before);
}

START_TEST(numbers_keep_their_bounds)
{
	static const char *const bad[] = { "",
					   "x",
					   "-1",
					   "+5",
					   "1.5",
					   "0x10",
					   "10 ms",
					   "10ms",
					   "1e3",
					   "10 10",
					   "18446744073709551616",
					   "99999999999999999999999999" };

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		char value[32];

		(void)snprintf(value, sizeof(value), "%lu", numbers[i].min);
		check_number(i, value, true, numbers[i].min);
		(void)snprintf(value, sizeof(value), "%lu", numbers[i].max);
		check_number(i, value, true, numbers[i].max);
		(void)snprintf(value, sizeof(value), "000%lu", numbers[i].max);
		check_number(i, value, true, numbers[i].max);
		(void)snprintf(value, sizeof(value), "%lu", numbers[i].max + 1);
		check_number(i, value, false, 0);
		if (numbers[i].min > 0) {
			(void)snprintf(value, sizeof(value), "%lu", numbers[i].min - 1);
			check_number(i, value, false, 0);
		}
		for (size_t j = 0; j < ARRAY_LEN(bad); j++)
			check_number(i, bad[j], false, 0);
	}
}
END_TEST

START_TEST(paths_and_levels_are_read)
{
	CLEANUP(config_freep) struct config *config = fresh();

	ck_assert_ptr_null(read_text(
		config,
		"[Daemon]\nSocket=/a/b c.sock\nControlSocket=/c\nLogLevel=debug\n"
		"[Resolve]\nResolvConf=/r\nHostsFile=/h\nServicesFile=/s\nHostsOrder=dns-first\n"
		"RandomCase=yes\n[Connect]\nGaiConf=/g\n"));
	ck_assert_str_eq(config->socket, "/a/b c.sock");
	ck_assert_str_eq(config->control_socket, "/c");
	ck_assert_int_eq(config->log_level, LOG_LEVEL_DEBUG);
	ck_assert_str_eq(config->resolv_conf, "/r");
	ck_assert_str_eq(config->hosts_file, "/h");
	ck_assert_str_eq(config->services_file, "/s");
	ck_assert_str_eq(config->gai_conf, "/g");
	ck_assert(config->dns_first);
	ck_assert(config->random_case);
	ck_assert_ptr_null(read_text(config, "[Resolve]\nHostsOrder=hosts-first\nRandomCase=no\n"));
	ck_assert(!config->nat64.is_off && config->nat64.n == 0);
	ck_assert_ptr_null(read_text(config, "[Resolve]\nNat64=64:ff9b::/96 2001:db8::/32\n"));
	ck_assert_uint_eq(config->nat64.n, 2);
	ck_assert_ptr_null(read_text(config, "[Resolve]\nNat64=no\n"));
	ck_assert(config->nat64.is_off && config->nat64.n == 0);
	ck_assert_ptr_null(read_text(config, "[Connect]\nHistory=per-role\n"));
	ck_assert_int_eq(config->history, HISTORY_PER_ROLE);
	ck_assert_ptr_null(read_text(config, "[Connect]\nHistory=off\n"));
	ck_assert_int_eq(config->history, HISTORY_OFF);
	ck_assert_ptr_null(read_text(config, "[Connect]\nHistory=shared\n"));
	ck_assert_int_eq(config->history, HISTORY_SHARED);
	ck_assert(!config->dns_first);
	ck_assert(!config->random_case);
}
END_TEST

START_TEST(the_last_scalar_wins)
{
	CLEANUP(config_freep) struct config *config = fresh();

	ck_assert_ptr_null(read_text(
		config, "[Daemon]\nSocket=/a\nLogLevel=err\nSocket=/b\n[Connect]\nTimeoutMs=1\n"
			"[Daemon]\nLogLevel=notice\n[Connect]\nTimeoutMs=2\n"));
	ck_assert_str_eq(config->socket, "/b");
	ck_assert_int_eq(config->log_level, LOG_LEVEL_NOTICE);
	ck_assert_uint_eq(config->timeout_us, 2000);
}
END_TEST

/* Every group as "server server (domain domain) tls name", with ", " between them. */
static const char *describe_groups(const struct config *config)
{
	static const char *const modes[] = { "", " opportunistic", " strict" };
	static char text[8192];
	char one[ENDPOINT_TEXT_SIZE];
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < config->n_groups; i++) {
		const struct name_servers *group = &config->groups[i];

		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", i > 0 ? ", " : "");
		for (size_t j = 0; j < group->n_servers; j++) {
			const struct name_server *server = &group->servers[j];

			len += (size_t)snprintf(
				text + len, sizeof(text) - len, "%s%s%s%s%s%s%s", j > 0 ? " " : "",
				endpoint_format(&server->endpoint, one, sizeof(one)),
				server->zone[0] ? "%" : "", server->zone, modes[server->tls],
				server->tls_name[0] ? " " : "", server->tls_name);
		}
		for (size_t j = 0; j < group->n_domains; j++)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s%s",
						j > 0 ? " " : " (",
						group->domains[j][0] ? group->domains[j] : ".",
						j + 1 < group->n_domains ? "" : ")");
	}
	return text;
}

static void check_groups(const char *text, const char *expected)
{
	CLEANUP(config_freep) struct config *config = fresh();
	struct ini_error error;

	ck_assert_ptr_null(read_text(config, text));
	ck_assert_msg(config_check(config, &error) == 0, "%s: %s", text, error.text);
	ck_assert_msg(strcmp(describe_groups(config), expected) == 0, "%s: %s", text,
		      describe_groups(config));
}

START_TEST(servers_append_and_an_empty_value_clears)
{
	check_groups("[Resolve]\nServers=192.0.2.1 192.0.2.2:5300\nServers=[2001:db8::1]:54\n",
		     "192.0.2.1:53 192.0.2.2:5300 [2001:db8::1]:54");
	check_groups("[Resolve]\nServers=192.0.2.1\n[Daemon]\n[Resolve]\nServers=2001:db8::2\n",
		     "192.0.2.1:53 [2001:db8::2]:53");
	check_groups("[Resolve]\nServers=192.0.2.1\nServers=\nServers=\t192.0.2.3 \\\n 192.0.2.4\n",
		     "192.0.2.3:53 192.0.2.4:53");
	check_groups("[Resolve]\nServers=192.0.2.1\nServers=\n", "");
	check_groups("[Resolve]\nServers=192.0.2.1 192.0.2.1 192.0.2.2\n",
		     "192.0.2.1:53 192.0.2.2:53");
	check_groups(
		"[Resolve]\nServers=192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 192.0.2.5 192.0.2.6 192.0.2.7 192.0.2.8\n",
		"192.0.2.1:53 192.0.2.2:53 192.0.2.3:53 192.0.2.4:53 192.0.2.5:53 192.0.2.6:53 192.0.2.7:53 192.0.2.8:53");
}
END_TEST

START_TEST(servers_are_written_in_all_forms)
{
	check_groups("[Resolve]\nServers=192.0.2.1#5300 2001:db8::1#53 [2001:db8::1]#54 127.1\n",
		     "192.0.2.1:5300 [2001:db8::1]:53 [2001:db8::1]:54 127.0.0.1:53");
	/* Interfaces need not be there yet. */
	check_groups(
		"[Resolve]\nServers=fe80::1%eth9 fe80::1%eth9#5353 [fe80::2%no-such]:54 fe80::1%7#55\n",
		"[fe80::1]:53%eth9 [fe80::1]:5353%eth9 [fe80::2]:54%no-such [fe80::1%7]:55");
}
END_TEST

START_TEST(groups_have_servers_and_domains)
{
	check_groups(
		"[Resolve corp]\nServers=10.0.0.1\nDomain=Corp.Example. 10.in-addr.arpa\n"
		"Domain=corp.example\n[Resolve]\nServers=192.0.2.1\n"
		"[Resolve lab]\nDomain=.\nServers=10.0.0.2\n[Resolve corp]\nServers=10.0.0.3\n",
		"192.0.2.1:53, 10.0.0.1:53 10.0.0.3:53 (corp.example 10.in-addr.arpa), "
		"10.0.0.2:53 (.)");
	check_groups("[Resolve]\nServers=10.0.0.1\nDomain=corp.example ~lab.example ~.\n",
		     "10.0.0.1:53 (corp.example lab.example .)");
	check_groups("[Resolve a]\nServers=10.0.0.1\nDomain=a.test\nDomain=\nDomain=b.test\n",
		     ", 10.0.0.1:53 (b.test)");
	/* Another section may have what is taken away here. */
	check_groups("[Resolve]\nServers=10.0.0.1\nDomain=a.test\n[Resolve a]\nServers=10.0.0.2\n"
		     "Domain=a.test\n[Resolve]\nDomain=\n",
		     "10.0.0.1:53, 10.0.0.2:53 (a.test)");
}
END_TEST

START_TEST(tls_holds_for_each_server_of_its_section_whatever_the_order)
{
	check_groups(
		"[Resolve]\nServers=192.0.2.1 192.0.2.2:53\nTls=strict\nServerName=DNS.Example.\n"
		"Servers=[2001:db8::1]:8853\n",
		"192.0.2.1:853 strict dns.example 192.0.2.2:53 strict dns.example "
		"[2001:db8::1]:8853 strict dns.example");
	check_groups("[Resolve]\nServerName=dns.example\nTls=opportunistic\nServers=192.0.2.1\n"
		     "[Resolve a]\nServers=192.0.2.2\nDomain=a.test\n",
		     "192.0.2.1:853 opportunistic dns.example, 192.0.2.2:53 (a.test)");
	check_groups("[Resolve]\nTls=strict\nServers=192.0.2.1\n", "192.0.2.1:853 strict");
	check_groups("[Resolve]\nTls=strict\nServers=192.0.2.1\nServerName=x\nTls=no\n",
		     "192.0.2.1:53 x");
	check_groups("[Resolve]\nTls=strict\nServers=192.0.2.1\nServerName=x\nServerName=\n",
		     "192.0.2.1:853 strict");
}
END_TEST

START_TEST(half_a_group_is_refused_where_it_begins)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "[Resolve a]\nDomain=a.test\n",
		  "a.conf:1:1: [Resolve a] needs Servers=: there is nobody" },
		{ "[Resolve]\n[Resolve a]\n[Resolve a]\nServers=10.0.0.1\n",
		  "a.conf:2:1: [Resolve a] needs Domain=: without it no name is asked there" },
		{ "[Daemon]\n[Resolve]\nDomain=a.test\n",
		  "a.conf:2:1: [Resolve] needs Servers= beside Domain=" },
		{ "[Resolve]\nTls=strict\n", "a.conf:1:1: [Resolve] needs Servers= beside Tls=" },
		{ "[Resolve]\nServers=10.0.0.1\nServerName=a.test\n",
		  "a.conf:1:1: [Resolve] needs Tls= beside ServerName=" },
		{ "[Resolve a]\nServers=10.0.0.1\nDomain=b.test a.test\n[Resolve b]\nServers=10.0.0.2\nDomain=A.test.\n",
		  "a.conf:4:1: [Resolve b] has Domain=a.test as [Resolve a] has: a domain has one section" },
		{ "[Resolve]\nServers=10.0.0.1\nDomain=.\n[Resolve b]\nServers=10.0.0.2\nDomain=.\n",
		  "a.conf:4:1: [Resolve b] has Domain=. as [Resolve] has: a domain has one section" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(config_freep) struct config *config = fresh();
		struct ini_error error;

		ck_assert_ptr_null(read_text(config, cases[i].text));
		ck_assert_int_eq(config_check(config, &error), -EINVAL);
		ck_assert_msg(strncmp(error.text, cases[i].error, strlen(cases[i].error)) == 0,
			      "%s: %s", cases[i].text, error.text);
	}
}
END_TEST

START_TEST(groups_servers_and_domains_are_bounded)
{
	CLEANUP(config_freep) struct config *config = fresh();
	char text[256];

	for (int i = 1; i <= LIMIT_SERVER_GROUPS; i++) {
		(void)snprintf(text, sizeof(text),
			       "[Resolve g%d]\nServers=10.0.0.1\nDomain=g%d.test\n", i, i);
		ck_assert_ptr_null(read_text(config, text));
	}
	ck_assert_str_eq(read_text(config, "[Resolve more]\n"),
			 "a.conf:1:1: there are at most 32 sections [Resolve NAME]");
	for (int i = 1; i < LIMIT_GROUP_DOMAINS; i++) {
		(void)snprintf(text, sizeof(text), "[Resolve g1]\nDomain=d%d.test\n", i);
		ck_assert_ptr_null(read_text(config, text));
	}
	ck_assert_str_eq(read_text(config, "[Resolve g1]\nDomain=more.test\n"),
			 "a.conf:2:8: a section takes at most 64 domains");
	ck_assert_str_eq(
		read_text(config,
			  "[Resolve]\nServers=192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 192.0.2.5 "
			  "192.0.2.6 192.0.2.7 192.0.2.8 192.0.2.9\n"),
		"a.conf:2:9: there are at most 8 name servers");
}
END_TEST

/* Text and how the error begins. */
static const struct {
	const char *text, *error;
} refusals[] = {
	/* Unknown sections and keys; case matters. */
	{ "[Deamon]\n", "a.conf:1:1: [Deamon] is no section: expected Daemon, Resolve," },
	{ "[daemon]\nSocket=/a\n", "a.conf:1:1: [daemon] is no section" },
	{ "\n[Daemon x]\n", "a.conf:2:1: [Daemon] takes no argument" },
	{ "[Policy x]\n", "a.conf:1:1: [Policy] takes no argument" },
	{ "[Never x]\n", "a.conf:1:1: [Never] takes no argument" },
	{ "[Daemon]\nSockets=/a\n", "a.conf:2:9: Sockets= is no key of [Daemon]" },
	{ "[Daemon]\nsocket=/a\n", "a.conf:2:8: socket= is no key of [Daemon]" },
	{ "[Daemon]\nTimeoutMs=5\n", "a.conf:2:11: TimeoutMs= is no key of [Daemon]" },
	{ "[Policy]\nTo=1.2.3.4\n", "a.conf:2:4: To= is no key of [Policy]" },
	{ "[Never]\nDefault=deny\n", "a.conf:2:9: Default= is no key of [Never]" },
	{ "[Role a]\nmatch=uid:0\n", "a.conf:2:7: match= is no key of [Role]" },
	/* Described, but not there yet. */
	{ "[Listener a]\nSocket=/a\n", "a.conf:1:1: [Listener] is not supported yet" },
	{ "[Daemon]\nResolveSocket=/a\n",
	  "a.conf:2:15: ResolveSocket= in [Daemon] is not supported yet" },
	{ "[Connect]\nHistory=no\n",
	  "a.conf:2:9: History= must be shared, per-role or off, not \"no\"" },
	{ "[Limits]\nQueueKiBPerConnection=1\n",
	  "a.conf:2:23: QueueKiBPerConnection= in [Limits] is not supported yet" },
	{ "[Limits]\nLiveConnectionsPerUid=1\n",
	  "a.conf:2:23: LiveConnectionsPerUid= in [Limits] is not supported yet" },
	{ "[Role a]\nAllow=tcp a.test:80\n",
	  "a.conf:2:7: Allow=tcp is not supported yet: only Allow=listen is" },
	{ "[Role a]\nAllow=udp a.test:80\n", "a.conf:2:7: Allow=udp is not supported yet" },
	{ "[Role a]\nAllow=srv _a._tcp.a.test\n", "a.conf:2:7: Allow=srv is not supported yet" },
	{ "[Role a]\nAllow=dns TXT a.test\n", "a.conf:2:7: Allow=dns is not supported yet" },
	{ "[Role a]\nDeny=tcp a.test:80\n", "a.conf:2:6: Deny= in [Role] is not supported yet" },
	{ "[Role a]\nSet=mark=1\n", "a.conf:2:5: Set= in [Role] is not supported yet" },
	{ "[Role a]\nLimits=rate=1/s\n", "a.conf:2:8: Limits= in [Role] is not supported yet" },
	{ "[Role a]\nRequireSeal=all\n",
	  "a.conf:2:13: RequireSeal= in [Role] is not supported yet" },
	{ "[Role a]\nExplain=yes\n", "a.conf:2:9: Explain= in [Role] is not supported yet" },
	{ "[Role a]\nRevoke=yes\n", "a.conf:2:8: Revoke= in [Role] is not supported yet" },
	{ "[Role a]\nMode=enforce\n",
	  "a.conf:2:6: Mode=enforce is not supported yet: only open is" },
	{ "[Role a]\nMode=report\n", "a.conf:2:6: Mode=report is not supported yet: only open is" },
	{ "[Role a]\nMatch=unit:a.service\n",
	  "a.conf:2:7: Match=unit:a.service is not supported yet" },
	{ "[Role a]\nMatch=uid:0 cgroup:/a\n", "a.conf:2:7: Match=cgroup:/a is not supported yet" },
	{ "[Role a]\nMatch=gid:0\n", "a.conf:2:7: Match=gid:0 is not supported yet" },
	/* What a role may say. */
	{ "[Role a]\nOptions=mark noDelay\n",
	  "a.conf:2:9: \"noDelay\" is no privileged option: expected bindAddress, bindPort, "
	  "bindDevice, mark, typeOfService, priority, multipath or fastOpen" },
	{ "[Role a]\nOptions=Mark\n", "a.conf:2:9: \"Mark\" is no privileged option" },
	{ "[Role a]\nOptions=mark,priority\n",
	  "a.conf:2:9: \"mark,priority\" is no privileged option" },
	{ "[Role a]\nAllow=everything\n",
	  "a.conf:2:7: \"everything\" is no rule: expected Allow=listen" },
	{ "[Role a]\nAllow=listen\n", "a.conf:2:7: Allow=listen needs tcp or udp" },
	{ "[Role a]\nAllow=listen sctp *:*\n", "a.conf:2:7: Allow=listen needs tcp or udp" },
	{ "[Role a]\nAllow=listen *:80\n", "a.conf:2:7: Allow=listen needs tcp or udp" },
	{ "[Role a]\nAllow=listen tcp\n",
	  "a.conf:2:7: Allow=listen tcp needs ADDRESS:PORTS, as 192.0.2.1:80" },
	{ "[Role a]\nAllow=listen tcp 80\n",
	  "a.conf:2:7: \"80\" is nothing to listen on: expected ADDRESS:PORTS" },
	{ "[Role a]\nAllow=listen tcp :80\n", "a.conf:2:7: \":80\" is nothing to listen on" },
	{ "[Role a]\nAllow=listen tcp ::1:80\n", "a.conf:2:7: \"::1:80\" is nothing to listen on" },
	{ "[Role a]\nAllow=listen tcp [::1]\n", "a.conf:2:7: \"[::1]\" is nothing to listen on" },
	{ "[Role a]\nAllow=listen tcp [::1:80\n",
	  "a.conf:2:7: \"[::1:80\" is nothing to listen on" },
	{ "[Role a]\nAllow=listen tcp []:80\n", "a.conf:2:7: \"[]:80\" is nothing to listen on" },
	{ "[Role a]\nAllow=listen tcp [192.0.2.1]:80\n",
	  "a.conf:2:7: \"[192.0.2.1]:80\" is nothing to listen on" },
	{ "[Role a]\nAllow=listen tcp [*]:80\n", "a.conf:2:7: \"[*]:80\" is nothing to listen on" },
	{ "[Role a]\nAllow=listen tcp [fe80::1%lo]:80\n",
	  "a.conf:2:7: \"[fe80::1%lo]:80\" is nothing to listen on" },
	{ "[Role a]\nAllow=listen tcp 127.1:80\n",
	  "a.conf:2:7: \"127.1:80\" is nothing to listen on" },
	{ "[Role a]\nAllow=listen tcp 10.0.0.0/8:80\n",
	  "a.conf:2:7: \"10.0.0.0/8:80\" is nothing to listen on" },
	{ "[Role a]\nAllow=listen tcp localhost:80\n",
	  "a.conf:2:7: \"localhost:80\" is nothing to listen on" },
	{ "[Role a]\nAllow=listen tcp *:\n",
	  "a.conf:2:7: \"*:\": expected ports from 1 to 65535, as 80, 8000-8080,9000 or *" },
	{ "[Role a]\nAllow=listen tcp *:0\n", "a.conf:2:7: \"*:0\": expected ports from 1" },
	{ "[Role a]\nAllow=listen tcp *:0-80\n", "a.conf:2:7: \"*:0-80\": expected ports from 1" },
	{ "[Role a]\nAllow=listen tcp *:65536\n",
	  "a.conf:2:7: \"*:65536\": expected ports from 1" },
	{ "[Role a]\nAllow=listen tcp *:90-80\n",
	  "a.conf:2:7: \"*:90-80\": expected ports from 1" },
	{ "[Role a]\nAllow=listen tcp *:80-\n", "a.conf:2:7: \"*:80-\": expected ports from 1" },
	{ "[Role a]\nAllow=listen tcp *:-80\n", "a.conf:2:7: \"*:-80\": expected ports from 1" },
	{ "[Role a]\nAllow=listen tcp *:1-2-3\n",
	  "a.conf:2:7: \"*:1-2-3\": expected ports from 1" },
	{ "[Role a]\nAllow=listen tcp *:80,,90\n",
	  "a.conf:2:7: \"*:80,,90\": expected ports from 1" },
	{ "[Role a]\nAllow=listen tcp *:http\n", "a.conf:2:7: \"*:http\": expected ports from 1" },
	{ "[Role a]\nAllow=listen tcp *:*,80-\n",
	  "a.conf:2:7: \"*:*,80-\": expected ports from 1" },
	/* Values. */
	{ "[Daemon]\nSocket=a.sock\n",
	  "a.conf:2:8: Socket= must be a path that begins with \"/\", not \"a.sock\"" },
	{ "[Daemon]\nControlSocket=\n", "a.conf:2:15: ControlSocket= must be a path" },
	{ "[Resolve]\nHostsFile=hosts\n", "a.conf:2:11: HostsFile= must be a path" },
	{ "[Daemon]\nLogLevel=Debug\n",
	  "a.conf:2:10: LogLevel= must be err, warning, notice, info or debug" },
	{ "[Daemon]\nLogLevel=7\n", "a.conf:2:10: LogLevel= must be err, warning" },
	{ "[Resolve]\nServers=a.test\n",
	  "a.conf:2:9: \"a.test\" is no name server: expected 192.0.2.1," },
	{ "[Resolve]\nServers=192.0.2.1 192.0.2.2:x\n",
	  "a.conf:2:9: \"192.0.2.2:x\" is no name server" },
	{ "[Resolve]\nServers=192.0.2.1,192.0.2.2\n",
	  "a.conf:2:9: \"192.0.2.1,192.0.2.2\" is no name server" },
	{ "[Resolve]\nServers=unix/\n", "a.conf:2:9: \"unix/\" is no name server" },
	{ "[Resolve]\nServers=192.0.2.1:0\n", "a.conf:2:9: \"192.0.2.1:0\" is no name server" },
	{ "[Resolve]\nServers=2001:db8::1%lo\n",
	  "a.conf:2:9: \"2001:db8::1%lo\" is no name server" },
	{ "[Resolve]\nServers=fe80::1%a-name-far-too-long#53\n",
	  "a.conf:2:9: \"fe80::1%a-name-far-too-long#53\" is no name server" },
	{ "[Resolve]\nDomain=corp..example\n",
	  "a.conf:2:8: \"corp..example\" is no domain: a label of the name is empty; expected corp.example," },
	{ "[Resolve]\nDomain=b\xc3\xbc"
	  "cher.example\n",
	  "a.conf:2:8: \"b\xc3\xbc"
	  "cher.example\" is no domain: the name holds a character" },
	{ "[Resolve]\nDomain=~\n", "a.conf:2:8: \"~\" is no domain: the name is empty" },
	{ "[Resolve]\nTls=yes\n",
	  "a.conf:2:5: Tls= must be no, opportunistic or strict, not \"yes\"" },
	{ "[Resolve]\nTls=\n", "a.conf:2:5: Tls= must be no, opportunistic or strict" },
	{ "[Resolve]\nServerName=192.0.2.1\n",
	  "a.conf:2:12: ServerName= cannot be \"192.0.2.1\": it must be the name in the certificate" },
	{ "[Resolve]\nServerName=.\n", "a.conf:2:12: ServerName= cannot be \".\"" },
	{ "[Resolve]\nServerName=a b\n",
	  "a.conf:2:12: ServerName= cannot be \"a b\": the name holds a character" },
	{ "[Resolve]\nHostsOrder=dns\n",
	  "a.conf:2:12: HostsOrder= must be hosts-first or dns-first, not \"dns\"" },
	{ "[Resolve]\nRandomCase=true\n",
	  "a.conf:2:12: RandomCase= must be no or yes, not \"true\"" },
	{ "[Resolve]\nNat64=64:ff9b::/95\n",
	  "a.conf:2:7: Nat64= cannot be \"64:ff9b::/95\": expected auto, no, or prefixes such as" },
	{ "[Resolve]\nNat64=\n", "a.conf:2:7: Nat64= cannot be \"\": expected auto, no" },
	{ "[Resolve corp]\nNat64=no\n", "a.conf:2:7: Nat64= is no key of [Resolve corp]" },
	{ "[Connect]\nGaiConf=gai.conf\n", "a.conf:2:9: GaiConf= must be a path" },
	{ "[Resolve corp]\nHostsFile=/h\n",
	  "a.conf:2:11: HostsFile= is no key of [Resolve corp]: expected Servers=, Domain=, Tls= or ServerName=" },
	{ "[Resolve a\xff]\n", "a.conf:1:1: a section's name must be UTF-8 text" },
	{ "[Policy]\nDefault=Deny\n", "a.conf:2:9: Default= must be deny or allow, not \"Deny\"" },
	{ "[Policy]\nDefault=\n", "a.conf:2:9: Default= must be deny or allow" },
	{ "[Never]\nTo=a.test\n",
	  "a.conf:2:4: \"a.test\" is no address and no network such as 192.0.2.0/24" },
	{ "[Never]\nTo=192.0.2.1 10.0.0.0/33\n", "a.conf:2:4: \"10.0.0.0/33\" is no address" },
	{ "[Never]\nTo=10.0.0.0/\n", "a.conf:2:4: \"10.0.0.0/\" is no address" },
	{ "[Never]\nTo=10.0.0.0/8/8\n", "a.conf:2:4: \"10.0.0.0/8/8\" is no address" },
	{ "[Never]\nTo=10.0.0.0/-8\n", "a.conf:2:4: \"10.0.0.0/-8\" is no address" },
	{ "[Never]\nTo=/8\n", "a.conf:2:4: \"/8\" is no address" },
	{ "[Never]\nTo=2001:db8::/129\n", "a.conf:2:4: \"2001:db8::/129\" is no address" },
	{ "[Never]\nTo=fe80::1%lo\n", "a.conf:2:4: \"fe80::1%lo\" is no address" },
	{ "[Never]\nTo=192.0.2.1:80\n", "a.conf:2:4: \"192.0.2.1:80\" is no address" },
	/* Short forms of IPv4 mean something else than people think. */
	{ "[Never]\nTo=10/8\n", "a.conf:2:4: \"10/8\" is no address" },
	{ "[Never]\nTo=10.1/16\n", "a.conf:2:4: \"10.1/16\" is no address" },
	{ "[Never]\nTo=192.168.010.1\n", "a.conf:2:4: \"192.168.010.1\" is no address" },
	{ "[Never]\nTo=0x7f000001\n", "a.conf:2:4: \"0x7f000001\" is no address" },
	/* Roles. */
	{ "[Role]\n", "a.conf:1:1: a role needs a name, as in [Role web]" },
	{ "[Role a\xff]\n", "a.conf:1:1: a role's name must be UTF-8 text" },
	{ "[Role a]\n[Role b]\n[Role a]\n", "a.conf:3:1: [Role a] stands in a.conf already" },
	{ "[Role a]\nMode=\n", "a.conf:2:6: Mode= must be open" },
	{ "[Role a]\nMode=closed\n", "a.conf:2:6: Mode= must be open, not \"closed\"" },
	{ "[Role a]\nMatch=uid:\n", "a.conf:2:7: \"uid:\": there is no such user" },
	{ "[Role a]\nMatch=uid:4294967295\n",
	  "a.conf:2:7: \"uid:4294967295\": there is no such user" },
	{ "[Role a]\nMatch=uid:-1\n", "a.conf:2:7: \"uid:-1\": there is no such user" },
	{ "[Role a]\nMatch=uid:no-such-user\n",
	  "a.conf:2:7: \"uid:no-such-user\": there is no such user in /etc/passwd" },
	{ "[Role a]\nMatch=netns:\n", "a.conf:2:7: \"netns:\" is no condition" },
	{ "[Role a]\nMatch=netns:Same\n", "a.conf:2:7: \"netns:Same\" is no condition" },
	{ "[Role a]\nMatch=uid:0,uid:1\n", "a.conf:2:7: \"uid:0,uid:1\": there is no such user" },
	{ "[Role a]\nMatch=*\n", "a.conf:2:7: \"*\" is no condition: expected uid:N" },
	/* What the reader of lines refuses comes through. */
	{ "[Daemon\n", "a.conf:1:1: a section needs its closing" },
};

START_TEST(refusals_say_where_and_what_would_be_right)
{
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		CLEANUP(config_freep) struct config *config = fresh();
		const char *error = read_text(config, refusals[i].text);

		ck_assert_msg(
			error && strncmp(error, refusals[i].error, strlen(refusals[i].error)) == 0,
			"%s: %s", refusals[i].text, error);
	}
}
END_TEST

START_TEST(policy_is_read_as_data)
{
	CLEANUP(config_freep) struct config *config = fresh();
	const struct rules *rules = &config->rules;
	char text[ADDRESS_TEXT_SIZE];

	ck_assert_ptr_null(read_text(config, "[Never]\nTo=192.0.2.1\n"));
	ck_assert(!rules->is_configured);
	ck_assert_ptr_null(read_text(
		config,
		"[Never]\nTo=\nTo=10.0.0.0/8 2001:db8::/32\nTo=::ffff:198.51.100.0/120 ::/0\n"));
	ck_assert(!rules->is_configured);
	ck_assert_uint_eq(rules->n_never, 4);
	ck_assert_str_eq(address_format(&rules->never[0].address, text, sizeof(text)), "10.0.0.0");
	ck_assert_uint_eq(rules->never[0].prefix_len, 8);
	ck_assert_str_eq(address_format(&rules->never[1].address, text, sizeof(text)),
			 "2001:db8::");
	ck_assert_uint_eq(rules->never[1].prefix_len, 32);
	ck_assert_str_eq(address_format(&rules->never[2].address, text, sizeof(text)),
			 "198.51.100.0");
	ck_assert_uint_eq(rules->never[2].prefix_len, 24);
	ck_assert_uint_eq(rules->never[3].prefix_len, 0);
	ck_assert_ptr_null(read_text(
		config, "[Role web server]\nMatch=uid:0 netns:other\nMatch=uid:root\nMode=open\n"
			"[Role b]\nMode=open\nMatch=netns:same\nMatch=\nMatch=uid:65534\n"));
	ck_assert(rules->is_configured);
	ck_assert(!rules->default_allow);
	ck_assert_uint_eq(rules->n_roles, 2);
	ck_assert_str_eq(rules->roles[0].name, "web server");
	ck_assert_str_eq(rules->roles[0].file, "a.conf");
	ck_assert(rules->roles[0].is_open);
	ck_assert_uint_eq(rules->roles[0].n_matches, 2);
	ck_assert_uint_eq(rules->roles[0].matches[0].n_conditions, 2);
	ck_assert_int_eq(rules->roles[0].matches[0].conditions[1].kind, RULES_MATCH_NETNS);
	ck_assert(!rules->roles[0].matches[0].conditions[1].same_netns);
	ck_assert_int_eq(rules->roles[0].matches[1].conditions[0].kind, RULES_MATCH_UID);
	ck_assert_uint_eq(rules->roles[0].matches[1].conditions[0].uid, 0);
	ck_assert_uint_eq(rules->roles[1].n_matches, 1);
	ck_assert_uint_eq(rules->roles[1].matches[0].conditions[0].uid, 65534);
	ck_assert_ptr_null(read_text(config, "[Policy]\nDefault=deny\nDefault=allow\n"));
	ck_assert(rules->default_allow);
}
END_TEST

START_TEST(policy_section_alone_is_a_policy)
{
	CLEANUP(config_freep) struct config *config = fresh();

	ck_assert_ptr_null(read_text(config, "[Policy]\n"));
	ck_assert(config->rules.is_configured);
	ck_assert(!config->rules.default_allow);
}
END_TEST

/* A folder of its own with asockd.conf, asockd.conf.d and policy.d; removed by tear_down(). */
struct place {
	char *folder, *file, *drop_ins, *policies; /* owned */
	char *made[16];				   /* owned: paths of files */
	size_t n_made;
};

static void set_up(struct place *place)
{
	const char *tmp = getenv("TMPDIR");

	*place = (struct place){ 0 };
	ck_assert_int_gt(asprintf(&place->folder, "%s/asock-config-XXXXXX", tmp ? tmp : "/tmp"), 0);
	ck_assert_ptr_nonnull(mkdtemp(place->folder));
	ck_assert_int_gt(asprintf(&place->file, "%s/asockd.conf", place->folder), 0);
	ck_assert_int_gt(asprintf(&place->drop_ins, "%s/asockd.conf.d", place->folder), 0);
	ck_assert_int_gt(asprintf(&place->policies, "%s/policy.d", place->folder), 0);
	ck_assert_int_eq(mkdir(place->drop_ins, 0700), 0);
	ck_assert_int_eq(mkdir(place->policies, 0700), 0);
}

static void put(struct place *place, const char *name, const char *text)
{
	char *path;
	FILE *file;

	ck_assert_uint_lt(place->n_made, ARRAY_LEN(place->made));
	ck_assert_int_gt(asprintf(&path, "%s/%s", place->folder, name), 0);
	place->made[place->n_made++] = path;
	file = fopen(path, "we");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

static void tear_down(struct place *place)
{
	for (size_t i = 0; i < place->n_made; i++) {
		(void)unlink(place->made[i]);
		free(place->made[i]);
	}
	(void)rmdir(place->drop_ins);
	(void)rmdir(place->policies);
	ck_assert_int_eq(rmdir(place->folder), 0);
	free(place->folder);
	free(place->file);
	free(place->drop_ins);
	free(place->policies);
}

START_TEST(files_are_read_in_order_and_the_last_wins)
{
	static const char *const overrides[] = { "Connect.TimeoutMs=9", "Resolve.Servers=192.0.2.7",
						 "Never.To=192.0.2.9", "Daemon.Socket=/o=x.y" };
	CLEANUP(config_freep) struct config *config = NULL;
	struct ini_error error;
	struct place place;

	set_up(&place);
	put(&place, "asockd.conf",
	    "[Connect]\nTimeoutMs=1\nAttemptDelayMs=101\nResolutionDelayMs=1\n"
	    "[Limits]\nConnections=1\nAttemptsInFlight=1\n[Resolve]\nServers=192.0.2.1\n");
	put(&place, "asockd.conf.d/9.conf",
	    "[Limits]\nConnections=3\nConnectionsPerUid=3\n[Resolve]\nServers=192.0.2.3\n");
	put(&place, "asockd.conf.d/10.conf",
	    "[Connect]\nAttemptDelayMs=102\nTimeoutMs=2\n[Limits]\nConnections=2\n"
	    "AttemptsInFlight=2\n[Resolve]\nServers=192.0.2.2\n");
	put(&place, "policy.d/b.conf",
	    "[Role b]\nMatch=uid:2\nMode=open\n[Limits]\nConnectionsPerUid=5\n");
	put(&place, "policy.d/B.conf",
	    "[Role B]\nMatch=uid:1\nMode=open\n[Limits]\nConnectionsPerUid=4\n");
	put(&place, "asockd.conf.d/.hidden.conf", "nonsense\n");
	put(&place, "asockd.conf.d/x.conf~", "nonsense\n");
	put(&place, "asockd.conf.d/x.CONF", "nonsense\n");
	put(&place, "asockd.conf.d/conf", "nonsense\n");
	put(&place, "policy.d/README", "nonsense\n");
	ck_assert_msg(load(&config, place.file, overrides, 4, &error) == 0, "%s", error.text);
	ck_assert_uint_eq(config->timeout_us, 9000);
	ck_assert_uint_eq(config->attempt_delay_us, 102000);
	ck_assert_uint_eq(config->resolution_delay_us, 1000);
	ck_assert_uint_eq(config->connections, 3);
	ck_assert_uint_eq(config->attempts_in_flight, 2);
	ck_assert_uint_eq(config->connections_per_uid, 5);
	ck_assert_str_eq(config->socket, "/o=x.y");
	ck_assert_str_eq(describe_groups(config),
			 "192.0.2.1:53 192.0.2.2:53 192.0.2.3:53 192.0.2.7:53");
	ck_assert_uint_eq(config->rules.n_roles, 2);
	ck_assert_str_eq(config->rules.roles[0].name, "B");
	ck_assert_str_eq(config->rules.roles[1].name, "b");
	ck_assert_uint_eq(config->rules.n_never, 1);
	ck_assert_str_eq(error.text, "");
	tear_down(&place);
}
END_TEST

START_TEST(file_that_nobody_named_may_be_missing_and_its_folders_count)
{
	CLEANUP(config_freep) struct config *config = NULL;
	struct ini_error error;
	struct place place;
	struct config_source source = { .may_be_missing = true };

	set_up(&place);
	put(&place, "policy.d/a.conf", "[Role a]\nMatch=uid:1\nMode=open\n");
	source.file = place.file;
	ck_assert_msg(config_load(&config, &source, &error) == 0, "%s", error.text);
	ck_assert_uint_eq(config->rules.n_roles, 1);
	config = config_free(config);
	source.may_be_missing = false;
	ck_assert_int_eq(config_load(&config, &source, &error), -ENOENT);
	ck_assert_ptr_nonnull(strstr(error.text, "cannot be read"));
	/* There, but of no use: that is an error whoever named it. */
	ck_assert_int_eq(mkdir(place.file, 0700), 0);
	source.may_be_missing = true;
	ck_assert_int_lt(config_load(&config, &source, &error), 0);
	ck_assert_int_eq(rmdir(place.file), 0);
	tear_down(&place);
}
END_TEST

START_TEST(override_can_clear_a_list)
{
	static const char *const overrides[] = { "Resolve.Servers=", "Resolve.Servers=192.0.2.2" };
	CLEANUP(config_freep) struct config *config = NULL;
	const char *file = suite_write_file("[Resolve]\nServers=192.0.2.1\n");
	struct ini_error error;

	ck_assert_msg(load(&config, file, overrides, 2, &error) == 0, "%s", error.text);
	ck_assert_str_eq(describe_groups(config), "192.0.2.2:53");
}
END_TEST

START_TEST(override_makes_a_policy)
{
	static const char *const overrides[] = { "Policy.Default=allow" };
	CLEANUP(config_freep) struct config *config = NULL;
	struct ini_error error;

	ck_assert_int_eq(load(&config, NULL, overrides, 1, &error), 0);
	ck_assert(config->rules.is_configured);
	ck_assert(config->rules.default_allow);
}
END_TEST

START_TEST(bad_overrides_are_refused_and_quoted)
{
	static const char *const overrides[][2] = {
		{ "", ": expected SECTION.KEY=VALUE" },
		{ "Connect", "Connect: expected SECTION.KEY=VALUE" },
		{ "Connect.TimeoutMs", "Connect.TimeoutMs: expected SECTION.KEY=VALUE" },
		{ "TimeoutMs=5", "TimeoutMs=5: expected SECTION.KEY=VALUE" },
		{ "Connect=x.y", "Connect=x.y: expected SECTION.KEY=VALUE" },
		{ "Connect.TimeoutMs=x",
		  "Connect.TimeoutMs=x: TimeoutMs= must be a number from 1 to 3600000" },
		{ "Connect.Timeout=5", "Connect.Timeout=5: Timeout= is no key of [Connect]" },
		{ "Connect.=5", "Connect.=5: = is no key of [Connect]" },
		{ ".TimeoutMs=5", ".TimeoutMs=5: [] is no section" },
		{ "Nothing.X=5", "Nothing.X=5: [Nothing] is no section" },
		{ "Role.Mode=open", "Role.Mode=open: a role cannot be given on the command line" },
		{ "Role web.Mode=open", "Role web.Mode=open: [Role web] is no section" },
		{ "Listener.Socket=/x", "Listener.Socket=/x: [Listener] is not supported yet" },
		{ "Daemon.Socket=x", "Daemon.Socket=x: Socket= must be a path" },
	};

	for (size_t i = 0; i < ARRAY_LEN(overrides); i++) {
		struct config *config = NULL;
		struct ini_error error;
		int r = load(&config, NULL, &overrides[i][0], 1, &error);

		ck_assert_msg(r == -EINVAL, "%s", overrides[i][0]);
		ck_assert_msg(strncmp(error.text, overrides[i][1], strlen(overrides[i][1])) == 0,
			      "%s", error.text);
		ck_assert_ptr_null(config);
	}
}
END_TEST

/* Loads what lies at the place and answers the error behind the folder's name; NULL: there was none. */
static const char *load_error(struct place *place, int expected)
{
	static struct ini_error error;
	struct config *config = NULL;
	int r = load(&config, place->file, NULL, 0, &error);

	ck_assert_int_eq(r, expected);
	config_free(config);
	if (r == 0)
		return NULL;
	ck_assert_int_eq(strncmp(error.text, place->folder, strlen(place->folder)), 0);
	return error.text + strlen(place->folder) + 1;
}

START_TEST(role_in_two_files_is_refused)
{
	struct place place;
	CLEANUP(freep) char *expected = NULL;

	set_up(&place);
	put(&place, "asockd.conf", "");
	put(&place, "policy.d/1.conf", "[Role a]\nMatch=uid:1\nMode=open\n");
	ck_assert_ptr_null(load_error(&place, 0));
	put(&place, "policy.d/2.conf", "# first\n[Role a]\nMatch=uid:2\nMode=open\n");
	ck_assert_int_gt(
		asprintf(
			&expected,
			"policy.d/2.conf:2:1: [Role a] stands in %s/1.conf already: a role stands once, in one file",
			place.policies),
		0);
	ck_assert_str_eq(load_error(&place, -EINVAL), expected);
	tear_down(&place);
}
END_TEST

START_TEST(half_a_role_is_refused_where_it_begins)
{
	struct place place;

	set_up(&place);
	put(&place, "asockd.conf", "\n[Role a]\nMatch=uid:1\n");
	ck_assert_str_eq(load_error(&place, -EINVAL),
			 "asockd.conf:2:1: [Role a] needs Mode=: this version supports Mode=open");
	put(&place, "asockd.conf", "[Role b]\nMatch=uid:1\nMode=open\n  [Role a]\nMode=open\n");
	ck_assert_str_eq(load_error(&place, -EINVAL),
			 "asockd.conf:4:3: [Role a] needs Match=: without it the role fits nobody");
	put(&place, "asockd.conf", "[Role a]\nMatch=uid:1\nMode=open\nMatch=\n");
	ck_assert_str_eq(load_error(&place, -EINVAL),
			 "asockd.conf:1:1: [Role a] needs Match=: without it the role fits nobody");
	tear_down(&place);
}
END_TEST

START_TEST(errors_name_the_file_they_are_in)
{
	struct place place;

	set_up(&place);
	put(&place, "asockd.conf", "[Daemon]\n");
	put(&place, "asockd.conf.d/a.conf", "[Daemon]\n\nLogLevel=loud\n");
	ck_assert_str_eq(
		load_error(&place, -EINVAL),
		"asockd.conf.d/a.conf:3:10: LogLevel= must be err, warning, notice, info or debug, not \"loud\"");
	/* A section does not reach into the next file. */
	put(&place, "asockd.conf.d/a.conf", "LogLevel=debug\n");
	ck_assert_str_eq(
		load_error(&place, -EINVAL),
		"asockd.conf.d/a.conf:1:1: a key must stand below a section such as [Daemon]");
	tear_down(&place);
}
END_TEST

START_TEST(what_cannot_be_read_is_refused)
{
	struct place place;

	set_up(&place);
	ck_assert_str_eq(load_error(&place, -ENOENT),
			 "asockd.conf: cannot be read: No such file or directory");
	put(&place, "asockd.conf", "");
	ck_assert_ptr_null(load_error(&place, 0));
	put(&place, "policy.d/a.conf", "");
	(void)unlink(place.made[1]);
	ck_assert_int_eq(symlink("nowhere", place.made[1]), 0);
	ck_assert_str_eq(load_error(&place, -ENOENT),
			 "policy.d/a.conf: cannot be read: No such file or directory");
	(void)unlink(place.made[1]);
	ck_assert_int_eq(mkdir(place.made[1], 0700), 0);
	ck_assert_str_eq(load_error(&place, -EINVAL),
			 "policy.d/a.conf: cannot be read: Invalid argument");
	ck_assert_int_eq(rmdir(place.made[1]), 0);
	ck_assert_int_eq(rmdir(place.policies), 0);
	ck_assert_ptr_null(load_error(&place, 0)); /* folders need not be there */
	put(&place, "policy.d", "no folder");
	ck_assert_str_eq(load_error(&place, -ENOTDIR), "policy.d: cannot be read: Not a directory");
	(void)unlink(place.policies);
	ck_assert_int_eq(mkdir(place.policies, 0700), 0);
	tear_down(&place);
}
END_TEST

START_TEST(file_without_permission_is_refused)
{
	struct place place;
	uid_t uid = geteuid();

	set_up(&place);
	put(&place, "asockd.conf", "[Daemon]\n");
	ck_assert_int_eq(chmod(place.folder, 0711), 0);
	ck_assert_int_eq(chmod(place.file, 0), 0);
	if (uid == 0)
		ck_assert_int_eq(seteuid(65534), 0); /* root may read everything */
	ck_assert_str_eq(load_error(&place, -EACCES),
			 "asockd.conf: cannot be read: Permission denied");
	ck_assert_int_eq(seteuid(uid), 0);
	tear_down(&place);
}
END_TEST

SUITE_MAIN("config", defaults_are_those_of_the_manual_and_of_limits, numbers_keep_their_bounds,
	   paths_and_levels_are_read, the_last_scalar_wins,
	   servers_append_and_an_empty_value_clears, servers_are_written_in_all_forms,
	   groups_have_servers_and_domains,
	   tls_holds_for_each_server_of_its_section_whatever_the_order,
	   half_a_group_is_refused_where_it_begins, groups_servers_and_domains_are_bounded,
	   refusals_say_where_and_what_would_be_right, policy_is_read_as_data,
	   policy_section_alone_is_a_policy, files_are_read_in_order_and_the_last_wins,
	   file_that_nobody_named_may_be_missing_and_its_folders_count, override_can_clear_a_list,
	   override_makes_a_policy, bad_overrides_are_refused_and_quoted,
	   role_in_two_files_is_refused, half_a_role_is_refused_where_it_begins,
	   errors_name_the_file_they_are_in, what_cannot_be_read_is_refused,
	   file_without_permission_is_refused)
