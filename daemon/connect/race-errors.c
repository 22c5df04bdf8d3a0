/* SPDX-License-Identifier: MIT */
/*
 * What connect() and the ICMP messages behind it can say. All of them mean "try the next address": none says anything about
 * another one.
 */
#include "daemon/connect/race-errors.h"

#include <errno.h>

/* This host has no address of the family: whatever it says about the way there is a consequence. */
static bool is_about_the_way(int error)
{
	switch (error) {
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT:
		return true;
	default:
		return false;
	}
}

enum race_rank race_errors_rank(int error, bool is_absent)
{
	if (is_absent && is_about_the_way(-error))
		return RACE_RANK_ABSENT;
	switch (-error) {
	case 0:
		return RACE_RANK_NONE;
	case ECONNREFUSED:
		return RACE_RANK_REFUSED;
	case ECONNRESET:
	case ECONNABORTED:
	case EPIPE:
		return RACE_RANK_RESET;
	case ETIMEDOUT:
		return RACE_RANK_TIMEOUT;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case EHOSTDOWN:
	case ENETDOWN:
	case ENETRESET:
	case ENONET:
	case ENOPROTOOPT: /* ICMP: no such protocol there */
	case EPROTO:	  /* ICMPv6: parameter problem */
	case EMSGSIZE:	  /* ICMP: too big */
		return RACE_RANK_UNREACHABLE;
	case EACCES: /* routes of type prohibit, ICMPv6: administratively prohibited, firewalls */
	case EPERM:
		return RACE_RANK_FORBIDDEN;
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT:
	case EPFNOSUPPORT:
	case EPROTONOSUPPORT:
	case ESOCKTNOSUPPORT:
	case EOPNOTSUPP:
		return RACE_RANK_UNSUPPORTED;
	case EINVAL: /* routes of type blackhole */
	default:
		return RACE_RANK_OTHER;
	}
}
