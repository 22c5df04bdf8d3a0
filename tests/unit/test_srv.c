/* SPDX-License-Identifier: MIT */
/*
 * The draws are judged by their shares: a chi-square test over the orders in which the records with a weight come, each
 * order with the chance it has when one after the other is drawn in proportion to the weights that are left. The bounds are
 * such that a right draw fails once in a million times.
 */
#include "daemon/resolve/srv.h"
#include "protocol/error.h"

#include <stdio.h>
#include <string.h>

#include "daemon/resolve/dns-answer.h"
#include "tests/support/suite.h"

#define DRAWS	    40000
#define WEIGHTS_MAX 3
#define ORDERS_MAX  6 /* of three */

/* Record data with its length in front, as an answer has it. */
#define SRV(priority, weight, port, name) "\0" priority "\0" weight "\0" port name

struct record_text {
	const char *bytes;
	size_t len;
};
#define BYTES(text)                      \
	{                                \
		(text), sizeof(text) - 1 \
	}

static struct dns_answer *new_answer(const struct record_text *records, size_t n, uint16_t n_chain)
{
	struct dns_answer *answer;
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		len += sizeof(uint16_t) + records[i].len;
	ck_assert_int_eq(dns_answer_new(&answer, len), 0);
	answer->type = DNS_TYPE_SRV;
	answer->n_chain = n_chain;
	answer->n_records = (uint16_t)(n - n_chain);
	len = 0;
	for (size_t i = 0; i < n; i++) {
		uint16_t record_len = (uint16_t)records[i].len;

		memcpy(answer->bytes + len, &record_len, sizeof(record_len));
		memcpy(answer->bytes + len + sizeof(record_len), records[i].bytes, record_len);
		len += sizeof(record_len) + record_len;
	}
	return answer;
}

#define ROOT BYTES(SRV("\x00", "\x00", "\x00", "\x00"))
#define ONE                               \
	BYTES(SRV("\x0a", "\x05", "\x50", \
		  "\x03One\x07"           \
		  "Example\x00"))
#define TWO   BYTES(SRV("\x14", "\x00", "\x51", "\x03two\x00"))
#define BLANK BYTES(SRV("\x0a", "\x05", "\x50", "\x03o e\x00"))

static const struct {
	struct record_text records[4];
	size_t n;
	int result;
	const char *text; /* of the targets: priority, weight, port, name */
} answers[] = {
	{ { ONE }, 1, 1, "10 5 80 one.example " },
	{ { TWO, ONE }, 2, 2, "20 0 81 two 10 5 80 one.example " },
	{ { BYTES("\xff\xff\xff\xfe\xff\xfd\x01x\x00") }, 1, 1, "65535 65534 65533 x " },
	{ { ROOT }, 1, -ASOCK_E_SERVICE_UNAVAILABLE, "" },
	{ { ROOT, ROOT }, 2, -ASOCK_E_SERVICE_UNAVAILABLE, "" },
	{ { ROOT, ONE }, 2, 1, "10 5 80 one.example " },
	{ { ONE, ROOT, TWO }, 3, 2, "10 5 80 one.example 20 0 81 two " },
	{ { BLANK }, 1, 0, "" },
	{ { BLANK, ONE }, 2, 1, "10 5 80 one.example " },
	{ { BLANK, ROOT }, 2, -ASOCK_E_SERVICE_UNAVAILABLE, "" },
	{ { BYTES("\0\1\0\1\0\1\x01/\x00") }, 1, 0, "" },
	{ { BYTES("") }, 1, 0, "" },
	{ { BYTES("\0\0\0\0") }, 1, 0, "" },
	{ { BYTES("\0\0\0\0\0\0") }, 1, 0, "" },
	{ { BYTES("\0\0\0\0\0\0\x01x") }, 1, 0, "" },
	{ { BYTES("\0\0\0\0\0\0\x02x\0") }, 1, 0, "" },
	{ { BYTES("\0\0\0\0\0\0\x01x\0\0") }, 1, 0, "" },
	{ { BYTES("\0\0\0\0\0\0\0\0") }, 1, 0, "" },
	{ { ONE }, 0, 0, "" },
};

START_TEST(targets_are_read_in_the_order_of_the_answer)
{
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		CLEANUP(dns_answer_freep)
		struct dns_answer *answer = new_answer(answers[i].records, answers[i].n, 0);
		struct srv_target targets[SRV_TARGETS_MAX];
		int n = srv_parse(answer, targets);
		char text[256] = "";
		size_t len = 0;

		ck_assert_msg(n == answers[i].result, "%zu: %d", i, n);
		for (int j = 0; j < n; j++)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%u %u %u %s ",
						targets[j].priority, targets[j].weight,
						targets[j].port, targets[j].name);
		ck_assert_str_eq(text, answers[i].text);
	}
}
END_TEST

START_TEST(links_of_the_chain_are_no_targets)
{
	/* An alias whose bytes would be a target as well. */
	static const struct record_text records[] = { BYTES("\0\1\0\1\0\1\x01x\0"), TWO };
	CLEANUP(dns_answer_freep) struct dns_answer *answer = new_answer(records, 2, 1);
	struct srv_target targets[SRV_TARGETS_MAX];

	ck_assert_int_eq(srv_parse(answer, targets), 1);
	ck_assert_str_eq(targets[0].name, "two");
}
END_TEST

START_TEST(of_too_many_the_most_preferred_are_kept)
{
	enum {
		N = 100
	};
	static char bytes[N][9];
	struct record_text records[N];
	struct srv_target targets[SRV_TARGETS_MAX];
	CLEANUP(dns_answer_freep) struct dns_answer *answer = NULL;

	/* Priorities fall; two records each. */
	for (size_t i = 0; i < N; i++) {
		memcpy(bytes[i], "\0p\0\0\0n\1x", 9);
		bytes[i][1] = (char)((N - 1 - i) / 2);
		bytes[i][5] = (char)i;
		records[i] = (struct record_text){ bytes[i], 9 };
	}
	answer = new_answer(records, N, 0);
	ck_assert_int_eq(srv_parse(answer, targets), SRV_TARGETS_MAX);
	for (size_t i = 0; i < SRV_TARGETS_MAX; i++) {
		ck_assert_uint_eq(targets[i].port, N - SRV_TARGETS_MAX + i);
		ck_assert_uint_eq(targets[i].priority, (SRV_TARGETS_MAX - 1 - i) / 2);
	}
}
END_TEST

static size_t set_weights(struct srv_target *targets, const uint16_t *weights, size_t n)
{
	for (size_t i = 0; i < n; i++)
		targets[i] = (struct srv_target){ .weight = weights[i], .port = (uint16_t)i };
	return n;
}

START_TEST(priorities_come_in_order_whatever_the_weights)
{
	static const uint16_t priorities[] = { 20, 10, 65535, 20, 0, 10 };
	static const uint16_t weights[] = { 65535, 0, 65535, 0, 0, 1 };

	for (size_t i = 0; i < 1000; i++) {
		struct srv_target targets[ARRAY_LEN(weights)];
		size_t n = set_weights(targets, weights, ARRAY_LEN(weights));
		unsigned int seen = 0;

		for (size_t j = 0; j < n; j++)
			targets[j].priority = priorities[j];
		srv_order(targets, n, NULL, NULL);
		for (size_t j = 0; j < n; j++) {
			ck_assert(j == 0 || targets[j - 1].priority <= targets[j].priority);
			ck_assert_uint_eq(targets[j].priority, priorities[targets[j].port]);
			seen |= 1U << targets[j].port;
		}
		ck_assert_uint_eq(seen, (1U << n) - 1);
	}
	srv_order(NULL, 0, NULL, NULL);
}
END_TEST

/* A srv_random_fn: numbers from a list. */
static uint32_t scripted(void *arg)
{
	const uint32_t **next = arg;

	return *(*next)++;
}

static const struct {
	uint16_t weights[3];
	size_t n;
	uint32_t numbers[8];
	size_t n_drawn;
	const char *order;
} scripts[] = {
	{ { 1, 2, 3 }, 3, { 0, 0, 0 }, 3, "012" },
	{ { 1, 2, 3 }, 3, { 1, 0, 0 }, 3, "102" },
	{ { 1, 2, 3 }, 3, { 2, 1, 0 }, 3, "120" },
	{ { 1, 2, 3 }, 3, { 3, 0, 0 }, 3, "210" },
	{ { 1, 2, 3 }, 3, { 5, 2, 0 }, 3, "201" },
	/* 2^32 is no multiple of 3: its last number would make 0 likelier, and is drawn again. */
	{ { 1, 2 }, 2, { UINT32_MAX, UINT32_MAX - 1, 0 }, 3, "10" },
	{ { 1, 1 }, 2, { UINT32_MAX, 0 }, 2, "10" },
	/* The zero leads with 0 out of 0 to 5, and then which of the zeros is drawn, too. */
	{ { 0, 5 }, 2, { 0, 0, 0 }, 3, "01" },
	{ { 0, 5 }, 2, { 1, 0, 0 }, 3, "10" },
	{ { 0, 5 }, 2, { 5, 0, 0 }, 3, "10" },
	{ { 0, 7, 0 }, 3, { 0, 1, 0, 0, 0 }, 5, "201" },
};

START_TEST(each_number_has_its_record)
{
	for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
		const uint32_t *next = scripts[i].numbers;
		struct srv_target targets[3];
		size_t n = set_weights(targets, scripts[i].weights, scripts[i].n);
		char order[4] = "";

		srv_order(targets, n, scripted, &next);
		for (size_t j = 0; j < n; j++)
			order[j] = (char)('0' + targets[j].port);
		ck_assert_msg(strcmp(order, scripts[i].order) == 0, "%zu: %s", i, order);
		ck_assert_msg((size_t)(next - scripts[i].numbers) == scripts[i].n_drawn, "%zu: %td",
			      i, next - scripts[i].numbers);
	}
}
END_TEST

/* The order of up to three as a number: which comes first, which second. */
static size_t order_index(const size_t *order, size_t n)
{
	if (n < 2)
		return 0;
	if (n == 2)
		return order[0];
	return 2 * order[0] + (order[1] > order[2] ? 1 : 0);
}

/* The chance of each order of n weights when one after the other is drawn; equal ones when all are 0. */
static void expect(const double *weights, size_t n, double ret[ORDERS_MAX])
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += weights[i];
	for (size_t i = 0; i < ORDERS_MAX; i++)
		ret[i] = 0;
	if (n < 2) {
		ret[0] = 1;
		return;
	}
	for (size_t first = 0; first < n; first++)
		for (size_t second = 0; second < n; second++) {
			size_t order[3] = { first, second, 3 - first - second };
			double left = sum - weights[first];

			if (second == first)
				continue;
			ret[order_index(order, n)] =
				weights[first] / sum * (n == 2 ? 1 : weights[second] / left);
		}
}

static double chi_square(const size_t *counts, const double *chances, size_t n_orders)
{
	double sum = 0;

	for (size_t i = 0; i < n_orders; i++) {
		double expected = DRAWS * chances[i], off = (double)counts[i] - expected;

		sum += off * off / expected;
	}
	return sum;
}

static const struct {
	uint16_t weights[WEIGHTS_MAX];
	size_t n;
} draws[] = {
	{ { 1, 1 }, 2 },
	{ { 1, 2 }, 2 },
	{ { 1, 9 }, 2 },
	{ { 0, 0 }, 2 },
	{ { 0, 5 }, 2 },
	{ { 0, 100 }, 2 },
	{ { 0, 1000 }, 2 },
	{ { 65535, 65535 }, 2 },
	{ { 1, 1, 1 }, 3 },
	{ { 60, 20, 20 }, 3 },
	{ { 0, 0, 0 }, 3 },
	{ { 10, 10, 10 }, 3 },
	{ { 6000, 3000, 1000 }, 3 },
	{ { 0, 0, 5 }, 3 },
	{ { 0, 3, 1 }, 3 },
};

/* At p = 1e-6, for 2 and for 6 orders: one degree of freedom, and five. */
static double bound_of(size_t n_orders)
{
	return n_orders == 2 ? 23.93 : 35.89;
}

struct tally {
	size_t orders[ORDERS_MAX]; /* of those with a weight; of all when there are none */
	size_t zeros[ORDERS_MAX];  /* of those without */
	size_t zero_leads;
};

static void tally(struct tally *tally, const uint16_t *weights, size_t n)
{
	struct srv_target targets[WEIGHTS_MAX];
	size_t place_of[WEIGHTS_MAX], order[2][WEIGHTS_MAX], n_seen[2] = { 0 }, n_of[2] = { 0 };

	/* Counted apart: the third of those with a weight is the second place among them, and so on. */
	for (size_t i = 0; i < n; i++)
		place_of[i] = n_of[weights[i] > 0]++;
	(void)set_weights(targets, weights, n);
	srv_order(targets, n, NULL, NULL);
	for (size_t i = 0; i < n; i++) {
		size_t port = targets[i].port, kind = weights[port] > 0;

		order[kind][n_seen[kind]++] = place_of[port];
	}
	tally->orders[order_index(order[1], n_of[1])]++;
	tally->zeros[order_index(order[0], n_of[0])]++;
	tally->zero_leads += targets[0].weight == 0;
}

static void check_orders(const size_t *counts, const double *weights, size_t n, size_t set)
{
	size_t n_orders = n == 2 ? 2 : 6;
	double chances[ORDERS_MAX], off;

	if (n < 2)
		return;
	expect(weights, n, chances);
	off = chi_square(counts, chances, n_orders);
	ck_assert_msg(off < bound_of(n_orders), "set %zu: %.1f", set, off);
}

START_TEST(shares_are_as_the_weights)
{
	for (size_t i = 0; i < ARRAY_LEN(draws); i++) {
		double positive[WEIGHTS_MAX], equal[WEIGHTS_MAX] = { 1, 1, 1 };
		double sum = 0, chance, share, variance;
		struct tally all = { 0 };
		size_t n_positive = 0, n_zeros = 0;

		for (size_t j = 0; j < draws[i].n; j++) {
			if (draws[i].weights[j] > 0)
				positive[n_positive++] = draws[i].weights[j];
			else
				n_zeros++;
			sum += draws[i].weights[j];
		}
		for (size_t j = 0; j < DRAWS; j++)
			tally(&all, draws[i].weights, draws[i].n);
		check_orders(all.orders, positive, n_positive, i);
		check_orders(all.zeros, equal, n_zeros, i);
		if (n_positive == 0 || n_zeros == 0)
			continue;
		/* Five sigma above; compared as squares, so that nothing here needs libm. */
		chance = 1 / (sum + 1);
		share = (double)all.zero_leads / DRAWS;
		variance = chance * (1 - chance) / DRAWS;
		ck_assert_msg(share <= chance ||
				      (share - chance) * (share - chance) <= 25 * variance,
			      "set %zu: %f", i, share);
	}
}
END_TEST

SUITE_MAIN("srv", targets_are_read_in_the_order_of_the_answer, links_of_the_chain_are_no_targets,
	   of_too_many_the_most_preferred_are_kept, priorities_come_in_order_whatever_the_weights,
	   each_number_has_its_record, shares_are_as_the_weights)
