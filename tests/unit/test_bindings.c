/* SPDX-License-Identifier: Apache-2.0 */

/* The rules of binding, what is retired, and what keyd is to be told. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "certd/store_bindings.h"
#include "certd/store_grants.h"
#include "certd/store_resources.h"
#include "tests/unit/resources_desk.h"

#define PENDING "SELECT count(*) FROM grant_ WHERE wanted = 1 AND granted = 0"
#define WANTED "SELECT count(*) FROM grant_ WHERE wanted = 1"
#define RETIRED "SELECT count(*) FROM retirement"

static int64_t
shop(struct desk *desk)
{
	return desk_resource(desk, desk->acme, "shop",
	    "shop.example.com www.example.com", MODE_PERSONAL);
}

static int64_t
cover(struct desk *desk, struct desk_certificate facts)
{
	if (facts.hostnames == NULL)
		facts.hostnames = "*.example.com";
	return desk_certificate(desk, facts);
}

/* keyd was told of all that waited. */
static void
tell_keyd(struct desk *desk)
{
	struct db_tx *tx;
	struct grant_row rows[16];
	size_t n = 0;
	struct status st = store_write(desk->store, &tx);

	assert_int_equal(st.code, STATUS_OK);
	st = store_grants_waiting(tx, NULL, true, rows, 16, &n);
	for (size_t i = 0; i < n && !failed(st); i++)
		st = store_grants_told(
		    tx, &rows[i], rows[i].wanted ? GRANT_YES : GRANT_NO);
	assert_int_equal(store_commit(desk->store, tx, st).code, STATUS_OK);
}

static void
refused(struct desk *desk, struct caller *caller, int64_t resource,
    int64_t certificate, enum status_code code, const char *says)
{
	struct status st = desk_bind_one(desk, caller, resource, certificate);
	const char *why = desk->call.why[0] != 0 ? desk->call.why : st.why;

	assert_int_equal(st.code, code);
	if (strstr(why, says) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why, says);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM binding"), 0);
	assert_int_equal(desk_number(desk, WANTED), 0);
}

/* ---- binding ---- */

static void
a_certificate_that_covers_all_is_bound_and_its_grant_wanted(void **state)
{
	struct desk *desk = *state;
	int64_t resource = shop(desk);
	int64_t version = desk_number(desk, "SELECT version FROM resource");
	int64_t certificate =
	    cover(desk, (struct desk_certificate){ .name = "wild" });

	assert_int_equal(
	    desk_bind_one(desk, &desk_alice, resource, certificate).code,
	    STATUS_OK);
	assert_true(desk_bound(desk, resource, certificate));
	assert_true(
	    desk_number(desk, "SELECT version FROM resource") > version);
	assert_int_equal(desk_number(desk, "SELECT revision FROM resource"), 2);
	assert_int_equal(desk_number(desk, PENDING), 1);
	assert_int_equal(
	    desk_number(desk, "SELECT edge_group = 'web' FROM grant_"), 1);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM event"
					   " WHERE act = 'resource bound'"
					   " AND actor = 'token alice (acme)'"),
	    1);
}

static void
one_of_each_kind_of_key_is_served(void **state)
{
	struct desk *desk = *state;
	int64_t resource = shop(desk);
	int64_t both[] = { cover(desk, (struct desk_certificate){ 0 }),
		cover(desk,
		    (struct desk_certificate){ .alg = KEY_ALG_RSA_2048 }) };

	assert_int_equal(
	    desk_bind(desk, &desk_alice, resource, both, 2).code, STATUS_OK);
	assert_true(desk_bound(desk, resource, both[0]));
	assert_true(desk_bound(desk, resource, both[1]));
	assert_int_equal(desk_number(desk, WANTED), 2);
}

static void
two_of_one_kind_of_key_are_refused(void **state)
{
	struct desk *desk = *state;
	int64_t resource = shop(desk);
	int64_t both[] = { cover(desk, (struct desk_certificate){ 0 }),
		cover(desk,
		    (struct desk_certificate){ .alg = KEY_ALG_EC_P384 }) };

	assert_int_equal(desk_bind(desk, &desk_alice, resource, both, 2).code,
	    STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(desk->call.why, "both have ECDSA keys"));
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM binding"), 0);
}

static void
no_certificate_and_the_same_one_twice_are_refused(void **state)
{
	struct desk *desk = *state;
	int64_t resource = shop(desk);
	int64_t one = cover(desk, (struct desk_certificate){ 0 });
	int64_t twice[] = { one, one, one, one };

	assert_int_equal(desk_bind(desk, &desk_alice, resource, NULL, 0).code,
	    STATUS_INVALID_ARGUMENT);
	assert_int_equal(desk_bind(desk, &desk_alice, resource, twice, 2).code,
	    STATUS_INVALID_ARGUMENT);
	assert_int_equal(desk_bind(desk, &desk_alice, resource, twice, 4).code,
	    STATUS_INVALID_ARGUMENT);
}

static void
a_certificate_that_leaves_a_host_name_out_is_refused(void **state)
{
	struct desk *desk = *state;
	int64_t resource = shop(desk);

	refused(desk, &desk_alice, resource,
	    cover(desk,
		(struct desk_certificate){ .hostnames = "shop.example.com" }),
	    STATUS_FAILED_PRECONDITION,
	    "does not cover www.example.com of resource");
}

static void
a_key_of_another_network_is_refused_naming_pool_and_networks(void **state)
{
	struct desk *desk = *state;
	int64_t resource = shop(desk);

	refused(desk, &desk_alice, resource,
	    cover(desk, (struct desk_certificate){ .network = "enhanced" }),
	    STATUS_FAILED_PRECONDITION,
	    "lives in pool enhanced-pool of network enhanced, and resource 1 "
	    "(shop) is on network standard");
}

static void
a_resource_out_of_scope_is_refused(void **state)
{
	struct desk *desk = *state;
	int64_t resource = shop(desk);
	int64_t elsewhere = desk_resource(
	    desk, desk->acme, "blog", "blog.example.com", MODE_PERSONAL);
	int64_t scoped_one =
	    cover(desk, (struct desk_certificate){ .scope = elsewhere });

	refused(desk, &desk_alice, resource, scoped_one,
	    STATUS_FAILED_PRECONDITION, "scope");
	assert_int_equal(
	    desk_bind_one(desk, &desk_alice, elsewhere, scoped_one).code,
	    STATUS_OK);
}

static void
expired_and_not_yet_valid_ones_are_refused(void **state)
{
	struct desk *desk = *state;
	int64_t resource = shop(desk);

	refused(desk, &desk_alice, resource,
	    cover(desk,
		(struct desk_certificate){ .from_days = -90, .to_days = -1 }),
	    STATUS_FAILED_PRECONDITION, "expired on 20");
	refused(desk, &desk_alice, resource,
	    cover(desk,
		(struct desk_certificate){ .from_days = 2, .to_days = 90 }),
	    STATUS_FAILED_PRECONDITION, "not valid before 20");
}

static void
another_accounts_certificate_is_as_if_it_never_was(void **state)
{
	struct desk *desk = *state;
	int64_t resource = shop(desk);
	int64_t theirs =
	    cover(desk, (struct desk_certificate){
			    .account = desk->other, .network = "enhanced" });

	refused(desk, &desk_alice, resource, theirs, STATUS_NOT_FOUND,
	    "there is no such certificate");
	assert_string_equal(desk->call.why, "");
	refused(desk, &desk_alice, resource, 999, STATUS_NOT_FOUND,
	    "there is no such certificate");
	/* Who sees all is told the reason. */
	refused(desk, &desk_operator, resource, theirs,
	    STATUS_FAILED_PRECONDITION, "of another account");
}

static void
a_shared_certificate_of_another_account_is_bound(void **state)
{
	struct desk *desk = *state;
	int64_t resource = shop(desk);
	int64_t theirs =
	    cover(desk, (struct desk_certificate){
			    .account = desk->other, .kind = KIND_SHARED });

	assert_int_equal(
	    desk_bind_one(desk, &desk_alice, resource, theirs).code, STATUS_OK);
	assert_int_equal(
	    desk_number(desk, "SELECT mode FROM resource"), MODE_SHARED);
}

static void
an_acme_certificate_is_for_one_resource(void **state)
{
	struct desk *desk = *state;
	int64_t resource = shop(desk);
	int64_t second = desk_resource(
	    desk, desk->acme, "blog", "blog.example.com", MODE_ACME);
	int64_t acme =
	    cover(desk, (struct desk_certificate){ .kind = KIND_ACME });
	int64_t two[] = { acme,
		cover(desk, (struct desk_certificate){
				.kind = KIND_ACME, .alg = KEY_ALG_RSA_2048 }) };

	assert_int_equal(desk_bind(desk, &desk_alice, second, two, 2).code,
	    STATUS_FAILED_PRECONDITION);
	assert_int_equal(
	    desk_bind_one(desk, &desk_alice, second, acme).code, STATUS_OK);
	assert_int_equal(desk_bind_one(desk, &desk_alice, resource, acme).code,
	    STATUS_FAILED_PRECONDITION);
	assert_non_null(
	    strstr(desk->call.why, "issued by ACME for resource 2"));
}

static void
a_personal_certificate_takes_an_acme_ones_place_in_one_act(void **state)
{
	struct desk *desk = *state;
	int64_t resource = desk_resource(
	    desk, desk->acme, "blog", "blog.example.com", MODE_ACME);
	int64_t acme =
	    cover(desk, (struct desk_certificate){ .kind = KIND_ACME });
	int64_t own =
	    cover(desk, (struct desk_certificate){ .alg = KEY_ALG_RSA_2048 });

	assert_int_equal(
	    desk_bind_one(desk, &desk_alice, resource, acme).code, STATUS_OK);
	assert_int_equal(
	    desk_number(desk, "SELECT mode FROM resource"), MODE_ACME);
	assert_int_equal(
	    desk_bind_one(desk, &desk_alice, resource, own).code, STATUS_OK);
	assert_false(desk_bound(desk, resource, acme));
	assert_true(desk_bound(desk, resource, own));
	assert_int_equal(
	    desk_number(desk, "SELECT mode FROM resource"), MODE_PERSONAL);
}

static void
binding_what_is_bound_makes_no_version(void **state)
{
	struct desk *desk = *state;
	int64_t resource = shop(desk);
	int64_t one = cover(desk, (struct desk_certificate){ 0 });
	int64_t version;

	assert_int_equal(
	    desk_bind_one(desk, &desk_alice, resource, one).code, STATUS_OK);
	version = desk_number(desk, "SELECT max(version) FROM edge_version");
	assert_int_equal(
	    desk_bind_one(desk, &desk_alice, resource, one).code, STATUS_OK);
	assert_int_equal(
	    desk_number(desk, "SELECT max(version) FROM edge_version"),
	    version);
}

static void
an_act_that_fails_halfway_changes_nothing(void **state)
{
	struct desk *desk = *state;
	int64_t resource = shop(desk);
	int64_t one = cover(desk, (struct desk_certificate){ 0 });
	int64_t version =
	    desk_number(desk, "SELECT max(version) FROM edge_version");
	struct db_tx *tx;
	struct status st;

	desk->call = (struct api_call){ .caller = &desk_alice };
	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	st = bindings_set(tx, &desk->call, resource, &one, 1);
	assert_int_equal(st.code, STATUS_OK);
	/* As a crash would: the transaction never commits. */
	db_end(tx);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM binding"), 0);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM grant_"), 0);
	assert_int_equal(desk_number(desk, "SELECT revision FROM resource"), 1);
	assert_int_equal(
	    desk_number(desk, "SELECT max(version) FROM edge_version"),
	    version);
}

/* ---- what is retired ---- */

static void
what_is_switched_away_from_keeps_its_grant(void **state)
{
	struct desk *desk = *state;
	int64_t resource = shop(desk);
	int64_t old = cover(desk, (struct desk_certificate){ 0 });
	int64_t new = cover(desk, (struct desk_certificate){ 0 });

	assert_int_equal(
	    desk_bind_one(desk, &desk_alice, resource, old).code, STATUS_OK);
	tell_keyd(desk);
	assert_int_equal(
	    desk_bind_one(desk, &desk_alice, resource, new).code, STATUS_OK);
	assert_int_equal(desk_number(desk,
			     "SELECT count(*) FROM retirement t JOIN resource r"
			     " ON r.id = t.resource WHERE t.certificate = 1"
			     " AND t.version = r.version"
			     " AND t.edge_group = 'web'"),
	    1);
	assert_int_equal(desk_number(desk, WANTED), 2);
	assert_int_equal(desk_number(desk, PENDING), 1);
}

static void
an_ended_retirement_ends_the_grant(void **state)
{
	struct desk *desk = *state;
	int64_t resource = shop(desk);
	int64_t old = cover(desk, (struct desk_certificate){ 0 });
	int64_t new = cover(desk, (struct desk_certificate){ 0 });
	struct key_id key = { 0 };
	struct db_rows *rows = NULL;
	struct db_tx *tx;
	bool row = false;

	assert_int_equal(
	    desk_bind_one(desk, &desk_alice, resource, old).code, STATUS_OK);
	tell_keyd(desk);
	assert_int_equal(
	    desk_bind_one(desk, &desk_alice, resource, new).code, STATUS_OK);
	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    db_run(tx, NULL, "DELETE FROM retirement", DB_NONE).code,
	    STATUS_OK);
	assert_int_equal(
	    db_query(
		tx, &rows, "SELECT key FROM certificate WHERE id = 1", DB_NONE)
		.code,
	    STATUS_OK);
	assert_int_equal(db_next(rows, &row).code, STATUS_OK);
	memcpy(key.at, db_column_blob(rows, 0).at, KEY_ID_LEN);
	db_rows_free(rows);
	assert_int_equal(
	    store_commit(desk->store, tx, bindings_refresh_grants(tx, &key))
		.code,
	    STATUS_OK);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM grant_"
					   " WHERE wanted = 0 AND granted = 1"),
	    1);
	tell_keyd(desk);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM grant_"), 1);
}

static void
binding_the_old_one_again_ends_its_retirement(void **state)
{
	struct desk *desk = *state;
	int64_t resource = shop(desk);
	int64_t a = cover(desk, (struct desk_certificate){ 0 });
	int64_t b = cover(desk, (struct desk_certificate){ 0 });

	assert_int_equal(
	    desk_bind_one(desk, &desk_alice, resource, a).code, STATUS_OK);
	assert_int_equal(
	    desk_bind_one(desk, &desk_alice, resource, b).code, STATUS_OK);
	assert_int_equal(
	    desk_bind_one(desk, &desk_alice, resource, a).code, STATUS_OK);
	assert_int_equal(desk_number(desk, RETIRED), 1);
	assert_int_equal(
	    desk_number(desk, "SELECT certificate FROM retirement"), b);
}

static void
a_renewal_with_the_same_key_keeps_the_grant_as_it_is(void **state)
{
	struct desk *desk = *state;
	int64_t resource = shop(desk);
	int64_t old = cover(desk, (struct desk_certificate){ 0 });
	int64_t new = cover(desk, (struct desk_certificate){ .same_key = old });

	assert_int_equal(
	    desk_bind_one(desk, &desk_alice, resource, old).code, STATUS_OK);
	tell_keyd(desk);
	assert_int_equal(
	    desk_bind_one(desk, &desk_alice, resource, new).code, STATUS_OK);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM grant_"), 1);
	assert_int_equal(desk_number(desk, PENDING), 0);
}

/* ---- taking away ---- */

static void
unbinding_takes_the_right_to_sign_away_at_once(void **state)
{
	struct desk *desk = *state;
	int64_t resource = shop(desk);
	int64_t both[] = { cover(desk, (struct desk_certificate){ 0 }),
		cover(desk,
		    (struct desk_certificate){ .alg = KEY_ALG_RSA_2048 }) };
	struct db_tx *tx;

	assert_int_equal(
	    desk_bind(desk, &desk_alice, resource, both, 2).code, STATUS_OK);
	tell_keyd(desk);
	desk->call = (struct api_call){ .caller = &desk_alice };
	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    store_commit(desk->store, tx,
		bindings_clear(tx, &desk->call, resource, &both[0], 1))
		.code,
	    STATUS_OK);
	assert_int_equal(desk_number(desk, WANTED), 1);
	assert_int_equal(desk_number(desk, RETIRED), 0);
	assert_int_equal(desk_number(desk, "SELECT https FROM resource"), 1);
	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(store_commit(desk->store, tx,
			     bindings_clear(tx, &desk->call, resource, NULL, 0))
			     .code,
	    STATUS_OK);
	assert_int_equal(desk_number(desk, WANTED), 0);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM grant_"), 2);
	assert_int_equal(desk_number(desk, "SELECT https FROM resource"), 0);
}

static void
unbinding_all_ends_what_was_retired_too(void **state)
{
	struct desk *desk = *state;
	int64_t resource = shop(desk);
	int64_t old = cover(desk, (struct desk_certificate){ 0 });
	int64_t new = cover(desk, (struct desk_certificate){ 0 });
	struct db_tx *tx;

	assert_int_equal(
	    desk_bind_one(desk, &desk_alice, resource, old).code, STATUS_OK);
	assert_int_equal(
	    desk_bind_one(desk, &desk_alice, resource, new).code, STATUS_OK);
	assert_int_equal(desk_number(desk, WANTED), 2);
	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(store_commit(desk->store, tx,
			     bindings_clear(tx, &desk->call, resource, NULL, 0))
			     .code,
	    STATUS_OK);
	assert_int_equal(desk_number(desk, RETIRED), 0);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM grant_"), 0);
}

static void
unbinding_what_is_not_bound_says_nothing_of_what_there_is(void **state)
{
	struct desk *desk = *state;
	int64_t resource = shop(desk);
	int64_t ids[] = {
		cover(
		    desk, (struct desk_certificate){ .account = desk->other }),
		999
	};
	struct db_tx *tx;

	for (size_t i = 0; i < 2; i++) {
		char says[64];

		snprintf(says, sizeof(says),
		    "certificate %lld is not bound to resource 1 (shop)",
		    (long long)ids[i]);
		desk->call = (struct api_call){ .caller = &desk_alice };
		assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
		assert_int_equal(
		    store_commit(desk->store, tx,
			bindings_clear(tx, &desk->call, resource, &ids[i], 1))
			.code,
		    STATUS_FAILED_PRECONDITION);
		assert_string_equal(desk->call.why, says);
	}
}

static void
a_key_that_two_resources_serve_keeps_its_grant_until_both_are_gone(void **state)
{
	struct desk *desk = *state;
	int64_t one = cover(desk, (struct desk_certificate){ 0 });
	int64_t resources[] = { shop(desk),
		desk_resource(desk, desk->acme, "blog", "blog.example.com",
		    MODE_PERSONAL) };
	struct db_tx *tx;

	for (size_t i = 0; i < 2; i++)
		assert_int_equal(
		    desk_bind_one(desk, &desk_alice, resources[i], one).code,
		    STATUS_OK);
	assert_int_equal(desk_number(desk, WANTED), 1);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
		assert_int_equal(
		    store_commit(desk->store, tx,
			bindings_clear(tx, &desk->call, resources[i], NULL, 0))
			.code,
		    STATUS_OK);
		assert_int_equal(desk_number(desk, WANTED), i == 0);
	}
}

static bool
name_holder(void *ctx, int64_t resource, const char *name)
{
	char *text = ctx;
	size_t len = strlen(text);

	snprintf(text + len, 128 - len, "%lld=%s ", (long long)resource, name);
	return true;
}

static void
holders_are_named_in_order_and_counted(void **state)
{
	struct desk *desk = *state;
	int64_t one = cover(desk, (struct desk_certificate){ 0 });
	char text[128] = "";
	struct db_tx *tx;
	size_t n = 0;

	for (int i = 0; i < 3; i++) {
		char name[16], host[32];

		snprintf(name, sizeof(name), "r%d", i);
		snprintf(host, sizeof(host), "h%d.example.com", i);
		assert_int_equal(desk_bind_one(desk, &desk_alice,
				     desk_resource(desk, desk->acme, name, host,
					 MODE_PERSONAL),
				     one)
				     .code,
		    STATUS_OK);
	}
	assert_int_equal(store_read(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    bindings_holders(tx, one, 2, name_holder, text, &n).code,
	    STATUS_OK);
	db_end(tx);
	assert_string_equal(text, "1=r0 2=r1 ");
	assert_int_equal(n, 3);
}

#define T(test)                                                                \
	cmocka_unit_test_setup_teardown(test, desk_set_up, desk_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_certificate_that_covers_all_is_bound_and_its_grant_wanted),
		T(one_of_each_kind_of_key_is_served),
		T(two_of_one_kind_of_key_are_refused),
		T(no_certificate_and_the_same_one_twice_are_refused),
		T(a_certificate_that_leaves_a_host_name_out_is_refused),
		T(a_key_of_another_network_is_refused_naming_pool_and_networks),
		T(a_resource_out_of_scope_is_refused),
		T(expired_and_not_yet_valid_ones_are_refused),
		T(another_accounts_certificate_is_as_if_it_never_was),
		T(a_shared_certificate_of_another_account_is_bound),
		T(an_acme_certificate_is_for_one_resource),
		T(a_personal_certificate_takes_an_acme_ones_place_in_one_act),
		T(binding_what_is_bound_makes_no_version),
		T(an_act_that_fails_halfway_changes_nothing),
		T(what_is_switched_away_from_keeps_its_grant),
		T(an_ended_retirement_ends_the_grant),
		T(binding_the_old_one_again_ends_its_retirement),
		T(a_renewal_with_the_same_key_keeps_the_grant_as_it_is),
		T(unbinding_takes_the_right_to_sign_away_at_once),
		T(unbinding_all_ends_what_was_retired_too),
		T(unbinding_what_is_not_bound_says_nothing_of_what_there_is),
		T(a_key_that_two_resources_serve_keeps_its_grant_until_both_are_gone),
		T(holders_are_named_in_order_and_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
