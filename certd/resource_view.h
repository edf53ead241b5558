/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_RESOURCE_VIEW_H
#define CERTD_RESOURCE_VIEW_H

#include <stdbool.h>

#include "base/db.h"
#include "base/status.h"
#include "certd/store_resources.h"
#include "proto/holdfast/certd/v1/resources.pb-c.h"

/*
 * A resource as it is shown: the row, what it binds, how its certificate is
 * being obtained, and warnings, which are worked out each time and kept
 * nowhere.  to is empty and the caller's; within the caller's transaction.
 */
struct resource_view {
	bool with_convergence;
	/* Is there an authority that certificates come from by themselves? */
	bool can_issue;
};
STATUS resource_view_fill(struct db_tx *tx, const struct resource_row *row,
    const struct resource_view *view, Holdfast__Certd__V1__Resource *to);

#endif
