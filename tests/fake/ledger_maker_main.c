/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_maker FOLDER (SIZE | rotate | cosign)...: writes a signed ledger for
 * tests in other languages.  Grows to each SIZE in turn and publishes; prints
 * the verifier key of each ledger key, oldest first, then the witness's if it
 * has cosigned.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/ledger_maker.h"

static void
print_key(struct note_key key)
{
	char vkey[NOTE_VKEY_MAX];

	note_key_print(&key, vkey);
	puts(vkey);
}

int
main(int argc, char **argv)
{
	scoped(ledger_maker_free) struct ledger_maker *maker = NULL;
	bool cosigned = false;

	if (argc < 3) {
		fprintf(stderr,
		    "usage: ledger_maker FOLDER (SIZE | rotate | cosign)...\n");
		return 2;
	}
	maker = ledger_maker_new(argv[1]);
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "rotate") == 0) {
			ledger_maker_rotate(maker);
		} else if (strcmp(argv[i], "cosign") == 0) {
			ledger_maker_cosign(maker);
			cosigned = true;
		} else {
			ledger_maker_grow(maker, strtoull(argv[i], NULL, 10));
			ledger_maker_publish(maker);
		}
	}
	for (unsigned key = 1; key <= ledger_maker_keys(maker); key++)
		print_key(ledger_maker_key(key));
	if (cosigned)
		print_key(ledger_maker_witness());
	return 0;
}
