/* SPDX-License-Identifier: Apache-2.0 */

/*
 * See keyd_stub.h.  The mutex guards everything after it; replies are sent
 * without it.
 */

#include "tests/fake/keyd_stub.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "proto/holdfast/keyd/v1/signer.pb-c.h"
#include "rpc/server.h"
#include "tests/unit/free_port.h"
#include "tests/unit/pki.h"

#define SERVER_NAME "keyd.test"
#define EDGE_ID "spiffe://test/edge/e1"
#define ENDING_MAX 8
#define PATIENCE_NS (60 * NS_PER_S)

struct held {
	struct held *next;
	struct rpc_stream *stream;
	uint64_t id;
	size_t len;
	uint8_t content[STUB_SIGNATURE_MAX];
};

struct keyd_stub {
	struct pki_ca *ca;
	struct pki_leaf leaf;
	struct rpc_server *server;
	char endpoint[32];
	pthread_mutex_t mutex;
	enum keyd_stub_mode mode;
	struct held *held;
	/* Half-closed, with requests that are held; referenced. */
	struct rpc_stream *ending[ENDING_MAX];
	size_t n_ending;
	struct keyd_stub_counts counts;
};

struct line {
	struct keyd_stub *stub;
	struct rpc_stream *stream;
};

static void
reply(struct rpc_stream *stream, uint64_t id, enum status_code code,
    const uint8_t *signature, size_t len)
{
	Holdfast__Keyd__V1__SignResponse response;
	Holdfast__Keyd__V1__SignResponse *responses[] = { &response };
	Holdfast__Keyd__V1__SignReplyBatch batch =
	    HOLDFAST__KEYD__V1__SIGN_REPLY_BATCH__INIT;
	uint8_t copy[STUB_SIGNATURE_MAX], packed[512];
	char why[] = "no grant for this key";

	holdfast__keyd__v1__sign_response__init(&response);
	response.id = id;
	response.code = code;
	if (code == STATUS_OK) {
		memcpy(copy, signature, len);
		response.signature.data = copy;
		response.signature.len = len;
	} else {
		response.why = why;
	}
	batch.n_responses = 1;
	batch.responses = responses;
	rpc_stream_send(stream,
	    (struct bytes){ packed,
		holdfast__keyd__v1__sign_reply_batch__pack(&batch, packed) });
}

static struct status
on_open(void *ctx, struct rpc_stream *stream, const struct rpc_peer *peer,
    void **ret_state)
{
	struct keyd_stub *stub = ctx;
	struct line *line = calloc(1, sizeof(*line));

	(void)peer;
	assert(line != NULL);
	line->stub = stub;
	line->stream = stream;
	pthread_mutex_lock(&stub->mutex);
	stub->counts.streams++;
	pthread_mutex_unlock(&stub->mutex);
	*ret_state = line;
	return status_ok();
}

static void
hold(struct line *line, const Holdfast__Keyd__V1__SignRequest *request,
    size_t len)
{
	struct held *held = calloc(1, sizeof(*held));

	assert(held != NULL);
	rpc_stream_ref(line->stream);
	held->stream = line->stream;
	held->id = request->id;
	held->len = len;
	memcpy(held->content, request->content.data, len);
	pthread_mutex_lock(&line->stub->mutex);
	held->next = line->stub->held;
	line->stub->held = held;
	pthread_mutex_unlock(&line->stub->mutex);
}

static void
on_request(struct line *line, const Holdfast__Keyd__V1__SignRequest *request,
    enum keyd_stub_mode mode)
{
	size_t len = request->content.len;

	if (len > STUB_SIGNATURE_MAX)
		len = STUB_SIGNATURE_MAX;
	if (mode == STUB_HOLDS)
		hold(line, request, len);
	else if (mode == STUB_REFUSES)
		reply(line->stream, request->id, STATUS_PERMISSION_DENIED, NULL,
		    0);
	else
		reply(line->stream, request->id, STATUS_OK,
		    request->content.data, len);
}

static void
count(struct keyd_stub *stub, unsigned n_requests)
{
	pthread_mutex_lock(&stub->mutex);
	stub->counts.batches++;
	stub->counts.requests += n_requests;
	if (n_requests > stub->counts.largest)
		stub->counts.largest = n_requests;
	pthread_mutex_unlock(&stub->mutex);
}

static struct status
on_message(void *state, struct bytes message)
{
	struct line *line = state;
	struct keyd_stub *stub = line->stub;
	Holdfast__Keyd__V1__SignBatch *batch =
	    holdfast__keyd__v1__sign_batch__unpack(
		NULL, message.len, message.at);
	enum keyd_stub_mode mode;

	if (batch == NULL)
		return status_fail(STATUS_INVALID_ARGUMENT, "not a batch");
	pthread_mutex_lock(&stub->mutex);
	mode = stub->mode;
	if (mode == STUB_BABBLES)
		stub->mode = STUB_ANSWERS;
	pthread_mutex_unlock(&stub->mutex);

	/* What is counted as held is held; what is answered is counted. */
	if (mode != STUB_HOLDS)
		count(stub, (unsigned)batch->n_requests);
	if (mode == STUB_BABBLES)
		rpc_stream_send(line->stream, bytes_of("what is this?"));
	for (size_t i = 0; mode != STUB_BABBLES && i < batch->n_requests; i++)
		on_request(line, batch->requests[i], mode);
	if (mode == STUB_HOLDS)
		count(stub, (unsigned)batch->n_requests);
	holdfast__keyd__v1__sign_batch__free_unpacked(batch, NULL);
	return status_ok();
}

/* With the mutex held. */
static bool
holds_for(const struct keyd_stub *stub, const struct rpc_stream *stream)
{
	for (const struct held *held = stub->held; held != NULL;
	     held = held->next)
		if (held->stream == stream)
			return true;
	return false;
}

/* A drained stream ends once all its replies are out. */
static void
on_half_closed(void *state)
{
	struct line *line = state;
	struct keyd_stub *stub = line->stub;
	bool later;

	pthread_mutex_lock(&stub->mutex);
	later = holds_for(stub, line->stream);
	if (later) {
		assert(stub->n_ending < ENDING_MAX);
		rpc_stream_ref(line->stream);
		stub->ending[stub->n_ending++] = line->stream;
	}
	pthread_mutex_unlock(&stub->mutex);
	if (!later)
		rpc_stream_end(line->stream, status_ok());
}

static void
on_closed(void *state)
{
	free(state);
}

static const struct rpc_stream_ops stream_ops = {
	.open = on_open,
	.message = on_message,
	.half_closed = on_half_closed,
	.closed = on_closed,
	.coalesce_max = 64 * 1024,
};

static struct status
identity(void *ctx, bool *ret_changed, char **ret_cert_pem, char **ret_key_pem)
{
	struct keyd_stub *stub = ctx;

	*ret_changed = true;
	*ret_cert_pem = strdup(stub->leaf.cert_pem);
	*ret_key_pem = strdup(stub->leaf.key_pem);
	return status_ok();
}

static struct status
authorize(void *ctx, const struct rpc_peer *peer, const char *method)
{
	(void)ctx;
	(void)method;
	return strcmp(peer->spiffe_id, EDGE_ID) == 0
		   ? status_ok()
		   : status_fail(STATUS_PERMISSION_DENIED, "not that edge");
}

struct keyd_stub *
keyd_stub_new(enum keyd_stub_mode mode)
{
	struct keyd_stub *stub = calloc(1, sizeof(*stub));

	assert(stub != NULL);
	pthread_mutex_init(&stub->mutex, NULL);
	stub->mode = mode;
	stub->ca = pki_ca_new("keyd stub");
	stub->leaf = pki_leaf_new(
	    stub->ca, "URI:spiffe://test/keyd/stub,DNS:" SERVER_NAME, 3600);
	/* It comes back at the port that it had. */
	(void)!snprintf(stub->endpoint, sizeof(stub->endpoint), "127.0.0.1:%d",
	    free_port());
	return stub;
}

static void
forget_held(struct keyd_stub *stub, bool answer)
{
	struct rpc_stream *ending[ENDING_MAX];
	struct held *held;
	size_t n_ending;

	pthread_mutex_lock(&stub->mutex);
	held = stub->held;
	stub->held = NULL;
	n_ending = stub->n_ending;
	memcpy(ending, stub->ending, sizeof(ending));
	stub->n_ending = 0;
	pthread_mutex_unlock(&stub->mutex);
	while (held != NULL) {
		struct held *next = held->next;

		if (answer)
			reply(held->stream, held->id, STATUS_OK, held->content,
			    held->len);
		rpc_stream_unref(held->stream);
		free(held);
		held = next;
	}
	for (size_t i = 0; i < n_ending; i++) {
		if (answer)
			rpc_stream_end(ending[i], status_ok());
		rpc_stream_unref(ending[i]);
	}
}

void
keyd_stub_free(struct keyd_stub *stub)
{
	if (stub == NULL)
		return;
	keyd_stub_stop(stub);
	pki_leaf_free(&stub->leaf);
	pki_ca_free(stub->ca);
	pthread_mutex_destroy(&stub->mutex);
	free(stub);
}

void
keyd_stub_start(struct keyd_stub *stub)
{
	struct rpc_server_config config = {
		.listen = stub->endpoint,
		.ca_pem = pki_ca_pem(stub->ca),
		.identity = identity,
		.authorize = authorize,
		.ctx = stub,
	};
	struct status st = rpc_server_new(&config, &stub->server);

	if (!failed(st)) {
		rpc_server_add_stream(stub->server,
		    &holdfast__keyd__v1__signer__descriptor, "SignStream",
		    &stream_ops, stub);
		st = rpc_server_start(stub->server);
	}
	if (failed(st)) {
		fprintf(stderr, "keyd stub: %s\n", st.why);
		abort();
	}
}

void
keyd_stub_stop(struct keyd_stub *stub)
{
	if (stub->server == NULL)
		return;
	forget_held(stub, false);
	rpc_server_drain(stub->server, 0);
	rpc_server_free(stub->server);
	stub->server = NULL;
	forget_held(stub, false);
}

void
keyd_stub_set_mode(struct keyd_stub *stub, enum keyd_stub_mode mode)
{
	pthread_mutex_lock(&stub->mutex);
	stub->mode = mode;
	pthread_mutex_unlock(&stub->mutex);
}

void
keyd_stub_release(struct keyd_stub *stub)
{
	keyd_stub_set_mode(stub, STUB_ANSWERS);
	forget_held(stub, true);
}

struct keyd_stub_counts
keyd_stub_counts(struct keyd_stub *stub)
{
	struct keyd_stub_counts counts;

	pthread_mutex_lock(&stub->mutex);
	counts = stub->counts;
	pthread_mutex_unlock(&stub->mutex);
	return counts;
}

static void
await(struct keyd_stub *stub, const char *what, unsigned requests,
    unsigned streams)
{
	int64_t until_ns = clock_mono_ns() + PATIENCE_NS;

	for (;;) {
		struct keyd_stub_counts counts = keyd_stub_counts(stub);

		if (counts.requests >= requests && counts.streams >= streams)
			return;
		if (clock_mono_ns() > until_ns) {
			fprintf(stderr, "keyd stub: %s did not come\n", what);
			abort();
		}
		nanosleep(&(struct timespec){ .tv_nsec = NS_PER_MS }, NULL);
	}
}

void
keyd_stub_await_requests(struct keyd_stub *stub, unsigned least)
{
	await(stub, "requests", least, 0);
}

void
keyd_stub_await_streams(struct keyd_stub *stub, unsigned least)
{
	await(stub, "streams", 0, least);
}

const char *
keyd_stub_endpoint(const struct keyd_stub *stub)
{
	return stub->endpoint;
}

struct pki_ca *
keyd_stub_ca(struct keyd_stub *stub)
{
	return stub->ca;
}

struct enroll_identity *
keyd_stub_identity(struct keyd_stub *stub)
{
	struct enroll_identity *identity = calloc(1, sizeof(*identity));
	struct pki_leaf leaf = pki_leaf_new(stub->ca, "URI:" EDGE_ID, 3600);

	assert(identity != NULL);
	identity->cert_pem = leaf.cert_pem;
	identity->key_pem = leaf.key_pem;
	identity->ca_pem = strdup(pki_ca_pem(stub->ca));
	(void)!snprintf(
	    identity->identity, sizeof(identity->identity), "%s", EDGE_ID);
	(void)!snprintf(
	    identity->domain, sizeof(identity->domain), "%s", "test");
	(void)!snprintf(identity->server_name, sizeof(identity->server_name),
	    "%s", SERVER_NAME);
	identity->endpoints = calloc(1, sizeof(*identity->endpoints));
	assert(identity->endpoints != NULL);
	identity->endpoints[0] = strdup(stub->endpoint);
	identity->n_endpoints = 1;
	identity->not_before_s = clock_wall_s() - 3600;
	identity->not_after_s = clock_wall_s() + 3600;
	return identity;
}
