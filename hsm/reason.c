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

	[REASON_FORGOTTEN] = { STATUS_NOT_FOUND,
	    "this key is suspended or destroyed: the token is not asked for "
	    "it" },
	[REASON_KEY_EXISTS] = { STATUS_ALREADY_EXISTS,
	    "the token already has this very key: look it up by its id" },
	[REASON_IMPORT_SPKI] = { STATUS_INVALID_ARGUMENT,
	    "the public key of the import is not a P-256, P-384, RSA-2048, "
	    "-3072, -4096 or Ed25519 key in DER" },
	[REASON_IMPORT_ALG] = { STATUS_INVALID_ARGUMENT,
	    "the token cannot unwrap keys of this algorithm: generate the key "
	    "in the token instead" },
	[REASON_IMPORT_BLOB] = { STATUS_INVALID_ARGUMENT,
	    "the wrapped key does not unwrap: it is damaged, or not under this "
	    "wrapping key; fetch the import parameters and wrap it again" },
	[REASON_IMPORT_MISMATCH] = { STATUS_INVALID_ARGUMENT,
	    "the wrapped private key is not the one of this public key: check "
	    "that key and certificate belong together" },
	[REASON_WRAPPING_UNKNOWN] = { STATUS_INVALID_ARGUMENT,
	    "the token does not have this wrapping key any more: fetch the "
	    "import parameters and wrap the key again" },
	[REASON_WRAPPING_UNFIT] = { STATUS_FAILED_PRECONDITION,
	    "the token's key of this name is not one that can unwrap and do "
	    "nothing else: remove it or choose another label" },
	[REASON_KEK_MISSING] = { STATUS_FAILED_PRECONDITION,
	    "the token has no key encryption key: restore the token that the "
	    "keys were wrapped with, or make one for a new pool" },
	[REASON_KEK_UNFIT] = { STATUS_FAILED_PRECONDITION,
	    "the token's key encryption key can do more than wrap and unwrap: "
	    "remove the object \"kek\" if it is not keyd's" },
	[REASON_WRAPPED_ALG] = { STATUS_UNIMPLEMENTED,
	    "the token cannot wrap and unwrap keys of this algorithm: make the "
	    "key in a pool that keeps its keys in the token" },
	[REASON_STORED_BLOB] = { STATUS_DATA_LOSS,
	    "the stored key does not unwrap: it was damaged, or wrapped by "
	    "another token; restore the registry from its backup" },
	[REASON_STORED_MISMATCH] = { STATUS_DATA_LOSS,
	    "the stored key is not the one of its id: the registry was changed "
	    "by hand; restore it from its backup" },
	[REASON_BLOB_NEEDED] = { STATUS_UNAVAILABLE,
	    "the key was pushed out of the worker's cache again and again: "
	    "make the cache larger" },

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
