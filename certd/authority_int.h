/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_AUTHORITY_INT_H
#define CERTD_AUTHORITY_INT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "certd/authorities.h"
#include "certd/authority_files.h"
#include "certd/authority_health.h"
#include "certd/limiter.h"
#include "certd/store_acme_accounts.h"

/* What the files of authorities share; nobody else includes it. */

/* A key of an account, which signs through keyd. */
struct authority_key {
	struct custody *custody;
	struct custody_key is;
};

/* An account as it is used; immutable but for refs. */
struct authority_account {
	unsigned refs; /* of->mutex guards */
	struct authority *of;
	struct authority_key key;
	char url[ACME_URL_MAX];
	char thumbprint[ACME_THUMBPRINT_MAX];
};

struct authority {
	struct authorities *all;
	const struct config_authority *is;
	size_t index;
	struct limiter *limiter;
	pthread_mutex_t mutex;
	pthread_cond_t changed; /* of busy, and of an account's refs */
	/* mutex guards what follows */
	bool busy;         /* somebody acts on acme or on the account */
	struct acme *acme; /* made once, by who is busy; then it stays */
	struct authority_account *account; /* NULL: to be made */
	bool is_gone;      /* the CA has said so of the account */
	unsigned attempts; /* to make it; how the last one failed: */
	struct status failure;
	struct acme_problem problem; /* .why empty: it did not */
	struct authority_health health;
	bool has_directory;
	struct acme_directory directory; /* as it was last seen */
	struct metric_counter *m_orders, *m_problems;
	struct metric_gauge *m_well;
};

struct authorities {
	struct store *store;
	struct custody *custody;
	const struct config *config;
	struct authority_files *files;
	struct metrics *own_metrics; /* when nobody else's are measured */
	struct authority *at;
	size_t n;
};

/* NULL when there is none. */
struct authority *authority_find(
    const struct authorities *authorities, const char *name);
/* Is there another one that may be asked in its place?  Of two that both take a
 * person neither may: they would wait for each other. */
bool authority_has_stand_in(const struct authority *a);

/* Wait for one's turn to act on it, alone; and let the next one. */
void authority_begin(struct authority *authority);
void authority_end(struct authority *authority);
/* The directory, by who is busy; makes the client first. */
STATUS authority_directory(struct authority *authority, bool again,
    struct acme_directory *ret_directory, struct acme_problem *ret_problem);

/* Another key for its account, once nobody uses it. */
STATUS authority_roll(struct authority *authority, const char *actor,
    struct acme_problem *ret_problem);

/* ---- authority_key.c ---- */

/* For acme/client.h; borrows the key. */
struct acme_signer authority_key_signer(struct authority_key *key);
/*
 * A key of an account that keyd is asked for: *ret_label is its intent, which
 * authority_key_keep or _abandon ends.  On failure ret_problem says why.
 */
STATUS authority_key_birth(struct authority *authority,
    struct authority_key *ret_key, char ret_label[CUSTODY_LABEL_MAX],
    struct acme_problem *ret_problem);
/* Within the transaction that writes its row.  ABORTED: it took too long, and
 * the key is doomed. */
STATUS authority_key_keep(struct db_tx *tx, const char *label);
/* NOT_FOUND: keyd has it no more. */
STATUS authority_key_find(struct authority *authority, const struct key_id *id,
    struct authority_key *ret_key, struct acme_problem *ret_problem);
/* What is wrong on our side, as a problem; gives st back. */
struct status authority_key_trouble(
    struct acme_problem *ret_problem, struct status st, const char *why);

/* ---- authority_account.c, authority_rollover.c; by who is busy ---- */

/* The account's row while it is worked on. */
struct authority_draft {
	struct authority *of;
	struct acme_account_row row;
	struct authority_key key;
	bool was_there; /* the row */
	struct acme_problem *problem;
};

STATUS authority_account_save(struct authority_draft *draft, const char *actor,
    const char *act, const char *label);
/* Make it, or look whether it is as it should be.  was_gone: the CA has
 * forgotten it. */
STATUS authority_account_make(struct authority *authority, bool was_gone,
    struct authority_account **ret_account, struct acme_problem *ret_problem);
/* Let another key take the place of its key. */
STATUS authority_account_roll(struct authority *authority, bool was_gone,
    const char *actor, struct authority_account **ret_account,
    struct acme_problem *ret_problem);

/*
 * Go on with a key change that was begun: find out which key the CA knows, and
 * end with that one.  OK also when the CA will not change it now: then the old
 * one is used further, and the draft has a next one still.
 */
STATUS authority_rollover_settle(struct authority_draft *draft);
/* Begin one, and end it. */
STATUS authority_rollover_begin(
    struct authority_draft *draft, const char *actor);

#endif
