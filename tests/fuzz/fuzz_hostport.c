/* SPDX-License-Identifier: MIT */
/*
 * Any text to hostport_parse, with and without a default. What is accepted must be formatted and
 * parsed again to the same two halves.
 */
#include <stdlib.h>
#include <string.h>

#include "protocol/address.h"
#include "protocol/hostport.h"
#include "tests/fuzz/fuzz.h"

static void check(const char *text, const char *default_service)
{
	char joined[sizeof(struct hostport) + 4];
	struct hostport hostport;
	struct hostport again;

	if (hostport_parse(text, default_service, &hostport) < 0)
		return;
	if (!hostport.host[0] || !hostport.service[0])
		abort();
	if (hostport_format(hostport.host, hostport.service, joined, sizeof(joined)) < 0)
		abort();
	if (hostport_parse(joined, NULL, &again) < 0)
		abort();
	if (strcmp(hostport.host, again.host) != 0 || strcmp(hostport.service, again.service) != 0)
		abort();
}

/*
 * The same for addresses, which is where the host goes next. Names of interfaces are left to the
 * unit test.
 */
static void check_address(const char *text)
{
	char formatted[ADDRESS_TEXT_SIZE];
	struct address address;
	struct address again;

	if (strchr(text, '%') || address_parse(text, &address) < 0)
		return;
	(void)address_format(&address, formatted, sizeof(formatted));
	if (address_parse(formatted, &again) < 0 || !address_equal(&address, &again))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		abort();
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	check(text, NULL);
	check(text, "443");
	check("host", text);
	check_address(text);
	free(text);
	return 0;
}
