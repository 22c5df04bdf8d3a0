/* SPDX-License-Identifier: MIT */
/*
 * libasock: asks asockd for connected sockets and for addresses.
 *
 * What every function here promises:
 *  - errors are negative: -1 to -4095 is -errno (a fault on the way), below that is one of the
 *    outcomes of enum asock_error, negated; asock_strerror() has a text for both;
 *  - output parameters (ret_…) are written on success only, unless the function says otherwise;
 *  - no threads, no global state, no output; SIGPIPE, umask and environment stay as they are;
 *    descriptors are close-on-exec from birth;
 *  - one object belongs to one thread at a time; different objects know nothing of each other;
 *  - times are microseconds (…_us).
 * Since: 0.1, unless a comment says otherwise.
 */
#ifndef ASOCK_H
#define ASOCK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the daemon can answer instead of a result. Numbers never change and are never used again. */
enum asock_error {
	ASOCK_E_CONNECT_FAILED = 5001,	   /* no address could be connected; the attempts say why */
	ASOCK_E_TIMED_OUT = 5002,	   /* the time ran out in the daemon */
	ASOCK_E_DENIED = 5003,		   /* the daemon's policy does not allow it */
	ASOCK_E_LIMIT_EXCEEDED = 5004,	   /* a limit of the daemon is reached */
	ASOCK_E_BAD_FRAME = 5005,	   /* the daemon did not take the message for a call */
	ASOCK_E_NO_MORE_CANDIDATES = 5006, /* there is no further address to try */
	ASOCK_E_NAME_NOT_FOUND = 5101,	   /* the name does not exist */
	ASOCK_E_NO_DATA = 5102,		   /* the name exists but has no data of this kind */
	ASOCK_E_NO_SERVERS = 5103,	   /* no name server is configured */
	ASOCK_E_SERVER_FAILED = 5104,	   /* the name servers could not answer */
	ASOCK_E_INVALID_NAME = 5105,	   /* no valid host name, address or record type */
	ASOCK_E_UNKNOWN_SERVICE = 5106,	   /* the service is not known */
	ASOCK_E_SERVICE_UNAVAILABLE = 5107, /* the domain says that it does not offer the service */
	ASOCK_E_INTERFACE_NOT_FOUND = 5201, /* varlink: no such interface */
	ASOCK_E_METHOD_NOT_FOUND = 5202,    /* varlink: no such method */
	ASOCK_E_METHOD_NOT_IMPLEMENTED = 5203, /* varlink: the method is described but not there */
	ASOCK_E_INVALID_PARAMETER = 5204, /* a parameter is unknown or of the wrong type or value */
	ASOCK_E_PERMISSION_DENIED = 5205, /* not on this socket, or not for this user */
	ASOCK_E_EXPECTED_MORE = 5206	  /* varlink: the method answers only calls with "more" */
};

/*
 * The text for a negative return value of this library, in English, without a full stop.
 * Ownership: static, never NULL. Threads: any.
 */
const char *asock_strerror(int error);

/*
 * The name of an errno value: "ECONNREFUSED" for -ECONNREFUSED; "EUNKNOWN" for a number the system
 * has no name for.
 * Ownership: static, never NULL. Threads: any.
 */
const char *asock_errno_name(int error);

/*
 * The path of the daemon's socket that calls without one use: $ASOCKD_SOCKET, else
 * $XDG_RUNTIME_DIR/asockd/asockd.sock if it exists, else the system's path. Set-user-id programs
 * and user 0 get the system's path whatever the environment says.
 * Ownership: *ret is for the caller to free(). Errors: -ENOMEM.
 */
int asock_find_socket_path(char **ret);

/*
 * One call to the daemon at a time, over one connection, without a loop: start it, then poll() its
 * descriptor for its events no longer than its timeout, run process, until that no longer answers
 * 1. A call that is done can be started again; the connection is kept where it can be.
 */
struct asock_call;

/*
 * Makes a call; nothing is opened yet. The path is copied.
 * NULL: socket_path NULL is the path of asock_find_socket_path().
 * Errors: -EINVAL, -ENAMETOOLONG, -ENOMEM.
 */
int asock_call_new(struct asock_call **ret, const char *socket_path);

/*
 * Cancels and frees; returns NULL.
 * NULL: is fine. Ownership: closes the connection and a descriptor that was not taken.
 */
struct asock_call *asock_call_free(struct asock_call *call);

/*
 * The time each later start of this call has, counted from that start.
 * Units: microseconds; UINT64_MAX is for ever; 0 is what holds without this function: the call's
 * own "timeoutUsec" parameter or else 30 s, and two seconds of grace for the daemon's answer that
 * the time ran out.
 * Errors: -EINVAL; -EBUSY while it runs.
 */
int asock_call_set_timeout(struct asock_call *call, uint64_t timeout_us);

/*
 * Starts "interface.Method" with these parameters; returns 0 and leaves the rest to
 * asock_call_process(). parameters is the text of a JSON object. Results of the call before are
 * gone.
 * NULL: parameters NULL is {}.
 * Errors: it has not started then. -EBUSY: it runs already. -EINVAL: no method, or parameters is no
 * JSON object. -EMSGSIZE: more than 64 KiB. -ENOENT, -ECONNREFUSED: no daemon there. -EACCES: the
 * socket is not for this user. -EPERM: what listens there is neither root, nor the user "asock",
 * nor the caller's own user. -EMFILE, -ENOMEM, …
 */
int asock_call_start(struct asock_call *call, const char *method, const char *parameters);

/*
 * As asock_call_start(), but the daemon may answer more than once ("more" in varlink): with what
 * happens meanwhile, and with the result or an error last. A descriptor comes with the last only.
 */
int asock_call_start_more(struct asock_call *call, const char *method, const char *parameters);

/*
 * The descriptor to poll. It is the same for the life of the connection.
 * Returns -1 while there is nothing to poll: before start, after the connection was closed, and
 * while the daemon's queue of new connections is full; then wait for asock_call_timeout() alone.
 * Ownership: the call's. Do not read, write or close it.
 */
int asock_call_fd(const struct asock_call *call);

/* What to poll for: POLLIN or POLLOUT, 0 when nothing. */
short asock_call_events(const struct asock_call *call);

/*
 * How long to poll before asock_call_process() is wanted even if nothing happened.
 * Units: microseconds from now; UINT64_MAX is for ever.
 */
uint64_t asock_call_timeout(const struct asock_call *call);

/*
 * Does what can be done without waiting.
 * Returns 1: not finished, poll again. 0: finished, the daemon's answer is there, be it a result or
 * an error (asock_call_get_error_name()). 2: after asock_call_start_more() only: one of its answers
 * before the last is there (asock_call_get_reply()); not finished, process again without polling.
 * Negative: broken, the connection is closed. Once finished it repeats its answer.
 * Errors: -ETIMEDOUT: the time ran out. -ECONNRESET: the daemon closed the connection. -EPROTO:
 * what came is no reply, or not what it should be, or its descriptor is no socket of the kind the
 * reply names. -EMFILE: a descriptor came but this process may open no more (or a security module
 * kept it back). -EMSGSIZE: the reply is over 1 MiB. -EINVAL: not started.
 */
int asock_call_process(struct asock_call *call);

/* Forgets what runs and closes the connection. Silent, legal in every state. NULL: is fine. */
void asock_call_cancel(struct asock_call *call);

/*
 * The name of the error the daemon answered with, "org.asockd.Connector.Denied".
 * Returns NULL when it answered with a result, and when there is no answer.
 * Ownership: the call's, until its next start, cancel or free.
 */
const char *asock_call_get_error_name(const struct asock_call *call);

/*
 * The parameters of the daemon's answer (result or error) as JSON text, one object in one line.
 * Returns NULL when there is no answer, or no memory.
 * Ownership: the call's, until its next start, cancel or free; of an answer before the last, until
 * the next asock_call_process().
 */
const char *asock_call_get_reply(struct asock_call *call);

/*
 * Hands over the descriptor that the answer named in "fileDescriptor".
 * Errors: -ENOENT: none came, or it was taken before.
 * Ownership: the caller's from now on.
 */
int asock_call_take_fd(struct asock_call *call);

/* Which addresses are welcome, and which of them first. */
enum asock_family {
	ASOCK_FAMILY_ANY = 0,
	ASOCK_FAMILY_INET,
	ASOCK_FAMILY_INET6,
	ASOCK_FAMILY_PREFER_INET,
	ASOCK_FAMILY_PREFER_INET6
};

enum asock_protocol {
	ASOCK_PROTOCOL_TCP = 0,
	ASOCK_PROTOCOL_UDP,
	ASOCK_PROTOCOL_SCTP
};

/*
 * How to connect. Start from ASOCK_CONNECT_OPTIONS_INIT; a field that stays 0 (NULL) has the
 * default. A library older than the program's header refuses (-E2BIG) a field it does not know, if
 * that is set.
 */
struct asock_connect_options {
	size_t size;		 /* sizeof(struct asock_connect_options), set by the initialiser */
	const char *socket_path; /* the daemon's socket; default as asock_find_socket_path() */
	uint64_t timeout_us;	 /* for everything, resolving included; default 30 s */
	uint64_t attempt_timeout_us;  /* for one address; default the daemon's */
	uint64_t attempt_delay_us;    /* between two attempts (RFC 8305); default the daemon's */
	uint64_t resolution_delay_us; /* for the other family (RFC 8305); default the daemon's */
	enum asock_family family;
	enum asock_protocol protocol;
	int nonblocking; /* 1: the descriptor comes with O_NONBLOCK */
	int no_delay;	 /* 1: TCP_NODELAY is set before connecting */
	int allow_unix;	 /* 1: "unix/" with a path is connected too, by this process itself */
};

/* clang-format off */
#define ASOCK_CONNECT_OPTIONS_INIT                                              \
	{ sizeof(struct asock_connect_options), NULL, 0, 0, 0, 0, ASOCK_FAMILY_ANY, \
	  ASOCK_PROTOCOL_TCP, 0, 0, 0 }
/* clang-format on */

/*
 * How to resolve. Start from ASOCK_RESOLVE_OPTIONS_INIT; otherwise as struct asock_connect_options.
 */
struct asock_resolve_options {
	size_t size;		 /* sizeof(struct asock_resolve_options), set by the initialiser */
	const char *socket_path; /* the daemon's socket; default as asock_find_socket_path() */
	uint64_t timeout_us;	 /* default 30 s */
	enum asock_family family;
	enum asock_protocol protocol; /* of the service, when it is a name */
};

/* clang-format off */
#define ASOCK_RESOLVE_OPTIONS_INIT \
	{ sizeof(struct asock_resolve_options), NULL, 0, ASOCK_FAMILY_ANY, ASOCK_PROTOCOL_TCP }
/* clang-format on */

/* What the daemon answered: result or error. */
struct asock_result;

/*
 * Connects to a host and a service through the daemon and returns the connected descriptor, or a
 * negative error. Blocks until it is there, or for the timeout and at most two seconds more. host
 * is a name or an address, service a port number, a name or "name=port".
 * NULL: service NULL: host is both, "host:port" in any form the daemon knows, "[2001:db8::1]:443".
 * options NULL: defaults. ret_result NULL: not wanted.
 * Ownership: the descriptor is the caller's. *ret_result is written on failure too: what the daemon
 * answered, or NULL when no answer came; for asock_result_free(). It has the addresses of both
 * ends, and each attempt with its outcome.
 * Errors: -ASOCK_E_… as the daemon answered; -EREMOTEIO: it answered an error this library has no
 * number for; those of asock_call_start() and asock_call_process(); -EINVAL, -E2BIG for arguments;
 * with allow_unix also those of connect(2).
 */
int asock_tcp_connect(const char *host, const char *service,
		      const struct asock_connect_options *options,
		      struct asock_result **ret_result);

/*
 * Looks up the addresses of a host, in the order they should be tried; returns 0 or a negative
 * error. Blocks.
 * NULL: service NULL: addresses without port. options NULL: defaults.
 * Ownership: as for asock_tcp_connect(): *ret_result is written on failure too.
 * Errors: as asock_tcp_connect().
 */
int asock_resolve_sockaddr(const char *host, const char *service,
			   const struct asock_resolve_options *options,
			   struct asock_result **ret_result);

/* Frees a result; returns NULL. NULL: is fine. */
struct asock_result *asock_result_free(struct asock_result *result);

/*
 * The name of the error the daemon answered with; NULL when it was a result.
 * Ownership: the result's.
 */
const char *asock_result_get_error_name(const struct asock_result *result);

/* The most telling errno of all attempts, -ECONNREFUSED, in a ConnectFailed error; else 0. */
int asock_result_get_errno(const struct asock_result *result);

/*
 * The answer's parameters as JSON text in one line; the files protocol/….varlink describe them.
 * Returns NULL when there is no memory. Ownership: the result's.
 */
const char *asock_result_get_json(struct asock_result *result);

/*
 * The connection's other end.
 * Errors: -ENOENT: the answer has none. Ownership: a copy.
 */
int asock_result_get_peer(const struct asock_result *result, struct sockaddr_storage *ret,
			  socklen_t *ret_len);

/* This end of the connection; otherwise as asock_result_get_peer(). */
int asock_result_get_local(const struct asock_result *result, struct sockaddr_storage *ret,
			   socklen_t *ret_len);

/* The name server that answered a look-up; otherwise as asock_result_get_peer(). */
int asock_result_get_server(const struct asock_result *result, struct sockaddr_storage *ret,
			    socklen_t *ret_len);

/*
 * The host as it was looked up, in the form TLS wants to check (A-labels).
 * Returns NULL when the answer has none. Ownership: the result's.
 */
const char *asock_result_get_name(const struct asock_result *result);

/*
 * Where a look-up's addresses came from: "literal", "hosts", "cache", "stale", "dns", "synthetic".
 * Returns NULL when the answer does not say. Ownership: the result's.
 */
const char *asock_result_get_source(const struct asock_result *result);

/*
 * How long a look-up's addresses hold. Units: microseconds; UINT64_MAX when the answer does not
 * say.
 */
uint64_t asock_result_get_ttl_us(const struct asock_result *result);

/* How long resolving took. Units: microseconds; 0 when the answer does not say. */
uint64_t asock_result_get_resolve_us(const struct asock_result *result);

/* How long the daemon took for everything. Units: microseconds; 0 when the answer does not say. */
uint64_t asock_result_get_total_us(const struct asock_result *result);

/* How many addresses a look-up found. */
size_t asock_result_get_n_endpoints(const struct asock_result *result);

/*
 * Address number index (from 0) of a look-up; its port is 0 when no service was asked for.
 * Errors: -ENOENT: there are not that many. Ownership: a copy.
 */
int asock_result_get_endpoint(const struct asock_result *result, size_t index,
			      struct sockaddr_storage *ret, socklen_t *ret_len);

enum asock_attempt_outcome {
	ASOCK_ATTEMPT_CONNECTED = 0,
	ASOCK_ATTEMPT_FAILED,	 /* error says why */
	ASOCK_ATTEMPT_TIMEOUT,	 /* its own time ran out, or the call's */
	ASOCK_ATTEMPT_CANCELLED, /* another one was faster */
	ASOCK_ATTEMPT_DENIED	 /* not tried: the policy does not allow this address */
};

/* One connection attempt of the daemon. Start from ASOCK_ATTEMPT_INIT. */
struct asock_attempt {
	size_t size; /* sizeof(struct asock_attempt), set by the initialiser */
	struct sockaddr_storage address;
	socklen_t address_len;
	enum asock_attempt_outcome outcome;
	int error; /* -ECONNREFUSED; 0: none; -EREMOTEIO: this system does not know it */
	const char *error_name; /* "ECONNREFUSED"; NULL when there is none. The result's. */
	const char *target;	/* the name this address belongs to. The result's. */
	const char *source;	/* as asock_result_get_source(). The result's. */
	uint64_t started_us;	/* from the call's arrival at the daemon */
	uint64_t elapsed_us;	/* from the attempt's start to its end */
};

/* clang-format off */
#ifdef __cplusplus
#define ASOCK_ATTEMPT_INIT_ADDRESS_ {}
#else
#define ASOCK_ATTEMPT_INIT_ADDRESS_ { 0 }
#endif
#define ASOCK_ATTEMPT_INIT                                                    \
	{ sizeof(struct asock_attempt), ASOCK_ATTEMPT_INIT_ADDRESS_, 0,       \
	  ASOCK_ATTEMPT_CONNECTED, 0, NULL, NULL, NULL, 0, 0 }
/* clang-format on */

/* How many attempts the answer tells of. */
size_t asock_result_get_n_attempts(const struct asock_result *result);

/* How many more there were that the daemon left out of the answer. */
uint64_t asock_result_get_n_omitted(const struct asock_result *result);

/*
 * Attempt number index (from 0), in the order they were started.
 * Errors: -ENOENT: there are not that many. -EINVAL: ret->size is not set.
 * Ownership: the texts in it are the result's.
 */
int asock_result_get_attempt(const struct asock_result *result, size_t index,
			     struct asock_attempt *ret);

#ifdef __cplusplus
}
#endif

#endif
