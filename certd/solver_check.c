/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Is a challenge seen in place?  Edges say themselves what they have in force;
 * the DNS is asked at every authoritative server, for a CA may ask any of them.
 * An edge that hangs is waited for, not for ever; a CA is not asked in vain.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/db.h"
#include "base/log.h"
#include "certd/solver_int.h"
#include "certd/solver_persist.h"
#include "certd/store_edges_live.h"
#include "certd/store_resources.h"

#define HTTP_RETRY_MS 200

/* What a look saw. */
struct look {
	bool in_place;
	bool may_go_on; /* without those that have it not */
	char *why;      /* PROBLEM_MAX */
};

/* ---- http-01 ---- */

/* Empty: edges of all groups count. */
static struct status
find_group(struct solver *solver, const struct enrollment_row *of,
    char ret_group[NETWORK_NAME_MAX])
{
	scoped(free) struct resource_row *row = calloc(1, sizeof(*row));
	struct db_tx *tx;
	struct status st;

	ret_group[0] = 0;
	if (of->resource == 0 || solver->config.store == NULL)
		return status_ok();
	if (row == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	st = store_read(solver->config.store, &tx);
	if (failed(st))
		return st;
	st = store_resources_load(tx, of->resource, row);
	db_end(tx);
	if (!failed(st))
		memcpy(ret_group, row->edge_group, NETWORK_NAME_MAX);
	return st.code == STATUS_NOT_FOUND ? status_ok() : st;
}

/* Those that have no stream just now (certd was started anew, or the network
 * failed) answer the CA all the same, and without what they were not told. */
static struct status
check_absent(
    struct solver *solver, const char *group, size_t n, struct look *look)
{
	unsigned live = 0;
	struct db_tx *tx;
	struct status st;

	if (solver->config.store == NULL)
		return status_ok();
	st = store_read(solver->config.store, &tx);
	if (failed(st))
		return st;
	st = edges_live(tx, group, store_now_s(), &live);
	db_end(tx);
	if (failed(st) || live <= n)
		return st;
	look->in_place = false;
	(void)!snprintf(look->why, PROBLEM_MAX,
	    "%u of %u edges were heard of lately and have no connection to "
	    "certd now: they are waited for",
	    live - (unsigned)n, live);
	return st;
}

static struct status
check_http(struct solver *solver, const struct enrollment_row *of,
    const struct challenge_row *row, struct look *look)
{
	char group[NETWORK_NAME_MAX], missing[PROBLEM_MAX - 128];
	bool has_port = solver->config.config->acme.http_listen[0] != 0;
	const char *of_group = NULL;
	size_t n = 0;
	/* certd may have been started anew. */
	struct status st = http_challenges_add(
	    solver->config.http, row->token, row->key_authorization);

	if (!failed(st))
		st = find_group(solver, of, group);
	if (failed(st))
		return st;
	if (group[0] != 0)
		of_group = group;
	look->in_place = http_challenges_in_force(solver->config.http,
	    row->token, of_group, &n, missing, sizeof(missing));
	look->may_go_on = has_port || http_challenges_have(solver->config.http,
					  row->token, of_group) > 0;
	if (n == 0 && !has_port) {
		look->in_place = false;
		(void)!snprintf(look->why, PROBLEM_MAX,
		    "no edge%s%s is connected and acme.http_listen is empty: "
		    "nobody would answer the CA; start edged where the site is "
		    "served, or configure acme.http_listen and have the web "
		    "server pass /.well-known/acme-challenge/ on to it",
		    group[0] != 0 ? " of group " : "", group);
	} else if (!look->in_place) {
		(void)!snprintf(look->why, PROBLEM_MAX,
		    "these edges do not answer the challenge yet: %s", missing);
	} else {
		st = check_absent(solver, group, n, look);
	}
	return st;
}

/* ---- DNS ---- */

static struct status
check_dns(
    struct solver *solver, const struct challenge_row *row, struct look *look)
{
	const char *place =
	    row->dns_target[0] != 0 ? row->dns_target : row->dns_name;
	char why[DNS_WHY_MAX] = "";
	size_t n = 0, n_have = 0;
	struct status st;

	if (strcmp(row->type, "dns-persist-01") == 0) {
		st = solver_persist_everywhere(solver->config.resolver, place,
		    row->dns_value, &look->in_place, look->why);
	} else {
		st = dns_txt_everywhere(solver->config.resolver, place,
		    row->dns_value, &n, &n_have, why);
		look->in_place = !failed(st) && n > 0 && n_have == n;
		(void)!snprintf(look->why, PROBLEM_MAX, "%s", why);
	}
	if (st.code != STATUS_UNAVAILABLE)
		return st;
	/* A look-up that failed is a look that saw nothing. */
	look->in_place = false;
	if (look->why[0] == 0)
		(void)!snprintf(look->why, PROBLEM_MAX, "%s", st.why);
	return status_ok();
}

/* ---- patience ---- */

/* It was not seen: is that for long? */
static struct status
wait_or_end(struct solver *solver, const struct enrollment_row *of,
    const struct challenge_row *row, struct look *look, int64_t *ret_retry_ms)
{
	bool is_http = strcmp(row->type, "http-01") == 0;
	int64_t patience_ns = solver_patience_ns(solver, of, row), waited_ns;

	solver_wait_look(solver, row, &waited_ns, ret_retry_ms);
	if (is_http)
		*ret_retry_ms = HTTP_RETRY_MS;
	if (patience_ns == 0 || waited_ns < patience_ns)
		return status_ok();
	if (!look->may_go_on)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    is_http ? "nobody answers the http-01 challenge"
			    : "the TXT record is not everywhere in time");
	log_warn("the CA is asked to validate without some edges",
	    LOG_STR("name", row->hostname), LOG_STR("why", look->why));
	look->in_place = true;
	return status_ok();
}

STATUS
solver_check(struct solver *solver, const struct enrollment_row *of,
    const struct challenge_row *row, bool *ret_in_place, int64_t *ret_retry_ms,
    char ret_why[PROBLEM_MAX])
{
	struct look look = { .why = ret_why };
	int64_t retry_ms = 0;
	struct status st;

	ret_why[0] = 0;
	st = strcmp(row->type, "http-01") == 0
		 ? check_http(solver, of, row, &look)
		 : check_dns(solver, row, &look);
	if (!failed(st) && !look.in_place)
		st = wait_or_end(solver, of, row, &look, &retry_ms);
	if (failed(st)) {
		if (ret_why[0] == 0)
			(void)!snprintf(ret_why, PROBLEM_MAX, "%s", st.why);
		return st;
	}
	if (look.in_place) {
		solver_wait_end(solver, row);
		ret_why[0] = 0;
		retry_ms = 0;
	}
	*ret_in_place = look.in_place;
	*ret_retry_ms = retry_ms;
	return st;
}
