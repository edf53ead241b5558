/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Plans.Create.  What is to be replaced is drawn up in ranges of enrollments,
 * one transaction each; then it is measured and estimated, and only then there
 * for others.  What comes to nothing on the way leaves nothing behind.
 */

#include "certd/plans_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "certd/known_names.h"
#include "certd/plans_view.h"
#include "proto/message.h"

/* Enrollments that one transaction looks at. */
#define RANGE 2000
#define TEXT_MAX 128
#define WITHIN_MAX_S (366 * 86400)

/* ---- what is asked ---- */

struct drawing {
	struct plans *plans;
	struct api_call *call;
	const plan_asked_msg *asked;
	struct plan_row row;
	struct store_plans_match match;
	struct key_id key;
	char profile_of[32 * AUTHORITY_NAME_MAX];
};

static struct status
check_texts(const plan_asked_msg *asked)
{
	const char *const texts[] = { asked->authority, asked->key, asked->pool,
		asked->profile, asked->account, asked->issuer,
		asked->to_authority };
	bool is_any = false;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (strlen(texts[i]) > TEXT_MAX)
			return status_fail(STATUS_INVALID_ARGUMENT,
			    "what a plan replaces is named in 128 octets at "
			    "most");
		/* The last one selects nothing. */
		is_any |= texts[i][0] != 0 && texts[i] != asked->to_authority;
	}
	if (!is_any)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "say what is to be replaced: authority, issuer, key, pool, "
		    "profile or account");
	if (asked->within_s > WITHIN_MAX_S)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "a plan is for a year at most (within_s)");
	return status_ok();
}

static struct status
refuse_authority(const struct drawing *d, const char *typed)
{
	const struct authorities *authorities = d->plans->config.authorities;
	struct known_names known = { 0 };

	for (size_t i = 0; i < authorities_count(authorities); i++)
		known_names_add(&known, authorities_at(authorities, i)->name);
	return known_names_refuse(d->call, &known, "to_authority:", typed);
}

static struct status
check_asked(struct drawing *d)
{
	const plan_asked_msg *asked = d->asked;
	const struct plans_config *config = &d->plans->config;
	const int revoke = (int)asked->revoke;
	struct status st = check_texts(asked);

	if (failed(st))
		return st;
	if (asked->key[0] != 0 &&
	    !bytes_from_hex(asked->key, KEY_ID_LEN, d->key.at))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "a key is named by its id, 64 hex digits");
	if (revoke != 0 && revoke != 1 && revoke != 4)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "what is replaced is revoked as superseded or for key "
		    "compromise");
	if (asked->to_authority[0] != 0 &&
	    authorities_find(config->authorities, asked->to_authority) == NULL)
		return refuse_authority(d, asked->to_authority);
	return st;
}

/* CAs whose own profile it is. */
static void
list_profile_of(struct drawing *d)
{
	const struct authorities *authorities = d->plans->config.authorities;
	size_t len = 1;

	memcpy(d->profile_of, " ", 2);
	for (size_t i = 0; i < authorities_count(authorities); i++) {
		const struct config_authority *at =
		    authorities_at(authorities, i);

		if (at->profile == NULL || at->profile[0] == 0 ||
		    strcmp(at->profile, d->asked->profile) != 0 ||
		    len + strlen(at->name) + 2 > sizeof(d->profile_of))
			continue;
		len += (size_t)snprintf(d->profile_of + len,
		    sizeof(d->profile_of) - len, "%s ", at->name);
	}
}

/* ---- drawing it up ---- */

static struct status
begin_in(struct drawing *d, struct db_tx *tx, int64_t *ret_last)
{
	const plan_asked_msg *asked = d->asked;
	int64_t account = 0;
	struct status st = caller_account_or_all(
	    d->call->caller, tx, asked->account, &account);

	if (failed(st))
		return st;
	list_profile_of(d);
	d->match = (struct store_plans_match){ .authority = asked->authority,
		.issuer = asked->issuer,
		.pool = asked->pool,
		.profile = asked->profile,
		.profile_of = d->profile_of,
		.account = account,
		.key = asked->key[0] != 0 ? &d->key : NULL };
	(void)!snprintf(d->row.created_by, sizeof(d->row.created_by), "%s",
	    d->call->caller->actor);
	st = store_plans_insert(tx, &d->row);
	return failed(st) ? st : store_plans_last(tx, ret_last);
}

static struct status
draw(struct drawing *d, int64_t last)
{
	struct store *store = d->plans->config.store;
	struct status st = status_ok();
	int64_t total = 0;

	for (int64_t at = 0; at < last && !failed(st); at += RANGE) {
		struct db_tx *tx;
		int64_t n = 0;

		st = store_write(store, &tx);
		if (failed(st))
			return st;
		st = store_commit(store, tx,
		    store_plans_draw(
			tx, d->row.id, &d->match, at, at + RANGE, &n));
		total += n;
	}
	if (!failed(st) && total == 0)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "no certificate that certd has obtained is of what was "
		    "asked for, so there is nothing to replace");
	return st;
}

/* ---- the estimate ---- */

static struct status
fill_estimate(struct drawing *d, const struct plans_facts *facts, plan_msg *to)
{
	struct db_tx *tx;
	struct status st = plans_view_asked(d->asked, &to->asked);

	if (!failed(st))
		st = plans_estimate(d->plans, facts, d->asked, to);
	if (!failed(st))
		st = store_read(d->plans->config.store, &tx);
	if (failed(st))
		return st;
	st = store_plans_edges(tx, d->row.id, store_now_s(), &to->edges);
	db_end(tx);
	return st;
}

STATUS
plans_event(struct db_tx *tx, const char *actor, int64_t id, const char *act,
    const char *detail)
{
	char object[32];

	(void)!snprintf(object, sizeof(object), "plan %" PRId64, id);
	return store_event(tx, 0, actor, act, object, detail);
}

static struct status
keep_in(struct drawing *d, struct db_tx *tx, const plan_msg *estimate)
{
	char detail[200];
	struct status st;

	d->row.total = estimate->total;
	(void)!snprintf(detail, sizeof(detail),
	    "%" PRIu32 " certificates, %" PRIu32 " s by %s", estimate->total,
	    estimate->estimate_s, estimate->bound);
	st = store_plans_estimated(tx, &d->row, estimate);
	return failed(st) ? st
			  : plans_event(tx, d->row.created_by, d->row.id,
				"plan made", detail);
}

static struct status
estimate_and_keep(struct drawing *d)
{
	scoped(message_free) ProtobufCMessage *message =
	    message_new(&holdfast__certd__v1__plan__descriptor);
	scoped(free) struct plans_facts *facts = calloc(1, sizeof(*facts));
	struct store *store = d->plans->config.store;
	struct db_tx *tx;
	struct status st;

	if (message == NULL || facts == NULL)
		return message_no_memory();
	st = plans_measure(d->plans, d->call, d->row.id, facts);
	if (!failed(st))
		st = fill_estimate(d, facts, (plan_msg *)(void *)message);
	if (!failed(st))
		st = store_write(store, &tx);
	return failed(st)
		   ? st
		   : store_commit(store, tx,
			 keep_in(d, tx, (const plan_msg *)(void *)message));
}

/* It came to nothing. */
static void
drop(struct drawing *d)
{
	struct store *store = d->plans->config.store;
	struct db_tx *tx;

	if (!failed(store_write(store, &tx)))
		(void)!failed(
		    store_commit(store, tx, store_plans_delete(tx, d->row.id)));
}

static struct status
draw_up(struct drawing *d)
{
	struct store *store = d->plans->config.store;
	int64_t last = 0;
	struct db_tx *tx;
	struct status st = check_asked(d);

	if (!failed(st))
		st = store_write(store, &tx);
	if (failed(st))
		return st;
	st = store_commit(store, tx, begin_in(d, tx, &last));
	if (failed(st))
		return st;
	st = draw(d, last);
	if (!failed(st))
		st = estimate_and_keep(d);
	if (failed(st))
		drop(d);
	return st;
}

struct status
plans_create(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	struct plans *plans = ctx;
	scoped(free) struct drawing *d = calloc(1, sizeof(*d));
	struct status st;

	if (d == NULL)
		return message_no_memory();
	d->plans = plans;
	d->call = call;
	d->asked = (const void *)request;
	st = draw_up(d);
	return failed(st) ? st : plans_answer(plans, d->row.id, ret_reply);
}
