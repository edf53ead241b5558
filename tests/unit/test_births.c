/* SPDX-License-Identifier: Apache-2.0 */

/* Which lane made the newest keys of the store. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hsm/births.h"

static struct births births;

static int
start(void **state)
{
	(void)state;
	memset(&births, 0, sizeof(births));
	births_init(&births);
	return 0;
}

static int
stop(void **state)
{
	(void)state;
	births_done(&births);
	return 0;
}

/* Keys that differ in their last octets alone. */
static struct key_id
key(unsigned n)
{
	struct key_id id = { 0 };

	memcpy(id.at + sizeof(id.at) - sizeof(n), &n, sizeof(n));
	return id;
}

static void
add(unsigned n, unsigned lane)
{
	const struct key_id id = key(n);

	births_add(&births, &id, lane);
}

/* -1: it is none of the newest. */
static int
lane_of(unsigned n)
{
	const struct key_id id = key(n);
	unsigned lane = 4711;

	if (births_find(&births, &id, &lane))
		return (int)lane;
	/* Untouched. */
	assert_int_equal(lane, 4711);
	return -1;
}

static void
nothing_is_found_before_there_are_keys(void **state)
{
	(void)state;
	/* The key of zeros is in no entry, though they are zeroed. */
	assert_int_equal(lane_of(0), -1);
}

static void
each_key_has_the_lane_that_made_it(void **state)
{
	(void)state;
	add(0, 3);
	add(1, 0);
	add(2, 7);
	assert_int_equal(lane_of(0), 3);
	assert_int_equal(lane_of(1), 0);
	assert_int_equal(lane_of(2), 7);
	assert_int_equal(lane_of(3), -1);
}

static void
the_newest_64_are_kept_and_the_oldest_goes(void **state)
{
	(void)state;
	for (unsigned n = 0; n < BIRTHS_MAX; n++)
		add(n, n % 5);
	for (unsigned n = 0; n < BIRTHS_MAX; n++)
		assert_int_equal(lane_of(n), n % 5);
	for (unsigned n = BIRTHS_MAX; n < 3 * BIRTHS_MAX + 1; n++) {
		add(n, n % 5);
		assert_int_equal(lane_of(n - BIRTHS_MAX), -1);
		assert_int_equal(
		    lane_of(n - BIRTHS_MAX + 1), (n - BIRTHS_MAX + 1) % 5);
		assert_int_equal(lane_of(n), n % 5);
	}
}

#define THREADS 4
#define EACH 2000

/* Its own key is found as long as it can still be one of the newest. */
static void *
add_many(void *ctx)
{
	const unsigned lane = *(const unsigned *)ctx;

	for (unsigned i = 0; i < EACH; i++) {
		const struct key_id id = key(lane * EACH + i);
		unsigned found = lane;

		births_add(&births, &id, lane);
		(void)births_find(&births, &id, &found);
		if (found != lane)
			return ctx;
	}
	return NULL;
}

static void
lanes_may_add_at_the_same_time(void **state)
{
	static unsigned lanes[THREADS] = { 0, 1, 2, 3 };
	pthread_t threads[THREADS];
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, add_many, &lanes[i]), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		void *failed = &lanes[i];

		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	for (unsigned i = 0; i < THREADS * EACH; i++)
		n += lane_of(i) == (int)(i / EACH);
	assert_int_equal(n, BIRTHS_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_found_before_there_are_keys),
		TEST(each_key_has_the_lane_that_made_it),
		TEST(the_newest_64_are_kept_and_the_oldest_goes),
		TEST(lanes_may_add_at_the_same_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
