/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_STORE_CERTIFICATES_H
#define CERTD_STORE_CERTIFICATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/db.h"
#include "base/signing.h"
#include "base/status.h"
#include "certd/caller.h"
#include "certd/custody.h"
#include "certd/networks.h"
#include "pki/cert.h"

/*
 * Certificates as they are kept.  What a certificate is never changes: there is
 * no call that could; name and scope are for people.  All within the caller's
 * transaction; who may see what is for the caller to ask (certd/caller.h).
 */
#define CERTIFICATE_NAME_MAX 101 /* with a zero */
#define CERTIFICATE_SCOPE_MAX 1000

struct store_certificate {
	int64_t id, account;
	char account_name[ACCOUNT_NAME_MAX];
	char name[CERTIFICATE_NAME_MAX];
	int kind; /* holdfast.certd.v1.CertificateKind */
	uint8_t fingerprint[PKI_FINGERPRINT_LEN];
	char subject[PKI_CERT_TEXT_MAX];
	char issuer[PKI_CERT_TEXT_MAX];
	char serial[PKI_CERT_SERIAL_MAX];
	int64_t not_before_s, not_after_s;
	int64_t created_s;
	char created_by[ACTOR_MAX];
	int64_t revision;
	/* Of its key. */
	struct key_id key;
	enum key_alg alg;
	int origin; /* holdfast.keyd.v1.KeyOrigin */
	bool exposed;
	char pool[CUSTODY_POOL_MAX];
	char network[NETWORK_NAME_MAX];
};

/* All borrowed. */
struct store_certificate_new {
	int64_t account;
	const char *name;
	int kind;
	const struct key_id *key; /* which has a row */
	const uint8_t *fingerprint;
	const char *subject, *issuer, *serial;
	int64_t not_before_s, not_after_s;
	const char *created_by;
	const char *const *hostnames; /* normalized, each once */
	size_t n_hostnames;
	const char *chain_pem;
	const int64_t *scope;
	size_t n_scope;
};

/* ALREADY_EXISTS: the account has it.  FAILED_PRECONDITION: the key has no
 * row. */
STATUS store_certificates_insert(struct db_tx *tx,
    const struct store_certificate_new *certificate, int64_t *ret_id);

/* NOT_FOUND, "there is no such certificate". */
STATUS store_certificates_find(
    struct db_tx *tx, int64_t id, struct store_certificate *ret_certificate);
/* Of the account; NOT_FOUND too. */
STATUS store_certificates_by_fingerprint(struct db_tx *tx, int64_t account,
    const uint8_t fingerprint[PKI_FINGERPRINT_LEN], int64_t *ret_id);
/* What all of these say. */
struct status store_certificates_none(void);

/* Leaf first, malloc'd. */
STATUS store_certificates_chain(struct db_tx *tx, int64_t id, char **ret_pem);
/* In order of their spelling; each returns false to stop. */
STATUS store_certificates_hostnames(struct db_tx *tx, int64_t id,
    bool (*each)(void *ctx, const char *name), void *ctx);

typedef bool (*store_certificates_resource)(
    void *ctx, int64_t resource, const char *name);
/* Resources that it may be bound to; none: all. */
STATUS store_certificates_scope(
    struct db_tx *tx, int64_t id, store_certificates_resource each, void *ctx);
/* Resources that hold it, by id, at most max. */
STATUS store_certificates_holders(struct db_tx *tx, int64_t id, size_t max,
    store_certificates_resource each, void *ctx);
STATUS store_certificates_bound(struct db_tx *tx, int64_t id, int64_t *ret_n);

/* Are all of them resources of the account?  NOT_FOUND: the first that is not,
 * in *ret_missing. */
STATUS store_certificates_check_scope(struct db_tx *tx, int64_t account,
    const int64_t *scope, size_t n, int64_t *ret_missing);

/* Whose resource it is; NOT_FOUND, in the words of the second one. */
STATUS store_certificates_resource_account(
    struct db_tx *tx, int64_t resource, int64_t *ret_account);
struct status store_certificates_no_resource(void);

/* Both raise the revision by one. */
STATUS store_certificates_rename(
    struct db_tx *tx, int64_t id, const char *name);
STATUS store_certificates_set_scope(
    struct db_tx *tx, int64_t id, const int64_t *scope, size_t n);

/* The enrollment that renews it, or obtains another in its place; 0: none. */
STATUS store_certificates_renewed_by(
    struct db_tx *tx, int64_t id, int64_t *ret_enrollment);

/*
 * The certificate and all that is kept of it, its retirements and a request's
 * reference to it too; not its key.  FAILED_PRECONDITION: a resource holds it.
 */
STATUS store_certificates_delete(struct db_tx *tx, int64_t id);

#endif
