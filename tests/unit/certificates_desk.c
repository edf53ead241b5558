/* SPDX-License-Identifier: Apache-2.0 */

/* Certificates for one test; see certificates_desk.h. */

#include "tests/unit/certificates_desk.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "pki/key_file.h"
#include "proto/message.h"
#include "tests/unit/scratch.h"

static const char *const STANDARD_GROUPS[] = { "standard" };
static const char *const ENHANCED_GROUPS[] = { "enhanced" };
static const struct network NETWORK_LIST[] = {
	{ "standard", "standard", STANDARD_GROUPS, 1 },
	{ "enhanced", "vault", ENHANCED_GROUPS, 1 },
};
static const struct networks NETWORKS = { NETWORK_LIST, 2 };

/* ---- the fixture ---- */

static void
set_caller(struct caller *caller, unsigned is, int64_t account, const char *who)
{
	*caller = (struct caller){ .is = is, .account = account };
	(void)!snprintf(caller->actor, sizeof(caller->actor), "%s", who);
}

static long
today(void)
{
	return (long)((time(NULL) - MAKER_NOW_S) / MAKER_DAY_S);
}

static void
make_ca(struct desk *desk)
{
	const struct maker root = { .cn = "Test Root",
		.is_ca = true,
		.from_day = today() - 10,
		.to_day = today() + 3650 };
	struct maker issuer = root;

	desk->root = made_new(&root);
	issuer.cn = "Test CA";
	issuer.issuer = desk->root;
	desk->issuer = made_new(&issuer);
}

static void
stop(struct desk *desk)
{
	api_free(desk->api);
	requests_free(desk->requests);
	certificates_free(desk->certificates);
}

static void
start(struct desk *desk)
{
	desk->api = api_new();
	assert_non_null(desk->api);
	assert_int_equal(
	    certificates_new(&desk->config, &desk->certificates).code,
	    STATUS_OK);
	assert_int_equal(
	    certificates_register(desk->certificates, desk->api).code,
	    STATUS_OK);
	assert_int_equal(
	    requests_new(desk->certificates, &desk->requests).code, STATUS_OK);
	assert_int_equal(
	    requests_register(desk->requests, desk->api).code, STATUS_OK);
}

void
certificates_desk_restart(struct desk *desk)
{
	stop(desk);
	start(desk);
}

int
certificates_desk_set_up(void **state)
{
	struct desk *desk = calloc(1, sizeof(*desk));
	struct store_config config = { .read_only = false };

	assert_non_null(desk);
	assert_true(scratch_new(desk->folder, sizeof(desk->folder)));
	config.state_dir = desk->folder;
	assert_int_equal(store_open(&config, &desk->store).code, STATUS_OK);
	desk->custody = custody_fake_new();
	assert_non_null(desk->custody);
	bindings_fake_reset();
	desk->config = (struct certificates_config){ .store = desk->store,
		.custody = desk->custody,
		.networks = &NETWORKS,
		.zone = "edge.example.net" };
	set_caller(&desk->operator, ALLOW_OPERATOR, 0, "operator/admin");
	set_caller(&desk->engineer, ALLOW_ENGINEER, 1, "token ci (acme)");
	set_caller(&desk->viewer, ALLOW_VIEWER, 1, "token look (acme)");
	set_caller(
	    &desk->administrator, ALLOW_ADMINISTRATOR, 1, "token adm (acme)");
	set_caller(
	    &desk->stranger, ALLOW_ADMINISTRATOR, 2, "token adm (other)");
	desk_run(desk, "INSERT INTO account (id, name, title, created_s)"
		       " VALUES (1, 'acme', 'Acme', 0), (2, 'other', '', 0)");
	make_ca(desk);
	start(desk);
	*state = desk;
	return 0;
}

int
certificates_desk_tear_down(void **state)
{
	struct desk *desk = *state;

	stop(desk);
	message_free(desk->reply);
	store_close(desk->store);
	custody_close(desk->custody);
	made_free(desk->issuer);
	made_free(desk->root);
	assert_int_equal(scratch_remove(desk->folder), 0);
	free(desk);
	return 0;
}

/* ---- asking ---- */

void
desk_ask(struct desk *desk, const struct caller *who, const char *method,
    ProtobufCMessage *request, enum status_code code)
{
	char path[128];
	const struct api_method *found;
	struct status st;

	(void)!snprintf(path, sizeof(path), "/holdfast.certd.v1.%s", method);
	found = api_find(desk->api, path);
	assert_non_null(found);
	message_free(desk->reply);
	desk->reply = NULL;
	desk->call = (struct api_call){ .caller = who };
	st = api_ask(desk->api, found, &desk->call, request, &desk->reply);
	if (desk->call.why[0] == 0)
		(void)!snprintf(
		    desk->call.why, sizeof(desk->call.why), "%s", st.why);
	message_free(request);
	if (st.code != code)
		print_error("%s: %s: %s\n", method, status_name(st.code),
		    desk->call.why);
	assert_int_equal(st.code, code);
	assert_true(failed(st) == (desk->reply == NULL));
}

void
desk_assert_said(const struct desk *desk, const char *part)
{
	if (strstr(desk->call.why, part) == NULL)
		print_error("\"%s\" has not \"%s\"\n", desk->call.why, part);
	assert_non_null(strstr(desk->call.why, part));
}

ProtobufCMessage *
desk_get(int64_t id)
{
	ProtobufCMessage *message = message_new(
	    &holdfast__certd__v1__get_certificate_request__descriptor);

	assert_non_null(message);
	((Holdfast__Certd__V1__GetCertificateRequest *)message)->id = id;
	return message;
}

ProtobufCMessage *
desk_delete(int64_t id, bool force)
{
	ProtobufCMessage *message = message_new(
	    &holdfast__certd__v1__delete_certificate_request__descriptor);

	assert_non_null(message);
	((Holdfast__Certd__V1__DeleteCertificateRequest *)message)->id = id;
	((Holdfast__Certd__V1__DeleteCertificateRequest *)message)->force =
	    force;
	return message;
}

/* ---- certificates ---- */

static struct maker
leaf_of(const struct desk *desk, const char *san)
{
	static char cn[64];
	const char *name = strstr(san, "DNS:") + 4;

	(void)!snprintf(cn, sizeof(cn), "%.*s", (int)strcspn(name, ","), name);
	return (struct maker){ .cn = cn,
		.issuer = desk->issuer,
		.san = san,
		.from_day = today() - 2,
		.to_day = today() + 80 };
}

struct made *
desk_leaf(const struct desk *desk, const char *san, const struct made *same_key)
{
	struct maker maker = leaf_of(desk, san);

	maker.same_key = same_key;
	return made_new(&maker);
}

struct made *
desk_leaf_of(const struct desk *desk, const char *san, struct bytes spki)
{
	struct made *made = desk_leaf(desk, san, NULL);
	const unsigned char *at = spki.at;
	EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)spki.len);
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long len;

	assert_non_null(key);
	assert_non_null(bio);
	assert_int_equal(X509_set_pubkey(made->x509, key), 1);
	assert_true(X509_sign(made->x509, desk->issuer->key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_bio_X509(bio, made->x509), 1);
	len = BIO_get_mem_data(bio, &text);
	free(made->pem);
	made->pem = strndup(text, (size_t)len);
	assert_non_null(made->pem);
	BIO_free(bio);
	EVP_PKEY_free(key);
	return made;
}

upload_message *
desk_request(const struct desk *desk, const struct made *leaf)
{
	upload_message *request = (upload_message *)message_new(
	    &holdfast__certd__v1__upload_certificate_request__descriptor);

	assert_non_null(request);
	request->parts = (Holdfast__Certd__V1__CertificateParts *)message_new(
	    &holdfast__certd__v1__certificate_parts__descriptor);
	assert_non_null(request->parts);
	assert_true(message_text(&request->parts->certificate, leaf->pem));
	assert_true(
	    message_text(&request->parts->intermediate, desk->issuer->pem));
	return request;
}

void
desk_wrap(struct desk *desk, upload_message *request, const struct made *made)
{
	struct custody_wrapping wrapping;
	uint8_t blob[KEY_FILE_BLOB_MAX];
	char why[KEY_FILE_WHY_MAX];
	struct key_file file = { 0 };
	size_t len = 0;
	Holdfast__Certd__V1__WrappedKey *wrapped =
	    (Holdfast__Certd__V1__WrappedKey *)message_new(
		&holdfast__certd__v1__wrapped_key__descriptor);

	assert_non_null(wrapped);
	assert_int_equal(
	    custody_import_parameters(desk->custody, "standard", &wrapping, why)
		.code,
	    STATUS_OK);
	assert_int_equal(
	    key_file_read(bytes_of(made->key_pem), NULL, &file, why).code,
	    STATUS_OK);
	assert_int_equal(key_file_wrap(&file,
			     (struct bytes){ wrapping.key, wrapping.key_len },
			     false, blob, &len)
			     .code,
	    STATUS_OK);
	assert_true(message_bytes(&wrapped->blob, (struct bytes){ blob, len }));
	assert_true(message_bytes(
	    &wrapped->spki, (struct bytes){ file.spki, file.spki_len }));
	assert_true(message_bytes(&wrapped->wrapping_key_id,
	    (struct bytes){ wrapping.key_id, wrapping.key_id_len }));
	key_file_done(&file);
	request->wrapped_key = wrapped;
}

int64_t
desk_upload(struct desk *desk, const struct made *leaf)
{
	upload_message *request = desk_request(desk, leaf);

	desk_wrap(desk, request, leaf);
	desk_ask(desk, &desk->engineer, "Certificates/Upload", &request->base,
	    STATUS_OK);
	return ((Holdfast__Certd__V1__UploadCertificateResponse *)desk->reply)
	    ->certificate->id;
}

int64_t
desk_add(struct desk *desk, const char *san)
{
	struct made *leaf = desk_leaf(desk, san, NULL);
	int64_t id = desk_upload(desk, leaf);

	made_free(leaf);
	return id;
}

/* ---- the store behind it ---- */

int64_t
desk_number(struct desk *desk, const char *sql)
{
	scoped(db_end) struct db_tx *tx = NULL;
	int64_t number = -1;

	assert_int_equal(store_read(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(db_number(tx, &number, sql, DB_NONE).code, STATUS_OK);
	return number;
}

void
desk_run(struct desk *desk, const char *sql)
{
	struct db_tx *tx;

	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    store_commit(desk->store, tx, db_run(tx, NULL, sql, DB_NONE)).code,
	    STATUS_OK);
}

void
desk_resource(struct desk *desk, int64_t id, int64_t account, const char *name,
    const char *hostname)
{
	char sql[512];

	(void)!snprintf(sql, sizeof(sql),
	    "INSERT INTO resource (id, account, name, network, edge_group,"
	    " target, origin_host, origin_mode, https, mode, created_s,"
	    " created_by, changed_s, version) VALUES (%lld, %lld, '%s',"
	    " 'standard', 'standard', '%s.%lld', '', 1, 1, 1, 0, '', 0, 1)",
	    (long long)id, (long long)account, name, name, (long long)id);
	desk_run(desk, sql);
	(void)!snprintf(sql, sizeof(sql),
	    "INSERT INTO hostname (name, resource) VALUES ('%s', %lld)",
	    hostname, (long long)id);
	desk_run(desk, sql);
}

void
desk_bind(struct desk *desk, int64_t resource, int64_t certificate)
{
	char sql[256];

	(void)!snprintf(sql, sizeof(sql),
	    "INSERT INTO binding (resource, slot, certificate, since_s)"
	    " VALUES (%lld, 1, %lld, 0)",
	    (long long)resource, (long long)certificate);
	desk_run(desk, sql);
}

void
desk_sweep(struct desk *desk, enum status_code code, size_t left)
{
	const struct key_janitor_config config = { .store = desk->store,
		.custody = desk->custody };
	size_t were_left = 0;

	assert_int_equal(
	    key_janitor_sweep(&config, INT64_MAX, &were_left).code, code);
	assert_int_equal(were_left, left);
}
