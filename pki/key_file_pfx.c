/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A private key out of a PFX (PKCS#12, RFC 7292), and its certificates.  The
 * file's MAC tells a wrong password from a damaged file.  The bags are walked
 * here rather than by PKCS12_parse, which takes the first of several keys
 * without a word: a PFX with more than one is refused.  Old ciphers (RC2-40, as
 * Windows wrote them) are read through OpenSSL's legacy provider, in a library
 * context of its own that is gone afterwards.
 */

#include <openssl/err.h>
#include <string.h>

#include "pki/key_file_int.h"

#define DEPTH_MAX 4

struct pfx {
	struct key_reading *reading;
	struct key_crypt_legacy legacy; /* its context is NULL: not loaded */
	bool needs_legacy;              /* seen, and it is not loaded */
	PKCS12 *file;
	const char *password;
	int password_len;
	unsigned n_keys;
	PKCS8_PRIV_KEY_INFO *key;          /* the first one */
	const struct key_file_certs *sink; /* NULL: for none */
	STACK_OF(X509) * certs;
};

static void
free_p7s(STACK_OF(PKCS7) * p7s)
{
	sk_PKCS7_pop_free(p7s, PKCS7_free);
}
SCOPED_RELEASE(free_p7s, STACK_OF(PKCS7) *);

static void
free_bags(STACK_OF(PKCS12_SAFEBAG) * bags)
{
	sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
}
SCOPED_RELEASE(free_bags, STACK_OF(PKCS12_SAFEBAG) *);

static struct status
damaged(struct pfx *pfx)
{
	return key_reading_fail(pfx->reading, STATUS_INVALID_ARGUMENT,
	    "this is not a private key in PEM, DER or PFX, or the file is "
	    "damaged");
}

static struct status
cannot_decrypt(struct pfx *pfx, const X509_ALGOR *how)
{
	if (PKCS12_mac_present(pfx->file))
		return key_reading_fail(pfx->reading, STATUS_INVALID_ARGUMENT,
		    "the password is right, but the PFX is encrypted with %s, "
		    "which OpenSSL here cannot read; export it anew with AES, "
		    "or install OpenSSL's legacy provider",
		    key_crypt_name(how));
	return key_reading_fail(pfx->reading, STATUS_PERMISSION_DENIED,
	    "the password is wrong, or the PFX (encrypted with %s) is damaged",
	    key_crypt_name(how));
}

/* May this cipher be tried in this context? */
static struct status
check_cipher(struct pfx *pfx, const X509_ALGOR *how)
{
	bool is_legacy = false;
	struct status st = key_crypt_check(pfx->reading, how, &is_legacy);

	if (failed(st) || !is_legacy || pfx->legacy.context != NULL)
		return st;
	pfx->needs_legacy = true;
	return cannot_decrypt(pfx, how);
}

static struct status
take_shrouded(struct pfx *pfx, PKCS12_SAFEBAG *bag)
{
	const X509_SIG *sealed = PKCS12_SAFEBAG_get0_pkcs8(bag);
	PKCS8_PRIV_KEY_INFO *info;
	const X509_ALGOR *how;
	struct status st;

	X509_SIG_get0(sealed, &how, NULL);
	if (pfx->n_keys++ > 0)
		return status_ok();
	st = check_cipher(pfx, how);
	if (failed(st))
		return st;
	info = PKCS12_decrypt_skey_ex(
	    bag, pfx->password, pfx->password_len, pfx->legacy.context, NULL);
	if (info == NULL)
		return cannot_decrypt(pfx, how);
	pfx->key = info;
	return st;
}

static struct status
take_plain(struct pfx *pfx, PKCS12_SAFEBAG *bag)
{
	const PKCS8_PRIV_KEY_INFO *info = PKCS12_SAFEBAG_get0_p8inf(bag);

	if (pfx->n_keys++ > 0)
		return status_ok();
	pfx->key = ASN1_item_dup(ASN1_ITEM_rptr(PKCS8_PRIV_KEY_INFO), info);
	return pfx->key == NULL ? damaged(pfx) : status_ok();
}

static struct status
take_cert(struct pfx *pfx, PKCS12_SAFEBAG *bag)
{
	X509 *cert;

	/* Others are SDSI's, RFC 7292 4.2.3. */
	if (pfx->sink == NULL ||
	    PKCS12_SAFEBAG_get_bag_nid(bag) != NID_x509Certificate)
		return status_ok();
	cert = PKCS12_SAFEBAG_get1_cert(bag);
	if (cert == NULL)
		return damaged(pfx);
	if (pfx->certs == NULL)
		pfx->certs = sk_X509_new_null();
	if (pfx->certs != NULL && sk_X509_push(pfx->certs, cert) > 0)
		return status_ok();
	X509_free(cert);
	return key_reading_fail(pfx->reading, STATUS_RESOURCE_EXHAUSTED,
	    "there is not enough memory");
}

static struct status walk_bags(
    struct pfx *pfx, const STACK_OF(PKCS12_SAFEBAG) * bags, unsigned depth);

static struct status
take_bag(struct pfx *pfx, PKCS12_SAFEBAG *bag, unsigned depth)
{
	switch (PKCS12_SAFEBAG_get_nid(bag)) {
	case NID_keyBag:
		return take_plain(pfx, bag);
	case NID_pkcs8ShroudedKeyBag:
		return take_shrouded(pfx, bag);
	case NID_certBag:
		return take_cert(pfx, bag);
	case NID_safeContentsBag:
		return depth >= DEPTH_MAX
			   ? damaged(pfx)
			   : walk_bags(pfx, PKCS12_SAFEBAG_get0_safes(bag),
				 depth + 1);
	default:
		return status_ok(); /* lists of revoked ones and the like */
	}
}

static struct status
walk_bags(
    struct pfx *pfx, const STACK_OF(PKCS12_SAFEBAG) * bags, unsigned depth)
{
	struct status st = status_ok();

	for (int i = 0; !failed(st) && i < sk_PKCS12_SAFEBAG_num(bags); i++)
		st = take_bag(pfx, sk_PKCS12_SAFEBAG_value(bags, i), depth);
	return st;
}

static struct status
walk_safe(struct pfx *pfx, PKCS7 *p7)
{
	scoped(free_bags) STACK_OF(PKCS12_SAFEBAG) *bags = NULL;
	const X509_ALGOR *how = NULL;
	struct status st;

	if (PKCS7_type_is_data(p7)) {
		bags = PKCS12_unpack_p7data(p7);
	} else if (PKCS7_type_is_encrypted(p7)) {
		how = p7->d.encrypted->enc_data->algorithm;
		st = check_cipher(pfx, how);
		if (failed(st))
			return st;
		bags = PKCS12_unpack_p7encdata(
		    p7, pfx->password, pfx->password_len);
		if (bags == NULL)
			return cannot_decrypt(pfx, how);
	} else {
		return key_reading_fail(pfx->reading, STATUS_INVALID_ARGUMENT,
		    "the PFX is encrypted with a public key, not with a "
		    "password; export it with a password");
	}
	return bags == NULL ? damaged(pfx) : walk_bags(pfx, bags, 0);
}

static struct status
walk_file(struct pfx *pfx)
{
	scoped(free_p7s) STACK_OF(PKCS7) *p7s =
	    PKCS12_unpack_authsafes(pfx->file);
	struct status st = status_ok();

	if (p7s == NULL)
		return damaged(pfx);
	for (int i = 0; !failed(st) && i < sk_PKCS7_num(p7s); i++)
		st = walk_safe(pfx, sk_PKCS7_value(p7s, i));
	if (!failed(st) && pfx->n_keys == 0 && pfx->sink == NULL)
		st = key_reading_fail(pfx->reading, STATUS_INVALID_ARGUMENT,
		    "the PFX holds no private key, only certificates; export "
		    "it with its private key");
	if (!failed(st) && pfx->n_keys > 1)
		st = key_reading_fail(pfx->reading, STATUS_INVALID_ARGUMENT,
		    "the PFX holds %u private keys; export each by itself",
		    pfx->n_keys);
	return st;
}

/* Without a password first: many have none, in either of two ways. */
static struct status
find_password(struct pfx *pfx)
{
	const ASN1_INTEGER *count = NULL;
	int64_t iterations = 1;
	struct status st;

	if (!PKCS12_mac_present(pfx->file))
		return key_reading_passphrase(
		    pfx->reading, &pfx->password, &pfx->password_len);
	PKCS12_get0_mac(NULL, NULL, NULL, &count, pfx->file);
	if (count != NULL && ASN1_INTEGER_get_int64(&iterations, count) != 1)
		iterations = -1;
	st = key_crypt_check_iterations(pfx->reading, iterations);
	if (failed(st))
		return st;
	if (PKCS12_verify_mac(pfx->file, NULL, 0) == 1)
		return st;
	pfx->password = "";
	if (PKCS12_verify_mac(pfx->file, "", 0) == 1)
		return st;
	st = key_reading_passphrase(
	    pfx->reading, &pfx->password, &pfx->password_len);
	if (failed(st))
		return st;
	ERR_clear_error();
	if (PKCS12_verify_mac(pfx->file, pfx->password, pfx->password_len) == 1)
		return st;
	if (ERR_GET_REASON(ERR_peek_error()) ==
	    PKCS12_R_UNKNOWN_DIGEST_ALGORITHM)
		return key_reading_fail(pfx->reading, STATUS_INVALID_ARGUMENT,
		    "the PFX is protected in a way that OpenSSL here does not "
		    "know; export it with a SHA-256 MAC");
	return key_reading_fail(pfx->reading, STATUS_PERMISSION_DENIED,
	    "the password of the PFX is wrong");
}

static struct status
read_in(struct pfx *pfx, struct bytes octets)
{
	const unsigned char *at = octets.at;
	struct status st;

	pfx->file = PKCS12_init_ex(NID_pkcs7_data, pfx->legacy.context, NULL);
	if (pfx->file == NULL ||
	    d2i_PKCS12(&pfx->file, &at, (long)octets.len) == NULL)
		return damaged(pfx);
	if (pfx->password == NULL && pfx->legacy.context == NULL) {
		st = find_password(pfx);
		if (failed(st))
			return st;
	}
	return walk_file(pfx);
}

/* Before it is read once more, or for good. */
static void
forget(struct pfx *pfx)
{
	PKCS12_free(pfx->file);
	PKCS8_PRIV_KEY_INFO_free(pfx->key);
	sk_X509_pop_free(pfx->certs, X509_free);
	pfx->file = NULL;
	pfx->key = NULL;
	pfx->certs = NULL;
	pfx->n_keys = 0;
	pfx->reading->iterations = 0;
}

static struct status
hand_over(struct pfx *pfx)
{
	struct status st = status_ok();

	for (int i = 0; !failed(st) && i < sk_X509_num(pfx->certs); i++) {
		unsigned char *der = NULL;
		int len = i2d_X509(sk_X509_value(pfx->certs, i), &der);

		if (len <= 0)
			return damaged(pfx);
		st = pfx->sink->take(
		    pfx->sink->ctx, (struct bytes){ der, (size_t)len });
		OPENSSL_free(der);
	}
	return st;
}

STATUS
key_reading_pfx(struct key_reading *reading, struct bytes octets,
    const struct key_file_certs *certs, EVP_PKEY **ret_key)
{
	struct pfx pfx = { .reading = reading, .sink = certs };
	struct status st = read_in(&pfx, octets);

	if (failed(st) && pfx.needs_legacy)
		key_crypt_legacy_init(&pfx.legacy);
	if (pfx.legacy.context != NULL) {
		forget(&pfx);
		st = read_in(&pfx, octets);
	}
	if (!failed(st) && pfx.key != NULL)
		st = key_reading_pkcs8(reading, pfx.key, ret_key);
	if (!failed(st))
		st = hand_over(&pfx);
	forget(&pfx);
	key_crypt_legacy_done(&pfx.legacy);
	return st;
}
