/* SPDX-License-Identifier: MIT */
/*
 * What the suites of daemon/request share: an environment with everything real (a resolver over files of its own and a scripted
 * name server, policy, quota, the default configuration), peers on loopback, and one request after the other.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "daemon/request/request.h"
#include "daemon/resolve/resolve.h"
#include "tests/support/dns_server.h"
#include "tests/support/tcp_peer.h"

#define REQUEST_SCENE_MAX_PEERS 4

struct request_scene {
	struct event_base *base;
	struct config *config; /* the test's to change */
	struct request_env env;
	struct resolver_params files;
	struct dns_server *server;
	struct tcp_peer *peers[REQUEST_SCENE_MAX_PEERS];
	struct request_params params; /* of the next request: the test's to change */
	char service[8];	      /* the port of the last peer */
	struct request *request;
	bool in_start, done, free_inside;
	int status;
	struct request_result result;
};

/* Services are http (80/tcp) and syslog (514/udp). */
void request_scene_open(struct request_scene *scene, const char *hosts);
void request_scene_add_server(struct request_scene *scene, const struct dns_rule *rules,
			      size_t n_rules);
struct tcp_peer *request_scene_add_peer(struct request_scene *scene, int family,
					enum tcp_peer_kind kind);
/* Also checks that nothing is charged any more. */
void request_scene_close(struct request_scene *scene);
/* Puts this configuration's [Policy], [Never] and [Role] in force. */
void request_scene_set_rules(struct request_scene *scene, const char *text);

/* What request_start says. The host is gone afterwards, as the contract allows. */
int request_scene_start(struct request_scene *scene, const char *host);
void request_scene_run(struct request_scene *scene, const char *host);
void request_scene_run_until_attempts(const struct request_scene *scene, size_t n);
/* The address at this place of a result, as text. */
const char *request_scene_get_candidate(const struct request_scene *scene, size_t i);
