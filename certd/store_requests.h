/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_STORE_REQUESTS_H
#define CERTD_STORE_REQUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/db.h"
#include "base/signing.h"
#include "base/status.h"
#include "certd/caller.h"
#include "certd/page.h"
#include "certd/store_certificates.h"

/* Requests for certificates that are bought elsewhere, as they are kept.
 * Within the caller's transaction. */
struct store_request {
	int64_t id, account;
	char account_name[ACCOUNT_NAME_MAX];
	char name[CERTIFICATE_NAME_MAX];
	char *hostnames; /* separated by blanks; malloc'd */
	char *csr;       /* PEM; malloc'd */
	int64_t created_s;
	char created_by[ACTOR_MAX];
	int64_t certificate; /* attached; 0: none yet */
	/* Of its key. */
	struct key_id key;
	enum key_alg alg;
	int origin;
	bool exposed;
	char pool[CUSTODY_POOL_MAX];
	char network[NETWORK_NAME_MAX];
};

void store_request_done(struct store_request *request);
static inline void
scoped_store_request_done(struct store_request *request)
{
	store_request_done(request);
}

/* id, created_s and what is the key's are not looked at, but for its id. */
STATUS store_requests_insert(
    struct db_tx *tx, const struct store_request *request, int64_t *ret_id);
/* NOT_FOUND, "there is no such request"; what store_requests_none says. */
STATUS store_requests_find(
    struct db_tx *tx, int64_t id, struct store_request *ret_request);
struct status store_requests_none(void);
/* Newest first. */
STATUS store_requests_list(struct db_tx *tx, const struct page *page,
    struct status (*each)(void *ctx, int64_t id), void *ctx, bool *ret_more);
/* ABORTED when one was attached meanwhile. */
STATUS store_requests_attach(struct db_tx *tx, int64_t id, int64_t certificate);
STATUS store_requests_delete(struct db_tx *tx, int64_t id);

#endif
