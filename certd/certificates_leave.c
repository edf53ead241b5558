/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What leaves: Certificates.Export and Delete.  A private key never does; who
 * asks for it is told why, and what to do instead.  A certificate that a
 * resource holds stays, and the refusal names every holder; one that edges may
 * still serve stays until they were seen without it, unless who is responsible
 * insists.  With the last certificate of a key the key goes too: rows and doom
 * in one transaction, keyd is told by the janitor.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certd/certificates_int.h"
#include "certd/store_bindings.h"
#include "certd/store_edges.h"
#include "certd/store_keys.h"
#include "pki/export.h"
#include "pki/pem.h"
#include "proto/message.h"

#define FORMAT(name) HOLDFAST__CERTD__V1__EXPORT_FORMAT__EXPORT_FORMAT_##name
#define FILE_STEM_MAX 64

/* ---- Export ---- */

/* A kept chain as DER, each at its place in one buffer. */
struct ders {
	uint8_t *octets; /* owned */
	struct bytes at[EXPORT_CERTS_MAX];
	size_t n;
};

static inline void
scoped_ders_done(struct ders *ders)
{
	free(ders->octets);
}

/* What is kept was written here, so it reads, unless the disk lied. */
static struct status
damaged(void)
{
	return status_fail(STATUS_DATA_LOSS,
	    "a certificate of the database is damaged; restore it from a "
	    "backup");
}

static struct status
read_ders(const char *pem, struct ders *ret_ders)
{
	struct pem_reader reader;
	struct pem_block block;
	char why[PEM_WHY_MAX];
	uint8_t *at = ret_ders->octets = malloc(strlen(pem) + 1);
	bool found = true;

	if (at == NULL)
		return message_no_memory();
	pem_reader_init(&reader, bytes_of(pem));
	while (
	    !failed(pem_reader_next(&reader, &block, &found, why)) && found) {
		size_t len = 0;

		if (ret_ders->n == EXPORT_CERTS_MAX ||
		    failed(pem_decode(&block, at, &len, why)))
			return damaged();
		ret_ders->at[ret_ders->n++] = (struct bytes){ at, len };
		at += len;
	}
	return found || ret_ders->n == 0 ? damaged() : status_ok();
}

/* Takes text, which is malloc'd. */
static void
take_text(ProtobufCBinaryData *content, char *text)
{
	content->data = (uint8_t *)text;
	content->len = strlen(text);
}

static struct status
write_content(const char *pem, int format, ProtobufCBinaryData *content)
{
	scoped(ders_done) struct ders ders = { .n = 0 };
	char *text = NULL;
	struct status st = read_ders(pem, &ders);

	if (failed(st))
		return st;
	switch (format) {
	case FORMAT(DER):
		return message_bytes(content, ders.at[0]) ? st
							  : message_no_memory();
	case FORMAT(PKCS7_DER):
		return export_pkcs7(
		    ders.at, ders.n, &content->data, &content->len);
	case FORMAT(PKCS7_PEM):
		st = export_pkcs7_pem(ders.at, ders.n, &text);
		break;
	case FORMAT(PEM):
	default:
		st = export_pem(ders.at, ders.n, &text);
		break;
	}
	if (!failed(st))
		take_text(content, text);
	return st;
}

struct format {
	int format;
	const char *media_type, *ending;
};

static const struct format FORMATS[] = {
	{ FORMAT(PEM), "application/pem-certificate-chain", "pem" },
	{ FORMAT(DER), "application/pkix-cert", "cer" },
	{ FORMAT(PKCS7_PEM), "application/x-pem-file", "p7b" },
	{ FORMAT(PKCS7_DER), "application/x-pkcs7-certificates", "p7b" },
};

static const struct format *
find_format(int format)
{
	if (format == FORMAT(UNSPECIFIED))
		return &FORMATS[0];
	for (size_t i = 0; i < sizeof(FORMATS) / sizeof(FORMATS[0]); i++)
		if (FORMATS[i].format == format)
			return &FORMATS[i];
	return NULL;
}

/* A name that every file system takes, out of the certificate's. */
static void
print_file_name(const struct store_certificate *found, const char *ending,
    char ret_name[FILE_STEM_MAX + 32])
{
	char stem[FILE_STEM_MAX];
	size_t n = 0;

	for (const char *at = found->name; *at != 0 && n < sizeof(stem) - 1;
	     at++)
		if ((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
		    (*at >= '0' && *at <= '9') ||
		    (n > 0 && (*at == '.' || *at == '-')))
			stem[n++] = *at;
		else if (n > 0 && stem[n - 1] != '_')
			stem[n++] = '_';
	stem[n] = 0;
	(void)!snprintf(ret_name, FILE_STEM_MAX + 32, "%s-%" PRId64 ".%s",
	    n == 0 ? "certificate" : stem, found->id, ending);
}

static struct status
refuse_private_key(struct api_call *call, const struct store_certificate *found)
{
	return api_explain(call,
	    status_fail(STATUS_FAILED_PRECONDITION,
		"a private key cannot leave the token"),
	    "the private key of \"%s\" cannot be exported: it is in the token, "
	    "which signs with it and gives it to nobody. For a server that is "
	    "no edge make a new key there, and have a certificate issued for "
	    "it; for edges `holdfast cert csr` makes a new key in the token. "
	    "Without private_key you get the certificate and its chain",
	    found->name);
}

static struct status
write_export(struct db_tx *tx, const struct store_certificate *found,
    const struct format *format,
    Holdfast__Certd__V1__ExportCertificateResponse *reply)
{
	scoped(free) char *pem = NULL;
	char name[FILE_STEM_MAX + 32];
	struct status st = store_certificates_chain(tx, found->id, &pem);

	if (!failed(st))
		st = write_content(pem, format->format, &reply->content);
	print_file_name(found, format->ending, name);
	if (!failed(st) &&
	    (!message_text(&reply->media_type, format->media_type) ||
		!message_text(&reply->file_name, name)))
		st = message_no_memory();
	return st;
}

struct status
certificates_export(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	const struct certificates *certificates = ctx;
	const Holdfast__Certd__V1__ExportCertificateRequest *asked =
	    (const Holdfast__Certd__V1__ExportCertificateRequest *)request;
	const struct format *format = find_format((int)asked->format);
	scoped(message_free) ProtobufCMessage *reply = message_new(
	    &holdfast__certd__v1__export_certificate_response__descriptor);
	scoped(db_end) struct db_tx *tx = NULL;
	struct store_certificate found;
	struct status st;

	if (reply == NULL)
		return message_no_memory();
	if (format == NULL)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "format is PEM, DER, PKCS#7 in PEM or PKCS#7 in DER");
	st = store_read(certificates->config.store, &tx);
	if (!failed(st))
		st = certificates_find_to_read(
		    tx, call->caller, asked->id, &found);
	if (!failed(st) && asked->private_key)
		st = refuse_private_key(call, &found);
	if (!failed(st))
		st = write_export(tx, &found, format,
		    (Holdfast__Certd__V1__ExportCertificateResponse *)reply);
	if (failed(st))
		return st;
	*ret_reply = reply;
	reply = NULL;
	return st;
}

/* ---- Delete ---- */

/* Names of holders, as many as fit. */
struct holders {
	char names[API_WHY_MAX - 200]; /* the rest of the sentence fits too */
	size_t len, n;
};

static bool
add_holder(void *ctx, int64_t resource, const char *name)
{
	struct holders *holders = ctx;
	size_t room = sizeof(holders->names) - holders->len;
	int len = snprintf(holders->names + holders->len, room, "%s%s",
	    holders->n == 0 ? "" : ", ", name);

	(void)resource;
	if (len < 0 || (size_t)len >= room) {
		holders->names[holders->len] = 0;
		return false;
	}
	holders->len += (size_t)len;
	holders->n++;
	return true;
}

static struct status
refuse_held(struct db_tx *tx, struct api_call *call, int64_t id, int64_t bound)
{
	struct holders holders = { .n = 0 };
	char more[48] = "";
	struct status st = store_certificates_holders(
	    tx, id, (size_t)bound, add_holder, &holders);

	if (failed(st))
		return st;
	if ((int64_t)holders.n < bound)
		(void)!snprintf(more, sizeof(more), " and %" PRId64 " more",
		    bound - (int64_t)holders.n);
	return api_explain(call,
	    status_fail(
		STATUS_FAILED_PRECONDITION, "resources hold the certificate"),
	    "certificate %" PRId64 " is bound to %s%s: `holdfast cert replace "
	    "%" PRId64 " NEW` binds another everywhere, then delete",
	    id, holders.names, more, id);
}

static struct status
check_edges(struct db_tx *tx, struct api_call *call, int64_t id, bool force)
{
	unsigned waiting = 0;
	struct status st;

	if (force && (call->caller->is & ALLOW_MANAGE) == 0)
		return api_explain(call,
		    status_fail(STATUS_PERMISSION_DENIED,
			"force is for operators and administrators"),
		    "force is for operators and administrators");
	if (force)
		return status_ok();
	st = edges_waiting(tx, id, store_now_s(), &waiting);
	if (failed(st) || waiting == 0)
		return st;
	return api_explain(call,
	    status_fail(STATUS_FAILED_PRECONDITION,
		"edges were not yet seen without the certificate"),
	    "%u edge%s not yet seen serving what came after certificate "
	    "%" PRId64 ": wait, or look at them with `holdfast edge list`; an "
	    "administrator can force it, and such an edge then fails "
	    "handshakes",
	    waiting, waiting == 1 ? " was" : "s were", id);
}

static struct status
check_renewed(struct db_tx *tx, struct api_call *call, int64_t id)
{
	int64_t enrollment = 0;
	struct status st = store_certificates_renewed_by(tx, id, &enrollment);

	if (failed(st) || enrollment == 0)
		return st;
	return api_explain(call,
	    status_fail(STATUS_FAILED_PRECONDITION,
		"an enrollment keeps the certificate up"),
	    "enrollment %" PRId64 " renews certificate %" PRId64
	    " and would obtain another one; delete the enrollment first",
	    enrollment, id);
}

static struct status
check_leave(struct db_tx *tx, struct api_call *call,
    const Holdfast__Certd__V1__DeleteCertificateRequest *asked,
    struct store_certificate *ret_found)
{
	int64_t bound = 0;
	struct status st =
	    certificates_find(tx, call->caller, asked->id, ret_found);

	if (!failed(st))
		st = store_etag_check(asked->etag, ret_found->revision);
	if (!failed(st))
		st = store_certificates_bound(tx, asked->id, &bound);
	if (!failed(st) && bound > 0)
		st = refuse_held(tx, call, asked->id, bound);
	if (!failed(st))
		st = check_renewed(tx, call, asked->id);
	if (!failed(st))
		st = check_edges(tx, call, asked->id, asked->force);
	return st;
}

static struct status
leave(struct db_tx *tx, struct api_call *call,
    const Holdfast__Certd__V1__DeleteCertificateRequest *asked,
    bool *ret_destroyed)
{
	struct store_certificate found;
	char object[64];
	struct status st = check_leave(tx, call, asked, &found);

	if (!failed(st))
		st = store_certificates_delete(tx, asked->id);
	/* What a retirement kept for edges goes with it. */
	if (!failed(st))
		st = bindings_refresh_grants(tx, &found.key);
	if (!failed(st))
		st = store_keys_drop_unused(tx, &found.key, ret_destroyed);
	if (failed(st))
		return st;
	(void)!snprintf(
	    object, sizeof(object), "certificate %" PRId64, asked->id);
	return store_event(tx, found.account, call->caller->actor,
	    asked->force ? "certificate deleted by force"
			 : "certificate deleted",
	    object, found.name);
}

struct status
certificates_delete(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	const struct certificates *certificates = ctx;
	scoped(message_free) ProtobufCMessage *reply = message_new(
	    &holdfast__certd__v1__delete_certificate_response__descriptor);
	bool destroyed = false;
	struct db_tx *tx;
	struct status st;

	if (reply == NULL)
		return message_no_memory();
	st = store_write(certificates->config.store, &tx);
	if (failed(st))
		return st;
	st = store_commit(certificates->config.store, tx,
	    leave(tx, call,
		(const Holdfast__Certd__V1__DeleteCertificateRequest *)request,
		&destroyed));
	if (failed(st))
		return st;
	((Holdfast__Certd__V1__DeleteCertificateResponse *)reply)
	    ->key_destroyed = destroyed;
	*ret_reply = reply;
	reply = NULL;
	return st;
}
