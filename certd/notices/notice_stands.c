/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Whether something is still to be told; see notice_stands.h.  A certificate is
 * quiet when its successor is proven: no resource binds it, and every edge was
 * seen serving what came after (no retirement is left).  One that nobody binds
 * is told of too, unless the account has another for the same names that ends
 * later.
 */

#include "certd/notices/notice_stands.h"

#include <stdlib.h>
#include <string.h>

#include "certd/notices/notice_event.h"
#include "certd/notices/store_expiry.h"
#include "certd/store_changes.h"
#include "certd/store_enrollments.h"
#include "certd/store_leaving.h"
#include "certd/store_resources.h"

int64_t
notice_stands_id(const char *object, const char *kind)
{
	size_t len = strlen(kind);

	if (strncmp(object, kind, len) != 0 || object[len] != ' ' ||
	    object[len + 1] < '1' || object[len + 1] > '9')
		return 0;
	return strtoll(object + len + 1, NULL, 10);
}

static struct status
look_at_renewal(struct db_tx *tx, int64_t id, bool *ret_renews)
{
	struct renewal_row renewal;
	struct status st = store_renewals_by_certificate(tx, id, &renewal);

	*ret_renews = !failed(st);
	return st.code == STATUS_NOT_FOUND ? status_ok() : st;
}

STATUS
notice_stands_need(struct db_tx *tx,
    const struct store_certificate *certificate, struct notice_need *ret_need)
{
	struct notice_need need = { .is_needed = false };
	bool is_superseded = false, is_leaving = false;
	int64_t bound = 0;
	struct status st = look_at_renewal(tx, certificate->id, &need.renews);

	if (!failed(st))
		st = store_certificates_bound(tx, certificate->id, &bound);
	if (!failed(st))
		st = store_leaving_is_retired(tx, certificate->id, &is_leaving);
	need.is_served = bound > 0 || is_leaving;
	if (!failed(st) && !need.is_served)
		st = store_expiry_is_superseded(
		    tx, certificate->id, &is_superseded);
	if (failed(st))
		return st;
	/* ACME sees to its own, and tells of failures. */
	need.is_needed =
	    certificate->kind != KIND_ACME && !need.renews && !is_superseded;
	*ret_need = need;
	return st;
}

/* ---- notices that wait ---- */

static struct status
expiry_stands(struct db_tx *tx, const struct notice_row *row, int64_t now_s,
    const char **ret_why)
{
	struct store_certificate certificate;
	struct notice_need need;
	struct status st = store_certificates_find(
	    tx, notice_stands_id(row->object, "certificate"), &certificate);

	if (st.code == STATUS_NOT_FOUND) {
		*ret_why = "the certificate was deleted before it was sent";
		return status_ok();
	}
	if (!failed(st))
		st = notice_stands_need(tx, &certificate, &need);
	if (failed(st))
		return st;
	if (!need.is_needed)
		*ret_why = "another certificate took its place before it was "
			   "sent";
	else if (row->event == NOTICE_EXPIRING &&
		 certificate.not_after_s <= now_s)
		*ret_why = "the certificate had expired before it was sent";
	else if (row->event == NOTICE_EXPIRED && !need.is_served)
		*ret_why = "no resource used it any more before it was sent";
	return st;
}

static struct status
failure_stands(
    struct db_tx *tx, const struct notice_row *row, const char **ret_why)
{
	int64_t id = notice_stands_id(row->object, "certificate");
	struct renewal_row renewal = { .failures = 0 };
	struct status st = store_renewals_by_certificate(tx, id, &renewal);

	if (failed(st) && st.code != STATUS_NOT_FOUND)
		return st;
	/* What a person asked for has an answer, whatever came after. */
	if (renewal.failures == 0 && strncmp(row->occasion, "change ", 7) != 0)
		*ret_why = "it was renewed before it was sent";
	return status_ok();
}

static struct status
wait_stands(
    struct db_tx *tx, const struct notice_row *row, const char **ret_why)
{
	struct change_row change;
	struct status st = store_changes_load(
	    tx, notice_stands_id(row->object, "change"), &change);

	if (failed(st) && st.code != STATUS_NOT_FOUND)
		return st;
	if (failed(st) || change.state != (strcmp(row->occasion, "issue") == 0
						  ? CHANGE_AWAITING_ISSUE
						  : CHANGE_AWAITING_VERIFY))
		*ret_why = "the change had gone on before it was sent";
	return status_ok();
}

STATUS
notice_stands(struct db_tx *tx, const struct notice_row *row, int64_t now_s,
    const char **ret_why)
{
	*ret_why = NULL;
	switch (row->event) {
	case NOTICE_EXPIRING:
	case NOTICE_EXPIRED:
		return expiry_stands(tx, row, now_s, ret_why);
	case NOTICE_RENEWAL_FAILED:
		return failure_stands(tx, row, ret_why);
	case NOTICE_CHANGE_NEEDS_YOU:
		return wait_stands(tx, row, ret_why);
	default:
		return status_ok();
	}
}
