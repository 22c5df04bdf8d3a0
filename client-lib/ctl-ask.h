/* SPDX-License-Identifier: MIT */
/*
 * Questions to the daemon, several at a time, through struct asock_call. A question goes in with its
 * upper half filled and comes back with the lower one.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "client-lib/ctl.h"

/* An answer before the last one: its parameters, borrowed. */
typedef void ctl_event_fn(const char *text, void *arg);

struct ctl_question {
	char *what;	  /* for people: "query example.org MX" */
	const char *path; /* the socket, borrowed; NULL: the usual place */
	const char *method;
	char *parameters;	/* JSON text; NULL: none */
	uint64_t timeout_us;	/* how long to wait; 0: as the parameters say */
	ctl_event_fn *on_event; /* not NULL: such answers are asked for */
	void *arg;

	int status;	  /* 0: the daemon answered, a result or an error; else why not */
	char *error_name; /* NULL: a result */
	char *text;	  /* the answer's parameters */
	json_t *reply;	  /* the same */
	int fd;		  /* that came with it, or -1 */
};

/*
 * Adds -4, -6 and --timeout to the parameters of a method that has such ones and returns them; NULL
 * when there is no memory, or was none for them.
 */
json_t *ctl_add_options(json_t *parameters, const struct ctl *ctl);

/* What Connect and Explain are given: HOST PORT or HOST:PORT, and the options. NULL: no memory. */
json_t *ctl_make_destination(const struct ctl *ctl);

/* Whether the arguments are such; if not, that is said. */
bool ctl_check_destination(const struct ctl *ctl, const char *verb);

/*
 * Fills the upper half of a zeroed question for the public socket; what is a format. The parameters
 * are taken over, be they NULL for want of memory. -ENOMEM.
 */
MUST_CHECK int ctl_question_init(struct ctl_question *question, const struct ctl *ctl,
				 const char *method, json_t *parameters, const char *what, ...)
	PRINTF_LIKE(5, 6);
void ctl_question_done(struct ctl_question *question);

/* Asks all of them, some at the same time, and waits until each has an answer or none. */
void ctl_ask(struct ctl_question *questions, size_t n);

/* 0 for a result; else what an error or the want of an answer stands for. */
int ctl_question_status(const struct ctl_question *question);

/* Tells why there is no result; returns the exit code. */
int ctl_question_fail(const struct ctl *ctl, const struct ctl_question *question);

/* Asks one, tells if it fails, and prints the result with --json. -1: the verb has to print it. */
int ctl_ask_one(const struct ctl *ctl, struct ctl_question *question);

/* The control socket: that of --control, else control.sock beside the public one. -ENOMEM. */
MUST_CHECK int ctl_find_control_path(const struct ctl *ctl, char **ret);
