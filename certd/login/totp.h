/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_LOGIN_TOTP_H
#define CERTD_LOGIN_TOTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Time-based codes as authenticators show them (RFC 6238): HMAC-SHA-1, six
 * digits, a new one every 30 seconds. */
#define TOTP_STEP_S 30
#define TOTP_DIGITS 6
#define TOTP_SECRET_LEN 20
#define TOTP_BASE32_MAX 33
#define TOTP_URI_MAX 1024

/* The code of a step of time: RFC 4226 5.3 with that counter. */
bool totp_code(
    struct bytes secret, uint64_t step, char ret_code[TOTP_DIGITS + 1]);

/*
 * Is it the code of now, or of the step before or after (RFC 6238 5.2), and of
 * a step later than after?  Gives the step, which the caller keeps: a code
 * counts once.
 */
bool totp_check(struct bytes secret, int64_t now_s, const char *code,
    int64_t after, int64_t *ret_step);

/* Base32 (RFC 4648 6) of TOTP_SECRET_LEN octets: needs no padding. */
void totp_base32(
    const uint8_t secret[TOTP_SECRET_LEN], char ret_text[TOTP_BASE32_MAX]);
/* "otpauth://totp/Holdfast:anna%40example.com?secret=...&issuer=Holdfast". */
void totp_uri(
    const char *base32, const char *label, char ret_uri[TOTP_URI_MAX]);

#endif
