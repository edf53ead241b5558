/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How a key file is encrypted: what its cipher is called, whether only
 * OpenSSL's legacy provider has it, and whether trying a passphrase would take
 * for ever.  Files are foreign octets: an iteration count beyond reason is
 * refused before it is run.
 */

#include <openssl/asn1t.h>
#include <openssl/objects.h>
#include <string.h>

#include "pki/key_file_int.h"

#define ITERATIONS_MAX 5000000      /* at a time */
#define ALL_ITERATIONS_MAX 10000000 /* for all that one file holds */
/* What another way of stretching, scrypt, counts as; OpenSSL itself bounds the
 * memory of one. */
#define OTHER_STRETCHING 500000

STATUS
key_crypt_check_iterations(struct key_reading *reading, int64_t n)
{
	if (n >= 0 && n <= ITERATIONS_MAX &&
	    n <= ALL_ITERATIONS_MAX - reading->iterations) {
		reading->iterations += n;
		return status_ok();
	}
	return key_reading_fail(reading, STATUS_INVALID_ARGUMENT,
	    "the passphrase is stretched by more than %d iterations, which is "
	    "beyond reason; is the file damaged?",
	    ITERATIONS_MAX);
}

static int64_t
iterations(const ASN1_INTEGER *number)
{
	int64_t n = 0;

	return ASN1_INTEGER_get_int64(&n, number) == 1 ? n : -1;
}

static int
nid_of(const X509_ALGOR *how)
{
	const ASN1_OBJECT *oid = NULL;

	X509_ALGOR_get0(&oid, NULL, NULL, how);
	return OBJ_obj2nid(oid);
}

/* What follows the algorithm's name, read as this item; NULL if it is not. */
static void *
parameter(const X509_ALGOR *how, const ASN1_ITEM *item)
{
	const void *value = NULL;
	int type = V_ASN1_UNDEF;

	X509_ALGOR_get0(NULL, &type, &value, how);
	if (type != V_ASN1_SEQUENCE)
		return NULL;
	return ASN1_item_unpack(value, item);
}

/* The cipher's name in PBES2 (RFC 8018 6.2), or that of the whole scheme. */
static int
cipher_nid(const X509_ALGOR *how)
{
	int nid = nid_of(how);
	PBE2PARAM *pbes2;

	if (nid != NID_pbes2)
		return nid;
	pbes2 = parameter(how, ASN1_ITEM_rptr(PBE2PARAM));
	if (pbes2 == NULL)
		return nid;
	nid = nid_of(pbes2->encryption);
	PBE2PARAM_free(pbes2);
	return nid;
}

const char *
key_crypt_name(const X509_ALGOR *how)
{
	const char *name = OBJ_nid2ln(cipher_nid(how));

	return name == NULL || cipher_nid(how) == NID_undef
		   ? "an unknown cipher"
		   : name;
}

static int64_t
pbes2_iterations(const X509_ALGOR *how)
{
	PBE2PARAM *pbes2 = parameter(how, ASN1_ITEM_rptr(PBE2PARAM));
	PBKDF2PARAM *kdf = NULL;
	int64_t n = OTHER_STRETCHING;

	if (pbes2 != NULL && nid_of(pbes2->keyfunc) == NID_id_pbkdf2)
		kdf = parameter(pbes2->keyfunc, ASN1_ITEM_rptr(PBKDF2PARAM));
	if (kdf != NULL)
		n = iterations(kdf->iter);
	PBKDF2PARAM_free(kdf);
	PBE2PARAM_free(pbes2);
	return n;
}

STATUS
key_crypt_check(
    struct key_reading *reading, const X509_ALGOR *how, bool *ret_is_legacy)
{
	PBEPARAM *pbe;
	int64_t n = 0;

	switch (cipher_nid(how)) {
	case NID_pbe_WithSHA1And40BitRC2_CBC:
	case NID_pbe_WithSHA1And128BitRC2_CBC:
	case NID_pbe_WithSHA1And40BitRC4:
	case NID_pbe_WithSHA1And128BitRC4:
	case NID_pbeWithMD2AndDES_CBC:
	case NID_pbeWithMD2AndRC2_CBC:
	case NID_pbeWithMD5AndDES_CBC:
	case NID_pbeWithMD5AndRC2_CBC:
	case NID_pbeWithSHA1AndDES_CBC:
	case NID_pbeWithSHA1AndRC2_CBC:
	case NID_rc2_cbc:
	case NID_rc4:
	case NID_des_cbc:
		*ret_is_legacy = true;
		break;
	default:
		*ret_is_legacy = false;
	}
	if (nid_of(how) == NID_pbes2) {
		n = pbes2_iterations(how);
	} else if ((pbe = parameter(how, ASN1_ITEM_rptr(PBEPARAM))) != NULL) {
		n = iterations(pbe->iter);
		PBEPARAM_free(pbe);
	}
	return key_crypt_check_iterations(reading, n);
}

void
key_crypt_legacy_init(struct key_crypt_legacy *legacy)
{
	legacy->context = OSSL_LIB_CTX_new();
	if (legacy->context != NULL)
		legacy->plain = OSSL_PROVIDER_load(legacy->context, "default");
	if (legacy->plain != NULL)
		legacy->old = OSSL_PROVIDER_load(legacy->context, "legacy");
	if (legacy->old == NULL)
		key_crypt_legacy_done(legacy);
}

void
key_crypt_legacy_done(struct key_crypt_legacy *legacy)
{
	if (legacy->old != NULL)
		OSSL_PROVIDER_unload(legacy->old);
	if (legacy->plain != NULL)
		OSSL_PROVIDER_unload(legacy->plain);
	OSSL_LIB_CTX_free(legacy->context);
	memset(legacy, 0, sizeof(*legacy));
}
