/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_ENTRY_H
#define LEDGER_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/signing.h"
#include "base/status.h"

/*
 * An entry of the ledger in memory and as octets: holdfast.keyd.v1.AuditEntry.
 * Encoding allocates nothing, for it is on the signing path; readers of
 * foreign octets may use either this or the generated codec.
 */
enum entry_kind {
	ENTRY_SIGN = 1,
	ENTRY_CUSTODY = 2
};
enum entry_stage {
	ENTRY_STAGE_NONE = 0,
	ENTRY_ASKED = 1,
	ENTRY_DONE = 2,
	ENTRY_FAILED = 3,
};

#define ENTRY_NAMES_MAX 1024 /* octets in all */
#define ENTRY_PEER_MAX 255
#define ENTRY_TEXT_MAX 160
#define ENTRY_LEDGER_KEY_MAX 320
#define ENTRY_BEHALF_MAX 100
/* No encoded entry is longer. */
#define ENTRY_MAX 2560

/* Texts are borrowed; empty (len 0) when they do not apply. */
struct entry {
	enum entry_kind kind;
	int64_t time_ns;
	struct bytes keyd;
	struct bytes peer;
	bool has_key;
	struct key_id key;
	uint32_t context;
	uint32_t scheme;
	bool has_content_hash;
	uint8_t content_hash[32];
	uint32_t code;
	struct bytes reason;
	struct bytes act;
	enum entry_stage stage;
	/* Names, each followed by a zero octet, ENTRY_NAMES_MAX in all. */
	struct bytes names;
	uint32_t latency_us;
	struct bytes ledger_key;
	struct bytes on_behalf_of;
};

/* Canonical protobuf: fields in order, defaults left out.  Texts beyond their
 * maximum are cut.  Returns the length, at most ENTRY_MAX. */
size_t entry_encode(const struct entry *entry, uint8_t ret_at[ENTRY_MAX]);

/*
 * Strict about lengths, lenient about unknown fields.  ret_entry borrows from
 * octets, except names, which are written to ret_names.
 */
STATUS entry_decode(struct bytes octets, uint8_t ret_names[ENTRY_NAMES_MAX],
    struct entry *ret_entry);

/* Which entries a reader wants; zero: all. */
struct entry_filter {
	char identity[96]; /* a SPIFFE pattern, "edge/fra-*"; "": all */
	bool has_key;
	struct key_id key;
	int64_t since_ns, until_ns; /* since inclusive, until not; 0: open */
	enum {
		ENTRY_ANY = 0,
		ENTRY_ALLOWED = 1,
		ENTRY_REFUSED = 2
	} decision;
	unsigned kind; /* 0: both */
};
bool entry_matches(
    const struct entry_filter *filter, const struct entry *entry);

#endif
