/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The service Certificates: uploads, reading, name and scope.  Lists are in
 * certificates_list.c, what leaves (export, delete) in certificates_leave.c.
 * Nothing here changes what a certificate is, and there is no statement in the
 * store that could.  A certificate of another account is not found, in the
 * words of one that never was; a shared one is the operator's, there to be read
 * by every account and changed by none.
 */

#include <stdio.h>
#include <stdlib.h>

#include "certd/certificate_view.h"
#include "certd/certificates_int.h"
#include "certd/known_names.h"
#include "certd/store_bindings.h"
#include "certd/text.h"
#include "certd/upload.h"
#include "proto/message.h"

#define KIND_ACME HOLDFAST__CERTD__V1__CERTIFICATE_KIND__CERTIFICATE_KIND_ACME
#define KIND_SHARED                                                            \
	HOLDFAST__CERTD__V1__CERTIFICATE_KIND__CERTIFICATE_KIND_SHARED

STATUS
certificates_find(struct db_tx *tx, const struct caller *caller, int64_t id,
    struct store_certificate *ret_found)
{
	struct store_certificate found;
	struct status st = store_certificates_find(tx, id, &found);

	if (failed(st))
		return st;
	if (!caller_sees(caller, found.account))
		return store_certificates_none();
	/* Whatever account the operator keeps it in. */
	if (found.kind == KIND_SHARED && !caller_sees_all(caller))
		return status_fail(STATUS_PERMISSION_DENIED,
		    "a shared certificate is bound in all accounts; only an "
		    "operator changes it");
	*ret_found = found;
	return st;
}

STATUS
certificates_find_to_read(struct db_tx *tx, const struct caller *caller,
    int64_t id, struct store_certificate *ret_found)
{
	struct store_certificate found;
	struct status st = store_certificates_find(tx, id, &found);

	if (failed(st))
		return st;
	if (found.kind != KIND_SHARED && !caller_sees(caller, found.account))
		return store_certificates_none();
	*ret_found = found;
	return st;
}

/* ---- ImportParameters ---- */

static bool
fill_parameters(const struct custody_wrapping *from,
    Holdfast__Keyd__V1__ImportParametersResponse *to)
{
	to->wrapping = (Holdfast__Keyd__V1__ImportWrapping)from->wrapping;
	to->expires_s = from->expires_s;
	to->algorithms =
	    calloc(from->n_algorithms + 1, sizeof(*to->algorithms));
	if (to->algorithms == NULL)
		return false;
	for (size_t i = 0; i < from->n_algorithms; i++)
		to->algorithms[to->n_algorithms++] =
		    (Holdfast__Keyd__V1__KeyAlgorithm)from->algorithms[i];
	return message_text(&to->pool, from->pool) &&
	       message_bytes(&to->wrapping_key,
		   (struct bytes){ from->key, from->key_len }) &&
	       message_bytes(&to->wrapping_key_id,
		   (struct bytes){ from->key_id, from->key_id_len });
}

static struct status
import_parameters(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	const struct certificates *certificates = ctx;
	const Holdfast__Certd__V1__CertificateImportParametersRequest *asked =
	    (const Holdfast__Certd__V1__CertificateImportParametersRequest *)
		request;
	const struct network *network =
	    networks_find(certificates->config.networks, asked->network);
	scoped(message_free) ProtobufCMessage *reply = NULL;
	char why[CUSTODY_WHY_MAX] = "";
	struct custody_wrapping wrapping;
	struct status st;

	if (network == NULL)
		return known_names_refuse_network(
		    call, certificates->config.networks, asked->network);
	st = custody_import_parameters(
	    certificates->config.custody, network->pool, &wrapping, why);
	if (failed(st))
		return api_explain(call, st, "%s", why[0] ? why : st.why);
	reply = message_new(
	    &holdfast__keyd__v1__import_parameters_response__descriptor);
	if (reply == NULL ||
	    !fill_parameters(&wrapping,
		(Holdfast__Keyd__V1__ImportParametersResponse *)reply))
		return message_no_memory();
	((Holdfast__Keyd__V1__ImportParametersResponse *)reply)
	    ->exposed_upload = certificates->config.allow_exposed_upload;
	*ret_reply = reply;
	reply = NULL;
	return st;
}

/* ---- Upload ---- */

static struct status
find_account(struct certificates *certificates, struct api_call *call,
    const char *name, int64_t *ret_account)
{
	struct db_tx *tx;
	struct status st = store_read(certificates->config.store, &tx);

	if (failed(st))
		return st;
	st = caller_account(call->caller, tx, name, ret_account);
	db_end(tx);
	return st;
}

static struct status
take_notes(const struct upload *upload,
    Holdfast__Certd__V1__UploadCertificateResponse *reply)
{
	for (size_t i = 0; i < upload_n_notes(upload); i++)
		if (!message_append_text(
			&reply->n_notes, &reply->notes, upload_note(upload, i)))
			return message_no_memory();
	return status_ok();
}

STATUS
certificates_view_new(struct db_tx *tx, const struct api_call *call, int64_t id,
    const struct upload *upload,
    Holdfast__Certd__V1__UploadCertificateResponse *reply)
{
	struct store_certificate found;
	struct status st = take_notes(upload, reply);

	reply->certificate = (Holdfast__Certd__V1__Certificate *)message_new(
	    &holdfast__certd__v1__certificate__descriptor);
	if (reply->certificate == NULL)
		return message_no_memory();
	if (!failed(st) && tx == NULL)
		return certificate_view_upload(upload, reply->certificate);
	if (!failed(st))
		st = store_certificates_find(tx, id, &found);
	if (!failed(st))
		st = certificate_view_fill(
		    tx, call->caller, &found, true, reply->certificate);
	return st;
}

/* The resource is the account's, and gets it in this very transaction. */
static struct status
bind_acme(const struct certificates_config *config, struct db_tx *tx,
    struct api_call *call, int64_t account, int64_t resource,
    int64_t certificate)
{
	int64_t missing = 0;
	struct status st =
	    store_certificates_check_scope(tx, account, &resource, 1, &missing);

	if (!failed(st) && config->acme_allow != NULL)
		st = config->acme_allow(tx, call, resource);
	if (!failed(st))
		st = bindings_set(tx, call, resource, &certificate, 1);
	if (!failed(st) && config->acme_bound != NULL)
		st = config->acme_bound(config->acme_ctx, tx, call, resource);
	return st;
}

static struct status
keep(struct certificates *certificates, struct api_call *call, int64_t account,
    const Holdfast__Certd__V1__UploadCertificateRequest *asked,
    struct upload *upload,
    Holdfast__Certd__V1__UploadCertificateResponse *reply)
{
	struct store *store = certificates->config.store;
	struct db_tx *tx;
	int64_t id = 0;
	struct status st = store_write(store, &tx);

	if (failed(st))
		return st;
	st = upload_insert(upload, tx, call, &id);
	if (!failed(st) && asked->kind == KIND_ACME)
		st = bind_acme(&certificates->config, tx, call, account,
		    asked->resource, id);
	if (!failed(st))
		st = certificates_view_new(tx, call, id, upload, reply);
	return store_commit(store, tx, st);
}

static struct status
check_resource(struct api_call *call,
    const Holdfast__Certd__V1__UploadCertificateRequest *asked)
{
	if (asked->kind == KIND_ACME && asked->resource == 0)
		return api_explain(call,
		    status_fail(STATUS_INVALID_ARGUMENT,
			"an ACME certificate is of one resource"),
		    "an ACME certificate is of one resource, to which it is "
		    "bound at once: name it as resource");
	if (asked->kind != KIND_ACME && asked->resource != 0)
		return api_explain(call,
		    status_fail(STATUS_INVALID_ARGUMENT,
			"resource is for ACME certificates"),
		    "resource is for ACME certificates; bind others once they "
		    "are there");
	if (asked->kind == KIND_ACME && call->caller->scopes != 0 &&
	    (call->caller->scopes & SCOPE_RESOURCES_WRITE) == 0)
		return status_fail(STATUS_PERMISSION_DENIED,
		    "an ACME certificate is bound at once: it takes a token "
		    "with the scopes certificates:write and resources:write");
	return status_ok();
}

static struct status
upload(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	struct certificates *certificates = ctx;
	const Holdfast__Certd__V1__UploadCertificateRequest *asked =
	    (const Holdfast__Certd__V1__UploadCertificateRequest *)request;
	scoped(message_free) ProtobufCMessage *reply = message_new(
	    &holdfast__certd__v1__upload_certificate_response__descriptor);
	Holdfast__Certd__V1__UploadCertificateResponse *answer =
	    (Holdfast__Certd__V1__UploadCertificateResponse *)reply;
	struct upload *upload = NULL;
	int64_t account = 0;
	struct status st = check_resource(call, asked);

	if (reply == NULL)
		return message_no_memory();
	if (!failed(st))
		st = find_account(certificates, call, asked->account, &account);
	if (!failed(st))
		st =
		    upload_prepare(certificates, call, account, asked, &upload);
	if (failed(st))
		return st;
	st = asked->validate_only
		 ? certificates_view_new(NULL, call, 0, upload, answer)
		 : keep(certificates, call, account, asked, upload, answer);
	upload_done(upload, !failed(st) && !asked->validate_only);
	if (failed(st))
		return st;
	*ret_reply = reply;
	reply = NULL;
	return st;
}

/* ---- Get ---- */

STATUS
certificates_view(struct db_tx *tx, const struct caller *caller,
    const struct store_certificate *found, ProtobufCMessage **ret_reply)
{
	scoped(message_free) ProtobufCMessage *reply =
	    message_new(&holdfast__certd__v1__certificate__descriptor);
	struct status st;

	if (reply == NULL)
		return message_no_memory();
	st = certificate_view_fill(
	    tx, caller, found, true, (Holdfast__Certd__V1__Certificate *)reply);
	if (failed(st))
		return st;
	*ret_reply = reply;
	reply = NULL;
	return st;
}

static struct status
get(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	struct certificates *certificates = ctx;
	const Holdfast__Certd__V1__GetCertificateRequest *asked =
	    (const Holdfast__Certd__V1__GetCertificateRequest *)request;
	scoped(db_end) struct db_tx *tx = NULL;
	struct store_certificate found;
	struct status st = store_read(certificates->config.store, &tx);

	if (!failed(st))
		st = certificates_find_to_read(
		    tx, call->caller, asked->id, &found);
	if (failed(st))
		return st;
	return certificates_view(tx, call->caller, &found, ret_reply);
}

/* ---- Update: name and scope, which are for people ---- */

/* A resource that holds the certificate, and is not in its new scope. */
struct outside {
	const Holdfast__Certd__V1__UpdateCertificateRequest *asked;
	int64_t resource;
	char name[128];
};

static bool
find_outside(void *ctx, int64_t resource, const char *name)
{
	struct outside *outside = ctx;

	for (size_t i = 0; i < outside->asked->n_scope; i++)
		if (outside->asked->scope[i] == resource)
			return true;
	outside->resource = resource;
	(void)!snprintf(outside->name, sizeof(outside->name), "%s", name);
	return false;
}

static struct status
set_scope(struct db_tx *tx, struct api_call *call,
    const Holdfast__Certd__V1__UpdateCertificateRequest *asked,
    const struct store_certificate *found)
{
	struct outside outside = { .asked = asked };
	int64_t missing = 0;
	struct status st;

	if (found->kind !=
	    HOLDFAST__CERTD__V1__CERTIFICATE_KIND__CERTIFICATE_KIND_PERSONAL)
		return api_explain(call,
		    status_fail(STATUS_FAILED_PRECONDITION,
			"a scope is for personal certificates"),
		    "a scope is for personal certificates: an ACME one is of "
		    "its resource, a shared one of all");
	if (asked->n_scope > CERTIFICATE_SCOPE_MAX)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "a scope is of 1,000 resources at most");
	st = store_certificates_check_scope(
	    tx, found->account, asked->scope, asked->n_scope, &missing);
	if (st.code == STATUS_NOT_FOUND)
		return api_explain(call, st,
		    "there is no resource %lld for the scope",
		    (long long)missing);
	if (!failed(st) && asked->n_scope > 0)
		st = store_certificates_holders(
		    tx, found->id, SIZE_MAX / 2, find_outside, &outside);
	if (!failed(st) && outside.resource != 0)
		return api_explain(call,
		    status_fail(STATUS_FAILED_PRECONDITION,
			"a resource outside of the new scope holds it"),
		    "resource %lld, \"%s\", holds the certificate and is not "
		    "in the new scope: bind another there first",
		    (long long)outside.resource, outside.name);
	if (!failed(st))
		st = store_certificates_set_scope(
		    tx, found->id, asked->scope, asked->n_scope);
	return st;
}

static struct status
change(struct db_tx *tx, struct api_call *call,
    const Holdfast__Certd__V1__UpdateCertificateRequest *asked,
    ProtobufCMessage **ret_reply)
{
	struct store_certificate found;
	char object[64];
	struct status st =
	    certificates_find(tx, call->caller, asked->id, &found);

	if (!failed(st))
		st = store_etag_check(asked->etag, found.revision);
	if (!failed(st) && asked->name[0] != 0)
		st = store_certificates_rename(tx, found.id, asked->name);
	if (!failed(st) && asked->set_scope)
		st = set_scope(tx, call, asked, &found);
	if (failed(st))
		return st;
	(void)!snprintf(
	    object, sizeof(object), "certificate %lld", (long long)found.id);
	st = store_event(tx, found.account, call->caller->actor,
	    "certificate updated", object,
	    asked->name[0] != 0 ? asked->name : "scope");
	if (!failed(st))
		st = store_certificates_find(tx, found.id, &found);
	if (failed(st))
		return st;
	return certificates_view(tx, call->caller, &found, ret_reply);
}

static struct status
update(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	struct certificates *certificates = ctx;
	const Holdfast__Certd__V1__UpdateCertificateRequest *asked =
	    (const Holdfast__Certd__V1__UpdateCertificateRequest *)request;
	struct store *store = certificates->config.store;
	scoped(message_free) ProtobufCMessage *reply = NULL;
	struct db_tx *tx;
	struct status st = text_check_line(
	    call, "name", asked->name, 0, CERTIFICATE_NAME_MAX - 1);

	if (!failed(st) && asked->n_scope > 0 && !asked->set_scope)
		st = status_fail(STATUS_INVALID_ARGUMENT,
		    "say set_scope together with the new scope");
	if (!failed(st) && asked->name[0] == 0 && !asked->set_scope)
		st = status_fail(STATUS_INVALID_ARGUMENT,
		    "say what is to change: name, or scope with set_scope");
	if (!failed(st))
		st = store_write(store, &tx);
	if (failed(st))
		return st;
	st = store_commit(store, tx, change(tx, call, asked, &reply));
	if (failed(st))
		return st;
	*ret_reply = reply;
	reply = NULL;
	return st;
}

/* ---- the service ---- */

#define CERTIFICATES (&holdfast__certd__v1__certificates__descriptor)
#define READ ALLOW_READ, SCOPE_CERTIFICATES_READ
#define WRITE ALLOW_CHANGE, SCOPE_CERTIFICATES_WRITE

static const struct api_method METHODS[] = {
	{ CERTIFICATES, "ImportParameters", import_parameters, WRITE, API_GET,
	    "/v1/certificates:importParameters",
	    .summary = "What is needed to wrap a private key for the token" },
	{ CERTIFICATES, "Upload", upload, WRITE, API_POST, "/v1/certificates",
	    .creates = true,
	    .summary = "Add a certificate, its chain and its key" },
	{ CERTIFICATES, "List", certificates_list, READ, API_GET,
	    "/v1/certificates", .summary = "List and search certificates" },
	{ CERTIFICATES, "Get", get, READ, API_GET, "/v1/certificates/{id}",
	    .summary = "One certificate with its chain" },
	{ CERTIFICATES, "Update", update, WRITE, API_PATCH,
	    "/v1/certificates/{id}",
	    .summary = "Change a certificate's name or scope" },
	{ CERTIFICATES, "Delete", certificates_delete, WRITE, API_DELETE,
	    "/v1/certificates/{id}",
	    .summary = "Delete a certificate that nothing holds" },
	{ CERTIFICATES, "Export", certificates_export, READ, API_GET,
	    "/v1/certificates/{id}:export",
	    .summary = "A certificate and its chain for other programs" },
};

STATUS
certificates_new(const struct certificates_config *config,
    struct certificates **ret_certificates)
{
	struct certificates *certificates = calloc(1, sizeof(*certificates));

	if (certificates == NULL)
		return message_no_memory();
	certificates->config = *config;
	*ret_certificates = certificates;
	return status_ok();
}

STATUS
certificates_register(struct certificates *certificates, struct api *api)
{
	return api_add(
	    api, METHODS, sizeof(METHODS) / sizeof(METHODS[0]), certificates);
}

void
certificates_free(struct certificates *certificates)
{
	free(certificates);
}
