/* SPDX-License-Identifier: MIT */
/*
 * request/translation: which answers wait for the prefix of a translator, and in which order they go on. The network is a
 * namespace of each test with IPv6 alone; the name server is a scripted one. tests/scenarios/test_nat64.py has whole requests.
 */
#include "daemon/request/translation.h"

#include <event2/event.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

#include "daemon/connect/network.h"
#include "tests/support/kernel_net.h"
#include "tests/support/lookup_rig.h"
#include "tests/support/suite.h"

struct rig {
	struct lookup_rig names;
	int tap; /* keeps wire0 */
	struct network *network;
	struct nat64_discovery *discovery;
	struct addrsort_env sorting; /* asks the kernel each time */
	struct translation translation;
	char passed[256]; /* "6:2001:db8::1 4:! …"; "!": is_last */
	bool is_passed;
	int status; /* of pass */
	unsigned int n_failed;
};

static int on_pass(int family, int status, const struct candidate *items, size_t n, bool is_last,
		   void *arg)
{
	struct rig *rig = arg;
	size_t len = strlen(rig->passed);
	char text[ADDRESS_TEXT_SIZE] = "";

	if (n > 0)
		(void)address_format(&items[0].endpoint.address, text, sizeof(text));
	(void)snprintf(rig->passed + len, sizeof(rig->passed) - len, "%s%d:%s%s%s",
		       len > 0 ? " " : "", family == AF_INET6 ? 6 : 4, text, status < 0 ? "?" : "",
		       is_last ? "!" : "");
	rig->is_passed = true;
	return rig->status;
}

static void on_failed(int family, int status, void *arg)
{
	struct rig *rig = arg;

	ck_assert_int_eq(family, AF_INET);
	ck_assert_int_eq(status, rig->status);
	rig->n_failed++;
}

static bool open_rig(struct rig *rig, const struct dns_rule *rule)
{
	struct nat64_discovery_params params = { 0 };

	*rig = (struct rig){ .tap = -1 };
	if (!suite_has(kernel_net_enter(), "a network namespace of its own"))
		return false;
	rig->tap = kernel_net_make_tap("wire0");
	if (!suite_has(rig->tap >= 0, "tap interfaces"))
		return false;
	kernel_net_route(&(struct kernel_net_route){
		.type = RTM_NEWROUTE, .interface = if_nametoindex("wire0"), .destination = "::" });
	lookup_rig_open(&rig->names, rule, 1);
	ck_assert_int_eq(network_new(&rig->network, rig->names.scene.base), 0);
	params.lookups = rig->names.lookups;
	params.network = rig->network;
	ck_assert_int_eq(nat64_discovery_new(&rig->discovery, &params, rig->names.scene.base), 0);
	rig->translation = (struct translation){ .discovery = rig->discovery,
						 .sorting = &rig->sorting,
						 .pass = on_pass,
						 .failed = on_failed,
						 .arg = rig };
	return true;
}

static void close_rig(struct rig *rig)
{
	translation_done(&rig->translation);
	(void)nat64_discovery_free(rig->discovery);
	(void)network_free(rig->network);
	lookup_rig_close(&rig->names);
	(void)close_fd(rig->tap);
}

/* address NULL: an answer without any. */
static void put(struct rig *rig, int family, const char *address, bool is_last)
{
	struct candidate item = { .source = SOURCE_DNS, .endpoint = { .port = 80 } };

	if (address)
		ck_assert_int_eq(address_parse(address, &item.endpoint.address), 0);
	ck_assert_int_eq(translation_put(&rig->translation, family, address ? 0 : -ENOENT, &item,
					 address ? 1 : 0, is_last),
			 0);
}

static const struct dns_rule dns64 = { .type = DNS_RULE_AAAA,
				       .addresses = "2001:db8:64::192.0.0.170" };

START_TEST(what_there_is_no_route_to_waits_and_the_rest_does_not)
{
	struct rig rig;

	if (!open_rig(&rig, &dns64))
		return;
	translation_start(&rig.translation);
	put(&rig, AF_INET6, "2001:db8::1", true);
	put(&rig, AF_INET, "127.0.0.1", false); /* there is a route, and nothing to translate */
	put(&rig, AF_INET, "169.254.1.1", false);
	ck_assert_str_eq(rig.passed, "6:2001:db8::1! 4:127.0.0.1 4:169.254.1.1");
	rig.passed[0] = '\0';
	rig.is_passed = false;
	put(&rig, AF_INET, "198.51.100.1", false);
	put(&rig, AF_INET, "127.0.0.1", false); /* behind one that waits */
	put(&rig, AF_INET, NULL, true);
	ck_assert(!rig.is_passed);
	suite_loop(rig.names.scene.base, &rig.is_passed);
	ck_assert_str_eq(rig.passed, "4:198.51.100.1 4:127.0.0.1 4:?!");
	put(&rig, AF_INET, "198.51.100.2", true);
	ck_assert_str_eq(rig.passed, "4:198.51.100.1 4:127.0.0.1 4:?! 4:198.51.100.2!");
	close_rig(&rig);
}
END_TEST

START_TEST(addresses_are_translated_when_the_prefix_is_there)
{
	struct address address;
	struct rig rig;

	if (!open_rig(&rig, &dns64))
		return;
	ck_assert_int_eq(address_parse("198.51.100.1", &address), 0);
	ck_assert(!translation_apply(&rig.translation, &address));
	translation_start(&rig.translation);
	put(&rig, AF_INET, "198.51.100.1", true);
	suite_loop(rig.names.scene.base, &rig.is_passed);
	ck_assert(translation_apply(&rig.translation, &address));
	ck_assert_int_eq(address.family, AF_INET6);
	close_rig(&rig);
}
END_TEST

START_TEST(where_the_policy_judges_everything_waits)
{
	struct rig rig;

	if (!open_rig(&rig, &dns64))
		return;
	rig.translation.is_judged = true;
	translation_start(&rig.translation);
	put(&rig, AF_INET6, "2001:db8:64::1", true);
	put(&rig, AF_INET, "198.51.100.1", true);
	ck_assert(!rig.is_passed);
	suite_loop(rig.names.scene.base, &rig.is_passed);
	ck_assert_str_eq(rig.passed, "6:2001:db8:64::1! 4:198.51.100.1!");
	close_rig(&rig);
}
END_TEST

START_TEST(what_is_done_with_waits_no_longer)
{
	static const struct dns_rule silent = { .silent = true };
	struct rig rig;

	if (!open_rig(&rig, &silent))
		return;
	translation_start(&rig.translation);
	put(&rig, AF_INET, "198.51.100.1", true);
	translation_done(&rig.translation);
	translation_done(&rig.translation);
	suite_loop_for(rig.names.scene.base, 20);
	ck_assert(!rig.is_passed);
	close_rig(&rig);
}
END_TEST

START_TEST(an_answer_that_is_lost_is_told)
{
	struct rig rig;

	if (!open_rig(&rig, &dns64))
		return;
	rig.status = -ENOMEM;
	translation_start(&rig.translation);
	put(&rig, AF_INET, "198.51.100.1", true);
	suite_loop(rig.names.scene.base, &rig.is_passed);
	ck_assert_uint_eq(rig.n_failed, 1);
	rig.status = 0;
	close_rig(&rig);
}
END_TEST

START_TEST(without_discovery_everything_passes)
{
	struct address address = { .family = AF_INET, .bytes = { 198, 51, 100, 1 } };
	struct rig rig = { .tap = -1 };

	rig.translation = (struct translation){ .pass = on_pass, .is_judged = true, .arg = &rig };
	translation_start(&rig.translation);
	put(&rig, AF_INET, "198.51.100.1", false);
	put(&rig, AF_INET6, "2001:db8::1", true);
	ck_assert_str_eq(rig.passed, "4:198.51.100.1 6:2001:db8::1!");
	ck_assert(!translation_apply(&rig.translation, &address));
	translation_done(&rig.translation);
}
END_TEST

SUITE_MAIN("translation", what_there_is_no_route_to_waits_and_the_rest_does_not,
	   addresses_are_translated_when_the_prefix_is_there,
	   where_the_policy_judges_everything_waits, what_is_done_with_waits_no_longer,
	   an_answer_that_is_lost_is_told, without_discovery_everything_passes)
