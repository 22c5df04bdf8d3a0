/* SPDX-License-Identifier: MIT */
/*
 * Binding a path in a fresh directory, and accepting there within the limits.
 */
#include "daemon/front/listener.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "daemon/base/clock.h"
#include "daemon/base/limits.h"
#include "daemon/policy/quota.h"
#include "tests/support/front_rig.h"
#include "tests/support/suite.h"

#define MAX_CLIENTS 8

/* A directory of this test's own, a path in it, and a listener there. */
struct scene {
	struct front_rig rig;
	char directory[64], path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	struct listener *listener;
	struct client clients[MAX_CLIENTS];
	size_t n_clients;
};

static void make_path(struct scene *scene)
{
	const char *tmp = getenv("TMPDIR");

	*scene = (struct scene){ 0 };
	(void)snprintf(scene->directory, sizeof(scene->directory), "%s/asock-listener-XXXXXX",
		       tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(scene->directory));
	(void)snprintf(scene->path, sizeof(scene->path), "%s/socket", scene->directory);
}

/* Removes the path; the directory must be empty then. */
static void remove_path(struct scene *scene)
{
	(void)unlink(scene->path);
	ck_assert_int_eq(rmdir(scene->directory), 0);
}

static void scene_open(struct scene *scene, bool is_control)
{
	const struct listener_params params = { .name = "test", .is_control = is_control };
	int fd = -1;

	make_path(scene);
	front_rig_open(&scene->rig);
	ck_assert_int_eq(listener_bind(scene->path, 0600, (gid_t)-1, &fd), 0);
	ck_assert_int_eq(listener_new(&scene->listener, fd, &params, &scene->rig.env), 0);
}

static void scene_close(struct scene *scene)
{
	scene->listener = listener_free(scene->listener);
	for (size_t i = 0; i < scene->n_clients; i++)
		client_done(&scene->clients[i]);
	front_rig_close(&scene->rig);
	remove_path(scene);
}

static int try_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	CLEANUP(fd_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	ck_assert_int_ge(fd, 0);
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return take_fd(&fd);
}

static struct client *add_client(struct scene *scene)
{
	struct client *client = &scene->clients[scene->n_clients++];
	int fd = try_connect(scene->path);

	ck_assert_int_ge(fd, 0);
	client_init(client, scene->rig.base, fd);
	return client;
}

/* A client that is served. */
static struct client *add_served(struct scene *scene)
{
	struct client *client = add_client(scene);

	client_send(client, FRONT_PING);
	client_expect(client, FRONT_PONG);
	return client;
}

START_TEST(a_bound_socket_has_its_mode_whatever_the_umask)
{
	static const mode_t modes[] = { 0600, 0660, 0666 };
	struct scene scene;
	struct stat status;

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		int fd = -1, client;

		make_path(&scene);
		(void)umask(i == 0 ? 0 : 0777);
		ck_assert_int_eq(listener_bind(scene.path, modes[i], getegid(), &fd), 0);
		(void)umask(022);
		ck_assert_int_eq(stat(scene.path, &status), 0);
		ck_assert(S_ISSOCK(status.st_mode));
		ck_assert_uint_eq(status.st_mode & 07777, modes[i]);
		ck_assert_uint_eq(status.st_gid, getegid());
		ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
		client = try_connect(scene.path);
		ck_assert_int_ge(client, 0);
		(void)close_fd(client);
		(void)close_fd(fd);
		remove_path(&scene); /* and so no temporary name is left */
	}
}
END_TEST

START_TEST(a_dead_socket_is_replaced)
{
	struct scene scene;
	struct stat before, after;
	int fd = -1, client;

	make_path(&scene);
	ck_assert_int_eq(listener_bind(scene.path, 0600, (gid_t)-1, &fd), 0);
	ck_assert_int_eq(stat(scene.path, &before), 0);
	fd = close_fd(fd);
	ck_assert_int_eq(try_connect(scene.path), -ECONNREFUSED);
	ck_assert_int_eq(listener_bind(scene.path, 0600, (gid_t)-1, &fd), 0);
	ck_assert_int_eq(stat(scene.path, &after), 0);
	ck_assert_uint_ne(before.st_ino, after.st_ino);
	client = try_connect(scene.path);
	ck_assert_int_ge(client, 0);
	(void)close_fd(client);
	(void)close_fd(fd);
	remove_path(&scene);
}
END_TEST

START_TEST(a_live_socket_is_left_alone)
{
	struct scene scene;
	struct stat before, after;
	int fd = -1, second = -1, client;

	make_path(&scene);
	ck_assert_int_eq(listener_bind(scene.path, 0600, (gid_t)-1, &fd), 0);
	ck_assert_int_eq(stat(scene.path, &before), 0);
	ck_assert_int_eq(listener_bind(scene.path, 0600, (gid_t)-1, &second), -EADDRINUSE);
	ck_assert_int_eq(second, -1);
	ck_assert_int_eq(stat(scene.path, &after), 0);
	ck_assert_uint_eq(before.st_ino, after.st_ino);
	client = try_connect(scene.path);
	ck_assert_int_ge(client, 0);
	(void)close_fd(client);
	(void)close_fd(fd);
	remove_path(&scene);
}
END_TEST

START_TEST(a_live_socket_with_a_full_backlog_is_left_alone)
{
	struct scene scene;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	CLEANUP(fd_closep) int full = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fds[4], second = -1;

	make_path(&scene);
	memcpy(address.sun_path, scene.path, strlen(scene.path) + 1);
	ck_assert_int_eq(bind(full, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(full, 0), 0);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = try_connect(scene.path);
	ck_assert_int_eq(fds[3], -EAGAIN);
	ck_assert_int_eq(listener_bind(scene.path, 0600, (gid_t)-1, &second), -EADDRINUSE);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		(void)close_fd(fds[i]);
	remove_path(&scene);
}
END_TEST

START_TEST(what_is_no_socket_is_left_alone)
{
	struct scene scene;
	struct stat status;
	char byte;
	int fd = -1, file;

	make_path(&scene);
	file = open(scene.path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	ck_assert_int_ge(file, 0);
	ck_assert_int_eq(write(file, "x", 1), 1);
	ck_assert_int_eq(listener_bind(scene.path, 0600, (gid_t)-1, &fd), -EEXIST);
	ck_assert_int_eq(pread(file, &byte, 1, 0), 1);
	ck_assert_int_eq(lstat(scene.path, &status), 0);
	ck_assert(S_ISREG(status.st_mode) && (status.st_mode & 0777) == 0644);
	(void)close_fd(file);
	(void)unlink(scene.path);

	ck_assert_int_eq(symlink("/nowhere", scene.path), 0);
	ck_assert_int_eq(listener_bind(scene.path, 0600, (gid_t)-1, &fd), -EEXIST);
	ck_assert_int_eq(lstat(scene.path, &status), 0);
	ck_assert(S_ISLNK(status.st_mode));
	(void)unlink(scene.path);

	ck_assert_int_eq(mkdir(scene.path, 0700), 0);
	ck_assert_int_eq(listener_bind(scene.path, 0600, (gid_t)-1, &fd), -EEXIST);
	ck_assert_int_eq(rmdir(scene.path), 0);
	remove_path(&scene);
}
END_TEST

START_TEST(paths_that_cannot_be_are_refused)
{
	static const char directory[] = "/nowhere/there/is/no/such/directory/";
	struct sockaddr_un *address;
	char path[sizeof(address->sun_path) + 1];
	int fd = -1;

	ck_assert_int_eq(listener_bind("", 0600, (gid_t)-1, &fd), -ENAMETOOLONG);
	ck_assert_int_eq(listener_bind("/nowhere/socket", 0600, (gid_t)-1, &fd), -ENOENT);
	memset(path, 'x', sizeof(path));
	memcpy(path, directory, sizeof(directory) - 1);
	path[sizeof(path) - 1] = '\0';
	ck_assert_int_eq(listener_bind(path, 0600, (gid_t)-1, &fd), -ENAMETOOLONG);
	ck_assert_int_eq(fd, -1);
}
END_TEST

START_TEST(the_longest_path_there_is_can_be_bound)
{
	struct sockaddr_un *address;
	char path[sizeof(address->sun_path)];
	struct scene scene;
	size_t len;
	int fd = -1;

	make_path(&scene);
	len = strlen(scene.directory);
	memset(path, 'x', sizeof(path));
	memcpy(path, scene.directory, len);
	path[len] = '/';
	path[sizeof(path) - 1] = '\0';
	ck_assert_int_eq(listener_bind(path, 0600, (gid_t)-1, &fd), 0);
	ck_assert_int_eq(unlink(path), 0);
	(void)close_fd(fd);
	remove_path(&scene);
}
END_TEST

START_TEST(a_bind_that_fails_half_way_leaves_nothing_behind)
{
	struct scene scene;
	int fd = -1;

	if (!suite_has(geteuid() != 0 || (seteuid(65534) == 0 && geteuid() != 0),
		       "to be an ordinary user"))
		return;
	make_path(&scene);
	if (getegid() != 0 || geteuid() != 0)
		ck_assert_int_lt(listener_bind(scene.path, 0600, 1, &fd),
				 0); /* a group that is not ours */
	ck_assert_int_eq(fd, -1);
	remove_path(&scene);
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

START_TEST(clients_are_accepted_and_served)
{
	struct scene scene;

	scene_open(&scene, false);
	for (int i = 0; i < 3; i++)
		(void)add_served(&scene);
	ck_assert_uint_eq(quota_get(scene.rig.env.request.quota, geteuid(), QUOTA_CONNECTIONS), 3);
	client_send(&scene.clients[0], FRONT_WHOAMI);
	client_expect_part(&scene.clients[0], "\"listener\":\"test\"");
	ck_assert_uint_eq(listener_count_busy(scene.listener), 0);
	client_close(&scene.clients[1]);
	while (quota_get_total(scene.rig.env.request.quota, QUOTA_CONNECTIONS) > 2)
		ck_assert_int_eq(event_base_loop(scene.rig.base, EVLOOP_ONCE), 0);
	client_send(&scene.clients[2], FRONT_PING);
	client_expect(&scene.clients[2], FRONT_PONG);
	scene_close(&scene);
}
END_TEST

START_TEST(a_control_listener_has_control_sessions)
{
	struct scene scene;

	scene_open(&scene, true);
	(void)add_client(&scene);
	client_send(&scene.clients[0], "\n" FRONT_PING); /* a line feed decides nothing there */
	client_expect(&scene.clients[0], FRONT_PONG);
	scene_close(&scene);
}
END_TEST

START_TEST(one_user_has_so_many_connections_and_no_more)
{
	struct scene scene;

	scene_open(&scene, false);
	scene.rig.config->connections_per_uid = 2;
	(void)add_served(&scene);
	(void)add_served(&scene);
	(void)add_client(&scene);
	client_expect(&scene.clients[2], "{\"error\":\"org.asockd.Connector.LimitExceeded\","
					 "\"parameters\":{\"limit\":\"ConnectionsPerUid\"}}");
	client_expect_end(&scene.clients[2]);
	ck_assert_uint_eq(quota_get_total(scene.rig.env.request.quota, QUOTA_CONNECTIONS), 2);
	client_close(&scene.clients[0]);
	while (quota_get_total(scene.rig.env.request.quota, QUOTA_CONNECTIONS) > 1)
		ck_assert_int_eq(event_base_loop(scene.rig.base, EVLOOP_ONCE), 0);
	(void)add_served(&scene);
	scene_close(&scene);
}
END_TEST

START_TEST(who_manages_the_daemon_gets_in_when_it_is_full)
{
	const uid_t other = geteuid() + 1;
	struct scene scene;

	scene_open(&scene, true);
	scene.rig.config->connections = 1;
	scene.rig.config->connections_per_uid = 1;
	/* The public socket's. */
	ck_assert_int_eq(quota_charge(scene.rig.env.request.quota, other, QUOTA_CONNECTIONS, 1), 0);
	(void)add_served(&scene);
	(void)add_served(&scene);
	quota_discharge(scene.rig.env.request.quota, other, QUOTA_CONNECTIONS);
	scene_close(&scene);
}
END_TEST

START_TEST(there_are_so_many_connections_and_no_more)
{
	struct scene scene;

	scene_open(&scene, false);
	scene.rig.config->connections = 1;
	(void)add_served(&scene);
	(void)add_client(&scene);
	client_send(&scene.clients[1], FRONT_PING);
	client_expect(&scene.clients[1], "{\"error\":\"org.asockd.Connector.LimitExceeded\","
					 "\"parameters\":{\"limit\":\"Connections\"}}");
	client_send(&scene.clients[0], FRONT_PING);
	client_expect(&scene.clients[0], FRONT_PONG);
	scene_close(&scene);
}
END_TEST

START_TEST(a_stopped_listener_goes_on_with_its_sessions)
{
	struct scene scene;

	scene_open(&scene, false);
	(void)add_served(&scene);
	listener_stop(scene.listener);
	ck_assert_int_eq(try_connect(scene.path), -ECONNREFUSED);
	client_send(&scene.clients[0], FRONT_PING);
	client_expect(&scene.clients[0], FRONT_PONG);
	listener_stop(scene.listener);
	scene_close(&scene);
}
END_TEST

/* The number that the next descriptor will have. */
static int get_next_fd(void)
{
	CLEANUP(fd_closep) int fd = fcntl(0, F_DUPFD_CLOEXEC, 0);

	return fd;
}

START_TEST(without_descriptors_it_rests_and_recovers)
{
	struct scene scene;
	struct rlimit limit, before;
	uint64_t until_us;
	size_t n_turns = 0;

	if (!suite_has(!getenv("UNDER_VALGRIND"), "a limit that valgrind does not keep"))
		return;
	scene_open(&scene, false);
	(void)add_served(&scene);
	(void)add_client(&scene);
	client_send(&scene.clients[1], FRONT_PING);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit = before;
	limit.rlim_cur = (rlim_t)get_next_fd();
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_int_eq(get_next_fd(), -1); /* the limit holds */
	until_us = clock_now_us() + 2 * LIMIT_ACCEPT_PAUSE_USEC + LIMIT_ACCEPT_PAUSE_USEC / 2;
	while (clock_now_us() < until_us) {
		ck_assert_int_eq(event_base_loop(scene.rig.base, EVLOOP_ONCE), 0);
		n_turns++;
	}
	ck_assert_uint_lt(n_turns, 10);
	client_send(&scene.clients[0], FRONT_PING); /* who is in is served */
	client_expect(&scene.clients[0], FRONT_PONG);
	ck_assert(!client_poll(&scene.clients[1]));
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	client_expect(&scene.clients[1], FRONT_PONG);
	scene_close(&scene);
}
END_TEST

START_TEST(many_at_once_are_all_served)
{
	struct scene scene;
	int fds[3 * LIMIT_ACCEPTS_PER_TURN];

	scene_open(&scene, false);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = try_connect(scene.path);
		ck_assert_int_ge(fds[i], 0);
	}
	for (size_t n = 0, turn = 0; n < ARRAY_LEN(fds); turn++) {
		size_t n_now;

		ck_assert_int_eq(event_base_loop(scene.rig.base, EVLOOP_ONCE), 0);
		n_now = quota_get_total(scene.rig.env.request.quota, QUOTA_CONNECTIONS);
		ck_assert_uint_le(n_now - n, LIMIT_ACCEPTS_PER_TURN);
		n = n_now;
	}
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		(void)close_fd(fds[i]);
	scene_close(&scene);
}
END_TEST

START_TEST(a_bad_listening_descriptor_is_closed_and_told)
{
	const struct listener_params params = { 0 };
	struct listener *listener = NULL;
	struct front_rig rig;

	front_rig_open(&rig);
	ck_assert_int_eq(listener_new(&listener, -1, &params, &rig.env), -EBADF);
	ck_assert_ptr_null(listener);
	front_rig_close(&rig);
}
END_TEST

SUITE_MAIN("listener", a_bound_socket_has_its_mode_whatever_the_umask, a_dead_socket_is_replaced,
	   a_live_socket_is_left_alone, a_live_socket_with_a_full_backlog_is_left_alone,
	   what_is_no_socket_is_left_alone, paths_that_cannot_be_are_refused,
	   the_longest_path_there_is_can_be_bound, a_bind_that_fails_half_way_leaves_nothing_behind,
	   clients_are_accepted_and_served, a_control_listener_has_control_sessions,
	   one_user_has_so_many_connections_and_no_more,
	   who_manages_the_daemon_gets_in_when_it_is_full,
	   there_are_so_many_connections_and_no_more, a_stopped_listener_goes_on_with_its_sessions,
	   without_descriptors_it_rests_and_recovers, many_at_once_are_all_served,
	   a_bad_listening_descriptor_is_closed_and_told)
