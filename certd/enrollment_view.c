/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Enrollments and changes for people and programs.  Nothing is decided here but
 * which inputs a change takes now, which the service asks too, so that what is
 * shown as allowed is.
 */

#include "certd/enrollment_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certd/store.h"
#include "certd/store_accounts.h"
#include "proto/message.h"

typedef Holdfast__Certd__V1__Enrollment enrollment_msg;
typedef Holdfast__Certd__V1__Change change_msg;
typedef Holdfast__Certd__V1__Challenge challenge_msg;

/* ---- enrollments ---- */

static struct status
fill_row(const struct enrollment_row *row, enrollment_msg *to)
{
	char etag[STORE_ETAG_MAX];
	bool done;

	store_etag_print(row->revision, etag);
	to->id = row->id;
	to->resource = row->resource;
	/* The numbers are those of the .proto. */
	to->algorithm = (Holdfast__Keyd__V1__KeyAlgorithm)row->alg;
	to->validation = (Holdfast__Certd__V1__ValidationKind)row->validation;
	to->stepwise = row->stepwise;
	to->standby = row->standby;
	to->by_operator = row->by_operator;
	to->state = (Holdfast__Certd__V1__EnrollmentState)row->state;
	to->created_s = row->created_s;
	done = message_text(&to->account, row->account_name) &&
	       message_text(&to->name, row->name) &&
	       message_text(&to->common_name, row->common_name) &&
	       message_text(&to->network, row->network) &&
	       message_text(&to->dns_provider, row->dns_provider) &&
	       message_text(&to->authority, row->authority) &&
	       message_text(&to->profile, row->profile) &&
	       message_text(&to->preferred_chain, row->preferred_chain) &&
	       message_text(&to->problem, row->problem) &&
	       message_text(&to->created_by, row->created_by) &&
	       message_text(&to->etag, etag);
	for (size_t i = 0; done && i < row->n_contacts; i++)
		done = message_append_int64(
		    &to->n_contacts, &to->contacts, row->contacts[i]);
	return done ? status_ok() : message_no_memory();
}

static struct status
fill_names(const struct names *names, size_t *n, char ***items)
{
	for (size_t i = 0; i < names->n; i++)
		if (!message_append_text(n, items, names->at[i]))
			return message_no_memory();
	return status_ok();
}

static struct status
fill_renewals(struct db_tx *tx, enrollment_msg *to)
{
	struct renewal_row main, standby;
	struct status st = store_renewals_load(tx, to->id, PURPOSE_MAIN, &main);

	if (!failed(st))
		st = store_renewals_load(tx, to->id, PURPOSE_STANDBY, &standby);
	if (failed(st))
		return st;
	to->certificate = main.certificate;
	to->not_after_s = main.not_after_s;
	to->next_at_s = main.renew_s;
	to->window_start_s = main.window_start_s;
	to->window_end_s = main.window_end_s;
	to->standby_certificate = standby.certificate;
	if (to->problem[0] == 0 && !message_text(&to->problem, main.problem))
		return message_no_memory();
	return message_text(&to->explanation_url, main.explanation_url) &&
		       message_text(&to->standby_problem, standby.problem)
		   ? st
		   : message_no_memory();
}

static struct status
fill_change(struct db_tx *tx, enrollment_msg *to)
{
	struct change_row change;
	struct status st =
	    store_changes_newest(tx, to->id, PURPOSE_MAIN, &change);

	if (!failed(st))
		to->change = change.id;
	return st.code == STATUS_NOT_FOUND ? status_ok() : st;
}

STATUS
enrollment_view_fill(struct db_tx *tx, const struct enrollment_row *row,
    Holdfast__Certd__V1__Enrollment *to)
{
	scoped(names_done) struct names names = { 0 };
	struct status st = store_enrollments_names(tx, row->id, &names);

	if (!failed(st))
		st = fill_row(row, to);
	if (!failed(st))
		st = fill_names(&names, &to->n_hostnames, &to->hostnames);
	if (!failed(st))
		st = fill_renewals(tx, to);
	return failed(st) ? st : fill_change(tx, to);
}

/* ---- changes ---- */

size_t
enrollment_view_inputs(
    const struct change_row *row, int64_t now_s, int ret_inputs[4])
{
	size_t n = 0;

	if (change_has_ended(row) || row->input == CHANGE_INPUT_CANCEL)
		return 0;
	if (row->state == CHANGE_AWAITING_VERIFY)
		ret_inputs[n++] = CHANGE_INPUT_VERIFY;
	if (row->state == CHANGE_AWAITING_ISSUE)
		ret_inputs[n++] = CHANGE_INPUT_ISSUE;
	if (row->due_s > now_s && row->problem[0] != 0)
		ret_inputs[n++] = CHANGE_INPUT_RETRY;
	if (row->state < CHANGE_INSTALLING)
		ret_inputs[n++] = CHANGE_INPUT_CANCEL;
	return n;
}

static struct status
fill_inputs(const struct change_row *row, change_msg *to)
{
	int inputs[4];
	size_t n = enrollment_view_inputs(row, store_now_s(), inputs);

	if (n == 0)
		return status_ok();
	to->allowed_inputs = calloc(n, sizeof(to->allowed_inputs[0]));
	if (to->allowed_inputs == NULL)
		return message_no_memory();
	to->n_allowed_inputs = n;
	for (size_t i = 0; i < n; i++)
		to->allowed_inputs[i] =
		    (Holdfast__Certd__V1__ChangeInput)inputs[i];
	return status_ok();
}

static struct status
fill_change_row(struct db_tx *tx, const struct change_row *row, change_msg *to)
{
	struct store_account account;
	struct status st = store_accounts_get(tx, row->account, &account);

	/* History outlives the account. */
	if (st.code == STATUS_NOT_FOUND)
		account.name[0] = 0;
	else if (failed(st))
		return st;
	to->id = row->id;
	to->enrollment = row->enrollment;
	to->resource = row->resource;
	to->kind = (Holdfast__Certd__V1__ChangeKind)row->kind;
	to->state = (Holdfast__Certd__V1__ChangeState)row->state;
	to->percent = row->percent;
	to->next_at_s = row->due_s;
	to->expires_s = row->expires_s;
	to->certificate = row->certificate;
	to->replaces = row->replaces;
	to->created_s = row->created_s;
	to->ended_s = row->ended_s;
	to->standby = row->purpose == PURPOSE_STANDBY;
	to->attempts = row->attempts;
	to->diagnosis = row->diagnosis;
	return message_text(&to->account, account.name) &&
		       message_text(&to->doing, row->doing) &&
		       message_text(&to->problem, row->problem) &&
		       message_text(&to->authority, row->authority) &&
		       message_text(&to->created_by, row->created_by)
		   ? status_ok()
		   : message_no_memory();
}

/* RFC 8555 8.3: where the CA looks, and what it is to find. */
static bool
fill_http(const struct challenge_row *row, challenge_msg *to)
{
	static const char path[] = "/.well-known/acme-challenge/";
	char url[sizeof(row->hostname) + sizeof(row->token) + 48];

	if (strcmp(row->type, "http-01") != 0 || row->token[0] == 0)
		return true;
	snprintf(
	    url, sizeof(url), "http://%s%s%s", row->hostname, path, row->token);
	return message_text(&to->http_url, url) &&
	       message_text(&to->http_body, row->key_authorization);
}

static struct status
add_challenge(const struct challenge_row *row, change_msg *to)
{
	challenge_msg *challenge = message_append(&to->n_challenges,
	    &to->challenges, &holdfast__certd__v1__challenge__descriptor);

	if (challenge == NULL)
		return message_no_memory();
	challenge->state = (Holdfast__Certd__V1__Challenge__State)row->state;
	return message_text(&challenge->hostname, row->hostname) &&
		       message_text(&challenge->type, row->type) &&
		       message_text(&challenge->token, row->token) &&
		       fill_http(row, challenge) &&
		       message_text(&challenge->dns_name, row->dns_name) &&
		       message_text(&challenge->dns_target, row->dns_target) &&
		       message_text(&challenge->dns_value, row->dns_value) &&
		       message_text(&challenge->problem, row->problem)
		   ? status_ok()
		   : message_no_memory();
}

static struct status
fill_challenges(struct db_tx *tx, change_msg *to)
{
	scoped(free) struct challenge_row *rows = NULL;
	size_t n = 0;
	struct status st = store_challenges_of(tx, to->id, &rows, &n);

	for (size_t i = 0; i < n && !failed(st); i++)
		st = add_challenge(&rows[i], to);
	return st;
}

static bool
add_event(void *ctx, int64_t at_s, int state, const char *text)
{
	change_msg *to = ctx;
	Holdfast__Certd__V1__ChangeEvent *event = message_append(&to->n_history,
	    &to->history, &holdfast__certd__v1__change_event__descriptor);

	if (event == NULL)
		return false;
	event->at_s = at_s;
	event->state = (Holdfast__Certd__V1__ChangeState)state;
	return message_text(&event->text, text);
}

STATUS
enrollment_view_change(struct db_tx *tx, const struct change_row *row,
    bool with_history, Holdfast__Certd__V1__Change *to)
{
	scoped(names_done) struct names names = { 0 };
	struct status st = store_changes_names(tx, row->id, &names);

	if (!failed(st))
		st = fill_change_row(tx, row, to);
	if (!failed(st))
		st = fill_names(&names, &to->n_hostnames, &to->hostnames);
	if (!failed(st))
		st = fill_inputs(row, to);
	if (!failed(st))
		st = fill_challenges(tx, to);
	return failed(st) || !with_history
		   ? st
		   : store_changes_events(tx, row->id, add_event, to);
}
