/* SPDX-License-Identifier: MIT */
/*
 * What the race costs by itself: complete races per second of CPU time, with a clock that only counts. A race is made, gets
 * both answers, is driven until its end with all its actions and wake-ups taken, and is freed.
 *
 * race [SECONDS]: how long each kind of race is measured; 1 if nothing is said.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "daemon/connect/race.h"
#include "protocol/text.h"

#define MAX_PER_FAMILY 8
#define BATCH	       1000

/* What becomes of the attempts of one race. */
struct kind {
	const char *name;
	size_t n_per_family;
	size_t n_failing; /* so many are refused at once; the next connects */
	size_t n_silent;  /* so many more never answer, before that */
	bool has_past;	  /* round trips are known, and one address is dead */
};

static const struct kind kinds[] = {
	{ "2 + 2 addresses, the first connects", 2, 0, 0, false },
	{ "2 + 2 addresses, the first is refused", 2, 1, 0, false },
	{ "2 + 2 addresses, the first is silent", 2, 0, 1, false },
	{ "2 + 2 addresses with a past, the first connects", 2, 0, 0, true },
	{ "1 + 1 address, the first connects", 1, 0, 0, false },
	{ "8 + 8 addresses, all are refused", 8, 16, 0, false },
	{ "8 + 8 addresses, seven are silent", 8, 0, 7, false },
};

struct answer {
	struct candidate items[MAX_PER_FAMILY];
	struct addrsort_facts facts[MAX_PER_FAMILY];
};

static void die(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) < 0)
		die("clock_gettime");
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void fill(struct answer *answer, int family, const struct kind *kind)
{
	memset(answer, 0, sizeof(*answer));
	for (size_t i = 0; i < MAX_PER_FAMILY; i++) {
		struct candidate *candidate = &answer->items[i];
		struct addrsort_facts *facts = &answer->facts[i];

		candidate->source = SOURCE_DNS;
		candidate->endpoint.port = 443;
		memcpy(candidate->target, "www.example.org", sizeof("www.example.org"));
		candidate->endpoint.address =
			family == AF_INET6
				? (struct address){ .family = AF_INET6,
						    .bytes = { 0x20, 1, 0x0d,
							       0xb8, [15] = (uint8_t)(i + 1) } }
				: (struct address){ .family = AF_INET,
						    .bytes = { 198, 51, 100, (uint8_t)(i + 1) } };
		facts->source.address = candidate->endpoint.address;
		facts->source.address.bytes[family == AF_INET6 ? 15 : 3] = 99;
		facts->source.facts.prefix_len = family == AF_INET6 ? 64 : 24;
		if (kind->has_past) {
			facts->past.rtt_us = (uint32_t)(20000 + 40000 * i);
			facts->past.is_dead = family == AF_INET6 && i == 0;
		}
	}
}

static void give(struct race *race, int family, const struct answer *answer, size_t n)
{
	if (race_on_answer(race, 1, family, 0, answer->items, answer->facts, n, true) < 0)
		die("race_on_answer");
}

/* Answers how many attempts there were. */
static size_t run(const struct kind *kind, const struct answer *inet6, const struct answer *inet)
{
	static const struct race_params params = {
		.families = FAMILY_ANY,
		.deadline_us = 30000000,
		.resolution_delay_us = 50000,
		.attempt_delay_us = 250000,
		.answer_grace_us = 2000000,
		.max_addresses = 16,
		.max_attempts = 8,
	};
	CLEANUP(race_freep) struct race *race = NULL;
	struct race_action action;
	uint64_t now_us = 1;
	size_t n = 0;

	if (race_new(&race, &params) < 0)
		die("race_new");
	give(race, AF_INET6, inet6, kind->n_per_family);
	give(race, AF_INET, inet, kind->n_per_family);
	for (;;) {
		while (race_next_action(race, now_us, &action)) {
			if (action.kind == RACE_DONE)
				return n;
			if (action.kind != RACE_START)
				continue;
			if (n < kind->n_failing)
				race_on_attempt(race, now_us, action.attempt, -ECONNREFUSED, 0);
			else if (n >= kind->n_failing + kind->n_silent)
				race_on_attempt(race, now_us, action.attempt, 0, 20000);
			n++;
		}
		now_us = race_get_wakeup(race);
		race_on_time(race, now_us);
	}
}

static void measure(const struct kind *kind, uint64_t wanted_ns)
{
	struct answer inet6, inet;
	uint64_t n_races = 0;
	uint64_t n_attempts = 0;
	uint64_t begin, elapsed;

	fill(&inet6, AF_INET6, kind);
	fill(&inet, AF_INET, kind);
	begin = now_ns();
	do {
		for (size_t i = 0; i < BATCH; i++)
			n_attempts += run(kind, &inet6, &inet);
		n_races += BATCH;
		elapsed = now_ns() - begin;
	} while (elapsed < wanted_ns);
	(void)printf("%-50s %6.2f million races/s, %5.0f ns a race, %4.1f attempts\n", kind->name,
		     (double)n_races * 1000 / (double)elapsed, (double)elapsed / (double)n_races,
		     (double)n_attempts / (double)n_races);
}

int main(int argc, char **argv)
{
	uint64_t seconds = 1;

	if (argc > 2 || (argc == 2 && text_parse_uint(argv[1], 3600, &seconds) < 0)) {
		(void)fprintf(stderr, "usage: %s [SECONDS]\n", argv[0]);
		return EXIT_FAILURE;
	}
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		measure(&kinds[i], seconds * 1000000000);
	return EXIT_SUCCESS;
}
