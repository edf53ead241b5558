/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Service Authorities: how CAs stand, for operators and auditors; and for
 * operators two acts.  Looking asks nobody.  Check asks the CA, and tells what
 * is wrong in its answer, for that is what it was asked for.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "certd/authority_int.h"
#include "proto/holdfast/certd/v1/authorities.pb-c.h"
#include "proto/message.h"

#define SERVICE (&holdfast__certd__v1__authorities__descriptor)
#define OPERATORS (ALLOW_OPERATOR | ALLOW_AUDITOR)

typedef Holdfast__Certd__V1__Authority authority_msg;

/* ---- what it looks like ---- */

static struct status
load_row(struct authority *a, struct acme_account_row *ret_row)
{
	scoped(db_end) struct db_tx *tx = NULL;
	struct status st = store_read(a->all->store, &tx);

	if (!failed(st))
		st = store_acme_accounts_load(tx, a->is->name, ret_row);
	return st.code == STATUS_NOT_FOUND ? status_ok() : st;
}

static bool
add_account(authority_msg *to, const struct acme_account_row *row)
{
	char id[KEY_ID_TEXT_MAX];

	if (row->authority[0] == 0)
		return true;
	key_id_print(&row->key, id);
	return message_text(&to->account_url, row->url) &&
	       message_text(&to->account_key_id, id) &&
	       message_text(&to->account_thumbprint, row->thumbprint);
}

static bool
add_limits(authority_msg *to, struct authority *a, int64_t now_ns)
{
	struct limiter_use uses[LIMITER_USES];
	size_t n = limiter_uses(a->limiter, now_ns, uses);

	for (size_t i = 0; i < n; i++) {
		Holdfast__Certd__V1__LimitUse *use =
		    message_append(&to->n_limits, &to->limits,
			&holdfast__certd__v1__limit_use__descriptor);

		if (use == NULL || !message_text(&use->name, uses[i].name))
			return false;
		use->used = (uint32_t)uses[i].used;
		use->limit = (uint32_t)uses[i].limit;
		use->window_s = (uint32_t)(uses[i].window_ns / NS_PER_S);
	}
	return true;
}

static bool
add_directory(authority_msg *to, const struct acme_directory *directory)
{
	to->renewal_information = directory->has_renewal_info;
	to->external_account_required = directory->needs_external_account;
	for (size_t i = 0; i < directory->n_profiles; i++)
		if (!message_append_text(
			&to->n_profiles, &to->profiles, directory->profiles[i]))
			return false;
	return message_text(&to->terms_of_service, directory->terms_of_service);
}

/* What of it changes, as it was at one moment. */
struct seen {
	bool has_directory;
	struct acme_directory directory;
	char problem[AUTHORITIES_WHY_MAX];
};

static void
look(struct authority *a, struct seen *ret_seen)
{
	pthread_mutex_lock(&a->mutex);
	ret_seen->has_directory = a->has_directory;
	ret_seen->directory = a->directory;
	(void)!snprintf(ret_seen->problem, sizeof(ret_seen->problem), "%s",
	    a->health.why[0] != 0 ? a->health.why : a->problem.why);
	pthread_mutex_unlock(&a->mutex);
}

static bool
fill(struct authority *a, const struct acme_account_row *row,
    const struct seen *seen, authority_msg *to)
{
	const struct config_authority *is = a->is;
	const int64_t now_ns = clock_mono_ns();
	const int64_t paused_ns = limiter_paused_until(a->limiter, now_ns);

	for (size_t i = 0; i < is->contacts.len; i++)
		if (!message_append_text(
			&to->n_contacts, &to->contacts, is->contacts.at[i]))
			return false;
	if (paused_ns != 0)
		to->paused_until_s =
		    store_now_s() + (paused_ns - now_ns) / NS_PER_S + 1;
	to->standby = is->standby_only ||
		      strcmp(a->all->config->acme.standby, is->name) == 0;
	return message_text(&to->name, is->name) &&
	       message_text(&to->directory, is->directory) &&
	       add_account(to, row) && add_limits(to, a, now_ns) &&
	       (!seen->has_directory || add_directory(to, &seen->directory)) &&
	       message_text(&to->problem, seen->problem);
}

/* problem, when it is not empty, takes the place of what is known. */
static struct status
show(struct authority *a, const char *problem, authority_msg *to)
{
	struct acme_account_row row = { .authority = "" };
	struct seen *seen = malloc(sizeof(*seen));
	struct status st = load_row(a, &row);
	bool is_full = false;

	if (seen != NULL && !failed(st)) {
		look(a, seen);
		if (problem[0] != 0)
			(void)!snprintf(seen->problem, sizeof(seen->problem),
			    "%.500s", problem);
		is_full = fill(a, &row, seen, to);
	}
	free(seen);
	if (failed(st))
		return st;
	return is_full ? st : message_no_memory();
}

static struct status
reply_with(
    struct authority *a, const char *problem, ProtobufCMessage **ret_reply)
{
	scoped(message_free) ProtobufCMessage *message =
	    message_new(&holdfast__certd__v1__authority__descriptor);
	struct status st = message == NULL
			       ? message_no_memory()
			       : show(a, problem, (authority_msg *)message);

	if (failed(st))
		return st;
	*ret_reply = message;
	message = NULL;
	return st;
}

/* ---- the methods ---- */

static struct status
find(struct authorities *authorities, struct api_call *call, const char *name,
    struct authority **ret_authority)
{
	struct authority *a = authority_find(authorities, name);

	if (a == NULL)
		return api_explain(call,
		    status_fail(STATUS_NOT_FOUND, "there is no such CA"),
		    "certd.yaml has no CA named %.40s (acme.authorities)",
		    name);
	*ret_authority = a;
	return status_ok();
}

static struct status
list(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	struct authorities *authorities = ctx;
	scoped(message_free) ProtobufCMessage *message = message_new(
	    &holdfast__certd__v1__list_authorities_response__descriptor);
	Holdfast__Certd__V1__ListAuthoritiesResponse *to = (void *)message;
	struct status st = status_ok();

	(void)call;
	(void)request;
	for (size_t i = 0; to != NULL && i < authorities->n && !failed(st);
	     i++) {
		authority_msg *one =
		    message_append(&to->n_authorities, &to->authorities,
			&holdfast__certd__v1__authority__descriptor);

		st = one == NULL ? message_no_memory()
				 : show(&authorities->at[i], "", one);
	}
	if (failed(st) || to == NULL)
		return failed(st) ? st : message_no_memory();
	*ret_reply = message;
	message = NULL;
	return st;
}

static struct status
get(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__GetAuthorityRequest *asked =
	    (const void *)request;
	struct authority *a = NULL;
	struct status st = find(ctx, call, asked->name, &a);

	return failed(st) ? st : reply_with(a, "", ret_reply);
}

/* The directory now, and then the account. */
static struct status
check_now(struct authority *a, struct acme_problem *ret_problem)
{
	struct acme_directory *directory = malloc(sizeof(*directory));
	struct authority_session session;
	struct status st;

	if (directory == NULL)
		return message_no_memory();
	authority_begin(a);
	st = authority_directory(a, true, directory, ret_problem);
	authority_end(a);
	free(directory);
	if (failed(st)) {
		authorities_tell(
		    a->all, a->is->name, AUTHORITY_REQUEST, NULL, ret_problem);
		return st;
	}
	st = authorities_enter(a->all, a->is->name, &session, ret_problem);
	if (failed(st))
		return st;
	authorities_leave(&session);
	authorities_tell(a->all, a->is->name, AUTHORITY_REQUEST, NULL, NULL);
	return st;
}

static struct status
check(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__CheckAuthorityRequest *asked =
	    (const void *)request;
	struct acme_problem problem = { .why = "" };
	struct authority *a = NULL;
	struct status st = find(ctx, call, asked->name, &a);

	if (failed(st))
		return st;
	st = check_now(a, &problem);
	if (failed(st) && problem.why[0] == 0)
		return st;
	return reply_with(a, failed(st) ? problem.why : "", ret_reply);
}

static struct status
rollover(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__RolloverKeyRequest *asked =
	    (const void *)request;
	struct acme_problem problem = { .why = "" };
	struct authority *a = NULL;
	struct status st = find(ctx, call, asked->name, &a);

	if (failed(st))
		return st;
	st = authority_roll(a, call->caller->actor, &problem);
	if (failed(st))
		return api_explain(call, st,
		    "the account's key was not changed: %.400s",
		    problem.why[0] != 0 ? problem.why : st.why);
	return reply_with(a, "", ret_reply);
}

static const struct api_method METHODS[] = {
	{ .service = SERVICE,
	    .name = "List",
	    .fn = list,
	    .allow = OPERATORS,
	    .verb = API_GET,
	    .path = "/v1/authorities",
	    .summary = "CAs that certd knows, and how they stand" },
	{ .service = SERVICE,
	    .name = "Get",
	    .fn = get,
	    .allow = OPERATORS,
	    .verb = API_GET,
	    .path = "/v1/authorities/{name}",
	    .summary = "A CA, its account and how much of its limits is used" },
	{ .service = SERVICE,
	    .name = "Check",
	    .fn = check,
	    .allow = ALLOW_OPERATOR,
	    .verb = API_POST,
	    .path = "/v1/authorities/{name}:check",
	    .summary = "Ask a CA now; make the account if it is missing" },
	{ .service = SERVICE,
	    .name = "RolloverKey",
	    .fn = rollover,
	    .allow = ALLOW_OPERATOR,
	    .verb = API_POST,
	    .path = "/v1/authorities/{name}:rollover-key",
	    .summary = "Change the key of the account at a CA" },
};

STATUS
authorities_register(struct authorities *authorities, struct api *api)
{
	return api_add(
	    api, METHODS, sizeof(METHODS) / sizeof(METHODS[0]), authorities);
}
