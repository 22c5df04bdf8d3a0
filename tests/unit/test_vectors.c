/* SPDX-License-Identifier: MIT */
/*
 * The 600 vectors of tests/vectors: what AnyEvent 7.17 answered, and where that is not what is
 * wanted ("want") what is. This is the contract of address and hostport; the other suites show what
 * vectors cannot.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/address.h"
#include "protocol/hostport.h"
#include "tests/support/suite.h"

#define N_VECTORS 600

static const char *string_at(const json_t *array, size_t index)
{
	return json_string_value(json_array_get(array, index));
}

/* Hexadecimal of the bytes, "unix/" for the token. */
static json_t *bytes_to_json(const struct address *address)
{
	char text[2 * sizeof(address->bytes) + 1] = "";

	if (address->family == AF_UNIX)
		return json_string("unix/");
	for (size_t i = 0; i < address_len(address); i++)
		(void)snprintf(text + 2 * i, 3, "%02x", address->bytes[i]);
	return json_string(text);
}

static unsigned int hex_value(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *digit = strchr(digits, c);

	ck_assert_ptr_nonnull(digit);
	return (unsigned int)(digit - digits);
}

/*
 * -EINVAL for a length that is no address: such a thing cannot even be written down as a struct
 * address.
 */
static int bytes_from_json(const char *text, struct address *ret)
{
	struct address address = { .family = AF_INET };
	size_t len = strlen(text);

	if (strcmp(text, "unix/") == 0) {
		*ret = (struct address){ .family = AF_UNIX };
		return 0;
	}
	if (len != 8 && len != 32)
		return -EINVAL;
	if (len == 32)
		address.family = AF_INET6;
	for (size_t i = 0; i < len / 2; i++)
		address.bytes[i] =
			(uint8_t)(hex_value(text[2 * i]) << 4 | hex_value(text[2 * i + 1]));
	*ret = address;
	return 0;
}

static json_t *parsed(int result, const struct address *address)
{
	return result < 0 ? json_null() : bytes_to_json(address);
}

static json_t *run_format(const char *function, const char *hex)
{
	char text[ADDRESS_TEXT_SIZE];
	struct address address;

	if (bytes_from_json(hex, &address) < 0)
		return json_null();
	if (strcmp(function, "format_address") == 0)
		return json_string(address_format_plain(&address, text, sizeof(text)));
	ck_assert_int_eq(address.family, strcmp(function, "format_ipv4") == 0 ? AF_INET : AF_INET6);
	return json_string(address_format(&address, text, sizeof(text)));
}

static json_t *run(const char *function, const json_t *in)
{
	struct hostport hostport;
	struct address address;
	char text[sizeof(hostport) + 4];

	if (strcmp(function, "parse_ipv4") == 0)
		return parsed(address_parse_ipv4(string_at(in, 0), &address), &address);
	if (strcmp(function, "parse_ipv6") == 0)
		return parsed(address_parse_ipv6(string_at(in, 0), &address), &address);
	if (strcmp(function, "parse_address") == 0)
		return parsed(address_parse(string_at(in, 0), &address), &address);
	if (strcmp(function, "parse_hostport") == 0) {
		if (hostport_parse(string_at(in, 0), string_at(in, 1), &hostport) < 0)
			return json_null();
		return json_pack("[ss]", hostport.host, hostport.service);
	}
	if (strcmp(function, "format_hostport") == 0) {
		if (hostport_format(string_at(in, 0), string_at(in, 1), text, sizeof(text)) < 0)
			return json_null();
		return json_string(text);
	}
	if (strncmp(function, "format_", 7) == 0)
		return run_format(function, string_at(in, 0));
	ck_abort_msg("no such function: %s", function);
	return NULL;
}

static bool agrees(const json_t *vector)
{
	const json_t *want = json_object_get(vector, "want");
	json_t *got = run(json_string_value(json_object_get(vector, "fn")),
			  json_object_get(vector, "in"));
	bool equal;

	if (!want)
		want = json_object_get(vector, "out");
	equal = json_equal(got, want);
	json_decref(got);
	return equal;
}

START_TEST(every_vector_agrees)
{
	const char *directory = getenv("srcdir");
	CLEANUP(freep) char *path = NULL;
	CLEANUP(freep) char *line = NULL;
	size_t line_size = 0;
	size_t n_agree = 0;
	size_t n = 0;
	FILE *file;

	ck_assert_int_gt(asprintf(&path, "%s/tests/vectors/anyevent-address.jsonl",
				  directory ? directory : "."),
			 0);
	file = fopen(path, "re");
	ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
	while (getline(&line, &line_size, file) > 0) {
		json_t *vector = json_loads(line, JSON_REJECT_DUPLICATES, NULL);

		n++;
		ck_assert_msg(vector != NULL, "line %zu is no JSON", n);
		if (agrees(vector))
			n_agree++;
		else
			(void)fprintf(stderr, "line %zu disagrees: %s", n, line);
		json_decref(vector);
	}
	(void)fclose(file);
	ck_assert_msg(n_agree == n && n >= N_VECTORS, "%zu of %zu lines agree, %d are expected",
		      n_agree, n, N_VECTORS);
}
END_TEST

SUITE_MAIN("vectors", every_vector_agrees)
