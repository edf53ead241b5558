/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HSM_REASON_H
#define HSM_REASON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/*
 * Why something did not work, as a number: a `why` text is static, so a worker
 * sends its number and the door looks the text up.
 */
enum reason {
	REASON_OK = 0,
	/* About one request. */
	REASON_KEY_UNKNOWN,
	REASON_KEY_MISFIT,
	REASON_INPUT_LEN,
	REASON_EXPIRED,
	REASON_REFUSED,
	REASON_MECHANISM,
	REASON_LABEL_TAKEN,
	REASON_LABEL_BAD,
	REASON_EXTRACTABLE,
	REASON_SELF_TEST,
	REASON_PUBLIC_MISSING,
	REASON_ID_MISMATCH,
	REASON_TOKEN_FULL,
	REASON_TOKEN_READ_ONLY,
	REASON_BAD_ARGUMENT,
	REASON_LATE,
	REASON_FORGOTTEN,
	REASON_KEY_EXISTS,
	REASON_IMPORT_SPKI,
	REASON_IMPORT_ALG,
	REASON_IMPORT_BLOB,
	REASON_IMPORT_MISMATCH,
	REASON_WRAPPING_UNKNOWN,
	REASON_WRAPPING_UNFIT,
	REASON_KEK_MISSING,
	REASON_KEK_UNFIT,
	REASON_WRAPPED_ALG,
	REASON_STORED_BLOB,
	REASON_STORED_MISMATCH,
	REASON_BLOB_NEEDED,
	/* About the lane. */
	REASON_STARTING,
	REASON_AWAY,
	REASON_MODULE,
	REASON_MODULE_INIT,
	REASON_TOKEN_MISSING,
	REASON_TOKEN_AMBIGUOUS,
	REASON_PIN_FILE,
	REASON_PIN_REFUSED,
	REASON_PIN_UNSET,
	REASON_LOCK_FILE,
	REASON_LOCK_HELD,
	REASON_MEMORY,
	REASON_SPAWN,
	REASON_DIED,
	REASON_HUNG,
	REASON_GARBLED,
	REASON_END_,
};

/* Is it the lane's fault, so that another lane may do better? */
static inline bool
reason_is_of_lane(unsigned reason)
{
	return reason >= REASON_STARTING;
}

/* The reason as a status; a number that is no reason is GARBLED. */
struct status reason_status(unsigned reason, uint32_t detail);

#endif
