/* SPDX-License-Identifier: MIT */
/*
 * States:
 *
 *   IDLE ── start ──┬──► HOST: resolve's answers are passed on ─────────────────────────────────────► DONE
 *                   │      ▲
 *                   │      └── no SRV records, or they do not come: what was held is passed on
 *                   │      │
 *                   └──► BOTH: SRV and addresses are asked at once, the addresses are held back (SRV alone where there is no
 *                          │     port for the addresses)
 *                          │
 *                          └── SRV records ──► TARGETS: each target's addresses, in their order ────► DONE
 *
 * In TARGETS the addresses of a target wait until those of all before it are known, so that a race begins where it should;
 * but not for ever, since one domain of several may not answer: after HOLD_US they go as they come, with their rank.
 *
 * SRV records are asked for by the name as it stands, never with a search suffix, and only where that name would be asked
 * for first anyway. A name of the hosts file has none.
 */
#include "daemon/resolve/service.h"

#include <assert.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/resolve/hosts.h"
#include "daemon/resolve/name.h"
#include "protocol/error.h"
#include "protocol/text.h"

#define SRV_WAIT_US USEC_PER_SEC /* for SRV records when the host's addresses are there */
#define HOLD_US	    250000	 /* for the targets before one whose addresses are there */
#define N_FAMILIES  2

enum service_state {
	SERVICE_IDLE,
	SERVICE_HOST,
	SERVICE_BOTH,
	SERVICE_TARGETS,
	SERVICE_DONE
};

/* One family's answer, kept until it may be told. */
struct held {
	struct addrlist list;
	int status;
	bool is_answered, is_told;
	bool is_last; /* nothing follows this answer */
};

struct part {
	struct service *service;
	size_t index;
	struct resolve *resolve; /* owned; NULL: could not be asked for */
	struct held held[N_FAMILIES];
	bool is_done;
};

struct service {
	enum service_state state;
	struct event_base *base;
	struct resolver *resolver;
	struct service_params params;	     /* without the strings */
	char srv_name[LIMIT_NAME_BYTES + 1]; /* "": none is asked for */
	struct resolve *host;		     /* owned */
	struct dns_lookup *srv;		     /* owned; while it is under way */
	struct held held[N_FAMILIES];	     /* the host's */
	bool is_host_done;
	int host_status;
	struct service_target *targets; /* owned, as parts; NULL as long as there are none */
	size_t n_targets;
	struct part *parts; /* owned, as many as targets */
	bool is_unordered;  /* HOLD_US are over */
	bool found;
	struct origin origin;
	bool has_origin;
	struct event *timer; /* owned; what is known at once, SRV_WAIT_US, HOLD_US */
	int known;	     /* in IDLE: what is known at once */
	service_answer_fn *answer;
	service_done_fn *done;
	void *arg;
};

static void on_timer(evutil_socket_t fd, short what, void *arg);
static void on_srv(struct dns_lookup *lookup, int status, void *arg);

static int family_of(size_t index)
{
	return index == 0 ? AF_INET6 : AF_INET;
}

static size_t index_of(int family)
{
	return family == AF_INET6 ? 0 : 1;
}

/* Whether the text can be a label of an SRV name: letters, digits and hyphens (RFC 6335 section 5.1). */
static bool is_service_name(const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || len > SERVICE_NAME_BYTES)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!text_is_alpha(text[i]) && !text_is_digit(text[i]) && text[i] != '-')
			return false;
	return true;
}

/* The name of the SRV records, where there may be any; "" else. */
static void make_srv_name(struct service *service)
{
	const struct name *host = resolve_get_host(service->host);
	int len;

	if (!service->params.name || host->kind != NAME_HOST ||
	    !is_service_name(service->params.name))
		return;
	len = snprintf(service->srv_name, sizeof(service->srv_name), "_%s._%s.%s",
		       service->params.name, transport_name(service->params.transport), host->text);
	if (len < 0 || (size_t)len >= sizeof(service->srv_name))
		service->srv_name[0] = '\0';
	for (char *c = service->srv_name; *c; c++)
		*c = text_lower(*c);
}

int service_new(struct service **ret, const struct service_params *params,
		struct resolver *resolver, struct event_base *base, const char **ret_reason)
{
	CLEANUP(service_freep) struct service *service = calloc(1, sizeof(*service));
	int r;

	if (!service)
		return -ENOMEM;
	service->base = base;
	service->resolver = resolver;
	service->params = *params;
	r = resolve_new(&service->host, &params->resolve, resolver, base, ret_reason);
	if (r < 0)
		return r;
	make_srv_name(service);
	service->params.name = NULL;
	service->params.resolve.host = NULL;
	service->timer = evtimer_new(base, on_timer, service);
	if (!service->timer)
		return -ENOMEM;
	*ret = TAKE_PTR(service);
	return 0;
}

void service_cancel(struct service *service)
{
	if (service->host)
		resolve_cancel(service->host);
	service->srv = dns_lookup_free(service->srv);
	for (size_t i = 0; service->parts && i < service->n_targets; i++)
		if (service->parts[i].resolve)
			resolve_cancel(service->parts[i].resolve);
	if (service->timer)
		(void)event_del(service->timer);
	service->state = SERVICE_DONE;
}

static void held_done(struct held held[N_FAMILIES])
{
	for (size_t i = 0; i < N_FAMILIES; i++)
		addrlist_done(&held[i].list);
}

struct service *service_free(struct service *service)
{
	if (!service)
		return NULL;
	service_cancel(service);
	for (size_t i = 0; service->parts && i < service->n_targets; i++) {
		resolve_free(service->parts[i].resolve);
		held_done(service->parts[i].held);
	}
	free(service->parts);
	free(service->targets);
	held_done(service->held);
	resolve_free(service->host);
	if (service->timer)
		event_free(service->timer);
	free(service);
	return NULL;
}

/* Calls done as its last statement: the caller returns at once. */
static void service_finish(struct service *service, int status)
{
	service_cancel(service);
	service->done(service, status, service->arg);
}

static void arm(struct service *service, uint64_t wait_us)
{
	struct timeval wait = clock_until(0, wait_us);

	/* Without it nothing is late that has an end of its own. */
	if (!event_pending(service->timer, EV_TIMEOUT, NULL))
		(void)evtimer_add(service->timer, &wait);
}

static void hold(struct held *held, int status, const struct candidate *items, size_t n,
		 bool is_last)
{
	held->is_answered = true;
	held->is_last = is_last;
	if (status < 0 && held->list.len > 0)
		return; /* what follows a stale answer may be less than that */
	held->status = status;
	for (size_t i = 0; i < n && held->status == 0; i++)
		held->status = addrlist_add(&held->list, &items[i]);
	if (held->status < 0)
		held->list.len = 0;
}

static void on_host_answer(struct resolve *resolve, int family, int status,
			   const struct candidate *items, size_t n, bool is_last, void *arg)
{
	struct service *service = arg;

	(void)resolve;
	if (service->state == SERVICE_HOST) {
		service->answer(service, family, status, items, n, is_last, service->arg);
		return;
	}
	hold(&service->held[index_of(family)], status, items, n, is_last);
	if (n > 0)
		arm(service, SRV_WAIT_US);
}

static void on_host_done(struct resolve *resolve, int status, void *arg)
{
	struct service *service = arg;

	(void)resolve;
	service->is_host_done = true;
	service->host_status = status;
	if (service->state == SERVICE_HOST)
		service_finish(service, status);
}

/* The host's own addresses it is; status: why there are no SRV records. The caller returns at once. */
static void use_host(struct service *service, int status)
{
	if (service->params.srv_only) {
		service_finish(service, status);
		return;
	}
	if (!service->params.has_port) {
		bool is_known = status == -ASOCK_E_NAME_NOT_FOUND || status == -ASOCK_E_NO_DATA;

		service_finish(service, is_known ? -ASOCK_E_UNKNOWN_SERVICE : status);
		return;
	}
	(void)event_del(service->timer);
	service->state = SERVICE_HOST;
	for (size_t i = 0; i < N_FAMILIES && service->state == SERVICE_HOST; i++) {
		struct held *held = &service->held[i];

		if (held->is_answered)
			service->answer(service, family_of(i), held->status, held->list.items,
					held->list.len, held->is_last, service->arg);
	}
	if (service->state == SERVICE_HOST && service->is_host_done)
		service_finish(service, service->host_status);
}

static bool is_tellable(const struct service *service, size_t index, size_t family)
{
	const struct held *held = &service->parts[index].held[family];

	if (!held->is_answered || held->is_told)
		return false;
	for (size_t i = 0; i < index && !service->is_unordered; i++)
		if (!service->parts[i].held[family].is_told)
			return false;
	return true;
}

static bool is_last_of(const struct service *service, size_t index, size_t family)
{
	for (size_t i = 0; i < service->n_targets; i++)
		if (i != index && !service->parts[i].held[family].is_told)
			return false;
	return true;
}

/* Tells what may be told by now; the owner may cancel meanwhile. */
static void tell_targets(struct service *service)
{
	bool is_waiting = false;

	for (size_t family = 0; family < N_FAMILIES; family++) {
		for (size_t i = 0; i < service->n_targets && service->state == SERVICE_TARGETS;
		     i++) {
			struct held *held = &service->parts[i].held[family];
			bool is_last;

			if (!is_tellable(service, i, family)) {
				is_waiting = is_waiting || (held->list.len > 0 && !held->is_told);
				continue;
			}
			held->is_told = true;
			service->found = service->found || held->list.len > 0;
			is_last = is_last_of(service, i, family);
			if (held->list.len > 0 || is_last)
				service->answer(service, family_of(family), held->status,
						held->list.items, held->list.len, is_last,
						service->arg);
		}
	}
	if (is_waiting && service->state == SERVICE_TARGETS)
		arm(service, HOLD_US);
}

static void on_target_answer(struct resolve *resolve, int family, int status,
			     const struct candidate *items, size_t n, bool is_last, void *arg)
{
	struct part *part = arg;

	(void)resolve;
	hold(&part->held[index_of(family)], status, items, n, is_last);
	if (n > 0)
		part->service->targets[part->index].status = 0;
	tell_targets(part->service);
}

static void note_origin(struct service *service, const struct origin *origin)
{
	if (!origin)
		return;
	if (service->has_origin)
		origin_merge(&service->origin, origin);
	else
		service->origin = *origin;
	service->has_origin = true;
}

/* When all targets are through: the most telling of their failures, if there is no address. The caller returns at once. */
static void finish_targets(struct service *service)
{
	int status = -ASOCK_E_NO_DATA;

	for (size_t i = 0; i < service->n_targets; i++) {
		if (!service->parts[i].is_done)
			return;
		if (resolution_rank(service->targets[i].status) > resolution_rank(status))
			status = service->targets[i].status;
	}
	/* What was held back for others is told with the last of them. */
	service_finish(service, service->found ? 0 : status);
}

static void on_target_done(struct resolve *resolve, int status, void *arg)
{
	struct part *part = arg;
	struct service *service = part->service;

	part->is_done = true;
	service->targets[part->index].status = status;
	note_origin(service, resolve_get_origin(resolve));
	finish_targets(service);
}

/* A target that cannot be asked for counts as answered by what is in the way. */
static void fail_part(struct part *part, int status)
{
	part->is_done = true;
	part->service->targets[part->index].status = status;
	for (size_t i = 0; i < N_FAMILIES; i++)
		hold(&part->held[i], status, NULL, 0, true);
}

static void start_part(struct part *part)
{
	struct service *service = part->service;
	const struct srv_target *srv = &service->targets[part->index].srv;
	struct resolve_params params = service->params.resolve;
	char host[LIMIT_NAME_BYTES + 2];
	const char *reason;
	int r;

	/* The name of a target is absolute (RFC 2782). */
	(void)snprintf(host, sizeof(host), "%s.", srv->name);
	params.host = host;
	params.port = srv->port;
	params.rank = (uint16_t)part->index;
	params.follows_stale = false; /* those behind it wait for this answer */
	/* A family that nobody wants is answered from the beginning. */
	for (size_t i = 0; i < N_FAMILIES; i++)
		part->held[i].is_told = !family_choice_allows(params.families, family_of(i));
	r = resolve_new(&part->resolve, &params, service->resolver, service->base, &reason);
	if (r == 0)
		r = resolve_start(part->resolve, on_target_answer, on_target_done, part);
	if (r < 0)
		fail_part(part, r);
}

/* The caller returns at once. */
static void use_targets(struct service *service, struct srv_target *targets, size_t n)
{
	(void)event_del(service->timer);
	resolve_cancel(service->host);
	srv_order(targets, n, NULL, NULL);
	if (n > SERVICE_TARGETS_MAX)
		n = SERVICE_TARGETS_MAX;
	service->parts = calloc(n, sizeof(*service->parts));
	service->targets = calloc(n, sizeof(*service->targets));
	if (!service->parts || !service->targets) {
		service_finish(service, -ENOMEM);
		return;
	}
	service->state = SERVICE_TARGETS;
	service->n_targets = n;
	for (size_t i = 0; i < n; i++) {
		service->targets[i].srv = targets[i];
		service->targets[i].status = -ASOCK_E_TIMED_OUT; /* if it comes to nothing else */
		service->parts[i].service = service;
		service->parts[i].index = i;
		start_part(&service->parts[i]);
	}
	tell_targets(service);
	if (service->state == SERVICE_TARGETS)
		finish_targets(service);
}

static void on_srv(struct dns_lookup *lookup, int status, void *arg)
{
	struct service *service = arg;
	CLEANUP(dns_lookup_freep) struct dns_lookup *owned = TAKE_PTR(service->srv);
	const struct dns_answer *answer = dns_lookup_get_result(lookup)->answer;
	struct srv_target targets[SRV_TARGETS_MAX];
	struct origin origin;
	int n = 0;

	assert(owned == lookup && service->state == SERVICE_BOTH);
	origin_init_lookup(&origin, lookup, status);
	if (status == 0) {
		n = srv_parse(answer, targets);
		if (n == 0)
			status = answer->rcode == DNS_RCODE_NXDOMAIN ? -ASOCK_E_NAME_NOT_FOUND
								     : -ASOCK_E_NO_DATA;
	}
	if (service->params.resolve.question)
		service->params.resolve.question(service->srv_name, DNS_TYPE_SRV, status, &origin,
						 service->params.resolve.arg);
	if (n != 0 || service->params.srv_only || !service->params.has_port)
		note_origin(service, &origin);
	if (n == -ASOCK_E_SERVICE_UNAVAILABLE)
		service_finish(service, -ASOCK_E_SERVICE_UNAVAILABLE);
	else if (n > 0)
		use_targets(service, targets, (size_t)n);
	else
		use_host(service, status);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct service *service = arg;

	(void)fd;
	(void)what;
	switch (service->state) {
	case SERVICE_BOTH:
		service->srv = dns_lookup_free(service->srv);
		use_host(service, -ASOCK_E_TIMED_OUT);
		return;
	case SERVICE_TARGETS:
		service->is_unordered = true;
		tell_targets(service);
		return;
	case SERVICE_HOST: /* only of what is known at once */
		service_finish(service, service->known);
		return;
	case SERVICE_IDLE:
	case SERVICE_DONE:
		return;
	}
}

/* Whether the SRV records are asked for; *ret: why not, for whom they are all. */
static bool wants_srv(struct service *service, int *ret)
{
	const struct resolve_params *params = &service->params.resolve;
	const struct name *host = resolve_get_host(service->host);
	bool is_hosts_first = !resolver_is_dns_first(service->resolver);
	struct address address;

	*ret = -ASOCK_E_NAME_NOT_FOUND;
	if (service->srv_name[0] == '\0')
		return false;
	if (!service->params.srv_only &&
	    (!resolve_asks_name_first(service->host) ||
	     (is_hosts_first &&
	      hosts_lookup(resolver_get_hosts(service->resolver), host->text, &address, 1) > 0)))
		return false;
	*ret = -ASOCK_E_DENIED;
	return params->allow(service->srv_name, params->arg);
}

/* Whether the host's own addresses are of any use. */
static bool may_use_host(const struct service *service)
{
	return service->params.has_port && !service->params.srv_only;
}

static int start_srv(struct service *service)
{
	const struct resolve_params *params = &service->params.resolve;
	struct dns_lookup_params lookup = {
		.name = service->srv_name,
		.type = DNS_TYPE_SRV,
		.deadline_us = params->deadline_us,
		.account = params->account,
	};
	int r;

	(void)dns_lookups_refresh_config(resolver_get_lookups(service->resolver));
	r = dns_lookup_new(&service->srv, &lookup, resolver_get_lookups(service->resolver));
	return r < 0 ? r : dns_lookup_start(service->srv, on_srv, service);
}

int service_start(struct service *service, service_answer_fn *answer, service_done_fn *done,
		  void *arg)
{
	int r = 0, reason;

	assert(service->state == SERVICE_IDLE);
	service->answer = answer;
	service->done = done;
	service->arg = arg;
	service->state = SERVICE_HOST;
	if (wants_srv(service, &reason)) {
		service->state = SERVICE_BOTH;
		r = start_srv(service);
	} else if (!may_use_host(service)) {
		service->known = service->params.srv_only ? reason : -ASOCK_E_UNKNOWN_SERVICE;
		event_active(service->timer, EV_TIMEOUT, 0);
		return 0;
	}
	if (r == 0 && may_use_host(service))
		r = resolve_start(service->host, on_host_answer, on_host_done, service);
	return r;
}

const char *service_get_name(const struct service *service)
{
	return service->params.srv_only && service->srv_name[0] ? service->srv_name
								: resolve_get_name(service->host);
}

const struct origin *service_get_origin(const struct service *service)
{
	return service->has_origin ? &service->origin : resolve_get_origin(service->host);
}

const struct service_target *service_get_targets(const struct service *service, size_t *ret_n)
{
	*ret_n = service->n_targets;
	return service->targets;
}
