/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is checked before keyd serves: that the saved state, the journal and the
 * last checkpoint are of one tree, and that a key of this ledger signed it.
 * This reads the journal once with a tree of its own and stores nothing; the
 * thread then reads it again and stores what is missing.  It refuses, with
 * DATA_LOSS, whatever cannot be explained by a stop at any moment.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "keyd/publisher_int.h"

/* What is found on the way. */
struct check {
	struct publisher *publisher;
	struct builder *builder;
	struct status st;
	struct checkpoint checkpoint; /* size 0: there is none */
	bool is_met;                  /* the tree had its size and root */
	/* By the key that the registry says signs now; size 0: there is none */
	struct checkpoint handover;
	bool is_handover_met;
	/* Keys in the registry. */
	struct registry_ledger_key *keys;
	size_t n_keys;
};

static struct status
data_loss(const char *why)
{
	return status_fail(STATUS_DATA_LOSS, why);
}

/* ---- the ledger's keys ---- */

static STATUS
load_keys(struct check *check)
{
	struct publisher *p = check->publisher;
	struct status st =
	    registry_ledger_keys(p->registry, &check->keys, &check->n_keys);

	if (failed(st))
		return st;
	if (check->n_keys == 0)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "the registry names no ledger key: run keyd init");
	const struct registry_ledger_key *now = &check->keys[check->n_keys - 1];
	snprintf(
	    p->base_label, sizeof(p->base_label), "%s", check->keys[0].label);
	p->signer.number = now->number;
	p->signer.id = now->id;
	memcpy(p->signer.label, now->label, sizeof(p->signer.label));
	st = note_key_parse(now->verifier_key, &p->signer.verifier);
	if (failed(st) || strcmp(p->signer.verifier.name, p->origin) != 0)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "the ledger was begun under another domain or name: "
		    "neither can change");
	return st;
}

/* ---- the checkpoint ---- */

static bool
is_signed_by_us(const struct check *check, const struct note *note)
{
	for (size_t i = 0; i < check->n_keys; i++) {
		struct note_key key;

		if (!failed(
			note_key_parse(check->keys[i].verifier_key, &key)) &&
		    !failed(note_verify(note, &key, NULL)))
			return true;
	}
	return false;
}

static STATUS
load_checkpoint(struct check *check)
{
	struct publisher *p = check->publisher;
	scoped(free) uint8_t *octets = NULL;
	struct note note;
	size_t len = 0;
	struct status st =
	    folder_get(p->folder, "checkpoint", NOTE_MAX, &octets, &len);

	if (st.code == STATUS_NOT_FOUND) {
		p->is_restored = true;
		return status_ok();
	}
	if (!failed(st))
		st = note_parse((struct bytes){ octets, len }, &note);
	if (!failed(st))
		st = checkpoint_parse(note.text, &check->checkpoint);
	if (st.code == STATUS_INVALID_ARGUMENT)
		return data_loss("the ledger's checkpoint is damaged: put the "
				 "ledger folder back from a copy");
	if (failed(st))
		return st;
	if (strcmp(check->checkpoint.origin, p->origin) != 0 ||
	    !is_signed_by_us(check, &note))
		return data_loss("the ledger's checkpoint was not signed by "
				 "this keyd: put the ledger folder back from "
				 "a copy, and find out who wrote it");
	p->restore_size = check->checkpoint.size;
	publisher_set_current(
	    p, (const char *)octets, len, check->checkpoint.size);
	return st;
}

/* A handover by the key that signs now is of a rotation that was under way. */
static STATUS
load_handover(struct check *check)
{
	struct publisher *p = check->publisher;
	scoped(free) uint8_t *octets = NULL;
	struct note note;
	char path[32];
	size_t len = 0;
	struct status st;

	snprintf(path, sizeof(path), "handover/%u", p->signer.number);
	st = folder_get(p->folder, path, NOTE_MAX, &octets, &len);
	if (st.code == STATUS_NOT_FOUND)
		return status_ok();
	if (!failed(st))
		st = note_parse((struct bytes){ octets, len }, &note);
	if (!failed(st))
		st = note_verify(&note, &p->signer.verifier, NULL);
	if (!failed(st))
		st = checkpoint_parse(note.text, &check->handover);
	if (!failed(st) || st.code == STATUS_UNAVAILABLE ||
	    st.code == STATUS_RESOURCE_EXHAUSTED)
		return st;
	return data_loss("the ledger's handover note is damaged: put the "
			 "ledger folder back from a copy");
}

/* ---- the state, and the journal behind it ---- */

static STATUS
load_state(struct check *check)
{
	struct publisher *p = check->publisher;
	scoped(free) uint8_t *octets = NULL;
	size_t len = 0;
	struct status st =
	    folder_get(p->folder, "state", BUILDER_STATE_MAX, &octets, &len);

	if (st.code == STATUS_NOT_FOUND) {
		check->builder = builder_new();
		p->builder = builder_new();
		return check->builder != NULL && p->builder != NULL
			   ? status_ok()
			   : status_fail(
				 STATUS_RESOURCE_EXHAUSTED, "no memory");
	}
	if (!failed(st))
		st = builder_load(
		    (struct bytes){ octets, len }, &check->builder);
	if (!failed(st))
		st = builder_load((struct bytes){ octets, len }, &p->builder);
	if (st.code == STATUS_DATA_LOSS)
		return data_loss(
		    "the ledger's file \"state\" is damaged: put the ledger "
		    "folder back from a copy; if the journal still begins "
		    "with entry 0, removing \"state\" is enough");
	if (failed(st))
		return st;
	p->state_size = builder_size(p->builder);
	if (p->current.note == NULL || p->state_size > p->current.size)
		return data_loss(
		    "the ledger's checkpoint is older than its saved state: "
		    "somebody put back an old one; put the newest back");
	return st;
}

/* A key that an entry names and the registry does not have yet: a rotation was
 * under way when keyd stopped. */
static void
look_for_key(struct check *check, struct bytes octets)
{
	struct ledger_signer next = { .number = 0 };
	static uint8_t names[ENTRY_NAMES_MAX];
	char vkey[ENTRY_LEDGER_KEY_MAX];
	struct entry entry;

	if (failed(entry_decode(octets, names, &entry)) ||
	    entry.ledger_key.len == 0 || !entry.has_key ||
	    entry.ledger_key.len >= sizeof(vkey))
		return;
	snprintf(vkey, sizeof(vkey), "%.*s", (int)entry.ledger_key.len,
	    (const char *)entry.ledger_key.at);
	for (size_t i = 0; i < check->n_keys; i++) {
		if (strcmp(vkey, check->keys[i].verifier_key) == 0)
			return;
	}
	if (failed(note_key_parse(vkey, &next.verifier)))
		return;
	next.number = check->keys[check->n_keys - 1].number + 1;
	next.id = entry.key;
	publisher_label(check->publisher, next.number, next.label);
	check->publisher->next = next;
}

/* The ledger's first entry names its first key. */
static STATUS
check_first(const struct check *check, struct bytes octets)
{
	uint8_t names[ENTRY_NAMES_MAX];
	struct entry entry;

	if (failed(entry_decode(octets, names, &entry)) ||
	    !bytes_equal(
		entry.ledger_key, bytes_of(check->keys[0].verifier_key)))
		return data_loss(
		    "the journal is of another ledger than the registry: put "
		    "the journal back where audit.directory says");
	return status_ok();
}

static void
meet_checkpoint(struct check *check)
{
	struct merkle_hash root;

	if (builder_size(check->builder) != check->checkpoint.size)
		return;
	builder_root(check->builder, &root);
	check->is_met = merkle_equal(&root, &check->checkpoint.root);
	if (!check->is_met)
		check->st = data_loss(
		    "the journal is not what the ledger's checkpoint was "
		    "signed over: a record was changed; put journal and "
		    "ledger back from one copy");
}

static void
meet_handover(struct check *check)
{
	struct merkle_hash root;

	if (builder_size(check->builder) != check->handover.size)
		return;
	builder_root(check->builder, &root);
	check->is_handover_met = merkle_equal(&root, &check->handover.root) &&
				 check->publisher->next.number != 0;
}

static void
check_group(void *ctx, uint64_t first, struct bytes bundle, uint32_t n)
{
	struct check *check = ctx;
	struct bytes entry;

	for (; n > 0 && !failed(check->st); n--, first++) {
		if (!tile_take_entry(&bundle, &entry))
			return;
		check->st =
		    first == 0 ? check_first(check, entry) : status_ok();
		if (!failed(check->st))
			check->st =
			    builder_append(check->builder, entry, NULL, NULL);
		look_for_key(check, entry);
		if (!failed(check->st) && check->checkpoint.size > 0)
			meet_checkpoint(check);
		if (check->handover.size > 0)
			meet_handover(check);
	}
}

static STATUS
check_journal(struct check *check)
{
	struct publisher *p = check->publisher;
	struct status st;

	if (p->current.note != NULL)
		meet_checkpoint(check);
	if (failed(check->st))
		return check->st;
	if (audit_entries(p->audit) == 0)
		return data_loss(
		    "the journal is empty though a ledger was begun: put it "
		    "back where audit.directory says, or see --new-ledger in "
		    "keyd(8)");
	if (audit_entries(p->audit) < p->current.size ||
	    audit_entries(p->audit) < check->keys[check->n_keys - 1].from_entry)
		return data_loss(
		    "the journal ends before the ledger's checkpoint: records "
		    "are gone; put the journal back where audit.directory "
		    "says, or see --new-ledger in keyd(8)");
	st = audit_replay(p->audit, p->state_size, check_group, check);
	if (failed(check->st))
		return check->st;
	if (st.code == STATUS_NOT_FOUND)
		return data_loss(
		    "the journal begins after the ledger's saved state: put "
		    "its older segments, or the file \"state\", back");
	if (failed(st))
		return st;
	if (p->current.note != NULL && !check->is_met)
		return data_loss(
		    "the journal does not come to the ledger's checkpoint");
	if (check->handover.size > 0 && !check->is_handover_met)
		return data_loss(
		    "the ledger was handed over to a new key, and journal or "
		    "registry are from before that: put the newest back");
	return st;
}

static STATUS
load_cosigned(struct publisher *p)
{
	scoped(free) uint8_t *octets = NULL;
	struct checkpoint checkpoint;
	struct note note;
	size_t len = 0;
	struct status st =
	    folder_get(p->folder, "cosigned", NOTE_MAX, &octets, &len);

	if (st.code == STATUS_NOT_FOUND)
		return status_ok();
	if (!failed(st))
		st = note_parse((struct bytes){ octets, len }, &note);
	if (!failed(st))
		st = checkpoint_parse(note.text, &checkpoint);
	if (failed(st)) {
		log_warn("the file \"cosigned\" of the ledger is passed over",
		    LOG_STATUS(st));
		return status_ok();
	}
	return publisher_copy(
	    &p->cosigned, (const char *)octets, len, checkpoint.size);
}

static STATUS
run(struct check *check)
{
	struct publisher *p = check->publisher;
	struct status st = load_keys(check);

	if (!failed(st))
		st = load_checkpoint(check);
	if (!failed(st))
		st = load_handover(check);
	if (!failed(st))
		st = load_state(check);
	if (!failed(st))
		st = check_journal(check);
	if (!failed(st))
		st = load_cosigned(p);
	if (failed(st))
		return st;
	log_info("the audit ledger agrees with the journal",
	    LOG_UINT("entries", builder_size(check->builder)),
	    LOG_UINT("checkpoint", p->current.size),
	    LOG_UINT("key", p->signer.number));
	if (p->next.number != 0)
		log_info("a rotation of the ledger key goes on",
		    LOG_UINT("key", p->next.number));
	return st;
}

STATUS
publisher_check(struct publisher *p)
{
	struct check check = { .publisher = p, .st = status_ok() };
	struct status st = run(&check);

	builder_free(check.builder);
	free(check.keys);
	return st;
}
