/* SPDX-License-Identifier: Apache-2.0 */

/* keyd in shared memory; see token_fake.h. */

#include "tests/fake/token_fake.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "proto/holdfast/keyd/v1/keys.pb-c.h"
#include "tests/fake/shared_memory.h"

#define KEYS_MAX 256
#define DER_MAX 512

struct token_key {
	struct custody_key key;
	uint8_t der[DER_MAX];
	long len;
};

struct custody {
	pthread_mutex_t mutex; /* guards all below */
	bool is_away, loses, for_good;
	size_t n;
	struct token_key keys[KEYS_MAX];
};

struct custody *
token_fake_new(void)
{
	struct custody *custody = shared_memory_new(sizeof(*custody));

	shared_memory_mutex(&custody->mutex);
	return custody;
}

void
custody_close(struct custody *custody)
{
	if (custody != NULL)
		munmap(custody, sizeof(*custody));
}

void
token_fake_away(struct custody *custody, bool away)
{
	pthread_mutex_lock(&custody->mutex);
	custody->is_away = away;
	pthread_mutex_unlock(&custody->mutex);
}

void
token_fake_lose(struct custody *custody)
{
	pthread_mutex_lock(&custody->mutex);
	custody->loses = true;
	pthread_mutex_unlock(&custody->mutex);
}

void
token_fake_lose_for_good(struct custody *custody)
{
	pthread_mutex_lock(&custody->mutex);
	custody->loses = custody->for_good = true;
	pthread_mutex_unlock(&custody->mutex);
}

size_t
token_fake_keys(struct custody *custody)
{
	size_t n;

	pthread_mutex_lock(&custody->mutex);
	n = custody->n;
	pthread_mutex_unlock(&custody->mutex);
	return n;
}

static struct status
away(char *ret_why)
{
	snprintf(ret_why, CUSTODY_WHY_MAX, "keyd does not answer");
	return status_fail(STATUS_UNAVAILABLE, "keyd does not answer");
}

/* With the mutex held when it says OK. */
static struct status
enter(struct custody *custody, char *ret_why)
{
	pthread_mutex_lock(&custody->mutex);
	if (!custody->is_away)
		return status_ok();
	pthread_mutex_unlock(&custody->mutex);
	return away(ret_why);
}

STATUS
custody_generate(struct custody *custody, enum key_alg alg, const char *label,
    const char *pool, const char *for_whom, struct custody_key *ret_key,
    char *ret_why)
{
	struct status st = enter(custody, ret_why);
	struct token_key *to;
	unsigned char *at;
	EVP_PKEY *key;

	(void)for_whom;
	if (failed(st))
		return st;
	if (custody->n == KEYS_MAX || alg != KEY_ALG_EC_P256)
		abort();
	to = &custody->keys[custody->n++];
	key = EVP_EC_gen("P-256");
	at = to->der;
	to->len = i2d_PrivateKey(key, &at);
	at = to->key.spki;
	to->key.spki_len = (size_t)i2d_PUBKEY(key, &at);
	EVP_PKEY_free(key);
	to->key.alg = alg;
	to->key.origin = 1;
	to->key.state = 1;
	snprintf(to->key.label, sizeof(to->key.label), "%s", label);
	snprintf(to->key.pool, sizeof(to->key.pool), "%s", pool);
	if (!key_id_of_spki(
		(struct bytes){ to->key.spki, to->key.spki_len }, &to->key.id))
		abort();
	*ret_key = to->key;
	if (custody->loses)
		st = away(ret_why);
	if (custody->for_good)
		to->key.state =
		    HOLDFAST__KEYD__V1__KEY_STATE__KEY_STATE_SCHEDULED;
	custody->loses = custody->for_good = false;
	pthread_mutex_unlock(&custody->mutex);
	return st;
}

STATUS
custody_generate_replaceable(struct custody *custody, enum key_alg alg,
    const char *label, const char *pool, const char *for_whom,
    struct custody_key *ret_key, char *ret_why)
{
	return custody_generate(
	    custody, alg, label, pool, for_whom, ret_key, ret_why);
}

STATUS
custody_generate_account(struct custody *custody, const char *label,
    const char *pool, const char *for_whom, struct custody_key *ret_key,
    char *ret_why)
{
	return custody_generate(
	    custody, KEY_ALG_EC_P256, label, pool, for_whom, ret_key, ret_why);
}

STATUS
custody_find_label(struct custody *custody, const char *label,
    struct custody_key *ret_key, char *ret_why)
{
	struct status st = enter(custody, ret_why);

	if (failed(st))
		return st;
	st = status_fail(STATUS_NOT_FOUND, "no such key");
	for (size_t i = 0; i < custody->n; i++)
		if (strcmp(custody->keys[i].key.label, label) == 0) {
			*ret_key = custody->keys[i].key;
			st = status_ok();
		}
	pthread_mutex_unlock(&custody->mutex);
	return st;
}

static void
sign(const struct token_key *with, struct bytes info,
    struct signature *ret_signature)
{
	const unsigned char *at = with->der;
	EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &at, with->len);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t len = sizeof(ret_signature->at);

	if (EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) != 1 ||
	    EVP_DigestSign(
		context, ret_signature->at, &len, info.at, info.len) != 1)
		abort();
	ret_signature->len = len;
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
}

STATUS
custody_sign_csr(struct custody *custody, const struct key_id *id,
    enum key_alg alg, struct bytes info, struct signature *ret_signature,
    char *ret_why)
{
	struct status st = enter(custody, ret_why);

	(void)alg;
	if (failed(st))
		return st;
	st = status_fail(STATUS_NOT_FOUND, "no such key");
	for (size_t i = 0; i < custody->n; i++)
		if (custody->keys[i].key.state == 1 &&
		    key_id_equal(&custody->keys[i].key.id, id)) {
			sign(&custody->keys[i], info, ret_signature);
			st = status_ok();
		}
	pthread_mutex_unlock(&custody->mutex);
	return st;
}
