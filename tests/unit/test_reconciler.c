/* SPDX-License-Identifier: Apache-2.0 */

/* What keyd allows edges follows what is bound, whatever happens to keyd. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "certd/grants.h"
#include "certd/store_bindings.h"
#include "certd/store_edges.h"
#include "certd/store_grants.h"
#include "certd/store_resources.h"
#include "tests/fake/custody_fake.h"
#include "tests/unit/resources_desk.h"

#define LONG_MS 60000 /* nothing waits so long but a test that fails */

static struct key_id
key_of(struct desk *desk, int64_t certificate)
{
	struct key_id key = { 0 };
	struct db_rows *rows = NULL;
	struct db_tx *tx;
	bool row = false;

	assert_int_equal(store_read(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    db_query(tx, &rows, "SELECT key FROM certificate WHERE id = ?1",
		DB_VALUES(db_int(certificate)))
		.code,
	    STATUS_OK);
	assert_int_equal(db_next(rows, &row).code, STATUS_OK);
	assert_true(row);
	memcpy(key.at, db_column_blob(rows, 0).at, KEY_ID_LEN);
	db_rows_free(rows);
	db_end(tx);
	return key;
}

static bool
granted(struct desk *desk, int64_t certificate, const char *group)
{
	struct key_id key = key_of(desk, certificate);

	return custody_fake_granted(desk->custody, &key, group);
}

static int64_t
key_at_keyd(struct desk *desk)
{
	return desk_certificate(
	    desk, (struct desk_certificate){
		      .hostnames = "shop.example.com", .is_at_keyd = true });
}

static int64_t
shop(struct desk *desk)
{
	return desk_resource(
	    desk, desk->acme, "shop", "shop.example.com", MODE_PERSONAL);
}

static void
bind_it(struct desk *desk, int64_t resource, int64_t certificate)
{
	assert_int_equal(
	    desk_bind_one(desk, &desk_alice, resource, certificate).code,
	    STATUS_OK);
}

static void
unbind(struct desk *desk, int64_t resource)
{
	struct db_tx *tx;

	desk->call = (struct api_call){ .caller = &desk_alice };
	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(store_commit(desk->store, tx,
			     bindings_clear(tx, &desk->call, resource, NULL, 0))
			     .code,
	    STATUS_OK);
}

/* Surplus is taken away after a second, a keyd that is away asked again soon.
 */
static struct grants *
start(struct desk *desk)
{
	const struct grants_config config = { .store = desk->store,
		.custody = desk->custody,
		.settle_s = 1,
		.retry_ms = 20 };
	struct grants *grants = NULL;

	assert_int_equal(grants_new(&config, &grants).code, STATUS_OK);
	return grants;
}

/* As long as it takes. */
static void
wait_until(struct desk *desk, struct grants *grants, int64_t certificate,
    const char *group, bool is)
{
	int64_t until_ns = clock_mono_ns() + LONG_MS * NS_PER_MS;

	while (granted(desk, certificate, group) != is) {
		if (clock_mono_ns() > until_ns)
			fail_msg("the grant is %s", is ? "missing" : "there");
		grants_wait(grants, LONG_MS);
		usleep(10000);
	}
}

static char *
trouble(struct desk *desk, int64_t resource)
{
	static char why[CUSTODY_WHY_MAX];
	struct db_tx *tx;

	assert_int_equal(store_read(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    store_grants_trouble(tx, resource, why).code, STATUS_OK);
	db_end(tx);
	return why;
}

static bool
pending(struct desk *desk, int64_t resource)
{
	bool is = false;
	struct db_tx *tx;

	assert_int_equal(store_read(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(grants_pending(tx, resource, &is).code, STATUS_OK);
	db_end(tx);
	return is;
}

static void
keyd_is_told_of_a_binding_and_of_its_end(void **state)
{
	struct desk *desk = *state;
	scoped(grants_free) struct grants *grants = start(desk);
	int64_t certificate = key_at_keyd(desk), resource = shop(desk);

	bind_it(desk, resource, certificate);
	grants_wait(grants, LONG_MS);
	assert_true(granted(desk, certificate, "web"));
	assert_false(pending(desk, resource));
	assert_string_equal(trouble(desk, resource), "");
	unbind(desk, resource);
	grants_wait(grants, LONG_MS);
	assert_false(granted(desk, certificate, "web"));
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM grant_"), 0);
}

static void
what_waits_for_a_keyd_that_is_away_says_why_and_is_done_later(void **state)
{
	struct desk *desk = *state;
	scoped(grants_free) struct grants *grants = NULL;
	int64_t certificate = key_at_keyd(desk), resource = shop(desk);

	custody_fake_away(desk->custody, true);
	grants = start(desk);
	bind_it(desk, resource, certificate);
	assert_true(pending(desk, resource));
	grants_wait(grants, LONG_MS);
	assert_true(pending(desk, resource));
	assert_non_null(
	    strstr(trouble(desk, resource), "keyd does not answer"));
	custody_fake_away(desk->custody, false);
	wait_until(desk, grants, certificate, "web", true);
	grants_wait(grants, LONG_MS);
	assert_string_equal(trouble(desk, resource), "");
}

/* Of the process before this one only the rows are left, with its trouble. */
static void
what_waited_for_keyd_before_a_restart_is_told_after_it(void **state)
{
	struct desk *desk = *state;
	scoped(grants_free) struct grants *grants = start(desk);
	int64_t old = key_at_keyd(desk), new = key_at_keyd(desk);
	int64_t resource = shop(desk);

	bind_it(desk, resource, old);
	grants_wait(grants, LONG_MS);
	assert_true(granted(desk, old, "web"));
	custody_fake_away(desk->custody, true);
	unbind(desk, resource);
	grants_wait(grants, LONG_MS);
	/* It is known to be away: this is not even asked. */
	bind_it(desk, resource, new);
	grants_wait(grants, LONG_MS);
	assert_int_equal(desk_number(desk,
			     "SELECT count(*) FROM grant_ WHERE problem <> ''"),
	    2);
	grants_free(grants);
	grants = NULL;
	custody_fake_away(desk->custody, false);
	grants = start(desk);
	grants_wait(grants, LONG_MS);
	assert_false(granted(desk, old, "web"));
	assert_true(granted(desk, new, "web"));
	assert_string_equal(trouble(desk, resource), "");
}

static void
a_right_that_was_taken_away_while_keyd_was_away_goes_when_it_is_back(
    void **state)
{
	struct desk *desk = *state;
	scoped(grants_free) struct grants *grants = start(desk);
	int64_t certificate = key_at_keyd(desk), resource = shop(desk);

	bind_it(desk, resource, certificate);
	grants_wait(grants, LONG_MS);
	custody_fake_away(desk->custody, true);
	unbind(desk, resource);
	grants_wait(grants, LONG_MS);
	assert_true(granted(desk, certificate, "web"));
	custody_fake_away(desk->custody, false);
	wait_until(desk, grants, certificate, "web", false);
}

static void
a_grant_whose_answer_was_lost_is_taken_away_when_unwanted(void **state)
{
	struct desk *desk = *state;
	scoped(grants_free) struct grants *grants = NULL;
	int64_t certificate = key_at_keyd(desk), resource = shop(desk);

	/* Its first act: the comparison is through. */
	grants = start(desk);
	grants_wait(grants, LONG_MS);
	custody_fake_lose_answer(desk->custody);
	bind_it(desk, resource, certificate);
	grants_wait(grants, LONG_MS);
	assert_true(granted(desk, certificate, "web"));
	unbind(desk, resource);
	wait_until(desk, grants, certificate, "web", false);
}

static void
a_key_that_keyd_does_not_know_does_not_hold_up_the_others(void **state)
{
	struct desk *desk = *state;
	scoped(grants_free) struct grants *grants = start(desk);
	int64_t lost = desk_certificate(
	    desk, (struct desk_certificate){ .hostnames = "*.example.com" });
	int64_t good = key_at_keyd(desk);
	int64_t resource = desk_resource(
	    desk, desk->acme, "blog", "blog.example.com", MODE_PERSONAL);

	bind_it(desk, resource, lost);
	bind_it(desk, shop(desk), good);
	grants_wait(grants, LONG_MS);
	assert_true(granted(desk, good, "web"));
	assert_non_null(strstr(trouble(desk, resource), "no such key"));
	assert_true(pending(desk, resource));
}

/* The first question is for all grants; the next one for one of the rows. */
static void
fail_the_second(void *ctx)
{
	struct desk *desk = ctx;

	if (custody_fake_asked(desk->custody, "") == 1)
		custody_fake_fail(desk->custody, STATUS_INTERNAL, "damaged");
}

static void
a_row_that_keyd_stumbles_over_does_not_hold_up_the_others(void **state)
{
	struct desk *desk = *state;
	const struct grants_config config = { .store = desk->store,
		.custody = desk->custody,
		.settle_s = 3600,
		.retry_ms = 2 * LONG_MS };
	scoped(grants_free) struct grants *grants = NULL;
	int64_t one = key_at_keyd(desk);
	int64_t two = desk_certificate(
	    desk, (struct desk_certificate){
		      .hostnames = "blog.example.com", .is_at_keyd = true });
	int64_t blog = desk_resource(
	    desk, desk->acme, "blog", "blog.example.com", MODE_PERSONAL);

	bind_it(desk, shop(desk), one);
	bind_it(desk, blog, two);
	custody_fake_before(desk->custody, fail_the_second, desk);
	assert_int_equal(grants_new(&config, &grants).code, STATUS_OK);
	grants_wait(grants, LONG_MS);
	assert_int_equal(
	    granted(desk, one, "web") + granted(desk, two, "web"), 1);
	custody_fake_before(desk->custody, NULL, NULL);
}

static void
a_grant_that_keyd_lost_comes_back(void **state)
{
	struct desk *desk = *state;
	int64_t certificate = key_at_keyd(desk), resource = shop(desk);
	struct key_id key = key_of(desk, certificate);
	struct grants *grants = start(desk);
	char why[CUSTODY_WHY_MAX];

	bind_it(desk, resource, certificate);
	grants_wait(grants, LONG_MS);
	grants_free(grants);
	assert_int_equal(
	    custody_revoke(desk->custody, &key, "web", why).code, STATUS_OK);
	/* The next one compares at its start. */
	grants = start(desk);
	wait_until(desk, grants, certificate, "web", true);
	grants_free(grants);
}

static void
a_grant_that_nothing_asks_for_is_taken_away(void **state)
{
	struct desk *desk = *state;
	int64_t certificate = key_at_keyd(desk);
	struct key_id key = key_of(desk, certificate);
	scoped(grants_free) struct grants *grants = NULL;
	char why[CUSTODY_WHY_MAX];

	assert_int_equal(
	    custody_grant(desk->custody, &key, "web", why).code, STATUS_OK);
	grants = start(desk);
	wait_until(desk, grants, certificate, "web", false);
}

static bool
is_held_back(struct desk *desk, int64_t now_s)
{
	bool held = false;
	struct db_tx *tx;

	assert_int_equal(store_read(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    store_grants_edge_held_back(tx, now_s, &held).code, STATUS_OK);
	db_end(tx);
	return held;
}

/* Else one that was taken over, and then stopped, keeps rights for ever. */
static void
an_edge_that_was_stopped_or_is_gone_holds_nothing_back(void **state)
{
	struct desk *desk = *state;
	struct db_tx *tx;

	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(store_commit(desk->store, tx,
			     db_run(tx, NULL,
				 "INSERT INTO edge (name, edge_group, first_s,"
				 " held_version, last_seen_s, quarantined)"
				 " VALUES ('gone', 'web', 1, 7, 1000000, 0),"
				 " ('bad', 'web', 1, 7, 2000000, 1)",
				 DB_NONE))
			     .code,
	    STATUS_OK);
	assert_true(is_held_back(desk, 1000000 + EDGE_GRACE_S));
	assert_false(is_held_back(desk, 1000001 + EDGE_GRACE_S));
}

static void
nothing_is_taken_away_while_an_edge_is_held_back(void **state)
{
	struct desk *desk = *state;
	int64_t certificate = key_at_keyd(desk);
	struct key_id key = key_of(desk, certificate);
	char why[CUSTODY_WHY_MAX];
	struct db_tx *tx;
	bool held = false;

	assert_int_equal(
	    custody_grant(desk->custody, &key, "web", why).code, STATUS_OK);
	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(store_commit(desk->store, tx,
			     db_run(tx, NULL,
				 "INSERT INTO edge (name, edge_group, first_s,"
				 " held_version, last_seen_s) VALUES ('fra-1',"
				 " 'web', 1, 7, 1000000)",
				 DB_NONE))
			     .code,
	    STATUS_OK);
	held = is_held_back(desk, 1000000 + EDGE_GRACE_S);
	assert_true(held);
	/* What the thread does then: */
	assert_int_equal(
	    grants_compare(desk->store, desk->custody, !held, why).code,
	    STATUS_OK);
	assert_true(granted(desk, certificate, "web"));
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM grant_"), 0);
	assert_int_equal(
	    grants_compare(desk->store, desk->custody, true, why).code,
	    STATUS_OK);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM grant_"
					   " WHERE wanted = 0 AND granted = 1"),
	    1);
}

/* ---- many keys, more than one stretch ---- */

#define MANY 2600

/* Rows of keys that keyd has all the grants of, but each tenth; and the
 * first of every hundred has another one at keyd. */
static void
fill(struct desk *desk)
{
	struct db_tx *tx;
	struct status st = store_write(desk->store, &tx);

	for (int i = 0; i < MANY && !failed(st); i++) {
		struct key_id key = { { 0 } };

		key.at[0] = (uint8_t)(i >> 8);
		key.at[1] = (uint8_t)i;
		st = db_run(tx, NULL,
		    "INSERT INTO grant_ (key, edge_group, wanted, granted)"
		    " VALUES (?1, 'web', 1, 1)",
		    DB_VALUES(db_blob((struct bytes){ key.at, KEY_ID_LEN })));
		if (i % 10 != 0)
			custody_fake_put_grant(desk->custody, &key, "web");
		if (i % 100 == 0)
			custody_fake_put_grant(desk->custody, &key, "api");
	}
	assert_int_equal(store_commit(desk->store, tx, st).code, STATUS_OK);
}

static void
a_comparison_of_very_many_finds_each_difference(void **state)
{
	struct desk *desk = *state;
	char why[CUSTODY_WHY_MAX];

	fill(desk);
	assert_int_equal(
	    grants_compare(desk->store, desk->custody, true, why).code,
	    STATUS_OK);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM grant_"
					   " WHERE wanted = 1 AND granted = 0"),
	    MANY / 10);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM grant_"
					   " WHERE wanted = 0 AND granted = 1"
					   " AND edge_group = 'api'"),
	    MANY / 100);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM grant_"
					   " WHERE wanted = 1 AND granted = 1"),
	    MANY - MANY / 10);
}

static void
a_keyd_that_lost_all_is_told_all(void **state)
{
	struct desk *desk = *state;
	char why[CUSTODY_WHY_MAX];

	fill(desk);
	custody_close(desk->custody);
	desk->custody = custody_fake_new();
	assert_int_equal(
	    grants_compare(desk->store, desk->custody, true, why).code,
	    STATUS_OK);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM grant_"
					   " WHERE wanted = 1 AND granted = 0"),
	    MANY);
}

static void
a_comparison_without_keyd_changes_nothing(void **state)
{
	struct desk *desk = *state;
	char why[CUSTODY_WHY_MAX];

	fill(desk);
	custody_fake_away(desk->custody, true);
	assert_int_equal(
	    grants_compare(desk->store, desk->custody, true, why).code,
	    STATUS_UNAVAILABLE);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM grant_"
					   " WHERE wanted = 1 AND granted = 1"),
	    MANY);
}

#define T(test)                                                                \
	cmocka_unit_test_setup_teardown(test, desk_set_up, desk_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(keyd_is_told_of_a_binding_and_of_its_end),
		T(what_waits_for_a_keyd_that_is_away_says_why_and_is_done_later),
		T(what_waited_for_keyd_before_a_restart_is_told_after_it),
		T(a_right_that_was_taken_away_while_keyd_was_away_goes_when_it_is_back),
		T(a_grant_whose_answer_was_lost_is_taken_away_when_unwanted),
		T(a_key_that_keyd_does_not_know_does_not_hold_up_the_others),
		T(a_row_that_keyd_stumbles_over_does_not_hold_up_the_others),
		T(a_grant_that_keyd_lost_comes_back),
		T(a_grant_that_nothing_asks_for_is_taken_away),
		T(nothing_is_taken_away_while_an_edge_is_held_back),
		T(an_edge_that_was_stopped_or_is_gone_holds_nothing_back),
		T(a_comparison_of_very_many_finds_each_difference),
		T(a_keyd_that_lost_all_is_told_all),
		T(a_comparison_without_keyd_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
