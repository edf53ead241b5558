/* SPDX-License-Identifier: Apache-2.0 */

/*
 * scrypt behind a gate, and what a password must not be.  Memory is bounded by
 * the gate and by what password_parse accepts: a row with other parameters is
 * no password.  What is refused is what guessers try first: NIST SP 800-63B
 * 5.1.1.2 asks for that, and for no rules of composition.
 */

#include "certd/login/password.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "base/base64.h"
#include "base/clock.h"
#include "certd/login/common_passwords.h"

#define R 8
#define P 1
#define WAITING_MAX 64
#define PATIENCE_NS (10 * NS_PER_S)
/* A name and a few digits are no password. */
#define OWN_MIN 6

/* ---- as text ---- */

bool
password_parse(const char *text, struct password *ret_password)
{
	char salt[BASE64_MAX(PASSWORD_SALT_LEN)];
	char hash[BASE64_MAX(PASSWORD_HASH_LEN)];
	struct password password;
	int end = 0;

	if (sscanf(text, "scrypt:%2u:8:1:%24[^:]:%44[^:]%n", &password.log2n,
		salt, hash, &end) != 3 ||
	    text[end] != 0 || password.log2n < PASSWORD_LOG2N_MIN ||
	    password.log2n > PASSWORD_LOG2N_MAX ||
	    !base64_decode_exactly(
		bytes_of(salt), password.salt, sizeof(password.salt)) ||
	    !base64_decode_exactly(
		bytes_of(hash), password.hash, sizeof(password.hash)))
		return false;
	*ret_password = password;
	return true;
}

void
password_print(
    const struct password *password, char ret_text[PASSWORD_TEXT_MAX])
{
	char salt[BASE64_MAX(PASSWORD_SALT_LEN)];
	char hash[BASE64_MAX(PASSWORD_HASH_LEN)];

	(void)base64_encode(
	    (struct bytes){ password->salt, sizeof(password->salt) }, salt);
	(void)base64_encode(
	    (struct bytes){ password->hash, sizeof(password->hash) }, hash);
	snprintf(ret_text, PASSWORD_TEXT_MAX, "scrypt:%u:%d:%d:%s:%s",
	    password->log2n, R, P, salt, hash);
}

bool
password_is_alike(const struct password *a, const struct password *b)
{
	return a->log2n == b->log2n &&
	       memcmp(a->salt, b->salt, sizeof(a->salt)) == 0;
}

/* ---- the gate ---- */

struct password_gate {
	pthread_mutex_t mutex; /* guards the rest */
	pthread_cond_t changed;
	unsigned running, waiting;
};

struct password_gate *
password_gate_new(void)
{
	struct password_gate *gate = calloc(1, sizeof(*gate));

	if (gate == NULL)
		return NULL;
	pthread_mutex_init(&gate->mutex, NULL);
	clock_cond_init(&gate->changed);
	return gate;
}

void
password_gate_free(struct password_gate *gate)
{
	if (gate == NULL)
		return;
	pthread_cond_destroy(&gate->changed);
	pthread_mutex_destroy(&gate->mutex);
	free(gate);
}

static bool
enter(struct password_gate *gate)
{
	int64_t until_ns = clock_mono_ns() + PATIENCE_NS;
	bool is_in;

	pthread_mutex_lock(&gate->mutex);
	if (gate->waiting < WAITING_MAX) {
		gate->waiting++;
		while (gate->running == PASSWORD_AT_ONCE &&
		       clock_cond_wait(&gate->changed, &gate->mutex, until_ns))
			;
		gate->waiting--;
	}
	is_in = gate->running < PASSWORD_AT_ONCE;
	if (is_in)
		gate->running++;
	pthread_mutex_unlock(&gate->mutex);
	return is_in;
}

static void
leave(struct password_gate *gate)
{
	pthread_mutex_lock(&gate->mutex);
	gate->running--;
	pthread_cond_signal(&gate->changed);
	pthread_mutex_unlock(&gate->mutex);
}

static bool
derive(struct bytes plain, struct password *password)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "SCRYPT", NULL);
	EVP_KDF_CTX *ctx = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
	uint64_t n = (uint64_t)1 << password->log2n;
	uint64_t memory = 2 * 128 * R * n;
	uint32_t r = R, p = P;
	union {
		const void *in;
		void *out; /* only read */
	} octets = { .in = plain.at };
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(
		    OSSL_KDF_PARAM_PASSWORD, octets.out, plain.len),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT,
		    password->salt, sizeof(password->salt)),
		OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
		OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
		OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
		OSSL_PARAM_construct_uint64(
		    OSSL_KDF_PARAM_SCRYPT_MAXMEM, &memory),
		OSSL_PARAM_construct_end(),
	};
	bool is_done = ctx != NULL && EVP_KDF_derive(ctx, password->hash,
					  sizeof(password->hash), params) == 1;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return is_done;
}

STATUS
password_compute(
    struct password_gate *gate, struct bytes plain, struct password *password)
{
	bool is_done;

	if (!enter(gate))
		return status_fail(STATUS_UNAVAILABLE,
		    "many log in at this moment; try again in a few seconds");
	is_done = derive(plain, password);
	leave(gate);
	return is_done ? status_ok()
		       : status_fail(STATUS_RESOURCE_EXHAUSTED,
			     "no memory to look at a password; try again in "
			     "a few seconds");
}

/* ---- what it must not be ---- */

/* "aaaaaaaaaaaa", "abcabcabcabc", "abcdefghijkl", "987654321098". */
static bool
is_pattern(const char *plain, size_t len)
{
	bool seen[256] = { false };
	unsigned distinct = 0, steps[2] = { 0, 0 };

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)plain[i];

		if (!seen[c])
			distinct++;
		seen[c] = true;
		if (i > 0 && (c == (unsigned char)plain[i - 1] + 1 ||
				 (c == '0' && plain[i - 1] == '9')))
			steps[0]++;
		if (i > 0 && (c + 1 == (unsigned char)plain[i - 1] ||
				 (c == '9' && plain[i - 1] == '0')))
			steps[1]++;
	}
	return distinct < 5 || steps[0] + 4 > len || steps[1] + 4 > len;
}

/* Without the first place where part stands, is anything left of it? */
static bool
is_little_but(const char *plain, size_t len, const char *part, size_t part_len)
{
	if (part_len < 3 || part_len > len)
		return false;
	for (size_t i = 0; i + part_len <= len; i++)
		if (strncasecmp(plain + i, part, part_len) == 0)
			return len - part_len < OWN_MIN;
	return false;
}

STATUS
password_check(const char *plain, const char *email, const char *account)
{
	size_t len = strlen(plain);

	if (len < PASSWORD_MIN)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "a password has 12 characters or more; four or five words "
		    "make a good one");
	if (len > PASSWORD_MAX)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "a password has 256 octets at most");
	if (is_pattern(plain, len) || common_passwords_has(plain))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "this password is one of those that are tried first; "
		    "choose another one");
	if (is_little_but(plain, len, email, strlen(email)) ||
	    is_little_but(plain, len, email, strcspn(email, "@")) ||
	    is_little_but(plain, len, account, strlen(account)) ||
	    is_little_but(plain, len, "holdfast", 8))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "this password is little more than a name that everybody "
		    "knows; choose another one");
	return status_ok();
}
