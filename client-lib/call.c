/* SPDX-License-Identifier: MIT */
/*
 * One call at a time over one connection, driven by whoever polls.
 *
 *   IDLE ──start──► CONNECTING ──► SENDING ──► RECEIVING ──► FINISHED ──start──► SENDING …
 *     ▲               │ (only while the     │   ▲    │   │
 *     │               │ queue is full)      │ TELLING  │     (with "more": an answer before the last)
 *     │                                     ▼          ▼
 *     └──cancel── any state               BROKEN ◄─────┘     (connection closed)
 *
 * The library owns the connection's descriptor, the received descriptor until it is taken, and all
 * text. It promises that nothing waits, that every descriptor that comes is handed over or closed,
 * and that a broken connection is never used again. What the answer means is left to result.c.
 */
#include "client-lib/call.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "client-lib/descriptor.h"
#include "client-lib/inbox.h"
#include "client-lib/internal.h"
#include "client-lib/path.h"

#define REQUEST_MAX	       65536	/* bytes; the daemon reads no more */
#define DEFAULT_TIMEOUT_US     30000000 /* as the daemon's */
#define GRACE_US	       2000000	/* for the daemon's own answer that the time ran out */
#define FIRST_RETRY_DELAY_US   500   /* while the daemon's queue of new connections is full … */
#define LONGEST_RETRY_DELAY_US 50000 /* … doubled up to this */

enum call_state {
	CALL_IDLE,
	CALL_CONNECTING,
	CALL_SENDING,
	CALL_RECEIVING,
	CALL_TELLING,
	CALL_FINISHED,
	CALL_BROKEN
};

struct asock_call {
	char *socket_path;
	uint64_t timeout_us; /* 0: as the parameters say */

	enum call_state state;
	int status; /* BROKEN: why */
	int fd;	    /* the connection */
	uint64_t deadline_us;
	uint64_t retry_us; /* CONNECTING: when to try next */
	uint64_t retry_delay_us;

	char *request;
	size_t request_len;
	size_t request_sent;
	json_t *request_parameters; /* what was asked for decides which descriptor may come */
	bool wants_more;	    /* answers before the last one are welcome */
	struct inbox inbox;

	json_t *reply;	  /* TELLING, FINISHED: the whole message; "parameters" is in it */
	char *reply_text; /* made when first asked for */
	int reply_fd;
};

static bool call_is_running(const struct asock_call *call)
{
	return call->state == CALL_CONNECTING || call->state == CALL_SENDING ||
	       call->state == CALL_RECEIVING || call->state == CALL_TELLING;
}

static void call_close(struct asock_call *call)
{
	call->fd = close_fd(call->fd);
	inbox_clear(&call->inbox);
}

static void call_forget_reply(struct asock_call *call)
{
	json_decref(call->reply);
	call->reply = NULL;
	free(call->reply_text);
	call->reply_text = NULL;
	call->reply_fd = close_fd(call->reply_fd);
}

static void call_forget(struct asock_call *call)
{
	free(call->request);
	call->request = NULL;
	json_decref(call->request_parameters);
	call->request_parameters = NULL;
	call_forget_reply(call);
}

ASOCK_PUBLIC int asock_call_new(struct asock_call **ret, const char *socket_path)
{
	CLEANUP(asock_call_freep) struct asock_call *call = NULL;
	int r;

	if (!ret)
		return -EINVAL;
	call = calloc(1, sizeof(*call));
	if (!call)
		return -ENOMEM;
	call->fd = -1;
	call->reply_fd = -1;
	if (socket_path) {
		call->socket_path = strdup(socket_path);
		if (!call->socket_path)
			return -ENOMEM;
	} else {
		r = asock_find_socket_path(&call->socket_path);
		if (r < 0)
			return r;
	}
	r = path_check(call->socket_path);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(call);
	return 0;
}

ASOCK_PUBLIC struct asock_call *asock_call_free(struct asock_call *call)
{
	if (!call)
		return NULL;
	asock_call_cancel(call);
	inbox_done(&call->inbox);
	free(call->socket_path);
	free(call);
	return NULL;
}

ASOCK_PUBLIC void asock_call_cancel(struct asock_call *call)
{
	if (!call)
		return;
	call_close(call);
	call_forget(call);
	call->state = CALL_IDLE;
}

ASOCK_PUBLIC int asock_call_set_timeout(struct asock_call *call, uint64_t timeout_us)
{
	if (!call)
		return -EINVAL;
	if (call_is_running(call))
		return -EBUSY;
	call->timeout_us = timeout_us;
	return 0;
}

static uint64_t call_default_timeout(json_t *parameters)
{
	json_int_t asked = json_integer_value(json_object_get(parameters, "timeoutUsec"));

	return add_us(asked > 0 ? (uint64_t)asked : DEFAULT_TIMEOUT_US, GRACE_US);
}

/* The text of the request, NUL included. */
static int call_format(struct asock_call *call, const char *method, json_t *parameters)
{
	json_t *message = json_pack("{s:s, s:O*}", "method", method, "parameters", parameters);

	if (!message)
		return -EINVAL;
	if (call->wants_more && json_object_set_new(message, "more", json_true()) < 0) {
		json_decref(message);
		return -ENOMEM;
	}
	call->request = json_dumps(message, JSON_COMPACT);
	json_decref(message);
	if (!call->request)
		return -ENOMEM;
	call->request_len = strlen(call->request) + 1;
	call->request_sent = 0;
	return call->request_len <= REQUEST_MAX ? 0 : -EMSGSIZE;
}

/*
 * Whether the connection of the call before can carry another one: open, and silent as it should
 * be.
 */
static bool call_can_reuse(const struct asock_call *call)
{
	char byte;

	if (call->fd < 0)
		return false;
	return recv(call->fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

/* Ends in SENDING, or in CONNECTING when the daemon's queue is full. */
static int call_connect(struct asock_call *call)
{
	CLEANUP(fd_closep) int fd = path_connect(call->socket_path);
	int r;

	if (fd == -EAGAIN) {
		call->retry_us = add_us(now_us(), call->retry_delay_us);
		call->retry_delay_us *= 2;
		if (call->retry_delay_us > LONGEST_RETRY_DELAY_US)
			call->retry_delay_us = LONGEST_RETRY_DELAY_US;
		call->state = CALL_CONNECTING;
		return 0;
	}
	if (fd < 0)
		return fd;
	r = path_check_peer(fd);
	if (r < 0)
		return r;
	call->fd = take_fd(&fd);
	call->state = CALL_SENDING;
	return 0;
}

static int call_begin(struct asock_call *call, const char *method, json_t *parameters,
		      bool wants_more)
{
	uint64_t timeout_us;
	int r;

	if (call_is_running(call))
		return -EBUSY;
	call_forget(call);
	call->state = CALL_IDLE;
	call->wants_more = wants_more;
	r = call_format(call, method, parameters);
	if (r < 0)
		return r;
	call->request_parameters = json_incref(parameters);
	timeout_us = call->timeout_us ? call->timeout_us : call_default_timeout(parameters);
	call->deadline_us = add_us(now_us(), timeout_us);
	if (call_can_reuse(call)) {
		call->state = CALL_SENDING;
		return 0;
	}
	call_close(call);
	call->retry_delay_us = FIRST_RETRY_DELAY_US;
	return call_connect(call);
}

int call_start(struct asock_call *call, const char *method, json_t *parameters)
{
	return call_begin(call, method, parameters, false);
}

static int call_start_text(struct asock_call *call, const char *method, const char *parameters,
			   bool wants_more)
{
	json_t *object = NULL;
	int r;

	if (!call || !method || !method[0])
		return -EINVAL;
	if (parameters) {
		object = json_loads(parameters, JSON_REJECT_DUPLICATES, NULL);
		if (!json_is_object(object)) {
			json_decref(object);
			return -EINVAL;
		}
	}
	r = call_begin(call, method, object, wants_more);
	json_decref(object);
	return r;
}

ASOCK_PUBLIC int asock_call_start(struct asock_call *call, const char *method,
				  const char *parameters)
{
	return call_start_text(call, method, parameters, false);
}

ASOCK_PUBLIC int asock_call_start_more(struct asock_call *call, const char *method,
				       const char *parameters)
{
	return call_start_text(call, method, parameters, true);
}

ASOCK_PUBLIC int asock_call_fd(const struct asock_call *call)
{
	return call ? call->fd : -1;
}

ASOCK_PUBLIC short asock_call_events(const struct asock_call *call)
{
	if (!call)
		return 0;
	switch (call->state) {
	case CALL_SENDING:
		return POLLOUT;
	case CALL_RECEIVING:
	case CALL_TELLING:
		return POLLIN;
	case CALL_IDLE:
	case CALL_CONNECTING:
	case CALL_FINISHED:
	case CALL_BROKEN:
		break;
	}
	return 0;
}

ASOCK_PUBLIC uint64_t asock_call_timeout(const struct asock_call *call)
{
	uint64_t wanted;
	uint64_t now;

	if (!call || !call_is_running(call))
		return UINT64_MAX;
	/* The next answer may be here already, and then nothing more comes to wake up for. */
	if (call->state == CALL_TELLING)
		return 0;
	wanted = call->deadline_us;
	if (call->state == CALL_CONNECTING && call->retry_us < wanted)
		wanted = call->retry_us;
	if (wanted == UINT64_MAX)
		return UINT64_MAX;
	now = now_us();
	return wanted > now ? wanted - now : 0;
}

/* Ends in RECEIVING once all is sent: 1 while it is not. */
static int call_send(struct asock_call *call)
{
	while (call->request_sent < call->request_len) {
		ssize_t n =
			send(call->fd, call->request + call->request_sent,
			     call->request_len - call->request_sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n >= 0) {
			call->request_sent += (size_t)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN)
			return 1;
		/*
		 * A daemon that refuses a client answers and closes without reading: its answer may
		 * be here.
		 */
		if (errno == EPIPE || errno == ECONNRESET)
			break;
		return -errno;
	}
	call->state = CALL_RECEIVING;
	return 0;
}

/*
 * Takes the descriptor that the answer names, if it names one; all others are closed by
 * inbox_clear().
 */
static int call_adopt_descriptor(struct asock_call *call, const json_t *parameters)
{
	const json_t *index = json_object_get(parameters, "fileDescriptor");
	const json_t *protocol = json_object_get(call->request_parameters, "protocol");
	CLEANUP(fd_closep) int fd = -1;
	int r;

	if (!index || json_is_null(index))
		return 0;
	if (!json_is_integer(index) || json_integer_value(index) < 0)
		return -EPROTO;
	fd = inbox_take_fd(&call->inbox, (size_t)json_integer_value(index));
	if (fd < 0)
		return fd;
	r = descriptor_check(fd, parameters, json_string_value(protocol));
	if (r < 0)
		return r;
	call->reply_fd = take_fd(&fd);
	return 0;
}

/* Makes sure that there are parameters. */
static int call_check_reply(struct asock_call *call)
{
	json_t *error = json_object_get(call->reply, "error");
	json_t *parameters = json_object_get(call->reply, "parameters");

	if (!json_is_object(call->reply) ||
	    (error && !json_is_null(error) && !json_is_string(error)))
		return -EPROTO;
	if (!parameters || json_is_null(parameters)) {
		parameters = json_object();
		if (json_object_set_new(call->reply, "parameters", parameters) < 0)
			return -ENOMEM;
	}
	return json_is_object(parameters) ? 0 : -EPROTO;
}

/* An answer before the last one. An error is always the last, and a descriptor comes with that. */
static int call_tell(struct asock_call *call)
{
	if (!call->wants_more || asock_call_get_error_name(call) || inbox_has_fds(&call->inbox))
		return -EPROTO;
	inbox_drop(&call->inbox);
	call->state = CALL_TELLING;
	return 2;
}

/*
 * Makes an answer of the message in the inbox. Unknown members are left alone: newer daemons may
 * have more.
 */
static int call_read_reply(struct asock_call *call)
{
	int r;

	call->reply = json_loadb(call->inbox.data, call->inbox.len, JSON_REJECT_DUPLICATES, NULL);
	r = call_check_reply(call);
	if (r < 0)
		return r;
	if (json_is_true(json_object_get(call->reply, "continues")))
		return call_tell(call);
	/* Nothing else was asked for, so nothing may come behind. */
	if (inbox_has_rest(&call->inbox))
		return -EPROTO;
	if (!asock_call_get_error_name(call)) {
		r = call_adopt_descriptor(call, call_get_parameters(call));
		if (r < 0)
			return r;
	}
	inbox_clear(&call->inbox);
	call->state = CALL_FINISHED;
	return 0;
}

/* 1: not finished; 2: nor that, but an answer is there. */
static int call_advance(struct asock_call *call)
{
	int r;

	if (call->state == CALL_CONNECTING) {
		if (now_us() < call->retry_us)
			return 1;
		r = call_connect(call);
		if (r < 0)
			return r;
		if (call->state == CALL_CONNECTING)
			return 1;
	}
	if (call->state == CALL_SENDING) {
		r = call_send(call);
		if (r != 0)
			return r;
	}
	call_forget_reply(call); /* what was told before */
	call->state = CALL_RECEIVING;
	r = inbox_receive(&call->inbox, call->fd);
	if (r != 0)
		return r;
	return call_read_reply(call);
}

ASOCK_PUBLIC int asock_call_process(struct asock_call *call)
{
	int r;

	if (!call || call->state == CALL_IDLE)
		return -EINVAL;
	if (call->state == CALL_FINISHED)
		return 0;
	if (call->state == CALL_BROKEN)
		return call->status;
	r = call_advance(call);
	if (r > 0 && now_us() >= call->deadline_us)
		r = -ETIMEDOUT;
	if (r < 0) {
		call_close(call);
		call_forget(call);
		call->state = CALL_BROKEN;
		call->status = r;
	}
	return r;
}

int call_wait(struct asock_call *call)
{
	for (;;) {
		struct pollfd poll_fd;
		struct timespec limit;
		uint64_t timeout_us;
		int r = asock_call_process(call);

		if (r <= 0)
			return r;
		timeout_us = asock_call_timeout(call);
		limit.tv_sec = (time_t)(timeout_us / 1000000);
		limit.tv_nsec = (long)(timeout_us % 1000000) * 1000;
		poll_fd.fd = asock_call_fd(call);
		poll_fd.events = asock_call_events(call);
		r = ppoll(&poll_fd, 1, timeout_us == UINT64_MAX ? NULL : &limit, NULL);
		if (r < 0 && errno != EINTR)
			return -errno;
	}
}

json_t *call_get_parameters(const struct asock_call *call)
{
	return json_object_get(call->reply, "parameters");
}

ASOCK_PUBLIC const char *asock_call_get_error_name(const struct asock_call *call)
{
	return call ? json_string_value(json_object_get(call->reply, "error")) : NULL;
}

ASOCK_PUBLIC const char *asock_call_get_reply(struct asock_call *call)
{
	if (!call || !call->reply)
		return NULL;
	if (!call->reply_text)
		call->reply_text = json_dumps(call_get_parameters(call), JSON_COMPACT);
	return call->reply_text;
}

ASOCK_PUBLIC int asock_call_take_fd(struct asock_call *call)
{
	if (!call || call->reply_fd < 0)
		return -ENOENT;
	return take_fd(&call->reply_fd);
}
