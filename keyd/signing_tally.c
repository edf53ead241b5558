/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Signatures by identity and time.  One mutex guards it all and is held for
 * some additions: lanes take it once a batch.  Where a caller has its place is
 * kept with the caller (caller.h), so names are compared once for each of its
 * batches and not with all that have one.
 *
 * Who comes when all places are taken gets that of whoever was not heard of for
 * the longest time, if that is IDLE_STEPS at least: what was counted there goes
 * to the place of all others.  Else it is counted with the others, and tries
 * again in the next step; so more busy identities than places move nobody.
 */

#include "keyd/signing_tally.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define OTHERS SIGNING_TALLY_PLACES
#define IDLE_STEPS 6
#define FIRST_US 64

struct place {
	int64_t last; /* step of its newest call; 0: free */
	struct signing_tally_series series;
};

struct signing_tally {
	pthread_mutex_t lock; /* guards places, and caller->tally of callers */
	struct place places[SIGNING_TALLY_PLACES + 1];
};

struct signing_tally *
signing_tally_new(void)
{
	struct signing_tally *tally = calloc(1, sizeof(*tally));

	if (tally == NULL)
		return NULL;
	pthread_mutex_init(&tally->lock, NULL);
	return tally;
}

void
signing_tally_free(struct signing_tally *tally)
{
	if (tally == NULL)
		return;
	pthread_mutex_destroy(&tally->lock);
	free(tally);
}

/* ---- steps ---- */

/* The step of that time, emptied of the hour before. */
static struct signing_tally_step *
step_at(struct place *place, int64_t at)
{
	struct signing_tally_step *step =
	    &place->series.steps[at % SIGNING_TALLY_STEPS];

	if (step->at != at)
		*step = (struct signing_tally_step){ .at = at };
	return step;
}

/* Ends of buckets: 64, 90, 128, 181, 256 ... */
static uint64_t
bucket_end_us(size_t i)
{
	uint64_t octave = (uint64_t)FIRST_US << i / 2;

	return i % 2 == 0 ? octave : octave * 181 / 128;
}

static size_t
bucket_of(int64_t took_ns)
{
	uint64_t us = took_ns > 0 ? (uint64_t)took_ns / 1000 : 0;
	size_t i = 0;

	/* By octaves first: most take few. */
	while (i + 2 < SIGNING_TALLY_BUCKETS && us > bucket_end_us(i + 1))
		i += 2;
	if (i + 1 < SIGNING_TALLY_BUCKETS && us > bucket_end_us(i))
		i++;
	return i;
}

uint32_t
signing_tally_quantile_us(
    const struct signing_tally_step *step, unsigned permille)
{
	uint64_t wanted = ((uint64_t)step->signatures * permille + 999) / 1000;
	uint64_t seen = 0;
	size_t i = 0;

	if (step->signatures == 0)
		return 0;
	for (; i + 1 < SIGNING_TALLY_BUCKETS; i++) {
		seen += step->took[i];
		if (seen >= wanted)
			break;
	}
	return (uint32_t)bucket_end_us(i);
}

/* ---- places ---- */

/* What was counted in a place goes to the others. */
static void
give_way(struct signing_tally *tally, struct place *place)
{
	struct place *others = &tally->places[OTHERS];

	for (size_t i = 0; i < SIGNING_TALLY_STEPS; i++) {
		const struct signing_tally_step *from = &place->series.steps[i];
		struct signing_tally_step *to = &others->series.steps[i];

		if (from->at == 0 || from->at < to->at)
			continue;
		to = step_at(others, from->at);
		to->signatures += from->signatures;
		to->refusals += from->refusals;
		for (size_t b = 0; b < SIGNING_TALLY_BUCKETS; b++)
			to->took[b] += from->took[b];
	}
	if (others->last < place->last)
		others->last = place->last;
	memset(place, 0, sizeof(*place));
}

/* Of a caller that has none yet, or none any more. */
static unsigned
find_place(struct signing_tally *tally, const struct caller *caller, int64_t at)
{
	unsigned oldest = 0;

	for (unsigned i = 0; i < SIGNING_TALLY_PLACES; i++) {
		const struct place *place = &tally->places[i];

		if (place->last != 0 &&
		    strcmp(place->series.identity, caller->text) == 0)
			return i;
		if (place->last < tally->places[oldest].last)
			oldest = i;
	}
	if (tally->places[oldest].last != 0) {
		if (tally->places[oldest].last > at - IDLE_STEPS)
			return OTHERS;
		give_way(tally, &tally->places[oldest]);
	}
	memcpy(tally->places[oldest].series.identity, caller->text,
	    sizeof(caller->text));
	return oldest;
}

static struct place *
place_of(struct signing_tally *tally, struct caller *caller, int64_t at)
{
	struct caller_tally *is = &caller->tally;
	struct place *place;

	if (failed(caller->known))
		return &tally->places[OTHERS];
	place = &tally->places[is->place];
	if (is->at != at || place->last == 0 ||
	    (is->place != OTHERS &&
		strcmp(place->series.identity, caller->text) != 0)) {
		is->place = find_place(tally, caller, at);
		is->at = at;
		place = &tally->places[is->place];
	}
	return place;
}

/* ---- counting, looking ---- */

void
signing_tally_add(struct signing_tally *tally, struct sign_call *const calls[],
    size_t n, int64_t now_s, int64_t now_ns)
{
	const int64_t at =
	    now_s < SIGNING_TALLY_STEP_S ? 1 : now_s / SIGNING_TALLY_STEP_S;
	struct signing_tally_step *step = NULL;
	const struct caller *of = NULL;

	pthread_mutex_lock(&tally->lock);
	for (size_t i = 0; i < n; i++) {
		const struct sign_call *call = calls[i];

		if (step == NULL || call->caller != of) {
			struct place *place = place_of(tally, call->caller, at);

			place->last = at;
			step = step_at(place, at);
			of = call->caller;
		}
		if (failed(call->status)) {
			step->refusals++;
			continue;
		}
		step->signatures++;
		step->took[bucket_of(now_ns - call->arrived_ns)]++;
	}
	pthread_mutex_unlock(&tally->lock);
}

bool
signing_tally_series(struct signing_tally *tally, size_t i,
    struct signing_tally_series *ret_series)
{
	bool is_taken;

	pthread_mutex_lock(&tally->lock);
	is_taken = tally->places[i].last != 0;
	if (is_taken)
		*ret_series = tally->places[i].series;
	pthread_mutex_unlock(&tally->lock);
	return is_taken;
}
