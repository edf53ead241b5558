/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_CERTIFICATES_DESK_H
#define TESTS_UNIT_CERTIFICATES_DESK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "certd/api.h"
#include "certd/certificates.h"
#include "certd/key_janitor.h"
#include "certd/requests.h"
#include "proto/holdfast/certd/v1/certificates.pb-c.h"
#include "tests/fake/bindings_fake.h"
#include "tests/fake/custody_fake.h"
#include "tests/unit/cert_maker.h"

/*
 * The services over certificates with a real store in a folder of its own, keyd
 * in memory, and a CA; as a cmocka fixture.  Accounts: 1 "acme", 2 "other".
 */
typedef Holdfast__Certd__V1__UploadCertificateRequest upload_message;
typedef Holdfast__Certd__V1__Certificate certificate_message;

struct desk {
	char folder[64];
	struct store *store;
	struct custody *custody;
	struct certificates_config config;
	struct certificates *certificates;
	struct requests *requests;
	struct api *api;
	struct made *root, *issuer;
	struct caller operator, engineer, viewer, administrator, stranger;
	struct api_call call; /* the last one asked */
	ProtobufCMessage *reply;
};

int certificates_desk_set_up(void **state);
int certificates_desk_tear_down(void **state);
/* The services anew, with desk->config as it is now. */
void certificates_desk_restart(struct desk *desk);

/* ---- asking ---- */

/* "Certificates/Get".  Takes request; the reply is desk->reply until the next
 * question.  Asserts the code, and shows the sentence when it is another. */
void desk_ask(struct desk *desk, const struct caller *who, const char *method,
    ProtobufCMessage *request, enum status_code code);
/* Does the last sentence have this in it? */
void desk_assert_said(const struct desk *desk, const char *part);

ProtobufCMessage *desk_get(int64_t id);
ProtobufCMessage *desk_delete(int64_t id, bool force);

/* ---- certificates ---- */

/* Of the issuer; san as OpenSSL has it.  same_key: NULL, or whose key. */
struct made *desk_leaf(
    const struct desk *desk, const char *san, const struct made *same_key);
/* For a public key that is elsewhere: DER SPKI. */
struct made *desk_leaf_of(
    const struct desk *desk, const char *san, struct bytes spki);

/* A request with leaf and issuer, without a key. */
upload_message *desk_request(const struct desk *desk, const struct made *leaf);
/* The key of made, wrapped for the token. */
void desk_wrap(
    struct desk *desk, upload_message *request, const struct made *made);
/* Upload it with its key wrapped, as acme's engineer; gives the id. */
int64_t desk_upload(struct desk *desk, const struct made *leaf);
/* A new one for these names. */
int64_t desk_add(struct desk *desk, const char *san);

/* ---- the store behind it ---- */

/* One number of a statement without values. */
int64_t desk_number(struct desk *desk, const char *sql);
void desk_run(struct desk *desk, const char *sql);
/* A resource of an account with one host name, bound to nothing. */
void desk_resource(struct desk *desk, int64_t id, int64_t account,
    const char *name, const char *hostname);
void desk_bind(struct desk *desk, int64_t resource, int64_t certificate);
/* Once through what the janitor does; all intents are left over. */
void desk_sweep(struct desk *desk, enum status_code code, size_t left);

#endif
