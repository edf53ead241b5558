/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CONSOLE_STORE_OVERVIEW_H
#define CERTD_CONSOLE_STORE_OVERVIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/db.h"
#include "base/signing.h"
#include "base/status.h"
#include "certd/caller.h"

/*
 * What the overview counts and lists, and what keys are for.  All within the
 * caller's transaction.  An account has what is its own; account 0: of all.
 */
struct overview_counts {
	int64_t certificates, resources, enrollments;
	int64_t changes; /* under way */
	int64_t expired;
	int64_t expiring; /* within OVERVIEW_SOON_S, not expired */
};

#define OVERVIEW_SOON_S (14 * 86400)

/* Counts rows of indexes: with a million certificates tens of milliseconds. */
STATUS store_overview_counts(struct db_tx *tx, int64_t account, int64_t now_s,
    struct overview_counts *ret_counts);
/* Certificates of a kind (certd/store_resources.h) that end within [from, to).
 */
STATUS store_overview_ending(struct db_tx *tx, int64_t account, int kind,
    const int64_t between_s[2], int64_t *ret_n);
/* To OVERVIEW_REMINDER_MAX and no further. */
#define OVERVIEW_REMINDER_MAX 1000
STATUS store_overview_reminder(struct db_tx *tx, int64_t account, int64_t now_s,
    uint32_t *ret_expired, uint32_t *ret_expiring);

/* ---- what needs somebody ---- */

enum overview_what {
	/* Certificates that are bound: text is empty, number the kind. */
	OVERVIEW_EXPIRED,  /* the latest first */
	OVERVIEW_EXPIRING, /* that do not renew by themselves */
	/* Changes under way: text what they do, number the state. */
	OVERVIEW_WAITING, /* for a person */
	OVERVIEW_FAILING, /* text is the problem, at_s the next attempt */
	/* Enrollments: text the problem, at_s the end of what they have, number
	 * failures one after the other. */
	OVERVIEW_FAILED,      /* given up */
	OVERVIEW_NOT_RENEWED, /* tried again */
	/* Resources: text the problem. */
	OVERVIEW_FORBIDDEN,  /* edges may not sign yet, keyd said why */
	OVERVIEW_NOT_SERVED, /* number edges could not put it in place */
	OVERVIEW_UNBOUND,    /* HTTPS, and no certificate; number the mode */
	OVERVIEW_PLAIN,      /* plain HTTP alone */
	OVERVIEW_NOTICES, /* given up: name the recipient, text the problem */
	OVERVIEW_END_,
};

#define OVERVIEW_NAME_MAX 256
#define OVERVIEW_TEXT_MAX 512
struct overview_row {
	int64_t id;
	char account[ACCOUNT_NAME_MAX]; /* "": the operator's own */
	char name[OVERVIEW_NAME_MAX];
	char text[OVERVIEW_TEXT_MAX];
	int64_t at_s, number;
};

/*
 * At most max of them.  Lists are walked OVERVIEW_WALK rows far at most, so
 * among very many some are not seen before others are gone.
 */
#define OVERVIEW_WALK 5000
STATUS store_overview_rows(struct db_tx *tx, enum overview_what what,
    int64_t account, int64_t now_s, size_t max,
    bool (*each)(void *ctx, const struct overview_row *row), void *ctx);

/* Edges that have not applied what their group was to do OVERVIEW_LAG_S ago:
 * since when. 0: it has. */
#define OVERVIEW_LAG_S 120
STATUS store_overview_lag(struct db_tx *tx, const char *edge_group,
    int64_t applied_version, int64_t *ret_since_s);

/* ---- keys ---- */

struct overview_key {
	struct key_id id;
	char account[ACCOUNT_NAME_MAX];
	int64_t created_s;
};

/* An account's keys, newest first, from behind after (NULL: the first). */
STATUS store_overview_keys(struct db_tx *tx, int64_t account,
    const struct overview_key *after, size_t max,
    bool (*each)(void *ctx, const struct overview_key *key), void *ctx);
/* Whose it is; NOT_FOUND: certd has no row of it. */
STATUS store_overview_key(struct db_tx *tx, const struct key_id *id,
    int64_t *ret_account, char ret_name[ACCOUNT_NAME_MAX]);
/* "certificate", "request" or "authority", with id and name. */
#define OVERVIEW_USES_MAX 20
STATUS store_overview_key_uses(struct db_tx *tx, const struct key_id *id,
    bool (*each)(
	void *ctx, const char *kind, const char *use_id, const char *name),
    void *ctx);

#endif
