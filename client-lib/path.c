/* SPDX-License-Identifier: MIT */
/*
 * See path.h. SO_PEERCRED at this end names whoever called listen(): the system manager (root)
 * under socket activation, whatever user the daemon itself runs as; the daemon's user when it binds
 * the socket on its own. Only in that last case is the user's name looked up, which may ask the
 * name service.
 */
#include "client-lib/path.h"

#include <asock.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client-lib/internal.h"

#ifndef RUNSTATEDIR
#define RUNSTATEDIR "/run"
#endif

#define SOCKET_NAME   "/asockd/asockd.sock"
#define DAEMON_USER   "asock"
#define OVERFLOW_UID  65534 /* user_namespaces(7) */
#define PASSWD_BUFFER 4096  /* bytes for one line of the user database */

static int path_below(const char *directory, char **ret)
{
	return asprintf(ret, "%s" SOCKET_NAME, directory) < 0 ? -ENOMEM : 0;
}

static int path_from_environment(char **ret)
{
	const char *path = secure_getenv("ASOCKD_SOCKET");
	const char *directory = secure_getenv("XDG_RUNTIME_DIR");
	CLEANUP(freep) char *below = NULL;
	int r;

	if (path && path[0]) {
		*ret = strdup(path);
		return *ret ? 0 : -ENOMEM;
	}
	if (!directory || directory[0] != '/')
		return -ENOENT;
	r = path_below(directory, &below);
	if (r < 0) {
		below = NULL;
		return r;
	}
	if (access(below, F_OK) < 0)
		return -ENOENT;
	*ret = TAKE_PTR(below);
	return 0;
}

ASOCK_PUBLIC int asock_find_socket_path(char **ret)
{
	char *path = NULL;
	int r;

	if (!ret)
		return -EINVAL;
	r = geteuid() == 0 ? -ENOENT : path_from_environment(&path);
	if (r == -ENOENT)
		r = path_below(RUNSTATEDIR, &path);
	if (r < 0)
		return r;
	*ret = path;
	return 0;
}

int path_check(const char *path)
{
	size_t len = strlen(path);

	if (len == 0)
		return -EINVAL;
	return len < sizeof(((struct sockaddr_un *)NULL)->sun_path) ? 0 : -ENAMETOOLONG;
}

int path_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	CLEANUP(fd_closep) int fd = -1;
	int r;

	r = path_check(path);
	if (r < 0)
		return r;
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	do
		r = connect(fd, (const struct sockaddr *)&address, sizeof(address));
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	return take_fd(&fd);
}

static bool path_is_daemon_user(uid_t uid)
{
	char buffer[PASSWD_BUFFER];
	struct passwd entry;
	struct passwd *found = NULL;

	return getpwnam_r(DAEMON_USER, &entry, buffer, sizeof(buffer), &found) == 0 && found &&
	       found->pw_uid == uid;
}

/*
 * In a user namespace of a container the host's root is usually not mapped and shows as the
 * overflow uid, as every other unmapped user does; nothing better than that can be known there.
 * Outside such a namespace that uid is just a user.
 */
static bool path_is_unmapped_root(uid_t uid)
{
	CLEANUP(fd_closep) int fd = -1;
	char map[64];
	ssize_t n;

	if (uid != OVERFLOW_UID)
		return false;
	fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, map, sizeof(map) - 1);
	if (n <= 0)
		return false;
	map[n] = '\0';
	/* The first namespace maps everybody. */
	return strcmp(map, "         0          0 4294967295\n") != 0;
}

int path_check_peer(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return -errno;
	if (peer.uid == 0 || peer.uid == geteuid() || path_is_unmapped_root(peer.uid) ||
	    path_is_daemon_user(peer.uid))
		return 0;
	return -EPERM;
}
