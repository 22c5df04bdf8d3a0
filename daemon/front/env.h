/* SPDX-License-Identifier: MIT */
/*
 * What all client connections share. The daemon owns it and changes it in place at a reload.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/request/request.h"

struct closer;
struct unread;

LIST_HEAD(unread_list, unread);

struct front_env {
	struct request_env request;
	struct closer *closer;
	bool is_draining;	      /* no call begins any more */
	struct unread_list unread_by; /* the descriptors in flight, as far as is known */
	uint64_t look_round_us;	      /* when everybody in it may be looked at again */
};
