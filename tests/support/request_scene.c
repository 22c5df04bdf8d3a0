/* SPDX-License-Identifier: MIT */
#include "tests/support/request_scene.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/policy/quota.h"
#include "tests/support/suite.h"

void request_scene_open(struct request_scene *scene, const char *hosts)
{
	*scene = (struct request_scene){
		.base = event_base_new(),
		.files = { .hosts_file = suite_write_file(hosts),
			   .services_file = suite_write_file("http 80/tcp\nsyslog 514/udp\n"),
			   .resolv_conf = suite_write_file(""),
			   .cache = { .max_ttl_s = 86400, .max_negative_ttl_s = 3600 } },
		.params = { .kind = REQUEST_CONNECT,
			    .service = scene->service,
			    .identity = { .same_netns = true },
			    .attempt_delay_us = 10 * USEC_PER_MSEC },
	};
	ck_assert_ptr_nonnull(scene->base);
	ck_assert_int_eq(config_new(&scene->config), 0);
	scene->env.base = scene->base;
	scene->env.config = scene->config;
	ck_assert_int_eq(resolver_new(&scene->env.resolver, &scene->files, scene->base), 0);
	ck_assert_int_eq(quota_new(&scene->env.quota), 0);
	ck_assert_int_eq(policy_new(&scene->env.policy), 0);
}

void request_scene_add_server(struct request_scene *scene, const struct dns_rule *rules,
			      size_t n_rules)
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

struct tcp_peer *request_scene_add_peer(struct request_scene *scene, int family,
					enum tcp_peer_kind kind)
{
	size_t i = 0;

	while (scene->peers[i])
		i++;
	scene->peers[i] = tcp_peer_new(scene->base, family, kind);
	(void)snprintf(scene->service, sizeof(scene->service), "%u",
		       tcp_peer_get_endpoint(scene->peers[i])->port);
	return scene->peers[i];
}

void request_scene_close(struct request_scene *scene)
{
	scene->request = request_free(scene->request);
	ck_assert_uint_eq(quota_get_total(scene->env.quota, QUOTA_ATTEMPTS), 0);
	ck_assert_uint_eq(quota_get_total(scene->env.quota, QUOTA_QUESTIONS), 0);
	dns_server_free(scene->server);
	for (size_t i = 0; i < REQUEST_SCENE_MAX_PEERS; i++)
		tcp_peer_free(scene->peers[i]);
	policy_free(scene->env.policy);
	quota_free(scene->env.quota);
	resolver_free(scene->env.resolver);
	config_free(scene->config);
	event_base_free(scene->base);
}

void request_scene_set_rules(struct request_scene *scene, const char *text)
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
	struct request_scene *scene = arg;

	ck_assert(!scene->in_start && !scene->done);
	ck_assert_ptr_eq(request, scene->request);
	scene->done = true;
	scene->status = status;
	request_get_result(request, &scene->result);
	ck_assert_int_eq(scene->result.status, status);
	if (scene->free_inside)
		scene->request = request_free(request);
}

int request_scene_start(struct request_scene *scene, const char *host)
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

void request_scene_run(struct request_scene *scene, const char *host)
{
	ck_assert_int_eq(request_scene_start(scene, host), 0);
	suite_loop(scene->base, &scene->done);
}

void request_scene_run_until_attempts(const struct request_scene *scene, size_t n)
{
	while (quota_get_total(scene->env.quota, QUOTA_ATTEMPTS) < n)
		ck_assert_int_eq(event_base_loop(scene->base, EVLOOP_ONCE), 0);
}

const char *request_scene_get_candidate(const struct request_scene *scene, size_t i)
{
	static char text[ENDPOINT_TEXT_SIZE];

	ck_assert_uint_lt(i, scene->result.n_candidates);
	return endpoint_format(&scene->result.candidates[i].endpoint, text, sizeof(text));
}
