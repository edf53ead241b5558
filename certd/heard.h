/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_HEARD_H
#define CERTD_HEARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/scoped.h"
#include "base/status.h"
#include "certd/store.h"
#include "certd/store_fleet.h"

/*
 * When edges were last heard of, in memory, written down for all of them at
 * once: 1,000 edges that send a sign of life every 30 seconds cost one write in
 * that time.  Any thread.
 */
struct heard;

struct heard *heard_new(void);        /* NULL when memory ends */
void heard_free(struct heard *heard); /* NULL is allowed */
SCOPED_RELEASE(heard_free, struct heard *);

/*
 * An edge opened its stream, and certd agreed to where it stands; or did not.
 * Until then nothing that it reports of its sites is taken.
 */
STATUS heard_agreed(struct heard *heard, const char *name, bool agreed);
/* Waits at most timeout_ms for that to be decided. */
bool heard_is_agreed(
    struct heard *heard, const char *name, unsigned timeout_ms);

/* Has it a stream that is fed, right now? */
void heard_stream(struct heard *heard, const char *name, bool has);
bool heard_has_stream(struct heard *heard, const char *name);

/*
 * A sign of life.  *ret_is_due: what is written down of it is so old that the
 * edge may count as away; then write it down now, and say so.
 */
STATUS heard_now(
    struct heard *heard, const char *name, int64_t now_s, bool *ret_is_due);
void heard_is_written(struct heard *heard, const char *name, int64_t at_s);
/* 0: not since certd started. */
int64_t heard_at(struct heard *heard, const char *name);

/* What it is like, as last reported and written; true when this is news. */
bool heard_is_news(struct heard *heard, const char *name,
    int64_t applied_version, const char *problem);
void heard_keep(struct heard *heard, const char *name, int64_t applied_version,
    const char *problem);

/*
 * How many sites an edge was seen serving costs a look at each of them: the
 * number is kept until the edge reports something else, or its group's newest
 * version is another one.
 */
bool heard_served(
    struct heard *heard, const char *name, int64_t version, int64_t *ret_n);
void heard_keep_served(
    struct heard *heard, const char *name, int64_t version, int64_t n);
void heard_forget_served(struct heard *heard, const char *name);

/* Write down what is not yet, in a transaction of its own, or none. */
STATUS heard_flush(struct heard *heard, struct store *store);

#endif
