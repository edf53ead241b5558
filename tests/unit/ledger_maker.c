/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ledger folder as keyd writes it, with keys in memory.  Key number n is 32
 * octets of n; entries have times, identities and decisions that take turns.
 */
#include "tests/unit/ledger_maker.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ledger/entry.h"

#define WITNESS_NUMBER 200
#define WITNESS_NAME "witness.test/w1"
#define PATH_MAX_OCTETS 512

struct ledger_maker {
	char folder[PATH_MAX_OCTETS - TILE_PATH_MAX];
	struct builder *builder;
	unsigned key;
	bool tidy;
};

static void
must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "ledger_maker: %s: %s\n", what, strerror(errno));
	abort();
}

/* Make the folders that lead to a file. */
static void
make_folders(char *path)
{
	for (char *at = strchr(path + 1, '/'); at != NULL;
	     at = strchr(at + 1, '/')) {
		*at = '\0';
		must(mkdir(path, 0700) == 0 || errno == EEXIST, path);
		*at = '/';
	}
}

static void
write_file(
    const struct ledger_maker *maker, const char *name, struct bytes octets)
{
	char path[PATH_MAX_OCTETS], beside[PATH_MAX_OCTETS + 8];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", maker->folder, name);
	snprintf(beside, sizeof(beside), "%s.new", path);
	make_folders(path);
	file = fopen(beside, "we");
	must(file != NULL, path);
	must(fwrite(octets.at, 1, octets.len, file) == octets.len, path);
	must(fclose(file) == 0, path);
	must(rename(beside, path) == 0, path);
}

/* Remove the narrower partial tiles of a place. */
static void
remove_partials(const struct ledger_maker *maker, struct tile tile)
{
	char path[PATH_MAX_OCTETS], name[TILE_PATH_MAX];

	while (--tile.width > 0) {
		tile_path(&tile, name);
		snprintf(path, sizeof(path), "%s/%s", maker->folder, name);
		must(remove(path) == 0 || errno == ENOENT || errno == ENOTDIR,
		    path);
	}
}

static struct status
store(void *ctx, const struct tile *tile, struct bytes octets)
{
	const struct ledger_maker *maker = ctx;
	char path[TILE_PATH_MAX];

	tile_path(tile, path);
	write_file(maker, path, octets);
	if (maker->tidy)
		remove_partials(maker, *tile);
	return status_ok();
}

static EVP_PKEY *
private_key(unsigned number)
{
	uint8_t seed[NOTE_KEY_LEN];
	EVP_PKEY *key;

	memset(seed, (int)number, sizeof(seed));
	key = EVP_PKEY_new_raw_private_key(
	    EVP_PKEY_ED25519, NULL, seed, sizeof(seed));
	must(key != NULL, "an Ed25519 key");
	return key;
}

static struct note_key
key_of(const char *name, enum note_key_type type, unsigned number)
{
	uint8_t public_key[NOTE_KEY_LEN];
	size_t len = sizeof(public_key);
	EVP_PKEY *private = private_key(number);
	struct note_key key;

	must(EVP_PKEY_get_raw_public_key(private, public_key, &len) == 1,
	    "a public key");
	EVP_PKEY_free(private);
	must(!failed(note_key_make(name, type, public_key, &key)),
	    "a verifier key");
	return key;
}

struct note_key
ledger_maker_key(unsigned number)
{
	return key_of(LEDGER_MAKER_ORIGIN, NOTE_ED25519, number);
}

struct note_key
ledger_maker_witness(void)
{
	return key_of(WITNESS_NAME, NOTE_COSIGNATURE, WITNESS_NUMBER);
}

static void
ed25519_sign(unsigned number, struct bytes text, uint8_t *ret_signature)
{
	EVP_PKEY *private = private_key(number);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t len = NOTE_SIGNATURE_LEN;

	must(ctx != NULL &&
		 EVP_DigestSignInit(ctx, NULL, NULL, NULL, private) == 1 &&
		 EVP_DigestSign(ctx, ret_signature, &len, text.at, text.len) ==
		     1,
	    "a signature");
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(private);
}

/* Add a line to a note, or the first one to text. */
static size_t
add_line(unsigned number, struct bytes text, struct bytes note,
    char ret_note[NOTE_MAX])
{
	const struct note_key key = ledger_maker_key(number);
	uint8_t signature[NOTE_SIGNATURE_LEN];
	size_t len;

	ed25519_sign(number, text, signature);
	must(!failed(note_append(note, &key,
		 (struct bytes){ signature, sizeof(signature) }, ret_note,
		 NOTE_MAX, &len)),
	    "a signature line");
	return len;
}

size_t
ledger_maker_sign(unsigned number, struct bytes text, char ret_note[NOTE_MAX])
{
	return add_line(number, text, text, ret_note);
}

static struct bytes
checkpoint_text(
    const struct ledger_maker *maker, char ret_text[CHECKPOINT_TEXT_MAX])
{
	struct checkpoint checkpoint = { .origin = LEDGER_MAKER_ORIGIN };

	checkpoint.size = builder_size(maker->builder);
	builder_root(maker->builder, &checkpoint.root);
	return (struct bytes){ (uint8_t *)ret_text,
		checkpoint_print(&checkpoint, ret_text) };
}

void
ledger_maker_be_tidy(struct ledger_maker *maker)
{
	maker->tidy = true;
}

void
ledger_maker_publish(struct ledger_maker *maker)
{
	char text[CHECKPOINT_TEXT_MAX], note[NOTE_MAX];
	size_t len;

	must(!failed(builder_flush(maker->builder, store, maker)), "a flush");
	len = ledger_maker_sign(maker->key, checkpoint_text(maker, text), note);
	write_file(maker, "checkpoint", (struct bytes){ (uint8_t *)note, len });
}

void
ledger_maker_cosign(struct ledger_maker *maker)
{
	const struct note_key witness = ledger_maker_witness();
	const uint64_t time_s = 1700000001;
	char text[CHECKPOINT_TEXT_MAX], note[NOTE_MAX], cosigned[NOTE_MAX];
	const struct bytes body = checkpoint_text(maker, text);
	uint8_t octets[8 + NOTE_SIGNATURE_LEN], message[NOTE_MAX];
	size_t len = ledger_maker_sign(maker->key, body, note), message_len;

	for (size_t i = 0; i < 8; i++)
		octets[i] = (uint8_t)(time_s >> (56 - 8 * i));
	must(!failed(note_cosigned_text(
		 body, time_s, message, sizeof(message), &message_len)),
	    "a cosignature's text");
	ed25519_sign(
	    WITNESS_NUMBER, (struct bytes){ message, message_len }, octets + 8);
	must(!failed(note_append((struct bytes){ (uint8_t *)note, len },
		 &witness, (struct bytes){ octets, sizeof(octets) }, cosigned,
		 sizeof(cosigned), &len)),
	    "a cosignature");
	write_file(
	    maker, "checkpoint", (struct bytes){ (uint8_t *)cosigned, len });
	write_file(
	    maker, "cosigned", (struct bytes){ (uint8_t *)cosigned, len });
}

void
ledger_maker_append(struct ledger_maker *maker, struct bytes entry)
{
	must(!failed(builder_append(maker->builder, entry, store, maker)),
	    "an entry");
}

static void
append_entry(struct ledger_maker *maker, struct entry *entry)
{
	uint8_t octets[ENTRY_MAX];

	entry->time_ns =
	    LEDGER_MAKER_START_NS +
	    (int64_t)builder_size(maker->builder) * LEDGER_MAKER_STEP_NS;
	entry->keyd = bytes_of("keyd");
	ledger_maker_append(
	    maker, (struct bytes){ octets, entry_encode(entry, octets) });
}

static void
name_key(struct ledger_maker *maker, unsigned number)
{
	const struct note_key key = ledger_maker_key(number);
	struct entry entry = { .kind = ENTRY_CUSTODY, .stage = ENTRY_DONE };
	char vkey[NOTE_VKEY_MAX];

	note_key_print(&key, vkey);
	entry.peer = bytes_of("spiffe://holdfast.test/keyd/keyd");
	entry.act = bytes_of("rotate ledger key");
	entry.ledger_key = bytes_of(vkey);
	append_entry(maker, &entry);
}

void
ledger_maker_name_only(struct ledger_maker *maker)
{
	name_key(maker, 100 + maker->key);
}

void
ledger_maker_grow(struct ledger_maker *maker, uint64_t size)
{
	for (uint64_t i = builder_size(maker->builder); i < size; i++) {
		struct entry entry = { .kind = ENTRY_SIGN, .has_key = true };
		char peer[64];

		snprintf(peer, sizeof(peer),
		    "spiffe://holdfast.test/edge/fra-%u", (unsigned)(i % 3));
		entry.peer = bytes_of(peer);
		memset(entry.key.at, (int)(i % 5), KEY_ID_LEN);
		entry.context = CONTEXT_TLS13_SERVER;
		entry.scheme = SCHEME_ECDSA_SECP256R1_SHA256;
		entry.has_content_hash = true;
		memcpy(entry.content_hash, &i, sizeof(i));
		if (i % 10 == 9) {
			entry.code = STATUS_PERMISSION_DENIED;
			entry.reason = bytes_of("no grant");
		}
		append_entry(maker, &entry);
	}
}

void
ledger_maker_rotate(struct ledger_maker *maker)
{
	char text[CHECKPOINT_TEXT_MAX], note[NOTE_MAX], both[NOTE_MAX];
	char name[32];
	struct bytes body;
	size_t len;

	name_key(maker, maker->key + 1);
	must(!failed(builder_flush(maker->builder, store, maker)), "a flush");
	body = checkpoint_text(maker, text);
	len = ledger_maker_sign(maker->key, body, note);
	len = add_line(
	    maker->key + 1, body, (struct bytes){ (uint8_t *)note, len }, both);
	snprintf(name, sizeof(name), "handover/%u", maker->key);
	write_file(maker, name, (struct bytes){ (uint8_t *)both, len });
	maker->key++;
	ledger_maker_publish(maker);
}

uint64_t
ledger_maker_size(const struct ledger_maker *maker)
{
	return builder_size(maker->builder);
}

unsigned
ledger_maker_keys(const struct ledger_maker *maker)
{
	return maker->key;
}

struct ledger_maker *
ledger_maker_new(const char *folder)
{
	struct ledger_maker *maker = calloc(1, sizeof(*maker));

	must(maker != NULL, "memory");
	must(strlen(folder) < sizeof(maker->folder), "the folder's name");
	memcpy(maker->folder, folder, strlen(folder) + 1);
	maker->builder = builder_new();
	must(maker->builder != NULL, "memory");
	maker->key = 1;
	name_key(maker, 1);
	return maker;
}

void
ledger_maker_free(struct ledger_maker *maker)
{
	if (maker == NULL)
		return;
	builder_free(maker->builder);
	free(maker);
}
