/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The map from key id to handle: an array of entries and, over it, an open
 * hash whose slots hold index + 1; to remove one closes the gap it leaves.  Ids
 * are SHA-256 values, so their first octets are the hash.  Every entry carries
 * the module's generation and is not given out under another: after a
 * C_Finalize SoftHSM hands the same numbers to other keys.
 *
 * Copies: signing with a session object spares SoftHSM all file work.  A token
 * that refuses to copy a key is not asked again for it.  Their number is
 * capped; the hand of a clock picks one not used lately to go.  Keys that were
 * unwrapped into the session are capped in the same way, and go whole.
 */

#include "hsm/keys.h"

#include <stdlib.h>
#include <string.h>

#include "base/scoped.h"

#define NO_ENTRY UINT32_MAX

struct keys {
	struct key_entry *entries;
	uint32_t count, size;
	uint32_t *slots; /* index + 1; 0 is empty */
	uint32_t mask;   /* slots - 1; slots is a power of two > 2 * count */
	bool copies_wanted;
	uint32_t copies, unwrapped, cache;
	uint32_t hand;
};

struct keys *
keys_new(bool session_copies, unsigned cache)
{
	struct keys *keys = calloc(1, sizeof(*keys));

	if (keys == NULL)
		return NULL;
	keys->copies_wanted = session_copies;
	keys->cache = cache < KEYS_CACHE_MIN ? KEYS_CACHE_MIN : cache;
	return keys;
}

void
keys_free(struct keys *keys)
{
	if (keys == NULL)
		return;
	free(keys->entries);
	free(keys->slots);
	free(keys);
}

unsigned
keys_count(const struct keys *keys)
{
	return keys->count;
}

void
keys_clear(struct keys *keys)
{
	keys->count = 0;
	keys->copies = 0;
	keys->unwrapped = 0;
	keys->hand = 0;
	if (keys->slots != NULL)
		memset(keys->slots, 0, (keys->mask + 1) * sizeof(uint32_t));
}

static uint32_t
home_of(const struct keys *keys, const struct key_id *id)
{
	uint32_t hash;

	memcpy(&hash, id->at, sizeof(hash));
	return hash & keys->mask;
}

/* The slot that holds the id, or the empty one where it belongs. */
static uint32_t
slot_of(const struct keys *keys, const struct key_id *id)
{
	uint32_t at;

	for (at = home_of(keys, id); keys->slots[at] != 0;
	     at = (at + 1) & keys->mask) {
		if (key_id_equal(&keys->entries[keys->slots[at] - 1].id, id))
			break;
	}
	return at;
}

static void
rehash(struct keys *keys)
{
	memset(keys->slots, 0, (keys->mask + 1) * sizeof(uint32_t));
	for (uint32_t i = 0; i < keys->count; i++)
		keys->slots[slot_of(keys, &keys->entries[i].id)] = i + 1;
}

static bool
grow(struct keys *keys)
{
	uint32_t size = keys->size == 0 ? 64 : keys->size * 2;
	struct key_entry *entries =
	    realloc(keys->entries, size * sizeof(*entries));
	uint32_t *slots;

	if (entries == NULL)
		return false;
	keys->entries = entries;
	slots = realloc(keys->slots, (size_t)size * 4 * sizeof(*slots));
	if (slots == NULL)
		return false;
	keys->slots = slots;
	keys->size = size;
	keys->mask = size * 4 - 1;
	rehash(keys);
	return true;
}

struct key_entry *
keys_get(struct keys *keys, const struct key_id *id)
{
	uint32_t slot;

	if (keys->count == 0)
		return NULL;
	slot = keys->slots[slot_of(keys, id)];
	return slot == 0 ? NULL : &keys->entries[slot - 1];
}

const struct key_entry *
keys_any(const struct keys *keys)
{
	return keys->count == 0 ? NULL : &keys->entries[0];
}

/* Insert or replace.  A replaced entry loses its copy's handle, which the
 * caller has destroyed or which went with the session. */
static enum reason
put(struct keys *keys, const struct key_entry *entry)
{
	struct key_entry *old = keys_get(keys, &entry->id);

	if (old != NULL) {
		*old = *entry;
		return REASON_OK;
	}
	if (keys->count == keys->size && !grow(keys))
		return REASON_MEMORY;
	keys->entries[keys->count] = *entry;
	keys->slots[slot_of(keys, &entry->id)] = keys->count + 1;
	keys->count++;
	return REASON_OK;
}

static CK_RV
drop_copy(struct keys *keys, struct token *token, struct key_entry *entry)
{
	CK_OBJECT_HANDLE copy = entry->copy;

	if (copy == CK_INVALID_HANDLE)
		return CKR_OK;
	entry->copy = CK_INVALID_HANDLE;
	keys->copies--;
	return token->p11->C_DestroyObject(token->anchor, copy);
}

void
keys_drop_copy(struct keys *keys, struct token *token, struct key_entry *entry)
{
	(void)drop_copy(keys, token, entry);
}

/* Empty a slot, and move up what was put behind it for want of room. */
static void
free_slot(struct keys *keys, uint32_t gap)
{
	const uint32_t mask = keys->mask;

	for (uint32_t at = (gap + 1) & mask; keys->slots[at] != 0;
	     at = (at + 1) & mask) {
		uint32_t home =
		    home_of(keys, &keys->entries[keys->slots[at] - 1].id);

		if (((at - home) & mask) < ((at - gap) & mask))
			continue;
		keys->slots[gap] = keys->slots[at];
		gap = at;
	}
	keys->slots[gap] = 0;
}

static CK_RV
forget(struct keys *keys, struct token *token, struct key_entry *entry)
{
	const struct key_entry *last = &keys->entries[keys->count - 1];
	CK_RV rv = drop_copy(keys, token, entry);

	if (entry->unwrapped) {
		rv = token->p11->C_DestroyObject(token->anchor, entry->handle);
		keys->unwrapped--;
	}
	free_slot(keys, slot_of(keys, &entry->id));
	if (entry != last) {
		keys->slots[slot_of(keys, &last->id)] =
		    (uint32_t)(entry - keys->entries) + 1;
		*entry = *last;
	}
	keys->count--;
	return rv;
}

CK_RV
keys_forget(struct keys *keys, struct token *token, const struct key_id *id)
{
	struct key_entry *entry = keys_get(keys, id);

	return entry == NULL ? CKR_OK : forget(keys, token, entry);
}

/* Learn one object; objects that are not ours are passed over in silence. */
static enum reason
learn(struct keys *keys, struct token *token, CK_OBJECT_HANDLE handle)
{
	struct key_entry entry = { .handle = handle,
		.copy = CK_INVALID_HANDLE,
		.generation = token->generation };
	CK_BBOOL signs = CK_FALSE;

	if (!keys_attribute(
		token, handle, CKA_ID, entry.id.at, sizeof(entry.id.at)))
		return REASON_OK;
	/* Wrapping keys have ids too. */
	if (keys_attribute(token, handle, CKA_SIGN, &signs, sizeof(signs)) &&
	    signs == CK_FALSE)
		return REASON_OK;
	entry.alg = keys_alg_of(token, handle);
	return entry.alg == KEY_ALG_NONE ? REASON_OK : put(keys, &entry);
}

enum reason
keys_load_all(struct keys *keys, struct token *token)
{
	scoped(free) CK_OBJECT_HANDLE *handles = NULL;
	size_t n = 0;
	enum reason reason = REASON_OK;
	CK_RV rv;

	keys_clear(keys);
	rv = keys_collect(token, &handles, &n);
	if (rv != CKR_OK) {
		token->detail = (uint32_t)rv;
		return REASON_AWAY;
	}
	for (size_t i = 0; i < n && reason == REASON_OK; i++)
		reason = learn(keys, token, handles[i]);
	return reason;
}

enum reason
keys_load_one(struct keys *keys, struct token *token, const struct key_id *id)
{
	CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
	struct key_entry *old;
	enum reason reason = REASON_OK;
	CK_RV rv = keys_search(token, CKO_PRIVATE_KEY, id, NULL, &handle);

	if (rv != CKR_OK) {
		token->detail = (uint32_t)rv;
		return REASON_AWAY;
	}
	old = keys_get(keys, id);
	if (old != NULL)
		(void)forget(keys, token, old);
	if (handle != CK_INVALID_HANDLE)
		reason = learn(keys, token, handle);
	if (reason == REASON_OK && keys_get(keys, id) == NULL)
		reason = REASON_KEY_UNKNOWN;
	return reason;
}

/* Of the copies, or of the unwrapped keys: one not used lately. */
static void
evict_one(struct keys *keys, struct token *token, bool unwrapped)
{
	for (;;) {
		struct key_entry *entry;

		if (keys->hand >= keys->count)
			keys->hand = 0;
		entry = &keys->entries[keys->hand++];
		if (unwrapped ? !entry->unwrapped
			      : entry->copy == CK_INVALID_HANDLE)
			continue;
		if (entry->used) {
			entry->used = false;
			continue;
		}
		if (unwrapped)
			(void)forget(keys, token, entry);
		else
			keys_drop_copy(keys, token, entry);
		return;
	}
}

enum reason
keys_put_unwrapped(struct keys *keys, struct token *token,
    const struct key_id *id, enum key_alg alg, CK_OBJECT_HANDLE handle)
{
	struct key_entry entry = { .id = *id,
		.alg = alg,
		.used = true,
		.unwrapped = true,
		.handle = handle,
		.copy = CK_INVALID_HANDLE,
		.generation = token->generation };
	enum reason reason;

	(void)keys_forget(keys, token, id);
	if (keys->unwrapped >= keys->cache)
		evict_one(keys, token, true);
	reason = put(keys, &entry);
	if (reason == REASON_OK)
		keys->unwrapped++;
	return reason;
}

CK_OBJECT_HANDLE
keys_signing_handle(
    struct keys *keys, struct token *token, struct key_entry *entry)
{
	CK_BBOOL no = CK_FALSE;
	CK_ATTRIBUTE template = { CKA_TOKEN, &no, sizeof(no) };
	CK_OBJECT_HANDLE copy = CK_INVALID_HANDLE;
	CK_RV rv;

	entry->used = true;
	if (entry->copy != CK_INVALID_HANDLE)
		return entry->copy;
	if (!keys->copies_wanted || entry->no_copy || entry->unwrapped)
		return entry->handle;
	if (keys->copies >= KEYS_COPIES_MAX)
		evict_one(keys, token, false);
	rv = token->p11->C_CopyObject(
	    token->anchor, entry->handle, &template, 1, &copy);
	if (rv != CKR_OK || copy == CK_INVALID_HANDLE) {
		entry->no_copy = ck_error_class(rv) == CK_CLASS_REQUEST;
		return entry->handle;
	}
	entry->copy = copy;
	keys->copies++;
	return copy;
}
