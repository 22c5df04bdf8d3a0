/* SPDX-License-Identifier: MIT */
/*
 * asockctl's parts: the command line as data, one function a verb, and what they print with. A verb
 * returns the exit code and has printed whatever there is to say.
 */
#pragma once

#include <asock.h>
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

struct ctl {
	bool json;
	bool probe;
	enum asock_family family;
	uint64_t timeout_us;	  /* 0: not given */
	const char *socket_path;  /* NULL: not given */
	const char *control_path; /* NULL: not given */
	char **args;		  /* behind the verb */
	size_t n_args;
};

typedef int ctl_verb_fn(const struct ctl *ctl);

ctl_verb_fn ctl_call;
ctl_verb_fn ctl_connect;
ctl_verb_fn ctl_ping;
ctl_verb_fn ctl_resolve;
ctl_verb_fn ctl_whoami;

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

/*
 * Control characters in place become '?': a daemon's words, a name server's or an argument's must
 * not drive the terminal, nor begin a line of their own.
 */
void ctl_clean(char *text);

/* One line, without control characters; what comes from outside is printed through here. */
void ctl_say(FILE *stream, const char *format, ...) PRINTF_LIKE(2, 3);

/* ctl_say() on standard error, the program's name before it. */
void ctl_complain(const char *format, ...) PRINTF_LIKE(1, 2);

/* What was printed goes out; the exit code says whether it could. */
int ctl_flush(void);

/*
 * JSON text, in one line, or indented on a terminal unless --json. Control characters that JSON
 * leaves as they are get their escapes. NULL: there was no memory for it, which is said.
 */
int ctl_print_json(const struct ctl *ctl, const char *text);

/* The members of a JSON object that are no objects or arrays, one a line. */
int ctl_print_members(const char *text);

/* The attempts as a table with a bar each over the time. */
void ctl_print_waterfall(FILE *stream, const struct asock_result *result);

/* Each returns buffer. "2001:db8::1 port 443"; without a port where it is 0. */
const char *ctl_format_address(const struct sockaddr_storage *address, socklen_t len, char *buffer,
			       size_t size);
const char *ctl_format_time(uint64_t us, char *buffer, size_t size);
const char *ctl_format_error(int status, const char *name, char *buffer, size_t size);

uint64_t ctl_now_us(void);
