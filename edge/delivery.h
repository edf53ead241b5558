/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_DELIVERY_H
#define EDGE_DELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/metrics.h"
#include "base/scoped.h"
#include "base/status.h"
#include "edge/files.h"
#include "edge/sites.h"
#include "proto/holdfast/certd/v1/edges.pb-c.h"

/*
 * Brings what certd says to where it is served, and knows how far that is:
 *
 *     follow -> intake -> files -> reload ~~> the web server
 *     certd <~~ follow <- report <- sweep <~~
 *
 * A thread of its own writes files and keeps the state; it starts with what the
 * last run left in place and touches none of it.  A folder that cannot be
 * opened is tried again; nothing here keeps edged from signing.
 */
struct delivery;

struct delivery_config {
	struct files_config files;  /* borrowed */
	char *const *hook;          /* NULL: none; ends with NULL; borrowed */
	const char *haproxy_socket; /* NULL: none; borrowed */
	const char *probe_connect;  /* NULL: what is served is not looked at */
	const char *http_connect;   /* NULL: nor is the way of http-01 */
	int64_t probe_timeout_ns;   /* of one handshake, or one request */
	int64_t probe_interval_ns;  /* each site again after this */
	int64_t keep_removed_s;     /* how long files of gone hosts stay */
	/* The stream begins again after this, and after twice as long each time
	 * that something could still not be put in place; 0: 5 s */
	int64_t again_ns;
	/* There is something to report, or to ask.  Any thread, its locks are
	 * not ours; must not block. */
	void (*tell)(void *ctx);
	void *ctx;
	struct metrics *metrics;
};

STATUS delivery_new(
    const struct delivery_config *config, struct delivery **ret_delivery);
/* Nothing is told after it returns.  NULL is allowed. */
void delivery_free(struct delivery *delivery);
SCOPED_RELEASE(delivery_free, struct delivery *);

/* ---- what comes: any thread, never blocks ---- */

/* Where to go on from; false while the folder cannot be opened. */
bool delivery_position(struct delivery *delivery, int64_t *ret_version,
    uint8_t ret_tag[SITES_TAG_LEN]);
/* A stream begins: what the one before left incomplete is forgotten.  false
 * when memory ends. */
bool delivery_begin(struct delivery *delivery);
/* One WatchUpdate's octets, copied; false when more waits than is taken: then
 * nothing more of this stream is. */
bool delivery_message(struct delivery *delivery, struct bytes message);
/* Should more be asked for now?  It tells when there is room again. */
bool delivery_has_room(struct delivery *delivery);
/* certd says that what is served is newer than it knows; or not any more. */
void delivery_hold(struct delivery *delivery, bool held);
/* What ails the edge beyond what is known here; "": nothing. */
void delivery_problem(struct delivery *delivery, const char *problem);
/* Must the stream begin again, for something of it could not be put in place?
 * Answers once. */
bool delivery_wants_stream(struct delivery *delivery);

/* ---- what is reported: one thread ---- */

#define DELIVERY_REPORT_MAX 1000

struct delivery_report {
	Holdfast__Certd__V1__ReportRequest request; /* to be sent */
	bool is_due;  /* there is news; else it is a sign of life */
	bool is_full; /* there is more of it */
	struct delivery_told *told;
};

/* Memory that ends makes it shorter. */
void delivery_report(
    struct delivery *delivery, struct delivery_report *ret_report);
/* certd has it. */
void delivery_reported(
    struct delivery *delivery, const struct delivery_report *report);
void delivery_report_done(struct delivery_report *report);

/* Set the gauges: before a page of metrics. */
void delivery_measure(struct delivery *delivery);

#endif
