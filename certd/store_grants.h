/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_STORE_GRANTS_H
#define CERTD_STORE_GRANTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/db.h"
#include "base/signing.h"
#include "base/status.h"
#include "certd/custody.h"
#include "certd/key_set.h"
#include "certd/networks.h"

/*
 * Who may sign with which key: rows of grant_, as they should be (wanted) and
 * as keyd was last told (granted).  A row that is neither is gone.  All within
 * the caller's transaction; certd/grants.h does what rows ask for.
 */
struct grant_row {
	struct key_id key;
	char edge_group[NETWORK_NAME_MAX];
	bool wanted;
	int granted; /* GRANT_... */
};

#define STORE_GRANTS_WHY_MAX (CUSTODY_WHY_MAX + 128)

enum {
	GRANT_NO = 0,
	GRANT_YES = 1,
	/* keyd was asked to, and did not answer. */
	GRANT_PERHAPS = 2,
};

/* Bring a key's rows to what bindings, retirements and standby
 * certificates want. */
STATUS store_grants_refresh(struct db_tx *tx, const struct key_id *key);

/*
 * Rows that wait for keyd, those to be taken away first, from behind after
 * (NULL: the first); at most max.  with_trouble: also those that keyd refused.
 * *ret_n counts them; ret_rows holds rubbish behind those, or on failure.
 */
STATUS store_grants_waiting(struct db_tx *tx, const struct grant_row *after,
    bool with_trouble, struct grant_row *ret_rows, size_t max, size_t *ret_n);

/* keyd was told so; what was its trouble is over. */
STATUS store_grants_told(
    struct db_tx *tx, const struct grant_row *row, int granted);
/* keyd would not, or may have; why is kept with the row, if it is there. */
STATUS store_grants_refused(struct db_tx *tx, const struct grant_row *row,
    int granted, const char *why);
/* keyd is away: all that waits, waits for this. */
STATUS store_grants_away(struct db_tx *tx, const char *why);

/* Rows of keys from..to, both included, in order of key and group; at most max,
 * *ret_n counts them. */
STATUS store_grants_between(struct db_tx *tx, const struct key_id *from,
    const struct key_id *to, struct grant_row *ret_rows, size_t max,
    size_t *ret_n);

/* An edge keeps newer files than this database's, and serves them: one that an
 * operator has stopped, or that was not heard of for EDGE_GRACE_S, does not
 * (store_edges.h). */
STATUS store_grants_edge_held_back(
    struct db_tx *tx, int64_t now_s, bool *ret_held);

/* ---- of a resource ---- */

/* Does a key that it binds wait for its edges' right to sign? */
STATUS store_grants_pending(
    struct db_tx *tx, int64_t resource, bool *ret_pending);
/* Empty when none does, else why. */
STATUS store_grants_trouble(
    struct db_tx *tx, int64_t resource, char ret_why[CUSTODY_WHY_MAX]);
/* Empty, or which edges may still sign with one of these keys, though nothing
 * asks for it any more, and why: a sentence. */
STATUS store_grants_surplus(struct db_tx *tx, const struct key_set *keys,
    char ret_why[STORE_GRANTS_WHY_MAX]);

#endif
