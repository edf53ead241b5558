/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_STORE_ACME_ACCOUNTS_H
#define CERTD_STORE_ACME_ACCOUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "acme/client.h"
#include "base/db.h"
#include "base/signing.h"
#include "base/status.h"
#include "certd/config.h"

/*
 * certd's accounts at CAs, one for each, and what a start has to know of how
 * much a CA was asked lately.  All within the caller's transaction.
 */

#define ACME_CONTACTS_MAX 2048

struct acme_account_row {
	char authority[AUTHORITY_NAME_MAX];
	char directory[ACME_URL_MAX];
	struct key_id key;
	/* What is to take its place, while it does (RFC 8555 7.3.5). */
	bool has_next;
	struct key_id key_next;
	char url[ACME_URL_MAX]; /* empty: not registered yet */
	char thumbprint[ACME_THUMBPRINT_MAX];
	char contacts[ACME_CONTACTS_MAX]; /* as the CA has them, with blanks */
	int64_t created_s;
};

/* NOT_FOUND: there is none. */
STATUS store_acme_accounts_load(
    struct db_tx *tx, const char *authority, struct acme_account_row *ret_row);
/* A new one, or all of one that is there. */
STATUS store_acme_accounts_save(
    struct db_tx *tx, const struct acme_account_row *row);

/* ---- how much CAs were asked ---- */

/* Orders of changes that were begun since then, oldest first.  hostnames are
 * separated by blanks; kind is CHANGE_KIND_... */
STATUS store_acme_accounts_orders(struct db_tx *tx, const char *authority,
    int64_t since_s,
    void (*each)(void *ctx, int64_t at_s, int kind, const char *hostnames),
    void *ctx);
/* Names whose validation failed in changes that ended since then, oldest
 * first. */
STATUS store_acme_accounts_failures(struct db_tx *tx, const char *authority,
    int64_t since_s,
    void (*each)(void *ctx, int64_t at_s, const char *hostname), void *ctx);

#endif
