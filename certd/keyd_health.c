/* SPDX-License-Identifier: Apache-2.0 */

/*
 * keyd's status as sentences: does it answer, are its lanes to the HSM ready,
 * can journal and ledger be written.  A keyd that answers with words that are
 * not its status is told like one that does not answer.
 */

#include "certd/keyd_health.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/scoped.h"
#include "certd/custody_view.h"

typedef Holdfast__Keyd__V1__GetStatusResponse status_msg;
typedef Holdfast__Keyd__V1__LaneStatus lane_msg;

static void
release(status_msg *status)
{
	holdfast__keyd__v1__get_status_response__free_unpacked(status, NULL);
}
SCOPED_RELEASE(release, status_msg *);

/* The first lane that is not ready, and how many more are not. */
static void
look_at_lanes(const status_msg *status, char *ret_why)
{
	const lane_msg *first = NULL;
	unsigned n = 0;

	for (size_t i = 0; i < status->n_lanes; i++) {
		if (strcmp(status->lanes[i]->state, "ready") == 0)
			continue;
		if (n++ == 0)
			first = status->lanes[i];
	}
	if (first == NULL)
		return;
	snprintf(ret_why, NOTICES_WHY_MAX,
	    "%u of %zu lanes to the HSM are not ready; lane %" PRIu32
	    " of pool %.60s is %.40s%s%.200s",
	    n, status->n_lanes, first->lane, first->pool, first->state,
	    first->why[0] == 0 ? "" : ": ", first->why);
}

static void
look_at_ledger(const status_msg *status, char *ret_why)
{
	if (status->audit_trouble[0] != 0)
		snprintf(ret_why, NOTICES_WHY_MAX,
		    "keyd signs nothing, for its audit journal cannot be "
		    "written: %.300s",
		    status->audit_trouble);
	else if (status->ledger_trouble[0] != 0)
		snprintf(ret_why, NOTICES_WHY_MAX,
		    "keyd's audit ledger cannot be published: %.300s",
		    status->ledger_trouble);
}

void
keyd_health_look(struct custody *custody, struct notices_health *ret_health)
{
	scoped(release) status_msg *status = NULL;
	char why[CUSTODY_WHY_MAX] = "";
	struct status st = custody_view_status(custody, &status, why);

	if (failed(st)) {
		snprintf(ret_health->keyd, sizeof(ret_health->keyd), "%s",
		    why[0] != 0 ? why : st.why);
		return;
	}
	look_at_lanes(status, ret_health->hsm);
	look_at_ledger(status, ret_health->ledger);
}
