/* SPDX-License-Identifier: MIT */
/*
 * connect/hostaddrs on the real kernel, in a network namespace that each test makes: addresses come and go over
 * rtnetlink, and what is found has to follow at the next look.
 */
#include "daemon/connect/hostaddrs.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/resource.h>

#include "daemon/base/clock.h"
#include "tests/support/kernel_net.h"
#include "tests/support/suite.h"

#define LOOPBACK_INDEX 1
#define FOREVER	       KERNEL_NET_FOREVER

/* So that no pause comes between a change and the next look. */
static uint64_t now_us = 1000000;

static struct address parse(const char *text)
{
	struct address address = { 0 };

	ck_assert_int_eq(address_parse(text, &address), 0);
	return address;
}

static void add(unsigned int interface, const char *address, uint8_t prefix_len)
{
	kernel_net_change(&(struct kernel_net_address){ .type = RTM_NEWADDR,
							.interface = interface,
							.address = address,
							.prefix_len = prefix_len,
							.preferred_s = FOREVER });
}

static bool enter_network(void)
{
	clock_set_fake(&now_us);
	return kernel_net_enter();
}

static struct hostaddrs_facts find(struct hostaddrs *hostaddrs, const char *text)
{
	struct address address = parse(text);
	struct hostaddrs_facts facts = { .prefix_len = 77, .is_home = true };

	hostaddrs_find(hostaddrs, &address, &facts);
	return facts;
}

static bool is_unknown(struct hostaddrs *hostaddrs, const char *text)
{
	struct hostaddrs_facts facts = find(hostaddrs, text);

	return facts.prefix_len == 0 && !facts.is_deprecated && !facts.is_home && !facts.is_tunnel;
}

static struct hostaddrs *new_hostaddrs(void)
{
	struct hostaddrs *hostaddrs = NULL;

	ck_assert_int_eq(hostaddrs_new(&hostaddrs), 0);
	return hostaddrs;
}

START_TEST(an_address_has_the_prefix_of_its_interface)
{
	CLEANUP(hostaddrs_freep) struct hostaddrs *hostaddrs = NULL;

	if (!suite_has(enter_network(), "a network namespace of its own"))
		return;
	add(LOOPBACK_INDEX, "10.1.2.3", 20);
	add(LOOPBACK_INDEX, "2001:db8::9", 56);
	hostaddrs = new_hostaddrs();
	ck_assert_uint_eq(find(hostaddrs, "10.1.2.3").prefix_len, 20);
	ck_assert_uint_eq(find(hostaddrs, "2001:db8::9").prefix_len, 56);
	ck_assert_uint_eq(find(hostaddrs, "::1").prefix_len, 128);
	ck_assert(!find(hostaddrs, "2001:db8::9").is_deprecated);
	ck_assert(!find(hostaddrs, "2001:db8::9").is_home);
	ck_assert(!find(hostaddrs, "2001:db8::9").is_tunnel);
	ck_assert(is_unknown(hostaddrs, "10.1.2.4"));
	ck_assert(is_unknown(hostaddrs, "2001:db8::a"));
}
END_TEST

START_TEST(ipv4_loopback_addresses_are_one)
{
	CLEANUP(hostaddrs_freep) struct hostaddrs *hostaddrs = NULL;

	if (!suite_has(enter_network(), "a network namespace of its own"))
		return;
	hostaddrs = new_hostaddrs();
	ck_assert_uint_eq(find(hostaddrs, "127.0.0.1").prefix_len, 8);
	ck_assert_uint_eq(find(hostaddrs, "127.3.2.1").prefix_len, 8);
}
END_TEST

START_TEST(on_a_point_to_point_link_the_own_end_counts)
{
	CLEANUP(hostaddrs_freep) struct hostaddrs *hostaddrs = NULL;

	if (!suite_has(enter_network(), "a network namespace of its own"))
		return;
	kernel_net_change(&(struct kernel_net_address){ .type = RTM_NEWADDR,
							.interface = LOOPBACK_INDEX,
							.address = "10.1.2.3",
							.peer = "10.9.9.9",
							.prefix_len = 31,
							.preferred_s = FOREVER });
	kernel_net_change(&(struct kernel_net_address){ .type = RTM_NEWADDR,
							.interface = LOOPBACK_INDEX,
							.address = "2001:db8::1",
							.peer = "2001:db8:9::9",
							.prefix_len = 127,
							.preferred_s = FOREVER });
	hostaddrs = new_hostaddrs();
	ck_assert_uint_eq(find(hostaddrs, "10.1.2.3").prefix_len, 31);
	ck_assert(is_unknown(hostaddrs, "10.9.9.9"));
	ck_assert_uint_eq(find(hostaddrs, "2001:db8::1").prefix_len, 127);
	ck_assert(is_unknown(hostaddrs, "2001:db8:9::9"));
}
END_TEST

START_TEST(changes_show_at_the_next_look)
{
	CLEANUP(hostaddrs_freep) struct hostaddrs *hostaddrs = NULL;
	struct kernel_net_address six = { .type = RTM_NEWADDR,
					  .interface = LOOPBACK_INDEX,
					  .address = "2001:db8::9",
					  .prefix_len = 64,
					  .preferred_s = FOREVER };
	struct kernel_net_address four = { .type = RTM_NEWADDR,
					   .interface = LOOPBACK_INDEX,
					   .address = "10.0.0.1",
					   .prefix_len = 24,
					   .preferred_s = FOREVER };

	if (!suite_has(enter_network(), "a network namespace of its own"))
		return;
	hostaddrs = new_hostaddrs();
	ck_assert(is_unknown(hostaddrs, six.address));
	kernel_net_change(&six);
	ck_assert_uint_eq(find(hostaddrs, six.address).prefix_len, 64);
	six.preferred_s = 0;
	kernel_net_change(&six);
	ck_assert(find(hostaddrs, six.address).is_deprecated);
	six.preferred_s = FOREVER;
	six.flags = IFA_F_HOMEADDRESS;
	kernel_net_change(&six);
	ck_assert(!find(hostaddrs, six.address).is_deprecated);
	ck_assert(is_unknown(hostaddrs, four.address));
	kernel_net_change(&four);
	ck_assert_uint_eq(find(hostaddrs, four.address).prefix_len, 24);
	four.preferred_s = 0;
	kernel_net_change(&four);
	ck_assert(find(hostaddrs, four.address).is_deprecated);
	four.type = six.type = RTM_DELADDR;
	kernel_net_change(&four);
	ck_assert(is_unknown(hostaddrs, four.address));
	kernel_net_change(&six);
	ck_assert(is_unknown(hostaddrs, six.address));
}
END_TEST

START_TEST(a_home_address_is_one)
{
	CLEANUP(hostaddrs_freep) struct hostaddrs *hostaddrs = NULL;

	if (!suite_has(enter_network(), "a network namespace of its own"))
		return;
	kernel_net_change(&(struct kernel_net_address){ .type = RTM_NEWADDR,
							.interface = LOOPBACK_INDEX,
							.address = "2001:db8::9",
							.prefix_len = 64,
							.flags = IFA_F_HOMEADDRESS,
							.preferred_s = FOREVER });
	hostaddrs = new_hostaddrs();
	ck_assert(find(hostaddrs, "2001:db8::9").is_home);
}
END_TEST

/* More news than the socket holds, with nobody looking. */
START_TEST(news_that_were_lost_are_news)
{
	CLEANUP(hostaddrs_freep) struct hostaddrs *hostaddrs = NULL;
	char text[ADDRESS_TEXT_SIZE];

	if (!suite_has(enter_network(), "a network namespace of its own"))
		return;
	hostaddrs = new_hostaddrs();
	ck_assert(is_unknown(hostaddrs, "10.0.0.1"));
	for (unsigned int i = 1; i < 250; i++) {
		struct address address = { .family = AF_INET, .bytes = { 10, 0, 0, (uint8_t)i } };

		add(LOOPBACK_INDEX, address_format(&address, text, sizeof(text)), 24);
	}
	ck_assert_uint_eq(find(hostaddrs, "10.0.0.1").prefix_len, 24);
	ck_assert_uint_eq(find(hostaddrs, "10.0.0.249").prefix_len, 24);
}
END_TEST

START_TEST(a_fetch_that_took_long_is_followed_by_a_pause)
{
	CLEANUP(hostaddrs_freep) struct hostaddrs *hostaddrs = NULL;
	uint64_t began_us;

	if (!suite_has(enter_network(), "a network namespace of its own"))
		return;
	clock_set_fake(NULL); /* so that a fetch takes its time */
	began_us = clock_now_us();
	hostaddrs = new_hostaddrs();
	(void)find(hostaddrs, "127.0.0.1");
	now_us = began_us; /* and from now on none passes */
	clock_set_fake(&now_us);
	add(LOOPBACK_INDEX, "10.0.0.1", 24);
	ck_assert(is_unknown(hostaddrs, "10.0.0.1"));
	now_us += 60 * USEC_PER_SEC;
	ck_assert_uint_eq(find(hostaddrs, "10.0.0.1").prefix_len, 24);
}
END_TEST

START_TEST(a_link_local_address_is_that_of_its_interface)
{
	CLEANUP(hostaddrs_freep) struct hostaddrs *hostaddrs = NULL;
	struct address address = parse("fe80::1");
	struct hostaddrs_facts facts;

	if (!suite_has(enter_network(), "a network namespace of its own"))
		return;
	add(LOOPBACK_INDEX, "fe80::1", 64);
	hostaddrs = new_hostaddrs();
	hostaddrs_find(hostaddrs, &address, &facts);
	ck_assert_uint_eq(facts.prefix_len, 64);
	address.scope = LOOPBACK_INDEX;
	hostaddrs_find(hostaddrs, &address, &facts);
	ck_assert_uint_eq(facts.prefix_len, 64);
	address.scope = LOOPBACK_INDEX + 1;
	hostaddrs_find(hostaddrs, &address, &facts);
	ck_assert_uint_eq(facts.prefix_len, 0);
}
END_TEST

START_TEST(an_address_on_a_tunnel_is_told)
{
	static const struct {
		unsigned long type;
		bool is_tunnel;
	} types[] = {
		{ 0, false }, /* as it comes: ARPHRD_NONE */
		{ ARPHRD_SIT, true },
		{ ARPHRD_TUNNEL, true },
		{ ARPHRD_TUNNEL6, true },
		{ ARPHRD_IPGRE, false },
		{ ARPHRD_PPP, false },
		{ ARPHRD_ETHER, false },
	};

	if (!suite_has(enter_network(), "a network namespace of its own"))
		return;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		CLEANUP(hostaddrs_freep) struct hostaddrs *hostaddrs = new_hostaddrs();
		CLEANUP(fd_closep) int tun = kernel_net_make_tun("probe0", types[i].type);

		if (!suite_has(tun >= 0, "tun interfaces"))
			return;
		add(if_nametoindex("probe0"), "10.0.0.1", 24);
		ck_assert_msg(find(hostaddrs, "10.0.0.1").is_tunnel == types[i].is_tunnel, "%lu",
			      types[i].type);
		ck_assert(find(hostaddrs, "10.0.0.1").is_tunnel == types[i].is_tunnel);
	}
}
END_TEST

START_TEST(there_are_so_many_addresses_and_no_more)
{
	CLEANUP(hostaddrs_freep) struct hostaddrs *hostaddrs = NULL;
	char text[ADDRESS_TEXT_SIZE];
	size_t n_known = 0;

	if (!suite_has(enter_network(), "a network namespace of its own"))
		return;
	for (unsigned int i = 0; i < HOSTADDRS_MAX + 100; i++) {
		struct address address = { .family = AF_INET,
					   .bytes = { 10, 1, (uint8_t)(i >> 8), (uint8_t)i } };

		add(LOOPBACK_INDEX, address_format(&address, text, sizeof(text)), 32);
	}
	hostaddrs = new_hostaddrs();
	for (unsigned int i = 0; i < HOSTADDRS_MAX + 100; i++) {
		struct address address = { .family = AF_INET,
					   .bytes = { 10, 1, (uint8_t)(i >> 8), (uint8_t)i } };
		struct hostaddrs_facts facts;

		hostaddrs_find(hostaddrs, &address, &facts);
		n_known += facts.prefix_len > 0;
	}
	ck_assert_uint_ge(n_known, HOSTADDRS_MAX - 10); /* lo has others */
	ck_assert_uint_le(n_known, HOSTADDRS_MAX);
}
END_TEST

START_TEST(without_descriptors_nothing_is_known_until_there_are_some)
{
	CLEANUP(hostaddrs_freep) struct hostaddrs *hostaddrs = NULL;
	struct rlimit limit, none;

	if (!suite_has(enter_network(), "a network namespace of its own"))
		return;
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	hostaddrs = new_hostaddrs();
	ck_assert(is_unknown(hostaddrs, "127.0.0.1"));
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_uint_eq(find(hostaddrs, "127.0.0.1").prefix_len, 8);
	/* What was known stays known. */
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_uint_eq(find(hostaddrs, "127.0.0.1").prefix_len, 8);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}
END_TEST

START_TEST(what_is_no_address_is_not_known)
{
	CLEANUP(hostaddrs_freep) struct hostaddrs *hostaddrs = new_hostaddrs();
	struct hostaddrs_facts facts = { .prefix_len = 77 };

	hostaddrs_find(hostaddrs, &(struct address){ 0 }, &facts);
	ck_assert_uint_eq(facts.prefix_len, 0);
	ck_assert_ptr_null(hostaddrs_free(NULL));
}
END_TEST

SUITE_MAIN("hostaddrs", an_address_has_the_prefix_of_its_interface, ipv4_loopback_addresses_are_one,
	   on_a_point_to_point_link_the_own_end_counts, changes_show_at_the_next_look,
	   a_home_address_is_one, news_that_were_lost_are_news,
	   a_fetch_that_took_long_is_followed_by_a_pause,
	   a_link_local_address_is_that_of_its_interface, an_address_on_a_tunnel_is_told,
	   there_are_so_many_addresses_and_no_more,
	   without_descriptors_nothing_is_known_until_there_are_some,
	   what_is_no_address_is_not_known)
