/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How much of the CAs' patience an account may use.  Refused is what a script
 * in a loop would ask for: certificate after certificate of one enrollment, or
 * enrollments without end.  What is counted are rows of the last day along an
 * index, and no more of them than the limit.
 */

#include "certd/enrollment_quota.h"

#include "certd/store.h"
#include "certd/store_changes.h"

#define DAY_S 86400

static struct status
refused(void)
{
	return status_fail(STATUS_RESOURCE_EXHAUSTED,
	    "too many certificates were asked for in a day");
}

static struct status
check_enrollment(
    struct db_tx *tx, struct api_call *call, int64_t enrollment, bool is_forced)
{
	unsigned most =
	    is_forced ? ENROLLMENT_QUOTA_FORCED : ENROLLMENT_QUOTA_CHANGES;
	unsigned n = 0;
	struct status st = store_changes_asked(
	    tx, 0, enrollment, store_now_s() - DAY_S, most, &n);

	if (failed(st) || n < most)
		return st;
	return api_explain(call, refused(),
	    "%u certificates of enrollment %lld were asked for in 24 hours, "
	    "and a CA lets all of certd have so many only; %s",
	    n, (long long)enrollment,
	    is_forced ? "the one that is there is valid and is renewed by "
			"itself, or ask the operator"
		      : "see what its changes say, wait, or ask the operator");
}

STATUS
enrollment_quota_check(struct db_tx *tx, struct api_call *call,
    const struct config *config, const struct enrollment_row *row,
    bool is_forced)
{
	uint64_t most = config->acme.account_changes;
	struct status st = status_ok();
	unsigned n = 0;

	/* Tokens are of an account. */
	if (caller_sees_all(call->caller))
		return st;
	if (row->id != 0)
		st = check_enrollment(tx, call, row->id, is_forced);
	if (failed(st) || most == 0)
		return st;
	st = store_changes_asked(
	    tx, row->account, 0, store_now_s() - DAY_S, (unsigned)most, &n);
	if (failed(st) || n < most)
		return st;
	return api_explain(call, refused(),
	    "account %s has asked for %u certificates in 24 hours, which is "
	    "its share of what CAs let certd have; go on tomorrow, or ask the "
	    "operator (acme.account_changes)",
	    row->account_name, n);
}
