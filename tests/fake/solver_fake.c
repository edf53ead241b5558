/* SPDX-License-Identifier: Apache-2.0 */

/* Challenges in shared memory; see solver_fake.h. */

#include "tests/fake/solver_fake.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "tests/fake/shared_memory.h"

#define TOKENS_MAX 64

struct solver {
	pthread_mutex_t mutex; /* guards all below */
	bool is_hidden;
	unsigned presented;
	size_t n;
	char tokens[TOKENS_MAX][ACME_TOKEN_MAX];
};

struct solver *
solver_fake_new(void)
{
	struct solver *solver = shared_memory_new(sizeof(*solver));

	shared_memory_mutex(&solver->mutex);
	return solver;
}

void
solver_free(struct solver *solver)
{
	if (solver != NULL)
		munmap(solver, sizeof(*solver));
}

void
solver_fake_hide(struct solver *solver, bool hidden)
{
	pthread_mutex_lock(&solver->mutex);
	solver->is_hidden = hidden;
	pthread_mutex_unlock(&solver->mutex);
}

void
solver_fake_forget(struct solver *solver)
{
	pthread_mutex_lock(&solver->mutex);
	solver->n = 0;
	pthread_mutex_unlock(&solver->mutex);
}

size_t
solver_fake_tokens(struct solver *solver)
{
	size_t n;

	pthread_mutex_lock(&solver->mutex);
	n = solver->n;
	pthread_mutex_unlock(&solver->mutex);
	return n;
}

unsigned
solver_fake_presented(struct solver *solver)
{
	unsigned n;

	pthread_mutex_lock(&solver->mutex);
	n = solver->presented;
	pthread_mutex_unlock(&solver->mutex);
	return n;
}

/* With the mutex held; n: it is not there. */
static size_t
find(const struct solver *solver, const char *token)
{
	size_t i = 0;

	while (i < solver->n && strcmp(solver->tokens[i], token) != 0)
		i++;
	return i;
}

STATUS
solver_prepare(struct solver *solver, const struct enrollment_row *of,
    const char *issuer_domain, const char *account_url,
    struct challenge_row *row, char ret_why[PROBLEM_MAX])
{
	(void)solver;
	(void)issuer_domain;
	(void)account_url;
	(void)ret_why;
	if (of->validation != VALIDATION_HTTP_01) {
		snprintf(row->dns_name, sizeof(row->dns_name),
		    "_acme-challenge.%.200s", row->hostname);
		snprintf(row->dns_value, sizeof(row->dns_value), "value-of-%s",
		    row->token);
	}
	return status_ok();
}

STATUS
solver_present(struct solver *solver, const struct enrollment_row *of,
    const struct challenge_row *row, char ret_why[PROBLEM_MAX])
{
	(void)of;
	(void)ret_why;
	pthread_mutex_lock(&solver->mutex);
	solver->presented++;
	if (find(solver, row->token) == solver->n) {
		if (solver->n == TOKENS_MAX)
			abort();
		memcpy(solver->tokens[solver->n++], row->token,
		    sizeof(row->token));
	}
	pthread_mutex_unlock(&solver->mutex);
	return status_ok();
}

STATUS
solver_check(struct solver *solver, const struct enrollment_row *of,
    const struct challenge_row *row, bool *ret_in_place, int64_t *ret_retry_ms,
    char ret_why[PROBLEM_MAX])
{
	(void)of;
	pthread_mutex_lock(&solver->mutex);
	*ret_in_place =
	    !solver->is_hidden && find(solver, row->token) < solver->n;
	pthread_mutex_unlock(&solver->mutex);
	*ret_retry_ms = 10;
	if (!*ret_in_place)
		snprintf(ret_why, PROBLEM_MAX, "ns1.test has no such record");
	return status_ok();
}

void
solver_clean(struct solver *solver, const struct enrollment_row *of,
    const struct challenge_row *row)
{
	size_t i;

	(void)of;
	pthread_mutex_lock(&solver->mutex);
	i = find(solver, row->token);
	if (i < solver->n)
		memmove(solver->tokens[i], solver->tokens[--solver->n],
		    sizeof(solver->tokens[i]));
	pthread_mutex_unlock(&solver->mutex);
}
