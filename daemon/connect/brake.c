/* SPDX-License-Identifier: MIT */
/*
 * Two rules. No second, wherever it begins, has more than per_s grants: they are counted in slots of a millisecond, and a
 * grant is in the count until its whole slot is more than a second ago. And no more than half of them are given at once;
 * the others are paced, at the rate that is left for them: per_s less those given at once in the last second. A bucket of
 * tokens alone would let twice as many through in the second after a rest, and a count alone would let one burst lock
 * everybody out for a whole second.
 *
 * Users who wait stand in a ring, each with a queue of its own. A grant goes to the first of the first user, who then goes
 * to the end of the ring. One timer is armed for the next grant, and nobody is woken before it is his.
 */
#include "daemon/connect/brake.h"

#include <assert.h>
#include <event2/event.h>
#include <stdlib.h>

#include "daemon/base/clock.h"

#define SLOT_US	  1000
#define N_SLOTS	  1001 /* a second, and the slot that is not over */
#define N_BUCKETS 64   /* of users who wait */
/* A timer that comes late is made up for, as far back as this. */
#define CATCH_UP_US 50000

struct brake_user {
	TAILQ_ENTRY(brake_user) turn; /* in the ring */
	LIST_ENTRY(brake_user) link;  /* in its bucket */
	uid_t uid;
	TAILQ_HEAD(, brake_waiter) waiters; /* never empty */
};

struct slot {
	uint32_t n, n_at_once;
};

struct brake {
	struct event *timer; /* owned; pending while anybody waits */
	uint32_t per_s;
	struct slot slots[N_SLOTS]; /* of the last second, by number modulo N_SLOTS */
	uint64_t slot;		    /* the number of the newest */
	struct slot sum;	    /* of all of them */
	uint64_t paced_us;	    /* when the last paced grant was due */
	TAILQ_HEAD(, brake_user) ring;
	LIST_HEAD(, brake_user) buckets[N_BUCKETS];
};

static void on_timer(evutil_socket_t fd, short what, void *arg);

int brake_new(struct brake **ret, struct event_base *base)
{
	CLEANUP(brake_freep) struct brake *brake = calloc(1, sizeof(*brake));

	if (!brake)
		return -ENOMEM;
	TAILQ_INIT(&brake->ring);
	brake->per_s = UINT32_MAX;
	brake->timer = evtimer_new(base, on_timer, brake);
	if (!brake->timer)
		return -ENOMEM;
	*ret = TAKE_PTR(brake);
	return 0;
}

static void forget_user(struct brake *brake, struct brake_user *user)
{
	TAILQ_REMOVE(&brake->ring, user, turn);
	LIST_REMOVE(user, link);
	free(user);
}

static void remove_waiter(struct brake *brake, struct brake_waiter *waiter)
{
	struct brake_user *user = waiter->user;

	TAILQ_REMOVE(&user->waiters, waiter, link);
	waiter->user = NULL;
	if (TAILQ_EMPTY(&user->waiters))
		forget_user(brake, user);
}

struct brake *brake_free(struct brake *brake)
{
	if (!brake)
		return NULL;
	while (!TAILQ_EMPTY(&brake->ring))
		remove_waiter(brake, TAILQ_FIRST(&TAILQ_FIRST(&brake->ring)->waiters));
	if (brake->timer)
		event_free(brake->timer);
	free(brake);
	return NULL;
}

/* Lets go of the slots that are more than a second ago. */
static void advance(struct brake *brake, uint64_t now_us)
{
	uint64_t slot = now_us / SLOT_US;

	for (size_t i = 0; i < N_SLOTS && brake->slot < slot; i++) {
		struct slot *oldest = &brake->slots[++brake->slot % N_SLOTS];

		brake->sum.n -= oldest->n;
		brake->sum.n_at_once -= oldest->n_at_once;
		*oldest = (struct slot){ 0 };
	}
	if (brake->slot < slot)
		brake->slot = slot; /* all are empty */
}

static void count(struct brake *brake, bool is_at_once)
{
	struct slot *slot = &brake->slots[brake->slot % N_SLOTS];

	slot->n++;
	slot->n_at_once += is_at_once;
	brake->sum.n++;
	brake->sum.n_at_once += is_at_once;
}

static bool may_at_once(const struct brake *brake)
{
	return brake->sum.n < brake->per_s &&
	       brake->sum.n_at_once < brake->per_s - brake->per_s / 2;
}

/* When the second that is full will have room again. */
static uint64_t get_room_us(const struct brake *brake)
{
	uint64_t slot = brake->slot + 1; /* the oldest's place */

	while (brake->slots[slot % N_SLOTS].n == 0)
		slot++;
	return slot * SLOT_US;
}

/* When the next paced grant may be made, by what is known now. */
static uint64_t get_due_us(const struct brake *brake)
{
	if (brake->sum.n >= brake->per_s)
		return get_room_us(brake);
	return brake->paced_us + USEC_PER_SEC / (brake->per_s - brake->sum.n_at_once);
}

/* A paced grant, if one is due; the next one is counted from then, but from catch_up_us ago at most. */
static bool take_paced(struct brake *brake, uint64_t now_us, uint64_t catch_up_us)
{
	uint64_t due_us = get_due_us(brake);

	if (due_us > now_us)
		return false;
	brake->paced_us = due_us + catch_up_us < now_us ? now_us - catch_up_us : due_us;
	count(brake, false);
	return true;
}

/* False: out of memory. */
static bool arm(struct brake *brake, uint64_t now_us)
{
	struct timeval wait;

	if (TAILQ_EMPTY(&brake->ring)) {
		(void)event_del(brake->timer);
		return true;
	}
	wait = clock_until(now_us, get_due_us(brake));
	return event_add(brake->timer, &wait) == 0;
}

static void grant(struct brake *brake)
{
	struct brake_user *user = TAILQ_FIRST(&brake->ring);
	struct brake_waiter *waiter = TAILQ_FIRST(&user->waiters);

	TAILQ_REMOVE(&brake->ring, user, turn);
	TAILQ_INSERT_TAIL(&brake->ring, user, turn);
	remove_waiter(brake, waiter);
	waiter->granted(waiter->arg);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct brake *brake = arg;
	uint64_t now_us = clock_now_us();

	(void)fd;
	(void)what;
	advance(brake, now_us);
	while (!TAILQ_EMPTY(&brake->ring) && take_paced(brake, now_us, CATCH_UP_US))
		grant(brake);
	/* Nothing would ever wake those who wait. */
	while (!arm(brake, now_us))
		grant(brake);
}

void brake_configure(struct brake *brake, uint32_t per_s)
{
	uint64_t now_us = clock_now_us();

	assert(per_s > 0);
	brake->per_s = per_s;
	advance(brake, now_us);
	/* What is due by now is for the loop: the owner is not called from here. */
	if (!arm(brake, now_us))
		event_active(brake->timer, EV_TIMEOUT, 1);
}

static struct brake_user *find_user(struct brake *brake, uid_t uid)
{
	struct brake_user *user;

	LIST_FOREACH (user, &brake->buckets[uid % N_BUCKETS], link)
		if (user->uid == uid)
			return user;
	user = calloc(1, sizeof(*user));
	if (!user)
		return NULL;
	user->uid = uid;
	TAILQ_INIT(&user->waiters);
	TAILQ_INSERT_TAIL(&brake->ring, user, turn);
	LIST_INSERT_HEAD(&brake->buckets[uid % N_BUCKETS], user, link);
	return user;
}

bool brake_take(struct brake *brake, uid_t uid, struct brake_waiter *waiter,
		void (*granted)(void *arg), void *arg)
{
	uint64_t now_us = clock_now_us();
	struct brake_user *user;

	assert(!waiter->user);
	advance(brake, now_us);
	if (TAILQ_EMPTY(&brake->ring)) {
		if (may_at_once(brake)) {
			count(brake, true);
			return true;
		}
		if (take_paced(brake, now_us, 0))
			return true;
	}
	user = find_user(brake, uid);
	if (!user)
		return true;
	*waiter = (struct brake_waiter){ .user = user, .granted = granted, .arg = arg };
	TAILQ_INSERT_TAIL(&user->waiters, waiter, link);
	/* The timer is armed for the first already, whoever that is. */
	if (!event_pending(brake->timer, EV_TIMEOUT, NULL) && !arm(brake, now_us)) {
		remove_waiter(brake, waiter);
		return true;
	}
	return false;
}

void brake_leave(struct brake *brake, struct brake_waiter *waiter)
{
	if (!waiter->user)
		return;
	remove_waiter(brake, waiter);
	if (TAILQ_EMPTY(&brake->ring))
		(void)event_del(brake->timer);
}
