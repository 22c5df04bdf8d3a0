/* SPDX-License-Identifier: MIT */
#include "daemon/resolve/synthetic.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#define FOUND_MAX   64
#define REPLY_BYTES (32 * 1024) /* what the kernel puts into one datagram of a dump */
/*
 * How many of them are read: 2 MiB. A router of the internet has a hundred times that. The kernel tells a table from its
 * shortest prefix on, so the default routes come first.
 */
#define REPLIES_MAX 64
#define OWN_BAD	    (IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED)

/* What was found, the smallest key first, those of one key in the order of the kernel. */
struct found {
	struct {
		struct address address;
		uint32_t key;
	} items[FOUND_MAX];
	size_t n;
};

struct span {
	const char *bytes;
	size_t len;
};

typedef void message_fn(const struct nlmsghdr *header, struct span body, struct found *found);

static void add(struct found *found, const struct address *address, uint32_t key)
{
	size_t i = found->n;

	for (size_t j = 0; j < found->n; j++)
		if (address_equal(&found->items[j].address, address))
			return;
	if (found->n == FOUND_MAX)
		return;
	for (; i > 0 && found->items[i - 1].key > key; i--)
		found->items[i] = found->items[i - 1];
	found->items[i].address = *address;
	found->items[i].key = key;
	found->n++;
}

/* Behind the first len bytes, which there must be. */
static struct span behind(struct span span, size_t len)
{
	len = NLMSG_ALIGN(len);
	return span.len > len ? (struct span){ span.bytes + len, span.len - len }
			      : (struct span){ 0 };
}

/* The value of the attribute; bytes NULL: it is not there. */
static struct span find_attribute(struct span attributes, unsigned short type)
{
	struct rtattr head;

	for (; attributes.len >= sizeof(head); attributes = behind(attributes, head.rta_len)) {
		memcpy(&head, attributes.bytes, sizeof(head));
		if (head.rta_len < sizeof(head) || head.rta_len > attributes.len)
			break;
		if (head.rta_type == type)
			return (struct span){ attributes.bytes + sizeof(head),
					      head.rta_len - sizeof(head) };
	}
	return (struct span){ 0 };
}

static uint32_t find_number(struct span attributes, unsigned short type, uint32_t otherwise)
{
	struct span value = find_attribute(attributes, type);

	if (value.len == sizeof(otherwise))
		memcpy(&otherwise, value.bytes, sizeof(otherwise));
	return otherwise;
}

/* false: that is no address. */
static bool read_address(struct span value, int family, uint32_t interface, struct address *ret)
{
	struct address address = { .family = family };

	if (value.len == 0 || value.len != address_len(&address))
		return false;
	memcpy(address.bytes, value.bytes, value.len);
	if (family == AF_INET6 && address.bytes[0] == 0xfe && (address.bytes[1] & 0xc0) == 0x80)
		address.scope = interface;
	*ret = address;
	return true;
}

static void on_address(const struct nlmsghdr *header, struct span body, struct found *found)
{
	struct ifaddrmsg message;
	struct span attributes = behind(body, sizeof(message));
	struct span value = find_attribute(attributes, IFA_LOCAL); /* else it is the peer's */
	struct address address;

	if (header->nlmsg_type != RTM_NEWADDR || body.len < sizeof(message))
		return;
	memcpy(&message, body.bytes, sizeof(message));
	if (!value.bytes)
		value = find_attribute(attributes, IFA_ADDRESS);
	if (message.ifa_scope >= RT_SCOPE_LINK ||
	    (find_number(attributes, IFA_FLAGS, message.ifa_flags) & OWN_BAD) != 0)
		return;
	if (read_address(value, message.ifa_family, message.ifa_index, &address))
		add(found, &address, message.ifa_scope);
}

/* One next hop, of the route itself or of several. */
static void add_hop(struct found *found, int family, struct span attributes, uint32_t interface,
		    uint32_t metric)
{
	struct span value = find_attribute(attributes, RTA_GATEWAY);
	struct span via = find_attribute(attributes, RTA_VIA); /* of the other family */
	struct address address;
	sa_family_t via_family;

	if (!value.bytes && via.len > sizeof(via_family)) {
		memcpy(&via_family, via.bytes, sizeof(via_family));
		family = via_family;
		value = (struct span){ via.bytes + sizeof(via_family),
				       via.len - sizeof(via_family) };
	}
	if (read_address(value, family, interface, &address))
		add(found, &address, metric);
}

static void add_hops(struct found *found, int family, struct span hops, uint32_t metric)
{
	struct rtnexthop hop;

	for (; hops.len >= sizeof(hop); hops = behind(hops, hop.rtnh_len)) {
		memcpy(&hop, hops.bytes, sizeof(hop));
		if (hop.rtnh_len < sizeof(hop) || hop.rtnh_len > hops.len)
			return;
		if ((hop.rtnh_flags & RTNH_F_DEAD) == 0)
			add_hop(found, family,
				behind((struct span){ hops.bytes, hop.rtnh_len }, sizeof(hop)),
				(uint32_t)hop.rtnh_ifindex, metric);
	}
}

static void on_route(const struct nlmsghdr *header, struct span body, struct found *found)
{
	struct rtmsg message;
	struct span attributes = behind(body, sizeof(message));
	uint32_t metric = find_number(attributes, RTA_PRIORITY, 0);

	if (header->nlmsg_type != RTM_NEWROUTE || body.len < sizeof(message))
		return;
	memcpy(&message, body.bytes, sizeof(message));
	if (message.rtm_dst_len > 0 || message.rtm_src_len > 0 || message.rtm_tos > 0 ||
	    message.rtm_type != RTN_UNICAST ||
	    (message.rtm_flags & (RTM_F_CLONED | RTNH_F_DEAD)) != 0 ||
	    find_number(attributes, RTA_TABLE, message.rtm_table) != RT_TABLE_MAIN)
		return;
	add_hop(found, message.rtm_family, attributes, find_number(attributes, RTA_OIF, 0), metric);
	add_hops(found, message.rtm_family, find_attribute(attributes, RTA_MULTIPATH), metric);
}

/* Takes one datagram of a dump apart. Answers whether there is more to come. */
static bool read_messages(struct span reply, message_fn *on_message, struct found *found)
{
	struct nlmsghdr header;

	for (; reply.len >= sizeof(header); reply = behind(reply, header.nlmsg_len)) {
		memcpy(&header, reply.bytes, sizeof(header));
		if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > reply.len ||
		    header.nlmsg_type == NLMSG_DONE || header.nlmsg_type == NLMSG_ERROR)
			return false;
		on_message(&header,
			   behind((struct span){ reply.bytes, header.nlmsg_len }, sizeof(header)),
			   found);
	}
	return true;
}

/* Whatever goes wrong, there is then less to be found. */
static void dump(const void *request, size_t len, message_fn *on_message, struct found *found)
{
	CLEANUP(fd_closep)
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	char reply[REPLY_BYTES];
	bool more = true;
	int on = 1;

	if (fd < 0)
		return;
	/* The kernel then leaves out other tables; an old one does not, and on_route does. */
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	if (send(fd, request, len, 0) != (ssize_t)len)
		return;
	for (int i = 0; more && i < REPLIES_MAX; i++) {
		ssize_t n = recv(fd, reply, sizeof(reply), 0);

		more = n > 0 && read_messages((struct span){ reply, (size_t)n }, on_message, found);
	}
}

static void find_own(struct found *found)
{
	const struct {
		struct nlmsghdr header;
		struct ifaddrmsg message;
	} request = {
		.header = { .nlmsg_len = sizeof(request),
			    .nlmsg_type = RTM_GETADDR,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.message = { .ifa_family = AF_UNSPEC },
	};
	const struct address v6 = { .family = AF_INET6, .bytes = { [15] = 1 } };
	const struct address v4 = { .family = AF_INET, .bytes = { 127, 0, 0, 2 } };

	dump(&request, sizeof(request), on_address, found);
	if (found->n > 0)
		return;
	add(found, &v6, 0);
	add(found, &v4, 0);
}

static void find_gateways(struct found *found, int family)
{
	const struct {
		struct nlmsghdr header;
		struct rtmsg message;
	} request = {
		.header = { .nlmsg_len = sizeof(request),
			    .nlmsg_type = RTM_GETROUTE,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.message = { .rtm_family = (unsigned char)family,
			     .rtm_table = RT_TABLE_MAIN,
			     .rtm_type = RTN_UNICAST },
	};

	dump(&request, sizeof(request), on_route, found);
}

static void find_localhost(struct found *found)
{
	const struct address v6 = { .family = AF_INET6, .bytes = { [15] = 1 } };
	const struct address v4 = { .family = AF_INET, .bytes = { 127, 0, 0, 1 } };

	add(found, &v6, 0);
	add(found, &v4, 0);
}

size_t synthetic_lookup(enum name_kind kind, struct address *ret, size_t max)
{
	struct found found = { .n = 0 };
	size_t n = 0;

	switch (kind) {
	case NAME_LOCALHOST:
		find_localhost(&found);
		break;
	case NAME_OWN:
		find_own(&found);
		break;
	case NAME_GATEWAY:
		find_gateways(&found, AF_INET6);
		find_gateways(&found, AF_INET);
		break;
	case NAME_HOST:
	case NAME_LITERAL:
	case NAME_LOCAL:
	case NAME_NEVER:
		break;
	}
	for (; n < found.n && n < max; n++)
		ret[n] = found.items[n].address;
	return n;
}
