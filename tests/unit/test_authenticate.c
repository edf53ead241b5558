/* SPDX-License-Identifier: Apache-2.0 */

/* Bearer tokens: who holds one, and what is said to who does not. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "certd/authenticate.h"
#include "certd/roles.h"
#include "certd/store_tokens.h"
#include "certd/token_uses.h"
#include "tests/unit/certd_desk.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define ENGINEER 2
#define HOUR_S 3600

/* A token of acme; its header and its id. */
static int64_t
make_token(struct desk *desk, unsigned scopes, int64_t ttl_s, char header[64])
{
	struct store_token token = { .account = desk->acme,
		.role = ENGINEER,
		.scopes = scopes,
		.expires_s = store_now_s() + ttl_s,
		.name = "ci" };
	char secret[AUTHENTICATE_SECRET_MAX];
	struct db_tx *tx;
	int64_t id = 0;

	assert_int_equal(
	    authenticate_new_secret(secret, token.hash).code, STATUS_OK);
	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    store_commit(desk->store, tx, store_tokens_add(tx, &token, &id))
		.code,
	    STATUS_OK);
	snprintf(header, 64, "Bearer %s", secret);
	return id;
}

static void
a_secret_is_256_random_bits_in_base64url(void **state)
{
	char one[AUTHENTICATE_SECRET_MAX], two[AUTHENTICATE_SECRET_MAX];
	uint8_t hash[AUTHENTICATE_HASH_LEN], other[AUTHENTICATE_HASH_LEN];

	(void)state;
	assert_int_equal(authenticate_new_secret(one, hash).code, STATUS_OK);
	assert_int_equal(authenticate_new_secret(two, other).code, STATUS_OK);
	assert_int_equal(strlen(one), 47);
	assert_memory_equal(one, "hft_", 4);
	assert_int_equal(
	    strspn(one + 4, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "abcdefghijklmnopqrstuvwxyz0123456789-_"),
	    43);
	assert_string_not_equal(one, two);
	assert_memory_not_equal(hash, other, sizeof(hash));
	/* The last character has two bits that are always 0. */
	assert_non_null(strchr("AEIMQUYcgkosw048", one[46]));
}

static void
a_token_brings_its_account_role_and_scopes(void **state)
{
	struct desk *desk = *state;
	struct caller caller;
	char header[64];

	(void)make_token(desk, SCOPE_RESOURCES_WRITE, HOUR_S, header);
	assert_int_equal(
	    authenticate_bearer(desk->store, header, &caller).code, STATUS_OK);
	assert_int_equal(caller.is, ALLOW_ENGINEER);
	assert_int_equal(caller.account, desk->acme);
	assert_string_equal(caller.actor, "token ci (acme)");
	/* Who may write may read. */
	assert_int_equal(
	    caller.scopes, SCOPE_RESOURCES_WRITE | SCOPE_RESOURCES_READ);
	memcpy(header, "bEARER", 6);
	assert_int_equal(
	    authenticate_bearer(desk->store, header, &caller).code, STATUS_OK);
}

static void
what_is_no_token_of_ours_gets_the_same_words_whatever_it_is(void **state)
{
	struct desk *desk = *state;
	struct caller caller = { .is = 0 };
	char header[64], changed[64], longer[65];
	const char *tries[] = { changed, longer, "Bearer hft_", "Bearer x",
		"Bearer ",
		"Bearer hft_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		"AAAA" };
	const char *words = NULL;

	(void)make_token(desk, 0, HOUR_S, header);
	snprintf(changed, sizeof(changed), "%s", header);
	changed[30] = changed[30] == 'A' ? 'B' : 'A';
	snprintf(longer, sizeof(longer), "%sA", header);
	for (size_t i = 0; i < LEN(tries); i++) {
		struct status st =
		    authenticate_bearer(desk->store, tries[i], &caller);

		assert_int_equal(st.code, STATUS_UNAUTHENTICATED);
		if (words != NULL)
			assert_string_equal(st.why, words);
		words = st.why;
	}
	assert_int_equal(caller.is, 0);
}

static void
a_missing_or_foreign_header_is_told_how_to_be(void **state)
{
	struct desk *desk = *state;
	struct caller caller;
	struct status st = authenticate_bearer(desk->store, NULL, &caller);

	assert_int_equal(st.code, STATUS_UNAUTHENTICATED);
	assert_non_null(strstr(st.why, "Authorization: Bearer hft_"));
	st = authenticate_bearer(desk->store, "Basic aGk6aGk=", &caller);
	assert_int_equal(st.code, STATUS_UNAUTHENTICATED);
	assert_non_null(strstr(st.why, "must be \"Bearer \""));
}

static void
who_knows_the_secret_of_a_token_that_ended_is_told_so(void **state)
{
	struct desk *desk = *state;
	struct caller caller;
	char expired[64], revoked[64];
	struct db_tx *tx;
	int64_t id;
	struct status st;

	(void)make_token(desk, 0, 0, expired);
	st = authenticate_bearer(desk->store, expired, &caller);
	assert_int_equal(st.code, STATUS_UNAUTHENTICATED);
	assert_non_null(strstr(st.why, "has expired"));
	id = make_token(desk, 0, HOUR_S, revoked);
	assert_int_equal(
	    authenticate_bearer(desk->store, revoked, &caller).code, STATUS_OK);
	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(store_commit(desk->store, tx,
			     store_tokens_revoke(tx, id, store_now_s()))
			     .code,
	    STATUS_OK);
	/* For the very next request. */
	st = authenticate_bearer(desk->store, revoked, &caller);
	assert_int_equal(st.code, STATUS_UNAUTHENTICATED);
	assert_non_null(strstr(st.why, "was revoked"));
}

static int64_t
last_used(struct desk *desk)
{
	return certd_desk_count(desk, "SELECT max(last_used_s) FROM token");
}

static void
the_time_of_last_use_is_written_later_and_to_the_minute(void **state)
{
	struct desk *desk = *state;
	struct caller caller;
	char header[64];

	(void)make_token(desk, 0, HOUR_S, header);
	for (int i = 0; i < 3; i++)
		assert_int_equal(
		    authenticate_bearer(desk->store, header, &caller).code,
		    STATUS_OK);
	assert_int_equal(last_used(desk), 0);
	token_uses_flush(store_token_uses(desk->store));
	assert_true(last_used(desk) > store_now_s() - 180);
	assert_int_equal(last_used(desk) % 60, 0);
}

static void
uses_of_many_tokens_are_written_together_once_a_minute(void **state)
{
	struct desk *desk = *state;
	struct token_uses *uses = store_token_uses(desk->store);
	char header[64];
	int64_t id = make_token(desk, 0, HOUR_S, header);

	token_uses_note(uses, id, 6000);
	token_uses_note(uses, 4711, 6001);
	token_uses_note(uses, id, 6059);
	assert_int_equal(last_used(desk), 0);
	token_uses_note(uses, id, 6060);
	assert_int_equal(last_used(desk), 6060);
	/* Never back. */
	token_uses_note(uses, id, 5000);
	token_uses_flush(uses);
	assert_int_equal(last_used(desk), 6060);
	/* More tokens than there is room for are written when it is full. */
	for (int64_t other = 1000; other < 1255; other++)
		token_uses_note(uses, other, 7000);
	assert_int_equal(last_used(desk), 6060);
	token_uses_note(uses, id, 7000);
	assert_int_equal(last_used(desk), 6960);
}

static void
roles_cover_each_other_as_they_should(void **state)
{
	/* administrator, engineer, viewer, auditor */
	static const bool COVERS[4][4] = { { 1, 1, 1, 1 }, { 0, 1, 1, 0 },
		{ 0, 0, 1, 0 }, { 0, 0, 1, 1 } };

	(void)state;
	for (int a = 1; a <= 4; a++)
		for (int b = 1; b <= 4; b++) {
			int meet = roles_meet(a, b);

			assert_int_equal(
			    roles_covers(a, b), COVERS[a - 1][b - 1]);
			assert_true(roles_covers(a, meet));
			assert_true(roles_covers(b, meet));
		}
	assert_false(roles_covers(1, 0));
	assert_false(roles_covers(5, 3));
	assert_int_equal(roles_allow(0), 0);
	assert_int_equal(roles_allow(5), 0);
	assert_null(roles_name(-1));
}

int
main(void)
{
#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(                                       \
	    name, certd_desk_set_up, certd_desk_tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_secret_is_256_random_bits_in_base64url),
		TEST(a_token_brings_its_account_role_and_scopes),
		TEST(
		    what_is_no_token_of_ours_gets_the_same_words_whatever_it_is),
		TEST(a_missing_or_foreign_header_is_told_how_to_be),
		TEST(who_knows_the_secret_of_a_token_that_ended_is_told_so),
		TEST(the_time_of_last_use_is_written_later_and_to_the_minute),
		TEST(uses_of_many_tokens_are_written_together_once_a_minute),
		cmocka_unit_test(roles_cover_each_other_as_they_should),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
