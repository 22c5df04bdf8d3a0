/* SPDX-License-Identifier: MIT */
/*
 * Requests for sockets to listen on: what is judged, when, and what is told. That such a socket works is shown by test_bindsock
 * and by the scenarios.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "protocol/error.h"
#include "tests/support/request_scene.h"
#include "tests/support/suite.h"

#define ROLE "[Role all]\nMatch=netns:same\nMode=open\n"

static void open_scene(struct request_scene *scene, const char *rules)
{
	request_scene_open(scene, "127.0.0.1 here.test\n");
	scene->params.kind = REQUEST_BIND;
	scene->params.service = NULL;
	scene->params.blocking = true;
	if (rules)
		request_scene_set_rules(scene, rules);
}

/* Anywhere: host NULL. */
static int start_anywhere(struct request_scene *scene)
{
	scene->request = request_free(scene->request);
	scene->params.host = NULL;
	ck_assert_int_eq(request_new(&scene->request, &scene->params, &scene->env), 0);
	return request_start(scene->request, NULL, NULL);
}

START_TEST(a_socket_is_there_when_start_returns)
{
	struct request_scene scene;
	int fd;

	open_scene(&scene, ROLE "Allow=listen tcp 127.0.0.1:*\n");
	for (size_t i = 0; i < 2; i++) {
		scene.params.blocking = i == 0;
		ck_assert_int_eq(request_scene_start(&scene, "127.0.0.1"), 1);
		request_get_result(scene.request, &scene.result);
		ck_assert_int_eq(scene.result.status, 0);
		ck_assert_int_eq(scene.result.local.address.family, AF_INET);
		ck_assert_uint_ne(scene.result.local.port, 0);
		ck_assert(request_may_hand_over(scene.request));
		fd = request_take_fd(scene.request);
		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0, i == 1);
		ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		(void)close_fd(fd);
	}
	suite_loop_for(scene.base, 5);
	ck_assert(!scene.done);
	request_scene_close(&scene);
}
END_TEST

START_TEST(a_socket_that_nobody_takes_is_closed)
{
	struct request_scene scene;

	open_scene(&scene, ROLE "Allow=listen tcp 127.0.0.1:*\n");
	ck_assert_int_eq(request_scene_start(&scene, "127.0.0.1"), 1);
	request_scene_close(&scene);
}
END_TEST

START_TEST(nobody_listens_without_a_rule)
{
	static const struct {
		const char *rules, *host, *service;
		enum policy_stage want;
	} rows[] = {
		{ NULL, "127.0.0.1", NULL, POLICY_STAGE_ADDRESS },
		{ ROLE, "127.0.0.1", NULL, POLICY_STAGE_ADDRESS },
		{ "[Policy]\n", "127.0.0.1", NULL, POLICY_STAGE_NAME },
		{ "[Policy]\n", "here.test", "nonsense", POLICY_STAGE_NAME },
		{ "[Policy]\nDefault=allow\n", "127.0.0.1", NULL, POLICY_STAGE_ADDRESS },
		{ ROLE "Allow=listen tcp 127.0.0.1:1-65535\n", "127.0.0.1", NULL,
		  POLICY_STAGE_ADDRESS },
		{ ROLE "Allow=listen tcp 127.0.0.1:1-65535\n", "127.0.0.1", "0",
		  POLICY_STAGE_ADDRESS },
		{ ROLE "Allow=listen udp 127.0.0.1:*\n", "127.0.0.1", NULL, POLICY_STAGE_ADDRESS },
		{ ROLE "Allow=listen tcp 127.0.0.1:81\n", "127.0.0.1", "http",
		  POLICY_STAGE_ADDRESS },
		{ ROLE "Allow=listen tcp 0.0.0.0:*\n", "::", NULL, POLICY_STAGE_ADDRESS },
		{ "[Never]\nTo=127.0.0.0/8\n" ROLE "Allow=listen tcp *:*\n", "127.0.0.1", NULL,
		  POLICY_STAGE_ADDRESS },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct request_scene scene;

		open_scene(&scene, rows[i].rules);
		scene.params.service = rows[i].service;
		ck_assert_msg(request_scene_start(&scene, rows[i].host) == -ASOCK_E_DENIED,
			      "row %zu", i);
		ck_assert_msg(scene.result.denied_stage == rows[i].want, "row %zu", i);
		ck_assert_int_eq(request_take_fd(scene.request), -1);
		request_scene_close(&scene);
	}
}
END_TEST

START_TEST(to_listen_everywhere_takes_both_wildcards)
{
	static const struct {
		const char *rules;
		int want;
	} rows[] = {
		{ ROLE "Allow=listen tcp [::]:*\n", -ASOCK_E_DENIED },
		{ ROLE "Allow=listen tcp 0.0.0.0:*\n", -ASOCK_E_DENIED },
		{ ROLE "Allow=listen tcp [::]:* 0.0.0.0:*\n", 1 },
		{ ROLE "Allow=listen tcp *:*\n", 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct request_scene scene;

		open_scene(&scene, rows[i].rules);
		ck_assert_msg(start_anywhere(&scene) == rows[i].want, "row %zu", i);
		request_scene_close(&scene);
	}
}
END_TEST

START_TEST(a_privileged_option_needs_its_own_word)
{
	struct request_scene scene;

	open_scene(&scene, ROLE "Allow=listen tcp *:*\n");
	scene.params.options.has_priority = true;
	ck_assert_int_eq(request_scene_start(&scene, "127.0.0.1"), -ASOCK_E_DENIED);
	ck_assert_int_eq(scene.result.denied_stage, POLICY_STAGE_OPTION);
	ck_assert_str_eq(scene.result.option, "priority");
	request_scene_set_rules(&scene, ROLE "Allow=listen tcp *:*\nOptions=priority\n");
	ck_assert_int_eq(request_scene_start(&scene, "127.0.0.1"), 1);
	request_scene_close(&scene);
}
END_TEST

START_TEST(what_is_no_address_or_service_is_told)
{
	static const struct {
		const char *host, *service;
		int want;
	} rows[] = {
		{ "here.test", NULL, -ASOCK_E_INVALID_NAME },
		{ "localhost", NULL, -ASOCK_E_INVALID_NAME },
		{ "", NULL, -ASOCK_E_INVALID_NAME },
		{ "unix/", NULL, -ASOCK_E_INVALID_NAME },
		{ "[::1", NULL, -ASOCK_E_INVALID_NAME },
		{ "[::1]", NULL, 1 },
		{ "127.1", NULL, 1 },
		{ "fe80::1%nosuchdevice", NULL, -ASOCK_E_INVALID_NAME },
		{ "127.0.0.1", "nonsense", -ASOCK_E_UNKNOWN_SERVICE },
		{ "127.0.0.1", "65536", -ASOCK_E_UNKNOWN_SERVICE },
		{ "127.0.0.1", "", -ASOCK_E_UNKNOWN_SERVICE },
	};
	struct request_scene scene;

	open_scene(&scene, ROLE "Allow=listen tcp *:*\n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		scene.params.service = rows[i].service;
		ck_assert_msg(request_scene_start(&scene, rows[i].host) == rows[i].want, "row %zu",
			      i);
		request_get_result(scene.request, &scene.result);
		ck_assert_int_eq(scene.result.reason != NULL,
				 rows[i].want == -ASOCK_E_INVALID_NAME);
	}
	request_scene_close(&scene);
}
END_TEST

START_TEST(what_the_kernel_says_is_told)
{
	struct request_scene scene;
	char port[8];
	int fd;

	open_scene(&scene, ROLE "Allow=listen tcp *:*\nOptions=bindDevice\n");
	ck_assert_int_eq(request_scene_start(&scene, "127.0.0.1"), 1);
	request_get_result(scene.request, &scene.result);
	(void)snprintf(port, sizeof(port), "%u", scene.result.local.port);
	fd = request_take_fd(scene.request);
	scene.params.service = port;
	ck_assert_int_eq(request_scene_start(&scene, "127.0.0.1"), -ASOCK_E_CONNECT_FAILED);
	ck_assert_int_eq(scene.result.headline, -EADDRINUSE);
	ck_assert_ptr_null(scene.result.option);
	ck_assert_uint_eq(scene.result.n_attempts, 0);
	(void)close_fd(fd);
	memcpy(scene.params.options.bind_device, "nosuchdevice", sizeof("nosuchdevice"));
	ck_assert_int_eq(request_scene_start(&scene, "127.0.0.1"), -ASOCK_E_CONNECT_FAILED);
	ck_assert_int_eq(scene.result.headline, -ENODEV);
	ck_assert_str_eq(scene.result.option, "bindDevice");
	request_scene_close(&scene);
}
END_TEST

START_TEST(it_is_judged_anew_under_a_new_policy_by_its_own_port)
{
	struct request_scene scene;
	char rules[128];

	open_scene(&scene, ROLE "Allow=listen tcp 127.0.0.1:*\n");
	ck_assert_int_eq(request_scene_start(&scene, "127.0.0.1"), 1);
	request_get_result(scene.request, &scene.result);
	(void)snprintf(rules, sizeof(rules), ROLE "Allow=listen tcp 127.0.0.1:%u\n",
		       scene.result.local.port);
	request_scene_set_rules(&scene, rules);
	ck_assert(request_may_hand_over(scene.request));
	request_scene_set_rules(&scene, ROLE "Allow=listen tcp 127.0.0.1:1\n");
	ck_assert(!request_may_hand_over(scene.request));
	request_scene_close(&scene);
}
END_TEST

SUITE_MAIN("request_bind", a_socket_is_there_when_start_returns,
	   a_socket_that_nobody_takes_is_closed, nobody_listens_without_a_rule,
	   to_listen_everywhere_takes_both_wildcards, a_privileged_option_needs_its_own_word,
	   what_is_no_address_or_service_is_told, what_the_kernel_says_is_told,
	   it_is_judged_anew_under_a_new_policy_by_its_own_port)
