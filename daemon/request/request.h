/* SPDX-License-Identifier: MIT */
/*
 * Operation: one request through all stages: policy on the options and the name, resolution, policy on each address, race
 * (or, for a resolution alone, order; or a socket to listen on). It owns its sub-operations and its deadline, and knows nothing of frames and JSON.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/base/addrlist.h"
#include "daemon/base/config.h"
#include "daemon/base/kinds.h"
#include "daemon/connect/addrsort.h"
#include "daemon/connect/race.h"
#include "daemon/connect/racer.h"
#include "daemon/connect/sockopts.h"
#include "daemon/policy/policy.h"
#include "daemon/request/ordering.h"
#include "daemon/resolve/origin.h"
#include "daemon/resolve/reverse.h"
#include "daemon/resolve/service.h"

struct event_base;
struct nat64_discovery;
struct racer_event;
struct request;
struct quota;
struct resolver;

/* What all requests share. The daemon owns it; config and policy change in place at a reload. */
struct request_env {
	struct event_base *base;
	struct resolver *resolver;
	struct policy *policy;
	struct quota *quota;
	struct racer_env racing;
	struct nat64_discovery *nat64; /* NULL: nothing is translated */
	const struct config *config;
};

enum request_kind {
	REQUEST_CONNECT,
	REQUEST_RESOLVE, /* the addresses of a host, and of a service if there is one */
	REQUEST_SERVICE, /* the targets of a service: its SRV records are wanted, not what stands in for them */
	REQUEST_RECORD,	 /* the records of one type */
	REQUEST_ADDRESS, /* the names of an address */
	REQUEST_BIND, /* a socket to listen on; host and service may be NULL; over when request_start returns */
	REQUEST_EXPLAIN /* what REQUEST_CONNECT would try, without trying */
};

struct request_params {
	enum request_kind kind;
	const char *host;    /* used in start only; for REQUEST_ADDRESS an address in text */
	const char *service; /* likewise; NULL: no port, REQUEST_RESOLVE only */
	uint16_t type;	     /* REQUEST_RECORD */
	enum transport transport;
	enum family_choice families;
	uint64_t timeout_us; /* 0 in these four: the configured value */
	uint64_t attempt_timeout_us;
	uint64_t attempt_delay_us;
	uint64_t resolution_delay_us;
	uint64_t
		grace_us; /* REQUEST_RESOLVE: with one family there, the other may take this long; 0: LIMIT_RESOLVE_GRACE_USEC */
	bool blocking;	  /* the descriptor is handed over without O_NONBLOCK */
	bool until_first_byte; /* REQUEST_CONNECT: connected is who has sent a byte; TCP only */
	int backlog;	       /* REQUEST_BIND, as reuse_port; see bindsock_params */
	bool reuse_port;
	struct sockopts options;
	struct identity identity;
};

/* A question that was asked on the way, of the cache or the servers. */
struct request_question {
	char name[LIMIT_NAME_BYTES + 1];
	uint16_t type;
	int status; /* 0: records were found */
	struct origin origin;
};

/* What happens on the way to a connection, for who wants to watch: a question was answered, or the race did something. */
struct request_event {
	uint64_t at_us;				 /* since the call came */
	const struct request_question *question; /* NULL: it is the race's */
	const struct racer_event *race;
	size_t attempt; /* the race's, as an index in the result's attempts; SIZE_MAX: none */
};

/* From the loop, and from inside request_resume. Must not free or cancel the request. */
typedef void request_watch_fn(const struct request_event *event, void *arg);

/* Where the deadline or the policy ended it. */
enum request_stage {
	REQUEST_STAGE_POLICY,
	REQUEST_STAGE_RESOLVE,
	REQUEST_STAGE_CONNECT
};

/* What came of it. Lists are borrowed from the request; status as of done. */
struct request_result {
	int status;
	uint64_t started_us, total_us,
		resolve_us;		/* resolve_us: until the first address was there */
	enum request_stage stage;	/* for -ASOCK_E_TIMED_OUT */
	enum policy_stage denied_stage; /* for -ASOCK_E_DENIED */
	const char *option; /* the socket option that was denied or failed, static; NULL: none */
	const char *name;   /* as looked up; NULL: it did not come so far */
	const char *reason; /* for -ASOCK_E_INVALID_NAME, static */
	const struct origin *origin; /* where it, or its failure, came from; or NULL */
	int headline;		     /* for -ASOCK_E_CONNECT_FAILED: -errno of the whole */
	const struct race_attempt *attempts;
	size_t n_attempts;	     /* since request_resume, where it was resumed */
	size_t winner;		     /* index in attempts; REQUEST_CONNECT with status 0 only */
	bool has_next;		     /* there is, or may still come, something for request_resume */
	struct endpoint peer, local; /* peer: REQUEST_CONNECT only; local: _BIND too */
	const struct candidate *candidates; /* REQUEST_RESOLVE, _SERVICE, _EXPLAIN: in order */
	size_t n_candidates;
	const struct service_target
		*targets; /* in order; their indices are the candidates' ranks */
	size_t n_targets;
	const struct dns_answer *answer;  /* REQUEST_RECORD */
	const struct reverse_name *names; /* REQUEST_ADDRESS */
	size_t n_names;
	const struct request_question *questions; /* REQUEST_EXPLAIN */
	size_t n_questions, n_questions_omitted;
	const struct ordering_reason *reasons; /* REQUEST_EXPLAIN: as many as candidates */
};

typedef void request_done_fn(struct request *request, int status, void *arg);

MUST_CHECK int request_new(struct request **ret, const struct request_params *params,
			   struct request_env *env);
/*
 * < 0: an outcome or a fault known at once, 1: it is done already (request_get_result tells more); then done will not be
 * called.
 */
MUST_CHECK int request_start(struct request *request, request_done_fn *done, void *arg);

/*
 * REQUEST_CONNECT that has ended with status 0 and was not cancelled: goes on behind that connection, whose address the user
 * did not like, with the same options and as much time as in the beginning. As request_start. Between the two it holds no
 * attempt; for a second it still takes answers that are on their way.
 */
MUST_CHECK int request_resume(struct request *request, request_done_fn *done, void *arg);
/* Behind done: whether there is, or may still come, an address to go on with. */
bool request_has_next(const struct request *request);

/* REQUEST_CONNECT: tells what happens from now until done. NULL: nobody watches. */
void request_watch(struct request *request, request_watch_fn *watch, void *arg);

void request_cancel(struct request *request);
struct request *request_free(struct request *request);
DEFINE_CLEANUP(struct request, request_free)

void request_get_result(const struct request *request, struct request_result *ret);

/* REQUEST_EXPLAIN: whether the policy would let this candidate be dialled. */
bool request_may_dial(const struct request *request, const struct candidate *candidate);

/* Judges the winner, or where it is bound, once more when the policy has changed since; false: it may not be handed over. */
bool request_may_hand_over(const struct request *request);

const struct identity *request_get_identity(const struct request *request);

/* The connected or bound descriptor, close-on-exec, in the blocking mode asked for; -1: there is none. */
int request_take_fd(struct request *request);
