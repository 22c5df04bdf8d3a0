/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as gai.conf; then addresses of every kind are looked up, and every word that is an address. The same text
 * read again says the same, and IPv4 is the same in its mapped form.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/connect/gai-conf.h"
#include "protocol/text.h"
#include "tests/fuzz/fuzz.h"

#define WORDS_MAX 200

static void look_up(const struct gai_conf *conf, const struct gai_conf *again,
		    const struct address *address)
{
	struct address plain = address_unmap(*address);
	unsigned int label = gai_conf_get_label(conf, address);
	unsigned int precedence = gai_conf_get_precedence(conf, address);
	unsigned int scope = gai_conf_get_scope(conf, address);

	if (label > INT_MAX || precedence > INT_MAX || scope > INT_MAX)
		abort();
	if (label != gai_conf_get_label(again, &plain) ||
	    precedence != gai_conf_get_precedence(again, &plain) ||
	    scope != gai_conf_get_scope(again, &plain))
		abort();
}

static void look_up_text(const struct gai_conf *conf, const struct gai_conf *again, char *text)
{
	struct address address;

	text[strcspn(text, "/")] = '\0';
	if (address_parse_ipv6(text, &address) == 0)
		look_up(conf, again, &address);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const addresses[] = { "::",	    "::1",     "10.0.0.1", "169.254.1.1",
						 "2001::1", "fe80::1", "fd00::1",  "ff02::1" };
	CLEANUP(gai_conf_freep) struct gai_conf *conf = NULL;
	CLEANUP(gai_conf_freep) struct gai_conf *again = NULL;
	CLEANUP(freep) char *text = malloc(size + 1);
	char *cursor = text;
	char *word;
	size_t first_bad_line;

	if (!text || gai_conf_new(&conf, NULL) < 0 || gai_conf_new(&again, NULL) < 0)
		abort();
	if (gai_conf_parse(conf, (const char *)data, size) < 0 ||
	    gai_conf_parse(again, (const char *)data, size) < 0)
		abort();
	if ((gai_conf_get_bad_lines(conf, &first_bad_line) == 0) != (first_bad_line == 0))
		abort();
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		char copy[64] = { 0 };

		memcpy(copy, addresses[i], strlen(addresses[i]));
		look_up_text(conf, again, copy);
	}
	for (size_t i = 0; i < size; i++)
		text[i] =
			data[i] == '\n' || data[i] == '\r' || data[i] == '\0' ? ' ' : (char)data[i];
	text[size] = '\0';
	for (size_t i = 0; i < WORDS_MAX && (word = text_next_word(&cursor)) != NULL; i++)
		look_up_text(conf, again, word);
	return 0;
}
