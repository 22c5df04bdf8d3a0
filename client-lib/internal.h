/* SPDX-License-Identifier: MIT */
/*
 * What every source of the library needs: the mark of an exported function, and the time.
 */
#pragma once

#include <stdint.h>
#include <time.h>

#define ASOCK_PUBLIC __attribute__((visibility("default")))

/* Monotonic microseconds. */
static inline uint64_t now_us(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* a + b, or UINT64_MAX where that does not fit. */
static inline uint64_t add_us(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}
