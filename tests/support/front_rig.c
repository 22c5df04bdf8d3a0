/* SPDX-License-Identifier: MIT */
#include "tests/support/front_rig.h"

#include <check.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/front/closer.h"
#include "daemon/policy/quota.h"
#include "protocol/frame.h"
#include "tests/support/dns_server.h"
#include "tests/support/suite.h"

static struct event_base *make_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base;

	ck_assert_ptr_nonnull(config);
	ck_assert_int_eq(
		event_config_require_features(config, EV_FEATURE_ET | EV_FEATURE_EARLY_CLOSE), 0);
	ck_assert_int_eq(event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK |
							       EVENT_BASE_FLAG_PRECISE_TIMER),
			 0);
	base = event_base_new_with_config(config);
	event_config_free(config);
	ck_assert_ptr_nonnull(base);
	return base;
}

void front_rig_open(struct front_rig *rig)
{
	*rig = (struct front_rig){
		.base = make_base(),
		.files = {
			.hosts_file = suite_write_file("127.0.0.1 v4.test both.test three.test\n::1 v6.test both.test\n"
						      "127.0.0.2 three.test\n127.0.0.3 three.test\n"),
			.services_file = suite_write_file("http 80/tcp\n"),
			.resolv_conf = suite_write_file("options timeout:1\n"),
		},
	};
	ck_assert_int_eq(config_new(&rig->config), 0);
	rig->files.cache = (struct dns_cache_params){
		.max_bytes = rig->config->cache_bytes,
		.max_ttl_s = rig->config->cache_max_s,
		.max_negative_ttl_s = rig->config->cache_max_negative_s,
		.max_stale_s = rig->config->stale_max_s,
	};
	rig->env.request.base = rig->base;
	rig->env.request.config = rig->config;
	ck_assert_int_eq(resolver_new(&rig->env.request.resolver, &rig->files, rig->base), 0);
	ck_assert_int_eq(policy_new(&rig->env.request.policy), 0);
	ck_assert_int_eq(quota_new(&rig->env.request.quota), 0);
	ck_assert_int_eq(closer_new(&rig->env.closer), 0);
}

void front_rig_set_server(struct front_rig *rig, const struct endpoint *server)
{
	const struct name_servers group = dns_server_group(server, 1);

	rig->files.groups = &group;
	rig->files.n_groups = 1;
	ck_assert_int_eq(resolver_configure(rig->env.request.resolver, &rig->files), 0);
	rig->files.groups = NULL;
	rig->files.n_groups = 0;
}

void front_rig_close(struct front_rig *rig)
{
	ck_assert_uint_eq(quota_get_total(rig->env.request.quota, QUOTA_DESCRIPTORS), 0);
	ck_assert(LIST_EMPTY(&rig->env.unread_by));
	ck_assert_uint_eq(quota_get_total(rig->env.request.quota, QUOTA_ATTEMPTS), 0);
	ck_assert_uint_eq(quota_get_total(rig->env.request.quota, QUOTA_CONNECTIONS), 0);
	ck_assert_uint_eq(quota_get_total(rig->env.request.quota, QUOTA_CALLS), 0);
	closer_free(rig->env.closer);
	quota_free(rig->env.request.quota);
	policy_free(rig->env.request.policy);
	resolver_free(rig->env.request.resolver);
	config_free(rig->config);
	event_base_free(rig->base);
}

void front_rig_set_rules(struct front_rig *rig, const char *text)
{
	CLEANUP(config_freep) struct config *config = NULL;
	struct ini_error error = { 0 };

	ck_assert_int_eq(config_new(&config), 0);
	ck_assert_msg(config_read_text(config, text, strlen(text), "rules", &error) == 0, "%s",
		      error.text);
	policy_adopt_rules(rig->env.request.policy, &config->rules);
}

void client_init(struct client *client, struct event_base *base, int fd)
{
	*client = (struct client){ .base = base, .fd = fd, .data = malloc(CLIENT_BYTES) };
	ck_assert_ptr_nonnull(client->data);
}

void client_close(struct client *client)
{
	client->fd = close_fd(client->fd);
}

void client_done(struct client *client)
{
	client_close(client);
	for (size_t i = 0; i < client->n_fds; i++)
		(void)close_fd(client->fds[i]);
	free(client->data);
	*client = (struct client){ .fd = -1 };
}

void client_send_bytes(struct client *client, const char *bytes, size_t len)
{
	ck_assert_int_eq(frame_send(client->fd, bytes, len, -1), (ssize_t)len);
}

void client_send_fd(struct client *client, const char *text, int fd)
{
	CLEANUP(freep) char *bytes = strdup(text);
	size_t len = strlen(text);

	ck_assert_ptr_nonnull(bytes);
	bytes[len] = client->terminator;
	ck_assert_int_eq(frame_send(client->fd, bytes, len + 1, fd), (ssize_t)len + 1);
}

void client_send(struct client *client, const char *text)
{
	client_send_fd(client, text, -1);
}

void client_send_connect(struct client *client, const char *host, const struct endpoint *endpoint,
			 const char *extra)
{
	char text[1024];

	(void)snprintf(
		text, sizeof(text),
		"{\"method\":\"org.asockd.Connector.Connect\",\"parameters\":{\"host\":\"%s\",\"service\":\"%u\"%s}}",
		host, endpoint->port, extra);
	client_send(client, text);
}

static void keep_fds(struct client *client, struct msghdr *message, bool is_first_byte)
{
	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header;
	     header = CMSG_NXTHDR(message, header)) {
		ck_assert(header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS);
		for (size_t i = 0; i < (header->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			ck_assert_uint_lt(client->n_fds, CLIENT_MAX_FDS);
			memcpy(&client->fds[client->n_fds++], CMSG_DATA(header) + i * sizeof(int),
			       sizeof(int));
			client->n_late_fds += !is_first_byte;
		}
	}
}

/* Of each message the first byte alone, so that what comes with it is seen. */
static void receive(struct client *client)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(4 * sizeof(int))];
	} control;
	bool is_first_byte = client->len == client->start;
	struct iovec iov = { .iov_base = client->data + client->len,
			     .iov_len = is_first_byte ? 1 : CLIENT_BYTES - client->len };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = control.space,
				  .msg_controllen = sizeof(control.space) };
	ssize_t n = recvmsg(client->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		client->has_ended = true;
		return;
	}
	ck_assert(!(message.msg_flags & MSG_CTRUNC));
	keep_fds(client, &message, is_first_byte);
	client->len += (size_t)n;
}

static bool has_message(const struct client *client)
{
	return memchr(client->data + client->start, client->terminator,
		      client->len - client->start);
}

bool client_poll(struct client *client)
{
	size_t len;

	do {
		len = client->len;
		receive(client);
	} while (client->len > len);
	return has_message(client);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	*(bool *)arg = true;
}

const char *client_read(struct client *client)
{
	bool is_readable = false;
	struct event *event =
		event_new(client->base, client->fd, EV_READ, on_readable, &is_readable);

	ck_assert_ptr_nonnull(event);
	client->len -= client->start;
	memmove(client->data, client->data + client->start, client->len);
	client->start = 0;
	while (!has_message(client) && !client->has_ended) {
		is_readable = false;
		ck_assert_int_eq(event_add(event, NULL), 0);
		suite_loop(client->base, &is_readable);
		receive(client);
	}
	event_free(event);
	if (!has_message(client))
		return NULL;
	while (client->data[client->start] != client->terminator)
		client->start++;
	client->data[client->start++] = '\0';
	return client->data;
}

void client_expect(struct client *client, const char *message)
{
	const char *got = client_read(client);

	ck_assert_ptr_nonnull(got);
	ck_assert_str_eq(got, message);
}

void client_expect_part(struct client *client, const char *part)
{
	const char *got = client_read(client);

	ck_assert_ptr_nonnull(got);
	ck_assert_msg(strstr(got, part), "%s is not in %s", part, got);
}

void client_expect_end(struct client *client)
{
	const char *got = client_read(client);

	ck_assert_msg(!got, "%s", got);
	ck_assert_uint_eq(client->len, client->start);
}

int client_take_fd(struct client *client)
{
	int fd;

	if (client->n_fds == 0)
		return -1;
	fd = client->fds[0];
	client->n_fds--;
	memmove(client->fds, client->fds + 1, client->n_fds * sizeof(int));
	return fd;
}

static void on_done(struct session *session, void *arg)
{
	struct conn *conn = arg;

	ck_assert(!conn->done && session == conn->session);
	conn->done = true;
	conn->session = session_free(session);
}

void conn_open(struct conn *conn, struct front_rig *rig, const struct session_params *params)
{
	static const struct session_params none = { 0 };
	int pair[2];

	*conn = (struct conn){ 0 };
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
			 0);
	conn->socket = pair[0];
	ck_assert_int_eq(session_new(&conn->session, pair[0], params ? params : &none, &rig->env),
			 0);
	client_init(&conn->client, rig->base, pair[1]);
	ck_assert_int_eq(session_start(conn->session, on_done, conn), 0);
}

void conn_close(struct conn *conn)
{
	conn->session = session_free(conn->session);
	client_done(&conn->client);
}

void conn_expect_end(struct conn *conn, struct front_rig *rig)
{
	if (!conn->done)
		suite_loop(rig->base, &conn->done);
}
