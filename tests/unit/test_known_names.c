/* SPDX-License-Identifier: Apache-2.0 */

/* What is said of a name that certd.yaml has not. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "certd/known_names.h"

static const char *
refuse(struct api_call *call, const char *const *names, size_t n,
    const char *typed)
{
	struct known_names known = { 0 };

	*call = (struct api_call){ .caller = NULL };
	for (size_t i = 0; i < n; i++)
		known_names_add(&known, names[i]);
	assert_int_equal(
	    known_names_refuse(call, &known, "authority:", typed).code,
	    STATUS_INVALID_ARGUMENT);
	return call->why;
}

static void
a_wrong_name_is_told_what_was_meant_and_what_there_is(void **state)
{
	static const char *const names[] = { "pebble", "second" };
	struct api_call call;

	(void)state;
	assert_string_equal(refuse(&call, names, 2, "pebbel"),
	    "authority: there is none named \"pebbel\"; did you mean "
	    "\"pebble\"? there are: pebble, second");
	assert_string_equal(refuse(&call, names, 2, "other"),
	    "authority: there is none named \"other\"; there are: pebble, "
	    "second");
	assert_string_equal(refuse(&call, names, 0, "other"),
	    "authority: there is none named \"other\"; there are: none");
}

static void
a_wrong_name_cannot_pose_as_other_text(void **state)
{
	static const char *const names[] = { "pebble" };
	struct api_call call;
	char typed[4000];

	(void)state;
	assert_string_equal(refuse(&call, names, 1, "a\n\x1b[31mb"),
	    "authority: there is none named \"a\\n\\u001b[31mb\"; there are: "
	    "pebble");
	memset(typed, 'x', sizeof(typed) - 1);
	typed[sizeof(typed) - 1] = 0;
	refuse(&call, names, 1, typed);
	assert_true(strlen(call.why) < 150);
	assert_non_null(strstr(call.why, "there are: pebble"));
}

static void
of_very_many_as_many_are_named_as_there_is_room_for(void **state)
{
	static char texts[300][16];
	const char *names[300];
	struct api_call call;

	(void)state;
	for (size_t i = 0; i < 300; i++) {
		snprintf(texts[i], sizeof(texts[i]), "provider-%zu", i);
		names[i] = texts[i];
	}
	refuse(&call, names, 300, "proviter-9");
	assert_non_null(strstr(call.why, "did you mean \"provider-9\"?"));
	assert_non_null(strstr(call.why, "provider-0, provider-1, "));
	assert_non_null(strstr(call.why, " more"));
	assert_true(strlen(call.why) < API_WHY_MAX - 1);
}

static void
networks_are_told_by_their_names(void **state)
{
	static const struct network at[] = { { .name = "standard" },
		{ .name = "enhanced" } };
	const struct networks networks = { at, 2 };
	struct api_call call = { .caller = NULL };

	(void)state;
	assert_int_equal(
	    known_names_refuse_network(&call, &networks, "Standard").code,
	    STATUS_INVALID_ARGUMENT);
	assert_string_equal(call.why,
	    "network: there is none named \"Standard\"; did you mean "
	    "\"standard\"? there are: standard, enhanced");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_wrong_name_is_told_what_was_meant_and_what_there_is),
		cmocka_unit_test(a_wrong_name_cannot_pose_as_other_text),
		cmocka_unit_test(
		    of_very_many_as_many_are_named_as_there_is_room_for),
		cmocka_unit_test(networks_are_told_by_their_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
