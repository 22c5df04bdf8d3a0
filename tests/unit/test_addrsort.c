/* SPDX-License-Identifier: MIT */
/*
 * connect/addrsort: a table of destinations and sources with the order that each rule of RFC 6724
 * section 6 demands and the rules that are named for it, among them the examples of its section
 * 10.2, then the alternation of the families, then what the kernel says about sources on loopback.
 */
#include "daemon/connect/addrsort.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "daemon/base/clock.h"
#include "daemon/connect/gai-conf.h"
#include "protocol/text.h"
#include "tests/support/suite.h"

#define MAX_ITEMS 8

struct row {
	const char *why;
	enum family_choice choice;
	struct {
		const char *destination; /* with "#N" behind it: rank N */
		const char *source;	 /* "ADDRESS[/LEN] [deprecated] [home] [tunnel]
				  [rtt=MS] [used] [dead] [disliked]"; NULL: no route */
	} items[MAX_ITEMS];
	const char *want; /* the indexes in the order wanted */
};

static const struct row rows[] = {
	/* Rule 1. */
	{ "a destination without a source comes last",
	  FAMILY_ANY,
	  { { "2001:db8::1", NULL }, { "198.51.100.1", "192.0.2.1" } },
	  "10" },
	{ "IPv4 without a source comes last",
	  FAMILY_ANY,
	  { { "198.51.100.1", NULL }, { "fc00::1", "2001:db8::9" } },
	  "10" },
	{ "one family: the usable one first",
	  FAMILY_ANY,
	  { { "2001:db8::1", NULL }, { "2001:db8::2", "2001:db8::9" } },
	  "10" },
	{ "usable beats higher precedence",
	  FAMILY_ANY,
	  { { "::1", NULL }, { "fec0::1", "fec0::2" } },
	  "10" },
	{ "both unusable: precedence decides",
	  FAMILY_ANY,
	  { { "198.51.100.1", NULL }, { "2001:db8::1", NULL } },
	  "10" },
	{ "both unusable, one family: as they came",
	  FAMILY_ANY,
	  { { "2001:db8::2", NULL }, { "2001:db8::1", NULL } },
	  "01" },
	/* Rule 2. */
	{ "global from global beats global from link-local",
	  FAMILY_ANY,
	  { { "2001:db8::1", "fe80::9" }, { "2001:db8::2", "2001:db8::9" } },
	  "10" },
	{ "link-local from link-local beats global from link-local",
	  FAMILY_ANY,
	  { { "2001:db8::1", "fe80::2" }, { "fe80::1", "fe80::2" } },
	  "10" },
	{ "IPv4 that fits beats IPv6 from link-local",
	  FAMILY_ANY,
	  { { "2001:db8::1", "fe80::1" }, { "198.51.100.121", "198.51.100.117" } },
	  "10" },
	{ "IPv6 that fits beats IPv4 from link-local",
	  FAMILY_ANY,
	  { { "198.51.100.121", "169.254.13.78" }, { "2001:db8::1", "2001:db8::2" } },
	  "10" },
	{ "a private IPv4 source is global",
	  FAMILY_ANY,
	  { { "169.254.1.1", "10.0.0.1" }, { "198.51.100.1", "10.0.0.1" } },
	  "10" },
	{ "172.16 and 192.168 are global too",
	  FAMILY_ANY,
	  { { "169.254.1.1", "172.16.0.1" }, { "172.17.0.1", "192.168.0.1" } },
	  "10" },
	{ "a shared address (100.64) is global",
	  FAMILY_ANY,
	  { { "169.254.1.1", "100.64.0.1" }, { "198.51.100.1", "100.64.0.1" } },
	  "10" },
	{ "127 is link-local",
	  FAMILY_ANY,
	  { { "127.0.0.1", "192.0.2.1" }, { "127.0.0.2", "127.0.0.1" } },
	  "10" },
	{ "169.254 from 169.254 matches",
	  FAMILY_ANY,
	  { { "198.51.100.1", "169.254.0.9" }, { "169.254.0.1", "169.254.0.9" } },
	  "10" },
	{ "::1 is link-local",
	  FAMILY_ANY,
	  { { "::1", "2001:db8::9" }, { "2001:db8::1", "2001:db8::9" } },
	  "10" },
	{ "site-local from site-local beats site-local from global",
	  FAMILY_ANY,
	  { { "fec0::1", "2001:db8::9" }, { "fec0::2", "fec0::9" } },
	  "10" },
	{ "a unique local address is global",
	  FAMILY_ANY,
	  { { "fe80::1", "fd00::9" }, { "fd00::1", "fd00::9" } },
	  "10" },
	{ "multicast has the scope in its second byte",
	  FAMILY_ANY,
	  { { "ff02::1", "2001:db8::9" }, { "ff0e::1", "2001:db8::9" } },
	  "10" },
	{ "link-local multicast from link-local matches",
	  FAMILY_ANY,
	  { { "ff0e::1", "fe80::9" }, { "ff02::1", "fe80::9" } },
	  "10" },
	{ "matching scope beats matching label",
	  FAMILY_ANY,
	  { { "2002:c633:6401::1", "fe80::9" }, { "2001:db8::1", "2002:c633:6401::2" } },
	  "10" },
	{ "::1 from link-local matches",
	  FAMILY_ANY,
	  { { "2001:db8::1", "fe80::9" }, { "::1", "fe80::9" } },
	  "10" },
	/* Rule 3. */
	{ "a source in its preferred lifetime beats a deprecated one",
	  FAMILY_ANY,
	  { { "2001:db8::1", "2001:db8::9 deprecated" }, { "2001:db8::2", "2001:db8::8" } },
	  "10" },
	{ "deprecated IPv6 comes after IPv4",
	  FAMILY_ANY,
	  { { "2001:db8::1", "2001:db8::9 deprecated" }, { "198.51.100.1", "192.0.2.1" } },
	  "10" },
	{ "deprecated IPv4 comes after 6to4",
	  FAMILY_ANY,
	  { { "198.51.100.1", "192.0.2.1 deprecated" },
	    { "2002:c633:6401::1", "2002:c633:6401::2" } },
	  "10" },
	{ "matching scope beats deprecated",
	  FAMILY_ANY,
	  { { "2001:db8::1", "fe80::9" }, { "2001:db8::2", "2001:db8::9 deprecated" } },
	  "10" },
	{ "not deprecated beats matching label",
	  FAMILY_ANY,
	  { { "2001:db8::1", "2001:db8::9 deprecated" }, { "2001:db8::2", "fd00::9" } },
	  "10" },
	/* Rule 4. */
	{ "a home address beats a care-of address",
	  FAMILY_ANY,
	  { { "2001:db8::1", "2001:db8::9" }, { "2001:db8::2", "2001:db8::8 home" } },
	  "10" },
	{ "not deprecated beats home",
	  FAMILY_ANY,
	  { { "2001:db8::1", "2001:db8::9 home deprecated" }, { "2001:db8::2", "2001:db8::8" } },
	  "10" },
	{ "home beats matching label",
	  FAMILY_ANY,
	  { { "2001:db8::1", "2001:db8::9" }, { "2001:db8::2", "fd00::9 home" } },
	  "10" },
	/* Rule 5. */
	{ "6to4 from 6to4 beats native from 6to4",
	  FAMILY_ANY,
	  { { "2001:db8::1", "2002:c633:6401::2" }, { "2002:c633:6401::1", "2002:c633:6401::2" } },
	  "10" },
	{ "IPv4 beats native IPv6 from 6to4",
	  FAMILY_ANY,
	  { { "2001:db8::1", "2002:c633:6401::2" }, { "198.51.100.1", "192.0.2.1" } },
	  "10" },
	{ "IPv4 beats native IPv6 from a unique local source",
	  FAMILY_ANY,
	  { { "2001:db8::1", "fd00::2" }, { "198.51.100.1", "192.0.2.1" } },
	  "10" },
	{ "unique local from unique local beats native from it",
	  FAMILY_ANY,
	  { { "2001:db8::1", "fd00::2" }, { "fd00::1", "fd00::2" } },
	  "10" },
	{ "IPv4 beats native IPv6 from Teredo",
	  FAMILY_ANY,
	  { { "2001:db8::1", "2001::2" }, { "198.51.100.1", "192.0.2.1" } },
	  "10" },
	{ "3ffe has a label of its own",
	  FAMILY_ANY,
	  { { "3ffe::1", "2001:db8::9" }, { "3ffe::2", "3ffe::9" } },
	  "10" },
	{ "3ffe from 3ffe beats native from it",
	  FAMILY_ANY,
	  { { "2001:db8::1", "3ffe::9" }, { "3ffe::1", "3ffe::9" } },
	  "10" },
	{ "site-local from site-local beats site-wide multicast from it",
	  FAMILY_ANY,
	  { { "ff05::1", "fec0::9" }, { "fec0::1", "fec0::9" } },
	  "10" },
	/* Rule 6. */
	{ "native IPv6 beats IPv4",
	  FAMILY_ANY,
	  { { "10.1.2.3", "10.1.2.4" }, { "2001:db8::1", "2001:db8::2" } },
	  "10" },
	{ "::1 beats 127.0.0.1",
	  FAMILY_ANY,
	  { { "127.0.0.1", "127.0.0.1" }, { "::1", "::1" } },
	  "10" },
	{ "IPv4 beats 6to4",
	  FAMILY_ANY,
	  { { "2002:c633:6401::1", "2002:c633:6401::2" }, { "198.51.100.1", "192.0.2.1" } },
	  "10" },
	{ "IPv4 beats a unique local address",
	  FAMILY_ANY,
	  { { "fd00::1", "fd00::2" }, { "198.51.100.1", "192.0.2.1" } },
	  "10" },
	{ "IPv4 beats Teredo",
	  FAMILY_ANY,
	  { { "2001::1", "2001::2" }, { "198.51.100.1", "192.0.2.1" } },
	  "10" },
	{ "2001:1:: is not Teredo",
	  FAMILY_ANY,
	  { { "198.51.100.1", "192.0.2.1" }, { "2001:1::1", "2001:1::2" } },
	  "10" },
	{ "native beats 6to4, both with matching labels",
	  FAMILY_ANY,
	  { { "2002:c633:6401::1", "2002:c633:6401::2" }, { "2001:db8::1", "2001:db8::2" } },
	  "10" },
	{ "6to4 beats Teredo",
	  FAMILY_ANY,
	  { { "2001::1", "2001::2" }, { "2002:c633:6401::1", "2002:c633:6401::2" } },
	  "10" },
	{ "Teredo beats unique local",
	  FAMILY_ANY,
	  { { "fd00::1", "fd00::2" }, { "2001::1", "2001::2" } },
	  "10" },
	{ "unique local beats IPv4-compatible",
	  FAMILY_ANY,
	  { { "::198.51.100.1", "::198.51.100.2" }, { "fd00::1", "fd00::2" } },
	  "10" },
	{ "precedence beats smaller scope",
	  FAMILY_ANY,
	  { { "fec0::1", "fec0::2" }, { "2001:db8::1", "2001:db8::2" } },
	  "10" },
	{ "a mapped address is IPv4",
	  FAMILY_ANY,
	  { { "::ffff:198.51.100.1", "192.0.2.1" }, { "2001:db8::1", "2001:db8::2" } },
	  "10" },
	{ "a mapped address has IPv4 scopes",
	  FAMILY_ANY,
	  { { "::ffff:169.254.1.1", "10.0.0.1" }, { "::ffff:198.51.100.1", "10.0.0.1" } },
	  "10" },
	/* Rule 7. */
	{ "native beats a tunnel",
	  FAMILY_ANY,
	  { { "2001:db8::1", "2001:db8::9 tunnel" }, { "2001:db8::2", "2001:db8::8" } },
	  "10" },
	{ "IPv4 in IPv4 is a tunnel too",
	  FAMILY_ANY,
	  { { "198.51.100.1", "192.0.2.1 tunnel" }, { "198.51.100.2", "192.0.2.2" } },
	  "10" },
	{ "precedence beats native",
	  FAMILY_ANY,
	  { { "198.51.100.1", "192.0.2.1" }, { "2001:db8::1", "2001:db8::9 tunnel" } },
	  "10" },
	{ "native beats smaller scope",
	  FAMILY_ANY,
	  { { "fe80::1", "fe80::9 tunnel" }, { "2001:db8::1", "2001:db8::9" } },
	  "10" },
	/* Rule 8. */
	{ "link-local beats global",
	  FAMILY_ANY,
	  { { "2001:db8::1", "2001:db8::2" }, { "fe80::1", "fe80::2" } },
	  "10" },
	{ "IPv4 link-local beats global",
	  FAMILY_ANY,
	  { { "198.51.100.1", "192.0.2.1" }, { "169.254.0.1", "169.254.0.2" } },
	  "10" },
	{ "smaller scope beats longer prefix",
	  FAMILY_ANY,
	  { { "2001:db8::1", "2001:db8::2" }, { "fe80:0:0:7::1", "febf::2" } },
	  "10" },
	{ "site-local beats global of the same precedence",
	  FAMILY_ANY,
	  { { "3ffe::1", "3ffe::2" }, { "fec0::1", "fec0::2" } },
	  "10" },
	/* Rule 8a. */
	{ "a lower round trip beats a higher one",
	  FAMILY_ANY,
	  { { "2001:db8::1", "2001:db8::9 rtt=400" }, { "2001:db8::2", "2001:db8::9 rtt=200" } },
	  "10" },
	{ "one that is not known beats a slow one",
	  FAMILY_ANY,
	  { { "2001:db8::1", "2001:db8::9 rtt=31" }, { "2001:db8::2", "2001:db8::9" } },
	  "10" },
	{ "up to 30 ms all are alike, known or not",
	  FAMILY_ANY,
	  { { "2001:db8::1", "2001:db8::9 rtt=30" },
	    { "2001:db8::2", "2001:db8::9" },
	    { "2001:db8::3", "2001:db8::9 rtt=1" } },
	  "012" },
	{ "within a step of the square root of 2 they are alike",
	  FAMILY_ANY,
	  { { "2001:db8::1", "2001:db8::9 rtt=59" }, { "2001:db8::2", "2001:db8::9 rtt=43" } },
	  "01" },
	{ "a step further they are not",
	  FAMILY_ANY,
	  { { "2001:db8::1", "2001:db8::9 rtt=60" }, { "2001:db8::2", "2001:db8::9 rtt=59" } },
	  "10" },
	{ "a faster family begins",
	  FAMILY_ANY,
	  { { "3ffe::1", "3ffe::9 rtt=400" },
	    { "3ffe::2", "3ffe::9 rtt=400" },
	    { "fec0::1", "fec0::9 rtt=20" } },
	  "201" },
	{ "precedence beats the round trip",
	  FAMILY_ANY,
	  { { "198.51.100.1", "192.0.2.1 rtt=10" }, { "2001:db8::1", "2001:db8::9 rtt=400" } },
	  "10" },
	{ "smaller scope beats the round trip",
	  FAMILY_ANY,
	  { { "2001:db8::1", "2001:db8::9 rtt=10" }, { "fe80::1", "fe80::9 rtt=400" } },
	  "10" },
	{ "the round trip beats the longer prefix",
	  FAMILY_ANY,
	  { { "2001:db8::1", "2001:db8::9 rtt=400" }, { "2001:db9::1", "2001:db8::9 rtt=10" } },
	  "10" },
	/* Rule 8b. */
	{ "what was used before beats what was not",
	  FAMILY_ANY,
	  { { "2001:db8::1", "2001:db8::9" }, { "2001:db8::2", "2001:db8::9 used" } },
	  "10" },
	{ "the round trip beats what was used before",
	  FAMILY_ANY,
	  { { "2001:db8::1", "2001:db8::9 rtt=400 used" },
	    { "2001:db8::2", "2001:db8::9 rtt=10" } },
	  "10" },
	{ "used before beats the longer prefix",
	  FAMILY_ANY,
	  { { "2001:db8::1", "2001:db8::9" }, { "2001:db9::1", "2001:db8::9 used" } },
	  "10" },
	/* Marks. */
	{ "dead comes behind all that is not, even without a route",
	  FAMILY_ANY,
	  { { "2001:db8::1", "2001:db8::9 dead" }, { "2001:db8::2", NULL } },
	  "10" },
	{ "disliked comes behind all that is not",
	  FAMILY_ANY,
	  { { "2001:db8::1", "2001:db8::9 disliked used rtt=1" },
	    { "198.51.100.1", "192.0.2.1 rtt=400" } },
	  "10" },
	{ "dead and disliked are alike",
	  FAMILY_ANY,
	  { { "2001:db8::1", "2001:db8::9 disliked" },
	    { "2001:db8::2", "2001:db8::9 dead" },
	    { "2001:db8::3", "2001:db8::9 dead disliked" } },
	  "012" },
	{ "the dead take nobody's turn",
	  FAMILY_ANY,
	  { { "2001:db8::1", "2001:db8::9 dead" },
	    { "2001:db8::2", "2001:db8::9" },
	    { "198.51.100.1", "192.0.2.1" },
	    { "198.51.100.2", "192.0.2.1 dead" },
	    { "198.51.100.3", "192.0.2.1 dead" } },
	  "12034" },
	{ "a family that was asked for does not bring the dead forward",
	  FAMILY_PREFER_INET,
	  { { "198.51.100.1", "192.0.2.1 dead" },
	    { "2001:db8::1", "2001:db8::9" },
	    { "198.51.100.2", "192.0.2.1" } },
	  "210" },
	{ "the target beats the mark",
	  FAMILY_ANY,
	  { { "2001:db8::1#1", "2001:db8::9" }, { "2001:db8::2", "2001:db8::9 dead" } },
	  "10" },
	/* Rule 9. */
	{ "the longer common prefix first",
	  FAMILY_ANY,
	  { { "2001:db8:3ffe::1", "2001:db8:1::2" }, { "2001:db8:1::1", "2001:db8:1::2" } },
	  "10" },
	{ "one bit decides",
	  FAMILY_ANY,
	  { { "2001:db8:0:2::1", "2001:db8:0:1::9" }, { "2001:db8:0:0::1", "2001:db8:0:1::9" } },
	  "10" },
	{ "the 64th bit counts",
	  FAMILY_ANY,
	  { { "2001:db8:0:1::1", "2001:db8::9" }, { "2001:db8:0:0::1", "2001:db8::9" } },
	  "10" },
	{ "beyond the 64th bit nothing counts",
	  FAMILY_ANY,
	  { { "2001:db8::8000:0:0:1", "2001:db8::9" }, { "2001:db8::8", "2001:db8::9" } },
	  "01" },
	{ "IPv4 is not sorted by prefix",
	  FAMILY_ANY,
	  { { "10.9.9.9", "192.0.2.1" }, { "192.0.2.2", "192.0.2.1" } },
	  "01" },
	{ "of three by prefix",
	  FAMILY_ANY,
	  { { "2001:db9::1", "2001:db8::9" },
	    { "2001:db8:8000::1", "2001:db8::9" },
	    { "2001:db8::1", "2001:db8::9" } },
	  "210" },
	{ "the source's prefix is the cap: 48",
	  FAMILY_ANY,
	  { { "2001:db8:0:2::1", "2001:db8:0:1::9/48" },
	    { "2001:db8:0:1::1", "2001:db8:0:1::9/48" } },
	  "01" },
	{ "the source's prefix is the cap: 120",
	  FAMILY_ANY,
	  { { "2001:db8::8000:0:0:1", "2001:db8::9/120" }, { "2001:db8::8", "2001:db8::9/120" } },
	  "10" },
	{ "beyond the 120th bit nothing counts",
	  FAMILY_ANY,
	  { { "2001:db8::f0", "2001:db8::9/120" }, { "2001:db8::8", "2001:db8::9/120" } },
	  "01" },
	{ "one in a network of 64 beats one in a network of 48",
	  FAMILY_ANY,
	  { { "2001:db9::1", "2001:db9::9/48" }, { "2001:db8::1", "2001:db8::9/64" } },
	  "10" },
	{ "an address without a network is taken for one in 64 bits",
	  FAMILY_ANY,
	  { { "2001:db8::8000:0:0:1", "2001:db8::9/128" }, { "2001:db8::8", "2001:db8::9/128" } },
	  "01" },
	{ "IPv4 in the own network comes first",
	  FAMILY_ANY,
	  { { "198.51.100.1", "192.0.2.1/24" }, { "192.0.2.200", "192.0.2.1/24" } },
	  "10" },
	{ "IPv4 outside of it is not sorted by prefix",
	  FAMILY_ANY,
	  { { "10.9.9.9", "192.0.2.1/24" }, { "192.0.3.2", "192.0.2.1/24" } },
	  "01" },
	{ "IPv4 inside of it is not either",
	  FAMILY_ANY,
	  { { "192.0.2.200", "192.0.2.1/24" }, { "192.0.2.2", "192.0.2.1/24" } },
	  "01" },
	{ "of two own networks the smaller comes first",
	  FAMILY_ANY,
	  { { "10.1.2.3", "10.1.2.1/16" }, { "192.0.2.2", "192.0.2.1/24" } },
	  "10" },
	{ "an IPv4 address alone is no network",
	  FAMILY_ANY,
	  { { "10.9.9.9", "192.0.2.1/32" }, { "192.0.2.2", "192.0.2.1/32" } },
	  "01" },
	{ "a network of everything tells nothing",
	  FAMILY_ANY,
	  { { "10.9.9.9", "192.0.2.1/0" }, { "192.0.2.2", "192.0.2.1/0" } },
	  "01" },
	/* Rule 10. */
	{ "equal IPv6 stay as they came",
	  FAMILY_ANY,
	  { { "2001:db8::3", "2001:db8::9" },
	    { "2001:db8::1", "2001:db8::9" },
	    { "2001:db8::2", "2001:db8::9" } },
	  "012" },
	{ "equal IPv4 stay as they came",
	  FAMILY_ANY,
	  { { "198.51.100.3", "192.0.2.1" },
	    { "198.51.100.1", "192.0.2.1" },
	    { "198.51.100.2", "192.0.2.1" } },
	  "012" },
	{ "the same address twice stays as it came",
	  FAMILY_ANY,
	  { { "::1", "::1" }, { "::1", "::1" } },
	  "01" },
	{ "one alone", FAMILY_ANY, { { "192.0.2.7", NULL } }, "0" },
	/* Alternation, RFC 8305 section 4. */
	{ "families alternate",
	  FAMILY_ANY,
	  { { "2001:db8::1", "2001:db8::9" },
	    { "2001:db8::2", "2001:db8::9" },
	    { "198.51.100.1", "192.0.2.1" },
	    { "198.51.100.2", "192.0.2.1" } },
	  "0213" },
	{ "the longer family's rest follows",
	  FAMILY_ANY,
	  { { "2001:db8::1", "2001:db8::9" },
	    { "2001:db8::2", "2001:db8::9" },
	    { "2001:db8::3", "2001:db8::9" },
	    { "198.51.100.1", "192.0.2.1" } },
	  "0312" },
	{ "much IPv4 and one IPv6",
	  FAMILY_ANY,
	  { { "198.51.100.1", "192.0.2.1" },
	    { "198.51.100.2", "192.0.2.1" },
	    { "198.51.100.3", "192.0.2.1" },
	    { "2001:db8::1", "2001:db8::9" } },
	  "3012" },
	{ "the sort names the first family",
	  FAMILY_ANY,
	  { { "fd00::1", "fd00::9" },
	    { "fd00::2", "fd00::9" },
	    { "198.51.100.1", "192.0.2.1" },
	    { "198.51.100.2", "192.0.2.1" } },
	  "2031" },
	{ "within each family the sort stays",
	  FAMILY_ANY,
	  { { "2001:db9::1", "2001:db8::9" },
	    { "2001:db8::1", "2001:db8::9" },
	    { "198.51.100.1", "192.0.2.1" },
	    { "169.254.0.1", "169.254.0.2" } },
	  "1302" },
	{ "IPv4 preferred comes first",
	  FAMILY_PREFER_INET,
	  { { "2001:db8::1", "2001:db8::9" },
	    { "2001:db8::2", "2001:db8::9" },
	    { "198.51.100.1", "192.0.2.1" },
	    { "198.51.100.2", "192.0.2.1" } },
	  "2031" },
	{ "IPv6 preferred comes first",
	  FAMILY_PREFER_INET6,
	  { { "198.51.100.1", "192.0.2.1" }, { "fd00::1", "fd00::9" } },
	  "10" },
	{ "IPv6 preferred comes first even without a route",
	  FAMILY_PREFER_INET6,
	  { { "198.51.100.1", "192.0.2.1" }, { "2001:db8::1", NULL } },
	  "10" },
	{ "IPv4 preferred and none there",
	  FAMILY_PREFER_INET,
	  { { "2001:db8::1", "2001:db8::9" }, { "::1", "::1" } },
	  "10" },
	{ "IPv6 preferred and none there",
	  FAMILY_PREFER_INET6,
	  { { "198.51.100.1", "192.0.2.1" }, { "198.51.100.2", "192.0.2.1" } },
	  "01" },
	{ "a mapped address alternates as IPv4",
	  FAMILY_ANY,
	  { { "2001:db8::1", "2001:db8::9" },
	    { "2001:db8::2", "2001:db8::9" },
	    { "::ffff:198.51.100.1", "192.0.2.1" } },
	  "021" },
	/* Ranks of targets. */
	{ "the lower rank comes first whatever the rules say",
	  FAMILY_ANY,
	  { { "::1#1", "::1" }, { "198.51.100.1", NULL } },
	  "10" },
	{ "65535 is the last rank",
	  FAMILY_ANY,
	  { { "::1#65535", "::1" }, { "2001:db8::1#65534", "2001:db8::9" } },
	  "10" },
	{ "families alternate inside each rank",
	  FAMILY_ANY,
	  { { "198.51.100.1#1", "192.0.2.1" },
	    { "198.51.100.2", "192.0.2.1" },
	    { "2001:db8::1#1", "2001:db8::9" },
	    { "2001:db8::2", "2001:db8::9" },
	    { "2001:db8::3", "2001:db8::9" },
	    { "2001:db8::4#1", "2001:db8::9" } },
	  "314205" },
	{ "and each begins with the family preferred",
	  FAMILY_PREFER_INET,
	  { { "198.51.100.1#1", "192.0.2.1" },
	    { "198.51.100.2", "192.0.2.1" },
	    { "2001:db8::1#1", "2001:db8::9" },
	    { "2001:db8::2", "2001:db8::9" },
	    { "2001:db8::3", "2001:db8::9" },
	    { "2001:db8::5#2", "2001:db8::9" } },
	  "134025" },
	{ "and each with the family of its own sort",
	  FAMILY_ANY,
	  { { "fd00::1", "fd00::9" },
	    { "198.51.100.1", "192.0.2.1" },
	    { "198.51.100.2#4", "192.0.2.1" },
	    { "2001:db8::2#4", "2001:db8::9" } },
	  "1032" },
	{ "IPv4 only",
	  FAMILY_INET,
	  { { "198.51.100.1", "192.0.2.1" }, { "169.254.0.1", "169.254.0.2" } },
	  "10" },
	{ "IPv6 only",
	  FAMILY_INET6,
	  { { "fd00::1", "fd00::9" }, { "2001:db8::1", "2001:db8::9" } },
	  "10" },
};

/* address_parse would turn a mapped address into IPv4. */
static struct address parse(const char *text)
{
	struct address address = { 0 };
	int r = strchr(text, ':') ? address_parse_ipv6(text, &address)
				  : address_parse_ipv4(text, &address);

	ck_assert_msg(r == 0, "%s", text);
	return address;
}

/* Cuts a text at a separator; what stands behind it, or NULL. */
static char *cut(char *text, char separator)
{
	char *at = strchr(text, separator);

	if (at)
		*at++ = '\0';
	return at;
}

static unsigned int number(const char *text)
{
	uint64_t value;

	ck_assert_msg(text_parse_uint(text, UINT16_MAX, &value) == 0, "%s", text);
	return (unsigned int)value;
}

static struct addrsort_source parse_source(const char *text)
{
	struct addrsort_source source = { 0 };
	char copy[80] = "";
	char *facts;
	char *prefix_len;

	(void)snprintf(copy, sizeof(copy), "%s", text);
	facts = cut(copy, ' ');
	prefix_len = cut(copy, '/');
	source.address = parse(copy);
	if (prefix_len)
		source.facts.prefix_len = (uint8_t)number(prefix_len);
	if (facts) {
		source.facts.is_deprecated = strstr(facts, "deprecated") != NULL;
		source.facts.is_home = strstr(facts, "home") != NULL;
		source.facts.is_tunnel = strstr(facts, "tunnel") != NULL;
	}
	return source;
}

static struct addrsort_past parse_past(const char *text)
{
	const char *rtt = strstr(text, "rtt=");
	struct addrsort_past past = { .was_used = strstr(text, "used") != NULL,
				      .is_dead = strstr(text, "dead") != NULL,
				      .is_disliked = strstr(text, "disliked") != NULL };

	if (rtt) {
		char digits[8] = "";

		(void)snprintf(digits, sizeof(digits), "%.*s", (int)strspn(rtt + 4, "0123456789"),
			       rtt + 4);
		past.rtt_us = 1000 * number(digits);
	}
	return past;
}

static size_t fill(const struct row *row, struct addrsort_item *items)
{
	size_t n = 0;

	for (; n < MAX_ITEMS && row->items[n].destination; n++) {
		char copy[80];
		char *rank;

		(void)snprintf(copy, sizeof(copy), "%s", row->items[n].destination);
		rank = cut(copy, '#');
		items[n] = (struct addrsort_item){ .destination = { .address = parse(copy),
								    .port = 80 },
						   .rank = rank ? (uint16_t)number(rank) : 0 };
		if (row->items[n].source) {
			items[n].source = parse_source(row->items[n].source);
			items[n].past = parse_past(row->items[n].source);
		}
	}
	return n;
}

static void check_row(const struct row *row)
{
	struct addrsort_item items[MAX_ITEMS];
	size_t order[MAX_ITEMS];
	char got[MAX_ITEMS + 1] = "";
	size_t n = fill(row, items);

	addrsort(items, n, &(struct addrsort_how){ .families = row->choice }, order, NULL);
	for (size_t i = 0; i < n; i++)
		got[i] = (char)('0' + order[i]);
	ck_assert_msg(strcmp(got, row->want) == 0, "%s: want %s, got %s", row->why, row->want, got);
}

START_TEST(destinations_are_ordered_as_the_table_says)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_row(&rows[i]);
}
END_TEST

/* Where a rule decides, the order they come in must not matter. */
START_TEST(the_first_of_two_does_not_depend_on_their_order)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct addrsort_item items[MAX_ITEMS];
		struct addrsort_item swapped[2];
		size_t order[2];

		if (fill(&rows[i], items) != 2 || strcmp(rows[i].want, "10") != 0)
			continue;
		swapped[0] = items[1];
		swapped[1] = items[0];
		addrsort(swapped, 2, &(struct addrsort_how){ .families = rows[i].choice }, order,
			 NULL);
		ck_assert_msg(order[0] == 0, "%s: swapped", rows[i].why);
	}
}
END_TEST

/* RFC 8305 section 8. */
START_TEST(the_first_family_can_have_more_before_the_other)
{
	static const struct row row = { "",
					FAMILY_ANY,
					{ { "2001:db8::1", "2001:db8::9" },
					  { "2001:db8::2", "2001:db8::9" },
					  { "2001:db8::3", "2001:db8::9" },
					  { "2001:db8::4", "2001:db8::9" },
					  { "198.51.100.1", "192.0.2.1" },
					  { "198.51.100.2", "192.0.2.1" },
					  { "198.51.100.3", "192.0.2.1 dead" },
					  { "2001:db8::5", "2001:db8::9 dead" } },
					"" };
	static const struct {
		size_t count;
		enum family_choice choice;
		const char *want;
	} cases[] = {
		{ 0, FAMILY_ANY, "04152376" },	       { 1, FAMILY_ANY, "04152376" },
		{ 2, FAMILY_ANY, "01425376" },	       { 3, FAMILY_ANY, "01243576" },
		{ 9, FAMILY_ANY, "01234576" },	       { 1, FAMILY_PREFER_INET, "40512367" },
		{ 2, FAMILY_PREFER_INET, "45012367" },
	};
	struct addrsort_item items[MAX_ITEMS];
	size_t order[MAX_ITEMS];
	size_t n = fill(&row, items);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char got[MAX_ITEMS + 1] = "";

		addrsort(items, n,
			 &(struct addrsort_how){ .families = cases[i].choice,
						 .first_family_count = cases[i].count },
			 order, NULL);
		for (size_t j = 0; j < n; j++)
			got[j] = (char)('0' + order[j]);
		ck_assert_msg(strcmp(got, cases[i].want) == 0, "%zu: want %s, got %s", i,
			      cases[i].want, got);
	}
}
END_TEST

START_TEST(a_place_without_its_past_is_that_of_an_address_without_one)
{
	struct endpoint destination = { .address = parse("2001:db8::1"), .port = 80 };
	struct addrsort_facts facts = { .source.address = parse("2001:db8::9") };
	struct addrsort_place plain, known;

	addrsort_place(NULL, &destination, 7, &facts, &plain);
	facts.past =
		(struct addrsort_past){ .rtt_us = UINT32_MAX, .was_used = true, .is_dead = true };
	addrsort_place(NULL, &destination, 7, &facts, &known);
	ck_assert_mem_ne(plain.words, known.words, sizeof(plain.words));
	known = addrsort_place_without_past(&known);
	plain = addrsort_place_without_past(&plain); /* the bit for "not used before" */
	ck_assert_mem_eq(plain.words, known.words, sizeof(plain.words));
	ck_assert_int_eq(plain.family, known.family);
}
END_TEST

START_TEST(nothing_is_sorted_into_nothing)
{
	size_t order[1] = { 77 };

	addrsort(NULL, 0, &(struct addrsort_how){ .families = FAMILY_ANY }, order, NULL);
	ck_assert_uint_eq(order[0], 77);
}
END_TEST

START_TEST(the_largest_list_comes_back_complete)
{
	static struct addrsort_item items[ADDRSORT_MAX];
	size_t order[ADDRSORT_MAX];
	bool seen[ADDRSORT_MAX] = { false };

	for (size_t i = 0; i < ADDRSORT_MAX; i++) {
		items[i].destination.address = parse(i % 3 ? "2001:db8::1" : "198.51.100.1");
		items[i].destination.port = (uint16_t)i;
		items[i].source.address = parse(i % 3 ? "2001:db8::2" : "192.0.2.1");
	}
	addrsort(items, ADDRSORT_MAX, &(struct addrsort_how){ .families = FAMILY_ANY }, order,
		 NULL);
	for (size_t i = 0; i < ADDRSORT_MAX; i++) {
		ck_assert_uint_lt(order[i], ADDRSORT_MAX);
		ck_assert(!seen[order[i]]);
		seen[order[i]] = true;
	}
	ck_assert_uint_eq(order[0], 1);
	ck_assert_uint_eq(order[1], 0);
	ck_assert_uint_eq(order[2], 2);
	ck_assert_uint_eq(order[3], 3);
}
END_TEST

static const struct addrsort_env nothing;

START_TEST(the_kernel_names_the_source)
{
	static const struct {
		const char *destination;
		const char *source; /* NULL: none */
	} wants[] = {
		{ "127.0.0.1", "127.0.0.1" }, { "::1", "::1" }, { "::ffff:127.0.0.1", "127.0.0.1" },
		{ "fe80::1", NULL }, /* a link-local address without a scope leads nowhere */
		{ "255.255.255.255", NULL }, /* broadcast is not for us */
	};

	for (size_t i = 0; i < ARRAY_LEN(wants); i++) {
		struct endpoint destination = { .address = parse(wants[i].destination), .port = 9 };
		struct address want = { 0 };
		struct addrsort_source source = { .address = { .family = 99 } };

		if (wants[i].source)
			want = parse(wants[i].source);
		addrsort_find_source(&nothing, &destination, &source);
		ck_assert_msg(address_equal(&source.address, &want), "%s", wants[i].destination);
		ck_assert_uint_eq(source.facts.prefix_len, 0);
	}
}
END_TEST

START_TEST(what_the_kernel_tells_of_the_source_is_found)
{
	CLEANUP(hostaddrs_freep) struct hostaddrs *hostaddrs = NULL;
	struct addrsort_env env = { 0 };
	struct endpoint destination = { .address = parse("127.0.0.1"), .port = 9 };
	struct addrsort_source source;

	ck_assert_int_eq(hostaddrs_new(&hostaddrs), 0);
	env.hostaddrs = hostaddrs;
	addrsort_find_source(&env, &destination, &source);
	ck_assert_uint_eq(source.facts.prefix_len, 8);
	destination.address = parse("255.255.255.255");
	addrsort_find_source(&env, &destination, &source);
	ck_assert_int_eq(source.address.family, 0);
	ck_assert_uint_eq(source.facts.prefix_len, 0);
}
END_TEST

START_TEST(the_kernels_choice_is_remembered_for_a_second)
{
	CLEANUP(addrsort_memory_freep) struct addrsort_memory *memory = NULL;
	struct addrsort_env env = { 0 };
	struct endpoint destination = { .address = parse("127.0.0.1"), .port = 9 };
	struct addrsort_source source;
	uint64_t now_us = 1000000;
	struct rlimit before, files;

	ck_assert_int_eq(addrsort_memory_new(&memory), 0);
	env.memory = memory;
	clock_set_fake(&now_us);
	addrsort_find_source(&env, &destination, &source);
	ck_assert_int_eq(source.address.family, AF_INET);
	/* Without descriptors nobody can be asked. */
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	files = (struct rlimit){ 0, before.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
	now_us += 999999;
	addrsort_find_source(&env, &destination, &source);
	ck_assert_int_eq(source.address.family, AF_INET);
	destination.address = parse("127.0.0.2");
	addrsort_find_source(&env, &destination, &source);
	ck_assert_int_eq(source.address.family, 0);
	destination.address = parse("127.0.0.1");
	now_us++;
	addrsort_find_source(&env, &destination, &source);
	ck_assert_int_eq(source.address.family, 0);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	clock_set_fake(NULL);
}
END_TEST

/* The rules between each and the next: digits, 0 for rule 10, t target, i interleaved, p preference. */
static const struct {
	struct row row;
	const char *rules;
} explained[] = {
	{ { "one alone", FAMILY_ANY, { { "::1", "::1" } }, "0" }, "" },
	{ { "no route",
	    FAMILY_ANY,
	    { { "2001:db8::1", "2001:db8::9" }, { "2001:db8::2", NULL } },
	    "01" },
	  "1" },
	{ { "scope",
	    FAMILY_ANY,
	    { { "2001:db8::1", "2001:db8::9" }, { "2001:db8::2", "fe80::9" } },
	    "01" },
	  "2" },
	{ { "deprecated",
	    FAMILY_ANY,
	    { { "2001:db8::1", "2001:db8::9" }, { "2001:db8::2", "2001:db8::9 deprecated" } },
	    "01" },
	  "3" },
	{ { "home",
	    FAMILY_ANY,
	    { { "2001:db8::1", "2001:db8::9 home" }, { "2001:db8::2", "2001:db8::9" } },
	    "01" },
	  "4" },
	{ { "label",
	    FAMILY_ANY,
	    { { "2001:db8::1", "2001:db8::9" }, { "2001:db8::2", "fd00::9" } },
	    "01" },
	  "5" },
	{ { "precedence",
	    FAMILY_ANY,
	    { { "2001:db8::1", "2001:db8::9" }, { "fd00::1", "fd00::9" } },
	    "01" },
	  "6" },
	{ { "tunnel",
	    FAMILY_ANY,
	    { { "2001:db8::1", "2001:db8::9" }, { "2001:db8::2", "2001:db8::9 tunnel" } },
	    "01" },
	  "7" },
	{ { "smaller scope",
	    FAMILY_ANY,
	    { { "fe80::1", "fe80::9" }, { "2001:db8::1", "2001:db8::9" } },
	    "01" },
	  "8" },
	{ { "round trip",
	    FAMILY_ANY,
	    { { "2001:db8::1", "2001:db8::9 rtt=20" }, { "2001:db8::2", "2001:db8::9 rtt=50" } },
	    "01" },
	  "a" },
	{ { "used before",
	    FAMILY_ANY,
	    { { "2001:db8::1", "2001:db8::9 used" }, { "2001:db8::2", "2001:db8::9" } },
	    "01" },
	  "b" },
	{ { "the dead",
	    FAMILY_PREFER_INET,
	    { { "198.51.100.1", "192.0.2.1" },
	      { "198.51.100.2", "192.0.2.1 dead" },
	      { "2001:db8::1", "2001:db8::9 dead" } },
	    "012" },
	  "mp" },
	{ { "prefix",
	    FAMILY_ANY,
	    { { "2001:db8::1", "2001:db8::9" }, { "2001:db9::1", "2001:db8::9" } },
	    "01" },
	  "9" },
	{ { "nothing",
	    FAMILY_ANY,
	    { { "2001:db8::1", "2001:db8::9" }, { "2001:db8::2", "2001:db8::9" } },
	    "01" },
	  "0" },
	{ { "the first rule that finds a difference is named",
	    FAMILY_ANY,
	    { { "2001:db8::1", "2001:db8::9" }, { "fe80::1", "2001:db8::9 deprecated" } },
	    "01" },
	  "2" },
	{ { "a turn that the sort would have given as well is the sort's",
	    FAMILY_ANY,
	    { { "2001:db8::1", "2001:db8::9" },
	      { "2001:db8::2", "2001:db8::9" },
	      { "198.51.100.1", "192.0.2.1" },
	      { "198.51.100.2", "192.0.2.1" } },
	    "0213" },
	  "6i6" },
	{ { "behind the shorter family there are no turns",
	    FAMILY_ANY,
	    { { "2001:db8::1", "2001:db8::9" },
	      { "2001:db8::2", "2001:db8::9" },
	      { "2001:db9::3", "2001:db8::9" },
	      { "198.51.100.1", "192.0.2.1" } },
	    "0312" },
	  "6i9" },
	{ { "what was asked for begins",
	    FAMILY_PREFER_INET,
	    { { "2001:db8::1", "2001:db8::9" },
	      { "2001:db8::2", "2001:db8::9" },
	      { "198.51.100.1", "192.0.2.1" },
	      { "198.51.100.2", "192.0.2.1" } },
	    "2031" },
	  "p6i" },
	{ { "what was asked for would have begun anyway",
	    FAMILY_PREFER_INET6,
	    { { "2001:db8::1", "2001:db8::9" }, { "198.51.100.1", "192.0.2.1" } },
	    "01" },
	  "6" },
	{ { "each target begins anew",
	    FAMILY_PREFER_INET,
	    { { "2001:db8::1", "2001:db8::9" },
	      { "198.51.100.1", "192.0.2.1" },
	      { "2001:db8::2#1", "2001:db8::9" },
	      { "198.51.100.2#1", "192.0.2.1" },
	      { "198.51.100.3#2", "192.0.2.1" },
	      { "198.51.100.4#2", "192.0.2.1" } },
	    "103245" },
	  "ptpt0" },
};

START_TEST(each_place_in_the_order_is_explained)
{
	for (size_t i = 0; i < ARRAY_LEN(explained); i++) {
		struct addrsort_item items[MAX_ITEMS];
		enum addrsort_rule rules[MAX_ITEMS];
		size_t order[MAX_ITEMS];
		char got[MAX_ITEMS] = "";
		size_t n = fill(&explained[i].row, items);

		check_row(&explained[i].row);
		addrsort(items, n, &(struct addrsort_how){ .families = explained[i].row.choice },
			 order, rules);
		ck_assert_int_eq(rules[n - 1], ADDRSORT_NONE);
		for (size_t j = 0; j + 1 < n; j++)
			got[j] = "-tm12345678ab90ip"[rules[j]];
		ck_assert_msg(strcmp(got, explained[i].rules) == 0, "%s: want %s, got %s",
			      explained[i].row.why, explained[i].rules, got);
	}
}
END_TEST

START_TEST(rules_have_texts)
{
	char start[16];

	ck_assert_str_eq(addrsort_rule_text(ADDRSORT_NONE), "");
	ck_assert_str_eq(addrsort_rule_text(ADDRSORT_RULE_6),
			 "rule 6: higher precedence (RFC 6724)");
	for (int i = ADDRSORT_TARGET; i <= ADDRSORT_PREFERENCE; i++) {
		static const char *const names[] = { "1", "2", "3",  "4",  "5", "6",
						     "7", "8", "8a", "8b", "9", "10" };
		const char *text = addrsort_rule_text((enum addrsort_rule)i);
		bool is_numbered = i >= ADDRSORT_RULE_1 && i <= ADDRSORT_RULE_10;

		ck_assert_ptr_ne(text, NULL);
		ck_assert_uint_gt(strlen(text), 10);
		(void)snprintf(start, sizeof(start),
			       "rule %s: ", is_numbered ? names[i - ADDRSORT_RULE_1] : "");
		ck_assert_int_eq(strncmp(text, start, strlen(start)) == 0, is_numbered);
	}
}
END_TEST

static void sort_with(const char *text, const struct row *row)
{
	CLEANUP(gai_conf_freep) struct gai_conf *conf = NULL;
	struct addrsort_item items[MAX_ITEMS];
	size_t order[MAX_ITEMS];
	char got[MAX_ITEMS + 1] = "";
	size_t n = fill(row, items);

	ck_assert_int_eq(gai_conf_new(&conf, NULL), 0);
	ck_assert_int_eq(gai_conf_parse(conf, text, strlen(text)), 0);
	addrsort(items, n, &(struct addrsort_how){ .gai_conf = conf, .families = row->choice },
		 order, NULL);
	for (size_t i = 0; i < n; i++)
		got[i] = (char)('0' + order[i]);
	ck_assert_msg(strcmp(got, row->want) == 0, "%s: want %s, got %s", row->why, row->want, got);
}

START_TEST(the_policy_table_decides)
{
	sort_with("precedence ::ffff:0:0/96 100\n",
		  &(struct row){
			  "IPv4 first",
			  FAMILY_ANY,
			  { { "2001:db8::1", "2001:db8::9" }, { "198.51.100.1", "192.0.2.1" } },
			  "10" });
	sort_with("label 2001:db8:1::/48 77\n",
		  &(struct row){ "label",
				 FAMILY_ANY,
				 { { "2001:db8:1::1", "2001:db8::9" },
				   { "2001:db8:2::1", "2001:db8::9" } },
				 "10" });
	sort_with("scopev4 10.0.0.0/8 5\n",
		  &(struct row){ "scope",
				 FAMILY_ANY,
				 { { "192.0.2.2", "10.0.0.1" }, { "10.0.0.2", "10.0.0.1" } },
				 "10" });
}
END_TEST

/*
 * Where a table makes IPv4 and IPv6 equal, rule 9 for pairs of one family and rule 10 for the others
 * would go round in a circle; so IPv6 begins.
 */
START_TEST(equal_families_do_not_go_round_in_a_circle)
{
	static const char *const orders[] = { "012", "021", "102", "120", "201", "210" };
	static const char text[] = "precedence ::/0 40\nlabel ::/0 1\n";
	const struct row row = { "",
				 FAMILY_ANY,
				 { { "2001:db9::1", "2001:db8::9" },
				   { "198.51.100.1", "192.0.2.1" },
				   { "2001:db8::1", "2001:db8::9" } },
				 "" };
	CLEANUP(gai_conf_freep) struct gai_conf *conf = NULL;
	struct addrsort_item items[MAX_ITEMS];

	ck_assert_int_eq(gai_conf_new(&conf, NULL), 0);
	ck_assert_int_eq(gai_conf_parse(conf, text, strlen(text)), 0);
	(void)fill(&row, items);
	for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
		struct addrsort_item shuffled[3];
		enum addrsort_rule rules[3];
		size_t order[3];

		for (size_t j = 0; j < 3; j++)
			shuffled[j] = items[orders[i][j] - '0'];
		addrsort(shuffled, 3,
			 &(struct addrsort_how){ .gai_conf = conf, .families = FAMILY_ANY }, order,
			 rules);
		ck_assert_int_eq(orders[i][order[0]], '2');
		ck_assert_int_eq(orders[i][order[1]], '1');
		ck_assert_int_eq(orders[i][order[2]], '0');
		ck_assert_int_eq(rules[0], ADDRSORT_INTERLEAVED);
	}
}
END_TEST

START_TEST(a_family_that_does_not_exist_has_no_source)
{
	struct endpoint destination = { .address = { .family = AF_UNIX } };
	struct addrsort_source source = { .address = { .family = 99 } };

	addrsort_find_source(&nothing, &destination, &source);
	ck_assert_int_eq(source.address.family, 0);
}
END_TEST

SUITE_MAIN("addrsort", destinations_are_ordered_as_the_table_says,
	   the_first_of_two_does_not_depend_on_their_order,
	   the_first_family_can_have_more_before_the_other,
	   a_place_without_its_past_is_that_of_an_address_without_one,
	   nothing_is_sorted_into_nothing, the_largest_list_comes_back_complete,
	   the_kernel_names_the_source, what_the_kernel_tells_of_the_source_is_found,
	   the_kernels_choice_is_remembered_for_a_second, each_place_in_the_order_is_explained,
	   rules_have_texts, the_policy_table_decides, equal_families_do_not_go_round_in_a_circle,
	   a_family_that_does_not_exist_has_no_source)
