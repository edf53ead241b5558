/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_NOTICES_STORE_RULES_H
#define CERTD_NOTICES_STORE_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"
#include "certd/caller.h"
#include "certd/page.h"
#include "certd/store_users.h"

/*
 * Rules of who is told of what, as they are kept.  Within the caller's
 * transaction; who may see what is for the caller to ask.
 */
#define RULE_DAYS_MAX 10
#define RULE_EMAILS_MAX 20
#define RULE_WEBHOOKS_MAX 5

struct rule_row {
	int64_t id, account; /* account 0: about the whole */
	char account_name[ACCOUNT_NAME_MAX];
	int event; /* certd/notices/notice_event.h, as told's bits */
	size_t n_days;
	int days[RULE_DAYS_MAX]; /* falling, each once */
	unsigned told;
	size_t n_emails, n_webhooks;
	char emails[RULE_EMAILS_MAX][STORE_EMAIL_MAX];
	int64_t webhooks[RULE_WEBHOOKS_MAX];
	bool disabled;
	int64_t revision;
};

/* NOT_FOUND, "there is no such rule". */
STATUS store_rules_load(struct db_tx *tx, int64_t id, struct rule_row *ret_row);
/* Sets id and revision. */
STATUS store_rules_insert(struct db_tx *tx, struct rule_row *row);
/* All but account and event; the revision goes up by one, in row too. */
STATUS store_rules_save(struct db_tx *tx, struct rule_row *row);
STATUS store_rules_delete(struct db_tx *tx, int64_t id);
STATUS store_rules_count(struct db_tx *tx, int64_t account, int64_t *ret_n);

/* In order of ids; page.account 0: of all accounts, or with whole those about
 * the whole. */
STATUS store_rules_list(struct db_tx *tx, const struct page *page, bool whole,
    bool (*each)(void *ctx, const struct rule_row *row), void *ctx,
    bool *ret_more);
/* Those of an account (0: about the whole) for an event that are not disabled;
 * each returns false to stop, as when memory ends. */
STATUS store_rules_each(struct db_tx *tx, int64_t account, int event,
    bool (*each)(void *ctx, const struct rule_row *row), void *ctx);

/* The next set of days, in order of their text, that a rule not disabled asks
 * for; "" is the first one's begin.  NOT_FOUND: there is none. */
#define RULE_DAYS_TEXT_MAX 48
STATUS store_rules_next_days(struct db_tx *tx, int event, const char *after,
    char ret_days[RULE_DAYS_TEXT_MAX]);
/* "14 7 0" as numbers; what is none is passed over. */
size_t store_rules_days(const char *text, int ret_days[RULE_DAYS_MAX]);

#endif
