/* SPDX-License-Identifier: Apache-2.0 */

/* Tokens of the links that stop mails: what was not made here is none. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "certd/notices/notice_event.h"
#include "certd/notices/notice_link.h"
#include "tests/unit/scratch.h"

#define OK(call) assert_int_equal((call).code, STATUS_OK)

static char folder[SCRATCH_PATH_MAX];
static struct secrets *secrets;

static int
set_up(void **state)
{
	(void)state;
	assert_true(scratch_new(folder, sizeof(folder)));
	OK(secrets_open(folder, &secrets));
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	secrets_close(secrets);
	return scratch_remove(folder);
}

static void
make(int64_t account, int event, const char *recipient,
    char ret_text[NOTICE_TOKEN_MAX])
{
	struct notice_token token = { .account = account, .event = event };

	snprintf(token.recipient, sizeof(token.recipient), "%s", recipient);
	OK(notice_link_make(secrets, &token, ret_text));
}

static bool
is_token(const char *text)
{
	struct notice_token token;
	struct status st = notice_link_read(secrets, text, &token);

	assert_true(!failed(st) || st.code == STATUS_INVALID_ARGUMENT);
	return !failed(st);
}

static void
a_token_comes_back_as_it_was_made(void **state)
{
	char text[NOTICE_TOKEN_MAX], longest[STORE_EMAIL_MAX];
	struct notice_token token;

	(void)state;
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = 0;
	make(INT64_MAX, NOTICE_EXPIRING, longest, text);
	OK(notice_link_read(secrets, text, &token));
	assert_int_equal(token.account, INT64_MAX);
	assert_int_equal(token.event, NOTICE_EXPIRING);
	assert_string_equal(token.recipient, longest);
	/* Fit for a query as it is. */
	assert_int_equal(strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz0123456789-_"),
	    strlen(text));
}

static void
a_token_with_anything_changed_is_none(void **state)
{
	char text[NOTICE_TOKEN_MAX], other[NOTICE_TOKEN_MAX + 8];

	(void)state;
	make(7, NOTICE_ISSUED, "ada@acme.example", text);
	assert_true(is_token(text));
	for (size_t i = 0; text[i] != 0; i++) {
		memcpy(other, text, sizeof(text));
		other[i] = other[i] == 'A' ? 'B' : 'A';
		assert_false(is_token(other));
		memcpy(other, text, sizeof(text));
		other[i] = 0;
		assert_false(is_token(other));
	}
	snprintf(other, sizeof(other), "%sA", text);
	assert_false(is_token(other));
	snprintf(other, sizeof(other), "%s=", text);
	assert_false(is_token(other));
	snprintf(other, sizeof(other), " %s", text);
	assert_false(is_token(other));
	assert_false(is_token(""));
	assert_false(is_token("AAAA"));
}

static void
a_token_about_the_whole_or_of_no_event_is_none_though_it_is_signed(void **state)
{
	char text[NOTICE_TOKEN_MAX];

	(void)state;
	make(0, NOTICE_ISSUED, "ada@acme.example", text);
	assert_false(is_token(text));
	make(7, NOTICE_HSM_TROUBLE, "ada@acme.example", text);
	assert_false(is_token(text));
	make(7, NOTICE_EVENTS, "ada@acme.example", text);
	assert_false(is_token(text));
	make(7, NOTICE_ISSUED, "", text);
	assert_false(is_token(text));
}

static void
with_another_key_it_is_another_token(void **state)
{
	char text[NOTICE_TOKEN_MAX], path[128];

	(void)state;
	make(7, NOTICE_ISSUED, "ada@acme.example", text);
	secrets_close(secrets);
	snprintf(path, sizeof(path), "%s/" SECRETS_FILE, folder);
	assert_int_equal(remove(path), 0);
	OK(secrets_open(folder, &secrets));
	assert_false(is_token(text));
}

static void
names_and_secrets_differ_by_what_they_are_for(void **state)
{
	const uint8_t one[SECRETS_SALT_LEN] = { 1 },
		      two[SECRETS_SALT_LEN] = { 2 };
	char a[NOTICE_NAME_MAX], b[NOTICE_NAME_MAX], c[NOTICE_NAME_MAX];
	char s[NOTICE_SECRET_MAX], t[NOTICE_SECRET_MAX];

	(void)state;
	OK(notice_link_name(secrets, "thread", "x", a));
	OK(notice_link_name(secrets, "thread", "x", b));
	OK(notice_link_name(secrets, "message-id", "x", c));
	assert_string_equal(a, b);
	assert_string_not_equal(a, c);
	OK(notice_link_secret(secrets, one, s));
	OK(notice_link_secret(secrets, two, t));
	assert_int_equal(strlen(s), 47);
	assert_int_equal(strncmp(s, "hfw_", 4), 0);
	assert_string_not_equal(s, t);
}

int
main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(a_token_comes_back_as_it_was_made),
		T(a_token_with_anything_changed_is_none),
		T(a_token_about_the_whole_or_of_no_event_is_none_though_it_is_signed),
		T(with_another_key_it_is_another_token),
		T(names_and_secrets_differ_by_what_they_are_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
