/* SPDX-License-Identifier: MIT */
/*
 * What a client or a server can make grow, with unit and default. Those with a configuration key carry its name. A bound
 * that concerns one file alone stands there.
 */
#pragma once

#define LIMIT_REQUEST_BYTES (64 * 1024) /* one frame from a client, bytes */
#define LIMIT_REQUEST_TEXT  "65536"	/* the same, for messages */
#define LIMIT_REPLY_WITH_FD_BYTES \
	4096 /* a reply that carries a descriptor, bytes (one sendmsg takes it whole) */
#define LIMIT_CALLS_PER_TURN 32 /* calls answered per client and loop turn */
#define LIMIT_WORK_PER_TURN_USEC \
	1000 /* spent on one user's input per loop turn; a call that has begun is finished */
#define LIMIT_LOOK_ROUND_USEC \
	10000 /* how often all unread descriptors are looked at when there are too many */
#define LIMIT_FRAME_USEC 30000000 /* an unfinished frame is closed after this, microseconds */
#define LIMIT_NEXT_USEC	 10000000 /* ConnectNext goes on with what is no older, microseconds */
#define LIMIT_EVENTS_BYTES \
	(64 * 1024) /* with so much unsent no event is told to a client ("more"), bytes */
#define LIMIT_UNREAD_REPLY_USEC 30000000 /* a reply nobody reads likewise, microseconds */
#define LIMIT_TIMEOUT_USEC \
	3600000000 /* longest time a client may ask for, microseconds; more is cut to this */
#define LIMIT_LISTEN_BACKLOG   4096 /* connections waiting for accept */
#define LIMIT_ACCEPTS_PER_TURN 64   /* connections accepted per listener and loop turn */
#define LIMIT_CONTROL_RESERVE \
	16 /* connections over the control socket beyond Connections= and ConnectionsPerUid= */
#define LIMIT_ACCEPT_PAUSE_USEC \
	100000			/* accept rests this long when descriptors run out, microseconds */
#define LIMIT_CLOSER_QUEUE 1024 /* received descriptors waiting for the closer thread */
#define LIMIT_RESOLVE_GRACE_USEC \
	2000000 /* ResolveSockaddr: with one family there, the other may take this long, microseconds */
#define LIMIT_SILENCE_MIN_USEC \
	100000 /* an address that is silent for less is never called dead, microseconds */
#define LIMIT_QUESTIONS_EXPLAINED 64	   /* questions listed by Explain */
#define LIMIT_ATTEMPTS_IN_REPLY	  12	   /* attempts listed in one reply */
#define LIMIT_DRAIN_USEC	  30000000 /* SIGTERM waits this long for running calls, microseconds */

/* [Limits] keys and their defaults. */
#define LIMIT_CONNECTIONS	  4096 /* Connections=: client connections in all */
#define LIMIT_CONNECTIONS_PER_UID 1024 /* ConnectionsPerUid=: of one uid */
#define LIMIT_CALLS_IN_FLIGHT_PER_UID \
	512 /* CallsInFlightPerUid=: calls of one uid being worked on */
#define LIMIT_ADDRESSES_PER_CALL \
	16 /* AddressesPerCall=: addresses of one call that are considered */
#define LIMIT_ATTEMPTS_PER_CALL	 8 /* AttemptsPerCall=: connection attempts of one call at a time */
#define LIMIT_ATTEMPTS_IN_FLIGHT 4096 /* AttemptsInFlight=: connection attempts at a time in all */
#define LIMIT_DESCRIPTORS_IN_FLIGHT \
	2048 /* DescriptorsInFlight=: handed over and not yet read by their clients */
#define LIMIT_SPARE_ATTEMPTS_PER_SEC \
	500 /* SpareAttemptsPerSec=: attempts begun beside one that is under way, of the whole machine */
#define LIMIT_QUESTIONS_IN_FLIGHT 4096 /* QuestionsInFlight=: DNS questions under way in all */

/* Names and DNS. */
#define LIMIT_NAME_BYTES \
	253 /* a host name in text, without the final dot (RFC 1035 section 2.3.4) */
#define LIMIT_LABEL_BYTES    63	 /* one label */
#define LIMIT_SEARCH_DOMAINS 32	 /* suffixes of resolv.conf */
#define LIMIT_NAME_SERVERS   8	 /* name servers of resolv.conf or Servers= */
#define LIMIT_SERVER_GROUPS  32	 /* sections [Resolve NAME] */
#define LIMIT_GROUP_DOMAINS  64	 /* domains of one of them */
#define LIMIT_CNAME_CHAIN    16	 /* links followed in one answer */
#define LIMIT_DNS_ADDRESSES  64	 /* addresses taken from one answer */
#define LIMIT_DNS_RECORDS    256 /* records of another type taken from one answer */
#define LIMIT_DNS_UDP_BYTES \
	1232 /* announced and accepted over UDP (EDNS, RFC 6891 section 6.2.3) */
#define LIMIT_DNS_FORGED_REPLIES 16 /* datagrams that do not match before a question goes to TCP */
#define LIMIT_FILE_BYTES \
	(4 * 1024 * 1024) /* hosts, services, resolv.conf: a larger file is refused */
