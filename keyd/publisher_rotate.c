/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Changing the ledger key, in steps of which each may be the last before a
 * stop: make the key in the token (found again by its label); record an entry
 * that names it; sign one checkpoint over that entry with both keys and store
 * it as handover/N; name the key in the registry.  From the entry on the start
 * finds where to go on, since no journal is retired while a rotation is under
 * way.  A handover that is stored is final, for others may have it.
 */

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "keyd/ledger_key.h"
#include "keyd/publisher_int.h"

#define ACT "rotate ledger key"

static STATUS
record(struct publisher *p, const char *peer, enum entry_stage stage,
    const struct ledger_signer *next)
{
	char vkey[NOTE_VKEY_MAX];
	struct audit_entry entry = {
		.kind = AUDIT_CUSTODY, .peer = peer, .act = ACT, .stage = stage
	};

	if (next != NULL) {
		note_key_print(&next->verifier, vkey);
		entry.key = next->id;
		entry.ledger_key = vkey;
	}
	return audit_record(p->audit, &entry, 1);
}

void
publisher_label(const struct publisher *p, unsigned number,
    char ret_label[REGISTRY_LABEL_MAX])
{
	snprintf(ret_label, REGISTRY_LABEL_MAX, "%s-%u", p->base_label, number);
}

static STATUS
make_key(
    struct publisher *p, int64_t deadline_ns, struct ledger_signer *ret_next)
{
	struct ledger_signer next = { .number = p->signer.number + 1 };
	struct hsm_key key;
	struct status st;

	publisher_label(p, next.number, next.label);
	st = hsm_find_label(p->hsm, next.label, deadline_ns, &key);
	if (st.code == STATUS_NOT_FOUND)
		st = hsm_generate(
		    p->hsm, KEY_ALG_ED25519, next.label, deadline_ns, &key);
	if (!failed(st))
		st = ledger_key_of(p->origin,
		    (struct bytes){ key.spki, key.spki_len }, &next.verifier);
	if (failed(st))
		return st;
	next.id = key.id;
	*ret_next = next;
	return st;
}

/* A handover/N from before a stop: the size of its tree.  NOT_FOUND. */
static STATUS
read_handover(struct publisher *p, const char *path, uint64_t *ret_size)
{
	scoped(free) uint8_t *octets = NULL;
	struct checkpoint checkpoint;
	struct note note;
	size_t len = 0;
	struct status st = folder_get(p->folder, path, NOTE_MAX, &octets, &len);

	if (!failed(st))
		st = note_parse((struct bytes){ octets, len }, &note);
	if (!failed(st))
		st = checkpoint_parse(note.text, &checkpoint);
	if (!failed(st))
		st = note_verify(&note, &p->signer.verifier, NULL);
	if (!failed(st))
		st = note_verify(&note, &p->next.verifier, NULL);
	if (!failed(st))
		*ret_size = checkpoint.size;
	if (failed(st) && st.code != STATUS_NOT_FOUND &&
	    st.code != STATUS_UNAVAILABLE)
		return status_fail(STATUS_DATA_LOSS,
		    "the ledger's handover note is not by both keys: put the "
		    "ledger folder back from a copy");
	return st;
}

/* Sign the tree with both keys, store that as handover, and publish it. */
static STATUS
write_handover(struct publisher *p, const char *path, int64_t deadline_ns)
{
	char text[CHECKPOINT_TEXT_MAX], old[NOTE_MAX], both[NOTE_MAX];
	size_t len = publisher_text(p, text);
	struct status st = publisher_sign_with(p, &p->signer,
	    (struct bytes){ (const uint8_t *)text, len }, deadline_ns, old,
	    &len);

	if (!failed(st))
		st = publisher_sign_with(p, &p->next,
		    (struct bytes){ (const uint8_t *)old, len }, deadline_ns,
		    both, &len);
	if (!failed(st))
		st = audit_settle(p->audit);
	if (!failed(st))
		st = builder_flush(p->builder, publisher_store, p);
	if (!failed(st))
		st = folder_put(p->folder, path,
		    (struct bytes){ (const uint8_t *)both, len });
	return failed(st) ? st : publisher_publish(p, both, len);
}

static STATUS
change_over(struct publisher *p, uint64_t size)
{
	struct registry_ledger_key row = { .number = p->next.number,
		.id = p->next.id,
		.from_entry = size,
		.since_s = clock_wall_s() };
	struct status st;

	memcpy(row.label, p->next.label, sizeof(row.label));
	note_key_print(&p->next.verifier, row.verifier_key);
	st = registry_ledger_key_add(p->registry, &row);
	if (failed(st))
		return st;
	pthread_mutex_lock(&p->lock);
	p->signer = p->next;
	pthread_mutex_unlock(&p->lock);
	p->next.number = 0;
	log_info("the ledger has a new key", LOG_STR("key", row.verifier_key),
	    LOG_UINT("from_entry", size));
	return st;
}

STATUS
publisher_hand_over(struct publisher *p, int64_t deadline_ns)
{
	char path[32];
	uint64_t size = 0;
	struct status st;

	if (p->next.number == 0)
		return status_ok();
	snprintf(path, sizeof(path), "handover/%u", p->signer.number);
	st = read_handover(p, path, &size);
	if (st.code == STATUS_NOT_FOUND) {
		size = builder_size(p->builder);
		st = write_handover(p, path, deadline_ns);
	}
	return failed(st) ? st : change_over(p, size);
}

struct status
publisher_run_rotate(struct publisher *p, struct job *job)
{
	const struct rotate_job *rotate = (const struct rotate_job *)job;
	struct ledger_signer next;
	struct status st = status_ok();

	if (p->next.number == 0) {
		st = record(p, rotate->peer, ENTRY_ASKED, NULL);
		if (!failed(st))
			st = make_key(p, job->deadline_ns, &next);
		if (!failed(st))
			st = record(p, rotate->peer, ENTRY_DONE, &next);
		if (failed(st))
			return st;
		p->next = next;
	}
	st = publisher_drain(p);
	if (!failed(st))
		st = publisher_hand_over(p, job->deadline_ns);
	return st;
}
