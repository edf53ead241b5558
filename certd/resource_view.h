/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_RESOURCE_VIEW_H
#define CERTD_RESOURCE_VIEW_H

#include <stdbool.h>

#include "base/db.h"
#include "base/status.h"
#include "certd/store_resources.h"
#include "proto/holdfast/certd/v1/resources.pb-c.h"

/*
 * A resource as it is shown: the row, what it binds, and warnings, which are
 * worked out each time and kept nowhere.  to is empty and the caller's; within
 * the caller's transaction.
 */
STATUS resource_view_fill(struct db_tx *tx, const struct resource_row *row,
    bool with_convergence, Holdfast__Certd__V1__Resource *to);

#endif
