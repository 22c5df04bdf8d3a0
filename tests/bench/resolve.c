/* SPDX-License-Identifier: MIT */
/*
 * Asks for names, one way or another, and says how long it took. resolve.py, which starts the servers, has each way
 * measured in turn and compares them.
 *
 *	resolve echo SOCKET FILE    answers whatever comes over SOCKET with the bytes of FILE, one read and one write
 *	                            at a time: what a reply costs when nothing is done for it
 *	resolve load                reads commands, one a line, and answers each with a line that begins with "ok",
 *	                            or with "error"
 *
 * Both end when their input does. The commands:
 *
 *	request TEXT                what is sent over a stream; @ is the name
 *	expect TEXT                 what each reply over a stream has to have in it
 *	idle COUNT SOCKET           so many connections that say nothing
 *	run WAY CLIENTS CALLS MSEC WORD FIRST COUNT TARGET
 *	                            at most so many calls and so long; "ok CALLS NSEC P50 P99" in nanoseconds
 *
 * WAY: stream (TARGET is a socket's path), datagrams (a question for each family, to ADDRESS:PORT), ares (c-ares, in this
 * process, the same), getaddrinfo (threads, and whatever server resolv.conf has). Names are WORD, seven digits and
 * ".bench.test": by chance of the COUNT from FIRST; with COUNT 0 each once, upwards. CLIENTS wait for a reply each at any time.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "protocol/text.h"

#define MAX_CLIENTS   256
#define MAX_IDLE      4000
#define MAX_CALLS     1000000
#define MAX_EVENTS    64
#define NAME_BYTES    64
#define REQUEST_BYTES 512
#define REPLY_BYTES   65536
#define QUERY_BYTES   (12 + NAME_BYTES + 2 + 4)
#define NSEC_PER_MSEC 1000000
#define DNS_TYPE_A    1
#define DNS_TYPE_AAAA 28
#define DNS_RD	      0x01
#define DNS_RCODE     0x0f

struct run {
	const char *way, *target;
	unsigned int clients, max_calls, msec, first, count;
	const char *word;
	uint64_t end_ns;
};

struct client {
	int fd; /* owned */
	unsigned int number;
	uint64_t begin_ns;
	size_t len; /* of the reply so far */
	unsigned int answers;
};

static struct run run;
static struct client clients[MAX_CLIENTS];
static int idle_fds[MAX_IDLE];
static size_t n_idle;
static uint64_t times[MAX_CALLS];
static atomic_uint n_started, n_done;
static char request_head[REQUEST_BYTES], request_tail[REQUEST_BYTES], expected[NAME_BYTES];

static void die(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static void wrong(const char *what)
{
	(void)fprintf(stderr, "%s: %s\n", run.way, what);
	exit(EXIT_FAILURE);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_MONOTONIC, &now) < 0)
		die("clock_gettime");
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* False: no further call. */
static bool next_call(unsigned int *ret_number)
{
	unsigned int place = atomic_fetch_add(&n_started, 1);
	uint64_t hash;

	if (place >= run.max_calls || now_ns() >= run.end_ns) {
		(void)atomic_fetch_sub(&n_started, 1);
		return false;
	}
	/* As good as chance, and the same names in each round. */
	hash = (place + 1) * UINT64_C(0x9e3779b97f4a7c15);
	hash ^= hash >> 29;
	*ret_number = run.first + (run.count > 0 ? (unsigned int)(hash % run.count) : place);
	return true;
}

static void call_is_done(uint64_t begin_ns)
{
	times[atomic_fetch_add(&n_done, 1)] = now_ns() - begin_ns;
}

static int put_name(char *name, size_t size, unsigned int number)
{
	return snprintf(name, size, "%s%07u.bench.test", run.word, number);
}

/* ---- a unix stream ---- */

static int open_stream(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		wrong("the path is too long");
	memcpy(address.sun_path, path, strlen(path));
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die(path);
	return fd;
}

static void stream_send(struct client *client)
{
	char name[NAME_BYTES], text[3 * REQUEST_BYTES];
	int len;

	(void)put_name(name, sizeof(name), client->number);
	len = snprintf(text, sizeof(text), "%s%s%s", request_head, name, request_tail);
	if (send(client->fd, text, (size_t)len + 1, MSG_NOSIGNAL) != len + 1)
		die("send");
	client->len = 0;
}

static bool stream_receive(struct client *client)
{
	static char reply[MAX_CLIENTS][REPLY_BYTES];
	char *text = reply[client - clients];
	ssize_t n = recv(client->fd, text + client->len, REPLY_BYTES - client->len, 0);

	if (n <= 0)
		die("recv");
	client->len += (size_t)n;
	if (text[client->len - 1] != '\0')
		return false;
	if (!memmem(text, client->len, expected, strlen(expected)))
		wrong(text);
	return true;
}

/* ---- two datagrams ---- */

static void parse_target(struct sockaddr_in *ret_address)
{
	char text[NAME_BYTES];
	char *colon;
	uint64_t port = 0;

	(void)snprintf(text, sizeof(text), "%s", run.target);
	colon = strrchr(text, ':');
	if (!colon || text_parse_uint(colon + 1, UINT16_MAX, &port) < 0)
		wrong(run.target);
	*colon = '\0';
	*ret_address =
		(struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	if (inet_pton(AF_INET, text, &ret_address->sin_addr) != 1)
		wrong(run.target);
}

static int open_datagrams(void)
{
	struct sockaddr_in address;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	parse_target(&address);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die(run.target);
	return fd;
}

static size_t put_query(uint8_t *query, const char *name, uint16_t id, uint8_t type)
{
	uint8_t header[12] = { (uint8_t)(id >> 8), (uint8_t)id, DNS_RD, 0, 0, 1 };
	uint8_t *to = query + sizeof(header);

	memcpy(query, header, sizeof(header));
	while (*name) {
		size_t len = strcspn(name, ".");

		*to++ = (uint8_t)len;
		memcpy(to, name, len);
		to += len;
		name += len + (name[len] == '.');
	}
	memcpy(to, (uint8_t[]){ 0, 0, type, 0, 1 }, 5);
	return (size_t)(to + 5 - query);
}

/* The two ids differ in their last bit. */
static void datagrams_send(struct client *client)
{
	static const uint8_t types[] = { DNS_TYPE_A, DNS_TYPE_AAAA };
	char name[NAME_BYTES];
	uint8_t query[QUERY_BYTES];

	(void)put_name(name, sizeof(name), client->number);
	for (unsigned int i = 0; i < 2; i++) {
		uint16_t id = (uint16_t)(client->number << 1 | i);
		size_t len = put_query(query, name, id, types[i]);

		if (send(client->fd, query, len, 0) != (ssize_t)len)
			die("send");
	}
	client->answers = 0;
}

static bool datagrams_receive(struct client *client)
{
	uint8_t reply[4096];
	ssize_t n = recv(client->fd, reply, sizeof(reply), 0);

	if (n < 12)
		die("recv");
	if (reply[0] != (uint8_t)(client->number >> 7) ||
	    (reply[1] | 1) != (uint8_t)(client->number << 1 | 1) || reply[3] & DNS_RCODE ||
	    reply[7] == 0)
		wrong("another answer");
	client->answers++;
	return client->answers == 2;
}

/* ---- both ---- */

struct way {
	void (*send)(struct client *client);
	bool (*receive)(struct client *client);
};

static const struct way stream_way = { stream_send, stream_receive };
static const struct way datagrams_way = { datagrams_send, datagrams_receive };

static bool begin_call(const struct way *way, struct client *client)
{
	if (!next_call(&client->number))
		return false;
	client->begin_ns = now_ns();
	way->send(client);
	return true;
}

/* True as long as the client has a call. */
static bool go_on(const struct way *way, struct client *client)
{
	if (!way->receive(client))
		return true;
	call_is_done(client->begin_ns);
	return begin_call(way, client);
}

static void run_many(const struct way *way)
{
	struct epoll_event events[MAX_EVENTS];
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	unsigned int n_busy = 0;

	if (epoll < 0)
		die("epoll_create1");
	for (unsigned int i = 0; i < run.clients; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = &clients[i] };

		if (epoll_ctl(epoll, EPOLL_CTL_ADD, clients[i].fd, &event) < 0)
			die("epoll_ctl");
	}
	for (unsigned int i = 0; i < run.clients; i++)
		n_busy += begin_call(way, &clients[i]);
	while (n_busy > 0) {
		int n = epoll_wait(epoll, events, MAX_EVENTS, 10000);

		if (n <= 0)
			wrong("no answer in ten seconds");
		for (int i = 0; i < n; i++)
			n_busy -= !go_on(way, events[i].data.ptr);
	}
	(void)close(epoll);
}

/* A single client does not wait for anybody else: it reads. */
static void run_sockets(const struct way *way)
{
	struct timeval patience = { .tv_sec = 10 };

	for (unsigned int i = 0; i < run.clients; i++) {
		clients[i].fd = way == &stream_way ? open_stream(run.target) : open_datagrams();
		if (setsockopt(clients[i].fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
			       sizeof(patience)) < 0)
			die("SO_RCVTIMEO");
	}
	if (run.clients > 1) {
		run_many(way);
	} else if (begin_call(way, &clients[0])) {
		while (go_on(way, &clients[0]))
			continue;
	}
	for (unsigned int i = 0; i < run.clients; i++)
		(void)close(clients[i].fd);
}

/* ---- getaddrinfo ---- */

static void *call_getaddrinfo(void *arg)
{
	static const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	unsigned int number;

	(void)arg;
	while (next_call(&number)) {
		char name[NAME_BYTES];
		struct addrinfo *list = NULL;
		unsigned int families = 0;
		uint64_t begin_ns = now_ns();

		(void)put_name(name, sizeof(name), number);
		if (getaddrinfo(name, "443", &hints, &list) != 0)
			wrong("no addresses");
		call_is_done(begin_ns);
		for (struct addrinfo *each = list; each; each = each->ai_next)
			families |= each->ai_family == AF_INET ? 1 : 2;
		if (families != 3)
			wrong("not both families");
		freeaddrinfo(list);
	}
	return NULL;
}

static void run_threads(void)
{
	pthread_t threads[MAX_CLIENTS];

	for (unsigned int i = 0; i < run.clients; i++)
		if (pthread_create(&threads[i], NULL, call_getaddrinfo, NULL) != 0)
			die("pthread_create");
	for (unsigned int i = 0; i < run.clients; i++)
		(void)pthread_join(threads[i], NULL);
}

/* ---- c-ares, found at run time: what of its interface (1.16) is needed ---- */

struct ares_addrinfo;
typedef void ares_callback_fn(void *arg, int status, int timeouts, struct ares_addrinfo *result);

struct ares_hints {
	int flags, family, socktype, protocol;
};

static struct ares {
	int (*library_init)(int flags);
	const char *(*version)(int *ret_version);
	int (*init)(void **ret_channel);
	int (*set_servers)(void *channel, const char *servers);
	void (*getaddrinfo)(void *channel, const char *name, const char *service,
			    const struct ares_hints *hints, ares_callback_fn *done, void *arg);
	void (*freeaddrinfo)(struct ares_addrinfo *result);
	int (*fds)(void *channel, fd_set *reads, fd_set *writes);
	struct timeval *(*timeout)(void *channel, struct timeval *max, struct timeval *buffer);
	void (*process)(void *channel, fd_set *reads, fd_set *writes);
	void (*destroy)(void *channel);
} ares;

static const struct {
	const char *name;
	void **place;
} ares_functions[] = {
	{ "ares_library_init", (void **)&ares.library_init },
	{ "ares_version", (void **)&ares.version },
	{ "ares_init", (void **)&ares.init },
	{ "ares_set_servers_ports_csv", (void **)&ares.set_servers },
	{ "ares_getaddrinfo", (void **)&ares.getaddrinfo },
	{ "ares_freeaddrinfo", (void **)&ares.freeaddrinfo },
	{ "ares_fds", (void **)&ares.fds },
	{ "ares_timeout", (void **)&ares.timeout },
	{ "ares_process", (void **)&ares.process },
	{ "ares_destroy", (void **)&ares.destroy },
};

static bool load_ares(void)
{
	void *library = dlopen("libcares.so.2", RTLD_NOW);

	if (!library)
		return false;
	for (size_t i = 0; i < sizeof(ares_functions) / sizeof(ares_functions[0]); i++) {
		*ares_functions[i].place = dlsym(library, ares_functions[i].name);
		if (!*ares_functions[i].place)
			return false;
	}
	return ares.library_init(1) == 0;
}

static unsigned int n_ares;
static void *ares_channel;

static void ares_begin(struct client *client);

static void on_ares_done(void *arg, int status, int timeouts, struct ares_addrinfo *result)
{
	struct client *client = arg;

	(void)timeouts;
	if (status != 0 || !result)
		wrong("no addresses");
	call_is_done(client->begin_ns);
	ares.freeaddrinfo(result);
	n_ares--;
	ares_begin(client);
}

static void ares_begin(struct client *client)
{
	static const struct ares_hints hints = { .socktype = SOCK_STREAM };
	char name[NAME_BYTES];

	if (!next_call(&client->number))
		return;
	(void)put_name(name, sizeof(name), client->number);
	n_ares++;
	client->begin_ns = now_ns();
	ares.getaddrinfo(ares_channel, name, "443", &hints, on_ares_done, client);
}

static void run_ares(void)
{
	if (ares.init(&ares_channel) != 0 || ares.set_servers(ares_channel, run.target) != 0)
		wrong(run.target);
	for (unsigned int i = 0; i < run.clients; i++)
		ares_begin(&clients[i]);
	while (n_ares > 0) {
		struct timeval buffer;
		fd_set reads, writes;
		int n;

		FD_ZERO(&reads);
		FD_ZERO(&writes);
		n = ares.fds(ares_channel, &reads, &writes);
		if (select(n, &reads, &writes, NULL, ares.timeout(ares_channel, NULL, &buffer)) < 0)
			die("select");
		ares.process(ares_channel, &reads, &writes);
	}
	ares.destroy(ares_channel);
}

/* ---- commands ---- */

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

/* The next word of a command; "" behind the last one. */
static const char *next_word(char **rest)
{
	char *word = strsep(rest, " ");

	return word ? word : "";
}

static bool next_number(char **rest, uint64_t max, unsigned int *ret)
{
	uint64_t number;

	if (text_parse_uint(next_word(rest), max, &number) < 0)
		return false;
	*ret = (unsigned int)number;
	return true;
}

static bool read_run(char *text)
{
	bool good;

	run.way = next_word(&text);
	good = next_number(&text, MAX_CLIENTS, &run.clients) &&
	       next_number(&text, MAX_CALLS, &run.max_calls) &&
	       next_number(&text, UINT32_MAX, &run.msec);
	run.word = next_word(&text);
	good = good && next_number(&text, UINT32_MAX, &run.first) &&
	       next_number(&text, UINT32_MAX, &run.count);
	run.target = next_word(&text);
	return good && *run.target && run.clients > 0;
}

static void command_run(char *text)
{
	uint64_t begin_ns, end_ns;
	unsigned int n;

	if (!read_run(text)) {
		puts("error");
		return;
	}
	n_started = n_done = 0;
	begin_ns = now_ns();
	run.end_ns = begin_ns + (uint64_t)run.msec * NSEC_PER_MSEC;
	if (strcmp(run.way, "stream") == 0)
		run_sockets(&stream_way);
	else if (strcmp(run.way, "datagrams") == 0)
		run_sockets(&datagrams_way);
	else if (strcmp(run.way, "getaddrinfo") == 0)
		run_threads();
	else if (strcmp(run.way, "ares") == 0)
		run_ares();
	else
		wrong("no such way");
	end_ns = now_ns();
	n = n_done;
	if (n == 0)
		wrong("not one call");
	qsort(times, n, sizeof(times[0]), compare);
	printf("ok %u %llu %llu %llu\n", n, (unsigned long long)(end_ns - begin_ns),
	       (unsigned long long)times[n / 2], (unsigned long long)times[(uint64_t)n * 99 / 100]);
}

static void command_idle(char *text)
{
	unsigned int n;

	if (!next_number(&text, MAX_IDLE, &n)) {
		puts("error");
		return;
	}
	while (n_idle > n)
		(void)close(idle_fds[--n_idle]);
	while (n_idle < n)
		idle_fds[n_idle++] = open_stream(text);
	puts("ok");
}

static void command_request(char *text)
{
	char *name = strchr(text, '@');

	if (!name) {
		puts("error");
		return;
	}
	*name = '\0';
	(void)snprintf(request_head, sizeof(request_head), "%s", text);
	(void)snprintf(request_tail, sizeof(request_tail), "%s", name + 1);
	puts("ok");
}

static void command_expect(char *text)
{
	(void)snprintf(expected, sizeof(expected), "%s", text);
	puts("ok");
}

static void command_ares(char *text)
{
	(void)text;
	if (load_ares())
		printf("ok %s\n", ares.version(NULL));
	else
		puts("error");
}

static int load(void)
{
	static const struct {
		const char *word;
		void (*run)(char *text);
	} commands[] = {
		{ "run ", command_run },	 { "idle ", command_idle },
		{ "request ", command_request }, { "expect ", command_expect },
		{ "ares ", command_ares },
	};
	char line[REQUEST_BYTES];

	while (fgets(line, sizeof(line), stdin)) {
		size_t i, n = sizeof(commands) / sizeof(commands[0]);

		line[strcspn(line, "\n")] = '\0';
		for (i = 0; i < n && strncmp(line, commands[i].word, strlen(commands[i].word)) != 0;
		     i++)
			continue;
		if (i < n)
			commands[i].run(line + strlen(commands[i].word));
		else
			puts("error");
		(void)fflush(stdout);
	}
	return EXIT_SUCCESS;
}

/* ---- the echo ---- */

static char *echo_replies; /* as many as may be asked for in one read */
static size_t echo_len;

#define ECHO_REPLIES 64

static void read_reply(const char *path)
{
	char reply[REPLY_BYTES];
	FILE *file = fopen(path, "re");

	if (!file)
		die(path);
	echo_len = fread(reply, 1, sizeof(reply), file);
	(void)fclose(file);
	echo_replies = malloc(ECHO_REPLIES * echo_len);
	if (echo_len == 0 || !echo_replies)
		die(path);
	for (size_t i = 0; i < ECHO_REPLIES; i++)
		memcpy(echo_replies + i * echo_len, reply, echo_len);
}

static void echo_once(int fd)
{
	char text[8192];
	ssize_t n = recv(fd, text, sizeof(text), 0);
	size_t n_requests = 0;

	if (n <= 0) {
		(void)close(fd);
		return;
	}
	for (ssize_t i = 0; i < n; i++)
		n_requests += text[i] == '\0';
	if (n_requests > ECHO_REPLIES)
		n_requests = ECHO_REPLIES;
	if (send(fd, echo_replies, n_requests * echo_len, MSG_NOSIGNAL) < 0)
		die("send");
}

static int echo(const char *path, const char *file)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct epoll_event event = { .events = EPOLLIN }, events[MAX_EVENTS];
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	read_reply(file);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (epoll < 0 || listener < 0 ||
	    bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(listener, 128) < 0)
		die(path);
	event.data.fd = listener;
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) < 0)
		die("epoll_ctl");
	event.data.fd = STDIN_FILENO;
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event) < 0)
		die("epoll_ctl");
	puts("ready");
	(void)fflush(stdout);
	for (;;) {
		int n = epoll_wait(epoll, events, MAX_EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == STDIN_FILENO)
				return EXIT_SUCCESS;
			if (events[i].data.fd != listener) {
				echo_once(events[i].data.fd);
				continue;
			}
			event.data.fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
			if (event.data.fd < 0 ||
			    epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event) < 0)
				die("accept");
		}
	}
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "echo") == 0)
		return echo(argv[2], argv[3]);
	if (argc == 2 && strcmp(argv[1], "load") == 0)
		return load();
	(void)fprintf(stderr, "usage: resolve echo SOCKET FILE | resolve load\n");
	return EXIT_FAILURE;
}
