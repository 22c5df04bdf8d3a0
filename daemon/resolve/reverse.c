/* SPDX-License-Identifier: MIT */
/*
 *     IDLE ── start ──► ASKING ── names ──► CONFIRMING: each name is looked up, all at once ──► DONE
 *                          └── none, or a failure ─────────────────────────────────────────────▲
 */
#include "daemon/resolve/reverse.h"

#include <assert.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "daemon/resolve/dns-name.h"
#include "daemon/resolve/hosts.h"
#include "daemon/resolve/name.h"
#include "protocol/error.h"

#define QUESTION_SIZE 80 /* 32 nibbles with dots, "ip6.arpa", NUL */

enum reverse_state {
	REVERSE_IDLE,
	REVERSE_ASKING,
	REVERSE_CONFIRMING,
	REVERSE_DONE
};

struct check {
	struct reverse *reverse;
	struct reverse_name *name;
	struct resolve *resolve; /* owned */
	bool is_done;
};

struct reverse {
	enum reverse_state state;
	struct event_base *base;
	struct resolver *resolver;
	struct reverse_params params;
	char question[QUESTION_SIZE];
	struct dns_lookup *lookup; /* owned */
	struct event *begin;	   /* owned */
	struct reverse_name names[REVERSE_NAMES_MAX];
	struct check checks[REVERSE_NAMES_MAX];
	size_t n_names;
	struct origin origin;
	bool has_origin;
	reverse_done_fn *done;
	void *arg;
};

static void on_begin(evutil_socket_t fd, short what, void *arg);

static void format_question(const struct address *address, char ret[QUESTION_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *bytes = address->bytes;
	size_t at = 0;

	if (address->family == AF_INET) {
		(void)snprintf(ret, QUESTION_SIZE, "%u.%u.%u.%u.in-addr.arpa", bytes[3], bytes[2],
			       bytes[1], bytes[0]);
		return;
	}
	for (size_t i = 16; i-- > 0;) {
		ret[at++] = digits[bytes[i] & 0xf];
		ret[at++] = '.';
		ret[at++] = digits[bytes[i] >> 4];
		ret[at++] = '.';
	}
	memcpy(ret + at, "ip6.arpa", sizeof("ip6.arpa"));
}

int reverse_new(struct reverse **ret, const struct reverse_params *params,
		struct resolver *resolver, struct event_base *base)
{
	CLEANUP(reverse_freep) struct reverse *reverse = calloc(1, sizeof(*reverse));

	if (!reverse)
		return -ENOMEM;
	reverse->base = base;
	reverse->resolver = resolver;
	reverse->params = *params;
	reverse->params.address = address_unmap(params->address);
	format_question(&reverse->params.address, reverse->question);
	reverse->begin = event_new(base, -1, 0, on_begin, reverse);
	if (!reverse->begin)
		return -ENOMEM;
	*ret = TAKE_PTR(reverse);
	return 0;
}

void reverse_cancel(struct reverse *reverse)
{
	reverse->lookup = dns_lookup_free(reverse->lookup);
	for (size_t i = 0; i < reverse->n_names; i++)
		if (reverse->checks[i].resolve)
			resolve_cancel(reverse->checks[i].resolve);
	if (reverse->begin)
		(void)event_del(reverse->begin);
	reverse->state = REVERSE_DONE;
}

struct reverse *reverse_free(struct reverse *reverse)
{
	if (!reverse)
		return NULL;
	reverse_cancel(reverse);
	for (size_t i = 0; i < reverse->n_names; i++)
		resolve_free(reverse->checks[i].resolve);
	if (reverse->begin)
		event_free(reverse->begin);
	free(reverse);
	return NULL;
}

/* Calls done as its last statement: the caller returns at once. */
static void reverse_finish(struct reverse *reverse, int status)
{
	reverse_cancel(reverse);
	reverse->done(reverse, status, reverse->arg);
}

static void on_check_answer(struct resolve *resolve, int family, int status,
			    const struct candidate *items, size_t n, bool is_last, void *arg)
{
	struct check *check = arg;

	(void)resolve;
	(void)family;
	(void)status;
	(void)is_last;
	for (size_t i = 0; i < n; i++)
		if (address_equal(&items[i].endpoint.address, &check->reverse->params.address))
			check->name->is_confirmed = true;
}

/* The caller returns at once. */
static void finish_checked(struct reverse *reverse)
{
	for (size_t i = 0; i < reverse->n_names; i++)
		if (!reverse->checks[i].is_done)
			return;
	reverse_finish(reverse, 0);
}

static void on_check_done(struct resolve *resolve, int status, void *arg)
{
	struct check *check = arg;

	(void)resolve;
	(void)status; /* a name that leads nowhere is not confirmed */
	check->is_done = true;
	finish_checked(check->reverse);
}

static void start_check(struct reverse *reverse, size_t index)
{
	struct check *check = &reverse->checks[index];
	char host[LIMIT_NAME_BYTES + 2];
	struct resolve_params params = {
		.host = host,
		.families = reverse->params.address.family == AF_INET6 ? FAMILY_INET6 : FAMILY_INET,
		.deadline_us = reverse->params.deadline_us,
		.allow = reverse->params.allow,
		.question = reverse->params.question,
		.arg = reverse->params.arg,
		.account = reverse->params.account,
	};
	const char *reason;
	int r;

	check->reverse = reverse;
	check->name = &reverse->names[index];
	(void)snprintf(host, sizeof(host), "%s.", check->name->text);
	r = resolve_new(&check->resolve, &params, reverse->resolver, reverse->base, &reason);
	if (r == 0)
		r = resolve_start(check->resolve, on_check_answer, on_check_done, check);
	check->is_done = r < 0;
}

/* The caller returns at once. */
static void confirm(struct reverse *reverse)
{
	reverse->state = REVERSE_CONFIRMING;
	for (size_t i = 0; i < reverse->n_names; i++)
		start_check(reverse, i);
	finish_checked(reverse);
}

static void add_name(struct reverse *reverse, const char *text)
{
	struct reverse_name *name = &reverse->names[reverse->n_names];

	if (reverse->n_names == REVERSE_NAMES_MAX)
		return;
	for (size_t i = 0; i < reverse->n_names; i++)
		if (strcmp(reverse->names[i].text, text) == 0)
			return;
	memcpy(name->text, text, strlen(text) + 1);
	reverse->n_names++;
}

/* Not one that looks like an address, which could pass for the true one wherever names are shown. */
static bool is_host(const char *text)
{
	struct name name;
	const char *reason;

	return name_prepare(text, &name, &reason) == 0 && name.kind != NAME_LITERAL;
}

/* Names that are no hosts are left out: they will be shown, logged and looked up. */
static void take_names(struct reverse *reverse, const struct dns_answer *answer)
{
	struct dns_cursor cursor = { 0 };
	struct dns_record record;

	while (dns_answer_next(answer, &cursor, &record)) {
		char text[LIMIT_NAME_BYTES + 1];

		if (record.type == DNS_TYPE_PTR &&
		    dns_name_to_text(record.data, record.len, text) == 0 && is_host(text))
			add_name(reverse, text);
	}
}

static void on_answer(struct dns_lookup *lookup, int status, void *arg)
{
	struct reverse *reverse = arg;
	CLEANUP(dns_lookup_freep) struct dns_lookup *owned = TAKE_PTR(reverse->lookup);
	const struct dns_answer *answer = dns_lookup_get_result(lookup)->answer;

	assert(owned == lookup && reverse->state == REVERSE_ASKING);
	origin_init_lookup(&reverse->origin, lookup, status);
	reverse->has_origin = true;
	if (status == 0) {
		take_names(reverse, answer);
		if (answer->rcode == DNS_RCODE_NXDOMAIN)
			status = -ASOCK_E_NAME_NOT_FOUND;
		else if (reverse->n_names == 0)
			status = -ASOCK_E_NO_DATA;
	}
	if (reverse->params.question)
		reverse->params.question(reverse->question, DNS_TYPE_PTR, status, &reverse->origin,
					 reverse->params.arg);
	if (status == 0)
		confirm(reverse);
	else
		reverse_finish(reverse, status);
}

static void on_begin(evutil_socket_t fd, short what, void *arg)
{
	struct reverse *reverse = arg;
	struct dns_lookup_params params = {
		.name = reverse->question,
		.type = DNS_TYPE_PTR,
		.deadline_us = reverse->params.deadline_us,
		.account = reverse->params.account,
	};
	char names[REVERSE_NAMES_MAX][LIMIT_NAME_BYTES + 1];
	size_t n;
	int r;

	(void)fd;
	(void)what;
	if (!reverse->params.allow(reverse->question, reverse->params.arg)) {
		reverse_finish(reverse, -ASOCK_E_DENIED);
		return;
	}
	n = hosts_find_names(resolver_get_hosts(reverse->resolver), &reverse->params.address, names,
			     REVERSE_NAMES_MAX);
	if (n > 0) {
		origin_init_local(&reverse->origin, SOURCE_HOSTS);
		reverse->has_origin = true;
		for (size_t i = 0; i < n; i++)
			add_name(reverse, names[i]);
		confirm(reverse);
		return;
	}
	(void)dns_lookups_refresh_config(resolver_get_lookups(reverse->resolver));
	r = dns_lookup_new(&reverse->lookup, &params, resolver_get_lookups(reverse->resolver));
	if (r == 0)
		r = dns_lookup_start(reverse->lookup, on_answer, reverse);
	if (r < 0)
		reverse_finish(reverse, r);
}

int reverse_start(struct reverse *reverse, reverse_done_fn *done, void *arg)
{
	assert(reverse->state == REVERSE_IDLE);
	reverse->state = REVERSE_ASKING;
	reverse->done = done;
	reverse->arg = arg;
	event_active(reverse->begin, EV_TIMEOUT, 0);
	return 0;
}

const struct reverse_name *reverse_get_names(const struct reverse *reverse, size_t *ret_n)
{
	*ret_n = reverse->n_names;
	return reverse->names;
}

const struct origin *reverse_get_origin(const struct reverse *reverse)
{
	return reverse->has_origin ? &reverse->origin : NULL;
}

const char *reverse_get_question(const struct reverse *reverse)
{
	return reverse->question;
}
