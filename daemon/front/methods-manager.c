/* SPDX-License-Identifier: MIT */
#include "daemon/front/methods-manager.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/connect/history.h"
#include "daemon/front/call.h"
#include "daemon/front/destination.h"
#include "daemon/front/replies-cache.h"
#include "daemon/front/replies-explain.h"
#include "daemon/front/replies-history.h"
#include "daemon/front/replies-servers.h"
#include "daemon/resolve/dns-text.h"
#include "protocol/error.h"
#include "protocol/text.h"

#define INTERFACE "org.asockd.Manager"

#define DUMP_ENTRIES	 256 /* shown, unless the call says otherwise */
#define DUMP_ENTRIES_MAX 1000

static void start_ping(struct call *call)
{
	if (call_read_parameters(call, NULL))
		call_reply(call, json_object());
}

static void start_whoami(struct call *call)
{
	const struct call_params *params = call_get_params(call);
	const struct identity *identity = &params->identity;
	const char *role = policy_get_role(call_get_env(call)->request.policy, identity);
	json_t *pid = identity->peer_pid > 0 ? json_integer(identity->peer_pid) : NULL;

	if (!call_read_parameters(call, NULL)) {
		json_decref(pid);
		return;
	}
	call_reply(call, json_pack("{sIsIso*ss*ssss*}", "uid", (json_int_t)identity->peer_uid,
				   "gid", (json_int_t)identity->peer_gid, "pid", pid, "role", role,
				   "netns", identity->same_netns ? "same" : "other", "listener",
				   params->listener));
}

static struct dns_lookups *get_lookups(struct call *call)
{
	return resolver_get_lookups(call_get_env(call)->request.resolver);
}

static void start_list_servers(struct call *call)
{
	if (call_read_parameters(call, NULL))
		call_reply(call, replies_servers(get_lookups(call), clock_now_us()));
}

/* Names in the cache are lower case and without final dot. NULL stays NULL. -ENOMEM. */
static int fold_glob(const char *glob, char **ret)
{
	char *folded = glob ? strdup(glob) : NULL;
	size_t len = glob ? strlen(glob) : 0;

	if (glob && !folded)
		return -ENOMEM;
	for (size_t i = 0; i < len; i++)
		folded[i] = text_lower(folded[i]);
	if (len > 1 && folded[len - 1] == '.')
		folded[len - 1] = '\0';
	*ret = folded;
	return 0;
}

struct dump_parameters {
	const char *glob;
	struct optional_int limit;
};

static const struct parameter dump_table[] = {
	{ "glob", PARAMETER_STRING, .offset = offsetof(struct dump_parameters, glob) },
	{ "limit", PARAMETER_INT, .offset = offsetof(struct dump_parameters, limit), .min = 0,
	  .max = DUMP_ENTRIES_MAX },
	{ 0 },
};

static void start_dump_cache(struct call *call)
{
	struct dump_parameters parameters = { .limit = { .value = DUMP_ENTRIES } };
	CLEANUP(freep) char *glob = NULL;

	if (!call_read_parameters(call, &parameters))
		return;
	if (fold_glob(parameters.glob, &glob) < 0)
		call_fail(call, -ENOMEM, NULL);
	else
		call_reply(call, replies_cache(dns_lookups_get_cache(get_lookups(call)), glob,
					       (size_t)parameters.limit.value, clock_now_us()));
}

struct flush_parameters {
	const char *name, *type;
	struct optional_int kind;
};

static const char *const kind_words[] = {
	"any", "positive", "negative", "failure", "stale", NULL
}; /* enum dns_cache_kind */

static const struct parameter flush_table[] = {
	{ "name", PARAMETER_STRING, .offset = offsetof(struct flush_parameters, name) },
	{ "type", PARAMETER_STRING, .offset = offsetof(struct flush_parameters, type) },
	{ "kind", PARAMETER_WORD, .offset = offsetof(struct flush_parameters, kind),
	  .words = kind_words },
	{ 0 },
};

static void start_flush_cache(struct call *call)
{
	struct flush_parameters parameters = { 0 };
	CLEANUP(freep) char *glob = NULL;
	uint16_t type = 0;
	size_t n;

	if (!call_read_parameters(call, &parameters))
		return;
	if (parameters.type && dns_text_type_from_name(parameters.type, &type) < 0) {
		call_fail(call, -ASOCK_E_INVALID_PARAMETER, json_pack("{ss}", "parameter", "type"));
		return;
	}
	if (fold_glob(parameters.name, &glob) < 0) {
		call_fail(call, -ENOMEM, NULL);
		return;
	}
	n = dns_cache_flush(dns_lookups_get_cache(get_lookups(call)), glob, type,
			    (enum dns_cache_kind)parameters.kind.value, clock_now_us());
	call_reply(call, json_pack("{sI}", "flushed", (json_int_t)n));
}

/* What was learnt before History=off was configured is of use to nobody now. */
static struct history *get_history_in_use(struct call *call)
{
	const struct request_env *env = &call_get_env(call)->request;

	return env->config->history == HISTORY_OFF ? NULL : env->racing.history;
}

static void start_dump_history(struct call *call)
{
	struct dump_parameters parameters = { .limit = { .value = DUMP_ENTRIES } };
	CLEANUP(freep) char *glob = NULL;

	if (!call_read_parameters(call, &parameters))
		return;
	if (fold_glob(parameters.glob, &glob) < 0)
		call_fail(call, -ENOMEM, NULL);
	else
		call_reply(call, replies_history(get_history_in_use(call), glob,
						 (size_t)parameters.limit.value, clock_now_us()));
}

static void start_flush_history(struct call *call)
{
	struct history *history = call_get_env(call)->request.racing.history;

	if (call_read_parameters(call, NULL))
		call_reply(call, json_pack("{sI}", "flushed",
					   (json_int_t)(history ? history_flush(history) : 0)));
}

#define AT(field) offsetof(struct destination, field)

static const struct parameter explain_table[] = {
	{ "host", PARAMETER_STRING, .offset = AT(host) },
	{ "service", PARAMETER_STRING, .offset = AT(service) },
	{ "target", PARAMETER_STRING, .offset = AT(target) },
	{ "protocol", PARAMETER_WORD, .offset = AT(protocol), .words = destination_protocol_words },
	{ "family", PARAMETER_WORD, .offset = AT(family), .words = destination_family_words },
	{ "timeoutUsec", PARAMETER_USEC, .offset = AT(timeout_us) },
	{ 0 },
};

#undef AT

static void start_explain(struct call *call)
{
	struct destination destination = { 0 };
	struct request_params request = { .kind = REQUEST_EXPLAIN,
					  .identity = call_get_params(call)->identity };
	const char *bad_field;

	if (!call_read_parameters(call, &destination))
		return;
	bad_field = destination_read(&destination);
	if (bad_field) {
		call_fail(call, -ASOCK_E_INVALID_PARAMETER,
			  json_pack("{ss}", "parameter", bad_field));
		return;
	}
	destination_put(&destination, &request);
	call_run(call, &request);
}

static void finish_explain(struct call *call, const struct request_result *result)
{
	call_reply(call, replies_explain(result, call_get_request(call)));
}

const struct method methods_manager[] = {
	{ INTERFACE, "Ping", .start = start_ping },
	{ INTERFACE, "Whoami", .start = start_whoami },
	{ INTERFACE, "ListServers", .control_only = true, .start = start_list_servers },
	{ INTERFACE, "DumpCache", dump_table, .control_only = true, .start = start_dump_cache },
	{ INTERFACE, "FlushCache", flush_table, .control_only = true, .start = start_flush_cache },
	{ INTERFACE, "DumpHistory", dump_table, .control_only = true, .start = start_dump_history },
	{ INTERFACE, "FlushHistory", .control_only = true, .start = start_flush_history },
	{ INTERFACE, "Explain", explain_table, .control_only = true, .takes_failure = true,
	  .start = start_explain, .finish = finish_explain },
	{ 0 },
};
