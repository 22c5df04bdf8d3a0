/* SPDX-License-Identifier: MIT */
/*
 * base/netlink: messages that are cut or lie about their lengths. What the real kernel says is in test_hostaddrs,
 * test_network and test_synthetic.
 */
#include "daemon/base/netlink.h"

#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/support/suite.h"

/* An attribute, in the host's order. */
struct bytes {
	char bytes[256];
	size_t len;
};

static void put(struct bytes *bytes, const void *data, size_t len)
{
	ck_assert_uint_le(bytes->len + len + 3, sizeof(bytes->bytes));
	memcpy(bytes->bytes + bytes->len, data, len);
	bytes->len += NLMSG_ALIGN(len);
}

static void put_attribute(struct bytes *bytes, unsigned short type, const void *data, size_t len)
{
	struct rtattr head = { .rta_type = type, .rta_len = (unsigned short)RTA_LENGTH(len) };

	put(bytes, &head, sizeof(head));
	put(bytes, data, len);
}

/* On the heap and of its exact size, so that a sanitizer sees one byte too far. */
static struct netlink_span copy(const struct bytes *bytes, size_t len)
{
	char *heap = malloc(len > 0 ? len : 1);

	ck_assert_ptr_nonnull(heap);
	memcpy(heap, bytes->bytes, len);
	return (struct netlink_span){ heap, len };
}

static void release(struct netlink_span span)
{
	free((char *)(uintptr_t)span.bytes);
}

START_TEST(an_attribute_is_found_behind_others)
{
	const uint32_t number = 7;
	struct bytes bytes = { .len = 0 };
	struct netlink_span span, value;

	put_attribute(&bytes, 1, "abc", 3); /* three bytes, one of padding */
	put_attribute(&bytes, 2, "", 0);
	put_attribute(&bytes, 3, &number, sizeof(number));
	span = copy(&bytes, bytes.len);
	value = netlink_find(span, 1);
	ck_assert_uint_eq(value.len, 3);
	ck_assert_int_eq(memcmp(value.bytes, "abc", 3), 0);
	ck_assert_ptr_nonnull(netlink_find(span, 2).bytes);
	ck_assert_uint_eq(netlink_find(span, 2).len, 0);
	ck_assert_uint_eq(netlink_find_number(span, 3, 9), 7);
	ck_assert_uint_eq(netlink_find_number(span, 1, 9), 9); /* of another length */
	ck_assert_uint_eq(netlink_find_number(span, 4, 9), 9);
	ck_assert_ptr_null(netlink_find(span, 4).bytes);
	release(span);
}
END_TEST

START_TEST(a_cut_message_has_the_attributes_that_are_whole)
{
	struct bytes bytes = { .len = 0 };

	put_attribute(&bytes, 1, "abcd", 4);
	put_attribute(&bytes, 2, "efgh", 4);
	for (size_t len = 0; len <= bytes.len; len++) {
		struct netlink_span span = copy(&bytes, len);

		ck_assert_int_eq(netlink_find(span, 1).bytes != NULL, len >= 8);
		ck_assert_int_eq(netlink_find(span, 2).bytes != NULL, len >= 16);
		release(span);
	}
}
END_TEST

START_TEST(an_attribute_that_lies_about_its_length_ends_the_list)
{
	static const unsigned short lengths[] = { 0, 1, 3, 9, 17, 0xffff };

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct bytes bytes = { .len = 0 };
		struct netlink_span span;

		put_attribute(&bytes, 1, "abcd", 4);
		put_attribute(&bytes, 2, "efgh", 4);
		memcpy(bytes.bytes, &lengths[i], sizeof(lengths[i]));
		span = copy(&bytes, bytes.len);
		(void)netlink_find(span, 7);
		ck_assert_ptr_null(netlink_find(span, 2).bytes);
		release(span);
	}
}
END_TEST

START_TEST(the_fixed_part_must_be_there)
{
	struct bytes bytes = { .len = 0 };
	uint16_t part = 0;
	struct netlink_span span;

	put(&bytes, "\x01\x02\x03\x04\x05\x06\x07\x08", 8);
	span = copy(&bytes, 1);
	ck_assert(!netlink_take(&span, &part, sizeof(part)));
	ck_assert_uint_eq(span.len, 1);
	release(span);
	span = (struct netlink_span){ bytes.bytes, 2 };
	ck_assert(netlink_take(&span, &part, sizeof(part)));
	ck_assert_int_eq(memcmp(&part, "\x01\x02", 2), 0);
	ck_assert_uint_eq(span.len, 0);
	span = (struct netlink_span){ bytes.bytes, 8 };
	ck_assert(netlink_take(&span, &part, sizeof(part)));
	ck_assert_uint_eq(span.len, 4);
	ck_assert_ptr_eq(span.bytes, bytes.bytes + 4);
}
END_TEST

START_TEST(an_address_has_the_length_of_its_family)
{
	static const char bytes[17] = { (char)0xfe, (char)0x80 };
	struct address address = { .family = 99 };

	for (size_t len = 0; len <= sizeof(bytes); len++) {
		struct netlink_span span = { bytes, len };

		ck_assert_int_eq(netlink_read_address(span, AF_INET, 3, &address), len == 4);
		ck_assert_int_eq(netlink_read_address(span, AF_INET6, 3, &address), len == 16);
		ck_assert(!netlink_read_address(span, AF_UNSPEC, 3, &address));
	}
	ck_assert_uint_eq(address.scope, 3);
}
END_TEST

START_TEST(a_route_has_one_way_or_several_and_dead_ones_are_none)
{
	static const uint8_t gateways[][4] = { { 10, 0, 0, 1 }, { 10, 0, 0, 2 }, { 10, 0, 0, 3 } };
	const uint8_t via[18] = { AF_INET6, 0, 0x20, 0x01, [17] = 9 };
	const uint32_t interface = 5;
	struct bytes one = { .len = 0 }, several = { .len = 0 }, all = { .len = 0 };
	struct netlink_hop hops[4] = { 0 };
	struct netlink_span span;

	put_attribute(&one, RTA_OIF, &interface, sizeof(interface));
	span = (struct netlink_span){ one.bytes, one.len };
	ck_assert_uint_eq(netlink_read_hops(span, AF_INET, hops, 4), 1);
	ck_assert_int_eq(hops[0].gateway.family, 0);
	ck_assert_uint_eq(hops[0].interface, 5);
	put_attribute(&one, RTA_VIA, via, sizeof(via));
	span = (struct netlink_span){ one.bytes, one.len };
	ck_assert_uint_eq(netlink_read_hops(span, AF_INET, hops, 4), 1);
	ck_assert_int_eq(hops[0].gateway.family, AF_INET6);
	ck_assert_uint_eq(hops[0].gateway.bytes[15], 9);
	ck_assert_uint_eq(netlink_read_hops(span, AF_INET, hops, 0), 0);

	for (size_t i = 0; i < ARRAY_LEN(gateways); i++) {
		struct rtnexthop way = { .rtnh_len = sizeof(way) + 8,
					 .rtnh_flags = i == 1 ? RTNH_F_DEAD : 0,
					 .rtnh_ifindex = (int)i };

		put(&several, &way, sizeof(way));
		put_attribute(&several, RTA_GATEWAY, gateways[i], 4);
	}
	put_attribute(&all, RTA_MULTIPATH, several.bytes, several.len);
	for (size_t len = 0; len <= all.len; len++) {
		size_t n;

		span = copy(&all, len);
		n = netlink_read_hops(span, AF_INET, hops, 4);
		ck_assert_uint_eq(n, len < all.len ? 1 : 2);
		release(span);
	}
	ck_assert_uint_eq(hops[1].gateway.bytes[3], 3);
	ck_assert_uint_eq(hops[1].interface, 2);
	span = (struct netlink_span){ all.bytes, all.len };
	ck_assert_uint_eq(netlink_read_hops(span, AF_INET, hops, 1), 1);
	for (unsigned int len = 0; len < sizeof(struct rtnexthop); len++) {
		memcpy(all.bytes + 4, &(uint16_t){ (uint16_t)len }, 2);
		ck_assert_uint_eq(netlink_read_hops(span, AF_INET, hops, 4), 0);
	}
	memcpy(all.bytes + 4, &(uint16_t){ 0xffff }, 2);
	ck_assert_uint_eq(netlink_read_hops(span, AF_INET, hops, 4), 0);
}
END_TEST

static int on_message(uint16_t type, struct netlink_span body, void *arg)
{
	unsigned int *n = arg;

	(void)type;
	(void)body;
	return ++*n == 2 ? 42 : 0;
}

START_TEST(what_the_callback_says_is_the_result)
{
	const struct {
		struct nlmsghdr header;
		struct rtmsg message;
	} question = {
		.header = { .nlmsg_len = sizeof(question),
			    .nlmsg_type = RTM_GETROUTE,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.message = { .rtm_family = AF_INET, .rtm_table = RT_TABLE_LOCAL },
	};
	bool is_torn = false;
	unsigned int n = 0;

	ck_assert_int_eq(netlink_dump(&question, sizeof(question), on_message, &n, &is_torn), 42);
	ck_assert_uint_eq(n, 2);
	n = 1;
	/* A question of one answer that the kernel refuses. */
	ck_assert_int_lt(netlink_ask(&question, sizeof(question.header), on_message, &n), 0);
	ck_assert_uint_eq(n, 1);
}
END_TEST

SUITE_MAIN("netlink", an_attribute_is_found_behind_others,
	   a_cut_message_has_the_attributes_that_are_whole,
	   an_attribute_that_lies_about_its_length_ends_the_list, the_fixed_part_must_be_there,
	   an_address_has_the_length_of_its_family,
	   a_route_has_one_way_or_several_and_dead_ones_are_none,
	   what_the_callback_says_is_the_result)
