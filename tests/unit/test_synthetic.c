/* SPDX-License-Identifier: MIT */
/*
 * Against the kernel's own tables, in a network namespace of the test's that ip(8) fills.
 */
#include "daemon/resolve/synthetic.h"

#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/suite.h"

static const char *look_up(enum name_kind kind, size_t max)
{
	static char text[64 * ADDRESS_TEXT_SIZE];
	struct address addresses[64];
	char one[ADDRESS_TEXT_SIZE];
	size_t n, len = 0;

	n = synthetic_lookup(kind, addresses, max);
	ck_assert_uint_le(n, max);
	text[0] = '\0';
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i > 0 ? " " : "",
					address_format(&addresses[i], one, sizeof(one)));
	return text;
}

static bool enter_namespace(void)
{
	return (unshare(CLONE_NEWNET | CLONE_NEWUTS) == 0 ||
		unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWUTS) == 0) &&
	       sethostname("test", 4) == 0;
}

/* Two interfaces, a0 and a1, joined and up, without addresses. */
static bool make_interfaces(void)
{
	return enter_namespace() &&
	       system("exec 2>/dev/null; ip link add a0 type veth peer name a1 && "
		      "sysctl -q -w net.ipv6.conf.a0.addr_gen_mode=1 net.ipv6.conf.a1.addr_gen_mode=1 && "
		      "ip link set lo up && ip link set a0 up && ip link set a1 up") == 0;
}

static void ip(const char *arguments)
{
	CLEANUP(freep) char *command = NULL;

	ck_assert_int_gt(asprintf(&command, "ip %s", arguments), 0);
	ck_assert_msg(system(command) == 0, "%s", command);
}

#define NEEDED "namespaces of its own and ip(8)"

START_TEST(localhost_is_both_loopback_addresses)
{
	ck_assert_str_eq(look_up(NAME_LOCALHOST, 64), "::1 127.0.0.1");
	ck_assert_str_eq(look_up(NAME_LOCALHOST, 1), "::1");
	ck_assert_str_eq(look_up(NAME_LOCALHOST, 0), "");
}
END_TEST

START_TEST(other_kinds_have_nothing)
{
	ck_assert_str_eq(look_up(NAME_HOST, 64), "");
	ck_assert_str_eq(look_up(NAME_LITERAL, 64), "");
	ck_assert_str_eq(look_up(NAME_LOCAL, 64), "");
	ck_assert_str_eq(look_up(NAME_NEVER, 64), "");
}
END_TEST

START_TEST(without_a_network_the_own_name_is_loopback_and_there_is_no_gateway)
{
	if (!suite_has(enter_namespace(), NEEDED))
		return;
	ck_assert_str_eq(look_up(NAME_OWN, 64), "::1 127.0.0.2");
	ck_assert_str_eq(look_up(NAME_GATEWAY, 64), "");
}
END_TEST

START_TEST(the_own_name_has_the_addresses_that_others_reach)
{
	if (!suite_has(make_interfaces(), NEEDED))
		return;
	ip("addr add 169.254.1.2/16 dev a0 scope link");
	ip("addr add fe80::5/64 dev a0 nodad");
	ck_assert_str_eq(look_up(NAME_OWN, 64), "::1 127.0.0.2");
	ip("addr add 192.0.2.1/24 dev a0 scope site");
	ip("addr add 10.1.2.3/24 dev a0");
	ip("addr add 10.1.2.4/24 dev a0"); /* a secondary one */
	ip("addr add 10.9.0.1 peer 10.9.0.2 dev a0");
	ip("addr add 2001:db8::5/64 dev a1 nodad");
	ip("addr add 2001:db8::6/64 dev a1 nodad preferred_lft 0"); /* deprecated */
	ip("addr add 10.7.7.7/32 dev lo");
	ck_assert_str_eq(look_up(NAME_OWN, 64),
			 "10.7.7.7 10.1.2.3 10.9.0.1 10.1.2.4 2001:db8::5 192.0.2.1");
	ck_assert_str_eq(look_up(NAME_OWN, 2), "10.7.7.7 10.1.2.3");
}
END_TEST

START_TEST(gateways_are_those_of_default_routes_by_metric)
{
	if (!suite_has(make_interfaces(), NEEDED))
		return;
	ip("addr add 10.1.0.9/16 dev a0");
	ip("addr add 2001:db8::5/64 dev a0 nodad");
	ip("route add 10.8.0.0/16 via 10.1.0.8");
	ip("route add default via 10.1.0.7 table 100");
	ip("route add unreachable default metric 7");
	ip("route add default dev a1 metric 300"); /* nobody to name */
	ck_assert_str_eq(look_up(NAME_GATEWAY, 64), "");
	ip("route add default via 10.1.0.2 metric 200");
	ip("route add default via 10.1.0.1 metric 100");
	ip("route add default via 10.1.0.2 metric 400");
	ck_assert_str_eq(look_up(NAME_GATEWAY, 64), "10.1.0.1 10.1.0.2");
	ip("-6 route add default via fe80::1 dev a1 metric 2000");
	ip("-6 route add default via 2001:db8::1 metric 50");
	ck_assert_str_eq(look_up(NAME_GATEWAY, 3), "2001:db8::1 10.1.0.1 10.1.0.2");
	ip("route add default via inet6 fe80::2 dev a0 metric 60");
	ip("route add default metric 5000 nexthop via 10.1.0.3 nexthop via 10.1.0.4");
	{
		CLEANUP(freep) char *expected = NULL;

		ck_assert_int_gt(asprintf(&expected,
					  "2001:db8::1 fe80::2%%%u 10.1.0.1 10.1.0.2 fe80::1%%%u "
					  "10.1.0.3 10.1.0.4",
					  if_nametoindex("a0"), if_nametoindex("a1")),
				 0);
		ck_assert_str_eq(look_up(NAME_GATEWAY, 64), expected);
	}
}
END_TEST

START_TEST(a_large_table_ends_and_the_gateway_is_found)
{
	if (!suite_has(make_interfaces(), NEEDED))
		return;
	ip("addr add 10.1.0.9/16 dev a0");
	ip("route add default via 10.1.0.1");
	ck_assert_int_eq(
		system("for i in $(seq 0 63); do for j in $(seq 0 255); do "
		       "echo route add 20.$i.$j.0/24 via 10.1.0.2; done; done | ip -batch -"),
		0);
	ck_assert_str_eq(look_up(NAME_GATEWAY, 64), "10.1.0.1");
	ip("route del default");
	ck_assert_str_eq(look_up(NAME_GATEWAY, 64), "");
}
END_TEST

START_TEST(the_own_name_is_whole_or_without_its_domain)
{
	static const struct {
		const char *own, *text;
		enum name_kind kind;
	} cases[] = {
		{ "web.corp.test", "web.corp.test", NAME_OWN },
		{ "web.corp.test", "web", NAME_OWN },
		{ "WEB.Corp.Test", "web", NAME_OWN },
		{ "web.corp.test", "web.corp", NAME_HOST },
		{ "web.corp.test", "a.web.corp.test", NAME_HOST },
		{ "web.corp.test", "webx", NAME_HOST },
		{ "web", "web", NAME_OWN },
		{ "web", "web.corp.test", NAME_HOST },
		{ "web.local", "web.local", NAME_OWN },
		{ "web.local", "x.local", NAME_LOCAL },
		{ "localhost", "localhost", NAME_LOCALHOST },
		{ "_gateway", "_gateway", NAME_GATEWAY },
		{ "", "web", NAME_HOST },
		{ ".", "web", NAME_HOST },
		{ ".corp", "", NAME_HOST },
	};

	if (!suite_has(enter_namespace(), NEEDED))
		return;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ck_assert_int_eq(sethostname(cases[i].own, strlen(cases[i].own)), 0);
		ck_assert_msg(name_classify(cases[i].text) == cases[i].kind, "\"%s\" at \"%s\"",
			      cases[i].text, cases[i].own);
	}
}
END_TEST

SUITE_MAIN("synthetic", localhost_is_both_loopback_addresses, other_kinds_have_nothing,
	   without_a_network_the_own_name_is_loopback_and_there_is_no_gateway,
	   the_own_name_has_the_addresses_that_others_reach,
	   gateways_are_those_of_default_routes_by_metric,
	   a_large_table_ends_and_the_gateway_is_found, the_own_name_is_whole_or_without_its_domain)
