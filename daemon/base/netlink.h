/* SPDX-License-Identifier: MIT */
/*
 * Questions to the kernel over rtnetlink(7), and its messages taken apart. The kernel answers while it is asked, so nothing
 * here waits. Lengths inside a message are believed as far as its end only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/address.h"

/* The bit of a multicast group (RTNLGRP_…, up to 32). */
#define NETLINK_GROUP(number) (UINT32_C(1) << ((number)-1))

/* A piece of a message; bytes NULL: there is none. */
struct netlink_span {
	const char *bytes;
	size_t len;
};

/*
 * A socket that does not block. With groups it gets the kernel's news, into a buffer as small as can be, so that nobody has to
 * empty it: what does not fit makes ENOBUFS of the next recv(). -errno.
 */
MUST_CHECK int netlink_open(uint32_t groups);

/*
 * Takes the news that wait in the socket: of each, on_news (which may be NULL) is told the type (RTM_…); 0: some were lost. When
 * there are very many, some are left. Answers whether there were any.
 */
typedef void netlink_news_fn(uint16_t type, void *arg);
bool netlink_take_news(int fd, netlink_news_fn *on_news, void *arg);

/* body: behind the netlink header. 0: go on; else that is what the question comes to. */
typedef int netlink_message_fn(uint16_t type, struct netlink_span body, void *arg);

/*
 * As netlink_take_news, but with what they say, which is at most 8 KiB each, and of the kernel alone. false: some were lost.
 */
bool netlink_read_news(int fd, netlink_message_fn *on_message, void *arg);

/*
 * Puts a question whose answer is a list (NLM_F_DUMP), 2 MiB of which are read at most. *ret_is_torn is set, never cleared: it
 * changed meanwhile. 0: that was all; > 0: on_message's; -EIO: it could not be asked or failed.
 */
MUST_CHECK int netlink_dump(const void *question, size_t len, netlink_message_fn *on_message,
			    void *arg, bool *ret_is_torn);

/*
 * Puts a question that has one answer; of a long one the end may be missing. on_message's result, the kernel's error, or -EIO:
 * it could not be asked.
 */
MUST_CHECK int netlink_ask(const void *question, size_t len, netlink_message_fn *on_message,
			   void *arg);

/* Copies the fixed part of a message and leaves what is behind it; false: it is shorter. */
bool netlink_take(struct netlink_span *span, void *ret, size_t len);

/* The value of the attribute; bytes NULL: it is not there. */
struct netlink_span netlink_find(struct netlink_span attributes, unsigned short type);
uint32_t netlink_find_number(struct netlink_span attributes, unsigned short type,
			     uint32_t otherwise);
/* false: that is no address. The scope of a link-local one is its interface. */
bool netlink_read_address(struct netlink_span value, int family, uint32_t interface,
			  struct address *ret);

/* Where a route leads to; gateway.family 0: what it is for is on the link itself. */
struct netlink_hop {
	struct address gateway;
	uint32_t interface; /* 0: none */
};
/* The hops of a route (its attributes, behind struct rtmsg) that are not dead; answers how many, at most max. */
size_t netlink_read_hops(struct netlink_span attributes, int family, struct netlink_hop *ret,
			 size_t max);
