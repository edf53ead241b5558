/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The service Resources: messages in, acts on the store, messages out.  A
 * change is one transaction; only after it is on disk keyd is told, and the
 * answer says whether it was.  A keyd that is away holds nothing up.  Creating,
 * updating and replacing are in files of their own.
 */

#include "certd/resources.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certd/resource_fields.h"
#include "certd/resource_view.h"
#include "certd/resources_int.h"
#include "certd/store_bindings.h"
#include "certd/store_grants.h"
#include "certd/store_standby.h"
#include "proto/holdfast/certd/v1/certificates.pb-c.h"
#include "proto/message.h"

#define WAIT_MS 5000

typedef Holdfast__Certd__V1__Resource resource_msg;

/* ---- for all methods ---- */

void
resources_wait(struct resources *resources)
{
	unsigned wait_ms = resources->config.wait_ms;

	grants_wait(resources->grants, wait_ms > 0 ? wait_ms : WAIT_MS);
}

STATUS
resources_show(struct resources *resources, int64_t id, resource_msg *to)
{
	scoped(db_end) struct db_tx *tx = NULL;
	const struct resource_view view = { true,
		enrollments_can_issue(resources->config.enrollments) };
	struct resource_row row;
	struct status st = store_read(resources->config.store, &tx);

	if (!failed(st))
		st = store_resources_load(tx, id, &row);
	return failed(st) ? st : resource_view_fill(tx, &row, &view, to);
}

/* May edges still sign with one of these keys, though nothing asks for it?  Of
 * two troubles that is the greater one. */
static struct status
tell_surplus(
    struct resources *resources, const struct key_set *keys, char **ret_text)
{
	scoped(db_end) struct db_tx *tx = NULL;
	char why[STORE_GRANTS_WHY_MAX] = "";
	struct status st = store_read(resources->config.store, &tx);

	if (!failed(st))
		st = store_grants_surplus(tx, keys, why);
	if (!failed(st) && why[0] != 0 && !message_text(ret_text, why))
		st = message_no_memory();
	return st;
}

/* Of a change that was made. */
struct done {
	struct key_set keys; /* what was bound before */
	int64_t revision;    /* that it came to */
};

static inline void
scoped_done_done(struct done *done)
{
	key_set_done(&done->keys);
}

/*
 * What others did since is shown too, but its etag is the caller's own change's
 * (done; NULL: there was none): who goes on from it, goes on from what it saw.
 */
static struct status
answer(struct resources *resources, int64_t id, const struct done *done,
    ProtobufCMessage **ret_reply)
{
	char etag[STORE_ETAG_MAX];
	scoped(message_free) ProtobufCMessage *reply =
	    message_new(&holdfast__certd__v1__resource__descriptor);
	resource_msg *to = (resource_msg *)(void *)reply;
	struct status st;

	if (reply == NULL)
		return message_no_memory();
	st = resources_show(resources, id, to);
	if (!failed(st) && done != NULL) {
		st = tell_surplus(
		    resources, &done->keys, &to->permission_trouble);
		store_etag_print(done->revision, etag);
		if (!failed(st) && !message_text(&to->etag, etag))
			st = message_no_memory();
	}
	if (failed(st))
		return st;
	*ret_reply = reply;
	reply = NULL;
	return st;
}

static struct status
do_in(struct resources *resources, struct db_tx *tx, struct api_call *call,
    const struct resources_change *change, struct done *done)
{
	struct resource_row row;
	struct status st =
	    store_resources_find(tx, call->caller, change->id, &row);

	if (!failed(st))
		st = store_etag_check(change->etag, row.revision);
	if (!failed(st))
		st = bindings_keys(tx, row.id, &done->keys);
	if (!failed(st))
		st = change->act(resources, tx, call, &row, change->request);
	if (!failed(st))
		st = store_resources_save(tx, call, &row);
	if (failed(st))
		return st;
	done->revision = row.revision;
	return bindings_event(tx, call, &row, change->name);
}

STATUS
resources_do(struct resources *resources, struct api_call *call,
    const struct resources_change *change, ProtobufCMessage **ret_reply)
{
	struct store *store = resources->config.store;
	scoped(done_done) struct done done = { .revision = 0 };
	struct db_tx *tx;
	struct status st = store_write(store, &tx);

	if (failed(st))
		return st;
	st = store_commit(store, tx, do_in(resources, tx, call, change, &done));
	if (failed(st))
		return st;
	resources_wait(resources);
	return answer(resources, change->id, &done, ret_reply);
}

/* ---- get and list ---- */

static struct status
get(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__GetResourceRequest *asked =
	    (const void *)request;
	struct resources *resources = ctx;
	struct resource_row row;
	struct db_tx *tx;
	struct status st = store_read(resources->config.store, &tx);

	if (failed(st))
		return st;
	st = store_resources_find(tx, call->caller, asked->id, &row);
	db_end(tx);
	return failed(st) ? st : answer(resources, asked->id, NULL, ret_reply);
}

struct listing {
	struct db_tx *tx;
	struct resource_view view;
	Holdfast__Certd__V1__ListResourcesResponse *to;
	struct status st;
};

static bool
list_one(void *ctx, const struct resource_row *row)
{
	struct listing *listing = ctx;
	resource_msg *to =
	    message_append(&listing->to->n_resources, &listing->to->resources,
		&holdfast__certd__v1__resource__descriptor);

	listing->st = to == NULL ? message_no_memory()
				 : resource_view_fill(
				       listing->tx, row, &listing->view, to);
	return !failed(listing->st);
}

static struct status
list_in(struct api_call *call, struct listing *listing,
    const Holdfast__Certd__V1__ListResourcesRequest *asked)
{
	struct store_resources_query query = { .search = asked->search,
		.order_by = asked->order_by,
		.edge_group = asked->edge_group,
		.certificate = asked->certificate,
		.page_token = asked->page_token };
	char token[RESOURCES_TOKEN_MAX] = "";
	struct status st = caller_account_or_all(
	    call->caller, listing->tx, asked->account, &query.account);

	if (!failed(st))
		st = store_page_size(asked->page_size, &query.size);
	if (!failed(st))
		st = store_resources_list(
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
	struct resources *resources = ctx;
	scoped(message_free) ProtobufCMessage *reply = message_new(
	    &holdfast__certd__v1__list_resources_response__descriptor);
	struct listing listing = { .view = { false,
				       enrollments_can_issue(
					   resources->config.enrollments) },
		.to = (void *)reply,
		.st = status_ok() };
	struct status st;

	if (reply == NULL)
		return message_no_memory();
	st = store_read(resources->config.store, &listing.tx);
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

/* ---- bind and unbind ---- */

static struct status
bind_act(struct resources *resources, struct db_tx *tx, struct api_call *call,
    struct resource_row *row, const ProtobufCMessage *request)
{
	const Holdfast__Certd__V1__BindRequest *asked = (const void *)request;
	bool is_standby = false;
	struct status st = store_standby_is_among(tx, row->id,
	    asked->certificates, asked->n_certificates, &is_standby);

	/* A standby certificate is for when no other is to be had. */
	if (!failed(st))
		st = enrollments_allow(
		    tx, call, row->id, asked->cancel_change || is_standby);
	if (!failed(st))
		st = bindings_put(tx, call, row, asked->certificates,
		    asked->n_certificates, is_standby);
	return failed(st) ? st
			  : enrollments_follow(
				resources->config.enrollments, tx, call, row);
}

static struct status
bind_(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__BindRequest *asked = (const void *)request;
	const struct resources_change change = { asked->id, asked->etag,
		"resource bound", bind_act, request };

	return resources_do(ctx, call, &change, ret_reply);
}

static struct status
unbind_act(struct resources *resources, struct db_tx *tx, struct api_call *call,
    struct resource_row *row, const ProtobufCMessage *request)
{
	const Holdfast__Certd__V1__UnbindRequest *asked = (const void *)request;
	struct status st =
	    enrollments_allow(tx, call, row->id, asked->cancel_change);

	if (!failed(st))
		st = bindings_take(
		    tx, call, row, asked->certificates, asked->n_certificates);
	if (failed(st))
		return st;
	/* With nothing left HTTPS is off, and none is wanted. */
	return row->https ? enrollments_follow(
				resources->config.enrollments, tx, call, row)
			  : enrollments_leave(tx, call, row);
}

static struct status
unbind(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__UnbindRequest *asked = (const void *)request;
	const struct resources_change change = { asked->id, asked->etag,
		"resource unbound", unbind_act, request };

	return resources_do(ctx, call, &change, ret_reply);
}

/* ---- delete ---- */

static struct status
delete_in(struct db_tx *tx, struct api_call *call,
    const Holdfast__Certd__V1__DeleteResourceRequest *asked,
    struct key_set *keys)
{
	struct resource_row row;
	struct status st =
	    store_resources_find(tx, call->caller, asked->id, &row);

	if (!failed(st))
		st = store_etag_check(asked->etag, row.revision);
	if (!failed(st))
		st = enrollments_allow(tx, call, row.id, asked->cancel_change);
	if (!failed(st))
		st = bindings_event(tx, call, &row, "resource deleted");
	if (!failed(st))
		st = enrollments_leave(tx, call, &row);
	if (!failed(st))
		st = bindings_keys(tx, row.id, keys);
	if (!failed(st))
		st = bindings_take(tx, call, &row, NULL, 0);
	if (!failed(st))
		st = bindings_leave(tx, &row);
	return failed(st) ? st : store_resources_delete(tx, &row);
}

static struct status
delete_(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	struct resources *resources = ctx;
	struct store *store = resources->config.store;
	scoped(message_free) ProtobufCMessage *reply = message_new(
	    &holdfast__certd__v1__delete_resource_response__descriptor);
	Holdfast__Certd__V1__DeleteResourceResponse *to = (void *)reply;
	scoped(key_set_done) struct key_set keys = { 0 };
	struct db_tx *tx;
	struct status st;

	if (reply == NULL)
		return message_no_memory();
	st = store_write(store, &tx);
	if (failed(st))
		return st;
	st = store_commit(
	    store, tx, delete_in(tx, call, (const void *)request, &keys));
	if (failed(st))
		return st;
	resources_wait(resources);
	st = tell_surplus(resources, &keys, &to->permission_trouble);
	if (failed(st))
		return st;
	*ret_reply = reply;
	reply = NULL;
	return st;
}

/* ---- the service ---- */

#define SERVICE (&holdfast__certd__v1__resources__descriptor)

static const struct api_method methods[] = {
	{ .service = SERVICE,
	    .name = "Create",
	    .fn = resources_create,
	    .allow = ALLOW_CHANGE,
	    .scope = SCOPE_RESOURCES_WRITE,
	    .verb = API_POST,
	    .path = "/v1/resources",
	    .creates = true,
	    .summary = "Create a resource" },
	{ .service = SERVICE,
	    .name = "List",
	    .fn = list,
	    .allow = ALLOW_READ,
	    .scope = SCOPE_RESOURCES_READ,
	    .verb = API_GET,
	    .path = "/v1/resources",
	    .summary = "List and search resources" },
	{ .service = SERVICE,
	    .name = "Get",
	    .fn = get,
	    .allow = ALLOW_READ,
	    .scope = SCOPE_RESOURCES_READ,
	    .verb = API_GET,
	    .path = "/v1/resources/{id}",
	    .summary = "Get a resource" },
	{ .service = SERVICE,
	    .name = "Update",
	    .fn = resources_update,
	    .allow = ALLOW_CHANGE,
	    .scope = SCOPE_RESOURCES_WRITE,
	    .verb = API_PATCH,
	    .path = "/v1/resources/{id}",
	    .summary = "Change a resource" },
	{ .service = SERVICE,
	    .name = "Delete",
	    .fn = delete_,
	    .allow = ALLOW_CHANGE,
	    .scope = SCOPE_RESOURCES_WRITE,
	    .verb = API_DELETE,
	    .path = "/v1/resources/{id}",
	    .summary = "Delete a resource" },
	{ .service = SERVICE,
	    .name = "Bind",
	    .fn = bind_,
	    .allow = ALLOW_CHANGE,
	    .scope = SCOPE_RESOURCES_WRITE,
	    .verb = API_POST,
	    .path = "/v1/resources/{id}:bind",
	    .summary = "Bind certificates to a resource" },
	{ .service = SERVICE,
	    .name = "Unbind",
	    .fn = unbind,
	    .allow = ALLOW_CHANGE,
	    .scope = SCOPE_RESOURCES_WRITE,
	    .verb = API_POST,
	    .path = "/v1/resources/{id}:unbind",
	    .summary = "Take certificates away from a resource" },
	{ .service = &holdfast__certd__v1__certificates__descriptor,
	    .name = "Replace",
	    .fn = resources_replace,
	    .allow = ALLOW_CHANGE,
	    .scope = SCOPE_CERTIFICATES_WRITE,
	    .verb = API_POST,
	    .path = "/v1/certificates/{old_id}:replace",
	    .summary = "Bind another certificate wherever this one is bound" },
};

STATUS
resources_register(struct resources *resources, struct api *api)
{
	return api_add(
	    api, methods, sizeof(methods) / sizeof(methods[0]), resources);
}

STATUS
resources_new(
    const struct resources_config *config, struct resources **ret_resources)
{
	const struct grants_config grants = { .store = config->store,
		.custody = config->custody };
	struct resources *resources = calloc(1, sizeof(*resources));
	struct status st;

	if (resources == NULL)
		return message_no_memory();
	resources->config = *config;
	st = grants_new(&grants, &resources->grants);
	if (!failed(st))
		st = shared_new(
		    config->store, config->enrollments, &resources->shared);
	if (failed(st)) {
		resources_free(resources);
		return st;
	}
	*ret_resources = resources;
	return st;
}

void
resources_free(struct resources *resources)
{
	if (resources == NULL)
		return;
	shared_free(resources->shared);
	grants_free(resources->grants);
	free(resources);
}
