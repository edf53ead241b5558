/* SPDX-License-Identifier: Apache-2.0 */
/* keyd/signer.c, batch.c and lanes.c: from a message on a stream to the reply,
 * with a fake token, journal and network. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/clock.h"
#include "keyd/batch.h"
#include "keyd/signer.h"
#include "tests/fake/keyd_fake.h"
#include "tests/fake/policy_of.h"
#include "tests/fake/rpc_fake.h"

typedef Holdfast__Keyd__V1__SignRequest Request;
typedef Holdfast__Keyd__V1__SignBatch Batch;
typedef Holdfast__Keyd__V1__SignResponse Response;
typedef Holdfast__Keyd__V1__SignReplyBatch Replies;

enum {
	KEYS = 4
};

static struct key_id keys[KEYS];
static uint8_t content[] = "sign me as I am";
static struct policy_slot *slot;
static struct metrics *metrics;
static struct rpc_server server;
static struct signer *signer;
static struct rpc_peer edge = {
	.spiffe_id = "spiffe://example.org/edge/fra-1",
	.address = "ipv4:127.0.0.1:1",
};

static struct policy *
make_policy(void)
{
	struct policy_key listed[KEYS];
	struct test_grant grants[KEYS];

	for (size_t i = 0; i < KEYS; i++) {
		keys[i].at[0] = (uint8_t)(i + 1);
		listed[i] = (struct policy_key){
			.id = keys[i], .alg = KEY_ALG_ED25519, .pool = i == 3
		};
		grants[i] = (struct test_grant){ keys[i],
			{ .pattern = "edge/*",
			    .contexts = 1u << CONTEXT_RAW } };
	}
	return policy_of(listed, KEYS, grants, KEYS, NULL);
}

static void
start(size_t queue_max)
{
	static struct hsm *const pools[2];
	const struct signer_config config = {
		.pools = pools,
		.n_pools = 2,
		.policy = slot,
		.domain = "example.org",
		.queue_max = queue_max,
		.default_timeout_ns = 30 * NS_PER_S,
		.metrics = metrics,
	};

	assert_false(failed(signer_new(&config, &signer)));
	signer_register(signer, &server);
}

static int
setup(void **state)
{
	(void)state;
	fake_reset();
	edge.not_after_s = clock_wall_s() + 3600;
	metrics = metrics_new();
	slot = policy_slot_new();
	policy_slot_swap(slot, make_policy());
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	signer_free(signer);
	signer = NULL;
	policy_slot_free(slot);
	metrics_free(metrics);
	return 0;
}

static Request
request_of(uint64_t id, size_t key)
{
	Request request = HOLDFAST__KEYD__V1__SIGN_REQUEST__INIT;

	request.id = id;
	request.key_id = (ProtobufCBinaryData){ KEY_ID_LEN, keys[key].at };
	request.scheme = SCHEME_ED25519;
	request.context = HOLDFAST__KEYD__V1__CONTEXT__CONTEXT_RAW;
	request.content = (ProtobufCBinaryData){ sizeof(content), content };
	return request;
}

static void *
open_stream(struct rpc_stream *stream)
{
	void *state = NULL;

	rpc_fake_stream_init(stream);
	assert_false(
	    failed(server.ops->open(server.stream_ctx, stream, &edge, &state)));
	return state;
}

static struct status
send_requests(void *state, Request *requests, size_t n)
{
	Batch batch = HOLDFAST__KEYD__V1__SIGN_BATCH__INIT;
	Request *at[300];
	uint8_t *packed;
	size_t len;
	struct status st;

	for (size_t i = 0; i < n; i++)
		at[i] = &requests[i];
	batch.n_requests = n;
	batch.requests = at;
	packed =
	    malloc(holdfast__keyd__v1__sign_batch__get_packed_size(&batch) + 1);
	len = holdfast__keyd__v1__sign_batch__pack(&batch, packed);
	st = server.ops->message(state, (struct bytes){ packed, len });
	free(packed);
	return st;
}

/* End the stream as its client would, and decode what came. */
static Replies *
finish(struct rpc_stream *stream, void *state)
{
	Replies *replies;

	server.ops->half_closed(state);
	rpc_fake_wait_end(stream);
	assert_int_equal(stream->end.code, STATUS_OK);
	server.ops->closed(state);
	replies = holdfast__keyd__v1__sign_reply_batch__unpack(
	    NULL, stream->len, stream->sent);
	assert_non_null(replies);
	return replies;
}

static void
drop(Replies *replies)
{
	holdfast__keyd__v1__sign_reply_batch__free_unpacked(replies, NULL);
}

static const Response *
reply_to(const Replies *replies, uint64_t id)
{
	const Response *found = NULL;

	for (size_t i = 0; i < replies->n_responses; i++) {
		if (replies->responses[i]->id != id)
			continue;
		assert_null(found);
		found = replies->responses[i];
	}
	assert_non_null(found);
	return found;
}

static void
every_request_of_every_batch_gets_its_own_reply(void **state)
{
	static struct rpc_stream stream;
	Request requests[256];
	Replies *replies;
	void *s;

	(void)state;
	fake.lanes = 2;
	start(4096);
	s = open_stream(&stream);
	for (size_t b = 0; b < 4; b++) {
		for (size_t i = 0; i < 256; i++)
			requests[i] = request_of(1 + b * 256 + i, i % KEYS);
		assert_false(failed(send_requests(s, requests, 256)));
	}
	replies = finish(&stream, s);
	assert_int_equal(replies->n_responses, 1024);
	for (uint64_t id = 1; id <= 1024; id++) {
		const Response *reply = reply_to(replies, id);

		assert_int_equal(reply->code, STATUS_OK);
		assert_int_equal(reply->signature.len, 1 + sizeof(content));
		assert_memory_equal(
		    reply->signature.data + 1, content, sizeof(content));
		assert_string_equal(reply->why, "");
	}
	drop(replies);
}

static void
a_refused_request_is_a_reply_and_the_stream_goes_on(void **state)
{
	static struct rpc_stream stream;
	Request requests[3] = { request_of(1, 0), request_of(2, 0),
		request_of(3, 0) };
	Replies *replies;
	void *s;

	(void)state;
	start(64);
	s = open_stream(&stream);
	requests[1].context = HOLDFAST__KEYD__V1__CONTEXT__CONTEXT_CSR;
	assert_false(failed(send_requests(s, requests, 3)));
	replies = finish(&stream, s);
	assert_int_equal(reply_to(replies, 1)->code, STATUS_OK);
	assert_int_equal(reply_to(replies, 2)->code, STATUS_PERMISSION_DENIED);
	assert_int_equal(reply_to(replies, 2)->signature.len, 0);
	assert_non_null(strstr(reply_to(replies, 2)->why, "grant"));
	assert_int_equal(reply_to(replies, 3)->code, STATUS_OK);
	drop(replies);
}

static void
malformed_requests_are_refused_and_audited(void **state)
{
	static struct rpc_stream stream;
	static uint8_t big[SIGN_CONTENT_MAX + 1];
	Request requests[5];
	Replies *replies;
	void *s;

	(void)state;
	for (size_t i = 0; i < 5; i++)
		requests[i] = request_of(i + 1, 0);
	requests[0].key_id.len = 31;
	requests[1].key_id.len = 0;
	requests[2].content.len = 0;
	requests[3].content = (ProtobufCBinaryData){ sizeof(big), big };
	requests[4].context = (Holdfast__Keyd__V1__Context)-1;
	start(64);
	s = open_stream(&stream);
	assert_false(failed(send_requests(s, requests, 5)));
	replies = finish(&stream, s);
	for (uint64_t id = 1; id <= 5; id++)
		assert_int_equal(
		    reply_to(replies, id)->code, STATUS_INVALID_ARGUMENT);
	assert_int_equal(fake.n_entries, 5);
	assert_int_equal(fake.hsm_calls, 0);
	drop(replies);
}

static void
a_message_that_is_no_batch_ends_the_stream(void **state)
{
	static struct rpc_stream stream;
	static const uint8_t garbage[] = { 0x0a, 0x05, 0x08 };
	void *s;

	(void)state;
	start(64);
	s = open_stream(&stream);
	assert_int_equal(
	    server.ops->message(s, (struct bytes){ garbage, sizeof(garbage) })
		.code,
	    STATUS_INVALID_ARGUMENT);
	server.ops->closed(s);
}

static void
a_batch_of_257_requests_ends_the_stream(void **state)
{
	static struct rpc_stream stream;
	Request requests[257];
	void *s;

	(void)state;
	for (size_t i = 0; i < 257; i++)
		requests[i] = request_of(i, 0);
	start(64);
	s = open_stream(&stream);
	assert_int_equal(
	    send_requests(s, requests, 257).code, STATUS_INVALID_ARGUMENT);
	server.ops->closed(s);
	assert_int_equal(fake.n_entries, 0);
}

static void
a_hostile_batch_of_empty_requests_is_refused(void **state)
{
	static struct rpc_stream stream;
	static uint8_t message[256 * 1024];
	void *s;

	(void)state;
	for (size_t i = 0; i < sizeof(message); i += 2)
		message[i] = 0x0a;
	start(64);
	s = open_stream(&stream);
	assert_int_equal(
	    server.ops->message(s, (struct bytes){ message, sizeof(message) })
		.code,
	    STATUS_INVALID_ARGUMENT);
	server.ops->closed(s);
}

static void
an_empty_batch_is_nothing(void **state)
{
	static struct rpc_stream stream;
	Replies *replies;
	void *s;

	(void)state;
	start(64);
	s = open_stream(&stream);
	assert_false(failed(send_requests(s, NULL, 0)));
	replies = finish(&stream, s);
	assert_int_equal(replies->n_responses, 0);
	drop(replies);
}

static void
a_full_queue_answers_resource_exhausted_at_once(void **state)
{
	static struct rpc_stream stream;
	Request first = request_of(1, 0), more[4];
	struct signer_counts counts;
	Replies *replies;
	void *s;

	(void)state;
	fake.hint = 1;
	fake.lanes = 2;
	start(4);
	s = open_stream(&stream);
	/* Both lanes of the pool get stuck in the token. */
	fake_hold(true);
	assert_false(failed(send_requests(s, &first, 1)));
	fake_wait_hsm_calls(1);
	first.id = 2;
	assert_false(failed(send_requests(s, &first, 1)));
	fake_wait_hsm_calls(2);
	for (size_t i = 0; i < 4; i++)
		more[i] = request_of(3 + i, 0);
	assert_false(failed(send_requests(s, more, 4)));
	signer_counts(signer, &counts);
	assert_int_equal(counts.queued, 2);
	assert_int_equal(counts.refusals, 2);
	fake_hold(false);
	replies = finish(&stream, s);
	assert_int_equal(replies->n_responses, 6);
	for (uint64_t id = 1; id <= 4; id++)
		assert_int_equal(reply_to(replies, id)->code, STATUS_OK);
	for (uint64_t id = 5; id <= 6; id++)
		assert_int_equal(
		    reply_to(replies, id)->code, STATUS_RESOURCE_EXHAUSTED);
	drop(replies);
}

static void
what_comes_while_the_journals_disk_does_not_answer_is_told_so_at_once(
    void **state)
{
	static struct rpc_stream stream;
	Request held = request_of(1, 0),
		more[2] = { request_of(2, 0), request_of(3, 0) },
		after = request_of(4, 0);
	struct signer_counts counts;
	Replies *replies;
	void *s;

	(void)state;
	start(16);
	s = open_stream(&stream);
	fake_hold(true);
	assert_false(failed(send_requests(s, &held, 1)));
	fake_wait_hsm_calls(1);
	fake.stall = status_fail(STATUS_UNAVAILABLE, "the disk is gone");
	assert_false(failed(send_requests(s, more, 2)));
	signer_counts(signer, &counts);
	assert_int_equal(counts.queued, 0);
	assert_int_equal(counts.refusals, 2);
	/* What was begun goes on, and what comes afterwards too. */
	fake.stall = status_ok();
	assert_false(failed(send_requests(s, &after, 1)));
	fake_hold(false);
	replies = finish(&stream, s);
	assert_int_equal(replies->n_responses, 4);
	assert_int_equal(reply_to(replies, 1)->code, STATUS_OK);
	for (uint64_t id = 2; id <= 3; id++) {
		assert_int_equal(
		    reply_to(replies, id)->code, STATUS_UNAVAILABLE);
		assert_int_equal(reply_to(replies, id)->signature.len, 0);
	}
	assert_int_equal(reply_to(replies, 4)->code, STATUS_OK);
	drop(replies);
}

static void
a_request_whose_time_runs_out_in_the_queue_never_reaches_the_token(void **state)
{
	static struct rpc_stream stream;
	Request held = request_of(1, 0), late = request_of(3, 1);
	Replies *replies;
	void *s;

	(void)state;
	fake.hint = 1;
	fake.lanes = 2;
	start(64);
	s = open_stream(&stream);
	fake_hold(true);
	for (unsigned i = 1; i <= 2; i++) {
		held.id = i;
		assert_false(failed(send_requests(s, &held, 1)));
		fake_wait_hsm_calls(i);
	}
	late.timeout_ms = 1;
	assert_false(failed(send_requests(s, &late, 1)));
	usleep(20000);
	fake_hold(false);
	replies = finish(&stream, s);
	assert_int_equal(reply_to(replies, 3)->code, STATUS_DEADLINE_EXCEEDED);
	assert_int_equal(fake.hsm_ops, 2);
	assert_int_equal(fake.n_entries, 3);
	drop(replies);
}

static void
calls_of_a_closed_stream_are_dropped_before_the_token(void **state)
{
	static struct rpc_stream stream;
	Request request = request_of(1, 0);
	unsigned cancelled = 0;
	void *s;

	(void)state;
	fake.hint = 1;
	fake.lanes = 2;
	start(64);
	s = open_stream(&stream);
	fake_hold(true);
	for (unsigned i = 1; i <= 2; i++) {
		assert_false(failed(send_requests(s, &request, 1)));
		fake_wait_hsm_calls(i);
	}
	assert_false(failed(send_requests(s, &request, 1)));
	server.ops->closed(s);
	fake_hold(false);
	pthread_mutex_lock(&stream.lock);
	while (stream.refs > 0)
		pthread_cond_wait(&stream.changed, &stream.lock);
	pthread_mutex_unlock(&stream.lock);
	assert_int_equal(fake.hsm_ops, 2);
	assert_int_equal(fake.n_entries, 3);
	for (size_t i = 0; i < 3; i++)
		cancelled += fake.entries[i].code == STATUS_CANCELLED;
	assert_int_equal(cancelled, 1);
}

static void
a_foreign_domain_opens_no_stream(void **state)
{
	static struct rpc_stream stream;
	const struct rpc_peer foreign = {
		.spiffe_id = "spiffe://example.com/edge/fra-1",
		.not_after_s = INT64_MAX,
	};
	void *s = NULL;

	(void)state;
	start(64);
	rpc_fake_stream_init(&stream);
	assert_int_equal(
	    server.ops->open(server.stream_ctx, &stream, &foreign, &s).code,
	    STATUS_UNAUTHENTICATED);
	assert_null(s);
	assert_int_equal(stream.refs, 0);
}

static void
an_expired_certificate_gets_unauthenticated_on_an_open_stream(void **state)
{
	static struct rpc_stream stream;
	Request request = request_of(1, 0);
	Replies *replies;
	void *s;

	(void)state;
	edge.not_after_s = clock_wall_s() - 1;
	start(64);
	s = open_stream(&stream);
	assert_false(failed(send_requests(s, &request, 1)));
	replies = finish(&stream, s);
	assert_int_equal(reply_to(replies, 1)->code, STATUS_UNAUTHENTICATED);
	drop(replies);
}

static void
a_revoked_grant_counts_for_the_next_request_of_an_open_stream(void **state)
{
	static struct rpc_stream stream;
	Request request = request_of(1, 0);
	Replies *replies;
	void *s;

	(void)state;
	start(64);
	s = open_stream(&stream);
	policy_slot_swap(slot, policy_of(NULL, 0, NULL, 0, NULL));
	assert_false(failed(send_requests(s, &request, 1)));
	replies = finish(&stream, s);
	assert_int_equal(reply_to(replies, 1)->code, STATUS_PERMISSION_DENIED);
	drop(replies);
}

static void
a_quarantine_counts_for_what_is_queued_already(void **state)
{
	static struct rpc_stream stream;
	static const struct policy_member out = { ROLE_EDGE, "fra-1" };
	const struct policy_rules rules = { .quarantined = &out,
		.n_quarantined = 1 };
	scoped(policy_unref) struct policy *before = NULL;
	struct policy_draft *draft = NULL;
	Request request = request_of(1, 0);
	Replies *replies;
	void *s;

	(void)state;
	fake.hint = 1;
	fake.lanes = 2;
	start(64);
	s = open_stream(&stream);
	fake_hold(true);
	for (unsigned i = 1; i <= 2; i++) {
		request.id = i;
		assert_false(failed(send_requests(s, &request, 1)));
		fake_wait_hsm_calls(i);
	}
	request.id = 3;
	assert_false(failed(send_requests(s, &request, 1)));
	before = policy_slot_get(slot);
	assert_false(failed(policy_draft_new(before, &draft)));
	assert_false(failed(policy_draft_rules(draft, &rules)));
	policy_slot_swap(slot, policy_draft_done(draft));
	request.id = 4;
	assert_false(failed(send_requests(s, &request, 1)));
	fake_hold(false);
	replies = finish(&stream, s);
	/* The token was at these two already. */
	assert_int_equal(reply_to(replies, 1)->code, STATUS_OK);
	assert_int_equal(reply_to(replies, 2)->code, STATUS_OK);
	assert_int_equal(reply_to(replies, 3)->code, STATUS_PERMISSION_DENIED);
	assert_int_equal(reply_to(replies, 4)->code, STATUS_PERMISSION_DENIED);
	assert_int_equal(fake.hsm_ops, 2);
	assert_int_equal(fake.n_entries, 4);
	drop(replies);
}

static void
counts_streams_by_identity(void **state)
{
	static struct rpc_stream streams[2];
	struct signer_counts counts;
	void *s[2];

	(void)state;
	start(64);
	for (size_t i = 0; i < 2; i++)
		s[i] = open_stream(&streams[i]);
	assert_int_equal(signer_streams_of(signer, edge.spiffe_id), 2);
	assert_int_equal(
	    signer_streams_of(signer, "spiffe://example.org/x/y"), 0);
	server.ops->closed(s[0]);
	signer_counts(signer, &counts);
	assert_int_equal(counts.streams, 1);
	server.ops->closed(s[1]);
	assert_int_equal(signer_streams_of(signer, edge.spiffe_id), 0);
}

static void
a_unary_request_waits_for_its_signature(void **state)
{
	const struct rpc_call call = { .peer = &edge,
		.deadline_ns = INT64_MAX };
	Request request = request_of(7, 3);
	struct rpc_reply reply = { 0 };
	Response *response;

	(void)state;
	start(64);
	assert_false(failed(
	    server.unary(server.unary_ctx, &call, &request.base, &reply)));
	response = holdfast__keyd__v1__sign_response__unpack(
	    NULL, reply.len, reply.packed);
	assert_int_equal(response->id, 7);
	assert_int_equal(response->signature.len, 1 + sizeof(content));
	holdfast__keyd__v1__sign_response__free_unpacked(response, NULL);
}

static void
a_unary_refusal_is_the_calls_status(void **state)
{
	const struct rpc_call call = { .peer = &edge,
		.deadline_ns = INT64_MAX };
	const struct rpc_call late = { .peer = &edge, .deadline_ns = 1 };
	Request request = request_of(0, 0);
	struct rpc_reply reply = { 0 };

	(void)state;
	start(64);
	assert_int_equal(
	    server.unary(server.unary_ctx, &late, &request.base, &reply).code,
	    STATUS_DEADLINE_EXCEEDED);
	request.key_id.len = 3;
	assert_int_equal(
	    server.unary(server.unary_ctx, &call, &request.base, &reply).code,
	    STATUS_INVALID_ARGUMENT);
	assert_int_equal(reply.len, 0);
}

static void
timeouts_default_and_are_capped(void **state)
{
	struct sign_call call;
	Request request = request_of(1, 0);

	(void)state;
	batch_read(&request, NULL, 1000, 5, &call);
	assert_int_equal(call.deadline_ns, 1005);
	request.timeout_ms = 7;
	batch_read(&request, NULL, 1000, 5, &call);
	assert_int_equal(call.deadline_ns, 1000 + 7 * NS_PER_MS);
	request.timeout_ms = UINT32_MAX;
	batch_read(&request, NULL, 1000, 5, &call);
	assert_int_equal(call.deadline_ns, 1000 + 60 * NS_PER_S);
}

static void *
stop(void *arg)
{
	(void)arg;
	signer_free(signer);
	return NULL;
}

static void
everything_that_waits_when_keyd_stops_is_answered(void **state)
{
	static struct rpc_stream stream;
	Request requests[8];
	Replies *replies;
	pthread_t stopper;
	void *s;

	(void)state;
	fake.hint = 1;
	fake.lanes = 2;
	start(64);
	s = open_stream(&stream);
	for (size_t i = 0; i < 8; i++)
		requests[i] = request_of(i + 1, i % KEYS);
	fake_hold(true);
	assert_false(failed(send_requests(s, requests, 8)));
	fake_wait_hsm_calls(4); /* two lanes for each of two pools */
	server.ops->half_closed(s);
	server.ops->closed(s);
	assert_int_equal(pthread_create(&stopper, NULL, stop, NULL), 0);
	usleep(20000);
	fake_hold(false);
	pthread_join(stopper, NULL);
	signer = NULL;
	assert_true(stream.ended);
	assert_int_equal(stream.refs, 0);
	replies = holdfast__keyd__v1__sign_reply_batch__unpack(
	    NULL, stream.len, stream.sent);
	for (uint64_t id = 1; id <= 8; id++) {
		uint32_t code = reply_to(replies, id)->code;

		assert_true(code == STATUS_OK || code == STATUS_UNAVAILABLE ||
			    code == STATUS_CANCELLED);
	}
	drop(replies);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_request_of_every_batch_gets_its_own_reply),
		TEST(a_refused_request_is_a_reply_and_the_stream_goes_on),
		TEST(malformed_requests_are_refused_and_audited),
		TEST(a_message_that_is_no_batch_ends_the_stream),
		TEST(a_batch_of_257_requests_ends_the_stream),
		TEST(a_hostile_batch_of_empty_requests_is_refused),
		TEST(an_empty_batch_is_nothing),
		TEST(
		    what_comes_while_the_journals_disk_does_not_answer_is_told_so_at_once),
		TEST(a_full_queue_answers_resource_exhausted_at_once),
		TEST(
		    a_request_whose_time_runs_out_in_the_queue_never_reaches_the_token),
		TEST(calls_of_a_closed_stream_are_dropped_before_the_token),
		TEST(a_foreign_domain_opens_no_stream),
		TEST(
		    an_expired_certificate_gets_unauthenticated_on_an_open_stream),
		TEST(
		    a_revoked_grant_counts_for_the_next_request_of_an_open_stream),
		TEST(a_quarantine_counts_for_what_is_queued_already),
		TEST(counts_streams_by_identity),
		TEST(a_unary_request_waits_for_its_signature),
		TEST(a_unary_refusal_is_the_calls_status),
		TEST(timeouts_default_and_are_capped),
		TEST(everything_that_waits_when_keyd_stops_is_answered),
	};

	return cmocka_run_group_tests_name("signer", tests, NULL, NULL);
}
