/* SPDX-License-Identifier: MIT */
/*
 * A network namespace that a test makes for itself, and the real kernel's addresses, routes and neighbours in it, changed over
 * rtnetlink. Whatever the kernel refuses fails the test.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KERNEL_NET_FOREVER UINT32_MAX

/* A network of our own, of which nothing but the loopback interface is there, up; false: not allowed. */
bool kernel_net_enter(void);

void kernel_net_set_up(const char *interface, bool is_up);

/*
 * An interface that is up as long as the descriptor is open; -1: there are none here. A tun says it is of this type (ARPHRD_…, 0: as
 * it comes); a tap has neighbours.
 */
int kernel_net_make_tun(const char *name, unsigned long type);
int kernel_net_make_tap(const char *name);

struct kernel_net_address {
	unsigned short type; /* RTM_NEWADDR, RTM_DELADDR */
	unsigned int interface;
	const char *address;
	const char *peer; /* NULL: none */
	uint8_t prefix_len;
	uint8_t flags; /* IFA_F_… */
	uint32_t preferred_s;
};
void kernel_net_change(const struct kernel_net_address *change);

struct kernel_net_route {
	unsigned short type; /* RTM_NEWROUTE, RTM_DELROUTE */
	unsigned int interface;
	const char *destination; /* "::" or "0.0.0.0" with prefix_len 0: the default */
	uint8_t prefix_len;
	const char *gateway; /* NULL: none */
	uint32_t table;	     /* 0: main */
};
void kernel_net_route(const struct kernel_net_route *route);

/* type RTM_NEWNEIGH, RTM_DELNEIGH; the last byte of its MAC. */
void kernel_net_neighbour(unsigned short type, unsigned int interface, const char *address,
			  uint8_t mac);

/* What arrives on a tap: an advertisement of the router fe80::1 with these options, each a whole number of eight bytes. */
void kernel_net_advertise(int tap, const uint8_t *options, size_t len);
