/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which resource has each name, and whether that one is as it should be: HTTPS
 * on, an origin to fetch from.  Of a resource of another account nothing is
 * told but that there is one.
 */

#include <inttypes.h>

#include "certd/check.h"

static const char *
mode_text(int mode)
{
	switch (mode) {
	case MODE_PERSONAL:
		return "personal";
	case MODE_ACME:
		return "acme";
	case MODE_SHARED:
		return "shared";
	default:
		return "automatic";
	}
}

static const char *
origin_text(int mode)
{
	switch (mode) {
	case 1:
		return "by HTTP";
	case 2:
		return "by HTTPS";
	default:
		return "as the visitor came";
	}
}

/* ---- whose it is ---- */

static struct status
no_resource(struct check_run *run, const struct check_host *host)
{
	struct check_finding finding = { .result = CHECK_NOT_APPLICABLE,
		.hostname = host->name };

	check_seen(&finding, "no resource has it");
	if (run->is_preflight)
		return check_add(run, &finding);
	finding.result = CHECK_FAIL;
	check_why(&finding,
	    "edges serve the host names of resources and nothing else");
	check_remedy(&finding, "holdfast resource create NAME %s --origin HOST",
	    host->name);
	return check_add(run, &finding);
}

static struct status
foreign(struct check_run *run, const struct check_host *host)
{
	struct check_finding finding = { .result = CHECK_FAIL,
		.hostname = host->name };

	check_seen(&finding, "another resource has it, or a wildcard over it");
	check_why(&finding,
	    "a host name has one resource; it is not one of this account's");
	check_remedy(
	    &finding, "if the name is yours, ask the operator who has it");
	return check_add(run, &finding);
}

static struct status
other(struct check_run *run, const struct check_host *host)
{
	struct check_finding finding = { .result = CHECK_PASS,
		.hostname = host->name };

	check_seen(&finding, "resource %" PRId64 " has it", host->holder_id);
	return check_add(run, &finding);
}

/* ---- how it is ---- */

static struct status
of_this(struct check_run *run)
{
	const struct resource_row *row = &run->resource;
	struct check_finding finding = { .result = CHECK_PASS };

	check_seen(&finding,
	    "resource %" PRId64 " (%s), network %s, edge group %s, mode %s, "
	    "HTTPS %s",
	    row->id, row->name, row->network, row->edge_group,
	    mode_text(row->mode), row->https ? "on" : "off");
	if (run->has_target)
		check_seen(&finding, ", target %s", row->target);
	if (row->origin_host[0] != 0)
		check_seen(&finding, ", origin %s %s", row->origin_host,
		    origin_text(row->origin_mode));
	if (!row->https) {
		finding.result = CHECK_WARNING;
		check_why(&finding,
		    "what visitors send and see can be read and changed on "
		    "the way");
		check_remedy(&finding,
		    "holdfast resource set %" PRId64 " --https on", row->id);
	} else if (row->origin_host[0] == 0) {
		finding.result = CHECK_WARNING;
		check_why(&finding, "it names no origin, so nothing can be "
				    "said of where its pages come from");
		check_remedy(&finding,
		    "holdfast resource set %" PRId64 " --origin HOST", row->id);
	}
	return check_add(run, &finding);
}

struct status
check_resource(struct check_run *run)
{
	struct status st = run->has_resource ? of_this(run) : status_ok();

	for (size_t i = 0; i < run->n_hosts && !failed(st); i++) {
		const struct check_host *host = &run->hosts[i];

		if (host->holder == CHECK_HOLDER_FOREIGN)
			st = foreign(run, host);
		else if (host->holder == CHECK_HOLDER_OTHER)
			st = other(run, host);
		else if (host->holder == CHECK_HOLDER_NONE)
			st = no_resource(run, host);
	}
	return st;
}
