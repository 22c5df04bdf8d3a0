/* SPDX-License-Identifier: MIT */
/*
 * Listening unix sockets, from systemd or bound here, and the sessions they accept. Rests when descriptors run out;
 * refuses a connection above the limits by closing it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "protocol/cleanup.h"

struct event_base;
struct front_env;
struct listener;

struct listener_params {
	const char *name; /* static; NULL: none */
	bool is_control;
};

/*
 * Binds path: under a temporary name, listening, then renamed, so that who sees it can connect. A dead socket at the path
 * is replaced. group (gid_t)-1: the process's own. -EADDRINUSE: a live one is there; -EEXIST: something that is no socket; -ENAMETOOLONG.
 */
MUST_CHECK int listener_bind(const char *path, mode_t mode, gid_t group, int *ret_socket);

/* Takes the listening socket over, also on failure. */
MUST_CHECK int listener_new(struct listener **ret, int socket, const struct listener_params *params,
			    struct front_env *env);
/* Closes all its sessions. */
struct listener *listener_free(struct listener *listener);
DEFINE_CLEANUP(struct listener, listener_free)

/* No more connections are accepted; sessions go on. */
void listener_stop(struct listener *listener);
/* Sessions with a call running or a reply on its way. */
size_t listener_count_busy(const struct listener *listener);
