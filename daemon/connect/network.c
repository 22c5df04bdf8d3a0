/* SPDX-License-Identifier: MIT */
/*
 * What tells one network from another: the routers that the default routes lead to, by address and link-layer address (every
 * second network has a 192.168.1.1), and the prefixes on their interfaces. A default route without a router, as into a
 * tunnel, counts by the name of its interface. Routes that cover half of all addresses count as default: that is how tunnels
 * put themselves before a default route without replacing it. What is not on the way out, such as bridges of containers,
 * does not matter.
 *
 * A router's link-layer address is known when the kernel has talked to it, so it may be missing for a moment after the network
 * came. What is not known contradicts nothing: such a network is the one that was there last of those it may be, and it is
 * looked at again a few times. Networks that were seen are kept, so that a network that comes back has its id again.
 *
 * As in connect/hostaddrs, the news are not applied: they make the copy stale, and it is read anew when somebody asks, a tenth
 * of the time at most. While somebody watches, the loop watches the socket for news too; else nobody empties it.
 */
#include "daemon/connect/network.h"

#include <event2/event.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/base/clock.h"
#include "daemon/base/netlink.h"

#define NETWORKS_MAX   16 /* that are remembered */
#define ROUTERS_MAX    8
#define PREFIXES_MAX   16
#define LINK_BYTES     32 /* MAX_ADDR_LEN of the kernel */
#define PAUSE_SHARE    10
#define LOOK_AGAIN_US  USEC_PER_SEC /* while a link-layer address is unknown */
#define LOOK_AGAIN_MAX 5
#define HALF_V4	       1 /* prefix lengths that count as default: half of all addresses, */
#define HALF_V6	       3 /* and 2000::/3, all of the internet */
#define GROUPS                                                                    \
	(NETLINK_GROUP(RTNLGRP_LINK) | NETLINK_GROUP(RTNLGRP_IPV4_IFADDR) |       \
	 NETLINK_GROUP(RTNLGRP_IPV6_IFADDR) | NETLINK_GROUP(RTNLGRP_IPV4_ROUTE) | \
	 NETLINK_GROUP(RTNLGRP_IPV6_ROUTE) | NETLINK_GROUP(RTNLGRP_IPV4_RULE) |   \
	 NETLINK_GROUP(RTNLGRP_IPV6_RULE))

struct router {
	int family; /* of the route */
	uint32_t
		interface; /* does not tell networks apart: the same one may be had by wire and by radio */
	struct address gateway; /* without its scope; family 0: none */
	uint8_t link
		[LINK_BYTES]; /* its link-layer address; without a gateway the interface's name */
	size_t link_len;      /* 0: not known */
};

struct prefix {
	struct address address; /* the bits of the host are 0 */
	uint8_t len;
};

struct facts {
	struct router routers[ROUTERS_MAX];
	size_t n_routers;
	struct prefix prefixes[PREFIXES_MAX]; /* in ascending order */
	size_t n_prefixes;
	bool has_default[2]; /* IPv4, IPv6; counts routers beyond the limit too */
};

struct known {
	uint64_t id;   /* 0: free */
	uint64_t used; /* the higher, the later */
	struct facts facts;
};

struct network {
	int news;	     /* owned; < 0: could not be had yet */
	struct event *event; /* owned; of news, armed while there are watches; NULL: likewise */
	struct event_base *base;
	LIST_HEAD(, network_watch) watches;
	struct network_watch *next; /* to be told, while they are told */
	bool is_stale;
	uint64_t pause_until_us;
	unsigned int n_looks_left; /* for link-layer addresses */
	uint64_t look_again_us;
	struct known known[NETWORKS_MAX];
	struct known *current; /* one of them */
	uint64_t n_used, last_id;
};

/* What a question is about, beside the facts that its answer adds to. */
struct inquiry {
	struct facts *facts;
	uint32_t interface;
	bool is_torn;
};

static bool has_gateway(const struct router *router)
{
	return router->gateway.family != 0;
}

static void add_router(struct facts *facts, int family, const struct netlink_hop *hop)
{
	struct router router = { .family = family,
				 .interface = hop->interface,
				 .gateway = hop->gateway };

	facts->has_default[family == AF_INET6] = true;
	router.gateway.scope = 0;
	for (size_t i = 0; i < facts->n_routers; i++)
		if (facts->routers[i].interface == router.interface &&
		    facts->routers[i].family == family &&
		    address_equal(&facts->routers[i].gateway, &router.gateway))
			return;
	if (facts->n_routers < ROUTERS_MAX)
		facts->routers[facts->n_routers++] = router;
}

static bool is_default(const struct rtmsg *message)
{
	unsigned int half = message->rtm_family == AF_INET ? HALF_V4 : HALF_V6;

	return (message->rtm_family == AF_INET || message->rtm_family == AF_INET6) &&
	       message->rtm_dst_len <= half && message->rtm_src_len == 0 &&
	       message->rtm_type == RTN_UNICAST &&
	       (message->rtm_flags & (RTM_F_CLONED | RTNH_F_DEAD | RTNH_F_LINKDOWN)) == 0;
}

static int on_route(uint16_t type, struct netlink_span body, void *arg)
{
	struct inquiry *inquiry = arg;
	struct rtmsg message;
	struct netlink_hop hops[ROUTERS_MAX];
	size_t n;

	if (type != RTM_NEWROUTE || !netlink_take(&body, &message, sizeof(message)) ||
	    !is_default(&message) ||
	    netlink_find_number(body, RTA_TABLE, message.rtm_table) == RT_TABLE_LOCAL)
		return 0;
	n = netlink_read_hops(body, message.rtm_family, hops, ARRAY_LEN(hops));
	for (size_t i = 0; i < n; i++)
		add_router(inquiry->facts, message.rtm_family, &hops[i]);
	return 0;
}

static int fetch_routes(struct inquiry *inquiry, int family, uint32_t table)
{
	const struct {
		struct nlmsghdr header;
		struct rtmsg message;
	} question = {
		.header = { .nlmsg_len = sizeof(question),
			    .nlmsg_type = RTM_GETROUTE,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
			    .nlmsg_seq = 1 },
		.message = { .rtm_family = (unsigned char)family,
			     .rtm_table = (unsigned char)table,
			     .rtm_type = RTN_UNICAST },
	};

	return netlink_dump(&question, sizeof(question), on_route, inquiry, &inquiry->is_torn);
}

static int on_neighbour(uint16_t type, struct netlink_span body, void *arg)
{
	struct router *router = arg;
	struct ndmsg message;
	struct netlink_span link;

	if (type != RTM_NEWNEIGH || !netlink_take(&body, &message, sizeof(message)))
		return 0;
	link = netlink_find(body, NDA_LLADDR); /* not there as long as it is not known */
	if (link.len > 0 && link.len <= sizeof(router->link)) {
		memcpy(router->link, link.bytes, link.len);
		router->link_len = link.len;
	}
	return 0;
}

static void fetch_link(struct router *router)
{
	struct {
		struct nlmsghdr header;
		struct ndmsg message;
		struct rtattr attribute;
		uint8_t gateway[sizeof(router->gateway.bytes)];
	} question = {
		.header = { .nlmsg_type = RTM_GETNEIGH,
			    .nlmsg_flags = NLM_F_REQUEST,
			    .nlmsg_seq = 1 },
		.message = { .ndm_family = (unsigned char)router->gateway.family,
			     .ndm_ifindex = (int)router->interface },
		.attribute = { .rta_type = NDA_DST },
	};
	size_t len = address_len(&router->gateway);
	char name[IF_NAMESIZE];
	int r;

	if (!has_gateway(router)) {
		if (if_indextoname(router->interface, name)) {
			router->link_len = strnlen(name, sizeof(name));
			memcpy(router->link, name, router->link_len);
		}
		return;
	}
	question.attribute.rta_len = (unsigned short)RTA_LENGTH(len);
	memcpy(question.gateway, router->gateway.bytes, len);
	len = sizeof(question) - sizeof(question.gateway) + len;
	question.header.nlmsg_len = (uint32_t)len;
	r = netlink_ask(&question, len, on_neighbour, router);
	(void)r; /* a router that is not among the neighbours has not been talked to */
}

static int compare_prefixes(const struct prefix *a, const struct prefix *b)
{
	int difference = a->address.family - b->address.family;

	if (difference == 0)
		difference = memcmp(a->address.bytes, b->address.bytes, sizeof(a->address.bytes));
	return difference != 0 ? difference : (int)a->len - (int)b->len;
}

/* Those that come last leave when there are too many: then it does not matter in which order they came. */
static void add_prefix(struct facts *facts, const struct prefix *prefix)
{
	size_t i = facts->n_prefixes;

	while (i > 0 && compare_prefixes(&facts->prefixes[i - 1], prefix) > 0)
		i--;
	if (i == PREFIXES_MAX || (i > 0 && compare_prefixes(&facts->prefixes[i - 1], prefix) == 0))
		return;
	if (facts->n_prefixes < PREFIXES_MAX)
		facts->n_prefixes++;
	memmove(&facts->prefixes[i + 1], &facts->prefixes[i],
		(facts->n_prefixes - i - 1) * sizeof(*facts->prefixes));
	facts->prefixes[i] = *prefix;
}

static void clear_host(struct prefix *prefix)
{
	for (size_t i = 0; i < sizeof(prefix->address.bytes); i++) {
		size_t n_bits = prefix->len > 8 * i ? prefix->len - 8 * i : 0;

		if (n_bits < 8)
			prefix->address.bytes[i] &= (uint8_t)(0xff00 >> n_bits);
	}
}

/* A whole address is the host's and says nothing of the network; what is link-local is everywhere. */
static int on_address(uint16_t type, struct netlink_span body, void *arg)
{
	struct inquiry *inquiry = arg;
	struct ifaddrmsg message;
	struct prefix prefix;

	if (type != RTM_NEWADDR || !netlink_take(&body, &message, sizeof(message)) ||
	    message.ifa_index != inquiry->interface || message.ifa_scope >= RT_SCOPE_LINK)
		return 0;
	/* On a point-to-point link this is the other end. */
	if (!netlink_read_address(netlink_find(body, IFA_ADDRESS), message.ifa_family, 0,
				  &prefix.address))
		return 0;
	prefix.len = message.ifa_prefixlen;
	if (prefix.len >= 8 * address_len(&prefix.address))
		return 0;
	clear_host(&prefix);
	add_prefix(inquiry->facts, &prefix);
	return 0;
}

static int fetch_prefixes(struct inquiry *inquiry)
{
	const struct {
		struct nlmsghdr header;
		struct ifaddrmsg message;
	} question = {
		.header = { .nlmsg_len = sizeof(question),
			    .nlmsg_type = RTM_GETADDR,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
			    .nlmsg_seq = 1 },
		.message = { .ifa_family = AF_UNSPEC, .ifa_index = inquiry->interface },
	};

	return netlink_dump(&question, sizeof(question), on_address, inquiry, &inquiry->is_torn);
}

static bool has_interface(const struct facts *facts, size_t n, uint32_t interface)
{
	for (size_t i = 0; i < n; i++)
		if (facts->routers[i].interface == interface)
			return true;
	return false;
}

/* The main table first: of a very large one only a part is read. */
static int fetch(struct facts *facts, bool *ret_is_torn)
{
	static const uint32_t tables[] = { RT_TABLE_MAIN, RT_TABLE_UNSPEC };
	static const int families[] = { AF_INET, AF_INET6 };
	struct inquiry inquiry = { .facts = facts };
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		for (size_t j = 0; j < ARRAY_LEN(families) && r >= 0; j++)
			r = fetch_routes(&inquiry, families[j], tables[i]);
	for (size_t i = 0; i < facts->n_routers && r >= 0; i++) {
		fetch_link(&facts->routers[i]);
		inquiry.interface = facts->routers[i].interface;
		if (!has_interface(facts, i, inquiry.interface))
			r = fetch_prefixes(&inquiry);
	}
	*ret_is_torn = inquiry.is_torn;
	return r;
}

/* How alike two routers are: 0: they are others; 2: the same; 1: as far as is known. */
static unsigned int compare_routers(const struct router *a, const struct router *b)
{
	if (a->family != b->family || !address_equal(&a->gateway, &b->gateway))
		return 0;
	if (a->link_len == 0 || b->link_len == 0)
		return 1;
	return a->link_len == b->link_len && memcmp(a->link, b->link, a->link_len) == 0 ? 2 : 0;
}

/* Whether each router of a has its own one in b, the most alike first; *ret_pairs[i]: which. */
static bool pair_routers(const struct facts *a, const struct facts *b,
			 size_t ret_pairs[ROUTERS_MAX])
{
	bool is_taken[ROUTERS_MAX] = { false }, is_paired[ROUTERS_MAX] = { false };
	size_t n = 0;

	if (a->n_routers != b->n_routers)
		return false;
	for (unsigned int likeness = 2; likeness > 0; likeness--)
		for (size_t i = 0; i < a->n_routers; i++)
			for (size_t j = 0; j < b->n_routers && !is_paired[i]; j++)
				if (!is_taken[j] &&
				    compare_routers(&a->routers[i], &b->routers[j]) == likeness) {
					is_taken[j] = is_paired[i] = true;
					ret_pairs[i] = j;
					n++;
				}
	return n == a->n_routers;
}

static bool are_prefixes_equal(const struct facts *a, const struct facts *b)
{
	if (a->n_prefixes != b->n_prefixes)
		return false;
	for (size_t i = 0; i < a->n_prefixes; i++)
		if (compare_prefixes(&a->prefixes[i], &b->prefixes[i]) != 0)
			return false;
	return true;
}

/* What was known of a network before stays known. */
static void complete(struct facts *facts, const struct facts *before,
		     const size_t pairs[ROUTERS_MAX])
{
	for (size_t i = 0; i < facts->n_routers; i++) {
		const struct router *router = &before->routers[pairs[i]];

		if (facts->routers[i].link_len > 0)
			continue;
		memcpy(facts->routers[i].link, router->link, sizeof(router->link));
		facts->routers[i].link_len = router->link_len;
	}
}

/* Of the networks that this one may be, the one that was there last; else the place of a new one. */
static struct known *find_known(struct network *network, struct facts *facts)
{
	struct known *found = NULL, *oldest = &network->known[0];
	size_t pairs[ROUTERS_MAX];

	for (size_t i = 0; i < NETWORKS_MAX; i++) {
		struct known *known = &network->known[i];

		if (known->used < oldest->used)
			oldest = known;
		if (known->id != 0 && (!found || known->used > found->used) &&
		    are_prefixes_equal(facts, &known->facts) &&
		    pair_routers(facts, &known->facts, pairs))
			found = known;
	}
	if (found && pair_routers(facts, &found->facts, pairs))
		complete(facts, &found->facts, pairs);
	if (found)
		return found;
	*oldest = (struct known){ .id = ++network->last_id };
	return oldest;
}

static bool is_link_missing(const struct facts *facts)
{
	for (size_t i = 0; i < facts->n_routers; i++)
		if (facts->routers[i].link_len == 0)
			return true;
	return false;
}

static void note(struct network *network, const struct facts *found)
{
	struct facts facts = *found;

	network->current = find_known(network, &facts);
	network->current->used = ++network->n_used;
	network->current->facts = facts;
}

static void take_news(struct network *network)
{
	if (!netlink_take_news(network->news, NULL, NULL))
		return;
	network->is_stale = true;
	network->n_looks_left = LOOK_AGAIN_MAX;
	/* Who took them from the socket tells those who would have heard of them there. */
	if (!LIST_EMPTY(&network->watches) && network->event)
		event_active(network->event, EV_READ, 0);
}

static bool open_news(struct network *network)
{
	if (network->news < 0) {
		network->news = netlink_open(GROUPS);
		network->is_stale = true;
	}
	return network->news >= 0;
}

static void refresh(struct network *network)
{
	struct facts facts = { 0 };
	uint64_t began_us, now_us;
	bool is_torn = false;
	int r;

	/* Without news a copy would be wrong some day, and nobody would know. */
	if (!open_news(network))
		return;
	take_news(network);
	if (!network->is_stale && network->n_looks_left == 0)
		return;
	began_us = clock_now_us();
	if (began_us < network->pause_until_us ||
	    (!network->is_stale && began_us < network->look_again_us))
		return;
	r = fetch(&facts, &is_torn);
	now_us = clock_now_us();
	network->pause_until_us = now_us + PAUSE_SHARE * (now_us - began_us);
	if (r < 0)
		return;
	if (!network->is_stale)
		network->n_looks_left--;
	if (!is_link_missing(&facts))
		network->n_looks_left = 0;
	network->look_again_us = now_us + LOOK_AGAIN_US;
	network->is_stale = is_torn;
	note(network, &facts);
}

/* A watch may leave, and others come and leave, while it is told. */
static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct network *network = arg;
	struct network_watch *watch = LIST_FIRST(&network->watches);

	(void)what;
	if (netlink_take_news(fd, NULL, NULL)) {
		network->is_stale = true;
		network->n_looks_left = LOOK_AGAIN_MAX;
	}
	while (watch) {
		network->next = LIST_NEXT(watch, link);
		watch->changed(watch->arg);
		watch = network->next;
	}
}

int network_new(struct network **ret, struct event_base *base)
{
	struct network *network = calloc(1, sizeof(*network));

	if (!network)
		return -ENOMEM;
	network->base = base;
	network->news = -1;
	network->n_looks_left = LOOK_AGAIN_MAX;
	note(network, &(struct facts){ 0 });
	(void)open_news(network);
	*ret = network;
	return 0;
}

struct network *network_free(struct network *network)
{
	if (!network)
		return NULL;
	if (network->event)
		event_free(network->event);
	(void)close_fd(network->news);
	free(network);
	return NULL;
}

uint64_t network_get_id(struct network *network)
{
	refresh(network);
	return network->current->id;
}

bool network_has_default(struct network *network, int family)
{
	refresh(network);
	return network->current->facts.has_default[family == AF_INET6];
}

/* Old news are not for those who come now. Memory or descriptors may be missing: then who comes next tries again. */
static void listen_for_news(struct network *network)
{
	if (!open_news(network))
		return;
	if (netlink_take_news(network->news, NULL, NULL)) {
		network->is_stale = true;
		network->n_looks_left = LOOK_AGAIN_MAX;
	}
	if (!network->event)
		network->event = event_new(network->base, network->news, EV_READ | EV_PERSIST,
					   on_readable, network);
	if (network->event)
		(void)event_add(network->event, NULL);
}

void network_watch(struct network *network, struct network_watch *watch, void (*changed)(void *arg),
		   void *arg)
{
	if (LIST_EMPTY(&network->watches) || !network->event)
		listen_for_news(network);
	watch->changed = changed;
	watch->arg = arg;
	LIST_INSERT_HEAD(&network->watches, watch, link);
}

void network_unwatch(struct network *network, struct network_watch *watch)
{
	if (!watch->changed)
		return;
	if (network->next == watch)
		network->next = LIST_NEXT(watch, link);
	LIST_REMOVE(watch, link);
	watch->changed = NULL;
	if (LIST_EMPTY(&network->watches) && network->event)
		(void)event_del(network->event);
}
