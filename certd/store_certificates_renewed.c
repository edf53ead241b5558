/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who renews a certificate, as whoever wants to delete it must know: it would
 * be obtained again.  One that was revoked on demand is renewed by nobody.
 */

#include "certd/store_certificates.h"
#include "certd/store_enrollments.h"

STATUS
store_certificates_renewed_by(
    struct db_tx *tx, int64_t id, int64_t *ret_enrollment)
{
	int64_t enrollment = 0;
	struct status st = db_number(tx, &enrollment,
	    "SELECT e.id FROM renewal r CROSS JOIN enrollment e"
	    " WHERE r.certificate = ?1 AND r.certificate IS NOT NULL"
	    " AND e.id = r.enrollment AND e.state <> ?2 AND e.leaves = 0"
	    " LIMIT 1",
	    DB_VALUES(db_int(id), db_int(ENROLLMENT_REVOKED)));

	if (failed(st) && st.code != STATUS_NOT_FOUND)
		return st;
	*ret_enrollment = failed(st) ? 0 : enrollment;
	return status_ok();
}
