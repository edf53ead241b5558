/* SPDX-License-Identifier: Apache-2.0 */

/* Shared certificates that are bound by themselves, and only where they may. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "certd/shared.h"
#include "certd/store_bindings.h"
#include "certd/store_resources.h"
#include "proto/message.h"
#include "tests/unit/resources_desk.h"

static int64_t
shared_one(struct desk *desk, struct desk_certificate facts)
{
	facts.kind = KIND_SHARED;
	facts.account = desk->other;
	if (facts.hostnames == NULL)
		facts.hostnames = "*." DESK_ZONE;
	return desk_certificate(desk, facts);
}

static int64_t
in_zone(struct desk *desk, const char *name, int mode)
{
	char host[128];

	snprintf(host, sizeof(host), "%s." DESK_ZONE, name);
	return desk_resource(desk, desk->acme, name, host, mode);
}

static void
apply(struct desk *desk, int64_t resource)
{
	struct db_tx *tx;

	desk->call = (struct api_call){ .caller = &desk_alice };
	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(store_commit(desk->store, tx,
			     shared_apply(tx, &desk->call, resource))
			     .code,
	    STATUS_OK);
	assert_string_equal(desk->call.why, "");
}

static void
apply_all(struct desk *desk, int64_t certificate)
{
	struct db_tx *tx;

	desk->call = (struct api_call){ .caller = &desk_operator };
	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(store_commit(desk->store, tx,
			     shared_apply_all(tx, &desk->call, certificate))
			     .code,
	    STATUS_OK);
}

static int64_t
n_bound(struct desk *desk)
{
	return desk_number(desk, "SELECT count(*) FROM binding");
}

static void
a_resource_in_the_zone_gets_the_shared_certificate_by_itself(void **state)
{
	struct desk *desk = *state;
	int64_t certificate = shared_one(desk, (struct desk_certificate){ 0 });
	Holdfast__Certd__V1__CreateResourceRequest asked =
	    desk_create_resource_request();
	Holdfast__Certd__V1__CreateResourceResponse *reply = NULL;
	char name[] = "Shop";

	asked.name = name;
	assert_int_equal(
	    desk_ask(desk, &desk_alice, "Resources/Create", &asked, &reply)
		.code,
	    STATUS_OK);
	assert_int_equal(reply->resource->n_certificates, 1);
	assert_int_equal(reply->resource->certificates[0]->id, certificate);
	assert_int_equal(reply->resource->mode, MODE_AUTOMATIC);
	message_free(&reply->base);
}

static void
a_host_name_that_comes_into_the_zone_brings_it(void **state)
{
	struct desk *desk = *state;
	int64_t certificate = shared_one(desk, (struct desk_certificate){ 0 });
	int64_t resource = desk_resource(
	    desk, desk->acme, "shop", "shop.example.com", MODE_AUTOMATIC);
	char hostname[] = "shop." DESK_ZONE;
	char *hostnames[] = { hostname };
	Holdfast__Certd__V1__UpdateResourceRequest__Field field =
	    HOLDFAST__CERTD__V1__UPDATE_RESOURCE_REQUEST__FIELD__FIELD_HOSTNAMES;
	Holdfast__Certd__V1__UpdateResourceRequest asked =
	    desk_update_resource_request();

	apply(desk, resource);
	assert_int_equal(n_bound(desk), 0);
	asked.id = resource;
	asked.hostnames = hostnames;
	asked.n_hostnames = 1;
	asked.change = &field;
	asked.n_change = 1;
	assert_int_equal(
	    desk_ask(desk, &desk_alice, "Resources/Update", &asked, NULL).code,
	    STATUS_OK);
	assert_true(desk_bound(desk, resource, certificate));
	/* And out of it again: refused, for nothing else would be served. */
	snprintf(hostname, sizeof(hostname), "shop.example.com");
	assert_int_equal(
	    desk_ask(desk, &desk_alice, "Resources/Update", &asked, NULL).code,
	    STATUS_FAILED_PRECONDITION);
}

static void
only_resources_that_want_it_get_it(void **state)
{
	struct desk *desk = *state;
	int64_t automatic = in_zone(desk, "a", MODE_AUTOMATIC);
	int64_t wants = in_zone(desk, "b", MODE_SHARED);
	int64_t personal = in_zone(desk, "c", MODE_PERSONAL);
	int64_t acme = in_zone(desk, "d", MODE_ACME);
	int64_t outside = desk_resource(
	    desk, desk->acme, "e", "e.example.com", MODE_AUTOMATIC);
	int64_t half = desk_resource(desk, desk->acme, "f",
	    "f." DESK_ZONE " f.example.com", MODE_AUTOMATIC);
	int64_t certificate = shared_one(desk, (struct desk_certificate){ 0 });

	apply_all(desk, certificate);
	assert_true(desk_bound(desk, automatic, certificate));
	assert_true(desk_bound(desk, wants, certificate));
	assert_false(desk_bound(desk, personal, certificate));
	assert_false(desk_bound(desk, acme, certificate));
	assert_false(desk_bound(desk, outside, certificate));
	assert_false(desk_bound(desk, half, certificate));
	assert_int_equal(
	    desk_number(desk, "SELECT mode FROM resource WHERE id = 1"),
	    MODE_AUTOMATIC);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM shared_todo"), 0);
}

static void
one_that_is_no_good_is_not_bound(void **state)
{
	struct desk *desk = *state;
	int64_t resource = in_zone(desk, "a", MODE_AUTOMATIC);

	(void)shared_one(
	    desk, (struct desk_certificate){ .from_days = -9, .to_days = -1 });
	(void)shared_one(
	    desk, (struct desk_certificate){ .network = "enhanced" });
	(void)shared_one(desk, (struct desk_certificate){ .scope = 99 });
	(void)desk_certificate(
	    desk, (struct desk_certificate){ .hostnames = "*." DESK_ZONE });
	apply(desk, resource);
	assert_int_equal(n_bound(desk), 0);
}

static void
one_in_place_stays_and_other_kinds_of_key_join_it(void **state)
{
	struct desk *desk = *state;
	int64_t resource = in_zone(desk, "a", MODE_AUTOMATIC);
	int64_t first = shared_one(desk, (struct desk_certificate){ 0 });
	int64_t longer, rsa;

	apply_all(desk, first);
	longer = shared_one(
	    desk, (struct desk_certificate){ .from_days = -1, .to_days = 300 });
	apply_all(desk, longer);
	assert_true(desk_bound(desk, resource, first));
	assert_int_equal(n_bound(desk), 1);
	rsa = shared_one(
	    desk, (struct desk_certificate){ .alg = KEY_ALG_RSA_2048 });
	apply_all(desk, rsa);
	assert_true(desk_bound(desk, resource, first));
	assert_true(desk_bound(desk, resource, rsa));
}

static void
the_one_that_is_valid_longest_is_chosen_and_an_expired_one_replaced(
    void **state)
{
	struct desk *desk = *state;
	int64_t resource = in_zone(desk, "a", MODE_AUTOMATIC);
	int64_t shorter = shared_one(
	    desk, (struct desk_certificate){ .from_days = -1, .to_days = 20 });
	int64_t longer = shared_one(
	    desk, (struct desk_certificate){ .from_days = -1, .to_days = 300 });
	struct db_tx *tx;

	apply(desk, resource);
	assert_true(desk_bound(desk, resource, longer));
	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(store_commit(desk->store, tx,
			     db_run(tx, NULL,
				 "UPDATE certificate SET not_after_s = 1"
				 " WHERE id = ?1",
				 DB_VALUES(db_int(longer))))
			     .code,
	    STATUS_OK);
	apply(desk, resource);
	assert_true(desk_bound(desk, resource, shorter));
	assert_int_equal(n_bound(desk), 1);
}

static void
it_takes_an_acme_certificates_place_on_an_automatic_resource(void **state)
{
	struct desk *desk = *state;
	int64_t resource = in_zone(desk, "a", MODE_AUTOMATIC);
	int64_t acme =
	    desk_certificate(desk, (struct desk_certificate){ .kind = KIND_ACME,
				       .alg = KEY_ALG_RSA_2048,
				       .hostnames = "a." DESK_ZONE });
	int64_t certificate;
	struct db_tx *tx;

	assert_int_equal(
	    desk_bind_one(desk, &desk_alice, resource, acme).code, STATUS_OK);
	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    store_commit(desk->store, tx,
		db_run(tx, NULL, "UPDATE resource SET mode = 4", DB_NONE))
		.code,
	    STATUS_OK);
	certificate = shared_one(desk, (struct desk_certificate){ 0 });
	apply_all(desk, certificate);
	assert_true(desk_bound(desk, resource, certificate));
	assert_false(desk_bound(desk, resource, acme));
}

static void
with_https_off_none_is_bound(void **state)
{
	struct desk *desk = *state;
	int64_t resource = in_zone(desk, "a", MODE_AUTOMATIC);
	int64_t certificate = shared_one(desk, (struct desk_certificate){ 0 });
	struct db_tx *tx;

	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    store_commit(desk->store, tx,
		db_run(tx, NULL, "UPDATE resource SET https = 0", DB_NONE))
		.code,
	    STATUS_OK);
	apply(desk, resource);
	apply_all(desk, certificate);
	assert_int_equal(n_bound(desk), 0);
}

#define MANY 450

/* More than one transaction takes; the thread goes on. */
static void
very_many_resources_get_it_a_part_at_a_time(void **state)
{
	struct desk *desk = *state;
	int64_t until_ns = clock_mono_ns() + 60 * NS_PER_S;
	int64_t certificate, at_once;

	for (int i = 0; i < MANY; i++) {
		char name[16];

		snprintf(name, sizeof(name), "r%d", i);
		in_zone(desk, name, MODE_AUTOMATIC);
	}
	certificate = shared_one(desk, (struct desk_certificate){ 0 });
	apply_all(desk, certificate);
	at_once = n_bound(desk);
	assert_true(at_once >= 200);
	while (n_bound(desk) < MANY) {
		if (clock_mono_ns() > until_ns)
			fail_msg("the thread does not go on");
		usleep(10000);
	}
	while (desk_number(desk, "SELECT count(*) FROM shared_todo") != 0) {
		if (clock_mono_ns() > until_ns)
			fail_msg("the thread does not end");
		usleep(10000);
	}
	assert_true(desk_number(desk, "SELECT count(*) FROM grant_") == 1);
}

#define T(test)                                                                \
	cmocka_unit_test_setup_teardown(test, desk_set_up_all, desk_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_resource_in_the_zone_gets_the_shared_certificate_by_itself),
		T(a_host_name_that_comes_into_the_zone_brings_it),
		T(only_resources_that_want_it_get_it),
		T(one_that_is_no_good_is_not_bound),
		T(one_in_place_stays_and_other_kinds_of_key_join_it),
		T(the_one_that_is_valid_longest_is_chosen_and_an_expired_one_replaced),
		T(it_takes_an_acme_certificates_place_on_an_automatic_resource),
		T(with_https_off_none_is_bound),
		T(very_many_resources_get_it_a_part_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
