/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FAKE_CUSTODY_FAKE_H
#define TESTS_FAKE_CUSTODY_FAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "certd/custody.h"

/*
 * keyd for tests of certd: certd/custody.h over keys that OpenSSL keeps in
 * memory.  Keys are really made, unwrapped and signed with.  It can be away,
 * fail on cue, and do a thing and lose the answer.  Any thread.
 */
struct custody *custody_fake_new(void); /* released by custody_close */

/* Every call is UNAVAILABLE until it is back. */
void custody_fake_away(struct custody *custody, bool away);
/* The next call fails like this; why is keyd's sentence (static). */
void custody_fake_fail(
    struct custody *custody, enum status_code code, const char *why);
/* The next call is done, and answered with UNAVAILABLE. */
void custody_fake_lose_answer(struct custody *custody);
/* Destructions wait for approval from now on; false: those that do have it. */
void custody_fake_wait_for_approval(struct custody *custody, bool waits);
/* Called before each act is done, without locks; NULL ends it. */
void custody_fake_before(
    struct custody *custody, void (*before)(void *ctx), void *ctx);
/* Ed25519 and the like that this token does not unwrap. */
void custody_fake_unwraps_only(struct custody *custody, enum key_alg alg);

/* A key that is there already; gives its id.  state 0: active. */
struct key_id custody_fake_put(
    struct custody *custody, enum key_alg alg, const char *label, int state);

/* How often custody_<call> was asked ("import"); "": all of them. */
unsigned custody_fake_asked(struct custody *custody, const char *call);
/* Keys that are there and not going to be destroyed. */
size_t custody_fake_keys(struct custody *custody);
bool custody_fake_has(struct custody *custody, const struct key_id *id);
bool custody_fake_is_suspended(
    struct custody *custody, const struct key_id *id);
/* Was it said to have been in the clear?  False when there is none. */
bool custody_fake_exposed(struct custody *custody, const struct key_id *id);
bool custody_fake_granted(
    struct custody *custody, const struct key_id *id, const char *edge_group);
/* A grant that is there already, whether the key is or not. */
void custody_fake_put_grant(
    struct custody *custody, const struct key_id *id, const char *edge_group);
/* For whom the newest key was made or imported. */
void custody_fake_for_whom(struct custody *custody, char ret_text[160]);

/* An edge that keyd knows. */
void custody_fake_edge(
    struct custody *custody, const char *name, const char *edge_group);
/* An operator or auditor ("operator/bob"), said to be quarantined or not. */
void custody_fake_member(
    struct custody *custody, const char *identity, bool quarantined);

#endif
