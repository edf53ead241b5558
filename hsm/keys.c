/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The map from key id to handle: an array of entries and, over it, an open
 * hash whose slots hold index + 1.  Ids are SHA-256 values, so their first
 * octets are the hash.  Every entry carries the module's generation and is not
 * given out under another: after a C_Finalize SoftHSM hands the same numbers to
 * other keys.
 *
 * Copies: signing with a session object spares SoftHSM all file work.  A token
 * that refuses to copy a key is not asked again for it.  Their number is
 * capped; the hand of a clock picks one not used lately to go.
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
	uint32_t copies;
	uint32_t hand;
};

static const uint8_t oid_p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d,
	0x03, 0x01, 0x07 };
static const uint8_t oid_p384[] = { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22 };
static const uint8_t oid_ed25519[] = { 0x06, 0x03, 0x2b, 0x65, 0x70 };
/* The other form PKCS#11 allows: PrintableString "edwards25519". */
static const uint8_t name_ed25519[] = { 0x13, 0x0c, 'e', 'd', 'w', 'a', 'r',
	'd', 's', '2', '5', '5', '1', '9' };

struct bytes
keys_ec_params(enum key_alg alg)
{
	switch (alg) {
	case KEY_ALG_EC_P256:
		return (struct bytes){ oid_p256, sizeof(oid_p256) };
	case KEY_ALG_EC_P384:
		return (struct bytes){ oid_p384, sizeof(oid_p384) };
	case KEY_ALG_ED25519:
		return (struct bytes){ oid_ed25519, sizeof(oid_ed25519) };
	default:
		return (struct bytes){ NULL, 0 };
	}
}

unsigned
keys_rsa_bits(enum key_alg alg)
{
	switch (alg) {
	case KEY_ALG_RSA_2048:
		return 2048;
	case KEY_ALG_RSA_3072:
		return 3072;
	case KEY_ALG_RSA_4096:
		return 4096;
	default:
		return 0;
	}
}

struct keys *
keys_new(bool session_copies)
{
	struct keys *keys = calloc(1, sizeof(*keys));

	if (keys != NULL)
		keys->copies_wanted = session_copies;
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
	keys->hand = 0;
	if (keys->slots != NULL)
		memset(keys->slots, 0, (keys->mask + 1) * sizeof(uint32_t));
}

/* The slot that holds the id, or the empty one where it belongs. */
static uint32_t
slot_of(const struct keys *keys, const struct key_id *id)
{
	uint32_t at;

	memcpy(&at, id->at, sizeof(at));
	for (at &= keys->mask; keys->slots[at] != 0;
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

void
keys_drop_copy(struct keys *keys, struct token *token, struct key_entry *entry)
{
	if (entry->copy == CK_INVALID_HANDLE)
		return;
	(void)token->p11->C_DestroyObject(token->anchor, entry->copy);
	entry->copy = CK_INVALID_HANDLE;
	keys->copies--;
}

static void
forget(struct keys *keys, struct token *token, struct key_entry *entry)
{
	keys_drop_copy(keys, token, entry);
	*entry = keys->entries[--keys->count];
	rehash(keys);
}

/* One attribute of exactly len octets. */
static bool
attribute_is(struct token *token, CK_OBJECT_HANDLE handle,
    CK_ATTRIBUTE_TYPE type, void *ret_at, CK_ULONG len)
{
	CK_ATTRIBUTE attr = { type, ret_at, len };

	return token->p11->C_GetAttributeValue(
		   token->anchor, handle, &attr, 1) == CKR_OK &&
	       attr.ulValueLen == len;
}

static enum key_alg
alg_of_rsa(struct token *token, CK_OBJECT_HANDLE handle)
{
	uint8_t modulus[512];
	CK_ATTRIBUTE attr = { CKA_MODULUS, modulus, sizeof(modulus) };
	CK_ULONG len;
	size_t skip = 0;

	if (token->p11->C_GetAttributeValue(token->anchor, handle, &attr, 1) !=
		CKR_OK ||
	    attr.ulValueLen > sizeof(modulus))
		return KEY_ALG_NONE;
	len = attr.ulValueLen;
	while (skip < len && modulus[skip] == 0)
		skip++;
	switch (len - skip) {
	case 256:
		return KEY_ALG_RSA_2048;
	case 384:
		return KEY_ALG_RSA_3072;
	case 512:
		return KEY_ALG_RSA_4096;
	default:
		return KEY_ALG_NONE;
	}
}

static enum key_alg
alg_of_curve(struct token *token, CK_OBJECT_HANDLE handle)
{
	static const enum key_alg curves[] = { KEY_ALG_EC_P256, KEY_ALG_EC_P384,
		KEY_ALG_ED25519 };
	const struct bytes ed25519_name = { name_ed25519,
		sizeof(name_ed25519) };
	uint8_t params[64];
	CK_ATTRIBUTE attr = { CKA_EC_PARAMS, params, sizeof(params) };
	struct bytes found = { params, 0 };

	if (token->p11->C_GetAttributeValue(token->anchor, handle, &attr, 1) !=
		CKR_OK ||
	    attr.ulValueLen > sizeof(params))
		return KEY_ALG_NONE;
	found.len = attr.ulValueLen;
	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
		if (bytes_equal(found, keys_ec_params(curves[i])))
			return curves[i];
	}
	return bytes_equal(found, ed25519_name) ? KEY_ALG_ED25519
						: KEY_ALG_NONE;
}

enum key_alg
keys_alg_of(struct token *token, CK_OBJECT_HANDLE handle)
{
	CK_KEY_TYPE type;
	enum key_alg alg;

	if (!attribute_is(token, handle, CKA_KEY_TYPE, &type, sizeof(type)))
		return KEY_ALG_NONE;
	if (type == CKK_RSA)
		return alg_of_rsa(token, handle);
	if (type != CKK_EC && type != CKK_EC_EDWARDS)
		return KEY_ALG_NONE;
	alg = alg_of_curve(token, handle);
	return (alg == KEY_ALG_ED25519) == (type == CKK_EC_EDWARDS)
		   ? alg
		   : KEY_ALG_NONE;
}

/* Learn one object; objects that are not ours are passed over in silence. */
static enum reason
learn(struct keys *keys, struct token *token, CK_OBJECT_HANDLE handle)
{
	struct key_entry entry = { .handle = handle,
		.copy = CK_INVALID_HANDLE,
		.generation = token->generation };

	if (!attribute_is(
		token, handle, CKA_ID, entry.id.at, sizeof(entry.id.at)))
		return REASON_OK;
	entry.alg = keys_alg_of(token, handle);
	return entry.alg == KEY_ALG_NONE ? REASON_OK : put(keys, &entry);
}

static CK_RV
search_start(struct token *token, CK_OBJECT_CLASS class,
    const struct key_id *id, const char *label)
{
	CK_BBOOL yes = CK_TRUE;
	CK_ATTRIBUTE template[4] = {
		{ CKA_CLASS, &class, sizeof(class) },
		/* Without it the search finds our own copies too. */
		{ CKA_TOKEN, &yes, sizeof(yes) },
	};
	struct key_id want_id;
	char want_label[HSM_LABEL_MAX];
	CK_ULONG n = 2;

	if (id != NULL) {
		want_id = *id;
		template[n++] =
		    (CK_ATTRIBUTE){ CKA_ID, want_id.at, sizeof(want_id.at) };
	}
	if (label != NULL) {
		size_t len = strnlen(label, sizeof(want_label));

		memcpy(want_label, label, len);
		template[n++] = (CK_ATTRIBUTE){ CKA_LABEL, want_label, len };
	}
	return token->p11->C_FindObjectsInit(token->anchor, template, n);
}

CK_RV
keys_search(struct token *token, CK_OBJECT_CLASS class, const struct key_id *id,
    const char *label, CK_OBJECT_HANDLE *ret_handle)
{
	CK_OBJECT_HANDLE found = CK_INVALID_HANDLE;
	CK_ULONG n = 0;
	CK_RV rv = search_start(token, class, id, label);

	if (rv != CKR_OK)
		return rv;
	rv = token->p11->C_FindObjects(token->anchor, &found, 1, &n);
	(void)token->p11->C_FindObjectsFinal(token->anchor);
	if (rv == CKR_OK)
		*ret_handle = n == 1 ? found : CK_INVALID_HANDLE;
	return rv;
}

/* All handles first: attributes may not be readable while a search is open. */
static CK_RV
collect(struct token *token, CK_OBJECT_HANDLE **ret_handles, size_t *ret_n)
{
	CK_OBJECT_HANDLE *handles = NULL;
	size_t n = 0, size = 0;
	CK_ULONG got = 0;
	CK_RV rv = search_start(token, CKO_PRIVATE_KEY, NULL, NULL);

	if (rv != CKR_OK)
		return rv;
	do {
		if (size - n < 256) {
			CK_OBJECT_HANDLE *more;

			size = size * 2 + 256;
			more = realloc(handles, size * sizeof(*handles));
			if (more == NULL) {
				rv = CKR_HOST_MEMORY;
				break;
			}
			handles = more;
		}
		rv = token->p11->C_FindObjects(
		    token->anchor, handles + n, 256, &got);
		n += rv == CKR_OK ? got : 0;
	} while (rv == CKR_OK && got > 0);
	(void)token->p11->C_FindObjectsFinal(token->anchor);
	if (rv != CKR_OK) {
		free(handles);
		return rv;
	}
	*ret_handles = handles;
	*ret_n = n;
	return CKR_OK;
}

enum reason
keys_load_all(struct keys *keys, struct token *token)
{
	scoped(free) CK_OBJECT_HANDLE *handles = NULL;
	size_t n = 0;
	enum reason reason = REASON_OK;
	CK_RV rv;

	keys_clear(keys);
	rv = collect(token, &handles, &n);
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
		forget(keys, token, old);
	if (handle != CK_INVALID_HANDLE)
		reason = learn(keys, token, handle);
	if (reason == REASON_OK && keys_get(keys, id) == NULL)
		reason = REASON_KEY_UNKNOWN;
	return reason;
}

static void
evict_one(struct keys *keys, struct token *token)
{
	for (;;) {
		struct key_entry *entry;

		if (keys->hand >= keys->count)
			keys->hand = 0;
		entry = &keys->entries[keys->hand++];
		if (entry->copy == CK_INVALID_HANDLE)
			continue;
		if (!entry->used) {
			keys_drop_copy(keys, token, entry);
			return;
		}
		entry->used = false;
	}
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
	if (!keys->copies_wanted || entry->no_copy)
		return entry->handle;
	if (keys->copies >= KEYS_COPIES_MAX)
		evict_one(keys, token);
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
