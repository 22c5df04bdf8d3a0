/* SPDX-License-Identifier: MIT */
#include "daemon/front/replies.h"

#include "daemon/front/members.h"
#include "daemon/resolve/dns-text.h"
#include "protocol/error.h"

static json_t *format_attempt(const struct race_attempt *attempt,
			      const struct request_result *result)
{
	uint64_t end_us =
		attempt->ended_us > 0 ? attempt->ended_us : result->started_us + result->total_us;
	enum outcome outcome =
		attempt->outcome == OUTCOME_RUNNING ? OUTCOME_CANCELLED : attempt->outcome;
	json_t *object = json_object();
	int failed = 0;

	failed |= members_set(object, "endpoint",
			      members_format_endpoint(&attempt->candidate->endpoint, true));
	failed |= members_set_text(object, "target", attempt->candidate->target);
	failed |= members_set_text(object, "source", source_name(attempt->candidate->source));
	failed |=
		members_set_count(object, "startedUsec", attempt->started_us - result->started_us);
	failed |= members_set_count(object, "elapsedUsec", end_us - attempt->started_us);
	failed |= members_set_text(object, "outcome", outcome_name(outcome));
	if (attempt->rtt_us > 0)
		failed |= members_set_count(object, "roundTripUsec", attempt->rtt_us);
	if (attempt->error < 0 && !error_varlink_name(attempt->error))
		failed |= members_set_text(object, "error", error_errno_name(attempt->error));
	if (attempt->option)
		failed |= members_set_text(object, "option", attempt->option);
	return members_finish(object, failed);
}

/* The first ones, and the winner in the last place when it came later. Sets attempts and, where asked, attemptsOmitted. */
static int set_attempts(json_t *object, const struct request_result *result, size_t max,
			bool with_omitted)
{
	size_t n = result->n_attempts < max ? result->n_attempts : max;
	json_t *array = json_array();
	int failed = 0;

	for (size_t i = 0; i < n; i++) {
		size_t index = i == n - 1 && result->status == 0 && result->winner >= n
				       ? result->winner
				       : i;

		failed |= members_append(array, format_attempt(&result->attempts[index], result));
	}
	failed |= members_set(object, "attempts", array);
	if (with_omitted)
		failed |= members_set_count(object, "attemptsOmitted", result->n_attempts - n);
	return failed;
}

json_t *replies_connected(const struct request_result *result, size_t max_attempts)
{
	json_t *object = json_object();
	int failed = 0;

	failed |= members_set_count(object, "fileDescriptor", 0);
	failed |= members_set(object, "peer", members_format_endpoint(&result->peer, true));
	failed |= members_set(object, "local", members_format_endpoint(&result->local, true));
	failed |= members_set_text(object, "name", result->name);
	/* Nothing is sealed in this version, and the reply says so. */
	failed |= members_set(object, "seal", json_array());
	failed |= members_set_count(object, "resolveUsec", result->resolve_us);
	failed |= members_set_count(object, "totalUsec", result->total_us);
	failed |= set_attempts(object, result, max_attempts, true);
	failed |= members_set(object, "hasNext", json_boolean(result->has_next));
	return members_finish(object, failed);
}

json_t *replies_bound(const struct request_result *result)
{
	json_t *object = json_object();
	int failed = 0;

	failed |= members_set_count(object, "fileDescriptor", 0);
	failed |= members_set(object, "local", members_format_endpoint(&result->local, true));
	failed |= members_set(object, "seal", json_array());
	return members_finish(object, failed);
}

/*
 * The reply has to leave in one sendmsg with its descriptor: when long names make it too long, it tells fewer attempts. Two
 * always have room.
 */
json_t *replies_connected_short(const struct request_result *result)
{
	size_t max = LIMIT_ATTEMPTS_IN_REPLY;
	json_t *reply = replies_connected(result, max);

	if (result->n_attempts < max)
		max = result->n_attempts;
	while (reply && max > 2 &&
	       json_dumpb(reply, NULL, 0, JSON_COMPACT) >= LIMIT_REPLY_WITH_FD_BYTES - 64) {
		json_decref(reply);
		max--;
		reply = replies_connected(result, max);
	}
	return reply;
}

static const char *stage_name(enum request_stage stage)
{
	switch (stage) {
	case REQUEST_STAGE_POLICY:
		return "policy";
	case REQUEST_STAGE_RESOLVE:
		return "resolve";
	case REQUEST_STAGE_CONNECT:
		return "connect";
	}
	return "unknown";
}

/* Who said so, as far as that is known. */
static int set_witness(json_t *object, const struct request_result *result)
{
	if (!result->origin)
		return 0;
	return members_set_server(object, result->origin) | members_set_ede(object, result->origin);
}

static int set_failed_servers(json_t *object, const struct origin *origin)
{
	char rcode[DNS_TEXT_NAME_SIZE];
	int failed = 0;

	if (!origin)
		return 0;
	if (origin->has_rcode)
		failed |= members_set_text(object, "rcode",
					   dns_text_rcode_name(origin->rcode, rcode));
	if (origin->has_server)
		failed |= members_set(object, "server",
				      members_format_endpoint(&origin->server, true));
	return failed | members_set_asked(object, origin) | members_set_ede(object, origin);
}

json_t *replies_error(const struct request_result *result, const struct request_params *params)
{
	json_t *object = json_object();
	int failed = 0;

	switch (-result->status) {
	case ASOCK_E_CONNECT_FAILED:
		failed |= members_set_text(object, "errno", error_errno_name(result->headline));
		if (result->option)
			failed |= members_set_text(object, "option", result->option);
		failed |= set_attempts(object, result, LIMIT_ATTEMPTS_IN_REPLY, true);
		break;
	case ASOCK_E_TIMED_OUT:
		failed |= members_set_text(object, "stage", stage_name(result->stage));
		failed |= set_attempts(object, result, LIMIT_ATTEMPTS_IN_REPLY, false);
		if (result->stage == REQUEST_STAGE_RESOLVE && result->origin)
			failed |= members_set_asked(object, result->origin);
		break;
	case ASOCK_E_DENIED:
		failed |=
			members_set_text(object, "stage", policy_stage_name(result->denied_stage));
		if (result->option)
			failed |= members_set_text(object, "option", result->option);
		break;
	case ASOCK_E_LIMIT_EXCEEDED: /* the other limits are the call's, not the request's */
		failed |= members_set_text(object, "limit", "QuestionsInFlight");
		break;
	case ASOCK_E_NAME_NOT_FOUND:
	case ASOCK_E_NO_DATA:
		failed |= members_set_text(object, "name", result->name);
		failed |= set_witness(object, result);
		break;
	case ASOCK_E_SERVICE_UNAVAILABLE:
		failed |= members_set_text(object, "name", result->name);
		break;
	case ASOCK_E_SERVER_FAILED:
		failed |= set_failed_servers(object, result->origin);
		break;
	case ASOCK_E_INVALID_NAME:
		failed |= members_set_text(object, "reason", result->reason ? result->reason : "");
		break;
	case ASOCK_E_UNKNOWN_SERVICE:
		failed |= members_set_text(object, "service", params->service);
		break;
	default:
		break;
	}
	return members_finish(object, failed);
}
