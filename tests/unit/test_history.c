/* SPDX-License-Identifier: MIT */
/*
 * Sentences of the header one by one, with a time that is a number; then thousands of random calls against a model that knows
 * what it was told last, and every allocation failing once.
 */
#include "daemon/connect/history.h"

#include <malloc.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "tests/support/suite.h"

#define HOME	UINT64_C(1)
#define OFFICE	UINT64_C(2)
#define MINUTE	(60 * USEC_PER_SEC)
#define ALICE	((uid_t)1000)
#define BOB	((uid_t)1001)
#define MALLORY ((uid_t)6666)

void *__real_calloc(size_t n, size_t size);
void *__real_reallocarray(void *memory, size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_reallocarray(void *memory, size_t n, size_t size);

static size_t until_failure; /* 0: nothing fails (any more) */

static bool must_fail(void)
{
	if (until_failure == 0 || --until_failure > 0)
		return false;
	errno = ENOMEM;
	return true;
}

void *__wrap_calloc(size_t n, size_t size)
{
	return must_fail() ? NULL : __real_calloc(n, size);
}

void *__wrap_reallocarray(void *memory, size_t n, size_t size)
{
	return must_fail() ? NULL : __real_reallocarray(memory, n, size);
}

static uint64_t now_us = 1000 * USEC_PER_SEC;

static struct history *new_history(size_t max)
{
	struct history *history = NULL;

	ck_assert_int_eq(history_new(&history, max), 0);
	return history;
}

static struct history_key key_of(const char *address)
{
	struct history_key key = { .network = HOME,
				   .transport = TRANSPORT_TCP,
				   .charged_to = ALICE };

	ck_assert_int_eq(address_parse_scoped(address, &key.endpoint.address), 0);
	key.endpoint.port = 443;
	return key;
}

static struct history_key key_number(uint32_t number, uid_t charged_to)
{
	struct history_key key = { .network = HOME,
				   .transport = TRANSPORT_TCP,
				   .endpoint = { .address = { .family = AF_INET }, .port = 80 },
				   .charged_to = charged_to };

	memcpy(key.endpoint.address.bytes, &number, sizeof(number));
	return key;
}

static struct addrsort_past look(struct history *history, const struct history_key *key, uid_t uid)
{
	struct addrsort_past past;

	memset(&past, 0xff, sizeof(past));
	history_look(history, now_us, key, uid, &past);
	return past;
}

static void connect_as(struct history *history, const struct history_key *key, uid_t uid,
		       uint32_t rtt_us)
{
	history_on_start(history, now_us, key);
	history_on_connected(history, now_us, key, uid, rtt_us, 0);
}

static void fail_with(struct history *history, const struct history_key *key, int error)
{
	history_on_start(history, now_us, key);
	history_on_failed(history, now_us, key, error);
}

static void be_silent(struct history *history, const struct history_key *key, uint64_t elapsed_us)
{
	history_on_start(history, now_us, key);
	history_on_silent(history, now_us, key, elapsed_us);
}

static bool is_dead(struct history *history, const struct history_key *key)
{
	return look(history, key, ALICE).is_dead;
}

static bool is_nothing_known(struct history *history, const struct history_key *key, uid_t uid)
{
	static const struct addrsort_past nothing;
	struct addrsort_past past = look(history, key, uid);

	return past.rtt_us == nothing.rtt_us && past.rttvar_us == 0 && !past.was_used &&
	       !past.is_dead && !past.is_disliked && !past.is_pending;
}

START_TEST(of_what_was_never_tried_nothing_is_known)
{
	CLEANUP(history_freep) struct history *history = new_history(0);
	struct history_key key = key_of("192.0.2.1");

	ck_assert(is_nothing_known(history, &key, ALICE));
	ck_assert(!history_take_probe(history, now_us, &key));
	history_on_dropped(history, now_us, &key);
	history_on_failed(history, now_us, &key, -EMFILE);
	ck_assert_uint_eq(history_get_n(history), 0);
}
END_TEST

START_TEST(round_trips_are_smoothed)
{
	CLEANUP(history_freep) struct history *history = new_history(0);
	struct history_key key = key_of("192.0.2.1");

	connect_as(history, &key, ALICE, 100000);
	ck_assert_uint_eq(look(history, &key, BOB).rtt_us, 100000);
	ck_assert_uint_eq(look(history, &key, BOB).rttvar_us, 50000);
	connect_as(history, &key, BOB, 180000);
	/* rttvar = 3/4 · 50 + 1/4 · |100 - 180|; srtt = 7/8 · 100 + 1/8 · 180 */
	ck_assert_uint_eq(look(history, &key, ALICE).rtt_us, 110000);
	ck_assert_uint_eq(look(history, &key, ALICE).rttvar_us, 57500);
	connect_as(history, &key, BOB, 30000);
	ck_assert_uint_eq(look(history, &key, ALICE).rtt_us, 100000);
	ck_assert_uint_eq(look(history, &key, ALICE).rttvar_us, 63125);
	connect_as(history, &key, BOB, 0);
	ck_assert_uint_eq(look(history, &key, ALICE).rtt_us, 100000);
}
END_TEST

START_TEST(the_first_sample_may_have_a_variance)
{
	CLEANUP(history_freep) struct history *history = new_history(0);
	struct history_key key = key_of("192.0.2.1");

	history_on_start(history, now_us, &key);
	history_on_connected(history, now_us, &key, ALICE, 100000, 7000);
	ck_assert_uint_eq(look(history, &key, BOB).rttvar_us, 7000);
}
END_TEST

START_TEST(the_largest_numbers_are_smoothed_too)
{
	CLEANUP(history_freep) struct history *history = new_history(0);
	struct history_key key = key_of("192.0.2.1");

	for (int i = 0; i < 3; i++) {
		history_on_start(history, now_us, &key);
		history_on_connected(history, now_us, &key, ALICE, UINT32_MAX, UINT32_MAX);
		ck_assert_uint_eq(look(history, &key, BOB).rtt_us, UINT32_MAX);
	}
	connect_as(history, &key, ALICE, 1);
	ck_assert_uint_lt(look(history, &key, BOB).rtt_us, UINT32_MAX);
}
END_TEST

START_TEST(an_old_round_trip_is_unknown)
{
	CLEANUP(history_freep) struct history *history = new_history(0);
	struct history_key key = key_of("192.0.2.1");

	connect_as(history, &key, ALICE, 100000);
	now_us += HISTORY_ROUND_TRIP_US - 1;
	ck_assert_uint_eq(look(history, &key, BOB).rtt_us, 100000);
	connect_as(history, &key, ALICE, 100000);
	now_us += HISTORY_ROUND_TRIP_US - 1;
	ck_assert_uint_eq(look(history, &key, BOB).rtt_us, 100000);
	now_us++;
	ck_assert(is_nothing_known(history, &key, BOB));
	/* What is measured then is a first one again. */
	connect_as(history, &key, ALICE, 20000);
	ck_assert_uint_eq(look(history, &key, BOB).rtt_us, 20000);
	ck_assert_uint_eq(look(history, &key, BOB).rttvar_us, 10000);
}
END_TEST

START_TEST(a_foreign_round_trip_counts_until_there_is_an_own_one)
{
	CLEANUP(history_freep) struct history *history = new_history(0);
	struct history_key key = key_of("192.0.2.1");

	history_learn_rtt(history, now_us, &key, 0, 0);
	ck_assert_uint_eq(history_get_n(history), 0);
	history_learn_rtt(history, now_us, &key, 80000, 3000);
	ck_assert_uint_eq(look(history, &key, BOB).rtt_us, 80000);
	ck_assert_uint_eq(look(history, &key, BOB).rttvar_us, 3000);
	history_learn_rtt(history, now_us, &key, 60000, 0);
	ck_assert_uint_eq(look(history, &key, BOB).rtt_us, 60000);
	connect_as(history, &key, ALICE, 20000);
	ck_assert_uint_eq(look(history, &key, BOB).rtt_us, 20000);
	ck_assert_uint_eq(look(history, &key, BOB).rttvar_us, 10000);
	history_learn_rtt(history, now_us, &key, 70000, 0);
	ck_assert_uint_eq(look(history, &key, BOB).rtt_us, 20000);
	now_us += HISTORY_ROUND_TRIP_US;
	history_learn_rtt(history, now_us, &key, 70000, 0);
	ck_assert_uint_eq(look(history, &key, BOB).rtt_us, 70000);
}
END_TEST

START_TEST(used_before_is_a_users_own_and_lapses)
{
	CLEANUP(history_freep) struct history *history = new_history(0);
	struct history_key key = key_of("192.0.2.1");

	connect_as(history, &key, ALICE, 1000);
	ck_assert(look(history, &key, ALICE).was_used);
	ck_assert(!look(history, &key, BOB).was_used);
	ck_assert(!look(history, &key, HISTORY_NOBODY).was_used);
	/* Using it all the time does not keep it first for ever. */
	now_us += HISTORY_USED_US - 1;
	connect_as(history, &key, ALICE, 1000);
	ck_assert(look(history, &key, ALICE).was_used);
	now_us++;
	ck_assert(!look(history, &key, ALICE).was_used);
	connect_as(history, &key, ALICE, 1000);
	ck_assert(look(history, &key, ALICE).was_used);
}
END_TEST

START_TEST(a_probe_is_nobodys_use)
{
	CLEANUP(history_freep) struct history *history = new_history(0);
	struct history_key key = key_of("192.0.2.1");

	connect_as(history, &key, HISTORY_NOBODY, 1000);
	ck_assert(!look(history, &key, HISTORY_NOBODY).was_used);
	ck_assert(!look(history, &key, ALICE).was_used);
	ck_assert_uint_eq(look(history, &key, ALICE).rtt_us, 1000);
}
END_TEST

START_TEST(a_dislike_is_a_users_own_and_lapses)
{
	CLEANUP(history_freep) struct history *history = new_history(0);
	struct history_key key = key_of("192.0.2.1");

	connect_as(history, &key, ALICE, 1000);
	history_dislike(history, now_us, &key, ALICE);
	history_dislike(history, now_us, &key, HISTORY_NOBODY);
	ck_assert(look(history, &key, ALICE).is_disliked);
	ck_assert(!look(history, &key, ALICE).was_used);
	ck_assert(!look(history, &key, BOB).is_disliked);
	now_us += HISTORY_DISLIKE_US - 1;
	connect_as(history, &key, BOB, 1000);
	ck_assert(look(history, &key, ALICE).is_disliked);
	now_us++;
	ck_assert(!look(history, &key, ALICE).is_disliked);
}
END_TEST

static const int verdicts[] = { -ECONNREFUSED, -ECONNRESET, -ENETUNREACH, -EHOSTUNREACH, -ENETDOWN,
				-EHOSTDOWN,    -ENONET,	    -ENOPROTOOPT, -EPROTO };

START_TEST(who_says_no_is_dead_and_asked_again_after_10_s)
{
	CLEANUP(history_freep) struct history *history = new_history(0);

	for (size_t i = 0; i < ARRAY_LEN(verdicts); i++) {
		struct history_key key = key_number((uint32_t)i, ALICE);

		fail_with(history, &key, verdicts[i]);
		ck_assert(is_dead(history, &key));
		ck_assert(look(history, &key, BOB).is_dead);
		ck_assert(!history_take_probe(history, now_us + 10 * USEC_PER_SEC - 1, &key));
		ck_assert(history_take_probe(history, now_us + 10 * USEC_PER_SEC, &key));
		ck_assert(!history_take_probe(history, now_us + 10 * USEC_PER_SEC, &key));
		ck_assert(!history_take_probe(history, now_us + 20 * USEC_PER_SEC - 1, &key));
		ck_assert(history_take_probe(history, now_us + 20 * USEC_PER_SEC, &key));
	}
}
END_TEST

START_TEST(silence_is_asked_again_after_60_s)
{
	CLEANUP(history_freep) struct history *history = new_history(0);
	struct history_key silent = key_of("2001:db8::1"), timed_out = key_of("2001:db8::2");

	be_silent(history, &silent, 250000);
	fail_with(history, &timed_out, -ETIMEDOUT);
	ck_assert(is_dead(history, &silent));
	ck_assert(is_dead(history, &timed_out));
	now_us += MINUTE - 1;
	ck_assert(!history_take_probe(history, now_us, &silent));
	ck_assert(!history_take_probe(history, now_us, &timed_out));
	now_us++;
	ck_assert(history_take_probe(history, now_us, &silent));
	ck_assert(!history_take_probe(history, now_us, &silent));
	ck_assert(history_take_probe(history, now_us, &timed_out));
}
END_TEST

START_TEST(the_dead_stay_dead_until_something_connects)
{
	CLEANUP(history_freep) struct history *history = new_history(0);
	struct history_key key = key_of("2001:db8::1");

	be_silent(history, &key, 250000);
	now_us += 24 * 60 * MINUTE;
	ck_assert(is_dead(history, &key));
	ck_assert(history_take_probe(history, now_us, &key));
	be_silent(history, &key, 5 * USEC_PER_SEC);
	ck_assert(is_dead(history, &key));
	ck_assert(!history_take_probe(history, now_us + MINUTE - 1, &key));
	connect_as(history, &key, HISTORY_NOBODY, 1000);
	ck_assert(!is_dead(history, &key));
	now_us += MINUTE;
	ck_assert(!history_take_probe(history, now_us, &key));
}
END_TEST

static const int own_errors[] = { -EADDRNOTAVAIL, -EMFILE,	 -ENFILE,     -ENOBUFS,
				  -ENOMEM,	  -EACCES,	 -EPERM,      -EINVAL,
				  -EAGAIN,	  -EAFNOSUPPORT, -EADDRINUSE, -EIO };

START_TEST(errors_of_this_host_teach_nothing)
{
	CLEANUP(history_freep) struct history *history = new_history(0);
	struct history_key key = key_of("192.0.2.1");

	for (size_t i = 0; i < ARRAY_LEN(own_errors); i++) {
		fail_with(history, &key, own_errors[i]);
		ck_assert(is_nothing_known(history, &key, ALICE));
		ck_assert_uint_eq(history_get_n(history), 0);
	}
	connect_as(history, &key, BOB, 1000);
	fail_with(history, &key, -EMFILE);
	ck_assert(!is_dead(history, &key));
}
END_TEST

START_TEST(what_is_known_to_be_slow_is_not_dead)
{
	CLEANUP(history_freep) struct history *history = new_history(0);
	struct history_key key = key_of("192.0.2.1");

	connect_as(history, &key, ALICE, 400000);
	be_silent(history, &key, 1199999); /* 400 + 4 · 200 ms */
	ck_assert(!is_dead(history, &key));
	be_silent(history, &key, 1200000);
	ck_assert(is_dead(history, &key));
}
END_TEST

START_TEST(an_address_is_pending_while_nothing_else_is_known)
{
	CLEANUP(history_freep) struct history *history = new_history(0);
	struct history_key key = key_of("192.0.2.1");

	history_on_start(history, now_us, &key);
	ck_assert(look(history, &key, BOB).is_pending);
	history_on_start(history, now_us, &key);
	history_on_dropped(history, now_us, &key);
	ck_assert(look(history, &key, BOB).is_pending);
	history_on_dropped(history, now_us, &key);
	ck_assert(is_nothing_known(history, &key, BOB));
	ck_assert_uint_eq(history_get_n(history), 0);
	be_silent(history, &key, 250000);
	history_on_start(history, now_us, &key);
	ck_assert(!look(history, &key, BOB).is_pending);
	history_on_connected(history, now_us, &key, BOB, 0, 0);
	/* It lives, though its round trip is not known. */
	history_on_start(history, now_us, &key);
	ck_assert(!look(history, &key, BOB).is_pending);
	history_on_dropped(history, now_us, &key);
	now_us += HISTORY_ROUND_TRIP_US;
	history_on_start(history, now_us, &key);
	ck_assert(look(history, &key, BOB).is_pending);
	history_learn_rtt(history, now_us, &key, 5000, 0);
	ck_assert(!look(history, &key, BOB).is_pending);
	history_on_dropped(history, now_us, &key);
}
END_TEST

/* An attempt that nobody answers for minutes must not make everybody wait: who comes later finds out for himself. */
START_TEST(nobody_is_waited_for_longer_than_a_second)
{
	CLEANUP(history_freep) struct history *history = new_history(0);
	struct history_key key = key_of("192.0.2.1");

	history_on_start(history, now_us, &key);
	now_us += HISTORY_PENDING_US - 1;
	ck_assert(look(history, &key, BOB).is_pending);
	history_on_start(history, now_us, &key);
	now_us++;
	ck_assert(!look(history, &key, BOB).is_pending);
	history_on_dropped(history, now_us, &key);
	ck_assert(!look(history, &key, BOB).is_pending);
	history_on_dropped(history, now_us, &key);
	history_on_start(history, now_us, &key);
	ck_assert(look(history, &key, BOB).is_pending);
	history_on_dropped(history, now_us, &key);
}
END_TEST

/* Someone who watches, and what he does when he is told. */
struct watcher {
	struct history_watch watch;
	struct history *history;
	struct history_key key;
	struct addrsort_past past; /* when he was told last */
	unsigned int n_told;
	void (*react)(struct watcher *watcher);
	struct watcher *other;
};

static void on_told(void *arg)
{
	struct watcher *watcher = arg;

	watcher->n_told++;
	watcher->past = look(watcher->history, &watcher->key, ALICE);
	if (watcher->react)
		watcher->react(watcher);
}

static struct watcher new_watcher(struct history *history, const struct history_key *key,
				  void (*react)(struct watcher *watcher))
{
	return (struct watcher){ .history = history, .key = *key, .react = react };
}

static bool watch(struct watcher *watcher)
{
	watcher->watch.told = on_told;
	watcher->watch.arg = watcher;
	return history_watch(watcher->history, &watcher->key, &watcher->watch);
}

START_TEST(who_watches_is_told_once_and_of_what_is_so_by_then)
{
	CLEANUP(history_freep) struct history *history = new_history(0);
	struct history_key key = key_of("192.0.2.1");
	struct watcher watcher = new_watcher(history, &key, NULL);

	ck_assert(!watch(&watcher));
	history_unwatch(history, &watcher.watch);
	history_on_start(history, now_us, &key);
	ck_assert(watch(&watcher));
	ck_assert(watch(&watcher));
	history_on_failed(history, now_us, &key, -ECONNREFUSED);
	ck_assert_uint_eq(watcher.n_told, 1);
	ck_assert(watcher.past.is_dead);
	ck_assert(!watch(&watcher));
	history_on_start(history, now_us, &key);
	ck_assert_uint_eq(watcher.n_told, 1);
	ck_assert(watch(&watcher));
	history_on_connected(history, now_us, &key, ALICE, 1000, 0);
	ck_assert_uint_eq(watcher.n_told, 2);
	ck_assert_uint_eq(watcher.past.rtt_us, 1000);
	history_on_start(history, now_us, &key);
	ck_assert(watch(&watcher));
	history_on_silent(history, now_us, &key, MINUTE);
	ck_assert_uint_eq(watcher.n_told, 3);
	ck_assert(watcher.past.is_dead);
}
END_TEST

START_TEST(a_drop_is_news_when_it_was_the_last)
{
	CLEANUP(history_freep) struct history *history = new_history(0);
	struct history_key key = key_of("192.0.2.1");
	struct watcher watcher = new_watcher(history, &key, NULL);

	history_on_start(history, now_us, &key);
	history_on_start(history, now_us, &key);
	ck_assert(watch(&watcher));
	history_on_dropped(history, now_us, &key);
	ck_assert_uint_eq(watcher.n_told, 0);
	history_on_failed(history, now_us, &key, -EMFILE);
	ck_assert_uint_eq(watcher.n_told, 1);
	ck_assert(!watcher.past.is_pending);
	/* Of two that run, the first to know tells. */
	history_on_start(history, now_us, &key);
	history_on_start(history, now_us, &key);
	ck_assert(watch(&watcher));
	history_on_connected(history, now_us, &key, ALICE, 1000, 0);
	ck_assert_uint_eq(watcher.n_told, 2);
	history_on_dropped(history, now_us, &key);
	ck_assert_uint_eq(watcher.n_told, 2);
}
END_TEST

START_TEST(who_does_not_watch_any_more_is_not_told)
{
	CLEANUP(history_freep) struct history *history = new_history(0);
	struct history_key key = key_of("192.0.2.1");
	struct watcher watcher = new_watcher(history, &key, NULL);

	history_on_start(history, now_us, &key);
	ck_assert(watch(&watcher));
	history_unwatch(history, &watcher.watch);
	history_unwatch(history, &watcher.watch);
	history_on_connected(history, now_us, &key, ALICE, 1000, 0);
	ck_assert_uint_eq(watcher.n_told, 0);
}
END_TEST

static void watch_again(struct watcher *watcher)
{
	history_on_start(watcher->history, now_us, &watcher->key);
	ck_assert(watch(watcher));
}

static void take_the_other_off(struct watcher *watcher)
{
	history_unwatch(watcher->history, &watcher->other->watch);
	memset(&watcher->other->watch, 0xff, sizeof(watcher->other->watch)); /* as if freed */
}

START_TEST(who_is_told_may_do_anything)
{
	CLEANUP(history_freep) struct history *history = new_history(0);
	struct history_key key = key_of("192.0.2.1");
	struct watcher a = new_watcher(history, &key, watch_again);
	struct watcher b = new_watcher(history, &key, take_the_other_off);
	struct watcher c = new_watcher(history, &key, NULL);

	b.other = &c;
	history_on_start(history, now_us, &key);
	ck_assert(watch(&a));
	ck_assert(watch(&b));
	ck_assert(watch(&c));
	history_on_dropped(history, now_us, &key);
	ck_assert_uint_eq(a.n_told, 1);
	ck_assert_uint_eq(b.n_told, 1);
	ck_assert_uint_eq(c.n_told, 0);
	a.react = NULL;
	history_on_dropped(history, now_us, &key);
	ck_assert_uint_eq(a.n_told, 2);
	ck_assert_uint_eq(history_get_n(history), 0);
}
END_TEST

static unsigned int depth, depth_max;

static void end_the_next(struct watcher *watcher)
{
	depth++;
	if (depth > depth_max)
		depth_max = depth;
	if (watcher->other)
		history_on_dropped(watcher->history, now_us, &watcher->other->key);
	depth--;
}

START_TEST(news_from_inside_do_not_pile_up)
{
	CLEANUP(history_freep) struct history *history = new_history(0);
	static struct watcher watchers[1000];

	for (uint32_t i = 0; i < ARRAY_LEN(watchers); i++) {
		struct history_key key = key_number(i, ALICE);

		watchers[i] = new_watcher(history, &key, end_the_next);
		watchers[i].other = i + 1 < ARRAY_LEN(watchers) ? &watchers[i + 1] : NULL;
		history_on_start(history, now_us, &key);
		ck_assert(watch(&watchers[i]));
	}
	history_on_dropped(history, now_us, &watchers[0].key);
	for (size_t i = 0; i < ARRAY_LEN(watchers); i++)
		ck_assert_uint_eq(watchers[i].n_told, 1);
	ck_assert_uint_eq(depth_max, 1);
}
END_TEST

START_TEST(a_change_of_network_parks_what_was_learnt)
{
	CLEANUP(history_freep) struct history *history = new_history(0);
	struct history_key live = key_of("192.0.2.1"), dead = key_of("192.0.2.2");
	struct history_key other = live;

	other.network = OFFICE;
	history_on_network(history, now_us, HOME);
	connect_as(history, &live, ALICE, 30000);
	be_silent(history, &dead, 250000);
	ck_assert(is_nothing_known(history, &other, ALICE));
	now_us += MINUTE;
	history_on_network(history, now_us, OFFICE);
	connect_as(history, &other, ALICE, 70000);
	ck_assert_uint_eq(look(history, &other, BOB).rtt_us, 70000);
	ck_assert_uint_eq(look(history, &live, BOB).rtt_us, 30000);
	ck_assert(!is_dead(history, &dead));
	/* It does not grow older while we are away … */
	now_us += 8 * 60 * MINUTE;
	history_on_network(history, now_us, HOME);
	ck_assert_uint_eq(look(history, &live, BOB).rtt_us, 30000);
	ck_assert(!is_dead(history, &dead));
	ck_assert(!history_take_probe(history, now_us, &dead));
	ck_assert_uint_eq(look(history, &other, BOB).rtt_us, 0);
	/* … but for the minute before, and from now on. */
	now_us += HISTORY_ROUND_TRIP_US - MINUTE - 1;
	ck_assert_uint_eq(look(history, &live, BOB).rtt_us, 30000);
	now_us++;
	ck_assert_uint_eq(look(history, &live, BOB).rtt_us, 0);
}
END_TEST

START_TEST(a_mark_after_the_return_counts)
{
	CLEANUP(history_freep) struct history *history = new_history(0);
	struct history_key key = key_of("192.0.2.1");

	history_on_network(history, now_us, HOME);
	be_silent(history, &key, 250000);
	now_us++;
	history_on_network(history, now_us, OFFICE);
	now_us++;
	history_on_network(history, now_us, HOME);
	ck_assert(!is_dead(history, &key));
	be_silent(history, &key, 250000);
	ck_assert(is_dead(history, &key));
}
END_TEST

START_TEST(new_routes_in_the_same_network_make_the_unreachable_worth_a_try)
{
	CLEANUP(history_freep) struct history *history = new_history(0);
	struct history_key silent = key_of("192.0.2.1"), unreachable = key_of("192.0.2.2");

	history_on_network(history, now_us, HOME);
	be_silent(history, &silent, 250000);
	fail_with(history, &unreachable, -ENETUNREACH);
	now_us++;
	history_on_network(history, now_us, HOME);
	ck_assert(is_dead(history, &silent));
	ck_assert(!is_dead(history, &unreachable));
	fail_with(history, &unreachable, -ENETUNREACH);
	ck_assert(is_dead(history, &unreachable));
}
END_TEST

START_TEST(many_networks_are_no_harm)
{
	CLEANUP(history_freep) struct history *history = new_history(0);
	struct history_key key = key_of("192.0.2.1");

	for (uint64_t network = 1; network < 100; network++) {
		history_on_network(history, now_us, network);
		key.network = network;
		connect_as(history, &key, ALICE, (uint32_t)network);
		now_us += USEC_PER_SEC;
	}
	key.network = 98;
	ck_assert_uint_eq(look(history, &key, BOB).rtt_us, 98);
	history_on_network(history, now_us, 98);
	be_silent(history, &key, MINUTE);
	ck_assert(is_dead(history, &key));
	key.network = 1; /* whose visit is forgotten */
	ck_assert_uint_eq(look(history, &key, BOB).rtt_us, 1);
}
END_TEST

START_TEST(everything_in_the_key_keeps_apart)
{
	CLEANUP(history_freep) struct history *history = new_history(0);
	struct history_key key = key_of("fe80::1%1"), others[6];

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		others[i] = key;
	others[0].network = OFFICE;
	others[1].partition = 7;
	others[2].route = 7;
	others[3].transport = TRANSPORT_SCTP;
	others[4].endpoint.port = 80;
	others[5].endpoint.address.scope = 2;
	connect_as(history, &key, ALICE, 1000);
	history_dislike(history, now_us, &key, ALICE);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		ck_assert(is_nothing_known(history, &others[i], ALICE));
	key.charged_to = MALLORY;
	ck_assert_uint_eq(look(history, &key, ALICE).rtt_us, 1000);
}
END_TEST

START_TEST(a_mapped_address_is_the_one_it_stands_for)
{
	CLEANUP(history_freep) struct history *history = new_history(0);
	struct history_key key = key_of("192.0.2.1"), mapped = key;

	ck_assert_int_eq(address_parse_ipv6("::ffff:192.0.2.1", &mapped.endpoint.address), 0);
	connect_as(history, &mapped, ALICE, 1000);
	ck_assert_uint_eq(look(history, &key, ALICE).rtt_us, 1000);
}
END_TEST

START_TEST(udp_teaches_nothing_but_what_the_user_says)
{
	CLEANUP(history_freep) struct history *history = new_history(0);
	struct history_key key = key_of("192.0.2.1");
	struct watcher watcher = new_watcher(history, &key, NULL);

	key.transport = watcher.key.transport = TRANSPORT_UDP;
	history_on_start(history, now_us, &key);
	ck_assert(!watch(&watcher));
	ck_assert(is_nothing_known(history, &key, ALICE));
	history_on_connected(history, now_us, &key, ALICE, 1000, 0);
	fail_with(history, &key, -ECONNREFUSED);
	be_silent(history, &key, MINUTE);
	history_on_dropped(history, now_us, &key);
	history_learn_rtt(history, now_us, &key, 1000, 0);
	ck_assert(is_nothing_known(history, &key, ALICE));
	ck_assert_uint_eq(history_get_n(history), 0);
	history_dislike(history, now_us, &key, ALICE);
	ck_assert(look(history, &key, ALICE).is_disliked);
}
END_TEST

START_TEST(what_was_not_used_for_longest_goes_first)
{
	CLEANUP(history_freep) struct history *history = new_history(10);
	struct history_key first = key_number(0, ALICE), second = key_number(1, ALICE);
	struct history_key third = key_number(10, ALICE);

	for (uint32_t i = 0; i < 10; i++) {
		struct history_key key = key_number(i, ALICE);

		connect_as(history, &key, HISTORY_NOBODY, 1000);
	}
	ck_assert_uint_eq(history_get_n(history), 10);
	(void)look(history, &first, BOB);
	connect_as(history, &third, HISTORY_NOBODY, 1000);
	ck_assert_uint_eq(history_get_n(history), 10);
	ck_assert_uint_eq(look(history, &first, BOB).rtt_us, 1000);
	ck_assert_uint_eq(look(history, &second, BOB).rtt_us, 0);
}
END_TEST

START_TEST(a_flood_pushes_out_its_own)
{
	CLEANUP(history_freep) struct history *history = new_history(1000);

	for (uint32_t i = 0; i < 400; i++) {
		struct history_key key = key_number(i, ALICE);

		connect_as(history, &key, HISTORY_NOBODY, 1000);
	}
	for (uint32_t i = 0; i < 100000; i++) {
		struct history_key key = key_number(1000 + i, MALLORY);

		connect_as(history, &key, i % 2 ? MALLORY : HISTORY_NOBODY, 1000);
	}
	ck_assert_uint_le(history_get_n(history), 1000);
	for (uint32_t i = 0; i < 400; i++) {
		struct history_key key = key_number(i, ALICE);

		ck_assert_uint_eq(look(history, &key, BOB).rtt_us, 1000);
	}
}
END_TEST

START_TEST(opinions_are_charged_to_who_has_them)
{
	CLEANUP(history_freep) struct history *history = new_history(1000);

	for (uint32_t i = 0; i < 100; i++) {
		struct history_key key = key_number(i, ALICE);

		history_dislike(history, now_us, &key, ALICE);
	}
	for (uint32_t i = 0; i < 10000; i++) {
		struct history_key key = key_number(i, ALICE);

		history_dislike(history, now_us, &key, MALLORY);
	}
	for (uint32_t i = 0; i < 100; i++) {
		struct history_key key = key_number(i, ALICE);

		ck_assert(look(history, &key, ALICE).is_disliked);
	}
}
END_TEST

START_TEST(what_is_running_stays)
{
	CLEANUP(history_freep) struct history *history = new_history(8);
	struct history_key running[8], more = key_number(100, ALICE);
	struct watcher watcher = new_watcher(history, &more, NULL);

	for (uint32_t i = 0; i < ARRAY_LEN(running); i++) {
		running[i] = key_number(i, ALICE);
		history_on_start(history, now_us, &running[i]);
	}
	/* There is no room for another one, which then is not remembered. */
	history_on_start(history, now_us, &more);
	ck_assert(!watch(&watcher));
	ck_assert(is_nothing_known(history, &more, ALICE));
	history_on_connected(history, now_us, &more, ALICE, 1000, 0);
	ck_assert(is_nothing_known(history, &more, ALICE));
	for (size_t i = 0; i < ARRAY_LEN(running); i++)
		ck_assert(look(history, &running[i], ALICE).is_pending);
	history_on_failed(history, now_us, &running[3], -ECONNREFUSED);
	history_on_start(history, now_us, &more);
	history_on_connected(history, now_us, &more, HISTORY_NOBODY, 1000, 0);
	ck_assert_uint_eq(look(history, &more, ALICE).rtt_us, 1000);
	ck_assert(!is_dead(history, &running[3]));
	for (size_t i = 0; i < ARRAY_LEN(running); i++)
		history_on_dropped(history, now_us, &running[i]);
}
END_TEST

/* An end whose beginning was not remembered must not take away what its own opinion replaces. */
START_TEST(one_item_is_enough)
{
	CLEANUP(history_freep) struct history *history = new_history(1);
	struct history_key key = key_of("192.0.2.1");

	history_learn_rtt(history, now_us, &key, 1000, 0);
	history_on_connected(history, now_us, &key, ALICE, 1000, 0);
	history_on_connected(history, now_us, &key, ALICE, 1000, 0);
	ck_assert_uint_eq(look(history, &key, ALICE).rtt_us, 1000);
}
END_TEST

struct seen {
	struct history_record records[4];
	size_t n;
};

static void on_record(const struct history_record *record, void *arg)
{
	struct seen *seen = arg;

	ck_assert_uint_lt(seen->n, ARRAY_LEN(seen->records));
	seen->records[seen->n++] = *record;
}

START_TEST(people_see_what_is_remembered)
{
	CLEANUP(history_freep) struct history *history = new_history(0);
	struct history_key live = key_of("2001:db8::1"), dead = key_of("fe80::2%3");
	struct seen seen = { 0 };

	live.partition = 5;
	live.route = 6;
	connect_as(history, &live, ALICE, 1000);
	connect_as(history, &live, ALICE, 1000);
	history_learn_rtt(history, now_us, &dead, 4000, 0);
	fail_with(history, &dead, -ECONNREFUSED);
	history_walk(history, now_us + 1, 4, on_record, &seen);
	ck_assert_uint_eq(seen.n, 2);
	ck_assert(endpoint_equal(&seen.records[0].key.endpoint, &dead.endpoint));
	ck_assert(seen.records[0].is_dead && seen.records[0].is_rtt_foreign);
	ck_assert_int_eq(seen.records[0].error, -ECONNREFUSED);
	ck_assert_uint_eq(seen.records[0].dead_since_us, now_us);
	ck_assert_uint_eq(seen.records[0].probe_at_us, now_us + HISTORY_PROBE_REFUSED_US);
	ck_assert_uint_eq(seen.records[0].connected_at_us, 0);
	ck_assert_uint_eq(seen.records[0].n_failed, 1);
	ck_assert(endpoint_equal(&seen.records[1].key.endpoint, &live.endpoint));
	ck_assert_uint_eq(seen.records[1].key.network, HOME);
	ck_assert_uint_eq(seen.records[1].key.partition, 5);
	ck_assert_uint_eq(seen.records[1].key.route, 6);
	ck_assert_int_eq(seen.records[1].key.transport, TRANSPORT_TCP);
	ck_assert_uint_eq(seen.records[1].key.charged_to, ALICE);
	ck_assert_uint_eq(seen.records[1].rtt_us, 1000);
	ck_assert(!seen.records[1].is_rtt_foreign && !seen.records[1].is_dead);
	ck_assert_uint_eq(seen.records[1].connected_at_us, now_us);
	ck_assert_uint_eq(seen.records[1].n_connected, 2);
	/* It is the same death for as long as nothing connects. */
	seen.n = 0;
	now_us += USEC_PER_SEC;
	be_silent(history, &dead, MINUTE);
	history_walk(history, now_us, 4, on_record, &seen);
	ck_assert_int_eq(seen.records[0].error, 0);
	ck_assert_uint_eq(seen.records[0].dead_since_us, now_us - USEC_PER_SEC);
	ck_assert_uint_eq(seen.records[0].probe_at_us, now_us + HISTORY_PROBE_SILENT_US);
	seen.n = 0;
	(void)look(history, &live, BOB);
	history_walk(history, now_us, 1, on_record, &seen);
	ck_assert_uint_eq(seen.n, 1);
	ck_assert(endpoint_equal(&seen.records[0].key.endpoint, &live.endpoint));
}
END_TEST

START_TEST(flushing_forgets_all_but_what_runs)
{
	CLEANUP(history_freep) struct history *history = new_history(0);
	struct history_key key = key_of("192.0.2.1"), running = key_of("192.0.2.2");
	struct watcher watcher = new_watcher(history, &running, NULL);

	connect_as(history, &key, ALICE, 1000);
	connect_as(history, &running, ALICE, 1000);
	history_dislike(history, now_us, &key, ALICE);
	history_on_start(history, now_us, &running);
	ck_assert(watch(&watcher));
	ck_assert_uint_eq(history_flush(history), 2);
	ck_assert_uint_eq(history_get_n(history), 1);
	ck_assert(is_nothing_known(history, &key, ALICE));
	ck_assert(!look(history, &running, ALICE).was_used);
	ck_assert(look(history, &running, ALICE).is_pending);
	history_on_connected(history, now_us, &running, ALICE, 2000, 0);
	ck_assert_uint_eq(watcher.n_told, 1);
	ck_assert_uint_eq(look(history, &running, BOB).rtt_us, 2000);
	ck_assert_uint_eq(history_flush(history), 1);
	ck_assert_uint_eq(history_flush(history), 0);
}
END_TEST

START_TEST(memory_that_runs_out_is_memory_that_is_not_had)
{
	struct history *broken;
	int err = -ENOMEM;

	for (size_t i = 1; err < 0; i++) {
		until_failure = i;
		err = history_new(&broken, 0);
		until_failure = 0;
		ck_assert(err == 0 || err == -ENOMEM);
	}
	(void)history_free(broken);
	for (size_t i = 1; i < 20; i++) {
		CLEANUP(history_freep) struct history *history = new_history(0);
		struct history_key key = key_of("192.0.2.1");
		struct addrsort_past past;

		until_failure = i;
		history_on_start(history, now_us, &key);
		history_on_connected(history, now_us, &key, ALICE, 1000, 0);
		history_dislike(history, now_us, &key, BOB);
		history_learn_rtt(history, now_us, &key, 1000, 0);
		until_failure = 0;
		past = look(history, &key, BOB);
		ck_assert(past.rtt_us == 0 || past.rtt_us == 1000);
		ck_assert(!past.is_pending && !past.is_dead);
	}
}
END_TEST

START_TEST(an_entry_costs_little_and_there_are_no_more_than_said)
{
	CLEANUP(history_freep) struct history *history = NULL;
	size_t before, used;

	before = mallinfo2().uordblks;
	history = new_history(0);
	for (uint32_t i = 0; i < 3 * HISTORY_MAX; i++) {
		struct history_key key = key_number(i, 1000 + i % 7);

		connect_as(history, &key, HISTORY_NOBODY, 1000);
	}
	ck_assert_uint_eq(history_get_n(history), HISTORY_MAX);
	used = mallinfo2().uordblks - before;
	/* Nothing is measured where the allocator is another one. */
	ck_assert_uint_le(used, HISTORY_MAX * (size_t)240);
	/* Some of so many that are not there have a hash that is. */
	for (uint32_t i = 0; i < 600000; i++) {
		struct history_key key = key_number(UINT32_MAX - i, ALICE);

		ck_assert_uint_eq(look(history, &key, HISTORY_NOBODY).rtt_us, 0);
	}
}
END_TEST

/* Random calls, and what must hold after each. */
#define N_KEYS 40

struct model {
	unsigned int n_running;
	bool is_dead;
	uint64_t dead_since_us;
};

static uint64_t random_state;

static uint32_t draw(uint32_t n)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(random_state >> 33) % n;
}

static void end_one(struct history *history, const struct history_key *key, struct model *model)
{
	if (model->n_running == 0)
		return;
	model->n_running--;
	switch (draw(4)) {
	case 0:
		history_on_connected(history, now_us, key, ALICE + draw(3), draw(2) * 5000, 0);
		model->is_dead = false;
		break;
	case 1:
		history_on_failed(history, now_us, key,
				  verdicts[draw((uint32_t)ARRAY_LEN(verdicts))]);
		model->is_dead = true;
		break;
	case 2:
		history_on_silent(history, now_us, key, MINUTE);
		model->is_dead = true;
		break;
	default:
		history_on_dropped(history, now_us, key);
		break;
	}
}

START_TEST(random_calls_leave_what_the_last_of_them_said)
{
	CLEANUP(history_freep) struct history *history = new_history(0);
	struct history_key keys[N_KEYS];
	struct model models[N_KEYS] = { 0 };
	static struct watcher watchers[N_KEYS];

	random_state = 1;
	for (uint32_t i = 0; i < N_KEYS; i++) {
		keys[i] = key_number(i, ALICE + i % 3);
		watchers[i] = new_watcher(history, &keys[i], NULL);
	}
	for (int i = 0; i < 20000; i++) {
		uint32_t k = draw(N_KEYS);
		struct addrsort_past past;

		now_us += draw(1000000);
		if (draw(2)) {
			history_on_start(history, now_us, &keys[k]);
			models[k].n_running++;
		} else {
			end_one(history, &keys[k], &models[k]);
		}
		if (draw(4) == 0)
			ck_assert_int_eq(watch(&watchers[k]), models[k].n_running > 0);
		if (draw(4) == 0)
			history_unwatch(history, &watchers[draw(N_KEYS)].watch);
		past = look(history, &keys[k], ALICE);
		ck_assert_int_eq(past.is_dead, models[k].is_dead);
		ck_assert(!past.is_pending || (models[k].n_running > 0 && past.rtt_us == 0));
		ck_assert(models[k].n_running > 0 || !watchers[k].watch.list);
	}
	for (uint32_t k = 0; k < N_KEYS; k++)
		while (models[k].n_running > 0)
			end_one(history, &keys[k], &models[k]);
}
END_TEST

/* A store that is always too small: what runs stays, and of the rest there is never too much. */
START_TEST(random_calls_without_room)
{
	CLEANUP(history_freep) struct history *history = new_history(30);
	struct history_key keys[2 * N_KEYS];
	struct model models[2 * N_KEYS] = { 0 };
	unsigned int n_running = 0;

	random_state = 2;
	for (uint32_t i = 0; i < ARRAY_LEN(keys); i++)
		keys[i] = key_number(i, ALICE + i % 11);
	for (int i = 0; i < 50000; i++) {
		uint32_t k = draw((uint32_t)ARRAY_LEN(keys));
		unsigned int before = models[k].n_running;

		now_us += draw(1000);
		if (n_running < 20 && draw(2)) {
			history_on_start(history, now_us, &keys[k]);
			models[k].n_running++;
		} else {
			end_one(history, &keys[k], &models[k]);
		}
		n_running += models[k].n_running - before;
		if (draw(50) == 0)
			history_dislike(history, now_us, &keys[k], ALICE + draw(11));
		ck_assert_uint_le(history_get_n(history), 30);
		for (uint32_t j = 0; j < ARRAY_LEN(keys) && i % 100 == 0; j++) {
			struct watcher watcher = new_watcher(history, &keys[j], NULL);

			ck_assert_int_eq(watch(&watcher), models[j].n_running > 0);
			history_unwatch(history, &watcher.watch);
		}
	}
	for (uint32_t k = 0; k < ARRAY_LEN(keys); k++)
		while (models[k].n_running > 0)
			end_one(history, &keys[k], &models[k]);
	/* Everything can be pushed out again. */
	for (uint32_t i = 0; i < 1000; i++) {
		struct history_key key = key_number(1000 + i, MALLORY + i);

		history_learn_rtt(history, now_us, &key, 1000, 0);
		ck_assert_uint_eq(look(history, &key, HISTORY_NOBODY).rtt_us, 1000);
		ck_assert_uint_le(history_get_n(history), 30);
	}
}
END_TEST

SUITE_MAIN("history", of_what_was_never_tried_nothing_is_known, round_trips_are_smoothed,
	   the_first_sample_may_have_a_variance, the_largest_numbers_are_smoothed_too,
	   an_old_round_trip_is_unknown, a_foreign_round_trip_counts_until_there_is_an_own_one,
	   used_before_is_a_users_own_and_lapses, a_probe_is_nobodys_use,
	   a_dislike_is_a_users_own_and_lapses, who_says_no_is_dead_and_asked_again_after_10_s,
	   silence_is_asked_again_after_60_s, the_dead_stay_dead_until_something_connects,
	   errors_of_this_host_teach_nothing, what_is_known_to_be_slow_is_not_dead,
	   an_address_is_pending_while_nothing_else_is_known,
	   nobody_is_waited_for_longer_than_a_second,
	   who_watches_is_told_once_and_of_what_is_so_by_then, a_drop_is_news_when_it_was_the_last,
	   who_does_not_watch_any_more_is_not_told, who_is_told_may_do_anything,
	   news_from_inside_do_not_pile_up, a_change_of_network_parks_what_was_learnt,
	   a_mark_after_the_return_counts,
	   new_routes_in_the_same_network_make_the_unreachable_worth_a_try,
	   many_networks_are_no_harm, everything_in_the_key_keeps_apart,
	   a_mapped_address_is_the_one_it_stands_for, udp_teaches_nothing_but_what_the_user_says,
	   what_was_not_used_for_longest_goes_first, a_flood_pushes_out_its_own,
	   opinions_are_charged_to_who_has_them, what_is_running_stays, one_item_is_enough,
	   people_see_what_is_remembered, flushing_forgets_all_but_what_runs,
	   memory_that_runs_out_is_memory_that_is_not_had,
	   an_entry_costs_little_and_there_are_no_more_than_said,
	   random_calls_leave_what_the_last_of_them_said, random_calls_without_room)
