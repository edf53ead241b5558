/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Adding a certificate; see upload.h.  Read prepare: what people sent is put in
 * order and checked by pki/bundle.h, then against what the account has, and
 * only then is keyd asked for its key (upload_key.c).  Refused with a sentence
 * each: what may not be served, a certificate that is there already, names
 * outside of the operator's zone for a shared one, a scope of other resources.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certd/caller.h"
#include "certd/store_accounts.h"
#include "certd/upload_int.h"
#include "proto/message.h"

#define KIND_SHARED                                                            \
	HOLDFAST__CERTD__V1__CERTIFICATE_KIND__CERTIFICATE_KIND_SHARED
/* ---- notes ---- */

size_t
upload_n_notes(const struct upload *upload)
{
	return upload->n_notes;
}

const char *
upload_note(const struct upload *upload, size_t i)
{
	return upload->notes[i];
}

void
upload_add_note(struct upload *upload, const char *format, ...)
{
	va_list args;

	if (upload->n_notes == UPLOAD_NOTES_MAX)
		return;
	va_start(args, format);
	(void)!vsnprintf(
	    upload->notes[upload->n_notes++], UPLOAD_NOTE_MAX, format, args);
	va_end(args);
}

/* Of a clause that pki/bundle.h gives, a sentence. */
static void
add_clause(struct upload *upload, const char *clause)
{
	size_t at = upload->n_notes;

	upload_add_note(upload, "%s.", clause);
	if (upload->n_notes > at && upload->notes[at][0] >= 'a' &&
	    upload->notes[at][0] <= 'z')
		upload->notes[at][0] -= 'a' - 'A';
}

static void
take_notes(struct upload *upload)
{
	for (size_t i = 0; i < upload->bundle->n_notes; i++)
		add_clause(upload, upload->bundle->notes[i]);
}

/* ---- the certificate ---- */

static struct status
check_bundle(struct upload *upload, struct api_call *call, struct bytes spki)
{
	const struct bundle_policy policy = { .now_s = store_now_s(),
		.key_spki = spki };
	char why[BUNDLE_WHY_MAX] = "";
	struct status st = bundle_check(upload->bundle, &policy, why);

	if (failed(st))
		return api_explain(call, st, "%s", why);
	take_notes(upload);
	return bundle_fullchain(upload->bundle, &upload->chain_pem);
}

/* name is the zone's, or ends with it behind a dot. */
static bool
is_in_zone(const char *name, const char *zone)
{
	size_t n = strlen(name), z = strlen(zone);

	return n >= z && strcmp(name + n - z, zone) == 0 &&
	       (n == z || name[n - z - 1] == '.');
}

static struct status
check_zone(struct upload *upload, struct api_call *call)
{
	const char *zone = upload->certificates->config.zone;
	const struct pki_cert *leaf = upload->bundle->leaf;

	if (upload->kind != KIND_SHARED || zone == NULL || zone[0] == 0)
		return status_ok();
	for (size_t i = 0; i < leaf->n_names; i++)
		if (!is_in_zone(leaf->names[i], zone))
			return api_explain(call,
			    status_fail(STATUS_FAILED_PRECONDITION,
				"a shared certificate is for the operator's "
				"own zone"),
			    "a shared certificate is for names in the "
			    "operator's own zone, %s; \"%s\" is not in it",
			    zone, leaf->names[i]);
	return status_ok();
}

/* ---- what the account has ---- */

static struct status
check_new(struct upload *upload, struct api_call *call, struct db_tx *tx)
{
	struct store_certificate there;
	int64_t id = 0;
	struct status st = store_certificates_by_fingerprint(
	    tx, upload->account, upload->bundle->leaf->fingerprint, &id);

	if (!failed(st))
		st = store_certificates_find(tx, id, &there);
	if (st.code == STATUS_NOT_FOUND)
		return status_ok();
	if (failed(st))
		return st;
	return api_explain(call,
	    status_fail(STATUS_ALREADY_EXISTS,
		"the account has this certificate already"),
	    "this certificate is there already: it is %lld, \"%s\"",
	    (long long)id, there.name);
}

static struct status
check_scope(struct upload *upload, struct api_call *call, struct db_tx *tx)
{
	int64_t missing = 0;
	struct status st = store_certificates_check_scope(
	    tx, upload->account, upload->scope, upload->n_scope, &missing);

	if (st.code == STATUS_NOT_FOUND)
		return api_explain(call, st,
		    "there is no resource %lld for the scope",
		    (long long)missing);
	return st;
}

static struct status
check_account(struct upload *upload, struct api_call *call,
    const upload_request *asked, struct db_tx *tx)
{
	struct store_account account;
	struct status st = store_accounts_get(tx, upload->account, &account);

	if (failed(st))
		return st;
	memcpy(
	    upload->account_name, account.name, sizeof(upload->account_name));
	upload->account_created_s = account.created_s;
	st = check_new(upload, call, tx);
	if (!failed(st))
		st = check_scope(upload, call, tx);
	if (!failed(st))
		st = upload_key_find(upload, call, asked, tx);
	return st;
}

static struct status
look_at_account(
    struct upload *upload, struct api_call *call, const upload_request *asked)
{
	struct db_tx *tx;
	struct status st = store_read(upload->certificates->config.store, &tx);

	if (failed(st))
		return st;
	st = check_account(upload, call, asked, tx);
	db_end(tx);
	return st;
}

/* ---- prepare ---- */

static struct status
prepare(struct upload *upload, struct api_call *call,
    const upload_request *asked, struct bytes spki)
{
	struct status st = upload_request_take(upload, call, asked);

	if (!failed(st))
		st = upload_request_read(upload, call, asked);
	upload_request_wipe(upload, asked);
	if (!failed(st))
		st = check_bundle(upload, call, spki);
	if (!failed(st))
		st = check_zone(upload, call);
	if (!failed(st))
		st = look_at_account(upload, call, asked);
	if (failed(st))
		return st;
	/* bundle_check saw to it that there is one; cut, it is still ASCII. */
	(void)!snprintf(upload->name, sizeof(upload->name), "%s",
	    asked->name[0] != 0 ? asked->name : upload->bundle->leaf->names[0]);
	return asked->validate_only ? status_ok()
				    : upload_key_bring(upload, call, asked);
}

static struct status
prepare_new(struct certificates *certificates, struct api_call *call,
    int64_t account, const upload_request *asked, struct bytes spki,
    struct upload **ret_upload)
{
	struct upload *upload = calloc(1, sizeof(*upload));
	struct status st;

	if (upload == NULL)
		return message_no_memory();
	upload->certificates = certificates;
	upload->account = account;
	(void)!snprintf(
	    upload->actor, sizeof(upload->actor), "%s", call->caller->actor);
	st = prepare(upload, call, asked, spki);
	if (failed(st)) {
		upload_done(upload, false);
		return st;
	}
	*ret_upload = upload;
	return st;
}

STATUS
upload_prepare(struct certificates *certificates, struct api_call *call,
    int64_t account, const Holdfast__Certd__V1__UploadCertificateRequest *asked,
    struct upload **ret_upload)
{
	struct bytes spki = { NULL, 0 };

	if (asked->wrapped_key != NULL)
		spki = (struct bytes){ asked->wrapped_key->spki.data,
			asked->wrapped_key->spki.len };
	return prepare_new(
	    certificates, call, account, asked, spki, ret_upload);
}

STATUS
upload_prepare_for(struct certificates *certificates, struct api_call *call,
    int64_t account, const Holdfast__Certd__V1__UploadCertificateRequest *asked,
    const struct key_id *key, struct upload **ret_upload)
{
	struct store_key row;
	struct db_tx *tx;
	struct status st = store_read(certificates->config.store, &tx);

	if (failed(st))
		return st;
	st = store_keys_find(tx, key, &row);
	db_end(tx);
	if (failed(st))
		return st;
	return prepare_new(certificates, call, account, asked,
	    (struct bytes){ row.spki, row.spki_len }, ret_upload);
}

/* ---- insert ---- */

static struct status
insert_row(struct upload *upload, struct api_call *call, struct db_tx *tx,
    int64_t *ret_id)
{
	const struct pki_cert *leaf = upload->bundle->leaf;
	const struct store_certificate_new new = {
		.account = upload->account,
		.name = upload->name,
		.kind = upload->kind,
		.key = &upload->key.id,
		.fingerprint = leaf->fingerprint,
		.subject = leaf->subject_cn[0] != 0 ? leaf->subject_cn
						    : leaf->names[0],
		.issuer = leaf->issuer,
		.serial = leaf->serial,
		.not_before_s = leaf->not_before_s,
		.not_after_s = leaf->not_after_s,
		.created_by = call->caller->actor,
		.hostnames = leaf->names,
		.n_hostnames = leaf->n_names,
		.chain_pem = upload->chain_pem,
		.scope = upload->scope,
		.n_scope = upload->n_scope,
	};

	return store_certificates_insert(tx, &new, ret_id);
}

static struct status
put_on_record(
    struct upload *upload, struct api_call *call, struct db_tx *tx, int64_t id)
{
	char object[64], detail[256], key[KEY_ID_TEXT_MAX];

	key_id_print(&upload->key.id, key);
	(void)!snprintf(
	    object, sizeof(object), "certificate %lld", (long long)id);
	(void)!snprintf(detail, sizeof(detail), "%s, key %.16s%s", upload->name,
	    key, upload->key.exposed ? ", which was in the clear" : "");
	return store_event(tx, upload->account, call->caller->actor,
	    "certificate uploaded", object, detail);
}

STATUS
upload_insert(struct upload *upload, struct db_tx *tx, struct api_call *call,
    int64_t *ret_certificate)
{
	const struct certificates_config *config =
	    &upload->certificates->config;
	int64_t id = 0;
	/* Once more: others were at work since upload_prepare. */
	struct status st = check_new(upload, call, tx);

	if (!failed(st))
		st = check_scope(upload, call, tx);
	if (!failed(st))
		st = upload_key_insert(upload, call, tx);
	if (!failed(st))
		st = insert_row(upload, call, tx, &id);
	if (!failed(st))
		st = put_on_record(upload, call, tx, id);
	if (!failed(st) && upload->kind == KIND_SHARED &&
	    config->shared_added != NULL)
		st = config->shared_added(tx, call, id);
	if (!failed(st))
		*ret_certificate = id;
	return st;
}

/* ---- facts, end ---- */

void
upload_facts(const struct upload *upload, struct store_certificate *ret_facts)
{
	const struct pki_cert *leaf = upload->bundle->leaf;
	struct store_certificate *facts = ret_facts;

	memset(facts, 0, sizeof(*facts));
	facts->account = upload->account;
	facts->kind = upload->kind;
	memcpy(facts->account_name, upload->account_name,
	    sizeof(facts->account_name));
	memcpy(facts->name, upload->name, sizeof(facts->name));
	memcpy(
	    facts->fingerprint, leaf->fingerprint, sizeof(facts->fingerprint));
	(void)!snprintf(facts->subject, sizeof(facts->subject), "%s",
	    leaf->subject_cn[0] != 0 ? leaf->subject_cn : leaf->names[0]);
	memcpy(facts->issuer, leaf->issuer, sizeof(facts->issuer));
	memcpy(facts->serial, leaf->serial, sizeof(facts->serial));
	facts->not_before_s = leaf->not_before_s;
	facts->not_after_s = leaf->not_after_s;
	memcpy(facts->created_by, upload->actor, sizeof(facts->created_by));
	facts->key = leaf->key_id;
	facts->alg = leaf->alg;
	facts->origin = upload->key.origin;
	facts->exposed = upload->key.exposed;
	(void)!snprintf(facts->pool, sizeof(facts->pool), "%s",
	    upload->is_stored ? upload->key.pool : upload->network->pool);
	(void)!snprintf(facts->network, sizeof(facts->network), "%s",
	    upload->is_stored ? upload->key.network : upload->network->name);
}

const struct pki_cert *
upload_leaf(const struct upload *upload)
{
	return upload->bundle->leaf;
}

void
upload_done(struct upload *upload, bool committed)
{
	if (upload == NULL)
		return;
	if (!committed && upload->label[0] != 0)
		upload_key_abandon(upload);
	bundle_free(upload->bundle);
	free(upload->chain_pem);
	free(upload->scope);
	free(upload);
}
