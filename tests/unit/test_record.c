/* SPDX-License-Identifier: MIT */
/*
 * Records of one type, as a scripted name server has them.
 */
#include "daemon/resolve/record.h"

#include <event2/event.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "protocol/error.h"
#include "tests/support/resolve_scene.h"
#include "tests/support/suite.h"

#define TYPE_TXT DNS_RULE_TXT

struct rig {
	struct resolve_scene scene;
	struct record_lookup *record;
	const char *reason;
	bool in_start, done, free_in_done;
	int status;
};

static void rig_open(struct rig *rig, const struct dns_rule *rules, size_t n_rules)
{
	*rig = (struct rig){ 0 };
	resolve_scene_open(&rig->scene, "192.0.2.7 hosts.test\n", "search example\n");
	rig->scene.files.cache.max_bytes = 65536;
	resolve_scene_add_server(&rig->scene, rules, n_rules);
}

static void rig_close(struct rig *rig)
{
	rig->record = record_free(rig->record);
	resolve_scene_close(&rig->scene);
}

static void on_done(struct record_lookup *record, int status, void *arg)
{
	struct rig *rig = arg;

	ck_assert(record == rig->record && !rig->done && !rig->in_start);
	rig->done = true;
	rig->status = status;
	if (rig->free_in_done)
		rig->record = record_free(record);
}

static int make(struct rig *rig, const char *name, uint16_t type)
{
	struct record_params params = {
		.name = name,
		.type = type,
		.deadline_us = clock_now_us() + 30 * USEC_PER_SEC,
		.allow = resolve_scene_allow,
		.question = resolve_scene_question,
		.arg = &rig->scene,
	};

	rig->record = record_free(rig->record);
	rig->scene.n_asked = 0;
	rig->scene.questions[0] = '\0';
	rig->done = false;
	return record_new(&rig->record, &params, rig->scene.resolver, rig->scene.base,
			  &rig->reason);
}

static void start(struct rig *rig, const char *name, uint16_t type)
{
	ck_assert_int_eq(make(rig, name, type), 0);
	rig->in_start = true;
	ck_assert_int_eq(record_start(rig->record, on_done, rig), 0);
	rig->in_start = false;
}

static void run(struct rig *rig, const char *name, uint16_t type)
{
	start(rig, name, type);
	suite_loop(rig->scene.base, &rig->done);
}

START_TEST(records_are_as_the_server_has_them)
{
	static const struct dns_rule rule = { .name = "_x.example",
					      .records = "one;two",
					      .ttl = 77 };
	struct dns_cursor cursor = { 0 };
	struct dns_record record;
	struct rig rig;

	rig_open(&rig, &rule, 1);
	run(&rig, "_X.Example.", TYPE_TXT);
	ck_assert_int_eq(rig.status, 0);
	ck_assert_str_eq(record_get_name(rig.record), "_x.example");
	ck_assert_uint_eq(record_get_answer(rig.record)->n_records, 2);
	ck_assert(dns_answer_next(record_get_answer(rig.record), &cursor, &record));
	ck_assert_uint_eq(record.len, 4);
	ck_assert_mem_eq(record.data, "\3one", 4);
	ck_assert_int_eq(record_get_origin(rig.record)->source, SOURCE_DNS);
	ck_assert_uint_eq(record_get_origin(rig.record)->ttl_s, 77);
	ck_assert_str_eq(rig.scene.questions, "_x.example 16 found");
	run(&rig, "_x.example", TYPE_TXT);
	ck_assert_int_eq(record_get_origin(rig.record)->source, SOURCE_CACHE);
	ck_assert_uint_eq(resolve_scene_count_seen(&rig.scene), 1);
	rig_close(&rig);
}
END_TEST

START_TEST(what_there_is_not_is_told_apart)
{
	static const struct dns_rule rules[] = {
		{ .name = "empty.example", .type = DNS_RULE_A, .addresses = "192.0.2.1" },
		{ .name = "broken.example", .rcode = 5 },
	};
	struct rig rig;

	rig_open(&rig, rules, ARRAY_LEN(rules));
	run(&rig, "empty.example", TYPE_TXT);
	ck_assert_int_eq(rig.status, -ASOCK_E_NO_DATA);
	ck_assert_uint_eq(record_get_answer(rig.record)->n_records,
			  0); /* it is there all the same */
	run(&rig, "gone.example", TYPE_TXT);
	ck_assert_int_eq(rig.status, -ASOCK_E_NAME_NOT_FOUND);
	run(&rig, "broken.example", TYPE_TXT);
	ck_assert_int_eq(rig.status, -ASOCK_E_SERVER_FAILED);
	ck_assert_ptr_null(record_get_answer(rig.record));
	ck_assert_uint_eq(record_get_origin(rig.record)->rcode, DNS_RCODE_REFUSED);
	ck_assert_str_eq(rig.scene.questions, "broken.example 16 ServerFailed");
	rig_close(&rig);
}
END_TEST

START_TEST(neither_hosts_file_nor_search_list_are_looked_at)
{
	struct rig rig;

	rig_open(&rig, NULL, 0);
	run(&rig, "hosts.test", DNS_TYPE_A);
	ck_assert_int_eq(rig.status, -ASOCK_E_NAME_NOT_FOUND);
	run(&rig, "single", DNS_TYPE_A);
	ck_assert_str_eq(resolve_scene_get_seen(&rig.scene), "hosts.test single");
	rig_close(&rig);
}
END_TEST

START_TEST(names_that_are_not_for_the_dns_are_not_asked_for)
{
	static const char *const names[] = { "localhost", "x.localhost", "x.local", "x.onion",
					     "x.invalid", "x.alt",	 "_gateway" };
	struct rig rig;

	rig_open(&rig, NULL, 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		run(&rig, names[i], TYPE_TXT);
		ck_assert_int_eq(rig.status, -ASOCK_E_NAME_NOT_FOUND);
		ck_assert_ptr_null(record_get_origin(rig.record));
	}
	ck_assert_uint_eq(resolve_scene_count_seen(&rig.scene), 0);
	rig_close(&rig);
}
END_TEST

START_TEST(what_is_no_name_is_refused_and_an_address_has_no_records)
{
	static const char *const names[] = { "", "a..b", "192.0.2.1", "2001:db8::1", "a b" };
	struct rig rig;

	rig_open(&rig, NULL, 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		rig.reason = NULL;
		ck_assert_int_eq(make(&rig, names[i], TYPE_TXT), -ASOCK_E_INVALID_NAME);
		ck_assert_ptr_nonnull(rig.reason);
	}
	rig_close(&rig);
}
END_TEST

START_TEST(what_is_denied_is_not_asked)
{
	struct rig rig;

	rig_open(&rig, NULL, 0);
	rig.scene.denied = "*";
	run(&rig, "www.example", TYPE_TXT);
	ck_assert_int_eq(rig.status, -ASOCK_E_DENIED);
	ck_assert_str_eq(rig.scene.asked[0], "www.example");
	run(&rig, "localhost", TYPE_TXT);
	ck_assert_int_eq(rig.status, -ASOCK_E_DENIED);
	ck_assert_uint_eq(resolve_scene_count_seen(&rig.scene), 0);
	rig_close(&rig);
}
END_TEST

START_TEST(cancel_is_silent_and_free_is_legal_in_done)
{
	static const struct dns_rule rules[] = {
		{ .name = "slow.example", .records = "one", .delay_ms = 5 },
		{ .name = "www.example", .records = "one" },
	};
	static const char *const names[] = { "slow.example", "localhost" };
	struct rig rig;

	rig_open(&rig, rules, ARRAY_LEN(rules));
	ck_assert_int_eq(make(&rig, "www.example", TYPE_TXT), 0);
	record_cancel(rig.record);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		start(&rig, names[i], TYPE_TXT);
		record_cancel(rig.record);
		record_cancel(rig.record);
		suite_loop_for(rig.scene.base, 10);
		ck_assert(!rig.done);
	}
	start(&rig, "slow.example", TYPE_TXT);
	while (resolve_scene_count_seen(&rig.scene) == 0)
		ck_assert_int_eq(event_base_loop(rig.scene.base, EVLOOP_ONCE), 0);
	record_cancel(rig.record);
	suite_loop_for(rig.scene.base, 10);
	ck_assert(!rig.done);
	rig.free_in_done = true;
	run(&rig, "www.example", TYPE_TXT);
	run(&rig, "gone.example", TYPE_TXT);
	run(&rig, "localhost", TYPE_TXT);
	rig_close(&rig);
}
END_TEST

SUITE_MAIN("record", records_are_as_the_server_has_them, what_there_is_not_is_told_apart,
	   neither_hosts_file_nor_search_list_are_looked_at,
	   names_that_are_not_for_the_dns_are_not_asked_for,
	   what_is_no_name_is_refused_and_an_address_has_no_records, what_is_denied_is_not_asked,
	   cancel_is_silent_and_free_is_legal_in_done)
