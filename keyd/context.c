/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The shapes of what keyd signs, one function each, and the table of them at
 * the end: a new context is a function and a line there.  Shapes are exact, so
 * that no octet is left over for an attacker to choose, and disjoint, so that a
 * signature asked for in one context is worth nothing in another.  It refuses
 * bare digests, whose content nobody here can know.
 */

#include "keyd/context.h"

#include <string.h>

#include "base/der.h"

#define SPACES 64
#define RANDOMS 64 /* client_random and server_random, 32 octets each */

static const uint8_t spaces[SPACES + 1] =
    "                                                                ";
/* RFC 8446 4.4.3; the zero octet that ends the label is the string's own. */
static const char tls13_server_label[] = "TLS 1.3, server CertificateVerify";
static const char tls13_client_label[] = "TLS 1.3, client CertificateVerify";

static struct status
refuse(const char *why)
{
	return status_fail(STATUS_INVALID_ARGUMENT, why);
}

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

static STATUS
check_tls13_server(const struct sign_scheme_info *scheme,
    const struct policy_key *key, struct bytes content)
{
	const size_t head = SPACES + sizeof(tls13_server_label);

	if (scheme->padding == SIGN_PADDING_PKCS1)
		return refuse("TLS 1.3 has no PKCS#1 v1.5 signatures: use PSS");
	/* RFC 8446 4.2.3: here, unlike in TLS 1.2, the curve fixes the hash. */
	if ((key->alg == KEY_ALG_EC_P256 &&
		scheme->scheme != SCHEME_ECDSA_SECP256R1_SHA256) ||
	    (key->alg == KEY_ALG_EC_P384 &&
		scheme->scheme != SCHEME_ECDSA_SECP384R1_SHA384))
		return refuse("in TLS 1.3 a P-256 key signs with SHA-256 and a "
			      "P-384 key with SHA-384");
	if (!starts_with(content, spaces, SPACES))
		return refuse("not a TLS 1.3 CertificateVerify: it must start "
			      "with 64 spaces");
	content.at += SPACES;
	content.len -= SPACES;
	if (starts_with(
		content, tls13_client_label, sizeof(tls13_client_label)))
		return refuse("this is a client's CertificateVerify; the "
			      "context says server");
	if (!starts_with(
		content, tls13_server_label, sizeof(tls13_server_label)))
		return refuse("not a TLS 1.3 server CertificateVerify: its "
			      "label is another");
	content.len -= head - SPACES;
	if (content.len != 32 && content.len != 48)
		return refuse("after the label exactly one transcript hash of "
			      "32 or 48 octets must stand");
	return status_ok();
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
		return refuse("too short for two randoms and "
			      "ServerECDHParams");
	if (is_tls13(randoms))
		return refuse("64 spaces start a TLS 1.3 signature, no TLS 1.2 "
			      "one");
	if (params.at[0] != 3)
		return refuse("ServerECDHParams must name its curve "
			      "(curve_type 3)");
	curve = (unsigned)params.at[1] << 8 | params.at[2];
	if (point_len(curve) == 0)
		return refuse("the curve must be secp256r1, secp384r1, "
			      "secp521r1, x25519 or x448");
	if (params.at[3] != point_len(curve))
		return refuse("the point has not the length of its curve");
	if (content.len != params.at[3])
		return refuse("ServerECDHParams must end with its point");
	if (curve < 29 && content.at[0] != 4)
		return refuse("the point must be uncompressed (it starts with "
			      "4)");
	return status_ok();
}

static STATUS
check_tls12_server_ecdhe(const struct sign_scheme_info *scheme,
    const struct policy_key *key, struct bytes content)
{
	(void)scheme;
	(void)key;
	return parse_tls12(content);
}

/* A row of elements of tag inner, each an OID and then something. */
static bool
is_list_of_typed(struct bytes list, enum der_tag inner)
{
	while (list.len > 0) {
		struct bytes element, oid;

		if (!der_take(&list, inner, &element) ||
		    !der_take(&element, (enum der_tag)0x06, &oid) ||
		    oid.len == 0 || element.len < 2)
			return false;
	}
	return true;
}

/* RDNSequence (RFC 5280 4.1.2.4); the empty name is one too. */
static bool
is_name(struct bytes name)
{
	while (name.len > 0) {
		struct bytes rdn;

		if (!der_take(&name, (enum der_tag)0x31, &rdn) ||
		    rdn.len == 0 || !is_list_of_typed(rdn, DER_SEQUENCE))
			return false;
	}
	return true;
}

/* CertificationRequestInfo (RFC 2986 4.1) of this very key. */
static STATUS
check_csr(const struct sign_scheme_info *scheme, const struct policy_key *key,
    struct bytes content)
{
	struct bytes info, version, name, attributes;

	if (scheme->padding == SIGN_PADDING_PSS)
		return refuse("CSRs are signed with PKCS#1 v1.5, not PSS");
	if (!der_take(&content, DER_SEQUENCE, &info) || content.len != 0)
		return refuse("not a DER CertificationRequestInfo with nothing "
			      "after it");
	if (!der_take(&info, DER_INTEGER, &version) || version.len != 1 ||
	    version.at[0] != 0)
		return refuse("the CSR's version must be v1 (0)");
	if (!der_take(&info, DER_SEQUENCE, &name) || !is_name(name))
		return refuse("the CSR's subject is not a name in DER");
	if (key->spki.len == 0 ||
	    !starts_with(info, key->spki.at, key->spki.len))
		return refuse("the CSR is not for this key: its public key is "
			      "another");
	info.at += key->spki.len;
	info.len -= key->spki.len;
	if (!der_take(&info, (enum der_tag)0xa0, &attributes) ||
	    info.len != 0 || !is_list_of_typed(attributes, DER_SEQUENCE))
		return refuse("the CSR must end with its attributes ([0], may "
			      "be empty)");
	return status_ok();
}

/* Anything but what would be worth something as one of the others. */
static STATUS
check_raw(const struct sign_scheme_info *scheme, const struct policy_key *key,
    struct bytes content)
{
	(void)scheme;
	(void)key;
	if (is_tls13(content))
		return refuse("this is TLS 1.3 content: ask for it in its own "
			      "context, not as raw");
	if (!failed(parse_tls12(content)))
		return refuse("this is a TLS 1.2 ServerKeyExchange: ask for it "
			      "in its own context, not as raw");
	return status_ok();
}

static STATUS
check_reserved(const struct sign_scheme_info *scheme,
    const struct policy_key *key, struct bytes content)
{
	(void)scheme;
	(void)key;
	(void)content;
	return status_fail(STATUS_FAILED_PRECONDITION,
	    "this context is reserved: this keyd does not sign in it yet");
}

typedef struct status (*check_fn)(const struct sign_scheme_info *scheme,
    const struct policy_key *key, struct bytes content);

static const check_fn checks[CONTEXT_END_] = {
	[CONTEXT_TLS13_SERVER] = check_tls13_server,
	[CONTEXT_TLS12_SERVER_ECDHE] = check_tls12_server_ecdhe,
	[CONTEXT_CSR] = check_csr,
	[CONTEXT_RAW] = check_raw,
	[CONTEXT_TLS13_CLIENT] = check_reserved,
	[CONTEXT_ACME_JWS] = check_reserved,
};

STATUS
context_check(enum sign_context context, unsigned scheme,
    const struct policy_key *key, struct bytes content)
{
	const struct sign_scheme_info *info = sign_scheme_info(scheme);

	if (context <= CONTEXT_NONE || context >= CONTEXT_END_)
		return refuse("name the context that the signature is for");
	if (info == NULL)
		return refuse("the scheme is not a TLS SignatureScheme that "
			      "keyd knows");
	if (!sign_scheme_fits(info->scheme, key->alg))
		return refuse("a key of this algorithm cannot sign with this "
			      "scheme");
	if (content.len == 0 || content.len > SIGN_CONTENT_MAX)
		return refuse("content must be 1 to 16,384 octets");
	if (context != CONTEXT_RAW && is_digest(content))
		return refuse("this looks like a digest: send the octets to be "
			      "signed, keyd hashes them itself");
	return checks[context](info, key, content);
}
