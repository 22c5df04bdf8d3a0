/* SPDX-License-Identifier: MIT */
#include "daemon/front/interfaces.h"

#include <string.h>

#include "protocol/cleanup.h"

/* Made by the build: one { name, text } a file. */
static const struct interface interfaces[] = {
#include "protocol/varlink-texts.inc"
};

const struct interface *interfaces_get(size_t *ret_n)
{
	*ret_n = ARRAY_LEN(interfaces);
	return interfaces;
}

const struct interface *interfaces_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(interfaces); i++)
		if (strcmp(interfaces[i].name, name) == 0)
			return &interfaces[i];
	return NULL;
}
