/* SPDX-License-Identifier: MIT */
/*
 * Operation: one non-blocking connect(2), and where that is asked for the wait for the first byte of
 * the peer. It has no time limit of its own: the race decides how long it may take.
 */
#pragma once

#include "daemon/connect/sockopts.h"
#include "protocol/address.h"

struct attempt;
struct event_base;

struct attempt_params {
	struct endpoint endpoint;
	enum transport transport;
	const struct sockopts *options; /* NULL: none; used in start only */
	/*
	 * Not the handshake makes a connection but the first byte of the peer, which stays in the
	 * socket. TCP without Fast Open only, else the attempt fails with -EOPNOTSUPP. A peer that ends the connection
	 * without a byte: -ECONNRESET, however it ended it.
	 */
	bool until_first_byte;
};

/* status 0: connected, take the descriptor; else -errno. */
typedef void attempt_done_fn(struct attempt *attempt, int status, void *arg);

MUST_CHECK int attempt_new(struct attempt **ret, const struct attempt_params *params,
			   struct event_base *base);
/*
 * Errors of socket(), of the options and of connect() itself also come through done, not from here;
 * < 0: out of memory.
 */
MUST_CHECK int attempt_start(struct attempt *attempt, attempt_done_fn *done, void *arg);
void attempt_cancel(struct attempt *attempt); /* closes the socket */
struct attempt *attempt_free(struct attempt *attempt);
DEFINE_CLEANUP(struct attempt, attempt_free)

/*
 * Where it goes out from, as soon as it is started; and after done with status 0, or over TCP as soon
 * as the kernel has the connection, the round trip of the handshake: 0 where the kernel has no sample that is one (a SYN that was sent twice, UDP).
 * -ENOTCONN: there is no socket, or it has been taken, or (round trip) nothing has been sent yet, as
 * with Fast Open: who is connected so has learnt nothing of the address.
 */
MUST_CHECK int attempt_get_local(const struct attempt *attempt, struct endpoint *ret);
MUST_CHECK int attempt_get_rtt(const struct attempt *attempt, uint32_t *ret_rtt_us,
			       uint32_t *ret_rttvar_us);

/*
 * After done with an error: the socket option (as in SocketOptions) that the kernel would not have,
 * static; NULL: that was not the reason.
 */
const char *attempt_get_failed_option(const struct attempt *attempt);

/* The connected, non-blocking, close-on-exec socket; -1 when there is none. */
int attempt_take_fd(struct attempt *attempt);
