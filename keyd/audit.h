/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_AUDIT_H
#define KEYD_AUDIT_H

#include <stddef.h>
#include <stdint.h>

#include "base/metrics.h"
#include "base/signing.h"
#include "base/status.h"
#include "ledger/entry.h"

/*
 * The record of what keyd did.  No record, no signature: a caller that gets a
 * failure from audit_record gives nothing away.  Entries go to a journal, which
 * is what makes them durable; keyd/publisher.h makes the Merkle ledger of them,
 * within a second.
 */
struct audit;

enum audit_durability {
	AUDIT_WRITE,     /* replied after write(2): survives a crash of keyd */
	AUDIT_FDATASYNC, /* after fdatasync(2), in group commit: a power loss */
};

/* n entries, the first of them number first, as an entry bundle holds them
 * (ledger/tile.h); borrowed. */
typedef void (*audit_committed)(
    void *ctx, uint64_t first, struct bytes bundle, uint32_t n);

struct audit_config {
	const char *directory; /* made 0700 if missing */
	enum audit_durability durability;
	const char *keyd;        /* name of this keyd, in every entry; copied */
	struct metrics *metrics; /* may be NULL */
	/*
	 * Shown every entry in order: on open those of the journal, later each
	 * group once it is durable.  Must be quick and not call back.  May be
	 * NULL.
	 */
	audit_committed committed;
	void *ctx;
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

/* All texts are borrowed, NULL where they do not apply. */
struct audit_entry {
	enum audit_kind kind;
	int64_t at_wall_ns; /* 0: audit_record fills in now */
	const char *peer;   /* SPIFFE ID */
	struct key_id key;  /* zero when none */
	enum sign_context context;
	unsigned scheme;
	uint8_t content_hash[32]; /* SHA-256 of the octets signed */
	enum status_code code;    /* the decision */
	const char *why;          /* reason of a refusal or failure */
	const char *act;          /* AUDIT_CUSTODY */
	enum entry_stage stage;   /* AUDIT_CUSTODY */
	/* What the content speaks for, each name followed by a zero octet; at
	 * most ENTRY_NAMES_MAX. */
	struct bytes names;
	const char *ledger_key;   /* verifier key */
	const char *on_behalf_of; /* AUDIT_CUSTODY; the peer's word */
	uint32_t latency_us;
};

/*
 * Append n entries as one group and return when they are as durable as
 * configured.  Any thread; concurrent callers share one write and one sync.
 * While the disk does not answer (audit_stall) this fails at once, and so do
 * calls whose writing has not begun; one whose writing has waits for the disk.
 */
STATUS audit_record(
    struct audit *audit, const struct audit_entry *entries, size_t n);

uint64_t audit_entries(const struct audit *audit);
/* OK, or why appending fails now: the last append failed, or the disk has kept
 * one waiting for more than AUDIT_STALL_NS. */
#define AUDIT_STALL_NS (INT64_C(1000000000))
struct status audit_trouble(const struct audit *audit);
/* The second of these alone: who would have to wait need not begin.  Costs
 * next to nothing. */
struct status audit_stall(const struct audit *audit);

/* What was recorded so far survives a power loss too, whatever is configured.
 * One thread at a time. */
STATUS audit_settle(struct audit *audit);

/*
 * Entries [0, until) stand in the ledger, durably: segments that hold nothing
 * else may be removed.  Any thread.
 */
void audit_retire(struct audit *audit, uint64_t until);
/* Show entries from number from on to each, out of the journal; for who could
 * not keep up.  NOT_FOUND: retired.  Any thread but the committed callback. */
STATUS audit_replay(
    struct audit *audit, uint64_t from, audit_committed each, void *ctx);

#endif
