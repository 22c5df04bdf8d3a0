/* SPDX-License-Identifier: MIT */
/*
 * Which source answers for a name, which names are asked for, and what the policy sees of them: resolution against files and a
 * scripted name server. How it goes on there is test_resolve_dns.c's.
 */
#include "daemon/resolve/resolve.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "daemon/resolve/name.h"
#include "protocol/error.h"
#include "tests/support/resolve_scene.h"
#include "tests/support/suite.h"

START_TEST(a_literal_is_its_own_answer)
{
	static const struct {
		const char *host, *address, *name;
	} cases[] = {
		{ "192.0.2.1", "192.0.2.1", "192.0.2.1" },
		{ "127.1", "127.0.0.1", "127.0.0.1" },
		{ "2001:DB8::1", "2001:db8::1", "2001:db8::1" },
	};
	struct resolve_scene scene;

	resolve_scene_open(&scene, "192.0.2.9 192.0.2.1\n", "");
	resolve_scene_add_server(&scene, NULL, 0);
	scene.denied = "*"; /* names are judged, literals are not names */
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		resolve_scene_run(&scene, cases[i].host);
		ck_assert_int_eq(scene.status, 0);
		ck_assert_str_eq(resolve_scene_get_addresses(&scene), cases[i].address);
		ck_assert_str_eq(resolve_get_name(scene.resolve), cases[i].name);
		ck_assert_int_eq(resolve_get_origin(scene.resolve)->source, SOURCE_LITERAL);
		ck_assert(!resolve_get_origin(scene.resolve)->has_server);
		ck_assert_uint_eq(scene.n_asked, 0);
		ck_assert_uint_eq(scene.n_answers, 2);
	}
	ck_assert_int_eq(resolve_scene_get_answer(&scene, AF_INET)->status, -ASOCK_E_NO_DATA);
	ck_assert_int_eq(resolve_scene_get_answer(&scene, AF_INET6)->items[0].source,
			 SOURCE_LITERAL);
	ck_assert_uint_eq(resolve_scene_get_answer(&scene, AF_INET6)->items[0].endpoint.port, 80);
	ck_assert_str_eq(resolve_scene_get_answer(&scene, AF_INET6)->items[0].target,
			 "2001:db8::1");
	ck_assert_uint_eq(resolve_scene_count_seen(&scene), 0);
	resolve_scene_close(&scene);
}
END_TEST

START_TEST(a_literal_of_a_family_that_is_not_wanted_is_no_data)
{
	struct resolve_scene scene;

	resolve_scene_open(&scene, "", "");
	scene.params.families = FAMILY_INET6;
	resolve_scene_run(&scene, "192.0.2.1");
	ck_assert_int_eq(scene.status, -ASOCK_E_NO_DATA);
	ck_assert_uint_eq(scene.n_answers, 1);
	ck_assert_int_eq(scene.answers[0].family, AF_INET6);
	resolve_scene_close(&scene);
}
END_TEST

START_TEST(bad_names_are_refused_by_new)
{
	static const char *const names[] = { "",    ".",	 "a..b",      " ",
					     "a b", "1.2.3.4.5", "256.1.1.1", "a/b" };
	char long_name[300];
	struct resolve_scene scene;

	resolve_scene_open(&scene, "", "");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		int r = resolve_scene_make(&scene, names[i]);

		ck_assert_msg(r == -ASOCK_E_INVALID_NAME, "%s: %d", names[i], r);
		ck_assert_ptr_nonnull(scene.reason);
		ck_assert_ptr_null(scene.resolve);
	}
	memset(long_name, 'a', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	ck_assert_int_eq(resolve_scene_make(&scene, long_name), -ASOCK_E_INVALID_NAME);
	resolve_scene_close(&scene);
}
END_TEST

START_TEST(localhost_and_below_is_loopback_and_never_asked)
{
	static const char *const names[] = { "localhost", "LOCALHOST.", "a.b.localhost" };
	struct resolve_scene scene;

	resolve_scene_open(&scene, "192.0.2.1 localhost a.b.localhost\n", "search example\n");
	resolve_scene_add_server(&scene, NULL, 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		resolve_scene_run(&scene, names[i]);
		ck_assert_int_eq(scene.status, 0);
		ck_assert_str_eq(resolve_scene_get_addresses(&scene), "::1 127.0.0.1");
		ck_assert_int_eq(scene.answers[0].items[0].source, SOURCE_SYNTHETIC);
		ck_assert_uint_eq(scene.n_asked, 1);
	}
	scene.denied = "*";
	resolve_scene_run(&scene, "localhost");
	ck_assert_int_eq(scene.status, -ASOCK_E_DENIED);
	ck_assert_uint_eq(resolve_scene_count_seen(&scene), 0);
	resolve_scene_close(&scene);
}
END_TEST

START_TEST(a_name_of_the_hosts_file_never_asks_dns)
{
	static const struct dns_rule rule = { .addresses = "192.0.2.9 2001:db8::9" };
	struct resolve_scene scene;

	resolve_scene_open(
		&scene,
		"192.0.2.1 four.test\n2001:db8::1 six.test\n192.0.2.1 both.test\n2001:db8::2 both.test\n"
		"192.0.2.7 printer.local\n192.0.2.8 x.invalid\n",
		"search example\n");
	resolve_scene_add_server(&scene, &rule, 1);
	resolve_scene_run(&scene, "four.test");
	ck_assert_int_eq(scene.status, 0);
	ck_assert_str_eq(resolve_scene_get_addresses(&scene), "192.0.2.1");
	ck_assert_int_eq(resolve_scene_get_answer(&scene, AF_INET6)->status, -ASOCK_E_NO_DATA);
	ck_assert_int_eq(resolve_scene_get_answer(&scene, AF_INET)->items[0].source, SOURCE_HOSTS);
	resolve_scene_run(&scene, "both.test.");
	ck_assert_str_eq(resolve_scene_get_addresses(&scene), "2001:db8::2 192.0.2.1");
	scene.params.families = FAMILY_INET;
	resolve_scene_run(&scene, "six.test"); /* another family than the one wanted */
	ck_assert_int_eq(scene.status, -ASOCK_E_NO_DATA);
	resolve_scene_run(&scene, "printer.local");
	ck_assert_str_eq(resolve_scene_get_addresses(&scene), "192.0.2.7");
	resolve_scene_run(&scene, "x.invalid");
	ck_assert_str_eq(resolve_scene_get_addresses(&scene), "192.0.2.8");
	ck_assert_uint_eq(resolve_scene_count_seen(&scene), 0);
	resolve_scene_close(&scene);
}
END_TEST

START_TEST(the_own_name_and_the_gateway_are_known_here_and_never_asked)
{
	CLEANUP(freep) char *hosts = NULL;
	char own[HOST_NAME_MAX + 1];
	struct resolve_scene scene;

	ck_assert_int_eq(gethostname(own, sizeof(own)), 0);
	resolve_scene_open(&scene, "", "search example\n");
	resolve_scene_add_server(&scene, NULL, 0);
	if (name_classify(own) == NAME_OWN) {
		resolve_scene_run(&scene, own);
		ck_assert_int_eq(scene.status, 0);
		for (size_t i = 0; i < scene.n_answers; i++)
			if (scene.answers[i].n > 0)
				ck_assert_int_eq(scene.answers[i].items[0].source,
						 SOURCE_SYNTHETIC);
	}
	resolve_scene_run(&scene, "_gateway");
	ck_assert(scene.status == 0 || scene.status == -ASOCK_E_NAME_NOT_FOUND);
	ck_assert_uint_eq(resolve_scene_count_seen(&scene), 0);
	scene.denied = "*";
	resolve_scene_run(&scene, "_gateway");
	ck_assert_int_eq(scene.status, -ASOCK_E_DENIED);
	resolve_scene_close(&scene);

	ck_assert_int_gt(asprintf(&hosts, "192.0.2.1 _gateway %s\n", own), 0);
	resolve_scene_open(&scene, hosts, "");
	resolve_scene_run(&scene, "_gateway");
	ck_assert_str_eq(resolve_scene_get_addresses(&scene), "192.0.2.1");
	if (name_classify(own) == NAME_OWN) {
		resolve_scene_run(&scene, own);
		ck_assert_str_eq(resolve_scene_get_addresses(&scene), "192.0.2.1");
	}
	resolve_scene_close(&scene);
}
END_TEST

START_TEST(special_names_are_never_asked)
{
	static const char *const names[] = { "x.invalid", "invalid", "x.onion",
					     "x.local",	  "x.alt",   "x.INVALID." };
	struct resolve_scene scene;

	resolve_scene_open(&scene, "", "search example local\noptions ndots:3\n");
	resolve_scene_add_server(&scene, NULL, 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		resolve_scene_run(&scene, names[i]);
		ck_assert_msg(scene.status == -ASOCK_E_NAME_NOT_FOUND, "%s: %d", names[i],
			      scene.status);
		ck_assert_uint_eq(scene.n_answers, 2);
	}
	ck_assert_uint_eq(resolve_scene_count_seen(&scene), 0);
	resolve_scene_run(&scene, "host"); /* and a suffix that leads there is left out */
	ck_assert_str_eq(resolve_scene_get_seen(&scene), "host.example host");
	resolve_scene_close(&scene);
}
END_TEST

START_TEST(an_internationalised_name_is_asked_in_a_labels)
{
	static const struct dns_rule rule = { .name = "xn--bcher-kva.example",
					      .addresses = "192.0.2.1" };
	struct resolve_scene scene;

	resolve_scene_open(&scene, "", "");
	resolve_scene_add_server(&scene, &rule, 1);
	resolve_scene_run(&scene, "B\303\274cher.example");
	ck_assert_int_eq(scene.status, 0);
	ck_assert_str_eq(resolve_get_name(scene.resolve), "xn--bcher-kva.example");
	ck_assert_str_eq(scene.asked[0], "xn--bcher-kva.example");
	ck_assert_str_eq(resolve_scene_get_seen(&scene), "xn--bcher-kva.example");
	resolve_scene_close(&scene);
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
		struct resolve_scene scene;

		resolve_scene_open(&scene, "", cases[i].resolv_conf);
		resolve_scene_add_server(&scene, rules, ARRAY_LEN(rules));
		resolve_scene_run(&scene, cases[i].host);
		ck_assert_msg(scene.status == cases[i].status, "%zu: %d", i, scene.status);
		ck_assert_str_eq(resolve_scene_get_seen(&scene), cases[i].seen);
		ck_assert_str_eq(resolve_get_name(scene.resolve), cases[i].name);
		ck_assert_uint_eq(scene.n_answers, 2);
		resolve_scene_close(&scene);
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
	struct resolve_scene scene;

	resolve_scene_open(&scene, "", "search one two\n");
	resolve_scene_add_server(&scene, rules, ARRAY_LEN(rules));
	resolve_scene_run(&scene, "a");
	ck_assert_str_eq(resolve_scene_get_addresses(&scene), "192.0.2.1");
	ck_assert_int_eq(resolve_scene_get_answer(&scene, AF_INET6)->status, -ASOCK_E_NO_DATA);
	ck_assert_str_eq(resolve_scene_get_seen(&scene), "a.one");
	ck_assert_str_eq(scene.answers[0].n > 0 ? scene.answers[0].items[0].target
						: scene.answers[1].items[0].target,
			 "a.one");
	resolve_scene_close(&scene);
}
END_TEST

START_TEST(what_is_denied_is_not_asked)
{
	static const struct dns_rule rule = { .addresses = "192.0.2.1" };
	struct resolve_scene scene;

	resolve_scene_open(&scene, "192.0.2.9 known.test\n", "search one two\n");
	resolve_scene_add_server(&scene, &rule, 1);
	scene.denied = "*";
	resolve_scene_run(&scene, "a");
	ck_assert_int_eq(scene.status, -ASOCK_E_DENIED);
	ck_assert_uint_eq(scene.n_answers, 2);
	ck_assert_int_eq(scene.answers[0].status, -ASOCK_E_DENIED);
	resolve_scene_run(&scene, "known.test"); /* nor is the hosts file's answer given away */
	ck_assert_int_eq(scene.status, -ASOCK_E_DENIED);
	resolve_scene_run(&scene, "x.invalid");
	ck_assert_int_eq(scene.status, -ASOCK_E_DENIED);
	ck_assert_uint_eq(resolve_scene_count_seen(&scene), 0);
	scene.denied = "a.one";
	resolve_scene_run(&scene, "a");
	ck_assert_int_eq(scene.status, 0);
	ck_assert_str_eq(resolve_scene_get_seen(&scene), "a.two");
	resolve_scene_close(&scene);
}
END_TEST

START_TEST(a_denied_candidate_is_more_telling_than_a_missing_one)
{
	struct resolve_scene scene;

	resolve_scene_open(&scene, "", "search one\n");
	resolve_scene_add_server(&scene, NULL, 0);
	scene.denied = "a.one";
	resolve_scene_run(&scene, "a");
	ck_assert_int_eq(scene.status, -ASOCK_E_DENIED);
	ck_assert_str_eq(resolve_scene_get_seen(&scene), "a");
	resolve_scene_close(&scene);
}
END_TEST

START_TEST(the_longest_names_and_all_suffixes_find_room)
{
	char resolv_conf[4096], host[64];
	size_t len = (size_t)snprintf(resolv_conf, sizeof(resolv_conf), "search");
	struct resolve_scene scene;

	for (int i = 0; i < LIMIT_SEARCH_DOMAINS; i++)
		len += (size_t)snprintf(resolv_conf + len, sizeof(resolv_conf) - len, " d%d", i);
	memset(host, 'a', 63);
	host[63] = '\0';
	resolve_scene_open(&scene, "", resolv_conf);
	resolve_scene_add_server(&scene, NULL, 0);
	scene.denied = "*";
	resolve_scene_run(&scene, host);
	ck_assert_int_eq(scene.status, -ASOCK_E_DENIED);
	ck_assert_uint_eq(scene.n_asked,
			  1 + LIMIT_SEARCH_DOMAINS + 1); /* for the hosts file, each suffix, none */
	resolve_scene_close(&scene);

	/* A suffix with which the name would be too long is left out. */
	len = (size_t)snprintf(resolv_conf, sizeof(resolv_conf), "search ");
	for (int i = 0; i < 3; i++)
		len += (size_t)snprintf(resolv_conf + len, sizeof(resolv_conf) - len, "%s%.63s",
					i > 0 ? "." : "", host);
	(void)snprintf(resolv_conf + len, sizeof(resolv_conf) - len, " one\n");
	resolve_scene_open(&scene, "", resolv_conf);
	resolve_scene_add_server(&scene, NULL, 0);
	resolve_scene_run(&scene, host);
	ck_assert_int_eq(scene.status, -ASOCK_E_NAME_NOT_FOUND);
	ck_assert_uint_eq(dns_server_count(scene.server, host, 0), 2);
	ck_assert_uint_eq(resolve_scene_count_seen(&scene), 4);
	resolve_scene_close(&scene);
}
END_TEST

START_TEST(with_dns_first_the_hosts_file_is_for_what_the_dns_has_not)
{
	static const struct dns_rule rules[] = {
		{ .name = "both.test", .addresses = "192.0.2.1" },
		{ .name = "broken.test", .rcode = 2 },
		{ .name = "empty.test" },
	};
	static const struct {
		const char *host, *addresses;
		enum source source;
	} cases[] = {
		{ "both.test", "192.0.2.1", SOURCE_DNS },
		{ "hosts.test", "192.0.2.8", SOURCE_HOSTS },
		{ "broken.test", "192.0.2.9", SOURCE_HOSTS },
		{ "empty.test", "192.0.2.10", SOURCE_HOSTS },
		{ "printer.local", "192.0.2.11", SOURCE_HOSTS },
	};
	struct resolve_scene scene;

	resolve_scene_open(&scene,
			   "192.0.2.7 both.test\n192.0.2.8 hosts.test\n192.0.2.9 broken.test\n"
			   "192.0.2.10 empty.test\n192.0.2.11 printer.local\n",
			   "");
	scene.files.dns_first = true;
	resolve_scene_add_server(&scene, rules, ARRAY_LEN(rules));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		resolve_scene_run(&scene, cases[i].host);
		ck_assert_int_eq(scene.status, 0);
		ck_assert_str_eq(resolve_scene_get_addresses(&scene), cases[i].addresses);
		ck_assert_int_eq(resolve_get_origin(scene.resolve)->source, cases[i].source);
	}
	ck_assert_str_eq(resolve_scene_get_seen(&scene),
			 "both.test hosts.test broken.test empty.test");
	resolve_scene_run(&scene, "nowhere.test");
	ck_assert_int_eq(scene.status, -ASOCK_E_NAME_NOT_FOUND);
	scene.denied = "hosts.test";
	resolve_scene_run(&scene, "hosts.test");
	ck_assert_int_eq(scene.status, -ASOCK_E_DENIED);
	scene.denied = NULL;
	scene.files.dns_first = false; /* and a reload turns it round */
	resolve_scene_configure(&scene);
	resolve_scene_run(&scene, "both.test");
	ck_assert_str_eq(resolve_scene_get_addresses(&scene), "192.0.2.7");
	resolve_scene_close(&scene);
}
END_TEST

START_TEST(with_dns_first_and_no_servers_the_hosts_file_answers)
{
	struct resolve_scene scene;

	resolve_scene_open(&scene, "192.0.2.7 known.test\n", "");
	scene.files.dns_first = true;
	ck_assert_int_eq(resolver_configure(scene.resolver, &scene.files), 0);
	resolve_scene_run(&scene, "known.test");
	ck_assert_str_eq(resolve_scene_get_addresses(&scene), "192.0.2.7");
	resolve_scene_run(&scene, "other.test");
	ck_assert_int_eq(scene.status, -ASOCK_E_NO_SERVERS);
	resolve_scene_close(&scene);
}
END_TEST

SUITE_MAIN("resolve", a_literal_is_its_own_answer,
	   a_literal_of_a_family_that_is_not_wanted_is_no_data, bad_names_are_refused_by_new,
	   localhost_and_below_is_loopback_and_never_asked, a_name_of_the_hosts_file_never_asks_dns,
	   the_own_name_and_the_gateway_are_known_here_and_never_asked,
	   special_names_are_never_asked, an_internationalised_name_is_asked_in_a_labels,
	   the_search_list_is_walked, families_are_inside_and_suffixes_outside,
	   what_is_denied_is_not_asked, a_denied_candidate_is_more_telling_than_a_missing_one,
	   the_longest_names_and_all_suffixes_find_room,
	   with_dns_first_the_hosts_file_is_for_what_the_dns_has_not,
	   with_dns_first_and_no_servers_the_hosts_file_answers)
