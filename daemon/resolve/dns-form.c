/* SPDX-License-Identifier: MIT */
/*
 * Types that are missing here, though ldns knows them, are those that nobody uses, and those whose text it makes with the
 * files of this system (WKS asks for the names of services) or of more than one form (APL, IPSECKEY, HIP).
 */
#include "daemon/resolve/dns-form.h"

#include <string.h>

#include "daemon/resolve/dns-name.h"
#include "daemon/resolve/svcb.h"
#include "protocol/cleanup.h"

#define BITMAP_TYPES_MAX  1000 /* more make a text that nobody can read */
#define HASH_OCTETS	  20
#define LOC_LATITUDE_MAX  324000000 /* 90 degrees in thousandths of a second (RFC 1876 section 2) */
#define LOC_LONGITUDE_MAX 648000000

/*
 * Forms are read from the left; where they end the data must end:
 *   1…8  that many octets
 *   n    a name
 *   s    a string: its length in an octet, and that many
 *   S    one or more strings
 *   t    a string of letters and digits
 *   l    a string as long as a hash (SHA-1, the only one of RFC 5155)
 *   x    all the rest, at least one octet
 *   b    all the rest, a bitmap of types (RFC 4034 section 4.1.2), maybe empty
 *   L    a location
 *   V    service parameters
 */
static const struct {
	uint16_t type;
	const char *form;
} forms[] = {
	{ 1, "4" },	     /* A */
	{ 2, "n" },	     /* NS */
	{ 5, "n" },	     /* CNAME */
	{ 6, "nn44444" },    /* SOA */
	{ 12, "n" },	     /* PTR */
	{ 13, "ss" },	     /* HINFO */
	{ 15, "2n" },	     /* MX */
	{ 16, "S" },	     /* TXT */
	{ 17, "nn" },	     /* RP */
	{ 18, "2n" },	     /* AFSDB */
	{ 24, "2114442nx" }, /* SIG */
	{ 25, "211x" },	     /* KEY */
	{ 28, "88" },	     /* AAAA */
	{ 29, "L" },	     /* LOC */
	{ 33, "222n" },	     /* SRV */
	{ 35, "22sssn" },    /* NAPTR */
	{ 36, "2n" },	     /* KX */
	{ 37, "221x" },	     /* CERT */
	{ 39, "n" },	     /* DNAME */
	{ 43, "211x" },	     /* DS */
	{ 44, "11x" },	     /* SSHFP */
	{ 46, "2114442nx" }, /* RRSIG */
	{ 47, "nb" },	     /* NSEC */
	{ 48, "211x" },	     /* DNSKEY */
	{ 49, "x" },	     /* DHCID */
	{ 50, "112slb" },    /* NSEC3 */
	{ 51, "112s" },	     /* NSEC3PARAM */
	{ 52, "111x" },	     /* TLSA */
	{ 53, "111x" },	     /* SMIMEA */
	{ 59, "211x" },	     /* CDS */
	{ 60, "211x" },	     /* CDNSKEY */
	{ 61, "x" },	     /* OPENPGPKEY */
	{ 62, "42b" },	     /* CSYNC */
	{ 63, "411x" },	     /* ZONEMD */
	{ 64, "V" },	     /* SVCB */
	{ 65, "V" },	     /* HTTPS */
	{ 99, "S" },	     /* SPF */
	{ 104, "28" },	     /* NID */
	{ 105, "24" },	     /* L32 */
	{ 106, "28" },	     /* L64 */
	{ 107, "2n" },	     /* LP */
	{ 108, "6" },	     /* EUI48 */
	{ 109, "8" },	     /* EUI64 */
	{ 256, "22x" },	     /* URI */
	{ 257, "1tx" },	     /* CAA */
};

static uint16_t read_u16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static uint32_t read_u32(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

/* Octets of the string, with its length; 0: it does not end within len. */
static size_t string_len(const uint8_t *data, size_t len)
{
	return len > 0 && len > data[0] ? data[0] + 1U : 0;
}

static size_t strings_len(const uint8_t *data, size_t len)
{
	size_t at = 0;

	while (at < len) {
		size_t this_len = string_len(data + at, len - at);

		if (this_len == 0)
			return 0;
		at += this_len;
	}
	return at;
}

static size_t tag_len(const uint8_t *data, size_t len)
{
	size_t this_len = string_len(data, len);

	for (size_t i = 1; i < this_len; i++) {
		uint8_t c = dns_name_fold(data[i]);

		if ((c < 'a' || c > 'z') && (c < '0' || c > '9'))
			return 0;
	}
	return this_len > 1 ? this_len : 0;
}

/* Windows ascend, and each has 1 to 32 octets of which the last is not 0. */
static bool is_bitmap(const uint8_t *data, size_t len)
{
	unsigned int n_types = 0;
	int last = -1;

	for (size_t at = 0; at < len;) {
		size_t this_len;

		if (len - at < 3)
			return false;
		this_len = data[at + 1];
		if (data[at] <= last || this_len < 1 || this_len > 32 || len - at - 2 < this_len ||
		    data[at + 1 + this_len] == 0)
			return false;
		last = data[at];
		for (size_t i = 0; i < this_len; i++)
			n_types += (unsigned int)__builtin_popcount(data[at + 2 + i]);
		at += 2 + this_len;
	}
	return n_types <= BITMAP_TYPES_MAX;
}

static bool is_location(const uint8_t *data, size_t len)
{
	static const uint32_t max[] = { LOC_LATITUDE_MAX, LOC_LONGITUDE_MAX };

	if (len != 16 || data[0] != 0)
		return false;
	for (size_t i = 1; i < 4; i++) /* size and precisions, each a digit and its exponent */
		if (data[i] >> 4 > 9 || (data[i] & 0x0f) > 9 || (data[i] > 0 && data[i] < 0x10))
			return false;
	for (size_t i = 0; i < ARRAY_LEN(max); i++) {
		uint32_t angle = read_u32(data + 4 + 4 * i);

		if (angle < (UINT32_C(1) << 31) - max[i] || angle > (UINT32_C(1) << 31) + max[i])
			return false;
	}
	return true;
}

/* Without anything that a zone file gives a meaning, or that would have to be escaped, in lists even twice. */
static bool is_plain(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i] <= ' ' || bytes[i] > '~' || strchr("\"(),;\\", bytes[i]))
			return false;
	return true;
}

static bool is_plain_list(const uint8_t *bytes, size_t len)
{
	for (size_t at = 0; at < len; at += 1U + bytes[at])
		if (!is_plain(bytes + at + 1, bytes[at]))
			return false;
	return true;
}

/*
 * Well-formed, and with values that are plain text where they are shown as such. The parameters of an alias may be anything, and
 * then there is no text for them.
 */
static bool is_service(const uint8_t *data, size_t len)
{
	struct svcb_param param;
	struct svcb_cursor cursor;
	size_t at;

	if (svcb_check(data, len) < 0)
		return false;
	at = 2 + dns_name_len(data + 2, len - 2);
	if (read_u16(data) == 0)
		return at == len;
	cursor = (struct svcb_cursor){ data + at, len - at };
	while (svcb_next_param(&cursor, &param) > 0) {
		if (param.key == SVCB_KEY_ALPN && !is_plain_list(param.value, param.len))
			return false;
		if (param.key > SVCB_KEY_IPV6HINT && !is_plain(param.value, param.len))
			return false;
	}
	return true;
}

/* Octets that this part of a form takes of the data; 0: it does not have that form. */
static size_t part_len(char part, const uint8_t *data, size_t len)
{
	switch (part) {
	case 'n':
		return dns_name_len(data, len);
	case 's':
		return string_len(data, len);
	case 'S':
		return strings_len(data, len);
	case 't':
		return tag_len(data, len);
	case 'l':
		return string_len(data, len) == 1 + HASH_OCTETS ? 1 + HASH_OCTETS : 0;
	case 'x':
		return len;
	case 'b':
		return is_bitmap(data, len) ? len : 0;
	case 'L':
		return is_location(data, len) ? len : 0;
	case 'V':
		return is_service(data, len) ? len : 0;
	default:
		return len >= (size_t)(part - '0') ? (size_t)(part - '0') : 0;
	}
}

static bool has_form(const char *form, const uint8_t *data, size_t len)
{
	size_t at = 0;

	for (; *form; form++) {
		size_t this_len = part_len(*form, data + at, len - at);

		if (this_len == 0 && (*form != 'b' || at < len))
			return false;
		at += this_len;
	}
	return at == len;
}

bool dns_form_is_good(uint16_t type, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		if (forms[i].type == type)
			return has_form(forms[i].form, data, len);
	return false;
}
