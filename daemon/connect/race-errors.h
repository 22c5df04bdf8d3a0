/* SPDX-License-Identifier: MIT */
/*
 * Which error of several attempts is told first.
 */
#pragma once

#include <stdbool.h>

/* How telling it is: the lower the more, from "somebody is there and says no" to "there is no such network here". */
enum race_rank {
	RACE_RANK_REFUSED,
	RACE_RANK_RESET,
	RACE_RANK_TIMEOUT,
	RACE_RANK_UNREACHABLE,
	RACE_RANK_FORBIDDEN,
	RACE_RANK_OTHER,
	RACE_RANK_UNSUPPORTED,
	RACE_RANK_ABSENT,
	RACE_RANK_NONE
};

/* error: -errno, 0: there is none. is_absent: this host has no address of that family. */
enum race_rank race_errors_rank(int error, bool is_absent);
