/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_EDGE_DESK_H
#define TESTS_UNIT_EDGE_DESK_H

#include <stdbool.h>
#include <stdint.h>

#include "certd/custody.h"
#include "certd/store.h"

/*
 * A real store in a folder of its own, and what surrounds edges in certd: a
 * keyd that only knows edges, and bindings that only count.  Resources are put
 * into the store by plain rows.  Asserts on its own failures.
 */
struct edge_desk {
	char dir[64];
	struct store *store;
	struct custody *custody;
};

int edge_desk_set_up(void **state);
int edge_desk_tear_down(void **state);

/* Close the store, and open it again. */
void edge_desk_reopen(struct edge_desk *desk);
/* Keep a copy of the database; put it back in the place of the database. */
void edge_desk_backup(struct edge_desk *desk);
void edge_desk_restore(struct edge_desk *desk);

/* ---- keyd ---- */

/* An edge as keyd has it from now on; certd hears of it when it asks. */
void edge_desk_edge(struct edge_desk *desk, const char *name,
    const char *edge_group, bool quarantined);
/* keyd does not answer. */
void edge_desk_away(struct edge_desk *desk, bool away);

/* ---- what is served ---- */

int64_t edge_desk_certificate(struct edge_desk *desk, const char *name);
/* With one host name, which is its name; plain HTTP until something is bound.
 */
int64_t edge_desk_resource(
    struct edge_desk *desk, const char *name, const char *edge_group);
/* n resources "NAME-i" in one transaction; the first one's id. */
int64_t edge_desk_resources(struct edge_desk *desk, const char *name,
    const char *edge_group, unsigned n);
/* In the place of what is bound, which is retired. */
void edge_desk_bind(
    struct edge_desk *desk, int64_t resource, int64_t certificate);
void edge_desk_delete(struct edge_desk *desk, int64_t resource);
void edge_desk_move(
    struct edge_desk *desk, int64_t resource, const char *edge_group);
int64_t edge_desk_version_of(struct edge_desk *desk, int64_t resource);
int64_t edge_desk_version(struct edge_desk *desk);

/* One statement without values, or one number. */
void edge_desk_run(struct edge_desk *desk, const char *sql);
int64_t edge_desk_number(struct edge_desk *desk, const char *sql);

/* How often grants were looked at anew. */
unsigned edge_desk_refreshed(void);

#endif
