/* SPDX-License-Identifier: MIT */
/*
 * A question is one message, and its answer is there when send() has returned. An answer to an earlier question, one that was
 * not fetched, is told by its sequence number. The kernel has the family always or never (there is no module for it), so its
 * number is asked for once.
 *
 * The kernel keeps metrics for each pair of addresses and tells those of the first pair that it finds with this destination;
 * which source another connection had makes no difference to a guess.
 */
#include "daemon/connect/tcp-metrics.h"

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/tcp_metrics.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/base/netlink.h"

#define REPLY_BYTES 4096 /* the family with its commands is some 300, metrics are fewer */
/* What the kernel counts its numbers in, parts of a microsecond. */
#define RTT_SHARE    8
#define RTTVAR_SHARE 4
#define STALE_MAX    8 /* answers to earlier questions that are thrown away for one */

struct tcp_metrics {
	int fd; /* owned; -1: the kernel cannot be asked */
	uint16_t family;
	uint32_t sequence;
};

struct question {
	struct nlmsghdr header;
	struct genlmsghdr command;
	struct nlattr attribute;
	char value[16];
};

static bool ask(struct tcp_metrics *metrics, uint16_t family, uint8_t command, uint16_t type,
		const void *value, size_t len)
{
	struct question question = {
		.header = { .nlmsg_len = (uint32_t)(offsetof(struct question, value) + len),
			    .nlmsg_type = family,
			    .nlmsg_flags = NLM_F_REQUEST,
			    .nlmsg_seq = ++metrics->sequence },
		.command = { .cmd = command, .version = 1 },
		.attribute = { .nla_len = (uint16_t)(sizeof(struct nlattr) + len),
			       .nla_type = type },
	};

	memcpy(question.value, value, len);
	return send(metrics->fd, &question, question.header.nlmsg_len, 0) ==
	       (ssize_t)question.header.nlmsg_len;
}

/* Its attributes; bytes NULL: no answer, or an error. */
static struct netlink_span get_answer(struct tcp_metrics *metrics, uint16_t family,
				      char reply[REPLY_BYTES])
{
	for (int i = 0; i < STALE_MAX; i++) {
		ssize_t n = recv(metrics->fd, reply, REPLY_BYTES, 0);
		struct netlink_span rest = { reply, n > 0 ? (size_t)n : 0 };
		struct nlmsghdr header;
		struct genlmsghdr command;

		if (n < 0 && errno == ENOBUFS)
			continue;
		if (!netlink_take(&rest, &header, sizeof(header)))
			break;
		if (header.nlmsg_seq != metrics->sequence)
			continue;
		if (header.nlmsg_type != family || header.nlmsg_len > (size_t)n ||
		    !netlink_take(&rest, &command, sizeof(command)))
			break;
		return rest;
	}
	return (struct netlink_span){ 0 };
}

static bool find_family(struct tcp_metrics *metrics)
{
	static const char name[] = TCP_METRICS_GENL_NAME;
	struct netlink_span value;
	char reply[REPLY_BYTES];

	if (!ask(metrics, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME, name,
		 sizeof(name)))
		return false;
	value = netlink_find(get_answer(metrics, GENL_ID_CTRL, reply), CTRL_ATTR_FAMILY_ID);
	return netlink_take(&value, &metrics->family, sizeof(metrics->family));
}

int tcp_metrics_new(struct tcp_metrics **ret)
{
	CLEANUP(tcp_metrics_freep) struct tcp_metrics *metrics = calloc(1, sizeof(*metrics));

	if (!metrics)
		return -ENOMEM;
	metrics->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_GENERIC);
	if (metrics->fd >= 0 && !find_family(metrics))
		metrics->fd = close_fd(metrics->fd);
	*ret = TAKE_PTR(metrics);
	return 0;
}

struct tcp_metrics *tcp_metrics_free(struct tcp_metrics *metrics)
{
	if (!metrics)
		return NULL;
	(void)close_fd(metrics->fd);
	free(metrics);
	return NULL;
}

bool tcp_metrics_find(struct tcp_metrics *metrics, const struct address *destination,
		      uint32_t *ret_rtt_us, uint32_t *ret_rttvar_us)
{
	struct address plain = address_unmap(*destination);
	uint16_t type =
		plain.family == AF_INET ? TCP_METRICS_ATTR_ADDR_IPV4 : TCP_METRICS_ATTR_ADDR_IPV6;
	struct netlink_span attributes, values, age;
	uint64_t age_ms = 0;
	char reply[REPLY_BYTES];
	uint32_t rtt;

	if (metrics->fd < 0 || address_len(&plain) == 0)
		return false;
	if (!ask(metrics, metrics->family, TCP_METRICS_CMD_GET, type, plain.bytes,
		 address_len(&plain)))
		return false;
	attributes = get_answer(metrics, metrics->family, reply);
	age = netlink_find(attributes, TCP_METRICS_ATTR_AGE);
	(void)netlink_take(&age, &age_ms, sizeof(age_ms));
	values = netlink_find(attributes, TCP_METRICS_ATTR_VALS);
	rtt = netlink_find_number(values, TCP_METRIC_RTT_US + 1, 0);
	if (rtt / RTT_SHARE == 0 || age_ms >= TCP_METRICS_AGE_MAX_US / 1000)
		return false;
	*ret_rtt_us = rtt / RTT_SHARE;
	*ret_rttvar_us = netlink_find_number(values, TCP_METRIC_RTTVAR_US + 1, 0) / RTTVAR_SHARE;
	return true;
}
