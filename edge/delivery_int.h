/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_DELIVERY_INT_H
#define EDGE_DELIVERY_INT_H

#include <pthread.h>

#include "edge/delivery.h"
#include "edge/http_probe.h"
#include "edge/intake.h"
#include "edge/probe.h"
#include "edge/reload.h"
#include "edge/sweep.h"

/*
 * What delivery.c (the thread and its queue), delivery_apply.c (updates),
 * delivery_state.c (the file), delivery_report.c (what was seen, and told) and
 * delivery_http.c (the way of http-01) share.
 */

/* There while the web server has not been told of what is in place. */
#define DELIVERY_DUE_FILE "hook.due"
#define DELIVERY_STATE_FILE "sites.state"

/* A message of certd's, or the begin of a stream (begins). */
struct delivery_item {
	struct delivery_item *next;
	bool begins;
	size_t len;
	uint8_t at[];
};

struct delivery {
	struct delivery_config config;
	pthread_t thread;
	struct reload *reload;
	struct probe *probe; /* NULL: none */
	struct sweep *sweep;
	struct http_probe *http_probe; /* NULL: none */
	struct sweep *http_sweep;
	struct metric_gauge *m_sites, *m_served, *m_version;

	/* The thread's: */
	struct files *files;
	struct intake intake;
	bool distrusts;    /* the stream, until the next one */
	unsigned fails;    /* in a row, to put all in place */
	int64_t expire_ns; /* when to look at gone hosts */
	int64_t save_ns;   /* not before, what may wait */
	int64_t retry_ns;  /* not before, after a failure */
	bool save_failed;  /* last time */
	bool has_thread;

	pthread_mutex_t mutex; /* guards the rest */
	pthread_cond_t changed;
	/* The thread alone changes which sites and hosts there are, and may
	 * look at that without the mutex; the rest of an entry is shared. */
	struct sites sites;
	bool is_ready, stopping;
	struct delivery_item *first, *last; /* the queue */
	size_t queued;                      /* octets of it */
	bool is_lossy;                      /* of this stream some was lost */
	bool wants_more;                    /* there is room again */
	bool unsaved;                       /* state that may wait */
	bool must_save;                     /* state that may not */
	bool has_old;                       /* some entry has */
	size_t cursor, http_cursor;         /* the sweeps' */

	uint64_t serial;      /* of the newest change that was told */
	uint64_t told_serial; /* the web server knows of all up to here */
	bool is_due_file;     /* DELIVERY_DUE_FILE may be there */
	int64_t done_version; /* in place and told */
	int64_t stream_ns;    /* when to begin a stream again; 0: not */
	bool held_by_certd, held_by_us;

	int64_t *removed; /* sites to be reported as gone */
	size_t n_removed;
	char hook_problem[HOOK_WHY_MAX];
	char disk_problem[SITE_WHY_MAX];
	char other_problem[SITE_WHY_MAX]; /* as delivery_problem said */
	unsigned changes, told;           /* of the edge's own */
};

/* With the mutex held: certd wants to know of this. */
void delivery_entry_changed(struct sites_entry *entry);
/* With the mutex held: what ails the disk; OK: nothing any more. */
void delivery_disk_problem(
    struct delivery *d, const char *what, struct status st);

/* The complete update in d->intake; on the thread, without the mutex. */
void delivery_apply(struct delivery *d);

/* Read the state and compare it with what is there; on the thread. */
void delivery_load(struct delivery *d);
/* Write it; on the thread, without the mutex. */
STATUS delivery_save(struct delivery *d);

/* The web server was told of all up to serial, or why not (reload.h). */
void delivery_on_reload(
    void *ctx, uint64_t serial, struct status st, const char *why);
extern const struct sweep_ops delivery_sweep_ops;

/* With the mutex held: the way is looked at again, now. */
void delivery_http_due(struct sites_entry *entry);
/* Without the mutex: some may be due. */
void delivery_http_wake(struct delivery *d);
extern const struct sweep_ops delivery_http_ops;

#endif
