/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Standby certificates over the real store: where they are ready, and what
 * becomes of them when they are bound, or nobody wants them any more.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "certd/store_bindings.h"
#include "certd/store_certificates.h"
#include "certd/store_resources.h"
#include "certd/store_sites.h"
#include "certd/store_standby.h"
#include "proto/message.h"
#include "tests/unit/enroll_desk.h"

#define OK(call) assert_int_equal((call).code, STATUS_OK)

/* A resource in mode ACME with a certificate in use and a standby one. */
struct pair {
	int64_t resource, enrollment, main, standby;
};

static void
commit(struct desk *desk, struct db_tx *tx, struct status st)
{
	st = store_commit(desk->store, tx, st);
	if (failed(st))
		fail_msg("%s", st.why);
}

/* As the machine does it. */
static struct status
put_standby(struct db_tx *tx, int64_t enrollment, int64_t certificate)
{
	struct renewal_row row;
	int64_t before;
	struct status st =
	    store_renewals_load(tx, enrollment, PURPOSE_STANDBY, &row);

	before = row.certificate;
	row.certificate = certificate;
	row.renew_s = store_now_s() + (int64_t)60 * DAY_S;
	row.not_after_s = store_now_s() + (int64_t)90 * DAY_S;
	snprintf(row.authority, sizeof(row.authority), "spare");
	if (!failed(st))
		st = store_renewals_save(tx, &row);
	return failed(st) ? st : store_standby_changed(tx, enrollment, before);
}

static int64_t
another_standby(struct desk *desk, int64_t enrollment)
{
	int64_t id =
	    desk_certificate(desk, (struct desk_certificate){ .kind = KIND_ACME,
				       .hostnames = "www.example.com" });
	struct db_tx *tx;

	OK(store_write(desk->store, &tx));
	commit(desk, tx, put_standby(tx, enrollment, id));
	return id;
}

static struct pair
make_pair(struct desk *desk)
{
	Holdfast__Certd__V1__CreateEnrollmentRequest asked =
	    desk_create_enrollment_request();
	Holdfast__Certd__V1__EnrollmentChange *made = NULL;
	struct pair pair = { .resource = desk_resource(desk, desk->acme, "shop",
				 "www.example.com", MODE_ACME) };

	asked.resource = pair.resource;
	asked.standby = true;
	OK(desk_ask(desk, &desk_alice, "Enrollments/Create", &asked, &made));
	pair.enrollment = made->enrollment->id;
	pair.main = enroll_desk_done(desk, made->change->id);
	message_free(&made->base);
	pair.standby = another_standby(desk, pair.enrollment);
	return pair;
}

/* Is this group to be granted the certificate's key? */
static bool
is_granted(struct desk *desk, int64_t certificate, const char *group)
{
	char sql[256];

	snprintf(sql, sizeof(sql),
	    "SELECT count(*) FROM grant_ g JOIN certificate c ON c.key = g.key"
	    " WHERE c.id = %lld AND g.edge_group = '%s' AND g.wanted = 1",
	    (long long)certificate, group);
	return desk_number(desk, sql) == 1;
}

/* The ids that edges of a group get of its only site; 0: none.  Gives the
 * site's version. */
static int64_t
read_site(struct desk *desk, const char *group, int64_t *ret_certificate,
    int64_t *ret_standby)
{
	Holdfast__Certd__V1__WatchUpdate update;
	const struct sites_ask ask = {
		.edge_group = group, .horizon = INT64_MAX, .octets_max = 1 << 20
	};
	struct sites_cursor cursor = sites_all();
	const Holdfast__Certd__V1__Site *site;
	bool empty = false;
	int64_t version;
	struct db_tx *tx;

	holdfast__certd__v1__watch_update__init(&update);
	OK(store_read(desk->store, &tx));
	OK(sites_read(tx, &ask, &cursor, &update, &empty));
	db_end(tx);
	assert_int_equal(update.n_sites, 1);
	site = update.sites[0];
	*ret_certificate =
	    site->n_certificates == 0 ? 0 : site->certificates[0]->id;
	*ret_standby = site->standby == NULL ? 0 : site->standby->id;
	version = site->version;
	for (size_t i = 0; i < update.n_sites; i++)
		message_free(&update.sites[i]->base);
	free(update.sites);
	free(update.tag.data);
	return version;
}

static void
site_is(struct desk *desk, int64_t certificate, int64_t standby)
{
	int64_t served, ready;

	read_site(desk, "web", &served, &ready);
	assert_int_equal(served, certificate);
	assert_int_equal(ready, standby);
}

static struct renewal_row
renewal(struct desk *desk, int64_t enrollment, int purpose)
{
	struct renewal_row row;
	struct db_tx *tx;

	OK(store_read(desk->store, &tx));
	OK(store_renewals_load(tx, enrollment, purpose, &row));
	db_end(tx);
	return row;
}

static struct status
bind(struct desk *desk, int64_t resource, int64_t certificate)
{
	Holdfast__Certd__V1__BindRequest asked = desk_bind_request();
	int64_t ids[] = { certificate };

	asked.id = resource;
	asked.certificates = ids;
	asked.n_certificates = 1;
	return desk_ask(desk, &desk_alice, "Resources/Bind", &asked, NULL);
}

/* ---- ready ---- */

static void
edges_have_the_standby_certificate_and_may_sign_with_its_key(void **state)
{
	struct desk *desk = *state;
	struct pair pair = make_pair(desk);
	int64_t served, ready, version, next;

	site_is(desk, pair.main, pair.standby);
	assert_true(is_granted(desk, pair.standby, "web"));
	assert_false(is_granted(desk, pair.standby, "api"));
	assert_false(desk_bound(desk, pair.resource, pair.standby));
	/* Another one in its place comes to edges by itself. */
	version = read_site(desk, "web", &served, &ready);
	next = another_standby(desk, pair.enrollment);
	assert_true(read_site(desk, "web", &served, &ready) > version);
	site_is(desk, pair.main, next);
	assert_true(is_granted(desk, next, "web"));
	assert_false(is_granted(desk, pair.standby, "web"));
}

static void
a_standby_certificate_is_where_its_resource_is_served(void **state)
{
	struct desk *desk = *state;
	struct pair pair = make_pair(desk);
	struct api_call call = { .caller = &desk_operator };
	struct resource_row row;
	int64_t served, ready;
	struct db_tx *tx;

	/* Elsewhere. */
	OK(store_write(desk->store, &tx));
	OK(store_resources_load(tx, pair.resource, &row));
	snprintf(row.edge_group, sizeof(row.edge_group), "api");
	OK(bindings_moved(tx, &row, "web"));
	commit(desk, tx, store_resources_save(tx, &call, &row));
	read_site(desk, "api", &served, &ready);
	assert_int_equal(ready, pair.standby);
	assert_true(is_granted(desk, pair.standby, "api"));
	assert_false(is_granted(desk, pair.standby, "web"));
	/* By plain HTTP alone. */
	OK(store_write(desk->store, &tx));
	OK(store_resources_load(tx, pair.resource, &row));
	row.https = false;
	OK(bindings_moved(tx, &row, row.edge_group));
	commit(desk, tx, store_resources_save(tx, &call, &row));
	read_site(desk, "api", &served, &ready);
	assert_int_equal(served, 0);
	assert_int_equal(ready, 0);
	assert_false(is_granted(desk, pair.standby, "api"));
	/* And again by TLS. */
	OK(bind(desk, pair.resource, pair.main));
	read_site(desk, "api", &served, &ready);
	assert_int_equal(ready, pair.standby);
	assert_true(is_granted(desk, pair.standby, "api"));
}

/* ---- taking over ---- */

static void
binding_the_standby_certificate_has_the_two_change_places(void **state)
{
	struct desk *desk = *state;
	struct pair pair = make_pair(desk);
	struct renewal_row row;

	OK(bind(desk, pair.resource, pair.standby));
	site_is(desk, pair.standby, pair.main);
	row = renewal(desk, pair.enrollment, PURPOSE_MAIN);
	assert_int_equal(row.certificate, pair.standby);
	assert_string_equal(row.authority, "spare");
	row = renewal(desk, pair.enrollment, PURPOSE_STANDBY);
	assert_int_equal(row.certificate, pair.main);
	assert_string_equal(row.authority, "ca");
	assert_true(is_granted(desk, pair.main, "web"));
	assert_true(is_granted(desk, pair.standby, "web"));
	assert_int_equal(
	    desk_number(desk, "SELECT mode FROM resource WHERE name = 'shop'"),
	    MODE_ACME);
	/* Nothing is obtained for it, and the enrollment is there. */
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM change WHERE ended_s = 0"),
	    0);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM event"
					   " WHERE act = 'standby took over'"),
	    1);
	/* And back. */
	OK(bind(desk, pair.resource, pair.main));
	site_is(desk, pair.main, pair.standby);
	row = renewal(desk, pair.enrollment, PURPOSE_MAIN);
	assert_int_equal(row.certificate, pair.main);
}

static void
replacing_by_the_standby_certificate_is_the_same(void **state)
{
	struct desk *desk = *state;
	struct pair pair = make_pair(desk);
	Holdfast__Certd__V1__ReplaceCertificateRequest asked =
	    desk_replace_certificate_request();

	asked.old_id = pair.main;
	asked.new_id = pair.standby;
	OK(desk_ask(desk, &desk_alice, "Certificates/Replace", &asked, NULL));
	site_is(desk, pair.standby, pair.main);
	assert_int_equal(
	    renewal(desk, pair.enrollment, PURPOSE_MAIN).certificate,
	    pair.standby);
}

static void
binding_it_gives_up_what_is_being_obtained(void **state)
{
	struct desk *desk = *state;
	struct pair pair = make_pair(desk);
	Holdfast__Certd__V1__IssueRequest asked = desk_issue_request();
	int64_t change;

	asked.resource = pair.resource;
	asked.force = true;
	OK(desk_ask(desk, &desk_alice, "Enrollments/Issue", &asked, NULL));
	change = desk_number(desk, "SELECT id FROM change WHERE ended_s = 0");
	enroll_desk_put(desk, change, CHANGE_ORDERING, "the CA is away", 60);
	OK(bind(desk, pair.resource, pair.standby));
	assert_int_equal(
	    enroll_desk_change(desk, change).input, CHANGE_INPUT_CANCEL);
	site_is(desk, pair.standby, pair.main);
}

static void
a_standby_certificate_is_bound_to_no_other_resource(void **state)
{
	struct desk *desk = *state;
	struct pair pair = make_pair(desk);
	int64_t other = desk_resource(
	    desk, desk->acme, "other", "*.example.com", MODE_PERSONAL);

	enroll_desk_refused(desk, bind(desk, other, pair.standby),
	    STATUS_FAILED_PRECONDITION, "resource");
	assert_int_equal(
	    renewal(desk, pair.enrollment, PURPOSE_STANDBY).certificate,
	    pair.standby);
}

/* ---- leaving ---- */

static void
without_standby_files_and_grant_go_and_the_certificate_leaves(void **state)
{
	struct desk *desk = *state;
	struct pair pair = make_pair(desk);
	Holdfast__Certd__V1__UpdateEnrollmentRequest asked =
	    desk_update_enrollment_request();
	Holdfast__Certd__V1__UpdateEnrollmentRequest__Field change[] = {
		HOLDFAST__CERTD__V1__UPDATE_ENROLLMENT_REQUEST__FIELD__FIELD_STANDBY
	};
	int64_t served, ready,
	    version = read_site(desk, "web", &served, &ready);

	asked.id = pair.enrollment;
	asked.change = change;
	asked.n_change = 1;
	OK(desk_ask(desk, &desk_alice, "Enrollments/Update", &asked, NULL));
	assert_true(read_site(desk, "web", &served, &ready) > version);
	site_is(desk, pair.main, 0);
	assert_false(is_granted(desk, pair.standby, "web"));
	assert_int_equal(
	    desk_number(desk, "SELECT certificate FROM leaving"), pair.standby);
	assert_int_equal(
	    renewal(desk, pair.enrollment, PURPOSE_STANDBY).certificate, 0);
}

static void
with_its_enrollment_a_standby_certificate_goes_too(void **state)
{
	struct desk *desk = *state;
	struct pair pair = make_pair(desk);
	int64_t own = desk_certificate(
	    desk, (struct desk_certificate){ .hostnames = "www.example.com" });

	OK(bind(desk, pair.resource, own));
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM enrollment"), 0);
	site_is(desk, own, 0);
	assert_false(is_granted(desk, pair.standby, "web"));
	assert_int_equal(
	    desk_number(desk, "SELECT certificate FROM leaving"), pair.standby);
}

static void
a_deleted_resource_leaves_no_grant_of_its_standby_certificate(void **state)
{
	struct desk *desk = *state;
	struct pair pair = make_pair(desk);
	Holdfast__Certd__V1__DeleteResourceRequest asked =
	    desk_delete_resource_request();

	asked.id = pair.resource;
	OK(desk_ask(desk, &desk_alice, "Resources/Delete", &asked, NULL));
	assert_false(is_granted(desk, pair.standby, "web"));
	assert_false(is_granted(desk, pair.main, "web"));
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(                                       \
	    name, enroll_desk_set_up, enroll_desk_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(
		    edges_have_the_standby_certificate_and_may_sign_with_its_key),
		TEST(a_standby_certificate_is_where_its_resource_is_served),
		TEST(binding_the_standby_certificate_has_the_two_change_places),
		TEST(replacing_by_the_standby_certificate_is_the_same),
		TEST(binding_it_gives_up_what_is_being_obtained),
		TEST(a_standby_certificate_is_bound_to_no_other_resource),
		TEST(
		    without_standby_files_and_grant_go_and_the_certificate_leaves),
		TEST(with_its_enrollment_a_standby_certificate_goes_too),
		TEST(
		    a_deleted_resource_leaves_no_grant_of_its_standby_certificate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
