/* SPDX-License-Identifier: MIT */
#include "tests/support/dns_bytes.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define AT_ANSWERS    6
#define N_MEASURES    20
#define SLOW_LIMIT_US 10000.0

uint8_t *dns_bytes_copy(const char *bytes, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, bytes, len);
	return copy;
}

bool dns_bytes_has_room(const struct dns_bytes *message, size_t len)
{
	return sizeof(message->bytes) - message->len >= len;
}

void dns_bytes_put(struct dns_bytes *message, const char *bytes, size_t len)
{
	ck_assert(dns_bytes_has_room(message, len));
	memcpy(message->bytes + message->len, bytes, len);
	message->len += len;
}

void dns_bytes_put_pointer(struct dns_bytes *message, size_t target)
{
	char pointer[] = { (char)(0xc0 | target >> 8), (char)target };

	dns_bytes_put(message, pointer, sizeof(pointer));
}

void dns_bytes_begin(struct dns_bytes *message)
{
	message->len = 0;
	message->n_answers = 0;
	dns_bytes_put(message, BYTES(HEADER("\x00", "\x00", "\x00") QUESTION));
}

void dns_bytes_count_answer(struct dns_bytes *message)
{
	message->n_answers++;
	message->bytes[AT_ANSWERS] = (uint8_t)(message->n_answers >> 8);
	message->bytes[AT_ANSWERS + 1] = (uint8_t)message->n_answers;
}

size_t dns_bytes_put_ladder(struct dns_bytes *message, unsigned int n_links, bool with_labels)
{
	size_t length_at, previous, len;

	dns_bytes_put(message, BYTES("\x00\xff\x00" IN TTL "\x00\x00"));
	length_at = message->len - 2;
	previous = message->len;
	dns_bytes_put(message, BYTES("\x01"
				     "a\x00"));
	for (unsigned int i = 0; i < n_links; i++) {
		size_t here = message->len;

		if (with_labels)
			dns_bytes_put(message, BYTES("\x01"
						     "a"));
		dns_bytes_put_pointer(message, previous);
		previous = here;
	}
	len = message->len - length_at - 2;
	message->bytes[length_at] = (uint8_t)(len >> 8);
	message->bytes[length_at + 1] = (uint8_t)len;
	dns_bytes_count_answer(message);
	return previous;
}

double dns_bytes_measure_us(void (*call)(struct dns_bytes *message), struct dns_bytes *message)
{
	double best_us = 1e9;

	for (int i = 0; i < N_MEASURES; i++) {
		struct timespec from, to;
		double us;

		ck_assert_int_eq(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from), 0);
		call(message);
		ck_assert_int_eq(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to), 0);
		us = (double)(to.tv_sec - from.tv_sec) * 1e6 +
		     (double)(to.tv_nsec - from.tv_nsec) / 1e3;
		best_us = us < best_us ? us : best_us;
	}
	return best_us;
}

double dns_bytes_limit_us(double max_us)
{
	bool is_fast = !getenv("UNDER_VALGRIND");

#if !defined(__OPTIMIZE__) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	is_fast = false;
#endif
#ifdef __has_feature /* clang */
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || \
	__has_feature(thread_sanitizer)
	is_fast = false;
#endif
#endif
	return is_fast ? max_us : SLOW_LIMIT_US;
}
