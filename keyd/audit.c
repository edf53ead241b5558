/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The audit journal's group commit.  The first caller becomes the leader: it
 * writes and syncs all that waits with one write and one sync, while later
 * callers gather for the next round.  No lock is held across the I/O, only the
 * leadership.  It fails closed: what could not be written is not recorded, its
 * callers are told so, and audit_trouble says why until a record is written
 * again.  keyd/journal.h has the format, keyd/segments.c the files.
 */

#include "keyd/audit.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/scoped.h"
#include "keyd/journal.h"
#include "keyd/segments.h"

#define BODY_MAX (JOURNAL_GROUP_MAX - JOURNAL_HEAD - JOURNAL_SECTOR)
#define ENTRIES_MAX (BODY_MAX / JOURNAL_ENTRY_MAX)

/* A caller that waits for its group; on its stack. */
struct waiter {
	struct waiter *next;
	bool done;
	struct status st;
};

struct group {
	size_t body_len;
	uint32_t n;
	struct waiter *waiters;
	uint8_t *octets; /* JOURNAL_GROUP_MAX, aligned to a page */
};

struct audit {
	pthread_mutex_t lock; /* guards the two groups' roles and leading */
	pthread_cond_t round; /* a leader is done */
	bool leading;
	struct group *gathering;
	struct group groups[2];

	struct segments *segments; /* the leader's */
	atomic_uint_fast64_t entries;
	_Atomic(const char *) trouble_why; /* NULL: none */
	atomic_uint trouble_code, trouble_detail;

	struct metric_counter *recorded, *syncs, *failures;
	struct metric_histogram *sync_time;
};

SCOPED_RELEASE(audit_close, struct audit *);

static void
make_metrics(struct audit *audit, struct metrics *metrics)
{
	if (metrics == NULL)
		return;
	audit->recorded = metrics_counter(metrics, "keyd_audit_entries_total",
	    "Entries recorded in the audit journal.", "");
	audit->syncs = metrics_counter(metrics, "keyd_audit_groups_total",
	    "Groups of entries written with one sync.", "");
	audit->failures = metrics_counter(metrics, "keyd_audit_failures_total",
	    "Groups that could not be recorded.", "");
	audit->sync_time =
	    metrics_histogram(metrics, "keyd_audit_write_seconds",
		"Time to write and sync one group.", "");
}

STATUS
audit_open(const struct audit_config *config, struct audit **ret_audit)
{
	const struct segments_config segments = {
		.directory = config->directory,
		.sync = config->durability == AUDIT_FDATASYNC,
	};
	scoped(audit_close) struct audit *audit = calloc(1, sizeof(*audit));
	struct status st;

	if (audit == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	pthread_mutex_init(&audit->lock, NULL);
	pthread_cond_init(&audit->round, NULL);
	audit->gathering = &audit->groups[0];
	for (size_t i = 0; i < 2; i++) {
		audit->groups[i].octets =
		    aligned_alloc(4096, JOURNAL_GROUP_MAX);
		if (audit->groups[i].octets == NULL)
			return status_fail(
			    STATUS_RESOURCE_EXHAUSTED, "no memory");
	}
	atomic_init(&audit->trouble_why, NULL);
	make_metrics(audit, config->metrics);
	st = segments_open(&segments, &audit->segments);
	if (failed(st))
		return st;
	atomic_init(&audit->entries, segments_entries(audit->segments));
	*ret_audit = audit;
	audit = NULL;
	return st;
}

void
audit_close(struct audit *audit)
{
	if (audit == NULL)
		return;
	segments_close(audit->segments);
	for (size_t i = 0; i < 2; i++)
		free(audit->groups[i].octets);
	pthread_cond_destroy(&audit->round);
	pthread_mutex_destroy(&audit->lock);
	free(audit);
}

/* Remember and log when trouble starts, changes and ends. */
static void
note(struct audit *audit, struct status st)
{
	const char *before = atomic_load(&audit->trouble_why);

	if (!failed(st)) {
		if (before == NULL)
			return;
		atomic_store(&audit->trouble_why, NULL);
		log_info("the audit journal can be written again",
		    LOG_UINT("entries", segments_entries(audit->segments)));
		return;
	}
	atomic_store(&audit->trouble_code, st.code);
	atomic_store(&audit->trouble_detail, st.detail);
	atomic_store(&audit->trouble_why, st.why);
	if (before != st.why)
		log_error(
		    "the audit journal cannot be written", LOG_STATUS(st));
}

/* The leader's round, without the lock. */
static struct status
commit(struct audit *audit, const struct group *group)
{
	int64_t started_ns = clock_mono_ns();
	struct status st = segments_append(
	    audit->segments, group->octets, group->body_len, group->n);

	note(audit, st);
	if (!failed(st))
		atomic_store(
		    &audit->entries, segments_entries(audit->segments));
	if (audit->recorded == NULL)
		return st;
	if (failed(st)) {
		metric_counter_add(audit->failures, 1);
		return st;
	}
	metric_counter_add(audit->recorded, group->n);
	metric_counter_add(audit->syncs, 1);
	metric_histogram_observe_ns(
	    audit->sync_time, clock_mono_ns() - started_ns);
	return st;
}

/* With the lock held: write what has gathered, tell those who wait for it. */
static void
lead(struct audit *audit)
{
	struct group *group = audit->gathering;
	struct status st;

	audit->leading = true;
	audit->gathering = &audit->groups[group == &audit->groups[0]];
	pthread_mutex_unlock(&audit->lock);
	st = commit(audit, group);
	pthread_mutex_lock(&audit->lock);
	audit->leading = false;
	for (struct waiter *at = group->waiters; at != NULL; at = at->next) {
		at->st = st;
		at->done = true;
	}
	group->waiters = NULL;
	group->body_len = 0;
	group->n = 0;
	pthread_cond_broadcast(&audit->round);
}

/* With the lock held: add entries to the group that gathers. */
static void
join(struct group *group, const struct audit_entry *entries, size_t n,
    int64_t now_ns)
{
	uint8_t *body = group->octets + JOURNAL_HEAD;

	for (size_t i = 0; i < n; i++) {
		uint8_t *at = body + group->body_len;
		struct audit_entry entry = entries[i];

		if (entry.at_wall_ns == 0)
			entry.at_wall_ns = now_ns;
		group->body_len += journal_entry(&entry, at);
	}
	group->n += (uint32_t)n;
}

STATUS
audit_record(struct audit *audit, const struct audit_entry *entries, size_t n)
{
	struct waiter self = { .done = false };
	int64_t now_ns = clock_wall_ns();
	struct group *group;

	assert(n <= ENTRIES_MAX);
	if (n == 0)
		return status_ok();
	pthread_mutex_lock(&audit->lock);
	while (audit->gathering->body_len + n * JOURNAL_ENTRY_MAX > BODY_MAX)
		pthread_cond_wait(&audit->round, &audit->lock);
	group = audit->gathering;
	join(group, entries, n, now_ns);
	self.next = group->waiters;
	group->waiters = &self;
	while (!self.done) {
		if (audit->leading)
			pthread_cond_wait(&audit->round, &audit->lock);
		else
			lead(audit);
	}
	pthread_mutex_unlock(&audit->lock);
	return self.st;
}

uint64_t
audit_entries(const struct audit *audit)
{
	return atomic_load(&audit->entries);
}

struct status
audit_trouble(const struct audit *audit)
{
	const char *why = atomic_load(&audit->trouble_why);

	if (why == NULL)
		return status_ok();
	return status_fail_detail(
	    (enum status_code)atomic_load(&audit->trouble_code), why,
	    atomic_load(&audit->trouble_detail));
}
