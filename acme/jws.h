/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACME_JWS_H
#define ACME_JWS_H

#include <stddef.h>

#include "acme/client.h"
#include "base/bytes.h"
#include "base/status.h"

/* Requests signed as RFC 8555 6.2 wants them: flattened JSON (RFC 7515 7.2.2)
 * with EC P-256, EC P-384 or RSA.  Any thread. */

/* Octets without a zero become BASE64URL_MAX characters and a zero. */
#define ACME_BASE64URL_MAX(octets) (((octets) + 2) / 3 * 4 + 1)
size_t acme_jws_base64url(struct bytes octets, char *ret_text);

/* The public key as JSON, its members in RFC 7638's order.
 * INVALID_ARGUMENT: a kind of key that ACME has no algorithm for. */
#define ACME_JWK_MAX 800 /* RSA-4096 */
STATUS acme_jws_jwk(struct bytes spki, char ret_jwk[ACME_JWK_MAX]);

struct acme_jws {
	const struct acme_signer *signer;
	const char *kid;   /* the account's URL; NULL: the key itself (jwk) */
	const char *nonce; /* NULL: none (the inner one of a key change) */
	const char *url;
	const char *payload; /* JSON; "" for POST-as-GET (6.3) */
};

/*
 * *ret_body: malloc'd JSON.  Whatever the signer says when it fails, with its
 * words in ret_why (ACME_SIGN_WHY_MAX); INVALID_ARGUMENT: a key or text that
 * fits no JWS.
 */
STATUS acme_jws_make(
    const struct acme_jws *jws, char **ret_body, char *ret_why);

/* The external account binding (7.3.4) of a key, by HMAC-SHA256. */
STATUS acme_jws_bind(const char *kid, struct bytes mac_key, const char *url,
    struct bytes spki, char **ret_body, char *ret_why);

/* For tests of its own: r and s of so many octets, out of DER (RFC 3279
 * 2.2.3). */
bool acme_jws_raw_signature(struct bytes der, size_t half, uint8_t *ret_at);

#endif
