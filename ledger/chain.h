/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_CHAIN_H
#define LEDGER_CHAIN_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "base/status.h"
#include "ledger/claims.h"
#include "ledger/verify.h"

/*
 * Who signed, and for which tree: the ledger keys as entries name them, the
 * handovers between them, and the notes whose trees must be what the entries
 * give.  Part of verify_folder; one thread.
 */

struct chain;

/* All are borrowed.  NULL when memory ends. */
struct chain *chain_new(const struct verify_options *options,
    const struct claims *claims, struct verify_result *result);
void chain_free(struct chain *chain); /* NULL is allowed */
SCOPED_RELEASE(chain_free, struct chain *);

/* Look at an entry: does it name a ledger key?  In order, each once. */
STATUS chain_entry(struct chain *chain, const char *origin, uint64_t number,
    struct bytes octets);
/* Is a line of this note by a key met so far wrong? */
bool chain_disproves(const struct chain *chain, const struct note *note);

/* All entries give this root: do the signatures lead from the trusted key to
 * the checkpoint, and does each stand for a tree that this one grew from? */
STATUS chain_prove(struct chain *chain, const struct note *note,
    const struct checkpoint *checkpoint, const struct merkle_hash *root);

#endif
