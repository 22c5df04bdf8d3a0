/* SPDX-License-Identifier: MIT */
/*
 * States:
 *
 *   READING ── a call that has to wait, or a reply that does ──► BUSY ── answered ──► READING
 *      │                                                          │
 *      └──── end of input, or nothing more may follow ────────────┴──► LINGERING ──► DONE
 *
 * READING watches for input, level-triggered. BUSY reads nothing, so what a client sends ahead waits in the kernel: as
 * soon as there is something, or something has to go out, it watches for the client's end (EV_CLOSED) and for room
 * (EV_WRITE) instead, both edge-triggered: a half-closed socket would otherwise report its end for ever. The two kinds of
 * trigger must not meet on one descriptor in libevent, so one set is removed before the other is added.
 *
 * At the end, half-close (SHUT_WR at the client) and full close look the same to EV_CLOSED; poll() tells them apart: after
 * a half-close the calls already made are still answered, after a full close everything is cancelled.
 *
 * A descriptor counts as in flight until the client has read its reply (SIOCOUTQ is zero only when all was read). Until
 * then no second one is sent, and the connection is not given up, because the kernel charges unread descriptors to the
 * daemon's user whatever becomes of the connection: LINGERING is over when the client has read or has closed, which empties
 * its queue. Whether the socket reports a hang-up does not tell: after a half-close and our own shutdown it always does.
 * READING does not watch for room, so it learns late that the client has read; before anybody is refused for the number of
 * descriptors in flight, all who count are looked at again.
 *
 * Fairness: a connection answers so many calls a turn, and all connections of a user together get so much time a turn, one
 * after the other (policy/quota). Whoever has to wait stays readable and is looked at again in the next turn.
 *
 * Credentials: a frame's bytes must all come from the same user. Input is read only when no complete frame is left in the
 * buffer, and one recvmsg never mixes credentials, so comparing what is left over with what comes next is enough.
 */
#include "daemon/front/session.h"

#include <assert.h>
#include <event2/event.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "daemon/base/clock.h"
#include "daemon/base/limits.h"
#include "daemon/base/log.h"
#include "daemon/front/call.h"
#include "daemon/front/closer.h"
#include "daemon/front/inlet.h"
#include "daemon/front/outlet.h"
#include "daemon/front/peer.h"
#include "daemon/front/unread.h"
#include "daemon/policy/quota.h"
#include "protocol/frame.h"

enum session_state {
	SESSION_READING,
	SESSION_BUSY,
	SESSION_LINGERING,
	SESSION_DONE
};

struct session {
	enum session_state state;
	int socket; /* owned */
	struct front_env *env;
	struct session_params params;
	struct identity identity;
	struct event *readable, *ended, *writable; /* owned; see above */
	struct event *timer; /* owned: an unfinished frame or an unread reply has its time */
	struct event *turn;  /* owned: goes on in the next loop turn */
	struct frame_reader in;
	struct call *call;    /* owned: being answered, or its reply waits */
	struct request *next; /* owned: what the last call has left for ConnectNext */
	uint64_t next_until_us;
	struct outlet out;     /* replies that are not yet sent */
	struct unread unread;  /* the descriptor in flight */
	uint64_t served_round; /* of its user, see policy/quota */
	uint64_t timer_due_us;
	uint64_t frame_since_us; /* the unfinished frame's first byte; 0: none */
	uint64_t sent_us;	 /* the last reply */
	bool is_last;		 /* nothing more is read: end of input or a broken frame */
	session_done_fn *done;
	void *arg;
};

static const struct timeval next_turn = { 0 };
static const struct timeval closer_pause = { .tv_usec = 10000 }; /* when the closer is full */

static void on_readable(evutil_socket_t fd, short what, void *arg);
static void on_ended(evutil_socket_t fd, short what, void *arg);
static void on_writable(evutil_socket_t fd, short what, void *arg);
static void on_timer(evutil_socket_t fd, short what, void *arg);
static void on_turn(evutil_socket_t fd, short what, void *arg);
static void on_call_done(struct call *call, void *arg);
static void on_call_event(struct call *call, void *arg);

int session_new(struct session **ret, int socket, const struct session_params *params,
		struct front_env *env)
{
	CLEANUP(session_freep) struct session *session = calloc(1, sizeof(*session));
	struct event_base *base = env->request.base;
	int r;

	if (!session) {
		(void)close_fd(socket);
		return -ENOMEM;
	}
	session->socket = socket;
	session->env = env;
	session->params = *params;
	if (session->params.frame_us == 0)
		session->params.frame_us = LIMIT_FRAME_USEC;
	if (session->params.unread_us == 0)
		session->params.unread_us = LIMIT_UNREAD_REPLY_USEC;
	if (session->params.next_us == 0)
		session->params.next_us = LIMIT_NEXT_USEC;
	frame_reader_init(&session->in, LIMIT_REQUEST_BYTES,
			  params->is_control ? FRAME_NUL : FRAME_UNDECIDED);
	r = peer_identify(socket, &session->identity);
	if (r < 0)
		return r;
	unread_init(&session->unread, env, socket, session->identity.peer_uid);
	session->readable = event_new(base, socket, EV_READ | EV_PERSIST, on_readable, session);
	/* EV_WRITE is what libevent makes of EPOLLERR, which a client causes that closes with replies unread. */
	session->ended = event_new(base, socket, EV_CLOSED | EV_WRITE | EV_ET | EV_PERSIST,
				   on_ended, session);
	session->writable =
		event_new(base, socket, EV_WRITE | EV_ET | EV_PERSIST, on_writable, session);
	session->timer = evtimer_new(base, on_timer, session);
	session->turn = evtimer_new(base, on_turn, session);
	if (!session->readable || !session->ended || !session->writable || !session->timer ||
	    !session->turn)
		return -ENOMEM;
	*ret = TAKE_PTR(session);
	return 0;
}

int session_start(struct session *session, session_done_fn *done, void *arg)
{
	session->done = done;
	session->arg = arg;
	return event_add(session->readable, NULL) < 0 ? -ENOMEM : 0;
}

static void disarm(struct session *session)
{
	struct event *const events[] = { session->readable, session->ended, session->writable,
					 session->timer, session->turn };

	for (size_t i = 0; i < ARRAY_LEN(events); i++)
		if (events[i])
			(void)event_del(events[i]);
}

/* What the client sent and nobody read may carry descriptors, and closing the socket closes them: not here. */
static bool has_input(const struct session *session)
{
	int unread = 0;

	return ioctl(session->socket, SIOCINQ, &unread) == 0 && unread > 0;
}

static void close_socket(struct session *session)
{
	struct closer *closer = session->env->closer;

	if (has_input(session) && closer_get_room(closer) > 0)
		closer_adopt_connection(closer, take_fd(&session->socket));
	else
		session->socket = close_fd(session->socket);
}

struct session *session_free(struct session *session)
{
	struct event *events[5];

	if (!session)
		return NULL;
	call_free(session->call);
	request_free(session->next);
	unread_clear(&session->unread);
	events[0] = session->readable;
	events[1] = session->ended;
	events[2] = session->writable;
	events[3] = session->timer;
	events[4] = session->turn;
	for (size_t i = 0; i < ARRAY_LEN(events); i++)
		if (events[i])
			event_free(events[i]);
	frame_reader_done(&session->in);
	outlet_clear(&session->out);
	close_socket(session);
	free(session);
	return NULL;
}

bool session_is_busy(const struct session *session)
{
	return session->call || session->out.len > 0;
}

uid_t session_get_uid(const struct session *session)
{
	return session->identity.peer_uid;
}

/* Calls done as its last statement: the caller returns at once. */
static void session_finish(struct session *session)
{
	session->state = SESSION_DONE;
	disarm(session);
	session->call = call_free(session->call);
	session->next = request_free(session->next);
	session->done(session, session->arg);
}

static void linger(struct session *session);

/* The connection is broken or must end: nothing more is answered. May finish: the caller returns at once. */
static void session_end(struct session *session)
{
	session->call = call_free(session->call);
	outlet_clear(&session->out);
	session->is_last = true;
	linger(session);
}

/* When something that lies there has lain too long; UINT64_MAX: nothing lies there. */
static uint64_t get_due(const struct session *session)
{
	uint64_t due_us = UINT64_MAX;

	if (session->frame_since_us > 0)
		due_us = session->frame_since_us + session->params.frame_us;
	if (session->sent_us > 0 && session->sent_us + session->params.unread_us < due_us &&
	    (session->out.len > 0 || unread_has_bytes(&session->unread)))
		due_us = session->sent_us + session->params.unread_us;
	return due_us;
}

/* One timer for both; it is moved forward only: when it fires too early it is armed for the rest, which is cheaper. */
static void arm_timer(struct session *session, uint64_t wait_us)
{
	struct timeval wait = clock_until(0, wait_us);
	uint64_t due_us = clock_now_us() + wait_us;

	if (event_pending(session->timer, EV_TIMEOUT, NULL) && session->timer_due_us <= due_us)
		return;
	session->timer_due_us = due_us;
	if (evtimer_add(session->timer, &wait) < 0)
		log_debug("a connection has no timer: out of memory");
}

/* Input is no longer watched, but the client's end is, and room to write where something waits for it. */
static int watch_end(struct session *session, bool wants_room)
{
	int r = 0;

	(void)event_del(session->readable);
	if (!event_pending(session->ended, EV_CLOSED, NULL))
		r |= event_add(session->ended, NULL);
	if (wants_room && !event_pending(session->writable, EV_WRITE, NULL))
		r |= event_add(session->writable, NULL);
	if (!wants_room)
		(void)event_del(session->writable);
	return r;
}

/* Switches the watch on the socket. */
static int watch(struct session *session, enum session_state state)
{
	bool is_reply_due = session->call && call_is_finished(session->call);
	bool wants_room = session->out.len > 0 || is_reply_due;
	bool is_read_watched = event_pending(session->readable, EV_READ, NULL);

	session->state = state;
	switch (state) {
	case SESSION_READING:
		(void)event_del(session->ended);
		(void)event_del(session->writable);
		return is_read_watched ? 0 : event_add(session->readable, NULL);
	case SESSION_BUSY:
		/* Most calls are over before the client says another word: on_readable switches when it does. */
		return is_read_watched && !wants_room ? 0 : watch_end(session, wants_room);
	case SESSION_LINGERING:
	case SESSION_DONE:
		break;
	}
	return watch_end(session, wants_room || session->unread.has_fd);
}

/* Something went out: the client has time to read it from now on. */
static void note_sent(struct session *session)
{
	session->sent_us = clock_now_us();
	arm_timer(session, session->params.unread_us);
}

/* Sends what waits. 0: all is out, or the rest waits for room; < 0: the connection is broken. */
static int flush(struct session *session)
{
	ssize_t n;

	if (session->out.len == 0)
		return 0;
	n = outlet_send(&session->out, session->socket, -1);
	if (n == -EAGAIN)
		return 0;
	if (n < 0)
		return (int)n;
	note_sent(session);
	return 0;
}

static int append_reply(struct session *session, char terminator)
{
	size_t len = 0;
	const char *text = call_get_reply(session->call, &len);
	int r = text ? outlet_add(&session->out, text, len, terminator) : -ENOMEM;

	return r < 0 ? r : 1;
}

/* The descriptor is paid for: it goes unless the policy has changed its mind. As send_reply. */
static int send_charged_fd(struct session *session, char terminator)
{
	int fd = call_hand_over_fd(session->call);
	int r = append_reply(session, terminator);
	ssize_t n;

	if (r < 0 || fd < 0)
		return r;
	n = outlet_send(&session->out, session->socket, fd);
	if (n < 0)
		outlet_clear(&session->out);
	if (n == -EAGAIN)
		return 0;
	if (n == -ETOOMANYREFS || n == -ENOBUFS || n == -ENOMEM) {
		/* The kernel has no room for descriptors in flight: this call fails, the connection goes on. */
		call_refuse_fd(session->call, "DescriptorsInFlight");
		return append_reply(session, terminator);
	}
	if (n < 0)
		return (int)n;
	unread_set(&session->unread);
	note_sent(session);
	return 1;
}

/* The client has read all there was: the descriptor may go, with the first byte of its reply. As send_reply. */
static int send_reply_with_fd(struct session *session, char terminator)
{
	int r;

	if (!unread_charge(&session->unread)) {
		call_refuse_fd(session->call, "DescriptorsInFlight");
		return append_reply(session, terminator);
	}
	r = send_charged_fd(session, terminator);
	if (!session->unread.has_fd)
		unread_discharge(&session->unread);
	return r;
}

static bool has_room_for_events(const struct session *session)
{
	return session->out.len < LIMIT_EVENTS_BYTES;
}

static void put_events(struct session *session)
{
	char terminator = frame_terminator(session->in.mode);
	int r = 0;

	while (r == 0 && call_has_event(session->call) && has_room_for_events(session))
		r = call_put_event(session->call, &session->out, terminator);
}

/* Events are sent when what is being done is done: the race is not to wait for them. */
static void on_call_event(struct call *call, void *arg)
{
	struct session *session = arg;

	(void)call;
	/* A descriptor that was read is not to count until these are read, too. */
	unread_update(&session->unread);
	put_events(session);
	if (session->out.len > 0)
		event_active(session->writable, EV_WRITE, 0);
}

/*
 * Puts the finished call's reply into the output, or, when it carries a descriptor, sends it on its own. 1: done with it;
 * 0: it has to wait until the client has read the descriptor before; < 0: the connection is broken.
 */
static int send_reply(struct session *session)
{
	char terminator = frame_terminator(session->in.mode);
	size_t len = 0;
	const char *text = call_get_reply(session->call, &len);
	int r;

	if (!text)
		return call_wants_reply(session->call) ? -ENOMEM : 1;
	if (call_has_event(session->call) && !has_room_for_events(session))
		return 0; /* how many were lost is told first */
	put_events(session);
	if (!call_has_fd(session->call)) {
		r = outlet_add(&session->out, text, len, terminator);
		return r < 0 ? r : 1;
	}
	r = flush(session);
	if (r < 0)
		return r;
	unread_update(&session->unread);
	if (session->unread.has_fd || session->out.len > 0)
		return 0;
	if (call_has_told(session->call) && unread_has_bytes(&session->unread))
		return 0;
	return send_reply_with_fd(session, terminator);
}

/*
 * The connection will not be read any more; it stays while its descriptor is unread, and while it cannot be closed but in
 * the loop. May finish: return at once.
 */
static void linger(struct session *session)
{
	bool waits_for_closer = has_input(session) && closer_get_room(session->env->closer) == 0;

	assert(session->out.len == 0);
	session->next = request_free(session->next);
	unread_update(&session->unread);
	if (!session->unread.has_fd && !waits_for_closer) {
		session_finish(session);
		return;
	}
	if (session->state != SESSION_LINGERING)
		(void)shutdown(session->socket, SHUT_WR); /* once: each time is an edge */
	frame_reader_done(&session->in);
	arm_timer(session, session->params.unread_us);
	if (watch(session, SESSION_LINGERING) < 0 ||
	    (waits_for_closer && evtimer_add(session->turn, &closer_pause) < 0))
		session_finish(session);
}

static int fail_frame(struct session *session, const char *reason)
{
	CLEANUP(freep) char *text = NULL;
	size_t len;

	session->is_last = true;
	frame_reader_done(&session->in);
	text = call_format_bad_frame(reason, &len);
	return text ? outlet_add(&session->out, text, len, frame_terminator(session->in.mode))
		    : -ENOMEM;
}

static int start_call(struct session *session, const char *text, size_t len)
{
	struct call_params params = {
		.text = text,
		.len = len,
		.identity = session->identity,
		.is_control = session->params.is_control,
		.listener = session->params.listener,
		.next = TAKE_PTR(session->next),
	};
	int r = call_new(&session->call, &params, session->env);

	return r < 0 ? r : call_start(session->call, on_call_done, on_call_event, session);
}

/* Takes the next frame and begins its call. 1: finished, 0: there is none, or it runs; < 0: broken. */
static int begin_next(struct session *session)
{
	const char *text;
	size_t len;
	int r;

	if (session->env->is_draining)
		return 0;
	r = frame_reader_next(&session->in, &text, &len);
	if (r == -EMSGSIZE)
		return fail_frame(session,
				  "the message is longer than " LIMIT_REQUEST_TEXT " bytes");
	if (r == -EPROTO)
		return fail_frame(session, "a NUL byte in line mode");
	if (r <= 0)
		return r;
	session->frame_since_us = 0;
	return start_call(session, text, len);
}

static void keep_next(struct session *session)
{
	session->next = call_take_next(session->call);
	if (!session->next)
		return;
	session->next_until_us = clock_now_us() + session->params.next_us;
	arm_timer(session, session->params.next_us);
}

/* Finishes the call whose reply is due. As send_reply. */
static int end_call(struct session *session)
{
	int r = send_reply(session);

	if (r <= 0)
		return r;
	session->is_last = session->is_last || call_closes_connection(session->call);
	keep_next(session);
	session->call = call_free(session->call);
	return 1;
}

/*
 * Goes on as far as it can: the reply that is due, then the next calls, at most LIMIT_CALLS_PER_TURN, then one write.
 * reply_due: session->call is finished. May finish the session: return at once.
 */
static void proceed(struct session *session, bool reply_due)
{
	int r = reply_due ? end_call(session) : 1;
	int n_calls = 0;

	while (r > 0 && !session->is_last && n_calls++ < LIMIT_CALLS_PER_TURN) {
		r = begin_next(session);
		if (r > 0)
			r = end_call(session);
	}
	if (r >= 0)
		r = flush(session) < 0 ? -EPIPE : 0;
	if (r < 0) {
		session_end(session);
		return;
	}
	if (session->call || session->out.len > 0) {
		r = watch(session, SESSION_BUSY);
	} else if (session->is_last) {
		linger(session);
		return;
	} else {
		if (!frame_reader_is_partial(&session->in))
			session->frame_since_us = 0;
		else if (session->frame_since_us == 0)
			session->frame_since_us = clock_now_us();
		if (session->frame_since_us > 0)
			arm_timer(session, session->params.frame_us);
		r = watch(session, SESSION_READING);
		if (r == 0 && n_calls > LIMIT_CALLS_PER_TURN)
			r = evtimer_add(session->turn, &next_turn);
	}
	if (r < 0)
		session_end(session);
}

static void on_call_done(struct call *call, void *arg)
{
	(void)call;
	proceed(arg, true);
}

/* libevent looks at the clock once a turn; what it read names the turn. */
static uint64_t get_turn(const struct session *session)
{
	struct timeval now = { 0 };

	(void)event_base_gettimeofday_cached(session->env->request.base, &now);
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_usec;
}

static bool may_work(struct session *session)
{
	return quota_may_work(session->env->request.quota, session->identity.peer_uid,
			      get_turn(session), &session->served_round);
}

/* proceed() with what the client sent, on its user's account. The session may be gone afterwards. */
static void work(struct session *session)
{
	struct quota *quota = session->env->request.quota;
	uid_t uid = session->identity.peer_uid;
	uint64_t begin_us = clock_now_us();

	proceed(session, false);
	quota_add_work(quota, uid, clock_now_us() - begin_us);
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct session *session = arg;

	(void)fd;
	(void)what;
	if (session->state == SESSION_LINGERING) {
		linger(session);
		return;
	}
	if (session->state != SESSION_READING)
		return;
	if (may_work(session))
		work(session);
	else if (evtimer_add(session->turn, &next_turn) < 0)
		session_end(session);
}

/* Into the buffer: as inlet_receive, and -EPERM when another user goes on in the middle of a frame. */
static ssize_t receive(struct session *session)
{
	bool is_partial = frame_reader_is_partial(&session->in);
	char *space;
	size_t size;
	ssize_t n;
	uid_t uid;
	int r = frame_reader_get_space(&session->in, &space, &size);

	if (r < 0)
		return r;
	n = inlet_receive(session->socket, space, size, session->env->closer, &uid);
	if (n <= 0)
		return n;
	if (is_partial && uid != session->identity.message_uid)
		return -EPERM;
	session->identity.message_uid = uid;
	frame_reader_add(&session->in, (size_t)n);
	return n;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct session *session = arg;
	ssize_t n;

	(void)fd;
	(void)what;
	if (session->state == SESSION_BUSY) {
		if (watch_end(session, session->out.len > 0) < 0)
			session_end(session);
		return;
	}
	if (session->env->is_draining) {
		(void)event_del(session->readable); /* what comes now is for the next daemon */
		return;
	}
	if (event_pending(session->turn, EV_TIMEOUT, NULL))
		return; /* complete frames are left from before: they come first */
	if (!may_work(session))
		return; /* still readable in the next turn */
	n = receive(session);
	if (n == -EAGAIN || n == -EINTR)
		return;
	if (n == -EBUSY) {
		/* Nothing may be received that cannot be closed elsewhere: look again soon, without spinning. */
		(void)event_del(session->readable);
		if (evtimer_add(session->turn, &closer_pause) < 0)
			session_end(session);
		return;
	}
	if (n < 0) {
		session_end(session);
		return;
	}
	if (n == 0)
		session->is_last = true;
	work(session);
}

static void on_ended(evutil_socket_t fd, short what, void *arg)
{
	struct session *session = arg;
	struct pollfd poll_fd = { .fd = session->socket };

	(void)fd;
	(void)what;
	if (poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLHUP | POLLERR)))
		session_end(session);
	/* else: half-closed. What was sent before is still answered; the end is read when its turn comes. */
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct session *session = arg;

	(void)fd;
	(void)what;
	if (flush(session) < 0) {
		session_end(session);
		return;
	}
	unread_update(&session->unread);
	if (session->state == SESSION_LINGERING)
		linger(session);
	else if (session->call && call_is_finished(session->call))
		proceed(session, true);
	else if (!session->call && session->out.len == 0)
		proceed(session, false);
	else if (watch(session, SESSION_BUSY) < 0)
		session_end(session);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct session *session = arg;
	uint64_t now_us = clock_now_us(), due_us = get_due(session);

	(void)fd;
	(void)what;
	if (session->next && session->next_until_us <= now_us)
		session->next = request_free(session->next);
	if (session->state == SESSION_LINGERING) {
		linger(session);
		return;
	}
	if (due_us <= now_us) {
		session_end(session);
		return;
	}
	if (session->next && session->next_until_us < due_us)
		due_us = session->next_until_us;
	if (due_us < UINT64_MAX)
		arm_timer(session, due_us - now_us);
}
