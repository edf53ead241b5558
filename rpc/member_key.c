/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A member's key, its CSR, and the checks on the certificate it gets back.
 * Nothing here touches a file or the network.
 */

#include "rpc/member_key.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#define CA_CERTS_MAX 8

SCOPED_RELEASE(BIO_free_all, BIO *);
SCOPED_RELEASE(X509_REQ_free, X509_REQ *);
SCOPED_RELEASE(X509_STORE_free, X509_STORE *);
SCOPED_RELEASE(X509_STORE_CTX_free, X509_STORE_CTX *);
SCOPED_RELEASE(GENERAL_NAMES_free, GENERAL_NAMES *);

void
member_text_free(char *text)
{
	if (text != NULL)
		OPENSSL_cleanse(text, strlen(text));
	free(text);
}

/* What was written to a memory BIO, as a malloc'd string. */
static char *
text_of(BIO *bio)
{
	char *at, *text;
	long len = BIO_get_mem_data(bio, &at);

	if (len <= 0)
		return NULL;
	text = malloc((size_t)len + 1);
	if (text == NULL)
		return NULL;
	memcpy(text, at, (size_t)len);
	text[len] = '\0';
	return text;
}

static BIO *
reader_of(const char *text)
{
	return BIO_new_mem_buf(text, (int)strnlen(text, 1 << 20));
}

/* Encrypted keys are not asked a password for. */
static int
no_password(char *to, int max, int writing, void *ctx)
{
	(void)to, (void)max, (void)writing, (void)ctx;
	return -1;
}

EVP_PKEY *
member_key_new(void)
{
	return EVP_EC_gen("P-256");
}

bool
member_key_csr(EVP_PKEY *key, uint8_t ret_der[MEMBER_CSR_MAX], size_t *ret_len)
{
	scoped(X509_REQ_free) X509_REQ *csr = X509_REQ_new();
	uint8_t *at = ret_der;
	int len;

	if (csr == NULL || X509_REQ_set_version(csr, X509_REQ_VERSION_1) != 1 ||
	    X509_REQ_set_pubkey(csr, key) != 1 ||
	    X509_REQ_sign(csr, key, EVP_sha256()) <= 0)
		return false;
	len = i2d_X509_REQ(csr, NULL);
	if (len <= 0 || len > MEMBER_CSR_MAX)
		return false;
	*ret_len = (size_t)i2d_X509_REQ(csr, &at);
	return true;
}

char *
member_key_print(EVP_PKEY *key)
{
	/* Wiped by OpenSSL when it is freed. */
	scoped(BIO_free_all) BIO *bio = BIO_new(BIO_s_secmem());

	if (bio == NULL ||
	    PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
		return NULL;
	return text_of(bio);
}

EVP_PKEY *
member_key_parse(const char *pem)
{
	scoped(BIO_free_all) BIO *bio = reader_of(pem);

	return bio == NULL
		   ? NULL
		   : PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
}

char *
member_cert_print(X509 *cert)
{
	scoped(BIO_free_all) BIO *bio = BIO_new(BIO_s_mem());

	if (bio == NULL || PEM_write_bio_X509(bio, cert) != 1)
		return NULL;
	return text_of(bio);
}

X509 *
member_cert_parse(const char *pem)
{
	scoped(BIO_free_all) BIO *bio = reader_of(pem);

	return bio == NULL ? NULL
			   : PEM_read_bio_X509(bio, NULL, no_password, NULL);
}

/* Each CA of the text into the store and to out, whichever there is. */
static bool
read_cas(const char *pem, X509_STORE *store, BIO *out)
{
	scoped(BIO_free_all) BIO *bio = reader_of(pem);
	unsigned n = 0;

	ERR_clear_error();
	for (; bio != NULL; n++) {
		scoped(X509_free) X509 *ca =
		    PEM_read_bio_X509(bio, NULL, no_password, NULL);

		if (ca == NULL)
			break;
		if (n == CA_CERTS_MAX || X509_check_ca(ca) != 1 ||
		    (store != NULL && X509_STORE_add_cert(store, ca) != 1) ||
		    (out != NULL && PEM_write_bio_X509(out, ca) != 1))
			return false;
	}
	/* The end must have been the end, not something unreadable. */
	if (n == 0 ||
	    ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return false;
	ERR_clear_error();
	return true;
}

bool
member_ca_ok(const char *pem)
{
	return read_cas(pem, NULL, NULL);
}

char *
member_ca_print(const char *pem)
{
	scoped(BIO_free_all) BIO *out = BIO_new(BIO_s_mem());

	return out != NULL && read_cas(pem, NULL, out) ? text_of(out) : NULL;
}

static bool
has_identity(X509 *cert, const char *identity)
{
	scoped(GENERAL_NAMES_free) GENERAL_NAMES *names =
	    X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	const size_t len = strlen(identity);
	unsigned uris = 0, same = 0;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type != GEN_URI)
			continue;
		uris++;
		if ((size_t)ASN1_STRING_length(name->d.ia5) == len &&
		    memcmp(ASN1_STRING_get0_data(name->d.ia5), identity, len) ==
			0)
			same++;
	}
	return uris == 1 && same == 1;
}

static bool
chains_to(X509 *cert, const char *ca_pem)
{
	scoped(X509_STORE_free) X509_STORE *store = X509_STORE_new();
	scoped(X509_STORE_CTX_free) X509_STORE_CTX *ctx = X509_STORE_CTX_new();

	return store != NULL && ctx != NULL && read_cas(ca_pem, store, NULL) &&
	       X509_STORE_CTX_init(ctx, store, cert, NULL) == 1 &&
	       X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_CLIENT) == 1 &&
	       X509_verify_cert(ctx) == 1;
}

struct status
member_cert_check(
    X509 *cert, const char *ca_pem, EVP_PKEY *key, const char *identity)
{
	if (EVP_PKEY_eq(X509_get0_pubkey(cert), key) != 1)
		return status_fail(STATUS_DATA_LOSS, "is of another key");
	if (!has_identity(cert, identity))
		return status_fail(STATUS_DATA_LOSS, "is of another identity");
	if (!chains_to(cert, ca_pem))
		return status_fail(STATUS_DATA_LOSS,
		    "is not valid now under the identity CA that is known "
		    "here: check this machine's clock");
	return status_ok();
}

bool
member_cert_times(
    const X509 *cert, int64_t *ret_not_before_s, int64_t *ret_not_after_s)
{
	struct tm before, after;

	if (ASN1_TIME_to_tm(X509_get0_notBefore(cert), &before) != 1 ||
	    ASN1_TIME_to_tm(X509_get0_notAfter(cert), &after) != 1)
		return false;
	*ret_not_before_s = timegm(&before);
	*ret_not_after_s = timegm(&after);
	return true;
}
