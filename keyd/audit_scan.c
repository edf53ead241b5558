/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Scans of the ledger for Audit.Entries.  A scan walks the bundles from where
 * its time begins, lets the filter look at each entry, and sends what passes as
 * octets of the tree, in small messages; while the client does not read, it
 * waits, so that memory stays bounded.  With "last" it first goes backwards to
 * find where to begin.  It refuses filters it cannot read and more scans than
 * there are threads for, and ends when its reader is quarantined or their
 * certificate has expired.
 */

#include "keyd/audit_scan.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "keyd/caller.h"
#include "ledger/reader.h"
#include "proto/holdfast/keyd/v1/audit.pb-c.h"

#define MESSAGE_MAX ((size_t)48 * 1024)
#define FLUSH_NS (5 * NS_PER_S)
#define PAUSE_US 2000
#define PAUSE_MAX_US 100000
/* How far an entry's time may lie behind that of one before it. */
#define DISORDER_NS (60 * NS_PER_S)
/* Signing goes first. */
#define NICE 10
#define FOLLOW_US 100000
/* Backwards in steps of so many entries. */
#define BACK_STEP 4096

struct scans {
	struct publisher *publisher;
	struct registry *registry;
	pthread_mutex_t lock; /* guards running */
	pthread_cond_t ended;
	unsigned running;
};

struct scan {
	struct scans *scans;
	struct rpc_stream *rpc;
	struct caller caller;
	struct status standing; /* OK, or why its reader reads no more */
	atomic_uint refs;       /* of the stream, and of the thread */
	atomic_bool closed;
	bool begun;
	/* The request. */
	struct entry_filter filter;
	uint64_t from, before, limit, last;
	bool follow;
	/* Of the thread. */
	struct reader *reader;
	uint64_t sent;
	bool past;        /* nothing later can match */
	uint8_t *message; /* MESSAGE_MAX */
	size_t len;
	/* While going back: matches met, and the number of the earliest one
	 * that is wanted. */
	uint64_t *found; /* BACK_STEP */
	size_t n_found;
};

static void
scan_unref(struct scan *scan)
{
	if (atomic_fetch_sub(&scan->refs, 1) != 1)
		return;
	rpc_stream_unref(scan->rpc);
	reader_close(scan->reader);
	free(scan->message);
	free(scan->found);
	free(scan);
}

/* ---- sending ---- */

/* A stream may outlive its reader's certificate, and its good standing. */
static struct status
check_standing(const struct scan *scan)
{
	bool is_quarantined = true;
	struct status st = caller_check(&scan->caller, clock_wall_s());

	if (!failed(st))
		st = registry_is_quarantined(scan->scans->registry,
		    scan->caller.id.role, scan->caller.id.name,
		    &is_quarantined);
	if (!failed(st) && is_quarantined)
		return status_fail(STATUS_PERMISSION_DENIED,
		    "this identity is quarantined: an operator can let it in "
		    "again with 'holdfast edge release'");
	return st;
}

/* Send what has gathered, once the client has read enough of what was sent
 * before.  False when the stream is closed, or its reader may read no more. */
static bool
send_message(struct scan *scan)
{
	useconds_t pause_us = PAUSE_US;

	while (!atomic_load(&scan->closed) && !rpc_stream_has_room(scan->rpc)) {
		usleep(pause_us);
		if (pause_us < PAUSE_MAX_US)
			pause_us *= 2;
	}
	scan->standing = check_standing(scan);
	if (failed(scan->standing))
		return false;
	if (scan->len > 0)
		rpc_stream_send(
		    scan->rpc, (struct bytes){ scan->message, scan->len });
	scan->len = 0;
	return !atomic_load(&scan->closed);
}

static bool
send_entry(struct scan *scan, uint64_t number, struct bytes octets)
{
	Holdfast__Keyd__V1__NumberedEntry entry, *entries[] = { &entry };
	Holdfast__Keyd__V1__EntryBatch batch;
	uint8_t copy[ENTRY_MAX];
	size_t len;

	if (octets.len > sizeof(copy))
		return true;
	memcpy(copy, octets.at, octets.len);
	holdfast__keyd__v1__numbered_entry__init(&entry);
	entry.number = number;
	entry.entry = (ProtobufCBinaryData){ octets.len, copy };
	holdfast__keyd__v1__entry_batch__init(&batch);
	batch.n_entries = 1;
	batch.entries = entries;
	len = holdfast__keyd__v1__entry_batch__get_packed_size(&batch);
	if (len > MESSAGE_MAX - scan->len && !send_message(scan))
		return false;
	/* Encodings one after the other are one batch. */
	scan->len += holdfast__keyd__v1__entry_batch__pack(
	    &batch, scan->message + scan->len);
	return true;
}

/* ---- walking ---- */

/* ret_time_ns may be NULL. */
static bool
is_wanted(const struct scan *scan, struct bytes octets, int64_t *ret_time_ns)
{
	uint8_t names[ENTRY_NAMES_MAX];
	struct entry entry;

	if (failed(entry_decode(octets, names, &entry)))
		return false;
	if (ret_time_ns != NULL)
		*ret_time_ns = entry.time_ns;
	return entry_matches(&scan->filter, &entry);
}

/* Is all that comes after an entry of this time too late for the filter? */
static bool
is_past(const struct scan *scan, int64_t time_ns)
{
	const int64_t until_ns = scan->filter.until_ns;

	return until_ns > 0 && time_ns > DISORDER_NS &&
	       time_ns - DISORDER_NS > until_ns;
}

static bool
each_forwards(void *ctx, uint64_t number, struct bytes octets)
{
	struct scan *scan = ctx;
	int64_t time_ns = 0;

	if (atomic_load_explicit(&scan->closed, memory_order_relaxed))
		return false;
	if (!is_wanted(scan, octets, &time_ns)) {
		scan->past = is_past(scan, time_ns);
		return !scan->past;
	}
	if (!send_entry(scan, number, octets))
		return false;
	scan->sent++;
	return scan->limit == 0 || scan->sent < scan->limit;
}

static bool
each_backwards(void *ctx, uint64_t number, struct bytes octets)
{
	struct scan *scan = ctx;

	if (is_wanted(scan, octets, NULL) && scan->n_found < BACK_STEP)
		scan->found[scan->n_found++] = number;
	return !atomic_load_explicit(&scan->closed, memory_order_relaxed);
}

/* Where the last so many matches in [from, size) begin. */
static STATUS
find_last(struct scan *scan, uint64_t size)
{
	uint64_t end = size, wanted = scan->last;

	while (end > scan->from && !atomic_load(&scan->closed)) {
		uint64_t start = end > BACK_STEP ? end - BACK_STEP : 0;
		struct status st;

		if (start < scan->from)
			start = scan->from;
		scan->n_found = 0;
		st = reader_entries(
		    scan->reader, start, end, each_backwards, scan);
		if (failed(st))
			return st;
		if (scan->n_found >= wanted) {
			scan->from = scan->found[scan->n_found - wanted];
			return st;
		}
		wanted -= scan->n_found;
		end = start;
	}
	return status_ok();
}

static STATUS
find_start(struct scan *scan, uint64_t size)
{
	uint64_t since = 0;
	struct status st = reader_open(
	    publisher_folder(scan->scans->publisher), &scan->reader);

	if (!failed(st) && scan->filter.since_ns > 0 && size > 0)
		st = reader_first_since(
		    scan->reader, size, scan->filter.since_ns, &since);
	if (since > scan->from)
		scan->from = since;
	if (!failed(st) && scan->last > 0)
		st = find_last(scan, size);
	return st;
}

static bool
is_done(const struct scan *scan)
{
	return atomic_load(&scan->closed) || scan->past ||
	       (scan->limit > 0 && scan->sent >= scan->limit);
}

static STATUS
walk(struct scan *scan)
{
	uint64_t size;
	struct status st;

	/* What the ledger cannot take now is not in it: Describe says so. */
	(void)!failed(publisher_flush(
	    scan->scans->publisher, clock_mono_ns() + FLUSH_NS));
	size = publisher_size(scan->scans->publisher);
	if (scan->before > 0 && scan->before < size)
		size = scan->before;
	st = find_start(scan, size);
	while (!failed(st)) {
		if (scan->from < size)
			st = reader_entries(scan->reader, scan->from, size,
			    each_forwards, scan);
		if (scan->from < size)
			scan->from = size;
		if (failed(st) || !send_message(scan) || is_done(scan) ||
		    !scan->follow)
			break;
		while (!is_done(scan) &&
		       (size = publisher_size(scan->scans->publisher)) <=
			   scan->from)
			usleep(FOLLOW_US);
	}
	return failed(st) ? st : scan->standing;
}

static void *
run(void *arg)
{
	struct scan *scan = arg;
	struct scans *scans = scan->scans;

	(void)setpriority(PRIO_PROCESS, 0, NICE);
	rpc_stream_end(scan->rpc, walk(scan));
	scan_unref(scan);
	pthread_mutex_lock(&scans->lock);
	scans->running--;
	pthread_cond_broadcast(&scans->ended);
	pthread_mutex_unlock(&scans->lock);
	return NULL;
}

/* ---- the stream ---- */

static STATUS
read_filter(
    const Holdfast__Keyd__V1__EntriesRequest *ask, struct entry_filter *filter)
{
	if (strlen(ask->identity) >= sizeof(filter->identity))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "identity: a pattern such as edge/fra-*, at most 95 "
		    "octets");
	if (ask->key_id.len != 0 && ask->key_id.len != KEY_ID_LEN)
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "key_id: 32 octets, or none");
	if ((unsigned)ask->decision > ENTRY_REFUSED ||
	    (unsigned)ask->kind > ENTRY_CUSTODY)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "decision or kind: not one that this keyd knows");
	snprintf(
	    filter->identity, sizeof(filter->identity), "%s", ask->identity);
	filter->has_key = ask->key_id.len != 0;
	if (filter->has_key)
		memcpy(filter->key.at, ask->key_id.data, KEY_ID_LEN);
	filter->since_ns = ask->since_ns;
	filter->until_ns = ask->until_ns;
	filter->decision = (unsigned)ask->decision;
	filter->kind = (unsigned)ask->kind;
	return status_ok();
}

static STATUS
read_request(struct scan *scan, struct bytes message)
{
	Holdfast__Keyd__V1__EntriesRequest *ask =
	    holdfast__keyd__v1__entries_request__unpack(
		NULL, message.len, message.at);
	struct status st;

	if (ask == NULL)
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "not an EntriesRequest");
	scan->from = ask->from_entry;
	scan->before = ask->before_entry;
	scan->limit = ask->limit;
	scan->last = ask->last;
	scan->follow = ask->follow;
	st = read_filter(ask, &scan->filter);
	holdfast__keyd__v1__entries_request__free_unpacked(ask, NULL);
	if (!failed(st) && scan->last > 0 && scan->limit > 0)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "last and limit: ask for one of them");
	if (!failed(st) && scan->before > 0 && scan->follow)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "before_entry and follow: ask for one of them");
	if (!failed(st) && scan->last > SCAN_LAST_MAX)
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "last: at most 100,000");
	return st;
}

static STATUS
start(struct scan *scan)
{
	struct scans *scans = scan->scans;
	pthread_attr_t detached;
	pthread_t thread;
	bool room;
	int error;

	scan->message = malloc(MESSAGE_MAX);
	scan->found = calloc(BACK_STEP, sizeof(scan->found[0]));
	if (scan->message == NULL || scan->found == NULL)
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "no memory to read the ledger");
	pthread_mutex_lock(&scans->lock);
	room = scans->running < SCANS_MAX;
	scans->running += room;
	pthread_mutex_unlock(&scans->lock);
	if (!room)
		return status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "too many read the ledger at once: try again later");
	atomic_fetch_add(&scan->refs, 1);
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	error = pthread_create(&thread, &detached, run, scan);
	pthread_attr_destroy(&detached);
	if (error == 0)
		return status_ok();
	scan_unref(scan);
	pthread_mutex_lock(&scans->lock);
	scans->running--;
	pthread_mutex_unlock(&scans->lock);
	return status_fail_detail(STATUS_RESOURCE_EXHAUSTED,
	    "no thread to read the ledger", (uint32_t)error);
}

static struct status
scan_open(void *ctx, struct rpc_stream *rpc, const struct rpc_peer *peer,
    void **ret_state)
{
	struct spiffe id;
	struct status st = spiffe_parse(peer->spiffe_id, &id);
	struct scan *scan = failed(st) ? NULL : calloc(1, sizeof(*scan));

	if (failed(st))
		return st;
	if (scan == NULL)
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "no memory to read the ledger");
	scan->scans = ctx;
	scan->standing = status_ok();
	/* That the domain is ours, the server's authorize has seen to. */
	caller_init(
	    &scan->caller, peer->spiffe_id, peer->not_after_s, id.domain);
	scan->rpc = rpc;
	rpc_stream_ref(rpc);
	atomic_init(&scan->refs, 1);
	atomic_init(&scan->closed, false);
	*ret_state = scan;
	return status_ok();
}

static struct status
scan_message(void *state, struct bytes message)
{
	struct scan *scan = state;
	struct status st;

	if (scan->begun)
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "one request for each stream");
	scan->begun = true;
	st = read_request(scan, message);
	return failed(st) ? st : start(scan);
}

/* The client has asked; it is the scan that ends the stream. */
static void
scan_half_closed(void *state)
{
	struct scan *scan = state;

	if (!scan->begun)
		rpc_stream_end(scan->rpc,
		    status_fail(STATUS_INVALID_ARGUMENT, "no request came"));
}

static void
scan_closed(void *state)
{
	struct scan *scan = state;

	atomic_store(&scan->closed, true);
	scan_unref(scan);
}

struct scans *
scans_new(struct publisher *publisher, struct registry *registry)
{
	struct scans *scans = calloc(1, sizeof(*scans));

	if (scans == NULL)
		return NULL;
	scans->publisher = publisher;
	scans->registry = registry;
	pthread_mutex_init(&scans->lock, NULL);
	pthread_cond_init(&scans->ended, NULL);
	return scans;
}

void
scans_free(struct scans *scans)
{
	if (scans == NULL)
		return;
	pthread_mutex_lock(&scans->lock);
	while (scans->running > 0)
		pthread_cond_wait(&scans->ended, &scans->lock);
	pthread_mutex_unlock(&scans->lock);
	pthread_cond_destroy(&scans->ended);
	pthread_mutex_destroy(&scans->lock);
	free(scans);
}

void
scans_register(struct scans *scans, struct rpc_server *server)
{
	static const struct rpc_stream_ops ops = {
		.open = scan_open,
		.message = scan_message,
		.half_closed = scan_half_closed,
		.closed = scan_closed,
		.coalesce_max = 64 * 1024,
	};

	rpc_server_add_stream(server, &holdfast__keyd__v1__audit__descriptor,
	    "Entries", &ops, scans);
}
