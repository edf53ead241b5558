/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What host names a resource may have, beside that they are free: in the
 * operator's zone for shared certificates, and not under a wildcard that serves
 * another account's visitors.  Nothing is told of whose that is.
 */

#include <stdio.h>
#include <string.h>

#include "certd/resource_fields.h"
#include "certd/resources_int.h"
#include "certd/store_resources.h"

STATUS
resources_check_shared(struct resources *resources, struct db_tx *tx,
    struct api_call *call, const struct resource_row *row)
{
	const char *zone = resources->config.zone;
	scoped(names_done) struct names names = { 0 };
	struct status st;

	if (row->mode != MODE_SHARED || zone[0] == 0)
		return status_ok();
	st = store_resources_names(tx, row->id, &names);
	for (size_t i = 0; i < names.n && !failed(st); i++)
		if (!resource_fields_in_zone(zone, names.at[i]))
			return api_explain(call,
			    status_fail(STATUS_FAILED_PRECONDITION,
				"mode shared is for names in the operator's "
				"zone"),
			    "%s is not in %s, which the shared certificates "
			    "are for; choose mode automatic, or bind a "
			    "certificate of your own",
			    names.at[i], zone);
	return st;
}

/* A wildcard of a resource that the caller does not see, which serves it. */
static struct status
check_wildcard(struct db_tx *tx, struct api_call *call, const char *name)
{
	char wildcard[HOSTNAME_MAX + 1];
	struct resource_row row;
	int64_t other = 0;
	struct status st;

	if (hostname_is_wildcard(name))
		return status_ok();
	snprintf(wildcard, sizeof(wildcard), "*%s", strchr(name, '.'));
	st = store_resources_holder(tx, wildcard, &other);
	if (!failed(st))
		st = store_resources_find(tx, call->caller, other, &row);
	else if (st.code == STATUS_NOT_FOUND)
		return status_ok();
	if (st.code != STATUS_NOT_FOUND)
		return st;
	return api_explain(call,
	    status_fail(STATUS_ALREADY_EXISTS,
		"another resource serves this host name by a wildcard"),
	    "%s is served by another resource already, which has %s; a host "
	    "name has one resource. If it is yours, ask the operator",
	    name, wildcard);
}

STATUS
resources_check_wildcards(struct resources *resources, struct db_tx *tx,
    struct api_call *call, int64_t id, const struct names *names)
{
	const char *zone = resources->config.zone;
	struct status st = status_ok();

	for (size_t i = 0; i < names->n && !failed(st); i++) {
		int64_t holder = 0;

		/* Names in the zone are given out one by one. */
		if (strchr(names->at[i], '.') == NULL ||
		    resource_fields_in_zone(zone, names->at[i]))
			continue;
		st = store_resources_holder(tx, names->at[i], &holder);
		if (failed(st) && st.code != STATUS_NOT_FOUND)
			return st;
		/* What it has already it keeps. */
		st = !failed(st) && holder == id
			 ? status_ok()
			 : check_wildcard(tx, call, names->at[i]);
	}
	return st;
}
