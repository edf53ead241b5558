/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACME_CLIENT_H
#define ACME_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "acme/problem.h"
#include "base/bytes.h"
#include "base/scoped.h"
#include "base/signing.h"
#include "base/status.h"

/*
 * A client of one CA (RFC 8555): each call is one request, with the nonce and
 * the directory that it lacks, and again as long as its nonce is not good
 * (6.5); those that ask more than that say so.  It knows no database and no
 * key: signatures come from whoever has the key.
 *
 * Any thread, several at once; connections are kept and nonces pooled.  Each
 * request blocks up to the configured time.  URLs that the CA gives must be on
 * the directory's origin, else the answer is refused (nobody is sent elsewhere
 * by it); redirects are not followed; what is read is bounded.
 *
 * Each call's last argument says what went wrong: it may be NULL nowhere, and
 * is set whenever, and only when, the status is not OK, which is UNAVAILABLE
 * for what may pass, NOT_FOUND for an account that the CA does not know,
 * UNIMPLEMENTED for what its directory has not, the signer's own when that
 * failed, else FAILED_PRECONDITION.
 */
struct acme;

#define ACME_URL_MAX 512
#define ACME_TOKEN_MAX 129
#define ACME_KEY_AUTHORIZATION_MAX 192
#define ACME_NAMES_MAX 100
#define ACME_CHAIN_MAX (256 * 1024)
#define ACME_ALTERNATES_MAX 8
#define ACME_PROFILES_MAX 16
#define ACME_THUMBPRINT_MAX 44

struct acme_config {
	const char *directory; /* https URL; http on loopback only */
	const char *ca_file;   /* PEM that its TLS is verified by; NULL: the
				  system's */
	const char *ca_pem;    /* the same as text, in place of ca_file, for
				  who cannot read files any more; copied */
	const char *user_agent;
	unsigned timeout_ms;  /* of one request; 0: 30,000 */
	unsigned connections; /* at most at once; 0: 16 */
};

/* Asks nobody yet.  The roots are read here, and no file afterwards but what
 * the C library reads to look names up.  INVALID_ARGUMENT: the directory is no
 * URL that may be asked; FAILED_PRECONDITION: there are no roots. */
STATUS acme_new(const struct acme_config *config, struct acme **ret_acme);
void acme_free(struct acme *acme); /* NULL is allowed */
SCOPED_RELEASE(acme_free, struct acme *);

/* Signs for an account; alg is one of EC P-256, P-384, RSA.  The input is the
 * JWS signing input; the signature as base/signing.h has it (DER for ECDSA). */
struct acme_signer {
	enum key_alg alg;
	struct bytes spki; /* DER; the JWK is made of it */
	struct status (*sign)(void *ctx, struct bytes input,
	    struct signature *ret_signature, char *ret_why);
	void *ctx;
};
#define ACME_SIGN_WHY_MAX 512 /* what sign's ret_why holds */

/* The signer and the account's URL ("kid"). */
struct acme_account {
	struct acme_signer signer;
	const char *url;
};

/* RFC 7638, base64url. */
STATUS acme_thumbprint(
    struct bytes spki, char ret_thumbprint[ACME_THUMBPRINT_MAX]);

/* ---- the directory (7.1.1) ---- */

struct acme_directory {
	bool has_renewal_info; /* RFC 9773 */
	bool needs_external_account;
	char terms_of_service[ACME_URL_MAX]; /* empty: none */
	size_t n_profiles;
	char profiles[ACME_PROFILES_MAX][64];
};

/* Fetched once and kept for a day; again: ask the CA now. */
STATUS acme_directory(struct acme *acme, bool again,
    struct acme_directory *ret_directory, struct acme_problem *ret_problem);

/* ---- accounts (7.3) ---- */

struct acme_registration {
	const char *const *contacts; /* "mailto:..." */
	size_t n_contacts;
	bool terms_agreed;
	bool only_existing;
	/* External account binding (7.3.4): NULL, or the key id and the MAC key
	 * (its octets, not base64). */
	const char *eab_kid;
	struct bytes eab_key;
};

/* Makes it, or finds the one of that key. */
STATUS acme_account_new(struct acme *acme, const struct acme_signer *signer,
    const struct acme_registration *registration, char ret_url[ACME_URL_MAX],
    struct acme_problem *ret_problem);
STATUS acme_account_set_contacts(struct acme *acme,
    const struct acme_account *account, const char *const *contacts,
    size_t n_contacts, struct acme_problem *ret_problem);
/* 7.3.5; both sign.  Once OK, only next is the account's.  When its answer was
 * lost: acme_account_new with only_existing tells which key it is. */
STATUS acme_account_change_key(struct acme *acme,
    const struct acme_account *account, const struct acme_signer *next,
    struct acme_problem *ret_problem);

/* ---- orders (7.4) ---- */

enum acme_status {
	ACME_PENDING,
	ACME_READY,
	ACME_PROCESSING,
	ACME_VALID,
	ACME_INVALID,
	ACME_DEACTIVATED,
	ACME_EXPIRED,
	ACME_REVOKED
};

struct acme_order_new {
	const char *const *names; /* A-labels, or "*." before one */
	size_t n_names;
	const char *profile;  /* NULL or empty: none */
	const char *replaces; /* CertID (RFC 9773 4.1); NULL: none */
};

struct acme_order {
	char url[ACME_URL_MAX];
	enum acme_status status;
	int64_t expires_s; /* 0: not said */
	char finalize[ACME_URL_MAX];
	char certificate[ACME_URL_MAX]; /* empty until valid */
	size_t n_authorizations;
	char (*authorizations)[ACME_URL_MAX]; /* malloc'd */
	size_t n_names;
	char (*names)[256]; /* malloc'd; "ip:192.0.2.1" for no DNS name */
	char profile[64];   /* empty: not said */
	struct acme_problem problem; /* of an invalid one; .type 0: none */
	int64_t retry_after_ms;      /* from now; -1: not said */
};
void acme_order_done(struct acme_order *order);

STATUS acme_order_new(struct acme *acme, const struct acme_account *account,
    const struct acme_order_new *wanted, struct acme_order *ret_order,
    struct acme_problem *ret_problem);
STATUS acme_order_get(struct acme *acme, const struct acme_account *account,
    const char *url, struct acme_order *ret_order,
    struct acme_problem *ret_problem);
/* A pending or ready order of these names in the account's list (7.1.2.1), for
 * one whose URL was lost; *ret_found = false also when the CA keeps no list.
 * Many requests: pages of the list, and its newest orders one by one; what is
 * not found in 8 times the time of one is not looked for further. */
STATUS acme_order_find(struct acme *acme, const struct acme_account *account,
    const struct acme_order_new *wanted, struct acme_order *ret_order,
    bool *ret_found, struct acme_problem *ret_problem);

/* ---- authorizations and challenges (7.5, 8) ---- */

enum acme_challenge_type {
	ACME_HTTP_01,
	ACME_DNS_01,
	ACME_DNS_PERSIST_01,
	ACME_CHALLENGE_TYPES
};
const char *acme_challenge_name(enum acme_challenge_type type);

struct acme_challenge {
	bool is_offered;
	char url[ACME_URL_MAX];
	char token[ACME_TOKEN_MAX];
	enum acme_status status;
	struct acme_problem problem; /* .type 0: none */
	/* dns-persist-01: names that the record may begin with. */
	char issuer_domain[256];
};

struct acme_authorization {
	char name[256]; /* with "*." when it is a wildcard's */
	enum acme_status status;
	int64_t expires_s;
	struct acme_challenge challenges[ACME_CHALLENGE_TYPES];
	int64_t retry_after_ms;
};

STATUS acme_authorization_get(struct acme *acme,
    const struct acme_account *account, const char *url,
    struct acme_authorization *ret_authorization,
    struct acme_problem *ret_problem);
/* Pending ones are given back to the CA's limits (7.5.2). */
STATUS acme_authorization_deactivate(struct acme *acme,
    const struct acme_account *account, const char *url,
    struct acme_problem *ret_problem);
/* "It is in place" (7.5.1).  OK also when the CA is at it already. */
STATUS acme_challenge_answer(struct acme *acme,
    const struct acme_account *account, const char *url,
    struct acme_problem *ret_problem);

/* token "." thumbprint (8.1), and its base64url SHA-256 for a TXT (8.4). */
void acme_key_authorization(const char *token, const char *thumbprint,
    char ret_text[ACME_KEY_AUTHORIZATION_MAX]);
void acme_dns_value(const char *key_authorization, char ret_value[44]);

/* ---- certificates ---- */

/* csr is DER.  The order is then processing, or valid already; its url is empty
 * when the CA does not repeat it. */
STATUS acme_order_finalize(struct acme *acme,
    const struct acme_account *account, const char *finalize_url,
    struct bytes csr, struct acme_order *ret_order,
    struct acme_problem *ret_problem);

/*
 * The chain, malloc'd PEM, leaf first (7.4.2), each certificate signed by the
 * one behind it; a leaf alone is a chain, and whether it is the leaf that was
 * asked for is the caller's to see.  With preferred not empty, of the
 * alternates, each of which is a request, the first whose topmost certificate's
 * issuer has that common name, else the CA's default and *ret_is_preferred =
 * false.  An alternate that is none is passed over; for one that may come later
 * the default is returned, and *ret_problem says what keeps it.
 */
STATUS acme_certificate_get(struct acme *acme,
    const struct acme_account *account, const char *url, const char *preferred,
    char **ret_chain_pem, bool *ret_is_preferred,
    struct acme_problem *ret_problem);

/* RFC 5280 5.3.1 number.  OK also when it is revoked already. */
STATUS acme_certificate_revoke(struct acme *acme,
    const struct acme_account *account, struct bytes cert_der, int reason,
    struct acme_problem *ret_problem);

/* ---- renewal information (RFC 9773) ---- */

#define ACME_CERT_ID_MAX 128
/* FAILED_PRECONDITION: it has no authority key identifier. */
STATUS acme_cert_id(struct bytes cert_der, char ret_id[ACME_CERT_ID_MAX]);

struct acme_renewal_info {
	int64_t window_start_s, window_end_s;
	char explanation_url[ACME_URL_MAX]; /* empty: none; any origin */
	int64_t retry_after_s;              /* within 60..86,400 (4.3.2) */
};
/* UNIMPLEMENTED: the directory has none. */
STATUS acme_renewal_info(struct acme *acme, const char *cert_id,
    struct acme_renewal_info *ret_info, struct acme_problem *ret_problem);

#endif
