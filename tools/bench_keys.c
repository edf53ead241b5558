/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The keys of a benchmark: found by label, their signatures verified, and the
 * same signature made in software on this machine to compare with.  Keys of
 * different algorithms are refused, since their mean would say nothing.
 */

#include "tools/bench_keys.h"

#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "tools/key.h"

static enum sign_scheme
tls13_scheme(enum key_alg alg)
{
	switch (alg) {
	case KEY_ALG_EC_P256:
		return SCHEME_ECDSA_SECP256R1_SHA256;
	case KEY_ALG_EC_P384:
		return SCHEME_ECDSA_SECP384R1_SHA384;
	case KEY_ALG_ED25519:
		return SCHEME_ED25519;
	default:
		return SCHEME_RSA_PSS_RSAE_SHA256;
	}
}

static bool
take(struct bench_keys *keys, const Holdfast__Keyd__V1__Key *key)
{
	enum sign_scheme scheme = tls13_scheme((enum key_alg)key->algorithm);
	const unsigned char *at = key->spki.data;

	if (key->id.len != KEY_ID_LEN ||
	    (keys->n > 0 && scheme != keys->scheme))
		return false;
	memcpy(keys->ids[keys->n].at, key->id.data, KEY_ID_LEN);
	keys->keys[keys->n] = d2i_PUBKEY(NULL, &at, (long)key->spki.len);
	keys->scheme = scheme;
	return keys->keys[keys->n++] != NULL;
}

int
bench_keys_get(
    struct cli *cli, const char *name, unsigned n, struct bench_keys *ret_keys)
{
	unsigned count = n == 0 ? 1 : n;

	ret_keys->ids = calloc(count, sizeof(*ret_keys->ids));
	ret_keys->keys = calloc(count, sizeof(EVP_PKEY *));
	if (ret_keys->ids == NULL || ret_keys->keys == NULL)
		return cli_fail(EXIT_REFUSED, "out of memory");
	for (unsigned i = 1; i <= count; i++) {
		Holdfast__Keyd__V1__Key *key = NULL;
		char label[80];
		bool ok;
		int rc;

		if (n == 0)
			snprintf(label, sizeof(label), "%s", name);
		else
			snprintf(label, sizeof(label), "%.63s-%u", name, i);
		rc = cli_get_key(cli, label, &key);
		if (rc != 0)
			return rc;
		ok = take(ret_keys, key);
		protobuf_c_message_free_unpacked(&key->base, NULL);
		if (!ok)
			return cli_fail(EXIT_REFUSED,
			    "%s cannot be used with the others", label);
	}
	return 0;
}

void
bench_keys_done(struct bench_keys *keys)
{
	for (unsigned i = 0; i < keys->n; i++)
		EVP_PKEY_free(keys->keys[i]);
	free(keys->keys);
	free(keys->ids);
}

bool
bench_keys_verify(const struct bench_keys *keys, unsigned i,
    struct bytes content, struct bytes signature)
{
	const struct sign_scheme_info *info = sign_scheme_info(keys->scheme);
	static const char *const digests[] = { NULL, "SHA256", "SHA384",
		"SHA512" };
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pkey = NULL;
	bool ok = context != NULL &&
		  EVP_DigestVerifyInit_ex(context, &pkey, digests[info->hash],
		      NULL, NULL, keys->keys[i], NULL) == 1;

	if (ok && info->padding == SIGN_PADDING_PSS)
		ok = EVP_PKEY_CTX_set_rsa_padding(
			 pkey, RSA_PKCS1_PSS_PADDING) == 1 &&
		     EVP_PKEY_CTX_set_rsa_pss_saltlen(
			 pkey, RSA_PSS_SALTLEN_DIGEST) == 1;
	ok = ok && EVP_DigestVerify(context, signature.at, signature.len,
		       content.at, content.len) == 1;
	EVP_MD_CTX_free(context);
	return ok;
}

static int64_t
own_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

double
bench_keys_software(
    const struct bench_keys *keys, struct bytes content, double *ret_cpu_us)
{
	const struct sign_scheme_info *info = sign_scheme_info(keys->scheme);
	EVP_PKEY_CTX *generator = EVP_PKEY_CTX_new(keys->keys[0], NULL);
	EVP_PKEY *key = NULL;
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t out[SIGNATURE_MAX];
	int64_t from, cpu;
	unsigned n = 0;

	if (EVP_PKEY_is_a(keys->keys[0], "RSA"))
		key = EVP_RSA_gen((unsigned)EVP_PKEY_get_bits(keys->keys[0]));
	else if (generator == NULL || EVP_PKEY_keygen_init(generator) != 1 ||
		 EVP_PKEY_keygen(generator, &key) != 1)
		key = NULL;
	from = clock_mono_ns();
	cpu = own_cpu_ns();
	while (key != NULL && context != NULL && n < 200000 &&
	       clock_mono_ns() - from < NS_PER_S) {
		EVP_PKEY_CTX *pkey = NULL;
		size_t len = sizeof(out);

		if (EVP_DigestSignInit_ex(context, &pkey,
			info->hash == SIGN_HASH_NONE     ? NULL
			: info->hash == SIGN_HASH_SHA384 ? "SHA384"
							 : "SHA256",
			NULL, NULL, key, NULL) != 1 ||
		    (info->padding == SIGN_PADDING_PSS &&
			EVP_PKEY_CTX_set_rsa_padding(
			    pkey, RSA_PKCS1_PSS_PADDING) != 1) ||
		    EVP_DigestSign(
			context, out, &len, content.at, content.len) != 1)
			break;
		EVP_MD_CTX_reset(context);
		n++;
	}
	from = clock_mono_ns() - from;
	*ret_cpu_us = n == 0 ? 0 : (double)(own_cpu_ns() - cpu) / 1e3 / n;
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
	EVP_PKEY_CTX_free(generator);
	return n == 0 ? 0 : (double)n * 1e9 / (double)from;
}
