/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_SERVING_H
#define EDGE_SERVING_H

#include "base/metrics.h"
#include "base/scoped.h"
#include "base/status.h"
#include "edge/config.h"

/*
 * The half of edged that is not on the signing path: what certd wants served is
 * brought to files, to the web server, and back to certd as what was seen.  All
 * its work is on threads of its own.
 */
struct serving;

/* config and metrics are borrowed.  Only with certd: in the configuration. */
STATUS serving_start(const struct edge_config *config, struct metrics *metrics,
    struct serving **ret_serving);
void serving_stop(struct serving *serving); /* NULL is allowed */
SCOPED_RELEASE(serving_stop, struct serving *);

/* The state folder has a new identity.  Any thread; NULL is allowed. */
void serving_renewed(struct serving *serving);
/* Before a page of metrics.  Any thread; NULL is allowed. */
void serving_measure(struct serving *serving);

#endif
