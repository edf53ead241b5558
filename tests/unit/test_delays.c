/* SPDX-License-Identifier: Apache-2.0 */

/* How long CAs take, as it is learned. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "certd/delays.h"

static struct delays *delays;

static int
start(void **state)
{
	(void)state;
	return failed(delays_new(&delays)) ? -1 : 0;
}

static int
stop(void **state)
{
	(void)state;
	delays_free(delays);
	delays = NULL;
	return 0;
}

/* So many certificates of a CA that takes least_ms and up to a fifth more; how
 * many of them were asked about too early. */
static unsigned
issue(const char *authority, enum delay_of of, int64_t least_ms, unsigned n)
{
	unsigned early = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct delay delay = delays_get(delays, authority, of);
		const int64_t takes_ms =
		    least_ms + least_ms * (int64_t)(i * 7 % 11) / 55;

		early += delay.ms < takes_ms;
		delays_tell(delays, authority, of, &delay, delay.ms < takes_ms);
	}
	return early;
}

static void
learns_how_long_a_ca_takes(void **state)
{
	static const int64_t takes_ms[] = { 5, 40, 3000 };

	(void)state;
	for (size_t i = 0; i < sizeof(takes_ms) / sizeof(*takes_ms); i++) {
		struct delay delay;
		unsigned early;

		(void)issue("ca", DELAY_OF_VALIDATION, takes_ms[i], 200);
		delay = delays_get(delays, "ca", DELAY_OF_VALIDATION);
		assert_in_range(delay.ms, takes_ms[i] * 3 / 4, takes_ms[i] * 2);
		early = issue("ca", DELAY_OF_VALIDATION, takes_ms[i], 1000);
		assert_in_range(early, 10, 250);
	}
}

static void
each_ca_and_step_has_its_own(void **state)
{
	(void)state;
	(void)issue("slow", DELAY_OF_VALIDATION, 5000, 50);
	assert_int_equal(delays_get(delays, "slow", DELAY_OF_ISSUANCE).ms, 50);
	assert_int_equal(
	    delays_get(delays, "other", DELAY_OF_VALIDATION).ms, 50);
}

static void
many_that_waited_together_count_as_one(void **state)
{
	const struct delay delay = delays_get(delays, "ca", DELAY_OF_ISSUANCE);

	(void)state;
	for (unsigned i = 0; i < 500; i++)
		delays_tell(delays, "ca", DELAY_OF_ISSUANCE, &delay, true);
	assert_int_equal(delays_get(delays, "ca", DELAY_OF_ISSUANCE).ms, 70);
}

static void
stays_between_its_bounds(void **state)
{
	(void)state;
	(void)issue("ca", DELAY_OF_ISSUANCE, 100000, 100);
	assert_int_equal(delays_get(delays, "ca", DELAY_OF_ISSUANCE).ms, 10000);
	(void)issue("ca", DELAY_OF_ISSUANCE, 0, 1000);
	assert_int_equal(delays_get(delays, "ca", DELAY_OF_ISSUANCE).ms, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    learns_how_long_a_ca_takes, start, stop),
		cmocka_unit_test_setup_teardown(
		    each_ca_and_step_has_its_own, start, stop),
		cmocka_unit_test_setup_teardown(
		    many_that_waited_together_count_as_one, start, stop),
		cmocka_unit_test_setup_teardown(
		    stays_between_its_bounds, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
