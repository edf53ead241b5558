/* SPDX-License-Identifier: Apache-2.0 */

/* Certificates of the CAs in memory: a root, an intermediate, and leaves as the
 * script wants them. */

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <time.h>

#include "tests/fake/acme_fake_int.h"

static X509 *
new_cert(
    const char *cn, EVP_PKEY *key, int64_t from_s, int64_t to_s, long serial)
{
	X509 *cert = X509_new();
	time_t now = time(NULL);
	X509_NAME *name;

	must(cert != NULL);
	name = X509_get_subject_name(cert);
	must(X509_set_version(cert, 2) == 1);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), serial);
	must(X509_time_adj_ex(
		 X509_getm_notBefore(cert), 0, (long)from_s, &now) != NULL);
	must(X509_time_adj_ex(X509_getm_notAfter(cert), 0, (long)to_s, &now) !=
	     NULL);
	must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
		 (const unsigned char *)cn, -1, -1, 0) == 1);
	must(X509_set_pubkey(cert, key) == 1);
	return cert;
}

static void
extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;

	X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	must(extension != NULL && X509_add_ext(cert, extension, -1) == 1);
	X509_EXTENSION_free(extension);
}

void
acme_fake_make_ca(struct acme *acme)
{
	EVP_PKEY *root_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
	X509 *root = new_cert("Fake Root", root_key, -60, 86400L * 3650, 1);
	X509 *cert = new_cert(acme->name, key, -60, 86400L * 3000, 2);
	unsigned char *at = acme->key;

	X509_set_issuer_name(root, X509_get_subject_name(root));
	extend(root, root, NID_basic_constraints, "critical,CA:TRUE");
	must(X509_sign(root, root_key, EVP_sha256()) > 0);
	X509_set_issuer_name(cert, X509_get_subject_name(root));
	extend(cert, root, NID_basic_constraints, "critical,CA:TRUE");
	extend(cert, root, NID_subject_key_identifier, "hash");
	must(X509_sign(cert, root_key, EVP_sha256()) > 0);
	acme->key_len = i2d_PrivateKey(key, &at);
	at = acme->cert;
	acme->cert_len = i2d_X509(cert, &at);
	must(acme->key_len > 0 && acme->cert_len > 0);
	X509_free(root);
	X509_free(cert);
	EVP_PKEY_free(root_key);
	EVP_PKEY_free(key);
}

static void
add_names(X509 *cert, X509 *issuer, const struct fake_order *order, size_t n)
{
	char text[NAMES_MAX * 264] = "";
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "%sDNS:%s", i == 0 ? "" : ",", order->names[i]);
	extend(cert, issuer, NID_subject_alt_name, text);
}

static void
write_pem(X509 *cert, X509 *issuer, char ret_pem[PEM_MAX])
{
	BIO *bio = BIO_new(BIO_s_mem());
	int len;

	must(bio != NULL && PEM_write_bio_X509(bio, cert) == 1 &&
	     PEM_write_bio_X509(bio, issuer) == 1);
	len = BIO_read(bio, ret_pem, PEM_MAX - 1);
	must(len > 0);
	ret_pem[len] = 0;
	BIO_free(bio);
}

void
acme_fake_issue(struct acme *acme, struct fake_order *order, struct bytes csr)
{
	const struct acme_fake_script *script = &acme->script;
	const unsigned char *at = csr.at, *key_at = acme->key;
	const unsigned char *cert_at = acme->cert;
	X509_REQ *req = d2i_X509_REQ(NULL, &at, (long)csr.len);
	EVP_PKEY *ca_key = d2i_AutoPrivateKey(NULL, &key_at, acme->key_len);
	X509 *ca = d2i_X509(NULL, &cert_at, acme->cert_len), *cert;
	EVP_PKEY *key;

	must(req != NULL && ca_key != NULL && ca != NULL);
	must(X509_REQ_verify(req, X509_REQ_get0_pubkey(req)) == 1);
	key =
	    script->wrong_key ? EVP_EC_gen("P-256") : X509_REQ_get_pubkey(req);
	cert = new_cert(order->names[0], key,
	    script->from_s == 0 ? -60 : script->from_s,
	    script->to_s == 0 ? 86400L * 90 : script->to_s,
	    1000 + acme->serial++);
	X509_set_issuer_name(cert, X509_get_subject_name(ca));
	add_names(cert, ca, order,
	    script->lacks_name ? order->n_names - 1 : order->n_names);
	extend(cert, ca, NID_authority_key_identifier, "keyid:always");
	extend(cert, ca, NID_ext_key_usage, "serverAuth");
	must(X509_sign(cert, ca_key, EVP_sha256()) > 0);
	write_pem(cert, ca, order->pem);
	acme->counts.certificates++;
	X509_REQ_free(req);
	EVP_PKEY_free(key);
	EVP_PKEY_free(ca_key);
	X509_free(cert);
	X509_free(ca);
}
