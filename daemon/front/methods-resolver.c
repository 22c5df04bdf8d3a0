/* SPDX-License-Identifier: MIT */
#include "daemon/front/methods-resolver.h"

#include "daemon/front/call.h"
#include "daemon/front/destination.h"
#include "daemon/front/replies-resolver.h"
#include "daemon/resolve/dns-text.h"
#include "protocol/error.h"

#define INTERFACE "org.asockd.Resolver"

#define AT(field) offsetof(struct destination, field)

static const struct parameter sockaddr_table[] = {
	{ "host", PARAMETER_STRING, .is_required = true, .offset = AT(host) },
	{ "service", PARAMETER_STRING, .offset = AT(service) },
	{ "protocol", PARAMETER_WORD, .offset = AT(protocol), .words = destination_protocol_words },
	{ "family", PARAMETER_WORD, .offset = AT(family), .words = destination_family_words },
	{ "timeoutUsec", PARAMETER_USEC, .offset = AT(timeout_us) },
	{ 0 },
};

/* The domain is what the host is elsewhere. */
static const struct parameter service_table[] = {
	{ "service", PARAMETER_STRING, .is_required = true, .offset = AT(service) },
	{ "protocol", PARAMETER_WORD, .offset = AT(protocol), .words = destination_protocol_words },
	{ "domain", PARAMETER_STRING, .is_required = true, .offset = AT(host) },
	{ "family", PARAMETER_WORD, .offset = AT(family), .words = destination_family_words },
	{ "timeoutUsec", PARAMETER_USEC, .offset = AT(timeout_us) },
	{ 0 },
};

static const struct parameter address_table[] = {
	{ "address", PARAMETER_STRING, .is_required = true, .offset = AT(host) },
	{ "timeoutUsec", PARAMETER_USEC, .offset = AT(timeout_us) },
	{ 0 },
};

#undef AT

/* Methods whose parameters are a destination's. */
static void start_request(struct call *call, enum request_kind kind)
{
	struct destination destination = { 0 };
	struct request_params request = { .kind = kind,
					  .identity = call_get_params(call)->identity };

	if (!call_read_parameters(call, &destination))
		return;
	destination_put(&destination, &request);
	call_run(call, &request);
}

static void start_resolve_sockaddr(struct call *call)
{
	start_request(call, REQUEST_RESOLVE);
}

static void start_resolve_service(struct call *call)
{
	start_request(call, REQUEST_SERVICE);
}

static void start_resolve_address(struct call *call)
{
	start_request(call, REQUEST_ADDRESS);
}

struct record_parameters {
	const char *name, *type;
	struct optional_int timeout_us;
};

static const struct parameter record_table[] = {
	{ "name", PARAMETER_STRING, .is_required = true,
	  .offset = offsetof(struct record_parameters, name) },
	{ "type", PARAMETER_STRING, .is_required = true,
	  .offset = offsetof(struct record_parameters, type) },
	{ "timeoutUsec", PARAMETER_USEC, .offset = offsetof(struct record_parameters, timeout_us) },
	{ 0 },
};

static void start_resolve_record(struct call *call)
{
	struct record_parameters parameters = { 0 };
	struct request_params request = { .kind = REQUEST_RECORD,
					  .identity = call_get_params(call)->identity };

	if (!call_read_parameters(call, &parameters))
		return;
	if (dns_text_type_from_name(parameters.type, &request.type) < 0) {
		call_fail(call, -ASOCK_E_INVALID_NAME,
			  json_pack("{ss}", "reason",
				    "the type is no record type that can be asked for"));
		return;
	}
	request.host = parameters.name;
	request.timeout_us = (uint64_t)parameters.timeout_us.value;
	call_run(call, &request);
}

static void finish_resolve_sockaddr(struct call *call, const struct request_result *result)
{
	call_reply(call, replies_resolver_addresses(result));
}

static void finish_resolve_service(struct call *call, const struct request_result *result)
{
	call_reply(call, replies_resolver_service(result));
}

static void finish_resolve_record(struct call *call, const struct request_result *result)
{
	call_reply(call, replies_resolver_records(result));
}

static void finish_resolve_address(struct call *call, const struct request_result *result)
{
	call_reply(call, replies_resolver_names(result));
}

const struct method methods_resolver[] = {
	{ INTERFACE, "ResolveSockaddr", sockaddr_table, .start = start_resolve_sockaddr,
	  .finish = finish_resolve_sockaddr },
	{ INTERFACE, "ResolveService", service_table, .start = start_resolve_service,
	  .finish = finish_resolve_service },
	{ INTERFACE, "ResolveRecord", record_table, .start = start_resolve_record,
	  .finish = finish_resolve_record },
	{ INTERFACE, "ResolveAddress", address_table, .start = start_resolve_address,
	  .finish = finish_resolve_address },
	{ 0 },
};
