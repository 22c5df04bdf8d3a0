/* SPDX-License-Identifier: MIT */
#include "daemon/resolve/services.h"

#include <stdio.h>
#include <string.h>

#include "protocol/error.h"
#include "tests/support/suite.h"

static struct services *parse(const char *text, size_t len)
{
	struct services *services;

	ck_assert_int_eq(services_new(&services, NULL), 0);
	ck_assert_int_eq(services_parse(services, text, len), 0);
	return services;
}

/* The port, or the negative result. */
static int resolve(struct services *services, const char *service, enum transport transport)
{
	uint16_t port = 4711;
	int r = services_resolve(services, service, transport, &port);

	if (r < 0)
		ck_assert_uint_eq(port, 4711);
	return r < 0 ? r : port;
}

static const char file_text[] = "# comment\n"
				"\n"
				"http\t\t80/tcp\t\twww\t# World Wide Web\n"
				"http 80/sctp\r\n"
				"https 443/tcp\n"
				"https 443/udp # QUIC\n"
				"domain 53/tcp\n"
				"domain 53/udp\n"
				"syslog 514/udp\n"
				"shell 514/tcp cmd syslog#attached\n"
				"twice 1001/tcp\n"
				"twice 1002/tcp\n"
				"X11 6000/TCP\n"
				"Mixed 2001/tcp\n"
				"mixed 2002/tcp\n"
				"rtmp 1/ddp # another transport is no mistake\n"
				"m-a.x_b+c 65535/tcp\n"
				"whois++ 63/tcp\n"
				"9pfs 564/tcp\n"
				"last 7/tcp";

static const struct {
	const char *service;
	enum transport transport;
	int result;
} lookups[] = {
	{ "80", TRANSPORT_TCP, 80 },
	{ "0080", TRANSPORT_UDP, 80 },
	{ "65535", TRANSPORT_TCP, 65535 },
	{ "http", TRANSPORT_TCP, 80 },
	{ "www", TRANSPORT_TCP, 80 },
	{ "HTTP", TRANSPORT_TCP, 80 },
	{ "http", TRANSPORT_SCTP, 80 },
	{ "http", TRANSPORT_UDP, -ASOCK_E_UNKNOWN_SERVICE },
	{ "www", TRANSPORT_SCTP, 80 }, /* no sctp line for this name: the tcp port */
	{ "https", TRANSPORT_SCTP, 443 },
	{ "https", TRANSPORT_UDP, 443 },
	{ "domain", TRANSPORT_UDP, 53 },
	{ "syslog", TRANSPORT_UDP, 514 },
	{ "syslog", TRANSPORT_TCP, 514 }, /* an alias */
	{ "cmd", TRANSPORT_TCP, 514 },
	{ "attached", TRANSPORT_TCP, -ASOCK_E_UNKNOWN_SERVICE },
	{ "twice", TRANSPORT_TCP, 1001 },
	{ "X11", TRANSPORT_TCP, 6000 },
	{ "x11", TRANSPORT_TCP, 6000 },
	{ "Mixed", TRANSPORT_TCP, 2001 }, /* as it stands comes first */
	{ "mixed", TRANSPORT_TCP, 2002 },
	{ "MIXED", TRANSPORT_TCP, 2001 },
	{ "rtmp", TRANSPORT_TCP, -ASOCK_E_UNKNOWN_SERVICE },
	{ "m-a.x_b+c", TRANSPORT_TCP, 65535 },
	{ "whois++", TRANSPORT_TCP, 63 },
	{ "9pfs", TRANSPORT_TCP, 564 },
	{ "last", TRANSPORT_TCP, 7 },
	{ "nosuch=8443", TRANSPORT_TCP, 8443 },
	{ "https=8443", TRANSPORT_TCP, 8443 }, /* the port that is written counts */
	{ "https=0", TRANSPORT_TCP, -ASOCK_E_UNKNOWN_SERVICE },
	{ "https=", TRANSPORT_TCP, -ASOCK_E_UNKNOWN_SERVICE },
	{ "https=65536", TRANSPORT_TCP, -ASOCK_E_UNKNOWN_SERVICE },
	{ "80=443", TRANSPORT_TCP, -ASOCK_E_UNKNOWN_SERVICE },
	{ "0", TRANSPORT_TCP, -ASOCK_E_UNKNOWN_SERVICE },
	{ "65536", TRANSPORT_TCP, -ASOCK_E_UNKNOWN_SERVICE },
	{ "-1", TRANSPORT_TCP, -ASOCK_E_UNKNOWN_SERVICE },
	{ "", TRANSPORT_TCP, -ASOCK_E_UNKNOWN_SERVICE },
	{ "nosuch", TRANSPORT_TCP, -ASOCK_E_UNKNOWN_SERVICE },
	{ "htt", TRANSPORT_TCP, -ASOCK_E_UNKNOWN_SERVICE },
	{ "httpx", TRANSPORT_TCP, -ASOCK_E_UNKNOWN_SERVICE },
	{ "comment", TRANSPORT_TCP, -ASOCK_E_UNKNOWN_SERVICE },
	{ "80/tcp", TRANSPORT_TCP, -ASOCK_E_UNKNOWN_SERVICE },
	{ "/run/x", TRANSPORT_TCP, -ASOCK_E_UNKNOWN_SERVICE },
};

START_TEST(services_are_ports_by_number_or_by_name)
{
	CLEANUP(services_freep) struct services *services = parse(file_text, strlen(file_text));
	size_t first;

	for (size_t i = 0; i < ARRAY_LEN(lookups); i++) {
		int r = resolve(services, lookups[i].service, lookups[i].transport);

		ck_assert_msg(r == lookups[i].result, "\"%s\": %d", lookups[i].service, r);
	}
	ck_assert_uint_eq(services_get_bad_lines(services, &first), 0);
	ck_assert_uint_eq(first, 0);
}
END_TEST

static const struct {
	const char *line;
	size_t len;
	int result; /* of "bad" over tcp */
} bad_lines[] = {
	{ "bad", 0, -ASOCK_E_UNKNOWN_SERVICE },
	{ "bad # 80/tcp", 0, -ASOCK_E_UNKNOWN_SERVICE },
	{ "bad 80", 0, -ASOCK_E_UNKNOWN_SERVICE },
	{ "bad 80/", 0, -ASOCK_E_UNKNOWN_SERVICE },
	{ "bad /tcp", 0, -ASOCK_E_UNKNOWN_SERVICE },
	{ "bad 0/tcp", 0, -ASOCK_E_UNKNOWN_SERVICE },
	{ "bad 65536/tcp", 0, -ASOCK_E_UNKNOWN_SERVICE },
	{ "bad -1/tcp", 0, -ASOCK_E_UNKNOWN_SERVICE },
	{ "bad 8o/tcp", 0, -ASOCK_E_UNKNOWN_SERVICE },
	{ "bad tcp/80", 0, -ASOCK_E_UNKNOWN_SERVICE },
	{ "bad 80 /tcp", 0, -ASOCK_E_UNKNOWN_SERVICE },
	{ "bad 80/tcp\0x", 12, -ASOCK_E_UNKNOWN_SERVICE },
	{ "80 80/tcp bad", 0, 80 }, /* a name that nobody can ask for */
	{ "b/d 80/tcp bad", 0, 80 },
	{ "b=1 80/tcp bad", 0, 80 },
	{ "bad 80/tcp a:b", 0, 80 },
};

START_TEST(bad_lines_are_counted_and_spoil_nothing_else)
{
	for (size_t i = 0; i < ARRAY_LEN(bad_lines); i++) {
		CLEANUP(services_freep) struct services *services = NULL;
		size_t line_len =
			bad_lines[i].len > 0 ? bad_lines[i].len : strlen(bad_lines[i].line);
		char text[256] = "before 1/tcp\n\n";
		size_t len = strlen(text);
		size_t first;

		memcpy(text + len, bad_lines[i].line, line_len);
		len += line_len;
		len += (size_t)snprintf(text + len, sizeof(text) - len, "\nafter 2/tcp\nx\n");
		services = parse(text, len);
		ck_assert_msg(services_get_bad_lines(services, &first) == 2, "\"%s\"",
			      bad_lines[i].line);
		ck_assert_uint_eq(first, 3);
		ck_assert_int_eq(resolve(services, "before", TRANSPORT_TCP), 1);
		ck_assert_int_eq(resolve(services, "after", TRANSPORT_TCP), 2);
		ck_assert_int_eq(resolve(services, "bad", TRANSPORT_TCP), bad_lines[i].result);
	}
}
END_TEST

START_TEST(a_large_table_is_searched_and_keeps_the_first_line_of_a_name)
{
	CLEANUP(services_freep) struct services *services = NULL;
	CLEANUP(freep) char *text = malloc(32 * 40000);
	size_t len = 0;
	char name[32];

	/* Backwards, so that the sorted order is not the file's; and everything twice. */
	for (unsigned int i = 40000; i > 0; i--)
		len += (size_t)snprintf(text + len, 32, "s%u %u/tcp\n", (i - 1) % 20000, i);
	services = parse(text, len);
	for (unsigned int i = 0; i < 20000; i++) {
		(void)snprintf(name, sizeof(name), "S%u", i);
		ck_assert_int_eq(resolve(services, name, TRANSPORT_TCP), (int)i + 20001);
	}
}
END_TEST

START_TEST(the_file_is_followed)
{
	const char *path = suite_write_file("a 1/tcp\n");
	const char *other = suite_write_file("a 222/tcp\n");
	CLEANUP(services_freep) struct services *services = NULL;

	ck_assert_int_eq(services_new(&services, path), 0);
	ck_assert_int_eq(resolve(services, "a", TRANSPORT_TCP), 1);
	ck_assert_int_eq(rename(other, path), 0);
	ck_assert_int_eq(resolve(services, "a", TRANSPORT_TCP), 222);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(resolve(services, "a", TRANSPORT_TCP), -ASOCK_E_UNKNOWN_SERVICE);
	ck_assert_int_eq(resolve(services, "a=3", TRANSPORT_TCP), 3);
	ck_assert_int_eq(resolve(services, "4", TRANSPORT_TCP), 4);
}
END_TEST

START_TEST(without_a_file_numbers_still_work)
{
	CLEANUP(services_freep) struct services *missing = NULL;
	CLEANUP(services_freep) struct services *none = NULL;

	ck_assert_int_eq(services_new(&missing, "/no/such/file"), 0);
	ck_assert_int_eq(resolve(missing, "80", TRANSPORT_TCP), 80);
	ck_assert_int_eq(resolve(missing, "http", TRANSPORT_TCP), -ASOCK_E_UNKNOWN_SERVICE);
	ck_assert_int_eq(services_new(&none, NULL), 0);
	ck_assert_int_eq(resolve(none, "http", TRANSPORT_SCTP), -ASOCK_E_UNKNOWN_SERVICE);
	ck_assert_ptr_null(services_free(NULL));
}
END_TEST

SUITE_MAIN("services", services_are_ports_by_number_or_by_name,
	   bad_lines_are_counted_and_spoil_nothing_else,
	   a_large_table_is_searched_and_keeps_the_first_line_of_a_name, the_file_is_followed,
	   without_a_file_numbers_still_work)
