/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How long CAs take; see delays.h.  A quantile is tracked by two steps, up when
 * the CA was asked too early and down when it was not, whose sizes make them
 * balance at about one early question of ten.  One row for each CA that was
 * asked; names come from certd.yaml, so they are few.
 */

#include "certd/delays.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_MS 50.0
#define LEAST_MS 2.0
#define MOST_MS 10000.0
/* ln(1 / DOWN) / ln(UP) is about 1 : 8. */
#define UP 1.4
#define DOWN 0.96

struct row {
	struct row *next;
	struct {
		double ms;
		unsigned generation;
	} of[DELAYS];
	char authority[];
};

struct delays {
	pthread_mutex_t mutex; /* guards the rest */
	struct row *rows;
};

STATUS
delays_new(struct delays **ret_delays)
{
	struct delays *delays = calloc(1, sizeof(*delays));

	if (delays == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	pthread_mutex_init(&delays->mutex, NULL);
	*ret_delays = delays;
	return status_ok();
}

void
delays_free(struct delays *delays)
{
	if (delays == NULL)
		return;
	for (struct row *row = delays->rows, *next; row != NULL; row = next) {
		next = row->next;
		free(row);
	}
	pthread_mutex_destroy(&delays->mutex);
	free(delays);
}

/* With the mutex held; NULL: there is no memory for it. */
static struct row *
row_of(struct delays *delays, const char *authority)
{
	const size_t len = strlen(authority) + 1;
	struct row *row = delays->rows;

	while (row != NULL && strcmp(row->authority, authority) != 0)
		row = row->next;
	if (row != NULL)
		return row;
	row = calloc(1, sizeof(*row) + len);
	if (row == NULL)
		return NULL;
	memcpy(row->authority, authority, len);
	for (size_t i = 0; i < DELAYS; i++)
		row->of[i].ms = FIRST_MS;
	row->next = delays->rows;
	delays->rows = row;
	return row;
}

struct delay
delays_get(struct delays *delays, const char *authority, enum delay_of of)
{
	struct delay delay = { .ms = (int64_t)FIRST_MS };
	const struct row *row;

	pthread_mutex_lock(&delays->mutex);
	row = row_of(delays, authority);
	if (row != NULL)
		delay = (struct delay){ .ms = (int64_t)row->of[of].ms,
			.generation = row->of[of].generation };
	pthread_mutex_unlock(&delays->mutex);
	return delay;
}

void
delays_tell(struct delays *delays, const char *authority, enum delay_of of,
    const struct delay *waited, bool was_early)
{
	struct row *row;

	pthread_mutex_lock(&delays->mutex);
	row = row_of(delays, authority);
	if (row != NULL && row->of[of].generation == waited->generation) {
		double ms = row->of[of].ms * (was_early ? UP : DOWN);

		if (ms < LEAST_MS)
			ms = LEAST_MS;
		row->of[of].ms = ms < MOST_MS ? ms : MOST_MS;
		row->of[of].generation++;
	}
	pthread_mutex_unlock(&delays->mutex);
}
