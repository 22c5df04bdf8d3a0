/* SPDX-License-Identifier: MIT */
/*
 * The questions that go out, what answers them, and what the head of an answer says. The scanner is in
 * test_dns_packet_scan.c, reading the records in test_dns_packet_answer.c.
 */
#include "daemon/resolve/dns-packet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/dns_bytes.h"
#include "tests/support/suite.h"

static size_t build(const char *name, uint16_t type, const struct dns_packet_options *options,
		    uint8_t buffer[DNS_QUERY_MAX_BYTES])
{
	size_t len = 0;

	memset(buffer, 0x5a, DNS_QUERY_MAX_BYTES);
	ck_assert_int_eq(
		dns_packet_build_query(name, type, ID, options, buffer, DNS_QUERY_MAX_BYTES, &len),
		0);
	ck_assert_int_eq(dns_packet_scan(buffer, len), 0);
	return len;
}

static const uint8_t cookie[DNS_COOKIE_MAX_BYTES + 1] = "client..and 32 octets of a server's own.";

START_TEST(queries_are_these_bytes)
{
	static const struct {
		uint16_t type;
		struct dns_packet_options options;
		const char *bytes;
		size_t len;
	} queries[] = {
		{ DNS_TYPE_AAAA,
		  { .edns = false },
		  BYTES("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" WWW
			"\x00\x1c\x00\x01") },
		{ 0x1234,
		  { .wants_ad = true },
		  BYTES("\x12\x34\x01\x20\x00\x01\x00\x00\x00\x00\x00\x00" WWW
			"\x12\x34\x00\x01") },
		{ DNS_TYPE_A,
		  { .edns = true },
		  BYTES("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01" QUESTION
			"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00") },
		{ DNS_TYPE_A,
		  { .edns = true, .cookie = cookie, .cookie_len = DNS_COOKIE_CLIENT_BYTES },
		  BYTES("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01" QUESTION
			"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x0c\x00\x0a\x00\x08"
			"client..") },
		{ DNS_TYPE_A,
		  { .edns = true, .cookie = cookie, .cookie_len = DNS_COOKIE_MAX_BYTES },
		  BYTES("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01" QUESTION
			"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x2c\x00\x0a\x00\x28"
			"client..and 32 octets of a server's own.") },
		/* Cookie and padding are options of OPT: nothing without it. */
		{ DNS_TYPE_A,
		  { .is_padded = true, .cookie = cookie, .cookie_len = DNS_COOKIE_CLIENT_BYTES },
		  BYTES("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" QUESTION) },
	};
	uint8_t buffer[DNS_QUERY_MAX_BYTES];

	for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
		size_t len = build(NAME, queries[i].type, &queries[i].options, buffer);

		ck_assert_uint_eq(len, queries[i].len);
		ck_assert_mem_eq(buffer, queries[i].bytes, len);
	}
}
END_TEST

START_TEST(a_padded_query_fills_its_blocks)
{
	static const char longest[] =
		LONG_LABEL "." LONG_LABEL "." LONG_LABEL "."
			   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	static const size_t cookie_lens[] = { 0, DNS_COOKIE_CLIENT_BYTES, 16,
					      DNS_COOKIE_MAX_BYTES };

	for (size_t i = 0; i < ARRAY_LEN(cookie_lens); i++) {
		struct dns_packet_options options = { .edns = true,
						      .is_padded = true,
						      .cookie = cookie,
						      .cookie_len = cookie_lens[i] };
		size_t cookie_size = cookie_lens[i] > 0 ? 4 + cookie_lens[i] : 0;

		for (size_t start = 0; start < sizeof(longest) - 1; start++) {
			const char *name = longest + start;
			size_t opt = 12 + strlen(name) + 2 + 4, padding = opt + 11 + cookie_size;
			uint8_t buffer[DNS_QUERY_MAX_BYTES];
			size_t len;

			if (name[0] == '.')
				continue;
			len = build(name, DNS_TYPE_A, &options, buffer);
			ck_assert_uint_eq(len % DNS_PADDING_BLOCK, 0);
			ck_assert_uint_lt(len - padding - 4,
					  DNS_PADDING_BLOCK); /* no block too many */
			ck_assert_mem_eq(buffer + padding, "\x00\x0c", 2);
			ck_assert_uint_eq((size_t)buffer[padding + 2] << 8 | buffer[padding + 3],
					  len - padding - 4);
			for (size_t at = padding + 4; at < len; at++)
				ck_assert_uint_eq(buffer[at], 0);
		}
	}
}
END_TEST

START_TEST(the_case_of_a_name_goes_out_as_it_is_written)
{
	static const struct dns_packet_options options = { .edns = true };
	uint8_t buffer[DNS_QUERY_MAX_BYTES];
	size_t len = build("wWw.ExAmPlE", DNS_TYPE_A, &options, buffer);

	ck_assert_mem_eq(buffer + 12,
			 "\x03wWw\x07"
			 "ExAmPlE",
			 13);
	buffer[2] |= 0x80;
	ck_assert(dns_packet_matches(buffer, len, NAME, DNS_TYPE_A, ID));
	ck_assert(dns_packet_has_case(buffer, "wWw.ExAmPlE"));
	ck_assert(!dns_packet_has_case(buffer, NAME));
	ck_assert(!dns_packet_has_case(buffer, "wWw.ExAmPle"));
	ck_assert(!dns_packet_has_case(buffer, "WWw.ExAmPlE"));
}
END_TEST

START_TEST(what_does_not_fit_makes_no_query)
{
	static const struct dns_packet_options plain, long_cookie = {
		.edns = true, .cookie = cookie, .cookie_len = DNS_COOKIE_MAX_BYTES + 1
	};
	uint8_t buffer[DNS_QUERY_MAX_BYTES];
	size_t len = 77;

	ck_assert_int_eq(dns_packet_build_query("a", DNS_TYPE_A, ID, &plain, buffer,
						sizeof(buffer) - 1, &len),
			 -EINVAL);
	ck_assert_int_eq(dns_packet_build_query("a", DNS_TYPE_A, ID, &long_cookie, buffer,
						sizeof(buffer), &len),
			 -EINVAL);
	ck_assert_uint_eq(len, 77);
}
END_TEST

START_TEST(names_that_are_none_make_no_query)
{
	static const char *const names[] = {
		"",
		".",
		"a.",
		".a",
		"a..b",
		"a b",
		"a\tb",
		"a\nb",
		"a\x7f",
		"a\\b",
		"a\\046b",
		"b\xc3\xbc"
		"cher",
		LONG_LABEL "a",
		LONG_LABEL "." LONG_LABEL "." LONG_LABEL "."
			   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	};
	static const char *const good[] = {
		"a",
		"a.b",
		"_sip._tcp.example",
		"0/25.2.0.192.in-addr.arpa",
		"*.example",
		LONG_LABEL,
		LONG_LABEL "." LONG_LABEL "." LONG_LABEL "."
			   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	};
	static const struct dns_packet_options edns = { .edns = true };
	uint8_t buffer[DNS_QUERY_MAX_BYTES];
	size_t len = 77;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		ck_assert_msg(dns_packet_build_query(names[i], DNS_TYPE_A, ID, &edns, buffer,
						     sizeof(buffer), &len) == -EINVAL,
			      "accepted: %s", names[i]);
		ck_assert_uint_eq(len, 77);
	}
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		ck_assert_int_eq(dns_packet_build_query(good[i], DNS_TYPE_A, ID, &edns, buffer,
							sizeof(buffer), &len),
				 0);
		ck_assert_int_eq(dns_packet_scan(buffer, len), 0);
		buffer[2] |= 0x80;
		ck_assert(dns_packet_matches(buffer, len, good[i], DNS_TYPE_A, ID));
	}
	ck_assert_uint_eq(len, 12 + 255 + 4 + 11); /* the last was the longest */
}
END_TEST

START_TEST(only_the_answer_to_this_question_matches)
{
	static const struct {
		const char *what;
		size_t at;
		uint8_t byte;
	} changes[] = {
		{ "id, first byte", 0, 0x13 },
		{ "id, second byte", 1, 0x35 },
		{ "no QR", 2, 0x01 },
		{ "opcode 1", 2, 0x89 },
		{ "opcode 2", 2, 0x91 },
		{ "opcode 8", 2, 0xc1 },
		{ "no question", 5, 0x00 },
		{ "two questions", 5, 0x02 },
		{ "257 questions", 4, 0x01 },
		{ "name, first letter", 13, 'v' },
		{ "name, last letter", 23, 'f' },
		{ "name, a letter longer", 12, 0x04 },
		{ "name, a label more", 24, 0x01 },
		{ "type", 26, 0x1c },
		{ "type, upper byte", 25, 0x01 },
		{ "class", 28, 0x03 },
		{ "class, upper byte", 27, 0x80 },
	};
	static const char good[] = HEADER("\x00", "\x00", "\x00") QUESTION;
	static const char other_case[] =
		HEADER("\x00", "\x00", "\x00") "\x03"
					       "WwW\x07"
					       "EXAMPLE\x00\x00\x01\x00\x01";
	uint8_t bytes[sizeof(good) - 1];

	memcpy(bytes, good, sizeof(bytes));
	ck_assert(dns_packet_matches(bytes, sizeof(bytes), NAME, DNS_TYPE_A, ID));
	ck_assert(dns_packet_matches(bytes, sizeof(bytes), "WWW.Example", DNS_TYPE_A, ID));
	ck_assert(!dns_packet_matches(bytes, sizeof(bytes), "www.example.org", DNS_TYPE_A, ID));
	ck_assert(!dns_packet_matches(bytes, sizeof(bytes), "example", DNS_TYPE_A, ID));
	ck_assert(!dns_packet_matches(bytes, sizeof(bytes), "", DNS_TYPE_A, ID));
	ck_assert(!dns_packet_matches(bytes, sizeof(bytes), NAME, DNS_TYPE_AAAA, ID));
	ck_assert(!dns_packet_matches(bytes, sizeof(bytes), NAME, DNS_TYPE_A, 0x3412));
	memcpy(bytes, other_case, sizeof(bytes));
	ck_assert(dns_packet_matches(bytes, sizeof(bytes), NAME, DNS_TYPE_A, ID));
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		memcpy(bytes, good, sizeof(bytes));
		bytes[changes[i].at] = changes[i].byte;
		ck_assert_msg(!dns_packet_matches(bytes, sizeof(bytes), NAME, DNS_TYPE_A, ID),
			      "matches: %s", changes[i].what);
	}
	memcpy(bytes, good, sizeof(bytes));
	for (size_t len = 0; len < sizeof(bytes); len++) {
		CLEANUP(freep) uint8_t *cut = dns_bytes_copy(good, len);

		ck_assert(!dns_packet_matches(cut, len, NAME, DNS_TYPE_A, ID));
	}
}
END_TEST

START_TEST(what_is_not_well_formed_may_still_say_something)
{
	static const struct {
		struct dns_sample sample;
		enum dns_remnant remnant;
	} remnants[] = {
		{ { "TC, cut in a record", BYTES(HEADER_OF("\x83\x80", "\x01", "\x02", "\x00",
							   "\x00") QUESTION A_RR(AT_WWW) "\xc0") },
		  DNS_REMNANT_TRUNCATED },
		{ { "TC, the question alone",
		    BYTES(HEADER_OF("\x83\x80", "\x01", "\x02", "\x00", "\x00") QUESTION) },
		  DNS_REMNANT_TRUNCATED },
		{ { "cut without TC",
		    BYTES(HEADER("\x02", "\x00", "\x00") QUESTION A_RR(AT_WWW) "\xc0") },
		  DNS_REMNANT_NONE },
		{ { "TC, another question",
		    BYTES(HEADER_OF("\x83\x80", "\x01", "\x00", "\x00",
				    "\x00") "\x03wwv\x07"
					    "example\x00\x00\x01\x00\x01") },
		  DNS_REMNANT_NONE },
		{ { "header of FORMERR", BYTES("\x12\x34\x81\x81\0\0\0\0\0\0\0\0") },
		  DNS_REMNANT_REFUSED },
		{ { "header of NOTIMP", BYTES("\x12\x34\x81\x84\0\0\0\0\0\0\0\0") },
		  DNS_REMNANT_REFUSED },
		{ { "header of SERVFAIL", BYTES("\x12\x34\x81\x82\0\0\0\0\0\0\0\0") },
		  DNS_REMNANT_NONE },
		{ { "header of NOERROR", BYTES("\x12\x34\x81\x80\0\0\0\0\0\0\0\0") },
		  DNS_REMNANT_NONE },
		{ { "header with another id", BYTES("\x12\x35\x81\x81\0\0\0\0\0\0\0\0") },
		  DNS_REMNANT_NONE },
		{ { "header without QR", BYTES("\x12\x34\x01\x81\0\0\0\0\0\0\0\0") },
		  DNS_REMNANT_NONE },
		{ { "header that counts a question", BYTES("\x12\x34\x81\x81\0\1\0\0\0\0\0\0") },
		  DNS_REMNANT_NONE },
		{ { "header and a byte", BYTES("\x12\x34\x81\x81\0\0\0\0\0\0\0\0\0") },
		  DNS_REMNANT_NONE },
		{ { "eleven bytes", BYTES("\x12\x34\x81\x81\0\0\0\0\0\0\0") }, DNS_REMNANT_NONE },
		{ { "one byte", BYTES("\x12") }, DNS_REMNANT_NONE },
		{ { "nothing", BYTES("") }, DNS_REMNANT_NONE },
	};

	for (size_t i = 0; i < ARRAY_LEN(remnants); i++) {
		const struct dns_sample *sample = &remnants[i].sample;
		CLEANUP(freep) uint8_t *bytes = dns_bytes_copy(sample->bytes, sample->len);

		ck_assert_msg(dns_packet_get_remnant(bytes, sample->len, NAME, DNS_TYPE_A, ID) ==
				      remnants[i].remnant,
			      "not so: %s", sample->what);
	}
}
END_TEST

static struct dns_head read_head(const char *bytes, size_t len)
{
	CLEANUP(freep) uint8_t *copy = dns_bytes_copy(bytes, len);
	struct dns_head head;

	memset(&head, 0x5a, sizeof(head));
	ck_assert_int_eq(dns_packet_scan(copy, len), 0);
	dns_packet_read_head(copy, len, &head);
	return head;
}

/* An OPT of these options behind the question. */
static struct dns_head read_options(const char *options, size_t len)
{
	static const char before[] = HEADER("\x00", "\x00", "\x01") QUESTION OPT("\x00");
	char bytes[512];

	ck_assert_uint_le(sizeof(before) - 1 + len, sizeof(bytes));
	memcpy(bytes, before, sizeof(before) - 1);
	bytes[sizeof(before) - 3] = (char)(len >> 8);
	bytes[sizeof(before) - 2] = (char)len;
	memcpy(bytes + sizeof(before) - 1, options, len);
	return read_head(bytes, sizeof(before) - 1 + len);
}

START_TEST(flags_and_rcodes_are_read)
{
	static const struct {
		struct dns_sample sample;
		struct dns_head head;
	} heads[] = {
		{ { "plain", BYTES(HEADER("\x00", "\x00", "\x00") QUESTION) }, { .rcode = 0 } },
		{ { "TC", BYTES(HEADER_OF("\x83\x80", "\x01", "\x00", "\x00", "\x00") QUESTION) },
		  { .truncated = true } },
		{ { "AD", BYTES(HEADER_OF("\x81\xa0", "\x01", "\x00", "\x00", "\x00") QUESTION) },
		  { .authenticated = true } },
		{ { "CD is not AD",
		    BYTES(HEADER_OF("\x81\x90", "\x01", "\x00", "\x00", "\x00") QUESTION) },
		  { .rcode = 0 } },
		{ { "SERVFAIL",
		    BYTES(HEADER_OF("\x81\x82", "\x01", "\x00", "\x00", "\x00") QUESTION) },
		  { .rcode = DNS_RCODE_SERVFAIL } },
		{ { "OPT", BYTES(HEADER("\x00", "\x00", "\x01") QUESTION OPT("\x00")) },
		  { .edns = true } },
		{ { "BADVERS", BYTES(HEADER("\x00", "\x00", "\x01") QUESTION
				     "\x00\x00\x29\x04\xd0\x01\x00\x00\x00\x00\x00") },
		  { .rcode = DNS_RCODE_BADVERS, .edns = true } },
		{ { "BADCOOKIE",
		    BYTES(HEADER_OF("\x81\x87", "\x01", "\x00", "\x00", "\x01") QUESTION
			  "\x00\x00\x29\x04\xd0\x01\x00\x00\x00\x00\x00") },
		  { .rcode = DNS_RCODE_BADCOOKIE, .edns = true } },
		{ { "all bits", BYTES(HEADER_OF("\x83\xbf", "\x01", "\x00", "\x00", "\x01") QUESTION
				      "\x00\x00\x29\xff\xff\xff\xff\xff\xff\x00\x00") },
		  { .rcode = 4095, .truncated = true, .authenticated = true, .edns = true } },
		{ { "OPT before and behind others",
		    BYTES(HEADER_OF("\x81\x80", "\x01", "\x01", "\x00",
				    "\x03") QUESTION A_RR(AT_WWW)
				  A_RR(AT_WWW) "\x00\x00\x29\x04\xd0\x01\x00\x00\x00\x00\x00" A_RR(
					  AT_WWW)) },
		  { .rcode = DNS_RCODE_BADVERS, .edns = true } },
	};

	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		const struct dns_head *expected = &heads[i].head;
		struct dns_head head = read_head(heads[i].sample.bytes, heads[i].sample.len);

		ck_assert_msg(head.rcode == expected->rcode &&
				      head.truncated == expected->truncated &&
				      head.authenticated == expected->authenticated &&
				      head.edns == expected->edns,
			      "not so: %s", heads[i].sample.what);
		ck_assert_uint_eq(head.ede, DNS_EDE_NONE);
		ck_assert_str_eq(head.ede_text, "");
		ck_assert_uint_eq(head.cookie_len, 0);
	}
}
END_TEST

START_TEST(an_extended_error_is_a_number_and_printable_text)
{
	static const struct {
		struct dns_sample sample;
		uint16_t ede;
		const char *text;
	} errors[] = {
		{ { "number alone", BYTES("\x00\x0f\x00\x02\x00\x16") }, 22, "" },
		{ { "with text", BYTES("\x00\x0f\x00\x06\x00\x12"
				       "Bye.") },
		  18,
		  "Bye." },
		{ { "two octets of a number", BYTES("\x00\x0f\x00\x02\xc1\x02") }, 0xc102, "" },
		{ { "0 is an error", BYTES("\x00\x0f\x00\x02\x00\x00") }, 0, "" },
		{ { "no number", BYTES("\x00\x0f\x00\x00") }, DNS_EDE_NONE, "" },
		{ { "half a number", BYTES("\x00\x0f\x00\x01\x00") }, DNS_EDE_NONE, "" },
		{ { "the number that stands for none", BYTES("\x00\x0f\x00\x05\xff\xff"
							     "abc") },
		  DNS_EDE_NONE,
		  "" },
		{ { "half, then whole", BYTES("\x00\x0f\x00\x01\x00\x00\x0f\x00\x02\x00\x16") },
		  22,
		  "" },
		{ { "the first counts", BYTES("\x00\x0f\x00\x03\x00\x16"
					      "a\x00\x0f\x00\x03\x00\x17"
					      "b") },
		  22,
		  "a" },
		{ { "behind others",
		    BYTES("\x00\x0c\x00\x00\x00\x03\x00\x01x\x00\x0f\x00\x02\x00\x16") },
		  22,
		  "" },
		{ { "control characters", BYTES("\x00\x0f\x00\x10\x00\x16"
						"a\x00"
						"b\x1b[m\x07\r\n\t\x7f c\\") },
		  22,
		  "ab[m c\\" },
		{ { "not ASCII", BYTES("\x00\x0f\x00\x07\x00\x16"
				       "b\xc3\xbc"
				       "c\x9b") },
		  22,
		  "bc" },
	};

	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		struct dns_head head = read_options(errors[i].sample.bytes, errors[i].sample.len);

		ck_assert_msg(
			head.ede == errors[i].ede && strcmp(head.ede_text, errors[i].text) == 0,
			"not so: %s: %u \"%s\"", errors[i].sample.what, head.ede, head.ede_text);
		ck_assert(head.edns);
	}
}
END_TEST

START_TEST(the_text_of_an_extended_error_is_cut)
{
	char option[6 + 200] = "\x00\x0f\x00\x00\x00\x16";
	struct dns_head head;

	memset(option + 6, 'x', sizeof(option) - 6);
	for (size_t len = DNS_EDE_TEXT_BYTES - 2; len <= 200; len++) {
		option[3] = (char)(2 + len);
		head = read_options(option, 6 + len);
		ck_assert_uint_eq(head.ede, 22);
		ck_assert_uint_eq(strlen(head.ede_text),
				  len < DNS_EDE_TEXT_BYTES ? len : DNS_EDE_TEXT_BYTES - 1);
	}
}
END_TEST

START_TEST(a_cookie_has_8_or_16_to_40_octets)
{
	for (size_t len = 0; len <= DNS_COOKIE_MAX_BYTES + 1; len++) {
		char option[4 + DNS_COOKIE_MAX_BYTES + 1] = "\x00\x0a\x00";
		struct dns_head head;

		option[3] = (char)len;
		memcpy(option + 4, cookie, len);
		head = read_options(option, 4 + len);
		if (len == 8 || (len >= 16 && len <= 40)) {
			ck_assert_uint_eq(head.cookie_len, len);
			ck_assert_mem_eq(head.cookie, cookie, len);
		} else {
			ck_assert_uint_eq(head.cookie_len, 0);
		}
	}
}
END_TEST

/* RFC 7873 section 5.3. */
START_TEST(the_first_of_several_cookies_counts)
{
	struct dns_head head = read_options(BYTES("\x00\x0a\x00\x08"
						  "abcdefgh"
						  "\x00\x0a\x00\x08"
						  "ABCDEFGH"));

	ck_assert_uint_eq(head.cookie_len, 8);
	ck_assert_mem_eq(head.cookie, "abcdefgh", 8);
	head = read_options(BYTES("\x00\x0a\x00\x07"
				  "abcdefg"
				  "\x00\x0a\x00\x08"
				  "ABCDEFGH"));
	ck_assert_uint_eq(head.cookie_len, 0);
}
END_TEST

SUITE_MAIN("dns_packet", queries_are_these_bytes, a_padded_query_fills_its_blocks,
	   the_case_of_a_name_goes_out_as_it_is_written, what_does_not_fit_makes_no_query,
	   names_that_are_none_make_no_query, only_the_answer_to_this_question_matches,
	   what_is_not_well_formed_may_still_say_something, flags_and_rcodes_are_read,
	   an_extended_error_is_a_number_and_printable_text, the_text_of_an_extended_error_is_cut,
	   a_cookie_has_8_or_16_to_40_octets, the_first_of_several_cookies_counts)
