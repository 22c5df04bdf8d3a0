/* SPDX-License-Identifier: MIT */
/*
 * DNS messages as bytes. The scanner alone decides what is well-formed. ldns is lenient (it takes an A record of no
 * bytes) and slow with hostile compression (80 ms for one message of 64 KiB), so what it is given are single records
 * of the types whose data the scanner has checked and that count here: A, AAAA and CNAME of the answer section. Records
 * of other types never reach it, and so neither do the names in them that the scanner does not know about.
 *
 * The work of one scan is bounded thrice: each pointer leads strictly backwards, to something that ends before that
 * part of the name begins in which the pointer stands, so no name loops; a name has at most MAX_HOPS pointers and 255
 * octets; and all names of one message together have at most MAX_STEPS labels and pointers. Only that last bound keeps
 * a message of thousands of names, each through the same long ladder of pointers, from costing milliseconds. The
 * thousands of records that an honest large set may have all point at one name, which is why the last target and its
 * length are remembered.
 */
#include "daemon/resolve/dns-packet.h"

#include <ldns/ldns.h>
#include <string.h>

#include "protocol/text.h"

#define HEADER_BYTES	12
#define MAX_MESSAGE	65535
#define MAX_NAME_OCTETS 255 /* RFC 1035 section 2.3.4 */
#define MAX_HOPS	126
#define MAX_STEPS	8192
#define MIN_QUESTION	5  /* root, type, class */
#define MIN_RECORD	11 /* root, type, class, TTL, length */
#define RECORD_FIXED	10 /* what stands between the owner and the data */
#define FLAG_QR		0x80
#define FLAG_TC		0x02
#define OPCODE_MASK	0x78
#define RCODE_MASK	0x0f
#define MAX_TTL		INT32_MAX /* RFC 2181 section 8 */
#define SECTION_ANSWER	0
#define SECTION_EXTRA	2
#define N_SECTIONS	3
#define COUNT_AT(i)	(4 + 2 * (size_t)(i)) /* question, answer, authority, additional */

/*
 * Records of one answer that ldns is given: four times the addresses that are kept. Names behind long ladders of pointers
 * cost it a microsecond each, and 64 KiB have room for four thousand.
 */
#define RECORDS_MAX (4 * LIMIT_DNS_ADDRESSES)

struct scan {
	const uint8_t *packet;
	size_t len;
	size_t pos;
	unsigned int steps;  /* labels and pointers seen so far */
	size_t known_target; /* the last place a name pointed at, 0: none yet */
	size_t known_octets; /* and how long the name there is */
};

struct record {
	size_t start;
	uint16_t type;
	uint16_t class;
	uint32_t ttl;
	size_t data;
	size_t end;
};

/* What the data of a type consists of: octets, then names, then octets. */
struct data_form {
	size_t octets_before;
	unsigned int n_names;
	size_t octets_after;
};

/* A name uncompressed, lower case, with its root. */
struct wire_name {
	uint8_t bytes[MAX_NAME_OCTETS];
	size_t len;
};

static uint16_t read_u16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static uint32_t read_u32(const uint8_t *bytes)
{
	return (uint32_t)read_u16(bytes) << 16 | read_u16(bytes + 2);
}

static uint8_t fold(uint8_t byte)
{
	return (uint8_t)text_lower((char)byte);
}

/*
 * A name from scan->pos, whose own bytes lie before end; pos moves behind it. The own bytes end with the root or with
 * the first pointer (RFC 1035 section 4.1.4).
 */
static int scan_name(struct scan *scan, size_t end)
{
	size_t at = scan->pos, segment = scan->pos, octets = 0, first_target = 0, octets_before = 0;
	unsigned int hops = 0;
	uint8_t byte;

	do {
		if (at >= end || ++scan->steps > MAX_STEPS)
			return -EBADMSG;
		byte = scan->packet[at];
		if (byte >= 0xc0) {
			size_t target;

			if (end - at < 2)
				return -EBADMSG;
			target = read_u16(scan->packet + at) & 0x3fff;
			if (target >= segment || target < HEADER_BYTES || ++hops > MAX_HOPS)
				return -EBADMSG;
			if (hops == 1) {
				scan->pos = at + 2;
				if (target == scan->known_target) {
					octets += scan->known_octets;
					return octets <= MAX_NAME_OCTETS ? 0 : -EBADMSG;
				}
				first_target = target;
				octets_before = octets;
			}
			end = segment; /* what it points at was whole before this part began */
			segment = at = target;
			continue;
		}
		octets += byte + 1U;
		if (byte > LIMIT_LABEL_BYTES || octets > MAX_NAME_OCTETS)
			return -EBADMSG;
		at += byte + 1U;
	} while (byte != 0);

	if (hops > 0) {
		scan->known_target = first_target;
		scan->known_octets = octets - octets_before;
	} else {
		scan->pos = at;
	}
	return 0;
}

/* The next record up to its data, where pos then stands; the data lies inside the message. */
static int scan_record(struct scan *scan, struct record *ret)
{
	size_t start = scan->pos;
	const uint8_t *fixed;
	size_t data_len;
	int err;

	err = scan_name(scan, scan->len);
	if (err < 0)
		return err;
	if (scan->len - scan->pos < RECORD_FIXED)
		return -EBADMSG;
	fixed = scan->packet + scan->pos;
	data_len = read_u16(fixed + 8);
	scan->pos += RECORD_FIXED;
	if (scan->len - scan->pos < data_len)
		return -EBADMSG;
	*ret = (struct record){
		.start = start,
		.type = read_u16(fixed),
		.class = read_u16(fixed + 2),
		.ttl = read_u32(fixed + 4),
		.data = scan->pos,
		.end = scan->pos + data_len,
	};
	return 0;
}

static bool data_form_of(uint16_t type, struct data_form *ret)
{
	switch (type) {
	case LDNS_RR_TYPE_A:
		*ret = (struct data_form){ 4, 0, 0 };
		return true;
	case LDNS_RR_TYPE_AAAA:
		*ret = (struct data_form){ 16, 0, 0 };
		return true;
	case LDNS_RR_TYPE_CNAME:
	case LDNS_RR_TYPE_DNAME:
	case LDNS_RR_TYPE_NS:
	case LDNS_RR_TYPE_PTR:
		*ret = (struct data_form){ 0, 1, 0 };
		return true;
	case LDNS_RR_TYPE_MX:
		*ret = (struct data_form){ 2, 1, 0 };
		return true;
	case LDNS_RR_TYPE_SRV:
		*ret = (struct data_form){ 6, 1, 0 };
		return true;
	case LDNS_RR_TYPE_SOA:
		*ret = (struct data_form){ 0, 2, 20 };
		return true;
	default:
		return false;
	}
}

/* Options fill the data exactly (RFC 6891 section 6.1.2). */
static int scan_options(struct scan *scan, size_t end)
{
	while (scan->pos < end) {
		size_t option_len;

		if (end - scan->pos < 4)
			return -EBADMSG;
		option_len = read_u16(scan->packet + scan->pos + 2);
		scan->pos += 4;
		if (end - scan->pos < option_len)
			return -EBADMSG;
		scan->pos += option_len;
	}
	return 0;
}

/* The data of a record by the rules of its type; pos moves behind it. */
static int scan_data(struct scan *scan, const struct record *record)
{
	size_t len = record->end - record->data;
	struct data_form form;

	if (record->type == LDNS_RR_TYPE_OPT)
		return scan_options(scan, record->end);
	if (!data_form_of(record->type, &form)) {
		scan->pos = record->end;
		return 0;
	}
	if (len < form.octets_before)
		return -EBADMSG;
	scan->pos += form.octets_before;
	for (unsigned int i = 0; i < form.n_names; i++) {
		int err = scan_name(scan, record->end);

		if (err < 0)
			return err;
	}
	if (record->end - scan->pos != form.octets_after)
		return -EBADMSG;
	scan->pos = record->end;
	return 0;
}

/* The header and the question; pos then stands at the first record. */
static int scan_begin(struct scan *scan, const uint8_t *packet, size_t len)
{
	size_t n_questions, n_records = 0;

	if (len < HEADER_BYTES || len > MAX_MESSAGE)
		return -EBADMSG;
	*scan = (struct scan){ .packet = packet, .len = len, .pos = HEADER_BYTES };
	n_questions = read_u16(packet + COUNT_AT(0));
	for (size_t i = 0; i < N_SECTIONS; i++)
		n_records += read_u16(packet + COUNT_AT(1 + i));
	if (n_questions > 1 ||
	    n_questions * MIN_QUESTION + n_records * MIN_RECORD > len - HEADER_BYTES)
		return -EBADMSG;
	if (n_questions == 1) {
		int err = scan_name(scan, len);

		if (err < 0)
			return err;
		if (len - scan->pos < 4)
			return -EBADMSG;
		scan->pos += 4;
	}
	return 0;
}

int dns_packet_scan(const uint8_t *packet, size_t len)
{
	bool has_options = false;
	struct scan scan;
	int err;

	err = scan_begin(&scan, packet, len);
	if (err < 0)
		return err;
	for (size_t section = 0; section < N_SECTIONS; section++) {
		size_t count = read_u16(packet + COUNT_AT(1 + section));

		for (size_t i = 0; i < count; i++) {
			struct record record;

			err = scan_record(&scan, &record);
			if (err < 0)
				return err;
			if (record.type == LDNS_RR_TYPE_OPT) {
				bool root = packet[record.start] == 0;

				if (has_options || section != SECTION_EXTRA || !root)
					return -EBADMSG;
				has_options = true;
			}
			err = scan_data(&scan, &record);
			if (err < 0)
				return err;
		}
	}
	return scan.pos == len ? 0 : -EBADMSG;
}

/*
 * The text of a name as bytes: labels of printable ASCII. There are no escapes, so a backslash, which other programs
 * would read as one, is refused with what cannot be seen.
 */
static int wire_from_text(const char *text, struct wire_name *ret)
{
	size_t len = strlen(text), label = 0;

	if (len == 0 || len > LIMIT_NAME_BYTES)
		return -EINVAL;
	for (size_t i = 0; i <= len; i++) {
		char c = text[i];

		if (c == '.' || c == '\0') {
			size_t label_len = i - label;

			if (label_len == 0 || label_len > LIMIT_LABEL_BYTES)
				return -EINVAL;
			ret->bytes[label] = (uint8_t)label_len;
			label = i + 1;
			continue;
		}
		if (c <= ' ' || c > '~' || c == '\\')
			return -EINVAL;
		ret->bytes[i + 1] = fold((uint8_t)c);
	}
	ret->bytes[len + 1] = 0;
	ret->len = len + 2;
	return 0;
}

/* And back, for a name that a server chose: the text will be compared, logged and shown, so it has to look like a host. */
static int wire_to_text(const struct wire_name *wire, char *ret)
{
	size_t at = 0;

	if (wire->len < 2)
		return -EBADMSG;
	while (wire->bytes[at] != 0) {
		size_t label_end = at + 1 + wire->bytes[at];

		if (at > 0)
			ret[at - 1] = '.';
		for (at++; at < label_end; at++) {
			char c = (char)wire->bytes[at];

			if (c <= ' ' || c > '~' || c == '.' || c == '/' || c == '\\')
				return -EBADMSG;
			ret[at - 1] = c;
		}
	}
	ret[at - 1] = '\0';
	return 0;
}

/* Length octets are below 64 and so not touched by folding. */
static bool wire_equal(const struct wire_name *name, const uint8_t *bytes, size_t len)
{
	if (len != name->len)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (fold(bytes[i]) != name->bytes[i])
			return false;
	}
	return true;
}

static void packet_freep(ldns_pkt **packet)
{
	ldns_pkt_free(*packet);
}

static void rdf_freep(ldns_rdf **rdf)
{
	ldns_rdf_deep_free(*rdf);
}

static void records_freep(ldns_rr_list **records)
{
	ldns_rr_list_deep_free(*records);
}

int dns_packet_build_query(const char *name, uint16_t type, uint16_t id, bool edns, uint8_t *buffer,
			   size_t size, size_t *ret_len)
{
	CLEANUP(packet_freep) ldns_pkt *packet = NULL;
	CLEANUP(rdf_freep) ldns_rdf *owner = NULL;
	CLEANUP(freep) uint8_t *bytes = NULL;
	struct wire_name wire;
	size_t len;
	int err;

	err = wire_from_text(name, &wire);
	if (err < 0)
		return err;
	owner = ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, wire.len, wire.bytes);
	if (!owner)
		return -ENOMEM;
	packet = ldns_pkt_query_new(owner, (ldns_rr_type)type, LDNS_RR_CLASS_IN, LDNS_RD);
	if (!packet)
		return -ENOMEM;
	(void)TAKE_PTR(owner); /* the packet has it now */
	ldns_pkt_set_id(packet, id);
	if (edns)
		ldns_pkt_set_edns_udp_size(packet, LIMIT_DNS_UDP_BYTES);
	if (ldns_pkt2wire(&bytes, packet, &len) != LDNS_STATUS_OK)
		return -ENOMEM;
	if (len > size)
		return -EINVAL;
	memcpy(buffer, bytes, len);
	*ret_len = len;
	return 0;
}

bool dns_packet_matches(const uint8_t *packet, size_t len, const char *name, uint16_t type,
			uint16_t id)
{
	struct wire_name wire;
	const uint8_t *question = packet + HEADER_BYTES;

	if (wire_from_text(name, &wire) < 0)
		return false;
	if (len < HEADER_BYTES + wire.len + 4 || read_u16(packet) != id)
		return false;
	if ((packet[2] & (FLAG_QR | OPCODE_MASK)) != FLAG_QR || read_u16(packet + COUNT_AT(0)) != 1)
		return false;
	/* The first name of a message has nothing to point back at, so its bytes are all there. */
	return wire_equal(&wire, question, wire.len) && read_u16(question + wire.len) == type &&
	       read_u16(question + wire.len + 2) == LDNS_RR_CLASS_IN;
}

enum dns_remnant dns_packet_get_remnant(const uint8_t *packet, size_t len, const char *name,
					uint16_t type, uint16_t id)
{
	int rcode;

	if (dns_packet_matches(packet, len, name, type, id))
		return packet[2] & FLAG_TC ? DNS_REMNANT_TRUNCATED : DNS_REMNANT_NONE;
	if (len != HEADER_BYTES || read_u16(packet) != id ||
	    (packet[2] & (FLAG_QR | OPCODE_MASK)) != FLAG_QR || read_u16(packet + COUNT_AT(0)) != 0)
		return DNS_REMNANT_NONE;
	rcode = packet[3] & RCODE_MASK;
	return rcode == DNS_RCODE_FORMERR || rcode == DNS_RCODE_NOTIMP ? DNS_REMNANT_REFUSED
								       : DNS_REMNANT_NONE;
}

static int add_record(const uint8_t *packet, size_t len, const struct record *record,
		      ldns_rr_list *records)
{
	size_t pos = record->start;
	ldns_rr *rr = NULL;
	ldns_status status;

	status = ldns_wire2rr(&rr, packet, len, &pos, LDNS_SECTION_ANSWER);
	if (status == LDNS_STATUS_MEM_ERR)
		return -ENOMEM;
	if (status != LDNS_STATUS_OK)
		return -EBADMSG;
	if (!ldns_rr_list_push_rr(records, rr)) {
		ldns_rr_free(rr);
		return -ENOMEM;
	}
	return 0;
}

/* The records that may count, and the upper bits of the rcode, which stand in OPT (RFC 6891 section 6.1.3). */
static int collect_records(const uint8_t *packet, size_t len, uint16_t type, ldns_rr_list *records,
			   int *ret_rcode)
{
	int rcode = packet[3] & RCODE_MASK;
	struct scan scan;
	int err;

	err = scan_begin(&scan, packet, len);
	if (err < 0)
		return err;
	for (size_t section = 0; section < N_SECTIONS; section++) {
		size_t count = read_u16(packet + COUNT_AT(1 + section));

		for (size_t i = 0; i < count; i++) {
			struct record record;

			err = scan_record(&scan, &record);
			if (err < 0)
				return err;
			scan.pos = record.end;
			if (record.type == LDNS_RR_TYPE_OPT)
				rcode |= (int)(record.ttl >> 24) << 4;
			if (section != SECTION_ANSWER || record.class != LDNS_RR_CLASS_IN)
				continue;
			if (record.type != LDNS_RR_TYPE_CNAME &&
			    (record.type != type || (type != DNS_TYPE_A && type != DNS_TYPE_AAAA)))
				continue;
			if (ldns_rr_list_rr_count(records) == RECORDS_MAX)
				continue;
			err = add_record(packet, len, &record, records);
			if (err < 0)
				return err;
		}
	}
	*ret_rcode = rcode;
	return 0;
}

/* Whether the record is of this type, at this name, and has the one field that each of our types has. */
static bool record_is(const ldns_rr *rr, ldns_rr_type type, const struct wire_name *owner)
{
	const ldns_rdf *name = ldns_rr_owner(rr);

	return ldns_rr_get_type(rr) == type && ldns_rr_rd_count(rr) == 1 &&
	       wire_equal(owner, ldns_rdf_data(name), ldns_rdf_size(name));
}

static void lower_ttl(const ldns_rr *rr, uint32_t *ttl_s)
{
	uint32_t this_s = ldns_rr_ttl(rr) > MAX_TTL ? 0 : ldns_rr_ttl(rr);

	if (this_s < *ttl_s)
		*ttl_s = this_s;
}

static const ldns_rr *find_alias(const ldns_rr_list *records, const struct wire_name *owner)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(records); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(records, i);

		if (record_is(rr, LDNS_RR_TYPE_CNAME, owner))
			return rr;
	}
	return NULL;
}

/*
 * Moves name to the end of its CNAME chain, in whatever order the records stand. A DNAME counts through the CNAME that
 * the server makes of it (RFC 6672 section 3.1). A loop is a chain without end and so ends at the same limit.
 */
static int follow_chain(const ldns_rr_list *records, struct wire_name *name, size_t *ret_links,
			uint32_t *ttl_s)
{
	size_t n_links = 0;

	for (;;) {
		const ldns_rr *alias = find_alias(records, name);
		const ldns_rdf *target;

		if (!alias)
			break;
		if (n_links == LIMIT_CNAME_CHAIN)
			return -EBADMSG;
		n_links++;
		lower_ttl(alias, ttl_s);
		target = ldns_rr_rdf(alias, 0);
		if (ldns_rdf_size(target) > sizeof(name->bytes))
			return -EBADMSG;
		name->len = ldns_rdf_size(target);
		for (size_t i = 0; i < name->len; i++)
			name->bytes[i] = fold(ldns_rdf_data(target)[i]);
	}
	*ret_links = n_links;
	return 0;
}

static void take_addresses(const ldns_rr_list *records, const struct wire_name *owner,
			   uint16_t type, struct dns_answer *answer)
{
	size_t len = type == DNS_TYPE_A ? 4 : 16;

	for (size_t i = 0; i < ldns_rr_list_rr_count(records); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(records, i);
		struct address *address = &answer->addresses[answer->n_addresses];

		if (answer->n_addresses == ARRAY_LEN(answer->addresses))
			break;
		if (!record_is(rr, (ldns_rr_type)type, owner) ||
		    ldns_rdf_size(ldns_rr_rdf(rr, 0)) != len)
			continue;
		address->family = type == DNS_TYPE_A ? AF_INET : AF_INET6;
		memcpy(address->bytes, ldns_rdf_data(ldns_rr_rdf(rr, 0)), len);
		lower_ttl(rr, &answer->ttl_s);
		answer->n_addresses++;
	}
}

int dns_packet_read(const uint8_t *packet, size_t len, const char *name, uint16_t type,
		    struct dns_answer *ret)
{
	CLEANUP(records_freep) ldns_rr_list *records = NULL;
	struct dns_answer answer = { .ttl_s = UINT32_MAX };
	struct wire_name owner;
	size_t n_links;
	int err;

	if (wire_from_text(name, &owner) < 0)
		return -EBADMSG;
	records = ldns_rr_list_new();
	if (!records)
		return -ENOMEM;
	err = collect_records(packet, len, type, records, &answer.rcode);
	if (err < 0)
		return err;
	answer.truncated = packet[2] & FLAG_TC;
	err = follow_chain(records, &owner, &n_links, &answer.ttl_s);
	if (err < 0)
		return err;
	/* The name asked for was our own choice; only one that the server chose must pass. */
	if (n_links > 0) {
		err = wire_to_text(&owner, answer.canonical);
		if (err < 0)
			return err;
	} else {
		for (size_t i = 0; name[i] != '\0'; i++)
			answer.canonical[i] = text_lower(name[i]);
	}
	if (type == DNS_TYPE_A || type == DNS_TYPE_AAAA)
		take_addresses(records, &owner, type, &answer);
	if (answer.ttl_s == UINT32_MAX)
		answer.ttl_s = 0; /* no record had a say */
	*ret = answer;
	return 0;
}

const char *dns_packet_rcode_name(int rcode)
{
	static const char *const names[] = {
		"NOERROR",  "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP",  "REFUSED",
		"YXDOMAIN", "YXRRSET", "NXRRSET",  "NOTAUTH",  "NOTZONE",
	};

	if (rcode == DNS_RCODE_BADVERS)
		return "BADVERS";
	if (rcode < 0 || (size_t)rcode >= ARRAY_LEN(names))
		return "UNKNOWN";
	return names[rcode];
}
