/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_SOFTHSM_H
#define TESTS_UNIT_SOFTHSM_H

/*
 * A SoftHSM token of a test's own in a new folder under /tmp, found through
 * SOFTHSM2_CONF of this process and of those it starts.  For tests only; every
 * failure ends the test process.
 */

#define SOFTHSM_MODULE "/usr/lib/softhsm/libsofthsm2.so"
#define SOFTHSM_PATH_MAX 256

struct softhsm {
	char folder[SOFTHSM_PATH_MAX];   /* holds all of the below */
	char tokens[SOFTHSM_PATH_MAX];   /* SoftHSM's own folder */
	char pin_file[SOFTHSM_PATH_MAX]; /* 0600, the user PIN "1234" */
	char lock_file[SOFTHSM_PATH_MAX];
};

void softhsm_init(struct softhsm *hsm, const char *token_label);
/* Remove the folder. */
void softhsm_done(struct softhsm *hsm);

/* Write text to folder/name, 0600; ret_path holds SOFTHSM_PATH_MAX. */
void softhsm_file(const struct softhsm *hsm, const char *name, const char *text,
    char *ret_path);

#endif
