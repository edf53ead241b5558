/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A JWS in one buffer: the protected header and the payload are encoded where
 * they will stand, joined by a dot while they are signed, and then moved apart
 * by what JSON has between them.  Texts that would need escapes in JSON are
 * refused, for neither URLs nor nonces have any.
 */

#include "acme/jws.h"

#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/der.h"

#define HEADER_MAX (ACME_JWK_MAX + 2 * ACME_URL_MAX + 512)

static const char OPEN[] = "{\"protected\":\"";
static const char BETWEEN[] = "\",\"payload\":\"";
static const char THEN[] = "\",\"signature\":\"";
static const char CLOSE[] = "\"}";

static const struct algorithm {
	enum key_alg alg;
	const char *name;  /* RFC 7518 3.1 */
	const char *curve; /* NULL: RSA */
	size_t half;       /* octets of r, of s and of a coordinate */
} algorithms[] = {
	{ KEY_ALG_EC_P256, "ES256", "P-256", 32 },
	{ KEY_ALG_EC_P384, "ES384", "P-384", 48 },
	{ KEY_ALG_RSA_2048, "RS256", NULL, 0 },
	{ KEY_ALG_RSA_3072, "RS256", NULL, 0 },
	{ KEY_ALG_RSA_4096, "RS256", NULL, 0 },
};

static const struct algorithm *
algorithm_of(enum key_alg alg)
{
	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]);
	     i++) {
		if (algorithms[i].alg == alg)
			return &algorithms[i];
	}
	return NULL;
}

static struct status
refuse(char *ret_why, const char *why)
{
	snprintf(ret_why, ACME_SIGN_WHY_MAX, "%s", why);
	return status_fail(STATUS_INVALID_ARGUMENT, "this makes no JWS");
}

static struct status
no_memory(char *ret_why)
{
	snprintf(ret_why, ACME_SIGN_WHY_MAX, "there is not enough memory");
	return status_fail(
	    STATUS_RESOURCE_EXHAUSTED, "there is not enough memory");
}

size_t
acme_jws_base64url(struct bytes octets, char *ret_text)
{
	size_t len = base64_encode(octets, ret_text);

	while (len > 0 && ret_text[len - 1] == '=')
		len--;
	ret_text[len] = '\0';
	for (size_t i = 0; i < len; i++) {
		if (ret_text[i] == '+')
			ret_text[i] = '-';
		else if (ret_text[i] == '/')
			ret_text[i] = '_';
	}
	return len;
}

/* ---- keys ---- */

/* An INTEGER without the zero octet that keeps it positive. */
static bool
take_unsigned(struct bytes *from, struct bytes *ret_number)
{
	if (!der_take(from, DER_INTEGER, ret_number) || ret_number->len == 0)
		return false;
	if (ret_number->at[0] == 0) {
		ret_number->at++;
		ret_number->len--;
	}
	return true;
}

static bool
print_rsa(struct bytes key, char ret_jwk[ACME_JWK_MAX])
{
	char n_text[ACME_BASE64URL_MAX(512)], e_text[ACME_BASE64URL_MAX(8)];
	struct bytes pair, n, e;

	if (!der_take(&key, DER_SEQUENCE, &pair) || !take_unsigned(&pair, &n) ||
	    !take_unsigned(&pair, &e) || n.len > 512 || e.len > 8)
		return false;
	acme_jws_base64url(n, n_text);
	acme_jws_base64url(e, e_text);
	snprintf(ret_jwk, ACME_JWK_MAX,
	    "{\"e\":\"%s\",\"kty\":\"RSA\",\"n\":\"%s\"}", e_text, n_text);
	return true;
}

static bool
print_point(const struct algorithm *algorithm, struct bytes point,
    char ret_jwk[ACME_JWK_MAX])
{
	char x[ACME_BASE64URL_MAX(48)], y[ACME_BASE64URL_MAX(48)];
	const size_t half = algorithm->half;

	/* 0x04: uncompressed (RFC 5480 2.2) */
	if (point.len != 1 + 2 * half || point.at[0] != 4)
		return false;
	acme_jws_base64url((struct bytes){ point.at + 1, half }, x);
	acme_jws_base64url((struct bytes){ point.at + 1 + half, half }, y);
	snprintf(ret_jwk, ACME_JWK_MAX,
	    "{\"crv\":\"%s\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}",
	    algorithm->curve, x, y);
	return true;
}

STATUS
acme_jws_jwk(struct bytes spki, char ret_jwk[ACME_JWK_MAX])
{
	const struct algorithm *algorithm = algorithm_of(key_alg_of_spki(spki));
	struct bytes info, ignored, key;

	if (algorithm == NULL || !der_take(&spki, DER_SEQUENCE, &info) ||
	    !der_take(&info, DER_SEQUENCE, &ignored) ||
	    !der_take(&info, DER_BIT_STRING, &key) ||
	    !bytes_take(&key, 1, &ignored) ||
	    !(algorithm->curve == NULL ? print_rsa(key, ret_jwk)
				       : print_point(algorithm, key, ret_jwk)))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "an ACME account's key is EC P-256, EC P-384 or RSA");
	return status_ok();
}

/* ---- signatures ---- */

bool
acme_jws_raw_signature(struct bytes der, size_t half, uint8_t *ret_at)
{
	struct bytes pair, numbers[2];

	if (!der_take(&der, DER_SEQUENCE, &pair) || der.len != 0 ||
	    !take_unsigned(&pair, &numbers[0]) ||
	    !take_unsigned(&pair, &numbers[1]) || pair.len != 0 ||
	    numbers[0].len > half || numbers[1].len > half)
		return false;
	memset(ret_at, 0, 2 * half);
	for (size_t i = 0; i < 2; i++)
		memcpy(ret_at + (i + 1) * half - numbers[i].len, numbers[i].at,
		    numbers[i].len);
	return true;
}

static struct status
sign(const struct acme_signer *signer, const struct algorithm *algorithm,
    struct bytes input, struct signature *ret_signature, char *ret_why)
{
	struct signature made;
	struct status st;

	ret_why[0] = '\0';
	st = signer->sign(signer->ctx, input, &made, ret_why);
	if (failed(st)) {
		if (ret_why[0] == '\0')
			snprintf(ret_why, ACME_SIGN_WHY_MAX, "%s", st.why);
		return st;
	}
	if (algorithm->curve == NULL) {
		*ret_signature = made;
		return st;
	}
	if (!acme_jws_raw_signature((struct bytes){ made.at, made.len },
		algorithm->half, ret_signature->at))
		return refuse(ret_why, "the signature is no ECDSA signature "
				       "of the account's kind of key");
	ret_signature->len = 2 * algorithm->half;
	return st;
}

/* ---- the whole ---- */

/* May it stand in JSON as it is? */
static bool
is_plain(const char *text)
{
	for (const char *c = text; *c != '\0'; c++) {
		if (*c < ' ' || *c >= 0x7f || *c == '"' || *c == '\\')
			return false;
	}
	return true;
}

static struct status
print_header(const struct acme_jws *jws, const struct algorithm *algorithm,
    char ret_header[HEADER_MAX], char *ret_why)
{
	const char *nonce = jws->nonce == NULL ? "" : jws->nonce;
	char key[ACME_JWK_MAX + ACME_URL_MAX];
	char jwk[ACME_JWK_MAX];
	struct status st;
	int len;

	if (!is_plain(nonce) || !is_plain(jws->url) ||
	    (jws->kid != NULL && !is_plain(jws->kid)))
		return refuse(ret_why, "a URL or nonce has characters that "
				       "it must not have");
	if (jws->kid != NULL) {
		snprintf(key, sizeof(key), "\"kid\":\"%s\"", jws->kid);
	} else {
		st = acme_jws_jwk(jws->signer->spki, jwk);
		if (failed(st))
			return refuse(ret_why, st.why);
		snprintf(key, sizeof(key), "\"jwk\":%s", jwk);
	}
	len = snprintf(ret_header, HEADER_MAX,
	    "{\"alg\":\"%s\",%s%s%s%s,\"url\":\"%s\"}", algorithm->name, key,
	    jws->nonce == NULL ? "" : ",\"nonce\":\"", nonce,
	    jws->nonce == NULL ? "" : "\"", jws->url);
	if (len < 0 || len >= HEADER_MAX)
		return refuse(ret_why, "the URLs are too long");
	return status_ok();
}

/* Where things stand in the buffer. */
struct layout {
	char *text;
	size_t input_len, header_len; /* encoded */
};

/* Room for all, and the signing input behind OPEN. */
static bool
lay_out(const char *header, const char *payload, struct layout *ret_layout)
{
	const struct bytes parts[] = { bytes_of(header), bytes_of(payload) };
	const size_t max = sizeof(OPEN) + sizeof(BETWEEN) + sizeof(THEN) +
			   sizeof(CLOSE) + ACME_BASE64URL_MAX(parts[0].len) +
			   ACME_BASE64URL_MAX(parts[1].len) +
			   ACME_BASE64URL_MAX(SIGNATURE_MAX);
	char *text = malloc(max), *input;

	if (text == NULL)
		return false;
	memcpy(text, OPEN, sizeof(OPEN) - 1);
	input = text + sizeof(OPEN) - 1;
	ret_layout->text = text;
	ret_layout->header_len = acme_jws_base64url(parts[0], input);
	input[ret_layout->header_len] = '.';
	ret_layout->input_len =
	    ret_layout->header_len + 1 +
	    acme_jws_base64url(parts[1], input + ret_layout->header_len + 1);
	return true;
}

static struct bytes
input_of(const struct layout *layout)
{
	return (struct bytes){ (const uint8_t *)layout->text + sizeof(OPEN) - 1,
		layout->input_len };
}

/* BETWEEN takes the dot's place, and the signature follows. */
static void
finish(struct layout *layout, struct bytes signature)
{
	const size_t payload_len = layout->input_len - layout->header_len - 1;
	char *at = layout->text + sizeof(OPEN) - 1 + layout->header_len;

	memmove(at + sizeof(BETWEEN) - 1, at + 1, payload_len);
	memcpy(at, BETWEEN, sizeof(BETWEEN) - 1);
	at += sizeof(BETWEEN) - 1 + payload_len;
	memcpy(at, THEN, sizeof(THEN) - 1);
	at += sizeof(THEN) - 1;
	at += acme_jws_base64url(signature, at);
	memcpy(at, CLOSE, sizeof(CLOSE));
}

STATUS
acme_jws_make(const struct acme_jws *jws, char **ret_body, char *ret_why)
{
	const struct algorithm *algorithm = algorithm_of(jws->signer->alg);
	struct layout layout = { .text = NULL };
	char header[HEADER_MAX];
	struct signature signature;
	struct status st;

	if (algorithm == NULL)
		return refuse(ret_why, "an ACME account's key is EC P-256, EC "
				       "P-384 or RSA");
	st = print_header(jws, algorithm, header, ret_why);
	if (failed(st))
		return st;
	if (!lay_out(header, jws->payload, &layout))
		return no_memory(ret_why);
	st = sign(
	    jws->signer, algorithm, input_of(&layout), &signature, ret_why);
	if (failed(st)) {
		free(layout.text);
		return st;
	}
	finish(&layout, (struct bytes){ signature.at, signature.len });
	*ret_body = layout.text;
	return st;
}

STATUS
acme_jws_bind(const char *kid, struct bytes mac_key, const char *url,
    struct bytes spki, char **ret_body, char *ret_why)
{
	char header[HEADER_MAX], jwk[ACME_JWK_MAX];
	struct layout layout = { .text = NULL };
	struct status st = acme_jws_jwk(spki, jwk);
	unsigned len = 0;
	uint8_t mac[32];
	int header_len;

	if (failed(st))
		return refuse(ret_why, st.why);
	header_len = snprintf(header, sizeof(header),
	    "{\"alg\":\"HS256\",\"kid\":\"%s\",\"url\":\"%s\"}", kid, url);
	if (!is_plain(kid) || !is_plain(url) || header_len < 0 ||
	    (size_t)header_len >= sizeof(header))
		return refuse(ret_why,
		    "the external account's key id is too long or has "
		    "characters that it must not have");
	if (mac_key.len == 0 || mac_key.len > 4096)
		return refuse(ret_why, "the external account's MAC key is "
				       "empty or too long");
	if (!lay_out(header, jwk, &layout))
		return no_memory(ret_why);
	if (HMAC(EVP_sha256(), mac_key.at, (int)mac_key.len,
		input_of(&layout).at, input_of(&layout).len, mac,
		&len) == NULL) {
		free(layout.text);
		return no_memory(ret_why);
	}
	finish(&layout, (struct bytes){ mac, len });
	*ret_body = layout.text;
	return status_ok();
}
