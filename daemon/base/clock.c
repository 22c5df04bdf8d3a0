/* SPDX-License-Identifier: MIT */
#include "daemon/base/clock.h"

#include <stddef.h>
#include <sys/time.h>
#include <time.h>

static const uint64_t *fake_now_us;

uint64_t clock_now_us(void)
{
	struct timespec now;

	if (fake_now_us)
		return *fake_now_us;
	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000;
}

struct timeval clock_until(uint64_t now_us, uint64_t deadline_us)
{
	uint64_t wait_us = deadline_us > now_us ? deadline_us - now_us : 0;

	return (struct timeval){ .tv_sec = (time_t)(wait_us / USEC_PER_SEC),
				 .tv_usec = (suseconds_t)(wait_us % USEC_PER_SEC) };
}

void clock_set_fake(const uint64_t *fake_us)
{
	fake_now_us = fake_us;
}
