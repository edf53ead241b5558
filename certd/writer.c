/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Group commit; see writer.h.  The first who comes leads: it takes all who wait
 * into one transaction.  When that fails, each gets one of its own, so that
 * nobody suffers from a neighbour.  Read writer_run.
 */

#include "certd/writer.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#define BATCH_MAX 32

struct job {
	writer_fn fn;
	void *ctx;
	struct status st;
	bool is_done;
	struct job *next;
};

struct writer {
	struct store *store;
	pthread_mutex_t mutex; /* guards all below */
	pthread_cond_t changed;
	bool is_led;
	struct job *first, **end;
};

STATUS
writer_new(struct store *store, struct writer **ret_writer)
{
	struct writer *writer = calloc(1, sizeof(*writer));

	if (writer == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	writer->store = store;
	writer->end = &writer->first;
	pthread_mutex_init(&writer->mutex, NULL);
	pthread_cond_init(&writer->changed, NULL);
	*ret_writer = writer;
	return status_ok();
}

void
writer_free(struct writer *writer)
{
	if (writer == NULL)
		return;
	pthread_cond_destroy(&writer->changed);
	pthread_mutex_destroy(&writer->mutex);
	free(writer);
}

static struct status
write_all(struct store *store, struct job *const *jobs, size_t n)
{
	struct db_tx *tx;
	struct status st = store_write(store, &tx);

	if (failed(st))
		return st;
	for (size_t i = 0; i < n && !failed(st); i++)
		st = jobs[i]->fn(tx, jobs[i]->ctx);
	return store_commit(store, tx, st);
}

static void
write_jobs(struct store *store, struct job *const *jobs, size_t n)
{
	struct status st = write_all(store, jobs, n);

	for (size_t i = 0; i < n; i++)
		jobs[i]->st =
		    failed(st) && n > 1 ? write_all(store, &jobs[i], 1) : st;
}

/* With the mutex held, which is let go of meanwhile. */
static void
lead(struct writer *writer)
{
	struct job *jobs[BATCH_MAX];
	size_t n = 0;

	writer->is_led = true;
	while (writer->first != NULL && n < BATCH_MAX) {
		jobs[n++] = writer->first;
		writer->first = writer->first->next;
	}
	if (writer->first == NULL)
		writer->end = &writer->first;
	pthread_mutex_unlock(&writer->mutex);
	write_jobs(writer->store, jobs, n);
	pthread_mutex_lock(&writer->mutex);
	for (size_t i = 0; i < n; i++)
		jobs[i]->is_done = true;
	writer->is_led = false;
	pthread_cond_broadcast(&writer->changed);
}

STATUS
writer_run(struct writer *writer, writer_fn fn, void *ctx)
{
	struct job job = { .fn = fn, .ctx = ctx };

	pthread_mutex_lock(&writer->mutex);
	*writer->end = &job;
	writer->end = &job.next;
	while (!job.is_done) {
		if (writer->is_led)
			pthread_cond_wait(&writer->changed, &writer->mutex);
		else
			lead(writer);
	}
	pthread_mutex_unlock(&writer->mutex);
	return job.st;
}
