/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Shared certificates by themselves.  For each kind of key: the one that is in
 * place while it covers and is not ending, else the one that is valid longest
 * of those that fit.  Only what is shared is weighed, so a certificate of its
 * owner's choice is never put in another's place: with one bound a resource is
 * of mode personal.
 */

#include "certd/shared.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "certd/enrollments.h"
#include "certd/store_bindings.h"
#include "certd/store_fit.h"
#include "certd/store_resources.h"
#include "certd/store_shared.h"
#include "proto/message.h"

#define CANDIDATES_MAX 16
#define AT_ONCE 200
#define IDLE_MS 60000

/* ---- one resource ---- */

struct choice {
	int64_t slots[BINDING_SLOTS + 1]; /* 0: none */
};

/* Does it fit as it is?  No failure when it does not. */
static struct status
fits(struct db_tx *tx, struct api_call *call, const struct resource_row *row,
    const struct fit_certificate *facts, bool *ret_does)
{
	struct status st =
	    store_fit_check(tx, call, row, facts, NULL, store_now_s());

	call->why[0] = 0;
	*ret_does = !failed(st);
	return st.code == STATUS_FAILED_PRECONDITION ? status_ok() : st;
}

static struct status
consider(struct db_tx *tx, struct api_call *call,
    const struct resource_row *row, int64_t certificate, struct choice *choice)
{
	struct fit_certificate facts;
	bool does = false;
	struct status st = store_fit_load(tx, certificate, &facts);

	if (failed(st) || facts.kind != KIND_SHARED || facts.slot == 0 ||
	    choice->slots[facts.slot] != 0)
		return st;
	st = fits(tx, call, row, &facts, &does);
	if (!failed(st) && does)
		choice->slots[facts.slot] = certificate;
	return st;
}

static struct status
choose(struct db_tx *tx, struct api_call *call, const struct resource_row *row,
    const struct binding *bound, size_t n_bound, struct choice *choice)
{
	scoped(names_done) struct names names = { 0 };
	int64_t candidates[CANDIDATES_MAX], now_s = store_now_s();
	size_t n = 0;
	struct status st = store_resources_names(tx, row->id, &names);

	for (size_t i = 0; i < n_bound && !failed(st); i++)
		if (!shared_is_ending(
			bound[i].not_before_s, bound[i].not_after_s, now_s))
			st = consider(
			    tx, call, row, bound[i].certificate, choice);
	/* What covers all names covers the first. */
	if (!failed(st) && names.n > 0)
		st = store_fit_shared(tx, names.at[0], row->network, now_s,
		    candidates, CANDIDATES_MAX, &n);
	for (size_t i = 0; i < n && !failed(st); i++)
		st = consider(tx, call, row, candidates[i], choice);
	return st;
}

static bool
is_bound(const struct choice *choice, const struct binding *bound, size_t n)
{
	struct choice rest = *choice;

	for (size_t i = 0; i < n; i++) {
		if (rest.slots[bound[i].slot] != bound[i].certificate)
			return false;
		rest.slots[bound[i].slot] = 0;
	}
	for (int slot = 1; slot <= BINDING_SLOTS; slot++)
		if (rest.slots[slot] != 0)
			return false;
	return true;
}

STATUS
shared_fill(struct db_tx *tx, struct api_call *call, struct resource_row *row,
    bool *ret_changed)
{
	struct choice choice = { { 0 } };
	struct binding bound[BINDING_SLOTS];
	int64_t chosen[BINDING_SLOTS];
	size_t n_bound = 0, n = 0;
	struct status st = status_ok();

	*ret_changed = false;
	if (!row->https ||
	    (row->mode != MODE_SHARED && row->mode != MODE_AUTOMATIC))
		return st;
	st = bindings_of(tx, row->id, bound, &n_bound);
	if (!failed(st))
		st = choose(tx, call, row, bound, n_bound, &choice);
	for (int slot = 1; slot <= BINDING_SLOTS; slot++)
		if (choice.slots[slot] != 0)
			chosen[n++] = choice.slots[slot];
	if (failed(st) || n == 0 || is_bound(&choice, bound, n_bound))
		return st;
	st = bindings_put(tx, call, row, chosen, n, true);
	*ret_changed = !failed(st);
	return st;
}

STATUS
shared_apply(struct db_tx *tx, struct api_call *call, int64_t resource)
{
	struct resource_row row;
	char object[32];
	bool changed = false;
	struct status st = store_resources_load(tx, resource, &row);

	if (!failed(st))
		st = shared_fill(tx, call, &row, &changed);
	if (failed(st) || !changed)
		return st;
	snprintf(object, sizeof(object), "resource %" PRId64, resource);
	st = store_resources_save(tx, call, &row);
	/* What obtained another one for it has nothing more to do. */
	if (!failed(st))
		st = enrollments_follow(NULL, tx, call, &row);
	return failed(st) ? st
			  : store_event(tx, row.account, call->caller->actor,
				"shared certificate bound", object, row.name);
}

/* ---- all ---- */

/* The next ones behind *after, which becomes 0 when there are none left. */
static struct status
apply_some(struct db_tx *tx, struct api_call *call, int64_t *after)
{
	int64_t ids[AT_ONCE];
	size_t n = 0;
	struct status st = store_shared_resources(tx, *after, ids, AT_ONCE, &n);

	for (size_t i = 0; i < n && !failed(st); i++)
		st = shared_apply(tx, call, ids[i]);
	*after = n == AT_ONCE ? ids[n - 1] : 0;
	return st;
}

STATUS
shared_apply_all(struct db_tx *tx, struct api_call *call, int64_t certificate)
{
	int64_t after = 0;
	struct status st = store_shared_begin(tx, certificate);

	if (!failed(st))
		st = apply_some(tx, call, &after);
	return failed(st) ? st : store_shared_done(tx, certificate, after);
}

/* ---- what is ending ---- */

/* certd itself, in the operator's name. */
static const struct caller self = { .is = ALLOW_OPERATOR, .actor = "certd" };

static struct status
follow_one(struct db_tx *tx, struct enrollments *enrollments, int64_t resource)
{
	struct api_call call = { .caller = &self };
	struct resource_row row;
	struct status st = shared_apply(tx, &call, resource);

	if (!failed(st))
		st = store_resources_load(tx, resource, &row);
	return failed(st) ? st
			  : enrollments_follow(enrollments, tx, &call, &row);
}

STATUS
shared_follow_ending(struct db_tx *tx, struct enrollments *enrollments,
    size_t max, size_t *ret_n)
{
	int64_t ids[AT_ONCE];
	size_t n = 0;
	struct status st = store_shared_ending(tx, SHARED_ENDING_S,
	    store_now_s(), ids, max < AT_ONCE ? max : AT_ONCE, &n);

	for (size_t i = 0; i < n && !failed(st); i++)
		st = follow_one(tx, enrollments, ids[i]);
	if (!failed(st))
		*ret_n = n;
	return st;
}

/* ---- the thread ---- */

struct shared {
	struct store *store;
	struct enrollments *enrollments;
	pthread_t thread;
	bool is_running;
	pthread_mutex_t mutex; /* guards stops */
	bool stops;
};

static bool
stops(struct shared *shared)
{
	bool it_does;

	pthread_mutex_lock(&shared->mutex);
	it_does = shared->stops;
	pthread_mutex_unlock(&shared->mutex);
	return it_does;
}

/* NOT_FOUND: nothing is left to do. */
static struct status
look(struct shared *shared)
{
	int64_t certificate = 0, after = 0;
	struct db_tx *tx;
	struct status st = store_read(shared->store, &tx);

	if (failed(st))
		return st;
	st = store_shared_todo(tx, &certificate, &after);
	db_end(tx);
	return st;
}

static struct status
go_on_in(struct db_tx *tx)
{
	struct api_call call = { .caller = &self };
	int64_t certificate = 0, after = 0;
	struct status st = store_shared_todo(tx, &certificate, &after);

	if (!failed(st))
		st = apply_some(tx, &call, &after);
	return failed(st) ? st : store_shared_done(tx, certificate, after);
}

static struct status
go_on(struct shared *shared)
{
	struct db_tx *tx;
	struct status st = look(shared);

	if (!failed(st))
		st = store_write(shared->store, &tx);
	return failed(st) ? st : store_commit(shared->store, tx, go_on_in(tx));
}

/* Is there one?  Most of the time not, and then nothing is written. */
static struct status
look_ending(struct shared *shared, bool *ret_is)
{
	int64_t id = 0;
	size_t n = 0;
	struct db_tx *tx;
	struct status st = store_read(shared->store, &tx);

	if (failed(st))
		return st;
	st =
	    store_shared_ending(tx, SHARED_ENDING_S, store_now_s(), &id, 1, &n);
	db_end(tx);
	*ret_is = n > 0;
	return st;
}

static struct status
follow_some(struct shared *shared, bool *ret_more)
{
	bool is = false;
	size_t n = 0;
	struct db_tx *tx;
	struct status st = look_ending(shared, &is);

	*ret_more = false;
	if (failed(st) || !is)
		return st;
	st = store_write(shared->store, &tx);
	if (failed(st))
		return st;
	st = store_commit(shared->store, tx,
	    shared_follow_ending(tx, shared->enrollments, AT_ONCE, &n));
	*ret_more = n == AT_ONCE;
	return st;
}

/* Once a minute. */
static void
follow_ending(struct shared *shared, int64_t *last_ns)
{
	struct status st = status_ok();
	bool more = true;

	if (!enrollments_can_issue(shared->enrollments) ||
	    (*last_ns != 0 && clock_mono_ns() - *last_ns < IDLE_MS * NS_PER_MS))
		return;
	*last_ns = clock_mono_ns();
	while (more && !failed(st) && !stops(shared))
		st = follow_some(shared, &more);
	if (failed(st))
		log_error("resources could not be followed whose shared "
			  "certificate is ending; later again",
		    LOG_STATUS(st));
}

static void *
run(void *ctx)
{
	struct shared *shared = ctx;
	/* Never a count that there is: the first wait is none. */
	uint64_t seen = UINT64_MAX;
	int64_t last_ns = 0;

	while (!stops(shared)) {
		struct status st = status_ok();

		seen = store_wait_calmly(shared->store, seen, IDLE_MS);
		follow_ending(shared, &last_ns);
		while (!failed(st) && !stops(shared))
			st = go_on(shared);
		if (failed(st) && st.code != STATUS_NOT_FOUND)
			log_error("a shared certificate could not be bound "
				  "everywhere; later again",
			    LOG_STATUS(st));
	}
	return NULL;
}

STATUS
shared_new(struct store *store, struct enrollments *enrollments,
    struct shared **ret_shared)
{
	struct shared *shared = calloc(1, sizeof(*shared));

	if (shared == NULL)
		return message_no_memory();
	shared->store = store;
	shared->enrollments = enrollments;
	pthread_mutex_init(&shared->mutex, NULL);
	if (pthread_create(&shared->thread, NULL, run, shared) != 0) {
		shared_free(shared);
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "a thread cannot be made");
	}
	shared->is_running = true;
	*ret_shared = shared;
	return status_ok();
}

void
shared_free(struct shared *shared)
{
	if (shared == NULL)
		return;
	pthread_mutex_lock(&shared->mutex);
	shared->stops = true;
	pthread_mutex_unlock(&shared->mutex);
	store_wake(shared->store);
	if (shared->is_running)
		pthread_join(shared->thread, NULL);
	pthread_mutex_destroy(&shared->mutex);
	free(shared);
}
