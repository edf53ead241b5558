/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_MERKLE_H
#define LEDGER_MERKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

/*
 * The Merkle tree of RFC 6962 section 2.1 over SHA-256: hashes, proofs and
 * their verification.  Pure functions; any thread.
 */
#define MERKLE_HASH_LEN 32
/* Hashes of a proof at most; trees have less than 2^63 entries. */
#define MERKLE_PROOF_MAX 64

struct merkle_hash {
	uint8_t at[MERKLE_HASH_LEN];
};

bool merkle_equal(const struct merkle_hash *a, const struct merkle_hash *b);
/* SHA-256(0x00 || entry), SHA-256(0x01 || left || right); of no entries,
 * SHA-256 of nothing. */
void merkle_leaf(struct bytes entry, struct merkle_hash *ret_hash);
void merkle_node(const struct merkle_hash *left,
    const struct merkle_hash *right, struct merkle_hash *ret_hash);
void merkle_empty(struct merkle_hash *ret_hash);

/*
 * The root of a complete or partial run of n >= 1 hashes that are neighbours
 * on one level: of a tile of 256, the hash that stands for it one level up.
 */
void merkle_fold(
    const struct merkle_hash *hashes, size_t n, struct merkle_hash *ret_hash);

/*
 * Where proofs take hashes from: the root of the complete subtree of
 * 2^height entries that begins at entry index << height.
 */
struct merkle_source {
	void *ctx;
	struct status (*node)(void *ctx, unsigned height, uint64_t index,
	    struct merkle_hash *ret_hash);
};

/* The root of the first size entries; size may be 0. */
STATUS merkle_root(const struct merkle_source *source, uint64_t size,
    struct merkle_hash *ret_root);

/* RFC 6962 2.1.1 and 2.1.2.  INVALID_ARGUMENT: index >= size, or
 * old_size > size. */
STATUS merkle_prove_inclusion(const struct merkle_source *source,
    uint64_t index, uint64_t size,
    struct merkle_hash ret_proof[MERKLE_PROOF_MAX], size_t *ret_n);
STATUS merkle_prove_consistency(const struct merkle_source *source,
    uint64_t old_size, uint64_t size,
    struct merkle_hash ret_proof[MERKLE_PROOF_MAX], size_t *ret_n);

/* DATA_LOSS: the proof does not show it. */
STATUS merkle_verify_inclusion(const struct merkle_hash *leaf, uint64_t index,
    uint64_t size, const struct merkle_hash *root,
    const struct merkle_hash *proof, size_t n);
STATUS merkle_verify_consistency(uint64_t old_size,
    const struct merkle_hash *old_root, uint64_t size,
    const struct merkle_hash *root, const struct merkle_hash *proof, size_t n);

#endif
