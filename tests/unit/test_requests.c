/* SPDX-License-Identifier: Apache-2.0 */

/* Keys born in the token, their requests, and the certificates bought for
 * them. */

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/message.h"
#include "tests/unit/certificates_desk.h"

#define CREATE "CertificateRequests/Create"
#define ATTACH "CertificateRequests/Attach"

typedef Holdfast__Certd__V1__CreateCertificateRequestRequest create_message;
typedef Holdfast__Certd__V1__AttachCertificateRequest attach_message;
typedef Holdfast__Certd__V1__CertificateRequest request_message;

static create_message *
create_of(const char *first, const char *second)
{
	create_message *message = (create_message *)message_new(
	    &holdfast__certd__v1__create_certificate_request_request__descriptor);

	assert_non_null(message);
	assert_true(message_append_text(
	    &message->n_hostnames, &message->hostnames, first));
	if (second != NULL)
		assert_true(message_append_text(
		    &message->n_hostnames, &message->hostnames, second));
	return message;
}

static const request_message *
request(const struct desk *desk)
{
	return (request_message *)desk->reply;
}

static X509_REQ *
csr_of(const struct desk *desk)
{
	BIO *bio = BIO_new_mem_buf(request(desk)->csr, -1);
	X509_REQ *csr = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);

	assert_non_null(csr);
	BIO_free(bio);
	return csr;
}

/* A certificate for the key of the request that was made last. */
static struct made *
bought(const struct desk *desk, const char *san)
{
	X509_REQ *csr = csr_of(desk);
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(X509_REQ_get0_pubkey(csr), &der);
	struct made *leaf;

	assert_true(len > 0);
	leaf = desk_leaf_of(desk, san, (struct bytes){ der, (size_t)len });
	OPENSSL_free(der);
	X509_REQ_free(csr);
	return leaf;
}

static ProtobufCMessage *
attach_of(const struct desk *desk, int64_t id, const struct made *leaf)
{
	attach_message *message = (attach_message *)message_new(
	    &holdfast__certd__v1__attach_certificate_request__descriptor);

	assert_non_null(message);
	message->id = id;
	message->parts = (Holdfast__Certd__V1__CertificateParts *)message_new(
	    &holdfast__certd__v1__certificate_parts__descriptor);
	assert_non_null(message->parts);
	assert_true(message_text(&message->parts->certificate, leaf->pem));
	assert_true(
	    message_text(&message->parts->ca_bundle, desk->issuer->pem));
	return &message->base;
}

static ProtobufCMessage *
get_of(int64_t id)
{
	ProtobufCMessage *message = message_new(
	    &holdfast__certd__v1__get_certificate_request_request__descriptor);

	assert_non_null(message);
	((Holdfast__Certd__V1__GetCertificateRequestRequest *)message)->id = id;
	return message;
}

static ProtobufCMessage *
delete_of(int64_t id)
{
	ProtobufCMessage *message = message_new(
	    &holdfast__certd__v1__delete_certificate_request_request__descriptor);

	assert_non_null(message);
	((Holdfast__Certd__V1__DeleteCertificateRequestRequest *)message)->id =
	    id;
	return message;
}

static int64_t
make(struct desk *desk, const char *first, const char *second)
{
	desk_ask(desk, &desk->engineer, CREATE, &create_of(first, second)->base,
	    STATUS_OK);
	return request(desk)->id;
}

static void
assert_nothing_left(struct desk *desk)
{
	assert_int_equal(
	    desk_number(desk, "SELECT (SELECT count(*) FROM request)"
			      " + (SELECT count(*) FROM key)"
			      " + (SELECT count(*) FROM key_intent)"
			      " + (SELECT count(*) FROM key_doomed)"),
	    0);
	assert_int_equal(custody_fake_keys(desk->custody), 0);
}

/* ---- Create ---- */

static void
makes_a_key_in_the_token_that_signs_its_own_request(void **state)
{
	struct desk *desk = *state;
	int64_t id = make(desk, "Shop.Example.COM",
	    "b\xc3\xbc"
	    "cher.example");
	X509_REQ *csr = csr_of(desk);
	char whom[160];

	assert_int_equal(X509_REQ_verify(csr, X509_REQ_get0_pubkey(csr)), 1);
	assert_int_equal(id, 1);
	assert_string_equal(request(desk)->name, "shop.example.com");
	assert_int_equal(request(desk)->n_hostnames, 2);
	assert_string_equal(request(desk)->hostnames[0], "shop.example.com");
	assert_string_equal(
	    request(desk)->hostnames[1], "xn--bcher-kva.example");
	assert_int_equal(request(desk)->key->algorithm,
	    HOLDFAST__KEYD__V1__KEY_ALGORITHM__KEY_ALGORITHM_EC_P256);
	assert_int_equal(request(desk)->key->origin,
	    HOLDFAST__KEYD__V1__KEY_ORIGIN__KEY_ORIGIN_GENERATED);
	assert_int_equal(custody_fake_keys(desk->custody), 1);
	custody_fake_for_whom(desk->custody, whom);
	assert_string_equal(whom, "account acme, token ci (acme)");
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM key_intent"), 0);
	X509_REQ_free(csr);
}

static void
every_algorithm_that_keyd_offers_may_be_asked_for(void **state)
{
	struct desk *desk = *state;
	static const int ALGORITHMS[] = {
		HOLDFAST__KEYD__V1__KEY_ALGORITHM__KEY_ALGORITHM_EC_P384,
		HOLDFAST__KEYD__V1__KEY_ALGORITHM__KEY_ALGORITHM_RSA_2048,
		HOLDFAST__KEYD__V1__KEY_ALGORITHM__KEY_ALGORITHM_ED25519,
	};
	create_message *create;

	for (size_t i = 0; i < sizeof(ALGORITHMS) / sizeof(ALGORITHMS[0]);
	     i++) {
		X509_REQ *csr;

		create = create_of("a.example", NULL);
		create->algorithm =
		    (Holdfast__Keyd__V1__KeyAlgorithm)ALGORITHMS[i];
		desk_ask(
		    desk, &desk->engineer, CREATE, &create->base, STATUS_OK);
		assert_int_equal(request(desk)->key->algorithm, ALGORITHMS[i]);
		csr = csr_of(desk);
		assert_int_equal(
		    X509_REQ_verify(csr, X509_REQ_get0_pubkey(csr)), 1);
		X509_REQ_free(csr);
	}
	create = create_of("a.example", NULL);
	create->algorithm = (Holdfast__Keyd__V1__KeyAlgorithm)99;
	desk_ask(desk, &desk->engineer, CREATE, &create->base,
	    STATUS_INVALID_ARGUMENT);
}

static void
a_name_that_is_none_is_refused_before_a_key_is_made(void **state)
{
	static const char *const NAMES[] = { "", "a_b.example", "*.com",
		"192.0.2.1", "a..b" };
	struct desk *desk = *state;
	create_message *create;

	for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
		desk_ask(desk, &desk->engineer, CREATE,
		    &create_of("a.example", NAMES[i])->base,
		    STATUS_INVALID_ARGUMENT);
	create = create_of("a.example", NULL);
	for (int i = 0; i < 100; i++)
		assert_true(message_append_text(
		    &create->n_hostnames, &create->hostnames, "b.example"));
	desk_ask(desk, &desk->engineer, CREATE, &create->base,
	    STATUS_INVALID_ARGUMENT);
	desk_assert_said(desk, "there are 101");
	assert_int_equal(custody_fake_asked(desk->custody, ""), 0);
	assert_nothing_left(desk);
}

static void
a_name_that_is_said_twice_is_asked_for_once(void **state)
{
	struct desk *desk = *state;

	make(desk, "a.example", "A.example.");
	assert_int_equal(request(desk)->n_hostnames, 1);
}

static void
a_key_that_could_not_sign_its_request_is_destroyed(void **state)
{
	struct desk *desk = *state;

	/* Made, and the answer lost. */
	custody_fake_lose_answer(desk->custody);
	desk_ask(desk, &desk->engineer, CREATE,
	    &create_of("a.example", NULL)->base, STATUS_UNAVAILABLE);
	assert_int_equal(custody_fake_keys(desk->custody), 1);
	desk_sweep(desk, STATUS_OK, 0);
	assert_nothing_left(desk);
	/* Refused: keyd has none. */
	custody_fake_fail(
	    desk->custody, STATUS_RESOURCE_EXHAUSTED, "the token is full");
	desk_ask(desk, &desk->engineer, CREATE,
	    &create_of("a.example", NULL)->base, STATUS_RESOURCE_EXHAUSTED);
	desk_assert_said(desk, "the token is full");
	assert_nothing_left(desk);
}

static void
fail_the_next(void *ctx)
{
	struct desk *desk = ctx;

	/* The first call is the one that makes the key. */
	if (custody_fake_asked(desk->custody, "generate") == 1)
		custody_fake_fail(desk->custody, STATUS_PERMISSION_DENIED,
		    "no grant for that");
}

static void
a_signature_that_keyd_refuses_dooms_the_key(void **state)
{
	struct desk *desk = *state;

	custody_fake_before(desk->custody, fail_the_next, desk);
	desk_ask(desk, &desk->engineer, CREATE,
	    &create_of("a.example", NULL)->base, STATUS_PERMISSION_DENIED);
	custody_fake_before(desk->custody, NULL, NULL);
	assert_int_equal(
	    desk_number(desk, "SELECT count(*) FROM key_doomed"), 1);
	desk_sweep(desk, STATUS_OK, 0);
	assert_nothing_left(desk);
}

/* ---- Attach ---- */

static void
the_bought_certificate_is_attached_to_the_key_that_never_left(void **state)
{
	struct desk *desk = *state;
	int64_t id = make(desk, "a.example", NULL);
	struct made *leaf = bought(desk, "DNS:a.example");
	const Holdfast__Certd__V1__UploadCertificateResponse *reply;
	unsigned imports = custody_fake_asked(desk->custody, "import");

	desk_ask(desk, &desk->engineer, ATTACH, attach_of(desk, id, leaf),
	    STATUS_OK);
	reply = (Holdfast__Certd__V1__UploadCertificateResponse *)desk->reply;
	assert_string_equal(reply->certificate->name, "a.example");
	assert_int_equal(reply->certificate->key->origin,
	    HOLDFAST__KEYD__V1__KEY_ORIGIN__KEY_ORIGIN_GENERATED);
	assert_false(reply->certificate->key->exposed);
	assert_int_equal(custody_fake_asked(desk->custody, "import"), imports);
	desk_ask(desk, &desk->viewer, "CertificateRequests/Get", get_of(id),
	    STATUS_OK);
	assert_int_equal(request(desk)->certificate, 1);
	made_free(leaf);
}

static void
a_certificate_for_another_key_is_not_attached_and_both_are_named(void **state)
{
	struct desk *desk = *state;
	int64_t id = make(desk, "a.example", NULL);
	struct made *leaf = desk_leaf(desk, "DNS:a.example", NULL);
	char key[17];

	(void)!snprintf(key, sizeof(key), "%.16s", request(desk)->key->id);
	desk_ask(desk, &desk->engineer, ATTACH, attach_of(desk, id, leaf),
	    STATUS_FAILED_PRECONDITION);
	desk_assert_said(desk, key);
	desk_assert_said(desk, "the certificate's is ec-p256");
	made_free(leaf);
}

static void
names_that_differ_from_the_request_are_told(void **state)
{
	struct desk *desk = *state;
	int64_t id = make(desk, "a.example", "b.example");
	struct made *leaf = bought(desk, "DNS:a.example,DNS:www.a.example");
	const Holdfast__Certd__V1__UploadCertificateResponse *reply;
	bool missing = false, extra = false;

	desk_ask(desk, &desk->engineer, ATTACH, attach_of(desk, id, leaf),
	    STATUS_OK);
	reply = (Holdfast__Certd__V1__UploadCertificateResponse *)desk->reply;
	for (size_t i = 0; i < reply->n_notes; i++) {
		missing |= strstr(reply->notes[i], "not for b.example") != NULL;
		extra |=
		    strstr(reply->notes[i], "also for www.a.example") != NULL;
	}
	assert_true(missing);
	assert_true(extra);
	made_free(leaf);
}

static void
a_request_takes_one_certificate_and_its_key_more_by_upload(void **state)
{
	struct desk *desk = *state;
	int64_t id = make(desk, "a.example", NULL);
	struct made *first = bought(desk, "DNS:a.example");
	struct made *second = bought(desk, "DNS:a.example");

	desk_ask(desk, &desk->engineer, ATTACH, attach_of(desk, id, first),
	    STATUS_OK);
	desk_ask(desk, &desk->engineer, ATTACH, attach_of(desk, id, second),
	    STATUS_FAILED_PRECONDITION);
	desk_assert_said(desk, "has certificate 1 already");
	desk_ask(desk, &desk->engineer, "Certificates/Upload",
	    &desk_request(desk, second)->base, STATUS_OK);
	made_free(first);
	made_free(second);
}

/* ---- Delete ---- */

static void
deleting_a_request_dooms_its_key_unless_a_certificate_uses_it(void **state)
{
	struct desk *desk = *state;
	int64_t id = make(desk, "a.example", NULL);
	struct made *leaf = bought(desk, "DNS:a.example");

	desk_ask(desk, &desk->engineer, ATTACH, attach_of(desk, id, leaf),
	    STATUS_OK);
	desk_ask(desk, &desk->engineer, "CertificateRequests/Delete",
	    delete_of(id), STATUS_OK);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM key"), 1);
	id = make(desk, "b.example", NULL);
	desk_ask(desk, &desk->engineer, "CertificateRequests/Delete",
	    delete_of(id), STATUS_OK);
	desk_sweep(desk, STATUS_OK, 0);
	assert_int_equal(custody_fake_keys(desk->custody), 1);
	desk_ask(desk, &desk->engineer, "Certificates/Delete",
	    desk_delete(1, false), STATUS_OK);
	desk_sweep(desk, STATUS_OK, 0);
	assert_nothing_left(desk);
	made_free(leaf);
}

static void
a_request_outlives_its_certificate_with_its_key(void **state)
{
	struct desk *desk = *state;
	int64_t id = make(desk, "a.example", NULL);
	struct made *leaf = bought(desk, "DNS:a.example");

	desk_ask(desk, &desk->engineer, ATTACH, attach_of(desk, id, leaf),
	    STATUS_OK);
	desk_ask(desk, &desk->engineer, "Certificates/Delete",
	    desk_delete(1, false), STATUS_OK);
	desk_ask(desk, &desk->engineer, "CertificateRequests/Get", get_of(id),
	    STATUS_OK);
	assert_int_equal(request(desk)->certificate, 0);
	desk_sweep(desk, STATUS_OK, 0);
	assert_int_equal(custody_fake_keys(desk->custody), 1);
	made_free(leaf);
}

/* ---- whose it is ---- */

static void
a_request_of_another_account_is_not_found_in_the_words_of_none(void **state)
{
	struct desk *desk = *state;
	int64_t id = make(desk, "a.example", NULL);
	struct made *leaf = bought(desk, "DNS:a.example");
	char said[API_WHY_MAX];

	for (int i = 0; i < 3; i++)
		for (int there = 0; there < 2; there++) {
			int64_t asked = there ? id : 999;

			desk_ask(desk, &desk->stranger,
			    i == 0   ? "CertificateRequests/Get"
			    : i == 1 ? ATTACH
				     : "CertificateRequests/Delete",
			    i == 0   ? get_of(asked)
			    : i == 1 ? attach_of(desk, asked, leaf)
				     : delete_of(asked),
			    STATUS_NOT_FOUND);
			if (there)
				assert_string_equal(desk->call.why, said);
			memcpy(said, desk->call.why, sizeof(said));
		}
	made_free(leaf);
}

static void
lists_requests_newest_first_and_only_ones_own(void **state)
{
	struct desk *desk = *state;
	const Holdfast__Certd__V1__ListCertificateRequestsResponse *reply;
	Holdfast__Certd__V1__ListCertificateRequestsRequest *list;
	char token[64] = "";
	int64_t next = 3;

	for (int i = 0; i < 3; i++)
		make(desk, "a.example", NULL);
	do {
		list = (Holdfast__Certd__V1__ListCertificateRequestsRequest *)
		    message_new(
			&holdfast__certd__v1__list_certificate_requests_request__descriptor);
		assert_non_null(list);
		list->page_size = 2;
		assert_true(message_text(&list->page_token, token));
		desk_ask(desk, &desk->viewer, "CertificateRequests/List",
		    &list->base, STATUS_OK);
		reply = (Holdfast__Certd__V1__ListCertificateRequestsResponse *)
			    desk->reply;
		for (size_t i = 0; i < reply->n_requests; i++)
			assert_int_equal(reply->requests[i]->id, next--);
		(void)!snprintf(
		    token, sizeof(token), "%s", reply->next_page_token);
	} while (token[0] != 0);
	assert_int_equal(next, 0);
	list = (Holdfast__Certd__V1__ListCertificateRequestsRequest *)message_new(
	    &holdfast__certd__v1__list_certificate_requests_request__descriptor);
	desk_ask(desk, &desk->stranger, "CertificateRequests/List", &list->base,
	    STATUS_OK);
	reply =
	    (Holdfast__Certd__V1__ListCertificateRequestsResponse *)desk->reply;
	assert_int_equal(reply->n_requests, 0);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(                                       \
	    name, certificates_desk_set_up, certificates_desk_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(makes_a_key_in_the_token_that_signs_its_own_request),
		TEST(every_algorithm_that_keyd_offers_may_be_asked_for),
		TEST(a_name_that_is_none_is_refused_before_a_key_is_made),
		TEST(a_name_that_is_said_twice_is_asked_for_once),
		TEST(a_key_that_could_not_sign_its_request_is_destroyed),
		TEST(a_signature_that_keyd_refuses_dooms_the_key),
		TEST(
		    the_bought_certificate_is_attached_to_the_key_that_never_left),
		TEST(
		    a_certificate_for_another_key_is_not_attached_and_both_are_named),
		TEST(names_that_differ_from_the_request_are_told),
		TEST(
		    a_request_takes_one_certificate_and_its_key_more_by_upload),
		TEST(
		    deleting_a_request_dooms_its_key_unless_a_certificate_uses_it),
		TEST(a_request_outlives_its_certificate_with_its_key),
		TEST(
		    a_request_of_another_account_is_not_found_in_the_words_of_none),
		TEST(lists_requests_newest_first_and_only_ones_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
