/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_STORE_DIAGNOSES_H
#define CERTD_STORE_DIAGNOSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"
#include "certd/caller.h"
#include "proto/holdfast/certd/v1/diagnoses.pb-c.h"

/*
 * Reports of the checks, as they are kept: DIAGNOSES_KEPT_S, and the newest
 * DIAGNOSES_KEPT of them.  Within the caller's transaction.
 */
#define DIAGNOSES_KEPT_S (INT64_C(90) * 86400)
#define DIAGNOSES_KEPT 100000

/* Sets report->id; account 0: of none.  Takes some of those away that were kept
 * long enough. */
STATUS store_diagnoses_insert(
    struct db_tx *tx, int64_t account, Holdfast__Certd__V1__Diagnosis *report);

/* One that the caller sees, or NOT_FOUND; by message_free. */
STATUS store_diagnoses_find(struct db_tx *tx, const struct caller *caller,
    int64_t id, Holdfast__Certd__V1__Diagnosis **ret_report);

struct store_diagnoses_query {
	int64_t account;      /* 0: of all */
	int64_t resource;     /* 0: of whichever */
	const char *hostname; /* empty: of whichever */
	int64_t from;         /* those before this id; 0: the newest */
	uint32_t size;
};

/* What a list shows of one, borrowed. */
struct diagnosis_row {
	int64_t id, resource, change, at_s;
	uint32_t took_ms;
	bool passed;
	char account_name[ACCOUNT_NAME_MAX];
	char hostname[256], summary[512];
};

/* Newest first; each returns false when memory ends. */
STATUS store_diagnoses_list(struct db_tx *tx,
    const struct store_diagnoses_query *query,
    bool (*each)(void *ctx, const struct diagnosis_row *row), void *ctx,
    bool *ret_more);

#endif
