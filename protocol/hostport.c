/* SPDX-License-Identifier: MIT */
/*
 * "host:service" in the forms people write. The text is cut in two by its shape alone; then each
 * half must hold for itself: the host none of the characters that no host name has, the service a
 * port, a name or name=port. Whether the name has a meaning (label lengths, IDNA, a table of
 * services) is left to whoever looks it up.
 *
 * Forms, after blanks on both sides are dropped: "/path", kept to the last byte, blanks too;
 * "[host]", "v6" or "host", each followed by nothing, ":", "#" or blanks and a service. A bare IPv6
 * address cannot be followed by ":", and "::1:80" is the address.
 */
#include "protocol/hostport.h"

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "protocol/address.h"
#include "protocol/text.h"

#define SERVICE_NAME_MAX 62 /* RFC 6335 says 15; services files have longer ones */
#define UNIX_HOST	 "unix/"

/* A piece of the text. */
struct slice {
	const char *text;
	size_t len;
};

static bool slice_equals(struct slice slice, const char *text)
{
	return slice.len == strlen(text) && memcmp(slice.text, text, slice.len) == 0;
}

/*
 * Controls, blank and what WHATWG forbids in a domain: none of them stands in a host name that
 * could be looked up.
 */
static bool is_forbidden(char c)
{
	return (unsigned char)c <= ' ' || c == 0x7f || strchr("#%/:<>?@[\\]^|", c) != NULL;
}

/*
 * An interface name as Linux allows it, or a number, without the characters that mean something
 * around it.
 */
static bool is_zone(const char *zone)
{
	size_t len = strlen(zone);

	if (len == 0 || len >= IF_NAMESIZE)
		return false;
	for (size_t i = 0; i < len; i++)
		if (is_forbidden(zone[i]))
			return false;
	return true;
}

/* IPv6 text with or without a zone, whose interface need not exist. */
static bool is_ipv6(struct slice slice)
{
	char text[ADDRESS_TEXT_SIZE];
	struct address address;
	char *percent;

	if (slice.len >= sizeof(text) || !memchr(slice.text, ':', slice.len))
		return false;
	memcpy(text, slice.text, slice.len);
	text[slice.len] = '\0';
	percent = strchr(text, '%');
	if (percent) {
		*percent = '\0';
		if (!is_zone(percent + 1))
			return false;
	}
	return address_parse_ipv6(text, &address) == 0;
}

static bool is_host(struct slice host)
{
	if (slice_equals(host, UNIX_HOST) || is_ipv6(host))
		return true;
	for (size_t i = 0; i < host.len; i++)
		if (is_forbidden(host.text[i]))
			return false;
	return host.len > 0;
}

int hostport_check_service(const char *text)
{
	bool has_letter = false;
	uint64_t port;
	size_t len = 0;

	if (text_parse_uint(text, UINT16_MAX, &port) == 0)
		return 0;
	for (; text[len] && text[len] != '='; len++) {
		char c = text[len];

		if (text_is_alpha(c))
			has_letter = true;
		else if (!text_is_digit(c) &&
			 (len == 0 || (c != '.' && c != '_' && c != '+' && c != '-')))
			return -EINVAL;
	}
	if (!has_letter || len > SERVICE_NAME_MAX)
		return -EINVAL;
	if (text[len] == '=' && text_parse_uint(text + len + 1, UINT16_MAX, &port) < 0)
		return -EINVAL;
	return 0;
}

/* Cuts the host off the front of text (already trimmed) and leaves what follows it in *text. */
static int take_host(struct slice *text, struct slice *ret)
{
	struct slice host = { .text = text->text };
	size_t used;

	if (text->len > 0 && text->text[0] == '[') {
		host.text++;
		while (host.len + 1 < text->len && host.text[host.len] != '[' &&
		       host.text[host.len] != ']')
			host.len++;
		if (host.len + 1 == text->len || host.text[host.len] != ']')
			return -EINVAL;
		used = host.len + 2;
	} else {
		while (host.len < text->len && !text_is_space(host.text[host.len]) &&
		       host.text[host.len] != '#')
			host.len++;
		if (!is_ipv6(host)) {
			host.len = 0;
			while (host.len < text->len && !text_is_space(host.text[host.len]) &&
			       !strchr(":#[]", host.text[host.len]))
				host.len++;
		}
		used = host.len;
	}
	if (!is_host(host))
		return -EINVAL;
	text->text += used;
	text->len -= used;
	*ret = host;
	return 0;
}

/* What stands between host and service: nothing when the text ends here, ":", "#" or blanks. */
static int skip_separator(struct slice *text)
{
	size_t used = 1;

	if (text->len == 0)
		return 0;
	if (text_is_space(text->text[0])) {
		while (used < text->len && text_is_space(text->text[used]))
			used++;
	} else if (text->text[0] != ':' && text->text[0] != '#') {
		return -EINVAL;
	}
	text->text += used;
	text->len -= used;
	return text->len > 0 ? 0 : -EINVAL;
}

static struct slice trim(const char *text)
{
	struct slice slice = { .text = text };

	while (text_is_space(*slice.text))
		slice.text++;
	slice.len = strlen(slice.text);
	while (slice.len > 0 && text_is_space(slice.text[slice.len - 1]))
		slice.len--;
	return slice;
}

static int copy_slice(struct slice slice, char *buffer, size_t size)
{
	if (slice.len >= size)
		return -EINVAL;
	memcpy(buffer, slice.text, slice.len);
	buffer[slice.len] = '\0';
	return 0;
}

int hostport_parse(const char *text, const char *default_service, struct hostport *ret)
{
	struct hostport hostport;
	struct slice host = { .text = UNIX_HOST, .len = strlen(UNIX_HOST) };
	struct slice service = { .text = text, .len = strlen(text) };

	if (text[0] != '/') {
		service = trim(text);
		if (take_host(&service, &host) < 0 || skip_separator(&service) < 0)
			return -EINVAL;
		if (service.len == 0 && default_service)
			service = (struct slice){ .text = default_service,
						  .len = strlen(default_service) };
	}
	if (copy_slice(host, hostport.host, sizeof(hostport.host)) < 0 ||
	    copy_slice(service, hostport.service, sizeof(hostport.service)) < 0)
		return -EINVAL;
	if (strcmp(hostport.host, UNIX_HOST) == 0) {
		if (hostport.service[0] != '/')
			return -EINVAL;
	} else if (hostport_check_service(hostport.service) < 0) {
		return -EINVAL;
	}
	*ret = hostport;
	return 0;
}

int hostport_format(const char *host, const char *service, char *buffer, size_t size)
{
	const char *open = "";
	const char *close = "";
	const char *colon = "";
	size_t len;

	if (!service)
		service = "";
	len = strlen(service);
	if (strcmp(host, UNIX_HOST) == 0 && service[0] == '/' && text_is_space(service[len - 1])) {
		/* Only the bare form keeps blanks at the end of a path. */
		host = "";
	} else if (service[0]) {
		colon = ":";
	}
	if (strchr(host, ':')) {
		open = "[";
		close = "]";
	}
	len += strlen(host) + strlen(open) + strlen(close) + strlen(colon);
	if (len >= size)
		return -ENOBUFS;
	(void)snprintf(buffer, size, "%s%s%s%s%s", open, host, close, colon, service);
	return 0;
}

int hostport_parse_endpoint(const char *text, uint16_t default_port, struct endpoint *ret)
{
	struct hostport hostport;
	struct endpoint endpoint;
	char default_text[8];
	uint64_t port;
	int r;

	(void)snprintf(default_text, sizeof(default_text), "%u", (unsigned int)default_port);
	if (hostport_parse(text, default_text, &hostport) < 0)
		return -EINVAL;
	if (text_parse_uint(hostport.service, UINT16_MAX, &port) < 0)
		return -EINVAL;
	if (port == 0 && default_port != 0)
		return -EINVAL;
	r = address_parse_scoped(hostport.host, &endpoint.address);
	if (r < 0)
		return r;
	endpoint.port = (uint16_t)port;
	*ret = endpoint;
	return 0;
}
