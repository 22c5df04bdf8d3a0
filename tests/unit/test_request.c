/* SPDX-License-Identifier: MIT */
/*
 * Requests through all stages, with a resolver over files and a scripted name server, and real peers on loopback.
 */
#include "daemon/request/request.h"

#include <event2/event.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "daemon/base/clock.h"
#include "daemon/policy/quota.h"
#include "daemon/resolve/resolve.h"
#include "protocol/error.h"
#include "tests/support/dns_server.h"
#include "tests/support/suite.h"
#include "tests/support/tcp_peer.h"

#define MS(n)	  ((uint64_t)(n)*1000)
#define MAX_PEERS 4

struct scene {
	struct event_base *base;
	struct config *config;
	struct request_env env;
	struct resolver_params files;
	struct dns_server *server;
	struct tcp_peer *peers[MAX_PEERS];
	struct request_params params; /* of the next request: the test's to change */
	char service[8];
	struct request *request;
	bool in_start, done, free_inside;
	int status;
	struct request_result result;
};

static void scene_open(struct scene *scene, const char *hosts)
{
	*scene = (struct scene){
		.base = event_base_new(),
		.files = { .hosts_file = suite_write_file(hosts),
			   .services_file = suite_write_file("http 80/tcp\nsyslog 514/udp\n"),
			   .resolv_conf = suite_write_file("") },
		.params = { .kind = REQUEST_CONNECT,
			    .service = scene->service,
			    .identity = { .same_netns = true },
			    .attempt_delay_us = MS(10) },
	};
	ck_assert_ptr_nonnull(scene->base);
	ck_assert_int_eq(config_new(&scene->config), 0);
	scene->env.base = scene->base;
	scene->env.config = scene->config;
	ck_assert_int_eq(resolver_new(&scene->env.resolver, &scene->files), 0);
	ck_assert_int_eq(quota_new(&scene->env.quota), 0);
	ck_assert_int_eq(policy_new(&scene->env.policy), 0);
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
	ck_assert_int_eq(resolver_configure(scene->env.resolver, &scene->files), 0);
	scene->files.groups = NULL;
	scene->files.n_groups = 0;
}

static struct tcp_peer *scene_add_peer(struct scene *scene, int family, enum tcp_peer_kind kind)
{
	size_t i = 0;

	while (scene->peers[i])
		i++;
	scene->peers[i] = tcp_peer_new(scene->base, family, kind);
	(void)snprintf(scene->service, sizeof(scene->service), "%u",
		       tcp_peer_get_endpoint(scene->peers[i])->port);
	return scene->peers[i];
}

static void scene_close(struct scene *scene)
{
	scene->request = request_free(scene->request);
	ck_assert_uint_eq(quota_get_total(scene->env.quota, QUOTA_ATTEMPTS), 0);
	dns_server_free(scene->server);
	for (size_t i = 0; i < MAX_PEERS; i++)
		tcp_peer_free(scene->peers[i]);
	policy_free(scene->env.policy);
	quota_free(scene->env.quota);
	resolver_free(scene->env.resolver);
	config_free(scene->config);
	event_base_free(scene->base);
}

static void set_rules(struct scene *scene, const char *text)
{
	CLEANUP(config_freep) struct config *config = NULL;
	struct ini_error error = { 0 };

	ck_assert_int_eq(config_new(&config), 0);
	ck_assert_msg(config_read_text(config, text, strlen(text), "rules", &error) == 0, "%s",
		      error.text);
	policy_adopt_rules(scene->env.policy, &config->rules);
}

static void on_done(struct request *request, int status, void *arg)
{
	struct scene *scene = arg;

	ck_assert(!scene->in_start && !scene->done);
	ck_assert_ptr_eq(request, scene->request);
	scene->done = true;
	scene->status = status;
	request_get_result(request, &scene->result);
	ck_assert_int_eq(scene->result.status, status);
	if (scene->free_inside)
		scene->request = request_free(request);
}

/* What request_start says. The host is gone afterwards, as the contract allows. */
static int start(struct scene *scene, const char *host)
{
	CLEANUP(freep) char *copy = strdup(host);
	int r;

	scene->request = request_free(scene->request);
	scene->done = false;
	scene->params.host = copy;
	ck_assert_int_eq(request_new(&scene->request, &scene->params, &scene->env), 0);
	scene->in_start = true;
	r = request_start(scene->request, on_done, scene);
	scene->in_start = false;
	memset(copy, '?', strlen(host));
	if (r < 0)
		request_get_result(scene->request, &scene->result);
	return r;
}

static void run(struct scene *scene, const char *host)
{
	ck_assert_int_eq(start(scene, host), 0);
	suite_loop(scene->base, &scene->done);
}

static void turn_until_attempts(const struct scene *scene, size_t n)
{
	while (quota_get_total(scene->env.quota, QUOTA_ATTEMPTS) < n)
		ck_assert_int_eq(event_base_loop(scene->base, EVLOOP_ONCE), 0);
}

START_TEST(a_name_of_the_hosts_file_is_connected_to)
{
	CLEANUP(fd_closep) int fd = -1;
	struct scene scene;
	const struct endpoint *peer;

	scene_open(&scene, "127.0.0.1 peer.test\n");
	peer = tcp_peer_get_endpoint(scene_add_peer(&scene, AF_INET, TCP_PEER_ACCEPT));
	run(&scene, "PEER.test");
	ck_assert_int_eq(scene.status, 0);
	ck_assert_str_eq(scene.result.name, "peer.test");
	ck_assert(endpoint_equal(&scene.result.peer, peer));
	ck_assert_int_eq(scene.result.local.address.family, AF_INET);
	ck_assert_uint_gt(scene.result.local.port, 0);
	ck_assert_uint_eq(scene.result.n_attempts, 1);
	ck_assert_uint_eq(scene.result.winner, 0);
	ck_assert_int_eq(scene.result.attempts[0].candidate.source, SOURCE_HOSTS);
	ck_assert_uint_le(scene.result.resolve_us, scene.result.total_us);
	ck_assert(request_may_hand_over(scene.request));
	fd = request_take_fd(scene.request);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	ck_assert_int_eq(request_take_fd(scene.request), -1);
	scene_close(&scene);
}
END_TEST

START_TEST(the_descriptor_blocks_when_so_asked)
{
	CLEANUP(fd_closep) int fd = -1;
	struct scene scene;

	scene_open(&scene, "");
	(void)scene_add_peer(&scene, AF_INET, TCP_PEER_ACCEPT);
	scene.params.blocking = true;
	run(&scene, "127.0.0.1");
	ck_assert_int_eq(scene.status, 0);
	fd = request_take_fd(scene.request);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	scene_close(&scene);
}
END_TEST

START_TEST(a_descriptor_that_nobody_takes_is_closed)
{
	struct scene scene;

	scene_open(&scene, "");
	(void)scene_add_peer(&scene, AF_INET, TCP_PEER_ACCEPT);
	scene.free_inside = true;
	run(&scene, "127.0.0.1");
	ck_assert_int_eq(scene.status, 0);
	scene_close(&scene); /* and the fixture counts */
}
END_TEST

START_TEST(a_dead_first_address_is_overtaken)
{
	struct scene scene;

	/* The port is one on IPv4 where somebody listens; on IPv6 nobody does. */
	scene_open(&scene, "::1 peer.test\n127.0.0.1 peer.test\n");
	(void)scene_add_peer(&scene, AF_INET, TCP_PEER_ACCEPT);
	run(&scene, "peer.test");
	ck_assert_int_eq(scene.status, 0);
	ck_assert_uint_eq(scene.result.n_attempts, 2);
	ck_assert_int_eq(scene.result.attempts[0].outcome, OUTCOME_FAILED);
	ck_assert_int_eq(scene.result.attempts[0].candidate.endpoint.address.family, AF_INET6);
	ck_assert_uint_eq(scene.result.winner, 1);
	scene_close(&scene);
}
END_TEST

START_TEST(all_addresses_dead_is_told_with_the_reason)
{
	struct scene scene;

	scene_open(&scene, "::1 peer.test\n127.0.0.1 peer.test\n");
	(void)scene_add_peer(&scene, AF_INET, TCP_PEER_REFUSE);
	run(&scene, "peer.test");
	ck_assert_int_eq(scene.status, -ASOCK_E_CONNECT_FAILED);
	ck_assert_int_eq(scene.result.headline, -ECONNREFUSED);
	ck_assert_uint_eq(scene.result.n_attempts, 2);
	scene_close(&scene);
}
END_TEST

START_TEST(a_privileged_option_is_denied_before_anything_is_asked)
{
	struct scene scene;

	scene_open(&scene, "");
	scene_add_server(&scene, NULL, 0);
	scene.params.privileged_option = "mark";
	scene.params.service = "80";
	ck_assert_int_eq(start(&scene, "name.example"), -ASOCK_E_DENIED);
	ck_assert_int_eq(scene.result.denied_stage, POLICY_STAGE_OPTION);
	ck_assert_int_eq(scene.result.status, -ASOCK_E_DENIED);
	suite_loop_for(scene.base, 5);
	ck_assert(!scene.done);
	ck_assert_uint_eq(dns_server_count(scene.server, NULL, 0), 0);
	scene_close(&scene);
}
END_TEST

/* Neither the DNS nor the hosts file, the services table or the names of interfaces tell such a client anything. */
START_TEST(who_may_ask_for_nothing_is_told_nothing)
{
	static const char *const hosts[] = { "name.example", "peer.test",  "127.0.0.1",
					     "a..b",	     "fe80::1%lo", "fe80::1%nowhere0" };
	static const char *const services[] = { "80", "nothing" };
	struct scene scene;

	scene_open(&scene, "127.0.0.1 peer.test\n");
	scene_add_server(&scene, NULL, 0);
	scene.params.identity.same_netns = false; /* the built-in default: may do nothing */
	for (size_t i = 0; i < ARRAY_LEN(hosts) * ARRAY_LEN(services); i++) {
		scene.params.service = services[i % ARRAY_LEN(services)];
		ck_assert_int_eq(start(&scene, hosts[i / ARRAY_LEN(services)]), -ASOCK_E_DENIED);
		ck_assert_int_eq(scene.result.denied_stage, POLICY_STAGE_NAME);
		ck_assert_uint_eq(scene.result.n_attempts, 0);
	}
	suite_loop_for(scene.base, 5);
	ck_assert_uint_eq(dns_server_count(scene.server, NULL, 0), 0);
	scene_close(&scene);
}
END_TEST

START_TEST(an_address_is_denied_before_it_is_dialled)
{
	static const char *const hosts[] = { "127.0.0.1", "peer.test", "::ffff:127.0.0.1",
					     "localhost" };
	struct scene scene;
	struct tcp_peer *peer;

	scene_open(&scene, "127.0.0.1 peer.test\n");
	peer = scene_add_peer(&scene, AF_INET, TCP_PEER_ACCEPT);
	set_rules(&scene, "[Never]\nTo=127.0.0.0/8\nTo=::1\n");
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		run(&scene, hosts[i]);
		ck_assert_int_eq(scene.status, -ASOCK_E_DENIED);
		ck_assert_int_eq(scene.result.denied_stage, POLICY_STAGE_ADDRESS);
		ck_assert_uint_ge(scene.result.n_attempts, 1);
		ck_assert_int_eq(scene.result.attempts[0].outcome, OUTCOME_DENIED);
	}
	suite_loop_for(scene.base, 5);
	ck_assert_uint_eq(tcp_peer_get_n_accepted(peer), 0);
	scene_close(&scene);
}
END_TEST

START_TEST(one_denied_address_does_not_hold_up_the_others)
{
	struct scene scene;

	scene_open(&scene, "::1 peer.test\n127.0.0.1 peer.test\n");
	(void)scene_add_peer(&scene, AF_INET, TCP_PEER_ACCEPT);
	set_rules(&scene, "[Never]\nTo=::1\n");
	run(&scene, "peer.test");
	ck_assert_int_eq(scene.status, 0);
	ck_assert_int_eq(scene.result.attempts[0].outcome, OUTCOME_DENIED);
	ck_assert_uint_eq(scene.result.winner, 1);
	scene_close(&scene);
}
END_TEST

START_TEST(a_bad_service_or_name_is_told_at_once)
{
	static const struct {
		const char *host, *service;
		enum transport transport;
		int status;
	} cases[] = {
		{ "127.0.0.1", "nothing", TRANSPORT_TCP, -ASOCK_E_UNKNOWN_SERVICE },
		{ "127.0.0.1", "0", TRANSPORT_TCP, -ASOCK_E_UNKNOWN_SERVICE },
		{ "127.0.0.1", "65536", TRANSPORT_TCP, -ASOCK_E_UNKNOWN_SERVICE },
		{ "127.0.0.1", "", TRANSPORT_TCP, -ASOCK_E_UNKNOWN_SERVICE },
		{ "127.0.0.1", "syslog", TRANSPORT_TCP, -ASOCK_E_UNKNOWN_SERVICE },
		{ "", "80", TRANSPORT_TCP, -ASOCK_E_INVALID_NAME },
		{ "a..b", "80", TRANSPORT_TCP, -ASOCK_E_INVALID_NAME },
		{ "a b", "80", TRANSPORT_TCP, -ASOCK_E_INVALID_NAME },
		{ "1.2.3.4.5", "80", TRANSPORT_TCP, -ASOCK_E_INVALID_NAME },
		{ "fe80::1%nowhere0", "80", TRANSPORT_TCP, -ASOCK_E_INVALID_NAME },
	};
	struct scene scene;

	scene_open(&scene, "");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int status;

		scene.params.service = cases[i].service;
		scene.params.transport = cases[i].transport;
		status = start(&scene, cases[i].host);
		ck_assert_msg(status == cases[i].status, "%s %s: %d", cases[i].host,
			      cases[i].service, status);
		if (status == -ASOCK_E_INVALID_NAME)
			ck_assert_ptr_nonnull(scene.result.reason);
	}
	suite_loop_for(scene.base, 5);
	ck_assert(!scene.done);
	scene_close(&scene);
}
END_TEST

START_TEST(the_deadline_ends_the_resolution)
{
	static const struct dns_rule silent = { .silent = true };
	struct scene scene;

	scene_open(&scene, "");
	scene_add_server(&scene, &silent, 1);
	scene.params.service = "80";
	for (int kind = REQUEST_CONNECT; kind <= REQUEST_RESOLVE; kind++) {
		scene.params.kind = (enum request_kind)kind;
		scene.params.timeout_us = MS(30);
		run(&scene, "silent.example");
		ck_assert_int_eq(scene.status, -ASOCK_E_TIMED_OUT);
		ck_assert_int_eq(scene.result.stage, REQUEST_STAGE_RESOLVE);
		ck_assert_uint_eq(scene.result.n_attempts, 0);
	}
	scene_close(&scene);
}
END_TEST

START_TEST(the_deadline_ends_the_race)
{
	struct scene scene;

	scene_open(&scene, "");
	(void)scene_add_peer(&scene, AF_INET, TCP_PEER_BLACK_HOLE);
	scene.params.timeout_us = MS(30);
	run(&scene, "127.0.0.1");
	ck_assert_int_eq(scene.status, -ASOCK_E_TIMED_OUT);
	ck_assert_int_eq(scene.result.stage, REQUEST_STAGE_CONNECT);
	ck_assert_uint_ge(scene.result.total_us, MS(30));
	ck_assert_uint_eq(scene.result.n_attempts, 1);
	ck_assert_int_eq(scene.result.attempts[0].outcome, OUTCOME_TIMEOUT);
	scene_close(&scene);
}
END_TEST

START_TEST(the_configured_timeout_holds_for_who_does_not_say)
{
	struct scene scene;

	scene_open(&scene, "");
	(void)scene_add_peer(&scene, AF_INET, TCP_PEER_BLACK_HOLE);
	scene.config->timeout_us = MS(30);
	run(&scene, "127.0.0.1");
	ck_assert_int_eq(scene.status, -ASOCK_E_TIMED_OUT);
	scene_close(&scene);
}
END_TEST

START_TEST(what_the_resolver_says_is_the_verdict)
{
	static const struct dns_rule rules[] = {
		{ .name = "gone.example", .rcode = 3 },
		{ .name = "empty.example" },
		{ .name = "broken.example", .rcode = 2 },
	};
	static const struct {
		const char *host;
		int status;
	} cases[] = {
		{ "gone.example", -ASOCK_E_NAME_NOT_FOUND },
		{ "empty.example", -ASOCK_E_NO_DATA },
		{ "broken.example", -ASOCK_E_SERVER_FAILED },
		{ "host.invalid", -ASOCK_E_NAME_NOT_FOUND },
	};
	struct scene scene;

	scene_open(&scene, "");
	scene_add_server(&scene, rules, ARRAY_LEN(rules));
	scene.params.service = "80";
	for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
		scene.params.kind = i % 2 == 0 ? REQUEST_CONNECT : REQUEST_RESOLVE;
		run(&scene, cases[i / 2].host);
		ck_assert_msg(scene.status == cases[i / 2].status, "%s: %d", cases[i / 2].host,
			      scene.status);
		ck_assert_str_eq(scene.result.name, cases[i / 2].host);
	}
	scene_close(&scene);
}
END_TEST

START_TEST(a_server_that_failed_is_told_with_its_code)
{
	static const struct dns_rule broken = { .rcode = 2 };
	struct scene scene;
	struct endpoint server;

	scene_open(&scene, "");
	scene_add_server(&scene, &broken, 1);
	server = dns_server_endpoint(scene.server);
	scene.params.service = "80";
	run(&scene, "broken.example");
	ck_assert_int_eq(scene.status, -ASOCK_E_SERVER_FAILED);
	ck_assert_str_eq(scene.result.rcode, "SERVFAIL");
	ck_assert(endpoint_equal(scene.result.server, &server));
	scene_close(&scene);
}
END_TEST

/* Cancel and free in the stage that the test has brought the request to: nothing is told, nothing is left. */
static void cancel_here(struct scene *scene)
{
	request_cancel(scene->request);
	request_cancel(scene->request);
	ck_assert_uint_eq(quota_get_total(scene->env.quota, QUOTA_ATTEMPTS), 0);
	suite_loop_for(scene->base, 30);
	ck_assert(!scene->done);
	scene->request = request_free(scene->request);
}

START_TEST(cancel_is_silent_in_each_stage)
{
	static const struct dns_rule rules[] = {
		{ .name = "slow.example", .addresses = "127.0.0.1 ::1", .delay_ms = 10 },
		{ .name = "half.example", .type = DNS_RULE_A, .addresses = "127.0.0.1" },
		{ .name = "half.example", .type = DNS_RULE_AAAA, .silent = true },
	};
	struct scene scene;

	scene_open(&scene, "");
	scene_add_server(&scene, rules, ARRAY_LEN(rules));
	(void)scene_add_peer(&scene, AF_INET, TCP_PEER_BLACK_HOLE);
	for (int kind = REQUEST_CONNECT; kind <= REQUEST_RESOLVE; kind++) {
		scene.params.kind = (enum request_kind)kind;
		ck_assert_int_eq(request_new(&scene.request, &scene.params, &scene.env), 0);
		cancel_here(&scene);
		ck_assert_int_eq(start(&scene, "127.0.0.1"), 0); /* its result is under way */
		cancel_here(&scene);
		ck_assert_int_eq(start(&scene, "slow.example"), 0);
		while (dns_server_count(scene.server, "slow.example", 0) % 2 == 0)
			ck_assert_int_eq(event_base_loop(scene.base, EVLOOP_ONCE), 0);
		cancel_here(&scene);
	}
	scene.params.grace_us = MS(200);
	ck_assert_int_eq(start(&scene, "half.example"), 0);
	suite_loop_for(scene.base, 20);
	request_cancel(scene.request);
	suite_loop_for(scene.base, 250); /* until after the grace */
	cancel_here(&scene);
	scene.params.kind = REQUEST_CONNECT;
	ck_assert_int_eq(start(&scene, "127.0.0.1"), 0);
	turn_until_attempts(&scene, 1);
	cancel_here(&scene);
	ck_assert_int_eq(start(&scene, "half.example"), 0);
	turn_until_attempts(&scene, 1);
	scene.request = request_free(scene.request); /* free alone does as well */
	suite_loop_for(scene.base, 10);
	ck_assert(!scene.done);
	scene_close(&scene);
}
END_TEST

START_TEST(a_request_may_be_freed_in_its_done)
{
	struct scene scene;

	scene_open(&scene, "127.0.0.1 peer.test\n");
	(void)scene_add_peer(&scene, AF_INET, TCP_PEER_REFUSE);
	scene.free_inside = true;
	run(&scene, "peer.test");
	ck_assert_int_eq(scene.status, -ASOCK_E_CONNECT_FAILED);
	scene.params.kind = REQUEST_RESOLVE;
	run(&scene, "peer.test");
	ck_assert_int_eq(scene.status, 0);
	run(&scene, "host.invalid");
	ck_assert_int_eq(scene.status, -ASOCK_E_NAME_NOT_FOUND);
	scene_close(&scene);
}
END_TEST

/* The address at this place of a resolution's result, as text. */
static const char *candidate_text(const struct scene *scene, size_t i)
{
	static char text[ENDPOINT_TEXT_SIZE];

	ck_assert_uint_lt(i, scene->result.n_candidates);
	return endpoint_format(&scene->result.candidates[i].endpoint, text, sizeof(text));
}

START_TEST(a_resolution_orders_as_a_connection_would)
{
	struct scene scene;

	/* ::1 first by RFC 6724, then the families in turn. */
	scene_open(&scene, "127.0.0.1 peer.test\n127.0.0.2 peer.test\n::1 peer.test\n");
	scene.params.kind = REQUEST_RESOLVE;
	scene.params.service = "http";
	run(&scene, "peer.test");
	ck_assert_int_eq(scene.status, 0);
	ck_assert_uint_eq(scene.result.n_candidates, 3);
	ck_assert_str_eq(candidate_text(&scene, 0), "[::1]:80");
	ck_assert_str_eq(candidate_text(&scene, 1), "127.0.0.1:80");
	ck_assert_str_eq(candidate_text(&scene, 2), "127.0.0.2:80");
	scene.params.families = FAMILY_PREFER_INET;
	run(&scene, "peer.test");
	ck_assert_str_eq(candidate_text(&scene, 0), "127.0.0.1:80");
	ck_assert_str_eq(candidate_text(&scene, 1), "[::1]:80");
	scene.params.families = FAMILY_INET6;
	run(&scene, "peer.test");
	ck_assert_uint_eq(scene.result.n_candidates, 1);
	ck_assert_str_eq(candidate_text(&scene, 0), "[::1]:80");
	scene_close(&scene);
}
END_TEST

START_TEST(an_address_without_a_route_comes_last)
{
	struct scene scene;

	scene_open(
		&scene,
		"fe80::1 peer.test\n127.0.0.1 peer.test\n"); /* link-local, and no zone says where */
	scene.params.kind = REQUEST_RESOLVE;
	scene.params.service = "http";
	run(&scene, "peer.test");
	ck_assert_str_eq(candidate_text(&scene, 0), "127.0.0.1:80");
	ck_assert_str_eq(candidate_text(&scene, 1), "[fe80::1]:80");
	scene_close(&scene);
}
END_TEST

START_TEST(a_resolution_without_a_service_has_no_port)
{
	struct scene scene;

	scene_open(&scene, "");
	scene.params.kind = REQUEST_RESOLVE;
	scene.params.service = NULL;
	run(&scene, "127.0.0.1");
	ck_assert_int_eq(scene.status, 0);
	ck_assert_uint_eq(scene.result.candidates[0].endpoint.port, 0);
	scene_close(&scene);
}
END_TEST

START_TEST(a_resolution_gives_so_many_addresses_and_no_more)
{
	static const struct dns_rule many = {
		.addresses = "127.0.0.1 127.0.0.2 127.0.0.3 127.0.0.4 127.0.0.5 ::1 ::2 ::3"
	};
	struct scene scene;

	scene_open(&scene, "");
	scene_add_server(&scene, &many, 1);
	scene.config->addresses_per_call = 4;
	scene.params.kind = REQUEST_RESOLVE;
	scene.params.service = NULL;
	run(&scene, "many.example");
	ck_assert_int_eq(scene.status, 0);
	ck_assert_uint_eq(scene.result.n_candidates, 4);
	scene_close(&scene);
}
END_TEST

START_TEST(every_source_is_named)
{
	static const struct dns_rule rule = { .name = "dns.example",
					      .addresses = "127.0.0.1",
					      .ttl = 77 };
	static const struct {
		const char *host;
		enum source source;
	} cases[] = {
		{ "127.0.0.1", SOURCE_LITERAL },
		{ "hosts.test", SOURCE_HOSTS },
		{ "localhost", SOURCE_SYNTHETIC },
		{ "dns.example", SOURCE_DNS },
	};
	struct endpoint server;
	struct scene scene;

	scene_open(&scene, "127.0.0.1 hosts.test\n");
	scene_add_server(&scene, &rule, 1);
	server = dns_server_endpoint(scene.server);
	scene.params.kind = REQUEST_RESOLVE;
	scene.params.service = NULL;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		run(&scene, cases[i].host);
		ck_assert_int_eq(scene.status, 0);
		ck_assert_int_eq(scene.result.candidates[0].source, cases[i].source);
		ck_assert_str_eq(scene.result.name, cases[i].host);
	}
	ck_assert_uint_eq(scene.result.candidates[0].ttl_s, 77);
	ck_assert(endpoint_equal(scene.result.server, &server));
	scene_close(&scene);
}
END_TEST

START_TEST(a_silent_second_family_gets_its_grace_and_no_more)
{
	static const struct dns_rule rules[] = {
		{ .name = "half.example", .type = DNS_RULE_A, .addresses = "127.0.0.1" },
		{ .name = "half.example", .type = DNS_RULE_AAAA, .silent = true },
		{ .name = "late.example", .type = DNS_RULE_A, .addresses = "127.0.0.1" },
		{ .name = "late.example",
		  .type = DNS_RULE_AAAA,
		  .addresses = "::1",
		  .delay_ms = 10 },
	};
	struct endpoint server;
	struct scene scene;

	scene_open(&scene, "");
	scene_add_server(&scene, rules, ARRAY_LEN(rules));
	server = dns_server_endpoint(scene.server);
	scene.params.kind = REQUEST_RESOLVE;
	scene.params.service = NULL;
	scene.params.grace_us = MS(200);
	run(&scene, "half.example");
	ck_assert_int_eq(scene.status, 0);
	ck_assert_uint_eq(scene.result.n_candidates, 1);
	/* Half of it at least: libevent counts from the beginning of a turn. */
	ck_assert_uint_ge(scene.result.total_us, MS(100));
	ck_assert_uint_lt(scene.result.resolve_us, MS(200));
	ck_assert(endpoint_equal(scene.result.server, &server));
	scene.params.grace_us = MS(4000);
	run(&scene, "late.example");
	ck_assert_uint_eq(scene.result.n_candidates, 2);
	ck_assert_uint_lt(scene.result.total_us, MS(3000));
	scene_close(&scene);
}
END_TEST

START_TEST(the_deadline_during_the_grace_gives_what_there_is)
{
	static const struct dns_rule rules[] = {
		{ .name = "half.example", .type = DNS_RULE_A, .addresses = "127.0.0.1" },
		{ .name = "half.example", .type = DNS_RULE_AAAA, .silent = true },
	};
	struct endpoint server;
	struct scene scene;

	scene_open(&scene, "");
	scene_add_server(&scene, rules, ARRAY_LEN(rules));
	server = dns_server_endpoint(scene.server);
	scene.params.kind = REQUEST_RESOLVE;
	scene.params.service = NULL;
	scene.params.timeout_us = MS(300);
	run(&scene, "half.example");
	ck_assert_int_eq(scene.status, 0);
	ck_assert_uint_eq(scene.result.n_candidates, 1);
	ck_assert_uint_lt(scene.result.total_us, LIMIT_RESOLVE_GRACE_USEC);
	ck_assert(endpoint_equal(scene.result.server, &server)); /* the silent one is not it */
	scene_close(&scene);
}
END_TEST

/* Two sockets on one port of ::1 and 127.0.0.1 that let every SYN hang. */
struct twin_holes {
	int listeners[2]; /* owned */
	int fillers[2][4];
	uint16_t port;
};

static void bind_twin(struct twin_holes *holes, size_t i)
{
	struct endpoint endpoint = { .address = { .family = i == 0 ? AF_INET6 : AF_INET },
				     .port = holes->port };
	struct sockaddr_storage sockaddr;
	socklen_t len;

	if (i == 0)
		endpoint.address.bytes[15] = 1;
	else
		memcpy(endpoint.address.bytes, "\177\0\0\1", 4);
	holes->listeners[i] = socket(endpoint.address.family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(endpoint_to_sockaddr(&endpoint, &sockaddr, &len), 0);
	ck_assert_int_eq(bind(holes->listeners[i], (struct sockaddr *)&sockaddr, len), 0);
	ck_assert_int_eq(listen(holes->listeners[i], 0), 0);
	ck_assert_int_eq(getsockname(holes->listeners[i], (struct sockaddr *)&sockaddr, &len), 0);
	ck_assert_int_eq(endpoint_from_sockaddr((struct sockaddr *)&sockaddr, len, &endpoint), 0);
	holes->port = endpoint.port;
	for (size_t j = 0; j < ARRAY_LEN(holes->fillers[i]); j++) {
		int fd = socket(endpoint.address.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
				0);

		(void)connect(fd, (struct sockaddr *)&sockaddr, len);
		holes->fillers[i][j] = fd;
	}
}

static void close_twins(struct twin_holes *holes)
{
	for (size_t i = 0; i < 2; i++) {
		for (size_t j = 0; j < ARRAY_LEN(holes->fillers[i]); j++)
			(void)close_fd(holes->fillers[i][j]);
		(void)close_fd(holes->listeners[i]);
	}
}

/*
 * The first address is dialled, the policy closes it, a second one is dialled under the new policy, and then the first one
 * answers after all. It takes the second that the kernel waits before it sends a SYN again.
 */
START_TEST(the_winner_is_judged_anew_though_another_was_dialled_later)
{
	struct twin_holes holes = { 0 };
	struct scene scene;
	int accepted[4];

	scene_open(&scene, "::1 peer.test\n127.0.0.1 peer.test\n");
	bind_twin(&holes, 0);
	bind_twin(&holes, 1);
	(void)snprintf(scene.service, sizeof(scene.service), "%u", holes.port);
	scene.params.attempt_delay_us = MS(50);
	ck_assert_int_eq(start(&scene, "peer.test"), 0);
	turn_until_attempts(&scene, 1);
	set_rules(&scene, "[Never]\nTo=::1\n");
	turn_until_attempts(&scene, 2);
	for (size_t i = 0; i < ARRAY_LEN(accepted); i++) {
		ck_assert_int_eq(fcntl(holes.listeners[0], F_SETFL, O_NONBLOCK), 0);
		accepted[i] = accept4(holes.listeners[0], NULL, NULL, SOCK_CLOEXEC);
		holes.fillers[0][i] = close_fd(holes.fillers[0][i]);
	}
	suite_loop(scene.base, &scene.done);
	ck_assert_int_eq(scene.status, 0);
	ck_assert_uint_eq(scene.result.winner, 0);
	ck_assert(!request_may_hand_over(scene.request));
	for (size_t i = 0; i < ARRAY_LEN(accepted); i++)
		(void)close_fd(accepted[i]);
	close_twins(&holes);
	scene_close(&scene);
}
END_TEST

START_TEST(a_winner_is_judged_anew_only_under_a_new_policy)
{
	struct scene scene;

	scene_open(&scene, "");
	(void)scene_add_peer(&scene, AF_INET, TCP_PEER_ACCEPT);
	run(&scene, "127.0.0.1");
	ck_assert(request_may_hand_over(scene.request));
	set_rules(&scene, "[Never]\nTo=::1\n");
	ck_assert(request_may_hand_over(scene.request));
	set_rules(&scene, "[Never]\nTo=127.0.0.1\n");
	ck_assert(!request_may_hand_over(scene.request));
	set_rules(&scene, "[Policy]\nDefault=deny\n");
	ck_assert(!request_may_hand_over(scene.request));
	scene_close(&scene);
}
END_TEST

START_TEST(when_all_known_addresses_failed_a_silent_family_has_its_grace)
{
	static const struct dns_rule rules[] = {
		{ .name = "name.example", .type = DNS_RULE_A, .addresses = "127.0.0.1" },
		{ .name = "name.example", .type = DNS_RULE_AAAA, .silent = true },
	};
	struct scene scene;

	scene_open(&scene, "");
	scene_add_server(&scene, rules, ARRAY_LEN(rules));
	(void)scene_add_peer(&scene, AF_INET, TCP_PEER_REFUSE);
	scene.params.service = scene.service;
	run(&scene, "name.example");
	ck_assert_int_eq(scene.status, -ASOCK_E_CONNECT_FAILED);
	ck_assert_int_eq(scene.result.headline, -ECONNREFUSED);
	ck_assert_uint_ge(scene.result.total_us, LIMIT_RESOLVE_GRACE_USEC);
	scene_close(&scene);
}
END_TEST

START_TEST(with_too_many_attempts_in_flight_one_runs_at_a_time)
{
	struct scene scene;

	scene_open(&scene, "");
	(void)scene_add_peer(&scene, AF_INET, TCP_PEER_ACCEPT);
	scene.config->attempts_in_flight = 1;
	ck_assert_int_eq(quota_charge(scene.env.quota, 4711, QUOTA_ATTEMPTS, 1), 0); /* another's */
	run(&scene, "127.0.0.1");
	ck_assert_int_eq(scene.status, 0);
	quota_discharge(scene.env.quota, 4711, QUOTA_ATTEMPTS);
	scene_close(&scene);
}
END_TEST

START_TEST(without_descriptors_the_reason_is_told)
{
	struct scene scene;
	struct rlimit before, limit;
	int next;

	scene_open(&scene, "");
	(void)scene_add_peer(&scene, AF_INET, TCP_PEER_ACCEPT);
	next = fcntl(0, F_DUPFD_CLOEXEC, 0);
	(void)close_fd(next);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit = before;
	limit.rlim_cur = (rlim_t)next;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	run(&scene, "127.0.0.1");
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	ck_assert_int_eq(scene.status, -ASOCK_E_CONNECT_FAILED);
	ck_assert_int_eq(scene.result.headline, -EMFILE);
	scene_close(&scene);
}
END_TEST

SUITE_MAIN("request", a_name_of_the_hosts_file_is_connected_to, the_descriptor_blocks_when_so_asked,
	   a_descriptor_that_nobody_takes_is_closed, a_dead_first_address_is_overtaken,
	   all_addresses_dead_is_told_with_the_reason,
	   a_privileged_option_is_denied_before_anything_is_asked,
	   who_may_ask_for_nothing_is_told_nothing, an_address_is_denied_before_it_is_dialled,
	   one_denied_address_does_not_hold_up_the_others, a_bad_service_or_name_is_told_at_once,
	   the_deadline_ends_the_resolution, the_deadline_ends_the_race,
	   the_configured_timeout_holds_for_who_does_not_say, what_the_resolver_says_is_the_verdict,
	   a_server_that_failed_is_told_with_its_code, cancel_is_silent_in_each_stage,
	   a_request_may_be_freed_in_its_done, a_resolution_orders_as_a_connection_would,
	   an_address_without_a_route_comes_last, a_resolution_without_a_service_has_no_port,
	   a_resolution_gives_so_many_addresses_and_no_more, every_source_is_named,
	   a_silent_second_family_gets_its_grace_and_no_more,
	   the_deadline_during_the_grace_gives_what_there_is,
	   the_winner_is_judged_anew_though_another_was_dialled_later,
	   a_winner_is_judged_anew_only_under_a_new_policy,
	   when_all_known_addresses_failed_a_silent_family_has_its_grace,
	   with_too_many_attempts_in_flight_one_runs_at_a_time,
	   without_descriptors_the_reason_is_told)
