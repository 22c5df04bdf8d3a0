/* SPDX-License-Identifier: MIT */
/*
 * Exchanges over real connections to a peer on loopback that the test drives step by step. What is waited for is always
 * something that happens; only limits of time, made short, pass by themselves.
 */
#include "daemon/resolve/dns-stream.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/support/stream_peer.h"
#include "tests/support/suite.h"
#include "tests/support/tcp_peer.h"
#include "tests/support/tls_identity.h"

#define TYPE_A	      1
#define HEADER_BYTES  12
#define QUESTIONS_MAX 400
#define WAIT_SEC      15
#define SHORT_US      50000
#define UNDER_WAY     32 /* the default limits */
#define PER_SERVER    2
#define WAITING	      256
#define RESERVED      16
#define STRAYS	      16
#define TLS_NAME      "dns.example"
#define N_ALLOCATIONS 64 /* of one exchange, above any */

/* ---- allocations of our own sources, which can be made to fail ---- */

void *__real_calloc(size_t n, size_t size);
void *__real_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t size);

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

void *__wrap_malloc(size_t size)
{
	return must_fail() ? NULL : __real_malloc(size);
}

/* ---- rig ---- */

struct rig;

struct question {
	struct rig *rig;
	struct dns_exchange *exchange;
	unsigned int n_done;
	int status;
	bool is_tls;
	bool is_confidential;
	void (*in_done)(struct question *question); /* after the rest is noted */
};

/* One loop, one peer, the streams, and any number of questions to the peer. */
struct rig {
	struct event_base *base;
	struct event *limit;
	bool expired;
	struct stream_peer *peer;
	struct dns_streams *streams;
	struct name_server server;
	struct question questions[QUESTIONS_MAX];
	bool in_start;
	struct tls_identity *authority;
	struct tls_identity *identity;
};

/* Runs the loop until the condition is true. */
#define WAIT_FOR(rig, condition)                                                        \
	do {                                                                            \
		while (!(condition) && !(rig)->expired)                                 \
			ck_assert_int_ge(event_base_loop((rig)->base, EVLOOP_ONCE), 0); \
		ck_assert_msg((condition), "%s never came true", #condition);           \
	} while (0)

static void on_limit(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	*(bool *)arg = true;
}

static void rig_open_tls(struct rig *rig, const struct stream_peer_params *params)
{
	const struct timeval wait = { .tv_sec = WAIT_SEC };

	/* Nothing here may depend on somebody's ignoring it. */
	ck_assert(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
	*rig = (struct rig){ .base = event_base_new() };
	ck_assert_ptr_nonnull(rig->base);
	rig->limit = evtimer_new(rig->base, on_limit, &rig->expired);
	ck_assert_ptr_nonnull(rig->limit);
	ck_assert_int_eq(evtimer_add(rig->limit, &wait), 0);
	ck_assert_int_eq(dns_streams_new(&rig->streams, rig->base), 0);
	rig->peer = stream_peer_new(rig->base, params);
	rig->server.endpoint = stream_peer_endpoint(rig->peer);
	for (size_t i = 0; i < QUESTIONS_MAX; i++)
		rig->questions[i].rig = rig;
}

static void rig_open(struct rig *rig)
{
	rig_open_tls(rig, &(struct stream_peer_params){ 0 });
}

static void rig_close(struct rig *rig)
{
	for (size_t i = 0; i < QUESTIONS_MAX; i++)
		rig->questions[i].exchange = dns_exchange_free(rig->questions[i].exchange);
	rig->streams = dns_streams_free(rig->streams);
	rig->peer = stream_peer_free(rig->peer);
	event_free(rig->limit);
	event_base_free(rig->base);
	rig->authority = tls_identity_free(rig->authority);
	rig->identity = tls_identity_free(rig->identity);
}

static struct dns_stream_limits rig_get_limits(const struct rig *rig)
{
	return *dns_streams_get_limits(rig->streams);
}

/* The i-th question's message, made here so that nothing but the peer's bytes is compared with it. */
static size_t build_question(size_t i, char *name, size_t name_size, uint8_t *message)
{
	static const uint8_t header[HEADER_BYTES] = { 0, 0, 1, 0, 0, 1 };
	uint8_t *at = message + HEADER_BYTES;
	int len = snprintf(name, name_size, "q%zu.example", i);
	size_t label_len = (size_t)len - strlen(".example");

	memcpy(message, header, sizeof(header));
	*at++ = (uint8_t)label_len;
	memcpy(at, name, label_len);
	at += label_len;
	memcpy(at, "\7example\0\0\1\0\1", 13);
	return (size_t)(at + 13 - message);
}

static int rig_make(struct rig *rig, size_t i)
{
	uint8_t message[STREAM_PEER_QUESTION_BYTES];
	char name[64];
	size_t len = build_question(i, name, sizeof(name), message);
	struct dns_exchange_params params = {
		.server = &rig->server,
		.name = name,
		.type = TYPE_A,
		.message = message,
		.len = len,
	};

	return dns_exchange_new(&rig->questions[i].exchange, &params, rig->streams);
}

static void on_done(struct dns_exchange *exchange, int status, void *arg)
{
	struct question *question = arg;

	ck_assert(!question->rig->in_start);
	ck_assert_ptr_eq(exchange, question->exchange);
	question->n_done++;
	question->status = status;
	question->is_tls = dns_exchange_is_tls(exchange);
	question->is_confidential = dns_exchange_is_confidential(exchange);
	if (question->in_done)
		question->in_done(question);
}

static int rig_start(struct rig *rig, size_t i)
{
	int r;

	rig->in_start = true;
	r = dns_exchange_start(rig->questions[i].exchange, on_done, &rig->questions[i]);
	rig->in_start = false;
	return r;
}

/* Asks question i. */
static void rig_ask(struct rig *rig, size_t i)
{
	ck_assert_int_eq(rig_make(rig, i), 0);
	ck_assert_int_eq(rig_start(rig, i), 0);
}

static void rig_wait_questions(struct rig *rig, size_t n)
{
	WAIT_FOR(rig, stream_peer_get_n_questions(rig->peer) >= n);
	ck_assert_uint_eq(stream_peer_get_n_questions(rig->peer), n);
}

static void rig_wait_done(struct rig *rig, size_t i, int status)
{
	WAIT_FOR(rig, rig->questions[i].n_done > 0);
	ck_assert_int_eq(rig->questions[i].status, status);
	ck_assert_uint_eq(rig->questions[i].n_done, 1);
}

static uint16_t question_id(const struct rig *rig, size_t seen)
{
	const struct stream_question *question = stream_peer_get_question(rig->peer, seen);

	return (uint16_t)(question->bytes[0] << 8 | question->bytes[1]);
}

/* That question i was answered, by what it asked. */
static void assert_answered(struct rig *rig, size_t i)
{
	uint8_t message[STREAM_PEER_QUESTION_BYTES];
	const uint8_t *reply;
	char name[64];
	size_t len = build_question(i, name, sizeof(name), message), reply_len;

	rig_wait_done(rig, i, 0);
	reply = dns_exchange_get_reply(rig->questions[i].exchange, &reply_len);
	ck_assert_uint_eq(reply_len, len);
	ck_assert_mem_eq(reply + HEADER_BYTES, message + HEADER_BYTES, len - HEADER_BYTES);
}

/* Asks question i, which the peer sees as its seen-th, and has it answered. */
static void rig_exchange(struct rig *rig, size_t i, size_t seen)
{
	rig_ask(rig, i);
	rig_wait_questions(rig, seen + 1);
	stream_peer_answer(rig->peer, seen);
	assert_answered(rig, i);
}

static void rig_free_question(struct rig *rig, size_t i)
{
	rig->questions[i].exchange = dns_exchange_free(rig->questions[i].exchange);
}

/* What the loop has to do at once. */
static void rig_settle(struct rig *rig)
{
	for (int i = 0; i < 10; i++)
		ck_assert_int_ge(event_base_loop(rig->base, EVLOOP_NONBLOCK), 0);
}

/* ---- TCP ---- */

START_TEST(questions_share_a_connection_and_replies_come_in_any_order)
{
	struct rig rig;

	rig_open(&rig);
	rig_ask(&rig, 0);
	rig_ask(&rig, 1);
	rig_wait_questions(&rig, 2);
	ck_assert_uint_eq(stream_peer_get_n_accepted(rig.peer), 1);
	ck_assert_uint_ne(question_id(&rig, 0), question_id(&rig, 1));
	stream_peer_answer(rig.peer, 1);
	assert_answered(&rig, 1);
	ck_assert_uint_eq(rig.questions[0].n_done, 0);
	stream_peer_answer(rig.peer, 0);
	assert_answered(&rig, 0);
	ck_assert(!rig.questions[0].is_tls && !rig.questions[0].is_confidential);
	rig_close(&rig);
}
END_TEST

START_TEST(a_second_exchange_opens_no_connection)
{
	struct rig rig;

	rig_open(&rig);
	for (size_t i = 0; i < 3; i++)
		rig_exchange(&rig, i, i);
	ck_assert_uint_eq(stream_peer_get_n_accepted(rig.peer), 1);
	rig_close(&rig);
}
END_TEST

START_TEST(ids_cannot_be_told_in_advance)
{
	unsigned int same = 0;
	struct rig rig;

	rig_open(&rig);
	for (size_t i = 0; i < 20; i++)
		rig_exchange(&rig, i, i);
	for (size_t i = 1; i < 20; i++)
		same += (uint16_t)(question_id(&rig, i) - question_id(&rig, i - 1)) ==
			(uint16_t)(question_id(&rig, 1) - question_id(&rig, 0));
	ck_assert_uint_lt(same, 5);
	rig_close(&rig);
}
END_TEST

START_TEST(an_idle_connection_is_closed)
{
	struct dns_stream_limits limits;
	struct rig rig;

	rig_open(&rig);
	limits = rig_get_limits(&rig);
	limits.idle_us = SHORT_US;
	dns_streams_set_limits(rig.streams, &limits);
	rig_exchange(&rig, 0, 0);
	WAIT_FOR(&rig, stream_peer_is_closed(rig.peer, 0));
	rig_exchange(&rig, 1, 1);
	ck_assert_uint_eq(stream_peer_get_n_accepted(rig.peer), 2);
	rig_close(&rig);
}
END_TEST

START_TEST(a_connection_in_use_stays)
{
	struct dns_stream_limits limits;
	struct rig rig;

	rig_open(&rig);
	limits = rig_get_limits(&rig);
	ck_assert_uint_eq(limits.idle_us, 10000000);
	limits.idle_us = SHORT_US;
	limits.connect_us = 5 * SHORT_US;
	dns_streams_set_limits(rig.streams, &limits);
	rig_ask(&rig, 0);
	rig_wait_questions(&rig, 1);
	suite_loop_for(rig.base, 6 * SHORT_US / 1000); /* longer than connecting may take */
	stream_peer_answer(rig.peer, 0);
	assert_answered(&rig, 0);
	rig_ask(&rig, 1);
	rig_wait_questions(&rig, 2);
	suite_loop_for(rig.base, 2 * SHORT_US / 1000);
	ck_assert(!stream_peer_is_closed(rig.peer, 0));
	stream_peer_answer(rig.peer, 1);
	assert_answered(&rig, 1);
	rig_close(&rig);
}
END_TEST

START_TEST(close_idle_closes_what_nobody_uses)
{
	struct rig rig;

	rig_open(&rig);
	dns_streams_close_idle(rig.streams);
	rig_exchange(&rig, 0, 0);
	dns_streams_close_idle(rig.streams);
	WAIT_FOR(&rig, stream_peer_is_closed(rig.peer, 0));
	/* One in use stays until that is over, and takes nothing new. */
	rig_ask(&rig, 1);
	rig_wait_questions(&rig, 2);
	dns_streams_close_idle(rig.streams);
	rig_ask(&rig, 2);
	rig_wait_questions(&rig, 3);
	ck_assert_uint_eq(stream_peer_get_question(rig.peer, 2)->connection, 2);
	stream_peer_answer(rig.peer, 1);
	assert_answered(&rig, 1);
	WAIT_FOR(&rig, stream_peer_is_closed(rig.peer, 1));
	stream_peer_answer(rig.peer, 2);
	assert_answered(&rig, 2);
	rig_close(&rig);
}
END_TEST

START_TEST(the_peer_may_close_an_idle_connection)
{
	struct rig rig;

	rig_open(&rig);
	rig_exchange(&rig, 0, 0);
	stream_peer_close(rig.peer, 0);
	rig_settle(&rig); /* noticed before the next question */
	rig_exchange(&rig, 1, 1);
	stream_peer_close(rig.peer, 1);
	rig_exchange(&rig, 2, 2); /* and not noticed */
	stream_peer_reset(rig.peer, 2);
	rig_exchange(&rig, 3, 3);
	ck_assert_uint_eq(stream_peer_get_n_accepted(rig.peer), 4);
	rig_close(&rig);
}
END_TEST

START_TEST(a_question_lost_on_a_kept_connection_is_asked_once_more)
{
	struct rig rig;

	rig_open(&rig);
	rig_exchange(&rig, 0, 0);
	for (size_t i = 1; i <= 3; i++)
		rig_ask(&rig, i);
	rig_wait_questions(&rig, 4);
	stream_peer_reset(rig.peer, 0);
	rig_wait_questions(&rig, 7);
	ck_assert_uint_eq(stream_peer_get_n_accepted(rig.peer), 2);
	for (size_t i = 4; i < 7; i++)
		stream_peer_answer(rig.peer, i);
	for (size_t i = 1; i <= 3; i++)
		assert_answered(&rig, i);
	rig_close(&rig);
}
END_TEST

START_TEST(a_question_is_asked_twice_at_most)
{
	struct rig rig;

	rig_open(&rig);
	rig_exchange(&rig, 0, 0);
	rig_ask(&rig, 1);
	rig_ask(&rig, 2);
	rig_wait_questions(&rig, 3);
	stream_peer_close(rig.peer, 0);
	rig_wait_questions(&rig, 5);
	stream_peer_answer(rig.peer, 3);
	stream_peer_close(rig.peer, 1);
	assert_answered(&rig, 1);
	rig_wait_done(&rig, 2, -ECONNRESET);
	ck_assert_uint_eq(stream_peer_get_n_accepted(rig.peer), 2);
	rig_close(&rig);
}
END_TEST

START_TEST(what_is_lost_on_a_new_connection_fails)
{
	struct rig rig;

	rig_open(&rig);
	rig_ask(&rig, 0);
	rig_ask(&rig, 1);
	rig_wait_questions(&rig, 2);
	stream_peer_reset(rig.peer, 0);
	rig_wait_done(&rig, 0, -ECONNRESET);
	rig_wait_done(&rig, 1, -ECONNRESET);
	ck_assert_uint_eq(stream_peer_get_n_accepted(rig.peer), 1);
	rig_close(&rig);
}
END_TEST

START_TEST(a_server_may_close_after_each_reply)
{
	struct rig rig;

	rig_open(&rig);
	rig_ask(&rig, 0);
	rig_ask(&rig, 1);
	rig_wait_questions(&rig, 2);
	stream_peer_answer(rig.peer, 0);
	stream_peer_close(rig.peer, 0);
	assert_answered(&rig, 0);
	rig_wait_questions(&rig, 3);
	stream_peer_answer(rig.peer, 2);
	assert_answered(&rig, 1);
	rig_close(&rig);
}
END_TEST

START_TEST(a_reply_that_breaks_off_is_no_reason_to_ask_again)
{
	struct rig rig;

	rig_open(&rig);
	rig_exchange(&rig, 0, 0);
	rig_ask(&rig, 1);
	rig_wait_questions(&rig, 2);
	stream_peer_send(rig.peer, 0, "\0\40abc", 5);
	stream_peer_close(rig.peer, 0);
	rig_wait_done(&rig, 1, -ECONNRESET);
	ck_assert_uint_eq(stream_peer_get_n_accepted(rig.peer), 1);
	rig_close(&rig);
}
END_TEST

START_TEST(a_reply_may_come_byte_by_byte)
{
	uint8_t bytes[2 + STREAM_PEER_QUESTION_BYTES];
	struct rig rig;
	size_t len;

	rig_open(&rig);
	rig_ask(&rig, 0);
	rig_wait_questions(&rig, 1);
	len = stream_peer_build_answer(rig.peer, 0, bytes, sizeof(bytes));
	for (size_t i = 0; i < len; i++) {
		ck_assert_uint_eq(rig.questions[0].n_done, 0);
		stream_peer_send(rig.peer, 0, bytes + i, 1);
		rig_settle(&rig);
	}
	assert_answered(&rig, 0);
	rig_close(&rig);
}
END_TEST

START_TEST(several_replies_may_come_at_once)
{
	uint8_t bytes[4 * STREAM_PEER_QUESTION_BYTES];
	struct rig rig;
	size_t len = 0;

	rig_open(&rig);
	for (size_t i = 0; i < 3; i++)
		rig_ask(&rig, i);
	rig_wait_questions(&rig, 3);
	for (size_t i = 0; i < 3; i++)
		len += stream_peer_build_answer(rig.peer, i, bytes + len, sizeof(bytes) - len);
	/* All but the end of the last, and that with nothing else. */
	stream_peer_send(rig.peer, 0, bytes, len - 5);
	assert_answered(&rig, 0);
	assert_answered(&rig, 1);
	ck_assert_uint_eq(rig.questions[2].n_done, 0);
	stream_peer_send(rig.peer, 0, bytes + len - 5, 5);
	assert_answered(&rig, 2);
	rig_close(&rig);
}
END_TEST

START_TEST(the_longest_reply_is_read)
{
	static uint8_t bytes[2 + 65535];
	struct rig rig;
	size_t len;

	/* 0xffff bytes with a count of none: not well-formed, so a stray; but what follows it is understood. */
	rig_open(&rig);
	rig_ask(&rig, 0);
	rig_wait_questions(&rig, 1);
	len = stream_peer_build_answer(rig.peer, 0, bytes, sizeof(bytes));
	ck_assert_uint_lt(len, sizeof(bytes));
	bytes[0] = bytes[1] = 0xff;
	stream_peer_send(rig.peer, 0, bytes, sizeof(bytes));
	stream_peer_answer(rig.peer, 0);
	assert_answered(&rig, 0);
	rig_close(&rig);
}
END_TEST

START_TEST(a_message_without_a_header_is_a_protocol_error)
{
	static const char *const messages[] = { "\0\0", "\0\1a", "\0\13abcdefghijk" };

	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		struct rig rig;

		rig_open(&rig);
		rig_exchange(&rig, 0, 0);
		rig_ask(&rig, 1);
		rig_ask(&rig, 2);
		rig_wait_questions(&rig, 3);
		stream_peer_send(rig.peer, 0, messages[i], 2 + (size_t)messages[i][1]);
		rig_wait_done(&rig, 1, -EPROTO);
		rig_wait_done(&rig, 2, -EPROTO);
		ck_assert_uint_eq(stream_peer_get_n_accepted(rig.peer), 1);
		rig_close(&rig);
	}
}
END_TEST

/* Sends what answers the first question but for one byte. */
static void send_stray(struct rig *rig, size_t seen, size_t offset)
{
	uint8_t bytes[2 + STREAM_PEER_QUESTION_BYTES];
	size_t len = stream_peer_build_answer(rig->peer, seen, bytes, sizeof(bytes));

	bytes[2 + offset] ^= 1;
	stream_peer_send(rig->peer, stream_peer_get_question(rig->peer, seen)->connection, bytes,
			 len);
}

START_TEST(what_answers_nobody_is_dropped)
{
	/* The id, the name, the type, the class, and a count that makes it no message. */
	static const size_t offsets[] = {
		0, 1, HEADER_BYTES + 1, HEADER_BYTES + 13, HEADER_BYTES + 15, 5
	};
	struct rig rig;

	rig_open(&rig);
	rig_ask(&rig, 0);
	rig_wait_questions(&rig, 1);
	for (size_t i = 0; i < ARRAY_LEN(offsets); i++)
		send_stray(&rig, 0, offsets[i]);
	rig_settle(&rig);
	ck_assert_uint_eq(rig.questions[0].n_done, 0);
	stream_peer_answer(rig.peer, 0);
	assert_answered(&rig, 0);
	rig_close(&rig);
}
END_TEST

START_TEST(too_much_that_answers_nobody_ends_the_connection)
{
	struct rig rig;

	rig_open(&rig);
	rig_exchange(&rig, 0, 0);
	rig_ask(&rig, 1);
	rig_ask(&rig, 2);
	rig_wait_questions(&rig, 3);
	for (size_t i = 0; i < STRAYS - 1; i++)
		stream_peer_answer(rig.peer, 0); /* once more */
	rig_settle(&rig);
	ck_assert_uint_eq(rig.questions[1].n_done, 0);
	send_stray(&rig, 1, HEADER_BYTES + 1);
	rig_wait_done(&rig, 1, -EPROTO);
	rig_wait_done(&rig, 2, -EPROTO);
	ck_assert_uint_eq(stream_peer_get_n_accepted(rig.peer), 1);
	rig_close(&rig);
}
END_TEST

START_TEST(an_answer_is_for_its_own_question_only)
{
	uint8_t bytes[2 + STREAM_PEER_QUESTION_BYTES];
	struct rig rig;
	size_t len;

	rig_open(&rig);
	rig_ask(&rig, 0);
	rig_ask(&rig, 1);
	rig_wait_questions(&rig, 2);
	/* The first one's question under the second one's id. */
	len = stream_peer_build_answer(rig.peer, 0, bytes, sizeof(bytes));
	memcpy(bytes + 2, stream_peer_get_question(rig.peer, 1)->bytes, 2);
	stream_peer_send(rig.peer, 0, bytes, len);
	rig_settle(&rig);
	ck_assert_uint_eq(rig.questions[0].n_done + rig.questions[1].n_done, 0);
	stream_peer_answer(rig.peer, 0);
	stream_peer_answer(rig.peer, 1);
	assert_answered(&rig, 0);
	assert_answered(&rig, 1);
	rig_close(&rig);
}
END_TEST

START_TEST(a_reply_that_never_ends_is_cut_off)
{
	uint8_t bytes[2 + STREAM_PEER_QUESTION_BYTES];
	struct dns_stream_limits limits;
	struct rig rig;
	size_t len;

	rig_open(&rig);
	limits = rig_get_limits(&rig);
	ck_assert_uint_eq(limits.reply_us, 10000000);
	limits.reply_us = SHORT_US;
	dns_streams_set_limits(rig.streams, &limits);
	rig_ask(&rig, 0);
	rig_ask(&rig, 1);
	rig_wait_questions(&rig, 2);
	len = stream_peer_build_answer(rig.peer, 0, bytes, sizeof(bytes));
	stream_peer_send(rig.peer, 0, bytes, len - 1);
	rig_settle(&rig);
	stream_peer_send(rig.peer, 0, bytes + len - 1, 1);
	assert_answered(&rig, 0);
	/* That one is there, and one that has not begun is its owner's affair. */
	suite_loop_for(rig.base, 2 * SHORT_US / 1000);
	ck_assert_uint_eq(rig.questions[1].n_done, 0);
	/* A byte now and then is no life. */
	stream_peer_send(rig.peer, 0, "\x70", 1);
	while (rig.questions[1].n_done == 0 && !rig.expired) {
		suite_loop_for(rig.base, SHORT_US / 5000);
		if (!stream_peer_is_closed(rig.peer, 0))
			stream_peer_send(rig.peer, 0, "a", 1);
	}
	rig_wait_done(&rig, 1, -ETIMEDOUT);
	ck_assert_uint_eq(stream_peer_get_n_accepted(rig.peer), 1);
	rig_close(&rig);
}
END_TEST

START_TEST(a_refused_connection_is_told)
{
	struct tcp_peer *nobody;
	struct rig rig;

	rig_open(&rig);
	nobody = tcp_peer_new(rig.base, AF_INET, TCP_PEER_REFUSE);
	rig.server.endpoint = *tcp_peer_get_endpoint(nobody);
	for (size_t i = 0; i < UNDER_WAY * PER_SERVER + 5; i++)
		rig_ask(&rig, i);
	for (size_t i = 0; i < UNDER_WAY * PER_SERVER + 5; i++)
		rig_wait_done(&rig, i, -ECONNREFUSED);
	tcp_peer_free(nobody);
	rig_close(&rig);
}
END_TEST

START_TEST(what_fails_at_once_is_told_from_the_loop)
{
	struct rig rig;

	/* TCP to a group: the kernel says no in connect(). */
	rig_open(&rig);
	rig.server.endpoint.address =
		(struct address){ .family = AF_INET, .bytes = { 224, 0, 0, 1 } };
	rig_ask(&rig, 0);
	WAIT_FOR(&rig, rig.questions[0].n_done > 0);
	ck_assert_int_lt(rig.questions[0].status, 0);
	rig_close(&rig);
}
END_TEST

START_TEST(connecting_has_an_end)
{
	struct dns_stream_limits limits;
	struct tcp_peer *hole;
	struct rig rig;

	rig_open(&rig);
	limits = rig_get_limits(&rig);
	ck_assert_uint_eq(limits.connect_us, 5000000);
	limits.connect_us = SHORT_US;
	dns_streams_set_limits(rig.streams, &limits);
	hole = tcp_peer_new(rig.base, AF_INET, TCP_PEER_BLACK_HOLE);
	rig.server.endpoint = *tcp_peer_get_endpoint(hole);
	rig_ask(&rig, 0);
	rig_ask(&rig, 1);
	rig_wait_done(&rig, 0, -ETIMEDOUT);
	rig_wait_done(&rig, 1, -ETIMEDOUT);
	tcp_peer_free(hole);
	rig_close(&rig);
}
END_TEST

START_TEST(a_full_connection_gets_company_and_then_exchanges_wait)
{
	const size_t n = UNDER_WAY * PER_SERVER;
	struct rig rig;

	rig_open(&rig);
	for (size_t i = 0; i < UNDER_WAY; i++)
		rig_ask(&rig, i);
	rig_wait_questions(&rig, UNDER_WAY);
	ck_assert_uint_eq(stream_peer_get_n_accepted(rig.peer), 1);
	for (size_t i = UNDER_WAY; i < n + 2; i++)
		rig_ask(&rig, i);
	rig_wait_questions(&rig, n);
	rig_settle(&rig);
	ck_assert_uint_eq(stream_peer_get_n_questions(rig.peer), n);
	ck_assert_uint_eq(stream_peer_get_n_accepted(rig.peer), PER_SERVER);
	/* Where one ends another begins, and one that has given up waiting is passed over. */
	dns_exchange_cancel(rig.questions[n].exchange);
	stream_peer_answer(rig.peer, 40);
	rig_wait_questions(&rig, n + 1);
	ck_assert_uint_eq(stream_peer_get_question(rig.peer, n)->connection,
			  stream_peer_get_question(rig.peer, 40)->connection);
	stream_peer_answer(rig.peer, n);
	assert_answered(&rig, n + 1);
	ck_assert_uint_eq(rig.questions[n].n_done, 0);
	rig_close(&rig);
}
END_TEST

START_TEST(with_one_connection_the_33rd_exchange_waits)
{
	struct dns_stream_limits limits;
	struct rig rig;

	rig_open(&rig);
	limits = rig_get_limits(&rig);
	ck_assert_uint_eq(limits.under_way, UNDER_WAY);
	limits.connections_per_server = 1;
	dns_streams_set_limits(rig.streams, &limits);
	for (size_t i = 0; i <= UNDER_WAY; i++)
		rig_ask(&rig, i);
	rig_wait_questions(&rig, UNDER_WAY);
	rig_settle(&rig);
	ck_assert_uint_eq(stream_peer_get_n_questions(rig.peer), UNDER_WAY);
	stream_peer_answer(rig.peer, 0);
	rig_wait_questions(&rig, UNDER_WAY + 1);
	ck_assert_uint_eq(stream_peer_get_n_accepted(rig.peer), 1);
	stream_peer_answer(rig.peer, UNDER_WAY);
	assert_answered(&rig, UNDER_WAY);
	rig_close(&rig);
}
END_TEST

START_TEST(not_everybody_can_wait)
{
	const size_t n = UNDER_WAY * PER_SERVER + WAITING;
	struct rig rig;

	rig_open(&rig);
	for (size_t i = 0; i < n; i++)
		rig_ask(&rig, i);
	ck_assert_int_eq(rig_make(&rig, n), 0);
	ck_assert_int_eq(rig_start(&rig, n), -ENOBUFS);
	/* It may try again. */
	rig_free_question(&rig, n - 1);
	ck_assert_int_eq(rig_start(&rig, n), 0);
	rig_wait_questions(&rig, UNDER_WAY * PER_SERVER);
	for (size_t i = 0; i < n; i++) {
		if (i == n - 1)
			continue;
		WAIT_FOR(&rig, stream_peer_get_n_questions(rig.peer) > i);
		stream_peer_answer(rig.peer, i);
		WAIT_FOR(&rig, rig.questions[i].n_done == 1);
	}
	ck_assert_uint_eq(rig.questions[n].n_done, 0);
	stream_peer_answer(rig.peer, n - 1);
	assert_answered(&rig, n);
	rig_close(&rig);
}
END_TEST

START_TEST(a_server_may_allow_one_connection_only)
{
	struct rig rig;

	rig_open(&rig);
	for (size_t i = 0; i < UNDER_WAY; i++)
		rig_ask(&rig, i);
	rig_wait_questions(&rig, UNDER_WAY);
	stream_peer_stop_listening(rig.peer);
	for (size_t i = UNDER_WAY; i < UNDER_WAY + 3; i++)
		rig_ask(&rig, i);
	rig_settle(&rig);
	for (size_t i = 0; i < UNDER_WAY + 3; i++) {
		ck_assert_uint_eq(rig.questions[i].n_done, 0);
		WAIT_FOR(&rig, stream_peer_get_n_questions(rig.peer) > i);
		stream_peer_answer(rig.peer, i);
		assert_answered(&rig, i);
	}
	rig_close(&rig);
}
END_TEST

START_TEST(idle_connections_make_room_for_others)
{
	struct dns_stream_limits limits;
	struct stream_peer *other;
	struct name_server first;
	struct rig rig;

	rig_open(&rig);
	limits = rig_get_limits(&rig);
	limits.connections = 1;
	dns_streams_set_limits(rig.streams, &limits);
	first = rig.server;
	other = stream_peer_new(rig.base, &(struct stream_peer_params){ 0 });
	rig_exchange(&rig, 0, 0);
	rig.server.endpoint = stream_peer_endpoint(other);
	rig_ask(&rig, 1);
	WAIT_FOR(&rig, stream_peer_get_n_questions(other) == 1);
	WAIT_FOR(&rig, stream_peer_is_closed(rig.peer, 0));
	/* Now the only one is in use. */
	rig.server = first;
	rig_ask(&rig, 2);
	rig_wait_done(&rig, 2, -EMFILE);
	stream_peer_answer(other, 0);
	assert_answered(&rig, 1);
	rig_exchange(&rig, 3, 1);
	WAIT_FOR(&rig, stream_peer_is_closed(other, 0));
	stream_peer_free(other);
	rig_close(&rig);
}
END_TEST

START_TEST(descriptors_that_run_out_are_told)
{
	struct rlimit before, none;
	struct rig rig;

	rig_open(&rig);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	rig_ask(&rig, 0);
	rig_wait_done(&rig, 0, -EMFILE);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	rig_exchange(&rig, 1, 0);
	rig_close(&rig);
}
END_TEST

START_TEST(what_makes_no_exchange_is_refused)
{
	static const uint8_t message[HEADER_BYTES];
	static char long_name[LIMIT_NAME_BYTES + 2];
	struct dns_exchange *exchange = NULL;
	struct dns_exchange_params params;
	struct rig rig;

	rig_open(&rig);
	memset(long_name, 'a', sizeof(long_name) - 1);
	params = (struct dns_exchange_params){ .server = &rig.server,
					       .name = "a",
					       .type = TYPE_A,
					       .message = message,
					       .len = HEADER_BYTES - 1 };
	ck_assert_int_eq(dns_exchange_new(&exchange, &params, rig.streams), -EINVAL);
	params.len = 65536;
	ck_assert_int_eq(dns_exchange_new(&exchange, &params, rig.streams), -EINVAL);
	params.len = HEADER_BYTES;
	params.name = long_name;
	ck_assert_int_eq(dns_exchange_new(&exchange, &params, rig.streams), -EINVAL);
	params.name = "a";
	rig.server.endpoint.address.family = AF_UNIX;
	ck_assert_int_eq(dns_exchange_new(&exchange, &params, rig.streams), -EAFNOSUPPORT);
	ck_assert_ptr_null(exchange);
	rig_close(&rig);
}
END_TEST

/* ---- cancel and free ---- */

START_TEST(cancel_is_silent_in_every_state)
{
	struct dns_stream_limits limits;
	struct rig rig;

	rig_open(&rig);
	limits = rig_get_limits(&rig);
	limits.under_way = 2;
	limits.connections_per_server = 1;
	dns_streams_set_limits(rig.streams, &limits);
	/* Not started; connecting; waiting. */
	ck_assert_int_eq(rig_make(&rig, 0), 0);
	dns_exchange_cancel(rig.questions[0].exchange);
	for (size_t i = 1; i <= 3; i++)
		rig_ask(&rig, i);
	for (size_t i = 1; i <= 3; i++)
		dns_exchange_cancel(rig.questions[i].exchange);
	for (size_t i = 10; i < 10 + 2 * RESERVED; i++) {
		rig_ask(&rig, i);
		dns_exchange_cancel(rig.questions[i].exchange);
	}
	/* Nothing of theirs is on the way, and the connection serves others. */
	rig_ask(&rig, 4);
	rig_ask(&rig, 5);
	rig_wait_questions(&rig, 2);
	ck_assert_uint_eq(stream_peer_get_n_accepted(rig.peer), 1);
	/* On the way; then the reply comes. */
	dns_exchange_cancel(rig.questions[4].exchange);
	stream_peer_answer(rig.peer, 0);
	stream_peer_answer(rig.peer, 1);
	assert_answered(&rig, 5);
	/* Done, and twice. */
	dns_exchange_cancel(rig.questions[5].exchange);
	dns_exchange_cancel(rig.questions[5].exchange);
	rig_settle(&rig);
	for (size_t i = 0; i <= 4; i++)
		ck_assert_uint_eq(rig.questions[i].n_done, 0);
	ck_assert_uint_eq(rig.questions[5].n_done, 1);
	rig_exchange(&rig, 6, 2);
	rig_close(&rig);
}
END_TEST

START_TEST(an_exchange_can_be_freed_in_every_state)
{
	struct rig rig;

	rig_open(&rig);
	ck_assert_int_eq(rig_make(&rig, 0), 0);
	rig_free_question(&rig, 0);
	rig_ask(&rig, 1);
	rig_free_question(&rig, 1);
	rig_ask(&rig, 2);
	rig_wait_questions(&rig, 1);
	rig_free_question(&rig, 2);
	stream_peer_answer(rig.peer, 0);
	rig_exchange(&rig, 3, 1);
	rig_free_question(&rig, 3);
	rig_exchange(&rig, 4, 2);
	ck_assert_uint_eq(stream_peer_get_n_accepted(rig.peer), 1);
	rig_close(&rig);
}
END_TEST

static void cancel_itself(struct question *question)
{
	dns_exchange_cancel(question->exchange);
}

/* Itself, one that is under way, and one whose reply has come in the same read. */
static void free_all(struct question *question)
{
	for (size_t i = 0; i < 4; i++)
		rig_free_question(question->rig, i);
}

static void free_all_and_streams(struct question *question)
{
	free_all(question);
	question->rig->streams = dns_streams_free(question->rig->streams);
}

static void free_and_ask_again(struct question *question)
{
	struct rig *rig = question->rig;

	question->in_done = NULL;
	free_all(question);
	dns_streams_close_idle(rig->streams);
	rig_ask(rig, 10);
}

START_TEST(anything_may_be_done_inside_done)
{
	static void (*const in_done[])(struct question *) = { cancel_itself, free_all,
							      free_all_and_streams,
							      free_and_ask_again };

	for (size_t k = 0; k < ARRAY_LEN(in_done); k++) {
		for (int failure = 0; failure < 2; failure++) {
			uint8_t bytes[3 * STREAM_PEER_QUESTION_BYTES];
			size_t len = 0, n_done = 0;
			struct rig rig;

			rig_open(&rig);
			for (size_t i = 0; i < 4; i++) {
				rig.questions[i].in_done = in_done[k];
				rig_ask(&rig, i);
			}
			rig_wait_questions(&rig, 4);
			for (size_t i = 0; i < 2; i++)
				len += stream_peer_build_answer(rig.peer, i, bytes + len,
								sizeof(bytes) - len);
			if (failure)
				stream_peer_reset(rig.peer, 0);
			else
				stream_peer_send(rig.peer, 0, bytes, len);
			WAIT_FOR(&rig, rig.questions[0].n_done + rig.questions[1].n_done +
						       rig.questions[2].n_done +
						       rig.questions[3].n_done >
					       0);
			rig_settle(&rig);
			for (size_t i = 0; i < 4; i++)
				n_done += rig.questions[i].n_done;
			ck_assert_uint_eq(n_done, k > 0 ? 1 : failure ? 4 : 2);
			if (in_done[k] == free_and_ask_again) {
				rig_wait_questions(&rig, 5);
				stream_peer_answer(rig.peer, 4);
				assert_answered(&rig, 10);
			}
			rig_close(&rig);
		}
	}
}
END_TEST

START_TEST(a_late_reply_is_for_nobody_else)
{
	struct rig rig;

	rig_open(&rig);
	for (size_t i = 0; i < 3; i++)
		rig_ask(&rig, i);
	rig_wait_questions(&rig, 3);
	rig_free_question(&rig, 0);
	/* The same question again. */
	rig_ask(&rig, 0);
	rig_wait_questions(&rig, 4);
	for (size_t i = 0; i < 3; i++)
		ck_assert_uint_ne(question_id(&rig, i), question_id(&rig, 3));
	stream_peer_answer(rig.peer, 0);
	rig_settle(&rig);
	ck_assert_uint_eq(rig.questions[0].n_done, 0);
	stream_peer_answer(rig.peer, 3);
	assert_answered(&rig, 0);
	rig_close(&rig);
}
END_TEST

START_TEST(late_replies_are_no_strays)
{
	struct rig rig;

	rig_open(&rig);
	for (size_t i = 0; i < 3 * STRAYS; i++) {
		rig_ask(&rig, i);
		rig_wait_questions(&rig, i + 1);
		rig_free_question(&rig, i);
		stream_peer_answer(rig.peer, i);
		rig_settle(&rig);
	}
	rig_exchange(&rig, 100, 3 * STRAYS);
	ck_assert_uint_eq(stream_peer_get_n_accepted(rig.peer), 1);
	rig_close(&rig);
}
END_TEST

START_TEST(a_connection_that_owes_too_many_replies_is_left)
{
	struct rig rig;

	rig_open(&rig);
	rig_ask(&rig, 0);
	for (size_t i = 1; i <= RESERVED; i++)
		rig_ask(&rig, i);
	rig_wait_questions(&rig, RESERVED + 1);
	for (size_t i = 1; i < RESERVED; i++)
		rig_free_question(&rig, i);
	rig_ask(&rig, 50);
	rig_wait_questions(&rig, RESERVED + 2);
	ck_assert_uint_eq(stream_peer_get_n_accepted(rig.peer), 1);
	rig_free_question(&rig, RESERVED);
	/* New ones go elsewhere; those on it have their chance. */
	rig_exchange(&rig, 51, RESERVED + 2);
	ck_assert_uint_eq(stream_peer_get_n_accepted(rig.peer), 2);
	stream_peer_answer(rig.peer, RESERVED + 1);
	assert_answered(&rig, 50);
	ck_assert(!stream_peer_is_closed(rig.peer, 0));
	stream_peer_answer(rig.peer, 0);
	assert_answered(&rig, 0);
	WAIT_FOR(&rig, stream_peer_is_closed(rig.peer, 0));
	rig_close(&rig);
}
END_TEST

/* ---- TLS ---- */

/* A peer with a certificate for these names, by an authority that is trusted, or by itself. */
static void rig_open_with(struct rig *rig, struct stream_peer_params params, const char *names,
			  bool self_signed, enum tls_mode mode, const char *tls_name)
{
	struct tls_identity *authority = tls_identity_new(NULL, NULL);
	struct tls_identity *identity = tls_identity_new(names, self_signed ? NULL : authority);

	tls_identity_trust(authority);
	params.identity = identity;
	rig_open_tls(rig, &params);
	rig->authority = authority;
	rig->identity = identity;
	rig->server.tls = mode;
	(void)snprintf(rig->server.tls_name, sizeof(rig->server.tls_name), "%s", tls_name);
}

static void rig_open_certified(struct rig *rig, const char *names, bool self_signed,
			       enum tls_mode mode, const char *tls_name)
{
	rig_open_with(rig, (struct stream_peer_params){ 0 }, names, self_signed, mode, tls_name);
}

START_TEST(a_strict_server_with_the_right_certificate_is_confidential)
{
	static const struct {
		const char *names, *tls_name, *sni;
	} cases[] = {
		{ "DNS:" TLS_NAME, TLS_NAME, TLS_NAME },
		{ "DNS:" TLS_NAME, "DNS.Example", "DNS.Example" },
		{ "DNS:*.dns.example", "one.dns.example", "one.dns.example" },
		{ "DNS:" TLS_NAME ", IP:127.0.0.1", "", "" },
		{ "IP:127.0.0.1", "127.0.0.1", "" },
		{ "IP:2001:DB8::1", "2001:db8::1", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct rig rig;

		rig_open_certified(&rig, cases[i].names, false, TLS_STRICT, cases[i].tls_name);
		rig_exchange(&rig, 0, 0);
		ck_assert(rig.questions[0].is_tls && rig.questions[0].is_confidential);
		ck_assert(stream_peer_has_alpn(rig.peer, 0));
		ck_assert_str_eq(stream_peer_get_sni(rig.peer, 0), cases[i].sni);
		rig_exchange(&rig, 1, 1);
		ck_assert_uint_eq(stream_peer_get_n_accepted(rig.peer), 1);
		rig_close(&rig);
	}
}
END_TEST

START_TEST(a_strict_server_with_another_certificate_is_told_nothing)
{
	static const struct {
		const char *names, *tls_name;
		bool self_signed;
	} cases[] = {
		{ "DNS:" TLS_NAME, TLS_NAME, true },
		{ "DNS:other.example", TLS_NAME, false },
		{ "DNS:*.dns.example", "a.one.dns.example", false },
		{ "DNS:o*.dns.example", "one.dns.example", false },
		{ "DNS:" TLS_NAME, "", false }, /* the address is not in it */
		{ "DNS:127.0.0.1", "127.0.0.1", false },
		{ "IP:127.0.0.2", "", false },
		{ "IP:127.0.0.2", "server", false }, /* the common name */
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct rig rig;

		rig_open_certified(&rig, cases[i].names, cases[i].self_signed, TLS_STRICT,
				   cases[i].tls_name);
		rig_ask(&rig, 0);
		rig_ask(&rig, 1);
		rig_wait_done(&rig, 0, -EKEYREJECTED);
		rig_wait_done(&rig, 1, -EKEYREJECTED);
		ck_assert(!rig.questions[0].is_confidential);
		rig_settle(&rig);
		ck_assert_uint_eq(stream_peer_get_n_accepted(rig.peer), 1);
		ck_assert_uint_eq(stream_peer_get_n_bytes(rig.peer), 0);
		rig_close(&rig);
	}
}
END_TEST

START_TEST(an_opportunistic_server_may_have_any_certificate)
{
	static const char *const tls_names[] = { TLS_NAME, "other.example", "" };

	for (size_t i = 0; i < ARRAY_LEN(tls_names); i++) {
		for (int self_signed = 0; self_signed < 2; self_signed++) {
			struct rig rig;

			rig_open_certified(&rig, "DNS:" TLS_NAME, self_signed, TLS_OPPORTUNISTIC,
					   tls_names[i]);
			rig_exchange(&rig, 0, 0);
			/* Even where the certificate would have done: nobody has looked. */
			ck_assert(rig.questions[0].is_tls && !rig.questions[0].is_confidential);
			rig_close(&rig);
		}
	}
}
END_TEST

START_TEST(a_strict_exchange_has_its_own_connection)
{
	struct rig rig;

	rig_open_certified(&rig, "DNS:" TLS_NAME, true, TLS_OPPORTUNISTIC, TLS_NAME);
	rig_exchange(&rig, 0, 0);
	rig.server.tls = TLS_STRICT;
	rig_ask(&rig, 1);
	rig_wait_done(&rig, 1, -EKEYREJECTED);
	ck_assert_uint_eq(stream_peer_get_n_accepted(rig.peer), 2);
	/* Nor is there a session to resume, which would spare the certificate. */
	ck_assert(!stream_peer_is_resumed(rig.peer, 1));
	ck_assert_uint_eq(stream_peer_get_n_questions(rig.peer), 1);
	rig.server.tls = TLS_OPPORTUNISTIC;
	rig_exchange(&rig, 2, 1);
	ck_assert_uint_eq(stream_peer_get_n_accepted(rig.peer), 2);
	rig_close(&rig);
}
END_TEST

START_TEST(a_strict_exchange_under_another_name_has_its_own_connection)
{
	struct rig rig;

	rig_open_certified(&rig, "DNS:" TLS_NAME, false, TLS_STRICT, TLS_NAME);
	rig_exchange(&rig, 0, 0);
	(void)snprintf(rig.server.tls_name, sizeof(rig.server.tls_name), "other.example");
	rig_ask(&rig, 1);
	rig_wait_done(&rig, 1, -EKEYREJECTED);
	ck_assert_uint_eq(stream_peer_get_n_questions(rig.peer), 1);
	/* A connection that is not verified takes nothing from one that is. */
	rig.server.tls = TLS_OPPORTUNISTIC;
	rig_exchange(&rig, 2, 1);
	ck_assert(!rig.questions[2].is_confidential);
	ck_assert_uint_eq(stream_peer_get_n_accepted(rig.peer), 3);
	rig_close(&rig);
}
END_TEST

START_TEST(sessions_are_resumed)
{
	for (int only_tls12 = 0; only_tls12 < 2; only_tls12++) {
		for (int mode = TLS_OPPORTUNISTIC; mode <= TLS_STRICT; mode++) {
			struct rig rig;

			rig_open_with(&rig, (struct stream_peer_params){ .only_tls12 = only_tls12 },
				      "DNS:" TLS_NAME, false, (enum tls_mode)mode, TLS_NAME);
			for (size_t i = 0; i < 4; i++) {
				rig_exchange(&rig, i, i);
				ck_assert(stream_peer_is_resumed(rig.peer, i) == (i > 0));
				ck_assert(rig.questions[i].is_confidential == (mode == TLS_STRICT));
				stream_peer_close(rig.peer, i);
				rig_settle(&rig);
			}
			/* The servers have changed. */
			dns_streams_close_idle(rig.streams);
			rig_exchange(&rig, 4, 4);
			ck_assert(!stream_peer_is_resumed(rig.peer, 4));
			rig_close(&rig);
		}
	}
}
END_TEST

START_TEST(a_ticket_that_comes_after_close_idle_is_not_used)
{
	struct rig rig;

	rig_open_certified(&rig, "DNS:" TLS_NAME, false, TLS_STRICT, TLS_NAME);
	rig_exchange(&rig, 0, 0);
	rig_ask(&rig, 1);
	rig_wait_questions(&rig, 2);
	dns_streams_close_idle(rig.streams);
	stream_peer_send_ticket(rig.peer, 0);
	stream_peer_answer(rig.peer, 1);
	assert_answered(&rig, 1);
	rig_exchange(&rig, 2, 2);
	ck_assert_uint_eq(stream_peer_get_n_accepted(rig.peer), 2);
	ck_assert(!stream_peer_is_resumed(rig.peer, 1));
	rig_close(&rig);
}
END_TEST

START_TEST(any_number_of_tickets_is_borne)
{
	struct rig rig;

	/* More than one call takes from the socket. */
	rig_open_with(&rig, (struct stream_peer_params){ .n_tickets = 500 }, "DNS:" TLS_NAME, false,
		      TLS_STRICT, TLS_NAME);
	rig_exchange(&rig, 0, 0);
	stream_peer_close(rig.peer, 0);
	rig_exchange(&rig, 1, 1);
	ck_assert(stream_peer_is_resumed(rig.peer, 1));
	rig_close(&rig);
}
END_TEST

START_TEST(trusted_certificates_are_read_again_on_demand)
{
	struct tls_identity *other = tls_identity_new(NULL, NULL);
	struct rig rig;

	rig_open_certified(&rig, "DNS:" TLS_NAME, false, TLS_STRICT, TLS_NAME);
	tls_identity_trust(other);
	rig_ask(&rig, 0);
	rig_wait_done(&rig, 0, -EKEYREJECTED);
	tls_identity_trust(rig.authority);
	rig_ask(&rig, 1);
	rig_wait_done(&rig, 1, -EKEYREJECTED);
	dns_streams_close_idle(rig.streams);
	rig_exchange(&rig, 2, 0);
	ck_assert(rig.questions[2].is_confidential);
	/* And what was verified once does not count when nobody is trusted any more. */
	tls_identity_trust(NULL);
	dns_streams_close_idle(rig.streams);
	rig_ask(&rig, 3);
	rig_wait_done(&rig, 3, -EKEYREJECTED);
	rig_close(&rig);
	tls_identity_free(other);
}
END_TEST

START_TEST(replies_over_tls_come_in_any_portions)
{
	uint8_t bytes[4 * STREAM_PEER_QUESTION_BYTES];
	size_t len = 0;
	struct rig rig;

	rig_open_certified(&rig, "DNS:" TLS_NAME, false, TLS_STRICT, TLS_NAME);
	for (size_t i = 0; i < 3; i++)
		rig_ask(&rig, i);
	rig_wait_questions(&rig, 3);
	/* A record for each byte, some of them in one segment; then the rest at once. */
	len = stream_peer_build_answer(rig.peer, 2, bytes, sizeof(bytes));
	for (size_t i = 0; i < len; i++) {
		stream_peer_send(rig.peer, 0, bytes + i, 1);
		if (i % 3 == 0)
			rig_settle(&rig);
	}
	assert_answered(&rig, 2);
	len = stream_peer_build_answer(rig.peer, 1, bytes, sizeof(bytes));
	len += stream_peer_build_answer(rig.peer, 0, bytes + len, sizeof(bytes) - len);
	stream_peer_send(rig.peer, 0, bytes, len);
	assert_answered(&rig, 0);
	assert_answered(&rig, 1);
	ck_assert_uint_eq(stream_peer_get_n_accepted(rig.peer), 1);
	stream_peer_close(rig.peer, 0);
	rig_exchange(&rig, 3, 3);
	stream_peer_reset(rig.peer, 1);
	rig_exchange(&rig, 4, 4);
	rig_close(&rig);
}
END_TEST

START_TEST(many_records_in_one_turn_are_all_read)
{
	static uint8_t filler[16384];
	struct rig rig;

	/* Strays of 16 KiB each, and the reply behind them: more than is read in a turn, and the socket is silent by then. */
	rig_open_certified(&rig, "DNS:" TLS_NAME, false, TLS_STRICT, TLS_NAME);
	rig_ask(&rig, 0);
	rig_wait_questions(&rig, 1);
	filler[0] = (sizeof(filler) - 2) >> 8;
	filler[1] = (sizeof(filler) - 2) & 0xff;
	for (size_t i = 0; i < STRAYS - 2; i++)
		stream_peer_send(rig.peer, 0, filler, sizeof(filler));
	stream_peer_answer(rig.peer, 0);
	assert_answered(&rig, 0);
	rig_close(&rig);
}
END_TEST

START_TEST(a_broken_message_over_tls_ends_the_connection)
{
	struct rig rig;

	rig_open_certified(&rig, "DNS:" TLS_NAME, false, TLS_STRICT, TLS_NAME);
	rig_exchange(&rig, 0, 0);
	rig_ask(&rig, 1);
	rig_wait_questions(&rig, 2);
	stream_peer_send(rig.peer, 0, "\0\0", 2);
	rig_wait_done(&rig, 1, -EPROTO);
	/* OpenSSL has forgotten about it when the next one comes. */
	rig_exchange(&rig, 2, 2);
	rig_close(&rig);
}
END_TEST

/* Asks a peer that is no TLS server in either mode. */
static void assert_no_tls(const struct stream_peer_params *params, int status)
{
	for (int mode = TLS_OPPORTUNISTIC; mode <= TLS_STRICT; mode++) {
		struct tls_identity *authority = tls_identity_new(NULL, NULL);
		struct dns_stream_limits limits;
		struct rig rig;

		tls_identity_trust(authority);
		rig_open_tls(&rig, params);
		rig.authority = authority;
		limits = rig_get_limits(&rig);
		limits.connect_us = params->greeting || params->close_in_handshake
					    ? limits.connect_us
					    : SHORT_US;
		dns_streams_set_limits(rig.streams, &limits);
		rig.server.tls = (enum tls_mode)mode;
		rig_ask(&rig, 0);
		rig_ask(&rig, 1);
		rig_wait_done(&rig, 0, status);
		rig_wait_done(&rig, 1, status);
		ck_assert(!rig.questions[0].is_tls);
		ck_assert_uint_eq(stream_peer_get_n_accepted(rig.peer), 1);
		/* The caller, and nobody else, may say so in clear text. */
		rig.server.tls = TLS_NO;
		if (!params->greeting && !params->close_in_handshake) {
			rig_ask(&rig, 2);
			WAIT_FOR(&rig, stream_peer_get_n_accepted(rig.peer) == 2);
		}
		rig_close(&rig);
	}
}

START_TEST(a_server_without_tls_fails_the_exchange)
{
	assert_no_tls(
		&(struct stream_peer_params){ .greeting = "HTTP/1.0 400 Bad Request\r\n\r\n" },
		-EPROTO);
}
END_TEST

START_TEST(a_peer_that_closes_in_the_handshake_fails_the_exchange)
{
	assert_no_tls(&(struct stream_peer_params){ .close_in_handshake = true }, -ECONNRESET);
}
END_TEST

START_TEST(a_server_that_says_nothing_to_tls_fails_the_exchange)
{
	assert_no_tls(&(struct stream_peer_params){ .close_in_handshake = false }, -ETIMEDOUT);
}
END_TEST

START_TEST(a_refused_tls_connection_is_told)
{
	struct rig rig;

	rig_open_certified(&rig, "DNS:" TLS_NAME, false, TLS_OPPORTUNISTIC, TLS_NAME);
	stream_peer_stop_listening(rig.peer);
	rig_ask(&rig, 0);
	rig_wait_done(&rig, 0, -ECONNREFUSED);
	rig_close(&rig);
}
END_TEST

START_TEST(a_tls_exchange_can_be_freed_at_every_moment)
{
	/* So many turns of the loop after its start. */
	for (int turns = 0; turns < 12; turns++) {
		struct rig rig;

		rig_open_certified(&rig, "DNS:" TLS_NAME, false, TLS_STRICT, TLS_NAME);
		rig_ask(&rig, 0);
		for (int i = 0; i < turns; i++)
			ck_assert_int_ge(event_base_loop(rig.base, EVLOOP_NONBLOCK), 0);
		if (turns % 2) {
			rig_free_question(&rig, 0);
			rig_ask(&rig, 1);
			WAIT_FOR(&rig, stream_peer_get_n_questions(rig.peer) > 0);
			for (size_t i = 0; i < stream_peer_get_n_questions(rig.peer); i++)
				stream_peer_answer(rig.peer, i);
			if (stream_peer_get_n_questions(rig.peer) == 1 &&
			    rig.questions[1].n_done == 0) {
				rig_settle(&rig);
				if (stream_peer_get_n_questions(rig.peer) == 2)
					stream_peer_answer(rig.peer, 1);
			}
			assert_answered(&rig, 1);
		}
		rig_close(&rig);
	}
}
END_TEST

/* ---- faults ---- */

/* A peer in a process of its own, which answers whatever comes: it allocates, too, and so does every assertion. */
struct server_process {
	struct event_base *base;
	struct stream_peer *peer;
	pid_t pid;
};

static void server_process_start(struct server_process *process,
				 const struct tls_identity *identity)
{
	size_t n_answered = 0;

	process->base = event_base_new();
	ck_assert_ptr_nonnull(process->base);
	process->peer = stream_peer_new(process->base,
					&(struct stream_peer_params){ .identity = identity });
	process->pid = fork();
	ck_assert_int_ge(process->pid, 0);
	if (process->pid > 0)
		return;
	ck_assert_int_eq(prctl(PR_SET_PDEATHSIG, SIGKILL), 0);
	ck_assert_int_eq(event_reinit(process->base), 0);
	for (;;) {
		ck_assert_int_ge(event_base_loop(process->base, EVLOOP_ONCE), 0);
		while (n_answered < stream_peer_get_n_questions(process->peer))
			stream_peer_answer(process->peer, n_answered++);
	}
}

static void server_process_end(struct server_process *process)
{
	ck_assert_int_eq(kill(process->pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(process->pid, NULL, 0), process->pid);
	stream_peer_free(process->peer);
	event_base_free(process->base);
}

static void on_done_quietly(struct dns_exchange *exchange, int status, void *arg)
{
	struct question *question = arg;

	(void)exchange;
	question->status = status;
	question->n_done++;
}

/* Asks once while the n-th allocation fails; whether there was an n-th. */
static bool fails_in_order(struct rig *rig, size_t n)
{
	struct question *question = &rig->questions[0];
	bool failed;
	int r;

	until_failure = n;
	r = rig_make(rig, 0);
	if (r == 0)
		r = dns_exchange_start(question->exchange, on_done_quietly, question);
	while (r == 0 && question->n_done == 0 && !rig->expired)
		if (event_base_loop(rig->base, EVLOOP_ONCE) < 0)
			break;
	failed = until_failure == 0;
	until_failure = 0;
	if (r == 0) {
		ck_assert_uint_eq(question->n_done, 1);
		r = question->status;
	}
	ck_assert_int_eq(r, failed ? -ENOMEM : 0);
	return failed;
}

START_TEST(memory_that_runs_out_fails_the_exchange)
{
	struct tls_identity *authority = tls_identity_new(NULL, NULL);
	struct tls_identity *identity = tls_identity_new("IP:127.0.0.1", authority);

	tls_identity_trust(authority);
	for (int mode = TLS_NO; mode <= TLS_STRICT; mode++) {
		struct server_process process;
		bool failed = true;
		size_t n;

		server_process_start(&process, mode == TLS_NO ? NULL : identity);
		for (n = 1; failed && n < N_ALLOCATIONS; n++) {
			struct rig rig;

			rig_open(&rig);
			rig.server.endpoint = stream_peer_endpoint(process.peer);
			rig.server.tls = (enum tls_mode)mode;
			failed = fails_in_order(&rig, n);
			rig_free_question(&rig, 0);
			/* The next one is as if nothing had been. */
			rig_ask(&rig, 1);
			assert_answered(&rig, 1);
			rig_close(&rig);
		}
		ck_assert(!failed);
		ck_assert_uint_gt(n, 7);
		server_process_end(&process);
	}
	tls_identity_free(identity);
	tls_identity_free(authority);
}
END_TEST

SUITE_MAIN("dns-stream", questions_share_a_connection_and_replies_come_in_any_order,
	   a_second_exchange_opens_no_connection, ids_cannot_be_told_in_advance,
	   an_idle_connection_is_closed, a_connection_in_use_stays,
	   close_idle_closes_what_nobody_uses, the_peer_may_close_an_idle_connection,
	   a_question_lost_on_a_kept_connection_is_asked_once_more,
	   a_question_is_asked_twice_at_most, what_is_lost_on_a_new_connection_fails,
	   a_server_may_close_after_each_reply, a_reply_that_breaks_off_is_no_reason_to_ask_again,
	   a_reply_may_come_byte_by_byte, several_replies_may_come_at_once,
	   the_longest_reply_is_read, a_message_without_a_header_is_a_protocol_error,
	   what_answers_nobody_is_dropped, too_much_that_answers_nobody_ends_the_connection,
	   an_answer_is_for_its_own_question_only, a_reply_that_never_ends_is_cut_off,
	   a_refused_connection_is_told, what_fails_at_once_is_told_from_the_loop,
	   connecting_has_an_end, a_full_connection_gets_company_and_then_exchanges_wait,
	   with_one_connection_the_33rd_exchange_waits, not_everybody_can_wait,
	   a_server_may_allow_one_connection_only, idle_connections_make_room_for_others,
	   descriptors_that_run_out_are_told, what_makes_no_exchange_is_refused,
	   cancel_is_silent_in_every_state, an_exchange_can_be_freed_in_every_state,
	   anything_may_be_done_inside_done, a_late_reply_is_for_nobody_else,
	   late_replies_are_no_strays, a_connection_that_owes_too_many_replies_is_left,
	   a_strict_server_with_the_right_certificate_is_confidential,
	   a_strict_server_with_another_certificate_is_told_nothing,
	   an_opportunistic_server_may_have_any_certificate,
	   a_strict_exchange_has_its_own_connection,
	   a_strict_exchange_under_another_name_has_its_own_connection, sessions_are_resumed,
	   a_ticket_that_comes_after_close_idle_is_not_used, any_number_of_tickets_is_borne,
	   trusted_certificates_are_read_again_on_demand, replies_over_tls_come_in_any_portions,
	   many_records_in_one_turn_are_all_read, a_broken_message_over_tls_ends_the_connection,
	   a_server_without_tls_fails_the_exchange,
	   a_peer_that_closes_in_the_handshake_fails_the_exchange,
	   a_server_that_says_nothing_to_tls_fails_the_exchange, a_refused_tls_connection_is_told,
	   a_tls_exchange_can_be_freed_at_every_moment, memory_that_runs_out_fails_the_exchange)
