/* SPDX-License-Identifier: Apache-2.0 */

/* Passwords: how they are kept, and what they must not be. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "certd/login/password.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static void
a_hash_is_scrypts(void **state)
{
	scoped(password_gate_free) struct password_gate *gate =
	    password_gate_new();
	struct password password = { .log2n = 14 };
	/* hashlib.scrypt(..., n=16384, r=8, p=1, dklen=32) */
	uint8_t want[PASSWORD_HASH_LEN];

	(void)state;
	assert_true(bytes_from_hex("5266323433bf611b859ac800e892b96d"
				   "a335a93270d5b16f5f66ab7b50f63817",
	    sizeof(want), want));
	memcpy(password.salt, "SodiumChloride!!", PASSWORD_SALT_LEN);
	assert_int_equal(
	    password_compute(gate, bytes_of("pleaseletmein"), &password).code,
	    STATUS_OK);
	assert_memory_equal(password.hash, want, sizeof(want));
}

static void
a_text_is_read_as_it_was_written_and_nothing_else_is(void **state)
{
	static const char *const BAD[] = { "", "scrypt",
		"scrypt:17:8:1:AAAAAAAAAAAAAAAAAAAAAA==",
		"bcrypt:17:8:1:AAAAAAAAAAAAAAAAAAAAAA==:"
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		"scrypt:17:9:1:AAAAAAAAAAAAAAAAAAAAAA==:"
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		"scrypt:17:8:2:AAAAAAAAAAAAAAAAAAAAAA==:"
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		/* 1 GiB and more. */
		"scrypt:21:8:1:AAAAAAAAAAAAAAAAAAAAAA==:"
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		"scrypt:9:8:1:AAAAAAAAAAAAAAAAAAAAAA==:"
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		"scrypt:17:8:1:AAAAAAAAAAAAAAAAAAAAAA==:"
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=x",
		"scrypt:17:8:1:AAAA:"
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" };
	struct password password = { .log2n = 17, .salt = { 1, 2 } }, read;
	char text[PASSWORD_TEXT_MAX];

	(void)state;
	password.hash[31] = 9;
	password_print(&password, text);
	assert_true(password_parse(text, &read));
	assert_int_equal(read.log2n, 17);
	assert_memory_equal(read.salt, password.salt, sizeof(read.salt));
	assert_memory_equal(read.hash, password.hash, sizeof(read.hash));
	assert_true(password_is_alike(&read, &password));
	read.salt[0] = 3;
	assert_false(password_is_alike(&read, &password));
	for (size_t i = 0; i < LEN(BAD); i++)
		if (password_parse(BAD[i], &read))
			fail_msg("%s", BAD[i]);
}

static void *
compute(void *arg)
{
	struct password password = { .log2n = PASSWORD_LOG2N_MIN };

	return failed(password_compute(arg, bytes_of("x"), &password)) ? arg
								       : NULL;
}

static void
many_at_once_take_turns(void **state)
{
	scoped(password_gate_free) struct password_gate *gate =
	    password_gate_new();
	pthread_t threads[24];

	(void)state;
	for (size_t i = 0; i < LEN(threads); i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, compute, gate), 0);
	for (size_t i = 0; i < LEN(threads); i++) {
		void *failure = NULL;

		assert_int_equal(pthread_join(threads[i], &failure), 0);
		assert_null(failure);
	}
}

static void
what_is_tried_first_is_refused(void **state)
{
	static const struct {
		const char *plain, *says;
	} BAD[] = {
		{ "", "12 characters" },
		{ "elevenchars", "12 characters" },
		{ "aaaaaaaaaaaa", "tried first" },
		{ "abababababab", "tried first" },
		{ "abcdefghijklm", "tried first" },
		{ "210987654321", "tried first" },
		{ "Password1234", "tried first" },
		{ "CORRECTHORSEBATTERYSTAPLE", "tried first" },
		{ "qwertyuiop12", "tried first" },
		{ "anna@example.com", "a name" },
		{ "Anna@Example.com1", "a name" },
		{ "schneider2024", "a name" },
		{ "my-acme-corp!", "a name" },
		{ "holdfast-2026", "a name" },
	};
	static const char *const GOOD[] = { "three small boats at sea",
		"correct horse", "tangerine-owl-42", "vq8#kT2!pL0x",
		"\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f and more" };
	char longest[PASSWORD_MAX + 2];

	(void)state;
	for (size_t i = 0; i < LEN(BAD); i++) {
		struct status st = password_check(BAD[i].plain,
		    i == 11 ? "schneider@example.com" : "anna@example.com",
		    "acme-corp");

		if (st.code != STATUS_INVALID_ARGUMENT ||
		    strstr(st.why, BAD[i].says) == NULL)
			fail_msg("%s: %s", BAD[i].plain, st.why);
	}
	for (size_t i = 0; i < LEN(GOOD); i++)
		assert_int_equal(
		    password_check(GOOD[i], "anna@example.com", "acme-corp")
			.code,
		    STATUS_OK);
	for (size_t i = 0; i < sizeof(longest); i++)
		longest[i] = (char)('!' + i * 7 % 90);
	longest[PASSWORD_MAX + 1] = 0;
	assert_int_equal(password_check(longest, "a@b.c", "acme").code,
	    STATUS_INVALID_ARGUMENT);
	longest[PASSWORD_MAX] = 0;
	assert_int_equal(
	    password_check(longest, "a@b.c", "acme").code, STATUS_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hash_is_scrypts),
		cmocka_unit_test(
		    a_text_is_read_as_it_was_written_and_nothing_else_is),
		cmocka_unit_test(many_at_once_take_turns),
		cmocka_unit_test(what_is_tried_first_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
