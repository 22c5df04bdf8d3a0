/* SPDX-License-Identifier: MIT */
#include "daemon/base/netlink.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#define REPLY_BYTES (32 * 1024) /* what the kernel puts into one datagram of a dump */
/*
 * How many of them are read. A router of the internet has a hundred times that. The kernel tells an IPv4 table from its
 * shortest prefix on, so the default routes come first.
 */
#define REPLIES_MAX 64
#define NEWS_MAX    64 /* taken at once; what is left is taken the next time */
#define NEWS_BYTES  8192

union reply {
	struct nlmsghdr header;
	char bytes[REPLY_BYTES];
};

int netlink_open(uint32_t groups)
{
	CLEANUP(fd_closep)
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	struct sockaddr_nl name = { .nl_family = AF_NETLINK, .nl_groups = groups };
	int least = 1;

	if (fd < 0)
		return -errno;
	if (groups == 0)
		return take_fd(&fd);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least));
	return bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0 ? -errno : take_fd(&fd);
}

bool netlink_take_news(int fd, netlink_news_fn *on_news, void *arg)
{
	union {
		struct nlmsghdr header;
		char bytes[64]; /* beside its type, what one says does not matter */
	} news;
	bool has_news = false;

	for (int i = 0; i < NEWS_MAX; i++) {
		ssize_t n = recv(fd, &news, sizeof(news), 0);

		if (n < 0 && errno != ENOBUFS)
			break;
		has_news = true;
		if (on_news)
			on_news(n < (ssize_t)sizeof(news.header) ? 0 : news.header.nlmsg_type, arg);
	}
	return has_news;
}

/* Behind the first len bytes, which there must be. */
static struct netlink_span behind(struct netlink_span span, size_t len)
{
	len = NLMSG_ALIGN(len);
	return span.len > len ? (struct netlink_span){ span.bytes + len, span.len - len }
			      : (struct netlink_span){ 0 };
}

bool netlink_take(struct netlink_span *span, void *ret, size_t len)
{
	if (span->len < len)
		return false;
	memcpy(ret, span->bytes, len);
	*span = behind(*span, len);
	return true;
}

/* Takes one datagram of a dump apart. 0: there is more to come; 1: that was the end; what on_message says. */
static int read_messages(struct netlink_span reply, netlink_message_fn *on_message, void *arg,
			 bool *ret_is_torn)
{
	struct nlmsghdr header;

	for (; reply.len >= sizeof(header); reply = behind(reply, header.nlmsg_len)) {
		int r;

		memcpy(&header, reply.bytes, sizeof(header));
		if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > reply.len ||
		    header.nlmsg_type == NLMSG_ERROR)
			return -EIO;
		if (header.nlmsg_flags & NLM_F_DUMP_INTR)
			*ret_is_torn = true;
		if (header.nlmsg_type == NLMSG_DONE)
			return 1;
		r = on_message(header.nlmsg_type,
			       behind((struct netlink_span){ reply.bytes, header.nlmsg_len },
				      sizeof(header)),
			       arg);
		if (r != 0)
			return r;
	}
	return 0;
}

bool netlink_read_news(int fd, netlink_message_fn *on_message, void *arg)
{
	bool is_whole = true, is_torn;
	char bytes[NEWS_BYTES];

	for (int i = 0; i < NEWS_MAX; i++) {
		struct sockaddr_nl from = { .nl_pid = UINT32_MAX };
		socklen_t from_len = sizeof(from);
		ssize_t n =
			recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &from_len);
		int r;

		if (n < 0 && errno != ENOBUFS)
			break;
		is_whole = is_whole && n >= 0;
		/* Whoever may do so can send here, too. */
		if (n < 0 || from.nl_pid != 0)
			continue;
		r = read_messages((struct netlink_span){ bytes, (size_t)n }, on_message, arg,
				  &is_torn);
		(void)r; /* of one that is cut nothing is read */
	}
	return is_whole;
}

int netlink_dump(const void *question, size_t len, netlink_message_fn *on_message, void *arg,
		 bool *ret_is_torn)
{
	CLEANUP(fd_closep) int fd = netlink_open(0);
	union reply reply;
	int on = 1, r = 0;

	if (fd < 0)
		return -EIO;
	/* The kernel then leaves out what was not asked for; an old one does not, so who asks has to look. */
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	if (send(fd, question, len, 0) != (ssize_t)len)
		return -EIO;
	for (int i = 0; r == 0 && i < REPLIES_MAX; i++) {
		ssize_t n = recv(fd, &reply, sizeof(reply), 0);

		if (n <= 0)
			return -EIO;
		r = read_messages((struct netlink_span){ reply.bytes, (size_t)n }, on_message, arg,
				  ret_is_torn);
	}
	return r;
}

int netlink_ask(const void *question, size_t len, netlink_message_fn *on_message, void *arg)
{
	CLEANUP(fd_closep) int fd = netlink_open(0);
	union reply reply;
	struct netlink_span body;
	ssize_t n;

	if (fd < 0 || send(fd, question, len, 0) != (ssize_t)len)
		return -EIO;
	n = recv(fd, &reply, sizeof(reply), 0);
	if (n < (ssize_t)sizeof(reply.header) || reply.header.nlmsg_len < sizeof(reply.header))
		return -EIO;
	if ((size_t)n > reply.header.nlmsg_len)
		n = reply.header.nlmsg_len;
	body = behind((struct netlink_span){ reply.bytes, (size_t)n }, sizeof(reply.header));
	if (reply.header.nlmsg_type == NLMSG_ERROR) {
		int error;

		return netlink_take(&body, &error, sizeof(error)) && error < 0 ? error : -EIO;
	}
	return on_message(reply.header.nlmsg_type, body, arg);
}

/* The value of the first attribute; false: there is none any more. */
static bool next_attribute(struct netlink_span *attributes, unsigned short *ret_type,
			   struct netlink_span *ret)
{
	struct rtattr head;

	if (attributes->len < sizeof(head))
		return false;
	memcpy(&head, attributes->bytes, sizeof(head));
	if (head.rta_len < sizeof(head) || head.rta_len > attributes->len)
		return false;
	*ret_type = head.rta_type;
	*ret = (struct netlink_span){ attributes->bytes + sizeof(head),
				      head.rta_len - sizeof(head) };
	*attributes = behind(*attributes, head.rta_len);
	return true;
}

struct netlink_span netlink_find(struct netlink_span attributes, unsigned short type)
{
	struct netlink_span value;
	unsigned short found;

	while (next_attribute(&attributes, &found, &value))
		if (found == type)
			return value;
	return (struct netlink_span){ 0 };
}

uint32_t netlink_find_number(struct netlink_span attributes, unsigned short type,
			     uint32_t otherwise)
{
	struct netlink_span value = netlink_find(attributes, type);

	if (value.len == sizeof(otherwise))
		memcpy(&otherwise, value.bytes, sizeof(otherwise));
	return otherwise;
}

bool netlink_read_address(struct netlink_span value, int family, uint32_t interface,
			  struct address *ret)
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

/* Of the route itself, or of one of several ways. */
static struct netlink_hop read_hop(struct netlink_span attributes, int family, uint32_t interface)
{
	struct netlink_hop hop = { .interface = interface };
	struct netlink_span value = netlink_find(attributes, RTA_GATEWAY);
	struct netlink_span via = netlink_find(attributes, RTA_VIA); /* of the other family */
	sa_family_t via_family;

	if (!value.bytes && via.len > sizeof(via_family)) {
		memcpy(&via_family, via.bytes, sizeof(via_family));
		family = via_family;
		value = (struct netlink_span){ via.bytes + sizeof(via_family),
					       via.len - sizeof(via_family) };
	}
	(void)netlink_read_address(value, family, interface, &hop.gateway);
	return hop;
}

size_t netlink_read_hops(struct netlink_span attributes, int family, struct netlink_hop *ret,
			 size_t max)
{
	struct netlink_span ways = netlink_find(attributes, RTA_MULTIPATH);
	struct rtnexthop way;
	size_t n = 0;

	if (!ways.bytes && max > 0)
		ret[n++] =
			read_hop(attributes, family, netlink_find_number(attributes, RTA_OIF, 0));
	for (; ways.len >= sizeof(way) && n < max; ways = behind(ways, way.rtnh_len)) {
		struct netlink_span all = ways;

		memcpy(&way, ways.bytes, sizeof(way));
		if (way.rtnh_len < sizeof(way) || way.rtnh_len > ways.len)
			break;
		all.len = way.rtnh_len;
		if ((way.rtnh_flags & RTNH_F_DEAD) == 0)
			ret[n++] = read_hop(behind(all, sizeof(way)), family,
					    (uint32_t)way.rtnh_ifindex);
	}
	return n;
}
