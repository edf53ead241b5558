/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates for tests (cert_maker.h), good and bad: nothing here checks what
 * it is asked to make.
 */
#include "tests/unit/cert_maker.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
check(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "cert_maker: %s failed\n", what);
	abort();
}

static EVP_PKEY *
new_key(const char *kind)
{
	unsigned bits = 0;
	EVP_PKEY *key;

	if (kind == NULL)
		kind = "P-256";
	if (sscanf(kind, "RSA:%u", &bits) == 1)
		key = EVP_RSA_gen(bits);
	else if (strcmp(kind, "ED25519") == 0)
		key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	else
		key = EVP_EC_gen(
		    strcmp(kind, "compressed") == 0 ? "P-256" : kind);
	check(key != NULL, kind);
	if (strcmp(kind, "compressed") == 0)
		check(EVP_PKEY_set_utf8_string_param(key,
			  OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, kind),
		    kind);
	return key;
}

static void
add(X509 *cert, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *ext;

	if (value == NULL)
		return;
	X509V3_set_ctx(&context, cert, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	check(ext != NULL && X509_add_ext(cert, ext, -1), value);
	X509_EXTENSION_free(ext);
}

static void
add_raw_san(X509 *cert, const char *octets)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();

	check(ASN1_STRING_set(text, octets, -1), "ASN1_STRING_set");
	GENERAL_NAME_set0_value(name, GEN_DNS, text);
	check(
	    sk_GENERAL_NAME_push(names, name) > 0 &&
		X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0) == 1,
	    "X509_add1_ext_i2d");
	GENERAL_NAMES_free(names);
}

static void
set_name(X509_NAME *name, const struct maker *maker)
{
	if (maker->org != NULL)
		check(X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8,
			  (const unsigned char *)maker->org, -1, -1, 0),
		    "O");
	if (maker->cn != NULL)
		check(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
			  (const unsigned char *)maker->cn, -1, -1, 0),
		    "CN");
}

static void
set_times(X509 *cert, const struct maker *maker)
{
	const bool is_usual = maker->from_day == 0 && maker->to_day == 0;
	const long from = is_usual ? -1 : maker->from_day;
	const long to = is_usual ? 90 : maker->to_day;

	check(ASN1_TIME_set(X509_getm_notBefore(cert),
		  MAKER_NOW_S + from * MAKER_DAY_S) != NULL &&
		  ASN1_TIME_set(X509_getm_notAfter(cert),
		      MAKER_NOW_S + to * MAKER_DAY_S) != NULL,
	    "ASN1_TIME_set");
}

static void
set_extensions(X509 *cert, const struct maker *maker)
{
	if (maker->is_v1)
		return;
	add(cert, NID_basic_constraints,
	    maker->is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	add(cert, NID_subject_alt_name, maker->san);
	add(cert, NID_ext_key_usage, maker->eku);
	add(cert, NID_key_usage, maker->ku);
	if (maker->raw_san != NULL)
		add_raw_san(cert, maker->raw_san);
}

static char *
text_of(BIO *bio)
{
	char *at;
	long len = BIO_get_mem_data(bio, &at);
	char *text = strndup(at, (size_t)len);

	check(text != NULL, "strndup");
	BIO_free(bio);
	return text;
}

static void
print(struct made *made)
{
	unsigned char *der = NULL;
	BIO *bio = BIO_new(BIO_s_mem());
	int len = i2d_X509(made->x509, &der);

	check(len > 0, "i2d_X509");
	made->der = (struct bytes){ der, (size_t)len };
	check(PEM_write_bio_X509(bio, made->x509), "PEM_write_bio_X509");
	made->pem = text_of(bio);
	bio = BIO_new(BIO_s_mem());
	check(
	    PEM_write_bio_PrivateKey(bio, made->key, NULL, NULL, 0, NULL, NULL),
	    "PEM_write_bio_PrivateKey");
	made->key_pem = text_of(bio);
}

static void
sign(const struct made *made, const struct maker *maker)
{
	const struct made *signer = maker->signer;
	const EVP_MD *hash = NULL;

	if (signer == NULL)
		signer = maker->issuer == NULL ? made : maker->issuer;
	if (maker->hash == NULL || strcmp(maker->hash, "none") != 0)
		hash = EVP_get_digestbyname(
		    maker->hash == NULL ? "SHA256" : maker->hash);
	check(X509_sign(made->x509, signer->key, hash) > 0, "X509_sign");
}

struct made *
made_new(const struct maker *maker)
{
	static long serial = 0x1000;
	struct made *made = calloc(1, sizeof(*made));
	const X509_NAME *issuer;

	check(made != NULL, "calloc");
	made->x509 = X509_new();
	made->key = maker->same_key == NULL ? new_key(maker->key)
					    : maker->same_key->key;
	if (maker->same_key != NULL)
		EVP_PKEY_up_ref(made->key);
	check(X509_set_version(
		  made->x509, maker->is_v1 ? X509_VERSION_1 : X509_VERSION_3),
	    "X509_set_version");
	ASN1_INTEGER_set(X509_get_serialNumber(made->x509), serial++);
	set_name(X509_get_subject_name(made->x509), maker);
	issuer = X509_get_subject_name(
	    maker->issuer == NULL ? made->x509 : maker->issuer->x509);
	check(X509_set_issuer_name(made->x509, issuer), "issuer");
	check(X509_set_pubkey(made->x509, made->key), "X509_set_pubkey");
	set_times(made->x509, maker);
	set_extensions(made->x509, maker);
	sign(made, maker);
	print(made);
	return made;
}

void
made_free(struct made *made)
{
	if (made == NULL)
		return;
	X509_free(made->x509);
	EVP_PKEY_free(made->key);
	OPENSSL_free((void *)(uintptr_t)made->der.at);
	free(made->pem);
	free(made->key_pem);
	free(made);
}
