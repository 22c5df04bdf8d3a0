/* SPDX-License-Identifier: MIT */
#include "daemon/resolve/svcb.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/resolve/dns-name.h"

#define HEAD_BYTES  2 /* priority */
#define PARAM_BYTES 4 /* key and length of the value */
#define IPV4_BYTES  4
#define IPV6_BYTES  16

static uint16_t read_u16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

int svcb_next_param(struct svcb_cursor *cursor, struct svcb_param *ret)
{
	if (cursor->left == 0)
		return 0;
	if (cursor->left < PARAM_BYTES)
		return -EBADMSG;
	*ret = (struct svcb_param){
		.key = read_u16(cursor->at),
		.len = read_u16(cursor->at + 2),
		.value = cursor->at + PARAM_BYTES,
	};
	if (cursor->left - PARAM_BYTES < ret->len)
		return -EBADMSG;
	cursor->at += PARAM_BYTES + ret->len;
	cursor->left -= PARAM_BYTES + ret->len;
	return 1;
}

/* As svcb_next_param for the names of protocols, each with its length in one octet and none of them empty (section 7.1.1). */
static int next_alpn(struct svcb_cursor *cursor, struct svcb_bytes *ret)
{
	size_t len;

	if (cursor->left == 0)
		return 0;
	len = cursor->at[0];
	if (len == 0 || cursor->left - 1 < len)
		return -EBADMSG;
	*ret = (struct svcb_bytes){ cursor->at + 1, len };
	cursor->at += 1 + len;
	cursor->left -= 1 + len;
	return 1;
}

static bool is_alpn_list(const struct svcb_param *param)
{
	struct svcb_cursor cursor = { param->value, param->len };
	struct svcb_bytes alpn;
	int r;

	while ((r = next_alpn(&cursor, &alpn)) > 0)
		continue;
	return r == 0 && param->len > 0;
}

/* Keys that are there behind the mandatory list; both ascend, so one pass finds all. */
static bool has_each(struct svcb_cursor params, const struct svcb_param *list)
{
	struct svcb_param param = { 0 };
	uint16_t last = SVCB_KEY_MANDATORY;

	for (size_t i = 0; i < list->len; i += 2) {
		uint16_t key = read_u16(list->value + i);

		if (key <= last)
			return false; /* itself, twice, or out of order */
		last = key;
		while (param.key < key)
			if (svcb_next_param(&params, &param) <= 0)
				return false;
		if (param.key != key)
			return false;
	}
	return true;
}

/* rest: the parameters behind this one. */
static bool value_is_valid(const struct svcb_param *param, struct svcb_cursor rest)
{
	switch (param->key) {
	case SVCB_KEY_MANDATORY:
		return param->len > 0 && param->len % 2 == 0 && has_each(rest, param);
	case SVCB_KEY_ALPN:
		return is_alpn_list(param);
	case SVCB_KEY_NO_DEFAULT_ALPN:
		return param->len == 0;
	case SVCB_KEY_PORT:
		return param->len == 2;
	case SVCB_KEY_IPV4HINT:
		return param->len > 0 && param->len % IPV4_BYTES == 0;
	case SVCB_KEY_ECH:
		return param->len > 0;
	case SVCB_KEY_IPV6HINT:
		return param->len > 0 && param->len % IPV6_BYTES == 0;
	default:
		return true;
	}
}

static int check_params(struct svcb_cursor cursor)
{
	bool first = true, has_alpn = false;
	struct svcb_param param;
	uint16_t last = 0;
	int r;

	while ((r = svcb_next_param(&cursor, &param)) > 0) {
		if (!first && param.key <= last)
			return -EBADMSG;
		first = false;
		last = param.key;
		if (!value_is_valid(&param, cursor))
			return -EBADMSG;
		has_alpn = has_alpn || param.key == SVCB_KEY_ALPN;
		if (param.key == SVCB_KEY_NO_DEFAULT_ALPN && !has_alpn)
			return -EBADMSG;
	}
	return r;
}

/* Answers where the parameters begin. */
static int check(const uint8_t *data, size_t len, struct svcb_cursor *ret)
{
	size_t name_len = len > HEAD_BYTES ? dns_name_len(data + HEAD_BYTES, len - HEAD_BYTES) : 0;

	if (name_len == 0)
		return -EBADMSG;
	*ret = (struct svcb_cursor){ data + HEAD_BYTES + name_len, len - HEAD_BYTES - name_len };
	return read_u16(data) == 0 ? 0 : check_params(*ret);
}

int svcb_check(const uint8_t *data, size_t len)
{
	struct svcb_cursor cursor;

	return check(data, len, &cursor);
}

static bool understands(const struct svcb_param *mandatory)
{
	for (size_t i = 0; i < mandatory->len; i += 2)
		if (read_u16(mandatory->value + i) > SVCB_KEY_IPV6HINT)
			return false;
	return true;
}

static size_t take_hints(const struct svcb_param *param, int family, struct address *ret)
{
	size_t size = family == AF_INET ? IPV4_BYTES : IPV6_BYTES, n = param->len / size;

	if (n > SVCB_HINTS_MAX)
		n = SVCB_HINTS_MAX;
	for (size_t i = 0; i < n; i++) {
		ret[i] = (struct address){ .family = family };
		memcpy(ret[i].bytes, param->value + i * size, size);
	}
	return n;
}

static size_t take_alpn(const struct svcb_param *param, struct svcb_bytes *ret)
{
	struct svcb_cursor cursor = { param->value, param->len };
	size_t n = 0;

	while (n < SVCB_ALPN_MAX && next_alpn(&cursor, &ret[n]) > 0)
		n++;
	return n;
}

static void take_param(const struct svcb_param *param, struct svcb *svcb)
{
	switch (param->key) {
	case SVCB_KEY_MANDATORY:
		svcb->understood = understands(param);
		break;
	case SVCB_KEY_ALPN:
		svcb->n_alpn = take_alpn(param, svcb->alpn);
		break;
	case SVCB_KEY_NO_DEFAULT_ALPN:
		svcb->no_default_alpn = true;
		break;
	case SVCB_KEY_PORT:
		svcb->has_port = true;
		svcb->port = read_u16(param->value);
		break;
	case SVCB_KEY_IPV4HINT:
		svcb->n_ipv4_hints = take_hints(param, AF_INET, svcb->ipv4_hints);
		break;
	case SVCB_KEY_ECH:
		svcb->ech = (struct svcb_bytes){ param->value, param->len };
		break;
	case SVCB_KEY_IPV6HINT:
		svcb->n_ipv6_hints = take_hints(param, AF_INET6, svcb->ipv6_hints);
		break;
	default:
		break;
	}
}

int svcb_parse(const uint8_t *data, size_t len, struct svcb *ret)
{
	struct svcb svcb = { .understood = true };
	struct svcb_cursor cursor;
	struct svcb_param param;
	int err;

	err = check(data, len, &cursor);
	if (err < 0)
		return err;
	svcb.priority = read_u16(data);
	if (data[HEAD_BYTES] != 0) {
		err = dns_name_to_text(data + HEAD_BYTES, len - HEAD_BYTES, svcb.target);
		if (err < 0)
			return err;
	}
	while (svcb.priority > 0 && svcb_next_param(&cursor, &param) > 0)
		take_param(&param, &svcb);
	*ret = svcb;
	return 0;
}
