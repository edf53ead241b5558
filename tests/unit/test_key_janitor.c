/* SPDX-License-Identifier: Apache-2.0 */

/* Keys that nothing uses, and what becomes of them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "certd/key_birth.h"
#include "certd/store_keys.h"
#include "proto/holdfast/keyd/v1/keys.pb-c.h"
#include "tests/unit/certificates_desk.h"

static void
doom(struct desk *desk, const struct key_id *id)
{
	struct db_tx *tx;

	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    store_commit(desk->store, tx, store_keys_abandon(tx, "none", id))
		.code,
	    STATUS_OK);
}

static void
a_key_that_came_before_a_crash_is_found_by_its_label(void **state)
{
	struct desk *desk = *state;
	char label[CUSTODY_LABEL_MAX];
	struct key_id id;

	assert_int_equal(
	    key_birth_begin(desk->store, 1, label).code, STATUS_OK);
	id = custody_fake_put(desk->custody, KEY_ALG_EC_P256, label, 0);
	desk_sweep(desk, STATUS_OK, 0);
	assert_false(custody_fake_has(desk->custody, &id));
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM key_intent"), 0);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM key_doomed"), 0);
}

static void
an_intent_that_came_to_nothing_is_forgotten(void **state)
{
	struct desk *desk = *state;
	char label[CUSTODY_LABEL_MAX];

	assert_int_equal(
	    key_birth_begin(desk->store, 1, label).code, STATUS_OK);
	desk_sweep(desk, STATUS_OK, 0);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM key_intent"), 0);
	assert_int_equal(custody_fake_asked(desk->custody, "destroy"), 0);
}

static void
an_intent_that_is_under_way_is_left_alone(void **state)
{
	struct desk *desk = *state;
	const struct key_janitor_config config = { .store = desk->store,
		.custody = desk->custody };
	char label[CUSTODY_LABEL_MAX];
	size_t left = 0;

	assert_int_equal(
	    key_birth_begin(desk->store, 1, label).code, STATUS_OK);
	assert_int_equal(
	    key_janitor_sweep(&config, store_now_s() - 60, &left).code,
	    STATUS_OK);
	assert_int_equal(custody_fake_asked(desk->custody, ""), 0);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM key_intent"), 1);
}

/* Between the janitor's question and its answer the key got its row. */
static struct key_id meanwhile_id;
static char meanwhile_label[CUSTODY_LABEL_MAX];

static void
meanwhile(void *ctx)
{
	struct desk *desk = ctx;
	struct store_key key = { .id = meanwhile_id,
		.account = 1,
		.alg = KEY_ALG_EC_P256,
		.pool = "standard",
		.network = "standard",
		.spki_len = 1 };
	struct db_tx *tx;

	custody_fake_before(desk->custody, NULL, NULL);
	memcpy(key.label, meanwhile_label, sizeof(key.label));
	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    store_commit(desk->store, tx, store_keys_insert(tx, &key, "x"))
		.code,
	    STATUS_OK);
}

static void
a_key_that_got_its_row_meanwhile_is_let_live(void **state)
{
	struct desk *desk = *state;

	assert_int_equal(
	    key_birth_begin(desk->store, 1, meanwhile_label).code, STATUS_OK);
	meanwhile_id = custody_fake_put(
	    desk->custody, KEY_ALG_EC_P256, meanwhile_label, 0);
	custody_fake_before(desk->custody, meanwhile, desk);
	desk_sweep(desk, STATUS_OK, 0);
	assert_true(custody_fake_has(desk->custody, &meanwhile_id));
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM key_doomed"), 0);
}

static void
a_doomed_key_that_a_row_uses_after_all_is_let_live(void **state)
{
	struct desk *desk = *state;

	(void)desk_add(desk, "DNS:a.example");
	desk_run(desk, "INSERT INTO key_doomed (id, since_s)"
		       " SELECT id, 0 FROM key");
	desk_sweep(desk, STATUS_OK, 0);
	assert_int_equal(custody_fake_keys(desk->custody), 1);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM key_doomed"), 0);
}

static void
a_key_that_keyd_refuses_to_destroy_keeps_no_other_waiting(void **state)
{
	struct desk *desk = *state;

	for (int i = 0; i < 3; i++) {
		char label[32];
		struct key_id id;

		(void)!snprintf(label, sizeof(label), "some-%d", i);
		id = custody_fake_put(desk->custody, KEY_ALG_EC_P256, label, 0);
		doom(desk, &id);
	}
	custody_fake_fail(
	    desk->custody, STATUS_PERMISSION_DENIED, "not yours to destroy");
	desk_sweep(desk, STATUS_OK, 1);
	assert_int_equal(custody_fake_keys(desk->custody), 1);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM key_doomed"
			      " WHERE problem = 'not yours to destroy'"),
	    1);
	desk_sweep(desk, STATUS_OK, 0);
	assert_int_equal(custody_fake_keys(desk->custody), 0);
}

/* Else operators would approve the destruction of a key in use. */
static void
a_key_that_keyd_does_not_destroy_yet_is_suspended(void **state)
{
	struct desk *desk = *state;
	struct key_id refused =
	    custody_fake_put(desk->custody, KEY_ALG_EC_P256, "refused", 0);
	struct key_id waits;

	doom(desk, &refused);
	for (int i = 0; i < 3; i++) {
		custody_fake_fail(desk->custody, STATUS_FAILED_PRECONDITION,
		    "fewer operators are enrolled");
		desk_sweep(desk, STATUS_OK, 1);
		assert_true(custody_fake_is_suspended(desk->custody, &refused));
	}
	/* keyd records each: once is enough. */
	assert_int_equal(custody_fake_asked(desk->custody, "suspend"), 1);
	desk_sweep(desk, STATUS_OK, 0);
	assert_false(custody_fake_has(desk->custody, &refused));
	waits = custody_fake_put(desk->custody, KEY_ALG_EC_P256, "waits", 0);
	custody_fake_wait_for_approval(desk->custody, true);
	doom(desk, &waits);
	desk_sweep(desk, STATUS_OK, 0);
	assert_true(custody_fake_is_suspended(desk->custody, &waits));
}

static void
a_key_whose_destruction_waits_for_approval_is_not_taken_again(void **state)
{
	struct desk *desk = *state;
	struct made *leaf = desk_leaf(desk, "DNS:a.example", NULL);
	upload_message *request = desk_request(desk, leaf);

	custody_fake_wait_for_approval(desk->custody, true);
	desk_upload(desk, leaf);
	desk_ask(desk, &desk->engineer, "Certificates/Delete",
	    desk_delete(1, false), STATUS_OK);
	desk_sweep(desk, STATUS_OK, 0);
	desk_sweep(desk, STATUS_OK, 0);
	assert_int_equal(custody_fake_asked(desk->custody, "destroy"), 1);
	desk_wrap(desk, request, leaf);
	desk_ask(desk, &desk->engineer, "Certificates/Upload", &request->base,
	    STATUS_FAILED_PRECONDITION);
	desk_assert_said(desk, "is being destroyed");
	/* Nobody voted for a day. */
	desk_run(desk, "UPDATE key_doomed SET waits_s = waits_s - 86400");
	desk_sweep(desk, STATUS_OK, 0);
	assert_int_equal(custody_fake_asked(desk->custody, "destroy"), 2);
	custody_fake_wait_for_approval(desk->custody, false);
	desk_sweep(desk, STATUS_OK, 0);
	assert_int_equal(custody_fake_asked(desk->custody, "destroy"), 2);
	assert_int_equal(custody_fake_keys(desk->custody), 0);
	desk_sweep(desk, STATUS_OK, 0);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM key_doomed"), 0);
	made_free(leaf);
}

static void
the_rest_is_left_for_later_while_keyd_is_away(void **state)
{
	struct desk *desk = *state;
	char label[CUSTODY_LABEL_MAX];

	for (int i = 0; i < 5; i++)
		assert_int_equal(
		    key_birth_begin(desk->store, 1, label).code, STATUS_OK);
	custody_fake_away(desk->custody, true);
	desk_sweep(desk, STATUS_UNAVAILABLE, 0);
	/* Who does not answer once is not asked five times. */
	assert_int_equal(custody_fake_asked(desk->custody, ""), 1);
}

static void
tell_to_stop(void *ctx)
{
	atomic_bool *stops = ctx;

	*stops = true;
}

static void
who_ends_does_not_wait_for_all_keys(void **state)
{
	struct desk *desk = *state;
	atomic_bool stops = false;
	const struct key_janitor_config config = {
		.store = desk->store, .custody = desk->custody, .stops = &stops
	};
	char label[CUSTODY_LABEL_MAX];
	size_t left = 0;

	for (int i = 0; i < 5; i++)
		assert_int_equal(
		    key_birth_begin(desk->store, 1, label).code, STATUS_OK);
	custody_fake_before(desk->custody, tell_to_stop, &stops);
	assert_int_equal(
	    key_janitor_sweep(&config, INT64_MAX, &left).code, STATUS_OK);
	assert_int_equal(custody_fake_asked(desk->custody, ""), 1);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM key_intent"), 4);
	custody_fake_before(desk->custody, NULL, NULL);
}

static void
the_thread_sees_what_is_doomed_and_ends_when_told(void **state)
{
	struct desk *desk = *state;
	const struct key_janitor_config config = { .store = desk->store,
		.custody = desk->custody };
	struct key_janitor *janitor = NULL;
	int64_t id = desk_add(desk, "DNS:a.example");

	assert_int_equal(key_janitor_start(&config, &janitor).code, STATUS_OK);
	desk_ask(desk, &desk->engineer, "Certificates/Delete",
	    desk_delete(id, false), STATUS_OK);
	/* The test's own time-out is the bound. */
	while (custody_fake_keys(desk->custody) > 0)
		usleep(1000);
	key_janitor_stop(janitor);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM key_doomed"), 0);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(                                       \
	    name, certificates_desk_set_up, certificates_desk_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_key_that_came_before_a_crash_is_found_by_its_label),
		TEST(an_intent_that_came_to_nothing_is_forgotten),
		TEST(an_intent_that_is_under_way_is_left_alone),
		TEST(a_key_that_got_its_row_meanwhile_is_let_live),
		TEST(a_doomed_key_that_a_row_uses_after_all_is_let_live),
		TEST(a_key_that_keyd_refuses_to_destroy_keeps_no_other_waiting),
		TEST(a_key_that_keyd_does_not_destroy_yet_is_suspended),
		TEST(
		    a_key_whose_destruction_waits_for_approval_is_not_taken_again),
		TEST(the_rest_is_left_for_later_while_keyd_is_away),
		TEST(who_ends_does_not_wait_for_all_keys),
		TEST(the_thread_sees_what_is_doomed_and_ends_when_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
