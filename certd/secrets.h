/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_SECRETS_H
#define CERTD_SECRETS_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "base/status.h"

/*
 * Secrets that certd has to compute with again (of second factors, of webhooks,
 * of links in mails) are in no database and no backup of one: a row has a salt,
 * and the secret is made of it by HKDF-SHA256 (RFC 5869) with a key in the file
 * secrets.key of state_dir, mode 0600, which is made at the first start.  With
 * another key they are other secrets: second factors must be set up anew, and
 * webhooks be given their new secret.  Any thread.
 */
struct secrets;

#define SECRETS_LEN 32
#define SECRETS_SALT_LEN 16
#define SECRETS_FILE "secrets.key"

/* Makes the file when there is none.  FAILED_PRECONDITION: others could read
 * it, or it is none. */
STATUS secrets_open(const char *state_dir, struct secrets **ret_secrets);
void secrets_close(struct secrets *secrets); /* NULL is allowed */
SCOPED_RELEASE(secrets_close, struct secrets *);

/* purpose: "totp", "webhook", "unsubscribe", ...: one makes nothing known of
 * another's. */
STATUS secrets_derive(const struct secrets *secrets, const char *purpose,
    struct bytes salt, uint8_t ret_secret[SECRETS_LEN]);
/* A new salt. */
STATUS secrets_salt(uint8_t ret_salt[SECRETS_SALT_LEN]);

#endif
