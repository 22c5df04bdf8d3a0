/* SPDX-License-Identifier: MIT */
#include "daemon/front/replies-history.h"

#include <fnmatch.h>
#include <inttypes.h>

#include "daemon/connect/history.h"
#include "daemon/front/members.h"
#include "protocol/error.h"

/* Numbers without meaning but that they are the same or not; JSON has none of 64 bits without a sign. */
static int set_id(json_t *object, const char *key, uint64_t id)
{
	return members_set(object, key, json_sprintf("%016" PRIx64, id));
}

static uint64_t span(uint64_t from_us, uint64_t to_us)
{
	return to_us > from_us ? to_us - from_us : 0;
}

static const char *state_name(const struct history_record *record)
{
	if (record->is_dead)
		return "dead";
	return record->connected_at_us > 0 ? "good" : "unknown";
}

static int set_death(json_t *object, const struct history_record *record, uint64_t now_us)
{
	int failed = members_set_count(object, "deadUsec", span(record->dead_since_us, now_us));

	if (record->error < 0)
		failed |= members_set_text(object, "error", error_errno_name(record->error));
	return failed | members_set_count(object, "probeUsec", span(now_us, record->probe_at_us));
}

static json_t *format_record(const struct history_record *record, uint64_t now_us)
{
	const struct history_key *key = &record->key;
	json_t *object = json_object();
	int failed = 0;

	failed |= members_set(object, "endpoint", members_format_endpoint(&key->endpoint, true));
	failed |= members_set_text(object, "protocol", transport_name(key->transport));
	failed |= set_id(object, "network", key->network);
	if (key->partition > 0)
		failed |= set_id(object, "partition", key->partition);
	if (key->route > 0)
		failed |= set_id(object, "route", key->route);
	failed |= members_set_text(object, "state", state_name(record));
	if (record->rtt_us > 0) {
		failed |= members_set_count(object, "roundTripUsec", record->rtt_us);
		failed |= members_set_count(object, "variationUsec", record->rttvar_us);
	}
	failed |= members_set(object, "foreign", json_boolean(record->is_rtt_foreign));
	if (record->is_dead)
		failed |= set_death(object, record, now_us);
	if (record->connected_at_us > 0)
		failed |= members_set_count(object, "lastUsec",
					    span(record->connected_at_us, now_us));
	failed |= members_set_count(object, "connected", record->n_connected);
	failed |= members_set_count(object, "failed", record->n_failed);
	return members_finish(object, failed);
}

struct dump {
	json_t *items;
	const char *glob;
	size_t max, n_omitted;
	int failed;
	uint64_t now_us;
};

static void show(const struct history_record *record, void *arg)
{
	struct dump *dump = arg;
	char text[ADDRESS_TEXT_SIZE];

	if (dump->failed ||
	    (dump->glob &&
	     fnmatch(dump->glob, address_format(&record->key.endpoint.address, text, sizeof(text)),
		     0) != 0))
		return;
	if (json_array_size(dump->items) >= dump->max)
		dump->n_omitted++;
	else
		dump->failed |= members_append(dump->items, format_record(record, dump->now_us));
}

json_t *replies_history(struct history *history, const char *glob, size_t max, uint64_t now_us)
{
	size_t n = history ? history_get_n(history) : 0;
	struct dump dump = { .items = json_array(), .glob = glob, .max = max, .now_us = now_us };
	json_t *object = json_object();
	int failed;

	if (history)
		history_walk(history, now_us, glob ? SIZE_MAX : max, show, &dump);
	if (!glob)
		dump.n_omitted = n - json_array_size(dump.items);
	failed = dump.failed;
	failed |= members_set(object, "items", dump.items);
	failed |= members_set_count(object, "omitted", dump.n_omitted);
	failed |= members_set_count(object, "entries", n);
	failed |= members_set_count(object, "maxEntries", history ? HISTORY_MAX : 0);
	return members_finish(object, failed);
}
