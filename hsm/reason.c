/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The sentences of this room.  Each says what is wrong and, where a person can
 * mend it, how.  Everything that is the token's state rather than the request's
 * fault is UNAVAILABLE, so callers need one rule for "try again later".
 */

#include "hsm/reason.h"

static const struct {
	enum status_code code;
	const char *why;
} reasons[] = {
	[REASON_OK] = { STATUS_OK, "ok" },
	[REASON_KEY_UNKNOWN] = { STATUS_NOT_FOUND,
	    "the token has no such key: check the key id and the pool" },
	[REASON_KEY_MISFIT] = { STATUS_INVALID_ARGUMENT,
	    "this key cannot make signatures of this scheme" },
	[REASON_INPUT_LEN] = { STATUS_INVALID_ARGUMENT,
	    "the input does not have the length of the scheme's digest" },
	[REASON_EXPIRED] = { STATUS_DEADLINE_EXCEEDED,
	    "the deadline passed before the token was asked" },
	[REASON_REFUSED] = { STATUS_INTERNAL,
	    "the token refused the operation: look its code up in the "
	    "module's manual" },
	[REASON_MECHANISM] = { STATUS_UNIMPLEMENTED,
	    "the token does not support this algorithm" },
	[REASON_LABEL_TAKEN] = { STATUS_ALREADY_EXISTS,
	    "the token already has a key with this label" },
	[REASON_LABEL_BAD] = { STATUS_INVALID_ARGUMENT,
	    "a label is 1 to 63 printable ASCII characters" },
	[REASON_EXTRACTABLE] = { STATUS_FAILED_PRECONDITION,
	    "the token made a key that can leave it; the key was destroyed: "
	    "check the token's policy" },
	[REASON_SELF_TEST] = { STATUS_DATA_LOSS,
	    "a signature of the new key did not verify; the key was "
	    "destroyed" },
	[REASON_PUBLIC_MISSING] = { STATUS_FAILED_PRECONDITION,
	    "the token has no usable public key beside this private key" },
	[REASON_ID_MISMATCH] = { STATUS_DATA_LOSS,
	    "the key's CKA_ID is not the SHA-256 of its public key" },
	[REASON_TOKEN_FULL] = { STATUS_RESOURCE_EXHAUSTED,
	    "the token is full: destroy keys that are no longer used" },
	[REASON_TOKEN_READ_ONLY] = { STATUS_FAILED_PRECONDITION,
	    "the token is write-protected" },
	[REASON_BAD_ARGUMENT] = { STATUS_INVALID_ARGUMENT,
	    "the request to the signing worker is not well formed" },
	[REASON_LATE] = { STATUS_DEADLINE_EXCEEDED,
	    "the token did not answer before the deadline" },

	[REASON_STARTING] = { STATUS_UNAVAILABLE,
	    "the signing worker is starting" },
	[REASON_AWAY] = { STATUS_UNAVAILABLE,
	    "the token does not answer as it should: it is being probed; "
	    "check that the HSM is connected" },
	[REASON_MODULE] = { STATUS_UNAVAILABLE,
	    "the PKCS#11 module cannot be loaded: check hsm.module" },
	[REASON_MODULE_INIT] = { STATUS_UNAVAILABLE,
	    "the PKCS#11 module does not initialise: check its own "
	    "configuration (SoftHSM: SOFTHSM2_CONF and the token folder)" },
	[REASON_TOKEN_MISSING] = { STATUS_UNAVAILABLE,
	    "the token is not there: check the token's label, and "
	    "softhsm2.conf or that the HSM is connected" },
	[REASON_TOKEN_AMBIGUOUS] = { STATUS_UNAVAILABLE,
	    "two tokens carry this label: rename or remove one" },
	[REASON_PIN_FILE] = { STATUS_UNAVAILABLE,
	    "the PIN file cannot be used: it must exist and be readable by "
	    "its owner alone (mode 0600)" },
	[REASON_PIN_REFUSED] = { STATUS_UNAVAILABLE,
	    "the PIN was refused: it will not be tried again; correct the "
	    "PIN file and restart keyd" },
	[REASON_PIN_UNSET] = { STATUS_UNAVAILABLE,
	    "the token has no user PIN yet: initialise it" },
	[REASON_LOCK_FILE] = { STATUS_UNAVAILABLE,
	    "the token's lock file cannot be made or opened: check its "
	    "folder" },
	[REASON_LOCK_HELD] = { STATUS_UNAVAILABLE,
	    "another process holds the token's lock file: find it and end "
	    "it" },
	[REASON_MEMORY] = { STATUS_UNAVAILABLE,
	    "the signing worker has no memory left" },
	[REASON_SPAWN] = { STATUS_UNAVAILABLE,
	    "the signing worker cannot be started" },
	[REASON_DIED] = { STATUS_UNAVAILABLE,
	    "the signing worker ended unexpectedly: it is being restarted; "
	    "the log and the module's log say more" },
	[REASON_HUNG] = { STATUS_UNAVAILABLE,
	    "the token did not answer in time and its worker was ended: "
	    "check the HSM" },
	[REASON_GARBLED] = { STATUS_INTERNAL,
	    "the signing worker sent an answer that makes no sense: worker "
	    "and keyd must be the same version" },
};

_Static_assert(
    sizeof(reasons) / sizeof(reasons[0]) == REASON_END_, "one text each");

struct status
reason_status(unsigned reason, uint32_t detail)
{
	if (reason >= REASON_END_)
		reason = REASON_GARBLED;
	return status_fail_detail(
	    reasons[reason].code, reasons[reason].why, detail);
}
