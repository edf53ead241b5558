/* SPDX-License-Identifier: Apache-2.0 */

/* One certificate for another, wherever it is bound. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "certd/caller.h"
#include "certd/store_bindings.h"
#include "certd/store_resources.h"
#include "proto/holdfast/certd/v1/certificates.pb-c.h"
#include "proto/message.h"
#include "tests/unit/resources_desk.h"

#define RESOURCES 1000

typedef Holdfast__Certd__V1__ReplaceCertificateRequest replace_msg;
typedef Holdfast__Certd__V1__ReplaceCertificateResponse replaced_msg;

static int64_t
cover(struct desk *desk, struct desk_certificate facts)
{
	if (facts.hostnames == NULL)
		facts.hostnames = "*.example.com";
	return desk_certificate(desk, facts);
}

/* r0, r1, ...: each with a host name of that name. */
static int64_t
holder(struct desk *desk, int i, int64_t certificate)
{
	char name[16], host[32];
	int64_t resource;

	snprintf(name, sizeof(name), "r%d", i);
	snprintf(host, sizeof(host), "r%d.example.com", i);
	resource = desk_resource(desk, desk->acme, name, host, MODE_PERSONAL);
	assert_int_equal(
	    desk_bind_one(desk, &desk_operator, resource, certificate).code,
	    STATUS_OK);
	return resource;
}

static struct status
replace(struct desk *desk, struct caller *caller, int64_t old_id,
    int64_t new_id, replaced_msg **ret_reply)
{
	replace_msg asked = desk_replace_certificate_request();

	asked.old_id = old_id;
	asked.new_id = new_id;
	return desk_ask(
	    desk, caller, "Certificates/Replace", &asked, ret_reply);
}

static void
refused(struct desk *desk, struct caller *caller, int64_t old_id,
    int64_t new_id, enum status_code code, const char *says)
{
	int64_t bound =
	    desk_number(desk, "SELECT sum(certificate) FROM binding");
	struct status st = replace(desk, caller, old_id, new_id, NULL);
	const char *why = desk->call.why[0] != 0 ? desk->call.why : st.why;

	assert_int_equal(st.code, code);
	if (strstr(why, says) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why, says);
	assert_int_equal(
	    desk_number(desk, "SELECT sum(certificate) FROM binding"), bound);
}

static void
a_certificate_is_replaced_at_1000_resources_as_one_version(void **state)
{
	struct desk *desk = *state;
	int64_t old = cover(desk, (struct desk_certificate){ 0 });
	int64_t new = cover(desk, (struct desk_certificate){ 0 });
	replaced_msg *reply = NULL;
	int64_t versions;

	for (int i = 0; i < RESOURCES; i++)
		holder(desk, i, old);
	versions = desk_number(desk, "SELECT count(*) FROM edge_version");
	assert_int_equal(
	    replace(desk, &desk_alice, old, new, &reply).code, STATUS_OK);
	assert_int_equal(reply->n_resources, RESOURCES);
	assert_string_equal(reply->resources[0]->name, "r0");
	assert_string_equal(reply->resources[RESOURCES - 1]->name, "r999");
	assert_int_equal(reply->version,
	    desk_number(desk, "SELECT max(version) FROM edge_version"));
	message_free(&reply->base);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM edge_version"),
	    versions + 1);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM binding"
					   " WHERE certificate = 2"),
	    RESOURCES);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM resource"
			      " WHERE revision = 3 AND version ="
			      " (SELECT max(version) FROM edge_version)"),
	    RESOURCES);
	/* The old one's key signs until edges were seen with the new one. */
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM retirement"), RESOURCES);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM grant_ WHERE wanted = 1"),
	    2);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM event"
			      " WHERE act = 'certificate replaced'"),
	    1);
}

static void
a_resource_that_the_new_one_does_not_cover_stops_all(void **state)
{
	struct desk *desk = *state;
	int64_t old = cover(desk, (struct desk_certificate){ 0 });
	int64_t new =
	    cover(desk, (struct desk_certificate){
			    .hostnames = "r0.example.com r2.example.com" });

	for (int i = 0; i < 2; i++)
		holder(desk, i, old);
	refused(desk, &desk_alice, old, new, STATUS_FAILED_PRECONDITION,
	    "does not cover r1.example.com of resource 2 (r1)");
}

static void
the_refusal_names_each_resource_that_does_not_fit(void **state)
{
	struct desk *desk = *state;
	int64_t old = cover(desk, (struct desk_certificate){ 0 });
	int64_t new = cover(
	    desk, (struct desk_certificate){ .hostnames = "r0.example.com" });

	for (int i = 0; i < 4; i++)
		holder(desk, i, old);
	refused(desk, &desk_alice, old, new, STATUS_FAILED_PRECONDITION,
	    "does not fit 3 of the 4 resources that hold 1: 2 (r1), 3 (r2), 4 "
	    "(r3)");
}

static void
more_misfits_than_a_sentence_holds_are_counted(void **state)
{
	struct desk *desk = *state;
	int64_t old = cover(desk, (struct desk_certificate){ 0 });
	int64_t new = cover(
	    desk, (struct desk_certificate){ .hostnames = "r0.example.com" });

	for (int i = 0; i < 60; i++)
		holder(desk, i, old);
	refused(desk, &desk_alice, old, new, STATUS_FAILED_PRECONDITION,
	    " more; nothing was replaced");
}

static void
the_new_ones_network_scope_and_dates_are_looked_at(void **state)
{
	struct desk *desk = *state;
	int64_t old = cover(desk, (struct desk_certificate){ 0 });

	holder(desk, 0, old);
	refused(desk, &desk_alice, old,
	    cover(desk, (struct desk_certificate){ .network = "enhanced" }),
	    STATUS_FAILED_PRECONDITION, "of network enhanced");
	refused(desk, &desk_alice, old,
	    cover(desk, (struct desk_certificate){ .scope = 77 }),
	    STATUS_FAILED_PRECONDITION, "scope");
	refused(desk, &desk_alice, old,
	    cover(desk,
		(struct desk_certificate){ .from_days = -9, .to_days = -1 }),
	    STATUS_FAILED_PRECONDITION, "expired");
	refused(desk, &desk_alice, old, old, STATUS_INVALID_ARGUMENT, "itself");
}

static void
another_kind_of_key_takes_the_old_ones_place(void **state)
{
	struct desk *desk = *state;
	int64_t old = cover(desk, (struct desk_certificate){ 0 });
	int64_t new =
	    cover(desk, (struct desk_certificate){ .alg = KEY_ALG_RSA_2048 });
	int64_t resource = holder(desk, 0, old);

	assert_int_equal(
	    replace(desk, &desk_alice, old, new, NULL).code, STATUS_OK);
	assert_true(desk_bound(desk, resource, new));
	assert_false(desk_bound(desk, resource, old));
	assert_int_equal(desk_number(desk, "SELECT slot FROM binding"), 2);
}

static void
a_third_certificate_of_that_kind_of_key_is_not_pushed_out(void **state)
{
	struct desk *desk = *state;
	int64_t both[] = { cover(desk, (struct desk_certificate){ 0 }),
		cover(desk,
		    (struct desk_certificate){ .alg = KEY_ALG_RSA_2048 }) };
	int64_t new =
	    cover(desk, (struct desk_certificate){ .alg = KEY_ALG_RSA_3072 });
	int64_t resource = holder(desk, 0, both[0]);

	assert_int_equal(
	    desk_bind(desk, &desk_alice, resource, both, 2).code, STATUS_OK);
	refused(desk, &desk_alice, both[0], new, STATUS_FAILED_PRECONDITION,
	    "another certificate with a key of the same kind");
	/* Where both are bound, the old one just goes. */
	assert_int_equal(
	    replace(desk, &desk_alice, both[0], both[1], NULL).code, STATUS_OK);
	assert_true(desk_bound(desk, resource, both[1]));
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM binding"), 1);
}

static void
a_certificate_that_is_bound_nowhere_is_not_replaced(void **state)
{
	struct desk *desk = *state;
	int64_t old = cover(desk, (struct desk_certificate){ 0 });
	int64_t new = cover(desk, (struct desk_certificate){ 0 });

	refused(desk, &desk_alice, old, new, STATUS_FAILED_PRECONDITION,
	    "is bound nowhere");
}

static void
of_two_who_replace_at_once_the_second_learns_of_the_first(void **state)
{
	struct desk *desk = *state;
	int64_t old = cover(desk, (struct desk_certificate){ 0 });
	int64_t new = cover(desk, (struct desk_certificate){ 0 });
	int64_t newer = cover(desk, (struct desk_certificate){ 0 });
	int64_t resource = holder(desk, 0, old);
	char etag[] = "r1";
	replace_msg asked = desk_replace_certificate_request();

	asked.old_id = old;
	asked.new_id = new;
	asked.etag = etag;
	assert_int_equal(
	    desk_ask(desk, &desk_alice, "Certificates/Replace", &asked, NULL)
		.code,
	    STATUS_OK);
	asked.new_id = newer;
	assert_int_equal(
	    desk_ask(desk, &desk_alice, "Certificates/Replace", &asked, NULL)
		.code,
	    STATUS_ABORTED);
	assert_true(desk_bound(desk, resource, new));
}

static void
certificates_of_another_account_are_as_if_they_never_were(void **state)
{
	struct desk *desk = *state;
	int64_t old = cover(desk, (struct desk_certificate){ 0 });
	int64_t theirs =
	    cover(desk, (struct desk_certificate){ .account = desk->other });
	const char *words = "there is no such certificate";

	holder(desk, 0, old);
	refused(desk, &desk_bob, old, theirs, STATUS_NOT_FOUND, words);
	refused(desk, &desk_bob, 999, theirs, STATUS_NOT_FOUND, words);
	refused(desk, &desk_alice, old, theirs, STATUS_NOT_FOUND, words);
	refused(desk, &desk_alice, old, 999, STATUS_NOT_FOUND, words);
	refused(desk, &desk_operator, old, theirs, STATUS_FAILED_PRECONDITION,
	    "of another account");
}

static void
only_operators_replace_a_shared_certificate(void **state)
{
	struct desk *desk = *state;
	int64_t old =
	    cover(desk, (struct desk_certificate){ .kind = KIND_SHARED });
	int64_t new =
	    cover(desk, (struct desk_certificate){ .kind = KIND_SHARED });
	int64_t resource = desk_resource(
	    desk, desk->other, "theirs", "a.example.com", MODE_AUTOMATIC);

	holder(desk, 0, old);
	assert_int_equal(
	    desk_bind_one(desk, &desk_operator, resource, old).code, STATUS_OK);
	refused(desk, &desk_alice, old, new, STATUS_PERMISSION_DENIED,
	    "only an operator");
	assert_int_equal(
	    replace(desk, &desk_operator, old, new, NULL).code, STATUS_OK);
	assert_true(desk_bound(desk, resource, new));
}

static void
the_mode_follows_the_kind(void **state)
{
	struct desk *desk = *state;
	int64_t old =
	    cover(desk, (struct desk_certificate){ .kind = KIND_SHARED });
	int64_t new = cover(desk, (struct desk_certificate){ 0 });

	holder(desk, 0, old);
	assert_int_equal(
	    desk_number(desk, "SELECT mode FROM resource"), MODE_SHARED);
	assert_int_equal(
	    replace(desk, &desk_operator, old, new, NULL).code, STATUS_OK);
	assert_int_equal(
	    desk_number(desk, "SELECT mode FROM resource"), MODE_PERSONAL);
}

static void
a_token_needs_both_scopes_to_replace(void **state)
{
	struct desk *desk = *state;
	int64_t old = cover(desk, (struct desk_certificate){ 0 });
	int64_t new = cover(desk, (struct desk_certificate){ 0 });
	struct caller narrow = desk_alice;

	holder(desk, 0, old);
	narrow.scopes = SCOPE_CERTIFICATES_WRITE;
	refused(desk, &narrow, old, new, STATUS_PERMISSION_DENIED,
	    "resources:write");
	narrow.scopes = SCOPE_RESOURCES_WRITE;
	refused(desk, &narrow, old, new, STATUS_PERMISSION_DENIED,
	    "certificates:write");
	narrow.scopes |= SCOPE_CERTIFICATES_WRITE;
	assert_int_equal(
	    replace(desk, &narrow, old, new, NULL).code, STATUS_OK);
}

#define T(test)                                                                \
	cmocka_unit_test_setup_teardown(test, desk_set_up_all, desk_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_certificate_is_replaced_at_1000_resources_as_one_version),
		T(a_resource_that_the_new_one_does_not_cover_stops_all),
		T(the_refusal_names_each_resource_that_does_not_fit),
		T(more_misfits_than_a_sentence_holds_are_counted),
		T(the_new_ones_network_scope_and_dates_are_looked_at),
		T(another_kind_of_key_takes_the_old_ones_place),
		T(a_third_certificate_of_that_kind_of_key_is_not_pushed_out),
		T(a_certificate_that_is_bound_nowhere_is_not_replaced),
		T(of_two_who_replace_at_once_the_second_learns_of_the_first),
		T(certificates_of_another_account_are_as_if_they_never_were),
		T(only_operators_replace_a_shared_certificate),
		T(the_mode_follows_the_kind),
		T(a_token_needs_both_scopes_to_replace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
