/* SPDX-License-Identifier: MIT */
/*
 * Failures, with what can be done about them: on standard error for people, as one object on
 * standard output with --json. The exit code is that of the outcome, whoever tells it.
 */
#include "client-lib/ctl.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/ctl-reply.h"
#include "protocol/error.h"

static void complain_attempts(const struct asock_result *result)
{
	for (size_t i = 0; i < asock_result_get_n_attempts(result); i++) {
		struct asock_attempt attempt = ASOCK_ATTEMPT_INIT;
		char address[CTL_ADDRESS_SIZE];
		char error[CTL_ERROR_SIZE];
		char elapsed[CTL_TIME_SIZE];

		if (asock_result_get_attempt(result, i, &attempt) < 0)
			continue;
		(void)ctl_format_address(&attempt.address, attempt.address_len, address,
					 sizeof(address));
		(void)ctl_format_time(attempt.elapsed_us, elapsed, sizeof(elapsed));
		switch (attempt.outcome) {
		case ASOCK_ATTEMPT_CONNECTED:
			ctl_say(stderr, "  %s: connected after %s", address, elapsed);
			break;
		case ASOCK_ATTEMPT_FAILED:
			(void)ctl_format_error(attempt.error, attempt.error_name, error,
					       sizeof(error));
			ctl_say(stderr, "  %s: %s after %s", address,
				attempt.error_name ? error : "failed", elapsed);
			break;
		case ASOCK_ATTEMPT_TIMEOUT:
			ctl_say(stderr, "  %s: no answer for %s", address, elapsed);
			break;
		case ASOCK_ATTEMPT_CANCELLED:
			ctl_say(stderr, "  %s: given up after %s", address, elapsed);
			break;
		case ASOCK_ATTEMPT_DENIED:
			ctl_say(stderr, "  %s: not allowed by the policy", address);
			break;
		}
	}
	if (asock_result_get_n_omitted(result) > 0)
		(void)fprintf(stderr, "  and %llu more\n",
			      (unsigned long long)asock_result_get_n_omitted(result));
}

static const char *advice(int status)
{
	switch (-status) {
	case ASOCK_E_DENIED:
		return "the roles in asockd.conf decide what is allowed";
	case ASOCK_E_NO_SERVERS:
		return "name a server in resolv.conf or in [Resolve] Servers= of asockd.conf";
	case ASOCK_E_UNKNOWN_SERVICE:
		return "give a port number, or name=port";
	case ASOCK_E_PERMISSION_DENIED:
		return "the control socket answers this: --control PATH names it";
	case ASOCK_E_LIMIT_EXCEEDED:
		return "[Limits] in asockd.conf has it";
	case ASOCK_E_TIMED_OUT:
	case ETIMEDOUT:
		return "--timeout SECONDS gives it more time";
	default:
		return NULL;
	}
}

int ctl_status_of(const char *error_name)
{
	int status = error_from_varlink_name(error_name);

	return status < 0 ? status : -EREMOTEIO;
}

int ctl_exit_code(int status)
{
	switch (-status) {
	case EPERM:
	case ENAMETOOLONG:
	case ELOOP:
	case EPROTOTYPE:
		return error_exit_code(-ECONNREFUSED);
	default:
		return error_exit_code(status);
	}
}

/* The daemon was not reached, or what it sent is no answer. */
static void complain_fault(const struct ctl_failure *failure, const char *path)
{
	char error[CTL_ERROR_SIZE];

	(void)ctl_format_error(failure->status, NULL, error, sizeof(error));
	switch (-failure->status) {
	case ENOENT:
	case ENOTDIR:
	case ECONNREFUSED:
		ctl_complain("%s: no daemon at %s: is asockd running? %s", failure->what, path,
			     error);
		break;
	case EACCES:
		ctl_complain("%s: %s is not for this user: does the socket's group have it? %s",
			     failure->what, path, error);
		break;
	case ETIMEDOUT:
		ctl_complain("%s: no answer from the daemon at %s in time: %s", failure->what, path,
			     error);
		break;
	case EPROTO:
		ctl_complain("%s: what listens at %s does not answer as asockd does: %s",
			     failure->what, path, error);
		break;
	case ENAMETOOLONG:
	case ELOOP:
	case EPROTOTYPE:
		ctl_complain("%s: there can be no daemon at %s: %s", failure->what, path, error);
		break;
	case EPERM:
		ctl_complain(
			"%s: what listens at %s is neither root, the user asock, nor this user: %s",
			failure->what, path, error);
		break;
	case ECONNRESET:
	case EPIPE:
		ctl_complain("%s: the daemon at %s closed the connection: is its log telling? %s",
			     failure->what, path, error);
		break;
	default:
		ctl_complain("%s: %s", failure->what, error);
		break;
	}
}

/* Who was asked, and what it said about it. */
static void complain_servers(const json_t *parameters)
{
	json_t *ede = json_object_get(parameters, "ede");
	CLEANUP(freep) char *servers = ctl_reply_join(parameters, "servers", ", ");
	char server[CTL_ADDRESS_SIZE];
	char text[CTL_REPLY_EDE_SIZE];

	if (servers && servers[0])
		ctl_say(stderr, "  the name servers asked: %s", servers);
	else if (ctl_reply_server(parameters, server, sizeof(server))[0])
		ctl_say(stderr, "  the name server that answered: %s", server);
	if (ctl_reply_ede(ede, text, sizeof(text))[0])
		ctl_say(stderr, "  it says: %s", text);
}

static void complain_answer(const struct ctl_failure *failure)
{
	CLEANUP(json_decrefp)
	json_t *parameters = failure->json ? json_loads(failure->json, 0, NULL) : NULL;
	const char *name = json_string_value(json_object_get(parameters, "errno"));
	char error[CTL_ERROR_SIZE];
	char reason[CTL_ERROR_SIZE] = "";

	(void)ctl_format_error(failure->status, failure->error_name, error, sizeof(error));
	if (name)
		(void)ctl_format_error(error_errno_from_name(name), name, reason, sizeof(reason));
	ctl_complain("%s: %s%s%s", failure->what, error, name ? ": " : "", reason);
	/* Told in the line above, and behind the attempts. */
	(void)json_object_del(parameters, "errno");
	(void)json_object_del(parameters, "attemptsOmitted");
	complain_servers(parameters);
	(void)json_object_del(parameters, "server");
	ctl_say_members(stderr, "  ", parameters, 0);
	complain_attempts(failure->result);
}

static int print_failure_json(const struct ctl *ctl, const struct ctl_failure *failure,
			      const char *path)
{
	CLEANUP(json_decrefp) json_t *error = NULL;
	CLEANUP(freep) char *text = NULL;

	if (failure->error_name)
		error = json_pack("{s:s, s:o}", "error", failure->error_name, "parameters",
				  json_loads(failure->json ? failure->json : "{}", 0, NULL));
	else
		error = json_pack("{s:s, s:{s:s}}", "error", asock_errno_name(failure->status),
				  "parameters", "socket", path);
	text = json_dumps(error, JSON_COMPACT);
	return ctl_print_json(ctl, text);
}

int ctl_fail(const struct ctl *ctl, const struct ctl_failure *failure)
{
	CLEANUP(freep) char *found = NULL;
	const char *path = failure->socket_path;

	if (!path && asock_find_socket_path(&found) == 0)
		path = found;
	if (!path)
		path = "?";
	if (ctl->json) {
		(void)print_failure_json(ctl, failure, path);
		return ctl_exit_code(failure->status);
	}
	if (failure->error_name)
		complain_answer(failure);
	else
		complain_fault(failure, path);
	if (advice(failure->status))
		(void)fprintf(stderr, "  %s\n", advice(failure->status));
	return ctl_exit_code(failure->status);
}
