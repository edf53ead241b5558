/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_ISSUE_H
#define CERTD_ISSUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "acme/client.h"
#include "base/db.h"
#include "base/scoped.h"
#include "base/status.h"
#include "certd/authorities.h"
#include "certd/delays.h"
#include "certd/issue_leave.h"
#include "certd/issuer.h"
#include "certd/names.h"
#include "certd/store_changes.h"
#include "certd/store_enrollments.h"
#include "certd/store_keys.h"
#include "certd/writer.h"

/*
 * One change while it is worked on: its row, and what is known of it in memory
 * alone.  A step (issue_check, ..., a file each) does what one request to a CA,
 * a solver or keyd does, and says how to go on.  What cannot be done twice is
 * saved before it is done; states that can be found out again are saved with
 * the next of those, so that a certificate costs few transactions.
 *
 * One thread at a time has an issue.
 */

/* How a step goes on. */
struct pace {
	enum {
		PACE_ON,   /* with the next step, at once */
		PACE_WAIT, /* look again after wait_ms; stays in memory */
		PACE_AWAY, /* saved; taken up again when its row is due */
	} how;
	int64_t wait_ms;
};

static inline struct pace
pace_on(void)
{
	return (struct pace){ .how = PACE_ON };
}

/* Longer waits are rows that are due, not runs in memory. */
#define ISSUE_WAIT_MAX_MS 30000
#define ISSUE_LINES_MAX 12
#define ISSUE_LINE_MAX 240

/* All NULL: nothing is counted. */
struct issue_metrics {
	struct metric_counter *done, *failed, *cancelled, *expired;
	struct metric_histogram *seconds;
};

struct issue {
	const struct issuer_config *config; /* all borrowed */
	struct writer *writer;
	const struct issue_metrics *metrics;
	struct delays *delays;

	int64_t id;
	bool is_loaded; /* else the next step reads all below */
	bool must_look; /* an input may have been given */
	struct change_row row;
	struct enrollment_row of; /* as it was when this was loaded */
	struct names names;
	struct challenge_row *challenges; /* malloc'd */
	size_t n_challenges;

	/* History that goes with the next save. */
	struct {
		int state;
		char text[ISSUE_LINE_MAX];
	} lines[ISSUE_LINES_MAX];
	size_t n_lines;
	int saved_state;

	/* Of the state it is in. */
	int64_t since_ns; /* when it was come to, or taken up */
	int64_t poll_ms;  /* last wait of a poll; 0: none yet */
	/* What the wait before the first question to the CA was; ms 0: there
	 * is nothing to be learned. */
	struct delay first;
	size_t at;       /* which challenge or authorization is next */
	size_t n_blamed; /* challenges whose part in a failure was asked for */

	/* ORDERING was saved before, so there may be an order whose URL was
	 * lost. */
	bool may_be_ordered;
	bool is_checked;         /* nothing forbids to ask a CA */
	bool without_replaces;   /* the CA said so */
	struct acme_order order; /* as the CA had it last */
	bool has_order;
	bool has_foreign;  /* it cannot be used (issue_own.h) */
	bool gives_up;     /* the authorization next, before others are read */
	unsigned n_again;  /* orders that could not */
	bool is_slow;      /* it was put away for its polls before */
	bool stays;        /* in memory, though it polls for long */
	bool is_presented; /* all challenges, by this process */
	bool is_answered;  /* the CA was told of all of them */
	bool is_dirty;     /* challenges are to be saved */
	bool takes_input;  /* with the next save */
	/* The intent of the key's label was made then; 0: not by us. */
	int64_t intent_ns;
	bool may_have_key;    /* keyd may have one of that label */
	struct store_key key; /* spki_len 0: not read yet */
	char *chain;          /* malloc'd PEM, as the CA gave it */

	/* It is to end so: clean up first. */
	int ending; /* CHANGE_FAILED, ...; 0: no */

	bool has_session;
	struct authority_session session;
};

void issue_init(struct issue *issue, const struct issuer_config *config,
    struct writer *writer, const struct issue_metrics *metrics,
    struct delays *delays, int64_t id);
void issue_done(struct issue *issue);

/* The next step, whichever it is. */
struct pace issue_step(struct issue *issue);
/* Lets go of the CA; after a turn of steps. */
void issue_rest(struct issue *issue);

/* ---- state and history (issue.c) ---- */

/* From here on it is in another state; text is for its history. */
void issue_become(struct issue *issue, int state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A line more for its history. */
void issue_note(struct issue *issue, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* What is being done, a sentence. */
void issue_doing(struct issue *issue, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The row and its lines, in the caller's transaction; issue_saved once that
 * was committed. */
STATUS issue_put(struct issue *issue, struct db_tx *tx);
void issue_saved(struct issue *issue);
/* Both, in a transaction of its own. */
STATUS issue_save(struct issue *issue);

/* ---- how to go on (issue_pace.c) ---- */

/* Look again, as polls do: first after what the CA took lately
 * (certd/delays.h), then half of that, doubled up to 10 s; asked_ms: what the
 * CA wants, -1 when it did not say. */
struct pace issue_poll(struct issue *issue, int64_t asked_ms);
/* The CA was asked after a poll: had it come to an end, or was that early? */
void issue_polled(struct issue *issue, bool was_early);
/* The step did not succeed and may later; counts an attempt. */
struct pace issue_later(struct issue *issue, int64_t wait_ms, const char *why);
/* A call of the store failed. */
struct pace issue_unsaved(struct issue *issue, struct status st);
/* Save it, due at due_s (0: when an input comes), and put it away. */
struct pace issue_away(struct issue *issue, int64_t due_s);
/* End it with that state; why is for people. */
struct pace issue_end_with(struct issue *issue, int state, const char *format,
    ...) __attribute__((format(printf, 3, 4)));
/* Since it came to its state, or was taken up. */
int64_t issue_age_ms(const struct issue *issue);
/* It was waited for long enough: half an hour of polls, or so, or most of a day
 * of pauses. */
bool issue_is_out_of_patience(const struct issue *issue);
/* It is going to be waited for asked_ms more (-1: as polls do); was it for half
 * a day already? */
bool issue_waited_long(struct issue *issue, int64_t asked_ms);

/* ---- asking the CA (issue_ask.c) ---- */

/* A session, in which the CA may be asked one thing now; else *ret_pace. */
bool issue_ask_begin(struct issue *issue, struct pace *ret_pace);
/* Its two halves. */
bool issue_ask_enter(struct issue *issue, struct pace *ret_pace);
bool issue_ask_may(
    struct issue *issue, enum authority_cost cost, struct pace *ret_pace);
/* After it: tells the limiter; false when it failed, and how to go on then. */
bool issue_ask_went(struct issue *issue, struct status st,
    const struct acme_problem *problem, struct pace *ret_pace);
/* Its two halves. */
void issue_ask_tell(struct issue *issue, enum authority_cost cost,
    const struct acme_problem *problem);
struct pace issue_ask_trouble(
    struct issue *issue, const struct acme_problem *problem);

/* ---- steps, by state ---- */

struct pace issue_check(struct issue *issue);    /* QUEUED, CHECKING */
struct pace issue_order(struct issue *issue);    /* ORDERING */
struct pace issue_present(struct issue *issue);  /* PRESENTING */
struct pace issue_verify(struct issue *issue);   /* after input VERIFY */
struct pace issue_validate(struct issue *issue); /* VALIDATING */
struct pace issue_finalize(struct issue *issue); /* FINALIZING */
struct pace issue_install(struct issue *issue);  /* INSTALLING */
struct pace issue_prove(struct issue *issue);    /* PROVING */
struct pace issue_end(struct issue *issue);      /* ending is set */

/* ---- between steps ---- */

/* Choose a CA, and save ORDERING there, unless another change is at the same
 * names (issue_order.c). */
struct pace issue_order_claim(struct issue *issue);
/* The name of the one CA that it is to come from; empty: the first that is well
 * (issue_order.c). */
const char *issue_order_authority(const struct issue *issue);
/* The order, as the CA has it now, is issue->order; its state decides
 * (issue_validate.c). */
struct pace issue_validate_follow(struct issue *issue);
/* The CA is at it: look again as issue_poll does, but not for ever. */
struct pace issue_validate_wait(struct issue *issue, int64_t asked_ms);
/* Ask the CA how the order stands, into issue->order. */
bool issue_validate_look(struct issue *issue, struct pace *ret_pace);
/* Take away one challenge that is in place; false: none is (issue_end.c). */
bool issue_end_clean(struct issue *issue);
/* issue->key is read; NOT_FOUND: it has no row (issue_finalize.c). */
STATUS issue_key(struct issue *issue);
/* In the transaction that installs it: DONE at once when there is nothing to be
 * proven, else PROVING (issue_prove.c). */
STATUS issue_prove_first(struct issue *issue, struct db_tx *tx, bool *ret_done);
/* For metrics. */
void issue_count_issued(const struct issue *issue);
void issue_count_end(const struct issue *issue);

/* Called between steps by tests, which may end the process there. */
extern void (*issue_boundary)(void);

#endif
