/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The shapes of what keyd signs, one function each, and the table of them at
 * the end: a new context is a function and a line there.  Those with a grammar
 * of their own are in context_csr.c and context_jws.c.  Shapes are exact, so
 * that no octet is left over for an attacker to choose, and disjoint, so that a
 * signature asked for in one context is worth nothing in another.  It refuses
 * bare digests, whose content nobody here can know.
 */

#include "keyd/context.h"

#include <string.h>

#include "keyd/context_int.h"

#define SPACES 64
#define RANDOMS 64 /* client_random and server_random, 32 octets each */

static const uint8_t spaces[SPACES + 1] =
    "                                                                ";
/* RFC 8446 4.4.3; the zero octet that ends the label is the string's own. */
static const char tls13_server_label[] = "TLS 1.3, server CertificateVerify";
static const char tls13_client_label[] = "TLS 1.3, client CertificateVerify";
#define LABEL sizeof(tls13_server_label)
_Static_assert(LABEL == sizeof(tls13_client_label), "labels are of one length");

static bool
starts_with(struct bytes content, const void *prefix, size_t len)
{
	return content.len >= len && memcmp(content.at, prefix, len) == 0;
}

/* A digest, or one in PKCS#1's DigestInfo (RFC 8017 9.2, SHA-2). */
static bool
is_digest(struct bytes content)
{
	static const uint8_t oid[] = { 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48,
		0x01, 0x65, 0x03, 0x04, 0x02 };

	switch (content.len) {
	case 20:
	case 28:
	case 32:
	case 48:
	case 64:
		return true;
	case 51:
	case 67:
	case 83:
		return content.at[0] == 0x30 &&
		       memcmp(content.at + 2, oid, sizeof(oid)) == 0;
	default:
		return false;
	}
}

/* What every TLS 1.3 signature starts with, whoever makes it. */
static bool
is_tls13(struct bytes content)
{
	return starts_with(content, spaces, SPACES);
}

/* Scheme, 64 spaces, a label, one transcript hash. */
static struct status
check_tls13(const struct context_ask *ask, const char *label,
    const char *other_label, const char *other_why)
{
	const struct sign_scheme_info *scheme = ask->scheme;
	const enum key_alg alg = ask->key->alg;
	struct bytes rest = ask->content;

	if (scheme->padding == SIGN_PADDING_PKCS1)
		return context_refuse(
		    "TLS 1.3 has no PKCS#1 v1.5 signatures: use PSS");
	/* RFC 8446 4.2.3: here, unlike in TLS 1.2, the curve fixes the hash. */
	if ((alg == KEY_ALG_EC_P256 &&
		scheme->scheme != SCHEME_ECDSA_SECP256R1_SHA256) ||
	    (alg == KEY_ALG_EC_P384 &&
		scheme->scheme != SCHEME_ECDSA_SECP384R1_SHA384))
		return context_refuse("in TLS 1.3 a P-256 key signs with "
				      "SHA-256 and a P-384 key with SHA-384");
	if (!is_tls13(rest))
		return context_refuse("not a TLS 1.3 CertificateVerify: it "
				      "must start with 64 spaces");
	rest.at += SPACES;
	rest.len -= SPACES;
	if (starts_with(rest, other_label, LABEL))
		return context_refuse(other_why);
	if (!starts_with(rest, label, LABEL))
		return context_refuse("not a TLS 1.3 CertificateVerify: its "
				      "label is another");
	rest.len -= LABEL;
	if (rest.len != 32 && rest.len != 48)
		return context_refuse("after the label exactly one transcript "
				      "hash of 32 or 48 octets must stand");
	return status_ok();
}

static struct status
check_tls13_server(const struct context_ask *ask)
{
	return check_tls13(ask, tls13_server_label, tls13_client_label,
	    "this is a client's CertificateVerify; the context says server");
}

static struct status
check_tls13_client(const struct context_ask *ask)
{
	return check_tls13(ask, tls13_client_label, tls13_server_label,
	    "this is a server's CertificateVerify; the context says client");
}

/* Octets of a public point of the named curve; 0 for curves not served. */
static size_t
point_len(unsigned curve)
{
	switch (curve) {
	case 23: /* secp256r1 */
		return 1 + 2 * 32;
	case 24: /* secp384r1 */
		return 1 + 2 * 48;
	case 25: /* secp521r1 */
		return 1 + 2 * 66;
	case 29: /* x25519 */
		return 32;
	case 30: /* x448 */
		return 56;
	default:
		return 0;
	}
}

/* The two randoms and ServerECDHParams (RFC 8422 5.4), nothing after. */
static STATUS
parse_tls12(struct bytes content)
{
	struct bytes randoms, params;
	unsigned curve;

	if (!bytes_take(&content, RANDOMS, &randoms) ||
	    !bytes_take(&content, 4, &params))
		return context_refuse("too short for two randoms and "
				      "ServerECDHParams");
	if (is_tls13(randoms))
		return context_refuse(
		    "64 spaces start a TLS 1.3 signature, no TLS 1.2 "
		    "one");
	if (params.at[0] != 3)
		return context_refuse("ServerECDHParams must name its curve "
				      "(curve_type 3)");
	curve = (unsigned)params.at[1] << 8 | params.at[2];
	if (point_len(curve) == 0)
		return context_refuse("the curve must be secp256r1, secp384r1, "
				      "secp521r1, x25519 or x448");
	if (params.at[3] != point_len(curve))
		return context_refuse(
		    "the point has not the length of its curve");
	if (content.len != params.at[3])
		return context_refuse(
		    "ServerECDHParams must end with its point");
	if (curve < 29 && content.at[0] != 4)
		return context_refuse(
		    "the point must be uncompressed (it starts with "
		    "4)");
	return status_ok();
}

static struct status
check_tls12_server_ecdhe(const struct context_ask *ask)
{
	return parse_tls12(ask->content);
}

/* Octets of the key's own public key, in DER that somebody is to sign. */
static bool
holds_own_key(const struct context_ask *ask)
{
	return ask->content.at[0] == 0x30 && ask->key->spki.len > 0 &&
	       memmem(ask->content.at, ask->content.len, ask->key->spki.at,
		   ask->key->spki.len) != NULL;
}

/*
 * Anything but what would be worth something as one of the others; looked at
 * more widely than those take it, for others read more leniently than keyd.
 */
static struct status
check_raw(const struct context_ask *ask)
{
	if (is_tls13(ask->content))
		return context_refuse("this is TLS 1.3 content: ask for it in "
				      "its own context, not as raw");
	if (!failed(parse_tls12(ask->content)))
		return context_refuse("this is a TLS 1.2 ServerKeyExchange: "
				      "ask for it in its own context, not as "
				      "raw");
	if (context_jws_shaped(ask->content))
		return context_refuse("this is a JWS: ask for it as acme_jws, "
				      "not as raw");
	if (holds_own_key(ask))
		return context_refuse("this speaks for the key itself, as a "
				      "CSR does: ask for it as csr, not as "
				      "raw");
	return status_ok();
}

typedef struct status (*check_fn)(const struct context_ask *ask);

static const check_fn checks[CONTEXT_END_] = {
	[CONTEXT_TLS13_SERVER] = check_tls13_server,
	[CONTEXT_TLS12_SERVER_ECDHE] = check_tls12_server_ecdhe,
	[CONTEXT_CSR] = context_csr_check,
	[CONTEXT_RAW] = check_raw,
	[CONTEXT_TLS13_CLIENT] = check_tls13_client,
	[CONTEXT_ACME_JWS] = context_jws_check,
};

STATUS
context_check(const struct context_rules *rules, enum sign_context context,
    unsigned scheme, const struct policy_key *key, struct bytes content,
    struct context_names *ret_names)
{
	const struct context_ask ask = { rules, sign_scheme_info(scheme), key,
		content, ret_names };

	ret_names->len = 0;
	ret_names->is_cut = false;
	if (context <= CONTEXT_NONE || context >= CONTEXT_END_)
		return context_refuse(
		    "name the context that the signature is for");
	if (ask.scheme == NULL)
		return context_refuse("the scheme is not a TLS SignatureScheme "
				      "that keyd knows");
	if (!sign_scheme_fits(ask.scheme->scheme, key->alg))
		return context_refuse("a key of this algorithm cannot sign "
				      "with this scheme");
	if (content.len == 0 || content.len > SIGN_CONTENT_MAX)
		return context_refuse("content must be 1 to 16,384 octets");
	if (context != CONTEXT_RAW && is_digest(content))
		return context_refuse("this looks like a digest: send the "
				      "octets to be signed, keyd hashes them "
				      "itself");
	return checks[context](&ask);
}
