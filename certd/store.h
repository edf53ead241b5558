/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_STORE_H
#define CERTD_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/db.h"
#include "base/metrics.h"
#include "base/scoped.h"
#include "base/status.h"

/*
 * The one door to what certd keeps.  Callers ask for acts on accounts,
 * certificates, resources and edges, each declared in a header of its own
 * (certd/store_certificates.h, ...), within a transaction of base/db.h; they
 * write no SQL and know no database.  So another database fits behind these
 * files without their callers being touched.
 *
 * Any thread.  After a transaction that made a new edge version is committed,
 * watchers are woken.
 */
struct store;

struct store_config {
	const char *state_dir; /* certd.db is made in it */
	bool read_only;        /* for a person's program beside certd */
};

STATUS store_open(const struct store_config *config, struct store **ret_store);
void store_close(struct store *store); /* NULL is allowed */
SCOPED_RELEASE(store_close, struct store *);

/* db_write and db_read of it; end them with store_commit or db_end. */
STATUS store_write(struct store *store, struct db_tx **ret_tx);
STATUS store_read(struct store *store, struct db_tx **ret_tx);
/* db_commit, then wakes who waits for an edge version or for grants. */
STATUS store_commit(struct store *store, struct db_tx *tx, struct status st);

/* What is in the database's own meta table; NOT_FOUND when it is not. */
STATUS store_meta_get(
    struct db_tx *tx, const char *name, char *ret_value, size_t max);
STATUS store_meta_set(struct db_tx *tx, const char *name, const char *value);

struct db *store_db(struct store *store);

/* When API tokens were used (certd/token_uses.h); NULL when read_only. */
struct token_uses;
struct token_uses *store_token_uses(struct store *store);

/* Count commits and their time from here on; once, before threads. */
void store_measure(struct store *store, struct metrics *metrics);

/* ---- edge versions ---- */

#define STORE_TAG_LEN 8

/* A new version, for all that this transaction changes that edges must know;
 * the same one when called again within it. */
STATUS store_new_version(struct db_tx *tx, int64_t now_s, int64_t *ret_version);
/* Newest version and its tag; a new database has one, of its own. */
STATUS store_current_version(
    struct db_tx *tx, int64_t *ret_version, uint8_t ret_tag[STORE_TAG_LEN]);

/*
 * Wait until something was committed after the count seen (any write counts),
 * at most timeout_ms; gives the count.  store_wake makes all of them look.
 */
uint64_t store_wait(struct store *store, uint64_t seen, unsigned timeout_ms);
/* The same for who can do without seeing each of them: it rests for 20 ms
 * first, so that hundreds of commits a second wake it fifty times.  What is
 * committed after a quiet moment wakes it at once. */
uint64_t store_wait_calmly(
    struct store *store, uint64_t seen, unsigned timeout_ms);
void store_wake(struct store *store);

/* ---- history ---- */

/* What is put down for auditors, in the transaction that does it.  account 0:
 * the operator's own.  Texts are cut to 200 octets. */
STATUS store_event(struct db_tx *tx, int64_t account, const char *actor,
    const char *act, const char *object, const char *detail);

/* ---- pages of a list ---- */

#define STORE_PAGE_DEFAULT 100
#define STORE_PAGE_MAX 1000

/* 0 is the default; INVALID_ARGUMENT beyond the maximum. */
STATUS store_page_size(uint32_t asked, uint32_t *ret_size);

/* Milliseconds-free wall clock, one call a request. */
int64_t store_now_s(void);

/* An etag of a row's revision ("r7"), and whether one that was given back still
 * holds: empty always does; else ABORTED, "changed meanwhile". */
#define STORE_ETAG_MAX 24
void store_etag_print(int64_t revision, char ret_etag[STORE_ETAG_MAX]);
STATUS store_etag_check(const char *given, int64_t revision);

/* NOT_FOUND in the words that tell nothing of other accounts. */
struct status store_no_such(const char *why);

#endif
