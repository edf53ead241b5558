/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Bearer tokens to callers.  A secret has 256 random bits and is looked up by
 * its SHA-256, so nothing about it follows from how long that takes.  Revoking,
 * expiry and disabled users count for the very next request; only the time of
 * last use is written later.  Who does not know a secret learns nothing: all
 * that is no token of ours gets the same words.
 */

#include "certd/authenticate.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "certd/roles.h"
#include "certd/store_tokens.h"
#include "certd/token_uses.h"

#define PREFIX "hft_"
#define SECRET_OCTETS 32
#define SECRET_LEN 47
#define SCHEME "Bearer "

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			       "abcdefghijklmnopqrstuvwxyz0123456789-_";

_Static_assert(AUTHENTICATE_HASH_LEN == SHA256_DIGEST_LENGTH, "SHA-256");
_Static_assert(AUTHENTICATE_HASH_LEN == STORE_TOKEN_HASH_LEN, "as is kept");

/* ---- a new secret ---- */

/* 32 octets, which are 42 characters of 6 bits and one of 4. */
static void
spell(const uint8_t octets[SECRET_OCTETS], char *ret_text)
{
	unsigned held = 0, bits = 0;
	char *to = ret_text;

	for (size_t i = 0; i < SECRET_OCTETS; i++) {
		held = (held << 8 | octets[i]) & 0xffff;
		for (bits += 8; bits >= 6; bits -= 6)
			*to++ = ALPHABET[held >> (bits - 6) & 63];
	}
	*to++ = ALPHABET[held << (6 - bits) & 63];
	*to = 0;
}

STATUS
authenticate_new_secret(char ret_secret[AUTHENTICATE_SECRET_MAX],
    uint8_t ret_hash[AUTHENTICATE_HASH_LEN])
{
	uint8_t octets[SECRET_OCTETS];

	if (RAND_priv_bytes(octets, sizeof(octets)) != 1)
		return status_fail(
		    STATUS_INTERNAL, "the random generator failed");
	memcpy(ret_secret, PREFIX, sizeof(PREFIX) - 1);
	spell(octets, ret_secret + sizeof(PREFIX) - 1);
	OPENSSL_cleanse(octets, sizeof(octets));
	SHA256((const unsigned char *)ret_secret, SECRET_LEN, ret_hash);
	return status_ok();
}

/* ---- who holds one ---- */

static struct status
unauthenticated(const char *why)
{
	return status_fail(STATUS_UNAUTHENTICATED, why);
}

static struct status
unknown(void)
{
	return unauthenticated("this is no API token that certd knows; see "
			       "that it was copied whole, or make a new one");
}

static struct status
read_header(const char *authorization, const char **ret_secret)
{
	const char *secret;

	if (authorization == NULL || authorization[0] == 0)
		return unauthenticated("an API token is missing; send it as "
				       "\"Authorization: Bearer hft_...\"");
	if (strncasecmp(authorization, SCHEME, sizeof(SCHEME) - 1) != 0)
		return unauthenticated(
		    "the Authorization header must be \"Bearer \" and an API "
		    "token");
	secret = authorization + sizeof(SCHEME) - 1;
	secret += strspn(secret, " ");
	if (strlen(secret) != SECRET_LEN ||
	    strncmp(secret, PREFIX, sizeof(PREFIX) - 1) != 0)
		return unknown();
	*ret_secret = secret;
	return status_ok();
}

static struct status
find_holder(
    struct store *store, const char *secret, struct store_holder *ret_holder)
{
	scoped(db_end) struct db_tx *tx = NULL;
	uint8_t hash[AUTHENTICATE_HASH_LEN];
	struct status st;

	SHA256((const unsigned char *)secret, SECRET_LEN, hash);
	st = store_read(store, &tx);
	if (!failed(st))
		st = store_tokens_holder(tx, hash, ret_holder);
	return st.code == STATUS_NOT_FOUND ? unknown() : st;
}

static struct status
check_in_force(const struct store_holder *holder, int64_t now_s)
{
	if (holder->revoked_s != 0)
		return unauthenticated(
		    "this API token was revoked; make a new one");
	if (holder->expires_s <= now_s)
		return unauthenticated(
		    "this API token has expired; make a new one");
	if (holder->user_disabled)
		return unauthenticated("the user whose API token this is has "
				       "been disabled; ask an administrator");
	return status_ok();
}

/* A user's token never does more than the user may by now. */
static struct caller
caller_of(const struct store_holder *holder)
{
	int role = holder->user_role == 0
		       ? holder->role
		       : roles_meet(holder->role, holder->user_role);
	struct caller caller = { .is = roles_allow(role),
		.account = holder->account,
		.scopes = roles_scopes_whole(holder->scopes),
		.user = holder->user,
		.token = holder->token };

	snprintf(caller.actor, sizeof(caller.actor), "token %s (%s)",
	    holder->token_name, holder->account_name);
	return caller;
}

STATUS
authenticate_bearer(
    struct store *store, const char *authorization, struct caller *ret_caller)
{
	int64_t now_s = store_now_s();
	struct store_holder holder;
	const char *secret = NULL;
	struct status st = read_header(authorization, &secret);

	if (!failed(st))
		st = find_holder(store, secret, &holder);
	if (!failed(st))
		st = check_in_force(&holder, now_s);
	if (failed(st))
		return st;
	if (holder.last_used_s / 60 != now_s / 60)
		token_uses_note(store_token_uses(store), holder.token, now_s);
	*ret_caller = caller_of(&holder);
	return st;
}

STATUS
authenticate_token(struct db_tx *tx, int64_t token, struct caller *ret_caller)
{
	struct store_holder holder;
	struct status st = store_tokens_holder_of(tx, token, &holder);

	if (st.code == STATUS_NOT_FOUND)
		return unknown();
	if (!failed(st))
		st = check_in_force(&holder, store_now_s());
	if (!failed(st))
		*ret_caller = caller_of(&holder);
	return st;
}
