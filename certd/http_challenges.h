/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_HTTP_CHALLENGES_H
#define CERTD_HTTP_CHALLENGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "acme/client.h"
#include "base/scoped.h"
#include "base/status.h"

/*
 * The answers to http-01 challenges that are to be given now: a table in
 * memory, which Edges.Watch sends to every edge and certd's own port answers
 * from.  After a start it is filled from the store by the steps that present
 * challenges.  Any thread.
 */
struct http_challenges;

STATUS http_challenges_new(struct http_challenges **ret_challenges);
void http_challenges_free(struct http_challenges *challenges);
SCOPED_RELEASE(http_challenges_free, struct http_challenges *);

/* Already there is OK.  INVALID_ARGUMENT: a token that is no token;
 * RESOURCE_EXHAUSTED: 100,000 are there. */
STATUS http_challenges_add(struct http_challenges *challenges,
    const char *token, const char *key_authorization);
void http_challenges_remove(
    struct http_challenges *challenges, const char *token);
bool http_challenges_find(struct http_challenges *challenges, const char *token,
    char ret_text[ACME_KEY_AUTHORIZATION_MAX]);

/* ---- for the streams to edges ---- */

/* The number of the newest change, 1 before any; 0 is less than all. */
uint64_t http_challenges_mark(struct http_challenges *challenges);
/*
 * Each that was added (text) or removed (NULL) after since, in order.  With
 * since 0, of an earlier life, or from before the removals that are remembered:
 * all there are, and *ret_reset: forget the others.  When each answers false
 * the walk ends before that one.  *ret_mark: since, for the next walk.  each is
 * called without locks held.
 */
STATUS http_challenges_since(struct http_challenges *challenges, uint64_t since,
    bool (*each)(void *ctx, const char *token, const char *key_authorization),
    void *ctx, bool *ret_reset, uint64_t *ret_mark);
/* Called after each change, without locks held; once, before threads. */
void http_challenges_on_change(
    struct http_challenges *challenges, void (*changed)(void *ctx), void *ctx);

/* An edge has them all in force up to mark, 0 when its stream begins; gone: its
 * stream has ended. */
void http_challenges_edge(struct http_challenges *challenges, const char *edge,
    const char *edge_group, uint64_t mark);
void http_challenges_edge_gone(
    struct http_challenges *challenges, const char *edge);
/* Do all edges that have a stream (of a group, or all with NULL) have the
 * token's answer?  ret_why: the names of those that have not, "fra-1, fra-2 and
 * 3 more".  With no edge at all: true, and *ret_n_edges = 0. */
bool http_challenges_in_force(struct http_challenges *challenges,
    const char *token, const char *edge_group, size_t *ret_n_edges,
    char *ret_why, size_t max);
/* How many of them have it. */
size_t http_challenges_have(struct http_challenges *challenges,
    const char *token, const char *edge_group);

#endif
