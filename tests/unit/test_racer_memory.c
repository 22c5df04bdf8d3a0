/* SPDX-License-Identifier: MIT */
/*
 * What a race shares with others: the history, the brake, the prober, the network; going on after it was won; and what it
 * tells of itself. Real sockets on loopback, or in a network of the test's own; several races at once.
 */
#include "daemon/connect/racer.h"

#include <event2/event.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/connect/brake.h"
#include "daemon/connect/history.h"
#include "daemon/connect/network.h"
#include "daemon/connect/prober.h"
#include "protocol/error.h"
#include "tests/support/kernel_net.h"
#include "tests/support/suite.h"
#include "tests/support/tcp_peer.h"

#define MS(n)	   ((uint64_t)(n)*1000)
#define SLACK_US   MS(200)
#define MAX_RACES  24
#define MAX_EVENTS 64
#define MAX_ITEMS  4
#define ALICE	   1001
#define BOB	   1002

struct rig;

/* One race, and what it told. */
struct contest {
	struct rig *rig;
	struct racer *racer;
	struct racer_event events[MAX_EVENTS];
	struct endpoint about[MAX_EVENTS], local[MAX_EVENTS];
	size_t n_events;
	int first_source; /* of the last sorting: the family of the first one's source */
	bool done;
	int status;
	uint64_t done_us;
	size_t in_flight, in_flight_at_done;
};

struct rig {
	struct event_base *base;
	struct racer_env env;
	struct racer_params params; /* of the next race */
	struct contest contests[MAX_RACES];
	size_t n_contests;
	uint16_t denied_port;
	struct address translated; /* family 0: none */
	size_t n_translated;
	bool done; /* all of them */
};

static struct rig the_rig;

static bool judge(const struct candidate *candidate, void *arg)
{
	struct contest *contest = arg;

	return candidate->endpoint.port != contest->rig->denied_port;
}

static void count(int change, void *arg)
{
	struct contest *contest = arg;

	contest->in_flight += (size_t)change;
}

static bool is_braked(void *arg)
{
	(void)arg;
	return false;
}

static bool translate(struct address *address, void *arg)
{
	struct rig *rig = ((struct contest *)arg)->rig;

	ck_assert_int_eq(address->family, AF_INET);
	rig->n_translated++;
	if (rig->translated.family == 0)
		return false;
	*address = rig->translated;
	return true;
}

static void trace(const struct racer_event *event, void *arg)
{
	struct contest *contest = arg;
	size_t i = contest->n_events++;

	ck_assert_uint_lt(i, MAX_EVENTS);
	contest->events[i] = *event;
	if (event->candidate)
		contest->about[i] = event->candidate->endpoint;
	if (event->local)
		contest->local[i] = *event->local;
	if (event->n_order > 0)
		contest->first_source = event->order[0].facts.source.address.family;
	if (i > 0)
		ck_assert_uint_ge(event->at_us, contest->events[i - 1].at_us);
}

static struct rig *begin(void)
{
	struct rig *rig = &the_rig;
	struct event_config *config = event_config_new();

	*rig = (struct rig){ .n_contests = 0 };
	ck_assert_ptr_nonnull(config);
	ck_assert_int_eq(event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER), 0);
	rig->base = event_base_new_with_config(config);
	event_config_free(config);
	ck_assert_ptr_nonnull(rig->base);
	ck_assert_int_eq(history_new(&rig->env.history, 0), 0);
	ck_assert_int_eq(prober_new(&rig->env.prober, rig->env.history, rig->base), 0);
	rig->params = (struct racer_params){
		.race = { .families = FAMILY_ANY,
			  .deadline_us = clock_now_us() + MS(30000),
			  .resolution_delay_us = MS(50),
			  .attempt_delay_us = MS(60),
			  .is_delay_fixed = true,
			  .max_addresses = 16,
			  .max_attempts = 8,
			  .first_family_count = 1 },
		.transport = TRANSPORT_TCP,
		.uid = ALICE,
		.silence_us = MS(30),
		.judge = judge,
		.count = count,
		.is_braked = is_braked,
		.translate = translate,
		.trace = trace,
	};
	return rig;
}

static void end(struct rig *rig)
{
	for (size_t i = 0; i < rig->n_contests; i++) {
		(void)racer_free(rig->contests[i].racer);
		ck_assert_uint_eq(rig->contests[i].in_flight, 0);
	}
	(void)prober_free(rig->env.prober);
	(void)brake_free(rig->env.brake);
	(void)network_free(rig->env.network);
	(void)history_free(rig->env.history);
	(void)hostaddrs_free(rig->env.sorting.hostaddrs);
	event_base_free(rig->base);
}

static void on_done(struct racer *racer, int status, void *arg)
{
	struct contest *contest = arg;

	ck_assert(!contest->done && racer == contest->racer);
	contest->done = true;
	contest->status = status;
	contest->done_us = clock_now_us();
	contest->in_flight_at_done = contest->in_flight;
	contest->rig->done = true;
	for (size_t i = 0; i < contest->rig->n_contests; i++)
		contest->rig->done = contest->rig->done && contest->rig->contests[i].done;
}

static struct contest *make(struct rig *rig)
{
	struct contest *contest = &rig->contests[rig->n_contests++];

	ck_assert_uint_le(rig->n_contests, MAX_RACES);
	*contest = (struct contest){ .rig = rig };
	rig->params.env = rig->env;
	rig->params.arg = contest;
	ck_assert_int_eq(racer_new(&contest->racer, &rig->params, rig->base), 0);
	return contest;
}

static void answer(struct contest *contest, int family, const struct endpoint *endpoints, size_t n)
{
	struct candidate items[MAX_ITEMS] = { 0 };

	ck_assert_uint_le(n, MAX_ITEMS);
	for (size_t i = 0; i < n; i++)
		items[i] = (struct candidate){ .endpoint = endpoints[i], .source = SOURCE_HOSTS };
	ck_assert_int_eq(racer_add_answer(contest->racer, family, 0, items, n, true), 0);
}

/* A race to these, the first of them in IPv6's answer; both answers are there. */
static struct contest *start(struct rig *rig, const struct tcp_peer *six,
			     const struct tcp_peer *four)
{
	struct contest *contest = make(rig);

	answer(contest, AF_INET6, six ? tcp_peer_get_endpoint(six) : NULL, six ? 1 : 0);
	answer(contest, AF_INET, four ? tcp_peer_get_endpoint(four) : NULL, four ? 1 : 0);
	ck_assert_int_eq(racer_start(contest->racer, on_done, contest), 0);
	ck_assert(!contest->done);
	return contest;
}

static void finish(struct contest *contest)
{
	suite_loop(contest->rig->base, &contest->done);
	ck_assert_uint_eq(contest->in_flight_at_done, 0);
}

static struct contest *run(struct rig *rig, const struct tcp_peer *six, const struct tcp_peer *four)
{
	struct contest *contest = start(rig, six, four);

	finish(contest);
	return contest;
}

static void expect_winner(const struct contest *contest, const struct endpoint *endpoint)
{
	CLEANUP(fd_closep) int fd = racer_take_fd(contest->racer);
	struct sockaddr_storage sockaddr;
	socklen_t len = sizeof(sockaddr);
	struct endpoint peer = { 0 };

	ck_assert_int_eq(contest->status, 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(getpeername(fd, (struct sockaddr *)&sockaddr, &len), 0);
	ck_assert_int_eq(endpoint_from_sockaddr((struct sockaddr *)&sockaddr, len, &peer), 0);
	ck_assert(endpoint_equal(&peer, endpoint));
	ck_assert(endpoint_equal(&racer_get_winner(contest->racer)->endpoint, endpoint));
}

static void expect_peer(const struct contest *contest, const struct tcp_peer *peer)
{
	expect_winner(contest, tcp_peer_get_endpoint(peer));
}

static size_t count_attempts(const struct contest *contest)
{
	size_t n;

	(void)racer_get_attempts(contest->racer, &n);
	return n;
}

static const struct race_attempt *get_attempt(const struct contest *contest, size_t i)
{
	size_t n;
	const struct race_attempt *attempts = racer_get_attempts(contest->racer, &n);

	ck_assert_uint_lt(i, n);
	return &attempts[i];
}

/* How many of the races have really tried this peer. */
static size_t count_tries(const struct rig *rig, const struct tcp_peer *peer)
{
	size_t n_tries = 0;

	for (size_t i = 0; i < rig->n_contests; i++)
		for (size_t k = 0; k < count_attempts(&rig->contests[i]); k++)
			n_tries += endpoint_equal(
				&get_attempt(&rig->contests[i], k)->candidate->endpoint,
				tcp_peer_get_endpoint(peer));
	return n_tries;
}

static size_t count_events(const struct contest *contest, enum racer_event_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < contest->n_events; i++)
		n += contest->events[i].kind == kind;
	return n;
}

static struct history_key make_key(const struct rig *rig, const struct tcp_peer *peer)
{
	return (struct history_key){
		.network = rig->env.network ? network_get_id(rig->env.network) : 0,
		.partition = rig->params.partition,
		.route = sockopts_hash_route(&rig->params.options),
		.transport = TRANSPORT_TCP,
		.endpoint = *tcp_peer_get_endpoint(peer),
	};
}

static struct addrsort_past look(const struct rig *rig, const struct tcp_peer *peer, uid_t uid)
{
	struct history_key key = make_key(rig, peer);
	struct addrsort_past past;

	history_look(rig->env.history, clock_now_us(), &key, uid, &past);
	return past;
}

/* It is dead since so long. */
static void make_dead(const struct rig *rig, const struct tcp_peer *peer, uint64_t ago_us)
{
	struct history_key key = make_key(rig, peer);
	uint64_t at_us = clock_now_us() - ago_us;

	history_on_start(rig->env.history, at_us, &key);
	history_on_failed(rig->env.history, at_us, &key, -ECONNREFUSED);
}

START_TEST(a_silent_loser_is_paid_for_once_by_everybody)
{
	struct rig *rig = begin();
	struct tcp_peer *hole = tcp_peer_new(rig->base, AF_INET6, TCP_PEER_BLACK_HOLE);
	struct tcp_peer *good = tcp_peer_new(rig->base, AF_INET, TCP_PEER_ACCEPT);
	struct contest *first, *second;

	first = run(rig, hole, good);
	expect_peer(first, good);
	ck_assert_uint_eq(count_attempts(first), 2);
	ck_assert(look(rig, hole, BOB).is_dead);
	rig->params.uid = BOB;
	second = run(rig, hole, good);
	expect_peer(second, good);
	ck_assert_uint_eq(count_attempts(second), 1);
	/* Another way, other users' secrets: nothing is known there. */
	rig->params.partition = 1;
	ck_assert_uint_eq(count_attempts(run(rig, hole, good)), 2);
	rig->params.partition = 0;
	rig->params.options.has_type_of_service = true;
	rig->params.options.type_of_service = 8;
	ck_assert_uint_eq(count_attempts(run(rig, hole, good)), 2);
	hole = tcp_peer_free(hole);
	good = tcp_peer_free(good);
	end(rig);
}
END_TEST

START_TEST(a_loser_that_had_little_time_is_not_dead)
{
	struct rig *rig = begin();
	struct tcp_peer *hole = tcp_peer_new(rig->base, AF_INET6, TCP_PEER_BLACK_HOLE);
	struct tcp_peer *good = tcp_peer_new(rig->base, AF_INET, TCP_PEER_ACCEPT);

	rig->params.silence_us = MS(10000);
	(void)run(rig, hole, good);
	rig->params.silence_us = 0; /* never */
	(void)run(rig, hole, good);
	ck_assert(!look(rig, hole, ALICE).is_dead && !look(rig, hole, ALICE).is_pending);
	hole = tcp_peer_free(hole);
	good = tcp_peer_free(good);
	end(rig);
}
END_TEST

/* Three of its round trips, if these are known. */
START_TEST(a_loser_is_given_its_known_round_trip)
{
	static const struct {
		uint32_t rtt_us;
		bool is_dead;
	} cases[] = { { 10000, true }, { 50000, false } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct rig *rig = begin();
		struct tcp_peer *hole = tcp_peer_new(rig->base, AF_INET6, TCP_PEER_BLACK_HOLE);
		struct tcp_peer *good = tcp_peer_new(rig->base, AF_INET, TCP_PEER_ACCEPT);
		struct history_key key = make_key(rig, hole);

		history_learn_rtt(rig->env.history, clock_now_us(), &key, cases[i].rtt_us, 1);
		rig->params.silence_us = cases[i].is_dead ? MS(10000) : MS(1);
		rig->params.race.attempt_delay_us = MS(110);
		ck_assert_uint_eq(count_attempts(run(rig, hole, good)), 2);
		ck_assert_int_eq(look(rig, hole, ALICE).is_dead, cases[i].is_dead);
		hole = tcp_peer_free(hole);
		good = tcp_peer_free(good);
		end(rig);
	}
}
END_TEST

START_TEST(a_refusal_is_remembered_and_all_are_tried_in_the_end)
{
	struct rig *rig = begin();
	struct tcp_peer *refuse = tcp_peer_new(rig->base, AF_INET6, TCP_PEER_REFUSE);
	struct tcp_peer *good = tcp_peer_new(rig->base, AF_INET, TCP_PEER_ACCEPT);

	ck_assert_uint_eq(count_attempts(run(rig, refuse, good)), 2);
	ck_assert_uint_eq(count_attempts(run(rig, refuse, good)), 1);
	ck_assert_int_eq(run(rig, refuse, NULL)->status, -ASOCK_E_CONNECT_FAILED);
	refuse = tcp_peer_free(refuse);
	good = tcp_peer_free(good);
	end(rig);
}
END_TEST

START_TEST(a_connection_teaches_its_round_trip_and_whose_it_was)
{
	struct rig *rig = begin();
	struct tcp_peer *good = tcp_peer_new(rig->base, AF_INET6, TCP_PEER_ACCEPT);
	struct contest *contest = run(rig, good, NULL);

	ck_assert_uint_gt(look(rig, good, ALICE).rtt_us, 0);
	ck_assert(look(rig, good, ALICE).was_used && !look(rig, good, BOB).was_used);
	ck_assert_uint_gt(get_attempt(contest, 0)->rtt_us, 0);
	good = tcp_peer_free(good);
	end(rig);
}
END_TEST

START_TEST(what_shows_nothing_teaches_nothing)
{
	struct rig *rig = begin();
	struct tcp_peer *hole = tcp_peer_new(rig->base, AF_INET6, TCP_PEER_BLACK_HOLE);
	struct tcp_peer *good = tcp_peer_new(rig->base, AF_INET, TCP_PEER_ACCEPT);
	struct contest *contest;

	/* The policy. */
	rig->denied_port = tcp_peer_get_endpoint(hole)->port;
	ck_assert_int_eq(run(rig, hole, NULL)->status, -ASOCK_E_DENIED);
	rig->denied_port = 0;
	/* The client's patience. */
	rig->params.race.attempt_timeout_us = MS(40);
	ck_assert_int_eq(run(rig, hole, NULL)->status, -ASOCK_E_CONNECT_FAILED);
	rig->params.race.attempt_timeout_us = 0;
	rig->params.race.deadline_us = clock_now_us() + MS(40);
	rig->params.is_timeout_proof = true;
	ck_assert_int_eq(run(rig, hole, NULL)->status, -ASOCK_E_TIMED_OUT);
	rig->params.race.deadline_us = clock_now_us() + MS(30000);
	/* The client has gone. */
	contest = start(rig, hole, NULL);
	ck_assert(look(rig, hole, ALICE).is_pending);
	suite_loop_for(rig->base, 40);
	racer_cancel(contest->racer);
	/* An option that this host does not have. */
	rig->params.options = (struct sockopts){ .has_congestion = true, .congestion = "nosuch" };
	contest = run(rig, good, NULL);
	ck_assert_int_eq(contest->status, -ASOCK_E_CONNECT_FAILED);
	ck_assert_str_eq(get_attempt(contest, 0)->option, "congestion");
	ck_assert_uint_eq(history_get_n(rig->env.history), 0);
	hole = tcp_peer_free(hole);
	good = tcp_peer_free(good);
	end(rig);
}
END_TEST

START_TEST(the_daemons_own_time_out_is_a_proof)
{
	struct rig *rig = begin();
	struct tcp_peer *hole = tcp_peer_new(rig->base, AF_INET6, TCP_PEER_BLACK_HOLE);

	rig->params.race.attempt_timeout_us = MS(40);
	rig->params.is_timeout_proof = true;
	ck_assert_int_eq(run(rig, hole, NULL)->status, -ASOCK_E_CONNECT_FAILED);
	ck_assert(look(rig, hole, ALICE).is_dead);
	hole = tcp_peer_free(hole);
	end(rig);
}
END_TEST

START_TEST(who_is_connected_but_silent_is_alive_and_loses_for_the_first_byte)
{
	struct rig *rig = begin();
	struct tcp_peer *mute = tcp_peer_new(rig->base, AF_INET6, TCP_PEER_ACCEPT);
	struct tcp_peer *good = tcp_peer_new(rig->base, AF_INET, TCP_PEER_ACCEPT);
	struct contest *contest;

	rig->params.until_first_byte = true;
	contest = start(rig, mute, good);
	while (tcp_peer_get_n_accepted(good) == 0)
		ck_assert_int_ge(event_base_loop(rig->base, EVLOOP_ONCE), 0);
	ck_assert_uint_eq(tcp_peer_get_n_accepted(mute), 1);
	ck_assert(!contest->done);
	ck_assert_int_eq(send(tcp_peer_get_fd(good, 0), "220", 3, 0), 3);
	finish(contest);
	expect_peer(contest, good);
	ck_assert(!look(rig, mute, ALICE).is_dead && !look(rig, mute, ALICE).was_used);
	ck_assert_uint_gt(look(rig, mute, ALICE).rtt_us, 0);
	mute = tcp_peer_free(mute);
	good = tcp_peer_free(good);
	end(rig);
}
END_TEST

/* Twenty at once, and the hole is asked once. */
START_TEST(an_address_that_is_being_asked_is_waited_for)
{
	struct rig *rig = begin();
	struct tcp_peer *hole = tcp_peer_new(rig->base, AF_INET6, TCP_PEER_BLACK_HOLE);
	struct tcp_peer *good[2]; /* so that no queue runs over */

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		good[i] = tcp_peer_new(rig->base, AF_INET, TCP_PEER_ACCEPT);
	for (size_t i = 0; i < 20; i++)
		(void)start(rig, hole, good[i % 2]);
	suite_loop(rig->base, &rig->done);
	ck_assert_uint_eq(count_tries(rig, hole), 1);
	for (size_t i = 0; i < 20; i++) {
		ck_assert_uint_eq(count_events(&rig->contests[i], RACER_HOLD), i > 0);
		expect_peer(&rig->contests[i], good[i % 2]);
	}
	ck_assert(look(rig, hole, ALICE).is_dead);
	hole = tcp_peer_free(hole);
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		(void)tcp_peer_free(good[i]);
	end(rig);
}
END_TEST

START_TEST(a_held_address_that_lives_is_begun_at_once)
{
	struct rig *rig = begin();
	struct tcp_peer *good = tcp_peer_new(rig->base, AF_INET6, TCP_PEER_ACCEPT);
	struct tcp_peer *spare = tcp_peer_new(rig->base, AF_INET, TCP_PEER_ACCEPT);
	uint64_t begin_us = clock_now_us();

	rig->params.race.attempt_delay_us = MS(2000);
	for (size_t i = 0; i < 5; i++)
		(void)start(rig, good, spare);
	suite_loop(rig->base, &rig->done);
	ck_assert_uint_lt(clock_now_us() - begin_us, MS(1000));
	for (size_t i = 0; i < 5; i++) {
		ck_assert_uint_eq(count_events(&rig->contests[i], RACER_HOLD), i > 0);
		expect_peer(&rig->contests[i], good);
	}
	good = tcp_peer_free(good);
	spare = tcp_peer_free(spare);
	end(rig);
}
END_TEST

START_TEST(what_is_held_is_let_go_by_who_ends)
{
	struct rig *rig = begin();
	struct tcp_peer *hole = tcp_peer_new(rig->base, AF_INET6, TCP_PEER_BLACK_HOLE);
	struct tcp_peer *good = tcp_peer_new(rig->base, AF_INET, TCP_PEER_ACCEPT);
	struct contest *first = start(rig, hole, good);
	struct contest *second = start(rig, hole, good);
	struct contest *third = start(rig, hole, good);

	racer_cancel(second->racer);
	third->racer = racer_free(third->racer);
	rig->n_contests--;
	finish(first);
	suite_loop_for(rig->base, 100);
	ck_assert(!second->done);
	hole = tcp_peer_free(hole);
	good = tcp_peer_free(good);
	end(rig);
}
END_TEST

/* One a second: what is beyond that waits, but only beside an attempt that runs. */
START_TEST(spare_attempts_take_their_turn_and_first_ones_do_not)
{
	struct rig *rig = begin();
	struct tcp_peer *holes[3], *refuse, *good;
	uint64_t begin_us;

	ck_assert_int_eq(brake_new(&rig->env.brake, rig->base), 0);
	brake_configure(rig->env.brake, 2);
	for (size_t i = 0; i < 3; i++)
		holes[i] = tcp_peer_new(rig->base, AF_INET6, TCP_PEER_BLACK_HOLE);
	refuse = tcp_peer_new(rig->base, AF_INET6, TCP_PEER_REFUSE);
	good = tcp_peer_new(rig->base, AF_INET, TCP_PEER_ACCEPT);
	begin_us = clock_now_us();
	for (size_t i = 0; i < 3; i++)
		(void)start(rig, holes[i], good);
	suite_loop(rig->base, &rig->done);
	ck_assert_uint_ge(clock_now_us() - begin_us, MS(1000));
	ck_assert_uint_eq(count_events(&rig->contests[0], RACER_WAIT), 0);
	ck_assert_uint_eq(count_events(&rig->contests[2], RACER_WAIT), 1);
	for (size_t i = 0; i < 3; i++)
		expect_peer(&rig->contests[i], good);
	begin_us = clock_now_us();
	for (size_t i = 0; i < 5; i++)
		expect_peer(run(rig, refuse, good), good);
	ck_assert_uint_lt(clock_now_us() - begin_us, SLACK_US);
	for (size_t i = 0; i < 3; i++)
		(void)tcp_peer_free(holes[i]);
	refuse = tcp_peer_free(refuse);
	good = tcp_peer_free(good);
	end(rig);
}
END_TEST

START_TEST(who_waits_for_the_brake_may_end)
{
	struct rig *rig = begin();
	struct tcp_peer *hole = tcp_peer_new(rig->base, AF_INET6, TCP_PEER_BLACK_HOLE);
	struct tcp_peer *good = tcp_peer_new(rig->base, AF_INET, TCP_PEER_ACCEPT);
	struct brake_waiter waiter = { 0 };
	struct contest *contest;

	ck_assert_int_eq(brake_new(&rig->env.brake, rig->base), 0);
	brake_configure(rig->env.brake, 1);
	ck_assert(brake_take(rig->env.brake, BOB, &waiter, NULL, NULL));
	contest = start(rig, hole, good);
	while (count_events(contest, RACER_WAIT) == 0)
		ck_assert_int_ge(event_base_loop(rig->base, EVLOOP_ONCE), 0);
	racer_cancel(contest->racer);
	/* The peer that accepts; the brake has nobody to wake. */
	ck_assert_int_eq(event_base_get_num_events(rig->base, EVENT_BASE_COUNT_ADDED), 1);
	suite_loop_for(rig->base, 20);
	ck_assert(!contest->done);
	hole = tcp_peer_free(hole);
	good = tcp_peer_free(good);
	end(rig);
}
END_TEST

/* What waits in the queue is the race and not one of its addresses. */
START_TEST(who_waits_for_the_brake_may_go_on_without_it)
{
	struct rig *rig = begin();
	struct tcp_peer *holes[2], *good;
	struct endpoint six[3];
	struct brake_waiter waiter = { 0 };
	struct contest *contest;

	ck_assert_int_eq(brake_new(&rig->env.brake, rig->base), 0);
	brake_configure(rig->env.brake, 1);
	ck_assert(brake_take(rig->env.brake, BOB, &waiter, NULL, NULL));
	for (size_t i = 0; i < 2; i++)
		holes[i] = tcp_peer_new(rig->base, AF_INET6, TCP_PEER_BLACK_HOLE);
	good = tcp_peer_new(rig->base, AF_INET6, TCP_PEER_ACCEPT);
	six[0] = *tcp_peer_get_endpoint(holes[0]);
	six[1] = *tcp_peer_get_endpoint(holes[1]);
	six[2] = *tcp_peer_get_endpoint(good);
	rig->params.race.attempt_timeout_us = MS(100);
	contest = make(rig);
	ck_assert_int_eq(racer_start(contest->racer, on_done, contest), 0);
	answer(contest, AF_INET6, six, 3);
	finish(contest);
	expect_peer(contest, good);
	ck_assert_uint_eq(count_events(contest, RACER_WAIT), 1);
	ck_assert_uint_lt(contest->done_us - get_attempt(contest, 0)->started_us, MS(900));
	for (size_t i = 0; i < 2; i++)
		(void)tcp_peer_free(holes[i]);
	good = tcp_peer_free(good);
	end(rig);
}
END_TEST

START_TEST(next_please_goes_on_behind_the_winner)
{
	struct rig *rig = begin();
	struct tcp_peer *good = tcp_peer_new(rig->base, AF_INET6, TCP_PEER_ACCEPT);
	struct tcp_peer *other = tcp_peer_new(rig->base, AF_INET, TCP_PEER_ACCEPT);
	struct contest *contest = run(rig, good, other);
	uint64_t begin_us;

	expect_peer(contest, good);
	ck_assert(racer_has_next(contest->racer));
	contest->done = false;
	begin_us = clock_now_us();
	ck_assert_int_eq(racer_resume(contest->racer, clock_now_us() + MS(30000), on_done, contest),
			 0);
	finish(contest);
	ck_assert_uint_lt(clock_now_us() - begin_us, MS(50));
	expect_peer(contest, other);
	ck_assert(look(rig, good, ALICE).is_disliked && !look(rig, good, BOB).is_disliked);
	/* Who did not like it is not led there first; others are. */
	expect_peer(run(rig, good, other), other);
	rig->params.uid = BOB;
	expect_peer(run(rig, good, other), good);
	ck_assert(!racer_has_next(contest->racer));
	contest->done = false;
	ck_assert_int_eq(racer_resume(contest->racer, clock_now_us() + MS(30000), on_done, contest),
			 0);
	finish(contest);
	ck_assert_int_eq(contest->status, -ASOCK_E_NO_MORE_CANDIDATES);
	ck_assert(!racer_has_next(contest->racer));
	ck_assert_ptr_null(racer_get_winner(contest->racer));
	good = tcp_peer_free(good);
	other = tcp_peer_free(other);
	end(rig);
}
END_TEST

START_TEST(a_dropped_attempt_is_made_again_and_a_late_answer_counts)
{
	struct rig *rig = begin();
	struct tcp_peer *hole = tcp_peer_new(rig->base, AF_INET6, TCP_PEER_BLACK_HOLE);
	struct tcp_peer *good = tcp_peer_new(rig->base, AF_INET6, TCP_PEER_ACCEPT);
	struct tcp_peer *late = tcp_peer_new(rig->base, AF_INET, TCP_PEER_ACCEPT);
	struct endpoint six[2] = { *tcp_peer_get_endpoint(hole), *tcp_peer_get_endpoint(good) };
	struct contest *contest = make(rig);
	int n_events;

	rig->params.silence_us = 0;
	ck_assert_int_eq(racer_start(contest->racer, on_done, contest), 0);
	answer(contest, AF_INET6, six, 2);
	finish(contest);
	/* Parked: it holds no attempt, no timer and no watch. */
	n_events = event_base_get_num_events(rig->base, EVENT_BASE_COUNT_ADDED);
	ck_assert_int_eq(n_events, 2); /* the two peers that accept */
	answer(contest, AF_INET, tcp_peer_get_endpoint(late), 1);
	suite_loop_for(rig->base, 100);
	ck_assert_uint_eq(count_attempts(contest), 2);
	contest->done = false;
	rig->done = false;
	ck_assert_int_eq(racer_resume(contest->racer, clock_now_us() + MS(30000), on_done, contest),
			 0);
	finish(contest);
	expect_peer(contest, late);
	ck_assert_uint_eq(count_tries(rig, good), 1);
	ck_assert_uint_le(count_tries(rig, hole), 2);
	hole = tcp_peer_free(hole);
	good = tcp_peer_free(good);
	late = tcp_peer_free(late);
	end(rig);
}
END_TEST

START_TEST(a_parked_race_may_be_freed_with_its_socket)
{
	struct rig *rig = begin();
	struct tcp_peer *good = tcp_peer_new(rig->base, AF_INET6, TCP_PEER_ACCEPT);
	struct contest *contest;
	int fds = suite_count_fds();

	contest = run(rig, good, NULL);
	suite_loop_for(rig->base, 10);
	ck_assert_int_eq(suite_count_fds(), fds + 2); /* both ends */
	contest->done = false;
	ck_assert_int_eq(racer_resume(contest->racer, clock_now_us() + MS(30000), on_done, contest),
			 0);
	ck_assert(!contest->done);
	ck_assert_int_eq(suite_count_fds(), fds + 1); /* what was not taken is closed */
	racer_cancel(contest->racer);
	ck_assert(!racer_has_next(contest->racer));
	good = tcp_peer_free(good);
	end(rig);
}
END_TEST

START_TEST(a_dead_address_that_is_due_is_probed_beside_the_race)
{
	struct rig *rig = begin();
	struct tcp_peer *was_dead = tcp_peer_new(rig->base, AF_INET6, TCP_PEER_ACCEPT);
	struct tcp_peer *good = tcp_peer_new(rig->base, AF_INET, TCP_PEER_ACCEPT);
	struct contest *contest;

	make_dead(rig, was_dead, MS(1000)); /* not due */
	expect_peer(run(rig, was_dead, good), good);
	suite_loop_for(rig->base, 30);
	ck_assert_uint_eq(tcp_peer_get_n_accepted(was_dead), 0);
	make_dead(rig, was_dead, HISTORY_PROBE_REFUSED_US);
	rig->denied_port = tcp_peer_get_endpoint(was_dead)->port;
	expect_peer(run(rig, was_dead, good), good);
	suite_loop_for(rig->base, 30);
	ck_assert_uint_eq(tcp_peer_get_n_accepted(was_dead), 0); /* not by this user */
	rig->denied_port = 0;
	contest = run(rig, was_dead, good);
	expect_peer(contest, good);
	ck_assert_uint_eq(count_attempts(contest), 1);
	while (tcp_peer_get_n_accepted(was_dead) == 0 || look(rig, was_dead, ALICE).is_dead)
		ck_assert_int_ge(event_base_loop(rig->base, EVLOOP_ONCE), 0);
	expect_peer(run(rig, was_dead, good), was_dead);
	was_dead = tcp_peer_free(was_dead);
	good = tcp_peer_free(good);
	end(rig);
}
END_TEST

START_TEST(where_all_are_dead_they_are_tried_and_not_probed)
{
	struct rig *rig = begin();
	struct tcp_peer *was_dead = tcp_peer_new(rig->base, AF_INET6, TCP_PEER_ACCEPT);

	make_dead(rig, was_dead, HISTORY_PROBE_REFUSED_US);
	expect_peer(run(rig, was_dead, NULL), was_dead);
	suite_loop_for(rig->base, 30);
	ck_assert_uint_eq(tcp_peer_get_n_accepted(was_dead), 1);
	was_dead = tcp_peer_free(was_dead);
	end(rig);
}
END_TEST

/* The better one may come with a later answer. */
START_TEST(a_probe_waits_for_something_better)
{
	struct rig *rig = begin();
	struct tcp_peer *was_dead = tcp_peer_new(rig->base, AF_INET, TCP_PEER_ACCEPT);
	struct tcp_peer *good = tcp_peer_new(rig->base, AF_INET6, TCP_PEER_ACCEPT);
	struct contest *contest;

	make_dead(rig, was_dead, HISTORY_PROBE_REFUSED_US);
	contest = make(rig);
	ck_assert_int_eq(racer_start(contest->racer, on_done, contest), 0);
	answer(contest, AF_INET, tcp_peer_get_endpoint(was_dead), 1);
	answer(contest, AF_INET6, tcp_peer_get_endpoint(good), 1);
	finish(contest);
	expect_peer(contest, good);
	while (look(rig, was_dead, ALICE).is_dead)
		ck_assert_int_ge(event_base_loop(rig->base, EVLOOP_ONCE), 0);
	was_dead = tcp_peer_free(was_dead);
	good = tcp_peer_free(good);
	end(rig);
}
END_TEST

START_TEST(all_that_happens_is_told_in_its_order)
{
	static const struct {
		enum racer_event_kind kind;
		size_t attempt;
		enum outcome outcome;
		int error;
	} expected[] = {
		{ RACER_ORDER, SIZE_MAX, 0, 0 },
		{ RACER_START, 0, 0, 0 },
		{ RACER_ORDER, SIZE_MAX, 0, 0 },
		{ RACER_END, 0, OUTCOME_FAILED, -ECONNREFUSED },
		{ RACER_START, 1, 0, 0 },
		{ RACER_END, 2, OUTCOME_DENIED, 0 },
		{ RACER_START, 3, 0, 0 },
		{ RACER_END, 3, OUTCOME_CONNECTED, 0 },
		{ RACER_END, 1, OUTCOME_CANCELLED, 0 },
	};
	struct rig *rig = begin();
	struct tcp_peer *refuse = tcp_peer_new(rig->base, AF_INET6, TCP_PEER_REFUSE);
	struct tcp_peer *denied = tcp_peer_new(rig->base, AF_INET6, TCP_PEER_ACCEPT);
	struct tcp_peer *hole = tcp_peer_new(rig->base, AF_INET, TCP_PEER_BLACK_HOLE);
	struct tcp_peer *good = tcp_peer_new(rig->base, AF_INET, TCP_PEER_ACCEPT);
	struct endpoint six[2] = { *tcp_peer_get_endpoint(refuse), *tcp_peer_get_endpoint(denied) };
	struct endpoint four[2] = { *tcp_peer_get_endpoint(hole), *tcp_peer_get_endpoint(good) };
	struct contest *contest = make(rig);

	rig->denied_port = six[1].port;
	ck_assert_int_eq(racer_start(contest->racer, on_done, contest), 0);
	answer(contest, AF_INET6, six, 2);
	answer(contest, AF_INET, four, 2);
	finish(contest);
	expect_peer(contest, good);
	ck_assert_uint_eq(contest->n_events, ARRAY_LEN(expected));
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		const struct racer_event *event = &contest->events[i];

		ck_assert_int_eq(event->kind, expected[i].kind);
		ck_assert_uint_eq(event->attempt, expected[i].attempt);
		ck_assert_int_eq(event->outcome, expected[i].outcome);
		ck_assert_int_eq(event->error, expected[i].error);
		ck_assert_int_eq(event->rtt_us > 0, event->outcome == OUTCOME_CONNECTED);
		if (event->kind == RACER_START) {
			ck_assert(address_equal(&contest->local[i].address,
						&contest->about[i].address));
			ck_assert_uint_ne(contest->local[i].port, 0);
			ck_assert_uint_eq(event->at_us,
					  get_attempt(contest, event->attempt)->started_us);
		}
		if (event->kind == RACER_END)
			ck_assert_uint_eq(event->at_us,
					  get_attempt(contest, event->attempt)->ended_us);
	}
	ck_assert_uint_eq(contest->events[2].n_order, 4);
	refuse = tcp_peer_free(refuse);
	denied = tcp_peer_free(denied);
	hole = tcp_peer_free(hole);
	good = tcp_peer_free(good);
	end(rig);
}
END_TEST

static struct endpoint endpoint_of(const char *address, uint16_t port)
{
	struct endpoint endpoint = { .port = port };

	ck_assert_int_eq(address_parse(address, &endpoint.address), 0);
	return endpoint;
}

static void change_address(unsigned short type, unsigned int interface, const char *address)
{
	kernel_net_change(&(struct kernel_net_address){ .type = type,
							.interface = interface,
							.address = address,
							.prefix_len = 64,
							.flags = IFA_F_NODAD,
							.preferred_s = KERNEL_NET_FOREVER });
}

START_TEST(an_attempt_goes_with_its_source_and_is_made_again_from_another)
{
	struct rig *rig;
	CLEANUP(fd_closep) int tun = -1;
	struct endpoint away = endpoint_of("2001:db8:9::1", 80);
	struct address second = endpoint_of("2001:db8:2::1", 0).address;
	unsigned int interface;
	struct contest *contest;
	uint64_t begin_us;

	if (!suite_has(kernel_net_enter(), "a network namespace of its own"))
		return;
	tun = kernel_net_make_tun("wire0", 0);
	if (!suite_has(tun >= 0, "tun interfaces"))
		return;
	interface = if_nametoindex("wire0");
	change_address(RTM_NEWADDR, interface, "2001:db8:1::1");
	kernel_net_route(&(struct kernel_net_route){
		.type = RTM_NEWROUTE, .interface = interface, .destination = "::" });
	rig = begin();
	ck_assert_int_eq(network_new(&rig->env.network, rig->base), 0);
	ck_assert_int_eq(hostaddrs_new(&rig->env.sorting.hostaddrs), 0);
	contest = make(rig);
	ck_assert_int_eq(racer_start(contest->racer, on_done, contest), 0);
	answer(contest, AF_INET6, &away, 1);
	ck_assert_uint_eq(contest->in_flight, 1);
	/* News that do not concern it. */
	change_address(RTM_NEWADDR, interface, "2001:db8:2::1");
	suite_loop_for(rig->base, 50);
	ck_assert_uint_eq(count_attempts(contest), 1);
	ck_assert_uint_eq(contest->in_flight, 1);
	change_address(RTM_DELADDR, interface, "2001:db8:1::1");
	begin_us = clock_now_us();
	while (count_attempts(contest) == 1)
		ck_assert_int_ge(event_base_loop(rig->base, EVLOOP_ONCE), 0);
	ck_assert_uint_lt(clock_now_us() - begin_us, SLACK_US);
	ck_assert_uint_eq(contest->in_flight, 1);
	ck_assert_int_eq(get_attempt(contest, 0)->error, -EADDRNOTAVAIL);
	ck_assert(address_equal(&contest->local[contest->n_events - 1].address, &second));
	ck_assert_int_eq(contest->events[contest->n_events - 1].kind, RACER_START);
	racer_cancel(contest->racer);
	/* Nobody listens to the kernel's news any more. */
	ck_assert_int_eq(event_base_get_num_events(rig->base, EVENT_BASE_COUNT_ADDED), 0);
	end(rig);
}
END_TEST

START_TEST(an_address_without_a_route_is_translated)
{
	struct rig *rig;
	struct tcp_peer *peer, *four;
	struct endpoint away = endpoint_of("192.0.2.1", 80);
	struct contest *contest;

	if (!suite_has(kernel_net_enter(), "a network namespace of its own"))
		return;
	rig = begin();
	peer = tcp_peer_new(rig->base, AF_INET6, TCP_PEER_ACCEPT);
	four = tcp_peer_new(rig->base, AF_INET, TCP_PEER_ACCEPT);
	away.port = tcp_peer_get_endpoint(peer)->port;
	rig->translated = tcp_peer_get_endpoint(peer)->address;
	for (size_t i = 0; i < 2; i++) {
		struct candidate item = { .endpoint = away,
					  .source = i == 0 ? SOURCE_HOSTS : SOURCE_LITERAL };

		contest = make(rig);
		ck_assert_int_eq(racer_start(contest->racer, on_done, contest), 0);
		answer(contest, AF_INET6, NULL, 0);
		ck_assert_int_eq(racer_add_answer(contest->racer, AF_INET, 0, &item, 1, true), 0);
		finish(contest);
		expect_peer(contest, peer);
		ck_assert_uint_eq(rig->n_translated, i + 1);
		ck_assert_int_eq(contest->first_source, i == 0 ? AF_INET6 : AF_UNSPEC);
	}
	/* What has a route is not. */
	for (size_t i = 0; i < 2; i++) {
		struct candidate item = { .endpoint = *tcp_peer_get_endpoint(four),
					  .source = i == 0 ? SOURCE_HOSTS : SOURCE_LITERAL };

		contest = make(rig);
		ck_assert_int_eq(racer_start(contest->racer, on_done, contest), 0);
		answer(contest, AF_INET6, NULL, 0);
		ck_assert_int_eq(racer_add_answer(contest->racer, AF_INET, 0, &item, 1, true), 0);
		finish(contest);
		expect_peer(contest, four);
		ck_assert_uint_eq(rig->n_translated, 2);
	}
	/* There is none: the address stays what it is, and what the routing table says of it is not remembered. */
	rig->translated.family = 0;
	contest = make(rig);
	ck_assert_int_eq(racer_start(contest->racer, on_done, contest), 0);
	answer(contest, AF_INET6, NULL, 0);
	answer(contest, AF_INET, &away, 1);
	finish(contest);
	ck_assert_int_eq(contest->status, -ASOCK_E_CONNECT_FAILED);
	ck_assert_int_eq(racer_get_headline(contest->racer), -ENETUNREACH);
	ck_assert_uint_eq(history_get_n(rig->env.history), 2);
	peer = tcp_peer_free(peer);
	four = tcp_peer_free(four);
	end(rig);
}
END_TEST

SUITE_MAIN("racer_memory", a_silent_loser_is_paid_for_once_by_everybody,
	   a_loser_that_had_little_time_is_not_dead, a_loser_is_given_its_known_round_trip,
	   a_refusal_is_remembered_and_all_are_tried_in_the_end,
	   a_connection_teaches_its_round_trip_and_whose_it_was, what_shows_nothing_teaches_nothing,
	   the_daemons_own_time_out_is_a_proof,
	   who_is_connected_but_silent_is_alive_and_loses_for_the_first_byte,
	   an_address_that_is_being_asked_is_waited_for, a_held_address_that_lives_is_begun_at_once,
	   what_is_held_is_let_go_by_who_ends, spare_attempts_take_their_turn_and_first_ones_do_not,
	   who_waits_for_the_brake_may_end, who_waits_for_the_brake_may_go_on_without_it,
	   next_please_goes_on_behind_the_winner,
	   a_dropped_attempt_is_made_again_and_a_late_answer_counts,
	   a_parked_race_may_be_freed_with_its_socket,
	   a_dead_address_that_is_due_is_probed_beside_the_race,
	   where_all_are_dead_they_are_tried_and_not_probed, a_probe_waits_for_something_better,
	   all_that_happens_is_told_in_its_order,
	   an_attempt_goes_with_its_source_and_is_made_again_from_another,
	   an_address_without_a_route_is_translated)
