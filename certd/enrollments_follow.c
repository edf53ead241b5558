/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Enrollments of resources, which follow what their owners say of those: in the
 * transaction that changes a resource its enrollment is made, changed or given
 * up, and changes are queued.  Nothing is asked of a CA here.  Read
 * enrollments_follow first.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certd/enrollment_fields.h"
#include "certd/enrollment_quota.h"
#include "certd/enrollments_int.h"
#include "certd/shared.h"
#include "certd/store_bindings.h"
#include "certd/store_fit.h"
#include "proto/message.h"

/* ---- can it be ---- */

bool
enrollments_can_issue(const struct enrollments *enrollments)
{
	const struct config *config;
	const struct config_authority *at;

	if (enrollments == NULL)
		return false;
	config = enrollments->config.config;
	at = config->acme.authorities.at;
	for (size_t i = 0; i < config->acme.authorities.len; i++)
		if (!at[i].standby_only)
			return true;
	return false;
}

bool
enrollments_will_follow(
    const struct enrollments *enrollments, const struct resource_row *row)
{
	return enrollments_can_issue(enrollments) && row->https &&
	       (row->mode == MODE_ACME || row->mode == MODE_AUTOMATIC);
}

/* ---- changes ---- */

STATUS
enrollments_event(struct db_tx *tx, const struct api_call *call,
    const struct enrollment_row *row, const char *act)
{
	char object[40];

	snprintf(object, sizeof(object), "enrollment %lld", (long long)row->id);
	return store_event(
	    tx, row->account, call->caller->actor, act, object, row->name);
}

/* Is there nothing to serve, so that one is being waited for? */
static struct status
set_pending(struct db_tx *tx, const struct enrollment_row *row)
{
	struct renewal_row renewal;
	struct status st =
	    store_renewals_load(tx, row->id, PURPOSE_MAIN, &renewal);

	if (failed(st))
		return st;
	if (row->state == ENROLLMENT_ACTIVE && renewal.certificate != 0 &&
	    renewal.not_after_s > store_now_s())
		return st;
	return store_enrollments_set_state(tx, row->id, ENROLLMENT_PENDING, "");
}

STATUS
enrollments_queue(struct db_tx *tx, const struct api_call *call,
    const struct enrollment_row *row, int purpose, int kind,
    int64_t *ret_change)
{
	struct change_row change = { .enrollment = row->id,
		.account = row->account,
		.resource = row->resource,
		.purpose = purpose,
		.kind = kind };
	struct renewal_row renewal;
	struct status st = store_renewals_load(tx, row->id, purpose, &renewal);

	if (failed(st))
		return st;
	change.replaces = renewal.certificate;
	snprintf(change.created_by, sizeof(change.created_by), "%s",
	    call->caller->actor);
	st = store_changes_insert(tx, &change, ret_change);
	if (st.code == STATUS_ALREADY_EXISTS)
		return status_ok();
	if (!failed(st))
		*ret_change = change.id;
	return failed(st) || purpose != PURPOSE_MAIN ? st
						     : set_pending(tx, row);
}

static struct status
reissue(struct db_tx *tx, const struct api_call *call,
    const struct enrollment_row *row, int purpose)
{
	struct renewal_row renewal;
	struct change_row alive;
	int64_t change = 0;
	struct status st = store_renewals_load(tx, row->id, purpose, &renewal);

	if (failed(st))
		return st;
	st = store_changes_alive(tx, row->id, purpose, &alive);
	if (!failed(st))
		return store_changes_outdate(tx, alive.id);
	if (st.code != STATUS_NOT_FOUND)
		return st;
	/* Its first one the machine begins. */
	if (purpose == PURPOSE_STANDBY && renewal.certificate == 0)
		return status_ok();
	return enrollments_queue(tx, call, row, purpose,
	    renewal.certificate == 0 ? CHANGE_KIND_ISSUE : CHANGE_KIND_REISSUE,
	    &change);
}

STATUS
enrollments_reissue(struct db_tx *tx, const struct api_call *call,
    const struct enrollment_row *row)
{
	struct status st = reissue(tx, call, row, PURPOSE_MAIN);

	return failed(st) || !row->standby
		   ? st
		   : reissue(tx, call, row, PURPOSE_STANDBY);
}

STATUS
enrollments_cancel(struct db_tx *tx, int64_t enrollment, int purpose)
{
	struct change_row alive;
	struct status st = store_changes_alive(tx, enrollment, purpose, &alive);

	if (st.code == STATUS_NOT_FOUND)
		return status_ok();
	return failed(st) ? st
			  : store_changes_give_input(
				tx, alive.id, CHANGE_INPUT_CANCEL);
}

STATUS
enrollments_drop(struct db_tx *tx, const struct api_call *call,
    const struct enrollment_row *row)
{
	struct status st = status_ok();

	for (int purpose = 0; purpose < PURPOSES && !failed(st); purpose++)
		st = enrollments_cancel(tx, row->id, purpose);
	if (!failed(st))
		st = enrollments_event(tx, call, row, "enrollment ended");
	return failed(st) ? st : store_enrollments_leave(tx, row->id);
}

/* ---- what a resource has ---- */

/* The bound certificate of that kind, of the shared ones one that is not
 * ending; id 0: none.  *ret_covers: all of the resource's names. */
static struct status
find_bound(struct db_tx *tx, const struct resource_row *row, int kind,
    struct fit_certificate *ret_facts, bool *ret_covers)
{
	static const struct caller self = { .is = ALLOW_OPERATOR,
		.actor = "certd" };
	struct api_call quiet = { .caller = &self };
	struct binding bound[BINDING_SLOTS];
	size_t n = 0;
	struct status st = bindings_of(tx, row->id, bound, &n);

	*ret_facts = (struct fit_certificate){ 0 };
	*ret_covers = false;
	for (size_t i = 0; i < n && !failed(st); i++) {
		if (bound[i].kind != kind ||
		    (kind == KIND_SHARED &&
			shared_is_ending(bound[i].not_before_s,
			    bound[i].not_after_s, store_now_s())))
			continue;
		st = store_fit_load(tx, bound[i].certificate, ret_facts);
		if (!failed(st))
			st = store_fit_check_names(
			    tx, &quiet, row, ret_facts, NULL);
		*ret_covers = !failed(st);
		if (st.code == STATUS_FAILED_PRECONDITION)
			st = status_ok();
		if (*ret_covers)
			break;
	}
	return st;
}

static struct status
is_wanted(struct db_tx *tx, const struct resource_row *row, bool is_there,
    bool *ret_is)
{
	struct fit_certificate facts;
	bool covers = false;
	struct status st = status_ok();

	*ret_is = false;
	if (!row->https && !is_there)
		return st;
	if (row->mode == MODE_AUTOMATIC)
		st = find_bound(tx, row, KIND_SHARED, &facts, &covers);
	*ret_is =
	    row->mode == MODE_ACME || (row->mode == MODE_AUTOMATIC && !covers);
	return st;
}

static struct status
obtain(struct enrollments *enrollments, struct db_tx *tx, struct api_call *call,
    const struct enrollment_row *row)
{
	struct status st = enrollment_quota_check(
	    tx, call, enrollments->config.config, row, false);

	return failed(st) ? st : enrollments_reissue(tx, call, row);
}

/* ---- a new one ---- */

/* The resource's name, if no other enrollment has it. */
static struct status
insert(struct db_tx *tx, struct enrollment_row *row, const struct names *names)
{
	char name[ENROLLMENT_NAME_MAX];
	struct status st;

	memcpy(name, row->name, sizeof(name));
	st = store_enrollments_insert(tx, row, names);
	if (st.code != STATUS_ALREADY_EXISTS)
		return st;
	/* The resource has none: it was the name. */
	snprintf(row->name, sizeof(row->name), "%.70s (resource %lld)", name,
	    (long long)row->resource);
	return store_enrollments_insert(tx, row, names);
}

/* One of ACME is there already, uploaded or left by an enrollment that was
 * given up: it is renewed when a third of its life is left. */
static struct status
adopt(struct db_tx *tx, const struct enrollment_row *row,
    const struct fit_certificate *facts)
{
	struct renewal_row renewal;
	struct status st =
	    store_renewals_load(tx, row->id, PURPOSE_MAIN, &renewal);

	if (failed(st))
		return st;
	renewal.certificate = facts->id;
	renewal.not_after_s = facts->not_after_s;
	renewal.renew_s =
	    facts->not_after_s - (facts->not_after_s - facts->not_before_s) / 3;
	return store_renewals_save(tx, &renewal);
}

static struct status
begin(struct enrollments *enrollments, struct db_tx *tx, struct api_call *call,
    const struct resource_row *resource, const struct names *names)
{
	struct enrollment_row row = { .account = resource->account,
		.resource = resource->id,
		.alg = KEY_ALG_EC_P256,
		.by_operator = resource->names_by_operator,
		.state = ENROLLMENT_PENDING };
	struct fit_certificate facts;
	bool covers = false;
	struct status st = find_bound(tx, resource, KIND_ACME, &facts, &covers);

	if (failed(st))
		return st;
	if (covers && facts.not_after_s > store_now_s())
		row.state = ENROLLMENT_ACTIVE;
	memcpy(
	    row.account_name, resource->account_name, sizeof(row.account_name));
	row.validation = enrollment_fields_validation(
	    enrollments->config.config, &row, names);
	snprintf(row.name, sizeof(row.name), "%s", resource->name);
	snprintf(row.network, sizeof(row.network), "%s", resource->network);
	snprintf(
	    row.created_by, sizeof(row.created_by), "%s", call->caller->actor);
	st = insert(tx, &row, names);
	if (!failed(st) && facts.id != 0)
		st = adopt(tx, &row, &facts);
	if (!failed(st))
		st = enrollments_event(tx, call, &row, "enrollment made");
	if (failed(st) || row.state == ENROLLMENT_ACTIVE)
		return st;
	return obtain(enrollments, tx, call, &row);
}

/* ---- one that is there ---- */

static struct status
set_names(struct enrollments *enrollments, struct db_tx *tx,
    const struct resource_row *resource, struct enrollment_row *row,
    const struct names *names)
{
	const struct config *config = enrollments->config.config;
	scoped(names_done) struct names had = { 0 };
	struct status st = store_enrollments_names(tx, row->id, &had);

	if (!failed(st))
		st = store_enrollments_set_names(tx, row->id, names);
	if (failed(st))
		return st;
	row->by_operator = resource->names_by_operator ||
			   (row->by_operator && names_within(names, &had));
	if (row->validation == VALIDATION_HTTP_01)
		row->validation =
		    enrollment_fields_validation(config, row, names);
	if (!names_has(names, row->common_name))
		row->common_name[0] = 0;
	return store_enrollments_save(tx, row);
}

/* *ret_same: names are what the enrollment has. */
static struct status
compare(struct db_tx *tx, const struct enrollment_row *row,
    const struct names *names, bool *ret_same)
{
	scoped(names_done) struct names had = { 0 };
	struct status st = store_enrollments_names(tx, row->id, &had);

	*ret_same = had.n == names->n;
	for (size_t i = 0; i < had.n; i++)
		*ret_same = *ret_same && names_has(names, had.at[i]);
	return st;
}

static struct status
refresh(struct enrollments *enrollments, struct db_tx *tx,
    struct api_call *call, const struct resource_row *resource,
    struct enrollment_row *row, const struct names *names)
{
	struct fit_certificate facts;
	struct change_row alive;
	bool same = false, covers = false;
	struct status st = compare(tx, row, names, &same);

	if (!failed(st) && !same)
		st = set_names(enrollments, tx, resource, row, names);
	if (!failed(st) && !same)
		return obtain(enrollments, tx, call, row);
	if (!failed(st))
		st = find_bound(tx, resource, KIND_ACME, &facts, &covers);
	if (failed(st) || covers || row->state == ENROLLMENT_REVOKED)
		return st;
	st = store_changes_alive(tx, row->id, PURPOSE_MAIN, &alive);
	/* One that is being cancelled is followed by another. */
	if (!failed(st) && alive.input != CHANGE_INPUT_CANCEL)
		return st;
	if (failed(st) && st.code != STATUS_NOT_FOUND)
		return st;
	return obtain(enrollments, tx, call, row);
}

/* ---- the acts ---- */

STATUS
enrollments_follow(struct enrollments *enrollments, struct db_tx *tx,
    struct api_call *call, const struct resource_row *row)
{
	scoped(names_done) struct names names = { 0 };
	struct enrollment_row found;
	bool is_there, wanted = false;
	struct status st = store_enrollments_of_resource(tx, row->id, &found);

	if (failed(st) && st.code != STATUS_NOT_FOUND)
		return st;
	is_there = !failed(st);
	st = is_wanted(tx, row, is_there, &wanted);
	if (failed(st))
		return st;
	if (!wanted)
		return is_there ? enrollments_drop(tx, call, &found) : st;
	if (!enrollments_can_issue(enrollments))
		return st;
	st = store_resources_names(tx, row->id, &names);
	if (failed(st))
		return st;
	return is_there ? refresh(enrollments, tx, call, row, &found, &names)
			: begin(enrollments, tx, call, row, &names);
}

STATUS
enrollments_allow(
    struct db_tx *tx, struct api_call *call, int64_t resource, bool cancel)
{
	struct enrollment_row row;
	struct change_row alive;
	struct status st = store_enrollments_of_resource(tx, resource, &row);

	if (!failed(st))
		st = store_changes_alive(tx, row.id, PURPOSE_MAIN, &alive);
	if (st.code == STATUS_NOT_FOUND)
		return status_ok();
	if (failed(st))
		return st;
	if (alive.input == CHANGE_INPUT_CANCEL && !alive.is_outdated)
		return st;
	st = status_fail(STATUS_FAILED_PRECONDITION,
	    "a certificate is being obtained for the resource");
	if (cancel && alive.state == CHANGE_INSTALLING)
		return api_explain(call, st,
		    "the certificate of resource %lld has come, and change "
		    "%lld is just putting it in place; try again in a moment",
		    (long long)resource, (long long)alive.id);
	if (cancel)
		return store_changes_give_input(
		    tx, alive.id, CHANGE_INPUT_CANCEL);
	return api_explain(call, st,
	    "a certificate is being obtained for resource %lld (change %lld: "
	    "%s); wait until it is done, or say cancel_change to give that up",
	    (long long)resource, (long long)alive.id, alive.doing);
}

STATUS
enrollments_leave(
    struct db_tx *tx, struct api_call *call, const struct resource_row *row)
{
	struct enrollment_row found;
	struct status st = store_enrollments_of_resource(tx, row->id, &found);

	if (st.code == STATUS_NOT_FOUND)
		return status_ok();
	return failed(st) ? st : enrollments_drop(tx, call, &found);
}

struct status
enrollments_allow_upload(
    struct db_tx *tx, struct api_call *call, int64_t resource)
{
	return enrollments_allow(tx, call, resource, false);
}

struct status
enrollments_uploaded(
    void *ctx, struct db_tx *tx, struct api_call *call, int64_t resource)
{
	struct resource_row row;
	struct status st = store_resources_load(tx, resource, &row);

	return failed(st) ? st : enrollments_follow(ctx, tx, call, &row);
}
