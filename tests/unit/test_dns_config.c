/* SPDX-License-Identifier: MIT */
/*
 * Groups made of configuration and file, found by name; what counts as a change; interfaces that come and go.
 */
#include "daemon/resolve/dns-config.h"

#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "daemon/base/clock.h"
#include "tests/support/suite.h"

/* "server server (domain domain), server | search search | ndots" */
static const char *describe(const struct dns_config *config)
{
	static char text[16 * 1024];
	char server[ENDPOINT_TEXT_SIZE];
	size_t len = 0;

	for (size_t i = 0; i < config->n_groups; i++) {
		const struct name_servers *group = &config->groups[i];

		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", i > 0 ? ", " : "");
		for (size_t j = 0; j < group->n_servers; j++)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
						j > 0 ? " " : "",
						endpoint_format(&group->servers[j].endpoint, server,
								sizeof(server)));
		for (size_t j = 0; j < group->n_domains; j++)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s%s",
						j > 0 ? " " : " (", group->domains[j],
						j + 1 < group->n_domains ? "" : ")");
	}
	len += (size_t)snprintf(text + len, sizeof(text) - len, " |");
	for (size_t i = 0; i < config->n_search; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, " %s", config->search[i]);
	(void)snprintf(text + len, sizeof(text) - len, " | %u", config->ndots);
	return text;
}

/* What a configuration says, as "server server (domain domain)". */
struct source {
	struct name_servers groups[4];
	char domains[4][4][LIMIT_NAME_BYTES + 1];
	struct dns_config_params params;
};

static void set_group(struct source *source, size_t i, const char *servers, const char *domains)
{
	CLEANUP(freep) char *server_words = strdup(servers);
	CLEANUP(freep) char *domain_words = strdup(domains);
	struct name_servers *group = &source->groups[i];
	char *rest = server_words, *word;

	*group = (struct name_servers){ .domains = source->domains[i] };
	for (; (word = strsep(&rest, " ")) != NULL && *word; group->n_servers++)
		ck_assert_int_eq(nameservers_parse(word, 53, &group->servers[group->n_servers]), 0);
	rest = domain_words;
	for (; (word = strsep(&rest, " ")) != NULL && (*word || i > 0); group->n_domains++)
		(void)snprintf(group->domains[group->n_domains], LIMIT_NAME_BYTES + 1, "%s", word);
	source->params.groups = source->groups;
	source->params.n_groups = i + 1;
}

static struct dns_config_file *open_file(const struct dns_config_params *params)
{
	struct dns_config_file *file;

	ck_assert_int_eq(dns_config_file_new(&file, params), 0);
	return file;
}

#define check_is(file, expected) ck_assert_str_eq(describe(dns_config_file_get(file)), expected)

START_TEST(the_file_is_followed)
{
	const char *path = suite_write_file("nameserver 10.0.0.1\noptions ndots:2\n");
	const char *other = suite_write_file("nameserver 10.0.0.2\nsearch a.test\n");
	CLEANUP(dns_config_file_freep)
	struct dns_config_file *file = open_file(&(struct dns_config_params){ .path = path });

	check_is(file, "10.0.0.1:53 | | 2");
	ck_assert_int_eq(rename(other, path), 0);
	check_is(file, "10.0.0.2:53 | a.test | 1");
	ck_assert_int_eq(unlink(path), 0);
	check_is(file, " | | 1");
}
END_TEST

START_TEST(without_a_file_there_is_no_server)
{
	static const char *const paths[] = { "/no/such/file", "/", "", NULL };

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		CLEANUP(dns_config_file_freep)
		struct dns_config_file *file =
			open_file(&(struct dns_config_params){ .path = paths[i] });

		check_is(file, " | | 1");
		ck_assert_uint_eq(dns_config_file_get(file)->attempts, 2);
		ck_assert_uint_eq(dns_config_file_get(file)->timeout_us, 5 * USEC_PER_SEC);
	}
	ck_assert_ptr_null(dns_config_file_free(NULL));
}
END_TEST

START_TEST(options_of_the_file_and_the_configuration_come_through)
{
	const char *path = suite_write_file(
		"options rotate use-vc trust-ad no-aaaa edns0 attempts:3 timeout:7\n");
	struct dns_config_params params = { .path = path };
	CLEANUP(dns_config_file_freep) struct dns_config_file *file = open_file(&params);
	const struct dns_config *config = dns_config_file_get(file);

	ck_assert(config->rotate && config->use_tcp && config->trust_ad && config->no_aaaa);
	ck_assert_uint_eq(config->attempts, 3);
	ck_assert_uint_eq(config->timeout_us, 7 * USEC_PER_SEC);
	ck_assert(!config->random_case);
	params.random_case = true;
	ck_assert_int_eq(dns_config_file_configure(file, &params), 0);
	ck_assert(dns_config_file_get(file)->random_case);
}
END_TEST

START_TEST(configured_servers_take_the_place_of_those_of_the_file)
{
	const char *path =
		suite_write_file("nameserver 10.0.0.1\nnameserver 10.0.0.2\nsearch a.test\n");
	const char *other = suite_write_file("nameserver 10.0.0.3\nsearch b.test\n");
	struct source source = { .params.path = path };
	CLEANUP(dns_config_file_freep) struct dns_config_file *file = NULL;

	set_group(&source, 0, "127.0.0.1:5300", "");
	file = open_file(&source.params);
	check_is(file, "127.0.0.1:5300 | a.test | 1");
	ck_assert_int_eq(rename(other, path), 0);
	check_is(file, "127.0.0.1:5300 | b.test | 1");
	ck_assert_int_eq(unlink(path), 0);
	check_is(file, "127.0.0.1:5300 | | 1");
}
END_TEST

START_TEST(groups_stand_beside_the_servers_for_everything_else)
{
	const char *path = suite_write_file("nameserver 10.0.0.1\n");
	struct source source = { .params.path = path };
	CLEANUP(dns_config_file_freep) struct dns_config_file *file = NULL;

	set_group(&source, 0, "", "");
	set_group(&source, 1, "10.1.0.1 10.1.0.2", "corp.test 10.in-addr.arpa");
	set_group(&source, 2, "10.2.0.1", "lab.corp.test");
	file = open_file(&source.params);
	check_is(file, "10.0.0.1:53, 10.1.0.1:53 10.1.0.2:53 (corp.test 10.in-addr.arpa), "
		       "10.2.0.1:53 (lab.corp.test) | | 1");
	set_group(&source, 0, "10.3.0.1", "plain.test");
	source.params.n_groups = 3;
	ck_assert_int_eq(dns_config_file_configure(file, &source.params), 0);
	check_is(file, "10.0.0.1:53, 10.3.0.1:53 (plain.test), "
		       "10.1.0.1:53 10.1.0.2:53 (corp.test 10.in-addr.arpa), "
		       "10.2.0.1:53 (lab.corp.test) | | 1");
	set_group(&source, 0, "10.3.0.1", "");
	source.params.n_groups = 2;
	ck_assert_int_eq(dns_config_file_configure(file, &source.params), 0);
	memset(&source, 0, sizeof(source)); /* nothing is borrowed */
	check_is(file, "10.3.0.1:53, 10.1.0.1:53 10.1.0.2:53 (corp.test 10.in-addr.arpa) | | 1");
}
END_TEST

START_TEST(the_longest_domain_finds_the_group)
{
	static const struct {
		const char *name;
		size_t group;
	} cases[] = {
		{ "example", 0 },	    { "corp.test", 1 },		{ "www.corp.test", 1 },
		{ "xcorp.test", 0 },	    { "corp.test.example", 0 }, { "test", 0 },
		{ "lab.corp.test", 2 },	    { "a.b.lab.corp.test", 2 }, { "xlab.corp.test", 1 },
		{ "second.test", 1 },	    { "a.second.test", 1 },	{ "orp.test", 0 },
		{ "WWW.LAB.Corp.Test", 2 },
	};
	struct source source = { .params.path = NULL };
	CLEANUP(dns_config_file_freep) struct dns_config_file *file = NULL;
	const struct dns_config *config;

	set_group(&source, 0, "10.0.0.1", "");
	set_group(&source, 1, "10.1.0.1", "corp.test second.test");
	set_group(&source, 2, "10.2.0.1", "lab.corp.test");
	file = open_file(&source.params);
	config = dns_config_file_get(file);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		ck_assert_msg(dns_config_find(config, cases[i].name) ==
				      &config->groups[cases[i].group],
			      "%s", cases[i].name);
	/* The root has every name that nobody else has. */
	set_group(&source, 3, "10.3.0.1", "");
	ck_assert_uint_eq(source.groups[3].n_domains, 1);
	ck_assert_int_eq(dns_config_file_configure(file, &source.params), 0);
	config = dns_config_file_get(file);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		ck_assert_msg(dns_config_find(config, cases[i].name) ==
				      &config->groups[cases[i].group == 0 ? 3 : cases[i].group],
			      "%s", cases[i].name);
}
END_TEST

static void put_text(const char *path, const char *text)
{
	const char *other = suite_write_file(text);

	ck_assert_int_eq(rename(other, path), 0);
}

START_TEST(the_generation_counts_changes_of_servers_only)
{
	const char *path = suite_write_file("nameserver 10.0.0.1\n");
	const char *second = suite_write_file("nameserver 10.0.0.3\n");
	struct source source = { .params.path = path };
	CLEANUP(dns_config_file_freep)
	struct dns_config_file *file = open_file(&source.params);
	uint64_t before = dns_config_file_get(file)->generation;

	ck_assert_uint_gt(before, 0);
	put_text(path, "nameserver 10.0.0.1\nsearch a.test\noptions ndots:3\n");
	ck_assert_uint_eq(dns_config_file_get(file)->n_search, 1);
	ck_assert_uint_eq(dns_config_file_get(file)->generation, before);
	put_text(path, "nameserver 10.0.0.2\n");
	ck_assert_uint_eq(dns_config_file_get(file)->generation, before + 1);
	ck_assert_uint_eq(dns_config_file_get(file)->generation, before + 1);
	/* The same from another path, then other servers. */
	put_text(second, "nameserver 10.0.0.2\n");
	source.params.path = second;
	source.params.random_case = true;
	ck_assert_int_eq(dns_config_file_configure(file, &source.params), 0);
	ck_assert_uint_eq(dns_config_file_get(file)->generation, before + 1);
	set_group(&source, 0, "", "");
	ck_assert_int_eq(dns_config_file_configure(file, &source.params), 0);
	ck_assert_uint_eq(dns_config_file_get(file)->generation, before + 1);
	set_group(&source, 1, "10.1.0.1", "corp.test");
	ck_assert_int_eq(dns_config_file_configure(file, &source.params), 0);
	ck_assert_uint_eq(dns_config_file_get(file)->generation, before + 2);
	ck_assert_int_eq(dns_config_file_configure(file, &source.params), 0);
	ck_assert_uint_eq(dns_config_file_get(file)->generation, before + 2);
	set_group(&source, 1, "10.1.0.1", "other.test");
	ck_assert_int_eq(dns_config_file_configure(file, &source.params), 0);
	ck_assert_uint_eq(dns_config_file_get(file)->generation, before + 3);
	source.groups[1].servers[0].tls = TLS_STRICT;
	ck_assert_int_eq(dns_config_file_configure(file, &source.params), 0);
	ck_assert_uint_eq(dns_config_file_get(file)->generation, before + 4);
	set_group(&source, 0, "10.0.0.2", ""); /* what resolv.conf said */
	source.params.n_groups = 1;
	ck_assert_int_eq(dns_config_file_configure(file, &source.params), 0);
	ck_assert_uint_eq(dns_config_file_get(file)->generation, before + 5);
}
END_TEST

START_TEST(what_was_known_of_a_file_that_cannot_be_read_is_kept)
{
	const char *path = suite_write_file("nameserver 10.0.0.1\n");
	struct source source = { .params.path = path };
	CLEANUP(dns_config_file_freep)
	struct dns_config_file *file = open_file(&source.params);

	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(symlink("/", path), 0); /* a directory: no file that can be read */
	check_is(file, "10.0.0.1:53 | | 1");
	set_group(&source, 0, "", "");
	set_group(&source, 1, "10.1.0.1", "corp.test");
	ck_assert_int_eq(dns_config_file_configure(file, &source.params), 0);
	check_is(file, "10.0.0.1:53, 10.1.0.1:53 (corp.test) | | 1");
	source.params.path = "/no/such/file";
	ck_assert_int_eq(dns_config_file_configure(file, &source.params), 0);
	check_is(file, ", 10.1.0.1:53 (corp.test) | | 1");
}
END_TEST

/* Gives the loopback interface of a namespace of our own another name: it need not be a real one. */
static void rename_interface(const char *from, const char *to)
{
	CLEANUP(fd_closep) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { 0 };

	ck_assert_int_ge(fd, 0);
	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", from);
	(void)snprintf(request.ifr_newname, sizeof(request.ifr_newname), "%s", to);
	ck_assert_int_eq(ioctl(fd, SIOCSIFNAME, &request), 0);
}

START_TEST(an_interface_may_come_later_and_go)
{
	const char *path = suite_write_file(
		"nameserver fe80::1%later\nnameserver 10.0.0.1\nnameserver fe80::2%7\n");
	struct source source = { .params.path = path };
	CLEANUP(dns_config_file_freep) struct dns_config_file *file = NULL;
	uint64_t now_us = 1000000, generation;

	if (!suite_has(unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0,
		       "a network namespace"))
		return;
	clock_set_fake(&now_us);
	set_group(&source, 0, "", "");
	set_group(&source, 1, "fe80::3%later#5300", "corp.test");
	file = open_file(&source.params);
	check_is(file, "10.0.0.1:53 [fe80::2%7]:53,  (corp.test) | | 1");
	generation = dns_config_file_get(file)->generation;
	rename_interface("lo", "later");
	now_us += USEC_PER_SEC - 1;
	ck_assert_uint_eq(dns_config_file_get(file)->generation, generation);
	now_us++;
	check_is(file,
		 "[fe80::1%1]:53 10.0.0.1:53 [fe80::2%7]:53, [fe80::3%1]:5300 (corp.test) | | 1");
	ck_assert_uint_eq(dns_config_file_get(file)->generation, generation + 1);
	rename_interface("later", "gone");
	now_us += USEC_PER_SEC;
	check_is(file, "10.0.0.1:53 [fe80::2%7]:53,  (corp.test) | | 1");
	ck_assert_uint_eq(dns_config_file_get(file)->generation, generation + 2);
	clock_set_fake(NULL);
}
END_TEST

SUITE_MAIN("dns-config", the_file_is_followed, without_a_file_there_is_no_server,
	   options_of_the_file_and_the_configuration_come_through,
	   configured_servers_take_the_place_of_those_of_the_file,
	   groups_stand_beside_the_servers_for_everything_else, the_longest_domain_finds_the_group,
	   the_generation_counts_changes_of_servers_only,
	   what_was_known_of_a_file_that_cannot_be_read_is_kept, an_interface_may_come_later_and_go)
