/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_STORE_BINDINGS_H
#define CERTD_STORE_BINDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/db.h"
#include "base/signing.h"
#include "base/status.h"
#include "certd/api.h"
#include "certd/key_set.h"

/*
 * Bindings: which certificates a resource serves.  All within the caller's
 * transaction; each act gives the resource a new edge version, puts retired
 * certificates on record, and brings grant_ rows to what is wanted.
 */

#define BINDING_SLOTS 3

struct resource_row; /* certd/store_resources.h */

/* 1 ECDSA, 2 RSA, 3 Ed25519; 0 when it is none. */
int binding_slot(enum key_alg alg);

/*
 * Serve these and no others.  Each must be of the resource's account or shared,
 * cover every host name, fit network and scope, not be expired, and no two of
 * one slot; else FAILED_PRECONDITION or INVALID_ARGUMENT with the sentence in
 * call->why.  What is replaced keeps its grant until edges were seen serving
 * what came after (store_edges.h).  Sets https and mode personal, or acme and
 * shared as the certificates are.
 */
STATUS bindings_set(struct db_tx *tx, struct api_call *call, int64_t resource,
    const int64_t *certificates, size_t n);

/* Take these away, all for n 0; their keys' grants go at once. */
STATUS bindings_clear(struct db_tx *tx, struct api_call *call, int64_t resource,
    const int64_t *certificates, size_t n);

/*
 * Bind new wherever old is bound, all or nothing, as one new edge version; each
 * with its id and name, in order.  FAILED_PRECONDITION names the resources that
 * the new one does not fit, or says that old is bound nowhere.
 */
STATUS bindings_replace(struct db_tx *tx, struct api_call *call, int64_t old_id,
    int64_t new_id, bool (*each)(void *ctx, int64_t resource, const char *name),
    void *ctx);

/* Who holds a certificate, by id, at most max; *ret_n counts all. */
STATUS bindings_holders(struct db_tx *tx, int64_t certificate, size_t max,
    bool (*each)(void *ctx, int64_t resource, const char *name), void *ctx,
    size_t *ret_n);

/* Bring a key's grant_ rows to what bindings and retirements want. */
STATUS bindings_refresh_grants(struct db_tx *tx, const struct key_id *key);

/* Add the keys of all that a resource binds, or did and retired, and of its
 * standby certificate. */
STATUS bindings_keys(struct db_tx *tx, int64_t resource, struct key_set *keys);

/* ---- for acts that change more of a resource than this ---- */

/*
 * bindings_set and bindings_clear on a row that the caller saves afterwards
 * (store_resources_save): they set https, mode and version in it, and keep no
 * event. bindings_put leaves the mode alone with keep_mode.
 */
STATUS bindings_put(struct db_tx *tx, struct api_call *call,
    struct resource_row *row, const int64_t *certificates, size_t n,
    bool keep_mode);
STATUS bindings_take(struct db_tx *tx, struct api_call *call,
    struct resource_row *row, const int64_t *certificates, size_t n);

/*
 * The row's https or edge_group was changed (from old_group): what is bound is
 * served there now, the old group's edges lose the site and the right to sign
 * at once.  Makes a version.
 */
STATUS bindings_moved(
    struct db_tx *tx, struct resource_row *row, const char *old_group);

/* It is going to be deleted: its edges lose it.  After bindings_take of all. */
STATUS bindings_leave(struct db_tx *tx, const struct resource_row *row);

/* Put down what is bound now, for auditors. */
STATUS bindings_event(struct db_tx *tx, const struct api_call *call,
    const struct resource_row *row, const char *act);

/* Host names were changed: is what is bound still for all of them? */
STATUS bindings_recheck(
    struct db_tx *tx, struct api_call *call, const struct resource_row *row);

struct binding {
	int64_t certificate;
	int slot;
	int kind; /* KIND_... */
	int64_t not_before_s, not_after_s;
	struct key_id key;
};

/* In order of their slots; at most BINDING_SLOTS. */
STATUS bindings_of(struct db_tx *tx, int64_t resource,
    struct binding ret_bindings[BINDING_SLOTS], size_t *ret_n);

#endif
