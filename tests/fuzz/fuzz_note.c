/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any octets as a signed note, a checkpoint and a verifier key: what is taken
 * has one reading, and prints as it was.
 */
#include <stdlib.h>
#include <string.h>

#include "ledger/note.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static void
try_note(struct bytes octets)
{
	static const uint8_t public_key[NOTE_KEY_LEN] = { 7 };
	struct note_key key;
	struct note note;

	if (failed(note_parse(octets, &note)))
		return;
	must(note.text.len > 0 && note.text.at == octets.at &&
	     note.text.at[note.text.len - 1] == '\n' && note.n_signatures > 0);
	for (size_t i = 0; i < note.n_signatures; i++) {
		const struct bytes name = note.signatures[i].name;
		char text[NOTE_NAME_MAX];

		must(name.len > 0 && name.len < sizeof(text));
		memcpy(text, name.at, name.len);
		text[name.len] = '\0';
		must(!failed(
		    note_key_make(text, NOTE_COSIGNATURE, public_key, &key)));
		key.hash = note.signatures[i].hash;
		must(failed(note_verify(&note, &key, NULL)));
		key.type = NOTE_ED25519;
		must(failed(note_verify(&note, &key, NULL)));
	}
}

static void
try_checkpoint(struct bytes octets)
{
	struct checkpoint checkpoint;
	char printed[CHECKPOINT_TEXT_MAX];
	size_t len;

	if (failed(checkpoint_parse(octets, &checkpoint)))
		return;
	len = checkpoint_print(&checkpoint, printed);
	must(len <= octets.len && memcmp(printed, octets.at, len) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), printed[NOTE_VKEY_MAX];
	struct note_key key;

	must(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	try_note((struct bytes){ data, size });
	try_checkpoint((struct bytes){ data, size });
	if (!failed(note_key_parse(text, &key))) {
		note_key_print(&key, printed);
		must(strcmp(text, printed) == 0);
	}
	free(text);
	return 0;
}
