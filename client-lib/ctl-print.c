/* SPDX-License-Identifier: MIT */
/*
 * What asockctl says: times, addresses, JSON, and failures with what can be done about them. Text
 * for people goes through here, so that the same thing is always said in the same words.
 */
#include "client-lib/ctl.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "protocol/address.h"
#include "protocol/error.h"

#define ERROR_TEXT_SIZE 128

uint64_t ctl_now_us(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* The two bytes of a control character from U+0080 to U+009F. */
static bool is_c1(unsigned char lead, unsigned char next)
{
	return lead == 0xc2 && next >= 0x80 && next <= 0x9f;
}

void ctl_clean(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p; p++) {
		if (is_c1(p[0], p[1]))
			p[0] = p[1] = '?';
		else if (*p < ' ' || *p == 0x7f)
			*p = '?';
	}
}

PRINTF_LIKE(3, 0)
static void say(FILE *stream, const char *before, const char *format, va_list args)
{
	CLEANUP(freep) char *text = NULL;

	if (vasprintf(&text, format, args) < 0) {
		text = NULL;
		(void)fputs("asockctl: no memory\n", stderr);
		return;
	}
	ctl_clean(text);
	(void)fprintf(stream, "%s%s\n", before, text);
}

void ctl_say(FILE *stream, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(stream, "", format, args);
	va_end(args);
}

void ctl_complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(stderr, "asockctl: ", format, args);
	va_end(args);
}

int ctl_flush(void)
{
	bool failed = ferror(stdout); /* a write before, whose errno is gone */

	if (fflush(stdout) == 0 && !failed)
		return 0;
	ctl_complain("cannot write the answer%s%s", failed ? "" : ": ",
		     failed ? "" : strerrordesc_np(errno));
	return CTL_EXIT_FAILED;
}

/* jansson escapes what JSON says it has to, which leaves DEL and U+0080 to U+009F. */
static void put_json(const char *text)
{
	for (const char *p = text; *p; p++) {
		if (*p == 0x7f)
			(void)fputs("\\u007f", stdout);
		else if (is_c1((unsigned char)p[0], (unsigned char)p[1]))
			(void)printf("\\u%04x", (unsigned char)*++p);
		else
			(void)fputc(*p, stdout);
	}
	(void)fputc('\n', stdout);
}

int ctl_print_json(const struct ctl *ctl, const char *text)
{
	CLEANUP(json_decrefp) json_t *value = NULL;
	CLEANUP(freep) char *indented = NULL;

	if (!text) {
		ctl_complain("no memory");
		return CTL_EXIT_FAILED;
	}
	if (!ctl->json && isatty(STDOUT_FILENO)) {
		value = json_loads(text, 0, NULL);
		indented = json_dumps(value, JSON_INDENT(2));
	}
	put_json(indented ? indented : text);
	return ctl_flush();
}

/* "name value", a line each, for every member that is a text, a number or a truth value. */
static void print_plain_members(FILE *stream, const char *indent, json_t *object, int width)
{
	const char *name;
	json_t *value;

	json_object_foreach (object, name, value) {
		CLEANUP(freep) char *text = NULL;

		if (json_is_object(value) || json_is_array(value) || json_is_null(value))
			continue;
		if (!json_is_string(value))
			text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
		ctl_say(stream, "%s%-*s %s", indent, width, name,
			json_is_string(value) ? json_string_value(value)
			: text		      ? text
					      : "");
	}
}

int ctl_print_members(const char *text)
{
	CLEANUP(json_decrefp) json_t *object = text ? json_loads(text, 0, NULL) : NULL;

	if (!object) {
		ctl_complain("no memory");
		return CTL_EXIT_FAILED;
	}
	print_plain_members(stdout, "", object, 10);
	return ctl_flush();
}

const char *ctl_format_time(uint64_t us, char *buffer, size_t size)
{
	if (us < 1000)
		(void)snprintf(buffer, size, "0.%03u ms", (unsigned int)us);
	else if (us < 10000000)
		(void)snprintf(buffer, size, "%u.%u ms", (unsigned int)(us / 1000),
			       (unsigned int)(us % 1000 / 100));
	else
		(void)snprintf(buffer, size, "%llu.%u s", (unsigned long long)(us / 1000000),
			       (unsigned int)(us % 1000000 / 100000));
	return buffer;
}

const char *ctl_format_address(const struct sockaddr_storage *address, socklen_t len, char *buffer,
			       size_t size)
{
	struct endpoint endpoint;
	char text[ADDRESS_TEXT_SIZE];

	if (address->ss_family == AF_UNIX) {
		(void)snprintf(buffer, size, "%s", ((const struct sockaddr_un *)address)->sun_path);
	} else if (endpoint_from_sockaddr((const struct sockaddr *)address, len, &endpoint) < 0) {
		(void)snprintf(buffer, size, "?");
	} else {
		(void)address_format(&endpoint.address, text, sizeof(text));
		if (endpoint.port)
			(void)snprintf(buffer, size, "%s port %u", text, endpoint.port);
		else
			(void)snprintf(buffer, size, "%s", text);
	}
	return buffer;
}

/* "ECONNREFUSED (connection refused)"; name is the daemon's word, for numbers not known here. */
const char *ctl_format_error(int status, const char *name, char *buffer, size_t size)
{
	char text[ERROR_TEXT_SIZE];

	(void)snprintf(text, sizeof(text), "%s", asock_strerror(status));
	/* As part of a sentence; "RPC version mismatch" stays. */
	if (text[0] >= 'A' && text[0] <= 'Z' && !(text[1] >= 'A' && text[1] <= 'Z'))
		text[0] = (char)(text[0] - 'A' + 'a');
	if (name && (status == -EREMOTEIO || status == 0))
		(void)snprintf(buffer, size, "%s", name);
	else if (status <= -4096)
		(void)snprintf(buffer, size, "%s", text);
	else
		(void)snprintf(buffer, size, "%s (%s)", name ? name : asock_errno_name(status),
			       text);
	return buffer;
}

static void complain_attempts(const struct asock_result *result)
{
	for (size_t i = 0; i < asock_result_get_n_attempts(result); i++) {
		struct asock_attempt attempt = ASOCK_ATTEMPT_INIT;
		char address[CTL_ADDRESS_SIZE];
		char error[ERROR_TEXT_SIZE * 2];
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

static int exit_code(int status)
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
	char error[ERROR_TEXT_SIZE * 2];

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

static void complain_answer(const struct ctl_failure *failure)
{
	CLEANUP(json_decrefp)
	json_t *parameters = failure->json ? json_loads(failure->json, 0, NULL) : NULL;
	const char *name = json_string_value(json_object_get(parameters, "errno"));
	char error[ERROR_TEXT_SIZE * 2];
	char reason[ERROR_TEXT_SIZE * 2] = "";

	(void)ctl_format_error(failure->status, failure->error_name, error, sizeof(error));
	if (name)
		(void)ctl_format_error(error_errno_from_name(name), name, reason, sizeof(reason));
	ctl_complain("%s: %s%s%s", failure->what, error, name ? ": " : "", reason);
	/* Told in the line above, and behind the attempts. */
	(void)json_object_del(parameters, "errno");
	(void)json_object_del(parameters, "attemptsOmitted");
	print_plain_members(stderr, "  ", parameters, 0);
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
		return exit_code(failure->status);
	}
	if (failure->error_name)
		complain_answer(failure);
	else
		complain_fault(failure, path);
	if (advice(failure->status))
		(void)fprintf(stderr, "  %s\n", advice(failure->status));
	return exit_code(failure->status);
}
