/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_LEAF_H
#define CERTD_LEAF_H

#include <stddef.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"

/* A kept certificate without its chain, as CAs are told of it: DER, malloc'd.
 * NOT_FOUND: there is no such certificate. */
STATUS leaf_der(
    struct db_tx *tx, int64_t certificate, uint8_t **ret_der, size_t *ret_len);

#endif
