/* SPDX-License-Identifier: MIT */
/*
 * Two bytes for the type, and the rest as record data of that type. The text must be printable and bounded, and say exactly
 * what the data says: read as a line of a zone, it is that data again. The data is a service binding as well, and its
 * parts must lie within it.
 */
#include <ldns/ldns.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/resolve/dns-text.h"
#include "daemon/resolve/svcb.h"
#include "tests/fuzz/fuzz.h"

static void fail(const char *what, const char *text)
{
	(void)fprintf(stderr, "%s: %s\n", what, text);
	abort();
}

static size_t write_data(const ldns_rr *rr, uint8_t *ret, size_t size)
{
	size_t len = 0;

	for (size_t i = 0; i < ldns_rr_rd_count(rr); i++) {
		const ldns_rdf *rdf = ldns_rr_rdf(rr, i);

		if (len + ldns_rdf_size(rdf) > size)
			abort();
		memcpy(ret + len, ldns_rdf_data(rdf), ldns_rdf_size(rdf));
		len += ldns_rdf_size(rdf);
	}
	return len;
}

/*
 * What ldns writes rightly and does not read: times before 1970, which those of signatures may be taken for (RFC 4034 section
 * 3.1.5), certificates of type 0, names that begin with "@".
 */
static bool is_readable(uint16_t type, const uint8_t *data, const char *text)
{
	if (text[0] == '@' || strstr(text, " @"))
		return false;
	if (type == LDNS_RR_TYPE_SIG || type == LDNS_RR_TYPE_RRSIG)
		return ((data[8] | data[12]) & 0x80) == 0;
	return type != LDNS_RR_TYPE_CERT || data[0] != 0 || data[1] != 0;
}

static void read_again(uint16_t type, const char *text, const uint8_t *data, size_t size)
{
	static char line[DNS_TEXT_MAX_BYTES + 64];
	static uint8_t again[65536];
	char name[DNS_TEXT_NAME_SIZE];
	ldns_rr *rr = NULL;

	(void)snprintf(line, sizeof(line), ". 0 IN %s %s", dns_text_type_name(type, name), text);
	if (ldns_rr_new_frm_str(&rr, line, 0, NULL, NULL) != LDNS_STATUS_OK)
		fail("not read again", line);
	if (write_data(rr, again, sizeof(again)) != size || memcmp(again, data, size) != 0)
		fail("read as something else", line);
	ldns_rr_free(rr);
}

static void check_generic(const char *text, const uint8_t *data, size_t size)
{
	const char *at = strchr(text + 3, ' ');
	char octet[3];

	if ((at != NULL) != (size > 0) || (at && strlen(at + 1) != 2 * size))
		fail("generic form", text);
	for (size_t i = 0; i < size; i++) {
		(void)snprintf(octet, sizeof(octet), "%02x", data[i]);
		if (memcmp(at + 1 + 2 * i, octet, 2) != 0)
			fail("generic form", text);
	}
}

static void check_bytes(const struct svcb_bytes *bytes, const uint8_t *data, size_t size)
{
	if (bytes->bytes && (bytes->len == 0 || bytes->bytes < data || bytes->len > size ||
			     (size_t)(bytes->bytes - data) > size - bytes->len))
		abort();
}

static void check_service(const uint8_t *data, size_t size)
{
	struct svcb svcb;
	int err = svcb_parse(data, size, &svcb);

	if (err == 0 && svcb_check(data, size) < 0)
		abort();
	if (err < 0)
		return;
	if (svcb.n_alpn > SVCB_ALPN_MAX || svcb.n_ipv4_hints > SVCB_HINTS_MAX ||
	    svcb.n_ipv6_hints > SVCB_HINTS_MAX)
		abort();
	for (size_t i = 0; i < svcb.n_alpn; i++)
		check_bytes(&svcb.alpn[i], data, size);
	check_bytes(&svcb.ech, data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(freep) char *text = NULL;
	char name[DNS_TEXT_NAME_SIZE];
	uint16_t type, again;

	if (size < 2)
		return 0;
	type = (uint16_t)(data[0] << 8 | data[1]);
	data += 2;
	size -= 2;
	(void)dns_text_type_name(type, name);
	if (dns_text_type_from_name(name, &again) == 0 && again != type)
		fail("another type", name);
	check_service(data, size);
	if (dns_text_format_record(type, data, size, &text) < 0)
		return 0;
	if (strlen(text) >= DNS_TEXT_MAX_BYTES)
		abort();
	for (const char *p = text; *p; p++)
		if (*p < ' ' || *p > '~')
			fail("not printable", text);
	if (strncmp(text, "\\# ", 3) == 0)
		check_generic(text, data, size);
	else if (is_readable(type, data, text))
		read_again(type, text, data, size);
	return 0;
}
