/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_LOGIN_LOGIN_SECRET_H
#define CERTD_LOGIN_LOGIN_SECRET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/*
 * Secrets of cookies and of one-time links: 32 random octets as 43 characters
 * of base64url (RFC 4648 5).  Their SHA-256 is what is kept.
 */
#define LOGIN_SECRET_LEN 43
#define LOGIN_SECRET_MAX (LOGIN_SECRET_LEN + 1)
#define LOGIN_SECRET_OCTETS 32
#define LOGIN_SECRET_HASH_LEN 32

STATUS login_secret_new(
    char ret_secret[LOGIN_SECRET_MAX], uint8_t ret_hash[LOGIN_SECRET_HASH_LEN]);
/* False for what login_secret_new never made by its form. */
bool login_secret_hash(
    const char *secret, uint8_t ret_hash[LOGIN_SECRET_HASH_LEN]);
/* 32 octets as text. */
void login_secret_spell(
    const uint8_t octets[LOGIN_SECRET_OCTETS], char ret_text[LOGIN_SECRET_MAX]);

#endif
