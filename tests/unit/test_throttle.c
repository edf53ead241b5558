/* SPDX-License-Identifier: Apache-2.0 */

/* Guessing is slow, and locks nobody else out. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "certd/login/throttle.h"

#define ANNA "anna@example.com"

static struct throttle *throttle;
static int64_t now_ns;

static int
set_up(void **state)
{
	(void)state;
	now_ns = 1000 * NS_PER_S;
	throttle = throttle_new();
	return throttle == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
	(void)state;
	throttle_free(throttle);
	return 0;
}

static unsigned
tries(const char *who, const char *address, enum throttle_outcome outcome)
{
	struct throttle_try try;
	unsigned wait_s = throttle_begin(throttle, who, address, now_ns, &try);

	if (wait_s == 0)
		throttle_end(throttle, &try, outcome, now_ns);
	return wait_s;
}

static void
a_network_that_is_wrong_waits_longer_each_time(void **state)
{
	unsigned last = 0;

	(void)state;
	for (unsigned i = 0; i < THROTTLE_FREE; i++)
		assert_int_equal(tries(ANNA, "192.0.2.1", THROTTLE_WRONG), 0);
	for (unsigned i = 0; i < 12; i++) {
		unsigned wait_s = tries(ANNA, "192.0.2.1", THROTTLE_WRONG);

		assert_true(wait_s > last || wait_s == THROTTLE_WAIT_MAX_S);
		/* What is refused does not make it longer. */
		assert_int_equal(
		    tries(ANNA, "192.0.2.1", THROTTLE_WRONG), wait_s);
		now_ns += wait_s * NS_PER_S;
		assert_int_equal(tries(ANNA, "192.0.2.1", THROTTLE_WRONG), 0);
		last = wait_s;
	}
	assert_int_equal(last, THROTTLE_WAIT_MAX_S);
	/* Forgotten in the end. */
	now_ns += (THROTTLE_FORGIVE_S + 1) * NS_PER_S;
	for (unsigned i = 0; i < THROTTLE_FREE; i++)
		assert_int_equal(tries(ANNA, "192.0.2.1", THROTTLE_WRONG), 0);
}

static void
another_network_and_another_user_do_not_wait(void **state)
{
	(void)state;
	for (unsigned i = 0; i < THROTTLE_FREE; i++)
		assert_int_equal(tries(ANNA, "192.0.2.1", THROTTLE_WRONG), 0);
	assert_int_not_equal(tries(ANNA, "192.0.2.1", THROTTLE_RIGHT), 0);
	assert_int_equal(tries(ANNA, "192.0.2.2", THROTTLE_RIGHT), 0);
	assert_int_equal(
	    tries("bert@example.com", "192.0.2.1", THROTTLE_RIGHT), 0);
}

static void
an_ipv6_network_is_its_first_64_bits_and_case_hides_nobody(void **state)
{
	(void)state;
	for (unsigned i = 0; i < THROTTLE_FREE; i++)
		assert_int_equal(tries(ANNA, "2001:db8::1", THROTTLE_WRONG), 0);
	assert_int_not_equal(
	    tries("Anna@Example.com", "2001:db8::ffff:1", THROTTLE_RIGHT), 0);
	assert_int_equal(tries(ANNA, "2001:db8:0:1::1", THROTTLE_RIGHT), 0);
	/* An IPv4 address is itself however it is written. */
	for (unsigned i = 0; i < THROTTLE_FREE; i++)
		assert_int_equal(tries(ANNA, "192.0.2.9", THROTTLE_WRONG), 0);
	assert_int_not_equal(
	    tries(ANNA, "::ffff:192.0.2.9", THROTTLE_RIGHT), 0);
}

static void
what_was_right_makes_the_wrong_ones_forgotten(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i + 1 < THROTTLE_FREE; i++)
			assert_int_equal(
			    tries(ANNA, "192.0.2.1", THROTTLE_WRONG), 0);
		assert_int_equal(tries(ANNA, "192.0.2.1", THROTTLE_RIGHT), 0);
	}
}

static void
who_asks_many_times_at_once_gains_nothing(void **state)
{
	struct throttle_try running[THROTTLE_FREE + 4];
	unsigned n = 0;

	(void)state;
	while (
	    n < THROTTLE_FREE + 4 && throttle_begin(throttle, ANNA, "192.0.2.1",
					 now_ns, &running[n]) == 0)
		n++;
	assert_int_equal(n, THROTTLE_FREE);
	while (n > 0)
		throttle_end(throttle, &running[--n], THROTTLE_RIGHT, now_ns);
	assert_int_equal(tries(ANNA, "192.0.2.1", THROTTLE_RIGHT), 0);
}

/* From a network of its own. */
static unsigned
tries_from(unsigned i)
{
	char address[40];

	snprintf(address, sizeof(address), "198.51.%u.%u", i / 256, i % 256);
	return tries(ANNA, address, THROTTLE_WRONG);
}

static void
many_networks_guess_slowly_and_known_ones_do_not_wait_for_them(void **state)
{
	unsigned n = 0;

	(void)state;
	assert_int_equal(tries(ANNA, "192.0.2.1", THROTTLE_RIGHT), 0);
	for (unsigned i = 0; i < 1000; i++)
		n += tries_from(i) == 0;
	assert_int_equal(n, THROTTLE_USER_BURST);
	assert_int_equal(tries(ANNA, "192.0.2.1", THROTTLE_RIGHT), 0);
	/* One that is not known has its turn with them. */
	assert_int_not_equal(tries(ANNA, "192.0.2.2", THROTTLE_RIGHT), 0);
	now_ns += THROTTLE_USER_S * NS_PER_S;
	assert_int_equal(tries(ANNA, "192.0.2.2", THROTTLE_RIGHT), 0);
	/* Others are not held up. */
	assert_int_equal(
	    tries("bert@example.com", "192.0.2.3", THROTTLE_RIGHT), 0);
}

static void
one_network_guesses_at_few_users_at_a_time(void **state)
{
	char who[40];
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(who, sizeof(who), "user%u@example.com", i);
		n += tries(who, "192.0.2.1", THROTTLE_WRONG) == 0;
	}
	assert_int_equal(n, THROTTLE_NETWORK_BURST);
	/* What is right costs nothing. */
	now_ns += THROTTLE_NETWORK_S * NS_PER_S;
	for (unsigned i = 0; i < 100; i++) {
		snprintf(who, sizeof(who), "good%u@example.com", i);
		assert_int_equal(tries(who, "192.0.2.1", THROTTLE_RIGHT), 0);
	}
}

static void
codes_are_guessed_more_slowly_still(void **state)
{
	struct throttle_try try;
	char address[40];
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		snprintf(address, sizeof(address), "198.51.100.%u", i);
		now_ns += THROTTLE_USER_S * NS_PER_S;
		assert_int_equal(
		    throttle_begin(throttle, ANNA, address, now_ns, &try), 0);
		if (throttle_code(throttle, &try, now_ns) == 0) {
			n++;
			throttle_end(throttle, &try, THROTTLE_WRONG, now_ns);
		} else {
			throttle_end(throttle, &try, THROTTLE_HALF, now_ns);
		}
	}
	/* Five minutes have gone by. */
	assert_in_range(n, THROTTLE_CODE_BURST, THROTTLE_CODE_BURST + 1);
}

static void
guessing_at_very_many_makes_none_of_the_worst_forgotten(void **state)
{
	char who[40], address[40];
	unsigned held = 0;

	(void)state;
	for (unsigned i = 0; i < THROTTLE_FREE + 0; i++)
		assert_int_equal(tries(ANNA, "192.0.2.1", THROTTLE_WRONG), 0);
	for (unsigned i = 0; i < 60000; i++) {
		snprintf(who, sizeof(who), "u%u@example.com", i);
		snprintf(address, sizeof(address), "10.%u.%u.%u", i / 65536,
		    i / 256 % 256, i % 256);
		held += tries(who, address, THROTTLE_WRONG) != 0;
	}
	assert_int_equal(held, 0); /* each is its own */
	assert_int_not_equal(tries(ANNA, "192.0.2.1", THROTTLE_WRONG), 0);
}

/* Guesses that count, with others in between from a network that has no more
 * tries: what is refused costs nothing. */
static unsigned
guesses(unsigned rounds, bool from_many)
{
	char who[40], address[40];
	unsigned n = 0;

	for (unsigned i = 0; i < 1000; i++) {
		snprintf(who, sizeof(who), "spent%u@example.com", i);
		(void)tries(who, "203.0.113.1", THROTTLE_WRONG);
	}
	for (unsigned round = 0; round < rounds; round++) {
		snprintf(address, sizeof(address), "198.51.100.%u",
		    from_many ? round : 0);
		n += tries(ANNA, address, THROTTLE_WRONG) == 0;
		for (unsigned i = 0; i < 8192; i++) {
			snprintf(who, sizeof(who), "o%u-%u", round, i);
			assert_int_not_equal(
			    tries(who, "203.0.113.1", THROTTLE_WRONG), 0);
		}
	}
	return n;
}

static void
what_was_guessed_long_ago_makes_nothing_forgotten_now(void **state)
{
	char who[40], address[40];

	(void)state;
	/* All tables full of those that were wrong most. */
	for (unsigned i = 0; i < 12000; i++)
		for (unsigned j = 0; j < THROTTLE_USER_BURST; j++) {
			snprintf(who, sizeof(who), "u%u@example.com", i);
			snprintf(address, sizeof(address), "10.%u.%u.%u",
			    i / 256, i % 256, j / THROTTLE_FREE);
			assert_int_equal(
			    tries(who, address, THROTTLE_WRONG), 0);
		}
	now_ns += 2 * THROTTLE_FORGIVE_S * NS_PER_S;
	assert_int_equal(
	    guesses(THROTTLE_USER_BURST + 10, true), THROTTLE_USER_BURST);
	now_ns += 2 * THROTTLE_FORGIVE_S * NS_PER_S;
	assert_int_equal(guesses(THROTTLE_FREE + 5, false), THROTTLE_FREE);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_network_that_is_wrong_waits_longer_each_time),
		TEST(another_network_and_another_user_do_not_wait),
		TEST(
		    an_ipv6_network_is_its_first_64_bits_and_case_hides_nobody),
		TEST(what_was_right_makes_the_wrong_ones_forgotten),
		TEST(who_asks_many_times_at_once_gains_nothing),
		TEST(
		    many_networks_guess_slowly_and_known_ones_do_not_wait_for_them),
		TEST(one_network_guesses_at_few_users_at_a_time),
		TEST(codes_are_guessed_more_slowly_still),
		TEST(guessing_at_very_many_makes_none_of_the_worst_forgotten),
		TEST(what_was_guessed_long_ago_makes_nothing_forgotten_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
