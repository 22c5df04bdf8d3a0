/* SPDX-License-Identifier: MIT */
/*
 * A host and a service become addresses: SRV records of a scripted name server, the order and the manner in which their
 * targets are told, and what stands in for them.
 */
#include "daemon/resolve/service.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "protocol/error.h"
#include "tests/support/resolve_scene.h"
#include "tests/support/suite.h"

#define SRV_NAME "_http._tcp.www.example"
#define HOST_RULE                                                             \
	{                                                                     \
		.name = "www.example", .addresses = "192.0.2.99 2001:db8::99" \
	}
#define HOST_IS "2001:db8::99:80/0 | 192.0.2.99:80/0 |"

struct rig {
	struct resolve_scene scene;
	struct service_params params; /* of the next one: the test's to change */
	struct service *service;
	char told[2048]; /* "address:port/rank" of each answer, "|" behind the last of a family */
	size_t n_answers, cancel_after;
	bool last[2];
	int last_status[2]; /* of IPv6, IPv4 */
	bool in_start, done, free_in_done;
	int status;
	uint64_t started_us, done_us;
};

static void rig_open(struct rig *rig, const char *hosts, const char *resolv_conf,
		     const struct dns_rule *rules, size_t n_rules)
{
	*rig = (struct rig){
		.params = { .resolve = { .port = 80 }, .name = "http", .has_port = true },
	};
	resolve_scene_open(&rig->scene, hosts, resolv_conf);
	resolve_scene_add_server(&rig->scene, rules, n_rules);
}

static void rig_close(struct rig *rig)
{
	rig->service = service_free(rig->service);
	resolve_scene_close(&rig->scene);
}

static void on_answer(struct service *service, int family, int status,
		      const struct candidate *items, size_t n, bool is_last, void *arg)
{
	struct rig *rig = arg;
	size_t len = strlen(rig->told), index = family == AF_INET6 ? 0 : 1;

	ck_assert(service == rig->service && !rig->done && !rig->in_start);
	ck_assert(!rig->last[index] && (n > 0 || is_last) && (status == 0 || n == 0));
	for (size_t i = 0; i < n; i++) {
		char text[ADDRESS_TEXT_SIZE];

		ck_assert_int_eq(items[i].endpoint.address.family, family);
		(void)address_format(&items[i].endpoint.address, text, sizeof(text));
		len += (size_t)snprintf(rig->told + len, sizeof(rig->told) - len, "%s%s:%u/%u",
					len > 0 ? " " : "", text, items[i].endpoint.port,
					items[i].rank);
	}
	rig->last[index] = is_last;
	if (is_last) {
		rig->last_status[index] = status;
		(void)snprintf(rig->told + len, sizeof(rig->told) - len, "%s|", len > 0 ? " " : "");
	}
	if (++rig->n_answers == rig->cancel_after)
		service_cancel(service);
}

static void on_done(struct service *service, int status, void *arg)
{
	struct rig *rig = arg;

	ck_assert(service == rig->service && !rig->done && !rig->in_start);
	rig->done = true;
	rig->status = status;
	rig->done_us = clock_now_us();
	if (rig->free_in_done)
		rig->service = service_free(service);
}

static void make(struct rig *rig, const char *host)
{
	CLEANUP(freep) char *copy = strdup(host);
	struct service_params params = rig->params;

	rig->service = service_free(rig->service);
	rig->scene.n_asked = 0;
	rig->scene.questions[0] = rig->told[0] = '\0';
	rig->n_answers = 0;
	rig->done = rig->last[0] = rig->last[1] = false;
	params.resolve.host = copy;
	params.resolve.allow = resolve_scene_allow;
	params.resolve.question = resolve_scene_question;
	params.resolve.arg = &rig->scene;
	if (params.resolve.deadline_us == 0)
		params.resolve.deadline_us = clock_now_us() + 30 * USEC_PER_SEC;
	ck_assert_int_eq(service_new(&rig->service, &params, rig->scene.resolver, rig->scene.base,
				     &rig->scene.reason),
			 0);
}

static void start(struct rig *rig, const char *host)
{
	make(rig, host);
	rig->started_us = clock_now_us();
	rig->in_start = true;
	ck_assert_int_eq(service_start(rig->service, on_answer, on_done, rig), 0);
	rig->in_start = false;
}

static void run(struct rig *rig, const char *host)
{
	start(rig, host);
	suite_loop(rig->scene.base, &rig->done);
}

static void turn_until_answers(struct rig *rig, size_t n)
{
	while (rig->n_answers < n)
		ck_assert_int_eq(event_base_loop(rig->scene.base, EVLOOP_ONCE), 0);
}

static size_t count_srv(const struct rig *rig)
{
	return dns_server_count(rig->scene.server, NULL, DNS_RULE_SRV);
}

START_TEST(targets_come_in_order_with_their_ranks)
{
	static const struct dns_rule rules[] = {
		HOST_RULE,
		{ .name = SRV_NAME,
		  .records = "20 1 8081 b.example;10 1 8080 a.example;30 1 8082 c.example" },
		{ .name = "a.example", .addresses = "192.0.2.1 192.0.2.2 2001:db8::1" },
		{ .name = "b.example", .addresses = "192.0.2.3" },
		{ .name = "c.example", .addresses = "2001:db8::3" },
	};
	const struct service_target *targets;
	struct rig rig;
	size_t n;

	rig_open(&rig, "", "", rules, ARRAY_LEN(rules));
	rig.params.resolve.families = FAMILY_INET;
	run(&rig, "WWW.example.");
	ck_assert_int_eq(rig.status, 0);
	ck_assert_str_eq(rig.told, "192.0.2.1:8080/0 192.0.2.2:8080/0 192.0.2.3:8081/1 |");
	rig.params.resolve.families = FAMILY_INET6;
	run(&rig, "www.example");
	ck_assert_str_eq(rig.told, "2001:db8::1:8080/0 2001:db8::3:8082/2 |");
	targets = service_get_targets(rig.service, &n);
	ck_assert_uint_eq(n, 3);
	ck_assert_str_eq(targets[1].srv.name, "b.example");
	ck_assert_uint_eq(targets[1].srv.port, 8081);
	ck_assert_uint_eq(targets[1].srv.priority, 20);
	ck_assert_int_eq(targets[0].status, 0);
	ck_assert_int_eq(targets[1].status, -ASOCK_E_NO_DATA);
	ck_assert_int_eq(service_get_origin(rig.service)->source, SOURCE_DNS);
	ck_assert_str_eq(service_get_name(rig.service), "www.example");
	rig.params.resolve.families = FAMILY_ANY;
	run(&rig, "www.example");
	ck_assert(rig.last[0] && rig.last[1]);
	rig_close(&rig);
}
END_TEST

START_TEST(a_target_waits_for_those_before_it)
{
	static const struct dns_rule rules[] = {
		{ .name = SRV_NAME, .records = "10 1 8080 slow.example;20 1 8081 fast.example" },
		{ .name = "slow.example", .addresses = "192.0.2.1", .delay_ms = 60 },
		{ .name = "fast.example", .addresses = "192.0.2.2" },
	};
	struct rig rig;

	rig_open(&rig, "", "", rules, ARRAY_LEN(rules));
	rig.params.resolve.families = FAMILY_INET;
	run(&rig, "www.example");
	ck_assert_str_eq(rig.told, "192.0.2.1:8080/0 192.0.2.2:8081/1 |");
	rig_close(&rig);
}
END_TEST

START_TEST(a_target_waits_no_longer_than_a_moment)
{
	static const struct dns_rule rules[] = {
		{ .name = SRV_NAME, .records = "10 1 8080 slow.example;20 1 8081 fast.example" },
		{ .name = "slow.example", .addresses = "192.0.2.1", .delay_ms = 390 },
		{ .name = "fast.example", .addresses = "192.0.2.2" },
	};
	struct rig rig;

	rig_open(&rig, "", "", rules, ARRAY_LEN(rules));
	rig.params.resolve.families = FAMILY_INET;
	start(&rig, "www.example");
	turn_until_answers(&rig, 1);
	ck_assert_str_eq(rig.told, "192.0.2.2:8081/1");
	ck_assert_uint_ge(clock_now_us() - rig.started_us, 200 * USEC_PER_MSEC);
	suite_loop(rig.scene.base, &rig.done);
	ck_assert_str_eq(rig.told, "192.0.2.2:8081/1 192.0.2.1:8080/0 |");
	ck_assert_int_eq(rig.status, 0);
	rig_close(&rig);
}
END_TEST

START_TEST(a_target_that_leads_nowhere_holds_up_nothing)
{
	static const struct dns_rule rules[] = {
		{ .name = SRV_NAME,
		  .records = "10 1 1 gone.example;20 1 2 good.example;30 1 3 broken.example" },
		{ .name = "good.example", .addresses = "192.0.2.1" },
		{ .name = "broken.example", .rcode = 2 },
	};
	static const int outcomes[] = { -ASOCK_E_NAME_NOT_FOUND, 0, -ASOCK_E_SERVER_FAILED };
	const struct service_target *targets;
	struct rig rig;
	size_t n;

	rig_open(&rig, "", "", rules, ARRAY_LEN(rules));
	run(&rig, "www.example");
	ck_assert_int_eq(rig.status, 0);
	ck_assert_ptr_nonnull(strstr(rig.told, "192.0.2.1:2/1"));
	ck_assert(rig.last[0] && rig.last[1]);
	targets = service_get_targets(rig.service, &n);
	ck_assert_uint_eq(n, 3);
	for (size_t i = 0; i < n; i++)
		ck_assert_int_eq(targets[i].status, outcomes[i]);
	rig_close(&rig);
}
END_TEST

START_TEST(when_no_target_leads_anywhere_the_host_does_not_stand_in)
{
	static const struct dns_rule rules[] = {
		HOST_RULE,
		{ .name = SRV_NAME, .records = "10 1 1 gone.example;20 1 2 broken.example" },
		{ .name = "broken.example", .rcode = 2 },
	};
	struct rig rig;

	rig_open(&rig, "", "", rules, ARRAY_LEN(rules));
	run(&rig, "www.example");
	ck_assert_int_eq(rig.status, -ASOCK_E_SERVER_FAILED); /* the most telling */
	ck_assert_str_eq(rig.told, "| |");
	rig_close(&rig);
}
END_TEST

START_TEST(a_target_that_is_not_answered_is_not_told_as_found)
{
	static const struct dns_rule rules[] = {
		{ .name = SRV_NAME,
		  .records = "10 1 1 good.example;20 1 2 silent.example;30 1 3 half.example" },
		{ .name = "good.example", .addresses = "192.0.2.1" },
		{ .name = "half.example", .type = DNS_RULE_A, .addresses = "192.0.2.3" },
		{ .silent = true },
	};
	const struct service_target *targets;
	struct rig rig;
	size_t n;

	rig_open(&rig, "", "", rules, ARRAY_LEN(rules));
	start(&rig, "www.example");
	turn_until_answers(&rig, 2);
	service_cancel(rig.service); /* as who has waited long enough */
	targets = service_get_targets(rig.service, &n);
	ck_assert_int_eq(targets[0].status, 0);
	ck_assert_int_eq(targets[1].status, -ASOCK_E_TIMED_OUT);
	ck_assert_int_eq(targets[2].status, 0);
	rig_close(&rig);
}
END_TEST

START_TEST(a_target_of_the_root_is_no_service)
{
	static const struct dns_rule rules[] = {
		HOST_RULE,
		{ .name = SRV_NAME, .records = "0 0 0 ." },
	};
	struct rig rig;

	rig_open(&rig, "", "", rules, ARRAY_LEN(rules));
	run(&rig, "www.example");
	ck_assert_int_eq(rig.status, -ASOCK_E_SERVICE_UNAVAILABLE);
	ck_assert_str_eq(rig.told, "");
	ck_assert_ptr_nonnull(service_get_origin(rig.service));
	rig_close(&rig);
}
END_TEST

START_TEST(without_srv_records_the_host_stands_in)
{
	static const struct dns_rule rules[][3] = {
		{ HOST_RULE },
		{ HOST_RULE, { .name = SRV_NAME } },
		{ HOST_RULE, { .name = SRV_NAME, .rcode = 2 } },
		{ HOST_RULE, { .name = SRV_NAME, .rcode = 5, .delay_ms = 20 } },
		{ HOST_RULE, { .name = SRV_NAME, .records = "10 1 80 a/b" } },
	};

	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		struct rig rig;
		size_t n;

		rig_open(&rig, "", "", rules[i], 2);
		run(&rig, "www.example");
		ck_assert_int_eq(rig.status, 0);
		ck_assert_str_eq(rig.told, HOST_IS);
		ck_assert_uint_eq(count_srv(&rig), 1);
		(void)service_get_targets(rig.service, &n);
		ck_assert_uint_eq(n, 0);
		rig_close(&rig);
	}
}
END_TEST

START_TEST(silent_srv_records_hold_the_host_up_for_a_second)
{
	static const struct dns_rule rules[] = {
		HOST_RULE,
		{ .name = SRV_NAME, .silent = true },
	};
	struct rig rig;

	rig_open(&rig, "", "", rules, ARRAY_LEN(rules));
	run(&rig, "www.example");
	ck_assert_int_eq(rig.status, 0);
	ck_assert_str_eq(rig.told, HOST_IS);
	ck_assert_uint_ge(rig.done_us - rig.started_us, 950 * USEC_PER_MSEC);
	ck_assert_uint_lt(rig.done_us - rig.started_us, 3000 * USEC_PER_MSEC);
	rig_close(&rig);
}
END_TEST

START_TEST(the_host_that_fails_too_is_what_is_told)
{
	static const struct dns_rule rules[] = { { .name = "www.example" } };
	struct rig rig;

	rig_open(&rig, "", "", rules, ARRAY_LEN(rules));
	run(&rig, "www.example");
	ck_assert_int_eq(rig.status, -ASOCK_E_NO_DATA);
	run(&rig, "gone.example");
	ck_assert_int_eq(rig.status, -ASOCK_E_NAME_NOT_FOUND);
	ck_assert_int_eq(rig.last_status[1], -ASOCK_E_NAME_NOT_FOUND);
	rig_close(&rig);
}
END_TEST

START_TEST(a_service_without_a_port_needs_srv_records_and_asks_for_no_host)
{
	static const struct dns_rule rules[] = {
		HOST_RULE,
		{ .name = "_known._tcp.www.example", .records = "10 1 8080 a.example" },
		{ .name = "_broken._tcp.www.example", .rcode = 2 },
		{ .name = "a.example", .addresses = "192.0.2.1" },
	};
	static const struct {
		const char *service, *host;
		int status;
	} cases[] = {
		{ "known", "www.example", 0 },
		{ "other", "www.example", -ASOCK_E_UNKNOWN_SERVICE },
		{ "broken", "www.example", -ASOCK_E_SERVER_FAILED },
		{ "known", "192.0.2.1", -ASOCK_E_UNKNOWN_SERVICE },
		{ "known", "localhost", -ASOCK_E_UNKNOWN_SERVICE },
		{ "no_label", "www.example", -ASOCK_E_UNKNOWN_SERVICE },
	};
	struct rig rig;

	rig_open(&rig, "", "", rules, ARRAY_LEN(rules));
	rig.params.has_port = false;
	rig.params.resolve.port = 0;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		rig.params.name = cases[i].service;
		run(&rig, cases[i].host);
		ck_assert_msg(rig.status == cases[i].status, "%zu: %d", i, rig.status);
	}
	ck_assert_uint_eq(dns_server_count(rig.scene.server, "www.example", 0), 0);
	rig_close(&rig);
}
END_TEST

START_TEST(without_a_port_srv_records_have_all_the_time_there_is)
{
	static const struct dns_rule rules[] = {
		{ .name = SRV_NAME, .records = "10 1 8080 a.example", .delay_ms = 1200 },
		{ .addresses = "192.0.2.1" },
	};
	struct rig rig;

	rig_open(&rig, "", "", rules, ARRAY_LEN(rules));
	rig.params.has_port = false;
	run(&rig, "www.example");
	ck_assert_int_eq(rig.status, 0);
	rig_close(&rig);
}
END_TEST

START_TEST(where_there_can_be_none_no_srv_records_are_asked_for)
{
	static const struct {
		const char *host, *service;
	} cases[] = {
		{ "www.example", NULL }, /* a number */
		{ "192.0.2.1", "http" },
		{ "localhost", "http" },
		{ "x.local", "http" },
		{ "hosts.test", "http" }, /* the hosts file */
		{ "single", "http" },	  /* a suffix comes first */
		{ "www.example", "under_score" },
		{ "www.example", "sixteen-letters-" },
	};
	static const struct dns_rule rule = { .addresses = "192.0.2.99" };
	struct rig rig;

	rig_open(&rig, "192.0.2.7 hosts.test\n", "search example\n", &rule, 1);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		rig.params.name = cases[i].service;
		run(&rig, cases[i].host);
		ck_assert_msg(count_srv(&rig) == 0, "%s", cases[i].host);
	}
	rig.params.name = "http";
	run(&rig, "single."); /* it is meant as it stands */
	ck_assert_uint_eq(dns_server_count(rig.scene.server, "_http._tcp.single", DNS_RULE_SRV), 1);
	run(&rig, "www.example");
	ck_assert_uint_eq(dns_server_count(rig.scene.server, SRV_NAME ".example", 0), 0);
	rig.scene.files.dns_first = true;
	resolve_scene_configure(&rig.scene);
	run(&rig, "hosts.test");
	ck_assert_uint_eq(dns_server_count(rig.scene.server, "_http._tcp.hosts.test", 0), 1);
	rig_close(&rig);
}
END_TEST

START_TEST(the_transport_is_in_the_name)
{
	static const enum transport transports[] = { TRANSPORT_TCP, TRANSPORT_UDP, TRANSPORT_SCTP };
	static const char *const names[] = { "_ntp._tcp.www.example", "_ntp._udp.www.example",
					     "_ntp._sctp.www.example" };
	static const struct dns_rule rules[] = { HOST_RULE };
	struct rig rig;

	rig_open(&rig, "", "", rules, ARRAY_LEN(rules));
	rig.params.name = "NTP";
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		rig.params.transport = transports[i];
		run(&rig, "www.example");
		ck_assert_uint_eq(dns_server_count(rig.scene.server, names[i], DNS_RULE_SRV), 1);
	}
	rig_close(&rig);
}
END_TEST

START_TEST(where_srv_records_alone_are_wanted_nothing_stands_in)
{
	static const struct dns_rule rules[] = {
		HOST_RULE,
		{ .name = SRV_NAME, .times = 1, .records = "10 1 8080 a.example" },
		{ .name = SRV_NAME, .times = 1, .rcode = 2 },
		{ .name = SRV_NAME, .times = 1, .records = "0 0 0 ." },
		{ .name = SRV_NAME, .times = 1, .rcode = 3 },
		{ .name = "a.example", .addresses = "192.0.2.1" },
	};
	static const int outcomes[] = { 0, -ASOCK_E_SERVER_FAILED, -ASOCK_E_SERVICE_UNAVAILABLE,
					-ASOCK_E_NAME_NOT_FOUND, -ASOCK_E_NO_DATA };
	struct rig rig;

	rig_open(&rig, "192.0.2.7 hosts.test\n", "search example\n", rules, ARRAY_LEN(rules));
	rig.params.srv_only = true;
	for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
		run(&rig, "www.example");
		ck_assert_msg(rig.status == outcomes[i], "%zu: %d", i, rig.status);
		ck_assert_str_eq(service_get_name(rig.service), SRV_NAME);
		ck_assert_ptr_nonnull(service_get_origin(rig.service));
	}
	run(&rig, "hosts.test"); /* nothing but the DNS knows of such records */
	ck_assert_uint_eq(dns_server_count(rig.scene.server, "_http._tcp.hosts.test", 0), 1);
	run(&rig, "192.0.2.1");
	ck_assert_int_eq(rig.status, -ASOCK_E_NAME_NOT_FOUND);
	ck_assert_uint_eq(dns_server_count(rig.scene.server, "www.example", 0), 0);
	rig_close(&rig);
}
END_TEST

START_TEST(a_target_may_stand_in_the_hosts_file)
{
	static const struct dns_rule rules[] = {
		{ .name = SRV_NAME, .records = "10 1 8080 hosts.test;20 1 8081 localhost" },
	};
	struct rig rig;

	rig_open(&rig, "192.0.2.7 hosts.test\n", "search example\n", rules, ARRAY_LEN(rules));
	rig.params.resolve.families = FAMILY_INET;
	run(&rig, "www.example");
	ck_assert_str_eq(rig.told, "192.0.2.7:8080/0 127.0.0.1:8081/1 |");
	/* And no suffix is put behind a target. */
	ck_assert_uint_eq(dns_server_count(rig.scene.server, "localhost.example", 0), 0);
	ck_assert_uint_eq(dns_server_count(rig.scene.server, "hosts.test.example", 0), 0);
	rig_close(&rig);
}
END_TEST

START_TEST(the_policy_is_asked_for_the_records_and_for_each_target)
{
	static const struct dns_rule rules[] = {
		HOST_RULE,
		{ .name = SRV_NAME, .records = "10 1 8080 a.example;20 1 8081 b.example" },
		{ .name = "a.example", .addresses = "192.0.2.1" },
		{ .name = "b.example", .addresses = "192.0.2.2" },
	};
	struct rig rig;
	size_t n;

	rig_open(&rig, "", "", rules, ARRAY_LEN(rules));
	rig.params.resolve.families = FAMILY_INET;
	rig.scene.denied = "a.example";
	run(&rig, "www.example");
	ck_assert_str_eq(rig.told, "192.0.2.2:8081/1 |");
	ck_assert_int_eq(service_get_targets(rig.service, &n)[0].status, -ASOCK_E_DENIED);
	ck_assert_uint_eq(dns_server_count(rig.scene.server, "a.example", 0), 0);
	rig.scene.denied = SRV_NAME;
	run(&rig, "www.example");
	ck_assert_str_eq(rig.told, "192.0.2.99:80/0 |");
	ck_assert_uint_eq(count_srv(&rig), 1);
	rig.params.srv_only = true;
	run(&rig, "www.example");
	ck_assert_int_eq(rig.status, -ASOCK_E_DENIED);
	rig_close(&rig);
}
END_TEST

START_TEST(more_targets_than_there_is_room_for_are_left_out)
{
	struct dns_rule rules[] = { { .name = SRV_NAME }, { .addresses = "192.0.2.1" } };
	char records[1024];
	size_t len = 0, n;
	struct rig rig;

	for (int i = 0; i < SERVICE_TARGETS_MAX + 4; i++)
		len += (size_t)snprintf(records + len, sizeof(records) - len,
					"%s%d 1 80 t%d.example", i > 0 ? ";" : "", i, i);
	rules[0].records = records;
	rig_open(&rig, "", "", rules, ARRAY_LEN(rules));
	run(&rig, "www.example");
	ck_assert_int_eq(rig.status, 0);
	(void)service_get_targets(rig.service, &n);
	ck_assert_uint_eq(n, SERVICE_TARGETS_MAX);
	ck_assert_uint_eq(dns_server_count(rig.scene.server, "t16.example", 0), 0);
	rig_close(&rig);
}
END_TEST

static const struct dns_rule cancel_rules[] = {
	{ .name = SRV_NAME, .records = "10 1 1 a.example;20 1 2 slow.example" },
	{ .name = "a.example", .addresses = "192.0.2.1 2001:db8::1" },
	{ .name = "slow.example", .addresses = "192.0.2.2 2001:db8::2", .delay_ms = 5 },
	{ .name = "plain.example", .addresses = "192.0.2.3 2001:db8::3" },
	{ .name = "_http._tcp.none.example", .records = "0 0 0 ." },
	{ .name = "none.example", .addresses = "192.0.2.3" },
};
static const char *const cancel_hosts[] = { "www.example", "plain.example", "none.example",
					    "hosts.test",  "192.0.2.1",	    "gone.example" };

START_TEST(cancel_inside_an_answer_is_silent)
{
	struct rig rig;

	rig_open(&rig, "192.0.2.7 hosts.test\n", "", cancel_rules, ARRAY_LEN(cancel_rules));
	for (size_t i = 0; i < ARRAY_LEN(cancel_hosts); i++) {
		for (rig.cancel_after = 1; rig.cancel_after <= 4; rig.cancel_after++) {
			start(&rig, cancel_hosts[i]);
			while (!rig.done && rig.n_answers < rig.cancel_after)
				ck_assert_int_eq(event_base_loop(rig.scene.base, EVLOOP_ONCE), 0);
			suite_loop_for(rig.scene.base, 10);
			ck_assert_uint_le(rig.n_answers, rig.cancel_after);
			ck_assert(rig.done == (rig.n_answers < rig.cancel_after));
		}
	}
	rig_close(&rig);
}
END_TEST

START_TEST(cancel_is_silent_at_any_time_and_free_is_legal_in_done)
{
	struct rig rig;

	rig_open(&rig, "192.0.2.7 hosts.test\n", "", cancel_rules, ARRAY_LEN(cancel_rules));
	make(&rig, "www.example");
	service_cancel(rig.service);
	for (size_t n = 0; n <= 5; n++) { /* after so many questions */
		size_t before = resolve_scene_count_seen(&rig.scene);

		start(&rig, "www.example");
		while (resolve_scene_count_seen(&rig.scene) < before + n)
			ck_assert_int_eq(event_base_loop(rig.scene.base, EVLOOP_ONCE), 0);
		service_cancel(rig.service);
		service_cancel(rig.service);
		suite_loop_for(rig.scene.base, 10);
		ck_assert(!rig.done);
	}
	rig.free_in_done = true;
	for (size_t i = 0; i < ARRAY_LEN(cancel_hosts); i++) {
		rig.params.srv_only = false;
		rig.params.has_port = true;
		run(&rig, cancel_hosts[i]);
		rig.params.has_port = false;
		run(&rig, cancel_hosts[i]);
		rig.params.srv_only = true;
		run(&rig, cancel_hosts[i]);
	}
	rig_close(&rig);
}
END_TEST

SUITE_MAIN("service", targets_come_in_order_with_their_ranks, a_target_waits_for_those_before_it,
	   a_target_waits_no_longer_than_a_moment, a_target_that_leads_nowhere_holds_up_nothing,
	   when_no_target_leads_anywhere_the_host_does_not_stand_in,
	   a_target_that_is_not_answered_is_not_told_as_found, a_target_of_the_root_is_no_service,
	   without_srv_records_the_host_stands_in, silent_srv_records_hold_the_host_up_for_a_second,
	   the_host_that_fails_too_is_what_is_told,
	   a_service_without_a_port_needs_srv_records_and_asks_for_no_host,
	   without_a_port_srv_records_have_all_the_time_there_is,
	   where_there_can_be_none_no_srv_records_are_asked_for, the_transport_is_in_the_name,
	   where_srv_records_alone_are_wanted_nothing_stands_in,
	   a_target_may_stand_in_the_hosts_file,
	   the_policy_is_asked_for_the_records_and_for_each_target,
	   more_targets_than_there_is_room_for_are_left_out, cancel_inside_an_answer_is_silent,
	   cancel_is_silent_at_any_time_and_free_is_legal_in_done)
