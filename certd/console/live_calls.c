/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Calls of viewers' owners, which are made with no lock held: a viewer that is
 * to be called is kept until then, though it leaves meanwhile (n_uses).
 */

#include <stdlib.h>

#include "certd/console/live_int.h"

void
live_calls_note(struct live_calls *calls, struct live_viewer *viewer)
{
	if (viewer->has_left || calls->n == LIVE_VIEWERS_MAX)
		return;
	viewer->n_uses++;
	calls->of[calls->n++] = viewer;
}

void
live_calls_destroy(struct live_viewer *viewer)
{
	viewer->ops->done(viewer->ctx);
	free(viewer);
}

void
live_calls_made(struct live_viewer *viewer)
{
	bool is_last;

	pthread_mutex_lock(&viewer->live->mutex);
	is_last = --viewer->n_uses == 0 && viewer->has_left;
	pthread_mutex_unlock(&viewer->live->mutex);
	if (is_last)
		live_calls_destroy(viewer);
}

void
live_calls_wake(struct live_calls *calls)
{
	for (size_t i = 0; i < calls->n; i++) {
		calls->of[i]->ops->wake(calls->of[i]->ctx);
		live_calls_made(calls->of[i]);
	}
	calls->n = 0;
}
