/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The JWS signing input of an ACME request (RFC 8555 6.2; RFC 7515 5.1).  The
 * protected header is all there is to see: it must be JSON with exactly the
 * members that RFC 8555 has, none twice, its algorithm that of the key, its
 * key this very key, its URLs on hosts that the configuration allows.  Refused:
 * extensions ("crit", "b64"), base64url that is padded or has a second
 * spelling, and all else.  JSON is taken in by jansson, the one place of the
 * signing path that allocates.
 */

#include <jansson.h>
#include <string.h>

#include "base/der.h"
#include "base/scoped.h"
#include "keyd/context_int.h"

static inline void
scoped_json_decref(json_t **at)
{
	json_decref(*at);
}

#define DECODED_MAX (SIGN_CONTENT_MAX / 4 * 3 + 3)
#define MEMBER_MAX 516 /* octets of an RSA-4096 modulus, and a few */

/* ---- base64url ---- */

static int
sextet(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/*
 * Strict (RFC 7515 2): no padding, and only the shortest spelling, so that no
 * two texts decode to the same octets.  ret_at holds 3 octets for each 4 of
 * text, and 3 more.
 */
static bool
decode(struct bytes text, uint8_t *ret_at, size_t *ret_len)
{
	uint32_t bits = 0;
	unsigned n_bits = 0;
	size_t n = 0;

	if (text.len % 4 == 1)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		int value = sextet(text.at[i]);

		if (value < 0)
			return false;
		bits = bits << 6 | (uint32_t)value;
		n_bits += 6;
		if (n_bits >= 8) {
			n_bits -= 8;
			ret_at[n++] = (uint8_t)(bits >> n_bits);
		}
	}
	*ret_len = n;
	return (bits & ((1u << n_bits) - 1)) == 0;
}

/* As lenient as any reader is: both alphabets, line ends and padding skipped.
 */
bool
context_jws_shaped(struct bytes content)
{
	const uint8_t *dot = memchr(content.at, '.', content.len);
	uint32_t bits = 0;
	unsigned n_bits = 0;
	bool is_json = false, is_decided = false;

	if (dot == NULL)
		return false;
	for (const uint8_t *c = content.at; c < dot; c++) {
		int value = *c == '+' ? 62 : *c == '/' ? 63 : sextet(*c);
		uint8_t octet;

		if (*c == '\r' || *c == '\n' || *c == '=' || *c == ' ' ||
		    *c == '\t')
			continue;
		if (value < 0)
			return false;
		bits = bits << 6 | (uint32_t)value;
		n_bits += 6;
		if (n_bits < 8)
			continue;
		n_bits -= 8;
		octet = (uint8_t)(bits >> n_bits);
		if (is_decided || octet == ' ' || octet == '\t' ||
		    octet == '\r' || octet == '\n')
			continue;
		is_json = octet == '{';
		is_decided = true;
	}
	return is_json;
}

/* ---- members ---- */

static struct bytes
text_of(const json_t *value)
{
	if (!json_is_string(value))
		return (struct bytes){ NULL, 0 };
	return (struct bytes){ (const uint8_t *)json_string_value(value),
		json_string_length(value) };
}

static bool
text_is(const json_t *value, const char *text)
{
	return json_is_string(value) &&
	       bytes_equal(text_of(value), bytes_of(text));
}

static bool
is_on_allowed_host(const struct context_rules *rules, struct bytes url)
{
	static const char HTTPS[] = "https://";
	const size_t head = sizeof(HTTPS) - 1;
	const uint8_t *path;
	struct bytes host;

	if (rules == NULL || url.len <= head ||
	    memcmp(url.at, HTTPS, head) != 0)
		return false;
	for (size_t i = 0; i < url.len; i++)
		if (url.at[i] <= ' ' || url.at[i] >= 0x7f ||
		    strchr("\\\"<>^`{|}#", url.at[i]) != NULL)
			return false;
	host = (struct bytes){ url.at + head, url.len - head };
	path = memchr(host.at, '/', host.len);
	if (path == NULL)
		return false;
	host.len = (size_t)(path - host.at);
	for (size_t i = 0; i < rules->n_acme_hosts; i++)
		if (bytes_equal(host, bytes_of(rules->acme_hosts[i])))
			return true;
	return false;
}

/* RFC 8555 6.2 and RFC 7518 3.1: one algorithm for each kind of key. */
static const struct {
	enum key_alg alg;
	enum sign_scheme scheme;
	const char *name;
} ALGORITHMS[] = {
	{ KEY_ALG_EC_P256, SCHEME_ECDSA_SECP256R1_SHA256, "ES256" },
	{ KEY_ALG_EC_P384, SCHEME_ECDSA_SECP384R1_SHA384, "ES384" },
	{ KEY_ALG_RSA_2048, SCHEME_RSA_PKCS1_SHA256, "RS256" },
	{ KEY_ALG_RSA_3072, SCHEME_RSA_PKCS1_SHA256, "RS256" },
	{ KEY_ALG_RSA_4096, SCHEME_RSA_PKCS1_SHA256, "RS256" },
	{ KEY_ALG_ED25519, SCHEME_ED25519, "EdDSA" },
};

static bool
alg_fits(const struct context_ask *ask, const json_t *alg)
{
	for (size_t i = 0; i < sizeof(ALGORITHMS) / sizeof(ALGORITHMS[0]); i++)
		if (ALGORITHMS[i].alg == ask->key->alg)
			return ALGORITHMS[i].scheme == ask->scheme->scheme &&
			       text_is(alg, ALGORITHMS[i].name);
	return false;
}

/* ---- the key ---- */

/* A member of a jwk: base64url of exactly these octets. */
static bool
is_octets(const json_t *jwk, const char *name, struct bytes octets)
{
	uint8_t at[MEMBER_MAX + 3];
	const struct bytes text = text_of(json_object_get(jwk, name));
	size_t len = 0;

	return text.at != NULL && text.len <= MEMBER_MAX / 3 * 4 &&
	       decode(text, at, &len) &&
	       bytes_equal((struct bytes){ at, len }, octets);
}

/* What stands in the SPKI's BIT STRING. */
static bool
public_key_of(struct bytes spki, struct bytes *ret_key)
{
	struct bytes info, algorithm, key;

	if (!der_take(&spki, DER_SEQUENCE, &info) ||
	    !der_take(&info, DER_SEQUENCE, &algorithm) ||
	    !der_take(&info, DER_BIT_STRING, &key) || key.len < 2)
		return false;
	*ret_key = (struct bytes){ key.at + 1, key.len - 1 };
	return true;
}

static bool
is_point(const json_t *jwk, const char *curve, struct bytes point)
{
	const size_t half = (point.len - 1) / 2;

	return json_object_size(jwk) == 4 &&
	       text_is(json_object_get(jwk, "kty"), "EC") &&
	       text_is(json_object_get(jwk, "crv"), curve) &&
	       is_octets(jwk, "x", (struct bytes){ point.at + 1, half }) &&
	       is_octets(jwk, "y", (struct bytes){ point.at + 1 + half, half });
}

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
is_rsa(const json_t *jwk, struct bytes key)
{
	struct bytes pair, n, e;

	return json_object_size(jwk) == 3 &&
	       text_is(json_object_get(jwk, "kty"), "RSA") &&
	       der_take(&key, DER_SEQUENCE, &pair) &&
	       take_unsigned(&pair, &n) && take_unsigned(&pair, &e) &&
	       is_octets(jwk, "n", n) && is_octets(jwk, "e", e);
}

static bool
is_okp(const json_t *jwk, struct bytes key)
{
	return json_object_size(jwk) == 3 &&
	       text_is(json_object_get(jwk, "kty"), "OKP") &&
	       text_is(json_object_get(jwk, "crv"), "Ed25519") &&
	       is_octets(jwk, "x", key);
}

/* Is the jwk (RFC 7517) this key, and nothing beside? */
static bool
is_this_key(const struct policy_key *key, const json_t *jwk)
{
	struct bytes public;

	if (!json_is_object(jwk) || !public_key_of(key->spki, &public))
		return false;
	switch (key->alg) {
	case KEY_ALG_EC_P256:
		return is_point(jwk, "P-256", public);
	case KEY_ALG_EC_P384:
		return is_point(jwk, "P-384", public);
	case KEY_ALG_ED25519:
		return is_okp(jwk, public);
	case KEY_ALG_RSA_2048:
	case KEY_ALG_RSA_3072:
	case KEY_ALG_RSA_4096:
		return is_rsa(jwk, public);
	case KEY_ALG_NONE:
	default:
		return false;
	}
}

/* ---- the header ---- */

/* The members of RFC 8555 6.2 and no others. */
static bool
has_only_known(json_t *header)
{
	static const char *const KNOWN[] = { "alg", "nonce", "url", "jwk",
		"kid" };
	size_t n = 0;

	for (size_t i = 0; i < sizeof(KNOWN) / sizeof(KNOWN[0]); i++)
		n += json_object_get(header, KNOWN[i]) != NULL;
	return n == json_object_size(header);
}

static bool
is_nonce(const json_t *nonce)
{
	const struct bytes text = text_of(nonce);

	for (size_t i = 0; i < text.len; i++)
		if (sextet(text.at[i]) < 0)
			return false;
	return text.len > 0;
}

static struct status
check_header(const struct context_ask *ask, json_t *header)
{
	const json_t *jwk = json_object_get(header, "jwk");
	const json_t *kid = json_object_get(header, "kid");
	const json_t *nonce = json_object_get(header, "nonce");
	const json_t *url = json_object_get(header, "url");

	if (json_is_string(url))
		context_name_add(ask->names, text_of(url));
	if (!has_only_known(header))
		return context_refuse("an ACME request's protected header "
				      "holds alg, nonce, url and jwk or kid, "
				      "and nothing else");
	if (!alg_fits(ask, json_object_get(header, "alg")))
		return context_refuse("the JWS's alg is not that of the key "
				      "and scheme (ES256, ES384, RS256, "
				      "EdDSA)");
	if ((jwk == NULL) == (kid == NULL))
		return context_refuse("a JWS names its key by jwk or by kid, "
				      "one of the two");
	if (jwk != NULL && !is_this_key(ask->key, jwk))
		return context_refuse("the JWS's jwk is not this key");
	if (!is_on_allowed_host(ask->rules, text_of(url)) ||
	    (kid != NULL && !is_on_allowed_host(ask->rules, text_of(kid))))
		return context_refuse("the JWS's url or kid is not https on a "
				      "host of signing.acme_hosts: add the "
				      "CA's host there");
	/* Only the inner JWS of a key change (RFC 8555 7.3.5) has none. */
	if (nonce == NULL ? jwk == NULL : !is_nonce(nonce))
		return context_refuse("the JWS has no nonce");
	return status_ok();
}

struct status
context_jws_check(const struct context_ask *ask)
{
	scoped(json_decref) json_t *header = NULL;
	uint8_t octets[DECODED_MAX];
	struct bytes text = ask->content, payload;
	const uint8_t *dot = memchr(text.at, '.', text.len);
	size_t len = 0;

	if (dot == NULL)
		return context_refuse("not a JWS signing input: protected "
				      "header, \".\", payload");
	text.len = (size_t)(dot - text.at);
	payload = (struct bytes){ dot + 1, ask->content.len - text.len - 1 };
	if (!decode(payload, octets, &len) || !decode(text, octets, &len))
		return context_refuse("the JWS is not in base64url without "
				      "padding");
	header =
	    json_loadb((const char *)octets, len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(header))
		return context_refuse("the JWS's protected header is not a "
				      "JSON object, or names a member twice");
	return check_header(ask, header);
}
