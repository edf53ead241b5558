/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_NOTICES_STORE_MUTES_H
#define CERTD_NOTICES_STORE_MUTES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"
#include "certd/caller.h"
#include "certd/store_users.h"

/*
 * Mails that recipients have stopped, as it is kept: a row from the stop on,
 * which stays when it is lifted.  Stopping, and whether something is stopped
 * now, are in store_notices.h.  Within the caller's transaction.
 */

/* Who does what a link in a mail was followed for, in rows and in history. */
#define MUTE_BY_LINK "link in a mail"

struct mute_row {
	int64_t id, account;
	char account_name[ACCOUNT_NAME_MAX];
	char recipient[STORE_EMAIL_MAX]; /* lower case */
	int event;
	int64_t at_s;
	int64_t lifted_s;          /* 0: it holds */
	char lifted_by[ACTOR_MAX]; /* MUTE_BY_LINK, or who called */
};

/* NOT_FOUND, "there is no such notice mute". */
STATUS store_mutes_load(struct db_tx *tx, int64_t id, struct mute_row *ret_row);
/* The newest of them, lifted or not; NOT_FOUND: they were never stopped. */
STATUS store_mutes_newest(struct db_tx *tx, int64_t account,
    const char *recipient, int event, struct mute_row *ret_row);

/* One that holds; as load gives it then. */
STATUS store_mutes_lift(struct db_tx *tx, const char *by, struct mute_row *row);
/* How often was it lifted by links, from since_s to till_s? */
STATUS store_mutes_count_lifted(struct db_tx *tx, const struct mute_row *row,
    int64_t since_s, int64_t till_s, int64_t *ret_n);

struct store_mutes_query {
	int64_t account;       /* 0: of all */
	const char *recipient; /* whatever its case; "": of all */
	int event;             /* 0: of all */
	bool lifted;           /* those that were lifted, too */
	int64_t from;          /* older than this one; 0: the newest */
	uint32_t size;
};
/* Newest first; each as page.h has it. */
STATUS store_mutes_list(struct db_tx *tx, const struct store_mutes_query *query,
    bool (*each)(void *ctx, const struct mute_row *row), void *ctx,
    bool *ret_more);

#endif
