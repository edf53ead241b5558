/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_WRITER_H
#define CERTD_WRITER_H

#include "base/db.h"
#include "base/scoped.h"
#include "base/status.h"
#include "certd/store.h"

/*
 * Writes of several threads as one transaction, since each transaction is a
 * wait for the disk: whoever comes while another is being written goes with the
 * next, together with all who wait.  Any thread; blocks until its own is on
 * disk.
 */
struct writer;

STATUS writer_new(struct store *store, struct writer **ret_writer);
void writer_free(struct writer *writer); /* NULL is allowed */
SCOPED_RELEASE(writer_free, struct writer *);

/*
 * Writes within the transaction.  May run on another thread, and again when a
 * neighbour fails: what it leaves in ctx counts once writer_run says OK.  A
 * failure undoes what it wrote, and nobody else's.
 */
typedef struct status (*writer_fn)(struct db_tx *tx, void *ctx);

STATUS writer_run(struct writer *writer, writer_fn fn, void *ctx);

#endif
