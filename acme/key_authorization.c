/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What answers a challenge (RFC 8555 8): the token and the account key's
 * thumbprint, for HTTP as they are, for DNS hashed.
 */

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "acme/client.h"
#include "acme/jws.h"

STATUS
acme_thumbprint(struct bytes spki, char ret_thumbprint[ACME_THUMBPRINT_MAX])
{
	char jwk[ACME_JWK_MAX], text[ACME_BASE64URL_MAX(32)];
	struct status st = acme_jws_jwk(spki, jwk);
	uint8_t hash[32];

	if (failed(st))
		return st;
	if (EVP_Digest(jwk, strlen(jwk), hash, NULL, EVP_sha256(), NULL) != 1)
		return status_fail(STATUS_INTERNAL, "libcrypto could not hash");
	acme_jws_base64url((struct bytes){ hash, sizeof(hash) }, text);
	snprintf(ret_thumbprint, ACME_THUMBPRINT_MAX, "%s", text);
	return st;
}

void
acme_key_authorization(const char *token, const char *thumbprint,
    char ret_text[ACME_KEY_AUTHORIZATION_MAX])
{
	snprintf(
	    ret_text, ACME_KEY_AUTHORIZATION_MAX, "%s.%s", token, thumbprint);
}

void
acme_dns_value(const char *key_authorization, char ret_value[44])
{
	char text[ACME_BASE64URL_MAX(SHA256_DIGEST_LENGTH)];
	uint8_t hash[SHA256_DIGEST_LENGTH];

	SHA256((const uint8_t *)key_authorization, strlen(key_authorization),
	    hash);
	acme_jws_base64url((struct bytes){ hash, sizeof(hash) }, text);
	snprintf(ret_value, 44, "%s", text);
}
