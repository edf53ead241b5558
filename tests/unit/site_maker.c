/* SPDX-License-Identifier: Apache-2.0 */
/* Sites as certd would send them (site_maker.h). */
#include "tests/unit/site_maker.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

static void
check(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "site maker: %s failed\n", what);
	abort();
}

/* Generated once a process; RSA takes its time. */
static EVP_PKEY *
key_of(enum site_kind kind)
{
	static EVP_PKEY *keys[SITE_KINDS];

	if (keys[kind] == NULL)
		keys[kind] = kind == SITE_EC ? EVP_EC_gen("P-256")
			     : kind == SITE_RSA
				 ? EVP_RSA_gen(2048)
				 : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	check(keys[kind] != NULL, "key generation");
	return keys[kind];
}

static X509 *
make(const char *name, enum site_kind kind)
{
	static long serial = 1;
	EVP_PKEY *key = key_of(kind);
	X509 *cert = X509_new();
	X509_NAME *subject = X509_get_subject_name(cert);

	check(X509_set_version(cert, X509_VERSION_3), "version");
	ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
	    (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(cert, subject);
	check(X509_set_pubkey(cert, key), "pubkey");
	check(X509_sign(cert, key, kind == SITE_ED25519 ? NULL : EVP_sha256()),
	    "X509_sign");
	return cert;
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

struct made_cert *
made_cert_new(const char *name, enum site_kind kind)
{
	struct made_cert *made = calloc(1, sizeof(*made));
	X509 *leaf = make(name, kind), *other = make("issuer", SITE_EC);
	BIO *chain = BIO_new(BIO_s_mem()), *key = BIO_new(BIO_s_mem());
	unsigned char *spki = NULL;
	int len;

	check(made != NULL, "calloc");
	made->kind = kind;
	check(
	    PEM_write_bio_X509(chain, leaf) && PEM_write_bio_X509(chain, other),
	    "PEM_write_bio_X509");
	made->chain_pem = text_of(chain);
	check(PEM_write_bio_PrivateKey(
		  key, key_of(kind), NULL, NULL, 0, NULL, NULL),
	    "PEM_write_bio_PrivateKey");
	made->key_pem = text_of(key);
	check(X509_digest(leaf, EVP_sha256(), made->fingerprint, NULL),
	    "X509_digest");
	len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &spki);
	check(len > 0, "i2d_X509_PUBKEY");
	made->spki = malloc((size_t)len);
	check(made->spki != NULL, "malloc");
	memcpy(made->spki, spki, (size_t)len);
	made->spki_len = (size_t)len;
	OPENSSL_free(spki);
	X509_free(leaf);
	X509_free(other);
	return made;
}

void
made_cert_free(struct made_cert *made)
{
	if (made == NULL)
		return;
	free(made->chain_pem);
	free(made->key_pem);
	free(made->spki);
	free(made);
}

static void
set_bytes(ProtobufCBinaryData *to, const uint8_t *at, size_t len)
{
	to->data = malloc(len);
	check(to->data != NULL, "malloc");
	memcpy(to->data, at, len);
	to->len = len;
}

static Holdfast__Certd__V1__SiteCertificate *
certificate_of(const struct made_cert *cert)
{
	Holdfast__Certd__V1__SiteCertificate *one = malloc(sizeof(*one));

	check(one != NULL, "malloc");
	holdfast__certd__v1__site_certificate__init(one);
	one->id = 1;
	one->chain_pem = strdup(cert->chain_pem);
	set_bytes(&one->fingerprint, cert->fingerprint, SITE_FINGERPRINT_LEN);
	set_bytes(&one->spki, cert->spki, cert->spki_len);
	return one;
}

Holdfast__Certd__V1__Site *
made_site_new(int64_t id, int64_t version, const char *const *hosts,
    const struct made_cert *const *certs, size_t n)
{
	Holdfast__Certd__V1__Site *site = malloc(sizeof(*site));

	check(site != NULL, "malloc");
	holdfast__certd__v1__site__init(site);
	site->id = id;
	site->version = version;
	while (hosts[site->n_hostnames] != NULL)
		site->n_hostnames++;
	site->hostnames = calloc(site->n_hostnames + 1, sizeof(char *));
	site->certificates = calloc(n + 1, sizeof(*site->certificates));
	check(site->hostnames != NULL && site->certificates != NULL, "calloc");
	for (size_t i = 0; i < site->n_hostnames; i++)
		site->hostnames[i] = strdup(hosts[i]);
	for (size_t i = 0; i < n; i++)
		site->certificates[site->n_certificates++] =
		    certificate_of(certs[i]);
	return site;
}

void
made_site_free(Holdfast__Certd__V1__Site *site)
{
	holdfast__certd__v1__site__free_unpacked(site, NULL);
}

Holdfast__Certd__V1__Site *
made_site_of(
    int64_t id, int64_t version, const char *host, const struct made_cert *cert)
{
	const char *hosts[] = { host, NULL };

	return made_site_new(id, version, hosts, &cert, cert != NULL ? 1 : 0);
}

void
made_site_standby(Holdfast__Certd__V1__Site *site, const struct made_cert *cert)
{
	site->standby = certificate_of(cert);
}
