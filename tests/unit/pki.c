/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate authority of a few lines, for tests (pki.h). */
#include "tests/unit/pki.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pki_ca {
	EVP_PKEY *key;
	X509 *cert;
	char *pem;
};

static void
check(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "pki: %s failed\n", what);
	abort();
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

static char *
cert_text(X509 *cert)
{
	BIO *bio = BIO_new(BIO_s_mem());

	check(PEM_write_bio_X509(bio, cert), "PEM_write_bio_X509");
	return text_of(bio);
}

static void
add_extension(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	check(ext != NULL && X509_add_ext(cert, ext, -1), value);
	X509_EXTENSION_free(ext);
}

static X509 *
make_cert(const char *name, EVP_PKEY *key, long life_s)
{
	static long serial = 1;
	X509 *cert = X509_new();
	X509_NAME *subject = X509_get_subject_name(cert);

	check(X509_set_version(cert, X509_VERSION_3), "version");
	ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), life_s);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
	    (const unsigned char *)name, -1, -1, 0);
	check(X509_set_pubkey(cert, key), "pubkey");
	return cert;
}

struct pki_ca *
pki_ca_new(const char *name)
{
	struct pki_ca *ca = calloc(1, sizeof(*ca));

	check(ca != NULL, "calloc");
	ca->key = EVP_EC_gen("P-256");
	check(ca->key != NULL, "EVP_EC_gen");
	ca->cert = make_cert(name, ca->key, 3600);
	X509_set_issuer_name(ca->cert, X509_get_subject_name(ca->cert));
	add_extension(ca->cert, NID_basic_constraints, "critical,CA:TRUE");
	add_extension(ca->cert, NID_key_usage, "critical,keyCertSign");
	check(X509_sign(ca->cert, ca->key, EVP_sha256()), "X509_sign");
	ca->pem = cert_text(ca->cert);
	return ca;
}

void
pki_ca_free(struct pki_ca *ca)
{
	if (ca == NULL)
		return;
	EVP_PKEY_free(ca->key);
	X509_free(ca->cert);
	free(ca->pem);
	free(ca);
}

const char *
pki_ca_pem(const struct pki_ca *ca)
{
	return ca->pem;
}

struct pki_leaf
pki_leaf_new(struct pki_ca *ca, const char *san, long life_s)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	struct pki_leaf leaf;

	check(key != NULL, "EVP_EC_gen");
	X509 *cert = make_cert("leaf", key, life_s);
	X509_set_issuer_name(cert, X509_get_subject_name(ca->cert));
	if (san != NULL)
		add_extension(cert, NID_subject_alt_name, san);
	check(X509_sign(cert, ca->key, EVP_sha256()), "X509_sign");
	leaf.cert_pem = cert_text(cert);
	BIO *bio = BIO_new(BIO_s_mem());
	check(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL),
	    "PEM_write_bio_PrivateKey");
	leaf.key_pem = text_of(bio);
	X509_free(cert);
	EVP_PKEY_free(key);
	return leaf;
}

void
pki_leaf_free(struct pki_leaf *leaf)
{
	free(leaf->cert_pem);
	free(leaf->key_pem);
}
