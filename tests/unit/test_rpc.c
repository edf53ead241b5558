/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rpc room against itself, over real sockets on loopback: a toy Signer that
 * signs by echoing.  What other clients make of it is in
 * tests/system/test_rpc.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first */
#include <cmocka.h>

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "proto/grpc/health/v1/health.pb-c.h"
#include "proto/holdfast/keyd/v1/signer.pb-c.h"
#include "rpc/client.h"
#include "rpc/server.h"
#include "tests/unit/free_port.h"
#include "tests/unit/pki.h"

#define SERVICE (&holdfast__keyd__v1__signer__descriptor)
#define EDGE "spiffe://example/edge/fra-1"
#define COALESCE_MAX 65536

typedef Holdfast__Keyd__V1__SignRequest SignRequest;
typedef Holdfast__Keyd__V1__SignResponse SignResponse;
typedef Holdfast__Keyd__V1__SignBatch SignBatch;
typedef Holdfast__Keyd__V1__SignReplyBatch SignReplyBatch;

/* ---- the wall clock ---- */

/*
 * What the program and its libraries are told is ahead by this.  The kernel
 * knows nothing of it: who sleeps until a moment of this clock sleeps longer,
 * as when the clock has been set back.
 */
static atomic_long ahead_s;

__attribute__((visibility("default"))) int
clock_gettime(clockid_t clock, struct timespec *ret_ts)
{
	int rc = (int)syscall(SYS_clock_gettime, clock, ret_ts);

	if (rc == 0 && clock == CLOCK_REALTIME)
		ret_ts->tv_sec += atomic_load(&ahead_s);
	return rc;
}

/* ---- the toy server ---- */

struct toy {
	struct pki_ca *ca, *foreign;
	struct pki_leaf edge, keyd;
	struct metrics *metrics;
	struct rpc_server *server;
	char target[32];
	atomic_int opened, closed, messages, unary, half_closed;
	atomic_bool deny, rotate;
	atomic_int allow; /* that many more, then deny; 0: nothing is counted */
	pthread_mutex_t mu; /* guards seen_id */
	char seen_id[128];
};

static STATUS
identity(void *ctx, bool *ret_changed, char **ret_cert, char **ret_key)
{
	struct toy *toy = ctx;

	if (!*ret_changed && !atomic_exchange(&toy->rotate, false))
		return status_ok();
	*ret_changed = true;
	*ret_cert = strdup(toy->keyd.cert_pem);
	*ret_key = strdup(toy->keyd.key_pem);
	return status_ok();
}

static STATUS
authorize(void *ctx, const struct rpc_peer *peer, const char *method)
{
	struct toy *toy = ctx;

	(void)method;
	pthread_mutex_lock(&toy->mu);
	snprintf(toy->seen_id, sizeof(toy->seen_id), "%s", peer->spiffe_id);
	pthread_mutex_unlock(&toy->mu);
	if (atomic_load(&toy->allow) > 0 &&
	    atomic_fetch_sub(&toy->allow, 1) == 1) {
		atomic_store(&toy->deny, true);
		return status_ok();
	}
	return atomic_load(&toy->deny)
		   ? status_fail(STATUS_PERMISSION_DENIED, "not for you")
		   : status_ok();
}

/* What a request's content asks the toy to do. */
static struct status
sign(void *ctx, const struct rpc_call *call, const ProtobufCMessage *message,
    struct rpc_reply *reply)
{
	struct toy *toy = ctx;
	const SignRequest *request = (const SignRequest *)message;
	SignResponse response;

	(void)call;
	atomic_fetch_add(&toy->unary, 1);
	if (bytes_equal(
		(struct bytes){ request->content.data, request->content.len },
		bytes_of("refuse"))) {
		rpc_reply_why(reply, "no grant for scheme %u", request->scheme);
		return status_fail(STATUS_PERMISSION_DENIED, "no grant");
	}
	if (request->content.len == 5)
		usleep(1000000); /* "sleep" */
	holdfast__keyd__v1__sign_response__init(&response);
	response.id = request->id;
	response.signature = request->content;
	rpc_reply_set(reply, &response.base);
	return status_ok();
}

struct toy_stream {
	struct toy *toy;
	struct rpc_stream *stream;
};

static STATUS
toy_open(void *ctx, struct rpc_stream *stream, const struct rpc_peer *peer,
    void **ret_state)
{
	struct toy_stream *s = calloc(1, sizeof(*s));

	assert_string_equal(peer->spiffe_id, EDGE);
	assert_non_null(s);
	s->toy = ctx;
	s->stream = stream;
	atomic_fetch_add(&s->toy->opened, 1);
	*ret_state = s;
	return status_ok();
}

/* More than may ever wait for one stream. */
static void
flood(struct rpc_stream *stream)
{
	static uint8_t zeros[65536];

	assert_true(rpc_stream_has_room(stream));
	for (int i = 0; i < 300; i++)
		rpc_stream_send(stream, (struct bytes){ zeros, sizeof(zeros) });
	assert_false(rpc_stream_has_room(stream));
}

/* Each request is answered by a message of its own, so joining shows. */
static STATUS
toy_message(void *state, struct bytes message)
{
	struct toy_stream *s = state;
	SignBatch *batch = holdfast__keyd__v1__sign_batch__unpack(
	    NULL, message.len, message.at);

	if (batch == NULL)
		return status_fail(STATUS_INVALID_ARGUMENT, "not a batch");
	if (batch->n_requests == 0)
		flood(s->stream);
	atomic_fetch_add(&s->toy->messages, 1);
	for (size_t i = 0; i < batch->n_requests; i++) {
		SignResponse one;
		SignResponse *list[] = { &one };
		SignReplyBatch reply =
		    HOLDFAST__KEYD__V1__SIGN_REPLY_BATCH__INIT;
		uint8_t packed[1024];

		holdfast__keyd__v1__sign_response__init(&one);
		one.id = batch->requests[i]->id;
		one.signature = batch->requests[i]->content;
		reply.n_responses = 1;
		reply.responses = list;
		size_t len = protobuf_c_message_get_packed_size(&reply.base);
		assert_true(len <= sizeof(packed));
		protobuf_c_message_pack(&reply.base, packed);
		rpc_stream_send(s->stream, (struct bytes){ packed, len });
	}
	holdfast__keyd__v1__sign_batch__free_unpacked(batch, NULL);
	return status_ok();
}

static void
toy_half_closed(void *state)
{
	struct toy_stream *s = state;

	atomic_fetch_add(&s->toy->half_closed, 1);
	rpc_stream_end(s->stream, status_ok());
}

static void
toy_closed(void *state)
{
	struct toy_stream *s = state;

	atomic_fetch_add(&s->toy->closed, 1);
	free(s);
}

static struct toy *
toy_new(void)
{
	struct toy *toy = calloc(1, sizeof(*toy));

	assert_non_null(toy);
	pthread_mutex_init(&toy->mu, NULL);
	toy->ca = pki_ca_new("identity");
	toy->foreign = pki_ca_new("foreign");
	toy->edge = pki_leaf_new(toy->ca, "URI:" EDGE, 3600);
	toy->keyd = pki_leaf_new(
	    toy->ca, "URI:spiffe://example/keyd/k1,DNS:keyd.example", 3600);
	toy->metrics = metrics_new();
	return toy;
}

static void
toy_start(struct toy *toy)
{
	static const struct rpc_stream_ops ops = { .open = toy_open,
		.message = toy_message,
		.half_closed = toy_half_closed,
		.closed = toy_closed,
		.coalesce_max = COALESCE_MAX };
	struct rpc_server_config config = {
		.listen = toy->target,
		.ca_pem = pki_ca_pem(toy->ca),
		.identity = identity,
		.authorize = authorize,
		.ctx = toy,
		.metrics = toy->metrics,
	};

	/* Of which one test makes use again. */
	snprintf(toy->target, sizeof(toy->target), "127.0.0.1:%d", free_port());
	assert_int_equal(rpc_server_new(&config, &toy->server).code, STATUS_OK);
	rpc_server_add_unary(toy->server, SERVICE, "Sign", sign, toy);
	rpc_server_add_stream(toy->server, SERVICE, "SignStream", &ops, toy);
	assert_int_equal(rpc_server_start(toy->server).code, STATUS_OK);
}

static int
setup(void **state)
{
	struct toy *toy = toy_new();

	toy_start(toy);
	*state = toy;
	return 0;
}

static int
teardown(void **state)
{
	struct toy *toy = *state;

	rpc_server_drain(toy->server, 2 * NS_PER_S);
	assert_int_equal(atomic_load(&toy->opened), atomic_load(&toy->closed));
	rpc_server_free(toy->server);
	metrics_free(toy->metrics);
	pki_leaf_free(&toy->edge);
	pki_leaf_free(&toy->keyd);
	pki_ca_free(toy->ca);
	pki_ca_free(toy->foreign);
	free(toy);
	return 0;
}

static struct rpc_client *
client_as(const struct toy *toy, const struct pki_leaf *leaf)
{
	struct rpc_client_config config = {
		.target = toy->target,
		.ca_pem = pki_ca_pem(toy->ca),
		.cert_pem = leaf == NULL ? NULL : leaf->cert_pem,
		.key_pem = leaf == NULL ? NULL : leaf->key_pem,
		.server_name = "keyd.example",
	};
	struct rpc_client *client = NULL;

	assert_int_equal(rpc_client_new(&config, &client).code, STATUS_OK);
	return client;
}

/* The server's side of things may be a moment behind the client's. */
static void
wait_count(atomic_int *counter, int n)
{
	for (int i = 0; i < 6000 && atomic_load(counter) < n; i++)
		usleep(10000);
	assert_int_equal(atomic_load(counter), n);
}

/* ---- unary ---- */

/* One Sign of content; the status, and the server's words in ret_why. */
static struct status
call_sign(struct rpc_client *client, const char *content, unsigned timeout_ms,
    char *ret_why)
{
	SignRequest request = HOLDFAST__KEYD__V1__SIGN_REQUEST__INIT;
	ProtobufCMessage *reply = NULL;
	char copy[64];

	snprintf(copy, sizeof(copy), "%s", content);
	request.id = 7;
	request.scheme = 0x0403;
	request.content.data = (uint8_t *)copy;
	request.content.len = strlen(copy);
	struct status st = rpc_client_call(client, SERVICE, "Sign",
	    &request.base, timeout_ms, &reply, ret_why);
	if (failed(st)) {
		assert_null(reply);
		return st;
	}
	const SignResponse *response = (const SignResponse *)reply;
	assert_int_equal(response->id, 7);
	assert_int_equal(response->signature.len, strlen(content));
	assert_memory_equal(response->signature.data, content, strlen(content));
	protobuf_c_message_free_unpacked(reply, NULL);
	return st;
}

static void
a_unary_call_reaches_its_handler_and_returns_its_reply(void **state)
{
	struct toy *toy = *state;
	struct rpc_client *client = client_as(toy, &toy->edge);
	char why[RPC_WHY_MAX];

	assert_int_equal(
	    call_sign(client, "hello", 20000, why).code, STATUS_OK);
	assert_string_equal(toy->seen_id, EDGE);
	rpc_client_free(client);
}

static void
a_refusal_arrives_with_its_code_and_words(void **state)
{
	struct toy *toy = *state;
	struct rpc_client *client = client_as(toy, &toy->edge);
	char why[RPC_WHY_MAX];

	assert_int_equal(call_sign(client, "refuse", 20000, why).code,
	    STATUS_PERMISSION_DENIED);
	assert_string_equal(why, "no grant for scheme 1027");
	rpc_client_free(client);
}

static void
a_denied_call_never_reaches_its_handler(void **state)
{
	struct toy *toy = *state;
	struct rpc_client *client = client_as(toy, &toy->edge);
	char why[RPC_WHY_MAX];

	atomic_store(&toy->deny, true);
	assert_int_equal(call_sign(client, "hello", 20000, why).code,
	    STATUS_PERMISSION_DENIED);
	assert_string_equal(why, "not for you");
	assert_int_equal(atomic_load(&toy->unary), 0);
	rpc_client_free(client);
}

/* As when its caller was quarantined while the call waited for a thread. */
static void
a_call_denied_while_it_waited_never_reaches_its_handler(void **state)
{
	struct toy *toy = *state;
	struct rpc_client *client = client_as(toy, &toy->edge);
	char why[RPC_WHY_MAX];

	atomic_store(&toy->allow, 1);
	assert_int_equal(call_sign(client, "hello", 20000, why).code,
	    STATUS_PERMISSION_DENIED);
	assert_string_equal(why, "not for you");
	assert_int_equal(atomic_load(&toy->allow), 0);
	assert_int_equal(atomic_load(&toy->unary), 0);
	rpc_client_free(client);
}

static void
a_call_that_takes_longer_than_its_deadline_fails(void **state)
{
	struct toy *toy = *state;
	struct rpc_client *client = client_as(toy, &toy->edge);
	char why[RPC_WHY_MAX];

	/* Connected first, so that the deadline meets the handler alone. */
	assert_int_equal(call_sign(client, "a", 20000, why).code, STATUS_OK);
	assert_int_equal(call_sign(client, "sleep", 100, why).code,
	    STATUS_DEADLINE_EXCEEDED);
	assert_int_equal(call_sign(client, "b", 20000, why).code, STATUS_OK);
	rpc_client_free(client);
}

static void
a_deadline_is_kept_when_the_wall_clock_was_set_back(void **state)
{
	struct toy *toy = *state;
	struct rpc_client *client = client_as(toy, &toy->edge);
	char why[RPC_WHY_MAX];
	struct status st;

	assert_int_equal(call_sign(client, "a", 20000, why).code, STATUS_OK);
	atomic_store(&ahead_s, 600);
	/* What core slept towards before is over. */
	usleep(100000);
	st = call_sign(client, "sleep", 100, why);
	atomic_store(&ahead_s, 0);
	assert_int_equal(st.code, STATUS_DEADLINE_EXCEEDED);
	assert_int_equal(call_sign(client, "b", 20000, why).code, STATUS_OK);
	rpc_client_free(client);
}

static void
an_oversized_request_is_refused_and_the_connection_serves_on(void **state)
{
	struct toy *toy = *state;
	struct rpc_client *client = client_as(toy, &toy->edge);
	SignRequest request = HOLDFAST__KEYD__V1__SIGN_REQUEST__INIT;
	ProtobufCMessage *reply = NULL;
	char why[RPC_WHY_MAX];

	request.content.len = 300 * 1024;
	request.content.data = calloc(1, request.content.len);
	assert_int_equal(rpc_client_call(client, SERVICE, "Sign", &request.base,
			     5000, &reply, why)
			     .code,
	    STATUS_RESOURCE_EXHAUSTED);
	free(request.content.data);
	assert_int_equal(call_sign(client, "a", 20000, why).code, STATUS_OK);
	assert_int_equal(atomic_load(&toy->unary), 1);
	rpc_client_free(client);
}

static void
a_request_of_many_pieces_arrives_whole(void **state)
{
	struct toy *toy = *state;
	struct rpc_client *client = client_as(toy, &toy->edge);
	SignRequest request = HOLDFAST__KEYD__V1__SIGN_REQUEST__INIT;
	ProtobufCMessage *reply = NULL;
	char why[RPC_WHY_MAX];

	request.content.len = 200 * 1024;
	request.content.data = malloc(request.content.len);
	memset(request.content.data, 'x', request.content.len);
	assert_int_equal(rpc_client_call(client, SERVICE, "Sign", &request.base,
			     20000, &reply, why)
			     .code,
	    STATUS_OK);
	const SignResponse *response = (const SignResponse *)reply;
	assert_int_equal(response->signature.len, request.content.len);
	assert_memory_equal(response->signature.data, request.content.data,
	    request.content.len);
	protobuf_c_message_free_unpacked(reply, NULL);
	free(request.content.data);
	rpc_client_free(client);
}

/* ---- who may connect ---- */

static void
expect_refused(
    const struct toy *toy, const struct pki_leaf *leaf, enum status_code code)
{
	struct rpc_client *client = client_as(toy, leaf);
	char why[RPC_WHY_MAX];

	assert_int_equal(call_sign(client, "hello", 10000, why).code, code);
	assert_true(why[0] != '\0');
	rpc_client_free(client);
	assert_int_equal(atomic_load(&toy->unary), 0);
}

static void
a_client_without_a_certificate_gets_no_connection(void **state)
{
	expect_refused(*state, NULL, STATUS_UNAVAILABLE);
}

static void
a_certificate_of_a_foreign_ca_gets_no_connection(void **state)
{
	struct toy *toy = *state;
	struct pki_leaf leaf = pki_leaf_new(toy->foreign, "URI:" EDGE, 3600);

	expect_refused(toy, &leaf, STATUS_UNAVAILABLE);
	pki_leaf_free(&leaf);
}

static void
an_expired_certificate_gets_no_connection(void **state)
{
	struct toy *toy = *state;
	struct pki_leaf leaf = pki_leaf_new(toy->ca, "URI:" EDGE, -60);

	expect_refused(toy, &leaf, STATUS_UNAVAILABLE);
	pki_leaf_free(&leaf);
}

static void
a_certificate_that_expires_on_an_open_connection_opens_no_more_calls(
    void **state)
{
	struct toy *toy = *state;
	struct pki_leaf leaf = pki_leaf_new(toy->ca, "URI:" EDGE, 2);
	struct rpc_client *client = client_as(toy, &leaf);
	char why[RPC_WHY_MAX];
	struct status st = status_ok();

	/* Slow machines may find it expired at once: then it is refused too. */
	for (int i = 0; i < 100 && !failed(st); i++) {
		st = call_sign(client, "hello", 10000, why);
		usleep(100000);
	}
	assert_true(
	    st.code == STATUS_UNAUTHENTICATED || st.code == STATUS_UNAVAILABLE);
	rpc_client_free(client);
	pki_leaf_free(&leaf);
}

static void
a_certificate_names_exactly_one_spiffe_id_or_nobody(void **state)
{
	struct toy *toy = *state;
	static const char *const sans[] = {
		NULL,
		"DNS:fra-1.example",
		"URI:https://example/edge/fra-1",
		"URI:" EDGE ",URI:spiffe://example/edge/fra-2",
		"URI:" EDGE ",URI:https://example/",
		"URI:spiffe://",
		"URI:spiffe://example/edge/a b",
	};

	for (size_t i = 0; i < sizeof(sans) / sizeof(sans[0]); i++) {
		struct pki_leaf leaf = pki_leaf_new(toy->ca, sans[i], 3600);

		expect_refused(toy, &leaf, STATUS_UNAUTHENTICATED);
		pki_leaf_free(&leaf);
	}
}

static void
a_server_without_the_expected_dns_san_is_not_trusted(void **state)
{
	struct toy *toy = *state;
	static const char *const names[] = { "keyd.other", "leaf", "k1",
		"example" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct rpc_client_config config = {
			.target = toy->target,
			.ca_pem = pki_ca_pem(toy->ca),
			.cert_pem = toy->edge.cert_pem,
			.key_pem = toy->edge.key_pem,
			.server_name = names[i],
		};
		struct rpc_client *client;
		char why[RPC_WHY_MAX];

		assert_int_equal(
		    rpc_client_new(&config, &client).code, STATUS_OK);
		assert_int_equal(call_sign(client, "hello", 10000, why).code,
		    STATUS_UNAVAILABLE);
		rpc_client_free(client);
	}
	assert_int_equal(atomic_load(&toy->unary), 0);
}

static void
a_server_of_a_foreign_ca_is_not_trusted(void **state)
{
	struct toy *toy = *state;
	struct rpc_client_config config = {
		.target = toy->target,
		.ca_pem = pki_ca_pem(toy->foreign),
		.cert_pem = toy->edge.cert_pem,
		.key_pem = toy->edge.key_pem,
		.server_name = "keyd.example",
	};
	struct rpc_client *client;
	char why[RPC_WHY_MAX];

	assert_int_equal(rpc_client_new(&config, &client).code, STATUS_OK);
	assert_int_equal(
	    call_sign(client, "hello", 10000, why).code, STATUS_UNAVAILABLE);
	rpc_client_free(client);
}

static void
a_new_identity_is_shown_to_the_next_connection(void **state)
{
	struct toy *toy = *state;
	struct rpc_client *before = client_as(toy, &toy->edge);
	char why[RPC_WHY_MAX];

	assert_int_equal(call_sign(before, "a", 10000, why).code, STATUS_OK);
	pki_leaf_free(&toy->keyd);
	toy->keyd = pki_leaf_new(toy->ca, "DNS:keyd.renamed", 3600);
	atomic_store(&toy->rotate, true);
	struct rpc_client_config config = {
		.target = toy->target,
		.ca_pem = pki_ca_pem(toy->ca),
		.cert_pem = toy->edge.cert_pem,
		.key_pem = toy->edge.key_pem,
		.server_name = "keyd.renamed",
	};
	struct rpc_client *after;
	assert_int_equal(rpc_client_new(&config, &after).code, STATUS_OK);
	assert_int_equal(call_sign(after, "b", 10000, why).code, STATUS_OK);
	assert_int_equal(call_sign(before, "c", 10000, why).code, STATUS_OK);
	rpc_client_free(after);
	rpc_client_free(before);
}

/* ---- streams ---- */

struct seen {
	pthread_mutex_t mu;
	pthread_cond_t changed;
	int opened, closed;
	size_t messages, responses;
	bool out_of_order;
	struct status st;
	char why[RPC_WHY_MAX];
	/* For fill: this many more batches of one. */
	atomic_int to_fill;
	atomic_int fills;
	uint64_t next_id;
};

static void
on_opened(void *ctx)
{
	struct seen *seen = ctx;

	pthread_mutex_lock(&seen->mu);
	seen->opened++;
	pthread_cond_broadcast(&seen->changed);
	pthread_mutex_unlock(&seen->mu);
}

static void
on_message(void *ctx, struct bytes message)
{
	struct seen *seen = ctx;
	SignReplyBatch *batch = holdfast__keyd__v1__sign_reply_batch__unpack(
	    NULL, message.len, message.at);

	assert_non_null(batch);
	pthread_mutex_lock(&seen->mu);
	seen->messages++;
	for (size_t i = 0; i < batch->n_responses; i++)
		if (batch->responses[i]->id != seen->responses++)
			seen->out_of_order = true;
	pthread_cond_broadcast(&seen->changed);
	pthread_mutex_unlock(&seen->mu);
	holdfast__keyd__v1__sign_reply_batch__free_unpacked(batch, NULL);
}

static void
on_closed(void *ctx, struct status st, const char *why)
{
	struct seen *seen = ctx;

	pthread_mutex_lock(&seen->mu);
	seen->closed++;
	seen->st = st;
	snprintf(seen->why, sizeof(seen->why), "%s", why);
	pthread_cond_broadcast(&seen->changed);
	pthread_mutex_unlock(&seen->mu);
}

/* A batch of n requests with ids from first on. */
static size_t
pack_batch(uint64_t first, size_t n, uint8_t *out, size_t out_max)
{
	SignRequest requests[64];
	SignRequest *list[64];
	SignBatch batch = HOLDFAST__KEYD__V1__SIGN_BATCH__INIT;

	for (size_t i = 0; i < n; i++) {
		holdfast__keyd__v1__sign_request__init(&requests[i]);
		requests[i].id = first + i;
		requests[i].content.data = out; /* any octets will do */
		requests[i].content.len = 1;
		list[i] = &requests[i];
	}
	batch.n_requests = n;
	batch.requests = list;
	assert_true(protobuf_c_message_get_packed_size(&batch.base) <= out_max);
	out[0] = 0;
	return protobuf_c_message_pack(&batch.base, out);
}

static size_t
on_fill(void *ctx, uint8_t *out, size_t out_max)
{
	struct seen *seen = ctx;

	atomic_fetch_add(&seen->fills, 1);
	if (atomic_load(&seen->to_fill) == 0)
		return 0;
	atomic_fetch_sub(&seen->to_fill, 1);
	return pack_batch(seen->next_id++, 1, out, out_max);
}

static const struct rpc_client_stream_ops plain_ops = {
	.opened = on_opened,
	.message = on_message,
	.closed = on_closed,
	.coalesce_max = COALESCE_MAX,
};

static void
seen_init(struct seen *seen)
{
	memset(seen, 0, sizeof(*seen));
	pthread_mutex_init(&seen->mu, NULL);
	pthread_cond_init(&seen->changed, NULL);
}

/* Wait until the counter has reached n; a minute is for ever. */
static void
wait_for(struct seen *seen, const size_t *counter, const int *flag, size_t n)
{
	struct timespec at;

	clock_gettime(CLOCK_REALTIME, &at);
	at.tv_sec += 60;
	pthread_mutex_lock(&seen->mu);
	while ((counter != NULL ? *counter : (size_t)*flag) < n)
		assert_int_equal(
		    pthread_cond_timedwait(&seen->changed, &seen->mu, &at), 0);
	pthread_mutex_unlock(&seen->mu);
}

static void
wait_responses(struct seen *seen, size_t n)
{
	wait_for(seen, &seen->responses, NULL, n);
}

static void
wait_opened(struct seen *seen)
{
	wait_for(seen, NULL, &seen->opened, 1);
}

static void
wait_closed(struct seen *seen)
{
	wait_for(seen, NULL, &seen->closed, 1);
}

static struct rpc_client_stream *
open_stream(struct rpc_client *client, const struct rpc_client_stream_ops *ops,
    struct seen *seen)
{
	struct rpc_client_stream *stream = NULL;

	seen_init(seen);
	assert_int_equal(rpc_client_stream_open(
			     client, SERVICE, "SignStream", ops, seen, &stream)
			     .code,
	    STATUS_OK);
	return stream;
}

static void
what_is_sent_on_a_stream_comes_back_in_order(void **state)
{
	struct toy *toy = *state;
	struct rpc_client *client = client_as(toy, &toy->edge);
	struct seen seen;
	struct rpc_client_stream *stream =
	    open_stream(client, &plain_ops, &seen);
	uint8_t packed[4096];

	for (uint64_t id = 0; id < 3200; id += 16) {
		size_t len = pack_batch(id, 16, packed, sizeof(packed));
		rpc_client_stream_send(stream, (struct bytes){ packed, len });
	}
	wait_responses(&seen, 3200);
	rpc_client_stream_end(stream);
	wait_closed(&seen);
	assert_int_equal(seen.st.code, STATUS_OK);
	assert_int_equal(seen.opened, 1);
	assert_false(seen.out_of_order);
	rpc_client_stream_free(stream);
	rpc_client_free(client);
	assert_int_equal(seen.closed, 1);
	assert_int_equal(atomic_load(&toy->half_closed), 1);
}

static void
messages_that_wait_leave_as_one(void **state)
{
	struct toy *toy = *state;
	struct rpc_client *client = client_as(toy, &toy->edge);
	struct seen seen;
	struct rpc_client_stream *stream =
	    open_stream(client, &plain_ops, &seen);
	uint8_t packed[4096];

	/* The toy answers each request by itself, all within one callback. */
	size_t len = pack_batch(0, 64, packed, sizeof(packed));
	rpc_client_stream_send(stream, (struct bytes){ packed, len });
	wait_responses(&seen, 64);
	assert_int_equal(seen.messages, 1);
	rpc_client_stream_end(stream);
	wait_closed(&seen);
	rpc_client_stream_free(stream);
	rpc_client_free(client);
}

static void
fill_is_asked_after_each_wake_and_loses_nothing(void **state)
{
	struct toy *toy = *state;
	struct rpc_client *client = client_as(toy, &toy->edge);
	struct rpc_client_stream_ops ops = plain_ops;
	struct seen seen;

	ops.fill = on_fill;
	struct rpc_client_stream *stream = open_stream(client, &ops, &seen);
	for (int i = 0; i < 500; i++) {
		atomic_fetch_add(&seen.to_fill, 1);
		rpc_client_stream_wake(stream);
		if (i % 100 == 0)
			wait_responses(&seen, (size_t)i + 1);
	}
	wait_responses(&seen, 500);
	assert_false(seen.out_of_order);
	rpc_client_stream_end(stream);
	wait_closed(&seen);
	rpc_client_stream_free(stream);
	rpc_client_free(client);
}

struct feeder {
	struct rpc_client_stream *stream;
	struct seen *seen;
};

static void *
feed(void *arg)
{
	struct feeder *feeder = arg;

	for (int i = 0; i < 500; i++) {
		atomic_fetch_add(&feeder->seen->to_fill, 1);
		rpc_client_stream_wake(feeder->stream);
	}
	return NULL;
}

static void
wakes_of_many_threads_lose_nothing(void **state)
{
	struct toy *toy = *state;
	struct rpc_client *client = client_as(toy, &toy->edge);
	struct rpc_client_stream_ops ops = plain_ops;
	struct seen seen;
	pthread_t threads[4];

	ops.fill = on_fill;
	struct rpc_client_stream *stream = open_stream(client, &ops, &seen);
	struct feeder feeder = { stream, &seen };
	for (size_t i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, feed, &feeder);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	wait_responses(&seen, 2000);
	rpc_client_stream_cancel(stream);
	wait_closed(&seen);
	assert_int_equal(seen.st.code, STATUS_CANCELLED);
	rpc_client_stream_free(stream);
	rpc_client_free(client);
	assert_int_equal(seen.closed, 1);
}

static void
free_in_closed(void *ctx, struct status st, const char *why)
{
	void **pair = ctx;
	struct seen *seen = pair[0];

	/* The stream is known by now: it was stored before the cancel. */
	rpc_client_stream_free(pair[1]);
	on_closed(seen, st, why);
}

static void
a_stream_may_be_freed_in_closed(void **state)
{
	struct toy *toy = *state;
	struct rpc_client *client = client_as(toy, &toy->edge);
	struct rpc_client_stream_ops ops = plain_ops;
	struct seen seen;
	void *pair[2] = { &seen, NULL };
	struct rpc_client_stream *stream;

	seen_init(&seen);
	ops.opened = NULL;
	ops.closed = free_in_closed;
	assert_int_equal(rpc_client_stream_open(
			     client, SERVICE, "SignStream", &ops, pair, &stream)
			     .code,
	    STATUS_OK);
	pair[1] = stream;
	rpc_client_stream_cancel(stream);
	wait_closed(&seen);
	rpc_client_free(client);
}

static void
a_refused_stream_closes_without_having_opened(void **state)
{
	struct toy *toy = *state;
	struct rpc_client *client = client_as(toy, &toy->edge);
	struct rpc_client_stream_ops ops = plain_ops;
	struct seen seen;

	atomic_store(&toy->deny, true);
	ops.fill = on_fill;
	struct rpc_client_stream *stream = open_stream(client, &ops, &seen);
	wait_closed(&seen);
	assert_int_equal(seen.st.code, STATUS_PERMISSION_DENIED);
	assert_string_equal(seen.why, "not for you");
	assert_int_equal(seen.opened, 0);
	assert_int_equal(atomic_load(&seen.fills), 0);
	rpc_client_stream_free(stream);
	rpc_client_free(client);
	assert_int_equal(seen.closed, 1);
	assert_int_equal(atomic_load(&toy->opened), 0);
}

static void
a_malformed_message_ends_its_stream_alone(void **state)
{
	struct toy *toy = *state;
	struct rpc_client *client = client_as(toy, &toy->edge);
	struct seen bad_seen;
	struct seen good_seen;
	struct rpc_client_stream *bad =
	    open_stream(client, &plain_ops, &bad_seen);
	struct rpc_client_stream *good =
	    open_stream(client, &plain_ops, &good_seen);
	uint8_t packed[256];

	rpc_client_stream_send(bad, bytes_of("\xff\xff\xff garbage"));
	wait_closed(&bad_seen);
	assert_int_equal(bad_seen.st.code, STATUS_INVALID_ARGUMENT);
	assert_string_equal(bad_seen.why, "not a batch");
	size_t len = pack_batch(0, 4, packed, sizeof(packed));
	rpc_client_stream_send(good, (struct bytes){ packed, len });
	wait_responses(&good_seen, 4);
	rpc_client_stream_end(good);
	wait_closed(&good_seen);
	rpc_client_stream_free(bad);
	rpc_client_stream_free(good);
	rpc_client_free(client);
}

static void
a_stream_that_is_not_read_is_given_up(void **state)
{
	struct toy *toy = *state;
	struct rpc_client *client = client_as(toy, &toy->edge);
	struct seen seen;
	struct rpc_client_stream *stream =
	    open_stream(client, &plain_ops, &seen);
	char why[RPC_WHY_MAX];

	rpc_client_stream_send(stream, bytes_of(""));
	wait_closed(&seen);
	assert_int_not_equal(seen.st.code, STATUS_OK);
	wait_count(&toy->closed, 1);
	assert_int_equal(call_sign(client, "a", 10000, why).code, STATUS_OK);
	rpc_client_stream_free(stream);
	rpc_client_free(client);
}

static void
a_client_that_vanishes_closes_its_stream(void **state)
{
	struct toy *toy = *state;
	struct rpc_client *client = client_as(toy, &toy->edge);
	struct seen seen;
	struct rpc_client_stream *stream =
	    open_stream(client, &plain_ops, &seen);

	wait_opened(&seen);
	rpc_client_stream_cancel(stream);
	wait_closed(&seen);
	rpc_client_stream_free(stream);
	rpc_client_free(client);
	wait_count(&toy->closed, 1);
}

/* ---- life ---- */

static int
refused_port(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	/* Bound but not listening: it stays refused while fd is open. */
	return ntohs(in.sin_port) | fd << 16;
}

static void
a_stream_to_a_refused_port_closes_once_with_unavailable(void **state)
{
	struct toy *toy = *state;
	int port = refused_port();

	snprintf(
	    toy->target, sizeof(toy->target), "127.0.0.1:%d", port & 0xffff);
	struct rpc_client *client = client_as(toy, &toy->edge);
	for (int i = 0; i < 3; i++) {
		struct seen seen;
		struct rpc_client_stream *stream =
		    open_stream(client, &plain_ops, &seen);

		rpc_client_stream_send(stream, bytes_of("lost"));
		wait_closed(&seen);
		assert_int_equal(seen.st.code, STATUS_UNAVAILABLE);
		assert_true(seen.why[0] != '\0');
		assert_int_equal(seen.opened, 0);
		rpc_client_stream_wake(stream);
		rpc_client_stream_send(stream, bytes_of("too late"));
		rpc_client_stream_end(stream);
		rpc_client_stream_cancel(stream);
		rpc_client_stream_free(stream);
		assert_int_equal(seen.closed, 1);
	}
	rpc_client_free(client);
	close(port >> 16);
}

static void
a_client_reconnects_when_the_server_is_back(void **state)
{
	struct toy *toy = *state;
	struct rpc_client *client = client_as(toy, &toy->edge);
	char why[RPC_WHY_MAX];
	char listen[32];

	assert_int_equal(call_sign(client, "a", 10000, why).code, STATUS_OK);
	snprintf(listen, sizeof(listen), "%s", toy->target);
	rpc_server_drain(toy->server, NS_PER_S);
	rpc_server_free(toy->server);
	assert_int_equal(
	    call_sign(client, "b", 10000, why).code, STATUS_UNAVAILABLE);
	struct rpc_server_config config = {
		.listen = listen,
		.ca_pem = pki_ca_pem(toy->ca),
		.identity = identity,
		.authorize = authorize,
		.ctx = toy,
	};
	assert_int_equal(rpc_server_new(&config, &toy->server).code, STATUS_OK);
	rpc_server_add_unary(toy->server, SERVICE, "Sign", sign, toy);
	assert_int_equal(rpc_server_start(toy->server).code, STATUS_OK);
	struct status st = status_fail(STATUS_UNAVAILABLE, "");
	for (int i = 0; i < 300 && failed(st); i++) {
		st = call_sign(client, "c", 10000, why);
		usleep(failed(st) ? 100000 : 0);
	}
	assert_int_equal(st.code, STATUS_OK);
	rpc_client_free(client);
}

static void
drain_ends_open_streams_with_unavailable(void **state)
{
	struct toy *toy = *state;
	struct rpc_client *client = client_as(toy, &toy->edge);
	struct seen seen;
	struct rpc_client_stream *stream =
	    open_stream(client, &plain_ops, &seen);
	uint8_t packed[256];

	size_t len = pack_batch(0, 4, packed, sizeof(packed));
	rpc_client_stream_send(stream, (struct bytes){ packed, len });
	wait_responses(&seen, 4);
	rpc_server_drain(toy->server, 20 * NS_PER_S);
	assert_int_equal(atomic_load(&toy->closed), 1);
	wait_closed(&seen);
	assert_int_equal(seen.st.code, STATUS_UNAVAILABLE);
	assert_string_equal(seen.why, "draining");
	rpc_client_stream_free(stream);
	rpc_client_free(client);
}

static void *
slow_call(void *arg)
{
	struct rpc_client *client = arg;
	char why[RPC_WHY_MAX];

	return call_sign(client, "sleep", 20000, why).code == STATUS_OK ? arg
									: NULL;
}

static void
drain_lets_a_running_call_finish(void **state)
{
	struct toy *toy = *state;
	struct rpc_client *client = client_as(toy, &toy->edge);
	pthread_t thread;
	void *done;

	pthread_create(&thread, NULL, slow_call, client);
	wait_count(&toy->unary, 1);
	rpc_server_drain(toy->server, 20 * NS_PER_S);
	pthread_join(thread, &done);
	assert_ptr_equal(done, client);
	rpc_client_free(client);
}

/* Kept by reference beyond closed: what is done to it then does nothing. */
static struct rpc_stream *kept;

static STATUS
keep_open(void *ctx, struct rpc_stream *stream, const struct rpc_peer *peer,
    void **ret_state)
{
	(void)peer;
	rpc_stream_ref(stream);
	kept = stream;
	*ret_state = ctx;
	return status_ok();
}

static STATUS
keep_message(void *state, struct bytes message)
{
	(void)state;
	(void)message;
	return status_ok();
}

static void
keep_closed(void *state)
{
	struct toy *toy = state;

	atomic_fetch_add(&toy->half_closed, 1);
}

static void
a_stream_kept_beyond_closed_does_nothing(void **state)
{
	struct toy *toy = *state;
	static const struct rpc_stream_ops ops = { .open = keep_open,
		.message = keep_message,
		.closed = keep_closed };
	struct rpc_server_config config = {
		.listen = "127.0.0.1:0",
		.ca_pem = pki_ca_pem(toy->ca),
		.identity = identity,
		.authorize = authorize,
		.ctx = toy,
	};
	struct rpc_server *server;
	struct seen seen;

	assert_int_equal(rpc_server_new(&config, &server).code, STATUS_OK);
	rpc_server_add_stream(server, SERVICE, "SignStream", &ops, toy);
	assert_int_equal(rpc_server_start(server).code, STATUS_OK);
	snprintf(toy->target, sizeof(toy->target), "127.0.0.1:%d",
	    rpc_server_port(server));
	struct rpc_client *client = client_as(toy, &toy->edge);
	struct rpc_client_stream *stream =
	    open_stream(client, &plain_ops, &seen);
	wait_opened(&seen);
	rpc_server_drain(server, 20 * NS_PER_S);
	assert_int_equal(atomic_load(&toy->half_closed), 1);
	rpc_stream_send(kept, bytes_of("late"));
	rpc_server_free(server);
	rpc_stream_send(kept, bytes_of("later"));
	/* Who waits for room must not wait for ever. */
	assert_true(rpc_stream_has_room(kept));
	rpc_stream_end(kept, status_ok());
	rpc_stream_unref(kept);
	wait_closed(&seen);
	rpc_client_stream_free(stream);
	rpc_client_free(client);
}

/* A server whose replies come from threads of its own, as a signer's do. */
struct late {
	pthread_mutex_t mu;
	pthread_cond_t work;
	struct rpc_stream *waiting[4096]; /* each a reference */
	size_t n;
	bool stop;
	atomic_int opened, closed;
};

static void *
late_replies(void *arg)
{
	struct late *late = arg;
	uint8_t packed[64];
	SignResponse one;
	SignResponse *list[] = { &one };
	SignReplyBatch reply = HOLDFAST__KEYD__V1__SIGN_REPLY_BATCH__INIT;

	holdfast__keyd__v1__sign_response__init(&one);
	reply.n_responses = 1;
	reply.responses = list;
	size_t len = protobuf_c_message_pack(&reply.base, packed);
	pthread_mutex_lock(&late->mu);
	while (!late->stop || late->n > 0) {
		if (late->n == 0) {
			pthread_cond_wait(&late->work, &late->mu);
			continue;
		}
		struct rpc_stream *stream = late->waiting[--late->n];
		pthread_mutex_unlock(&late->mu);
		for (int i = 0; i < 8; i++)
			rpc_stream_send(stream, (struct bytes){ packed, len });
		rpc_stream_unref(stream);
		pthread_mutex_lock(&late->mu);
	}
	pthread_mutex_unlock(&late->mu);
	return NULL;
}

struct late_stream {
	struct late *late;
	struct rpc_stream *stream;
};

static STATUS
late_open(void *ctx, struct rpc_stream *stream, const struct rpc_peer *peer,
    void **ret_state)
{
	struct late_stream *s = calloc(1, sizeof(*s));

	(void)peer;
	assert_non_null(s);
	s->late = ctx;
	s->stream = stream;
	atomic_fetch_add(&s->late->opened, 1);
	*ret_state = s;
	return status_ok();
}

static STATUS
late_message(void *state, struct bytes message)
{
	struct late_stream *s = state;

	(void)message;
	pthread_mutex_lock(&s->late->mu);
	if (s->late->n < 4096) {
		rpc_stream_ref(s->stream);
		s->late->waiting[s->late->n++] = s->stream;
		pthread_cond_signal(&s->late->work);
	}
	pthread_mutex_unlock(&s->late->mu);
	return status_ok();
}

static void
late_closed(void *state)
{
	struct late_stream *s = state;

	atomic_fetch_add(&s->late->closed, 1);
	free(s);
}

static void
count_message(void *ctx, struct bytes message)
{
	struct seen *seen = ctx;

	(void)message;
	pthread_mutex_lock(&seen->mu);
	seen->messages++;
	pthread_cond_broadcast(&seen->changed);
	pthread_mutex_unlock(&seen->mu);
}

/* 16 streams, half of them cancelled while replies come, then a drain. */
static void
late_traffic(struct rpc_server *server, struct rpc_client *client)
{
	struct rpc_client_stream_ops ops = plain_ops;
	struct rpc_client_stream *streams[16];
	static struct seen seen[16];
	uint8_t packed[256];
	size_t len = pack_batch(0, 4, packed, sizeof(packed));

	ops.message = count_message;
	for (size_t i = 0; i < 16; i++)
		streams[i] = open_stream(client, &ops, &seen[i]);
	for (size_t n = 0; n < 50; n++)
		for (size_t i = 0; i < 16; i++) {
			rpc_client_stream_send(
			    streams[i], (struct bytes){ packed, len });
			if (n == 25 && i % 2 == 0)
				rpc_client_stream_cancel(streams[i]);
		}
	for (size_t i = 1; i < 16; i += 2)
		wait_for(&seen[i], &seen[i].messages, NULL, 1);
	rpc_server_drain(server, 20 * NS_PER_S);
	for (size_t i = 0; i < 16; i++) {
		wait_closed(&seen[i]);
		rpc_client_stream_free(streams[i]);
	}
}

static void
replies_of_other_threads_outlive_cancels_and_drain(void **state)
{
	struct toy *toy = *state;
	static const struct rpc_stream_ops ops = { .open = late_open,
		.message = late_message,
		.closed = late_closed,
		.coalesce_max = COALESCE_MAX };
	struct rpc_server_config config = {
		.listen = "127.0.0.1:0",
		.ca_pem = pki_ca_pem(toy->ca),
		.identity = identity,
		.authorize = authorize,
		.ctx = toy,
		.cq_threads = 2,
	};
	static struct late late = { .mu = PTHREAD_MUTEX_INITIALIZER,
		.work = PTHREAD_COND_INITIALIZER };
	struct rpc_server *server;
	pthread_t threads[2];

	assert_int_equal(rpc_server_new(&config, &server).code, STATUS_OK);
	rpc_server_add_stream(server, SERVICE, "SignStream", &ops, &late);
	assert_int_equal(rpc_server_start(server).code, STATUS_OK);
	snprintf(toy->target, sizeof(toy->target), "127.0.0.1:%d",
	    rpc_server_port(server));
	struct rpc_client *client = client_as(toy, &toy->edge);
	for (size_t i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, late_replies, &late);
	late_traffic(server, client);
	rpc_client_free(client);
	rpc_server_free(server);
	assert_int_equal(atomic_load(&late.opened), atomic_load(&late.closed));
	pthread_mutex_lock(&late.mu);
	late.stop = true;
	pthread_cond_broadcast(&late.work);
	pthread_mutex_unlock(&late.mu);
	for (size_t i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}

static void
a_port_in_use_is_said(void **state)
{
	struct toy *toy = *state;
	struct rpc_server_config config = {
		.listen = toy->target,
		.ca_pem = pki_ca_pem(toy->ca),
		.identity = identity,
		.authorize = authorize,
		.ctx = toy,
	};
	struct rpc_server *server;

	assert_int_equal(rpc_server_new(&config, &server).code, STATUS_OK);
	struct status st = rpc_server_start(server);
	assert_int_equal(st.code, STATUS_UNAVAILABLE);
	assert_non_null(strstr(st.why, "port"));
	rpc_server_free(server);
}

static STATUS
wrong_identity(void *ctx, bool *ret_changed, char **ret_cert, char **ret_key)
{
	struct toy *toy = ctx;

	*ret_changed = true;
	*ret_cert = strdup(toy->keyd.cert_pem);
	*ret_key = strdup(toy->edge.key_pem);
	return status_ok();
}

static void
an_identity_whose_key_is_anothers_is_said(void **state)
{
	struct toy *toy = *state;
	struct rpc_server_config config = {
		.listen = "127.0.0.1:0",
		.ca_pem = pki_ca_pem(toy->ca),
		.identity = wrong_identity,
		.authorize = authorize,
		.ctx = toy,
	};
	struct rpc_server *server;

	assert_int_equal(rpc_server_new(&config, &server).code, STATUS_OK);
	struct status st = rpc_server_start(server);
	assert_int_equal(st.code, STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(st.why, "does not belong"));
	rpc_server_free(server);
}

static void
an_anonymous_server_takes_clients_without_certificates(void **state)
{
	struct toy *toy = *state;
	struct rpc_server_config config = {
		.listen = "127.0.0.1:0",
		.anonymous = true,
		.identity = identity,
		.authorize = authorize,
		.ctx = toy,
	};
	struct rpc_server *server;
	char why[RPC_WHY_MAX];

	assert_int_equal(rpc_server_new(&config, &server).code, STATUS_OK);
	rpc_server_add_unary(server, SERVICE, "Sign", sign, toy);
	assert_int_equal(rpc_server_start(server).code, STATUS_OK);
	snprintf(toy->target, sizeof(toy->target), "127.0.0.1:%d",
	    rpc_server_port(server));
	struct rpc_client *client = client_as(toy, NULL);
	snprintf(toy->seen_id, sizeof(toy->seen_id), "unset");
	assert_int_equal(
	    call_sign(client, "hello", 10000, why).code, STATUS_OK);
	assert_string_equal(toy->seen_id, "");
	rpc_client_free(client);
	rpc_server_drain(server, NS_PER_S);
	rpc_server_free(server);
}

static void
a_server_beside_another_serves_and_drains_without_it(void **state)
{
	struct toy *toy = *state;
	struct rpc_server_config config = {
		.listen = "127.0.0.1:0",
		.anonymous = true,
		.identity = identity,
		.authorize = authorize,
		.ctx = toy,
		.beside = toy->server,
	};
	char first_target[sizeof(toy->target)];
	struct rpc_server *server;
	struct rpc_client *client;
	char why[RPC_WHY_MAX];

	memcpy(first_target, toy->target, sizeof(first_target));
	assert_int_equal(rpc_server_new(&config, &server).code, STATUS_OK);
	rpc_server_add_unary(server, SERVICE, "Sign", sign, toy);
	assert_int_equal(rpc_server_start(server).code, STATUS_OK);
	snprintf(toy->target, sizeof(toy->target), "127.0.0.1:%d",
	    rpc_server_port(server));
	client = client_as(toy, NULL);
	assert_int_equal(
	    call_sign(client, "hello", 10000, why).code, STATUS_OK);
	rpc_client_free(client);
	rpc_server_drain(server, NS_PER_S);
	rpc_server_free(server);

	memcpy(toy->target, first_target, sizeof(first_target));
	client = client_as(toy, &toy->edge);
	assert_int_equal(
	    call_sign(client, "hello", 10000, why).code, STATUS_OK);
	rpc_client_free(client);
}

static void
metrics_count_calls_by_method_and_code(void **state)
{
	struct toy *toy = *state;
	struct rpc_client *client = client_as(toy, &toy->edge);
	char why[RPC_WHY_MAX];
	size_t len;

	assert_int_equal(call_sign(client, "a", 10000, why).code, STATUS_OK);
	assert_int_equal(call_sign(client, "b", 10000, why).code, STATUS_OK);
	assert_int_equal(call_sign(client, "refuse", 10000, why).code,
	    STATUS_PERMISSION_DENIED);
	char *page = metrics_render(toy->metrics, &len);
	assert_non_null(strstr(page,
	    "rpc_server_calls_total{method=\"/holdfast.keyd.v1.Signer/Sign\","
	    "code=\"OK\"} 2\n"));
	assert_non_null(strstr(page,
	    "rpc_server_calls_total{method=\"/holdfast.keyd.v1.Signer/Sign\","
	    "code=\"PERMISSION_DENIED\"} 1\n"));
	free(page);
	rpc_client_free(client);
}

static void
health_follows_set_serving(void **state)
{
	struct toy *toy = *state;
	struct rpc_client *client = client_as(toy, &toy->edge);
	Grpc__Health__V1__HealthCheckRequest request;
	char why[RPC_WHY_MAX];

	grpc__health__v1__health_check_request__init(&request);
	for (int serving = 1; serving >= 0; serving--) {
		ProtobufCMessage *reply;

		rpc_server_set_serving(toy->server, serving);
		assert_int_equal(rpc_client_call(client,
				     &grpc__health__v1__health__descriptor,
				     "Check", &request.base, 10000, &reply, why)
				     .code,
		    STATUS_OK);
		/* SERVING is 1, NOT_SERVING 2. */
		assert_int_equal(
		    ((Grpc__Health__V1__HealthCheckResponse *)reply)->status,
		    2 - serving);
		protobuf_c_message_free_unpacked(reply, NULL);
	}
	rpc_client_free(client);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* An argument picks tests by name ("*drain*"). */
int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_unary_call_reaches_its_handler_and_returns_its_reply),
		TEST(a_refusal_arrives_with_its_code_and_words),
		TEST(a_denied_call_never_reaches_its_handler),
		TEST(a_call_denied_while_it_waited_never_reaches_its_handler),
		TEST(a_call_that_takes_longer_than_its_deadline_fails),
		TEST(a_deadline_is_kept_when_the_wall_clock_was_set_back),
		TEST(
		    an_oversized_request_is_refused_and_the_connection_serves_on),
		TEST(a_request_of_many_pieces_arrives_whole),
		TEST(a_client_without_a_certificate_gets_no_connection),
		TEST(a_certificate_of_a_foreign_ca_gets_no_connection),
		TEST(an_expired_certificate_gets_no_connection),
		TEST(
		    a_certificate_that_expires_on_an_open_connection_opens_no_more_calls),
		TEST(a_certificate_names_exactly_one_spiffe_id_or_nobody),
		TEST(a_server_without_the_expected_dns_san_is_not_trusted),
		TEST(a_server_of_a_foreign_ca_is_not_trusted),
		TEST(a_new_identity_is_shown_to_the_next_connection),
		TEST(what_is_sent_on_a_stream_comes_back_in_order),
		TEST(messages_that_wait_leave_as_one),
		TEST(fill_is_asked_after_each_wake_and_loses_nothing),
		TEST(wakes_of_many_threads_lose_nothing),
		TEST(a_stream_may_be_freed_in_closed),
		TEST(a_refused_stream_closes_without_having_opened),
		TEST(a_malformed_message_ends_its_stream_alone),
		TEST(a_stream_that_is_not_read_is_given_up),
		TEST(a_client_that_vanishes_closes_its_stream),
		TEST(a_stream_to_a_refused_port_closes_once_with_unavailable),
		TEST(a_client_reconnects_when_the_server_is_back),
		TEST(drain_ends_open_streams_with_unavailable),
		TEST(drain_lets_a_running_call_finish),
		TEST(a_stream_kept_beyond_closed_does_nothing),
		TEST(replies_of_other_threads_outlive_cancels_and_drain),
		TEST(a_port_in_use_is_said),
		TEST(an_identity_whose_key_is_anothers_is_said),
		TEST(an_anonymous_server_takes_clients_without_certificates),
		TEST(a_server_beside_another_serves_and_drains_without_it),
		TEST(metrics_count_calls_by_method_and_code),
		TEST(health_follows_set_serving),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
