/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A bounded queue and the threads that empty it.  A full queue refuses at once:
 * who waits longer than that is better told to come again.
 */

#include "certd/work.h"

#include <pthread.h>
#include <stdlib.h>

#define THREADS_MAX 64

struct job {
	void (*fn)(void *arg);
	void *arg;
};

struct work {
	pthread_t threads[THREADS_MAX];
	unsigned n_threads;
	pthread_mutex_t mutex; /* guards all below */
	pthread_cond_t changed;
	bool stopping;
	size_t head, n, max;
	struct job jobs[];
};

static void *
run(void *arg)
{
	struct work *work = arg;

	pthread_mutex_lock(&work->mutex);
	for (;;) {
		struct job job;

		while (work->n == 0 && !work->stopping)
			pthread_cond_wait(&work->changed, &work->mutex);
		if (work->n == 0)
			break;
		job = work->jobs[work->head];
		work->head = (work->head + 1) % work->max;
		work->n--;
		pthread_mutex_unlock(&work->mutex);
		job.fn(job.arg);
		pthread_mutex_lock(&work->mutex);
	}
	pthread_mutex_unlock(&work->mutex);
	return NULL;
}

struct work *
work_new(unsigned threads, size_t waiting_max)
{
	struct work *work =
	    calloc(1, sizeof(*work) + waiting_max * sizeof(work->jobs[0]));

	if (work == NULL)
		return NULL;
	work->max = waiting_max;
	pthread_mutex_init(&work->mutex, NULL);
	pthread_cond_init(&work->changed, NULL);
	for (; work->n_threads < threads && work->n_threads < THREADS_MAX;
	     work->n_threads++) {
		if (pthread_create(&work->threads[work->n_threads], NULL, run,
			work) != 0) {
			work_free(work);
			return NULL;
		}
	}
	return work;
}

bool
work_submit(struct work *work, void (*fn)(void *arg), void *arg)
{
	bool taken;

	pthread_mutex_lock(&work->mutex);
	taken = !work->stopping && work->n < work->max;
	if (taken) {
		work->jobs[(work->head + work->n) % work->max] =
		    (struct job){ fn, arg };
		work->n++;
		pthread_cond_signal(&work->changed);
	}
	pthread_mutex_unlock(&work->mutex);
	return taken;
}

void
work_stop(struct work *work)
{
	pthread_mutex_lock(&work->mutex);
	work->stopping = true;
	pthread_cond_broadcast(&work->changed);
	pthread_mutex_unlock(&work->mutex);
	for (unsigned i = 0; i < work->n_threads; i++)
		pthread_join(work->threads[i], NULL);
	work->n_threads = 0;
}

void
work_free(struct work *work)
{
	if (work == NULL)
		return;
	work_stop(work);
	pthread_cond_destroy(&work->changed);
	pthread_mutex_destroy(&work->mutex);
	free(work);
}
