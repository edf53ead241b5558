/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Certificates as callers see them; see certificate_view.h.  Whether a caller
 * may see one at all was decided before; here only who holds a shared one is
 * kept from other accounts.
 */

#include "certd/certificate_view.h"

#include <stdlib.h>

#include "certd/store.h"
#include "certd/store_edges.h"
#include "proto/message.h"

#define DAY_S 86400
#define SHARED HOLDFAST__CERTD__V1__CERTIFICATE_KIND__CERTIFICATE_KIND_SHARED

typedef Holdfast__Certd__V1__Certificate certificate_msg;

/* ---- facts ---- */

STATUS
certificate_view_key(const struct key_id *id, enum key_alg alg, int origin,
    bool exposed, Holdfast__Certd__V1__CertificateKey **ret_key)
{
	Holdfast__Certd__V1__CertificateKey *key =
	    (Holdfast__Certd__V1__CertificateKey *)message_new(
		&holdfast__certd__v1__certificate_key__descriptor);
	char text[KEY_ID_TEXT_MAX];

	if (key == NULL)
		return message_no_memory();
	*ret_key = key; /* the message's, whatever comes */
	key_id_print(id, text);
	/* The numbers of alg are those of the .proto. */
	key->algorithm = (Holdfast__Keyd__V1__KeyAlgorithm)alg;
	key->origin = (Holdfast__Keyd__V1__KeyOrigin)origin;
	key->exposed = exposed;
	return message_text(&key->id, text) ? status_ok() : message_no_memory();
}

bool
certificate_view_place(Holdfast__Certd__V1__CertificateKey *key,
    const char *pool, const char *network)
{
	return message_text(&key->pool, pool) &&
	       message_text(&key->network, network);
}

/* Rounded down: -1 from the second on in which it has expired. */
static int32_t
days_left(int64_t not_after_s, int64_t now_s)
{
	int64_t left_s = not_after_s - now_s;
	int64_t days = left_s / DAY_S - (left_s % DAY_S < 0);

	return days > INT32_MAX   ? INT32_MAX
	       : days < INT32_MIN ? INT32_MIN
				  : (int32_t)days;
}

static bool
fill_texts(const struct store_certificate *from, certificate_msg *view)
{
	char fingerprint[PKI_FINGERPRINT_TEXT_MAX], etag[STORE_ETAG_MAX] = "";

	bytes_to_hex((struct bytes){ from->fingerprint, PKI_FINGERPRINT_LEN },
	    fingerprint);
	if (from->revision != 0)
		store_etag_print(from->revision, etag);
	return message_text(&view->account, from->account_name) &&
	       message_text(&view->name, from->name) &&
	       message_text(&view->subject, from->subject) &&
	       message_text(&view->issuer, from->issuer) &&
	       message_text(&view->serial, from->serial) &&
	       message_text(&view->fingerprint, fingerprint) &&
	       message_text(&view->created_by, from->created_by) &&
	       message_text(&view->etag, etag);
}

static struct status
fill_facts(const struct store_certificate *from, certificate_msg *view)
{
	struct status st;

	view->id = from->id;
	view->kind = (Holdfast__Certd__V1__CertificateKind)from->kind;
	view->not_before_s = from->not_before_s;
	view->not_after_s = from->not_after_s;
	view->created_s = from->created_s;
	view->expires_in_days = days_left(from->not_after_s, store_now_s());
	if (!fill_texts(from, view))
		return message_no_memory();
	st = certificate_view_key(
	    &from->key, from->alg, from->origin, from->exposed, &view->key);
	if (!failed(st) &&
	    !certificate_view_place(view->key, from->pool, from->network))
		st = message_no_memory();
	return st;
}

/* ---- lists within it ---- */

/* A repeated field that is being filled. */
struct filling {
	size_t *n;
	void *items; /* of it */
	bool no_memory;
};

static bool
add_resource(void *ctx, int64_t id, const char *name)
{
	struct filling *filling = ctx;
	Holdfast__Certd__V1__ResourceRef *ref = message_append(filling->n,
	    filling->items, &holdfast__certd__v1__resource_ref__descriptor);

	filling->no_memory = ref == NULL || !message_text(&ref->name, name);
	if (ref != NULL)
		ref->id = id;
	return !filling->no_memory;
}

static bool
add_hostname(void *ctx, const char *name)
{
	struct filling *filling = ctx;

	filling->no_memory =
	    !message_append_text(filling->n, (char ***)filling->items, name);
	return !filling->no_memory;
}

static struct status
end(struct status st, const struct filling *filling)
{
	return !failed(st) && filling->no_memory ? message_no_memory() : st;
}

static struct status
fill_hostnames(struct db_tx *tx, int64_t id, certificate_msg *view)
{
	struct filling filling = { &view->n_hostnames, &view->hostnames,
		false };

	return end(store_certificates_hostnames(tx, id, add_hostname, &filling),
	    &filling);
}

static struct status
fill_scope(struct db_tx *tx, int64_t id, certificate_msg *view)
{
	struct filling filling = { &view->n_scope, &view->scope, false };

	return end(
	    store_certificates_scope(tx, id, add_resource, &filling), &filling);
}

static struct status
fill_holders(struct db_tx *tx, int64_t id, size_t max, certificate_msg *view)
{
	struct filling filling = { &view->n_resources, &view->resources,
		false };
	unsigned waiting = 0;
	int64_t bound = 0;
	struct status st =
	    end(store_certificates_holders(tx, id, max, add_resource, &filling),
		&filling);

	if (!failed(st))
		st = store_certificates_bound(tx, id, &bound);
	if (!failed(st))
		st = edges_waiting(tx, id, store_now_s(), &waiting);
	view->bound = (uint32_t)bound;
	view->waiting_edges = waiting;
	return st;
}

static struct status
fill_chain(struct db_tx *tx, int64_t id, certificate_msg *view)
{
	scoped(free) char *pem = NULL;
	struct status st = store_certificates_chain(tx, id, &pem);

	if (!failed(st) && !message_text(&view->chain_pem, pem))
		st = message_no_memory();
	return st;
}

STATUS
certificate_view_fill(struct db_tx *tx, const struct caller *caller,
    const struct store_certificate *from, bool whole,
    Holdfast__Certd__V1__Certificate *ret_view)
{
	const size_t holders =
	    whole ? CERTIFICATE_VIEW_HOLDERS_ALL : CERTIFICATE_VIEW_HOLDERS;
	struct status st = fill_facts(from, ret_view);

	if (!failed(st))
		st = fill_hostnames(tx, from->id, ret_view);
	if (!failed(st))
		st = fill_scope(tx, from->id, ret_view);
	/* A shared one's are of all accounts, whatever account keeps it. */
	if (!failed(st) && caller_sees(caller, from->account) &&
	    (from->kind != SHARED || caller_sees_all(caller)))
		st = fill_holders(tx, from->id, holders, ret_view);
	if (!failed(st) && whole)
		st = fill_chain(tx, from->id, ret_view);
	return st;
}

STATUS
certificate_view_upload(
    const struct upload *upload, Holdfast__Certd__V1__Certificate *ret_view)
{
	const struct pki_cert *leaf = upload_leaf(upload);
	struct store_certificate facts;
	struct filling filling = { &ret_view->n_hostnames, &ret_view->hostnames,
		false };
	struct status st;

	upload_facts(upload, &facts);
	st = fill_facts(&facts, ret_view);
	for (size_t i = 0; !failed(st) && i < leaf->n_names; i++)
		if (!add_hostname(&filling, leaf->names[i]))
			st = message_no_memory();
	return st;
}
