/* SPDX-License-Identifier: MIT */
/*
 * See ctl-candidates.h. Explain and the events of Connect tell the same of a candidate, but for the
 * policy's word, which comes with the attempt in the latter.
 */
#include "client-lib/ctl-candidates.h"

#include <stdlib.h>

#include "client-lib/ctl-reply.h"
#include "client-lib/ctl-table.h"
#include "client-lib/ctl.h"

enum column {
	COLUMN_NUMBER,
	COLUMN_ADDRESS,
	COLUMN_TARGET,
	COLUMN_SOURCE,
	COLUMN_FROM,
	COLUMN_POLICY,
	COLUMN_ROUND_TRIP,
	COLUMN_STATE,
	COLUMN_REASON
};

static void add_candidate(struct ctl_table *table, size_t index, const json_t *candidate)
{
	const json_t *allowed = json_object_get(candidate, "allowed");
	bool is_dead = json_is_true(json_object_get(candidate, "dead"));
	const char *from = ctl_reply_string(candidate, "sourceAddress");
	char text[CTL_ADDRESS_SIZE];

	ctl_table_add_row(table, json_is_false(allowed) ? CTL_COLOUR_BAD
				 : from[0] && !is_dead	? CTL_COLOUR_PLAIN
							: CTL_COLOUR_WEAK);
	ctl_table_set(table, COLUMN_NUMBER, "%zu", index + 1);
	ctl_table_set(
		table, COLUMN_ADDRESS, "%s",
		ctl_reply_endpoint(json_object_get(candidate, "endpoint"), text, sizeof(text)));
	ctl_table_set(table, COLUMN_TARGET, "%s", ctl_reply_string(candidate, "target"));
	ctl_table_set(table, COLUMN_SOURCE, "%s", ctl_reply_string(candidate, "source"));
	ctl_table_set(table, COLUMN_FROM, "%s", from[0] ? from : "no route");
	if (json_is_boolean(allowed))
		ctl_table_set(table, COLUMN_POLICY, "%s",
			      json_is_true(allowed) ? "allowed" : "denied");
	ctl_table_set(table, COLUMN_ROUND_TRIP, "%s",
		      ctl_reply_time(candidate, "roundTripUsec", text, sizeof(text)));
	ctl_table_set(table, COLUMN_STATE, "%s", is_dead ? "dead" : "");
	ctl_table_set(table, COLUMN_REASON, "%s", ctl_reply_string(candidate, "reason"));
}

int ctl_print_candidates(FILE *stream, const json_t *candidates)
{
	static const char *const titles[] = { "",	    "address", "target",
					      "source",	    "from",    "policy",
					      "round trip", "state",   "before the next by" };
	CLEANUP(ctl_table_done)
	struct ctl_table table = { .right = 1U << COLUMN_NUMBER | 1U << COLUMN_ROUND_TRIP };
	size_t index;
	json_t *candidate;

	ctl_table_add_header(&table, titles, ARRAY_LEN(titles));
	json_array_foreach (candidates, index, candidate)
		add_candidate(&table, index, candidate);
	if (table.n_rows <= 1)
		return 0;
	(void)fputc('\n', stream);
	return ctl_table_print(stream, &table, 0, table.n_rows);
}
