/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_CHALLENGES_H
#define EDGE_CHALLENGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "base/status.h"

/*
 * The answers to http-01 challenges (RFC 8555 8.3) that this edge gives now: a
 * table in memory, which certd's stream fills and http01.h answers from.  It
 * stays as it is while certd is away.  Any thread; nothing blocks.
 */
struct challenges;

#define CHALLENGES_MAX 100000
/* The longest token, and the longest answer: token "." thumbprint. */
#define CHALLENGES_TOKEN_MAX 129
#define CHALLENGES_TEXT_MAX 192

STATUS challenges_new(struct challenges **ret_challenges);
void challenges_free(struct challenges *challenges); /* NULL is allowed */
SCOPED_RELEASE(challenges_free, struct challenges *);

bool challenges_find(struct challenges *challenges, const char *token,
    char ret_text[CHALLENGES_TEXT_MAX]);
size_t challenges_count(struct challenges *challenges);

/* ---- from certd ---- */

/* A stream begins: marks are of the one before.  Answers stay. */
void challenges_begin(struct challenges *challenges);
/*
 * What one WatchUpdate says of challenges is in force when it returns.  true:
 * it says something of sites too, or cannot be read, which is for who reads
 * that.  Nothing becomes an answer but a token, a point, and what may be a
 * thumbprint: certd cannot have pages served here.
 */
bool challenges_take(struct challenges *challenges, struct bytes message);

/* ---- to certd ---- */

/* Are the answers given at all: does who gives them listen?  Not so at first.
 */
void challenges_serve(struct challenges *challenges, bool serves);

/* For a report. */
struct challenges_state {
	uint64_t mark; /* of this stream's, in force; 0: none */
	bool is_due;   /* certd does not know of it */
	unsigned changes;
};
struct challenges_state challenges_state(struct challenges *challenges);
/* certd has it. */
void challenges_told(
    struct challenges *challenges, const struct challenges_state *state);

#endif
