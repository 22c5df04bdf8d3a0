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

#define DUMP_BYTES \
	(16 *      \
	 1024) /* the kernel writes no more than 8 KiB at a time to who has not read more before */
#define NEWS_MAX      64 /* taken in one look; what is left makes the next look fetch again */
#define PAUSE_SHARE   10
#define GROUP(number) (UINT32_C(1) << ((number)-1))
#define GROUPS                                                                              \
	(GROUP(RTNLGRP_IPV4_IFADDR) | GROUP(RTNLGRP_IPV6_IFADDR) | GROUP(RTNLGRP_LINK) |    \
	 GROUP(RTNLGRP_IPV4_ROUTE) | GROUP(RTNLGRP_IPV6_ROUTE) | GROUP(RTNLGRP_IPV4_RULE) | \
	 GROUP(RTNLGRP_IPV6_RULE))

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
	int news;	 /* owned; -1: could not be had yet */
	uint64_t n_news; /* looks that found some */
	bool is_stale;
	uint64_t pause_until_us;
	struct list list;
};

/* One message from the kernel, or several. */
union reply {
	struct nlmsghdr header;
	char bytes[DUMP_BYTES];
};

static void list_done(struct list *list)
{
	free(list->entries);
	*list = (struct list){ 0 };
}

static int open_socket(uint32_t groups)
{
	CLEANUP(fd_closep)
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	struct sockaddr_nl name = { .nl_family = AF_NETLINK, .nl_groups = groups };
	int least = 1;

	if (fd < 0 || groups == 0)
		return take_fd(&fd);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least));
	return bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0 ? -1 : take_fd(&fd);
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

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The attribute at the beginning of len bytes; NULL: there is no whole one. */
static const struct rtattr *get_attribute(const char *bytes, size_t len)
{
	const struct rtattr *attribute = (const void *)bytes;

	return len >= sizeof(*attribute) && attribute->rta_len >= sizeof(*attribute) &&
			       attribute->rta_len <= len
		       ? attribute
		       : NULL;
}

/* On a point-to-point interface IFA_ADDRESS is the other end, and IFA_LOCAL our own. */
static void read_attributes(const char *bytes, size_t len, struct address *address)
{
	size_t address_bytes = address_len(address);
	const struct rtattr *attribute;

	while ((attribute = get_attribute(bytes, len)) != NULL) {
		size_t step = min_size(RTA_ALIGN(attribute->rta_len), len);

		if (attribute->rta_len >= RTA_LENGTH(address_bytes) &&
		    (attribute->rta_type == IFA_LOCAL || attribute->rta_type == IFA_ADDRESS))
			memcpy(address->bytes, bytes + RTA_LENGTH(0), address_bytes);
		if (attribute->rta_type == IFA_LOCAL)
			return;
		bytes += step;
		len -= step;
	}
}

static int read_address(struct list *list, const struct nlmsghdr *header)
{
	const struct ifaddrmsg *message = (const void *)((const char *)header + NLMSG_HDRLEN);
	struct entry entry = { 0 };

	if (header->nlmsg_len < NLMSG_SPACE(sizeof(*message)))
		return -EIO;
	entry.address.family = message->ifa_family;
	entry.interface = message->ifa_index;
	entry.prefix_len = message->ifa_prefixlen;
	entry.flags = message->ifa_flags;
	if (address_len(&entry.address) == 0)
		return 0;
	read_attributes((const char *)header + NLMSG_SPACE(sizeof(*message)),
			header->nlmsg_len - NLMSG_SPACE(sizeof(*message)), &entry.address);
	return add_entry(list, &entry);
}

/* 1 at the end of the list, 0 when more follows. */
static int read_addresses(struct list *list, const char *bytes, size_t len, bool *ret_is_torn)
{
	while (len >= sizeof(struct nlmsghdr)) {
		const struct nlmsghdr *header = (const void *)bytes;
		size_t step = min_size(NLMSG_ALIGN(header->nlmsg_len), len);
		int r = 0;

		if (header->nlmsg_len < sizeof(*header) || header->nlmsg_len > len)
			return -EIO;
		if (header->nlmsg_flags & NLM_F_DUMP_INTR)
			*ret_is_torn = true; /* it changed meanwhile */
		if (header->nlmsg_type == NLMSG_DONE)
			return 1;
		if (header->nlmsg_type == NLMSG_ERROR)
			return -EIO;
		if (header->nlmsg_type == RTM_NEWADDR)
			r = read_address(list, header);
		if (r < 0)
			return r;
		if (list->n == HOSTADDRS_MAX)
			return 1;
		bytes += step;
		len -= step;
	}
	return 0;
}

static int fetch(struct list *list, bool *ret_is_torn)
{
	CLEANUP(fd_closep) int fd = open_socket(0);
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
	union reply reply;
	int r = 0;

	if (fd < 0 || send(fd, &question, sizeof(question), 0) != (ssize_t)sizeof(question))
		return -EIO;
	while (r == 0) {
		ssize_t n = recv(fd, &reply, sizeof(reply), 0);

		if (n <= 0)
			return -EIO;
		r = read_addresses(list, reply.bytes, (size_t)n, ret_is_torn);
	}
	return r < 0 ? r : 0;
}

/* Whether something has changed, as far as the kernel has said. */
/* Whether there are any; those of addresses, and those that did not fit, make the copy stale. */
static bool take_news(struct hostaddrs *hostaddrs)
{
	union {
		struct nlmsghdr header;
		char bytes[64]; /* beside its type, what one says does not matter */
	} news;
	bool has_news = false;

	for (int i = 0; i < NEWS_MAX; i++) {
		ssize_t n = recv(hostaddrs->news, &news, sizeof(news), 0);

		if (n < 0 && errno != ENOBUFS)
			break;
		has_news = true;
		if (n < (ssize_t)sizeof(news.header) || news.header.nlmsg_type == RTM_NEWADDR ||
		    news.header.nlmsg_type == RTM_DELADDR)
			hostaddrs->is_stale = true;
	}
	return has_news;
}

static void refresh(struct hostaddrs *hostaddrs)
{
	CLEANUP(list_done) struct list list = { 0 };
	uint64_t began_us, now_us;
	bool is_torn = false;
	int r;

	if (hostaddrs->news < 0)
		hostaddrs->news = open_socket(GROUPS);
	/* Without news a copy would be wrong some day, and nobody would know. */
	if (hostaddrs->news < 0)
		return;
	if (take_news(hostaddrs))
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
	hostaddrs->news = open_socket(GROUPS);
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

/* Only the beginning of the answer is read. */
static enum link_kind ask_kind(uint32_t interface)
{
	CLEANUP(fd_closep) int fd = open_socket(0);
	struct {
		struct nlmsghdr header;
		struct ifinfomsg message;
	} question = {
		.header = { .nlmsg_len = sizeof(question),
			    .nlmsg_type = RTM_GETLINK,
			    .nlmsg_flags = NLM_F_REQUEST,
			    .nlmsg_seq = 1 },
		.message = { .ifi_family = AF_UNSPEC, .ifi_index = (int)interface },
	}, answer;

	if (fd < 0 || send(fd, &question, sizeof(question), 0) != (ssize_t)sizeof(question))
		return LINK_UNASKED;
	if (recv(fd, &answer, sizeof(answer), 0) != (ssize_t)sizeof(answer) ||
	    answer.header.nlmsg_type != RTM_NEWLINK)
		return LINK_UNASKED;
	return kind_of(answer.message.ifi_type);
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
