/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What needs somebody, in words: each title says what is the matter, each
 * detail what to do about it.  Where the rows come from is
 * store_overview.h's.  Of each list at most NEEDS_MAX + 1 are looked at, so
 * that it is known whether there are more than are told.
 */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "certd/console/overview_int.h"
#include "certd/console/store_overview.h"
#include "certd/store_changes.h"
#include "certd/store_resources.h"
#include "proto/message.h"

#define NEEDS_MAX 50
#define DAY_S 86400
#define SOON_DAYS 3

typedef Holdfast__Certd__V1__GetOverviewResponse overview_msg;
typedef Holdfast__Certd__V1__Need need_msg;
typedef struct overview_need need_of;

bool
overview_needs_add(overview_msg *to, const struct overview_need *need)
{
	need_msg *message = message_append(
	    &to->n_needs, &to->needs, &holdfast__certd__v1__need__descriptor);
	char number[24];

	(void)snprintf(number, sizeof(number), "%" PRId64, need->number);
	if (message == NULL)
		return false;
	message->severity = need->severity;
	message->at_s = need->at_s;
	return message_text(&message->title, need->title) &&
	       message_text(&message->detail, need->detail) &&
	       message_text(&message->kind, need->kind) &&
	       message_text(
		   &message->id, need->id != NULL ? need->id : number) &&
	       message_text(&message->account,
		   need->account != NULL ? need->account : "");
}

static void __attribute__((format(printf, 2, 3)))
title(need_of *need, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(need->title, sizeof(need->title), format, arguments);
	va_end(arguments);
}

static void __attribute__((format(printf, 2, 3)))
detail(need_of *need, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(need->detail, sizeof(need->detail), format, arguments);
	va_end(arguments);
}

static const char *
date(int64_t at_s, char ret_date[16])
{
	time_t at = (time_t)at_s;
	struct tm tm;

	if (gmtime_r(&at, &tm) == NULL ||
	    strftime(ret_date, 16, "%Y-%m-%d", &tm) == 0)
		(void)snprintf(ret_date, 16, "?");
	return ret_date;
}

/* "in 3 days", "in one day", "today". */
static const char *
in_days(int64_t left_s, char ret_text[24])
{
	int64_t days = left_s / DAY_S;

	if (days > 1)
		(void)snprintf(ret_text, 24, "in %" PRId64 " days", days);
	else
		(void)snprintf(ret_text, 24, "%s",
		    days == 1 ? "in one day" : "within a day");
	return ret_text;
}

/* "a, b" of host names that are separated by blanks; some of them. */
static void
print_names(char *names)
{
	size_t n = 0;

	for (char *at = names; *at != 0; at++)
		if (*at == ' ' && ++n == 3) {
			(void)snprintf(at, 5, " ...");
			return;
		}
}

/* ---- certificates ---- */

static void
say_expired(const struct overview_row *row, int64_t now_s, need_of *need)
{
	char day[16];

	(void)now_s;
	need->severity = OVERVIEW_CRITICAL;
	need->kind = "certificate";
	title(need, "%s expired on %s and is still in use", row->name,
	    date(row->at_s, day));
	detail(need,
	    row->number == KIND_ACME
		? "Browsers refuse it. Look at its enrollment why no new one "
		  "was obtained."
		: "Browsers refuse it. Bind another certificate to the "
		  "resources that use it.");
}

static void
say_expiring(const struct overview_row *row, int64_t now_s, need_of *need)
{
	char days[24], day[16];

	need->severity = row->at_s - now_s < (int64_t)SOON_DAYS * DAY_S
			     ? OVERVIEW_CRITICAL
			     : OVERVIEW_WARNING;
	need->kind = "certificate";
	title(
	    need, "%s expires %s", row->name, in_days(row->at_s - now_s, days));
	detail(need,
	    "It is in use and does not renew by itself: replace it, or have "
	    "its resources obtain theirs by ACME, before %s.",
	    date(row->at_s, day));
}

/* ---- changes, enrollments ---- */

static void
say_waiting(const struct overview_row *row, int64_t now_s, need_of *need)
{
	char names[OVERVIEW_NAME_MAX];

	(void)now_s;
	(void)snprintf(names, sizeof(names), "%s", row->name);
	print_names(names);
	need->severity = OVERVIEW_WARNING;
	need->kind = "change";
	if (row->number == CHANGE_AWAITING_VERIFY) {
		title(need, "A challenge is to be put in place for %s", names);
		detail(need,
		    "Add the records that the change shows, then have it "
		    "verified.");
	} else {
		title(need, "A certificate for %s waits to be issued", names);
		detail(need, "Its names are proven: allow the change to issue "
			     "it.");
	}
}

static void
say_failing(const struct overview_row *row, int64_t now_s, need_of *need)
{
	char names[OVERVIEW_NAME_MAX];

	(void)now_s;
	(void)snprintf(names, sizeof(names), "%s", row->name);
	print_names(names);
	need->severity = OVERVIEW_WARNING;
	need->kind = "change";
	title(need, "The certificate for %s could not be obtained yet", names);
	detail(need,
	    "%s. It is tried again by itself; 'retry' does it at once.",
	    row->text);
}

static void
say_failed(const struct overview_row *row, int64_t now_s, need_of *need)
{
	(void)now_s;
	need->severity = OVERVIEW_CRITICAL;
	need->kind = "enrollment";
	title(need, "Enrollment %s obtains no certificate", row->name);
	detail(need,
	    "%s. It is not tried again by itself: mend that, then have it "
	    "issued.",
	    row->text[0] != 0 ? row->text : "It failed");
}

static void
say_not_renewed(const struct overview_row *row, int64_t now_s, need_of *need)
{
	char days[24];

	need->severity = row->at_s - now_s < (int64_t)SOON_DAYS * DAY_S
			     ? OVERVIEW_CRITICAL
			     : OVERVIEW_WARNING;
	need->kind = "enrollment";
	title(need, "Enrollment %s could not be renewed%s", row->name,
	    row->number > 1 ? " several times" : "");
	if (row->at_s > now_s)
		detail(need,
		    "%s. What it has expires %s; renewal is tried again by "
		    "itself.",
		    row->text, in_days(row->at_s - now_s, days));
	else
		detail(need, "%s. It is tried again by itself.", row->text);
}

/* ---- resources ---- */

static void
say_forbidden(const struct overview_row *row, int64_t now_s, need_of *need)
{
	(void)now_s;
	need->severity = OVERVIEW_CRITICAL;
	need->kind = "resource";
	title(need, "Edges may not sign yet for %s", row->name);
	detail(need,
	    "keyd has not given them the right to its key: %s. certd asks "
	    "again by itself.",
	    row->text);
}

static void
say_not_served(const struct overview_row *row, int64_t now_s, need_of *need)
{
	(void)now_s;
	need->severity = OVERVIEW_CRITICAL;
	need->kind = "resource";
	title(need, "%s is not in place at %" PRId64 " edge%s", row->name,
	    row->number, row->number == 1 ? "" : "s");
	detail(need,
	    "%s. Diagnose one of its host names to see what each edge "
	    "serves.",
	    row->text);
}

static void
say_unbound(const struct overview_row *row, int64_t now_s, need_of *need)
{
	(void)now_s;
	need->severity = OVERVIEW_WARNING;
	need->kind = "resource";
	title(need, "%s has no certificate", row->name);
	detail(need,
	    row->number == MODE_SHARED
		? "It is served by plain HTTP: no shared certificate covers "
		  "all of its host names; bind one, or have it obtain its own "
		  "by ACME."
		: "It is served by plain HTTP until it has one: see how far "
		  "its enrollment is, or bind one.");
}

static void
say_plain(const struct overview_row *row, int64_t now_s, need_of *need)
{
	(void)now_s;
	need->severity = OVERVIEW_INFO;
	need->kind = "resource";
	title(need, "%s is served by plain HTTP only", row->name);
	detail(need,
	    "What visitors send and see can be read and changed on the way: "
	    "bind a certificate.");
}

static void
say_notice(const struct overview_row *row, int64_t now_s, need_of *need)
{
	(void)now_s;
	need->severity = OVERVIEW_WARNING;
	need->kind = "notice";
	title(need, "A notice to %s could not be delivered", row->name);
	detail(need, "%s. Mend the address or the webhook, then send it again.",
	    row->text[0] != 0 ? row->text : "It was refused");
}

/* ---- all of them ---- */

static const struct {
	enum overview_what what;
	void (*say)(
	    const struct overview_row *row, int64_t now_s, need_of *need);
} LISTS[] = {
	{ OVERVIEW_EXPIRED, say_expired },
	{ OVERVIEW_EXPIRING, say_expiring },
	{ OVERVIEW_FAILED, say_failed },
	{ OVERVIEW_NOT_RENEWED, say_not_renewed },
	{ OVERVIEW_FORBIDDEN, say_forbidden },
	{ OVERVIEW_NOT_SERVED, say_not_served },
	{ OVERVIEW_WAITING, say_waiting },
	{ OVERVIEW_FAILING, say_failing },
	{ OVERVIEW_UNBOUND, say_unbound },
	{ OVERVIEW_NOTICES, say_notice },
	{ OVERVIEW_PLAIN, say_plain },
};

struct listing {
	overview_msg *to;
	int64_t now_s;
	void (*say)(
	    const struct overview_row *row, int64_t now_s, need_of *need);
};

static bool
add(void *ctx, const struct overview_row *row)
{
	const struct listing *listing = ctx;
	need_of need = {
		.number = row->id, .account = row->account, .at_s = row->at_s
	};

	listing->say(row, listing->now_s, &need);
	return overview_needs_add(listing->to, &need);
}

STATUS
overview_needs(
    struct db_tx *tx, int64_t account, int64_t now_s, overview_msg *to)
{
	struct status st = status_ok();

	for (size_t i = 0; i < sizeof(LISTS) / sizeof(LISTS[0]); i++) {
		struct listing listing = { to, now_s, LISTS[i].say };

		st = store_overview_rows(tx, LISTS[i].what, account, now_s,
		    NEEDS_MAX + 1, add, &listing);
		if (failed(st))
			return st;
	}
	return account == 0 ? overview_edges(tx, now_s, to) : st;
}

void
overview_needs_hide(overview_msg *to, const struct caller *caller)
{
	const unsigned scopes = caller->scopes == 0 ? ~0U : caller->scopes;
	const bool sees_resources = (scopes & SCOPE_RESOURCES_READ) != 0;
	const bool sees_notices =
	    (scopes & SCOPE_ACCOUNT_READ) != 0 &&
	    (caller->is & (ALLOW_MANAGE_READ | ALLOW_ENGINEER)) != 0;
	size_t n = 0;

	for (size_t i = 0; i < to->n_needs; i++) {
		need_msg *need = to->needs[i];

		if ((!sees_resources && strcmp(need->kind, "resource") == 0) ||
		    (!sees_notices && strcmp(need->kind, "notice") == 0))
			message_free(&need->base);
		else
			to->needs[n++] = need;
	}
	to->n_needs = n;
	if (!sees_resources)
		to->resources = 0;
}

void
overview_needs_sort(overview_msg *to)
{
	size_t n = to->n_needs, at = 0;
	need_msg **sorted = calloc(n + 1, sizeof(need_msg *));

	if (sorted == NULL)
		return;
	for (int severity = OVERVIEW_CRITICAL; severity >= 0; severity--)
		for (size_t i = 0; i < n; i++)
			if ((int)to->needs[i]->severity == severity)
				sorted[at++] = to->needs[i];
	to->more_needs = n > NEEDS_MAX;
	for (size_t i = NEEDS_MAX; i < n; i++)
		message_free(&sorted[i]->base);
	if (n > NEEDS_MAX)
		to->n_needs = NEEDS_MAX;
	free(to->needs);
	to->needs = sorted;
}
