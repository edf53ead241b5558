/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_STORE_FIT_H
#define CERTD_STORE_FIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/db.h"
#include "base/signing.h"
#include "base/status.h"
#include "certd/api.h"
#include "certd/names.h"
#include "certd/networks.h"
#include "certd/store_resources.h"

/*
 * Whether a certificate fits a resource: the rules of binding, one place for
 * all who bind.
 */
struct fit_certificate {
	int64_t id, account;
	char name[RESOURCE_NAME_MAX];
	int kind; /* KIND_... */
	struct key_id key;
	int slot;       /* bindings' */
	bool is_scoped; /* to some resources */
	char network[NETWORK_NAME_MAX], pool[NETWORK_NAME_MAX];
	int64_t not_before_s, not_after_s;
	int64_t revision;
};

/* NOT_FOUND when there is none; whether the caller may know of it is not asked.
 */
STATUS store_fit_load(
    struct db_tx *tx, int64_t certificate, struct fit_certificate *ret_facts);
STATUS store_fit_names(
    struct db_tx *tx, int64_t certificate, struct names *ret_names);

/* NOT_FOUND in the words that tell nothing. */
struct status store_fit_no_such(void);

/*
 * May it be bound there?  Account, kind, network, scope, dates and host names,
 * in this order; else the sentence in call->why says which rule and what to do:
 * NOT_FOUND for a certificate of an account that is not the resource's (who
 * sees all gets FAILED_PRECONDITION), FAILED_PRECONDITION for the rest.
 * covered: the certificate's host names; NULL has them read.
 */
STATUS store_fit_check(struct db_tx *tx, struct api_call *call,
    const struct resource_row *row, const struct fit_certificate *facts,
    const struct names *covered, int64_t now_s);

/* The rule of host names alone. */
STATUS store_fit_check_names(struct db_tx *tx, struct api_call *call,
    const struct resource_row *row, const struct fit_certificate *facts,
    const struct names *covered);

/*
 * The ids of shared certificates that are valid, of this network, and have a
 * host name that covers name, the one that is valid longest first; at most max.
 * *ret_n counts them; ret_ids holds rubbish behind those, or on failure.
 */
STATUS store_fit_shared(struct db_tx *tx, const char *name, const char *network,
    int64_t now_s, int64_t *ret_ids, size_t max, size_t *ret_n);

#endif
