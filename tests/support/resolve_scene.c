/* SPDX-License-Identifier: MIT */
#include "tests/support/resolve_scene.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "protocol/error.h"
#include "tests/support/suite.h"

void resolve_scene_open(struct resolve_scene *scene, const char *hosts, const char *resolv_conf)
{
	*scene = (struct resolve_scene){
		.base = event_base_new(),
		.files = { .hosts_file = suite_write_file(hosts),
			   .services_file = suite_write_file("http 80/tcp\n"),
			   .resolv_conf = suite_write_file(resolv_conf),
			   .cache = { .max_ttl_s = 86400, .max_negative_ttl_s = 3600 } },
		.params = { .port = 80 },
	};
	ck_assert_ptr_nonnull(scene->base);
	ck_assert_int_eq(resolver_new(&scene->resolver, &scene->files, scene->base), 0);
}

void resolve_scene_configure(struct resolve_scene *scene)
{
	const struct endpoint endpoint = dns_server_endpoint(scene->server);
	const struct name_servers group = dns_server_group(&endpoint, 1);

	scene->files.groups = &group;
	scene->files.n_groups = 1;
	ck_assert_int_eq(resolver_configure(scene->resolver, &scene->files), 0);
	scene->files.groups = NULL;
	scene->files.n_groups = 0;
}

void resolve_scene_add_server(struct resolve_scene *scene, const struct dns_rule *rules,
			      size_t n_rules)
{
	scene->server = dns_server_new(scene->base, rules, n_rules);
	resolve_scene_configure(scene);
}

void resolve_scene_close(struct resolve_scene *scene)
{
	scene->resolve = resolve_free(scene->resolve);
	dns_server_free(scene->server);
	resolver_free(scene->resolver);
	event_base_free(scene->base);
}

bool resolve_scene_allow(const char *name, void *arg)
{
	struct resolve_scene *scene = arg;

	ck_assert_uint_lt(scene->n_asked, RESOLVE_SCENE_MAX_ASKED);
	(void)snprintf(scene->asked[scene->n_asked++], sizeof(scene->asked[0]), "%s", name);
	return !scene->denied ||
	       (strcmp(scene->denied, "*") != 0 && strcmp(scene->denied, name) != 0);
}

static void on_answer(struct resolve *resolve, int family, int status,
		      const struct candidate *items, size_t n, bool is_last, void *arg)
{
	struct resolve_scene *scene = arg;
	struct resolve_scene_answer *answer = &scene->answers[scene->n_answers];

	ck_assert(!scene->in_start && !scene->done);
	ck_assert_ptr_eq(resolve, scene->resolve);
	ck_assert_uint_lt(scene->n_answers, RESOLVE_SCENE_MAX_ANSWERS);
	ck_assert_uint_le(n, ARRAY_LEN(answer->items));
	ck_assert(status == 0 || n == 0);
	for (size_t i = 0; i < scene->n_answers; i++)
		ck_assert(scene->answers[i].family != family || !scene->answers[i].is_last);
	*answer = (struct resolve_scene_answer){
		.family = family, .status = status, .is_last = is_last, .n = n
	};
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
	struct resolve_scene *scene = arg;

	ck_assert(!scene->in_start && !scene->done);
	ck_assert_ptr_eq(resolve, scene->resolve);
	scene->done = true;
	scene->status = status;
	if (scene->cancel_in_done)
		resolve_cancel(resolve);
	if (scene->free_in_done)
		scene->resolve = resolve_free(resolve);
}

void resolve_scene_question(const char *name, uint16_t type, int status,
			    const struct origin *origin, void *arg)
{
	struct resolve_scene *scene = arg;
	size_t len = strlen(scene->questions);
	const char *outcome = status < 0 ? error_varlink_name(status) : ".found";

	ck_assert(!scene->in_start && !scene->done && origin);
	(void)snprintf(scene->questions + len, sizeof(scene->questions) - len, "%s%s %u %s",
		       len > 0 ? ", " : "", name, type,
		       outcome ? strrchr(outcome, '.') + 1 : error_errno_name(status));
}

int resolve_scene_make(struct resolve_scene *scene, const char *host)
{
	CLEANUP(freep) char *copy = strdup(host);

	scene->resolve = resolve_free(scene->resolve);
	scene->n_asked = scene->n_answers = 0;
	scene->questions[0] = '\0';
	scene->done = false;
	scene->reason = NULL;
	scene->params.host = copy;
	scene->params.allow = resolve_scene_allow;
	scene->params.question = resolve_scene_question;
	scene->params.arg = scene;
	if (scene->params.deadline_us == 0)
		scene->params.deadline_us = clock_now_us() + 30 * USEC_PER_SEC;
	return resolve_new(&scene->resolve, &scene->params, scene->resolver, scene->base,
			   &scene->reason);
}

void resolve_scene_start(struct resolve_scene *scene, const char *host)
{
	ck_assert_int_eq(resolve_scene_make(scene, host), 0);
	scene->in_start = true;
	ck_assert_int_eq(resolve_start(scene->resolve, on_answer, on_done, scene), 0);
	scene->in_start = false;
}

void resolve_scene_run(struct resolve_scene *scene, const char *host)
{
	resolve_scene_start(scene, host);
	suite_loop(scene->base, &scene->done);
}

const struct resolve_scene_answer *resolve_scene_get_answer(const struct resolve_scene *scene,
							    int family)
{
	for (size_t i = 0; i < scene->n_answers; i++)
		if (scene->answers[i].family == family)
			return &scene->answers[i];
	ck_abort_msg("no answer for family %d", family);
	return NULL;
}

void resolve_scene_expect_server(const struct resolve_scene *scene, const struct endpoint *server)
{
	const struct origin *origin = resolve_get_origin(scene->resolve);

	ck_assert(origin && origin->has_server);
	ck_assert(endpoint_equal(&origin->server, server));
}

void resolve_scene_expect_rcode(const struct resolve_scene *scene, enum dns_rcode rcode)
{
	const struct origin *origin = resolve_get_origin(scene->resolve);

	ck_assert(origin && origin->has_rcode);
	ck_assert_uint_eq(origin->rcode, rcode);
}

const char *resolve_scene_get_addresses(const struct resolve_scene *scene)
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

const char *resolve_scene_get_seen(const struct resolve_scene *scene)
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

size_t resolve_scene_count_seen(const struct resolve_scene *scene)
{
	return dns_server_count(scene->server, NULL, 0);
}
