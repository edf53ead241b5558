/* SPDX-License-Identifier: Apache-2.0 */

/*
 * RFC 6238.  All steps of the window are computed whatever the code is, and
 * compared in constant time.
 */

#include "certd/login/totp.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#define WINDOW 1
#define SHA1_LEN 20

bool
totp_code(struct bytes secret, uint64_t step, char ret_code[TOTP_DIGITS + 1])
{
	uint8_t counter[8], mac[EVP_MAX_MD_SIZE];
	unsigned len = 0, at;
	uint32_t number;

	for (size_t i = 0; i < sizeof(counter); i++)
		counter[i] = (uint8_t)(step >> (56 - 8 * i));
	if (HMAC(EVP_sha1(), secret.at, (int)secret.len, counter,
		sizeof(counter), mac, &len) == NULL ||
	    len != SHA1_LEN)
		return false;
	/* RFC 4226 5.3: dynamic truncation. */
	at = mac[SHA1_LEN - 1] & 0xf;
	number = (uint32_t)(mac[at] & 0x7f) << 24 |
		 (uint32_t)mac[at + 1] << 16 | (uint32_t)mac[at + 2] << 8 |
		 mac[at + 3];
	snprintf(ret_code, TOTP_DIGITS + 1, "%06u", number % 1000000);
	OPENSSL_cleanse(mac, sizeof(mac));
	return true;
}

static bool
is_code(const char *code)
{
	return strlen(code) == TOTP_DIGITS &&
	       strspn(code, "0123456789") == TOTP_DIGITS;
}

bool
totp_check(struct bytes secret, int64_t now_s, const char *code, int64_t after,
    int64_t *ret_step)
{
	char want[TOTP_DIGITS + 1];
	int64_t now = now_s / TOTP_STEP_S, found = -1;

	if (!is_code(code))
		return false;
	for (int64_t step = now - WINDOW; step <= now + WINDOW; step++)
		if (step > after && step >= 0 &&
		    totp_code(secret, (uint64_t)step, want) &&
		    CRYPTO_memcmp(want, code, TOTP_DIGITS) == 0)
			found = step;
	OPENSSL_cleanse(want, sizeof(want));
	if (found < 0)
		return false;
	*ret_step = found;
	return true;
}

void
totp_base32(
    const uint8_t secret[TOTP_SECRET_LEN], char ret_text[TOTP_BASE32_MAX])
{
	static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	unsigned held = 0, bits = 0;
	char *to = ret_text;

	_Static_assert(TOTP_SECRET_LEN % 5 == 0, "no padding");
	for (size_t i = 0; i < TOTP_SECRET_LEN; i++) {
		held = (held << 8 | secret[i]) & 0xffff;
		for (bits += 8; bits >= 5; bits -= 5)
			*to++ = ALPHABET[held >> (bits - 5) & 31];
	}
	*to = 0;
}

void
totp_uri(const char *base32, const char *label, char ret_uri[TOTP_URI_MAX])
{
	size_t n =
	    (size_t)snprintf(ret_uri, TOTP_URI_MAX, "otpauth://totp/Holdfast:");

	for (; *label != 0 && n + 128 < TOTP_URI_MAX; label++) {
		unsigned char c = (unsigned char)*label;

		if (isalnum(c) || c == '.' || c == '-' || c == '_')
			ret_uri[n++] = (char)c;
		else
			n += (size_t)snprintf(
			    ret_uri + n, TOTP_URI_MAX - n, "%%%02X", c);
	}
	snprintf(ret_uri + n, TOTP_URI_MAX - n,
	    "?secret=%s&issuer=Holdfast&algorithm=SHA1&digits=%d&period=%d",
	    base32, TOTP_DIGITS, TOTP_STEP_S);
}
