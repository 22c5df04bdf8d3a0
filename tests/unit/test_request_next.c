/* SPDX-License-Identifier: MIT */
/*
 * Connect requests that go on behind their connection, and who watches them.
 */
#include "daemon/request/request.h"

#include <event2/event.h>
#include <string.h>
#include <unistd.h>

#include "daemon/connect/racer.h"
#include "daemon/policy/quota.h"
#include "protocol/error.h"
#include "tests/support/request_scene.h"
#include "tests/support/suite.h"

#define HOSTS "127.0.0.1 three.test\n127.0.0.2 three.test\n127.0.0.3 three.test\n"

struct watch {
	size_t n_questions, n_starts, n_ends;
	size_t last_attempt;
	uint64_t last_us;
};

static void on_event(const struct request_event *event, void *arg)
{
	struct watch *watch = arg;

	ck_assert(!event->question == !!event->race);
	ck_assert_uint_ge(event->at_us, watch->last_us);
	watch->last_us = event->at_us;
	if (event->question) {
		watch->n_questions++;
		return;
	}
	watch->n_starts += event->race->kind == RACER_START;
	watch->n_ends += event->race->kind == RACER_END;
	if (event->attempt != SIZE_MAX)
		watch->last_attempt = event->attempt;
}

/* On the port of the first one. */
static struct tcp_peer *add_peer_at(struct request_scene *scene, const char *address,
				    enum tcp_peer_kind kind)
{
	struct endpoint endpoint = *tcp_peer_get_endpoint(scene->peers[0]);
	size_t i = 0;

	while (scene->peers[i])
		i++;
	ck_assert_int_eq(address_parse(address, &endpoint.address), 0);
	scene->peers[i] = tcp_peer_new_at(scene->base, &endpoint, kind);
	return scene->peers[i];
}

static void on_resumed(struct request *request, int status, void *arg)
{
	struct request_scene *scene = arg;

	ck_assert(!scene->in_start && !scene->done);
	scene->done = true;
	scene->status = status;
	request_get_result(request, &scene->result);
}

static int resume(struct request_scene *scene)
{
	int r;

	scene->done = false;
	scene->in_start = true;
	r = request_resume(scene->request, on_resumed, scene);
	scene->in_start = false;
	if (r < 0)
		request_get_result(scene->request, &scene->result);
	return r;
}

static void run_on(struct request_scene *scene)
{
	ck_assert_int_eq(resume(scene), 0);
	suite_loop(scene->base, &scene->done);
}

static void expect_connected(const struct request_scene *scene, uint8_t last_byte)
{
	ck_assert_int_eq(scene->status, 0);
	ck_assert_uint_eq(scene->result.peer.address.bytes[3], last_byte);
	ck_assert_int_eq(scene->result.attempts[scene->result.winner].outcome, OUTCOME_CONNECTED);
}

START_TEST(a_request_goes_on_behind_its_connection)
{
	struct request_scene scene;
	struct watch watch = { 0 };
	int fds[2];

	request_scene_open(&scene, HOSTS);
	(void)request_scene_add_peer(&scene, AF_INET, TCP_PEER_ACCEPT);
	(void)add_peer_at(&scene, "127.0.0.2", TCP_PEER_REFUSE);
	(void)add_peer_at(&scene, "127.0.0.3", TCP_PEER_ACCEPT);
	request_scene_run(&scene, "three.test");
	expect_connected(&scene, 1);
	ck_assert(scene.result.has_next);
	fds[0] = request_take_fd(scene.request);
	request_watch(scene.request, on_event, &watch);
	run_on(&scene);
	expect_connected(&scene, 3);
	ck_assert_uint_eq(scene.result.n_attempts, 2);
	ck_assert_uint_eq(scene.result.winner, 1);
	ck_assert_uint_ge(scene.result.attempts[0].started_us, scene.result.started_us);
	ck_assert(!scene.result.has_next && !request_has_next(scene.request));
	ck_assert_uint_eq(watch.n_starts, 2);
	ck_assert_uint_eq(watch.n_ends, 2);
	ck_assert_uint_eq(watch.last_attempt, 1);
	fds[1] = request_take_fd(scene.request);
	ck_assert_int_ge(fds[0], 0);
	ck_assert_int_ge(fds[1], 0);
	(void)close(fds[0]);
	(void)close(fds[1]);
	request_scene_close(&scene);
}
END_TEST

START_TEST(a_connection_that_was_not_taken_is_closed_when_it_goes_on)
{
	struct request_scene scene;

	request_scene_open(&scene, HOSTS);
	(void)request_scene_add_peer(&scene, AF_INET, TCP_PEER_ACCEPT);
	(void)add_peer_at(&scene, "127.0.0.2", TCP_PEER_ACCEPT);
	request_scene_run(&scene, "three.test");
	expect_connected(&scene, 1);
	run_on(&scene);
	expect_connected(&scene, 2);
	request_scene_close(&scene); /* and the fixture counts */
}
END_TEST

START_TEST(a_failure_counts_the_attempts_since_it_went_on)
{
	struct request_scene scene;

	request_scene_open(&scene, HOSTS);
	(void)request_scene_add_peer(&scene, AF_INET, TCP_PEER_REFUSE);
	(void)add_peer_at(&scene, "127.0.0.2", TCP_PEER_ACCEPT);
	request_scene_set_rules(&scene, "");
	request_scene_run(&scene, "three.test");
	expect_connected(&scene, 2);
	ck_assert_uint_eq(scene.result.n_attempts, 2);
	request_scene_set_rules(&scene, "[Never]\nTo=127.0.0.3\n");
	run_on(&scene);
	ck_assert_int_eq(scene.status, -ASOCK_E_DENIED);
	ck_assert_int_eq(scene.result.denied_stage, POLICY_STAGE_ADDRESS);
	ck_assert_uint_eq(scene.result.n_attempts, 1);
	ck_assert(!request_has_next(scene.request));
	request_scene_close(&scene);
}
END_TEST

START_TEST(who_may_ask_for_nothing_any_more_does_not_go_on)
{
	struct request_scene scene;
	struct tcp_peer *second;

	request_scene_open(&scene, HOSTS);
	(void)request_scene_add_peer(&scene, AF_INET, TCP_PEER_ACCEPT);
	second = add_peer_at(&scene, "127.0.0.2", TCP_PEER_ACCEPT);
	request_scene_run(&scene, "three.test");
	expect_connected(&scene, 1);
	request_scene_set_rules(&scene, "[Policy]\nDefault=deny\n");
	ck_assert_int_eq(resume(&scene), -ASOCK_E_DENIED);
	ck_assert_int_eq(scene.result.status, -ASOCK_E_DENIED);
	ck_assert_int_eq(scene.result.denied_stage, POLICY_STAGE_NAME);
	ck_assert_uint_eq(scene.result.n_attempts, 0);
	suite_loop_for(scene.base, 10);
	ck_assert_uint_eq(tcp_peer_get_n_accepted(second), 0);
	request_scene_close(&scene);
}
END_TEST

START_TEST(nothing_runs_between_the_connection_and_what_follows)
{
	struct request_scene scene;

	request_scene_open(&scene, HOSTS);
	scene.params.attempt_delay_us = 10000;
	(void)request_scene_add_peer(&scene, AF_INET, TCP_PEER_BLACK_HOLE);
	(void)add_peer_at(&scene, "127.0.0.2", TCP_PEER_ACCEPT);
	request_scene_run(&scene, "three.test");
	expect_connected(&scene, 2);
	ck_assert_uint_eq(quota_get_total(scene.env.quota, QUOTA_ATTEMPTS), 0);
	suite_loop_for(scene.base, 30);
	ck_assert_uint_eq(quota_get_total(scene.env.quota, QUOTA_ATTEMPTS), 0);
	ck_assert_int_eq(resume(&scene), 0); /* the one that was dropped is tried again */
	request_scene_run_until_attempts(&scene, 1);
	request_cancel(scene.request);
	ck_assert_uint_eq(quota_get_total(scene.env.quota, QUOTA_ATTEMPTS), 0);
	suite_loop_for(scene.base, 20);
	ck_assert(!scene.done);
	request_scene_close(&scene);
}
END_TEST

START_TEST(who_watches_hears_nothing_after_the_end)
{
	static const struct dns_rule rules[] = {
		{ .name = "late.example", .type = DNS_RULE_A, .addresses = "127.0.0.1" },
		{ .name = "late.example", .type = DNS_RULE_AAAA, .rcode = 0, .delay_ms = 100 },
	};
	struct request_scene scene;
	struct watch watch = { 0 };

	request_scene_open(&scene, "");
	request_scene_add_server(&scene, rules, ARRAY_LEN(rules));
	(void)request_scene_add_peer(&scene, AF_INET, TCP_PEER_ACCEPT);
	ck_assert_int_eq(request_scene_start(&scene, "late.example"), 0);
	request_watch(scene.request, on_event, &watch);
	suite_loop(scene.base, &scene.done);
	expect_connected(&scene, 1);
	ck_assert_uint_eq(watch.n_questions, 1);
	ck_assert_uint_eq(watch.n_starts, 1);
	ck_assert_uint_eq(watch.n_ends, 1);
	ck_assert(scene.result.has_next); /* something may still come */
	suite_loop_for(scene.base, 150);
	ck_assert_uint_eq(watch.n_questions, 1);
	ck_assert(!request_has_next(scene.request)); /* it has not */
	request_scene_close(&scene);
}
END_TEST

START_TEST(what_is_on_its_way_is_listened_for_a_second)
{
	static const struct dns_rule rules[] = {
		{ .name = "silent.example", .type = DNS_RULE_A, .addresses = "127.0.0.1" },
		{ .name = "silent.example", .type = DNS_RULE_AAAA, .silent = true },
	};
	struct request_scene scene;

	request_scene_open(&scene, "");
	request_scene_add_server(&scene, rules, ARRAY_LEN(rules));
	(void)request_scene_add_peer(&scene, AF_INET, TCP_PEER_ACCEPT);
	request_scene_run(&scene, "silent.example");
	expect_connected(&scene, 1);
	suite_loop_for(scene.base, 800);
	ck_assert(request_has_next(scene.request));
	ck_assert_uint_eq(quota_get_total(scene.env.quota, QUOTA_QUESTIONS), 1);
	suite_loop_for(scene.base, 400);
	ck_assert(!request_has_next(scene.request));
	ck_assert_uint_eq(quota_get_total(scene.env.quota, QUOTA_QUESTIONS), 0);
	request_scene_close(&scene);
}
END_TEST

START_TEST(it_goes_on_with_an_answer_that_has_as_much_time_as_the_request)
{
	static const struct dns_rule rules[] = {
		{ .name = "late.example", .type = DNS_RULE_AAAA, .addresses = "::1" },
		{ .name = "late.example",
		  .type = DNS_RULE_A,
		  .addresses = "127.0.0.1",
		  .delay_ms = 1300 },
	};
	struct request_scene scene;

	request_scene_open(&scene, "");
	request_scene_add_server(&scene, rules, ARRAY_LEN(rules));
	(void)request_scene_add_peer(&scene, AF_INET, TCP_PEER_ACCEPT);
	(void)add_peer_at(&scene, "::1", TCP_PEER_ACCEPT);
	request_scene_run(&scene, "late.example");
	ck_assert_int_eq(scene.status, 0);
	suite_loop_for(scene.base, 100);
	run_on(&scene); /* no longer listening, but asking: the second does not end it */
	expect_connected(&scene, 1);
	ck_assert_uint_gt(scene.result.total_us, 1000000);
	request_scene_close(&scene);
}
END_TEST

SUITE_MAIN("request_next", a_request_goes_on_behind_its_connection,
	   a_connection_that_was_not_taken_is_closed_when_it_goes_on,
	   a_failure_counts_the_attempts_since_it_went_on,
	   who_may_ask_for_nothing_any_more_does_not_go_on,
	   nothing_runs_between_the_connection_and_what_follows,
	   who_watches_hears_nothing_after_the_end, what_is_on_its_way_is_listened_for_a_second,
	   it_goes_on_with_an_answer_that_has_as_much_time_as_the_request)
