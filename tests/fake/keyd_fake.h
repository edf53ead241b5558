/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FAKE_KEYD_FAKE_H
#define TESTS_FAKE_KEYD_FAKE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/signing.h"
#include "base/status.h"
#include "keyd/audit.h"

/*
 * Stand-ins behind hsm/hsm.h and keyd/audit.h for tests of the signing path:
 * the token's "signature" is its input behind one octet 's'.
 */
#define FAKE_ENTRIES_MAX 1024

struct keyd_fake {
	/* The script. */
	struct status hsm;     /* what each op comes to */
	struct status audit;   /* what audit_record answers */
	struct status trouble; /* what audit_trouble answers */
	struct status stall;   /* what audit_stall answers */
	unsigned lanes;
	size_t hint;
	bool hold; /* hsm_sign_while waits until this is false; guarded by lock
		    */

	/* What they saw; guarded by lock. */
	unsigned hsm_calls, audit_calls;
	unsigned
	    audits_while_signing; /* of audit_calls: inside hsm_sign_while */
	atomic_int signing;       /* hsm_sign_whiles with ops at work */
	size_t hsm_ops, n_entries;
	struct key_id ops_key[FAKE_ENTRIES_MAX];
	struct audit_entry entries[FAKE_ENTRIES_MAX];
	pthread_mutex_t lock;
	pthread_cond_t changed;
};

extern struct keyd_fake fake;

/* All well: one lane, batches of 64, nothing seen. */
void fake_reset(void);
/* Set hold, waking a token that was held. */
void fake_hold(bool hold);
/* Wait until hsm_sign_while has been called n times. */
void fake_wait_hsm_calls(unsigned n);

#endif
