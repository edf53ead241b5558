/* SPDX-License-Identifier: Apache-2.0 */

/*
 * CertificateRequests.Attach: the certificate that was bought for a request is
 * added as an upload is, for the request's key and no other.  That its names
 * are not those that were asked for is no reason to refuse it: who issued it
 * decides; it is told.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "certd/requests_int.h"
#include "proto/message.h"

#define NAMES_MAX 200 /* octets of names in a note */

typedef Holdfast__Certd__V1__AttachCertificateRequest attach_request;

/* ---- names that differ ---- */

struct names {
	char text[NAMES_MAX];
	size_t len;
	bool is_cut;
};

static void
add_name(struct names *names, const char *name, size_t name_len)
{
	size_t room = sizeof(names->text) - names->len;
	int len;

	if (names->is_cut)
		return;
	len = snprintf(names->text + names->len, room, "%s%.*s",
	    names->len == 0 ? "" : ", ", (int)name_len, name);
	names->is_cut = len < 0 || (size_t)len >= room;
	if (names->is_cut)
		names->text[names->len] = 0;
	else
		names->len += (size_t)len;
}

/* Was it asked for?  hostnames are separated by blanks. */
static bool
is_among(const char *name, const char *hostnames)
{
	const size_t len = strlen(name);

	while (*hostnames != 0) {
		size_t next = strcspn(hostnames, " ");

		if (next == len && memcmp(hostnames, name, len) == 0)
			return true;
		hostnames += next + (hostnames[next] == ' ');
	}
	return false;
}

static void
tell_missing(struct upload *upload, const char *hostnames)
{
	const struct pki_cert *leaf = upload_leaf(upload);
	struct names names = { .len = 0 };
	char name[HOSTNAME_MAX];

	while (*hostnames != 0) {
		size_t len = strcspn(hostnames, " ");

		(void)!snprintf(
		    name, sizeof(name), "%.*s", (int)len, hostnames);
		if (!pki_cert_covers(leaf, name))
			add_name(&names, name, len);
		hostnames += len + (hostnames[len] == ' ');
	}
	if (names.len > 0)
		upload_add_note(upload,
		    "The certificate is not for %s%s, which the request asked "
		    "for.",
		    names.text, names.is_cut ? " and others" : "");
}

static void
tell_extra(struct upload *upload, const char *hostnames)
{
	const struct pki_cert *leaf = upload_leaf(upload);
	struct names names = { .len = 0 };

	for (size_t i = 0; i < leaf->n_names; i++)
		if (!is_among(leaf->names[i], hostnames))
			add_name(
			    &names, leaf->names[i], strlen(leaf->names[i]));
	if (names.len > 0)
		upload_add_note(upload,
		    "The certificate is also for %s%s, which the request did "
		    "not ask for.",
		    names.text, names.is_cut ? " and others" : "");
}

/* ---- Attach ---- */

static struct status
refuse_second(struct api_call *call, const struct store_request *found)
{
	return api_explain(call,
	    status_fail(
		STATUS_FAILED_PRECONDITION, "the request has a certificate"),
	    "request %" PRId64 " has certificate %" PRId64 " already; add "
	    "another one of the same key with `holdfast cert upload`, without "
	    "a key",
	    found->id, found->certificate);
}

static struct status
find(const struct requests *requests, struct api_call *call, int64_t id,
    struct store_request *ret_found)
{
	struct db_tx *tx;
	struct status st =
	    store_read(requests->certificates->config.store, &tx);

	if (failed(st))
		return st;
	st = requests_find(tx, call->caller, id, ret_found);
	db_end(tx);
	if (!failed(st) && ret_found->certificate != 0)
		st = refuse_second(call, ret_found);
	return st;
}

static struct status
prepare(const struct requests *requests, struct api_call *call,
    const attach_request *asked, const struct store_request *found,
    struct upload **ret_upload)
{
	Holdfast__Certd__V1__UploadCertificateRequest as_upload;
	char name[CERTIFICATE_NAME_MAX];

	holdfast__certd__v1__upload_certificate_request__init(&as_upload);
	/* Borrowed; wiped by upload_prepare where a key may be in it. */
	memcpy(name, found->name, sizeof(name));
	as_upload.name = asked->name[0] != 0 ? asked->name : name;
	as_upload.parts = asked->parts;
	as_upload.scope = asked->scope;
	as_upload.n_scope = asked->n_scope;
	return upload_prepare_for(requests->certificates, call, found->account,
	    &as_upload, &found->key, ret_upload);
}

static struct status
insert(const struct requests *requests, struct api_call *call,
    const struct store_request *found, struct upload *upload,
    Holdfast__Certd__V1__UploadCertificateResponse *reply)
{
	struct store *store = requests->certificates->config.store;
	struct db_tx *tx;
	int64_t id = 0;
	struct status st = store_write(store, &tx);

	if (failed(st))
		return st;
	st = upload_insert(upload, tx, call, &id);
	if (!failed(st))
		st = store_requests_attach(tx, found->id, id);
	if (!failed(st))
		st = certificates_view_new(tx, call, id, upload, reply);
	return store_commit(store, tx, st);
}

struct status
requests_attach(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	const struct requests *requests = ctx;
	const attach_request *asked = (const attach_request *)request;
	scoped(store_request_done) struct store_request found = { 0 };
	scoped(message_free) ProtobufCMessage *reply = message_new(
	    &holdfast__certd__v1__upload_certificate_response__descriptor);
	struct upload *upload = NULL;
	struct status st;

	if (reply == NULL)
		return message_no_memory();
	st = find(requests, call, asked->id, &found);
	if (!failed(st))
		st = prepare(requests, call, asked, &found, &upload);
	if (failed(st))
		return st;
	tell_missing(upload, found.hostnames);
	tell_extra(upload, found.hostnames);
	st = insert(requests, call, &found, upload,
	    (Holdfast__Certd__V1__UploadCertificateResponse *)reply);
	upload_done(upload, !failed(st));
	if (failed(st))
		return st;
	*ret_reply = reply;
	reply = NULL;
	return st;
}
