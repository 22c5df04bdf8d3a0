/* SPDX-License-Identifier: MIT */
/*
 * connect/network on the real kernel, in a network namespace that each test makes. Two interfaces with neighbours stand for
 * the networks that a host moves between; the test sets what the kernel would learn of their routers.
 */
#include "daemon/connect/network.h"

#include <event2/event.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "daemon/base/clock.h"
#include "tests/support/kernel_net.h"
#include "tests/support/suite.h"

/* So that no pause comes between a change and the next look. */
static uint64_t now_us = 1000000;

struct rig {
	struct event_base *base;
	int tap; /* keeps wire0 */
	unsigned int interface;
	struct network *network;
	struct network_watch watch;
	unsigned int n_told;
	bool is_told;
};

static void set_address(struct rig *rig, unsigned short type, const char *address,
			uint8_t prefix_len)
{
	kernel_net_change(&(struct kernel_net_address){ .type = type,
							.interface = rig->interface,
							.address = address,
							.prefix_len = prefix_len,
							.preferred_s = KERNEL_NET_FOREVER });
}

static void set_route(struct rig *rig, unsigned short type, const char *destination,
		      uint8_t prefix_len, const char *gateway)
{
	kernel_net_route(&(struct kernel_net_route){ .type = type,
						     .interface = rig->interface,
						     .destination = destination,
						     .prefix_len = prefix_len,
						     .gateway = gateway });
}

/* A home as there are many; the router's MAC is what tells it from others. */
static void come_home(struct rig *rig, uint8_t mac)
{
	set_address(rig, RTM_NEWADDR, "192.168.1.7", 24);
	set_route(rig, RTM_NEWROUTE, "0.0.0.0", 0, "192.168.1.1");
	if (mac != 0)
		kernel_net_neighbour(RTM_NEWNEIGH, rig->interface, "192.168.1.1", mac);
}

static void leave(struct rig *rig)
{
	kernel_net_set_up("wire0", false);
	set_address(rig, RTM_DELADDR, "192.168.1.7", 24);
	kernel_net_set_up("wire0", true);
}

/* false: not here. */
static bool open_rig(struct rig *rig)
{
	*rig = (struct rig){ .tap = -1 };
	if (!suite_has(kernel_net_enter(), "a network namespace of its own"))
		return false;
	rig->tap = kernel_net_make_tap("wire0");
	if (!suite_has(rig->tap >= 0, "tap interfaces"))
		return false;
	clock_set_fake(&now_us);
	rig->interface = if_nametoindex("wire0");
	rig->base = event_base_new();
	ck_assert_int_eq(network_new(&rig->network, rig->base), 0);
	return true;
}

static void close_rig(struct rig *rig)
{
	network_unwatch(rig->network, &rig->watch);
	ck_assert_ptr_null(network_free(rig->network));
	event_base_free(rig->base);
	(void)close_fd(rig->tap);
}

static void on_changed(void *arg)
{
	struct rig *rig = arg;

	rig->n_told++;
	rig->is_told = true;
}

START_TEST(a_network_that_comes_back_has_its_id_again)
{
	struct rig rig;
	uint64_t nowhere, home;

	if (!open_rig(&rig))
		return;
	nowhere = network_get_id(rig.network);
	ck_assert_uint_ne(nowhere, 0);
	come_home(&rig, 1);
	home = network_get_id(rig.network);
	ck_assert_uint_ne(home, nowhere);
	leave(&rig);
	ck_assert_uint_eq(network_get_id(rig.network), nowhere);
	come_home(&rig, 1);
	ck_assert_uint_eq(network_get_id(rig.network), home);
	close_rig(&rig);
}
END_TEST

START_TEST(another_router_of_the_same_address_is_another_network)
{
	struct rig rig;
	uint64_t home, elsewhere;

	if (!open_rig(&rig))
		return;
	come_home(&rig, 1);
	home = network_get_id(rig.network);
	leave(&rig);
	come_home(&rig, 2);
	elsewhere = network_get_id(rig.network);
	ck_assert_uint_ne(elsewhere, home);
	leave(&rig);
	come_home(&rig, 1);
	ck_assert_uint_eq(network_get_id(rig.network), home);
	leave(&rig);
	come_home(&rig, 2);
	ck_assert_uint_eq(network_get_id(rig.network), elsewhere);
	close_rig(&rig);
}
END_TEST

START_TEST(a_router_that_is_not_resolved_yet_may_be_the_one_that_was)
{
	struct rig rig;
	uint64_t home, elsewhere;

	if (!open_rig(&rig))
		return;
	come_home(&rig, 0);
	home = network_get_id(rig.network);
	kernel_net_neighbour(RTM_NEWNEIGH, rig.interface, "192.168.1.1", 1);
	now_us += 2 * USEC_PER_SEC;
	ck_assert_uint_eq(network_get_id(rig.network), home);
	leave(&rig);
	come_home(&rig, 2);
	elsewhere = network_get_id(rig.network);
	ck_assert_uint_ne(elsewhere, home);
	leave(&rig);
	come_home(&rig, 0);
	ck_assert_uint_eq(network_get_id(rig.network), elsewhere);
	/* The kernel says nothing of neighbours, so there is a second look. */
	kernel_net_neighbour(RTM_NEWNEIGH, rig.interface, "192.168.1.1", 1);
	ck_assert_uint_eq(network_get_id(rig.network), elsewhere);
	now_us += 2 * USEC_PER_SEC;
	ck_assert_uint_eq(network_get_id(rig.network), home);
	close_rig(&rig);
}
END_TEST

START_TEST(what_is_not_on_the_way_out_does_not_matter)
{
	struct rig rig;
	int other;
	uint64_t home;

	if (!open_rig(&rig))
		return;
	come_home(&rig, 1);
	home = network_get_id(rig.network);
	other = kernel_net_make_tap("bridge0");
	kernel_net_change(&(struct kernel_net_address){ .type = RTM_NEWADDR,
							.interface = if_nametoindex("bridge0"),
							.address = "172.17.0.1",
							.prefix_len = 16,
							.preferred_s = KERNEL_NET_FOREVER });
	kernel_net_route(&(struct kernel_net_route){ .type = RTM_NEWROUTE,
						     .interface = if_nametoindex("bridge0"),
						     .destination = "10.0.0.0",
						     .prefix_len = 8,
						     .gateway = "172.17.0.2" });
	ck_assert_uint_eq(network_get_id(rig.network), home);
	(void)close_fd(other);
	ck_assert_uint_eq(network_get_id(rig.network), home);
	/* Nor do the addresses of this host alone. */
	set_address(&rig, RTM_NEWADDR, "192.168.1.8", 24);
	set_address(&rig, RTM_NEWADDR, "203.0.113.5", 32);
	ck_assert_uint_eq(network_get_id(rig.network), home);
	close_rig(&rig);
}
END_TEST

START_TEST(a_prefix_more_is_another_network)
{
	struct rig rig;
	uint64_t home;

	if (!open_rig(&rig))
		return;
	come_home(&rig, 1);
	home = network_get_id(rig.network);
	set_address(&rig, RTM_NEWADDR, "2001:db8:1::7", 64);
	ck_assert_uint_ne(network_get_id(rig.network), home);
	set_address(&rig, RTM_DELADDR, "2001:db8:1::7", 64);
	ck_assert_uint_eq(network_get_id(rig.network), home);
	close_rig(&rig);
}
END_TEST

START_TEST(families_have_their_own_default_routes)
{
	struct rig rig;

	if (!open_rig(&rig))
		return;
	ck_assert(!network_has_default(rig.network, AF_INET));
	ck_assert(!network_has_default(rig.network, AF_INET6));
	set_address(&rig, RTM_NEWADDR, "2001:db8:1::7", 64);
	set_route(&rig, RTM_NEWROUTE, "::", 0, "2001:db8:1::1");
	ck_assert(!network_has_default(rig.network, AF_INET));
	ck_assert(network_has_default(rig.network, AF_INET6));
	come_home(&rig, 1);
	ck_assert(network_has_default(rig.network, AF_INET));
	set_route(&rig, RTM_DELROUTE, "::", 0, "2001:db8:1::1");
	ck_assert(!network_has_default(rig.network, AF_INET6));
	close_rig(&rig);
}
END_TEST

START_TEST(halves_and_other_tables_are_defaults_and_networks_are_none)
{
	static const struct {
		const char *destination;
		uint8_t prefix_len;
		uint32_t table;
		bool is_default;
	} routes[] = {
		{ "0.0.0.0", 1, 0, true },    { "128.0.0.0", 1, 0, true },
		{ "0.0.0.0", 0, 4711, true }, { "64.0.0.0", 2, 0, false },
		{ "::", 1, 0, true },	      { "2000::", 3, 0, true },
		{ "::", 0, 4711, true },      { "2001::", 16, 0, false },
	};
	struct rig rig;

	if (!open_rig(&rig))
		return;
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		int family = i < 4 ? AF_INET : AF_INET6;
		struct kernel_net_route route = { .type = RTM_NEWROUTE,
						  .interface = rig.interface,
						  .destination = routes[i].destination,
						  .prefix_len = routes[i].prefix_len,
						  .table = routes[i].table };

		kernel_net_route(&route);
		ck_assert_msg(network_has_default(rig.network, family) == routes[i].is_default,
			      "%zu", i);
		route.type = RTM_DELROUTE;
		kernel_net_route(&route);
		ck_assert_msg(!network_has_default(rig.network, family), "%zu", i);
	}
	close_rig(&rig);
}
END_TEST

START_TEST(a_tunnel_is_known_by_its_name)
{
	static const char *const names[] = { "tun0", "other0", "tun0" };
	uint64_t ids[3];
	struct rig rig;

	if (!open_rig(&rig))
		return;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		CLEANUP(fd_closep) int tun = kernel_net_make_tun(names[i], 0);

		if (!suite_has(tun >= 0, "tun interfaces"))
			return;
		kernel_net_route(&(struct kernel_net_route){ .type = RTM_NEWROUTE,
							     .interface = if_nametoindex(names[i]),
							     .destination = "0.0.0.0" });
		ids[i] = network_get_id(rig.network);
	}
	ck_assert_uint_ne(ids[0], ids[1]);
	ck_assert_uint_eq(ids[0], ids[2]);
	close_rig(&rig);
}
END_TEST

START_TEST(many_networks_are_remembered_and_not_all)
{
	uint64_t ids[20];
	struct rig rig;

	if (!open_rig(&rig))
		return;
	for (uint8_t i = 0; i < ARRAY_LEN(ids); i++) {
		come_home(&rig, (uint8_t)(i + 1));
		ids[i] = network_get_id(rig.network);
		for (uint8_t j = 0; j < i; j++)
			ck_assert_uint_ne(ids[i], ids[j]);
		leave(&rig);
	}
	come_home(&rig, 10);
	ck_assert_uint_eq(network_get_id(rig.network), ids[9]);
	leave(&rig);
	come_home(&rig, 1);
	ck_assert_uint_gt(network_get_id(rig.network), ids[19]);
	close_rig(&rig);
}
END_TEST

START_TEST(who_watches_is_told_once_for_a_burst)
{
	struct rig rig;

	if (!open_rig(&rig))
		return;
	come_home(&rig, 1); /* before anybody watches */
	network_watch(rig.network, &rig.watch, on_changed, &rig);
	suite_loop_for(rig.base, 20);
	ck_assert_uint_eq(rig.n_told, 0);
	set_address(&rig, RTM_NEWADDR, "192.168.1.8", 24);
	set_address(&rig, RTM_NEWADDR, "192.168.1.9", 24);
	set_address(&rig, RTM_DELADDR, "192.168.1.8", 24);
	suite_loop(rig.base, &rig.is_told);
	ck_assert_uint_eq(rig.n_told, 1);
	rig.is_told = false;
	set_route(&rig, RTM_DELROUTE, "0.0.0.0", 0, "192.168.1.1");
	suite_loop(rig.base, &rig.is_told);
	ck_assert_uint_eq(rig.n_told, 2);
	network_unwatch(rig.network, &rig.watch);
	network_unwatch(rig.network, &rig.watch);
	set_address(&rig, RTM_NEWADDR, "192.168.1.8", 24);
	suite_loop_for(rig.base, 20);
	ck_assert_uint_eq(rig.n_told, 2);
	network_watch(rig.network, &rig.watch, on_changed, &rig);
	suite_loop_for(rig.base, 20);
	ck_assert_uint_eq(rig.n_told, 2);
	close_rig(&rig);
}
END_TEST

START_TEST(news_that_a_question_has_taken_are_told_all_the_same)
{
	struct rig rig;

	if (!open_rig(&rig))
		return;
	network_watch(rig.network, &rig.watch, on_changed, &rig);
	come_home(&rig, 1);
	(void)network_get_id(rig.network);
	ck_assert_uint_eq(rig.n_told, 0); /* never from inside */
	ck_assert_int_ge(event_base_loop(rig.base, EVLOOP_NONBLOCK), 0);
	ck_assert_uint_eq(rig.n_told, 1);
	close_rig(&rig);
}
END_TEST

START_TEST(news_that_were_lost_are_news)
{
	struct rig rig;
	uint64_t home;

	if (!open_rig(&rig))
		return;
	come_home(&rig, 1);
	home = network_get_id(rig.network);
	network_watch(rig.network, &rig.watch, on_changed, &rig);
	for (unsigned int i = 0; i < 200; i++) {
		set_address(&rig, RTM_NEWADDR, "192.168.1.8", 24);
		set_address(&rig, RTM_DELADDR, "192.168.1.8", 24);
	}
	set_address(&rig, RTM_NEWADDR, "10.9.9.9", 8);
	suite_loop(rig.base, &rig.is_told);
	ck_assert_uint_ne(network_get_id(rig.network), home);
	close_rig(&rig);
}
END_TEST

/* Each of two watches ends the other. */
struct pair {
	struct network *network;
	struct network_watch watches[2];
	unsigned int n_told;
	bool is_told;
};

static void on_pair_changed(void *arg)
{
	struct pair *pair = arg;

	pair->n_told++;
	pair->is_told = true;
	network_unwatch(pair->network, &pair->watches[0]);
	network_unwatch(pair->network, &pair->watches[1]);
}

START_TEST(a_watch_may_end_others_while_it_is_told)
{
	struct rig rig;
	struct pair pair = { 0 };

	if (!open_rig(&rig))
		return;
	pair.network = rig.network;
	network_watch(rig.network, &pair.watches[0], on_pair_changed, &pair);
	network_watch(rig.network, &pair.watches[1], on_pair_changed, &pair);
	come_home(&rig, 1);
	suite_loop(rig.base, &pair.is_told);
	ck_assert_uint_eq(pair.n_told, 1);
	close_rig(&rig);
}
END_TEST

START_TEST(a_look_that_took_long_is_followed_by_a_pause)
{
	struct rig rig;
	uint64_t nowhere;

	if (!open_rig(&rig))
		return;
	clock_set_fake(NULL); /* so that a look takes its time */
	now_us = clock_now_us();
	nowhere = network_get_id(rig.network);
	clock_set_fake(&now_us); /* and from now on none passes */
	come_home(&rig, 1);
	ck_assert_uint_eq(network_get_id(rig.network), nowhere);
	now_us += 60 * USEC_PER_SEC;
	ck_assert_uint_ne(network_get_id(rig.network), nowhere);
	close_rig(&rig);
}
END_TEST

START_TEST(without_descriptors_it_is_the_same_network)
{
	struct rig rig;
	struct rlimit limit, none;
	uint64_t home;

	if (!open_rig(&rig))
		return;
	come_home(&rig, 1);
	home = network_get_id(rig.network);
	leave(&rig);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_uint_eq(network_get_id(rig.network), home);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_uint_ne(network_get_id(rig.network), home);
	close_rig(&rig);
}
END_TEST

START_TEST(a_network_made_without_descriptors_looks_later)
{
	struct rig rig;
	struct network *network = NULL;
	struct rlimit limit, none;
	uint64_t nowhere;

	if (!open_rig(&rig))
		return;
	come_home(&rig, 1);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_int_eq(network_new(&network, rig.base), 0);
	nowhere = network_get_id(network);
	ck_assert_uint_ne(nowhere, 0);
	network_watch(network, &rig.watch, on_changed, &rig);
	network_unwatch(network, &rig.watch);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_uint_ne(network_get_id(network), nowhere);
	network_watch(network, &rig.watch, on_changed, &rig);
	set_address(&rig, RTM_NEWADDR, "192.168.1.8", 24);
	suite_loop(rig.base, &rig.is_told);
	network_unwatch(network, &rig.watch);
	(void)network_free(network);
	ck_assert_ptr_null(network_free(NULL));
	close_rig(&rig);
}
END_TEST

SUITE_MAIN("network", a_network_that_comes_back_has_its_id_again,
	   another_router_of_the_same_address_is_another_network,
	   a_router_that_is_not_resolved_yet_may_be_the_one_that_was,
	   what_is_not_on_the_way_out_does_not_matter, a_prefix_more_is_another_network,
	   families_have_their_own_default_routes,
	   halves_and_other_tables_are_defaults_and_networks_are_none,
	   a_tunnel_is_known_by_its_name, many_networks_are_remembered_and_not_all,
	   who_watches_is_told_once_for_a_burst,
	   news_that_a_question_has_taken_are_told_all_the_same, news_that_were_lost_are_news,
	   a_watch_may_end_others_while_it_is_told, a_look_that_took_long_is_followed_by_a_pause,
	   without_descriptors_it_is_the_same_network,
	   a_network_made_without_descriptors_looks_later)
