/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_SCRATCH_H
#define TESTS_UNIT_SCRATCH_H

#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* Folders that a test makes, with all that comes to be in them. */

#define SCRATCH_PATH_MAX 40

/*
 * A new folder; size >= SCRATCH_PATH_MAX.  In memory where there is such a
 * disk: what is tested syncs its files, and waits for no disk then.  False:
 * there is room nowhere.
 */
static inline bool
scratch_new(char *ret_path, size_t size)
{
	static const char *const disks[] = { "/dev/shm", "/tmp" };

	for (size_t i = 0; i < sizeof(disks) / sizeof(disks[0]); i++) {
		(void)!snprintf(ret_path, size, "%s/holdfast-XXXXXX", disks[i]);
		if (mkdtemp(ret_path) != NULL)
			return true;
	}
	return false;
}

static inline int
scratch_remove_one(
    const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st;
	(void)type;
	(void)walk;
	return remove(path);
}

/* As nftw answers; symbolic links are removed, not followed. */
static inline int
scratch_remove(const char *folder)
{
	return nftw(folder, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
