/* SPDX-License-Identifier: Apache-2.0 */
/* keyd/audit.c, segments.c, journal.c: what is acknowledged is found again, and
 * what cannot be written is not acknowledged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "keyd/audit.h"
#include "keyd/journal.h"
#include "keyd/segments.h"
#include "ledger/entry.h"
#include "ledger/tile.h"

static char folder[64];

static void
path_of(unsigned segment, char ret_path[128])
{
	snprintf(ret_path, 128, "%s/%010u.journal", folder, segment);
}

static int
setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/test_audit.XXXXXX");
	return mkdtemp(folder) == NULL;
}

static int
teardown(void **state)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;

	(void)state;
	while ((entry = readdir(dir)) != NULL)
		unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	return rmdir(folder);
}

static struct audit *
open_audit(void)
{
	const struct audit_config config = { .directory = folder,
		.durability = AUDIT_FDATASYNC,
		.keyd = "keyd-1" };
	struct audit *audit = NULL;
	struct status st = audit_open(&config, &audit);

	if (failed(st))
		fail_msg("%s (%u)", st.why, st.detail);
	return audit;
}

static enum status_code
try_open(void)
{
	const struct audit_config config = { .directory = folder };
	struct audit *audit = NULL;
	struct status st = audit_open(&config, &audit);

	audit_close(audit);
	return st.code;
}

static struct audit_entry
entry_of(uint32_t i)
{
	struct audit_entry entry = {
		.kind = AUDIT_SIGN,
		.at_wall_ns = 1000 + (int64_t)i,
		.peer = "spiffe://example.org/edge/fra-1",
		.context = CONTEXT_TLS13_SERVER,
		.scheme = SCHEME_ED25519,
		.code = i % 2 ? STATUS_PERMISSION_DENIED : STATUS_OK,
		.why = i % 2 ? "no grant" : "ok",
		.latency_us = i,
	};

	memset(entry.key.at, 0xaa, sizeof(entry.key.at));
	memset(entry.content_hash, 0xbb, sizeof(entry.content_hash));
	return entry;
}

static struct status
record(struct audit *audit, uint32_t first, size_t n)
{
	struct audit_entry entries[64];

	for (size_t i = 0; i < n; i++)
		entries[i] = entry_of(first + (uint32_t)i);
	return audit_record(audit, entries, n);
}

static void
must_record(struct audit *audit, uint32_t first, size_t n)
{
	struct status st = record(audit, first, n);

	if (failed(st))
		fail_msg("%s (%u)", st.why, st.detail);
}

/* What a replay shows. */
static struct shown {
	uint64_t first; /* number of what was shown first */
	size_t n;
	uint32_t latency[20000];
	struct entry last;
	char peer[300], reason[300], keyd[64];
} shown;

static void
copy(char *to, size_t max, struct bytes from)
{
	snprintf(to, max, "%.*s", (int)from.len, (const char *)from.at);
}

static void
show_one(struct bytes octets)
{
	static uint8_t names[ENTRY_NAMES_MAX];
	struct entry entry;

	assert_false(failed(entry_decode(octets, names, &entry)));
	shown.latency[shown.n++] = entry.latency_us;
	copy(shown.peer, sizeof(shown.peer), entry.peer);
	copy(shown.reason, sizeof(shown.reason), entry.reason);
	copy(shown.keyd, sizeof(shown.keyd), entry.keyd);
	assert_true(entry.has_key && entry.has_content_hash);
	for (size_t i = 0; i < 32; i++) {
		assert_int_equal(entry.key.at[i], 0xaa);
		assert_int_equal(entry.content_hash[i], 0xbb);
	}
	shown.last = entry;
}

static void
show(void *ctx, uint64_t first, struct bytes bundle, uint32_t n)
{
	struct bytes entry;

	(void)ctx;
	if (shown.n == 0)
		shown.first = first;
	assert_int_equal(first, shown.first + shown.n);
	for (uint32_t i = 0; i < n; i++) {
		assert_true(tile_take_entry(&bundle, &entry));
		show_one(entry);
	}
	assert_int_equal(bundle.len, 0);
}

static struct segments *
open_segments(size_t segment_max)
{
	const struct segments_config config = {
		.directory = folder, .segment_max = segment_max, .each = show
	};
	struct segments *segments = NULL;
	struct status st;

	shown.n = 0;
	st = segments_open(&config, &segments);
	if (failed(st))
		fail_msg("%s (%u)", st.why, st.detail);
	return segments;
}

static void
replay(void)
{
	segments_close(open_segments(0));
}

static void
records_come_back_in_order_after_a_restart(void **state)
{
	struct audit *audit = open_audit();

	(void)state;
	must_record(audit, 0, 1);
	must_record(audit, 1, 64);
	must_record(audit, 65, 3);
	assert_int_equal(audit_entries(audit), 68);
	audit_close(audit);

	replay();
	assert_int_equal(shown.n, 68);
	for (uint32_t i = 0; i < 68; i++)
		assert_int_equal(shown.latency[i], i);
	assert_int_equal(shown.first, 0);
	assert_int_equal(shown.last.kind, ENTRY_SIGN);
	assert_int_equal(shown.last.code, STATUS_PERMISSION_DENIED);
	assert_int_equal(shown.last.context, CONTEXT_TLS13_SERVER);
	assert_int_equal(shown.last.scheme, SCHEME_ED25519);
	assert_int_equal(shown.last.time_ns, 1067);
	assert_string_equal(shown.peer, "spiffe://example.org/edge/fra-1");
	assert_string_equal(shown.reason, "no grant");
	assert_string_equal(shown.keyd, "keyd-1");

	audit = open_audit();
	assert_int_equal(audit_entries(audit), 68);
	must_record(audit, 68, 1);
	audit_close(audit);
	replay();
	assert_int_equal(shown.n, 69);
}

static void
texts_that_are_too_long_are_cut_not_refused(void **state)
{
	struct audit *audit = open_audit();
	struct audit_entry entry = entry_of(0);
	char text[600];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	entry.peer = entry.why = text;
	entry.code = STATUS_PERMISSION_DENIED;
	assert_false(failed(audit_record(audit, &entry, 1)));
	audit_close(audit);
	replay();
	assert_int_equal(strlen(shown.peer), ENTRY_PEER_MAX);
	assert_int_equal(strlen(shown.reason), ENTRY_TEXT_MAX);
}

/* Octets of the segment up to where zeros begin; malloc'd. */
static uint8_t *
slurp(unsigned segment, size_t *ret_len)
{
	char path[128];
	struct stat at;
	uint8_t *octets;
	int fd;

	path_of(segment, path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0 && fstat(fd, &at) == 0);
	octets = malloc((size_t)at.st_size);
	assert_int_equal(pread(fd, octets, (size_t)at.st_size, 0), at.st_size);
	close(fd);
	*ret_len = (size_t)at.st_size;
	while (*ret_len > 0 && octets[*ret_len - 1] == 0)
		--*ret_len;
	return octets;
}

static void
poke(unsigned segment, size_t at, const void *octets, size_t len)
{
	char path[128];
	int fd;

	path_of(segment, path);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, octets, len, (off_t)at), len);
	close(fd);
}

static void
cuts_a_torn_tail_wherever_the_write_stopped(void **state)
{
	static const uint8_t zeros[JOURNAL_SECTOR];
	struct audit *audit = open_audit();
	size_t len, whole;
	uint8_t *before, *after;

	(void)state;
	must_record(audit, 0, 5);
	audit_close(audit);
	before = slurp(1, &len);
	audit = open_audit();
	must_record(audit, 5, 12);
	audit_close(audit);
	after = slurp(1, &whole);
	assert_true(whole - len >= 3 * JOURNAL_SECTOR);

	/* Any one sector of the last group may be the one never written. */
	for (size_t at = len; at < whole; at += JOURNAL_SECTOR) {
		poke(1, len, after + len, whole - len);
		poke(1, at, zeros, sizeof(zeros));
		replay();
		assert_int_equal(shown.n, 5);
	}
	audit = open_audit();
	assert_int_equal(audit_entries(audit), 5);
	must_record(audit, 5, 2);
	audit_close(audit);
	replay();
	assert_int_equal(shown.n, 7);
	free(before);
	free(after);
}

static void
refuses_a_journal_with_a_flipped_bit(void **state)
{
	struct audit *audit = open_audit();
	uint8_t *octets;
	size_t len;

	(void)state;
	must_record(audit, 0, 3);
	must_record(audit, 3, 7);
	must_record(audit, 10, 1);
	audit_close(audit);
	octets = slurp(1, &len);
	for (size_t at = 0; at < len; at += at % 512 < 64 ? 1 : 37) {
		uint8_t flipped = octets[at] ^ (uint8_t)(1u << at % 8);

		poke(1, at, &flipped, 1);
		if (try_open() != STATUS_DATA_LOSS)
			fail_msg("octet %zu", at);
		poke(1, at, &octets[at], 1);
	}
	assert_int_equal(try_open(), STATUS_OK);
	free(octets);
}

static void
refuses_a_journal_that_was_cut_in_the_middle(void **state)
{
	struct audit *audit = open_audit();
	char path[128];
	uint8_t *octets;
	size_t len;

	(void)state;
	must_record(audit, 0, 40);
	audit_close(audit);
	octets = slurp(1, &len);
	free(octets);
	path_of(1, path);
	assert_int_equal(truncate(path, (off_t)len - JOURNAL_SECTOR), 0);
	assert_int_equal(try_open(), STATUS_DATA_LOSS);
}

static void
refuses_a_group_erased_before_others(void **state)
{
	static const uint8_t zeros[JOURNAL_SECTOR];
	struct audit *audit = open_audit();

	(void)state;
	must_record(audit, 0, 1);
	for (uint32_t i = 1; i < 200; i++)
		must_record(audit, i * 2, 2);
	audit_close(audit);
	poke(1, JOURNAL_SECTOR, zeros, sizeof(zeros));
	assert_int_equal(try_open(), STATUS_DATA_LOSS);
}

static void
append_one(struct segments *segments, uint32_t i)
{
	static uint8_t group[JOURNAL_GROUP_MAX];
	const struct audit_entry from = entry_of(i);
	struct entry entry = { .kind = ENTRY_SIGN,
		.time_ns = 1,
		.has_key = true,
		.key = from.key,
		.has_content_hash = true,
		.latency_us = from.latency_us };
	size_t len;
	struct status st;

	memcpy(entry.content_hash, from.content_hash, 32);
	len = journal_entry(&entry, group + JOURNAL_HEAD);
	st = segments_append(segments, group, len, 1);
	if (failed(st))
		fail_msg("%s (%u)", st.why, st.detail);
}

/* Small segments, so that a few records make several. */
static void
make_segments(uint32_t records)
{
	struct segments *segments =
	    open_segments(JOURNAL_GROUP_MAX + 4 * JOURNAL_SECTOR);

	for (uint32_t i = 0; i < records; i++)
		append_one(segments, i);
	segments_close(segments);
}

static void
full_segments_are_followed_by_new_ones_and_replayed_as_one(void **state)
{
	char path[128];

	(void)state;
	make_segments(20);
	path_of(5, path);
	assert_int_equal(access(path, F_OK), 0);
	replay();
	assert_int_equal(shown.n, 20);
	for (uint32_t i = 0; i < 20; i++)
		assert_int_equal(shown.latency[i], i);
}

static void
refuses_a_journal_with_a_segment_missing(void **state)
{
	char path[128];

	(void)state;
	make_segments(20);
	path_of(2, path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(try_open(), STATUS_DATA_LOSS);
}

static void
refuses_a_segment_of_another_journal(void **state)
{
	char first[128], second[128];

	(void)state;
	make_segments(20);
	path_of(2, first);
	path_of(3, second);
	assert_int_equal(rename(second, first), 0);
	path_of(4, first);
	assert_int_equal(rename(first, second), 0);
	assert_int_equal(try_open(), STATUS_DATA_LOSS);
}

static void
one_process_at_a_time_holds_the_folder(void **state)
{
	struct audit *audit = open_audit();

	(void)state;
	assert_int_equal(try_open(), STATUS_FAILED_PRECONDITION);
	audit_close(audit);
	assert_int_equal(try_open(), STATUS_OK);
}

enum {
	THREADS = 4,
	ROUNDS = 150
};

struct crowd {
	struct audit *audit;
	uint32_t me;
	size_t failures;
};

static void *
record_many(void *arg)
{
	struct crowd *one = arg;

	for (uint32_t i = 0; i < ROUNDS; i++)
		one->failures +=
		    failed(record(one->audit, one->me * ROUNDS * 4 + i * 4, 4));
	return NULL;
}

static void
concurrent_callers_share_groups_and_lose_nothing(void **state)
{
	static uint8_t seen[THREADS * ROUNDS * 4];
	struct audit *audit = open_audit();
	struct crowd crowd[THREADS];
	pthread_t threads[THREADS];

	(void)state;
	memset(seen, 0, sizeof(seen));
	for (uint32_t i = 0; i < THREADS; i++) {
		crowd[i] = (struct crowd){ .audit = audit, .me = i };
		pthread_create(&threads[i], NULL, record_many, &crowd[i]);
	}
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(crowd[i].failures, 0);
	}
	assert_int_equal(audit_entries(audit), THREADS * ROUNDS * 4);
	audit_close(audit);
	replay();
	assert_int_equal(shown.n, THREADS * ROUNDS * 4);
	for (size_t i = 0; i < shown.n; i++)
		seen[shown.latency[i]]++;
	for (size_t i = 0; i < sizeof(seen); i++)
		assert_int_equal(seen[i], 1);
}

/* Record until the outcome is as wanted; returns entries acknowledged. */
static uint32_t
record_until(struct audit *audit, bool ok)
{
	int64_t give_up_ns = clock_mono_ns() + 60 * NS_PER_S;
	uint32_t acknowledged = 0;

	while (clock_mono_ns() < give_up_ns) {
		struct status st = record(audit, 0, 32);

		if (!failed(st))
			acknowledged += 32;
		if (failed(st) != ok)
			return acknowledged;
		usleep(3000);
	}
	fail_msg("the journal never %s", ok ? "came back" : "failed");
	return 0;
}

static void
a_removed_file_stops_recording_until_it_is_back(void **state)
{
	struct audit *audit = open_audit();
	char path[128], away[136];
	uint32_t n;

	(void)state;
	path_of(1, path);
	snprintf(away, sizeof(away), "%s.away", path);
	must_record(audit, 0, 1);
	assert_int_equal(rename(path, away), 0);
	n = 1 + record_until(audit, false);
	assert_int_equal(audit_trouble(audit).code, STATUS_UNAVAILABLE);
	assert_non_null(strstr(audit_trouble(audit).why, "removed"));
	assert_int_equal(audit_entries(audit), n);
	assert_int_equal(rename(away, path), 0);
	n += record_until(audit, true);
	assert_int_equal(audit_trouble(audit).code, STATUS_OK);
	assert_int_equal(audit_entries(audit), n);
	audit_close(audit);
	replay();
	assert_int_equal(shown.n, n);
}

static void
a_replaced_file_stops_recording(void **state)
{
	struct audit *audit = open_audit();
	char path[128], away[136];
	int fd;

	(void)state;
	path_of(1, path);
	snprintf(away, sizeof(away), "%s.away", path);
	assert_int_equal(rename(path, away), 0);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	record_until(audit, false);
	assert_int_equal(audit_trouble(audit).code, STATUS_UNAVAILABLE);
	audit_close(audit);
}

static void
limit_files(rlim_t octets)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = octets;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void
a_failed_write_is_never_acknowledged_and_a_new_segment_goes_on(void **state)
{
	struct audit *audit = open_audit();
	char path[128];
	uint32_t n;

	(void)state;
	must_record(audit, 0, 3);
	limit_files(2048); /* in the midst of the next group */
	assert_int_equal(record(audit, 3, 30).code, STATUS_UNAVAILABLE);
	assert_int_equal(audit_trouble(audit).code, STATUS_UNAVAILABLE);
	assert_int_equal(audit_entries(audit), 3);
	limit_files(RLIM_INFINITY);
	n = 3 + record_until(audit, true);
	audit_close(audit);
	path_of(2, path);
	assert_int_equal(access(path, F_OK), 0);
	replay();
	assert_int_equal(shown.n, n);
}

static void
room_that_ends_stops_recording_until_there_is_some(void **state)
{
	struct audit *audit = open_audit();
	uint32_t n;

	(void)state;
	limit_files(1200 * 1024);
	n = record_until(audit, false);
	assert_true(n > 0);
	assert_int_equal(audit_trouble(audit).code, STATUS_UNAVAILABLE);
	limit_files(RLIM_INFINITY);
	n += record_until(audit, true);
	assert_int_equal(audit_entries(audit), n);
	audit_close(audit);
	replay();
	assert_int_equal(shown.n, n);
}

static void
does_not_start_without_room(void **state)
{
	(void)state;
	limit_files(64 * 1024);
	assert_int_equal(try_open(), STATUS_UNAVAILABLE);
	limit_files(RLIM_INFINITY);
	assert_int_equal(try_open(), STATUS_OK);
}

/* ---- following the journal ---- */

static void
see(void *ctx, uint64_t first, struct bytes bundle, uint32_t n)
{
	pthread_mutex_t *lock = ctx;

	pthread_mutex_lock(lock);
	show(NULL, first, bundle, n);
	pthread_mutex_unlock(lock);
}

static struct audit *
open_followed(pthread_mutex_t *lock)
{
	const struct audit_config config = { .directory = folder,
		.durability = AUDIT_FDATASYNC,
		.keyd = "keyd-1",
		.committed = see,
		.ctx = lock };
	struct audit *audit = NULL;

	assert_false(failed(audit_open(&config, &audit)));
	return audit;
}

static void
whoever_follows_sees_every_entry_once_and_in_order(void **state)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct audit *audit;
	struct crowd crowd[THREADS];
	pthread_t threads[THREADS];

	(void)state;
	shown.n = 0;
	audit = open_followed(&lock);
	for (uint32_t i = 0; i < THREADS; i++) {
		crowd[i] = (struct crowd){ .audit = audit, .me = i };
		pthread_create(&threads[i], NULL, record_many, &crowd[i]);
	}
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	/* show has checked that each group begins where the last one ended. */
	assert_int_equal(shown.n, THREADS * ROUNDS * 4);
	audit_close(audit);

	shown.n = 0;
	audit = open_followed(&lock);
	assert_int_equal(shown.n, THREADS * ROUNDS * 4);
	must_record(audit, 0, 2);
	assert_int_equal(shown.n, THREADS * ROUNDS * 4 + 2);
	audit_close(audit);
}

static void
what_is_not_recorded_is_not_shown(void **state)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct audit *audit;

	(void)state;
	shown.n = 0;
	audit = open_followed(&lock);
	must_record(audit, 0, 3);
	limit_files(2048);
	assert_true(failed(record(audit, 3, 30)));
	limit_files(RLIM_INFINITY);
	assert_int_equal(shown.n, 3);
	audit_close(audit);
}

static void
entries_are_shown_again_from_any_number_on(void **state)
{
	struct segments *segments;

	(void)state;
	make_segments(20);
	segments = open_segments(JOURNAL_GROUP_MAX + 4 * JOURNAL_SECTOR);
	for (uint64_t from = 0; from <= 20; from++) {
		shown.n = 0;
		assert_false(failed(segments_show(segments, from, show, NULL)));
		assert_int_equal(shown.n, 20 - from);
		if (shown.n > 0) {
			assert_int_equal(shown.first, from);
			assert_int_equal(shown.latency[0], from);
		}
	}
	assert_int_equal(
	    segments_show(segments, 21, show, NULL).code, STATUS_OUT_OF_RANGE);
	segments_close(segments);
}

static void
replays_from_the_midst_of_a_group(void **state)
{
	struct audit *audit = open_audit();

	(void)state;
	must_record(audit, 0, 50);
	must_record(audit, 50, 30);
	shown.n = 0;
	assert_false(failed(audit_replay(audit, 17, show, NULL)));
	assert_int_equal(shown.first, 17);
	assert_int_equal(shown.n, 63);
	assert_int_equal(shown.latency[62], 79);
	audit_close(audit);
}

static void
retired_segments_are_gone_and_the_rest_goes_on(void **state)
{
	struct segments *segments;
	char path[128];
	size_t left;

	(void)state;
	make_segments(20);
	segments = open_segments(JOURNAL_GROUP_MAX + 4 * JOURNAL_SECTOR);
	segments_retire(segments, 0);
	path_of(1, path);
	assert_int_equal(access(path, F_OK), 0);
	segments_retire(segments, 10);
	assert_int_equal(access(path, F_OK), -1);
	shown.n = 0;
	assert_int_equal(
	    segments_show(segments, 0, show, NULL).code, STATUS_NOT_FOUND);
	assert_false(failed(segments_show(segments, 10, show, NULL)));
	assert_int_equal(shown.n, 10);
	/* Never the one that is written to. */
	segments_retire(segments, 20);
	append_one(segments, 20);
	segments_close(segments);

	segments = open_segments(JOURNAL_GROUP_MAX + 4 * JOURNAL_SECTOR);
	assert_true(shown.first > 10);
	assert_int_equal(segments_entries(segments), 21);
	left = shown.n;
	assert_int_equal(shown.latency[left - 1], 20);
	segments_close(segments);
}

/* ---- syncs ---- */

static atomic_uint syncs;

/* In front of libc's. */
int
fdatasync(int fd)
{
	atomic_fetch_add(&syncs, 1);
	return (int)syscall(SYS_fdatasync, fd);
}

static void
what_is_replayed_is_on_the_disk(void **state)
{
	(void)state;
	make_segments(20);
	atomic_store(&syncs, 0);
	replay();
	/* Each segment, and the last one again at its end. */
	assert_true(atomic_load(&syncs) >= 6);
	assert_int_equal(shown.n, 20);
}

/* ---- a disk that does not answer ---- */

static struct gate {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	bool closed, reached;
} gate = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.moved = PTHREAD_COND_INITIALIZER };

/* In front of libc's: waits while the gate is closed. */
ssize_t
pwrite(int fd, const void *octets, size_t len, off_t at)
{
	pthread_mutex_lock(&gate.lock);
	gate.reached = gate.closed;
	pthread_cond_broadcast(&gate.moved);
	while (gate.closed)
		pthread_cond_wait(&gate.moved, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
	return syscall(SYS_pwrite64, fd, octets, len, at);
}

static void
set_gate(bool closed)
{
	pthread_mutex_lock(&gate.lock);
	gate.closed = closed;
	gate.reached = false;
	pthread_cond_broadcast(&gate.moved);
	pthread_mutex_unlock(&gate.lock);
}

static void *
record_one(void *arg)
{
	must_record(arg, 1, 1);
	return NULL;
}

static void *
record_refused(void *arg)
{
	struct status st = record(arg, 7, 1);

	assert_int_equal(st.code, STATUS_UNAVAILABLE);
	return NULL;
}

static void
whoever_comes_while_the_disk_does_not_answer_is_refused_not_kept(void **state)
{
	struct audit *audit = open_audit();
	pthread_t writing, gathering;

	(void)state;
	must_record(audit, 0, 1);
	set_gate(true);
	pthread_create(&writing, NULL, record_one, audit);
	pthread_mutex_lock(&gate.lock);
	while (!gate.reached)
		pthread_cond_wait(&gate.moved, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
	/* Comes before the disk counts as gone, and gets away all the same. */
	pthread_create(&gathering, NULL, record_refused, audit);
	pthread_join(gathering, NULL);
	assert_int_equal(record(audit, 8, 64).code, STATUS_UNAVAILABLE);
	set_gate(false);
	pthread_join(writing, NULL);
	must_record(audit, 2, 1);
	assert_int_equal(audit_entries(audit), 3);
	audit_close(audit);
	/* What was refused was not written, what was begun was. */
	replay();
	assert_int_equal(shown.n, 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(shown.latency[i], i);
}

static void
a_disk_that_does_not_answer_is_told_until_it_does(void **state)
{
	struct audit *audit = open_audit();
	int64_t give_up_ns = clock_mono_ns() + 60 * NS_PER_S;
	pthread_t thread;

	(void)state;
	must_record(audit, 0, 1);
	assert_false(failed(audit_stall(audit)));
	set_gate(true);
	pthread_create(&thread, NULL, record_one, audit);
	pthread_mutex_lock(&gate.lock);
	while (!gate.reached)
		pthread_cond_wait(&gate.moved, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
	while (!failed(audit_trouble(audit)) && clock_mono_ns() < give_up_ns)
		usleep(10000);
	assert_int_equal(audit_trouble(audit).code, STATUS_UNAVAILABLE);
	assert_non_null(strstr(audit_trouble(audit).why, "does not answer"));
	assert_int_equal(audit_stall(audit).code, STATUS_UNAVAILABLE);
	assert_int_equal(audit_entries(audit), 1);
	set_gate(false);
	pthread_join(thread, NULL);
	assert_false(failed(audit_trouble(audit)));
	assert_int_equal(audit_entries(audit), 2);
	audit_close(audit);
}

static void
a_full_disk_is_named_and_survived(void **state)
{
	struct audit *audit;
	char filler[128];
	uint32_t n;
	int fd;
	static const uint8_t block[64 * 1024];

	(void)state;
	if (unshare(CLONE_NEWNS) != 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", folder, "tmpfs", 0, "size=4m") != 0)
		skip();
	audit = open_audit();
	snprintf(filler, sizeof(filler), "%s/filler", folder);
	fd = open(filler, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	while (write(fd, block, sizeof(block)) > 0)
		;
	assert_int_equal(errno, ENOSPC);
	close(fd);
	n = record_until(audit, false);
	assert_non_null(strstr(audit_trouble(audit).why, "full"));
	assert_int_equal(audit_trouble(audit).detail, ENOSPC);
	assert_int_equal(unlink(filler), 0);
	n += record_until(audit, true);
	audit_close(audit);
	replay();
	assert_int_equal(shown.n, n);
	assert_int_equal(umount(folder), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	const struct CMUnitTest tests[] = {
		TEST(records_come_back_in_order_after_a_restart),
		TEST(texts_that_are_too_long_are_cut_not_refused),
		TEST(cuts_a_torn_tail_wherever_the_write_stopped),
		TEST(refuses_a_journal_with_a_flipped_bit),
		TEST(refuses_a_journal_that_was_cut_in_the_middle),
		TEST(refuses_a_group_erased_before_others),
		TEST(
		    full_segments_are_followed_by_new_ones_and_replayed_as_one),
		TEST(refuses_a_journal_with_a_segment_missing),
		TEST(refuses_a_segment_of_another_journal),
		TEST(one_process_at_a_time_holds_the_folder),
		TEST(concurrent_callers_share_groups_and_lose_nothing),
		TEST(a_removed_file_stops_recording_until_it_is_back),
		TEST(a_replaced_file_stops_recording),
		TEST(
		    a_failed_write_is_never_acknowledged_and_a_new_segment_goes_on),
		TEST(room_that_ends_stops_recording_until_there_is_some),
		TEST(does_not_start_without_room),
		TEST(whoever_follows_sees_every_entry_once_and_in_order),
		TEST(what_is_not_recorded_is_not_shown),
		TEST(entries_are_shown_again_from_any_number_on),
		TEST(replays_from_the_midst_of_a_group),
		TEST(retired_segments_are_gone_and_the_rest_goes_on),
		TEST(what_is_replayed_is_on_the_disk),
		TEST(a_disk_that_does_not_answer_is_told_until_it_does),
		TEST(
		    whoever_comes_while_the_disk_does_not_answer_is_refused_not_kept),
		TEST(a_full_disk_is_named_and_survived),
	};

	/* A file size limit is to fail the write, not to end the test. */
	sigaction(SIGXFSZ, &ignore, NULL);
	return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}
