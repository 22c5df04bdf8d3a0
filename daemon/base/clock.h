/* SPDX-License-Identifier: MIT */
/*
 * The one clock. Everything in the daemon that asks for the time asks here, so a test can replace it.
 */
#pragma once

#include <stdint.h>

#define USEC_PER_SEC  UINT64_C(1000000)
#define USEC_PER_MSEC UINT64_C(1000)

struct timeval;

/* Microseconds of CLOCK_MONOTONIC. */
uint64_t clock_now_us(void);

/* How long from now_us until deadline_us, never negative, as libevent takes it. */
struct timeval clock_until(uint64_t now_us, uint64_t deadline_us);

/* For tests: every later clock_now_us() answers *fake_us; NULL goes back to the kernel's clock. */
void clock_set_fake(const uint64_t *fake_us);
