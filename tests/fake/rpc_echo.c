/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Signer that signs by echoing, for tests/system/test_rpc.py: other people's
 * clients, good and bad, against the rpc room alone.
 *
 *     rpc_echo <ca.pem> <cert.pem> <key.pem>
 *
 * Prints its port, then obeys lines on stdin: "serving", "not-serving"; at the
 * end of stdin it drains and leaves with 0.  What a unary request's content
 * says is done: "refuse", "sleep"; peers named "denied" may call nothing.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "proto/holdfast/keyd/v1/signer.pb-c.h"
#include "rpc/server.h"

typedef Holdfast__Keyd__V1__SignRequest SignRequest;
typedef Holdfast__Keyd__V1__SignResponse SignResponse;
typedef Holdfast__Keyd__V1__SignBatch SignBatch;
typedef Holdfast__Keyd__V1__SignReplyBatch SignReplyBatch;

#define PEM_MAX 16384
#define BATCH_MAX 256

struct files {
	char ca[PEM_MAX], cert[PEM_MAX], key[PEM_MAX];
};

static bool
read_file(const char *path, char into[PEM_MAX])
{
	FILE *f = fopen(path, "r");

	if (f == NULL) {
		perror(path);
		return false;
	}
	size_t len = fread(into, 1, PEM_MAX - 1, f);
	into[len] = '\0';
	fclose(f);
	return true;
}

static STATUS
identity(void *ctx, bool *ret_changed, char **ret_cert, char **ret_key)
{
	const struct files *files = ctx;

	if (!*ret_changed)
		return status_ok();
	*ret_cert = strdup(files->cert);
	*ret_key = strdup(files->key);
	return status_ok();
}

static STATUS
authorize(void *ctx, const struct rpc_peer *peer, const char *method)
{
	(void)ctx;
	(void)method;
	if (strstr(peer->spiffe_id, "/denied") != NULL)
		return status_fail(
		    STATUS_PERMISSION_DENIED, "this identity may call nothing");
	return status_ok();
}

static bool
says(const ProtobufCBinaryData *content, const char *word)
{
	return bytes_equal(
	    (struct bytes){ content->data, content->len }, bytes_of(word));
}

static struct status
sign(void *ctx, const struct rpc_call *call, const ProtobufCMessage *message,
    struct rpc_reply *reply)
{
	const SignRequest *request = (const SignRequest *)message;
	SignResponse response;
	char who[256];

	(void)ctx;
	if (says(&request->content, "refuse")) {
		rpc_reply_why(reply, "no grant for scheme 0x%04x to %s",
		    request->scheme, call->peer->spiffe_id);
		return status_fail(STATUS_PERMISSION_DENIED, "no grant");
	}
	if (says(&request->content, "sleep"))
		sleep(1);
	snprintf(who, sizeof(who), "%s", call->peer->spiffe_id);
	holdfast__keyd__v1__sign_response__init(&response);
	response.id = request->id;
	response.signature = request->content;
	response.why = who;
	rpc_reply_set(reply, &response.base);
	return status_ok();
}

static STATUS
stream_open(void *ctx, struct rpc_stream *stream, const struct rpc_peer *peer,
    void **ret_state)
{
	(void)ctx;
	(void)peer;
	*ret_state = stream;
	return status_ok();
}

static STATUS
stream_message(void *state, struct bytes message)
{
	static const char too_many[] = "at most 256 requests in one batch";
	SignBatch *batch = holdfast__keyd__v1__sign_batch__unpack(
	    NULL, message.len, message.at);
	SignResponse responses[BATCH_MAX];
	SignResponse *list[BATCH_MAX];
	SignReplyBatch reply = HOLDFAST__KEYD__V1__SIGN_REPLY_BATCH__INIT;
	struct status st = status_ok();

	if (batch == NULL)
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "the message is not a SignBatch");
	for (size_t i = 0; i < batch->n_requests && i < BATCH_MAX; i++) {
		holdfast__keyd__v1__sign_response__init(&responses[i]);
		responses[i].id = batch->requests[i]->id;
		responses[i].signature = batch->requests[i]->content;
		list[i] = &responses[i];
	}
	reply.n_responses = batch->n_requests;
	reply.responses = list;
	if (batch->n_requests > BATCH_MAX) {
		st = status_fail(STATUS_INVALID_ARGUMENT, too_many);
	} else {
		size_t len = protobuf_c_message_get_packed_size(&reply.base);
		uint8_t *packed = malloc(len + 1);

		if (packed == NULL)
			abort();
		protobuf_c_message_pack(&reply.base, packed);
		rpc_stream_send(state, (struct bytes){ packed, len });
		free(packed);
	}
	holdfast__keyd__v1__sign_batch__free_unpacked(batch, NULL);
	return st;
}

static void
stream_closed(void *state)
{
	(void)state;
}

static void
obey(struct rpc_server *server)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (strcmp(line, "serving\n") == 0)
			rpc_server_set_serving(server, true);
		else if (strcmp(line, "not-serving\n") == 0)
			rpc_server_set_serving(server, false);
	}
}

int
main(int argc, char **argv)
{
	static struct files files;
	static const struct rpc_stream_ops ops = { .open = stream_open,
		.message = stream_message,
		.closed = stream_closed,
		.coalesce_max = 65536 };
	struct rpc_server_config config = { .listen = "127.0.0.1:0",
		.ca_pem = files.ca,
		.identity = identity,
		.authorize = authorize,
		.ctx = &files };
	struct rpc_server *server = NULL;

	if (argc != 4 || !read_file(argv[1], files.ca) ||
	    !read_file(argv[2], files.cert) || !read_file(argv[3], files.key))
		return 2;
	struct status st = rpc_server_new(&config, &server);
	if (!failed(st)) {
		const ProtobufCServiceDescriptor *signer =
		    &holdfast__keyd__v1__signer__descriptor;

		rpc_server_add_unary(server, signer, "Sign", sign, NULL);
		rpc_server_add_stream(server, signer, "SignStream", &ops, NULL);
		st = rpc_server_start(server);
	}
	if (failed(st)) {
		log_error("cannot serve", LOG_STATUS(st));
		rpc_server_free(server);
		return 1;
	}
	printf("%d\n", rpc_server_port(server));
	fflush(stdout);
	obey(server);
	rpc_server_drain(server, NS_PER_S);
	rpc_server_free(server);
	return 0;
}
