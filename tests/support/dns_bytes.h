/* SPDX-License-Identifier: MIT */
/*
 * Pieces of DNS messages written by hand, byte for byte: none of ours and none of ldns's writing, so that the scanner and
 * what reads behind it are judged by the RFCs and not by themselves. And messages made by code, for what is too large to
 * write down. dns_message is for the scripted server; this is for tables.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ID	   0x1234
#define NAME	   "www.example"
#define LONG_LABEL "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" /* 63 */

/* A header takes the three counts, each one byte; the question of NAME stands at 12, "example" at 16. */
#define HEADER_OF(flags, questions, answers, authority, additional) \
	"\x12\x34" flags "\x00" questions "\x00" answers "\x00" authority "\x00" additional
#define HEADER(answers, authority, additional) \
	HEADER_OF("\x81\x80", "\x01", answers, authority, additional)
#define WWW           \
	"\x03www\x07" \
	"example\x00"
#define QUESTION     WWW "\x00\x01\x00\x01"
#define AT_WWW	     "\xc0\x0c"
#define AT_EXAMPLE   "\xc0\x10"
#define IN	     "\x00\x01"
#define TTL	     "\x00\x00\x01\x2c"
#define TYPE(number) "\x00" number
#define RR(owner, type, len) \
	owner TYPE(type)     \
	IN TTL "\x00" len
#define A_RR(owner) RR(owner, "\x01", "\x04") "\xc0\x00\x02\x01"
#define OPT(len)    "\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00" len
#define TWENTY	    "\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00\x04\x00\x00\x00\x05"
#define BYTES(text) (text), sizeof(text) - 1

struct dns_sample {
	const char *what;
	const char *bytes;
	size_t len;
};

/* On the heap and of its exact size, so that a sanitizer sees one byte too far. The caller frees it. */
uint8_t *dns_bytes_copy(const char *bytes, size_t len);

#define DNS_BYTES_MAX 65535

struct dns_bytes {
	uint8_t bytes[DNS_BYTES_MAX];
	size_t len;
	unsigned int n_answers;
};

/* The header and the question of NAME for an A. */
void dns_bytes_begin(struct dns_bytes *message);
bool dns_bytes_has_room(const struct dns_bytes *message, size_t len);
void dns_bytes_put(struct dns_bytes *message, const char *bytes, size_t len);
void dns_bytes_put_pointer(struct dns_bytes *message, size_t target);
void dns_bytes_count_answer(struct dns_bytes *message);
/*
 * A record whose data is a type nobody looks into: "a" and a root, then n_links pointers, each to the one before and, if
 * with_labels, behind an "a" of its own. Returns where the last is, which is a name of n_links pointers. Its owner is the root.
 */
size_t dns_bytes_put_ladder(struct dns_bytes *message, unsigned int n_links, bool with_labels);

/* Processor time of one call, the best of some: what else the machine does shall not count. */
double dns_bytes_measure_us(void (*call)(struct dns_bytes *message), struct dns_bytes *message);

/* max_us where this was compiled to be fast; else, with a sanitizer or under valgrind, 10 ms. */
double dns_bytes_limit_us(double max_us);
