/* SPDX-License-Identifier: Apache-2.0 */
/* keyd/queue.c: fairness, bounds, and many threads at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>

#include "keyd/queue.h"

static const struct key_id keys[] = { { { 1 } }, { { 2 } }, { { 3 } },
	{ { 4 } } };
static struct caller callers[4];

static int
setup(void **state)
{
	(void)state;
	for (size_t i = 0; i < 4; i++)
		atomic_store(&callers[i].waiting, 0);
	return 0;
}

static struct sign_call
call_of(size_t key, size_t caller, uint64_t id)
{
	return (struct sign_call){
		.caller = &callers[caller],
		.flow = &keys[key],
		.id = id,
		.status = status_ok(),
	};
}

static struct sign_call *
put_one(struct queue *queue, struct sign_call *call)
{
	call->next = NULL;
	return queue_put(queue, call);
}

static void
calls_of_one_key_leave_in_the_order_they_came(void **state)
{
	struct queue *queue = queue_new(16, 100);
	struct sign_call calls[5], *taken[16];

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		calls[i] = call_of(0, 0, i);
		assert_null(put_one(queue, &calls[i]));
	}
	assert_int_equal(queue_take(queue, 16, taken), 5);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(taken[i]->id, i);
	queue_free(queue);
}

static void
a_busy_key_takes_turns_with_a_quiet_one(void **state)
{
	struct queue *queue = queue_new(32, 100);
	struct sign_call busy[10], quiet = call_of(1, 1, 100), *taken[4];

	(void)state;
	for (size_t i = 0; i < 10; i++) {
		busy[i] = call_of(0, 0, i);
		assert_null(put_one(queue, &busy[i]));
	}
	assert_null(put_one(queue, &quiet));
	assert_int_equal(queue_take(queue, 4, taken), 4);
	assert_int_equal(taken[0]->id, 0);
	assert_int_equal(taken[1]->id, 100);
	assert_int_equal(taken[2]->id, 1);
	assert_int_equal(taken[3]->id, 2);
	queue_free(queue);
}

static void
the_turn_goes_on_from_take_to_take(void **state)
{
	struct queue *queue = queue_new(32, 100);
	struct sign_call calls[9], *taken[1];
	size_t seen[3] = { 0 };

	(void)state;
	for (size_t i = 0; i < 9; i++) {
		calls[i] = call_of(i / 3, i / 3, i);
		assert_null(put_one(queue, &calls[i]));
	}
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(queue_take(queue, 1, taken), 1);
		seen[taken[0]->id / 3]++;
	}
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(seen[i], 2);
	queue_free(queue);
}

static void
refuses_when_full_and_hands_the_refused_back_in_order(void **state)
{
	struct queue *queue = queue_new(4, 100);
	struct sign_call calls[7], *refused;

	(void)state;
	for (size_t i = 0; i < 7; i++) {
		calls[i] = call_of(i % 4, i % 4, i);
		calls[i].next = i < 6 ? &calls[i + 1] : NULL;
	}
	refused = queue_put(queue, &calls[0]);
	assert_int_equal(queue_depth(queue), 4);
	for (uint64_t i = 4; i < 7; i++) {
		assert_int_equal(refused->id, i);
		assert_int_equal(
		    refused->status.code, STATUS_RESOURCE_EXHAUSTED);
		refused = refused->next;
	}
	assert_null(refused);
	queue_free(queue);
}

static void
one_key_gets_at_most_half_of_the_queue(void **state)
{
	struct queue *queue = queue_new(8, 100);
	struct sign_call calls[5], quiet = call_of(1, 3, 100);

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		calls[i] = call_of(0, i % 2, i);
		assert_int_equal(put_one(queue, &calls[i]) != NULL, i == 4);
	}
	assert_non_null(strstr(calls[4].status.why, "key"));
	assert_null(put_one(queue, &quiet));
	queue_free(queue);
}

static void
one_caller_gets_at_most_half_of_the_queue(void **state)
{
	struct queue *queue = queue_new(8, 100);
	struct sign_call calls[5], quiet = call_of(0, 1, 100);

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		calls[i] = call_of(i % 4, 0, i);
		assert_int_equal(put_one(queue, &calls[i]) != NULL, i == 4);
	}
	assert_non_null(strstr(calls[4].status.why, "caller"));
	assert_null(put_one(queue, &quiet));
	queue_free(queue);
}

static void
room_comes_back_when_calls_are_taken(void **state)
{
	struct queue *queue = queue_new(2, 100);
	struct sign_call call = call_of(0, 2, 0), *taken[1];

	(void)state;
	for (size_t i = 0; i < 100; i++) {
		call.flow = &keys[i % 4];
		assert_null(put_one(queue, &call));
		assert_int_equal(queue_take(queue, 1, taken), 1);
		assert_int_equal(atomic_load(&callers[2].waiting), 0);
	}
	assert_int_equal(queue_depth(queue), 0);
	queue_free(queue);
}

static void
free_lanes_share_what_waits_but_a_handful_stays_together(void **state)
{
	struct queue *queue = queue_new(128, 2);
	struct sign_call calls[64], *taken[64];

	(void)state;
	for (size_t i = 0; i < 64; i++) {
		calls[i] = call_of(i % 4, i % 4, i);
		assert_null(put_one(queue, &calls[i]));
	}
	assert_int_equal(queue_take(queue, 64, taken), 32);
	/* One lane is in use: the rest is the other's. */
	assert_int_equal(queue_take(queue, 5, taken), 5);
	queue_signed(queue);
	queue_signed(queue);
	assert_int_equal(queue_take(queue, 64, taken), QUEUE_HANDFUL);
	assert_int_equal(queue_take(queue, 64, taken), 11);
	queue_free(queue);
}

struct taker {
	struct queue *queue;
	atomic_bool took;
};

static void *
take_once(void *arg)
{
	struct taker *taker = arg;
	struct sign_call *taken[8];

	assert_int_equal(queue_take(taker->queue, 8, taken), 2);
	atomic_store(&taker->took, true);
	return NULL;
}

static void
calls_gather_while_every_lane_is_in_use(void **state)
{
	struct taker taker = { .queue = queue_new(8, 1) };
	struct sign_call calls[3], *taken[8];
	pthread_t thread;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		calls[i] = call_of(0, 0, i);
	assert_null(put_one(taker.queue, &calls[0]));
	assert_int_equal(queue_take(taker.queue, 8, taken), 1);
	assert_null(put_one(taker.queue, &calls[1]));
	pthread_create(&thread, NULL, take_once, &taker);
	assert_null(put_one(taker.queue, &calls[2]));
	assert_false(atomic_load(&taker.took));
	queue_signed(taker.queue);
	pthread_join(thread, NULL);
	assert_true(atomic_load(&taker.took));
	queue_free(taker.queue);
}

static void
a_closed_queue_refuses_but_gives_out_what_waits(void **state)
{
	struct queue *queue = queue_new(8, 100);
	struct sign_call before = call_of(0, 0, 1), after = call_of(0, 0, 2);
	struct sign_call *taken[8];

	(void)state;
	assert_null(put_one(queue, &before));
	queue_close(queue);
	assert_ptr_equal(put_one(queue, &after), &after);
	assert_int_equal(after.status.code, STATUS_UNAVAILABLE);
	assert_int_equal(queue_take(queue, 8, taken), 1);
	assert_int_equal(queue_take(queue, 8, taken), 0);
	queue_free(queue);
}

enum {
	PUTTERS = 3,
	TAKERS = 3,
	EACH = 3000
};

struct crowd {
	struct queue *queue;
	struct sign_call *calls; /* PUTTERS * EACH */
	atomic_size_t putter, taken;
	atomic_uchar *seen;
};

static void *
put_many(void *arg)
{
	struct crowd *crowd = arg;
	size_t me = atomic_fetch_add(&crowd->putter, 1);

	for (size_t i = 0; i < EACH; i++) {
		struct sign_call *call = &crowd->calls[me * EACH + i];

		*call = call_of(i % 4, me, me * EACH + i);
		while (put_one(crowd->queue, call) != NULL)
			sched_yield();
	}
	return NULL;
}

static void *
take_many(void *arg)
{
	struct crowd *crowd = arg;
	struct sign_call *taken[8];
	size_t n;

	while ((n = queue_take(crowd->queue, 8, taken)) > 0) {
		for (size_t i = 0; i < n; i++)
			atomic_fetch_add(&crowd->seen[taken[i]->id], 1);
		atomic_fetch_add(&crowd->taken, n);
		queue_signed(crowd->queue);
	}
	return NULL;
}

static void
no_call_is_lost_or_taken_twice_among_threads(void **state)
{
	struct crowd crowd = {
		.queue = queue_new(32, 2),
		.calls = calloc(PUTTERS * EACH, sizeof(struct sign_call)),
		.seen = calloc(PUTTERS * EACH, sizeof(atomic_uchar)),
	};
	pthread_t putters[PUTTERS], takers[TAKERS];

	(void)state;
	for (size_t i = 0; i < TAKERS; i++)
		pthread_create(&takers[i], NULL, take_many, &crowd);
	for (size_t i = 0; i < PUTTERS; i++)
		pthread_create(&putters[i], NULL, put_many, &crowd);
	for (size_t i = 0; i < PUTTERS; i++)
		pthread_join(putters[i], NULL);
	queue_close(crowd.queue);
	for (size_t i = 0; i < TAKERS; i++)
		pthread_join(takers[i], NULL);
	assert_int_equal(atomic_load(&crowd.taken), PUTTERS * EACH);
	for (size_t i = 0; i < PUTTERS * EACH; i++)
		assert_int_equal(atomic_load(&crowd.seen[i]), 1);
	queue_free(crowd.queue);
	free(crowd.calls);
	free(crowd.seen);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(calls_of_one_key_leave_in_the_order_they_came),
		TEST(a_busy_key_takes_turns_with_a_quiet_one),
		TEST(the_turn_goes_on_from_take_to_take),
		TEST(refuses_when_full_and_hands_the_refused_back_in_order),
		TEST(one_key_gets_at_most_half_of_the_queue),
		TEST(one_caller_gets_at_most_half_of_the_queue),
		TEST(room_comes_back_when_calls_are_taken),
		TEST(free_lanes_share_what_waits_but_a_handful_stays_together),
		TEST(calls_gather_while_every_lane_is_in_use),
		TEST(a_closed_queue_refuses_but_gives_out_what_waits),
		TEST(no_call_is_lost_or_taken_twice_among_threads),
	};

	return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
