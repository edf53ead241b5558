/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From TLS signature scheme to PKCS#11 mechanism, in one table, and from the
 * token's raw answer to the octets of the wire.  There is no raw RSA and no
 * hashing in the token here: the digest comes in, its length is checked, and
 * the key's own algorithm has the last word.
 */

#include "hsm/mech.h"

#include <string.h>

/* DigestInfo up to the digest, RFC 8017 9.2 note 1. */
static const uint8_t sha256_info[] = { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60,
	0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04,
	0x20 };
static const uint8_t sha384_info[] = { 0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60,
	0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0x04,
	0x30 };
static const uint8_t sha512_info[] = { 0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60,
	0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04,
	0x40 };

enum kind {
	KIND_ECDSA,
	KIND_PKCS1,
	KIND_PSS,
	KIND_EDDSA
};

struct hash {
	CK_MECHANISM_TYPE type;
	CK_RSA_PKCS_MGF_TYPE mgf;
	const uint8_t *info;
	size_t len;
};

static const struct hash sha256 = { CKM_SHA256, CKG_MGF1_SHA256, sha256_info,
	32 };
static const struct hash sha384 = { CKM_SHA384, CKG_MGF1_SHA384, sha384_info,
	48 };
static const struct hash sha512 = { CKM_SHA512, CKG_MGF1_SHA512, sha512_info,
	64 };

struct row {
	enum sign_scheme scheme;
	enum kind kind;
	const struct hash *hash; /* NULL: signs the content itself */
};

static const struct row rows[] = {
	{ SCHEME_ECDSA_SECP256R1_SHA256, KIND_ECDSA, &sha256 },
	{ SCHEME_ECDSA_SECP384R1_SHA384, KIND_ECDSA, &sha384 },
	{ SCHEME_ECDSA_SHA512, KIND_ECDSA, &sha512 },
	{ SCHEME_RSA_PSS_RSAE_SHA256, KIND_PSS, &sha256 },
	{ SCHEME_RSA_PSS_RSAE_SHA384, KIND_PSS, &sha384 },
	{ SCHEME_RSA_PSS_RSAE_SHA512, KIND_PSS, &sha512 },
	{ SCHEME_RSA_PKCS1_SHA256, KIND_PKCS1, &sha256 },
	{ SCHEME_RSA_PKCS1_SHA384, KIND_PKCS1, &sha384 },
	{ SCHEME_RSA_PKCS1_SHA512, KIND_PKCS1, &sha512 },
	{ SCHEME_ED25519, KIND_EDDSA, NULL },
};

/* What a key makes: the length of its raw signature, and of a curve's order. */
static const struct {
	bool rsa;
	size_t raw_len;
	size_t order_len;
} algs[] = {
	[KEY_ALG_EC_P256] = { false, 64, 32 },
	[KEY_ALG_EC_P384] = { false, 96, 48 },
	[KEY_ALG_RSA_2048] = { true, 256, 0 },
	[KEY_ALG_RSA_3072] = { true, 384, 0 },
	[KEY_ALG_RSA_4096] = { true, 512, 0 },
	[KEY_ALG_ED25519] = { false, 64, 0 },
};

static const struct row *
row_of(unsigned scheme)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].scheme == scheme)
			return &rows[i];
	}
	return NULL;
}

static bool
kind_fits(enum kind kind, enum key_alg alg)
{
	switch (kind) {
	case KIND_ECDSA:
		return alg == KEY_ALG_EC_P256 || alg == KEY_ALG_EC_P384;
	case KIND_PKCS1:
	case KIND_PSS:
		return algs[alg].rsa;
	case KIND_EDDSA:
		return alg == KEY_ALG_ED25519;
	}
	return false;
}

static enum reason
row_input_check(const struct row *row, size_t len)
{
	if (row->hash == NULL)
		return len <= MECH_INPUT_MAX ? REASON_OK : REASON_INPUT_LEN;
	return len == row->hash->len ? REASON_OK : REASON_INPUT_LEN;
}

enum reason
mech_input_check(unsigned scheme, size_t input_len)
{
	const struct row *row = row_of(scheme);

	return row == NULL ? REASON_KEY_MISFIT
			   : row_input_check(row, input_len);
}

static void
prepare_pkcs1(
    const struct hash *hash, struct bytes input, struct mech_call *call)
{
	call->mechanism.mechanism = CKM_RSA_PKCS;
	memcpy(call->digest_info, hash->info, sizeof(sha256_info));
	memcpy(call->digest_info + sizeof(sha256_info), input.at, input.len);
	call->input = (struct bytes){ call->digest_info,
		sizeof(sha256_info) + input.len };
}

static void
prepare_pss(const struct hash *hash, struct mech_call *call)
{
	call->pss =
	    (CK_RSA_PKCS_PSS_PARAMS){ hash->type, hash->mgf, hash->len };
	call->mechanism =
	    (CK_MECHANISM){ CKM_RSA_PKCS_PSS, &call->pss, sizeof(call->pss) };
}

enum reason
mech_prepare(unsigned scheme, enum key_alg alg, struct bytes input,
    struct mech_call *ret_call)
{
	const struct row *row = row_of(scheme);
	enum reason reason;

	if (row == NULL || alg == KEY_ALG_NONE || alg > KEY_ALG_ED25519 ||
	    !kind_fits(row->kind, alg))
		return REASON_KEY_MISFIT;
	reason = row_input_check(row, input.len);
	if (reason != REASON_OK)
		return reason;

	ret_call->mechanism = (CK_MECHANISM){ 0 };
	ret_call->input = input;
	switch (row->kind) {
	case KIND_ECDSA:
		ret_call->mechanism.mechanism = CKM_ECDSA;
		/* FIPS 186-5 6.4.1: a longer digest gives its leftmost bits;
		 * not every token does that by itself. */
		if (input.len > algs[alg].order_len)
			ret_call->input.len = algs[alg].order_len;
		break;
	case KIND_PKCS1:
		prepare_pkcs1(row->hash, input, ret_call);
		break;
	case KIND_PSS:
		prepare_pss(row->hash, ret_call);
		break;
	case KIND_EDDSA:
		ret_call->mechanism.mechanism = CKM_EDDSA;
		break;
	}
	return REASON_OK;
}

/* One INTEGER; returns its octets, 0 when the number is zero. */
static size_t
put_integer(const uint8_t *at, size_t len, uint8_t *out)
{
	size_t pad;

	while (len > 0 && *at == 0) {
		at++;
		len--;
	}
	if (len == 0)
		return 0;
	pad = (*at & 0x80) != 0 ? 1 : 0;
	out[0] = 0x02;
	out[1] = (uint8_t)(len + pad);
	out[2] = 0;
	memcpy(out + 2 + pad, at, len);
	return 2 + pad + len;
}

bool
mech_ecdsa_der(struct bytes raw, struct signature *ret_signature)
{
	size_t half = raw.len / 2;
	size_t r, s;

	/* 2 * (2 + 1 + 48) octets fit a one-octet length (below 128). */
	if (raw.len % 2 != 0 || half == 0 || half > 48)
		return false;
	r = put_integer(raw.at, half, ret_signature->at + 2);
	if (r == 0)
		return false;
	s = put_integer(raw.at + half, half, ret_signature->at + 2 + r);
	if (s == 0)
		return false;
	ret_signature->at[0] = 0x30;
	ret_signature->at[1] = (uint8_t)(r + s);
	ret_signature->len = 2 + r + s;
	return true;
}

bool
mech_finish(enum key_alg alg, struct bytes raw, struct signature *ret_signature)
{
	if (alg == KEY_ALG_NONE || alg > KEY_ALG_ED25519 ||
	    raw.len != algs[alg].raw_len)
		return false;
	if (algs[alg].order_len > 0)
		return mech_ecdsa_der(raw, ret_signature);
	ret_signature->len = raw.len;
	memcpy(ret_signature->at, raw.at, raw.len);
	return true;
}
