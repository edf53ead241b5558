/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The journal's format (keyd/journal.h).  Reading it back trusts nothing: each
 * group is checked against the chain, and where one does not hold, what can
 * only be a write that the machine's stop cut short is told from damage.  Torn:
 * a whole sector of it was never written, and no other group follows.  Anything
 * else has been changed since, and is refused.
 */

#include "keyd/journal.h"

#include <assert.h>
#include <openssl/evp.h>
#include <string.h>

#include "ledger/tile.h"

#define END_MARK 0xe5
#define SIGNED_HEAD 20 /* octets of the header that CRC and chain cover */

static const uint8_t magic[4] = { 'H', 'F', 'J', '2' };

static uint8_t *
put(uint8_t *at, uint64_t value, size_t len)
{
	for (size_t i = 0; i < len; i++)
		*at++ = (uint8_t)(value >> 8 * i);
	return at;
}

static uint64_t
get(const uint8_t *at, size_t len)
{
	uint64_t value = 0;

	for (size_t i = len; i-- > 0;)
		value = value << 8 | at[i];
	return value;
}

/* CRC-32 (ISO 3309) a bit at a time: of 20 octets a group. */
static uint32_t
crc32(const uint8_t *at, size_t len)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < len; i++) {
		crc ^= at[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (UINT32_C(0xedb88320) & -(crc & 1));
	}
	return ~crc;
}

/* The chain with this group; false when libcrypto fails. */
static bool
chain_on(const uint8_t before[32], const uint8_t *group, size_t body_len,
    uint8_t ret_chain[32])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx != NULL &&
		  EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
		  EVP_DigestUpdate(ctx, before, 32) == 1 &&
		  EVP_DigestUpdate(ctx, group, SIGNED_HEAD) == 1 &&
		  EVP_DigestUpdate(ctx, group + JOURNAL_HEAD, body_len) == 1 &&
		  EVP_DigestFinal_ex(ctx, ret_chain, NULL) == 1;

	EVP_MD_CTX_free(ctx);
	return ok;
}

static size_t
padded(size_t body_len)
{
	size_t len = JOURNAL_HEAD + body_len + 1;

	return (len + JOURNAL_SECTOR - 1) / JOURNAL_SECTOR * JOURNAL_SECTOR;
}

size_t
journal_entry(const struct entry *entry, uint8_t ret_at[JOURNAL_ENTRY_MAX])
{
	size_t len = entry_encode(entry, ret_at + 2);

	ret_at[0] = (uint8_t)(len >> 8);
	ret_at[1] = (uint8_t)len;
	return 2 + len;
}

STATUS
journal_seal(uint8_t *group, size_t body_len, uint32_t n_entries,
    const struct journal_state *before, size_t *ret_len,
    struct journal_state *ret_after)
{
	size_t len = padded(body_len);
	uint8_t chain[32];

	assert(len <= JOURNAL_GROUP_MAX);
	memcpy(group, magic, 4);
	put(group + 4, body_len, 4);
	put(group + 8, before->entries, 8);
	put(group + 16, n_entries, 4);
	put(group + 20, crc32(group, SIGNED_HEAD), 4);
	if (!chain_on(before->chain, group, body_len, chain))
		return status_fail(
		    STATUS_INTERNAL, "libcrypto could not hash the record");
	memcpy(group + 24, chain, 32);
	memset(
	    group + JOURNAL_HEAD + body_len, 0, len - JOURNAL_HEAD - body_len);
	group[len - 1] = END_MARK;
	*ret_len = len;
	ret_after->entries = before->entries + n_entries;
	memcpy(ret_after->chain, chain, 32);
	return status_ok();
}

STATUS
journal_begin(uint8_t ret_group[JOURNAL_SECTOR],
    const struct journal_state *before, struct journal_state *ret_after)
{
	size_t len;

	memcpy(ret_group + JOURNAL_HEAD, before->chain, 32);
	return journal_seal(ret_group, 32, 0, before, &len, ret_after);
}

enum group {
	GROUP_GOOD,
	GROUP_UNWRITTEN,
	GROUP_BROKEN,
	GROUP_DAMAGED
};

static bool
all_zero(struct bytes b)
{
	return b.len == 0 ||
	       (b.at[0] == 0 && memcmp(b.at, b.at + 1, b.len - 1) == 0);
}

/* From offset on, at most max octets. */
static struct bytes
slice(struct bytes b, size_t offset, size_t max)
{
	if (offset > b.len)
		offset = b.len;
	if (max > b.len - offset)
		max = b.len - offset;
	return (struct bytes){ b.at + offset, max };
}

static bool
is_head(struct bytes sector)
{
	return sector.len == JOURNAL_SECTOR &&
	       memcmp(sector.at, magic, 4) == 0 &&
	       get(sector.at + 20, 4) == crc32(sector.at, SIGNED_HEAD);
}

/* What stands at the front of rest?  BROKEN: its header holds, its body does
 * not.  *ret_len is the group's length when GOOD or BROKEN. */
static enum group
look(struct bytes rest, const struct journal_state *state, size_t *ret_len,
    struct journal_state *ret_after)
{
	size_t body_len, len;
	uint8_t chain[32];

	if (all_zero(slice(rest, 0, JOURNAL_SECTOR)))
		return GROUP_UNWRITTEN;
	if (!is_head(slice(rest, 0, JOURNAL_SECTOR)) ||
	    get(rest.at + 8, 8) != state->entries)
		return GROUP_DAMAGED;
	body_len = (size_t)get(rest.at + 4, 4);
	if (body_len > JOURNAL_GROUP_MAX - JOURNAL_HEAD - 1)
		return GROUP_DAMAGED;
	len = padded(body_len);
	if (len > rest.len)
		return GROUP_DAMAGED;
	*ret_len = len;
	if (!chain_on(state->chain, rest.at, body_len, chain) ||
	    memcmp(chain, rest.at + 24, 32) != 0 ||
	    rest.at[len - 1] != END_MARK ||
	    !all_zero(slice(rest, JOURNAL_HEAD + body_len,
		len - 1 - JOURNAL_HEAD - body_len)))
		return GROUP_BROKEN;
	ret_after->entries = state->entries + get(rest.at + 16, 4);
	memcpy(ret_after->chain, chain, 32);
	return GROUP_GOOD;
}

/* Has the group a sector that was never written? */
static bool
has_hole(struct bytes group)
{
	for (size_t at = 0; at < group.len; at += JOURNAL_SECTOR) {
		if (all_zero(slice(group, at, JOURNAL_SECTOR)))
			return true;
	}
	return false;
}

/* Does another group start in here?  Then the one before was acknowledged. */
static bool
has_head(struct bytes rest)
{
	for (size_t at = 0; at < rest.len; at += JOURNAL_SECTOR) {
		if (is_head(slice(rest, at, JOURNAL_SECTOR)))
			return true;
	}
	return false;
}

static bool
is_torn(struct bytes rest, enum group kind, size_t len)
{
	if (kind == GROUP_UNWRITTEN) {
		len = JOURNAL_GROUP_MAX;
		if (has_head(slice(rest, 0, len)))
			return false;
	} else if (kind != GROUP_BROKEN || !has_hole(slice(rest, 0, len))) {
		return false;
	}
	return all_zero(slice(rest, len, SIZE_MAX));
}

/* Is a body n entries and nothing else? */
static bool
is_bundle(struct bytes body, uint64_t n)
{
	struct bytes entry;

	for (uint64_t i = 0; i < n; i++) {
		if (!tile_take_entry(&body, &entry) || entry.len > ENTRY_MAX)
			return false;
	}
	return body.len == 0;
}

/* Show the entries of a good group; false when they are not what it says. */
static bool
show(struct bytes body, uint64_t first, uint32_t n, audit_committed each,
    void *ctx)
{
	if (!is_bundle(body, n))
		return false;
	if (each != NULL && n > 0)
		each(ctx, first, body, n);
	return true;
}

static struct status
damaged(void)
{
	return status_fail(STATUS_DATA_LOSS,
	    "the audit journal is damaged: a record was changed or lost; move "
	    "the segment aside to keep it, and find out why");
}

STATUS
journal_before(struct bytes segment, struct journal_state *ret_before)
{
	struct journal_state before, after;
	size_t len;

	if (segment.len < JOURNAL_SECTOR || get(segment.at + 4, 4) != 32 ||
	    get(segment.at + 16, 4) != 0)
		return damaged();
	before.entries = get(segment.at + 8, 8);
	memcpy(before.chain, segment.at + JOURNAL_HEAD, 32);
	if (look(segment, &before, &len, &after) != GROUP_GOOD)
		return damaged();
	*ret_before = before;
	return status_ok();
}

static bool
same(const struct journal_state *a, const struct journal_state *b)
{
	return a->entries == b->entries && memcmp(a->chain, b->chain, 32) == 0;
}

STATUS
journal_replay(struct bytes segment, const struct journal_state *until,
    audit_committed each, void *ctx, struct journal_state *ret_state,
    size_t *ret_end, bool *ret_torn)
{
	struct journal_state state, after;
	struct status st = journal_before(segment, &state);
	size_t at = 0, len = 0;
	enum group kind = GROUP_UNWRITTEN;
	bool torn = false;

	if (failed(st))
		return st;
	while (at < segment.len && !(until != NULL && same(&state, until))) {
		struct bytes rest = slice(segment, at, SIZE_MAX);

		kind = look(rest, &state, &len, &after);
		if (kind != GROUP_GOOD)
			break;
		if (at > 0 && !show(slice(rest, JOURNAL_HEAD,
					(size_t)get(rest.at + 4, 4)),
				  state.entries, (uint32_t)get(rest.at + 16, 4),
				  each, ctx))
			return damaged();
		state = after;
		at += len;
	}
	if (until != NULL && !same(&state, until))
		return damaged();
	if (until == NULL && at < segment.len) {
		struct bytes rest = slice(segment, at, SIZE_MAX);

		if (!is_torn(rest, kind, len))
			return damaged();
		torn = !all_zero(rest);
	}
	*ret_state = state;
	*ret_end = at;
	*ret_torn = torn;
	return status_ok();
}
