/* SPDX-License-Identifier: MIT */
#include "daemon/front/methods-service.h"

#include "daemon/front/call.h"
#include "daemon/front/interfaces.h"
#include "protocol/error.h"

#define INTERFACE "org.varlink.service"

static void start_get_info(struct call *call)
{
	json_t *names = json_array();
	const struct interface *interfaces;
	size_t n;

	if (!call_read_parameters(call, NULL)) {
		json_decref(names);
		return;
	}
	interfaces = interfaces_get(&n);
	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(names, json_string(interfaces[i].name));
	call_reply(call, json_pack("{sssssssssO}", "vendor", "asockd", "product", "asockd",
				   "version", PACKAGE_VERSION, "url", "", "interfaces", names));
	json_decref(names);
}

struct description_parameters {
	const char *interface;
};

static const struct parameter description_table[] = {
	{ "interface", PARAMETER_STRING, .is_required = true,
	  offsetof(struct description_parameters, interface) },
	{ 0 },
};

static void start_get_interface_description(struct call *call)
{
	struct description_parameters parameters = { 0 };
	const struct interface *interface;

	if (!call_read_parameters(call, &parameters))
		return;
	interface = interfaces_find(parameters.interface);
	if (interface)
		call_reply(call, json_pack("{ss}", "description", interface->text));
	else
		call_fail(call, -ASOCK_E_INTERFACE_NOT_FOUND,
			  json_pack("{ss}", "interface", parameters.interface));
}

const struct method methods_service[] = {
	{ INTERFACE, "GetInfo", .start = start_get_info },
	{ INTERFACE, "GetInterfaceDescription", description_table,
	  .start = start_get_interface_description },
	{ 0 },
};
