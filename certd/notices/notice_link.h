/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_NOTICES_NOTICE_LINK_H
#define CERTD_NOTICES_NOTICE_LINK_H

#include <stdint.h>

#include "base/status.h"
#include "certd/secrets.h"
#include "certd/store_users.h"

/*
 * The link in a mail that stops such mails (RFC 8058), and names that are ours
 * alone.  A token says who, of which account, and what; its last sixteen octets
 * are an HMAC-SHA256 that only certd can make.  It holds for as long as
 * secrets.key does, and stops nothing but mails.  Any thread.
 */
#define NOTICE_TOKEN_MAX 480

struct notice_token {
	int64_t account; /* never 0 */
	int event;
	char recipient[STORE_EMAIL_MAX];
};

/* base64url.  RESOURCE_EXHAUSTED; else never fails for what is in range. */
STATUS notice_link_make(const struct secrets *secrets,
    const struct notice_token *token, char ret_text[NOTICE_TOKEN_MAX]);
/* INVALID_ARGUMENT: certd has made no such token. */
STATUS notice_link_read(const struct secrets *secrets, const char *text,
    struct notice_token *ret_token);

/* A name in hex that others cannot know of what it is made: Message-IDs. */
#define NOTICE_NAME_MAX 33
STATUS notice_link_name(const struct secrets *secrets, const char *purpose,
    const char *of, char ret_name[NOTICE_NAME_MAX]);

/* A webhook's secret, "hfw_" and 43 characters; wipe it after use. */
#define NOTICE_SECRET_MAX 48
STATUS notice_link_secret(const struct secrets *secrets,
    const uint8_t salt[SECRETS_SALT_LEN], char ret_secret[NOTICE_SECRET_MAX]);

#endif
