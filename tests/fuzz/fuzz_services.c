/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a services file; then every word of them is asked for over every transport. An
 * answer is a port.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/resolve/services.h"
#include "protocol/error.h"
#include "protocol/text.h"
#include "tests/fuzz/fuzz.h"

#define WORDS_MAX 200

static void ask(struct services *services, const char *service)
{
	for (enum transport transport = TRANSPORT_TCP; transport <= TRANSPORT_SCTP; transport++) {
		uint16_t port = 0;
		int r = services_resolve(services, service, transport, &port);

		if (r == 0 ? port == 0 : r != -ASOCK_E_UNKNOWN_SERVICE)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(services_freep) struct services *services = NULL;
	CLEANUP(freep) char *text = malloc(size + 1);
	size_t first_bad_line;
	char *cursor = text;
	char *word;

	if (!text || services_new(&services, NULL) < 0)
		abort();
	if (services_parse(services, (const char *)data, size) < 0)
		abort();
	if ((services_get_bad_lines(services, &first_bad_line) == 0) != (first_bad_line == 0))
		abort();
	for (size_t i = 0; i < size; i++)
		text[i] =
			data[i] == '\n' || data[i] == '\r' || data[i] == '\0' ? ' ' : (char)data[i];
	text[size] = '\0';
	for (size_t i = 0; i < WORDS_MAX && (word = text_next_word(&cursor)) != NULL; i++)
		ask(services, word);
	return 0;
}
