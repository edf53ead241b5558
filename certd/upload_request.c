/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a request to upload says: what kind, where to, for what resources, and
 * the octets that people have, which are read here and wiped when there may be
 * a secret in them.  Refused before anything is read: what may not be asked
 * for.
 */

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "certd/caller.h"
#include "certd/known_names.h"
#include "certd/text.h"
#include "certd/upload_int.h"
#include "proto/message.h"

#define KIND_SHARED                                                            \
	HOLDFAST__CERTD__V1__CERTIFICATE_KIND__CERTIFICATE_KIND_SHARED
#define KIND_PERSONAL                                                          \
	HOLDFAST__CERTD__V1__CERTIFICATE_KIND__CERTIFICATE_KIND_PERSONAL

static struct status
bad(struct api_call *call, const char *why)
{
	return api_explain(
	    call, status_fail(STATUS_INVALID_ARGUMENT, why), "%s", why);
}

static struct status
check_kind(
    struct upload *upload, struct api_call *call, const upload_request *asked)
{
	upload->kind = asked->kind == 0 ? KIND_PERSONAL : (int)asked->kind;
	if (upload->kind < KIND_PERSONAL || upload->kind > KIND_SHARED)
		return bad(call, "there is no such kind of certificate");
	if (upload->kind == KIND_SHARED && call->caller->is != ALLOW_OPERATOR)
		return api_explain(call,
		    status_fail(STATUS_PERMISSION_DENIED,
			"only operators add shared certificates"),
		    "only operators add shared certificates; leave the kind "
		    "out to add one of your own");
	if (upload->kind != KIND_PERSONAL && asked->n_scope > 0)
		return bad(call,
		    "a scope is for personal certificates: an ACME one is of "
		    "its resource, a shared one of all");
	return status_ok();
}

static struct status
check_network(
    struct upload *upload, struct api_call *call, const upload_request *asked)
{
	upload->names_network = asked->network[0] != 0;
	upload->network = networks_find(
	    upload->certificates->config.networks, asked->network);
	if (upload->network != NULL)
		return status_ok();
	return known_names_refuse_network(
	    call, upload->certificates->config.networks, asked->network);
}

STATUS
upload_request_take(
    struct upload *upload, struct api_call *call, const upload_request *asked)
{
	struct status st = text_check_line(
	    call, "name", asked->name, 0, CERTIFICATE_NAME_MAX - 1);

	if (!failed(st))
		st = check_kind(upload, call, asked);
	if (!failed(st))
		st = check_network(upload, call, asked);
	if (!failed(st) && asked->n_scope > CERTIFICATE_SCOPE_MAX)
		st = bad(call, "a scope is of 1,000 resources at most");
	if (!failed(st))
		st = upload_key_check(upload, call, asked);
	if (failed(st) || asked->n_scope == 0)
		return st;
	upload->scope = calloc(asked->n_scope, sizeof(*upload->scope));
	if (upload->scope == NULL)
		return message_no_memory();
	memcpy(upload->scope, asked->scope,
	    asked->n_scope * sizeof(*upload->scope));
	upload->n_scope = asked->n_scope;
	return st;
}

/* ---- what people have ---- */

static struct status
ask_passphrase(void *ctx, struct secret **ret_passphrase)
{
	const char *text = ctx;
	size_t len = strlen(text) + 1;
	struct secret *passphrase = secret_new(len);

	if (passphrase == NULL)
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "no locked memory is left");
	memcpy(secret_at(passphrase), text, len);
	*ret_passphrase = passphrase;
	return status_ok();
}

STATUS
upload_request_read(
    struct upload *upload, struct api_call *call, const upload_request *asked)
{
	const Holdfast__Certd__V1__CertificateParts *parts = asked->parts;
	char why[BUNDLE_WHY_MAX] = "";
	struct bundle_input input = { .n_parts = 0 };
	struct status st;

	if (asked->passphrase[0] != 0)
		input.passphrase = (struct key_file_passphrase){ ask_passphrase,
			asked->passphrase };
	if (parts != NULL) {
		input.parts[input.n_parts++] = bytes_of(parts->certificate);
		input.parts[input.n_parts++] = bytes_of(parts->intermediate);
		input.parts[input.n_parts++] = bytes_of(parts->ca_bundle);
		input.parts[input.n_parts++] =
		    (struct bytes){ parts->data.data, parts->data.len };
	}
	input.parts[input.n_parts++] = bytes_of(asked->private_key);
	st = bundle_read(&input, &upload->bundle, why);
	if (!failed(st))
		return st;
	/* Who calls was never in doubt: it is what was sent that is wrong. */
	if (st.code == STATUS_PERMISSION_DENIED)
		st.code = STATUS_INVALID_ARGUMENT;
	return api_explain(call, st, "%s", why);
}

/* ---- secrets ---- */

/* Could there be one in it?  What could not be read may hold one. */
static bool
may_hold_secret(const struct upload *upload, const upload_request *asked)
{
	return upload->bundle == NULL || upload->bundle->has_key ||
	       asked->private_key[0] != 0 || asked->passphrase[0] != 0;
}

static void
wipe(char *text)
{
	OPENSSL_cleanse(text, strlen(text));
}

void
upload_request_wipe(const struct upload *upload, const upload_request *asked)
{
	const Holdfast__Certd__V1__CertificateParts *parts = asked->parts;

	if (!may_hold_secret(upload, asked))
		return;
	wipe(asked->private_key);
	wipe(asked->passphrase);
	if (parts == NULL)
		return;
	wipe(parts->certificate);
	wipe(parts->intermediate);
	wipe(parts->ca_bundle);
	if (parts->data.len > 0)
		OPENSSL_cleanse(parts->data.data, parts->data.len);
}
