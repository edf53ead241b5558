/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CUSTODY_H
#define CERTD_CUSTODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "base/signing.h"
#include "base/spiffe.h"
#include "base/status.h"

/*
 * keyd as certd asks it: keys are made, imported and destroyed there, and who
 * may sign with them is told there.  certd holds no key.  Calls block up to the
 * configured time-out, on any thread, and go to the next endpoint when one does
 * not answer: UNAVAILABLE, with words for people, when none does.
 *
 * ret_why (CUSTODY_WHY_MAX octets) gets keyd's own sentence on failure.
 */
struct custody;

#define CUSTODY_WHY_MAX 512
#define CUSTODY_LABEL_MAX 64
#define CUSTODY_POOL_MAX 64
#define CUSTODY_SPKI_MAX 1024

struct custody_config {
	const char *state_dir;        /* of certd's identity (rpc/enroll.h) */
	const char *const *endpoints; /* in place of the identity's; or NULL */
	size_t n_endpoints;
	unsigned timeout_ms; /* 0: 10,000 */
};

/* Connects lazily; renews certd's identity at half its life, on a thread of its
 * own.  ret_why as above. */
STATUS custody_open(const struct custody_config *config,
    struct custody **ret_custody, char *ret_why);
void custody_close(struct custody *custody); /* NULL is allowed */
SCOPED_RELEASE(custody_close, struct custody *);

struct custody_key {
	struct key_id id;
	enum key_alg alg;
	char label[CUSTODY_LABEL_MAX];
	char pool[CUSTODY_POOL_MAX];
	int origin; /* holdfast.keyd.v1.KeyOrigin */
	int state;  /* holdfast.keyd.v1.KeyState */
	size_t spki_len;
	uint8_t spki[CUSTODY_SPKI_MAX];
};

/* A key born in the token, for certificates: certd may sign requests with it.
 * for_whom ("account acme, operator/admin") is put on record with it. */
STATUS custody_generate(struct custody *custody, enum key_alg alg,
    const char *label, const char *pool, const char *for_whom,
    struct custody_key *ret_key, char *ret_why);

/* The same of a key that will be replaced by itself, as those of certificates
 * that renew: custody_destroy of it waits for nobody's approval. */
STATUS custody_generate_replaceable(struct custody *custody, enum key_alg alg,
    const char *label, const char *pool, const char *for_whom,
    struct custody_key *ret_key, char *ret_why);

/* The same for the key of an ACME account, EC P-256, with which certd may sign
 * requests to CAs and nothing else. */
STATUS custody_generate_account(struct custody *custody, const char *label,
    const char *pool, const char *for_whom, struct custody_key *ret_key,
    char *ret_why);

struct custody_wrapping {
	char pool[CUSTODY_POOL_MAX];
	uint8_t key[CUSTODY_SPKI_MAX]; /* DER SPKI of the wrapping key */
	size_t key_len;
	uint8_t key_id[32];
	size_t key_id_len;
	int wrapping; /* holdfast.keyd.v1.ImportWrapping */
	int64_t expires_s;
	enum key_alg algorithms[8];
	size_t n_algorithms;
};

STATUS custody_import_parameters(struct custody *custody, const char *pool,
    struct custody_wrapping *ret_wrapping, char *ret_why);

struct custody_import {
	const char *label, *pool, *for_whom;
	struct bytes wrapping_key_id, blob, spki;
	bool exposed; /* certd had it in the clear */
};

/* ALREADY_EXISTS when the token has that key. */
STATUS custody_import(struct custody *custody,
    const struct custody_import *import, struct custody_key *ret_key,
    char *ret_why);

/* NOT_FOUND when keyd has no key of that label or id. */
STATUS custody_find_label(struct custody *custody, const char *label,
    struct custody_key *ret_key, char *ret_why);
STATUS custody_find(struct custody *custody, const struct key_id *id,
    struct custody_key *ret_key, char *ret_why);

/* Sign a CertificationRequestInfo with that very key; certd grants itself the
 * context first, when it must. */
STATUS custody_sign_csr(struct custody *custody, const struct key_id *id,
    enum key_alg alg, struct bytes info, struct signature *ret_signature,
    char *ret_why);

/* Sign a JWS signing input of an ACME request (RFC 8555 6.2) with an account's
 * key; the same otherwise. */
STATUS custody_sign_jws(struct custody *custody, const struct key_id *id,
    enum key_alg alg, struct bytes input, struct signature *ret_signature,
    char *ret_why);

/* Let the edges of a group sign TLS with a key, or no longer.  Telling what is
 * so already is no error; nor is taking from a key that is no more. */
STATUS custody_grant(struct custody *custody, const struct key_id *id,
    const char *edge_group, char *ret_why);
STATUS custody_revoke(struct custody *custody, const struct key_id *id,
    const char *edge_group, char *ret_why);

/* Nothing is signed with the key any more.  One that is so already, going to be
 * destroyed or no more is no error. */
STATUS custody_suspend(struct custody *custody, const struct key_id *id,
    const char *reason, char *ret_why);

/* Destruction after keyd's delay.  One that waits for approval is no error:
 * *ret_waits says so.  A key that is no more is none either. */
STATUS custody_destroy(struct custody *custody, const struct key_id *id,
    const char *comment, bool *ret_waits, char *ret_why);

/*
 * All grants to edge groups on keys that certd made, in order of key id, from
 * keyd: a reconciler compares.  each returns false to stop.
 */
STATUS custody_each_grant(struct custody *custody,
    bool (*each)(void *ctx, const struct key_id *id, const char *edge_group),
    void *ctx, char *ret_why);

struct custody_edge {
	char name[64];
	char edge_group[64];
	bool quarantined;
	bool is_enrolled; /* or only invited */
};

/* Every edge that keyd knows. */
STATUS custody_each_edge(struct custody *custody,
    void (*each)(void *ctx, const struct custody_edge *edge), void *ctx,
    char *ret_why);

#define CUSTODY_MEMBER_MAX 80
struct custody_member {
	char identity[CUSTODY_MEMBER_MAX]; /* "operator/admin" */
	bool quarantined;
};

/* Everyone of a role whom keyd knows. */
STATUS custody_each_member(struct custody *custody, enum role role,
    void (*each)(void *ctx, const struct custody_member *member), void *ctx,
    char *ret_why);

/* Empty while keyd answers, else why not; for Status. */
void custody_trouble(struct custody *custody, char ret_why[CUSTODY_WHY_MAX]);

/*
 * certd's own identity for what it serves: PEM, malloc'd, as
 * rpc_server_config.identity wants them; *ret_changed as there, by *seen, which
 * starts at 0.
 */
STATUS custody_identity(struct custody *custody, unsigned *seen,
    bool *ret_changed, char **ret_cert_pem, char **ret_key_pem);
const char *custody_ca_pem(const struct custody *custody);
const char *custody_domain(const struct custody *custody);

#endif
