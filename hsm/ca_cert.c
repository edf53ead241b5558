/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Builds the identity CA's certificates (RFC 5280, and the X.509-SVID profile
 * of SPIFFE) and has them signed by a key that lives in the token.  Runs in the
 * CA's worker.  Who may have which identity is decided in keyd; what is refused
 * here is what would make a certificate wrong: an issuer that is not of this
 * key, a subject key that is not P-256, a lifetime past the issuer's.
 */

#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/signing.h"
#include "hsm/ca_wire.h"

#define SERIAL_LEN 16
/* Clocks of members may be behind. */
#define BACKDATE_S 300

SCOPED_RELEASE(X509_free, X509 *);
SCOPED_RELEASE(EVP_PKEY_free, EVP_PKEY *);
SCOPED_RELEASE(X509_EXTENSION_free, X509_EXTENSION *);
SCOPED_RELEASE(GENERAL_NAMES_free, GENERAL_NAMES *);
SCOPED_RELEASE(BN_free, BIGNUM *);

static bool
set_serial(X509 *cert, char ret_hex[41])
{
	scoped(BN_free) BIGNUM *number = NULL;
	uint8_t serial[SERIAL_LEN];

	if (RAND_bytes(serial, sizeof(serial)) != 1)
		return false;
	/* Positive, and always of the full length (RFC 5280 4.1.2.2). */
	serial[0] = (uint8_t)((serial[0] & 0x3f) | 0x40);
	number = BN_bin2bn(serial, sizeof(serial), NULL);
	if (number == NULL ||
	    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) == NULL)
		return false;
	bytes_to_hex((struct bytes){ serial, sizeof(serial) }, ret_hex);
	return true;
}

static bool
set_times(X509 *cert, int64_t not_before_s, int64_t not_after_s)
{
	return ASN1_TIME_adj(X509_getm_notBefore(cert), not_before_s, 0, 0) !=
		   NULL &&
	       ASN1_TIME_adj(X509_getm_notAfter(cert), not_after_s, 0, 0) !=
		   NULL;
}

static bool
add_name(X509_NAME *name, int nid, const char *text)
{
	return X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8,
		   (const unsigned char *)text, -1, -1, 0) == 1;
}

static bool
add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	scoped(X509_EXTENSION_free) X509_EXTENSION *extension = NULL;
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	return extension != NULL && X509_add_ext(cert, extension, -1) == 1;
}

static bool
add_general_name(GENERAL_NAMES *names, int type, const char *text)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_IA5STRING *value = ASN1_IA5STRING_new();

	if (name == NULL || value == NULL ||
	    ASN1_STRING_set(value, text, -1) != 1) {
		GENERAL_NAME_free(name);
		ASN1_IA5STRING_free(value);
		return false;
	}
	GENERAL_NAME_set0_value(name, type, value);
	if (sk_GENERAL_NAME_push(names, name) <= 0) {
		GENERAL_NAME_free(name);
		return false;
	}
	return true;
}

/* The SPIFFE ID, and the DNS name when there is one. */
static bool
add_subject_alt_names(X509 *cert, const char *uri, const char *dns)
{
	scoped(GENERAL_NAMES_free) GENERAL_NAMES *names =
	    sk_GENERAL_NAME_new_null();

	return names != NULL && add_general_name(names, GEN_URI, uri) &&
	       (dns == NULL || add_general_name(names, GEN_DNS, dns)) &&
	       X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0) == 1;
}

static enum ca_why
finish(X509 *cert, EVP_PKEY *key, struct hsm_cert *cert_out)
{
	uint8_t *at = cert_out->der;
	int len;

	ERR_clear_error();
	if (X509_sign(cert, key, EVP_sha256()) <= 0)
		return CA_WHY_SIGN;
	/* A token that signs with another key than it shows is caught here. */
	if (X509_verify(cert, key) != 1)
		return CA_WHY_SIGN;
	len = i2d_X509(cert, NULL);
	if (len <= 0 || (size_t)len > sizeof(cert_out->der))
		return CA_WHY_INTERNAL;
	cert_out->len = (size_t)i2d_X509(cert, &at);
	return CA_OK;
}

enum ca_why
ca_cert_root(EVP_PKEY *key, const char *domain, int64_t lifetime_s,
    struct hsm_cert *ret_cert)
{
	scoped(X509_free) X509 *cert = X509_new();
	const int64_t now_s = clock_wall_s();
	struct hsm_cert out = { .not_after_s = now_s + lifetime_s };
	char uri[SPIFFE_ID_MAX];
	X509_NAME *name;
	enum ca_why why;

	if (cert == NULL)
		return CA_WHY_INTERNAL;
	name = X509_get_subject_name(cert);
	if (!add_name(name, NID_organizationName, domain) ||
	    !add_name(name, NID_commonName, "Holdfast identity CA"))
		return CA_WHY_NAME;
	snprintf(uri, sizeof(uri), "spiffe://%s", domain);
	if (X509_set_version(cert, X509_VERSION_3) != 1 ||
	    !set_serial(cert, out.serial) ||
	    !set_times(cert, now_s - BACKDATE_S, out.not_after_s) ||
	    X509_set_issuer_name(cert, name) != 1 ||
	    X509_set_pubkey(cert, key) != 1 ||
	    !add_extension(cert, cert, NID_basic_constraints,
		"critical,CA:TRUE,pathlen:0") ||
	    !add_extension(cert, cert, NID_key_usage, "critical,keyCertSign") ||
	    !add_extension(cert, cert, NID_subject_key_identifier, "hash") ||
	    !add_subject_alt_names(cert, uri, NULL))
		return CA_WHY_INTERNAL;
	why = finish(cert, key, &out);
	if (why == CA_OK)
		*ret_cert = out;
	return why;
}

/* The issuer's certificate, which must be of the token's key and still good. */
static enum ca_why
read_issuer(EVP_PKEY *key, struct bytes der, X509 **ret_issuer,
    int64_t *ret_not_after_s)
{
	scoped(X509_free) X509 *issuer = NULL;
	const unsigned char *at = der.at;
	struct tm tm;

	issuer = d2i_X509(NULL, &at, (long)der.len);
	if (issuer == NULL || at != der.at + der.len ||
	    EVP_PKEY_eq(X509_get0_pubkey(issuer), key) != 1 ||
	    ASN1_TIME_to_tm(X509_get0_notAfter(issuer), &tm) != 1)
		return CA_WHY_ISSUER;
	*ret_not_after_s = timegm(&tm);
	if (*ret_not_after_s <= clock_wall_s())
		return CA_WHY_ISSUER_EXPIRED;
	*ret_issuer = issuer;
	issuer = NULL;
	return CA_OK;
}

static bool
name_subject(X509 *cert, const struct spiffe *identity)
{
	X509_NAME *name = X509_get_subject_name(cert);

	/* For people to read: the identity itself is the URI below. */
	return add_name(name, NID_organizationName, identity->domain) &&
	       add_name(name, NID_organizationalUnitName,
		   role_name(identity->role)) &&
	       add_name(name, NID_commonName, identity->name);
}

/* Who others connect to, and so has a DNS name and may pose as a server. */
static bool
role_serves(enum role role)
{
	return role == ROLE_KEYD || role == ROLE_CERTD;
}

static bool
extend_leaf(X509 *cert, X509 *issuer, const struct spiffe *identity)
{
	const bool serves = role_serves(identity->role);
	char uri[SPIFFE_ID_MAX], dns[SPIFFE_DOMAIN_MAX + 16];

	if (failed(spiffe_print(identity, uri)))
		return false;
	snprintf(dns, sizeof(dns), "%s.%s", role_name(identity->role),
	    identity->domain);
	return add_extension(
		   cert, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
	       add_extension(
		   cert, issuer, NID_key_usage, "critical,digitalSignature") &&
	       add_extension(cert, issuer, NID_ext_key_usage,
		   serves ? "clientAuth,serverAuth" : "clientAuth") &&
	       add_extension(
		   cert, issuer, NID_subject_key_identifier, "hash") &&
	       add_extension(cert, issuer, NID_authority_key_identifier,
		   "keyid:always") &&
	       add_subject_alt_names(cert, uri, serves ? dns : NULL);
}

enum ca_why
ca_cert_issue(EVP_PKEY *key, struct bytes issuer_der, struct bytes spki,
    const struct spiffe *identity, int64_t lifetime_s,
    struct hsm_cert *ret_cert)
{
	scoped(X509_free) X509 *issuer = NULL;
	scoped(X509_free) X509 *cert = X509_new();
	scoped(EVP_PKEY_free) EVP_PKEY *subject_key = NULL;
	const unsigned char *at = spki.at;
	const int64_t now_s = clock_wall_s();
	struct hsm_cert out = { 0 };
	int64_t issuer_not_after_s;
	enum ca_why why;

	why = read_issuer(key, issuer_der, &issuer, &issuer_not_after_s);
	if (why != CA_OK)
		return why;
	if (key_alg_of_spki(spki) != KEY_ALG_EC_P256)
		return CA_WHY_SUBJECT_KEY;
	subject_key = d2i_PUBKEY(NULL, &at, (long)spki.len);
	if (subject_key == NULL || EVP_PKEY_eq(subject_key, key) == 1)
		return CA_WHY_SUBJECT_KEY;
	out.not_after_s = now_s + lifetime_s;
	if (out.not_after_s > issuer_not_after_s)
		out.not_after_s = issuer_not_after_s;
	if (cert == NULL)
		return CA_WHY_INTERNAL;
	if (!name_subject(cert, identity))
		return CA_WHY_NAME;
	if (X509_set_version(cert, X509_VERSION_3) != 1 ||
	    !set_serial(cert, out.serial) ||
	    !set_times(cert, now_s - BACKDATE_S, out.not_after_s) ||
	    X509_set_issuer_name(cert, X509_get_subject_name(issuer)) != 1 ||
	    X509_set_pubkey(cert, subject_key) != 1 ||
	    !extend_leaf(cert, issuer, identity))
		return CA_WHY_INTERNAL;
	why = finish(cert, key, &out);
	if (why == CA_OK)
		*ret_cert = out;
	return why;
}
