/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Reading the audit journal's folder while it is written to: what stands beyond
 * the acknowledged mark is not looked at.  Every segment's first group says
 * what was before it, so each is checked up to where the next one begins.
 * Segments are removed from the oldest on, never the one that is written to.
 */

#include "keyd/segment_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/scoped.h"
#include "keyd/segment_file.h"
#include "ledger/tile.h"

static int
by_number(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

STATUS
segment_dir_list(int dir_fd, uint64_t **ret_numbers, size_t *ret_n)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	uint64_t *numbers = NULL;
	size_t n = 0;
	const struct dirent *entry;

	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return segment_file_error("the audit folder cannot be listed");
	}
	while ((entry = readdir(dir)) != NULL) {
		char name[SEGMENT_NAME_MAX];
		uint64_t number = strtoull(entry->d_name, NULL, 10);
		uint64_t *more;

		segment_file_name(number, name);
		if (strcmp(name, entry->d_name) != 0)
			continue;
		more = realloc(numbers, (n + 1) * sizeof(*numbers));
		if (more == NULL)
			break;
		numbers = more;
		numbers[n++] = number;
	}
	closedir(dir);
	if (entry != NULL) {
		free(numbers);
		return status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "no memory to list the audit folder");
	}
	if (n > 0)
		qsort(numbers, n, sizeof(*numbers), by_number);
	*ret_numbers = numbers;
	*ret_n = n;
	return status_ok();
}

STATUS
segment_dir_open(int dir_fd, uint64_t number, int *ret_fd)
{
	char name[SEGMENT_NAME_MAX];
	int fd;

	segment_file_name(number, name);
	fd = openat(dir_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return status_fail(STATUS_NOT_FOUND,
		    "a segment of the audit journal was removed");
	if (fd < 0)
		return segment_file_error(
		    "a segment of the audit journal cannot be opened");
	*ret_fd = fd;
	return status_ok();
}

STATUS
segment_dir_before(
    int dir_fd, uint64_t number, struct journal_state *ret_before)
{
	scoped(close) int fd = -1;
	scoped(free) uint8_t *octets = NULL;
	size_t len;
	struct status st;

	st = segment_dir_open(dir_fd, number, &fd);
	if (failed(st))
		return st;
	st = segment_file_load(fd, JOURNAL_SECTOR, &octets, &len);
	if (failed(st))
		return st;
	return journal_before((struct bytes){ octets, len }, ret_before);
}

/* ---- showing ---- */

/* Groups on their way to one who wants entries from a number on. */
struct showing {
	uint64_t from;
	audit_committed each;
	void *ctx;
};

static void
show_rest(void *ctx, uint64_t first, struct bytes bundle, uint32_t n)
{
	const struct showing *showing = ctx;
	struct bytes entry;

	while (n > 0 && first < showing->from) {
		if (!tile_take_entry(&bundle, &entry))
			return;
		first++;
		n--;
	}
	if (n > 0)
		showing->each(showing->ctx, first, bundle, n);
}

/* The segment in which entry from stands. */
static STATUS
find(int dir_fd, const struct segment_mark *mark, uint64_t from,
    uint64_t *ret_number)
{
	scoped(free) uint64_t *numbers = NULL;
	size_t n = 0;
	struct status st = segment_dir_list(dir_fd, &numbers, &n);

	while (!failed(st) && n-- > 0) {
		struct journal_state before;

		if (numbers[n] > mark->number)
			continue;
		st = segment_dir_before(dir_fd, numbers[n], &before);
		if (!failed(st) && before.entries <= from) {
			*ret_number = numbers[n];
			return st;
		}
	}
	return failed(st) ? st
			  : status_fail(STATUS_NOT_FOUND,
				"the journal begins after that entry");
}

static STATUS
show_segment(int dir_fd, const struct segment_mark *mark, uint64_t number,
    struct showing *showing)
{
	scoped(close) int fd = -1;
	scoped(free) uint8_t *octets = NULL;
	struct journal_state until = mark->state, after;
	size_t len, end;
	bool torn;
	struct status st = segment_dir_open(dir_fd, number, &fd);

	if (!failed(st) && number != mark->number)
		st = segment_dir_before(dir_fd, number + 1, &until);
	if (!failed(st))
		st = segment_file_load(fd, SEGMENT_LOAD_MAX, &octets, &len);
	if (failed(st))
		return st;
	return journal_replay((struct bytes){ octets, len }, &until, show_rest,
	    showing, &after, &end, &torn);
}

STATUS
segment_dir_show(int dir_fd, const struct segment_mark *mark, uint64_t from,
    audit_committed each, void *ctx)
{
	struct showing showing = { from, each, ctx };
	uint64_t number = 0;
	struct status st;

	if (from > mark->state.entries)
		return status_fail(
		    STATUS_OUT_OF_RANGE, "the journal ends before that entry");
	st = find(dir_fd, mark, from, &number);
	while (!failed(st) && number <= mark->number) {
		st = show_segment(dir_fd, mark, number, &showing);
		number++;
	}
	return st;
}

void
segment_dir_retire(int dir_fd, const struct segment_mark *mark, uint64_t until)
{
	scoped(free) uint64_t *numbers = NULL;
	struct journal_state before;
	size_t n = 0;

	if (failed(segment_dir_list(dir_fd, &numbers, &n)))
		return;
	for (size_t i = 0; i + 1 < n && numbers[i] < mark->number; i++) {
		char name[SEGMENT_NAME_MAX];

		if (failed(
			segment_dir_before(dir_fd, numbers[i + 1], &before)) ||
		    before.entries > until)
			return;
		segment_file_name(numbers[i], name);
		if (unlinkat(dir_fd, name, 0) != 0) {
			log_warn("an old segment of the audit journal cannot "
				 "be removed",
			    LOG_STATUS(segment_file_error("")));
			return;
		}
	}
}
