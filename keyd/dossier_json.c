/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The dossier as a document.  It says where each fact comes from: what was
 * recorded at birth, what the token reports now, what the ledger proves, and
 * what was left out.  Texts that people or peers wrote are escaped.
 */

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/printable.h"
#include "keyd/dossier_int.h"
#include "ledger/reader.h"

#define FORMAT "holdfast-dossier-v1"

static void
put(json_t *json, const char *key, json_t *value)
{
	if (json_object_set_new(json, key, value) != 0)
		json_object_set_new(json, key, json_null());
}

static void
put_number(json_t *json, const char *key, uint64_t number)
{
	put(json, key, json_integer((json_int_t)number));
}

static void
put_octets_text(json_t *json, const char *key, struct bytes text)
{
	char *shown = malloc(PRINTABLE_MAX(text.len));

	if (shown != NULL)
		printable_print(text, shown, PRINTABLE_MAX(text.len));
	put(json, key, json_string(shown == NULL ? "?" : shown));
	free(shown);
}

static void
put_text(json_t *json, const char *key, const char *text)
{
	put_octets_text(json, key, bytes_of(text));
}

static void
put_time(json_t *json, const char *key, int64_t time_ns)
{
	char text[CLOCK_TEXT_MAX];

	clock_print(time_ns, text);
	put(json, key, time_ns == 0 ? json_null() : json_string(text));
}

static void
put_base64(json_t *json, const char *key, struct bytes octets)
{
	char *text = malloc(BASE64_MAX(octets.len));

	if (text != NULL)
		base64_encode(octets, text);
	put(json, key, text == NULL ? json_null() : json_string(text));
	free(text);
}

/* ---- the key itself ---- */

static const char *
state_text(enum key_state state)
{
	switch (state) {
	case KEY_ACTIVE:
		return "active";
	case KEY_SUSPENDED:
		return "suspended";
	case KEY_SCHEDULED:
		return "scheduled for destruction";
	case KEY_DESTROYED:
		return "destroyed";
	}
	return "?";
}

static const char *
birth_text(enum key_origin origin)
{
	switch (origin) {
	case ORIGIN_GENERATED:
		return "generated inside the token";
	case ORIGIN_IMPORTED_WRAPPED:
		return "imported: wrapped on the sender's machine, unwrapped "
		       "inside the token; what became of it before is not "
		       "known here";
	case ORIGIN_IMPORTED_CERTD:
		return "imported: came in the clear to certd, which wrapped "
		       "it; the least trusted";
	}
	return "?";
}

static json_t *
key_json(const struct registry_key *key)
{
	json_t *json = json_object();
	char id[KEY_ID_TEXT_MAX];
	const char *alg = key_alg_name(key->alg);

	key_id_print(&key->id, id);
	put_text(json, "id", id);
	put_text(json, "label", key->label);
	put_text(json, "algorithm", alg == NULL ? "?" : alg);
	put_base64(json, "spki", (struct bytes){ key->spki, key->spki_len });
	put_text(json, "pool", key->pool);
	put_text(json, "birth", birth_text(key->origin));
	put_time(json, "created", key->created_s * NS_PER_S);
	put_text(json, "created_by", key->created_by);
	put_text(json, "state", state_text(key->state));
	put_time(json, "state_since", key->state_s * NS_PER_S);
	if (key->state == KEY_SCHEDULED)
		put_time(json, "destroy_at", key->destroy_at_s * NS_PER_S);
	put_text(json, "group", key->group);
	put_text(json, "owner", key->owner);
	put_text(json, "notes", key->notes);
	put(json, "replaceable", json_boolean(key->replaceable));
	put(json, "wrapped", json_boolean(key->wrapped));
	put_text(json, "kept",
	    key->wrapped
		? "outside the token, as a blob under the token's key "
		  "encryption key: extractable under that key alone, never in "
		  "the clear"
		: "inside the token, as an object of it");
	return json;
}

static json_t *
attributes_json(unsigned attributes)
{
	static const struct {
		const char *name;
		unsigned bit;
	} BITS[] = {
		{ "sensitive", ATTRIBUTE_SENSITIVE },
		{ "extractable", ATTRIBUTE_EXTRACTABLE },
		{ "always_sensitive", ATTRIBUTE_ALWAYS_SENSITIVE },
		{ "never_extractable", ATTRIBUTE_NEVER_EXTRACTABLE },
		{ "local", ATTRIBUTE_LOCAL },
	};
	json_t *json = json_object();

	for (size_t i = 0; i < sizeof(BITS) / sizeof(BITS[0]); i++)
		put(json, BITS[i].name,
		    json_boolean((attributes & BITS[i].bit) != 0));
	return json;
}

static json_t *
now_json(const struct dossier_facts *facts)
{
	const struct hsm_key *now = facts->now;
	json_t *json;

	if (now == NULL) {
		json = json_object();
		put_text(json, "not_asked", facts->not_asked);
		return json;
	}
	json = json_object();
	put(json, "sensitive", json_boolean(now->sensitive));
	put(json, "extractable", json_boolean(now->extractable));
	put(json, "always_sensitive", json_boolean(now->always_sensitive));
	put(json, "never_extractable", json_boolean(now->never_extractable));
	put(json, "local", json_boolean(now->local));
	return json;
}

/* ---- who may, and who wanted it ---- */

static json_t *
contexts_json(unsigned contexts)
{
	json_t *json = json_array();

	for (unsigned c = CONTEXT_NONE + 1; c < CONTEXT_END_; c++)
		if ((contexts & 1u << c) != 0)
			json_array_append_new(
			    json, json_string(
				      sign_context_name((enum sign_context)c)));
	return json;
}

static json_t *
grants_json(const struct dossier_facts *facts)
{
	json_t *json = json_array();

	for (size_t i = 0; i < facts->n_grants; i++) {
		const struct registry_grant *grant = &facts->grants[i];
		json_t *one = json_object();

		put_text(one, "identity", grant->pattern);
		put(one, "contexts", contexts_json(grant->contexts));
		put_number(one, "rate_per_s", grant->budget.rate_per_s);
		put_number(one, "burst", grant->budget.burst);
		put(one, "beyond_group", json_boolean(grant->beyond_group));
		if (grant->key_group[0] != '\0')
			put_text(one, "by_key_group", grant->key_group);
		json_array_append_new(json, one);
	}
	return json;
}

static json_t *
votes_json(const struct registry_approval *approval)
{
	json_t *json = json_array();

	for (size_t i = 0; i < approval->n_votes; i++) {
		const struct registry_vote *vote = &approval->votes[i];
		json_t *one = json_object();

		put_text(one, "operator", vote->operator);
		put(one, "approve", json_boolean(vote->approve));
		put_time(one, "at", vote->at_s * NS_PER_S);
		put_text(one, "comment", vote->comment);
		json_array_append_new(json, one);
	}
	return json;
}

static json_t *
approvals_json(const struct dossier_facts *facts)
{
	static const char *const STATES[] = { "?", "pending", "done",
		"rejected", "expired", "failed" };
	json_t *json = json_array();

	for (size_t i = 0; i < facts->n_approvals; i++) {
		const struct registry_approval *approval = &facts->approvals[i];
		size_t state = (size_t)approval->state;
		json_t *one;

		if (!key_id_equal(&approval->key, &facts->key->id))
			continue;
		one = json_object();
		put_number(one, "id", (uint64_t)approval->id);
		put_text(one, "act", approval->act);
		put_text(one, "requested_by", approval->requested_by);
		put_time(one, "requested", approval->requested_s * NS_PER_S);
		put_text(one, "state",
		    STATES[state < sizeof(STATES) / sizeof(STATES[0]) ? state
								      : 0]);
		put_number(one, "quorum", approval->quorum);
		put_text(one, "comment", approval->comment);
		put_text(one, "outcome", approval->outcome);
		put(one, "votes", votes_json(approval));
		json_array_append_new(json, one);
	}
	return json;
}

/* ---- what the ledger says ---- */

static json_t *
use_json(const struct dossier_scan *scan)
{
	json_t *json = json_array();

	for (size_t i = 0; i < scan->n_uses; i++) {
		const struct dossier_use *use = &scan->uses[i];
		const char *context =
		    use->context < CONTEXT_END_
			? sign_context_name((enum sign_context)use->context)
			: NULL;
		json_t *one = json_object();

		put_text(one, "peer", use->peer);
		put_text(one, "context", context == NULL ? "?" : context);
		put_number(one, "signatures", use->signatures);
		put_number(one, "refusals", use->refusals);
		put_time(one, "first", use->first_ns);
		put_time(one, "last", use->last_ns);
		json_array_append_new(json, one);
	}
	return json;
}

static bool
is_edge_with_signatures(const struct dossier_use *use)
{
	struct spiffe id;

	return use->signatures > 0 && !failed(spiffe_parse(use->peer, &id)) &&
	       id.role == ROLE_EDGE;
}

/* Each once, though it may have used several contexts. */
static json_t *
edges_json(const struct dossier_scan *scan)
{
	json_t *json = json_array();

	for (size_t i = 0; i < scan->n_uses; i++) {
		size_t before = 0;

		if (!is_edge_with_signatures(&scan->uses[i]))
			continue;
		while (
		    before < i &&
		    (strcmp(scan->uses[before].peer, scan->uses[i].peer) != 0 ||
			!is_edge_with_signatures(&scan->uses[before])))
			before++;
		if (before == i)
			json_array_append_new(
			    json, json_string(scan->uses[i].peer));
	}
	return json;
}

static json_t *
names_json(const struct dossier_scan *scan)
{
	json_t *json = json_array();

	for (size_t i = 0; i < scan->n_names; i++) {
		json_t *one = json_object();

		/* Escaped when it was read. */
		put(one, "name", json_string(scan->names[i].text));
		put_number(one, "last_entry", scan->names[i].number);
		put_time(one, "last", scan->names[i].time_ns);
		json_array_append_new(json, one);
	}
	return json;
}

static json_t *
act_json(const struct dossier_act *act)
{
	static const char *const STAGES[] = { "", "asked", "done", "failed" };
	struct bytes octets = { act->octets, act->len };
	uint8_t names[ENTRY_NAMES_MAX];
	json_t *json = json_object();
	struct entry entry;

	put_number(json, "number", act->number);
	if (!failed(entry_decode(octets, names, &entry))) {
		size_t stage = (size_t)entry.stage;

		put_time(json, "time", entry.time_ns);
		put_octets_text(json, "peer", entry.peer);
		put_octets_text(json, "act", entry.act);
		if (entry.on_behalf_of.len > 0)
			put_octets_text(
			    json, "on_behalf_of", entry.on_behalf_of);
		put_text(json, "stage",
		    STAGES[stage < sizeof(STAGES) / sizeof(STAGES[0]) ? stage
								      : 0]);
		put_octets_text(json, "reason", entry.reason);
	}
	put_base64(json, "entry", octets);
	return json;
}

static json_t *
hashes_json(const struct merkle_hash *hashes, size_t n)
{
	json_t *json = json_array();

	for (size_t i = 0; i < n; i++) {
		char text[BASE64_MAX(MERKLE_HASH_LEN)];

		base64_encode(
		    (struct bytes){ hashes[i].at, MERKLE_HASH_LEN }, text);
		json_array_append_new(json, json_string(text));
	}
	return json;
}

static struct status
prove_acts(const struct dossier_facts *facts, json_t *acts)
{
	scoped(reader_close) struct reader *reader = NULL;
	struct reader_tree tree = { .size = facts->tree->size };
	struct merkle_hash hashes[MERKLE_PROOF_MAX];
	struct merkle_source source;
	struct status st = reader_open(facts->folder, &reader);

	tree.reader = reader;
	if (failed(st))
		return st;
	source = reader_source(&tree);
	for (size_t i = 0; i < facts->scan->n_acts; i++) {
		const struct dossier_act *act = &facts->scan->acts[i];
		size_t n = 0;
		json_t *json;

		st = merkle_prove_inclusion(
		    &source, act->number, tree.size, hashes, &n);
		if (failed(st))
			return st;
		json = act_json(act);
		put(json, "proof", hashes_json(hashes, n));
		json_array_append_new(acts, json);
	}
	return st;
}

static json_t *
ledger_json(const struct dossier_facts *facts)
{
	char root[BASE64_MAX(MERKLE_HASH_LEN)];
	json_t *json = json_object();

	base64_encode(
	    (struct bytes){ facts->tree->root.at, MERKLE_HASH_LEN }, root);
	put_number(json, "size", facts->tree->size);
	put_text(json, "root", root);
	/* As it is, for it is signed. */
	put(json, "checkpoint",
	    json_stringn(
		(const char *)facts->checkpoint.at, facts->checkpoint.len));
	return json;
}

static json_t *
left_out_json(const struct dossier_facts *facts)
{
	const struct dossier_scan *scan = facts->scan;
	json_t *json = json_object();

	put_number(json, "custody", scan->acts_left);
	put_number(json, "use", scan->uses_left);
	put_number(json, "certificate_names", scan->names_left);
	put(json, "older_approvals", json_boolean(facts->older_approvals));
	return json;
}

STATUS
dossier_write(const struct dossier_facts *facts, char **ret_json)
{
	const struct dossier_scan *scan = facts->scan;
	json_t *json = json_object(), *acts = json_array();
	struct status st = prove_acts(facts, acts);
	char *text = NULL;

	put_text(json, "format", FORMAT);
	put_text(json, "origin", facts->origin);
	put_time(json, "made_at", facts->made_ns);
	put_text(json, "made_for", facts->made_for);
	put(json, "key", key_json(facts->key));
	put(json, "attributes_at_birth",
	    attributes_json(facts->key->attributes));
	put(json, "attributes_now", now_json(facts));
	put(json, "grants", grants_json(facts));
	put(json, "approvals", approvals_json(facts));
	put(json, "use", use_json(scan));
	put(json, "edges", edges_json(scan));
	put(json, "certificate_names", names_json(scan));
	put(json, "custody", acts);
	put(json, "left_out", left_out_json(facts));
	put(json, "ledger", ledger_json(facts));
	if (!failed(st))
		text = json_dumps(json, JSON_INDENT(1));
	json_decref(json);
	if (failed(st))
		return st;
	if (text == NULL)
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "no memory for the dossier");
	*ret_json = text;
	return st;
}
