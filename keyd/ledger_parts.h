/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_LEDGER_PARTS_H
#define KEYD_LEDGER_PARTS_H

#include "base/metrics.h"
#include "base/status.h"
#include "hsm/hsm.h"
#include "keyd/audit.h"
#include "keyd/audit_service.h"
#include "keyd/config.h"
#include "keyd/ledger_http.h"
#include "keyd/publisher.h"
#include "keyd/registry.h"

/*
 * keyd's record, put together: the journal, the ledger that is made of it, and
 * the two ways to read it.  Zero it first; each step may be left out at the
 * end.
 */
struct ledger_parts {
	struct publisher *publisher;
	struct audit *audit;
	struct audit_service *service;
	struct ledger_http *http;
};

/* The journal and the publisher.  The token need not be there. */
STATUS ledger_parts_open(const struct config *config, struct hsm *hsm,
    struct registry *registry, struct metrics *metrics,
    struct ledger_parts *parts);
/* HTTP, where it is configured. */
STATUS ledger_parts_serve(
    const struct config *config, struct ledger_parts *parts);

/* After the drain, and after whatever records, but before the token goes: a
 * last checkpoint. */
void ledger_parts_stop(struct ledger_parts *parts);
void ledger_parts_close(struct ledger_parts *parts);

#endif
