/* SPDX-License-Identifier: MIT */
/*
 * Socket options of a call, set before connect() or listen(). What was not asked for is left to the
 * kernel.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/base/kinds.h"
#include "protocol/address.h"

#define SOCKOPTS_CONGESTION_BYTES 16 /* TCP_CA_NAME_MAX of the kernel */
#define SOCKOPTS_DEVICE_BYTES	  16 /* IFNAMSIZ, with the NUL */

struct sockopts {
	bool has_no_delay, no_delay;
	bool has_keep_alive;
	uint32_t keep_idle_s, keep_interval_s, keep_probes; /* 0: the kernel's default */
	bool has_congestion;
	char congestion[SOCKOPTS_CONGESTION_BYTES];
	uint32_t user_timeout_ms; /* 0: not asked for (RFC 5482) */
	uint32_t send_buffer;	  /* bytes, 0: not asked for */
	uint32_t receive_buffer;  /* bytes, 0: not asked for */

	/* The privileged ones. */
	struct address bind_address; /* family 0: not asked for; a mapped one counts as IPv4 */
	bool has_bind_port;
	uint16_t bind_port;			 /* 0: any, as without */
	char bind_device[SOCKOPTS_DEVICE_BYTES]; /* "": not asked for */
	bool has_mark, has_type_of_service, has_priority;
	uint32_t mark, priority;
	uint8_t type_of_service; /* DSCP and ECN; over TCP the lower two bits are the kernel's */
	bool multipath;
	bool fast_open;
};

/*
 * A non-blocking, close-on-exec socket with the options on it, bound to bind_address and bind_port
 * where they are asked for; or -errno. Then *ret_option is the name (as in SocketOptions) of the
 * option that failed, static; NULL: it was none. options may be NULL.
 *
 * -EOPNOTSUPP: an option of TCP on another transport; -EADDRNOTAVAIL: bind_address is of the other
 * family; -EINVAL: type_of_service has bits that would not be set; -EPROTONOSUPPORT: the kernel has
 * no multipath TCP, or no such transport; anything else is the kernel's.
 */
MUST_CHECK int sockopts_open(int family, enum transport transport, const struct sockopts *options,
			     const char **ret_option);

/* A set of PRIVILEGE_BIT(): what it takes to have these. To ask for no multipath is nothing. */
uint32_t sockopts_get_privileges(const struct sockopts *options);

/*
 * Tells apart what is learnt of an address by packets that may go different ways: 0 when none of
 * mark, bindDevice, bindAddress and typeOfService is asked for.
 */
uint64_t sockopts_hash_route(const struct sockopts *options);
