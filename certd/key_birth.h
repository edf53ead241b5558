/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_KEY_BIRTH_H
#define CERTD_KEY_BIRTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/db.h"
#include "base/signing.h"
#include "base/status.h"
#include "certd/custody.h"
#include "certd/store.h"

/*
 * The time from before keyd is asked for a key until the key has a row: its
 * label is on record as an intent, so that a crash, or an answer that was lost,
 * leaves nothing unknown (certd/key_janitor.h finds it).  Each call is a
 * transaction of its own.
 */

/* Of "account acme, operator/admin". */
#define KEY_BIRTH_WHOM_MAX 192
void key_birth_for_whom(
    const char *account, const char *actor, char ret_text[KEY_BIRTH_WHOM_MAX]);

/*
 * A new label, "c-17-65a1c0de-8f14e45fceea167a" of account 17, which was made
 * then, and its intent.  After a database was put back, the next account gets a
 * number that another one had: by its time it is told from that one.
 */
STATUS key_birth_begin(
    struct store *store, int64_t account, char ret_label[CUSTODY_LABEL_MAX]);
/* The same within the caller's transaction. */
STATUS key_birth_intend(
    struct db_tx *tx, int64_t account, char ret_label[CUSTODY_LABEL_MAX]);
/* The intent of a label that is from before: as new, whether the janitor has
 * ended it meanwhile or not. */
STATUS key_birth_renew(struct db_tx *tx, int64_t account, const char *label);
/* Was it made so, for this account, which was made then? */
bool key_birth_is_of(int64_t account, int64_t created_s, const char *label);
/* keyd failed with st: the intent ends, unless keyd may have done it. */
void key_birth_failed(struct store *store, const char *label, struct status st);
/* The key is there and not wanted: it is doomed. */
void key_birth_abandon(
    struct store *store, const char *label, const struct key_id *id);

#endif
