/* SPDX-License-Identifier: MIT */
/*
 * asockctl's parts: the command line as data, one function a verb, and what they print with. A verb
 * returns the exit code and has printed whatever there is to say.
 */
#pragma once

#include <asock.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

#include "protocol/cleanup.h"

#define CTL_EXIT_USAGE	1
#define CTL_EXIT_FAILED 5

/* "[v6]:port" and the like, the longest unix path, NUL. */
#define CTL_ADDRESS_SIZE 128
#define CTL_TIME_SIZE	 32
#define CTL_ERROR_SIZE	 256 /* an error's name and its text */

struct ctl {
	bool json;
	bool probe;
	bool brief; /* --short: the data and nothing else */
	bool all;   /* flush: these five */
	bool negative;
	bool failures;
	bool stale;
	bool history;
	enum asock_family family;
	uint64_t timeout_us;	  /* 0: not given */
	const char *socket_path;  /* NULL: not given */
	const char *control_path; /* NULL: not given */
	char **args;		  /* behind the verb; UTF-8 */
	size_t n_args;
};

typedef int ctl_verb_fn(const struct ctl *ctl);

ctl_verb_fn ctl_cache;
ctl_verb_fn ctl_call;
ctl_verb_fn ctl_connect;
ctl_verb_fn ctl_explain;
ctl_verb_fn ctl_flush_cache;
ctl_verb_fn ctl_history;
ctl_verb_fn ctl_ping;
ctl_verb_fn ctl_query;
ctl_verb_fn ctl_resolve;
ctl_verb_fn ctl_servers;
ctl_verb_fn ctl_service;
ctl_verb_fn ctl_whoami;

/* connect --probe, and flush --history. */
int ctl_probe(const struct ctl *ctl);
int ctl_flush_history(const struct ctl *ctl);

/*
 * Carries bytes both ways between the connection and standard input and output until its other end
 * has closed.
 */
int ctl_join(int fd);

/* What was asked, and what became of it. */
struct ctl_failure {
	const char *what; /* "connect example.org port 443" */
	int status;
	const char *error_name;		   /* the daemon's; NULL: it did not answer */
	const char *json;		   /* the error's parameters, when there is a name */
	const struct asock_result *result; /* for the attempts; may be NULL */
	const char *socket_path; /* where the daemon was looked for; NULL: the usual place */
};

/*
 * Tells the failure, on standard error or, with --json, as an object on standard output; returns
 * the exit code.
 */
int ctl_fail(const struct ctl *ctl, const struct ctl_failure *failure);

/* The status for an error name of the daemon, as the library's blocking functions return it. */
int ctl_status_of(const char *error_name);

/* The exit code for a negative status; 0 for none. */
int ctl_exit_code(int status);

/*
 * A copy of the text, to be freed, in which control characters are three decimal digits behind a
 * backslash, as in DNS data (RFC 1035 section 5.1): a daemon's words, a name server's or an
 * argument's must not drive the terminal, nor begin a line of their own. NULL: no memory.
 */
char *ctl_escape(const char *text);

/* One line, control characters escaped; what comes from outside is printed through here. */
void ctl_say(FILE *stream, const char *format, ...) PRINTF_LIKE(2, 3);

/* ctl_say() on standard error, the program's name before it. */
void ctl_complain(const char *format, ...) PRINTF_LIKE(1, 2);

/* Says so; returns the exit code. */
int ctl_no_memory(void);

/* What was printed goes out; the exit code says whether it could. */
int ctl_flush(void);

/*
 * JSON text, in one line, or indented on a terminal unless --json. Control characters that JSON
 * leaves as they are get their escapes. NULL: there was no memory for it, which is said.
 */
int ctl_print_json(const struct ctl *ctl, const char *text);

/* "name value", a line each, for the members of an object that are no objects or arrays. */
void ctl_say_members(FILE *stream, const char *indent, json_t *object, int width);

/* Whether the stream is a terminal that wants colours. */
bool ctl_wants_colour(FILE *stream);

/* Each returns buffer. "2001:db8::1 port 443"; without a port where it is 0. */
const char *ctl_format_address(const struct sockaddr_storage *address, socklen_t len, char *buffer,
			       size_t size);
/* How long something took: "0.085 ms", "250.2 ms", "12.1 s". */
const char *ctl_format_time(uint64_t us, char *buffer, size_t size);
/* How long something holds, in its two largest units: "400 ms", "3 m 20 s", "2 d 3 h". */
const char *ctl_format_span(uint64_t us, char *buffer, size_t size);
const char *ctl_format_error(int status, const char *name, char *buffer, size_t size);

uint64_t ctl_now_us(void);
