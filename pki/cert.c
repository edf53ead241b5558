/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One certificate's facts, by OpenSSL's parser.  Text out of it is foreign: it
 * is made one line of printable UTF-8 and cut to fit.  Refuses what is not
 * exactly one certificate, and extensions that cannot be read; a name that is
 * malformed is kept as a fact.  pki_cert_parse reads group by group, each fact
 * untouched where the certificate has none.
 */

#include "pki/cert.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/printable.h"
#include "pki/cert_cache.h"
#include "pki/cert_int.h"

static inline void
scoped_bio_free(BIO **at)
{
	BIO_free(*at);
}

STATUS
cert_refuse(char *ret_why, const char *why)
{
	ERR_clear_error();
	snprintf(ret_why, PKI_CERT_WHY_MAX, "%s", why);
	return status_fail(
	    STATUS_INVALID_ARGUMENT, "the certificate cannot be read");
}

STATUS
cert_no_memory(char *ret_why)
{
	ERR_clear_error();
	snprintf(ret_why, PKI_CERT_WHY_MAX, "there is not enough memory");
	return status_fail(
	    STATUS_RESOURCE_EXHAUSTED, "there is not enough memory");
}

/* ---- text ---- */

/* As printable_print, but what is unfit becomes '?', so that RFC 2253's own
 * backslashes stand as they are. */
static void
show(struct bytes text, char *ret_line, size_t max)
{
	size_t len = 0;

	while (text.len > 0) {
		uint32_t point = 0;
		size_t n = printable_take(text, &point);
		bool fit = n > 0 && printable_point(point);
		struct bytes taken = { (const uint8_t *)"?", 1 };

		if (fit)
			taken = (struct bytes){ text.at, n };
		if (len + taken.len >= max)
			break;
		memcpy(ret_line + len, taken.at, taken.len);
		len += taken.len;
		if (n == 0)
			n = 1;
		text.at += n;
		text.len -= n;
	}
	ret_line[len] = 0;
}

static bool
print_name(const X509_NAME *name, char *ret_line, size_t max)
{
	scoped(bio_free) BIO *bio = BIO_new(BIO_s_mem());
	char *at = NULL;
	long len;

	if (bio == NULL || X509_NAME_print_ex(bio, name, 0,
			       XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0)
		return false;
	len = BIO_get_mem_data(bio, &at);
	show((struct bytes){ (const uint8_t *)at, len > 0 ? (size_t)len : 0 },
	    ret_line, max);
	return true;
}

/* The last one, which is the most specific. */
static void
read_common_name(struct cert *cert)
{
	const X509_NAME *name = X509_get_subject_name(cert->x509);
	unsigned char *text = NULL;
	int at = -1, next, len;

	while (
	    (next = X509_NAME_get_index_by_NID(name, NID_commonName, at)) >= 0)
		at = next;
	if (at < 0)
		return;
	len = ASN1_STRING_to_UTF8(
	    &text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	if (len > 0)
		show((struct bytes){ text, (size_t)len },
		    cert->facts.subject_cn, sizeof(cert->facts.subject_cn));
	OPENSSL_free(text);
}

static bool
read_serial(struct cert *cert)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(cert->x509);
	const int len = ASN1_STRING_length(serial);
	char *at = cert->facts.serial;

	if (len < 0 || (size_t)len > (PKI_CERT_SERIAL_MAX - 2) / 2)
		return false;
	if (ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER)
		*at++ = '-';
	bytes_to_hex(
	    (struct bytes){ ASN1_STRING_get0_data(serial), (size_t)len }, at);
	return true;
}

bool
cert_read_time(const ASN1_TIME *time, int64_t *ret_time_s)
{
	struct tm tm = { .tm_year = 0 };

	if (ASN1_TIME_to_tm(time, &tm) != 1)
		return false;
	*ret_time_s = (int64_t)timegm(&tm);
	return true;
}

/* ---- keys and signatures ---- */

static const char *
curve_name(const char *name)
{
	static const char *const names[][2] = {
		{ "prime256v1", "P-256" },
		{ "secp384r1", "P-384" },
		{ "secp521r1", "P-521" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i][0], name) == 0)
			return names[i][1];
	}
	return name;
}

static void
describe_key(const EVP_PKEY *key, struct pki_cert *facts)
{
	const size_t max = sizeof(facts->key_text);
	const char *type = key == NULL ? NULL : EVP_PKEY_get0_type_name(key);
	char curve[32] = "";

	if (type == NULL) {
		snprintf(facts->key_text, max, "an unknown kind");
		return;
	}
	facts->key_bits = EVP_PKEY_get_bits(key);
	if (facts->alg == KEY_ALG_ED25519) {
		snprintf(facts->key_text, max, "Ed25519");
		return;
	}
	if (!EVP_PKEY_is_a(key, "EC")) {
		snprintf(facts->key_text, max, "%s %d", type, facts->key_bits);
		return;
	}
	if (EVP_PKEY_get_group_name(key, curve, sizeof(curve), NULL) != 1)
		snprintf(curve, sizeof(curve), "(a curve without a name)");
	snprintf(facts->key_text, max, "EC %s", curve_name(curve));
}

/* A point that is compressed, a strange exponent: of a kind that is held, but
 * not as it is held.  Said, or a refusal would contradict itself. */
static void
mark_unusual(struct pki_cert *facts)
{
	static const char *const held[] = { "EC P-256", "EC P-384", "RSA 2048",
		"RSA 3072", "RSA 4096" };
	const size_t len = strlen(facts->key_text);

	for (size_t i = 0; i < sizeof(held) / sizeof(held[0]); i++) {
		if (facts->alg == KEY_ALG_NONE &&
		    strcmp(facts->key_text, held[i]) == 0)
			snprintf(facts->key_text + len,
			    sizeof(facts->key_text) - len,
			    " unusually encoded");
	}
}

static struct status
read_key(struct cert *cert, char *ret_why)
{
	unsigned char *spki = NULL;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert->x509), &spki);
	struct pki_cert *facts = &cert->facts;
	const uint8_t *at = NULL;

	if (len > 0)
		at = memmem(facts->der.at, facts->der.len, spki, (size_t)len);
	OPENSSL_free(spki);
	if (at == NULL)
		return cert_refuse(
		    ret_why, "the certificate's public key is not in DER");
	facts->spki = (struct bytes){ at, (size_t)len };
	if (!key_id_of_spki(facts->spki, &facts->key_id))
		return cert_no_memory(ret_why);
	facts->alg = key_alg_of_spki(facts->spki);
	describe_key(X509_get0_pubkey(cert->x509), facts);
	mark_unusual(facts);
	return status_ok();
}

static void
read_signature(struct cert *cert)
{
	struct pki_cert *facts = &cert->facts;
	const X509_ALGOR *how = X509_get0_tbs_sigalg(cert->x509);
	const ASN1_OBJECT *oid = NULL;
	int hash = NID_undef, bits = 0;

	X509_ALGOR_get0(&oid, NULL, NULL, how);
	OBJ_obj2txt(
	    facts->signature_text, sizeof(facts->signature_text), oid, 0);
	/* SHA-1 gives 63 bits against collisions, SHA-224 gives 112. */
	if (X509_get_signature_info(cert->x509, &hash, NULL, &bits, NULL) == 1)
		facts->is_weakly_signed = hash != NID_undef && bits < 112;
	facts->is_self_signed = pki_cert_is_named_issuer(facts, facts) &&
				pki_cert_signed(facts, facts);
}

/* ---- extensions ---- */

static enum pki_cert_use
use(bool is_there, bool is_allowed)
{
	if (!is_there)
		return PKI_CERT_USE_ANY;
	return is_allowed ? PKI_CERT_USE_YES : PKI_CERT_USE_NO;
}

static struct status
read_uses(struct cert *cert, char *ret_why)
{
	struct pki_cert *facts = &cert->facts;
	/* First, for it reads all extensions. */
	const int ca = X509_check_ca(cert->x509);
	const uint32_t flags = X509_get_extension_flags(cert->x509);

	if ((flags & EXFLAG_INVALID) != 0)
		return cert_refuse(ret_why,
		    "the certificate has extensions that are malformed");
	/* 3: self-signed, of version 1, from before there was a CA bit. */
	facts->is_ca = ca == 1 || ca == 3;
	facts->server_auth = use((flags & EXFLAG_XKUSAGE) != 0,
	    (X509_get_extended_key_usage(cert->x509) &
		(XKU_SSL_SERVER | XKU_ANYEKU)) != 0);
	facts->digital_signature = use((flags & EXFLAG_KUSAGE) != 0,
	    (X509_get_key_usage(cert->x509) & KU_DIGITAL_SIGNATURE) != 0);
	return status_ok();
}

/* ---- all of it ---- */

static struct status
read_x509(struct cert *cert, struct bytes der, char *ret_why)
{
	const unsigned char *at = der.at;
	unsigned len = PKI_FINGERPRINT_LEN;

	if (der.len == 0 || der.len > PKI_CERT_DER_MAX)
		return cert_refuse(
		    ret_why, "a certificate has 1 to 65536 octets");
	cert->der = malloc(der.len);
	if (cert->der == NULL)
		return cert_no_memory(ret_why);
	memcpy(cert->der, der.at, der.len);
	cert->facts.der = (struct bytes){ cert->der, der.len };
	if (EVP_Digest(cert->der, der.len, cert->facts.fingerprint, &len,
		EVP_sha256(), NULL) != 1)
		return cert_no_memory(ret_why);
	cert->x509 = cert_cache_get(cert->facts.fingerprint);
	if (cert->x509 != NULL)
		return status_ok();
	cert->x509 = d2i_X509(NULL, &at, (long)der.len);
	if (cert->x509 == NULL)
		return cert_refuse(
		    ret_why, "this is not a certificate, or it is damaged");
	if (at != der.at + der.len)
		return cert_refuse(
		    ret_why, "something follows the certificate in its block");
	cert_cache_put(cert->facts.fingerprint, cert->x509);
	return status_ok();
}

static struct status
read_texts(struct cert *cert, char *ret_why)
{
	struct pki_cert *facts = &cert->facts;

	if (!print_name(X509_get_subject_name(cert->x509), facts->subject,
		sizeof(facts->subject)) ||
	    !print_name(X509_get_issuer_name(cert->x509), facts->issuer,
		sizeof(facts->issuer)))
		return cert_no_memory(ret_why);
	read_common_name(cert);
	if (!read_serial(cert))
		return cert_refuse(
		    ret_why, "the certificate's serial number is too long");
	if (!cert_read_time(
		X509_get0_notBefore(cert->x509), &facts->not_before_s) ||
	    !cert_read_time(
		X509_get0_notAfter(cert->x509), &facts->not_after_s))
		return cert_refuse(
		    ret_why, "the certificate's dates are malformed");
	return status_ok();
}

STATUS
pki_cert_parse(struct bytes der, struct pki_cert **ret_cert, char *ret_why)
{
	struct cert *cert = calloc(1, sizeof(*cert));
	struct status st;

	if (cert == NULL)
		return cert_no_memory(ret_why);
	st = read_x509(cert, der, ret_why);
	if (!failed(st))
		st = read_texts(cert, ret_why);
	if (!failed(st))
		st = read_key(cert, ret_why);
	if (!failed(st))
		st = read_uses(cert, ret_why);
	if (!failed(st))
		st = cert_read_names(cert, ret_why);
	if (failed(st)) {
		pki_cert_free(&cert->facts);
		return st;
	}
	read_signature(cert);
	ERR_clear_error();
	*ret_cert = &cert->facts;
	return st;
}

void
pki_cert_free(struct pki_cert *facts)
{
	struct cert *cert = (struct cert *)facts;

	if (cert == NULL)
		return;
	for (size_t i = 0; i < facts->n_names; i++)
		free(cert->names[i]);
	free(cert->names);
	X509_free(cert->x509);
	free(cert->der);
	free(cert);
}

bool
pki_cert_covers(const struct pki_cert *cert, const char *hostname)
{
	for (size_t i = 0; i < cert->n_names; i++) {
		if (hostname_covers(cert->names[i], hostname))
			return true;
	}
	return false;
}

size_t
pki_cert_uncovered(
    const struct pki_cert *cert, const char *const *hostnames, size_t n)
{
	size_t i = 0;

	while (i < n && pki_cert_covers(cert, hostnames[i]))
		i++;
	return i;
}

bool
pki_cert_equal(const struct pki_cert *a, const struct pki_cert *b)
{
	return memcmp(a->fingerprint, b->fingerprint, PKI_FINGERPRINT_LEN) == 0;
}

static const X509 *
x509_of(const struct pki_cert *facts)
{
	return ((const struct cert *)facts)->x509;
}

bool
pki_cert_is_named_issuer(
    const struct pki_cert *issuer, const struct pki_cert *cert)
{
	return X509_NAME_cmp(X509_get_subject_name(x509_of(issuer)),
		   X509_get_issuer_name(x509_of(cert))) == 0;
}

bool
pki_cert_signed(const struct pki_cert *issuer, const struct pki_cert *cert)
{
	EVP_PKEY *key = X509_get0_pubkey(x509_of(issuer));
	bool is = key != NULL &&
		  X509_verify(((const struct cert *)cert)->x509, key) == 1;

	ERR_clear_error();
	return is;
}

void
pki_cert_issuer_cn(const struct pki_cert *cert, char *ret_line, size_t max)
{
	const X509_NAME *name = X509_get_issuer_name(x509_of(cert));
	const int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	unsigned char *text = NULL;
	int len = -1;

	if (at >= 0)
		len = ASN1_STRING_to_UTF8(&text,
		    X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	ret_line[0] = 0;
	if (len > 0)
		printable_print(
		    (struct bytes){ text, (size_t)len }, ret_line, max);
	OPENSSL_free(text);
	ERR_clear_error();
}

bool
pki_cert_is_twin(const struct pki_cert *a, const struct pki_cert *b)
{
	return bytes_equal(a->spki, b->spki) &&
	       X509_NAME_cmp(X509_get_subject_name(x509_of(a)),
		   X509_get_subject_name(x509_of(b))) == 0;
}

void
pki_fingerprint_print(const uint8_t fingerprint[PKI_FINGERPRINT_LEN],
    char ret_text[PKI_FINGERPRINT_TEXT_MAX])
{
	bytes_to_hex(
	    (struct bytes){ fingerprint, PKI_FINGERPRINT_LEN }, ret_text);
}

void
pki_time_print(int64_t time_s, char ret_text[PKI_TIME_TEXT_MAX])
{
	const time_t time = (time_t)time_s;
	struct tm tm = { .tm_year = 0 };

	if (gmtime_r(&time, &tm) == NULL ||
	    strftime(
		ret_text, PKI_TIME_TEXT_MAX, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
		snprintf(ret_text, PKI_TIME_TEXT_MAX, "a time out of range");
}
