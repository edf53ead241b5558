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

static struct status
replace_in(struct db_tx *tx, struct api_call *call, const replace_msg *asked,
    replaced_msg *to)
{
	struct status st = check(tx, call, asked);

	if (!failed(st))
		st = bindings_replace(
		    tx, call, asked->old_id, asked->new_id, list_one, to);
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
	    replace_in(tx, call, (const void *)request, (void *)reply));
	if (failed(st))
		return st;
	resources_wait(resources);
	*ret_reply = reply;
	reply = NULL;
	return st;
}
