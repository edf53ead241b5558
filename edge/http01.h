/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_HTTP01_H
#define EDGE_HTTP01_H

#include <stdint.h>

#include "base/metrics.h"
#include "base/scoped.h"
#include "base/status.h"
#include "edge/challenges.h"

/*
 * The small HTTP server that the web server of this host hands requests for
 * /.well-known/acme-challenge/ to.  It knows GET and HEAD of a token that is in
 * the table, and of "test", which is always answered with "test"; nothing else.
 */
struct http01;

struct http01_config {
	const char *listen;            /* address:port, no names; borrowed */
	struct challenges *challenges; /* borrowed */
	/* It listens (""), or why it cannot yet; static text, from
	 * http01_start and a thread of its own.  May be NULL. */
	void (*state)(void *ctx, const char *problem);
	void *ctx;
	struct metrics *metrics;
};

/*
 * Whether somebody else has the port is no failure: it is tried again until it
 * can be had, for edged has other things to do.
 */
STATUS http01_start(
    const struct http01_config *config, struct http01 **ret_http01);
void http01_stop(struct http01 *http01); /* NULL is allowed */
SCOPED_RELEASE(http01_stop, struct http01 *);

/* The bound port; 0: none yet. */
uint16_t http01_port(struct http01 *http01);

#endif
