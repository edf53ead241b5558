/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Server reflection, v1 and v1alpha (they differ in name alone), from the
 * descriptor set that is built in.  Files are found by a scan of it: it is
 * small, and who asks is a person with a tool.  Extensions there are none.
 */
#include "rpc/rpc_int.h"

#include <stdlib.h>
#include <string.h>

#include "proto/descriptors.h"
#include "proto/grpc/reflection/v1/reflection.pb-c.h"
#include "proto/grpc/reflection/v1alpha/reflection.pb-c.h"

typedef Grpc__Reflection__V1__ServerReflectionRequest Request;
typedef Grpc__Reflection__V1__ServerReflectionResponse Response;

/* Field numbers of google/protobuf/descriptor.proto. */
enum {
	SET_FILE = 1,
	FILE_NAME = 1,
	FILE_PACKAGE = 2,
	FILE_MESSAGE = 4,
	FILE_ENUM = 5,
	FILE_SERVICE = 6,
	ANY_NAME = 1, /* of a message, enum, service, method */
	MESSAGE_NESTED = 3,
	MESSAGE_ENUM = 4,
	SERVICE_METHOD = 2,
};

#define SERVICES_MAX 32

struct rpc_reflect {
	struct rpc_server *server;
};

struct stream_state {
	struct rpc_reflect *reflect;
	struct rpc_stream *stream;
};

/* ---- the descriptor set ---- */

static bool
take_varint(struct bytes *from, uint64_t *ret_value)
{
	uint64_t value = 0;
	struct bytes octet;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		if (!bytes_take(from, 1, &octet))
			return false;
		value |= (uint64_t)(octet.at[0] & 0x7f) << shift;
		if ((octet.at[0] & 0x80) == 0) {
			*ret_value = value;
			return true;
		}
	}
	return false;
}

/* The next length-delimited field; others are passed over. */
static bool
take_field(struct bytes *from, uint64_t *ret_number, struct bytes *ret_value)
{
	uint64_t key;
	uint64_t n;
	struct bytes skipped;

	while (take_varint(from, &key)) {
		bool ok = false;

		if ((key & 7) == 2) {
			*ret_number = key >> 3;
			return take_varint(from, &n) && n <= from->len &&
			       bytes_take(from, (size_t)n, ret_value);
		}
		if ((key & 7) == 0)
			ok = take_varint(from, &n);
		else if ((key & 7) == 1)
			ok = bytes_take(from, 8, &skipped);
		else if ((key & 7) == 5)
			ok = bytes_take(from, 4, &skipped);
		if (!ok)
			return false;
	}
	return false;
}

/* The first field of that number; empty when there is none. */
static struct bytes
field_of(struct bytes message, uint64_t number)
{
	uint64_t n;
	struct bytes value;

	while (take_field(&message, &n, &value))
		if (n == number)
			return value;
	return (struct bytes){ NULL, 0 };
}

/*
 * Does the symbol begin with name?  Then rest is what follows: empty, or what
 * comes after a dot.
 */
static bool
strip(struct bytes symbol, struct bytes name, struct bytes *ret_rest)
{
	struct bytes head;
	struct bytes dot;

	if (name.len == 0 || !bytes_take(&symbol, name.len, &head) ||
	    !bytes_equal(head, name))
		return false;
	if (symbol.len > 0 && (!bytes_take(&symbol, 1, &dot) ||
				  dot.at[0] != '.' || symbol.len == 0))
		return false;
	*ret_rest = symbol;
	return true;
}

static bool
service_defines(struct bytes service, struct bytes symbol)
{
	struct bytes rest;
	struct bytes value;
	uint64_t n;

	if (!strip(symbol, field_of(service, ANY_NAME), &rest))
		return false;
	while (rest.len > 0 && take_field(&service, &n, &value))
		if (n == SERVICE_METHOD &&
		    bytes_equal(field_of(value, ANY_NAME), rest))
			return true;
	return rest.len == 0;
}

/* Each round goes one name deeper into nested messages. */
static bool
message_defines(struct bytes message, struct bytes symbol)
{
	struct bytes rest;

	while (strip(symbol, field_of(message, ANY_NAME), &rest)) {
		struct bytes left = message;
		struct bytes value;
		struct bytes inner = { NULL, 0 };
		struct bytes unused;
		uint64_t n;

		if (rest.len == 0)
			return true;
		while (take_field(&left, &n, &value)) {
			struct bytes name = field_of(value, ANY_NAME);

			if (n == MESSAGE_ENUM && bytes_equal(name, rest))
				return true;
			if (n == MESSAGE_NESTED && strip(rest, name, &unused))
				inner = value;
		}
		if (inner.at == NULL)
			return false;
		message = inner;
		symbol = rest;
	}
	return false;
}

static bool
file_defines(struct bytes file, struct bytes symbol)
{
	struct bytes package = field_of(file, FILE_PACKAGE);
	struct bytes value;
	uint64_t n;

	if (package.len > 0 &&
	    (!strip(symbol, package, &symbol) || symbol.len == 0))
		return false;
	while (take_field(&file, &n, &value))
		if ((n == FILE_MESSAGE && message_defines(value, symbol)) ||
		    (n == FILE_SERVICE && service_defines(value, symbol)) ||
		    (n == FILE_ENUM &&
			bytes_equal(field_of(value, ANY_NAME), symbol)))
			return true;
	return false;
}

static bool
file_is_named(struct bytes file, struct bytes name)
{
	return bytes_equal(field_of(file, FILE_NAME), name);
}

static struct bytes
find_file(bool (*is_it)(struct bytes file, struct bytes name), const char *name)
{
	struct bytes set = { proto_descriptors, proto_descriptors_len };
	struct bytes file;
	uint64_t n;

	while (take_field(&set, &n, &file))
		if (n == SET_FILE && is_it(file, bytes_of(name)))
			return file;
	return (struct bytes){ NULL, 0 };
}

/* ---- the service ---- */

static void
respond(struct rpc_stream *stream, const Response *response)
{
	size_t len = protobuf_c_message_get_packed_size(&response->base);
	uint8_t *packed = malloc(len);

	if (packed == NULL) {
		rpc_stream_end(stream,
		    status_fail(STATUS_RESOURCE_EXHAUSTED,
			"the server has no memory left for this reply"));
		return;
	}
	protobuf_c_message_pack(&response->base, packed);
	rpc_stream_send(stream, (struct bytes){ packed, len });
	free(packed);
}

static void
respond_file(struct rpc_stream *stream, Response *response, struct bytes file)
{
	Grpc__Reflection__V1__FileDescriptorResponse found;
	Grpc__Reflection__V1__ErrorResponse error;
	union {
		const uint8_t *in;
		uint8_t *out; /* protobuf-c has no const; it only reads */
	} at = { .in = file.at };
	ProtobufCBinaryData octets = { .len = file.len, .data = at.out };
	char why[] = "there is no such file or symbol here";

	grpc__reflection__v1__file_descriptor_response__init(&found);
	found.n_file_descriptor_proto = 1;
	found.file_descriptor_proto = &octets;
	grpc__reflection__v1__error_response__init(&error);
	error.error_code = STATUS_NOT_FOUND;
	error.error_message = why;
	if (file.at != NULL) {
		response->message_response_case =
		    GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
		response->file_descriptor_response = &found;
	} else {
		response->message_response_case =
		    GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
		response->error_response = &error;
	}
	respond(stream, response);
}

static void
respond_services(struct stream_state *state, Response *response)
{
	Grpc__Reflection__V1__ServiceResponse services[SERVICES_MAX];
	Grpc__Reflection__V1__ServiceResponse *list[SERVICES_MAX];
	const ProtobufCServiceDescriptor *seen[SERVICES_MAX];
	Grpc__Reflection__V1__ListServiceResponse all =
	    GRPC__REFLECTION__V1__LIST_SERVICE_RESPONSE__INIT;
	const struct rpc_method *m = state->reflect->server->methods;

	for (; m != NULL && all.n_service < SERVICES_MAX; m = m->next) {
		size_t i = 0;

		while (i < all.n_service && seen[i] != m->service)
			i++;
		if (i < all.n_service)
			continue;
		union {
			const char *in;
			char *out;
		} name = { .in = m->service->name };
		grpc__reflection__v1__service_response__init(&services[i]);
		services[i].name = name.out;
		list[i] = &services[i];
		seen[i] = m->service;
		all.n_service++;
	}
	all.service = list;
	response->message_response_case =
	    GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
	response->list_services_response = &all;
	respond(state->stream, response);
}

static void
respond_unimplemented(struct rpc_stream *stream, Response *response)
{
	Grpc__Reflection__V1__ErrorResponse error;
	char why[] = "nothing here has extensions";

	grpc__reflection__v1__error_response__init(&error);
	error.error_code = STATUS_UNIMPLEMENTED;
	error.error_message = why;
	response->message_response_case =
	    GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
	response->error_response = &error;
	respond(stream, response);
}

static STATUS
info_open(void *ctx, struct rpc_stream *stream, const struct rpc_peer *peer,
    void **ret_state)
{
	struct stream_state *state = calloc(1, sizeof(*state));

	(void)peer;
	if (state == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "the server has no memory left for this call");
	state->reflect = ctx;
	state->stream = stream;
	*ret_state = state;
	return status_ok();
}

static STATUS
info_message(void *arg, struct bytes message)
{
	struct stream_state *state = arg;
	Response response;
	Request *request =
	    grpc__reflection__v1__server_reflection_request__unpack(
		NULL, message.len, message.at);

	if (request == NULL)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "the request is not a ServerReflectionRequest");
	grpc__reflection__v1__server_reflection_response__init(&response);
	response.valid_host = request->host;
	response.original_request = request;
	switch (request->message_request_case) {
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
		respond_file(state->stream, &response,
		    find_file(file_is_named, request->file_by_filename));
		break;
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
		respond_file(state->stream, &response,
		    find_file(file_defines, request->file_containing_symbol));
		break;
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES:
		respond_services(state, &response);
		break;
	default:
		respond_unimplemented(state->stream, &response);
		break;
	}
	grpc__reflection__v1__server_reflection_request__free_unpacked(
	    request, NULL);
	return status_ok();
}

static void
info_closed(void *state)
{
	free(state);
}

STATUS
rpc_reflect_new(struct rpc_server *server, struct rpc_reflect **ret_reflect)
{
	static const struct rpc_stream_ops info = { .open = info_open,
		.message = info_message,
		.closed = info_closed };
	static const char method[] = "ServerReflectionInfo";
	struct rpc_reflect *reflect = calloc(1, sizeof(*reflect));

	if (reflect == NULL)
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "no memory for reflection");
	reflect->server = server;
	rpc_server_add_stream(server,
	    &grpc__reflection__v1__server_reflection__descriptor, method, &info,
	    reflect);
	rpc_server_add_stream(server,
	    &grpc__reflection__v1alpha__server_reflection__descriptor, method,
	    &info, reflect);
	*ret_reflect = reflect;
	return status_ok();
}

void
rpc_reflect_free(struct rpc_reflect *reflect)
{
	free(reflect);
}
