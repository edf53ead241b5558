/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The service Enrollments: messages in, rows written, messages out.  What is
 * asked for is only written down; the machine (certd/issuer.h) brings it about.
 * Creating and updating are in enrollments_write.c, revoking is in
 * enrollments_revoke.c, what resources ask for in enrollments_follow.c.
 */

#include "certd/enrollments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "certd/changes.h"
#include "certd/enrollment_quota.h"
#include "certd/enrollment_view.h"
#include "certd/enrollments_int.h"
#include "proto/message.h"

typedef Holdfast__Certd__V1__Enrollment enrollment_msg;
typedef Holdfast__Certd__V1__EnrollmentChange enrollment_change_msg;

/* ---- for all methods ---- */

STATUS
enrollments_must_issue(
    const struct enrollments *enrollments, struct api_call *call)
{
	if (enrollments_can_issue(enrollments))
		return status_ok();
	return api_explain(call,
	    status_fail(STATUS_FAILED_PRECONDITION,
		"no certificate authority is configured"),
	    "no certificate authority is configured, so none can be asked; the "
	    "operator adds one to certd.yaml (acme.authorities)");
}

STATUS
enrollments_may_change_resources(const struct api_call *call)
{
	if (call->caller->scopes == 0 ||
	    (call->caller->scopes & SCOPE_RESOURCES_WRITE) != 0)
		return status_ok();
	return status_fail(STATUS_PERMISSION_DENIED,
	    "this changes what resources serve: it takes a token with the "
	    "scopes certificates:write and resources:write");
}

STATUS
enrollments_pick(struct db_tx *tx, struct api_call *call, int64_t id,
    int64_t resource, struct enrollment_row *ret_row)
{
	struct resource_row row;
	struct enrollment_row found;
	struct status st;

	if (id != 0 && resource != 0)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "name the enrollment or the resource, not both");
	if (id != 0 || resource == 0)
		return store_enrollments_find(tx, call->caller, id, ret_row);
	st = store_resources_find(tx, call->caller, resource, &row);
	if (failed(st))
		return st;
	st = store_enrollments_of_resource(tx, resource, &found);
	if (st.code == STATUS_NOT_FOUND)
		return api_explain(call,
		    status_fail(STATUS_FAILED_PRECONDITION,
			"the resource has no enrollment"),
		    "no certificate is obtained for resource %lld (%s); put it "
		    "into mode ACME or automatic, with HTTPS",
		    (long long)resource, row.name);
	if (!failed(st))
		*ret_row = found;
	return st;
}

static struct status
fill_reply(struct db_tx *tx, int64_t enrollment, int64_t change,
    enrollment_change_msg *to)
{
	struct enrollment_row row;
	struct change_row of;
	struct status st = store_enrollments_load(tx, enrollment, &row);

	to->enrollment =
	    (void *)message_new(&holdfast__certd__v1__enrollment__descriptor);
	if (change != 0)
		to->change = (void *)message_new(
		    &holdfast__certd__v1__change__descriptor);
	if (to->enrollment == NULL || (change != 0 && to->change == NULL))
		return message_no_memory();
	if (!failed(st))
		st = enrollment_view_fill(tx, &row, to->enrollment);
	if (failed(st) || change == 0)
		return st;
	st = store_changes_load(tx, change, &of);
	return failed(st) ? st
			  : enrollment_view_change(tx, &of, true, to->change);
}

STATUS
enrollments_reply(struct enrollments *enrollments, int64_t enrollment,
    int64_t change, ProtobufCMessage **ret_reply)
{
	scoped(message_free) ProtobufCMessage *reply =
	    message_new(&holdfast__certd__v1__enrollment_change__descriptor);
	scoped(db_end) struct db_tx *tx = NULL;
	struct status st;

	if (reply == NULL)
		return message_no_memory();
	st = store_read(enrollments->config.store, &tx);
	if (!failed(st))
		st = fill_reply(tx, enrollment, change, (void *)reply);
	if (failed(st))
		return st;
	*ret_reply = reply;
	reply = NULL;
	return st;
}

/* ---- Get, List ---- */

static struct status
get(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__GetEnrollmentRequest *asked =
	    (const void *)request;
	struct enrollments *enrollments = ctx;
	scoped(message_free) ProtobufCMessage *reply =
	    message_new(&holdfast__certd__v1__enrollment__descriptor);
	scoped(db_end) struct db_tx *tx = NULL;
	struct enrollment_row row;
	struct status st;

	if (reply == NULL)
		return message_no_memory();
	st = store_read(enrollments->config.store, &tx);
	if (!failed(st))
		st = store_enrollments_find(tx, call->caller, asked->id, &row);
	if (!failed(st))
		st = enrollment_view_fill(tx, &row, (void *)reply);
	if (failed(st))
		return st;
	*ret_reply = reply;
	reply = NULL;
	return st;
}

struct listing {
	struct db_tx *tx;
	Holdfast__Certd__V1__ListEnrollmentsResponse *to;
	struct status st;
};

static bool
list_one(void *ctx, const struct enrollment_row *row)
{
	struct listing *listing = ctx;
	enrollment_msg *to = message_append(&listing->to->n_enrollments,
	    &listing->to->enrollments,
	    &holdfast__certd__v1__enrollment__descriptor);

	listing->st = to == NULL ? message_no_memory()
				 : enrollment_view_fill(listing->tx, row, to);
	return !failed(listing->st);
}

static struct status
list_in(struct api_call *call, struct listing *listing,
    const Holdfast__Certd__V1__ListEnrollmentsRequest *asked)
{
	struct store_enrollments_query query = { .resource = asked->resource,
		.state = (int)asked->state,
		.page_token = asked->page_token };
	char token[ENROLLMENTS_TOKEN_MAX] = "";
	struct status st = caller_account_or_all(
	    call->caller, listing->tx, asked->account, &query.account);

	if (!failed(st) &&
	    (query.state < 0 || query.state > ENROLLMENT_REVOKED))
		st = status_fail(
		    STATUS_INVALID_ARGUMENT, "there is no such state");
	if (!failed(st))
		st = store_page_size(asked->page_size, &query.size);
	if (!failed(st))
		st = store_enrollments_list(
		    listing->tx, &query, list_one, listing, token);
	if (failed(listing->st))
		return listing->st;
	if (!failed(st) && !message_text(&listing->to->next_page_token, token))
		st = message_no_memory();
	return st;
}

static struct status
list(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	struct enrollments *enrollments = ctx;
	scoped(message_free) ProtobufCMessage *reply = message_new(
	    &holdfast__certd__v1__list_enrollments_response__descriptor);
	struct listing listing = { .to = (void *)reply, .st = status_ok() };
	struct status st;

	if (reply == NULL)
		return message_no_memory();
	st = store_read(enrollments->config.store, &listing.tx);
	if (failed(st))
		return st;
	st = list_in(call, &listing, (const void *)request);
	db_end(listing.tx);
	if (failed(st))
		return st;
	*ret_reply = reply;
	reply = NULL;
	return st;
}

/* ---- Delete ---- */

static struct status
delete_in(struct db_tx *tx, struct api_call *call,
    const Holdfast__Certd__V1__DeleteEnrollmentRequest *asked)
{
	struct enrollment_row row;
	struct change_row alive;
	struct status st =
	    store_enrollments_find(tx, call->caller, asked->id, &row);

	if (!failed(st))
		st = store_etag_check(asked->etag, row.revision);
	if (failed(st))
		return st;
	if (row.resource != 0)
		return api_explain(call,
		    status_fail(STATUS_FAILED_PRECONDITION,
			"a resource calls for the enrollment"),
		    "the mode of resource %lld calls for the enrollment; "
		    "change its mode, or turn its HTTPS off",
		    (long long)row.resource);
	st = store_changes_alive(tx, row.id, PURPOSE_MAIN, &alive);
	if (!failed(st) && alive.input != CHANGE_INPUT_CANCEL)
		return api_explain(call,
		    status_fail(STATUS_FAILED_PRECONDITION,
			"a change of the enrollment is under way"),
		    "change %lld is under way (%s); cancel it first, or wait "
		    "for it",
		    (long long)alive.id, alive.doing);
	if (failed(st) && st.code != STATUS_NOT_FOUND)
		return st;
	return enrollments_drop(tx, call, &row);
}

static struct status
delete_(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	struct enrollments *enrollments = ctx;
	struct store *store = enrollments->config.store;
	scoped(message_free) ProtobufCMessage *reply = message_new(
	    &holdfast__certd__v1__delete_enrollment_response__descriptor);
	struct db_tx *tx;
	struct status st;

	if (reply == NULL)
		return message_no_memory();
	st = store_write(store, &tx);
	if (failed(st))
		return st;
	st =
	    store_commit(store, tx, delete_in(tx, call, (const void *)request));
	if (failed(st))
		return st;
	*ret_reply = reply;
	reply = NULL;
	return st;
}

/* ---- Issue ---- */

static void
print_date(int64_t at_s, char ret_text[16])
{
	time_t at = (time_t)at_s;
	struct tm tm;

	if (gmtime_r(&at, &tm) == NULL ||
	    strftime(ret_text, 16, "%Y-%m-%d", &tm) == 0)
		snprintf(ret_text, 16, "?");
}

/* Is no certificate there that nothing is wrong with? */
static bool
is_due(const struct enrollment_row *row, const struct renewal_row *renewal)
{
	int64_t now_s = store_now_s();

	return row->state != ENROLLMENT_ACTIVE || renewal->certificate == 0 ||
	       renewal->not_after_s <= now_s || renewal->renew_s <= now_s;
}

static struct status
check_due(struct api_call *call, const struct enrollment_row *row,
    const struct renewal_row *renewal)
{
	char until[16], from[16];

	if (is_due(row, renewal))
		return status_ok();
	print_date(renewal->not_after_s, until);
	print_date(renewal->renew_s, from);
	return api_explain(call,
	    status_fail(
		STATUS_FAILED_PRECONDITION, "the certificate is not due"),
	    "certificate %lld is valid until %s and is renewed by itself from "
	    "%s on; say force to have another one now",
	    (long long)renewal->certificate, until, from);
}

static struct status
issue_in(struct enrollments *enrollments, struct db_tx *tx,
    struct api_call *call, const Holdfast__Certd__V1__IssueRequest *asked,
    struct enrollment_row *row, int64_t *ret_change)
{
	struct renewal_row renewal;
	struct change_row alive;
	struct status st =
	    enrollments_pick(tx, call, asked->id, asked->resource, row);

	if (failed(st))
		return st;
	st = store_changes_alive(tx, row->id, PURPOSE_MAIN, &alive);
	if (!failed(st)) {
		*ret_change = alive.id;
		return st;
	}
	if (st.code != STATUS_NOT_FOUND)
		return st;
	st = enrollments_must_issue(enrollments, call);
	if (!failed(st))
		st = store_renewals_load(tx, row->id, PURPOSE_MAIN, &renewal);
	if (!failed(st) && !asked->force)
		st = check_due(call, row, &renewal);
	if (!failed(st))
		st =
		    enrollment_quota_check(tx, call, enrollments->config.config,
			row, asked->force && !is_due(row, &renewal));
	if (!failed(st))
		st = enrollments_event(tx, call, row, "certificate asked for");
	return failed(st) ? st
			  : enrollments_queue(tx, call, row, PURPOSE_MAIN,
				renewal.certificate == 0 ? CHANGE_KIND_ISSUE
							 : CHANGE_KIND_RENEWAL,
				ret_change);
}

static struct status
issue(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	struct enrollments *enrollments = ctx;
	struct store *store = enrollments->config.store;
	struct enrollment_row row;
	int64_t change = 0;
	struct db_tx *tx;
	struct status st = store_write(store, &tx);

	if (failed(st))
		return st;
	st = store_commit(store, tx,
	    issue_in(
		enrollments, tx, call, (const void *)request, &row, &change));
	return failed(st)
		   ? st
		   : enrollments_reply(enrollments, row.id, change, ret_reply);
}

/* ---- the service ---- */

#define SERVICE (&holdfast__certd__v1__enrollments__descriptor)
#define READ ALLOW_READ, SCOPE_CERTIFICATES_READ
#define WRITE ALLOW_CHANGE, SCOPE_CERTIFICATES_WRITE
#define PATH "/v1/enrollments"

static const struct api_method methods[] = {
	{ SERVICE, "Create", enrollments_create, WRITE, API_POST, PATH,
	    .creates = true,
	    .summary = "Have a certificate obtained by ACME, and renewed" },
	{ SERVICE, "List", list, READ, API_GET, PATH,
	    .summary = "List enrollments" },
	{ SERVICE, "Get", get, READ, API_GET, PATH "/{id}",
	    .summary = "Get an enrollment" },
	{ SERVICE, "Update", enrollments_update, WRITE, API_PATCH, PATH "/{id}",
	    .summary = "Change an enrollment" },
	{ SERVICE, "Delete", delete_, WRITE, API_DELETE, PATH "/{id}",
	    .summary = "Renew no more; what was issued stays" },
	{ SERVICE, "Issue", issue, WRITE, API_POST, PATH "/{id}:issue",
	    .summary = "Obtain a certificate now" },
	{ SERVICE, "Revoke", enrollments_revoke, WRITE, API_POST,
	    PATH "/{id}:revoke",
	    .summary = "Take the certificate out of use, and have it revoked" },
};

STATUS
enrollments_register(struct enrollments *enrollments, struct api *api)
{
	struct status st = api_add(
	    api, methods, sizeof(methods) / sizeof(methods[0]), enrollments);

	return failed(st) ? st : changes_register(enrollments, api);
}

STATUS
enrollments_new(const struct enrollments_config *config,
    struct enrollments **ret_enrollments)
{
	struct enrollments *enrollments = calloc(1, sizeof(*enrollments));

	if (enrollments == NULL)
		return message_no_memory();
	enrollments->config = *config;
	pthread_mutex_init(&enrollments->mutex, NULL);
	*ret_enrollments = enrollments;
	return status_ok();
}

void
enrollments_end_waits(struct enrollments *enrollments)
{
	pthread_mutex_lock(&enrollments->mutex);
	enrollments->ends = true;
	pthread_mutex_unlock(&enrollments->mutex);
	store_wake(enrollments->config.store);
}

void
enrollments_free(struct enrollments *enrollments)
{
	if (enrollments == NULL)
		return;
	pthread_mutex_destroy(&enrollments->mutex);
	free(enrollments);
}
