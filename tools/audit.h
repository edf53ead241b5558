/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_AUDIT_H
#define TOOLS_AUDIT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "base/signing.h"
#include "ledger/entry.h"
#include "ledger/note.h"
#include "proto/holdfast/keyd/v1/audit.pb-c.h"
#include "tools/cli.h"

/*
 * What the verbs of `holdfast audit` share.  Entries' texts come from whoever
 * asked for a signature; all that is printed here is escaped first
 * (base/printable.h).
 */

/* ---- moments (audit_when.c) ---- */

/*
 * RFC 3339 ("2026-11-21T14:00:00Z"), local time ("2026-11-21 14:00", or the
 * date alone), or ago ("90s", "15m", "2h", "3d", "1w"); "now".
 */
bool audit_when(const char *text, int64_t now_ns, int64_t *ret_ns);

/* ---- which entries (audit_filter.c) ---- */

struct audit_filter {
	struct entry_filter entry;
	const char *key; /* as it was named; NULL: all */
	uint64_t last, limit;
};
#define AUDIT_FILTER_USAGE                                                     \
	"[--edge NAME|--identity PATTERN] [--key KEY] [--since T] "            \
	"[--until T] [--refused|--allowed] [--kind sign|custody]"

/* Take the filter's options; false with a complaint printed. */
bool audit_filter_take(
    int *argc, char **argv, int64_t now_ns, struct audit_filter *ret_filter);
/* The request; borrows from the filter. */
void audit_filter_request(struct audit_filter *filter,
    Holdfast__Keyd__V1__EntriesRequest *ret_request);

/* ---- an entry as text (audit_text.c) ---- */

#define AUDIT_TEXT_MAX_ 2048 /* of one column; longer is cut */

struct audit_row {
	uint64_t number;
	const struct entry *entry;
	const char *label; /* of its key; NULL: not known */
};

/* Seconds as nanoseconds; the last bar of a plot may end after all times. */
int64_t audit_ns_of(int64_t at_s);
/* "2026-11-21 14:00:05.123", in the time zone of whoever reads. */
void audit_local_time(int64_t time_ns, char ret_text[40]);
/* "edge/fra-1" of this domain, the whole identity of another. */
void audit_who(
    struct bytes peer, const char *domain, char *ret_text, size_t max);
/* "tls13_server ecdsa_secp256r1_sha256", or the custody act. */
void audit_what(const struct entry *entry, char *ret_text, size_t max);
/* "signed", "REFUSED: why"; "asked", "done", "FAILED: why". */
void audit_outcome(const struct entry *entry, char *ret_text, size_t max);
/* The names with a space between, escaped. */
void audit_names(const struct entry *entry, char *ret_text, size_t max);
/* Label, else the first digits of the id, else "-". */
void audit_key_text(const struct audit_row *row, char *ret_text, size_t max);

/* Escaped text as JSON; never NULL. */
json_t *audit_json_text(struct bytes text);
/* The entry as one object. */
json_t *audit_row_json(const struct audit_row *row);
/* One object on a line of its own. */
bool audit_write_json(FILE *to, json_t *json); /* takes json */

/* ---- CSV (audit_csv.c) ---- */

/*
 * RFC 4180, each text quoted; a text that a spreadsheet would take for a
 * formula gets a ' before it.
 */
void audit_csv_text(FILE *to, const char *text);
void audit_csv_header(FILE *to);
void audit_csv_row(FILE *to, const struct audit_row *row);

/* ---- from keyd (audit_stream.c, audit_labels.c) ---- */

/* Look the label of the filter's key up; 0 or an exit code after printing. */
int audit_filter_resolve(struct cli *cli, struct audit_filter *filter);

/* Labels of keys, looked up as they are met. */
struct audit_labels;
struct audit_labels *audit_labels_new(struct cli *cli);
void audit_labels_free(struct audit_labels *labels);
SCOPED_RELEASE(audit_labels_free, struct audit_labels *);
/* NULL: no key has this id (any more), or keyd would not say. */
const char *audit_label(struct audit_labels *labels, const struct key_id *id);

/*
 * Have keyd sign a checkpoint, so that what it did before this call can be
 * read; its answer is *ret_described (free with
 * protobuf_c_message_free_unpacked).  0 or an exit code after printing.
 */
int audit_describe(
    struct cli *cli, Holdfast__Keyd__V1__DescribeAuditResponse **ret_described);

typedef bool (*audit_each)(void *ctx, const struct audit_row *row);

/*
 * Each entry that the filter lets through, oldest first, on this thread, until
 * each returns false, there are no more, or, when it follows, SIGINT or
 * SIGTERM.  labels may be NULL.  0 or an exit code after printing.
 */
struct audit_walk {
	struct cli *cli;
	struct audit_filter *filter;
	struct audit_labels *labels;
	bool follow;
	audit_each each;
	void *ctx;
};
int audit_walk(const struct audit_walk *walk);

/* ---- how far long work is, on a terminal (audit_progress.c) ---- */

struct audit_progress {
	const char *what; /* "verified" */
	int64_t next_ns;
	bool is_shown;
};
/* Also the progress callback of ledger/verify.h; a struct audit_progress. */
void audit_progress(void *progress, uint64_t done, uint64_t size);
void audit_progress_end(struct audit_progress *progress);

/* ---- what is remembered of a ledger (audit_memory.c) ---- */

/*
 * In the state folder, under audit/: for each origin the verifier keys that
 * were seen first, one a line, and the newest checkpoint that was verified.
 */
#define AUDIT_KEYS_MAX 64

struct audit_keys {
	struct note_key at[AUDIT_KEYS_MAX];
	size_t n;
};

/* One verifier key a line, blank lines and those of "#" left out; false with a
 * complaint that names where. */
bool audit_keys_parse(
    const char *text, const char *where, struct audit_keys *ret_keys);
/* VKEY, or @FILE of them; added to keys. */
bool audit_keys_add(const char *text, struct audit_keys *keys);
/* The file name part for an origin; "%2F" stands for "/" and so on. */
void audit_origin_name(const char *origin, char *ret_name, size_t max);

/* n is 0 when none is remembered.  False with a complaint printed. */
bool audit_memory_keys(
    const struct cli *cli, const char *origin, struct audit_keys *ret_keys);
bool audit_memory_put_keys(
    const struct cli *cli, const char *origin, const struct audit_keys *keys);
/* malloc'd, NULL when there is none. */
bool audit_memory_checkpoint(const struct cli *cli, const char *origin,
    char **ret_note, size_t *ret_len);
bool audit_memory_put_checkpoint(
    const struct cli *cli, const char *origin, struct bytes note);

/* A whole file of at most max octets, malloc'd, with a zero behind it; "-" is
 * standard input.  False with a complaint printed. */
bool audit_read_file(
    const char *path, size_t max, char **ret_text, size_t *ret_len);
/* Beside it and renamed; "-" or NULL is standard output. */
bool audit_write_file(const char *path, struct bytes octets);

#endif
