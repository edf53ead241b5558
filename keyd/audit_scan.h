/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_AUDIT_SCAN_H
#define KEYD_AUDIT_SCAN_H

#include "base/scoped.h"
#include "base/status.h"
#include "keyd/publisher.h"
#include "keyd/registry.h"
#include "rpc/server.h"

/*
 * Audit.Entries: each stream's scan of the ledger runs on a thread of its own,
 * at most SCANS_MAX at a time.
 */
#define SCANS_MAX 16
/* Largest "last" of a request. */
#define SCAN_LAST_MAX 100000

struct scans;

/* NULL: no memory.  registry tells who is quarantined. */
struct scans *scans_new(struct publisher *publisher, struct registry *registry);
/* Waits for the scans, whose streams are closed.  NULL is allowed. */
void scans_free(struct scans *scans);
SCOPED_RELEASE(scans_free, struct scans *);

/* Adds Audit.Entries. */
void scans_register(struct scans *scans, struct rpc_server *server);

#endif
