/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_STORE_CHANGES_H
#define CERTD_STORE_CHANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "acme/client.h"
#include "base/db.h"
#include "base/signing.h"
#include "base/status.h"
#include "certd/custody.h"
#include "certd/store_enrollments.h"

/*
 * Changes as they are kept: rows that are saved before each of their steps.
 * All within the caller's transaction.
 */

/* holdfast.certd.v1.ChangeState, ChangeKind, ChangeInput, Challenge.State. */
enum {
	CHANGE_QUEUED = 1,
	CHANGE_CHECKING = 2,
	CHANGE_ORDERING = 3,
	CHANGE_PRESENTING = 4,
	CHANGE_AWAITING_VERIFY = 5,
	CHANGE_VALIDATING = 6,
	CHANGE_AWAITING_ISSUE = 7,
	CHANGE_FINALIZING = 8,
	CHANGE_INSTALLING = 9,
	CHANGE_PROVING = 10,
	CHANGE_DONE = 11, /* from here on it has ended */
	CHANGE_FAILED = 12,
	CHANGE_CANCELLED = 13,
	CHANGE_EXPIRED = 14,
};
enum {
	CHANGE_KIND_ISSUE = 1,
	CHANGE_KIND_RENEWAL = 2,
	CHANGE_KIND_REISSUE = 3,
	CHANGE_KIND_REPLACEMENT = 4,
};
enum {
	CHANGE_INPUT_VERIFY = 1,
	CHANGE_INPUT_ISSUE = 2,
	CHANGE_INPUT_RETRY = 3,
	CHANGE_INPUT_CANCEL = 4,
};
enum {
	CHALLENGE_PENDING = 1,
	CHALLENGE_PRESENT = 2,
	CHALLENGE_VALIDATING = 3,
	CHALLENGE_VALID = 4,
	CHALLENGE_INVALID = 5,
};

#define CHANGE_DOING_MAX 256

struct change_row {
	int64_t id, enrollment, account, resource;
	int64_t plan; /* 0: none */
	int purpose, kind, state;
	int64_t due_s;     /* 0: when an input comes */
	int input;         /* given and not taken yet; 0: none */
	unsigned attempts; /* of the present state */
	/* At least what store_changes_percent says; saving never lowers it. */
	unsigned percent;
	char doing[CHANGE_DOING_MAX];
	char problem[PROBLEM_MAX];
	char authority[AUTHORITY_NAME_MAX]; /* where it is ordered */
	/* Whom a plan wants it from, whatever the enrollment says; or empty.
	 * Saving leaves it. */
	char wanted_authority[AUTHORITY_NAME_MAX];
	char order_url[ACME_URL_MAX];
	char finalize_url[ACME_URL_MAX];
	char certificate_url[ACME_URL_MAX];
	int64_t expires_s;
	char key_label[CUSTODY_LABEL_MAX];
	bool has_key;
	struct key_id key;
	int64_t replaces, certificate, diagnosis;
	/* What is wanted has changed since: when it ends, another one follows
	 * by itself (store_changes_outdate). */
	bool is_outdated;
	int64_t created_s, ended_s;
	char created_by[ACTOR_MAX];
};

static inline bool
change_has_ended(const struct change_row *row)
{
	return row->state >= CHANGE_DONE;
}

/*
 * How far one in that state is, in percent: QUEUED 0, CHECKING 5, ORDERING 10,
 * PRESENTING 20, AWAITING_VERIFY 30, VALIDATING 40, AWAITING_ISSUE 60,
 * FINALIZING 65, INSTALLING 85, PROVING 90, DONE 100; the other ends: as far as
 * it came, so 0.
 */
unsigned store_changes_percent(int state);

/* Those that API tokens have asked for since then, of an account or (0) of an
 * enrollment; counts to max and no further. */
STATUS store_changes_asked(struct db_tx *tx, int64_t account,
    int64_t enrollment, int64_t since_s, unsigned max, unsigned *ret_n);

/* What all below say of one that is not there. */
struct status store_changes_none(void);

/*
 * A new one, QUEUED and due now, with its first event; sets id and created_s.
 * Its names are the enrollment's.  ALREADY_EXISTS: that purpose of the
 * enrollment has one under way, *ret_other says which.
 */
STATUS store_changes_insert(
    struct db_tx *tx, struct change_row *row, int64_t *ret_other);
STATUS store_changes_load(
    struct db_tx *tx, int64_t id, struct change_row *ret_row);
STATUS store_changes_names(
    struct db_tx *tx, int64_t id, struct names *ret_names);
/* The one under way; NOT_FOUND: none. */
STATUS store_changes_alive(struct db_tx *tx, int64_t enrollment, int purpose,
    struct change_row *ret_row);
/* That, else the newest of that purpose; NOT_FOUND: there never was one. */
STATUS store_changes_newest(struct db_tx *tx, int64_t enrollment, int purpose,
    struct change_row *ret_row);
/* When the n-th newest that is DONE was begun; 0: there are not so many. */
STATUS store_changes_obtained(struct db_tx *tx, int64_t enrollment, int purpose,
    unsigned n, int64_t *ret_since_s);
/* Of a resource's enrollment, purpose main. */
STATUS store_changes_of_resource(
    struct db_tx *tx, int64_t resource, struct change_row *ret_row);

/*
 * Everything of the row but input, is_outdated and names.  With text not NULL
 * the history gets a line of the new state.  While an input is there that was
 * not taken, the row stays due now whatever due_s says.
 *
 * An ended one gets ended_s and is due no more; in the same transaction what
 * waited for that happens: revocations of what it took the place of become due,
 * the change after an outdated one is queued, an enrollment that leaves is
 * deleted.
 */
STATUS store_changes_save(
    struct db_tx *tx, struct change_row *row, const char *text);
/* A line of history alone, of a state that was passed through. */
STATUS store_changes_event(
    struct db_tx *tx, int64_t change, int state, const char *text);
/*
 * Put an input there, due now; the machine takes it (store_changes_save leaves
 * it, store_changes_take_input ends the one that the row was read with).  A
 * CANCEL that waits stays; a person's CANCEL means it: no other change follows.
 *
 * The machine takes VERIFY in the transaction that saves what came of it:
 * whoever gave it waits until it is gone, and then reads state and problem.
 */
STATUS store_changes_give_input(struct db_tx *tx, int64_t id, int input);
STATUS store_changes_take_input(struct db_tx *tx, struct change_row *row);
/* Those with an input that was not taken yet. */
STATUS store_changes_given(
    struct db_tx *tx, int64_t *ret_ids, size_t max, size_t *ret_n);
/* What is wanted has changed: cancel it if it can be, and have another one
 * follow it. */
STATUS store_changes_outdate(struct db_tx *tx, int64_t id);

/* Due at now_s, earliest first, those that are not in skip (ids that are being
 * worked on, in ascending order).  *ret_next_s: when the next one is due; 0:
 * none. */
STATUS store_changes_due(struct db_tx *tx, int64_t now_s, const int64_t *skip,
    size_t n_skip, int64_t *ret_ids, size_t max, size_t *ret_n,
    int64_t *ret_next_s);
/* Due at once what was put off by a clock that was ahead of now_s. */
STATUS store_changes_clamp(struct db_tx *tx, int64_t now_s);
/* Another change of the same names at the same CA that is ORDERING, or beyond
 * and not yet proving; 0: none (single flight).  In the transaction that saves
 * ORDERING, so that of two the first one goes. */
STATUS store_changes_same_names(
    struct db_tx *tx, const struct change_row *row, int64_t *ret_other);

/* ---- challenges ---- */

struct challenge_row {
	int64_t change;
	char hostname[256];
	char type[24]; /* "http-01" */
	char authorization_url[ACME_URL_MAX];
	char url[ACME_URL_MAX];
	char token[ACME_TOKEN_MAX];
	char key_authorization[ACME_KEY_AUTHORIZATION_MAX];
	char dns_name[256], dns_target[256], dns_value[512];
	bool presented;
	int state;
	char problem[PROBLEM_MAX];
};

STATUS store_challenges_put(
    struct db_tx *tx, const struct challenge_row *row); /* or replaces it */
/* malloc'd, by host name; free it. */
STATUS store_challenges_of(struct db_tx *tx, int64_t change,
    struct challenge_row **ret_rows, size_t *ret_n);
/* Who has worked with an authorization of a CA, by its URL. */
enum challenge_use {
	CHALLENGE_USE_NONE,       /* nobody that is known, or none but itself */
	CHALLENGE_USE_PROVEN,     /* the account has proven it */
	CHALLENGE_USE_OTHERS_NOW, /* a change of another account is at it */
	CHALLENGE_USE_OTHERS,     /* another account was */
};
STATUS store_challenges_use(struct db_tx *tx, const char *authorization_url,
    int64_t account, enum challenge_use *ret_use);
/* All that certd has put in place for http-01 (type, presented): for edges that
 * come, and for certd's own port after a start. */
STATUS store_challenges_presented(struct db_tx *tx, const char *type,
    bool (*each)(void *ctx, const struct challenge_row *row), void *ctx);

/* ---- history and lists ---- */

STATUS store_changes_events(struct db_tx *tx, int64_t change,
    bool (*each)(void *ctx, int64_t at_s, int state, const char *text),
    void *ctx);

#define CHANGES_OLD_MAX 100
/* Where a walk over old changes is; zeroed: at the oldest. */
struct store_changes_walk {
	int64_t created_s, id;
	bool is_done; /* there are none left */
};
/*
 * Of the next CHANGES_OLD_MAX that were begun before then, those that may be
 * deleted: they had ended before then, and are not the newest of their purpose
 * of an enrollment that is there.  *walk moves on.
 */
STATUS store_changes_old(struct db_tx *tx, int64_t before_s,
    struct store_changes_walk *walk, int64_t ret_ids[CHANGES_OLD_MAX],
    size_t *ret_n);
/* With its history. */
STATUS store_changes_delete(struct db_tx *tx, int64_t id);

struct store_changes_query {
	int64_t account, enrollment, resource; /* 0: of all */
	bool under_way;
	uint32_t size;
	const char *page_token;
};
#define CHANGES_TOKEN_MAX 32
STATUS store_changes_list(struct db_tx *tx,
    const struct store_changes_query *query,
    bool (*each)(void *ctx, const struct change_row *row), void *ctx,
    char ret_token[CHANGES_TOKEN_MAX]);

#endif
