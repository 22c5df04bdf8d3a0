/* SPDX-License-Identifier: MIT */
/*
 * connect/prober with real sockets on loopback and a real history, which is asked what was learnt. Where five seconds would
 * have to pass the clock is the test's, and the timer is made to fire.
 */
#include "daemon/connect/prober.h"

#include <event2/event.h>

#include "daemon/base/clock.h"
#include "tests/support/suite.h"
#include "tests/support/tcp_peer.h"

#define MS(n)	((uint64_t)(n)*1000)
#define SILENCE MS(250)
#define ALICE	1000

struct fixture {
	struct event_base *base;
	struct history *history;
	struct prober *prober;
	struct history_key key;
	struct history_watch watch;
	bool is_told;
	uint64_t now_us;
};

static void begin(struct fixture *f)
{
	*f = (struct fixture){ .base = event_base_new(), .key = { .charged_to = ALICE } };
	ck_assert_ptr_nonnull(f->base);
	ck_assert_int_eq(history_new(&f->history, 0), 0);
	ck_assert_int_eq(prober_new(&f->prober, f->history, f->base), 0);
}

static void end(struct fixture *f)
{
	f->prober = prober_free(f->prober);
	f->history = history_free(f->history);
	clock_set_fake(NULL);
	event_base_free(f->base);
}

static void use_fake_clock(struct fixture *f)
{
	f->now_us = clock_now_us();
	clock_set_fake(&f->now_us);
}

static struct addrsort_past look(struct fixture *f)
{
	struct addrsort_past past;

	history_look(f->history, clock_now_us(), &f->key, ALICE, &past);
	return past;
}

static void make_dead(struct fixture *f)
{
	history_on_start(f->history, clock_now_us(), &f->key);
	history_on_silent(f->history, clock_now_us(), &f->key, SILENCE);
	ck_assert(look(f).is_dead);
}

static void on_told(void *arg)
{
	struct fixture *f = arg;

	f->is_told = true;
}

static void start(struct fixture *f)
{
	prober_start(f->prober, &f->key, NULL);
	f->is_told = false;
	f->watch.told = on_told;
	f->watch.arg = f;
	if (!history_watch(f->history, &f->key, &f->watch))
		f->is_told = true;
}

static int activate(const struct event_base *base, const struct event *event, void *arg)
{
	(void)base;
	if (event_get_fd(event) < 0)
		*(const struct event **)arg = event;
	return 0;
}

/* The timer fires now. */
static void fire(struct fixture *f)
{
	const struct event *timer = NULL;

	(void)event_base_foreach_event(f->base, activate, &timer);
	ck_assert_ptr_nonnull(timer);
	event_active((struct event *)(uintptr_t)timer, EV_TIMEOUT, 1);
	ck_assert_int_ge(event_base_loop(f->base, EVLOOP_NONBLOCK), 0);
}

START_TEST(an_address_that_answers_is_alive_and_nobody_has_used_it)
{
	struct fixture f;
	struct tcp_peer *peer;
	int fds;

	begin(&f);
	peer = tcp_peer_new(f.base, AF_INET6, TCP_PEER_ACCEPT);
	f.key.endpoint = *tcp_peer_get_endpoint(peer);
	make_dead(&f);
	fds = suite_count_fds();
	start(&f);
	suite_loop(f.base, &f.is_told);
	ck_assert(!look(&f).is_dead);
	ck_assert_uint_gt(look(&f).rtt_us, 0);
	ck_assert(!look(&f).was_used);
	suite_loop_for(f.base, 20);
	ck_assert_uint_eq(tcp_peer_get_n_accepted(peer), 1);
	ck_assert_int_eq(suite_count_fds(), fds + 1); /* the peer's; ours is closed */
	peer = tcp_peer_free(peer);
	end(&f);
}
END_TEST

START_TEST(an_address_that_refuses_stays_dead_by_its_own_word)
{
	struct fixture f;
	struct tcp_peer *peer;

	begin(&f);
	peer = tcp_peer_new(f.base, AF_INET, TCP_PEER_REFUSE);
	f.key.endpoint = *tcp_peer_get_endpoint(peer);
	make_dead(&f);
	ck_assert(
		!history_take_probe(f.history, clock_now_us() + HISTORY_PROBE_REFUSED_US, &f.key));
	start(&f);
	suite_loop(f.base, &f.is_told);
	ck_assert(look(&f).is_dead);
	ck_assert(history_take_probe(f.history, clock_now_us() + HISTORY_PROBE_REFUSED_US, &f.key));
	peer = tcp_peer_free(peer);
	end(&f);
}
END_TEST

START_TEST(silence_has_an_end)
{
	struct fixture f;
	struct tcp_peer *peer;
	int fds;

	begin(&f);
	peer = tcp_peer_new(f.base, AF_INET, TCP_PEER_BLACK_HOLE);
	f.key.endpoint = *tcp_peer_get_endpoint(peer);
	use_fake_clock(&f);
	fds = suite_count_fds();
	start(&f);
	ck_assert(look(&f).is_pending);
	f.now_us += PROBER_WAIT_US - 1;
	fire(&f); /* too early */
	ck_assert(!f.is_told);
	f.now_us += 1;
	fire(&f);
	ck_assert(f.is_told);
	ck_assert(look(&f).is_dead);
	ck_assert_int_eq(suite_count_fds(), fds);
	ck_assert_int_eq(event_base_get_num_events(f.base, EVENT_BASE_COUNT_ADDED), 0);
	peer = tcp_peer_free(peer);
	end(&f);
}
END_TEST

START_TEST(each_has_its_own_time)
{
	struct fixture f;
	struct tcp_peer *peers[2];
	struct history_key keys[2];

	begin(&f);
	use_fake_clock(&f);
	for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
		peers[i] = tcp_peer_new(f.base, AF_INET, TCP_PEER_BLACK_HOLE);
		keys[i] = (struct history_key){ .endpoint = *tcp_peer_get_endpoint(peers[i]) };
		prober_start(f.prober, &keys[i], NULL);
		f.now_us += MS(1000);
	}
	f.now_us += PROBER_WAIT_US - MS(2000);
	fire(&f);
	f.key = keys[0];
	ck_assert(look(&f).is_dead);
	f.key = keys[1];
	ck_assert(!look(&f).is_dead);
	f.now_us += MS(1000);
	fire(&f); /* was armed again */
	ck_assert(look(&f).is_dead);
	for (size_t i = 0; i < ARRAY_LEN(peers); i++)
		(void)tcp_peer_free(peers[i]);
	end(&f);
}
END_TEST

START_TEST(there_are_never_more_than_the_limit)
{
	struct fixture f;
	struct tcp_peer *peer;
	int fds;

	begin(&f);
	peer = tcp_peer_new(f.base, AF_INET, TCP_PEER_BLACK_HOLE);
	f.key.endpoint = *tcp_peer_get_endpoint(peer);
	use_fake_clock(&f);
	fds = suite_count_fds();
	for (size_t i = 0; i < PROBER_MAX; i++)
		prober_start(f.prober, &f.key, NULL);
	ck_assert_int_eq(suite_count_fds(), fds + PROBER_MAX);
	f.key.network = 1; /* another one of the kind, which is told nothing */
	make_dead(&f);
	start(&f);
	ck_assert(f.is_told);
	ck_assert_int_eq(suite_count_fds(), fds + PROBER_MAX);
	ck_assert(look(&f).is_dead);
	f.key.network = 0;
	f.now_us += PROBER_WAIT_US;
	fire(&f);
	ck_assert_int_eq(suite_count_fds(), fds);
	start(&f); /* there is room again */
	ck_assert(!f.is_told);
	history_unwatch(f.history, &f.watch);
	peer = tcp_peer_free(peer);
	end(&f);
}
END_TEST

START_TEST(only_tcp_is_probed)
{
	struct fixture f;
	int fds = suite_count_fds();

	begin(&f);
	fds = suite_count_fds();
	f.key.transport = TRANSPORT_SCTP;
	ck_assert_int_eq(address_parse("127.0.0.1", &f.key.endpoint.address), 0);
	start(&f);
	ck_assert(f.is_told);
	ck_assert_int_eq(suite_count_fds(), fds);
	end(&f);
}
END_TEST

/* That it ends shows nothing of the address, and nobody waits for it any more. */
START_TEST(probes_end_with_the_prober)
{
	struct fixture f;
	struct tcp_peer *peer;

	begin(&f);
	peer = tcp_peer_new(f.base, AF_INET, TCP_PEER_BLACK_HOLE);
	f.key.endpoint = *tcp_peer_get_endpoint(peer);
	start(&f);
	ck_assert(!f.is_told);
	f.prober = prober_free(f.prober);
	ck_assert(f.is_told);
	ck_assert(!look(&f).is_pending && !look(&f).is_dead);
	ck_assert_ptr_null(prober_free(NULL));
	peer = tcp_peer_free(peer);
	end(&f);
}
END_TEST

START_TEST(options_are_those_of_the_call)
{
	struct fixture f;
	struct tcp_peer *peer;
	struct sockopts options = { .receive_buffer = 1000000000 };

	begin(&f);
	peer = tcp_peer_new(f.base, AF_INET, TCP_PEER_ACCEPT);
	f.key.endpoint = *tcp_peer_get_endpoint(peer);
	prober_start(f.prober, &f.key, &options);
	options = (struct sockopts){ 0 };
	f.watch = (struct history_watch){ .told = on_told, .arg = &f };
	ck_assert(history_watch(f.history, &f.key, &f.watch));
	suite_loop(f.base, &f.is_told);
	ck_assert_uint_gt(look(&f).rtt_us, 0);
	/* One that cannot be had is this host's failure, and shows nothing. */
	options.has_congestion = true;
	options.congestion[0] = '!';
	make_dead(&f);
	f.is_told = false;
	prober_start(f.prober, &f.key, &options);
	ck_assert(history_watch(f.history, &f.key, &f.watch));
	suite_loop(f.base, &f.is_told);
	ck_assert(look(&f).is_dead);
	ck_assert(
		!history_take_probe(f.history, clock_now_us() + HISTORY_PROBE_REFUSED_US, &f.key));
	peer = tcp_peer_free(peer);
	end(&f);
}
END_TEST

SUITE_MAIN("prober", an_address_that_answers_is_alive_and_nobody_has_used_it,
	   an_address_that_refuses_stays_dead_by_its_own_word, silence_has_an_end,
	   each_has_its_own_time, there_are_never_more_than_the_limit, only_tcp_is_probed,
	   probes_end_with_the_prober, options_are_those_of_the_call)
