/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Changing a resource.  Fields that the request names are changed, then what is
 * bound is looked at: it must cover the new host names, or certificates that do
 * are bound in the same act.  Refuses to leave HTTPS on with nothing to serve,
 * where the owner chooses the certificate.
 */

#include <string.h>

#include "certd/resource_fields.h"
#include "certd/resources_int.h"
#include "certd/store_bindings.h"
#include "proto/message.h"

typedef Holdfast__Certd__V1__UpdateResourceRequest update_msg;

#define FIELD(name)                                                            \
	(1u << HOLDFAST__CERTD__V1__UPDATE_RESOURCE_REQUEST__FIELD__FIELD_##name)
#define FIELD_LAST                                                             \
	HOLDFAST__CERTD__V1__UPDATE_RESOURCE_REQUEST__FIELD__FIELD_HTTPS

struct update {
	struct resources *resources;
	struct db_tx *tx;
	struct api_call *call;
	const update_msg *asked;
	struct resource_row *row;
	struct resource_row before;
	unsigned fields; /* FIELD(...) */
};

static struct status
refuse(const char *why)
{
	return status_fail(STATUS_INVALID_ARGUMENT, why);
}

static struct status
read_fields(const update_msg *asked, unsigned *ret_fields)
{
	unsigned fields = 0;

	for (size_t i = 0; i < asked->n_change; i++) {
		if (asked->change[i] < 1 || asked->change[i] > FIELD_LAST)
			return refuse("change names a field that there is not");
		fields |= 1u << asked->change[i];
	}
	if (fields == 0 && asked->n_certificates == 0)
		return refuse("say in change which fields to change");
	if ((fields & FIELD(MODE)) != 0 &&
	    ((int)asked->mode < 1 || (int)asked->mode > MODE_AUTOMATIC))
		return refuse("there is no such mode");
	if ((fields & FIELD(HTTPS)) != 0 && !asked->https &&
	    asked->n_certificates > 0)
		return refuse("HTTPS is to be turned off, and certificates are "
			      "given; leave one of them out");
	*ret_fields = fields;
	return status_ok();
}

/* ---- fields of the row ---- */

static struct status
change_names(struct update *u)
{
	scoped(names_done) struct names names = { 0 }, had = { 0 };
	struct status st =
	    resource_fields_names(u->call, u->resources->config.zone, u->row,
		u->asked->n_hostnames, u->asked->hostnames, &names);

	if (!failed(st))
		st = store_resources_names(u->tx, u->row->id, &had);
	/* With one that an account adds they are not the operator's any more.
	 */
	if (!failed(st))
		u->row->names_by_operator =
		    u->call->caller->is == ALLOW_OPERATOR ||
		    (u->row->names_by_operator && names_within(&names, &had));
	if (!failed(st))
		st = resources_check_wildcards(
		    u->resources, u->tx, u->call, u->row->id, &names);
	if (!failed(st))
		st = store_resources_set_names(u->tx, u->call, u->row, &names);
	if (!failed(st))
		st = store_new_version(u->tx, store_now_s(), &u->row->version);
	return st;
}

static struct status
change_row(struct update *u)
{
	struct status st = status_ok();

	if ((u->fields & FIELD(NAME)) != 0)
		st = resource_fields_name(u->call, u->asked->name, u->row);
	if (!failed(st) && (u->fields & FIELD(ORIGIN)) != 0)
		st = resource_fields_origin(u->call, u->asked->origin, u->row);
	if (!failed(st) && (u->fields & FIELD(EDGE_GROUP)) != 0)
		st = resource_fields_group(u->call,
		    u->resources->config.networks, u->asked->edge_group,
		    u->row);
	if (!failed(st) && (u->fields & FIELD(HOSTNAMES)) != 0)
		st = change_names(u);
	if (!failed(st) && (u->fields & (FIELD(NAME) | FIELD(HOSTNAMES))) != 0)
		st = store_resources_index(u->tx, u->row);
	if (!failed(st) && (u->fields & FIELD(MODE)) != 0)
		u->row->mode = (int)u->asked->mode;
	if (!failed(st) && (u->fields & FIELD(HTTPS)) != 0)
		u->row->https = u->asked->https;
	return st;
}

/* ---- what is bound ---- */

/* The owner's choice must be one that was made. */
static struct status
check_personal(struct update *u)
{
	struct binding bound[BINDING_SLOTS];
	size_t n = 0;
	struct status st;

	if (u->row->mode != MODE_PERSONAL || !u->row->https)
		return status_ok();
	st = bindings_of(u->tx, u->row->id, bound, &n);
	for (size_t i = 0; i < n && !failed(st); i++)
		if (bound[i].kind == KIND_PERSONAL)
			return st;
	return failed(st) ? st
			  : status_fail(STATUS_FAILED_PRECONDITION,
				"mode personal with HTTPS needs a personal "
				"certificate; bind one in the same act "
				"(certificates)");
}

static struct status
bind_asked(struct update *u)
{
	struct status st = bindings_put(u->tx, u->call, u->row,
	    u->asked->certificates, u->asked->n_certificates, false);

	if (!failed(st) && (u->fields & FIELD(MODE)) != 0 &&
	    u->row->mode != (int)u->asked->mode)
		st = refuse("the certificates that are to be bound make the "
			    "mode; leave it out");
	return st;
}

static struct status
keep_what_is_bound(struct update *u)
{
	const struct enrollments *enrollments =
	    u->resources->config.enrollments;
	bool changed = false;
	struct status st = status_ok();

	if ((u->fields & (FIELD(MODE) | FIELD(HTTPS))) != 0)
		st = check_personal(u);
	if (!failed(st) && (u->fields & (FIELD(MODE) | FIELD(HOSTNAMES))) != 0)
		st = resources_check_shared(
		    u->resources, u->tx, u->call, u->row);
	if (!failed(st))
		st = shared_fill(u->tx, u->call, u->row, &changed);
	/* What is bound serves on until a certificate for all names is there,
	 * where one is obtained. */
	if (!failed(st) && (u->fields & FIELD(HOSTNAMES)) != 0 &&
	    !enrollments_will_follow(enrollments, u->row))
		st = bindings_recheck(u->tx, u->call, u->row);
	return st;
}

/* ---- what obtains its certificate ---- */

/* Would what is asked for upset a change that obtains its certificate? */
static struct status
allow(struct update *u)
{
	bool upsets = u->asked->n_certificates > 0 ||
		      u->row->mode != u->before.mode ||
		      (u->before.https && !u->row->https);

	return upsets ? enrollments_allow(
			    u->tx, u->call, u->row->id, u->asked->cancel_change)
		      : status_ok();
}

static struct status
follow(struct update *u)
{
	static const unsigned fields =
	    FIELD(HOSTNAMES) | FIELD(MODE) | FIELD(HTTPS);

	if ((u->fields & fields) == 0 && u->asked->n_certificates == 0)
		return status_ok();
	if ((u->fields & FIELD(HTTPS)) != 0 && !u->row->https)
		return enrollments_leave(u->tx, u->call, u->row);
	return enrollments_follow(
	    u->resources->config.enrollments, u->tx, u->call, u->row);
}

static bool
has_moved(const struct update *u)
{
	return u->row->https != u->before.https ||
	       strcmp(u->row->edge_group, u->before.edge_group) != 0;
}

static struct status
act(struct resources *resources, struct db_tx *tx, struct api_call *call,
    struct resource_row *row, const ProtobufCMessage *request)
{
	struct update u = { .resources = resources,
		.tx = tx,
		.call = call,
		.asked = (const void *)request,
		.row = row,
		.before = *row };
	struct status st = read_fields(u.asked, &u.fields);

	if (!failed(st))
		st = change_row(&u);
	if (!failed(st))
		st = allow(&u);
	if (!failed(st) && has_moved(&u))
		st = bindings_moved(tx, row, u.before.edge_group);
	if (!failed(st))
		st = u.asked->n_certificates > 0 ? bind_asked(&u)
						 : keep_what_is_bound(&u);
	return failed(st) ? st : follow(&u);
}

struct status
resources_update(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	const update_msg *asked = (const void *)request;
	const struct resources_change change = { asked->id, asked->etag,
		"resource changed", act, request };

	return resources_do(ctx, call, &change, ret_reply);
}
