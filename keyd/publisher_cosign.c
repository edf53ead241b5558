/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Witnesses' lines (C2SP tlog-cosignature).  A line counts when its key is
 * configured and it holds over a text that this ledger has published; the note
 * it is added to is always keyd's own, so nothing else of what was sent gets
 * in.  The newest cosigned checkpoint is kept beside the newest one, which may
 * be younger than any witness.
 */

#include <string.h>

#include "keyd/publisher_int.h"

static struct bytes
bytes_of_note(const struct published *note)
{
	return (struct bytes){ (const uint8_t *)note->note, note->len };
}

/* The text of a note that we wrote. */
static struct bytes
text_of(const struct published *published)
{
	struct note note;

	if (published->note == NULL ||
	    failed(note_parse(bytes_of_note(published), &note)))
		return (struct bytes){ NULL, 0 };
	return note.text;
}

/* What we published over this text, newest first; NULL: nothing. */
static const struct published *
find(struct publisher *p, struct bytes text)
{
	const size_t n =
	    p->n_history < HISTORY_MAX ? p->n_history : HISTORY_MAX;

	if (bytes_equal(text_of(&p->current), text))
		return &p->current;
	if (bytes_equal(text_of(&p->cosigned), text))
		return &p->cosigned;
	for (size_t i = 1; i <= n; i++) {
		const struct published *at =
		    &p->history[(p->n_history - i) % HISTORY_MAX];

		if (bytes_equal(text_of(at), text))
			return at;
	}
	return NULL;
}

static bool
is_of(const struct note_signature *line, const struct note_key *key)
{
	return line->hash == key->hash &&
	       bytes_equal(line->name, bytes_of(key->name));
}

/* The note without this key's lines; returns its length. */
static size_t
without(
    struct bytes octets, const struct note_key *key, char ret_note[NOTE_MAX])
{
	struct note note;
	struct bytes rest = octets, kept;
	size_t len;

	if (failed(note_parse(octets, &note)) ||
	    !bytes_take(&rest, note.text.len + 1, &kept))
		return 0;
	len = kept.len;
	memcpy(ret_note, kept.at, len);
	for (size_t i = 0; i < note.n_signatures; i++) {
		const uint8_t *end = memchr(rest.at, '\n', rest.len);

		if (end == NULL ||
		    !bytes_take(&rest, (size_t)(end - rest.at) + 1, &kept))
			return 0;
		if (is_of(&note.signatures[i], key))
			continue;
		memcpy(ret_note + len, kept.at, kept.len);
		len += kept.len;
	}
	return len;
}

/* The newest line of this key. */
static struct bytes
line_of(const struct note *note, const struct note_key *key)
{
	struct bytes newest = { NULL, 0 };

	for (size_t i = 0; i < note->n_signatures; i++) {
		const struct note_signature *line = &note->signatures[i];

		if (!is_of(line, key) || line->len != sizeof(line->octets))
			continue;
		/* Eight octets of time, big-endian, come first. */
		if (newest.at == NULL || memcmp(line->octets, newest.at, 8) > 0)
			newest = (struct bytes){ line->octets, line->len };
	}
	return newest;
}

/*
 * Add to ret_note, which begins as ours, each line of a witness that holds.
 */
static STATUS
add_lines(struct publisher *p, const struct note *from, char note[NOTE_MAX],
    size_t *len)
{
	bool added = false;

	for (size_t i = 0; i < p->n_witnesses; i++) {
		const struct note_key *key = &p->witnesses[i];
		char stripped[NOTE_MAX];
		size_t stripped_len;
		struct status st = note_verify(from, key, NULL);

		if (st.code == STATUS_NOT_FOUND)
			continue;
		if (failed(st))
			return status_fail(STATUS_INVALID_ARGUMENT,
			    "a witness's signature does not hold over this "
			    "checkpoint");
		stripped_len =
		    without((struct bytes){ (const uint8_t *)note, *len }, key,
			stripped);
		st = note_append(
		    (struct bytes){ (const uint8_t *)stripped, stripped_len },
		    key, line_of(from, key), note, NOTE_MAX, len);
		if (failed(st))
			return st;
		added = true;
	}
	return added ? status_ok()
		     : status_fail(STATUS_PERMISSION_DENIED,
			   "no line is by a configured witness: name its "
			   "verifier key in audit.witnesses");
}

/* Store what has a new line, in the files where it belongs. */
static STATUS
store(struct publisher *p, const char *note, size_t len, uint64_t size)
{
	const struct bytes octets = { (const uint8_t *)note, len };
	struct status st = status_ok();

	if (p->cosigned.note != NULL && p->cosigned.size > size)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "a newer checkpoint is cosigned already: cosign the "
		    "newest");
	if (size == p->current.size) {
		st = folder_put(p->folder, "checkpoint", octets);
		if (failed(st))
			return st;
		pthread_mutex_lock(&p->lock);
		st = publisher_copy(&p->current, note, len, size);
		pthread_mutex_unlock(&p->lock);
	}
	if (!failed(st))
		st = folder_put(p->folder, "cosigned", octets);
	return failed(st) ? st : publisher_copy(&p->cosigned, note, len, size);
}

struct status
publisher_run_cosign(struct publisher *p, struct job *job)
{
	const struct cosign_job *cosign = (const struct cosign_job *)job;
	const struct published *ours;
	struct checkpoint checkpoint;
	char copy[NOTE_MAX];
	struct note note;
	size_t len;
	struct status st = note_parse(cosign->note, &note);

	if (!failed(st))
		st = checkpoint_parse(note.text, &checkpoint);
	if (failed(st))
		return st;
	ours = find(p, note.text);
	if (ours == NULL)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "not a checkpoint that this ledger has published lately: "
		    "fetch the newest and cosign that");
	memcpy(copy, ours->note, ours->len);
	len = ours->len;
	st = add_lines(p, &note, copy, &len);
	return failed(st) ? st : store(p, copy, len, checkpoint.size);
}
