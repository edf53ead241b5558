/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_PLANS_VIEW_H
#define CERTD_PLANS_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "base/db.h"
#include "base/status.h"
#include "certd/store_plans.h"

/* Plans for people and programs, within the caller's transaction. */

/* A copy of what was asked. */
STATUS plans_view_asked(const Holdfast__Certd__V1__CreatePlanRequest *asked,
    Holdfast__Certd__V1__CreatePlanRequest **ret_copy);
/* The estimate, and how far it is; to is new. */
STATUS plans_view_fill(struct db_tx *tx, const struct plan_row *row,
    Holdfast__Certd__V1__Plan *to);
/* The same of an id, with failing ones if asked for: a Plan. */
STATUS plans_view(struct db_tx *tx, int64_t id, bool with_failures,
    ProtobufCMessage **ret_plan);

#endif
