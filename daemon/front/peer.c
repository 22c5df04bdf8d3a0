/* SPDX-License-Identifier: MIT */
/*
 * The network namespace is compared by cookie: an accepted unix socket carries its client's (SO_NETNS_COOKIE, Linux
 * 5.14), any socket made here the daemon's. A kernel that does not tell counts as "other", the narrower answer.
 */
#include "daemon/front/peer.h"

#include <stdint.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

static uint64_t own_cookie(void)
{
	static uint64_t
		cookie; /* a process's own never changes: the daemon does not call setns() */
	socklen_t len = sizeof(cookie);
	CLEANUP(fd_closep) int fd = -1;

	if (cookie != 0)
		return cookie;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) < 0)
		cookie = 0;
	return cookie;
}

static bool is_same_netns(int socket)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	if (getsockopt(socket, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) < 0 || cookie == 0)
		return false;
	return cookie == own_cookie();
}

void peer_prepare_listener(int socket)
{
	int on = 1, off = 0;

	(void)own_cookie(); /* now, and not when the first client comes and perhaps no descriptor is left to ask with */
	(void)setsockopt(socket, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	(void)setsockopt(socket, SOL_SOCKET, SO_PASSRIGHTS, &off,
			 sizeof(off)); /* older kernels: front/closer takes them */
}

int peer_identify(int socket, struct identity *ret)
{
	struct ucred credentials;
	socklen_t len = sizeof(credentials);
	int on = 1, off = 0;

	if (setsockopt(socket, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
		return -errno;
	(void)setsockopt(socket, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off));
	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &len) < 0)
		return -errno;
	*ret = (struct identity){
		.peer_uid = credentials.uid,
		.peer_gid = credentials.gid,
		.peer_pid = credentials.pid,
		.message_uid = credentials.uid,
		.same_netns = is_same_netns(socket),
	};
	return 0;
}
