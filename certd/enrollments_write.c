/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Making and changing enrollments.  All of what a request says is looked at
 * before anything is written; what would come of it must go together as a
 * whole, so a change of one field is checked with those that stay.  Other host
 * names, key or validation bring another certificate; the rest is for the next
 * one.
 */

#include <stdio.h>
#include <string.h>

#include "certd/enrollment_fields.h"
#include "certd/enrollment_quota.h"
#include "certd/enrollments_int.h"
#include "certd/store_accounts.h"
#include "certd/store_bindings.h"
#include "certd/store_standby.h"
#include "proto/message.h"

typedef Holdfast__Certd__V1__CreateEnrollmentRequest create_msg;
typedef Holdfast__Certd__V1__UpdateEnrollmentRequest update_msg;

struct writing {
	struct enrollments *enrollments;
	const struct config *config;
	struct db_tx *tx;
	struct api_call *call;
	struct enrollment_row row;
	struct names names;
};

static inline void
scoped_writing_done(struct writing *writing)
{
	names_done(&writing->names);
}

/* ---- create ---- */

static struct status
take_account(struct writing *w, const create_msg *asked)
{
	struct store_account account;
	struct status st = caller_account(
	    w->call->caller, w->tx, asked->account, &w->row.account);

	if (!failed(st))
		st = store_accounts_get(w->tx, w->row.account, &account);
	if (!failed(st))
		memcpy(w->row.account_name, account.name,
		    sizeof(w->row.account_name));
	return st;
}

/* A resource's account, network and host names are its enrollment's. */
static struct status
take_resource(struct writing *w, const create_msg *asked,
    struct resource_row *ret_resource)
{
	struct status st = enrollments_may_change_resources(w->call);

	if (!failed(st))
		st = store_resources_find(
		    w->tx, w->call->caller, asked->resource, ret_resource);
	if (failed(st))
		return st;
	if (asked->n_hostnames > 0)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "a resource's certificate is for the resource's host "
		    "names; leave them out");
	if (asked->account[0] != 0 &&
	    strcmp(asked->account, ret_resource->account_name) != 0)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "the resource is another account's; leave the account out");
	if (asked->network[0] != 0 &&
	    strcmp(asked->network, ret_resource->network) != 0)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "the resource is on another network; leave the network "
		    "out");
	w->row.by_operator =
	    w->row.by_operator || ret_resource->names_by_operator;
	w->row.resource = ret_resource->id;
	w->row.account = ret_resource->account;
	memcpy(w->row.account_name, ret_resource->account_name,
	    sizeof(w->row.account_name));
	memcpy(w->row.network, ret_resource->network, sizeof(w->row.network));
	return store_resources_names(w->tx, ret_resource->id, &w->names);
}

static struct status
take_names(struct writing *w, const create_msg *asked)
{
	struct status st = take_account(w, asked);

	if (!failed(st))
		st = enrollment_fields_names(
		    w->call, asked->n_hostnames, asked->hostnames, &w->names);
	if (!failed(st))
		st = enrollment_fields_network(
		    w->call, w->config, asked->network, &w->row);
	return failed(st) ? st
			  : enrollment_fields_check_owner(w->tx, w->call,
				w->config->zone, &w->row, &w->names);
}

static struct status
take_fields(struct writing *w, const create_msg *asked, const char *name)
{
	struct api_call *call = w->call;
	struct enrollment_row *row = &w->row;
	struct status st = enrollment_fields_name(call, name, row);

	if (!failed(st))
		st = enrollment_fields_common_name(
		    call, asked->common_name, row);
	if (!failed(st))
		st = enrollment_fields_algorithm(
		    call, (int)asked->algorithm, row);
	if (!failed(st))
		st = enrollment_fields_provider(
		    call, w->config, asked->dns_provider, row);
	if (!failed(st))
		st = enrollment_fields_authority(
		    call, w->config, asked->authority, row);
	if (!failed(st))
		st = enrollment_fields_profile(call, asked->profile, row);
	if (!failed(st))
		st = enrollment_fields_chain(call, asked->preferred_chain, row);
	if (!failed(st))
		st = enrollment_fields_contacts(
		    w->tx, call, asked->n_contacts, asked->contacts, row);
	row->stepwise = asked->stepwise;
	row->standby = asked->standby;
	row->validation =
	    asked->validation == 0
		? enrollment_fields_validation(w->config, row, &w->names)
		: (int)asked->validation;
	return failed(st)
		   ? st
		   : enrollment_fields_check(call, w->config, row, &w->names);
}

/* A standby certificate is begun by the machine, as soon as it is due. */
static struct status
set_standby(struct db_tx *tx, const struct enrollment_row *row)
{
	struct renewal_row renewal;
	struct status st;

	if (!row->standby) {
		st = enrollments_cancel(tx, row->id, PURPOSE_STANDBY);
		return failed(st) ? st : store_standby_drop(tx, row->id);
	}
	st = store_renewals_load(tx, row->id, PURPOSE_STANDBY, &renewal);
	if (failed(st) || renewal.certificate != 0)
		return st;
	renewal.renew_s = store_now_s();
	return store_renewals_save(tx, &renewal);
}

static struct status
insert(struct writing *w)
{
	struct enrollment_row *row = &w->row;
	struct status st;

	row->state = ENROLLMENT_PENDING;
	snprintf(row->created_by, sizeof(row->created_by), "%s",
	    w->call->caller->actor);
	st = store_enrollments_insert(w->tx, row, &w->names);
	if (!failed(st))
		st = enrollments_event(w->tx, w->call, row, "enrollment made");
	return failed(st) || !row->standby ? st : set_standby(w->tx, row);
}

/* It is in mode ACME from now on; what it serves it serves until there is
 * another certificate. */
static struct status
set_mode(struct writing *w, struct resource_row *resource)
{
	bool was_plain = !resource->https;
	struct status st = status_ok();

	if (resource->mode == MODE_ACME && !was_plain)
		return st;
	resource->mode = MODE_ACME;
	resource->https = true;
	if (was_plain)
		st = bindings_moved(w->tx, resource, resource->edge_group);
	return failed(st) ? st : store_resources_save(w->tx, w->call, resource);
}

static struct status
create_in(struct writing *w, const create_msg *asked, int64_t *ret_change)
{
	struct resource_row resource = { 0 };
	struct status st = enrollments_must_issue(w->enrollments, w->call);

	w->row.by_operator = w->call->caller->is == ALLOW_OPERATOR;
	if (!failed(st))
		st = asked->resource != 0 ? take_resource(w, asked, &resource)
					  : take_names(w, asked);
	if (!failed(st))
		st = take_fields(w, asked,
		    asked->name[0] != 0    ? asked->name
		    : asked->resource != 0 ? resource.name
					   : w->names.at[0]);
	if (!failed(st))
		st = enrollment_quota_check(
		    w->tx, w->call, w->config, &w->row, false);
	if (!failed(st))
		st = insert(w);
	if (!failed(st) && asked->resource != 0)
		st = set_mode(w, &resource);
	return failed(st) ? st
			  : enrollments_queue(w->tx, w->call, &w->row,
				PURPOSE_MAIN, CHANGE_KIND_ISSUE, ret_change);
}

struct status
enrollments_create(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	struct enrollments *enrollments = ctx;
	struct store *store = enrollments->config.store;
	scoped(writing_done) struct writing w = { .enrollments = enrollments,
		.config = enrollments->config.config,
		.call = call };
	int64_t change = 0;
	struct status st = store_write(store, &w.tx);

	if (failed(st))
		return st;
	st = store_commit(
	    store, w.tx, create_in(&w, (const void *)request, &change));
	return failed(st) ? st
			  : enrollments_reply(
				enrollments, w.row.id, change, ret_reply);
}

/* ---- update ---- */

#define FIELD(name)                                                            \
	(1u << HOLDFAST__CERTD__V1__UPDATE_ENROLLMENT_REQUEST__FIELD__FIELD_##name)
#define FIELD_LAST                                                             \
	HOLDFAST__CERTD__V1__UPDATE_ENROLLMENT_REQUEST__FIELD__FIELD_CONTACTS

static struct status
read_fields(const update_msg *asked, unsigned *ret_fields)
{
	unsigned fields = 0;

	for (size_t i = 0; i < asked->n_change; i++) {
		if (asked->change[i] < 1 || asked->change[i] > FIELD_LAST)
			return status_fail(STATUS_INVALID_ARGUMENT,
			    "change names a field that there is not");
		fields |= 1u << asked->change[i];
	}
	if (fields == 0)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "say in change which fields to change");
	*ret_fields = fields;
	return status_ok();
}

/* Whose word the host names are from now on. */
static void
change_whose(struct writing *w, unsigned fields, const struct names *had)
{
	static const unsigned said =
	    FIELD(HOSTNAMES) | FIELD(VALIDATION) | FIELD(DNS_PROVIDER);

	if (w->call->caller->is != ALLOW_OPERATOR)
		w->row.by_operator =
		    w->row.by_operator && names_within(&w->names, had);
	else if ((fields & said) != 0)
		w->row.by_operator = true;
}

static struct status
change_names(struct writing *w, const update_msg *asked, unsigned fields)
{
	scoped(names_done) struct names had = w->names;
	struct status st;

	w->names = (struct names){ 0 };
	st = enrollment_fields_names(
	    w->call, asked->n_hostnames, asked->hostnames, &w->names);
	if (!failed(st))
		change_whose(w, fields, &had);
	return failed(st) ? st
			  : enrollment_fields_check_owner(w->tx, w->call,
				w->config->zone, &w->row, &w->names);
}

static struct status
allow_names(struct writing *w)
{
	if (w->row.resource != 0)
		return api_explain(w->call,
		    status_fail(STATUS_FAILED_PRECONDITION,
			"a resource's enrollment has the resource's names"),
		    "the certificate is for the host names of resource %lld; "
		    "change those",
		    (long long)w->row.resource);
	return status_ok();
}

/* What the next certificate is made of. */
static struct status
change_made(struct writing *w, const update_msg *asked, unsigned fields)
{
	struct status st = status_ok();

	if ((fields & FIELD(HOSTNAMES)) != 0)
		st = allow_names(w);
	if (!failed(st) && (fields & FIELD(HOSTNAMES)) != 0)
		st = change_names(w, asked, fields);
	else if (!failed(st))
		change_whose(w, fields, &w->names);
	if (!failed(st) && (fields & FIELD(COMMON_NAME)) != 0)
		st = enrollment_fields_common_name(
		    w->call, asked->common_name, &w->row);
	if (!failed(st) && (fields & FIELD(ALGORITHM)) != 0)
		st = enrollment_fields_algorithm(
		    w->call, (int)asked->algorithm, &w->row);
	if (!failed(st) && (fields & FIELD(VALIDATION)) != 0)
		w->row.validation = asked->validation == 0
					? enrollment_fields_validation(
					      w->config, &w->row, &w->names)
					: (int)asked->validation;
	if ((fields & FIELD(STEPWISE)) != 0)
		w->row.stepwise = asked->stepwise;
	if ((fields & FIELD(STANDBY)) != 0)
		w->row.standby = asked->standby;
	return st;
}

/* By whom, and for whom. */
static struct status
change_rest(struct writing *w, const update_msg *asked, unsigned fields)
{
	struct api_call *call = w->call;
	struct enrollment_row *row = &w->row;
	struct status st = status_ok();

	if ((fields & FIELD(NAME)) != 0)
		st = enrollment_fields_name(call, asked->name, row);
	if (!failed(st) && (fields & FIELD(DNS_PROVIDER)) != 0)
		st = enrollment_fields_provider(
		    call, w->config, asked->dns_provider, row);
	if (!failed(st) && (fields & FIELD(AUTHORITY)) != 0)
		st = enrollment_fields_authority(
		    call, w->config, asked->authority, row);
	if (!failed(st) && (fields & FIELD(PROFILE)) != 0)
		st = enrollment_fields_profile(call, asked->profile, row);
	if (!failed(st) && (fields & FIELD(PREFERRED_CHAIN)) != 0)
		st = enrollment_fields_chain(call, asked->preferred_chain, row);
	if (!failed(st) && (fields & FIELD(CONTACTS)) != 0)
		st = enrollment_fields_contacts(
		    w->tx, call, asked->n_contacts, asked->contacts, row);
	return st;
}

static bool
are_same(const struct names *a, const struct names *b)
{
	return a->n == b->n && names_within(a, b);
}

/* The row and names as they are now; brings another certificate where that is
 * of other names, key or validation. */
static struct status
save(struct writing *w, const struct enrollment_row *before, bool same_names)
{
	struct status st = store_enrollments_save(w->tx, &w->row);

	if (!failed(st) && !same_names)
		st = store_enrollments_set_names(w->tx, w->row.id, &w->names);
	if (!failed(st) && w->row.standby != before->standby)
		st = set_standby(w->tx, &w->row);
	if (!failed(st))
		st = enrollments_event(
		    w->tx, w->call, &w->row, "enrollment changed");
	if (failed(st) || (same_names && w->row.alg == before->alg &&
			      w->row.validation == before->validation))
		return st;
	st = enrollments_must_issue(w->enrollments, w->call);
	if (!failed(st))
		st = enrollment_quota_check(
		    w->tx, w->call, w->config, &w->row, false);
	return failed(st) ? st : enrollments_reissue(w->tx, w->call, &w->row);
}

static struct status
update_in(struct writing *w, const update_msg *asked, unsigned fields)
{
	scoped(names_done) struct names had = { 0 };
	struct enrollment_row before;
	struct status st =
	    store_enrollments_find(w->tx, w->call->caller, asked->id, &w->row);

	if (!failed(st))
		st = store_etag_check(asked->etag, w->row.revision);
	if (!failed(st))
		st = store_enrollments_names(w->tx, asked->id, &had);
	if (!failed(st))
		st = store_enrollments_names(w->tx, asked->id, &w->names);
	if (failed(st))
		return st;
	before = w->row;
	st = change_made(w, asked, fields);
	if (!failed(st))
		st = change_rest(w, asked, fields);
	if (!failed(st))
		st = enrollment_fields_check(
		    w->call, w->config, &w->row, &w->names);
	return failed(st) ? st : save(w, &before, are_same(&had, &w->names));
}

/* The one under way, if there is one; 0: none. */
static struct status
find_change(struct enrollments *enrollments, int64_t id, int64_t *ret_change)
{
	scoped(db_end) struct db_tx *tx = NULL;
	struct change_row alive;
	struct status st = store_read(enrollments->config.store, &tx);

	if (!failed(st))
		st = store_changes_alive(tx, id, PURPOSE_MAIN, &alive);
	if (!failed(st))
		*ret_change = alive.id;
	return st.code == STATUS_NOT_FOUND ? status_ok() : st;
}

struct status
enrollments_update(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	const update_msg *asked = (const void *)request;
	struct enrollments *enrollments = ctx;
	struct store *store = enrollments->config.store;
	scoped(writing_done) struct writing w = { .enrollments = enrollments,
		.config = enrollments->config.config,
		.call = call };
	unsigned fields = 0;
	int64_t change = 0;
	struct status st = read_fields(asked, &fields);

	if (!failed(st))
		st = store_write(store, &w.tx);
	if (failed(st))
		return st;
	st = store_commit(store, w.tx, update_in(&w, asked, fields));
	if (!failed(st))
		st = find_change(enrollments, asked->id, &change);
	return failed(st) ? st
			  : enrollments_reply(
				enrollments, asked->id, change, ret_reply);
}
