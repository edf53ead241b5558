/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_NOTICES_NOTICE_EVENT_H
#define CERTD_NOTICES_NOTICE_EVENT_H

#include <stdbool.h>

/* What is told of, as rows have it: the numbers of holdfast.certd.v1. */
enum {
	NOTICE_EXPIRING = 1,
	NOTICE_EXPIRED = 2,
	NOTICE_ISSUED = 3,
	NOTICE_ISSUE_FAILED = 4,
	NOTICE_RENEWED = 5,
	NOTICE_RENEWAL_FAILED = 6,
	NOTICE_REVOKED = 7,
	NOTICE_CHANGE_NEEDS_YOU = 8,
	NOTICE_EDGE_NOT_CONVERGED = 9,
	NOTICE_LEDGER_TROUBLE = 10,
	NOTICE_HSM_TROUBLE = 11,
	NOTICE_CHANGE_EXPIRED = 12,
	NOTICE_EVENTS /* one more than the last */
};

/* holdfast.certd.v1.NoticeState. */
enum {
	NOTICE_QUEUED = 1,
	NOTICE_SENT = 2,
	NOTICE_FAILED = 3,
	NOTICE_CANCELLED = 4,
};

/* Whom a rule tells: bits of notice_rule.told. */
enum {
	TOLD_ADMINISTRATORS = 1 << 0,
	TOLD_ENGINEERS = 1 << 1,
	TOLD_VIEWERS = 1 << 2,
	TOLD_ADMINISTRATIVE = 1 << 3, /* contacts of that kind */
	TOLD_TECHNICAL = 1 << 4,
};

bool notice_event_is(int event);
/* About the whole, and told to operators; else about an account. */
bool notice_event_is_whole(int event);
/* May many of it go out in one mail: is a line enough for each, and what is to
 * be done the same for all? */
bool notice_event_is_joined(int event);
/* "renewal_failed"; "?" of none. */
const char *notice_event_name(int event);
/* For people: "renewals that failed"; "?" of none. */
const char *notice_event_title(int event);

#endif
