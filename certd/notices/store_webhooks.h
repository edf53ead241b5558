/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_NOTICES_STORE_WEBHOOKS_H
#define CERTD_NOTICES_STORE_WEBHOOKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"
#include "certd/caller.h"
#include "certd/notices/webhook_send.h"
#include "certd/page.h"
#include "certd/secrets.h"

/*
 * Webhooks as they are kept.  The secret is not: it is made of the salt
 * (certd/secrets.h).  Within the caller's transaction.
 */
#define WEBHOOK_NAME_MAX 61 /* with a zero, as below */
#define WEBHOOK_PROBLEM_MAX 301

struct webhook_row {
	int64_t id, account; /* account 0: the operator's own */
	char account_name[ACCOUNT_NAME_MAX];
	char name[WEBHOOK_NAME_MAX];
	char url[WEBHOOK_URL_MAX];
	uint8_t salt[SECRETS_SALT_LEN];
	bool disabled;
	int64_t created_s, last_s;
	char last_problem[WEBHOOK_PROBLEM_MAX];
	unsigned failures; /* in a row */
	int64_t rests_s;   /* it is left alone until then */
	int64_t revision;
};

/* NOT_FOUND, "there is no such webhook". */
STATUS store_webhooks_load(
    struct db_tx *tx, int64_t id, struct webhook_row *ret_row);
/* Sets id, created_s and revision.  ALREADY_EXISTS: the account has one of that
 * name; so too when it is saved. */
STATUS store_webhooks_insert(struct db_tx *tx, struct webhook_row *row);
/* name, url and disabled; the revision goes up by one, in row too, and it rests
 * no longer. */
STATUS store_webhooks_save(struct db_tx *tx, struct webhook_row *row);
/* With what is queued for it. */
STATUS store_webhooks_delete(struct db_tx *tx, int64_t id);
STATUS store_webhooks_count(struct db_tx *tx, int64_t account, int64_t *ret_n);
/* In order of ids; page.account 0: all of them. */
STATUS store_webhooks_list(struct db_tx *tx, const struct page *page,
    bool (*each)(void *ctx, const struct webhook_row *row), void *ctx,
    bool *ret_more);

/* How the last attempt went; an etag that somebody holds stays good. */
STATUS store_webhooks_tried(
    struct db_tx *tx, int64_t id, int64_t at_s, const char *problem);
/* It failed so often in a row, and is left alone until then, with all that
 * waits for it. */
STATUS store_webhooks_rest(
    struct db_tx *tx, int64_t id, unsigned failures, int64_t until_s);
/* It wants no more (410). */
STATUS store_webhooks_disable(struct db_tx *tx, int64_t id);

#endif
