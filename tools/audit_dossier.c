/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A custody dossier, checked offline: the ledger key signed these octets, the
 * checkpoint inside is signed too, the key is the one it says, and every
 * custody act stands in that ledger.  What it counts (signatures, refusals) is
 * keyd's own word; only a copy of the ledger shows that, and it says so.
 */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "ledger/verify.h"
#include "tools/audit_proof.h"

#define SPKI_MAX 1024

/* ---- reading JSON without trusting it ---- */

static const char *
text_at(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	return text == NULL ? "" : text;
}

static json_int_t
number_at(const json_t *json, const char *key)
{
	return json_integer_value(json_object_get(json, key));
}

static bool
octets_at(const json_t *json, const char *key, uint8_t *ret_at, size_t max,
    size_t *ret_len)
{
	struct bytes text = bytes_of(text_at(json, key));

	return text.len > 0 && base64_decode(text, ret_at, max, ret_len);
}

bool
dossier_origin(const json_t *dossier, char ret_origin[NOTE_NAME_MAX])
{
	const char *origin = text_at(dossier, "origin");

	if (strcmp(text_at(dossier, "format"), DOSSIER_FORMAT) != 0 ||
	    origin[0] == '\0' || strlen(origin) >= NOTE_NAME_MAX)
		return false;
	snprintf(ret_origin, NOTE_NAME_MAX, "%s", origin);
	return true;
}

/* ---- checking ---- */

static bool
fails(struct dossier_result *result, const char *what)
{
	snprintf(result->what, sizeof(result->what), "%s", what);
	return false;
}

static bool
check_signature(struct bytes octets, struct bytes signature,
    const struct audit_keys *keys, struct dossier_result *result)
{
	struct status st = status_fail(STATUS_NOT_FOUND, "no key is trusted");

	for (size_t i = 0; i < keys->n; i++) {
		st = dossier_verify(octets, signature, &keys->at[i]);
		if (!failed(st))
			return true;
	}
	return fails(result, st.why);
}

static bool
check_key(
    const json_t *dossier, struct key_id *ret_id, struct dossier_result *result)
{
	const json_t *key = json_object_get(dossier, "key");
	uint8_t spki[SPKI_MAX];
	struct key_id of_spki;
	size_t len;

	if (!key_id_parse(text_at(key, "id"), ret_id) ||
	    !octets_at(key, "spki", spki, sizeof(spki), &len) ||
	    !key_id_of_spki((struct bytes){ spki, len }, &of_spki))
		return fails(result, "it names no key that can be read");
	if (!key_id_equal(ret_id, &of_spki))
		return fails(
		    result, "the key's id is not that of its public key");
	return true;
}

static bool
check_act(
    const json_t *act, const struct key_id *id, struct dossier_result *result)
{
	const json_t *list = json_object_get(act, "proof");
	struct merkle_hash hashes[MERKLE_PROOF_MAX], leaf;
	uint8_t octets[ENTRY_MAX], names[ENTRY_NAMES_MAX];
	const struct checkpoint *tree = &result->checkpoint;
	size_t n = json_array_size(list), len;
	json_int_t number = number_at(act, "number");
	struct bytes entry_octets;
	struct entry entry;

	snprintf(result->what, sizeof(result->what),
	    "entry %" JSON_INTEGER_FORMAT
	    " is not in the ledger as it is shown",
	    number);
	if (number < 0 || n > MERKLE_PROOF_MAX ||
	    !octets_at(act, "entry", octets, sizeof(octets), &len))
		return false;
	for (size_t i = 0; i < n; i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (text == NULL || !base64_decode_exactly(bytes_of(text),
					hashes[i].at, MERKLE_HASH_LEN))
			return false;
	}
	entry_octets = (struct bytes){ octets, len };
	merkle_leaf(entry_octets, &leaf);
	if (failed(merkle_verify_inclusion(
		&leaf, (uint64_t)number, tree->size, &tree->root, hashes, n)) ||
	    failed(entry_decode(entry_octets, names, &entry)) ||
	    !entry.has_key || !key_id_equal(&entry.key, id))
		return false;
	result->what[0] = '\0';
	result->custody++;
	return true;
}

bool
dossier_check(struct bytes octets, const json_t *dossier,
    struct bytes signature, const struct audit_keys *keys,
    struct dossier_result *result)
{
	const json_t *ledger = json_object_get(dossier, "ledger");
	const json_t *custody = json_object_get(dossier, "custody");
	struct key_id id;
	struct status st;

	*result = (struct dossier_result){ .custody = 0 };
	if (!check_signature(octets, signature, keys, result))
		return false;
	st = audit_checkpoint_verify(bytes_of(text_at(ledger, "checkpoint")),
	    keys, NULL, &result->checkpoint, NULL);
	if (failed(st))
		return fails(result, st.why);
	if (strcmp(result->checkpoint.origin, text_at(dossier, "origin")) != 0)
		return fails(result, "its checkpoint is of another ledger");
	if (!check_key(dossier, &id, result))
		return false;
	for (size_t i = 0; i < json_array_size(custody); i++)
		if (!check_act(json_array_get(custody, i), &id, result))
			return false;
	return true;
}
