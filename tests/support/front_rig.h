/* SPDX-License-Identifier: MIT */
/*
 * What the suites of daemon/front share: an environment with everything real (loop, resolver over files of its own, policy,
 * quota, closer, the default configuration) and a client that speaks the protocol with bytes alone and reads only when it
 * is told to. Failures to set up fail the test.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "daemon/front/env.h"
#include "daemon/front/session.h"
#include "daemon/resolve/resolve.h"

#define FRONT_PING	 "{\"method\":\"org.asockd.Manager.Ping\"}"
#define FRONT_PONG	 "{\"parameters\":{}}"
#define FRONT_WHOAMI	 "{\"method\":\"org.asockd.Manager.Whoami\"}"
#define FRONT_HOST_V4	 "v4.test"    /* in the hosts file: 127.0.0.1 */
#define FRONT_HOST_V6	 "v6.test"    /* ::1 */
#define FRONT_HOST_TWO	 "both.test"  /* ::1 and 127.0.0.1 */
#define FRONT_HOST_THREE "three.test" /* 127.0.0.1, 127.0.0.2, 127.0.0.3 */

struct front_rig {
	struct event_base *base;
	struct config *config; /* the limits in it are the test's to change */
	struct front_env env;
	struct resolver_params files;
};

/* There are no name servers until one is set. */
void front_rig_open(struct front_rig *rig);
void front_rig_set_server(struct front_rig *rig, const struct endpoint *server);
/* Also checks that nothing is charged or in flight any more: all sessions must have been freed. */
void front_rig_close(struct front_rig *rig);
/* Puts this configuration's [Policy], [Never] and [Role] in force. */
void front_rig_set_rules(struct front_rig *rig, const char *text);

#define CLIENT_BYTES   (1024 * 1024)
#define CLIENT_MAX_FDS 16

struct client {
	struct event_base *base;
	int fd;	    /* owned; -1: closed */
	char *data; /* owned */
	size_t len; /* what was read and not yet taken as a message, from `start` on */
	size_t start;
	char terminator;
	bool has_ended;		 /* end of input or an error */
	int fds[CLIENT_MAX_FDS]; /* owned: received and not taken */
	size_t n_fds;
	size_t n_late_fds; /* came with another byte than the first of a message */
};

/* Takes the socket over. */
void client_init(struct client *client, struct event_base *base, int fd);
void client_done(struct client *client);
void client_close(struct client *client);

void client_send_bytes(struct client *client, const char *bytes, size_t len);
/* text and the terminator. */
void client_send(struct client *client, const char *text);
/* text, the terminator, and a descriptor, which stays the caller's. */
void client_send_fd(struct client *client, const char *text, int fd);
/* Connect to host and the port of endpoint; extra: further members of the parameters, such as ",\"blocking\":false". */
void client_send_connect(struct client *client, const char *host, const struct endpoint *endpoint,
			 const char *extra);

/* The next message without its terminator, borrowed until the next read; runs the loop until it is there. NULL: the end. */
const char *client_read(struct client *client);
/* Reads what is there now and no more; true: there is a whole message. */
bool client_poll(struct client *client);
/* Reads a message and checks it. */
void client_expect(struct client *client, const char *message);
void client_expect_part(struct client *client, const char *part);
void client_expect_end(struct client *client);
/* The oldest descriptor that was received; -1: there is none. */
int client_take_fd(struct client *client);

/* One connection: the client and the session that serves it. */
struct conn {
	struct client client;
	struct session *session; /* NULL: it has ended */
	int socket;		 /* the session's own */
	bool done;
};

/* params NULL: the public socket's. */
void conn_open(struct conn *conn, struct front_rig *rig, const struct session_params *params);
void conn_close(struct conn *conn);
/* Runs the loop until the session has ended, and it was freed in its done. */
void conn_expect_end(struct conn *conn, struct front_rig *rig);
