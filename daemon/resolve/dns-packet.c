/* SPDX-License-Identifier: MIT */
/*
 * DNS messages as bytes. The scanner alone decides what is well-formed; behind it nothing is checked twice.
 *
 * The work of one scan is bounded thrice: each pointer leads strictly backwards, to something that ends before that
 * part of the name begins in which the pointer stands, so no name loops; a name has at most MAX_HOPS pointers and 255
 * octets; and all names of one message together have at most MAX_STEPS labels and pointers. Only that last bound keeps
 * a message of thousands of names, each through the same long ladder of pointers, from costing milliseconds. The
 * thousands of records that an honest large set may have all point at one name, which is why the last target and its
 * length are remembered.
 *
 * Reading is bounded by what it looks at: LINKS_MAX links for each step of the chain, and LIMIT_DNS_RECORDS records at its
 * end. For each it expands a name again that the scanner paid for once, which is why these are not simply all there are.
 */
#include "daemon/resolve/dns-packet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/resolve/dns-name.h"
#include "protocol/text.h"

#define HEADER_BYTES	  12
#define MAX_MESSAGE	  65535
#define MAX_HOPS	  126
#define MAX_STEPS	  8192
#define MIN_QUESTION	  5    /* root, type, class */
#define MIN_RECORD	  11   /* root, type, class, TTL, length */
#define RECORD_FIXED	  10   /* what stands between the owner and the data */
#define FLAG_QR		  0x80 /* in the third octet, as TC and RD */
#define FLAG_TC		  0x02
#define FLAG_RD		  0x01
#define FLAG_AD		  0x20 /* in the fourth */
#define CLASS_IN	  1
#define OPTION_COOKIE	  10
#define OPTION_PADDING	  12
#define OPTION_EDE	  15
#define OPT_FIXED	  11 /* an OPT without options */
#define OPCODE_MASK	  0x78
#define RCODE_MASK	  0x0f
#define MAX_TTL		  INT32_MAX /* RFC 2181 section 8 */
#define SECTION_ANSWER	  0
#define SECTION_AUTHORITY 1
#define SECTION_EXTRA	  2
#define N_SECTIONS	  3
#define COUNT_AT(i)	  (4 + 2 * (size_t)(i)) /* question, answer, authority, additional */

#define LINKS_MAX (LIMIT_CNAME_CHAIN + 1) /* one more shows that the chain is too long */

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
	uint16_t type;
	uint8_t octets_before, n_names, octets_after;
};

/* RFC 3597 section 4: these alone may have compressed names in their data, and so have to be known. */
static const struct data_form forms[] = {
	{ DNS_TYPE_A, 4, 0, 0 },
	{ DNS_TYPE_AAAA, 16, 0, 0 },
	{ DNS_TYPE_CNAME, 0, 1, 0 },
	{ DNS_TYPE_PTR, 0, 1, 0 },
	{ DNS_TYPE_NS, 0, 1, 0 },
	{ DNS_TYPE_SOA, 0, 2, 20 },
	{ DNS_TYPE_SRV, 6, 1, 0 },
	{ DNS_TYPE_MX, 2, 1, 0 },
	{ DNS_TYPE_DNAME, 0, 1, 0 },
	{ 3, 0, 1, 0 },	 /* MD */
	{ 4, 0, 1, 0 },	 /* MF */
	{ 7, 0, 1, 0 },	 /* MB */
	{ 8, 0, 1, 0 },	 /* MG */
	{ 9, 0, 1, 0 },	 /* MR */
	{ 14, 0, 2, 0 }, /* MINFO */
	{ 17, 0, 2, 0 }, /* RP */
	{ 18, 2, 1, 0 }, /* AFSDB */
	{ 21, 2, 1, 0 }, /* RT */
	{ 26, 2, 2, 0 }, /* PX */
	{ 36, 2, 1, 0 }, /* KX */
};

static uint16_t read_u16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static uint32_t read_u32(const uint8_t *bytes)
{
	return (uint32_t)read_u16(bytes) << 16 | read_u16(bytes + 2);
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
					return octets <= DNS_NAME_OCTETS ? 0 : -EBADMSG;
				}
				first_target = target;
				octets_before = octets;
			}
			end = segment; /* what it points at was whole before this part began */
			segment = at = target;
			continue;
		}
		octets += byte + 1U;
		if (byte > LIMIT_LABEL_BYTES || octets > DNS_NAME_OCTETS)
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

static const struct data_form *find_form(uint16_t type)
{
	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		if (forms[i].type == type)
			return &forms[i];
	return NULL;
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
	const struct data_form *form = find_form(record->type);
	size_t len = record->end - record->data;

	if (record->type == DNS_TYPE_OPT)
		return scan_options(scan, record->end);
	if (!form) {
		scan->pos = record->end;
		return 0;
	}
	if (len < form->octets_before)
		return -EBADMSG;
	scan->pos += form->octets_before;
	for (unsigned int i = 0; i < form->n_names; i++) {
		int err = scan_name(scan, record->end);

		if (err < 0)
			return err;
	}
	if (record->end - scan->pos != form->octets_after)
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
			if (record.type == DNS_TYPE_OPT) {
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

static void write_u16(uint8_t *bytes, size_t value)
{
	bytes[0] = (uint8_t)(value >> 8);
	bytes[1] = (uint8_t)value;
}

/* One option of OPT; data NULL: zeros. */
static size_t write_option(uint8_t *to, uint16_t code, const uint8_t *data, size_t len)
{
	write_u16(to, code);
	write_u16(to + 2, len);
	if (data)
		memcpy(to + 4, data, len);
	else
		memset(to + 4, 0, len);
	return 4 + len;
}

/* OPT (RFC 6891 section 6.1.2) behind the len octets that the message has; answers the new length. */
static size_t write_opt(uint8_t *buffer, size_t len, const struct dns_packet_options *options)
{
	size_t at = len + OPT_FIXED;

	memset(buffer + len, 0, OPT_FIXED);
	write_u16(buffer + len + 1, DNS_TYPE_OPT);
	write_u16(buffer + len + 3, LIMIT_DNS_UDP_BYTES);
	if (options->cookie_len > 0)
		at += write_option(buffer + at, OPTION_COOKIE, options->cookie,
				   options->cookie_len);
	if (options->is_padded)
		at += write_option(buffer + at, OPTION_PADDING, NULL,
				   DNS_PADDING_BLOCK - 1 - (at + 3) % DNS_PADDING_BLOCK);
	write_u16(buffer + len + OPT_FIXED - 2, at - len - OPT_FIXED);
	return at;
}

int dns_packet_build_query(const char *name, uint16_t type, uint16_t id,
			   const struct dns_packet_options *options, uint8_t *buffer, size_t size,
			   size_t *ret_len)
{
	struct dns_name owner;
	size_t len;
	int r = dns_name_from_text(name, &owner);

	if (r < 0 || size < DNS_QUERY_MAX_BYTES || options->cookie_len > DNS_COOKIE_MAX_BYTES)
		return -EINVAL;
	memset(buffer, 0, HEADER_BYTES);
	write_u16(buffer, id);
	buffer[2] = FLAG_RD;
	buffer[3] = options->wants_ad ? FLAG_AD : 0;
	write_u16(buffer + COUNT_AT(0), 1);
	memcpy(buffer + HEADER_BYTES, owner.bytes, owner.len);
	/* The letters as they are written: their case may be what the answer is told from forgeries by. */
	for (size_t i = 0; name[i] != '\0'; i++)
		if (name[i] != '.')
			buffer[HEADER_BYTES + 1 + i] = (uint8_t)name[i];
	len = HEADER_BYTES + owner.len;
	write_u16(buffer + len, type);
	write_u16(buffer + len + 2, CLASS_IN);
	len += 4;
	if (options->edns) {
		write_u16(buffer + COUNT_AT(1 + SECTION_EXTRA), 1);
		len = write_opt(buffer, len, options);
	}
	*ret_len = len;
	return 0;
}

bool dns_packet_matches(const uint8_t *packet, size_t len, const char *name, uint16_t type,
			uint16_t id)
{
	struct dns_name owner;
	const uint8_t *question = packet + HEADER_BYTES;

	if (dns_name_from_text(name, &owner) < 0)
		return false;
	if (len < HEADER_BYTES + owner.len + 4 || read_u16(packet) != id)
		return false;
	if ((packet[2] & (FLAG_QR | OPCODE_MASK)) != FLAG_QR || read_u16(packet + COUNT_AT(0)) != 1)
		return false;
	/* The first name of a message has nothing to point back at, so its bytes are all there. */
	return dns_name_equal(&owner, question, owner.len) &&
	       read_u16(question + owner.len) == type &&
	       read_u16(question + owner.len + 2) == CLASS_IN;
}

bool dns_packet_has_case(const uint8_t *packet, const char *name)
{
	for (size_t i = 0; name[i] != '\0'; i++)
		if (name[i] != '.' && packet[HEADER_BYTES + 1 + i] != (uint8_t)name[i])
			return false;
	return true;
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

/* A walk over the records of a scanned message. */
struct walk {
	struct scan scan;
	size_t section, left;
};

static void walk_begin(struct walk *walk, const uint8_t *packet, size_t len)
{
	*walk = (struct walk){ 0 };
	if (scan_begin(&walk->scan, packet, len) < 0)
		walk->section = N_SECTIONS; /* nobody scanned it */
	else
		walk->left = read_u16(packet + COUNT_AT(1));
}

static bool walk_next(struct walk *walk, struct record *ret)
{
	while (walk->section < N_SECTIONS && walk->left == 0)
		if (++walk->section < N_SECTIONS)
			walk->left = read_u16(walk->scan.packet + COUNT_AT(1 + walk->section));
	if (walk->section == N_SECTIONS || scan_record(&walk->scan, ret) < 0)
		return false;
	walk->left--;
	walk->scan.pos = ret->end;
	return true;
}

static void read_ede(const uint8_t *data, size_t len, struct dns_head *head)
{
	size_t n = 0;

	if (len < 2 || head->ede != DNS_EDE_NONE || read_u16(data) == DNS_EDE_NONE)
		return;
	head->ede = read_u16(data);
	for (size_t i = 2; i < len && n < sizeof(head->ede_text) - 1; i++)
		if (data[i] >= ' ' && data[i] <= '~')
			head->ede_text[n++] = (char)data[i];
	head->ede_text[n] = '\0';
}

/* RFC 7873 section 4: the client's part alone, or with 8 to 32 octets of the server's. */
static void read_cookie(const uint8_t *data, size_t len, struct dns_head *head)
{
	if (len > sizeof(head->cookie) ||
	    (len != DNS_COOKIE_CLIENT_BYTES && len < 2 * DNS_COOKIE_CLIENT_BYTES))
		return;
	memcpy(head->cookie, data, len);
	head->cookie_len = len;
}

static void read_options(const uint8_t *packet, const struct record *opt, struct dns_head *head)
{
	bool has_cookie = false;

	for (size_t at = opt->data; at < opt->end;) {
		uint16_t code = read_u16(packet + at), len = read_u16(packet + at + 2);
		const uint8_t *data = packet + at + 4;

		if (code == OPTION_EDE)
			read_ede(data, len, head);
		/* RFC 7873 section 5.3: the first counts, and no other. */
		if (code == OPTION_COOKIE && !has_cookie) {
			read_cookie(data, len, head);
			has_cookie = true;
		}
		at += 4U + len;
	}
}

void dns_packet_read_head(const uint8_t *packet, size_t len, struct dns_head *ret)
{
	struct record record;
	struct walk walk;

	*ret = (struct dns_head){
		.rcode = packet[3] & RCODE_MASK,
		.truncated = packet[2] & FLAG_TC,
		.authenticated = packet[3] & FLAG_AD,
		.ede = DNS_EDE_NONE,
	};
	walk_begin(&walk, packet, len);
	while (walk_next(&walk, &record)) {
		if (record.type != DNS_TYPE_OPT)
			continue;
		ret->edns = true;
		ret->rcode |= (uint16_t)((record.ttl >> 24) << 4);
		read_options(packet, &record, ret);
	}
}

/* The name at pos, without its pointers; pos moves behind it. The scanner has seen it. */
static void expand_name(const uint8_t *packet, size_t *pos, struct dns_name *ret)
{
	size_t at = *pos;
	bool jumped = false;

	ret->len = 0;
	for (;;) {
		uint8_t byte = packet[at];

		if (byte >= 0xc0) {
			if (!jumped)
				*pos = at + 2;
			jumped = true;
			at = read_u16(packet + at) & 0x3fff;
			continue;
		}
		memcpy(ret->bytes + ret->len, packet + at, byte + 1U);
		ret->len += byte + 1U;
		at += byte + 1U;
		if (byte == 0)
			break;
	}
	if (!jumped)
		*pos = at;
}

/* The records that may belong to the answer, as many as are looked at. */
struct harvest {
	const uint8_t *packet;
	uint16_t type;			/* asked for */
	struct record links[LINKS_MAX]; /* none, if the link itself is asked for */
	size_t n_links;
	struct record records[LIMIT_DNS_RECORDS];
	size_t n_records;
	struct record soa; /* of the authority section; end 0: none */
};

static void collect_records(const uint8_t *packet, size_t len, uint16_t type, struct harvest *ret)
{
	struct record record;
	struct walk walk;

	ret->packet = packet;
	ret->type = type;
	ret->n_links = ret->n_records = 0;
	ret->soa.end = 0;
	walk_begin(&walk, packet, len);
	while (walk_next(&walk, &record)) {
		if (record.class != CLASS_IN)
			continue;
		if (walk.section == SECTION_AUTHORITY && record.type == DNS_TYPE_SOA)
			ret->soa = record;
		if (walk.section != SECTION_ANSWER)
			continue;
		if (record.type == type && ret->n_records < LIMIT_DNS_RECORDS)
			ret->records[ret->n_records++] = record;
		if (record.type != type && record.type == DNS_TYPE_CNAME &&
		    ret->n_links < LINKS_MAX)
			ret->links[ret->n_links++] = record;
	}
}

static bool record_is_of(const struct harvest *harvest, const struct record *record,
			 const struct dns_name *owner)
{
	struct dns_name name;
	size_t pos = record->start;

	expand_name(harvest->packet, &pos, &name);
	return dns_name_equal(owner, name.bytes, name.len);
}

static void lower_ttl(uint32_t this_s, uint32_t *ttl_s)
{
	if (this_s > MAX_TTL)
		this_s = 0;
	if (this_s < *ttl_s)
		*ttl_s = this_s;
}

/*
 * Moves name to the end of its CNAME chain, in whatever order the records stand, and notes the links. A DNAME counts through
 * the CNAME that the server makes of it (RFC 6672 section 3.1). A loop is a chain without end and so ends at the same limit.
 */
static int follow_chain(const struct harvest *harvest, struct dns_name *name,
			const struct record *links[LIMIT_CNAME_CHAIN], size_t *ret_n)
{
	size_t n = 0;

	for (;;) {
		const struct record *link = NULL;
		size_t pos;

		for (size_t i = 0; i < harvest->n_links && !link; i++)
			if (record_is_of(harvest, &harvest->links[i], name))
				link = &harvest->links[i];
		if (!link)
			break;
		if (n == LIMIT_CNAME_CHAIN)
			return -EBADMSG;
		links[n++] = link;
		pos = link->data;
		expand_name(harvest->packet, &pos, name);
	}
	*ret_n = n;
	return 0;
}

/* Record data without pointers: at most so much longer as its names are. */
static size_t expanded_max(const struct record *record)
{
	const struct data_form *form = find_form(record->type);

	return record->end - record->data + (form ? form->n_names * (size_t)DNS_NAME_OCTETS : 0);
}

/* Writes length and data; answers how many bytes that took. */
static size_t write_record(const uint8_t *packet, const struct record *record, uint8_t *to)
{
	const struct data_form *form = find_form(record->type);
	size_t pos = record->data, at = sizeof(uint16_t);
	uint16_t len;

	if (form) {
		memcpy(to + at, packet + pos, form->octets_before);
		at += form->octets_before;
		pos += form->octets_before;
		for (unsigned int i = 0; i < form->n_names; i++) {
			struct dns_name name;

			expand_name(packet, &pos, &name);
			memcpy(to + at, name.bytes, name.len);
			at += name.len;
		}
	}
	memcpy(to + at, packet + pos, record->end - pos);
	at += record->end - pos;
	len = (uint16_t)(at - sizeof(len));
	memcpy(to, &len, sizeof(len));
	return at;
}

/*
 * How long it may be remembered that there is nothing (RFC 2308 section 5): the SOA's own TTL or its MINIMUM, the smaller; 0
 * without a SOA of a zone that name is in.
 */
static uint32_t get_negative_ttl(const struct harvest *harvest, const struct dns_name *name)
{
	const struct record *soa = &harvest->soa;
	uint32_t ttl_s = MAX_TTL;
	struct dns_name zone;
	size_t pos = soa->start, at = 0;

	if (soa->end == 0)
		return 0;
	expand_name(harvest->packet, &pos, &zone);
	while (at < name->len && name->len - at > zone.len)
		at += name->bytes[at] + 1U;
	if (at >= name->len || !dns_name_equal(&zone, name->bytes + at, name->len - at))
		return 0;
	lower_ttl(soa->ttl, &ttl_s);
	lower_ttl(read_u32(harvest->packet + soa->end - 4), &ttl_s);
	return ttl_s;
}

/* The answer as one allocation: sized by what it may take, then filled. */
static int make_answer(const struct harvest *harvest, const struct record *const *records,
		       size_t n_chain, size_t n, const struct dns_head *head,
		       struct dns_answer **ret)
{
	size_t ede_size = head->ede != DNS_EDE_NONE ? strlen(head->ede_text) + 1 : 0;
	size_t max = ede_size, at = 0;
	struct dns_answer *answer;
	struct dns_answer *smaller;
	int r;

	for (size_t i = 0; i < n; i++)
		max += sizeof(uint16_t) + expanded_max(records[i]);
	r = dns_answer_new(&answer, max);
	if (r < 0)
		return r;
	answer->ttl_s = MAX_TTL;
	for (size_t i = 0; i < n; i++) {
		at += write_record(harvest->packet, records[i], answer->bytes + at);
		lower_ttl(records[i]->ttl, &answer->ttl_s);
	}
	answer->ede_text = (uint32_t)at;
	memcpy(answer->bytes + at, head->ede_text, ede_size);
	answer->len = (uint32_t)(at + ede_size);
	answer->type = harvest->type;
	answer->rcode = head->rcode;
	answer->ede = head->ede;
	answer->n_chain = (uint16_t)n_chain;
	answer->n_records = (uint16_t)(n - n_chain);
	smaller = realloc(answer, dns_answer_get_size(answer));
	*ret = smaller ? smaller : answer;
	return 0;
}

int dns_packet_read_answer(const uint8_t *packet, size_t len, const char *name, uint16_t type,
			   struct dns_answer **ret)
{
	const struct record *records[LIMIT_CNAME_CHAIN + LIMIT_DNS_RECORDS];
	size_t max = type == DNS_TYPE_A || type == DNS_TYPE_AAAA ? LIMIT_DNS_ADDRESSES
								 : LIMIT_DNS_RECORDS;
	struct harvest harvest;
	struct dns_head head;
	struct dns_name owner;
	uint32_t negative_s;
	size_t n_chain, n;
	int r;

	if (dns_name_from_text(name, &owner) < 0)
		return -EBADMSG;
	dns_packet_read_head(packet, len, &head);
	collect_records(packet, len, type, &harvest);
	r = follow_chain(&harvest, &owner, records, &n_chain);
	if (r < 0)
		return r;
	/* That there is no such name is said of every type; records of one beside it would contradict that. */
	if (head.rcode == DNS_RCODE_NXDOMAIN)
		max = 0;
	n = n_chain;
	for (size_t i = 0; i < harvest.n_records && n - n_chain < max; i++)
		if (record_is_of(&harvest, &harvest.records[i], &owner))
			records[n++] = &harvest.records[i];
	r = make_answer(&harvest, records, n_chain, n, &head, ret);
	if (r < 0 || n > n_chain)
		return r;
	(*ret)->is_partial = n_chain > 0 && head.rcode == DNS_RCODE_NOERROR && harvest.soa.end == 0;
	negative_s = get_negative_ttl(&harvest, &owner);
	if (negative_s < (*ret)->ttl_s && !(*ret)->is_partial)
		(*ret)->ttl_s = negative_s;
	return 0;
}
