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

#define REPLY_BYTES  4096 /* the family with its commands is some 300, metrics are fewer */
#define HEADER_BYTES sizeof(struct nlattr)
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

union reply {
	struct nlmsghdr header;
	char bytes[REPLY_BYTES];
};

/* Attributes one after the other. */
struct cursor {
	const char *bytes;
	size_t len;
};

/* NULL: there is no whole one any more. */
static const struct nlattr *next_attribute(struct cursor *cursor)
{
	const struct nlattr *attribute = (const void *)cursor->bytes;
	size_t step;

	if (cursor->len < sizeof(*attribute) || attribute->nla_len < HEADER_BYTES ||
	    attribute->nla_len > cursor->len)
		return NULL;
	step = (attribute->nla_len + NLA_ALIGNTO - 1U) & ~(NLA_ALIGNTO - 1U);
	if (step > cursor->len)
		step = cursor->len;
	cursor->bytes += step;
	cursor->len -= step;
	return attribute;
}

static struct cursor contents(const struct nlattr *attribute)
{
	return (struct cursor){ .bytes = (const char *)attribute + HEADER_BYTES,
				.len = (size_t)attribute->nla_len - HEADER_BYTES };
}

static int type_of(const struct nlattr *attribute)
{
	return attribute->nla_type & NLA_TYPE_MASK;
}

/* Whether the attribute is so long; then it is copied. */
static bool read_value(const struct nlattr *attribute, void *ret, size_t size)
{
	struct cursor value = contents(attribute);

	if (value.len != size)
		return false;
	memcpy(ret, value.bytes, size);
	return true;
}

static bool ask(struct tcp_metrics *metrics, uint16_t family, uint8_t command, uint16_t type,
		const void *value, size_t len)
{
	struct question question = {
		.header = { .nlmsg_len = (uint32_t)(offsetof(struct question, value) + len),
			    .nlmsg_type = family,
			    .nlmsg_flags = NLM_F_REQUEST,
			    .nlmsg_seq = ++metrics->sequence },
		.command = { .cmd = command, .version = 1 },
		.attribute = { .nla_len = (uint16_t)(HEADER_BYTES + len), .nla_type = type },
	};

	memcpy(question.value, value, len);
	return send(metrics->fd, &question, question.header.nlmsg_len, 0) ==
	       (ssize_t)question.header.nlmsg_len;
}

/* false: no answer, or an error; else its attributes. */
static bool get_answer(struct tcp_metrics *metrics, uint16_t family, union reply *reply,
		       struct cursor *ret)
{
	for (int i = 0; i < STALE_MAX; i++) {
		ssize_t n = recv(metrics->fd, reply, sizeof(*reply), MSG_TRUNC);

		if (n < 0 && errno == ENOBUFS)
			continue;
		if (n < (ssize_t)NLMSG_LENGTH(GENL_HDRLEN))
			return false;
		if (reply->header.nlmsg_seq != metrics->sequence)
			continue;
		if ((size_t)n > sizeof(*reply) || reply->header.nlmsg_type != family ||
		    reply->header.nlmsg_len < NLMSG_LENGTH(GENL_HDRLEN) ||
		    reply->header.nlmsg_len > (size_t)n)
			return false;
		*ret = (struct cursor){ .bytes = reply->bytes + NLMSG_LENGTH(GENL_HDRLEN),
					.len = reply->header.nlmsg_len -
					       NLMSG_LENGTH(GENL_HDRLEN) };
		return true;
	}
	return false;
}

static bool find_family(struct tcp_metrics *metrics)
{
	static const char name[] = TCP_METRICS_GENL_NAME;
	const struct nlattr *attribute;
	struct cursor attributes;
	union reply reply;

	if (!ask(metrics, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME, name,
		 sizeof(name)) ||
	    !get_answer(metrics, GENL_ID_CTRL, &reply, &attributes))
		return false;
	while ((attribute = next_attribute(&attributes)) != NULL)
		if (type_of(attribute) == CTRL_ATTR_FAMILY_ID)
			return read_value(attribute, &metrics->family, sizeof(metrics->family));
	return false;
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

/* In the kernel's units: the round trip eight times, its variation four times. */
static void read_values(struct cursor values, uint32_t *ret_rtt_us, uint32_t *ret_rttvar_us)
{
	const struct nlattr *attribute;
	uint32_t value;

	while ((attribute = next_attribute(&values)) != NULL) {
		if (!read_value(attribute, &value, sizeof(value)))
			continue;
		if (type_of(attribute) == TCP_METRIC_RTT_US + 1)
			*ret_rtt_us = value / 8;
		if (type_of(attribute) == TCP_METRIC_RTTVAR_US + 1)
			*ret_rttvar_us = value / 4;
	}
}

bool tcp_metrics_find(struct tcp_metrics *metrics, const struct address *destination,
		      uint32_t *ret_rtt_us, uint32_t *ret_rttvar_us)
{
	struct address plain = address_unmap(*destination);
	uint16_t type =
		plain.family == AF_INET ? TCP_METRICS_ATTR_ADDR_IPV4 : TCP_METRICS_ATTR_ADDR_IPV6;
	uint32_t rtt_us = 0, rttvar_us = 0;
	const struct nlattr *attribute;
	struct cursor attributes;
	uint64_t age_ms = 0;
	union reply reply;

	if (metrics->fd < 0 || address_len(&plain) == 0)
		return false;
	if (!ask(metrics, metrics->family, TCP_METRICS_CMD_GET, type, plain.bytes,
		 address_len(&plain)) ||
	    !get_answer(metrics, metrics->family, &reply, &attributes))
		return false;
	while ((attribute = next_attribute(&attributes)) != NULL) {
		if (type_of(attribute) == TCP_METRICS_ATTR_VALS)
			read_values(contents(attribute), &rtt_us, &rttvar_us);
		if (type_of(attribute) == TCP_METRICS_ATTR_AGE)
			(void)read_value(attribute, &age_ms, sizeof(age_ms));
	}
	if (rtt_us == 0 || age_ms >= TCP_METRICS_AGE_MAX_US / 1000)
		return false;
	*ret_rtt_us = rtt_us;
	*ret_rttvar_us = rttvar_us;
	return true;
}
