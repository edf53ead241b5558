/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_LOGIN_PASSWORD_H
#define CERTD_LOGIN_PASSWORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "base/status.h"

/*
 * Passwords as they are kept: scrypt (RFC 7914) with r 8 and p 1, which takes
 * 2^(log2n + 10) octets of memory and is meant to take long.  So only
 * PASSWORD_AT_ONCE are computed at once; others wait for their turn.
 */
#define PASSWORD_MIN 12
#define PASSWORD_MAX 256
#define PASSWORD_SALT_LEN 16
#define PASSWORD_HASH_LEN 32
#define PASSWORD_TEXT_MAX 128
#define PASSWORD_LOG2N 17 /* 128 MiB */
#define PASSWORD_LOG2N_MIN 10
#define PASSWORD_LOG2N_MAX 20
#define PASSWORD_AT_ONCE 2

struct password {
	unsigned log2n;
	uint8_t salt[PASSWORD_SALT_LEN];
	uint8_t hash[PASSWORD_HASH_LEN];
};

/* "scrypt:17:8:1:SALT:HASH", base64.  False for anything else. */
bool password_parse(const char *text, struct password *ret_password);
void password_print(
    const struct password *password, char ret_text[PASSWORD_TEXT_MAX]);
/* Do both have the same parameters and salt? */
bool password_is_alike(const struct password *a, const struct password *b);

struct password_gate;
struct password_gate *password_gate_new(void);       /* NULL: no memory */
void password_gate_free(struct password_gate *gate); /* NULL is allowed */
SCOPED_RELEASE(password_gate_free, struct password_gate *);

/* hash, from log2n and salt.  Waits 10 s at most for its turn: UNAVAILABLE
 * then, or when many wait already. */
STATUS password_compute(
    struct password_gate *gate, struct bytes plain, struct password *password);

/*
 * May it be one?  PASSWORD_MIN..PASSWORD_MAX octets, none of those that
 * everybody tries first, and more than the user's address or account.
 * INVALID_ARGUMENT says what is wrong.
 */
STATUS password_check(
    const char *plain, const char *email, const char *account);

#endif
