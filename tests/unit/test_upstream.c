/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "edge/backoff.h"
#include "edge/batch.h"
#include "edge/upstream.h"
#include "tests/fake/keyd_stub.h"

#define PATIENCE_NS (60 * NS_PER_S)
#define MAX 512

struct world {
	struct keyd_stub *stub;
	struct pending *pending;
	struct upstream *upstream;
	struct metrics *metrics;
	pthread_mutex_t mutex; /* guards what follows */
	size_t n_answers, n_flushes;
	enum status_code codes[MAX]; /* by the request's id */
	char bodies[MAX][SIGNATURE_MAX + 1];
	unsigned times[MAX];
};

static void
on_reply(void *ctx, const struct pending_done *done, enum status_code code,
    struct bytes body)
{
	struct world *w = ctx;

	pthread_mutex_lock(&w->mutex);
	w->n_answers++;
	w->times[done->id]++;
	w->codes[done->id] = code;
	memcpy(w->bodies[done->id], body.at, body.len);
	w->bodies[done->id][body.len] = '\0';
	pthread_mutex_unlock(&w->mutex);
}

static void
on_flush(void *ctx)
{
	struct world *w = ctx;

	pthread_mutex_lock(&w->mutex);
	w->n_flushes++;
	pthread_mutex_unlock(&w->mutex);
}

static const struct upstream_ops ops = { on_reply, on_flush };

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct pending_limits limits = { MAX, 1, MAX };

	assert_non_null(w);
	log_setup(LOG_ERROR, LOG_LOGFMT);
	pthread_mutex_init(&w->mutex, NULL);
	w->stub = keyd_stub_new(STUB_ANSWERS);
	w->metrics = metrics_new();
	assert_false(failed(pending_new(&limits, &w->pending)));
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	upstream_free(w->upstream);
	keyd_stub_free(w->stub);
	pending_free(w->pending);
	metrics_free(w->metrics);
	pthread_mutex_destroy(&w->mutex);
	free(w);
	return 0;
}

static void
connect_with(struct world *w, char **endpoints, size_t n_endpoints)
{
	struct upstream_config config = {
		.identity = keyd_stub_identity(w->stub),
		.endpoints = endpoints,
		.n_endpoints = n_endpoints,
		.first_owner = 1,
		.pending = w->pending,
		.ops = &ops,
		.ctx = w,
		.metrics = w->metrics,
	};

	assert_false(failed(upstream_new(&config, &w->upstream)));
}

static void
text_of(uint32_t id, char text[32])
{
	(void)!snprintf(text, 32, "content of %u", id);
}

static void
ask_until(struct world *w, uint32_t from, uint32_t to, int64_t deadline_ns)
{
	for (uint32_t id = from; id < to; id++) {
		char text[32];

		text_of(id, text);
		assert_false(failed(
		    pending_add(w->pending, &(struct pending_request){
						.id = id,
						.scheme = SCHEME_ED25519,
						.context = CONTEXT_RAW,
						.received_ns = clock_mono_ns(),
						.deadline_ns = deadline_ns,
						.content = bytes_of(text),
					    })));
		if (w->upstream != NULL)
			upstream_wake(w->upstream);
	}
}

static void
ask(struct world *w, uint32_t from, uint32_t to)
{
	ask_until(w, from, to, clock_mono_ns() + PATIENCE_NS);
}

static size_t
answers(struct world *w)
{
	size_t n;

	pthread_mutex_lock(&w->mutex);
	n = w->n_answers;
	pthread_mutex_unlock(&w->mutex);
	return n;
}

/* Each of them once, with its own signature. */
static void
expect_all(struct world *w, size_t n)
{
	int64_t until_ns = clock_mono_ns() + PATIENCE_NS;
	char text[32];

	while (answers(w) < n) {
		assert_true(clock_mono_ns() < until_ns);
		nanosleep(&(struct timespec){ .tv_nsec = NS_PER_MS }, NULL);
	}
	pthread_mutex_lock(&w->mutex);
	for (uint32_t id = 0; id < n; id++) {
		text_of(id, text);
		assert_int_equal(w->times[id], 1);
		assert_int_equal(w->codes[id], STATUS_OK);
		assert_string_equal(w->bodies[id], text);
	}
	pthread_mutex_unlock(&w->mutex);
	assert_int_equal(pending_count(w->pending), 0);
}

static void
hands_each_reply_to_the_request_it_answers(void **state)
{
	struct world *w = *state;

	keyd_stub_start(w->stub);
	connect_with(w, NULL, 0);
	ask(w, 0, 200);
	expect_all(w, 200);
	pthread_mutex_lock(&w->mutex);
	assert_true(w->n_flushes > 0 && w->n_flushes <= 200);
	pthread_mutex_unlock(&w->mutex);
}

static void
sends_what_waits_together(void **state)
{
	struct world *w = *state;
	struct keyd_stub_counts counts;

	keyd_stub_start(w->stub);
	ask(w, 0, BATCH_REQUESTS_MAX + 30);
	connect_with(w, NULL, 0);
	expect_all(w, BATCH_REQUESTS_MAX + 30);
	counts = keyd_stub_counts(w->stub);
	assert_int_equal(counts.batches, 2);
	assert_int_equal(counts.largest, BATCH_REQUESTS_MAX);
}

static void
loses_nothing_when_keyd_restarts_within_the_deadline(void **state)
{
	struct world *w = *state;

	keyd_stub_set_mode(w->stub, STUB_HOLDS);
	keyd_stub_start(w->stub);
	connect_with(w, NULL, 0);
	ask(w, 0, 40);
	keyd_stub_await_requests(w->stub, 40);
	keyd_stub_stop(w->stub);
	ask(w, 40, 50);
	assert_int_equal(answers(w), 0);
	keyd_stub_set_mode(w->stub, STUB_ANSWERS);
	keyd_stub_start(w->stub);
	expect_all(w, 50);
}

static void
does_not_send_again_what_nobody_waits_for(void **state)
{
	struct world *w = *state;
	struct pending_done done;
	size_t expired = 0;

	keyd_stub_set_mode(w->stub, STUB_HOLDS);
	keyd_stub_start(w->stub);
	connect_with(w, NULL, 0);
	ask(w, 0, 10);
	keyd_stub_await_requests(w->stub, 10);
	keyd_stub_stop(w->stub);
	while (pending_expire(w->pending, INT64_MAX, &done))
		expired++;
	assert_int_equal(expired, 10);
	keyd_stub_set_mode(w->stub, STUB_ANSWERS);
	keyd_stub_start(w->stub);
	keyd_stub_await_streams(w->stub, 2);
	ask(w, 0, 1);
	expect_all(w, 1);
	assert_int_equal(keyd_stub_counts(w->stub).requests, 11);
}

static void
passes_on_what_keyd_refuses(void **state)
{
	struct world *w = *state;
	int64_t until_ns = clock_mono_ns() + PATIENCE_NS;

	keyd_stub_set_mode(w->stub, STUB_REFUSES);
	keyd_stub_start(w->stub);
	connect_with(w, NULL, 0);
	ask(w, 0, 1);
	while (answers(w) < 1 && clock_mono_ns() < until_ns)
		nanosleep(&(struct timespec){ .tv_nsec = NS_PER_MS }, NULL);
	pthread_mutex_lock(&w->mutex);
	assert_int_equal(w->codes[0], STATUS_PERMISSION_DENIED);
	assert_string_equal(w->bodies[0], "no grant for this key");
	pthread_mutex_unlock(&w->mutex);
}

static void
goes_over_to_a_new_identity_without_losing_a_request(void **state)
{
	struct world *w = *state;

	keyd_stub_set_mode(w->stub, STUB_HOLDS);
	keyd_stub_start(w->stub);
	connect_with(w, NULL, 0);
	ask(w, 0, 10);
	keyd_stub_await_requests(w->stub, 10);
	upstream_set_identity(w->upstream, keyd_stub_identity(w->stub));
	keyd_stub_await_streams(w->stub, 2);
	ask(w, 10, 20);
	keyd_stub_await_requests(w->stub, 20);
	keyd_stub_release(w->stub);
	expect_all(w, 20);
	/* Drained, not broken: nothing was sent twice. */
	assert_int_equal(keyd_stub_counts(w->stub).requests, 20);
	assert_int_equal(keyd_stub_counts(w->stub).streams, 2);
}

static void
goes_on_to_the_next_endpoint_when_one_is_dead(void **state)
{
	struct world *w = *state;
	char dead[] = "127.0.0.1:1";
	char alive[32];
	char *endpoints[] = { dead, dead, alive };

	keyd_stub_start(w->stub);
	(void)!snprintf(
	    alive, sizeof(alive), "%s", keyd_stub_endpoint(w->stub));
	connect_with(w, endpoints, 3);
	ask(w, 0, 5);
	expect_all(w, 5);
}

static void
says_why_keyd_is_not_reachable(void **state)
{
	struct world *w = *state;
	struct upstream_state up;
	int64_t until_ns = clock_mono_ns() + PATIENCE_NS;
	char dead[] = "127.0.0.1:1";
	char *endpoints[] = { dead };

	keyd_stub_start(w->stub);
	connect_with(w, endpoints, 1);
	do {
		upstream_state(w->upstream, &up);
		assert_false(up.reachable);
		assert_non_null(strstr(up.why, "keyd is not reachable: "));
		assert_true(clock_mono_ns() < until_ns);
	} while (strstr(up.why, "127.0.0.1:1: ") == NULL);
}

static void
knows_since_when_keyd_is_reachable(void **state)
{
	struct world *w = *state;
	struct upstream_state up;
	int64_t until_ns = clock_mono_ns() + PATIENCE_NS, lost_ns;

	keyd_stub_start(w->stub);
	connect_with(w, NULL, 0);
	ask(w, 0, 1);
	expect_all(w, 1);
	upstream_state(w->upstream, &up);
	assert_true(up.reachable);
	assert_string_equal(up.why, "");
	lost_ns = clock_mono_ns();
	keyd_stub_stop(w->stub);
	do {
		upstream_state(w->upstream, &up);
		assert_true(clock_mono_ns() < until_ns);
	} while (up.reachable);
	assert_true(up.since_ns >= lost_ns);
}

static void
replaces_a_stream_that_carries_nonsense(void **state)
{
	struct world *w = *state;

	keyd_stub_set_mode(w->stub, STUB_BABBLES);
	keyd_stub_start(w->stub);
	connect_with(w, NULL, 0);
	ask(w, 0, 5);
	expect_all(w, 5);
	assert_int_equal(keyd_stub_counts(w->stub).streams, 2);
}

static void
ends_at_once_while_requests_are_in_flight(void **state)
{
	struct world *w = *state;

	keyd_stub_set_mode(w->stub, STUB_HOLDS);
	keyd_stub_start(w->stub);
	connect_with(w, NULL, 0);
	ask(w, 0, 10);
	keyd_stub_await_requests(w->stub, 10);
	upstream_free(w->upstream);
	w->upstream = NULL;
	assert_int_equal(answers(w), 0);
	assert_int_equal(pending_count(w->pending), 10);
}

static void
refuses_an_identity_that_names_no_keyd(void **state)
{
	struct world *w = *state;
	struct enroll_identity *identity = keyd_stub_identity(w->stub);
	struct upstream_config config = { .identity = identity };

	free(identity->endpoints[0]);
	identity->n_endpoints = 0;
	assert_int_equal(upstream_new(&config, &w->upstream).code,
	    STATUS_FAILED_PRECONDITION);
	enroll_identity_free(identity);
}

static void
tries_every_endpoint_at_once_and_then_ever_more_slowly(void **state)
{
	int64_t most = BACKOFF_FIRST_NS;

	(void)state;
	assert_int_equal(backoff_ns(0, 1), 0);
	assert_int_equal(backoff_ns(2, 3), 0);
	for (unsigned fails = 3; fails < 3000; fails++) {
		assert_in_range(backoff_ns(fails, 3), most / 2, most);
		most = most < BACKOFF_MAX_NS / 2 ? 2 * most : BACKOFF_MAX_NS;
	}
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(hands_each_reply_to_the_request_it_answers),
		T(sends_what_waits_together),
		T(loses_nothing_when_keyd_restarts_within_the_deadline),
		T(does_not_send_again_what_nobody_waits_for),
		T(passes_on_what_keyd_refuses),
		T(goes_over_to_a_new_identity_without_losing_a_request),
		T(goes_on_to_the_next_endpoint_when_one_is_dead),
		T(says_why_keyd_is_not_reachable),
		T(knows_since_when_keyd_is_reachable),
		T(replaces_a_stream_that_carries_nonsense),
		T(ends_at_once_while_requests_are_in_flight),
		T(refuses_an_identity_that_names_no_keyd),
		cmocka_unit_test(
		    tries_every_endpoint_at_once_and_then_ever_more_slowly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
