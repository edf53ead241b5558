/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The audit journal's files.  A group goes to zeros that were written ahead, so
 * its sync allocates nothing and a full disk shows before a record needs it.
 * What fails is never written again in place: the tail of that file is unknown
 * then, and a new segment goes on from the last acknowledged state.  Before a
 * group is written, once a second at most, the file must still be what its path
 * names; if it is gone or replaced, this refuses until it is back, for going on
 * elsewhere would hide the loss.
 */

#include "keyd/segments.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "keyd/segment_dir.h"
#include "keyd/segment_file.h"

#define SEGMENT_MAX (64u << 20)
#define RESERVE_STEP (1u << 20)
#define LOOK_EVERY_NS NS_PER_S
#define RETRY_NS (200 * NS_PER_MS)
#define NEW_NAME "new" /* a segment until it is whole */

struct segments {
	char *directory;
	int dir_fd; /* holds the lock on the folder */
	bool sync;
	size_t segment_max;

	int fd;     /* of the current segment */
	int direct; /* the same, past the page cache; -1 where that cannot be */
	uint64_t number;
	size_t at;   /* where the next group goes */
	size_t size; /* octets that are written, zeros ahead included */
	bool broken; /* a write failed: what stands from at on is unknown */
	struct journal_state state;

	int64_t looked_ns, failed_ns;
	struct status failure; /* the latest, for RETRY_NS */

	pthread_mutex_t lock; /* guards mark, for other threads */
	struct segment_mark mark;
	uint64_t settled; /* segments synced by segments_settle, its own */
};

/* What has been acknowledged, for those who read along. */
static void
set_mark(struct segments *s)
{
	pthread_mutex_lock(&s->lock);
	s->mark = (struct segment_mark){ s->number, s->state };
	pthread_mutex_unlock(&s->lock);
}

static struct segment_mark
get_mark(struct segments *s)
{
	struct segment_mark mark;

	pthread_mutex_lock(&s->lock);
	mark = s->mark;
	pthread_mutex_unlock(&s->lock);
	return mark;
}

/*
 * Groups fill whole sectors that were written before, so they can go to the
 * disk past the page cache, durable when the write returns: half the CPU time
 * of a write and a sync.  File systems or disks that cannot are synced instead.
 */
static void
open_direct(struct segments *s)
{
	char name[SEGMENT_NAME_MAX];

	if (s->direct >= 0)
		close(s->direct);
	s->direct = -1;
	segment_file_name(s->number, name);
	if (s->sync)
		s->direct = openat(s->dir_fd, name,
		    O_WRONLY | O_DIRECT | O_DSYNC | O_CLOEXEC | O_NOFOLLOW);
}

/* Write a group, durably if that is asked for. */
static STATUS
write_group(struct segments *s, const uint8_t *group, size_t len)
{
	struct status st;

	if (s->direct >= 0) {
		st = segment_file_write(s->direct, group, len, s->at);
		if (st.detail != EINVAL)
			return st;
		close(s->direct); /* sectors of another size */
		s->direct = -1;
	}
	st = segment_file_write(s->fd, group, len, s->at);
	return failed(st) || !s->sync ? st : segment_file_sync(s->fd);
}

/* How far the current segment should be written ahead. */
static size_t
reserve_to(const struct segments *s, size_t at)
{
	size_t to = (at + JOURNAL_GROUP_MAX + RESERVE_STEP) & ~(size_t)4095;

	return to < s->segment_max ? to : s->segment_max;
}

/* Write a whole new segment, under its own name only when it is durable. */
static STATUS
write_new(struct segments *s, int fd, struct journal_state *ret_state)
{
	uint8_t group[JOURNAL_SECTOR];
	char name[SEGMENT_NAME_MAX];
	struct status st;

	st = journal_begin(group, &s->state, ret_state);
	if (failed(st))
		return st;
	st = segment_file_write(fd, group, sizeof(group), 0);
	if (failed(st))
		return st;
	st = segment_file_zero(fd, sizeof(group), reserve_to(s, sizeof(group)));
	if (failed(st))
		return st;
	segment_file_name(s->number + 1, name);
	if (fsync(fd) != 0 || renameat2(s->dir_fd, NEW_NAME, s->dir_fd, name,
				  RENAME_NOREPLACE) != 0)
		return segment_file_write_error();
	/* From here on the segment is there; it may be found on replay. */
	if (fsync(s->dir_fd) != 0)
		return segment_file_write_error();
	return st;
}

/* Go on in a new segment. */
static STATUS
roll(struct segments *s)
{
	struct journal_state state;
	struct status st;
	int fd;

	fd = openat(s->dir_fd, NEW_NAME,
	    O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return segment_file_write_error();
	st = write_new(s, fd, &state);
	if (failed(st)) {
		close(fd);
		unlinkat(s->dir_fd, NEW_NAME, 0);
		return st;
	}
	if (s->fd >= 0)
		close(s->fd);
	s->fd = fd;
	s->number++;
	s->at = JOURNAL_SECTOR;
	s->size = reserve_to(s, JOURNAL_SECTOR);
	s->broken = false;
	s->state = state;
	open_direct(s);
	return st;
}

/* Is the file that is written to still the one that its path names? */
static STATUS
look(struct segments *s, int64_t now_ns)
{
	char name[SEGMENT_NAME_MAX], path[PATH_MAX];
	struct stat ours, named;

	if (s->fd < 0 || now_ns - s->looked_ns < LOOK_EVERY_NS)
		return status_ok();
	segment_file_name(s->number, name);
	snprintf(path, sizeof(path), "%s/%s", s->directory, name);
	if (fstat(s->fd, &ours) != 0 || stat(path, &named) != 0 ||
	    ours.st_dev != named.st_dev || ours.st_ino != named.st_ino)
		return status_fail(STATUS_UNAVAILABLE,
		    "the audit journal's file was removed or "
		    "replaced: put it back");
	if ((size_t)ours.st_size < s->size)
		return status_fail(STATUS_UNAVAILABLE,
		    "the audit journal's file was cut: put it back");
	s->looked_ns = now_ns;
	return status_ok();
}

/* Zeros ahead for at least one group. */
static STATUS
reserve(struct segments *s)
{
	size_t to = reserve_to(s, s->at);
	struct status st;

	if (s->size - s->at >= JOURNAL_GROUP_MAX)
		return status_ok();
	if (s->direct >= 0 &&
	    !failed(segment_file_zero(s->direct, s->size, to))) {
		s->size = to;
		return status_ok();
	}
	st = segment_file_zero(s->fd, s->size, to);
	if (failed(st))
		return st;
	st = segment_file_sync(s->fd);
	if (failed(st)) {
		s->broken = true;
		return st;
	}
	s->size = to;
	return st;
}

/* A segment that is ours, whole, and has room for a group. */
static STATUS
make_ready(struct segments *s, int64_t now_ns)
{
	struct status st = look(s, now_ns);

	if (failed(st))
		return st;
	if (s->broken || s->at + JOURNAL_GROUP_MAX > s->segment_max) {
		st = roll(s);
		if (failed(st))
			return st;
	}
	return reserve(s);
}

static STATUS
append(struct segments *s, uint8_t *group, size_t body_len, uint32_t n)
{
	struct journal_state after;
	size_t len;
	struct status st;

	st = journal_seal(group, body_len, n, &s->state, &len, &after);
	if (failed(st))
		return st;
	st = write_group(s, group, len);
	if (failed(st)) {
		s->broken = true;
		return st;
	}
	s->at += len;
	s->state = after;
	return st;
}

STATUS
segments_append(
    struct segments *s, uint8_t *group, size_t body_len, uint32_t n_entries)
{
	int64_t now_ns = clock_mono_ns();
	struct status st;

	if (failed(s->failure) && now_ns - s->failed_ns < RETRY_NS)
		return s->failure;
	st = make_ready(s, now_ns);
	if (!failed(st))
		st = append(s, group, body_len, n_entries);
	if (failed(st))
		s->looked_ns = 0;
	set_mark(s);
	s->failure = st;
	s->failed_ns = now_ns;
	return st;
}

uint64_t
segments_entries(const struct segments *s)
{
	return s->state.entries;
}

STATUS
segments_settle(struct segments *s)
{
	const struct segment_mark mark = get_mark(s);
	struct status st = status_ok();

	if (s->sync)
		return st;
	for (; !failed(st) && s->settled < mark.number; s->settled++) {
		scoped(close) int fd = -1;

		/* Only a segment that was retired is not there. */
		st = segment_dir_open(s->dir_fd, s->settled + 1, &fd);
		if (!failed(st))
			st = segment_file_sync(fd);
		else if (st.code == STATUS_NOT_FOUND)
			st = status_ok();
	}
	/* It is still written to: the next time again. */
	if (s->settled > 0)
		s->settled--;
	return st;
}

STATUS
segments_show(
    struct segments *s, uint64_t from, audit_committed each, void *ctx)
{
	struct segment_mark mark = get_mark(s);

	return segment_dir_show(s->dir_fd, &mark, from, each, ctx);
}

void
segments_retire(struct segments *s, uint64_t until)
{
	struct segment_mark mark = get_mark(s);

	segment_dir_retire(s->dir_fd, &mark, until);
}

/* The torn group was never acknowledged: zeros again, as if never begun. */
static STATUS
cut(struct segments *s)
{
	size_t to = s->at + JOURNAL_GROUP_MAX;
	struct status st;

	st = segment_file_zero(s->fd, s->at, to < s->size ? to : s->size);
	if (failed(st))
		return st;
	log_warn("cut a record that was being written when keyd stopped",
	    LOG_UINT("segment", s->number), LOG_UINT("offset", s->at),
	    LOG_UINT("entries", s->state.entries));
	return segment_file_sync(s->fd);
}

/* Check segment numbers[i]; the last one becomes the current one. */
static STATUS
replay(struct segments *s, const uint64_t *numbers, size_t i, size_t n,
    const struct segments_config *config)
{
	const bool last = i + 1 == n;
	scoped(close) int fd = -1;
	scoped(free) uint8_t *octets = NULL;
	struct journal_state until, after;
	size_t len, end;
	bool torn;
	struct status st;

	st = segment_dir_open(s->dir_fd, numbers[i], &fd);
	/* What counts from here on may have been written and never synced. */
	if (!failed(st))
		st = segment_file_sync(fd);
	if (!failed(st) && !last)
		st = segment_dir_before(s->dir_fd, numbers[i + 1], &until);
	if (!failed(st))
		st = segment_file_load(fd, SEGMENT_LOAD_MAX, &octets, &len);
	if (!failed(st))
		st = journal_replay((struct bytes){ octets, len },
		    last ? NULL : &until, config->each, config->ctx, &after,
		    &end, &torn);
	if (failed(st)) {
		log_error("the audit journal does not hold",
		    LOG_UINT("segment", numbers[i]), LOG_STATUS(st));
		return st;
	}
	if (!last)
		return st;
	s->fd = fd;
	fd = -1;
	s->number = numbers[i];
	s->at = end;
	s->size = len;
	s->state = after;
	open_direct(s);
	return torn ? cut(s) : st;
}

static STATUS
replay_all(struct segments *s, const struct segments_config *config)
{
	scoped(free) uint64_t *numbers = NULL;
	size_t n = 0;
	struct status st = segment_dir_list(s->dir_fd, &numbers, &n);

	for (size_t i = 0; i < n && !failed(st); i++) {
		if (i > 0 && numbers[i] != numbers[i - 1] + 1)
			return status_fail(STATUS_DATA_LOSS,
			    "a segment of the audit journal is missing: put it "
			    "back, or move the older ones aside too");
		st = replay(s, numbers, i, n, config);
	}
	return st;
}

static STATUS
hold_directory(struct segments *s)
{
	if (mkdir(s->directory, 0700) != 0 && errno != EEXIST)
		return segment_file_error("the audit folder cannot be made");
	s->dir_fd = open(s->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir_fd < 0)
		return segment_file_error("the audit folder cannot be opened");
	if (flock(s->dir_fd, LOCK_EX | LOCK_NB) != 0)
		return status_fail_detail(STATUS_FAILED_PRECONDITION,
		    "another process holds the audit folder: is a keyd running "
		    "already?",
		    (uint32_t)errno);
	return status_ok();
}

STATUS
segments_open(
    const struct segments_config *config, struct segments **ret_segments)
{
	scoped(segments_close) struct segments *s = calloc(1, sizeof(*s));
	struct status st;

	if (s == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	s->fd = s->direct = s->dir_fd = -1;
	s->sync = config->sync;
	s->segment_max =
	    config->segment_max != 0 ? config->segment_max : SEGMENT_MAX;
	s->failure = status_ok();
	pthread_mutex_init(&s->lock, NULL);
	s->directory = strdup(config->directory);
	if (s->directory == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	st = hold_directory(s);
	if (failed(st))
		return st;
	st = replay_all(s, config);
	if (failed(st))
		return st;
	s->broken = s->fd < 0;
	st = make_ready(s, clock_mono_ns());
	if (failed(st))
		return st;
	set_mark(s);
	s->settled = s->number - 1;
	*ret_segments = s;
	s = NULL;
	return st;
}

void
segments_close(struct segments *s)
{
	if (s == NULL)
		return;
	if (s->fd >= 0) {
		(void)fdatasync(s->fd);
		close(s->fd);
	}
	if (s->direct >= 0)
		close(s->direct);
	if (s->dir_fd >= 0)
		close(s->dir_fd);
	pthread_mutex_destroy(&s->lock);
	free(s->directory);
	free(s);
}
