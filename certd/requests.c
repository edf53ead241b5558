/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The service CertificateRequests: lists, reading, deleting.  How a request is
 * made is in requests_create.c, what comes back in requests_attach.c.  A
 * request of another account is not found, in the words of one that never was.
 */

#include "certd/requests.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certd/certificate_view.h"
#include "certd/page.h"
#include "certd/requests_int.h"
#include "certd/store_keys.h"
#include "proto/message.h"

typedef Holdfast__Certd__V1__CertificateRequest request_msg;

STATUS
requests_find(struct db_tx *tx, const struct caller *caller, int64_t id,
    struct store_request *ret_request)
{
	struct store_request found;
	struct status st = store_requests_find(tx, id, &found);

	if (failed(st))
		return st;
	if (!caller_sees(caller, found.account)) {
		store_request_done(&found);
		return store_requests_none();
	}
	*ret_request = found;
	return st;
}

/* ---- as messages ---- */

static bool
fill_hostnames(const char *hostnames, request_msg *view)
{
	char name[HOSTNAME_MAX];

	while (*hostnames != 0) {
		size_t len = strcspn(hostnames, " ");

		(void)!snprintf(
		    name, sizeof(name), "%.*s", (int)len, hostnames);
		if (!message_append_text(
			&view->n_hostnames, &view->hostnames, name))
			return false;
		hostnames += len + (hostnames[len] == ' ');
	}
	return true;
}

static struct status
fill(const struct store_request *request, request_msg *view)
{
	struct status st = certificate_view_key(&request->key, request->alg,
	    request->origin, request->exposed, &view->key);

	if (failed(st))
		return st;
	view->id = request->id;
	view->created_s = request->created_s;
	view->certificate = request->certificate;
	if (!certificate_view_place(
		view->key, request->pool, request->network) ||
	    !message_text(&view->account, request->account_name) ||
	    !message_text(&view->name, request->name) ||
	    !message_text(&view->csr, request->csr) ||
	    !message_text(&view->created_by, request->created_by) ||
	    !fill_hostnames(request->hostnames, view))
		return message_no_memory();
	return st;
}

STATUS
requests_view(const struct store_request *request, ProtobufCMessage **ret_reply)
{
	scoped(message_free) ProtobufCMessage *reply =
	    message_new(&holdfast__certd__v1__certificate_request__descriptor);
	struct status st;

	if (reply == NULL)
		return message_no_memory();
	st = fill(request, (request_msg *)reply);
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
	const struct requests *requests = ctx;
	const Holdfast__Certd__V1__GetCertificateRequestRequest *asked =
	    (const Holdfast__Certd__V1__GetCertificateRequestRequest *)request;
	scoped(store_request_done) struct store_request found = { 0 };
	scoped(db_end) struct db_tx *tx = NULL;
	struct status st =
	    store_read(requests->certificates->config.store, &tx);

	if (!failed(st))
		st = requests_find(tx, call->caller, asked->id, &found);
	return failed(st) ? st : requests_view(&found, ret_reply);
}

struct listing {
	struct db_tx *tx;
	Holdfast__Certd__V1__ListCertificateRequestsResponse *reply;
	int64_t last;
};

static struct status
add(void *ctx, int64_t id)
{
	struct listing *listing = ctx;
	scoped(store_request_done) struct store_request found = { 0 };
	request_msg *view;
	struct status st = store_requests_find(listing->tx, id, &found);

	if (failed(st))
		return st;
	view = message_append(&listing->reply->n_requests,
	    &listing->reply->requests,
	    &holdfast__certd__v1__certificate_request__descriptor);
	if (view == NULL)
		return message_no_memory();
	listing->last = id;
	return fill(&found, view);
}

static struct status
list_page(struct db_tx *tx, const struct caller *caller,
    const Holdfast__Certd__V1__ListCertificateRequestsRequest *asked,
    Holdfast__Certd__V1__ListCertificateRequestsResponse *reply)
{
	struct listing listing = { tx, reply, 0 };
	struct page page;
	bool more = false;
	struct status st = page_find(tx, caller,
	    &(struct page_ask){
		asked->account, asked->page_token, asked->page_size },
	    &page);

	if (!failed(st))
		st = store_requests_list(tx, &page, add, &listing, &more);
	return failed(st)
		   ? st
		   : page_next(listing.last, more, &reply->next_page_token);
}

static struct status
list(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const struct requests *requests = ctx;
	scoped(message_free) ProtobufCMessage *reply = message_new(
	    &holdfast__certd__v1__list_certificate_requests_response__descriptor);
	scoped(db_end) struct db_tx *tx = NULL;
	struct status st;

	if (reply == NULL)
		return message_no_memory();
	st = store_read(requests->certificates->config.store, &tx);
	if (!failed(st))
		st = list_page(tx, call->caller,
		    (const Holdfast__Certd__V1__ListCertificateRequestsRequest
			    *)request,
		    (Holdfast__Certd__V1__ListCertificateRequestsResponse *)
			reply);
	if (failed(st))
		return st;
	*ret_reply = reply;
	reply = NULL;
	return st;
}

/* ---- Delete ---- */

static struct status
remove_request(struct db_tx *tx, const struct api_call *call, int64_t id)
{
	scoped(store_request_done) struct store_request found = { 0 };
	bool doomed = false;
	char object[64];
	struct status st = requests_find(tx, call->caller, id, &found);

	if (!failed(st))
		st = store_requests_delete(tx, id);
	if (!failed(st))
		st = store_keys_drop_unused(tx, &found.key, &doomed);
	if (failed(st))
		return st;
	(void)!snprintf(object, sizeof(object), "request %" PRId64, id);
	return store_event(tx, found.account, call->caller->actor,
	    doomed ? "request deleted, and its key" : "request deleted", object,
	    found.name);
}

static struct status delete (void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	const struct requests *requests = ctx;
	const Holdfast__Certd__V1__DeleteCertificateRequestRequest *asked =
	    (const Holdfast__Certd__V1__DeleteCertificateRequestRequest *)
		request;
	struct store *store = requests->certificates->config.store;
	scoped(message_free) ProtobufCMessage *reply = message_new(
	    &holdfast__certd__v1__delete_certificate_request_response__descriptor);
	struct db_tx *tx;
	struct status st;

	if (reply == NULL)
		return message_no_memory();
	st = store_write(store, &tx);
	if (failed(st))
		return st;
	st = store_commit(store, tx, remove_request(tx, call, asked->id));
	if (failed(st))
		return st;
	*ret_reply = reply;
	reply = NULL;
	return st;
}

/* ---- the service ---- */

#define REQUESTS (&holdfast__certd__v1__certificate_requests__descriptor)
#define READ ALLOW_READ, SCOPE_CERTIFICATES_READ
#define WRITE ALLOW_CHANGE, SCOPE_CERTIFICATES_WRITE
#define PATH "/v1/certificate-requests"

static const struct api_method METHODS[] = {
	{ REQUESTS, "Create", requests_create, WRITE, API_POST, PATH,
	    .creates = true,
	    .summary = "Make a key in the token, and a request (CSR) for it" },
	{ REQUESTS, "List", list, READ, API_GET, PATH,
	    .summary = "List requests" },
	{ REQUESTS, "Get", get, READ, API_GET, PATH "/{id}",
	    .summary = "One request with its CSR" },
	{ REQUESTS, "Attach", requests_attach, WRITE, API_POST,
	    PATH "/{id}:attach", .creates = true,
	    .summary = "Add the certificate that was bought for a request" },
	{ REQUESTS, "Delete", delete, WRITE, API_DELETE, PATH "/{id}",
	    .summary = "Delete a request, and its key if nothing uses it" },
};

STATUS
requests_new(struct certificates *certificates, struct requests **ret_requests)
{
	struct requests *requests = calloc(1, sizeof(*requests));

	if (requests == NULL)
		return message_no_memory();
	requests->certificates = certificates;
	*ret_requests = requests;
	return status_ok();
}

STATUS
requests_register(struct requests *requests, struct api *api)
{
	return api_add(
	    api, METHODS, sizeof(METHODS) / sizeof(METHODS[0]), requests);
}

void
requests_free(struct requests *requests)
{
	free(requests);
}
