/* SPDX-License-Identifier: Apache-2.0 */

/* What is counted of signatures: by identity and time, in fixed room. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "keyd/signing_tally.h"

#define STEP SIGNING_TALLY_STEP_S
#define PLACES SIGNING_TALLY_PLACES
#define OTHERS SIGNING_TALLY_PLACES
#define T0 (INT64_C(1700000000) / STEP * STEP)

static struct signing_tally *tally;
static struct signing_tally_series *series;

static int
set_up(void **state)
{
	(void)state;
	tally = signing_tally_new();
	series = malloc(sizeof(*series));
	return tally == NULL || series == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
	(void)state;
	signing_tally_free(tally);
	free(series);
	return 0;
}

static void
name_caller(struct caller *caller, unsigned number)
{
	char id[SPIFFE_ID_MAX];

	memset(caller, 0, sizeof(*caller));
	snprintf(id, sizeof(id), "spiffe://example.org/edge/e%u", number);
	caller_init(caller, id, INT64_MAX, "example.org");
}

/* One call that took so long, refused or not. */
static void
count(struct caller *caller, int64_t now_s, int64_t took_us, bool is_refused)
{
	struct sign_call call = { .caller = caller, .arrived_ns = 0 };
	struct sign_call *calls[] = { &call };

	if (is_refused)
		call.status = status_fail(STATUS_PERMISSION_DENIED, "no");
	signing_tally_add(tally, calls, 1, now_s, took_us * 1000);
}

/* The step of that time, of whoever; zeroed when there is none. */
static struct signing_tally_step
step_of(size_t place, int64_t at_s)
{
	const struct signing_tally_step *step;

	if (!signing_tally_series(tally, place, series))
		return (struct signing_tally_step){ .at = 0 };
	step = &series->steps[at_s / STEP % SIGNING_TALLY_STEPS];
	return step->at == at_s / STEP ? *step
				       : (struct signing_tally_step){ .at = 0 };
}

static size_t
place_of(const struct caller *caller)
{
	for (size_t i = 0; i < PLACES; i++)
		if (signing_tally_series(tally, i, series) &&
		    strcmp(series->identity, caller->text) == 0)
			return i;
	return OTHERS;
}

static void
signatures_and_refusals_are_counted_by_identity_and_step(void **state)
{
	struct caller one, two;
	struct signing_tally_step step;

	(void)state;
	name_caller(&one, 1);
	name_caller(&two, 2);
	count(&one, T0, 100, false);
	count(&one, T0 + STEP - 1, 100, false);
	count(&one, T0 + STEP, 100, true);
	count(&two, T0, 5000, false);
	step = step_of(place_of(&one), T0);
	assert_int_equal(step.signatures, 2);
	assert_int_equal(step.refusals, 0);
	step = step_of(place_of(&one), T0 + STEP);
	assert_int_equal(step.signatures, 0);
	assert_int_equal(step.refusals, 1);
	assert_int_equal(signing_tally_quantile_us(&step, 500), 0);
	assert_int_equal(step_of(place_of(&two), T0).signatures, 1);
	assert_false(signing_tally_series(tally, OTHERS, series));
}

static void
how_long_it_took_is_told_to_a_buckets_width(void **state)
{
	static const int64_t TOOK_US[] = { 1, 64, 65, 100, 700, 5000, 90000,
		1000000 };
	struct caller one;

	(void)state;
	for (unsigned i = 0; i < sizeof(TOOK_US) / sizeof(TOOK_US[0]); i++) {
		struct signing_tally_step step;
		uint32_t told;

		name_caller(&one, i);
		count(&one, T0, TOOK_US[i], false);
		step = step_of(place_of(&one), T0);
		told = signing_tally_quantile_us(&step, 990);
		assert_true(told >= TOOK_US[i]);
		assert_true(told <= 64 || told < TOOK_US[i] * 3 / 2);
	}
	/* What takes longer than any bucket. */
	name_caller(&one, 99);
	count(&one, T0, INT64_C(3600000000), false);
	assert_int_equal(
	    step_of(place_of(&one), T0).took[SIGNING_TALLY_BUCKETS - 1], 1);
	/* Of a hundred the slowest is the 99th percentile's neighbour. */
	name_caller(&one, 100);
	for (unsigned i = 0; i < 100; i++)
		count(&one, T0, i == 99 ? 900000 : 100, false);
	{
		struct signing_tally_step step = step_of(place_of(&one), T0);

		assert_int_equal(signing_tally_quantile_us(&step, 500), 128);
		assert_int_equal(signing_tally_quantile_us(&step, 990), 128);
		assert_true(signing_tally_quantile_us(&step, 991) > 900000);
	}
}

static void
what_is_an_hour_old_gives_way_to_what_is_new(void **state)
{
	struct caller one;

	(void)state;
	name_caller(&one, 1);
	count(&one, T0, 100, false);
	count(&one, T0 + STEP * SIGNING_TALLY_STEPS, 100, true);
	assert_int_equal(step_of(place_of(&one), T0).signatures, 0);
	assert_int_equal(
	    step_of(place_of(&one), T0 + STEP * SIGNING_TALLY_STEPS).refusals,
	    1);
}

static void
who_was_not_heard_of_for_longest_gives_way_to_a_newcomer(void **state)
{
	struct caller callers[PLACES + 1];

	(void)state;
	for (unsigned i = 0; i <= PLACES; i++)
		name_caller(&callers[i], i);
	for (unsigned i = 0; i < PLACES; i++)
		count(&callers[i], T0, 100, false);
	for (unsigned i = 1; i < PLACES; i++)
		count(&callers[i], T0 + STEP, 100, false);
	count(&callers[PLACES], T0 + 7 * STEP, 100, false);
	assert_int_equal(place_of(&callers[0]), OTHERS);
	assert_true(place_of(&callers[PLACES]) < PLACES);
	assert_true(place_of(&callers[1]) < PLACES);
	/* What was counted of it stays, among the others'. */
	assert_int_equal(step_of(OTHERS, T0).signatures, 1);
	/* It comes again: a place of its own, for another went away. */
	count(&callers[0], T0 + 8 * STEP, 100, false);
	assert_true(place_of(&callers[0]) < PLACES);
}

static void
those_who_sign_all_the_time_keep_their_places_however_many_come(void **state)
{
	static struct caller callers[3 * PLACES];
	size_t placed = 0;
	uint32_t of_others = 0;

	(void)state;
	for (unsigned i = 0; i < 3 * PLACES; i++)
		name_caller(&callers[i], i);
	for (int round = 0; round < 5; round++)
		for (unsigned i = 0; i < 3 * PLACES; i++)
			count(&callers[i], T0 + round * STEP, 100, false);
	for (unsigned i = 0; i < 3 * PLACES; i++)
		placed += place_of(&callers[i]) < PLACES;
	assert_int_equal(placed, PLACES);
	for (int round = 0; round < 5; round++)
		of_others += step_of(OTHERS, T0 + round * STEP).signatures;
	assert_int_equal(of_others, 5 * 2 * PLACES);
}

/* An identity that is none of the domain's is refused; it takes no place. */
static void
strangers_are_counted_together(void **state)
{
	struct caller stranger;

	(void)state;
	memset(&stranger, 0, sizeof(stranger));
	caller_init(&stranger, "spiffe://elsewhere.org/edge/e1", INT64_MAX,
	    "example.org");
	count(&stranger, T0, 100, true);
	assert_int_equal(step_of(OTHERS, T0).refusals, 1);
	assert_false(signing_tally_series(tally, 0, series));
}

/* ---- threads ---- */

#define THREADS 4
#define ROUNDS 20000

static struct caller shared[8];

static void *
sign_on(void *ctx)
{
	const uintptr_t self = (uintptr_t)ctx;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct sign_call calls[4];
		struct sign_call *at[4];

		memset(calls, 0, sizeof(calls));
		for (unsigned c = 0; c < 4; c++) {
			calls[c].caller = &shared[(i + c * self) % 8];
			at[c] = &calls[c];
		}
		signing_tally_add(tally, at, 4, T0 + i % 40, 100000);
	}
	return NULL;
}

static void
nothing_is_lost_when_lanes_count_at_once(void **state)
{
	pthread_t threads[THREADS];
	uint64_t signatures = 0;

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		name_caller(&shared[i], i);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, sign_on, (void *)i), 0);
	for (int i = 0; i < 1000; i++)
		(void)signing_tally_series(tally, (size_t)i % 65, series);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i <= OTHERS; i++)
		for (int64_t at_s = T0; at_s < T0 + 40; at_s += STEP)
			signatures += step_of(i, at_s).signatures;
	assert_int_equal(signatures, THREADS * ROUNDS * 4);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(signatures_and_refusals_are_counted_by_identity_and_step),
		TEST(how_long_it_took_is_told_to_a_buckets_width),
		TEST(what_is_an_hour_old_gives_way_to_what_is_new),
		TEST(who_was_not_heard_of_for_longest_gives_way_to_a_newcomer),
		TEST(
		    those_who_sign_all_the_time_keep_their_places_however_many_come),
		TEST(strangers_are_counted_together),
		TEST(nothing_is_lost_when_lanes_count_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
