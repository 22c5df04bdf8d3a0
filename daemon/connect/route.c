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

#include "daemon/base/netlink.h"

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

static int on_route(uint16_t type, struct netlink_span body, void *arg)
{
	struct rtmsg route;

	(void)arg;
	return type == RTM_NEWROUTE && netlink_take(&body, &route, sizeof(route)) ? route.rtm_type
										  : -EIO;
}

/* RTN_… of the route, or -errno of the look-up. */
static int ask(const struct address *address)
{
	struct question question;
	size_t len = build(address, &question);

	return netlink_ask(&question, len, on_route, NULL);
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
