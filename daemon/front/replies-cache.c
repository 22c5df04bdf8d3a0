/* SPDX-License-Identifier: MIT */
#include "daemon/front/replies-cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/front/members.h"
#include "daemon/resolve/dns-cache.h"
#include "daemon/resolve/dns-text.h"

#define CACHE_BYTES   (256 * 1024) /* of all entries that are shown */
#define CACHE_RECORDS 16	   /* of each */
#define ENTRY_BYTES   320	   /* of an entry but for its name and its records */

static const char *kind_name(const struct dns_answer *answer)
{
	if (!answer)
		return "failure";
	if (answer->rcode == DNS_RCODE_NXDOMAIN)
		return "nameNotFound";
	return answer->n_records > 0 ? "positive" : "noData";
}

/* Aliases on the way to records of another type say what they are. */
static json_t *format_data(const struct dns_answer *answer, const struct dns_record *record)
{
	CLEANUP(freep) char *text = NULL;
	int r = dns_text_format_record(record->type, record->data, record->len, &text);

	if (r == -EMSGSIZE)
		return json_sprintf("\\# %zu ...", record->len);
	if (r < 0)
		return NULL;
	return json_sprintf("%s%s", record->type != answer->type ? "CNAME " : "", text);
}

static json_t *format_records(const struct dns_answer *answer, size_t *ret_bytes)
{
	json_t *array = json_array();
	struct dns_cursor cursor = { 0 };
	struct dns_record record;
	size_t bytes = 0;
	int failed = 0;

	while (answer && json_array_size(array) < CACHE_RECORDS && !failed &&
	       dns_answer_next(answer, &cursor, &record)) {
		json_t *data = format_data(answer, &record);

		bytes += json_string_length(data) + 3;
		failed |= members_append(array, data);
	}
	*ret_bytes = bytes;
	return members_finish(array, failed);
}

static int set_kept(json_t *object, const struct dns_cache_entry *entry, uint64_t now_us)
{
	const struct dns_answer *answer = entry->answer;
	const struct endpoint *server = answer ? &answer->server : &entry->failure_server;
	uint64_t until_us = answer ? entry->expires_us : entry->failing_until_us;
	char text[ENDPOINT_TEXT_SIZE];
	int failed = 0;

	failed |= members_set_text(object, "kind", kind_name(answer));
	failed |= members_set(object, "ttlUsec",
			      json_integer((json_int_t)until_us - (json_int_t)now_us));
	if (server->address.family != 0)
		failed |= members_set_text(object, "server",
					   endpoint_format(server, text, sizeof(text)));
	failed |=
		members_set(object, "authenticated", json_boolean(answer && answer->authenticated));
	failed |= members_set(object, "confidential", json_boolean(answer && answer->confidential));
	return failed;
}

static json_t *format_entry(const struct dns_cache_entry *entry, uint64_t now_us, size_t *ret_bytes)
{
	char type[DNS_TEXT_NAME_SIZE];
	json_t *object = json_object();
	size_t bytes;
	int failed = 0;

	failed |= members_set_text(object, "name", entry->name);
	failed |= members_set_text(object, "type",
				   entry->type ? dns_text_type_name(entry->type, type) : "ANY");
	failed |= set_kept(object, entry, now_us);
	failed |= members_set_count(object, "hits", entry->hits);
	failed |= members_set_count(object, "sizeBytes", entry->size);
	failed |= members_set(object, "records", format_records(entry->answer, &bytes));
	*ret_bytes = ENTRY_BYTES + strlen(entry->name) + bytes;
	return members_finish(object, failed);
}

struct dump {
	json_t *items;
	size_t max, bytes, n_omitted;
	bool is_full;
	int failed;
	uint64_t now_us;
};

static void show(struct dump *dump, const struct dns_cache_entry *entry)
{
	size_t bytes = 0;
	json_t *item = format_entry(entry, dump->now_us, &bytes);

	if (item && dump->bytes + bytes > CACHE_BYTES) {
		json_decref(item);
		dump->is_full = true;
		return;
	}
	dump->bytes += bytes;
	dump->failed |= members_append(dump->items, item);
}

/* When it is full, it goes on counting. */
static bool visit_entry(const struct dns_cache_entry *entry, void *arg)
{
	struct dump *dump = arg;

	if (json_array_size(dump->items) >= dump->max)
		dump->is_full = true;
	if (!dump->is_full)
		show(dump, entry);
	if (dump->is_full)
		dump->n_omitted++;
	return !dump->failed;
}

json_t *replies_cache(const struct dns_cache *cache, const char *glob, size_t max, uint64_t now_us)
{
	struct dns_cache_counts counts = dns_cache_get_counts(cache);
	struct dump dump = { .items = json_array(), .max = max, .now_us = now_us };
	json_t *object = json_object();
	int failed;

	dns_cache_visit(cache, glob, visit_entry, &dump);
	failed = dump.failed;
	failed |= members_set(object, "items", dump.items);
	failed |= members_set_count(object, "omitted", dump.n_omitted);
	failed |= members_set_count(object, "entries", counts.n_entries);
	failed |= members_set_count(object, "bytes", counts.bytes);
	failed |= members_set_count(object, "maxBytes", counts.max_bytes);
	failed |= members_set_count(object, "hits",
				    counts.hits + counts.stale_hits + counts.failure_hits);
	failed |= members_set_count(object, "staleHits", counts.stale_hits);
	failed |= members_set_count(object, "misses", counts.misses);
	failed |= members_set_count(object, "evictions", counts.evictions);
	return members_finish(object, failed);
}
