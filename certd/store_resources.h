/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_STORE_RESOURCES_H
#define CERTD_STORE_RESOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"
#include "certd/api.h"
#include "certd/caller.h"
#include "certd/names.h"
#include "certd/networks.h"

/*
 * Resources as they are kept: rows, host names, the text that is searched, and
 * lists.  All within the caller's transaction.  What a resource binds is in
 * store_bindings.h.
 */
#define RESOURCE_NAME_MAX 101
#define RESOURCE_ORIGIN_MAX 262 /* a host name, a colon and a port */
#define RESOURCE_HOSTNAMES_MAX 100

/* holdfast.certd.v1.ResourceMode and CertificateKind, as they are kept; what is
 * bound makes the mode, so the first three are the same. */
enum {
	MODE_PERSONAL = 1,
	MODE_ACME = 2,
	MODE_SHARED = 3,
	MODE_AUTOMATIC = 4,
};
enum {
	KIND_PERSONAL = 1,
	KIND_ACME = 2,
	KIND_SHARED = 3,
};

struct resource_row {
	int64_t id, account;
	char account_name[ACCOUNT_NAME_MAX];
	char name[RESOURCE_NAME_MAX];
	char network[NETWORK_NAME_MAX];
	char edge_group[NETWORK_NAME_MAX];
	/* Without a dot when no zone was configured: there is none. */
	char target[HOSTNAME_MAX];
	char origin_host[RESOURCE_ORIGIN_MAX]; /* empty: none */
	int origin_mode;
	bool https;
	int mode;
	int64_t created_s, changed_s;
	char created_by[ACTOR_MAX];
	int64_t version, revision;
	/* An operator gave it all of its host names. */
	bool names_by_operator;
};

/* NOT_FOUND when there is none, or (find) none that the caller may see. */
STATUS store_resources_load(
    struct db_tx *tx, int64_t id, struct resource_row *ret_row);
STATUS store_resources_find(struct db_tx *tx, const struct caller *caller,
    int64_t id, struct resource_row *ret_row);

/*
 * A new row, to be saved once more when it is whole; sets id, created_s and
 * changed_s.  version is the caller's.  ALREADY_EXISTS: the account has one of
 * that name (call->why), or the target is taken (call->why stays empty).
 */
STATUS store_resources_insert(
    struct db_tx *tx, struct api_call *call, struct resource_row *row);
/* Is the name free in its account?  ALREADY_EXISTS says which has it. */
STATUS store_resources_check_name(
    struct db_tx *tx, struct api_call *call, const struct resource_row *row);
/* Write back what may change; revision goes up by one, in row too.
 * ALREADY_EXISTS as above. */
STATUS store_resources_save(
    struct db_tx *tx, struct api_call *call, struct resource_row *row);
/* The row and its host names; bindings must be gone. */
STATUS store_resources_delete(struct db_tx *tx, const struct resource_row *row);

/* ---- host names ---- */

/* In order of the alphabet. */
STATUS store_resources_names(
    struct db_tx *tx, int64_t id, struct names *ret_names);
/*
 * These and no others, no two the same.  ALREADY_EXISTS when another resource
 * has one; whose it is only the caller learns who may see that resource.
 */
STATUS store_resources_set_names(struct db_tx *tx, struct api_call *call,
    const struct resource_row *row, const struct names *names);
/* Who has the name, as host name or target; NOT_FOUND: nobody. */
STATUS store_resources_holder(
    struct db_tx *tx, const char *name, int64_t *ret_resource);
/* The same look without a change; id 0: of a resource that is to be. */
STATUS store_resources_check_names(struct db_tx *tx, struct api_call *call,
    int64_t id, const struct names *names);

/* Is it no resource's target and no host name? */
STATUS store_resources_target_is_free(
    struct db_tx *tx, const char *target, bool *ret_free);

/* What a search finds (certd/search.h); after each change of the name or of
 * host names. */
STATUS store_resources_index(struct db_tx *tx, const struct resource_row *row);

/* Certificates that it binds, by kind of key: id, name, kind, fingerprint,
 * not_after_s, since_s, the key's algorithm. */
STATUS store_resources_bound(
    struct db_tx *tx, int64_t id, struct db_rows **ret_rows);

/* ---- lists ---- */

#define RESOURCES_TOKEN_MAX (2 * RESOURCE_NAME_MAX + 32)
#define RESOURCES_LIST_WALK 5000

struct store_resources_query {
	int64_t account; /* 0: of all */
	const char *search;
	const char *order_by;
	const char *edge_group; /* empty: of all */
	int64_t certificate;    /* 0: whatever they hold */
	uint32_t size;
	const char *page_token;
};

/*
 * Rows to each, which returns false when memory ends.  What a page costs is
 * bounded: where no word and no certificate leaves few, the list is walked past
 * RESOURCES_LIST_WALK rows at most, so a page may hold fewer than asked for,
 * even none, and yet not be the last one: *ret_token is empty after that.
 * INVALID_ARGUMENT for an order there is not, a token that no such list gave,
 * and a search that asks for nothing.
 */
STATUS store_resources_list(struct db_tx *tx,
    const struct store_resources_query *query,
    bool (*each)(void *ctx, const struct resource_row *row), void *ctx,
    char ret_token[RESOURCES_TOKEN_MAX]);

/* For store_resources_list.c: the columns of a row, in order, of tables r
 * (resource) and a (account). */
#define RESOURCES_COLUMNS                                                      \
	"r.id, r.account, a.name, r.name, r.network, r.edge_group, r.target,"  \
	" r.origin_host, r.origin_mode, r.https, r.mode, r.created_s,"         \
	" r.changed_s, r.created_by, r.version, r.revision,"                   \
	" r.names_by_operator"
#define RESOURCES_N_COLUMNS 17
void store_resources_take(struct db_rows *rows, struct resource_row *ret_row);

#endif
