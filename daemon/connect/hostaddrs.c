/* SPDX-License-Identifier: MIT */
/*
 * A copy of the kernel's list of addresses (RTM_GETADDR), and a socket on which the kernel says that something of it has
 * changed (RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR), or of interfaces, routes and rules, which is told on. Each look first takes what came there, which is one recv() that
 * finds nothing most of the time; news of addresses make the copy stale, and a stale copy is fetched anew. News that did not fit
 * into the socket's buffer are news too (ENOBUFS), so the buffer is as small as can be and nobody has to empty it while
 * the daemon is idle.
 *
 * The news are not applied one by one: a list that is read whole cannot drift away from the kernel's. Where addresses
 * come and go all the time, as on hosts of containers, that must not eat the loop's time, so a fetch is followed by a
 * pause of ten times what it took: a tenth of the time at most. Until then the old copy serves, and at worst an address
 * that is usable all the same is tried a little early or late. What one fetch can take is bounded by HOSTADDRS_MAX: the
 * kernel writes the list while it is read, and stops when the socket is closed.
 *
 * The kind of an interface is asked for when an address of it is used for the first time (RTM_GETLINK): few are, and the
 * list of interfaces is the largest that rtnetlink has. It stays what it is for as long as the interface has this
 * address.
 *
 * rtnetlink answers while it is asked, so nothing here waits; see connect/route.
 */
#include "daemon/connect/hostaddrs.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/base/clock.h"
#include "daemon/base/netlink.h"

#define PAUSE_SHARE 10
#define GROUPS                                                                     \
	(NETLINK_GROUP(RTNLGRP_IPV4_IFADDR) | NETLINK_GROUP(RTNLGRP_IPV6_IFADDR) | \
	 NETLINK_GROUP(RTNLGRP_LINK) | NETLINK_GROUP(RTNLGRP_IPV4_ROUTE) |         \
	 NETLINK_GROUP(RTNLGRP_IPV6_ROUTE) | NETLINK_GROUP(RTNLGRP_IPV4_RULE) |    \
	 NETLINK_GROUP(RTNLGRP_IPV6_RULE))

enum link_kind {
	LINK_UNASKED,
	LINK_NATIVE,
	LINK_TUNNEL
};

struct entry {
	struct address address; /* its scope is always 0 */
	uint32_t interface;
	uint8_t prefix_len;
	uint8_t flags; /* IFA_F_… */
	enum link_kind kind;
};

struct list {
	struct entry *entries; /* owned */
	size_t n, allocated;
};

struct hostaddrs {
	int news;	 /* owned; < 0: could not be had yet */
	uint64_t n_news; /* looks that found some */
	bool is_stale;
	uint64_t pause_until_us;
	struct list list;
};

static void list_done(struct list *list)
{
	free(list->entries);
	*list = (struct list){ 0 };
}

static int add_entry(struct list *list, const struct entry *entry)
{
	if (list->n == list->allocated) {
		size_t allocated = list->allocated > 0 ? 2 * list->allocated : 16;
		struct entry *entries =
			reallocarray(list->entries, allocated, sizeof(*list->entries));

		if (!entries)
			return -ENOMEM;
		list->entries = entries;
		list->allocated = allocated;
	}
	list->entries[list->n++] = *entry;
	return 0;
}

/* On a point-to-point interface IFA_ADDRESS is the other end, and IFA_LOCAL our own. */
static int on_address(uint16_t type, struct netlink_span body, void *arg)
{
	struct list *list = arg;
	struct ifaddrmsg message;
	struct netlink_span value;
	struct entry entry = { 0 };
	int r;

	if (type != RTM_NEWADDR)
		return 0;
	if (!netlink_take(&body, &message, sizeof(message)))
		return -EIO;
	value = netlink_find(body, IFA_LOCAL);
	if (!value.bytes)
		value = netlink_find(body, IFA_ADDRESS);
	if (!netlink_read_address(value, message.ifa_family, 0, &entry.address))
		return 0;
	entry.interface = message.ifa_index;
	entry.prefix_len = message.ifa_prefixlen;
	entry.flags = message.ifa_flags;
	r = add_entry(list, &entry);
	return r == 0 && list->n == HOSTADDRS_MAX ? 1 : r;
}

static int fetch(struct list *list, bool *ret_is_torn)
{
	const struct {
		struct nlmsghdr header;
		struct ifaddrmsg message;
	} question = {
		.header = { .nlmsg_len = sizeof(question),
			    .nlmsg_type = RTM_GETADDR,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
			    .nlmsg_seq = 1 },
		.message = { .ifa_family = AF_UNSPEC },
	};

	return netlink_dump(&question, sizeof(question), on_address, list, ret_is_torn);
}

/* News of addresses, and those that did not fit, make the copy stale. */
static void on_news(uint16_t type, void *arg)
{
	struct hostaddrs *hostaddrs = arg;

	if (type == 0 || type == RTM_NEWADDR || type == RTM_DELADDR)
		hostaddrs->is_stale = true;
}

static void refresh(struct hostaddrs *hostaddrs)
{
	CLEANUP(list_done) struct list list = { 0 };
	uint64_t began_us, now_us;
	bool is_torn = false;
	int r;

	if (hostaddrs->news < 0)
		hostaddrs->news = netlink_open(GROUPS);
	/* Without news a copy would be wrong some day, and nobody would know. */
	if (hostaddrs->news < 0)
		return;
	if (netlink_take_news(hostaddrs->news, on_news, hostaddrs))
		hostaddrs->n_news++;
	began_us = hostaddrs->is_stale ? clock_now_us() : 0;
	if (!hostaddrs->is_stale || began_us < hostaddrs->pause_until_us)
		return;
	r = fetch(&list, &is_torn);
	now_us = clock_now_us();
	hostaddrs->pause_until_us = now_us + PAUSE_SHARE * (now_us - began_us);
	if (r < 0)
		return;
	list_done(&hostaddrs->list);
	hostaddrs->list = list;
	list = (struct list){ 0 };
	hostaddrs->is_stale = is_torn;
}

int hostaddrs_new(struct hostaddrs **ret)
{
	CLEANUP(hostaddrs_freep) struct hostaddrs *hostaddrs = calloc(1, sizeof(*hostaddrs));

	if (!hostaddrs)
		return -ENOMEM;
	hostaddrs->is_stale = true;
	hostaddrs->news = netlink_open(GROUPS);
	*ret = TAKE_PTR(hostaddrs);
	return 0;
}

struct hostaddrs *hostaddrs_free(struct hostaddrs *hostaddrs)
{
	if (!hostaddrs)
		return NULL;
	(void)close_fd(hostaddrs->news);
	list_done(&hostaddrs->list);
	free(hostaddrs);
	return NULL;
}

/*
 * Those that carry IP in IP and so may be a way around a network that is not there (RFC 4213, 3056, 2473). GRE and what
 * has no type of its own (tun, WireGuard) are links that somebody has built to be used.
 */
static enum link_kind kind_of(unsigned short type)
{
	return type == ARPHRD_TUNNEL || type == ARPHRD_TUNNEL6 || type == ARPHRD_SIT ? LINK_TUNNEL
										     : LINK_NATIVE;
}

static int on_link(uint16_t type, struct netlink_span body, void *arg)
{
	enum link_kind *kind = arg;
	struct ifinfomsg message;

	if (type == RTM_NEWLINK && netlink_take(&body, &message, sizeof(message)))
		*kind = kind_of(message.ifi_type);
	return 0;
}

static enum link_kind ask_kind(uint32_t interface)
{
	const struct {
		struct nlmsghdr header;
		struct ifinfomsg message;
	} question = {
		.header = { .nlmsg_len = sizeof(question),
			    .nlmsg_type = RTM_GETLINK,
			    .nlmsg_flags = NLM_F_REQUEST,
			    .nlmsg_seq = 1 },
		.message = { .ifi_family = AF_UNSPEC, .ifi_index = (int)interface },
	};
	enum link_kind kind = LINK_UNASKED;
	int r = netlink_ask(&question, sizeof(question), on_link, &kind);

	return r < 0 ? LINK_UNASKED : kind;
}

static struct entry *find(struct hostaddrs *hostaddrs, const struct address *address)
{
	struct address wanted = { .family = address->family };

	memcpy(wanted.bytes, address->bytes, sizeof(wanted.bytes));
	if (wanted.family == AF_INET && wanted.bytes[0] == 127)
		memcpy(wanted.bytes, (const uint8_t[]){ 127, 0, 0, 1 }, 4);
	for (size_t i = 0; i < hostaddrs->list.n; i++) {
		struct entry *entry = &hostaddrs->list.entries[i];

		if (address_equal(&entry->address, &wanted) &&
		    (address->scope == 0 || address->scope == entry->interface))
			return entry;
	}
	return NULL;
}

uint64_t hostaddrs_refresh(struct hostaddrs *hostaddrs)
{
	refresh(hostaddrs);
	return hostaddrs->n_news;
}

void hostaddrs_find(struct hostaddrs *hostaddrs, const struct address *address,
		    struct hostaddrs_facts *ret)
{
	struct entry *entry;

	*ret = (struct hostaddrs_facts){ 0 };
	if (address_len(address) == 0)
		return;
	refresh(hostaddrs);
	entry = find(hostaddrs, address);
	if (!entry)
		return;
	if (entry->kind == LINK_UNASKED)
		entry->kind = ask_kind(entry->interface);
	*ret = (struct hostaddrs_facts){
		.prefix_len = entry->prefix_len,
		.is_deprecated = entry->flags & (IFA_F_DEPRECATED | IFA_F_OPTIMISTIC),
		.is_home = entry->flags & IFA_F_HOMEADDRESS,
		.is_tunnel = entry->kind == LINK_TUNNEL,
	};
}
