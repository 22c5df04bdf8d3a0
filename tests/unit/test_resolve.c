/* SPDX-License-Identifier: MIT */
/*
 * Resolution against files and a scripted name server: which source answers, what is asked of whom, and in how many
 * answers it is told.
 */
#include "daemon/resolve/resolve.h"

#include <event2/event.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "daemon/base/clock.h"
#include "daemon/resolve/name.h"
#include "protocol/error.h"
#include "tests/support/dns_server.h"
#include "tests/support/suite.h"

#define MS(n)	    ((uint64_t)(n)*1000)
#define MAX_ASKED   64
#define MAX_ANSWERS 2

struct answer {
	int family, status;
	size_t n;
	struct candidate items[LIMIT_DNS_ADDRESSES];
};

struct scene {
	struct event_base *base;
	struct resolver *resolver;
	struct resolver_params files;
	struct dns_server *server;
	struct resolve_params params; /* of the next one: the test's to change */
	struct resolve *resolve;
	const char *reason;
	/* what allow was asked and says */
	char asked[MAX_ASKED][LIMIT_NAME_BYTES + 1];
	size_t n_asked;
	const char *denied; /* NULL: none; "*": all */
	/* what was told */
	struct answer answers[MAX_ANSWERS];
	size_t n_answers;
	bool in_start, done, cancel_in_answer, cancel_in_done, free_in_done;
	int status;
};

static void scene_open(struct scene *scene, const char *hosts, const char *resolv_conf)
{
	*scene = (struct scene){
		.base = event_base_new(),
		.files = { .hosts_file = suite_write_file(hosts),
			   .services_file = suite_write_file("http 80/tcp\n"),
			   .resolv_conf = suite_write_file(resolv_conf) },
		.params = { .port = 80 },
	};
	ck_assert_ptr_nonnull(scene->base);
	ck_assert_int_eq(resolver_new(&scene->resolver, &scene->files), 0);
}

static void scene_add_server(struct scene *scene, const struct dns_rule *rules, size_t n_rules)
{
	struct endpoint endpoint;
	struct name_servers group;

	scene->server = dns_server_new(scene->base, rules, n_rules);
	endpoint = dns_server_endpoint(scene->server);
	group = dns_server_group(&endpoint, 1);
	scene->files.groups = &group;
	scene->files.n_groups = 1;
	ck_assert_int_eq(resolver_configure(scene->resolver, &scene->files), 0);
	scene->files.groups = NULL;
	scene->files.n_groups = 0;
}

static void scene_close(struct scene *scene)
{
	scene->resolve = resolve_free(scene->resolve);
	dns_server_free(scene->server);
	resolver_free(scene->resolver);
	event_base_free(scene->base);
}

static bool on_allow(const char *name, void *arg)
{
	struct scene *scene = arg;

	ck_assert_uint_lt(scene->n_asked, MAX_ASKED);
	(void)snprintf(scene->asked[scene->n_asked++], sizeof(scene->asked[0]), "%s", name);
	return !scene->denied ||
	       (strcmp(scene->denied, "*") != 0 && strcmp(scene->denied, name) != 0);
}

static void on_answer(struct resolve *resolve, int family, int status,
		      const struct candidate *items, size_t n, void *arg)
{
	struct scene *scene = arg;
	struct answer *answer = &scene->answers[scene->n_answers];

	ck_assert(!scene->in_start && !scene->done);
	ck_assert_ptr_eq(resolve, scene->resolve);
	ck_assert_uint_lt(scene->n_answers, MAX_ANSWERS);
	ck_assert_uint_le(n, ARRAY_LEN(answer->items));
	ck_assert(status == 0 || n == 0);
	for (size_t i = 0; i < scene->n_answers; i++)
		ck_assert_int_ne(scene->answers[i].family, family);
	*answer = (struct answer){ .family = family, .status = status, .n = n };
	for (size_t i = 0; i < n; i++) {
		ck_assert_int_eq(items[i].endpoint.address.family, family);
		answer->items[i] = items[i];
	}
	scene->n_answers++;
	if (scene->cancel_in_answer)
		resolve_cancel(resolve);
}

static void on_done(struct resolve *resolve, int status, void *arg)
{
	struct scene *scene = arg;

	ck_assert(!scene->in_start && !scene->done);
	ck_assert_ptr_eq(resolve, scene->resolve);
	scene->done = true;
	scene->status = status;
	if (scene->cancel_in_done)
		resolve_cancel(resolve);
	if (scene->free_in_done)
		scene->resolve = resolve_free(resolve);
}

static int make(struct scene *scene, const char *host)
{
	CLEANUP(freep) char *copy = strdup(host);

	scene->resolve = resolve_free(scene->resolve);
	scene->n_asked = scene->n_answers = 0;
	scene->done = false;
	scene->reason = NULL;
	scene->params.host = copy;
	scene->params.allow = on_allow;
	scene->params.allow_arg = scene;
	if (scene->params.deadline_us == 0)
		scene->params.deadline_us = clock_now_us() + 30 * USEC_PER_SEC;
	return resolve_new(&scene->resolve, &scene->params, scene->resolver, scene->base,
			   &scene->reason);
}

static void start(struct scene *scene, const char *host)
{
	ck_assert_int_eq(make(scene, host), 0);
	scene->in_start = true;
	ck_assert_int_eq(resolve_start(scene->resolve, on_answer, on_done, scene), 0);
	scene->in_start = false;
}

static void run(struct scene *scene, const char *host)
{
	start(scene, host);
	suite_loop(scene->base, &scene->done);
}

/* The answer for a family that was told. */
static const struct answer *answer_of(const struct scene *scene, int family)
{
	for (size_t i = 0; i < scene->n_answers; i++)
		if (scene->answers[i].family == family)
			return &scene->answers[i];
	ck_abort_msg("no answer for family %d", family);
	return NULL;
}

/* All addresses of all answers, in the order told, separated by blanks. */
static const char *addresses_of(const struct scene *scene)
{
	static char text[512];
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < scene->n_answers; i++) {
		for (size_t j = 0; j < scene->answers[i].n; j++) {
			char one[ADDRESS_TEXT_SIZE];

			(void)address_format(&scene->answers[i].items[j].endpoint.address, one,
					     sizeof(one));
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
						len > 0 ? " " : "", one);
		}
	}
	return text;
}

/* The names the server was asked for, each once, in order, separated by blanks. */
static const char *seen_by(const struct scene *scene)
{
	static char text[2048];
	size_t n, len = 0;
	const struct dns_seen *seen = dns_server_get_seen(scene->server, &n);

	text[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		bool is_known = false;

		for (size_t j = 0; j < i; j++)
			is_known = is_known || strcmp(seen[i].name, seen[j].name) == 0;
		if (!is_known)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
						len > 0 ? " " : "", seen[i].name);
	}
	return text;
}

static size_t count_seen(const struct scene *scene)
{
	return dns_server_count(scene->server, NULL, 0);
}

START_TEST(a_literal_is_its_own_answer)
{
	static const struct {
		const char *host, *address, *name;
	} cases[] = {
		{ "192.0.2.1", "192.0.2.1", "192.0.2.1" },
		{ "127.1", "127.0.0.1", "127.0.0.1" },
		{ "2001:DB8::1", "2001:db8::1", "2001:db8::1" },
	};
	struct scene scene;

	scene_open(&scene, "192.0.2.9 192.0.2.1\n", "");
	scene_add_server(&scene, NULL, 0);
	scene.denied = "*"; /* names are judged, literals are not names */
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		run(&scene, cases[i].host);
		ck_assert_int_eq(scene.status, 0);
		ck_assert_str_eq(addresses_of(&scene), cases[i].address);
		ck_assert_str_eq(resolve_get_name(scene.resolve), cases[i].name);
		ck_assert_ptr_null(resolve_get_server(scene.resolve));
		ck_assert_uint_eq(scene.n_asked, 0);
		ck_assert_uint_eq(scene.n_answers, 2);
	}
	ck_assert_int_eq(answer_of(&scene, AF_INET)->status, -ASOCK_E_NO_DATA);
	ck_assert_int_eq(answer_of(&scene, AF_INET6)->items[0].source, SOURCE_LITERAL);
	ck_assert_uint_eq(answer_of(&scene, AF_INET6)->items[0].endpoint.port, 80);
	ck_assert_str_eq(answer_of(&scene, AF_INET6)->items[0].target, "2001:db8::1");
	ck_assert_uint_eq(count_seen(&scene), 0);
	scene_close(&scene);
}
END_TEST

START_TEST(a_literal_of_a_family_that_is_not_wanted_is_no_data)
{
	struct scene scene;

	scene_open(&scene, "", "");
	scene.params.families = FAMILY_INET6;
	run(&scene, "192.0.2.1");
	ck_assert_int_eq(scene.status, -ASOCK_E_NO_DATA);
	ck_assert_uint_eq(scene.n_answers, 1);
	ck_assert_int_eq(scene.answers[0].family, AF_INET6);
	scene_close(&scene);
}
END_TEST

START_TEST(bad_names_are_refused_by_new)
{
	static const char *const names[] = { "",    ".",	 "a..b",      " ",
					     "a b", "1.2.3.4.5", "256.1.1.1", "a/b" };
	char long_name[300];
	struct scene scene;

	scene_open(&scene, "", "");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		int r = make(&scene, names[i]);

		ck_assert_msg(r == -ASOCK_E_INVALID_NAME, "%s: %d", names[i], r);
		ck_assert_ptr_nonnull(scene.reason);
		ck_assert_ptr_null(scene.resolve);
	}
	memset(long_name, 'a', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	ck_assert_int_eq(make(&scene, long_name), -ASOCK_E_INVALID_NAME);
	scene_close(&scene);
}
END_TEST

START_TEST(localhost_and_below_is_loopback_and_never_asked)
{
	static const char *const names[] = { "localhost", "LOCALHOST.", "a.b.localhost" };
	struct scene scene;

	scene_open(&scene, "192.0.2.1 localhost a.b.localhost\n", "search example\n");
	scene_add_server(&scene, NULL, 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		run(&scene, names[i]);
		ck_assert_int_eq(scene.status, 0);
		ck_assert_str_eq(addresses_of(&scene), "::1 127.0.0.1");
		ck_assert_int_eq(scene.answers[0].items[0].source, SOURCE_SYNTHETIC);
		ck_assert_uint_eq(scene.n_asked, 1);
	}
	scene.denied = "*";
	run(&scene, "localhost");
	ck_assert_int_eq(scene.status, -ASOCK_E_DENIED);
	ck_assert_uint_eq(count_seen(&scene), 0);
	scene_close(&scene);
}
END_TEST

START_TEST(a_name_of_the_hosts_file_never_asks_dns)
{
	static const struct dns_rule rule = { .addresses = "192.0.2.9 2001:db8::9" };
	struct scene scene;

	scene_open(
		&scene,
		"192.0.2.1 four.test\n2001:db8::1 six.test\n192.0.2.1 both.test\n2001:db8::2 both.test\n"
		"192.0.2.7 printer.local\n192.0.2.8 x.invalid\n",
		"search example\n");
	scene_add_server(&scene, &rule, 1);
	run(&scene, "four.test");
	ck_assert_int_eq(scene.status, 0);
	ck_assert_str_eq(addresses_of(&scene), "192.0.2.1");
	ck_assert_int_eq(answer_of(&scene, AF_INET6)->status, -ASOCK_E_NO_DATA);
	ck_assert_int_eq(answer_of(&scene, AF_INET)->items[0].source, SOURCE_HOSTS);
	run(&scene, "both.test.");
	ck_assert_str_eq(addresses_of(&scene), "2001:db8::2 192.0.2.1");
	scene.params.families = FAMILY_INET;
	run(&scene, "six.test"); /* another family than the one wanted */
	ck_assert_int_eq(scene.status, -ASOCK_E_NO_DATA);
	run(&scene, "printer.local");
	ck_assert_str_eq(addresses_of(&scene), "192.0.2.7");
	run(&scene, "x.invalid");
	ck_assert_str_eq(addresses_of(&scene), "192.0.2.8");
	ck_assert_uint_eq(count_seen(&scene), 0);
	scene_close(&scene);
}
END_TEST

START_TEST(the_own_name_and_the_gateway_are_known_here_and_never_asked)
{
	CLEANUP(freep) char *hosts = NULL;
	char own[HOST_NAME_MAX + 1];
	struct scene scene;

	ck_assert_int_eq(gethostname(own, sizeof(own)), 0);
	scene_open(&scene, "", "search example\n");
	scene_add_server(&scene, NULL, 0);
	if (name_classify(own) == NAME_OWN) {
		run(&scene, own);
		ck_assert_int_eq(scene.status, 0);
		for (size_t i = 0; i < scene.n_answers; i++)
			if (scene.answers[i].n > 0)
				ck_assert_int_eq(scene.answers[i].items[0].source,
						 SOURCE_SYNTHETIC);
	}
	run(&scene, "_gateway");
	ck_assert(scene.status == 0 || scene.status == -ASOCK_E_NAME_NOT_FOUND);
	ck_assert_uint_eq(count_seen(&scene), 0);
	scene.denied = "*";
	run(&scene, "_gateway");
	ck_assert_int_eq(scene.status, -ASOCK_E_DENIED);
	scene_close(&scene);

	ck_assert_int_gt(asprintf(&hosts, "192.0.2.1 _gateway %s\n", own), 0);
	scene_open(&scene, hosts, "");
	run(&scene, "_gateway");
	ck_assert_str_eq(addresses_of(&scene), "192.0.2.1");
	if (name_classify(own) == NAME_OWN) {
		run(&scene, own);
		ck_assert_str_eq(addresses_of(&scene), "192.0.2.1");
	}
	scene_close(&scene);
}
END_TEST

START_TEST(special_names_are_never_asked)
{
	static const char *const names[] = { "x.invalid", "invalid", "x.onion",
					     "x.local",	  "x.alt",   "x.INVALID." };
	struct scene scene;

	scene_open(&scene, "", "search example local\noptions ndots:3\n");
	scene_add_server(&scene, NULL, 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		run(&scene, names[i]);
		ck_assert_msg(scene.status == -ASOCK_E_NAME_NOT_FOUND, "%s: %d", names[i],
			      scene.status);
		ck_assert_uint_eq(scene.n_answers, 2);
	}
	ck_assert_uint_eq(count_seen(&scene), 0);
	run(&scene, "host"); /* and a suffix that leads there is left out */
	ck_assert_str_eq(seen_by(&scene), "host.example host");
	scene_close(&scene);
}
END_TEST

START_TEST(dns_answers_with_its_server)
{
	static const struct dns_rule rule = { .name = "www.example",
					      .addresses = "192.0.2.1 192.0.2.2 2001:db8::1",
					      .ttl = 77 };
	struct endpoint server;
	struct scene scene;

	scene_open(&scene, "", "");
	scene_add_server(&scene, &rule, 1);
	server = dns_server_endpoint(scene.server);
	run(&scene, "WWW.Example.");
	ck_assert_int_eq(scene.status, 0);
	ck_assert_uint_eq(answer_of(&scene, AF_INET)->n, 2);
	ck_assert_uint_eq(answer_of(&scene, AF_INET6)->n, 1);
	ck_assert_int_eq(scene.answers[0].items[0].source, SOURCE_DNS);
	ck_assert_uint_eq(scene.answers[0].items[0].ttl_s, 77);
	ck_assert_uint_eq(scene.answers[0].items[0].endpoint.port, 80);
	ck_assert_str_eq(scene.answers[0].items[0].target, "www.example");
	ck_assert_str_eq(resolve_get_name(scene.resolve), "www.example");
	ck_assert(endpoint_equal(resolve_get_server(scene.resolve), &server));
	ck_assert_uint_eq(dns_server_count(scene.server, "www.example", DNS_RULE_A), 1);
	ck_assert_uint_eq(dns_server_count(scene.server, "www.example", DNS_RULE_AAAA), 1);
	scene_close(&scene);
}
END_TEST

START_TEST(only_the_family_wanted_is_asked)
{
	static const struct dns_rule rule = { .addresses = "192.0.2.1 2001:db8::1" };
	struct scene scene;

	scene_open(&scene, "", "");
	scene_add_server(&scene, &rule, 1);
	scene.params.families = FAMILY_INET;
	run(&scene, "www.example");
	ck_assert_str_eq(addresses_of(&scene), "192.0.2.1");
	ck_assert_uint_eq(scene.n_answers, 1);
	ck_assert_uint_eq(dns_server_count(scene.server, NULL, DNS_RULE_AAAA), 0);
	scene_close(&scene);
}
END_TEST

START_TEST(an_internationalised_name_is_asked_in_a_labels)
{
	static const struct dns_rule rule = { .name = "xn--bcher-kva.example",
					      .addresses = "192.0.2.1" };
	struct scene scene;

	scene_open(&scene, "", "");
	scene_add_server(&scene, &rule, 1);
	run(&scene, "B\303\274cher.example");
	ck_assert_int_eq(scene.status, 0);
	ck_assert_str_eq(resolve_get_name(scene.resolve), "xn--bcher-kva.example");
	ck_assert_str_eq(scene.asked[0], "xn--bcher-kva.example");
	ck_assert_str_eq(seen_by(&scene), "xn--bcher-kva.example");
	scene_close(&scene);
}
END_TEST

START_TEST(the_search_list_is_walked)
{
	static const struct dns_rule rules[] = {
		{ .name = "a.two", .addresses = "192.0.2.2" },
		{ .name = "empty.one" },
		{ .name = "empty.two" },
		{ .name = "a.b", .addresses = "192.0.2.3" },
	};
	static const struct {
		const char *resolv_conf, *host, *seen, *name;
		int status;
	} cases[] = {
		{ "search one two\n", "a", "a.one a.two", "a.two", 0 },
		{ "search one two\n", "a.", "a", "a", -ASOCK_E_NAME_NOT_FOUND },
		{ "search one two\n", "a.b", "a.b", "a.b", 0 },
		{ "search one\n", "x.y", "x.y x.y.one", "x.y", -ASOCK_E_NAME_NOT_FOUND },
		{ "search one\noptions ndots:2\n", "a.b", "a.b.one a.b", "a.b", 0 },
		{ "search one two three\n", "x", "x.one x.two x.three x", "x",
		  -ASOCK_E_NAME_NOT_FOUND },
		{ "search one two\n", "empty", "empty.one empty.two empty", "empty",
		  -ASOCK_E_NO_DATA },
		{ "", "a", "a", "a", -ASOCK_E_NAME_NOT_FOUND },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct scene scene;

		scene_open(&scene, "", cases[i].resolv_conf);
		scene_add_server(&scene, rules, ARRAY_LEN(rules));
		run(&scene, cases[i].host);
		ck_assert_msg(scene.status == cases[i].status, "%zu: %d", i, scene.status);
		ck_assert_str_eq(seen_by(&scene), cases[i].seen);
		ck_assert_str_eq(resolve_get_name(scene.resolve), cases[i].name);
		ck_assert_uint_eq(scene.n_answers, 2);
		scene_close(&scene);
	}
}
END_TEST

START_TEST(families_are_inside_and_suffixes_outside)
{
	/* The first suffix has IPv4 alone, the second one has both: they are never mixed. */
	static const struct dns_rule rules[] = {
		{ .name = "a.one", .addresses = "192.0.2.1" },
		{ .name = "a.two", .addresses = "192.0.2.2 2001:db8::2" },
	};
	struct scene scene;

	scene_open(&scene, "", "search one two\n");
	scene_add_server(&scene, rules, ARRAY_LEN(rules));
	run(&scene, "a");
	ck_assert_str_eq(addresses_of(&scene), "192.0.2.1");
	ck_assert_int_eq(answer_of(&scene, AF_INET6)->status, -ASOCK_E_NO_DATA);
	ck_assert_str_eq(seen_by(&scene), "a.one");
	ck_assert_str_eq(scene.answers[0].n > 0 ? scene.answers[0].items[0].target
						: scene.answers[1].items[0].target,
			 "a.one");
	scene_close(&scene);
}
END_TEST

START_TEST(a_failure_stops_the_walk)
{
	static const struct dns_rule rules[] = {
		{ .name = "broken.one", .rcode = 2 },
		{ .name = "half.one", .type = DNS_RULE_A, .rcode = 2 },
		{ .name = "half.one", .type = DNS_RULE_AAAA, .rcode = 3 },
		{ .name = "other.one", .type = DNS_RULE_A, .rcode = 3 },
		{ .name = "other.one", .type = DNS_RULE_AAAA, .rcode = 5, .delay_ms = 5 },
		{ .name = "late.one", .type = DNS_RULE_A, .rcode = 2 },
		{ .name = "late.one", .type = DNS_RULE_AAAA, .rcode = 3, .delay_ms = 5 },
	};
	static const struct {
		const char *host, *rcode;
	} cases[] = { { "broken", "SERVFAIL" },
		      { "half", "SERVFAIL" },
		      { "other", "REFUSED" },
		      { "late", "SERVFAIL" } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char seen[32];
		struct scene scene;

		scene_open(&scene, "", "search one two\n");
		scene_add_server(&scene, rules, ARRAY_LEN(rules));
		run(&scene, cases[i].host);
		ck_assert_int_eq(scene.status, -ASOCK_E_SERVER_FAILED);
		ck_assert_str_eq(resolve_get_rcode(scene.resolve), cases[i].rcode);
		(void)snprintf(seen, sizeof(seen), "%s.one", cases[i].host);
		ck_assert_str_eq(seen_by(&scene), seen);
		scene_close(&scene);
	}
}
END_TEST

START_TEST(a_server_that_failed_is_told_though_another_answered_for_the_other_family)
{
	static const struct dns_rule first_rules[] = {
		{ .type = DNS_RULE_A, .rcode = 2 },
		{ .type = DNS_RULE_AAAA, .rcode = 3, .delay_ms = 20 },
	};
	static const struct dns_rule second_rule = { .rcode = 5 };
	struct dns_server *second;
	struct endpoint servers[2];
	struct name_servers group;
	struct scene scene;

	scene_open(&scene, "", "");
	scene_add_server(&scene, first_rules, ARRAY_LEN(first_rules));
	second = dns_server_new(scene.base, &second_rule, 1);
	servers[0] = dns_server_endpoint(scene.server);
	servers[1] = dns_server_endpoint(second);
	group = dns_server_group(servers, 2);
	scene.files.groups = &group;
	scene.files.n_groups = 1;
	ck_assert_int_eq(resolver_configure(scene.resolver, &scene.files), 0);
	run(&scene, "www.example");
	ck_assert_int_eq(scene.status, -ASOCK_E_SERVER_FAILED);
	ck_assert_str_eq(resolve_get_rcode(scene.resolve), "REFUSED");
	ck_assert(endpoint_equal(resolve_get_server(scene.resolve), &servers[1]));
	dns_server_free(second);
	scene_close(&scene);
}
END_TEST

START_TEST(silence_stops_the_walk_at_the_deadline)
{
	static const struct dns_rule silent = { .silent = true };
	struct scene scene;

	scene_open(&scene, "", "search one two\n");
	scene_add_server(&scene, &silent, 1);
	scene.params.deadline_us = clock_now_us() + MS(30);
	run(&scene, "a");
	ck_assert_int_eq(scene.status, -ASOCK_E_TIMED_OUT);
	ck_assert_str_eq(seen_by(&scene), "a.one");
	ck_assert_ptr_null(resolve_get_server(scene.resolve)); /* nobody answered, nobody failed */
	ck_assert_ptr_null(resolve_get_rcode(scene.resolve));
	scene_close(&scene);
}
END_TEST

START_TEST(a_family_that_fails_does_not_harm_the_other)
{
	static const struct dns_rule rules[] = {
		{ .type = DNS_RULE_A, .addresses = "192.0.2.1" },
		{ .type = DNS_RULE_AAAA, .rcode = 2 },
	};
	struct endpoint server;
	struct scene scene;

	scene_open(&scene, "", "");
	scene_add_server(&scene, rules, ARRAY_LEN(rules));
	server = dns_server_endpoint(scene.server);
	run(&scene, "www.example");
	ck_assert_int_eq(scene.status, 0);
	ck_assert_str_eq(addresses_of(&scene), "192.0.2.1");
	ck_assert_int_eq(answer_of(&scene, AF_INET6)->status, -ASOCK_E_SERVER_FAILED);
	ck_assert(endpoint_equal(resolve_get_server(scene.resolve), &server));
	scene_close(&scene);
}
END_TEST

START_TEST(without_servers_there_is_a_clear_error)
{
	struct scene scene;

	scene_open(&scene, "192.0.2.1 known.test\n", "search one\n");
	run(&scene, "www.example");
	ck_assert_int_eq(scene.status, -ASOCK_E_NO_SERVERS);
	ck_assert_uint_eq(scene.n_answers, 2);
	run(&scene, "known.test");
	ck_assert_int_eq(scene.status, 0);
	scene_close(&scene);
}
END_TEST

START_TEST(what_is_denied_is_not_asked)
{
	static const struct dns_rule rule = { .addresses = "192.0.2.1" };
	struct scene scene;

	scene_open(&scene, "192.0.2.9 known.test\n", "search one two\n");
	scene_add_server(&scene, &rule, 1);
	scene.denied = "*";
	run(&scene, "a");
	ck_assert_int_eq(scene.status, -ASOCK_E_DENIED);
	ck_assert_uint_eq(scene.n_answers, 2);
	ck_assert_int_eq(scene.answers[0].status, -ASOCK_E_DENIED);
	run(&scene, "known.test"); /* nor is the hosts file's answer given away */
	ck_assert_int_eq(scene.status, -ASOCK_E_DENIED);
	run(&scene, "x.invalid");
	ck_assert_int_eq(scene.status, -ASOCK_E_DENIED);
	ck_assert_uint_eq(count_seen(&scene), 0);
	scene.denied = "a.one";
	run(&scene, "a");
	ck_assert_int_eq(scene.status, 0);
	ck_assert_str_eq(seen_by(&scene), "a.two");
	scene_close(&scene);
}
END_TEST

START_TEST(a_denied_candidate_is_more_telling_than_a_missing_one)
{
	struct scene scene;

	scene_open(&scene, "", "search one\n");
	scene_add_server(&scene, NULL, 0);
	scene.denied = "a.one";
	run(&scene, "a");
	ck_assert_int_eq(scene.status, -ASOCK_E_DENIED);
	ck_assert_str_eq(seen_by(&scene), "a");
	scene_close(&scene);
}
END_TEST

START_TEST(each_family_is_told_as_it_comes)
{
	static const struct dns_rule rules[] = {
		{ .name = "six.example", .type = DNS_RULE_AAAA, .addresses = "2001:db8::1" },
		{ .name = "six.example",
		  .type = DNS_RULE_A,
		  .addresses = "192.0.2.1",
		  .delay_ms = 20 },
		{ .name = "four.example", .type = DNS_RULE_A, .addresses = "192.0.2.1" },
		{ .name = "four.example", .type = DNS_RULE_AAAA, .delay_ms = 20 },
	};
	struct scene scene;

	scene_open(&scene, "", "");
	scene_add_server(&scene, rules, ARRAY_LEN(rules));
	start(&scene, "six.example");
	while (scene.n_answers == 0)
		ck_assert_int_eq(event_base_loop(scene.base, EVLOOP_ONCE), 0);
	ck_assert_uint_eq(scene.n_answers, 1);
	ck_assert_int_eq(scene.answers[0].family, AF_INET6);
	ck_assert(!scene.done);
	suite_loop(scene.base, &scene.done);
	ck_assert_str_eq(addresses_of(&scene), "2001:db8::1 192.0.2.1");

	start(&scene, "four.example");
	while (scene.n_answers == 0)
		ck_assert_int_eq(event_base_loop(scene.base, EVLOOP_ONCE), 0);
	ck_assert_int_eq(scene.answers[0].family, AF_INET);
	ck_assert(!scene.done);
	suite_loop(scene.base, &scene.done);
	ck_assert_int_eq(scene.answers[1].status, -ASOCK_E_NO_DATA);
	scene_close(&scene);
}
END_TEST

START_TEST(a_silent_family_ends_with_the_deadline_and_names_no_server)
{
	static const struct dns_rule rules[] = {
		{ .type = DNS_RULE_A, .addresses = "192.0.2.1" },
		{ .type = DNS_RULE_AAAA, .silent = true },
	};
	struct endpoint server;
	struct scene scene;

	scene_open(&scene, "", "");
	scene_add_server(&scene, rules, ARRAY_LEN(rules));
	server = dns_server_endpoint(scene.server);
	scene.params.deadline_us = clock_now_us() + MS(300);
	run(&scene, "www.example");
	ck_assert_int_eq(scene.status, 0);
	ck_assert_int_eq(answer_of(&scene, AF_INET6)->status, -ASOCK_E_TIMED_OUT);
	ck_assert(endpoint_equal(resolve_get_server(scene.resolve), &server));
	scene_close(&scene);
}
END_TEST

static void cancel_here(struct scene *scene)
{
	size_t n_answers = scene->n_answers;

	resolve_cancel(scene->resolve);
	resolve_cancel(scene->resolve);
	suite_loop_for(scene->base, 15);
	ck_assert(!scene->done);
	ck_assert_uint_eq(scene->n_answers, n_answers);
}

START_TEST(cancel_is_silent_in_each_state)
{
	static const struct dns_rule rules[] = {
		{ .name = "slow.example", .addresses = "192.0.2.1 2001:db8::1", .delay_ms = 5 },
		{ .name = "half.example", .type = DNS_RULE_A, .addresses = "192.0.2.1" },
		{ .name = "half.example",
		  .type = DNS_RULE_AAAA,
		  .addresses = "2001:db8::1",
		  .delay_ms = 10 },
	};
	static const char *const at_once[] = { "192.0.2.1", "localhost", "known.test", "x.invalid",
					       "slow.example" };
	struct scene scene;

	scene_open(&scene, "192.0.2.1 known.test\n", "");
	scene_add_server(&scene, rules, ARRAY_LEN(rules));
	ck_assert_int_eq(make(&scene, "slow.example"), 0);
	cancel_here(&scene);
	for (size_t i = 0; i < ARRAY_LEN(at_once); i++) {
		start(&scene, at_once[i]);
		cancel_here(&scene);
	}
	ck_assert_uint_eq(count_seen(&scene), 0);
	start(&scene, "slow.example");
	while (count_seen(&scene) < 2)
		ck_assert_int_eq(event_base_loop(scene.base, EVLOOP_ONCE), 0);
	cancel_here(&scene);
	start(&scene, "half.example");
	while (scene.n_answers == 0)
		ck_assert_int_eq(event_base_loop(scene.base, EVLOOP_ONCE), 0);
	cancel_here(&scene);
	ck_assert_uint_eq(scene.n_answers, 1);
	start(&scene, "half.example");
	while (scene.n_answers == 0)
		ck_assert_int_eq(event_base_loop(scene.base, EVLOOP_ONCE), 0);
	scene.resolve = resolve_free(scene.resolve);
	suite_loop_for(scene.base, 15);
	ck_assert(!scene.done);
	scene_close(&scene);
}
END_TEST

START_TEST(cancel_inside_an_answer_is_silent)
{
	static const struct dns_rule rules[] = {
		{ .name = "both.example", .addresses = "192.0.2.1 2001:db8::1" },
		{ .name = "none.example" },
		{ .name = "half.example", .type = DNS_RULE_A, .addresses = "192.0.2.1" },
		{ .name = "half.example", .type = DNS_RULE_AAAA, .delay_ms = 5 },
	};
	static const char *const hosts[] = { "192.0.2.1",   "localhost",    "known.test",
					     "x.invalid",   "both.example", "none.example",
					     "half.example" };
	struct scene scene;

	scene_open(&scene, "192.0.2.1 known.test\n", "");
	scene_add_server(&scene, rules, ARRAY_LEN(rules));
	scene.cancel_in_answer = true;
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		start(&scene, hosts[i]);
		while (scene.n_answers == 0)
			ck_assert_int_eq(event_base_loop(scene.base, EVLOOP_ONCE), 0);
		suite_loop_for(scene.base, 10);
		ck_assert(!scene.done);
		ck_assert_msg(scene.n_answers == 1, "%s", hosts[i]);
	}
	scene_close(&scene);
}
END_TEST

START_TEST(cancel_and_free_are_legal_inside_done)
{
	static const struct dns_rule rules[] = {
		{ .name = "both.example", .addresses = "192.0.2.1 2001:db8::1" },
		{ .name = "none.example" },
		{ .name = "broken.example", .rcode = 2 },
	};
	static const char *const hosts[] = { "192.0.2.1",     "localhost",    "known.test",
					     "x.invalid",     "both.example", "none.example",
					     "broken.example" };
	struct scene scene;

	scene_open(&scene, "192.0.2.1 known.test\n", "");
	scene_add_server(&scene, rules, ARRAY_LEN(rules));
	for (size_t i = 0; i < 2 * ARRAY_LEN(hosts); i++) {
		scene.cancel_in_done = true;
		scene.free_in_done = i % 2 == 1;
		run(&scene, hosts[i / 2]);
		suite_loop_for(scene.base, 2);
	}
	scene_close(&scene);
}
END_TEST

START_TEST(a_reload_does_not_touch_what_is_under_way)
{
	static const struct dns_rule rules[] = {
		{ .name = "a.one", .rcode = 3, .delay_ms = 10 },
		{ .name = "a.two", .addresses = "192.0.2.1" },
	};
	struct resolver_params none;
	struct scene scene;

	scene_open(&scene, "", "search one two\n");
	scene_add_server(&scene, rules, ARRAY_LEN(rules));
	start(&scene, "a");
	while (count_seen(&scene) < 2)
		ck_assert_int_eq(event_base_loop(scene.base, EVLOOP_ONCE), 0);
	none = scene.files;
	none.hosts_file = none.services_file = none.resolv_conf = NULL;
	ck_assert_int_eq(resolver_configure(scene.resolver, &none), 0);
	suite_loop(scene.base, &scene.done);
	ck_assert_int_eq(
		scene.status,
		-ASOCK_E_NO_SERVERS); /* the next candidate finds nobody to ask, and says so */
	scene_close(&scene);
}
END_TEST

START_TEST(a_fault_of_ours_is_told_as_it_is)
{
	static const struct dns_rule rule = { .addresses = "192.0.2.1" };
	struct rlimit before, limit;
	struct scene scene;
	int next;

	scene_open(&scene, "", "");
	scene_add_server(&scene, &rule, 1);
	start(&scene, "www.example");
	next = fcntl(0, F_DUPFD_CLOEXEC, 0);
	(void)close_fd(next);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit = before;
	limit.rlim_cur = (rlim_t)next;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	suite_loop(scene.base, &scene.done);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	ck_assert_int_eq(scene.status, -EMFILE);
	ck_assert_uint_eq(scene.n_answers, 2);
	scene_close(&scene);
}
END_TEST

START_TEST(the_longest_names_and_all_suffixes_find_room)
{
	char resolv_conf[4096], host[64];
	size_t len = (size_t)snprintf(resolv_conf, sizeof(resolv_conf), "search");
	struct scene scene;

	for (int i = 0; i < LIMIT_SEARCH_DOMAINS; i++)
		len += (size_t)snprintf(resolv_conf + len, sizeof(resolv_conf) - len, " d%d", i);
	memset(host, 'a', 63);
	host[63] = '\0';
	scene_open(&scene, "", resolv_conf);
	scene_add_server(&scene, NULL, 0);
	scene.denied = "*";
	run(&scene, host);
	ck_assert_int_eq(scene.status, -ASOCK_E_DENIED);
	ck_assert_uint_eq(scene.n_asked,
			  1 + LIMIT_SEARCH_DOMAINS + 1); /* for the hosts file, each suffix, none */
	scene_close(&scene);

	/* A suffix with which the name would be too long is left out. */
	len = (size_t)snprintf(resolv_conf, sizeof(resolv_conf), "search ");
	for (int i = 0; i < 3; i++)
		len += (size_t)snprintf(resolv_conf + len, sizeof(resolv_conf) - len, "%s%.63s",
					i > 0 ? "." : "", host);
	(void)snprintf(resolv_conf + len, sizeof(resolv_conf) - len, " one\n");
	scene_open(&scene, "", resolv_conf);
	scene_add_server(&scene, NULL, 0);
	run(&scene, host);
	ck_assert_int_eq(scene.status, -ASOCK_E_NAME_NOT_FOUND);
	ck_assert_uint_eq(dns_server_count(scene.server, host, 0), 2);
	ck_assert_uint_eq(count_seen(&scene), 4);
	scene_close(&scene);
}
END_TEST

SUITE_MAIN("resolve", a_literal_is_its_own_answer,
	   a_literal_of_a_family_that_is_not_wanted_is_no_data, bad_names_are_refused_by_new,
	   localhost_and_below_is_loopback_and_never_asked, a_name_of_the_hosts_file_never_asks_dns,
	   the_own_name_and_the_gateway_are_known_here_and_never_asked,
	   special_names_are_never_asked, dns_answers_with_its_server,
	   only_the_family_wanted_is_asked, an_internationalised_name_is_asked_in_a_labels,
	   the_search_list_is_walked, families_are_inside_and_suffixes_outside,
	   a_server_that_failed_is_told_though_another_answered_for_the_other_family,
	   a_failure_stops_the_walk, silence_stops_the_walk_at_the_deadline,
	   a_family_that_fails_does_not_harm_the_other, without_servers_there_is_a_clear_error,
	   what_is_denied_is_not_asked, a_denied_candidate_is_more_telling_than_a_missing_one,
	   each_family_is_told_as_it_comes,
	   a_silent_family_ends_with_the_deadline_and_names_no_server,
	   cancel_is_silent_in_each_state, cancel_inside_an_answer_is_silent,
	   cancel_and_free_are_legal_inside_done, a_reload_does_not_touch_what_is_under_way,
	   a_fault_of_ours_is_told_as_it_is, the_longest_names_and_all_suffixes_find_room)
