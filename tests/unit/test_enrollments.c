/* SPDX-License-Identifier: Apache-2.0 */

/* The service Enrollments over the real store; the machine is the test. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "certd/revocations.h"
#include "certd/store_contacts.h"
#include "certd/store_resources.h"
#include "proto/message.h"
#include "tests/fake/authorities_fake.h"
#include "tests/unit/enroll_desk.h"

typedef Holdfast__Certd__V1__Enrollment enrollment_msg;
typedef Holdfast__Certd__V1__EnrollmentChange enrollment_change_msg;
typedef Holdfast__Certd__V1__CreateEnrollmentRequest create_msg;
typedef Holdfast__Certd__V1__UpdateEnrollmentRequest update_msg;
typedef Holdfast__Certd__V1__UpdateEnrollmentRequest__Field field;
typedef Holdfast__Certd__V1__RevokeRequest revoke_msg;
typedef Holdfast__Certd__V1__IssueRequest issue_msg;

#define F(name)                                                                \
	HOLDFAST__CERTD__V1__UPDATE_ENROLLMENT_REQUEST__FIELD__FIELD_##name
#define text enroll_desk_text
#define refused enroll_desk_refused

static void
run(struct desk *desk, const char *sql)
{
	struct db_tx *tx;

	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    store_commit(desk->store, tx, db_run(tx, NULL, sql, DB_NONE)).code,
	    STATUS_OK);
}

/* ---- asking ---- */

static create_msg
asking(char **hostname)
{
	create_msg asked = desk_create_enrollment_request();

	asked.hostnames = hostname;
	asked.n_hostnames = 1;
	return asked;
}

static struct status
create(struct desk *desk, struct caller *caller, const create_msg *asked)
{
	return desk_ask(desk, caller, "Enrollments/Create", asked, NULL);
}

static enrollment_msg *
get(struct desk *desk, int64_t id)
{
	Holdfast__Certd__V1__GetEnrollmentRequest asked =
	    desk_get_enrollment_request();
	enrollment_msg *reply = NULL;

	asked.id = id;
	assert_int_equal(
	    desk_ask(desk, &desk_alice, "Enrollments/Get", &asked, &reply).code,
	    STATUS_OK);
	return reply;
}

static struct status
update(struct desk *desk, update_msg *asked, field which,
    enrollment_change_msg **ret_reply)
{
	asked->change = &which;
	asked->n_change = 1;
	return desk_ask(
	    desk, &desk_alice, "Enrollments/Update", asked, ret_reply);
}

/* One that is ACTIVE; gives its id, and its certificate's. */
static int64_t
active(struct desk *desk, const char *hostnames, int64_t *ret_certificate)
{
	enrollment_change_msg *made = enroll_desk_create(desk, hostnames);
	int64_t id = made->enrollment->id;

	*ret_certificate = enroll_desk_done(desk, made->change->id);
	message_free(&made->base);
	return id;
}

static bool
alive(struct desk *desk, int64_t enrollment)
{
	char sql[128];

	snprintf(sql, sizeof(sql),
	    "SELECT count(*) FROM change WHERE ended_s = 0"
	    " AND enrollment = %lld",
	    (long long)enrollment);
	return desk_number(desk, sql) > 0;
}

/* ---- create ---- */

static void
an_enrollment_makes_a_change_that_is_due_now(void **state)
{
	struct desk *desk = *state;
	enrollment_change_msg *made =
	    enroll_desk_create(desk, "WWW.Example.com example.com");
	const enrollment_msg *e = made->enrollment;

	assert_string_equal(e->account, "acme");
	assert_string_equal(e->name, "www.example.com");
	assert_int_equal(e->n_hostnames, 2);
	assert_string_equal(e->hostnames[0], "example.com");
	assert_string_equal(e->network, "standard");
	assert_int_equal(e->algorithm, KEY_ALG_EC_P256);
	assert_int_equal(e->validation, VALIDATION_HTTP_01);
	assert_int_equal(e->state, ENROLLMENT_PENDING);
	assert_int_equal(e->change, made->change->id);
	assert_string_equal(e->etag, "r1");
	assert_int_equal(made->change->state, CHANGE_QUEUED);
	assert_int_equal(made->change->kind, CHANGE_KIND_ISSUE);
	assert_int_equal(made->change->n_history, 1);
	assert_int_equal(made->change->n_allowed_inputs, 1);
	assert_int_equal(made->change->allowed_inputs[0], CHANGE_INPUT_CANCEL);
	assert_string_equal(made->change->created_by, desk_alice.actor);
	message_free(&made->base);
}

static void
wildcards_are_validated_by_dns(void **state)
{
	struct desk *desk = *state;
	char *hostnames[] = { text("*.example.com") };
	create_msg asked = asking(hostnames);
	enrollment_change_msg *made = enroll_desk_create(desk, "*.example.org");

	assert_int_equal(made->enrollment->validation, VALIDATION_DNS_01);
	message_free(&made->base);
	asked.validation =
	    (Holdfast__Certd__V1__ValidationKind)VALIDATION_HTTP_01;
	refused(desk, create(desk, &desk_alice, &asked),
	    STATUS_INVALID_ARGUMENT,
	    "is a wildcard, which CAs validate by DNS");
	asked.validation =
	    (Holdfast__Certd__V1__ValidationKind)VALIDATION_DNS_PERSIST_01;
	refused(desk, create(desk, &desk_alice, &asked),
	    STATUS_PERMISSION_DENIED, "operators alone choose it");
	asked.account = text("acme");
	assert_int_equal(create(desk, &desk_operator, &asked).code, STATUS_OK);
}

/* ---- whose names a DNS provider validates ---- */

static create_msg
asking_provider(char **hostname, const char *provider)
{
	create_msg asked = asking(hostname);

	asked.validation =
	    (Holdfast__Certd__V1__ValidationKind)VALIDATION_DNS_01;
	asked.dns_provider = text(provider);
	asked.name = text(provider);
	return asked;
}

static void
dns_providers_serve_the_accounts_that_they_name(void **state)
{
	struct desk *desk = *state;
	char *hostnames[] = { text("free.example.org") };
	create_msg asked = asking_provider(hostnames, "house");

	refused(desk, create(desk, &desk_alice, &asked),
	    STATUS_PERMISSION_DENIED,
	    "DNS provider house does not serve account acme");
	asked = asking_provider(hostnames, "dns");
	refused(desk, create(desk, &desk_bob, &asked), STATUS_PERMISSION_DENIED,
	    "does not serve account other");
	assert_int_equal(create(desk, &desk_alice, &asked).code, STATUS_OK);
	/* What is delegated is seen when the challenge is prepared. */
	asked = asking_provider(hostnames, "far");
	assert_int_equal(create(desk, &desk_bob, &asked).code, STATUS_OK);
	assert_int_equal(
	    desk_number(desk, "SELECT sum(by_operator) FROM enrollment"), 0);
	asked = asking_provider(hostnames, "house");
	asked.account = text("acme");
	assert_int_equal(create(desk, &desk_operator, &asked).code, STATUS_OK);
	assert_int_equal(
	    desk_number(desk, "SELECT sum(by_operator) FROM enrollment"), 1);
}

static void
names_are_an_operators_until_the_account_adds_one(void **state)
{
	struct desk *desk = *state;
	char *hostnames[] = { text("a.example.org"), text("b.example.org"),
		text("c.example.org") };
	create_msg asked = asking_provider(hostnames, "house");
	update_msg change = desk_update_enrollment_request();

	asked.n_hostnames = 2;
	asked.account = text("acme");
	assert_int_equal(create(desk, &desk_operator, &asked).code, STATUS_OK);
	change.id = 1;
	change.hostnames = hostnames;
	change.n_hostnames = 3;
	refused(desk, update(desk, &change, F(HOSTNAMES), NULL),
	    STATUS_PERMISSION_DENIED,
	    "DNS provider house does not serve account acme");
	/* Fewer are the operator's still; so are others than names. */
	change.n_hostnames = 1;
	assert_int_equal(
	    update(desk, &change, F(HOSTNAMES), NULL).code, STATUS_OK);
	change.name = text("Shop");
	assert_int_equal(update(desk, &change, F(NAME), NULL).code, STATUS_OK);
	assert_int_equal(
	    desk_number(desk, "SELECT by_operator FROM enrollment"), 1);
	change.n_hostnames = 2;
	refused(desk, update(desk, &change, F(HOSTNAMES), NULL),
	    STATUS_PERMISSION_DENIED, "does not serve account acme");
}

static void
an_operator_who_says_how_names_are_validated_gives_them(void **state)
{
	struct desk *desk = *state;
	enrollment_change_msg *made = enroll_desk_create(desk, "a.example.org");
	update_msg change = desk_update_enrollment_request();
	field which = F(STANDBY);

	message_free(&made->base);
	change.id = 1;
	change.validation =
	    (Holdfast__Certd__V1__ValidationKind)VALIDATION_DNS_01;
	change.dns_provider = text("house");
	change.change = &which;
	change.n_change = 1;
	/* What has nothing to do with it gives nothing. */
	assert_int_equal(
	    desk_ask(desk, &desk_operator, "Enrollments/Update", &change, NULL)
		.code,
	    STATUS_OK);
	assert_int_equal(
	    desk_number(desk, "SELECT by_operator FROM enrollment"), 0);
	which = F(VALIDATION);
	assert_int_equal(
	    desk_ask(desk, &desk_operator, "Enrollments/Update", &change, NULL)
		.code,
	    STATUS_OK);
	assert_int_equal(
	    desk_number(desk, "SELECT by_operator FROM enrollment"), 1);
	assert_int_equal(
	    update(desk, &change, F(DNS_PROVIDER), NULL).code, STATUS_OK);
}

static void
what_resources_serve_takes_both_scopes(void **state)
{
	struct desk *desk = *state;
	int64_t certificate, id = active(desk, "www.example.com", &certificate);
	int64_t shop = desk_resource(
	    desk, desk->acme, "shop", "shop.example.com", MODE_AUTOMATIC);
	create_msg asked = desk_create_enrollment_request();
	revoke_msg revoke = desk_revoke_request();
	struct caller narrow = desk_alice;

	narrow.scopes = SCOPE_CERTIFICATES_READ | SCOPE_CERTIFICATES_WRITE;
	asked.resource = shop;
	refused(desk, create(desk, &narrow, &asked), STATUS_PERMISSION_DENIED,
	    "the scopes certificates:write and resources:write");
	revoke.id = id;
	refused(desk,
	    desk_ask(desk, &narrow, "Enrollments/Revoke", &revoke, NULL),
	    STATUS_PERMISSION_DENIED,
	    "the scopes certificates:write and resources:write");
	narrow.scopes |= SCOPE_RESOURCES_WRITE;
	assert_int_equal(create(desk, &narrow, &asked).code, STATUS_OK);
}

/* ---- how much of CAs' patience an account may use ---- */

static void
an_enrollment_is_forced_five_times_a_day(void **state)
{
	struct desk *desk = *state;
	int64_t certificate, id = active(desk, "www.example.com", &certificate);
	issue_msg asked = desk_issue_request();
	enrollment_change_msg *made = NULL;

	asked.id = id;
	asked.force = true;
	/* The first one was asked for, too. */
	for (int i = 1; i < 5; i++) {
		assert_int_equal(desk_ask(desk, &desk_alice,
				     "Enrollments/Issue", &asked, &made)
				     .code,
		    STATUS_OK);
		enroll_desk_done(desk, made->change->id);
		message_free(&made->base);
	}
	refused(desk,
	    desk_ask(desk, &desk_alice, "Enrollments/Issue", &asked, NULL),
	    STATUS_RESOURCE_EXHAUSTED,
	    "5 certificates of enrollment 1 were asked for in 24 hours");
	assert_int_equal(
	    desk_ask(desk, &desk_operator, "Enrollments/Issue", &asked, NULL)
		.code,
	    STATUS_OK);
}

static void
an_account_asks_for_so_many_certificates_a_day(void **state)
{
	struct desk *desk = *state;
	char *hostnames[] = { text("www.example.com") };
	create_msg asked = asking(hostnames);
	struct db_tx *tx;

	for (int i = 0; i < ENROLL_DESK_ACCOUNT_CHANGES; i++) {
		char name[40];

		snprintf(name, sizeof(name), "h%d.example.com", i);
		message_free(&enroll_desk_create(desk, name)->base);
	}
	refused(desk, create(desk, &desk_alice, &asked),
	    STATUS_RESOURCE_EXHAUSTED,
	    "account acme has asked for 40 certificates in 24 hours");
	assert_int_equal(create(desk, &desk_bob, &asked).code, STATUS_OK);
	asked.account = text("acme");
	assert_int_equal(create(desk, &desk_operator, &asked).code, STATUS_OK);
	/* Yesterday's are not counted. */
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM change"),
	    ENROLL_DESK_ACCOUNT_CHANGES + 2);
	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    store_commit(desk->store, tx,
		db_run(tx, NULL,
		    "UPDATE change SET created_s = created_s - 86401"
		    " WHERE id < 10",
		    DB_NONE))
		.code,
	    STATUS_OK);
	hostnames[0] = text("more.example.com");
	asked.account = text("");
	assert_int_equal(create(desk, &desk_alice, &asked).code, STATUS_OK);
}

static void
what_no_ca_takes_or_certd_does_not_have_is_refused(void **state)
{
	static const struct {
		const char *says;
		int algorithm, validation;
		const char *provider, *authority, *common_name, *network;
	} cases[] = {
		{ "no public CA takes Ed25519", KEY_ALG_ED25519, 0, "", "", "",
		    "" },
		{ "no such algorithm", 99, 0, "", "", "", "" },
		{ "no such kind of validation", 0, 9, "", "", "", "" },
		/* The one that does not serve the account is not told of. */
		{ "dns_provider: there is none named \"fra\"; did you mean "
		  "\"far\"? there are: dns, far",
		    0, VALIDATION_DNS_01, "fra", "", "", "" },
		{ "goes with validation by dns-01", 0, VALIDATION_HTTP_01,
		    "dns", "", "", "" },
		{ "there are: ca, ca2", 0, 0, "", "x", "", "" },
		/* It is for standby certificates alone. */
		{ "there are: ca, ca2", 0, 0, "", "spare", "", "" },
		{ "is none of the host names", 0, 0, "", "",
		    "other.example.com", "" },
		{ "there are: standard, enhanced", 0, 0, "", "", "", "x" },
	};
	struct desk *desk = *state;
	char *hostnames[] = { text("www.example.com") };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		create_msg asked = asking(hostnames);

		asked.algorithm =
		    (Holdfast__Keyd__V1__KeyAlgorithm)cases[i].algorithm;
		asked.validation =
		    (Holdfast__Certd__V1__ValidationKind)cases[i].validation;
		asked.dns_provider = text(cases[i].provider);
		asked.authority = text(cases[i].authority);
		asked.common_name = text(cases[i].common_name);
		asked.network = text(cases[i].network);
		refused(desk, create(desk, &desk_alice, &asked),
		    STATUS_INVALID_ARGUMENT, cases[i].says);
	}
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM enrollment"), 0);
}

static void
host_names_are_1_to_100_well_formed_and_none_twice(void **state)
{
	struct desk *desk = *state;
	create_msg asked = desk_create_enrollment_request();
	char *hostnames[101];

	refused(desk, create(desk, &desk_alice, &asked),
	    STATUS_INVALID_ARGUMENT, "name 1 to 100 host names");
	for (int i = 0; i < 101; i++) {
		char name[40];

		snprintf(name, sizeof(name), "h%d.example.com", i);
		hostnames[i] = text(name);
	}
	asked.hostnames = hostnames;
	asked.n_hostnames = 101;
	refused(desk, create(desk, &desk_alice, &asked),
	    STATUS_INVALID_ARGUMENT, "there are 101");
	asked.n_hostnames = 100;
	hostnames[99] = text("H0.example.com");
	refused(desk, create(desk, &desk_alice, &asked),
	    STATUS_INVALID_ARGUMENT, "h0.example.com is named twice");
	hostnames[99] = text("a_b.example.com");
	refused(desk, create(desk, &desk_alice, &asked),
	    STATUS_INVALID_ARGUMENT, "a_b.example.com");
	hostnames[99] = text("h99.example.com");
	assert_int_equal(create(desk, &desk_alice, &asked).code, STATUS_OK);
}

static void
names_that_another_account_serves_are_not_given_out(void **state)
{
	struct desk *desk = *state;
	char *hostnames[] = { text("bobs.example.com") };
	create_msg asked = asking(hostnames);

	desk_resource(
	    desk, desk->other, "bob", "bobs.example.com", MODE_AUTOMATIC);
	desk_resource(
	    desk, desk->other, "wild", "*.bob.example", MODE_AUTOMATIC);
	refused(desk, create(desk, &desk_alice, &asked), STATUS_ALREADY_EXISTS,
	    "is served by another resource");
	hostnames[0] = text("shop.bob.example");
	refused(desk, create(desk, &desk_alice, &asked), STATUS_ALREADY_EXISTS,
	    "is served by another resource");
	hostnames[0] = text("*.bob.example");
	refused(desk, create(desk, &desk_alice, &asked), STATUS_ALREADY_EXISTS,
	    "is served by another resource");
	hostnames[0] = text("mine." DESK_ZONE);
	refused(desk, create(desk, &desk_alice, &asked),
	    STATUS_PERMISSION_DENIED, "is in the operator's zone");
	/* Its own are. */
	hostnames[0] = text("bobs.example.com");
	assert_int_equal(create(desk, &desk_bob, &asked).code, STATUS_OK);
	hostnames[0] = text("mine." DESK_ZONE);
	asked.account = text("acme");
	assert_int_equal(create(desk, &desk_operator, &asked).code, STATUS_OK);
}

static void
contacts_are_the_accounts_own(void **state)
{
	struct desk *desk = *state;
	char *hostnames[] = { text("www.example.com") };
	create_msg asked = asking(hostnames);
	struct store_contact contact = { .account = desk->other,
		.kind = 1,
		.name = "Bob",
		.email = "bob@example.com" };
	int64_t of_bob = 0, of_alice = 0;
	enrollment_change_msg *made = NULL;
	struct db_tx *tx;

	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    store_contacts_add(tx, &contact, &of_bob).code, STATUS_OK);
	contact.account = desk->acme;
	assert_int_equal(
	    store_contacts_add(tx, &contact, &of_alice).code, STATUS_OK);
	assert_int_equal(
	    store_commit(desk->store, tx, status_ok()).code, STATUS_OK);
	asked.contacts = &of_bob;
	asked.n_contacts = 1;
	refused(desk, create(desk, &desk_alice, &asked),
	    STATUS_INVALID_ARGUMENT, "account acme has no contact");
	asked.contacts = &of_alice;
	assert_int_equal(
	    desk_ask(desk, &desk_alice, "Enrollments/Create", &asked, &made)
		.code,
	    STATUS_OK);
	assert_int_equal(made->enrollment->contacts[0], of_alice);
	message_free(&made->base);
}

static void
a_name_is_the_accounts_only_one(void **state)
{
	struct desk *desk = *state;
	char *hostnames[] = { text("www.example.com") };
	create_msg asked = asking(hostnames);

	asked.name = text("Shop");
	assert_int_equal(create(desk, &desk_alice, &asked).code, STATUS_OK);
	refused(desk, create(desk, &desk_alice, &asked), STATUS_ALREADY_EXISTS,
	    "has an enrollment of that name");
	assert_int_equal(create(desk, &desk_bob, &asked).code, STATUS_OK);
}

static void
without_an_authority_none_is_made(void **state)
{
	struct desk *desk = *state;
	char *hostnames[] = { text("www.example.com") };
	create_msg asked = asking(hostnames);

	refused(desk, create(desk, &desk_alice, &asked),
	    STATUS_FAILED_PRECONDITION, "acme.authorities");
}

static void
a_standby_is_begun_by_the_machine(void **state)
{
	struct desk *desk = *state;
	char *hostnames[] = { text("www.example.com") };
	create_msg asked = asking(hostnames);
	update_msg change = desk_update_enrollment_request();

	asked.standby = true;
	assert_int_equal(create(desk, &desk_alice, &asked).code, STATUS_OK);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM renewal"
					   " WHERE purpose = 1 AND due_s > 0"),
	    1);
	change.id = 1;
	assert_int_equal(
	    update(desk, &change, F(STANDBY), NULL).code, STATUS_OK);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM renewal"
					   " WHERE purpose = 1 AND due_s > 0"),
	    0);
}

static void
a_standby_that_is_wanted_no_more_leaves_with_its_change(void **state)
{
	struct desk *desk = *state;
	int64_t certificate = 0,
		id = active(desk, "www.example.com", &certificate);
	struct change_row row = { .enrollment = id, .purpose = 1 };
	update_msg change = desk_update_enrollment_request();
	int64_t other = 0;
	struct db_tx *tx;

	run(desk, "UPDATE enrollment SET standby = 1");
	run(desk, "UPDATE renewal SET certificate = (SELECT max(id) FROM"
		  " certificate), renew_s = 5, due_s = 5 WHERE purpose = 1");
	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	row.account = desk->acme;
	assert_int_equal(store_commit(desk->store, tx,
			     store_changes_insert(tx, &row, &other))
			     .code,
	    STATUS_OK);
	change.id = id;
	assert_int_equal(
	    update(desk, &change, F(STANDBY), NULL).code, STATUS_OK);
	assert_int_equal(
	    enroll_desk_change(desk, row.id).input, CHANGE_INPUT_CANCEL);
	assert_int_equal(
	    desk_number(desk, "SELECT certificate FROM leaving"), certificate);
}

static void
for_a_resource_it_has_the_resources_names_and_mode(void **state)
{
	struct desk *desk = *state;
	int64_t resource = desk_resource(
	    desk, desk->acme, "shop", "www.example.com", MODE_PERSONAL);
	create_msg asked = desk_create_enrollment_request();
	enrollment_change_msg *made = NULL;
	char *hostnames[] = { text("x.example.com") };

	asked.resource = resource;
	refused(desk, create(desk, &desk_bob, &asked), STATUS_NOT_FOUND,
	    "there is no such resource");
	asked.hostnames = hostnames;
	asked.n_hostnames = 1;
	refused(desk, create(desk, &desk_alice, &asked),
	    STATUS_INVALID_ARGUMENT, "leave them out");
	asked.n_hostnames = 0;
	assert_int_equal(
	    desk_ask(desk, &desk_alice, "Enrollments/Create", &asked, &made)
		.code,
	    STATUS_OK);
	assert_string_equal(made->enrollment->name, "shop");
	assert_string_equal(made->enrollment->hostnames[0], "www.example.com");
	assert_int_equal(made->change->resource, resource);
	message_free(&made->base);
	assert_int_equal(
	    desk_number(desk, "SELECT mode FROM resource"), MODE_ACME);
	refused(desk, create(desk, &desk_alice, &asked), STATUS_ALREADY_EXISTS,
	    "the resource has an enrollment already");
}

/* ---- who sees what ---- */

static void
every_method_hides_another_accounts_enrollment(void **state)
{
	struct desk *desk = *state;
	enrollment_change_msg *made =
	    enroll_desk_create(desk, "www.example.com");
	Holdfast__Certd__V1__GetEnrollmentRequest get_ =
	    desk_get_enrollment_request();
	Holdfast__Certd__V1__DeleteEnrollmentRequest delete_ =
	    desk_delete_enrollment_request();
	Holdfast__Certd__V1__ListEnrollmentsRequest list =
	    desk_list_enrollments_request();
	Holdfast__Certd__V1__ListEnrollmentsResponse *listed = NULL;
	update_msg change = desk_update_enrollment_request();
	issue_msg issue = desk_issue_request();
	revoke_msg revoke = desk_revoke_request();
	field which = F(NAME);
	const struct {
		const char *method;
		const void *request;
	} calls[] = {
		{ "Enrollments/Get", &get_ },
		{ "Enrollments/Delete", &delete_ },
		{ "Enrollments/Update", &change },
		{ "Enrollments/Issue", &issue },
		{ "Enrollments/Revoke", &revoke },
	};

	get_.id = delete_.id = change.id = issue.id = revoke.id =
	    made->enrollment->id;
	change.change = &which;
	change.n_change = 1;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		refused(desk,
		    desk_ask(desk, &desk_bob, calls[i].method, calls[i].request,
			NULL),
		    STATUS_NOT_FOUND, "there is no such enrollment");
		if (i > 0)
			assert_int_equal(
			    desk_ask(desk, &desk_viewer, calls[i].method,
				calls[i].request, NULL)
				.code,
			    STATUS_PERMISSION_DENIED);
	}
	assert_int_equal(
	    desk_ask(desk, &desk_bob, "Enrollments/List", &list, &listed).code,
	    STATUS_OK);
	assert_int_equal(listed->n_enrollments, 0);
	message_free(&listed->base);
	assert_int_equal(
	    desk_ask(desk, &desk_operator, "Enrollments/List", &list, &listed)
		.code,
	    STATUS_OK);
	assert_int_equal(listed->n_enrollments, 1);
	message_free(&listed->base);
	message_free(&made->base);
}

/* ---- update ---- */

static void
other_names_bring_another_certificate_and_other_words_do_not(void **state)
{
	struct desk *desk = *state;
	int64_t certificate = 0,
		id = active(desk, "www.example.com", &certificate);
	update_msg asked = desk_update_enrollment_request();
	char *hostnames[] = { text("www.example.com"), text("a.example.com") };
	enrollment_change_msg *reply = NULL;

	asked.id = id;
	asked.authority = text("ca2");
	assert_int_equal(
	    update(desk, &asked, F(AUTHORITY), &reply).code, STATUS_OK);
	assert_null(reply->change);
	assert_string_equal(reply->enrollment->authority, "ca2");
	message_free(&reply->base);
	asked.hostnames = hostnames;
	asked.n_hostnames = 2;
	asked.etag = text("r1");
	refused(desk, update(desk, &asked, F(HOSTNAMES), NULL), STATUS_ABORTED,
	    "somebody else has changed it");
	asked.etag = text("r2");
	assert_int_equal(
	    update(desk, &asked, F(HOSTNAMES), &reply).code, STATUS_OK);
	assert_int_equal(reply->change->kind, CHANGE_KIND_REISSUE);
	assert_int_equal(reply->change->n_hostnames, 2);
	assert_int_equal(reply->change->replaces, certificate);
	/* The old one is there still. */
	assert_int_equal(reply->enrollment->state, ENROLLMENT_ACTIVE);
	assert_int_equal(reply->enrollment->certificate, certificate);
	message_free(&reply->base);
}

static void
what_is_changed_while_a_change_is_under_way_is_obtained_next(void **state)
{
	struct desk *desk = *state;
	enrollment_change_msg *made =
	    enroll_desk_create(desk, "www.example.com");
	int64_t id = made->enrollment->id, first = made->change->id;
	update_msg asked = desk_update_enrollment_request();
	struct change_row next;
	enrollment_msg *now;

	message_free(&made->base);
	asked.id = id;
	asked.algorithm = (Holdfast__Keyd__V1__KeyAlgorithm)KEY_ALG_RSA_2048;
	assert_int_equal(
	    update(desk, &asked, F(ALGORITHM), NULL).code, STATUS_OK);
	assert_int_equal(
	    enroll_desk_change(desk, first).input, CHANGE_INPUT_CANCEL);
	enroll_desk_put(desk, first, CHANGE_CANCELLED, "", 0);
	now = get(desk, id);
	next = enroll_desk_change(desk, now->change);
	assert_int_not_equal(next.id, first);
	assert_int_equal(next.state, CHANGE_QUEUED);
	message_free(&now->base);
}

static void
fields_of_a_change_must_go_with_those_that_stay(void **state)
{
	struct desk *desk = *state;
	int64_t certificate = 0,
		id = active(desk, "www.example.com", &certificate);
	update_msg asked = desk_update_enrollment_request();
	char *hostnames[] = { text("*.example.com") };

	asked.id = id;
	asked.hostnames = hostnames;
	asked.n_hostnames = 1;
	refused(desk, update(desk, &asked, F(HOSTNAMES), NULL),
	    STATUS_INVALID_ARGUMENT, "is a wildcard");
	asked.dns_provider = text("dns");
	refused(desk, update(desk, &asked, F(DNS_PROVIDER), NULL),
	    STATUS_INVALID_ARGUMENT, "goes with validation by dns-01");
	refused(desk, update(desk, &asked, (field)77, NULL),
	    STATUS_INVALID_ARGUMENT, "a field that there is not");
	assert_false(alive(desk, id));
}

/* ---- issue and delete ---- */

static void
issue_gives_the_change_under_way_and_forces_one_that_is_not_due(void **state)
{
	struct desk *desk = *state;
	enrollment_change_msg *made =
	    enroll_desk_create(desk, "www.example.com");
	enrollment_change_msg *reply = NULL;
	issue_msg asked = desk_issue_request();

	asked.id = made->enrollment->id;
	assert_int_equal(
	    desk_ask(desk, &desk_alice, "Enrollments/Issue", &asked, &reply)
		.code,
	    STATUS_OK);
	assert_int_equal(reply->change->id, made->change->id);
	message_free(&reply->base);
	enroll_desk_done(desk, made->change->id);
	message_free(&made->base);
	refused(desk,
	    desk_ask(desk, &desk_alice, "Enrollments/Issue", &asked, NULL),
	    STATUS_FAILED_PRECONDITION, "is renewed by itself from");
	asked.force = true;
	assert_int_equal(
	    desk_ask(desk, &desk_alice, "Enrollments/Issue", &asked, &reply)
		.code,
	    STATUS_OK);
	assert_int_equal(reply->change->kind, CHANGE_KIND_RENEWAL);
	message_free(&reply->base);
	asked.resource = 7;
	refused(desk,
	    desk_ask(desk, &desk_alice, "Enrollments/Issue", &asked, NULL),
	    STATUS_INVALID_ARGUMENT, "not both");
}

static void
deleting_waits_for_the_change_and_keeps_the_certificate(void **state)
{
	struct desk *desk = *state;
	enrollment_change_msg *made =
	    enroll_desk_create(desk, "www.example.com");
	Holdfast__Certd__V1__DeleteEnrollmentRequest asked =
	    desk_delete_enrollment_request();

	asked.id = made->enrollment->id;
	refused(desk,
	    desk_ask(desk, &desk_alice, "Enrollments/Delete", &asked, NULL),
	    STATUS_FAILED_PRECONDITION, "cancel it first");
	enroll_desk_done(desk, made->change->id);
	message_free(&made->base);
	assert_int_equal(
	    desk_ask(desk, &desk_alice, "Enrollments/Delete", &asked, NULL)
		.code,
	    STATUS_OK);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM enrollment"), 0);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM certificate"), 1);
}

static void
a_certificate_that_is_renewed_is_not_deleted_before_its_enrollment(void **state)
{
	struct desk *desk = *state;
	int64_t certificate = 0,
		id = active(desk, "www.example.com", &certificate);
	Holdfast__Certd__V1__DeleteCertificateRequest asked;
	Holdfast__Certd__V1__DeleteEnrollmentRequest end =
	    desk_delete_enrollment_request();

	holdfast__certd__v1__delete_certificate_request__init(&asked);
	asked.id = certificate;
	refused(desk,
	    desk_ask(desk, &desk_alice, "Certificates/Delete", &asked, NULL),
	    STATUS_FAILED_PRECONDITION, "delete the enrollment first");
	end.id = id;
	assert_int_equal(
	    desk_ask(desk, &desk_alice, "Enrollments/Delete", &end, NULL).code,
	    STATUS_OK);
	assert_int_equal(
	    desk_ask(desk, &desk_alice, "Certificates/Delete", &asked, NULL)
		.code,
	    STATUS_OK);
}

/* ---- revoke ---- */

static enrollment_msg *
revoked(struct desk *desk, const revoke_msg *asked)
{
	enrollment_msg *reply = NULL;
	struct status st =
	    desk_ask(desk, &desk_alice, "Enrollments/Revoke", asked, &reply);

	if (failed(st))
		fail_msg("%s: %s", st.why, desk->call.why);
	return reply;
}

/* How many are due at that time, and one of them. */
static size_t
due(struct desk *desk, int64_t at_s, int64_t *ret_certificate)
{
	int64_t next_s = 0;
	size_t n = 9;
	struct db_tx *tx;

	assert_int_equal(store_read(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    store_revocations_due(tx, at_s, ret_certificate, 1, &n, &next_s)
		.code,
	    STATUS_OK);
	db_end(tx);
	return n;
}

static void
revoking_takes_it_out_of_use_and_asks_the_ca_once(void **state)
{
	struct desk *desk = *state;
	int64_t certificate = 0,
		id = active(desk, "www.example.com", &certificate);
	int64_t resource = desk_resource(
	    desk, desk->acme, "shop", "www.example.com", MODE_PERSONAL);
	revoke_msg asked = desk_revoke_request();
	unsigned char leaf[8];
	enrollment_msg *reply;

	assert_int_equal(
	    desk_bind_one(desk, &desk_alice, resource, certificate).code,
	    STATUS_OK);
	asked.id = id;
	asked.reason =
	    HOLDFAST__CERTD__V1__REVOCATION_REASON__REVOCATION_REASON_KEY_COMPROMISE;
	reply = revoked(desk, &asked);
	assert_int_equal(reply->state, ENROLLMENT_REVOKED);
	assert_string_equal(reply->problem, "");
	assert_int_equal(reply->next_at_s, 0);
	message_free(&reply->base);
	assert_false(desk_bound(desk, resource, certificate));
	assert_int_equal(authorities_fake_revoked(), 1);
	assert_int_equal(authorities_fake_reason(), 1);
	assert_string_equal(authorities_fake_name(), "ca");
	assert_int_equal(authorities_fake_leaf(leaf, sizeof(leaf)), 3);
	assert_memory_equal(leaf, "DER", 3);
	message_free(&revoked(desk, &asked)->base);
	assert_int_equal(authorities_fake_revoked(), 1);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM renewal WHERE due_s > 0"),
	    0);
}

static void
a_ca_that_is_away_is_asked_again_and_it_is_out_of_use_all_the_same(void **state)
{
	struct desk *desk = *state;
	int64_t certificate = 0;
	revoke_msg asked = desk_revoke_request();
	char why[PROBLEM_MAX];
	enrollment_msg *reply;

	asked.id = active(desk, "www.example.com", &certificate);
	authorities_fake_fail("connection refused");
	reply = revoked(desk, &asked);
	assert_int_equal(reply->state, ENROLLMENT_REVOKED);
	assert_non_null(strstr(reply->problem, "connection refused"));
	message_free(&reply->base);
	assert_int_equal(
	    desk_number(desk, "SELECT attempts FROM revocation"), 1);
	authorities_fake_fail(NULL);
	assert_int_equal(due(desk, store_now_s(), &certificate), 0);
	assert_int_equal(due(desk, store_now_s() + 90, &certificate), 1);
	assert_int_equal(
	    revocations_ask(desk->store, NULL, certificate, why).code,
	    STATUS_OK);
	assert_int_equal(authorities_fake_revoked(), 1);
	assert_int_equal(due(desk, INT64_MAX, &certificate), 0);
	reply = get(desk, asked.id);
	assert_string_equal(reply->problem, "");
	message_free(&reply->base);
}

static void
a_ca_that_is_paused_is_not_asked(void **state)
{
	struct desk *desk = *state;
	int64_t certificate = 0;
	revoke_msg asked = desk_revoke_request();
	enrollment_msg *reply;

	asked.id = active(desk, "www.example.com", &certificate);
	authorities_fake_pause(5000);
	reply = revoked(desk, &asked);
	assert_non_null(strstr(reply->problem, "not to be asked"));
	message_free(&reply->base);
	assert_int_equal(authorities_fake_revoked(), 0);
}

static void
with_replace_the_old_one_is_revoked_when_another_is_in_place(void **state)
{
	struct desk *desk = *state;
	int64_t certificate = 0, found = 0;
	revoke_msg asked = desk_revoke_request();
	enrollment_msg *reply;

	asked.id = active(desk, "www.example.com", &certificate);
	asked.replace = true;
	reply = revoked(desk, &asked);
	assert_int_equal(reply->state, ENROLLMENT_ACTIVE);
	assert_int_equal(authorities_fake_revoked(), 0);
	assert_int_equal(enroll_desk_change(desk, reply->change).kind,
	    CHANGE_KIND_REPLACEMENT);
	assert_int_equal(due(desk, INT64_MAX, &found), 0);
	enroll_desk_done(desk, reply->change);
	message_free(&reply->base);
	assert_int_equal(due(desk, store_now_s(), &found), 1);
	assert_int_equal(found, certificate);
}

static void
a_change_that_puts_the_one_to_be_revoked_in_place_is_followed(void **state)
{
	struct desk *desk = *state;
	int64_t certificate = 0, found = 0, change;
	revoke_msg asked = desk_revoke_request();
	issue_msg issue = desk_issue_request();
	enrollment_change_msg *issued = NULL;
	enrollment_msg *reply;
	struct change_row next;
	char sql[120];

	asked.id = issue.id = active(desk, "www.example.com", &certificate);
	issue.force = true;
	assert_int_equal(
	    desk_ask(desk, &desk_alice, "Enrollments/Issue", &issue, &issued)
		.code,
	    STATUS_OK);
	change = issued->change->id;
	message_free(&issued->base);
	/* Its certificate is there, and edges are waited for. */
	snprintf(sql, sizeof(sql),
	    "UPDATE change SET state = 10, certificate = %lld WHERE id = %lld",
	    (long long)certificate, (long long)change);
	run(desk, sql);
	asked.replace = true;
	reply = revoked(desk, &asked);
	message_free(&reply->base);
	enroll_desk_put(desk, change, CHANGE_DONE, "", 0);
	assert_int_equal(due(desk, INT64_MAX, &found), 0);
	next = enroll_desk_change(desk, change + 1);
	assert_int_equal(next.state, CHANGE_QUEUED);
	enroll_desk_done(desk, next.id);
	assert_int_equal(due(desk, store_now_s(), &found), 1);
	assert_int_equal(found, certificate);
}

static void
a_revocation_is_not_lost_with_the_enrollment_that_was_to_replace(void **state)
{
	struct desk *desk = *state;
	int64_t certificate = 0, found = 0;
	revoke_msg asked = desk_revoke_request();
	Holdfast__Certd__V1__DeleteEnrollmentRequest delete_ =
	    desk_delete_enrollment_request();
	enrollment_msg *reply;

	asked.id = delete_.id = active(desk, "www.example.com", &certificate);
	asked.replace = true;
	reply = revoked(desk, &asked);
	enroll_desk_put(desk, reply->change, CHANGE_FAILED, "why", 0);
	message_free(&reply->base);
	assert_int_equal(due(desk, INT64_MAX, &found), 0);
	assert_int_equal(
	    desk_ask(desk, &desk_alice, "Enrollments/Delete", &delete_, NULL)
		.code,
	    STATUS_OK);
	assert_int_equal(due(desk, store_now_s(), &found), 1);
	assert_int_equal(found, certificate);
}

static void
what_cannot_be_revoked_says_why(void **state)
{
	struct desk *desk = *state;
	enrollment_change_msg *made =
	    enroll_desk_create(desk, "www.example.com");
	revoke_msg asked = desk_revoke_request();
	struct db_tx *tx;

	asked.id = made->enrollment->id;
	refused(desk,
	    desk_ask(desk, &desk_alice, "Enrollments/Revoke", &asked, NULL),
	    STATUS_FAILED_PRECONDITION, "has no certificate yet");
	asked.reason = (Holdfast__Certd__V1__RevocationReason)2;
	refused(desk,
	    desk_ask(desk, &desk_alice, "Enrollments/Revoke", &asked, NULL),
	    STATUS_INVALID_ARGUMENT, "a subscriber may give");
	asked.reason = 0;
	enroll_desk_done(desk, made->change->id);
	message_free(&made->base);
	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    store_commit(desk->store, tx,
		db_run(tx, NULL, "UPDATE renewal SET authority = ''", DB_NONE))
		.code,
	    STATUS_OK);
	refused(desk,
	    desk_ask(desk, &desk_alice, "Enrollments/Revoke", &asked, NULL),
	    STATUS_FAILED_PRECONDITION, "was not obtained by certd");
}

static void
while_a_change_is_under_way_it_is_cancelled_first_or_replaces(void **state)
{
	struct desk *desk = *state;
	int64_t certificate = 0;
	issue_msg issue = desk_issue_request();
	revoke_msg asked = desk_revoke_request();

	asked.id = issue.id = active(desk, "www.example.com", &certificate);
	issue.force = true;
	assert_int_equal(
	    desk_ask(desk, &desk_alice, "Enrollments/Issue", &issue, NULL).code,
	    STATUS_OK);
	refused(desk,
	    desk_ask(desk, &desk_alice, "Enrollments/Revoke", &asked, NULL),
	    STATUS_FAILED_PRECONDITION, "cancel it first, or say replace");
	asked.replace = true;
	message_free(&revoked(desk, &asked)->base);
}

#define T(test)                                                                \
	cmocka_unit_test_setup_teardown(                                       \
	    test, enroll_desk_set_up, enroll_desk_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_enrollment_makes_a_change_that_is_due_now),
		T(wildcards_are_validated_by_dns),
		T(dns_providers_serve_the_accounts_that_they_name),
		T(names_are_an_operators_until_the_account_adds_one),
		T(an_operator_who_says_how_names_are_validated_gives_them),
		T(what_resources_serve_takes_both_scopes),
		T(an_enrollment_is_forced_five_times_a_day),
		T(an_account_asks_for_so_many_certificates_a_day),
		T(what_no_ca_takes_or_certd_does_not_have_is_refused),
		T(host_names_are_1_to_100_well_formed_and_none_twice),
		T(names_that_another_account_serves_are_not_given_out),
		T(contacts_are_the_accounts_own),
		T(a_name_is_the_accounts_only_one),
		cmocka_unit_test_setup_teardown(
		    without_an_authority_none_is_made, enroll_desk_set_up_none,
		    enroll_desk_tear_down),
		T(a_standby_is_begun_by_the_machine),
		T(a_standby_that_is_wanted_no_more_leaves_with_its_change),
		T(for_a_resource_it_has_the_resources_names_and_mode),
		T(every_method_hides_another_accounts_enrollment),
		T(other_names_bring_another_certificate_and_other_words_do_not),
		T(what_is_changed_while_a_change_is_under_way_is_obtained_next),
		T(fields_of_a_change_must_go_with_those_that_stay),
		T(issue_gives_the_change_under_way_and_forces_one_that_is_not_due),
		T(deleting_waits_for_the_change_and_keeps_the_certificate),
		T(a_certificate_that_is_renewed_is_not_deleted_before_its_enrollment),
		T(revoking_takes_it_out_of_use_and_asks_the_ca_once),
		T(a_ca_that_is_away_is_asked_again_and_it_is_out_of_use_all_the_same),
		T(a_ca_that_is_paused_is_not_asked),
		T(with_replace_the_old_one_is_revoked_when_another_is_in_place),
		T(a_change_that_puts_the_one_to_be_revoked_in_place_is_followed),
		T(a_revocation_is_not_lost_with_the_enrollment_that_was_to_replace),
		T(what_cannot_be_revoked_says_why),
		T(while_a_change_is_under_way_it_is_cancelled_first_or_replaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
