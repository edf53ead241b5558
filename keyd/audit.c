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

	char *keyd;
	audit_committed committed; /* the leader calls it; may be NULL */
	void *ctx;
	struct segments *segments;         /* the leader's */
	atomic_int_fast64_t write_started; /* ns; 0: none is outstanding */
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
		.each = config->committed,
		.ctx = config->ctx,
	};
	scoped(audit_close) struct audit *audit = calloc(1, sizeof(*audit));
	struct status st;

	if (audit == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	pthread_mutex_init(&audit->lock, NULL);
	clock_cond_init(&audit->round);
	audit->gathering = &audit->groups[0];
	audit->committed = config->committed;
	audit->ctx = config->ctx;
	audit->keyd = strdup(config->keyd != NULL ? config->keyd : "");
	if (audit->keyd == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
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
	free(audit->keyd);
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
	const uint64_t first = segments_entries(audit->segments);
	int64_t started_ns = clock_mono_ns();
	struct status st;

	atomic_store(&audit->write_started, started_ns);
	st = segments_append(
	    audit->segments, group->octets, group->body_len, group->n);
	atomic_store(&audit->write_started, 0);
	note(audit, st);
	if (!failed(st)) {
		atomic_store(
		    &audit->entries, segments_entries(audit->segments));
		if (audit->committed != NULL)
			audit->committed(audit->ctx, first,
			    (struct bytes){
				group->octets + JOURNAL_HEAD, group->body_len },
			    group->n);
	}
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

/* With the lock held: all who wait for this group have this outcome; it is
 * empty then. */
static void
settle(struct group *group, struct status st)
{
	for (struct waiter *at = group->waiters; at != NULL; at = at->next) {
		at->st = st;
		at->done = true;
	}
	group->waiters = NULL;
	group->body_len = 0;
	group->n = 0;
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
	settle(group, st);
	pthread_cond_broadcast(&audit->round);
}

static struct bytes
text_of(const char *text)
{
	return text != NULL ? bytes_of(text) : (struct bytes){ NULL, 0 };
}

static bool
is_set(const uint8_t at[32])
{
	static const uint8_t zeros[32];

	return memcmp(at, zeros, sizeof(zeros)) != 0;
}

/* The entry as the ledger has it. */
static struct entry
compose(
    const struct audit *audit, const struct audit_entry *from, int64_t now_ns)
{
	struct entry entry = {
		.kind = from->kind == AUDIT_SIGN ? ENTRY_SIGN : ENTRY_CUSTODY,
		.time_ns = from->at_wall_ns != 0 ? from->at_wall_ns : now_ns,
		.keyd = bytes_of(audit->keyd),
		.peer = text_of(from->peer),
		.has_key = is_set(from->key.at),
		.key = from->key,
		.context = (uint32_t)from->context,
		.scheme = from->scheme,
		.has_content_hash = is_set(from->content_hash),
		.code = from->code,
		.act = text_of(from->act),
		.stage = from->stage,
		.names = from->names,
		.latency_us = from->latency_us,
		.ledger_key = text_of(from->ledger_key),
		.on_behalf_of = text_of(from->on_behalf_of),
	};

	memcpy(entry.content_hash, from->content_hash, 32);
	if (from->code != STATUS_OK)
		entry.reason = text_of(from->why);
	return entry;
}

/* With the lock held: add entries to the group that gathers. */
static void
join(struct audit *audit, const struct audit_entry *entries, size_t n,
    int64_t now_ns)
{
	struct group *group = audit->gathering;
	uint8_t *body = group->octets + JOURNAL_HEAD;

	for (size_t i = 0; i < n; i++) {
		const struct entry entry = compose(audit, &entries[i], now_ns);

		group->body_len +=
		    journal_entry(&entry, body + group->body_len);
	}
	group->n += (uint32_t)n;
}

struct status
audit_stall(const struct audit *audit)
{
	int64_t started_ns =
	    atomic_load_explicit(&audit->write_started, memory_order_relaxed);

	if (started_ns == 0 || clock_mono_ns() - started_ns <= AUDIT_STALL_NS)
		return status_ok();
	return status_fail(STATUS_UNAVAILABLE,
	    "the disk of the audit journal does not answer: nothing is signed "
	    "until it does");
}

/*
 * With the lock held: wait for a leader's round to end.  While the disk does
 * not answer, whoever waits for the next round gives all of it up: none of it
 * was written, and its callers are told so instead of waiting on.  Those whose
 * group is being written have to wait, for nobody knows what becomes of it.
 */
static STATUS
wait_for_round(struct audit *audit)
{
	const int64_t until_ns = clock_mono_ns() + AUDIT_STALL_NS;
	struct status st;

	if (clock_cond_wait(&audit->round, &audit->lock, until_ns))
		return status_ok();
	st = audit_stall(audit);
	if (failed(st)) {
		settle(audit->gathering, st);
		pthread_cond_broadcast(&audit->round);
	}
	return st;
}

STATUS
audit_record(struct audit *audit, const struct audit_entry *entries, size_t n)
{
	struct waiter self = { .done = false };
	int64_t now_ns = clock_wall_ns();
	struct status st = audit_stall(audit);
	struct group *group;

	assert(n <= ENTRIES_MAX);
	if (n == 0 || failed(st))
		return st;
	pthread_mutex_lock(&audit->lock);
	while (!failed(st) &&
	       audit->gathering->body_len + n * JOURNAL_ENTRY_MAX > BODY_MAX)
		st = wait_for_round(audit);
	if (failed(st)) {
		pthread_mutex_unlock(&audit->lock);
		return st;
	}
	group = audit->gathering;
	join(audit, entries, n, now_ns);
	self.next = group->waiters;
	group->waiters = &self;
	while (!self.done) {
		if (audit->leading)
			(void)!failed(wait_for_round(audit));
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
		return audit_stall(audit);
	return status_fail_detail(
	    (enum status_code)atomic_load(&audit->trouble_code), why,
	    atomic_load(&audit->trouble_detail));
}

STATUS
audit_settle(struct audit *audit)
{
	return segments_settle(audit->segments);
}

void
audit_retire(struct audit *audit, uint64_t until)
{
	segments_retire(audit->segments, until);
}

STATUS
audit_replay(
    struct audit *audit, uint64_t from, audit_committed each, void *ctx)
{
	return segments_show(audit->segments, from, each, ctx);
}
