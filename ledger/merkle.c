/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Merkle tree of RFC 6962 section 2.1.  Everything rests on one view: a
 * tree of n entries is a row of complete subtrees, one for each bit of n, the
 * largest on the left, and its root folds that row from the right.
 * Verification follows RFC 9162 2.1.3.2 and 2.1.4.2, which say the same
 * of proofs step by step, and take no hash they do not use.
 */
#include "ledger/merkle.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static EVP_MD *sha256;

static void
fetch_sha256(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
}

/*
 * Hash a prefix and two parts.  Fails only when memory ends; a wrong hash in a
 * ledger would be for ever, so that ends the process.
 */
static void
hash(const char *prefix, size_t prefix_len, struct bytes a, struct bytes b,
    struct merkle_hash *ret_hash)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	pthread_once(&once, fetch_sha256);
	if (ctx == NULL || sha256 == NULL ||
	    EVP_DigestInit_ex2(ctx, sha256, NULL) != 1 ||
	    EVP_DigestUpdate(ctx, prefix, prefix_len) != 1 ||
	    EVP_DigestUpdate(ctx, a.at, a.len) != 1 ||
	    EVP_DigestUpdate(ctx, b.at, b.len) != 1 ||
	    EVP_DigestFinal_ex(ctx, ret_hash->at, NULL) != 1)
		abort();
	EVP_MD_CTX_free(ctx);
}

static struct bytes
octets_of(const struct merkle_hash *h)
{
	return (struct bytes){ h->at, MERKLE_HASH_LEN };
}

bool
merkle_equal(const struct merkle_hash *a, const struct merkle_hash *b)
{
	return memcmp(a->at, b->at, MERKLE_HASH_LEN) == 0;
}

void
merkle_leaf(struct bytes entry, struct merkle_hash *ret_hash)
{
	hash("\0", 1, entry, (struct bytes){ NULL, 0 }, ret_hash);
}

void
merkle_node(const struct merkle_hash *left, const struct merkle_hash *right,
    struct merkle_hash *ret_hash)
{
	hash("\1", 1, octets_of(left), octets_of(right), ret_hash);
}

void
merkle_empty(struct merkle_hash *ret_hash)
{
	hash("", 0, (struct bytes){ NULL, 0 }, (struct bytes){ NULL, 0 },
	    ret_hash);
}

void
merkle_fold(
    const struct merkle_hash *hashes, size_t n, struct merkle_hash *ret_hash)
{
	struct merkle_hash row[64];
	size_t height = 0;

	for (size_t i = 0; i < n; i++) {
		row[height++] = hashes[i];
		for (size_t bits = i; (bits & 1) != 0; bits >>= 1) {
			merkle_node(
			    &row[height - 2], &row[height - 1], ret_hash);
			row[height - 2] = *ret_hash;
			height--;
		}
	}
	*ret_hash = row[--height];
	while (height-- > 0)
		merkle_node(&row[height], ret_hash, ret_hash);
}

/* The root of entries [from, from + n), n >= 1, where from is a multiple of
 * the largest subtree in it. */
static struct status
root_of(const struct merkle_source *source, uint64_t from, uint64_t n,
    struct merkle_hash *ret_root)
{
	struct merkle_hash part, acc;
	uint64_t end = from + n;
	bool first = true;

	for (unsigned height = 0; n >> height != 0; height++) {
		struct status st;

		if ((n >> height & 1) == 0)
			continue;
		end -= (uint64_t)1 << height;
		st = source->node(source->ctx, height, end >> height, &part);
		if (failed(st))
			return st;
		if (first)
			acc = part;
		else
			merkle_node(&part, &acc, &acc);
		first = false;
	}
	*ret_root = acc;
	return status_ok();
}

STATUS
merkle_root(const struct merkle_source *source, uint64_t size,
    struct merkle_hash *ret_root)
{
	if (size == 0) {
		merkle_empty(ret_root);
		return status_ok();
	}
	return root_of(source, 0, size, ret_root);
}

/* The largest power of two smaller than n; n >= 2. */
static uint64_t
split_of(uint64_t n)
{
	return (uint64_t)1 << (63 - __builtin_clzll(n - 1));
}

/* Proofs are made from the root down, and stand from the leaf up. */
static void
reverse(struct merkle_hash *proof, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		struct merkle_hash h = proof[i];

		proof[i] = proof[n - 1 - i];
		proof[n - 1 - i] = h;
	}
}

STATUS
merkle_prove_inclusion(const struct merkle_source *source, uint64_t index,
    uint64_t size, struct merkle_hash ret_proof[MERKLE_PROOF_MAX],
    size_t *ret_n)
{
	uint64_t from = 0, n = size;
	size_t count = 0;

	if (index >= size || size > INT64_MAX)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "there is no such entry in a tree of that size");
	while (n > 1) {
		const uint64_t left = split_of(n);
		struct status st;

		if (index - from < left) {
			st = root_of(
			    source, from + left, n - left, &ret_proof[count++]);
			n = left;
		} else {
			st = root_of(source, from, left, &ret_proof[count++]);
			from += left;
			n -= left;
		}
		if (failed(st))
			return st;
	}
	reverse(ret_proof, count);
	*ret_n = count;
	return status_ok();
}

STATUS
merkle_prove_consistency(const struct merkle_source *source, uint64_t old_size,
    uint64_t size, struct merkle_hash ret_proof[MERKLE_PROOF_MAX],
    size_t *ret_n)
{
	uint64_t from = 0, n = size, old = old_size;
	size_t count = 0;
	struct status st = status_ok();

	if (old_size > size || size > INT64_MAX)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "a tree does not grow to a smaller one");
	if (old_size == 0 || old_size == size) {
		*ret_n = 0;
		return status_ok();
	}
	/* SUBPROOF of RFC 6962 2.1.2, from the root down. */
	while (old != n) {
		const uint64_t left = split_of(n);

		if (old <= left) {
			st = root_of(
			    source, from + left, n - left, &ret_proof[count++]);
			n = left;
		} else {
			st = root_of(source, from, left, &ret_proof[count++]);
			from += left;
			n -= left;
			old -= left;
		}
		if (failed(st))
			return st;
	}
	/* The old tree itself is known unless it ends within the new one. */
	if (from != 0)
		st = root_of(source, from, n, &ret_proof[count++]);
	if (failed(st))
		return st;
	reverse(ret_proof, count);
	*ret_n = count;
	return status_ok();
}

static struct status
does_not_show(void)
{
	return status_fail(
	    STATUS_DATA_LOSS, "the proof does not lead to the tree's root");
}

STATUS
merkle_verify_inclusion(const struct merkle_hash *leaf, uint64_t index,
    uint64_t size, const struct merkle_hash *root,
    const struct merkle_hash *proof, size_t n)
{
	struct merkle_hash acc = *leaf;
	uint64_t fn = index, sn;

	if (index >= size)
		return status_fail(STATUS_DATA_LOSS,
		    "the proof is for an entry outside of the tree");
	sn = size - 1;
	for (size_t i = 0; i < n; i++) {
		if (sn == 0)
			return does_not_show();
		if ((fn & 1) != 0 || fn == sn) {
			merkle_node(&proof[i], &acc, &acc);
			while ((fn & 1) == 0 && fn != 0) {
				fn >>= 1;
				sn >>= 1;
			}
		} else {
			merkle_node(&acc, &proof[i], &acc);
		}
		fn >>= 1;
		sn >>= 1;
	}
	if (sn != 0 || !merkle_equal(&acc, root))
		return does_not_show();
	return status_ok();
}

/* 0 < old_size < size: RFC 9162 2.1.4.2. */
static bool
consistent(uint64_t old_size, const struct merkle_hash *old_root, uint64_t size,
    const struct merkle_hash *root, const struct merkle_hash *proof, size_t n)
{
	uint64_t fn = old_size - 1, sn = size - 1;
	struct merkle_hash fr, sr;
	size_t i = 0;

	while ((fn & 1) != 0) {
		fn >>= 1;
		sn >>= 1;
	}
	if ((old_size & (old_size - 1)) == 0)
		fr = *old_root;
	else if (n > 0)
		fr = proof[i++];
	else
		return false;
	sr = fr;
	for (; i < n; i++) {
		if (sn == 0)
			return false;
		if ((fn & 1) != 0 || fn == sn) {
			merkle_node(&proof[i], &fr, &fr);
			merkle_node(&proof[i], &sr, &sr);
			while ((fn & 1) == 0 && fn != 0) {
				fn >>= 1;
				sn >>= 1;
			}
		} else {
			merkle_node(&sr, &proof[i], &sr);
		}
		fn >>= 1;
		sn >>= 1;
	}
	return sn == 0 && merkle_equal(&fr, old_root) &&
	       merkle_equal(&sr, root);
}

STATUS
merkle_verify_consistency(uint64_t old_size, const struct merkle_hash *old_root,
    uint64_t size, const struct merkle_hash *root,
    const struct merkle_hash *proof, size_t n)
{
	struct merkle_hash empty;
	bool holds;

	if (old_size > size)
		return status_fail(STATUS_DATA_LOSS,
		    "the tree is smaller than the one it is to have grown"
		    " from");
	if (old_size == 0) {
		merkle_empty(&empty);
		holds = n == 0 && merkle_equal(old_root, &empty) &&
			(size != 0 || merkle_equal(root, &empty));
	} else if (old_size == size) {
		holds = n == 0 && merkle_equal(old_root, root);
	} else {
		holds = consistent(old_size, old_root, size, root, proof, n);
	}
	return holds ? status_ok() : does_not_show();
}
