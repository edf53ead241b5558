/* SPDX-License-Identifier: Apache-2.0 */
/* What people read of base/: status names, times, and "did you mean". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/nearest.h"
#include "base/status.h"

static void
codes_are_named_as_grpc_names_them(void **state)
{
	/* In the order of google/rpc/code.proto. */
	static const char *const names[] = { "OK", "CANCELLED", "UNKNOWN",
		"INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
		"ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED",
		"FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE",
		"UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
		"UNAUTHENTICATED" };

	(void)state;
	for (int i = 0; i < 17; i++)
		assert_string_equal(status_name((enum status_code)i), names[i]);
}

static void
codes_that_do_not_exist_are_unknown(void **state)
{
	(void)state;
	assert_string_equal(status_name((enum status_code)17), "UNKNOWN");
	assert_string_equal(status_name((enum status_code) - 1), "UNKNOWN");
}

static void
a_failure_carries_its_code_reason_and_detail(void **state)
{
	struct status st = status_fail_detail(STATUS_UNAVAILABLE, "gone", 0x32);

	(void)state;
	assert_true(failed(st));
	assert_false(failed(status_ok()));
	assert_int_equal(st.code, STATUS_UNAVAILABLE);
	assert_int_equal(st.detail, 0x32);
	assert_string_equal(st.why, "gone");
}

static void
times_are_printed_in_utc_with_milliseconds(void **state)
{
	static const struct {
		int64_t ns;
		const char *text;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00.000Z" },
		{ INT64_C(1767323045678999999), "2026-01-02T03:04:05.678Z" },
		{ INT64_C(951782399) * NS_PER_S, "2000-02-28T23:59:59.000Z" },
		{ INT64_C(951782400) * NS_PER_S, "2000-02-29T00:00:00.000Z" },
		{ -1, "1969-12-31T23:59:59.999Z" },
		{ INT64_MAX, "2262-04-11T23:47:16.854Z" },
		{ INT64_MIN, "1677-09-21T00:12:43.145Z" },
	};
	char text[CLOCK_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		clock_print(cases[i].ns, text);
		assert_string_equal(text, cases[i].text);
	}
}

static void
the_nearest_word_is_one_or_two_typing_errors_away(void **state)
{
	static const char *const words[] = { "listen", "listeners", "workers",
		"pool", NULL };

	(void)state;
	assert_string_equal(nearest_word("lisen", words), "listen");
	assert_string_equal(nearest_word("listener", words), "listeners");
	assert_string_equal(nearest_word("wrokers", words), "workers");
	assert_string_equal(nearest_word("pol", words), "pool");
	assert_string_equal(nearest_word("worker_s", words), "workers");
}

static void
a_word_far_from_all_has_no_nearest(void **state)
{
	static const char *const words[] = { "listen", "a", NULL };
	char long_word[200];

	(void)state;
	memset(long_word, 'l', sizeof(long_word) - 1);
	long_word[sizeof(long_word) - 1] = '\0';
	assert_null(nearest_word("metrics", words));
	assert_null(nearest_word("b", words)); /* nothing of it is left */
	assert_null(nearest_word("", words));
	assert_null(nearest_word(long_word, words));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codes_are_named_as_grpc_names_them),
		cmocka_unit_test(codes_that_do_not_exist_are_unknown),
		cmocka_unit_test(a_failure_carries_its_code_reason_and_detail),
		cmocka_unit_test(times_are_printed_in_utc_with_milliseconds),
		cmocka_unit_test(
		    the_nearest_word_is_one_or_two_typing_errors_away),
		cmocka_unit_test(a_word_far_from_all_has_no_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
