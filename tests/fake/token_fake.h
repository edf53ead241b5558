/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FAKE_TOKEN_FAKE_H
#define TESTS_FAKE_TOKEN_FAKE_H

#include <stddef.h>

#include "certd/custody.h"

/*
 * The part of certd/custody.h that obtaining certificates needs, with keys that
 * outlive processes which are forked from this one and killed.  Any thread.
 */
struct custody *token_fake_new(void); /* released by custody_close */

/* Every call is UNAVAILABLE until it is back. */
void token_fake_away(struct custody *custody, bool away);
/* The next key is made, and the answer is lost. */
void token_fake_lose(struct custody *custody);
/* That one is going to be destroyed, by the time it is looked for. */
void token_fake_lose_for_good(struct custody *custody);
size_t token_fake_keys(struct custody *custody);

#endif
