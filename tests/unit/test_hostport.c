/* SPDX-License-Identifier: MIT */
/*
 * What the vectors (test_vectors.c) do not show: lengths, buffers, and that format and parse are
 * each other's inverse.
 */
#include "protocol/hostport.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/suite.h"

static const struct {
	const char *text;
	const char *default_service;
	const char *host; /* NULL: refused */
	const char *service;
} parses[] = {
	{ "host:80", NULL, "host", "80" },
	{ "host#80", NULL, "host", "80" },
	{ "host 80", NULL, "host", "80" },
	{ "host \t 80 ", NULL, "host", "80" },
	{ "[fe80::1%eth0]#80", NULL, "fe80::1%eth0", "80" },
	{ "fe80::1%eth0 80", NULL, "fe80::1%eth0", "80" },
	{ "fe80::1%123456789012345", "80", "fe80::1%123456789012345", "80" },
	{ "fe80::1%1234567890123456", "80", NULL, NULL }, /* longer than an interface name */
	{ "fe80::1%", "80", NULL, NULL },
	{ "fe80::1%a%b", "80", NULL, NULL },
	{ "[fe80::1%a/b]:80", NULL, NULL, NULL },
	{ "[fe80::1%a b]:80", NULL, NULL, NULL },
	{ "fe80::1%eth0:80", NULL, NULL,
	  NULL }, /* the port of a bare IPv6 address needs another sign */
	{ "%eth0:80", NULL, NULL, NULL },
	{ "1.2.3.4%eth0", "80", NULL, NULL },
	{ "1.2.3.4:80", NULL, "1.2.3.4", "80" },
	{ "[1.2.3.4]#http", NULL, "1.2.3.4", "http" },
	{ "unix/:/run/x", NULL, "unix/", "/run/x" },
	{ "unix/#/run/x", NULL, "unix/", "/run/x" },
	{ "unix/:run/x", NULL, NULL, NULL },
	{ "UNIX/:/run/x", NULL, NULL, NULL },
	{ "/run/x ", "80", "unix/", "/run/x " },
	{ "/", NULL, "unix/", "/" },
	{ "host", "", NULL, NULL },
	{ "host", "0", "host", "0" },
	{ "host", "a b", NULL, NULL },
	{ "[", "80", NULL, NULL },
	{ "]", "80", NULL, NULL },
	{ "[]", "80", NULL, NULL },
	{ "[::1][::2]", "80", NULL, NULL },
	{ "a\x7f:80", NULL, NULL, NULL },
	{ "a\x01:80", NULL, NULL, NULL },
	{ "a\\b:80", NULL, NULL, NULL },
	{ "a<b:80", NULL, NULL, NULL },
};

START_TEST(text_is_cut_in_host_and_service)
{
	for (size_t i = 0; i < ARRAY_LEN(parses); i++) {
		struct hostport hostport = { .host = "untouched", .service = "untouched" };
		int r = hostport_parse(parses[i].text, parses[i].default_service, &hostport);

		ck_assert_msg(r == (parses[i].host ? 0 : -EINVAL), "\"%s\": %d", parses[i].text, r);
		ck_assert_str_eq(hostport.host, parses[i].host ? parses[i].host : "untouched");
		ck_assert_str_eq(hostport.service,
				 parses[i].host ? parses[i].service : "untouched");
	}
}
END_TEST

START_TEST(what_does_not_fit_is_refused_not_cut)
{
	struct hostport hostport;
	char text[1024];

	for (int len = HOSTPORT_HOST_MAX - 1; len <= HOSTPORT_HOST_MAX + 1; len++) {
		(void)snprintf(text, sizeof(text), "%0*d:80", len, 0);
		ck_assert_int_eq(hostport_parse(text, NULL, &hostport),
				 len <= HOSTPORT_HOST_MAX ? 0 : -EINVAL);
	}
	/* Something like an IPv6 address that no buffer for one holds. */
	for (int len = 30; len < 100; len++) {
		(void)snprintf(text, sizeof(text), "[::1%%%0*d]:80", len, 0);
		ck_assert_int_eq(hostport_parse(text, NULL, &hostport), -EINVAL);
	}
	for (int len = HOSTPORT_SERVICE_MAX - 1; len <= HOSTPORT_SERVICE_MAX + 1; len++) {
		(void)snprintf(text, sizeof(text), "/%0*d", len - 1, 0);
		ck_assert_int_eq(hostport_parse(text, NULL, &hostport),
				 len <= HOSTPORT_SERVICE_MAX ? 0 : -EINVAL);
		(void)snprintf(text, sizeof(text), "host:%0*d", len, 80);
		ck_assert_int_eq(hostport_parse(text, NULL, &hostport),
				 len <= HOSTPORT_SERVICE_MAX ? 0 : -EINVAL);
	}
}
END_TEST

static const struct {
	const char *text;
	bool good;
} services[] = {
	{ "0", true },
	{ "80", true },
	{ "0080", true },
	{ "65535", true },
	{ "http", true },
	{ "HTTP", true },
	{ "8a", true },
	{ "x_y", true },
	{ "iso-tsap", true },
	{ "whois++", true },
	{ "z39.50", true },
	{ "http=80", true },
	{ "http=0", true },
	{ "http=65535", true },
	{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true },
	{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false },
	{ "", false },
	{ "65536", false },
	{ "99999999999999999999999", false },
	{ "-1", false },
	{ "+http", false },
	{ "_http", false },
	{ ".", false },
	{ "1.2", false },
	{ "http=", false },
	{ "=80", false },
	{ "80=80", false },
	{ "http=65536", false },
	{ "http=-1", false },
	{ "http=80=80", false },
	{ "ht tp", false },
	{ "http ", false },
	{ "http\n", false },
	{ "h/p", false },
	{ "h:p", false },
	{ "h\xc3\xa4", false },
};

START_TEST(a_service_is_a_port_or_a_name_or_both)
{
	for (size_t i = 0; i < ARRAY_LEN(services); i++)
		ck_assert_msg(hostport_check_service(services[i].text) ==
				      (services[i].good ? 0 : -EINVAL),
			      "\"%s\"", services[i].text);
}
END_TEST

START_TEST(format_writes_all_or_nothing)
{
	static const char expected[] = "[fe80::1%eth0]:80";
	char buffer[sizeof(expected) + 1];

	for (size_t size = 0; size <= sizeof(buffer); size++) {
		int r;

		memset(buffer, 'x', sizeof(buffer));
		r = hostport_format("fe80::1%eth0", "80", buffer, size);
		if (size < sizeof(expected)) {
			ck_assert_int_eq(r, -ENOBUFS);
			ck_assert_int_eq(buffer[0], 'x');
		} else {
			ck_assert_int_eq(r, 0);
			ck_assert_str_eq(buffer, expected);
		}
	}
	ck_assert_int_eq(hostport_format("host", NULL, buffer, sizeof(buffer)), 0);
	ck_assert_str_eq(buffer, "host");
	ck_assert_int_eq(hostport_format("unix/", "/p", buffer, sizeof(buffer)), 0);
	ck_assert_str_eq(buffer, "unix/:/p");
}
END_TEST

START_TEST(parse_undoes_format)
{
	static const char *const pairs[][2] = {
		{ "host", "80" },	    { "host.", "http" }, { "1.2.3.4", "http=80" },
		{ "127.1", "0" },	    { "::1", "65535" },	 { "fe80::1%eth0", "1" },
		{ "::ffff:1.2.3.4", "a" },  { "unix/", "/p" },	 { "unix/", "/a:b c#d[e]" },
		{ "unix/", "/p " },	    { "unix/", "/p\n" }, { "unix/", "/" },
		{ "b\xc3\xbc.test", "80" },
	};

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		struct hostport hostport;
		char text[64];

		ck_assert_int_eq(hostport_format(pairs[i][0], pairs[i][1], text, sizeof(text)), 0);
		ck_assert_msg(hostport_parse(text, NULL, &hostport) == 0, "\"%s\"", text);
		ck_assert_str_eq(hostport.host, pairs[i][0]);
		ck_assert_str_eq(hostport.service, pairs[i][1]);
	}
}
END_TEST

static const struct {
	const char *text;
	uint16_t default_port;
	int result;
	const char *endpoint;
} endpoints[] = {
	{ "192.0.2.1", 53, 0, "192.0.2.1:53" },
	{ "192.0.2.1:5300", 53, 0, "192.0.2.1:5300" },
	{ "[2001:db8::1]:53", 1, 0, "[2001:db8::1]:53" },
	{ "2001:db8::1", 53, 0, "[2001:db8::1]:53" },
	{ "fe80::1%lo", 53, 0, "[fe80::1%1]:53" },
	{ "192.0.2.1", 0, 0, "192.0.2.1:0" },
	{ "192.0.2.1:0", 0, 0, "192.0.2.1:0" },
	{ "192.0.2.1:0", 53, -EINVAL, NULL },
	{ "192.0.2.1:65536", 53, -EINVAL, NULL },
	{ "192.0.2.1:http", 53, -EINVAL, NULL },
	{ "192.0.2.1:http=80", 53, -EINVAL, NULL },
	{ "host:53", 53, -EINVAL, NULL },
	{ "unix/:/p", 53, -EINVAL, NULL },
	{ "/p", 53, -EINVAL, NULL },
	{ "", 53, -EINVAL, NULL },
	{ "fe80::1%no-such-device-x", 53, -EINVAL, NULL }, /* no interface name is so long */
	{ "fe80::1%no-such", 53, -ENODEV, NULL },
};

START_TEST(an_endpoint_needs_no_look_up)
{
	for (size_t i = 0; i < ARRAY_LEN(endpoints); i++) {
		struct endpoint endpoint = { .port = 4711 };
		char text[ENDPOINT_TEXT_SIZE];
		int r = hostport_parse_endpoint(endpoints[i].text, endpoints[i].default_port,
						&endpoint);

		ck_assert_msg(r == endpoints[i].result, "\"%s\": %d", endpoints[i].text, r);
		if (r < 0)
			ck_assert_uint_eq(endpoint.port, 4711);
		else
			ck_assert_str_eq(endpoint_format(&endpoint, text, sizeof(text)),
					 endpoints[i].endpoint);
	}
}
END_TEST

SUITE_MAIN("hostport", an_endpoint_needs_no_look_up, text_is_cut_in_host_and_service,
	   what_does_not_fit_is_refused_not_cut, a_service_is_a_port_or_a_name_or_both,
	   format_writes_all_or_nothing, parse_undoes_format)
