/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Is a challenge seen in place?  Edges say themselves what they have in force;
 * the DNS is asked at every authoritative server, for a CA may ask any of them.
 * How often to look is remembered from one look to the next.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/db.h"
#include "certd/solver_int.h"
#include "certd/solver_persist.h"
#include "certd/store_resources.h"

#define HTTP_RETRY_MS 200
#define DNS_RETRY_MS 500
#define DNS_RETRY_MAX_MS 15000

/* ---- when to look again ---- */

static struct solver_wait *
wait_of(
    struct solver *solver, const struct challenge_row *row, uint32_t *ret_hash)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (const char *c = row->hostname; *c != 0; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619u;
	hash = (hash ^ (uint32_t)row->change) * 16777619u;
	*ret_hash = hash;
	return &solver->waits[hash % SOLVER_WAITS];
}

int64_t
solver_wait_next(struct solver *solver, const struct challenge_row *row)
{
	struct solver_wait *wait;
	int64_t retry_ms;
	uint32_t hash;

	pthread_mutex_lock(&solver->mutex);
	wait = wait_of(solver, row, &hash);
	if (wait->hash != hash)
		wait->retry_ms = 0;
	wait->hash = hash;
	wait->retry_ms =
	    wait->retry_ms == 0 ? DNS_RETRY_MS : 2 * wait->retry_ms;
	if (wait->retry_ms > DNS_RETRY_MAX_MS)
		wait->retry_ms = DNS_RETRY_MAX_MS;
	retry_ms = wait->retry_ms;
	pthread_mutex_unlock(&solver->mutex);
	return retry_ms;
}

void
solver_wait_end(struct solver *solver, const struct challenge_row *row)
{
	struct solver_wait *wait;
	uint32_t hash;

	pthread_mutex_lock(&solver->mutex);
	wait = wait_of(solver, row, &hash);
	if (wait->hash == hash)
		wait->retry_ms = 0;
	pthread_mutex_unlock(&solver->mutex);
}

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

static struct status
check_http(struct solver *solver, const struct enrollment_row *of,
    const struct challenge_row *row, bool *ret_in_place, char *ret_why)
{
	char group[NETWORK_NAME_MAX], missing[PROBLEM_MAX - 128];
	size_t n = 0;
	bool is_in_force;
	/* certd may have been started anew. */
	struct status st = http_challenges_add(
	    solver->config.http, row->token, row->key_authorization);

	if (!failed(st))
		st = find_group(solver, of, group);
	if (failed(st))
		return st;
	is_in_force = http_challenges_in_force(solver->config.http, row->token,
	    group[0] != 0 ? group : NULL, &n, missing, sizeof(missing));
	if (n == 0 && solver->config.config->acme.http_listen[0] == 0) {
		(void)!snprintf(ret_why, PROBLEM_MAX,
		    "no edge%s%s is connected and acme.http_listen is empty: "
		    "nobody would answer the CA; start edged where the site is "
		    "served, or configure acme.http_listen and have the web "
		    "server pass /.well-known/acme-challenge/ on to it",
		    group[0] != 0 ? " of group " : "", group);
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "nobody answers http-01 challenges");
	}
	if (!is_in_force)
		(void)!snprintf(ret_why, PROBLEM_MAX,
		    "these edges do not answer the challenge yet: %s", missing);
	*ret_in_place = is_in_force;
	return st;
}

/* ---- DNS ---- */

static struct status
check_dns(struct solver *solver, const struct challenge_row *row,
    bool *ret_in_place, char *ret_why)
{
	const char *place =
	    row->dns_target[0] != 0 ? row->dns_target : row->dns_name;
	char why[DNS_WHY_MAX] = "";
	size_t n = 0, n_have = 0;
	struct status st;

	if (strcmp(row->type, "dns-persist-01") == 0)
		return solver_persist_everywhere(solver->config.resolver, place,
		    row->dns_value, ret_in_place, ret_why);
	st = dns_txt_everywhere(
	    solver->config.resolver, place, row->dns_value, &n, &n_have, why);
	if (failed(st) || n == 0 || n_have < n)
		(void)!snprintf(ret_why, PROBLEM_MAX, "%s", why);
	*ret_in_place = !failed(st) && n > 0 && n_have == n;
	return st;
}

STATUS
solver_check(struct solver *solver, const struct enrollment_row *of,
    const struct challenge_row *row, bool *ret_in_place, int64_t *ret_retry_ms,
    char ret_why[PROBLEM_MAX])
{
	bool is_http = strcmp(row->type, "http-01") == 0, is_in_place = false;
	struct status st;

	ret_why[0] = 0;
	st = is_http ? check_http(solver, of, row, &is_in_place, ret_why)
		     : check_dns(solver, row, &is_in_place, ret_why);
	/* A look-up that failed is a look that saw nothing. */
	if (!is_http && st.code == STATUS_UNAVAILABLE) {
		if (ret_why[0] == 0)
			(void)!snprintf(ret_why, PROBLEM_MAX, "%s", st.why);
		st = status_ok();
		is_in_place = false;
	}
	if (failed(st)) {
		if (ret_why[0] == 0)
			(void)!snprintf(ret_why, PROBLEM_MAX, "%s", st.why);
		return st;
	}
	if (is_in_place)
		solver_wait_end(solver, row);
	*ret_in_place = is_in_place;
	*ret_retry_ms = is_in_place ? 0
			: is_http   ? HTTP_RETRY_MS
				    : solver_wait_next(solver, row);
	return st;
}
