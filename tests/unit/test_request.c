/* SPDX-License-Identifier: MIT */
/*
 * Requests through all stages, with a resolver over files and a scripted name server, and real peers on loopback.
 */
#include "daemon/request/request.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "daemon/policy/quota.h"
#include "protocol/error.h"
#include "tests/support/request_scene.h"
#include "tests/support/suite.h"

#define MS(n) ((uint64_t)(n)*1000)

START_TEST(a_name_of_the_hosts_file_is_connected_to)
{
	CLEANUP(fd_closep) int fd = -1;
	struct request_scene scene;
	const struct endpoint *peer;

	request_scene_open(&scene, "127.0.0.1 peer.test\n");
	peer = tcp_peer_get_endpoint(request_scene_add_peer(&scene, AF_INET, TCP_PEER_ACCEPT));
	request_scene_run(&scene, "PEER.test");
	ck_assert_int_eq(scene.status, 0);
	ck_assert_str_eq(scene.result.name, "peer.test");
	ck_assert(endpoint_equal(&scene.result.peer, peer));
	ck_assert_int_eq(scene.result.local.address.family, AF_INET);
	ck_assert_uint_gt(scene.result.local.port, 0);
	ck_assert_uint_eq(scene.result.n_attempts, 1);
	ck_assert_uint_eq(scene.result.winner, 0);
	ck_assert_int_eq(scene.result.attempts[0].candidate->source, SOURCE_HOSTS);
	ck_assert_uint_le(scene.result.resolve_us, scene.result.total_us);
	ck_assert(request_may_hand_over(scene.request));
	fd = request_take_fd(scene.request);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	ck_assert_int_eq(request_take_fd(scene.request), -1);
	request_scene_close(&scene);
}
END_TEST

START_TEST(the_descriptor_blocks_when_so_asked)
{
	CLEANUP(fd_closep) int fd = -1;
	struct request_scene scene;

	request_scene_open(&scene, "");
	(void)request_scene_add_peer(&scene, AF_INET, TCP_PEER_ACCEPT);
	scene.params.blocking = true;
	request_scene_run(&scene, "127.0.0.1");
	ck_assert_int_eq(scene.status, 0);
	fd = request_take_fd(scene.request);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	request_scene_close(&scene);
}
END_TEST

START_TEST(a_descriptor_that_nobody_takes_is_closed)
{
	struct request_scene scene;

	request_scene_open(&scene, "");
	(void)request_scene_add_peer(&scene, AF_INET, TCP_PEER_ACCEPT);
	scene.free_inside = true;
	request_scene_run(&scene, "127.0.0.1");
	ck_assert_int_eq(scene.status, 0);
	request_scene_close(&scene); /* and the fixture counts */
}
END_TEST

START_TEST(a_dead_first_address_is_overtaken)
{
	struct request_scene scene;

	/* The port is one on IPv4 where somebody listens; on IPv6 nobody does. */
	request_scene_open(&scene, "::1 peer.test\n127.0.0.1 peer.test\n");
	(void)request_scene_add_peer(&scene, AF_INET, TCP_PEER_ACCEPT);
	request_scene_run(&scene, "peer.test");
	ck_assert_int_eq(scene.status, 0);
	ck_assert_uint_eq(scene.result.n_attempts, 2);
	ck_assert_int_eq(scene.result.attempts[0].outcome, OUTCOME_FAILED);
	ck_assert_int_eq(scene.result.attempts[0].candidate->endpoint.address.family, AF_INET6);
	ck_assert_uint_eq(scene.result.winner, 1);
	request_scene_close(&scene);
}
END_TEST

START_TEST(all_addresses_dead_is_told_with_the_reason)
{
	struct request_scene scene;

	request_scene_open(&scene, "::1 peer.test\n127.0.0.1 peer.test\n");
	(void)request_scene_add_peer(&scene, AF_INET, TCP_PEER_REFUSE);
	request_scene_run(&scene, "peer.test");
	ck_assert_int_eq(scene.status, -ASOCK_E_CONNECT_FAILED);
	ck_assert_int_eq(scene.result.headline, -ECONNREFUSED);
	ck_assert_uint_eq(scene.result.n_attempts, 2);
	request_scene_close(&scene);
}
END_TEST

START_TEST(an_option_that_the_kernel_does_not_take_is_named)
{
	struct request_scene scene;

	request_scene_open(&scene, "");
	request_scene_add_peer(&scene, AF_INET, TCP_PEER_ACCEPT);
	scene.params.service = scene.service;
	scene.params.options.has_congestion = true;
	memcpy(scene.params.options.congestion, "nosuchthing", sizeof("nosuchthing"));
	request_scene_run(&scene, "127.0.0.1");
	ck_assert_int_eq(scene.status, -ASOCK_E_CONNECT_FAILED);
	ck_assert_int_eq(scene.result.headline, -ENOENT);
	ck_assert_str_eq(scene.result.option, "congestion");
	ck_assert_uint_eq(scene.result.n_attempts, 1);
	ck_assert_str_eq(scene.result.attempts[0].option, "congestion");
	request_scene_close(&scene);
}
END_TEST

START_TEST(who_closes_without_a_byte_is_not_what_was_wanted)
{
	static const struct {
		enum tcp_peer_kind kind;
		bool until_first_byte;
		int want;
	} rows[] = {
		{ TCP_PEER_GREET, true, 0 },
		{ TCP_PEER_CLOSE, true, -ASOCK_E_CONNECT_FAILED },
		{ TCP_PEER_CLOSE, false, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct request_scene scene;

		request_scene_open(&scene, "");
		request_scene_add_peer(&scene, AF_INET, rows[i].kind);
		scene.params.service = scene.service;
		scene.params.until_first_byte = rows[i].until_first_byte;
		request_scene_run(&scene, "127.0.0.1");
		ck_assert_int_eq(scene.status, rows[i].want);
		if (rows[i].want < 0)
			ck_assert_int_eq(scene.result.headline, -ECONNRESET);
		ck_assert_ptr_null(scene.result.option);
		request_scene_close(&scene);
	}
}
END_TEST

START_TEST(a_privileged_option_is_denied_before_anything_is_asked)
{
	struct request_scene scene;

	request_scene_open(&scene, "");
	request_scene_add_server(&scene, NULL, 0);
	scene.params.options.has_mark = true;
	scene.params.service = "80";
	ck_assert_int_eq(request_scene_start(&scene, "name.example"), -ASOCK_E_DENIED);
	ck_assert_int_eq(scene.result.denied_stage, POLICY_STAGE_OPTION);
	ck_assert_str_eq(scene.result.option, "mark");
	ck_assert_int_eq(scene.result.status, -ASOCK_E_DENIED);
	suite_loop_for(scene.base, 5);
	ck_assert(!scene.done);
	ck_assert_uint_eq(dns_server_count(scene.server, NULL, 0), 0);
	request_scene_close(&scene);
}
END_TEST

/* Neither the DNS nor the hosts file, the services table or the names of interfaces tell such a client anything. */
START_TEST(who_may_ask_for_nothing_is_told_nothing)
{
	static const char *const hosts[] = { "name.example", "peer.test",  "127.0.0.1",
					     "a..b",	     "fe80::1%lo", "fe80::1%nowhere0" };
	static const char *const services[] = { "80", "nothing" };
	struct request_scene scene;

	request_scene_open(&scene, "127.0.0.1 peer.test\n");
	request_scene_add_server(&scene, NULL, 0);
	scene.params.identity.same_netns = false; /* the built-in default: may do nothing */
	for (size_t i = 0; i < ARRAY_LEN(hosts) * ARRAY_LEN(services); i++) {
		scene.params.service = services[i % ARRAY_LEN(services)];
		ck_assert_int_eq(request_scene_start(&scene, hosts[i / ARRAY_LEN(services)]),
				 -ASOCK_E_DENIED);
		ck_assert_int_eq(scene.result.denied_stage, POLICY_STAGE_NAME);
		ck_assert_uint_eq(scene.result.n_attempts, 0);
	}
	suite_loop_for(scene.base, 5);
	ck_assert_uint_eq(dns_server_count(scene.server, NULL, 0), 0);
	request_scene_close(&scene);
}
END_TEST

START_TEST(an_address_is_denied_before_it_is_dialled)
{
	static const char *const hosts[] = { "127.0.0.1", "peer.test", "::ffff:127.0.0.1",
					     "localhost" };
	struct request_scene scene;
	struct tcp_peer *peer;

	request_scene_open(&scene, "127.0.0.1 peer.test\n");
	peer = request_scene_add_peer(&scene, AF_INET, TCP_PEER_ACCEPT);
	request_scene_set_rules(&scene, "[Never]\nTo=127.0.0.0/8\nTo=::1\n");
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		request_scene_run(&scene, hosts[i]);
		ck_assert_int_eq(scene.status, -ASOCK_E_DENIED);
		ck_assert_int_eq(scene.result.denied_stage, POLICY_STAGE_ADDRESS);
		ck_assert_uint_ge(scene.result.n_attempts, 1);
		ck_assert_int_eq(scene.result.attempts[0].outcome, OUTCOME_DENIED);
	}
	suite_loop_for(scene.base, 5);
	ck_assert_uint_eq(tcp_peer_get_n_accepted(peer), 0);
	request_scene_close(&scene);
}
END_TEST

START_TEST(one_denied_address_does_not_hold_up_the_others)
{
	struct request_scene scene;

	request_scene_open(&scene, "::1 peer.test\n127.0.0.1 peer.test\n");
	(void)request_scene_add_peer(&scene, AF_INET, TCP_PEER_ACCEPT);
	request_scene_set_rules(&scene, "[Never]\nTo=::1\n");
	request_scene_run(&scene, "peer.test");
	ck_assert_int_eq(scene.status, 0);
	ck_assert_int_eq(scene.result.attempts[0].outcome, OUTCOME_DENIED);
	ck_assert_uint_eq(scene.result.winner, 1);
	request_scene_close(&scene);
}
END_TEST

START_TEST(a_bad_service_or_name_is_told)
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
	struct request_scene scene;

	request_scene_open(&scene, "");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int status;

		scene.params.service = cases[i].service;
		scene.params.transport = cases[i].transport;
		status = request_scene_start(&scene, cases[i].host);
		/* A service that is only a name may have SRV records. */
		if (status == 0) {
			suite_loop(scene.base, &scene.done);
			status = scene.status;
		}
		ck_assert_msg(status == cases[i].status, "%s %s: %d", cases[i].host,
			      cases[i].service, status);
		if (status == -ASOCK_E_INVALID_NAME)
			ck_assert_ptr_nonnull(scene.result.reason);
	}
	request_scene_close(&scene);
}
END_TEST

START_TEST(the_deadline_ends_the_resolution)
{
	static const struct dns_rule silent = { .silent = true };
	struct request_scene scene;

	request_scene_open(&scene, "");
	request_scene_add_server(&scene, &silent, 1);
	scene.params.service = "80";
	for (int kind = REQUEST_CONNECT; kind <= REQUEST_RESOLVE; kind++) {
		scene.params.kind = (enum request_kind)kind;
		scene.params.timeout_us = MS(30);
		request_scene_run(&scene, "silent.example");
		ck_assert_int_eq(scene.status, -ASOCK_E_TIMED_OUT);
		ck_assert_int_eq(scene.result.stage, REQUEST_STAGE_RESOLVE);
		ck_assert_uint_eq(scene.result.n_attempts, 0);
	}
	request_scene_close(&scene);
}
END_TEST

START_TEST(the_deadline_ends_the_race)
{
	struct request_scene scene;

	request_scene_open(&scene, "");
	(void)request_scene_add_peer(&scene, AF_INET, TCP_PEER_BLACK_HOLE);
	scene.params.timeout_us = MS(30);
	request_scene_run(&scene, "127.0.0.1");
	ck_assert_int_eq(scene.status, -ASOCK_E_TIMED_OUT);
	ck_assert_int_eq(scene.result.stage, REQUEST_STAGE_CONNECT);
	ck_assert_uint_ge(scene.result.total_us, MS(30));
	ck_assert_uint_eq(scene.result.n_attempts, 1);
	ck_assert_int_eq(scene.result.attempts[0].outcome, OUTCOME_TIMEOUT);
	request_scene_close(&scene);
}
END_TEST

START_TEST(the_configured_timeout_holds_for_who_does_not_say)
{
	struct request_scene scene;

	request_scene_open(&scene, "");
	(void)request_scene_add_peer(&scene, AF_INET, TCP_PEER_BLACK_HOLE);
	scene.config->timeout_us = MS(30);
	request_scene_run(&scene, "127.0.0.1");
	ck_assert_int_eq(scene.status, -ASOCK_E_TIMED_OUT);
	request_scene_close(&scene);
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
	struct request_scene scene;

	request_scene_open(&scene, "");
	request_scene_add_server(&scene, rules, ARRAY_LEN(rules));
	scene.params.service = "80";
	for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
		scene.params.kind = i % 2 == 0 ? REQUEST_CONNECT : REQUEST_RESOLVE;
		request_scene_run(&scene, cases[i / 2].host);
		ck_assert_msg(scene.status == cases[i / 2].status, "%s: %d", cases[i / 2].host,
			      scene.status);
		ck_assert_str_eq(scene.result.name, cases[i / 2].host);
	}
	request_scene_close(&scene);
}
END_TEST

START_TEST(a_server_that_failed_is_told_with_its_code)
{
	static const struct dns_rule broken = { .rcode = 2 };
	struct request_scene scene;
	struct endpoint server;

	request_scene_open(&scene, "");
	request_scene_add_server(&scene, &broken, 1);
	server = dns_server_endpoint(scene.server);
	scene.params.service = "80";
	request_scene_run(&scene, "broken.example");
	ck_assert_int_eq(scene.status, -ASOCK_E_SERVER_FAILED);
	ck_assert_uint_eq(scene.result.origin->rcode, DNS_RCODE_SERVFAIL);
	ck_assert(endpoint_equal(&scene.result.origin->server, &server));
	request_scene_close(&scene);
}
END_TEST

/* Cancel and free in the stage that the test has brought the request to: nothing is told, nothing is left. */
static void cancel_here(struct request_scene *scene)
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
	struct request_scene scene;

	request_scene_open(&scene, "");
	request_scene_add_server(&scene, rules, ARRAY_LEN(rules));
	(void)request_scene_add_peer(&scene, AF_INET, TCP_PEER_BLACK_HOLE);
	for (int kind = REQUEST_CONNECT; kind <= REQUEST_RESOLVE; kind++) {
		scene.params.kind = (enum request_kind)kind;
		ck_assert_int_eq(request_new(&scene.request, &scene.params, &scene.env), 0);
		cancel_here(&scene);
		ck_assert_int_eq(request_scene_start(&scene, "127.0.0.1"),
				 0); /* its result is under way */
		cancel_here(&scene);
		ck_assert_int_eq(request_scene_start(&scene, "slow.example"), 0);
		while (dns_server_count(scene.server, "slow.example", 0) % 2 == 0)
			ck_assert_int_eq(event_base_loop(scene.base, EVLOOP_ONCE), 0);
		cancel_here(&scene);
	}
	scene.params.grace_us = MS(200);
	ck_assert_int_eq(request_scene_start(&scene, "half.example"), 0);
	suite_loop_for(scene.base, 20);
	request_cancel(scene.request);
	suite_loop_for(scene.base, 250); /* until after the grace */
	cancel_here(&scene);
	scene.params.kind = REQUEST_CONNECT;
	ck_assert_int_eq(request_scene_start(&scene, "127.0.0.1"), 0);
	request_scene_run_until_attempts(&scene, 1);
	cancel_here(&scene);
	ck_assert_int_eq(request_scene_start(&scene, "half.example"), 0);
	request_scene_run_until_attempts(&scene, 1);
	scene.request = request_free(scene.request); /* free alone does as well */
	suite_loop_for(scene.base, 10);
	ck_assert(!scene.done);
	request_scene_close(&scene);
}
END_TEST

START_TEST(a_request_may_be_freed_in_its_done)
{
	struct request_scene scene;

	request_scene_open(&scene, "127.0.0.1 peer.test\n");
	(void)request_scene_add_peer(&scene, AF_INET, TCP_PEER_REFUSE);
	scene.free_inside = true;
	request_scene_run(&scene, "peer.test");
	ck_assert_int_eq(scene.status, -ASOCK_E_CONNECT_FAILED);
	scene.params.kind = REQUEST_RESOLVE;
	request_scene_run(&scene, "peer.test");
	ck_assert_int_eq(scene.status, 0);
	request_scene_run(&scene, "host.invalid");
	ck_assert_int_eq(scene.status, -ASOCK_E_NAME_NOT_FOUND);
	request_scene_close(&scene);
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
	struct request_scene scene;
	int accepted[4];

	request_scene_open(&scene, "::1 peer.test\n127.0.0.1 peer.test\n");
	bind_twin(&holes, 0);
	bind_twin(&holes, 1);
	(void)snprintf(scene.service, sizeof(scene.service), "%u", holes.port);
	scene.params.attempt_delay_us = MS(50);
	ck_assert_int_eq(request_scene_start(&scene, "peer.test"), 0);
	request_scene_run_until_attempts(&scene, 1);
	request_scene_set_rules(&scene, "[Never]\nTo=::1\n");
	request_scene_run_until_attempts(&scene, 2);
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
	request_scene_close(&scene);
}
END_TEST

START_TEST(a_winner_is_judged_anew_only_under_a_new_policy)
{
	struct request_scene scene;

	request_scene_open(&scene, "");
	(void)request_scene_add_peer(&scene, AF_INET, TCP_PEER_ACCEPT);
	request_scene_run(&scene, "127.0.0.1");
	ck_assert(request_may_hand_over(scene.request));
	request_scene_set_rules(&scene, "[Never]\nTo=::1\n");
	ck_assert(request_may_hand_over(scene.request));
	request_scene_set_rules(&scene, "[Never]\nTo=127.0.0.1\n");
	ck_assert(!request_may_hand_over(scene.request));
	request_scene_set_rules(&scene, "[Policy]\nDefault=deny\n");
	ck_assert(!request_may_hand_over(scene.request));
	request_scene_close(&scene);
}
END_TEST

START_TEST(when_all_known_addresses_failed_a_silent_family_has_its_grace)
{
	static const struct dns_rule rules[] = {
		{ .name = "name.example", .type = DNS_RULE_A, .addresses = "127.0.0.1" },
		{ .name = "name.example", .type = DNS_RULE_AAAA, .silent = true },
	};
	struct request_scene scene;

	request_scene_open(&scene, "");
	request_scene_add_server(&scene, rules, ARRAY_LEN(rules));
	(void)request_scene_add_peer(&scene, AF_INET, TCP_PEER_REFUSE);
	scene.params.service = scene.service;
	request_scene_run(&scene, "name.example");
	ck_assert_int_eq(scene.status, -ASOCK_E_CONNECT_FAILED);
	ck_assert_int_eq(scene.result.headline, -ECONNREFUSED);
	ck_assert_uint_ge(scene.result.total_us, LIMIT_RESOLVE_GRACE_USEC);
	request_scene_close(&scene);
}
END_TEST

START_TEST(with_too_many_attempts_in_flight_one_runs_at_a_time)
{
	struct request_scene scene;

	request_scene_open(&scene, "");
	(void)request_scene_add_peer(&scene, AF_INET, TCP_PEER_ACCEPT);
	scene.config->attempts_in_flight = 1;
	ck_assert_int_eq(quota_charge(scene.env.quota, 4711, QUOTA_ATTEMPTS, 1), 0); /* another's */
	request_scene_run(&scene, "127.0.0.1");
	ck_assert_int_eq(scene.status, 0);
	quota_discharge(scene.env.quota, 4711, QUOTA_ATTEMPTS);
	request_scene_close(&scene);
}
END_TEST

START_TEST(without_descriptors_the_reason_is_told)
{
	struct request_scene scene;
	struct rlimit before, limit;
	int next;

	request_scene_open(&scene, "");
	(void)request_scene_add_peer(&scene, AF_INET, TCP_PEER_ACCEPT);
	next = fcntl(0, F_DUPFD_CLOEXEC, 0);
	(void)close_fd(next);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit = before;
	limit.rlim_cur = (rlim_t)next;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	request_scene_run(&scene, "127.0.0.1");
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	ck_assert_int_eq(scene.status, -ASOCK_E_CONNECT_FAILED);
	ck_assert_int_eq(scene.result.headline, -EMFILE);
	request_scene_close(&scene);
}
END_TEST

SUITE_MAIN("request", a_name_of_the_hosts_file_is_connected_to, the_descriptor_blocks_when_so_asked,
	   a_descriptor_that_nobody_takes_is_closed, a_dead_first_address_is_overtaken,
	   all_addresses_dead_is_told_with_the_reason,
	   an_option_that_the_kernel_does_not_take_is_named,
	   who_closes_without_a_byte_is_not_what_was_wanted,
	   a_privileged_option_is_denied_before_anything_is_asked,
	   who_may_ask_for_nothing_is_told_nothing, an_address_is_denied_before_it_is_dialled,
	   one_denied_address_does_not_hold_up_the_others, a_bad_service_or_name_is_told,
	   the_deadline_ends_the_resolution, the_deadline_ends_the_race,
	   the_configured_timeout_holds_for_who_does_not_say, what_the_resolver_says_is_the_verdict,
	   a_server_that_failed_is_told_with_its_code, cancel_is_silent_in_each_stage,
	   a_request_may_be_freed_in_its_done,
	   the_winner_is_judged_anew_though_another_was_dialled_later,
	   a_winner_is_judged_anew_only_under_a_new_policy,
	   when_all_known_addresses_failed_a_silent_family_has_its_grace,
	   with_too_many_attempts_in_flight_one_runs_at_a_time,
	   without_descriptors_the_reason_is_told)
