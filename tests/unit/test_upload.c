/* SPDX-License-Identifier: Apache-2.0 */

/* Adding certificates: every shape, every refusal, and what is left behind when
 * it is cut off. */

#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/message.h"
#include "tests/unit/certificates_desk.h"

#define UPLOAD "Certificates/Upload"
#define KINDS(name)                                                            \
	HOLDFAST__CERTD__V1__CERTIFICATE_KIND__CERTIFICATE_KIND_##name

static const Holdfast__Certd__V1__UploadCertificateResponse *
answer(const struct desk *desk)
{
	return (Holdfast__Certd__V1__UploadCertificateResponse *)desk->reply;
}

static bool
has_note(const struct desk *desk, const char *part)
{
	for (size_t i = 0; i < answer(desk)->n_notes; i++)
		if (strstr(answer(desk)->notes[i], part) != NULL)
			return true;
	return false;
}

/* Nothing was kept, at keyd neither, and nobody waits for anything. */
static void
assert_nothing_left(struct desk *desk)
{
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM certificate"), 0);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM key"), 0);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM key_intent"), 0);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM key_doomed"), 0);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM certificate_word"), 0);
	assert_int_equal(custody_fake_keys(desk->custody), 0);
}

static void
allow_exposed(struct desk *desk)
{
	desk->config.allow_exposed_upload = true;
	certificates_desk_restart(desk);
}

static void
keeps_a_certificate_whose_key_was_wrapped_for_the_token(void **state)
{
	struct desk *desk = *state;
	struct made *leaf =
	    desk_leaf(desk, "DNS:shop.example.com,DNS:example.com", NULL);
	const certificate_message *kept;
	char whom[160];

	desk_upload(desk, leaf);
	kept = answer(desk)->certificate;
	assert_int_equal(kept->id, 1);
	assert_string_equal(kept->account, "acme");
	assert_string_equal(kept->name, "shop.example.com");
	assert_string_equal(kept->subject, "shop.example.com");
	assert_int_equal(kept->kind, KINDS(PERSONAL));
	assert_int_equal(kept->n_hostnames, 2);
	assert_string_equal(kept->hostnames[0], "example.com");
	assert_string_equal(kept->key->pool, "standard");
	assert_string_equal(kept->key->network, "standard");
	assert_false(kept->key->exposed);
	assert_int_equal(kept->key->origin,
	    HOLDFAST__KEYD__V1__KEY_ORIGIN__KEY_ORIGIN_IMPORTED_WRAPPED);
	assert_int_equal(kept->expires_in_days, 79);
	assert_string_equal(kept->etag, "r1");
	assert_non_null(strstr(kept->chain_pem, "BEGIN CERTIFICATE"));
	assert_int_equal(custody_fake_keys(desk->custody), 1);
	custody_fake_for_whom(desk->custody, whom);
	assert_string_equal(whom, "account acme, token ci (acme)");
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM key_intent"), 0);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM event WHERE account = 1"
			      " AND act = 'certificate uploaded'"
			      " AND object = 'certificate 1'"),
	    1);
	made_free(leaf);
}

static void
puts_a_chain_in_order_and_says_what_was_changed(void **state)
{
	struct desk *desk = *state;
	struct made *leaf = desk_leaf(desk, "DNS:a.example", NULL);
	upload_message *request = desk_request(desk, leaf);
	char all[16384];

	(void)!snprintf(all, sizeof(all), "hello\r\n%s%s%s", desk->root->pem,
	    desk->issuer->pem, leaf->pem);
	assert_true(message_text(&request->parts->certificate, all));
	assert_true(message_text(&request->parts->intermediate, ""));
	desk_wrap(desk, request, leaf);
	desk_ask(desk, &desk->engineer, UPLOAD, &request->base, STATUS_OK);
	assert_true(answer(desk)->n_notes >= 2);
	for (size_t i = 0; i < answer(desk)->n_notes; i++) {
		const char *note = answer(desk)->notes[i];

		assert_false(note[0] >= 'a' && note[0] <= 'z');
		assert_int_equal(note[strlen(note) - 1], '.');
	}
	assert_true(has_note(desk, "order"));
	assert_true(has_note(desk, "root"));
	made_free(leaf);
}

static void
validating_keeps_nothing_and_asks_keyd_nothing(void **state)
{
	struct desk *desk = *state;
	struct made *leaf = desk_leaf(desk, "DNS:a.example", NULL);
	upload_message *request = desk_request(desk, leaf);
	unsigned asked;

	desk_wrap(desk, request, leaf);
	request->validate_only = true;
	asked = custody_fake_asked(desk->custody, "");
	desk_ask(desk, &desk->engineer, UPLOAD, &request->base, STATUS_OK);
	assert_int_equal(answer(desk)->certificate->id, 0);
	assert_string_equal(answer(desk)->certificate->name, "a.example");
	assert_string_equal(
	    answer(desk)->certificate->hostnames[0], "a.example");
	assert_int_equal(custody_fake_asked(desk->custody, ""), asked);
	assert_nothing_left(desk);
	made_free(leaf);
}

static void
a_key_of_another_certificate_is_refused_and_both_are_named(void **state)
{
	struct desk *desk = *state;
	struct made *leaf = desk_leaf(desk, "DNS:a.example", NULL);
	struct made *other = desk_leaf(desk, "DNS:b.example", NULL);
	upload_message *request = desk_request(desk, leaf);
	struct key_id ids[2];
	char text[KEY_ID_TEXT_MAX];

	desk_wrap(desk, request, other);
	desk_ask(desk, &desk->engineer, UPLOAD, &request->base,
	    STATUS_FAILED_PRECONDITION);
	for (size_t i = 0; i < 2; i++) {
		unsigned char *der = NULL;
		int len = i2d_PUBKEY(i == 0 ? leaf->key : other->key, &der);

		assert_true(key_id_of_spki(
		    (struct bytes){ der, (size_t)len }, &ids[i]));
		key_id_print(&ids[i], text);
		text[16] = 0;
		desk_assert_said(desk, text);
		OPENSSL_free(der);
	}
	assert_nothing_left(desk);
	made_free(leaf);
	made_free(other);
}

static void
a_certificate_without_any_key_is_refused(void **state)
{
	struct desk *desk = *state;
	struct made *leaf = desk_leaf(desk, "DNS:a.example", NULL);

	desk_ask(desk, &desk->engineer, UPLOAD, &desk_request(desk, leaf)->base,
	    STATUS_FAILED_PRECONDITION);
	desk_assert_said(desk, "the private key is missing");
	assert_nothing_left(desk);
	made_free(leaf);
}

static void
a_key_in_the_clear_is_refused_and_wiped_unless_the_operator_allows_it(
    void **state)
{
	struct desk *desk = *state;
	struct made *leaf = desk_leaf(desk, "DNS:a.example", NULL);
	upload_message *request = desk_request(desk, leaf);
	char both[16384];

	assert_true(message_text(&request->private_key, leaf->key_pem));
	desk_ask(desk, &desk->engineer, UPLOAD, &request->base,
	    STATUS_FAILED_PRECONDITION);
	desk_assert_said(desk, "holdfast cert upload");
	desk_assert_said(desk, "allow_exposed_upload");
	/* And so is one among the certificates. */
	request = desk_request(desk, leaf);
	(void)!snprintf(both, sizeof(both), "%s%s", leaf->key_pem, leaf->pem);
	assert_true(message_text(&request->parts->certificate, both));
	desk_ask(desk, &desk->engineer, UPLOAD, &request->base,
	    STATUS_FAILED_PRECONDITION);
	desk_assert_said(desk, "allow_exposed_upload");
	assert_nothing_left(desk);
	made_free(leaf);
}

static void
a_key_in_the_clear_is_wrapped_marked_for_ever_and_wiped(void **state)
{
	struct desk *desk = *state;
	struct made *leaf = desk_leaf(desk, "DNS:a.example", NULL);
	upload_message *request = desk_request(desk, leaf);
	struct key_id id;

	allow_exposed(desk);
	assert_true(message_text(&request->private_key, leaf->key_pem));
	/* A second hold on the octets, to see what becomes of them. */
	desk->call = (struct api_call){ .caller = &desk->engineer };
	{
		const struct api_method *method = api_find(
		    desk->api, "/holdfast.certd.v1.Certificates/Upload");

		assert_int_equal(api_ask(desk->api, method, &desk->call,
				     &request->base, &desk->reply)
				     .code,
		    STATUS_OK);
	}
	for (size_t i = 0; i < strlen(leaf->key_pem); i++)
		assert_int_equal(request->private_key[i], 0);
	message_free(&request->base);
	assert_true(answer(desk)->certificate->key->exposed);
	assert_int_equal(answer(desk)->certificate->key->origin,
	    HOLDFAST__KEYD__V1__KEY_ORIGIN__KEY_ORIGIN_IMPORTED_CERTD);
	assert_true(key_id_parse(answer(desk)->certificate->key->id, &id));
	assert_true(custody_fake_exposed(desk->custody, &id));
	assert_int_equal(desk_number(desk, "SELECT exposed FROM key"), 1);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM event"
			      " WHERE detail LIKE '%in the clear%'"),
	    1);
	made_free(leaf);
}

static void
a_pfx_brings_certificate_and_key_and_a_wrong_passphrase_is_told_apart(
    void **state)
{
	struct desk *desk = *state;
	struct made *leaf = desk_leaf(desk, "DNS:a.example", NULL);
	STACK_OF(X509) *chain = sk_X509_new_null();
	unsigned char *der = NULL;
	PKCS12 *pfx;
	int len;

	allow_exposed(desk);
	assert_non_null(chain);
	sk_X509_push(chain, desk->issuer->x509);
	pfx = PKCS12_create(
	    "secret", "x", leaf->key, leaf->x509, chain, 0, 0, 2048, 2048, 0);
	assert_non_null(pfx);
	len = i2d_PKCS12(pfx, &der);
	assert_true(len > 0);
	for (int right = 0; right < 2; right++) {
		upload_message *request = desk_request(desk, leaf);

		assert_true(message_text(&request->parts->certificate, ""));
		assert_true(message_text(&request->parts->intermediate, ""));
		assert_true(message_bytes(
		    &request->parts->data, (struct bytes){ der, (size_t)len }));
		assert_true(message_text(
		    &request->passphrase, right ? "secret" : "guess"));
		desk_ask(desk, &desk->engineer, UPLOAD, &request->base,
		    right ? STATUS_OK : STATUS_INVALID_ARGUMENT);
		if (!right)
			desk_assert_said(desk, "password");
	}
	assert_int_equal(custody_fake_keys(desk->custody), 1);
	OPENSSL_free(der);
	PKCS12_free(pfx);
	sk_X509_free(chain);
	made_free(leaf);
}

static void
a_key_that_comes_twice_in_one_request_is_refused(void **state)
{
	struct desk *desk = *state;
	struct made *leaf = desk_leaf(desk, "DNS:a.example", NULL);
	upload_message *request = desk_request(desk, leaf);

	allow_exposed(desk);
	desk_wrap(desk, request, leaf);
	assert_true(message_text(&request->private_key, leaf->key_pem));
	desk_ask(desk, &desk->engineer, UPLOAD, &request->base,
	    STATUS_INVALID_ARGUMENT);
	desk_assert_said(desk, "once");
	assert_nothing_left(desk);
	made_free(leaf);
}

static void
a_kind_of_key_that_the_token_does_not_take_in_is_refused(void **state)
{
	struct desk *desk = *state;
	struct made *leaf = desk_leaf(desk, "DNS:a.example", NULL);
	upload_message *request = desk_request(desk, leaf);

	allow_exposed(desk);
	custody_fake_unwraps_only(desk->custody, KEY_ALG_RSA_2048);
	assert_true(message_text(&request->private_key, leaf->key_pem));
	desk_ask(desk, &desk->engineer, UPLOAD, &request->base,
	    STATUS_FAILED_PRECONDITION);
	desk_assert_said(desk, "ec-p256");
	desk_assert_said(desk, "holdfast cert csr");
	assert_nothing_left(desk);
	made_free(leaf);
}

static void
a_certificate_that_is_there_is_named_and_not_added_again(void **state)
{
	struct desk *desk = *state;
	struct made *leaf = desk_leaf(desk, "DNS:a.example", NULL);
	upload_message *request = desk_request(desk, leaf);

	desk_upload(desk, leaf);
	desk_ask(desk, &desk->engineer, UPLOAD, &request->base,
	    STATUS_ALREADY_EXISTS);
	desk_assert_said(desk, "it is 1, \"a.example\"");
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM certificate"), 1);
	made_free(leaf);
}

static void
a_renewal_uses_the_key_that_is_there(void **state)
{
	struct desk *desk = *state;
	struct made *first = desk_leaf(desk, "DNS:a.example", NULL);
	struct made *second = desk_leaf(desk, "DNS:a.example", first);

	desk_upload(desk, first);
	desk_ask(desk, &desk->engineer, UPLOAD,
	    &desk_request(desk, second)->base, STATUS_OK);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM key"), 1);
	assert_int_equal(custody_fake_asked(desk->custody, "import"), 1);
	made_free(first);
	made_free(second);
}

static void
a_key_that_is_there_and_comes_in_the_clear_is_marked_from_then_on(void **state)
{
	struct desk *desk = *state;
	struct made *first = desk_leaf(desk, "DNS:a.example", NULL);
	struct made *second = desk_leaf(desk, "DNS:a.example", first);
	upload_message *request = desk_request(desk, second);

	allow_exposed(desk);
	desk_upload(desk, first);
	assert_true(message_text(&request->private_key, first->key_pem));
	desk_ask(desk, &desk->engineer, UPLOAD, &request->base, STATUS_OK);
	assert_true(answer(desk)->certificate->key->exposed);
	assert_true(has_note(desk, "in the clear"));
	desk_ask(
	    desk, &desk->engineer, "Certificates/Get", desk_get(1), STATUS_OK);
	assert_true(((certificate_message *)desk->reply)->key->exposed);
	made_free(first);
	made_free(second);
}

static void
a_key_of_another_account_is_refused_without_telling_whose(void **state)
{
	struct desk *desk = *state;
	struct made *first = desk_leaf(desk, "DNS:a.example", NULL);
	struct made *second = desk_leaf(desk, "DNS:a.example", first);
	upload_message *request = desk_request(desk, second);
	unsigned asked;

	desk_upload(desk, first);
	desk_wrap(desk, request, first);
	asked = custody_fake_asked(desk->custody, "");
	desk_ask(desk, &desk->stranger, UPLOAD, &request->base,
	    STATUS_FAILED_PRECONDITION);
	assert_null(strstr(desk->call.why, "acme"));
	assert_null(strstr(desk->call.why, "account"));
	/* Without a key it is as one that never was. */
	desk_ask(desk, &desk->stranger, UPLOAD,
	    &desk_request(desk, second)->base, STATUS_FAILED_PRECONDITION);
	desk_assert_said(desk, "the private key is missing");
	assert_int_equal(custody_fake_asked(desk->custody, ""), asked);
	made_free(first);
	made_free(second);
}

static void
a_key_that_keyd_holds_for_another_is_refused_in_the_same_words(void **state)
{
	struct desk *desk = *state;
	struct made *first = desk_leaf(desk, "DNS:a.example", NULL);
	upload_message *request = desk_request(desk, first);
	char said[API_WHY_MAX];

	desk_upload(desk, first);
	desk_wrap(desk, request, first);
	desk_ask(desk, &desk->stranger, UPLOAD, &request->base,
	    STATUS_FAILED_PRECONDITION);
	memcpy(said, desk->call.why, sizeof(said));
	/* The database forgot it, keyd did not. */
	desk_ask(desk, &desk->engineer, "Certificates/Delete",
	    desk_delete(1, false), STATUS_OK);
	desk_run(desk, "DELETE FROM key_doomed");
	request = desk_request(desk, first);
	desk_wrap(desk, request, first);
	desk_ask(desk, &desk->stranger, UPLOAD, &request->base,
	    STATUS_FAILED_PRECONDITION);
	assert_string_equal(desk->call.why, said);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM key_intent"), 0);
	made_free(first);
}

static void
a_key_on_another_network_stays_where_it_is(void **state)
{
	struct desk *desk = *state;
	struct made *first = desk_leaf(desk, "DNS:a.example", NULL);
	struct made *second = desk_leaf(desk, "DNS:a.example", first);
	upload_message *request = desk_request(desk, second);

	desk_upload(desk, first);
	assert_true(message_text(&request->network, "enhanced"));
	desk_ask(desk, &desk->engineer, UPLOAD, &request->base,
	    STATUS_FAILED_PRECONDITION);
	desk_assert_said(desk, "network standard");
	made_free(first);
	made_free(second);
}

static void
the_network_decides_the_pool(void **state)
{
	struct desk *desk = *state;
	struct made *leaf = desk_leaf(desk, "DNS:a.example", NULL);
	upload_message *request = desk_request(desk, leaf);

	desk_wrap(desk, request, leaf);
	assert_true(message_text(&request->network, "enhanced"));
	desk_ask(desk, &desk->engineer, UPLOAD, &request->base, STATUS_OK);
	assert_string_equal(answer(desk)->certificate->key->pool, "vault");
	request = desk_request(desk, leaf);
	assert_true(message_text(&request->network, "moon"));
	desk_ask(desk, &desk->engineer, UPLOAD, &request->base,
	    STATUS_INVALID_ARGUMENT);
	desk_assert_said(desk, "moon");
	made_free(leaf);
}

/* ---- cut off ---- */

static void
a_key_that_keyd_refuses_leaves_nothing_behind(void **state)
{
	struct desk *desk = *state;
	struct made *leaf = desk_leaf(desk, "DNS:a.example", NULL);
	upload_message *request = desk_request(desk, leaf);

	desk_wrap(desk, request, leaf);
	custody_fake_fail(
	    desk->custody, STATUS_INVALID_ARGUMENT, "the blob does not unwrap");
	desk_ask(desk, &desk->engineer, UPLOAD, &request->base,
	    STATUS_INVALID_ARGUMENT);
	desk_assert_said(desk, "the blob does not unwrap");
	assert_nothing_left(desk);
	made_free(leaf);
}

static void
nothing_is_kept_while_keyd_is_away(void **state)
{
	struct desk *desk = *state;
	struct made *leaf = desk_leaf(desk, "DNS:a.example", NULL);
	upload_message *request = desk_request(desk, leaf);

	desk_wrap(desk, request, leaf);
	custody_fake_away(desk->custody, true);
	desk_ask(
	    desk, &desk->engineer, UPLOAD, &request->base, STATUS_UNAVAILABLE);
	desk_assert_said(desk, "keyd does not answer");
	desk_sweep(desk, STATUS_UNAVAILABLE, 0);
	custody_fake_away(desk->custody, false);
	desk_sweep(desk, STATUS_OK, 0);
	assert_nothing_left(desk);
	made_free(leaf);
}

static void
a_key_that_came_though_the_answer_was_lost_is_destroyed(void **state)
{
	struct desk *desk = *state;
	struct made *leaf = desk_leaf(desk, "DNS:a.example", NULL);
	upload_message *request = desk_request(desk, leaf);

	desk_wrap(desk, request, leaf);
	custody_fake_lose_answer(desk->custody);
	desk_ask(
	    desk, &desk->engineer, UPLOAD, &request->base, STATUS_UNAVAILABLE);
	assert_int_equal(custody_fake_keys(desk->custody), 1);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM key_intent"), 1);
	desk_sweep(desk, STATUS_OK, 0);
	assert_nothing_left(desk);
	made_free(leaf);
}

static void
a_key_of_an_attempt_that_was_cut_off_is_used_when_it_is_tried_again(
    void **state)
{
	struct desk *desk = *state;
	struct made *leaf = desk_leaf(desk, "DNS:a.example", NULL);
	upload_message *request = desk_request(desk, leaf);

	desk_wrap(desk, request, leaf);
	custody_fake_lose_answer(desk->custody);
	desk_ask(
	    desk, &desk->engineer, UPLOAD, &request->base, STATUS_UNAVAILABLE);
	desk_upload(desk, leaf);
	assert_true(has_note(desk, "had come to the token before"));
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM key_intent"), 0);
	desk_sweep(desk, STATUS_OK, 0);
	assert_int_equal(custody_fake_keys(desk->custody), 1);
	made_free(leaf);
}

/* The number of an account that came after the backup is given out again. */
static void
a_key_of_an_account_that_a_restore_lost_is_not_its_successors(void **state)
{
	struct desk *desk = *state;
	struct made *leaf = desk_leaf(desk, "DNS:a.example", NULL);
	upload_message *request = desk_request(desk, leaf);

	desk_upload(desk, leaf);
	desk_ask(desk, &desk->engineer, "Certificates/Delete",
	    desk_delete(1, false), STATUS_OK);
	desk_run(desk, "DELETE FROM key_doomed");
	desk_run(desk, "UPDATE account SET created_s = created_s + 1");
	desk_wrap(desk, request, leaf);
	desk_ask(desk, &desk->engineer, UPLOAD, &request->base,
	    STATUS_FAILED_PRECONDITION);
	desk_assert_said(desk, "was given to this service before");
	/* The account itself, put back with the database, has it again. */
	desk_run(desk, "UPDATE account SET created_s = created_s - 1");
	desk_upload(desk, leaf);
	assert_true(has_note(desk, "had come to the token before"));
	made_free(leaf);
}

static void
a_key_that_is_being_destroyed_is_not_taken_again(void **state)
{
	struct desk *desk = *state;
	struct made *leaf = desk_leaf(desk, "DNS:a.example", NULL);
	int64_t id = desk_upload(desk, leaf);

	desk_ask(desk, &desk->engineer, "Certificates/Delete",
	    desk_delete(id, false), STATUS_OK);
	/* Before keyd has been told, and after. */
	for (int told = 0; told < 2; told++) {
		upload_message *request = desk_request(desk, leaf);

		desk_wrap(desk, request, leaf);
		desk_ask(desk, &desk->engineer, UPLOAD, &request->base,
		    STATUS_FAILED_PRECONDITION);
		desk_assert_said(desk, "is being destroyed");
		desk_sweep(desk, STATUS_OK, 0);
	}
	assert_nothing_left(desk);
	made_free(leaf);
}

static void
a_binding_that_is_refused_undoes_the_upload_and_dooms_its_key(void **state)
{
	struct desk *desk = *state;
	struct made *leaf = desk_leaf(desk, "DNS:a.example", NULL);
	upload_message *request = desk_request(desk, leaf);

	desk_resource(desk, 7, 1, "www", "a.example");
	desk_wrap(desk, request, leaf);
	request->kind = KINDS(ACME);
	request->resource = 7;
	bindings_fake_refuse(STATUS_FAILED_PRECONDITION);
	desk_ask(desk, &desk->engineer, UPLOAD, &request->base,
	    STATUS_FAILED_PRECONDITION);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM key_doomed"), 1);
	desk_sweep(desk, STATUS_OK, 0);
	assert_nothing_left(desk);
	made_free(leaf);
}

/* Meanwhile: the same certificate is added by somebody else. */
static struct desk *meanwhile_desk;
static struct made *meanwhile_leaf;

static void
meanwhile(void *ctx)
{
	struct desk *desk = ctx;
	struct desk other = *desk;

	custody_fake_before(desk->custody, NULL, NULL);
	other.reply = NULL;
	desk_upload(&other, meanwhile_leaf);
	message_free(other.reply);
}

static void
two_who_add_the_same_at_once_leave_one_certificate_and_one_key(void **state)
{
	struct desk *desk = meanwhile_desk = *state;
	struct made *leaf = meanwhile_leaf =
	    desk_leaf(desk, "DNS:a.example", NULL);
	upload_message *request = desk_request(desk, leaf);

	desk_wrap(desk, request, leaf);
	custody_fake_before(desk->custody, meanwhile, desk);
	desk_ask(desk, &desk->engineer, UPLOAD, &request->base,
	    STATUS_ALREADY_EXISTS);
	desk_assert_said(desk, "it is 1");
	desk_sweep(desk, STATUS_OK, 0);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM certificate"), 1);
	assert_int_equal(custody_fake_keys(desk->custody), 1);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM key_doomed"), 0);
	made_free(leaf);
}

/* ---- kinds, names, scope ---- */

/* It is bound at once, which changes a resource. */
static void
a_token_needs_both_scopes_to_add_an_acme_certificate(void **state)
{
	struct desk *desk = *state;
	struct made *leaf = desk_leaf(desk, "DNS:a.example", NULL);
	struct caller narrow = desk->engineer;
	upload_message *request;

	desk_resource(desk, 7, 1, "www", "a.example");
	for (int both = 0; both <= 1; both++) {
		narrow.scopes = SCOPE_CERTIFICATES_WRITE |
				(both ? SCOPE_RESOURCES_WRITE : 0);
		request = desk_request(desk, leaf);
		desk_wrap(desk, request, leaf);
		request->kind = KINDS(ACME);
		request->resource = 7;
		desk_ask(desk, &narrow, UPLOAD, &request->base,
		    both ? STATUS_OK : STATUS_PERMISSION_DENIED);
		assert_int_equal(
		    desk_number(desk, "SELECT count(*) FROM binding"), both);
	}
	made_free(leaf);
}

static void
an_acme_certificate_is_bound_to_its_resource_at_once(void **state)
{
	struct desk *desk = *state;
	struct made *leaf = desk_leaf(desk, "DNS:a.example", NULL);
	upload_message *request = desk_request(desk, leaf);

	desk_resource(desk, 7, 1, "www", "a.example");
	desk_resource(desk, 8, 2, "theirs", "b.example");
	request->kind = KINDS(ACME);
	desk_ask(desk, &desk->engineer, UPLOAD, &request->base,
	    STATUS_INVALID_ARGUMENT);
	desk_assert_said(desk, "name it as resource");
	for (int64_t resource = 8; resource >= 7; resource--) {
		request = desk_request(desk, leaf);
		desk_wrap(desk, request, leaf);
		request->kind = KINDS(ACME);
		request->resource = resource;
		desk_ask(desk, &desk->engineer, UPLOAD, &request->base,
		    resource == 8 ? STATUS_NOT_FOUND : STATUS_OK);
		desk_sweep(desk, STATUS_OK, 0);
		if (resource == 8) {
			/* Its key is on the way out: take a new one. */
			made_free(leaf);
			leaf = desk_leaf(desk, "DNS:a.example", NULL);
		}
	}
	assert_int_equal(answer(desk)->certificate->bound, 1);
	assert_string_equal(
	    answer(desk)->certificate->resources[0]->name, "www");
	made_free(leaf);
}

static void
only_operators_add_shared_certificates_and_only_for_their_own_zone(void **state)
{
	struct desk *desk = *state;
	struct made *leaf = desk_leaf(desk, "DNS:*.edge.example.net", NULL);
	struct made *foreign = desk_leaf(desk, "DNS:*.ledge.example.net", NULL);
	upload_message *request = desk_request(desk, leaf);

	request->kind = KINDS(SHARED);
	desk_ask(desk, &desk->administrator, UPLOAD, &request->base,
	    STATUS_PERMISSION_DENIED);
	request = desk_request(desk, foreign);
	request->kind = KINDS(SHARED);
	assert_true(message_text(&request->account, "acme"));
	desk_ask(desk, &desk->operator, UPLOAD, &request->base,
	    STATUS_FAILED_PRECONDITION);
	desk_assert_said(desk, "\"*.ledge.example.net\" is not in it");
	request = desk_request(desk, leaf);
	desk_wrap(desk, request, leaf);
	request->kind = KINDS(SHARED);
	assert_true(message_text(&request->account, "acme"));
	desk_ask(desk, &desk->operator, UPLOAD, &request->base, STATUS_OK);
	assert_int_equal(answer(desk)->certificate->kind, KINDS(SHARED));
	made_free(leaf);
	made_free(foreign);
}

static void
an_operator_names_the_account(void **state)
{
	struct desk *desk = *state;
	struct made *leaf = desk_leaf(desk, "DNS:a.example", NULL);
	upload_message *request = desk_request(desk, leaf);

	desk_ask(desk, &desk->operator, UPLOAD, &request->base,
	    STATUS_INVALID_ARGUMENT);
	request = desk_request(desk, leaf);
	assert_true(message_text(&request->account, "acme"));
	desk_ask(
	    desk, &desk->stranger, UPLOAD, &request->base, STATUS_NOT_FOUND);
	made_free(leaf);
}

static void
a_scope_is_of_resources_of_the_account(void **state)
{
	struct desk *desk = *state;
	struct made *leaf = desk_leaf(desk, "DNS:a.example", NULL);
	upload_message *request = desk_request(desk, leaf);

	desk_resource(desk, 7, 1, "www", "a.example");
	desk_resource(desk, 8, 2, "theirs", "b.example");
	assert_true(
	    message_append_int64(&request->n_scope, &request->scope, 8));
	desk_wrap(desk, request, leaf);
	desk_ask(
	    desk, &desk->engineer, UPLOAD, &request->base, STATUS_NOT_FOUND);
	desk_assert_said(desk, "no resource 8");
	request = desk_request(desk, leaf);
	assert_true(
	    message_append_int64(&request->n_scope, &request->scope, 7));
	desk_wrap(desk, request, leaf);
	desk_ask(desk, &desk->engineer, UPLOAD, &request->base, STATUS_OK);
	assert_int_equal(answer(desk)->certificate->n_scope, 1);
	assert_string_equal(answer(desk)->certificate->scope[0]->name, "www");
	made_free(leaf);
}

static void
a_name_that_nobody_could_read_is_refused(void **state)
{
	struct desk *desk = *state;
	struct made *leaf = desk_leaf(desk, "DNS:a.example", NULL);
	static const char *const NAMES[] = { " a", "a\x1b[2J", "a\xff",
		"a\xe2\x80\xaez" };

	for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
		upload_message *request = desk_request(desk, leaf);

		assert_true(message_text(&request->name, NAMES[i]));
		desk_ask(desk, &desk->engineer, UPLOAD, &request->base,
		    STATUS_INVALID_ARGUMENT);
		desk_assert_said(desk, "name");
	}
	made_free(leaf);
}

static void
a_wrapped_key_that_is_none_is_refused_before_keyd_is_asked(void **state)
{
	struct desk *desk = *state;
	struct made *leaf = desk_leaf(desk, "DNS:a.example", NULL);
	static const uint8_t octets[8192];
	unsigned asked;

	for (int i = 0; i < 3; i++) {
		upload_message *request = desk_request(desk, leaf);
		Holdfast__Certd__V1__WrappedKey *wrapped;

		desk_wrap(desk, request, leaf);
		asked = custody_fake_asked(desk->custody, "");
		wrapped = request->wrapped_key;
		assert_true(message_bytes(i == 0   ? &wrapped->blob
					  : i == 1 ? &wrapped->spki
						   : &wrapped->wrapping_key_id,
		    (struct bytes){ octets, i == 0   ? 4097
					    : i == 1 ? 10
						     : 0 }));
		desk_ask(desk, &desk->engineer, UPLOAD, &request->base,
		    STATUS_INVALID_ARGUMENT);
		assert_int_equal(custody_fake_asked(desk->custody, ""), asked);
	}
	made_free(leaf);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(                                       \
	    name, certificates_desk_set_up, certificates_desk_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(keeps_a_certificate_whose_key_was_wrapped_for_the_token),
		TEST(puts_a_chain_in_order_and_says_what_was_changed),
		TEST(validating_keeps_nothing_and_asks_keyd_nothing),
		TEST(
		    a_key_of_another_certificate_is_refused_and_both_are_named),
		TEST(a_certificate_without_any_key_is_refused),
		TEST(
		    a_key_in_the_clear_is_refused_and_wiped_unless_the_operator_allows_it),
		TEST(a_key_in_the_clear_is_wrapped_marked_for_ever_and_wiped),
		TEST(
		    a_pfx_brings_certificate_and_key_and_a_wrong_passphrase_is_told_apart),
		TEST(a_key_that_comes_twice_in_one_request_is_refused),
		TEST(a_kind_of_key_that_the_token_does_not_take_in_is_refused),
		TEST(a_certificate_that_is_there_is_named_and_not_added_again),
		TEST(a_renewal_uses_the_key_that_is_there),
		TEST(
		    a_key_that_is_there_and_comes_in_the_clear_is_marked_from_then_on),
		TEST(a_key_of_another_account_is_refused_without_telling_whose),
		TEST(
		    a_key_that_keyd_holds_for_another_is_refused_in_the_same_words),
		TEST(a_key_on_another_network_stays_where_it_is),
		TEST(the_network_decides_the_pool),
		TEST(a_key_that_keyd_refuses_leaves_nothing_behind),
		TEST(nothing_is_kept_while_keyd_is_away),
		TEST(a_key_that_came_though_the_answer_was_lost_is_destroyed),
		TEST(
		    a_key_of_an_attempt_that_was_cut_off_is_used_when_it_is_tried_again),
		TEST(
		    a_key_of_an_account_that_a_restore_lost_is_not_its_successors),
		TEST(a_key_that_is_being_destroyed_is_not_taken_again),
		TEST(
		    a_binding_that_is_refused_undoes_the_upload_and_dooms_its_key),
		TEST(
		    two_who_add_the_same_at_once_leave_one_certificate_and_one_key),
		TEST(a_token_needs_both_scopes_to_add_an_acme_certificate),
		TEST(an_acme_certificate_is_bound_to_its_resource_at_once),
		TEST(
		    only_operators_add_shared_certificates_and_only_for_their_own_zone),
		TEST(an_operator_names_the_account),
		TEST(a_scope_is_of_resources_of_the_account),
		TEST(a_name_that_nobody_could_read_is_refused),
		TEST(
		    a_wrapped_key_that_is_none_is_refused_before_keyd_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
