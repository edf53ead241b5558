/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_UPLOAD_INT_H
#define CERTD_UPLOAD_INT_H

#include "certd/certificates_int.h"
#include "certd/store_keys.h"
#include "certd/upload.h"
#include "pki/bundle.h"

/* Between upload_request.c, which reads what was asked, upload.c, which knows
 * certificates, and upload_key.c, which knows how their key comes into the
 * token. */

#define UPLOAD_NOTES_MAX (BUNDLE_NOTES_MAX + 8)
#define UPLOAD_NOTE_MAX (BUNDLE_NOTE_MAX + 2)

typedef Holdfast__Certd__V1__UploadCertificateRequest upload_request;

struct upload {
	struct certificates *certificates;
	int64_t account;
	char account_name[ACCOUNT_NAME_MAX];
	int64_t account_created_s;
	char actor[ACTOR_MAX];
	char name[CERTIFICATE_NAME_MAX];
	int kind;
	const struct network *network;
	bool names_network; /* the request does */
	int64_t *scope;     /* owned */
	size_t n_scope;
	struct bundle *bundle;
	char *chain_pem;

	struct store_key key;
	/* The key has a row; else it gets one by upload_insert. */
	bool is_stored;
	/* It came in the clear though it was in the token already. */
	bool must_expose;
	/* The intent on record for it, which upload_done ends; or "". */
	char label[CUSTODY_LABEL_MAX];

	char notes[UPLOAD_NOTES_MAX][UPLOAD_NOTE_MAX];
	size_t n_notes;
};

/* Kind, network, scope; refuses what may not be asked for. */
STATUS upload_request_take(
    struct upload *upload, struct api_call *call, const upload_request *asked);
/* The certificates and perhaps the key, as upload->bundle. */
STATUS upload_request_read(
    struct upload *upload, struct api_call *call, const upload_request *asked);
/* The request's texts, if a secret may be among them. */
void upload_request_wipe(
    const struct upload *upload, const upload_request *asked);

/* Refuses what a request may not bring, before anything is read. */
STATUS upload_key_check(const struct upload *upload, struct api_call *call,
    const upload_request *asked);
/*
 * Is the leaf's key there already?  Sets is_stored, and refuses one that cannot
 * be had.  Within the caller's transaction.
 */
STATUS upload_key_find(struct upload *upload, struct api_call *call,
    const upload_request *asked, struct db_tx *tx);
/* Have it unwrapped in the token, unless it is there; wipes it. */
STATUS upload_key_bring(
    struct upload *upload, struct api_call *call, const upload_request *asked);
/* Its row, in the caller's transaction. */
STATUS upload_key_insert(
    struct upload *upload, struct api_call *call, struct db_tx *tx);
/* It came for nothing. */
void upload_key_abandon(struct upload *upload);

#endif
