/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Names of events: for programs (payloads of webhooks, metrics) and for people.
 * Pure tables; what is no event has the name "?".
 */

#include "certd/notices/notice_event.h"

static const struct {
	const char *name, *title;
} EVENTS[NOTICE_EVENTS] = {
	[0] = { "?", "?" },
	[NOTICE_EXPIRING] = { "expiring", "certificates that expire soon" },
	[NOTICE_EXPIRED] = { "expired", "certificates that have expired" },
	[NOTICE_ISSUED] = { "issued", "first certificates that were obtained" },
	[NOTICE_ISSUE_FAILED] = { "issue_failed",
	    "certificates that could not be obtained" },
	[NOTICE_RENEWED] = { "renewed", "certificates that were renewed" },
	[NOTICE_RENEWAL_FAILED] = { "renewal_failed", "renewals that failed" },
	[NOTICE_REVOKED] = { "revoked", "certificates that were revoked" },
	[NOTICE_CHANGE_NEEDS_YOU] = { "change_needs_you",
	    "changes that wait for a person" },
	[NOTICE_EDGE_NOT_CONVERGED] = { "edge_not_converged",
	    "edges that do not serve what they should" },
	[NOTICE_LEDGER_TROUBLE] = { "ledger_trouble",
	    "trouble with the audit ledger" },
	[NOTICE_HSM_TROUBLE] = { "hsm_trouble",
	    "trouble with keyd and the HSM" },
	[NOTICE_CHANGE_EXPIRED] = { "change_expired",
	    "orders that were not verified in time" },
};

bool
notice_event_is(int event)
{
	return event > 0 && event < NOTICE_EVENTS;
}

bool
notice_event_is_whole(int event)
{
	return event == NOTICE_EDGE_NOT_CONVERGED ||
	       event == NOTICE_LEDGER_TROUBLE || event == NOTICE_HSM_TROUBLE;
}

bool
notice_event_is_joined(int event)
{
	return event == NOTICE_EXPIRING || event == NOTICE_EXPIRED;
}

const char *
notice_event_name(int event)
{
	return EVENTS[notice_event_is(event) ? event : 0].name;
}

const char *
notice_event_title(int event)
{
	return EVENTS[notice_event_is(event) ? event : 0].title;
}
