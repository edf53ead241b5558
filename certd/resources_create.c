/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Making a resource, perhaps with certificates, of which one may be new and
 * come along.  What the request says is looked at before a key is imported for
 * it, and again in the transaction that keeps all of it or nothing.  A resource
 * of its own choice (personal) without a certificate is refused, unless plain
 * HTTP is what is wanted.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "certd/resource_fields.h"
#include "certd/resources_int.h"
#include "certd/store_accounts.h"
#include "certd/store_bindings.h"
#include "certd/upload.h"
#include "proto/message.h"

typedef Holdfast__Certd__V1__CreateResourceRequest create_msg;
typedef Holdfast__Certd__V1__UploadCertificateRequest upload_msg;

struct making {
	struct resources *resources;
	struct api_call *call;
	const create_msg *asked;
	struct upload *upload;
	struct resource_row row;
	struct names names;
};

static inline void
scoped_making_done(struct making *making)
{
	names_done(&making->names);
}

static struct status
refuse(const char *why)
{
	return status_fail(STATUS_INVALID_ARGUMENT, why);
}

/* ---- what is asked for ---- */

static struct status
check_upload(const struct api_call *call, const upload_msg *upload)
{
	unsigned scopes = call->caller->scopes;

	if (scopes != 0 && (scopes & SCOPE_CERTIFICATES_WRITE) == 0)
		return status_fail(STATUS_PERMISSION_DENIED,
		    "adding a certificate takes a token with the scope "
		    "certificates:write");
	if (upload->validate_only)
		return refuse("validate_only goes with Certificates.Upload; a "
			      "resource is made with a certificate that is "
			      "kept");
	if (upload->kind >
		HOLDFAST__CERTD__V1__CERTIFICATE_KIND__CERTIFICATE_KIND_PERSONAL ||
	    upload->resource != 0)
		return refuse("the certificate that comes with a resource is a "
			      "personal one; add others with "
			      "Certificates.Upload");
	if (upload->n_scope > 0)
		return refuse("leave the certificate's scope empty while its "
			      "resource is being made; narrow it afterwards");
	return status_ok();
}

static bool
has_certificate(const create_msg *asked)
{
	return asked->n_certificates > 0 || asked->upload != NULL;
}

static struct status
check_request(const struct api_call *call, const create_msg *asked)
{
	int mode = (int)asked->mode;

	if (mode < 0 || mode > MODE_AUTOMATIC)
		return refuse("there is no such mode");
	if (asked->plain_http && has_certificate(asked))
		return refuse("plain_http says no HTTPS, and a certificate is "
			      "given; leave one of them out");
	if (!asked->plain_http && mode == MODE_PERSONAL &&
	    !has_certificate(asked))
		return refuse("mode personal needs a certificate: give one "
			      "(certificates or upload), or say plain_http, "
			      "which is not recommended");
	return asked->upload == NULL ? status_ok()
				     : check_upload(call, asked->upload);
}

static int
mode_of(const create_msg *asked)
{
	if (asked->mode != 0)
		return (int)asked->mode;
	return has_certificate(asked) ? MODE_PERSONAL : MODE_AUTOMATIC;
}

static struct status
find_account(struct making *making, struct db_tx *tx)
{
	struct resource_row *row = &making->row;
	struct store_account account;
	struct status st = caller_account(
	    making->call->caller, tx, making->asked->account, &row->account);

	if (!failed(st))
		st = store_accounts_get(tx, row->account, &account);
	if (!failed(st))
		memcpy(
		    row->account_name, account.name, sizeof(row->account_name));
	return st;
}

/* The row and its names as they would be kept now. */
static struct status
plan(struct making *making, struct db_tx *tx)
{
	const struct resources_config *config = &making->resources->config;
	const create_msg *asked = making->asked;
	struct api_call *call = making->call;
	struct resource_row *row = &making->row;
	struct status st = find_account(making, tx);

	if (!failed(st))
		st = resource_fields_name(call, asked->name, row);
	if (!failed(st))
		st = resource_fields_network(
		    call, config->networks, asked->network, row);
	if (!failed(st))
		st = resource_fields_group(
		    call, config->networks, asked->edge_group, row);
	if (!failed(st))
		st = resource_fields_origin(call, asked->origin, row);
	if (!failed(st))
		st = resource_fields_target(tx, config->zone, row);
	names_done(&making->names);
	if (!failed(st))
		st = resource_fields_names(call, config->zone, row,
		    asked->n_hostnames, asked->hostnames, &making->names);
	row->https = !asked->plain_http;
	row->mode = mode_of(asked);
	row->names_by_operator = call->caller->is == ALLOW_OPERATOR;
	snprintf(row->created_by, sizeof(row->created_by), "%s",
	    call->caller->actor);
	return st;
}

/* What would be refused is, before keyd is asked for anything. */
static struct status
look_first(struct making *making)
{
	scoped(db_end) struct db_tx *tx = NULL;
	struct status st = store_read(making->resources->config.store, &tx);

	if (!failed(st))
		st = plan(making, tx);
	if (!failed(st))
		st = store_resources_check_name(tx, making->call, &making->row);
	if (!failed(st))
		st = store_resources_check_names(
		    tx, making->call, 0, &making->names);
	if (!failed(st))
		st = resources_check_wildcards(
		    making->resources, tx, making->call, 0, &making->names);
	return st;
}

static struct status
prepare_upload(struct making *making)
{
	char network[NETWORK_NAME_MAX];
	upload_msg asked;
	struct status st = look_first(making);

	if (failed(st))
		return st;
	/* The resource's, whatever the upload says. */
	memcpy(network, making->row.network, sizeof(network));
	asked = *making->asked->upload;
	asked.network = network;
	return upload_prepare(making->resources->config.certificates,
	    making->call, making->row.account, &asked, &making->upload);
}

/* ---- the transaction ---- */

/* Those asked for, and the one that came along. */
static struct status
bind_asked(struct making *making, struct db_tx *tx)
{
	const create_msg *asked = making->asked;
	int64_t ids[BINDING_SLOTS + 1];
	size_t n = asked->n_certificates;
	struct status st = status_ok();

	if (n > BINDING_SLOTS)
		return refuse("a resource serves at most three certificates, "
			      "of different kinds of key");
	for (size_t i = 0; i < n; i++)
		ids[i] = asked->certificates[i];
	if (making->upload != NULL)
		st = upload_insert(making->upload, tx, making->call, &ids[n++]);
	return failed(st) ? st
			  : bindings_put(
				tx, making->call, &making->row, ids, n, false);
}

static struct status
bind_what_it_serves(struct making *making, struct db_tx *tx)
{
	struct resource_row *row = &making->row;
	bool changed = false;
	struct status st;

	if (!has_certificate(making->asked)) {
		st = resources_check_shared(
		    making->resources, tx, making->call, row);
		return failed(st)
			   ? st
			   : shared_fill(tx, making->call, row, &changed);
	}
	st = bind_asked(making, tx);
	if (!failed(st) && making->asked->mode != 0 &&
	    row->mode != (int)making->asked->mode)
		st = refuse("the certificates that are to be bound make the "
			    "mode; leave it out");
	return st;
}

static struct status
create_in(struct making *making, struct db_tx *tx)
{
	struct resource_row *row = &making->row;
	struct api_call *call = making->call;
	struct status st = plan(making, tx);

	if (!failed(st))
		st = store_new_version(tx, store_now_s(), &row->version);
	if (!failed(st))
		st = store_resources_insert(tx, call, row);
	if (!failed(st))
		st = resources_check_wildcards(
		    making->resources, tx, call, row->id, &making->names);
	if (!failed(st))
		st = store_resources_set_names(tx, call, row, &making->names);
	if (!failed(st))
		st = store_resources_index(tx, row);
	if (!failed(st))
		st = bind_what_it_serves(making, tx);
	if (!failed(st))
		st = store_resources_save(tx, call, row);
	if (!failed(st))
		st = enrollments_follow(
		    making->resources->config.enrollments, tx, call, row);
	return failed(st) ? st
			  : bindings_event(tx, call, row, "resource created");
}

/* ---- the answer ---- */

static struct status
answer(struct making *making, ProtobufCMessage **ret_reply)
{
	scoped(message_free) ProtobufCMessage *reply = message_new(
	    &holdfast__certd__v1__create_resource_response__descriptor);
	Holdfast__Certd__V1__CreateResourceResponse *to = (void *)reply;
	size_t n = making->upload == NULL ? 0 : upload_n_notes(making->upload);
	struct status st;

	if (to == NULL)
		return message_no_memory();
	for (size_t i = 0; i < n; i++)
		if (!message_append_text(&to->n_notes, &to->notes,
			upload_note(making->upload, i)))
			return message_no_memory();
	to->resource =
	    (void *)message_new(&holdfast__certd__v1__resource__descriptor);
	if (to->resource == NULL)
		return message_no_memory();
	st = resources_show(making->resources, making->row.id, to->resource);
	if (failed(st))
		return st;
	*ret_reply = reply;
	reply = NULL;
	return st;
}

static struct status
keep(struct making *making)
{
	struct store *store = making->resources->config.store;
	struct db_tx *tx;
	struct status st = store_write(store, &tx);

	return failed(st) ? st : store_commit(store, tx, create_in(making, tx));
}

struct status
resources_create(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	scoped(making_done) struct making making = {
		.resources = ctx, .call = call, .asked = (const void *)request
	};
	bool is_kept = false;
	struct status st = check_request(call, making.asked);

	if (!failed(st) && making.asked->upload != NULL)
		st = prepare_upload(&making);
	if (failed(st))
		return st;
	st = keep(&making);
	is_kept = !failed(st);
	if (is_kept) {
		resources_wait(making.resources);
		st = answer(&making, ret_reply);
	}
	upload_done(making.upload, is_kept);
	return st;
}
