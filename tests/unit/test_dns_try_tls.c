/* SPDX-License-Identifier: MIT */
/*
 * Questions to servers that are configured for TLS: when clear text takes its place, when it never does, and what is said
 * about the answer. The server with TLS answers "no data" when told to; the one without is scripted, answers over UDP and
 * closes connections on which TLS begins.
 */
#include "daemon/resolve/dns-try.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/base/clock.h"
#include "protocol/error.h"
#include "tests/support/dns_message.h"
#include "tests/support/dns_rig.h"
#include "tests/support/stream_peer.h"
#include "tests/support/suite.h"
#include "tests/support/tls_identity.h"

#define NAME	   "www.example"
#define TRUE_TEXT  "192.0.2.1"
#define TRUE_RULE  .name = NAME, .addresses = TRUE_TEXT
#define TLS_NAME   "dns.example"
#define FORGET_TLS (60 * USEC_PER_SEC)
#define N_TRIES	   3
#define FDS_MAX	   256

/* One server, some tries. */
struct rig {
	struct dns_rig dns;
	struct dns_server *plain; /* one of these */
	struct stream_peer *peer;
	struct tls_identity *authority, *identity;
	struct dns_try *tries[N_TRIES];
	struct dns_answer *answers[N_TRIES];
	int status[N_TRIES];
	size_t n_done;
};

static void rig_open_config(struct rig *rig, struct endpoint endpoint, enum tls_mode tls)
{
	struct name_server config = { .endpoint = endpoint, .tls = tls };

	memcpy(config.tls_name, TLS_NAME, sizeof(TLS_NAME));
	dns_rig_add_config(&rig->dns, &config);
}

static void rig_open(struct rig *rig)
{
	*rig = (struct rig){ 0 };
	dns_rig_open(&rig->dns);
	rig->authority = tls_identity_new(NULL, NULL);
	tls_identity_trust(rig->authority);
}

/* A server that knows UDP and TCP alone. */
static void rig_open_plain(struct rig *rig, enum tls_mode tls)
{
	static const struct dns_rule rules[] = { { TRUE_RULE } };

	rig_open(rig);
	rig->plain = dns_server_new(rig->dns.base, rules, ARRAY_LEN(rules));
	rig_open_config(rig, dns_server_endpoint(rig->plain), tls);
	rig->dns.peers[0] = rig->plain;
}

/* A server that has a certificate for these names. */
static void rig_open_tls(struct rig *rig, const char *names, enum tls_mode tls)
{
	rig_open(rig);
	rig->identity = tls_identity_new(names, rig->authority);
	rig->peer = stream_peer_new(rig->dns.base,
				    &(struct stream_peer_params){ .identity = rig->identity });
	rig_open_config(rig, stream_peer_endpoint(rig->peer), tls);
}

static void rig_free_tries(struct rig *rig)
{
	for (size_t i = 0; i < N_TRIES; i++) {
		rig->tries[i] = dns_try_free(rig->tries[i]);
		rig->answers[i] = dns_answer_free(rig->answers[i]);
	}
	rig->n_done = 0;
}

static void rig_close(struct rig *rig)
{
	rig_free_tries(rig);
	stream_peer_free(rig->peer);
	dns_rig_close(&rig->dns);
	tls_identity_trust(NULL);
	tls_identity_free(rig->identity);
	tls_identity_free(rig->authority);
}

static void on_done(struct dns_try *try, int status, void *arg)
{
	struct rig *rig = arg;
	size_t i = 0;

	while (rig->tries[i] != try)
		i++;
	rig->status[i] = status;
	rig->answers[i] = dns_try_take_answer(try);
	rig->n_done++;
}

static void rig_start(struct rig *rig, size_t n)
{
	struct dns_try_params params = {
		.name = NAME,
		.type = DNS_TYPE_A,
		.server = rig->dns.known[0],
		.streams = rig->dns.upstream.streams,
	};

	rig_free_tries(rig);
	for (size_t i = 0; i < n; i++) {
		ck_assert_int_eq(dns_try_new(&rig->tries[i], &params, rig->dns.base), 0);
		ck_assert_int_eq(dns_try_start(rig->tries[i], on_done, rig), 0);
	}
}

static void rig_ask(struct rig *rig, size_t n)
{
	rig_start(rig, n);
	DNS_RIG_WAIT_FOR(&rig->dns, rig->n_done == n);
}

/* Asks a server with TLS, which has seen n questions before. */
static void rig_ask_peer(struct rig *rig, size_t n)
{
	rig_start(rig, 1);
	DNS_RIG_WAIT_FOR(&rig->dns, stream_peer_get_n_questions(rig->peer) > n);
	stream_peer_answer(rig->peer, n);
	DNS_RIG_WAIT_FOR(&rig->dns, rig->n_done == 1);
	ck_assert_int_eq(rig->status[0], 0);
}

static const struct dns_server *get_known(const struct rig *rig)
{
	return rig->dns.known[0];
}

static void assert_clear_text(const struct rig *rig, size_t i)
{
	ck_assert_int_eq(rig->status[i], 0);
	dns_rig_assert_address(rig->answers[i], TRUE_TEXT);
	ck_assert_int_eq(rig->answers[i]->transport, DNS_TRANSPORT_UDP);
	ck_assert(!rig->answers[i]->confidential);
}

START_TEST(an_opportunistic_question_falls_back_to_clear_text)
{
	struct rig rig;

	rig_open_plain(&rig, TLS_OPPORTUNISTIC);
	rig_ask(&rig, 1);
	assert_clear_text(&rig, 0);
	ck_assert_int_eq(get_known(&rig)->tls, DNS_NO);
	ck_assert_int_eq(get_known(&rig)->tcp, DNS_UNKNOWN);
	ck_assert_int_eq(get_known(&rig)->last_error, 0);
	ck_assert_uint_eq(dns_rig_get_seen(&rig.dns, 0, 0)->cookie_len, DNS_COOKIE_CLIENT_BYTES);
	/* Remembered: one message, and no more. */
	rig_ask(&rig, 1);
	assert_clear_text(&rig, 0);
	ck_assert_uint_eq(get_known(&rig)->questions, 3);
	rig_close(&rig);
}
END_TEST

START_TEST(questions_at_the_same_time_all_fall_back)
{
	struct rig rig;

	rig_open_plain(&rig, TLS_OPPORTUNISTIC);
	rig_ask(&rig, N_TRIES);
	for (size_t i = 0; i < N_TRIES; i++)
		assert_clear_text(&rig, i);
	ck_assert_int_eq(get_known(&rig)->tcp, DNS_UNKNOWN);
	rig_close(&rig);
}
END_TEST

START_TEST(a_port_without_anybody_falls_back_too)
{
	struct rig rig;

	rig_open_plain(&rig, TLS_OPPORTUNISTIC);
	dns_server_stop_tcp(rig.plain);
	rig_ask(&rig, N_TRIES);
	for (size_t i = 0; i < N_TRIES; i++)
		assert_clear_text(&rig, i);
	ck_assert(!get_known(&rig)->is_dead);
	rig_close(&rig);
}
END_TEST

START_TEST(tls_is_tried_again_after_a_while)
{
	struct rig rig;

	rig_open_tls(&rig, "DNS:" TLS_NAME, TLS_OPPORTUNISTIC);
	dns_rig_stop_clock(&rig.dns);
	dns_servers_learn_tls(rig.dns.known[0], false, clock_now_us());
	dns_rig_move_clock(&rig.dns, FORGET_TLS);
	rig_ask_peer(&rig, 0);
	ck_assert_int_eq(rig.answers[0]->transport, DNS_TRANSPORT_TLS);
	ck_assert_int_eq(get_known(&rig)->tls, DNS_YES);
	rig_close(&rig);
}
END_TEST

/* The kernel tells where a datagram socket of ours is connected to; 0: there is none. */
static in_port_t find_datagram_port(void)
{
	for (int fd = 0; fd < FDS_MAX; fd++) {
		struct sockaddr_in peer;
		socklen_t len = sizeof(peer), type_len = sizeof(int);
		int type;

		if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) == 0 &&
		    type == SOCK_DGRAM && getpeername(fd, (struct sockaddr *)&peer, &len) == 0 &&
		    peer.sin_family == AF_INET)
			return ntohs(peer.sin_port);
	}
	return 0;
}

/* Nobody is at this address of the loopback network; only where the datagram goes is looked at. */
START_TEST(clear_text_goes_to_port_53_where_tls_was_on_port_853)
{
	struct endpoint endpoint = {
		.address = { .family = AF_INET, .bytes = { 127, 83, 177, 201 } }, .port = 853
	};
	in_port_t port = 0;
	struct rig rig;

	rig_open(&rig);
	rig_open_config(&rig, endpoint, TLS_OPPORTUNISTIC);
	rig_start(&rig, 1);
	DNS_RIG_WAIT_FOR(&rig.dns, rig.n_done > 0 || (port = find_datagram_port()) != 0);
	ck_assert_uint_eq(rig.n_done, 0);
	ck_assert_uint_eq(port, 53);
	rig_close(&rig);
}
END_TEST

START_TEST(an_opportunistic_answer_over_tls_is_not_called_confidential)
{
	struct rig rig;

	rig_open_tls(&rig, "DNS:somebody.else.example", TLS_OPPORTUNISTIC);
	rig_ask_peer(&rig, 0);
	ck_assert_int_eq(rig.answers[0]->transport, DNS_TRANSPORT_TLS);
	ck_assert(!rig.answers[0]->confidential);
	ck_assert_int_eq(get_known(&rig)->tls, DNS_YES);
	rig_close(&rig);
}
END_TEST

START_TEST(a_strict_answer_is_confidential_and_the_question_padded_without_a_cookie)
{
	const struct stream_question *question;
	struct dns_message_query query;
	struct rig rig;

	rig_open_tls(&rig, "DNS:" TLS_NAME, TLS_STRICT);
	rig_ask_peer(&rig, 0);
	ck_assert_int_eq(rig.answers[0]->transport, DNS_TRANSPORT_TLS);
	ck_assert(rig.answers[0]->confidential);
	question = stream_peer_get_question(rig.peer, 0);
	dns_message_parse_query(question->bytes, question->len, &query);
	ck_assert(query.seen.is_padded);
	ck_assert_uint_eq(question->len % DNS_PADDING_BLOCK, 0);
	ck_assert_uint_eq(query.seen.cookie_len, 0);
	rig_close(&rig);
}
END_TEST

START_TEST(a_cookie_of_clear_text_is_kept_over_tls)
{
	struct rig rig;

	rig_open_tls(&rig, "DNS:" TLS_NAME, TLS_OPPORTUNISTIC);
	ck_assert_int_eq(dns_servers_make_cookie(rig.dns.known[0]), 0);
	rig.dns.known[0]->cookie_len = DNS_COOKIE_MAX_BYTES;
	rig_ask_peer(&rig, 0);
	ck_assert_uint_eq(get_known(&rig)->cookie_len, DNS_COOKIE_MAX_BYTES);
	rig_close(&rig);
}
END_TEST

START_TEST(a_strict_question_is_not_sent_to_whom_it_is_not_for)
{
	struct rig rig;

	rig_open_tls(&rig, "DNS:somebody.else.example", TLS_STRICT);
	rig_ask(&rig, 1);
	ck_assert_int_eq(rig.status[0], -EKEYREJECTED);
	ck_assert_ptr_null(rig.answers[0]);
	ck_assert_uint_eq(stream_peer_get_n_bytes(rig.peer), 0);
	ck_assert_int_eq(get_known(&rig)->last_error, -EKEYREJECTED);
	rig_close(&rig);
}
END_TEST

START_TEST(a_strict_question_is_never_asked_in_clear_text)
{
	struct rig rig;

	for (int refused = 0; refused < 2; refused++) {
		rig_open_plain(&rig, TLS_STRICT);
		if (refused)
			dns_server_stop_tcp(rig.plain);
		for (int i = 0; i < 3; i++) {
			rig_ask(&rig, 1);
			ck_assert_int_lt(rig.status[0], 0);
			ck_assert_ptr_null(rig.answers[0]);
		}
		dns_rig_settle(&rig.dns);
		ck_assert_uint_eq(dns_rig_count(&rig.dns, 0), 0);
		ck_assert_int_eq(get_known(&rig)->is_dead, refused);
		rig_close(&rig);
	}
}
END_TEST

SUITE_MAIN("dns_try_tls", an_opportunistic_question_falls_back_to_clear_text,
	   questions_at_the_same_time_all_fall_back, a_port_without_anybody_falls_back_too,
	   tls_is_tried_again_after_a_while, clear_text_goes_to_port_53_where_tls_was_on_port_853,
	   an_opportunistic_answer_over_tls_is_not_called_confidential,
	   a_strict_answer_is_confidential_and_the_question_padded_without_a_cookie,
	   a_cookie_of_clear_text_is_kept_over_tls,
	   a_strict_question_is_not_sent_to_whom_it_is_not_for,
	   a_strict_question_is_never_asked_in_clear_text)
