/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_PUBLISHER_H
#define KEYD_PUBLISHER_H

#include <stddef.h>
#include <stdint.h>

#include "base/metrics.h"
#include "base/scoped.h"
#include "base/status.h"
#include "hsm/hsm.h"
#include "keyd/audit.h"
#include "keyd/registry.h"
#include "ledger/note.h"

/*
 * Makes the audit ledger of the journal: a thread appends recorded entries to
 * the tree, stores tiles, and once a second has the token sign a checkpoint if
 * there is something new.  The journal is the truth until the tree is durable;
 * then its segments are retired.  Never on the signing path: when the ledger
 * cannot be written, signing goes on while the journal can, and
 * publisher_trouble says so.
 *
 * The folder is laid out as ledger/verify.h says, and "state" beside it holds
 * the builder's saved state.
 */
struct publisher;

struct publisher_config {   /* strings copied, the rest borrowed */
	const char *folder; /* made 0700 if missing */
	const char *origin; /* "holdfast.example/keyd/keyd" */
	const char *peer;   /* SPIFFE ID of this keyd, for entries of its own */
	struct hsm *hsm;    /* the pool whose token has the ledger key */
	struct registry *registry;
	int64_t interval_ns;          /* between checkpoints; 0: 1 s */
	const char *const *witnesses; /* verifier keys */
	size_t n_witnesses;
	struct metrics *metrics; /* may be NULL */
};

/*
 * In three steps, because each part needs the other: new; then audit_open with
 * publisher_committed; then start, which checks the tree against the last
 * checkpoint.  DATA_LOSS: journal and ledger do not agree: the journal ends
 * before the checkpoint's size, or gives another root.  A token that is away
 * does not stop it: checkpoints wait.
 */
STATUS publisher_new(
    const struct publisher_config *config, struct publisher **ret_publisher);
void publisher_committed(
    void *publisher, uint64_t first, struct bytes bundle, uint32_t n);
STATUS publisher_start(struct publisher *publisher, struct audit *audit);
/* A last checkpoint, if the token will; ends the thread.  Before audit_close;
 * freed after it. */
void publisher_stop(struct publisher *publisher);
void publisher_free(struct publisher *publisher); /* NULL is allowed */
SCOPED_RELEASE(publisher_free, struct publisher *);

/* Make a checkpoint that covers all that was recorded before the call.
 * Blocks, at most until deadline_ns.  Any thread. */
STATUS publisher_flush(struct publisher *publisher, int64_t deadline_ns);

/* The newest checkpoint as published, with its size; 0 before the first. */
STATUS publisher_checkpoint(struct publisher *publisher,
    char ret_note[NOTE_MAX], size_t *ret_len, uint64_t *ret_size);
uint64_t publisher_size(struct publisher *publisher);
const char *publisher_origin(const struct publisher *publisher);
const char *publisher_folder(const struct publisher *publisher);
/* OK, or why checkpoints are not made now.  Any thread. */
struct status publisher_trouble(struct publisher *publisher);

/* Add a witness's line.  PERMISSION_DENIED: not a configured witness;
 * INVALID_ARGUMENT: not a checkpoint this ledger published, or a signature
 * that does not hold. */
STATUS publisher_cosign(struct publisher *publisher, struct bytes note);

/* A new ledger key: recorded, handed over to, named in the registry. */
STATUS publisher_rotate(
    struct publisher *publisher, const char *peer, int64_t deadline_ns);

/* Sign text that is no checkpoint (ledger/verify.h, dossier_text) with the
 * ledger key; the whole note is written. */
STATUS publisher_sign(struct publisher *publisher, struct bytes text,
    int64_t deadline_ns, char ret_note[NOTE_MAX], size_t *ret_len);

#endif
