/* SPDX-License-Identifier: MIT */
#include "daemon/base/domain.h"

#include <string.h>

#include "protocol/text.h"

static const char reason_label_empty[] = "a label of the name is empty";

static bool is_host_byte(char c)
{
	/* The usual ones first: large hosts files come this way too. */
	if (text_is_alpha(c) || text_is_digit(c) || c == '-')
		return true;
	return (unsigned char)c > 0x20 && (unsigned char)c < 0x7f && !strchr("#%/:<>?@[\\]^|", c);
}

const char *domain_check(const char *text)
{
	size_t label_len = 0;
	size_t len;

	if (!*text)
		return DOMAIN_EMPTY;
	for (len = 0; text[len]; len++) {
		if (text[len] == '.') {
			if (label_len == 0)
				return reason_label_empty;
			label_len = 0;
			continue;
		}
		if (!is_host_byte(text[len]))
			return "the name holds a character that no host name has";
		if (++label_len > LIMIT_LABEL_BYTES)
			return DOMAIN_LABEL_LONG;
	}
	if (label_len == 0)
		return reason_label_empty;
	return len > LIMIT_NAME_BYTES ? DOMAIN_LONG : NULL;
}

const char *domain_parse(const char *text, char ret[LIMIT_NAME_BYTES + 1])
{
	char domain[LIMIT_NAME_BYTES + 1];
	size_t len = strlen(text);
	const char *reason;

	if (strcmp(text, ".") == 0) {
		ret[0] = '\0';
		return NULL;
	}
	if (len > 0 && text[len - 1] == '.')
		len--;
	if (len > LIMIT_NAME_BYTES)
		return DOMAIN_LONG;
	for (size_t i = 0; i < len; i++)
		domain[i] = text_lower(text[i]);
	domain[len] = '\0';
	reason = domain_check(domain);
	if (!reason)
		memcpy(ret, domain, len + 1);
	return reason;
}

bool domain_covers(const char *domain, const char *name)
{
	size_t len = strlen(name), domain_len = strlen(domain);

	if (domain_len == 0)
		return true;
	return text_ends_fold(name, domain) &&
	       (len == domain_len || name[len - domain_len - 1] == '.');
}
