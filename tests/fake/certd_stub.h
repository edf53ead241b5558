/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FAKE_CERTD_STUB_H
#define TESTS_FAKE_CERTD_STUB_H

#include <stdbool.h>

#include "proto/holdfast/certd/v1/edges.pb-c.h"
#include "tests/unit/pki.h"

/*
 * A certd of a few lines, in process: a real rpc server with the Edges service,
 * for one edge.  It knows sites, sends what changed, lies on cue, and keeps
 * what was reported.  Any thread; asserts on its own failures.
 */
struct certd_stub;

/* Its name is "certd.test"; ca is borrowed.  It does not listen yet. */
struct certd_stub *certd_stub_new(struct pki_ca *ca);
void certd_stub_free(struct certd_stub *stub);

/* Listen on 127.0.0.1: a free port the first time, the same one after. */
void certd_stub_start(struct certd_stub *stub);
void certd_stub_stop(struct certd_stub *stub);
/* "127.0.0.1:port", borrowed; after the first start. */
const char *certd_stub_endpoint(const struct certd_stub *stub);

/* These sites (taken over) are so from now on, as one change; gives its
 * version.  Their own versions are set to it. */
int64_t certd_stub_put(
    struct certd_stub *stub, Holdfast__Certd__V1__Site **sites, size_t n);
int64_t certd_stub_put_one(
    struct certd_stub *stub, Holdfast__Certd__V1__Site *site);
int64_t certd_stub_drop(struct certd_stub *stub, int64_t id);

/* As if restored from a backup: Watch is FAILED_PRECONDITION. */
void certd_stub_hold(struct certd_stub *stub, bool held);
/* Send this to the stream that is open, as it is. */
void certd_stub_say(
    struct certd_stub *stub, const Holdfast__Certd__V1__WatchUpdate *update);

/* What was reported last. */
struct certd_stub_site {
	bool known, removed, has_seen, http_probed;
	int64_t applied_version, served_version;
	char problem[512], http_problem[512];
};
struct certd_stub_edge {
	unsigned watches, snapshots, reports, most_sites;
	bool held_back;
	int64_t watched_version, applied_version, held_version;
	uint64_t challenges_mark;
	char problem[512];
};
struct certd_stub_site certd_stub_site(struct certd_stub *stub, int64_t id);
struct certd_stub_edge certd_stub_edge(struct certd_stub *stub);

/* Wait until it is so. */
void certd_stub_await_applied(struct certd_stub *stub, int64_t version);
void certd_stub_await_served(
    struct certd_stub *stub, int64_t id, int64_t version);
/* For a problem of the site that says part; id 0: of the edge. */
void certd_stub_await_problem(
    struct certd_stub *stub, int64_t id, const char *part);
/* For what is reported of the way of http-01: that it says part, or, with "",
 * that all is well. */
void certd_stub_await_way(
    struct certd_stub *stub, int64_t id, const char *part);
void certd_stub_await_mark(struct certd_stub *stub, uint64_t mark);
void certd_stub_await_watches(struct certd_stub *stub, unsigned least);
void certd_stub_await_reports(struct certd_stub *stub, unsigned least);
void certd_stub_await_held(struct certd_stub *stub, bool held);

#endif
