/* SPDX-License-Identifier: Apache-2.0 */

/* The session's cookie, and the secrets in it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "certd/login/login_secret.h"
#include "certd/login/session_cookie.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static void
ours_is_found_among_others(void **state)
{
	static const struct {
		const char *header, *value;
	} GOOD[] = {
		{ "holdfast=abc", "abc" },
		{ "holdfast=", "" },
		{ "a=b; holdfast=abc", "abc" },
		{ "a=b;holdfast=abc;c=d", "abc" },
		{ " holdfast=abc ; x", "abc" },
		{ "xholdfast=1; holdfast=2; holdfastx=3", "2" },
		{ "__Host-holdfast=1; holdfast=2", "2" },
		{ "a=\"holdfast=1; holdfast=2", "2" },
		{ "junk;;; =; holdfast=a=b", "a=b" },
	};
	static const char *const NONE[] = { "", ";", "holdfast", "Holdfast=1",
		"holdfast =1", "a=holdfast=1", "__Host-holdfast=1" };
	char value[SESSION_COOKIE_VALUE_MAX];

	(void)state;
	for (size_t i = 0; i < LEN(GOOD); i++) {
		assert_int_equal(session_cookie_find(GOOD[i].header,
				     SESSION_COOKIE_PLAIN, value)
				     .code,
		    STATUS_OK);
		assert_string_equal(value, GOOD[i].value);
	}
	for (size_t i = 0; i < LEN(NONE); i++)
		if (session_cookie_find(NONE[i], SESSION_COOKIE_PLAIN, value)
			.code != STATUS_NOT_FOUND)
			fail_msg("%s", NONE[i]);
}

static void
two_of_ours_and_one_too_long_are_refused(void **state)
{
	char value[SESSION_COOKIE_VALUE_MAX], header[300] = "holdfast=";

	(void)state;
	assert_int_equal(session_cookie_find("holdfast=1; b=2; holdfast=1",
			     SESSION_COOKIE_PLAIN, value)
			     .code,
	    STATUS_INVALID_ARGUMENT);
	memset(header + 9, 'A', SESSION_COOKIE_VALUE_MAX);
	assert_int_equal(
	    session_cookie_find(header, SESSION_COOKIE_PLAIN, value).code,
	    STATUS_INVALID_ARGUMENT);
	header[9 + SESSION_COOKIE_VALUE_MAX - 1] = 0;
	assert_int_equal(
	    session_cookie_find(header, SESSION_COOKIE_PLAIN, value).code,
	    STATUS_OK);
}

static void
it_is_for_this_host_and_no_script(void **state)
{
	char line[SESSION_COOKIE_LINE_MAX];

	(void)state;
	session_cookie_print("abc", true, line);
	assert_string_equal(line,
	    "__Host-holdfast=abc; Path=/; HttpOnly; SameSite=Strict; Secure");
	session_cookie_print("abc", false, line);
	assert_string_equal(
	    line, "holdfast=abc; Path=/; HttpOnly; SameSite=Strict");
	session_cookie_print("", true, line);
	assert_string_equal(line,
	    "__Host-holdfast=; Path=/; HttpOnly; SameSite=Strict; Secure; "
	    "Max-Age=0");
}

static void
a_secret_has_one_spelling(void **state)
{
	char secret[LOGIN_SECRET_MAX], other[LOGIN_SECRET_MAX];
	uint8_t hash[LOGIN_SECRET_HASH_LEN], again[LOGIN_SECRET_HASH_LEN];

	(void)state;
	for (int i = 0; i < 200; i++) {
		assert_int_equal(
		    login_secret_new(secret, hash).code, STATUS_OK);
		assert_int_equal(strlen(secret), LOGIN_SECRET_LEN);
		assert_true(login_secret_hash(secret, again));
		assert_memory_equal(hash, again, sizeof(hash));
	}
	assert_int_equal(login_secret_new(other, again).code, STATUS_OK);
	assert_string_not_equal(secret, other);
	memcpy(other, secret, sizeof(other));
	other[LOGIN_SECRET_LEN - 1] = 'B'; /* bits that stand for nothing */
	assert_false(login_secret_hash(other, again));
	other[LOGIN_SECRET_LEN - 1] = 0;
	assert_false(login_secret_hash(other, again));
	memcpy(other, secret, sizeof(other));
	other[3] = '+';
	assert_false(login_secret_hash(other, again));
	assert_false(login_secret_hash("", again));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ours_is_found_among_others),
		cmocka_unit_test(two_of_ours_and_one_too_long_are_refused),
		cmocka_unit_test(it_is_for_this_host_and_no_script),
		cmocka_unit_test(a_secret_has_one_spelling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
