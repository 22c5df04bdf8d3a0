/* SPDX-License-Identifier: MIT */
#include "daemon/front/listener.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "daemon/base/clock.h"
#include "daemon/base/limits.h"
#include "daemon/base/log.h"
#include "daemon/front/closer.h"
#include "daemon/front/env.h"
#include "daemon/front/peer.h"
#include "daemon/front/session.h"
#include "daemon/policy/quota.h"
#include "protocol/frame.h"
#include "protocol/text.h"

struct member {
	LIST_ENTRY(member) link;
	struct listener *listener;
	struct session *session; /* owned */
	uid_t uid;		 /* charged for the connection */
};

LIST_HEAD(member_list, member);

struct listener {
	int socket; /* owned; -1: stopped */
	struct listener_params params;
	struct front_env *env;
	struct event *acceptable, *pause; /* owned */
	struct member_list members;	  /* owned */
};

static int fill_address(const char *path, struct sockaddr_un *ret)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t len = strlen(path);

	if (len == 0 || len >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, len + 1);
	*ret = address;
	return 0;
}

/* Whether something listens there. A socket that nobody serves any more refuses. */
static int check_path(const char *path, const struct sockaddr_un *address)
{
	CLEANUP(fd_closep) int fd = -1;
	struct stat status;

	if (lstat(path, &status) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(status.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN)
		return -EADDRINUSE; /* EAGAIN: its backlog is full, so it lives */
	return errno == ECONNREFUSED || errno == ENOENT ? 0 : -errno;
}

/* A short hidden name beside path, so that a path that fits has room for it unless its last part is very short. */
static int make_temporary(const char *path, struct sockaddr_un *ret)
{
	const char *slash = strrchr(path, '/');
	CLEANUP(freep) char *name = NULL;

	if (text_format(&name, "%.*s.%x", slash ? (int)(slash - path) + 1 : 0, path,
			(unsigned int)getpid()) < 0)
		return -ENOMEM;
	return fill_address(name, ret);
}

int listener_bind(const char *path, mode_t mode, gid_t group, int *ret_socket)
{
	CLEANUP(fd_closep) int fd = -1;
	struct sockaddr_un address, temporary;
	const char *name;
	int r = fill_address(path, &address);

	if (r == 0)
		r = check_path(path, &address);
	if (r < 0)
		return r;
	r = make_temporary(path, &temporary);
	if (r < 0)
		return r;
	name = temporary.sun_path;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	(void)unlink(name); /* of an earlier process with this number, which is gone */
	/* fchmod on the socket before bind sets the mode the file is born with (unix(7)). */
	if (fchmod(fd, mode) < 0 || bind(fd, (struct sockaddr *)&temporary, sizeof(temporary)) < 0)
		return -errno;
	if (chown(name, (uid_t)-1, group) < 0 || chmod(name, mode) < 0 ||
	    listen(fd, LIMIT_LISTEN_BACKLOG) < 0 || rename(name, path) < 0) {
		r = -errno;
		(void)unlink(name);
		return r;
	}
	*ret_socket = take_fd(&fd);
	return 0;
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg);
static void on_pause_over(evutil_socket_t fd, short what, void *arg);

int listener_new(struct listener **ret, int socket, const struct listener_params *params,
		 struct front_env *env)
{
	CLEANUP(listener_freep) struct listener *listener = calloc(1, sizeof(*listener));
	int flags;

	if (!listener) {
		(void)close_fd(socket);
		return -ENOMEM;
	}
	listener->socket = socket;
	listener->params = *params;
	listener->env = env;
	LIST_INIT(&listener->members);
	flags = fcntl(socket, F_GETFL);
	if (flags < 0 || fcntl(socket, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	peer_prepare_listener(socket);
	listener->acceptable =
		event_new(env->request.base, socket, EV_READ | EV_PERSIST, on_acceptable, listener);
	listener->pause = evtimer_new(env->request.base, on_pause_over, listener);
	if (!listener->acceptable || !listener->pause || event_add(listener->acceptable, NULL) < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(listener);
	return 0;
}

static void remove_member(struct member *member)
{
	LIST_REMOVE(member, link);
	session_free(member->session);
	quota_discharge(member->listener->env->request.quota, member->uid, QUOTA_CONNECTIONS);
	free(member);
}

void listener_stop(struct listener *listener)
{
	if (listener->acceptable)
		event_free(listener->acceptable);
	if (listener->pause)
		event_free(listener->pause);
	listener->acceptable = listener->pause = NULL;
	listener->socket = close_fd(listener->socket);
}

struct listener *listener_free(struct listener *listener)
{
	if (!listener)
		return NULL;
	listener_stop(listener);
	while (!LIST_EMPTY(&listener->members))
		remove_member(LIST_FIRST(&listener->members));
	free(listener);
	return NULL;
}

size_t listener_count_busy(const struct listener *listener)
{
	const struct member *member;
	size_t n = 0;

	LIST_FOREACH (member, &listener->members, link)
		n += session_is_busy(member->session);
	return n;
}

static void on_session_done(struct session *session, void *arg)
{
	(void)session;
	remove_member(arg);
}

/* Tells a client that is one too many why, before its connection is closed: it reads this as the reply to its call. */
static void refuse(int socket, const char *limit)
{
	static const char format[] =
		"{\"error\":\"org.asockd.Connector.LimitExceeded\",\"parameters\":{\"limit\":\"%s\"}}";
	static struct log_rate rate;
	char text[sizeof(format) + 32];
	int len = snprintf(text, sizeof(text), format, limit);

	log_write_limited(&rate, LOG_LEVEL_WARNING, "a client was turned away limit=%s", limit);

	if (frame_send(socket, text, (size_t)len + 1, -1) < 0)
		log_debug("a client that is turned away does not read");
}

/* Takes an accepted connection over. -EDQUOT: a limit is reached. */
static int add_session(struct listener *listener, int socket)
{
	const struct config *config = listener->env->request.config;
	/* Who manages the daemon gets in when its clients have filled it up. */
	size_t reserve = listener->params.is_control ? LIMIT_CONTROL_RESERVE : 0;
	const struct session_params params = { .listener = listener->params.name,
					       .is_control = listener->params.is_control };
	CLEANUP(session_freep) struct session *session = NULL;
	CLEANUP(freep) struct member *member = calloc(1, sizeof(*member));
	int r = session_new(&session, socket, &params, listener->env);

	if (r < 0)
		return r;
	if (!member)
		return -ENOMEM;
	if (quota_get_total(listener->env->request.quota, QUOTA_CONNECTIONS) >=
	    config->connections + reserve) {
		refuse(socket, "Connections");
		return -EDQUOT;
	}
	member->uid = session_get_uid(session);
	r = quota_charge(listener->env->request.quota, member->uid, QUOTA_CONNECTIONS,
			 config->connections_per_uid + reserve);
	if (r == -EDQUOT)
		refuse(socket, "ConnectionsPerUid");
	if (r < 0)
		return r;
	member->listener = listener;
	member->session = TAKE_PTR(session);
	LIST_INSERT_HEAD(&listener->members, member, link);
	r = session_start(member->session, on_session_done, member);
	if (r < 0)
		remove_member(TAKE_PTR(member));
	else
		(void)TAKE_PTR(member);
	return r;
}

static void rest(struct listener *listener)
{
	struct timeval wait = clock_until(0, LIMIT_ACCEPT_PAUSE_USEC);

	if (evtimer_add(listener->pause, &wait) == 0)
		(void)event_del(listener->acceptable);
}

static void on_pause_over(evutil_socket_t fd, short what, void *arg)
{
	struct listener *listener = arg;

	(void)fd;
	(void)what;
	if (event_add(listener->acceptable, NULL) < 0)
		rest(listener);
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
	static struct log_rate full_rate, refused_rate;
	struct listener *listener = arg;

	(void)fd;
	(void)what;
	for (int i = 0; i < LIMIT_ACCEPTS_PER_TURN; i++) {
		int socket, r;

		/* A connection that is turned away is closed, with whatever its client sent ahead. */
		if (closer_get_room(listener->env->closer) == 0) {
			rest(listener);
			return;
		}
		socket = accept4(listener->socket, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (socket < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
			return;
		if (socket < 0) {
			log_write_limited(&full_rate, LOG_LEVEL_WARNING,
					  "cannot accept clients: resting error=%s",
					  strerror(errno));
			rest(listener);
			return;
		}
		r = add_session(listener, socket);
		if (r < 0 && r != -EDQUOT)
			log_write_limited(&refused_rate, LOG_LEVEL_WARNING,
					  "a client could not be served error=%s", strerror(-r));
	}
}
