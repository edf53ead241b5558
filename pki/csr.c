/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A PKCS#10 request for a key that is elsewhere.  It is built with OpenSSL, but
 * for its signature, which comes from outside and is verified before it counts.
 * Names are put into the extension as values, never as OpenSSL's configuration
 * text, so no name can bring another along.
 */

#include "pki/csr.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/der.h"
#include "pki/hostname.h"
#include "pki/pem.h"

#define COMMON_NAME_MAX 64 /* RFC 5280 A.1, ub-common-name */

struct csr {
	X509_REQ *req;
	EVP_PKEY *key;
	const struct csr_alg *alg;
	unsigned char *info; /* OpenSSL's memory */
	size_t info_len;
	/* The first name is the common name; else it is this one, if any. While
	 * the request is built. */
	bool is_first_common;
	const char *common_name;
	bool is_signed;
};

struct csr_alg {
	enum key_alg alg;
	enum sign_scheme scheme;
	int nid;        /* signature algorithm identifier */
	int parameters; /* V_ASN1_NULL for RSA, RFC 4055 5 */
};

static const struct csr_alg algs[] = {
	{ KEY_ALG_EC_P256, SCHEME_ECDSA_SECP256R1_SHA256, NID_ecdsa_with_SHA256,
	    V_ASN1_UNDEF },
	{ KEY_ALG_EC_P384, SCHEME_ECDSA_SECP384R1_SHA384, NID_ecdsa_with_SHA384,
	    V_ASN1_UNDEF },
	{ KEY_ALG_RSA_2048, SCHEME_RSA_PKCS1_SHA256,
	    NID_sha256WithRSAEncryption, V_ASN1_NULL },
	{ KEY_ALG_RSA_3072, SCHEME_RSA_PKCS1_SHA256,
	    NID_sha256WithRSAEncryption, V_ASN1_NULL },
	{ KEY_ALG_RSA_4096, SCHEME_RSA_PKCS1_SHA256,
	    NID_sha256WithRSAEncryption, V_ASN1_NULL },
	{ KEY_ALG_ED25519, SCHEME_ED25519, NID_ED25519, V_ASN1_UNDEF },
};

static const struct csr_alg *
find_alg(enum key_alg alg)
{
	for (size_t i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
		if (algs[i].alg == alg)
			return &algs[i];
	}
	return NULL;
}

enum sign_scheme
csr_scheme(enum key_alg alg)
{
	const struct csr_alg *found = find_alg(alg);

	return found == NULL ? (enum sign_scheme)0 : found->scheme;
}

static inline void
scoped_general_names_free(GENERAL_NAMES **at)
{
	GENERAL_NAMES_free(*at);
}

static inline void
scoped_extensions_free(STACK_OF(X509_EXTENSION) * *at)
{
	sk_X509_EXTENSION_pop_free(*at, X509_EXTENSION_free);
}

static inline void
scoped_algor_free(X509_ALGOR **at)
{
	X509_ALGOR_free(*at);
}

static struct status
no_memory(char *ret_why)
{
	ERR_clear_error();
	snprintf(ret_why, CSR_WHY_MAX, "there is not enough memory");
	return status_fail(
	    STATUS_RESOURCE_EXHAUSTED, "there is not enough memory");
}

static struct status
refuse(char *ret_why, const char *why)
{
	ERR_clear_error();
	snprintf(ret_why, CSR_WHY_MAX, "%s", why);
	return status_fail(
	    STATUS_INVALID_ARGUMENT, "no request can be made of this");
}

/* ---- names ---- */

/* Four or sixteen octets of an address; 0: it is none. */
static size_t
parse_address(const char *text, uint8_t ret_octets[16])
{
	if (inet_pton(AF_INET, text, ret_octets) == 1)
		return 4;
	return inet_pton(AF_INET6, text, ret_octets) == 1 ? 16 : 0;
}

static bool
push(GENERAL_NAMES *names, int type, struct bytes octets)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_STRING *value = ASN1_STRING_type_new(
	    type == GEN_DNS ? V_ASN1_IA5STRING : V_ASN1_OCTET_STRING);

	if (name == NULL || value == NULL ||
	    ASN1_STRING_set(value, octets.at, (int)octets.len) != 1) {
		ASN1_STRING_free(value);
		GENERAL_NAME_free(name);
		return false;
	}
	GENERAL_NAME_set0_value(name, type, value);
	if (sk_GENERAL_NAME_push(names, name) > 0)
		return true;
	GENERAL_NAME_free(name);
	return false;
}

/* A common name, where it fits. */
static bool
set_subject(X509_REQ *req, const char *name)
{
	X509_NAME *subject = X509_NAME_new();
	bool ok = subject != NULL;

	if (ok && strlen(name) <= COMMON_NAME_MAX)
		ok = X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
			 (const unsigned char *)name, -1, -1, 0) == 1;
	ok = ok && X509_REQ_set_subject_name(req, subject) == 1;
	X509_NAME_free(subject);
	return ok;
}

static struct status
take_name(
    struct csr *csr, GENERAL_NAMES *names, const char *text, char *ret_why)
{
	const bool is_first =
	    csr->is_first_common && sk_GENERAL_NAME_num(names) == 0;
	char name[HOSTNAME_MAX];
	uint8_t address[16];
	const size_t len = parse_address(text, address);
	struct status st;

	if (len > 0) {
		if ((is_first && !set_subject(csr->req, text)) ||
		    !push(names, GEN_IPADD, (struct bytes){ address, len }))
			return no_memory(ret_why);
		return status_ok();
	}
	_Static_assert(HOSTNAME_WHY_MAX <= CSR_WHY_MAX, "a reason fits");
	st = hostname_normalize(text, name, ret_why);
	if (failed(st))
		return st;
	if ((is_first && !set_subject(csr->req, name)) ||
	    !push(names, GEN_DNS, bytes_of(name)))
		return no_memory(ret_why);
	return st;
}

static struct status
add_names(struct csr *csr, const char *const *names, size_t n, char *ret_why)
{
	scoped(general_names_free) GENERAL_NAMES *san = GENERAL_NAMES_new();
	scoped(extensions_free) STACK_OF(X509_EXTENSION) *extensions = NULL;
	struct status st = status_ok();

	if (san == NULL)
		return no_memory(ret_why);
	for (size_t i = 0; !failed(st) && i < n; i++)
		st = take_name(csr, san, names[i], ret_why);
	if (failed(st))
		return st;
	if (csr->common_name[0] != 0 &&
	    !set_subject(csr->req, csr->common_name))
		return no_memory(ret_why);
	if (X509V3_add1_i2d(&extensions, NID_subject_alt_name, san, 0,
		X509V3_ADD_DEFAULT) != 1 ||
	    X509_REQ_add_extensions(csr->req, extensions) != 1)
		return no_memory(ret_why);
	return st;
}

/* ---- the request ---- */

/* As its octets are: X509_REQ_set_pubkey would encode the key, and read it in
 * once more. */
static bool
put_spki(X509_PUBKEY *to, struct bytes spki)
{
	scoped(algor_free) X509_ALGOR *algor = NULL;
	struct bytes info, bits, unused;
	const unsigned char *at;
	const ASN1_OBJECT *oid;
	const void *value;
	void *octets;
	int type;

	if (!der_take(&spki, DER_SEQUENCE, &info))
		return false;
	at = info.at;
	algor = d2i_X509_ALGOR(NULL, &at, (long)info.len);
	if (algor == NULL)
		return false;
	info = (struct bytes){ at, info.len - (size_t)(at - info.at) };
	if (!der_take(&info, DER_BIT_STRING, &bits) ||
	    !bytes_take(&bits, 1, &unused) || unused.at[0] != 0)
		return false;
	X509_ALGOR_get0(&oid, &type, &value, algor);
	octets = OPENSSL_memdup(bits.at, bits.len);
	if (octets == NULL)
		return false;
	if (X509_PUBKEY_set0_param(to, OBJ_dup(oid), type,
		type == V_ASN1_OBJECT ? OBJ_dup(value) : NULL, octets,
		(int)bits.len) == 1)
		return true;
	OPENSSL_free(octets);
	return false;
}

static struct status
set_key(struct csr *csr, struct bytes spki, char *ret_why)
{
	const unsigned char *at = spki.at;

	csr->alg = find_alg(key_alg_of_spki(spki));
	if (csr->alg != NULL)
		csr->key = d2i_PUBKEY(NULL, &at, (long)spki.len);
	if (csr->key == NULL)
		return refuse(ret_why,
		    "the public key is damaged or of a kind that is not "
		    "supported");
	return X509_REQ_set_version(csr->req, 0) == 1 &&
		       put_spki(X509_REQ_get_X509_PUBKEY(csr->req), spki)
		   ? status_ok()
		   : no_memory(ret_why);
}

static struct status
build(struct csr *csr, struct bytes spki, const char *const *names, size_t n,
    char *ret_why)
{
	struct status st;
	int len;

	csr->req = X509_REQ_new();
	if (csr->req == NULL)
		return no_memory(ret_why);
	st = set_key(csr, spki, ret_why);
	if (!failed(st))
		st = add_names(csr, names, n, ret_why);
	if (failed(st))
		return st;
	len = i2d_re_X509_REQ_tbs(csr->req, &csr->info);
	if (len <= 0)
		return no_memory(ret_why);
	csr->info_len = (size_t)len;
	if (csr->info_len > SIGN_CONTENT_MAX)
		return refuse(ret_why,
		    "the names are too long together; ask for fewer of them");
	return st;
}

STATUS
csr_check_names(const char *const *names, size_t n_names, char *ret_why)
{
	struct status st = status_ok();
	char name[HOSTNAME_MAX];
	uint8_t address[16];

	if (n_names == 0 || n_names > CSR_NAMES_MAX)
		return refuse(ret_why, "a request is for 1 to 100 names");
	for (size_t i = 0; !failed(st) && i < n_names; i++) {
		if (parse_address(names[i], address) == 0)
			st = hostname_normalize(names[i], name, ret_why);
	}
	return st;
}

/* common_name NULL: the first of the names. */
static struct status
make(struct bytes spki, const char *common_name, const char *const *names,
    size_t n_names, struct csr **ret_csr, char *ret_why)
{
	struct csr *csr;
	struct status st;

	st = csr_check_names(names, n_names, ret_why);
	if (failed(st))
		return st;
	csr = calloc(1, sizeof(*csr));
	if (csr == NULL)
		return no_memory(ret_why);
	csr->is_first_common = common_name == NULL;
	csr->common_name = common_name == NULL ? "" : common_name;
	st = build(csr, spki, names, n_names, ret_why);
	csr->common_name = NULL;
	if (failed(st)) {
		csr_free(csr);
		return st;
	}
	*ret_csr = csr;
	return st;
}

STATUS
csr_new(struct bytes spki, const char *const *names, size_t n_names,
    struct csr **ret_csr, char *ret_why)
{
	return make(spki, NULL, names, n_names, ret_csr, ret_why);
}

STATUS
csr_new_named(struct bytes spki, const char *common_name,
    const char *const *names, size_t n_names, struct csr **ret_csr,
    char *ret_why)
{
	for (size_t i = 0; i < n_names && common_name[0] != 0; i++)
		if (strcmp(names[i], common_name) == 0)
			return make(spki, common_name, names, n_names, ret_csr,
			    ret_why);
	if (common_name[0] != 0)
		return refuse(ret_why, "the common name is none of the names");
	return make(spki, "", names, n_names, ret_csr, ret_why);
}

void
csr_free(struct csr *csr)
{
	if (csr == NULL)
		return;
	X509_REQ_free(csr->req);
	EVP_PKEY_free(csr->key);
	OPENSSL_free(csr->info);
	free(csr);
}

struct bytes
csr_info(const struct csr *csr)
{
	return (struct bytes){ csr->info, csr->info_len };
}

static bool
attach(X509_REQ *req, const struct csr_alg *alg, struct bytes signature)
{
	X509_ALGOR *identifier = X509_ALGOR_new();
	ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();
	bool ok = identifier != NULL && bits != NULL &&
		  X509_ALGOR_set0(identifier, OBJ_nid2obj(alg->nid),
		      alg->parameters, NULL) == 1 &&
		  X509_REQ_set1_signature_algo(req, identifier) == 1 &&
		  ASN1_BIT_STRING_set(bits, (uint8_t *)(uintptr_t)signature.at,
		      (int)signature.len) == 1;

	X509_ALGOR_free(identifier);
	if (!ok) {
		ASN1_BIT_STRING_free(bits);
		return false;
	}
	/* All bits count: without this trailing zero bits would be cut. */
	bits->flags &= ~(long)(ASN1_STRING_FLAG_BITS_LEFT | 0x07);
	bits->flags |= ASN1_STRING_FLAG_BITS_LEFT;
	X509_REQ_set0_signature(req, bits);
	return true;
}

STATUS
csr_sign(struct csr *csr, struct bytes signature)
{
	csr->is_signed = signature.len <= SIGNATURE_MAX &&
			 attach(csr->req, csr->alg, signature) &&
			 X509_REQ_verify(csr->req, csr->key) == 1;
	ERR_clear_error();
	if (!csr->is_signed)
		return status_fail(STATUS_DATA_LOSS,
		    "the signature over the request does not verify");
	return status_ok();
}

STATUS
csr_pem(const struct csr *csr, char **ret_pem)
{
	static const char label[] = "CERTIFICATE REQUEST"; /* RFC 7468 7 */
	unsigned char *der = NULL;
	char *text = NULL;
	int len;

	if (!csr->is_signed)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "the request is not signed yet");
	len = i2d_X509_REQ(csr->req, &der);
	if (len > 0)
		text = malloc(pem_encode_max(label, (size_t)len));
	if (text != NULL)
		pem_encode(label, (struct bytes){ der, (size_t)len }, text);
	OPENSSL_free(der);
	if (text == NULL)
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "there is not enough memory");
	*ret_pem = text;
	return status_ok();
}

STATUS
csr_der(const struct csr *csr, uint8_t **ret_der, size_t *ret_len)
{
	unsigned char *der = NULL;
	uint8_t *copy = NULL;
	int len;

	if (!csr->is_signed)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "the request is not signed yet");
	len = i2d_X509_REQ(csr->req, &der);
	if (len > 0)
		copy = malloc((size_t)len);
	if (copy != NULL)
		memcpy(copy, der, (size_t)len);
	OPENSSL_free(der);
	if (copy == NULL)
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "there is not enough memory");
	*ret_der = copy;
	*ret_len = (size_t)len;
	return status_ok();
}
