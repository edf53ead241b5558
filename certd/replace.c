/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Certificates.Replace: another certificate wherever one is bound, in one
 * transaction, with the list of the resources.  It takes the right to change
 * both certificates and resources.
 */

#include "certd/resources_int.h"
#include "certd/store_bindings.h"
#include "certd/store_fit.h"
#include "proto/holdfast/certd/v1/certificates.pb-c.h"
#include "proto/message.h"

typedef Holdfast__Certd__V1__ReplaceCertificateRequest replace_msg;
typedef Holdfast__Certd__V1__ReplaceCertificateResponse replaced_msg;

static bool
list_one(void *ctx, int64_t resource, const char *name)
{
	replaced_msg *to = ctx;
	Holdfast__Certd__V1__ResourceRef *one = message_append(&to->n_resources,
	    &to->resources, &holdfast__certd__v1__resource_ref__descriptor);

	if (one == NULL)
		return false;
	one->id = resource;
	return message_text(&one->name, name);
}

static struct status
check(struct db_tx *tx, struct api_call *call, const replace_msg *asked)
{
	struct fit_certificate old;
	struct status st;

	if (call->caller->scopes != 0 &&
	    (call->caller->scopes & SCOPE_RESOURCES_WRITE) == 0)
		return status_fail(STATUS_PERMISSION_DENIED,
		    "replacing changes resources too: it takes a token with "
		    "the scopes certificates:write and resources:write");
	st = store_fit_load(tx, asked->old_id, &old);
	if (!failed(st) && !caller_sees(call->caller, old.account))
		st = store_fit_no_such();
	return failed(st) ? st : store_etag_check(asked->etag, old.revision);
}

/* A resource's own (ACME), of which there is one resource at most. */
static struct status
is_own(struct db_tx *tx, int64_t certificate, bool *ret_is)
{
	struct fit_certificate facts;
	struct status st = store_fit_load(tx, certificate, &facts);

	*ret_is = !failed(st) && facts.kind == KIND_ACME;
	return st.code == STATUS_NOT_FOUND ? status_ok() : st;
}

static bool
take_holder(void *ctx, int64_t resource, const char *name)
{
	int64_t *holder = ctx;

	(void)name;
	*holder = resource;
	return true;
}

/* A change that obtains the one for the other would undo this. */
static struct status
allow(struct db_tx *tx, struct api_call *call, const replace_msg *asked,
    int64_t *ret_holder)
{
	bool old = false, new = false;
	size_t n = 0;
	struct status st = is_own(tx, asked->old_id, &old);

	*ret_holder = 0;
	if (!failed(st))
		st = is_own(tx, asked->new_id, &new);
	if (failed(st) || (!old && !new))
		return st;
	st =
	    bindings_holders(tx, asked->old_id, 1, take_holder, ret_holder, &n);
	return failed(st) || n == 0
		   ? st
		   : enrollments_allow(tx, call, *ret_holder, false);
}

static struct status
follow(struct resources *resources, struct db_tx *tx, struct api_call *call,
    int64_t holder)
{
	struct resource_row row;
	struct status st = store_resources_load(tx, holder, &row);

	return failed(st) ? st
			  : enrollments_follow(
				resources->config.enrollments, tx, call, &row);
}

static struct status
replace_in(struct resources *resources, struct db_tx *tx, struct api_call *call,
    const replace_msg *asked, replaced_msg *to)
{
	int64_t holder = 0;
	struct status st = check(tx, call, asked);

	if (!failed(st))
		st = allow(tx, call, asked, &holder);
	if (!failed(st))
		st = bindings_replace(
		    tx, call, asked->old_id, asked->new_id, list_one, to);
	if (!failed(st) && holder != 0)
		st = follow(resources, tx, call, holder);
	/* The one that this transaction made. */
	if (!failed(st))
		st = store_new_version(tx, store_now_s(), &to->version);
	return st;
}

struct status
resources_replace(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	struct resources *resources = ctx;
	struct store *store = resources->config.store;
	scoped(message_free) ProtobufCMessage *reply = message_new(
	    &holdfast__certd__v1__replace_certificate_response__descriptor);
	struct db_tx *tx;
	struct status st;

	if (reply == NULL)
		return message_no_memory();
	st = store_write(store, &tx);
	if (failed(st))
		return st;
	st = store_commit(store, tx,
	    replace_in(
		resources, tx, call, (const void *)request, (void *)reply));
	if (failed(st))
		return st;
	resources_wait(resources);
	*ret_reply = reply;
	reply = NULL;
	return st;
}
