/* SPDX-License-Identifier: MIT */
#include "daemon/resolve/synthetic.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/base/netlink.h"

#define FOUND_MAX 64
#define OWN_BAD	  (IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED)

/* What was found, the smallest key first, those of one key in the order of the kernel. */
struct found {
	struct {
		struct address address;
		uint32_t key;
	} items[FOUND_MAX];
	size_t n;
};

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

static int on_address(uint16_t type, struct netlink_span body, void *arg)
{
	struct ifaddrmsg message;
	struct netlink_span value;
	struct address address;

	if (type != RTM_NEWADDR || !netlink_take(&body, &message, sizeof(message)))
		return 0;
	value = netlink_find(body, IFA_LOCAL);
	if (!value.bytes) /* else that is the peer's */
		value = netlink_find(body, IFA_ADDRESS);
	if (message.ifa_scope >= RT_SCOPE_LINK ||
	    (netlink_find_number(body, IFA_FLAGS, message.ifa_flags) & OWN_BAD) != 0)
		return 0;
	if (netlink_read_address(value, message.ifa_family, message.ifa_index, &address))
		add(arg, &address, message.ifa_scope);
	return 0;
}

static int on_route(uint16_t type, struct netlink_span body, void *arg)
{
	struct rtmsg message;
	struct netlink_hop hops[FOUND_MAX];
	size_t n;

	if (type != RTM_NEWROUTE || !netlink_take(&body, &message, sizeof(message)))
		return 0;
	if (message.rtm_dst_len > 0 || message.rtm_src_len > 0 || message.rtm_tos > 0 ||
	    message.rtm_type != RTN_UNICAST ||
	    (message.rtm_flags & (RTM_F_CLONED | RTNH_F_DEAD)) != 0 ||
	    netlink_find_number(body, RTA_TABLE, message.rtm_table) != RT_TABLE_MAIN)
		return 0;
	n = netlink_read_hops(body, message.rtm_family, hops, ARRAY_LEN(hops));
	for (size_t i = 0; i < n; i++)
		if (hops[i].gateway.family != 0)
			add(arg, &hops[i].gateway, netlink_find_number(body, RTA_PRIORITY, 0));
	return 0;
}

/* Whatever goes wrong, there is then less to be found. */
static void dump(const void *question, size_t len, netlink_message_fn *on_message,
		 struct found *found)
{
	bool is_torn = false;
	int r = netlink_dump(question, len, on_message, found, &is_torn);

	(void)r;
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
