/* SPDX-License-Identifier: MIT */
#include "tests/support/kernel_net.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_tun.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "protocol/address.h"
#include "tests/support/suite.h"

/* A request of rtnetlink about one thing. */
struct message {
	struct nlmsghdr header;
	char rest[256]; /* what it is about, and attributes */
};

static void add_bytes(struct message *message, const void *bytes, size_t len)
{
	ck_assert_uint_le(message->header.nlmsg_len + len, sizeof(*message));
	memcpy((char *)message + message->header.nlmsg_len, bytes, len);
	message->header.nlmsg_len = NLMSG_ALIGN(message->header.nlmsg_len + (uint32_t)len);
}

static struct message begin(unsigned short type, unsigned int new_flags, const void *about,
			    size_t len)
{
	bool is_new = type == RTM_NEWADDR || type == RTM_NEWROUTE || type == RTM_NEWNEIGH;
	struct message message = {
		.header = { .nlmsg_len = sizeof(struct nlmsghdr),
			    .nlmsg_type = type,
			    .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK |
						      (is_new ? new_flags : 0)),
			    .nlmsg_seq = 1 },
	};

	add_bytes(&message, about, len);
	return message;
}

static void add_attribute(struct message *message, unsigned short type, const void *data,
			  size_t len)
{
	struct rtattr attribute = { .rta_type = type, .rta_len = (unsigned short)RTA_LENGTH(len) };

	add_bytes(message, &attribute, sizeof(attribute));
	add_bytes(message, data, len);
}

static void ask(struct message *message)
{
	CLEANUP(fd_closep) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char rest[512];
	} reply;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(send(fd, message, message->header.nlmsg_len, 0),
			 message->header.nlmsg_len);
	ck_assert_int_gt(recv(fd, &reply, sizeof(reply), 0), 0);
	ck_assert_int_eq(reply.header.nlmsg_type, NLMSG_ERROR);
	ck_assert_msg(reply.error.error == 0, "rtnetlink: %s", strerror(-reply.error.error));
}

static struct address parse(const char *text)
{
	struct address address = { 0 };

	ck_assert_int_eq(address_parse(text, &address), 0);
	return address;
}

/* A socket that is told of changes. */
static int listen_for_changes(void)
{
	struct sockaddr_nl groups = { .nl_family = AF_NETLINK,
				      .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&groups, sizeof(groups)), 0);
	return fd;
}

void kernel_net_change(const struct kernel_net_address *change)
{
	CLEANUP(fd_closep) int news = listen_for_changes();
	struct pollfd readable = { .fd = news, .events = POLLIN };
	struct address address = parse(change->address);
	struct address peer = parse(change->peer ? change->peer : change->address);
	struct ifa_cacheinfo times = { .ifa_prefered = change->preferred_s,
				       .ifa_valid = KERNEL_NET_FOREVER };
	struct ifaddrmsg about = { .ifa_family = (unsigned char)address.family,
				   .ifa_prefixlen = change->prefix_len,
				   .ifa_flags = (unsigned char)(change->flags | IFA_F_NODAD),
				   .ifa_index = change->interface };
	struct message message =
		begin(change->type, NLM_F_CREATE | NLM_F_REPLACE, &about, sizeof(about));

	add_attribute(&message, IFA_LOCAL, address.bytes, address_len(&address));
	add_attribute(&message, IFA_ADDRESS, peer.bytes, address_len(&peer));
	if (change->type == RTM_NEWADDR)
		add_attribute(&message, IFA_CACHEINFO, &times, sizeof(times));
	ask(&message);
	/* The kernel may tell of an IPv6 address a moment after it has taken it. */
	ck_assert_int_eq(poll(&readable, 1, 5000), 1);
}

void kernel_net_route(const struct kernel_net_route *route)
{
	struct address destination = parse(route->destination);
	struct rtmsg about = { .rtm_family = (unsigned char)destination.family,
			       .rtm_dst_len = route->prefix_len,
			       .rtm_protocol = RTPROT_STATIC,
			       .rtm_scope = route->gateway || destination.family == AF_INET6
						    ? RT_SCOPE_UNIVERSE
						    : RT_SCOPE_LINK,
			       .rtm_type = RTN_UNICAST };
	uint32_t table = route->table > 0 ? route->table : RT_TABLE_MAIN;
	struct message message = begin(route->type, NLM_F_CREATE, &about, sizeof(about));

	if (route->prefix_len > 0)
		add_attribute(&message, RTA_DST, destination.bytes, address_len(&destination));
	if (route->gateway) {
		struct address gateway = parse(route->gateway);

		add_attribute(&message, RTA_GATEWAY, gateway.bytes, address_len(&gateway));
	}
	add_attribute(&message, RTA_TABLE, &table, sizeof(table));
	add_attribute(&message, RTA_OIF, &route->interface, sizeof(route->interface));
	ask(&message);
}

void kernel_net_neighbour(unsigned short type, unsigned int interface, const char *text,
			  uint8_t mac)
{
	const uint8_t link[6] = { 2, 0, 0, 0, 0, mac };
	struct address address = parse(text);
	struct ndmsg about = { .ndm_family = (unsigned char)address.family,
			       .ndm_ifindex = (int)interface,
			       .ndm_state = NUD_PERMANENT };
	struct message message = begin(type, NLM_F_CREATE | NLM_F_REPLACE, &about, sizeof(about));

	add_attribute(&message, NDA_DST, address.bytes, address_len(&address));
	if (type == RTM_NEWNEIGH)
		add_attribute(&message, NDA_LLADDR, link, sizeof(link));
	ask(&message);
}

void kernel_net_set_up(const char *interface, bool is_up)
{
	CLEANUP(fd_closep) int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { .ifr_flags = (short)(is_up ? IFF_UP : 0) };

	ck_assert_int_ge(control, 0);
	memcpy(request.ifr_name, interface, strlen(interface) + 1);
	ck_assert_int_eq(ioctl(control, SIOCSIFFLAGS, &request), 0);
}

bool kernel_net_enter(void)
{
	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return false;
	kernel_net_set_up("lo", true);
	return true;
}

static int make_interface(const char *name, short kind, unsigned long type)
{
	CLEANUP(fd_closep) int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	struct ifreq request = { .ifr_flags = (short)(kind | IFF_NO_PI) };

	memcpy(request.ifr_name, name, strlen(name) + 1);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0)
		return -1;
	if (type != 0 && ioctl(fd, TUNSETLINK, type) < 0)
		return -1;
	kernel_net_set_up(name, true);
	return take_fd(&fd);
}

int kernel_net_make_tun(const char *name, unsigned long type)
{
	return make_interface(name, IFF_TUN, type);
}

int kernel_net_make_tap(const char *name)
{
	return make_interface(name, IFF_TAP, 0);
}

/* The Internet checksum (RFC 1071) over the pseudo-header (RFC 8200 section 8.1) and the message. */
static void set_checksum(uint8_t *ipv6, size_t len)
{
	uint32_t sum = (uint32_t)len + IPPROTO_ICMPV6;

	for (size_t i = 8; i < 40 + len; i += 2)
		sum += (uint32_t)ipv6[i] << 8 | ipv6[i + 1];
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	ipv6[42] = (uint8_t)(~sum >> 8);
	ipv6[43] = (uint8_t)~sum;
}

void kernel_net_advertise(int tap, const uint8_t *options, size_t len)
{
	static const uint8_t ethernet[14] = {
		0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0, 1, 0x86, 0xdd
	};
	/* From fe80::1 to ff02::1, hop limit 255. */
	static const uint8_t ipv6[40] = {
		0x60, [6] = IPPROTO_ICMPV6, 255, 0xfe, 0x80, [23] = 1, 0xff, 2, [39] = 1
	};
	static const uint8_t advertisement[16] = { 134, [4] = 64 }; /* no default router */
	uint8_t frame[512];
	size_t n = sizeof(advertisement) + len;

	ck_assert_uint_le(14 + 40 + n, sizeof(frame));
	memcpy(frame, ethernet, 14);
	memcpy(frame + 14, ipv6, 40);
	frame[14 + 4] = (uint8_t)(n >> 8);
	frame[14 + 5] = (uint8_t)n;
	memcpy(frame + 54, advertisement, sizeof(advertisement));
	memcpy(frame + 54 + sizeof(advertisement), options, len);
	set_checksum(frame + 14, n);
	ck_assert_int_eq(write(tap, frame, 54 + n), (ssize_t)(54 + n));
}
