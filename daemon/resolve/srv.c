/* SPDX-License-Identifier: MIT */
/*
 * RFC 2782 draws from 0 to the sum of the weights, both included, which gives its first record a weight that it does not
 * have: with weights of 1 and 1 two times out of three. That 0 is meant for the records of weight 0 and so it is here in
 * the draw only where there are such.
 */
#include "daemon/resolve/srv.h"

#include <stdbool.h>
#include <sys/random.h>

#include "daemon/resolve/dns-answer.h"
#include "daemon/resolve/dns-name.h"
#include "protocol/error.h"

#define FIXED_BYTES 6 /* priority, weight, port */

static uint16_t read_u16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static bool is_root(const struct dns_record *record)
{
	return record->len == FIXED_BYTES + 1 && record->data[FIXED_BYTES] == 0;
}

static bool parse_record(const struct dns_record *record, struct srv_target *ret)
{
	size_t name_len;

	if (record->type != DNS_TYPE_SRV || record->len < FIXED_BYTES)
		return false;
	name_len = record->len - FIXED_BYTES;
	if (dns_name_len(record->data + FIXED_BYTES, name_len) != name_len ||
	    dns_name_to_text(record->data + FIXED_BYTES, name_len, ret->name) < 0)
		return false;
	ret->priority = read_u16(record->data);
	ret->weight = read_u16(record->data + 2);
	ret->port = read_u16(record->data + 4);
	return true;
}

/* The last of the least preferred. */
static size_t find_worst(const struct srv_target *targets, size_t n)
{
	size_t worst = 0;

	for (size_t i = 1; i < n; i++)
		if (targets[i].priority >= targets[worst].priority)
			worst = i;
	return worst;
}

static void remove_target(struct srv_target *targets, size_t n, size_t index)
{
	for (size_t i = index + 1; i < n; i++)
		targets[i - 1] = targets[i];
}

int srv_parse(const struct dns_answer *answer, struct srv_target ret[SRV_TARGETS_MAX])
{
	struct dns_cursor cursor = { 0 };
	struct dns_record record;
	bool unavailable = false;
	size_t n = 0;

	while (dns_answer_next(answer, &cursor, &record)) {
		struct srv_target target;

		if (record.type == DNS_TYPE_SRV && is_root(&record))
			unavailable = true;
		if (!parse_record(&record, &target))
			continue;
		if (n == SRV_TARGETS_MAX) {
			size_t worst = find_worst(ret, n);

			if (target.priority >= ret[worst].priority)
				continue;
			remove_target(ret, n--, worst);
		}
		ret[n++] = target;
	}
	return n == 0 && unavailable ? -ASOCK_E_SERVICE_UNAVAILABLE : (int)n;
}

/*
 * A system call gives a few draws. It cannot fail once the kernel has its seed; if it did, a fixed order would be what
 * is left.
 */
static uint32_t kernel_bits(void *arg)
{
	static uint32_t numbers[32];
	static size_t n_left;

	(void)arg;
	if (n_left == 0) {
		if (getrandom(numbers, sizeof(numbers), 0) != sizeof(numbers))
			return 0;
		n_left = ARRAY_LEN(numbers);
	}
	return numbers[--n_left];
}

struct source {
	srv_random_fn *bits;
	void *arg;
};

/* From 0 to below - 1, each as likely: what the last, incomplete round of numbers would favour is drawn again. */
static uint32_t draw(const struct source *source, uint32_t below)
{
	uint32_t rest = (UINT32_MAX % below + 1) % below; /* 2^32 mod below */
	uint32_t number;

	do
		number = source->bits(source->arg);
	while (number > UINT32_MAX - rest);
	return number % below;
}

static void swap(struct srv_target *a, struct srv_target *b)
{
	struct srv_target saved = *a;

	*a = *b;
	*b = saved;
}

/* The target in which the number falls when each takes as much room as its weight says. */
static size_t find_weighted(const struct srv_target *targets, size_t n, uint32_t number)
{
	size_t i = 0;

	while (i + 1 < n && number >= targets[i].weight)
		number -= targets[i++].weight;
	return i;
}

static size_t find_zero(const struct srv_target *targets, size_t n, uint32_t number)
{
	size_t i = 0;

	while (i + 1 < n && (targets[i].weight > 0 || number-- > 0))
		i++;
	return i;
}

/* Which of these, all of one priority, comes next. */
static size_t draw_next(const struct srv_target *targets, size_t n, const struct source *source)
{
	uint32_t sum = 0, n_zeros = 0, number;

	for (size_t i = 0; i < n; i++) {
		sum += targets[i].weight;
		n_zeros += targets[i].weight == 0;
	}
	if (n_zeros == 0)
		return find_weighted(targets, n, draw(source, sum));
	number = draw(source, sum + 1);
	if (number == 0)
		return find_zero(targets, n, draw(source, n_zeros));
	return find_weighted(targets, n, number - 1);
}

static void sort_by_priority(struct srv_target *targets, size_t n)
{
	for (size_t i = 1; i < n; i++)
		for (size_t j = i; j > 0 && targets[j].priority < targets[j - 1].priority; j--)
			swap(&targets[j], &targets[j - 1]);
}

void srv_order(struct srv_target *targets, size_t n, srv_random_fn *bits, void *arg)
{
	const struct source source = { bits ? bits : kernel_bits, arg };
	size_t end = 0;

	sort_by_priority(targets, n);
	for (size_t i = 0; i < n; i++) {
		if (i == end)
			while (end < n && targets[end].priority == targets[i].priority)
				end++;
		swap(&targets[i], &targets[i + draw_next(targets + i, end - i, &source)]);
	}
}
