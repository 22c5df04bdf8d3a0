/* SPDX-License-Identifier: MIT */
/*
 * resolve/nat64-discovery in a network namespace of each test, with the real kernel's routes and router advertisements, a scripted
 * name server on loopback, and a clock that stands still.
 */
#include "daemon/resolve/nat64-discovery.h"

#include <event2/event.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/resource.h>

#include "daemon/base/clock.h"
#include "daemon/connect/network.h"
#include "tests/support/kernel_net.h"
#include "tests/support/lookup_rig.h"
#include "tests/support/suite.h"

#define NAME "ipv4only.arpa"

struct rig {
	struct lookup_rig names; /* and the clock */
	int tap;		 /* keeps wire0 */
	unsigned int interface;
	struct network *network;
	struct nat64_discovery *discovery;
	struct nat64_waiter waiters[3];
	unsigned int n_settled;
	bool is_settled, asks_when_settled, leaves_when_settled;
	size_t n_configured, n_told, n_changes; /* what the policy was told */
	struct nat64_prefix told[NAT64_DISCOVERY_MAX];
};

static void on_changed(const struct nat64_setting *setting, const struct nat64_prefix *told,
		       size_t n_told, void *arg)
{
	struct rig *rig = arg;

	ck_assert_uint_le(n_told, NAT64_DISCOVERY_MAX);
	rig->n_configured = setting->n;
	rig->n_told = n_told;
	memcpy(rig->told, told, n_told * sizeof(*told));
	rig->n_changes++;
}

static void set_default(struct rig *rig, unsigned short type, const char *destination)
{
	kernel_net_route(&(struct kernel_net_route){
		.type = type, .interface = rig->interface, .destination = destination });
}

static bool open_rig(struct rig *rig, const struct dns_rule *rules, size_t n_rules)
{
	struct nat64_discovery_params params = { .changed = on_changed, .arg = rig };

	*rig = (struct rig){ .tap = -1 };
	if (!suite_has(kernel_net_enter(), "a network namespace of its own"))
		return false;
	rig->tap = kernel_net_make_tap("wire0");
	if (!suite_has(rig->tap >= 0, "tap interfaces"))
		return false;
	rig->interface = if_nametoindex("wire0");
	lookup_rig_open(&rig->names, rules, n_rules);
	ck_assert_int_eq(network_new(&rig->network, rig->names.scene.base), 0);
	params.lookups = rig->names.lookups;
	params.network = rig->network;
	ck_assert_int_eq(nat64_discovery_new(&rig->discovery, &params, rig->names.scene.base), 0);
	set_default(rig, RTM_NEWROUTE, "::");
	return true;
}

static void close_rig(struct rig *rig)
{
	ck_assert_ptr_null(nat64_discovery_free(rig->discovery));
	(void)network_free(rig->network);
	lookup_rig_close(&rig->names);
	(void)close_fd(rig->tap);
}

static size_t count(const struct rig *rig)
{
	return dns_server_count(rig->names.scene.server, NAME, DNS_RULE_AAAA);
}

/* "": it is not translated. */
static const char *translate(struct rig *rig, const char *text)
{
	static char made[ADDRESS_TEXT_SIZE];
	struct address address = { 0 }, before;

	ck_assert_int_eq(address_parse(text, &address), 0);
	before = address;
	if (nat64_discovery_translate(rig->discovery, &address))
		return address_format(&address, made, sizeof(made));
	ck_assert(address_equal(&address, &before));
	return "";
}

static void on_settled(void *arg)
{
	struct rig *rig = arg;

	rig->n_settled++;
	rig->is_settled = true;
	if (rig->asks_when_settled) {
		ck_assert(!nat64_discovery_ask(rig->discovery));
		nat64_discovery_wait(rig->discovery, &rig->waiters[2], on_settled, rig);
		rig->asks_when_settled = false;
	}
	if (rig->leaves_when_settled)
		for (size_t i = 0; i < ARRAY_LEN(rig->waiters); i++)
			nat64_discovery_unwait(&rig->waiters[i]);
}

/* Asks, and waits for what comes of it. */
static void ask(struct rig *rig)
{
	rig->is_settled = false;
	ck_assert(nat64_discovery_ask(rig->discovery));
	nat64_discovery_wait(rig->discovery, &rig->waiters[0], on_settled, rig);
	ck_assert(!rig->is_settled);
	suite_loop(rig->names.scene.base, &rig->is_settled);
}

static const struct dns_rule dns64 = {
	.name = NAME, .type = DNS_RULE_AAAA, .ttl = 100, .addresses = "2001:db8:64::192.0.0.170"
};

START_TEST(the_dns_tells_the_prefix_once_for_all)
{
	struct rig rig;

	if (!open_rig(&rig, &dns64, 1))
		return;
	ck_assert_str_eq(translate(&rig, "198.51.100.7"), "");
	ck_assert(nat64_discovery_ask(rig.discovery));
	ck_assert(nat64_discovery_ask(rig.discovery));
	for (size_t i = 0; i < 3; i++)
		nat64_discovery_wait(rig.discovery, &rig.waiters[i], on_settled, &rig);
	suite_loop(rig.names.scene.base, &rig.is_settled);
	ck_assert_uint_eq(rig.n_settled, 3);
	ck_assert_uint_eq(count(&rig), 1);
	ck_assert_str_eq(translate(&rig, "198.51.100.7"), "2001:db8:64::c633:6407");
	ck_assert_str_eq(translate(&rig, "127.0.0.1"), "");
	ck_assert_str_eq(translate(&rig, "2001:db8::1"), "");
	ck_assert(!nat64_discovery_ask(rig.discovery));
	ck_assert_uint_eq(rig.n_told, 1);
	ck_assert_uint_eq(rig.told[0].len, 96);
	close_rig(&rig);
}
END_TEST

START_TEST(what_the_dns_says_holds_for_its_ttl)
{
	struct rig rig;

	if (!open_rig(&rig, &dns64, 1))
		return;
	ask(&rig);
	lookup_rig_pass(&rig.names, 99);
	ck_assert(!nat64_discovery_ask(rig.discovery));
	lookup_rig_pass(&rig.names, 2);
	ck_assert_str_eq(translate(&rig, "198.51.100.7"), "");
	ck_assert_uint_eq(rig.n_told, 1); /* the policy goes on knowing it */
	ask(&rig);
	ck_assert_uint_eq(count(&rig), 2);
	ck_assert_str_eq(translate(&rig, "198.51.100.7"), "2001:db8:64::c633:6407");
	ck_assert_uint_eq(rig.n_changes, 1);
	close_rig(&rig);
}
END_TEST

START_TEST(that_there_is_none_is_remembered_for_a_minute)
{
	static const struct dns_rule rules[] = {
		{ .name = NAME, .type = DNS_RULE_AAAA, .times = 1, .ttl = 1 },
		{ .name = NAME, .type = DNS_RULE_AAAA, .times = 1, .addresses = "2001:db8::1" },
	};
	struct rig rig;

	if (!open_rig(&rig, rules, ARRAY_LEN(rules)))
		return;
	ask(&rig);
	ck_assert_str_eq(translate(&rig, "198.51.100.7"), "");
	lookup_rig_pass(&rig.names, 59);
	ck_assert(!nat64_discovery_ask(rig.discovery));
	lookup_rig_pass(&rig.names, 2);
	ask(&rig); /* an answer without the well-known address */
	ck_assert(!nat64_discovery_ask(rig.discovery));
	ck_assert_uint_eq(count(&rig), 2);
	ck_assert_uint_eq(rig.n_told, 0);
	close_rig(&rig);
}
END_TEST

START_TEST(an_answer_behind_its_ttl_is_none)
{
	static const struct dns_rule rules[] = {
		{ .name = NAME,
		  .type = DNS_RULE_AAAA,
		  .times = 1,
		  .ttl = 100,
		  .addresses = "2001:db8:64::192.0.0.170" },
		{ .name = NAME, .rcode = 2 },
	};
	struct rig rig;

	if (!open_rig(&rig, rules, ARRAY_LEN(rules)))
		return;
	ask(&rig);
	lookup_rig_pass(&rig.names, 101);
	ask(&rig);
	ck_assert_str_eq(translate(&rig, "198.51.100.7"), "");
	close_rig(&rig);
}
END_TEST

START_TEST(who_waits_does_so_for_two_seconds_and_a_failure_is_no_answer)
{
	static const struct dns_rule silent = { .silent = true };
	struct rig rig;
	uint64_t began_us;

	if (!open_rig(&rig, &silent, 1))
		return;
	clock_set_fake(NULL);
	began_us = clock_now_us();
	rig.names.now_us = began_us;
	ask(&rig);
	ck_assert_uint_ge(clock_now_us() - began_us, 1900000);
	ck_assert_uint_le(clock_now_us() - began_us, 3000000);
	rig.names.now_us = clock_now_us();
	clock_set_fake(&rig.names.now_us);
	ck_assert(!nat64_discovery_ask(rig.discovery));
	lookup_rig_pass(&rig.names, 6);
	ck_assert(nat64_discovery_ask(rig.discovery));
	close_rig(&rig);
}
END_TEST

START_TEST(nobody_asks_where_there_is_ipv4_or_no_way_out)
{
	struct rig rig;

	if (!open_rig(&rig, &dns64, 1))
		return;
	set_default(&rig, RTM_NEWROUTE, "0.0.0.0");
	ck_assert(!nat64_discovery_ask(rig.discovery));
	set_default(&rig, RTM_DELROUTE, "0.0.0.0");
	set_default(&rig, RTM_DELROUTE, "::");
	ck_assert(!nat64_discovery_ask(rig.discovery));
	ck_assert_uint_eq(count(&rig), 0);
	set_default(&rig, RTM_NEWROUTE, "::");
	ask(&rig);
	close_rig(&rig);
}
END_TEST

START_TEST(in_another_network_it_is_asked_again)
{
	static const struct dns_rule rules[] = {
		{ .name = NAME,
		  .type = DNS_RULE_AAAA,
		  .times = 1,
		  .ttl = 3600,
		  .addresses = "2001:db8:64::192.0.0.170" },
		{ .name = NAME, .type = DNS_RULE_AAAA, .ttl = 3600, .times = 1 },
		{ .name = NAME, .type = DNS_RULE_AAAA, .addresses = "2001:db8:65::192.0.0.170" },
	};
	struct kernel_net_address address = { .type = RTM_NEWADDR,
					      .address = "2001:db8:1::7",
					      .prefix_len = 64,
					      .preferred_s = KERNEL_NET_FOREVER };
	struct rig rig;

	if (!open_rig(&rig, rules, ARRAY_LEN(rules)))
		return;
	ask(&rig);
	address.interface = rig.interface;
	kernel_net_change(&address);
	ck_assert_str_eq(translate(&rig, "198.51.100.7"), "");
	ask(&rig); /* neither of what is known nor of what the cache has */
	ck_assert_str_eq(translate(&rig, "198.51.100.7"), "");
	ck_assert(!nat64_discovery_ask(rig.discovery));
	address.type = RTM_DELADDR;
	kernel_net_change(&address);
	ask(&rig);
	ck_assert_str_eq(translate(&rig, "198.51.100.7"), "2001:db8:65::c633:6407");
	ck_assert_uint_eq(rig.n_told, 2);
	close_rig(&rig);
}
END_TEST

START_TEST(who_waits_when_the_network_changes_is_answered_in_the_new_one)
{
	static const struct dns_rule rules[] = {
		{ .name = NAME, .type = DNS_RULE_AAAA, .times = 1, .silent = true },
		{ .name = NAME, .type = DNS_RULE_AAAA, .addresses = "2001:db8:65::192.0.0.170" },
	};
	struct rig rig;

	if (!open_rig(&rig, rules, ARRAY_LEN(rules)))
		return;
	ck_assert(nat64_discovery_ask(rig.discovery));
	nat64_discovery_wait(rig.discovery, &rig.waiters[0], on_settled, &rig);
	while (count(&rig) == 0)
		ck_assert_int_eq(event_base_loop(rig.names.scene.base, EVLOOP_ONCE), 0);
	kernel_net_change(&(struct kernel_net_address){ .type = RTM_NEWADDR,
							.interface = rig.interface,
							.address = "2001:db8:1::7",
							.prefix_len = 64,
							.preferred_s = KERNEL_NET_FOREVER });
	ck_assert_str_eq(translate(&rig, "198.51.100.7"), "");
	suite_loop(rig.names.scene.base, &rig.is_settled);
	ck_assert_str_eq(translate(&rig, "198.51.100.7"), "2001:db8:65::c633:6407");
	close_rig(&rig);
}
END_TEST

START_TEST(who_waits_when_ipv4_comes_waits_for_nothing)
{
	static const struct dns_rule silent = { .silent = true };
	struct rig rig;

	if (!open_rig(&rig, &silent, 1))
		return;
	ck_assert(nat64_discovery_ask(rig.discovery));
	nat64_discovery_wait(rig.discovery, &rig.waiters[0], on_settled, &rig);
	set_default(&rig, RTM_NEWROUTE, "0.0.0.0");
	ck_assert(!nat64_discovery_ask(rig.discovery));
	suite_loop(rig.names.scene.base, &rig.is_settled);
	close_rig(&rig);
}
END_TEST

START_TEST(waiters_may_leave_and_come_while_they_are_told)
{
	struct rig rig;

	if (!open_rig(&rig, &dns64, 1))
		return;
	rig.leaves_when_settled = true;
	ck_assert(nat64_discovery_ask(rig.discovery));
	for (size_t i = 0; i < 3; i++)
		nat64_discovery_wait(rig.discovery, &rig.waiters[i], on_settled, &rig);
	nat64_discovery_unwait(&rig.waiters[1]);
	nat64_discovery_unwait(&rig.waiters[1]);
	suite_loop(rig.names.scene.base, &rig.is_settled);
	ck_assert_uint_eq(rig.n_settled, 1);
	rig.leaves_when_settled = false;
	rig.asks_when_settled = true;
	lookup_rig_pass(&rig.names, 101);
	ask(&rig);
	while (rig.n_settled < 3) /* the one who came is told, too */
		ck_assert_int_eq(event_base_loop(rig.names.scene.base, EVLOOP_ONCE), 0);
	close_rig(&rig);
}
END_TEST

static void configure(struct rig *rig, const char *text)
{
	struct nat64_setting setting;

	ck_assert_ptr_null(nat64_parse_setting(text, &setting));
	nat64_discovery_configure(rig->discovery, &setting);
}

START_TEST(a_configured_prefix_is_used_and_nobody_is_asked)
{
	struct rig rig;

	if (!open_rig(&rig, &dns64, 1))
		return;
	configure(&rig, "64:ff9b::/96 2001:db8::/32");
	ck_assert(!nat64_discovery_ask(rig.discovery));
	ck_assert_str_eq(translate(&rig, "9.9.9.9"), "64:ff9b::909:909");
	/* The first that may hold it. */
	ck_assert_str_eq(translate(&rig, "10.0.0.1"), "2001:db8:a00:1::");
	ck_assert_uint_eq(rig.n_configured, 2);
	configure(&rig, "64:ff9b::/96");
	ck_assert_str_eq(translate(&rig, "10.0.0.1"), "");
	configure(&rig, "no");
	ck_assert(!nat64_discovery_ask(rig.discovery));
	ck_assert_str_eq(translate(&rig, "9.9.9.9"), "");
	ck_assert_uint_eq(count(&rig), 0);
	configure(&rig, "auto");
	ask(&rig);
	ck_assert_str_eq(translate(&rig, "9.9.9.9"), "2001:db8:64::909:909");
	/* What was found stays, but not in force. */
	configure(&rig, "no");
	ck_assert_str_eq(translate(&rig, "9.9.9.9"), "");
	ck_assert_uint_eq(rig.n_told, 1);
	close_rig(&rig);
}
END_TEST

/* An option of RFC 8781 for 2001:db8:NN::/96. */
static void advertise(struct rig *rig, uint8_t number, unsigned int lifetime_s)
{
	const uint8_t option[16] = { 38,
				     2,
				     (uint8_t)(lifetime_s >> 8),
				     (uint8_t)(lifetime_s & 0xf8),
				     0x20,
				     0x01,
				     0x0d,
				     0xb8,
				     0,
				     number };

	kernel_net_advertise(rig->tap, option, sizeof(option));
}

/* Runs the loop until the address is translated so. */
static void wait_for(struct rig *rig, const char *expected)
{
	for (int i = 0; i < 500 && strcmp(translate(rig, "9.9.9.9"), expected) != 0; i++)
		suite_loop_for(rig->names.scene.base, 10);
	ck_assert_str_eq(translate(rig, "9.9.9.9"), expected);
}

START_TEST(a_router_tells_the_prefix_and_takes_it_back)
{
	struct rig rig;

	if (!open_rig(&rig, &dns64, 1))
		return;
	advertise(&rig, 0x66, 600);
	wait_for(&rig, "2001:db8:66::909:909");
	ck_assert(!nat64_discovery_ask(rig.discovery));
	ck_assert_uint_eq(rig.n_told, 1);
	lookup_rig_pass(&rig.names, 300);
	advertise(&rig, 0x66, 600); /* once more: it lasts longer */
	advertise(&rig, 0x67, 0);   /* nobody knew it */
	suite_loop_for(rig.names.scene.base, 50);
	lookup_rig_pass(&rig.names, 599);
	ck_assert_str_eq(translate(&rig, "9.9.9.9"), "2001:db8:66::909:909");
	advertise(&rig, 0x66, 0);
	wait_for(&rig, "");
	ck_assert_uint_eq(rig.n_told, 1);
	ck_assert_uint_eq(count(&rig), 0);
	ask(&rig);
	ck_assert_str_eq(translate(&rig, "9.9.9.9"), "2001:db8:64::909:909");
	/* A router is believed before the DNS. */
	advertise(&rig, 0x66, 16);
	wait_for(&rig, "2001:db8:66::909:909");
	lookup_rig_pass(&rig.names, 16);
	ck_assert_str_eq(translate(&rig, "9.9.9.9"), "2001:db8:64::909:909");
	close_rig(&rig);
}
END_TEST

START_TEST(what_a_router_said_ends_with_its_link)
{
	struct rig rig;

	if (!open_rig(&rig, &dns64, 1))
		return;
	advertise(&rig, 0x66, 600);
	wait_for(&rig, "2001:db8:66::909:909");
	kernel_net_set_up("wire0", false);
	wait_for(&rig, "");
	kernel_net_set_up("wire0", true);
	suite_loop_for(rig.names.scene.base, 20);
	ck_assert_str_eq(translate(&rig, "9.9.9.9"), "");
	advertise(&rig, 0x66, 600);
	wait_for(&rig, "2001:db8:66::909:909");
	rig.tap = close_fd(rig.tap);
	wait_for(&rig, "");
	close_rig(&rig);
}
END_TEST

START_TEST(what_is_no_prefix_in_an_advertisement_is_ignored)
{
	static const uint8_t options[][16] = {
		{ 38, 2, 2, 0x58, [14] = 0xff, 0xff }, /* ::/96 */
		{ 38, 2, 2, 0x5f, 0x20, 1 },	       /* no length has this code */
		{ 38, 1, 2, 0x58, 0x20, 1, 0, 0, 38, 1 },
	};
	struct rig rig;

	if (!open_rig(&rig, &dns64, 1))
		return;
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		kernel_net_advertise(rig.tap, options[i], sizeof(options[i]));
	advertise(&rig, 0x66, 600);
	wait_for(&rig, "2001:db8:66::909:909");
	ck_assert_uint_eq(rig.n_told, 1);
	close_rig(&rig);
}
END_TEST

START_TEST(there_are_so_many_prefixes_and_no_more)
{
	struct rig rig;

	if (!open_rig(&rig, &dns64, 1))
		return;
	advertise(&rig, 1, 65528); /* this one lasts */
	wait_for(&rig, "2001:db8:1::909:909");
	for (uint8_t i = 0; i < 40; i++) {
		advertise(&rig, (uint8_t)(2 + i), 16);
		while (rig.n_changes < (size_t)i + 2)
			ck_assert_int_eq(event_base_loop(rig.names.scene.base, EVLOOP_ONCE), 0);
		lookup_rig_pass(&rig.names, 17);
	}
	ck_assert_uint_eq(rig.n_told, NAT64_DISCOVERY_MAX);
	ck_assert_str_eq(translate(&rig, "9.9.9.9"), "2001:db8:1::909:909");
	close_rig(&rig);
}
END_TEST

START_TEST(without_descriptors_the_dns_is_asked)
{
	struct nat64_discovery *discovery = NULL;
	struct nat64_discovery_params params = { 0 };
	struct rlimit limit, none;
	struct rig rig;

	if (!open_rig(&rig, &dns64, 1))
		return;
	params.lookups = rig.names.lookups;
	params.network = rig.network;
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_int_eq(nat64_discovery_new(&discovery, &params, rig.names.scene.base), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert(nat64_discovery_ask(discovery));
	nat64_discovery_wait(discovery, &rig.waiters[0], on_settled, &rig);
	suite_loop(rig.names.scene.base, &rig.is_settled);
	ck_assert(!nat64_discovery_ask(discovery));
	(void)nat64_discovery_free(discovery);
	ck_assert_ptr_null(nat64_discovery_free(NULL));
	close_rig(&rig);
}
END_TEST

SUITE_MAIN("nat64_discovery", the_dns_tells_the_prefix_once_for_all,
	   what_the_dns_says_holds_for_its_ttl, that_there_is_none_is_remembered_for_a_minute,
	   an_answer_behind_its_ttl_is_none,
	   who_waits_does_so_for_two_seconds_and_a_failure_is_no_answer,
	   nobody_asks_where_there_is_ipv4_or_no_way_out, in_another_network_it_is_asked_again,
	   who_waits_when_the_network_changes_is_answered_in_the_new_one,
	   who_waits_when_ipv4_comes_waits_for_nothing,
	   waiters_may_leave_and_come_while_they_are_told,
	   a_configured_prefix_is_used_and_nobody_is_asked,
	   a_router_tells_the_prefix_and_takes_it_back, what_a_router_said_ends_with_its_link,
	   what_is_no_prefix_in_an_advertisement_is_ignored, there_are_so_many_prefixes_and_no_more,
	   without_descriptors_the_dns_is_asked)
