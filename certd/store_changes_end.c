/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the end of a change brings with it, in the transaction that keeps it, so
 * that a crash loses none of it: what was to be revoked once another one is in
 * place is due, an outdated change is followed by one of what is wanted now, an
 * enrollment that nobody wants any more goes with its last change.
 */

#include <stdio.h>

#include "certd/store_changes_int.h"
#include "certd/store_revocations.h"

static struct status
follow(struct db_tx *tx, const struct change_row *ended,
    const struct enrollment_row *enrollment)
{
	struct change_row next = { .enrollment = ended->enrollment,
		.account = enrollment->account,
		.resource = enrollment->resource,
		.purpose = ended->purpose,
		.kind = CHANGE_KIND_ISSUE };
	struct renewal_row renewal;
	int64_t other = 0;
	struct status st = store_renewals_load(
	    tx, ended->enrollment, ended->purpose, &renewal);

	if (failed(st))
		return st;
	if (renewal.certificate != 0) {
		next.kind = CHANGE_KIND_REISSUE;
		next.replaces = renewal.certificate;
	}
	snprintf(
	    next.created_by, sizeof(next.created_by), "%s", ended->created_by);
	return store_changes_insert(tx, &next, &other);
}

STATUS
store_changes_ended(struct db_tx *tx, const struct change_row *row)
{
	struct enrollment_row enrollment;
	struct change_row now;
	struct status st = status_ok();

	if (row->state == CHANGE_DONE)
		st = store_revocations_release(
		    tx, row->enrollment, row->certificate);
	/* is_outdated may be newer than the row. */
	if (!failed(st))
		st = store_changes_load(tx, row->id, &now);
	if (failed(st))
		return st;
	st = store_enrollments_load(tx, row->enrollment, &enrollment);
	if (failed(st))
		return st.code == STATUS_NOT_FOUND ? status_ok() : st;
	if (enrollment.leaves)
		return store_enrollments_leave(tx, enrollment.id);
	return now.is_outdated ? follow(tx, row, &enrollment) : st;
}
