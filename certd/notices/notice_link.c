/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Tokens of links that stop mails; see notice_link.h.  A token is taken as it
 * was made and in no other spelling; nothing of it is believed before its HMAC
 * was compared, in constant time.
 */

#include "certd/notices/notice_link.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/base64.h"
#include "base/bytes.h"
#include "certd/notices/notice_event.h"

#define VERSION 1
#define SALT "notices" /* there is no row that has one */
#define HEAD 10        /* version, account, event */
#define TAG 16
#define OCTETS_MAX (HEAD + STORE_EMAIL_MAX + TAG)
#define SECRET_CHARS 43 /* of 32 octets */

/* ---- base64url (RFC 4648 5), without padding ---- */

static void
print_base64url(struct bytes octets, char *ret_text)
{
	size_t n = base64_encode(octets, ret_text);

	for (size_t i = 0; i < n; i++)
		if (ret_text[i] == '+')
			ret_text[i] = '-';
		else if (ret_text[i] == '/')
			ret_text[i] = '_';
	ret_text[strcspn(ret_text, "=")] = 0;
}

static bool
read_base64url(const char *text, uint8_t *ret_at, size_t max, size_t *ret_len)
{
	char base64[NOTICE_TOKEN_MAX + 4];
	size_t n = 0;

	if (strlen(text) >= NOTICE_TOKEN_MAX)
		return false;
	for (; *text != 0; text++) {
		if (strchr("+/=", *text) != NULL)
			return false;
		base64[n++] = *text == '-' ? '+' : *text == '_' ? '/' : *text;
	}
	while (n % 4 != 0)
		base64[n++] = '=';
	return base64_decode(
	    (struct bytes){ (const uint8_t *)base64, n }, ret_at, max, ret_len);
}

/* ---- tokens ---- */

static struct status
no_token(void)
{
	return status_fail(STATUS_INVALID_ARGUMENT,
	    "this link is not whole, or not one of ours; copy it from the mail "
	    "once more");
}

/* The first octets of HMAC-SHA256, keyed for that purpose. */
static struct status
make_tag(const struct secrets *secrets, const char *purpose,
    struct bytes octets, uint8_t ret_tag[TAG])
{
	uint8_t key[SECRETS_LEN], whole[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	struct status st =
	    secrets_derive(secrets, purpose, bytes_of(SALT), key);

	if (failed(st))
		return st;
	if (HMAC(EVP_sha256(), key, sizeof(key), octets.at, octets.len, whole,
		&len) == NULL ||
	    len < TAG)
		st = status_fail(STATUS_INTERNAL, "an HMAC could not be made");
	else
		memcpy(ret_tag, whole, TAG);
	OPENSSL_cleanse(key, sizeof(key));
	OPENSSL_cleanse(whole, sizeof(whole));
	return st;
}

STATUS
notice_link_make(const struct secrets *secrets,
    const struct notice_token *token, char ret_text[NOTICE_TOKEN_MAX])
{
	uint8_t octets[OCTETS_MAX];
	size_t len = strlen(token->recipient), n = 0;
	struct status st;

	octets[n++] = VERSION;
	for (int shift = 56; shift >= 0; shift -= 8)
		octets[n++] = (uint8_t)((uint64_t)token->account >> shift);
	octets[n++] = (uint8_t)token->event;
	memcpy(octets + n, token->recipient, len);
	n += len;
	st = make_tag(
	    secrets, "unsubscribe", (struct bytes){ octets, n }, octets + n);
	if (failed(st))
		return st;
	print_base64url((struct bytes){ octets, n + TAG }, ret_text);
	return st;
}

static struct status
read_octets(struct bytes octets, struct notice_token *to)
{
	size_t len = octets.len - HEAD - TAG;
	uint64_t account = 0;

	for (size_t i = 1; i < HEAD - 1; i++)
		account = account << 8 | octets.at[i];
	to->account = (int64_t)account;
	to->event = octets.at[HEAD - 1];
	memcpy(to->recipient, octets.at + HEAD, len);
	to->recipient[len] = 0;
	return octets.at[0] == VERSION && to->account > 0 &&
		       notice_event_is(to->event) &&
		       !notice_event_is_whole(to->event) &&
		       strlen(to->recipient) == len
		   ? status_ok()
		   : no_token();
}

STATUS
notice_link_read(const struct secrets *secrets, const char *text,
    struct notice_token *ret_token)
{
	uint8_t octets[OCTETS_MAX], tag[TAG];
	struct notice_token token;
	size_t n = 0;
	struct status st;

	if (!read_base64url(text, octets, sizeof(octets), &n) ||
	    n <= HEAD + TAG || n >= OCTETS_MAX)
		return no_token();
	st = make_tag(
	    secrets, "unsubscribe", (struct bytes){ octets, n - TAG }, tag);
	if (failed(st))
		return st;
	if (CRYPTO_memcmp(tag, octets + n - TAG, TAG) != 0)
		return no_token();
	st = read_octets((struct bytes){ octets, n }, &token);
	if (!failed(st))
		*ret_token = token;
	return st;
}

/* ---- names and secrets ---- */

STATUS
notice_link_name(const struct secrets *secrets, const char *purpose,
    const char *of, char ret_name[NOTICE_NAME_MAX])
{
	uint8_t tag[TAG];
	struct status st = make_tag(secrets, purpose, bytes_of(of), tag);

	if (!failed(st))
		bytes_to_hex((struct bytes){ tag, TAG }, ret_name);
	return st;
}

STATUS
notice_link_secret(const struct secrets *secrets,
    const uint8_t salt[SECRETS_SALT_LEN], char ret_secret[NOTICE_SECRET_MAX])
{
	uint8_t octets[SECRETS_LEN];
	char text[BASE64_MAX(SECRETS_LEN)];
	struct status st = secrets_derive(secrets, "webhook",
	    (struct bytes){ salt, SECRETS_SALT_LEN }, octets);

	if (failed(st))
		return st;
	print_base64url((struct bytes){ octets, sizeof(octets) }, text);
	snprintf(ret_secret, NOTICE_SECRET_MAX, "hfw_%.*s", SECRET_CHARS, text);
	OPENSSL_cleanse(octets, sizeof(octets));
	OPENSSL_cleanse(text, sizeof(text));
	return st;
}
