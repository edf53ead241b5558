/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How a change goes on when it cannot at once: polls, pauses after what did not
 * work, and giving up.  A CA's Retry-After always wins.  Short waits stay in
 * memory; longer ones are kept as a row that is due, which takes no room.
 */

#include <inttypes.h>
#include <openssl/rand.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "certd/issue.h"

#define POLL_FIRST_MS 50 /* where no CA is asked */
#define POLL_MOST_MS 10000
/* After that long of polls a slot in memory is for others. */
#define POLL_PATIENCE_MS 120000
#define POLL_SLOW_MS 60000
#define SAVE_MS 500
#define PAUSE_FIRST_MS 500
#define PAUSE_MOST_MS 3600000
#define DAY_MS 86400000
/* Half an hour of slow polls, or many hours of pauses. */
#define ATTEMPTS_MAX 30
/* Slow polls of half a day, each a minute. */
#define LONG_POLLS 720
/* So often in vain, and it is put down for auditors. */
#define ATTEMPTS_TOLD 8

/* Up to a fifth more, so that not all come at once. */
static int64_t
with_jitter(int64_t ms)
{
	uint16_t random = 0;

	if (RAND_bytes((uint8_t *)&random, sizeof(random)) != 1)
		random = 0;
	return ms + ms * random / (5 * (int64_t)UINT16_MAX);
}

int64_t
issue_age_ms(const struct issue *issue)
{
	return (clock_mono_ns() - issue->since_ns) / NS_PER_MS;
}

/* A failure of the disk, or of keeping: all is read again then. */
struct pace
issue_unsaved(struct issue *issue, struct status st)
{
	log_warn("a change could not be read or kept; it is tried again",
	    LOG_INT("change", issue->id), LOG_STATUS(st));
	issue->is_loaded = false;
	return (struct pace){ .how = PACE_WAIT, .wait_ms = with_jitter(2000) };
}

struct pace
issue_away(struct issue *issue, int64_t due_s)
{
	struct status st;

	issue->row.due_s = due_s;
	st = issue_save(issue);
	return failed(st) ? issue_unsaved(issue, st)
			  : (struct pace){ .how = PACE_AWAY };
}

bool
issue_is_out_of_patience(const struct issue *issue)
{
	return issue->row.attempts >= ATTEMPTS_MAX;
}

bool
issue_waited_long(struct issue *issue, int64_t asked_ms)
{
	if (asked_ms >= POLL_SLOW_MS)
		issue->row.attempts += (unsigned)(asked_ms / POLL_SLOW_MS);
	return issue->row.attempts >= LONG_POLLS ||
	       issue_age_ms(issue) >= (int64_t)LONG_POLLS * POLL_SLOW_MS;
}

static struct pace
wait_for(struct issue *issue, int64_t wait_ms, bool must_save)
{
	struct status st = status_ok();

	if (wait_ms > DAY_MS)
		wait_ms = DAY_MS;
	if (wait_ms > ISSUE_WAIT_MAX_MS)
		return issue_away(issue, store_now_s() + wait_ms / 1000 + 1);
	/* What people see is not far from what is. */
	if (must_save ||
	    (wait_ms >= SAVE_MS && issue->saved_state != issue->row.state))
		st = issue_save(issue);
	return failed(st)
		   ? issue_unsaved(issue, st)
		   : (struct pace){ .how = PACE_WAIT, .wait_ms = wait_ms };
}

/* What a CA is waited for in that state; DELAYS: it is not. */
static enum delay_of
delay_of(const struct issue *issue)
{
	switch (issue->row.state) {
	case CHANGE_VALIDATING:
		return DELAY_OF_VALIDATION;
	case CHANGE_FINALIZING:
		return DELAY_OF_ISSUANCE;
	default:
		return DELAYS;
	}
}

void
issue_polled(struct issue *issue, bool was_early)
{
	const enum delay_of of = delay_of(issue);

	if (issue->first.ms != 0 && of != DELAYS)
		delays_tell(issue->delays, issue->row.authority, of,
		    &issue->first, was_early);
	issue->first.ms = 0;
}

/* Then half of it, and so on. */
static int64_t
first_ms(struct issue *issue)
{
	const enum delay_of of = delay_of(issue);

	if (of == DELAYS) {
		issue->poll_ms = POLL_FIRST_MS;
		return POLL_FIRST_MS;
	}
	issue->first = delays_get(issue->delays, issue->row.authority, of);
	issue->poll_ms = issue->first.ms / 4 > 0 ? issue->first.ms / 4 : 1;
	return issue->first.ms;
}

static int64_t
next_ms(struct issue *issue)
{
	issue->poll_ms *= 2;
	if (issue->poll_ms > POLL_MOST_MS)
		issue->poll_ms = POLL_MOST_MS;
	return issue->poll_ms;
}

struct pace
issue_poll(struct issue *issue, int64_t asked_ms)
{
	int64_t wait_ms = asked_ms;

	/* Who says "at once" is not asked without a pause. */
	if (wait_ms <= 0) {
		wait_ms =
		    issue->poll_ms == 0 ? first_ms(issue) : next_ms(issue);
		if (!issue->stays && (issue->is_slow || issue_age_ms(issue) >
							    POLL_PATIENCE_MS)) {
			wait_ms = POLL_SLOW_MS;
			issue->row.attempts++;
		}
		wait_ms = with_jitter(wait_ms);
	}
	return wait_for(issue, wait_ms, false);
}

/* ---- what did not work ---- */

struct later {
	struct issue *issue;
	bool is_told;
};

static struct status
put_later(struct db_tx *tx, void *ctx)
{
	struct later *later = ctx;
	const struct change_row *row = &later->issue->row;
	char object[40];
	struct status st = issue_put(later->issue, tx);

	if (failed(st) || row->attempts != ATTEMPTS_TOLD)
		return st;
	(void)!snprintf(object, sizeof(object), "change %" PRId64, row->id);
	return store_event(
	    tx, row->account, "certd", "acme.delayed", object, row->problem);
}

struct pace
issue_later(struct issue *issue, int64_t wait_ms, const char *why)
{
	unsigned doubled = issue->row.attempts < 13 ? issue->row.attempts : 13;
	int64_t pause_ms = (int64_t)PAUSE_FIRST_MS << doubled;
	struct later later = { .issue = issue };
	struct status st;

	if (pause_ms > PAUSE_MOST_MS)
		pause_ms = PAUSE_MOST_MS;
	pause_ms = with_jitter(pause_ms);
	if (wait_ms > pause_ms)
		pause_ms = wait_ms;
	issue->row.attempts++;
	(void)!snprintf(
	    issue->row.problem, sizeof(issue->row.problem), "%s", why);
	/* Also what waits in memory: people are shown it, and may RETRY. */
	issue->row.due_s = store_now_s() + pause_ms / 1000 + 1;
	st = writer_run(issue->writer, put_later, &later);
	if (failed(st))
		return issue_unsaved(issue, st);
	issue_saved(issue);
	if (pause_ms > ISSUE_WAIT_MAX_MS)
		return (struct pace){ .how = PACE_AWAY };
	return (struct pace){ .how = PACE_WAIT, .wait_ms = pause_ms };
}

struct pace
issue_end_with(struct issue *issue, int state, const char *format, ...)
{
	va_list args;

	issue->ending = state;
	issue->at = 0;
	va_start(args, format);
	(void)!vsnprintf(
	    issue->row.problem, sizeof(issue->row.problem), format, args);
	va_end(args);
	return pace_on();
}
