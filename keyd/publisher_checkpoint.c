/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Checkpoints: the text, the token's signature, the file.  The token signs
 * before anything is stored, so a tree whose checkpoint is published has all
 * its partial tiles, and one whose checkpoint is not has changed nothing.  What
 * the token gives back is verified before anyone sees it.
 */

#include <stdlib.h>
#include <string.h>

#include "keyd/publisher_int.h"

struct status
publisher_store(void *publisher, const struct tile *tile, struct bytes octets)
{
	struct publisher *p = publisher;
	struct status st = folder_put_tile(p->folder, tile, octets);

	/* While catching up after a stop, what was partial before it. */
	if (!failed(st) && tile->width == TILE_WIDTH && !p->is_restored)
		folder_drop_partials(p->folder, tile, 0);
	return st;
}

size_t
publisher_text(struct publisher *p, char ret_text[CHECKPOINT_TEXT_MAX])
{
	struct checkpoint checkpoint = { .size = builder_size(p->builder) };

	memcpy(checkpoint.origin, p->origin, strlen(p->origin) + 1);
	builder_root(p->builder, &checkpoint.root);
	return checkpoint_print(&checkpoint, ret_text);
}

STATUS
publisher_sign_with(struct publisher *p, const struct ledger_signer *signer,
    struct bytes text, int64_t deadline_ns, char ret_note[NOTE_MAX],
    size_t *ret_len)
{
	struct hsm_op op = { .key = signer->id,
		.scheme = SCHEME_ED25519,
		.deadline_ns = deadline_ns };
	struct note note;
	struct status st = note_parse(text, &note);

	/* A line more on a note is over the same text. */
	op.input = failed(st) ? text : note.text;
	hsm_sign(p->hsm, &op, 1);
	if (failed(op.status))
		return op.status;
	st = note_append(text, &signer->verifier,
	    (struct bytes){ op.signature.at, op.signature.len }, ret_note,
	    NOTE_MAX, ret_len);
	if (!failed(st))
		st = note_parse(
		    (struct bytes){ (const uint8_t *)ret_note, *ret_len },
		    &note);
	if (!failed(st))
		st = note_verify(&note, &signer->verifier, NULL);
	return failed(st)
		   ? status_fail(STATUS_INTERNAL,
			 "the token's signature with the ledger key does not "
			 "hold: look at the token's key and its label")
		   : st;
}

STATUS
publisher_copy(
    struct published *to, const char *note, size_t len, uint64_t size)
{
	char *copy = malloc(len);

	if (copy == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	memcpy(copy, note, len);
	free(to->note);
	*to = (struct published){ copy, len, size };
	return status_ok();
}

void
publisher_set_current(
    struct publisher *p, const char *note, size_t len, uint64_t size)
{
	struct status st;

	/* Without memory the file is right, and memory lags one behind. */
	pthread_mutex_lock(&p->lock);
	st = publisher_copy(&p->current, note, len, size);
	pthread_cond_broadcast(&p->job_done);
	pthread_mutex_unlock(&p->lock);
	if (failed(st))
		return;
	st = publisher_copy(
	    &p->history[p->n_history % HISTORY_MAX], note, len, size);
	if (!failed(st))
		p->n_history++;
	if (p->size_gauge != NULL) {
		metric_gauge_set(p->size_gauge, (int64_t)size);
		metric_gauge_set(p->time_gauge, clock_wall_s());
	}
}

/* ---- partial tiles of former trees ---- */

static struct tile
partial_of(int level, uint64_t size)
{
	const uint64_t units = level > 0 ? size >> (8 * (unsigned)level) : size;

	return (struct tile){ .level = level,
		.index = units / TILE_WIDTH,
		.width = (unsigned)(units % TILE_WIDTH) };
}

static bool
is_kept(const struct publisher *p, const struct tile *tile)
{
	for (size_t i = 0; i < KEPT_TREES; i++) {
		const struct tile other = partial_of(tile->level, p->kept[i]);

		if (p->kept[i] != 0 && other.index == tile->index &&
		    other.width == tile->width)
			return true;
	}
	return false;
}

/* One more tree is published, and the oldest one is let go. */
static void
keep_tree(struct publisher *p, uint64_t size)
{
	const uint64_t oldest = p->kept[0];

	memmove(
	    &p->kept[0], &p->kept[1], (KEPT_TREES - 1) * sizeof(p->kept[0]));
	p->kept[KEPT_TREES - 1] = size;
	for (int level = TILE_ENTRIES; oldest != 0 && level < TILE_LEVELS;
	     level++) {
		const struct tile tile = partial_of(level, oldest);

		if (tile.width > 0 && !is_kept(p, &tile))
			folder_drop_tile(p->folder, &tile);
	}
}

/* Is the tree the one that the checkpoint from before the start is of? */
static bool
is_restored_right(const struct publisher *p)
{
	const struct bytes octets = { (const uint8_t *)p->current.note,
		p->current.len };
	struct checkpoint checkpoint;
	struct merkle_hash root;
	struct note note;

	builder_root(p->builder, &root);
	return !failed(note_parse(octets, &note)) &&
	       !failed(checkpoint_parse(note.text, &checkpoint)) &&
	       checkpoint.size == builder_size(p->builder) &&
	       merkle_equal(&checkpoint.root, &root);
}

STATUS
publisher_restore_partials(struct publisher *p)
{
	struct status st;

	/* The start has checked it; then the journal was read once more. */
	if (!is_restored_right(p))
		return status_fail(STATUS_DATA_LOSS,
		    "the journal was changed since keyd started: checkpoints "
		    "wait; find out who did that, and start keyd again");
	st = builder_flush(p->builder, publisher_store, p);
	if (failed(st))
		return st;
	for (int level = TILE_ENTRIES; level < TILE_LEVELS; level++) {
		const struct tile tile = partial_of(level, p->restore_size);

		folder_drop_partials(p->folder, &tile, tile.width);
	}
	keep_tree(p, p->restore_size);
	p->is_restored = true;
	return st;
}

/* ---- publishing ---- */

STATUS
publisher_publish(struct publisher *p, const char *note, size_t len)
{
	const uint64_t size = builder_size(p->builder);
	struct status st;

	/* Nothing may be lost that a published checkpoint speaks of. */
	st = audit_settle(p->audit);
	if (!failed(st))
		st = builder_flush(p->builder, publisher_store, p);
	if (!failed(st))
		st = folder_put(p->folder, "checkpoint",
		    (struct bytes){ (const uint8_t *)note, len });
	if (failed(st))
		return st;
	publisher_set_current(p, note, len, size);
	keep_tree(p, size);
	return st;
}

STATUS
publisher_make_checkpoint(struct publisher *p, int64_t deadline_ns)
{
	char text[CHECKPOINT_TEXT_MAX], note[NOTE_MAX];
	size_t len;
	struct status st;

	if (p->current.note != NULL &&
	    builder_size(p->builder) <= p->current.size)
		return status_ok();
	if (builder_size(p->builder) == 0)
		return status_ok();
	len = publisher_text(p, text);
	st = publisher_sign_with(p, &p->signer,
	    (struct bytes){ (const uint8_t *)text, len }, deadline_ns, note,
	    &len);
	return failed(st) ? st : publisher_publish(p, note, len);
}

STATUS
publisher_save_state(struct publisher *p)
{
	const uint64_t size = builder_size(p->builder);
	scoped(free) uint8_t *octets = NULL;
	size_t len = 0;
	struct status st;

	if (size != p->current.size || p->current.note == NULL ||
	    p->next.number != 0 || size == p->state_size)
		return status_ok();
	st = folder_sync(p->folder);
	if (!failed(st))
		st = builder_save(p->builder, &octets, &len);
	if (!failed(st))
		st = folder_put(
		    p->folder, "state", (struct bytes){ octets, len });
	if (failed(st))
		return st;
	p->unsaved = 0;
	p->state_size = size;
	audit_retire(p->audit, size);
	return st;
}
