/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What one part of an upload holds.  PEM is taken block by block; DER is told
 * apart by its first octets: a certificate, PKCS#7, PFX or a private key.  Each
 * certificate ends in take_cert and each key in take_key, whatever it came in.
 * Blocks that mean nothing here are passed over and told.  Refuses a second
 * private key, for nobody could know which one was meant.
 */

#include <openssl/err.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/der.h"
#include "base/stub.h"
#include "pki/bundle_int.h"
#include "pki/pem.h"

static inline void
scoped_pkcs7_free(PKCS7 **at)
{
	PKCS7_free(*at);
}

static inline void
scoped_key_file_done(struct key_file *file)
{
	key_file_done(file);
}

static struct status
no_memory(struct bundle_reading *reading)
{
	return bundle_fail(reading->why, STATUS_RESOURCE_EXHAUSTED,
	    "there is not enough memory");
}

/* ---- certificates ---- */

static struct status
take_cert(void *ctx, struct bytes der)
{
	struct bundle_reading *reading = ctx;
	struct pki_cert *cert = NULL;
	char why[PKI_CERT_WHY_MAX];
	struct status st;

	if (++reading->n_given > BUNDLE_CERTS_MAX)
		return bundle_fail(reading->why, STATUS_INVALID_ARGUMENT,
		    "there are more than %d certificates; give one with its "
		    "own chain",
		    BUNDLE_CERTS_MAX);
	st = pki_cert_parse(der, &cert, why);
	if (failed(st))
		return bundle_fail(reading->why, st.code, "certificate %zu: %s",
		    reading->n_given, why);
	for (size_t i = 0; i < reading->n_certs; i++) {
		if (pki_cert_equal(reading->certs[i], cert)) {
			pki_cert_free(cert);
			return status_ok();
		}
	}
	reading->certs[reading->n_certs++] = cert;
	return status_ok();
}

/* RFC 2315 9.1, of which only the certificates matter. */
static struct status
take_pkcs7(struct bundle_reading *reading, struct bytes der)
{
	const unsigned char *at = der.at;
	scoped(pkcs7_free) PKCS7 *p7 = d2i_PKCS7(NULL, &at, (long)der.len);
	const STACK_OF(X509) *certs = NULL;
	struct status st = status_ok();

	ERR_clear_error();
	if (p7 == NULL)
		return bundle_fail(reading->why, STATUS_INVALID_ARGUMENT,
		    "the PKCS#7 (.p7b) is damaged");
	if (PKCS7_type_is_signed(p7) && p7->d.sign != NULL)
		certs = p7->d.sign->cert;
	if (sk_X509_num(certs) <= 0)
		return bundle_fail(reading->why, STATUS_INVALID_ARGUMENT,
		    "the PKCS#7 (.p7b) holds no certificates");
	for (int i = 0; !failed(st) && i < sk_X509_num(certs); i++) {
		unsigned char *copy = NULL;
		int len = i2d_X509(sk_X509_value(certs, i), &copy);

		if (len <= 0)
			return no_memory(reading);
		st = take_cert(reading, (struct bytes){ copy, (size_t)len });
		OPENSSL_free(copy);
	}
	return st;
}

/* ---- the private key ---- */

/* Asked for once, whatever is encrypted with it; each reader owns a copy. */
static struct status
ask_once(void *ctx, struct secret **ret_passphrase)
{
	struct bundle_reading *reading = ctx;
	const struct key_file_passphrase *from = &reading->input->passphrase;
	struct secret *copy;
	struct bytes text;

	if (reading->passphrase == NULL) {
		struct status st = from->ask(from->ctx, &reading->passphrase);

		if (failed(st))
			return st;
	}
	text = secret_bytes(reading->passphrase);
	copy = secret_new(text.len);
	if (copy == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "no locked memory is left for a passphrase; raise its "
		    "limit (ulimit -l)");
	memcpy(secret_at(copy), text.at, text.len);
	*ret_passphrase = copy;
	return status_ok();
}

static struct key_file_passphrase
passphrase(struct bundle_reading *reading)
{
	return (struct key_file_passphrase){
		.ask = reading->input->passphrase.ask == NULL ? NULL : ask_once,
		.ctx = reading,
	};
}

/* Owns what file holds from here on. */
static struct status
take_key(struct bundle_reading *reading, struct key_file *file)
{
	struct bundle *bundle = reading->bundle;
	const struct bytes spki = { file->spki, file->spki_len };
	bool is_same;

	reading->n_keys++;
	if (!bundle->has_key) {
		bundle->key = *file;
		bundle->has_key = true;
		memset(file, 0, sizeof(*file));
		return status_ok();
	}
	is_same = bytes_equal(
	    spki, (struct bytes){ bundle->key.spki, bundle->key.spki_len });
	if (is_same)
		return status_ok();
	return bundle_fail(reading->why, STATUS_INVALID_ARGUMENT,
	    "there are two private keys; give the one that belongs to the "
	    "certificate");
}

static struct status
read_key(struct bundle_reading *reading, struct bytes octets)
{
	const struct key_file_passphrase from = passphrase(reading);
	scoped(key_file_done) struct key_file file = { .pkcs8 = NULL };
	char why[KEY_FILE_WHY_MAX];
	struct status st = key_file_read(octets, &from, &file, why);

	if (failed(st))
		return bundle_fail(reading->why, st.code, "%s", why);
	return take_key(reading, &file);
}

static struct status
read_pfx(struct bundle_reading *reading, struct bytes octets)
{
	const struct key_file_passphrase from = passphrase(reading);
	const struct key_file_certs certs = { take_cert, reading };
	scoped(key_file_done) struct key_file file = { .pkcs8 = NULL };
	char why[KEY_FILE_WHY_MAX];
	bool has_key = false;
	struct status st;

	reading->why[0] = 0;
	st = key_file_read_pfx(octets, &from, &certs, &file, &has_key, why);
	/* take_cert has its own words. */
	if (failed(st) && reading->why[0] != 0)
		return st;
	if (failed(st))
		return bundle_fail(reading->why, st.code, "%s", why);
	return has_key ? take_key(reading, &file) : st;
}

/* ---- PEM ---- */

enum kind {
	KIND_OTHER,
	KIND_CERTIFICATE,
	KIND_TRUSTED,
	KIND_PKCS7,
	KIND_KEY,
};

static enum kind
kind_of(const char *label)
{
	static const char suffix[] = "PRIVATE KEY";
	static const struct {
		const char *label;
		enum kind kind;
	} known[] = {
		{ "CERTIFICATE", KIND_CERTIFICATE },
		{ "X509 CERTIFICATE", KIND_CERTIFICATE },
		{ "TRUSTED CERTIFICATE", KIND_TRUSTED },
		{ "PKCS7", KIND_PKCS7 },
		{ "PKCS #7 SIGNED DATA", KIND_PKCS7 },
		{ "CMS", KIND_PKCS7 },
	};
	const size_t len = strlen(label);

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(label, known[i].label) == 0)
			return known[i].kind;
	}
	if (len >= sizeof(suffix) - 1 &&
	    strcmp(label + len - (sizeof(suffix) - 1), suffix) == 0)
		return KIND_KEY;
	return KIND_OTHER;
}

/* OpenSSL's own: what it is trusted for follows the certificate. */
static struct bytes
without_trust(struct bytes der)
{
	struct bytes rest = der, content;

	if (der_take(&rest, DER_SEQUENCE, &content))
		der.len -= rest.len;
	return der;
}

static struct status
take_decoded(struct bundle_reading *reading, const struct pem_block *block,
    enum kind kind)
{
	scoped(free) uint8_t *octets = malloc(block->body.len + 1);
	char why[PEM_WHY_MAX];
	struct bytes der = { octets, 0 };
	struct status st;

	if (octets == NULL)
		return no_memory(reading);
	st = pem_decode(block, octets, &der.len, why);
	if (failed(st))
		return bundle_fail(reading->why, st.code, "%s", why);
	switch (kind) {
	case KIND_PKCS7:
		return take_pkcs7(reading, der);
	case KIND_TRUSTED:
		return take_cert(reading, without_trust(der));
	default:
		return take_cert(reading, der);
	}
}

/* Tidied first, in locked memory: what reads it is less lax. */
static struct status
take_pem_key(struct bundle_reading *reading, const struct pem_block *block)
{
	scoped(secret_free) struct secret *tidy = NULL;
	char why[PEM_WHY_MAX];
	struct status st;
	size_t len = 0;

	if (PEM_TIDY_MAX(block) > KEY_FILE_MAX)
		return bundle_fail(reading->why, STATUS_INVALID_ARGUMENT,
		    "line %u: this is longer than any private key",
		    block->line);
	tidy = secret_new(PEM_TIDY_MAX(block));
	if (tidy == NULL)
		return bundle_fail(reading->why, STATUS_RESOURCE_EXHAUSTED,
		    "no locked memory is left for the key; raise its limit "
		    "(ulimit -l)");
	st = pem_tidy(block, (char *)secret_at(tidy), &len, why);
	if (failed(st))
		return bundle_fail(reading->why, st.code, "%s", why);
	return read_key(reading, (struct bytes){ secret_bytes(tidy).at, len });
}

static struct status
take_block(struct bundle_reading *reading, const struct pem_block *block)
{
	const enum kind kind = kind_of(block->label);

	if (kind == KIND_KEY)
		return take_pem_key(reading, block);
	if (kind != KIND_OTHER)
		return take_decoded(reading, block, kind);
	if (strcmp(block->label, STUB_PEM_LABEL) == 0)
		bundle_note(reading->bundle,
		    "passed over a Holdfast key stub: its private key is in a "
		    "token already");
	else
		bundle_note(reading->bundle,
		    "passed over a block \"%s\", which is not needed",
		    block->label);
	return status_ok();
}

static struct status
read_pem(struct bundle_reading *reading, struct bytes part)
{
	struct pem_reader reader;
	struct pem_block block;
	char why[PEM_WHY_MAX];
	bool found = true;
	struct status st;

	pem_reader_init(&reader, part);
	for (;;) {
		st = pem_reader_next(&reader, &block, &found, why);
		if (failed(st))
			return bundle_fail(reading->why, st.code, "%s", why);
		if (!found)
			break;
		st = take_block(reading, &block);
		if (failed(st))
			return st;
	}
	reading->tolerated |= reader.tolerated;
	return st;
}

/* ---- DER ---- */

#define DER_OID 0x06

/* What the outer SEQUENCE begins with; zeros where there is nothing. */
struct front {
	uint8_t tag, octet; /* of the first element, and its first octet */
	uint8_t next_tag;   /* of the second one, if the first is short */
};

/* Its length may be indefinite: some write PFX and PKCS#7 in BER. */
static struct front
front_of(struct bytes der)
{
	struct front front = { 0 };
	size_t at = 2;
	size_t len;

	if (der.len < 2 || der.at[0] != DER_SEQUENCE)
		return front;
	if (der.at[1] > 0x80)
		at += der.at[1] & 0x7fU;
	if (at + 3 > der.len)
		return front;
	front.tag = der.at[at];
	front.octet = der.at[at + 2];
	len = der.at[at + 1];
	if (len < 0x80 && at + 2 + len < der.len)
		front.next_tag = der.at[at + 2 + len];
	return front;
}

static struct status
read_der(struct bundle_reading *reading, struct bytes part)
{
	const struct front front = front_of(part);

	if (front.tag == DER_OID)
		return take_pkcs7(reading, part);
	/* RFC 7292 4: version 3; those of private keys are 0 and 1. */
	if (front.tag == DER_INTEGER && front.octet == 3)
		return read_pfx(reading, part);
	if (front.tag == DER_INTEGER ||
	    (front.tag == DER_SEQUENCE && front.next_tag == DER_OCTET_STRING))
		return read_key(reading, part);
	if (front.tag == DER_SEQUENCE)
		return take_cert(reading, part);
	return bundle_fail(reading->why, STATUS_INVALID_ARGUMENT,
	    "this is neither PEM (there is no \"-----BEGIN\" line) nor a "
	    "certificate, PKCS#7, PFX or private key in DER");
}

STATUS
bundle_read_part(struct bundle_reading *reading, struct bytes part)
{
	return pem_is(part) ? read_pem(reading, part) : read_der(reading, part);
}
