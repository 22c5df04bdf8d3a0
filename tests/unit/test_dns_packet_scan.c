/* SPDX-License-Identifier: MIT */
/*
 * What the scanner takes and refuses, and what that and the reading behind it costs.
 */
#include "daemon/resolve/dns-packet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/dns_bytes.h"
#include "tests/support/suite.h"

/* Whole except for one fault each. */
static const struct dns_sample malformed[] = {
	{ "nothing", BYTES("") },
	{ "one byte", BYTES("\x12") },
	{ "eleven bytes", BYTES("\x12\x34\x81\x80\x00\x00\x00\x00\x00\x00\x00") },
	{ "question counted, none there", BYTES(HEADER("\x00", "\x00", "\x00")) },
	{ "two questions",
	  BYTES(HEADER_OF("\x81\x80", "\x02", "\x00", "\x00", "\x00") QUESTION QUESTION) },
	{ "two questions counted, an answer there",
	  BYTES(HEADER_OF("\x81\x80", "\x02", "\x01", "\x00", "\x00") A_RR(WWW)) },
	{ "65281 questions", BYTES("\x12\x34\x81\x80\xff\x01\x00\x00\x00\x00\x00\x00" QUESTION) },
	{ "question without class", BYTES(HEADER("\x00", "\x00", "\x00") WWW "\x00\x01\x00") },
	{ "question without type", BYTES(HEADER("\x00", "\x00", "\x00") WWW) },
	{ "question name without root", BYTES(HEADER("\x00", "\x00", "\x00") "\x03www\x07"
									     "example") },
	{ "question label cut",
	  BYTES(HEADER("\x00", "\x00", "\x00") "\x03www\x3f"
					       "example\x00\x00\x01\x00\x01") },
	{ "question pointing at itself",
	  BYTES(HEADER("\x00", "\x00", "\x00") "\xc0\x0c\x00\x01\x00\x01") },
	{ "question pointing at the header",
	  BYTES(HEADER("\x00", "\x00", "\x00") "\xc0\x04\x00\x01\x00\x01") },
	{ "question of 256 octets",
	  BYTES(HEADER("\x00", "\x00",
		       "\x00") "\x3f" LONG_LABEL "\x3f" LONG_LABEL "\x3f" LONG_LABEL "\x3e"
			       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			       "\x00\x00\x01\x00\x01") },
	{ "label of type 01", BYTES(HEADER("\x00", "\x00", "\x00") "\x40" LONG_LABEL "a"
								   "\x00\x00\x01\x00\x01") },
	{ "label of type 10", BYTES(HEADER("\x00", "\x00", "\x00") "\x83www\x00\x00\x01\x00\x01") },
	{ "a byte behind the question", BYTES(HEADER("\x00", "\x00", "\x00") QUESTION "\x00") },
	{ "a byte behind the header",
	  BYTES(HEADER_OF("\x81\x80", "\x00", "\x00", "\x00", "\x00") "\x00") },
	{ "a byte behind the last record",
	  BYTES(HEADER("\x01", "\x00", "\x00") QUESTION A_RR(AT_WWW) "\x00") },
	{ "a record more than counted",
	  BYTES(HEADER("\x01", "\x00", "\x00") QUESTION A_RR(AT_WWW) A_RR(AT_WWW)) },
	{ "one answer counted, none there", BYTES(HEADER("\x01", "\x00", "\x00") QUESTION) },
	{ "two answers counted, one there",
	  BYTES(HEADER("\x02", "\x00", "\x00") QUESTION A_RR(AT_WWW)) },
	{ "authority counted, none there",
	  BYTES(HEADER("\x01", "\x01", "\x00") QUESTION A_RR(AT_WWW)) },
	{ "additional counted, none there",
	  BYTES(HEADER("\x01", "\x00", "\x01") QUESTION A_RR(AT_WWW)) },
	{ "65535 answers",
	  BYTES("\x12\x34\x81\x80\x00\x01\xff\xff\x00\x00\x00\x00" QUESTION A_RR(AT_WWW)) },
	{ "all counts 65535",
	  BYTES("\x12\x34\x81\x80\xff\xff\xff\xff\xff\xff\xff\xff" QUESTION A_RR(AT_WWW)) },
	{ "last byte is half a pointer",
	  BYTES(HEADER("\x01", "\x00", "\x00") QUESTION "\x08"
							"abcdefgh\x01"
							"i\xc0") },
	{ "owner pointing at itself",
	  BYTES(HEADER("\x01", "\x00", "\x00") QUESTION A_RR("\xc0\x1d")) },
	{ "owner pointing forwards",
	  BYTES(HEADER("\x02", "\x00", "\x00") QUESTION A_RR("\xc0\x2d") A_RR("\x01"
									      "a\x00")) },
	{ "owner pointing behind the end",
	  BYTES(HEADER("\x01", "\x00", "\x00") QUESTION A_RR("\xff\xff")) },
	{ "owner pointing at the header",
	  BYTES(HEADER("\x01", "\x00", "\x00") QUESTION A_RR("\xc0\x00")) },
	{ "label, then back to that label",
	  BYTES(HEADER("\x01", "\x00", "\x00") QUESTION A_RR("\x01"
							     "a\xc0\x1d")) },
	{ "label, then back into that label",
	  BYTES(HEADER("\x01", "\x00", "\x00") QUESTION A_RR("\x03"
							     "a\x01"
							     "b\xc0\x1f")) },
	{ "two owners pointing at each other",
	  BYTES(HEADER("\x02", "\x00", "\x00") QUESTION A_RR("\x01"
							     "a\xc0\x2f") A_RR("\x01"
									       "b\xc0\x1d")) },
	{ "pointer to a name that runs into the pointer",
	  BYTES(HEADER("\x02", "\x00", "\x00")
			QUESTION RR(AT_WWW, "\x10", "\x02") "\x03"
							    "x" A_RR("\xc0\x29")) },
	{ "record without class", BYTES(HEADER("\x01", "\x00", "\x00") QUESTION AT_WWW
					"\x00\x01\x00\x00\x00\x00\x00\x00\x00") },
	{ "record without length",
	  BYTES(HEADER("\x01", "\x00", "\x00") QUESTION "\x03"
							"abc\x00\x00\x01\x00\x01" TTL "\x00") },
	{ "data beyond the end",
	  BYTES(HEADER("\x01", "\x00", "\x00") QUESTION RR(AT_WWW, "\x10", "\x05") "\x03"
										   "abc") },
	{ "data of 65535",
	  BYTES(HEADER("\x01", "\x00", "\x00") QUESTION AT_WWW TYPE("\x10") IN TTL "\xff\xff"
										   "\x03"
										   "abc") },
	{ "A of 0", BYTES(HEADER("\x01", "\x00", "\x00") QUESTION RR(AT_WWW, "\x01", "\x00")) },
	{ "A of 3", BYTES(HEADER("\x01", "\x00", "\x00")
				  QUESTION RR(AT_WWW, "\x01", "\x03") "\x01\x02\x03") },
	{ "A of 5", BYTES(HEADER("\x01", "\x00", "\x00")
				  QUESTION RR(AT_WWW, "\x01", "\x05") "\x01\x02\x03\x04\x05") },
	{ "A of 16", BYTES(HEADER("\x01", "\x00", "\x00")
				   QUESTION RR(AT_WWW, "\x01", "\x10") "0123456789abcdef") },
	{ "AAAA of 0", BYTES(HEADER("\x01", "\x00", "\x00") QUESTION RR(AT_WWW, "\x1c", "\x00")) },
	{ "AAAA of 4", BYTES(HEADER("\x01", "\x00", "\x00")
				     QUESTION RR(AT_WWW, "\x1c", "\x04") "\x01\x02\x03\x04") },
	{ "AAAA of 15", BYTES(HEADER("\x01", "\x00", "\x00")
				      QUESTION RR(AT_WWW, "\x1c", "\x0f") "0123456789abcde") },
	{ "AAAA of 20",
	  BYTES(HEADER("\x01", "\x00", "\x00") QUESTION RR(AT_WWW, "\x1c", "\x14") TWENTY) },
	{ "A of 5 in the authority", BYTES(HEADER("\x00", "\x01", "\x00") QUESTION RR(
					     AT_WWW, "\x01", "\x05") "\x01\x02\x03\x04\x05") },
	{ "A of 5 in the additional", BYTES(HEADER("\x00", "\x00", "\x01") QUESTION RR(
					      AT_WWW, "\x01", "\x05") "\x01\x02\x03\x04\x05") },
	{ "CNAME of 0", BYTES(HEADER("\x01", "\x00", "\x00") QUESTION RR(AT_WWW, "\x05", "\x00")) },
	{ "CNAME and a byte", BYTES(HEADER("\x01", "\x00", "\x00") QUESTION RR(
				      AT_WWW, "\x05", "\x03") AT_EXAMPLE "\x00") },
	{ "CNAME longer than its data",
	  BYTES(HEADER("\x01", "\x00", "\x00") QUESTION RR(AT_WWW, "\x05", "\x03") "\x03"
										   "abc\x00") },
	{ "CNAME whose pointer is cut by its data",
	  BYTES(HEADER("\x02", "\x00", "\x00")
			QUESTION RR(AT_WWW, "\x05", "\x01") "\xc0" A_RR("\x0c")) },
	{ "CNAME whose root is behind its data",
	  BYTES(HEADER("\x02", "\x00", "\x00")
			QUESTION RR(AT_WWW, "\x05", "\x04") "\x03"
							    "abc" A_RR("\x00")) },
	{ "CNAME pointing forwards", BYTES(HEADER("\x02", "\x00", "\x00") QUESTION RR(
					     AT_WWW, "\x05", "\x02") "\xc0\x2b" A_RR(AT_WWW)) },
	{ "CNAME pointing at itself",
	  BYTES(HEADER("\x01", "\x00", "\x00") QUESTION RR(AT_WWW, "\x05", "\x02") "\xc0\x29") },
	{ "CNAME of 256 octets by pointer",
	  BYTES(HEADER("\x01", "\x00", "\x00") QUESTION RR(
		  AT_WWW, "\x05",
		  "\xf5") "\x3f" LONG_LABEL "\x3f" LONG_LABEL "\x3f" LONG_LABEL "\x32"
			  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" AT_WWW) },
	{ "DNAME and a byte", BYTES(HEADER("\x01", "\x00", "\x00") QUESTION RR(
				      AT_WWW, "\x27", "\x03") AT_EXAMPLE "\x00") },
	{ "DNAME of 0", BYTES(HEADER("\x01", "\x00", "\x00") QUESTION RR(AT_WWW, "\x27", "\x00")) },
	{ "NS and a byte", BYTES(HEADER("\x00", "\x01", "\x00")
					 QUESTION RR(AT_EXAMPLE, "\x02", "\x03") AT_WWW "\x00") },
	{ "PTR of 0", BYTES(HEADER("\x01", "\x00", "\x00") QUESTION RR(AT_WWW, "\x0c", "\x00")) },
	{ "MX of 2",
	  BYTES(HEADER("\x01", "\x00", "\x00") QUESTION RR(AT_WWW, "\x0f", "\x02") "\x00\x0a") },
	{ "MX of 1",
	  BYTES(HEADER("\x01", "\x00", "\x00") QUESTION RR(AT_WWW, "\x0f", "\x01") "\x00") },
	{ "MX and a byte", BYTES(HEADER("\x01", "\x00", "\x00") QUESTION RR(
				   AT_WWW, "\x0f", "\x05") "\x00\x0a" AT_WWW "\x00") },
	{ "SRV of 4", BYTES(HEADER("\x01", "\x00", "\x00")
				    QUESTION RR(AT_WWW, "\x21", "\x04") "\x00\x01\x00\x02") },
	{ "SRV of 6", BYTES(HEADER("\x01", "\x00", "\x00") QUESTION RR(
			      AT_WWW, "\x21", "\x06") "\x00\x01\x00\x02\x00\x50") },
	{ "SRV and a byte", BYTES(HEADER("\x01", "\x00", "\x00") QUESTION RR(
				    AT_WWW, "\x21", "\x08") "\x00\x01\x00\x02\x00\x50\x00\x00") },
	{ "SOA with one name",
	  BYTES(HEADER("\x00", "\x01", "\x00") QUESTION RR(AT_WWW, "\x06", "\x02") AT_WWW) },
	{ "SOA of 19 behind the names",
	  BYTES(HEADER("\x00", "\x01", "\x00") QUESTION RR(AT_WWW, "\x06", "\x17") AT_WWW AT_WWW
		"0123456789abcdefghi") },
	{ "SOA of 21 behind the names",
	  BYTES(HEADER("\x00", "\x01", "\x00") QUESTION RR(AT_WWW, "\x06", "\x19")
			AT_WWW AT_WWW TWENTY "\x00") },
	{ "SOA without numbers",
	  BYTES(HEADER("\x00", "\x01", "\x00") QUESTION RR(AT_WWW, "\x06", "\x04") AT_WWW AT_WWW) },
	{ "two OPT", BYTES(HEADER("\x00", "\x00", "\x02") QUESTION OPT("\x00") OPT("\x00")) },
	{ "OPT in the answer", BYTES(HEADER("\x01", "\x00", "\x00") QUESTION OPT("\x00")) },
	{ "OPT in the authority", BYTES(HEADER("\x00", "\x01", "\x00") QUESTION OPT("\x00")) },
	{ "OPT with a name", BYTES(HEADER("\x00", "\x00", "\x01") QUESTION "\x01"
									   "a" OPT("\x00")) },
	{ "OPT with a pointer for a root",
	  BYTES(HEADER("\x00", "\x00", "\x01") QUESTION
		"\xc0\x18\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00") },
	{ "OPT option header cut",
	  BYTES(HEADER("\x00", "\x00", "\x01") QUESTION OPT("\x03") "\x00\x0a\x00") },
	{ "OPT option longer than its data",
	  BYTES(HEADER("\x00", "\x00", "\x01") QUESTION OPT("\x06") "\x00\x0a\x00\x08"
								    "ab") },
	{ "OPT second option cut", BYTES(HEADER("\x00", "\x00", "\x01") QUESTION OPT(
					   "\x07") "\x00\x0a\x00\x00\x00\x0f\x00") },
	{ "OPT beyond the end",
	  BYTES(HEADER("\x00", "\x00", "\x01") QUESTION OPT("\x04") "\x00\x0a\x00") },
};

static const struct dns_sample well_formed[] = {
	{ "header alone", BYTES(HEADER_OF("\x81\x80", "\x00", "\x00", "\x00", "\x00")) },
	{ "question alone", BYTES(HEADER("\x00", "\x00", "\x00") QUESTION) },
	{ "a query", BYTES(HEADER_OF("\x01\x00", "\x01", "\x00", "\x00", "\x00") QUESTION) },
	{ "question for the root", BYTES(HEADER("\x00", "\x00", "\x00") "\x00\x00\x02\x00\x01") },
	{ "A", BYTES(HEADER("\x01", "\x00", "\x00") QUESTION A_RR(AT_WWW)) },
	{ "A without a question",
	  BYTES(HEADER_OF("\x81\x80", "\x00", "\x01", "\x00", "\x00") A_RR(WWW)) },
	{ "A of class CH", BYTES(HEADER("\x01", "\x00", "\x00") QUESTION AT_WWW
				 "\x00\x01\x00\x03" TTL "\x00\x04\x01\x02\x03\x04") },
	{ "AAAA", BYTES(HEADER("\x01", "\x00", "\x00")
				QUESTION RR(AT_WWW, "\x1c", "\x10") "0123456789abcdef") },
	{ "CNAME by pointer",
	  BYTES(HEADER("\x01", "\x00", "\x00") QUESTION RR(AT_WWW, "\x05", "\x02") AT_EXAMPLE) },
	{ "CNAME in full",
	  BYTES(HEADER("\x01", "\x00", "\x00") QUESTION RR(AT_WWW, "\x05", "\x05") "\x03"
										   "abc\x00") },
	{ "CNAME of 255 octets by pointer",
	  BYTES(HEADER("\x01", "\x00", "\x00") QUESTION RR(
		  AT_WWW, "\x05",
		  "\xf4") "\x3f" LONG_LABEL "\x3f" LONG_LABEL "\x3f" LONG_LABEL "\x31"
			  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" AT_WWW) },
	{ "DNAME",
	  BYTES(HEADER("\x01", "\x00", "\x00") QUESTION RR(AT_EXAMPLE, "\x27", "\x05") "\x03"
										       "org\x00") },
	{ "NS to the root",
	  BYTES(HEADER("\x00", "\x01", "\x00") QUESTION RR("\x00", "\x02", "\x01") "\x00") },
	{ "PTR", BYTES(HEADER("\x01", "\x00", "\x00")
			       QUESTION RR(AT_WWW, "\x0c", "\x04") "\x01"
								   "a" AT_EXAMPLE) },
	{ "MX", BYTES(HEADER("\x01", "\x00", "\x00")
			      QUESTION RR(AT_WWW, "\x0f", "\x04") "\x00\x0a" AT_WWW) },
	{ "SRV", BYTES(HEADER("\x01", "\x00", "\x00") QUESTION RR(
			 AT_WWW, "\x21", "\x08") "\x00\x01\x00\x02\x00\x50" AT_WWW) },
	{ "SRV to the root", BYTES(HEADER("\x01", "\x00", "\x00") QUESTION RR(
				     AT_WWW, "\x21", "\x07") "\x00\x00\x00\x00\x00\x00\x00") },
	{ "SOA", BYTES(HEADER("\x00", "\x01", "\x00") QUESTION RR(AT_EXAMPLE, "\x06", "\x18")
			       AT_WWW AT_EXAMPLE TWENTY) },
	{ "SOA with roots", BYTES(HEADER("\x00", "\x01", "\x00")
					  QUESTION RR("\x00", "\x06", "\x16") "\x00\x00" TWENTY) },
	{ "TXT", BYTES(HEADER("\x01", "\x00", "\x00") QUESTION RR(AT_WWW, "\x10", "\x04") "\x03"
											  "abc") },
	{ "unknown type of 0",
	  BYTES(HEADER("\x01", "\x00", "\x00") QUESTION RR(AT_WWW, "\xfe", "\x00")) },
	{ "OPT", BYTES(HEADER("\x00", "\x00", "\x01") QUESTION OPT("\x00")) },
	{ "OPT with options",
	  BYTES(HEADER("\x00", "\x00", "\x01") QUESTION OPT("\x0a") "\x00\x0a\x00\x02"
								    "ab\x00\x0f\x00\x00") },
	{ "all sections",
	  BYTES(HEADER("\x02", "\x01", "\x02") QUESTION A_RR(AT_WWW) A_RR(AT_WWW)
			RR(AT_EXAMPLE, "\x02", "\x02") AT_WWW A_RR(AT_EXAMPLE) OPT("\x00")) },
};

static int scan(const struct dns_sample *sample)
{
	CLEANUP(freep) uint8_t *bytes = dns_bytes_copy(sample->bytes, sample->len);

	return dns_packet_scan(bytes, sample->len);
}

START_TEST(malformed_messages_are_refused)
{
	ck_assert_uint_ge(ARRAY_LEN(malformed), 60);
	for (size_t i = 0; i < ARRAY_LEN(malformed); i++)
		ck_assert_msg(scan(&malformed[i]) == -EBADMSG, "accepted: %s", malformed[i].what);
}
END_TEST

START_TEST(well_formed_messages_are_accepted)
{
	for (size_t i = 0; i < ARRAY_LEN(well_formed); i++)
		ck_assert_msg(scan(&well_formed[i]) == 0, "refused: %s", well_formed[i].what);
}
END_TEST

START_TEST(cut_messages_are_refused_at_every_length)
{
	for (size_t i = 0; i < ARRAY_LEN(well_formed); i++) {
		for (size_t len = 0; len < well_formed[i].len; len++) {
			struct dns_sample cut = { well_formed[i].what, well_formed[i].bytes, len };

			ck_assert_msg(scan(&cut) == -EBADMSG, "accepted: %s cut to %zu", cut.what,
				      len);
		}
	}
}
END_TEST

static void put_empty_record(struct dns_bytes *message, size_t target)
{
	dns_bytes_put_pointer(message, target);
	dns_bytes_put(message, BYTES("\xff\x00" IN TTL "\x00\x00"));
	dns_bytes_count_answer(message);
}

START_TEST(a_name_has_at_most_126_pointers)
{
	static struct dns_bytes message;

	for (unsigned int n_hops = 1; n_hops <= 130; n_hops++) {
		dns_bytes_begin(&message);
		put_empty_record(&message, dns_bytes_put_ladder(&message, n_hops - 1, false));
		ck_assert_int_eq(dns_packet_scan(message.bytes, message.len),
				 n_hops <= 126 ? 0 : -EBADMSG);
	}
}
END_TEST

/*
 * About 20 µs where ldns takes 84 to 141 ms: what a message may cost is bounded, whatever is in it.
 */
#define SCAN_LIMIT_US 50.0

static int scan_result;

static void scan_message(struct dns_bytes *message)
{
	scan_result = dns_packet_scan(message->bytes, message->len);
}

static void assert_cheap(struct dns_bytes *message, int expected)
{
	double us = dns_bytes_measure_us(scan_message, message);

	ck_assert_int_eq(scan_result, expected);
	ck_assert_double_lt(us, dns_bytes_limit_us(SCAN_LIMIT_US));
}

START_TEST(a_message_full_of_long_names_costs_little)
{
	static struct dns_bytes message;
	size_t tops[2];

	dns_bytes_begin(&message);
	tops[0] = dns_bytes_put_ladder(&message, 125, true);
	tops[1] = tops[0] - 4;
	for (size_t i = 0; dns_bytes_has_room(&message, 12); i++)
		put_empty_record(&message, tops[i % 2]);
	ck_assert_uint_gt(message.n_answers, 5000);
	assert_cheap(&message, -EBADMSG);
	ck_assert(dns_packet_matches(message.bytes, message.len, NAME, DNS_TYPE_A, ID));
}
END_TEST

START_TEST(a_message_full_of_tiny_labels_costs_little)
{
	static struct dns_bytes message;

	dns_bytes_begin(&message);
	while (dns_bytes_has_room(&message, 265)) {
		for (int i = 0; i < 127; i++)
			dns_bytes_put(&message, BYTES("\x01"
						      "a"));
		dns_bytes_put(&message, BYTES("\x00\xff\x00" IN TTL "\x00\x00"));
		dns_bytes_count_answer(&message);
	}
	assert_cheap(&message, -EBADMSG);
}
END_TEST

START_TEST(the_largest_honest_answer_is_accepted)
{
	static struct dns_bytes message;

	dns_bytes_begin(&message);
	while (dns_bytes_has_room(&message, 16)) {
		dns_bytes_put(&message, BYTES(A_RR(AT_WWW)));
		dns_bytes_count_answer(&message);
	}
	ck_assert_uint_gt(message.n_answers, 4000);
	assert_cheap(&message, 0);
}
END_TEST

START_TEST(a_remembered_target_does_not_hide_a_long_name)
{
	static struct dns_bytes message;

	/* 63 octets more each time in front of the same target of 192: the second time is one octet too many. */
	for (size_t extra = 62; extra <= 63; extra++) {
		size_t target;

		dns_bytes_begin(&message);
		target = message.len;
		dns_bytes_put(&message, BYTES("\x3f" LONG_LABEL "\x3f" LONG_LABEL "\x3f" LONG_LABEL
					      "\x00\xff\x00" IN TTL "\x00\x00"));
		dns_bytes_count_answer(&message);
		put_empty_record(&message, target);
		message.bytes[message.len] = (uint8_t)(extra - 1);
		message.len++;
		dns_bytes_put(&message, LONG_LABEL, extra - 1);
		put_empty_record(&message, target);
		ck_assert_int_eq(dns_packet_scan(message.bytes, message.len),
				 extra == 62 ? 0 : -EBADMSG);
	}
}
END_TEST

/*
 * The scanner pays once for a name that many records point at. What is behind it must not pay for it with each record and
 * each link of the chain. The name here has 125 labels and as many pointers.
 */
#define READ_LIMIT_US 1000.0

static void read_message(struct dns_bytes *message)
{
	CLEANUP(dns_answer_freep) struct dns_answer *answer = NULL;

	ck_assert_int_eq(
		dns_packet_read_answer(message->bytes, message->len, NAME, DNS_TYPE_A, &answer), 0);
}

static void assert_read_is_cheap(struct dns_bytes *message)
{
	double us;

	ck_assert_int_eq(dns_packet_scan(message->bytes, message->len), 0);
	us = dns_bytes_measure_us(read_message, message);
	ck_assert_double_lt(us, dns_bytes_limit_us(READ_LIMIT_US));
}

/* NAME → a.… → b.… and so on, the last first. */
static void put_long_chain(struct dns_bytes *message, size_t top)
{
	for (unsigned int i = LIMIT_CNAME_CHAIN; i-- > 0;) {
		char owner[] = { 1, (char)('a' + i) }, target[] = { 1, (char)('b' + i) };

		if (i == 0) {
			dns_bytes_put(message, BYTES(AT_WWW));
		} else {
			dns_bytes_put(message, owner, sizeof(owner));
			dns_bytes_put_pointer(message, top);
		}
		dns_bytes_put(message, BYTES(TYPE("\x05") IN TTL "\x00\x04"));
		dns_bytes_put(message, target, sizeof(target));
		dns_bytes_put_pointer(message, top);
		dns_bytes_count_answer(message);
	}
}

START_TEST(an_answer_full_of_long_names_costs_little)
{
	static struct dns_bytes message;
	size_t top;

	dns_bytes_begin(&message);
	top = dns_bytes_put_ladder(&message, 124, true);
	put_long_chain(&message, top);
	for (unsigned int i = 0; i < 300; i++) {
		dns_bytes_put_pointer(&message, top);
		dns_bytes_put(&message, BYTES(TYPE("\x01") IN TTL "\x00\x04\xc0\x00\x02\x01"));
		dns_bytes_count_answer(&message);
	}
	assert_read_is_cheap(&message);
}
END_TEST

START_TEST(an_answer_full_of_links_costs_little)
{
	static struct dns_bytes message;
	size_t top;

	dns_bytes_begin(&message);
	top = dns_bytes_put_ladder(&message, 124, true);
	for (unsigned int i = 0; i < 240; i++) {
		dns_bytes_put_pointer(&message, top);
		dns_bytes_put(&message, BYTES(TYPE("\x05") IN TTL "\x00\x01\x00"));
		dns_bytes_count_answer(&message);
	}
	put_long_chain(&message, top);
	assert_read_is_cheap(&message);
}
END_TEST

START_TEST(more_than_65535_bytes_are_refused)
{
	CLEANUP(freep) uint8_t *bytes = calloc(1, DNS_BYTES_MAX + 1);

	ck_assert_ptr_nonnull(bytes);
	ck_assert_int_eq(dns_packet_scan(bytes, DNS_BYTES_MAX + 1), -EBADMSG);
}
END_TEST
static unsigned int n_allocations;

void *__real_calloc(size_t n, size_t size);
void *__real_malloc(size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *memory, size_t size);

void *__wrap_calloc(size_t n, size_t size)
{
	n_allocations++;
	return __real_calloc(n, size);
}

void *__wrap_malloc(size_t size)
{
	n_allocations++;
	return __real_malloc(size);
}

void *__wrap_realloc(void *memory, size_t size)
{
	n_allocations++;
	return __real_realloc(memory, size);
}

START_TEST(nothing_is_allocated_before_the_answer_is_read)
{
	unsigned int before = n_allocations, n_seen, n_all;

	free(dns_bytes_copy("", 0));
	n_seen = n_allocations - before;
	for (size_t i = 0; i < ARRAY_LEN(malformed) + ARRAY_LEN(well_formed); i++) {
		const struct dns_sample *sample = i < ARRAY_LEN(malformed)
							  ? &malformed[i]
							  : &well_formed[i - ARRAY_LEN(malformed)];
		const uint8_t *bytes = (const uint8_t *)sample->bytes;
		struct dns_head head;

		(void)dns_packet_matches(bytes, sample->len, NAME, DNS_TYPE_A, ID);
		(void)dns_packet_get_remnant(bytes, sample->len, NAME, DNS_TYPE_A, ID);
		if (dns_packet_scan(bytes, sample->len) == 0)
			dns_packet_read_head(bytes, sample->len, &head);
	}
	n_all = n_allocations - before;
	ck_assert_uint_ge(n_seen, 1); /* they are counted */
	ck_assert_uint_eq(n_all, n_seen);
}
END_TEST

SUITE_MAIN("dns_packet_scan", malformed_messages_are_refused, well_formed_messages_are_accepted,
	   cut_messages_are_refused_at_every_length, a_name_has_at_most_126_pointers,
	   a_message_full_of_long_names_costs_little, a_message_full_of_tiny_labels_costs_little,
	   the_largest_honest_answer_is_accepted, a_remembered_target_does_not_hide_a_long_name,
	   an_answer_full_of_long_names_costs_little, an_answer_full_of_links_costs_little,
	   more_than_65535_bytes_are_refused, nothing_is_allocated_before_the_answer_is_read)
