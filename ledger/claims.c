/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was signed besides the checkpoint: handovers, numbered without a gap,
 * the newest cosigned checkpoint, and one that the caller remembers.  They are
 * read before the entries are, so that one pass over these gives the
 * root of each one's tree.
 */
#include "ledger/claims.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HANDOVERS_MAX 1000

struct reading {
	struct reader *reader;
	struct verify_result *result;
	struct claims *claims;
};

struct status
verify_blame(
    struct verify_result *result, const char *where, const char *format, ...)
{
	va_list args;

	if (where != result->where)
		snprintf(result->where, sizeof(result->where), "%s", where);
	va_start(args, format);
	vsnprintf(result->what, sizeof(result->what), format, args);
	va_end(args);
	return status_fail(
	    STATUS_DATA_LOSS, "the ledger is not as it was signed");
}

static struct status
no_memory(void)
{
	return status_fail(
	    STATUS_RESOURCE_EXHAUSTED, "memory ends: verifying a ledger");
}

/* The next claim to be filled in; it counts once it has octets. */
static struct claim *
claim_next(struct reading *reading, const char *where)
{
	struct claim *claim = &reading->claims->at[reading->claims->n];

	snprintf(claim->where, sizeof(claim->where), "%s", where);
	return claim;
}

static struct status
claim_parse(struct reading *reading, struct claim *claim)
{
	struct status st;
	struct note note;

	reading->claims->n++;
	st = note_parse((struct bytes){ claim->octets, claim->len }, &note);
	if (!failed(st))
		st = checkpoint_parse(note.text, &claim->checkpoint);
	if (failed(st))
		return verify_blame(reading->result, claim->where,
		    "%s was altered: %s", claim->where, st.why);
	return st;
}

/* NOT_FOUND when there is no such file. */
static struct status
claim_read(struct reading *reading, const char *path)
{
	struct claim *claim = claim_next(reading, path);
	struct status st = reader_file(
	    reading->reader, path, NOTE_MAX, &claim->octets, &claim->len);

	if (st.code == STATUS_DATA_LOSS)
		return verify_blame(
		    reading->result, path, "%s was altered: %s", path, st.why);
	return failed(st) ? st : claim_parse(reading, claim);
}

static struct status
read_handovers(struct reading *reading)
{
	struct status st = status_ok();
	char path[32];

	while (!failed(st) && reading->claims->n_handovers < HANDOVERS_MAX) {
		snprintf(path, sizeof(path), "handover/%zu",
		    reading->claims->n_handovers + 1);
		st = claim_read(reading, path);
		if (!failed(st))
			reading->claims->n_handovers++;
	}
	return st.code == STATUS_NOT_FOUND ? status_ok() : st;
}

static struct status
read_others(struct reading *reading, struct bytes remembered)
{
	struct status st = claim_read(reading, CLAIM_COSIGNED);
	struct claim *claim;

	if (failed(st) && st.code != STATUS_NOT_FOUND)
		return st;
	if (remembered.len == 0)
		return status_ok();
	claim = claim_next(reading, CLAIM_REMEMBERED);
	claim->octets = malloc(remembered.len);
	if (claim->octets == NULL)
		return no_memory();
	memcpy(claim->octets, remembered.at, remembered.len);
	claim->len = remembered.len;
	return claim_parse(reading, claim);
}

STATUS
claims_read(struct reader *reader, struct bytes remembered,
    struct verify_result *result, struct claims **ret_claims)
{
	scoped(claims_free) struct claims *claims = calloc(1, sizeof(*claims));
	struct reading reading = { reader, result, claims };
	struct status st;

	if (claims == NULL)
		return no_memory();
	claims->at = calloc(HANDOVERS_MAX + 2, sizeof(*claims->at));
	if (claims->at == NULL)
		return no_memory();
	st = read_handovers(&reading);
	if (!failed(st))
		st = read_others(&reading, remembered);
	if (failed(st))
		return st;
	*ret_claims = claims;
	claims = NULL;
	return st;
}

void
claims_free(struct claims *claims)
{
	if (claims == NULL)
		return;
	for (size_t i = 0; i < claims->n; i++)
		free(claims->at[i].octets);
	free(claims->at);
	free(claims);
}

uint64_t
claims_next(const struct claims *claims, uint64_t size)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < claims->n; i++) {
		const uint64_t at = claims->at[i].checkpoint.size;

		if (at >= size && at < next)
			next = at;
	}
	return next;
}

void
claims_root(
    struct claims *claims, uint64_t size, const struct merkle_hash *root)
{
	for (size_t i = 0; i < claims->n; i++) {
		struct claim *claim = &claims->at[i];

		if (claim->checkpoint.size == size) {
			claim->root = *root;
			claim->has_root = true;
		}
	}
}

/* Octets that came apart when the claim was read do so again. */
STATUS
claim_note(const struct claim *claim, struct note *ret_note)
{
	return note_parse(
	    (struct bytes){ claim->octets, claim->len }, ret_note);
}
