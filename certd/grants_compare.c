/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What keyd has against what is kept here.  Both come in order of keys, so they
 * are compared a stretch of keys at a time, in little memory, and no
 * transaction is open while keyd is asked.  A right that keyd lost is marked as
 * not granted; one that it has and should not have is marked as granted and not
 * wanted; the reconciler's next round does the rest.
 */

#include "certd/grants.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "certd/store_grants.h"

/* Rows of a stretch, on each side; a key has at most 128 groups. */
#define STRETCH 1000
#define KEY_ROWS_MAX 256

struct rows {
	struct grant_row *at; /* in order of their keys */
	size_t n;
};

struct compare {
	struct store *store;
	bool may_take_away;
	struct rows keyd;   /* STRETCH + KEY_ROWS_MAX of room */
	struct rows kept;   /* STRETCH */
	struct key_id from; /* keys before it are done */
	uint64_t lost, surplus;
	struct status st;
};

/* ---- rows by their keys ---- */

static int
order(const struct key_id *a, const struct key_id *b)
{
	return memcmp(a->at, b->at, KEY_ID_LEN);
}

/* The first row whose key is not before this one. */
static size_t
first_at(const struct rows *rows, const struct key_id *key)
{
	size_t low = 0, high = rows->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (order(&rows->at[middle].key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const struct grant_row *
find(const struct rows *rows, const struct grant_row *row)
{
	for (size_t i = first_at(rows, &row->key);
	     i < rows->n && key_id_equal(&rows->at[i].key, &row->key); i++)
		if (strcmp(rows->at[i].edge_group, row->edge_group) == 0)
			return &rows->at[i];
	return NULL;
}

/* The key right behind it; that of all ones is no key. */
static struct key_id
behind(const struct key_id *key)
{
	struct key_id next = *key;

	for (size_t i = KEY_ID_LEN; i > 0; i--)
		if (++next.at[i - 1] != 0)
			break;
	return next;
}

/* ---- a stretch ---- */

/* Known as granted, and keyd has it not. */
static struct status
mark_lost(struct db_tx *tx, struct compare *c, const struct rows *keyd)
{
	struct status st = status_ok();

	for (size_t i = 0; i < c->kept.n && !failed(st); i++) {
		const struct grant_row *row = &c->kept.at[i];

		if (row->granted == GRANT_NO || find(keyd, row) != NULL)
			continue;
		c->lost += row->granted == GRANT_YES;
		st = store_grants_told(tx, row, GRANT_NO);
	}
	return st;
}

/* keyd has it, and it is not known as granted.  What is wanted only learns that
 * it is done. */
static bool
is_surplus(const struct compare *c, const struct grant_row *row)
{
	const struct grant_row *known = find(&c->kept, row);

	if (known != NULL && known->granted == GRANT_YES)
		return false;
	return c->may_take_away || (known != NULL && known->wanted);
}

static struct status
mark_surplus(struct db_tx *tx, struct compare *c, const struct rows *keyd)
{
	struct status st = status_ok();

	for (size_t i = 0; i < keyd->n && !failed(st); i++) {
		if (!is_surplus(c, &keyd->at[i]))
			continue;
		c->surplus += find(&c->kept, &keyd->at[i]) == NULL;
		st = store_grants_told(tx, &keyd->at[i], GRANT_YES);
	}
	return st;
}

/* Most often they are. */
static bool
are_same(const struct compare *c, const struct rows *keyd)
{
	for (size_t i = 0; i < c->kept.n; i++)
		if (c->kept.at[i].granted != GRANT_NO &&
		    find(keyd, &c->kept.at[i]) == NULL)
			return false;
	for (size_t i = 0; i < keyd->n; i++)
		if (is_surplus(c, &keyd->at[i]))
			return false;
	return true;
}

/*
 * What is kept of keys from c->from to *last.  When that is more than a stretch
 * holds, *last is brought down to the last key that is there whole.
 */
static struct status
read_kept(struct db_tx *tx, struct compare *c, struct key_id *last)
{
	struct status st = store_grants_between(
	    tx, &c->from, last, c->kept.at, STRETCH, &c->kept.n);

	if (failed(st) || c->kept.n < STRETCH)
		return st;
	c->kept.n = first_at(&c->kept, &c->kept.at[STRETCH - 1].key);
	if (c->kept.n == 0)
		return status_fail(
		    STATUS_INTERNAL, "a key has more edge groups than can be");
	*last = c->kept.at[c->kept.n - 1].key;
	return st;
}

/* keyd's rows from c->from to last. */
static struct rows
keyd_until(const struct compare *c, const struct key_id *last)
{
	size_t first = first_at(&c->keyd, &c->from), end = first;

	while (end < c->keyd.n && order(&c->keyd.at[end].key, last) <= 0)
		end++;
	return (struct rows){ c->keyd.at + first, end - first };
}

static struct status
compare_in(struct db_tx *tx, struct compare *c, struct key_id *last)
{
	struct rows keyd;
	struct status st = read_kept(tx, c, last);

	if (failed(st))
		return st;
	keyd = keyd_until(c, last);
	st = mark_lost(tx, c, &keyd);
	return failed(st) ? st : mark_surplus(tx, c, &keyd);
}

/* Writes only when there is something to be written. */
static struct status
compare_stretch(struct compare *c, struct key_id *last)
{
	struct key_id end = *last;
	struct rows keyd = { 0 };
	struct db_tx *tx;
	struct status st = store_read(c->store, &tx);

	if (failed(st))
		return st;
	st = read_kept(tx, c, &end);
	db_end(tx);
	if (!failed(st))
		keyd = keyd_until(c, &end);
	if (failed(st) || are_same(c, &keyd)) {
		*last = end;
		return st;
	}
	/* Read again: somebody may have bound something meanwhile. */
	st = store_write(c->store, &tx);
	if (failed(st))
		return st;
	return store_commit(c->store, tx, compare_in(tx, c, last));
}

/* All keys from c->from to last. */
static void
compare_until(struct compare *c, const struct key_id *last)
{
	struct key_id end;

	do {
		end = *last;
		c->st = compare_stretch(c, &end);
		c->from = behind(&end);
	} while (!failed(c->st) && !key_id_equal(&end, last));
	c->keyd.n = 0;
}

/* ---- all ---- */

/* A key is never in two stretches. */
static bool
take(void *ctx, const struct key_id *key, const char *edge_group)
{
	struct compare *c = ctx;
	struct grant_row *row;
	struct key_id last = { 0 };

	if (c->keyd.n > 0)
		last = c->keyd.at[c->keyd.n - 1].key;
	if (c->keyd.n >= STRETCH && !key_id_equal(&last, key))
		compare_until(c, &last);
	if (!failed(c->st) && c->keyd.n == STRETCH + KEY_ROWS_MAX)
		c->st = status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "keyd has more grants on one key than there can be");
	if (!failed(c->st) && order(key, &last) < 0)
		c->st = status_fail(
		    STATUS_INTERNAL, "keyd's grants are in no order");
	if (failed(c->st))
		return false;
	row = &c->keyd.at[c->keyd.n++];
	memset(row, 0, sizeof(*row));
	row->key = *key;
	(void)!snprintf(
	    row->edge_group, sizeof(row->edge_group), "%s", edge_group);
	return true;
}

static inline void
scoped_compare_done(struct compare *c)
{
	free(c->keyd.at);
	free(c->kept.at);
}

STATUS
grants_compare(struct store *store, struct custody *custody, bool may_take_away,
    char ret_why[CUSTODY_WHY_MAX])
{
	scoped(compare_done) struct compare c = { .store = store,
		.may_take_away = may_take_away,
		.st = status_ok() };
	struct key_id last;
	struct status st;

	ret_why[0] = 0;
	c.keyd.at = calloc(STRETCH + KEY_ROWS_MAX, sizeof(*c.keyd.at));
	c.kept.at = calloc(STRETCH, sizeof(*c.kept.at));
	if (c.keyd.at == NULL || c.kept.at == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	st = custody_each_grant(custody, take, &c, ret_why);
	memset(last.at, 0xff, KEY_ID_LEN);
	if (!failed(st) && !failed(c.st))
		compare_until(&c, &last);
	if (c.lost + c.surplus > 0)
		log_warn("keyd's grants were not what is bound; they will be",
		    LOG_UINT("lost", c.lost), LOG_UINT("surplus", c.surplus));
	return failed(st) ? st : c.st;
}
