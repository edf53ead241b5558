/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Challenges that were looked for and not seen yet: since when, and how long to
 * wait until the next look.  In memory: after a restart patience begins anew.
 * A row is there from the first look that saw nothing until the challenge is
 * seen or taken away.
 */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "certd/solver_int.h"

#define RETRY_MIN_MS 500
#define RETRY_MAX_MS 15000

struct solver_wait {
	struct solver_wait *next;
	int64_t change, first_ns, retry_ms;
	char hostname[256];
};

static struct solver_wait **
find(struct solver *solver, const struct challenge_row *row)
{
	uint32_t hash = 2166136261u ^ (uint32_t)row->change; /* FNV-1a */
	struct solver_wait **at;

	for (const char *c = row->hostname; *c != 0; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619u;
	at = &solver->waits[hash % SOLVER_WAITS];
	while (*at != NULL && ((*at)->change != row->change ||
				  strcmp((*at)->hostname, row->hostname) != 0))
		at = &(*at)->next;
	return at;
}

void
solver_wait_look(struct solver *solver, const struct challenge_row *row,
    int64_t *ret_waited_ns, int64_t *ret_retry_ms)
{
	int64_t now_ns = clock_mono_ns();
	struct solver_wait **at;

	*ret_waited_ns = 0;
	*ret_retry_ms = RETRY_MIN_MS;
	pthread_mutex_lock(&solver->mutex);
	at = find(solver, row);
	if (*at == NULL && (*at = calloc(1, sizeof(**at))) != NULL) {
		(*at)->change = row->change;
		(*at)->first_ns = now_ns;
		memcpy((*at)->hostname, row->hostname, sizeof(row->hostname));
	}
	if (*at != NULL) {
		struct solver_wait *wait = *at;

		wait->retry_ms =
		    wait->retry_ms == 0 ? RETRY_MIN_MS : 2 * wait->retry_ms;
		if (wait->retry_ms > RETRY_MAX_MS)
			wait->retry_ms = RETRY_MAX_MS;
		*ret_waited_ns = now_ns - wait->first_ns;
		*ret_retry_ms = wait->retry_ms;
	}
	pthread_mutex_unlock(&solver->mutex);
}

void
solver_wait_end(struct solver *solver, const struct challenge_row *row)
{
	struct solver_wait **at, *gone;

	pthread_mutex_lock(&solver->mutex);
	at = find(solver, row);
	gone = *at;
	if (gone != NULL)
		*at = gone->next;
	pthread_mutex_unlock(&solver->mutex);
	free(gone);
}

void
solver_wait_end_all(struct solver *solver)
{
	for (size_t i = 0; i < SOLVER_WAITS; i++) {
		while (solver->waits[i] != NULL) {
			struct solver_wait *gone = solver->waits[i];

			solver->waits[i] = gone->next;
			free(gone);
		}
	}
}
