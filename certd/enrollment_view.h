/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_ENROLLMENT_VIEW_H
#define CERTD_ENROLLMENT_VIEW_H

#include <stdbool.h>
#include <stddef.h>

#include "base/db.h"
#include "base/status.h"
#include "certd/store_changes.h"
#include "certd/store_enrollments.h"
#include "proto/holdfast/certd/v1/enrollments.pb-c.h"

/*
 * Enrollments and changes as they are shown.  to is empty and the caller's;
 * within the caller's transaction.
 */
STATUS enrollment_view_fill(struct db_tx *tx, const struct enrollment_row *row,
    Holdfast__Certd__V1__Enrollment *to);
STATUS enrollment_view_change(struct db_tx *tx, const struct change_row *row,
    bool with_history, Holdfast__Certd__V1__Change *to);

/* CHANGE_INPUT_... that may be given now, at most 4; gives their number. */
size_t enrollment_view_inputs(
    const struct change_row *row, int64_t now_s, int ret_inputs[4]);

#endif
