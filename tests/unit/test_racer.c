/* SPDX-License-Identifier: MIT */
/*
 * connect/racer with real sockets on loopback and the real clock: that the engine's decisions reach
 * the kernel, at the right time, and that nothing is left open. Times have slack upwards only: a
 * busy machine is late, never early.
 */
#include "daemon/connect/racer.h"

#include <dirent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "daemon/base/clock.h"
#include "protocol/error.h"
#include "tests/support/suite.h"
#include "tests/support/tcp_peer.h"

#define MS(n)	  ((uint64_t)(n)*1000)
#define SLACK_US  MS(200)
#define MAX_PEERS 4
#define MAX_ASKED 16

struct fixture {
	struct event_base *base;
	struct racer_params params;
	size_t in_flight;
	bool braked;
	struct racer *racer;
	/* what judge was asked, and which ports it refuses */
	struct endpoint asked[MAX_ASKED];
	size_t in_flight_when_asked[MAX_ASKED];
	size_t n_asked;
	uint16_t denied_port;
	bool deny_all;
	/* what done was told */
	bool done;
	int status;
	int fds_at_done;
	size_t in_flight_at_done;
	bool free_inside, cancel_inside, restart_inside;
};

static int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = -1; /* the directory's own */

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		count++;
	(void)closedir(dir);
	return count;
}

static bool judge(const struct candidate *candidate, void *arg)
{
	struct fixture *f = arg;

	ck_assert_uint_lt(f->n_asked, MAX_ASKED);
	f->in_flight_when_asked[f->n_asked] = f->in_flight;
	f->asked[f->n_asked++] = candidate->endpoint;
	return !f->deny_all && candidate->endpoint.port != f->denied_port;
}

static void count(int change, void *arg)
{
	struct fixture *f = arg;

	f->in_flight += (size_t)change;
}

static bool is_braked(void *arg)
{
	struct fixture *f = arg;

	return f->braked;
}

static void begin(struct fixture *f)
{
	struct event_config *config = event_config_new();

	*f = (struct fixture){ .status = 1 };
	ck_assert_ptr_nonnull(config);
	ck_assert_int_eq(event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER), 0);
	f->base = event_base_new_with_config(config);
	event_config_free(config);
	ck_assert_ptr_nonnull(f->base);
	f->params = (struct racer_params){
		.race = { .families = FAMILY_ANY,
			  .deadline_us = clock_now_us() + MS(30000),
			  .resolution_delay_us = MS(50),
			  .attempt_delay_us = MS(250),
			  .max_addresses = 16,
			  .max_attempts = 8 },
		.transport = TRANSPORT_TCP,
		.judge = judge,
		.count = count,
		.is_braked = is_braked,
		.arg = f,
	};
}

static void end(struct fixture *f)
{
	f->racer = racer_free(f->racer);
	ck_assert_uint_eq(f->in_flight, 0);
	event_base_free(f->base);
}

static void on_done(struct racer *racer, int status, void *arg);

static void make(struct fixture *f)
{
	ck_assert_int_eq(racer_new(&f->racer, &f->params, f->base), 0);
}

static void start(struct fixture *f)
{
	ck_assert_int_eq(racer_start(f->racer, on_done, f), 0);
	ck_assert(!f->done);
}

static void on_done(struct racer *racer, int status, void *arg)
{
	struct fixture *f = arg;

	ck_assert(!f->done && racer == f->racer);
	f->done = true;
	f->status = status;
	f->fds_at_done = count_fds();
	f->in_flight_at_done = f->in_flight;
	if (f->cancel_inside)
		racer_cancel(racer);
	if (f->free_inside)
		f->racer = racer_free(racer);
	if (f->restart_inside) {
		f->restart_inside = f->done = false;
		make(f);
		start(f);
		ck_assert_int_eq(racer_add_answer(f->racer, AF_INET6, 0, NULL, 0, true), 0);
		ck_assert_int_eq(
			racer_add_answer(f->racer, AF_INET, -ASOCK_E_NAME_NOT_FOUND, NULL, 0, true),
			0);
		ck_assert(!f->done);
	}
}

/* The peers' endpoints of one family, in this order. */
static void answer(struct fixture *f, int family, struct tcp_peer *const *peers, size_t n)
{
	struct candidate items[MAX_PEERS] = { 0 };

	for (size_t i = 0; i < n; i++)
		items[i] = (struct candidate){ .endpoint = *tcp_peer_get_endpoint(peers[i]),
					       .source = SOURCE_HOSTS };
	ck_assert_int_eq(racer_add_answer(f->racer, family, 0, items, n, true), 0);
}

static const struct race_attempt *get_attempt(const struct fixture *f, size_t i)
{
	size_t n;
	const struct race_attempt *attempts = racer_get_attempts(f->racer, &n);

	ck_assert_uint_lt(i, n);
	return &attempts[i];
}

static size_t count_attempts(const struct fixture *f)
{
	size_t n;

	(void)racer_get_attempts(f->racer, &n);
	return n;
}

/* The race was won, and the socket leads to this peer. */
static void expect_winner(struct fixture *f, const struct tcp_peer *peer)
{
	CLEANUP(fd_closep) int fd = racer_take_fd(f->racer);
	struct sockaddr_storage sockaddr;
	socklen_t len = sizeof(sockaddr);
	struct endpoint endpoint = { 0 };

	ck_assert_int_eq(f->status, 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(racer_take_fd(f->racer), -1);
	ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
	ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	ck_assert_int_eq(getpeername(fd, (struct sockaddr *)&sockaddr, &len), 0);
	ck_assert_int_eq(endpoint_from_sockaddr((struct sockaddr *)&sockaddr, len, &endpoint), 0);
	ck_assert(endpoint_equal(&endpoint, tcp_peer_get_endpoint(peer)));
	ck_assert(
		endpoint_equal(&racer_get_winner(f->racer)->endpoint, tcp_peer_get_endpoint(peer)));
	ck_assert_uint_eq(f->in_flight_at_done, 0);
}

START_TEST(a_refused_first_address_costs_nothing)
{
	struct fixture f;
	struct tcp_peer *refuse;
	struct tcp_peer *good;
	uint64_t begin_us;

	begin(&f);
	refuse = tcp_peer_new(f.base, AF_INET6, TCP_PEER_REFUSE);
	good = tcp_peer_new(f.base, AF_INET, TCP_PEER_ACCEPT);
	make(&f);
	start(&f);
	begin_us = clock_now_us();
	answer(&f, AF_INET6, &refuse, 1);
	answer(&f, AF_INET, &good, 1);
	suite_loop(f.base, &f.done);
	ck_assert_uint_lt(clock_now_us() - begin_us, SLACK_US);
	ck_assert_int_eq(get_attempt(&f, 0)->outcome, OUTCOME_FAILED);
	ck_assert_int_eq(get_attempt(&f, 0)->error, -ECONNREFUSED);
	ck_assert_int_eq(get_attempt(&f, 1)->outcome, OUTCOME_CONNECTED);
	ck_assert_int_eq(racer_get_headline(f.racer), -ECONNREFUSED);
	expect_winner(&f, good);
	tcp_peer_free(refuse);
	tcp_peer_free(good);
	end(&f);
}
END_TEST

START_TEST(a_silent_first_address_costs_the_attempt_delay_and_is_closed)
{
	struct fixture f;
	struct tcp_peer *hole;
	struct tcp_peer *good;
	uint64_t gap_us;
	int fds_before;

	begin(&f);
	hole = tcp_peer_new(f.base, AF_INET6, TCP_PEER_BLACK_HOLE);
	good = tcp_peer_new(f.base, AF_INET, TCP_PEER_ACCEPT);
	fds_before = count_fds();
	make(&f);
	start(&f);
	answer(&f, AF_INET6, &hole, 1);
	answer(&f, AF_INET, &good, 1);
	ck_assert_uint_eq(f.in_flight, 1);
	suite_loop(f.base, &f.done);
	gap_us = get_attempt(&f, 1)->started_us - get_attempt(&f, 0)->started_us;
	ck_assert_uint_ge(gap_us, MS(250));
	ck_assert_uint_lt(gap_us, MS(250) + SLACK_US);
	ck_assert_int_eq(get_attempt(&f, 0)->outcome, OUTCOME_CANCELLED);
	ck_assert_uint_eq(f.in_flight_when_asked[1], 1); /* the delay ended nothing */
	ck_assert_int_eq(f.fds_at_done, fds_before + 1 + (int)tcp_peer_get_n_accepted(good));
	expect_winner(&f, good);
	tcp_peer_free(hole);
	tcp_peer_free(good);
	end(&f);
}
END_TEST

START_TEST(ipv4_alone_waits_for_the_resolution_delay)
{
	struct fixture f;
	struct tcp_peer *good;
	uint64_t begin_us;

	begin(&f);
	good = tcp_peer_new(f.base, AF_INET, TCP_PEER_ACCEPT);
	make(&f);
	start(&f);
	begin_us = clock_now_us();
	answer(&f, AF_INET, &good, 1);
	ck_assert_uint_eq(f.n_asked, 0);
	suite_loop(f.base, &f.done);
	ck_assert_uint_ge(get_attempt(&f, 0)->started_us - begin_us, MS(50));
	ck_assert_uint_lt(get_attempt(&f, 0)->started_us - begin_us, MS(50) + SLACK_US);
	expect_winner(&f, good);
	tcp_peer_free(good);
	end(&f);
}
END_TEST

START_TEST(a_late_answer_joins_the_race)
{
	struct fixture f;
	struct tcp_peer *hole;
	struct tcp_peer *good;

	begin(&f);
	f.params.race.attempt_delay_us = MS(10);
	hole = tcp_peer_new(f.base, AF_INET6, TCP_PEER_BLACK_HOLE);
	good = tcp_peer_new(f.base, AF_INET, TCP_PEER_ACCEPT);
	make(&f);
	start(&f);
	answer(&f, AF_INET6, &hole, 1);
	suite_loop_for(f.base, 30);
	ck_assert(!f.done);
	answer(&f, AF_INET, &good, 1);
	ck_assert_uint_eq(count_attempts(&f), 2); /* at once: the delay has passed */
	suite_loop(f.base, &f.done);
	expect_winner(&f, good);
	tcp_peer_free(hole);
	tcp_peer_free(good);
	end(&f);
}
END_TEST

START_TEST(answers_before_start_are_used_by_start)
{
	struct fixture f;
	struct tcp_peer *good;

	begin(&f);
	good = tcp_peer_new(f.base, AF_INET6, TCP_PEER_ACCEPT);
	make(&f);
	answer(&f, AF_INET6, &good, 1);
	ck_assert_uint_eq(f.n_asked, 0);
	start(&f);
	ck_assert_uint_eq(f.n_asked, 1);
	suite_loop(f.base, &f.done);
	expect_winner(&f, good);
	tcp_peer_free(good);
	end(&f);
}
END_TEST

START_TEST(the_judge_is_asked_before_each_connect_and_never_overruled)
{
	struct fixture f;
	struct tcp_peer *peers[2];

	begin(&f);
	peers[0] = tcp_peer_new(f.base, AF_INET6, TCP_PEER_ACCEPT);
	peers[1] = tcp_peer_new(f.base, AF_INET, TCP_PEER_ACCEPT);
	f.denied_port = tcp_peer_get_endpoint(peers[0])->port;
	make(&f);
	start(&f);
	answer(&f, AF_INET6, &peers[0], 1);
	answer(&f, AF_INET, &peers[1], 1);
	suite_loop(f.base, &f.done);
	suite_loop_for(f.base, 20);
	ck_assert_uint_eq(f.n_asked, 2);
	for (size_t i = 0; i < 2; i++)
		ck_assert(endpoint_equal(&f.asked[i], tcp_peer_get_endpoint(peers[i])));
	ck_assert_int_eq(get_attempt(&f, 0)->outcome, OUTCOME_DENIED);
	ck_assert_uint_eq(tcp_peer_get_n_accepted(peers[0]), 0);
	expect_winner(&f, peers[1]);
	tcp_peer_free(peers[0]);
	tcp_peer_free(peers[1]);
	end(&f);
}
END_TEST

/* The policy may change while an address waits for its turn. */
START_TEST(the_judge_is_asked_when_the_turn_comes_and_not_before)
{
	struct fixture f;
	struct tcp_peer *hole;
	struct tcp_peer *good;

	begin(&f);
	f.params.race.attempt_delay_us = MS(50);
	hole = tcp_peer_new(f.base, AF_INET6, TCP_PEER_BLACK_HOLE);
	good = tcp_peer_new(f.base, AF_INET, TCP_PEER_ACCEPT);
	make(&f);
	start(&f);
	answer(&f, AF_INET6, &hole, 1);
	answer(&f, AF_INET, &good, 1);
	ck_assert_uint_eq(f.n_asked, 1);
	f.deny_all = true;
	suite_loop_for(f.base, 80);
	ck_assert_uint_eq(f.n_asked, 2);
	ck_assert(!f.done);
	ck_assert_int_eq(get_attempt(&f, 1)->outcome, OUTCOME_DENIED);
	ck_assert_uint_eq(tcp_peer_get_n_accepted(good), 0);
	tcp_peer_free(hole);
	tcp_peer_free(good);
	end(&f);
}
END_TEST

START_TEST(all_denied_is_told_from_the_loop_and_not_from_inside_a_call)
{
	struct fixture f;
	struct tcp_peer *peers[2];

	begin(&f);
	peers[0] = tcp_peer_new(f.base, AF_INET6, TCP_PEER_ACCEPT);
	peers[1] = tcp_peer_new(f.base, AF_INET, TCP_PEER_ACCEPT);
	f.deny_all = true;
	make(&f);
	start(&f);
	answer(&f, AF_INET6, &peers[0], 1);
	answer(&f, AF_INET, &peers[1], 1);
	ck_assert(!f.done);
	answer(&f, AF_INET, &peers[1], 1); /* too much, and too late */
	suite_loop(f.base, &f.done);
	ck_assert_int_eq(f.status, -ASOCK_E_DENIED);
	ck_assert_int_eq(racer_take_fd(f.racer), -1);
	ck_assert_ptr_null(racer_get_winner(f.racer));
	racer_free(TAKE_PTR(f.racer));
	f.done = false;
	make(&f); /* the same with everything known before start */
	answer(&f, AF_INET6, &peers[0], 1);
	answer(&f, AF_INET, &peers[1], 1);
	start(&f);
	suite_loop(f.base, &f.done);
	ck_assert_int_eq(f.status, -ASOCK_E_DENIED);
	ck_assert_uint_eq(tcp_peer_get_n_accepted(peers[0]) + tcp_peer_get_n_accepted(peers[1]), 0);
	tcp_peer_free(peers[0]);
	tcp_peer_free(peers[1]);
	end(&f);
}
END_TEST

START_TEST(all_refused_is_connect_failed)
{
	struct fixture f;
	struct tcp_peer *peers[2];

	begin(&f);
	peers[0] = tcp_peer_new(f.base, AF_INET6, TCP_PEER_REFUSE);
	peers[1] = tcp_peer_new(f.base, AF_INET, TCP_PEER_REFUSE);
	make(&f);
	start(&f);
	answer(&f, AF_INET6, &peers[0], 1);
	answer(&f, AF_INET, &peers[1], 1);
	suite_loop(f.base, &f.done);
	ck_assert_int_eq(f.status, -ASOCK_E_CONNECT_FAILED);
	ck_assert_int_eq(racer_get_headline(f.racer), -ECONNREFUSED);
	ck_assert_uint_eq(count_attempts(&f), 2);
	ck_assert_int_eq(racer_take_fd(f.racer), -1);
	tcp_peer_free(peers[0]);
	tcp_peer_free(peers[1]);
	end(&f);
}
END_TEST

START_TEST(no_address_is_the_resolvers_error)
{
	struct fixture f;

	begin(&f);
	make(&f);
	start(&f);
	ck_assert_int_eq(racer_add_answer(f.racer, AF_INET, -ASOCK_E_NAME_NOT_FOUND, NULL, 0, true),
			 0);
	ck_assert_int_eq(racer_add_answer(f.racer, AF_INET6, -ASOCK_E_SERVER_FAILED, NULL, 0, true),
			 0);
	ck_assert(!f.done);
	suite_loop(f.base, &f.done);
	ck_assert_int_eq(f.status, -ASOCK_E_SERVER_FAILED);
	end(&f);
}
END_TEST

START_TEST(the_deadline_ends_the_race)
{
	struct fixture f;
	struct tcp_peer *hole;
	uint64_t late_us;
	int fds_before;

	begin(&f);
	hole = tcp_peer_new(f.base, AF_INET6, TCP_PEER_BLACK_HOLE);
	fds_before = count_fds();
	f.params.race.deadline_us = clock_now_us() + MS(40);
	make(&f);
	start(&f);
	answer(&f, AF_INET6, &hole, 1);
	suite_loop(f.base, &f.done);
	late_us = clock_now_us() - f.params.race.deadline_us;
	ck_assert_uint_lt(late_us, SLACK_US);
	ck_assert_int_eq(f.status, -ASOCK_E_TIMED_OUT);
	ck_assert_int_eq(get_attempt(&f, 0)->outcome, OUTCOME_TIMEOUT);
	ck_assert_int_eq(f.fds_at_done, fds_before);
	ck_assert_uint_eq(f.in_flight_at_done, 0);
	tcp_peer_free(hole);
	end(&f);
}
END_TEST

START_TEST(a_deadline_that_has_passed_is_told_after_start)
{
	struct fixture f;

	begin(&f);
	f.params.race.deadline_us = clock_now_us();
	make(&f);
	start(&f);
	suite_loop(f.base, &f.done);
	ck_assert_int_eq(f.status, -ASOCK_E_TIMED_OUT);
	end(&f);
}
END_TEST

START_TEST(an_attempt_that_takes_too_long_makes_way)
{
	struct fixture f;
	struct tcp_peer *hole;
	struct tcp_peer *good;

	begin(&f);
	f.params.race.attempt_timeout_us = MS(30);
	hole = tcp_peer_new(f.base, AF_INET6, TCP_PEER_BLACK_HOLE);
	good = tcp_peer_new(f.base, AF_INET, TCP_PEER_ACCEPT);
	make(&f);
	start(&f);
	answer(&f, AF_INET6, &hole, 1);
	answer(&f, AF_INET, &good, 1);
	suite_loop(f.base, &f.done);
	ck_assert_int_eq(get_attempt(&f, 0)->outcome, OUTCOME_TIMEOUT);
	ck_assert_uint_eq(f.in_flight_when_asked[1], 0); /* closed before the next starts */
	ck_assert_uint_ge(get_attempt(&f, 1)->started_us - get_attempt(&f, 0)->started_us, MS(30));
	ck_assert_uint_lt(get_attempt(&f, 1)->started_us - get_attempt(&f, 0)->started_us,
			  MS(30) + SLACK_US);
	expect_winner(&f, good);
	tcp_peer_free(hole);
	tcp_peer_free(good);
	end(&f);
}
END_TEST

START_TEST(under_the_brake_one_attempt_runs_at_a_time)
{
	struct fixture f;
	struct tcp_peer *hole, *good;

	begin(&f);
	hole = tcp_peer_new(f.base, AF_INET6, TCP_PEER_BLACK_HOLE);
	good = tcp_peer_new(f.base, AF_INET6, TCP_PEER_ACCEPT);
	f.params.race.attempt_delay_us = MS(10);
	f.braked = true;
	make(&f);
	start(&f);
	answer(&f, AF_INET6, (struct tcp_peer *[]){ hole, good }, 2);
	answer(&f, AF_INET, NULL, 0);
	suite_loop_for(f.base, 100);
	ck_assert(!f.done);
	ck_assert_uint_eq(f.in_flight, 1);
	/* It comes off by itself: nothing happened to this race meanwhile. */
	f.braked = false;
	suite_loop(f.base, &f.done);
	expect_winner(&f, good);
	tcp_peer_free(hole);
	tcp_peer_free(good);
	end(&f);
}
END_TEST

START_TEST(an_address_without_a_route_goes_last)
{
	struct fixture f;
	struct tcp_peer *good;
	/* Link-local without a scope: the kernel has no source for it. */
	struct candidate nowhere = { .endpoint = { .address = { .family = AF_INET6,
								.bytes = { 0xfe, 0x80, [15] = 1 } },
						   .port = 9 } };

	begin(&f);
	good = tcp_peer_new(f.base, AF_INET, TCP_PEER_ACCEPT);
	make(&f);
	ck_assert_int_eq(racer_add_answer(f.racer, AF_INET6, 0, &nowhere, 1, true), 0);
	answer(&f, AF_INET, &good, 1);
	start(&f);
	suite_loop(f.base, &f.done);
	ck_assert_uint_eq(f.n_asked, 1);
	expect_winner(&f, good);
	tcp_peer_free(good);
	end(&f);
}
END_TEST

START_TEST(cancel_stops_the_clock)
{
	struct fixture f;
	struct tcp_peer *holes[2];

	begin(&f);
	f.params.race.attempt_delay_us = MS(10);
	holes[0] = tcp_peer_new(f.base, AF_INET6, TCP_PEER_BLACK_HOLE);
	holes[1] = tcp_peer_new(f.base, AF_INET6, TCP_PEER_BLACK_HOLE);
	make(&f);
	start(&f);
	answer(&f, AF_INET6, holes, 2);
	racer_cancel(f.racer);
	suite_loop_for(f.base, 30);
	ck_assert_uint_eq(f.n_asked, 1);
	ck_assert(!f.done);
	tcp_peer_free(holes[0]);
	tcp_peer_free(holes[1]);
	end(&f);
}
END_TEST

START_TEST(cancel_is_silent_in_every_state)
{
	struct fixture f;
	struct tcp_peer *hole;
	int fds_before;

	begin(&f);
	hole = tcp_peer_new(f.base, AF_INET6, TCP_PEER_BLACK_HOLE);
	fds_before = count_fds();
	make(&f);
	racer_cancel(f.racer); /* idle */
	racer_free(TAKE_PTR(f.racer));
	make(&f);
	start(&f);
	answer(&f, AF_INET6, &hole, 1);
	ck_assert_uint_eq(f.in_flight, 1);
	racer_cancel(f.racer); /* running */
	racer_cancel(f.racer);
	ck_assert_uint_eq(f.in_flight, 0);
	ck_assert_int_eq(count_fds(), fds_before);
	answer(&f, AF_INET, &hole, 1); /* the resolver did not know yet */
	ck_assert_uint_eq(f.in_flight, 0);
	ck_assert_ptr_null(racer_get_winner(f.racer));
	racer_free(TAKE_PTR(f.racer));
	f.deny_all = true;
	make(&f);
	start(&f);
	answer(&f, AF_INET6, &hole, 1);
	answer(&f, AF_INET, NULL, 0);
	racer_cancel(f.racer); /* done is already under way */
	suite_loop_for(f.base, 20);
	ck_assert(!f.done);
	tcp_peer_free(hole);
	end(&f);
}
END_TEST

START_TEST(done_may_cancel_or_free_and_the_socket_is_closed)
{
	struct fixture f;
	struct tcp_peer *good;
	int fds_before;

	begin(&f);
	good = tcp_peer_new(f.base, AF_INET6, TCP_PEER_ACCEPT);
	fds_before = count_fds();
	f.cancel_inside = true;
	make(&f);
	start(&f);
	answer(&f, AF_INET6, &good, 1);
	suite_loop(f.base, &f.done);
	ck_assert_int_eq(f.status, 0);
	ck_assert_int_eq(racer_take_fd(f.racer), -1);
	ck_assert_int_eq(count_fds(), fds_before + (int)tcp_peer_get_n_accepted(good));
	racer_free(TAKE_PTR(f.racer));
	f.done = false;
	f.free_inside = true;
	make(&f);
	start(&f);
	answer(&f, AF_INET6, &good, 1);
	suite_loop(f.base, &f.done);
	ck_assert_ptr_null(f.racer);
	ck_assert_int_eq(count_fds(), fds_before + (int)tcp_peer_get_n_accepted(good));
	tcp_peer_free(good);
	end(&f);
}
END_TEST

START_TEST(done_may_free_and_start_another)
{
	struct fixture f;
	struct tcp_peer *good;

	begin(&f);
	good = tcp_peer_new(f.base, AF_INET6, TCP_PEER_ACCEPT);
	f.free_inside = f.restart_inside = true;
	make(&f);
	start(&f);
	answer(&f, AF_INET6, &good, 1);
	suite_loop(f.base, &f.done);
	ck_assert_int_eq(f.status, -ASOCK_E_NO_DATA); /* the second one's */
	tcp_peer_free(good);
	end(&f);
}
END_TEST

START_TEST(udp_wins_at_once)
{
	struct fixture f;
	struct candidate item = { .endpoint = { .address = { .family = AF_INET,
							     .bytes = { 127, 0, 0, 1 } },
						.port = 9 } };
	CLEANUP(fd_closep) int fd = -1;

	begin(&f);
	f.params.transport = TRANSPORT_UDP;
	make(&f);
	start(&f);
	ck_assert_int_eq(racer_add_answer(f.racer, AF_INET6, 0, NULL, 0, true), 0);
	ck_assert_int_eq(racer_add_answer(f.racer, AF_INET, 0, &item, 1, true), 0);
	ck_assert(!f.done);
	suite_loop(f.base, &f.done);
	ck_assert_int_eq(f.status, 0);
	fd = racer_take_fd(f.racer);
	ck_assert_int_ge(fd, 0);
	end(&f);
}
END_TEST

START_TEST(options_reach_the_attempts)
{
	struct fixture f;
	struct tcp_peer *good;

	begin(&f);
	good = tcp_peer_new(f.base, AF_INET6, TCP_PEER_ACCEPT);
	f.params.options = (struct sockopts){ .has_congestion = true, .congestion = "nosuchthing" };
	make(&f);
	start(&f);
	answer(&f, AF_INET6, &good, 1);
	answer(&f, AF_INET, NULL, 0);
	suite_loop(f.base, &f.done);
	ck_assert_int_eq(f.status, -ASOCK_E_CONNECT_FAILED);
	ck_assert_int_eq(racer_get_headline(f.racer), -ENOENT);
	tcp_peer_free(good);
	end(&f);
}
END_TEST

SUITE_MAIN("racer", a_refused_first_address_costs_nothing,
	   a_silent_first_address_costs_the_attempt_delay_and_is_closed,
	   ipv4_alone_waits_for_the_resolution_delay, a_late_answer_joins_the_race,
	   answers_before_start_are_used_by_start,
	   the_judge_is_asked_before_each_connect_and_never_overruled,
	   the_judge_is_asked_when_the_turn_comes_and_not_before,
	   all_denied_is_told_from_the_loop_and_not_from_inside_a_call,
	   all_refused_is_connect_failed, no_address_is_the_resolvers_error,
	   the_deadline_ends_the_race, a_deadline_that_has_passed_is_told_after_start,
	   an_attempt_that_takes_too_long_makes_way, under_the_brake_one_attempt_runs_at_a_time,
	   an_address_without_a_route_goes_last, cancel_stops_the_clock,
	   cancel_is_silent_in_every_state, done_may_cancel_or_free_and_the_socket_is_closed,
	   done_may_free_and_start_another, udp_wins_at_once, options_reach_the_attempts)
