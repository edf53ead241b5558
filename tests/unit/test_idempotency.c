/* SPDX-License-Identifier: Apache-2.0 */

/* Requests that are sent again: done once, answered again. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "certd/idempotency.h"
#include "proto/holdfast/certd/v1/accounts.pb-c.h"
#include "proto/message.h"
#include "tests/unit/certd_desk.h"

#define NOW INT64_C(1000000)
#define ME "Bearer hft_me"

static const struct api_method CREATE = {
	.service = &holdfast__certd__v1__contacts__descriptor,
	.name = "Create",
};
static const struct api_method CREATE_TOKEN = {
	.service = &holdfast__certd__v1__tokens__descriptor,
	.name = "Create",
	.secret = true,
};

struct asked {
	struct idempotency idempotency;
	enum idempotency_outcome outcome;
	ProtobufCMessage *reply;
};

/* Begin a request, named so, with a key of a caller. */
static struct asked
begin(struct desk *desk, const char *caller, const char *key, const char *name,
    int64_t now_s, const struct api_method *method)
{
	struct asked asked = { .outcome = IDEMPOTENCY_OTHER };
	Holdfast__Certd__V1__CreateContactRequest request;
	char copy[32];

	holdfast__certd__v1__create_contact_request__init(&request);
	snprintf(copy, sizeof(copy), "%s", name);
	request.name = copy;
	assert_int_equal(idempotency_init(&asked.idempotency, key, caller,
			     method, &request.base)
			     .code,
	    STATUS_OK);
	assert_int_equal(idempotency_begin(&asked.idempotency, desk->store,
			     now_s, method, &asked.outcome, &asked.reply)
			     .code,
	    STATUS_OK);
	return asked;
}

static enum idempotency_outcome
outcome(struct desk *desk, const char *caller, const char *key,
    const char *name, int64_t now_s)
{
	struct asked asked = begin(desk, caller, key, name, now_s, &CREATE);

	message_free(asked.reply);
	return asked.outcome;
}

static void
end(struct desk *desk, const struct asked *asked, int64_t id)
{
	Holdfast__Certd__V1__Contact reply;

	holdfast__certd__v1__contact__init(&reply);
	reply.id = id;
	assert_int_equal(idempotency_end(&asked->idempotency, desk->store,
			     &CREATE, id == 0 ? NULL : &reply.base)
			     .code,
	    STATUS_OK);
}

static void
the_same_request_is_answered_again_and_not_done_again(void **state)
{
	struct asked first = begin(*state, ME, "k", "a", NOW, &CREATE), again;

	assert_int_equal(first.outcome, IDEMPOTENCY_NEW);
	assert_null(first.reply);
	end(*state, &first, 17);
	again = begin(*state, ME, "k", "a", NOW + 80000, &CREATE);
	assert_int_equal(again.outcome, IDEMPOTENCY_AGAIN);
	assert_non_null(again.reply);
	assert_int_equal(
	    ((Holdfast__Certd__V1__Contact *)(void *)again.reply)->id, 17);
	message_free(again.reply);
}

static void
another_request_with_the_key_is_told_so(void **state)
{
	struct asked first = begin(*state, ME, "k", "a", NOW, &CREATE);

	assert_int_equal(outcome(*state, ME, "k", "b", NOW), IDEMPOTENCY_OTHER);
	end(*state, &first, 17);
	assert_int_equal(outcome(*state, ME, "k", "b", NOW), IDEMPOTENCY_OTHER);
	assert_int_equal(outcome(*state, ME, "k2", "b", NOW), IDEMPOTENCY_NEW);
}

static void
keys_belong_to_their_callers(void **state)
{
	struct asked first = begin(*state, ME, "k", "a", NOW, &CREATE);

	end(*state, &first, 17);
	assert_int_equal(outcome(*state, "Bearer hft_other", "k", "b", NOW),
	    IDEMPOTENCY_NEW);
	/* The secret itself is nowhere. */
	assert_int_equal(
	    certd_desk_count(*state, "SELECT count(*) FROM idempotency"
				     " WHERE caller LIKE '%hft_%'"),
	    0);
}

static void
one_under_way_is_waited_for_and_then_taken_over(void **state)
{
	struct asked first = begin(*state, ME, "k", "a", NOW, &CREATE);

	assert_int_equal(first.outcome, IDEMPOTENCY_NEW);
	assert_int_equal(
	    outcome(*state, ME, "k", "a", NOW + 119), IDEMPOTENCY_BUSY);
	/* As after a crash: nobody saw its end. */
	assert_int_equal(
	    outcome(*state, ME, "k", "a", NOW + 120), IDEMPOTENCY_NEW);
	assert_int_equal(
	    outcome(*state, ME, "k", "a", NOW + 121), IDEMPOTENCY_BUSY);
}

static void
what_failed_frees_its_key(void **state)
{
	struct asked first = begin(*state, ME, "k", "a", NOW, &CREATE);

	end(*state, &first, 0);
	assert_int_equal(outcome(*state, ME, "k", "b", NOW), IDEMPOTENCY_NEW);
}

static void
an_answer_with_a_secret_is_not_kept(void **state)
{
	struct desk *desk = *state;
	struct asked first = begin(desk, ME, "k", "a", NOW, &CREATE_TOKEN);
	Holdfast__Certd__V1__CreateTokenResponse reply;
	char secret[] = "hft_secret";

	holdfast__certd__v1__create_token_response__init(&reply);
	reply.secret = secret;
	assert_int_equal(idempotency_end(&first.idempotency, desk->store,
			     &CREATE_TOKEN, &reply.base)
			     .code,
	    STATUS_OK);
	first = begin(desk, ME, "k", "a", NOW, &CREATE_TOKEN);
	assert_int_equal(first.outcome, IDEMPOTENCY_GONE);
	assert_null(first.reply);
	assert_int_equal(certd_desk_count(desk,
			     "SELECT sum(length(reply)) FROM idempotency"),
	    0);
}

static void
keys_are_forgotten_after_a_day(void **state)
{
	struct asked first = begin(*state, ME, "k", "a", NOW, &CREATE);

	end(*state, &first, 17);
	for (int i = 0; i < 5; i++) {
		char key[8];

		snprintf(key, sizeof(key), "x%d", i);
		assert_int_equal(
		    outcome(*state, ME, key, "a", NOW), IDEMPOTENCY_NEW);
	}
	assert_int_equal(
	    outcome(*state, ME, "k", "a", NOW + 86399), IDEMPOTENCY_AGAIN);
	assert_int_equal(
	    outcome(*state, ME, "k", "b", NOW + 86400), IDEMPOTENCY_NEW);
	/* And swept away when somebody else comes. */
	assert_int_equal(
	    outcome(*state, ME, "new", "a", NOW + 86401), IDEMPOTENCY_NEW);
	assert_int_equal(
	    certd_desk_count(*state, "SELECT count(*) FROM idempotency"), 2);
}

static void
a_key_is_short_and_printable(void **state)
{
	Holdfast__Certd__V1__CreateContactRequest request;
	struct idempotency idempotency;
	char key[IDEMPOTENCY_KEY_MAX + 2];

	holdfast__certd__v1__create_contact_request__init(&request);
	(void)state;
	memset(key, 'k', sizeof(key));
	key[IDEMPOTENCY_KEY_MAX + 1] = 0;
	assert_int_equal(
	    idempotency_init(&idempotency, key, ME, &CREATE, &request.base)
		.code,
	    STATUS_INVALID_ARGUMENT);
	key[IDEMPOTENCY_KEY_MAX] = 0;
	assert_int_equal(
	    idempotency_init(&idempotency, key, ME, &CREATE, &request.base)
		.code,
	    STATUS_OK);
	assert_int_equal(
	    idempotency_init(&idempotency, "", ME, &CREATE, &request.base).code,
	    STATUS_INVALID_ARGUMENT);
	assert_int_equal(idempotency_init(&idempotency, "\xc3\xbc", ME, &CREATE,
			     &request.base)
			     .code,
	    STATUS_INVALID_ARGUMENT);
}

int
main(void)
{
#define TEST(f)                                                                \
	cmocka_unit_test_setup_teardown(                                       \
	    f, certd_desk_set_up, certd_desk_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_same_request_is_answered_again_and_not_done_again),
		TEST(another_request_with_the_key_is_told_so),
		TEST(keys_belong_to_their_callers),
		TEST(one_under_way_is_waited_for_and_then_taken_over),
		TEST(what_failed_frees_its_key),
		TEST(an_answer_with_a_secret_is_not_kept),
		TEST(keys_are_forgotten_after_a_day),
		TEST(a_key_is_short_and_printable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
