/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The publisher's thread.  It takes what was recorded out of a bounded buffer,
 * appends it to the tree, and makes a checkpoint when one is due or asked for.
 * Where the buffer overflowed, or an append failed, it reads the journal again
 * from where the tree ends: nothing is skipped, for a gap in the numbers is a
 * reason to read, never to go on.  It runs below the priority of signing.
 */

#include <sys/resource.h>

#include "base/clock.h"
#include "base/log.h"
#include "keyd/publisher_int.h"

#define NICE 10
#define SIGN_LIMIT_NS (5 * NS_PER_S)
/* After a failure; the journal may have to be read again. */
#define RETRY_NS NS_PER_S
/* So much of the journal may have to be read at the next start. */
#define SAVE_AFTER ((size_t)32 << 20)

/* ---- entries to tree ---- */

static STATUS
append(struct publisher *p, struct bytes entry)
{
	struct status st =
	    builder_append(p->builder, entry, publisher_store, p);

	if (failed(st))
		return st;
	p->unsaved += entry.len;
	return st;
}

static STATUS
restore_partials(struct publisher *p)
{
	if (p->is_restored || builder_size(p->builder) != p->restore_size)
		return status_ok();
	return publisher_restore_partials(p);
}

/* Append what the tree does not have yet; *from moves past what it has then. */
static STATUS
append_handover(struct publisher *p, struct handover *from)
{
	struct bytes rest = { from->at + from->taken, from->len - from->taken };

	while (from->n > 0) {
		const uint64_t size = builder_size(p->builder);
		struct bytes entry;
		struct status st = restore_partials(p);

		if (from->first > size)
			return st;
		if (!tile_take_entry(&rest, &entry))
			return status_fail(
			    STATUS_INTERNAL, "the hand-over is damaged");
		if (!failed(st) && from->first == size)
			st = append(p, entry);
		if (failed(st))
			return st;
		from->taken += 2 + entry.len;
		from->first++;
		from->n--;
	}
	return restore_partials(p);
}

struct reading {
	struct publisher *publisher;
	struct status st;
};

static void
read_group(void *ctx, uint64_t first, struct bytes bundle, uint32_t n)
{
	struct reading *reading = ctx;
	uint8_t *at = NULL;
	struct handover group = { .len = bundle.len, .first = first, .n = n };

	if (failed(reading->st))
		return;
	/* Only read from. */
	memcpy(&at, &bundle.at, sizeof(at));
	group.at = at;
	reading->st = append_handover(reading->publisher, &group);
}

static STATUS
read_journal(struct publisher *p)
{
	const uint64_t before = builder_size(p->builder);
	struct reading reading = { p, status_ok() };
	struct status st = audit_replay(p->audit, before, read_group, &reading);

	if (failed(st) || failed(reading.st))
		return failed(st) ? st : reading.st;
	return builder_size(p->builder) > before
		   ? st
		   : status_fail(STATUS_INTERNAL,
			 "the journal does not have what was recorded");
}

/* What has gathered becomes what is worked on. */
static void
take(struct publisher *p)
{
	struct handover taken;

	pthread_mutex_lock(&p->lock);
	taken = p->filling;
	p->filling = p->work;
	p->filling.len = p->filling.taken = 0;
	p->filling.n = 0;
	p->filling.first = p->recorded;
	p->dropped = false;
	pthread_mutex_unlock(&p->lock);
	p->work = taken;
}

static uint64_t
recorded(struct publisher *p)
{
	uint64_t n;

	pthread_mutex_lock(&p->lock);
	n = p->recorded;
	pthread_mutex_unlock(&p->lock);
	return n;
}

STATUS
publisher_drain(struct publisher *p)
{
	const uint64_t until = recorded(p);
	struct status st = restore_partials(p);

	while (!failed(st) && builder_size(p->builder) < until) {
		if (p->work.n == 0)
			take(p);
		if (p->work.n == 0 || p->work.first > builder_size(p->builder))
			st = read_journal(p);
		if (!failed(st))
			st = append_handover(p, &p->work);
	}
	/* What the journal gave meanwhile would wake the thread for nothing. */
	if (!failed(st) && p->work.n == 0) {
		take(p);
		st = append_handover(p, &p->work);
	}
	if (p->lag_gauge != NULL)
		metric_gauge_set(p->lag_gauge,
		    (int64_t)(recorded(p) - builder_size(p->builder)));
	return st;
}

/* ---- a round ---- */

/* Remember and log when trouble starts, changes and ends. */
static void
note_trouble(struct publisher *p, struct status st)
{
	struct status before;

	pthread_mutex_lock(&p->lock);
	before = p->trouble;
	p->trouble = st;
	p->attempts_done = p->attempts;
	pthread_cond_broadcast(&p->job_done);
	pthread_mutex_unlock(&p->lock);
	if (failed(st) && p->failures != NULL)
		metric_counter_add(p->failures, 1);
	if (failed(st) && before.why != st.why)
		log_error("the audit ledger falls behind", LOG_STATUS(st));
	else if (!failed(st) && failed(before))
		log_info("the audit ledger is written again",
		    LOG_UINT("size", builder_size(p->builder)));
}

static void
make_checkpoint(struct publisher *p)
{
	const int64_t deadline_ns = clock_mono_ns() + SIGN_LIMIT_NS;
	struct status st;

	pthread_mutex_lock(&p->lock);
	p->flush = false;
	p->attempts++;
	pthread_mutex_unlock(&p->lock);
	st = publisher_drain(p);
	if (!failed(st))
		st = publisher_hand_over(p, deadline_ns);
	if (!failed(st))
		st = publisher_make_checkpoint(p, deadline_ns);
	if (!failed(st) && p->unsaved >= SAVE_AFTER)
		st = publisher_save_state(p);
	note_trouble(p, st);
}

static void
run_jobs(struct publisher *p)
{
	struct job *job;

	pthread_mutex_lock(&p->lock);
	while ((job = p->jobs) != NULL) {
		struct status st;

		p->jobs = job->next;
		job->taken = true;
		pthread_mutex_unlock(&p->lock);
		st = job->run(p, job);
		pthread_mutex_lock(&p->lock);
		job->st = st;
		job->done = true;
		pthread_cond_broadcast(&p->job_done);
	}
	pthread_mutex_unlock(&p->lock);
}

/* Until a checkpoint is due, or there is something else to do. */
static bool
wait_for_work(struct publisher *p, int64_t until_ns)
{
	bool stopping;

	pthread_mutex_lock(&p->lock);
	while (!p->stopping && p->jobs == NULL && !p->flush &&
	       (failed(p->trouble) || p->filling.len < HANDOVER_WAKE)) {
		if (!clock_cond_wait(&p->work_due, &p->lock, until_ns))
			break;
	}
	stopping = p->stopping;
	pthread_mutex_unlock(&p->lock);
	return !stopping;
}

static bool
is_flush_due(struct publisher *p)
{
	bool due;

	pthread_mutex_lock(&p->lock);
	due = p->flush;
	pthread_mutex_unlock(&p->lock);
	return due;
}

static bool
in_trouble(struct publisher *p)
{
	return failed(publisher_trouble(p));
}

void *
publisher_run(void *publisher)
{
	struct publisher *p = publisher;
	int64_t next_ns = clock_mono_ns();

	/* Of this thread alone, on Linux; without it, it is only less kind. */
	(void)setpriority(PRIO_PROCESS, 0, NICE);
	while (wait_for_work(p, next_ns)) {
		int64_t pause_ns = p->interval_ns;
		struct status st = status_ok();

		run_jobs(p);
		if (!in_trouble(p))
			st = publisher_drain(p);
		if (failed(st))
			note_trouble(p, st);
		if (clock_mono_ns() < next_ns && !is_flush_due(p))
			continue;
		make_checkpoint(p);
		if (in_trouble(p) && pause_ns < RETRY_NS)
			pause_ns = RETRY_NS;
		next_ns = clock_mono_ns() + pause_ns;
	}
	make_checkpoint(p);
	if (!in_trouble(p))
		note_trouble(p, publisher_save_state(p));
	run_jobs(p);
	return NULL;
}
