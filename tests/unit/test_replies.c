/* SPDX-License-Identifier: MIT */
/*
 * Replies against the .varlink files and against what they were made of. Results are made up here; test_manager and the
 * scenarios show real ones.
 */
#include "daemon/front/replies.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/connect/history.h"
#include "daemon/connect/racer.h"
#include "daemon/front/replies-cache.h"
#include "daemon/front/replies-history.h"
#include "daemon/front/replies-resolver.h"
#include "daemon/front/replies-trace.h"
#include "daemon/resolve/dns-cache.h"
#include "daemon/resolve/dns-name.h"
#include "protocol/error.h"
#include "tests/support/idl.h"
#include "tests/support/suite.h"

#define RESOLVER  "org.asockd.Resolver"
#define SECOND	  UINT64_C(1000000)
#define REPLY_MAX (1024 * 1024)

static struct endpoint make_endpoint(const char *address, uint16_t port)
{
	struct endpoint endpoint = { .port = port };

	ck_assert_int_eq(address_parse(address, &endpoint.address), 0);
	return endpoint;
}

#define N_ATTEMPTS 20

static struct race_attempt attempts[N_ATTEMPTS];
static struct candidate tried[N_ATTEMPTS];

/* A connect request that won with its last attempt; the others ended in every way there is. */
static struct request_result make_result(void)
{
	static const enum outcome outcomes[] = { OUTCOME_FAILED, OUTCOME_TIMEOUT, OUTCOME_CANCELLED,
						 OUTCOME_DENIED, OUTCOME_RUNNING };

	for (size_t i = 0; i < N_ATTEMPTS; i++) {
		struct race_attempt *attempt = &attempts[i];

		*attempt = (struct race_attempt){ .outcome = outcomes[i % ARRAY_LEN(outcomes)],
						  .started_us = 1000000 + i,
						  .ended_us = 1000000 + 2 * i + 1 };
		attempt->candidate = &tried[i];
		tried[i].endpoint =
			make_endpoint(i % 2 == 0 ? "2001:db8::1" : "192.0.2.1", (uint16_t)(i + 1));
		tried[i].source = (enum source)(i % (SOURCE_SYNTHETIC + 1));
		(void)snprintf(tried[i].target, sizeof(tried[i].target), "target%zu.test", i);
		if (attempt->outcome == OUTCOME_FAILED)
			attempt->error = -ECONNREFUSED;
		if (attempt->outcome == OUTCOME_TIMEOUT)
			attempt->error = -ETIMEDOUT;
		if (attempt->outcome == OUTCOME_RUNNING)
			attempt->ended_us = 0;
	}
	attempts[N_ATTEMPTS - 1].outcome = OUTCOME_CONNECTED;
	attempts[N_ATTEMPTS - 1].ended_us = 1000200;
	attempts[N_ATTEMPTS - 1].rtt_us = 42;
	return (struct request_result){
		.started_us = 1000000,
		.total_us = 300,
		.resolve_us = 100,
		.name = "a.test",
		.attempts = attempts,
		.n_attempts = N_ATTEMPTS,
		.winner = N_ATTEMPTS - 1,
		.peer = make_endpoint("192.0.2.1", 443),
		.local = make_endpoint("fe80::1", 50000),
	};
}

static const char *get_string(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	ck_assert_msg(text != NULL, "%s", key);
	return text;
}

static json_int_t get_int(json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	ck_assert_msg(json_is_integer(value), "%s", key);
	return json_integer_value(value);
}

static bool get_bool(json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	ck_assert_msg(json_is_boolean(value), "%s", key);
	return json_is_true(value);
}

START_TEST(reply_of_connect_is_as_the_file_says)
{
	struct request_result result = make_result();
	CLEANUP(json_decrefp) json_t *reply = replies_connected(&result, 12);
	json_t *list = json_object_get(reply, "attempts"), *attempt;

	idl_check_reply("org.asockd.Connector", "Connect", reply);
	ck_assert_uint_eq(json_array_size(list), 12);
	ck_assert_int_eq(json_integer_value(json_object_get(reply, "attemptsOmitted")),
			 N_ATTEMPTS - 12);
	ck_assert_str_eq(get_string(json_array_get(list, 11), "outcome"), "connected");
	ck_assert_str_eq(get_string(json_array_get(list, 11), "target"), "target19.test");
	attempt = json_array_get(list, 0);
	ck_assert_str_eq(get_string(attempt, "error"), "ECONNREFUSED");
	ck_assert_str_eq(get_string(attempt, "outcome"), "failed");
	ck_assert_int_eq(json_integer_value(json_object_get(attempt, "elapsedUsec")), 1);
	ck_assert_ptr_null(json_object_get(attempt, "roundTripUsec"));
	attempt = json_array_get(list, 11);
	ck_assert_int_eq(json_integer_value(json_object_get(attempt, "roundTripUsec")), 42);
	ck_assert(!get_bool(reply, "hasNext"));
	attempt = json_array_get(list, 3);
	ck_assert_str_eq(get_string(attempt, "outcome"), "denied");
	ck_assert_ptr_null(json_object_get(attempt, "error"));
	attempt = json_array_get(list, 4); /* still running when the request ended */
	ck_assert_str_eq(get_string(attempt, "outcome"), "cancelled");
	ck_assert_int_eq(json_integer_value(json_object_get(attempt, "startedUsec")), 4);
	ck_assert_int_eq(json_integer_value(json_object_get(attempt, "elapsedUsec")), 296);
	ck_assert_str_eq(get_string(json_object_get(reply, "peer"), "address"), "192.0.2.1");
	ck_assert_int_eq(json_integer_value(json_object_get(reply, "fileDescriptor")), 0);
	ck_assert_uint_eq(json_array_size(json_object_get(reply, "seal")), 0);
}
END_TEST

START_TEST(reply_of_bind_is_as_the_file_says)
{
	struct request_result result = { .local = make_endpoint("::1", 8080) };
	CLEANUP(json_decrefp) json_t *reply = replies_bound(&result);

	idl_check_reply("org.asockd.Connector", "Bind", reply);
	ck_assert_int_eq(get_int(reply, "fileDescriptor"), 0);
	ck_assert_str_eq(get_string(json_object_get(reply, "local"), "address"), "::1");
	ck_assert_int_eq(get_int(json_object_get(reply, "local"), "port"), 8080);
	ck_assert_uint_eq(json_array_size(json_object_get(reply, "seal")), 0);
}
END_TEST

START_TEST(winner_is_listed_once_wherever_it_stands)
{
	static const size_t maxima[] = { 1, 2, 3, 6, 12, N_ATTEMPTS, 2 * N_ATTEMPTS };
	struct request_result result = make_result();

	for (size_t winner = 0; winner < N_ATTEMPTS; winner++) {
		attempts[N_ATTEMPTS - 1].outcome = OUTCOME_FAILED;
		for (size_t i = 0; i < N_ATTEMPTS; i++)
			if (attempts[i].outcome == OUTCOME_CONNECTED)
				attempts[i].outcome = OUTCOME_FAILED;
		attempts[winner].outcome = OUTCOME_CONNECTED;
		result.winner = winner;
		for (size_t i = 0; i < ARRAY_LEN(maxima); i++) {
			CLEANUP(json_decrefp) json_t *reply = replies_connected(&result, maxima[i]);
			json_t *list = json_object_get(reply, "attempts"), *attempt;
			size_t n = maxima[i] < N_ATTEMPTS ? maxima[i] : N_ATTEMPTS, n_won = 0,
			       index;

			ck_assert_uint_eq(json_array_size(list), n);
			ck_assert_int_eq(
				json_integer_value(json_object_get(reply, "attemptsOmitted")),
				(json_int_t)(N_ATTEMPTS - n));
			json_array_foreach (list, index, attempt)
				n_won += strcmp(get_string(attempt, "outcome"), "connected") == 0;
			ck_assert_uint_eq(n_won, 1);
		}
	}
}
END_TEST

START_TEST(reply_with_a_descriptor_is_as_complete_as_its_length_allows)
{
	static const char address[] = "2001:db8:1111:2222:3333:4444:5555:6666";
	struct request_result result = make_result();
	CLEANUP(json_decrefp) json_t *usual = NULL;
	size_t n_before = 13;

	for (size_t i = 0; i < N_ATTEMPTS; i++) {
		attempts[i].rtt_us = 1999999;
		attempts[i].started_us = result.started_us + 29999999;
		attempts[i].ended_us = attempts[i].started_us + 29999999;
		tried[i].endpoint = make_endpoint(address, 65535);
	}
	result.peer = result.local = make_endpoint(address, 65535);
	usual = replies_connected_short(&result);
	idl_check_reply("org.asockd.Connector", "Connect", usual);
	ck_assert_uint_eq(json_array_size(json_object_get(usual, "attempts")), 12);
	/* From the names that people have to the longest that there can be. */
	for (size_t len = 20; len <= LIMIT_NAME_BYTES; len++) {
		char name[LIMIT_NAME_BYTES + 1];
		CLEANUP(json_decrefp) json_t *reply = NULL;
		CLEANUP(json_decrefp) json_t *longer = NULL;
		size_t n;

		memset(name, 'a', len);
		name[len] = '\0';
		for (size_t i = 0; i < N_ATTEMPTS; i++)
			memcpy(tried[i].target, name, len + 1);
		result.name = name;
		reply = replies_connected_short(&result);
		n = json_array_size(json_object_get(reply, "attempts"));
		ck_assert_uint_le(n, n_before);
		ck_assert_uint_ge(n, 6);
		ck_assert_int_eq(json_integer_value(json_object_get(reply, "attemptsOmitted")),
				 (json_int_t)(N_ATTEMPTS - n));
		ck_assert_uint_lt(json_dumpb(reply, NULL, 0, JSON_COMPACT),
				  LIMIT_REPLY_WITH_FD_BYTES - 64);
		longer = replies_connected(&result, n + 1);
		ck_assert(n == 12 || json_dumpb(longer, NULL, 0, JSON_COMPACT) >=
					     LIMIT_REPLY_WITH_FD_BYTES - 64);
		n_before = n;
	}
}
END_TEST

START_TEST(link_local_address_has_its_zone_beside_it)
{
	struct request_result result = make_result();
	CLEANUP(json_decrefp) json_t *named = NULL;
	CLEANUP(json_decrefp) json_t *numbered = NULL;
	unsigned int loopback = if_nametoindex("lo");

	ck_assert_uint_gt(loopback, 0);
	result.local.address.scope = loopback;
	named = replies_connected(&result, 1);
	idl_check_reply("org.asockd.Connector", "Connect", named);
	ck_assert_str_eq(get_string(json_object_get(named, "local"), "address"), "fe80::1");
	ck_assert_str_eq(get_string(json_object_get(named, "local"), "scope"), "lo");
	result.local.address.scope = 2000000000; /* no interface any more */
	numbered = replies_connected(&result, 1);
	ck_assert_str_eq(get_string(json_object_get(numbered, "local"), "scope"), "2000000000");
}
END_TEST

/* From the DNS, with all there can be. */
static struct origin make_origin(void)
{
	return (struct origin){
		.source = SOURCE_DNS,
		.has_ttl = true,
		.ttl_s = 60,
		.has_server = true,
		.server = make_endpoint("192.0.2.53", 53),
		.has_transport = true,
		.transport = DNS_TRANSPORT_TLS,
		.rtt_us = 1234,
		.authenticated = true,
		.has_rcode = true,
		.rcode = DNS_RCODE_SERVFAIL,
		.ede = 6,
		.ede_text = "signature of \"a\" expired",
		.asked = { make_endpoint("2001:db8::53", 53), make_endpoint("192.0.2.53", 5353) },
		.n_asked = 2,
	};
}

static void check_all_of_origin(json_t *reply)
{
	json_t *ede = json_object_get(reply, "ede");

	ck_assert_str_eq(get_string(reply, "source"), "dns");
	ck_assert_int_eq(get_int(reply, "ttlUsec"), 60000000);
	ck_assert_str_eq(get_string(reply, "transport"), "tls");
	ck_assert_int_eq(get_int(reply, "roundTripUsec"), 1234);
	ck_assert(get_bool(reply, "authenticated"));
	ck_assert(!get_bool(reply, "confidential"));
	ck_assert_int_eq(get_int(ede, "code"), 6);
	ck_assert_str_eq(get_string(ede, "name"), "DNSSEC Bogus");
	ck_assert_str_eq(get_string(ede, "text"), "signature of \"a\" expired");
}

static void check_nothing_of_origin(json_t *reply)
{
	static const char *const keys[] = { "ttlUsec", "transport", "roundTripUsec", "ede",
					    "server" };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		ck_assert_msg(!json_object_get(reply, keys[i]), "%s", keys[i]);
}

static void check_event(json_t *parameters, const char *expected)
{
	json_t *event = json_object_get(parameters, "event");
	CLEANUP(json_decrefp) json_t *wanted = json_loads(expected, 0, NULL);
	CLEANUP(freep) char *text = json_dumps(event, JSON_COMPACT);
	const struct idl_description *description;

	idl_read_all();
	description = idl_find_description("org.asockd.Connector");
	idl_check_object(description, "TraceEvent",
			 &idl_find_definition(description, IDL_TYPE, "TraceEvent")->in, event);
	ck_assert_msg(json_equal(event, wanted), "%s", text);
	json_decref(parameters);
}

START_TEST(events_of_a_race_are_as_the_file_says)
{
	const struct endpoint local = make_endpoint("192.0.2.9", 40000);
	const struct candidate one = { .endpoint = make_endpoint("192.0.2.1", 443),
				       .source = SOURCE_CACHE,
				       .target = "a.test" };
	const struct candidate two = { .endpoint = make_endpoint("2001:db8::1", 443),
				       .source = SOURCE_DNS,
				       .target = "b.test" };
	const struct race_place places[] = {
		{ .candidate = &one,
		  .facts = { .source = { .address = local.address }, .past = { .rtt_us = 300 } },
		  .rule = ADDRSORT_RULE_9 },
		{ .candidate = &two, .facts = { .past = { .is_dead = true } } },
	};
	struct racer_event race = {
		.kind = RACER_ORDER, .attempt = SIZE_MAX, .order = places, .n_order = 2
	};
	struct request_event event = { .at_us = 7, .race = &race, .attempt = SIZE_MAX };

	check_event(
		replies_trace(&event),
		"{\"atUsec\":7,\"kind\":\"order\",\"candidates\":["
		"{\"endpoint\":{\"family\":\"inet\",\"address\":\"192.0.2.1\",\"port\":443},"
		"\"target\":\"a.test\",\"source\":\"cache\",\"sourceAddress\":\"192.0.2.9\","
		"\"reason\":\"rule 9: longer matching prefix (RFC 6724)\",\"roundTripUsec\":300,"
		"\"dead\":false},"
		"{\"endpoint\":{\"family\":\"inet6\",\"address\":\"2001:db8::1\",\"port\":443},"
		"\"target\":\"b.test\",\"source\":\"dns\",\"dead\":true}]}");
	race = (struct racer_event){ .kind = RACER_START, .candidate = &one, .local = &local };
	event.attempt = 3;
	check_event(replies_trace(&event),
		    "{\"atUsec\":7,\"kind\":\"start\",\"attempt\":3,"
		    "\"endpoint\":{\"family\":\"inet\",\"address\":\"192.0.2.1\",\"port\":443},"
		    "\"local\":{\"family\":\"inet\",\"address\":\"192.0.2.9\",\"port\":40000}}");
	race.kind = RACER_END;
	race.outcome = OUTCOME_CONNECTED;
	race.rtt_us = 250;
	race.local = NULL;
	check_event(replies_trace(&event),
		    "{\"atUsec\":7,\"kind\":\"end\",\"attempt\":3,"
		    "\"endpoint\":{\"family\":\"inet\",\"address\":\"192.0.2.1\",\"port\":443},"
		    "\"outcome\":\"connected\",\"roundTripUsec\":250}");
	race.outcome = OUTCOME_FAILED;
	race.error = -ECONNREFUSED;
	race.rtt_us = 0;
	check_event(replies_trace(&event),
		    "{\"atUsec\":7,\"kind\":\"end\",\"attempt\":3,"
		    "\"endpoint\":{\"family\":\"inet\",\"address\":\"192.0.2.1\",\"port\":443},"
		    "\"outcome\":\"failed\",\"error\":\"ECONNREFUSED\"}");
	race = (struct racer_event){ .kind = RACER_HOLD, .candidate = &one };
	event.attempt = SIZE_MAX;
	check_event(replies_trace(&event),
		    "{\"atUsec\":7,\"kind\":\"hold\","
		    "\"endpoint\":{\"family\":\"inet\",\"address\":\"192.0.2.1\",\"port\":443}}");
	race = (struct racer_event){ .kind = RACER_WAIT };
	check_event(replies_trace(&event), "{\"atUsec\":7,\"kind\":\"wait\"}");
	check_event(replies_trace_lost(8, 12), "{\"atUsec\":8,\"kind\":\"lost\",\"lost\":12}");
}
END_TEST

START_TEST(questions_on_the_way_are_told_with_who_answered)
{
	struct request_question question = { .name = "a.test", .type = 28 };
	const struct request_event event = { .at_us = 9,
					     .question = &question,
					     .attempt = SIZE_MAX };

	question.origin = (struct origin){ .source = SOURCE_DNS,
					   .has_ttl = true,
					   .ttl_s = 60,
					   .has_server = true,
					   .server = make_endpoint("192.0.2.53", 53),
					   .has_transport = true,
					   .rtt_us = 1200,
					   .ede = DNS_EDE_NONE };
	check_event(replies_trace(&event),
		    "{\"atUsec\":9,\"kind\":\"question\",\"name\":\"a.test\",\"type\":\"AAAA\","
		    "\"outcome\":\"found\",\"source\":\"dns\",\"ttlUsec\":60000000,"
		    "\"transport\":\"udp\",\"roundTripUsec\":1200,\"server\":\"192.0.2.53:53\"}");
	question.status = -ASOCK_E_SERVER_FAILED;
	question.origin = (struct origin){ .source = SOURCE_DNS, .ede = 22 };
	check_event(replies_trace(&event),
		    "{\"atUsec\":9,\"kind\":\"question\",\"name\":\"a.test\",\"type\":\"AAAA\","
		    "\"outcome\":\"failed\",\"source\":\"dns\","
		    "\"ede\":{\"code\":22,\"name\":\"No Reachable Authority\"}}");
}
END_TEST

START_TEST(reply_of_resolve_is_as_the_file_says)
{
	struct candidate candidates[3] = {
		{ .endpoint = make_endpoint("2001:db8::1", 443), .source = SOURCE_DNS },
		{ .endpoint = make_endpoint("192.0.2.1", 443), .source = SOURCE_DNS },
		{ .endpoint = make_endpoint("192.0.2.2", 0), .source = SOURCE_DNS },
	};
	struct origin origin = make_origin();
	struct request_result result = { .name = "a.test",
					 .total_us = 5,
					 .candidates = candidates,
					 .n_candidates = 3,
					 .origin = &origin };
	CLEANUP(json_decrefp) json_t *dns = replies_resolver_addresses(&result);
	CLEANUP(json_decrefp) json_t *hosts = NULL;
	json_t *endpoints = json_object_get(dns, "endpoints");

	idl_check_reply(RESOLVER, "ResolveSockaddr", dns);
	check_all_of_origin(dns);
	ck_assert_uint_eq(json_array_size(endpoints), 3);
	ck_assert_str_eq(get_string(json_array_get(endpoints, 0), "family"), "inet6");
	ck_assert_int_eq(get_int(json_array_get(endpoints, 0), "port"), 443);
	ck_assert_ptr_null(json_object_get(json_array_get(endpoints, 2), "port"));
	ck_assert_str_eq(get_string(json_object_get(dns, "server"), "address"), "192.0.2.53");
	origin_init_local(&origin, SOURCE_HOSTS);
	hosts = replies_resolver_addresses(&result);
	idl_check_reply(RESOLVER, "ResolveSockaddr", hosts);
	check_nothing_of_origin(hosts);
	ck_assert_str_eq(get_string(hosts, "source"), "hosts");
	ck_assert(get_bool(hosts, "authenticated") && get_bool(hosts, "confidential"));
}
END_TEST

START_TEST(extended_error_without_name_and_text_is_a_number)
{
	struct origin origin = make_origin();
	struct request_result result = { .name = "a.test", .origin = &origin };
	CLEANUP(json_decrefp) json_t *reply = NULL;

	origin.ede = 49152; /* for private use (RFC 8914 section 5.2) */
	origin.ede_text[0] = '\0';
	reply = replies_resolver_addresses(&result);
	idl_check_reply(RESOLVER, "ResolveSockaddr", reply);
	ck_assert_int_eq(get_int(json_object_get(reply, "ede"), "code"), 49152);
	ck_assert_uint_eq(json_object_size(json_object_get(reply, "ede")), 1);
}
END_TEST

START_TEST(targets_of_a_service_have_their_own_addresses)
{
	static const struct service_target targets[] = {
		{ .srv = { 1, 10, 143, "one.test" } },
		{ .srv = { 1, 0, 993, "two.test" }, .status = -ASOCK_E_NO_DATA },
		{ .srv = { 2, 65535, 144, "three.test" } },
		{ .srv = { 3, 0, 1, "four.test" }, .status = -ENOMEM },
	};
	struct candidate candidates[] = {
		{ .endpoint = make_endpoint("2001:db8::1", 143) },
		{ .endpoint = make_endpoint("192.0.2.1", 143) },
		{ .endpoint = make_endpoint("192.0.2.3", 144), .rank = 2 },
	};
	struct origin origin = make_origin();
	struct request_result result = { .name = "_imap._tcp.test",
					 .origin = &origin,
					 .targets = targets,
					 .n_targets = 4,
					 .candidates = candidates,
					 .n_candidates = 3 };
	CLEANUP(json_decrefp) json_t *reply = replies_resolver_service(&result);
	json_t *list = json_object_get(reply, "targets"), *target;

	idl_check_reply(RESOLVER, "ResolveService", reply);
	check_all_of_origin(reply);
	ck_assert_str_eq(get_string(reply, "server"), "192.0.2.53:53");
	ck_assert_str_eq(get_string(reply, "name"), "_imap._tcp.test");
	ck_assert_uint_eq(json_array_size(list), 4);
	target = json_array_get(list, 0);
	ck_assert_str_eq(get_string(target, "name"), "one.test");
	ck_assert_int_eq(get_int(target, "priority"), 1);
	ck_assert_int_eq(get_int(target, "weight"), 10);
	ck_assert_int_eq(get_int(target, "port"), 143);
	ck_assert_uint_eq(json_array_size(json_object_get(target, "endpoints")), 2);
	ck_assert_ptr_null(json_object_get(target, "error"));
	target = json_array_get(list, 1);
	ck_assert_uint_eq(json_array_size(json_object_get(target, "endpoints")), 0);
	ck_assert_str_eq(get_string(target, "error"), "org.asockd.Resolver.NoData");
	target = json_array_get(json_object_get(json_array_get(list, 2), "endpoints"), 0);
	ck_assert_str_eq(get_string(target, "address"), "192.0.2.3");
	ck_assert_int_eq(get_int(target, "port"), 144);
	ck_assert_str_eq(get_string(json_array_get(list, 3), "error"),
			 "org.asockd.Connector.ConnectFailed");
}
END_TEST

/* An answer put together record by record. */
struct maker {
	struct dns_answer *answer; /* owned */
	size_t len;
};

static void begin_answer(struct maker *maker, uint16_t type, size_t max)
{
	ck_assert_int_eq(dns_answer_new(&maker->answer, max), 0);
	maker->len = 0;
	maker->answer->type = type;
	maker->answer->ttl_s = 60;
	maker->answer->server = make_endpoint("192.0.2.53", 53);
}

static void add_record(struct maker *maker, const void *data, size_t len)
{
	uint16_t data_len = (uint16_t)len;

	ck_assert_uint_le(maker->len + sizeof(data_len) + len, maker->answer->len);
	memcpy(maker->answer->bytes + maker->len, &data_len, sizeof(data_len));
	memcpy(maker->answer->bytes + maker->len + sizeof(data_len), data, len);
	maker->len += sizeof(data_len) + len;
	maker->answer->n_records++;
}

static void add_alias(struct maker *maker, const char *target)
{
	struct dns_name name;

	ck_assert_int_eq(dns_name_from_text(target, &name), 0);
	add_record(maker, name.bytes, name.len);
	maker->answer->n_records--;
	maker->answer->n_chain++;
}

static struct dns_answer *end_answer(struct maker *maker)
{
	maker->answer->len = (uint32_t)maker->len;
	return maker->answer;
}

static struct request_result make_record_result(const struct dns_answer *answer,
						const struct origin *origin)
{
	return (struct request_result){ .name = "a.test", .answer = answer, .origin = origin };
}

START_TEST(records_have_the_owners_of_their_chain)
{
	static const struct {
		const char *name, *type, *text, *data;
	} expected[] = {
		{ "a.test", "CNAME", "b.test.", "AWIEdGVzdAA=" },
		{ "b.test", "CNAME", "c.test.", "AWMEdGVzdAA=" },
		{ "c.test", "A", "192.0.2.1", "wAACAQ==" },
		{ "c.test", "A", "192.0.2.2", "wAACAg==" },
	};
	struct origin origin = make_origin();
	struct request_result result;
	struct maker maker;
	CLEANUP(json_decrefp) json_t *reply = NULL;
	json_t *list;

	begin_answer(&maker, DNS_TYPE_A, 100);
	add_alias(&maker, "b.test");
	add_alias(&maker, "c.test");
	add_record(&maker, "\xc0\x00\x02\x01", 4);
	add_record(&maker, "\xc0\x00\x02\x02", 4);
	result = make_record_result(end_answer(&maker), &origin);
	reply = replies_resolver_records(&result);
	idl_check_reply(RESOLVER, "ResolveRecord", reply);
	check_all_of_origin(reply);
	ck_assert_str_eq(get_string(reply, "server"), "192.0.2.53:53");
	ck_assert_str_eq(get_string(reply, "rcode"), "NOERROR");
	list = json_object_get(reply, "records");
	ck_assert_uint_eq(json_array_size(list), ARRAY_LEN(expected));
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		json_t *record = json_array_get(list, i);

		ck_assert_str_eq(get_string(record, "name"), expected[i].name);
		ck_assert_str_eq(get_string(record, "type"), expected[i].type);
		ck_assert_str_eq(get_string(record, "text"), expected[i].text);
		ck_assert_str_eq(get_string(record, "data"), expected[i].data);
		ck_assert_int_eq(get_int(record, "ttlUsec"), 60000000);
	}
	dns_answer_free(maker.answer);
}
END_TEST

START_TEST(types_without_a_name_have_their_number)
{
	struct origin origin = make_origin();
	struct request_result result;
	struct maker maker;
	CLEANUP(json_decrefp) json_t *reply = NULL;
	json_t *record;

	begin_answer(&maker, 65534, 10);
	add_record(&maker, "\n\v", 2);
	result = make_record_result(end_answer(&maker), &origin);
	reply = replies_resolver_records(&result);
	record = json_array_get(json_object_get(reply, "records"), 0);
	ck_assert_str_eq(get_string(record, "type"), "TYPE65534");
	ck_assert_str_eq(get_string(record, "text"), "\\# 2 0a0b");
	dns_answer_free(maker.answer);
}
END_TEST

/* 255 octets that all have to be escaped, and their backslashes once more. */
static void make_worst_name(struct dns_name *name)
{
	memset(name->bytes, 1, sizeof(name->bytes));
	for (size_t i = 0; i < 3; i++)
		name->bytes[64 * i] = 63;
	name->bytes[192] = 61;
	name->bytes[254] = 0;
	name->len = 255;
}

/* What a server can make of a message: as many records as are taken, each as bad as it can be. */
START_TEST(no_answer_makes_a_reply_longer_than_clients_take)
{
	static const size_t lens[] = { 200, 256, 500 };
	struct origin origin = make_origin();
	struct dns_name name;

	make_worst_name(&name);
	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		struct request_result result;
		struct maker maker;
		uint8_t text[512];
		CLEANUP(freep) char *dumped = NULL;
		CLEANUP(json_decrefp) json_t *reply = NULL;
		json_t *list, *record;
		size_t index, n_texts = 0;

		begin_answer(&maker, 16, 400 * 1024);
		for (size_t j = 0; j < LIMIT_CNAME_CHAIN; j++) {
			add_record(&maker, name.bytes, name.len);
			maker.answer->n_records--;
			maker.answer->n_chain++;
		}
		memset(text, 1, sizeof(text));
		for (size_t at = 0; at < lens[i]; at += 256) {
			size_t rest = lens[i] - at - 1;

			text[at] = (uint8_t)(rest < 255 ? rest : 255);
		}
		for (size_t j = 0; j < LIMIT_DNS_RECORDS; j++)
			add_record(&maker, text, lens[i]);
		result = make_record_result(end_answer(&maker), &origin);
		reply = replies_resolver_records(&result);
		list = json_object_get(reply, "records");
		ck_assert_uint_eq(json_array_size(list), LIMIT_CNAME_CHAIN + LIMIT_DNS_RECORDS);
		json_array_foreach (list, index, record) {
			ck_assert_uint_gt(strlen(get_string(record, "data")), 0);
			n_texts += get_string(record, "text")[0] != '\0';
		}
		ck_assert_uint_gt(n_texts, LIMIT_CNAME_CHAIN);
		dumped = json_dumps(reply, JSON_COMPACT);
		ck_assert_uint_lt(strlen(dumped), REPLY_MAX - 4096);
		dns_answer_free(maker.answer);
	}
}
END_TEST

START_TEST(record_whose_text_is_very_long_has_its_data_alone)
{
	struct origin origin = make_origin();
	struct request_result result;
	struct maker maker;
	CLEANUP(json_decrefp) json_t *reply = NULL;
	CLEANUP(freep) uint8_t *data = calloc(1, 20000);
	json_t *record;

	begin_answer(&maker, 65534, 20010);
	add_record(&maker, data, 20000);
	result = make_record_result(end_answer(&maker), &origin);
	reply = replies_resolver_records(&result);
	idl_check_reply(RESOLVER, "ResolveRecord", reply);
	record = json_array_get(json_object_get(reply, "records"), 0);
	ck_assert_str_eq(get_string(record, "text"), "");
	ck_assert_uint_eq(strlen(get_string(record, "data")), 26668);
	dns_answer_free(maker.answer);
}
END_TEST

START_TEST(names_of_an_address_are_confirmed_one_by_one)
{
	static const struct reverse_name names[] = { { "a.test", true },
						     { "b.test", false },
						     { "c.test", true } };
	struct origin origin = make_origin();
	struct request_result result = { .names = names, .n_names = 3, .origin = &origin };
	CLEANUP(json_decrefp) json_t *some = replies_resolver_names(&result);
	CLEANUP(json_decrefp) json_t *all = NULL;

	idl_check_reply(RESOLVER, "ResolveAddress", some);
	check_all_of_origin(some);
	ck_assert_uint_eq(json_array_size(json_object_get(some, "names")), 3);
	ck_assert_uint_eq(json_array_size(json_object_get(some, "confirmedNames")), 2);
	ck_assert(!get_bool(some, "confirmed"));
	result.n_names = 1;
	all = replies_resolver_names(&result);
	ck_assert(get_bool(all, "confirmed"));
}
END_TEST

/* The cache */

static const struct dns_cache_params cache_params = { .max_bytes = 8 * 1024 * 1024,
						      .max_ttl_s = 86400,
						      .max_negative_ttl_s = 86400,
						      .max_stale_s = 86400 };

static void put_address(struct dns_cache *cache, const char *name, size_t n_records)
{
	struct maker maker;

	begin_answer(&maker, DNS_TYPE_A, 6 * n_records);
	for (size_t i = 0; i < n_records; i++) {
		const uint8_t data[] = { 192, 0, 2, (uint8_t)i };

		add_record(&maker, data, sizeof(data));
	}
	ck_assert_int_eq(dns_cache_put(cache, name, end_answer(&maker), SECOND), 0);
}

static void put_kinds(struct dns_cache *cache)
{
	const struct dns_cache_failure failure = { .status = -ASOCK_E_SERVER_FAILED,
						   .until_us = 9 * SECOND };
	struct maker maker;

	put_address(cache, "positive.test", 20);
	begin_answer(&maker, DNS_TYPE_AAAA, 0);
	ck_assert_int_eq(dns_cache_put(cache, "nodata.test", end_answer(&maker), SECOND), 0);
	begin_answer(&maker, DNS_TYPE_AAAA, 0);
	maker.answer->rcode = DNS_RCODE_NXDOMAIN;
	maker.answer->authenticated = true;
	ck_assert_int_eq(dns_cache_put(cache, "nothing.test", end_answer(&maker), SECOND), 0);
	begin_answer(&maker, 15, 100);
	add_alias(&maker, "real.test");
	add_record(&maker, "\0\12\0", 3);
	ck_assert_int_eq(dns_cache_put(cache, "alias.test", end_answer(&maker), SECOND), 0);
	ck_assert_int_eq(dns_cache_put_failure(cache, "failure.test", DNS_TYPE_A, &failure, SECOND),
			 0);
}

START_TEST(dump_shows_each_kind_of_entry)
{
	static const struct {
		const char *name, *type, *kind;
		json_int_t ttl_us;
		size_t n_records;
		const char *record;
	} expected[] = {
		{ "failure.test", "A", "failure", -1000000, 0, NULL },
		{ "alias.test", "MX", "positive", 51000000, 2, "CNAME real.test." },
		{ "nothing.test", "ANY", "nameNotFound", 51000000, 0, NULL },
		{ "nodata.test", "AAAA", "noData", 51000000, 0, NULL },
		{ "positive.test", "A", "positive", 51000000, 16, "192.0.2.0" },
	};
	CLEANUP(dns_cache_freep) struct dns_cache *cache = NULL;
	CLEANUP(json_decrefp) json_t *reply = NULL;
	json_t *list;

	ck_assert_int_eq(dns_cache_new(&cache, &cache_params), 0);
	put_kinds(cache);
	reply = replies_cache(cache, NULL, 100, 10 * SECOND);
	idl_check_reply("org.asockd.Manager", "DumpCache", reply);
	ck_assert_int_eq(get_int(reply, "omitted"), 0);
	ck_assert_int_eq(get_int(reply, "entries"), 5);
	list = json_object_get(reply, "items");
	ck_assert_uint_eq(json_array_size(list), ARRAY_LEN(expected));
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		json_t *item = json_array_get(list, i), *records = json_object_get(item, "records");

		ck_assert_str_eq(get_string(item, "name"), expected[i].name);
		ck_assert_str_eq(get_string(item, "type"), expected[i].type);
		ck_assert_str_eq(get_string(item, "kind"), expected[i].kind);
		ck_assert_int_eq(get_int(item, "ttlUsec"), expected[i].ttl_us);
		ck_assert_uint_eq(json_array_size(records), expected[i].n_records);
		if (expected[i].record)
			ck_assert_str_eq(json_string_value(json_array_get(records, 0)),
					 expected[i].record);
		ck_assert(get_bool(item, "authenticated") == (i == 2));
		ck_assert(!json_object_get(item, "server") == (i == 0));
	}
}
END_TEST

START_TEST(dump_is_bounded_and_counts_what_it_leaves_out)
{
	CLEANUP(dns_cache_freep) struct dns_cache *cache = NULL;
	CLEANUP(json_decrefp) json_t *few = NULL;
	CLEANUP(json_decrefp) json_t *none = NULL;
	CLEANUP(json_decrefp) json_t *fitting = NULL;
	CLEANUP(json_decrefp) json_t *many = NULL;
	CLEANUP(freep) char *dumped = NULL;
	char name[32];
	size_t n;

	ck_assert_int_eq(dns_cache_new(&cache, &cache_params), 0);
	for (size_t i = 0; i < 1500; i++) {
		(void)snprintf(name, sizeof(name), "name%zu.test", i);
		put_address(cache, name, 16);
	}
	few = replies_cache(cache, "name1?.test", 3, SECOND);
	ck_assert_uint_eq(json_array_size(json_object_get(few, "items")), 3);
	ck_assert_int_eq(get_int(few, "omitted"), 7);
	ck_assert_int_eq(get_int(few, "entries"), 1500);
	ck_assert_str_eq(get_string(json_array_get(json_object_get(few, "items"), 0), "name"),
			 "name19.test");
	none = replies_cache(cache, NULL, 0, SECOND);
	ck_assert_int_eq(get_int(none, "omitted"), 1500);
	fitting = replies_cache(cache, "*.example", 100, SECOND);
	ck_assert_int_eq(get_int(fitting, "omitted"), 0);
	many = replies_cache(cache, NULL, 1000, SECOND);
	idl_check_reply("org.asockd.Manager", "DumpCache", many);
	n = json_array_size(json_object_get(many, "items"));
	ck_assert_uint_gt(n, 200);
	ck_assert_uint_lt(n, 1000);
	ck_assert_int_eq(get_int(many, "omitted"), (json_int_t)(1500 - n));
	dumped = json_dumps(many, JSON_COMPACT);
	ck_assert_uint_lt(strlen(dumped), 280 * 1024);
}
END_TEST

/* The history */

static struct history_key make_key(const char *address)
{
	return (struct history_key){ .network = 0xabcd, .endpoint = make_endpoint(address, 443) };
}

/* Destinations of every kind, the last one used first. */
static void put_destinations(struct history *history)
{
	struct history_key good = make_key("192.0.2.1"), refused = make_key("2001:db8::1"),
			   silent = make_key("192.0.2.2"), foreign = make_key("192.0.2.3");

	good.partition = 0x17;
	good.route = UINT64_MAX;
	good.endpoint.port = 80;
	history_on_network(history, 1 * SECOND, 0xabcd);
	history_on_start(history, 1 * SECOND, &good);
	history_on_connected(history, 1 * SECOND, &good, 1000, 12000, 3000);
	history_on_start(history, 2 * SECOND, &refused);
	history_on_failed(history, 2 * SECOND, &refused, -ECONNREFUSED);
	history_on_start(history, 3 * SECOND, &silent);
	history_on_silent(history, 3 * SECOND, &silent, SECOND);
	history_learn_rtt(history, 4 * SECOND, &foreign, 25000, 2000);
}

START_TEST(history_shows_each_kind_of_destination)
{
	static const char *const expected[] = {
		"{\"endpoint\":{\"family\":\"inet\",\"address\":\"192.0.2.3\",\"port\":443},"
		"\"protocol\":\"tcp\",\"network\":\"000000000000abcd\",\"state\":\"unknown\","
		"\"roundTripUsec\":25000,\"variationUsec\":2000,\"foreign\":true,\"connected\":0,"
		"\"failed\":0}",
		"{\"endpoint\":{\"family\":\"inet\",\"address\":\"192.0.2.2\",\"port\":443},"
		"\"protocol\":\"tcp\",\"network\":\"000000000000abcd\",\"state\":\"dead\","
		"\"foreign\":false,\"deadUsec\":2000000,\"probeUsec\":58000000,\"connected\":0,"
		"\"failed\":1}",
		"{\"endpoint\":{\"family\":\"inet6\",\"address\":\"2001:db8::1\",\"port\":443},"
		"\"protocol\":\"tcp\",\"network\":\"000000000000abcd\",\"state\":\"dead\","
		"\"foreign\":false,\"deadUsec\":3000000,\"error\":\"ECONNREFUSED\","
		"\"probeUsec\":7000000,\"connected\":0,\"failed\":1}",
		"{\"endpoint\":{\"family\":\"inet\",\"address\":\"192.0.2.1\",\"port\":80},"
		"\"protocol\":\"tcp\",\"network\":\"000000000000abcd\","
		"\"partition\":\"0000000000000017\",\"route\":\"ffffffffffffffff\",\"state\":\"good\","
		"\"roundTripUsec\":12000,\"variationUsec\":3000,\"foreign\":false,"
		"\"lastUsec\":4000000,\"connected\":1,\"failed\":0}",
	};
	CLEANUP(history_freep) struct history *history = NULL;
	CLEANUP(json_decrefp) json_t *reply = NULL;
	json_t *list;

	ck_assert_int_eq(history_new(&history, 0), 0);
	put_destinations(history);
	reply = replies_history(history, NULL, 100, 5 * SECOND);
	idl_check_reply("org.asockd.Manager", "DumpHistory", reply);
	ck_assert_int_eq(get_int(reply, "omitted"), 0);
	ck_assert_int_eq(get_int(reply, "entries"), 4);
	ck_assert_int_eq(get_int(reply, "maxEntries"), HISTORY_MAX);
	list = json_object_get(reply, "items");
	ck_assert_uint_eq(json_array_size(list), ARRAY_LEN(expected));
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		CLEANUP(freep) char *text = json_dumps(json_array_get(list, i), JSON_COMPACT);

		ck_assert_str_eq(text, expected[i]);
	}
}
END_TEST

/* A probe that is due has waited for nobody to ask; what the clock says before an event is no time. */
START_TEST(history_has_no_times_below_none)
{
	CLEANUP(history_freep) struct history *history = NULL;
	CLEANUP(json_decrefp) json_t *late = NULL;
	CLEANUP(json_decrefp) json_t *early = NULL;

	ck_assert_int_eq(history_new(&history, 0), 0);
	put_destinations(history);
	late = replies_history(history, "2001:*", 100, 1000 * SECOND);
	ck_assert_int_eq(get_int(json_array_get(json_object_get(late, "items"), 0), "probeUsec"),
			 0);
	early = replies_history(history, "2001:*", 100, SECOND);
	ck_assert_int_eq(get_int(json_array_get(json_object_get(early, "items"), 0), "deadUsec"),
			 0);
}
END_TEST

START_TEST(history_is_bounded_and_counts_what_it_leaves_out)
{
	static const struct {
		const char *glob;
		size_t max;
		size_t n_shown, n_omitted;
	} cases[] = {
		{ NULL, 3, 3, 1 },	  { NULL, 0, 0, 4 },	  { NULL, 100, 4, 0 },
		{ "192.0.2.*", 2, 2, 1 }, { "192*", 0, 0, 3 },	  { "*", 100, 4, 0 },
		{ "2001:*", 100, 1, 0 },  { "198.*", 100, 0, 0 },
	};
	CLEANUP(history_freep) struct history *history = NULL;

	ck_assert_int_eq(history_new(&history, 0), 0);
	put_destinations(history);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(json_decrefp)
		json_t *reply = replies_history(history, cases[i].glob, cases[i].max, 5 * SECOND);

		ck_assert_uint_eq(json_array_size(json_object_get(reply, "items")),
				  cases[i].n_shown);
		ck_assert_int_eq(get_int(reply, "omitted"), (json_int_t)cases[i].n_omitted);
		ck_assert_int_eq(get_int(reply, "entries"), 4);
	}
}
END_TEST

START_TEST(history_that_is_off_is_empty)
{
	CLEANUP(json_decrefp) json_t *reply = replies_history(NULL, NULL, 100, SECOND);
	CLEANUP(freep) char *text = json_dumps(reply, JSON_COMPACT);

	ck_assert_str_eq(text, "{\"items\":[],\"omitted\":0,\"entries\":0,\"maxEntries\":0}");
}
END_TEST

/* Errors */

static const struct {
	int number;
	const char *interface, *name;
} errors[] = {
#define X(constant, number, interface, name, exit_code, text) { number, interface, name },
#include "protocol/errors.def"
#undef X
};

static json_t *make_error(const struct request_result *result)
{
	const struct request_params params = { .service = "nonsense" };
	const struct idl_description *description = NULL;
	const struct idl_definition *definition = NULL;
	json_t *object = replies_error(result, &params);

	idl_read_all();
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		if (errors[i].number == -result->status) {
			description = idl_find_description(errors[i].interface);
			definition = idl_find_definition(description, IDL_ERROR, errors[i].name);
		}
	}
	ck_assert_ptr_nonnull(definition);
	idl_check_object(description, definition->name, &definition->in, object);
	return object;
}

START_TEST(errors_of_requests_have_the_fields_of_the_files)
{
	static const int outcomes[] = {
		ASOCK_E_CONNECT_FAILED,
		ASOCK_E_TIMED_OUT,
		ASOCK_E_DENIED,
		ASOCK_E_NAME_NOT_FOUND,
		ASOCK_E_NO_DATA,
		ASOCK_E_NO_SERVERS,
		ASOCK_E_SERVER_FAILED,
		ASOCK_E_INVALID_NAME,
		ASOCK_E_UNKNOWN_SERVICE,
		ASOCK_E_LIMIT_EXCEEDED,
		ASOCK_E_SERVICE_UNAVAILABLE,
	};
	struct origin full = make_origin(), local;

	origin_init_local(&local, SOURCE_HOSTS);
	for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
		for (size_t j = 0; j < 3; j++) { /* all there is to tell, less, and every stage */
			struct request_result result = make_result();
			CLEANUP(json_decrefp) json_t *object = NULL;

			result.status = -outcomes[i];
			result.headline = -EHOSTUNREACH;
			result.stage = (enum request_stage)j;
			result.denied_stage = (enum policy_stage)j;
			if (j > 0)
				result.reason = "a label is too long";
			if (j > 0)
				result.origin = j == 1 ? &full : &local;
			object = make_error(&result);
		}
	}
}
END_TEST

START_TEST(failures_say_who_failed)
{
	struct origin origin = make_origin();
	struct request_result result = make_result();
	CLEANUP(json_decrefp) json_t *failed = NULL;
	CLEANUP(json_decrefp) json_t *timed_out = NULL;
	CLEANUP(json_decrefp) json_t *later = NULL;
	CLEANUP(json_decrefp) json_t *not_found = NULL;
	CLEANUP(json_decrefp) json_t *limited = NULL;
	json_t *servers;

	result.origin = &origin;
	result.status = -ASOCK_E_SERVER_FAILED;
	failed = make_error(&result);
	servers = json_object_get(failed, "servers");
	ck_assert_str_eq(get_string(failed, "rcode"), "SERVFAIL");
	ck_assert_int_eq(get_int(json_object_get(failed, "server"), "port"), 53);
	ck_assert_uint_eq(json_array_size(servers), 2);
	ck_assert_str_eq(json_string_value(json_array_get(servers, 0)), "[2001:db8::53]:53");
	ck_assert_str_eq(json_string_value(json_array_get(servers, 1)), "192.0.2.53:5353");
	ck_assert_int_eq(get_int(json_object_get(failed, "ede"), "code"), 6);
	result.status = -ASOCK_E_TIMED_OUT;
	result.stage = REQUEST_STAGE_RESOLVE;
	timed_out = make_error(&result);
	ck_assert_uint_eq(json_array_size(json_object_get(timed_out, "servers")), 2);
	result.stage = REQUEST_STAGE_CONNECT;
	later = make_error(&result);
	ck_assert_ptr_null(json_object_get(later, "servers"));
	result.status = -ASOCK_E_NAME_NOT_FOUND;
	not_found = make_error(&result);
	ck_assert_str_eq(get_string(not_found, "server"), "192.0.2.53:53");
	ck_assert_str_eq(get_string(json_object_get(not_found, "ede"), "name"), "DNSSEC Bogus");
	result.status = -ASOCK_E_LIMIT_EXCEEDED;
	limited = make_error(&result);
	ck_assert_str_eq(get_string(limited, "limit"), "QuestionsInFlight");
}
END_TEST

START_TEST(a_socket_option_that_was_not_had_is_named)
{
	struct request_result result = make_result();
	CLEANUP(json_decrefp) json_t *failed = NULL;
	CLEANUP(json_decrefp) json_t *denied = NULL;
	CLEANUP(json_decrefp) json_t *other = NULL;
	json_t *list;

	attempts[5].option = "mark";
	result.option = "mark";
	result.status = -ASOCK_E_CONNECT_FAILED;
	result.headline = -EPERM;
	failed = make_error(&result);
	list = json_object_get(failed, "attempts");
	ck_assert_str_eq(get_string(failed, "option"), "mark");
	ck_assert_str_eq(get_string(json_array_get(list, 5), "option"), "mark");
	ck_assert_ptr_null(json_object_get(json_array_get(list, 0), "option"));
	result.status = -ASOCK_E_DENIED;
	result.denied_stage = POLICY_STAGE_OPTION;
	denied = make_error(&result);
	ck_assert_str_eq(get_string(denied, "option"), "mark");
	result.option = NULL;
	other = make_error(&result);
	ck_assert_ptr_null(json_object_get(other, "option"));
}
END_TEST

START_TEST(failure_lists_at_most_twelve_attempts_and_counts_the_rest)
{
	struct request_result result = make_result();
	const struct request_params params = { 0 };
	CLEANUP(json_decrefp) json_t *object = NULL;

	result.status = -ASOCK_E_CONNECT_FAILED;
	result.headline = -ECONNREFUSED;
	object = replies_error(&result, &params);
	ck_assert_str_eq(get_string(object, "errno"), "ECONNREFUSED");
	ck_assert_uint_eq(json_array_size(json_object_get(object, "attempts")), 12);
	ck_assert_int_eq(json_integer_value(json_object_get(object, "attemptsOmitted")),
			 N_ATTEMPTS - 12);
	/* Nobody won: the last one listed is the twelfth. */
	ck_assert_str_eq(
		get_string(json_array_get(json_object_get(object, "attempts"), 11), "target"),
		"target11.test");
}
END_TEST

SUITE_MAIN("replies", reply_of_connect_is_as_the_file_says, reply_of_bind_is_as_the_file_says,
	   winner_is_listed_once_wherever_it_stands,
	   reply_with_a_descriptor_is_as_complete_as_its_length_allows,
	   link_local_address_has_its_zone_beside_it, events_of_a_race_are_as_the_file_says,
	   questions_on_the_way_are_told_with_who_answered, reply_of_resolve_is_as_the_file_says,
	   extended_error_without_name_and_text_is_a_number,
	   targets_of_a_service_have_their_own_addresses, records_have_the_owners_of_their_chain,
	   types_without_a_name_have_their_number, no_answer_makes_a_reply_longer_than_clients_take,
	   record_whose_text_is_very_long_has_its_data_alone,
	   names_of_an_address_are_confirmed_one_by_one, dump_shows_each_kind_of_entry,
	   dump_is_bounded_and_counts_what_it_leaves_out, history_shows_each_kind_of_destination,
	   history_has_no_times_below_none, history_is_bounded_and_counts_what_it_leaves_out,
	   history_that_is_off_is_empty, errors_of_requests_have_the_fields_of_the_files,
	   failures_say_who_failed, a_socket_option_that_was_not_had_is_named,
	   failure_lists_at_most_twelve_attempts_and_counts_the_rest)
