/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_LEDGER_MAKER_H
#define TESTS_UNIT_LEDGER_MAKER_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "ledger/builder.h"
#include "ledger/note.h"

/*
 * Writes a signed ledger folder, laid out as ledger/verify.h says.  Keys and
 * entries follow from their numbers, so two folders of one size are the same
 * octets.  Each call ends the process on failure.
 */
struct ledger_maker;

#define LEDGER_MAKER_ORIGIN "holdfast.test/ledger"
#define LEDGER_MAKER_START_NS 1700000000000000000LL
/* Time between two entries. */
#define LEDGER_MAKER_STEP_NS 1000000LL

/* folder is made.  Entry 0 names key 1. */
struct ledger_maker *ledger_maker_new(const char *folder);
void ledger_maker_free(struct ledger_maker *maker);
SCOPED_RELEASE(ledger_maker_free, struct ledger_maker *);

/* From now on remove partial tiles once wider ones are there, as keyd does. */
void ledger_maker_be_tidy(struct ledger_maker *maker);
/* Append entries of requests to sign until there are size. */
void ledger_maker_grow(struct ledger_maker *maker, uint64_t size);
/* Append these octets. */
void ledger_maker_append(struct ledger_maker *maker, struct bytes entry);
/* Store partial tiles, sign the checkpoint. */
void ledger_maker_publish(struct ledger_maker *maker);
/* Name the next key in an entry, hand over to it, publish. */
void ledger_maker_rotate(struct ledger_maker *maker);
/* The same, but an entry names a key that does not get to sign. */
void ledger_maker_name_only(struct ledger_maker *maker);
/* Add the witness's cosignature to the checkpoint, and keep it as "cosigned".
 */
void ledger_maker_cosign(struct ledger_maker *maker);

uint64_t ledger_maker_size(const struct ledger_maker *maker);
/* Number of the key that signs now. */
unsigned ledger_maker_keys(const struct ledger_maker *maker);
/* Key number 1, 2, ...; those of a maker are the same in every folder. */
struct note_key ledger_maker_key(unsigned number);
struct note_key ledger_maker_witness(void);
/* A note with this text, signed by that key. */
size_t ledger_maker_sign(
    unsigned number, struct bytes text, char ret_note[NOTE_MAX]);

#endif
