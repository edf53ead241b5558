/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_WATCH_INT_H
#define CERTD_WATCH_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/spiffe.h"
#include "certd/chunks.h"
#include "certd/store_sites.h"
#include "certd/watch.h"

#define WATCH_NO_ROOM_MS 20

/* What the files of watch share; nobody else includes it. */

/* Updates with all answers that changed between two marks, encoded once for all
 * streams that stand there.  The hub's. */
struct watch_batch;

/* One open stream. */
struct watcher {
	struct watch *watch;
	struct rpc_stream *stream; /* a reference */
	char name[FLEET_NAME_MAX];
	/* As it asked; written before is_asked is set, read after. */
	int64_t version, asked_ns;
	size_t tag_len;
	uint8_t tag[STORE_TAG_LEN];
	char program[FLEET_PROGRAM_MAX];
	atomic_bool is_asked, is_closed;
	struct watcher *next; /* incoming: the mutex guards; then the hub's */
	/* The hub's: */
	bool is_admitted, is_ended;
	char edge_group[SITES_GROUP_MAX];
	struct sites_cursor cursor;
	int64_t as_of;   /* of the last chunk */
	int64_t done_at; /* newest version when there was nothing more; -1 */
	bool has_place;  /* among the edges that are given challenges */
	uint64_t mark;   /* of challenges, sent up to here */
	struct watch_batch *batch; /* being sent; NULL: none */
	size_t n_sent;             /* updates of it */
};

struct watch {
	struct watch_config config;
	char domain[SPIFFE_DOMAIN_MAX];
	pthread_t hub;
	pthread_mutex_t mutex; /* guards incoming */
	struct watcher *incoming;
	atomic_bool stopping;
	/* The hub's: */
	struct watcher *watchers;
	struct chunks *chunks;
	struct watch_batch *batch; /* the newest; NULL: none */
	uint64_t round, roster_seen;
	int64_t flushed_ns, settled_ns;
	atomic_uint_fast64_t reads;
	struct metric_gauge *m_streams, *m_held;
	struct metric_counter *m_updates, *m_octets, *m_challenges;
};

/* watch_stream.c: the stream's callbacks. */
extern const struct rpc_stream_ops watch_stream_ops;

/* watch_admit.c, on the hub. */

/* It has asked: decide.  Not admitted and not ended: keyd is being asked. */
void watch_admit(struct watch *watch, struct watcher *watcher);
/* The list of edges changed: does it still stand as it was admitted? */
void watch_recheck(struct watch *watch, struct watcher *watcher);
void watch_end(struct watcher *watcher, struct status st);

/* watch_challenges.c, on the hub; nothing happens without challenges. */

/* It is admitted, or moved to another group: it gets all there are. */
void watch_challenges_begin(struct watcher *watcher);
/* It is no more: ended, or closed. */
void watch_challenges_end(struct watcher *watcher);
/* Send what changed to those that have room; lessens *wait_ms for others. */
void watch_challenges_pump(struct watch *watch, unsigned *wait_ms);
/* Nothing is sent any more. */
void watch_challenges_done(struct watch *watch);

#endif
