/* SPDX-License-Identifier: Apache-2.0 */

/* Reading, naming, exporting and deleting certificates, and who may. */

#include <openssl/pkcs7.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "certd/store_certificates.h"
#include "proto/message.h"
#include "tests/unit/certificates_desk.h"

#define KINDS(name)                                                            \
	HOLDFAST__CERTD__V1__CERTIFICATE_KIND__CERTIFICATE_KIND_##name
#define FORMAT(name) HOLDFAST__CERTD__V1__EXPORT_FORMAT__EXPORT_FORMAT_##name

typedef Holdfast__Certd__V1__UpdateCertificateRequest update_message;
typedef Holdfast__Certd__V1__ExportCertificateRequest export_message;

static const certificate_message *
certificate(const struct desk *desk)
{
	return (certificate_message *)desk->reply;
}

static update_message *
update_of(int64_t id, const char *name, const char *etag)
{
	update_message *message = (update_message *)message_new(
	    &holdfast__certd__v1__update_certificate_request__descriptor);

	assert_non_null(message);
	message->id = id;
	assert_true(message_text(&message->name, name));
	assert_true(message_text(&message->etag, etag));
	return message;
}

static ProtobufCMessage *
export_of(int64_t id, Holdfast__Certd__V1__ExportFormat format, bool key)
{
	export_message *message = (export_message *)message_new(
	    &holdfast__certd__v1__export_certificate_request__descriptor);

	assert_non_null(message);
	message->id = id;
	message->format = format;
	message->private_key = key;
	return &message->base;
}

/* ---- whose it is ---- */

static ProtobufCMessage *
anything(const char *method, int64_t id)
{
	if (strcmp(method, "Certificates/Get") == 0)
		return desk_get(id);
	if (strcmp(method, "Certificates/Delete") == 0)
		return desk_delete(id, true);
	if (strcmp(method, "Certificates/Export") == 0)
		return export_of(id, FORMAT(PEM), true);
	return &update_of(id, "mine", "")->base;
}

static void
a_certificate_of_another_account_is_not_found_in_the_words_of_none(void **state)
{
	static const char *const METHODS[] = { "Certificates/Get",
		"Certificates/Update", "Certificates/Delete",
		"Certificates/Export" };
	struct desk *desk = *state;
	int64_t id = desk_add(desk, "DNS:a.example");
	char said[API_WHY_MAX];

	for (size_t i = 0; i < sizeof(METHODS) / sizeof(METHODS[0]); i++) {
		desk_ask(desk, &desk->stranger, METHODS[i],
		    anything(METHODS[i], 999), STATUS_NOT_FOUND);
		memcpy(said, desk->call.why, sizeof(said));
		desk_ask(desk, &desk->stranger, METHODS[i],
		    anything(METHODS[i], id), STATUS_NOT_FOUND);
		assert_string_equal(desk->call.why, said);
	}
	assert_int_equal(
	    desk_number(desk, "SELECT revision FROM certificate"), 1);
}

static void
viewers_change_nothing(void **state)
{
	struct desk *desk = *state;
	int64_t id = desk_add(desk, "DNS:a.example");

	desk_ask(desk, &desk->viewer, "Certificates/Update",
	    &update_of(id, "mine", "")->base, STATUS_PERMISSION_DENIED);
	desk_ask(desk, &desk->viewer, "Certificates/Delete",
	    desk_delete(id, false), STATUS_PERMISSION_DENIED);
	desk_ask(
	    desk, &desk->viewer, "Certificates/Get", desk_get(id), STATUS_OK);
}

static void
a_shared_certificate_is_read_by_all_and_changed_by_operators_alone(void **state)
{
	struct desk *desk = *state;
	int64_t id = desk_add(desk, "DNS:*.edge.example.net");

	desk_run(desk, "UPDATE certificate SET kind = 3");
	desk_resource(desk, 7, 1, "secret-project", "x.edge.example.net");
	desk_bind(desk, 7, id);
	desk_ask(
	    desk, &desk->stranger, "Certificates/Get", desk_get(id), STATUS_OK);
	/* But not who else has it. */
	assert_int_equal(certificate(desk)->n_resources, 0);
	assert_int_equal(certificate(desk)->bound, 0);
	desk_ask(desk, &desk->stranger, "Certificates/Export",
	    export_of(id, FORMAT(PEM), false), STATUS_OK);
	desk_ask(desk, &desk->stranger, "Certificates/Update",
	    &update_of(id, "mine", "")->base, STATUS_NOT_FOUND);
	desk_ask(desk, &desk->stranger, "Certificates/Delete",
	    desk_delete(id, true), STATUS_NOT_FOUND);
	desk_ask(
	    desk, &desk->operator, "Certificates/Get", desk_get(id), STATUS_OK);
	assert_int_equal(certificate(desk)->bound, 1);
}

/* The operator may have put it into an account that has tokens. */
static void
a_shared_certificate_tells_its_own_account_no_more_than_others(void **state)
{
	struct desk *desk = *state;
	int64_t id = desk_add(desk, "DNS:*.edge.example.net");

	desk_run(desk, "UPDATE certificate SET kind = 3");
	desk_resource(desk, 7, 2, "secret-project", "x.edge.example.net");
	desk_bind(desk, 7, id);
	desk_ask(desk, &desk->administrator, "Certificates/Get", desk_get(id),
	    STATUS_OK);
	assert_int_equal(certificate(desk)->n_resources, 0);
	assert_int_equal(certificate(desk)->bound, 0);
	desk_ask(desk, &desk->administrator, "Certificates/Delete",
	    desk_delete(id, true), STATUS_PERMISSION_DENIED);
	assert_null(strstr(desk->call.why, "secret-project"));
	desk_ask(desk, &desk->administrator, "Certificates/Update",
	    &update_of(id, "mine", "")->base, STATUS_PERMISSION_DENIED);
	desk_run(desk, "DELETE FROM binding");
	desk_ask(desk, &desk->administrator, "Certificates/Delete",
	    desk_delete(id, true), STATUS_PERMISSION_DENIED);
	desk_ask(desk, &desk->operator, "Certificates/Delete",
	    desk_delete(id, false), STATUS_OK);
}

/* ---- what never changes ---- */

/* All that a certificate is, as one line. */
static void
print_what_it_is(struct desk *desk, int64_t id, char ret_text[8192])
{
	const certificate_message *c;

	desk_ask(
	    desk, &desk->operator, "Certificates/Get", desk_get(id), STATUS_OK);
	c = certificate(desk);
	(void)!snprintf(ret_text, 8192,
	    "%lld %s %d %s %s %s %s %lld %lld %s "
	    "%s %s %d %lld %s",
	    (long long)c->id, c->account, (int)c->kind, c->subject, c->issuer,
	    c->serial, c->fingerprint, (long long)c->not_before_s,
	    (long long)c->not_after_s, c->hostnames[0], c->key->id,
	    c->key->pool, (int)c->key->exposed, (long long)c->created_s,
	    c->chain_pem);
}

static void
what_a_certificate_is_stays_whatever_is_called(void **state)
{
	struct desk *desk = *state;
	int64_t id = desk_add(desk, "DNS:a.example");
	char before[8192], after[8192];
	update_message *update = update_of(id, "another name", "");

	desk_resource(desk, 7, 1, "www", "a.example");
	print_what_it_is(desk, id, before);
	update->set_scope = true;
	assert_true(message_append_int64(&update->n_scope, &update->scope, 7));
	desk_ask(desk, &desk->engineer, "Certificates/Update", &update->base,
	    STATUS_OK);
	assert_string_equal(certificate(desk)->name, "another name");
	assert_int_equal(certificate(desk)->n_scope, 1);
	/* Added again, exported, refused to be deleted. */
	desk_bind(desk, 7, id);
	desk_ask(desk, &desk->engineer, "Certificates/Delete",
	    desk_delete(id, false), STATUS_FAILED_PRECONDITION);
	desk_ask(desk, &desk->engineer, "Certificates/Export",
	    export_of(id, FORMAT(PEM), false), STATUS_OK);
	print_what_it_is(desk, id, after);
	assert_string_equal(before, after);
}

/* ---- Update ---- */

static void
a_change_over_somebody_elses_is_refused(void **state)
{
	struct desk *desk = *state;
	int64_t id = desk_add(desk, "DNS:a.example");

	desk_ask(desk, &desk->engineer, "Certificates/Update",
	    &update_of(id, "first", "r1")->base, STATUS_OK);
	assert_string_equal(certificate(desk)->etag, "r2");
	desk_ask(desk, &desk->engineer, "Certificates/Update",
	    &update_of(id, "second", "r1")->base, STATUS_ABORTED);
	desk_ask(
	    desk, &desk->engineer, "Certificates/Get", desk_get(id), STATUS_OK);
	assert_string_equal(certificate(desk)->name, "first");
}

static void
a_scope_never_leaves_out_who_holds_the_certificate(void **state)
{
	struct desk *desk = *state;
	int64_t id = desk_add(desk, "DNS:a.example");

	desk_resource(desk, 7, 1, "www", "a.example");
	desk_resource(desk, 8, 1, "shop", "b.example");
	desk_resource(desk, 9, 2, "theirs", "c.example");
	desk_bind(desk, 8, id);
	for (int64_t resource = 7; resource <= 9; resource++) {
		update_message *update = update_of(id, "", "");

		update->set_scope = true;
		assert_true(message_append_int64(
		    &update->n_scope, &update->scope, resource));
		desk_ask(desk, &desk->engineer, "Certificates/Update",
		    &update->base,
		    resource == 7   ? STATUS_FAILED_PRECONDITION
		    : resource == 8 ? STATUS_OK
				    : STATUS_NOT_FOUND);
		if (resource == 7)
			desk_assert_said(desk, "\"shop\"");
		if (resource == 9)
			desk_assert_said(desk, "no resource 9");
	}
	desk_ask(
	    desk, &desk->engineer, "Certificates/Get", desk_get(id), STATUS_OK);
	assert_int_equal(certificate(desk)->n_scope, 1);
	assert_int_equal(certificate(desk)->scope[0]->id, 8);
}

static void
an_update_that_changes_nothing_is_refused(void **state)
{
	struct desk *desk = *state;
	int64_t id = desk_add(desk, "DNS:a.example");
	update_message *update = update_of(id, "", "");

	desk_ask(desk, &desk->engineer, "Certificates/Update", &update->base,
	    STATUS_INVALID_ARGUMENT);
	update = update_of(id, "x", "");
	assert_true(message_append_int64(&update->n_scope, &update->scope, 7));
	desk_ask(desk, &desk->engineer, "Certificates/Update", &update->base,
	    STATUS_INVALID_ARGUMENT);
	desk_assert_said(desk, "set_scope");
}

/* ---- Delete ---- */

static void
a_certificate_in_use_is_not_deleted_and_every_holder_is_named(void **state)
{
	struct desk *desk = *state;
	int64_t id = desk_add(desk, "DNS:a.example");

	desk_resource(desk, 7, 1, "shop", "a.example");
	desk_resource(desk, 8, 1, "www", "b.example");
	desk_bind(desk, 7, id);
	desk_bind(desk, 8, id);
	desk_ask(desk, &desk->administrator, "Certificates/Delete",
	    desk_delete(id, true), STATUS_FAILED_PRECONDITION);
	desk_assert_said(desk,
	    "certificate 1 is bound to shop, www: `holdfast cert replace 1 "
	    "NEW` binds another everywhere, then delete");
}

static void
holders_that_do_not_fit_are_counted(void **state)
{
	struct desk *desk = *state;
	int64_t id = desk_add(desk, "DNS:a.example");
	char name[64], host[64];

	for (int64_t i = 1; i <= 30; i++) {
		(void)!snprintf(name, sizeof(name),
		    "a-resource-with-a-long-name-%lld", (long long)i);
		(void)!snprintf(
		    host, sizeof(host), "h%lld.example", (long long)i);
		desk_resource(desk, i, 1, name, host);
		desk_bind(desk, i, id);
	}
	desk_ask(desk, &desk->engineer, "Certificates/Delete",
	    desk_delete(id, false), STATUS_FAILED_PRECONDITION);
	desk_assert_said(desk, "a-resource-with-a-long-name-1, ");
	desk_assert_said(desk, " more: `holdfast cert replace 1 NEW`");
	assert_non_null(strstr(desk->call.why, "then delete"));
}

static void
a_certificate_that_edges_may_serve_is_kept_until_they_were_seen_without_it(
    void **state)
{
	struct desk *desk = *state;
	int64_t id = desk_add(desk, "DNS:a.example");

	desk_run(desk, "INSERT INTO retirement (certificate, resource,"
		       " edge_group, version, since_s)"
		       " VALUES (1, 7, 'standard', 3, 0)");
	desk_ask(desk, &desk->engineer, "Certificates/Delete",
	    desk_delete(id, false), STATUS_FAILED_PRECONDITION);
	desk_assert_said(desk, "1 edge was not yet seen");
	desk_ask(desk, &desk->engineer, "Certificates/Delete",
	    desk_delete(id, true), STATUS_PERMISSION_DENIED);
	desk_ask(desk, &desk->administrator, "Certificates/Delete",
	    desk_delete(id, true), STATUS_OK);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM retirement"), 0);
	assert_int_equal(bindings_fake_refreshed(), 1);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM event"
			      " WHERE act = 'certificate deleted by force'"),
	    1);
}

static void
deleting_takes_everything_and_the_key_with_the_last_one(void **state)
{
	struct desk *desk = *state;
	struct made *first = desk_leaf(desk, "DNS:a.example", NULL);
	struct made *second = desk_leaf(desk, "DNS:a.example", first);
	int64_t id = desk_upload(desk, first);

	desk_ask(desk, &desk->engineer, "Certificates/Upload",
	    &desk_request(desk, second)->base, STATUS_OK);
	desk_ask(desk, &desk->engineer, "Certificates/Delete",
	    desk_delete(id, false), STATUS_OK);
	assert_false(
	    ((Holdfast__Certd__V1__DeleteCertificateResponse *)desk->reply)
		->key_destroyed);
	desk_sweep(desk, STATUS_OK, 0);
	assert_int_equal(custody_fake_keys(desk->custody), 1);
	desk_ask(desk, &desk->engineer, "Certificates/Delete",
	    desk_delete(id + 1, false), STATUS_OK);
	assert_true(
	    ((Holdfast__Certd__V1__DeleteCertificateResponse *)desk->reply)
		->key_destroyed);
	assert_int_equal(
	    desk_number(desk, "SELECT (SELECT count(*) FROM certificate)"
			      " + (SELECT count(*) FROM certificate_chain)"
			      " + (SELECT count(*) FROM certificate_hostname)"
			      " + (SELECT count(*) FROM certificate_scope)"
			      " + (SELECT count(*) FROM certificate_word)"
			      " + (SELECT count(*) FROM key)"),
	    0);
	desk_sweep(desk, STATUS_OK, 0);
	assert_int_equal(custody_fake_keys(desk->custody), 0);
	desk_ask(desk, &desk->engineer, "Certificates/Get", desk_get(id + 1),
	    STATUS_NOT_FOUND);
	made_free(first);
	made_free(second);
}

static void
deleting_asks_keyd_nothing_and_works_while_it_is_away(void **state)
{
	struct desk *desk = *state;
	int64_t id = desk_add(desk, "DNS:a.example");

	custody_fake_away(desk->custody, true);
	desk_ask(desk, &desk->engineer, "Certificates/Delete",
	    desk_delete(id, false), STATUS_OK);
	desk_sweep(desk, STATUS_UNAVAILABLE, 0);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM key_doomed"
					   " WHERE problem <> ''"),
	    1);
	custody_fake_away(desk->custody, false);
	desk_sweep(desk, STATUS_OK, 0);
	assert_int_equal(custody_fake_keys(desk->custody), 0);
}

/* ---- Export ---- */

static struct bytes
exported(const struct desk *desk)
{
	const Holdfast__Certd__V1__ExportCertificateResponse *reply =
	    (Holdfast__Certd__V1__ExportCertificateResponse *)desk->reply;

	return (struct bytes){ reply->content.data, reply->content.len };
}

static void
exports_certificate_and_chain_in_every_format(void **state)
{
	struct desk *desk = *state;
	struct made *leaf = desk_leaf(desk, "DNS:www.a.example", NULL);
	int64_t id = desk_upload(desk, leaf);
	char both[16384];
	const unsigned char *at;
	struct bytes content;
	PKCS7 *p7;

	desk_ask(desk, &desk->viewer, "Certificates/Export",
	    export_of(id, FORMAT(UNSPECIFIED), false), STATUS_OK);
	(void)!snprintf(
	    both, sizeof(both), "%s%s", leaf->pem, desk->issuer->pem);
	assert_true(bytes_equal(exported(desk), bytes_of(both)));
	assert_string_equal(
	    ((Holdfast__Certd__V1__ExportCertificateResponse *)desk->reply)
		->media_type,
	    "application/pem-certificate-chain");
	assert_string_equal(
	    ((Holdfast__Certd__V1__ExportCertificateResponse *)desk->reply)
		->file_name,
	    "www.a.example-1.pem");
	desk_ask(desk, &desk->viewer, "Certificates/Export",
	    export_of(id, FORMAT(DER), false), STATUS_OK);
	assert_true(bytes_equal(exported(desk), leaf->der));
	desk_ask(desk, &desk->viewer, "Certificates/Export",
	    export_of(id, FORMAT(PKCS7_DER), false), STATUS_OK);
	content = exported(desk);
	at = content.at;
	p7 = d2i_PKCS7(NULL, &at, (long)content.len);
	assert_non_null(p7);
	assert_int_equal(sk_X509_num(p7->d.sign->cert), 2);
	PKCS7_free(p7);
	desk_ask(desk, &desk->viewer, "Certificates/Export",
	    export_of(id, FORMAT(PKCS7_PEM), false), STATUS_OK);
	content = exported(desk);
	assert_memory_equal(content.at, "-----BEGIN PKCS7-----", 21);
	desk_ask(desk, &desk->viewer, "Certificates/Export",
	    export_of(id, (Holdfast__Certd__V1__ExportFormat)9, false),
	    STATUS_INVALID_ARGUMENT);
	made_free(leaf);
}

static void
a_private_key_is_never_exported_and_the_answer_says_why(void **state)
{
	struct desk *desk = *state;
	int64_t id = desk_add(desk, "DNS:a.example");
	update_message *update;
	char name[CERTIFICATE_NAME_MAX];

	desk_ask(desk, &desk->operator, "Certificates/Export",
	    export_of(id, FORMAT(PEM), true), STATUS_FAILED_PRECONDITION);
	desk_assert_said(desk, "in the token");
	desk_assert_said(desk, "holdfast cert csr");
	/* The sentence ends as it should with the longest name, too. */
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	update = update_of(id, name, "");
	desk_ask(desk, &desk->engineer, "Certificates/Update", &update->base,
	    STATUS_OK);
	desk_ask(desk, &desk->operator, "Certificates/Export",
	    export_of(id, FORMAT(PEM), true), STATUS_FAILED_PRECONDITION);
	desk_assert_said(desk, "you get the certificate and its chain");
}

static void
a_file_is_named_so_that_every_file_system_takes_it(void **state)
{
	struct desk *desk = *state;
	int64_t id = desk_add(desk, "DNS:a.example");

	desk_ask(desk, &desk->engineer, "Certificates/Update",
	    &update_of(id,
		"../../\xc3\xbc"
		"ber \"alles\"/x",
		"")
		 ->base,
	    STATUS_OK);
	desk_ask(desk, &desk->viewer, "Certificates/Export",
	    export_of(id, FORMAT(DER), false), STATUS_OK);
	assert_string_equal(
	    ((Holdfast__Certd__V1__ExportCertificateResponse *)desk->reply)
		->file_name,
	    "ber_alles_x-1.cer");
}

/* ---- ImportParameters ---- */

static void
tells_what_is_needed_to_wrap_a_key(void **state)
{
	struct desk *desk = *state;
	Holdfast__Certd__V1__CertificateImportParametersRequest *asked;
	const Holdfast__Keyd__V1__ImportParametersResponse *reply;

	for (int known = 0; known < 2; known++) {
		asked = (Holdfast__Certd__V1__CertificateImportParametersRequest
			*)
		    message_new(
			&holdfast__certd__v1__certificate_import_parameters_request__descriptor);
		assert_non_null(asked);
		assert_true(
		    message_text(&asked->network, known ? "enhanced" : "moon"));
		desk_ask(desk, &desk->engineer, "Certificates/ImportParameters",
		    &asked->base, known ? STATUS_OK : STATUS_INVALID_ARGUMENT);
	}
	reply = (Holdfast__Keyd__V1__ImportParametersResponse *)desk->reply;
	assert_string_equal(reply->pool, "vault");
	assert_int_equal(reply->wrapping_key_id.len, 32);
	assert_int_equal(reply->n_algorithms, 5);
	assert_false(reply->exposed_upload);
}

/* A page must know before it sends anything. */
static void
tells_whether_keys_in_the_clear_are_taken(void **state)
{
	struct desk *desk = *state;
	ProtobufCMessage *asked = message_new(
	    &holdfast__certd__v1__certificate_import_parameters_request__descriptor);

	assert_non_null(asked);
	desk->config.allow_exposed_upload = true;
	certificates_desk_restart(desk);
	desk_ask(desk, &desk->engineer, "Certificates/ImportParameters", asked,
	    STATUS_OK);
	assert_true(
	    ((Holdfast__Keyd__V1__ImportParametersResponse *)desk->reply)
		->exposed_upload);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(                                       \
	    name, certificates_desk_set_up, certificates_desk_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(
		    a_certificate_of_another_account_is_not_found_in_the_words_of_none),
		TEST(viewers_change_nothing),
		TEST(
		    a_shared_certificate_is_read_by_all_and_changed_by_operators_alone),
		TEST(
		    a_shared_certificate_tells_its_own_account_no_more_than_others),
		TEST(what_a_certificate_is_stays_whatever_is_called),
		TEST(a_change_over_somebody_elses_is_refused),
		TEST(a_scope_never_leaves_out_who_holds_the_certificate),
		TEST(an_update_that_changes_nothing_is_refused),
		TEST(
		    a_certificate_in_use_is_not_deleted_and_every_holder_is_named),
		TEST(holders_that_do_not_fit_are_counted),
		TEST(
		    a_certificate_that_edges_may_serve_is_kept_until_they_were_seen_without_it),
		TEST(deleting_takes_everything_and_the_key_with_the_last_one),
		TEST(deleting_asks_keyd_nothing_and_works_while_it_is_away),
		TEST(exports_certificate_and_chain_in_every_format),
		TEST(a_private_key_is_never_exported_and_the_answer_says_why),
		TEST(a_file_is_named_so_that_every_file_system_takes_it),
		TEST(tells_whether_keys_in_the_clear_are_taken),
		TEST(tells_what_is_needed_to_wrap_a_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
