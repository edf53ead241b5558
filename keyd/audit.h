/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_AUDIT_H
#define KEYD_AUDIT_H

#include <stddef.h>
#include <stdint.h>

#include "base/metrics.h"
#include "base/signing.h"
#include "base/status.h"

/*
 * The record of what keyd did.  No record, no signature: a caller that gets a
 * failure from audit_record gives nothing away.  Today an append-only journal
 * with a SHA-256 chain; the Merkle ledger slips in behind this door.
 */
struct audit;

enum audit_durability {
	AUDIT_WRITE,     /* replied after write(2): survives a crash of keyd */
	AUDIT_FDATASYNC, /* after fdatasync(2), in group commit: a power loss */
};

struct audit_config {
	const char *directory; /* made 0700 if missing */
	enum audit_durability durability;
	struct metrics *metrics; /* may be NULL */
};

/* Replays the journal: refuses to start on a damaged one, cuts a torn tail
 * (a record that was never acknowledged) and says so in the log. */
STATUS audit_open(const struct audit_config *config, struct audit **ret_audit);
void audit_close(struct audit *audit); /* NULL is allowed */

enum audit_kind {
	/* What was decided about a request to sign; OK: the token was asked.
	 * When the token then could not, a second entry says so. */
	AUDIT_SIGN = 1,
	AUDIT_CUSTODY = 2, /* a key made, a grant, an identity */
};

#define AUDIT_TEXT_MAX 160

struct audit_entry {
	enum audit_kind kind;
	int64_t at_wall_ns; /* 0: audit_record fills in now */
	const char *peer;   /* SPIFFE ID; borrowed */
	struct key_id key;  /* zero when none */
	enum sign_context context;
	unsigned scheme;
	uint8_t content_hash[32]; /* SHA-256 of the octets signed */
	enum status_code code;    /* the decision */
	const char *why; /* reason of a refusal, or the act; borrowed */
	uint32_t latency_us;
};

/*
 * Append n entries as one group and return when they are as durable as
 * configured.  Any thread; concurrent callers share one write and one sync.
 */
STATUS audit_record(
    struct audit *audit, const struct audit_entry *entries, size_t n);

uint64_t audit_entries(const struct audit *audit);
/* OK, or why appending fails now. */
struct status audit_trouble(const struct audit *audit);

#endif
