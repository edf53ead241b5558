/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One change while it is worked on: read from the store, brought to its next
 * step, and saved; see issue.h.  Read issue_step.  What a person asks for comes
 * before what the state asks for.
 */

#include "certd/issue.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

void (*issue_boundary)(void);

void
issue_init(struct issue *issue, const struct issuer_config *config,
    struct writer *writer, const struct issue_metrics *metrics,
    struct delays *delays, int64_t id)
{
	*issue = (struct issue){ .config = config,
		.writer = writer,
		.metrics = metrics,
		.delays = delays,
		.id = id };
}

/* What was read or found out; the next step reads it again. */
static void
forget(struct issue *issue)
{
	names_done(&issue->names);
	free(issue->challenges);
	free(issue->chain);
	acme_order_done(&issue->order);
	issue_init(issue, issue->config, issue->writer, issue->metrics,
	    issue->delays, issue->id);
}

void
issue_rest(struct issue *issue)
{
	if (issue->has_session)
		authorities_leave(&issue->session);
	issue->has_session = false;
}

void
issue_done(struct issue *issue)
{
	issue_rest(issue);
	forget(issue);
}

/* ---- reading ---- */

static struct status
read_all(struct issue *issue, struct db_tx *tx)
{
	struct status st = store_changes_load(tx, issue->id, &issue->row);

	if (!failed(st))
		st = store_changes_names(tx, issue->id, &issue->names);
	if (!failed(st))
		st = store_challenges_of(
		    tx, issue->id, &issue->challenges, &issue->n_challenges);
	if (!failed(st))
		st = store_enrollments_load(
		    tx, issue->row.enrollment, &issue->of);
	return st;
}

static struct pace
load(struct issue *issue)
{
	struct db_tx *tx;
	struct status st = store_read(issue->config->store, &tx);

	if (!failed(st)) {
		st = read_all(issue, tx);
		db_end(tx);
	}
	if (failed(st))
		return issue_unsaved(issue, st);
	issue->is_loaded = true;
	issue->saved_state = issue->row.state;
	issue->since_ns = clock_mono_ns();
	issue->is_slow = issue->row.attempts > 0;
	issue->may_be_ordered = issue->row.state == CHANGE_ORDERING;
	return pace_on();
}

/* Was an input given since it was read? */
static struct pace
look(struct issue *issue)
{
	struct change_row now;
	struct db_tx *tx;
	struct status st = store_read(issue->config->store, &tx);

	if (!failed(st)) {
		st = store_changes_load(tx, issue->id, &now);
		db_end(tx);
	}
	if (failed(st))
		return issue_unsaved(issue, st);
	issue->must_look = false;
	issue->row.input = now.input;
	return pace_on();
}

/* ---- state and history ---- */

__attribute__((format(printf, 2, 0))) static void
add_line(struct issue *issue, const char *format, va_list args)
{
	if (issue->n_lines == ISSUE_LINES_MAX)
		return;
	issue->lines[issue->n_lines].state = issue->row.state;
	(void)!vsnprintf(
	    issue->lines[issue->n_lines].text, ISSUE_LINE_MAX, format, args);
	issue->n_lines++;
}

void
issue_become(struct issue *issue, int state, const char *format, ...)
{
	va_list args;

	issue->row.state = state;
	issue->row.attempts = 0;
	issue->row.problem[0] = 0;
	/* A crash finds it due. */
	issue->row.due_s = store_now_s();
	issue->since_ns = clock_mono_ns();
	issue->poll_ms = 0;
	issue->first.ms = 0;
	issue->at = issue->n_blamed = 0;
	issue->is_presented = issue->is_answered = false;
	issue->is_slow = issue->stays = false;
	va_start(args, format);
	add_line(issue, format, args);
	va_end(args);
}

void
issue_note(struct issue *issue, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_line(issue, format, args);
	va_end(args);
}

void
issue_doing(struct issue *issue, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)!vsnprintf(
	    issue->row.doing, sizeof(issue->row.doing), format, args);
	va_end(args);
}

/* It has come to where a person is waited for. */
static struct status
put_awaiting(const struct issue *issue, struct db_tx *tx)
{
	const int state = issue->row.state;
	char object[40];

	if (state == issue->saved_state ||
	    (state != CHANGE_AWAITING_VERIFY && state != CHANGE_AWAITING_ISSUE))
		return status_ok();
	(void)!snprintf(object, sizeof(object), "change %" PRId64, issue->id);
	return store_event(tx, issue->row.account, "certd", "acme.awaits",
	    object, issue->row.doing);
}

STATUS
issue_put(struct issue *issue, struct db_tx *tx)
{
	struct change_row row = issue->row;
	struct status st = store_changes_save(tx, &row, NULL);

	if (!failed(st))
		st = put_awaiting(issue, tx);
	for (size_t i = 0; i < issue->n_lines && !failed(st); i++)
		st = store_changes_event(
		    tx, issue->id, issue->lines[i].state, issue->lines[i].text);
	for (size_t i = 0;
	     i < issue->n_challenges && issue->is_dirty && !failed(st); i++)
		st = store_challenges_put(tx, &issue->challenges[i]);
	/* What was taken is what the row was read with. */
	if (!failed(st) && issue->takes_input)
		st = store_changes_take_input(tx, &row);
	return st;
}

void
issue_saved(struct issue *issue)
{
	issue->n_lines = 0;
	issue->is_dirty = false;
	issue->saved_state = issue->row.state;
	if (issue->takes_input)
		issue->row.input = 0;
	issue->takes_input = false;
	if (issue_boundary != NULL)
		issue_boundary();
}

static struct status
put(struct db_tx *tx, void *ctx)
{
	return issue_put(ctx, tx);
}

STATUS
issue_save(struct issue *issue)
{
	struct status st = writer_run(issue->writer, put, issue);

	if (!failed(st))
		issue_saved(issue);
	return st;
}

/* ---- steps ---- */

static struct pace
take_input(struct issue *issue)
{
	const int input = issue->row.input, state = issue->row.state;
	struct status st;

	issue->takes_input = true;
	/* The certificate is there: too late to give up. */
	if (input == CHANGE_INPUT_CANCEL && state < CHANGE_PROVING)
		return issue_end_with(
		    issue, CHANGE_CANCELLED, "%s", "It was cancelled.");
	if (input == CHANGE_INPUT_VERIFY && state == CHANGE_AWAITING_VERIFY)
		return issue_verify(issue);
	if (input == CHANGE_INPUT_ISSUE && state == CHANGE_AWAITING_ISSUE)
		issue_become(issue, CHANGE_FINALIZING, "%s",
		    "To be issued, as was told.");
	if (input == CHANGE_INPUT_RETRY) {
		issue->poll_ms = 0;
		issue->is_slow = false;
	}
	st = issue_save(issue);
	return failed(st) ? issue_unsaved(issue, st) : pace_on();
}

/* The order ended before what it was for was done. */
static struct pace
expire(struct issue *issue)
{
	const int state = issue->row.state;

	if (state == CHANGE_AWAITING_VERIFY || state == CHANGE_AWAITING_ISSUE)
		return issue_end_with(issue, CHANGE_EXPIRED,
		    "The order at %s ended before it was %s; order again.",
		    issue->row.authority,
		    state == CHANGE_AWAITING_VERIFY ? "verified" : "issued");
	return issue_end_with(issue, CHANGE_FAILED,
	    "The order at %s ended before the certificate was issued%s%s",
	    issue->row.authority, issue->row.problem[0] == 0 ? "." : ": ",
	    issue->row.problem);
}

static bool
has_expired(const struct issue *issue)
{
	const int state = issue->row.state;

	if (issue->row.expires_s == 0 || issue->row.expires_s > store_now_s() ||
	    state < CHANGE_PRESENTING)
		return false;
	/* It may have been issued in time: look once. */
	return state < CHANGE_FINALIZING ||
	       (state == CHANGE_FINALIZING && issue->has_order &&
		   issue->order.status != ACME_VALID);
}

static struct pace
step_of_state(struct issue *issue)
{
	switch (issue->row.state) {
	case CHANGE_QUEUED:
	case CHANGE_CHECKING:
		return issue_check(issue);
	case CHANGE_ORDERING:
		return issue_order(issue);
	case CHANGE_PRESENTING:
		return issue_present(issue);
	case CHANGE_AWAITING_VERIFY:
	case CHANGE_AWAITING_ISSUE:
		return issue_away(issue, issue->row.expires_s);
	case CHANGE_VALIDATING:
		return issue_validate(issue);
	case CHANGE_FINALIZING:
		return issue_finalize(issue);
	case CHANGE_INSTALLING:
		return issue_install(issue);
	case CHANGE_PROVING:
		return issue_prove(issue);
	default:
		return (struct pace){ .how = PACE_AWAY };
	}
}

struct pace
issue_step(struct issue *issue)
{
	struct pace pace = pace_on();

	if (issue_boundary != NULL)
		issue_boundary();
	if (!issue->is_loaded) {
		forget(issue);
		pace = load(issue);
	} else if (issue->must_look) {
		pace = look(issue);
	}
	if (pace.how != PACE_ON)
		return pace;
	if (issue->ending != 0)
		return issue_end(issue);
	if (issue->row.input != 0)
		return take_input(issue);
	if (has_expired(issue))
		return expire(issue);
	return step_of_state(issue);
}
