/* SPDX-License-Identifier: MIT */
#include "daemon/resolve/dns-name.h"

#include <errno.h>
#include <string.h>

#include "protocol/text.h"

uint8_t dns_name_fold(uint8_t byte)
{
	return (uint8_t)text_lower((char)byte);
}

int dns_name_from_text(const char *text, struct dns_name *ret)
{
	size_t len = strlen(text), label = 0;
	uint8_t bytes[DNS_NAME_OCTETS];

	if (len == 0 || len > LIMIT_NAME_BYTES)
		return -EINVAL;
	for (size_t i = 0; i <= len; i++) {
		char c = text[i];

		if (c == '.' || c == '\0') {
			size_t label_len = i - label;

			if (label_len == 0 || label_len > LIMIT_LABEL_BYTES)
				return -EINVAL;
			bytes[label] = (uint8_t)label_len;
			label = i + 1;
			continue;
		}
		if (c <= ' ' || c > '~' || c == '\\')
			return -EINVAL;
		bytes[i + 1] = dns_name_fold((uint8_t)c);
	}
	bytes[len + 1] = 0;
	memcpy(ret->bytes, bytes, len + 2);
	ret->len = len + 2;
	return 0;
}

size_t dns_name_len(const uint8_t *bytes, size_t len)
{
	size_t at = 0;

	while (at < len && at < DNS_NAME_OCTETS) {
		uint8_t label_len = bytes[at];

		if (label_len == 0)
			return at + 1;
		if (label_len > LIMIT_LABEL_BYTES)
			return 0;
		at += label_len + 1U;
	}
	return 0;
}

int dns_name_to_text(const uint8_t *bytes, size_t len, char ret[LIMIT_NAME_BYTES + 1])
{
	char text[LIMIT_NAME_BYTES + 1];
	size_t name_len = dns_name_len(bytes, len), at = 0;

	if (name_len < 2)
		return -EBADMSG;
	while (bytes[at] != 0) {
		size_t label_end = at + 1 + bytes[at];

		if (at > 0)
			text[at - 1] = '.';
		for (at++; at < label_end; at++) {
			char c = (char)dns_name_fold(bytes[at]);

			if (!text_is_alpha(c) && !text_is_digit(c) && c != '-' && c != '_')
				return -EBADMSG;
			text[at - 1] = c;
		}
	}
	text[at - 1] = '\0';
	memcpy(ret, text, at);
	return 0;
}

/* Length octets are below 64 and so not touched by folding. */
bool dns_name_equal(const struct dns_name *name, const uint8_t *bytes, size_t len)
{
	if (len != name->len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (dns_name_fold(bytes[i]) != dns_name_fold(name->bytes[i]))
			return false;
	return true;
}
