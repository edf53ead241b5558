/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_HSM_RIG_H
#define TESTS_UNIT_HSM_RIG_H

#include "hsm/hsm.h"
#include "tests/unit/softhsm.h"

/*
 * A pool of workers on a SoftHSM token of the test's own.  The workers are this
 * test program again, called as "worker": main() must start with rig_worker.
 * Failures outside what a test is about end the test program.
 */
struct rig {
	struct softhsm token;
	struct hsm_config config;
	struct hsm *hsm;
	char script[SOFTHSM_PATH_MAX]; /* of the fault module */
};

#define RIG_LABEL "rig"
#define RIG_WAIT_NS (60 * INT64_C(1000000000))

/* Called first in main; does not return in a worker. */
void rig_worker(int argc, char **argv);

/* Make the token and fill config: 2 workers, session copies. */
void rig_init(struct rig *rig);
/* The same behind the fault module, with this script. */
void rig_init_faulty(struct rig *rig, const char *script);
void rig_script(struct rig *rig, const char *script);
/* How often calls the script has "count" for were made, in all processes. */
unsigned rig_counted(struct rig *rig);
/* Open the pool; wait until `ready` of its lanes are ready. */
void rig_open(struct rig *rig, unsigned ready);
void rig_wait_ready(struct rig *rig, unsigned ready);
/* Wait until all lanes are in this state; the last one's is returned. */
void rig_await_state(
    struct rig *rig, const char *state, struct hsm_lane_status *ret_last);
/* Of all lanes together. */
unsigned rig_restarts(struct rig *rig);
void rig_done(struct rig *rig);

void rig_generate(struct rig *rig, enum key_alg alg, const char *label,
    struct hsm_key *ret_key);

/* A request to sign fresh content, and what it takes to check the answer. */
struct rig_op {
	uint8_t content[32];
	uint8_t digest[64];
	struct hsm_op op;
};

/* ret_op must not be moved. */
void rig_op(
    const struct hsm_key *key, enum sign_scheme scheme, struct rig_op *ret_op);
/* Does OpenSSL accept the signature of the op's content? */
bool rig_verifies(const struct hsm_key *key, const struct rig_op *op);
/* Sign one, and verify. */
struct status rig_sign(
    struct rig *rig, const struct hsm_key *key, enum sign_scheme scheme);

int64_t rig_deadline(int64_t ms);

#endif
