/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_FOLLOWER_H
#define TESTS_UNIT_FOLLOWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "proto/holdfast/certd/v1/edges.pb-c.h"
#include "rpc/client.h"

/*
 * An edge of a few lines: follows Edges.Watch over a real connection, applies
 * what is complete, and remembers where it stands.  Asserts on its own
 * failures and on updates that make no sense.
 */
struct follower;

/* Borrows the client. */
struct follower *follower_new(struct rpc_client *client);
void follower_free(struct follower *follower);
/* Those that a test that failed has left. */
void follower_free_all(void);

/* Open the stream from where it stands. */
void follower_open(struct follower *follower);
/* Give the stream up, as a crash would; it stands where it stood. */
void follower_cut(struct follower *follower);
/* Wait until the stream has ended; how. */
struct status follower_wait_end(struct follower *follower, char *ret_why);

/* Wait until it has applied that version, or a newer one. */
void follower_wait(struct follower *follower, int64_t version);
int64_t follower_version(struct follower *follower);
/* Claim to stand elsewhere. */
void follower_claim(
    struct follower *follower, int64_t version, const char *tag);
/* Sites applied, the version of one (0: it has it not), and the name of its
 * first certificate's chain ("": none). */
unsigned follower_sites(struct follower *follower);
int64_t follower_site(struct follower *follower, int64_t id);
void follower_chain(
    struct follower *follower, int64_t id, char *ret_chain, size_t max);

/* Answers to challenges that it has: how many, and is it this for a token
 * (NULL: none)?  Wait for a mark of its stream, or a newer one; the newest. */
size_t follower_challenges(struct follower *follower);
bool follower_answers(
    struct follower *follower, const char *token, const char *text);
void follower_wait_mark(struct follower *follower, uint64_t mark);
uint64_t follower_mark(struct follower *follower);

struct follower_counts {
	unsigned updates, snapshots, complete;
	unsigned challenge_updates, resets;
	size_t most_challenges; /* of an update */
	size_t largest;         /* octets of an update */
};
struct follower_counts follower_counts(struct follower *follower);

#endif
