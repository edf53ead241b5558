/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The door of the publisher: its life, the hand-over from the journal, and what
 * other threads ask of its thread.  Entries are copied into a bounded buffer
 * and nothing else, for that happens on the signing path.  Work on the folder,
 * the tree and the keys is the thread's alone (publisher_thread.c), so it needs
 * no lock; others wait for it with a deadline.
 */

#include "keyd/publisher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "keyd/publisher_int.h"

static STATUS
no_memory(void)
{
	return status_fail(
	    STATUS_RESOURCE_EXHAUSTED, "no memory for the audit ledger");
}

/* ---- life ---- */

static STATUS
copy_witnesses(struct publisher *p, const struct publisher_config *config)
{
	p->witnesses = calloc(config->n_witnesses + 1, sizeof(*p->witnesses));
	if (p->witnesses == NULL)
		return no_memory();
	for (size_t i = 0; i < config->n_witnesses; i++) {
		struct status st =
		    note_key_parse(config->witnesses[i], &p->witnesses[i]);

		if (failed(st) || p->witnesses[i].type != NOTE_COSIGNATURE)
			return status_fail(STATUS_INVALID_ARGUMENT,
			    "audit.witnesses: write verifier keys of witnesses "
			    "(NAME+HASH+BASE64, type 4)");
		p->n_witnesses++;
	}
	return status_ok();
}

static void
make_metrics(struct publisher *p, struct metrics *metrics)
{
	if (metrics == NULL)
		return;
	p->size_gauge = metrics_gauge(metrics, "keyd_ledger_size",
	    "Entries under the ledger's newest checkpoint.", "");
	p->time_gauge =
	    metrics_gauge(metrics, "keyd_ledger_checkpoint_time_seconds",
		"When that was made, in seconds since 1970.", "");
	p->lag_gauge = metrics_gauge(metrics, "keyd_ledger_lag_entries",
	    "Entries in the journal and not in the tree yet.", "");
	p->failures = metrics_counter(metrics, "keyd_ledger_failures_total",
	    "Times that the ledger could not be written or signed.", "");
}

static STATUS
make_handover(struct handover *handover)
{
	/* Its pages are only used as far as it fills. */
	handover->at = malloc(HANDOVER_MAX);
	return handover->at != NULL ? status_ok() : no_memory();
}

STATUS
publisher_new(
    const struct publisher_config *config, struct publisher **ret_publisher)
{
	scoped(publisher_free) struct publisher *p = calloc(1, sizeof(*p));
	struct status st;

	if (p == NULL)
		return no_memory();
	pthread_mutex_init(&p->lock, NULL);
	clock_cond_init(&p->work_due);
	clock_cond_init(&p->job_done);
	p->trouble = status_ok();
	p->hsm = config->hsm;
	p->registry = config->registry;
	p->interval_ns =
	    config->interval_ns > 0 ? config->interval_ns : NS_PER_S;
	p->folder_path = strdup(config->folder);
	p->origin = strdup(config->origin);
	p->peer = strdup(config->peer);
	if (p->folder_path == NULL || p->origin == NULL || p->peer == NULL)
		return no_memory();
	if (strlen(p->origin) >= NOTE_NAME_MAX)
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "the ledger's origin is too long");
	make_metrics(p, config->metrics);
	st = copy_witnesses(p, config);
	if (!failed(st))
		st = make_handover(&p->filling);
	if (!failed(st))
		st = make_handover(&p->work);
	if (!failed(st))
		st = folder_open(config->folder, &p->folder);
	if (failed(st))
		return st;
	*ret_publisher = p;
	p = NULL;
	return st;
}

STATUS
publisher_start(struct publisher *p, struct audit *audit)
{
	struct status st;
	int error;

	p->audit = audit;
	st = publisher_check(p);
	if (failed(st))
		return st;
	pthread_mutex_lock(&p->lock);
	p->runs = true;
	p->recorded = audit_entries(audit);
	p->filling.first = p->recorded;
	pthread_mutex_unlock(&p->lock);
	error = pthread_create(&p->thread, NULL, publisher_run, p);
	if (error == 0)
		return st;
	p->runs = false;
	return status_fail_detail(STATUS_RESOURCE_EXHAUSTED,
	    "no thread for the audit ledger", (uint32_t)error);
}

void
publisher_stop(struct publisher *p)
{
	bool runs;

	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	runs = p->runs;
	p->stopping = true;
	pthread_cond_signal(&p->work_due);
	pthread_mutex_unlock(&p->lock);
	if (!runs)
		return;
	pthread_join(p->thread, NULL);
	pthread_mutex_lock(&p->lock);
	p->runs = false;
	pthread_cond_broadcast(&p->job_done);
	pthread_mutex_unlock(&p->lock);
}

void
publisher_free(struct publisher *p)
{
	if (p == NULL)
		return;
	publisher_stop(p);
	for (size_t i = 0; i < HISTORY_MAX; i++)
		free(p->history[i].note);
	free(p->current.note);
	free(p->cosigned.note);
	free(p->filling.at);
	free(p->work.at);
	builder_free(p->builder);
	folder_close(p->folder);
	free(p->witnesses);
	free(p->folder_path);
	free(p->origin);
	free(p->peer);
	pthread_cond_destroy(&p->work_due);
	pthread_cond_destroy(&p->job_done);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* ---- the hand-over ---- */

static bool
put(struct handover *to, struct bytes bundle, uint32_t n)
{
	if (bundle.len > HANDOVER_MAX - to->len)
		return false;
	memcpy(to->at + to->len, bundle.at, bundle.len);
	to->len += bundle.len;
	to->n += n;
	return true;
}

void
publisher_committed(
    void *publisher, uint64_t first, struct bytes bundle, uint32_t n)
{
	struct publisher *p = publisher;

	pthread_mutex_lock(&p->lock);
	/* What is dropped here is read from the journal later. */
	if (p->runs && !p->dropped)
		p->dropped = !put(&p->filling, bundle, n);
	p->recorded = first + n;
	if (p->runs && p->filling.len >= HANDOVER_WAKE)
		pthread_cond_signal(&p->work_due);
	pthread_mutex_unlock(&p->lock);
}

/* ---- asking the thread ---- */

static STATUS
is_stopped(void)
{
	return status_fail(STATUS_UNAVAILABLE, "keyd is stopping: ask later");
}

static STATUS
too_late(void)
{
	return status_fail(STATUS_DEADLINE_EXCEEDED,
	    "the audit ledger did not come round to it in time");
}

/* With the lock held: take back a job that was not begun. */
static void
withdraw(struct publisher *p, struct job *job)
{
	struct job **at = &p->jobs;

	while (*at != NULL && *at != job)
		at = &(*at)->next;
	if (*at == job)
		*at = job->next;
}

static STATUS
ask(struct publisher *p, struct job *job)
{
	struct job **end = &p->jobs;

	pthread_mutex_lock(&p->lock);
	job->st = is_stopped();
	if (p->runs && !p->stopping) {
		while (*end != NULL)
			end = &(*end)->next;
		*end = job;
		pthread_cond_signal(&p->work_due);
		job->st = too_late();
	}
	/* What was begun is waited for: it has the deadline itself. */
	while (p->runs && !p->stopping && !job->done && !job->taken) {
		if (!clock_cond_wait(&p->job_done, &p->lock, job->deadline_ns))
			break;
	}
	while (job->taken && !job->done)
		pthread_cond_wait(&p->job_done, &p->lock);
	withdraw(p, job);
	pthread_mutex_unlock(&p->lock);
	return job->st;
}

STATUS
publisher_flush(struct publisher *p, int64_t deadline_ns)
{
	uint64_t wanted, attempt;
	struct status st = status_ok();

	pthread_mutex_lock(&p->lock);
	wanted = p->recorded;
	attempt = p->attempts + 1;
	/* Also to the end of a round: what was in trouble is not any more. */
	while (p->current.size < wanted || p->attempts != p->attempts_done) {
		/* The round that goes on was begun for others. */
		if (p->current.size >= wanted && p->attempts_done >= attempt)
			break;
		if (!p->runs || p->stopping)
			st = is_stopped();
		else if (p->attempts_done >= attempt)
			st = failed(p->trouble) ? p->trouble : too_late();
		if (failed(st))
			break;
		p->flush = p->flush || p->current.size < wanted;
		pthread_cond_signal(&p->work_due);
		if (!clock_cond_wait(&p->job_done, &p->lock, deadline_ns)) {
			st = failed(p->trouble) ? p->trouble : too_late();
			break;
		}
	}
	pthread_mutex_unlock(&p->lock);
	return st;
}

STATUS
publisher_cosign(struct publisher *p, struct bytes note)
{
	struct cosign_job cosign = {
		.job = { .run = publisher_run_cosign,
		    .deadline_ns = clock_mono_ns() + 10 * NS_PER_S },
		.note = note,
	};

	return ask(p, &cosign.job);
}

STATUS
publisher_rotate(struct publisher *p, const char *peer, int64_t deadline_ns)
{
	struct rotate_job rotate = {
		.job = { .run = publisher_run_rotate,
		    .deadline_ns = deadline_ns },
		.peer = peer != NULL ? peer : p->peer,
	};

	return ask(p, &rotate.job);
}

/* ---- what is known ---- */

STATUS
publisher_checkpoint(struct publisher *p, char ret_note[NOTE_MAX],
    size_t *ret_len, uint64_t *ret_size)
{
	pthread_mutex_lock(&p->lock);
	if (p->current.note != NULL)
		memcpy(ret_note, p->current.note, p->current.len);
	*ret_len = p->current.len;
	*ret_size = p->current.size;
	pthread_mutex_unlock(&p->lock);
	return status_ok();
}

uint64_t
publisher_size(struct publisher *p)
{
	uint64_t size;

	pthread_mutex_lock(&p->lock);
	size = p->current.size;
	pthread_mutex_unlock(&p->lock);
	return size;
}

const char *
publisher_origin(const struct publisher *p)
{
	return p->origin;
}

const char *
publisher_folder(const struct publisher *p)
{
	return p->folder_path;
}

struct status
publisher_trouble(struct publisher *p)
{
	struct status st;

	pthread_mutex_lock(&p->lock);
	st = p->trouble;
	pthread_mutex_unlock(&p->lock);
	return st;
}

STATUS
publisher_sign(struct publisher *p, struct bytes text, int64_t deadline_ns,
    char ret_note[NOTE_MAX], size_t *ret_len)
{
	struct ledger_signer signer;
	struct checkpoint checkpoint;
	struct note note;

	/* Not even one line of a checkpoint is signed here. */
	if (!failed(checkpoint_parse(text, &checkpoint)) ||
	    !failed(note_parse(text, &note)))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "a checkpoint is not signed on request");
	pthread_mutex_lock(&p->lock);
	signer = p->signer;
	pthread_mutex_unlock(&p->lock);
	return publisher_sign_with(
	    p, &signer, text, deadline_ns, ret_note, ret_len);
}
