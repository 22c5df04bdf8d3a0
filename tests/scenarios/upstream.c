/* SPDX-License-Identifier: MIT */
/*
 * A scripted name server on several addresses, exact to some tens of microseconds, whose behaviour is changed while it
 * runs: what tests of time need. It stands for recursive resolvers, good, slow, broken and forged; nsd.py has a real one.
 *
 *	upstream PORT ADDRESS…
 *
 * PORT 0: one that is free on every address, UDP and TCP. It prints "ready PORT", then reads commands, one a line, and
 * answers each with "ok" or "error"; SERVER is the place of an address, from 0:
 *
 *	manner SERVER KEY=NUMBER…        the keys of upstream_reply.h
 *	reset SERVER                     back to an answer after 5 ms
 *	rule NAME TYPE KEY=VALUE…        a rule before all others: an=COUNT:HEX ns= ar= options=HEX rcode= flags= server=
 *	                                 udp-only=, and the keys of manner
 *	clear                            no rules
 *	close SERVER udp|tcp, open …     the port
 *	log                              each question since the last time, then "ok":
 *	                                 MICROSECONDS SERVER udp|tcp SOURCE-PORT ID TYPE EDNS-SIZE|- COOKIE|- NAME
 *
 * Times are those of the monotonic clock. The end of its input ends it. upstream.py speaks to it.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/timerfd.h>
#include <time.h>

#include "protocol/address.h"
#include "protocol/text.h"
#include "tests/scenarios/upstream_reply.h"

#define MAX_SERVERS	   16
#define MAX_CONNECTIONS	   512
#define MAX_JOBS	   65536
#define PORT_TRIES	   100
#define DATAGRAMS_A_TURN   64
#define DEFAULT_DELAY_USEC 5000
#define COMMAND_BYTES	   (512 * 1024)
#define QUERY_BYTES	   4096
#define USEC_PER_SEC	   1000000

enum source_kind {
	SOURCE_COMMANDS,
	SOURCE_TIMER,
	SOURCE_UDP,
	SOURCE_LISTENER,
	SOURCE_CONNECTION
};

/* Something that epoll watches; first in the struct that it is of. */
struct source {
	enum source_kind kind;
	struct server *server;
};

struct server {
	struct source udp_source, tcp_source;
	size_t place;
	struct endpoint endpoint;
	int udp, tcp; /* owned; -1: closed */
	int alien;    /* owned; another port of the same address */
	struct upstream_manner manner;
};

struct connection {
	struct source source;
	LIST_ENTRY(connection) entry;
	int fd; /* owned */
	uint16_t port;
	uint8_t in[2 + QUERY_BYTES];
	size_t in_len;
	uint8_t *out; /* owned */
	size_t out_len;
	uint64_t trickle_us; /* 0: all at once */
	bool close_after;
	struct job *held; /* owned; answers that wait for others, the last first */
	size_t n_held;
};

/* Something to do later. */
struct job {
	TAILQ_ENTRY(job) entry;
	struct job *next_held;
	uint64_t when_us;
	struct server *server;
	struct connection *connection; /* NULL: a datagram */
	struct sockaddr_storage client;
	socklen_t client_len;
	bool trickle; /* the next byte of the connection, and no message */
	uint64_t hold, trickle_us, close_kind, announce;
	size_t len;
	uint8_t bytes[];
};

TAILQ_HEAD(job_list, job);
LIST_HEAD(connection_list, connection);

static struct server servers[MAX_SERVERS];
static size_t n_servers;
static struct upstream_rule *rules;
static struct job_list jobs = TAILQ_HEAD_INITIALIZER(jobs);
static struct connection_list connections = LIST_HEAD_INITIALIZER(connections);
static size_t n_jobs, n_connections;
static char *log_text; /* through log_stream */
static size_t log_len;
static FILE *log_stream;
static int epoll_fd = -1;
static int timer_fd = -1;
static uint64_t luck = 1;
static struct upstream_message message;

static void die(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static uint64_t now_us(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_MONOTONIC, &now) < 0)
		die("clock_gettime");
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000;
}

static void watch(int fd, struct source *source, uint32_t events, int operation)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	if (epoll_ctl(epoll_fd, operation, fd, &event) < 0)
		die("epoll_ctl");
}

/* The same series in each run. */
static bool is_lost(uint64_t percent)
{
	luck = luck * 6364136223846793005U + 1442695040888963407U;
	return luck >> 33 < percent * (UINT64_C(1) << 31) / 100;
}

static void open_log(void)
{
	if (log_stream)
		(void)fclose(log_stream);
	free(log_text);
	log_text = NULL;
	log_stream = open_memstream(&log_text, &log_len);
	if (!log_stream)
		die("open_memstream");
}

static void log_query(const struct server *server, const struct upstream_query *query, bool tcp,
		      uint16_t port, uint64_t when_us)
{
	(void)fprintf(log_stream, "%llu %zu %s %u %u %u ", (unsigned long long)when_us,
		      server->place, tcp ? "tcp" : "udp", port, query->id, query->type);
	if (query->edns)
		(void)fprintf(log_stream, "%u ", query->edns_size);
	else
		(void)fputs("- ", log_stream);
	for (size_t i = 0; i < query->cookie_len; i++)
		(void)fprintf(log_stream, "%02x", query->cookie[i]);
	(void)fprintf(log_stream, "%s %s\n", query->cookie_len > 0 ? "" : "-", query->name);
}

/* Jobs */

static void arm_timer(void)
{
	struct itimerspec when = { 0 };
	struct job *first = TAILQ_FIRST(&jobs);

	if (first) {
		when.it_value.tv_sec = (time_t)(first->when_us / USEC_PER_SEC);
		when.it_value.tv_nsec = (long)(first->when_us % USEC_PER_SEC * 1000);
	}
	if (timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, NULL) < 0)
		die("timerfd_settime");
}

static void add_job(struct job *job)
{
	struct job *before = TAILQ_LAST(&jobs, job_list);

	while (before && before->when_us > job->when_us)
		before = TAILQ_PREV(before, job_list, entry);
	if (before)
		TAILQ_INSERT_AFTER(&jobs, before, job, entry);
	else
		TAILQ_INSERT_HEAD(&jobs, job, entry);
	n_jobs++;
	arm_timer();
}

static struct job *new_job(struct server *server, const uint8_t *bytes, size_t len)
{
	struct job *job;

	if (n_jobs >= MAX_JOBS)
		return NULL;
	job = calloc(1, sizeof(*job) + len);
	if (!job)
		die("calloc");
	job->server = server;
	job->len = len;
	if (len > 0)
		memcpy(job->bytes, bytes, len);
	return job;
}

/* Connections */

static void close_connection(struct connection *connection)
{
	struct job *next;

	for (struct job *job = TAILQ_FIRST(&jobs); job; job = next) {
		next = TAILQ_NEXT(job, entry);
		if (job->connection != connection)
			continue;
		TAILQ_REMOVE(&jobs, job, entry);
		n_jobs--;
		free(job);
	}
	for (struct job *job = connection->held; job; job = next) {
		next = job->next_held;
		free(job);
	}
	LIST_REMOVE(connection, entry);
	n_connections--;
	(void)close_fd(connection->fd);
	free(connection->out);
	free(connection);
}

static void plan_trickle(struct connection *connection)
{
	struct job *job = new_job(connection->source.server, NULL, 0);

	if (!job)
		return;
	job->connection = connection;
	job->trickle = true;
	job->when_us = now_us() + connection->trickle_us;
	add_job(job);
}

/* Sends what there is, or one byte of it; false: the connection is gone. */
static bool flush_connection(struct connection *connection)
{
	bool trickle = connection->trickle_us > 0;

	while (connection->out_len > 0) {
		ssize_t n = send(connection->fd, connection->out, trickle ? 1 : connection->out_len,
				 MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN) {
			watch(connection->fd, &connection->source, EPOLLIN | EPOLLOUT,
			      EPOLL_CTL_MOD);
			return true;
		}
		if (n < 0) {
			close_connection(connection);
			return false;
		}
		connection->out_len -= (size_t)n;
		memmove(connection->out, connection->out + n, connection->out_len);
		if (trickle && connection->out_len > 0) {
			plan_trickle(connection);
			return true;
		}
	}
	watch(connection->fd, &connection->source, EPOLLIN, EPOLL_CTL_MOD);
	if (connection->close_after) {
		close_connection(connection);
		return false;
	}
	return true;
}

static void queue_output(struct connection *connection, const void *bytes, size_t len)
{
	uint8_t *grown = realloc(connection->out, connection->out_len + len);

	if (!grown)
		die("realloc");
	memcpy(grown + connection->out_len, bytes, len);
	connection->out = grown;
	connection->out_len += len;
}

static void queue_message(struct connection *connection, const uint8_t *bytes, size_t len,
			  uint64_t announce)
{
	uint8_t prefix[2] = { (uint8_t)(announce >> 8), (uint8_t)announce };

	queue_output(connection, prefix, sizeof(prefix));
	if (len > 0)
		queue_output(connection, bytes, len);
}

static void send_stream_answer(struct connection *connection, const struct job *job)
{
	bool idle = connection->out_len == 0;

	if (job->close_kind == 1) {
		close_connection(connection);
		return;
	}
	connection->close_after = job->close_kind == 2;
	connection->trickle_us = job->trickle_us;
	queue_message(connection, job->bytes, job->len,
		      job->announce > 0 ? job->announce : job->len);
	if (idle)
		(void)flush_connection(connection);
}

/* Takes the job over. */
static void hold_answer(struct connection *connection, struct job *job)
{
	job->next_held = connection->held;
	connection->held = job;
	connection->n_held++;
	if (connection->n_held < job->hold)
		return;
	for (job = connection->held; job; job = job->next_held)
		queue_message(connection, job->bytes, job->len, job->len);
	while (connection->held) {
		job = connection->held;
		connection->held = job->next_held;
		free(job);
	}
	connection->n_held = 0;
	(void)flush_connection(connection);
}

static void run_job(struct job *job)
{
	if (job->trickle) {
		(void)flush_connection(job->connection);
	} else if (job->connection && job->hold > 1) {
		hold_answer(job->connection, job);
		return;
	} else if (job->connection) {
		send_stream_answer(job->connection, job);
	} else if (job->server->udp >= 0) {
		(void)sendto(job->server->udp, job->bytes, job->len, 0,
			     (struct sockaddr *)&job->client, job->client_len);
	}
	free(job);
}

static void on_timeout(void)
{
	uint64_t expirations;

	if (read(timer_fd, &expirations, sizeof(expirations)) < 0 && errno != EAGAIN)
		die("timerfd");
	for (;;) {
		struct job *job = TAILQ_FIRST(&jobs);

		if (!job || job->when_us > now_us())
			break;
		TAILQ_REMOVE(&jobs, job, entry);
		n_jobs--;
		run_job(job);
	}
	arm_timer();
}

/* Questions */

static void send_forgeries(struct server *server, const struct upstream_query *query,
			   const struct upstream_manner *manner, struct connection *connection,
			   const struct sockaddr_storage *client, socklen_t client_len)
{
	uint64_t kinds = manner->values[connection ? UPSTREAM_FORGE_TCP : UPSTREAM_FORGE];
	uint64_t times = manner->values[UPSTREAM_FORGE_TIMES];

	for (unsigned int nth = 0; kinds != 0 && nth < (times > 0 ? times : 1); nth++) {
		for (unsigned int bit = 0; bit < UPSTREAM_N_FORGERIES; bit++) {
			int fd = 1U << bit == UPSTREAM_FORGE_PORT ? server->alien : server->udp;

			if ((kinds & 1U << bit) == 0)
				continue;
			upstream_reply_build_forgery(&message, query, 1U << bit, nth);
			if (connection)
				queue_message(connection, message.bytes, message.len, message.len);
			else
				(void)sendto(fd, message.bytes, message.len, 0,
					     (const struct sockaddr *)client, client_len);
		}
	}
}

static bool is_mute(const struct upstream_manner *manner, const struct upstream_query *query,
		    bool tcp)
{
	const uint64_t *values = manner->values;

	if (values[UPSTREAM_DROP_TYPE] == query->type)
		return true;
	if (tcp)
		return values[UPSTREAM_MUTE_TCP] != 0;
	return values[UPSTREAM_MUTE_UDP] != 0 || (values[UPSTREAM_DROP_EDNS] != 0 && query->edns) ||
	       is_lost(values[UPSTREAM_LOSS]);
}

static uint16_t port_of(const struct sockaddr_storage *client, socklen_t len)
{
	struct endpoint endpoint = { 0 };

	return endpoint_from_sockaddr((const struct sockaddr *)client, len, &endpoint) < 0
		       ? 0
		       : endpoint.port;
}

/* One question; with a connection it came over TCP. false: the connection is gone. */
static bool on_query(struct server *server, const uint8_t *bytes, size_t len,
		     struct connection *connection, const struct sockaddr_storage *client,
		     socklen_t client_len)
{
	uint64_t arrived_us = now_us();
	const struct upstream_rule *rule;
	struct upstream_manner manner = server->manner;
	struct upstream_query query;
	struct job *job;

	if (upstream_reply_parse_query(bytes, len, &query) < 0)
		return true;
	log_query(server, &query, connection != NULL,
		  connection ? connection->port : port_of(client, client_len), arrived_us);
	rule = upstream_reply_find_rule(rules, &query, server->place, connection != NULL);
	for (size_t i = 0; rule && i < UPSTREAM_N_MANNERS; i++)
		if (rule->manner.set & 1U << i)
			manner.values[i] = rule->manner.values[i];
	send_forgeries(server, &query, &manner, connection, client, client_len);
	if (connection && connection->out_len > 0 && !flush_connection(connection))
		return false;
	if (is_mute(&manner, &query, connection != NULL))
		return true;
	upstream_reply_build(&message, &query, rule, &manner, connection != NULL);
	job = new_job(server, message.bytes, message.len);
	if (!job)
		return true;
	job->when_us = arrived_us + manner.values[UPSTREAM_DELAY];
	job->connection = connection;
	job->hold = manner.values[UPSTREAM_HOLD];
	job->trickle_us = manner.values[UPSTREAM_TRICKLE];
	job->close_kind = manner.values[UPSTREAM_TCP_CLOSE];
	job->announce = manner.values[UPSTREAM_TCP_LENGTH];
	if (client) {
		job->client = *client;
		job->client_len = client_len;
	}
	add_job(job);
	return true;
}

static void on_datagrams(struct server *server)
{
	for (size_t i = 0; i < DATAGRAMS_A_TURN && server->udp >= 0; i++) {
		struct sockaddr_storage client;
		socklen_t client_len = sizeof(client);
		uint8_t bytes[QUERY_BYTES];
		ssize_t n = recvfrom(server->udp, bytes, sizeof(bytes), MSG_DONTWAIT,
				     (struct sockaddr *)&client, &client_len);

		if (n < 0)
			return;
		(void)on_query(server, bytes, (size_t)n, NULL, &client, client_len);
	}
}

static void on_connect(struct server *server)
{
	int nodelay = 1;
	struct sockaddr_storage client;
	socklen_t client_len = sizeof(client);
	struct connection *connection;
	int fd = accept4(server->tcp, (struct sockaddr *)&client, &client_len,
			 SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	connection = n_connections < MAX_CONNECTIONS ? calloc(1, sizeof(*connection)) : NULL;
	if (!connection) {
		(void)close_fd(fd);
		return;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, sizeof(nodelay));
	connection->source = (struct source){ SOURCE_CONNECTION, server };
	connection->fd = fd;
	connection->port = port_of(&client, client_len);
	LIST_INSERT_HEAD(&connections, connection, entry);
	n_connections++;
	watch(fd, &connection->source, EPOLLIN, EPOLL_CTL_ADD);
}

static void on_stream(struct connection *connection)
{
	ssize_t n = recv(connection->fd, connection->in + connection->in_len,
			 sizeof(connection->in) - connection->in_len, 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		close_connection(connection);
		return;
	}
	connection->in_len += (size_t)n;
	while (connection->in_len >= 2) {
		size_t len = (size_t)(connection->in[0] << 8 | connection->in[1]);

		if (len > QUERY_BYTES) {
			close_connection(connection);
			return;
		}
		if (connection->in_len < 2 + len)
			return;
		if (!on_query(connection->source.server, connection->in + 2, len, connection, NULL,
			      0))
			return;
		connection->in_len -= 2 + len;
		memmove(connection->in, connection->in + 2 + len, connection->in_len);
	}
}

/* Servers */

static int bind_socket(const struct endpoint *endpoint, int type, int *ret)
{
	CLEANUP(fd_closep) int fd = -1;
	struct sockaddr_storage sockaddr;
	socklen_t len;
	int one = 1;
	int r = endpoint_to_sockaddr(endpoint, &sockaddr, &len);

	if (r < 0)
		return r;
	fd = socket(endpoint->address.family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket");
	if (type == SOCK_STREAM && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
		die("SO_REUSEADDR");
	if (bind(fd, (struct sockaddr *)&sockaddr, len) < 0 ||
	    (type == SOCK_STREAM && listen(fd, SOMAXCONN) < 0))
		return -errno;
	*ret = take_fd(&fd);
	return 0;
}

static void close_port(struct server *server, bool tcp)
{
	int *fd = tcp ? &server->tcp : &server->udp;

	*fd = close_fd(*fd);
	for (struct connection *next, *connection = LIST_FIRST(&connections); tcp && connection;
	     connection = next) {
		next = LIST_NEXT(connection, entry);
		if (connection->source.server == server)
			close_connection(connection);
	}
}

static int open_port(struct server *server, bool tcp)
{
	int *fd = tcp ? &server->tcp : &server->udp;
	int r;

	if (*fd >= 0)
		return 0;
	r = bind_socket(&server->endpoint, tcp ? SOCK_STREAM : SOCK_DGRAM, fd);
	if (r < 0)
		return r;
	watch(*fd, tcp ? &server->tcp_source : &server->udp_source, EPOLLIN, EPOLL_CTL_ADD);
	return 0;
}

static uint16_t find_free_port(const struct endpoint *endpoint)
{
	struct sockaddr_storage sockaddr;
	socklen_t len = sizeof(sockaddr);
	CLEANUP(fd_closep) int fd = -1;
	int r = bind_socket(endpoint, SOCK_DGRAM, &fd);

	if (r < 0 || getsockname(fd, (struct sockaddr *)&sockaddr, &len) < 0)
		die("bind");
	return port_of(&sockaddr, len);
}

static int open_servers(uint16_t port)
{
	for (size_t i = 0; i < n_servers; i++) {
		int r;

		servers[i].endpoint.port = port;
		r = open_port(&servers[i], false);
		if (r == 0)
			r = open_port(&servers[i], true);
		if (r == 0)
			continue;
		for (size_t j = 0; j <= i; j++) {
			close_port(&servers[j], false);
			close_port(&servers[j], true);
		}
		return r;
	}
	return 0;
}

static uint16_t start_servers(uint16_t port)
{
	int r = -EADDRINUSE;

	if (port != 0) {
		r = open_servers(port);
	} else {
		for (size_t i = 0; i < PORT_TRIES && r == -EADDRINUSE; i++) {
			port = find_free_port(&servers[0].endpoint);
			r = open_servers(port);
		}
	}
	if (r < 0) {
		errno = -r;
		die("bind");
	}
	return port;
}

static int add_server(const char *text)
{
	struct server *server = &servers[n_servers];

	if (n_servers == MAX_SERVERS || address_parse(text, &server->endpoint.address) < 0)
		return -EINVAL;
	server->place = n_servers++;
	server->udp_source = (struct source){ SOURCE_UDP, server };
	server->tcp_source = (struct source){ SOURCE_LISTENER, server };
	server->udp = server->tcp = -1;
	server->manner.values[UPSTREAM_DELAY] = DEFAULT_DELAY_USEC;
	return bind_socket(&server->endpoint, SOCK_DGRAM, &server->alien);
}

/* Commands */

static struct server *take_server(char **text)
{
	char *word = text_next_word(text);
	uint64_t place;

	if (!word || n_servers == 0 || text_parse_uint(word, n_servers - 1, &place) < 0)
		return NULL;
	return &servers[place];
}

static int command_manner(char *text)
{
	struct server *server = take_server(&text);
	struct upstream_manner manner;

	if (!server)
		return -EINVAL;
	manner = server->manner;
	for (char *word = text_next_word(&text); word; word = text_next_word(&text)) {
		int r = upstream_reply_parse_manner(word, &manner);

		if (r < 0)
			return r;
	}
	server->manner = manner;
	return 0;
}

static int command_reset(char *text)
{
	struct server *server = take_server(&text);

	if (!server)
		return -EINVAL;
	server->manner = (struct upstream_manner){ .values[UPSTREAM_DELAY] = DEFAULT_DELAY_USEC };
	return 0;
}

static int command_rule(char *text)
{
	struct upstream_rule *rule;
	int r = upstream_reply_parse_rule(text, &rule);

	if (r < 0)
		return r;
	rule->next = rules;
	rules = rule;
	return 0;
}

static int command_clear(char *text)
{
	(void)text;
	upstream_reply_free_rules(rules);
	rules = NULL;
	return 0;
}

static int change_port(char *text, bool open)
{
	struct server *server = take_server(&text);
	char *transport = text_next_word(&text);
	bool tcp;

	if (!server || !transport)
		return -EINVAL;
	tcp = strcmp(transport, "tcp") == 0;
	if (!tcp && strcmp(transport, "udp") != 0)
		return -EINVAL;
	if (open)
		return open_port(server, tcp);
	close_port(server, tcp);
	return 0;
}

static int command_close(char *text)
{
	return change_port(text, false);
}

static int command_open(char *text)
{
	return change_port(text, true);
}

static int command_log(char *text)
{
	(void)text;
	(void)fflush(log_stream);
	(void)fwrite(log_text, 1, log_len, stdout);
	open_log();
	return 0;
}

static void run_command(char *text)
{
	static const struct {
		const char *name;
		int (*run)(char *text);
	} commands[] = {
		{ "manner", command_manner }, { "reset", command_reset }, { "rule", command_rule },
		{ "clear", command_clear },   { "close", command_close }, { "open", command_open },
		{ "log", command_log },
	};
	char *name = text_next_word(&text);
	int r = -EINVAL;

	for (size_t i = 0; name && i < ARRAY_LEN(commands); i++)
		if (strcmp(name, commands[i].name) == 0)
			r = commands[i].run(text);
	(void)puts(r < 0 ? "error" : "ok");
	(void)fflush(stdout);
}

static void on_commands(void)
{
	static char buffer[COMMAND_BYTES];
	static size_t len;
	ssize_t n = read(STDIN_FILENO, buffer + len, sizeof(buffer) - len);
	char *end;

	if (n <= 0)
		exit(EXIT_SUCCESS);
	len += (size_t)n;
	for (end = memchr(buffer, '\n', len); end; end = memchr(buffer, '\n', len)) {
		*end = '\0';
		run_command(buffer);
		len -= (size_t)(end + 1 - buffer);
		memmove(buffer, end + 1, len);
	}
}

static void on_event(struct source *source, uint32_t events)
{
	struct connection *connection = (struct connection *)source;

	switch (source->kind) {
	case SOURCE_COMMANDS:
		on_commands();
		break;
	case SOURCE_TIMER:
		on_timeout();
		break;
	case SOURCE_UDP:
		on_datagrams(source->server);
		break;
	case SOURCE_LISTENER:
		on_connect(source->server);
		break;
	case SOURCE_CONNECTION:
		if ((events & EPOLLOUT) && !flush_connection(connection))
			return;
		if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
			on_stream(connection);
		break;
	}
}

int main(int argc, char **argv)
{
	static struct source command_source = { SOURCE_COMMANDS, NULL };
	static struct source timer_source = { SOURCE_TIMER, NULL };
	uint64_t port;

	if (argc < 3 || text_parse_uint(argv[1], UINT16_MAX, &port) < 0)
		return 2;
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (epoll_fd < 0 || timer_fd < 0)
		die("epoll");
	for (int i = 2; i < argc; i++)
		if (add_server(argv[i]) < 0)
			return 2;
	port = start_servers((uint16_t)port);
	open_log();
	watch(STDIN_FILENO, &command_source, EPOLLIN, EPOLL_CTL_ADD);
	watch(timer_fd, &timer_source, EPOLLIN, EPOLL_CTL_ADD);
	(void)printf("ready %llu\n", (unsigned long long)port);
	(void)fflush(stdout);
	for (;;) {
		struct epoll_event event;

		if (epoll_wait(epoll_fd, &event, 1, -1) == 1)
			on_event(event.data.ptr, event.events);
		else if (errno != EINTR)
			die("epoll_wait");
	}
}
