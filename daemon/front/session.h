/* SPDX-License-Identifier: MIT */
/*
 * One client connection: frames in, calls run one at a time, replies out in order, a descriptor with the first byte of its
 * reply. It ends when the client closes, breaks the framing, or lets something lie for too long.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol/cleanup.h"

struct front_env;
struct session;

struct session_params {
	const char *listener; /* its name, must outlive the session; NULL: none */
	bool is_control;      /* NUL ends messages, always */
	uint64_t frame_us;    /* how long an unfinished frame may lie; 0: LIMIT_FRAME_USEC */
	uint64_t unread_us;   /* how long a reply may lie unread; 0: LIMIT_UNREAD_REPLY_USEC */
	uint64_t next_us;     /* how long ConnectNext can go on; 0: LIMIT_NEXT_USEC */
};

/* The connection is over; the owner frees the session in here or later. */
typedef void session_done_fn(struct session *session, void *arg);

/* Takes the connected socket over, also on failure. -errno. */
MUST_CHECK int session_new(struct session **ret, int socket, const struct session_params *params,
			   struct front_env *env);
/* done is called from the loop, once. */
MUST_CHECK int session_start(struct session *session, session_done_fn *done, void *arg);
struct session *session_free(struct session *session);
DEFINE_CLEANUP(struct session, session_free)

/* Whether a call is running or a reply is on its way: a daemon that stops waits for these. */
bool session_is_busy(const struct session *session);
/* Whose connection it is (SO_PEERCRED). */
uid_t session_get_uid(const struct session *session);
