/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Secrets with 256 random bits of their own: they are looked up by their
 * SHA-256, so nothing about them follows from how long that takes.
 */

#include "certd/login/login_secret.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "base/base64.h"

_Static_assert(LOGIN_SECRET_HASH_LEN == SHA256_DIGEST_LENGTH, "SHA-256");

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			       "abcdefghijklmnopqrstuvwxyz0123456789-_";
/* The last character stands for four bits. */
static const char LAST[] = "AEIMQUYcgkosw048";

void
login_secret_spell(
    const uint8_t octets[LOGIN_SECRET_OCTETS], char ret_text[LOGIN_SECRET_MAX])
{
	char text[BASE64_MAX(LOGIN_SECRET_OCTETS)];

	(void)base64_encode(
	    (struct bytes){ octets, LOGIN_SECRET_OCTETS }, text);
	for (size_t i = 0; i < LOGIN_SECRET_LEN; i++) {
		ret_text[i] = text[i];
		if (text[i] == '+')
			ret_text[i] = '-';
		else if (text[i] == '/')
			ret_text[i] = '_';
	}
	ret_text[LOGIN_SECRET_LEN] = 0;
	OPENSSL_cleanse(text, sizeof(text));
}

STATUS
login_secret_new(
    char ret_secret[LOGIN_SECRET_MAX], uint8_t ret_hash[LOGIN_SECRET_HASH_LEN])
{
	uint8_t octets[LOGIN_SECRET_OCTETS];

	if (RAND_priv_bytes(octets, sizeof(octets)) != 1)
		return status_fail(
		    STATUS_INTERNAL, "the random generator failed");
	login_secret_spell(octets, ret_secret);
	OPENSSL_cleanse(octets, sizeof(octets));
	SHA256((const unsigned char *)ret_secret, LOGIN_SECRET_LEN, ret_hash);
	return status_ok();
}

bool
login_secret_hash(const char *secret, uint8_t ret_hash[LOGIN_SECRET_HASH_LEN])
{
	if (strlen(secret) != LOGIN_SECRET_LEN ||
	    strspn(secret, ALPHABET) != LOGIN_SECRET_LEN ||
	    strchr(LAST, secret[LOGIN_SECRET_LEN - 1]) == NULL)
		return false;
	SHA256((const unsigned char *)secret, LOGIN_SECRET_LEN, ret_hash);
	return true;
}
