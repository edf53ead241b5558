/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfast key csr: a PKCS#10 request (RFC 2986) for a key in the token.  The
 * request is built here; keyd is sent its CertificationRequestInfo, checks that
 * it is for that very key, and signs it.  The signature is verified before the
 * request is handed out.
 */

#include <openssl/asn1.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/holdfast/keyd/v1/signer.pb-c.h"
#include "tools/key.h"

#define NAMES_MAX 100
#define SAN_TEXT_MAX (NAMES_MAX * 260)

static void
free_request(X509_REQ *req)
{
	X509_REQ_free(req);
}
SCOPED_RELEASE(free_request, X509_REQ *);

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
find_alg(int alg)
{
	for (size_t i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
		if ((int)algs[i].alg == alg)
			return &algs[i];
	}
	return NULL;
}

/* Letters, digits, '-', '.', ':' and a leading "*.": no room to slip another
 * name or field into the extension. */
static bool
name_ok(const char *name)
{
	const char *rest = strncmp(name, "*.", 2) == 0 ? name + 2 : name;

	return rest[0] != '\0' && strlen(name) <= 253 &&
	       strspn(rest,
		   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		   "0123456789-.:_") == strlen(rest);
}

static bool
is_address(const char *name)
{
	ASN1_OCTET_STRING *address = a2i_IPADDRESS(name);
	bool is = address != NULL;

	ASN1_OCTET_STRING_free(address);
	return is;
}

static bool
add_names(X509_REQ *req, int n, char **names)
{
	char *text = malloc(SAN_TEXT_MAX);
	STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
	X509_EXTENSION *san = NULL;
	size_t used = 0;
	bool ok = text != NULL && extensions != NULL;

	for (int i = 0; ok && i < n; i++) {
		used += (size_t)snprintf(text + used, SAN_TEXT_MAX - used,
		    "%s%s:%s", i == 0 ? "" : ",",
		    is_address(names[i]) ? "IP" : "DNS", names[i]);
	}
	if (ok)
		san =
		    X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, text);
	ok = san != NULL && sk_X509_EXTENSION_push(extensions, san) > 0;
	if (ok)
		san = NULL;
	ok = ok && X509_REQ_add_extensions(req, extensions) == 1;
	X509_EXTENSION_free(san);
	sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
	free(text);
	return ok;
}

/* The request without its signature. */
static X509_REQ *
build_request(const ProtobufCBinaryData *spki, int n, char **names)
{
	const unsigned char *at = spki->data;
	EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)spki->len);
	X509_REQ *req = X509_REQ_new();
	X509_NAME *subject = X509_NAME_new();
	bool ok = key != NULL && req != NULL && subject != NULL;

	/* A common name holds 64 characters (RFC 5280 A.1); SANs are what
	 * count. */
	if (ok && strlen(names[0]) <= 64)
		ok = X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
			 (const unsigned char *)names[0], -1, -1, 0) == 1;
	ok = ok && X509_REQ_set_version(req, 0) == 1 &&
	     X509_REQ_set_subject_name(req, subject) == 1 &&
	     X509_REQ_set_pubkey(req, key) == 1 && add_names(req, n, names);
	X509_NAME_free(subject);
	EVP_PKEY_free(key);
	if (!ok) {
		X509_REQ_free(req);
		return NULL;
	}
	return req;
}

static bool
attach_signature(X509_REQ *req, const struct csr_alg *alg,
    const ProtobufCBinaryData *signature)
{
	X509_ALGOR *identifier = X509_ALGOR_new();
	ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();
	bool ok = identifier != NULL && bits != NULL &&
		  X509_ALGOR_set0(identifier, OBJ_nid2obj(alg->nid),
		      alg->parameters, NULL) == 1 &&
		  X509_REQ_set1_signature_algo(req, identifier) == 1 &&
		  ASN1_BIT_STRING_set(
		      bits, signature->data, (int)signature->len) == 1;

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

/* keyd signs the CertificationRequestInfo; 0 or an exit code after printing. */
static int
sign_request(struct cli *cli, X509_REQ *req, const struct csr_alg *alg,
    const ProtobufCBinaryData *key_id)
{
	Holdfast__Keyd__V1__SignRequest request =
	    HOLDFAST__KEYD__V1__SIGN_REQUEST__INIT;
	Holdfast__Keyd__V1__SignResponse *response;
	ProtobufCMessage *reply = NULL;
	unsigned char *info = NULL;
	int len = i2d_re_X509_REQ_tbs(req, &info);
	bool ok;
	int rc;

	if (len <= 0)
		return cli_fail(EXIT_REFUSED, "the request cannot be encoded");
	request.key_id = *key_id;
	request.scheme = alg->scheme;
	request.context = (Holdfast__Keyd__V1__Context)CONTEXT_CSR;
	request.content = (ProtobufCBinaryData){ (size_t)len, info };
	request.timeout_ms = cli->timeout_ms;
	rc = cli_call(cli, &holdfast__keyd__v1__signer__descriptor, "Sign",
	    &request.base, &reply);
	OPENSSL_free(info);
	if (rc != 0)
		return rc;
	response = (Holdfast__Keyd__V1__SignResponse *)reply;
	ok = attach_signature(req, alg, &response->signature) &&
	     X509_REQ_verify(req, X509_REQ_get0_pubkey(req)) == 1;
	protobuf_c_message_free_unpacked(reply, NULL);
	if (!ok)
		return cli_fail(EXIT_REFUSED,
		    "keyd's signature does not verify; nothing was written");
	return 0;
}

int
cli_key_csr(struct cli *cli, int argc, char **argv)
{
	const char *path = cli_option(&argc, argv, "-o");
	scoped(free_request) X509_REQ *req = NULL;
	Holdfast__Keyd__V1__Key *key = NULL;
	const struct csr_alg *alg;
	BIO *pem = NULL;
	char *text = NULL;
	int rc;

	if (!cli_rest(
		argc, argv, 2, NAMES_MAX + 1, "key csr KEY NAME... [-o FILE]"))
		return EXIT_USAGE;
	for (int i = 1; i < argc; i++) {
		if (!name_ok(argv[i]))
			return cli_fail(EXIT_USAGE,
			    "\"%s\" is not a host name or an address", argv[i]);
	}
	rc = cli_get_key(cli, argv[0], &key);
	if (rc != 0)
		return rc;
	alg = find_alg((int)key->algorithm);
	if (alg != NULL)
		req = build_request(&key->spki, argc - 1, argv + 1);
	if (req == NULL)
		rc = cli_fail(
		    EXIT_REFUSED, "no request can be made for %s", key->label);
	else
		rc = sign_request(cli, req, alg, &key->id);
	protobuf_c_message_free_unpacked(&key->base, NULL);
	if (rc != 0)
		return rc;
	pem = BIO_new(BIO_s_mem());
	if (pem == NULL || PEM_write_bio_X509_REQ(pem, req) != 1 ||
	    BIO_write(pem, "", 1) != 1 || BIO_get_mem_data(pem, &text) <= 0)
		rc = cli_fail(EXIT_REFUSED, "the request cannot be written");
	else
		rc = cli_write_file(path, text);
	BIO_free(pem);
	return rc;
}
