/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Watching the whole; see notice_watch.h.  What is wrong now is listed first,
 * and then compared with the rows there are: what is new begins, what lasted
 * long enough is told, what is gone is well, and is over when it stays so.
 * While keyd does not answer, what it would say of tokens and ledger is not
 * known, and stays as it was.
 */

#include "certd/notices/notice_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "certd/notices/notice_edges.h"
#include "certd/notices/notice_write.h"
#include "certd/notices/store_troubles.h"

#define ROWS_MAX 512
#define KEYD_AWAY_S 120
#define KEYD_TROUBLE_S 60
#define WELL_S 60
#define ALL_EDGES "edges"

/* What is wrong now. */
struct now {
	struct trouble_row row;
	int64_t hold_s; /* told when it lasts so long */
};

struct notice_watch {
	struct notice_watch_config config;
	struct notice_edges *edges;
	struct now now[ROWS_MAX];
	size_t n_now, n_edges;
	bool keyd_is_away, edges_as_one;
	char edges_problem[TROUBLE_PROBLEM_MAX];
	struct trouble_row rows[ROWS_MAX];
	size_t n_rows;
};

struct notice_watch *
notice_watch_new(const struct notice_watch_config *config)
{
	struct notice_watch *watch = calloc(1, sizeof(*watch));

	if (watch == NULL)
		return NULL;
	watch->config = *config;
	watch->edges = notice_edges_new();
	if (watch->edges != NULL)
		return watch;
	free(watch);
	return NULL;
}

void
notice_watch_free(struct notice_watch *watch)
{
	if (watch == NULL)
		return;
	notice_edges_free(watch->edges);
	free(watch);
}

/* ---- what is wrong now ---- */

static void
add(struct notice_watch *watch, int event, const char *object,
    const char *problem, int64_t hold_s)
{
	struct now *to;

	if (problem[0] == 0 || watch->n_now == ROWS_MAX)
		return;
	to = &watch->now[watch->n_now++];
	*to = (struct now){ .row.event = event, .hold_s = hold_s };
	snprintf(to->row.object, sizeof(to->row.object), "%s", object);
	snprintf(to->row.problem, sizeof(to->row.problem), "%s", problem);
}

static bool
add_edge(void *ctx, const char *edge, const char *problem)
{
	struct notice_watch *watch = ctx;
	char object[TROUBLE_OBJECT_MAX];
	size_t used = strlen(watch->edges_problem);

	snprintf(object, sizeof(object), "edge %s", edge);
	if (watch->n_edges++ < NOTICE_EDGES_SINGLY)
		snprintf(watch->edges_problem + used,
		    sizeof(watch->edges_problem) - used, "%s%s",
		    used == 0 ? "" : ", ", edge);
	add(watch, NOTICE_EDGE_NOT_CONVERGED, object, problem, 0);
	return true;
}

/* So many at once are one trouble: that of what they have in common. */
static void
fold_edges(struct notice_watch *watch)
{
	char problem[TROUBLE_PROBLEM_MAX];

	watch->edges_as_one = watch->n_edges > NOTICE_EDGES_SINGLY;
	if (!watch->edges_as_one)
		return;
	snprintf(problem, sizeof(problem),
	    "%zu edges are away, held back or do not serve what they should: "
	    "%.400s and %zu more.",
	    watch->n_edges, watch->edges_problem,
	    watch->n_edges - NOTICE_EDGES_SINGLY);
	watch->n_now = 0;
	add(watch, NOTICE_EDGE_NOT_CONVERGED, ALL_EDGES, problem, 0);
}

static struct status
find_edges(struct notice_watch *watch, int64_t now_s)
{
	scoped(db_end) struct db_tx *tx = NULL;
	struct status st = store_read(watch->config.store, &tx);

	if (!failed(st))
		st = notice_edges_look(watch->edges, tx, now_s,
		    watch->config.edge_grace_s, add_edge, watch);
	if (!failed(st))
		st = store_troubles_all(
		    tx, watch->rows, ROWS_MAX, &watch->n_rows);
	return st;
}

static void
find_health(struct notice_watch *watch)
{
	struct notices_health health = { .keyd = "" };

	watch->keyd_is_away = false;
	if (watch->config.health == NULL)
		return;
	watch->config.health(watch->config.health_ctx, &health);
	watch->keyd_is_away = health.keyd[0] != 0;
	add(watch, NOTICE_HSM_TROUBLE, "keyd", health.keyd, KEYD_AWAY_S);
	add(watch, NOTICE_HSM_TROUBLE, "HSM", health.hsm, KEYD_TROUBLE_S);
	add(watch, NOTICE_LEDGER_TROUBLE, "ledger", health.ledger,
	    KEYD_TROUBLE_S);
}

/* ---- told of ---- */

static struct status
tell(struct notice_watch *watch, struct db_tx *tx,
    const struct trouble_row *row, bool is_over)
{
	struct notice_trouble write = { .event = row->event,
		.object = row->object,
		.problem = row->problem,
		.since_s = row->since_s,
		.is_over = is_over };
	char occasion[NOTICE_OCCASION_MAX];
	const struct notice_occasion of = { .event = row->event,
		.object = row->object,
		.occasion = occasion,
		.write = notice_write_trouble,
		.ctx = &write };
	size_t n = 0;

	snprintf(occasion, sizeof(occasion), "%s %lld",
	    is_over ? "mended" : "since", (long long)row->since_s);
	log_warn(is_over ? "trouble is over" : "trouble",
	    LOG_STR("object", row->object), LOG_STR("why", row->problem));
	return notice_tell(tx, watch->config.teller, &of, &n);
}

/* ---- what is wrong now, and what was ---- */

static bool
is_of(const struct trouble_row *a, const struct trouble_row *b)
{
	return a->event == b->event && strcmp(a->object, b->object) == 0;
}

static bool
is_now(const struct notice_watch *watch, const struct trouble_row *row)
{
	for (size_t i = 0; i < watch->n_now; i++)
		if (is_of(&watch->now[i].row, row))
			return true;
	return false;
}

/* Nothing can be said of it now. */
static bool
is_unknown(const struct notice_watch *watch, const struct trouble_row *row)
{
	if (row->event == NOTICE_EDGE_NOT_CONVERGED)
		return watch->edges_as_one &&
		       strcmp(row->object, ALL_EDGES) != 0;
	return watch->keyd_is_away && strcmp(row->object, "keyd") != 0;
}

static struct status
go_on(struct notice_watch *watch, struct db_tx *tx, const struct now *now,
    int64_t now_s)
{
	struct trouble_row row = now->row;
	const struct trouble_row *was = NULL;
	struct status st = status_ok();

	row.since_s = now_s;
	for (size_t i = 0; i < watch->n_rows; i++)
		if (is_of(&watch->rows[i], &row))
			was = &watch->rows[i];
	if (was != NULL) {
		row.since_s = was->since_s;
		row.told = was->told;
	}
	if (!row.told && now_s - row.since_s >= now->hold_s) {
		row.told = true;
		st = tell(watch, tx, &row, false);
	}
	if (!failed(st) &&
	    (was == NULL || was->told != row.told || was->well_s != 0))
		st = store_troubles_put(tx, &row);
	return st;
}

static struct status
get_well(struct notice_watch *watch, struct db_tx *tx,
    const struct trouble_row *was, int64_t now_s)
{
	struct trouble_row row = *was;
	struct status st = status_ok();

	if (was->told && was->well_s == 0) {
		row.well_s = now_s;
		return store_troubles_put(tx, &row);
	}
	if (was->told && now_s - was->well_s < WELL_S)
		return st;
	if (was->told)
		st = tell(watch, tx, &row, true);
	return failed(st) ? st
			  : store_troubles_end(tx, was->object, was->event);
}

static struct status
compare(struct notice_watch *watch, struct db_tx *tx, int64_t now_s)
{
	/* As they are now: another certd may have been at it. */
	struct status st =
	    store_troubles_all(tx, watch->rows, ROWS_MAX, &watch->n_rows);

	for (size_t i = 0; i < watch->n_now && !failed(st); i++)
		st = go_on(watch, tx, &watch->now[i], now_s);
	for (size_t i = 0; i < watch->n_rows && !failed(st); i++)
		if (!is_now(watch, &watch->rows[i]) &&
		    !is_unknown(watch, &watch->rows[i]))
			st = get_well(watch, tx, &watch->rows[i], now_s);
	return st;
}

/* Is there anything to be written, most times not? */
static bool
is_idle(const struct notice_watch *watch)
{
	if (watch->n_now != watch->n_rows)
		return false;
	for (size_t i = 0; i < watch->n_rows; i++)
		if (!watch->rows[i].told || watch->rows[i].well_s != 0 ||
		    !is_now(watch, &watch->rows[i]))
			return false;
	return true;
}

STATUS
notice_watch_look(struct notice_watch *watch, int64_t now_s)
{
	struct db_tx *tx;
	struct status st;

	watch->n_now = watch->n_edges = 0;
	watch->edges_problem[0] = 0;
	st = find_edges(watch, now_s);
	if (failed(st))
		return st;
	fold_edges(watch);
	find_health(watch);
	if (is_idle(watch))
		return st;
	st = store_write(watch->config.store, &tx);
	return failed(st) ? st
			  : store_commit(watch->config.store, tx,
				compare(watch, tx, now_s));
}
