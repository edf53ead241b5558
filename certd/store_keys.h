/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_STORE_KEYS_H
#define CERTD_STORE_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/db.h"
#include "base/signing.h"
#include "base/status.h"
#include "certd/custody.h"
#include "certd/networks.h"

/*
 * References to keys in the token.  A key has a row while a certificate or a
 * request uses it; before there is a row its label is an intent, and after it
 * is doomed.  So at any moment certd knows of each key that keyd has for it,
 * and what is left over is found (certd/key_janitor.h).  All within the
 * caller's transaction.
 */
struct store_key {
	struct key_id id;
	int64_t account;
	enum key_alg alg;
	int origin; /* holdfast.keyd.v1.KeyOrigin */
	/* Was in the clear in certd; once said, for ever. */
	bool exposed;
	char pool[CUSTODY_POOL_MAX];
	char network[NETWORK_NAME_MAX];
	char label[CUSTODY_LABEL_MAX];
	size_t spki_len;
	uint8_t spki[CUSTODY_SPKI_MAX];
};

/* NOT_FOUND when there is no row. */
STATUS store_keys_find(
    struct db_tx *tx, const struct key_id *id, struct store_key *ret_key);
/* Ends the intent of its label.  ALREADY_EXISTS: the key has a row, of
 * whatever account. */
STATUS store_keys_insert(
    struct db_tx *tx, const struct store_key *key, const char *created_by);
STATUS store_keys_expose(struct db_tx *tx, const struct key_id *id);
/*
 * When neither certificate nor request uses the key any more: its row goes, and
 * it is doomed.  *ret_doomed says so.
 */
STATUS store_keys_drop_unused(
    struct db_tx *tx, const struct key_id *id, bool *ret_doomed);

/* ---- intents ---- */

/* Before keyd is asked for a key of this label. */
STATUS store_keys_intend(struct db_tx *tx, const char *label, int64_t account);
/* keyd has nothing of that label. */
STATUS store_keys_forget(struct db_tx *tx, const char *label);
/*
 * Take over what another attempt of the same account left over: its intent
 * becomes as new.  *ret_claimed = false: there is none.
 */
STATUS store_keys_claim(
    struct db_tx *tx, const char *label, int64_t account, bool *ret_claimed);
/* The key that came for an intent is not wanted.  Nothing happens to one that
 * has got a row meanwhile. */
STATUS store_keys_abandon(
    struct db_tx *tx, const char *label, const struct key_id *id);

struct store_intent {
	char label[CUSTODY_LABEL_MAX];
	int64_t account, since_s;
};

/* The first one after this label that is from before then; *ret_found. */
STATUS store_keys_next_intent(struct db_tx *tx, const char *after,
    int64_t before_s, struct store_intent *ret_intent, bool *ret_found);
/*
 * End an intent that was left over: with the key that keyd has of that label,
 * or with NULL.  Nothing happens when it was claimed or ended meanwhile.
 */
STATUS store_keys_end_intent(struct db_tx *tx,
    const struct store_intent *intent, const struct key_id *id);

/* ---- doomed keys ---- */

/* One that has no row of its own, such as an ACME account's, is not used any
 * more. */
STATUS store_keys_doom(struct db_tx *tx, const struct key_id *id);
STATUS store_keys_is_doomed(
    struct db_tx *tx, const struct key_id *id, bool *ret_doomed);
struct store_doomed {
	struct key_id id;
	int64_t waits_s; /* since when for approval at keyd; 0: it does not */
};

/* The first one after this id (NULL: of all); *ret_found. */
STATUS store_keys_next_doomed(struct db_tx *tx, const struct key_id *after,
    struct store_doomed *ret_doomed, bool *ret_found);
/* keyd was told, or must not be: a row uses the key after all. */
STATUS store_keys_buried(struct db_tx *tx, const struct key_id *id);
/* keyd was told, and has it wait for approval: till then the key is doomed. */
STATUS store_keys_doomed_waits(struct db_tx *tx, const struct key_id *id);
/* Why keyd could not be told. */
STATUS store_keys_doomed_problem(
    struct db_tx *tx, const struct key_id *id, const char *problem);

#endif
