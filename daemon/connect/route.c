/* SPDX-License-Identifier: MIT */
/*
 * One question to the routing table over rtnetlink (RTM_GETROUTE, rtnetlink(7)). The kernel answers while it is asked, so
 * nothing here waits. The source address that a connected socket would get does not tell the same: for a secondary
 * address it is the primary one.
 */
#include "daemon/connect/route.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#define REPLY_BYTES 2048 /* a route with its metrics is a few hundred bytes */

struct question {
	struct nlmsghdr header;
	struct rtmsg route;
	struct rtattr attribute;
	uint8_t destination[16];
	struct rtattr scope_attribute;
	uint32_t scope; /* interface of a link-local destination */
};

static size_t build(const struct address *address, struct question *ret)
{
	size_t len = address_len(address);

	*ret = (struct question){
		.header = { .nlmsg_type = RTM_GETROUTE,
			    .nlmsg_flags = NLM_F_REQUEST,
			    .nlmsg_seq = 1 },
		.route = { .rtm_family = (unsigned char)address->family,
			   .rtm_dst_len = (unsigned char)(8 * len) },
		.attribute = { .rta_type = RTA_DST, .rta_len = (unsigned short)RTA_LENGTH(len) },
	};
	memcpy(ret->destination, address->bytes, len);
	len += offsetof(struct question, destination);
	if (address->scope >
	    0) { /* IPv6 only, so the destination fills its place and the attribute follows it */
		ret->scope_attribute = (struct rtattr){ .rta_type = RTA_OIF,
							.rta_len = RTA_LENGTH(sizeof(ret->scope)) };
		ret->scope = address->scope;
		len = sizeof(*ret);
	}
	ret->header.nlmsg_len = (uint32_t)len;
	return len;
}

/* RTN_… of the route, or -errno of the look-up. */
static int ask(const struct address *address)
{
	union {
		struct nlmsghdr header;
		char bytes[REPLY_BYTES];
	} reply;
	CLEANUP(fd_closep)
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	struct question question;
	size_t len = build(address, &question);
	ssize_t n;

	if (fd < 0)
		return -EIO;
	if (send(fd, &question, len, 0) != (ssize_t)len)
		return -EIO;
	n = recv(fd, &reply, sizeof(reply), 0);
	if (n < (ssize_t)sizeof(reply.header) || reply.header.nlmsg_len > (size_t)n)
		return -EIO;
	if (reply.header.nlmsg_type == NLMSG_ERROR &&
	    reply.header.nlmsg_len >= NLMSG_LENGTH(sizeof(struct nlmsgerr)))
		return ((const struct nlmsgerr *)NLMSG_DATA(&reply.header))->error;
	if (reply.header.nlmsg_type != RTM_NEWROUTE ||
	    reply.header.nlmsg_len < NLMSG_LENGTH(sizeof(struct rtmsg)))
		return -EIO;
	return ((const struct rtmsg *)NLMSG_DATA(&reply.header))->rtm_type;
}

bool route_is_own(const struct address *address)
{
	struct address plain = address_unmap(*address);

	switch (ask(&plain)) {
	case RTN_UNICAST:
	case RTN_BLACKHOLE:
	case RTN_UNREACHABLE:
	case RTN_PROHIBIT:
	case RTN_THROW:
	case -ENETUNREACH:
	case -EHOSTUNREACH:
	case -EACCES:
	case -EINVAL:
		return false;
	default:
		return true;
	}
}
