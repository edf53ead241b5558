/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CERTIFICATES_H
#define CERTD_CERTIFICATES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/db.h"
#include "base/scoped.h"
#include "base/status.h"
#include "certd/api.h"
#include "certd/custody.h"
#include "certd/networks.h"
#include "certd/store.h"

/*
 * The service Certificates, all of it but Replace.  A certificate is put in,
 * shown, named, exported and taken away; what it is never changes.  Its private
 * key is in the token: what comes here is wrapped for it, or was in the clear
 * and is marked so for ever.  Any thread.
 */
struct certificates;

/* All borrowed, and longer there than the service. */
struct certificates_config {
	struct store *store;
	struct custody *custody;
	const struct networks *networks;
	/* The operator's own zone; SHARED certificates are for names in it.
	 * NULL or "": for any. */
	const char *zone;
	/* Take private keys in the clear, too. */
	bool allow_exposed_upload;
	/* Told of each new SHARED certificate, in the transaction that adds it
	 * (shared_apply_all); may be NULL. */
	struct status (*shared_added)(
	    struct db_tx *tx, struct api_call *call, int64_t certificate);
	/* Around the binding of an ACME certificate that was uploaded for a
	 * resource, in its transaction: may it be (acme_allow), and what
	 * follows (acme_bound).  Either may be NULL. */
	struct status (*acme_allow)(
	    struct db_tx *tx, struct api_call *call, int64_t resource);
	struct status (*acme_bound)(void *ctx, struct db_tx *tx,
	    struct api_call *call, int64_t resource);
	void *acme_ctx;
};

STATUS certificates_new(const struct certificates_config *config,
    struct certificates **ret_certificates);
STATUS certificates_register(
    struct certificates *certificates, struct api *api);
void certificates_free(struct certificates *certificates); /* NULL: allowed */
SCOPED_RELEASE(certificates_free, struct certificates *);

#endif
