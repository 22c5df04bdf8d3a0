/* SPDX-License-Identifier: MIT */
/*
 * Descriptors in flight: sent to a client and not yet read by it. The kernel charges them to the daemon's user, so each
 * client's user gets a share of them (DescriptorsInFlight=), and one connection has one in flight at most.
 */
#pragma once

#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "protocol/cleanup.h"

struct front_env;

/* What one connection has on its way; embedded in it. */
struct unread {
	LIST_ENTRY(unread) link; /* in env->unread_by, while has_fd */
	struct front_env *env;
	int socket; /* borrowed */
	uid_t uid;  /* whose share it is */
	bool has_fd;
};

void unread_init(struct unread *unread, struct front_env *env, int socket, uid_t uid);

/* Whether there are bytes that the client has not read. */
bool unread_has_bytes(const struct unread *unread);

/*
 * Takes one of the user's share. When there is none left, it is first looked who has read meanwhile: the user's own
 * connections each time, everybody's now and then. False: there is none left.
 */
MUST_CHECK bool unread_charge(struct unread *unread);
/* Gives back what was charged and not sent. */
void unread_discharge(struct unread *unread);
/* What was charged is on its way. */
void unread_set(struct unread *unread);
/* The descriptor, if there is one, is in flight no more when the client has read all there was. */
void unread_update(struct unread *unread);
/* As if it were read: the connection ends. */
void unread_clear(struct unread *unread);
