/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a hosts file; then every word of them, and the same in lower case, is looked up.
 * What comes back must be addresses, each once.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/base/limits.h"
#include "daemon/resolve/hosts.h"
#include "protocol/text.h"
#include "tests/fuzz/fuzz.h"

#define WORDS_MAX 200

static void look_up(struct hosts *hosts, const char *name)
{
	struct address addresses[LIMIT_DNS_ADDRESSES];
	size_t n = hosts_lookup(hosts, name, addresses, ARRAY_LEN(addresses));

	if (n > ARRAY_LEN(addresses))
		abort();
	for (size_t i = 0; i < n; i++) {
		if (address_len(&addresses[i]) == 0)
			abort();
		for (size_t j = 0; j < i; j++)
			if (address_equal(&addresses[i], &addresses[j]))
				abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(hosts_freep) struct hosts *hosts = NULL;
	CLEANUP(freep) char *text = malloc(size + 1);
	size_t first_bad_line;
	char *cursor = text;
	char *word;

	if (!text || hosts_new(&hosts, NULL) < 0)
		abort();
	if (hosts_parse(hosts, (const char *)data, size) < 0)
		abort();
	if ((hosts_get_bad_lines(hosts, &first_bad_line) == 0) != (first_bad_line == 0))
		abort();
	for (size_t i = 0; i < size; i++)
		text[i] = data[i] == '\n' || data[i] == '\r' || data[i] == '\0'
				  ? ' '
				  : text_lower((char)data[i]);
	text[size] = '\0';
	for (size_t i = 0; i < WORDS_MAX && (word = text_next_word(&cursor)) != NULL; i++)
		look_up(hosts, word);
	return 0;
}
