/* SPDX-License-Identifier: MIT */
/*
 * connect/brake with a clock of the test's own: it is put forward in small steps, and after each the brake's timer is made to
 * fire, too early most of the time. One test has the real clock and the real timer.
 */
#include "daemon/connect/brake.h"

#include <event2/event.h>

#include "daemon/base/clock.h"
#include "tests/support/suite.h"

#define MS(n)	    ((uint64_t)(n)*1000)
#define MAX_WAITERS 10000
#define MAX_GRANTED 20000
#define ALICE	    1001
#define BOB	    1002
#define CAROL	    1003

struct fixture;

struct client {
	struct fixture *f;
	struct brake_waiter waiter;
	uid_t uid;
	uint64_t granted_us; /* 0: not yet */
	bool takes_again, leaves_inside;
	struct client *other; /* who leaves inside */
};

struct fixture {
	struct event_base *base;
	struct brake *brake;
	uint64_t now_us;
	struct client *clients;
	size_t n_clients;
	uint64_t granted_us[MAX_GRANTED];
	size_t n_granted;
	bool done;
};

static struct fixture fixture;

static struct fixture *begin(uint32_t per_s)
{
	struct fixture *f = &fixture;

	*f = (struct fixture){ .now_us = MS(1000000) };
	f->base = event_base_new();
	f->clients = calloc(MAX_WAITERS, sizeof(f->clients[0]));
	ck_assert(f->base && f->clients);
	clock_set_fake(&f->now_us);
	ck_assert_int_eq(brake_new(&f->brake, f->base), 0);
	if (per_s > 0)
		brake_configure(f->brake, per_s);
	return f;
}

static void end(struct fixture *f)
{
	f->brake = brake_free(f->brake);
	clock_set_fake(NULL);
	event_base_free(f->base);
	free(f->clients);
}

static void note(struct client *client)
{
	struct fixture *f = client->f;

	ck_assert_uint_eq(client->granted_us, 0);
	ck_assert_uint_lt(f->n_granted, MAX_GRANTED);
	client->granted_us = clock_now_us();
	f->granted_us[f->n_granted++] = client->granted_us;
}

static void take(struct client *client);

static void on_granted(void *arg)
{
	struct client *client = arg;

	ck_assert_ptr_null(client->waiter.user);
	note(client);
	if (client->leaves_inside)
		brake_leave(client->f->brake, &client->other->waiter);
	if (client->takes_again) {
		client->granted_us = 0;
		take(client);
	}
}

static void take(struct client *client)
{
	if (brake_take(client->f->brake, client->uid, &client->waiter, on_granted, client)) {
		ck_assert_ptr_null(client->waiter.user);
		note(client);
	}
}

static struct client *add(struct fixture *f, uid_t uid)
{
	struct client *client = &f->clients[f->n_clients++];

	ck_assert_uint_le(f->n_clients, MAX_WAITERS);
	client->f = f;
	client->uid = uid;
	take(client);
	return client;
}

static int activate(const struct event_base *base, const struct event *event, void *arg)
{
	(void)base;
	*(const struct event **)arg = event;
	return 0;
}

/* The timer fires now, if it is armed. */
static void fire(struct fixture *f)
{
	const struct event *timer = NULL;

	(void)event_base_foreach_event(f->base, activate, &timer);
	if (timer)
		event_active((struct event *)(uintptr_t)timer, EV_TIMEOUT, 1);
	ck_assert_int_ge(event_base_loop(f->base, EVLOOP_NONBLOCK), 0);
}

static void pass(struct fixture *f, uint64_t us, uint64_t step_us)
{
	for (uint64_t passed = 0; passed < us; passed += step_us) {
		f->now_us += step_us;
		fire(f);
	}
}

/* The most grants in any second. */
static size_t get_most_in_a_second(const struct fixture *f)
{
	size_t most = 0;

	for (size_t i = 0, first = 0; i < f->n_granted; i++) {
		while (f->granted_us[first] + USEC_PER_SEC <= f->granted_us[i])
			first++;
		if (i - first + 1 > most)
			most = i - first + 1;
	}
	return most;
}

START_TEST(nothing_is_held_up_before_it_is_configured)
{
	struct fixture *f = begin(0);

	for (size_t i = 0; i < MAX_WAITERS; i++)
		ck_assert_uint_eq(add(f, ALICE)->granted_us, f->now_us);
	end(f);
}
END_TEST

START_TEST(half_may_come_in_a_burst)
{
	struct fixture *f = begin(50);

	for (size_t i = 0; i < 25; i++)
		ck_assert_uint_ne(add(f, ALICE)->granted_us, 0);
	for (size_t i = 0; i < 25; i++)
		(void)add(f, ALICE);
	ck_assert_uint_le(f->n_granted, 26);
	pass(f, MS(1000), MS(1));
	ck_assert_uint_eq(f->n_granted, 50);
	end(f);
}
END_TEST

START_TEST(who_comes_slower_than_the_limit_never_waits)
{
	struct fixture *f = begin(50);

	for (size_t i = 0; i < 1000; i++) {
		ck_assert_uint_ne(add(f, ALICE)->granted_us, 0);
		f->now_us += USEC_PER_SEC / 24;
	}
	end(f);
}
END_TEST

/* Ten thousand at once, and each comes again: every second is full, and none has more. */
START_TEST(the_limit_holds_in_every_second)
{
	static const uint32_t limits[] = { 1, 2, 3, 50, 999, 1000 };

	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		struct fixture *f = begin(limits[i]);

		for (size_t n = 0; n < MAX_WAITERS; n++)
			add(f, (uid_t)(n % 7))->takes_again = true;
		pass(f, MS(10000), 997);
		ck_assert_uint_le(get_most_in_a_second(f), limits[i]);
		ck_assert_uint_ge(f->n_granted, limits[i] * 9);
		ck_assert_uint_le(f->n_granted, limits[i] * 11);
		end(f);
	}
}
END_TEST

/* What would be granted in a slow turn is made up for, but never beyond the limit. */
START_TEST(a_late_timer_is_made_up_for_within_the_limit)
{
	struct fixture *f = begin(500);

	for (size_t n = 0; n < MAX_WAITERS; n++)
		add(f, ALICE)->takes_again = true;
	for (size_t i = 0; i < 1000; i++)
		pass(f, MS(1 + (i * 7) % 30), MS(1 + (i * 7) % 30));
	ck_assert_uint_le(get_most_in_a_second(f), 500);
	ck_assert_uint_ge(f->n_granted, 15 * 500 * 7 / 10);
	end(f);
}
END_TEST

START_TEST(a_burst_behind_a_queue_is_within_the_limit)
{
	struct fixture *f = begin(10);

	for (size_t n = 0; n < 40; n++)
		(void)add(f, ALICE);
	while (f->n_granted < 40)
		pass(f, MS(1), MS(1));
	for (size_t n = 0; n < 10; n++)
		(void)add(f, ALICE);
	pass(f, MS(3000), MS(1));
	ck_assert_uint_eq(f->n_granted, 50);
	ck_assert_uint_le(get_most_in_a_second(f), 10);
	end(f);
}
END_TEST

START_TEST(one_turn_wakes_one)
{
	struct fixture *f = begin(100);
	size_t n_pairs = 0;

	for (size_t n = 0; n < MAX_WAITERS; n++)
		(void)add(f, ALICE);
	for (size_t i = 0; i < 5000; i++) {
		size_t before = f->n_granted;

		pass(f, MS(1), MS(1));
		ck_assert_uint_le(f->n_granted - before, 2);
		n_pairs += f->n_granted - before == 2;
	}
	ck_assert_uint_le(n_pairs, 5); /* when the pace doubles, the burst being a second ago */
	end(f);
}
END_TEST

START_TEST(one_users_flood_does_not_hold_up_the_others)
{
	struct fixture *f = begin(50);
	struct client *flood, *bob, *second_bob, *carol;

	for (size_t n = 0; n < 9000; n++)
		flood = add(f, ALICE);
	for (size_t round = 0; round < 40; round++) {
		uint64_t since_us = f->now_us;

		bob = add(f, BOB);
		second_bob = add(f, BOB);
		carol = add(f, CAROL);
		/* Three turns of at most twice the distance of the limit. */
		pass(f, MS(3 * 2 * 20), MS(1));
		ck_assert_uint_ne(bob->granted_us, 0);
		ck_assert_uint_ne(carol->granted_us, 0);
		pass(f, MS(3 * 2 * 20), MS(1));
		ck_assert_uint_ne(second_bob->granted_us, 0);
		ck_assert_uint_le(carol->granted_us, second_bob->granted_us);
		ck_assert_uint_ge(bob->granted_us, since_us);
		pass(f, MS(round * 13), MS(1));
	}
	ck_assert_uint_eq(flood->granted_us, 0);
	ck_assert_uint_le(get_most_in_a_second(f), 50);
	end(f);
}
END_TEST

START_TEST(a_user_is_served_in_order)
{
	struct fixture *f = begin(10);
	uint64_t last_us = 0;

	for (size_t n = 0; n < 30; n++)
		(void)add(f, ALICE);
	pass(f, MS(4000), MS(1));
	for (size_t n = 0; n < 30; n++) {
		ck_assert_uint_ge(f->clients[n].granted_us, last_us);
		last_us = f->clients[n].granted_us;
	}
	end(f);
}
END_TEST

START_TEST(who_has_left_is_never_granted)
{
	struct fixture *f = begin(2);
	struct client *first, *waiting, *last;

	first = add(f, ALICE);
	brake_leave(f->brake, &first->waiter); /* was never waiting */
	(void)add(f, ALICE);
	waiting = add(f, ALICE);
	last = add(f, BOB);
	brake_leave(f->brake, &waiting->waiter);
	brake_leave(f->brake, &waiting->waiter);
	pass(f, MS(3000), MS(1));
	ck_assert_uint_eq(waiting->granted_us, 0);
	ck_assert_uint_ne(last->granted_us, 0);
	brake_leave(f->brake, &last->waiter); /* was granted */
	end(f);
}
END_TEST

START_TEST(the_last_to_leave_stops_the_timer)
{
	struct fixture *f = begin(1);
	struct client *waiting;

	(void)add(f, ALICE);
	waiting = add(f, BOB);
	ck_assert_int_eq(event_base_get_num_events(f->base, EVENT_BASE_COUNT_ADDED), 1);
	brake_leave(f->brake, &waiting->waiter);
	ck_assert_int_eq(event_base_get_num_events(f->base, EVENT_BASE_COUNT_ADDED), 0);
	end(f);
}
END_TEST

START_TEST(one_may_leave_when_another_is_granted)
{
	struct fixture *f = begin(2);
	struct client *waiting, *next;

	(void)add(f, ALICE);
	(void)add(f, ALICE);
	waiting = add(f, ALICE);
	next = add(f, ALICE);
	waiting->leaves_inside = true;
	waiting->other = next;
	pass(f, MS(5000), MS(1));
	ck_assert_uint_ne(waiting->granted_us, 0);
	ck_assert_uint_eq(next->granted_us, 0);
	end(f);
}
END_TEST

START_TEST(a_new_limit_holds_for_those_who_wait)
{
	struct fixture *f = begin(1);

	for (size_t n = 0; n < 1000; n++)
		add(f, ALICE)->takes_again = true;
	pass(f, MS(2000), MS(1));
	ck_assert_uint_le(f->n_granted, 2);
	brake_configure(f->brake, 100);
	pass(f, MS(1000), MS(1));
	ck_assert_uint_ge(f->n_granted, 95);
	brake_configure(f->brake, 5);
	f->n_granted = 0;
	pass(f, MS(5000), MS(1));
	ck_assert_uint_ge(f->n_granted, 18);
	ck_assert_uint_le(f->n_granted, 25);
	end(f);
}
END_TEST

START_TEST(it_may_go_while_somebody_waits)
{
	struct fixture *f = begin(1);

	(void)add(f, ALICE);
	(void)add(f, ALICE);
	(void)add(f, BOB);
	end(f);
	ck_assert_ptr_null(brake_free(NULL));
}
END_TEST

static void on_real(void *arg)
{
	struct fixture *f = arg;

	f->done = ++f->n_granted == 10;
}

/* Ten that wait, 20 ms apart after a burst of 25: the timer is armed for the right times. */
START_TEST(the_timer_comes_when_the_next_is_due)
{
	struct fixture *f = begin(50);
	struct brake_waiter waiters[35] = { 0 };
	size_t n_at_once = 0;
	uint64_t begin_us;

	clock_set_fake(NULL);
	begin_us = clock_now_us();
	for (size_t i = 0; i < ARRAY_LEN(waiters); i++)
		n_at_once += brake_take(f->brake, ALICE, &waiters[i], on_real, f);
	ck_assert_uint_eq(n_at_once, 26); /* the first paced one is due, too */
	f->n_granted = 1;
	suite_loop(f->base, &f->done);
	ck_assert_uint_ge(clock_now_us() - begin_us, MS(40 * 9 - 11));
	ck_assert_uint_le(clock_now_us() - begin_us, MS(40 * 9 + 300));
	end(f);
}
END_TEST

SUITE_MAIN("brake", nothing_is_held_up_before_it_is_configured, half_may_come_in_a_burst,
	   who_comes_slower_than_the_limit_never_waits, the_limit_holds_in_every_second,
	   a_late_timer_is_made_up_for_within_the_limit, a_burst_behind_a_queue_is_within_the_limit,
	   one_turn_wakes_one, one_users_flood_does_not_hold_up_the_others,
	   a_user_is_served_in_order, who_has_left_is_never_granted,
	   the_last_to_leave_stops_the_timer, one_may_leave_when_another_is_granted,
	   a_new_limit_holds_for_those_who_wait, it_may_go_while_somebody_waits,
	   the_timer_comes_when_the_next_is_due)
