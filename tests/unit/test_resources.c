/* SPDX-License-Identifier: Apache-2.0 */

/* The service Resources over the real store, and keyd in memory. */

#include <openssl/pem.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "certd/store_resources.h"
#include "proto/message.h"
#include "tests/fake/custody_fake.h"
#include "tests/unit/cert_maker.h"
#include "tests/unit/resources_desk.h"

typedef Holdfast__Certd__V1__Resource resource_msg;
typedef Holdfast__Certd__V1__CreateResourceRequest create_msg;
typedef Holdfast__Certd__V1__CreateResourceResponse created_msg;
typedef Holdfast__Certd__V1__UpdateResourceRequest update_msg;
typedef Holdfast__Certd__V1__BindRequest bind_msg;
typedef Holdfast__Certd__V1__UnbindRequest unbind_msg;
typedef Holdfast__Certd__V1__GetResourceRequest get_msg;
typedef Holdfast__Certd__V1__DeleteResourceRequest delete_msg;
typedef Holdfast__Certd__V1__UpdateResourceRequest__Field field;
typedef Holdfast__Certd__V1__ResourceMode mode;

#define F(name)                                                                \
	HOLDFAST__CERTD__V1__UPDATE_RESOURCE_REQUEST__FIELD__FIELD_##name

/* ---- asking ---- */

/* A literal where protobuf-c wants memory that it might change. */
static char *
text(const char *literal)
{
	static char kept[64][512];
	static size_t next;
	char *at = kept[next++ % 64];

	snprintf(at, 512, "%s", literal);
	return at;
}

static create_msg
new_shop(char **hostname)
{
	create_msg asked = desk_create_resource_request();

	asked.name = text("Shop");
	asked.hostnames = hostname;
	asked.n_hostnames = hostname == NULL ? 0 : 1;
	return asked;
}

static struct status
create(struct desk *desk, struct caller *caller, const create_msg *asked,
    resource_msg **ret_resource)
{
	created_msg *reply = NULL;
	struct status st =
	    desk_ask(desk, caller, "Resources/Create", asked, &reply);

	if (failed(st))
		return st;
	if (ret_resource != NULL) {
		*ret_resource = reply->resource;
		reply->resource = NULL;
	}
	message_free(&reply->base);
	return st;
}

/* Of acme, personal, with a certificate; both for what *.example.com covers. */
static int64_t
shop(struct desk *desk, const char *name, const char *hostname,
    int64_t certificate)
{
	char *hostnames[] = { text(hostname) };
	create_msg asked = new_shop(hostnames);
	resource_msg *resource = NULL;
	int64_t id;

	asked.name = text(name);
	asked.certificates = &certificate;
	asked.n_certificates = certificate != 0;
	if (failed(create(desk, &desk_alice, &asked, &resource)))
		fail_msg("%s", desk->call.why);
	id = resource->id;
	message_free(&resource->base);
	return id;
}

static int64_t
wild(struct desk *desk)
{
	return desk_certificate(
	    desk, (struct desk_certificate){
		      .hostnames = "*.example.com", .is_at_keyd = true });
}

static resource_msg *
get(struct desk *desk, struct caller *caller, int64_t id)
{
	get_msg asked = desk_get_resource_request();
	resource_msg *resource = NULL;

	asked.id = id;
	assert_int_equal(
	    desk_ask(desk, caller, "Resources/Get", &asked, &resource).code,
	    STATUS_OK);
	return resource;
}

static bool
warns(const resource_msg *resource, const char *says)
{
	for (size_t i = 0; i < resource->n_warnings; i++)
		if (strstr(resource->warnings[i], says) != NULL)
			return true;
	return false;
}

static void
assert_refused(struct desk *desk, struct status st, enum status_code code,
    const char *says)
{
	const char *why = desk->call.why[0] != 0 ? desk->call.why : st.why;

	if (st.code != code || strstr(why, says) == NULL)
		fail_msg(
		    "%s, \"%s\": not \"%s\"", status_name(st.code), why, says);
}

static struct status
update(struct desk *desk, struct caller *caller, update_msg *asked,
    const field *fields, size_t n, resource_msg **ret_resource)
{
	field copy[8];

	memcpy(copy, fields, n * sizeof(copy[0]));
	asked->change = copy;
	asked->n_change = n;
	return desk_ask(desk, caller, "Resources/Update", asked, ret_resource);
}

static update_msg
change_of(int64_t id)
{
	update_msg asked = desk_update_resource_request();

	asked.id = id;
	return asked;
}

/* ---- create ---- */

static void
a_resource_is_made_with_an_existing_certificate_bound(void **state)
{
	struct desk *desk = *state;
	char *hostnames[] = { text("Shop.EXAMPLE.com.") };
	create_msg asked = new_shop(hostnames);
	int64_t certificate = wild(desk);
	resource_msg *resource = NULL;

	asked.certificates = &certificate;
	asked.n_certificates = 1;
	*desk->edges = (struct edges_convergence){ 4, 3, 1 };
	assert_int_equal(
	    create(desk, &desk_alice, &asked, &resource).code, STATUS_OK);
	assert_string_equal(resource->name, "Shop");
	assert_string_equal(resource->account, "acme");
	assert_string_equal(resource->hostnames[0], "shop.example.com");
	assert_string_equal(resource->network, "standard");
	assert_string_equal(resource->edge_group, "web");
	assert_string_equal(resource->target, "shop-acme." DESK_ZONE);
	assert_true(resource->https);
	assert_int_equal(resource->mode, MODE_PERSONAL);
	assert_int_equal(resource->n_certificates, 1);
	assert_int_equal(resource->certificates[0]->id, certificate);
	assert_string_equal(
	    resource->certificates[0]->key_algorithm, "ec-p256");
	assert_int_equal(resource->n_warnings, 0);
	assert_string_equal(resource->permission_trouble, "");
	assert_string_equal(resource->etag, "r1");
	assert_int_equal(resource->convergence->percent, 25);
	message_free(&resource->base);
}

static void
a_resource_is_made_with_a_new_certificate_in_one_act(void **state)
{
	struct desk *desk = *state;
	long today = (time(NULL) - MAKER_NOW_S) / MAKER_DAY_S;
	struct maker root = { .cn = "root",
		.is_ca = true,
		.from_day = today - 2,
		.to_day = today + 99 };
	struct maker leaf = { .cn = "shop.example.com",
		.san = "DNS:shop.example.com",
		.from_day = today - 1,
		.to_day = today + 60 };
	struct made *ca, *made;
	Holdfast__Certd__V1__UploadCertificateRequest upload =
	    desk_upload_certificate_request();
	Holdfast__Certd__V1__CertificateParts parts = desk_certificate_parts();
	char *hostnames[] = { text("shop.example.com") };
	create_msg asked = new_shop(hostnames);
	resource_msg *resource = NULL;

	ca = made_new(&root);
	leaf.issuer = ca;
	made = made_new(&leaf);
	parts.certificate = made->pem;
	upload.parts = &parts;
	upload.private_key = made->key_pem;
	asked.upload = &upload;
	if (failed(create(desk, &desk_alice, &asked, &resource)))
		fail_msg("%s", desk->call.why);
	assert_int_equal(resource->n_certificates, 1);
	assert_string_equal(resource->permission_trouble, "");
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM certificate"), 1);
	message_free(&resource->base);
	/* The name is taken: nothing is added, and keyd is not even asked. */
	assert_refused(desk, create(desk, &desk_alice, &asked, NULL),
	    STATUS_ALREADY_EXISTS, "name \"Shop\" already: 1");
	assert_int_equal(custody_fake_asked(desk->custody, "import"), 1);
	/* A host name that the certificate does not cover: nothing is kept. */
	asked.name = text("Other");
	hostnames[0] = text("blog.example.com");
	made_free(made);
	made = made_new(&leaf);
	parts.certificate = made->pem;
	upload.private_key = made->key_pem;
	assert_refused(desk, create(desk, &desk_alice, &asked, NULL),
	    STATUS_FAILED_PRECONDITION, "does not cover blog.example.com");
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM certificate"), 1);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM resource"), 1);
	/* What came for it is going to be destroyed. */
	assert_int_equal(
	    desk_number(desk, "SELECT (SELECT count(*) FROM key) +"
			      " (SELECT count(*) FROM key_intent)"),
	    1);
	made_free(made);
	made_free(ca);
}

static void
a_certificate_that_comes_along_has_its_rules(void **state)
{
	struct desk *desk = *state;
	Holdfast__Certd__V1__UploadCertificateRequest upload =
	    desk_upload_certificate_request();
	char *hostnames[] = { text("shop.example.com") };
	create_msg asked = new_shop(hostnames);
	struct caller narrow = desk_alice;
	int64_t scope = 1;

	asked.upload = &upload;
	narrow.scopes = SCOPE_RESOURCES_WRITE;
	assert_refused(desk, create(desk, &narrow, &asked, NULL),
	    STATUS_PERMISSION_DENIED, "certificates:write");
	upload.validate_only = true;
	assert_refused(desk, create(desk, &desk_alice, &asked, NULL),
	    STATUS_INVALID_ARGUMENT, "validate_only");
	upload.validate_only = false;
	upload.scope = &scope;
	upload.n_scope = 1;
	assert_refused(desk, create(desk, &desk_alice, &asked, NULL),
	    STATUS_INVALID_ARGUMENT, "scope empty");
	upload.n_scope = 0;
	upload.kind =
	    HOLDFAST__CERTD__V1__CERTIFICATE_KIND__CERTIFICATE_KIND_SHARED;
	assert_refused(desk, create(desk, &desk_alice, &asked, NULL),
	    STATUS_INVALID_ARGUMENT, "personal one");
}

static void
without_host_names_the_target_is_served(void **state)
{
	struct desk *desk = *state;
	create_msg asked = new_shop(NULL);
	resource_msg *resource = NULL;

	asked.name = text("Größe & Co.");
	assert_int_equal(
	    create(desk, &desk_alice, &asked, &resource).code, STATUS_OK);
	assert_string_equal(resource->target, "gr-e-co-acme." DESK_ZONE);
	assert_int_equal(resource->n_hostnames, 1);
	assert_string_equal(resource->hostnames[0], resource->target);
	assert_int_equal(resource->mode, MODE_AUTOMATIC);
	assert_true(warns(resource, "has no certificate yet"));
	message_free(&resource->base);
	/* Another one of that name elsewhere gets a target of its own. */
	asked.name = text("gr e co");
	assert_int_equal(
	    create(desk, &desk_alice, &asked, &resource).code, STATUS_OK);
	assert_string_not_equal(resource->target, "gr-e-co-acme." DESK_ZONE);
	assert_memory_equal(resource->target, "gr-e-co-acme-", 13);
	message_free(&resource->base);
}

static void
plain_http_is_allowed_and_warned_of(void **state)
{
	struct desk *desk = *state;
	char *hostnames[] = { text("shop.example.com") };
	create_msg asked = new_shop(hostnames);
	resource_msg *resource = NULL;
	int64_t certificate = wild(desk);

	asked.plain_http = true;
	assert_int_equal(
	    create(desk, &desk_alice, &asked, &resource).code, STATUS_OK);
	assert_false(resource->https);
	assert_true(warns(resource, "not recommended"));
	assert_int_equal(resource->convergence->percent, 100);
	message_free(&resource->base);
	asked.certificates = &certificate;
	asked.n_certificates = 1;
	assert_refused(desk, create(desk, &desk_alice, &asked, NULL),
	    STATUS_INVALID_ARGUMENT, "leave one of them out");
}

static void
mode_personal_needs_a_certificate_and_acme_waits_for_one(void **state)
{
	struct desk *desk = *state;
	char *hostnames[] = { text("shop.example.com") };
	create_msg asked = new_shop(hostnames);
	resource_msg *resource = NULL;
	int64_t certificate = wild(desk);

	asked.mode = (mode)MODE_PERSONAL;
	assert_refused(desk, create(desk, &desk_alice, &asked, NULL),
	    STATUS_INVALID_ARGUMENT, "mode personal needs a certificate");
	asked.mode = (mode)MODE_ACME;
	assert_int_equal(
	    create(desk, &desk_alice, &asked, &resource).code, STATUS_OK);
	assert_int_equal(resource->mode, MODE_ACME);
	assert_true(resource->https);
	assert_true(warns(resource, "has no ACME certificate yet"));
	message_free(&resource->base);
	asked.name = text("Second");
	hostnames[0] = text("second.example.com");
	asked.certificates = &certificate;
	asked.n_certificates = 1;
	assert_refused(desk, create(desk, &desk_alice, &asked, NULL),
	    STATUS_INVALID_ARGUMENT, "make the mode");
	asked.mode = (mode)MODE_SHARED;
	asked.n_certificates = 0;
	assert_refused(desk, create(desk, &desk_alice, &asked, NULL),
	    STATUS_FAILED_PRECONDITION,
	    "second.example.com is not in " DESK_ZONE);
	asked.mode = (mode)9;
	assert_refused(desk, create(desk, &desk_alice, &asked, NULL),
	    STATUS_INVALID_ARGUMENT, "no such mode");
}

static void
a_host_name_has_one_resource_whatever_the_account(void **state)
{
	struct desk *desk = *state;
	int64_t theirs = shop(desk, "Shop", "shop.example.com", wild(desk));
	char *hostnames[] = { text("SHOP.example.com") };
	create_msg asked = new_shop(hostnames);

	(void)theirs;
	asked.name = text("mine");
	assert_refused(desk, create(desk, &desk_bob, &asked, NULL),
	    STATUS_ALREADY_EXISTS, "host name of another resource already");
	assert_null(strstr(desk->call.why, "Shop"));
	assert_null(strstr(desk->call.why, "acme"));
	/* Who may see it learns which. */
	assert_refused(desk, create(desk, &desk_alice, &asked, NULL),
	    STATUS_ALREADY_EXISTS, "of resource 1 (Shop)");
	/* Nor is anybody's target to be had. */
	hostnames[0] = text("shop-acme." DESK_ZONE);
	assert_refused(desk, create(desk, &desk_bob, &asked, NULL),
	    STATUS_ALREADY_EXISTS, "host name of another resource already");
}

static void
a_name_under_another_accounts_wildcard_is_not_given_out(void **state)
{
	struct desk *desk = *state;
	char *hostnames[] = { text("*.shop.example.com") };
	create_msg asked = new_shop(hostnames);
	int64_t before = desk_resource(
	    desk, desk->other, "before", "before.shop.example.com", MODE_ACME);
	update_msg change = change_of(before);
	char *both[] = { text("before.shop.example.com"),
		text("a.shop.example.com") };

	assert_int_equal(
	    create(desk, &desk_alice, &asked, NULL).code, STATUS_OK);
	/* To take it would be to take its visitors. */
	asked.name = text("mine");
	hostnames[0] = text("A.shop.example.com");
	assert_refused(desk, create(desk, &desk_bob, &asked, NULL),
	    STATUS_ALREADY_EXISTS, "a.shop.example.com is served by another");
	assert_null(strstr(desk->call.why, "acme"));
	/* What was there before stays, and no more comes to it. */
	change.hostnames = both;
	change.n_hostnames = 1;
	assert_int_equal(
	    update(desk, &desk_bob, &change, (field[]){ F(HOSTNAMES) }, 1, NULL)
		.code,
	    STATUS_OK);
	change.n_hostnames = 2;
	assert_refused(desk,
	    update(
		desk, &desk_bob, &change, (field[]){ F(HOSTNAMES) }, 1, NULL),
	    STATUS_ALREADY_EXISTS, "a.shop.example.com");
	/* Its owner may, and the operator, for whomever. */
	assert_int_equal(
	    create(desk, &desk_alice, &asked, NULL).code, STATUS_OK);
	hostnames[0] = text("b.shop.example.com");
	asked.account = text("other");
	assert_int_equal(
	    create(desk, &desk_operator, &asked, NULL).code, STATUS_OK);
	/* The wildcard serves no name two levels down. */
	hostnames[0] = text("a.b.shop.example.com");
	asked.name = text("deep");
	assert_int_equal(create(desk, &desk_bob, &asked, NULL).code, STATUS_OK);
}

static void
the_operators_zone_and_wildcards_in_it_are_not_given_out(void **state)
{
	static const char *const grabs[] = { DESK_ZONE, "*." DESK_ZONE,
		"*.shop." DESK_ZONE };
	struct desk *desk = *state;
	char *hostnames[] = { NULL };
	create_msg asked = new_shop(hostnames);

	for (size_t i = 0; i < 3; i++) {
		hostnames[0] = text(grabs[i]);
		assert_refused(desk, create(desk, &desk_alice, &asked, NULL),
		    STATUS_PERMISSION_DENIED, "only an operator");
	}
	hostnames[0] = text("myshop." DESK_ZONE);
	assert_int_equal(
	    create(desk, &desk_alice, &asked, NULL).code, STATUS_OK);
	hostnames[0] = text("*." DESK_ZONE);
	asked.account = text("acme");
	asked.name = text("all");
	assert_int_equal(
	    create(desk, &desk_operator, &asked, NULL).code, STATUS_OK);
	/* That takes no names of others there. */
	hostnames[0] = text("theirs." DESK_ZONE);
	asked.account = text("");
	assert_int_equal(create(desk, &desk_bob, &asked, NULL).code, STATUS_OK);
}

static void
fields_that_are_not_well_formed_are_refused(void **state)
{
	static const char *const origins[] = { "bad host", "a_b.example",
		"origin.example.com:0", "origin.example.com:65536",
		"origin.example.com:", "origin.example.com:80:80", "[::1",
		"[::zz]:443", "::1", "*.example.com", "https://x.example",
		"origin.example.com/path", ":443", "[]" };
	struct desk *desk = *state;
	char *hostnames[] = { text("shop.example.com") };
	create_msg asked = new_shop(hostnames);
	Holdfast__Certd__V1__Origin origin = desk_origin();
	char *many[RESOURCE_HOSTNAMES_MAX + 1];

	asked.network = text("moon");
	assert_refused(desk, create(desk, &desk_alice, &asked, NULL),
	    STATUS_INVALID_ARGUMENT, "there are: standard, enhanced");
	asked.network = text("enhanced");
	asked.edge_group = text("web");
	assert_refused(desk, create(desk, &desk_alice, &asked, NULL),
	    STATUS_INVALID_ARGUMENT,
	    "edge_group: on network enhanced there is none named");
	asked = new_shop(hostnames);
	asked.name = text("");
	assert_refused(desk, create(desk, &desk_alice, &asked, NULL),
	    STATUS_INVALID_ARGUMENT, "name");
	asked.name = text("bell\a");
	assert_refused(desk, create(desk, &desk_alice, &asked, NULL),
	    STATUS_INVALID_ARGUMENT, "control characters");
	asked = new_shop(hostnames);
	hostnames[0] = text("under_score.example.com");
	assert_refused(desk, create(desk, &desk_alice, &asked, NULL),
	    STATUS_INVALID_ARGUMENT, "under_score.example.com");
	hostnames[0] = text("shop.example.com");
	for (size_t i = 0; i < RESOURCE_HOSTNAMES_MAX + 1; i++)
		many[i] = hostnames[0];
	asked.hostnames = many;
	asked.n_hostnames = RESOURCE_HOSTNAMES_MAX + 1;
	assert_refused(desk, create(desk, &desk_alice, &asked, NULL),
	    STATUS_INVALID_ARGUMENT, "at most 100 host names");
	asked = new_shop(hostnames);
	asked.origin = &origin;
	for (size_t i = 0; i < sizeof(origins) / sizeof(origins[0]); i++) {
		origin.host = text(origins[i]);
		assert_refused(desk, create(desk, &desk_alice, &asked, NULL),
		    STATUS_INVALID_ARGUMENT, "the origin must be");
	}
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM resource"), 0);
	assert_refused(desk, create(desk, &desk_operator, &asked, NULL),
	    STATUS_INVALID_ARGUMENT, "name the account");
}

static void
origins_are_kept_in_one_spelling(void **state)
{
	static const char *const origins[][2] = {
		{ "Origin.Example.com:8443", "origin.example.com:8443" },
		{ "192.0.2.7", "192.0.2.7" },
		{ "[2001:db8::1]:443", "[2001:db8::1]:443" },
		{ "[2001:db8::1]", "[2001:db8::1]" },
	};
	struct desk *desk = *state;
	char *hostnames[] = { NULL };
	create_msg asked = new_shop(hostnames);
	Holdfast__Certd__V1__Origin origin = desk_origin();

	asked.origin = &origin;
	for (size_t i = 0; i < 4; i++) {
		char name[16], host[32];
		resource_msg *resource = NULL;

		snprintf(name, sizeof(name), "r%zu", i);
		snprintf(host, sizeof(host), "r%zu.example.com", i);
		asked.name = text(name);
		hostnames[0] = text(host);
		origin.host = text(origins[i][0]);
		assert_int_equal(
		    create(desk, &desk_alice, &asked, &resource).code,
		    STATUS_OK);
		assert_string_equal(resource->origin->host, origins[i][1]);
		assert_int_equal(resource->origin->mode,
		    HOLDFAST__CERTD__V1__ORIGIN_MODE__ORIGIN_MODE_MATCH);
		message_free(&resource->base);
	}
}

/* ---- update ---- */

static void
a_host_name_that_is_not_covered_is_added_with_a_certificate_that_covers(
    void **state)
{
	struct desk *desk = *state;
	int64_t id = shop(desk, "Shop", "shop.example.com", wild(desk));
	int64_t more = desk_certificate(
	    desk, (struct desk_certificate){
		      .hostnames = "*.example.com shop.example.org" });
	char *hostnames[] = { text("shop.example.com"),
		text("shop.example.org") };
	const field fields[] = { F(HOSTNAMES) };
	update_msg asked = change_of(id);
	resource_msg *resource = NULL;

	asked.hostnames = hostnames;
	asked.n_hostnames = 2;
	assert_refused(desk, update(desk, &desk_alice, &asked, fields, 1, NULL),
	    STATUS_FAILED_PRECONDITION,
	    "does not cover shop.example.org of resource 1 (Shop); bind one "
	    "that covers all of its host names in the same act");
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM hostname"), 1);
	assert_int_equal(desk_number(desk, "SELECT revision FROM resource"), 1);
	asked.certificates = &more;
	asked.n_certificates = 1;
	assert_int_equal(
	    update(desk, &desk_alice, &asked, fields, 1, &resource).code,
	    STATUS_OK);
	assert_int_equal(resource->n_hostnames, 2);
	assert_int_equal(resource->certificates[0]->id, more);
	assert_string_equal(resource->etag, "r2");
	message_free(&resource->base);
}

static void
fields_that_are_not_named_stay(void **state)
{
	struct desk *desk = *state;
	int64_t id = shop(desk, "Shop", "shop.example.com", wild(desk));
	int64_t version = desk_number(desk, "SELECT version FROM resource");
	const field fields[] = { F(NAME), F(ORIGIN) };
	Holdfast__Certd__V1__Origin origin = desk_origin();
	update_msg asked = change_of(id);
	resource_msg *resource = NULL;

	origin.host = text("origin.example.com");
	asked.name = text("Boutique");
	asked.origin = &origin;
	assert_int_equal(
	    update(desk, &desk_alice, &asked, fields, 2, &resource).code,
	    STATUS_OK);
	assert_string_equal(resource->name, "Boutique");
	assert_string_equal(resource->origin->host, "origin.example.com");
	assert_string_equal(resource->hostnames[0], "shop.example.com");
	assert_string_equal(resource->target, "shop-acme." DESK_ZONE);
	assert_true(resource->https);
	/* Edges need not know. */
	assert_int_equal(resource->version, version);
	message_free(&resource->base);
	asked = change_of(id);
	assert_refused(desk, update(desk, &desk_alice, &asked, fields, 0, NULL),
	    STATUS_INVALID_ARGUMENT, "say in change");
}

static void
moving_to_another_group_moves_the_right_to_sign_at_once(void **state)
{
	struct desk *desk = *state;
	int64_t certificate = wild(desk);
	int64_t id = shop(desk, "Shop", "shop.example.com", certificate);
	const field fields[] = { F(EDGE_GROUP) };
	update_msg asked = change_of(id);

	asked.edge_group = text("api");
	assert_int_equal(
	    update(desk, &desk_alice, &asked, fields, 1, NULL).code, STATUS_OK);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM grant_ WHERE wanted = 1"
			      " AND granted = 1 AND edge_group = 'api'"),
	    1);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM grant_"), 1);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM site_gone g JOIN resource r"
			      " ON r.id = g.resource AND r.version = g.version"
			      " WHERE g.edge_group = 'web'"),
	    1);
	/* And back: the old group has it again. */
	asked.edge_group = text("web");
	assert_int_equal(
	    update(desk, &desk_alice, &asked, fields, 1, NULL).code, STATUS_OK);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM site_gone"
					   " WHERE edge_group = 'web'"),
	    0);
	asked.edge_group = text("vault");
	assert_refused(desk, update(desk, &desk_alice, &asked, fields, 1, NULL),
	    STATUS_INVALID_ARGUMENT, "there are: web, api");
}

static void
turning_https_off_takes_the_right_to_sign_away_and_on_gives_it_back(
    void **state)
{
	struct desk *desk = *state;
	int64_t certificate = wild(desk);
	int64_t id = shop(desk, "Shop", "shop.example.com", certificate);
	const field fields[] = { F(HTTPS) };
	update_msg asked = change_of(id);
	resource_msg *resource = NULL;

	assert_int_equal(
	    update(desk, &desk_alice, &asked, fields, 1, &resource).code,
	    STATUS_OK);
	assert_false(resource->https);
	assert_true(warns(resource, "not recommended"));
	message_free(&resource->base);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM grant_"), 0);
	asked.https = true;
	assert_int_equal(
	    update(desk, &desk_alice, &asked, fields, 1, NULL).code, STATUS_OK);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM grant_ WHERE granted = 1"),
	    1);
}

static void
https_needs_something_to_serve_where_the_owner_chooses(void **state)
{
	struct desk *desk = *state;
	char *hostnames[] = { text("shop.example.com") };
	create_msg asked = new_shop(hostnames);
	const field both[] = { F(HTTPS), F(MODE) };
	resource_msg *resource = NULL;
	int64_t certificate = wild(desk);
	update_msg change;

	asked.plain_http = true;
	assert_int_equal(
	    create(desk, &desk_alice, &asked, &resource).code, STATUS_OK);
	change = change_of(resource->id);
	message_free(&resource->base);
	change.https = true;
	change.mode = (mode)MODE_PERSONAL;
	assert_refused(desk, update(desk, &desk_alice, &change, both, 2, NULL),
	    STATUS_FAILED_PRECONDITION, "bind one in the same act");
	change.certificates = &certificate;
	change.n_certificates = 1;
	assert_int_equal(
	    update(desk, &desk_alice, &change, both, 2, NULL).code, STATUS_OK);
	change.https = false;
	assert_refused(desk, update(desk, &desk_alice, &change, both, 2, NULL),
	    STATUS_INVALID_ARGUMENT, "HTTPS is to be turned off");
}

/* ---- delete ---- */

static void
deleting_takes_the_right_to_sign_away_and_tells_edges(void **state)
{
	struct desk *desk = *state;
	int64_t certificate = wild(desk);
	int64_t id = shop(desk, "Shop", "shop.example.com", certificate);
	delete_msg asked = desk_delete_resource_request();
	get_msg again = desk_get_resource_request();

	again.id = asked.id = id;
	asked.etag = text("r7");
	assert_int_equal(
	    desk_ask(desk, &desk_alice, "Resources/Delete", &asked, NULL).code,
	    STATUS_ABORTED);
	asked.etag = text("r1");
	assert_int_equal(
	    desk_ask(desk, &desk_alice, "Resources/Delete", &asked, NULL).code,
	    STATUS_OK);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM grant_"), 0);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM binding"), 0);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM hostname"), 0);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM resource_word"), 0);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM site_gone WHERE version ="
			      " (SELECT max(version) FROM edge_version)"),
	    1);
	assert_int_equal(
	    desk_ask(desk, &desk_alice, "Resources/Get", &again, NULL).code,
	    STATUS_NOT_FOUND);
	/* The host name is free again, for anybody. */
	(void)shop(desk, "Shop", "shop.example.com", certificate);
}

/* ---- warnings ---- */

static void
a_certificate_that_expires_soon_is_warned_of(void **state)
{
	struct desk *desk = *state;
	int64_t soon = desk_certificate(
	    desk, (struct desk_certificate){ .hostnames = "*.example.com",
		      .name = "soon",
		      .from_days = -80,
		      .to_days = 10,
		      .is_at_keyd = true });
	int64_t id = shop(desk, "Shop", "shop.example.com", soon);
	resource_msg *resource = get(desk, &desk_alice, id);
	struct db_tx *tx;

	assert_true(warns(resource, "(soon) expires in "));
	message_free(&resource->base);
	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    store_commit(desk->store, tx,
		db_run(tx, NULL, "UPDATE certificate SET not_after_s = 1000",
		    DB_NONE))
		.code,
	    STATUS_OK);
	resource = get(desk, &desk_alice, id);
	assert_true(warns(resource, "(soon) expired on 1970-01-01"));
	message_free(&resource->base);
}

static void
binding_works_while_keyd_is_away_and_says_so(void **state)
{
	struct desk *desk = *state;
	int64_t certificate = wild(desk);
	resource_msg *resource;
	int64_t id;

	custody_fake_away(desk->custody, true);
	id = shop(desk, "Shop", "shop.example.com", certificate);
	resource = get(desk, &desk_alice, id);
	assert_non_null(
	    strstr(resource->permission_trouble, "keyd does not answer"));
	assert_true(warns(resource, "edges may not sign yet"));
	assert_int_equal(resource->n_certificates, 1);
	message_free(&resource->base);
}

static void
taking_away_while_keyd_is_away_says_that_edges_may_still_sign(void **state)
{
	struct desk *desk = *state;
	delete_msg deleted = desk_delete_resource_request();
	unbind_msg unbound = desk_unbind_request();
	Holdfast__Certd__V1__DeleteResourceResponse *done = NULL;
	resource_msg *resource = NULL;

	unbound.id = shop(desk, "One", "one.example.com", wild(desk));
	deleted.id = shop(desk, "Two", "two.example.com", wild(desk));
	custody_fake_away(desk->custody, true);
	assert_int_equal(
	    desk_ask(desk, &desk_alice, "Resources/Unbind", &unbound, &resource)
		.code,
	    STATUS_OK);
	assert_non_null(strstr(resource->permission_trouble,
	    "edges of group web may still sign with what was taken away: "
	    "keyd does not answer"));
	message_free(&resource->base);
	assert_int_equal(
	    desk_ask(desk, &desk_alice, "Resources/Delete", &deleted, &done)
		.code,
	    STATUS_OK);
	assert_non_null(
	    strstr(done->permission_trouble, "edges of group web may still"));
	message_free(&done->base);
}

static void
taking_away_says_nothing_when_keyd_knows(void **state)
{
	struct desk *desk = *state;
	delete_msg deleted = desk_delete_resource_request();
	Holdfast__Certd__V1__DeleteResourceResponse *done = NULL;

	deleted.id = shop(desk, "One", "one.example.com", wild(desk));
	assert_int_equal(
	    desk_ask(desk, &desk_alice, "Resources/Delete", &deleted, &done)
		.code,
	    STATUS_OK);
	assert_string_equal(done->permission_trouble, "");
	message_free(&done->base);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM grant_"), 0);
}

/* ---- others ---- */

static void
every_method_hides_another_accounts_resource(void **state)
{
	struct desk *desk = *state;
	int64_t certificate = wild(desk);
	int64_t id = shop(desk, "Shop", "shop.example.com", certificate);
	const field fields[] = { F(NAME) };
	int64_t ids[] = { id, 4711 };

	for (size_t i = 0; i < 2; i++) {
		get_msg got = desk_get_resource_request();
		delete_msg deleted = desk_delete_resource_request();
		bind_msg bound = desk_bind_request();
		unbind_msg unbound = desk_unbind_request();
		update_msg changed = change_of(ids[i]);
		const char *words = "there is no such resource";

		got.id = deleted.id = bound.id = unbound.id = ids[i];
		changed.name = text("mine now");
		changed.etag = bound.etag = text("r99");
		bound.certificates = &certificate;
		bound.n_certificates = 1;
		assert_refused(desk,
		    desk_ask(desk, &desk_bob, "Resources/Get", &got, NULL),
		    STATUS_NOT_FOUND, words);
		assert_refused(desk,
		    desk_ask(
			desk, &desk_bob, "Resources/Delete", &deleted, NULL),
		    STATUS_NOT_FOUND, words);
		assert_refused(desk,
		    desk_ask(desk, &desk_bob, "Resources/Bind", &bound, NULL),
		    STATUS_NOT_FOUND, words);
		assert_refused(desk,
		    desk_ask(
			desk, &desk_bob, "Resources/Unbind", &unbound, NULL),
		    STATUS_NOT_FOUND, words);
		assert_refused(desk,
		    update(desk, &desk_bob, &changed, fields, 1, NULL),
		    STATUS_NOT_FOUND, words);
		assert_string_equal(desk->call.why, "");
	}
	assert_true(desk_bound(desk, id, certificate));
}

static void
another_accounts_name_is_no_account(void **state)
{
	struct desk *desk = *state;
	char *hostnames[] = { text("x.example.com") };
	create_msg asked = new_shop(hostnames);
	Holdfast__Certd__V1__ListResourcesRequest list =
	    desk_list_resources_request();
	static const char *const names[] = { "acme", "nobody" };

	for (size_t i = 0; i < 2; i++) {
		asked.account = list.account = text(names[i]);
		assert_refused(desk, create(desk, &desk_bob, &asked, NULL),
		    STATUS_NOT_FOUND, "there is no such account");
		assert_refused(desk,
		    desk_ask(desk, &desk_bob, "Resources/List", &list, NULL),
		    STATUS_NOT_FOUND, "there is no such account");
	}
}

static void
a_viewer_reads_and_changes_nothing(void **state)
{
	struct desk *desk = *state;
	int64_t id = shop(desk, "Shop", "shop.example.com", wild(desk));
	delete_msg asked = desk_delete_resource_request();
	resource_msg *resource = get(desk, &desk_viewer, id);

	message_free(&resource->base);
	asked.id = id;
	assert_int_equal(
	    desk_ask(desk, &desk_viewer, "Resources/Delete", &asked, NULL).code,
	    STATUS_PERMISSION_DENIED);
}

/* ---- many at once ---- */

#define WRITERS 50

struct writer {
	struct desk *desk;
	pthread_t thread;
	int64_t resource, certificate;
	bool with_etag;
	struct api_call call;
	struct status st;
};

static void *
write_it(void *ctx)
{
	struct writer *writer = ctx;
	bind_msg asked = desk_bind_request();
	char etag[] = "r1";

	asked.id = writer->resource;
	asked.certificates = &writer->certificate;
	asked.n_certificates = 1;
	if (writer->with_etag)
		asked.etag = etag;
	writer->call = (struct api_call){ .caller = &desk_alice };
	writer->st = desk_ask_with(
	    writer->desk, &writer->call, "Resources/Bind", &asked, NULL);
	return NULL;
}

static unsigned
write_all(struct writer *writers)
{
	unsigned successes = 0;

	for (size_t i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&writers[i].thread, NULL,
				     write_it, &writers[i]),
		    0);
	for (size_t i = 0; i < WRITERS; i++) {
		pthread_join(writers[i].thread, NULL);
		successes += !failed(writers[i].st);
		if (failed(writers[i].st))
			assert_int_equal(writers[i].st.code, STATUS_ABORTED);
	}
	return successes;
}

/* A key each; of no use to keyd, so nothing but the store is at work. */
static void
make_writers(
    struct desk *desk, struct writer *writers, int64_t resource, bool with_etag)
{
	for (size_t i = 0; i < WRITERS; i++)
		writers[i] = (struct writer){ .desk = desk,
			.resource = resource,
			.certificate = desk_certificate(desk,
			    (struct desk_certificate){
				.hostnames = "*.example.com" }),
			.with_etag = with_etag };
}

static void
of_50_who_bind_what_they_saw_one_wins(void **state)
{
	static struct writer writers[WRITERS];
	struct desk *desk = *state;
	int64_t resource = desk_resource(
	    desk, desk->acme, "shop", "shop.example.com", MODE_PERSONAL);

	make_writers(desk, writers, resource, true);
	assert_int_equal(write_all(writers), 1);
	for (size_t i = 0; i < WRITERS; i++)
		assert_int_equal(
		    desk_bound(desk, resource, writers[i].certificate),
		    !failed(writers[i].st));
	assert_int_equal(desk_number(desk, "SELECT revision FROM resource"), 2);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM retirement"), 0);
}

static void
fifty_who_bind_at_once_leave_what_one_of_them_bound(void **state)
{
	static struct writer writers[WRITERS];
	struct desk *desk = *state;
	int64_t resource = desk_resource(
	    desk, desk->acme, "shop", "shop.example.com", MODE_PERSONAL);
	int64_t bound;

	make_writers(desk, writers, resource, false);
	assert_int_equal(write_all(writers), WRITERS);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM binding"), 1);
	bound = desk_number(desk, "SELECT certificate FROM binding");
	/* The revision counts them all, and each but the last is retired. */
	assert_int_equal(
	    desk_number(desk, "SELECT revision FROM resource"), 1 + WRITERS);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM retirement"), WRITERS - 1);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM retirement t JOIN binding b"
			      " ON b.certificate = t.certificate"),
	    0);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM grant_ WHERE wanted = 1"),
	    WRITERS);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM event"
					   " WHERE act = 'resource bound'"),
	    WRITERS);
	assert_true(bound > 0);
}

#define T(test)                                                                \
	cmocka_unit_test_setup_teardown(test, desk_set_up_all, desk_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_resource_is_made_with_an_existing_certificate_bound),
		T(a_resource_is_made_with_a_new_certificate_in_one_act),
		T(a_certificate_that_comes_along_has_its_rules),
		T(without_host_names_the_target_is_served),
		T(plain_http_is_allowed_and_warned_of),
		T(mode_personal_needs_a_certificate_and_acme_waits_for_one),
		T(a_host_name_has_one_resource_whatever_the_account),
		T(a_name_under_another_accounts_wildcard_is_not_given_out),
		T(the_operators_zone_and_wildcards_in_it_are_not_given_out),
		T(fields_that_are_not_well_formed_are_refused),
		T(origins_are_kept_in_one_spelling),
		T(a_host_name_that_is_not_covered_is_added_with_a_certificate_that_covers),
		T(fields_that_are_not_named_stay),
		T(moving_to_another_group_moves_the_right_to_sign_at_once),
		T(turning_https_off_takes_the_right_to_sign_away_and_on_gives_it_back),
		T(https_needs_something_to_serve_where_the_owner_chooses),
		T(deleting_takes_the_right_to_sign_away_and_tells_edges),
		T(a_certificate_that_expires_soon_is_warned_of),
		T(binding_works_while_keyd_is_away_and_says_so),
		T(taking_away_while_keyd_is_away_says_that_edges_may_still_sign),
		T(taking_away_says_nothing_when_keyd_knows),
		T(every_method_hides_another_accounts_resource),
		T(another_accounts_name_is_no_account),
		T(a_viewer_reads_and_changes_nothing),
		T(of_50_who_bind_what_they_saw_one_wins),
		T(fifty_who_bind_at_once_leave_what_one_of_them_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
