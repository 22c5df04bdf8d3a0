/* SPDX-License-Identifier: MIT */
#include "daemon/base/kinds.h"

#include <sys/socket.h>

#include "protocol/error.h"

const char *transport_name(enum transport transport)
{
	switch (transport) {
	case TRANSPORT_TCP:
		return "tcp";
	case TRANSPORT_UDP:
		return "udp";
	case TRANSPORT_SCTP:
		return "sctp";
	}
	return "unknown";
}

const char *source_name(enum source source)
{
	switch (source) {
	case SOURCE_LITERAL:
		return "literal";
	case SOURCE_HOSTS:
		return "hosts";
	case SOURCE_CACHE:
		return "cache";
	case SOURCE_STALE:
		return "stale";
	case SOURCE_DNS:
		return "dns";
	case SOURCE_SYNTHETIC:
		return "synthetic";
	}
	return "unknown";
}

const char *outcome_name(enum outcome outcome)
{
	switch (outcome) {
	case OUTCOME_RUNNING:
		return "running";
	case OUTCOME_CONNECTED:
		return "connected";
	case OUTCOME_FAILED:
		return "failed";
	case OUTCOME_TIMEOUT:
		return "timeout";
	case OUTCOME_CANCELLED:
		return "cancelled";
	case OUTCOME_DENIED:
		return "denied";
	}
	return "unknown";
}

const char *privilege_name(enum privilege privilege)
{
	switch (privilege) {
	case PRIVILEGE_BIND_ADDRESS:
		return "bindAddress";
	case PRIVILEGE_BIND_PORT:
		return "bindPort";
	case PRIVILEGE_BIND_DEVICE:
		return "bindDevice";
	case PRIVILEGE_MARK:
		return "mark";
	case PRIVILEGE_TYPE_OF_SERVICE:
		return "typeOfService";
	case PRIVILEGE_PRIORITY:
		return "priority";
	case PRIVILEGE_MULTIPATH:
		return "multipath";
	case PRIVILEGE_FAST_OPEN:
		return "fastOpen";
	}
	return "unknown";
}

bool family_choice_allows(enum family_choice choice, int family)
{
	switch (choice) {
	case FAMILY_INET:
		return family == AF_INET;
	case FAMILY_INET6:
		return family == AF_INET6;
	case FAMILY_ANY:
	case FAMILY_PREFER_INET:
	case FAMILY_PREFER_INET6:
		return family == AF_INET || family == AF_INET6;
	}
	return false;
}

int resolution_rank(int status)
{
	switch (status) {
	case 0:
		return 0;
	case -ASOCK_E_NAME_NOT_FOUND:
		return 1;
	case -ASOCK_E_NO_DATA:
		return 2;
	case -ASOCK_E_DENIED:
		return 3;
	default:
		return 4;
	}
}
