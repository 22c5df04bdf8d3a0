/* SPDX-License-Identifier: MIT */
/*
 * Text to address and back, without inet_pton and inet_ntop: C libraries differ in which IPv6
 * addresses they write with a dotted tail, and the text here is compared by policies and by tests,
 * so it has to be the same everywhere.
 *
 * IPv4 is read as inet_aton reads it (one to four parts, each decimal, octal or hexadecimal, the
 * last part filling the bytes that remain), because getaddrinfo does so too and people rely on
 * "127.1". A dotted tail of an IPv6 address is read strictly, as everybody reads it. Who decides
 * about addresses compares the bytes, never the text.
 */
#include "protocol/address.h"

#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "protocol/text.h"

#define IPV6_TEXT_MAX 45 /* six groups of four, "255.255.255.255" and the colons between them */
#define N_GROUPS      8

static int hex_value(char c)
{
	char lower = text_lower(c);

	if (text_is_digit(c))
		return c - '0';
	return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* One part of the inet_aton grammar, up to a dot or the end. */
static int parse_lax_part(const char **cursor, uint64_t *ret)
{
	const char *text = *cursor;
	uint64_t value = 0;
	int base = 10;

	if (text[0] == '0' && text_lower(text[1]) == 'x') {
		base = 16;
		text += 2;
		if (hex_value(*text) < 0)
			return -EINVAL;
	} else if (text[0] == '0') {
		base = 8;
	} else if (!text_is_digit(*text)) {
		return -EINVAL;
	}
	for (; *text && *text != '.'; text++) {
		int digit = hex_value(*text);

		if (digit < 0 || digit >= base)
			return -EINVAL;
		value = value * (uint64_t)base + (uint64_t)digit;
		if (value > UINT32_MAX)
			return -EINVAL;
	}
	*cursor = text;
	*ret = value;
	return 0;
}

int address_parse_ipv4(const char *text, struct address *ret)
{
	struct address address = { .family = AF_INET };
	uint64_t part;
	size_t n = 0;

	for (;;) {
		if (parse_lax_part(&text, &part) < 0)
			return -EINVAL;
		if (!*text)
			break;
		if (n == 3 || part > 255)
			return -EINVAL;
		address.bytes[n++] = (uint8_t)part;
		text++;
	}
	if (part >> (8 * (4 - n)) != 0)
		return -EINVAL;
	for (size_t i = 4; i > n; i--) {
		address.bytes[i - 1] = (uint8_t)part;
		part >>= 8;
	}
	*ret = address;
	return 0;
}

/*
 * Four decimal numbers up to 255 without leading zeros (RFC 3986 IPv4address), to the end of the
 * text.
 */
static int parse_dotted_quad(const char *text, uint8_t *bytes)
{
	for (size_t i = 0; i < 4; i++) {
		unsigned int value = 0;
		size_t len = 0;

		if (i > 0 && *text++ != '.')
			return -EINVAL;
		for (; text_is_digit(text[len]); len++) {
			value = value * 10 + (unsigned int)(text[len] - '0');
			if (len == 3 || value > 255)
				return -EINVAL;
		}
		if (len == 0 || (len > 1 && *text == '0'))
			return -EINVAL;
		bytes[i] = (uint8_t)value;
		text += len;
	}
	return *text ? -EINVAL : 0;
}

/* Up to four hexadecimal digits; answers how many there are, 0 also when there are more. */
static size_t parse_group(const char *text, uint8_t *bytes)
{
	unsigned int value = 0;
	size_t len = 0;

	while (hex_value(text[len]) >= 0) {
		if (len == 4)
			return 0;
		value = value << 4 | (unsigned int)hex_value(text[len++]);
	}
	bytes[0] = (uint8_t)(value >> 8);
	bytes[1] = (uint8_t)value;
	return len;
}

/*
 * RFC 4291 section 2.2: eight groups, "::" once for one or more of them, the last two also as a
 * dotted quad.
 */
static int parse_groups(const char *text, uint8_t *ret)
{
	uint8_t bytes[16] = { 0 };
	size_t gap = N_GROUPS + 1; /* where "::" stands; none yet */
	size_t n = 0;

	if (text[0] == ':') {
		if (text[1] != ':')
			return -EINVAL;
		gap = 0;
		text += 2;
	}
	while (*text) {
		size_t len = n < N_GROUPS ? parse_group(text, bytes + 2 * n) : 0;

		if (len == 0)
			return -EINVAL;
		if (text[len] == '.') {
			if (n > N_GROUPS - 2 || parse_dotted_quad(text, bytes + 2 * n) < 0)
				return -EINVAL;
			n += 2;
			break;
		}
		n++;
		text += len;
		if (!*text)
			break;
		if (*text++ != ':' || !*text)
			return -EINVAL;
		if (*text == ':') {
			if (gap <= N_GROUPS)
				return -EINVAL;
			gap = n;
			text++;
		}
	}
	if (gap > N_GROUPS ? n != N_GROUPS : n >= N_GROUPS)
		return -EINVAL;
	memset(ret, 0, 16);
	if (gap > N_GROUPS)
		gap = n;
	memcpy(ret, bytes, 2 * gap);
	memcpy(ret + 16 - 2 * (n - gap), bytes + 2 * gap, 2 * (n - gap));
	return 0;
}

static bool is_mapped(const struct address *address)
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

	return address->family == AF_INET6 && memcmp(address->bytes, prefix, sizeof(prefix)) == 0;
}

int address_parse_ipv6(const char *text, struct address *ret)
{
	struct address address = { .family = AF_INET6 };
	struct address ipv4;

	if (address_parse_ipv4(text, &ipv4) == 0) {
		address.bytes[10] = 0xff;
		address.bytes[11] = 0xff;
		memcpy(address.bytes + 12, ipv4.bytes, 4);
	} else if (parse_groups(text, address.bytes) < 0) {
		return -EINVAL;
	}
	*ret = address;
	return 0;
}

int address_parse(const char *text, struct address *ret)
{
	struct address address;

	if (strcmp(text, "unix/") == 0) {
		*ret = (struct address){ .family = AF_UNIX };
		return 0;
	}
	if (address_parse_ipv6(text, &address) < 0)
		return -EINVAL;
	*ret = address_unmap(address);
	return 0;
}

/*
 * The addresses for which the kernel asks for an interface: link-local ones, unicast and multicast.
 */
static bool has_scope(const uint8_t *bytes)
{
	if (bytes[0] == 0xff)
		return (bytes[1] & 0x0f) == 1 || (bytes[1] & 0x0f) == 2;
	return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
}

/*
 * A number is taken as it is, so that what address_format writes reads back as the same address on
 * any machine.
 */
static int parse_zone(const char *zone, uint32_t *ret)
{
	uint64_t number;
	int r = text_parse_uint(zone, UINT32_MAX, &number);

	if (r == -ERANGE || !*zone)
		return -EINVAL;
	if (r < 0) {
		number = if_nametoindex(zone);
		if (number == 0)
			return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? -errno
										     : -ENODEV;
	}
	*ret = (uint32_t)number;
	return 0;
}

int address_parse_scoped(const char *text, struct address *ret)
{
	struct address address = { .family = AF_INET6 };
	const char *percent = strchr(text, '%');
	char group_text[IPV6_TEXT_MAX + 1];
	size_t len;
	int r;

	if (!percent) {
		if (address_parse(text, &address) < 0 || address.family == AF_UNIX)
			return -EINVAL;
		*ret = address;
		return 0;
	}
	len = (size_t)(percent - text);
	if (len > IPV6_TEXT_MAX)
		return -EINVAL;
	memcpy(group_text, text, len);
	group_text[len] = '\0';
	if (parse_groups(group_text, address.bytes) < 0 || !has_scope(address.bytes))
		return -EINVAL;
	r = parse_zone(percent + 1, &address.scope);
	if (r < 0)
		return r;
	*ret = address;
	return 0;
}

struct address address_unmap(struct address address)
{
	struct address ipv4 = { .family = AF_INET };

	if (!is_mapped(&address))
		return address;
	memcpy(ipv4.bytes, address.bytes + 12, 4);
	return ipv4;
}

static void format_quad(const uint8_t *bytes, char *buffer, size_t size)
{
	(void)snprintf(buffer, size, "%u.%u.%u.%u", bytes[0], bytes[1], bytes[2], bytes[3]);
}

/*
 * The leftmost of the longest runs of zero groups, if it has two at least (RFC 5952 section 4.2);
 * *ret_len 0: none.
 */
static size_t find_zero_run(const uint8_t *bytes, size_t *ret_len)
{
	size_t best = 0;
	size_t best_len = 1;
	size_t len = 0;

	for (size_t i = 0; i < N_GROUPS; i++) {
		len = bytes[2 * i] == 0 && bytes[2 * i + 1] == 0 ? len + 1 : 0;
		if (len > best_len) {
			best = i + 1 - len;
			best_len = len;
		}
	}
	*ret_len = best_len > 1 ? best_len : 0;
	return best;
}

/* size is ADDRESS_TEXT_SIZE. */
static void format_ipv6(const struct address *address, char *buffer)
{
	size_t run_len;
	size_t run = find_zero_run(address->bytes, &run_len);
	size_t n = is_mapped(address) ? N_GROUPS - 2 : N_GROUPS;
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned int group =
			(unsigned int)address->bytes[2 * i] << 8 | address->bytes[2 * i + 1];

		if (run_len > 0 && i == run) {
			buffer[len++] = ':';
			if (run + run_len == N_GROUPS)
				buffer[len++] = ':';
			i += run_len - 1;
			continue;
		}
		if (i > 0)
			buffer[len++] = ':';
		len += (size_t)snprintf(buffer + len, ADDRESS_TEXT_SIZE - len, "%x", group);
	}
	buffer[len] = '\0';
	if (n < N_GROUPS) {
		buffer[len++] = ':';
		format_quad(address->bytes + 12, buffer + len, ADDRESS_TEXT_SIZE - len);
	}
	if (address->scope != 0) {
		len = strlen(buffer);
		(void)snprintf(buffer + len, ADDRESS_TEXT_SIZE - len, "%%%u",
			       (unsigned int)address->scope);
	}
}

/* An address cut short would be another address: what does not fit is not written. */
static const char *copy_out(const char *text, char *buffer, size_t size)
{
	size_t len = strlen(text);

	if (len < size)
		memcpy(buffer, text, len + 1);
	else if (size > 0)
		buffer[0] = '\0';
	return buffer;
}

const char *address_format(const struct address *address, char *buffer, size_t size)
{
	char text[ADDRESS_TEXT_SIZE] = "";

	if (address->family == AF_INET)
		format_quad(address->bytes, text, sizeof(text));
	else if (address->family == AF_INET6)
		format_ipv6(address, text);
	else if (address->family == AF_UNIX)
		return copy_out("unix/", buffer, size);
	return copy_out(text, buffer, size);
}

const char *address_format_plain(const struct address *address, char *buffer, size_t size)
{
	struct address plain = address_unmap(*address);

	plain.scope = 0;
	return address_format(&plain, buffer, size);
}

bool address_equal(const struct address *a, const struct address *b)
{
	return a->family == b->family && a->scope == b->scope &&
	       memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

size_t address_len(const struct address *address)
{
	if (address->family == AF_INET)
		return 4;
	return address->family == AF_INET6 ? 16 : 0;
}

bool address_in_network(const struct address *address, const struct address *network,
			unsigned int prefix_len)
{
	size_t n_bytes = prefix_len / 8;
	unsigned int n_bits = prefix_len % 8;

	if (address->family != network->family || address_len(address) == 0 ||
	    prefix_len > 8 * address_len(address))
		return false;
	if (network->scope != 0 && address->scope != network->scope)
		return false;
	if (memcmp(address->bytes, network->bytes, n_bytes) != 0)
		return false;
	return n_bits == 0 ||
	       (address->bytes[n_bytes] ^ network->bytes[n_bytes]) >> (8 - n_bits) == 0;
}

const char *endpoint_format(const struct endpoint *endpoint, char *buffer, size_t size)
{
	char text[ENDPOINT_TEXT_SIZE];
	char address[ADDRESS_TEXT_SIZE];

	(void)address_format(&endpoint->address, address, sizeof(address));
	(void)snprintf(text, sizeof(text),
		       endpoint->address.family == AF_INET6 ? "[%s]:%u" : "%s:%u", address,
		       (unsigned int)endpoint->port);
	return copy_out(text, buffer, size);
}

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && address_equal(&a->address, &b->address);
}

int endpoint_to_sockaddr(const struct endpoint *endpoint, struct sockaddr_storage *ret,
			 socklen_t *ret_len)
{
	struct sockaddr_storage storage = { 0 };
	struct sockaddr_in ipv4 = { .sin_family = AF_INET, .sin_port = htons(endpoint->port) };
	struct sockaddr_in6 ipv6 = { .sin6_family = AF_INET6,
				     .sin6_port = htons(endpoint->port),
				     .sin6_scope_id = endpoint->address.scope };

	switch (endpoint->address.family) {
	case AF_INET:
		memcpy(&ipv4.sin_addr, endpoint->address.bytes, 4);
		memcpy(&storage, &ipv4, sizeof(ipv4));
		*ret_len = sizeof(ipv4);
		break;
	case AF_INET6:
		memcpy(&ipv6.sin6_addr, endpoint->address.bytes, 16);
		memcpy(&storage, &ipv6, sizeof(ipv6));
		*ret_len = sizeof(ipv6);
		break;
	default:
		return -EAFNOSUPPORT;
	}
	*ret = storage;
	return 0;
}

int endpoint_from_sockaddr(const struct sockaddr *sockaddr, socklen_t len, struct endpoint *ret)
{
	struct endpoint endpoint = { 0 };
	struct sockaddr_in6 ipv6;
	struct sockaddr_in ipv4;

	if (len < sizeof(sockaddr->sa_family))
		return -EINVAL;
	endpoint.address.family = sockaddr->sa_family;
	switch (sockaddr->sa_family) {
	case AF_INET:
		if (len < sizeof(ipv4))
			return -EINVAL;
		memcpy(&ipv4, sockaddr, sizeof(ipv4));
		memcpy(endpoint.address.bytes, &ipv4.sin_addr, 4);
		endpoint.port = ntohs(ipv4.sin_port);
		break;
	case AF_INET6:
		if (len < sizeof(ipv6))
			return -EINVAL;
		memcpy(&ipv6, sockaddr, sizeof(ipv6));
		memcpy(endpoint.address.bytes, &ipv6.sin6_addr, 16);
		endpoint.port = ntohs(ipv6.sin6_port);
		if (has_scope(endpoint.address.bytes))
			endpoint.address.scope = ipv6.sin6_scope_id;
		break;
	default:
		return -EAFNOSUPPORT;
	}
	*ret = endpoint;
	return 0;
}
