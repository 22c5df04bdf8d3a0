/* SPDX-License-Identifier: MIT */
#include "daemon/resolve/dns-text.h"

#include <errno.h>
#include <ldns/ldns.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/resolve/dns-form.h"
#include "daemon/resolve/svcb.h"
#include "protocol/text.h"

#define RECORD_FIXED	11 /* root as owner, type, class, TTL, length */
#define BUFFER_BYTES	(5 * DNS_TEXT_MAX_BYTES)
#define TAB_ESCAPED	"\\009"
#define META_TYPE_FIRST 128
#define META_TYPE_LAST	255

static const ldns_rr_descriptor *find_descriptor(uint16_t type)
{
	const ldns_rr_descriptor *descriptor = ldns_rr_descript(type);

	/* For types that it does not know ldns answers a descriptor of another one. */
	return descriptor && descriptor->_type == (ldns_rr_type)type && descriptor->_name
		       ? descriptor
		       : NULL;
}

static bool can_be_asked_for(uint16_t type)
{
	return type != 0 && type != LDNS_RR_TYPE_OPT &&
	       (type < META_TYPE_FIRST || type > META_TYPE_LAST);
}

/* The number behind a prefix such as "TYPE"; false: it is something else. */
static bool parse_numbered(const char *text, const char *prefix, uint16_t *ret)
{
	uint64_t number;

	for (; *prefix; prefix++, text++)
		if (text_lower(*text) != text_lower(*prefix))
			return false;
	if (text_parse_uint(text, UINT16_MAX, &number) < 0)
		return false;
	*ret = (uint16_t)number;
	return true;
}

int dns_text_type_from_name(const char *text, uint16_t *ret)
{
	uint16_t type = 0;

	if (strlen(text) >= DNS_TEXT_NAME_SIZE)
		return -EINVAL;
	if (!parse_numbered(text, "TYPE", &type)) {
		unsigned int number = ldns_get_rr_type_by_name(text);
		const ldns_rr_descriptor *descriptor;

		/* It also takes "TYPE1x" for a number, and that of 65537 is too large for us. */
		if (number > UINT16_MAX)
			return -EINVAL;
		type = (uint16_t)number;
		descriptor = find_descriptor(type);
		if (!descriptor || !text_equal_fold(descriptor->_name, text))
			return -EINVAL;
	}
	if (!can_be_asked_for(type))
		return -EINVAL;
	*ret = type;
	return 0;
}

static const char *name_or_number(const char *name, const char *prefix, uint16_t number,
				  char buffer[DNS_TEXT_NAME_SIZE])
{
	if (name)
		(void)snprintf(buffer, DNS_TEXT_NAME_SIZE, "%s", name);
	else
		(void)snprintf(buffer, DNS_TEXT_NAME_SIZE, "%s%u", prefix, number);
	return buffer;
}

const char *dns_text_type_name(uint16_t type, char buffer[DNS_TEXT_NAME_SIZE])
{
	const ldns_rr_descriptor *descriptor = find_descriptor(type);

	return name_or_number(descriptor ? descriptor->_name : NULL, "TYPE", type, buffer);
}

/* The registry of RFC 6895 section 2.3. */
const char *dns_text_rcode_name(uint16_t rcode, char buffer[DNS_TEXT_NAME_SIZE])
{
	static const char *const names[] = {
		"NOERROR",  "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP",   "REFUSED",
		"YXDOMAIN", "YXRRSET", "NXRRSET",  "NOTAUTH",  "NOTZONE",  "DSOTYPENI",
		NULL,	    NULL,      NULL,	   NULL,       "BADVERS",  "BADKEY",
		"BADTIME",  "BADMODE", "BADNAME",  "BADALG",   "BADTRUNC", "BADCOOKIE",
	};

	return name_or_number(rcode < ARRAY_LEN(names) ? names[rcode] : NULL, "RCODE", rcode,
			      buffer);
}

const char *dns_text_ede_name(uint16_t ede)
{
	static const char *const names[] = {
		"Other Error",
		"Unsupported DNSKEY Algorithm",
		"Unsupported DS Digest Type",
		"Stale Answer",
		"Forged Answer",
		"DNSSEC Indeterminate",
		"DNSSEC Bogus",
		"Signature Expired",
		"Signature Not Yet Valid",
		"DNSKEY Missing",
		"RRSIGs Missing",
		"No Zone Key Bit Set",
		"NSEC Missing",
		"Cached Error",
		"Not Ready",
		"Blocked",
		"Censored",
		"Filtered",
		"Prohibited",
		"Stale NXDOMAIN Answer",
		"Not Authoritative",
		"Not Supported",
		"No Reachable Authority",
		"Network Error",
		"Invalid Data",
		"Signature Expired before Valid",
		"Too Early",
		"Unsupported NSEC3 Iterations Value",
		"Unable to conform to policy",
		"Synthesized",
		"Invalid Query Type",
	};

	return ede < ARRAY_LEN(names) ? names[ede] : NULL;
}

static void record_freep(ldns_rr **record)
{
	ldns_rr_free(*record);
}

static void field_freep(ldns_rdf **field)
{
	ldns_rdf_deep_free(*field);
}

static void buffer_freep(ldns_buffer **buffer)
{
	ldns_buffer_free(*buffer);
}

/* A message's record of root, class IN, for ldns to read. */
static uint8_t *new_wire(uint16_t type, const uint8_t *data, size_t len)
{
	uint8_t *wire = calloc(1, RECORD_FIXED + len);

	if (!wire)
		return NULL;
	wire[1] = (uint8_t)(type >> 8);
	wire[2] = (uint8_t)type;
	wire[4] = LDNS_RR_CLASS_IN;
	wire[9] = (uint8_t)(len >> 8);
	wire[10] = (uint8_t)len;
	memcpy(wire + RECORD_FIXED, data, len);
	return wire;
}

static int read_record(uint16_t type, const uint8_t *data, size_t len, ldns_rr **ret)
{
	const ldns_rr_descriptor *descriptor = find_descriptor(type);
	CLEANUP(freep) uint8_t *wire = new_wire(type, data, len);
	CLEANUP(record_freep) ldns_rr *record = NULL;
	ldns_status status;
	size_t pos = 0;

	if (!wire)
		return -ENOMEM;
	if (!descriptor)
		return -EBADMSG;
	status = ldns_wire2rr(&record, wire, RECORD_FIXED + len, &pos, LDNS_SECTION_ANSWER);
	if (status != LDNS_STATUS_OK) {
		record = NULL;
		return status == LDNS_STATUS_MEM_ERR ? -ENOMEM : -EBADMSG;
	}
	if (pos != RECORD_FIXED + len ||
	    ldns_rr_rd_count(record) < ldns_rr_descriptor_minimum(descriptor) ||
	    ldns_rr_rd_count(record) > ldns_rr_descriptor_maximum(descriptor))
		return -EBADMSG;
	*ret = TAKE_PTR(record);
	return 0;
}

static int write_field(ldns_buffer *buffer, const ldns_rdf *field)
{
	ldns_status status = ldns_rdf2buffer_str(buffer, field);

	if (status == LDNS_STATUS_OK)
		status = ldns_buffer_status(buffer);
	if (status == LDNS_STATUS_OK)
		return 0;
	return status == LDNS_STATUS_MEM_ERR ? -ENOMEM : -EBADMSG;
}

/* The octets as one or more fields of this type, each of size octets, with commas between. */
static int write_list(ldns_buffer *buffer, ldns_rdf_type type, const struct svcb_param *param,
		      size_t size)
{
	for (size_t at = 0; at < param->len; at += size) {
		CLEANUP(field_freep) ldns_rdf *field = NULL;
		int err;

		field = ldns_rdf_new_frm_data(type, size, param->value + at);
		if (!field)
			return -ENOMEM;
		if (at > 0)
			(void)ldns_buffer_printf(buffer, ",");
		err = write_field(buffer, field);
		if (err < 0)
			return err;
	}
	return 0;
}

static void write_key(ldns_buffer *buffer, uint16_t key)
{
	static const char *const names[] = { "mandatory", "alpn", "no-default-alpn", "port",
					     "ipv4hint",  "ech",  "ipv6hint",	     "dohpath" };

	if (key < ARRAY_LEN(names))
		(void)ldns_buffer_printf(buffer, "%s", names[key]);
	else
		(void)ldns_buffer_printf(buffer, "key%u", key);
}

static void write_keys(ldns_buffer *buffer, const struct svcb_param *param)
{
	for (size_t at = 0; at < param->len; at += 2) {
		if (at > 0)
			(void)ldns_buffer_printf(buffer, ",");
		write_key(buffer, (uint16_t)(param->value[at] << 8 | param->value[at + 1]));
	}
}

static void write_alpn(ldns_buffer *buffer, const struct svcb_param *param)
{
	for (size_t at = 0; at < param->len; at += 1U + param->value[at])
		(void)ldns_buffer_printf(buffer, "%s%.*s", at > 0 ? "," : "", param->value[at],
					 (const char *)param->value + at + 1);
}

static int write_param(ldns_buffer *buffer, const struct svcb_param *param)
{
	write_key(buffer, param->key);
	if (param->len == 0)
		return 0;
	(void)ldns_buffer_printf(buffer, "=");
	switch (param->key) {
	case SVCB_KEY_MANDATORY:
		write_keys(buffer, param);
		return 0;
	case SVCB_KEY_ALPN:
		write_alpn(buffer, param);
		return 0;
	case SVCB_KEY_PORT:
		return write_list(buffer, LDNS_RDF_TYPE_INT16, param, 2);
	case SVCB_KEY_IPV4HINT:
		return write_list(buffer, LDNS_RDF_TYPE_A, param, 4);
	case SVCB_KEY_ECH:
		return write_list(buffer, LDNS_RDF_TYPE_B64, param, param->len);
	case SVCB_KEY_IPV6HINT:
		return write_list(buffer, LDNS_RDF_TYPE_AAAA, param, 16);
	default:
		(void)ldns_buffer_printf(buffer, "%.*s", (int)param->len,
					 (const char *)param->value);
		return 0;
	}
}

/* ldns has this, too, but does not make room for ech, and then aborts: 257 octets were enough (1.8.3). */
static int write_params(ldns_buffer *buffer, const ldns_rdf *field)
{
	struct svcb_cursor cursor = { ldns_rdf_data(field), ldns_rdf_size(field) };
	struct svcb_param param;
	bool first = true;

	while (svcb_next_param(&cursor, &param) > 0) {
		int err;

		if (!first)
			(void)ldns_buffer_printf(buffer, " ");
		first = false;
		err = write_param(buffer, &param);
		if (err < 0)
			return err;
	}
	return ldns_buffer_status(buffer) == LDNS_STATUS_OK ? 0 : -ENOMEM;
}

static int write_fields(ldns_buffer *buffer, const ldns_rr *record)
{
	for (size_t i = 0; i < ldns_rr_rd_count(record); i++) {
		const ldns_rdf *field = ldns_rr_rdf(record, i);
		int err;

		if (i > 0)
			(void)ldns_buffer_printf(buffer, " ");
		err = ldns_rdf_get_type(field) == LDNS_RDF_TYPE_SVCPARAMS
			      ? write_params(buffer, field)
			      : write_field(buffer, field);
		if (err < 0)
			return err;
	}
	return 0;
}

/*
 * What ldns wrote, but for the tabs that it leaves in strings, which are escaped, and for the blanks that it doubles and
 * leaves at the end. -EBADMSG: something in it cannot be shown, or it is too long.
 */
static int take_text(const uint8_t *bytes, size_t len, char **ret)
{
	char text[DNS_TEXT_MAX_BYTES];
	bool quoted = false, escaped = false;
	size_t at = 0;

	for (size_t i = 0; i < len; i++) {
		uint8_t byte = bytes[i];

		if (at + sizeof(TAB_ESCAPED) > sizeof(text) ||
		    (byte != '\t' && (byte < ' ' || byte > '~')))
			return -EBADMSG;
		if (byte == '"' && !escaped)
			quoted = !quoted;
		escaped = byte == '\\' && !escaped;
		if (byte == ' ' && !quoted && (at == 0 || text[at - 1] == ' '))
			continue;
		if (byte == '\t') {
			memcpy(text + at, TAB_ESCAPED, strlen(TAB_ESCAPED));
			at += strlen(TAB_ESCAPED);
		} else {
			text[at++] = (char)byte;
		}
	}
	if (at > 0 && text[at - 1] == ' ')
		at--; /* a blank that counts stands within quotes */
	if (at == 0)
		return -EBADMSG;
	text[at] = '\0';
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

static int format_known(uint16_t type, const uint8_t *data, size_t len, char **ret)
{
	CLEANUP(buffer_freep) ldns_buffer *buffer = NULL;
	CLEANUP(record_freep) ldns_rr *record = NULL;
	int err;

	if (!dns_form_is_good(type, data, len))
		return -EBADMSG;
	err = read_record(type, data, len, &record);
	if (err < 0)
		return err;
	/* So large that nothing that passed has to make it grow, which some of its writers do not care for. */
	buffer = ldns_buffer_new(BUFFER_BYTES);
	if (!buffer)
		return -ENOMEM;
	err = write_fields(buffer, record);
	if (err < 0)
		return err;
	return take_text(ldns_buffer_begin(buffer), ldns_buffer_position(buffer), ret);
}

static int format_generic(const uint8_t *data, size_t len, char **ret)
{
	static const char digits[] = "0123456789abcdef";
	char head[24];
	size_t head_len =
		(size_t)snprintf(head, sizeof(head), "\\# %zu%s", len, len > 0 ? " " : "");
	char *text;

	if (head_len + 2 * len >= DNS_TEXT_MAX_BYTES)
		return -EMSGSIZE;
	text = calloc(1, head_len + 2 * len + 1);
	if (!text)
		return -ENOMEM;
	memcpy(text, head, head_len);
	for (size_t i = 0; i < len; i++) {
		text[head_len + 2 * i] = digits[data[i] >> 4];
		text[head_len + 2 * i + 1] = digits[data[i] & 15];
	}
	*ret = text;
	return 0;
}

int dns_text_format_record(uint16_t type, const uint8_t *data, size_t len, char **ret)
{
	int err;

	if (len >= DNS_TEXT_MAX_BYTES)
		return -EMSGSIZE; /* no form is shorter than its data */
	err = format_known(type, data, len, ret);
	return err == -EBADMSG ? format_generic(data, len, ret) : err;
}
