/* SPDX-License-Identifier: MIT */
#include "daemon/front/methods.h"

#include <string.h>

#include "daemon/front/method.h"
#include "daemon/front/methods-connector.h"
#include "daemon/front/methods-manager.h"
#include "daemon/front/methods-resolver.h"
#include "daemon/front/methods-service.h"
#include "protocol/cleanup.h"

static const struct method *const tables[] = { methods_connector, methods_manager, methods_resolver,
					       methods_service };

static const struct method *find_in(const struct method *table, const char *name)
{
	for (const struct method *method = table; method->name; method++)
		if (strcmp(method->name, name) == 0)
			return method;
	return NULL;
}

const struct method *methods_find(const char *full_name, bool *ret_interface_known)
{
	const char *dot = strrchr(full_name, '.');
	size_t len = dot ? (size_t)(dot - full_name) : 0;

	*ret_interface_known = false;
	for (size_t i = 0; dot && i < ARRAY_LEN(tables); i++) {
		if (strlen(tables[i]->interface) != len ||
		    strncmp(tables[i]->interface, full_name, len) != 0)
			continue;
		*ret_interface_known = true;
		return find_in(tables[i], dot + 1);
	}
	return NULL;
}

const struct method *const *methods_get_tables(size_t *ret_n)
{
	*ret_n = ARRAY_LEN(tables);
	return tables;
}
