/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Running plans.  A look at one takes note of changes that have ended, then
 * begins others: those that waited first, then those that failed before and
 * whose pause is over.  How many is the least of three: room among the changes
 * under way, what the CA's limits leave, and an even pace over half of the time
 * there is, whose other half is for what fails.  All that counts are rows, so
 * a plan goes on after a restart.
 */

#include "certd/plans_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "certd/plans_item.h"
#include "proto/message.h"

#define IDLE_MS 60000
/* While CAs take nothing more. */
#define FULL_MS 5000
/* Items of which one look finds that their CA takes nothing now; they are
 * looked at again then. */
#define FULL_MAX 100
#define FULL_MOST_S 300
/* Looks come late by no more than that, but when nothing could begin. */
#define LATE_NS (5 * NS_PER_S)

/* ---- one look at one plan ---- */

struct look {
	struct plans *plans;
	struct plan_row row;
	plan_msg *estimate;
	int64_t now_s, now_ns;
	uint32_t counts[PLAN_ITEM_STATES];
	struct plan_change *under_way; /* PLANS_AT_ONCE of them */
	size_t n_under_way;
	size_t n_alive; /* of those, once the others are settled */
	/* Not counted by their CA yet. */
	uint64_t n_unordered;
	struct plan_item *items; /* PLANS_AT_ONCE of them, to be begun */
	size_t n_begun, n_full;
	int64_t next_ms;
};

static void
sooner(int64_t *next_ms, int64_t ms)
{
	if (ms < 0)
		ms = 0;
	if (*next_ms < 0 || ms < *next_ms)
		*next_ms = ms;
}

static struct plans_pacing *
find_pacing(struct plans *plans, int64_t plan, int64_t now_ns)
{
	struct plans_pacing *at = &plans->pacing[0];

	for (size_t i = 0; i < plans->n_pacing; i++) {
		if (plans->pacing[i].plan == plan)
			return &plans->pacing[i];
		if (plans->pacing[i].next_ns < at->next_ns)
			at = &plans->pacing[i];
	}
	if (plans->n_pacing < PLANS_RUNNING_MAX)
		at = &plans->pacing[plans->n_pacing++];
	*at = (struct plans_pacing){ .plan = plan, .next_ns = now_ns };
	return at;
}

/* Between two beginnings; 0: no pace is asked for, or no time is left. */
static int64_t
interval_ns(const struct look *look)
{
	const int64_t within_s = look->estimate->asked->within_s;
	const int64_t left_s = look->row.started_s + within_s / 2 - look->now_s;
	const int64_t n = (int64_t)look->counts[PLAN_ITEM_WAITS];

	return within_s == 0 || left_s <= 0 || n == 0 ? 0
						      : left_s * NS_PER_S / n;
}

/* How many may begin by the pace; *ret_next_ms: when one more. */
static size_t
paced(struct look *look, int64_t *ret_next_ms)
{
	const int64_t each_ns = interval_ns(look);
	const struct plans_pacing *pacing =
	    find_pacing(look->plans, look->row.id, look->now_ns);
	int64_t n;

	*ret_next_ms = 0;
	if (each_ns == 0)
		return PLANS_AT_ONCE;
	if (pacing->next_ns > look->now_ns) {
		*ret_next_ms = (pacing->next_ns - look->now_ns) / NS_PER_MS + 1;
		return 0;
	}
	n = look->now_ns - pacing->next_ns;
	n = 1 + (n < LATE_NS ? n : LATE_NS) / each_ns;
	return n < PLANS_AT_ONCE ? (size_t)n : PLANS_AT_ONCE;
}

/* What could not begin in time is not made up for in a burst. */
static void
keep_pace(struct look *look, size_t begun)
{
	const int64_t each_ns = interval_ns(look);
	struct plans_pacing *pacing =
	    find_pacing(look->plans, look->row.id, look->now_ns);

	pacing->next_ns += (int64_t)begun * each_ns;
	if (pacing->next_ns < look->now_ns - each_ns)
		pacing->next_ns = look->now_ns - each_ns;
}

/* ---- what a CA takes ---- */

struct room {
	const char *authority; /* borrowed of certd.yaml */
	bool has_replaces;
	int64_t left; /* orders that count; may be none */
	bool is_away;
};

struct rooms {
	struct room at[16];
	size_t n;
};

static struct room *
find_room(struct look *look, struct rooms *rooms, const char *authority)
{
	struct authorities *authorities = look->plans->config.authorities;
	const struct config_authority *is =
	    authorities_find(authorities, authority);
	struct authority_pace pace;
	struct room *room;

	for (size_t i = 0; i < rooms->n; i++)
		if (strcmp(rooms->at[i].authority, authority) == 0)
			return &rooms->at[i];
	if (is == NULL || !authorities_pace(authorities, authority, &pace) ||
	    rooms->n == sizeof(rooms->at) / sizeof(rooms->at[0]))
		return NULL;
	room = &rooms->at[rooms->n++];
	*room = (struct room){ .authority = is->name,
		.has_replaces = pace.has_replaces,
		.is_away = pace.wait_ms > 0,
		.left = INT64_MAX };
	if (pace.orders != 0)
		room->left = (int64_t)plans_share(pace.orders) -
			     (int64_t)pace.used - (int64_t)look->n_unordered;
	return room;
}

/* Takes its place; false: its CA takes no more now. */
static bool
has_room(struct look *look, struct rooms *rooms, const struct plans_item *item)
{
	struct room *room = find_room(look, rooms, item->target);

	/* One that is not there is told of by its change. */
	if (room == NULL)
		return true;
	if (room->is_away)
		return false;
	if (room->has_replaces &&
	    strcmp(item->item.authority, item->target) == 0)
		return true;
	if (room->left <= 0)
		return false;
	if (room->left != INT64_MAX)
		room->left--;
	return true;
}

/* ---- settling and beginning ---- */

static struct status
settle_all(struct look *look, struct db_tx *tx)
{
	struct status st = status_ok();

	for (size_t i = 0; i < look->n_under_way && !failed(st); i++) {
		struct plan_change *at = &look->under_way[i];

		if (plans_item_goes_on(at, look->now_s)) {
			look->n_alive++;
			look->n_unordered += !at->is_ordered;
			continue;
		}
		st = plans_item_settle(
		    tx, at, look->estimate->asked, look->now_s);
	}
	return st;
}

/* Until one whose CA is full is looked at again: others come before it, and
 * with many of them that takes its time. */
static int64_t
full_s(const struct look *look)
{
	const int64_t pause_s =
	    FULL_MS / 1000 + look->counts[PLAN_ITEM_WAITS] / 20;

	return pause_s < FULL_MOST_S ? pause_s : FULL_MOST_S;
}

static struct status
begin_one(struct look *look, struct db_tx *tx, struct rooms *rooms,
    struct plan_item *found)
{
	struct plans_item item = { .item = *found,
		.plan = &look->row,
		.asked = look->estimate->asked };
	bool is_open = false;
	struct status st = plans_item_open(tx, &item, &is_open);

	if (failed(st) || !is_open)
		return st;
	item.target = plans_target(look->plans, item.item.purpose,
	    item.of.authority, item.asked->to_authority);
	if (item.alive == 0 && !has_room(look, rooms, &item)) {
		look->n_full++;
		item.item.due_s = look->now_s + full_s(look);
		return store_plans_save_item(tx, &item.item);
	}
	look->n_begun++;
	return plans_item_begin(tx, &item, look->now_s);
}

static struct status
begin_some(struct look *look, struct db_tx *tx, int state, size_t max)
{
	struct rooms rooms = { .n = 0 };
	int64_t next_s = 0;
	size_t n = 0;
	struct status st;

	if (max == 0)
		return status_ok();
	st = store_plans_due(tx, look->row.id, state, look->now_s, look->items,
	    max, &n, &next_s);
	for (size_t i = 0; i < n && !failed(st) && look->n_full < FULL_MAX; i++)
		st = begin_one(look, tx, &rooms, &look->items[i]);
	if (!failed(st) && next_s != 0 && n < max)
		sooner(&look->next_ms, (next_s - look->now_s) * 1000);
	return st;
}

static struct status
begin_all(struct look *look, struct db_tx *tx)
{
	size_t room =
	    look->n_alive < PLANS_AT_ONCE ? PLANS_AT_ONCE - look->n_alive : 0;
	int64_t next_ms = 0;
	size_t n = paced(look, &next_ms);
	struct status st =
	    begin_some(look, tx, PLAN_ITEM_WAITS, n < room ? n : room);

	if (failed(st))
		return st;
	keep_pace(look, look->n_begun);
	if (look->counts[PLAN_ITEM_WAITS] > 0)
		(void)paced(look, &next_ms);
	if (next_ms > 0)
		sooner(&look->next_ms, next_ms);
	room -= look->n_begun < room ? look->n_begun : room;
	/* Nothing that failed gets in the way of what has not been tried. */
	return begin_some(look, tx, PLAN_ITEM_FAILING,
	    look->n_begun > 0 && room > PLANS_AT_ONCE / 4 ? PLANS_AT_ONCE / 4
							  : room);
}

static struct status
end_if_done(struct look *look, struct db_tx *tx)
{
	uint32_t counts[PLAN_ITEM_STATES];
	char object[32], detail[80];
	struct status st = store_plans_count(tx, look->row.id, counts);

	if (failed(st) || counts[PLAN_ITEM_WAITS] > 0 ||
	    counts[PLAN_ITEM_UNDER_WAY] > 0 || counts[PLAN_ITEM_FAILING] > 0)
		return st;
	look->row.state = PLAN_DONE;
	look->row.ended_s = look->now_s;
	look->next_ms = -1;
	(void)!snprintf(object, sizeof(object), "plan %" PRId64, look->row.id);
	(void)!snprintf(detail, sizeof(detail), "%" PRIu32 " certificates",
	    look->row.total);
	st = store_plans_save(tx, &look->row);
	return failed(st) ? st
			  : store_event(tx, 0, look->row.created_by,
				"plan done", object, detail);
}

/* The next ones that are to be revoked once they were replaced; all of them,
 * before long, for one may be renewed by itself. */
static struct status
put_wishes(struct look *look, struct db_tx *tx)
{
	const plan_asked_msg *asked = look->estimate->asked;
	struct plans_pacing *pacing =
	    find_pacing(look->plans, look->row.id, look->now_ns);
	size_t n = 0;
	struct status st;

	if (asked->revoke == 0 || pacing->wished == INT64_MAX)
		return status_ok();
	st = store_plans_after(
	    tx, look->row.id, pacing->wished, look->items, PLANS_AT_ONCE, &n);
	for (size_t i = 0; i < n && !failed(st); i++)
		st = plans_item_revoke(tx, &look->items[i], asked);
	if (failed(st))
		return st;
	/* Both of an enrollment: what comes again stays as it is. */
	pacing->wished =
	    n == PLANS_AT_ONCE ? look->items[n - 1].enrollment - 1 : INT64_MAX;
	if (pacing->wished != INT64_MAX)
		sooner(&look->next_ms, 0);
	return st;
}

static struct status
act(struct look *look, struct db_tx *tx)
{
	struct plan_row now;
	struct status st = store_plans_load(tx, look->row.id, &now);

	/* A person was quicker. */
	if (failed(st) || now.state != PLAN_RUNNING)
		return st;
	st = put_wishes(look, tx);
	if (!failed(st))
		st = settle_all(look, tx);
	if (!failed(st))
		st = begin_all(look, tx);
	return failed(st) ? st : end_if_done(look, tx);
}

static struct status
read_look(struct look *look, struct db_tx *tx)
{
	struct status st = store_plans_load(tx, look->row.id, &look->row);

	if (!failed(st))
		st = store_plans_estimate(tx, look->row.id, &look->estimate);
	if (!failed(st))
		st = store_plans_count(tx, look->row.id, look->counts);
	if (!failed(st))
		st = store_plans_under_way(tx, look->row.id, look->under_way,
		    PLANS_AT_ONCE, &look->n_under_way);
	return st;
}

/* Is one of that state due?  Else notes when one is. */
static bool
is_due(struct look *look, struct db_tx *tx, int state)
{
	int64_t next_s = 0;
	size_t n = 0;

	if (look->counts[state] == 0 || look->n_under_way == PLANS_AT_ONCE ||
	    failed(store_plans_due(tx, look->row.id, state, look->now_s,
		look->items, 1, &n, &next_s)))
		return false;
	if (n == 0 && next_s != 0)
		sooner(&look->next_ms, (next_s - look->now_s) * 1000);
	return n > 0;
}

/* Is there anything that a transaction would change? */
static bool
has_work(struct look *look, struct db_tx *tx)
{
	int64_t next_ms = 0;

	if (look->estimate->asked->revoke != 0 &&
	    find_pacing(look->plans, look->row.id, look->now_ns)->wished !=
		INT64_MAX)
		return true;
	for (size_t i = 0; i < look->n_under_way; i++)
		if (!plans_item_goes_on(&look->under_way[i], look->now_s))
			return true;
	if (look->counts[PLAN_ITEM_DONE] == look->row.total)
		return true;
	if (is_due(look, tx, PLAN_ITEM_WAITS)) {
		if (paced(look, &next_ms) > 0)
			return true;
		sooner(&look->next_ms, next_ms);
	}
	return is_due(look, tx, PLAN_ITEM_FAILING);
}

static struct status
look_with(struct look *look)
{
	struct store *store = look->plans->config.store;
	bool work = false;
	struct db_tx *tx;
	struct status st = store_read(store, &tx);

	if (failed(st))
		return st;
	st = read_look(look, tx);
	if (!failed(st))
		work = has_work(look, tx);
	db_end(tx);
	if (failed(st) || !work)
		return st;
	look->next_ms = IDLE_MS;
	st = store_write(store, &tx);
	if (failed(st))
		return st;
	st = store_commit(store, tx, act(look, tx));
	if (look->n_full > 0)
		sooner(&look->next_ms, FULL_MS);
	return st;
}

static struct status
look_at(struct plans *plans, int64_t id, int64_t *next_ms)
{
	struct look look = { .plans = plans,
		.row.id = id,
		.now_s = store_now_s(),
		.now_ns = clock_mono_ns(),
		.next_ms = IDLE_MS };
	struct status st = status_ok();

	look.under_way = calloc(PLANS_AT_ONCE, sizeof(*look.under_way));
	look.items = calloc(PLANS_AT_ONCE, sizeof(*look.items));
	st = look.under_way == NULL || look.items == NULL ? message_no_memory()
							  : look_with(&look);
	free(look.under_way);
	free(look.items);
	if (look.estimate != NULL)
		message_free(&look.estimate->base);
	if (!failed(st) && look.next_ms >= 0)
		sooner(next_ms, look.next_ms);
	return st;
}

STATUS
plans_step(struct plans *plans, int64_t *ret_next_ms)
{
	int64_t ids[PLANS_RUNNING_MAX];
	size_t n = 0;
	struct db_tx *tx;
	struct status st = store_read(plans->config.store, &tx);

	if (failed(st))
		return st;
	st = store_plans_in(tx, PLAN_RUNNING, ids, PLANS_RUNNING_MAX, &n);
	db_end(tx);
	*ret_next_ms = -1;
	for (size_t i = 0; i < n && !failed(st); i++)
		st = look_at(plans, ids[i], ret_next_ms);
	return st;
}
