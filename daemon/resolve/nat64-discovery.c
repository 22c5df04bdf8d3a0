/* SPDX-License-Identifier: MIT */
/*
 * Prefixes of routers belong to the interface that the announcement came over and go with it, or when their time is over. What
 * the DNS says belongs to the network (connect/network) in which it was asked: in another one it is forgotten, and so is the
 * answer in the cache, since the servers may be called the same there.
 *
 *        ask                       answer, failure, ASK_US                 TTL over, another network
 *   ────────────► lookup runs ────────────────────────────► known, or not ─────────────────────────► nothing is known
 *                  waiters wait          settled                for a minute
 *
 * Entries are not thrown away when they are not valid any more, but when there is no room: the policy goes on judging by them.
 */
#include "daemon/resolve/nat64-discovery.h"

#include <assert.h>
#include <event2/event.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "daemon/base/clock.h"
#include "daemon/base/netlink.h"
#include "daemon/connect/network.h"
#include "daemon/resolve/dns-lookup.h"

#define WELL_KNOWN_NAME "ipv4only.arpa"
#define ROUTER_ADVERT	134
#define ASK_US		(2 * USEC_PER_SEC)
#define ABSENT_US	(60 * USEC_PER_SEC) /* before it is asked again whether there is one */
#define FAILED_US	(5 * USEC_PER_SEC) /* the same, when nobody has answered; as long as RFC 9520 */
#define TTL_MIN_US	(10 * USEC_PER_SEC)
#define NEWS_BYTES	(64 * 1024) /* in the kernel */
#define GROUPS		(NETLINK_GROUP(RTNLGRP_ND_USEROPT) | NETLINK_GROUP(RTNLGRP_LINK))

enum teller {
	TELLER_ROUTER, /* the lower, the better */
	TELLER_DNS,
};

struct entry {
	struct nat64_prefix prefix;
	enum teller teller;
	uint32_t interface; /* of the router */
	uint64_t until_us;  /* valid before it */
	uint64_t told;	    /* the higher, the later */
};

struct nat64_discovery {
	struct nat64_discovery_params params;
	struct event_base *base;
	struct nat64_setting setting;
	int news;	     /* owned; < 0: none */
	struct event *event; /* owned; of news */
	struct event *tell;  /* owned; waiters without a lookup */
	struct entry entries[NAT64_DISCOVERY_MAX];
	size_t n;
	uint64_t n_told;
	struct dns_lookup *lookup; /* owned; under way */
	uint64_t network;	   /* in which the DNS was asked */
	uint64_t absent_until_us;
	LIST_HEAD(waiters, nat64_waiter) waiters;
};

static void tell_policy(struct nat64_discovery *discovery)
{
	struct nat64_prefix told[NAT64_DISCOVERY_MAX];

	for (size_t i = 0; i < discovery->n; i++)
		told[i] = discovery->entries[i].prefix;
	if (discovery->params.changed)
		discovery->params.changed(&discovery->setting, told, discovery->n,
					  discovery->params.arg);
}

static bool is_same(const struct entry *a, const struct entry *b)
{
	return a->teller == b->teller && a->interface == b->interface &&
	       nat64_prefix_equal(&a->prefix, &b->prefix);
}

/* The place of one more: of those that are not valid any more, or else of all, the one that was told first goes. */
static struct entry *make_room(struct nat64_discovery *discovery, uint64_t now_us)
{
	struct entry *found = NULL;

	if (discovery->n < NAT64_DISCOVERY_MAX)
		return &discovery->entries[discovery->n++];
	for (size_t i = 0; i < discovery->n; i++) {
		struct entry *entry = &discovery->entries[i];
		bool is_over = entry->until_us <= now_us;

		if (!found || (is_over && found->until_us > now_us) ||
		    (is_over == (found->until_us <= now_us) && entry->told < found->told))
			found = entry;
	}
	return found;
}

/* A lifetime of 0 takes back, and what nobody knew is not noted for that. */
static void note(struct nat64_discovery *discovery, struct entry *told, uint64_t lifetime_us)
{
	uint64_t now_us = clock_now_us();
	struct entry *entry = NULL;

	for (size_t i = 0; i < discovery->n && !entry; i++)
		if (is_same(&discovery->entries[i], told))
			entry = &discovery->entries[i];
	if (!entry && lifetime_us == 0)
		return;
	told->until_us = now_us + lifetime_us;
	told->told = ++discovery->n_told;
	if (entry) {
		*entry = *told;
		return;
	}
	*make_room(discovery, now_us) = *told;
	tell_policy(discovery);
}

static void end_validity(struct nat64_discovery *discovery, enum teller teller, uint32_t interface)
{
	for (size_t i = 0; i < discovery->n; i++)
		if (discovery->entries[i].teller == teller &&
		    (interface == 0 || discovery->entries[i].interface == interface))
			discovery->entries[i].until_us = 0;
}

/* The kernel has seen to it that the advertisement came from a router of the link (RFC 4861 section 6.1.2). */
static void read_option(struct nat64_discovery *discovery, struct netlink_span body)
{
	struct nduseroptmsg message;
	struct entry entry = { .teller = TELLER_ROUTER };
	uint32_t lifetime_s;

	if (!netlink_take(&body, &message, sizeof(message)) ||
	    message.nduseropt_family != AF_INET6 || message.nduseropt_icmp_type != ROUTER_ADVERT ||
	    message.nduseropt_opts_len > body.len)
		return;
	entry.interface = (uint32_t)message.nduseropt_ifindex;
	if (nat64_parse_option((const uint8_t *)body.bytes, message.nduseropt_opts_len,
			       &entry.prefix, &lifetime_s) == 0)
		note(discovery, &entry, lifetime_s * USEC_PER_SEC);
}

/* A link without its other end is not the one that it was, when it has one again. */
static void read_link(struct nat64_discovery *discovery, uint16_t type, struct netlink_span body)
{
	const unsigned int up = IFF_UP | IFF_RUNNING;
	struct ifinfomsg message;

	/* AF_BRIDGE: it leaves a bridge. */
	if (!netlink_take(&body, &message, sizeof(message)) || message.ifi_family != AF_UNSPEC)
		return;
	if (type == RTM_DELLINK || (message.ifi_flags & up) != up)
		end_validity(discovery, TELLER_ROUTER, (uint32_t)message.ifi_index);
}

static int on_message(uint16_t type, struct netlink_span body, void *arg)
{
	if (type == RTM_NEWNDUSEROPT)
		read_option(arg, body);
	else if (type == RTM_NEWLINK || type == RTM_DELLINK)
		read_link(arg, type, body);
	return 0;
}

static void on_news(evutil_socket_t fd, short what, void *arg)
{
	struct nat64_discovery *discovery = arg;

	(void)what;
	/* A link may have gone among what was lost; the DNS knows the prefix too. */
	if (!netlink_read_news(fd, on_message, discovery))
		end_validity(discovery, TELLER_ROUTER, 0);
}

static void open_news(struct nat64_discovery *discovery)
{
	int bytes = NEWS_BYTES;

	discovery->news = netlink_open(GROUPS);
	if (discovery->news < 0)
		return;
	(void)setsockopt(discovery->news, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	discovery->event = event_new(discovery->base, discovery->news, EV_READ | EV_PERSIST,
				     on_news, discovery);
	if (discovery->event)
		(void)event_add(discovery->event, NULL);
}

/* A waiter may leave, and come again, while others are told. */
static void settle(struct nat64_discovery *discovery)
{
	struct waiters told = discovery->waiters;
	struct nat64_waiter *waiter;

	LIST_INIT(&discovery->waiters);
	if (LIST_FIRST(&told))
		LIST_FIRST(&told)->link.le_prev = &LIST_FIRST(&told);
	while ((waiter = LIST_FIRST(&told)) != NULL) {
		void (*settled)(void *arg) = waiter->settled;

		nat64_discovery_unwait(waiter);
		settled(waiter->arg);
	}
}

static void on_tell(evutil_socket_t fd, short what, void *arg)
{
	struct nat64_discovery *discovery = arg;

	(void)fd;
	(void)what;
	if (!nat64_discovery_ask(discovery))
		settle(discovery);
}

int nat64_discovery_new(struct nat64_discovery **ret, const struct nat64_discovery_params *params,
			struct event_base *base)
{
	CLEANUP(nat64_discovery_freep)
	struct nat64_discovery *discovery = calloc(1, sizeof(*discovery));

	if (!discovery)
		return -ENOMEM;
	discovery->params = *params;
	discovery->base = base;
	discovery->news = -1;
	discovery->tell = event_new(base, -1, 0, on_tell, discovery);
	if (!discovery->tell)
		return -ENOMEM;
	open_news(discovery);
	*ret = TAKE_PTR(discovery);
	return 0;
}

struct nat64_discovery *nat64_discovery_free(struct nat64_discovery *discovery)
{
	if (!discovery)
		return NULL;
	assert(LIST_EMPTY(&discovery->waiters));
	dns_lookup_free(discovery->lookup);
	if (discovery->tell)
		event_free(discovery->tell);
	if (discovery->event)
		event_free(discovery->event);
	(void)close_fd(discovery->news);
	free(discovery);
	return NULL;
}

void nat64_discovery_configure(struct nat64_discovery *discovery,
			       const struct nat64_setting *setting)
{
	discovery->setting = *setting;
	discovery->absent_until_us = 0; /* the servers may be others, too */
	tell_policy(discovery);
}

/* What the DNS says in another network is nothing that counts here. */
static void look_at_network(struct nat64_discovery *discovery)
{
	uint64_t network = network_get_id(discovery->params.network);

	if (network == discovery->network)
		return;
	discovery->network = network;
	discovery->absent_until_us = 0;
	end_validity(discovery, TELLER_DNS, 0);
	(void)dns_cache_flush(dns_lookups_get_cache(discovery->params.lookups), WELL_KNOWN_NAME,
			      DNS_TYPE_AAAA, DNS_CACHE_ANY, clock_now_us());
	discovery->lookup = dns_lookup_free(discovery->lookup);
	if (!LIST_EMPTY(&discovery->waiters))
		event_active(discovery->tell, EV_TIMEOUT, 0);
}

/* The best valid prefix that may hold the address. */
static bool translate_as_told(const struct nat64_discovery *discovery,
			      const struct address *address, struct address *ret)
{
	uint64_t now_us = clock_now_us();
	bool found = false;

	for (int teller = TELLER_ROUTER; teller <= TELLER_DNS && !found; teller++)
		for (size_t i = 0; i < discovery->n && !found; i++) {
			const struct entry *entry = &discovery->entries[i];

			found = (int)entry->teller == teller && entry->until_us > now_us &&
				nat64_synthesise(&entry->prefix, address, ret);
		}
	return found;
}

bool nat64_discovery_translate(struct nat64_discovery *discovery, struct address *address)
{
	const struct nat64_setting *setting = &discovery->setting;
	const struct address inner = *address;

	if (setting->is_off)
		return false;
	for (size_t i = 0; i < setting->n; i++)
		if (nat64_synthesise(&setting->prefixes[i], &inner, address))
			return true;
	if (setting->n > 0)
		return false;
	look_at_network(discovery);
	return translate_as_told(discovery, &inner, address);
}

static void take_answer(struct nat64_discovery *discovery, const struct dns_lookup_result *result)
{
	struct address addresses[LIMIT_DNS_ADDRESSES];
	struct nat64_prefix prefixes[NAT64_PREFIXES_MAX];
	uint64_t ttl_us = result->ttl_s * USEC_PER_SEC;
	size_t n = dns_answer_get_addresses(result->answer, addresses, ARRAY_LEN(addresses));

	n = nat64_read_well_known(addresses, n, prefixes, ARRAY_LEN(prefixes));
	if (n == 0)
		discovery->absent_until_us = clock_now_us() + ABSENT_US;
	end_validity(discovery, TELLER_DNS, 0);
	for (size_t i = 0; i < n; i++) {
		struct entry entry = { .prefix = prefixes[i], .teller = TELLER_DNS };

		note(discovery, &entry, ttl_us > TTL_MIN_US ? ttl_us : TTL_MIN_US);
	}
}

static void on_looked_up(struct dns_lookup *lookup, int status, void *arg)
{
	struct nat64_discovery *discovery = arg;
	CLEANUP(dns_lookup_freep) struct dns_lookup *owned = TAKE_PTR(discovery->lookup);

	assert(owned == lookup);
	if (status == 0)
		take_answer(discovery, dns_lookup_get_result(lookup));
	else
		discovery->absent_until_us = clock_now_us() + FAILED_US;
	settle(discovery);
}

static bool is_known(const struct nat64_discovery *discovery, uint64_t now_us)
{
	for (size_t i = 0; i < discovery->n; i++)
		if (discovery->entries[i].until_us > now_us)
			return true;
	return false;
}

/* Nobody's account is charged: there is one such question at a time. */
static int start_lookup(struct nat64_discovery *discovery, uint64_t now_us)
{
	const struct dns_lookup_params params = {
		.name = WELL_KNOWN_NAME,
		.type = DNS_TYPE_AAAA,
		.deadline_us = now_us + ASK_US,
		.no_stale = true,
	};
	int r;

	(void)dns_lookups_refresh_config(discovery->params.lookups);
	r = dns_lookup_new(&discovery->lookup, &params, discovery->params.lookups);
	if (r == 0)
		r = dns_lookup_start(discovery->lookup, on_looked_up, discovery);
	if (r < 0)
		discovery->lookup = dns_lookup_free(discovery->lookup);
	return r;
}

bool nat64_discovery_ask(struct nat64_discovery *discovery)
{
	uint64_t now_us;

	if (discovery->setting.is_off || discovery->setting.n > 0)
		return false;
	if (discovery->lookup)
		look_at_network(discovery);
	/* On most hosts this is all that it takes. */
	if (network_has_default(discovery->params.network, AF_INET))
		return false;
	now_us = clock_now_us();
	look_at_network(discovery);
	if (is_known(discovery, now_us))
		return false;
	if (discovery->lookup)
		return true;
	if (now_us < discovery->absent_until_us ||
	    !network_has_default(discovery->params.network, AF_INET6))
		return false;
	return start_lookup(discovery, now_us) == 0;
}

void nat64_discovery_wait(struct nat64_discovery *discovery, struct nat64_waiter *waiter,
			  void (*settled)(void *arg), void *arg)
{
	assert(!waiter->settled);
	waiter->settled = settled;
	waiter->arg = arg;
	LIST_INSERT_HEAD(&discovery->waiters, waiter, link);
	if (!discovery->lookup)
		event_active(discovery->tell, EV_TIMEOUT, 0);
}

void nat64_discovery_unwait(struct nat64_waiter *waiter)
{
	if (!waiter->settled)
		return;
	LIST_REMOVE(waiter, link);
	waiter->settled = NULL;
}
