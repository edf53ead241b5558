/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_STORE_BINDINGS_INT_H
#define CERTD_STORE_BINDINGS_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"
#include "certd/key_set.h"
#include "certd/store_bindings.h"

/* What the store_bindings*.c share; nobody else includes it. */

STATUS bindings_refresh_all(struct db_tx *tx, const struct key_set *keys);

bool bindings_among(const int64_t *certificates, size_t n, int64_t certificate);

#endif
