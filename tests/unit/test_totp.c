/* SPDX-License-Identifier: Apache-2.0 */

/* Time-based codes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "certd/login/totp.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static const char SECRET[] = "12345678901234567890";

static void
codes_are_those_of_rfc_6238(void **state)
{
	/* Appendix B: the last six of eight digits. */
	static const struct {
		int64_t at_s;
		const char *code;
	} VECTORS[] = {
		{ 59, "287082" },
		{ 1111111109, "081804" },
		{ 1111111111, "050471" },
		{ 1234567890, "005924" },
		{ 2000000000, "279037" },
		{ INT64_C(20000000000), "353130" },
	};
	char code[TOTP_DIGITS + 1];
	int64_t step = 0;

	(void)state;
	for (size_t i = 0; i < LEN(VECTORS); i++) {
		assert_true(totp_code(bytes_of(SECRET),
		    (uint64_t)(VECTORS[i].at_s / TOTP_STEP_S), code));
		assert_string_equal(code, VECTORS[i].code);
		assert_true(totp_check(bytes_of(SECRET), VECTORS[i].at_s,
		    VECTORS[i].code, -1, &step));
		assert_int_equal(step, VECTORS[i].at_s / TOTP_STEP_S);
	}
}

static void
a_step_before_and_after_counts_and_no_other(void **state)
{
	const int64_t now_s = 1111111111, now = now_s / TOTP_STEP_S;
	char code[TOTP_DIGITS + 1];

	(void)state;
	for (int64_t off = -3; off <= 3; off++) {
		int64_t step = 0;
		bool is_right;

		assert_true(
		    totp_code(bytes_of(SECRET), (uint64_t)(now + off), code));
		is_right = totp_check(bytes_of(SECRET), now_s, code, 0, &step);
		assert_int_equal(is_right, off >= -1 && off <= 1);
		if (is_right)
			assert_int_equal(step, now + off);
	}
}

static void
a_code_counts_once_and_none_before_it_afterwards(void **state)
{
	const int64_t now_s = 1111111111, now = now_s / TOTP_STEP_S;
	char code[TOTP_DIGITS + 1];
	int64_t step = 0;

	(void)state;
	assert_true(totp_code(bytes_of(SECRET), (uint64_t)now, code));
	assert_true(totp_check(bytes_of(SECRET), now_s, code, 0, &step));
	assert_false(totp_check(bytes_of(SECRET), now_s, code, step, &step));
	assert_true(totp_code(bytes_of(SECRET), (uint64_t)(now - 1), code));
	assert_false(totp_check(bytes_of(SECRET), now_s, code, step, &step));
	assert_true(totp_code(bytes_of(SECRET), (uint64_t)(now + 1), code));
	assert_true(totp_check(bytes_of(SECRET), now_s, code, step, &step));
}

static void
what_is_not_six_digits_is_no_code(void **state)
{
	static const char *const BAD[] = { "", "28708", "2870820", "28708a",
		" 287082", "-28708", "287 82" };
	int64_t step = 0;

	(void)state;
	for (size_t i = 0; i < LEN(BAD); i++)
		assert_false(
		    totp_check(bytes_of(SECRET), 59, BAD[i], -1, &step));
}

static void
a_secret_is_shown_in_base32_and_as_an_address_to_scan(void **state)
{
	uint8_t octets[TOTP_SECRET_LEN];
	char base32[TOTP_BASE32_MAX], uri[TOTP_URI_MAX], label[600];

	(void)state;
	memcpy(octets, SECRET, sizeof(octets));
	totp_base32(octets, base32);
	assert_string_equal(base32, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
	totp_uri(base32, "anna+x@example.com", uri);
	assert_string_equal(uri,
	    "otpauth://totp/Holdfast:anna%2Bx%40example.com"
	    "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Holdfast"
	    "&algorithm=SHA1&digits=6&period=30");
	/* However long: whole to its end. */
	memset(label, '@', sizeof(label) - 1);
	label[sizeof(label) - 1] = 0;
	totp_uri(base32, label, uri);
	assert_non_null(strstr(uri, "&period=30"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codes_are_those_of_rfc_6238),
		cmocka_unit_test(a_step_before_and_after_counts_and_no_other),
		cmocka_unit_test(
		    a_code_counts_once_and_none_before_it_afterwards),
		cmocka_unit_test(what_is_not_six_digits_is_no_code),
		cmocka_unit_test(
		    a_secret_is_shown_in_base32_and_as_an_address_to_scan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
