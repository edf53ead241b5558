/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "base/clock.h"
#include "edge/batch.h"
#include "edge/pending.h"
#include "proto/holdfast/keyd/v1/signer.pb-c.h"

#define FAR (INT64_C(1000) * NS_PER_S)

static uint8_t out[BATCH_OCTETS_MAX];

static struct pending *
table(size_t requests, size_t connections, size_t per_connection)
{
	struct pending_limits limits = { requests, connections,
		per_connection };
	struct pending *pending = NULL;

	assert_false(failed(pending_new(&limits, &pending)));
	return pending;
}

static struct status
add(struct pending *pending, uint64_t conn, uint32_t id, int64_t deadline_ns)
{
	struct pending_request request = {
		.conn = conn,
		.id = id,
		.scheme = SCHEME_ECDSA_SECP256R1_SHA256,
		.context = CONTEXT_TLS13_SERVER,
		.key.at = { 1, 2, 3 },
		.received_ns = 7,
		.deadline_ns = deadline_ns,
		.content = bytes_of("content"),
	};

	return pending_add(pending, &request);
}

/* Take what waits; ids of the requests taken. */
static size_t
take(struct pending *pending, uint32_t owner, uint64_t *ret_ids)
{
	size_t count = 0;
	size_t len = pending_fill(pending, owner, 0, out, sizeof(out), &count);
	Holdfast__Keyd__V1__SignBatch *batch =
	    holdfast__keyd__v1__sign_batch__unpack(NULL, len, out);

	assert_non_null(batch);
	assert_int_equal(batch->n_requests, count);
	for (size_t i = 0; i < count; i++)
		ret_ids[i] = batch->requests[i]->id;
	holdfast__keyd__v1__sign_batch__free_unpacked(batch, NULL);
	return count;
}

static void
writes_a_batch_that_the_generated_code_reads(void **state)
{
	struct pending *pending = table(4, 4, 4);
	size_t count = 0, len;
	Holdfast__Keyd__V1__SignBatch *batch;
	Holdfast__Keyd__V1__SignRequest *request;

	(void)state;
	assert_false(failed(add(pending, 1, 11, 1500 * NS_PER_MS)));
	len =
	    pending_fill(pending, 1, 300 * NS_PER_MS, out, sizeof(out), &count);
	assert_int_equal(count, 1);
	batch = holdfast__keyd__v1__sign_batch__unpack(NULL, len, out);
	assert_non_null(batch);
	assert_int_equal(batch->n_requests, 1);
	request = batch->requests[0];
	assert_int_not_equal(request->id, 0);
	assert_int_equal(request->key_id.len, KEY_ID_LEN);
	assert_memory_equal(request->key_id.data, "\1\2\3\0", 4);
	assert_int_equal(request->scheme, SCHEME_ECDSA_SECP256R1_SHA256);
	assert_int_equal(request->context, CONTEXT_TLS13_SERVER);
	assert_int_equal(request->content.len, 7);
	assert_memory_equal(request->content.data, "content", 7);
	assert_int_equal(request->timeout_ms, 1200);
	holdfast__keyd__v1__sign_batch__free_unpacked(batch, NULL);
	pending_free(pending);
}

static void
completes_a_request_once_and_only_for_the_stream_that_has_it(void **state)
{
	struct pending *pending = table(4, 4, 4);
	struct pending_done done = { 0 };
	uint64_t ids[4];

	(void)state;
	assert_false(failed(add(pending, 2, 22, FAR)));
	/* Nobody has it yet, whatever id somebody guesses. */
	assert_false(
	    pending_complete(pending, 0, UINT64_C(1) << 32 | 1, &done));
	assert_int_equal(take(pending, 5, ids), 1);
	assert_false(pending_complete(pending, 6, ids[0], &done));
	assert_false(pending_complete(pending, 5, ids[0] + 1, &done));
	assert_false(pending_complete(pending, 5, UINT64_MAX, &done));
	assert_true(pending_complete(pending, 5, ids[0], &done));
	assert_int_equal(done.conn, 2);
	assert_int_equal(done.id, 22);
	assert_int_equal(done.received_ns, 7);
	assert_false(pending_complete(pending, 5, ids[0], &done));
	assert_int_equal(pending_count(pending), 0);
	pending_free(pending);
}

static void
does_not_take_a_late_reply_for_an_answer_to_a_newer_request(void **state)
{
	struct pending *pending = table(1, 1, 1);
	struct pending_done done;
	uint64_t old, new;

	(void)state;
	assert_false(failed(add(pending, 0, 1, 100)));
	assert_int_equal(take(pending, 1, &old), 1);
	assert_true(pending_expire(pending, 100, &done));
	assert_false(failed(add(pending, 0, 2, FAR)));
	assert_int_equal(take(pending, 1, &new), 1);
	assert_int_not_equal(old, new);
	assert_false(pending_complete(pending, 1, old, &done));
	assert_true(pending_complete(pending, 1, new, &done));
	assert_int_equal(done.id, 2);
	pending_free(pending);
}

static void
sends_again_what_a_broken_stream_had_ahead_of_the_rest(void **state)
{
	struct pending *pending = table(8, 8, 8);
	struct pending_done done;
	uint64_t first[8], again[8];

	(void)state;
	assert_false(failed(add(pending, 0, 1, FAR)));
	assert_false(failed(add(pending, 0, 2, FAR)));
	assert_int_equal(take(pending, 1, first), 2);
	assert_false(failed(add(pending, 0, 3, FAR)));
	assert_int_equal(take(pending, 2, first + 2), 1);
	assert_false(failed(add(pending, 0, 4, FAR)));

	assert_int_equal(pending_return(pending, 1), 2);
	assert_int_equal(take(pending, 3, again), 3);
	assert_int_equal(again[0], first[0]);
	assert_int_equal(again[1], first[1]);
	/* The other stream still has its own. */
	assert_true(pending_complete(pending, 2, first[2], &done));
	assert_int_equal(done.id, 3);
	assert_false(pending_complete(pending, 1, first[0], &done));
	assert_true(pending_complete(pending, 3, again[2], &done));
	assert_int_equal(done.id, 4);
	pending_free(pending);
}

static void
bounds_requests_in_all_and_for_each_connection(void **state)
{
	struct pending *pending = table(3, 2, 2);
	struct status st;

	(void)state;
	assert_false(failed(add(pending, 0, 1, FAR)));
	assert_false(failed(add(pending, 0, 2, FAR)));
	st = add(pending, 0, 3, FAR);
	assert_int_equal(st.code, STATUS_RESOURCE_EXHAUSTED);
	assert_non_null(strstr(st.why, "connection"));
	assert_false(failed(add(pending, 1, 4, FAR)));
	st = add(pending, 1, 5, FAR);
	assert_int_equal(st.code, STATUS_RESOURCE_EXHAUSTED);
	assert_non_null(strstr(st.why, "queue_max"));
	pending_forget(pending, 0);
	assert_int_equal(pending_count(pending), 1);
	assert_false(failed(add(pending, 0, 6, FAR)));
	pending_free(pending);
}

static void
fills_no_more_than_a_batch_and_keeps_the_rest(void **state)
{
	struct pending *pending = table(200, 200, 1);
	uint64_t ids[BATCH_REQUESTS_MAX];
	size_t count;

	(void)state;
	for (uint32_t i = 0; i < 100; i++)
		assert_false(failed(add(pending, i, i, FAR)));
	assert_int_equal(take(pending, 1, ids), BATCH_REQUESTS_MAX);
	/* Room for one of them, not for two. */
	assert_in_range(pending_fill(pending, 1, 0, out, 100, &count), 1, 100);
	assert_int_equal(count, 1);
	assert_int_equal(pending_fill(pending, 1, 0, out, 10, &count), 0);
	assert_int_equal(count, 0);
	assert_int_equal(take(pending, 1, ids), 100 - BATCH_REQUESTS_MAX - 1);
	assert_int_equal(take(pending, 1, ids), 0);
	pending_free(pending);
}

static void
does_not_send_what_is_too_late_but_lets_it_expire(void **state)
{
	struct pending *pending = table(4, 4, 4);
	struct pending_done done;
	size_t count;

	(void)state;
	assert_false(failed(add(pending, 0, 1, 50)));
	assert_int_equal(
	    pending_fill(pending, 1, 50, out, sizeof(out), &count), 0);
	assert_int_equal(pending_return(pending, 1), 0);
	assert_true(pending_expire(pending, 50, &done));
	assert_int_equal(done.id, 1);
	assert_false(pending_expire(pending, INT64_MAX, &done));
	pending_free(pending);
}

static void
forgets_what_a_closed_connection_asked_for(void **state)
{
	struct pending *pending = table(8, 4, 8);
	struct pending_done done;
	uint64_t ids[8];

	(void)state;
	assert_false(failed(add(pending, 1, 1, FAR)));
	assert_int_equal(take(pending, 1, ids), 1);
	assert_false(failed(add(pending, 1, 2, FAR)));
	assert_false(failed(add(pending, 2, 3, FAR)));
	pending_forget(pending, 1);
	pending_forget(pending, 1);
	assert_int_equal(pending_count(pending), 1);
	assert_false(pending_complete(pending, 1, ids[0], &done));
	assert_int_equal(take(pending, 1, ids), 1);
	assert_true(pending_complete(pending, 1, ids[0], &done));
	assert_int_equal(done.id, 3);
	pending_free(pending);
}

static void
expires_by_deadline_whatever_the_order_of_arrival(void **state)
{
	enum {
		N = 600,
		STEP = 7919
	};
	struct pending *pending = table(N, N, 1);
	struct pending_done done;
	size_t expired = 0;

	(void)state;
	/* A walk through 0..N-1 that jumps; ids are the deadlines. */
	for (uint32_t i = 0; i < N; i++) {
		uint32_t deadline = (uint32_t)((uint64_t)i * STEP % N);

		assert_false(failed(add(pending, i, deadline, deadline)));
	}
	for (uint64_t conn = 0; conn < N; conn += 3)
		pending_forget(pending, conn);
	assert_int_equal(pending_count(pending), N - N / 3);
	for (int64_t now = 0; now < N; now++) {
		while (pending_expire(pending, now, &done)) {
			assert_int_equal(done.id, now);
			expired++;
		}
		assert_true(pending_next_deadline(pending) > now);
	}
	assert_int_equal(expired, N - N / 3);
	assert_int_equal(pending_next_deadline(pending), INT64_MAX);
	pending_free(pending);
}

static void
refuses_limits_that_make_no_sense(void **state)
{
	struct pending_limits limits[] = { { 0, 1, 1 }, { 1, 0, 1 },
		{ 1, 1, 0 }, { SIZE_MAX, 1, 1 } };
	struct pending *pending = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		assert_true(failed(pending_new(&limits[i], &pending)));
	assert_null(pending);
	pending_free(NULL);
}

enum {
	SHARED = 20000
};

static void *
answer_all(void *arg)
{
	struct pending *pending = arg;
	size_t answered = 0;

	while (answered < SHARED) {
		static uint8_t mine[BATCH_OCTETS_MAX];
		size_t count = 0;
		size_t len =
		    pending_fill(pending, 1, 0, mine, sizeof(mine), &count);
		Holdfast__Keyd__V1__SignBatch *batch =
		    holdfast__keyd__v1__sign_batch__unpack(NULL, len, mine);
		struct pending_done done;

		if (count == 0)
			sched_yield();
		for (size_t i = 0; batch != NULL && i < batch->n_requests; i++)
			if (pending_complete(
				pending, 1, batch->requests[i]->id, &done))
				answered++;
		holdfast__keyd__v1__sign_batch__free_unpacked(batch, NULL);
	}
	return NULL;
}

static void
serves_two_threads_and_loses_nothing(void **state)
{
	struct pending *pending = table(64, 4, 64);
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, answer_all, pending), 0);
	for (uint32_t i = 0; i < SHARED;) {
		if (failed(add(pending, i % 4, i, FAR)))
			sched_yield();
		else
			i++;
	}
	pthread_join(thread, NULL);
	assert_int_equal(pending_count(pending), 0);
	pending_free(pending);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_a_batch_that_the_generated_code_reads),
		cmocka_unit_test(
		    completes_a_request_once_and_only_for_the_stream_that_has_it),
		cmocka_unit_test(
		    does_not_take_a_late_reply_for_an_answer_to_a_newer_request),
		cmocka_unit_test(
		    sends_again_what_a_broken_stream_had_ahead_of_the_rest),
		cmocka_unit_test(
		    bounds_requests_in_all_and_for_each_connection),
		cmocka_unit_test(fills_no_more_than_a_batch_and_keeps_the_rest),
		cmocka_unit_test(
		    does_not_send_what_is_too_late_but_lets_it_expire),
		cmocka_unit_test(forgets_what_a_closed_connection_asked_for),
		cmocka_unit_test(
		    expires_by_deadline_whatever_the_order_of_arrival),
		cmocka_unit_test(refuses_limits_that_make_no_sense),
		cmocka_unit_test(serves_two_threads_and_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
