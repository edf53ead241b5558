/* SPDX-License-Identifier: Apache-2.0 */

/* Resources and their enrollments, over the real store and services; the
 * machine is the test. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "certd/shared.h"
#include "certd/store_resources.h"
#include "proto/message.h"
#include "tests/unit/cert_maker.h"
#include "tests/unit/enroll_desk.h"

typedef Holdfast__Certd__V1__Resource resource_msg;
typedef Holdfast__Certd__V1__CreateResourceRequest create_msg;
typedef Holdfast__Certd__V1__CreateResourceResponse created_msg;
typedef Holdfast__Certd__V1__UpdateResourceRequest update_msg;
typedef Holdfast__Certd__V1__UpdateResourceRequest__Field field;
typedef Holdfast__Certd__V1__ResourceMode mode;

#define F(name)                                                                \
	HOLDFAST__CERTD__V1__UPDATE_RESOURCE_REQUEST__FIELD__FIELD_##name
#define text enroll_desk_text
#define refused enroll_desk_refused

/* ---- asking ---- */

static resource_msg *
create(struct desk *desk, const char *hostname, int mode_, bool plain)
{
	create_msg asked = desk_create_resource_request();
	created_msg *reply = NULL;
	char *hostnames[] = { text(hostname) };
	resource_msg *resource;
	struct status st;

	asked.name = text("Shop");
	asked.hostnames = hostnames;
	asked.n_hostnames = hostname[0] != 0;
	asked.mode = (mode)mode_;
	asked.plain_http = plain;
	st = desk_ask(desk, &desk_alice, "Resources/Create", &asked, &reply);
	if (failed(st))
		fail_msg("%s %s", st.why, desk->call.why);
	resource = reply->resource;
	reply->resource = NULL;
	message_free(&reply->base);
	return resource;
}

static int64_t
made(struct desk *desk, const char *hostname, int mode_)
{
	resource_msg *resource = create(desk, hostname, mode_, false);
	int64_t id = resource->id;

	message_free(&resource->base);
	return id;
}

static resource_msg *
get(struct desk *desk, int64_t id)
{
	Holdfast__Certd__V1__GetResourceRequest asked =
	    desk_get_resource_request();
	resource_msg *resource = NULL;

	asked.id = id;
	assert_int_equal(
	    desk_ask(desk, &desk_alice, "Resources/Get", &asked, &resource)
		.code,
	    STATUS_OK);
	return resource;
}

static bool
warns(struct desk *desk, int64_t id, const char *says)
{
	resource_msg *resource = get(desk, id);
	bool it_does = false;

	for (size_t i = 0; i < resource->n_warnings; i++)
		it_does =
		    it_does || strstr(resource->warnings[i], says) != NULL;
	message_free(&resource->base);
	return it_does;
}

static int64_t
change_of(struct desk *desk, int64_t id)
{
	resource_msg *resource = get(desk, id);
	int64_t change = resource->change;

	message_free(&resource->base);
	return change;
}

static struct status
update(struct desk *desk, update_msg *asked, field which)
{
	asked->change = &which;
	asked->n_change = 1;
	return desk_ask(desk, &desk_alice, "Resources/Update", asked, NULL);
}

static update_msg
about(int64_t id)
{
	update_msg asked = desk_update_resource_request();

	asked.id = id;
	return asked;
}

static struct status
set_names(struct desk *desk, int64_t id, const char *one, const char *two)
{
	char *hostnames[] = { text(one), text(two) };
	update_msg asked = about(id);

	asked.hostnames = hostnames;
	asked.n_hostnames = two[0] == 0 ? 1 : 2;
	return update(desk, &asked, F(HOSTNAMES));
}

static int64_t
enrollments(struct desk *desk)
{
	return desk_number(
	    desk, "SELECT count(*) FROM enrollment WHERE leaves = 0");
}

/* ---- what is begun by itself ---- */

static void
a_new_resource_gets_a_change_by_itself(void **state)
{
	struct desk *desk = *state;
	resource_msg *resource =
	    create(desk, "www.example.com", MODE_AUTOMATIC, false);
	int64_t id = resource->id;
	struct change_row change = enroll_desk_change(desk, resource->change);

	assert_true(resource->enrollment != 0);
	assert_int_equal(resource->mode, MODE_AUTOMATIC);
	assert_int_equal(change.resource, id);
	assert_int_equal(change.state, CHANGE_QUEUED);
	message_free(&resource->base);
	assert_true(warns(desk, id, "a certificate is being obtained"));
	enroll_desk_done(desk, change.id);
	assert_false(warns(desk, id, "certificate"));
}

static void
without_host_names_of_its_own_it_gets_one_for_the_target(void **state)
{
	struct desk *desk = *state;
	resource_msg *resource = create(desk, "", MODE_AUTOMATIC, false);

	assert_int_not_equal(resource->change, 0);
	message_free(&resource->base);
}

static void
shared_cover_plain_http_and_other_modes_get_none(void **state)
{
	struct desk *desk = *state;
	resource_msg *resource;

	desk_certificate(desk, (struct desk_certificate){ .kind = KIND_SHARED,
				   .hostnames = "*." DESK_ZONE });
	resource = create(desk, "", MODE_AUTOMATIC, false);
	assert_int_equal(resource->enrollment, 0);
	assert_int_equal(resource->n_certificates, 1);
	message_free(&resource->base);
	desk_resource(desk, desk->acme, "p", "p.example.com", MODE_PERSONAL);
	assert_int_equal(enrollments(desk), 0);
}

static void
plain_http_gets_none_until_https_is_turned_on(void **state)
{
	struct desk *desk = *state;
	resource_msg *resource =
	    create(desk, "www.example.com", MODE_AUTOMATIC, true);
	update_msg asked = about(resource->id);

	assert_int_equal(resource->enrollment, 0);
	message_free(&resource->base);
	asked.https = true;
	assert_int_equal(update(desk, &asked, F(HTTPS)).code, STATUS_OK);
	assert_int_equal(enrollments(desk), 1);
}

static void
without_an_authority_nothing_is_begun_and_the_warning_says_so(void **state)
{
	struct desk *desk = *state;
	int64_t id = made(desk, "www.example.com", MODE_AUTOMATIC);

	assert_int_equal(enrollments(desk), 0);
	assert_true(warns(desk, id, "no certificate authority is configured"));
}

static void
a_wildcard_is_validated_by_dns(void **state)
{
	struct desk *desk = *state;

	made(desk, "*.example.com", MODE_ACME);
	assert_int_equal(desk_number(desk, "SELECT validation FROM enrollment"),
	    VALIDATION_DNS_01);
}

static bool
is_by_operator(struct desk *desk)
{
	return desk_number(desk, "SELECT by_operator FROM enrollment") == 1;
}

static void
names_that_an_operator_gave_a_resource_are_so_until_another_is_added(
    void **state)
{
	struct desk *desk = *state;
	create_msg asked = desk_create_resource_request();
	created_msg *reply = NULL;
	char *hostnames[] = { text("a.example.org"), text("b.example.org") };
	update_msg change = about(0);
	field which = F(HOSTNAMES);

	asked.account = text("acme");
	asked.name = text("Shop");
	asked.hostnames = hostnames;
	asked.n_hostnames = 2;
	assert_int_equal(
	    desk_ask(desk, &desk_operator, "Resources/Create", &asked, &reply)
		.code,
	    STATUS_OK);
	change.id = reply->resource->id;
	message_free(&reply->base);
	assert_true(is_by_operator(desk));
	assert_int_equal(
	    set_names(desk, change.id, "a.example.org", "").code, STATUS_OK);
	assert_true(is_by_operator(desk));
	assert_int_equal(
	    set_names(desk, change.id, "a.example.org", "b.example.org").code,
	    STATUS_OK);
	assert_false(is_by_operator(desk));
	/* An operator says it again, with another. */
	hostnames[1] = text("c.example.org");
	change.hostnames = hostnames;
	change.n_hostnames = 2;
	change.change = &which;
	change.n_change = 1;
	assert_int_equal(
	    desk_ask(desk, &desk_operator, "Resources/Update", &change, NULL)
		.code,
	    STATUS_OK);
	assert_true(is_by_operator(desk));
}

static void
an_operators_other_acts_do_not_make_an_accounts_names_his(void **state)
{
	struct desk *desk = *state;
	resource_msg *resource =
	    create(desk, "www.example.org", MODE_AUTOMATIC, true);
	update_msg change = about(resource->id);
	field which = F(HTTPS);

	message_free(&resource->base);
	change.https = true;
	change.change = &which;
	change.n_change = 1;
	assert_int_equal(
	    desk_ask(desk, &desk_operator, "Resources/Update", &change, NULL)
		.code,
	    STATUS_OK);
	assert_int_equal(enrollments(desk), 1);
	assert_false(is_by_operator(desk));
}

/* ---- host names ---- */

static void
a_host_name_that_is_added_reissues_while_the_old_one_serves(void **state)
{
	struct desk *desk = *state;
	int64_t id = made(desk, "www.example.com", MODE_AUTOMATIC);
	int64_t old = enroll_desk_done(desk, change_of(desk, id)), new;
	struct change_row change;

	assert_int_equal(
	    set_names(desk, id, "www.example.com", "shop.example.com").code,
	    STATUS_OK);
	assert_true(desk_bound(desk, id, old));
	change = enroll_desk_change(desk, change_of(desk, id));
	assert_int_equal(change.kind, CHANGE_KIND_REISSUE);
	assert_int_equal(change.replaces, old);
	assert_true(warns(desk, id, "another one is being obtained"));
	new = enroll_desk_done(desk, change.id);
	assert_true(desk_bound(desk, id, new));
	assert_false(desk_bound(desk, id, old));
	/* Removing one does, too. */
	assert_int_equal(
	    set_names(desk, id, "shop.example.com", "").code, STATUS_OK);
	assert_int_not_equal(change_of(desk, id), change.id);
}

static void
a_host_name_outside_the_zone_leaves_the_shared_one_until_acmes_is_there(
    void **state)
{
	struct desk *desk = *state;
	int64_t shared = desk_certificate(
	    desk, (struct desk_certificate){
		      .kind = KIND_SHARED, .hostnames = "*." DESK_ZONE });
	int64_t id = made(desk, "", MODE_AUTOMATIC);

	assert_true(desk_bound(desk, id, shared));
	assert_int_equal(
	    set_names(desk, id, "x." DESK_ZONE, "www.example.com").code,
	    STATUS_OK);
	assert_true(desk_bound(desk, id, shared));
	assert_int_equal(enrollments(desk), 1);
	enroll_desk_done(desk, change_of(desk, id));
	assert_false(desk_bound(desk, id, shared));
}

static void
names_changed_while_a_change_is_under_way_are_obtained_next(void **state)
{
	struct desk *desk = *state;
	int64_t id = made(desk, "www.example.com", MODE_ACME);
	int64_t first = change_of(desk, id);

	assert_int_equal(
	    set_names(desk, id, "www.example.com", "b.example.com").code,
	    STATUS_OK);
	assert_int_equal(change_of(desk, id), first);
	assert_int_equal(
	    enroll_desk_change(desk, first).input, CHANGE_INPUT_CANCEL);
	enroll_desk_put(desk, first, CHANGE_CANCELLED, "", 0);
	assert_int_not_equal(change_of(desk, id), first);
}

static void
without_an_authority_names_must_be_covered(void **state)
{
	struct desk *desk = *state;
	int64_t id = desk_resource(
	    desk, desk->acme, "shop", "www.example.com", MODE_ACME);
	int64_t old =
	    desk_certificate(desk, (struct desk_certificate){ .kind = KIND_ACME,
				       .hostnames = "www.example.com" });

	assert_int_equal(
	    desk_bind_one(desk, &desk_alice, id, old).code, STATUS_OK);
	refused(desk,
	    set_names(desk, id, "www.example.com", "shop.example.com"),
	    STATUS_FAILED_PRECONDITION, "does not cover shop.example.com");
}

/* ---- what would upset a change ---- */

static void
what_would_upset_a_change_is_refused_or_cancels_it(void **state)
{
	struct desk *desk = *state;
	int64_t id = made(desk, "www.example.com", MODE_ACME);
	int64_t personal = desk_certificate(
	    desk, (struct desk_certificate){ .hostnames = "*.example.com" });
	int64_t first = change_of(desk, id);
	Holdfast__Certd__V1__BindRequest bind = desk_bind_request();
	Holdfast__Certd__V1__UnbindRequest unbind = desk_unbind_request();
	Holdfast__Certd__V1__DeleteResourceRequest delete_ =
	    desk_delete_resource_request();
	update_msg asked = about(id);

	refused(desk, update(desk, &asked, F(HTTPS)),
	    STATUS_FAILED_PRECONDITION, "or say cancel_change");
	asked.mode = (mode)MODE_SHARED;
	refused(desk, update(desk, &asked, F(MODE)), STATUS_FAILED_PRECONDITION,
	    "a certificate is being obtained");
	bind.id = unbind.id = delete_.id = id;
	bind.certificates = &personal;
	bind.n_certificates = 1;
	refused(desk,
	    desk_ask(desk, &desk_alice, "Resources/Bind", &bind, NULL),
	    STATUS_FAILED_PRECONDITION, "a certificate is being obtained");
	refused(desk,
	    desk_ask(desk, &desk_alice, "Resources/Unbind", &unbind, NULL),
	    STATUS_FAILED_PRECONDITION, "a certificate is being obtained");
	refused(desk,
	    desk_ask(desk, &desk_alice, "Resources/Delete", &delete_, NULL),
	    STATUS_FAILED_PRECONDITION, "a certificate is being obtained");
	enroll_desk_put(desk, first, CHANGE_INSTALLING, "", 1);
	bind.cancel_change = true;
	refused(desk,
	    desk_ask(desk, &desk_alice, "Resources/Bind", &bind, NULL),
	    STATUS_FAILED_PRECONDITION, "try again in a moment");
	enroll_desk_put(desk, first, CHANGE_VALIDATING, "", 1);
	assert_int_equal(
	    desk_ask(desk, &desk_alice, "Resources/Bind", &bind, NULL).code,
	    STATUS_OK);
	assert_int_equal(
	    enroll_desk_change(desk, first).input, CHANGE_INPUT_CANCEL);
	assert_true(desk_bound(desk, id, personal));
	assert_int_equal(enrollments(desk), 0);
	enroll_desk_put(desk, first, CHANGE_CANCELLED, "", 0);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM enrollment"), 0);
}

static void
a_resource_that_is_deleted_cancels_its_change(void **state)
{
	struct desk *desk = *state;
	int64_t id = made(desk, "www.example.com", MODE_ACME);
	int64_t first = change_of(desk, id);
	Holdfast__Certd__V1__DeleteResourceRequest asked =
	    desk_delete_resource_request();

	asked.id = id;
	asked.cancel_change = true;
	assert_int_equal(
	    desk_ask(desk, &desk_alice, "Resources/Delete", &asked, NULL).code,
	    STATUS_OK);
	assert_int_equal(
	    enroll_desk_change(desk, first).input, CHANGE_INPUT_CANCEL);
	enroll_desk_put(desk, first, CHANGE_CANCELLED, "", 0);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM enrollment"), 0);
}

static void
a_personal_one_takes_an_acme_ones_place_in_one_act(void **state)
{
	struct desk *desk = *state;
	int64_t id = made(desk, "www.example.com", MODE_ACME);
	int64_t acme = enroll_desk_done(desk, change_of(desk, id));
	int64_t personal = desk_certificate(
	    desk, (struct desk_certificate){ .hostnames = "*.example.com" });
	Holdfast__Certd__V1__ReplaceCertificateRequest asked =
	    desk_replace_certificate_request();

	asked.old_id = acme;
	asked.new_id = personal;
	assert_int_equal(
	    desk_ask(desk, &desk_alice, "Certificates/Replace", &asked, NULL)
		.code,
	    STATUS_OK);
	assert_true(desk_bound(desk, id, personal));
	/* Which would else be replaced again, by a renewal. */
	assert_int_equal(enrollments(desk), 0);
}

static void
https_turned_off_ends_it_and_on_takes_up_what_is_bound(void **state)
{
	struct desk *desk = *state;
	int64_t id = made(desk, "www.example.com", MODE_ACME);
	int64_t acme = enroll_desk_done(desk, change_of(desk, id));
	update_msg asked = about(id);

	assert_int_equal(update(desk, &asked, F(HTTPS)).code, STATUS_OK);
	assert_int_equal(enrollments(desk), 0);
	asked.https = true;
	assert_int_equal(update(desk, &asked, F(HTTPS)).code, STATUS_OK);
	assert_int_equal(enrollments(desk), 1);
	assert_int_equal(change_of(desk, id), 0);
	assert_int_equal(
	    desk_number(desk, "SELECT certificate FROM renewal"
			      " WHERE purpose = 0 AND renew_s > 0"),
	    acme);
}

static void
a_shared_certificate_that_comes_ends_it(void **state)
{
	struct desk *desk = *state;
	int64_t id = made(desk, "", MODE_AUTOMATIC);
	int64_t change = change_of(desk, id), shared;
	struct api_call call = { .caller = &desk_operator };
	struct db_tx *tx;

	shared = desk_certificate(
	    desk, (struct desk_certificate){
		      .kind = KIND_SHARED, .hostnames = "*." DESK_ZONE });
	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    store_commit(desk->store, tx, shared_apply_all(tx, &call, shared))
		.code,
	    STATUS_OK);
	assert_true(desk_bound(desk, id, shared));
	assert_int_equal(enrollments(desk), 0);
	assert_int_equal(
	    enroll_desk_change(desk, change).input, CHANGE_INPUT_CANCEL);
}

static void
follow_ending(struct desk *desk, size_t expected)
{
	size_t n = 99;
	struct db_tx *tx;

	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    store_commit(desk->store, tx,
		shared_follow_ending(tx, enroll_desk_enrollments(), 10, &n))
		.code,
	    STATUS_OK);
	assert_int_equal(n, expected);
}

static void
shorten(struct desk *desk, int64_t certificate, int days)
{
	struct db_tx *tx;

	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    store_commit(desk->store, tx,
		db_run(tx, NULL,
		    "UPDATE certificate SET not_after_s = not_after_s - ?2"
		    " WHERE id = ?1",
		    DB_VALUES(db_int(certificate), db_int(days * 86400))))
		.code,
	    STATUS_OK);
}

/* Of 90 days so many are left. */
static int64_t
shared_for(struct desk *desk, int days)
{
	return desk_certificate(
	    desk, (struct desk_certificate){ .kind = KIND_SHARED,
		      .hostnames = "*." DESK_ZONE,
		      .from_days = days - 90,
		      .to_days = days });
}

static void
a_shared_certificate_that_is_ending_has_one_obtained(void **state)
{
	struct desk *desk = *state;
	int64_t shared = shared_for(desk, 8), id, change;

	id = made(desk, "", MODE_AUTOMATIC);
	desk_resource(desk, desk->acme, "p", "p." DESK_ZONE, MODE_SHARED);
	assert_true(desk_bound(desk, id, shared));
	assert_int_equal(enrollments(desk), 0);
	follow_ending(desk, 0);
	shorten(desk, shared, 2);
	follow_ending(desk, 1);
	assert_int_equal(enrollments(desk), 1);
	change = change_of(desk, id);
	assert_string_equal(
	    enroll_desk_change(desk, change).created_by, "certd");
	assert_false(is_by_operator(desk));
	/* It serves until the other one is there; and once is enough. */
	assert_true(desk_bound(desk, id, shared));
	follow_ending(desk, 0);
	assert_false(desk_bound(desk, id, enroll_desk_done(desk, change)) &&
		     desk_bound(desk, id, shared));
}

static void
another_shared_certificate_takes_the_place_of_one_that_is_ending(void **state)
{
	struct desk *desk = *state;
	int64_t old = shared_for(desk, 8), new, id;

	id = made(desk, "", MODE_AUTOMATIC);
	assert_true(desk_bound(desk, id, old));
	new = shared_for(desk, 80);
	follow_ending(desk, 0);
	assert_true(desk_bound(desk, id, old));
	shorten(desk, old, 2);
	follow_ending(desk, 1);
	assert_true(desk_bound(desk, id, new));
	assert_false(desk_bound(desk, id, old));
	assert_int_equal(enrollments(desk), 0);
	follow_ending(desk, 0);
}

static struct status
upload_acme(struct desk *desk, int64_t resource, const char *hostname)
{
	long today = (time(NULL) - MAKER_NOW_S) / MAKER_DAY_S;
	char san[64];
	struct made *ca = made_new(&(struct maker){ .cn = "root",
	    .is_ca = true,
	    .from_day = today - 2,
	    .to_day = today + 99 });
	struct made *leaf;
	Holdfast__Certd__V1__UploadCertificateRequest asked =
	    desk_upload_certificate_request();
	Holdfast__Certd__V1__CertificateParts parts = desk_certificate_parts();
	struct status st;

	snprintf(san, sizeof(san), "DNS:%s", hostname);
	leaf = made_new(&(struct maker){ .cn = hostname,
	    .issuer = ca,
	    .san = san,
	    .from_day = today - 1,
	    .to_day = today + 60 });
	parts.certificate = leaf->pem;
	asked.parts = &parts;
	asked.private_key = leaf->key_pem;
	asked.resource = resource;
	asked.kind =
	    HOLDFAST__CERTD__V1__CERTIFICATE_KIND__CERTIFICATE_KIND_ACME;
	st = desk_ask(desk, &desk_alice, "Certificates/Upload", &asked, NULL);
	made_free(leaf);
	made_free(ca);
	return st;
}

static void
an_acme_certificate_that_is_uploaded_is_renewed_from_then_on(void **state)
{
	struct desk *desk = *state;
	int64_t id = desk_resource(
	    desk, desk->acme, "shop", "www.example.com", MODE_PERSONAL);

	if (failed(upload_acme(desk, id, "www.example.com")))
		fail_msg("%s", desk->call.why);
	assert_int_equal(enrollments(desk), 1);
	assert_int_equal(change_of(desk, id), 0);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM renewal"
			      " WHERE purpose = 0 AND certificate = 1"
			      " AND due_s > 0"),
	    1);
	/* Not in between. */
	assert_int_equal(
	    set_names(desk, id, "www.example.com", "b.example.com").code,
	    STATUS_OK);
	refused(desk, upload_acme(desk, id, "*.example.com"),
	    STATUS_FAILED_PRECONDITION, "a certificate is being obtained");
}

/* ---- what is shown ---- */

static void
a_failure_is_shown_and_the_resource_keeps_its_enrollment(void **state)
{
	struct desk *desk = *state;
	int64_t id = made(desk, "www.example.com", MODE_ACME);
	resource_msg *resource;
	struct db_tx *tx;

	enroll_desk_put(
	    desk, change_of(desk, id), CHANGE_FAILED, "DNS: NXDOMAIN", 0);
	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(store_commit(desk->store, tx,
			     db_run(tx, NULL,
				 "UPDATE enrollment SET state = 3,"
				 " problem = 'DNS: NXDOMAIN'",
				 DB_NONE))
			     .code,
	    STATUS_OK);
	resource = get(desk, id);
	assert_string_equal(resource->acme_problem, "DNS: NXDOMAIN");
	message_free(&resource->base);
	assert_true(
	    warns(desk, id, "no certificate could be obtained: DNS: NXDOMAIN"));
	/* A host name that is changed is tried at once. */
	assert_int_equal(
	    set_names(desk, id, "shop.example.com", "").code, STATUS_OK);
	assert_true(warns(desk, id, "a certificate is being obtained"));
}

static void
a_resources_enrollment_is_not_changed_behind_its_back(void **state)
{
	struct desk *desk = *state;
	char *hostnames[] = { text("x.example.com") };
	Holdfast__Certd__V1__DeleteEnrollmentRequest delete_ =
	    desk_delete_enrollment_request();
	Holdfast__Certd__V1__UpdateEnrollmentRequest asked =
	    desk_update_enrollment_request();
	Holdfast__Certd__V1__UpdateEnrollmentRequest__Field which =
	    HOLDFAST__CERTD__V1__UPDATE_ENROLLMENT_REQUEST__FIELD__FIELD_HOSTNAMES;
	int64_t id = made(desk, "www.example.com", MODE_ACME);
	resource_msg *resource = get(desk, id);

	delete_.id = asked.id = resource->enrollment;
	message_free(&resource->base);
	refused(desk,
	    desk_ask(desk, &desk_alice, "Enrollments/Delete", &delete_, NULL),
	    STATUS_FAILED_PRECONDITION, "change its mode");
	asked.hostnames = hostnames;
	asked.n_hostnames = 1;
	asked.change = &which;
	asked.n_change = 1;
	refused(desk,
	    desk_ask(desk, &desk_alice, "Enrollments/Update", &asked, NULL),
	    STATUS_FAILED_PRECONDITION, "change those");
}

#define T(test)                                                                \
	cmocka_unit_test_setup_teardown(                                       \
	    test, enroll_desk_set_up, enroll_desk_tear_down)
#define NONE(test)                                                             \
	cmocka_unit_test_setup_teardown(                                       \
	    test, enroll_desk_set_up_none, enroll_desk_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_new_resource_gets_a_change_by_itself),
		T(without_host_names_of_its_own_it_gets_one_for_the_target),
		T(shared_cover_plain_http_and_other_modes_get_none),
		T(plain_http_gets_none_until_https_is_turned_on),
		NONE(
		    without_an_authority_nothing_is_begun_and_the_warning_says_so),
		T(a_wildcard_is_validated_by_dns),
		T(names_that_an_operator_gave_a_resource_are_so_until_another_is_added),
		T(an_operators_other_acts_do_not_make_an_accounts_names_his),
		T(a_host_name_that_is_added_reissues_while_the_old_one_serves),
		T(a_host_name_outside_the_zone_leaves_the_shared_one_until_acmes_is_there),
		T(names_changed_while_a_change_is_under_way_are_obtained_next),
		NONE(without_an_authority_names_must_be_covered),
		T(what_would_upset_a_change_is_refused_or_cancels_it),
		T(a_resource_that_is_deleted_cancels_its_change),
		T(a_personal_one_takes_an_acme_ones_place_in_one_act),
		T(https_turned_off_ends_it_and_on_takes_up_what_is_bound),
		T(a_shared_certificate_that_comes_ends_it),
		T(a_shared_certificate_that_is_ending_has_one_obtained),
		T(another_shared_certificate_takes_the_place_of_one_that_is_ending),
		T(an_acme_certificate_that_is_uploaded_is_renewed_from_then_on),
		T(a_failure_is_shown_and_the_resource_keeps_its_enrollment),
		T(a_resources_enrollment_is_not_changed_behind_its_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
