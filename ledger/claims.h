/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_CLAIMS_H
#define LEDGER_CLAIMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/scoped.h"
#include "base/status.h"
#include "ledger/verify.h"

/*
 * The signed notes of a ledger folder other than its checkpoint, and what the
 * entries say of each one's tree.  Part of verify_folder.
 */

/* Say where and what is wrong; returns DATA_LOSS. */
__attribute__((format(printf, 3, 4))) struct status verify_blame(
    struct verify_result *result, const char *where, const char *format, ...);

#define CLAIM_COSIGNED "cosigned"
#define CLAIM_REMEMBERED "the remembered checkpoint"

struct claim {
	char where[32]; /* its file, or CLAIM_REMEMBERED */
	uint8_t *octets;
	size_t len;
	struct checkpoint checkpoint;
	struct merkle_hash root; /* that the entries give */
	bool has_root;
};

/* Handovers, in order, then the others. */
struct claims {
	struct claim *at;
	size_t n, n_handovers;
};

/* remembered may be empty. */
STATUS claims_read(struct reader *reader, struct bytes remembered,
    struct verify_result *result, struct claims **ret_claims);
void claims_free(struct claims *claims); /* NULL is allowed */
SCOPED_RELEASE(claims_free, struct claims *);

/* The next size from size on whose root is asked for; UINT64_MAX: none. */
uint64_t claims_next(const struct claims *claims, uint64_t size);
/* The entries up to size give this root. */
void claims_root(
    struct claims *claims, uint64_t size, const struct merkle_hash *root);

/* The claim's note; it borrows from the claim. */
STATUS claim_note(const struct claim *claim, struct note *ret_note);

#endif
