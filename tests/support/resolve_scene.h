/* SPDX-License-Identifier: MIT */
/*
 * What the suites of daemon/resolve share: a resolver over files of its own and a scripted name server, one resolution after
 * the other, and all that was asked and told. Failures to set up fail the test.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "daemon/resolve/resolve.h"
#include "tests/support/dns_server.h"

#define RESOLVE_SCENE_MAX_ASKED	  64
#define RESOLVE_SCENE_MAX_ANSWERS 4

struct resolve_scene_answer {
	int family, status;
	bool is_last;
	size_t n;
	struct candidate items[LIMIT_DNS_ADDRESSES];
};

struct resolve_scene {
	struct event_base *base;
	struct resolver *resolver;
	struct resolver_params
		files; /* the test's to change before configure; without a cache at first */
	struct dns_server *server;
	struct resolve_params params; /* of the next one: the test's to change */
	struct resolve *resolve;
	const char *reason;
	/* what allow was asked and says */
	char asked[RESOLVE_SCENE_MAX_ASKED][LIMIT_NAME_BYTES + 1];
	size_t n_asked;
	const char *denied;   /* NULL: none; "*": all */
	char questions[1024]; /* what question was told: "name type outcome", separated by commas */
	/* what was told */
	struct resolve_scene_answer answers[RESOLVE_SCENE_MAX_ANSWERS];
	size_t n_answers;
	bool in_start, done, cancel_in_answer, cancel_in_done, free_in_done;
	int status;
};

void resolve_scene_open(struct resolve_scene *scene, const char *hosts, const char *resolv_conf);
void resolve_scene_add_server(struct resolve_scene *scene, const struct dns_rule *rules,
			      size_t n_rules);
/* Takes what stands in files once more, with the server that there is. */
void resolve_scene_configure(struct resolve_scene *scene);
void resolve_scene_close(struct resolve_scene *scene);

/* For other operations that have these two callbacks: arg is the scene. */
bool resolve_scene_allow(const char *name, void *arg);
void resolve_scene_question(const char *name, uint16_t type, int status,
			    const struct origin *origin, void *arg);

/* What resolve_new says. */
int resolve_scene_make(struct resolve_scene *scene, const char *host);
void resolve_scene_start(struct resolve_scene *scene, const char *host);
void resolve_scene_run(struct resolve_scene *scene, const char *host);

/* The answer for a family, which must have been told. */
const struct resolve_scene_answer *resolve_scene_get_answer(const struct resolve_scene *scene,
							    int family);
/* All addresses of all answers, in the order told, separated by blanks. */
const char *resolve_scene_get_addresses(const struct resolve_scene *scene);
/* Where the result came from. */
void resolve_scene_expect_server(const struct resolve_scene *scene, const struct endpoint *server);
void resolve_scene_expect_rcode(const struct resolve_scene *scene, enum dns_rcode rcode);

/* The names the server was asked for, each once, in order, separated by blanks. */
const char *resolve_scene_get_seen(const struct resolve_scene *scene);
size_t resolve_scene_count_seen(const struct resolve_scene *scene);
