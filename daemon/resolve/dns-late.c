/* SPDX-License-Identifier: MIT */
#include "daemon/resolve/dns-late.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "daemon/base/clock.h"

#define LISTEN_US \
	(2 * USEC_PER_SEC) /* from the question; a server that takes longer is as good as dead */
#define TRIES_MAX 64	   /* sockets; when there are more, the oldest goes unheard */

struct straggler {
	TAILQ_ENTRY(straggler) entry;
	struct dns_late *late;
	struct dns_try *try;	   /* owned */
	struct dns_server *server; /* held */
	struct event *timer;	   /* owned */
	bool is_late;		   /* another server has answered its question */
};

struct dns_late {
	struct dns_servers *servers;
	struct event_base *base;
	TAILQ_HEAD(, straggler) stragglers; /* oldest first */
	size_t n;
};

int dns_late_new(struct dns_late **ret, struct dns_servers *servers, struct event_base *base)
{
	struct dns_late *late = calloc(1, sizeof(*late));

	if (!late)
		return -ENOMEM;
	late->servers = servers;
	late->base = base;
	TAILQ_INIT(&late->stragglers);
	*ret = late;
	return 0;
}

static void forget(struct straggler *straggler)
{
	struct dns_late *late = straggler->late;

	TAILQ_REMOVE(&late->stragglers, straggler, entry);
	late->n--;
	dns_try_free(straggler->try);
	dns_servers_on_overdue(straggler->server, -1);
	if (straggler->is_late)
		dns_servers_on_late(straggler->server, -1);
	dns_servers_release(late->servers, straggler->server);
	if (straggler->timer)
		event_free(straggler->timer);
	free(straggler);
}

struct dns_late *dns_late_free(struct dns_late *late)
{
	while (late && !TAILQ_EMPTY(&late->stragglers))
		forget(TAILQ_FIRST(&late->stragglers));
	free(late);
	return NULL;
}

static void on_answer(struct dns_try *try, int status, void *arg)
{
	(void)try;
	(void)status; /* the try has noted what it learnt */
	forget(arg);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct straggler *straggler = arg;

	(void)fd;
	(void)what;
	dns_servers_on_silence(straggler->server, clock_now_us());
	forget(straggler);
}

/* NULL: no memory; then what was to be listened to is dropped. */
static struct straggler *add(struct dns_late *late, struct dns_try *try, struct dns_server *server,
			     uint64_t started_us)
{
	struct straggler *straggler = calloc(1, sizeof(*straggler));
	uint64_t now_us = clock_now_us();
	struct timeval wait = clock_until(now_us, started_us + LISTEN_US);

	if (!straggler) {
		dns_try_free(try);
		dns_servers_release(late->servers, server);
		return NULL;
	}
	straggler->late = late;
	straggler->try = try;
	straggler->server = server;
	dns_servers_on_overdue(server, 1);
	TAILQ_INSERT_TAIL(&late->stragglers, straggler, entry);
	late->n++;
	straggler->timer = evtimer_new(late->base, on_timer, straggler);
	if (!straggler->timer || evtimer_add(straggler->timer, &wait) < 0) {
		forget(straggler);
		return NULL;
	}
	if (late->n > TRIES_MAX)
		forget(TAILQ_FIRST(&late->stragglers));
	return straggler;
}

void dns_late_adopt(struct dns_late *late, struct dns_try *try, bool is_late)
{
	struct straggler *straggler =
		add(late, try, dns_try_get_server(try), dns_try_get_started(try));

	if (!straggler)
		return;
	dns_try_set_done(try, on_answer, straggler);
	straggler->is_late = is_late;
	if (is_late)
		dns_servers_on_late(straggler->server, 1);
}

void dns_late_probe(struct dns_late *late, const struct dns_try_params *params)
{
	struct dns_server *server = dns_servers_hold(late->servers, &params->server->config);
	struct straggler *straggler;
	struct dns_try *try = NULL;

	if (!server)
		return;
	if (dns_try_new(&try, params, late->base) < 0) {
		dns_servers_release(late->servers, server);
		return;
	}
	straggler = add(late, try, server, clock_now_us());
	if (straggler && dns_try_start(try, on_answer, straggler) < 0)
		forget(straggler);
}

size_t dns_late_get_n(const struct dns_late *late)
{
	return late->n;
}
