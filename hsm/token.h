/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HSM_TOKEN_H
#define HSM_TOKEN_H

#include <p11-kit/pkcs11.h>

#include "hsm/ck_error.h"

/*
 * One PKCS#11 module with one token of it, logged in; the whole of a worker's
 * process-wide state.  Used by one thread only.  After a failure the CK_RV (or
 * errno) is in `detail`.
 */
struct token {
	const char *module; /* borrowed, as are the next three */
	const char *label;
	const char *pin_file;
	const char *lock_file;

	void *library;
	CK_FUNCTION_LIST *p11; /* NULL until the module is loaded */
	CK_SLOT_ID slot;
	/* Read-write, logged in, open as long as the token is: copies of keys
	 * live in it, management runs on it. */
	CK_SESSION_HANDLE anchor;
	CK_SESSION_HANDLE signer;
	bool initialized;
	bool up;
	/* Counts initialisations: a handle of another generation may name
	 * another key (SoftHSM starts its numbers again). */
	uint32_t generation;
	uint32_t detail;
};

/*
 * Take the token's lock between processes, waiting at most limit_ns; the lock
 * is held until ret_fd is closed.  Initialisation, login, search and key
 * generation run under it (SoftHSM's files race).
 */
enum reason token_lock(struct token *token, int64_t limit_ns, int *ret_fd);

/*
 * Load the module if need be, initialise, find the token by its label, log in
 * once, open the sessions.  The caller holds the lock.  On failure the module
 * is finalised again.
 */
enum reason token_open(struct token *token);
void token_close(struct token *token);

/* Does the token still answer on its slot and anchor session? */
bool token_answers(struct token *token);

/* Replace the signing session; the old one may be in any state. */
enum reason token_renew_signer(struct token *token);

#endif
