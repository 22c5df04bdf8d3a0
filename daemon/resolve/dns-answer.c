/* SPDX-License-Identifier: MIT */
#include "daemon/resolve/dns-answer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/resolve/dns-name.h"
#include "protocol/text.h"

int dns_answer_new(struct dns_answer **ret, size_t len)
{
	struct dns_answer *answer = calloc(1, sizeof(*answer) + len);

	if (!answer)
		return -ENOMEM;
	answer->len = (uint32_t)len;
	answer->ede = DNS_EDE_NONE;
	*ret = answer;
	return 0;
}

int dns_answer_copy(const struct dns_answer *answer, struct dns_answer **ret)
{
	struct dns_answer *copy;
	int r = dns_answer_new(&copy, answer->len);

	if (r < 0)
		return r;
	memcpy(copy, answer, dns_answer_get_size(answer));
	*ret = copy;
	return 0;
}

/* Of the chain, in bytes. */
static size_t get_chain_len(const struct dns_answer *answer)
{
	struct dns_cursor cursor = { 0 };
	struct dns_record record;

	while (cursor.index < answer->n_chain && dns_answer_next(answer, &cursor, &record))
		;
	return cursor.offset;
}

int dns_answer_join(const struct dns_answer *part, const struct dns_answer *rest,
		    struct dns_answer **ret)
{
	size_t chain_len = get_chain_len(part);
	struct dns_answer *joined;
	int r;

	if (part->n_chain + rest->n_chain > LIMIT_CNAME_CHAIN)
		return -EBADMSG;
	r = dns_answer_new(&joined, chain_len + rest->len);
	if (r < 0)
		return r;
	memcpy(joined->bytes, part->bytes, chain_len);
	memcpy(joined->bytes + chain_len, rest->bytes, rest->len);
	joined->type = rest->type;
	joined->rcode = rest->rcode;
	joined->ttl_s = part->ttl_s < rest->ttl_s ? part->ttl_s : rest->ttl_s;
	joined->is_partial = rest->is_partial;
	joined->authenticated = part->authenticated && rest->authenticated;
	joined->confidential = part->confidential && rest->confidential;
	joined->transport = rest->transport;
	joined->server = rest->server;
	joined->rtt_us = part->rtt_us + rest->rtt_us;
	joined->ede = rest->ede;
	joined->ede_text = (uint32_t)(chain_len + rest->ede_text);
	joined->n_chain = (uint16_t)(part->n_chain + rest->n_chain);
	joined->n_records = rest->n_records;
	*ret = joined;
	return 0;
}

struct dns_answer *dns_answer_free(struct dns_answer *answer)
{
	free(answer);
	return NULL;
}

size_t dns_answer_get_size(const struct dns_answer *answer)
{
	return sizeof(*answer) + answer->len;
}

bool dns_answer_next(const struct dns_answer *answer, struct dns_cursor *cursor,
		     struct dns_record *ret)
{
	size_t n = (size_t)answer->n_chain + answer->n_records;
	uint16_t len;

	if (cursor->index == n)
		return false;
	memcpy(&len, answer->bytes + cursor->offset, sizeof(len));
	*ret = (struct dns_record){
		.type = cursor->index < answer->n_chain ? DNS_TYPE_CNAME : answer->type,
		.data = answer->bytes + cursor->offset + sizeof(len),
		.len = len,
	};
	cursor->index++;
	cursor->offset += sizeof(len) + len;
	return true;
}

size_t dns_answer_get_addresses(const struct dns_answer *answer, struct address *ret, size_t max)
{
	size_t len = answer->type == DNS_TYPE_A ? 4 : 16;
	struct dns_cursor cursor = { 0 };
	struct dns_record record;
	size_t n = 0;

	if (answer->type != DNS_TYPE_A && answer->type != DNS_TYPE_AAAA)
		return 0;
	while (n < max && dns_answer_next(answer, &cursor, &record)) {
		if (record.type != answer->type || record.len != len)
			continue;
		ret[n] = (struct address){ .family = len == 4 ? AF_INET : AF_INET6 };
		memcpy(ret[n].bytes, record.data, len);
		n++;
	}
	return n;
}

int dns_answer_get_canonical(const struct dns_answer *answer, const char *name,
			     char ret[LIMIT_NAME_BYTES + 1])
{
	struct dns_record record, last = { 0 };
	struct dns_cursor cursor = { 0 };
	size_t i;

	for (i = 0; i < answer->n_chain && dns_answer_next(answer, &cursor, &record); i++)
		last = record;
	/* The name asked for was our own choice; only one that the server chose has to look like a host. */
	if (last.data)
		return dns_name_to_text(last.data, last.len, ret);
	for (i = 0; name[i] != '\0' && i < LIMIT_NAME_BYTES; i++)
		ret[i] = text_lower(name[i]);
	ret[i] = '\0';
	return 0;
}

const char *dns_answer_get_ede_text(const struct dns_answer *answer)
{
	return answer->ede != DNS_EDE_NONE ? (const char *)answer->bytes + answer->ede_text : "";
}

const char *dns_transport_name(enum dns_transport transport)
{
	switch (transport) {
	case DNS_TRANSPORT_UDP:
		return "udp";
	case DNS_TRANSPORT_TCP:
		return "tcp";
	case DNS_TRANSPORT_TLS:
		return "tls";
	}
	return "unknown";
}
