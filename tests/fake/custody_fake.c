/* SPDX-License-Identifier: Apache-2.0 */

/*
 * keyd in memory; see custody_fake.h.  One array of keys, one of grants, one of
 * edges, all under one mutex.  What a call does is between enter and leave;
 * what was asked for on cue happens there.
 */

#include "tests/fake/custody_fake.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/holdfast/keyd/v1/keys.pb-c.h"

#define KEYS_MAX 4096
#define GRANTS_MAX 8192
#define EDGES_MAX 256
#define MEMBERS_MAX 16
#define CALLS_MAX 16

enum {
	ACTIVE = HOLDFAST__KEYD__V1__KEY_STATE__KEY_STATE_ACTIVE,
	SUSPENDED = HOLDFAST__KEYD__V1__KEY_STATE__KEY_STATE_SUSPENDED,
	SCHEDULED = HOLDFAST__KEYD__V1__KEY_STATE__KEY_STATE_SCHEDULED,
};

struct fake_key {
	struct custody_key key;
	EVP_PKEY *pkey;
	bool exposed, waits;
};

struct fake_grant {
	struct key_id key;
	char edge_group[64];
};

struct custody {
	pthread_mutex_t mutex; /* guards all below */
	bool away, loses_answer, waits;
	struct status next; /* of the next call, when it is not OK */
	const char *next_why;
	void (*before)(void *ctx);
	void *before_ctx;
	enum key_alg only;
	EVP_PKEY *wrapping;
	struct fake_key *keys[KEYS_MAX];
	size_t n_keys;
	struct fake_grant grants[GRANTS_MAX];
	size_t n_grants;
	struct custody_edge edges[EDGES_MAX];
	size_t n_edges;
	struct custody_member members[MEMBERS_MAX];
	size_t n_members;
	struct {
		const char *name;
		unsigned n;
	} calls[CALLS_MAX];
	char for_whom[160];
};

static struct status
explain(struct status st, char *ret_why)
{
	if (ret_why != NULL)
		(void)!snprintf(ret_why, CUSTODY_WHY_MAX, "%s", st.why);
	return st;
}

static struct status
away(char *ret_why)
{
	return explain(status_fail(STATUS_UNAVAILABLE,
			   "keyd does not answer; look whether it runs"),
	    ret_why);
}

static void
count(struct custody *custody, const char *name)
{
	for (size_t i = 0; i < CALLS_MAX; i++) {
		if (custody->calls[i].name == NULL)
			custody->calls[i].name = name;
		if (strcmp(custody->calls[i].name, name) == 0) {
			custody->calls[i].n++;
			return;
		}
	}
}

/* With the mutex held when it says OK. */
static struct status
enter(struct custody *custody, const char *name, char *ret_why)
{
	struct status st = status_ok();
	void (*before)(void *ctx);

	pthread_mutex_lock(&custody->mutex);
	before = custody->before;
	pthread_mutex_unlock(&custody->mutex);
	if (before != NULL)
		before(custody->before_ctx);
	pthread_mutex_lock(&custody->mutex);
	count(custody, name);
	if (custody->away) {
		st = away(ret_why);
	} else if (failed(custody->next)) {
		st = explain(custody->next, ret_why);
		custody->next = status_ok();
	}
	if (failed(st))
		pthread_mutex_unlock(&custody->mutex);
	return st;
}

static struct status
leave(struct custody *custody, struct status st, char *ret_why)
{
	bool lost = custody->loses_answer;

	custody->loses_answer = false;
	pthread_mutex_unlock(&custody->mutex);
	if (lost)
		return away(ret_why);
	return failed(st) ? explain(st, ret_why) : st;
}

static struct fake_key *
by_id(struct custody *custody, const struct key_id *id)
{
	for (size_t i = 0; i < custody->n_keys; i++)
		if (key_id_equal(&custody->keys[i]->key.id, id))
			return custody->keys[i];
	return NULL;
}

static struct fake_key *
by_label(struct custody *custody, const char *label)
{
	for (size_t i = 0; i < custody->n_keys; i++)
		if (strcmp(custody->keys[i]->key.label, label) == 0)
			return custody->keys[i];
	return NULL;
}

static EVP_PKEY *
make(enum key_alg alg)
{
	switch (alg) {
	case KEY_ALG_EC_P256:
		return EVP_EC_gen("P-256");
	case KEY_ALG_EC_P384:
		return EVP_EC_gen("P-384");
	case KEY_ALG_RSA_2048:
		return EVP_RSA_gen(2048);
	case KEY_ALG_RSA_3072:
		return EVP_RSA_gen(3072);
	case KEY_ALG_RSA_4096:
		return EVP_RSA_gen(4096);
	case KEY_ALG_ED25519:
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	case KEY_ALG_NONE:
	default:
		return NULL;
	}
}

static bool
spki_of(EVP_PKEY *pkey, uint8_t ret_at[CUSTODY_SPKI_MAX], size_t *ret_len)
{
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(pkey, &der);
	bool fits = len > 0 && len <= CUSTODY_SPKI_MAX;

	if (fits) {
		memcpy(ret_at, der, (size_t)len);
		*ret_len = (size_t)len;
	}
	OPENSSL_free(der);
	return fits;
}

/* Takes pkey.  NULL when it cannot be. */
static struct fake_key *
add(struct custody *custody, EVP_PKEY *pkey, const char *label,
    const char *pool, int origin)
{
	struct fake_key *key = calloc(1, sizeof(*key));
	struct bytes spki;

	if (key == NULL || custody->n_keys == KEYS_MAX ||
	    !spki_of(pkey, key->key.spki, &key->key.spki_len)) {
		EVP_PKEY_free(pkey);
		free(key);
		return NULL;
	}
	spki = (struct bytes){ key->key.spki, key->key.spki_len };
	key->pkey = pkey;
	key->key.alg = key_alg_of_spki(spki);
	key->key.origin = origin;
	key->key.state = ACTIVE;
	(void)key_id_of_spki(spki, &key->key.id);
	(void)!snprintf(key->key.label, sizeof(key->key.label), "%s", label);
	(void)!snprintf(key->key.pool, sizeof(key->key.pool), "%s", pool);
	custody->keys[custody->n_keys++] = key;
	return key;
}

/* ---- life of the fake ---- */

struct custody *
custody_fake_new(void)
{
	struct custody *custody = calloc(1, sizeof(*custody));

	if (custody == NULL)
		return NULL;
	custody->next = status_ok();
	custody->wrapping = EVP_RSA_gen(2048);
	pthread_mutex_init(&custody->mutex, NULL);
	return custody;
}

void
custody_close(struct custody *custody)
{
	if (custody == NULL)
		return;
	for (size_t i = 0; i < custody->n_keys; i++) {
		EVP_PKEY_free(custody->keys[i]->pkey);
		free(custody->keys[i]);
	}
	EVP_PKEY_free(custody->wrapping);
	pthread_mutex_destroy(&custody->mutex);
	free(custody);
}

/* ---- making and importing ---- */

STATUS
custody_generate_replaceable(struct custody *custody, enum key_alg alg,
    const char *label, const char *pool, const char *for_whom,
    struct custody_key *ret_key, char *ret_why)
{
	return custody_generate(
	    custody, alg, label, pool, for_whom, ret_key, ret_why);
}

STATUS
custody_generate(struct custody *custody, enum key_alg alg, const char *label,
    const char *pool, const char *for_whom, struct custody_key *ret_key,
    char *ret_why)
{
	struct status st = enter(custody, "generate", ret_why);
	struct fake_key *key = NULL;
	EVP_PKEY *pkey;

	if (failed(st))
		return st;
	pkey = make(alg);
	if (by_label(custody, label) != NULL)
		EVP_PKEY_free(pkey);
	else if (pkey != NULL)
		key = add(custody, pkey, label, pool,
		    HOLDFAST__KEYD__V1__KEY_ORIGIN__KEY_ORIGIN_GENERATED);
	(void)!snprintf(
	    custody->for_whom, sizeof(custody->for_whom), "%s", for_whom);
	if (key != NULL)
		*ret_key = key->key;
	else
		st = status_fail(STATUS_ALREADY_EXISTS,
		    "keyd has a key of that label already");
	return leave(custody, st, ret_why);
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
custody_import_parameters(struct custody *custody, const char *pool,
    struct custody_wrapping *ret_wrapping, char *ret_why)
{
	struct status st = enter(custody, "import_parameters", ret_why);
	struct custody_wrapping wrapping = {
		.wrapping =
		    HOLDFAST__KEYD__V1__IMPORT_WRAPPING__IMPORT_WRAPPING_RSA_OAEP_SHA1_AES_256_KWP,
		.expires_s = INT64_C(4102444800),
		.algorithms = { KEY_ALG_EC_P256, KEY_ALG_EC_P384,
		    KEY_ALG_RSA_2048, KEY_ALG_RSA_3072, KEY_ALG_RSA_4096 },
		.n_algorithms = 5,
	};
	struct key_id id = { 0 };

	if (failed(st))
		return st;
	if (custody->only != KEY_ALG_NONE) {
		wrapping.algorithms[0] = custody->only;
		wrapping.n_algorithms = 1;
	}
	(void)spki_of(custody->wrapping, wrapping.key, &wrapping.key_len);
	(void)key_id_of_spki(
	    (struct bytes){ wrapping.key, wrapping.key_len }, &id);
	memcpy(wrapping.key_id, id.at, KEY_ID_LEN);
	wrapping.key_id_len = KEY_ID_LEN;
	(void)!snprintf(wrapping.pool, sizeof(wrapping.pool), "%s", pool);
	*ret_wrapping = wrapping;
	return leave(custody, st, ret_why);
}

/* The AES key, of the part that RSA-OAEP (SHA-1) wrapped. */
static bool
unwrap_aes(EVP_PKEY *wrapping, struct bytes part, uint8_t ret_aes[32])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(wrapping, NULL);
	uint8_t plain[512];
	size_t len = sizeof(plain);
	bool ok =
	    ctx != NULL && EVP_PKEY_decrypt_init(ctx) == 1 &&
	    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
	    EVP_PKEY_decrypt(ctx, plain, &len, part.at, part.len) == 1 &&
	    len == 32;

	EVP_PKEY_CTX_free(ctx);
	if (ok)
		memcpy(ret_aes, plain, 32);
	return ok;
}

static EVP_PKEY *
unwrap(EVP_PKEY *wrapping, struct bytes blob)
{
	size_t head = (size_t)EVP_PKEY_get_size(wrapping);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t aes[32], plain[CUSTODY_SPKI_MAX * 4];
	const unsigned char *at = plain;
	PKCS8_PRIV_KEY_INFO *info = NULL;
	EVP_PKEY *pkey = NULL;
	int len = 0;

	if (ctx == NULL || blob.len <= head ||
	    blob.len - head > sizeof(plain) ||
	    !unwrap_aes(wrapping, (struct bytes){ blob.at, head }, aes))
		goto out;
	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	if (EVP_DecryptInit_ex(ctx, EVP_aes_256_wrap_pad(), NULL, aes, NULL) !=
		1 ||
	    EVP_DecryptUpdate(
		ctx, plain, &len, blob.at + head, (int)(blob.len - head)) != 1)
		goto out;
	info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, len);
	if (info != NULL)
		pkey = EVP_PKCS82PKEY(info);
out:
	PKCS8_PRIV_KEY_INFO_free(info);
	EVP_CIPHER_CTX_free(ctx);
	OPENSSL_cleanse(plain, sizeof(plain));
	return pkey;
}

static struct status
import_key(struct custody *custody, const struct custody_import *import,
    struct custody_key *ret_key)
{
	EVP_PKEY *pkey = unwrap(custody->wrapping, import->blob);
	struct fake_key *key;
	uint8_t spki[CUSTODY_SPKI_MAX];
	size_t len = 0;
	struct key_id id;

	if (pkey == NULL || !spki_of(pkey, spki, &len) ||
	    !bytes_equal(import->spki, (struct bytes){ spki, len })) {
		EVP_PKEY_free(pkey);
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "the blob does not hold the key that it is said to");
	}
	(void)key_id_of_spki(import->spki, &id);
	if (by_id(custody, &id) != NULL ||
	    by_label(custody, import->label) != NULL) {
		EVP_PKEY_free(pkey);
		return status_fail(
		    STATUS_ALREADY_EXISTS, "the token has that key already");
	}
	key = add(custody, pkey, import->label, import->pool,
	    import->exposed
		? HOLDFAST__KEYD__V1__KEY_ORIGIN__KEY_ORIGIN_IMPORTED_CERTD
		: HOLDFAST__KEYD__V1__KEY_ORIGIN__KEY_ORIGIN_IMPORTED_WRAPPED);
	if (key == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no room");
	key->exposed = import->exposed;
	(void)!snprintf(custody->for_whom, sizeof(custody->for_whom), "%s",
	    import->for_whom);
	*ret_key = key->key;
	return status_ok();
}

STATUS
custody_import(struct custody *custody, const struct custody_import *import,
    struct custody_key *ret_key, char *ret_why)
{
	struct status st = enter(custody, "import", ret_why);

	if (failed(st))
		return st;
	return leave(custody, import_key(custody, import, ret_key), ret_why);
}

/* ---- finding, signing ---- */

static struct status
found(struct custody *custody, const struct fake_key *key,
    struct custody_key *ret_key, char *ret_why)
{
	if (key == NULL)
		return leave(custody,
		    status_fail(STATUS_NOT_FOUND, "keyd has no such key"),
		    ret_why);
	*ret_key = key->key;
	return leave(custody, status_ok(), ret_why);
}

STATUS
custody_find_label(struct custody *custody, const char *label,
    struct custody_key *ret_key, char *ret_why)
{
	struct status st = enter(custody, "find_label", ret_why);

	if (failed(st))
		return st;
	return found(custody, by_label(custody, label), ret_key, ret_why);
}

STATUS
custody_find(struct custody *custody, const struct key_id *id,
    struct custody_key *ret_key, char *ret_why)
{
	struct status st = enter(custody, "find", ret_why);

	if (failed(st))
		return st;
	return found(custody, by_id(custody, id), ret_key, ret_why);
}

/* As pki/csr.h's csr_scheme wants it. */
static const EVP_MD *
digest_of(enum key_alg alg)
{
	if (alg == KEY_ALG_ED25519)
		return NULL;
	return alg == KEY_ALG_EC_P384 ? EVP_sha384() : EVP_sha256();
}

static struct status
sign(struct custody *custody, const struct key_id *id, enum key_alg alg,
    struct bytes content, struct signature *ret_signature)
{
	struct fake_key *key = by_id(custody, id);
	struct signature signature = { .len = SIGNATURE_MAX };
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	struct status st = status_ok();

	if (key == NULL || ctx == NULL || key->key.alg != alg ||
	    EVP_DigestSignInit(ctx, NULL, digest_of(alg), NULL, key->pkey) !=
		1 ||
	    EVP_DigestSign(ctx, signature.at, &signature.len, content.at,
		content.len) != 1)
		st = status_fail(STATUS_NOT_FOUND, "keyd has no such key");
	else
		*ret_signature = signature;
	EVP_MD_CTX_free(ctx);
	return st;
}

STATUS
custody_sign_csr(struct custody *custody, const struct key_id *id,
    enum key_alg alg, struct bytes info, struct signature *ret_signature,
    char *ret_why)
{
	struct status st = enter(custody, "sign_csr", ret_why);

	return failed(st)
		   ? st
		   : leave(custody, sign(custody, id, alg, info, ret_signature),
			 ret_why);
}

STATUS
custody_sign_jws(struct custody *custody, const struct key_id *id,
    enum key_alg alg, struct bytes input, struct signature *ret_signature,
    char *ret_why)
{
	struct status st = enter(custody, "sign_jws", ret_why);

	return failed(st)
		   ? st
		   : leave(custody,
			 sign(custody, id, alg, input, ret_signature), ret_why);
}

/* ---- grants ---- */

static size_t
grant_at(
    struct custody *custody, const struct key_id *id, const char *edge_group)
{
	size_t i = 0;

	while (i < custody->n_grants &&
	       !(key_id_equal(&custody->grants[i].key, id) &&
		   strcmp(custody->grants[i].edge_group, edge_group) == 0))
		i++;
	return i;
}

/* Under the mutex. */
static void
put_grant(
    struct custody *custody, const struct key_id *id, const char *edge_group)
{
	size_t at = grant_at(custody, id, edge_group);

	if (at < custody->n_grants || at == GRANTS_MAX)
		return;
	custody->grants[at].key = *id;
	(void)!snprintf(custody->grants[at].edge_group,
	    sizeof(custody->grants[at].edge_group), "%s", edge_group);
	custody->n_grants++;
}

STATUS
custody_grant(struct custody *custody, const struct key_id *id,
    const char *edge_group, char *ret_why)
{
	struct status st = enter(custody, "grant", ret_why);

	if (failed(st))
		return st;
	if (by_id(custody, id) == NULL)
		st = status_fail(STATUS_NOT_FOUND, "keyd has no such key");
	else
		put_grant(custody, id, edge_group);
	return leave(custody, st, ret_why);
}

STATUS
custody_revoke(struct custody *custody, const struct key_id *id,
    const char *edge_group, char *ret_why)
{
	struct status st = enter(custody, "revoke", ret_why);
	size_t at;

	if (failed(st))
		return st;
	at = grant_at(custody, id, edge_group);
	if (at < custody->n_grants)
		custody->grants[at] = custody->grants[--custody->n_grants];
	return leave(custody, st, ret_why);
}

static int
by_key(const void *a, const void *b)
{
	const struct fake_grant *x = a, *y = b;

	return memcmp(x->key.at, y->key.at, KEY_ID_LEN);
}

STATUS
custody_each_grant(struct custody *custody,
    bool (*each)(void *ctx, const struct key_id *id, const char *edge_group),
    void *ctx, char *ret_why)
{
	struct status st = enter(custody, "each_grant", ret_why);
	scoped(free) struct fake_grant *grants = NULL;
	size_t n;

	if (failed(st))
		return st;
	/* As the real one: no lock is held while they are told. */
	n = custody->n_grants;
	grants = calloc(n + 1, sizeof(*grants));
	if (grants == NULL)
		return leave(custody,
		    status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory"),
		    ret_why);
	memcpy(grants, custody->grants, n * sizeof(*grants));
	st = leave(custody, st, ret_why);
	qsort(grants, n, sizeof(*grants), by_key);
	for (size_t i = 0; i < n && !failed(st); i++)
		if (!each(ctx, &grants[i].key, grants[i].edge_group))
			break;
	return st;
}

/* ---- the end of a key ---- */

STATUS
custody_suspend(struct custody *custody, const struct key_id *id,
    const char *reason, char *ret_why)
{
	struct status st = enter(custody, "suspend", ret_why);
	struct fake_key *key;

	(void)reason;
	if (failed(st))
		return st;
	key = by_id(custody, id);
	if (key != NULL && key->key.state == ACTIVE)
		key->key.state = SUSPENDED;
	return leave(custody, st, ret_why);
}

STATUS
custody_destroy(struct custody *custody, const struct key_id *id,
    const char *comment, bool *ret_waits, char *ret_why)
{
	struct status st = enter(custody, "destroy", ret_why);
	struct fake_key *key;

	(void)comment;
	if (failed(st))
		return st;
	key = by_id(custody, id);
	if (key != NULL && !custody->waits)
		key->key.state = SCHEDULED;
	else if (key != NULL)
		key->waits = true;
	*ret_waits = custody->waits;
	return leave(custody, st, ret_why);
}

/* ---- edges, state, identity ---- */

STATUS
custody_each_edge(struct custody *custody,
    void (*each)(void *ctx, const struct custody_edge *edge), void *ctx,
    char *ret_why)
{
	struct status st = enter(custody, "each_edge", ret_why);

	if (failed(st))
		return st;
	for (size_t i = 0; i < custody->n_edges; i++)
		each(ctx, &custody->edges[i]);
	return leave(custody, st, ret_why);
}

STATUS
custody_each_member(struct custody *custody, enum role role,
    void (*each)(void *ctx, const struct custody_member *member), void *ctx,
    char *ret_why)
{
	struct status st = enter(custody, "each_member", ret_why);
	const char *name = role_name(role);

	if (failed(st))
		return st;
	for (size_t i = 0; i < custody->n_members; i++)
		if (strncmp(custody->members[i].identity, name, strlen(name)) ==
		    0)
			each(ctx, &custody->members[i]);
	return leave(custody, st, ret_why);
}

void
custody_trouble(struct custody *custody, char ret_why[CUSTODY_WHY_MAX])
{
	pthread_mutex_lock(&custody->mutex);
	ret_why[0] = 0;
	if (custody->away)
		(void)away(ret_why);
	pthread_mutex_unlock(&custody->mutex);
}

const char *
custody_domain(const struct custody *custody)
{
	(void)custody;
	return "example.test";
}

/* ---- cues and questions ---- */

void
custody_fake_away(struct custody *custody, bool is_away)
{
	pthread_mutex_lock(&custody->mutex);
	custody->away = is_away;
	pthread_mutex_unlock(&custody->mutex);
}

void
custody_fake_fail(
    struct custody *custody, enum status_code code, const char *why)
{
	pthread_mutex_lock(&custody->mutex);
	custody->next = status_fail(code, why);
	pthread_mutex_unlock(&custody->mutex);
}

void
custody_fake_lose_answer(struct custody *custody)
{
	pthread_mutex_lock(&custody->mutex);
	custody->loses_answer = true;
	pthread_mutex_unlock(&custody->mutex);
}

void
custody_fake_wait_for_approval(struct custody *custody, bool waits)
{
	pthread_mutex_lock(&custody->mutex);
	custody->waits = waits;
	for (size_t i = 0; !waits && i < custody->n_keys; i++)
		if (custody->keys[i]->waits)
			custody->keys[i]->key.state = SCHEDULED;
	pthread_mutex_unlock(&custody->mutex);
}

void
custody_fake_before(
    struct custody *custody, void (*before)(void *ctx), void *ctx)
{
	pthread_mutex_lock(&custody->mutex);
	custody->before = before;
	custody->before_ctx = ctx;
	pthread_mutex_unlock(&custody->mutex);
}

void
custody_fake_unwraps_only(struct custody *custody, enum key_alg alg)
{
	pthread_mutex_lock(&custody->mutex);
	custody->only = alg;
	pthread_mutex_unlock(&custody->mutex);
}

struct key_id
custody_fake_put(
    struct custody *custody, enum key_alg alg, const char *label, int state)
{
	struct key_id id = { 0 };
	struct fake_key *key;
	EVP_PKEY *pkey = make(alg);

	pthread_mutex_lock(&custody->mutex);
	key = pkey == NULL
		  ? NULL
		  : add(custody, pkey, label, "standard",
			HOLDFAST__KEYD__V1__KEY_ORIGIN__KEY_ORIGIN_GENERATED);
	if (key != NULL) {
		id = key->key.id;
		key->key.state = state == 0 ? ACTIVE : state;
	}
	pthread_mutex_unlock(&custody->mutex);
	return id;
}

unsigned
custody_fake_asked(struct custody *custody, const char *call)
{
	unsigned n = 0;

	pthread_mutex_lock(&custody->mutex);
	for (size_t i = 0; i < CALLS_MAX; i++)
		if (custody->calls[i].name != NULL &&
		    (call[0] == 0 || strcmp(custody->calls[i].name, call) == 0))
			n += custody->calls[i].n;
	pthread_mutex_unlock(&custody->mutex);
	return n;
}

size_t
custody_fake_keys(struct custody *custody)
{
	size_t n = 0;

	pthread_mutex_lock(&custody->mutex);
	for (size_t i = 0; i < custody->n_keys; i++)
		if (custody->keys[i]->key.state != SCHEDULED)
			n++;
	pthread_mutex_unlock(&custody->mutex);
	return n;
}

bool
custody_fake_has(struct custody *custody, const struct key_id *id)
{
	const struct fake_key *key;
	bool has;

	pthread_mutex_lock(&custody->mutex);
	key = by_id(custody, id);
	has = key != NULL && key->key.state != SCHEDULED;
	pthread_mutex_unlock(&custody->mutex);
	return has;
}

bool
custody_fake_is_suspended(struct custody *custody, const struct key_id *id)
{
	const struct fake_key *key;
	bool is;

	pthread_mutex_lock(&custody->mutex);
	key = by_id(custody, id);
	is = key != NULL && key->key.state == SUSPENDED;
	pthread_mutex_unlock(&custody->mutex);
	return is;
}

bool
custody_fake_exposed(struct custody *custody, const struct key_id *id)
{
	const struct fake_key *key;
	bool exposed;

	pthread_mutex_lock(&custody->mutex);
	key = by_id(custody, id);
	exposed = key != NULL && key->exposed;
	pthread_mutex_unlock(&custody->mutex);
	return exposed;
}

bool
custody_fake_granted(
    struct custody *custody, const struct key_id *id, const char *edge_group)
{
	bool granted;

	pthread_mutex_lock(&custody->mutex);
	granted = grant_at(custody, id, edge_group) < custody->n_grants;
	pthread_mutex_unlock(&custody->mutex);
	return granted;
}

void
custody_fake_put_grant(
    struct custody *custody, const struct key_id *id, const char *edge_group)
{
	pthread_mutex_lock(&custody->mutex);
	put_grant(custody, id, edge_group);
	pthread_mutex_unlock(&custody->mutex);
}

void
custody_fake_for_whom(struct custody *custody, char ret_text[160])
{
	pthread_mutex_lock(&custody->mutex);
	memcpy(ret_text, custody->for_whom, sizeof(custody->for_whom));
	pthread_mutex_unlock(&custody->mutex);
}

void
custody_fake_edge(
    struct custody *custody, const char *name, const char *edge_group)
{
	struct custody_edge *edge;

	pthread_mutex_lock(&custody->mutex);
	if (custody->n_edges < EDGES_MAX) {
		edge = &custody->edges[custody->n_edges++];
		(void)!snprintf(edge->name, sizeof(edge->name), "%s", name);
		(void)!snprintf(edge->edge_group, sizeof(edge->edge_group),
		    "%s", edge_group);
		edge->is_enrolled = true;
	}
	pthread_mutex_unlock(&custody->mutex);
}

void
custody_fake_member(
    struct custody *custody, const char *identity, bool quarantined)
{
	size_t i = 0;

	pthread_mutex_lock(&custody->mutex);
	while (i < custody->n_members &&
	       strcmp(custody->members[i].identity, identity) != 0)
		i++;
	if (i < MEMBERS_MAX) {
		struct custody_member *member = &custody->members[i];

		(void)!snprintf(
		    member->identity, sizeof(member->identity), "%s", identity);
		member->quarantined = quarantined;
		if (i == custody->n_members)
			custody->n_members++;
	}
	pthread_mutex_unlock(&custody->mutex);
}
