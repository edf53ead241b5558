/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_STORE_PLANS_H
#define CERTD_STORE_PLANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/db.h"
#include "base/signing.h"
#include "base/status.h"
#include "certd/caller.h"
#include "certd/config.h"
#include "certd/names.h"
#include "certd/networks.h"
#include "certd/store_enrollments.h"
#include "proto/holdfast/certd/v1/plans.pb-c.h"

/*
 * Plans as they are kept, and what each is to replace: one item for each
 * certificate of an enrollment.  All within the caller's transaction.
 */

/* holdfast.certd.v1.PlanState. */
enum {
	PLAN_DRAWN = 0, /* is being drawn up; nobody sees it */
	PLAN_ESTIMATED = 1,
	PLAN_RUNNING = 2,
	PLAN_PAUSED = 3,
	PLAN_DONE = 4,
	PLAN_CANCELLED = 5,
};

struct plan_row {
	int64_t id;
	int state;
	uint32_t total;
	int64_t created_s, started_s, ended_s; /* 0: not yet */
	char created_by[ACTOR_MAX];
};

/* PLAN_DRAWN, with nothing to replace yet; sets id and created_s. */
STATUS store_plans_insert(struct db_tx *tx, struct plan_row *row);
/* NOT_FOUND also while it is drawn up. */
STATUS store_plans_load(struct db_tx *tx, int64_t id, struct plan_row *ret_row);
/* State and times. */
STATUS store_plans_save(struct db_tx *tx, const struct plan_row *row);
/* What was asked and the estimate, of one that was drawn up: it is
 * PLAN_ESTIMATED from here on, of row->total. */
STATUS store_plans_estimated(struct db_tx *tx, struct plan_row *row,
    const Holdfast__Certd__V1__Plan *estimate);
/* Its message with what was asked and the estimate; by message_free. */
STATUS store_plans_estimate(
    struct db_tx *tx, int64_t id, Holdfast__Certd__V1__Plan **ret_estimate);
/* With its items. */
STATUS store_plans_delete(struct db_tx *tx, int64_t id);
/* Ids of a state of which there are few: PLAN_DRAWN, _RUNNING, _PAUSED. */
STATUS store_plans_in(
    struct db_tx *tx, int state, int64_t *ret_ids, size_t max, size_t *ret_n);
/* Newest first, below that id (0: the first ones). */
STATUS store_plans_list(struct db_tx *tx, int64_t below, uint32_t size,
    bool (*each)(void *ctx, const struct plan_row *row), void *ctx,
    bool *ret_more);

/* ---- what it replaces ---- */

enum {
	PLAN_ITEM_WAITS = 0,
	PLAN_ITEM_UNDER_WAY = 1,
	PLAN_ITEM_DONE = 2,
	PLAN_ITEM_FAILING = 3,
	PLAN_ITEM_STATES
};

struct plan_item {
	int64_t plan, enrollment;
	int purpose;
	int64_t certificate; /* what is to be replaced, and who issued it: */
	char authority[AUTHORITY_NAME_MAX];
	int state;
	int64_t change;    /* its last one; 0: none yet */
	unsigned failures; /* changes that failed */
	int64_t due_s;     /* looked at no earlier, if it waits or fails */
	char problem[PROBLEM_MAX];
};

/* All that are given hold; a certificate that no CA of certd.yaml gave is
 * none of them. */
struct store_plans_match {
	const char *authority, *issuer, *pool, *profile; /* "": any */
	/* Names of CAs whose profile is that one where an enrollment says none:
	 * " a b ". */
	const char *profile_of;
	int64_t account;          /* 0: any */
	const struct key_id *key; /* NULL: any */
};

/* The last enrollment's id, to walk up to. */
STATUS store_plans_last(struct db_tx *tx, int64_t *ret_enrollment);
/* Take in those of enrollments after..to; *ret_n counts them. */
STATUS store_plans_draw(struct db_tx *tx, int64_t plan,
    const struct store_plans_match *match, int64_t after, int64_t to,
    int64_t *ret_n);

STATUS store_plans_count(
    struct db_tx *tx, int64_t plan, uint32_t ret_counts[PLAN_ITEM_STATES]);
STATUS store_plans_load_item(struct db_tx *tx, int64_t plan, int64_t enrollment,
    int purpose, struct plan_item *ret_item);
/* All but what it is of. */
STATUS store_plans_save_item(struct db_tx *tx, const struct plan_item *item);
/* Of that state, that are due at now_s, the earliest first; at most max.
 * *ret_next_s: when the next one is; 0: none. */
STATUS store_plans_due(struct db_tx *tx, int64_t plan, int state, int64_t now_s,
    struct plan_item *ret_items, size_t max, size_t *ret_n,
    int64_t *ret_next_s);
/* Those of enrollments after that one, in order; at most max. */
STATUS store_plans_after(struct db_tx *tx, int64_t plan, int64_t after,
    struct plan_item *ret_items, size_t max, size_t *ret_n);
/* Failing ones, with the enrollment's name, at most max. */
STATUS store_plans_failures(struct db_tx *tx, int64_t plan, size_t max,
    bool (*each)(void *ctx, const struct plan_item *item, const char *name),
    void *ctx);

/* How a change of one that is under way stands. */
struct plan_change {
	struct plan_item item;
	bool is_there; /* its row */
	int state;     /* CHANGE_... */
	int64_t due_s;
	bool is_ordered; /* the CA has counted it, or need not any more */
	char problem[PROBLEM_MAX];
};
STATUS store_plans_under_way(struct db_tx *tx, int64_t plan,
    struct plan_change *ret_changes, size_t max, size_t *ret_n);

/* Another plan that is running or paused and has one of these to replace yet;
 * 0: none. */
STATUS store_plans_rival(
    struct db_tx *tx, int64_t plan, int64_t *ret_plan, int64_t *ret_enrollment);

/* ---- what an estimate is made of ---- */

/* Items that are alike. */
struct plan_group {
	int purpose;
	enum key_alg alg;
	char network[NETWORK_NAME_MAX];
	char authority[AUTHORITY_NAME_MAX]; /* the enrollment's; may be empty */
	char issued_by[AUTHORITY_NAME_MAX];
	int64_t account; /* one of them */
	int64_t n;
};
#define PLAN_GROUPS_MAX 64
/* The largest ones; most plans have one or two. */
STATUS store_plans_groups(struct db_tx *tx, int64_t plan,
    struct plan_group ret_groups[PLAN_GROUPS_MAX], size_t *ret_n);
/* Host names of those after an enrollment, in order, at most max of them;
 * *ret_last: the last one's, 0 when there are no more. */
STATUS store_plans_names(struct db_tx *tx, int64_t plan, int64_t after,
    size_t max, bool (*each)(void *ctx, const struct names *names), void *ctx,
    int64_t *ret_last);
/* Edges that are there and serve one of them. */
STATUS store_plans_edges(
    struct db_tx *tx, int64_t plan, int64_t now_s, uint32_t *ret_n);
/* Seconds that one of the latest changes took that went well; 0: there was
 * none. */
STATUS store_plans_change_s(struct db_tx *tx, int64_t *ret_s);

#endif
